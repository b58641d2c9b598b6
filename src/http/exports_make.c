/* New exports. */
#include <config.h>

#include "http/exports_inside.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/files.h"
#include "common/log.h"

/* A place among them is kept until leave_room. */
static int take_room(struct exports *exports, struct err_text *error)
{
    int rc = 0;
    pthread_mutex_lock(&exports->lock);
    exports_expire(exports);
    if (exports_count(exports, true) >= EXPORTS_WAITING_MAX)
        rc = err_set(error, ERR_BUSY, "%d exports are being written or wait for it: try again when one is done",
                     EXPORTS_WAITING_MAX);
    else if (exports_count(exports, false) >= EXPORTS_MAX)
        rc = err_set(error, ERR_BUSY, "%d exports are kept: remove one with DELETE /v1/exports/ID, or wait until one's "
                     "time is over", EXPORTS_MAX);
    else if (exports_bytes(exports, NULL) >= exports->opts.bytes_max)
        rc = err_set(error, ERR_FULL, "the exports that are kept have %" PRIu64 " MiB: remove one with DELETE /v1/exports/ID",
                     exports_bytes(exports, NULL) >> 20);
    else
        exports->n_making++;
    pthread_mutex_unlock(&exports->lock);
    return rc;
}

static void leave_room(struct exports *exports)
{
    pthread_mutex_lock(&exports->lock);
    exports->n_making--;
    pthread_mutex_unlock(&exports->lock);
}

static int fill_request(const struct parameters *parameters, const struct export_caller *by, struct export_request *request,
                        struct err_text *error)
{
    struct export_form form;
    int rc = export_form_read(parameters, &form, error);
    export_request_name(request);
    snprintf(request->by, sizeof(request->by), "%s", by->name);
    request->is_limited = by->limit != NULL;
    if (by->limit)
        request->globs = *by->limit;
    request->created_us = clock_wall_us();
    if (!rc && (civil_add(request->created_us, &form.keep, &request->expires_us) || request->expires_us <= request->created_us))
        rc = err_set_field(error, ERR_INVALID, "keep", "\"keep\" is not a time in the future that a calendar has");
    for (size_t i = 0; i < parameters->n && !rc; i++) {
        const struct parameter *parameter = &parameters->rows[i];
        if (strcmp(parameter->name, "snapshot") != 0)
            rc = parameters_add(&request->parameters, parameter->name, parameter->value, error);
        else if (strlen(parameter->value) >= sizeof(request->snapshot))
            rc = err_set_field(error, ERR_NOTFOUND, "snapshot", "there is no snapshot \"%.64s...\"", parameter->value);
        else
            snprintf(request->snapshot, sizeof(request->snapshot), "%s", parameter->value);
    }
    return rc;
}

static int pin(struct exports *exports, struct export_request *request, struct err_text *error)
{
    struct export_form form;
    int rc = *request->snapshot ? 0 : export_form_read(&request->parameters, &form, error);
    if (rc || *request->snapshot)
        return rc;
    snprintf(request->snapshot, sizeof(request->snapshot), EXPORT_PREFIX "%s", request->id);
    rc = snapshots_make(exports->opts.snapshots, request->snapshot, &form.keep, error);
    request->owns_snapshot = !rc;
    return rc;
}

/* The folder gets its name with the request in it: then it lasts. */
static int make_folder(struct exports *exports, const struct export_request *request, struct err_text *error)
{
    char path[EXPORTS_PATH_BYTES], making[EXPORTS_PATH_BYTES];
    exports_path(exports, request->id, "", path);
    exports_path(exports, request->id, EXPORTS_MAKING, making);
    int rc = files_make_folder(exports->folder);
    rc = rc == ERR_EXISTS ? 0 : rc;
    rc = rc ? rc : files_sync(exports->opts.dir);
    rc = rc ? rc : files_make_folder(making);
    if (rc)
        return err_set(error, rc, "cannot make the folder \"%s\": %s", path, strerror(errno));
    rc = export_request_write(making, request, error);
    if (!rc && ((rc = files_rename(making, path)) || (rc = files_sync(exports->folder))))
        err_set(error, rc, "cannot make the folder \"%s\": %s", path, strerror(errno));
    if (rc) {
        files_remove_tree(making);
        files_remove_tree(path);
    }
    return rc;
}

static int make_one(struct exports *exports, struct export *export, struct err_text *error)
{
    struct export_request *request = &export->request;
    int rc = pin(exports, request, error);
    if (rc)
        return rc;
    rc = export_try(&(struct export_run){.folder = exports->opts.dir, .request = request, .snapshots = exports->opts.snapshots,
                                         .free_min_bytes = exports->opts.free_min_bytes, .quota = exports->opts.quota}, error);
    rc = rc ? rc : make_folder(exports, request, error);
    if (rc && request->owns_snapshot && snapshots_drop(exports->opts.snapshots, request->snapshot, NULL))
        log_event(LOG_DEBUG, "export_snapshot_gone", "name=%s", request->snapshot);
    return rc;
}

int exports_make(struct exports *exports, const struct parameters *parameters, const struct export_caller *by,
                 char ret_id[static EXPORT_ID_MAX], struct err_text *error)
{
    struct export *export = calloc(1, sizeof(*export));
    int rc = export ? fill_request(parameters, by, &export->request, error) : ERR_NOMEM;
    rc = rc ? rc : take_room(exports, error);
    if (rc) {
        if (export)
            exports_free_one(export);
        return rc;
    }
    rc = make_one(exports, export, error);
    leave_room(exports);
    if (rc) {
        exports_free_one(export);
        return rc;
    }
    snprintf(ret_id, EXPORT_ID_MAX, "%s", export->request.id);
    pthread_mutex_lock(&exports->lock);
    exports_append(exports, export);
    pthread_cond_signal(&exports->changed);
    pthread_mutex_unlock(&exports->lock);
    return 0;
}
