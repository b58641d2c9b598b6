#include <config.h>

#include "store/reader.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/array.h"
#include "common/globs.h"
#include "common/hash.h"
#include "store/assets_reader.h"
#include "store/catalog.h"
#include "store/erased.h"
#include "store/memo.h"
#include "store/units.h"
#include "store/view.h"

#define SERIES_PAGE 256 /* rows of the catalog read at once, so that no callback runs inside a statement */

#define MAPPED_MAX_BYTES (INT64_C(64) << 20) /* of sealed files that are not being read, */
#define MAPPED_KEEP_US INT64_C(10000)          /* and were not just now */

enum sql { SQL_PAGE, SQL_BY_ENTITY, SQL_PLACES, SQL_SOURCES, SQL_UUID, SQL_STATES, SQL_ELSEWHERE, SQL_UNITS,
           SQL_ALIASES, SQL_N };

#define SERIES_COLUMNS                                                                                                  \
    "SELECT s.id, e.name, e.type, s.property, s.unit, s.kind, s.step, s.cadence_us FROM series s "                     \
    "JOIN entity e ON e.id = s.entity "

static const char *const sql[SQL_N] = {
    [SQL_PAGE] = SERIES_COLUMNS "WHERE s.id > :after ORDER BY s.id LIMIT :max",
    [SQL_BY_ENTITY] = SERIES_COLUMNS "WHERE e.name = :entity AND s.id > :after ORDER BY s.id LIMIT :max",
    [SQL_PLACES] = ("SELECT s.kind, ss.source, e.name FROM series s JOIN entity e ON e.id = s.entity "
                    "LEFT JOIN series_source ss ON ss.series = s.id WHERE s.id = :series"),
    [SQL_ELSEWHERE] = "SELECT value FROM info WHERE name = 'elsewhere' AND value > 0",
    [SQL_UNITS] = UNITS_SQL,
    [SQL_ALIASES] = UNIT_ALIASES_SQL,
    [SQL_UUID] = "SELECT value FROM info WHERE name = 'uuid'",
    [SQL_STATES] = "SELECT id, kind = 'state' FROM series ORDER BY id DESC",
    [SQL_SOURCES] = "SELECT id, topic, partition FROM source WHERE id > :after ORDER BY id",
};

struct reader_dir {
    struct reader_dir *whole; /* of a limited one: what it shows a part of; nothing else than these is used of it. NULL */
    bool has_limit;
    struct globs limit;
    struct quota *quota;
    char *dir;
    uint8_t tag[HASH_BYTES]; /* of the store's uuid */
    pthread_mutex_t lock; /* everything below */
    struct db *catalog;
    struct db_stamp stamp; /* of the catalog that what follows is of */
    struct memo *memo;
    int64_t erased_version; /* of the list that the memo is of */
    bool elsewhere;    /* other members of the group have partitions now */
    struct source_reader **sources; /* by id */
    size_t n_sources;
    struct unit_table *units; /* NULL until they are asked for */
    struct pool *pool; /* has its own lock */
    struct assets_reader *assets; /* the same */
    struct erased *erased; /* the same */
};

static struct reader_dir *whole_of(struct reader_dir *dir)
{
    return dir->whole ? dir->whole : dir;
}

int reader_dir_limit(struct reader_dir *dir, const struct globs *globs, struct quota *quota, struct reader_dir **ret_limited)
{
    struct reader_dir *limited = calloc(1, sizeof(*limited));
    if (!limited)
        return ERR_NOMEM;
    limited->whole = whole_of(dir);
    limited->has_limit = globs != NULL;
    if (globs)
        limited->limit = *globs;
    limited->quota = quota;
    *ret_limited = limited;
    return 0;
}

const struct globs *reader_dir_limited_to(const struct reader_dir *dir)
{
    return dir->has_limit ? &dir->limit : NULL;
}

struct quota *reader_dir_quota(const struct reader_dir *dir)
{
    return dir->quota;
}

static char *copy_column(sqlite3_stmt *stmt, int column)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);
    return strdup(text ? text : "");
}

