/* Numbers of 0 to 64 bits, packed without gaps; the least significant bit of the first byte is bit 0 of the first number. */
#ifndef CODEC_BITS_H
#define CODEC_BITS_H

#include <stddef.h>
#include <stdint.h>

/* How many bits it takes to write v; 0 takes none. */
unsigned bits_width(uint64_t v);

/* Bytes of n numbers of width bits. */
size_t bits_size(size_t n, unsigned width);

/* Writes the low width bits of n numbers, bits_size(n, width) bytes. */
void bits_pack(const uint64_t *values, size_t n, unsigned width, uint8_t *out);

/* Reads them back; never reads beyond bits_size(n, width) bytes. */
void bits_unpack(const uint8_t *in, size_t n, unsigned width, uint64_t *ret_values);

#endif
