/* Arrow: what stands in columns is sent as columns. Long answers gather rows of all series into batches; wide ones have a batch a
 * sheet. Texts that repeat are dictionaries, whole and first of all, so that every reader knows what to do with them;
 * their indexes are as wide as the number of texts needs. Where an answer has numbers and texts in one column, the
 * texts have one of their own behind it: NAME.text. */
#include <config.h>

#include "http/render.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/arrow.h"
#include "model/nearest.h"
#include "query/shown.h"

#define BATCH_ROWS 32768
/* Values of the store have at most 24 decimals and, with them, 14 digits before the point; so all have one type, whatever
 * is asked. */
#define DECIMAL_PRECISION 38
#define DECIMAL_SCALE 24

typedef __int128 i128;

#define QUALITY_DICTIONARY KEYS_MAX /* those before it are the keys' */

/* ---- a column of a sheet as buffers ---- */

static size_t count_others(const int8_t *e, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += e[i] == SHEET_OTHER;
    return count;
}

static struct arrow_column shape(const struct render *render, const struct sheet *sheet, size_t i, enum sheet_type type)
{
    const struct sheet_column *column = &sheet->columns[i];
    struct arrow_column found = {.data_bytes = 8 * (int64_t)sheet->n};
    for (size_t row = 0, left = count_others(column->e, sheet->n); left; row++) {
        left -= column->e[row] == SHEET_OTHER;
        found.n_nulls += sheet_is_null(column, row);
    }
    if (found.n_nulls)
        found.validity_bytes = ((int64_t)sheet->n + 7) / 8;
    if (type == SHEET_NUMBER && render->dialect.decimals)
        found.data_bytes *= 2;
    if (type != SHEET_TEXT)
        return found;
    found.offsets_bytes = 4 * ((int64_t)sheet->n + 1);
    found.data_bytes = 0;
    for (size_t row = 0; row < sheet->n; row++)
        if (!sheet_is_null(column, row))
            found.data_bytes += (int64_t)strlen(texts_at(sheet->texts, column->m[row]));
    return found;
}

static void put_validity(const struct sheet_column *column, size_t n, const struct arrow_column *is, struct buf *out)
{
    uint8_t *at = buf_reserve(out, (size_t)is->validity_bytes);
    if (!at || !is->validity_bytes)
        return;
    memset(at, 0, (size_t)is->validity_bytes);
    for (size_t i = 0; i < n; i++)
        at[i / 8] |= (uint8_t)(!sheet_is_null(column, i) << i % 8);
    out->n += (size_t)is->validity_bytes;
    arrow_pad(out, is->validity_bytes);
}

static void put_doubles(const struct sheet *sheet, const struct sheet_column *column, struct buf *out)
{
    double *at = (double *)(void *)buf_reserve(out, 8 * sheet->n);
    if (!at)
        return;
    if (!count_others(column->e, sheet->n)) {
        nearest_doubles(column->m, column->e, sheet->n, at);
    } else {
        for (size_t i = 0; i < sheet->n; i++)
            at[i] = column->e[i] != SHEET_OTHER ? nearest_double((struct decimal){column->m[i], column->e[i]})
                    : column->m[i]              ? nearest_exact(&sheet->exacts[column->m[i] - 1]) : 0;
    }
    out->n += 8 * sheet->n;
}

/* m * 10^e at the scale: false where it does not fit. */
static bool scale_up(i128 m, int e, i128 *ret_scaled)
{
    i128 max = (i128)decimal_pow10[18] * decimal_pow10[18] * 100 - 1;
    for (int shift = e + DECIMAL_SCALE; shift > 0 && m; shift -= shift < 18 ? shift : 18)
        if (__builtin_mul_overflow(m, (i128)decimal_pow10[shift < 18 ? shift : 18], &m))
            return false;
    for (; e < -DECIMAL_SCALE && m; e++, m /= 10)
        if (m % 10)
            return false;
    *ret_scaled = m;
    return m >= -max && m <= max;
}

