/* The buckets of one series over a range, one after the other, each with what its readings come to. Private to query. */
#ifndef QUERY_BUCKETS_H
#define QUERY_BUCKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/limits.h"
#include "model/squares.h"
#include "query/direction.h"
#include "query/feed.h"
#include "query/parts.h"
#include "query/path.h"
#include "query/range.h"
#include "query/tally.h"
#include "query/values.h"

struct buckets_options {
    const struct range *range;
    const struct series_info *info;
    bool has_tier;      /* fits the grid; used where the kind and the question let it */
    enum tier tier;
    int64_t begin_us;   /* start of the first bucket, which may lie before the range */
    int64_t end_us;     /* no bucket begins here or later: the start of one, or the range's end */
};

struct bucket {
    int64_t start_us;
    int64_t from_us, to_us; /* the part of it that lies in the range */
    uint64_t count;         /* readings taken in */
    uint64_t n_splits;      /* amounts that its edges cut */
    /* of the kind's: */
    struct tally tally;
    struct state_tally states;
    /* of what the question needs; pointers are valid until the next bucket: */
    struct direction direction;
    int64_t min_us, max_us;
    int64_t covered_us;
    const struct path_part *path; /* NULL: not needed, or of amounts */
    struct values *values;
    const struct squares *squares;
    bool from_tier, from_readings;
    bool is_filled;         /* an empty bucket has a value by the range's fill: */
    struct decimal filled;
    const char *filled_state;
};

struct buckets;

/* view and what the options point to must outlive it. Errors of the view; ERR_NOMEM. */
MUST_CHECK int buckets_open(struct view *view, const struct buckets_options *options, struct buckets **ret_buckets);

/* The next bucket of the answer, by the range's fill: 1, 0 at the end, or a code. ERR_LIMIT where percentiles of more than
 * VALUES_MAX values are asked for. */
MUST_CHECK int buckets_next(struct buckets *buckets, struct bucket *ret_bucket);

/* What its readings are read by. */
const struct feed_options *buckets_feed(const struct buckets *buckets);
void buckets_close(struct buckets *buckets);

#endif
