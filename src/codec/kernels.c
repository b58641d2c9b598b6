#include <config.h>

#include "codec/kernels.h"

#include <endian.h>
#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif
#ifndef __clang__ /* gcc 12 vectorises loops of unknown length at -O3 only */
#pragma GCC optimize("O3")
#endif

/* A number that begins in bit 7 of a byte lies within 8 bytes up to this width. */
#define NARROW_MAX 57

static uint64_t mask_of(unsigned width)
{
    return width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
}

static uint64_t load(const uint8_t *in)
{
    uint64_t word;
    memcpy(&word, in, 8);
    return le64toh(word);
}

static void unpack_wide(const uint8_t *in, size_t n, unsigned width, uint64_t *ret_values)
{
    uint64_t mask = mask_of(width);
    for (size_t i = 0, bit = 0; i < n; i++, bit += width) {
        const uint8_t *at = in + bit / 8;
        unsigned shift = bit % 8;
        uint64_t high = shift ? (uint64_t)at[8] << (64 - shift) : 0;
        ret_values[i] = (load(at) >> shift | high) & mask;
    }
}

static void unpack(const uint8_t *in, size_t n, unsigned width, uint64_t *ret_values)
{
    uint64_t mask = mask_of(width);
    if (width > NARROW_MAX) {
        unpack_wide(in, n, width, ret_values);
        return;
    }
    for (size_t i = 0, bit = 0; i < n; i++, bit += width)
        ret_values[i] = load(in + bit / 8) >> bit % 8 & mask;
}

/* Both forms are made of these, for gcc to vectorise as far as each may. */
static inline __attribute__((always_inline)) void line_each(uint64_t *v, size_t n, uint64_t base, uint64_t step)
{
    for (size_t i = 0; i < n; i++, base += step)
        v[i] = base;
}

static inline __attribute__((always_inline)) void multiply_each(uint64_t *v, size_t n, uint64_t factor)
{
    for (size_t i = 0; i < n; i++)
        v[i] *= factor;
}

static inline __attribute__((always_inline)) void add_line_each(uint64_t *v, size_t n, uint64_t base, uint64_t step)
{
    for (size_t i = 0; i < n; i++, base += step)
        v[i] += base;
}

static void line(uint64_t *v, size_t n, uint64_t base, uint64_t step)
{
    line_each(v, n, base, step);
}

static void multiply(uint64_t *v, size_t n, uint64_t factor)
{
    multiply_each(v, n, factor);
}

static void add_line(uint64_t *v, size_t n, uint64_t base, uint64_t step)
{
    add_line_each(v, n, base, step);
}

static void add_up(uint64_t *v, size_t n, uint64_t start, uint64_t step)
{
    for (size_t i = 0; i < n; i++)
        v[i] = start += step + v[i];
}

const struct kernels kernels_portable = {"portable", unpack, line, multiply, add_line, add_up};

#ifdef __x86_64__

#define AVX2 __attribute__((target("avx2")))

AVX2 static __m256i load_pairs(const uint8_t *low, const uint8_t *high)
{
    __m128i pair = _mm_loadu_si128((const __m128i *)low);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(pair), _mm_loadu_si128((const __m128i *)high), 1);
}

/* Two neighbouring numbers of up to 57 bits lie within 16 bytes. These are loaded, the 8 bytes of each brought to its lane
 * and shifted; the places and shifts of the eight numbers of a group are the same in every group. */
AVX2 static void unpack_avx2(const uint8_t *in, size_t n, unsigned width, uint64_t *ret_values)
{
    uint8_t places[64];
    uint64_t shifts[8];
    size_t pairs[4];
    if (width > NARROW_MAX) {
        unpack_wide(in, n, width, ret_values);
        return;
    }
    for (unsigned i = 0; i < 8; i++) {
        pairs[i / 2] = i / 2 * 2 * width / 8;
        shifts[i] = i * width % 8;
        for (unsigned b = 0; b < 8; b++)
            places[8 * i + b] = (uint8_t)(i * width / 8 - pairs[i / 2] + b);
    }
    __m256i places_a = _mm256_loadu_si256((const __m256i *)places), shifts_a = _mm256_loadu_si256((const __m256i *)shifts);
    __m256i places_b = _mm256_loadu_si256((const __m256i *)(places + 32));
    __m256i shifts_b = _mm256_loadu_si256((const __m256i *)(shifts + 4));
    __m256i mask = _mm256_set1_epi64x((long long)mask_of(width));
    for (; n >= 8; n -= 8, in += width, ret_values += 8) {
        __m256i a = _mm256_shuffle_epi8(load_pairs(in, in + pairs[1]), places_a);
        __m256i b = _mm256_shuffle_epi8(load_pairs(in + pairs[2], in + pairs[3]), places_b);
        a = _mm256_and_si256(_mm256_srlv_epi64(a, shifts_a), mask);
        b = _mm256_and_si256(_mm256_srlv_epi64(b, shifts_b), mask);
        _mm256_storeu_si256((__m256i *)ret_values, a);
        _mm256_storeu_si256((__m256i *)(ret_values + 4), b);
    }
    unpack(in, n, width, ret_values);
}

AVX2 static void line_avx2(uint64_t *v, size_t n, uint64_t base, uint64_t step)
{
    line_each(v, n, base, step);
}

AVX2 static void multiply_avx2(uint64_t *v, size_t n, uint64_t factor)
{
    multiply_each(v, n, factor);
}

AVX2 static void add_line_avx2(uint64_t *v, size_t n, uint64_t base, uint64_t step)
{
    add_line_each(v, n, base, step);
}

/* Four sums are made apart from the ones before, so that only one addition in four waits for another. */
AVX2 static void add_up_avx2(uint64_t *v, size_t n, uint64_t start, uint64_t step)
{
    size_t i = 0;
    __m256i before = _mm256_set1_epi64x((long long)start), steps = _mm256_set1_epi64x((long long)step);
    for (; i + 4 <= n; i += 4) {
        __m256i x = _mm256_add_epi64(_mm256_loadu_si256((const __m256i *)(v + i)), steps);
        x = _mm256_add_epi64(x, _mm256_slli_si256(x, 8)); /* a, a+b; c, c+d */
        __m256i low = _mm256_permute4x64_epi64(x, 0x50);  /* a, a, a+b, a+b */
        x = _mm256_add_epi64(x, _mm256_blend_epi32(_mm256_setzero_si256(), low, 0xf0));
        _mm256_storeu_si256((__m256i *)(v + i), _mm256_add_epi64(before, x));
        before = _mm256_add_epi64(before, _mm256_permute4x64_epi64(x, 0xff));
    }
    add_up(v + i, n - i, i ? v[i - 1] : start, step);
}

static const struct kernels kernels_avx2 = {"avx2",        unpack_avx2,   line_avx2,
                                            multiply_avx2, add_line_avx2, add_up_avx2};

const struct kernels *kernels_best(void)
{
    return __builtin_cpu_supports("avx2") ? &kernels_avx2 : &kernels_portable;
}

#else

const struct kernels *kernels_best(void)
{
    return &kernels_portable;
}

#endif
