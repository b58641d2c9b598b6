/* The values of one bucket, for percentiles: exact ones cannot be had in constant memory, so a bucket has at most VALUES_MAX.
 * Private to query. */
#ifndef QUERY_VALUES_H
#define QUERY_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/points.h"
#include "common/err.h"
#include "model/decimal.h"

/* 16 bytes each while they are sorted: a month of seconds, with room. */
#define VALUES_MAX (4 << 20)

/* A zeroed struct is empty. */
struct values {
    int64_t *m, *scratch;
    int8_t *e;
    struct decimal *apart; /* sorted, where no 64-bit mantissa holds them at one exponent */
    size_t n, cap;
    bool is_sorted, is_apart;
};
void values_free(struct values *values);
void values_clear(struct values *values); /* keeps the memory */

/* Rows [begin, end) of points, but for suspect ones; one value. ERR_LIMIT beyond VALUES_MAX, ERR_NOMEM. */
MUST_CHECK int values_add_points(struct values *values, const struct points *points, size_t begin, size_t end);
MUST_CHECK int values_add(struct values *values, struct decimal value);

/* The percentile (1 to 99) by linear interpolation between the closest ranks (type 7), exact to its last digit; there is at
 * least one value. ERR_NOMEM. */
MUST_CHECK int values_percentile(struct values *values, int percent, struct exact *ret_percentile);

#endif
