/* Positions, and what changed since one (docs/FORMAT.md, "A position"). */
#include <config.h>

#include "store/reader.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/civil.h"
#include "common/hash.h"
#include "store/changes.h"
#include "store/view.h"

#define POSITION_VERSION 1
#define POSITION_MAX (64 << 10) /* bytes of a position's text */
#define RANGES_MAX 64           /* of a series in an answer: then they are united */

#define ANY_BATCH 1             /* in an answer all are new alike, so that what lies close together is one range */

/* ---- positions ---- */

int view_write_position(struct view *view)
{
    struct buf bytes = {0};
    buf_putc(&bytes, POSITION_VERSION);
    buf_put(&bytes, reader_dir_tag(view->dir), POSITION_TAG_BYTES);
    for (size_t i = 0; i < view->n_sources; i++) {
        const struct state *state = view->sources[i].state;
        buf_put_varint(&bytes, (uint64_t)view->sources[i].id);
        buf_put_varint(&bytes, state ? (uint64_t)state->last_batch : 0);
        buf_put_varint(&bytes, state ? (uint64_t)(state->last_batch - state->synced_batch) : 0);
    }
    view->position = bytes.failed ? NULL : malloc(4 * (bytes.n + 2) / 3 + 2);
    if (view->position)
        hash_base64url(bytes.data, bytes.n, view->position);
    buf_free(&bytes);
    return view->position ? 0 : ERR_NOMEM;
}

/* The batch after which changes count, for each source of the view; -1: not named yet. */
struct since {
    int64_t *batches;
    size_t n;
};

static int read_source(const struct view *view, struct reader *in, struct since *since)
{
    uint64_t id = reader_varint(in), last = reader_varint(in), unsynced = reader_varint(in);
    for (size_t i = 0; i < view->n_sources && !in->failed; i++) {
        const struct state *state = view->sources[i].state;
        if ((uint64_t)view->sources[i].id != id)
            continue;
        bool known = last <= (uint64_t)(state ? state->last_batch : 0) && unsynced <= last;
        if (!known || since->batches[i] >= 0)
            return ERR_INVALID;
        since->batches[i] = (int64_t)(last - unsynced);
        return state && since->batches[i] < state->first_moment ? ERR_EXPIRED : 0;
    }
    return ERR_INVALID;
}

static int read_sources(const struct view *view, const uint8_t *bytes, size_t size, struct since *since)
{
    struct reader in = {bytes, bytes + size, false};
    if (reader_u8(&in) != POSITION_VERSION)
        return ERR_INVALID;
    const uint8_t *tag = reader_bytes(&in, POSITION_TAG_BYTES);
    if (!tag || memcmp(tag, reader_dir_tag(view->dir), POSITION_TAG_BYTES) != 0)
        return ERR_INVALID;
    int rc = 0;
    while (!rc && in.at < in.end)
        rc = read_source(view, &in, since);
    return rc;
}

/* Sources that the position does not know have changed wholly. */
static int read_position(const struct view *view, const char *position, struct since *since)
{
    size_t size = strlen(position);
    uint8_t *bytes = size <= POSITION_MAX ? malloc(size + 1) : NULL;
    since->n = view->n_sources;
    since->batches = malloc((since->n + 1) * sizeof(*since->batches));
    int rc = size > POSITION_MAX ? ERR_INVALID : bytes && since->batches ? 0 : ERR_NOMEM;
    for (size_t i = 0; i < since->n && !rc; i++)
        since->batches[i] = -1;
    if (!rc)
        rc = hash_from_base64url(position, size, bytes, &size);
    if (!rc)
        rc = read_sources(view, bytes, size, since);
    free(bytes);
    return rc;
}

/* ---- what changed ---- */

struct collection {
    struct view *view;
    struct changes *series; /* by id */
    size_t n_series;
    bool *is_state;         /* by id */
    int64_t since;          /* of the source at work */
    struct rows rows;       /* scratch */
};

static int note_entries(void *arg, uint32_t series_id, struct changes *changes)
{
    struct collection *all = arg;
    int rc = series_id < all->n_series ? 0 : ERR_CORRUPT;
    for (size_t i = 0; i < changes->n && !rc; i++) {
        struct change change = changes->at[i];
        bool is_new = change.batch > all->since;
        change.batch = ANY_BATCH;
        if (is_new)
            rc = changes_add_entry(&all->series[series_id], &change, RANGES_MAX);
    }
    return rc;
}

