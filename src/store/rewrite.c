#include <config.h>

#include "store/rewrite.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "store/assets_file.h"
#include "store/catalog.h"
#include "store/erasure.h"
#include "store/folders.h"
#include "store/manifest.h"
#include "store/seal.h"
#include "store/window_file.h"

/* ---- open windows ---- */

static const char *const of_series[] = {
    "DELETE FROM chunk WHERE series = :id", "DELETE FROM deletion WHERE series = :id", "DELETE FROM change WHERE series = :id",
    "DELETE FROM day WHERE series = :id", "DELETE FROM series WHERE id = :id",
};

/* The fact `forgetting` tells whoever comes after a crash that free pages may still have something. */
static int delete_rows(struct db *db, const struct forget_ids *gone)
{
    int rc = db_begin(db);
    if (rc)
        return rc;
    rc = db_exec(db, "INSERT OR REPLACE INTO info (name, value) VALUES ('forgetting', 1)");
    for (size_t i = 0; i < sizeof(of_series) / sizeof(*of_series) && !rc; i++)
        rc = forget_each(db, gone, of_series[i]);
    if (rc)
        db_rollback(db);
    return rc ? rc : db_commit(db);
}

static int forget_rows(struct db *db, const struct forget_ids *gone, bool *ret_whole)
{
    int64_t forgetting = 0;
    int rc = gone->n ? delete_rows(db, gone) : 0;
    rc = rc ? rc : db_get_i64(db, "SELECT EXISTS (SELECT 1 FROM info WHERE name = 'forgetting')", &forgetting);
    if (!rc && forgetting && !(rc = db_forget(db, ret_whole)) && *ret_whole)
        rc = db_exec(db, "DELETE FROM info WHERE name = 'forgetting'");
    return rc;
}

/* *ret_done: whether there was anything to do. */
static int rewrite_open(const char *path, struct erased *erased, bool *ret_done, bool *ret_whole, struct err_text *error)
{
    struct window_file *file;
    struct forget_ids gone = {0};
    int rc = window_file_open(path, &file, error);
    if (rc)
        return rc;
    struct db *db = window_file_db(file);
    *ret_whole = true;
    rc = forget_find(db, "SELECT id, entity FROM series", erased, &gone);
    rc = rc ? rc : forget_rows(db, &gone, ret_whole);
    if (rc)
        db_error(db, error, rc, "write");
    else
        *ret_done = gone.n > 0;
    forget_ids_free(&gone);
    window_file_close(file);
    return rc;
}

/* ---- a partition ---- */

static int rewrite_file(const struct rewrite_opts *opts, const struct file_list *files, const struct file *file, bool *ret_done,
                        bool *whole, struct err_text *error)
{
    struct partition *partition = opts->flush.partition;
    char path[4096];
    bool emptied = true;
    if (file->kind != FILE_OPEN)
        return seal_without(partition, files, file, opts->erased, ret_done, error);
    snprintf(path, sizeof(path), "%s/%s", partition_folder(partition), file->name);
    int rc = rewrite_open(path, opts->erased, ret_done, &emptied, error);
    *whole = *whole && emptied;
    return rc;
}

/* The list is read again after each change of it. */
static int rewrite_next(const struct rewrite_opts *opts, bool *whole, struct err_text *error)
{
    struct file_list files = {0};
    bool done = false;
    int rc = partition_files(opts->flush.partition, &files, error);
    for (size_t i = 0; i < files.n && !rc && !done; i++)
        rc = rewrite_file(opts, &files, &files.at[i], &done, whole, error);
    file_list_free(&files);
    return rc ? rc : done;
}

int rewrite_partition(const struct rewrite_opts *opts, struct err_text *error)
{
    int64_t n_expired;
    bool whole = true;
    int rc = flush_run(&opts->flush, &n_expired, error);
    if (rc)
        return rc;
    while ((rc = rewrite_next(opts, &whole, error)) == 1)
        if (opts->stop && opts->stop(opts->arg))
            return 1;
    if (rc)
        return rc;
    bool emptied = true;
    rc = partition_forget(opts->flush.partition, opts->series, opts->erased, &emptied, error);
    return rc ? rc : !(whole && emptied);
}

/* Only a writer can roll back what a process left that died while it closed the file. */
static int open_catalog(const char *path, struct db **ret_db, struct err_text *error)
{
    struct db_opts opts = {.path = path, .mode = DB_READ, .format = &catalog_format};
    int rc = db_open(&opts, ret_db, NULL);
    if (!rc || rc == ERR_NOTFOUND || rc == ERR_NOMEM)
        return rc ? err_set(error, rc, "cannot read \"%s\": %s", path, err_name(rc)) : 0;
    opts.mode = DB_WRITE;
    opts.sync_each_commit = true;
    if ((rc = db_open(&opts, ret_db, error)))
        return rc;
    db_close_settled(*ret_db);
    opts.mode = DB_READ;
    return db_open(&opts, ret_db, error);
}

