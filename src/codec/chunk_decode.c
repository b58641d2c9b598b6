#include <config.h>

#include "codec/chunk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "codec/chunk_format.h"
#include "codec/kernels.h"
#include "codec/vector.h"

/* Everything here reads foreign bytes: numbers are checked before they are used as sizes or
 * positions. */

/* A number for each vector of the chunk. */
static int get_field(struct reader *in, uint32_t n_vectors, int64_t *ret_field)
{
    if (n_vectors > 1)
        return vector_decode(in, n_vectors, ret_field);
    *ret_field = reader_svarint(in);
    return in->failed ? ERR_CORRUPT : 0;
}

static int put_stats(const struct chunk *chunk, const int64_t fields[FIELD_N][COLUMN_VECTORS_MAX], uint32_t i,
                     struct chunk_vector *ret_stats)
{
    int64_t former_us = i ? chunk->vectors[i - 1].last_us : chunk->first_us, min = fields[FIELD_MIN][i];
    uint64_t low = (uint64_t)fields[FIELD_SUM][i], high = (uint64_t)fields[FIELD_SUM_HIGH][i];
    uint32_t left = chunk->n - i * LIMIT_VECTOR_POINTS;
    if ((uint64_t)fields[FIELD_VALID][i] > 1 || high >= LIMIT_VECTOR_POINTS)
        return ERR_CORRUPT;
    struct chunk_vector stats = {.n = left < LIMIT_VECTOR_POINTS ? left : LIMIT_VECTOR_POINTS,
                                 .valid = fields[FIELD_VALID][i], .min = min};
    stats.first_us = wrap_add(former_us, fields[FIELD_GAP][i]);
    stats.last_us = wrap_add(stats.first_us, fields[FIELD_SPAN][i]);
    stats.max = wrap_add(min, fields[FIELD_MAX][i]);
    stats.first = wrap_add(min, fields[FIELD_FIRST][i]);
    stats.last = wrap_add(min, fields[FIELD_LAST][i]);
    stats.sum = (__int128)min * stats.n + (__int128)((unsigned __int128)high << 64 | low);
    *ret_stats = stats;
    return 0;
}

static int get_positions(struct reader *in, struct chunk *chunk, enum chunk_column c)
{
    int64_t positions[COLUMN_VECTORS_MAX];
    if (get_field(in, chunk->n_vectors, positions))
        return ERR_CORRUPT;
    for (uint32_t i = 0; i < chunk->n_vectors; i++) {
        if ((uint64_t)positions[i] > chunk->columns[c].raw_size)
            return ERR_CORRUPT;
        chunk->vectors_at[c][i] = (uint32_t)positions[i];
    }
    return 0;
}

static int get_directory(struct reader *in, struct chunk *chunk)
{
    int64_t fields[FIELD_N][COLUMN_VECTORS_MAX];
    int rc = 0;
    for (enum chunk_field field = 0; field < FIELD_N && !rc; field++)
        rc = get_field(in, chunk->n_vectors, fields[field]);
    for (uint32_t i = 0; i < chunk->n_vectors && !rc; i++)
        rc = put_stats(chunk, fields, i, &chunk->vectors[i]);
    for (enum chunk_column c = 0; c < CHUNK_N_COLUMNS && !rc; c++)
        if (column_has_vectors(&chunk->columns[c]))
            rc = get_positions(in, chunk, c);
    if (rc || in->at != in->end)
        return ERR_CORRUPT;
    chunk->last_us = chunk->vectors[chunk->n_vectors - 1].last_us;
    return 0;
}

