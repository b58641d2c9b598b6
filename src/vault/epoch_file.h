/* epoch.N: the key of an epoch, wrapped by the unlocking key (docs/VAULT.md, "Exact forms"); and the unlocking key
 * itself. */
#ifndef VAULT_EPOCH_FILE_H
#define VAULT_EPOCH_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "vault/crypt.h"

#define EPOCH_SALT_BYTES 16

/* How the unlocking key comes about; a passphrase's has salt and costs. */
struct epoch_lock {
    bool is_passphrase;
    uint8_t salt[EPOCH_SALT_BYTES];
    uint64_t ops, memory_bytes;
};

/* A new salt, and costs of some tenths of a second. */
void epoch_lock_new(struct epoch_lock *ret_lock);

/* Argon2id of a passphrase. ERR_NOMEM. */
MUST_CHECK int epoch_derive(const struct epoch_lock *lock, const char *passphrase,
                            uint8_t ret_key[static CRYPT_KEY_BYTES]);

/* Reads the unlocking key that `file:PATH` or `credential:NAME` names: 32 bytes. ERR_NOTFOUND, ERR_INVALID, ERR_IO. */
MUST_CHECK int epoch_read_unlocking(const char *spec, uint8_t ret_key[static CRYPT_KEY_BYTES], struct err_text *error);

/* The same; a file that is not there is made, of random bytes. ERR_IO, ERR_FULL, and as above. */
MUST_CHECK int epoch_make_unlocking(const char *spec, uint8_t ret_key[static CRYPT_KEY_BYTES], struct err_text *error);

/* The oldest and the newest epoch of which there is a file; ERR_NOTFOUND without any. */
MUST_CHECK int epoch_range(const char *folder, int64_t *ret_first, int64_t *ret_last);

/* Writes epoch.N under another name, synced, and renames it. ERR_IO, ERR_FULL. */
MUST_CHECK int epoch_write(const char *folder, int64_t epoch, const struct epoch_lock *lock,
                           const uint8_t unlocking[static CRYPT_KEY_BYTES], const uint8_t key[static CRYPT_KEY_BYTES]);
/* The same in place of the file that is there, whose bytes are overwritten when the new one is synced. */
MUST_CHECK int epoch_replace(const char *folder, int64_t epoch, const struct epoch_lock *lock,
                             const uint8_t unlocking[static CRYPT_KEY_BYTES], const uint8_t key[static CRYPT_KEY_BYTES]);
MUST_CHECK int epoch_read_lock(const char *folder, int64_t epoch, struct epoch_lock *ret_lock);
/* ERR_DENIED: the unlocking key does not fit. ERR_NOTFOUND, ERR_CORRUPT, ERR_IO. */
MUST_CHECK int epoch_read(const char *folder, int64_t epoch, const uint8_t unlocking[static CRYPT_KEY_BYTES],
                          uint8_t ret_key[static CRYPT_KEY_BYTES]);
/* Overwrites, syncs, unlinks. What the disk keeps below the file system is out of reach. */
MUST_CHECK int epoch_destroy(const char *folder, int64_t epoch);

/* Writes a new file, synced; ERR_EXISTS. */
MUST_CHECK int epoch_write_file(const char *path, unsigned mode, const void *data, size_t size);

#endif
