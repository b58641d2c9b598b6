/* The bytes of a TZif file (RFC 8536) as one sorted table of offsets. The file's own transitions
 * come first; the footer's rule for the time after them is written out for 400 years, after which
 * the Gregorian calendar repeats with its weekdays. So a reader of the table needs to know nothing
 * about rules. */
#ifndef COMMON_TZIF_H
#define COMMON_TZIF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* No offset from UTC is further than this, the bounds of RFC 8536 section 3.2 made symmetric; in
 * seconds. */
#define TZIF_OFFSET_MAX_S 93599
/* 400 years. */
#define TZIF_PERIOD_S (INT64_C(146097) * 86400)

struct tzif_step {
    int64_t at_s;     /* from this second since the epoch on, */
    int32_t offset_s; /* local time is so far east of UTC */
};

struct tzif {
    struct tzif_step *steps; /* ascending, each with another offset than the one before */
    size_t n_steps;
    int32_t first_offset_s; /* before the first step */
    int64_t base_s;         /* with repeats: after this second offsets recur every TZIF_PERIOD_S; */
    bool repeats;           /* the steps reach over a year beyond base_s + TZIF_PERIOD_S */
    bool repeats_before;    /* they also do so before base_s: the file has nothing but a rule */
};

/* Copies what it needs. ERR_CORRUPT for what is no TZif of version 2 to 4 or breaks its rules, and
 * for files that count leap seconds, since our time has none; ERR_NOMEM. */
MUST_CHECK int tzif_parse(const uint8_t *data, size_t size, struct tzif *ret_tzif);
void tzif_done(struct tzif *tzif);

#endif
