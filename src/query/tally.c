#include <config.h>

#include "query/tally.h"

#include <stdio.h>

static struct decimal value_at(const struct points *points, size_t i)
{
    return (struct decimal){points->m[i], points->e[i]};
}

/* What some consecutive readings come to. */
struct totals {
    uint64_t count;
    struct decimal min, max, first, last;
};

/* Takes in all but the sum. */
static void merge(struct tally *tally, const struct totals *totals)
{
    if (!tally->count) {
        tally->min = totals->min;
        tally->max = totals->max;
        tally->first = totals->first;
    } else {
        if (decimal_compare(totals->min, tally->min) < 0)
            tally->min = totals->min;
        if (decimal_compare(totals->max, tally->max) > 0)
            tally->max = totals->max;
    }
    tally->last = totals->last;
    tally->count += totals->count;
}

void tally_add_value(struct tally *tally, struct decimal value)
{
    exact_add(&tally->sum, value);
    merge(tally, &(struct totals){1, value, value, value, value});
}

void tally_add_cell(struct tally *tally, const struct cell *cell)
{
    if (!cell->count)
        return;
    exact_add_exact(&tally->sum, &cell->sum);
    merge(tally, &(struct totals){cell->count, cell->min, cell->max, cell->first, cell->last});
}

/* What decides how rows may be folded. */
struct shape {
    int e_min, e_max;
    bool has_suspect;
};

static struct shape find_shape(const struct points *points, size_t begin, size_t end)
{
    struct shape shape = {INT8_MAX, INT8_MIN, false};
    uint8_t class_max = 0;
    for (size_t i = begin; i < end; i++) {
        int e = points->e[i];
        uint8_t class = points->quality[i] & QUALITY_CLASS_MASK;
        shape.e_min = e < shape.e_min ? e : shape.e_min;
        shape.e_max = e > shape.e_max ? e : shape.e_max;
        class_max = class > class_max ? class : class_max;
    }
    shape.has_suspect = class_max >= QUALITY_SUSPECT;
    return shape;
}

/* The usual case: one exponent, nothing left out. */
static void fold_even(struct tally *tally, const int64_t *m, size_t n, int8_t e)
{
    int64_t min = m[0], max = m[0];
    __int128 sum = 0;
    for (size_t i = 0; i < n; i++) {
        min = m[i] < min ? m[i] : min;
        max = m[i] > max ? m[i] : max;
        sum += m[i];
    }
    exact_add_i128(&tally->sum, sum, e);
    merge(tally, &(struct totals){n, {min, e}, {max, e}, {m[0], e}, {m[n - 1], e}});
}

/* Different exponents, brought to the least one. False (and nothing done) when a mantissa does not fit 64 bits there. */
static bool fold_mixed(struct tally *tally, const struct points *points, size_t begin, size_t end, int e)
{
    int64_t min = INT64_MAX, max = INT64_MIN, first = 0, last = 0;
    uint64_t count = 0;
    __int128 sum = 0;
    for (size_t i = begin; i < end; i++) {
        int64_t m;
        if (tally_leaves_out(points->quality[i]))
            continue;
        if (__builtin_mul_overflow(points->m[i], decimal_pow10[points->e[i] - e], &m))
            return false;
        min = m < min ? m : min;
        max = m > max ? m : max;
        sum += m;
        first = count++ ? first : m;
        last = m;
    }
    int8_t e8 = (int8_t)e;
    exact_add_i128(&tally->sum, sum, e);
    if (count)
        merge(tally, &(struct totals){count, {min, e8}, {max, e8}, {first, e8}, {last, e8}});
    return true;
}

void tally_add_points(struct tally *tally, const struct points *points, size_t begin, size_t end)
{
    if (begin == end)
        return;
    struct shape shape = find_shape(points, begin, end);
    if (shape.e_min == shape.e_max && !shape.has_suspect) {
        fold_even(tally, points->m + begin, end - begin, points->e[begin]);
        return;
    }
    if (shape.e_max - shape.e_min <= DECIMAL_DIGITS_MAX && fold_mixed(tally, points, begin, end, shape.e_min))
        return;
    for (size_t i = begin; i < end; i++) /* values too far apart for 64 bits: rare, so it is only exact */
        if (!tally_leaves_out(points->quality[i]))
            tally_add_value(tally, value_at(points, i));
}

void state_tally_add_points(struct state_tally *tally, const struct points *points, size_t begin, size_t end)
{
    size_t last = end;
    for (size_t i = begin; i < end; i++) {
        if (tally_leaves_out(points->quality[i]))
            continue;
        if (!tally->count++)
            snprintf(tally->first, sizeof(tally->first), "%s", texts_at(&points->texts, points->m[i]));
        last = i;
    }
    if (last < end)
        snprintf(tally->last, sizeof(tally->last), "%s", texts_at(&points->texts, points->m[last]));
}