static bool scale_exact(const struct exact *exact, i128 *ret_scaled)
{
    char text[EXACT_TEXT_MAX];
    size_t n = exact_print(text, exact);
    bool negative = n && *text == '-';
    i128 m = 0;
    int e = 0;
    for (size_t i = negative; i < n; i++) {
        if (text[i] == '.') {
            e = -(int)(n - i - 1);
            continue;
        }
        if (__builtin_mul_overflow(m, (i128)10, &m) || __builtin_add_overflow(m, (i128)(text[i] - '0'), &m))
            return false;
    }
    return n && scale_up(negative ? -m : m, e, ret_scaled);
}

static void put_decimals(struct render *render, const struct sheet *sheet, const struct sheet_column *column, struct buf *out)
{
    uint8_t *at = buf_reserve(out, 16 * sheet->n);
    bool fits = true;
    for (size_t i = 0; at && i < sheet->n && fits; i++, at += 16) {
        i128 scaled = 0;
        if (column->e[i] != SHEET_OTHER)
            fits = scale_up(column->m[i], column->e[i], &scaled);
        else if (column->m[i])
            fits = scale_exact(&sheet->exacts[column->m[i] - 1], &scaled);
        memcpy(at, &scaled, 16);
    }
    if (at)
        out->n += 16 * sheet->n;
    if (!fits)
        render->rc = err_set_field(&render->error, ERR_MEANING, "numbers", "a number of the answer does not fit decimal128 "
                                   "with %d digits before the point and %d behind it: take numbers=float64",
                                   DECIMAL_PRECISION - DECIMAL_SCALE, DECIMAL_SCALE);
}

static void put_texts(const struct sheet *sheet, const struct sheet_column *column, struct buf *out)
{
    int32_t offset = 0;
    buf_put_u32(out, 0);
    for (size_t i = 0; i < sheet->n; i++) {
        if (!sheet_is_null(column, i))
            offset += (int32_t)strlen(texts_at(sheet->texts, column->m[i]));
        buf_put_u32(out, (uint32_t)offset);
    }
    arrow_pad(out, 4 * ((int64_t)sheet->n + 1));
    for (size_t i = 0; i < sheet->n; i++)
        if (!sheet_is_null(column, i))
            buf_puts(out, texts_at(sheet->texts, column->m[i]));
}

static void put_column(struct render *render, const struct sheet *sheet, size_t i, enum sheet_type type,
                       const struct arrow_column *is, struct buf *out)
{
    const struct sheet_column *column = &sheet->columns[i];
    put_validity(column, sheet->n, is, out);
    if (type == SHEET_TEXT)
        put_texts(sheet, column, out);
    else if (type != SHEET_NUMBER)
        buf_put(out, column->m, 8 * sheet->n);
    else if (render->dialect.decimals)
        put_decimals(render, sheet, column, out);
    else
        put_doubles(sheet, column, out);
    arrow_pad(out, is->data_bytes);
}

/* ---- fields ---- */

static const char *zone_of(const struct render *render)
{
    return render->range->zone ? zone_name(render->range->zone) : "UTC";
}

static struct arrow_field time_field(const struct render *render)
{
    return (struct arrow_field){.name = "time", .type = ARROW_TIME_US, .zone = zone_of(render)};
}

static struct arrow_field value_field(const struct render *render, const char *name, enum sheet_type type)
{
    static const enum arrow_type types[] = {[SHEET_NUMBER] = ARROW_DOUBLE, [SHEET_COUNT] = ARROW_INT64, [SHEET_TEXT] = ARROW_UTF8,
                                            [SHEET_TIME] = ARROW_TIME_US};
    struct arrow_field field = {.name = name, .type = types[type], .zone = zone_of(render)};
    if (type == SHEET_NUMBER && render->dialect.decimals) {
        field.type = ARROW_DECIMAL128;
        field.precision = DECIMAL_PRECISION;
        field.scale = DECIMAL_SCALE;
    }
    return field;
}

/* ---- long: rows gather until they are a batch ---- */

/* Rows up to end are of one series; where its names stand in the dictionaries. */
struct turn {
    size_t end;
    int32_t index[KEYS_MAX];
};

/* Numbers and texts of each aggregate, and three counts; fields: the time, keys and the quality, too. */
#define COLUMNS_MAX (2 * AGG_N + 3)
#define FIELDS_MAX (1 + KEYS_MAX + COLUMNS_MAX + 1)

