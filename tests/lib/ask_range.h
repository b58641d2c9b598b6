/* Questions to the query side as parameters, and its answers as text, for tests. */
#ifndef TESTS_LIB_ASK_RANGE_H
#define TESTS_LIB_ASK_RANGE_H

#include "common/buf.h"
#include "query/range.h"

#define ASK_NOW_US INT64_C(1741775400000000) /* 2025-03-12T10:30:00Z */
#define ASK_PARAMETERS_MAX 24

struct ask {
    struct parameter parameters[ASK_PARAMETERS_MAX];
    size_t n;
};
void ask_add(struct ask *ask, const char *name, const char *value); /* both are the caller's */

/* What came back. A series is a line `series ID agg...`, a row `TIME value...` with the time in microseconds; null is
 * `-`, raw rows end in `qN`, their quality byte, and `before` or `after` where they lie outside of the range, and
 * `since TIME` where the range asks for that,
 * explained ones in what is told of them. The texts of a row are those of the JSON answer. */
struct said {
    int rc;              /* of the first call that failed */
    struct err_text error;
    struct buf text;     /* NUL-terminated */
    size_t n_rows;
    char cursor[96];     /* "" none */
    char tiers[16];
    char unit[LIMIT_UNIT_BYTES + 1]; /* of the last series */
};
void ask_range(const struct ask *ask, struct said *ret_said);
void said_free(struct said *said);

/* A question by hand: name, value, ..., NULL. */
struct said ask_these(const char *first, ...);

/* Asserts that these rows are the answer, each ended by `;`, with times as they print, or in whole seconds after begin_us where
 * that is not INT64_MIN; and that it was refused with this code, for this field and in these words. Both free it. */
void said_is(struct said said, int64_t begin_us, const char *expected);
void said_refused(struct said said, int code, const char *field, const char *words);

/* Asks page by page, limit_max rows at most in each, and puts the pages together: a series that goes on is one series. */
void ask_pages(const struct ask *ask, int limit, struct said *ret_said);

#endif
