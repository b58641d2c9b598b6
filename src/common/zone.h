/* IANA time zones read from the system's TZif files (RFC 8536, versions 2 to 4, with the footer's
 * rule for later years). Immutable once opened, so one zone may be used by many threads. */
#ifndef COMMON_ZONE_H
#define COMMON_ZONE_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct zone;

/* Opens `Europe/Berlin`, `UTC`, ... from $TZDIR or /usr/share/zoneinfo. The name comes from
 * outside: anything but letters, digits, `_`, `+`, `-` and single slashes between parts is
 * ERR_INVALID; an unknown one ERR_NOTFOUND; a file that is no TZif, or counts leap seconds
 * (`right/UTC`), ERR_CORRUPT; one that cannot be read ERR_IO. Opened zones are kept for the life of
 * the process and shared: never freed. */
MUST_CHECK int zone_open(const char *name, const struct zone **ret_zone);

/* A zone of its own from the bytes of a TZif file, for tests and fuzzing; the caller frees it.
 * Errors as above. */
MUST_CHECK int zone_from_bytes(const char *name, const uint8_t *data, size_t size,
                               struct zone **ret_zone);
void zone_free(struct zone *zone);

const char *zone_name(const struct zone *zone);

/* Seconds east of UTC in force at an instant. */
int32_t zone_offset_s(const struct zone *zone, int64_t t_us);

/* The local date of an instant, as days since 1970-01-01. */
int64_t zone_local_day(const struct zone *zone, int64_t t_us);

/* The first instant whose local date is local_day or later: right where midnight is missing,
 * repeated, or where the whole date is skipped (contract, definition 2). Days further than 100
 * million from 1970 are taken as that many. */
int64_t zone_day_start_us(const struct zone *zone, int64_t local_day);

/* The instant of a local wall-clock time, given as microseconds since 1970-01-01T00:00 local. Where
 * it occurs twice: the earlier with second_time = 0, the later with 1; where once, that one. Where
 * it does not occur: ERR_NOTFOUND. */
MUST_CHECK int zone_instant(const struct zone *zone, int64_t local_us, int second_time,
                            int64_t *ret_t_us);

#endif
