#include <config.h>

#include "store/rebuild_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/array.h"
#include "common/clock.h"
#include "common/files.h"
#include "db/db.h"
#include "store/catalog.h"
#include "store/file_rows.h"
#include "store/folders.h"
#include "store/partition.h"
#include "store/tier_file.h"
#include "store/window_file.h"

/* The new catalog is made whole in a folder of its own (WORK) and renamed. What the old one can still tell (its uuid, a site's
 * own models, the ids of sources, that it was restored) is taken over row by row, as far as it can be read. */
#define WORK "catalog.rebuild"

enum sql {
    SQL_INFO_PUT, SQL_ENTITY_ADD, SQL_SERIES_ADD, SQL_SOURCE_PUT, SQL_SOURCE_ADD, SQL_PAIR_ADD, SQL_TYPE_ADD, SQL_SERIES, SQL_N
};

static const char *const catalog_sql[SQL_N] = {
    [SQL_INFO_PUT] = "INSERT OR REPLACE INTO info (name, value) VALUES (:name, :value)",
    [SQL_ENTITY_ADD] = "INSERT OR IGNORE INTO entity (name, type) VALUES (:entity, :type)",
    [SQL_SERIES_ADD] = "INSERT OR IGNORE INTO series (id, entity, property, unit, kind, step) "
                       "SELECT :id, id, :property, :unit, :kind, :step FROM entity WHERE name = :entity AND type = :type",
    [SQL_SOURCE_PUT] = "INSERT OR IGNORE INTO source (id, topic, partition) VALUES (:id, :topic, :partition)",
    [SQL_SOURCE_ADD] = "INSERT OR IGNORE INTO source (topic, partition) VALUES (:topic, :partition)",
    [SQL_PAIR_ADD] = "INSERT OR IGNORE INTO series_source (series, source) "
                     "SELECT :series, id FROM source WHERE topic = :topic AND partition = :partition",
    [SQL_TYPE_ADD] = "INSERT OR IGNORE INTO type (name) VALUES (:type)",
    [SQL_SERIES] = "SELECT s.id, e.name, e.type, s.property, s.unit, s.kind, s.step FROM series s "
                   "JOIN entity e ON e.id = s.entity WHERE s.id = :id",
};

struct making {
    struct rebuild *rebuild;
    char dir[3072];     /* WORK */
    struct db *db;      /* the new catalog */
    bool has_uuid;
    bool is_restored;   /* it came from a backup: restored_us has to be there */
    const char *topic;  /* the partition at work */
    int32_t partition;
    const char *file;
};

static int put_uuid(struct making *making, const char *uuid)
{
    sqlite3_stmt *stmt = db_stmt(making->db, SQL_INFO_PUT);
    db_bind_text(stmt, ":name", "uuid");
    db_bind_text(stmt, ":value", uuid);
    making->has_uuid = true;
    return db_run(making->db, stmt);
}

/* ---- what the old catalog can still tell ---- */

/* What cannot be read is left out; only without memory nothing may be left out. */
static int code_of_loss(struct db *old)
{
    return db_code(sqlite3_extended_errcode(db_handle(old))) == ERR_NOMEM ? ERR_NOMEM : 0;
}

static int copy_value(sqlite3_stmt *from, int column, sqlite3_stmt *to)
{
    return db_code(sqlite3_bind_value(to, column + 1, sqlite3_column_value(from, column)));
}

/* Copies the rows of a table of models, as far as they can be read; rows of this version's own stay as they are. */
static int copy_models(struct making *making, struct db *old, const char *table, const char *columns)
{
    char sql[300];
    sqlite3_stmt *from = NULL, *to = NULL;
    int n_columns = 1, rc;
    for (const char *c = columns; *c; c++)
        n_columns += *c == ',';
    snprintf(sql, sizeof(sql), "SELECT %s FROM %s", columns, table); /* both are ours: see take_over */
    bool readable = sqlite3_prepare_v2(db_handle(old), sql, -1, &from, NULL) == SQLITE_OK;
    snprintf(sql, sizeof(sql), "INSERT OR IGNORE INTO %s (%s) VALUES (%.*s)", table, columns, 2 * n_columns - 1,
             "?,?,?,?,?,?,?,?");
    rc = readable ? db_code(sqlite3_prepare_v2(db_handle(making->db), sql, -1, &to, NULL)) : code_of_loss(old);
    while (readable && !rc && sqlite3_step(from) == SQLITE_ROW) {
        for (int i = 0; i < n_columns && !rc; i++)
            rc = copy_value(from, i, to);
        int done = rc ? SQLITE_DONE : sqlite3_step(to);
        sqlite3_reset(to);
        rc = rc || done == SQLITE_DONE || db_code(done) == ERR_EXISTS ? rc : db_code(done);
    }
    rc = rc ? rc : code_of_loss(old);
    sqlite3_finalize(from);
    sqlite3_finalize(to);
    return rc;
}

