/* What encoder and decoder of chunks share: the numbers of docs/FORMAT.md ("Chunk"). */
#ifndef CODEC_CHUNK_FORMAT_H
#define CODEC_CHUNK_FORMAT_H

#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#define CHUNK_VERSION 1
#define CHUNK_CRC_BYTES 4

enum { CHUNK_FLAG_STATE = 1, CHUNK_FLAG_SUSPECT = 2, CHUNK_FLAG_KNOWN_S = 4, CHUNK_FLAGS_ALL = 7 };

/* The fields of the directory, each a number a vector; positions in the columns follow. */
enum chunk_field {
    FIELD_GAP,   /* first_us less the last_us of the vector before, or of the chunk's first_us */
    FIELD_SPAN,  /* last_us less first_us */
    FIELD_VALID, /* 1: statistics speak for the vector */
    FIELD_MIN,
    FIELD_MAX,   /* this and the next two less min */
    FIELD_FIRST,
    FIELD_LAST,
    FIELD_SUM,   /* sum - n * min: the low 64 bits, and the high ones */
    FIELD_SUM_HIGH,
    FIELD_N
};

/* Of the key, and of size bytes behind the CRC. */
static inline uint32_t chunk_crc(uint64_t key, const uint8_t *data, size_t size)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(key >> (8 * i));
    return (uint32_t)crc32_z(crc32_z(0, bytes, sizeof bytes), data, size);
}

/* Times and differences wrap around, so that every int64 survives. */
static inline int64_t wrap_add(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static inline int64_t wrap_subtract(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

/* The time of a reading in units of known-at (1 or 1000 ms), rounded down. */
static inline int64_t chunk_time_in_units(int64_t t_us, int64_t unit_ms)
{
    return unit_ms == 1 ? t_us / 1000 - (t_us % 1000 < 0) : t_us / 1000000 - (t_us % 1000000 < 0);
}

#endif
