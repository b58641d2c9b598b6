/* Tier blocks, as docs/FORMAT.md ("Tier block") draws them. Encoder and decoder of each part stand side by side. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "codec/chunk_format.h"
#include "codec/vector.h"
#include "common/civil.h"
#include "common/limits.h"
#include "rollup/cell.h"
#include "rollup/figures.h"

#define BLOCK_VERSION 1
#define CHECK_BYTES 4
#define GROUP_CELLS LIMIT_VECTOR_POINTS

enum column {
    COLUMN_BEGIN, COLUMN_COUNT, COLUMN_EDITED, COLUMN_DERIVED, COLUMN_ESTIMATED, COLUMN_SUSPECT, COLUMN_FIRST_US,
    COLUMN_LENGTH, COLUMN_MIN_US, COLUMN_MAX_US, COLUMN_COVERED, COLUMN_MIN, COLUMN_MAX, COLUMN_FIRST, COLUMN_LAST,
    COLUMN_SUM, COLUMN_STEP, COLUMN_LINEAR2, COLUMN_INCREASE, COLUMN_RESETS, COLUMN_N
};

enum flag { FLAG_QUALITY = 1, FLAG_SUM = 2, FLAG_INTEGRALS = 4, FLAG_INCREASE = 8, FLAG_ALL = 15 };

/* The flag without which a column is left out; 0 for those that are always there. */
static const uint8_t column_flag[COLUMN_N] = {
    [COLUMN_EDITED] = FLAG_QUALITY,    [COLUMN_DERIVED] = FLAG_QUALITY,   [COLUMN_ESTIMATED] = FLAG_QUALITY,
    [COLUMN_SUSPECT] = FLAG_QUALITY,   [COLUMN_SUM] = FLAG_SUM,           [COLUMN_STEP] = FLAG_INTEGRALS,
    [COLUMN_LINEAR2] = FLAG_INTEGRALS, [COLUMN_INCREASE] = FLAG_INCREASE, [COLUMN_RESETS] = FLAG_INCREASE,
};

/* Which cells are wanted: all, or those that begin in [from_us, to_us). */
struct part {
    bool is_all;
    int64_t from_us, to_us;
};

struct group {
    size_t n;
    int64_t width_us, unit_us;
    int e;
    uint8_t flags;
    int64_t before_us;          /* begin of the cell before, for the order */
    struct part part;
    int64_t *columns[COLUMN_N]; /* of room for n */
    bool apart[GROUP_CELLS];
};

/* As wrap_add: forged bytes must not be undefined behaviour. */
static int64_t wrap_multiply(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a * (uint64_t)b);
}

/* What must hold for every cell of a tier: the encoder refuses others, and the decoder takes them for damage. */
static bool is_sound(const struct cell *cell, int64_t width_us)
{
    uint64_t accepted = 0;

    if (cell->begin_us < CIVIL_MIN_US - width_us || cell->begin_us >= CIVIL_END_US || cell->begin_us % width_us != 0)
        return false;
    for (int i = 0; i < QUALITY_SUSPECT; i++)
        accepted += cell->n_quality[i];
    if (cell->count != accepted)
        return false;
    if (cell->count == 0)
        return true;
    return cell->first_us >= cell->begin_us && cell->last_us < cell->begin_us + width_us &&
           cell->min_us >= cell->first_us && cell->min_us <= cell->last_us && cell->max_us >= cell->first_us &&
           cell->max_us <= cell->last_us && cell->covered_us >= 0 && cell->covered_us <= width_us;
}

static bool is_width(int64_t width_us)
{
    return width_us > 0 && width_us <= CIVIL_END_US;
}

