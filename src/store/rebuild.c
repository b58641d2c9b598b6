#include <config.h>

#include "store/rebuild_inside.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/array.h"
#include "common/hash.h"
#include "store/folders.h"
#include "store/manifest.h"
#include "store/parcel.h"
#include "store/seal.h"
#include "store/verify_inside.h"
#include "store/window_days.h"
#include "store/writer.h"

int rebuild_say(struct rebuild *rebuild, bool is_wrong, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    rebuild->counts.n_wrong += is_wrong;
    if (rebuild->rc)
        return rebuild->rc;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return rebuild->rc = rebuild->opts->said(rebuild->opts->arg, is_wrong, text);
}

/* ---- what is to be done: verify says it ---- */

static int note_path(struct rebuild *rebuild, const char *path)
{
    struct path_list *list = &rebuild->wrong;
    if (list->n && strcmp(list->at[list->n - 1], path) == 0)
        return 0;
    if (array_grow(&list->at, &list->cap, list->n + 1, sizeof(*list->at)))
        return ERR_NOMEM;
    snprintf(list->at[list->n++], sizeof(*list->at), "%s", path);
    return 0;
}

static int note_finding(void *arg, const struct verify_finding *finding)
{
    struct rebuild *rebuild = arg;
    if (strcmp(finding->todo, VERIFY_ACT_CATALOG) == 0)
        rebuild->catalog_wrong = true;
    else if (strcmp(finding->todo, VERIFY_ACT_TIERS) == 0)
        return note_path(rebuild, finding->path);
    else if (finding->is_wrong && strcmp(finding->todo, VERIFY_ACT_MANIFEST) != 0)
        return rebuild_say(rebuild, true, "%s: %s; %s", finding->path, finding->what, finding->todo);
    return 0;
}

static int note_progress(void *arg, int64_t done, int64_t all)
{
    struct rebuild *rebuild = arg;
    return rebuild->opts->progress ? rebuild->opts->progress(rebuild->opts->arg, done, all) : 0;
}

static int find_work(struct rebuild *rebuild)
{
    const struct rebuild_opts *opts = rebuild->opts;
    struct verify_counts counts;
    struct verify_opts verify = {.dir = opts->dir, .without_snapshots = true, .found = note_finding, .progress = note_progress,
                                 .arg = rebuild};
    return verify_run(&verify, &counts, rebuild->error);
}

static bool is_wrong(const struct rebuild *rebuild, const struct partition *partition, const struct file *file)
{
    char path[512];
    snprintf(path, sizeof(path), "store/%s/%d/%s", partition_topic(partition), partition_number(partition), file->name);
    for (size_t i = 0; i < rebuild->wrong.n; i++)
        if (strcmp(rebuild->wrong.at[i], path) == 0)
            return true;
    return false;
}

/* ---- the partitions ---- */

struct partitions {
    struct rebuild *rebuild;
    struct catalog_reader *catalog;
    struct partition **at;
    size_t n, cap;
};

static int open_partition(void *arg, const char *topic, int32_t number)
{
    struct partitions *all = arg;
    struct err_text error = {0};
    if (array_grow(&all->at, &all->cap, all->n + 1, sizeof(struct partition *)))
        return ERR_NOMEM;
    int rc = partition_open(all->rebuild->opts->dir, topic, number, &all->at[all->n], &error);
    if (rc == ERR_CORRUPT || rc == ERR_VERSION)
        return rebuild_say(all->rebuild, true, "%s; nothing of %s/%d is rebuilt", error.text, topic, number);
    if (rc)
        return err_set(all->rebuild->error, rc, "%s", error.text);
    all->n++;
    return 0;
}

/* ---- batches of series that the catalog does not know any more ---- */

struct unknown {
    struct partitions *all;
    int64_t batch_n; /* the first batch with such a series; 0 none */
};

static int look_at_batch(void *arg, int64_t n, const void *data, size_t size)
{
    struct unknown *unknown = arg;
    struct parcel parcel;
    if (unknown->batch_n)
        return 0;
    int rc = parcel_open(data, size, &parcel);
    if (rc == ERR_NOMEM)
        return rc;
    if (rc) {
        unknown->batch_n = n; /* damaged: Kafka has its messages */
        return 0;
    }
    struct series_row series;
    for (size_t i = 0; i < parcel.n_runs && !rc; i++)
        rc = catalog_reader_series(unknown->all->catalog, parcel.runs[i].series_id, &series, NULL);
    parcel_close(&parcel);
    if (rc == ERR_NOTFOUND)
        unknown->batch_n = n;
    return rc == ERR_NOTFOUND ? 0 : rc;
}

/* Batches that cannot be flushed are dropped, with all later ones, and Kafka is read again from there. */
static int rewind_partition(struct partitions *all, struct partition *partition)
{
    struct rebuild *rebuild = all->rebuild;
    struct unknown unknown = {.all = all};
    int64_t next_offset;
    int rc = partition_batches(partition, INT64_MAX, look_at_batch, &unknown, rebuild->error);
    if (rc || !unknown.batch_n)
        return rc;
    rc = partition_rewind(partition, unknown.batch_n, &next_offset, rebuild->error);
    rebuild->counts.n_rewound += !rc;
    return rc ? rc : rebuild_say(rebuild, false, "%s/%d: batches from %lld on are of series that are not known any more, or "
                                 "damaged: Kafka is read again from offset %lld", partition_topic(partition),
                                 partition_number(partition), (long long)unknown.batch_n, (long long)next_offset);
}

