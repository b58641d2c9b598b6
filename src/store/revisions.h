/* Revisions of one series: values that were replaced, in the order in which they were in force at each time and issue; and
 * which of them have been kept for long enough. */
#ifndef STORE_REVISIONS_H
#define STORE_REVISIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/points.h"
#include "common/err.h"
#include "store/rows.h"

/* A revision is replaced at the known-at of what came after it; what was replaced at before_ms or earlier goes. The others are
 * appended to kept in order. settled says what is in force now. Over several calls, replaced_ms becomes the oldest known-at by
 * which one that is left was replaced, and horizon_ms the newest by which one that went was: whoever asks what was known at
 * horizon_ms or later misses nothing. 0: none. */
struct revisions_cut {
    int64_t before_ms;
    int64_t replaced_ms, horizon_ms;
};
MUST_CHECK int revisions_keep(const struct points *points, const struct settled *settled, bool is_state,
                              struct revisions_cut *cut, struct points *kept);

#endif
