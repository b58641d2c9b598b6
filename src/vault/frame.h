/* Frames of the vault's socket: 4 bytes length, little endian, then that many bytes of JSON (docs/VAULT.md, "The
 * socket"). What goes through here may be personal: whoever gets bytes wipes them with frame_drop. */
#ifndef VAULT_FRAME_H
#define VAULT_FRAME_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define FRAME_HEAD_BYTES 4
#define FRAME_BYTES_MAX (1 << 21) /* a dead letter of 1 MiB, sealed, in base64 */

/* The length that a head tells; ERR_LIMIT when it is 0 or above FRAME_BYTES_MAX. */
MUST_CHECK int frame_length(const uint8_t head[static FRAME_HEAD_BYTES], size_t *ret_size);

/* Sends a whole frame. The deadline is of clock_mono_us. ERR_LIMIT (nothing was sent), ERR_BUSY at the deadline,
 * ERR_IO. */
MUST_CHECK int frame_send(int fd, const char *text, size_t size, int64_t deadline_us);

/* The next frame, with a NUL behind it: 1 and the text, which is the caller's; 0 at the orderly end; ERR_BUSY,
 * ERR_LIMIT, ERR_IO, ERR_NOMEM. */
MUST_CHECK int frame_receive(int fd, int64_t deadline_us, char **ret_text, size_t *ret_size);

/* A text of this size, with a NUL behind it, that json fits into; the caller's. NULL without memory. (json_dumps would
 * use jansson's allocator, which a program may have replaced, and grow by copying.) */
char *frame_text(const json_t *json, size_t *ret_size);

/* Wipes and frees. */
void frame_drop(char *text, size_t size);

#endif
