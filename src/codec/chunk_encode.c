#include <config.h>

#include "codec/chunk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "codec/chunk_format.h"
#include "codec/exponent.h"
#include "codec/vector.h"

struct encoder {
    const struct points *points;
    size_t begin, n, n_vectors;
    bool state, cold;
    int8_t e;
    uint8_t flags;
    uint32_t *text_numbers; /* of states: for each text of points, and "", its number in the chunk +
                               1, or 0 */
    uint32_t n_texts;
    int64_t *numbers; /* n, of the column at hand */
    struct buf texts, columns_bytes, directory, scratch;
    struct column columns[CHUNK_N_COLUMNS];
    uint32_t vectors_at[CHUNK_N_COLUMNS][COLUMN_VECTORS_MAX];
};

static void encoder_done(struct encoder *encoder)
{
    free(encoder->text_numbers);
    free(encoder->numbers);
    buf_free(&encoder->texts);
    buf_free(&encoder->columns_bytes);
    buf_free(&encoder->directory);
    buf_free(&encoder->scratch);
}

/* Where text_numbers has the text of a state; whatever is no index of a text is the empty one, as
 * texts_at says. */
static size_t text_slot(const struct encoder *encoder, int64_t m)
{
    size_t n = encoder->points->texts.n;
    return (uint64_t)m < n ? (size_t)m : n;
}

/* Numbers the texts of states in the order of their first reading. */
static int collect_texts(struct encoder *encoder)
{
    const struct texts *texts = &encoder->points->texts;
    encoder->text_numbers = calloc(texts->n + 1, sizeof *encoder->text_numbers);
    if (!encoder->text_numbers)
        return ERR_NOMEM;
    for (size_t i = encoder->begin; i < encoder->begin + encoder->n; i++) {
        size_t slot = text_slot(encoder, encoder->points->m[i]);
        if (encoder->text_numbers[slot])
            continue;
        const char *text = texts_at(texts, (int64_t)slot);
        buf_put_varint(&encoder->texts, strlen(text));
        buf_puts(&encoder->texts, text);
        encoder->text_numbers[slot] = ++encoder->n_texts;
    }
    return encoder->texts.failed ? ERR_NOMEM : 0;
}

static int encoder_init(struct encoder *encoder, const struct points *points, size_t begin,
                        size_t n, const struct chunk_options *options)
{
    *encoder = (struct encoder){
        .points = points, .begin = begin, .n = n, .state = options->state, .cold = options->cold};
    encoder->n_vectors = (n + LIMIT_VECTOR_POINTS - 1) / LIMIT_VECTOR_POINTS;
    encoder->numbers = malloc(n * sizeof *encoder->numbers);
    if (!encoder->numbers)
        return ERR_NOMEM;
    bool milliseconds = false;
    encoder->flags = options->state ? CHUNK_FLAG_STATE : 0;
    for (size_t i = begin; i < begin + n; i++) {
        milliseconds = milliseconds || points->known_ms[i] % 1000 != 0;
        if ((points->quality[i] & QUALITY_CLASS_MASK) == QUALITY_SUSPECT)
            encoder->flags |= CHUNK_FLAG_SUSPECT;
    }
    encoder->flags |= options->known_s || !milliseconds ? CHUNK_FLAG_KNOWN_S : 0;
    if (options->state)
        return collect_texts(encoder);
    encoder->e = exponent_choose(points->m + begin, points->e + begin, n);
    return 0;
}

static void fill_mantissas(const struct encoder *encoder, const int64_t *m, const int8_t *e,
                           int64_t *ret_numbers)
{
    for (size_t i = 0; i < encoder->n; i++) {
        ret_numbers[i] = m[i]; /* and so it stays where it does not fit the chunk's exponent */
        if (encoder->state)
            ret_numbers[i] = encoder->text_numbers[text_slot(encoder, m[i])] - INT64_C(1);
        else
            exponent_shift(m[i], e[i], encoder->e, &ret_numbers[i]);
    }
}

static void fill_exponents(const struct encoder *encoder, const int64_t *m, const int8_t *e,
                           int64_t *ret_numbers)
{
    int64_t shifted;
    for (size_t i = 0; i < encoder->n; i++)
        ret_numbers[i] = !encoder->state && exponent_shift(m[i], e[i], encoder->e, &shifted)
                             ? 0
                             : e[i] - encoder->e;
}

/* Readings without an issue time repeat the number before, which costs least. */
static void fill_issued(const int64_t *issued_us, const int64_t *t_us, size_t n, bool relative,
                        int64_t *ret_numbers)
{
    int64_t number = 0;
    for (size_t i = 0; i < n; i++) {
        if (issued_us[i] != ISSUED_NONE)
            number = wrap_subtract(issued_us[i], relative ? t_us[i] : 0);
        ret_numbers[i] = number;
    }
}

/* In units, rounded up (but for the last of all seconds, whose end is out of reach). */
static int64_t known_in_units(int64_t known_ms, int64_t unit_ms)
{
    int64_t units = known_ms / unit_ms;
    return units + (known_ms % unit_ms > 0 && units < INT64_MAX / unit_ms);
}

