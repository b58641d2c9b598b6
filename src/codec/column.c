#include <config.h>

#include "codec/column.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "codec/vector.h"

#define KIND_RELATIVE 0x80

/* Below this many bytes the entropy stage has nothing to gain; and it must save at least a
 * twentieth, since vectors without it are decoded several times faster. */
#define COLD_BYTES_MIN 64
#define COLD_SAVES(before, after) ((after) <= (before) - (before) / 20)

/* Whether the stage is to look for repetitions. Noise has none: what matches by chance costs more
 * than its single bytes. A walk of 0.1 steps at 4 bits: 0.269 bytes a reading without, 0.281 with
 * (level 3), and a fifth of the time. */
enum search { SEARCH_MATCHES, SEARCH_LITTLE };

/* Vectors with the same bytes as the one before, as those of a time grid, are not written again. */
static void put_vectors(const int64_t *values, size_t n, bool aligned, struct buf *out,
                        uint32_t ret_vectors_at[static COLUMN_VECTORS_MAX])
{
    size_t start = out->n, former = start;
    for (size_t i = 0; i < n; i += LIMIT_VECTOR_POINTS) {
        size_t n_vector = n - i < LIMIT_VECTOR_POINTS ? n - i : LIMIT_VECTOR_POINTS, at = out->n;
        if (aligned)
            vector_encode_aligned(values + i, n_vector, out);
        else
            vector_encode(values + i, n_vector, out);
        if (i && !out->failed && out->n - at == at - former &&
            memcmp(out->data + at, out->data + former, at - former) == 0)
            out->n = at;
        else
            former = at;
        ret_vectors_at[i / LIMIT_VECTOR_POINTS] = (uint32_t)(former - start);
    }
}

static void put_compressed(ZSTD_CCtx *zstd, enum search search, const struct buf *raw,
                           struct buf *out)
{
    size_t bound = ZSTD_compressBound(raw->n);
    uint8_t *at = buf_reserve(out, bound);
    if (!at)
        return;
    ZSTD_CCtx_reset(zstd, ZSTD_reset_session_and_parameters);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, 3);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_contentSizeFlag, 0);
    if (search == SEARCH_LITTLE) {
        ZSTD_CCtx_setParameter(zstd, ZSTD_c_strategy, ZSTD_fast);
        ZSTD_CCtx_setParameter(zstd, ZSTD_c_minMatch, 7);
        ZSTD_CCtx_setParameter(zstd, ZSTD_c_targetLength, 0); /* else literals are not compressed */
    }
    size_t size = ZSTD_compress2(zstd, at, bound, raw->data, raw->n);
    if (ZSTD_isError(size))
        out->failed = true;
    else
        out->n += size;
}

int column_encode(const int64_t *values, size_t n, struct buf *out, struct column *ret_column,
                  uint32_t ret_vectors_at[static COLUMN_VECTORS_MAX])
{
    struct column column = {.constant = values[0]};
    size_t n_same = 1, start = out->n;
    while (n_same < n && values[n_same] == values[0])
        n_same++;
    if (n_same == n) {
        column.there = values[0] != 0;
        *ret_column = column;
        return 0;
    }
    column.there = true;
    column.kind = COLUMN_VECTORS;
    put_vectors(values, n, false, out, ret_vectors_at);
    if (out->failed)
        return ERR_NOMEM;
    column.size = column.raw_size = (uint32_t)(out->n - start);
    *ret_column = column;
    return 0;
}

int column_compress(const int64_t *values, size_t n, struct buf *out, struct column *column,
                    uint32_t vectors_at[static COLUMN_VECTORS_MAX])
{
    if (!column_has_vectors(column) || column->size < COLD_BYTES_MIN)
        return 0;
    static const struct {
        bool aligned;
        enum search search;
    } tries[] = {{false, SEARCH_MATCHES}, {true, SEARCH_MATCHES}, {true, SEARCH_LITTLE}};
    struct buf raw = {0}, packed = {0};
    size_t start = out->n - column->size;
    uint32_t size_plain = column->size;
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    bool failed = !zstd;
    uint32_t raw_at[COLUMN_VECTORS_MAX];
    buf_put(&raw, out->data + start, size_plain); /* the first try's vectors are there already */
    memcpy(raw_at, vectors_at, sizeof raw_at);
    for (size_t i = 0; i < sizeof tries / sizeof *tries && !failed; i++) {
        buf_clear(&packed);
        if (i && tries[i].aligned != tries[i - 1].aligned) {
            buf_clear(&raw);
            put_vectors(values, n, tries[i].aligned, &raw, raw_at);
        }
        if (!raw.failed)
            put_compressed(zstd, tries[i].search, &raw, &packed);
        if (!raw.failed && !packed.failed && packed.n < column->size &&
            COLD_SAVES(size_plain, packed.n)) {
            out->n = start;
            buf_put(out, packed.data, packed.n);
            column->kind = COLUMN_COLD;
            column->size = (uint32_t)packed.n;
            column->raw_size = (uint32_t)raw.n;
            for (size_t j = 0; j * LIMIT_VECTOR_POINTS < n; j++)
                vectors_at[j] = raw_at[j];
        }
        failed = raw.failed || packed.failed || out->failed;
    }
    ZSTD_freeCCtx(zstd);
    buf_free(&raw);
    buf_free(&packed);
    return failed ? ERR_NOMEM : 0;
}

void column_put_head(const struct column *column, struct buf *out)
{
    buf_putc(out, (char)(column->kind | (column->relative ? KIND_RELATIVE : 0)));
    if (column->kind == COLUMN_CONSTANT) {
        buf_put_svarint(out, column->constant);
        return;
    }
    buf_put_varint(out, column->size);
    if (column->kind == COLUMN_COLD)
        buf_put_varint(out, column->raw_size);
}

int column_get_head(struct reader *in, size_t n_vectors, struct column *ret_column)
{
    uint8_t kind = reader_u8(in);
    struct column column = {
        .there = true, .relative = kind & KIND_RELATIVE, .kind = kind & (uint8_t)~KIND_RELATIVE};
    uint64_t size = 0, raw_size = 0;
    if (column.kind == COLUMN_CONSTANT) {
        column.constant = reader_svarint(in);
    } else {
        size = reader_varint(in);
        raw_size = column.kind == COLUMN_COLD ? reader_varint(in) : size;
    }
    if (in->failed || column.kind > COLUMN_COLD || size > UINT32_MAX ||
        raw_size > n_vectors * VECTOR_BYTES_MAX)
        return ERR_CORRUPT;
    column.size = (uint32_t)size;
    column.raw_size = (uint32_t)raw_size;
    *ret_column = column;
    return 0;
}

int column_open(const struct column *column, const uint8_t *data, struct column_bytes *ret_bytes)
{
    struct column_bytes bytes = {.data = data, .size = column->raw_size};
    if (column->kind == COLUMN_COLD) {
        bytes.own = malloc((size_t)column->raw_size +
                           1); /* raw_size is bounded by column_get_head; malloc(0) may be NULL */
        if (!bytes.own)
            return ERR_NOMEM;
        if (ZSTD_decompress(bytes.own, column->raw_size, data, column->size) != column->raw_size) {
            free(bytes.own);
            return ERR_CORRUPT;
        }
        bytes.data = bytes.own;
    }
    *ret_bytes = bytes;
    return 0;
}

void column_done(struct column_bytes *bytes)
{
    free(bytes->own);
    *bytes = (struct column_bytes){0};
}