struct gather {
    size_t n;                                /* rows */
    size_t n_keys;
    int64_t *t_us;
    uint8_t *quality;                        /* raw */
    struct turn turns[BATCH_ROWS];           /* one for each series with rows in the batch */
    size_t n_turns;
    int32_t index[KEYS_MAX];                   /* of the series that has its turn */
    int index_bits[KEYS_MAX];
    /* the columns of values: */
    size_t n_columns;
    struct gathered {
        const char *name;
        char text_name[32];                  /* of one that has the texts of another */
        enum sheet_type type;
        size_t source;                       /* which column of the answer; AGG_N on: a count behind them; raw: 0, or */
#define SOURCE_AVAILABLE 1                   /* since when the reading could be known, or */
#define SOURCE_BOUND 2                       /* on which side of the range it lies */
        int64_t *m;
        int8_t *e;
    } columns[COLUMNS_MAX];
    struct sheet_column sheet_columns[COLUMNS_MAX];
    struct sheet_store store;
};

void gather_free(struct gather *gather)
{
    if (!gather)
        return;
    for (size_t i = 0; i < gather->n_columns; i++) {
        free(gather->columns[i].m);
        free(gather->columns[i].e);
    }
    free(gather->t_us);
    free(gather->quality);
    sheet_store_free(&gather->store);
    free(gather);
}

static bool add_column(struct gather *gather, const char *name, enum sheet_type type, size_t source, bool is_second)
{
    struct gathered *column = &gather->columns[gather->n_columns++];
    *column = (struct gathered){.name = name, .type = type, .source = source};
    if (is_second) {
        snprintf(column->text_name, sizeof(column->text_name), "%s.text", name);
        column->name = column->text_name;
    }
    column->m = malloc(BATCH_ROWS * sizeof(*column->m));
    column->e = malloc(BATCH_ROWS * sizeof(*column->e));
    return column->m && column->e;
}

/* The columns of one aggregate, or of raw readings. */
static bool add_columns(struct render *render, const char *name, enum agg agg, size_t source)
{
    enum sheet_type of_numbers = sheet_type((int)agg, KIND_GAUGE), of_texts = sheet_type((int)agg, KIND_STATE);
    if (of_numbers == SHEET_COUNT && render->range->over == OVER_MEAN) /* of counts */
        of_numbers = SHEET_NUMBER;
    bool has_texts = of_texts == SHEET_TEXT && render->known.has_texts, has_numbers = !has_texts || render->known.has_numbers;
    struct gather *gather = render->gather;
    return (!has_numbers || add_column(gather, name, of_numbers, source, false)) &&
           (!has_texts || add_column(gather, name, SHEET_TEXT, source, has_numbers));
}

static bool make_gather(struct render *render)
{
    struct gather *gather = render->gather = calloc(1, sizeof(*gather));
    if (!gather)
        return false;
    gather->t_us = malloc(BATCH_ROWS * sizeof(*gather->t_us));
    gather->quality = malloc(BATCH_ROWS);
    bool made = gather->t_us && gather->quality;
    gather->n_keys = render_keys(render->range, &(struct series_info){0}).n;
    for (size_t i = 0; i < gather->n_keys; i++) {
        size_t n = render->known.names[i].n;
        gather->index_bits[i] = n <= INT8_MAX ? 8 : n <= INT16_MAX ? 16 : 32;
    }
    if (render->range->raw)
        return made && add_columns(render, "value", AGG_N, 0) &&
               (!render->range->bounds || add_column(gather, "bound", SHEET_TEXT, SOURCE_BOUND, false)) &&
               (!render->range->available || add_column(gather, "available_at", SHEET_TIME, SOURCE_AVAILABLE, false));
    for (size_t i = 0; i < render->n_columns && made; i++)
        made = add_columns(render, agg_name[render->columns[i]], render->columns[i], i);
    const char *const *counts = render_counts(render->range);
    for (size_t i = 0; counts[i] && made; i++)
        made = add_column(gather, counts[i], SHEET_COUNT, AGG_N + i, false);
    return made;
}

