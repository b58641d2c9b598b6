#include <config.h>

#include "store/catalog.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/hash.h"
#include "sql/catalog.sql.h"
#include "sql/models.sql.h"
#include "store/forget.h"
#include "store/partition.h"
#include "store/units.h"

const struct db_format catalog_format = {"catalog", 0x414c4d63, 1, false}; /* "ALMc" */

enum sql {
    SQL_SOURCE_ADD, SQL_SOURCE, SQL_ENTITY_ADD, SQL_ENTITY, SQL_SERIES_ADD, SQL_SERIES_SOURCE_ADD, SQL_UNITS, SQL_ALIASES,
    SQL_TYPES, SQL_PROPERTIES, SQL_SERIES, SQL_SERIES_ONE, SQL_IS_SHARED, SQL_UUID, SQL_INFO_ADD, SQL_ELSEWHERE,
    SQL_SOURCES, SQL_RESTORE, SQL_N
};

static const char *const sql[SQL_N] = {
    [SQL_SOURCE_ADD] = "INSERT OR IGNORE INTO source (topic, partition) VALUES (:topic, :partition)",
    [SQL_SOURCE] = "SELECT id FROM source WHERE topic = :topic AND partition = :partition",
    [SQL_ENTITY_ADD] = "INSERT OR IGNORE INTO entity (name, type) VALUES (:name, :type)",
    [SQL_ENTITY] = "SELECT id FROM entity WHERE name = :name",
    [SQL_SERIES_ADD] = "INSERT INTO series (id, entity, property, unit, kind, step) VALUES (1 + max("
                       "(SELECT coalesce(max(id), 0) FROM series), "
                       "coalesce((SELECT value FROM info WHERE name = 'last_series'), 0)), "
                       ":entity, :property, :unit, :kind, :step)",
    [SQL_SERIES_SOURCE_ADD] = "INSERT OR IGNORE INTO series_source (series, source) VALUES (:series, :source)",
    [SQL_UNITS] = UNITS_SQL,
    [SQL_ALIASES] = UNIT_ALIASES_SQL,
    [SQL_TYPES] = "SELECT name, open FROM type",
    [SQL_PROPERTIES] = "SELECT type, name, unit, kind, step, phases FROM property",
    [SQL_SERIES] = "SELECT s.id, e.name, e.type, s.property, s.unit, s.kind, s.step "
                   "FROM series s JOIN entity e ON e.id = s.entity ORDER BY s.id",
    [SQL_SERIES_ONE] = "SELECT s.id, e.name, e.type, s.property, s.unit, s.kind, s.step "
                       "FROM series s JOIN entity e ON e.id = s.entity WHERE s.id = :series",
    [SQL_IS_SHARED] = "SELECT count(*) > 1 FROM series_source WHERE series = :series",
    [SQL_UUID] = "SELECT value, EXISTS (SELECT 1 FROM info WHERE name = 'restored_us') FROM info WHERE name = 'uuid'",
    [SQL_ELSEWHERE] = "INSERT INTO info (name, value) VALUES ('elsewhere', :n) ON CONFLICT DO UPDATE SET value = excluded.value "
                      "WHERE value <> excluded.value",
    [SQL_INFO_ADD] = "INSERT INTO info (name, value) VALUES (:name, :value)",
    [SQL_SOURCES] = "SELECT topic, partition FROM source",
    [SQL_RESTORE] = "INSERT OR REPLACE INTO info (name, value) VALUES ('uuid', :uuid), ('restored_us', :now_us)",
};

struct catalog {
    pthread_mutex_t lock; /* db: ingest writes it, and the writer's thread forgets */
    struct db *db;
    char uuid[UUID_TEXT_MAX];
    bool is_restored;
};

static void path_of(const char *dir, char *out, size_t size)
{
    snprintf(out, size, "%s/catalog.db", dir);
}

