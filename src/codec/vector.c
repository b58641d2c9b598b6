#include <config.h>

#include "codec/vector.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "codec/bits.h"
#include "codec/kernels.h"
#include "codec/plan.h"

#define HEAD_MODE 0x0f
#define HEAD_DIVISOR 0x10
#define HEAD_PATCHES 0x20

#define DICTIONARY_MAX 256
#define WORTH_MORE_BYTES                                                                           \
    16 /* a packed vector of up to this size is good enough: runs and dictionary are not tried */

/* ---- encoding: docs/FORMAT.md says what is written, plan.c what is chosen ---- */

static void put_vector(const int64_t *values, size_t n, bool aligned, bool nested, struct buf *out);

static void put_bits(const uint64_t *numbers, size_t n, unsigned width, struct buf *out)
{
    uint8_t *at = buf_reserve(out, bits_size(n, width));
    if (!at)
        return;
    bits_pack(numbers, n, width, at);
    out->n += bits_size(n, width);
}

static void put_packed(const struct plan *plan, uint64_t *p, size_t n, struct buf *out)
{
    int64_t positions[LIMIT_VECTOR_POINTS], numbers[LIMIT_VECTOR_POINTS];
    size_t n_patches = 0;
    for (size_t i = 0; i < n && plan->patched; i++) {
        if (bits_width(p[i]) > plan->width) {
            positions[n_patches] = (int64_t)i;
            numbers[n_patches++] = (int64_t)p[i];
            p[i] = 0;
        }
    }
    buf_putc(out, (char)(plan->mode | (plan->divisor != 1 ? HEAD_DIVISOR : 0) |
                         (n_patches ? HEAD_PATCHES : 0)));
    if (plan->mode == MODE_DELTA || plan->mode == MODE_DELTA2)
        buf_put_svarint(out, plan->first);
    if (plan->mode == MODE_LINE || plan->mode == MODE_DELTA2)
        buf_put_svarint(out, plan->step);
    buf_put_svarint(out, plan->base);
    if (plan->divisor != 1)
        buf_put_varint(out, plan->divisor);
    buf_putc(out, (char)plan->width);
    put_bits(p, n, plan->width, out);
    if (n_patches) {
        buf_put_varint(out, n_patches);
        put_vector(positions, n_patches, false, true, out);
        put_vector(numbers, n_patches, false, true, out);
    }
}

/* Of the two encodings that begin at a and at b, keeps the second where it is shorter; aligned: shorter by half, since numbers
 * in another form fit badly to those of the other vectors. */
static void keep_shorter(struct buf *out, size_t a, size_t b, bool aligned)
{
    if (!out->failed && (out->n - b) << aligned < b - a) {
        memmove(out->data + a, out->data + b, out->n - b);
        out->n = a + (out->n - b);
    } else {
        out->n = b;
    }
}

static void put_runs(const int64_t *values, size_t n, bool aligned, struct buf *out)
{
    int64_t runs[LIMIT_VECTOR_POINTS], lengths[LIMIT_VECTOR_POINTS];
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (i && values[i] == runs[k - 1]) {
            lengths[k - 1]++;
        } else {
            runs[k] = values[i];
            lengths[k++] = 1;
        }
    }
    buf_putc(out, MODE_RUNS);
    buf_put_varint(out, k);
    put_vector(runs, k, aligned, true, out);
    put_vector(lengths, k, aligned, true, out);
}

/* Numbers the distinct values in the order of their first appearance. Returns how many, or max + 1
 * when there are more. */
static size_t number_values(const int64_t *values, size_t n, size_t max, int64_t *ret_entries,
                            uint64_t *ret_indexes)
{
    uint16_t slots[4 * DICTIONARY_MAX] = {0}; /* 0 empty, else index + 1 */
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        size_t slot = (size_t)((uint64_t)values[i] * UINT64_C(0x9e3779b97f4a7c15) >> 54);
        while (slots[slot] && ret_entries[slots[slot] - 1] != values[i])
            slot = (slot + 1) % (4 * DICTIONARY_MAX);
        if (!slots[slot]) {
            if (k == max)
                return max + 1;
            ret_entries[k] = values[i];
            slots[slot] = (uint16_t)++k;
        }
        ret_indexes[i] = slots[slot] - 1u;
    }
    return k;
}

