#include <config.h>

#include "model/decimal.h"

#include <assert.h>
#include <string.h>

typedef unsigned __int128 u128;

const int64_t decimal_pow10[19] = {
    INT64_C(1), INT64_C(10), INT64_C(100), INT64_C(1000), INT64_C(10000), INT64_C(100000), INT64_C(1000000),
    INT64_C(10000000), INT64_C(100000000), INT64_C(1000000000), INT64_C(10000000000), INT64_C(100000000000),
    INT64_C(1000000000000), INT64_C(10000000000000), INT64_C(100000000000000), INT64_C(1000000000000000),
    INT64_C(10000000000000000), INT64_C(100000000000000000), INT64_C(1000000000000000000),
};

#define TEN_18 UINT64_C(1000000000000000000)
#define TEN_19 UINT64_C(10000000000000000000)

static_assert(DECIMAL_MANTISSA_MAX == (int64_t)TEN_18 - 1, "18 digits");

static uint64_t magnitude_of(int64_t m)
{
    return m < 0 ? 0 - (uint64_t)m : (uint64_t)m;
}

/* ---- parsing ---- */

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

/* magnitude has at most 19 digits here, and e is near zero or saturated: neither can overflow. */
static int store_parsed(bool negative, uint64_t magnitude, int64_t e, struct decimal *ret_value)
{
    if (magnitude == 0) {
        *ret_value = (struct decimal){0, 0};
        return 0;
    }
    while (magnitude % 10 == 0) {
        magnitude /= 10;
        e++;
    }
    if (e < DECIMAL_EXP_MIN || e > DECIMAL_EXP_MAX)
        return ERR_LIMIT;
    *ret_value = (struct decimal){negative ? -(int64_t)magnitude : (int64_t)magnitude, (int8_t)e};
    return 0;
}

/* The digits of a long number: the first 18 significant ones, and of the rest only what rounding needs. */
struct collected {
    uint64_t magnitude;
    int64_t e;
    int n_digits;
    char next;   /* the 19th digit */
    bool sticky; /* one behind the 19th is not 0 */
};

/* Returns the first character that is no digit. */
static const char *collect_digits(const char *p, const char *end, bool fraction, struct collected *c)
{
    for (; p < end && is_digit(*p); p++) {
        c->e -= fraction;
        if (c->n_digits < DECIMAL_DIGITS_MAX) {
            c->magnitude = c->magnitude * 10 + (uint64_t)(*p - '0');
            c->n_digits += c->magnitude != 0;
            continue;
        }
        c->e++;
        if (c->n_digits == DECIMAL_DIGITS_MAX) {
            c->next = (char)(*p - '0');
            c->n_digits++;
        } else if (*p != '0') {
            c->sticky = true;
        }
    }
    return p;
}

/* p is behind the E. NULL when the grammar is broken. A text is shorter than 10^15 characters, so that an exponent of
 * 10^17 decides alone and need not be read on. */
static const char *collect_exponent(const char *p, const char *end, struct collected *c)
{
    bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    if (p == end)
        return NULL;
    int64_t exponent = 0;
    for (; p < end && is_digit(*p); p++)
        if (exponent < INT64_C(100000000000000000))
            exponent = exponent * 10 + (*p - '0');
    c->e += negative ? -exponent : exponent;
    return p;
}

/* The whole grammar. text is what follows the sign. */
static int parse_long(const char *text, const char *end, bool negative, struct decimal *ret_value, bool *ret_rounded)
{
    struct collected c = {0};
    const char *p = collect_digits(text, end, false, &c);
    if (p == text || (*text == '0' && p - text > 1))
        return ERR_INVALID;
    if (p < end && *p == '.') {
        const char *fraction = p + 1;
        p = collect_digits(fraction, end, true, &c);
        if (p == fraction)
            return ERR_INVALID;
    }
    if (p < end && (*p == 'e' || *p == 'E'))
        p = collect_exponent(p + 1, end, &c);
    if (p != end)
        return ERR_INVALID;

    if (c.next > 5 || (c.next == 5 && (c.sticky || c.magnitude % 2 == 1)))
        c.magnitude++;
    int r = store_parsed(negative, c.magnitude, c.e, ret_value);
    if (r == 0)
        *ret_rounded = c.next != 0 || c.sticky;
    return r;
}

