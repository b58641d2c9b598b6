/* What may be asked of a series (contract section 5, definition 5). Shared with vtab/rollup.c. */
#ifndef QUERY_AGG_H
#define QUERY_AGG_H

#include <stdbool.h>

#include "query/range.h"

/* The aggregate of a name. ERR_INVALID with the field `agg`. */
MUST_CHECK int agg_parse(const char *name, enum agg *ret_agg, struct err_text *error);

/* Whether a series has the aggregate; ERR_MEANING with what to use instead, in the field `agg`. */
MUST_CHECK int agg_check(enum agg agg, const struct series_info *info, struct err_text *error);

/* Whether values are directions in degrees, whose mean is that of vectors. */
bool agg_is_direction(const struct series_info *info);

/* Percentiles and the median: 1 to 99; 0 of others. */
int agg_percent(enum agg agg);

#endif