static void put_dictionary(const int64_t *values, size_t n, bool aligned, struct buf *out)
{
    int64_t entries[DICTIONARY_MAX];
    uint64_t indexes[LIMIT_VECTOR_POINTS];
    size_t max = n / 4 < DICTIONARY_MAX ? n / 4 : DICTIONARY_MAX;
    size_t k = number_values(values, n, max, entries, indexes);
    if (k > max)
        return;
    unsigned width = plan_width(bits_width(k - 1), aligned);
    buf_putc(out, MODE_DICTIONARY);
    buf_put_varint(out, k);
    put_vector(entries, k, aligned, true, out);
    buf_putc(out, (char)width);
    put_bits(indexes, n, width, out);
}

static void put_best_packed(const int64_t *values, size_t n, bool aligned, bool nested,
                            struct buf *out)
{
    struct plan plan, plain;
    uint64_t p[LIMIT_VECTOR_POINTS];
    size_t start = out->n;
    plan_make(values, n, aligned, !nested, &plan, p);
    put_packed(&plan, p, n - vector_mode_skip(plan.mode), out);
    if (aligned || !plan.patched || out->n - start <= plan.bytes)
        return;
    size_t middle = out->n; /* there were more outliers than the samples showed */
    plan_make(values, n, false, false, &plain, p);
    put_packed(&plain, p, n - vector_mode_skip(plain.mode), out);
    keep_shorter(out, start, middle, false);
}

static void put_vector(const int64_t *values, size_t n, bool aligned, bool nested, struct buf *out)
{
    size_t n_runs = 1, start = out->n;
    for (size_t i = 1; i < n; i++)
        n_runs += values[i] != values[i - 1];
    if (n_runs == 1) {
        buf_putc(out, MODE_CONSTANT);
        buf_put_svarint(out, values[0]);
        return;
    }
    put_best_packed(values, n, aligned, nested, out);
    if (nested || out->n - start <= WORTH_MORE_BYTES)
        return;
    size_t middle = out->n;
    if (n_runs <= n / 4) {
        put_runs(values, n, aligned, out);
        keep_shorter(out, start, middle, aligned);
        middle = out->n;
    }
    put_dictionary(values, n, aligned, out);
    if (out->n > middle)
        keep_shorter(out, start, middle, aligned);
}

void vector_encode(const int64_t *values, size_t n, struct buf *out)
{
    assert(n >= 1 && n <= LIMIT_VECTOR_POINTS);
    put_vector(values, n, false, false, out);
}

void vector_encode_aligned(const int64_t *values, size_t n, struct buf *out)
{
    assert(n >= 1 && n <= LIMIT_VECTOR_POINTS);
    put_vector(values, n, true, false, out);
}

/* ---- decoding: of foreign bytes ---- */

static int get_vector(struct reader *in, size_t n, bool nested, int64_t *ret_values);

/* Replaces the numbers at the patches' positions. */
static int get_patches(struct reader *in, size_t n, uint64_t *p)
{
    int64_t positions[LIMIT_VECTOR_POINTS], numbers[LIMIT_VECTOR_POINTS];
    uint64_t k = reader_varint(in);
    if (!k || k > n || get_vector(in, k, true, positions) || get_vector(in, k, true, numbers))
        return ERR_CORRUPT;
    for (size_t i = 0; i < k; i++) {
        if ((uint64_t)positions[i] >= n)
            return ERR_CORRUPT;
        p[positions[i]] = (uint64_t)numbers[i];
    }
    return 0;
}

/* From the residuals, which stand where the values will be, to the values; everything wraps around.
 */
static void restore(const struct kernels *kernels, const struct plan *plan, uint64_t *v, size_t n)
{
    uint64_t first = (uint64_t)plan->first, step = (uint64_t)plan->step, base = (uint64_t)plan->base;
    size_t skip = vector_mode_skip(plan->mode);
    if (plan->divisor != 1)
        kernels->multiply(v + skip, n - skip, plan->divisor);
    if (!skip) {
        kernels->add_line(v, n, base, step);
        return;
    }
    if (plan->mode == MODE_DELTA2) {
        v[1] = step;
        kernels->add_up(v + 2, n - 2, step, base);
        base = 0;
    }
    v[0] = first;
    kernels->add_up(v + 1, n - 1, first, base);
}

