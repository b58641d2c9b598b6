#include <config.h>

#include "http/export_request.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/files.h"
#include "common/hash.h"
#include "common/jsontext.h"

#define NAME "request.json"

void export_request_free(struct export_request *request)
{
    parameters_free(&request->parameters);
    *request = (struct export_request){0};
}

void export_request_name(struct export_request *request)
{
    uint8_t bytes[HASH_BYTES] = {0};
    char text[HASH_HEX_MAX];
    hash_random(bytes, EXPORT_ID_BYTES);
    hash_hex(bytes, text);
    memcpy(request->id, text, EXPORT_ID_MAX - 1);
    request->id[EXPORT_ID_MAX - 1] = '\0';
}

/* ---- parameters as JSON ---- */

static size_t count_same(const struct parameters *parameters, size_t i, bool before)
{
    size_t n = 0;
    for (size_t j = before ? 0 : i; j < (before ? i : parameters->n); j++)
        n += !strcmp(parameters->rows[j].name, parameters->rows[i].name);
    return n;
}

int export_request_put_parameters(const struct parameters *parameters, struct buf *out)
{
    bool started = false;
    buf_putc(out, '{');
    for (size_t i = 0; i < parameters->n; i++) {
        if (count_same(parameters, i, true))
            continue;
        bool several = count_same(parameters, i, false) > 1;
        buf_puts(out, started ? "," : "");
        jsontext_put(out, parameters->rows[i].name);
        buf_puts(out, several ? ":[" : ":");
        for (size_t j = i, n = 0; j < parameters->n; j++) {
            if (strcmp(parameters->rows[j].name, parameters->rows[i].name) != 0)
                continue;
            buf_puts(out, n++ ? "," : "");
            jsontext_put(out, parameters->rows[j].value);
        }
        buf_puts(out, several ? "]" : "");
        started = true;
    }
    buf_putc(out, '}');
    return out->failed ? ERR_NOMEM : 0;
}

/* The n-th value of a name, from 1; or NULL. */
static const char *find_value(const struct parameters *parameters, const char *name, size_t n)
{
    for (size_t i = 0; i < parameters->n; i++)
        if (!strcmp(parameters->rows[i].name, name) && !--n)
            return parameters->rows[i].value;
    return NULL;
}

bool export_request_is_same(const struct export_request *request, const struct parameters *parameters)
{
    const struct parameters *own = &request->parameters;
    for (size_t i = 0; i < own->n; i++) {
        const char *value = find_value(parameters, own->rows[i].name, count_same(own, i, true) + 1);
        if (!value || strcmp(value, own->rows[i].value) != 0)
            return false;
    }
    return own->n == parameters->n;
}

/* ---- the file ---- */

static int write_bytes(const char *path, const struct buf *bytes)
{
    size_t done = 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return errno == ENOSPC ? ERR_FULL : ERR_IO;
    while (done < bytes->n) {
        ssize_t n = write(fd, bytes->data + done, bytes->n - done);
        if (n < 0 && errno != EINTR)
            break;
        done += n > 0 ? (size_t)n : 0;
    }
    int why = errno;
    int rc = done == bytes->n ? 0 : why == ENOSPC ? ERR_FULL : ERR_IO;
    close(fd);
    errno = why;
    return rc;
}

int export_write_whole(const char *folder, const char *name, const struct buf *bytes, struct err_text *error)
{
    char path[PATH_MAX], part[PATH_MAX + 8];
    if (bytes->failed)
        return ERR_NOMEM;
    if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
        return err_set(error, ERR_INVALID, "the path of the folder \"%.200s\" is too long", folder);
    snprintf(part, sizeof(part), "%s" EXPORT_PART_END, path);
    int rc = write_bytes(part, bytes);
    rc = rc ? rc : files_sync(part);
    rc = rc ? rc : files_sync(folder); /* what the file speaks of lasts before it */
    rc = rc ? rc : files_rename(part, path);
    rc = rc ? rc : files_sync(folder);
    if (rc) {
        err_set(error, rc, "cannot write \"%s\": %s", path, strerror(errno));
        files_unlink(part);
    }
    return rc;
}

