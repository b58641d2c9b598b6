#include <config.h>

#include "store/reader.h"

#include <stdlib.h>

#include "common/array.h"
#include "store/past.h"

/* Goes from cut to cut as a scan does. What is in a window and source of a series is settled as a whole where there are
 * revisions or layers that may replace each other, which is rare; elsewhere nothing is read. */

struct revisions {
    struct trail trail;
    size_t step, place_i; /* what comes next */
    struct past past;     /* of the step at work */
    int64_t *until_ms;
    size_t until_cap;
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
    past_init(&revisions->past, &revisions->trail);
    *ret_revisions = revisions;
    return 0;
}

void revisions_close(struct revisions *revisions)
{
    if (!revisions)
        return;
    past_free(&revisions->past);
    free(revisions->until_ms);
    if (revisions->trail.view)
        trail_close(&revisions->trail);
    free(revisions);
}

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

/* Values without the marks, in order of time and then oldest first; each was in force until the next one was known. */
static int give(struct revisions *revisions, struct points *points)
{
    const struct points *history = &revisions->past.history;
    struct key *keys = NULL;
    int rc = keys_sort(history, &keys);
    rc = rc ? rc : array_grow(&revisions->until_ms, &revisions->until_cap, history->n, sizeof(*revisions->until_ms));
    for (size_t i = 0, next; i < history->n && !rc; i = next) {
        next = i + 1;
        while (next < history->n && same_key(&keys[next], &keys[i]) && past_says_again(history, keys[i].i, keys[next].i))
            next++;
        bool replaced = next < history->n && same_key(&keys[next], &keys[i]);
        if (history->quality[keys[i].i] & QUALITY_TAKEN_BACK)
            continue;
        revisions->until_ms[points->n] = replaced ? history->known_ms[keys[next].i]
                                                  : known_now(&revisions->past.in_force, &keys[i]);
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
        int rc = 0;
        if (revisions->place_i < trail->n_places)
            rc = past_settle(&revisions->past, &trail->places[revisions->place_i], trail->cuts[revisions->step],
                             trail->cuts[revisions->step + 1], false);
        if (!rc && revisions->past.history.n)
            rc = give(revisions, points);
        if (rc)
            return rc;
        if (++revisions->place_i >= trail->n_places) {
            revisions->place_i = 0;
            revisions->step++;
        }
    }
    *ret_until_ms = revisions->until_ms;
    int rc = points->n ? quota_take_points(trail->view->quota, points->n) : 0;
    return rc ? rc : points->n > 0;
}