static int get_packed(struct reader *in, uint8_t head, size_t n, bool nested, uint64_t *v)
{
    struct plan plan = {.mode = head & HEAD_MODE, .divisor = 1};
    size_t skip = vector_mode_skip(plan.mode);
    if (n <= skip || (nested && head & HEAD_PATCHES))
        return ERR_CORRUPT;
    if (skip)
        plan.first = reader_svarint(in);
    if (plan.mode == MODE_LINE || plan.mode == MODE_DELTA2)
        plan.step = reader_svarint(in);
    plan.base = reader_svarint(in);
    if (head & HEAD_DIVISOR)
        plan.divisor = reader_varint(in);
    plan.width = reader_u8(in);
    const uint8_t *bits = plan.width <= 64 ? reader_bytes(in, bits_size(n - skip, plan.width)) : NULL;
    if (!bits)
        return ERR_CORRUPT;
    if (!plan.width && !skip && !(head & HEAD_PATCHES)) { /* the usual grid of times */
        kernels_best()->line(v, n, (uint64_t)plan.base, (uint64_t)plan.step);
        return 0;
    }
    bits_unpack(bits, n - skip, plan.width, v + skip);
    if (head & HEAD_PATCHES && get_patches(in, n - skip, v + skip))
        return ERR_CORRUPT;
    restore(kernels_best(), &plan, v, n);
    return 0;
}

static int get_runs(struct reader *in, size_t n, int64_t *ret_values)
{
    int64_t values[LIMIT_VECTOR_POINTS], lengths[LIMIT_VECTOR_POINTS];
    uint64_t k = reader_varint(in);
    if (!k || k > n || get_vector(in, k, true, values) || get_vector(in, k, true, lengths))
        return ERR_CORRUPT;
    size_t at = 0;
    for (size_t i = 0; i < k; i++) {
        if (lengths[i] < 1 || (uint64_t)lengths[i] > n - at)
            return ERR_CORRUPT;
        for (size_t end = at + (size_t)lengths[i]; at < end; at++)
            ret_values[at] = values[i];
    }
    return at == n ? 0 : ERR_CORRUPT;
}

static int get_dictionary(struct reader *in, size_t n, int64_t *ret_values)
{
    int64_t entries[DICTIONARY_MAX] = {0};
    uint64_t indexes[LIMIT_VECTOR_POINTS];
    uint64_t k = reader_varint(in);
    if (!k || k > DICTIONARY_MAX || get_vector(in, k, true, entries))
        return ERR_CORRUPT;
    unsigned width = reader_u8(in);
    const uint8_t *bits = width <= 8 ? reader_bytes(in, bits_size(n, width)) : NULL;
    if (!bits)
        return ERR_CORRUPT;
    bits_unpack(bits, n, width, indexes);
    for (size_t i = 0; i < n; i++) {
        if (indexes[i] >= k)
            return ERR_CORRUPT;
        ret_values[i] = entries[indexes[i]];
    }
    return 0;
}

static int get_vector(struct reader *in, size_t n, bool nested, int64_t *ret_values)
{
    uint8_t head = reader_u8(in);
    bool packed = (head & HEAD_MODE) >= MODE_FRAME && (head & HEAD_MODE) <= MODE_DELTA2;
    if (in->failed || head & (packed ? ~(HEAD_MODE | HEAD_DIVISOR | HEAD_PATCHES) : ~HEAD_MODE))
        return ERR_CORRUPT;
    if (packed)
        return get_packed(in, head, n, nested, (uint64_t *)ret_values);
    if (head == MODE_CONSTANT) {
        int64_t value = reader_svarint(in);
        for (size_t i = 0; i < n; i++)
            ret_values[i] = value;
        return in->failed ? ERR_CORRUPT : 0;
    }
    if (nested)
        return ERR_CORRUPT;
    if (head == MODE_RUNS)
        return get_runs(in, n, ret_values);
    return head == MODE_DICTIONARY ? get_dictionary(in, n, ret_values) : ERR_CORRUPT;
}

int vector_decode(struct reader *in, size_t n, int64_t *ret_values)
{
    assert(n >= 1 && n <= LIMIT_VECTOR_POINTS);
    return get_vector(in, n, false, ret_values);
}
