#include <config.h>

#include "http/export_run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/files.h"
#include "http/encode.h"
#include "http/export_manifest.h"
#include "http/handlers.h"

#define JOURNAL "done.ndjson"
#define JOURNAL_LINE_MAX 256
#define PATH_BYTES (PATH_MAX + EXPORT_NAME_MAX)

struct work {
    const struct export_run *run;
    struct server_opts opts;       /* of the range requests */
    struct reader_dir *dir;        /* the snapshot as who asked may see it, which counts what is read */
    struct quota quota;
    struct snapshot_info snapshot;
    bool is_taken;                 /* the snapshot is to be given back */
    struct export_plan plan;
    struct export_entry *entries;  /* of each part */
    struct export_progress progress;
    FILE *journal;
};

/* ---- what is asked ---- */

static int step(const struct work *work)
{
    return work->run->step ? work->run->step(work->run->arg, &work->progress) : 0;
}

static bool is_over_cb(void *arg)
{
    return step(arg) != 0;
}

static const struct route *find_range(void)
{
    const struct route *route = routes;
    while (strcmp(route->path, "/v1/range") != 0 || strcmp(route->method, "POST") != 0)
        route++;
    return route;
}

/* The range request of a part; free it with close_answer. */
struct answer_of_part {
    struct request request;
    struct reply reply;
};

static int open_answer(struct work *work, const struct export_part *part, uint64_t *n_rows, struct answer_of_part *ret_answer,
                       struct err_text *error)
{
    struct request *request = &ret_answer->request;
    const struct export_form *form = &work->plan.form;
    request->opts = &work->opts;
    request->dir = work->dir;
    request->method = "POST";
    request->route = find_range();
    request->media = form->media;
    request->n_rows = n_rows;
    int rc = export_plan_ask(&work->plan, &work->run->request->parameters, part, &request->parameters, error);
    rc = rc ? rc : parameters_add(&request->parameters, "snapshot", work->run->request->snapshot, error);
    rc = rc ? rc : h_range(request, &ret_answer->reply, error);
    return rc || !form->coding ? rc : reply_pack(&ret_answer->reply, form->coding, error);
}

static void close_answer(struct answer_of_part *answer)
{
    if (!answer)
        return;
    reply_done(&answer->reply);
    request_done(&answer->request);
    free(answer);
}

/* ---- one file ---- */

static int fail_write(const char *path, struct err_text *error)
{
    int code = errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO;
    return err_set(error, code, "cannot write \"%s\": %s", path, strerror(errno));
}

static int check_room(const struct work *work, struct err_text *error)
{
    const struct export_run *run = work->run;
    struct statvfs disk;
    if (run->bytes_max && work->progress.n_bytes > run->bytes_max)
        return err_set(error, ERR_FULL, "the files of the export are over %" PRIu64 " MiB: ask for less, or remove other exports",
                       run->bytes_max >> 20);
    if (run->free_min_bytes && statvfs(run->folder, &disk) == 0 &&
        (int64_t)disk.f_bavail * (int64_t)disk.f_frsize < run->free_min_bytes)
        return err_set(error, ERR_FULL, "less than %" PRId64 " MiB of disk would stay free", run->free_min_bytes >> 20);
    return 0;
}

struct sink {
    struct work *work;
    FILE *out;
    struct hash_sha256 sum;
    uint64_t n_bytes;
};

static int put_piece(struct sink *sink, const struct buf *piece, const char *path, struct err_text *error)
{
    if (piece->failed)
        return ERR_NOMEM;
    if (piece->n && fwrite(piece->data, 1, piece->n, sink->out) != piece->n)
        return fail_write(path, error);
    hash_sha256_add(&sink->sum, piece->data, piece->n);
    sink->n_bytes += piece->n;
    sink->work->progress.n_bytes += piece->n;
    int rc = check_room(sink->work, error);
    return rc ? rc : step(sink->work);
}

static int drain(struct sink *sink, struct reply *reply, const char *path, struct err_text *error)
{
    struct buf piece = {0};
    int rc = put_piece(sink, &reply->body, path, error);
    for (int more = reply->stream != NULL; more && !rc;) {
        buf_clear(&piece);
        more = reply->stream->fill(reply->stream, &piece, error);
        rc = more < 0 ? more : put_piece(sink, &piece, path, error);
    }
    buf_free(&piece);
    return rc;
}

