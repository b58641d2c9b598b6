/* What of a series has expired, what is left, and what was carried over. */
#include <config.h>

#include "store/reader.h"

#include <stdlib.h>

#include "store/view.h"

/* A series in the sources of the view. */
struct places {
    const struct view_source **at;
    size_t n;
    bool is_state;
};

static int find_places(struct view *view, uint32_t series_id, struct places *ret_places)
{
    enum kind kind;
    int64_t *ids = NULL;
    size_t n_ids = 0;
    struct places places = {0};
    int rc = reader_dir_places(view->dir, series_id, &kind, &ids, &n_ids);
    if (rc)
        return rc;
    places.is_state = kind == KIND_STATE;
    places.at = calloc(n_ids + 1, sizeof(struct view_source *));
    for (size_t s = 0; s < view->n_sources && places.at; s++)
        for (size_t i = 0; i < n_ids; i++)
            if (view->sources[s].id == ids[i] && view->sources[s].state)
                places.at[places.n++] = &view->sources[s];
    free(ids);
    *ret_places = places;
    return places.at ? 0 : ERR_NOMEM;
}

/* What one source has carried over; *first_us INT64_MAX: nothing has expired. */
static int read_carry(struct view *view, uint32_t series_id, const struct view_source *source, struct points *points,
                      int64_t *ret_first_us)
{
    int64_t expired_us = source->state->expired.raw_us;
    *ret_first_us = INT64_MAX;
    return expired_us == INT64_MIN ? 0 : reader_dir_carry(view->dir, source->id, series_id, expired_us, points, ret_first_us);
}

/* Whether row a of points comes before row b of others: by time, then by known-at. */
static bool is_before(const struct points *points, size_t a, size_t b)
{
    return points->t_us[a] != points->t_us[b] ? points->t_us[a] < points->t_us[b] : points->known_ms[a] < points->known_ms[b];
}

/* The newest row of a quality class, or n. */
static size_t newest_of(const struct points *points, unsigned class)
{
    size_t newest = points->n;
    for (size_t i = 0; i < points->n; i++)
        if ((points->quality[i] & QUALITY_CLASS_MASK) == class && (newest == points->n || !is_before(points, i, newest)))
            newest = i;
    return newest;
}

/* Appends the newest of each class in time order. */
static int merge_carries(const struct points *all, bool is_state, struct points *points)
{
    size_t picked[QUALITY_N], n = 0;
    for (unsigned class = 0; class < QUALITY_N; class++) {
        size_t newest = newest_of(all, class), at = n;
        if (newest == all->n)
            continue;
        for (; at && is_before(all, newest, picked[at - 1]); at--)
            picked[at] = picked[at - 1];
        picked[at] = newest;
        n++;
    }
    int rc = 0;
    for (size_t i = 0; i < n && !rc; i++)
        rc = points_append(points, all, picked[i], is_state);
    return rc;
}

int view_carry(struct view *view, uint32_t series_id, struct points *points)
{
    struct places places = {0};
    struct points all = {0};
    int64_t first_us;
    int rc = find_places(view, series_id, &places);
    for (size_t i = 0; i < places.n && !rc; i++)
        rc = read_carry(view, series_id, places.at[i], &all, &first_us);
    if (!rc)
        rc = merge_carries(&all, places.is_state, points);
    points_free(&all);
    free(places.at);
    return rc;
}

/* The expired readings of one source: [first, last + 1); empty where there are none. */
static int expired_of(struct view *view, uint32_t series_id, const struct view_source *source, struct span *ret_span)
{
    struct points points = {0};
    struct span span = {0};
    int64_t first_us;
    int rc = read_carry(view, series_id, source, &points, &first_us);
    if (!rc && points.n)
        span = (struct span){first_us, first_us};
    for (size_t i = 0; i < points.n; i++)
        span.end_us = points.t_us[i] >= span.end_us ? points.t_us[i] + 1 : span.end_us;
    points_free(&points);
    *ret_span = span;
    return rc;
}

