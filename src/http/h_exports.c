/* POST, GET and DELETE /v1/exports: bulk exports as files with a manifest. */
#include <config.h>

#include "http/handlers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "http/byte_range.h"
#include "http/etag.h"
#include "http/exports.h"

#define RETRY_S 5

static int take_exports(const struct request *request, struct exports **ret_exports, struct export_caller *ret_caller,
                        struct err_text *error)
{
    *ret_caller = (struct export_caller){request->principal.name, reader_dir_limited_to(request->dir)};
    *ret_exports = request->opts->exports;
    return *ret_exports ? 0 : err_set(error, ERR_NOTFOUND, "no exports are kept here");
}

int h_exports_make(struct request *request, struct reply *reply, struct err_text *error)
{
    char id[EXPORT_ID_MAX];
    struct exports *exports;
    struct export_caller caller;
    int rc = take_exports(request, &exports, &caller, error);
    rc = rc ? rc : exports_make(exports, &request->parameters, &caller, id, error);
    if (rc == ERR_BUSY) {
        reply_header(reply, "Retry-After", "%d", RETRY_S);
        reply_problem(reply, 429, error->field, "%s", error->text);
        return 0;
    }
    rc = rc ? rc : exports_tell(exports, &caller, id, &reply->body, error);
    if (rc)
        return rc;
    log_event(LOG_INFO, "export_made", "id=%s by=\"%s\"", id, request->principal.name);
    reply_header(reply, "Location", "/v1/exports/%s", id);
    reply_header(reply, "Cache-Control", "no-store");
    reply->status = 202;
    reply->type = "application/json";
    return 0;
}

static int answer_json(struct reply *reply, int rc)
{
    if (rc)
        return rc;
    reply_json(reply);
    return 0;
}

int h_exports_list(struct request *request, struct reply *reply, struct err_text *error)
{
    struct exports *exports;
    struct export_caller caller;
    int rc = take_exports(request, &exports, &caller, error);
    return answer_json(reply, rc ? rc : exports_list(exports, &caller, &reply->body));
}

int h_exports_one(struct request *request, struct reply *reply, struct err_text *error)
{
    struct exports *exports;
    struct export_caller caller;
    int rc = take_exports(request, &exports, &caller, error);
    return answer_json(reply, rc ? rc : exports_tell(exports, &caller, request->id, &reply->body, error));
}

int h_exports_drop(struct request *request, struct reply *reply, struct err_text *error)
{
    struct exports *exports;
    struct export_caller caller;
    int rc = take_exports(request, &exports, &caller, error);
    rc = rc ? rc : exports_drop(exports, &caller, request->id, error);
    if (rc)
        return rc;
    log_event(LOG_INFO, "export_dropped", "id=%s by=\"%s\"", request->id, request->principal.name);
    reply->status = 204;
    return 0;
}

/* ---- a file ---- */

static const char *type_of(const char *name)
{
    static const struct {
        const char *end, *type;
    } types[] = {
        {".json", "application/json"},
        {".csv", "text/csv"},
        {".ndjson", "application/x-ndjson"},
        {".arrows", "application/vnd.apache.arrow.stream"},
        {".gz", "application/gzip"},
        {".zst", "application/zstd"},
    };
    const char *end = strrchr(name, '.');
    for (size_t i = 0; end && i < sizeof(types) / sizeof(*types); i++)
        if (!strcmp(types[i].end, end))
            return types[i].type;
    return "application/octet-stream";
}

int h_exports_file(struct request *request, struct reply *reply, struct err_text *error)
{
    struct export_listed listed;
    char etag[HASH_HEX_MAX + 2];
    uint64_t offset, n;
    int fd;
    struct exports *exports;
    struct export_caller caller;
    int rc = take_exports(request, &exports, &caller, error);
    rc = rc ? rc : exports_open_file(exports, &caller, request->id, request->file, &listed, &fd, error);
    if (rc)
        return rc;
    snprintf(etag, sizeof(etag), "\"%s\"", listed.sha256);
    reply_header(reply, "ETag", "%s", etag);
    reply_header(reply, "Accept-Ranges", "bytes");
    reply_header(reply, "Cache-Control", "private, no-cache");
    if (etag_is_listed(request->if_none_match, listed.sha256)) {
        close(fd);
        reply->status = 304;
        return 0;
    }
    bool applies = !strcmp(request->method, "GET") && byte_range_applies(request->if_range, etag);
    enum byte_range range = byte_range_parse(applies ? request->range : NULL, listed.n_bytes, &offset, &n);
    if (range == BYTES_NONE) {
        close(fd);
        reply_header(reply, "Content-Range", "bytes */%" PRIu64, listed.n_bytes);
        reply_problem(reply, 416, "", "the range \"%.64s\" lies beyond the %" PRIu64 " bytes of the file", request->range,
                      listed.n_bytes);
        return 0;
    }
    reply_file(reply, type_of(listed.name), fd, offset, n);
    if (range == BYTES_SOME) {
        reply->status = 206;
        reply_header(reply, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, offset, offset + n - 1, listed.n_bytes);
    }
    return 0;
}
