#include <config.h>

#include "http/arrow.h"

#include <assert.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "buffers are sent as they lie in memory");

/* Numbers of Schema.fbs and Message.fbs. */
enum { VERSION_V5 = 4 };
enum { HEADER_SCHEMA = 1, HEADER_DICTIONARY = 2, HEADER_RECORDS = 3 };
enum { TYPE_INT = 2, TYPE_FLOAT = 3, TYPE_UTF8 = 5, TYPE_DECIMAL = 7, TYPE_TIMESTAMP = 10 };
enum { PRECISION_DOUBLE = 2, UNIT_MICROSECOND = 2 };

#define FIELDS_MAX 7
#define OFFSET 4 /* size of an offset to a table, vector or string */

/* ---- flatbuffers, written from front to back: a table, then what it refers to, whose place is then entered ---- */

struct flat {
    struct buf *out;
    size_t base; /* where the flatbuffer begins; alignment counts from there */
};

/* Where a table's fields lie, counted from the start of out. */
struct flat_table {
    size_t field[FIELDS_MAX];
};

static void align(struct flat *flat, size_t size)
{
    while (!flat->out->failed && (flat->out->n - flat->base) % size)
        buf_putc(flat->out, 0);
}

static void set(struct flat *flat, size_t at, uint64_t value, size_t size)
{
    if (!flat->out->failed)
        memcpy(flat->out->data + at, &value, size);
}

/* Lets the offset at `at` refer to what is written next, aligned to size. */
static void refer(struct flat *flat, size_t at, size_t size)
{
    align(flat, size);
    set(flat, at, flat->out->n - at, 4);
}

/* A vtable and, behind it, its table of zeros; sizes says how many bytes each field takes, 0 for one that is left out. */
static struct flat_table put_table(struct flat *flat, size_t refer_at, const uint8_t *sizes, size_t n)
{
    static const uint8_t zeros[64] = {0};
    struct flat_table table = {0};
    size_t end = 4; /* the offset to the vtable comes first */
    align(flat, 8);
    for (size_t i = 0; i < n; i++) {
        end = sizes[i] ? (end + sizes[i] - 1) / sizes[i] * sizes[i] : end;
        table.field[i] = sizes[i] ? end : 0;
        end += sizes[i];
    }
    size_t vtable = flat->out->n, vtable_size = 4 + 2 * n;
    buf_put_u16(flat->out, (uint16_t)vtable_size);
    buf_put_u16(flat->out, (uint16_t)end);
    for (size_t i = 0; i < n; i++)
        buf_put_u16(flat->out, (uint16_t)table.field[i]);
    refer(flat, refer_at, 8);
    size_t at = flat->out->n;
    buf_put(flat->out, zeros, end);
    set(flat, at, at - vtable, 4);
    for (size_t i = 0; i < n; i++)
        table.field[i] += at;
    return table;
}

static void put_string(struct flat *flat, size_t refer_at, const char *text)
{
    size_t size = strlen(text);
    refer(flat, refer_at, 4);
    buf_put_u32(flat->out, (uint32_t)size);
    buf_put(flat->out, text, size + 1);
}

/* A vector of n elements of zeros; returns where the first one is. */
static size_t put_vector(struct flat *flat, size_t refer_at, size_t n, size_t size)
{
    size_t bytes = n * size;
    while (!flat->out->failed && (flat->out->n + 4 - flat->base) % size)
        buf_putc(flat->out, 0);
    refer(flat, refer_at, 4);
    buf_put_u32(flat->out, (uint32_t)n);
    uint8_t *at = buf_reserve(flat->out, bytes);
    if (!at)
        return 0;
    memset(at, 0, bytes);
    flat->out->n += bytes;
    return flat->out->n - bytes;
}

/* ---- messages ---- */

