#include <config.h>

#include "store/seal_inside.h"

#include <stdio.h>
#include <string.h>

#include "common/files.h"
#include "store/forget.h"
#include "store/tier_file.h"
#include "store/window_file.h"

#define KEPT " WHERE series NOT IN (SELECT id FROM temp.gone)"

static const char *const copy_facts = "INSERT OR REPLACE INTO main.info SELECT * FROM old.info WHERE name <> 'generation'";
static const char *const copy_series =
    "INSERT INTO main.series SELECT * FROM old.series WHERE id NOT IN (SELECT id FROM temp.gone) ORDER BY id";
static const char *const copy_raw[] = {
    "INSERT INTO main.chunk SELECT * FROM old.chunk" KEPT " ORDER BY id",
    "INSERT INTO main.deletion SELECT * FROM old.deletion" KEPT " ORDER BY rowid",
    "INSERT INTO main.change SELECT * FROM old.change" KEPT " ORDER BY series",
};
static const char *const copy_tier[] = {
    "INSERT INTO main.block SELECT * FROM old.block" KEPT " ORDER BY id",
    "INSERT INTO main.day SELECT * FROM old.day" KEPT " ORDER BY series, day",
};

/* The erased series of a sealed file. */
static int find_gone(const char *path, const struct db_format *format, struct erased *erased, struct forget_ids *ids,
                     struct err_text *error)
{
    struct db *db;
    int rc = db_open(&(struct db_opts){.path = path, .mode = DB_READ_SEALED, .format = format}, &db, error);
    if (rc)
        return rc;
    if ((rc = forget_find(db, "SELECT id, entity FROM series", erased, ids)))
        db_error(db, error, rc, "read");
    db_close(db);
    return rc;
}

static int attach(struct db *db, const char *path)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(db_handle(db), "ATTACH :path AS old", -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return db_code(rc);
    db_bind_text(stmt, ":path", path);
    rc = db_run(db, stmt);
    sqlite3_finalize(stmt);
    return rc;
}

static int copy_rest(struct db *db, const char *path, const struct forget_ids *gone, bool is_raw, struct file *to)
{
    const char *const *texts = is_raw ? copy_raw : copy_tier;
    size_t n_texts = is_raw ? sizeof(copy_raw) / sizeof(*copy_raw) : sizeof(copy_tier) / sizeof(*copy_tier);
    int rc = attach(db, path);
    rc = rc ? rc : forget_table(db, gone);
    rc = rc ? rc : db_begin(db);
    rc = rc ? rc : db_exec(db, copy_facts);
    rc = rc ? rc : db_exec(db, copy_series);
    for (size_t i = 0; i < n_texts && !rc; i++)
        rc = db_exec(db, texts[i]);
    if (!rc && is_raw)
        rc = db_get_i64(db, "SELECT coalesce(sum(n), 0) FROM main.series", &to->n_readings);
    return rc ? rc : db_commit(db);
}

static int write_rest(struct partition *partition, const char *path, const struct forget_ids *gone, const char *tmp_path,
                      struct file *to, struct err_text *error)
{
    struct file_facts facts = {partition_topic(partition), partition_number(partition), to->window, to->generation};
    struct window_file *raw = NULL;
    struct tier_file *tier = NULL;
    bool is_raw = to->kind == FILE_RAW;
    int rc = is_raw ? window_file_create(tmp_path, FILE_RAW, &facts, &raw, error)
                    : tier_file_create(tmp_path, &facts, &tier, error);
    if (!rc) {
        struct db *db = is_raw ? window_file_db(raw) : tier_file_db(tier);
        if ((rc = copy_rest(db, path, gone, is_raw, to)))
            db_error(db, error, rc, "write");
    }
    window_file_close(raw);
    tier_file_close(tier);
    if (rc)
        files_unlink(tmp_path);
    return rc;
}

/* A generation above that of every file of the window: an open one keeps its own. */
static int replace(struct partition *partition, const struct file_list *files, const struct file *file, const char *path,
                   const struct forget_ids *gone, struct err_text *error)
{
    char tmp_path[4096], removed[1][FILE_NAME_MAX];
    struct file to;
    int64_t generation = file_list_generation(files, file->window.begin_us);
    seal_name(file, file->kind, generation + 1, &to);
    to.n_readings = file->n_readings;
    to.changed_us = file->changed_us;
    to.tiers = file->tiers;
    to.replaced_ms = file->replaced_ms;
    to.horizon_ms = file->horizon_ms;
    seal_name_tmp(partition, &to, tmp_path);
    int rc = write_rest(partition, path, gone, tmp_path, &to, error);
    rc = rc ? rc : seal_publish(tmp_path, &to, error);
    rc = rc ? rc : seal_sync_folder(partition, error);
    snprintf(removed[0], FILE_NAME_MAX, "%s", file->name);
    return rc ? rc
              : partition_change_files(partition,
                                       &(struct file_change){.last_batch = -1, .put = &to, .n_put = 1,
                                                             .removed = (const char (*)[FILE_NAME_MAX])removed,
                                                             .n_removed = 1}, error);
}

int seal_without(struct partition *partition, const struct file_list *files, const struct file *file, struct erased *erased,
                 bool *ret_done, struct err_text *error)
{
    char path[4096];
    struct forget_ids gone = {0};
    snprintf(path, sizeof(path), "%s/%s", partition_folder(partition), file->name);
    int rc = find_gone(path, file->kind == FILE_RAW ? &raw_format : &tier_format, erased, &gone, error);
    bool has_any = gone.n > 0;
    if (!rc && has_any) {
        rc = seal_check_digest(path, file, error);
        rc = rc ? rc : replace(partition, files, file, path, &gone, error);
    }
    forget_ids_free(&gone);
    if (!rc)
        *ret_done = has_any;
    return rc;
}