static int read_tag(struct reader_dir *reader)
{
    sqlite3_stmt *stmt = db_stmt(reader->catalog, SQL_UUID);
    int rc = db_step(reader->catalog, stmt);
    if (rc != 1)
        return rc ? rc : ERR_CORRUPT;
    hash_bytes(sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0), reader->tag);
    sqlite3_reset(stmt);
    return 0;
}

int reader_dir_open(const char *dir, struct reader_dir **ret_dir, struct err_text *error)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/catalog.db", dir);
    struct reader_dir *reader = calloc(1, sizeof(*reader));
    if (!reader || !(reader->dir = strdup(dir)) || !(reader->pool = pool_new(MAPPED_MAX_BYTES, MAPPED_KEEP_US)) ||
        !(reader->memo = memo_new())) {
        if (reader) {
            free(reader->dir);
            pool_free(reader->pool);
        }
        free(reader);
        return err_set(error, ERR_NOMEM, "cannot open \"%s\": out of memory", dir);
    }
    pthread_mutex_init(&reader->lock, NULL);
    int rc = hash_init();
    if (!rc)
        rc = db_open(&(struct db_opts){.path = path, .mode = DB_READ, .format = &catalog_format, .sql = sql,
                                       .n_sql = SQL_N}, &reader->catalog, error);
    if (!rc && (rc = read_tag(reader)))
        db_error(reader->catalog, error, rc, "read");
    if (!rc && ((rc = erased_new(dir, &reader->erased)) || (rc = assets_reader_new(dir, reader->erased, &reader->assets))))
        err_set(error, rc, "cannot open \"%s\": out of memory", dir);
    if (rc) {
        reader_dir_close(reader);
        return rc;
    }
    *ret_dir = reader;
    return 0;
}

void reader_dir_close(struct reader_dir *dir)
{
    if (!dir)
        return;
    if (dir->whole) {
        free(dir);
        return;
    }
    for (size_t i = 0; i < dir->n_sources; i++) {
        source_reader_done(dir->sources[i]);
        free(dir->sources[i]);
    }
    free(dir->sources);
    db_close(dir->catalog);
    memo_free(dir->memo);
    pool_free(dir->pool);
    assets_reader_free(dir->assets);
    erased_free(dir->erased);
    unit_table_free(dir->units);
    pthread_mutex_destroy(&dir->lock);
    free(dir->dir);
    free(dir);
}

struct pool *reader_dir_pool(struct reader_dir *dir)
{
    return whole_of(dir)->pool;
}

struct assets_reader *reader_dir_assets(struct reader_dir *dir)
{
    return whole_of(dir)->assets;
}

struct erased *reader_dir_erased(struct reader_dir *dir)
{
    return whole_of(dir)->erased;
}

const uint8_t *reader_dir_tag(const struct reader_dir *dir)
{
    return dir->tag;
}

/* Takes in what was erased. What was remembered of the catalog may be of those. */
static int follow_erased(struct reader_dir *dir, struct err_text *error)
{
    int64_t version;
    int rc = erased_follow(dir->erased, &version, error);
    if (rc)
        return rc;
    pthread_mutex_lock(&dir->lock);
    if (version != dir->erased_version)
        memo_clear(dir->memo);
    dir->erased_version = version;
    pthread_mutex_unlock(&dir->lock);
    return 0;
}

/* ---- series ---- */

bool reader_glob(const char *glob, const char *text)
{
    return glob_matches(glob, text);
}

static bool matches_any(const char *const *globs, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++)
        if (reader_glob(globs[i], text))
            return true;
    return n == 0;
}

static bool has_words(const struct series_filter *filter, const struct series_info *info)
{
    for (size_t i = 0; i < filter->n_words; i++)
        if (!strcasestr(info->entity, filter->words[i]) && !strcasestr(info->type, filter->words[i]) &&
            !strcasestr(info->property, filter->words[i]) && !strcasestr(info->unit, filter->words[i]))
            return false;
    return true;
}

/* Whether the filter wants the series. An erased one is nobody's: this is where it leaves every answer that names series. */
static bool matches(const struct reader_dir *dir, const struct series_filter *filter, const struct series_info *info)
{
    bool found = filter->n_ids == 0;
    for (size_t i = 0; i < filter->n_ids && !found; i++)
        found = filter->ids[i] == info->id;
    return found && info->id > filter->after_id && matches_any(filter->entities, filter->n_entities, info->entity) &&
           matches_any(filter->types, filter->n_types, info->type) &&
           matches_any(filter->properties, filter->n_properties, info->property) &&
           matches_any(filter->units, filter->n_units, info->unit) && has_words(filter, info) &&
           (!filter->limit || globs_match(filter->limit, info->entity)) &&
           !erased_has(dir->erased, info->entity, strlen(info->entity));
}