/* Everything of the part, under a name that says it is not whole. */
static int write_part(struct sink *sink, const struct export_part *part, const char *path, struct export_entry *entry,
                      struct err_text *error)
{
    struct answer_of_part *answer = calloc(1, sizeof(*answer));
    uint8_t hash[HASH_BYTES];
    int rc = answer ? open_answer(sink->work, part, &entry->n_rows, answer, error) : ERR_NOMEM;
    if (!rc && !(sink->out = fopen(path, "we")))
        rc = fail_write(path, error);
    hash_sha256_begin(&sink->sum);
    rc = rc ? rc : drain(sink, &answer->reply, path, error);
    close_answer(answer);
    if (sink->out && fclose(sink->out) && !rc)
        rc = fail_write(path, error);
    if (rc)
        return rc;
    hash_sha256_end(&sink->sum, hash);
    hash_hex(hash, entry->sha256);
    entry->n_bytes = sink->n_bytes;
    return 0;
}

/* The whole file under its name, on the disk; one without rows is none. */
static int make_file(struct work *work, size_t i, struct err_text *error)
{
    char path[PATH_BYTES + 1], part_path[PATH_BYTES + 8];
    struct export_entry entry = {0};
    struct export_part part;
    struct sink sink = {.work = work};
    uint64_t n_bytes = work->progress.n_bytes;
    export_plan_part(&work->plan, i, &part);
    snprintf(path, sizeof(path), "%.*s/%s", PATH_MAX - 1, work->run->folder, part.name);
    snprintf(part_path, sizeof(part_path), "%s" EXPORT_PART_END, path);
    int rc = write_part(&sink, &part, part_path, &entry, error);
    if (!rc && entry.n_rows && ((rc = files_sync(part_path)) || (rc = files_rename(part_path, path))))
        err_set(error, rc, "cannot write \"%s\": %s", path, strerror(errno));
    if (rc || !entry.n_rows) {
        files_unlink(part_path);
        entry.n_bytes = 0;
        work->progress.n_bytes = n_bytes;
    }
    if (rc)
        return rc;
    entry.is_done = true;
    work->entries[i] = entry;
    return 0;
}

/* ---- what is done ---- */

static void note_done(struct work *work, const struct export_entry *entry)
{
    work->progress.n_done++;
    work->progress.n_rows += entry->n_rows;
}

static int write_line(struct work *work, size_t i, struct err_text *error)
{
    const struct export_entry *entry = &work->entries[i];
    fprintf(work->journal, "{\"part\":%zu,\"rows\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"sha256\":\"%s\"}\n", i, entry->n_rows,
            entry->n_bytes, entry->sha256);
    if (fflush(work->journal) || fdatasync(fileno(work->journal)))
        return fail_write(JOURNAL, error);
    return 0;
}

/* Whether the file of the part is there with these bytes. */
static bool is_whole(const struct work *work, size_t i, const struct export_entry *entry)
{
    char path[PATH_BYTES + 1], sha256[HASH_HEX_MAX];
    struct export_part part;
    uint64_t n_bytes;
    export_plan_part(&work->plan, i, &part);
    snprintf(path, sizeof(path), "%.*s/%s", PATH_MAX - 1, work->run->folder, part.name);
    return !export_sum_file(path, sha256, &n_bytes) && n_bytes == entry->n_bytes && !strcmp(sha256, entry->sha256);
}

static bool take_line(struct work *work, const char *line)
{
    struct export_entry entry = {.is_done = true};
    json_int_t i, n_rows, n_bytes;
    const char *sha256;
    json_t *json = json_loads(line, 0, NULL);
    bool good = json &&
                !json_unpack(json, "{s:I, s:I, s:I, s:s}", "part", &i, "rows", &n_rows, "bytes", &n_bytes, "sha256", &sha256) &&
                i >= 0 && (size_t)i < work->progress.n_parts && strlen(sha256) < sizeof(entry.sha256);
    if (good) {
        entry.n_rows = (uint64_t)n_rows;
        entry.n_bytes = (uint64_t)n_bytes;
        snprintf(entry.sha256, sizeof(entry.sha256), "%s", sha256);
        work->entries[i] = entry;
    }
    json_decref(json);
    return good;
}