int view_expired(struct view *view, uint32_t series_id, struct span *ret_span)
{
    struct places places = {0};
    struct span all = {0};
    int rc = find_places(view, series_id, &places);
    for (size_t i = 0; i < places.n && !rc; i++) {
        struct span span;
        rc = expired_of(view, series_id, places.at[i], &span);
        if (rc || span.begin_us == span.end_us)
            continue;
        bool first = all.begin_us == all.end_us;
        all.begin_us = first || span.begin_us < all.begin_us ? span.begin_us : all.begin_us;
        all.end_us = first || span.end_us > all.end_us ? span.end_us : all.end_us;
    }
    free(places.at);
    if (!rc)
        *ret_span = all;
    return rc;
}

/* Moves *left_us behind the window of a tier file that lacks the tier for the series, though it had readings there. */
static int look_into(struct view *view, uint32_t series_id, const struct view_source *source, const struct file *file,
                     enum tier tier, int64_t *left_us)
{
    struct pool *pool = reader_dir_pool(view->dir);
    struct pooled *pooled;
    unsigned tiers;
    int rc = pool_take(pool, source->folder, file, &pooled);
    if (rc)
        return rc;
    rc = tier_file_tiers(pooled_tier(pooled), series_id, &tiers);
    pool_give(pool, pooled);
    if (!rc && !(tiers >> tier & 1))
        *left_us = file->window.end_us;
    return rc == ERR_NOTFOUND ? 0 : rc;
}

/* The same for [begin, end) of the time in which the series' readings have expired. */
static int find_left(struct view *view, uint32_t series_id, const struct view_source *source, enum tier tier,
                     int64_t begin_us, int64_t end_us, int64_t *ret_left_us)
{
    const struct state *state = source->state;
    const struct file_list *files = &state->files->list;
    int64_t raw_us = state->expired.raw_us, tier_us = state->expired.tier_us[tier];
    int64_t left_us = begin_us;
    int rc = 0;
    if (begin_us < tier_us)
        left_us = tier_us < raw_us ? tier_us : raw_us;
    for (size_t i = 0; i < files->n && !rc; i++) {
        const struct file *file = &files->at[i];
        if (file->kind == FILE_TIER && file->window.end_us <= raw_us && file->window.end_us > left_us &&
            file->window.begin_us < end_us)
            rc = look_into(view, series_id, source, file, tier, &left_us);
    }
    *ret_left_us = left_us;
    return rc;
}

/* Moves *left_us behind what has expired of several sources and cannot be told apart; gone is where readings have expired. */
static int leave_shared(struct view *view, uint32_t series_id, enum tier tier, struct span gone, int64_t *left_us)
{
    int64_t width_us = tier_width_us[tier], lost_us = INT64_MIN;
    gone.begin_us = *left_us > gone.begin_us ? *left_us : gone.begin_us;
    gone.begin_us -= (gone.begin_us % width_us + width_us) % width_us;
    gone.end_us += width_us - 1;
    gone.end_us -= (gone.end_us % width_us + width_us) % width_us;
    int rc = view_cells_lost(view, series_id, tier, gone, &lost_us);
    if (!rc && lost_us > *left_us)
        *left_us = lost_us;
    return rc;
}

int view_left(struct view *view, uint32_t series_id, const enum tier *tier, int64_t begin_us, int64_t end_us,
              int64_t *ret_left_us)
{
    struct places places = {0};
    struct span gone = {INT64_MAX, INT64_MIN};
    int64_t left_us = begin_us;
    int rc = find_places(view, series_id, &places);
    for (size_t i = 0; i < places.n && !rc; i++) {
        struct span span;
        int64_t source_us = begin_us;
        rc = expired_of(view, series_id, places.at[i], &span);
        span.begin_us = span.begin_us > begin_us ? span.begin_us : begin_us;
        span.end_us = span.end_us < end_us ? span.end_us : end_us;
        if (rc || span.begin_us >= span.end_us)
            continue;
        gone.begin_us = span.begin_us < gone.begin_us ? span.begin_us : gone.begin_us;
        gone.end_us = span.end_us > gone.end_us ? span.end_us : gone.end_us;
        if (tier)
            rc = find_left(view, series_id, places.at[i], *tier, span.begin_us, span.end_us, &source_us);
        else
            source_us = places.at[i]->state->expired.raw_us;
        if (source_us > left_us && source_us > span.begin_us)
            left_us = source_us;
    }
    if (!rc && tier && places.n > 1 && gone.begin_us < gone.end_us)
        rc = leave_shared(view, series_id, *tier, gone, &left_us);
    free(places.at);
    if (!rc)
        *ret_left_us = left_us;
    return rc;
}
