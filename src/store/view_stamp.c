/* What tells apart two states of a stretch of a series, without reading it: the newest batch that changed it. */
#include <config.h>

#include "store/reader.h"

#include "common/civil.h"
#include "store/changes.h"
#include "store/view.h"

struct stamp {
    struct trail *trail;         /* its places only */
    int64_t begin_us, end_us;
    int64_t files_begin_us;      /* windows that end before it have nothing of that time */
    int64_t batch;               /* of the source at work: the newest so far; 0 none */
    uint32_t check;              /* of a batch that is not flushed: its sum */
    struct changes changes;      /* scratch */
    struct rows rows;
};

static bool is_inside(const struct stamp *stamp, int64_t begin_us, int64_t end_us)
{
    return begin_us < stamp->end_us && end_us > stamp->begin_us;
}

static int64_t seconds_to_us(int64_t s)
{
    int64_t us;
    return __builtin_mul_overflow(s, US_PER_SECOND, &us) ? s < 0 ? INT64_MIN : INT64_MAX : us;
}

/* An open file may be some flushes ahead of the view. What a later batch changed there may have been noted anew, so that
 * the view's own note is lost: then every change of the source counts. */
static int stamp_file(struct stamp *stamp, const struct place *place, const struct file *file)
{
    const struct state *state = place->source->state;
    struct pool *pool = reader_dir_pool(stamp->trail->view->dir);
    struct pooled *pooled;
    int rc = pool_take(pool, place->source->folder, file, &pooled);
    if (rc)
        return rc;
    stamp->changes.n = 0;
    rc = window_file_changes(pooled_window(pooled), stamp->trail->series_id, &stamp->changes);
    pool_give(pool, pooled);
    for (size_t i = 0; i < stamp->changes.n && !rc; i++) {
        const struct change *change = &stamp->changes.at[i];
        if (!is_inside(stamp, seconds_to_us(change->begin_s), seconds_to_us(change->end_s)))
            continue;
        int64_t batch = change->batch > state->last_batch ? state->last_batch : change->batch;
        stamp->batch = batch > stamp->batch ? batch : stamp->batch;
    }
    return rc;
}

static int stamp_parcel(struct stamp *stamp, const struct held_parcel *held)
{
    const struct parcel_run *run = parcel_find(&held->parcel, stamp->trail->series_id);
    if (!run || held->n <= stamp->batch)
        return 0;
    rows_clear(&stamp->rows);
    stamp->rows.is_state = stamp->trail->is_state;
    int rc = parcel_rows(&held->parcel, run, 0, &stamp->rows);
    for (size_t i = 0; i < stamp->rows.n && !rc; i++) {
        if (!is_inside(stamp, stamp->rows.at[i].t_us, changes_row_end(&stamp->rows.at[i])))
            continue;
        stamp->batch = held->n;
        struct reader tail = {held->parcel.data + held->parcel.size - 4, held->parcel.data + held->parcel.size, false};
        stamp->check = reader_u32(&tail);
        break;
    }
    return rc;
}

static int stamp_place(struct stamp *stamp, const struct place *place, struct buf *out)
{
    const struct state *state = place->source->state;
    const struct file_list *files = &state->files->list;
    int rc = 0;
    stamp->batch = 0;
    stamp->check = 0;
    for (size_t i = 0; i < files->n && !rc; i++) {
        const struct file *file = &files->at[i];
        if (file->kind != FILE_TIER && file->mark > stamp->batch && file->window.begin_us < stamp->end_us &&
            file->window.end_us > stamp->files_begin_us)
            rc = stamp_file(stamp, place, file);
    }
    for (size_t i = state->n_parcels; i-- > 0 && !rc;)
        rc = stamp_parcel(stamp, state->parcels[i]);
    buf_put_varint(out, (uint64_t)place->source->id);
    buf_put_varint(out, (uint64_t)stamp->batch);
    buf_put_u32(out, stamp->check);
    return rc;
}

int view_stamp(struct view *view, uint32_t series_id, int64_t begin_us, int64_t end_us, struct buf *out)
{
    struct trail trail;
    int rc = trail_open_places(view, series_id, &trail);
    if (rc)
        return rc;
    struct stamp stamp = {.trail = &trail, .begin_us = begin_us, .end_us = end_us, .files_begin_us = begin_us};
    if (trail.is_interval) /* periods reach into later windows */
        stamp.files_begin_us = begin_us < CIVIL_MIN_US + VIEW_STAMP_BACK_US ? CIVIL_MIN_US : begin_us - VIEW_STAMP_BACK_US;
    buf_put(out, reader_dir_tag(view->dir), POSITION_TAG_BYTES);
    for (size_t p = 0; p < trail.n_places && !rc; p++)
        rc = stamp_place(&stamp, &trail.places[p], out);
    changes_free(&stamp.changes);
    rows_free(&stamp.rows);
    trail_close(&trail);
    return rc ? rc : out->failed ? ERR_NOMEM : 0;
}
