/* Answers packed with gzip or zstd where the client asks for it. */
#ifndef HTTP_ENCODE_H
#define HTTP_ENCODE_H

#include "http/reply.h"

#define ENCODE_BYTES_MIN 1024 /* smaller answers go out as they are */

/* Packs what the reply holds and will stream, when accept_encoding (may be NULL) wants it; sets Content-Encoding and
 * Vary. Without memory the reply stays as it is. */
void reply_encode(struct reply *reply, const char *accept_encoding);

/* Packs them however short they are, with "gzip" or "zstd", and says so in no header: for bytes that go to a file. ERR_NOMEM,
 * and what the stream answers. */
MUST_CHECK int reply_pack(struct reply *reply, const char *coding, struct err_text *error);

#endif