static void make_uuid(char out[static UUID_TEXT_MAX])
{
    uint8_t b[16];
    hash_random(b, sizeof(b));
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* RFC 9562: version 4 */
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(out, UUID_TEXT_MAX, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2],
             b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

static int add_info(struct db *db)
{
    char uuid[UUID_TEXT_MAX];
    make_uuid(uuid);
    sqlite3_stmt *stmt = db_stmt(db, SQL_INFO_ADD);
    db_bind_text(stmt, ":name", "uuid");
    db_bind_text(stmt, ":value", uuid);
    int rc = db_run(db, stmt);
    if (rc)
        return rc;
    stmt = db_stmt(db, SQL_INFO_ADD);
    db_bind_text(stmt, ":name", "created_us");
    db_bind_i64(stmt, ":value", clock_wall_us());
    return db_run(db, stmt);
}

int catalog_create(const char *dir, struct err_text *error)
{
    char path[4096];
    path_of(dir, path, sizeof(path));
    struct db *db;
    int rc = db_open(&(struct db_opts){.path = path, .mode = DB_CREATE, .format = &catalog_format, .sync_each_commit = true,
                                       .schema = sql_catalog, .sql = sql, .n_sql = SQL_N}, &db, error);
    if (rc)
        return rc;
    if ((rc = add_info(db)) || (rc = db_exec(db, sql_models)) || (rc = db_leave_wal(db)))
        db_error(db, error, rc, "create");
    db_close(db);
    return rc;
}

static const char *text(sqlite3_stmt *stmt, int column)
{
    const char *found = (const char *)sqlite3_column_text(stmt, column);
    return found ? found : "";
}

/* ---- rows of the models ---- */

static int load_unit(sqlite3_stmt *stmt, struct registry *registry)
{
    return units_add(registry_units(registry), stmt);
}

static int load_alias(sqlite3_stmt *stmt, struct registry *registry)
{
    return units_add_alias(registry_units(registry), stmt);
}

static int load_type(sqlite3_stmt *stmt, struct registry *registry)
{
    return registry_add_type(registry, text(stmt, 0), sqlite3_column_int(stmt, 1) != 0);
}

static int load_property(sqlite3_stmt *stmt, struct registry *registry)
{
    enum kind kind;
    if (kind_parse(text(stmt, 3), &kind))
        return ERR_INVALID;
    return registry_add_property(registry, text(stmt, 0), text(stmt, 1), text(stmt, 2), kind,
                                 sqlite3_column_int(stmt, 4) != 0, sqlite3_column_int(stmt, 5) != 0);
}

static int load_series(sqlite3_stmt *stmt, struct registry *registry)
{
    enum kind kind;
    if (kind_parse(text(stmt, 5), &kind))
        return ERR_INVALID;
    return registry_load_series(registry, (uint32_t)sqlite3_column_int64(stmt, 0), text(stmt, 1), text(stmt, 2),
                                text(stmt, 3), text(stmt, 4), kind, sqlite3_column_int(stmt, 6) != 0);
}

static int load_all(struct db *db, struct registry *registry, struct err_text *error)
{
    static const struct {
        int sql;
        int (*load)(sqlite3_stmt *stmt, struct registry *registry);
        const char *what;
    } steps[] = {{SQL_UNITS, load_unit, "unit"}, {SQL_ALIASES, load_alias, "unit alias"}, {SQL_TYPES, load_type, "type"},
                 {SQL_PROPERTIES, load_property, "property of type"}, {SQL_SERIES, load_series, "series"}};
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        sqlite3_stmt *stmt = db_stmt(db, steps[i].sql);
        int rc;
        while ((rc = db_step(db, stmt)) == 1) {
            int loaded = steps[i].load(stmt, registry);
            if (loaded) {
                err_set(error, loaded, "cannot use the %s \"%s\" in \"%s\": %s; correct that row", steps[i].what,
                        text(stmt, 0), db_path(db), err_name(loaded));
                sqlite3_reset(stmt);
                return loaded;
            }
        }
        if (rc)
            return db_error(db, error, rc, "read");
    }
    return 0;
}

static int read_uuid(struct catalog *catalog, struct err_text *error)
{
    sqlite3_stmt *stmt = db_stmt(catalog->db, SQL_UUID);
    int rc = db_step(catalog->db, stmt);
    if (rc == 1) {
        snprintf(catalog->uuid, sizeof(catalog->uuid), "%s", text(stmt, 0));
        catalog->is_restored = sqlite3_column_int(stmt, 1) != 0;
    }
    if (stmt)
        sqlite3_reset(stmt);
    return rc == 1 ? 0 : db_error(catalog->db, error, rc ? rc : ERR_CORRUPT, "read");
}

