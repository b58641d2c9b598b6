#include <config.h>

#include "store/partition_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/files.h"
#include "store/reader.h"

#define MOMENT_EVERY_US (60 * INT64_C(60000000))
#define DEAD_KEEP_US (30 * INT64_C(86400000000)) /* contract section 2: P30D, since they were refused */

void file_list_free(struct file_list *list)
{
    free(list->at);
    *list = (struct file_list){0};
}

static int read_file_row(sqlite3_stmt *stmt, struct file *file)
{
    *file = (struct file){.window = {sqlite3_column_int64(stmt, 2), sqlite3_column_int64(stmt, 3)},
                          .generation = sqlite3_column_int64(stmt, 4), .mark = sqlite3_column_int64(stmt, 5),
                          .n_readings = sqlite3_column_int64(stmt, 6), .changed_us = sqlite3_column_int64(stmt, 7),
                          .bytes = sqlite3_column_int64(stmt, 8)};
    column_copy(stmt, 0, file->name, sizeof(file->name));
    for (unsigned i = 0; i < 3; i++)
        if (column_equals(stmt, 1, file_kind_name[i]))
            file->kind = (enum file_kind)i;
    bool has_digest = sqlite3_column_bytes(stmt, 9) == sizeof(file->digest);
    if (has_digest)
        memcpy(file->digest, sqlite3_column_blob(stmt, 9), sizeof(file->digest));
    file->tiers = (unsigned)sqlite3_column_int(stmt, 10) & TIERS_ALL;
    file->replaced_ms = sqlite3_column_int64(stmt, 11);
    file->horizon_ms = sqlite3_column_int64(stmt, 12);
    return strchr(file->name, '/') || !*file->name || has_digest != (file->kind != FILE_OPEN) ? ERR_CORRUPT : 0;
}

static int read_files(struct db *db, sqlite3_stmt *stmt, struct file_list *ret_list)
{
    struct file_list list = {0};
    int rc;
    while ((rc = db_step(db, stmt)) == 1) {
        if (list.n == list.cap) {
            size_t cap = list.cap ? list.cap * 2 : 16;
            struct file *at = realloc(list.at, cap * sizeof(*at));
            if (!at) {
                rc = ERR_NOMEM;
                break;
            }
            list.at = at;
            list.cap = cap;
        }
        if ((rc = read_file_row(stmt, &list.at[list.n])))
            break;
        list.n++;
    }
    if (rc) {
        if (stmt)
            sqlite3_reset(stmt);
        file_list_free(&list);
        return rc;
    }
    *ret_list = list;
    return 0;
}

int file_list_read(struct db *db, struct file_list *ret_list)
{
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v2(db_handle(db), partition_sql[SQL_FILES], -1, &stmt, NULL) != SQLITE_OK)
        return db_code(sqlite3_errcode(db_handle(db)));
    int rc = read_files(db, stmt, ret_list);
    sqlite3_finalize(stmt);
    return rc;
}

int64_t file_list_generation(const struct file_list *list, int64_t begin_us)
{
    int64_t generation = 0;
    for (size_t i = 0; i < list->n; i++)
        if (list->at[i].window.begin_us == begin_us && list->at[i].generation > generation)
            generation = list->at[i].generation;
    return generation;
}

void expired_read(sqlite3_stmt *stmt, int column, struct expired *ret_expired)
{
    ret_expired->raw_us = sqlite3_column_int64(stmt, column);
    for (int tier = 0; tier < TIER_N; tier++)
        ret_expired->tier_us[tier] = sqlite3_column_int64(stmt, column + 1 + tier);
}

/* ---- changes ---- */

int partition_batches(struct partition *partition, int64_t last,
                      int (*row)(void *arg, int64_t n, const void *data, size_t size), void *arg,
                      struct err_text *error)
{
    struct db *db;
    int rc = db_open(&(struct db_opts){.path = partition->path, .mode = DB_READ, .format = &ingest_format, .sql = partition_sql,
                                       .n_sql = SQL_N}, &db, error);
    if (rc)
        return rc;
    sqlite3_stmt *stmt = db_stmt(db, SQL_BATCHES);
    db_bind_i64(stmt, ":last", last);
    while ((rc = db_step(db, stmt)) == 1)
        if ((rc = row(arg, sqlite3_column_int64(stmt, 0), sqlite3_column_blob(stmt, 1),
                      (size_t)sqlite3_column_bytes(stmt, 1))))
            break;
    if (rc)
        db_error(db, error, rc, "read a batch of");
    db_close(db);
    return rc;
}

int partition_files(struct partition *partition, struct file_list *ret_list, struct err_text *error)
{
    int rc = partition_enter(partition, error);
    if (rc)
        return rc;
    rc = read_files(partition->db, db_stmt(partition->db, SQL_FILES), ret_list);
    if (rc)
        db_error(partition->db, error, rc, "read");
    partition_leave(partition);
    return rc;
}

