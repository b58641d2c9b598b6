#include <config.h>

#include "store/reader.h"

#include <stdlib.h>

#include "common/array.h"
#include "model/decimal.h"
#include "store/view.h"

/* Goes from cut to cut as a scan does. What is in a window and source of a series is settled as a whole where there are
 * revisions or layers that may replace each other, which is rare; elsewhere nothing is read. */

/* What takes effect first when a layer is laid over another. */
enum { ORDER_STORED_DELETION = 1, ORDER_BELOW, ORDER_DELETION, ORDER_ABOVE };

struct revisions {
    struct trail trail;
    size_t step, place_i;      /* what comes next */
    /* the step at work: */
    int64_t begin_us, end_us;
    struct points history;     /* of each time and issue what was in force, oldest first; marks for "nothing", too */
    struct settled in_force, lower;
    int64_t *until_ms;
    size_t until_cap;
    /* scratch */
    struct rows rows;
    struct points points;
    struct chunk_rows chunks;
    struct deletions deletions;
    struct deletions stored;   /* of all files, where a replayed dead letter may have to yield to them */
};

int revisions_open(struct view *view, uint32_t series_id, int64_t begin_us, int64_t end_us, struct revisions **ret_revisions)
{
    struct revisions *revisions = calloc(1, sizeof(*revisions));
    if (!revisions)
        return ERR_NOMEM;
    int rc = begin_us < end_us ? trail_open(view, series_id, begin_us, end_us, &revisions->trail) : 0;
    if (rc) {
        free(revisions);
        return rc;
    }
    revisions->rows.is_state = revisions->trail.is_state;
    *ret_revisions = revisions;
    return 0;
}

void revisions_close(struct revisions *revisions)
{
    if (!revisions)
        return;
    points_free(&revisions->history);
    settled_free(&revisions->in_force);
    settled_free(&revisions->lower);
    free(revisions->until_ms);
    rows_free(&revisions->rows);
    points_free(&revisions->points);
    chunk_rows_free(&revisions->chunks);
    deletions_free(&revisions->deletions);
    deletions_free(&revisions->stored);
    if (revisions->trail.view)
        trail_close(&revisions->trail);
    free(revisions);
}

/* ---- files ---- */

/* A file of the step, and what it has of the series. */
struct layer {
    struct pooled *pooled; /* NULL: there is none */
    struct window_file *file;
    int64_t mark;
    bool has_values, has_revisions;
};

static int has_chunks(struct revisions *revisions, const struct layer *layer, enum role role, bool *has)
{
    int rc = window_file_chunks(layer->file, revisions->trail.series_id, role, revisions->begin_us, revisions->end_us,
                                layer->mark, &revisions->chunks);
    *has = *has || revisions->chunks.n;
    return rc;
}

static int take_layer(struct revisions *revisions, const struct place *place, const struct file *file, struct layer *layer)
{
    if (!file)
        return 0;
    int rc = pool_take(reader_dir_pool(revisions->trail.view->dir), place->source->folder, file, &layer->pooled);
    if (rc)
        return rc;
    layer->file = pooled_window(layer->pooled);
    layer->mark = file->kind == FILE_OPEN ? file->mark : INT64_MAX - 1;
    rc = has_chunks(revisions, layer, ROLE_PLAIN, &layer->has_values);
    rc = rc ? rc : has_chunks(revisions, layer, ROLE_ISSUED, &layer->has_values);
    return rc ? rc : has_chunks(revisions, layer, ROLE_REVISION, &layer->has_revisions);
}

/* Hands the step's part of a role's chunks over, chunk by chunk, in revisions->points. */
static int each_chunk(struct revisions *revisions, const struct layer *layer, enum role role,
                      int (*take)(struct revisions *revisions, size_t first, size_t n, uint64_t order), uint64_t order)
{
    if (!layer->pooled)
        return 0;
    struct points *points = &revisions->points;
    int rc = window_file_chunks(layer->file, revisions->trail.series_id, role, revisions->begin_us, revisions->end_us,
                                layer->mark, &revisions->chunks);
    for (size_t i = 0; i < revisions->chunks.n && !rc; i++) {
        points_clear(points);
        rc = window_file_read(layer->file, revisions->trail.series_id, role, revisions->chunks.at[i].id, POINTS_ALL, points);
        size_t first = points_seek(points, 0, revisions->begin_us);
        rc = rc ? rc : take(revisions, first, points_seek(points, first, revisions->end_us) - first, order);
    }
    return rc ? rc : window_file_check_state(layer->file, layer->mark);
}

static int take_values(struct revisions *revisions, size_t first, size_t n, uint64_t order)
{
    return rows_add_points(&revisions->rows, &revisions->points, first, n, order);
}

