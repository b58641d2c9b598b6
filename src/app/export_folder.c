#include <config.h>

#include "app/export_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "app/progress.h"
#include "app/stop.h"
#include "common/clock.h"
#include "common/files.h"
#include "common/hash.h"
#include "http/export_manifest.h"
#include "http/export_plan.h"
#include "http/export_run.h"

static int step_cb(void *arg, const struct export_progress *at)
{
    struct progress *progress = arg;
    progress->total = (int64_t)at->n_parts;
    progress_add(progress, (int64_t)at->n_done - progress->done);
    return stop_asked() ? ERR_CANCELLED : 0;
}

/* ---- what is in the folder, or goes there ---- */

/* A folder that is not there, or has nothing in it. */
static int make_empty(const char *folder, struct err_text *error)
{
    int code = files_make_folder(folder);
    if (code == 0)
        code = files_sync_folder_of(folder);
    if (code != 0 && code != ERR_EXISTS)
        return err_set(error, code, "cannot make the folder \"%s\": %s", folder, strerror(errno));
    DIR *dir = opendir(folder);
    struct dirent *entry;
    bool empty = dir != NULL;
    while (dir && (entry = readdir(dir)))
        empty = empty && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
    if (dir)
        closedir(dir);
    return empty ? 0 : err_set(error, ERR_EXISTS, "\"%s\" is no empty folder, nor one of an export: name another", folder);
}

static int pin(struct snapshots *snapshots, struct export_request *request, struct err_text *error)
{
    struct export_form form;
    int code = export_form_read(&request->parameters, &form, error);
    if (code != 0 || request->snapshot[0] != '\0')
        return code;
    snprintf(request->snapshot, sizeof request->snapshot, "export-%s", request->id);
    code = snapshots_make(snapshots, request->snapshot, &form.keep, error);
    request->owns_snapshot = code == 0;
    return code;
}

static int begin(const struct export_folder *export, struct snapshots *snapshots, struct export_request *request,
                 struct err_text *error)
{
    int code = pin(snapshots, request, error);
    if (code == 0)
        code = export_try(&(struct export_run){.folder = export->folder, .request = request, .snapshots = snapshots}, error);
    if (code == 0)
        code = make_empty(export->folder, error);
    if (code == 0)
        code = export_request_write(export->folder, request, error);
    if (code != 0 && request->owns_snapshot && snapshots_drop(snapshots, request->snapshot, NULL) != 0)
        return code; /* it goes when its time is over */
    return code;
}

/* The request as the command line has it. */
static int fill_request(const struct export_folder *export, struct export_request *request, struct err_text *error)
{
    int code = 0;
    export_request_name(request);
    request->created_us = clock_wall_us();
    for (size_t i = 0; i < export->n_parameters && code == 0; i++) {
        const struct parameter *parameter = &export->parameters[i];
        if (strcmp(parameter->name, "snapshot") != 0)
            code = parameters_add(&request->parameters, parameter->name, parameter->value, error);
        else if (snprintf(request->snapshot, sizeof request->snapshot, "%s", parameter->value) >= (int)sizeof request->snapshot)
            code = err_set_field(error, ERR_NOTFOUND, "snapshot", "there is no snapshot \"%.64s...\"", parameter->value);
    }
    return code;
}

/* The request of an earlier run, if it asked for the same. */
static int go_on(const struct export_folder *export, struct export_request *request, struct err_text *error)
{
    struct export_request earlier;
    int code = export_request_read(export->folder, &earlier, error);
    if (code == 0 && (!export_request_is_same(&earlier, &request->parameters) ||
                      (request->snapshot[0] != '\0' && strcmp(request->snapshot, earlier.snapshot) != 0)))
        code = err_set(error, ERR_EXISTS, "\"%s\" has an export that was asked for otherwise: name another folder",
                       export->folder);
    if (code != 0) {
        export_request_free(&earlier);
        return code;
    }
    export_request_free(request);
    *request = earlier;
    return 0;
}

/* ---- the whole ---- */

/* Two commands do not write into one folder. A file to close, or a code. */
static int lock(const char *folder, struct err_text *error)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_set(error, ERR_IO, "cannot open the folder \"%s\": %s", folder, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    close(fd);
    return err_set(error, ERR_BUSY, "another export is writing into \"%s\"", folder);
}

static int run(struct export_folder *export, const struct conf *conf, struct snapshots *snapshots,
               const struct export_request *request, struct err_text *error)
{
    struct export_listing listing = {0};
    struct progress progress = {0};
    export->was_whole = export_listing_read(export->folder, &listing, NULL) == 0;
    int code = 0;
    if (!export->was_whole) {
        progress_start(&progress, "exporting files", 0);
        code = export_run(&(struct export_run){.folder = export->folder, .request = request, .snapshots = snapshots,
                                               .free_min_bytes = conf->free_min_bytes, .step = step_cb, .arg = &progress}, error);
        progress_done(&progress);
        if (code == 0)
            code = export_listing_read(export->folder, &listing, error);
    }
    export->n_rows = listing.n_rows;
    export->n_files = listing.n - (listing.n > 0); /* but the manifest */
    export_listing_free(&listing);
    return code;
}

int export_folder(struct export_folder *export, const struct conf *conf, struct err_text *error)
{
    struct export_request *request = calloc(1, sizeof *request);
    struct snapshots *snapshots = snapshots_new(conf->data);
    int code = request && snapshots ? hash_init() : ERR_NOMEM;
    if (code == 0)
        code = fill_request(export, request, error);
    if (code == 0) {
        code = go_on(export, request, error);
        if (code == ERR_NOTFOUND)
            code = begin(export, snapshots, request, error);
    }
    int fd = code == 0 ? lock(export->folder, error) : -1;
    if (code == 0)
        code = fd < 0 ? fd : run(export, conf, snapshots, request, error);
    if (fd >= 0)
        close(fd);
    if (request)
        export_request_free(request);
    free(request);
    snapshots_free(snapshots);
    return code;
}
