/* The buckets of one series over a range, one after the other, each with what its readings come to. Private to query. */
#ifndef QUERY_BUCKETS_H
#define QUERY_BUCKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "query/direction.h"
#include "query/feed.h"
#include "query/parts.h"
#include "query/range.h"
#include "query/tally.h"

struct buckets_options {
    const struct range *range;
    uint32_t series_id;
    enum kind kind;
    bool is_direction;  /* the mean of directions is asked for */
    bool has_tier;      /* fits the grid; used where the kind and the question let it */
    enum tier tier;
    int64_t begin_us;   /* start of the first bucket, which may lie before the range */
    int64_t end_us;     /* no bucket begins here or later: the start of one, or the range's end */
};

struct bucket {
    int64_t start_us;
    uint64_t count;     /* readings taken in */
    /* of the kind's: */
    struct tally tally;
    struct state_tally states;
    struct direction direction;
};

struct buckets;

/* view and the options' range must outlive it. Errors of the view; ERR_NOMEM. */
MUST_CHECK int buckets_open(struct view *view, const struct buckets_options *options, struct buckets **ret_buckets);

/* The next bucket of the answer, by the range's fill: 1, 0 at the end, or a code. */
MUST_CHECK int buckets_next(struct buckets *buckets, struct bucket *ret_bucket);
void buckets_close(struct buckets *buckets);

/* Whether a series of that kind and question can be served from tiers. */
bool buckets_may_use_tiers(enum kind kind, bool is_direction);

#endif