/* Rows of the catalog with texts of their own. */
struct page {
    struct series_info *rows;
    size_t n, cap;
};

static void page_clear(struct page *page)
{
    for (size_t i = 0; i < page->n; i++) {
        free((char *)page->rows[i].entity);
        free((char *)page->rows[i].type);
        free((char *)page->rows[i].property);
        free((char *)page->rows[i].unit);
    }
    page->n = 0;
}

static void page_free(struct page *page)
{
    page_clear(page);
    free(page->rows);
}

static int page_add(struct page *page, sqlite3_stmt *stmt)
{
    if (array_grow(&page->rows, &page->cap, page->n + 1, sizeof(*page->rows)))
        return ERR_NOMEM;
    struct series_info *info = &page->rows[page->n++];
    *info = (struct series_info){.id = (uint32_t)sqlite3_column_int64(stmt, 0), .entity = copy_column(stmt, 1),
                                 .type = copy_column(stmt, 2), .property = copy_column(stmt, 3),
                                 .unit = copy_column(stmt, 4), .step = sqlite3_column_int(stmt, 6) != 0,
                                 .cadence_us = sqlite3_column_int64(stmt, 7)};
    const char *kind = (const char *)sqlite3_column_text(stmt, 5);
    if (!info->entity || !info->type || !info->property || !info->unit)
        return ERR_NOMEM;
    return kind && kind_parse(kind, &info->kind) == 0 ? 0 : ERR_CORRUPT;
}

/* A copy of a row that is remembered. */
static int page_add_row(struct page *page, const struct series_info *row)
{
    if (array_grow(&page->rows, &page->cap, page->n + 1, sizeof(*page->rows)))
        return ERR_NOMEM;
    struct series_info *info = &page->rows[page->n++];
    *info = *row;
    info->entity = strdup(row->entity);
    info->type = strdup(row->type);
    info->property = strdup(row->property);
    info->unit = strdup(row->unit);
    return info->entity && info->type && info->property && info->unit ? 0 : ERR_NOMEM;
}

/* Asks SQLite; the caller holds the lock. */
static int ask_page(struct reader_dir *dir, const char *entity, uint32_t after_id, int max, struct page *page)
{
    sqlite3_stmt *stmt = db_stmt(dir->catalog, entity ? SQL_BY_ENTITY : SQL_PAGE);
    if (entity)
        db_bind_text(stmt, ":entity", entity);
    db_bind_i64(stmt, ":after", after_id);
    db_bind_i64(stmt, ":max", max);
    int rc;
    while ((rc = db_step(dir->catalog, stmt)) == 1) {
        if ((rc = page_add(page, stmt))) {
            sqlite3_reset(stmt);
            break;
        }
        memo_keep_row(dir->memo, &page->rows[page->n - 1]);
    }
    return rc;
}

/* The next max rows after an id, of one entity or (NULL) of all. */
static int read_page(struct reader_dir *dir, const char *entity, uint32_t after_id, int max, struct page *page)
{
    struct series_info row;
    page_clear(page);
    pthread_mutex_lock(&dir->lock);
    bool is_known = !entity && max == 1 && memo_row(dir->memo, after_id + 1, &row);
    int rc = is_known ? page_add_row(page, &row) : ask_page(dir, entity, after_id, max, page);
    pthread_mutex_unlock(&dir->lock);
    for (size_t i = 0; i < page->n; i++)
        assets_reader_declare(dir->assets, &page->rows[i]);
    return rc;
}

static int walk(struct reader_dir *dir, const char *entity, const struct series_filter *filter,
                int (*row)(void *arg, const struct series_info *info), void *arg)
{
    struct page page = {0};
    uint32_t after_id = filter->after_id;
    int rc;
    while (!(rc = read_page(dir, entity, after_id, SERIES_PAGE, &page)) && page.n) {
        for (size_t i = 0; i < page.n && !rc; i++)
            if (matches(dir, filter, &page.rows[i]))
                rc = row(arg, &page.rows[i]);
        if (rc || page.n < SERIES_PAGE)
            break;
        after_id = page.rows[page.n - 1].id;
    }
    page_free(&page);
    return rc;
}

