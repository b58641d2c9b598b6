#include <config.h>

#include "store/assets_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/array.h"
#include "common/hash.h"
#include "common/mix.h"
#include "store/assets_file.h"

#define COLUMNS "SELECT kind, id, type, entity, parent_kind, parent, document, start_us, known_ms FROM asset "
#define FITS "(:id IS NULL OR id = :id) AND (:parent_kind IS NULL OR parent_kind = :parent_kind) AND " \
             "(:parent IS NULL OR parent = :parent) AND (:entity IS NULL OR entity = :entity) "

static const char *const sql[ASSETS_SQL_N] = {
    [ASSETS_SQL_VERSION] = "SELECT coalesce(max(version), 0) FROM asset",
    [ASSETS_SQL_DECLARATIONS] = "SELECT entity, property, cadence_us, max_gap_us, step, register_m, register_e, epsilon_m, "
                         "epsilon_e FROM declaration WHERE version > :version",
    [ASSETS_SQL_CHANGED] = "SELECT DISTINCT entity, property FROM meter_change WHERE version > :version",
    [ASSETS_SQL_CHANGES] = "SELECT t_us, end_m, end_e, start_m, start_e FROM meter_change WHERE entity = :entity AND "
                    "property = :property ORDER BY t_us",
    [ASSETS_SQL_ONE] = COLUMNS "WHERE kind = :kind AND id = :id",
    [ASSETS_SQL_OF_PARENT] = COLUMNS "WHERE kind = :kind AND parent = :parent AND (start_us, id) > (:after_us, :after) AND " FITS
                      "ORDER BY start_us, id LIMIT :max",
    [ASSETS_SQL_OF_ENTITY] = /* by the index of the entity, which the signs leave as the only one */
        COLUMNS "WHERE kind = 'Sensor' AND :kind = 'Sensor' AND entity = :entity AND (+start_us, +id) > (:after_us, :after) AND "
        FITS "ORDER BY +start_us, +id LIMIT :max",
    [ASSETS_SQL_OF_KIND] = COLUMNS "WHERE kind = :kind AND (start_us, id) > (:after_us, :after) AND " FITS
                    "ORDER BY start_us, id LIMIT :max",
    [ASSETS_SQL_ALL] = COLUMNS "WHERE (kind, start_us, id) > (:after_kind, :after_us, :after) AND " FITS
                "ORDER BY kind, start_us, id LIMIT :max",
    [ASSETS_SQL_PLACE] = "SELECT b.id, b.parent FROM asset s JOIN asset b ON b.kind = s.parent_kind AND b.id = s.parent "
                  "WHERE s.kind = 'Sensor' AND s.entity = :entity ORDER BY +s.id LIMIT 1",
    [ASSETS_SQL_OUTPUTS] = "SELECT known_ms, partition, \"offset\", document FROM optimization WHERE known_ms >= :from_ms AND "
                    "known_ms < :to_ms AND (known_ms, partition, \"offset\") < (:known_ms, :partition, :offset) "
                    "ORDER BY known_ms DESC, partition DESC, \"offset\" DESC LIMIT :max",
    [ASSETS_SQL_REFUSED] =
        "SELECT topic, partition, \"offset\", known_ms, reason, detail, part FROM refused UNION ALL "
        "SELECT w.topic, w.partition, w.\"offset\", w.known_ms, 'field', w.kind || ' \"' || w.id || '\": the field \"' || "
        "r.field || '\" refers to the ' || r.kind || ' \"' || r.id || '\", which is not there', w.part FROM waiting w "
        "JOIN waiting_reference r ON r.n = w.n WHERE w.is_refused AND NOT EXISTS (SELECT 1 FROM asset a WHERE "
        "a.kind = r.kind AND a.id = r.id) ORDER BY 1, 2, 3, 7",
};

int assets_reader_new(const char *dir, struct erased *erased, struct assets_reader **ret_reader)
{
    struct assets_reader *reader = calloc(1, sizeof(*reader));
    if (!reader || asprintf(&reader->path, "%s/assets.db", dir) < 0) {
        free(reader);
        return ERR_NOMEM;
    }
    reader->erased = erased;
    hash_random(&reader->seed, sizeof(reader->seed));
    pthread_mutex_init(&reader->lock, NULL);
    *ret_reader = reader;
    return 0;
}

static void free_declared(struct declared *declared)
{
    if (declared)
        free((struct meter_change *)declared->changes);
    free(declared);
}

void assets_reader_free(struct assets_reader *reader)
{
    if (!reader)
        return;
    for (size_t i = 0; i < reader->n_slots; i++) {
        if (reader->slots[i])
            free_declared(reader->slots[i]->declared);
        free(reader->slots[i]);
    }
    for (size_t i = 0; i < reader->n_given; i++)
        free_declared(reader->given[i]);
    free(reader->slots);
    free(reader->given);
    db_close(reader->db);
    pthread_mutex_destroy(&reader->lock);
    free(reader->path);
    free(reader);
}

