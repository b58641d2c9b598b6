#include <config.h>

#include "query/lane.h"

#include <stdlib.h>

#include "query/buckets.h"
#include "query/explain.h"
#include "query/needs.h"
#include "query/outcome.h"

struct lane {
    struct lane_options options;
    struct scan *scan;        /* raw: */
    struct points points;
    size_t next_point;
    struct buckets *buckets;  /* by step: */
    struct bucket bucket;
    struct explainer *explainer; /* NULL: nothing is to be explained */
    struct explained explained;
    struct exact exacts[AGG_N]; /* of percentiles */
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
    *ret_row = (struct row){points->t_us[i], points->quality[i], lane->values, NULL};
    return 1;
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
    int rc = buckets_next(lane->buckets, bucket);
    if (rc <= 0)
        return rc;
    for (size_t i = 0; i < lane->options.n_aggs; i++) {
        rc = outcome_of(bucket, lane->options.aggs[i], lane->options.info, &lane->exacts[i], &lane->values[i]);
        if (rc)
            return rc;
    }
    *ret_row = (struct row){.t_us = bucket->start_us, .values = lane->values};
    if (!lane->explainer)
        return 1;
    ret_row->explained = &lane->explained;
    rc = explain(lane);
    if (rc)
        return rc;
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
    explainer_close(lane->explainer);
    free(lane);
}