int catalog_open(const char *dir, struct registry *registry, struct catalog **ret_catalog, struct err_text *error)
{
    char path[4096];
    path_of(dir, path, sizeof(path));
    struct catalog *catalog = calloc(1, sizeof(*catalog));
    if (!catalog)
        return err_set(error, ERR_NOMEM, "cannot open \"%s\": out of memory", path);
    pthread_mutex_init(&catalog->lock, NULL);
    int rc = db_open(&(struct db_opts){.path = path, .mode = DB_WRITE, .format = &catalog_format,
                                       .sync_each_commit = true, .sql = sql, .n_sql = SQL_N}, &catalog->db, error);
    if (!rc) {
        rc = db_begin(catalog->db);
        if (!rc)
            rc = db_exec(catalog->db, sql_models);
        if (!rc)
            rc = db_commit(catalog->db);
        if (rc)
            db_error(catalog->db, error, rc, "write");
    }
    if (!rc)
        rc = read_uuid(catalog, error);
    if (!rc)
        rc = load_all(catalog->db, registry, error);
    if (rc) {
        catalog_close(catalog);
        return rc;
    }
    *ret_catalog = catalog;
    return 0;
}

int catalog_load(const char *dir, struct registry *registry, struct err_text *error)
{
    char path[4096];
    struct db *db;
    path_of(dir, path, sizeof(path));
    int rc = db_open(&(struct db_opts){.path = path, .mode = DB_READ, .format = &catalog_format, .sql = sql,
                                       .n_sql = SQL_N}, &db, error);
    if (rc)
        return rc;
    rc = load_all(db, registry, error);
    db_close(db);
    return rc;
}

void catalog_close(struct catalog *catalog)
{
    if (!catalog)
        return;
    db_close_settled(catalog->db);
    pthread_mutex_destroy(&catalog->lock);
    free(catalog);
}

int catalog_elsewhere(struct catalog *catalog, int32_t n_partitions, struct err_text *error)
{
    pthread_mutex_lock(&catalog->lock);
    sqlite3_stmt *stmt = db_stmt(catalog->db, SQL_ELSEWHERE);
    db_bind_i64(stmt, ":n", n_partitions);
    int rc = db_run(catalog->db, stmt);
    if (rc)
        db_error(catalog->db, error, rc, "write");
    pthread_mutex_unlock(&catalog->lock);
    return rc;
}

const char *catalog_uuid(const struct catalog *catalog)
{
    return catalog->uuid;
}

bool catalog_is_restored(const struct catalog *catalog)
{
    return catalog->is_restored;
}

/* Every source says of itself, too, of which store it is: a catalog that is lost is made anew from them. */
static int restore_sources(struct db *db, const char *dir, const char *uuid, struct err_text *error)
{
    char folder[4096];
    sqlite3_stmt *stmt = db_stmt(db, SQL_SOURCES);
    int rc;
    while ((rc = db_step(db, stmt)) == 1) {
        snprintf(folder, sizeof(folder), "%s/store/%s/%d", dir, text(stmt, 0), sqlite3_column_int(stmt, 1));
        rc = partition_restore(folder, uuid, error);
        if (rc && rc != ERR_NOTFOUND) { /* the catalog knows a source just before it is made */
            sqlite3_reset(stmt);
            return rc;
        }
    }
    return rc ? db_error(db, error, rc, "read") : 0;
}

int catalog_restore(const char *dir, struct err_text *error)
{
    char path[4096], uuid[UUID_TEXT_MAX];
    struct db *db;
    path_of(dir, path, sizeof(path));
    int rc = db_open(&(struct db_opts){.path = path, .mode = DB_WRITE, .format = &catalog_format, .sync_each_commit = true,
                                       .sql = sql, .n_sql = SQL_N}, &db, error);
    if (rc)
        return rc;
    make_uuid(uuid);
    rc = restore_sources(db, dir, uuid, error);
    if (!rc) {
        sqlite3_stmt *stmt = db_stmt(db, SQL_RESTORE);
        db_bind_text(stmt, ":uuid", uuid);
        db_bind_i64(stmt, ":now_us", clock_wall_us());
        if ((rc = db_run(db, stmt)))
            db_error(db, error, rc, "write");
    }
    db_close_settled(db);
    return rc;
}

