#include <config.h>

#include "codec/plan.h"

#include <string.h>

#include "codec/bits.h"

/* Outliers are looked for among this many samples: sorting all numbers would cost more than
 * everything else. */
#define SAMPLES_MAX 64

#define PATCHES_BYTES 12 /* fields of the vectors that hold patches */

/* Differences wrap around, here and in the decoder, so that every int64 survives. */
static int64_t add(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static int64_t subtract(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static int64_t multiply(int64_t a, uint64_t b)
{
    return (int64_t)((uint64_t)a * b);
}

static uint64_t distance(int64_t from, int64_t to)
{
    return (uint64_t)to - (uint64_t)from;
}

static size_t svarint_bytes(int64_t v)
{
    unsigned width = bits_width(((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0));
    return width ? (width + 6) / 7 : 1;
}

unsigned plan_width(unsigned width, bool aligned)
{
    unsigned rounded = 1;
    while (rounded < width)
        rounded *= 2;
    return aligned && width ? rounded : width;
}

/* The greatest common divisor of all distances from the first value, which is at least 1: not all
 * values are the same. */
static uint64_t common_divisor(const int64_t *values, size_t n)
{
    uint64_t divisor = 0;
    int64_t last_step = 0;
    for (size_t i = 1; i < n && divisor != 1; i++) {
        int64_t step = subtract(values[i], values[i - 1]);
        if (step == last_step) /* a grid: nothing new */
            continue;
        last_step = step;
        uint64_t a = step < 0 ? 0 - (uint64_t)step : (uint64_t)step, b = divisor;
        while (b) {
            uint64_t rest = a % b;
            a = b;
            b = rest;
        }
        divisor = a;
    }
    return divisor;
}

/* Distances from the first value in units of the divisor. Multiplying by the inverse of the
 * divisor's odd part (Newton's iteration doubles the number of right bits) is exact here and
 * several times faster than dividing. */
static void normalise(const int64_t *values, size_t n, uint64_t divisor, int64_t *ret_units)
{
    unsigned shift = (unsigned)__builtin_ctzll(divisor);
    uint64_t odd = divisor >> shift, inverse = odd;
    for (int i = 0; i < 5; i++)
        inverse *= 2 - odd * inverse;
    for (size_t i = 0; i < n; i++)
        ret_units[i] = multiply(subtract(values[i], values[0]) >> shift, inverse);
}

/* What is left of the values when the mode has taken its part. Returns how many numbers that are.
 */
static size_t residuals(enum vector_mode mode, const int64_t *v, size_t n, int64_t step,
                        int64_t *ret_r)
{
    size_t skip = vector_mode_skip(mode);
    int64_t at = 0;
    for (size_t i = skip; i < n; i++) {
        if (mode == MODE_DELTA2)
            ret_r[i - 2] = subtract(add(v[i], v[i - 2]), multiply(v[i - 1], 2));
        else if (mode == MODE_DELTA)
            ret_r[i - 1] = subtract(v[i], v[i - 1]);
        else
            ret_r[i] = subtract(v[i], at);
        at = add(at, step);
    }
    return n - skip;
}

static size_t sample(const int64_t *r, size_t n, int64_t *ret_samples)
{
    size_t n_samples = n < SAMPLES_MAX ? n : SAMPLES_MAX;
    for (size_t i = 0; i < n_samples; i++) {
        int64_t v = r[i * n / n_samples];
        size_t j = i;
        for (; j && ret_samples[j - 1] > v; j--)
            ret_samples[j] = ret_samples[j - 1];
        ret_samples[j] = v;
    }
    return n_samples;
}

/* The window of width bits that holds most samples, and how many it does not. */
static size_t best_window(const int64_t *samples, size_t n, unsigned width, int64_t *ret_base)
{
    size_t end = 0, n_best = 0;
    for (size_t begin = 0; begin < n; begin++) {
        while (end < n && bits_width(distance(samples[begin], samples[end])) <= width)
            end++;
        if (end - begin > n_best) {
            n_best = end - begin;
            *ret_base = samples[begin];
        }
    }
    return n - n_best;
}

/* Where a window of width bits around the median begins, so that it begins at a round number: neighbouring vectors then
 * mostly have the same base, and a residual is the same byte in all of them, which is what an
 * entropy stage lives by. */
static int64_t round_base(int64_t median, unsigned width)
{
    uint64_t half = width ? UINT64_C(1) << (width - 1) : 0;
    uint64_t grain = half > 1 ? half / 2 : 1;
    return (int64_t)(((uint64_t)median + grain / 2) / grain * grain - half);
}

/* A patch costs the gap to the one before and its number, which in turn are vectors with a few
 * fields of their own. */
static size_t patches_bytes(size_t n, size_t n_patches, unsigned width_all)
{
    return n_patches ? PATCHES_BYTES + n_patches * (bits_width(n / n_patches) + 2 + width_all) / 8 : 0;
}

struct range {
    int64_t min, max;
};

static struct range range_of(const int64_t *r, size_t n)
{
    struct range range = {.min = r[0], .max = r[0]};
    for (size_t i = 1; i < n; i++) {
        range.min = r[i] < range.min ? r[i] : range.min;
        range.max = r[i] > range.max ? r[i] : range.max;
    }
    return range;
}

/* Sets base and width for the residuals r without patches. Returns the bytes they take. */
static size_t fit_all(size_t n, struct range range, struct plan *plan)
{
    plan->patched = false;
    plan->width = bits_width(distance(range.min, range.max));
    plan->base = range.min;
    return bits_size(n, plan->width);
}

/* Looks for a narrower width that leaves some of the residuals to patches. Returns the bytes, now
 * or before. */
static size_t fit_most(const int64_t *r, size_t n, size_t bytes, struct plan *plan)
{
    int64_t samples[SAMPLES_MAX], base;
    size_t n_samples = sample(r, n, samples);
    unsigned width_all = plan->width;
    for (unsigned width = width_all; width-- > 0;) {
        size_t n_missed = best_window(samples, n_samples, width, &base);
        if (n_missed * 8 > n_samples)
            break;
        /* Half an outlier more than the samples show is assumed. */
        size_t n_patches = (2 * n_missed + (n_samples < n)) * n / (2 * n_samples);
        size_t bytes_most = bits_size(n, width) + patches_bytes(n, n_patches, width_all);
        if (bytes_most < bytes) {
            bytes = bytes_most;
            plan->width = width;
            plan->base = base;
            plan->patched = true;
        }
    }
    return bytes;
}

/* The samples gave the base; with it, every residual is counted to find the width that is really
 * best. */
static size_t refine(const int64_t *r, size_t n, unsigned width_all, struct plan *plan)
{
    size_t counts[65] = {0}, bytes = SIZE_MAX, n_patches = 0;
    for (size_t i = 0; i < n; i++)
        counts[bits_width(distance(plan->base, r[i]))]++;
    for (unsigned width = 64; width < 65; n_patches += counts[width--]) {
        size_t bytes_now = bits_size(n, width) + patches_bytes(n, n_patches, width_all);
        if (bytes_now < bytes) {
            bytes = bytes_now;
            plan->width = width;
            plan->patched = n_patches > 0;
        }
    }
    return bytes;
}

/* Sets base, width, patched and bytes for the residuals r. */
static void fit(const int64_t *r, size_t n, bool patches, struct plan *plan)
{
    plan->bytes = fit_all(n, range_of(r, n), plan);
    if (!patches || plan->bytes <= PATCHES_BYTES)
        return;
    struct plan most = *plan;
    most.bytes = fit_most(r, n, plan->bytes, &most);
    if (most.patched)
        most.bytes = refine(r, n, plan->width, &most);
    if (most.bytes < plan->bytes)
        *plan = most;
}

/* What a width costs behind the entropy stage, beyond the entropy of the residuals: nearly nothing where one byte holds a
 * number or several; else every further byte at least one bit, which is the shortest code. */
static size_t aligned_bytes(size_t n, unsigned width)
{
    return n * width / 1600 + (width > 8 ? n * (width / 8 - 1) / 8 : 0);
}

/* As fit, for an entropy stage: widths are powers of two and bases round numbers. */
static void fit_aligned(const int64_t *r, size_t n, bool patches, struct plan *plan)
{
    int64_t samples[SAMPLES_MAX], base;
    struct range range = range_of(r, n);
    unsigned width_all = bits_width(distance(range.min, range.max));
    size_t n_samples = sample(r, n, samples), bytes_best = SIZE_MAX;
    for (unsigned width = width_all ? 1 : 0; width <= 64; width = width ? 2 * width : 1) {
        size_t n_patches = 0;
        base = round_base(samples[n_samples / 2], width);
        for (size_t i = 0; i < n; i++)
            n_patches += bits_width(distance(base, r[i])) > width;
        size_t bytes = aligned_bytes(n, width) + patches_bytes(n, n_patches, width_all);
        bool fits = width >= width_all;
        if (n_patches && fits && (!patches || bytes > n / 16)) { /* around the median it does not, but it fits */
            base = range.min;
            n_patches = 0;
            bytes = aligned_bytes(n, width) + n / 16;
        }
        if ((patches || !n_patches) && bytes < bytes_best) {
            bytes_best = bytes;
            plan->base = base;
            plan->width = width;
            plan->patched = n_patches > 0;
        }
        if (fits)
            break;
    }
    plan->bytes = bits_size(n, plan->width);
}

/* The step of the line from the first to the last unit, rounded. */
static int64_t line_step(const int64_t *units, size_t n)
{
    int64_t runs = (int64_t)n - 1, rise = units[n - 1], rest = rise % runs;
    return rise / runs + (rest > runs / 2) - (rest < -(runs / 2));
}

/* Brings a plan from units to values, and adds the bytes of its fields. */
static struct plan finish(const int64_t *values, const int64_t *units, struct plan plan)
{
    plan.base = multiply(plan.base, plan.divisor);
    if (vector_mode_skip(plan.mode)) {
        plan.first = values[0];
        plan.bytes += svarint_bytes(plan.first);
    } else {
        plan.base = add(plan.base, values[0]);
    }
    if (plan.mode == MODE_LINE || plan.mode == MODE_DELTA2) {
        plan.step = multiply(plan.mode == MODE_LINE ? plan.step : units[1], plan.divisor);
        plan.bytes += svarint_bytes(plan.step);
    }
    if (!plan.width && !plan.patched) /* all residuals are the base: nothing to multiply */
        plan.divisor = 1;
    plan.bytes += 2 + svarint_bytes(plan.base);
    if (plan.divisor != 1)
        plan.bytes += (bits_width(plan.divisor) + 6) / 7;
    return plan;
}

void plan_make(const int64_t *values, size_t n, bool aligned, bool patches, struct plan *ret_plan,
               uint64_t *ret_p)
{
    int64_t units[LIMIT_VECTOR_POINTS], buffers[2][LIMIT_VECTOR_POINTS];
    int64_t *r = buffers[0], *r_best = buffers[1];
    struct plan best = {.bytes = 0};
    size_t bytes_best = SIZE_MAX;
    uint64_t divisor = common_divisor(values, n);
    normalise(values, n, divisor, units);
    /* Modes are compared at free widths, also where aligned: what packs shortest also has the least
     * entropy. */
    for (enum vector_mode mode = MODE_FRAME; mode <= MODE_DELTA2 && n > vector_mode_skip(mode);
         mode++) {
        struct plan plan = {
            .mode = mode, .divisor = divisor, .step = mode == MODE_LINE ? line_step(units, n) : 0};
        fit(r, residuals(mode, units, n, plan.step, r), patches, &plan);
        size_t bytes = finish(values, units, plan).bytes;
        if (bytes < bytes_best) {
            int64_t *swap = r_best;
            r_best = r;
            r = swap;
            best = plan;
            bytes_best = bytes;
        }
    }
    size_t n_r = n - vector_mode_skip(best.mode);
    if (aligned)
        fit_aligned(r_best, n_r, patches, &best);
    for (size_t i = 0; i < n_r; i++)
        ret_p[i] = distance(best.base, r_best[i]);
    *ret_plan = finish(values, units, best);
}
