#include <config.h>

#include "http/exports_inside.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/files.h"
#include "common/log.h"
#include "store/erased_exports.h"

#define FAILED "failed" /* a file with the reason */
#define LOOK_EVERY_S 30 /* for those whose time is over */
#define RETRY_S 5       /* after what may pass: snapshots that are busy */

/* ---- places ---- */

void exports_path(const struct exports *exports, const char *id, const char *end, char out[static EXPORTS_PATH_BYTES])
{
    snprintf(out, EXPORTS_PATH_BYTES, "%.3900s/%.64s%.64s", exports->folder, id, end);
}

static bool ends_in(const char *name, const char *end)
{
    size_t n = strlen(name), size = strlen(end);
    return n >= size && !strcmp(name + n - size, end);
}

void exports_free_one(struct export *export)
{
    export_request_free(&export->request);
    export_listing_free(&export->listing);
    free(export);
}

/* ---- the list; the caller holds the lock ---- */

void exports_append(struct exports *exports, struct export *export)
{
    struct export **at = &exports->first;
    while (*at && (*at)->request.created_us <= export->request.created_us)
        at = &(*at)->next;
    export->next = *at;
    *at = export;
}

bool exports_is_seen(const struct export *export, const struct export_caller *caller)
{
    const struct export_request *request = &export->request;
    return !caller || !caller->limit || (request->is_limited && !strcmp(request->by, caller->name) &&
                                         globs_equal(&request->globs, caller->limit));
}

struct export *exports_find(const struct exports *exports, const struct export_caller *caller, const char *id)
{
    struct export *export = exports->first;
    while (export && (strcmp(export->request.id, id) != 0 || !exports_is_seen(export, caller)))
        export = export->next;
    return export;
}

/* The folder is renamed, so that no start finds half of it. */
void exports_take_out(struct exports *exports, struct export *export)
{
    char path[EXPORTS_PATH_BYTES], gone[EXPORTS_PATH_BYTES];
    struct export **at = &exports->first;
    while (*at != export)
        at = &(*at)->next;
    *at = export->next;
    exports_path(exports, export->request.id, "", path);
    exports_path(exports, export->request.id, EXPORTS_GONE, gone);
    if (files_rename(path, gone))
        log_event(LOG_WARNING, "export_not_removed", "id=%s why=\"%s\"", export->request.id, strerror(errno));
    export->next = exports->dropped;
    exports->dropped = export;
    export->is_dropped = true;
    pthread_cond_signal(&exports->changed);
}

size_t exports_count(const struct exports *exports, bool only_waiting)
{
    size_t n = exports->n_making;
    for (const struct export *export = exports->first; export; export = export->next)
        n += !only_waiting || export->state <= EXPORT_RUNNING;
    return n;
}

uint64_t exports_bytes(const struct exports *exports, const struct export *but)
{
    uint64_t n_bytes = 0;
    for (const struct export *export = exports->first; export; export = export->next)
        n_bytes += export == but ? 0 : export->state == EXPORT_READY ? export->listing.n_bytes : export->progress.n_bytes;
    return n_bytes;
}

/* What holds a curve of an erased entity is no export any more. The process that ingests may have removed it already. */
static void take_out_erased(struct exports *exports)
{
    char folder[EXPORTS_PATH_BYTES];
    int64_t version = 0;
    if (erased_follow(exports->erased, &version, NULL) || version == exports->erased_version)
        return;
    for (struct export *export = exports->first, *next; export; export = next) {
        next = export->next;
        exports_path(exports, export->request.id, "", folder);
        int has = erased_exports_has(folder, exports->erased);
        if (has != 1 && has != ERR_NOTFOUND)
            continue;
        log_event(LOG_INFO, "export_erased", "id=%s", export->request.id);
        exports_take_out(exports, export);
    }
    exports->erased_version = version;
}

void exports_expire(struct exports *exports)
{
    int64_t now_us = clock_wall_us();
    take_out_erased(exports);
    for (struct export *export = exports->first, *next; export; export = next) {
        next = export->next;
        if (export->request.expires_us > now_us)
            continue;
        log_event(LOG_INFO, "export_expired", "id=%s", export->request.id);
        exports_take_out(exports, export);
    }
}

/* ---- the thread ---- */

struct turn {
    struct exports *exports;
    struct export *export;
};