/* Takes over what an earlier run noted, up to a line that was torn; the journal goes on there. */
static int open_journal(struct work *work, struct err_text *error)
{
    char path[PATH_BYTES + 1], line[JOURNAL_LINE_MAX];
    long end = 0;
    snprintf(path, sizeof(path), "%.*s/" JOURNAL, PATH_MAX - 1, work->run->folder);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    work->journal = fd < 0 ? NULL : fdopen(fd, "r+");
    if (!work->journal) {
        int rc = fail_write(path, error);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    while (fgets(line, sizeof(line), work->journal) && strchr(line, '\n') && take_line(work, line))
        end = ftell(work->journal);
    if (fseek(work->journal, end, SEEK_SET) || ftruncate(fd, end))
        return fail_write(path, error);
    return 0;
}

static int keep_whole(struct work *work)
{
    int rc = 0;
    for (size_t i = 0; i < work->progress.n_parts && !rc; i++) {
        struct export_entry *entry = &work->entries[i];
        if (entry->is_done && entry->n_rows && !is_whole(work, i, entry))
            *entry = (struct export_entry){0};
        if (entry->is_done) {
            note_done(work, entry);
            work->progress.n_bytes += entry->n_bytes;
        }
        rc = step(work);
    }
    return rc;
}

static int write_files(struct work *work, struct err_text *error)
{
    int rc = open_journal(work, error);
    rc = rc ? rc : keep_whole(work);
    for (size_t i = 0; i < work->progress.n_parts && !rc; i++) {
        if (work->entries[i].is_done)
            continue;
        rc = check_room(work, error);
        rc = rc ? rc : make_file(work, i, error);
        rc = rc ? rc : write_line(work, i, error);
        if (!rc)
            note_done(work, &work->entries[i]);
        rc = rc ? rc : step(work);
    }
    if (work->journal)
        fclose(work->journal);
    return rc;
}

/* ---- the whole ---- */

static int make_plan(struct work *work, struct err_text *error)
{
    struct export_source source = {work->dir, work->snapshot.created_us, is_over_cb, work};
    int rc = export_plan_make(&work->run->request->parameters, &source, &work->plan, error);
    if (rc)
        return rc;
    work->progress.n_parts = work->plan.n_groups * work->plan.n_windows;
    work->entries = calloc(work->progress.n_parts + 1, sizeof(*work->entries));
    return work->entries ? 0 : ERR_NOMEM;
}

static int begin_work(struct work *work, const struct export_run *run, struct err_text *error)
{
    *work = (struct work){.run = run, .opts = {.snapshots = run->snapshots}};
    int rc = snapshots_take(run->snapshots, run->request->snapshot, &work->snapshot, &work->opts.dir, error);
    work->is_taken = !rc;
    work->dir = work->opts.dir;
    const struct globs *globs = run->request->is_limited ? &run->request->globs : NULL;
    struct quota *quota = quota_limits_any(&run->quota) ? &work->quota : NULL;
    quota_begin(&work->quota, &run->quota);
    if (!rc && (globs || quota) && (rc = reader_dir_limit(work->opts.dir, globs, quota, &work->dir)))
        work->dir = NULL;
    return rc ? rc : make_plan(work, error);
}

/* A quota that is over says more than what came of it. */
static int end_work(struct work *work, int rc, struct err_text *error)
{
    if (rc && quota_is_over(&work->quota)) {
        rc = ERR_QUOTA;
        *error = work->quota.why;
    }
    export_plan_free(&work->plan);
    free(work->entries);
    if (work->dir != work->opts.dir)
        reader_dir_close(work->dir);
    if (work->is_taken)
        snapshots_give(work->run->snapshots, work->opts.dir);
    quota_done(&work->quota);
    return rc;
}

static int write_manifest(struct work *work, struct err_text *error)
{
    struct view *view = NULL;
    char path[PATH_BYTES + 1];
    int rc = view_open(work->opts.dir, &view, error);
    if (!rc)
        rc = export_manifest_write(work->run->folder, work->run->request, &work->plan, work->entries, view_position(view), error);
    view_close(view);
    snprintf(path, sizeof(path), "%.*s/" JOURNAL, PATH_MAX - 1, work->run->folder);
    if (!rc)
        files_unlink(path);
    return rc;
}

int export_run(const struct export_run *run, struct err_text *error)
{
    struct work work;
    int rc = begin_work(&work, run, error);
    rc = rc ? rc : write_files(&work, error);
    rc = rc ? rc : write_manifest(&work, error);
    return end_work(&work, rc, error);
}

int export_try(const struct export_run *run, struct err_text *error)
{
    struct work work;
    int rc = begin_work(&work, run, error);
    rc = rc ? rc : check_room(&work, error);
    if (!rc && work.progress.n_parts) {
        struct answer_of_part *answer = calloc(1, sizeof(*answer));
        struct export_part part;
        uint64_t n_rows = 0;
        export_plan_part(&work.plan, 0, &part);
        rc = answer ? open_answer(&work, &part, &n_rows, answer, error) : ERR_NOMEM;
        close_answer(answer);
    }
    return end_work(&work, rc, error);
}

void export_clear(const char *folder)
{
    struct dirent *entry;
    DIR *dir = opendir(folder);
    while (dir && (entry = readdir(dir)))
        if (*entry->d_name == 'g' || !strcmp(entry->d_name, JOURNAL) || !strcmp(entry->d_name, EXPORT_MANIFEST EXPORT_PART_END))
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
}
