/* What an answer will read at the least, as far as that is cheap to know before it begins: so that one that cannot be given whole
 * is refused, and not broken off. */
#ifndef QUERY_FORESEE_H
#define QUERY_FORESEE_H

#include <stdbool.h>
#include <stdint.h>

#include "query/range.h"
#include "store/reader.h"

struct foreseen {
    uint64_t n_points, n_series;
};

/* Adds a series of the answer, tiered where tier cells may serve it. ERR_QUOTA: one series too many; errors of the view. */
MUST_CHECK int foresee_series(struct view *view, const struct range *range, uint32_t series_id, bool tiered,
                              struct foreseen *foreseen);
/* ERR_QUOTA where that is more than may be read. */
MUST_CHECK int foresee_check(struct view *view, const struct range *range, const struct foreseen *foreseen);

#endif