static void put_dictionary(const struct texts *texts, int64_t id, struct buf *out)
{
    size_t size = texts->n ? texts->bytes.n - texts->n : 0; /* without their NULs */
    struct arrow_column column = {.offsets_bytes = 4 * ((int64_t)texts->n + 1), .data_bytes = (int64_t)size};
    arrow_put_dictionary(out, id, (int64_t)texts->n, &column);
    for (size_t i = 0; i < texts->n; i++)
        buf_put_u32(out, (uint32_t)(texts->at[i] - i));
    buf_put_u32(out, (uint32_t)size);
    arrow_pad(out, column.offsets_bytes);
    for (size_t i = 0; i < texts->n; i++)
        buf_puts(out, texts_at(texts, (int64_t)i));
    arrow_pad(out, column.data_bytes);
}

/* Where a quality byte's class stands in the dictionary of qualities, behind "". */
static inline uint8_t quality_index(uint8_t quality)
{
    uint8_t class = quality & QUALITY_CLASS_MASK;
    return (uint8_t)((class < QUALITY_N ? class : QUALITY_N) + 1);
}

static void put_qualities(struct render *render, struct buf *out)
{
    struct texts names = {0};
    int64_t index;
    int rc = 0;
    for (int i = 0; i < QUALITY_N && !rc; i++) /* index 0 of texts is "" */
        rc = texts_intern(&names, quality_name((enum quality)i), strlen(quality_name((enum quality)i)), &index);
    if (!rc)
        rc = texts_intern(&names, "unknown", strlen("unknown"), &index);
    if (rc)
        render->rc = rc;
    put_dictionary(&names, QUALITY_DICTIONARY, out);
    texts_free(&names);
}

static void begin(struct render *render, struct buf *out)
{
    struct keys keys = render_keys(render->range, &(struct series_info){0});
    struct arrow_field fields[FIELDS_MAX] = {time_field(render)};
    size_t n = 1;
    if (!make_gather(render)) {
        render->rc = ERR_NOMEM;
        return;
    }
    const struct gather *gather = render->gather;
    for (size_t i = 0; i < keys.n; i++)
        fields[n++] = (struct arrow_field){.name = keys.names[i], .type = ARROW_UTF8, .index_bits = gather->index_bits[i],
                                           .dictionary = (int64_t)i};
    for (size_t i = 0; i < gather->n_columns; i++)
        fields[n++] = value_field(render, gather->columns[i].name, gather->columns[i].type);
    if (render->range->raw)
        fields[n++] = (struct arrow_field){.name = "quality", .type = ARROW_UTF8, .index_bits = 8,
                                           .dictionary = QUALITY_DICTIONARY};
    arrow_put_schema(out, fields, n);
    for (size_t i = 0; i < keys.n; i++)
        put_dictionary(&render->known.names[i], (int64_t)i, out);
    if (render->range->raw)
        put_qualities(render, out);
}

/* The indexes of one key: the same for each row of a turn. */
static void put_key(const struct gather *gather, size_t key, struct buf *out)
{
    size_t size = (size_t)gather->index_bits[key] / 8, row = 0;
    uint8_t *at = buf_reserve(out, size * gather->n);
    for (size_t i = 0; at && i < gather->n_turns; i++) {
        int32_t index = gather->turns[i].index[key];
        if (size == 1)
            memset(at + row, index, gather->turns[i].end - row);
        for (; size > 1 && row < gather->turns[i].end; row++)
            memcpy(at + size * row, &index, size);
        row = gather->turns[i].end;
    }
    if (at)
        out->n += size * gather->n;
    arrow_pad(out, (int64_t)(size * gather->n));
}

static void put_batch(struct render *render, struct buf *out)
{
    struct gather *gather = render->gather;
    struct arrow_column shapes[FIELDS_MAX] = {{.data_bytes = 8 * (int64_t)gather->n}};
    struct sheet sheet = {gather->n, gather->n_columns, gather->t_us, gather->sheet_columns, &gather->store.texts,
                          gather->store.exacts};
    size_t n = 1;
    if (!gather->n)
        return;
    for (size_t i = 0; i < gather->n_keys; i++)
        shapes[n++] = (struct arrow_column){.data_bytes = gather->index_bits[i] / 8 * (int64_t)gather->n};
    for (size_t i = 0; i < gather->n_columns; i++) {
        gather->sheet_columns[i] = (struct sheet_column){gather->columns[i].m, gather->columns[i].e};
        shapes[n++] = shape(render, &sheet, i, gather->columns[i].type);
    }
    if (render->range->raw)
        shapes[n++] = (struct arrow_column){.data_bytes = (int64_t)gather->n};
    arrow_put_batch(out, (int64_t)gather->n, shapes, n);
    buf_put(out, gather->t_us, 8 * gather->n);
    for (size_t i = 0; i < gather->n_keys; i++)
        put_key(gather, i, out);
    for (size_t i = 0; i < gather->n_columns; i++)
        put_column(render, &sheet, i, gather->columns[i].type, &shapes[1 + gather->n_keys + i], out);
    if (render->range->raw) {
        buf_put(out, gather->quality, gather->n);
        arrow_pad(out, (int64_t)gather->n);
    }
    gather->n = gather->n_turns = 0;
    sheet_store_clear(&gather->store);
}