static int compare_ids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* The asked ids one by one: cheaper than a walk over a large catalog. */
static int walk_ids(struct reader_dir *dir, const struct series_filter *filter,
                    int (*row)(void *arg, const struct series_info *info), void *arg)
{
    uint32_t *ids = malloc(filter->n_ids * sizeof(*ids));
    if (!ids)
        return ERR_NOMEM;
    memcpy(ids, filter->ids, filter->n_ids * sizeof(*ids));
    qsort(ids, filter->n_ids, sizeof(*ids), compare_ids);
    int rc = 0;
    for (size_t i = 0; i < filter->n_ids && !rc; i++) {
        if ((i && ids[i] == ids[i - 1]) || ids[i] <= filter->after_id)
            continue;
        struct series_filter one = *filter;
        one.ids = &ids[i];
        one.n_ids = 1;
        one.after_id = ids[i] - 1;
        struct page page = {0};
        rc = read_page(dir, NULL, one.after_id, 1, &page);
        if (!rc && page.n && matches(dir, &one, &page.rows[0]))
            rc = row(arg, &page.rows[0]);
        page_free(&page);
    }
    free(ids);
    return rc;
}

int reader_series(struct reader_dir *dir, const struct series_filter *filter,
                  int (*row)(void *arg, const struct series_info *info), void *arg)
{
    struct series_filter limited = *filter;
    limited.limit = reader_dir_limited_to(dir);
    filter = &limited;
    dir = whole_of(dir);
    int rc = follow_erased(dir, NULL);
    rc = rc ? rc : assets_reader_follow(dir->assets, NULL);
    if (rc)
        return rc;
    if (filter->n_ids)
        return walk_ids(dir, filter, row, arg);
    bool one_entity = filter->n_entities == 1 && !strpbrk(filter->entities[0], "*?");
    return walk(dir, one_entity ? filter->entities[0] : NULL, filter, row, arg);
}

/* As reader_dir_places, from SQLite; the caller holds the lock. */
static int ask_places(struct reader_dir *dir, uint32_t series_id, enum kind *ret_kind, int64_t **ret_sources, size_t *ret_n)
{
    int64_t *sources = NULL;
    size_t n = 0;
    int rows = 0, rc;
    sqlite3_stmt *stmt = db_stmt(dir->catalog, SQL_PLACES);
    db_bind_i64(stmt, ":series", series_id);
    while ((rc = db_step(dir->catalog, stmt)) == 1) {
        const char *kind = (const char *)sqlite3_column_text(stmt, 0);
        const char *entity = (const char *)sqlite3_column_text(stmt, 2);
        int64_t *more = realloc(sources, (n + 1) * sizeof(*sources));
        rc = !more || !entity ? ERR_NOMEM : !kind || kind_parse(kind, ret_kind) ? ERR_CORRUPT : 0;
        if (!rc && erased_has(dir->erased, entity, strlen(entity)))
            rc = ERR_NOTFOUND;
        if (more)
            sources = more;
        if (rc) {
            sqlite3_reset(stmt);
            break;
        }
        rows++;
        if (sqlite3_column_type(stmt, 1) != SQLITE_NULL)
            sources[n++] = sqlite3_column_int64(stmt, 1);
    }
    if (!rc && !rows)
        rc = ERR_NOTFOUND;
    if (rc) {
        free(sources);
        return rc;
    }
    memo_keep_places(dir->memo, series_id, &(struct memo_places){*ret_kind, sources, n});
    *ret_sources = sources;
    *ret_n = n;
    return 0;
}

int reader_dir_places(struct reader_dir *dir, uint32_t series_id, enum kind *ret_kind, int64_t **ret_sources,
                      size_t *ret_n)
{
    struct memo_places places;
    int rc = 0;
    pthread_mutex_lock(&dir->lock);
    if (memo_places(dir->memo, series_id, &places)) {
        int64_t *sources = malloc((places.n + 1) * sizeof(*sources));
        rc = sources ? 0 : ERR_NOMEM;
        if (sources) {
            memcpy(sources, places.sources, places.n * sizeof(*sources));
            *ret_kind = places.kind;
            *ret_sources = sources;
            *ret_n = places.n;
        }
    } else {
        rc = ask_places(dir, series_id, ret_kind, ret_sources, ret_n);
    }
    pthread_mutex_unlock(&dir->lock);
    return rc;
}