static void fill_known(const int64_t *known_ms, const int64_t *t_us, size_t n, int64_t unit_ms,
                       int64_t *ret_numbers)
{
    for (size_t i = 0; i < n; i++)
        ret_numbers[i] =
            wrap_subtract(known_in_units(known_ms[i], unit_ms), t_us ? chunk_time_in_units(t_us[i], unit_ms) : 0);
}

/* Sets encoder->numbers to what the column holds; docs/FORMAT.md has the list. */
static void fill_numbers(struct encoder *encoder, enum chunk_column column, bool relative)
{
    const struct points *points = encoder->points;
    size_t n = encoder->n, begin = encoder->begin;
    int64_t *numbers = encoder->numbers;
    const int64_t *t_us = points->t_us + begin, *issued_us = points->issued_us + begin;
    switch (column) {
    case CHUNK_TIME:
        for (size_t i = 0; i < n; i++)
            numbers[i] = wrap_subtract(t_us[i], t_us[i - i % LIMIT_VECTOR_POINTS]);
        break;
    case CHUNK_MANTISSA:
        fill_mantissas(encoder, points->m + begin, points->e + begin, numbers);
        break;
    case CHUNK_EXPONENT:
        fill_exponents(encoder, points->m + begin, points->e + begin, numbers);
        break;
    case CHUNK_QUALITY:
        for (size_t i = 0; i < n; i++)
            numbers[i] = points->quality[begin + i];
        break;
    case CHUNK_PERIOD:
        memcpy(numbers, points->period_us + begin, n * sizeof *numbers);
        break;
    case CHUNK_STATED:
        for (size_t i = 0; i < n; i++)
            numbers[i] = issued_us[i] != ISSUED_NONE;
        break;
    case CHUNK_ISSUED:
        fill_issued(issued_us, t_us, n, relative, numbers);
        break;
    case CHUNK_KNOWN:
        fill_known(points->known_ms + begin, relative ? t_us : NULL, n,
                   encoder->flags & CHUNK_FLAG_KNOWN_S ? 1000 : 1, numbers);
        break;
    case CHUNK_N_COLUMNS:
        break;
    }
}

static int encode_column(struct encoder *encoder, enum chunk_column column)
{
    fill_numbers(encoder, column, false);
    return column_encode(encoder->numbers, encoder->n, &encoder->columns_bytes, &encoder->columns[column],
                         encoder->vectors_at[column]);
}

/* An instant is stored as the distance from the reading's time where that is shorter than as it is: it mostly is, so it is
 * encoded in place, and the other one beside it. */
static int encode_instant(struct encoder *encoder, enum chunk_column column)
{
    struct column plain, *relative = &encoder->columns[column];
    uint32_t vectors_at[COLUMN_VECTORS_MAX];
    size_t start = encoder->columns_bytes.n;
    fill_numbers(encoder, column, true);
    int rc = column_encode(encoder->numbers, encoder->n, &encoder->columns_bytes, relative, encoder->vectors_at[column]);
    relative->relative = relative->there = true;
    if (rc || !relative->size)
        return rc;
    buf_clear(&encoder->scratch);
    fill_numbers(encoder, column, false);
    rc = column_encode(encoder->numbers, encoder->n, &encoder->scratch, &plain, vectors_at);
    if (rc)
        return rc;
    if (relative->size < plain.size) {
        fill_numbers(encoder, column, true);
        return 0;
    }
    encoder->columns_bytes.n = start;
    return encode_column(encoder, column);
}

static int encode_columns(struct encoder *encoder)
{
    for (enum chunk_column c = 0; c < CHUNK_N_COLUMNS; c++) {
        bool is_instant = (c == CHUNK_ISSUED && encoder->columns[CHUNK_STATED].there) || c == CHUNK_KNOWN;
        int rc = is_instant ? encode_instant(encoder, c) : encode_column(encoder, c);
        if (!rc && encoder->cold)
            rc = column_compress(encoder->numbers, encoder->n, &encoder->columns_bytes, &encoder->columns[c],
                                 encoder->vectors_at[c]);
        if (rc)
            return rc;
    }
    return 0;
}

/* The statistics of n rows from begin on. */
static void compute_stats(const struct encoder *encoder, size_t begin, size_t n,
                          struct chunk_vector *ret_stats)
{
    const struct points *points = encoder->points;
    struct chunk_vector stats = {.n = (uint32_t)n, .valid = !encoder->state};
    stats.first_us = points->t_us[begin];
    stats.last_us = points->t_us[begin + n - 1];
    for (size_t i = begin; i < begin + n && stats.valid; i++) {
        int64_t m = points->m[i];
        stats.valid = (points->quality[i] & QUALITY_CLASS_MASK) != QUALITY_SUSPECT &&
                      points->issued_us[i] == ISSUED_NONE &&
                      (i == begin || points->t_us[i] > points->t_us[i - 1]) &&
                      exponent_shift(m, points->e[i], encoder->e, &m);
        if (i == begin)
            stats.first = stats.min = stats.max = m;
        stats.last = m;
        stats.min = m < stats.min ? m : stats.min;
        stats.max = m > stats.max ? m : stats.max;
        stats.sum += m;
    }
    *ret_stats = stats;
}

