/* Decimal numbers and exact sums.
 *
 * A value is m * 10^e with an integer mantissa; it never becomes a double. Parsed values are canonical: m has no
 * trailing zero, and zero is {0, 0}, so that equal values have equal fields. At most 18 significant digits. */
#ifndef MODEL_DECIMAL_H
#define MODEL_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define DECIMAL_DIGITS_MAX 18
#define DECIMAL_EXP_MIN (-24)
#define DECIMAL_EXP_MAX 15
#define DECIMAL_MANTISSA_MAX INT64_C(999999999999999999)

struct decimal {
    int64_t m;
    int8_t e;
};

extern const int64_t decimal_pow10[19]; /* 10^0 .. 10^18 */

/* The text of one JSON number (RFC 8259 section 6, the whole text and nothing else): ERR_INVALID when it is none,
 * ERR_LIMIT when the canonical exponent is outside DECIMAL_EXP_MIN..DECIMAL_EXP_MAX. More than 18 significant digits
 * are rounded half to even to 18, and *ret_rounded is set (else cleared). -0 is 0. */
MUST_CHECK int decimal_parse(const char *text, size_t size, struct decimal *ret_value, bool *ret_rounded);

/* Plain decimal notation with all digits and no exponent ("0.00123", "-5", "12300"); no NUL; returns the length.
 * Any exponent of an int8_t fits. */
#define DECIMAL_TEXT_MAX 160
size_t decimal_print(char out[static DECIMAL_TEXT_MAX], struct decimal value);

struct decimal decimal_canonical(struct decimal value);
int decimal_compare(struct decimal a, struct decimal b); /* -1, 0, 1; exact for any two */

/* The mantissa of value at exponent e (e <= value.e after canonical form): true and *ret_m when it is exact and fits;
 * else false and *ret_m untouched. */
bool decimal_at(struct decimal value, int e, int64_t *ret_m);

/* ---- exact sums: a 384-bit two's complement integer times 10^e; wide enough for 2^40 products of any mantissa, any
 * exponent difference and any time span in microseconds. A zeroed struct is 0. ---- */
#define EXACT_LIMBS 6
struct exact {
    uint64_t limb[EXACT_LIMBS]; /* least significant first */
    int16_t e;
    bool overflow; /* sticky; can only be set by inputs beyond the sizes above; then the value means nothing */
};

void exact_add(struct exact *sum, struct decimal value);
void exact_add_i128(struct exact *sum, __int128 m, int e); /* + m * 10^e, |e| <= 127: hot loops sum int128 and add once */
void exact_add_exact(struct exact *sum, const struct exact *other);
void exact_subtract(struct exact *sum, const struct exact *other);
void exact_multiply_u64(struct exact *value, uint64_t factor);
int exact_compare(const struct exact *a, const struct exact *b);
bool exact_is_zero(const struct exact *value);

/* value / divisor (> 0), rounded once, half to even, to digits (1..18) significant digits; canonical. ERR_LIMIT when
 * the sum has overflowed or the result is outside what a decimal holds (|e| up to 127 is allowed here). */
MUST_CHECK int exact_divide(const struct exact *value, uint64_t divisor, int digits, struct decimal *ret_quotient);

/* The same by the product of up to EXACT_DIVISORS_MAX divisors (each > 0); of several the digits are 1..17. */
#define EXACT_DIVISORS_MAX 4
MUST_CHECK int exact_divide_by(const struct exact *value, const uint64_t *divisors, size_t n_divisors, int digits,
                               struct decimal *ret_quotient);

/* All digits of an exact value in plain notation; no NUL; returns the length, 0 for a sum that has overflowed. */
#define EXACT_TEXT_MAX 256
size_t exact_print(char out[static EXACT_TEXT_MAX], const struct exact *value);

/* The value as int64 mantissa at exponent e when that is exact and fits (for compact storage). */
bool exact_at(const struct exact *value, int e, int64_t *ret_m);

#endif