static uint8_t flags_of(const struct cell *cells, size_t n)
{
    uint8_t flags = 0;

    for (size_t i = 0; i < n; i++) {
        const struct cell *c = &cells[i];
        if (c->n_quality[QUALITY_MEASURED] != c->count || c->n_quality[QUALITY_SUSPECT] != 0)
            flags |= FLAG_QUALITY;
        if (!exact_is_zero(&c->sum))
            flags |= FLAG_SUM;
        if (!exact_is_zero(&c->step) || !exact_is_zero(&c->linear2))
            flags |= FLAG_INTEGRALS;
        if (!exact_is_zero(&c->increase) || c->n_resets != 0)
            flags |= FLAG_INCREASE;
    }
    return flags;
}

/* ---- guesses: what the integrals are when the readings are regular ---- */

static __int128 mean_times(__int128 weight, int64_t covered, uint64_t count)
{
    __int128 product;

    if (count < 2 || __builtin_mul_overflow(weight, covered, &product))
        return 0;
    return product / (__int128)(count - 1);
}

static __int128 guess_step(const struct figures *f, int64_t covered, uint64_t count)
{
    __int128 weight;

    return __builtin_sub_overflow(f->sum, f->last, &weight) ? 0 : mean_times(weight, covered, count);
}

static __int128 guess_linear2(const struct figures *f, int64_t covered, uint64_t count)
{
    __int128 weight, ends = (__int128)f->first + f->last;

    if (__builtin_mul_overflow(f->sum, 2, &weight) || __builtin_sub_overflow(weight, ends, &weight))
        return 0;
    return mean_times(weight, covered, count);
}

/* ---- the rows of a group ---- */

/* What is left of value after the guess; false when it is no 64-bit integer. */
static bool put_rest(__int128 value, __int128 guess, int64_t *ret_rest)
{
    return !__builtin_sub_overflow(value, guess, ret_rest);
}

static bool put_values(struct group *g, size_t i, const struct cell *cell)
{
    int64_t *const *to = g->columns;
    int64_t covered = cell->covered_us / g->unit_us;
    struct figures f;

    if (!figures_take(cell, g->e, &f))
        return false;
    to[COLUMN_MIN][i] = f.min;
    to[COLUMN_MAX][i] = wrap_subtract(f.max, f.min);
    to[COLUMN_FIRST][i] = wrap_subtract(f.first, f.min);
    to[COLUMN_LAST][i] = wrap_subtract(f.max, f.last);
    return put_rest(f.sum, (__int128)cell->count * f.min, &to[COLUMN_SUM][i]) &&
           put_rest(f.step / g->unit_us, guess_step(&f, covered, cell->count), &to[COLUMN_STEP][i]) &&
           put_rest(f.linear2 / g->unit_us, guess_linear2(&f, covered, cell->count), &to[COLUMN_LINEAR2][i]) &&
           put_rest(f.increase, (__int128)f.last - f.first, &to[COLUMN_INCREASE][i]);
}

/* Columns of a cell whose values are not in them: alike to the row before, which costs least. */
static void put_no_values(struct group *g, size_t i)
{
    for (int c = COLUMN_MIN; c <= COLUMN_LAST; c++)
        g->columns[c][i] = i > 0 ? g->columns[c][i - 1] : 0;
    for (int c = COLUMN_SUM; c <= COLUMN_INCREASE; c++)
        g->columns[c][i] = 0;
}

static void put_cell(struct group *g, size_t i, const struct cell *cell)
{
    int64_t *const *to = g->columns;

    to[COLUMN_BEGIN][i] = cell->begin_us / g->width_us;
    to[COLUMN_COUNT][i] = (int64_t)cell->count;
    for (int q = QUALITY_EDITED; q <= QUALITY_SUSPECT; q++)
        to[COLUMN_EDITED + q - QUALITY_EDITED][i] = cell->n_quality[q];
    to[COLUMN_RESETS][i] = cell->n_resets;
    if (cell->count == 0) {
        for (int c = COLUMN_FIRST_US; c <= COLUMN_COVERED; c++)
            to[c][i] = 0;
        put_no_values(g, i);
        return;
    }
    to[COLUMN_FIRST_US][i] = (cell->first_us - cell->begin_us) / g->unit_us;
    to[COLUMN_LENGTH][i] = (cell->last_us - cell->first_us) / g->unit_us;
    to[COLUMN_MIN_US][i] = (cell->min_us - cell->first_us) / g->unit_us;
    to[COLUMN_MAX_US][i] = (cell->last_us - cell->max_us) / g->unit_us;
    to[COLUMN_COVERED][i] = to[COLUMN_LENGTH][i] - cell->covered_us / g->unit_us;
    g->apart[i] = !put_values(g, i, cell);
    if (g->apart[i])
        put_no_values(g, i);
}