/* Begins a message: its prefix, and the table Message. Returns where the offset to its header is. */
static size_t begin_message(struct flat *flat, struct buf *out, uint8_t header, int64_t body_bytes)
{
    static const uint8_t sizes[] = {2, 1, OFFSET, 8};
    buf_put_u32(out, UINT32_MAX);
    buf_put_u32(out, 0); /* the size, entered at the end */
    *flat = (struct flat){out, out->n};
    buf_put_u32(out, 0);
    struct flat_table message = put_table(flat, flat->base, sizes, 4);
    set(flat, message.field[0], VERSION_V5, 2);
    set(flat, message.field[1], header, 1);
    set(flat, message.field[3], (uint64_t)body_bytes, 8);
    return message.field[2];
}

static void end_message(struct flat *flat)
{
    align(flat, 8);
    set(flat, flat->base - 4, flat->out->n - flat->base, 4);
}

/* ---- the schema ---- */

static void put_int_type(struct flat *flat, size_t refer_at, int bits)
{
    static const uint8_t sizes[] = {4, 1};
    struct flat_table type = put_table(flat, refer_at, sizes, 2);
    set(flat, type.field[0], (uint64_t)bits, 4);
    set(flat, type.field[1], 1, 1);
}

/* The table of a type; returns its number. */
static uint8_t put_type(struct flat *flat, size_t refer_at, const struct arrow_field *field)
{
    static const uint8_t of_float[] = {2}, of_decimal[] = {4, 4, 4}, of_time[] = {2, OFFSET};
    struct flat_table type;
    switch (field->type) {
    case ARROW_INT64:
        put_int_type(flat, refer_at, 64);
        return TYPE_INT;
    case ARROW_DOUBLE:
        type = put_table(flat, refer_at, of_float, 1);
        set(flat, type.field[0], PRECISION_DOUBLE, 2);
        return TYPE_FLOAT;
    case ARROW_DECIMAL128:
        type = put_table(flat, refer_at, of_decimal, 3);
        set(flat, type.field[0], (uint64_t)field->precision, 4);
        set(flat, type.field[1], (uint64_t)field->scale, 4);
        set(flat, type.field[2], 128, 4);
        return TYPE_DECIMAL;
    case ARROW_TIME_US:
        type = put_table(flat, refer_at, of_time, 2);
        set(flat, type.field[0], UNIT_MICROSECOND, 2);
        put_string(flat, type.field[1], field->zone);
        return TYPE_TIMESTAMP;
    default:
        (void)put_table(flat, refer_at, NULL, 0);
        return TYPE_UTF8;
    }
}

static void put_dictionary_encoding(struct flat *flat, size_t refer_at, const struct arrow_field *field)
{
    static const uint8_t sizes[] = {8, OFFSET};
    struct flat_table encoding = put_table(flat, refer_at, sizes, 2);
    set(flat, encoding.field[0], (uint64_t)field->dictionary, 8);
    put_int_type(flat, encoding.field[1], field->index_bits);
}

static void put_metadata(struct flat *flat, size_t refer_at, const struct arrow_field *field)
{
    static const uint8_t sizes[] = {OFFSET, OFFSET};
    size_t n = 0;
    while (n < sizeof(field->keys) / sizeof(*field->keys) && field->keys[n])
        n++;
    size_t at = put_vector(flat, refer_at, n, OFFSET);
    for (size_t i = 0; i < n; i++) {
        struct flat_table pair = put_table(flat, at + i * OFFSET, sizes, 2);
        put_string(flat, pair.field[0], field->keys[i]);
        put_string(flat, pair.field[1], field->values[i]);
    }
}

static void put_field(struct flat *flat, size_t refer_at, const struct arrow_field *field)
{
    /* name, nullable, the type's number and table, dictionary, children; readers want the children even where there are none */
    const uint8_t sizes[] = {OFFSET, 1, 1, OFFSET, field->index_bits ? OFFSET : 0, OFFSET, field->keys[0] ? OFFSET : 0};
    static_assert(sizeof(sizes) <= FIELDS_MAX, "");
    struct flat_table table = put_table(flat, refer_at, sizes, sizeof(sizes));
    set(flat, table.field[1], 1, 1);
    put_string(flat, table.field[0], field->name);
    set(flat, table.field[2], put_type(flat, table.field[3], field), 1);
    if (field->index_bits)
        put_dictionary_encoding(flat, table.field[4], field);
    (void)put_vector(flat, table.field[5], 0, OFFSET);
    if (field->keys[0])
        put_metadata(flat, table.field[6], field);
}