static void begin_series(struct render *render, struct buf *out)
{
    struct keys keys = render_keys(render->range, render->info);
    int64_t index = 0;
    (void)out;
    render_columns(render);
    for (size_t i = 0; i < keys.n && !render->rc; i++) {
        render->rc = texts_intern(&render->known.names[i], keys.values[i], strlen(keys.values[i]), &index); /* it is there */
        render->gather->index[i] = (int32_t)index;
    }
}

/* Rows were added: they are of the series that has its turn. A full batch goes out. */
static void end_rows(struct render *render, size_t n, struct buf *out)
{
    struct gather *gather = render->gather;
    struct turn *last = gather->n_turns ? &gather->turns[gather->n_turns - 1] : NULL;
    gather->n += n;
    if (!last || memcmp(last->index, gather->index, sizeof(last->index)) != 0) {
        last = &gather->turns[gather->n_turns++];
        memcpy(last->index, gather->index, sizeof(last->index));
    }
    last->end = gather->n;
    if (gather->n == BATCH_ROWS)
        put_batch(render, out);
}

static bool is_for(const struct gathered *column, const struct value *value)
{
    return (column->type == SHEET_TEXT) == (value->type == VALUE_TEXT);
}

/* A value of a raw reading beside its own. */
static struct value value_beside(const struct row *row, size_t source)
{
    if (source == SOURCE_AVAILABLE)
        return (struct value){.type = VALUE_TIME, .t_us = row->available_us};
    if (row->bound == BOUND_NONE)
        return (struct value){.type = VALUE_NULL};
    return (struct value){.type = VALUE_TEXT, .text = row->bound == BOUND_BEFORE ? "before" : "after"};
}

static void put_row(struct render *render, const struct row *row, struct buf *out)
{
    static const struct value nothing = {.type = VALUE_NULL};
    struct gather *gather = render->gather;
    size_t at = gather->n;
    gather->t_us[at] = row->t_us;
    gather->quality[at] = quality_index(row->quality);
    for (size_t i = 0; i < gather->n_columns && !render->rc; i++) {
        struct gathered *column = &gather->columns[i];
        const struct value beside = render->range->raw ? value_beside(row, column->source) : nothing;
        const struct value *value = render->range->raw        ? column->source ? &beside : &row->values[0]
                                    : column->source >= AGG_N ? &row->values[render->n_aggs + column->source - AGG_N]
                                                              : render_column(render, row, column->source);
        render->rc = sheet_store_value(&gather->store, is_for(column, value) ? value : &nothing, &column->m[at], &column->e[at]);
    }
    if (!render->rc)
        end_rows(render, 1, out);
}

/* Numbers as they lie in memory. */
static size_t copy_points(struct gather *gather, const struct points *points, size_t begin, size_t n)
{
    size_t at = gather->n;
    n = n < BATCH_ROWS - at ? n : BATCH_ROWS - at;
    memcpy(gather->t_us + at, points->t_us + begin, n * sizeof(*points->t_us));
    for (size_t i = 0; i < n; i++)
        gather->quality[at + i] = quality_index(points->quality[begin + i]);
    for (size_t i = 0; i < gather->n_columns; i++) {
        struct gathered *column = &gather->columns[i];
        bool is_text = column->type == SHEET_TEXT;
        if (is_text) {
            memset(column->m + at, 0, n * sizeof(*column->m));
            memset(column->e + at, (unsigned char)SHEET_OTHER, n);
        } else {
            memcpy(column->m + at, points->m + begin, n * sizeof(*column->m));
            memcpy(column->e + at, points->e + begin, n);
        }
    }
    return n;
}

