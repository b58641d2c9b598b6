/* The series that a range asks for, some at a time. Private to query. */
#ifndef QUERY_MATCHES_H
#define QUERY_MATCHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/limits.h"
#include "query/range.h"

/* Series held in memory at once. */
#define MATCHES_MAX 64

struct match {
    struct series_info info; /* its texts are here: */
    char entity[LIMIT_ENTITY_BYTES + 1], type[LIMIT_NAME_BYTES + 1], property[LIMIT_NAME_BYTES + 1];
    char unit[LIMIT_UNIT_BYTES + 1];
};

MUST_CHECK int match_copy(struct match *match, const struct series_info *info); /* ERR_CORRUPT: names longer than they may be */

struct matches {
    struct reader_dir *dir;
    const struct range *range;
    uint32_t last_id;    /* of the series that were there when the first page was opened; later ones are not in its view */
    uint32_t after_id;   /* those up to it had their turn on an earlier page */
    struct match rows[MATCHES_MAX];
    size_t n, next;
    bool is_all;         /* nothing comes behind rows */
};

/* Walks over all matches once: check is called for each, and a code of it ends the walk. ERR_NOTFOUND with the filter in the
 * text when there is none. The range must outlive matches. */
MUST_CHECK int matches_init(struct matches *matches, struct reader_dir *dir, const struct range *range,
                            int (*check)(void *arg, const struct series_info *info), void *arg, struct err_text *error);

/* The series that is next, from the one of the range's cursor on: 1, 0 behind the last one, or a code. It stays the
 * next one until matches_take, and valid until the matches_peek after that. */
MUST_CHECK int matches_peek(struct matches *matches, const struct series_info **ret_info);
void matches_take(struct matches *matches);
bool matches_has_more(const struct matches *matches); /* whether matches_peek would find one */

#endif
