/* What is read of one series for a range: tier cells where the plan has a tier and the view lets them be used, readings
 * everywhere else, all in time order and in constant memory. Private to query. */
#ifndef QUERY_FEED_H
#define QUERY_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/reader.h"

struct feed_options {
    uint32_t series_id;
    bool has_tier;
    enum tier tier;             /* of cells that may take the place of readings */
    unsigned want;              /* columns of readings, enum points_want */
    bool is_sifted;             /* only readings, and cells with readings, that aggregates take in */
    int64_t begin_us, end_us;
};

/* The next stretch: either cells or readings, at least one. Valid until the next call. */
struct block {
    const struct cell *cells;
    const struct points *points; /* NULL: these are cells */
    size_t n;
};

struct feed;

/* The first instant of the range from which on nothing of what such a feed hands out has expired: begin_us when nothing has. */
MUST_CHECK int feed_left(struct view *view, const struct feed_options *options, int64_t *ret_left_us);

/* view must outlive the feed. Errors of the view; ERR_NOMEM. */
MUST_CHECK int feed_open(struct view *view, const struct feed_options *options, struct feed **ret_feed);
MUST_CHECK int feed_next(struct feed *feed, struct block *ret_block); /* 1, 0 at the end, or a code */
void feed_close(struct feed *feed);

#endif
