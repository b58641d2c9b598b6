/* The rows of one series over a stretch of a range, raw or by its step. Private to query. */
#ifndef QUERY_LANE_H
#define QUERY_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "query/convert.h"
#include "query/range.h"
#include "store/reader.h"

struct lane_options {
    const struct range *range;
    const struct series_info *info;
    const enum agg *aggs;        /* the columns by step */
    size_t n_aggs;
    struct conversion conversion; /* of the series' values */
    bool goes_on;                /* an earlier page began the series */
    bool has_tier;               /* a tier fits the grid; used where the kind and the question let it */
    enum tier tier;
    int64_t begin_us;            /* raw: the first instant; by step: start of the first bucket, maybe before the range */
    int64_t end_us;              /* no row begins here or later; by step the start of a bucket, or the range's end */
};

struct lane;

/* view and what the options point to must outlive it. Errors of the view; ERR_NOMEM. */
MUST_CHECK int lane_open(struct view *view, const struct lane_options *options, struct lane **ret_lane);

/* The next row: 1, 0 at the end, or a code. Valid until the next call. */
MUST_CHECK int lane_next(struct lane *lane, struct row *ret_row);

/* Whether the rows are readings as they lie in memory: raw, none left out, none converted. */
bool lane_has_points(const struct lane *lane);
/* With lane_has_points: the next rows as they lie in memory, at most max (> 0); may be taken in turns with lane_next. 1, 0 at
 * the end, or a code. Valid until the next call. */
MUST_CHECK int lane_next_points(struct lane *lane, size_t max, struct stretch *ret_stretch);
void lane_close(struct lane *lane);

/* Whether such a series can be served from tiers. */
bool lane_may_use_tiers(const struct range *range, const struct series_info *info);

#endif
