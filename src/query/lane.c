#include <config.h>

#include "query/lane.h"

#include <stdlib.h>

#include "query/buckets.h"
#include "query/explain.h"
#include "query/needs.h"
#include "query/outcome.h"
#include "query/raw.h"

struct lane {
    struct lane_options options;
    struct raw *raw;          /* this, or by step: */
    struct buckets *buckets;
    struct bucket bucket;
    struct explainer *explainer; /* NULL: nothing is to be explained */
    struct explained explained;
    struct exact exacts[AGG_N]; /* of percentiles, and of what was converted */
    struct value values[AGG_N];
};

bool lane_may_use_tiers(const struct range *range, const struct series_info *info)
{
    return needs_let_tiers(range, info);
}

static int open_buckets(struct lane *lane, struct view *view)
{
    const struct lane_options *options = &lane->options;
    struct buckets_options buckets = {
        .range = options->range,
        .info = options->info,
        .has_tier = options->has_tier,
        .tier = options->tier,
        .begin_us = options->begin_us,
        .end_us = options->end_us,
    };
    int rc = buckets_open(view, &buckets, &lane->buckets);
    if (!rc && options->range->explain && buckets_feed(lane->buckets)->begin_us < options->end_us)
        rc = explainer_open(view, buckets_feed(lane->buckets), &lane->explainer);
    return rc;
}

static int open_raw(struct lane *lane, struct view *view)
{
    const struct lane_options *options = &lane->options;
    struct raw_options raw = {options->range,    options->info,   options->conversion,
                              options->begin_us, options->end_us, options->goes_on};
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

bool lane_has_points(const struct lane *lane)
{
    return lane->raw && raw_has_points(lane->raw);
}

int lane_next_points(struct lane *lane, size_t max, struct stretch *ret_stretch)
{
    return raw_next_points(lane->raw, max, ret_stretch);
}

static int explain(struct lane *lane)
{
    const struct bucket *bucket = &lane->bucket;
    const struct path_part *path = bucket->path;
    const struct range *range = lane->options.range;
    struct explained *explained = &lane->explained;
    *explained = (struct explained){
        .is_partial = bucket->from_us > bucket->start_us || grid_next_us(&range->grid, bucket->start_us) > bucket->to_us,
        .from_tier = bucket->from_tier,
        .from_readings = bucket->from_readings,
        .tier = lane->options.tier,
        .n_splits = bucket->n_splits,
        .is_filled = bucket->is_filled,
    };
    if (path) {
        explained->n_resets = path->findings.resets;
        explained->n_rollovers = path->findings.rollovers;
        explained->n_jitters = path->findings.jitters;
        explained->n_changes = path->findings.changes;
        explained->has_gap = path->has_gap;
        explained->has_spread = path->has_spread;
    }
    return explainer_take(lane->explainer, bucket->from_us, bucket->to_us, explained);
}

static int next_bucket(struct lane *lane, struct row *ret_row)
{
    struct bucket *bucket = &lane->bucket;
    struct outcome_options outcome = {lane->options.info, &lane->options.conversion};
    int rc = buckets_next(lane->buckets, bucket);
    if (rc <= 0)
        return rc;
    for (size_t i = 0; i < lane->options.n_aggs; i++) {
        rc = outcome_of(bucket, lane->options.aggs[i], &outcome, &lane->exacts[i], &lane->values[i]);
        if (rc)
            return rc;
    }
    *ret_row = (struct row){.t_us = bucket->start_us, .values = lane->values};
    if (!lane->explainer)
        return 1;
    ret_row->explained = &lane->explained;
    rc = explain(lane);
    return rc ? rc : 1;
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
    explainer_close(lane->explainer);
    free(lane);
}
