#include <config.h>

#include "store/scan_known.h"

#include <stdlib.h>

#include "store/past.h"

/* Goes from cut to cut as a scan does, one window of each source at a time. There all is settled with its history, and of each
 * time and issue one version is picked; the picked ones are settled across the sources as a scan settles them. */

struct known {
    struct trail trail;
    struct knowledge knowledge;
    int64_t asof_ms;       /* of a known-at */
    struct past past;
    size_t step;
    /* scratch */
    struct rows rows;
    struct settled settled;
};

static int64_t to_ms(int64_t t_us)
{
    return t_us / 1000 - (t_us % 1000 < 0);
}

static bool is_early(const struct knowledge *knowledge, const struct points *points, size_t i)
{
    if (knowledge->lead_us == INT64_MIN)
        return true;
    return points->issued_us[i] != ISSUED_NONE && points->issued_us[i] <= points->t_us[i] - knowledge->lead_us;
}

bool knowledge_has(const struct knowledge *knowledge, const struct points *points, size_t i)
{
    bool known = points->issued_us[i] != ISSUED_NONE ? points->issued_us[i] <= knowledge->asof_us
                                                     : points->known_ms[i] <= to_ms(knowledge->asof_us);
    return known && is_early(knowledge, points, i);
}

/* The newest known-at by which something went that the files of [begin, end) had replaced; 0 none. */
static int64_t find_horizon(const struct trail *trail, int64_t begin_us, int64_t end_us)
{
    int64_t horizon_ms = 0;
    for (size_t p = 0; p < trail->n_places; p++) {
        const struct file_list *files = &trail->places[p].source->state->files->list;
        for (size_t f = 0; f < files->n; f++) {
            const struct file *file = &files->at[f];
            if (file->window.begin_us < end_us && file->window.end_us > begin_us && file->horizon_ms > horizon_ms)
                horizon_ms = file->horizon_ms;
        }
    }
    return horizon_ms;
}

int view_known_from(struct view *view, uint32_t series_id, int64_t begin_us, int64_t end_us, int64_t *ret_from_us)
{
    struct trail trail;
    int rc = trail_open(view, series_id, begin_us, end_us, &trail);
    if (rc)
        return rc;
    int64_t horizon_ms = find_horizon(&trail, begin_us, end_us);
    trail_close(&trail);
    *ret_from_us = horizon_ms ? horizon_ms * 1000 : INT64_MIN;
    return 0;
}

int known_open(struct view *view, uint32_t series_id, const struct scan_options *options, struct known **ret_known)
{
    struct known *known = calloc(1, sizeof(*known));
    if (!known)
        return ERR_NOMEM;
    known->knowledge = options->knowledge;
    known->asof_ms = to_ms(options->knowledge.asof_us);
    int rc = 0;
    if (options->begin_us < options->end_us)
        rc = trail_open(view, series_id, options->begin_us, options->end_us, &known->trail);
    if (!rc && known->trail.n_places &&
        known->asof_ms < find_horizon(&known->trail, options->begin_us, options->end_us))
        rc = ERR_EXPIRED;
    past_init(&known->past, &known->trail);
    known->rows.is_state = known->trail.is_state;
    if (rc) {
        known_close(known);
        return rc;
    }
    *ret_known = known;
    return 0;
}

void known_close(struct known *known)
{
    if (!known)
        return;
    past_free(&known->past);
    rows_free(&known->rows);
    settled_free(&known->settled);
    if (known->trail.view)
        trail_close(&known->trail);
    free(known);
}

/* ---- the version of a time and issue ---- */

/* The versions of one time and issue: rows [first, end) of the sorted history, and then what is in force, or NULL. */
struct versions {
    int64_t t_us, issued_us;
    const struct points *history, *now;
    const struct key *keys;
    size_t first, end, now_i;
};

/* The one that was in force as of then, or NULL. Times may go back, so that what is in force comes last and then the newest
 * known-at: as the horizon counts what is dropped. */
