#include <config.h>

#include "rollup/cell.h"

#include <stdlib.h>
#include <string.h>

#include "common/civil.h"

const int64_t tier_width_us[TIER_N] = {US_PER_SECOND, US_PER_MINUTE, 15 * US_PER_MINUTE};
const char *const tier_name[TIER_N] = {"1s", "1m", "15m"};

static bool same(struct decimal a, struct decimal b)
{
    return decimal_compare(a, b) == 0;
}

bool cell_equal(const struct cell *a, const struct cell *b)
{
    return a->begin_us == b->begin_us && a->count == b->count &&
           memcmp(a->n_quality, b->n_quality, sizeof(a->n_quality)) == 0 && exact_compare(&a->sum, &b->sum) == 0 &&
           same(a->min, b->min) && same(a->max, b->max) && same(a->first, b->first) && same(a->last, b->last) &&
           a->min_us == b->min_us && a->max_us == b->max_us && a->first_us == b->first_us && a->last_us == b->last_us &&
           exact_compare(&a->linear2, &b->linear2) == 0 && exact_compare(&a->step, &b->step) == 0 &&
           a->covered_us == b->covered_us && exact_compare(&a->increase, &b->increase) == 0 &&
           a->n_resets == b->n_resets;
}

void cells_free(struct cells *cells)
{
    free(cells->rows);
    *cells = (struct cells){0};
}

int cells_reserve(struct cells *cells, size_t n_more)
{
    if (n_more <= cells->cap - cells->n)
        return 0;

    size_t cap = cells->cap < 64 ? 64 : cells->cap * 2;
    if (cap < cells->n + n_more)
        cap = cells->n + n_more;
    struct cell *rows = reallocarray(cells->rows, cap, sizeof *rows);
    if (rows == NULL)
        return ERR_NOMEM;
    cells->rows = rows;
    cells->cap = cap;
    return 0;
}

/* The readings of one cell, and what they have in common. */
struct span {
    const struct points *points;
    size_t begin, end;
    int64_t end_us; /* of the cell */
    int e_min, e_max;
};

/* A class beyond the known ones can only come from damaged bytes or from the future: it is not trusted. */
static enum quality class_at(const struct points *points, size_t i)
{
    unsigned class = points->quality[i] & QUALITY_CLASS_MASK;
    return class < QUALITY_N ? (enum quality)class : QUALITY_SUSPECT;
}

/* Of rows [begin, end) those before end_us. */
static struct span find_span(const struct points *points, size_t begin, size_t end, int64_t end_us)
{
    struct span s = {points, begin, begin, end_us, INT8_MAX, INT8_MIN};

    while (s.end < end && points->t_us[s.end] < s.end_us) {
        int e = points->e[s.end++];
        s.e_min = e < s.e_min ? e : s.e_min;
        s.e_max = e > s.e_max ? e : s.e_max;
    }
    return s;
}

/* What a cell's readings come to, as integers at one exponent. Nothing here can overflow while the mantissas fit 64 bits:
 * there are fewer than 2^63 readings, and their distances sum up to less than 2^63. */
struct totals {
    __int128 sum, step, rising, increase; /* rising: each value times the distance from the one before it */
    int64_t min, max;
    size_t min_i, max_i, first_i, last_i;
    int64_t covered_us;
    uint64_t count;
    uint32_t n_resets;
    uint32_t n_quality[QUALITY_N];
    bool is_cut;
};

/* Time that an interval reading adds to what the ones before it cover, up to *covered_end_us, which it moves. */
static int64_t period_covers(const struct span *s, size_t i, int64_t *covered_end_us, bool *is_cut)
{
    int64_t begin = s->points->t_us[i], period = s->points->period_us[i];

    if (period > s->end_us - begin)
        *is_cut = true;
    if (period <= 0 || *is_cut || begin + period <= *covered_end_us)
        return 0;
    int64_t from = begin > *covered_end_us ? begin : *covered_end_us;
    *covered_end_us = begin + period;
    return *covered_end_us - from;
}

static bool is_covered(int64_t gap_us, int64_t max_gap_us)
{
    return gap_us <= max_gap_us;
}

/* The hot loop; kind is a constant where it is called, so that each kind has a loop of its own without the others'
 * branches. False when a mantissa does not fit 64 bits at the span's least exponent. */
