/* An instant as a question states it: `from` and `to`. */
#ifndef QUERY_WHEN_H
#define QUERY_WHEN_H

#include <stdint.h>

#include "common/err.h"
#include "common/zone.h"

/* RFC 3339 (a blank in place of the plus of its offset is understood: an unescaped + in a URL), milliseconds since the
 * epoch, `now`, or a duration from now (`-P7D`: its days and months go by the calendar of the zone, UTC for NULL). A bare
 * date is the start of that local day and needs a zone. ERR_INVALID with the field that is named. */
MUST_CHECK int when_parse(const char *text, const char *field, int64_t now_us, const struct zone *zone,
                          int64_t *ret_t_us, struct err_text *error);

#endif