/* False when what is added up leaves 128 bits: such bytes were not written by put_values. */
static bool take_values(const struct group *g, size_t i, struct cell *cell)
{
    int64_t *const *from = g->columns;
    int64_t covered = cell->covered_us / g->unit_us;
    int8_t e = (int8_t)g->e;
    struct figures f = {.min = from[COLUMN_MIN][i]};

    f.max = wrap_add(f.min, from[COLUMN_MAX][i]);
    f.first = wrap_add(f.min, from[COLUMN_FIRST][i]);
    f.last = wrap_subtract(f.max, from[COLUMN_LAST][i]);
    if ((g->flags & FLAG_SUM) != 0 &&
        __builtin_add_overflow((__int128)cell->count * f.min, from[COLUMN_SUM][i], &f.sum))
        return false;
    if ((g->flags & FLAG_INTEGRALS) != 0 &&
        (__builtin_add_overflow(guess_step(&f, covered, cell->count), from[COLUMN_STEP][i], &f.step) ||
         __builtin_mul_overflow(f.step, g->unit_us, &f.step) ||
         __builtin_add_overflow(guess_linear2(&f, covered, cell->count), from[COLUMN_LINEAR2][i], &f.linear2) ||
         __builtin_mul_overflow(f.linear2, g->unit_us, &f.linear2)))
        return false;
    if ((g->flags & FLAG_INCREASE) != 0)
        f.increase = (__int128)f.last - f.first + from[COLUMN_INCREASE][i];

    cell->min = decimal_canonical((struct decimal){f.min, e});
    cell->max = decimal_canonical((struct decimal){f.max, e});
    cell->first = decimal_canonical((struct decimal){f.first, e});
    cell->last = decimal_canonical((struct decimal){f.last, e});
    exact_add_i128(&cell->sum, f.sum, e);
    exact_add_i128(&cell->step, f.step, e);
    exact_add_i128(&cell->linear2, f.linear2, e);
    exact_add_i128(&cell->increase, f.increase, e);
    return true;
}

/* A count of a class has 32 bits. */
static bool take_counts(const struct group *g, size_t i, struct cell *cell)
{
    int64_t *const *from = g->columns;
    int64_t n[QUALITY_N] = {from[COLUMN_COUNT][i]};

    cell->count = (uint64_t)n[QUALITY_MEASURED];
    for (int q = QUALITY_EDITED; q <= QUALITY_SUSPECT; q++) {
        n[q] = from[COLUMN_EDITED + q - QUALITY_EDITED][i];
        if (q != QUALITY_SUSPECT)
            n[QUALITY_MEASURED] = wrap_subtract(n[QUALITY_MEASURED], n[q]);
    }
    for (int q = 0; q < QUALITY_N; q++) {
        if (n[q] < 0 || n[q] > UINT32_MAX)
            return false;
        cell->n_quality[q] = (uint32_t)n[q];
    }
    cell->n_resets = (uint32_t)from[COLUMN_RESETS][i];
    return from[COLUMN_RESETS][i] == cell->n_resets;
}

