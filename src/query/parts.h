/* Amounts over a period that reach beyond their bucket (contract section 5, definition 9). Private to query.
 *
 * The amount that falls on the first x of a period is amount * x / period, rounded half to even to 9 decimals (fewer where
 * the amount would have over 18 digits with 9). A part is the difference of two of those, so that the parts of any division
 * add up to the amount, digit for digit. */
#ifndef QUERY_PARTS_H
#define QUERY_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "model/decimal.h"
#include "query/tally.h"
#include "query/values.h"

/* The part of an amount over period_us (> 0) that falls on [begin_us, end_us) of it, 0 <= begin_us <= end_us <= period_us. */
struct decimal part_of(struct decimal amount, int64_t period_us, int64_t begin_us, int64_t end_us);

/* The amounts that reach into later buckets, in the order of their times. */
struct parts {
    struct amount {
        int64_t t_us, period_us;
        struct decimal value;
    } *rows;
    size_t n, cap;
};
void parts_free(struct parts *parts);
MUST_CHECK int parts_add(struct parts *parts, int64_t t_us, int64_t period_us, struct decimal value); /* ERR_NOMEM */

/* Adds what of the amounts falls on the bucket [begin_us, end_us) to tally, and to values unless that is NULL; forgets those that
 * end in it. What they cover of the bucket begins where it does: *ret_until_us is where it ends (begin_us: nothing). Errors of
 * values. */
MUST_CHECK int parts_take(struct parts *parts, int64_t begin_us, int64_t end_us, struct tally *tally, struct values *values,
                          int64_t *ret_until_us);

#endif
