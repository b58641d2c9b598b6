#include <config.h>

#include "codec/bits.h"

#include <endian.h>
#include <string.h>

#include "codec/kernels.h"

unsigned bits_width(uint64_t v)
{
    return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

size_t bits_size(size_t n, unsigned width)
{
    return (n * width + 7) / 8;
}

static uint64_t mask_of(unsigned width)
{
    return width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
}

void bits_pack(const uint64_t *values, size_t n, unsigned width, uint8_t *out)
{
    uint64_t mask = mask_of(width), word = 0;
    unsigned n_bits = 0; /* of word that are in use, below 64 */
    for (size_t i = 0; i < n; i++) {
        uint64_t v = values[i] & mask;
        word |= v << n_bits;
        n_bits += width;
        if (n_bits >= 64) {
            uint64_t full = htole64(word);
            memcpy(out, &full, 8);
            out += 8;
            n_bits -= 64;
            word = n_bits ? v >> (width - n_bits) : 0;
        }
    }
    word = htole64(word);
    memcpy(out, &word, (n_bits + 7) / 8);
}

void bits_unpack(const uint8_t *in, size_t n, unsigned width, uint64_t *ret_values)
{
    if (!width) {
        memset(ret_values, 0, n * sizeof *ret_values);
        return;
    }
    const struct kernels *kernels = kernels_best();
    size_t size = bits_size(n, width), n_inside = 0;
    if (size >= KERNELS_REACH) {
        n_inside = ((size - KERNELS_REACH) / width + 1) * 8; /* whole groups whose reach ends inside */
        if (n_inside > n)
            n_inside = n / 8 * 8;
        kernels->unpack(in, n_inside, width, ret_values);
    }
    size_t at = n_inside / 8 * width;
    uint8_t tail[2 * KERNELS_REACH + 64] = {0};
    memcpy(tail, in + at, size - at);
    kernels->unpack(tail, n - n_inside, width, ret_values + n_inside);
}
