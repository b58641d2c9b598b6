/* Any bytes as a sealed record and as a wrapped key: nothing that was not made with the key opens; what is sealed opens to
 * what it was, at its own place alone. */
#include <config.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/hash.h"
#include "vault/crypt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[CRYPT_KEY_BYTES] = {1}, name[CRYPT_NAME_BYTES] = {2};
    struct crypt_place place = {.kind = CRYPT_FIELD, .subject = name, .field = "name", .revision = 3, .key_id = 4};
    struct buf sealed = {0}, plain = {0};
    uint8_t out[CRYPT_KEY_BYTES];
    if (hash_init() != 0)
        abort();
    if (crypt_open(key, &place, data, size, &plain) == 0)
        abort();
    if (size >= CRYPT_WRAPPED_BYTES && crypt_unwrap(key, data, "subject", name, sizeof name, 1, out) == 0)
        abort();
    crypt_buf_drop(&plain);
    if (size < CRYPT_PLAIN_MAX && crypt_seal(key, &place, data, size, &sealed) == 0) {
        if (crypt_open(key, &place, sealed.data, sealed.n, &plain) != 0 || plain.n != size ||
            memcmp(plain.data, data, size) != 0)
            abort();
        place.revision++;
        if (crypt_open(key, &place, sealed.data, sealed.n, &plain) == 0)
            abort();
        place.revision--;
        sealed.data[size % sealed.n] ^= 0x40;
        if (crypt_open(key, &place, sealed.data, sealed.n, &plain) == 0)
            abort();
    }
    crypt_buf_drop(&plain);
    crypt_buf_drop(&sealed);
    return 0;
}
