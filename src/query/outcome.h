/* What the aggregates of a bucket are. Private to query. */
#ifndef QUERY_OUTCOME_H
#define QUERY_OUTCOME_H

#include "query/buckets.h"

/* Significant digits of quotients and roots (contract section 5, definition 5). */
#define OUTCOME_DIGITS 15

/* One aggregate of a bucket; what it points to is the bucket's, or *exact. ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK int outcome_of(const struct bucket *bucket, enum agg agg, const struct series_info *info, struct exact *exact,
                          struct value *ret_value);

#endif
