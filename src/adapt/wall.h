/* Local times without an offset to instants. What autumn has twice is told apart by the order in which it comes, series
 * by series; what spring leaves out is no instant. */
#ifndef ADAPT_WALL_H
#define ADAPT_WALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/zone.h"

#define WALL_SERIES_MAX (1 << 20) /* whose last time is remembered */

struct wall_series; /* the last time of one */

struct wall {
    const struct zone *zone; /* NULL: offset_s counts */
    int32_t offset_s;
    bool descending; /* the newest comes first */
    /* the quarter of an hour looked up last, where it is one stretch of time */
    int64_t quarter_us, quarter_shift_us;
    bool has_quarter;
    struct wall_series *series;
    size_t n, cap;
};

/* zone: an IANA name or an offset (`+01:00`). ERR_INVALID, ERR_NOTFOUND ..., as zone_open. */
MUST_CHECK int wall_init(struct wall *wall, const char *zone, bool descending, struct err_text *error);
void wall_done(struct wall *wall);
/* Another source begins: what order the last one had is forgotten. */
void wall_begin(struct wall *wall);

/* The instant of a local time of the series of that key. known_us: when the message with it was sent, INT64_MIN:
 * unknown. ERR_NOTFOUND: spring leaves it out; ERR_LIMIT: WALL_SERIES_MAX; ERR_NOMEM. */
MUST_CHECK int wall_instant(struct wall *wall, uint64_t key, int64_t local_us, int64_t known_us, int64_t *ret_t_us);

#endif
