#include <config.h>

#include "model/unit.h"

#include <stdlib.h>
#include <string.h>

/* ---- the table: spellings in a hash table, units in blocks that never move ---- */

/* How a text came to name a unit: a stated one replaces a prefixed one ("min" is the minute once somebody adds it, not the
 * milli-inch), and two different prefixed ones cancel out, because no reader could tell which was meant. */
enum origin { ORIGIN_NONE, ORIGIN_PREFIXED, ORIGIN_AMBIGUOUS, ORIGIN_STATED };

struct spelling {
    char text[LIMIT_UNIT_BYTES];
    const struct unit *unit;
    enum origin origin;
};

/* A unit as added, followed by its prefixed ones. */
struct block {
    struct block *next;
    struct unit units[];
};

struct unit_table {
    struct spelling *slots; /* n_slots is a power of two, at most half of them in use */
    size_t n_slots, n;
    struct block *blocks;
};

static const struct prefix {
    char text[3];
    char other[2][3]; /* further spellings of the same */
    int8_t exponent;
} prefixes[] = {
    {"Y", {"", ""}, 24}, {"Z", {"", ""}, 21}, {"E", {"", ""}, 18}, {"P", {"", ""}, 15}, {"T", {"", ""}, 12},
    {"G", {"", ""}, 9}, {"M", {"", ""}, 6}, {"k", {"", ""}, 3}, {"h", {"", ""}, 2}, {"da", {"", ""}, 1},
    {"d", {"", ""}, -1}, {"c", {"", ""}, -2}, {"m", {"", ""}, -3},
    {"\u00b5", {"u", "\u03bc"}, -6}, /* micro sign; small mu is what Unicode makes of it */
    {"n", {"", ""}, -9}, {"p", {"", ""}, -12}, {"f", {"", ""}, -15}, {"a", {"", ""}, -18}, {"z", {"", ""}, -21},
    {"y", {"", ""}, -24},
};

#define N_PREFIXES (sizeof prefixes / sizeof *prefixes)
#define SPELLINGS_MAX (1 + 3 * N_PREFIXES) /* of one unit */

struct unit_table *unit_table_new(void)
{
    return calloc(1, sizeof(struct unit_table));
}

void unit_table_free(struct unit_table *table)
{
    if (table == NULL)
        return;
    for (struct block *block = table->blocks, *next; block != NULL; block = next) {
        next = block->next;
        free(block);
    }
    free(table->slots);
    free(table);
}

/* The slot that holds the text, or the free one where it belongs (FNV-1a, then the next slots in turn). */
static struct spelling *slot_of(struct spelling *slots, size_t n_slots, const char *text, size_t size)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
    for (size_t i = (size_t)(hash ^ hash >> 32);; i++) {
        struct spelling *slot = &slots[i & (n_slots - 1)];
        if (slot->origin == ORIGIN_NONE || (memcmp(slot->text, text, size) == 0 && slot->text[size] == '\0'))
            return slot;
    }
}

static struct spelling *find_spelling(const struct unit_table *table, const char *text, size_t size)
{
    if (table->n_slots == 0 || size == 0 || size >= LIMIT_UNIT_BYTES || memchr(text, '\0', size) != NULL)
        return NULL;
    struct spelling *slot = slot_of(table->slots, table->n_slots, text, size);
    return slot->origin == ORIGIN_NONE ? NULL : slot;
}

static bool is_stated(const struct unit_table *table, const char *text)
{
    const struct spelling *spelling = find_spelling(table, text, strlen(text));
    return spelling != NULL && spelling->origin == ORIGIN_STATED;
}

const struct unit *unit_find(const struct unit_table *table, const char *text, size_t size)
{
    const struct spelling *spelling = find_spelling(table, text, size);
    return spelling == NULL ? NULL : spelling->unit;
}

static int reserve(struct unit_table *table, size_t n_more)
{
    size_t n_slots = table->n_slots == 0 ? 256 : table->n_slots;
    while ((table->n + n_more) * 2 > n_slots)
        n_slots *= 2;
    if (n_slots == table->n_slots)
        return 0;
    struct spelling *slots = calloc(n_slots, sizeof *slots);
    if (slots == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < table->n_slots; i++) {
        const struct spelling *old = &table->slots[i];
        if (old->origin != ORIGIN_NONE)
            *slot_of(slots, n_slots, old->text, strlen(old->text)) = *old;
    }
    free(table->slots);
    table->slots = slots;
    table->n_slots = n_slots;
    return 0;
}