/* Reads the column heads, lays the columns out behind the directory and reads that; everything must lie within the chunk. */
static int get_columns(struct reader *in, uint64_t directory_size, uint8_t mask,
                       struct chunk *chunk)
{
    uint64_t at = 0;
    for (enum chunk_column c = 0; c < CHUNK_N_COLUMNS; c++) {
        struct column *column = &chunk->columns[c];
        if (!(mask >> c & 1))
            continue;
        if (column_get_head(in, chunk->n_vectors, column))
            return ERR_CORRUPT;
        if (column->relative && c != CHUNK_ISSUED && c != CHUNK_KNOWN)
            return ERR_CORRUPT;
        column->at = (uint32_t)at;
        at += column->size;
        if (at > chunk->size)
            return ERR_CORRUPT;
    }
    uint64_t left = (uint64_t)(in->end - in->at);
    if (directory_size > left || at > left - directory_size)
        return ERR_CORRUPT;
    struct reader directory = {.at = in->at, .end = in->at + directory_size};
    chunk->columns_at = (uint32_t)(directory.end - chunk->data);
    chunk->texts_at = chunk->columns_at + (uint32_t)at;
    if (!chunk->state && chunk->texts_at != chunk->size)
        return ERR_CORRUPT;
    return get_directory(&directory, chunk);
}

static int get_header(struct reader *in, struct chunk *chunk)
{
    if (reader_u8(in) != CHUNK_VERSION)
        return in->failed ? ERR_CORRUPT : ERR_VERSION;
    uint8_t flags = reader_u8(in);
    chunk->e = (int8_t)reader_u8(in);
    uint64_t n = reader_varint(in);
    chunk->first_us = reader_svarint(in);
    uint64_t n_texts = flags & CHUNK_FLAG_STATE ? reader_varint(in) : 0;
    uint64_t directory_size = reader_varint(in);
    uint8_t mask = reader_u8(in);
    if (in->failed || flags > CHUNK_FLAGS_ALL || n < 1 || n > LIMIT_CHUNK_POINTS || n_texts > n)
        return ERR_CORRUPT;
    chunk->n = (uint32_t)n;
    chunk->n_vectors = (uint32_t)((n + LIMIT_VECTOR_POINTS - 1) / LIMIT_VECTOR_POINTS);
    chunk->n_texts = (uint32_t)n_texts;
    chunk->state = flags & CHUNK_FLAG_STATE;
    chunk->has_suspect = flags & CHUNK_FLAG_SUSPECT;
    chunk->has_issued = mask >> CHUNK_STATED & 1;
    chunk->has_period = mask >> CHUNK_PERIOD & 1;
    chunk->known_unit_ms = flags & CHUNK_FLAG_KNOWN_S ? 1000 : 1;
    return get_columns(in, directory_size, mask, chunk);
}

int chunk_open(const void *data, size_t size, uint64_t key, struct chunk *ret_chunk)
{
    struct chunk chunk = {.data = data, .size = size};
    struct reader in = {.at = data, .end = (const uint8_t *)data + size};
    uint32_t crc = reader_u32(&in);
    if (in.failed || size > UINT32_MAX || crc != chunk_crc(key, in.at, size - CHUNK_CRC_BYTES))
        return ERR_CORRUPT;
    int rc = get_header(&in, &chunk);
    if (!rc)
        *ret_chunk = chunk;
    return rc;
}

/* Interns all texts of the chunk; ret_indexes are theirs in texts. */
static int get_texts(const struct chunk *chunk, struct texts *texts, int64_t *ret_indexes)
{
    struct reader in = {.at = chunk->data + chunk->texts_at, .end = chunk->data + chunk->size};
    for (uint32_t i = 0; i < chunk->n_texts; i++) {
        uint64_t size = reader_varint(&in);
        const uint8_t *text = size < chunk->size ? reader_bytes(&in, size) : NULL;
        if (!text || memchr(text, 0, size))
            return ERR_CORRUPT;
        int rc = texts_intern(texts, (const char *)text, size, &ret_indexes[i]);
        if (rc)
            return rc;
    }
    return !in.failed && in.at == in.end ? 0 : ERR_CORRUPT;
}

/* Replaces the numbers of texts in rows [begin, begin + n) of points by indexes into points->texts.
 */
