#include <config.h>

#include "store/view.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"

struct window_files place_files(const struct place *place, int64_t t_us)
{
    const struct file_list *files = &place->source->state->files->list;
    struct window_files found = {0};
    size_t low = 0, high = files->n;
    while (low < high) { /* the first file whose window ends after t_us */
        size_t middle = (low + high) / 2;
        if (files->at[middle].window.end_us <= t_us)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t i = low; i < files->n && files->at[i].window.begin_us <= t_us; i++) {
        const struct file *file = &files->at[i];
        *(file->kind == FILE_RAW ? &found.raw : file->kind == FILE_OPEN ? &found.open : &found.tier) = file;
    }
    return found;
}

/* The runs of a series in the batches that are not flushed. */
struct runs {
    struct found {
        size_t parcel_i;
        const struct parcel_run *run;
    } *at;
    size_t n, cap;
    size_t n_rows;
};

static int find_runs(const struct state *state, uint32_t series_id, struct runs *runs)
{
    for (size_t i = 0; i < state->n_parcels; i++) {
        const struct parcel_run *run = parcel_find(&state->parcels[i]->parcel, series_id);
        if (!run)
            continue;
        if (array_grow(&runs->at, &runs->cap, runs->n + 1, sizeof(*runs->at)))
            return ERR_NOMEM;
        runs->at[runs->n++] = (struct found){i, run};
        runs->n_rows += run->n;
    }
    return 0;
}

/* Whether a row concerns a time within the trail. */
static bool concerns(const struct trail *trail, const struct row *row)
{
    int64_t row_end_us = row->op == OP_DELETE_RANGE ? row->t_us + row->period_us : row->t_us + 1;
    return row->t_us < trail->end_us && row_end_us > trail->begin_us;
}

/* The rows of the runs, all of them or those that concern the trail, settled. */
static int settle_head(const struct trail *trail, const struct state *state, const struct runs *runs, bool is_whole,
                       struct head *head)
{
    struct rows rows = {.is_state = trail->is_state, .is_layer = true};
    int rc = 0;
    for (size_t i = 0; i < runs->n && !rc; i++) {
        const struct found *found = &runs->at[i];
        size_t first = rows.n, n = first;
        rc = parcel_rows(&state->parcels[found->parcel_i]->parcel, found->run, (uint64_t)(found->parcel_i + 1) << 32, &rows);
        for (size_t r = first; r < rows.n && !rc; r++) {
            if (!is_whole && !concerns(trail, &rows.at[r]))
                continue;
            head->has_replayed = head->has_replayed || rows.at[r].replayed;
            rows.at[n++] = rows.at[r];
        }
        rows.n = rc ? rows.n : n;
    }
    rows_drop_before(&rows, state->expired.raw_us);
    if (!rc)
        rc = rows_settle(&rows, &head->settled);
    rows_free(&rows);
    return rc;
}

/* A small head is made as a whole, and kept for who asks next. */
static int load_head(const struct trail *trail, struct place *place)
{
    const struct state *state = place->source->state;
    struct runs runs = {0};
    place->head = heads_take(state->heads, trail->series_id);
    if (place->head)
        return 0;
    place->head = head_new(trail->series_id);
    int rc = place->head ? find_runs(state, trail->series_id, &runs) : ERR_NOMEM;
    bool is_whole = runs.n_rows <= HEADS_ROWS_MAX;
    rc = rc ? rc : settle_head(trail, state, &runs, is_whole, place->head);
    if (!rc && is_whole)
        heads_keep(state->heads, place->head);
    free(runs.at);
    return rc;
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* The edges of all windows within the range, so that between two of them each file holds all of the time or nothing. */
static int find_cuts(struct trail *trail)
{
    size_t n = 2;
    for (size_t p = 0; p < trail->n_places; p++)
        n += 2 * trail->places[p].source->state->files->list.n;
    trail->cuts = malloc(n * sizeof(*trail->cuts));
    if (!trail->cuts)
        return ERR_NOMEM;
    n = 0;
    trail->cuts[n++] = trail->begin_us;
    for (size_t p = 0; p < trail->n_places; p++) {
        const struct file_list *files = &trail->places[p].source->state->files->list;
        for (size_t f = 0; f < files->n; f++) {
            int64_t edges[2] = {files->at[f].window.begin_us, files->at[f].window.end_us};
            for (int e = 0; e < 2; e++)
                if (edges[e] > trail->begin_us && edges[e] < trail->end_us)
                    trail->cuts[n++] = edges[e];
        }
    }
    trail->cuts[n++] = trail->end_us;
    qsort(trail->cuts, n, sizeof(*trail->cuts), compare_times);
    trail->n_cuts = 0;
    for (size_t i = 0; i < n; i++)
        if (!i || trail->cuts[i] != trail->cuts[i - 1])
            trail->cuts[trail->n_cuts++] = trail->cuts[i];
    return 0;
}

static int find_places(struct trail *trail)
{
    struct view *view = trail->view;
    enum kind kind;
    int64_t *ids = NULL;
    size_t n_ids = 0;
    int rc = quota_take_series(view->quota, trail->series_id, "");
    rc = rc ? rc : reader_dir_places(view->dir, trail->series_id, &kind, &ids, &n_ids);
    if (rc)
        return rc;
    trail->is_state = kind == KIND_STATE;
    trail->is_interval = kind == KIND_INTERVAL;
    trail->places = calloc(n_ids + 1, sizeof(*trail->places));
    rc = trail->places ? 0 : ERR_NOMEM;
    for (size_t s = 0; s < view->n_sources && !rc; s++)
        for (size_t i = 0; i < n_ids; i++)
            if (view->sources[s].id == ids[i] && view->sources[s].state)
                trail->places[trail->n_places++] = (struct place){.source = &view->sources[s], .rank = s};
    free(ids);
    return rc;
}

int trail_open_places(struct view *view, uint32_t series_id, struct trail *ret_trail)
{
    struct trail trail = {.view = view, .series_id = series_id};
    int rc = find_places(&trail);
    if (rc)
        trail_close(&trail);
    else
        *ret_trail = trail;
    return rc;
}

int trail_open(struct view *view, uint32_t series_id, int64_t begin_us, int64_t end_us, struct trail *ret_trail)
{
    struct trail trail = {.view = view, .series_id = series_id, .begin_us = begin_us, .end_us = end_us};
    int rc = find_places(&trail);
    for (size_t p = 0; p < trail.n_places && !rc; p++)
        rc = load_head(&trail, &trail.places[p]);
    if (!rc)
        rc = find_cuts(&trail);
    if (rc) {
        trail_close(&trail);
        return rc;
    }
    *ret_trail = trail;
    return 0;
}

void trail_close(struct trail *trail)
{
    for (size_t p = 0; p < trail->n_places; p++)
        head_drop(trail->places[p].head);
    free(trail->places);
    free(trail->cuts);
    *trail = (struct trail){0};
}
