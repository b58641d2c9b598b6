/* BLAKE2b (libsodium's crypto_generichash) for tokens, manifests and message identities; random bytes. */
#ifndef COMMON_HASH_H
#define COMMON_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define HASH_BYTES 32
#define HASH_KEY_BYTES 32
#define HASH_HEX_MAX (2 * HASH_BYTES + 1)

/* Readies libsodium; call once before the others. ERR_IO when no randomness can be had. */
MUST_CHECK int hash_init(void);

void hash_bytes(const void *data, size_t size, uint8_t ret_hash[static HASH_BYTES]);
void hash_keyed(const uint8_t key[static HASH_KEY_BYTES], const void *data, size_t size,
                uint8_t ret_hash[static HASH_BYTES]);

/* The same in 16 bytes. It is no prefix of the longer one. */
#define HASH_KEYED_SHORT_BYTES 16
void hash_keyed_short(const uint8_t key[static HASH_KEY_BYTES], const void *data, size_t size,
                      uint8_t ret_hash[static HASH_KEYED_SHORT_BYTES]);

/* SipHash-2-4: a sum against accidents, cheap for some kilobytes. */
uint64_t hash_short(uint64_t key, const void *data, size_t size);

/* Hashes a whole file, read in blocks. ERR_IO, ERR_NOTFOUND. */
MUST_CHECK int hash_file(const char *path, uint8_t ret_hash[static HASH_BYTES]);

/* SHA-256, piece by piece: for what others are to check with their own tools. */
struct hash_sha256 {
    uint64_t state[16]; /* libsodium's */
};
void hash_sha256_begin(struct hash_sha256 *sum);
void hash_sha256_add(struct hash_sha256 *sum, const void *data, size_t size);
void hash_sha256_end(struct hash_sha256 *sum, uint8_t ret_hash[static HASH_BYTES]);

/* Lower-case hexadecimal with NUL, and back (ERR_INVALID). */
void hash_hex(const uint8_t hash[static HASH_BYTES], char out[static HASH_HEX_MAX]);
MUST_CHECK int hash_from_hex(const char *text, uint8_t ret_hash[static HASH_BYTES]);

/* Constant time: 1 equal, 0 not. */
int hash_equal(const uint8_t a[static HASH_BYTES], const uint8_t b[static HASH_BYTES]);

void hash_random(void *out, size_t size);

/* base64url without padding (RFC 4648 section 5), NUL-terminated; out holds 4 * ((size + 2) / 3) + 1 bytes. */
void hash_base64url(const void *data, size_t size, char *out);
/* And back; out holds text_size bytes. ERR_INVALID. */
MUST_CHECK int hash_from_base64url(const char *text, size_t text_size, void *out, size_t *ret_size);

/* base64 with padding (RFC 4648 section 4) back; out holds text_size bytes. ERR_INVALID. */
MUST_CHECK int hash_from_base64(const char *text, size_t text_size, void *out, size_t *ret_size);

/* Argon2id (RFC 9106) of a password, with salt and costs in the text: 64 MiB and some tenths of a second, on purpose.
 * ERR_NOMEM. */
#define HASH_PASSWORD_TEXT_MAX 128
MUST_CHECK int hash_password(const char *password, size_t size, char ret_text[static HASH_PASSWORD_TEXT_MAX]);
/* Whether it is the password of that text; costs as much. 1 yes, 0 no (or no memory). */
int hash_password_is(const char *text, const char *password, size_t size);

#endif
