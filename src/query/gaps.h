/* Completeness of one series (contract section 4, /v1/gaps): which of the slots of its cadence have a reading. A slot is a
 * bucket of the grid of the cadence, and has its reading by its place, not by counting: two readings in one slot do not stand
 * for the one that its neighbour lacks.
 *
 * The slots that begin in the range are of three sorts: never expected, before the one of the series' first reading; awaited,
 * whose end is not past yet and which have no reading; and expected, all others, each received or missing. Amounts count at
 * the begin of their period. */
#ifndef QUERY_GAPS_H
#define QUERY_GAPS_H

#include <stdint.h>

#include "rollup/bucket.h"
#include "store/reader.h"

struct gaps_options {
    const struct grid *grid;
    int64_t begin_us, end_us; /* the range */
    int64_t now_us;
};

struct gaps_counts {
    int64_t never, expected, received, awaited; /* slots */
};

struct gaps;

/* view and what the options point to must outlive it. Errors of the view; ERR_NOMEM. */
MUST_CHECK int gaps_open(struct view *view, const struct series_info *info, const struct gaps_options *options,
                         struct gaps **ret_gaps);

/* The next run of missing slots, from the begin of the first to the end of the last: 1, 0 behind the last, or a code. */
MUST_CHECK int gaps_next(struct gaps *gaps, struct span *ret_missing);

/* After the last run. */
struct gaps_counts gaps_counts(const struct gaps *gaps);
void gaps_close(struct gaps *gaps);

/* The cadence that the readings of an interval series state themselves: the period of the first one in the range, 0 where there
 * is none. Errors of the view; ERR_NOMEM. */
MUST_CHECK int gaps_period(struct view *view, const struct series_info *info, int64_t begin_us, int64_t end_us,
                           int64_t *ret_period_us);

#endif