int partition_rules(struct partition *partition, struct window_rule **ret_rules, size_t *ret_n, struct err_text *error)
{
    int rc = partition_enter(partition, error);
    if (rc)
        return rc;
    struct window_rule *rules = NULL;
    size_t n = 0;
    sqlite3_stmt *stmt = db_stmt(partition->db, SQL_RULES);
    while ((rc = db_step(partition->db, stmt)) == 1) {
        struct window_rule *more = realloc(rules, (n + 1) * sizeof(*rules));
        if (!more) {
            rc = ERR_NOMEM;
            break;
        }
        rules = more;
        rules[n].since_us = sqlite3_column_int64(stmt, 0);
        if ((rc = window_length_parse((const char *)sqlite3_column_text(stmt, 1), &rules[n].length)))
            break;
        n++;
    }
    if (rc) {
        if (stmt)
            sqlite3_reset(stmt);
        free(rules);
        db_error(partition->db, error, rc, "read");
    } else {
        *ret_rules = rules;
        *ret_n = n;
    }
    partition_leave(partition);
    return rc;
}

int partition_add_rule(struct partition *partition, const struct window_rule *rule, struct err_text *error)
{
    int rc = partition_enter(partition, error);
    if (rc)
        return rc;
    if ((rc = db_begin(partition->db)) == 0) {
        sqlite3_stmt *stmt = db_stmt(partition->db, SQL_RULE_ADD);
        db_bind_i64(stmt, ":since_us", rule->since_us);
        db_bind_text(stmt, ":length", window_length_name(rule->length));
        rc = db_run(partition->db, stmt);
    }
    rc = partition_finish(partition, rc, error, "write");
    partition_leave(partition);
    return rc;
}

static int put_file(struct partition *partition, const struct file *file)
{
    sqlite3_stmt *stmt = db_stmt(partition->db, SQL_FILE_PUT);
    db_bind_text(stmt, ":name", file->name);
    db_bind_text(stmt, ":kind", file_kind_name[file->kind]);
    db_bind_i64(stmt, ":begin_us", file->window.begin_us);
    db_bind_i64(stmt, ":end_us", file->window.end_us);
    db_bind_i64(stmt, ":generation", file->generation);
    db_bind_i64(stmt, ":mark", file->mark);
    db_bind_i64(stmt, ":n_readings", file->n_readings);
    db_bind_i64(stmt, ":changed_us", file->changed_us);
    db_bind_i64(stmt, ":bytes", file->bytes);
    if (file->kind != FILE_OPEN)
        db_bind_blob(stmt, ":digest", file->digest, sizeof(file->digest));
    db_bind_i64(stmt, ":tiers", file->tiers);
    db_bind_i64(stmt, ":replaced_ms", file->replaced_ms);
    db_bind_i64(stmt, ":horizon_ms", file->horizon_ms);
    return db_run(partition->db, stmt);
}

static int retire(struct partition *partition, const char *name)
{
    sqlite3_stmt *stmt = db_stmt(partition->db, SQL_FILE_DROP);
    db_bind_text(stmt, ":name", name);
    int rc = db_run(partition->db, stmt);
    if (rc)
        return rc;
    stmt = db_stmt(partition->db, SQL_RETIRE);
    db_bind_text(stmt, ":name", name);
    db_bind_i64(stmt, ":since_us", clock_wall_us());
    return db_run(partition->db, stmt);
}

void partition_expired(struct partition *partition, struct expired *ret_expired)
{
    pthread_mutex_lock(&partition->lock);
    *ret_expired = partition->expired;
    partition_leave(partition);
}

static int64_t later(int64_t a_us, int64_t b_us)
{
    return a_us > b_us ? a_us : b_us;
}

static int write_expired(struct partition *partition, const struct expired *expired)
{
    static const char *const names[TIER_N] = {":tier_1s_us", ":tier_1m_us", ":tier_15m_us"};
    sqlite3_stmt *stmt = db_stmt(partition->db, SQL_EXPIRE);
    db_bind_i64(stmt, ":raw_us", later(partition->expired.raw_us, expired->raw_us));
    for (enum tier tier = 0; tier < TIER_N; tier++)
        db_bind_i64(stmt, names[tier], later(partition->expired.tier_us[tier], expired->tier_us[tier]));
    return db_run(partition->db, stmt);
}

/* Puts what is carried over, and forgets what no view needs any more. */
static int write_carries(struct partition *partition, const struct carries *carries)
{
    int64_t now_us = clock_wall_us();
    int rc = 0;
    for (size_t i = 0; i < carries->n && !rc; i++) {
        sqlite3_stmt *stmt = db_stmt(partition->db, SQL_CARRY_PUT);
        carry_bind(stmt, &carries->at[i]);
        db_bind_i64(stmt, ":since_us", now_us);
        rc = db_run(partition->db, stmt);
    }
    if (rc)
        return rc;
    sqlite3_stmt *stmt = db_stmt(partition->db, SQL_CARRY_TRIM);
    db_bind_i64(stmt, ":before_us", now_us - VIEW_KEEP_US);
    return db_run(partition->db, stmt);
}

