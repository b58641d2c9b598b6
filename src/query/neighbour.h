/* The reading next to an instant, however far away: found by halving time, not by reading it. Private to query. */
#ifndef QUERY_NEIGHBOUR_H
#define QUERY_NEIGHBOUR_H

#include <stdint.h>

#include "common/limits.h"
#include "query/feed.h"
#include "query/gain.h"

struct neighbour {
    struct seen seen;
    char state[LIMIT_STATE_BYTES + 1]; /* of a state, which has no value */
};

/* The last reading before t_us, and the first one from t_us on but before end_us, that aggregates take in: 1, 0 where there is
 * none, or a code. Of feed, series and tier count: where readings have expired, cells and what was carried over stand for them.
 * Before back_us nothing need be looked for. */
MUST_CHECK int neighbour_before(struct view *view, const struct feed_options *feed, int64_t t_us, int64_t back_us,
                                struct neighbour *ret_neighbour);
MUST_CHECK int neighbour_from(struct view *view, const struct feed_options *feed, int64_t t_us, int64_t end_us,
                              struct neighbour *ret_neighbour);

#endif
