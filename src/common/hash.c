#include <config.h>

#include "common/hash.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

int hash_init(void)
{
    return sodium_init() < 0 ? ERR_IO : 0;
}

void hash_bytes(const void *data, size_t size, uint8_t ret_hash[static HASH_BYTES])
{
    crypto_generichash(ret_hash, HASH_BYTES, data, size, NULL, 0);
}

void hash_keyed(const uint8_t key[static HASH_KEY_BYTES], const void *data, size_t size,
                uint8_t ret_hash[static HASH_BYTES])
{
    crypto_generichash(ret_hash, HASH_BYTES, data, size, key, HASH_KEY_BYTES);
}

void hash_keyed_short(const uint8_t key[static HASH_KEY_BYTES], const void *data, size_t size,
                      uint8_t ret_hash[static HASH_KEYED_SHORT_BYTES])
{
    crypto_generichash(ret_hash, HASH_KEYED_SHORT_BYTES, data, size, key, HASH_KEY_BYTES);
}

uint64_t hash_short(uint64_t key, const void *data, size_t size)
{
    uint8_t key_bytes[crypto_shorthash_KEYBYTES] = {0}, out[crypto_shorthash_BYTES];
    uint64_t sum;
    memcpy(key_bytes, &key, sizeof(key));
    crypto_shorthash(out, data, size, key_bytes);
    memcpy(&sum, out, sizeof(sum));
    return sum;
}

int hash_file(const char *path, uint8_t ret_hash[static HASH_BYTES])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? ERR_NOTFOUND : ERR_IO;
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, HASH_BYTES);
    static _Thread_local uint8_t block[1 << 16];
    ssize_t n;
    while ((n = read(fd, block, sizeof(block))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        crypto_generichash_update(&state, block, (size_t)n);
    }
    close(fd);
    if (n < 0)
        return ERR_IO;
    crypto_generichash_final(&state, ret_hash, HASH_BYTES);
    return 0;
}

static_assert(sizeof(crypto_hash_sha256_state) <= sizeof(struct hash_sha256) && crypto_hash_sha256_BYTES == HASH_BYTES,
              "the sum has room for libsodium's state");

void hash_sha256_begin(struct hash_sha256 *sum)
{
    crypto_hash_sha256_init((crypto_hash_sha256_state *)sum->state);
}

void hash_sha256_add(struct hash_sha256 *sum, const void *data, size_t size)
{
    crypto_hash_sha256_update((crypto_hash_sha256_state *)sum->state, data, size);
}

void hash_sha256_end(struct hash_sha256 *sum, uint8_t ret_hash[static HASH_BYTES])
{
    crypto_hash_sha256_final((crypto_hash_sha256_state *)sum->state, ret_hash);
}

void hash_hex(const uint8_t hash[static HASH_BYTES], char out[static HASH_HEX_MAX])
{
    sodium_bin2hex(out, HASH_HEX_MAX, hash, HASH_BYTES);
}

int hash_from_hex(const char *text, uint8_t ret_hash[static HASH_BYTES])
{
    uint8_t hash[HASH_BYTES];
    size_t n;
    const char *end;
    size_t size = strlen(text);
    if (size != 2 * (size_t)HASH_BYTES || sodium_hex2bin(hash, HASH_BYTES, text, size, NULL, &n, &end) ||
        n != HASH_BYTES || *end)
        return ERR_INVALID;
    memcpy(ret_hash, hash, HASH_BYTES);
    return 0;
}

int hash_equal(const uint8_t a[static HASH_BYTES], const uint8_t b[static HASH_BYTES])
{
    return sodium_memcmp(a, b, HASH_BYTES) == 0;
}

void hash_random(void *out, size_t size)
{
    randombytes_buf(out, size);
}

void hash_base64url(const void *data, size_t size, char *out)
{
    sodium_bin2base64(out, sodium_base64_ENCODED_LEN(size, sodium_base64_VARIANT_URLSAFE_NO_PADDING), data, size,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

int hash_from_base64url(const char *text, size_t text_size, void *out, size_t *ret_size)
{
    return sodium_base642bin(out, text_size, text, text_size, NULL, ret_size, NULL,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING)
               ? ERR_INVALID
               : 0;
}

int hash_from_base64(const char *text, size_t text_size, void *out, size_t *ret_size)
{
    return sodium_base642bin(out, text_size, text, text_size, NULL, ret_size, NULL, sodium_base64_VARIANT_ORIGINAL) ? ERR_INVALID
                                                                                                                : 0;
}

static_assert(crypto_pwhash_STRBYTES <= HASH_PASSWORD_TEXT_MAX, "the text has room for libsodium's");

int hash_password(const char *password, size_t size, char ret_text[static HASH_PASSWORD_TEXT_MAX])
{
    return crypto_pwhash_str_alg(ret_text, password, size, crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE,
                                 crypto_pwhash_ALG_ARGON2ID13)
               ? ERR_NOMEM
               : 0;
}

int hash_password_is(const char *text, const char *password, size_t size)
{
    return crypto_pwhash_str_verify(text, password, size) == 0;
}