static int find_source(struct catalog *catalog, const char *topic, int32_t partition, int64_t *ret_source,
                       struct err_text *error)
{
    sqlite3_stmt *stmt = db_stmt(catalog->db, SQL_SOURCE_ADD);
    db_bind_text(stmt, ":topic", topic);
    db_bind_i64(stmt, ":partition", partition);
    int rc = db_run(catalog->db, stmt);
    if (!rc) {
        stmt = db_stmt(catalog->db, SQL_SOURCE);
        db_bind_text(stmt, ":topic", topic);
        db_bind_i64(stmt, ":partition", partition);
        rc = db_step(catalog->db, stmt);
        if (rc == 1) {
            *ret_source = sqlite3_column_int64(stmt, 0);
            sqlite3_reset(stmt);
            return 0;
        }
    }
    return db_error(catalog->db, error, rc ? rc : ERR_CORRUPT, "write");
}

int catalog_source(struct catalog *catalog, const char *topic, int32_t partition, int64_t *ret_source,
                   struct err_text *error)
{
    pthread_mutex_lock(&catalog->lock);
    int rc = find_source(catalog, topic, partition, ret_source, error);
    pthread_mutex_unlock(&catalog->lock);
    return rc;
}

static int add_series(struct catalog *catalog, struct series *series)
{
    sqlite3_stmt *stmt = db_stmt(catalog->db, SQL_ENTITY_ADD);
    db_bind_text(stmt, ":name", entity_name(series->entity));
    db_bind_text(stmt, ":type", entity_type(series->entity));
    int rc = db_run(catalog->db, stmt);
    if (rc)
        return rc;
    stmt = db_stmt(catalog->db, SQL_ENTITY);
    db_bind_text(stmt, ":name", entity_name(series->entity));
    rc = db_step(catalog->db, stmt);
    if (rc != 1)
        return rc ? rc : ERR_CORRUPT;
    int64_t entity = sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    stmt = db_stmt(catalog->db, SQL_SERIES_ADD);
    db_bind_i64(stmt, ":entity", entity);
    db_bind_text(stmt, ":property", series->property->name);
    db_bind_text(stmt, ":unit", series->unit_text);
    db_bind_text(stmt, ":kind", kind_name(series->kind));
    db_bind_i64(stmt, ":step", series->step);
    rc = db_run(catalog->db, stmt);
    if (!rc)
        series->id = (uint32_t)sqlite3_last_insert_rowid(db_handle(catalog->db));
    return rc;
}

static int persist(struct catalog *catalog, struct registry *registry, int64_t source, const uint32_t *series_i, size_t n_series,
                   struct err_text *error)
{
    size_t n_old = registry_n_persisted(registry), n = registry_n_series(registry);
    if (n_old == n && !n_series)
        return 0;
    int rc = db_begin(catalog->db);
    for (size_t i = n_old; i < n && !rc; i++)
        if (!registry_is_erased(registry, registry_at(registry, i)->entity))
            rc = add_series(catalog, registry_at(registry, i));
    for (size_t i = 0; i < n_series && !rc; i++) {
        sqlite3_stmt *stmt = db_stmt(catalog->db, SQL_SERIES_SOURCE_ADD);
        db_bind_i64(stmt, ":series", registry_at(registry, series_i[i])->id);
        db_bind_i64(stmt, ":source", source);
        rc = db_run(catalog->db, stmt);
    }
    if (!rc)
        rc = db_commit(catalog->db);
    if (!rc) {
        registry_persisted(registry, n);
        return 0;
    }
    db_error(catalog->db, error, rc, "write");
    db_rollback(catalog->db);
    for (size_t i = n_old; i < n; i++)
        registry_at(registry, i)->id = 0;
    return rc;
}

int catalog_persist(struct catalog *catalog, struct registry *registry, int64_t source, const uint32_t *series_i,
                    size_t n_series, struct err_text *error)
{
    pthread_mutex_lock(&catalog->lock);
    int rc = persist(catalog, registry, source, series_i, n_series, error);
    pthread_mutex_unlock(&catalog->lock);
    return rc;
}

/* ---- forgetting ---- */

