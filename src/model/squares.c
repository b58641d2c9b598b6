#include <config.h>

#include "model/squares.h"

#include <string.h>

#include "model/wide.h"

typedef unsigned __int128 u128;

/* ---- sums ---- */

static void raise_to(uint64_t *word, size_t n, int power)
{
    for (int step; power > 0; power -= step) {
        step = power < 18 ? power : 18;
        wide_multiply(word, n, (uint64_t)decimal_pow10[step]);
    }
}

static void add_words(uint64_t *to, const uint64_t *word, size_t n)
{
    uint64_t carry = 0;
    for (size_t i = 0; i < n; i++) {
        u128 sum = (u128)to[i] + word[i] + carry;
        to[i] = (uint64_t)sum;
        carry = (uint64_t)(sum >> 64);
    }
}

/* Adds a term of three words at exponent e. */
static void add_term(struct squares *squares, u128 low, uint64_t high, int e)
{
    uint64_t term[SQUARES_LIMBS] = {(uint64_t)low, (uint64_t)(low >> 64), high};
    if (!wide_size(term, 3))
        return;
    if (!wide_size(squares->limb, SQUARES_LIMBS))
        squares->e = (int16_t)e;
    if (e < squares->e) {
        raise_to(squares->limb, SQUARES_LIMBS, squares->e - e);
        squares->e = (int16_t)e;
    }
    raise_to(term, SQUARES_LIMBS, e - squares->e);
    add_words(squares->limb, term, SQUARES_LIMBS);
}

void squares_add(struct squares *squares, struct decimal value)
{
    struct decimal canonical = decimal_canonical(value); /* so that exponents are no further apart than values can be */
    add_term(squares, (u128)((__int128)canonical.m * canonical.m), 0, 2 * canonical.e);
}

void squares_add_even(struct squares *squares, const int64_t *m, size_t n, int e)
{
    u128 low = 0;
    uint64_t high = 0;
    for (size_t i = 0; i < n; i++)
        high += __builtin_add_overflow(low, (u128)((__int128)m[i] * m[i]), &low);
    add_term(squares, low, high, 2 * e);
}

/* ---- the deviation ---- */

#define WORDS 24

/* a * b of n words each, into 2n words. */
static void multiply_words(const uint64_t *a, const uint64_t *b, size_t n, uint64_t *ret_product)
{
    memset(ret_product, 0, 2 * n * sizeof(*ret_product));
    for (size_t i = 0; i < n; i++) {
        uint64_t carry = 0;
        for (size_t j = 0; j < n; j++) {
            u128 part = (u128)a[i] * b[j] + ret_product[i + j] + carry;
            ret_product[i + j] = (uint64_t)part;
            carry = (uint64_t)(part >> 64);
        }
        ret_product[i + n] = carry;
    }
}

/* count * squares - sum^2 at one even exponent, which is never below 0. */
static void spread(const struct squares *squares, const struct exact *sum, uint64_t count,
                   uint64_t word[static WORDS], int *ret_e)
{
    uint64_t magnitude[EXACT_LIMBS], square[WORDS] = {0};
    int e = squares->e, e_square = 2 * sum->e;
    memcpy(magnitude, sum->limb, sizeof(magnitude));
    if (wide_is_negative(sum))
        wide_negate(magnitude, EXACT_LIMBS);
    memset(word, 0, WORDS * sizeof(*word));
    memcpy(word, squares->limb, sizeof(squares->limb));
    wide_multiply(word, WORDS, count);
    multiply_words(magnitude, magnitude, EXACT_LIMBS, square);
    e_square = wide_size(square, WORDS) ? e_square : e;
    raise_to(word, WORDS, e - e_square);
    raise_to(square, WORDS, e_square - e);
    wide_negate(square, WORDS);
    add_words(word, square, WORDS);
    *ret_e = e < e_square ? e : e_square;
}

static uint64_t root_of(u128 value)
{
    u128 root = 0, bit = (u128)1 << 126;
    while (bit > value)
        bit >>= 2;
    for (; bit; bit >>= 2) {
        bool fits = value >= root + bit;
        value -= fits ? root + bit : 0;
        root = (root >> 1) + (fits ? bit : 0);
    }
    return (uint64_t)root;
}

bool squares_deviation(const struct squares *squares, const struct exact *sum, uint64_t count, int digits,
                       struct decimal *ret_deviation)
{
    uint64_t word[WORDS];
    bool sticky = false;
    int e;
    if (count < 2)
        return false;
    spread(squares, sum, count, word, &e);
    size_t n = wide_size(word, WORDS);
    if (!n) {
        *ret_deviation = (struct decimal){0, 0};
        return true;
    }
    for (; n < 5; n = wide_size(word, WORDS), e -= 18) /* so that the quotient below has over 36 digits */
        wide_multiply(word, WORDS, (uint64_t)decimal_pow10[18]);
    sticky |= wide_divide(word, n, count) != 0;
    sticky |= wide_divide(word, n, count - 1) != 0;
    for (; (n = wide_size(word, n)) > 2 || word[1] >> 57; e += 2) /* to what two words hold: at least 36 digits */
        sticky |= wide_divide(word, n, 100) != 0;
    u128 value = (u128)word[1] << 64 | word[0];
    uint64_t root[2] = {root_of(value), 0};
    sticky |= (u128)root[0] * root[0] != value;
    e /= 2;
    uint64_t magnitude = wide_round(root, 1, digits, &e, sticky);
    *ret_deviation = (struct decimal){(int64_t)magnitude, (int8_t)e};
    return true;
}
