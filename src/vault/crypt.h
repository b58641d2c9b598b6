/* How keys wrap keys and keys encrypt records (docs/VAULT.md, "Exact forms"): XChaCha20-Poly1305 with random nonces,
 * keyed BLAKE2b. */
#ifndef VAULT_CRYPT_H
#define VAULT_CRYPT_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

#define CRYPT_KEY_BYTES 32
#define CRYPT_NAME_BYTES 16  /* of a keyed hash that stands for a subject, a value, an identity */
#define CRYPT_EXTRA_BYTES 40 /* nonce and tag */
#define CRYPT_WRAPPED_BYTES (CRYPT_KEY_BYTES + CRYPT_EXTRA_BYTES)
#define CRYPT_PLAIN_MAX (1 << 20) /* of a record, padded */

enum crypt_kind { CRYPT_ID = 1, CRYPT_FIELD, CRYPT_ENTITIES, CRYPT_CONSENTS, CRYPT_LINK, CRYPT_PENDING };

/* What a record is bound to, so that no row can stand for another. */
struct crypt_place {
    enum crypt_kind kind;
    const uint8_t *subject; /* CRYPT_NAME_BYTES */
    const char *field;      /* or "" */
    int64_t revision, key_id;
};

/* Memory for keys: guarded, locked, left out of core files. ERR_LIMIT where none may be locked; the text names the
 * limit. */
MUST_CHECK int crypt_memory(size_t size, void **ret_memory, struct err_text *error);
void crypt_memory_free(void *memory); /* wiped */

/* Keyed hash of what (a word of ours) and data. */
void crypt_name(const uint8_t key[static CRYPT_KEY_BYTES], const char *what, const void *data, size_t size,
                uint8_t ret_name[static CRYPT_NAME_BYTES]);

/* A key wrapped by another, bound to what it is (a word), whose (name_size bytes) and the epoch. ERR_CORRUPT. */
void crypt_wrap(const uint8_t by[static CRYPT_KEY_BYTES], const uint8_t key[static CRYPT_KEY_BYTES], const char *what,
                const void *name, size_t name_size, int64_t epoch, uint8_t ret_wrapped[static CRYPT_WRAPPED_BYTES]);
MUST_CHECK int crypt_unwrap(const uint8_t by[static CRYPT_KEY_BYTES], const uint8_t wrapped[static CRYPT_WRAPPED_BYTES],
                            const char *what, const void *name, size_t name_size, int64_t epoch,
                            uint8_t ret_key[static CRYPT_KEY_BYTES]);

/* Pads to 64, 256, 1024 … bytes, encrypts, appends nonce, ciphertext and tag to out. ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK int crypt_seal(const uint8_t key[static CRYPT_KEY_BYTES], const struct crypt_place *place, const void *plain,
                          size_t size, struct buf *out);
/* Appends the plaintext to out, whose memory the caller wipes. ERR_CORRUPT: another place, another key, another byte.
 */
MUST_CHECK int crypt_open(const uint8_t key[static CRYPT_KEY_BYTES], const struct crypt_place *place,
                          const void *sealed, size_t size, struct buf *out);

/* Wipes and frees. */
void crypt_buf_drop(struct buf *buf);

#endif
