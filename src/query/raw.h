/* The readings of one series as rows: as they stand, those next to the range, or reduced for a plot. Private to query. */
#ifndef QUERY_RAW_H
#define QUERY_RAW_H

#include "query/convert.h"
#include "query/range.h"

struct raw_options {
    const struct range *range;
    const struct series_info *info;
    struct conversion conversion;
    int64_t begin_us;   /* the first instant that is not given yet */
    int64_t end_us;     /* within the range: no reading of it from here on is given */
    bool goes_on;       /* an earlier page began the series */
};

struct raw;

/* view and what the options point to must outlive it. Errors of the view; ERR_NOMEM. */
MUST_CHECK int raw_open(struct view *view, const struct raw_options *options, struct raw **ret_raw);
MUST_CHECK int raw_next(struct raw *raw, struct row *ret_row); /* 1, 0 at the end, or a code */
/* Whether all rows are readings as they lie in memory. */
bool raw_has_points(const struct raw *raw);
/* Then: the next of them, at most max (> 0); may be taken in turns with raw_next. */
MUST_CHECK int raw_next_points(struct raw *raw, size_t max, struct stretch *ret_stretch);
void raw_close(struct raw *raw);

#endif
