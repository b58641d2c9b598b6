/* Exact sums and their quotients. */
#include <config.h>

#include "model/decimal.h"

#include <assert.h>
#include <string.h>

#include "model/wide.h"

typedef unsigned __int128 u128;

#define TEN_18 UINT64_C(1000000000000000000)
#define TEN_19 UINT64_C(10000000000000000000)

/* ---- exact sums ---- */

bool exact_is_zero(const struct exact *value)
{
    return wide_size(value->limb, EXACT_LIMBS) == 0;
}

/* False when the product does not fit; then value means nothing. */
static bool multiply(struct exact *value, uint64_t factor)
{
    bool negative = wide_is_negative(value);
    if (negative)
        wide_negate(value->limb, EXACT_LIMBS);
    bool fits = wide_multiply(value->limb, EXACT_LIMBS, factor) == 0 && !wide_is_negative(value);
    if (negative)
        wide_negate(value->limb, EXACT_LIMBS);
    return fits;
}

/* Brings value to the exponent e <= value->e. False when it does not fit; then value means nothing. */
static bool lower_exponent(struct exact *value, int e)
{
    if (!exact_is_zero(value)) {
        int difference = value->e - e;
        for (; difference > 18; difference -= 18)
            if (!multiply(value, TEN_18))
                return false;
        if (!multiply(value, (uint64_t)decimal_pow10[difference]))
            return false;
    }
    value->e = (int16_t)e;
    return true;
}

/* sum += term, or -= term: the complement and a carry. Both have the same exponent. */
static void add_aligned(struct exact *sum, const struct exact *term, bool subtract)
{
    uint64_t flip = subtract ? UINT64_MAX : 0, carry = subtract;
    bool was_negative = wide_is_negative(sum), adds_negative = wide_is_negative(term) != subtract;
    for (size_t i = 0; i < EXACT_LIMBS; i++) {
        u128 word = (u128)sum->limb[i] + (term->limb[i] ^ flip) + carry;
        sum->limb[i] = (uint64_t)word;
        carry = (uint64_t)(word >> 64);
    }
    if (was_negative == adds_negative && was_negative != wide_is_negative(sum))
        sum->overflow = true;
}

static void add_exact(struct exact *sum, const struct exact *other, bool subtract)
{
    if (other->overflow)
        sum->overflow = true;
    if (exact_is_zero(other))
        return;
    if (exact_is_zero(sum))
        sum->e = other->e;
    if (other->e == sum->e) {
        add_aligned(sum, other, subtract);
        return;
    }
    struct exact term = *other;
    bool fits = term.e >= sum->e ? lower_exponent(&term, sum->e) : lower_exponent(sum, term.e);
    if (fits)
        add_aligned(sum, &term, subtract);
    else
        sum->overflow = true;
}

void exact_add_exact(struct exact *sum, const struct exact *other)
{
    add_exact(sum, other, false);
}

void exact_subtract(struct exact *sum, const struct exact *other)
{
    add_exact(sum, other, true);
}

static void exact_from_i128(struct exact *ret_value, __int128 m, int16_t e)
{
    uint64_t sign = m < 0 ? UINT64_MAX : 0;
    *ret_value = (struct exact){
        .limb = {(uint64_t)m, (uint64_t)((u128)m >> 64), sign, sign, sign, sign},
        .e = e,
    };
}

/* The upper words change only when the lower two overflow or change their sign: then sign (all words of the addend from
 * the third on) and carry do not cancel out. */
static void add_upper(struct exact *sum, uint64_t sign, uint64_t carry)
{
    bool was_negative = wide_is_negative(sum);
    for (size_t i = 2; i < EXACT_LIMBS; i++) {
        u128 word = (u128)sum->limb[i] + sign + carry;
        sum->limb[i] = (uint64_t)word;
        carry = (uint64_t)(word >> 64);
    }
    if (was_negative == (sign != 0) && was_negative != wide_is_negative(sum))
        sum->overflow = true;
}

