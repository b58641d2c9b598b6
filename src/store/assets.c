#include <config.h>

#include "store/assets.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/array.h"
#include "common/hash.h"
#include "common/mix.h"
#include "store/assets_file.h"
#include "store/assets_reader.h"

#define PAGE 256 /* rows read at once, so that no callback runs inside a statement */
#define KEY_BYTES (LIMIT_ENTITY_BYTES + LIMIT_NAME_BYTES + 2)

enum sql {
    SQL_DATA_VERSION, SQL_VERSION, SQL_DECLARATIONS, SQL_CHANGED, SQL_CHANGES, SQL_ONE, SQL_OF_PARENT, SQL_OF_KIND, SQL_ALL,
    SQL_PLACE, SQL_OUTPUTS, SQL_REFUSED, SQL_N
};

#define COLUMNS "SELECT kind, id, type, entity, parent_kind, parent, document, start_us, known_ms FROM asset "
#define FITS "(:id IS NULL OR id = :id) AND (:parent_kind IS NULL OR parent_kind = :parent_kind) AND " \
             "(:parent IS NULL OR parent = :parent) AND (:entity IS NULL OR entity = :entity) "

static const char *const sql[SQL_N] = {
    [SQL_DATA_VERSION] = "PRAGMA data_version",
    [SQL_VERSION] = "SELECT coalesce(max(version), 0) FROM asset",
    [SQL_DECLARATIONS] = "SELECT entity, property, cadence_us, max_gap_us, step, register_m, register_e, epsilon_m, epsilon_e "
                         "FROM declaration WHERE version > :version",
    [SQL_CHANGED] = "SELECT DISTINCT entity, property FROM meter_change WHERE version > :version",
    [SQL_CHANGES] = "SELECT t_us, end_m, end_e, start_m, start_e FROM meter_change WHERE entity = :entity AND "
                    "property = :property ORDER BY t_us",
    [SQL_ONE] = COLUMNS "WHERE kind = :kind AND id = :id",
    [SQL_OF_PARENT] = COLUMNS "WHERE kind = :kind AND parent = :parent AND (start_us, id) > (:after_us, :after) AND " FITS
                      "ORDER BY start_us, id LIMIT :max",
    [SQL_OF_KIND] = COLUMNS "WHERE kind = :kind AND (start_us, id) > (:after_us, :after) AND " FITS
                    "ORDER BY start_us, id LIMIT :max",
    [SQL_ALL] = COLUMNS "WHERE (kind, start_us, id) > (:after_kind, :after_us, :after) AND " FITS
                "ORDER BY kind, start_us, id LIMIT :max",
    [SQL_PLACE] = "SELECT b.id, b.parent FROM asset s JOIN asset b ON b.kind = s.parent_kind AND b.id = s.parent "
                  "WHERE s.kind = 'Sensor' AND s.entity = :entity ORDER BY s.id LIMIT 1",
    [SQL_OUTPUTS] = "SELECT known_ms, partition, \"offset\", document FROM optimization WHERE known_ms >= :from_ms AND "
                    "known_ms < :to_ms AND (known_ms, partition, \"offset\") < (:known_ms, :partition, :offset) "
                    "ORDER BY known_ms DESC, partition DESC, \"offset\" DESC LIMIT :max",
    [SQL_REFUSED] = "SELECT topic, partition, \"offset\", known_ms, reason, detail, part FROM refused UNION ALL "
                    "SELECT w.topic, w.partition, w.\"offset\", w.known_ms, 'field', w.kind || ' \"' || w.id || '\": the field \"' || "
                    "r.field || '\" refers to the ' || r.kind || ' \"' || r.id || '\", which is not there', w.part FROM waiting w "
                    "JOIN waiting_reference r ON r.n = w.n WHERE w.is_refused AND NOT EXISTS (SELECT 1 FROM asset a WHERE "
                    "a.kind = r.kind AND a.id = r.id) ORDER BY 1, 2, 3, 7",
};

/* What is declared of one series. What readers were given lives as long as the reader: another content takes another place. */
struct entry {
    char key[KEY_BYTES];    /* "ENTITY PROPERTY" */
    int64_t cadence_us;
    int step;               /* 0, 1, or -1: not declared */
    struct declared *declared; /* NULL: nothing else */
};

struct assets_reader {
    char *path;
    pthread_mutex_t lock;   /* everything below */
    struct db *db;          /* NULL until there is a file */
    int64_t data_version, version;
    uint64_t seed;
    struct entry **slots;   /* a hash table by key */
    size_t n_slots, n_entries;
    struct declared **given; /* replaced ones, for readers that have them still */
    size_t n_given, given_cap;
};