/* Puts what the first row says, where it can be read. */
static int take_fact(struct making *making, struct db *old, const char *sql,
                     int (*put)(struct making *making, sqlite3_stmt *row))
{
    sqlite3_stmt *stmt = NULL;
    int rc = 0;
    if (sqlite3_prepare_v2(db_handle(old), sql, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
        rc = put(making, stmt);
    rc = rc ? rc : code_of_loss(old);
    sqlite3_finalize(stmt);
    return rc;
}

static int take_uuid(struct making *making, sqlite3_stmt *row)
{
    const char *uuid = (const char *)sqlite3_column_text(row, 0);
    return !making->has_uuid && uuid && strlen(uuid) == UUID_TEXT_MAX - 1 ? put_uuid(making, uuid) : 0;
}

static int put_restored(struct making *making, int64_t restored_us)
{
    sqlite3_stmt *stmt = db_stmt(making->db, SQL_INFO_PUT);
    db_bind_text(stmt, ":name", "restored_us");
    db_bind_i64(stmt, ":value", restored_us);
    making->is_restored = true;
    return db_run(making->db, stmt);
}

static int take_restored(struct making *making, sqlite3_stmt *row)
{
    return put_restored(making, sqlite3_column_int64(row, 0));
}

static int take_sources(struct making *making, struct db *old)
{
    sqlite3_stmt *from = NULL;
    int rc = 0;
    if (sqlite3_prepare_v2(db_handle(old), "SELECT id, topic, partition FROM source ORDER BY id", -1, &from, NULL) ==
        SQLITE_OK)
        while (!rc && sqlite3_step(from) == SQLITE_ROW) {
            sqlite3_stmt *stmt = db_stmt(making->db, SQL_SOURCE_PUT);
            db_bind_i64(stmt, ":id", sqlite3_column_int64(from, 0));
            db_bind_text(stmt, ":topic", (const char *)sqlite3_column_text(from, 1));
            db_bind_i64(stmt, ":partition", sqlite3_column_int64(from, 2));
            rc = db_run(making->db, stmt);
        }
    rc = rc ? rc : code_of_loss(old);
    sqlite3_finalize(from);
    return rc;
}

static int take_over(struct making *making)
{
    char path[4096];
    struct db *old;
    snprintf(path, sizeof(path), "%s/catalog.db", making->rebuild->opts->dir);
    int rc = db_open(&(struct db_opts){.path = path, .mode = DB_READ, .format = &catalog_format}, &old, NULL);
    if (rc)
        return rc == ERR_NOMEM ? rc : 0; /* nothing can be read of it */
    rc = take_fact(making, old, "SELECT value FROM info WHERE name = 'uuid'", take_uuid);
    rc = rc ? rc : take_fact(making, old, "SELECT value FROM info WHERE name = 'restored_us'", take_restored);
    rc = rc ? rc : take_sources(making, old);
    rc = rc ? rc : copy_models(making, old, "unit", "name,dimension,numerator,denominator,exponent,offset,prefixes");
    rc = rc ? rc : copy_models(making, old, "unit_alias", "alias,name");
    rc = rc ? rc : copy_models(making, old, "type", "name,open");
    rc = rc ? rc : copy_models(making, old, "property", "type,name,unit,kind,step,phases");
    db_close(old);
    return rc;
}

/* ---- what the files tell ---- */

/* Whether the catalog has exactly this series by now; else two files tell different things. */
static int compare_series(struct making *making, const struct series_row *series)
{
    struct series_row found;
    sqlite3_stmt *stmt = db_stmt(making->db, SQL_SERIES);
    db_bind_i64(stmt, ":id", series->id);
    int rc = db_step(making->db, stmt);
    if (rc < 0)
        return rc;
    bool same = rc == 1 && file_read_series(stmt, &found) == 0 && strcmp(found.entity, series->entity) == 0 &&
                strcmp(found.type, series->type) == 0 && strcmp(found.property, series->property) == 0 &&
                strcmp(found.unit, series->unit) == 0 && found.kind == series->kind;
    if (rc == 1)
        sqlite3_reset(stmt);
    if (!same)
        rebuild_say(making->rebuild, true, "\"%s\" in %s/%d says that series %u is %s %s, other files say otherwise",
                    making->file, making->topic, making->partition, series->id, series->entity, series->property);
    return making->rebuild->rc;
}

static int add_series(void *arg, const struct series_row *series)
{
    struct making *making = arg;
    sqlite3_stmt *stmt = db_stmt(making->db, SQL_TYPE_ADD);
    db_bind_text(stmt, ":type", series->type);
    int rc = db_run(making->db, stmt);
    if (!rc && sqlite3_changes(db_handle(making->db)))
        rebuild_say(making->rebuild, true, "type \"%s\" is of this site: put its units and properties into the catalog again",
                    series->type);
    stmt = db_stmt(making->db, SQL_ENTITY_ADD);
    db_bind_text(stmt, ":entity", series->entity);
    db_bind_text(stmt, ":type", series->type);
    rc = rc ? rc : db_run(making->db, stmt);
    stmt = db_stmt(making->db, SQL_SERIES_ADD);
    file_bind_series(stmt, series);
    rc = rc ? rc : db_run(making->db, stmt);
    rc = rc ? rc : compare_series(making, series);
    stmt = db_stmt(making->db, SQL_PAIR_ADD);
    db_bind_i64(stmt, ":series", series->id);
    db_bind_text(stmt, ":topic", making->topic);
    db_bind_i64(stmt, ":partition", making->partition);
    return rc ? rc : db_run(making->db, stmt);
}

/* Every live file names its series; a tier file without its raw file does, too. */
static int add_file(struct making *making, const struct file *file)
{
    char path[4096];
    struct err_text error = {0};
    int rc;
    making->file = file->name;
    snprintf(path, sizeof(path), "%s/store/%s/%d/%s", making->rebuild->opts->dir, making->topic, making->partition, file->name);
    if (file->kind == FILE_TIER) {
        struct tier_file *tier;
        if ((rc = tier_file_open(path, &tier, &error)) == 0) {
            rc = tier_file_series(tier, add_series, making);
            tier_file_close(tier);
        }
    } else {
        struct window_file *window;
        if ((rc = window_file_open_read(path, file->kind, &window, &error)) == 0) {
            rc = window_file_series(window, add_series, making);
            window_file_close(window);
        }
    }
    if (rc == ERR_CORRUPT || rc == ERR_NOTFOUND || rc == ERR_VERSION)
        return rebuild_say(making->rebuild, true, "\"%s\" in %s/%d cannot be read: what series only it has is not known",
                           file->name, making->topic, making->partition);
    return rc;
}

/* The source row has the store's uuid, and of a restored store something in told_as; when that was is not in it. */
static int take_source(struct making *making, sqlite3_stmt *row)
{
    int rc = take_uuid(making, row);
    bool restored = sqlite3_column_bytes(row, 1) > 0;
    return rc || !restored || making->is_restored ? rc : put_restored(making, clock_wall_us());
}

static int add_partition(void *arg, const char *topic, int32_t partition)
{
    struct making *making = arg;
    struct rebuild *rebuild = making->rebuild;
    struct file_list files = {0};
    struct err_text error = {0};
    struct db *ingest;
    char path[4096];
    making->topic = topic;
    making->partition = partition;
    snprintf(path, sizeof(path), "%s/store/%s/%d/ingest.db", rebuild->opts->dir, topic, partition);
    sqlite3_stmt *stmt = db_stmt(making->db, SQL_SOURCE_ADD);
    db_bind_text(stmt, ":topic", topic);
    db_bind_i64(stmt, ":partition", partition);
    int rc = db_run(making->db, stmt);
    if (rc)
        return rc;
    rc = db_open(&(struct db_opts){.path = path, .mode = DB_READ, .format = &ingest_format}, &ingest, &error);
    if (rc == ERR_NOMEM)
        return rc;
    if (rc)
        return rebuild_say(rebuild, true, "%s: the series of %s/%d cannot be had again", error.text, topic, partition);
    rc = take_fact(making, ingest, "SELECT store, told_as FROM source", take_source);
    rc = rc ? rc : file_list_read(ingest, &files);
    db_close(ingest);
    for (size_t i = 0; i < files.n && !rc; i++)
        rc = add_file(making, &files.at[i]);
    file_list_free(&files);
    return rc;
}

/* ---- the whole ---- */

static int fill(struct making *making)
{
    struct rebuild *rebuild = making->rebuild;
    char path[4096];
    int rc = catalog_create(making->dir, rebuild->error);
    if (rc)
        return rc;
    snprintf(path, sizeof(path), "%s/catalog.db", making->dir);
    rc = db_open(&(struct db_opts){.path = path, .mode = DB_WRITE, .format = &catalog_format, .sync_each_commit = true,
                                   .sql = catalog_sql, .n_sql = SQL_N}, &making->db, rebuild->error);
    if (rc)
        return rc;
    rc = db_begin(making->db);
    rc = rc ? rc : take_over(making);
    rc = rc ? rc : folders_walk(rebuild->opts->dir, add_partition, making);
    rc = rc ? rc : db_get_i64(making->db, "SELECT count(*) FROM series", &rebuild->counts.n_series);
    rc = rc ? rc : db_commit(making->db);
    if (rc && !*rebuild->error->text)
        db_error(making->db, rebuild->error, rc, "write");
    db_close_settled(making->db);
    return rc;
}

static void remove_work(const struct making *making)
{
    static const char *const names[] = {"/catalog.db", "/catalog.db-wal", "/catalog.db-shm", "/catalog.db.new", ""};
    char path[4096];
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        snprintf(path, sizeof(path), "%s%s", making->dir, names[i]);
        remove(path);
    }
}

/* The old one goes aside first, with its log, which must not be taken for the new one's; without a catalog nothing starts, and
 * the next rebuild goes on from there. */
static int swap(const struct making *making)
{
    static const char *const ends[] = {"-wal", "-shm", "-journal", ""};
    char from[4096], to[4096];
    int rc = 0;
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends) && !rc; i++) {
        snprintf(from, sizeof(from), "%s/catalog.db%s", making->rebuild->opts->dir, ends[i]);
        snprintf(to, sizeof(to), "%s/catalog.db.broken%s", making->rebuild->opts->dir, ends[i]);
        rc = files_rename(from, to);
        rc = rc == ERR_NOTFOUND ? 0 : rc;
    }
    rc = rc ? rc : files_sync(making->rebuild->opts->dir);
    snprintf(from, sizeof(from), "%s/catalog.db", making->dir);
    snprintf(to, sizeof(to), "%s/catalog.db", making->rebuild->opts->dir);
    rc = rc ? rc : files_rename(from, to);
    rc = rc ? rc : files_sync(making->rebuild->opts->dir);
    return rc ? err_set(making->rebuild->error, rc, "cannot put the new catalog in its place \"%s\": %s", to, strerror(errno))
              : 0;
}

int rebuild_catalog(struct rebuild *rebuild)
{
    struct making making = {.rebuild = rebuild};
    snprintf(making.dir, sizeof(making.dir), "%.3000s/" WORK, rebuild->opts->dir);
    remove_work(&making);
    int rc = files_make_folder(making.dir);
    if (rc)
        return err_set(rebuild->error, rc, "cannot make the folder \"%s\": %s", making.dir, strerror(errno));
    rc = fill(&making);
    rc = rc ? rc : swap(&making);
    remove_work(&making);
    if (!rc && !making.has_uuid)
        rebuild_say(rebuild, true, "the store's name could not be had again: it has a new one");
    return rc ? rc : rebuild_say(rebuild, false, "catalog.db: made anew with %lld series; the old one is catalog.db.broken",
                                 (long long)rebuild->counts.n_series);
}
