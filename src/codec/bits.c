#include <config.h>

#include "codec/bits.h"

#include <endian.h>
#include <string.h>

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

static uint64_t load(const uint8_t *in)
{
    uint64_t word;
    memcpy(&word, in, 8);
    return le64toh(word);
}

/* The loops read 8 bytes (wide: 9) for each number, whatever its width: their callers say that
 * these bytes are there. */
static void unpack_narrow(const uint8_t *in, size_t bit, size_t n, unsigned width,
                          uint64_t *ret_values)
{
    uint64_t mask = mask_of(width);
    for (size_t i = 0; i < n; i++, bit += width)
        ret_values[i] = load(in + bit / 8) >> bit % 8 & mask;
}

static void unpack_wide(const uint8_t *in, size_t bit, size_t n, unsigned width,
                        uint64_t *ret_values)
{
    uint64_t mask = mask_of(width);
    for (size_t i = 0; i < n; i++, bit += width) {
        const uint8_t *at = in + bit / 8;
        unsigned shift = bit % 8;
        uint64_t high = shift ? (uint64_t)at[8] << (64 - shift) : 0;
        ret_values[i] = (load(at) >> shift | high) & mask;
    }
}

void bits_unpack(const uint8_t *in, size_t n, unsigned width, uint64_t *ret_values)
{
    if (!width) {
        memset(ret_values, 0, n * sizeof *ret_values);
        return;
    }
    /* A number that begins in bit 7 of a byte and has up to 57 bits lies within 8 bytes. */
    void (*unpack)(const uint8_t *, size_t, size_t, unsigned, uint64_t *) =
        width <= 57 ? unpack_narrow : unpack_wide;
    size_t size = bits_size(n, width), n_inside = 0;
    if (size >= 9) {
        n_inside = ((size - 9) * 8 + 7) / width +
                   1; /* numbers that begin 9 bytes or more before the end */
        if (n_inside > n)
            n_inside = n;
        unpack(in, 0, n_inside, width, ret_values);
    }
    size_t bit = n_inside * width;
    uint8_t tail[24] = {0};
    memcpy(tail, in + bit / 8, size - bit / 8);
    unpack(tail, bit % 8, n - n_inside, width, ret_values + n_inside);
}
