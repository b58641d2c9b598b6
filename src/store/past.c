#include <config.h>

#include "store/past.h"

#include "model/decimal.h"

/* What takes effect first when a layer is laid over another. */
enum { ORDER_STORED_DELETION = 1, ORDER_BELOW, ORDER_DELETION, ORDER_ABOVE };

void past_init(struct past *past, const struct trail *trail)
{
    *past = (struct past){.trail = trail, .rows = {.is_state = trail->is_state}};
}

void past_free(struct past *past)
{
    points_free(&past->history);
    settled_free(&past->in_force);
    settled_free(&past->lower);
    rows_free(&past->rows);
    points_free(&past->points);
    chunk_rows_free(&past->chunks);
    deletions_free(&past->deletions);
    deletions_free(&past->stored);
}

/* ---- files ---- */

/* A file of the stretch, and what it has of the series. */
struct layer {
    struct pooled *pooled; /* NULL: there is none */
    struct window_file *file;
    int64_t mark;
    bool has_values, has_revisions;
};

static int has_chunks(struct past *past, const struct layer *layer, enum role role, bool *has)
{
    int rc = window_file_chunks(layer->file, past->trail->series_id, role, past->begin_us, past->end_us,
                                layer->mark, &past->chunks);
    *has = *has || past->chunks.n;
    return rc;
}

static int take_layer(struct past *past, const struct place *place, const struct file *file, struct layer *layer)
{
    if (!file)
        return 0;
    int rc = pool_take(reader_dir_pool(past->trail->view->dir), place->source->folder, file, &layer->pooled);
    if (rc)
        return rc;
    layer->file = pooled_window(layer->pooled);
    layer->mark = file->kind == FILE_OPEN ? file->mark : INT64_MAX - 1;
    rc = has_chunks(past, layer, ROLE_PLAIN, &layer->has_values);
    rc = rc ? rc : has_chunks(past, layer, ROLE_ISSUED, &layer->has_values);
    return rc ? rc : has_chunks(past, layer, ROLE_REVISION, &layer->has_revisions);
}

/* Hands the stretch's part of a role's chunks over, chunk by chunk, in past->points. */
static int each_chunk(struct past *past, const struct layer *layer, enum role role,
                      int (*take)(struct past *past, size_t first, size_t n, uint64_t order), uint64_t order)
{
    if (!layer->pooled)
        return 0;
    struct points *points = &past->points;
    int rc = window_file_chunks(layer->file, past->trail->series_id, role, past->begin_us, past->end_us,
                                layer->mark, &past->chunks);
    for (size_t i = 0; i < past->chunks.n && !rc; i++) {
        points_clear(points);
        rc = window_file_read(layer->file, past->trail->series_id, role, past->chunks.at[i].id, POINTS_ALL, points);
        size_t first = points_seek(points, 0, past->begin_us);
        rc = rc ? rc : take(past, first, points_seek(points, first, past->end_us) - first, order);
    }
    return rc ? rc : window_file_check_state(layer->file, layer->mark);
}

static int take_values(struct past *past, size_t first, size_t n, uint64_t order)
{
    return rows_add_points(&past->rows, &past->points, first, n, order);
}

static int append_history(struct past *past, const struct points *points, size_t first, size_t n)
{
    int rc = 0;
    for (size_t i = first; i < first + n && !rc; i++)
        rc = points_append(&past->history, points, i, past->trail->is_state);
    return rc;
}

static int take_history(struct past *past, size_t first, size_t n, uint64_t order)
{
    (void)order;
    return append_history(past, &past->points, first, n);
}

static int add_values(struct past *past, const struct layer *layer, uint64_t order)
{
    int rc = each_chunk(past, layer, ROLE_PLAIN, take_values, order);
    return rc ? rc : each_chunk(past, layer, ROLE_ISSUED, take_values, order);
}

/* ---- laying over ---- */

static struct points tail_of(const struct points *points, size_t first)
{
    struct points tail = *points;
    tail.n -= first;
    tail.t_us += first;
    tail.issued_us += first;
    tail.known_ms += first;
    return tail;
}

/* The open file over the raw one: the history of both, and what is in force after them. */
static int settle_files(struct past *past, const struct layer *raw, const struct layer *open)
{
    struct points *history = &past->history;
    rows_clear(&past->rows);
    past->deletions.n = 0;
    int rc = each_chunk(past, raw, ROLE_REVISION, take_history, 0);
    rc = rc ? rc : add_values(past, raw, ORDER_BELOW);
    if (!rc && open->pooled)
        rc = window_file_deletions(open->file, past->trail->series_id, past->begin_us, past->end_us, open->mark,
                                   &past->deletions);
    rc = rc ? rc : rows_add_deletions(&past->rows, &past->deletions, past->begin_us, past->end_us,
                                      ORDER_DELETION);
    rc = rc ? rc : add_values(past, open, ORDER_ABOVE);
    size_t first = history->n;
    rc = rc ? rc : each_chunk(past, open, ROLE_REVISION, take_history, 0); /* to know which values came again */
    if (!rc && first < history->n) {
        struct points own = tail_of(history, first);
        rc = rows_mark_again(&past->rows, ORDER_ABOVE, &own);
    }
    rc = rc ? rc : rows_settle(&past->rows, &past->in_force);
    if (rc)
        return rc;
    const struct points *replaced = &past->in_force.revisions; /* below; it stands before the open file's own */
    history->n = first;
    rc = append_history(past, replaced, 0, replaced->n);
    return rc ? rc : each_chunk(past, open, ROLE_REVISION, take_history, 0);
}

