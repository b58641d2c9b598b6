/* Many series as one table: a column for each aggregate of each of them, and a row for each time at which any has one. In
 * constant memory: a window of time is read series by series, and a window holds no more than fits. Private to query. */
#ifndef QUERY_WIDE_H
#define QUERY_WIDE_H

#include <stdbool.h>

#include "query/lane.h"
#include "query/range.h"

struct wide_options {
    struct view *view;
    const struct unit_table *units; /* where the range asks for a unit */
    const struct range *range;
    bool has_tier;               /* as in struct lane_options */
    enum tier tier;
    int64_t begin_us;            /* raw: the first instant; by step: the start of the first bucket */
    size_t cells_max;            /* of a window; 0: as many as are good. At least one for each column */
};

struct wide;

/* What the options point to must outlive it. ERR_NOMEM. */
MUST_CHECK int wide_new(const struct wide_options *options, struct wide **ret_wide);
void wide_free(struct wide *wide);

/* A series behind those added before, whose texts are copied. ERR_MEANING when the table would have too many columns;
 * ERR_NOMEM. */
MUST_CHECK int wide_add(struct wide *wide, const struct series_info *info, struct err_text *error);
/* Refuses a table in which two columns would have one name. ERR_MEANING; ERR_NOMEM. */
MUST_CHECK int wide_check_names(const struct wide *wide, struct err_text *error);
const struct wide_column *wide_columns(const struct wide *wide, size_t *ret_n);

/* The next rows, at most max (> 0): 1, 0 at the end, or a code. Valid until the next call. wide_has_more: whether there would be
 * some, 1, 0, or a code. */
MUST_CHECK int wide_next(struct wide *wide, size_t max, struct sheet *ret_sheet);
MUST_CHECK int wide_has_more(struct wide *wide);

#endif