/* text is shorter than LIMIT_UNIT_BYTES, and room was reserved. */
static void spell(struct unit_table *table, const char *text, const struct unit *unit, enum origin origin)
{
    size_t size = strlen(text);
    struct spelling *slot = slot_of(table->slots, table->n_slots, text, size);
    if (slot->origin == ORIGIN_NONE) {
        memcpy(slot->text, text, size + 1);
        table->n++;
    } else if (origin == ORIGIN_PREFIXED) {
        if (slot->origin == ORIGIN_PREFIXED) {
            slot->origin = ORIGIN_AMBIGUOUS;
            slot->unit = NULL;
        }
        return;
    }
    slot->unit = unit;
    slot->origin = origin;
}

/* False when prefix and name are together too long: then nobody can write that unit either. */
static bool join(char out[static LIMIT_UNIT_BYTES], const char *prefix, const char *name)
{
    size_t n_prefix = strlen(prefix), n_name = strlen(name);
    if (n_prefix + n_name >= LIMIT_UNIT_BYTES)
        return false;
    memcpy(out, prefix, n_prefix);
    memcpy(out + n_prefix, name, n_name + 1);
    return true;
}

/* An offset is stated in the unit itself: in thousands of the unit it is a thousandth. */
static bool make_prefixed(const struct unit *unit, const struct prefix *prefix, struct unit *ret_unit)
{
    int exponent = unit->exponent + prefix->exponent;
    int offset_e = unit->offset.m == 0 ? 0 : unit->offset.e - prefix->exponent;
    struct unit made = *unit;
    if (exponent != (int8_t)exponent || offset_e != (int8_t)offset_e || !join(made.name, prefix->text, unit->name))
        return false;
    made.exponent = (int8_t)exponent;
    made.offset.e = (int8_t)offset_e;
    *ret_unit = made;
    return true;
}

static void add_prefixed(struct unit_table *table, const struct unit *unit, struct unit *ret_units)
{
    for (size_t i = 0; i < N_PREFIXES; i++) {
        if (!make_prefixed(unit, &prefixes[i], &ret_units[i]))
            continue;
        spell(table, ret_units[i].name, &ret_units[i], ORIGIN_PREFIXED);
        for (size_t j = 0; j < 2; j++) {
            char text[LIMIT_UNIT_BYTES];
            if (prefixes[i].other[j][0] != '\0' && join(text, prefixes[i].other[j], unit->name))
                spell(table, text, &ret_units[i], ORIGIN_PREFIXED);
        }
    }
}

static bool is_text(const char text[static LIMIT_UNIT_BYTES])
{
    return memchr(text, '\0', LIMIT_UNIT_BYTES) != NULL;
}

int unit_table_add(struct unit_table *table, const struct unit *unit, bool with_prefixes)
{
    if (!is_text(unit->name) || unit->name[0] == '\0' || !is_text(unit->dimension) || unit->numerator <= 0 ||
        unit->denominator <= 0)
        return ERR_INVALID;
    if (is_stated(table, unit->name))
        return ERR_EXISTS;
    if (reserve(table, SPELLINGS_MAX) != 0)
        return ERR_NOMEM;
    size_t n_units = 1 + (with_prefixes ? N_PREFIXES : 0);
    struct block *block = calloc(1, sizeof *block + n_units * sizeof block->units[0]);
    if (block == NULL)
        return ERR_NOMEM;
    block->next = table->blocks;
    table->blocks = block;
    block->units[0] = *unit;
    spell(table, unit->name, &block->units[0], ORIGIN_STATED);
    if (with_prefixes)
        add_prefixed(table, unit, block->units + 1);
    return 0;
}

int unit_table_add_alias(struct unit_table *table, const char *alias, const char *name)
{
    const struct unit *unit = unit_find(table, name, strlen(name));
    if (unit == NULL)
        return ERR_NOTFOUND;
    if (alias[0] == '\0' || strlen(alias) >= LIMIT_UNIT_BYTES)
        return ERR_INVALID;
    if (is_stated(table, alias))
        return ERR_EXISTS;
    if (reserve(table, 1) != 0)
        return ERR_NOMEM;
    spell(table, alias, unit, ORIGIN_STATED);
    return 0;
}

/* ---- conversion ---- */

#define ROUNDED_DIGITS 15

