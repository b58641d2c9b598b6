#include <config.h>

#include "vault/crypt.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <sys/mman.h>

#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_BYTES crypto_aead_xchacha20poly1305_ietf_ABYTES
#define BOUND_MAX 512
#define FORMAT 1

_Static_assert(NONCE_BYTES + TAG_BYTES == CRYPT_EXTRA_BYTES, "nonce and tag");

/* sodium_malloc locks as well, and goes on where it may not; so it is asked once more. */
int crypt_memory(size_t size, void **ret_memory, struct err_text *error)
{
    void *memory = sodium_malloc(size);
    if (!memory)
        return err_set(error, ERR_NOMEM, "out of memory");
    if (sodium_mlock(memory, size) != 0) {
        int why = errno;
        sodium_free(memory);
        return err_set(
            error, ERR_LIMIT,
            "memory for keys cannot be locked (%s): allow more with RLIMIT_MEMLOCK (ulimit -l, LimitMEMLOCK=)",
            strerror(why));
    }
    *ret_memory = memory;
    return 0;
}

void crypt_memory_free(void *memory)
{
    sodium_free(memory);
}

void crypt_name(const uint8_t key[static CRYPT_KEY_BYTES], const char *what, const void *data, size_t size,
                uint8_t ret_name[static CRYPT_NAME_BYTES])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, key, CRYPT_KEY_BYTES, CRYPT_NAME_BYTES);
    crypto_generichash_update(&state, (const uint8_t *)what, strlen(what) + 1);
    crypto_generichash_update(&state, data, size);
    crypto_generichash_final(&state, ret_name, CRYPT_NAME_BYTES);
    sodium_memzero(&state, sizeof state);
}

/* ---- keys ---- */

static size_t bind_key(uint8_t bound[static BOUND_MAX], const char *what, const void *name, size_t name_size,
                       int64_t epoch)
{
    size_t n = strlen(what) + 1;
    bound[0] = FORMAT;
    memcpy(bound + 1, what, n);
    memcpy(bound + 1 + n, &epoch, sizeof epoch);
    memcpy(bound + 1 + n + sizeof epoch, name, name_size);
    return 1 + n + sizeof epoch + name_size;
}

void crypt_wrap(const uint8_t by[static CRYPT_KEY_BYTES], const uint8_t key[static CRYPT_KEY_BYTES], const char *what,
                const void *name, size_t name_size, int64_t epoch, uint8_t ret_wrapped[static CRYPT_WRAPPED_BYTES])
{
    uint8_t bound[BOUND_MAX];
    size_t n = bind_key(bound, what, name, name_size, epoch);
    randombytes_buf(ret_wrapped, NONCE_BYTES);
    crypto_aead_xchacha20poly1305_ietf_encrypt(ret_wrapped + NONCE_BYTES, NULL, key, CRYPT_KEY_BYTES, bound, n, NULL,
                                               ret_wrapped, by);
}

int crypt_unwrap(const uint8_t by[static CRYPT_KEY_BYTES], const uint8_t wrapped[static CRYPT_WRAPPED_BYTES],
                 const char *what, const void *name, size_t name_size, int64_t epoch,
                 uint8_t ret_key[static CRYPT_KEY_BYTES])
{
    uint8_t bound[BOUND_MAX];
    size_t n = bind_key(bound, what, name, name_size, epoch);
    return crypto_aead_xchacha20poly1305_ietf_decrypt(ret_key, NULL, NULL, wrapped + NONCE_BYTES,
                                                      CRYPT_WRAPPED_BYTES - NONCE_BYTES, bound, n, wrapped, by) == 0
               ? 0
               : ERR_CORRUPT;
}

/* ---- records ---- */

static void bind_place(const struct crypt_place *place, struct buf *out)
{
    buf_putc(out, FORMAT);
    buf_putc(out, (char)place->kind);
    buf_put(out, place->subject, CRYPT_NAME_BYTES);
    buf_put_u32(out, (uint32_t)strlen(place->field));
    buf_puts(out, place->field);
    buf_put_u64(out, (uint64_t)place->revision);
    buf_put_u64(out, (uint64_t)place->key_id);
}

int crypt_seal(const uint8_t key[static CRYPT_KEY_BYTES], const struct crypt_place *place, const void *plain,
               size_t size, struct buf *out)
{
    size_t padded = 64;
    while (padded <= size && padded < CRYPT_PLAIN_MAX)
        padded *= 4;
    if (padded <= size)
        return ERR_LIMIT;
    struct buf bound = {0}, text = {0};
    bind_place(place, &bound);
    uint8_t *at = buf_reserve(&text, padded), *to = buf_reserve(out, padded + CRYPT_EXTRA_BYTES);
    int code = at && to && !bound.failed ? 0 : ERR_NOMEM;
    if (code == 0) {
        memset(at, 0, padded);
        memcpy(at, plain, size);
        at[size] = 0x80;
        randombytes_buf(to, NONCE_BYTES);
        crypto_aead_xchacha20poly1305_ietf_encrypt(to + NONCE_BYTES, NULL, at, padded, bound.data, bound.n, NULL, to,
                                                   key);
        out->n += padded + CRYPT_EXTRA_BYTES;
    }
    crypt_buf_drop(&text);
    buf_free(&bound);
    return code;
}

int crypt_open(const uint8_t key[static CRYPT_KEY_BYTES], const struct crypt_place *place, const void *sealed,
               size_t size, struct buf *out)
{
    const uint8_t *from = sealed;
    if (size < CRYPT_EXTRA_BYTES + 64 || size > CRYPT_EXTRA_BYTES + CRYPT_PLAIN_MAX)
        return ERR_CORRUPT;
    size_t n = size - CRYPT_EXTRA_BYTES;
    struct buf bound = {0};
    bind_place(place, &bound);
    uint8_t *at = buf_reserve(out, n);
    int code = at && !bound.failed ? 0 : ERR_NOMEM;
    if (code == 0 && crypto_aead_xchacha20poly1305_ietf_decrypt(at, NULL, NULL, from + NONCE_BYTES, size - NONCE_BYTES,
                                                                bound.data, bound.n, from, key) != 0)
        code = ERR_CORRUPT;
    buf_free(&bound);
    while (code == 0 && n > 0 && at[n - 1] == 0)
        n--;
    if (code == 0 && (n == 0 || at[n - 1] != 0x80))
        code = ERR_CORRUPT;
    if (code == 0)
        out->n += n - 1;
    return code;
}

void crypt_buf_drop(struct buf *buf)
{
    if (buf->data)
        sodium_memzero(buf->data, buf->cap);
    buf_free(buf);
}