static int step_cb(void *arg, const struct export_progress *progress)
{
    struct turn *turn = arg;
    struct exports *exports = turn->exports;
    if (exports->stopping || turn->export->is_dropped)
        return ERR_CANCELLED;
    pthread_mutex_lock(&exports->lock);
    turn->export->progress = *progress;
    pthread_mutex_unlock(&exports->lock);
    return 0;
}

/* The reason is told after a restart, too; where that cannot be written the next start tries again. */
static void note_failure(struct exports *exports, struct export *export, const char *why)
{
    struct buf bytes = {0};
    char folder[EXPORTS_PATH_BYTES];
    exports_path(exports, export->request.id, "", folder);
    buf_puts(&bytes, why);
    export_clear(folder);
    if (export_write_whole(folder, FAILED, &bytes, NULL))
        log_event(LOG_WARNING, "export_failure_unwritten", "id=%s", export->request.id);
    buf_free(&bytes);
}

/* In the thread, without the lock; the export runs. */
static void run_one(struct exports *exports, struct export *export, uint64_t bytes_max)
{
    struct turn turn = {exports, export};
    struct err_text error = {0};
    struct export_listing listing = {0};
    char folder[EXPORTS_PATH_BYTES];
    exports_path(exports, export->request.id, "", folder);
    int rc = export_run(&(struct export_run){.folder = folder, .request = &export->request, .snapshots = exports->opts.snapshots,
                                             .free_min_bytes = exports->opts.free_min_bytes, .bytes_max = bytes_max,
                                             .quota = exports->opts.quota, .step = step_cb, .arg = &turn}, &error);
    rc = rc ? rc : export_listing_read(folder, &listing, &error);
    const char *why = *error.text ? error.text : err_name(rc);
    bool goes_on = exports->stopping || export->is_dropped || rc == ERR_BUSY;
    if (rc && !goes_on)
        note_failure(exports, export, why);
    pthread_mutex_lock(&exports->lock);
    if (export->is_dropped) {
        export_listing_free(&listing);
    } else if (rc && goes_on) {
        export->state = EXPORT_WAITING;
        export->not_before_us = clock_mono_us() + RETRY_S * US_PER_SECOND;
    } else {
        export->state = rc ? EXPORT_FAILED : EXPORT_READY;
        export->listing = listing;
        if (rc)
            export->progress = (struct export_progress){0};
        snprintf(export->reason, sizeof(export->reason), "%s", rc ? why : "");
        log_event(rc ? LOG_WARNING : LOG_INFO, rc ? "export_failed" : "export_ready", "id=%s rows=%" PRIu64 " bytes=%" PRIu64
                  " why=\"%s\"", export->request.id, listing.n_rows, listing.n_bytes, export->reason);
    }
    pthread_mutex_unlock(&exports->lock);
}

static struct export *next_waiting(const struct exports *exports)
{
    struct export *export = exports->first;
    while (export && (export->state != EXPORT_WAITING || export->not_before_us > clock_mono_us()))
        export = export->next;
    return export;
}

/* The caller holds the lock, which is left meanwhile. */
static void remove_dropped(struct exports *exports)
{
    char gone[EXPORTS_PATH_BYTES];
    while (exports->dropped) {
        struct export *export = exports->dropped;
        exports->dropped = export->next;
        pthread_mutex_unlock(&exports->lock);
        exports_path(exports, export->request.id, EXPORTS_GONE, gone);
        files_remove_tree(gone);
        if (export->request.owns_snapshot && snapshots_drop(exports->opts.snapshots, export->request.snapshot, NULL))
            log_event(LOG_DEBUG, "export_snapshot_gone", "name=%s", export->request.snapshot);
        exports_free_one(export);
        pthread_mutex_lock(&exports->lock);
    }
}

static void *run_thread(void *arg)
{
    struct exports *exports = arg;
    pthread_mutex_lock(&exports->lock);
    while (!exports->stopping) {
        exports_expire(exports);
        if (exports->dropped) { /* which leaves the lock: all has to be looked at again */
            remove_dropped(exports);
            continue;
        }
        struct export *export = next_waiting(exports);
        if (!export) {
            struct timespec until;
            clock_gettime(CLOCK_MONOTONIC, &until);
            until.tv_sec += exports_count(exports, true) ? RETRY_S : LOOK_EVERY_S;
            pthread_cond_timedwait(&exports->changed, &exports->lock, &until);
            continue;
        }
        uint64_t taken = exports_bytes(exports, export);
        export->state = EXPORT_RUNNING;
        pthread_mutex_unlock(&exports->lock);
        run_one(exports, export, exports->opts.bytes_max > taken ? exports->opts.bytes_max - taken : 1);
        pthread_mutex_lock(&exports->lock);
    }
    remove_dropped(exports);
    pthread_mutex_unlock(&exports->lock);
    return NULL;
}

