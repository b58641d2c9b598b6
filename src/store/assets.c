#include <config.h>

#include "store/assets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "store/assets_reader.h"

#define PAGE 256 /* rows read at once, so that no callback runs inside a statement */

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

static enum assets_sql choose(const struct asset_filter *filter)
{
    if (!filter->kind)
        return ASSETS_SQL_ALL;
    if (filter->id || filter->parent)
        return filter->id ? ASSETS_SQL_ONE : ASSETS_SQL_OF_PARENT;
    return filter->entity && !strcmp(filter->kind, "Sensor") ? ASSETS_SQL_OF_ENTITY : ASSETS_SQL_OF_KIND;
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
static int read_page(struct assets_reader *reader, const struct asset_filter *filter, const struct asset *after,
                     struct page *page)
{
    enum assets_sql which = choose(filter);
    sqlite3_stmt *stmt = db_stmt(reader->db, (int)which);
    if (which == ASSETS_SQL_ALL)
        db_bind_text(stmt, ":after_kind", after ? after->kind : "");
    else
        db_bind_text(stmt, ":kind", filter->kind);
    bind_if(stmt, ":id", filter->id);
    if (which != ASSETS_SQL_ONE) {
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
    int rc = assets_reader_open(reader, error);
    if (!rc && reader->db && (rc = read_page(reader, filter, after, page)))
        db_error(reader->db, error, rc, "read");
    pthread_mutex_unlock(&reader->lock);
    return rc;
}

/* ---- who may see them ---- */

static int found(void *arg, const struct asset *asset)
{
    (void)arg, (void)asset;
    return 1;
}

static int has_any(struct reader_dir *dir, const struct asset_filter *filter, struct err_text *error)
{
    return assets_each(dir, filter, found, NULL, error);
}

/* What names an entity is seen by who may see that; what is made of such things (a board, a location, a customer) by who may see
 * one of them; a rate by who may see whose it is; a calendar, which is about nobody, by everybody. 1, 0 or a code. */
static int is_seen(struct reader_dir *dir, const struct asset *asset, struct err_text *error)
{
    static const struct {
        const char *kind, *child;
    } parents[] = {{"Customer", "Location"}, {"Location", "MainDistributionBoard"}, {"MainDistributionBoard", "Sensor"}};
    const struct globs *limit = reader_dir_limited_to(dir);
    if (!limit || !strcmp(asset->kind, "Calendar"))
        return 1;
    if (*asset->entity)
        return globs_match(limit, asset->entity);
    if (!strcmp(asset->kind, "Rate"))
        return has_any(dir, &(struct asset_filter){.kind = asset->parent_kind, .id = asset->parent}, error);
    for (size_t i = 0; i < sizeof(parents) / sizeof(*parents); i++)
        if (!strcmp(asset->kind, parents[i].kind))
            return has_any(dir, &(struct asset_filter){.kind = parents[i].child, .parent_kind = asset->kind, .parent = asset->id},
                           error);
    return 0;
}

static int show(struct reader_dir *dir, const struct asset *asset, int (*row)(void *arg, const struct asset *asset), void *arg,
                struct err_text *error)
{
    int rc = is_seen(dir, asset, error);
    return rc > 0 ? row(arg, asset) : rc;
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
                rc = show(dir, &page->rows[i], row, arg, error);
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
    int rc = assets_reader_open(reader, error);
    if (!rc && reader->db) {
        sqlite3_stmt *stmt = db_stmt(reader->db, ASSETS_SQL_PLACE);
        db_bind_text(stmt, ":entity", entity);
        if ((rc = db_step(reader->db, stmt)) == 1) {
            const char *board = (const char *)sqlite3_column_text(stmt, 0);
            const char *location = (const char *)sqlite3_column_text(stmt, 1);
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
    sqlite3_stmt *stmt = db_stmt(reader->db, ASSETS_SQL_OUTPUTS);
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
    int rc = assets_reader_open(reader, NULL);
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
    int rc = assets_reader_open(reader, NULL);
    if (!rc && reader->db) {
        sqlite3_stmt *stmt = db_stmt(reader->db, ASSETS_SQL_REFUSED);
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
