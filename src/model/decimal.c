#include <config.h>

#include "model/decimal.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#include "model/wide.h"

typedef unsigned __int128 u128;

const int64_t decimal_pow10[19] = {
    INT64_C(1), INT64_C(10), INT64_C(100), INT64_C(1000), INT64_C(10000), INT64_C(100000), INT64_C(1000000),
    INT64_C(10000000), INT64_C(100000000), INT64_C(1000000000), INT64_C(10000000000), INT64_C(100000000000),
    INT64_C(1000000000000), INT64_C(10000000000000), INT64_C(100000000000000), INT64_C(1000000000000000),
    INT64_C(10000000000000000), INT64_C(100000000000000000), INT64_C(1000000000000000000),
};

#define TEN_18 UINT64_C(1000000000000000000)

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

/* ---- printing ---- */

/* Room for the digits of a wide magnitude: 7 groups of 18, and a spare. */
#define DIGITS_MAX 144

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

#define SHORT_MAX UINT64_C(99999999) /* eight digits are the bytes of one word */

/* The eight digits of a number, a byte each, the first one lowest: halves, quarters and eighths of the word are divided at once,
 * by multiplying (the products are exact for all numbers that occur). */
static uint64_t spread_digits(uint64_t number)
{
    uint64_t fours = number / 10000 | number % 10000 << 32;
    uint64_t hundreds = (fours * 10486 >> 20) & UINT64_C(0x0000007f0000007f);
    uint64_t twos = hundreds | (fours - 100 * hundreds) << 16;
    uint64_t tens = (twos * 103 >> 10) & UINT64_C(0x000f000f000f000f);
    return tens | (twos - 10 * tens) << 8;
}

static void put_word(char *out, uint64_t word)
{
    word = htole64(word);
    memcpy(out, &word, sizeof(word));
}

/* The usual number has a few digits on each side of its point: they stay in a register, since reading again what was just written
 * piece by piece is what takes time. What is written behind the end is not counted; there is room. */
static size_t print_short(char *out, bool negative, uint64_t magnitude, unsigned n_fraction)
{
    uint64_t digits = spread_digits(magnitude);
    unsigned n_before = digits ? (unsigned)__builtin_ctzll(digits) / 8 : 8; /* zeros */
    unsigned n_behind = digits ? (unsigned)__builtin_clzll(digits) / 8 : 8;
    unsigned n_skipped = n_before < 7 - n_fraction ? n_before : 7 - n_fraction, n_whole = 8 - n_fraction - n_skipped;
    uint64_t text = (digits | UINT64_C(0x3030303030303030)) >> 8 * n_skipped;
    *out = '-';
    out += negative;
    put_word(out, text);
    if (n_behind >= n_fraction)
        return negative + n_whole;
    out[n_whole] = '.';
    put_word(out + n_whole + 1, text >> 8 * n_whole);
    return negative + n_whole + 1 + n_fraction - n_behind;
}

size_t decimal_print(char out[static DECIMAL_TEXT_MAX], struct decimal value)
{
    char digits[DIGITS_MAX];
    uint64_t magnitude = magnitude_of(value.m);
    if (magnitude <= SHORT_MAX && value.e <= 0 && value.e >= -7)
        return print_short(out, value.m < 0, magnitude, (unsigned)-value.e);
    size_t n = write_digits(digits, &magnitude, 1);
    return place_point(out, value.m < 0, digits + DIGITS_MAX - n, n, value.e);
}

size_t exact_print(char out[static EXACT_TEXT_MAX], const struct exact *value)
{
    if (!wide_is_usable(value))
        return 0;
    char digits[DIGITS_MAX];
    struct exact x = *value;
    if (wide_is_negative(&x))
        wide_negate(x.limb, EXACT_LIMBS);
    size_t n = write_digits(digits, x.limb, EXACT_LIMBS);
    return place_point(out, wide_is_negative(value), digits + DIGITS_MAX - n, n, value->e);
}