__attribute__((always_inline)) static inline bool fold(const struct span *s, enum kind kind, int64_t max_gap_us,
                                                       struct totals *totals)
{
    const struct points *p = s->points;
    struct totals sums = {.min = INT64_MAX, .max = INT64_MIN, .min_i = s->begin, .max_i = s->begin};
    int64_t before = 0, before_us = 0, covered_end_us = INT64_MIN;

    for (size_t i = s->begin; i < s->end; i++) {
        enum quality class = class_at(p, i);
        sums.n_quality[class]++;
        if (class == QUALITY_SUSPECT)
            continue;

        int64_t m, t_us = p->t_us[i];
        if (__builtin_mul_overflow(p->m[i], decimal_pow10[p->e[i] - s->e_min], &m))
            return false;
        if (m < sums.min || sums.count == 0) {
            sums.min = m;
            sums.min_i = i;
        }
        if (m > sums.max || sums.count == 0) {
            sums.max = m;
            sums.max_i = i;
        }
        if (kind != KIND_COUNTER)
            sums.sum += m;
        if (kind == KIND_INTERVAL) {
            sums.covered_us += period_covers(s, i, &covered_end_us, &sums.is_cut);
        } else if (sums.count > 0) {
            int64_t gap_us = is_covered(t_us - before_us, max_gap_us) ? t_us - before_us : 0;
            sums.covered_us += gap_us;
            if (kind == KIND_GAUGE) {
                sums.step += (__int128)before * gap_us;
                sums.rising += (__int128)m * gap_us;
            } else {
                sums.increase += m < before ? (__int128)m : (__int128)m - before;
                sums.n_resets += m < before;
            }
        }
        if (sums.count++ == 0)
            sums.first_i = i;
        sums.last_i = i;
        before = m;
        before_us = t_us;
    }
    *totals = sums;
    return true;
}

static struct decimal value_at(const struct points *points, size_t i)
{
    return (struct decimal){points->m[i], points->e[i]};
}

/* The same for values so far apart that no 64-bit mantissa holds them at one exponent: rare, so it is only exact. */
static void fold_apart(const struct span *s, enum kind kind, int64_t max_gap_us, struct totals *totals,
                       struct cell *cell)
{
    const struct points *p = s->points;
    struct totals sums = {0};
    int64_t covered_end_us = INT64_MIN;

    for (size_t i = s->begin; i < s->end; i++) {
        enum quality class = class_at(p, i);
        sums.n_quality[class]++;
        if (class == QUALITY_SUSPECT)
            continue;

        struct decimal v = value_at(p, i);
        struct decimal before = value_at(p, sums.last_i);
        if (sums.count == 0 || decimal_compare(v, value_at(p, sums.min_i)) < 0)
            sums.min_i = i;
        if (sums.count == 0 || decimal_compare(v, value_at(p, sums.max_i)) > 0)
            sums.max_i = i;
        if (kind != KIND_COUNTER)
            exact_add(&cell->sum, v);
        if (kind == KIND_INTERVAL) {
            sums.covered_us += period_covers(s, i, &covered_end_us, &sums.is_cut);
        } else if (sums.count > 0) {
            int64_t gap_us = p->t_us[i] - p->t_us[sums.last_i];
            gap_us = is_covered(gap_us, max_gap_us) ? gap_us : 0;
            sums.covered_us += gap_us;
            if (kind == KIND_GAUGE) {
                exact_add_i128(&cell->step, (__int128)before.m * gap_us, before.e);
                exact_add_i128(&cell->linear2, (__int128)before.m * gap_us, before.e);
                exact_add_i128(&cell->linear2, (__int128)v.m * gap_us, v.e);
            } else {
                exact_add(&cell->increase, v);
                if (decimal_compare(v, before) < 0)
                    sums.n_resets++;
                else
                    exact_add_i128(&cell->increase, -(__int128)before.m, before.e);
            }
        }
        if (sums.count++ == 0)
            sums.first_i = i;
        sums.last_i = i;
    }
    *totals = sums;
}

