#include <config.h>

#include "query/lane.h"

#include <stdlib.h>

#include "query/buckets.h"
#include "query/needs.h"
#include "query/outcome.h"

struct lane {
    struct lane_options options;
    struct scan *scan;        /* raw: */
    struct points points;
    size_t next_point;
    struct buckets *buckets;  /* by step: */
    struct bucket bucket;
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

static int next_raw(struct lane *lane, struct row *ret_row)
{
    struct points *points = &lane->points;
    if (lane->next_point == points->n) {
        lane->next_point = 0;
        int rc = scan_next(lane->scan, points);
        if (rc <= 0)
            return rc;
    }
    size_t i = lane->next_point++;
    if (lane->options.info->kind == KIND_STATE)
        lane->values[0] = (struct value){.type = VALUE_TEXT, .text = texts_at(&points->texts, points->m[i])};
    else
        lane->values[0] = (struct value){.type = VALUE_DECIMAL, .decimal = {points->m[i], points->e[i]}};
    *ret_row = (struct row){points->t_us[i], points->quality[i], lane->values};
    return 1;
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