void arrow_put_schema(struct buf *out, const struct arrow_field *fields, size_t n_fields)
{
    static const uint8_t sizes[] = {2, OFFSET};
    struct flat flat;
    size_t header = begin_message(&flat, out, HEADER_SCHEMA, 0);
    struct flat_table schema = put_table(&flat, header, sizes, 2);
    size_t at = put_vector(&flat, schema.field[1], n_fields, OFFSET);
    for (size_t i = 0; i < n_fields; i++)
        put_field(&flat, at + i * OFFSET, &fields[i]);
    end_message(&flat);
}

/* ---- batches ---- */

static int64_t padded(int64_t size)
{
    return (size + 7) / 8 * 8;
}

static int64_t body_size(const struct arrow_column *columns, size_t n)
{
    int64_t size = 0;
    for (size_t i = 0; i < n; i++)
        size += padded(columns[i].validity_bytes) + padded(columns[i].offsets_bytes) + padded(columns[i].data_bytes);
    return size;
}

static size_t count_buffers(const struct arrow_column *columns, size_t n)
{
    size_t n_buffers = 2 * n;
    for (size_t i = 0; i < n; i++)
        n_buffers += columns[i].offsets_bytes > 0;
    return n_buffers;
}

static void put_pair(struct flat *flat, size_t *at, int64_t first, int64_t second)
{
    set(flat, *at, (uint64_t)first, 8);
    set(flat, *at + 8, (uint64_t)second, 8);
    *at += 16;
}

static void put_buffer(struct flat *flat, size_t *at, int64_t *offset, int64_t size)
{
    put_pair(flat, at, *offset, size);
    *offset += padded(size);
}

/* The table RecordBatch: rows, the nulls of each column, and where its buffers lie in the body. */
static void put_records(struct flat *flat, size_t refer_at, int64_t n_rows, const struct arrow_column *columns, size_t n)
{
    static const uint8_t sizes[] = {8, OFFSET, OFFSET};
    int64_t offset = 0;
    struct flat_table records = put_table(flat, refer_at, sizes, 3);
    set(flat, records.field[0], (uint64_t)n_rows, 8);
    size_t at = put_vector(flat, records.field[1], n, 16);
    for (size_t i = 0; i < n; i++)
        put_pair(flat, &at, n_rows, columns[i].n_nulls);
    at = put_vector(flat, records.field[2], count_buffers(columns, n), 16);
    for (size_t i = 0; i < n; i++) {
        put_buffer(flat, &at, &offset, columns[i].validity_bytes);
        if (columns[i].offsets_bytes)
            put_buffer(flat, &at, &offset, columns[i].offsets_bytes);
        put_buffer(flat, &at, &offset, columns[i].data_bytes);
    }
}

void arrow_put_dictionary(struct buf *out, int64_t id, int64_t n_rows, const struct arrow_column *column)
{
    static const uint8_t sizes[] = {8, OFFSET};
    struct flat flat;
    size_t header = begin_message(&flat, out, HEADER_DICTIONARY, body_size(column, 1));
    struct flat_table dictionary = put_table(&flat, header, sizes, 2);
    set(&flat, dictionary.field[0], (uint64_t)id, 8);
    put_records(&flat, dictionary.field[1], n_rows, column, 1);
    end_message(&flat);
}

void arrow_put_batch(struct buf *out, int64_t n_rows, const struct arrow_column *columns, size_t n_columns)
{
    struct flat flat;
    size_t header = begin_message(&flat, out, HEADER_RECORDS, body_size(columns, n_columns));
    put_records(&flat, header, n_rows, columns, n_columns);
    end_message(&flat);
}

void arrow_put_end(struct buf *out)
{
    buf_put_u32(out, UINT32_MAX);
    buf_put_u32(out, 0);
}

void arrow_pad(struct buf *out, int64_t size)
{
    static const uint8_t zeros[8] = {0};
    buf_put(out, zeros, (size_t)(padded(size) - size));
}