int reader_dir_carry(struct reader_dir *dir, int64_t source, uint32_t series_id, int64_t before_us, struct points *points,
                     int64_t *first_us)
{
    int rc = 0;
    pthread_mutex_lock(&dir->lock);
    for (size_t i = 0; i < dir->n_sources && !rc; i++)
        if (dir->sources[i]->id == source && dir->sources[i]->db)
            rc = source_reader_carry(dir->sources[i], series_id, before_us, points, first_us);
    pthread_mutex_unlock(&dir->lock);
    return rc;
}

int reader_dir_states(struct reader_dir *dir, bool **ret_is_state, size_t *ret_n)
{
    bool *is_state = NULL;
    size_t n = 0;
    int rc;
    pthread_mutex_lock(&dir->lock);
    sqlite3_stmt *stmt = db_stmt(dir->catalog, SQL_STATES);
    while ((rc = db_step(dir->catalog, stmt)) == 1) { /* the highest id comes first */
        size_t id = (size_t)sqlite3_column_int64(stmt, 0);
        n = n ? n : id + 1;
        if (!is_state && !(is_state = calloc(n, sizeof(*is_state)))) {
            sqlite3_reset(stmt);
            rc = ERR_NOMEM;
            break;
        }
        is_state[id] = sqlite3_column_int(stmt, 1) != 0;
    }
    pthread_mutex_unlock(&dir->lock);
    if (rc) {
        free(is_state);
        return rc;
    }
    *ret_is_state = is_state;
    *ret_n = n;
    return 0;
}

/* ---- units ---- */

static int read_units(struct reader_dir *dir, int which, int (*add)(struct unit_table *table, sqlite3_stmt *stmt),
                      struct unit_table *table)
{
    sqlite3_stmt *stmt = db_stmt(dir->catalog, which);
    int rc;
    while ((rc = db_step(dir->catalog, stmt)) == 1) {
        if ((rc = add(table, stmt))) {
            sqlite3_reset(stmt);
            break;
        }
    }
    return rc;
}

int reader_units(struct reader_dir *dir, const struct unit_table **ret_units)
{
    dir = whole_of(dir);
    int rc = 0;
    pthread_mutex_lock(&dir->lock);
    if (!dir->units) {
        struct unit_table *table = unit_table_new();
        rc = table ? read_units(dir, SQL_UNITS, units_add, table) : ERR_NOMEM;
        rc = rc ? rc : read_units(dir, SQL_ALIASES, units_add_alias, table);
        if (rc)
            unit_table_free(table);
        else
            dir->units = table;
    }
    if (!rc)
        *ret_units = dir->units;
    pthread_mutex_unlock(&dir->lock);
    return rc;
}

/* ---- views ---- */

static int add_source(struct reader_dir *dir, sqlite3_stmt *stmt)
{
    struct source_reader *source = calloc(1, sizeof(*source));
    struct source_reader **sources = realloc(dir->sources, (dir->n_sources + 1) * sizeof(struct source_reader *));
    if (sources)
        dir->sources = sources;
    if (!source || !sources) {
        free(source);
        return ERR_NOMEM;
    }
    source->id = sqlite3_column_int64(stmt, 0);
    source->partition = sqlite3_column_int(stmt, 2);
    snprintf(source->topic, sizeof(source->topic), "%s", (const char *)sqlite3_column_text(stmt, 1));
    snprintf(source->folder, sizeof(source->folder), "%s/store/%s/%d", dir->dir, source->topic, source->partition);
    dir->sources[dir->n_sources++] = source;
    return 0;
}

/* Whether other members of the group have partitions now; the caller holds the lock, here and below. */
static int ask_elsewhere(struct reader_dir *dir)
{
    sqlite3_stmt *stmt = db_stmt(dir->catalog, SQL_ELSEWHERE);
    int rc = db_step(dir->catalog, stmt);
    if (rc < 0)
        return rc;
    sqlite3_reset(stmt);
    dir->elsewhere = rc == 1;
    return 0;
}

