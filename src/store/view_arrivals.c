/* What arrived between two views, from the batches that the later one holds unflushed. */
#include <config.h>

#include "store/reader.h"

#include <stdlib.h>

#include "store/changes.h"
#include "store/view.h"

struct arrivals {
    struct view *now;
    int64_t *since;    /* the last batch that was seen of each source of now */
    size_t source, parcel, run; /* that come next */
    const struct parcel *at;    /* of the run at hand */
    const struct parcel_run *at_run;
    struct rows rows;
};

static const struct state *state_of(const struct view *view, int64_t source_id)
{
    for (size_t i = 0; i < view->n_sources; i++)
        if (view->sources[i].id == source_id)
            return view->sources[i].state;
    return NULL;
}

/* ERR_EXPIRED where a batch that was not seen is flushed already. */
static int find_since(struct arrivals *arrivals, const struct view *before)
{
    const struct view *now = arrivals->now;
    for (size_t i = 0; i < now->n_sources; i++) {
        const struct state *state = now->sources[i].state, *seen = state_of(before, now->sources[i].id);
        arrivals->since[i] = seen ? seen->last_batch : 0;
        if (state && state->last_batch > arrivals->since[i] && state->first_batch > arrivals->since[i] + 1)
            return ERR_EXPIRED;
    }
    return 0;
}

int arrivals_open(struct view *before, struct view *now, struct arrivals **ret_arrivals)
{
    struct arrivals *arrivals = calloc(1, sizeof(*arrivals));
    if (!arrivals)
        return ERR_NOMEM;
    arrivals->now = now;
    arrivals->since = calloc(now->n_sources + 1, sizeof(*arrivals->since));
    int rc = arrivals->since ? find_since(arrivals, before) : ERR_NOMEM;
    if (rc) {
        arrivals_close(arrivals);
        return rc;
    }
    *ret_arrivals = arrivals;
    return 0;
}

int arrivals_next(struct arrivals *arrivals, uint32_t *ret_series_id)
{
    const struct view *now = arrivals->now;
    for (; arrivals->source < now->n_sources; arrivals->source++, arrivals->parcel = 0) {
        const struct state *state = now->sources[arrivals->source].state;
        for (; state && arrivals->parcel < state->n_parcels; arrivals->parcel++, arrivals->run = 0) {
            const struct held_parcel *held = state->parcels[arrivals->parcel];
            if (held->n <= arrivals->since[arrivals->source] || arrivals->run == held->parcel.n_runs)
                continue;
            arrivals->at = &held->parcel;
            arrivals->at_run = &held->parcel.runs[arrivals->run++];
            *ret_series_id = arrivals->at_run->series_id;
            return 1;
        }
    }
    return 0;
}

int arrivals_read(struct arrivals *arrivals, enum kind kind, size_t *ret_n)
{
    rows_clear(&arrivals->rows);
    arrivals->rows.is_state = kind == KIND_STATE;
    struct quota *quota = arrivals->now->quota;
    int rc = quota_take_series(quota, arrivals->at_run->series_id, "");
    rc = rc ? rc : quota_take_points(quota, arrivals->at_run->n);
    rc = rc ? rc : parcel_rows(arrivals->at, arrivals->at_run, 0, &arrivals->rows);
    if (!rc)
        *ret_n = arrivals->rows.n;
    return rc;
}

struct arrival arrivals_at(const struct arrivals *arrivals, size_t i)
{
    const struct row *row = &arrivals->rows.at[i];
    unsigned quality = row->quality & QUALITY_CLASS_MASK;
    struct arrival arrival = {.t_us = row->t_us, .end_us = row->t_us + 1, .issued_us = row->issued_us,
                              .deleted = row->op != OP_VALUE,
                              .quality = quality < QUALITY_N ? (enum quality)quality : QUALITY_SUSPECT};
    if (row->op == OP_DELETE_RANGE)
        arrival.end_us = changes_row_end(row);
    if (arrivals->rows.is_state && !arrival.deleted)
        arrival.state = texts_at(&arrivals->rows.texts, row->m);
    else if (!arrival.deleted)
        arrival.value = (struct decimal){row->m, row->e};
    return arrival;
}

void arrivals_close(struct arrivals *arrivals)
{
    if (!arrivals)
        return;
    rows_free(&arrivals->rows);
    free(arrivals->since);
    free(arrivals);
}