int rewrite_find(const char *dir, struct erased *erased, struct forget_ids *ids, struct err_text *error)
{
    char path[4096];
    struct db *db;
    snprintf(path, sizeof(path), "%s/catalog.db", dir);
    int rc = open_catalog(path, &db, error);
    if (rc)
        return rc;
    if ((rc = forget_find(db, "SELECT s.id, e.name FROM series s JOIN entity e ON e.id = s.entity", erased, ids)))
        db_error(db, error, rc, "read");
    db_close(db);
    return rc;
}

/* ---- a copy of a store ---- */

struct copy {
    const char *dir;
    struct erased *erased;
    struct catalog_reader *catalog;
    struct forget_ids series;
    int64_t since_us;
    bool left;
    struct err_text *error;
};

/* Which batches the store that was copied had synced is part of the position that the copy shows, and stays. */
static int get_synced(const struct copy *copy, const char *topic, int32_t number, int64_t *ret_synced)
{
    char path[4096];
    struct db *db;
    snprintf(path, sizeof(path), "%s/store/%s/%d/ingest.db", copy->dir, topic, number);
    int rc = db_open(&(struct db_opts){.path = path, .mode = DB_WRITE, .format = &ingest_format, .sync_each_commit = true}, &db,
                     copy->error);
    if (rc)
        return rc;
    if ((rc = db_get_i64(db, "SELECT synced_batch FROM source", ret_synced)))
        db_error(db, copy->error, rc, "read");
    db_close_settled(db);
    return rc;
}

static int put_synced(const struct copy *copy, const char *topic, int32_t number, int64_t synced)
{
    static const char *const put_sql[] = {"UPDATE source SET synced_batch = :synced"};
    char path[4096];
    struct db *db;
    snprintf(path, sizeof(path), "%s/store/%s/%d/ingest.db", copy->dir, topic, number);
    int rc = db_open(&(struct db_opts){.path = path, .mode = DB_WRITE, .format = &ingest_format, .sql = put_sql, .n_sql = 1,
                                       .sync_each_commit = true}, &db, copy->error);
    if (rc)
        return rc;
    sqlite3_stmt *stmt = db_stmt(db, 0);
    db_bind_i64(stmt, ":synced", synced);
    if ((rc = db_run(db, stmt)))
        db_error(db, copy->error, rc, "write");
    db_close_settled(db);
    return rc;
}

static int visit_partition(void *arg, const char *topic, int32_t number)
{
    struct copy *copy = arg;
    struct partition *partition;
    bool has_retired = false;
    int64_t synced;
    int rc = get_synced(copy, topic, number, &synced);
    rc = rc ? rc : partition_open(copy->dir, topic, number, &partition, copy->error);
    if (rc)
        return rc;
    struct rewrite_opts opts = {.erased = copy->erased, .series = &copy->series,
                                .flush = {.partition = partition, .catalog = copy->catalog, .window = WINDOW_AUTO,
                                          .revisions_keep_us = INT64_MAX / 2}};
    rc = rewrite_partition(&opts, copy->error);
    copy->left = copy->left || rc == 1;
    rc = rc < 0 ? rc : partition_purge(partition, copy->since_us, copy->error);
    rc = rc ? rc : partition_has_retired(partition, INT64_MAX, &has_retired, copy->error);
    copy->left = copy->left || has_retired;
    partition_close(partition);
    return rc ? rc : put_synced(copy, topic, number, synced);
}

static int rewrite_assets(const char *dir, struct erased *erased, struct err_text *error)
{
    struct assets_file *assets;
    bool whole;
    int rc = assets_file_open(dir, &assets, error);
    if (rc)
        return rc;
    rc = assets_file_forget(assets, erased, &whole, error);
    assets_file_close(assets);
    return rc;
}

int rewrite_copy(const char *dir, struct erased *erased, int64_t since_us, struct err_text *error)
{
    struct copy copy = {.dir = dir, .erased = erased, .since_us = since_us, .error = error};
    int rc = rewrite_find(dir, erased, &copy.series, error);
    rc = rc ? rc : catalog_reader_open(dir, &copy.catalog, error);
    rc = rc ? rc : folders_walk(dir, visit_partition, &copy);
    forget_ids_free(&copy.series);
    catalog_reader_close(copy.catalog);
    rc = rc ? rc : rewrite_assets(dir, erased, error);
    rc = rc ? rc : manifest_write(dir, error);
    if (!rc && !copy.left)
        rc = catalog_forget_in(dir, erased, error);
    return rc ? rc : copy.left;
}

int rewrite_restored(const char *dir, struct err_text *error)
{
    struct erased *erased;
    int64_t last, since_us;
    int rc = erasure_again(dir, error);
    rc = rc ? rc : erasure_pending(dir, &last, &since_us, error);
    if (rc || !last)
        return rc;
    if (erased_new(dir, &erased))
        return err_set(error, ERR_NOMEM, "cannot read \"%s\": out of memory", dir);
    rc = erased_follow(erased, NULL, error);
    rc = rc ? rc : rewrite_copy(dir, erased, INT64_MAX, error);
    erased_free(erased);
    if (rc == 1)
        rc = err_set(error, ERR_BUSY, "\"%s\" is read by somebody: erased entities cannot be taken out of it", dir);
    return rc ? rc : erasure_done(dir, last, clock_wall_us(), error);
}
