/* Exact sums of squares, and the standard deviation of what was summed. */
#ifndef MODEL_SQUARES_H
#define MODEL_SQUARES_H

#include <stdbool.h>
#include <stdint.h>

#include "model/decimal.h"

/* A magnitude times 10^e, wide enough for the squares of 2^40 values of any exponents. A zeroed struct is 0. */
#define SQUARES_LIMBS 8
struct squares {
    uint64_t limb[SQUARES_LIMBS]; /* least significant first */
    int16_t e;
};

void squares_add(struct squares *squares, struct decimal value);

/* Adds the squares of n mantissas at exponent e. */
void squares_add_even(struct squares *squares, const int64_t *m, size_t n, int e);

/* The standard deviation of a sample: the root of (count * squares - sum^2) / (count * (count - 1)), rounded once, half to
 * even, to digits (1 to 16) significant digits. It is what SQL's stddev and pandas' std() give. False for fewer than two. */
bool squares_deviation(const struct squares *squares, const struct exact *sum, uint64_t count, int digits,
                       struct decimal *ret_deviation);

#endif
