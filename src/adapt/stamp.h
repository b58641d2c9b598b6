/* Times as foreign sources write them. */
#ifndef ADAPT_STAMP_H
#define ADAPT_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

enum stamp_kind { STAMP_RFC3339, STAMP_ISO, STAMP_UNIX_S, STAMP_UNIX_MS, STAMP_UNIX_US, STAMP_UNIX_NS, STAMP_PATTERN };

struct stamp_format {
    enum stamp_kind kind;
    char pattern[64]; /* STAMP_PATTERN */
};

/* A time as it was read: an instant, or a local time whose zone has to be known. */
struct stamp {
    int64_t t_us; /* of the instant; or microseconds since 1970-01-01T00:00 local */
    bool is_local;
};

/* A format by its name or pattern (docs/MAPPING.md). ERR_INVALID. */
MUST_CHECK int stamp_format_parse(const char *text, struct stamp_format *ret_format);
/* Whether times of this format may have no offset. */
bool stamp_format_is_local(const struct stamp_format *format);

/* Reads the whole text. ERR_INVALID: it is no such time, or outside of years 0001 to 9999. */
MUST_CHECK int stamp_parse(const struct stamp_format *format, const char *text, size_t size, struct stamp *ret_stamp);

/* An offset such as +01:00, -0730 or Z, in seconds east of UTC; below 24 h. ERR_INVALID. */
MUST_CHECK int stamp_offset_parse(const char *text, size_t size, int32_t *ret_offset_s);

#endif