static const struct points *pick(const struct known *known, const struct versions *versions, size_t *ret_i)
{
    const struct points *history = versions->history, *now = versions->now;
    bool is_issued = versions->issued_us != ISSUED_NONE;
    *ret_i = versions->now_i;
    if (is_issued && versions->issued_us > known->knowledge.asof_us)
        return NULL;
    if (known->knowledge.asof_us == INT64_MAX || (now && now->known_ms[versions->now_i] <= known->asof_ms))
        return now;
    size_t i = versions->end;
    while (i > versions->first && versions->keys[i - 1].known_ms > known->asof_ms)
        i--;
    if (i == versions->first && !is_issued)
        return NULL;
    if (versions->first == versions->end) /* issued, and the store came to know it later */
        return now;
    i = i == versions->first ? i : i - 1;
    while (i > versions->first && past_says_again(history, versions->keys[i - 1].i, versions->keys[i].i))
        i--; /* it was known since then */
    *ret_i = versions->keys[i].i;
    return history->quality[*ret_i] & QUALITY_TAKEN_BACK ? NULL : history;
}

static int take(struct known *known, const struct versions *versions, uint64_t rank)
{
    size_t i;
    const struct points *points = pick(known, versions, &i);
    if (!points || !is_early(&known->knowledge, points, i))
        return 0;
    return rows_add_points(&known->rows, points, i, 1, rows_rank(points->known_ms[i], rank));
}

/* ---- from version to version of a source: three lists by (time, issue) ---- */

static bool comes_before(int64_t t_us, int64_t issued_us, const struct versions *versions)
{
    return t_us != versions->t_us ? t_us < versions->t_us : issued_us < versions->issued_us;
}

static void offer_now(const struct points *points, size_t i, struct versions *versions)
{
    if (i == points->n || !comes_before(points->t_us[i], points->issued_us[i], versions))
        return;
    versions->t_us = points->t_us[i];
    versions->issued_us = points->issued_us[i];
    versions->now = points;
    versions->now_i = i;
}

/* What comes next of the lists, each from its place on, which is moved; false at the end. */
static bool next_versions(const struct past *past, const struct key *keys, size_t places[static 3], struct versions *ret_versions)
{
    size_t n_keys = past->history.n;
    struct versions next = {.t_us = INT64_MAX, .issued_us = INT64_MAX, .history = &past->history, .keys = keys,
                            .first = places[2], .end = places[2]};
    offer_now(&past->in_force.plain, places[0], &next);
    offer_now(&past->in_force.issued, places[1], &next);
    if (places[2] < n_keys && comes_before(keys[places[2]].t_us, keys[places[2]].issued_us, &next)) {
        next.t_us = keys[places[2]].t_us;
        next.issued_us = keys[places[2]].issued_us;
        next.now = NULL;
    }
    if (next.t_us == INT64_MAX)
        return false;
    while (next.end < n_keys && keys[next.end].t_us == next.t_us && keys[next.end].issued_us == next.issued_us)
        next.end++;
    places[0] += next.now == &past->in_force.plain;
    places[1] += next.now == &past->in_force.issued;
    places[2] = next.end;
    *ret_versions = next;
    return true;
}

static int take_place(struct known *known, const struct place *place)
{
    const int64_t *cut = &known->trail.cuts[known->step];
    struct versions versions;
    struct key *keys;
    size_t places[3] = {0};
    int rc = past_settle(&known->past, place, cut[0], cut[1], true);
    rc = rc ? rc : keys_sort(&known->past.history, &keys);
    if (rc)
        return rc;
    while (!rc && next_versions(&known->past, keys, places, &versions))
        rc = take(known, &versions, place->rank);
    free(keys);
    return rc;
}

int known_next(struct known *known, struct points *points)
{
    struct trail *trail = &known->trail;
    points_clear(points);
    for (; !points->n && known->step + 1 < trail->n_cuts; known->step++) {
        int rc = 0;
        rows_clear(&known->rows);
        for (size_t p = 0; p < trail->n_places && !rc; p++)
            rc = take_place(known, &trail->places[p]);
        rc = rc ? rc : rows_settle(&known->rows, &known->settled);
        rc = rc ? rc : settled_in_force(&known->settled, trail->is_state, points);
        if (rc)
            return rc;
    }
    return points->n > 0;
}
