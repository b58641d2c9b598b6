/* The way of a series through its buckets: what lies between readings. Time covered, integrals and increases of a bucket, in
 * which the readings on both sides of it have their part (contract section 5, definitions 6 to 8). Exact: stretches that an edge
 * cuts are kept as fractions until the one division. Private to query.
 *
 * A stretch between two consecutive readings that lie max_gap or less apart is covered; a longer one is not at all. */
#ifndef QUERY_PATH_H
#define QUERY_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/registry.h"
#include "query/gain.h"
#include "rollup/bucket.h"
#include "rollup/cell.h"

struct path_options {
    enum kind kind;
    bool is_step;                     /* a gauge that holds its value; else it runs linearly */
    bool is_spread;                   /* what a counter gained over an edge is spread over the time it took, up to max_gap */
    int64_t max_gap_us;
    const struct declared *declared;  /* of a counter; may be NULL */
    const struct grid *grid;
};

/* What a bucket has. */
struct path_part {
    int64_t begin_us, end_us;
    int64_t covered_us;
    struct exact twice;        /* twice the integral over whole stretches and held values, value times microseconds */
    struct cut {
        struct exact twice;    /* the same over a stretch that an edge cuts, times divisor_us */
        int64_t divisor_us;
    } cuts[2];
    size_t n_cuts;
    struct exact increase;
    bool has_increase;         /* a difference was booked */
    bool has_gap;              /* one that came about while whole buckets saw no reading */
    bool has_spread;           /* a share of one that is spread over buckets */
    struct findings findings;
};

/* Zeroed but for the options it is at the start of a series. */
struct path {
    struct path_options options;
    bool has_before;
    struct seen before;        /* the reading that came last */
    struct path_part part;
};

/* A bucket's part of [begin_us, end_us) begins. */
void path_begin(struct path *path, int64_t begin_us, int64_t end_us);

/* The next reading; it lies in the bucket. One exactly at the bucket's begin closes the bucket before. */
void path_reach(struct path *path, struct seen reading);

/* The same for all readings of a cell that was computed with this max_gap, or of a counter of which no covered time is asked. */
void path_take(struct path *path, const struct cell *cell);

/* The bucket ends: after is the next reading, at its end or later; NULL: none, or none of interest. */
void path_end(struct path *path, const struct seen *after);

/* The integral over covered time divided by it, and the integral in units of value times hours, rounded once: 1, or 0 where no
 * time is covered, or ERR_LIMIT. */
MUST_CHECK int path_average(const struct path_part *part, int digits, struct decimal *ret_average);
MUST_CHECK int path_integral(const struct path_part *part, int digits, struct decimal *ret_integral);

/* The value at t_us on the line between two readings, from.t_us <= t_us <= to.t_us. ERR_LIMIT. */
MUST_CHECK int path_between(struct seen from, struct seen to, int64_t t_us, int digits, struct decimal *ret_value);

#endif
