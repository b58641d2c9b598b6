#include <config.h>

#include "query/matches.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/buf.h"

static bool copy(char *to, size_t size, const char *text)
{
    return (size_t)snprintf(to, size, "%s", text) < size;
}

int match_copy(struct match *match, const struct series_info *info)
{
    if (!copy(match->entity, sizeof(match->entity), info->entity) ||
        !copy(match->type, sizeof(match->type), info->type) ||
        !copy(match->property, sizeof(match->property), info->property) ||
        !copy(match->unit, sizeof(match->unit), info->unit))
        return ERR_CORRUPT; /* the catalog has longer names than the system has */
    match->info = *info;
    match->info.entity = match->entity;
    match->info.type = match->type;
    match->info.property = match->property;
    match->info.unit = match->unit;
    return 0;
}

static int keep(struct matches *matches, const struct series_info *info)
{
    return match_copy(&matches->rows[matches->n++], info);
}

/* ---- the walk over all of them ---- */

struct walk {
    struct matches *matches;
    int (*check)(void *arg, const struct series_info *info);
    void *arg;
};

/* The first series of the answer stay in memory, so that a small answer walks once. */
static int visit(void *arg, const struct series_info *info)
{
    struct walk *walk = arg;
    struct matches *matches = walk->matches;
    if (matches->range->has_cursor && info->id > matches->range->last_id)
        return 1; /* made after the view */
    int rc = walk->check(walk->arg, info);
    matches->last_id = info->id;
    if (rc || info->id <= matches->after_id)
        return rc;
    if (matches->n < MATCHES_MAX)
        return keep(matches, info);
    matches->is_all = false;
    return 0;
}

static void name_list(struct buf *text, const char *name, const char *const *items, size_t n)
{
    if (!n)
        return;
    buf_printf(text, "%s%s ", text->n ? ", " : "", name);
    for (size_t i = 0; i < n; i++)
        buf_printf(text, "%s\"%s\"", i ? " or " : "", items[i]);
}

static int refuse(const struct series_filter *filter, struct err_text *error)
{
    struct buf text = {0};
    if (filter->n_ids)
        buf_puts(&text, "id ");
    for (size_t i = 0; i < filter->n_ids; i++)
        buf_printf(&text, "%s%" PRIu32, i ? " or " : "", filter->ids[i]);
    name_list(&text, "entity", filter->entities, filter->n_entities);
    name_list(&text, "type", filter->types, filter->n_types);
    name_list(&text, "property", filter->properties, filter->n_properties);
    int rc = !text.n ? err_set(error, ERR_NOTFOUND, "there is no series yet")
                     : err_set(error, ERR_NOTFOUND, "no series matches %.*s", (int)text.n, (const char *)text.data);
    buf_free(&text);
    return rc;
}

int matches_init(struct matches *matches, struct reader_dir *dir, const struct range *range,
                 int (*check)(void *arg, const struct series_info *info), void *arg, struct err_text *error)
{
    matches->dir = dir; /* one by one: the rows need not be cleared, which takes longer than all of the rest */
    matches->range = range;
    matches->last_id = matches->after_id = 0;
    matches->n = matches->next = 0;
    matches->is_all = true;
    if (range->has_cursor && range->after_id) /* INT64_MAX: that series was given to its end */
        matches->after_id = range->after_us == INT64_MAX ? range->after_id : range->after_id - 1;
    struct walk walk = {matches, check, arg};
    int rc = reader_series(dir, &range->filter, visit, &walk);
    if (rc < 0)
        return rc;
    if (!matches->last_id)
        return refuse(&range->filter, error);
    return 0;
}

/* ---- turn by turn ---- */

/* A positive answer ends the walk. */
static int visit_more(void *arg, const struct series_info *info)
{
    struct matches *matches = arg;
    if (info->id > matches->last_id)
        return 1;
    if (matches->n == MATCHES_MAX) {
        matches->is_all = false;
        return 1;
    }
    return keep(matches, info);
}

int matches_peek(struct matches *matches, const struct series_info **ret_info)
{
    if (matches->next == matches->n && !matches->is_all) {
        struct series_filter filter = matches->range->filter;
        filter.after_id = matches->rows[matches->n - 1].info.id;
        matches->n = matches->next = 0;
        matches->is_all = true;
        int rc = reader_series(matches->dir, &filter, visit_more, matches);
        if (rc < 0)
            return rc;
    }
    if (matches->next == matches->n)
        return 0;
    *ret_info = &matches->rows[matches->next].info;
    return 1;
}

void matches_take(struct matches *matches)
{
    matches->next++;
}

bool matches_has_more(const struct matches *matches)
{
    return matches->next < matches->n || !matches->is_all;
}
