#include <config.h>

#include "query/neighbour.h"

#include <stdio.h>

#include "common/civil.h"
#include "query/tally.h"

#define STEP_BACK_US US_PER_HOUR        /* the first look back; each is four times as long as the one before */
#define READ_ALL_US (6 * US_PER_HOUR)   /* so much time is read through */

enum end { FIRST, LAST };

static int64_t round_down(const struct feed_options *feed, int64_t t_us)
{
    int64_t width_us = feed->has_tier ? tier_width_us[feed->tier] : 1, rest = t_us % width_us;
    return t_us - (rest < 0 ? rest + width_us : rest);
}

static void take_row(const struct points *points, size_t i, struct neighbour *ret)
{
    ret->seen = (struct seen){points->t_us[i], {points->m[i], points->e[i]}};
    if (points->texts.n) {
        snprintf(ret->state, sizeof(ret->state), "%s", texts_at(&points->texts, points->m[i]));
        ret->seen.value = (struct decimal){0, 0};
    }
}

/* The first or the last reading of a block that counts. */
static bool find_in_block(const struct block *block, enum end end, struct neighbour *ret)
{
    for (size_t n = 0; n < block->n; n++) {
        size_t i = end == FIRST ? n : block->n - 1 - n;
        if (block->points) {
            if (tally_leaves_out(block->points->quality[i]))
                continue;
            take_row(block->points, i, ret);
            return true;
        }
        const struct cell *cell = &block->cells[i];
        if (!cell->count)
            continue;
        ret->seen = end == FIRST ? (struct seen){cell->first_us, cell->first} : (struct seen){cell->last_us, cell->last};
        return true;
    }
    return false;
}

/* The first or the last one in [begin_us, end_us). */
static int find_in(struct view *view, const struct feed_options *like, int64_t begin_us, int64_t end_us, enum end end,
                   struct neighbour *ret)
{
    struct feed_options options = *like;
    struct feed *feed;
    struct block block;
    bool found = false;
    options.begin_us = begin_us;
    options.end_us = end_us;
    options.want = 0;
    int rc = feed_open(view, &options, &feed);
    if (rc)
        return rc;
    while (!(found && end == FIRST) && (rc = feed_next(feed, &block)) > 0)
        found |= find_in_block(&block, end, ret);
    feed_close(feed);
    return rc < 0 ? rc : found;
}

/* The last one in [begin_us, end_us), where there is one. */
static int narrow(struct view *view, const struct feed_options *feed, int64_t begin_us, int64_t end_us, struct neighbour *ret)
{
    while (end_us - begin_us > READ_ALL_US) {
        int64_t middle_us = round_down(feed, begin_us + (end_us - begin_us) / 2);
        int rc = find_in(view, feed, middle_us, end_us, FIRST, ret);
        if (rc < 0)
            return rc;
        *(rc ? &begin_us : &end_us) = middle_us;
    }
    return find_in(view, feed, begin_us, end_us, LAST, ret);
}

/* Of what was carried over from expired readings, the last one before t_us, if it is later than what is found already. */
static int look_at_carry(struct view *view, uint32_t series_id, int64_t t_us, bool found, struct neighbour *ret)
{
    struct points carry = {0};
    int rc = view_carry(view, series_id, &carry);
    for (size_t i = 0; i < carry.n && !rc; i++) {
        if (tally_leaves_out(carry.quality[i]) || carry.t_us[i] >= t_us || (found && carry.t_us[i] <= ret->seen.t_us))
            continue;
        take_row(&carry, i, ret);
        found = true;
    }
    points_free(&carry);
    return rc ? rc : found;
}

/* The time in which the store has readings, or cells of what has expired. */
static int find_extent(struct view *view, uint32_t series_id, int64_t *ret_begin_us, int64_t *ret_end_us)
{
    struct series_stats stats;
    struct span expired = {0};
    int rc = view_stats(view, series_id, &stats);
    rc = rc ? rc : view_expired(view, series_id, &expired);
    if (rc)
        return rc;
    bool has_expired = expired.begin_us < expired.end_us;
    *ret_begin_us = stats.count ? stats.first_us : CIVIL_END_US;
    *ret_end_us = stats.count ? stats.last_us + 1 : CIVIL_MIN_US;
    if (has_expired && expired.begin_us < *ret_begin_us)
        *ret_begin_us = expired.begin_us;
    if (has_expired && expired.end_us > *ret_end_us)
        *ret_end_us = expired.end_us;
    return 0;
}

int neighbour_before(struct view *view, const struct feed_options *feed, int64_t t_us, int64_t back_us,
                     struct neighbour *ret_neighbour)
{
    struct neighbour found = {0};
    int64_t begin_us, end_us;
    int rc = find_extent(view, feed->series_id, &begin_us, &end_us);
    if (rc)
        return rc;
    begin_us = round_down(feed, begin_us > back_us ? begin_us : back_us);
    if (end_us < t_us) /* a whole cell more than the last reading needs */
        end_us = round_down(feed, end_us) + (feed->has_tier ? tier_width_us[feed->tier] : 1);
    end_us = end_us < t_us ? end_us : t_us;
    for (int64_t step_us = STEP_BACK_US; begin_us < end_us && !rc; step_us *= 4) {
        int64_t from_us = end_us - begin_us <= step_us ? begin_us : round_down(feed, end_us - step_us);
        rc = find_in(view, feed, from_us, end_us, FIRST, &found);
        if (rc > 0)
            rc = narrow(view, feed, from_us, end_us, &found);
        end_us = from_us;
    }
    rc = rc < 0 ? rc : look_at_carry(view, feed->series_id, t_us, rc > 0, &found);
    if (rc > 0)
        *ret_neighbour = found;
    return rc;
}

int neighbour_from(struct view *view, const struct feed_options *feed, int64_t t_us, int64_t end_us,
                   struct neighbour *ret_neighbour)
{
    struct neighbour found = {0};
    int64_t begin_us, last_end_us;
    int rc = find_extent(view, feed->series_id, &begin_us, &last_end_us);
    if (rc)
        return rc;
    begin_us = begin_us > t_us ? begin_us : t_us;
    end_us = end_us < last_end_us ? end_us : last_end_us;
    if (feed->has_tier && t_us == round_down(feed, t_us)) { /* cells can only be had whole */
        begin_us = round_down(feed, begin_us);
        end_us = round_down(feed, end_us + tier_width_us[feed->tier] - 1);
    }
    rc = begin_us < end_us ? find_in(view, feed, begin_us, end_us, FIRST, &found) : 0;
    if (rc > 0)
        *ret_neighbour = found;
    return rc;
}