static void put_points(struct render *render, const struct stretch *stretch, struct buf *out)
{
    const struct points *points = stretch->points;
    for (size_t i = stretch->begin; i < stretch->end && !render->rc;) {
        if (render->info->kind == KIND_STATE) {
            struct value value = render_point(render, points, i);
            put_row(render, &(struct row){.t_us = points->t_us[i], .quality = points->quality[i], .values = &value}, out);
            i++;
        } else {
            size_t n = copy_points(render->gather, points, i, stretch->end - i);
            end_rows(render, n, out);
            i += n;
        }
    }
}

static void end_series(struct render *render, struct buf *out)
{
    (void)render;
    (void)out;
}

static void end(struct render *render, const char *cursor, struct buf *out)
{
    (void)cursor;
    put_batch(render, out);
    arrow_put_end(out);
}

/* ---- wide: a sheet is a batch, made a column at a time ---- */

static void put_wide_schema(struct render *render, struct arrow_field *fields, struct buf *names, struct buf *out)
{
    size_t at = 0;
    for (size_t i = 0; i < render->n_wide && !names->failed; i++) {
        render_wide_name(render, i, names);
        buf_printf(names, "%c%" PRIu32 "%c", '\0', render->wide[i].info->id, '\0');
    }
    if (names->failed) {
        render->rc = ERR_NOMEM;
        return;
    }
    fields[0] = time_field(render);
    for (size_t i = 0; i < render->n_wide; i++) {
        const char *name = (const char *)names->data + at, *id = name + strlen(name) + 1;
        fields[i + 1] = value_field(render, name, render->wide[i].type);
        fields[i + 1].keys[0] = "series";
        fields[i + 1].values[0] = id;
        fields[i + 1].keys[1] = "unit";
        fields[i + 1].values[1] = shown_unit(render->range, render->wide[i].info, render->wide[i].agg);
        at = (size_t)(id - (const char *)names->data) + strlen(id) + 1;
    }
    arrow_put_schema(out, fields, render->n_wide + 1);
}

static void begin_wide(struct render *render, struct buf *out)
{
    struct buf names = {0};
    struct arrow_field *fields = calloc(render->n_wide + 1, sizeof(*fields));
    if (fields)
        put_wide_schema(render, fields, &names, out);
    else
        render->rc = ERR_NOMEM;
    buf_free(&names);
    free(fields);
}

static void begin_sheet(struct render *render, const struct sheet *sheet, struct buf *out)
{
    buf_clear(&render->shapes);
    struct arrow_column *shapes = (void *)buf_reserve(&render->shapes, (sheet->n_columns + 1) * sizeof(*shapes));
    if (!shapes) {
        render->rc = ERR_NOMEM;
        return;
    }
    shapes[0] = (struct arrow_column){.data_bytes = 8 * (int64_t)sheet->n};
    for (size_t i = 0; i < sheet->n_columns; i++)
        shapes[i + 1] = shape(render, sheet, i, render->wide[i].type);
    arrow_put_batch(out, (int64_t)sheet->n, shapes, sheet->n_columns + 1);
    buf_put(out, sheet->t_us, 8 * sheet->n);
}

/* sheet_at is 0 before the sheet is begun, then 1 + the column that is next. */
static bool put_sheet(struct render *render, const struct sheet *sheet, struct buf *out)
{
    if (!render->sheet_at) {
        begin_sheet(render, sheet, out);
        render->sheet_at = 1;
    }
    const struct arrow_column *shapes = (const void *)render->shapes.data;
    for (; render->sheet_at <= sheet->n_columns && out->n < STREAM_BYTES && !render->rc; render->sheet_at++) {
        size_t i = render->sheet_at - 1;
        put_column(render, sheet, i, render->wide[i].type, &shapes[i + 1], out);
    }
    return render->sheet_at <= sheet->n_columns && !render->rc;
}

static void end_wide(struct render *render, const char *cursor, struct buf *out)
{
    (void)render;
    (void)cursor;
    arrow_put_end(out);
}

const struct renderer render_arrow = {
    .type = ARROW_TYPE,
    .begin = begin,
    .begin_series = begin_series,
    .row = put_row,
    .points = put_points,
    .end_series = end_series,
    .end = end,
    .begin_wide = begin_wide,
    .sheet = put_sheet,
    .end_wide = end_wide,
};