/* Made where it is to lie: a cell is large to copy. On failure what is there has no meaning. */
static int take_cell(const struct group *g, size_t i, struct cell *ret_cell)
{
    int64_t *const *from = g->columns;
    struct cell *cell = ret_cell;

    *cell = (struct cell){.begin_us = wrap_multiply(from[COLUMN_BEGIN][i], g->width_us)};
    if (cell->begin_us / g->width_us != from[COLUMN_BEGIN][i] || !take_counts(g, i, cell))
        return ERR_CORRUPT;
    if (cell->count > 0) {
        cell->first_us = wrap_add(cell->begin_us, wrap_multiply(from[COLUMN_FIRST_US][i], g->unit_us));
        cell->last_us = wrap_add(cell->first_us, wrap_multiply(from[COLUMN_LENGTH][i], g->unit_us));
        cell->min_us = wrap_add(cell->first_us, wrap_multiply(from[COLUMN_MIN_US][i], g->unit_us));
        cell->max_us = wrap_subtract(cell->last_us, wrap_multiply(from[COLUMN_MAX_US][i], g->unit_us));
        cell->covered_us = wrap_multiply(wrap_subtract(from[COLUMN_LENGTH][i], from[COLUMN_COVERED][i]), g->unit_us);
    }
    return is_sound(cell, g->width_us) && (cell->count == 0 || take_values(g, i, cell)) ? 0 : ERR_CORRUPT;
}

/* ---- cells apart ---- */

static void put_decimal(struct decimal value, struct buf *out)
{
    value = decimal_canonical(value);
    buf_put_svarint(out, value.m);
    buf_putc(out, (char)value.e);
}

static struct decimal take_decimal(struct reader *in)
{
    int64_t m = reader_svarint(in);
    return (struct decimal){m, (int8_t)reader_u8(in)};
}

static uint8_t byte_of(const struct exact *value, size_t i)
{
    return (uint8_t)(value->limb[i / 8] >> (i % 8 * 8));
}

/* Leading bytes that only repeat the sign are left out. */
static void put_exact(const struct exact *value, struct buf *out)
{
    size_t size = sizeof value->limb;
    uint8_t sign = value->limb[EXACT_LIMBS - 1] >> 63 ? UINT8_MAX : 0;

    while (size > 0 && byte_of(value, size - 1) == sign && (size == 1 ? sign : byte_of(value, size - 2) ^ sign) < 128)
        size--;
    buf_putc(out, (char)value->e);
    buf_putc(out, (char)size);
    for (size_t i = 0; i < size; i++)
        buf_putc(out, (char)byte_of(value, i));
}

static struct exact take_exact(struct reader *in)
{
    struct exact value = {.e = (int8_t)reader_u8(in)};
    size_t size = reader_u8(in);
    const uint8_t *bytes = reader_bytes(in, size);

    in->failed |= size > sizeof value.limb;
    if (bytes == NULL || in->failed)
        return value;
    for (size_t i = 0; i < sizeof value.limb; i++) {
        uint8_t byte = i < size ? bytes[i] : size > 0 && bytes[size - 1] >> 7 ? UINT8_MAX : 0;
        value.limb[i / 8] |= (uint64_t)byte << (i % 8 * 8);
    }
    return value;
}

static void put_apart(const struct group *g, const struct cell *cells, struct buf *out)
{
    size_t n_apart = 0;

    for (size_t i = 0; i < g->n; i++)
        n_apart += g->apart[i];
    buf_put_varint(out, n_apart);
    for (size_t i = 0; i < g->n; i++) {
        if (!g->apart[i])
            continue;
        buf_put_varint(out, i);
        put_decimal(cells[i].min, out);
        put_decimal(cells[i].max, out);
        put_decimal(cells[i].first, out);
        put_decimal(cells[i].last, out);
        put_exact(&cells[i].sum, out);
        put_exact(&cells[i].step, out);
        put_exact(&cells[i].linear2, out);
        put_exact(&cells[i].increase, out);
    }
}

