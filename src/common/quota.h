/* What one request may read, and how much of it has been read: the limits `points`, `series` and `span` of the configuration.
 *
 * The store counts readings and series as it hands them out, query the buckets that it makes, so that no way of asking goes past
 * it; the rest are checks of what can be known before. Whatever is refused first is kept with its text, since it may come up deep
 * inside of what only hands on codes. A quota is used by one thread at a time. Every pointer to one may be NULL: no limit. */
#ifndef COMMON_QUOTA_H
#define COMMON_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* 0 each: no limit. */
struct quota_limits {
    int64_t points;   /* readings that are read, and buckets that are made of them */
    int64_t series;   /* of which any of that is */
    int64_t span_us;  /* from the beginning to the end of what is asked for */
};
bool quota_limits_any(const struct quota_limits *limits);

struct quota {
    struct quota_limits limits;
    uint64_t n_points, n_series;
    uint64_t *seen;       /* which series, a bit an id */
    size_t n_words;
    struct err_text why;  /* of what was refused first; empty: nothing was */
};

/* A zeroed one has no limits. Begins to count anew. */
void quota_begin(struct quota *quota, const struct quota_limits *limits);
void quota_done(struct quota *quota); /* what it holds */

/* For what goes on without end: points are counted anew, and a refusal for their sake is forgotten. */
void quota_renew_points(struct quota *quota);

bool quota_is_over(const struct quota *quota);
/* The input that is at fault where what refused could not know. */
void quota_blame(struct quota *quota, const char *field);

/* Each: 0, or ERR_QUOTA with `why`, which names the field; quota_take_series ERR_NOMEM, too. */
MUST_CHECK int quota_take_points(struct quota *quota, uint64_t n);
MUST_CHECK int quota_take_series(struct quota *quota, uint32_t id, const char *field);
/* Whether so many more would fit, without taking them; fits: what would, for people, or "". */
MUST_CHECK int quota_check_points(struct quota *quota, uint64_t n, const char *field, const char *fits);
/* Of [begin_us, end_us). */
MUST_CHECK int quota_check_span(struct quota *quota, int64_t begin_us, int64_t end_us, const char *field);

#endif