/* ---- what is declared ---- */

static struct entry **find_slot(const struct assets_reader *reader, const char *key)
{
    size_t slot = mix_hash(reader->seed, key, strlen(key)) & (reader->n_slots - 1);
    while (reader->slots[slot] && strcmp(reader->slots[slot]->key, key) != 0)
        slot = (slot + 1) & (reader->n_slots - 1);
    return &reader->slots[slot];
}

static int grow_slots(struct assets_reader *reader)
{
    if (2 * (reader->n_entries + 1) <= reader->n_slots)
        return 0;
    struct entry **old = reader->slots;
    size_t n_old = reader->n_slots, n_slots = n_old ? 2 * n_old : 64;
    struct entry **slots = calloc(n_slots, sizeof(struct entry *));
    if (!slots)
        return ERR_NOMEM;
    reader->slots = slots;
    reader->n_slots = n_slots;
    for (size_t i = 0; i < n_old; i++)
        if (old[i])
            *find_slot(reader, old[i]->key) = old[i];
    free(old);
    return 0;
}

/* The entry of a series, made when new, and a copy of what else is declared of it. */
static int open_entry(struct assets_reader *reader, const char *entity, const char *property, struct entry **ret_entry,
                      struct declared *ret_declared)
{
    char key[sizeof((struct entry){0}.key)];
    int rc = grow_slots(reader);
    if (rc)
        return rc;
    snprintf(key, sizeof(key), "%s %s", entity, property);
    struct entry **slot = find_slot(reader, key);
    if (!*slot) {
        if (!(*slot = calloc(1, sizeof(**slot))))
            return ERR_NOMEM;
        memcpy((*slot)->key, key, sizeof(key));
        (*slot)->step = -1;
        reader->n_entries++;
    }
    *ret_entry = *slot;
    *ret_declared = (*slot)->declared ? *(*slot)->declared : (struct declared){0};
    return 0;
}

/* Puts another content in the place of an entry's. changes are copied where they are not the entry's own. */
static int replace_declared(struct assets_reader *reader, struct entry *entry, const struct declared *content)
{
    bool is_nothing = !content->max_gap_us && !content->register_size.m && !content->epsilon.m && !content->n_changes;
    struct declared *made = is_nothing ? NULL : malloc(sizeof(*made));
    struct meter_change *changes = content->n_changes ? malloc(content->n_changes * sizeof(*changes)) : NULL;
    if ((!is_nothing && !made) || (content->n_changes && !changes) ||
        array_grow(&reader->given, &reader->given_cap, reader->n_given + 1, sizeof(*reader->given))) {
        free(made);
        free(changes);
        return ERR_NOMEM;
    }
    if (made) {
        *made = *content;
        if (changes)
            memcpy(changes, content->changes, content->n_changes * sizeof(*changes));
        made->changes = changes;
    }
    if (entry->declared)
        reader->given[reader->n_given++] = entry->declared;
    entry->declared = made;
    return 0;
}

static struct decimal decimal_at_column(sqlite3_stmt *stmt, int column)
{
    return (struct decimal){sqlite3_column_int64(stmt, column), (int8_t)sqlite3_column_int(stmt, column + 1)};
}

static int load_declaration(struct assets_reader *reader, sqlite3_stmt *stmt)
{
    const char *entity = (const char *)sqlite3_column_text(stmt, 0), *property = (const char *)sqlite3_column_text(stmt, 1);
    struct declared declared;
    struct entry *entry;
    if (!entity || !property)
        return ERR_NOMEM;
    int rc = open_entry(reader, entity, property, &entry, &declared);
    if (rc)
        return rc;
    entry->cadence_us = sqlite3_column_int64(stmt, 2);
    entry->step = sqlite3_column_type(stmt, 4) == SQLITE_NULL ? -1 : sqlite3_column_int(stmt, 4) != 0;
    declared.max_gap_us = sqlite3_column_int64(stmt, 3);
    declared.register_size = decimal_at_column(stmt, 5);
    declared.epsilon = decimal_at_column(stmt, 7);
    return replace_declared(reader, entry, &declared);
}

