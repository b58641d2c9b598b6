#include <config.h>

#include "rollup/figures.h"

#include <stdlib.h>

static bool is_narrow(const struct exact *value)
{
    uint64_t sign = value->limb[1] >> 63 ? UINT64_MAX : 0;

    for (size_t i = 2; i < EXACT_LIMBS; i++)
        if (value->limb[i] != sign)
            return false;
    return true;
}

static __int128 low_bits(const struct exact *value)
{
    return (__int128)((unsigned __int128)value->limb[1] << 64 | value->limb[0]);
}

static bool narrow_at(const struct exact *value, int e, __int128 *ret_m)
{
    __int128 m = low_bits(value);
    int step;

    if (!is_narrow(value))
        return false;
    for (int from = value->e; from != e && m != 0; from += from > e ? -step : step) {
        step = abs(from - e) < 18 ? abs(from - e) : 18;
        if (from > e ? __builtin_mul_overflow(m, decimal_pow10[step], &m) : m % decimal_pow10[step] != 0)
            return false;
        if (from < e)
            m /= decimal_pow10[step];
    }
    *ret_m = m;
    return true;
}

bool figures_take(const struct cell *cell, int e, struct figures *ret)
{
    return decimal_at(cell->min, e, &ret->min) && decimal_at(cell->max, e, &ret->max) &&
           decimal_at(cell->first, e, &ret->first) && decimal_at(cell->last, e, &ret->last) &&
           narrow_at(&cell->sum, e, &ret->sum) && narrow_at(&cell->step, e, &ret->step) &&
           narrow_at(&cell->linear2, e, &ret->linear2) && narrow_at(&cell->increase, e, &ret->increase);
}

static int lower_for_decimal(int e, struct decimal value)
{
    value = decimal_canonical(value);
    return value.m != 0 && value.e < e ? value.e : e;
}

/* Readings between the first and the last may have more digits than those that are columns. */
static int lower_for_exact(int e, const struct exact *value)
{
    __int128 m;

    while (e > value->e && e > DECIMAL_EXP_MIN && is_narrow(value) && !narrow_at(value, e, &m))
        e--;
    return e;
}

static int least_exponent(const struct cell *cells, size_t n)
{
    int e = DECIMAL_EXP_MAX;

    for (size_t i = 0; i < n; i++) {
        const struct cell *c = &cells[i];
        e = lower_for_decimal(e, c->min);
        e = lower_for_decimal(e, c->max);
        e = lower_for_decimal(e, c->first);
        e = lower_for_decimal(e, c->last);
        e = lower_for_exact(e, &c->sum);
        e = lower_for_exact(e, &c->step);
        e = lower_for_exact(e, &c->linear2);
        e = lower_for_exact(e, &c->increase);
    }
    return e > DECIMAL_EXP_MIN ? e : DECIMAL_EXP_MIN;
}

static size_t count_apart(const struct cell *cells, size_t n, int e)
{
    struct figures figures;
    size_t n_apart = 0;

    for (size_t i = 0; i < n; i++)
        n_apart += !figures_take(&cells[i], e, &figures);
    return n_apart;
}

int figures_exponent(const struct cell *cells, size_t n)
{
    int best = least_exponent(cells, n);
    size_t n_best = count_apart(cells, n, best);

    for (int e = best + 1; n_best > 0 && e <= DECIMAL_EXP_MAX; e++) {
        size_t n_apart = count_apart(cells, n, e);
        if (n_apart < n_best) {
            best = e;
            n_best = n_apart;
        }
    }
    return best;
}

static int64_t common_divisor(int64_t a, __int128 b)
{
    if (a == 0 && b > INT64_MIN && b <= INT64_MAX)
        return (int64_t)(b < 0 ? -b : b);

    int64_t rest = a == 0 ? 1 : (int64_t)(b % a);
    for (rest = rest < 0 ? -rest : rest; rest != 0;) {
        int64_t next = a % rest;
        a = rest;
        rest = next;
    }
    return a == 0 ? 1 : a;
}

int64_t figures_unit_us(const struct cell *cells, size_t n, int e)
{
    int64_t unit = 0;

    for (size_t i = 0; i < n; i++) {
        const struct cell *c = &cells[i];
        struct figures f;
        if (c->count == 0)
            continue;
        unit = common_divisor(unit, c->first_us - c->begin_us);
        unit = common_divisor(unit, c->last_us - c->first_us);
        unit = common_divisor(unit, c->min_us - c->first_us);
        unit = common_divisor(unit, c->last_us - c->max_us);
        unit = common_divisor(unit, c->covered_us);
        if (figures_take(c, e, &f)) {
            unit = common_divisor(unit, f.step);
            unit = common_divisor(unit, f.linear2);
        }
    }
    return unit == 0 ? 1 : unit;
}