/* cells are those from the group's first one on that are wanted, up to end. */
static int take_apart(const struct group *g, struct reader *in, size_t first, size_t end, struct cell *cells)
{
    uint64_t n_apart = reader_varint(in), at_least = 0;

    for (; n_apart > 0 && !in->failed; n_apart--) {
        uint64_t i = reader_varint(in);
        struct cell passed_over = {.count = 1}, *cell = i >= first && i < end ? &cells[i - first] : &passed_over;
        if (i < at_least || i >= g->n || cell->count == 0)
            return ERR_CORRUPT;
        at_least = i + 1;
        cell->min = take_decimal(in);
        cell->max = take_decimal(in);
        cell->first = take_decimal(in);
        cell->last = take_decimal(in);
        cell->sum = take_exact(in);
        cell->step = take_exact(in);
        cell->linear2 = take_exact(in);
        cell->increase = take_exact(in);
    }
    return in->failed ? ERR_CORRUPT : 0;
}

/* ---- groups ---- */

static void encode_group(struct group *g, const struct cell *cells, struct buf *out)
{
    g->flags = flags_of(cells, g->n);
    g->e = figures_exponent(cells, g->n);
    g->unit_us = figures_unit_us(cells, g->n, g->e);
    for (size_t i = 0; i < g->n; i++) {
        g->apart[i] = false;
        put_cell(g, i, &cells[i]);
    }
    buf_putc(out, (char)g->flags);
    buf_putc(out, (char)g->e);
    buf_put_varint(out, (uint64_t)g->unit_us);
    for (int c = 0; c < COLUMN_N; c++)
        if ((column_flag[c] & ~g->flags) == 0)
            vector_encode(g->columns[c], g->n, out);
    put_apart(g, cells, out);
}

static int decode_columns(struct group *g, struct reader *in)
{
    g->flags = reader_u8(in);
    g->e = (int8_t)reader_u8(in);
    g->unit_us = (int64_t)reader_varint(in);
    if (in->failed || g->flags > FLAG_ALL || g->e < DECIMAL_EXP_MIN || g->e > DECIMAL_EXP_MAX || g->unit_us <= 0)
        return ERR_CORRUPT;
    for (int c = 0; c < COLUMN_N; c++) {
        if ((column_flag[c] & ~g->flags) != 0)
            memset(g->columns[c], 0, g->n * sizeof *g->columns[c]);
        else if (vector_decode(in, g->n, g->columns[c]) < 0)
            return ERR_CORRUPT;
    }
    return 0;
}

/* Cells [*first, *end) are those that are wanted. */
static void find_part(const struct group *g, size_t *first, size_t *end)
{
    const int64_t *begins = g->columns[COLUMN_BEGIN];

    while (*first < *end && wrap_multiply(begins[*first], g->width_us) < g->part.from_us)
        ++*first;
    while (*first < *end && wrap_multiply(begins[*end - 1], g->width_us) >= g->part.to_us)
        --*end;
}

static int decode_group(struct group *g, struct reader *in, struct cells *cells)
{
    size_t first = 0, end = g->n;
    int r = decode_columns(g, in);

    if (r == 0 && !g->part.is_all)
        find_part(g, &first, &end);
    if (r == 0)
        r = cells_reserve(cells, end - first);
    if (r < 0)
        return r;
    struct cell *to = cells->rows ? cells->rows + cells->n : NULL;
    for (size_t i = first; i < end; i++) {
        if (take_cell(g, i, &to[i - first]) < 0 || to[i - first].begin_us <= g->before_us)
            return ERR_CORRUPT;
        g->before_us = to[i - first].begin_us;
    }
    r = take_apart(g, in, first, end, to);
    if (r == 0)
        cells->n += end - first;
    return r;
}

/* Room for the columns of groups of up to n cells; free it by columns[0]. */
static int group_init(struct group *g, size_t n, int64_t width_us)
{
    n = n < GROUP_CELLS ? n : GROUP_CELLS;
    *g = (struct group){.width_us = width_us, .before_us = INT64_MIN};
    g->columns[0] = calloc(COLUMN_N * n, sizeof *g->columns[0]);
    for (int c = 1; c < COLUMN_N && g->columns[0] != NULL; c++)
        g->columns[c] = g->columns[c - 1] + n;
    return g->columns[0] != NULL ? 0 : ERR_NOMEM;
}

