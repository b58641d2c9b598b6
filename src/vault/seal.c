#include <config.h>

#include "vault/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

_Static_assert(SEAL_KEY_BYTES == crypto_box_PUBLICKEYBYTES && SEAL_EXTRA_BYTES == crypto_box_SEALBYTES,
               "libsodium's sizes");

int seal_key_read(const char *path, uint8_t ret_key[static SEAL_KEY_BYTES], struct err_text *error)
{
    uint8_t key[SEAL_KEY_BYTES + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(error, errno == ENOENT ? ERR_NOTFOUND : ERR_IO,
                       "the vault's public key \"%s\" cannot be read: %s", path, strerror(errno));
    ssize_t n = read(fd, key, sizeof key);
    close(fd);
    if (n != SEAL_KEY_BYTES)
        return err_set(error, n < 0 ? ERR_IO : ERR_CORRUPT, "\"%s\" is not a public key of 32 bytes", path);
    memcpy(ret_key, key, SEAL_KEY_BYTES);
    return 0;
}

int seal_make(const uint8_t key[static SEAL_KEY_BYTES], const void *data, size_t size, uint8_t *sealed)
{
    return crypto_box_seal(sealed, data, size, key) == 0 ? 0 : ERR_CORRUPT;
}