static int append_history(struct revisions *revisions, const struct points *points, size_t first, size_t n)
{
    int rc = 0;
    for (size_t i = first; i < first + n && !rc; i++)
        rc = points_append(&revisions->history, points, i, revisions->trail.is_state);
    return rc;
}

static int take_history(struct revisions *revisions, size_t first, size_t n, uint64_t order)
{
    (void)order;
    return append_history(revisions, &revisions->points, first, n);
}

static int add_values(struct revisions *revisions, const struct layer *layer, uint64_t order)
{
    int rc = each_chunk(revisions, layer, ROLE_PLAIN, take_values, order);
    return rc ? rc : each_chunk(revisions, layer, ROLE_ISSUED, take_values, order);
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
static int settle_files(struct revisions *revisions, const struct layer *raw, const struct layer *open)
{
    struct points *history = &revisions->history;
    rows_clear(&revisions->rows);
    revisions->deletions.n = 0;
    int rc = each_chunk(revisions, raw, ROLE_REVISION, take_history, 0);
    rc = rc ? rc : add_values(revisions, raw, ORDER_BELOW);
    if (!rc && open->pooled)
        rc = window_file_deletions(open->file, revisions->trail.series_id, revisions->begin_us, revisions->end_us, open->mark,
                                   &revisions->deletions);
    rc = rc ? rc : rows_add_deletions(&revisions->rows, &revisions->deletions, revisions->begin_us, revisions->end_us,
                                      ORDER_DELETION);
    rc = rc ? rc : add_values(revisions, open, ORDER_ABOVE);
    size_t first = history->n;
    rc = rc ? rc : each_chunk(revisions, open, ROLE_REVISION, take_history, 0); /* to know which values came again */
    if (!rc && first < history->n) {
        struct points own = tail_of(history, first);
        rc = rows_mark_again(&revisions->rows, ORDER_ABOVE, &own);
    }
    rc = rc ? rc : rows_settle(&revisions->rows, &revisions->in_force);
    if (rc)
        return rc;
    const struct points *replaced = &revisions->in_force.revisions; /* below; it stands before the open file's own */
    history->n = first;
    rc = append_history(revisions, replaced, 0, replaced->n);
    return rc ? rc : each_chunk(revisions, open, ROLE_REVISION, take_history, 0);
}

static int add_stored(struct revisions *revisions, const struct layer *layer)
{
    return layer->pooled ? window_file_deletions(layer->file, revisions->trail.series_id, revisions->begin_us,
                                                 revisions->end_us, layer->mark, &revisions->stored)
                         : 0;
}

static size_t seek_end(const struct points *points, size_t first, int64_t end_us)
{
    return points_seek(points, first, end_us) - first;
}

/* What is not flushed yet over the files. */
static int settle_head(struct revisions *revisions, const struct settled *head)
{
    struct settled files = revisions->in_force;
    revisions->in_force = revisions->lower; /* for its memory */
    revisions->lower = files;
    const struct settled *lower = &revisions->lower;
    int64_t begin_us = revisions->begin_us, end_us = revisions->end_us;
    size_t plain = points_seek(&head->plain, 0, begin_us), issued = points_seek(&head->issued, 0, begin_us),
           old = points_seek(&head->revisions, 0, begin_us);
    rows_clear(&revisions->rows);
    int rc = rows_add_points(&revisions->rows, &lower->plain, 0, lower->plain.n, ORDER_BELOW);
    rc = rc ? rc : rows_add_points(&revisions->rows, &lower->issued, 0, lower->issued.n, ORDER_BELOW);
    rc = rc ? rc : rows_add_deletions(&revisions->rows, &revisions->stored, begin_us, end_us, ORDER_STORED_DELETION);
    rc = rc ? rc : rows_add_deletions(&revisions->rows, &head->deletions, begin_us, end_us, ORDER_DELETION);
    rc = rc ? rc : rows_add_points(&revisions->rows, &head->plain, plain, seek_end(&head->plain, plain, end_us), ORDER_ABOVE);
    rc = rc ? rc : rows_add_points(&revisions->rows, &head->issued, issued, seek_end(&head->issued, issued, end_us), ORDER_ABOVE);
    rc = rc ? rc : rows_mark_again(&revisions->rows, ORDER_ABOVE, &head->revisions);
    rc = rc ? rc : rows_settle(&revisions->rows, &revisions->in_force);
    const struct points *replaced = &revisions->in_force.revisions;
    rc = rc ? rc : append_history(revisions, replaced, 0, replaced->n);
    return rc ? rc : append_history(revisions, &head->revisions, old, seek_end(&head->revisions, old, end_us));
}

static bool has_rows(const struct points *points, int64_t begin_us, int64_t end_us)
{
    size_t i = points_seek(points, 0, begin_us);
    return i < points->n && points->t_us[i] < end_us;
}

/* Gathers the history of a source in the step. */
static int settle_place(struct revisions *revisions, const struct place *place)
{
    struct pool *pool = reader_dir_pool(revisions->trail.view->dir);
    struct window_files files = place_files(place, revisions->begin_us);
    const struct settled *head = &place->head;
    struct layer raw = {0}, open = {0};
    bool has_head = has_rows(&head->plain, revisions->begin_us, revisions->end_us) ||
                    has_rows(&head->issued, revisions->begin_us, revisions->end_us) ||
                    has_rows(&head->revisions, revisions->begin_us, revisions->end_us) || head->deletions.n;
    int rc = take_layer(revisions, place, files.raw, &raw);
    rc = rc ? rc : take_layer(revisions, place, files.open, &open);
    bool alone = !raw.has_revisions && !open.has_revisions && !has_head && !(raw.has_values && open.pooled);
    revisions->stored.n = 0;
    if (!rc && place->has_replayed) {
        rc = add_stored(revisions, &raw);
        rc = rc ? rc : add_stored(revisions, &open);
    }
    if (!rc && !alone) {
        rc = settle_files(revisions, &raw, &open);
        rc = rc || !has_head ? rc : settle_head(revisions, head);
    }
    if (raw.pooled)
        pool_give(pool, raw.pooled);
    if (open.pooled)
        pool_give(pool, open.pooled);
    return rc;
}

/* ---- handing out ---- */

/* Known-at of what is in force at a key; INT64_MIN where nothing is. */
static int64_t known_now(const struct settled *in_force, const struct key *key)
{
    const struct points *points = key->issued_us == ISSUED_NONE ? &in_force->plain : &in_force->issued;
    for (size_t i = points_seek(points, 0, key->t_us); i < points->n && points->t_us[i] == key->t_us; i++)
        if (points->issued_us[i] == key->issued_us)
            return points->known_ms[i];
    return INT64_MIN;
}

static bool same_key(const struct key *a, const struct key *b)
{
    return a->t_us == b->t_us && a->issued_us == b->issued_us;
}

/* A layer does not know what is below it, so that it may say again what was in force already. */
static bool says_again(const struct points *points, size_t before, size_t i)
{
    return points->quality[before] == points->quality[i] && points->period_us[before] == points->period_us[i] &&
           decimal_compare((struct decimal){points->m[before], points->e[before]},
                           (struct decimal){points->m[i], points->e[i]}) == 0;
}

/* Values without the marks, in order of time and then oldest first; each was in force until the next one was known. */
static int give(struct revisions *revisions, struct points *points)
{
    const struct points *history = &revisions->history;
    struct key *keys = NULL;
    int rc = keys_sort(history, &keys);
    rc = rc ? rc : array_grow(&revisions->until_ms, &revisions->until_cap, history->n, sizeof(*revisions->until_ms));
    for (size_t i = 0, next; i < history->n && !rc; i = next) {
        next = i + 1;
        while (next < history->n && same_key(&keys[next], &keys[i]) && says_again(history, keys[i].i, keys[next].i))
            next++;
        bool replaced = next < history->n && same_key(&keys[next], &keys[i]);
        if (history->quality[keys[i].i] & QUALITY_TAKEN_BACK)
            continue;
        revisions->until_ms[points->n] = replaced ? history->known_ms[keys[next].i] : known_now(&revisions->in_force, &keys[i]);
        rc = points_append(points, history, keys[i].i, revisions->trail.is_state);
    }
    free(keys);
    return rc;
}

int revisions_next(struct revisions *revisions, struct points *points, const int64_t **ret_until_ms)
{
    const struct trail *trail = &revisions->trail;
    points_clear(points);
    while (!points->n && revisions->step + 1 < trail->n_cuts) {
        revisions->begin_us = trail->cuts[revisions->step];
        revisions->end_us = trail->cuts[revisions->step + 1];
        int rc = 0;
        points_clear(&revisions->history);
        if (revisions->place_i < trail->n_places)
            rc = settle_place(revisions, &trail->places[revisions->place_i]);
        if (!rc && revisions->history.n)
            rc = give(revisions, points);
        if (rc)
            return rc;
        if (++revisions->place_i >= trail->n_places) {
            revisions->place_i = 0;
            revisions->step++;
        }
    }
    *ret_until_ms = revisions->until_ms;
    return points->n > 0;
}