bool unit_converts(const struct unit *from, const struct unit *to)
{
    return from != NULL && to != NULL && from->dimension[0] != '\0' && strcmp(from->dimension, to->dimension) == 0;
}

static int store_converted(struct decimal value, int e, bool rounded, struct decimal *ret_value, bool *ret_rounded)
{
    if (value.m == 0)
        e = 0;
    if (e < DECIMAL_EXP_MIN || e > DECIMAL_EXP_MAX)
        return ERR_LIMIT;
    *ret_value = (struct decimal){value.m, (int8_t)e};
    *ret_rounded = rounded;
    return 0;
}

static bool fits_digits(struct decimal value)
{
    return value.m >= -DECIMAL_MANTISSA_MAX && value.m <= DECIMAL_MANTISSA_MAX;
}

/* Only the point moves (mV to V, kWh to Wh): nearly all conversions of a running system. */
static bool only_exponent(const struct unit *from, const struct unit *to)
{
    return from->numerator == to->numerator && from->denominator == to->denominator && from->offset.m == 0 &&
           to->offset.m == 0;
}

static void reduce(uint64_t *a, uint64_t *b)
{
    uint64_t x = *a, y = *b;
    while (y != 0) {
        uint64_t rest = x % y;
        x = y;
        y = rest;
    }
    *a /= x;
    *b /= x;
}

/* The factor from one unit to the other but for its power of ten, in lowest terms. False when it does not fit. */
static bool factor_between(const struct unit *from, const struct unit *to, uint64_t *ret_multiply, uint64_t *ret_divide)
{
    uint64_t up[2] = {(uint64_t)from->numerator, (uint64_t)to->denominator};
    uint64_t down[2] = {(uint64_t)from->denominator, (uint64_t)to->numerator};
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            reduce(&up[i], &down[j]);
    return !__builtin_mul_overflow(up[0], up[1], ret_multiply) && !__builtin_mul_overflow(down[0], down[1], ret_divide);
}

static bool is_quotient(const struct exact *dividend, uint64_t divisor, struct decimal quotient)
{
    struct exact product = {0};
    exact_add(&product, quotient);
    exact_multiply_u64(&product, divisor);
    return !product.overflow && exact_compare(&product, dividend) == 0;
}

int unit_factor(const struct unit *from, const struct unit *to, struct unit_factor *ret_factor)
{
    struct unit_factor factor = {.exponent = 0};
    if (!unit_converts(from, to))
        return ERR_MEANING;
    if (!factor_between(from, to, &factor.multiply, &factor.divide))
        return ERR_LIMIT;
    factor.exponent = from->exponent - to->exponent;
    *ret_factor = factor;
    return 0;
}

/* How often an offset is in a value: the product of some numbers. */
struct times {
    const uint64_t *n;
    size_t n_n;
};

static void add_offset(struct decimal offset, uint64_t factor, const struct times *times, struct exact *sum)
{
    struct exact product = {0};
    exact_add(&product, offset);
    exact_multiply_u64(&product, factor);
    for (size_t i = 0; i < times->n_n; i++)
        exact_multiply_u64(&product, times->n[i]);
    exact_add_exact(sum, &product);
}

/* With factor = multiply / divide * 10^exponent, and n offsets in the value:
 *   result = ((value + n * from.offset) * multiply * 10^exponent - n * to.offset * divide) / divide
 * Gives the dividend of that, and the divisor. */
static int scale(const struct unit *from, const struct unit *to, const struct exact *value, const struct times *times,
                 struct exact *ret_dividend, uint64_t *ret_divide)
{
    struct unit_factor factor;
    struct exact dividend = *value, after = {0};
    int r = unit_factor(from, to, &factor);
    if (r != 0)
        return r;
    add_offset(from->offset, 1, times, &dividend);
    exact_multiply_u64(&dividend, factor.multiply);
    dividend.e = (int16_t)(dividend.e + factor.exponent);
    add_offset(to->offset, factor.divide, times, &after);
    exact_subtract(&dividend, &after);
    *ret_dividend = dividend;
    *ret_divide = factor.divide;
    return 0;
}

/* dividend / divide where it terminates within 18 digits, else rounded to 15. */
static int divide_well(const struct exact *dividend, uint64_t divide, struct decimal *ret_value, bool *ret_rounded)
{
    struct decimal quotient;
    int r = exact_divide(dividend, divide, DECIMAL_DIGITS_MAX, &quotient);
    bool rounded = r == 0 && !is_quotient(dividend, divide, quotient);
    if (rounded)
        r = exact_divide(dividend, divide, ROUNDED_DIGITS, &quotient);
    if (r != 0)
        return r;
    *ret_value = quotient;
    *ret_rounded = rounded;
    return 0;
}