/* Takes in sources that are new in the catalog. */
static int find_sources(struct reader_dir *dir)
{
    sqlite3_stmt *stmt = db_stmt(dir->catalog, SQL_SOURCES);
    db_bind_i64(stmt, ":after", dir->n_sources ? dir->sources[dir->n_sources - 1]->id : 0);
    int rc;
    while ((rc = db_step(dir->catalog, stmt)) == 1) {
        if ((rc = add_source(dir, stmt))) {
            sqlite3_reset(stmt);
            break;
        }
    }
    return rc;
}

/* Forgets what is known of the catalog once somebody has changed it. */
static int follow_catalog(struct reader_dir *dir)
{
    struct db_stamp stamp;
    int rc = db_stamp(dir->catalog, &stamp);
    if (rc || db_stamp_equal(&stamp, &dir->stamp))
        return rc;
    memo_clear(dir->memo);
    dir->stamp = (struct db_stamp){0};
    rc = find_sources(dir);
    rc = rc ? rc : ask_elsewhere(dir);
    if (!rc)
        dir->stamp = stamp;
    return rc;
}

/* The catalog knows a series in a source before that source has a reading of it: so it is looked at after the sources that are
 * known, and before those that it then names. */
static int follow_sources(struct reader_dir *dir, struct err_text *error)
{
    size_t n_known = dir->n_sources;
    int rc = 0;
    for (size_t i = 0; i < n_known && !rc; i++)
        rc = source_reader_follow(dir->sources[i], error);
    if (!rc && (rc = follow_catalog(dir)))
        return db_error(dir->catalog, error, rc, "read");
    for (size_t i = n_known; i < dir->n_sources && !rc; i++)
        rc = source_reader_follow(dir->sources[i], error);
    return rc;
}

static int compare_sources(const void *a, const void *b)
{
    const struct view_source *x = a, *y = b;
    int order = strcmp(x->topic, y->topic);
    return order ? order : x->partition < y->partition ? -1 : x->partition > y->partition;
}

int view_open(struct reader_dir *dir, struct view **ret_view, struct err_text *error)
{
    struct quota *quota = dir->quota;
    dir = whole_of(dir); /* a view may outlive the limited one; what of it may be seen is asked of reader_series */
    struct view *view = calloc(1, sizeof(*view));
    if (!view)
        return err_set(error, ERR_NOMEM, "cannot read \"%s\": out of memory", dir->dir);
    view->dir = dir;
    view->quota = quota;
    int rc = follow_erased(dir, error);
    rc = rc ? rc : assets_reader_follow(dir->assets, error);
    view->assets_version = assets_reader_version(dir->assets);
    pthread_mutex_lock(&dir->lock);
    rc = rc ? rc : follow_sources(dir, error);
    view->partial = dir->elsewhere;
    if (!rc && !(view->sources = calloc(dir->n_sources + 1, sizeof(*view->sources))))
        rc = err_set(error, ERR_NOMEM, "cannot read \"%s\": out of memory", dir->dir);
    for (size_t i = 0; i < dir->n_sources && !rc; i++) {
        const struct source_reader *source = dir->sources[i];
        view->sources[view->n_sources++] = (struct view_source){source->id, source->topic, source->folder,
                                                                source->partition, state_hold(source->current)};
        view->partial = view->partial || (source->current && source->current->n_elsewhere > 0);
    }
    pthread_mutex_unlock(&dir->lock);
    if (!rc) {
        qsort(view->sources, view->n_sources, sizeof(*view->sources), compare_sources);
        rc = view_write_position(view);
    }
    if (rc) {
        view_close(view);
        return rc;
    }
    *ret_view = view;
    return 0;
}

void view_close(struct view *view)
{
    if (!view)
        return;
    for (size_t i = 0; i < view->n_sources && !view->is_shared; i++)
        state_drop(view->sources[i].state);
    if (!view->is_shared) {
        free(view->sources);
        free(view->position);
    }
    free(view);
}

struct quota *view_quota(const struct view *view)
{
    return view->quota;
}

void view_uncount(struct view *view)
{
    view->quota = NULL;
}

