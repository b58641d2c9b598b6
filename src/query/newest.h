/* The newest reading of a series before an instant, however far back: found by halving time, not by reading it. Readings
 * of every quality count. */
#ifndef QUERY_NEWEST_H
#define QUERY_NEWEST_H

#include "common/limits.h"
#include "model/decimal.h"
#include "model/reading.h"
#include "store/reader.h"

struct newest {
    int64_t t_us;
    struct decimal value;
    char state[LIMIT_STATE_BYTES + 1]; /* of a state, which has no value */
    enum quality quality;
};

/* The last reading in force before end_us; stats are those of the series in the view. Of expired readings the last one
 * still counts. 1, 0 where there is none, ERR_EXPIRED where there was one that is not kept any more, or a code of the
 * view. */
MUST_CHECK int newest_find(struct view *view, uint32_t series_id, const struct series_stats *stats, int64_t end_us,
                           struct newest *ret_newest);

#endif