static inline void add_same_exponent(struct exact *sum, __int128 m)
{
    u128 low = (u128)sum->limb[1] << 64 | sum->limb[0];
    uint64_t sign = m < 0 ? UINT64_MAX : 0;
    uint64_t carry = __builtin_add_overflow(low, (u128)m, &low);
    sum->limb[0] = (uint64_t)low;
    sum->limb[1] = (uint64_t)(low >> 64);
    if (sign + carry != 0)
        add_upper(sum, sign, carry);
}

void exact_add(struct exact *sum, struct decimal value)
{
    int difference = value.e - sum->e;
    if (difference == 0)
        add_same_exponent(sum, value.m);
    else if (difference > 0 && difference <= 18)
        add_same_exponent(sum, (__int128)value.m * decimal_pow10[difference]);
    else
        exact_add_i128(sum, value.m, value.e);
}

void exact_add_i128(struct exact *sum, __int128 m, int e)
{
    if (e == sum->e) {
        add_same_exponent(sum, m);
        return;
    }
    if (m == 0)
        return;
    if (e < INT8_MIN || e > INT8_MAX) {
        sum->overflow = true;
        return;
    }
    if (exact_is_zero(sum)) {
        sum->e = (int16_t)e;
        add_same_exponent(sum, m);
        return;
    }
    struct exact term;
    exact_from_i128(&term, m, (int16_t)e);
    add_exact(sum, &term, false);
}