static void put_globs(const struct globs *globs, struct buf *out)
{
    buf_puts(out, ",\"entities\":[");
    for (const char *glob = NULL; (glob = globs_next(globs, glob));) {
        buf_puts(out, glob == globs->list ? "" : ",");
        jsontext_put(out, glob);
    }
    buf_putc(out, ']');
}

/* Where they are not told the export is of whatever there is. */
static int take_globs(const json_t *list, struct export_request *request)
{
    size_t i;
    json_t *glob;
    request->is_limited = list != NULL;
    json_array_foreach((json_t *)list, i, glob)
        if (!json_is_string(glob) || !globs_add(&request->globs, json_string_value(glob), json_string_length(glob)))
            return ERR_CORRUPT;
    return !list || json_is_array(list) ? 0 : ERR_CORRUPT;
}

int export_request_write(const char *folder, const struct export_request *request, struct err_text *error)
{
    struct buf out = {0};
    buf_puts(&out, "{\"id\":");
    jsontext_put(&out, request->id);
    buf_puts(&out, ",\"by\":");
    jsontext_put(&out, request->by);
    buf_puts(&out, ",\"snapshot\":");
    jsontext_put(&out, request->snapshot);
    buf_printf(&out, ",\"owns_snapshot\":%s,\"created_us\":%" PRId64 ",\"expires_us\":%" PRId64 ",\"parameters\":",
               request->owns_snapshot ? "true" : "false", request->created_us, request->expires_us);
    int rc = export_request_put_parameters(&request->parameters, &out);
    if (request->is_limited)
        put_globs(&request->globs, &out);
    buf_puts(&out, "}\n");
    rc = rc ? rc : export_write_whole(folder, NAME, &out, error);
    buf_free(&out);
    return rc;
}

static int take_parameters(json_t *json, struct parameters *parameters, struct err_text *error)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    if (!text)
        return json ? ERR_NOMEM : ERR_CORRUPT;
    int rc = parameters_from_json(parameters, text, strlen(text), error);
    free(text);
    return rc == ERR_NOMEM || !rc ? rc : ERR_CORRUPT;
}

int export_request_read(const char *folder, struct export_request *ret_request, struct err_text *error)
{
    char path[PATH_MAX];
    const char *id = NULL, *by = NULL, *snapshot = NULL;
    json_int_t created_us, expires_us;
    json_t *parameters = NULL;
    json_error_t why;
    int owns = 0;
    struct export_request *request = ret_request;
    *request = (struct export_request){0};
    snprintf(path, sizeof(path), "%.4000s/" NAME, folder);
    errno = 0;
    json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    if (!json)
        return err_set(error, errno == ENOENT ? ERR_NOTFOUND : ERR_CORRUPT, "cannot read \"%s\": %s", path, why.text);
    int rc = json_unpack(json, "{s:s, s:s, s:s, s:b, s:I, s:I, s:o}", "id", &id, "by", &by, "snapshot", &snapshot,
                         "owns_snapshot", &owns, "created_us", &created_us, "expires_us", &expires_us, "parameters", &parameters)
                 ? ERR_CORRUPT
                 : 0;
    if (!rc && (strlen(id) >= sizeof(request->id) || strlen(snapshot) >= sizeof(request->snapshot) ||
                strlen(by) >= sizeof(request->by)))
        rc = ERR_CORRUPT;
    if (!rc) {
        snprintf(request->id, sizeof(request->id), "%s", id);
        snprintf(request->by, sizeof(request->by), "%s", by);
        snprintf(request->snapshot, sizeof(request->snapshot), "%s", snapshot);
        request->owns_snapshot = owns;
        request->created_us = created_us;
        request->expires_us = expires_us;
        rc = take_globs(json_object_get(json, "entities"), request);
        rc = rc ? rc : take_parameters(parameters, &request->parameters, error);
    }
    json_decref(json);
    return rc ? err_set(error, rc, "\"%s\" is not what an export left there", path) : 0;
}
