/* A fast seeded hash for tables in memory: folded 64 by 64 bit multiplications over 8 bytes at a time. Not for anything
 * that is stored or secret: that is common/hash. With a random seed nobody outside can choose keys that collide. */
#ifndef COMMON_MIX_H
#define COMMON_MIX_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t mix_fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t mix_hash(uint64_t seed, const char *data, size_t size)
{
    uint64_t h = seed ^ (size * UINT64_C(0x9E3779B97F4A7C15));
    uint64_t word;
    for (; size >= sizeof word; data += sizeof word, size -= sizeof word) {
        memcpy(&word, data, sizeof word);
        h = mix_fold(h ^ word, UINT64_C(0xD6E8FEB86659FD93) ^ seed);
    }
    word = 0;
    memcpy(&word, data, size);
    return mix_fold(h ^ word, UINT64_C(0xA0761D6478BD642F));
}

#endif
