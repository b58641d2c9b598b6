/* Texts inside JSON that we print ourselves. */
#ifndef HTTP_JSONTEXT_H
#define HTTP_JSONTEXT_H

#include "common/buf.h"

/* Appends text as a JSON string with its quotes; bytes that are no UTF-8 become U+FFFD, so that the answer stays JSON whatever
 * a client sent us to repeat. */
void jsontext_put(struct buf *out, const char *text);

/* The same as a member behind others: `,"name":"text"`. The name is ours and needs no escape. */
void jsontext_put_member(struct buf *out, const char *name, const char *text);

/* Appends an instant as RFC 3339 in UTC, quoted. */
void jsontext_put_time(struct buf *out, int64_t t_us);

#endif