void exact_multiply_u64(struct exact *value, uint64_t factor)
{
    if (!multiply(value, factor))
        value->overflow = true;
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

int exact_compare(const struct exact *a, const struct exact *b)
{
    bool negative = wide_is_negative(a);
    if (negative != wide_is_negative(b))
        return negative ? -1 : 1;
    if (exact_is_zero(a) || exact_is_zero(b))
        return !exact_is_zero(a) - !exact_is_zero(b);

    /* What does not fit at the other's exponent is further from 0 than anything that does. */
    struct exact x = *a, y = *b;
    if (x.e > y.e && !lower_exponent(&x, y.e))
        return negative ? -1 : 1;
    if (y.e > x.e && !lower_exponent(&y, x.e))
        return negative ? 1 : -1;
    for (size_t i = EXACT_LIMBS; i-- > 0;)
        if (x.limb[i] != y.limb[i])
            return compare_u64(x.limb[i], y.limb[i]);
    return 0;
}

/* ---- quotients ---- */

/* Each divisor comes with a factor of 10^19, and there is one more: 10^38 times the smallest magnitude, divided by the largest
 * divisor, still has 19 digits, one more than is ever asked for; of four divisors the quotient has 18. */
#define QUOTIENT_WORDS (EXACT_LIMBS + 1 + EXACT_DIVISORS_MAX)

/* A lower bound of the digits of a number that is not 0: the number of digits, or one less. */
static int digits_at_least(const uint64_t *word, size_t n)
{
    size_t bits = n * 64 - (size_t)__builtin_clzll(word[n - 1]);
    return (int)((bits - 1) * 30103 / 100000) + 1;
}

/* The first digits + 1 digits of a number that has as many; *e grows by what was dropped, *sticky is set if that was not
 * only zeros. */
static uint64_t leading_digits(uint64_t *word, size_t n, int digits, int *e, bool *sticky)
{
    n = wide_size(word, n);
    for (int drop = digits_at_least(word, n) - digits - 1; drop > 0;) {
        int step = drop < 18 ? drop : 18;
        *sticky |= wide_divide(word, n, (uint64_t)decimal_pow10[step]) != 0;
        n = wide_size(word, n);
        *e += step;
        drop -= step;
    }
    /* Now there are one or two digits too many: at most 20, more than one word holds. */
    u128 rest = n > 1 ? (u128)word[1] << 64 | word[0] : word[0];
    u128 end = (u128)(uint64_t)decimal_pow10[digits] * 10;
    while (rest >= end) {
        *sticky |= rest % 10 != 0;
        rest /= 10;
        ++*e;
    }
    return (uint64_t)rest;
}

uint64_t wide_round(uint64_t *word, size_t n, int digits, int *e, bool sticky)
{
    uint64_t magnitude = leading_digits(word, n, digits, e, &sticky);
    uint64_t last = magnitude % 10;
    magnitude /= 10;
    ++*e;
    if (last > 5 || (last == 5 && (sticky || magnitude % 2 == 1)))
        magnitude++;
    for (; magnitude % 10 == 0; ++*e)
        magnitude /= 10;
    return magnitude;
}

/* The mean of a bucket: a sum of one word, and a quotient of two. False (and nothing done) for anything larger. */
static bool divide_narrow(const struct exact *value, uint64_t divisor, int digits, struct decimal *ret_quotient)
{
    uint64_t sign = wide_is_negative(value) ? UINT64_MAX : 0, magnitude = (value->limb[0] ^ sign) - sign, rest = 0;
    for (size_t i = 1; i < EXACT_LIMBS; i++)
        rest |= value->limb[i] ^ sign;
    if (rest || magnitude >> 63 || !wide_is_usable(value) || digits >= DECIMAL_DIGITS_MAX)
        return false;
    u128 dividend = (u128)magnitude * TEN_19, quotient = dividend / divisor;
    if (quotient < (uint64_t)decimal_pow10[digits + 1])
        return false;
    uint64_t word[2] = {(uint64_t)quotient, (uint64_t)(quotient >> 64)};
    int e = value->e - 19;
    magnitude = wide_round(word, 2, digits, &e, dividend != quotient * divisor);
    if (e < -INT8_MAX || e > INT8_MAX)
        return false;
    *ret_quotient = (struct decimal){sign ? -(int64_t)magnitude : (int64_t)magnitude, (int8_t)e};
    return true;
}

int exact_divide_by(const struct exact *value, const uint64_t *divisors, size_t n_divisors, int digits,
                    struct decimal *ret_quotient)
{
    assert(n_divisors <= EXACT_DIVISORS_MAX && digits >= 1 && digits <= (n_divisors > 1 ? 17 : DECIMAL_DIGITS_MAX));
    if (!wide_is_usable(value))
        return ERR_LIMIT;
    if (n_divisors == 1 && divide_narrow(value, divisors[0], digits, ret_quotient))
        return 0;
    if (exact_is_zero(value)) {
        *ret_quotient = (struct decimal){0, 0};
        return 0;
    }
    uint64_t word[QUOTIENT_WORDS] = {0};
    bool negative = wide_is_negative(value), sticky = false;
    memcpy(word, value->limb, sizeof value->limb);
    if (negative)
        wide_negate(word, EXACT_LIMBS);
    size_t n = wide_size(word, EXACT_LIMBS) + n_divisors + 1;
    int e = value->e;
    for (size_t i = 0; i <= n_divisors; i++, e -= 19)
        wide_multiply(word, n, TEN_19);
    for (size_t i = 0; i < n_divisors; i++) /* whole quotients of whole quotients are those of the product */
        sticky |= wide_divide(word, n, divisors[i]) != 0;

    uint64_t magnitude = wide_round(word, n, digits, &e, sticky);
    if (e < -INT8_MAX || e > INT8_MAX)
        return ERR_LIMIT;
    *ret_quotient = (struct decimal){negative ? -(int64_t)magnitude : (int64_t)magnitude, (int8_t)e};
    return 0;
}

int exact_divide(const struct exact *value, uint64_t divisor, int digits, struct decimal *ret_quotient)
{
    assert(divisor > 0);
    return exact_divide_by(value, &divisor, 1, digits, ret_quotient);
}

bool exact_at(const struct exact *value, int e, int64_t *ret_m)
{
    struct exact x = *value;
    if (!wide_is_usable(value))
        return false;
    if (exact_is_zero(value)) {
        *ret_m = 0;
        return true;
    }
    bool negative = wide_is_negative(&x);
    if (e <= x.e && !lower_exponent(&x, e))
        return false;
    if (negative)
        wide_negate(x.limb, EXACT_LIMBS);
    for (int difference = e - x.e; difference > 0;) {
        int step = difference < 18 ? difference : 18;
        if (wide_divide(x.limb, EXACT_LIMBS, (uint64_t)decimal_pow10[step]) != 0)
            return false;
        difference -= step;
    }
    if (wide_size(x.limb, EXACT_LIMBS) > 1 || x.limb[0] > (uint64_t)INT64_MAX + negative)
        return false;
    *ret_m = (int64_t)(negative ? 0 - x.limb[0] : x.limb[0]);
    return true;
}
