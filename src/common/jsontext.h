/* Texts inside JSON that we print ourselves. */
#ifndef COMMON_JSONTEXT_H
#define COMMON_JSONTEXT_H

#include "common/buf.h"

/* Appends text as a JSON string with its quotes; bytes that are no UTF-8 become U+FFFD, so that the answer stays JSON whatever
 * a client sent us to repeat. */
void jsontext_put(struct buf *out, const char *text);

/* size bytes of text as a JSON string, those from 0x80 on as they are (for who refuses what is no UTF-8 afterwards), control
 * characters by number. */
void jsontext_put_bytes(struct buf *out, const char *text, size_t size);

/* The same as jsontext_put as a member behind others: `,"name":"text"`. The name is ours and needs no escape. */
void jsontext_put_member(struct buf *out, const char *name, const char *text);

/* Appends an instant as RFC 3339 in UTC, quoted. */
void jsontext_put_time(struct buf *out, int64_t t_us);

#endif
