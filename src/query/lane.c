#include <config.h>

#include "query/lane.h"

#include <stdlib.h>

#include "query/agg.h"
#include "query/buckets.h"

#define MEAN_DIGITS 15

struct lane {
    struct lane_options options;
    struct scan *scan;        /* raw: */
    struct points points;
    size_t next_point;
    struct buckets *buckets;  /* by step: */
    struct bucket bucket;
    struct value values[AGG_N];
};

static bool asks_direction(const struct range *range, const struct series_info *info)
{
    bool mean = !range->n_aggs;
    for (size_t i = 0; i < range->n_aggs; i++)
        mean = mean || range->aggs[i] == AGG_MEAN;
    return mean && agg_is_direction(info);
}

bool lane_may_use_tiers(const struct range *range, const struct series_info *info)
{
    return buckets_may_use_tiers(info->kind, asks_direction(range, info));
}

static int open_buckets(struct lane *lane, struct view *view)
{
    const struct lane_options *options = &lane->options;
    struct buckets_options buckets = {
        .range = options->range,
        .series_id = options->info->id,
        .kind = options->info->kind,
        .is_direction = asks_direction(options->range, options->info),
        .has_tier = options->has_tier,
        .tier = options->tier,
        .begin_us = options->begin_us,
        .end_us = options->end_us,
    };
    return buckets_open(view, &buckets, &lane->buckets);
}

int lane_open(struct view *view, const struct lane_options *options, struct lane **ret_lane)
{
    struct lane *lane = calloc(1, sizeof(*lane));
    if (!lane)
        return ERR_NOMEM;
    lane->options = *options;
    int rc = options->range->raw ? scan_open(view, options->info->id, options->begin_us, options->end_us, 0, &lane->scan)
                                 : open_buckets(lane, view);
    if (rc) {
        lane_close(lane);
        return rc;
    }
    *ret_lane = lane;
    return 0;
}

int lane_next_points(struct lane *lane, size_t max, struct stretch *ret_stretch)
{
    struct points *points = &lane->points;
    if (lane->next_point == points->n) {
        lane->next_point = 0;
        int rc = scan_next(lane->scan, points);
        if (rc <= 0)
            return rc;
    }
    size_t begin = lane->next_point, n = points->n - begin;
    lane->next_point += n < max ? n : max;
    *ret_stretch = (struct stretch){points, begin, lane->next_point};
    return 1;
}

static int next_raw(struct lane *lane, struct row *ret_row)
{
    struct stretch stretch;
    int rc = lane_next_points(lane, 1, &stretch);
    if (rc <= 0)
        return rc;
    const struct points *points = stretch.points;
    size_t i = stretch.begin;
    if (lane->options.info->kind == KIND_STATE)
        lane->values[0] = (struct value){.type = VALUE_TEXT, .text = texts_at(&points->texts, points->m[i])};
    else
        lane->values[0] = (struct value){.type = VALUE_DECIMAL, .decimal = {points->m[i], points->e[i]}};
    *ret_row = (struct row){points->t_us[i], points->quality[i], lane->values};
    return 1;
}

static struct value decimal_value(struct decimal decimal)
{
    return (struct value){.type = VALUE_DECIMAL, .decimal = decimal_canonical(decimal)};
}

static int mean_value(const struct lane *lane, struct value *ret_value)
{
    const struct bucket *bucket = &lane->bucket;
    struct decimal mean;
    if (agg_is_direction(lane->options.info)) {
        *ret_value = direction_mean(&bucket->direction, &mean) ? decimal_value(mean) : (struct value){.type = VALUE_NULL};
        return 0;
    }
    int rc = exact_divide(&bucket->tally.sum, bucket->count, MEAN_DIGITS, &mean);
    if (!rc)
        *ret_value = decimal_value(mean);
    return rc;
}

/* One aggregate of a bucket that has readings. */
static int bucket_value(const struct lane *lane, enum agg agg, struct value *ret_value)
{
    const struct bucket *bucket = &lane->bucket;
    const struct tally *tally = &bucket->tally;
    bool is_state = lane->options.info->kind == KIND_STATE, is_first = agg == AGG_FIRST;
    if (agg == AGG_MEAN)
        return mean_value(lane, ret_value);
    if (agg == AGG_SUM)
        *ret_value = (struct value){.type = VALUE_EXACT, .exact = &tally->sum};
    else if (agg == AGG_MIN || agg == AGG_MAX)
        *ret_value = decimal_value(agg == AGG_MIN ? tally->min : tally->max);
    else if (is_state)
        *ret_value = (struct value){.type = VALUE_TEXT, .text = is_first ? bucket->states.first : bucket->states.last};
    else
        *ret_value = decimal_value(is_first ? tally->first : tally->last);
    return 0;
}

static int next_bucket(struct lane *lane, struct row *ret_row)
{
    struct bucket *bucket = &lane->bucket;
    int rc = buckets_next(lane->buckets, bucket);
    if (rc <= 0)
        return rc;
    for (size_t i = 0; i < lane->options.n_aggs; i++) {
        struct value *value = &lane->values[i];
        *value = (struct value){.type = VALUE_NULL};
        rc = 0;
        if (lane->options.aggs[i] == AGG_COUNT)
            *value = (struct value){.type = VALUE_COUNT, .count = bucket->count};
        else if (bucket->count)
            rc = bucket_value(lane, lane->options.aggs[i], value);
        if (rc)
            return rc;
    }
    *ret_row = (struct row){.t_us = bucket->start_us, .values = lane->values};
    return 1;
}

int lane_next(struct lane *lane, struct row *ret_row)
{
    return lane->scan ? next_raw(lane, ret_row) : next_bucket(lane, ret_row);
}

void lane_close(struct lane *lane)
{
    if (!lane)
        return;
    scan_close(lane->scan);
    points_free(&lane->points);
    buckets_close(lane->buckets);
    free(lane);
}