/* Nearly every number of a meter is short and without exponent: it is read in one pass here, as 19 digits cannot
 * overflow 64 bits. All others are read again by parse_long. */
int decimal_parse(const char *text, size_t size, struct decimal *ret_value, bool *ret_rounded)
{
    if (size == 0)
        return ERR_INVALID;
    const char *end = text + size;
    bool negative = *text == '-';
    text += negative;
    if (end - text > 19)
        return parse_long(text, end, negative, ret_value, ret_rounded);

    const char *p = text;
    uint64_t magnitude = 0;
    for (; p < end && is_digit(*p); p++)
        magnitude = magnitude * 10 + (uint64_t)(*p - '0');
    if (p == text || (*text == '0' && p - text > 1))
        return ERR_INVALID;
    int64_t e = 0;
    if (p < end && *p == '.') {
        const char *fraction = ++p;
        for (; p < end && is_digit(*p); p++)
            magnitude = magnitude * 10 + (uint64_t)(*p - '0');
        e = fraction - p;
        if (e == 0)
            return ERR_INVALID;
    }
    if (p < end || magnitude >= TEN_18)
        return parse_long(text, end, negative, ret_value, ret_rounded);
    int r = store_parsed(negative, magnitude, e, ret_value);
    if (r == 0)
        *ret_rounded = false;
    return r;
}

/* ---- decimals ---- */

