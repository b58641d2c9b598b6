#include <config.h>

#include "store/reader.h"

#include <stdlib.h>

#include "common/array.h"
#include "store/view.h"

#define LOST_SLICE_CELLS 16384 /* held in memory at once */

void spans_free(struct spans *spans)
{
    free(spans->rows);
    *spans = (struct spans){0};
}

int spans_add(struct spans *spans, int64_t begin_us, int64_t end_us)
{
    struct span *last = spans->n ? &spans->rows[spans->n - 1] : NULL;
    if (last && begin_us <= last->end_us) {
        last->end_us = end_us > last->end_us ? end_us : last->end_us;
        return 0;
    }
    if (array_grow(&spans->rows, &spans->cap, spans->n + 1, sizeof(*spans->rows)))
        return ERR_NOMEM;
    spans->rows[spans->n++] = (struct span){begin_us, end_us};
    return 0;
}

/* One request for cells, and the step at work. */
struct ask {
    struct trail trail;
    enum tier tier;
    struct cells *cells;
    struct spans *raw;
    struct spans dirty; /* of the step, in any order */
    struct spans gone;  /* of a series in several sources: the step's cells whose readings have expired */
    int64_t lost_us;    /* the end of the last of these that must not be used; INT64_MIN: all may */
    struct chunk_rows chunks;
};

/* Unlike spans_add it joins nothing: the order comes later. */
static int push_span(struct spans *spans, int64_t begin_us, int64_t end_us)
{
    if (begin_us >= end_us)
        return 0;
    if (array_grow(&spans->rows, &spans->cap, spans->n + 1, sizeof(*spans->rows)))
        return ERR_NOMEM;
    spans->rows[spans->n++] = (struct span){begin_us, end_us};
    return 0;
}

/* The cells that [begin, last] touches, within [low, high). */
static int mark_dirty(struct ask *ask, int64_t begin_us, int64_t last_us, int64_t low_us, int64_t high_us)
{
    int64_t width_us = tier_width_us[ask->tier];
    int64_t begin_cell = begin_us / width_us - (begin_us % width_us < 0);
    int64_t last_cell = last_us / width_us - (last_us % width_us < 0);
    int64_t from_us = begin_cell * width_us, to_us = (last_cell + 1) * width_us;
    return push_span(&ask->dirty, from_us > low_us ? from_us : low_us, to_us < high_us ? to_us : high_us);
}

static int mark_points(struct ask *ask, const struct points *points, int64_t low_us, int64_t high_us)
{
    int rc = 0;
    size_t i = points_seek(points, 0, low_us);
    while (i < points->n && points->t_us[i] < high_us && !rc) {
        /* readings at most a few cells apart make one span */
        size_t first = i;
        while (i + 1 < points->n && points->t_us[i + 1] < high_us &&
               points->t_us[i + 1] - points->t_us[i] <= 4 * tier_width_us[ask->tier])
            i++;
        rc = mark_dirty(ask, points->t_us[first], points->t_us[i], low_us, high_us);
        i++;
    }
    return rc;
}

static int mark_deletions(struct ask *ask, const struct deletions *deletions, int64_t low_us, int64_t high_us)
{
    int rc = 0;
    for (size_t i = 0; i < deletions->n && !rc; i++) {
        const struct deletion *deletion = &deletions->at[i];
        if (deletion->begin_us < high_us && deletion->end_us > low_us)
            rc = mark_dirty(ask, deletion->begin_us, deletion->end_us - 1, low_us, high_us);
    }
    return rc;
}

/* What the open file of a window has of the series, as dirty spans. */
static int mark_open(struct ask *ask, const struct place *place, const struct file *file, int64_t low_us,
                     int64_t high_us)
{
    struct pool *pool = reader_dir_pool(ask->trail.view->dir);
    struct pooled *pooled;
    struct deletions deletions = {0};
    int rc = pool_take(pool, place->source->folder, file, &pooled);
    if (rc)
        return rc;
    struct window_file *opened = pooled_window(pooled);
    for (enum role role = ROLE_PLAIN; role <= ROLE_ISSUED && !rc; role++) {
        rc = window_file_chunks(opened, ask->trail.series_id, role, low_us, high_us, file->mark, &ask->chunks);
        for (size_t i = 0; i < ask->chunks.n && !rc; i++)
            rc = mark_dirty(ask, ask->chunks.at[i].begin_us, ask->chunks.at[i].last_us, low_us, high_us);
    }
    if (!rc)
        rc = window_file_deletions(opened, ask->trail.series_id, low_us, high_us, file->mark, &deletions);
    if (!rc)
        rc = window_file_check_state(opened, file->mark);
    pool_give(pool, pooled);
    if (!rc)
        rc = mark_deletions(ask, &deletions, low_us, high_us);
    deletions_free(&deletions);
    return rc;
}

