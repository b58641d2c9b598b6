/* The mean of directions in degrees: the direction of the sum of their unit vectors. Private to query.
 *
 * Angles are reduced to within 45 degrees of an axis in integers, so that opposite and mirrored directions cancel out
 * exactly; sines and sums are long doubles, and the mean is rounded to 12 decimals, which is what they are good for. It is
 * always computed from readings in the order of their times, never from tiers. */
#ifndef QUERY_DIRECTION_H
#define QUERY_DIRECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/points.h"
#include "model/decimal.h"

/* A zeroed struct is empty. */
struct direction {
    long double x, y;
    uint64_t count;
};

/* Rows [begin, end) of points, but for suspect ones. */
void direction_add_points(struct direction *direction, const struct points *points, size_t begin, size_t end);

/* The mean in [0, 360), or false where there is none: no readings, or they cancel out. */
bool direction_mean(const struct direction *direction, struct decimal *ret_mean);

#endif