struct decimal decimal_canonical(struct decimal value)
{
    if (value.m == 0)
        return (struct decimal){0, 0};
    while (value.m % 10 == 0 && value.e < INT8_MAX) {
        value.m /= 10;
        value.e++;
    }
    return value;
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* Compares |a| and |b|, both not 0, where a.e >= b.e. From 10^19 on the power alone is larger than any mantissa. */
static int compare_magnitudes(struct decimal a, struct decimal b)
{
    int difference = a.e - b.e;
    if (difference > 18)
        return 1;
    u128 scaled = (u128)magnitude_of(a.m) * (uint64_t)decimal_pow10[difference];
    return scaled >> 64 != 0 ? 1 : compare_u64((uint64_t)scaled, magnitude_of(b.m));
}

int decimal_compare(struct decimal a, struct decimal b)
{
    int sign_a = (a.m > 0) - (a.m < 0), sign_b = (b.m > 0) - (b.m < 0);
    if (sign_a != sign_b)
        return sign_a < sign_b ? -1 : 1;
    if (sign_a == 0)
        return 0;
    return sign_a * (a.e >= b.e ? compare_magnitudes(a, b) : -compare_magnitudes(b, a));
}

bool decimal_at(struct decimal value, int e, int64_t *ret_m)
{
    int64_t m = value.m;
    if (m != 0 && e != value.e) {
        int difference = value.e - e;
        if (difference > 18 || difference < -18)
            return false;
        if (difference < 0 && m % decimal_pow10[-difference] != 0)
            return false;
        if (difference < 0)
            m /= decimal_pow10[-difference];
        else if (__builtin_mul_overflow(m, decimal_pow10[difference], &m))
            return false;
    }
    *ret_m = m;
    return true;
}

/* ---- magnitudes: n words, least significant first ---- */

/* The word that did not fit. */
static uint64_t wide_multiply(uint64_t *word, size_t n, uint64_t factor)
{
    uint64_t carry = 0;
    for (size_t i = 0; i < n; i++) {
        u128 product = (u128)word[i] * factor + carry;
        word[i] = (uint64_t)product;
        carry = (uint64_t)(product >> 64);
    }
    return carry;
}

/* The remainder. */
static uint64_t wide_divide(uint64_t *word, size_t n, uint64_t divisor)
{
    uint64_t remainder = 0;
    for (size_t i = n; i-- > 0;) {
        u128 part = (u128)remainder << 64 | word[i];
        word[i] = (uint64_t)(part / divisor);
        remainder = (uint64_t)(part % divisor);
    }
    return remainder;
}

static void wide_negate(uint64_t *word, size_t n)
{
    bool carry = true;
    for (size_t i = 0; i < n; i++) {
        word[i] = ~word[i] + carry;
        carry = carry && word[i] == 0;
    }
}

/* n without the leading words that are 0. */
static size_t wide_size(const uint64_t *word, size_t n)
{
    while (n > 0 && word[n - 1] == 0)
        n--;
    return n;
}

/* ---- exact sums ---- */

static bool is_negative(const struct exact *value)
{
    return value->limb[EXACT_LIMBS - 1] >> 63 != 0;
}

/* An exponent that a decimal cannot have only comes from outside; with it the texts would not fit their buffers. */
static bool is_usable(const struct exact *value)
{
    return !value->overflow && value->e >= INT8_MIN && value->e <= INT8_MAX;
}

bool exact_is_zero(const struct exact *value)
{
    return wide_size(value->limb, EXACT_LIMBS) == 0;
}

/* False when the product does not fit; then value means nothing. */
static bool multiply(struct exact *value, uint64_t factor)
{
    bool negative = is_negative(value);
    if (negative)
        wide_negate(value->limb, EXACT_LIMBS);
    bool fits = wide_multiply(value->limb, EXACT_LIMBS, factor) == 0 && !is_negative(value);
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
    bool was_negative = is_negative(sum);
    for (size_t i = 0; i < EXACT_LIMBS; i++) {
        u128 word = (u128)sum->limb[i] + (term->limb[i] ^ flip) + carry;
        sum->limb[i] = (uint64_t)word;
        carry = (uint64_t)(word >> 64);
    }
    if (was_negative == (is_negative(term) != subtract) && was_negative != is_negative(sum))
        sum->overflow = true;
}

static void add_exact(struct exact *sum, const struct exact *other, bool subtract)
{
    if (other->overflow)
        sum->overflow = true;
    if (exact_is_zero(other))
        return;
    struct exact term = *other;
    if (exact_is_zero(sum))
        sum->e = term.e;
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
    bool was_negative = is_negative(sum);
    for (size_t i = 2; i < EXACT_LIMBS; i++) {
        u128 word = (u128)sum->limb[i] + sign + carry;
        sum->limb[i] = (uint64_t)word;
        carry = (uint64_t)(word >> 64);
    }
    if (was_negative == (sign != 0) && was_negative != is_negative(sum))
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
    struct exact term;
    exact_from_i128(&term, m, (int16_t)e);
    add_exact(sum, &term, false);
}

void exact_multiply_u64(struct exact *value, uint64_t factor)
{
    if (!multiply(value, factor))
        value->overflow = true;
}

int exact_compare(const struct exact *a, const struct exact *b)
{
    bool negative = is_negative(a);
    if (negative != is_negative(b))
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

/* 10^38 times the smallest magnitude, divided by the largest divisor, still has 19 digits: one more than is ever asked
 * for. The largest magnitude times 10^38 is below 2^510. */
#define QUOTIENT_WORDS 8
#define QUOTIENT_SCALE 38

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

int exact_divide(const struct exact *value, uint64_t divisor, int digits, struct decimal *ret_quotient)
{
    assert(divisor > 0 && digits >= 1 && digits <= DECIMAL_DIGITS_MAX);
    if (!is_usable(value))
        return ERR_LIMIT;
    if (exact_is_zero(value)) {
        *ret_quotient = (struct decimal){0, 0};
        return 0;
    }
    uint64_t word[QUOTIENT_WORDS] = {0};
    bool negative = is_negative(value);
    memcpy(word, value->limb, sizeof value->limb);
    if (negative)
        wide_negate(word, EXACT_LIMBS);
    size_t n = wide_size(word, EXACT_LIMBS) + 2;
    wide_multiply(word, n, TEN_19);
    wide_multiply(word, n, TEN_19);
    bool sticky = wide_divide(word, n, divisor) != 0;

    int e = value->e - QUOTIENT_SCALE;
    uint64_t magnitude = leading_digits(word, n, digits, &e, &sticky);
    uint64_t last = magnitude % 10;
    magnitude /= 10;
    e++;
    if (last > 5 || (last == 5 && (sticky || magnitude % 2 == 1)))
        magnitude++;
    for (; magnitude % 10 == 0; e++)
        magnitude /= 10;
    if (e < -INT8_MAX || e > INT8_MAX)
        return ERR_LIMIT;
    *ret_quotient = (struct decimal){negative ? -(int64_t)magnitude : (int64_t)magnitude, (int8_t)e};
    return 0;
}

bool exact_at(const struct exact *value, int e, int64_t *ret_m)
{
    struct exact x = *value;
    if (!is_usable(value))
        return false;
    if (exact_is_zero(value)) {
        *ret_m = 0;
        return true;
    }
    bool negative = is_negative(&x);
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

/* ---- printing ---- */

/* Room for the digits of a wide magnitude: 7 groups of 18, and a spare. */
#define DIGITS_MAX 144
#define DIGITS_MAX_64 20

/* Writes the digits of a number at the end of digits, two at a time, and zeros before them where there are fewer than n_min. */
static size_t write_group(char *end, uint64_t group, size_t n_min)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                                "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";
    char *at = end;
    for (; group >= 10; group /= 100)
        at = memcpy(at - 2, &pairs[2 * (group % 100)], 2);
    if (group)
        *--at = (char)('0' + group);
    while ((size_t)(end - at) < n_min)
        *--at = '0';
    return (size_t)(end - at);
}

/* Writes the digits of a magnitude, which is used up, at the end of digits; returns how many (none for 0). */
static size_t write_digits(char digits[static DIGITS_MAX], uint64_t *word, size_t n)
{
    size_t at = DIGITS_MAX;
    n = wide_size(word, n);
    while (n > 1) {
        at -= write_group(digits + at, wide_divide(word, n, TEN_18), 18);
        n = wide_size(word, n);
    }
    if (n)
        at -= write_group(digits + at, word[0], 0);
    return DIGITS_MAX - at;
}

/* Plain notation of digits * 10^e; zeros at the end of a fraction are left out. */
static size_t place_point(char *out, bool negative, const char *digits, size_t n, int e)
{
    for (; n > 0 && e < 0 && digits[n - 1] == '0'; n--)
        e++;
    char *p = out;
    if (n == 0) {
        *p = '0';
        return 1;
    }
    if (negative)
        *p++ = '-';
    size_t n_fraction = e < 0 ? (size_t)-e : 0;
    size_t n_whole = n > n_fraction ? n - n_fraction : 0;
    if (n_whole == 0)
        *p++ = '0';
    p = mempcpy(p, digits, n_whole);
    if (n_fraction > 0) {
        *p++ = '.';
        for (size_t i = n - n_whole; i < n_fraction; i++)
            *p++ = '0';
        p = mempcpy(p, digits + n_whole, n - n_whole);
    } else {
        for (; e > 0; e--)
            *p++ = '0';
    }
    return (size_t)(p - out);
}

/* The usual number has a few digits on each side of its point; copies of a fixed size are the fastest, and there is room. */
static size_t print_usual(char *out, bool negative, const char *digits, size_t n, size_t n_fraction)
{
    *out = '-';
    out += negative;
    memcpy(out, digits, DIGITS_MAX_64);
    if (!n_fraction)
        return n + negative;
    out[n - n_fraction] = '.';
    memcpy(out + (n - n_fraction) + 1, digits + (n - n_fraction), DIGITS_MAX_64);
    return n + 1 + negative;
}

size_t decimal_print(char out[static DECIMAL_TEXT_MAX], struct decimal value)
{
    char digits[DIGITS_MAX + DIGITS_MAX_64]; /* what is copied too much lies behind them */
    uint64_t magnitude = magnitude_of(value.m);
    size_t n = write_digits(digits, &magnitude, 1);
    if (n && value.e <= 0 && n > (size_t)-value.e && (!value.e || digits[DIGITS_MAX - 1] != '0'))
        return print_usual(out, value.m < 0, digits + DIGITS_MAX - n, n, (size_t)-value.e);
    return place_point(out, value.m < 0, digits + DIGITS_MAX - n, n, value.e);
}

size_t exact_print(char out[static EXACT_TEXT_MAX], const struct exact *value)
{
    if (!is_usable(value))
        return 0;
    char digits[DIGITS_MAX];
    struct exact x = *value;
    if (is_negative(&x))
        wide_negate(x.limb, EXACT_LIMBS);
    size_t n = write_digits(digits, x.limb, EXACT_LIMBS);
    return place_point(out, is_negative(value), digits + DIGITS_MAX - n, n, value->e);
}
