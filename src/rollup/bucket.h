/* The grid of buckets of a query: fixed widths and calendar steps in any zone (contract section 5, definitions 1-3). */
#ifndef ROLLUP_BUCKET_H
#define ROLLUP_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "common/civil.h"
#include "common/err.h"
#include "common/zone.h"

struct grid {
    enum { GRID_FIXED, GRID_FIXED_LOCAL, GRID_DAY, GRID_WEEK, GRID_MONTH } unit;
    int64_t width_us;        /* of fixed grids */
    int32_t n_months;        /* of GRID_MONTH: 1, 3, 6 or 12, aligned to January */
    const struct zone *zone; /* of local and calendar grids */
};

/* The grid of a step. zone NULL means no tz was given: fixed widths lie on the Unix epoch, calendar steps in UTC.
 * With a zone, widths under 24 h count elapsed time from each local day's start and restart there; 24 h and more stay on
 * the epoch. Calendar steps are P1D P1W P1M P3M P6M P1Y; others, mixtures and steps under PT1S are ERR_INVALID. */
MUST_CHECK int grid_init(struct grid *grid, const struct duration *step, const struct zone *zone,
                         struct err_text *error);

/* Start of the bucket that holds t_us, and start of the bucket after the one that starts at start_us. */
int64_t grid_start_us(const struct grid *grid, int64_t t_us);
int64_t grid_next_us(const struct grid *grid, int64_t start_us);

/* The number of buckets touched by [begin, end), counted up to max and then given up (returns max). */
int64_t grid_count(const struct grid *grid, int64_t begin_us, int64_t end_us, int64_t max);

/* Whether every bucket edge in [begin, end) is a multiple of width_us since the epoch (then a tier of that width fits). */
bool grid_fits(const struct grid *grid, int64_t begin_us, int64_t end_us, int64_t width_us);

#endif