/* A number for each vector of the chunk. */
static void put_field(struct encoder *encoder, const int64_t *field)
{
    if (encoder->n_vectors > 1)
        vector_encode(field, encoder->n_vectors, &encoder->directory);
    else
        buf_put_svarint(&encoder->directory, *field);
}

/* Of vectors without statistics, those of the vector before are written, which costs least. */
static void put_directory(struct encoder *encoder)
{
    int64_t fields[FIELD_N][COLUMN_VECTORS_MAX], last_us = encoder->points->t_us[encoder->begin];
    struct chunk_vector shown = {0};
    for (size_t i = 0; i < encoder->n_vectors; i++) {
        struct chunk_vector stats;
        size_t at = i * LIMIT_VECTOR_POINTS, left = encoder->n - at;
        compute_stats(encoder, encoder->begin + at, left < LIMIT_VECTOR_POINTS ? left : LIMIT_VECTOR_POINTS, &stats);
        if (stats.valid)
            shown = stats;
        unsigned __int128 rest = (unsigned __int128)(shown.sum - (__int128)shown.min * shown.n);
        fields[FIELD_GAP][i] = wrap_subtract(stats.first_us, last_us);
        fields[FIELD_SPAN][i] = wrap_subtract(stats.last_us, stats.first_us);
        fields[FIELD_VALID][i] = stats.valid;
        fields[FIELD_MIN][i] = shown.min;
        fields[FIELD_MAX][i] = wrap_subtract(shown.max, shown.min);
        fields[FIELD_FIRST][i] = wrap_subtract(shown.first, shown.min);
        fields[FIELD_LAST][i] = wrap_subtract(shown.last, shown.min);
        fields[FIELD_SUM][i] = (int64_t)rest;
        fields[FIELD_SUM_HIGH][i] = (int64_t)(rest >> 64);
        last_us = stats.last_us;
    }
    for (enum chunk_field field = 0; field < FIELD_N; field++)
        put_field(encoder, fields[field]);
    for (enum chunk_column c = 0; c < CHUNK_N_COLUMNS; c++) {
        for (size_t i = 0; i < encoder->n_vectors; i++)
            fields[0][i] = encoder->vectors_at[c][i];
        if (column_has_vectors(&encoder->columns[c]))
            put_field(encoder, fields[0]);
    }
}

static void put_header(const struct encoder *encoder, struct buf *out)
{
    unsigned mask = 0;
    buf_putc(out, CHUNK_VERSION);
    buf_putc(out, (char)encoder->flags);
    buf_putc(out, (char)encoder->e);
    buf_put_varint(out, encoder->n);
    buf_put_svarint(out, encoder->points->t_us[encoder->begin]);
    if (encoder->state)
        buf_put_varint(out, encoder->n_texts);
    buf_put_varint(out, encoder->directory.n);
    for (enum chunk_column c = 0; c < CHUNK_N_COLUMNS; c++)
        mask |= (unsigned)encoder->columns[c].there << c;
    buf_putc(out, (char)mask);
    for (enum chunk_column c = 0; c < CHUNK_N_COLUMNS; c++)
        if (encoder->columns[c].there)
            column_put_head(&encoder->columns[c], out);
}

static int encode(struct encoder *encoder, uint64_t key, struct buf *out)
{
    size_t start = out->n;
    int rc = encode_columns(encoder);
    if (rc)
        return rc;
    put_directory(encoder);
    if (encoder->directory.failed)
        return ERR_NOMEM;
    buf_put_u32(out, 0);
    put_header(encoder, out);
    buf_put(out, encoder->directory.data, encoder->directory.n);
    buf_put(out, encoder->columns_bytes.data, encoder->columns_bytes.n);
    buf_put(out, encoder->texts.data, encoder->texts.n);
    if (out->failed) {
        out->n = start;
        return ERR_NOMEM;
    }
    uint8_t *chunk = out->data + start;
    uint32_t crc = chunk_crc(key, chunk + CHUNK_CRC_BYTES, out->n - start - CHUNK_CRC_BYTES);
    for (int i = 0; i < CHUNK_CRC_BYTES; i++)
        chunk[i] = (uint8_t)(crc >> (8 * i));
    return 0;
}

int chunk_encode(const struct points *points, size_t begin, size_t n,
                 const struct chunk_options *options, struct buf *out)
{
    struct encoder encoder;
    assert(n >= 1 && n <= LIMIT_CHUNK_POINTS && begin <= points->n && n <= points->n - begin);
    int rc = encoder_init(&encoder, points, begin, n, options);
    if (!rc)
        rc = encode(&encoder, options->key, out);
    encoder_done(&encoder);
    return rc;
}