/* Cells of the sealed file; the whole step is dirty where the tier was not written for this series. */
static int read_sealed(struct ask *ask, const struct place *place, const struct window_files *files, int64_t low_us,
                       int64_t high_us)
{
    struct pool *pool = reader_dir_pool(ask->trail.view->dir);
    struct pooled *pooled;
    unsigned tiers = 0;
    if (!files->tier) /* the derivations were dropped */
        return push_span(&ask->dirty, low_us, high_us);
    int rc = pool_take(pool, place->source->folder, files->tier, &pooled);
    if (rc)
        return rc;
    rc = tier_file_tiers(pooled_tier(pooled), ask->trail.series_id, &tiers);
    rc = rc == ERR_NOTFOUND ? 0 : rc;
    if (!rc && tiers >> ask->tier & 1) {
        rc = tier_file_read(pooled_tier(pooled), ask->trail.series_id, ask->tier, low_us, high_us, ask->cells);
        pool_give(pool, pooled);
        return rc;
    }
    pool_give(pool, pooled);
    struct series_counts counts = {0};
    if (!rc && files->raw) /* else the readings have expired */
        rc = pool_counts(pool, place->source->folder, files->raw, ask->trail.series_id, &counts);
    return rc || !counts.n ? rc : mark_dirty(ask, counts.first_us, counts.last_us, low_us, high_us);
}

static int compare_spans(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    return x->begin_us < y->begin_us ? -1 : x->begin_us > y->begin_us;
}

/* Takes the cells from first on that lie in dirty spans out, and hands the spans over in order. */
static int settle_step(struct ask *ask, size_t first)
{
    struct spans *dirty = &ask->dirty;
    if (dirty->n)
        qsort(dirty->rows, dirty->n, sizeof(*dirty->rows), compare_spans);
    size_t n = first, span = 0;
    for (size_t i = first; i < ask->cells->n && dirty->n; i++) {
        int64_t begin_us = ask->cells->rows[i].begin_us;
        while (span < dirty->n && dirty->rows[span].end_us <= begin_us)
            span++;
        bool is_dirty = false;
        for (size_t s = span; s < dirty->n && dirty->rows[s].begin_us <= begin_us && !is_dirty; s++)
            is_dirty = dirty->rows[s].end_us > begin_us;
        if (!is_dirty)
            ask->cells->rows[n++] = ask->cells->rows[i];
    }
    if (dirty->n)
        ask->cells->n = n;
    int rc = 0;
    for (size_t i = 0; i < dirty->n && !rc; i++)
        rc = spans_add(ask->raw, dirty->rows[i].begin_us, dirty->rows[i].end_us);
    dirty->n = 0;
    return rc;
}

/* What one source has of the series in the step, as cells and dirty spans. */
static int ask_place(struct ask *ask, const struct place *place, int64_t low_us, int64_t high_us)
{
    struct window_files files = place_files(place, low_us);
    int rc = files.raw || files.tier ? read_sealed(ask, place, &files, low_us, high_us) : 0;
    if (!rc && files.open)
        rc = mark_open(ask, place, files.open, low_us, high_us);
    rc = rc ? rc : mark_points(ask, &place->head->settled.plain, low_us, high_us);
    rc = rc ? rc : mark_points(ask, &place->head->settled.issued, low_us, high_us);
    return rc ? rc : mark_deletions(ask, &place->head->settled.deletions, low_us, high_us);
}

static int note_gone(struct ask *ask, const struct place *place, size_t first, int64_t low_us)
{
    int rc = 0;
    if (low_us >= place->source->state->expired.raw_us) /* a step lies in one window, which expires as a whole */
        return 0;
    for (size_t i = first; i < ask->cells->n && !rc; i++) {
        int64_t begin_us = ask->cells->rows[i].begin_us;
        rc = push_span(&ask->gone, begin_us, begin_us + tier_width_us[ask->tier]);
    }
    return rc;
}

static int compare_cells(const void *a, const void *b)
{
    const struct cell *x = a, *y = b;
    return x->begin_us < y->begin_us ? -1 : x->begin_us > y->begin_us;
}

