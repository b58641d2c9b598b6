/* What a principal (a token, a user, a certificate) may have at once, over all of his requests: how many run, and how many bytes
 * a second they are answered. What one request may read is common/quota.
 *
 * Bytes are counted as they are handed out and never held back: a stream goes on at its pace, and its principal's next requests
 * are refused until what was too much has been waited for. Any thread may call. */
#ifndef HTTP_LIMITS_H
#define HTTP_LIMITS_H

#include <stdint.h>

#include "common/err.h"
#include "store/access.h"

struct limits_opts {
    int64_t concurrent;   /* requests of a principal that run; 0: no limit */
    int64_t bytes_per_s;  /* that a principal is answered; of a second's worth without waiting. 0: no limit */
};

struct limits;
struct limits *limits_new(const struct limits_opts *opts); /* NULL without memory */
void limits_free(struct limits *limits);                   /* nobody is in any more */

/* Somebody's place among the running requests. */
struct limited;

/* Lets a request in: 0, with its place, which is NULL where there are no limits; ERR_QUOTA with after how many seconds to come
 * again; ERR_NOMEM. */
MUST_CHECK int limits_enter(struct limits *limits, const struct principal *principal, struct limited **ret_place,
                            int64_t *ret_wait_s, struct err_text *error);
/* It is answered so many bytes. A NULL place is fine, here and below. */
void limits_spend(struct limited *place, uint64_t n_bytes);
/* It runs no more. */
void limits_leave(struct limited *place);

#endif
