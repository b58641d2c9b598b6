#include <config.h>

#include "query/newest.h"

#include <stdio.h>

#include "common/civil.h"

#define STEP_BACK_US US_PER_HOUR    /* the first look back; each is four times as long as the one before */
#define READ_ALL_US (6 * US_PER_HOUR) /* so much time is read through */

static void take_row(const struct points *points, size_t i, struct newest *ret)
{
    unsigned quality = points->quality[i] & QUALITY_CLASS_MASK;
    *ret = (struct newest){.t_us = points->t_us[i], .quality = quality < QUALITY_N ? quality : QUALITY_SUSPECT};
    if (points->texts.n)
        snprintf(ret->state, sizeof(ret->state), "%s", texts_at(&points->texts, points->m[i]));
    else
        ret->value = (struct decimal){points->m[i], points->e[i]};
}

/* Whether there is a reading in [begin_us, end_us), and with ret the last one. */
static int look(struct view *view, uint32_t series_id, int64_t begin_us, int64_t end_us, struct newest *ret)
{
    struct points points = {0};
    struct scan *scan;
    bool found = false;
    int rc = scan_open(view, series_id, begin_us, end_us, 0, &scan);
    if (rc)
        return rc;
    while (!(found && !ret) && (rc = scan_next(scan, &points)) > 0) {
        if (points.n && ret)
            take_row(&points, points.n - 1, ret);
        found |= points.n > 0;
    }
    points_free(&points);
    scan_close(scan);
    return rc < 0 ? rc : found;
}

/* The last one in [begin_us, end_us), where there is one. */
static int narrow(struct view *view, uint32_t series_id, int64_t begin_us, int64_t end_us, struct newest *ret)
{
    while (end_us - begin_us > READ_ALL_US) {
        int64_t middle_us = begin_us + (end_us - begin_us) / 2;
        int rc = look(view, series_id, middle_us, end_us, NULL);
        if (rc < 0)
            return rc;
        *(rc ? &begin_us : &end_us) = middle_us;
    }
    return look(view, series_id, begin_us, end_us, ret);
}

static int search(struct view *view, uint32_t series_id, int64_t begin_us, int64_t end_us, struct newest *ret)
{
    for (int64_t step_us = STEP_BACK_US; begin_us < end_us; step_us *= 4) {
        int64_t from_us = end_us - begin_us <= step_us ? begin_us : end_us - step_us;
        int rc = look(view, series_id, from_us, end_us, NULL);
        if (rc)
            return rc < 0 ? rc : narrow(view, series_id, from_us, end_us, ret);
        end_us = from_us;
    }
    return 0;
}

/* Before every reading that is left. */
static int look_at_expired(struct view *view, uint32_t series_id, int64_t end_us, struct newest *ret)
{
    struct points carry = {0};
    struct span expired;
    int rc = view_expired(view, series_id, &expired);
    if (rc || expired.begin_us >= expired.end_us || end_us <= expired.begin_us)
        return rc;
    if (end_us < expired.end_us)
        return ERR_EXPIRED;
    rc = view_carry(view, series_id, &carry);
    if (!rc && carry.n)
        take_row(&carry, carry.n - 1, ret);
    rc = rc ? rc : carry.n > 0;
    points_free(&carry);
    return rc;
}

int newest_find(struct view *view, uint32_t series_id, const struct series_stats *stats, int64_t end_us,
                struct newest *ret_newest)
{
    if (!stats->count || stats->first_us >= end_us)
        return look_at_expired(view, series_id, end_us, ret_newest);
    if (stats->last_us < end_us)
        return look(view, series_id, stats->last_us, stats->last_us + 1, ret_newest);
    return search(view, series_id, stats->first_us, end_us, ret_newest);
}