int assets_reader_new(const char *dir, struct assets_reader **ret_reader)
{
    struct assets_reader *reader = calloc(1, sizeof(*reader));
    if (!reader || asprintf(&reader->path, "%s/assets.db", dir) < 0) {
        free(reader);
        return ERR_NOMEM;
    }
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
    char key[KEY_BYTES];
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
    sqlite3_stmt *stmt = db_stmt(reader->db, SQL_CHANGES);
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

static int load_rows(struct assets_reader *reader, enum sql which, int (*load)(struct assets_reader *reader, sqlite3_stmt *stmt))
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

static int get_number(struct assets_reader *reader, enum sql which, int64_t *ret_number)
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
    rc = get_number(reader, SQL_VERSION, &version);
    if (!rc && version != reader->version) {
        rc = load_rows(reader, SQL_DECLARATIONS, load_declaration);
        rc = rc ? rc : load_rows(reader, SQL_CHANGED, load_changed);
    }
    if (rc)
        db_rollback(reader->db);
    else
        rc = db_commit(reader->db);
    if (!rc)
        reader->version = version;
    return rc;
}

/* Opens the file once there is one. The caller holds the lock, here and below. */
static int open_file(struct assets_reader *reader, struct err_text *error)
{
    if (reader->db || access(reader->path, F_OK))
        return 0;
    reader->data_version = -1;
    return db_open(&(struct db_opts){.path = reader->path, .mode = DB_READ, .format = &assets_format, .sql = sql, .n_sql = SQL_N},
                   &reader->db, error);
}

static int follow(struct assets_reader *reader, struct err_text *error)
{
    int64_t data_version;
    int rc = open_file(reader, error);
    if (rc || !reader->db)
        return rc;
    rc = get_number(reader, SQL_DATA_VERSION, &data_version);
    if (!rc && data_version != reader->data_version && !(rc = load_news(reader)))
        reader->data_version = data_version;
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
    char key[KEY_BYTES];
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

int assets_version(struct reader_dir *dir, int64_t *ret_version, struct err_text *error)
{
    struct assets_reader *reader = reader_dir_assets(dir);
    int rc = assets_reader_follow(reader, error);
    if (!rc)
        *ret_version = assets_reader_version(reader);
    return rc;
}

/* ---- rows ---- */

/* Rows with texts of their own. */
struct page {
    struct asset rows[PAGE];
    size_t n;
};

static void page_clear(struct page *page)
{
    for (size_t i = 0; i < page->n; i++) {
        const struct asset *row = &page->rows[i];
        const char *const texts[] = {row->kind, row->id, row->type, row->entity, row->parent_kind, row->parent, row->document};
        for (size_t k = 0; k < sizeof(texts) / sizeof(*texts); k++)
            free((char *)texts[k]);
    }
    page->n = 0;
}

static char *copy_column(sqlite3_stmt *stmt, int column)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);
    return text ? strdup(text) : NULL;
}

static int page_add(struct page *page, sqlite3_stmt *stmt)
{
    struct asset *row = &page->rows[page->n++];
    *row = (struct asset){.kind = copy_column(stmt, 0), .id = copy_column(stmt, 1), .type = copy_column(stmt, 2),
                          .entity = copy_column(stmt, 3), .parent_kind = copy_column(stmt, 4), .parent = copy_column(stmt, 5),
                          .document = copy_column(stmt, 6), .start_us = sqlite3_column_int64(stmt, 7),
                          .known_ms = sqlite3_column_int64(stmt, 8)};
    return row->kind && row->id && row->type && row->entity && row->parent_kind && row->parent && row->document ? 0 : ERR_NOMEM;
}

static enum sql choose(const struct asset_filter *filter)
{
    return !filter->kind ? SQL_ALL : filter->id ? SQL_ONE : filter->parent ? SQL_OF_PARENT : SQL_OF_KIND;
}

static void bind_if(sqlite3_stmt *stmt, const char *name, const char *text)
{
    if (text)
        db_bind_text(stmt, name, text);
}

/* One asset by its name needs to fit the rest of the filter, too. */
static bool fits(const struct asset_filter *filter, const struct asset *asset)
{
    return (!filter->parent_kind || !strcmp(filter->parent_kind, asset->parent_kind)) &&
           (!filter->parent || !strcmp(filter->parent, asset->parent)) &&
           (!filter->entity || !strcmp(filter->entity, asset->entity));
}

