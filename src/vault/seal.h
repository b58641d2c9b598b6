/* Sealing to the vault's public key (vault/public.key): anybody may, only almanac-vaultd opens it again (operation
 * `unseal`). An ephemeral X25519 key a message, XSalsa20-Poly1305 (libsodium's crypto_box_seal). No process is needed
 * for it. */
#ifndef VAULT_SEAL_H
#define VAULT_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define SEAL_KEY_BYTES 32
#define SEAL_EXTRA_BYTES 48 /* that what is sealed is longer by */

/* Reads the 32 bytes of a public key. ERR_NOTFOUND, ERR_CORRUPT (another size), ERR_IO. */
MUST_CHECK int seal_key_read(const char *path, uint8_t ret_key[static SEAL_KEY_BYTES], struct err_text *error);

/* Writes size + SEAL_EXTRA_BYTES bytes to sealed. Some 60 us. Any thread, after hash_init. ERR_CORRUPT: not a key. */
MUST_CHECK int seal_make(const uint8_t key[static SEAL_KEY_BYTES], const void *data, size_t size, uint8_t *sealed);

#endif