static int collect_file(struct collection *all, const struct view_source *source, const struct file *file)
{
    struct pool *pool = reader_dir_pool(all->view->dir);
    struct pooled *pooled;
    struct changes changes = {0};
    int rc = pool_take(pool, source->folder, file, &pooled);
    if (rc)
        return rc;
    rc = window_file_changed(pooled_window(pooled), &changes, note_entries, all);
    pool_give(pool, pooled);
    changes_free(&changes);
    return rc;
}

static int collect_parcel(struct collection *all, const struct held_parcel *held)
{
    int rc = 0;
    for (size_t r = 0; r < held->parcel.n_runs && !rc; r++) {
        const struct parcel_run *run = &held->parcel.runs[r];
        if (run->series_id >= all->n_series)
            return ERR_CORRUPT;
        rows_clear(&all->rows);
        all->rows.is_state = all->is_state[run->series_id];
        rc = parcel_rows(&held->parcel, run, 0, &all->rows);
        for (size_t i = 0; i < all->rows.n && !rc; i++)
            rc = changes_add(&all->series[run->series_id], all->rows.at[i].t_us, changes_row_end(&all->rows.at[i]),
                             ANY_BATCH, RANGES_MAX);
    }
    return rc;
}

static int collect_source(struct collection *all, const struct view_source *source)
{
    const struct state *state = source->state;
    const struct file_list *files = &state->files->list;
    int rc = 0;
    for (size_t i = 0; i < files->n && !rc; i++)
        if (files->at[i].kind != FILE_TIER && files->at[i].mark > all->since)
            rc = collect_file(all, source, &files->at[i]);
    for (size_t i = 0; i < state->n_parcels && !rc; i++)
        if (state->parcels[i]->n > all->since)
            rc = collect_parcel(all, state->parcels[i]);
    return rc;
}

/* ---- as rows ---- */

static int put_range(struct view_changes *changes, uint32_t series_id, const struct change *range)
{
    struct view_change *last = changes->n ? &changes->rows[changes->n - 1] : NULL;
    int64_t begin_us = range->begin_s * US_PER_SECOND, end_us = range->end_s * US_PER_SECOND;
    if (last && last->series_id == series_id && begin_us <= last->end_us + CHANGES_JOIN_S * US_PER_SECOND) {
        last->end_us = end_us > last->end_us ? end_us : last->end_us;
        return 0;
    }
    if (array_grow(&changes->rows, &changes->cap, changes->n + 1, sizeof(*changes->rows)))
        return ERR_NOMEM;
    changes->rows[changes->n++] = (struct view_change){series_id, begin_us, end_us};
    return 0;
}

static int put_ranges(struct collection *all, struct view_changes *ret_changes)
{
    int rc = 0;
    for (size_t id = 0; id < all->n_series && !rc; id++) {
        for (size_t i = 0; i < all->series[id].n && !rc; i++)
            rc = put_range(ret_changes, (uint32_t)id, &all->series[id].at[i]);
    }
    return rc;
}

static int collect(struct view *view, const struct since *since, struct view_changes *changes)
{
    struct collection all = {.view = view};
    int rc = reader_dir_states(view->dir, &all.is_state, &all.n_series);
    if (!rc && !(all.series = calloc(all.n_series + 1, sizeof(*all.series))))
        rc = ERR_NOMEM;
    for (size_t i = 0; i < since->n && !rc; i++) {
        all.since = since->batches[i] < 0 ? 0 : since->batches[i];
        if (view->sources[i].state)
            rc = collect_source(&all, &view->sources[i]);
    }
    rc = rc ? rc : put_ranges(&all, changes);
    for (size_t i = 0; i < all.n_series && all.series; i++)
        changes_free(&all.series[i]);
    free(all.series);
    free(all.is_state);
    rows_free(&all.rows);
    return rc;
}

void view_changes_free(struct view_changes *changes)
{
    free(changes->rows);
    *changes = (struct view_changes){0};
}

int view_changes(struct view *view, const char *position, struct view_changes *ret_changes)
{
    struct since since = {0};
    struct view_changes changes = {0};
    int rc = read_position(view, position, &since);
    if (!rc)
        rc = collect(view, &since, &changes);
    free(since.batches);
    if (rc) {
        view_changes_free(&changes);
        return rc;
    }
    *ret_changes = changes;
    return 0;
}