static int resolve_texts(const struct chunk *chunk, size_t begin, size_t n, struct points *points)
{
    int64_t *indexes = malloc((chunk->n_texts + 1) * sizeof *indexes); /* n_texts is at most n */
    if (!indexes)
        return ERR_NOMEM;
    int rc = get_texts(chunk, &points->texts, indexes);
    for (size_t i = begin; i < begin + n && !rc; i++) {
        if ((uint64_t)points->m[i] < chunk->n_texts)
            points->m[i] = indexes[points->m[i]];
        else
            rc = ERR_CORRUPT;
    }
    free(indexes);
    return rc;
}

/* With constant only the first number counts, and it is that of all. */
static int put_exponents(const int64_t *numbers, size_t n, bool constant, int8_t e, int8_t *ret_e)
{
    bool bad = false;
    for (size_t i = 0; i < (constant ? 1 : n); i++) {
        int64_t own = wrap_add(e, numbers[i]);
        bad |= own != (int8_t)own;
        ret_e[i] = (int8_t)own;
    }
    if (constant)
        memset(ret_e, ret_e[0], n);
    return bad ? ERR_CORRUPT : 0;
}

static int put_qualities(const int64_t *numbers, size_t n, bool constant, uint8_t *ret_quality)
{
    bool bad = false;
    for (size_t i = 0; i < (constant ? 1 : n); i++) {
        bad |= numbers[i] != (uint8_t)numbers[i];
        ret_quality[i] = (uint8_t)numbers[i];
    }
    if (constant)
        memset(ret_quality, ret_quality[0], n);
    return bad ? ERR_CORRUPT : 0;
}

/* issued_us holds the numbers of the column before, which tell where an issue time was stated. */
static void put_issued(const int64_t *numbers, size_t n, const int64_t *t_us, bool relative,
                       int64_t *issued_us)
{
    for (size_t i = 0; i < n; i++)
        issued_us[i] = issued_us[i] ? wrap_add(numbers[i], relative ? t_us[i] : 0) : ISSUED_NONE;
}

static void put_known(const int64_t *numbers, size_t n, const int64_t *t_us, int64_t unit_ms,
                      int64_t *ret_known_ms)
{
    for (size_t i = 0; i < n; i++) {
        int64_t units = wrap_add(numbers[i], t_us ? chunk_time_in_units(t_us[i], unit_ms) : 0);
        ret_known_ms[i] = (int64_t)((uint64_t)units * (uint64_t)unit_ms);
    }
}

/* Brings one vector of numbers to where they belong, from row at of points on; those of 64 bits are
 * there already. Columns come in order, so the times are there. */
static int put_numbers(const struct chunk *chunk, enum chunk_column c, const int64_t *numbers,
                       const struct chunk_vector *vector, struct points *points, size_t at)
{
    size_t n = vector->n;
    int64_t *t_us = points->t_us + at;
    bool relative = chunk->columns[c].relative, constant = !column_has_vectors(&chunk->columns[c]);
    if (c == CHUNK_EXPONENT)
        return put_exponents(numbers, n, constant, chunk->e, points->e + at);
    if (c == CHUNK_QUALITY)
        return put_qualities(numbers, n, constant, points->quality + at);
    if (c == CHUNK_ISSUED)
        put_issued(numbers, n, t_us, relative, points->issued_us + at);
    if (c == CHUNK_KNOWN)
        put_known(numbers, n, relative ? t_us : NULL, chunk->known_unit_ms, points->known_ms + at);
    if (c == CHUNK_TIME)
        kernels_best()->add_line((uint64_t *)t_us, n, (uint64_t)vector->first_us, 0);
    return 0;
}

/* Where the numbers of a column can be decoded to at once, or NULL. Those of CHUNK_STATED wait here
 * for CHUNK_ISSUED. */
static int64_t *column_of(const struct points *points, enum chunk_column c)
{
    return c == CHUNK_TIME       ? points->t_us
           : c == CHUNK_MANTISSA ? points->m
           : c == CHUNK_PERIOD   ? points->period_us
           : c == CHUNK_STATED   ? points->issued_us
                                 : NULL;
}

