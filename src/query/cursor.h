/* The text that a paged answer hands out to go on behind its last row. Private to query. */
#ifndef QUERY_CURSOR_H
#define QUERY_CURSOR_H

#include <stdint.h>

#include "common/err.h"

struct cursor {
    uint32_t question;       /* a hash of the parameters: a cursor goes with the question that it came from */
    uint32_t series_id;      /* of the last row */
    uint32_t last_id;        /* of the series that the first page matched */
    int64_t t_us;            /* of the last row; INT64_MAX: the series was given to its end */
    int64_t from_us, to_us;  /* so that every page has the same range, `now` in it or not */
    int64_t asof_us;         /* likewise; INT64_MAX: none was asked for */
};

#define CURSOR_TEXT_MAX 96
void cursor_print(const struct cursor *cursor, char out[static CURSOR_TEXT_MAX]);

/* ERR_INVALID; what it gives is a range that the store may have, and t_us before its end, whoever wrote the text. */
MUST_CHECK int cursor_parse(const char *text, struct cursor *ret_cursor);

#endif