/* ---- derivations ---- */

struct day_work {
    struct window_file *file;
    struct window window;
    int64_t mark;
    struct in_force in_force;
};

static int derive_days(void *arg, const struct series_row *series)
{
    struct day_work *work = arg;
    return window_days_write(&work->in_force, work->file, series, work->mark, work->window.begin_us, work->window.end_us);
}

/* The rows for people of an open file, in place. */
static int rebuild_days(struct rebuild *rebuild, struct partition *partition, const struct file *file)
{
    char path[4096];
    struct day_work work = {.window = file->window};
    struct window_file *reader = NULL;
    snprintf(path, sizeof(path), "%s/%s", partition_folder(partition), file->name);
    int rc = window_file_open(path, &work.file, rebuild->error);
    if (rc)
        return rc;
    rc = window_file_mark(work.file, &work.mark);
    rc = rc ? rc : window_file_open_read(path, FILE_OPEN, &reader, rebuild->error);
    rc = rc ? rc : db_begin(window_file_db(work.file));
    rc = rc ? rc : window_file_series(reader, derive_days, &work);
    rc = rc ? rc : db_commit(window_file_db(work.file));
    window_file_close(reader);
    window_file_settle(work.file);
    in_force_free(&work.in_force);
    rebuild->counts.n_days += !rc;
    return rc ? rc : rebuild_say(rebuild, false, "%s: rows for people derived again", file->name);
}

/* The tier file of a sealed window, by sealing it again from its raw file, whose digest is compared before. A window without a
 * listed tier file has none because its tiers have expired. */
static int rebuild_window(struct rebuild *rebuild, struct partition *partition, const struct file_list *files,
                          const struct file *raw)
{
    struct err_text error = {0};
    const struct file *tier = NULL;
    for (size_t i = 0; i < files->n; i++)
        if (files->at[i].kind == FILE_TIER && files->at[i].window.begin_us == raw->window.begin_us)
            tier = &files->at[i];
    if (!tier || (!rebuild->opts->all && !is_wrong(rebuild, partition, tier)))
        return 0;
    struct seal_opts opts = {.window = raw->window, .tiers = tier->tiers, .revisions_before_ms = INT64_MIN};
    int rc = seal_window(partition, files, &opts, &error);
    if (rc == ERR_CORRUPT)
        return rebuild_say(rebuild, true, "\"%s\" cannot be derived again: %s", tier->name, error.text);
    if (rc)
        return err_set(rebuild->error, rc, "%s", error.text);
    rebuild->counts.n_tiers++;
    return rebuild_say(rebuild, false, "%s: derived anew from %s", tier->name, raw->name);
}

static int rebuild_tiers(struct rebuild *rebuild, struct partition *partition)
{
    struct file_list files = {0};
    int rc = partition_files(partition, &files, rebuild->error);
    for (size_t i = 0; i < files.n && !rc; i++) {
        if (files.at[i].kind == FILE_RAW)
            rc = rebuild_window(rebuild, partition, &files, &files.at[i]);
        else if (files.at[i].kind == FILE_OPEN && (rebuild->opts->all || is_wrong(rebuild, partition, &files.at[i])))
            rc = rebuild_days(rebuild, partition, &files.at[i]);
        if (!rc && rebuild->opts->progress)
            rc = rebuild->opts->progress(rebuild->opts->arg, (int64_t)i + 1, (int64_t)files.n);
    }
    file_list_free(&files);
    return rc;
}

/* ---- the whole ---- */

static int rebuild_partitions(struct rebuild *rebuild)
{
    struct partitions all = {.rebuild = rebuild};
    int rc = folders_walk(rebuild->opts->dir, open_partition, &all);
    if (!rc && rebuild->opts->catalog)
        rc = catalog_reader_open(rebuild->opts->dir, &all.catalog, rebuild->error);
    for (size_t i = 0; i < all.n && !rc && all.catalog; i++)
        rc = rewind_partition(&all, all.at[i]);
    for (size_t i = 0; i < all.n && !rc && rebuild->opts->tiers; i++)
        rc = rebuild_tiers(rebuild, all.at[i]);
    if (!rc)
        rc = manifest_write(rebuild->opts->dir, rebuild->error);
    catalog_reader_close(all.catalog);
    for (size_t i = 0; i < all.n; i++)
        partition_close(all.at[i]);
    free(all.at);
    return rc;
}

int rebuild_run(const struct rebuild_opts *opts, struct rebuild_counts *ret_counts, struct err_text *error)
{
    struct rebuild rebuild = {.opts = opts, .error = error};
    int lock_fd = -1;
    *ret_counts = (struct rebuild_counts){0};
    int rc = hash_init();
    rc = rc ? rc : store_lock(opts->dir, &lock_fd, error);
    rc = rc ? rc : find_work(&rebuild);
    if (!rc && opts->catalog && (rebuild.catalog_wrong || opts->all))
        rc = rebuild_catalog(&rebuild);
    rc = rc ? rc : rebuild_partitions(&rebuild);
    if (lock_fd >= 0)
        close(lock_fd);
    free(rebuild.wrong.at);
    *ret_counts = rebuild.counts;
    if (rc && !*error->text)
        err_set(error, rc, "cannot rebuild \"%s\": %s", opts->dir, err_name(rc));
    return rc;
}
