#include <config.h>

#include "model/nearest.h"

#include <math.h>
#include <stdbool.h>

typedef unsigned __int128 u128;

/* Doubles hold these exactly. */
#define DOUBLE_POW10_MAX 22
#define DOUBLE_WHOLE_MAX (INT64_C(1) << 53)
static const double double_pow10[DOUBLE_POW10_MAX + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                                          1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* An exact sum times 10^128, and a quotient of 66 bits by 10^128, fit with room to spare. */
#define WORDS 16
#define STEP_DIGITS 18

struct wide {
    uint64_t word[WORDS]; /* least significant first */
    bool sticky;          /* something was cut off */
};

/* ---- the way that is always right: whole numbers ---- */

static void multiply(struct wide *wide, uint64_t factor)
{
    u128 carry = 0;
    for (int i = 0; i < WORDS; i++) {
        carry += (u128)wide->word[i] * factor;
        wide->word[i] = (uint64_t)carry;
        carry >>= 64;
    }
}

static void divide(struct wide *wide, uint64_t divisor)
{
    uint64_t rest = 0;
    for (int i = WORDS; i-- > 0;) {
        u128 part = (u128)rest << 64 | wide->word[i];
        wide->word[i] = (uint64_t)(part / divisor);
        rest = (uint64_t)(part % divisor);
    }
    wide->sticky |= rest != 0;
}

static int count_bits(const struct wide *wide)
{
    int i = WORDS;
    while (i > 0 && !wide->word[i - 1])
        i--;
    return i ? 64 * i - __builtin_clzll(wide->word[i - 1]) : 0;
}

static void shift_words(struct wide *wide, int n)
{
    for (int i = WORDS; i-- > 0;)
        wide->word[i] = i >= n ? wide->word[i - n] : 0;
}

/* wide * 2^exponent, rounded once. */
static double round_wide(struct wide *wide, int exponent)
{
    int n = count_bits(wide), high = (n - 1) / 64, unused = 64 * (high + 1) - n;
    if (!n)
        return 0;
    uint64_t top = wide->word[high] << unused;
    if (high && unused)
        top |= wide->word[high - 1] >> (64 - unused);
    bool sticky = wide->sticky || (high && (wide->word[high - 1] << unused) != 0);
    for (int i = 0; i < high - 1; i++)
        sticky = sticky || wide->word[i];
    uint64_t m = top >> 11, rest = top & 0x7ff;
    if (rest > 0x400 || (rest == 0x400 && (sticky || (m & 1))))
        m++;
    return ldexp((double)m, exponent + n - 53);
}

static double scale(struct wide *wide, int e)
{
    int n_words = 0;
    for (; e > 0; e -= e < STEP_DIGITS ? e : STEP_DIGITS)
        multiply(wide, (uint64_t)decimal_pow10[e < STEP_DIGITS ? e : STEP_DIGITS]);
    if (e < 0) { /* a digit is less than 4 bits; at least 66 are left */
        int missing = -4 * e + 66 - count_bits(wide);
        n_words = missing > 0 ? (missing + 63) / 64 : 0;
        shift_words(wide, n_words);
    }
    for (; e < 0; e += -e < STEP_DIGITS ? -e : STEP_DIGITS)
        divide(wide, (uint64_t)decimal_pow10[-e < STEP_DIGITS ? -e : STEP_DIGITS]);
    return round_wide(wide, -64 * n_words);
}

double nearest_exact(const struct exact *value)
{
    struct wide wide = {0};
    bool negative = value->limb[EXACT_LIMBS - 1] >> 63;
    bool carry = negative;
    for (int i = 0; i < EXACT_LIMBS; i++) {
        wide.word[i] = negative ? ~value->limb[i] + carry : value->limb[i];
        carry = carry && !wide.word[i];
    }
    double magnitude = scale(&wide, value->e);
    return negative ? -magnitude : magnitude;
}

static double nearest_slow(int64_t m, int e)
{
    struct wide wide = {.word = {m < 0 ? 0 - (uint64_t)m : (uint64_t)m}};
    double magnitude = scale(&wide, e);
    return m < 0 ? -magnitude : magnitude;
}

/* ---- the usual way: both operands are exact, so that there is one rounding ---- */

static inline double nearest(int64_t m, int e)
{
    if (m > -DOUBLE_WHOLE_MAX && m < DOUBLE_WHOLE_MAX && e >= -DOUBLE_POW10_MAX && e <= DOUBLE_POW10_MAX)
        return e < 0 ? (double)m / double_pow10[-e] : (double)m * double_pow10[e];
    return nearest_slow(m, e);
}

double nearest_double(struct decimal value)
{
    return nearest(value.m, value.e);
}

void nearest_doubles(const int64_t *m, const int8_t *e, size_t n, double *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = nearest(m[i], e[i]);
}