/* All meter changes of a series of which one is new. */
static int load_changes(struct assets_reader *reader, const char *entity, const char *property)
{
    struct meter_change *changes = NULL;
    size_t n = 0, cap = 0;
    struct declared declared;
    struct entry *entry;
    int rc;
    sqlite3_stmt *stmt = db_stmt(reader->db, ASSETS_SQL_CHANGES);
    db_bind_text(stmt, ":entity", entity);
    db_bind_text(stmt, ":property", property);
    while ((rc = db_step(reader->db, stmt)) == 1) {
        if (array_grow(&changes, &cap, n + 1, sizeof(*changes))) {
            sqlite3_reset(stmt);
            rc = ERR_NOMEM;
            break;
        }
        changes[n++] = (struct meter_change){sqlite3_column_int64(stmt, 0), decimal_at_column(stmt, 1),
                                             decimal_at_column(stmt, 3)};
    }
    rc = rc ? rc : open_entry(reader, entity, property, &entry, &declared);
    if (!rc) {
        declared.changes = changes;
        declared.n_changes = n;
        rc = replace_declared(reader, entry, &declared);
    }
    free(changes);
    return rc;
}

static int load_changed(struct assets_reader *reader, sqlite3_stmt *stmt)
{
    const char *entity = (const char *)sqlite3_column_text(stmt, 0), *property = (const char *)sqlite3_column_text(stmt, 1);
    return entity && property ? load_changes(reader, entity, property) : ERR_NOMEM;
}

static int load_rows(struct assets_reader *reader, enum assets_sql which,
                     int (*load)(struct assets_reader *reader, sqlite3_stmt *stmt))
{
    sqlite3_stmt *stmt = db_stmt(reader->db, (int)which);
    int rc;
    db_bind_i64(stmt, ":version", reader->version);
    while ((rc = db_step(reader->db, stmt)) == 1) {
        if ((rc = load(reader, stmt))) {
            sqlite3_reset(stmt);
            break;
        }
    }
    return rc;
}

static int get_number(struct assets_reader *reader, enum assets_sql which, int64_t *ret_number)
{
    sqlite3_stmt *stmt = db_stmt(reader->db, (int)which);
    int rc = db_step(reader->db, stmt);
    if (rc != 1)
        return rc ? rc : ERR_CORRUPT;
    *ret_number = sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    return 0;
}

/* In one transaction, so that nothing is passed over. */
static int load_news(struct assets_reader *reader)
{
    int64_t version = 0;
    int rc = db_begin(reader->db);
    if (rc)
        return rc;
    rc = get_number(reader, ASSETS_SQL_VERSION, &version);
    if (!rc && version != reader->version) {
        if (version < reader->version) /* the newest ones were erased, and others may have their numbers */
            reader->version = 0;
        rc = load_rows(reader, ASSETS_SQL_DECLARATIONS, load_declaration);
        rc = rc ? rc : load_rows(reader, ASSETS_SQL_CHANGED, load_changed);
    }
    if (rc)
        db_rollback(reader->db);
    else
        rc = db_commit(reader->db);
    if (!rc)
        reader->version = version;
    return rc;
}

int assets_reader_open(struct assets_reader *reader, struct err_text *error)
{
    if (reader->db || access(reader->path, F_OK))
        return 0;
    reader->stamp = (struct db_stamp){0};
    return db_open(&(struct db_opts){.path = reader->path, .mode = DB_READ, .format = &assets_format, .sql = sql,
                                     .n_sql = ASSETS_SQL_N}, &reader->db, error);
}

/* The caller holds the lock. */
static int follow(struct assets_reader *reader, struct err_text *error)
{
    struct db_stamp stamp;
    int rc = assets_reader_open(reader, error);
    if (rc || !reader->db)
        return rc;
    rc = db_stamp(reader->db, &stamp);
    if (!rc && !db_stamp_equal(&stamp, &reader->stamp) && !(rc = load_news(reader)))
        reader->stamp = stamp;
    return rc ? db_error(reader->db, error, rc, "read") : 0;
}

int assets_reader_follow(struct assets_reader *reader, struct err_text *error)
{
    pthread_mutex_lock(&reader->lock);
    int rc = follow(reader, error);
    pthread_mutex_unlock(&reader->lock);
    return rc;
}

void assets_reader_declare(struct assets_reader *reader, struct series_info *info)
{
    char key[sizeof((struct entry){0}.key)];
    pthread_mutex_lock(&reader->lock);
    const struct entry *entry = NULL;
    if (reader->n_entries) {
        snprintf(key, sizeof(key), "%s %s", info->entity, info->property);
        entry = *find_slot(reader, key);
    }
    if (entry) {
        info->cadence_us = entry->cadence_us ? entry->cadence_us : info->cadence_us;
        if (entry->step >= 0 && info->kind == KIND_GAUGE)
            info->step = entry->step;
        info->declared = entry->declared;
    }
    pthread_mutex_unlock(&reader->lock);
}

int64_t assets_reader_version(struct assets_reader *reader)
{
    pthread_mutex_lock(&reader->lock);
    int64_t version = reader->version;
    pthread_mutex_unlock(&reader->lock);
    return version;
}