/* Decodes one column of vectors [begin, end) into the rows behind points->n. */
static int get_column(const struct chunk *chunk, enum chunk_column c, uint32_t begin, uint32_t end, struct points *points)
{
    const struct column *column = &chunk->columns[c];
    int64_t room[LIMIT_VECTOR_POINTS];
    struct column_bytes bytes = {0};
    bool vectors = column_has_vectors(column);
    int rc =
        vectors ? column_open(column, chunk->data + chunk->columns_at + column->at, &bytes) : 0;
    size_t at = points->n;
    for (uint32_t i = begin; i < end && !rc; i++) {
        size_t n = chunk->vectors[i].n;
        int64_t *numbers = column_of(points, c) ? column_of(points, c) + at : room;
        if (vectors) {
            struct reader in = {.at = bytes.data + chunk->vectors_at[c][i],
                                .end = bytes.data + bytes.size};
            rc = vector_decode(&in, n, numbers);
        } else if (numbers != room || i == begin) {
            for (size_t j = 0; j < n; j++)
                numbers[j] = column->constant;
        }
        if (!rc)
            rc = put_numbers(chunk, c, numbers, &chunk->vectors[i], points, at);
        at += n;
    }
    column_done(&bytes);
    return rc;
}

int chunk_decode(const struct chunk *chunk, uint32_t vector_i, uint32_t n_vectors, unsigned want,
                 struct points *points)
{
    static const unsigned wanted_by[CHUNK_N_COLUMNS] = {[CHUNK_PERIOD] = POINTS_PERIOD,
                                                        [CHUNK_STATED] = POINTS_ISSUED,
                                                        [CHUNK_ISSUED] = POINTS_ISSUED,
                                                        [CHUNK_KNOWN] = POINTS_KNOWN};
    size_t n = 0;
    assert(vector_i <= chunk->n_vectors && n_vectors <= chunk->n_vectors - vector_i);
    for (uint32_t i = 0; i < n_vectors; i++)
        n += chunk->vectors[vector_i + i].n;
    int rc = points_reserve(points, n);
    for (enum chunk_column c = 0; c < CHUNK_N_COLUMNS && !rc; c++)
        if (!wanted_by[c] || want & wanted_by[c])
            rc = get_column(chunk, c, vector_i, vector_i + n_vectors, points);
    if (!rc && chunk->state)
        rc = resolve_texts(chunk, points->n, n, points);
    if (!rc)
        points->n += n;
    return rc;
}

/* Whether the only reading in [begin, end) is the last one of a vector, whose statistics tell it; a vector has none where two
 * of its readings have one time. */
static bool is_told(const struct chunk *chunk, uint32_t i, int64_t begin_us, int64_t end_us)
{
    const struct chunk_vector *vector = &chunk->vectors[i];
    return vector->valid && begin_us == vector->last_us && !column_has_vectors(&chunk->columns[CHUNK_QUALITY]) &&
           (i + 1 == chunk->n_vectors || end_us <= chunk->vectors[i + 1].first_us);
}

static int put_last(const struct chunk *chunk, const struct chunk_vector *vector, struct points *points)
{
    int rc = points_reserve(points, 1);
    if (rc)
        return rc;
    points->t_us[points->n] = vector->last_us;
    points->m[points->n] = vector->last;
    points->e[points->n] = chunk->e;
    rc = put_qualities(&chunk->columns[CHUNK_QUALITY].constant, 1, true, points->quality + points->n);
    points->n += !rc;
    return rc;
}

int chunk_decode_range(const struct chunk *chunk, int64_t begin_us, int64_t end_us, unsigned want, struct points *points)
{
    uint32_t first = 0, end = chunk->n_vectors;
    while (first < end && chunk->vectors[first].last_us < begin_us)
        first++;
    while (end > first && chunk->vectors[end - 1].first_us >= end_us)
        end--;
    if (first < end && !want && is_told(chunk, first, begin_us, end_us))
        return put_last(chunk, &chunk->vectors[first], points);
    return first < end ? chunk_decode(chunk, first, end - first, want, points) : 0;
}