int view_share(struct view *view, struct quota *quota, struct view **ret_view)
{
    struct view *share = malloc(sizeof(*share));
    if (!share)
        return ERR_NOMEM;
    *share = *view;
    share->is_shared = true;
    share->quota = quota;
    *ret_view = share;
    return 0;
}

const char *view_position(const struct view *view)
{
    return view->position;
}

int64_t view_assets_version(const struct view *view)
{
    return view->assets_version;
}

bool view_is_partial(const struct view *view)
{
    return view->partial;
}

/* ---- sources and their dead letters ---- */

int reader_sources(struct reader_dir *dir, int (*row)(void *arg, const struct source_status *status), void *arg)
{
    struct view *view;
    int rc = view_open(dir, &view, NULL);
    if (rc)
        return rc;
    for (size_t i = 0; i < view->n_sources && !rc; i++) {
        const struct state *state = view->sources[i].state;
        if (state)
            rc = row(arg, &(struct source_status){view->sources[i].topic, view->sources[i].partition,
                                                  state->next_offset, state->last_known_ms,
                                                  state->unflushed_readings, state->n_gaps, state->n_dead});
    }
    view_close(view);
    return rc;
}

#define DEAD_COLUMNS "SELECT id, incarnation, offset, known_ms, reason, detail, property, slot, iif(:payloads, payload, NULL)"

static int read_dead(const struct view *view, const struct view_source *source, bool payloads,
                     int (*row)(void *arg, const struct dead_letter *letter), void *arg)
{
    static const char *const dead_sql[] = {
        DEAD_COLUMNS ", entity, sealed FROM dead ORDER BY id",
        DEAD_COLUMNS ", NULL, sealed FROM dead ORDER BY id", /* of before there were erasures */
    };
    char path[4096];
    struct db *db;
    int64_t n;
    snprintf(path, sizeof(path), "%s/ingest.db", source->folder);
    int rc = db_open(&(struct db_opts){.path = path, .mode = DB_READ, .format = &ingest_format, .sql = dead_sql, .n_sql = 2},
                     &db, NULL);
    if (rc)
        return rc == ERR_NOTFOUND ? 0 : rc;
    if ((rc = db_get_i64(db, "SELECT count(*) FROM pragma_table_info('dead') WHERE name = 'entity'", &n))) {
        db_close(db);
        return rc;
    }
    sqlite3_stmt *stmt = db_stmt(db, n ? 0 : 1);
    db_bind_i64(stmt, ":payloads", payloads);
    while ((rc = db_step(db, stmt)) == 1) {
        if (sqlite3_column_bytes(stmt, 9) == ERASED_HASH_BYTES &&
            erased_has_hash(view->dir->erased, sqlite3_column_blob(stmt, 9)))
            continue;
        struct dead_letter letter = {
            .topic = source->topic, .partition = source->partition, .id = sqlite3_column_int64(stmt, 0),
            .incarnation = sqlite3_column_int(stmt, 1), .offset = sqlite3_column_int64(stmt, 2),
            .known_ms = sqlite3_column_int64(stmt, 3), .reason = (const char *)sqlite3_column_text(stmt, 4),
            .detail = (const char *)sqlite3_column_text(stmt, 5),
            .property = (const char *)sqlite3_column_text(stmt, 6), .slot = sqlite3_column_int(stmt, 7),
            .is_sealed = sqlite3_column_int(stmt, 10),
            .payload = payloads ? sqlite3_column_blob(stmt, 8) : NULL,
            .payload_size = payloads ? (size_t)sqlite3_column_bytes(stmt, 8) : 0};
        if ((rc = row(arg, &letter)))
            break;
    }
    db_close(db);
    return rc;
}

int reader_dead_letters(struct reader_dir *dir, bool payloads,
                        int (*row)(void *arg, const struct dead_letter *letter), void *arg)
{
    struct view *view;
    int rc = view_open(dir, &view, NULL);
    if (rc)
        return rc;
    for (size_t i = 0; i < view->n_sources && !rc; i++)
        rc = read_dead(view, &view->sources[i], payloads, row, arg);
    view_close(view);
    return rc ? rc : assets_reader_refused(reader_dir_assets(dir), row, arg);
}