static int add_stored(struct past *past, const struct layer *layer)
{
    return layer->pooled ? window_file_deletions(layer->file, past->trail->series_id, past->begin_us,
                                                 past->end_us, layer->mark, &past->stored)
                         : 0;
}

static size_t seek_end(const struct points *points, size_t first, int64_t end_us)
{
    return points_seek(points, first, end_us) - first;
}

/* What is not flushed yet over the files. */
static int settle_head(struct past *past, const struct settled *head)
{
    struct settled files = past->in_force;
    past->in_force = past->lower; /* for its memory */
    past->lower = files;
    const struct settled *lower = &past->lower;
    int64_t begin_us = past->begin_us, end_us = past->end_us;
    size_t plain = points_seek(&head->plain, 0, begin_us), issued = points_seek(&head->issued, 0, begin_us),
           old = points_seek(&head->revisions, 0, begin_us);
    rows_clear(&past->rows);
    int rc = rows_add_points(&past->rows, &lower->plain, 0, lower->plain.n, ORDER_BELOW);
    rc = rc ? rc : rows_add_points(&past->rows, &lower->issued, 0, lower->issued.n, ORDER_BELOW);
    rc = rc ? rc : rows_add_deletions(&past->rows, &past->stored, begin_us, end_us, ORDER_STORED_DELETION);
    rc = rc ? rc : rows_add_deletions(&past->rows, &head->deletions, begin_us, end_us, ORDER_DELETION);
    rc = rc ? rc : rows_add_points(&past->rows, &head->plain, plain, seek_end(&head->plain, plain, end_us), ORDER_ABOVE);
    rc = rc ? rc : rows_add_points(&past->rows, &head->issued, issued, seek_end(&head->issued, issued, end_us), ORDER_ABOVE);
    rc = rc ? rc : rows_mark_again(&past->rows, ORDER_ABOVE, &head->revisions);
    rc = rc ? rc : rows_settle(&past->rows, &past->in_force);
    const struct points *replaced = &past->in_force.revisions;
    rc = rc ? rc : append_history(past, replaced, 0, replaced->n);
    return rc ? rc : append_history(past, &head->revisions, old, seek_end(&head->revisions, old, end_us));
}

static bool has_rows(const struct points *points, int64_t begin_us, int64_t end_us)
{
    size_t i = points_seek(points, 0, begin_us);
    return i < points->n && points->t_us[i] < end_us;
}

int past_settle(struct past *past, const struct place *place, int64_t begin_us, int64_t end_us, bool all)
{
    struct pool *pool = reader_dir_pool(past->trail->view->dir);
    struct window_files files = place_files(place, begin_us);
    const struct settled *head = &place->head->settled;
    struct layer raw = {0}, open = {0};
    bool has_head = has_rows(&head->plain, begin_us, end_us) || has_rows(&head->issued, begin_us, end_us) ||
                    has_rows(&head->revisions, begin_us, end_us) || head->deletions.n;
    past->begin_us = begin_us;
    past->end_us = end_us;
    points_clear(&past->history);
    int rc = take_layer(past, place, files.raw, &raw);
    rc = rc ? rc : take_layer(past, place, files.open, &open);
    bool alone = !raw.has_revisions && !open.has_revisions && !has_head && !(raw.has_values && open.pooled);
    past->stored.n = 0;
    if (!rc && place->head->has_replayed) {
        rc = add_stored(past, &raw);
        rc = rc ? rc : add_stored(past, &open);
    }
    if (!rc && (all || !alone)) {
        rc = settle_files(past, &raw, &open);
        rc = rc || !has_head ? rc : settle_head(past, head);
    }
    if (raw.pooled)
        pool_give(pool, raw.pooled);
    if (open.pooled)
        pool_give(pool, open.pooled);
    return rc;
}

bool past_says_again(const struct points *history, size_t before, size_t i)
{
    return history->quality[before] == history->quality[i] && history->period_us[before] == history->period_us[i] &&
           decimal_compare((struct decimal){history->m[before], history->e[before]},
                           (struct decimal){history->m[i], history->e[i]}) == 0;
}
