/* What the aggregates that are asked of a series need beyond the usual ones, which cost no more for it. Private to query. */
#ifndef QUERY_NEEDS_H
#define QUERY_NEEDS_H

#include <stdbool.h>
#include <stdint.h>

#include "query/range.h"

enum need {
    NEED_COVER = 1,      /* time covered and integrals */
    NEED_GAIN = 2,       /* increases */
    NEED_TIMES = 4,      /* when the least and the greatest value were */
    NEED_SQUARES = 8,
    NEED_VALUES = 16,    /* all of a bucket at once */
    NEED_DIRECTION = 32, /* the mean of vectors */
    NEED_SIDES = 64,     /* readings on both sides of empty buckets, to fill them */
};

/* A set of enum need. */
unsigned needs_of(const struct range *range, const struct series_info *info);

/* Readings further apart are not bridged: the range's max_gap, else the declared one, else three times the declared cadence, else
 * PT45M (contract section 5, definition 6). */
int64_t needs_max_gap_us(const struct range *range, const struct series_info *info);

/* Whether tier cells can answer as readings would. */
bool needs_let_tiers(const struct range *range, const struct series_info *info);

#endif
