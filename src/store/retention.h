/* How long readings and tiers are kept: the arithmetic. What is done about it: store/expire.h. */
#ifndef STORE_RETENTION_H
#define STORE_RETENTION_H

#include <stdint.h>

#include "common/civil.h"
#include "rollup/cell.h"

#define TIERS_ALL ((1u << TIER_N) - 1) /* a bit a tier */

/* Durations back from now; all zero: for ever. */
struct retention {
    struct duration raw, tier[TIER_N];
};

/* Of what is kept so long at now_us, what lies before the answer has expired; INT64_MIN: nothing has. */
int64_t retention_oldest_us(const struct duration *keep, int64_t now_us);

/* The tiers of a window that ends at end_us which are still kept at now_us. */
unsigned retention_tiers(const struct retention *retention, int64_t end_us, int64_t now_us);

#endif