static int convert_exactly(const struct unit *from, const struct unit *to, struct decimal value,
                           struct decimal *ret_value, bool *ret_rounded)
{
    struct exact exact = {0}, dividend;
    struct decimal quotient;
    uint64_t divide;
    bool rounded;
    exact_add(&exact, value);
    int r = scale(from, to, &exact, &(struct times){0}, &dividend, &divide);
    if (r == 0)
        r = divide_well(&dividend, divide, &quotient, &rounded);
    return r != 0 ? r : store_converted(quotient, quotient.e, rounded, ret_value, ret_rounded);
}

/* 1 / divide = multiply / 10^digits where it terminates; powers of ten up to 10^19 fit. */
static bool terminates(uint64_t divide, uint64_t *ret_multiply, int *ret_digits)
{
    uint64_t rest = divide, multiply = 1;
    int twos = 0, fives = 0;
    for (; rest % 2 == 0; rest /= 2)
        twos++;
    for (; rest % 5 == 0; rest /= 5)
        fives++;
    int digits = twos > fives ? twos : fives;
    if (rest != 1 || digits > 19)
        return false;
    for (int i = twos; i < digits; i++)
        multiply *= 2;
    for (int i = fives; i < digits; i++)
        multiply *= 5;
    *ret_multiply = multiply;
    *ret_digits = digits;
    return true;
}

int unit_convert_exact(const struct unit *from, const struct unit *to, const struct exact *value, uint64_t n,
                       struct exact *ret_value)
{
    struct exact dividend, sum = {0};
    struct decimal quotient;
    uint64_t divide, multiply;
    bool rounded;
    int digits, r = scale(from, to, value, &(struct times){&n, 1}, &dividend, &divide);
    if (r != 0)
        return r;
    if (terminates(divide, &multiply, &digits)) {
        exact_multiply_u64(&dividend, multiply);
        dividend.e = (int16_t)(dividend.e - digits);
        *ret_value = dividend;
        return 0;
    }
    r = divide_well(&dividend, divide, &quotient, &rounded);
    if (r != 0)
        return r;
    exact_add(&sum, quotient);
    *ret_value = sum;
    return 0;
}

int unit_convert_quotient(const struct unit *from, const struct unit *to, const struct unit_quotient *quotient,
                          struct decimal *ret_value)
{
    static const uint64_t never = 0;
    struct times times = quotient->is_difference ? (struct times){&never, 1}
                                                 : (struct times){quotient->divisors, quotient->n_divisors};
    struct exact dividend;
    uint64_t divisors[EXACT_DIVISORS_MAX], divide;
    size_t n = quotient->n_divisors;
    int r = scale(from, to, quotient->dividend, &times, &dividend, &divide);
    if (r != 0 || n >= EXACT_DIVISORS_MAX)
        return r != 0 ? r : ERR_LIMIT;
    memcpy(divisors, quotient->divisors, n * sizeof(*divisors));
    if (divide != 1)
        divisors[n++] = divide;
    return exact_divide_by(&dividend, divisors, n, quotient->digits, ret_value);
}

int unit_convert(const struct unit *from, const struct unit *to, struct decimal value, struct decimal *ret_value,
                 bool *ret_rounded)
{
    if (!unit_converts(from, to))
        return ERR_MEANING;
    if (!fits_digits(value) || (from != to && !only_exponent(from, to)))
        return convert_exactly(from, to, value, ret_value, ret_rounded);
    value = decimal_canonical(value);
    return store_converted(value, value.e + from->exponent - to->exponent, false, ret_value, ret_rounded);
}

size_t unit_names(const struct unit_table *table, const struct unit *unit, const char **ret_names, size_t max)
{
    size_t n = 0;
    for (const struct block *block = table->blocks; block != NULL; block = block->next)
        n += unit_converts(unit, &block->units[0]);
    size_t at = n; /* the blocks stand newest first */
    for (const struct block *block = table->blocks; block != NULL; block = block->next)
        if (unit_converts(unit, &block->units[0]) && --at < max)
            ret_names[at] = block->units[0].name;
    return n < max ? n : max;
}