static bool fold_kind(const struct span *s, const struct cell_options *options, struct totals *totals)
{
    if (s->e_max - s->e_min > 18)
        return false;
    if (options->kind == KIND_GAUGE)
        return fold(s, KIND_GAUGE, options->max_gap_us, totals);
    if (options->kind == KIND_COUNTER)
        return fold(s, KIND_COUNTER, options->max_gap_us, totals);
    return fold(s, KIND_INTERVAL, options->max_gap_us, totals);
}

static void compute_cell(const struct span *s, const struct cell_options *options, struct cell *cell, bool *is_cut)
{
    struct totals totals;

    if (fold_kind(s, options, &totals)) {
        exact_add_i128(&cell->sum, totals.sum, s->e_min);
        exact_add_i128(&cell->step, totals.step, s->e_min);
        exact_add_i128(&cell->linear2, totals.step, s->e_min);
        exact_add_i128(&cell->linear2, totals.rising, s->e_min);
        exact_add_i128(&cell->increase, totals.increase, s->e_min);
    } else {
        fold_apart(s, options->kind, options->max_gap_us, &totals, cell);
    }

    const struct points *p = s->points;
    cell->count = totals.count;
    memcpy(cell->n_quality, totals.n_quality, sizeof cell->n_quality);
    if (totals.count == 0)
        return;
    cell->min = decimal_canonical(value_at(p, totals.min_i));
    cell->max = decimal_canonical(value_at(p, totals.max_i));
    cell->first = decimal_canonical(value_at(p, totals.first_i));
    cell->last = decimal_canonical(value_at(p, totals.last_i));
    cell->min_us = p->t_us[totals.min_i];
    cell->max_us = p->t_us[totals.max_i];
    cell->first_us = p->t_us[totals.first_i];
    cell->last_us = p->t_us[totals.last_i];
    cell->covered_us = totals.covered_us;
    cell->n_resets = totals.n_resets;
    *is_cut |= totals.is_cut;
}

bool cell_of(const struct points *points, size_t begin, size_t end, const struct cell_options *options, struct cell *ret_cell)
{
    bool is_cut = false;
    struct span s = find_span(points, begin, end, INT64_MAX);
    *ret_cell = (struct cell){0};
    compute_cell(&s, options, ret_cell, &is_cut);
    return ret_cell->count > 0;
}

int cells_compute(const struct points *points, size_t begin, size_t n, const struct cell_options *options,
                  struct cells *cells, bool *ret_cut)
{
    size_t n_before = cells->n, end = begin + n;
    bool is_cut = false;

    if (options->kind == KIND_STATE)
        return ERR_MEANING;
    while (begin < end) {
        int64_t t_us = points->t_us[begin], width_us = options->width_us;
        int64_t begin_us = t_us - (t_us % width_us + width_us) % width_us;
        struct span s = find_span(points, begin, end, begin_us + width_us);

        if (cells_reserve(cells, 1) < 0) {
            cells->n = n_before;
            return ERR_NOMEM;
        }
        struct cell *cell = &cells->rows[cells->n++];
        *cell = (struct cell){.begin_us = begin_us};
        compute_cell(&s, options, cell, &is_cut);
        begin = s.end;
    }
    *ret_cut = is_cut;
    return 0;
}

/* The row in force among rows [begin, end) of one time, ordered by issue: plain rows come first and win. */
static size_t row_in_force(const struct points *points, size_t begin, size_t end)
{
    size_t i = end - 1;

    if (points->issued_us[begin] == ISSUED_NONE)
        while (points->issued_us[i] != ISSUED_NONE)
            i--;
    return i;
}

static void move_row(struct points *points, size_t to, size_t from)
{
    points->t_us[to] = points->t_us[from];
    points->m[to] = points->m[from];
    points->e[to] = points->e[from];
    points->quality[to] = points->quality[from];
    points->period_us[to] = points->period_us[from];
    points->issued_us[to] = points->issued_us[from];
    points->known_ms[to] = points->known_ms[from];
}

void points_in_force(struct points *points)
{
    size_t n = 0, end;

    for (size_t begin = 0; begin < points->n; begin = end) {
        end = begin + 1;
        while (end < points->n && points->t_us[end] == points->t_us[begin])
            end++;
        size_t i = row_in_force(points, begin, end);
        if (i != n)
            move_row(points, n, i);
        n++;
    }
    points->n = n;
}