/* The next page behind `after`; NULL: the first one. */
static int read_page(struct assets_reader *reader, const struct asset_filter *filter, const struct asset *after, struct page *page)
{
    enum sql which = choose(filter);
    sqlite3_stmt *stmt = db_stmt(reader->db, (int)which);
    if (which == SQL_ALL)
        db_bind_text(stmt, ":after_kind", after ? after->kind : "");
    else
        db_bind_text(stmt, ":kind", filter->kind);
    bind_if(stmt, ":id", filter->id);
    if (which != SQL_ONE) {
        db_bind_i64(stmt, ":after_us", after ? after->start_us : INT64_MIN);
        db_bind_text(stmt, ":after", after ? after->id : "");
        db_bind_i64(stmt, ":max", PAGE);
        bind_if(stmt, ":parent_kind", filter->parent_kind);
        bind_if(stmt, ":parent", filter->parent);
        bind_if(stmt, ":entity", filter->entity);
    }
    int rc;
    while ((rc = db_step(reader->db, stmt)) == 1) {
        if ((rc = page_add(page, stmt))) {
            sqlite3_reset(stmt);
            break;
        }
    }
    return rc;
}

static int next_page(struct assets_reader *reader, const struct asset_filter *filter, const struct asset *after,
                     struct page *page, struct err_text *error)
{
    pthread_mutex_lock(&reader->lock);
    int rc = open_file(reader, error);
    if (!rc && reader->db && (rc = read_page(reader, filter, after, page)))
        db_error(reader->db, error, rc, "read");
    pthread_mutex_unlock(&reader->lock);
    return rc;
}

int assets_each(struct reader_dir *dir, const struct asset_filter *filter, int (*row)(void *arg, const struct asset *asset),
                void *arg, struct err_text *error)
{
    struct assets_reader *reader = reader_dir_assets(dir);
    struct page *page = calloc(2, sizeof(*page)), *last = page + 1; /* the page before, for the place in it */
    if (!page)
        return err_set(error, ERR_NOMEM, "the assets cannot be read: out of memory");
    int rc = next_page(reader, filter, NULL, page, error);
    while (!rc && page->n) {
        for (size_t i = 0; i < page->n && !rc; i++)
            if (fits(filter, &page->rows[i]))
                rc = row(arg, &page->rows[i]);
        if (rc || page->n < PAGE)
            break;
        page_clear(last);
        *last = *page;
        page->n = 0;
        rc = next_page(reader, filter, &last->rows[PAGE - 1], page, error);
    }
    page_clear(page);
    page_clear(last);
    free(page);
    return rc;
}

int assets_place(struct reader_dir *dir, const char *entity, struct asset_place *ret_place, struct err_text *error)
{
    struct assets_reader *reader = reader_dir_assets(dir);
    pthread_mutex_lock(&reader->lock);
    int rc = open_file(reader, error);
    if (!rc && reader->db) {
        sqlite3_stmt *stmt = db_stmt(reader->db, SQL_PLACE);
        db_bind_text(stmt, ":entity", entity);
        if ((rc = db_step(reader->db, stmt)) == 1) {
            const char *board = (const char *)sqlite3_column_text(stmt, 0), *location = (const char *)sqlite3_column_text(stmt, 1);
            snprintf(ret_place->board, sizeof(ret_place->board), "%s", board ? board : "");
            snprintf(ret_place->location, sizeof(ret_place->location), "%s", location ? location : "");
            sqlite3_reset(stmt);
        } else if (rc < 0) {
            db_error(reader->db, error, rc, "read");
        }
    }
    pthread_mutex_unlock(&reader->lock);
    return rc;
}

/* ---- outputs of optimizations ---- */

struct outputs {
    struct optimization rows[PAGE];
    size_t n;
};

static void outputs_clear(struct outputs *outputs)
{
    for (size_t i = 0; i < outputs->n; i++)
        free((char *)outputs->rows[i].document);
    outputs->n = 0;
}

/* The first millisecond that is not before t_us. */
static int64_t ms_from(int64_t t_us)
{
    return t_us / 1000 + (t_us % 1000 > 0);
}