/* Brings the cells of several sources, from first on, into order. Where two share one, their readings have to be told apart. */
static int join_places(struct ask *ask, size_t first)
{
    struct cell *cells = ask->cells->rows;
    int rc = 0;
    bool in_order = true;
    for (size_t i = first + 1; i < ask->cells->n; i++)
        in_order = in_order && cells[i - 1].begin_us < cells[i].begin_us;
    if (in_order)
        return 0;
    qsort(&cells[first], ask->cells->n - first, sizeof(*cells), compare_cells);
    for (size_t i = first + 1; i < ask->cells->n && !rc; i++)
        if (cells[i - 1].begin_us == cells[i].begin_us)
            rc = push_span(&ask->dirty, cells[i].begin_us, cells[i].begin_us + tier_width_us[ask->tier]);
    return rc;
}

static bool covers(const struct spans *spans, int64_t t_us)
{
    size_t low = 0, high = spans->n;
    while (low < high) { /* the first span that ends after t_us */
        size_t middle = (low + high) / 2;
        if (spans->rows[middle].end_us <= t_us)
            low = middle + 1;
        else
            high = middle;
    }
    return low < spans->n && spans->rows[low].begin_us <= t_us;
}

static void note_lost(struct ask *ask)
{
    for (size_t i = 0; i < ask->gone.n; i++)
        if (ask->gone.rows[i].end_us > ask->lost_us && covers(ask->raw, ask->gone.rows[i].begin_us))
            ask->lost_us = ask->gone.rows[i].end_us;
    ask->gone.n = 0;
}

static int ask_step(struct ask *ask, int64_t low_us, int64_t high_us)
{
    const struct trail *trail = &ask->trail;
    size_t first = ask->cells->n;
    int rc = 0;
    for (size_t p = 0; p < trail->n_places && !rc; p++) {
        size_t own = ask->cells->n;
        rc = ask_place(ask, &trail->places[p], low_us, high_us);
        if (!rc && trail->n_places > 1)
            rc = note_gone(ask, &trail->places[p], own, low_us);
    }
    if (!rc && trail->n_places > 1)
        rc = join_places(ask, first);
    rc = rc ? rc : settle_step(ask, first);
    note_lost(ask);
    return rc;
}

static int ask_range(struct ask *ask, struct view *view, uint32_t series_id, int64_t begin_us, int64_t end_us)
{
    if (begin_us >= end_us)
        return 0;
    int rc = trail_open(view, series_id, begin_us, end_us, &ask->trail);
    if (rc)
        return rc;
    for (size_t i = 0; i + 1 < ask->trail.n_cuts && !rc && ask->trail.n_places; i++)
        rc = ask_step(ask, ask->trail.cuts[i], ask->trail.cuts[i + 1]);
    trail_close(&ask->trail);
    return rc;
}

static void ask_done(struct ask *ask)
{
    spans_free(&ask->dirty);
    spans_free(&ask->gone);
    chunk_rows_free(&ask->chunks);
}

int view_cells(struct view *view, uint32_t series_id, enum tier tier, int64_t begin_us, int64_t end_us,
               struct cells *cells, struct spans *ret_raw)
{
    struct ask ask = {.tier = tier, .cells = cells, .raw = ret_raw, .lost_us = INT64_MIN};
    int rc = ask_range(&ask, view, series_id, begin_us, end_us);
    ask_done(&ask);
    return rc;
}

int view_cells_lost(struct view *view, uint32_t series_id, enum tier tier, struct span range, int64_t *ret_lost_us)
{
    int64_t width_us = tier_width_us[tier], slice_us = LOST_SLICE_CELLS * width_us, from_us;
    struct cells cells = {0};
    struct spans raw = {0};
    struct ask ask = {.tier = tier, .cells = &cells, .raw = &raw, .lost_us = INT64_MIN};
    int rc = 0;
    for (int64_t to_us = range.end_us; to_us > range.begin_us && !rc && ask.lost_us == INT64_MIN; to_us = from_us) {
        from_us = to_us - range.begin_us > slice_us ? to_us - slice_us : range.begin_us;
        cells.n = raw.n = 0;
        rc = ask_range(&ask, view, series_id, from_us, to_us);
    }
    cells_free(&cells);
    spans_free(&raw);
    ask_done(&ask);
    if (!rc)
        *ret_lost_us = ask.lost_us;
    return rc;
}
