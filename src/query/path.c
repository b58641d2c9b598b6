#include <config.h>

#include "query/path.h"

#include "common/civil.h"
#include "query/parts.h"

void path_begin(struct path *path, int64_t begin_us, int64_t end_us)
{
    path->part = (struct path_part){.begin_us = begin_us, .end_us = end_us};
}

/* ---- integrals ---- */

static void add_product(struct exact *sum, struct decimal value, int64_t factor)
{
    exact_add_i128(sum, (__int128)value.m * factor, value.e);
}

/* Twice the area under the way from before to next, over [from_us, to_us] of it. */
static void add_area(struct path *path, const struct seen *next, int64_t from_us, int64_t to_us)
{
    const struct seen *before = &path->before;
    struct path_part *part = &path->part;
    if (path->options.is_step) {
        add_product(&part->twice, before->value, 2 * (to_us - from_us));
        return;
    }
    if (from_us == before->t_us && to_us == next->t_us) {
        add_product(&part->twice, before->value, to_us - from_us);
        add_product(&part->twice, next->value, to_us - from_us);
        return;
    }
    struct cut *cut = &part->cuts[part->n_cuts++];
    int64_t both_us = from_us - before->t_us + to_us - before->t_us;
    cut->divisor_us = next->t_us - before->t_us;
    add_product(&cut->twice, before->value, 2 * cut->divisor_us - both_us);
    add_product(&cut->twice, next->value, both_us);
    exact_multiply_u64(&cut->twice, (uint64_t)(to_us - from_us));
}

/* ---- increases ---- */

/* Whether a bucket of the grid lies between two readings without a reading of its own. Buckets have the reading at their end. */
static bool leaves_unseen(const struct grid *grid, int64_t from_us, int64_t to_us)
{
    int64_t start_us = grid_start_us(grid, from_us);
    if (start_us < from_us)
        start_us = grid_next_us(grid, start_us);
    return grid_next_us(grid, start_us) < to_us;
}

/* Books what was gained from before to next, as far as the bucket has it. */
static void book(struct path *path, const struct seen *next, int64_t from_us, int64_t to_us)
{
    const struct seen *before = &path->before;
    struct path_part *part = &path->part;
    int64_t gap_us = next->t_us - before->t_us;
    bool is_here = next->t_us <= part->end_us, is_cut = from_us > before->t_us || to_us < next->t_us;
    bool is_spread = is_cut && from_us < to_us && path->options.is_spread && gap_us <= path->options.max_gap_us;
    struct findings elsewhere = {0};
    struct decimal gain; /* the whole to 18 digits */
    if (!is_here && !is_spread)
        return;
    struct exact whole = gain_between(path->options.declared, *before, *next, is_here ? &part->findings : &elsewhere);
    if (is_spread && exact_divide(&whole, 1, DECIMAL_DIGITS_MAX, &gain) == 0) {
        exact_add(&part->increase, part_of(gain, gap_us, from_us - before->t_us, to_us - before->t_us));
        part->has_spread = part->has_increase = true;
        if (is_here) { /* with the digits beyond, so that the parts add up to the whole */
            exact_add_exact(&part->increase, &whole);
            exact_add_i128(&part->increase, -(__int128)gain.m, gain.e);
        }
    } else if (is_here) {
        exact_add_exact(&part->increase, &whole);
        part->has_increase = true;
        part->has_gap |= is_cut && leaves_unseen(path->options.grid, before->t_us, next->t_us);
    }
}

/* ---- from reading to reading ---- */

/* The stretch from the reading before to next, up to to_us. */
static void join(struct path *path, const struct seen *next, int64_t to_us)
{
    struct path_part *part = &path->part;
    int64_t from_us = path->before.t_us > part->begin_us ? path->before.t_us : part->begin_us;
    if (next->t_us - path->before.t_us <= path->options.max_gap_us) {
        part->covered_us += to_us - from_us;
        if (path->options.kind == KIND_GAUGE && from_us < to_us)
            add_area(path, next, from_us, to_us);
    }
    if (path->options.kind == KIND_COUNTER)
        book(path, next, from_us, to_us);
}

void path_reach(struct path *path, struct seen reading)
{
    if (path->has_before && reading.t_us > path->part.begin_us)
        join(path, &reading, reading.t_us);
    path->has_before = true;
    path->before = reading;
}

void path_take(struct path *path, const struct cell *cell)
{
    struct path_part *part = &path->part;
    if (!cell->count)
        return;
    path_reach(path, (struct seen){cell->first_us, cell->first});
    part->covered_us += cell->covered_us;
    exact_add_exact(&part->increase, &cell->increase);
    part->has_increase |= path->options.kind == KIND_COUNTER && cell->count > 1;
    part->findings.resets += cell->n_resets;
    exact_add_exact(&part->twice, path->options.is_step ? &cell->step : &cell->linear2);
    if (path->options.is_step)
        exact_add_exact(&part->twice, &cell->step);
    path->before = (struct seen){cell->last_us, cell->last};
}

void path_end(struct path *path, const struct seen *after)
{
    if (path->has_before && after)
        join(path, after, path->part.end_us);
}

/* ---- quotients ---- */

/* All of it over one product of divisors: one or two cuts each bring theirs. */
static int divide(const struct path_part *part, uint64_t divisor, const struct conversion *conversion,
                  struct unit_quotient quotient, struct decimal *ret_quotient)
{
    uint64_t divisors[1 + 2] = {divisor};
    struct exact sum = part->twice;
    for (size_t i = 0; i < part->n_cuts; i++) {
        struct exact cut = part->cuts[i].twice;
        for (size_t j = 0; j < i; j++)
            exact_multiply_u64(&cut, (uint64_t)part->cuts[j].divisor_us);
        exact_multiply_u64(&sum, (uint64_t)part->cuts[i].divisor_us);
        exact_add_exact(&sum, &cut);
        divisors[1 + i] = (uint64_t)part->cuts[i].divisor_us;
    }
    quotient.dividend = &sum;
    quotient.divisors = divisors;
    quotient.n_divisors = 1 + part->n_cuts;
    return conversion_quotient(conversion, &quotient, ret_quotient);
}

int path_average(const struct path_part *part, const struct conversion *conversion, int digits, struct decimal *ret_average)
{
    if (!part->covered_us)
        return 0;
    struct unit_quotient quotient = {.digits = digits};
    int rc = divide(part, 2 * (uint64_t)part->covered_us, conversion, quotient, ret_average);
    return rc ? rc : 1;
}

int path_integral(const struct path_part *part, const struct conversion *conversion, int digits, struct decimal *ret_integral)
{
    if (!part->covered_us)
        return 0;
    struct unit_quotient quotient = {.digits = digits, .is_difference = true};
    int rc = divide(part, 2 * (uint64_t)US_PER_HOUR, conversion, quotient, ret_integral);
    return rc ? rc : 1;
}

void path_between(struct seen from, struct seen to, int64_t t_us, struct exact *ret_dividend, uint64_t *ret_divisor)
{
    struct exact sum = {0};
    add_product(&sum, from.value, to.t_us - t_us);
    add_product(&sum, to.value, t_us - from.t_us);
    *ret_dividend = sum;
    *ret_divisor = (uint64_t)(to.t_us - from.t_us);
}