static int read_outputs(struct assets_reader *reader, const struct optimization_filter *filter, const struct optimization *after,
                        int64_t max, struct outputs *outputs)
{
    sqlite3_stmt *stmt = db_stmt(reader->db, SQL_OUTPUTS);
    db_bind_i64(stmt, ":from_ms", ms_from(filter->from_us));
    db_bind_i64(stmt, ":to_ms", ms_from(filter->to_us));
    db_bind_i64(stmt, ":known_ms", after ? after->received_us / 1000 : INT64_MAX);
    db_bind_i64(stmt, ":partition", after ? after->partition : INT32_MAX);
    db_bind_i64(stmt, ":offset", after ? after->offset : INT64_MAX);
    db_bind_i64(stmt, ":max", max);
    int rc;
    while ((rc = db_step(reader->db, stmt)) == 1) {
        struct optimization *row = &outputs->rows[outputs->n++];
        *row = (struct optimization){sqlite3_column_int64(stmt, 0) * 1000, sqlite3_column_int(stmt, 1),
                                     sqlite3_column_int64(stmt, 2), copy_column(stmt, 3)};
        if (!row->document) {
            sqlite3_reset(stmt);
            rc = ERR_NOMEM;
            break;
        }
    }
    return rc;
}

static int next_outputs(struct assets_reader *reader, const struct optimization_filter *filter, const struct optimization *after,
                        int64_t max, struct outputs *outputs)
{
    pthread_mutex_lock(&reader->lock);
    int rc = open_file(reader, NULL);
    if (!rc && reader->db)
        rc = read_outputs(reader, filter, after, max, outputs);
    pthread_mutex_unlock(&reader->lock);
    return rc;
}

int optimization_each(struct reader_dir *dir, const struct optimization_filter *filter,
                      int (*row)(void *arg, const struct optimization *output), void *arg, struct err_text *error)
{
    struct outputs *outputs = calloc(1, sizeof(*outputs));
    struct optimization last = {0};
    int64_t n = 0;
    bool stopped = false, is_first = true;
    int rc = outputs ? 0 : ERR_NOMEM;
    while (!rc && (!filter->limit || n < filter->limit)) {
        int64_t max = filter->limit && filter->limit - n < PAGE ? filter->limit - n : PAGE;
        rc = next_outputs(reader_dir_assets(dir), filter, is_first ? NULL : &last, max, outputs);
        bool is_last = outputs->n < PAGE;
        for (size_t i = 0; i < outputs->n && !rc; i++, n++) {
            last = outputs->rows[i];
            rc = row(arg, &last);
            stopped = rc != 0;
        }
        is_first = false;
        outputs_clear(outputs);
        if (is_last)
            break;
    }
    free(outputs);
    return rc && !stopped ? err_set(error, rc, "the outputs of optimizations cannot be read: %s", err_name(rc)) : rc;
}

/* ---- refused documents ---- */

struct letters {
    struct dead_letter *rows;
    size_t n, cap;
};

static int read_letter(struct letters *letters, sqlite3_stmt *stmt)
{
    if (array_grow(&letters->rows, &letters->cap, letters->n + 1, sizeof(*letters->rows)))
        return ERR_NOMEM;
    struct dead_letter *row = &letters->rows[letters->n++];
    *row = (struct dead_letter){.topic = copy_column(stmt, 0), .partition = sqlite3_column_int(stmt, 1),
                                .offset = sqlite3_column_int64(stmt, 2), .known_ms = sqlite3_column_int64(stmt, 3),
                                .reason = copy_column(stmt, 4), .detail = copy_column(stmt, 5), .property = "", .slot = -1,
                                .is_document = true};
    return row->topic && row->reason && row->detail ? 0 : ERR_NOMEM;
}

int assets_reader_refused(struct assets_reader *reader, int (*row)(void *arg, const struct dead_letter *letter), void *arg)
{
    struct letters letters = {0};
    pthread_mutex_lock(&reader->lock);
    int rc = open_file(reader, NULL);
    if (!rc && reader->db) {
        sqlite3_stmt *stmt = db_stmt(reader->db, SQL_REFUSED);
        while ((rc = db_step(reader->db, stmt)) == 1) {
            if ((rc = read_letter(&letters, stmt))) {
                sqlite3_reset(stmt);
                break;
            }
        }
    }
    pthread_mutex_unlock(&reader->lock);
    for (size_t i = 0; i < letters.n && !rc; i++)
        rc = row(arg, &letters.rows[i]);
    for (size_t i = 0; i < letters.n; i++) {
        free((char *)letters.rows[i].topic);
        free((char *)letters.rows[i].reason);
        free((char *)letters.rows[i].detail);
    }
    free(letters.rows);
    return rc;
}