/* ---- blocks ---- */

static bool is_storable(const struct exact *value)
{
    return !value->overflow && value->e >= INT8_MIN && value->e <= INT8_MAX;
}

static int validate(const struct cell *cells, size_t n, int64_t width_us)
{
    if (n == 0 || !is_width(width_us))
        return ERR_INVALID;
    for (size_t i = 0; i < n; i++) {
        const struct cell *c = &cells[i];
        if (!is_sound(c, width_us) || (i > 0 && c->begin_us <= cells[i - 1].begin_us))
            return ERR_INVALID;
        if (!is_storable(&c->sum) || !is_storable(&c->step) || !is_storable(&c->linear2) ||
            !is_storable(&c->increase))
            return ERR_LIMIT;
    }
    return 0;
}

int cells_encode(const struct cell *cells, size_t n, int64_t width_us, uint64_t key, struct buf *out)
{
    struct group g;
    size_t begin = out->n;
    int r = validate(cells, n, width_us);

    if (r == 0)
        r = group_init(&g, n, width_us);
    if (r < 0)
        return r;
    buf_put_u32(out, 0);
    buf_putc(out, BLOCK_VERSION);
    buf_put_varint(out, n);
    buf_put_varint(out, (uint64_t)width_us);
    for (size_t at = 0; at < n; at += g.n) {
        g.n = n - at < GROUP_CELLS ? n - at : GROUP_CELLS;
        encode_group(&g, cells + at, out);
    }
    free(g.columns[0]);
    if (out->failed) {
        out->n = begin;
        return ERR_NOMEM;
    }
    uint32_t check = chunk_crc(key, out->data + begin + CHECK_BYTES, out->n - begin - CHECK_BYTES);
    for (size_t i = 0; i < CHECK_BYTES; i++)
        out->data[begin + i] = (uint8_t)(check >> (8 * i));
    return 0;
}

/* n is foreign: the cells are allocated group by group, each behind as many bytes as its columns take. */
static int decode_groups(struct group *g, struct reader *in, uint64_t n, struct cells *cells)
{
    int r = 0;
    for (; n > 0 && r == 0; n -= g->n) {
        g->n = n < GROUP_CELLS ? n : GROUP_CELLS;
        r = decode_group(g, in, cells);
    }
    return r;
}

static int decode(struct reader *in, uint64_t key, const struct part *part, struct cells *cells)
{
    uint32_t check = reader_u32(in);
    struct group g;

    if (in->failed || check != chunk_crc(key, in->at, (size_t)(in->end - in->at)))
        return ERR_CORRUPT;
    if (reader_u8(in) != BLOCK_VERSION)
        return ERR_VERSION;
    uint64_t n = reader_varint(in), width_us = reader_varint(in);
    if (in->failed || n == 0 || width_us > INT64_MAX || !is_width((int64_t)width_us))
        return ERR_CORRUPT;

    int r = group_init(&g, n, (int64_t)width_us);
    if (r < 0)
        return r;
    g.part = *part;
    r = decode_groups(&g, in, n, cells);
    free(g.columns[0]);
    return r == 0 && in->at != in->end ? ERR_CORRUPT : r;
}

static int decode_block(const void *data, size_t size, uint64_t key, const struct part *part, struct cells *cells)
{
    struct reader in = {.at = data, .end = (const uint8_t *)data + size};
    size_t n_before = cells->n;
    int r = decode(&in, key, part, cells);

    if (r < 0)
        cells->n = n_before;
    return r;
}

int cells_decode(const void *data, size_t size, uint64_t key, struct cells *cells)
{
    return decode_block(data, size, key, &(struct part){.is_all = true}, cells);
}

int cells_decode_range(const struct cells_block *block, int64_t begin_us, int64_t end_us, struct cells *cells)
{
    return decode_block(block->data, block->size, block->key, &(struct part){.from_us = begin_us, .to_us = end_us}, cells);
}
