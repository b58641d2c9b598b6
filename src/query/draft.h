/* A range request while it is read: its parameters by name, before they mean anything. Private to query. */
#ifndef QUERY_DRAFT_H
#define QUERY_DRAFT_H

#include <stddef.h>
#include <stdint.h>

#include "query/range.h"

/* The parameters of the range, lists first. Those before TIME are the question, whose hash a cursor carries; the others say
 * how to hand the answer out. */
enum draft_name {
    SERIES, ENTITY, TYPE, PROPERTY, AGG, N_LISTS,
    FROM = N_LISTS, TO, STEP, TZ, FILL, MAX_GAP, OVER, BY, BOUNDS, UNIT, QUALITY, ASOF, LEAD_MIN, REDUCE, POINTS, LAYOUT,
    AVAILABLE, SNAPSHOT, TIME, EXPLAIN, LIMIT, CURSOR, N_NAMES
};
extern const char *const draft_name[N_NAMES];

struct draft {
    const char *single[N_NAMES];            /* of those that are no lists; NULL: not given */
    struct draft_list {
        const char **at;                    /* NUL-terminated, in the range's memory */
        size_t n;
    } lists[N_LISTS];
    uint32_t *ids;
};

/* A whole number from min to max in plain digits. */
bool draft_number(const char *text, int64_t min, int64_t max, int64_t *ret_number);

/* What an answer holds, beyond its series and times: from step to explain. The range's zone is set. ERR_INVALID with the
 * field. */
MUST_CHECK int draft_read_options(const struct draft *draft, int64_t now_us, struct range *range, struct err_text *error);

/* Sets the step and grid of step=auto by the range's points, once its times are known. ERR_INVALID with the field `points`. */
MUST_CHECK int draft_choose_step(struct range *range, struct err_text *error);

/* The finest of the steps that people read plots by with which the range has at most n buckets; NULL where there is none. */
const char *steps_fitting(const struct range *range, int64_t n);

#endif
