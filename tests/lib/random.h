/* A small generator for tests (splitmix64): the same numbers from the same seed everywhere. */
#ifndef TESTS_LIB_RANDOM_H
#define TESTS_LIB_RANDOM_H

#include <stdint.h>

static inline uint64_t random_u64(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* 0 .. n - 1 */
static inline int64_t random_below(uint64_t *seed, int64_t n)
{
    return (int64_t)(random_u64(seed) % (uint64_t)n);
}

/* About normal with the given spread: the sum of twelve uniform numbers. */
static inline int64_t random_normal(uint64_t *seed, int64_t spread)
{
    int64_t sum = 0;
    for (int i = 0; i < 12; i++)
        sum += random_below(seed, 1001) - 500;
    return (sum * spread + (sum < 0 ? -500 : 500)) / 1000;
}

#endif