static int forget(struct db *db, struct erased *erased)
{
    struct forget_ids series = {0}, entities = {0};
    int rc = db_begin(db);
    if (rc)
        return rc;
    rc = forget_find(db, "SELECT s.id, e.name FROM series s JOIN entity e ON e.id = s.entity", erased, &series);
    rc = rc ? rc : forget_find(db, "SELECT id, name FROM entity", erased, &entities);
    rc = rc ? rc : db_exec(db, "INSERT OR REPLACE INTO info (name, value) SELECT 'last_series', max(coalesce(max(id), 0), "
                               "coalesce((SELECT value FROM info WHERE name = 'last_series'), 0)) FROM series");
    rc = rc ? rc : forget_each(db, &series, "DELETE FROM series_source WHERE series = :id");
    rc = rc ? rc : forget_each(db, &series, "DELETE FROM series WHERE id = :id");
    rc = rc ? rc : forget_each(db, &entities, "DELETE FROM entity WHERE id = :id");
    forget_ids_free(&series);
    forget_ids_free(&entities);
    if (rc)
        db_rollback(db);
    return rc ? rc : db_commit(db);
}

int catalog_forget(struct catalog *catalog, struct erased *erased, bool *ret_whole, struct err_text *error)
{
    pthread_mutex_lock(&catalog->lock);
    int rc = forget(catalog->db, erased);
    rc = rc ? rc : db_forget(catalog->db, ret_whole);
    if (rc)
        db_error(catalog->db, error, rc, "write");
    pthread_mutex_unlock(&catalog->lock);
    return rc;
}

int catalog_forget_in(const char *dir, struct erased *erased, struct err_text *error)
{
    char path[4096];
    struct db *db;
    bool whole;
    path_of(dir, path, sizeof(path));
    int rc = db_open(&(struct db_opts){.path = path, .mode = DB_WRITE, .format = &catalog_format, .sync_each_commit = true,
                                       .sql = sql, .n_sql = SQL_N}, &db, error);
    if (rc)
        return rc;
    rc = forget(db, erased);
    rc = rc ? rc : db_forget(db, &whole);
    if (rc)
        db_error(db, error, rc, "write");
    db_close_settled(db);
    return rc;
}

/* ---- reading ---- */

struct catalog_reader {
    struct db *db;
};

int catalog_reader_open(const char *dir, struct catalog_reader **ret_reader, struct err_text *error)
{
    char path[4096];
    path_of(dir, path, sizeof(path));
    struct catalog_reader *reader = calloc(1, sizeof(*reader));
    if (!reader)
        return err_set(error, ERR_NOMEM, "cannot open \"%s\": out of memory", path);
    int rc = db_open(&(struct db_opts){.path = path, .mode = DB_READ, .format = &catalog_format, .sql = sql,
                                       .n_sql = SQL_N}, &reader->db, error);
    if (rc) {
        free(reader);
        return rc;
    }
    *ret_reader = reader;
    return 0;
}

void catalog_reader_close(struct catalog_reader *reader)
{
    if (!reader)
        return;
    db_close(reader->db);
    free(reader);
}

int catalog_reader_series(struct catalog_reader *reader, uint32_t series_id, struct series_row *ret_series,
                          struct err_text *error)
{
    sqlite3_stmt *stmt = db_stmt(reader->db, SQL_SERIES_ONE);
    db_bind_i64(stmt, ":series", series_id);
    int rc = db_step(reader->db, stmt);
    if (rc < 0)
        return db_error(reader->db, error, rc, "read");
    if (rc == 0)
        return err_set(error, ERR_NOTFOUND, "\"%s\" has no series %u", db_path(reader->db), series_id);
    struct series_row *row = ret_series;
    row->id = series_id;
    row->step = sqlite3_column_int(stmt, 6) != 0;
    snprintf(row->entity, sizeof(row->entity), "%s", text(stmt, 1));
    snprintf(row->type, sizeof(row->type), "%s", text(stmt, 2));
    snprintf(row->property, sizeof(row->property), "%s", text(stmt, 3));
    snprintf(row->unit, sizeof(row->unit), "%s", text(stmt, 4));
    rc = kind_parse(text(stmt, 5), &row->kind) ? ERR_CORRUPT : 0;
    sqlite3_reset(stmt);
    return rc ? db_error(reader->db, error, rc, "read") : 0;
}

int catalog_reader_is_shared(struct catalog_reader *reader, uint32_t series_id, bool *ret_shared, struct err_text *error)
{
    sqlite3_stmt *stmt = db_stmt(reader->db, SQL_IS_SHARED);
    db_bind_i64(stmt, ":series", series_id);
    int rc = db_step(reader->db, stmt);
    if (rc != 1)
        return db_error(reader->db, error, rc ? rc : ERR_CORRUPT, "read");
    *ret_shared = sqlite3_column_int(stmt, 0) != 0;
    sqlite3_reset(stmt);
    return 0;
}
