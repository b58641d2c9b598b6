/* What exports tell of themselves, and their files. */
#include <config.h>

#include "http/exports_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/jsontext.h"

static const char *state_name(const struct export *export)
{
    return export->state == EXPORT_READY ? "ready" : export->state == EXPORT_FAILED ? "failed" : "running";
}

static void put_one(const struct export *export, struct buf *out)
{
    const struct export_request *request = &export->request;
    buf_puts(out, "{\"id\":");
    jsontext_put(out, request->id);
    buf_printf(out, ",\"status\":\"%s\",\"by\":", state_name(export));
    jsontext_put(out, request->by);
    buf_puts(out, ",\"created\":");
    jsontext_put_time(out, request->created_us);
    buf_puts(out, ",\"expires\":");
    jsontext_put_time(out, request->expires_us);
    buf_puts(out, ",\"snapshot\":");
    jsontext_put(out, request->snapshot);
    if (export->state == EXPORT_FAILED) {
        buf_puts(out, ",\"reason\":");
        jsontext_put(out, export->reason);
    } else if (export->state == EXPORT_READY) {
        buf_printf(out, ",\"files\":%zu,\"rows\":%" PRIu64 ",\"bytes\":%" PRIu64, export->listing.n - 1, export->listing.n_rows,
                   export->listing.n_bytes);
    } else {
        const struct export_progress *progress = &export->progress;
        buf_printf(out, ",\"parts_done\":%zu,\"parts\":%zu,\"rows\":%" PRIu64 ",\"bytes\":%" PRIu64, progress->n_done,
                   progress->n_parts, progress->n_rows, progress->n_bytes);
    }
    buf_puts(out, ",\"parameters\":");
    if (export_request_put_parameters(&request->parameters, out))
        out->failed = true;
}

static int refuse_unknown(const char *id, struct err_text *error)
{
    return err_set(error, ERR_NOTFOUND, "there is no export \"%.64s\": its time may be over; GET /v1/exports lists them", id);
}

static int put_manifest(struct exports *exports, const char *id, struct buf *out, struct err_text *error)
{
    struct export_listed listed;
    int fd;
    int rc = exports_open_file(exports, id, EXPORT_MANIFEST, &listed, &fd, error);
    if (rc)
        return rc;
    buf_puts(out, ",\"manifest\":");
    uint8_t *at = buf_reserve(out, listed.n_bytes);
    size_t done = 0;
    for (ssize_t n = 1; at && n > 0 && done < listed.n_bytes; done += n > 0 ? (size_t)n : 0)
        n = pread(fd, at + done, listed.n_bytes - done, (off_t)done);
    close(fd);
    if (at && done < listed.n_bytes)
        return err_set(error, ERR_IO, "the manifest of the export \"%s\" cannot be read", id);
    out->n += at ? done : 0;
    return 0;
}

int exports_tell(struct exports *exports, const char *id, struct buf *out, struct err_text *error)
{
    pthread_mutex_lock(&exports->lock);
    exports_expire(exports);
    const struct export *export = exports_find(exports, id);
    bool found = export != NULL, ready = found && export->state == EXPORT_READY;
    if (found)
        put_one(export, out);
    pthread_mutex_unlock(&exports->lock);
    int rc = !found ? refuse_unknown(id, error) : ready ? put_manifest(exports, id, out, error) : 0;
    buf_puts(out, "}\n");
    return rc ? rc : out->failed ? ERR_NOMEM : 0;
}

int exports_list(struct exports *exports, struct buf *out)
{
    buf_puts(out, "{\"exports\":[");
    pthread_mutex_lock(&exports->lock);
    exports_expire(exports);
    for (const struct export *export = exports->first; export; export = export->next) {
        buf_puts(out, export == exports->first ? "\n" : ",\n");
        put_one(export, out);
        buf_putc(out, '}');
    }
    pthread_mutex_unlock(&exports->lock);
    buf_puts(out, "]}\n");
    return out->failed ? ERR_NOMEM : 0;
}

int exports_open_file(struct exports *exports, const char *id, const char *name, struct export_listed *ret_listed, int *ret_fd,
                      struct err_text *error)
{
    char path[EXPORTS_PATH_BYTES];
    struct export_listed listed = {0};
    struct stat info;
    pthread_mutex_lock(&exports->lock);
    exports_expire(exports);
    const struct export *export = exports_find(exports, id);
    const struct export_listed *found = export ? export_listing_find(&export->listing, name) : NULL;
    bool known = export != NULL, ready = known && export->state == EXPORT_READY;
    listed = found ? *found : listed;
    pthread_mutex_unlock(&exports->lock);
    if (!known)
        return refuse_unknown(id, error);
    if (!ready)
        return err_set(error, ERR_NOTFOUND, "the export \"%s\" is not ready: GET /v1/exports/%s tells how far it is", id, id);
    if (!found)
        return err_set(error, ERR_NOTFOUND, "the export \"%s\" has no file \"%.64s\": its manifest lists them", id, name);
    snprintf(path, sizeof(path), "%.3900s/%.64s/%.64s", exports->folder, id, listed.name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) /* dropped a moment ago, or out of our hands */
        return err_set(error, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "the file \"%s\" cannot be read: %s", listed.name,
                       strerror(errno));
    if (fstat(fd, &info) || (uint64_t)info.st_size != listed.n_bytes) {
        close(fd);
        return err_set(error, ERR_CORRUPT, "\"%s\" has not the length that its manifest tells", path);
    }
    *ret_listed = listed;
    *ret_fd = fd;
    return 0;
}

int exports_drop(struct exports *exports, const char *id, struct err_text *error)
{
    pthread_mutex_lock(&exports->lock);
    struct export *export = exports_find(exports, id);
    if (export)
        exports_take_out(exports, export);
    pthread_mutex_unlock(&exports->lock);
    return export ? 0 : refuse_unknown(id, error);
}
