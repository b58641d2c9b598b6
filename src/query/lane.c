#include <config.h>

#include "query/lane.h"

#include <stdlib.h>

#include "query/agg.h"
#include "query/buckets.h"
#include "query/raw.h"

#define MEAN_DIGITS 15

struct lane {
    struct lane_options options;
    struct raw *raw;          /* this, or by step: */
    struct buckets *buckets;
    struct bucket bucket;
    struct value values[AGG_N];
    struct exact rooms[AGG_N]; /* for converted ones */
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
    struct knowledge knowledge = range_knowledge(range);
    return buckets_may_use_tiers(info->kind, asks_direction(range, info)) && range_worst(range) == QUALITY_ESTIMATED &&
           knowledge_is_all(&knowledge);
}

static int open_buckets(struct lane *lane, struct view *view)
{
    const struct lane_options *options = &lane->options;
    struct buckets_options buckets = {
        .range = options->range,
        .series_id = options->info->id,
        .kind = options->info->kind,
        .is_direction = asks_direction(options->range, options->info),
        .has_tier = options->has_tier && lane_may_use_tiers(options->range, options->info),
        .tier = options->tier,
        .begin_us = options->begin_us,
        .end_us = options->end_us,
    };
    return buckets_open(view, &buckets, &lane->buckets);
}

static int open_raw(struct lane *lane, struct view *view)
{
    const struct lane_options *options = &lane->options;
    struct raw_options raw = {options->range, options->info, options->conversion, options->begin_us, options->goes_on};
    return raw_open(view, &raw, &lane->raw);
}

int lane_open(struct view *view, const struct lane_options *options, struct lane **ret_lane)
{
    struct lane *lane = calloc(1, sizeof(*lane));
    if (!lane)
        return ERR_NOMEM;
    lane->options = *options;
    int rc = options->range->raw ? open_raw(lane, view) : open_buckets(lane, view);
    if (rc) {
        lane_close(lane);
        return rc;
    }
    *ret_lane = lane;
    return 0;
}

static int mean_value(const struct lane *lane, struct exact *room, struct value *ret_value)
{
    const struct bucket *bucket = &lane->bucket;
    struct decimal mean;
    if (agg_is_direction(lane->options.info)) {
        *ret_value = (struct value){.type = VALUE_NULL};
        return direction_mean(&bucket->direction, &mean) ? conversion_value(&lane->options.conversion, mean, room, ret_value) : 0;
    }
    struct unit_quotient quotient = {&bucket->tally.sum, bucket->count, bucket->count, MEAN_DIGITS};
    return conversion_quotient(&lane->options.conversion, &quotient, ret_value);
}

/* Aggregate i of a bucket that has readings. */
static int bucket_value(struct lane *lane, size_t i, struct value *ret_value)
{
    const struct bucket *bucket = &lane->bucket;
    const struct tally *tally = &bucket->tally;
    const struct conversion *conversion = &lane->options.conversion;
    enum agg agg = lane->options.aggs[i];
    bool is_first = agg == AGG_FIRST;
    if (agg == AGG_MEAN)
        return mean_value(lane, &lane->rooms[i], ret_value);
    if (agg == AGG_SUM)
        return conversion_sum(conversion, &tally->sum, tally->count, &lane->rooms[i], ret_value);
    if (agg == AGG_MIN || agg == AGG_MAX)
        return conversion_value(conversion, agg == AGG_MIN ? tally->min : tally->max, &lane->rooms[i], ret_value);
    if (lane->options.info->kind != KIND_STATE)
        return conversion_value(conversion, is_first ? tally->first : tally->last, &lane->rooms[i], ret_value);
    *ret_value = (struct value){.type = VALUE_TEXT, .text = is_first ? bucket->states.first : bucket->states.last};
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
            rc = bucket_value(lane, i, value);
        if (rc)
            return rc;
    }
    *ret_row = (struct row){.t_us = bucket->start_us, .values = lane->values};
    return 1;
}

int lane_next(struct lane *lane, struct row *ret_row)
{
    return lane->raw ? raw_next(lane->raw, ret_row) : next_bucket(lane, ret_row);
}

void lane_close(struct lane *lane)
{
    if (!lane)
        return;
    raw_close(lane->raw);
    buckets_close(lane->buckets);
    free(lane);
}
