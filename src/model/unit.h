/* Units and exact conversion. The rows come from sql/models.sql through the catalog; nothing here knows a unit. */
#ifndef MODEL_UNIT_H
#define MODEL_UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/limits.h"
#include "model/decimal.h"

/* value in the dimension's base unit = (value in this unit + offset) * numerator / denominator * 10^exponent.
 * (degC: base K, offset 273.15; degF: offset 459.67, 5/9; Wh: base J, 3600/1; kWh is Wh with prefix k.) */
struct unit {
    char name[LIMIT_UNIT_BYTES];
    char dimension[LIMIT_UNIT_BYTES]; /* "energy", "power"; only units of one dimension convert; "" converts to nothing */
    int64_t numerator, denominator;   /* both > 0 */
    int8_t exponent;
    struct decimal offset;
};

struct unit_table;

struct unit_table *unit_table_new(void);
void unit_table_free(struct unit_table *table);

/* Adds a unit; with prefixes it also answers to every SI prefix of it (kW, mV; y to Y, u and U+00B5 and U+03BC for micro).
 * An added name or alias wins over a prefixed reading of the same text, in either order ("min"); a text with two prefixed
 * readings names nothing. ERR_EXISTS when the name was added before, ERR_INVALID (no name, a factor not > 0), ERR_NOMEM. */
MUST_CHECK int unit_table_add(struct unit_table *table, const struct unit *unit, bool prefixes);

/* Another spelling (a UN/ECE code such as KWH) of a unit that unit_find already knows, prefixed ones included.
 * ERR_NOTFOUND when name is unknown, ERR_EXISTS when alias was added before, ERR_INVALID (empty or too long), ERR_NOMEM. */
MUST_CHECK int unit_table_add_alias(struct unit_table *table, const char *alias, const char *name);

/* Finds a unit by text; the struct lives as long as the table. NULL when unknown. Thread-safe after the last add. */
const struct unit *unit_find(const struct unit_table *table, const char *text, size_t size);

bool unit_converts(const struct unit *from, const struct unit *to); /* false for NULL */

/* Exact where the result terminates within 18 significant digits, else rounded half to even to 15 with *ret_rounded set
 * (else cleared). Canonical. ERR_MEANING when unit_converts says no; ERR_LIMIT when the result's exponent is outside
 * DECIMAL_EXP_MIN..DECIMAL_EXP_MAX, or the factor between the units in lowest terms has more than 64 bits. */
MUST_CHECK int unit_convert(const struct unit *from, const struct unit *to, struct decimal value,
                            struct decimal *ret_value, bool *ret_rounded);

/* The same for what was computed exactly. n says how often the unit's offset is in value: once in a value, as often as there are
 * values in a sum, not at all in a difference. Exact where the result terminates (if the factor does, it always does; else
 * within 18 digits), else rounded half to even to 15. ERR_MEANING; ERR_LIMIT: the factor has more than 64 bits. */
MUST_CHECK int unit_convert_exact(const struct unit *from, const struct unit *to, const struct exact *value, uint64_t n,
                                  struct exact *ret_value);
/* dividend over the product of its divisors (at most EXACT_DIVISORS_MAX - 1, each > 0), rounded once as
 * exact_divide_by does; with is_difference the unit's offset is not in it. */
struct unit_quotient {
    const struct exact *dividend;
    const uint64_t *divisors;
    size_t n_divisors;
    bool is_difference;
    int digits;
};
MUST_CHECK int unit_convert_quotient(const struct unit *from, const struct unit *to, const struct unit_quotient *quotient,
                                     struct decimal *ret_value);

/* The factor from one unit to the other, multiply / divide * 10^exponent in lowest terms. ERR_MEANING, ERR_LIMIT. */
struct unit_factor {
    uint64_t multiply, divide;
    int exponent;
};
MUST_CHECK int unit_factor(const struct unit *from, const struct unit *to, struct unit_factor *ret_factor);

/* The names of units that were added with the dimension of unit, without prefixed ones, in the order of adding; at most max. */
size_t unit_names(const struct unit_table *table, const struct unit *unit, const char **ret_names, size_t max);

#endif