/* ---- start and stop ---- */

static void read_reason(const char *folder, struct export *export)
{
    char path[EXPORTS_PATH_BYTES + 16];
    snprintf(path, sizeof(path), "%s/" FAILED, folder);
    FILE *in = fopen(path, "re");
    if (!in)
        return;
    size_t n = fread(export->reason, 1, sizeof(export->reason) - 1, in);
    export->reason[n] = '\0';
    export->state = EXPORT_FAILED;
    fclose(in);
}

/* One that an earlier process left. */
static int take_over(struct exports *exports, const char *name)
{
    char folder[EXPORTS_PATH_BYTES];
    struct err_text error = {0};
    if (*name == '.')
        return 0;
    exports_path(exports, name, "", folder);
    struct export *export = calloc(1, sizeof(*export));
    int rc = !export ? ERR_NOMEM : ends_in(name, EXPORTS_GONE) || ends_in(name, EXPORTS_MAKING) ? ERR_NOTFOUND : 0;
    rc = rc ? rc : export_request_read(folder, &export->request, &error);
    if (!rc && strcmp(export->request.id, name) != 0)
        rc = ERR_CORRUPT;
    if (rc) {
        if (export)
            exports_free_one(export);
        if (rc == ERR_NOTFOUND)
            files_remove_tree(folder); /* of a crash: it was never announced, or is dropped */
        else
            log_event(LOG_WARNING, "export_passed_over", "folder=\"%s\" why=\"%s\"", folder, error.text);
        return rc == ERR_NOMEM ? rc : 0;
    }
    if (!export_listing_read(folder, &export->listing, NULL))
        export->state = EXPORT_READY;
    else
        read_reason(folder, export);
    exports_append(exports, export);
    return 0;
}

static int take_over_all(struct exports *exports, struct err_text *error)
{
    struct dirent **names;
    int rc = 0, n = scandir(exports->folder, &names, NULL, NULL);
    if (n < 0)
        return errno == ENOENT ? 0 : err_set(error, ERR_IO, "cannot read the folder \"%s\": %s", exports->folder,
                                             strerror(errno));
    for (int i = 0; i < n; i++) {
        rc = rc ? rc : take_over(exports, names[i]->d_name);
        free(names[i]);
    }
    free(names);
    return rc;
}

static void free_exports(struct exports *exports)
{
    for (struct export *export = exports->first, *next; export; export = next) {
        next = export->next;
        exports_free_one(export);
    }
    erased_free(exports->erased);
    pthread_cond_destroy(&exports->changed);
    pthread_mutex_destroy(&exports->lock);
    free(exports->folder);
    free(exports);
}

int exports_start(const struct exports_opts *opts, struct exports **ret_exports, struct err_text *error)
{
    struct exports *exports = calloc(1, sizeof(*exports));
    pthread_condattr_t attributes;
    if (!exports)
        return ERR_NOMEM;
    exports->opts = *opts;
    exports->opts.bytes_max = opts->bytes_max ? opts->bytes_max : EXPORTS_BYTES_MAX;
    pthread_mutex_init(&exports->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&exports->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    int rc = asprintf(&exports->folder, "%s/exports", opts->dir) < 0 ? ERR_NOMEM : 0;
    exports->folder = rc ? NULL : exports->folder;
    rc = rc ? rc : erased_new(opts->dir, &exports->erased);
    rc = rc ? rc : take_over_all(exports, error);
    if (!rc && pthread_create(&exports->thread, NULL, run_thread, exports))
        rc = err_set(error, ERR_IO, "the thread of the exports cannot be started");
    if (rc) {
        free_exports(exports);
        return rc;
    }
    *ret_exports = exports;
    return 0;
}

void exports_stop(struct exports *exports)
{
    if (!exports)
        return;
    pthread_mutex_lock(&exports->lock);
    exports->stopping = true;
    pthread_cond_signal(&exports->changed);
    pthread_mutex_unlock(&exports->lock);
    pthread_join(exports->thread, NULL);
    free_exports(exports);
}