/* Notes, about every hour, which batch is flushed now, and forgets what is older than anybody may ask for. */
static int note_moment(struct partition *partition, int64_t batch, int64_t keep_us)
{
    int64_t now_us = clock_wall_us();
    sqlite3_stmt *stmt = db_stmt(partition->db, SQL_MOMENT_ADD);
    db_bind_i64(stmt, ":batch", batch);
    db_bind_i64(stmt, ":now_us", now_us);
    db_bind_i64(stmt, ":every_us", MOMENT_EVERY_US);
    int rc = db_run(partition->db, stmt);
    if (rc)
        return rc;
    stmt = db_stmt(partition->db, SQL_MOMENTS_DROP);
    db_bind_i64(stmt, ":before_us", now_us - keep_us);
    return db_run(partition->db, stmt);
}

/* Where no batch is left, the pages of the dropped ones go back to the disk; else the next batches take them. */
static int shrink_when_empty(struct db *db)
{
    int64_t batches_left;
    int rc = db_get_i64(db, "SELECT EXISTS (SELECT 1 FROM batch)", &batches_left);
    return rc || batches_left ? rc : db_exec(db, "PRAGMA incremental_vacuum");
}

static int write_change(struct partition *partition, const struct file_change *change)
{
    int rc = db_run(partition->db, db_stmt(partition->db, SQL_FILES_CHANGED));
    for (size_t i = 0; i < change->n_removed && !rc; i++)
        rc = retire(partition, change->removed[i]);
    for (size_t i = 0; i < change->n_put && !rc; i++)
        rc = put_file(partition, &change->put[i]);
    if (!rc && change->expired)
        rc = write_expired(partition, change->expired);
    if (!rc && change->carries)
        rc = write_carries(partition, change->carries);
    if (!rc && change->last_batch >= 0) {
        sqlite3_stmt *stmt = db_stmt(partition->db, SQL_BATCHES_DROP);
        db_bind_i64(stmt, ":last", change->last_batch);
        rc = db_run(partition->db, stmt);
        rc = rc ? rc : note_moment(partition, change->last_batch, change->keep_us);
        rc = rc ? rc : shrink_when_empty(partition->db);
    }
    return rc;
}

int partition_change_files(struct partition *partition, const struct file_change *change, struct err_text *error)
{
    int rc = partition_enter(partition, error);
    if (rc)
        return rc;
    if ((rc = db_begin(partition->db)) == 0)
        rc = write_change(partition, change);
    rc = partition_finish(partition, rc, error, "write");
    if (!rc && change->expired)
        rc = partition_read_source(partition);
    if (!rc && change->last_batch >= 0)
        rc = partition_read_backlog(partition);
    partition_leave(partition);
    return rc;
}

static void unlink_database(const char *folder, const char *name)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    char path[4096];
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
        snprintf(path, sizeof(path), "%s/%s%s", folder, name, ends[i]);
        files_unlink(path);
    }
}

int partition_purge(struct partition *partition, int64_t since_us, struct err_text *error)
{
    int rc = partition_enter(partition, error);
    if (rc)
        return rc;
    sqlite3_stmt *stmt = db_stmt(partition->db, SQL_RETIRED);
    db_bind_i64(stmt, ":since_us", since_us);
    rc = db_step(partition->db, stmt);
    /* the list without them must be on disk before they go */
    if (rc == 1) {
        sqlite3_reset(stmt);
        rc = partition_sync(partition);
        if (!rc && !partition->unsynced) {
            stmt = db_stmt(partition->db, SQL_RETIRED);
            db_bind_i64(stmt, ":since_us", since_us);
            while ((rc = db_step(partition->db, stmt)) == 1)
                unlink_database(partition->folder, (const char *)sqlite3_column_text(stmt, 0));
            if (!rc && (rc = db_begin(partition->db)) == 0) {
                stmt = db_stmt(partition->db, SQL_RETIRED_DROP);
                db_bind_i64(stmt, ":since_us", since_us);
                rc = db_run(partition->db, stmt);
            }
            rc = partition_finish(partition, rc, error, "write");
        }
    }
    if (!rc && (rc = db_begin(partition->db)) == 0) {
        stmt = db_stmt(partition->db, SQL_DEAD_EXPIRE);
        db_bind_i64(stmt, ":before_us", clock_wall_us() - DEAD_KEEP_US);
        rc = partition_finish(partition, db_run(partition->db, stmt), error, "write");
    }
    partition_leave(partition);
    return rc;
}
