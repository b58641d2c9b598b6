#include <config.h>

#include "../lib/test.h"

#include <stdio.h>

#include "../lib/rendered.h"

/* An independent reader of the stream, by the words of the format alone: flatbuffers are walked from their roots with
 * every offset checked against their ends. It knows nothing of how they are written. */

#define T_US INT64_C(1740787200000000) /* 2025-03-01T00:00:00Z */
#define COLUMNS_MAX 16

static const struct fake_series series[] = {
    {{1, "a", "SmartMeter", "activePower", "W", KIND_GAUGE, false, 0, NULL}, {0, 0, 0, {0}}},
    {{2, "b", "Load", "energy", "Wh", KIND_INTERVAL, false, 0, NULL}, {0, 0, 0, {[QUALITY_ESTIMATED] = 1}}},
    {{3, "c", "HeatPump", "operationalState", "", KIND_STATE, false, 0, NULL}, {0, 0, 0, {0}}},
};

struct flat {
    const uint8_t *data;
    size_t size;
};

static uint64_t get(struct flat flat, size_t at, size_t size)
{
    uint64_t value = 0;
    assert_true(at + size <= flat.size && at % size == 0);
    memcpy(&value, flat.data + at, size);
    return value;
}

static size_t follow(struct flat flat, size_t at)
{
    uint64_t offset = get(flat, at, 4);
    assert_true(offset > 0 && at + offset < flat.size);
    return at + offset;
}

/* Where field i of a table is; 0: it is not there. */
static size_t field(struct flat flat, size_t table, size_t i)
{
    size_t vtable = table - (size_t)(int32_t)get(flat, table, 4), size = get(flat, vtable, 2);
    assert_true(vtable + size <= flat.size && size % 2 == 0);
    size_t offset = 4 + 2 * i < size ? get(flat, vtable + 4 + 2 * i, 2) : 0;
    assert_true(offset < get(flat, vtable + 2, 2));
    return offset ? table + offset : 0;
}

static size_t child(struct flat flat, size_t table, size_t i)
{
    return follow(flat, field(flat, table, i));
}

static const char *string(struct flat flat, size_t at)
{
    size_t n = get(flat, at, 4);
    assert_true(at + 4 + n < flat.size && flat.data[at + 4 + n] == 0);
    return (const char *)flat.data + at + 4;
}

/* ---- what a stream holds ---- */

struct table {
    size_t n_columns;
    struct {
        char name[64], type[64];
        int64_t dictionary; /* -1: none */
    } columns[COLUMNS_MAX];
    char texts[8][20][64];  /* dictionaries */
    struct buf rows;        /* "cell|cell|...\n" */
};

static void read_type(struct flat flat, size_t column, char *out, size_t size)
{
    static const char *const names[] = {[2] = "int", [3] = "float", [5] = "utf8", [7] = "decimal", [10] = "timestamp"};
    size_t number = get(flat, field(flat, column, 2), 1), type = child(flat, column, 3);
    assert_true(number < 11 && names[number]);
    int n = snprintf(out, size, "%s", names[number]);
    if (number == 2)
        n += snprintf(out + n, size - (size_t)n, "%d%s", (int)get(flat, field(flat, type, 0), 4),
                      get(flat, field(flat, type, 1), 1) ? "" : "u");
    if (number == 3)
        assert_int_equal(get(flat, field(flat, type, 0), 2), 2);
    if (number == 7)
        n += snprintf(out + n, size - (size_t)n, "%d,%d,%d", (int)get(flat, field(flat, type, 0), 4),
                      (int)get(flat, field(flat, type, 1), 4), (int)get(flat, field(flat, type, 2), 4));
    if (number == 10)
        n += snprintf(out + n, size - (size_t)n, "%d,%s", (int)get(flat, field(flat, type, 0), 2),
                      string(flat, child(flat, type, 1)));
}

static void read_schema(struct flat flat, size_t schema, struct table *table)
{
    size_t fields = child(flat, schema, 1);
    table->n_columns = get(flat, fields, 4);
    assert_true(table->n_columns <= COLUMNS_MAX);
    for (size_t i = 0; i < table->n_columns; i++) {
        size_t column = follow(flat, fields + 4 + 4 * i);
        snprintf(table->columns[i].name, 64, "%s", string(flat, child(flat, column, 0)));
        read_type(flat, column, table->columns[i].type, 64);
        assert_int_equal(get(flat, child(flat, column, 5), 4), 0); /* no children, but said so */
        table->columns[i].dictionary = -1;
        if (!field(flat, column, 4))
            continue;
        size_t encoding = child(flat, column, 4);
        size_t width = get(flat, field(flat, child(flat, encoding, 1), 0), 4);
        table->columns[i].dictionary = (int64_t)get(flat, field(flat, encoding, 0), 8);
        snprintf(table->columns[i].type, 64, "dictionary%zu", width);
    }
}

/* The buffers of a batch, one after the other. */
struct batch_reader {
    struct flat flat;
    const uint8_t *body;
    size_t body_size, n_rows, nodes, buffers, next_node, next_buffer, n_buffers;
};

static struct batch_reader open_batch(struct flat flat, size_t batch, const uint8_t *body, size_t body_size)
{
    struct batch_reader reader = {.flat = flat, .body = body, .body_size = body_size};
    reader.n_rows = get(flat, field(flat, batch, 0), 8);
    reader.nodes = child(flat, batch, 1) + 4;
    reader.buffers = child(flat, batch, 2) + 4;
    reader.n_buffers = get(flat, reader.buffers - 4, 4);
    assert_null(field(flat, batch, 3)); /* not packed */
    return reader;
}

static const uint8_t *next_buffer(struct batch_reader *reader, size_t *ret_size)
{
    size_t at = reader->buffers + 16 * reader->next_buffer++, offset = get(reader->flat, at, 8);
    assert_true(reader->next_buffer <= reader->n_buffers);
    *ret_size = get(reader->flat, at + 8, 8);
    assert_true(offset % 8 == 0 && offset + *ret_size <= reader->body_size);
    return reader->body + offset;
}

struct read_column {
    size_t n_nulls, validity_size, offsets_size, size;
    const uint8_t *validity, *offsets, *data;
};

static struct read_column next_column(struct batch_reader *reader, bool is_text)
{
    struct read_column column = {0};
    size_t node = reader->nodes + 16 * reader->next_node++;
    assert_int_equal(get(reader->flat, node, 8), reader->n_rows);
    column.n_nulls = get(reader->flat, node + 8, 8);
    column.validity = next_buffer(reader, &column.validity_size);
    if (is_text)
        column.offsets = next_buffer(reader, &column.offsets_size);
    column.data = next_buffer(reader, &column.size);
    assert_true(!column.n_nulls || column.validity_size * 8 >= reader->n_rows);
    assert_true(!is_text || column.offsets_size == 4 * (reader->n_rows + 1));
    return column;
}

static void read_text(const struct read_column *column, size_t row, char out[static 64])
{
    int32_t at[2];
    memcpy(at, column->offsets + 4 * row, 8);
    assert_true(at[0] >= 0 && at[0] <= at[1] && (size_t)at[1] <= column->size && at[1] - at[0] < 64);
    snprintf(out, 64, "%.*s", at[1] - at[0], (const char *)column->data + at[0]);
}

static void read_dictionary(struct flat flat, size_t message, const uint8_t *body, size_t body_size, struct table *table)
{
    size_t id = get(flat, field(flat, message, 0), 8);
    struct batch_reader reader = open_batch(flat, child(flat, message, 1), body, body_size);
    struct read_column column = next_column(&reader, true);
    assert_true(id < 8 && reader.n_rows <= 20);
    for (size_t i = 0; i < reader.n_rows; i++)
        read_text(&column, i, table->texts[id][i]);
}

static void put_cell(const struct table *table, size_t i, const struct read_column *column, size_t row, struct buf *out)
{
    const char *type = table->columns[i].type;
    char text[64];
    int64_t whole = 0;
    double real;
    if (column->n_nulls && !(column->validity[row / 8] >> row % 8 & 1)) {
        buf_putc(out, '-');
    } else if (table->columns[i].dictionary >= 0) {
        size_t width = (size_t)atoi(type + strlen("dictionary")) / 8;
        assert_true(width * (row + 1) <= column->size);
        memcpy(&whole, column->data + width * row, width);
        buf_puts(out, table->texts[table->columns[i].dictionary][whole]);
    } else if (!strcmp(type, "utf8")) {
        read_text(column, row, text);
        buf_puts(out, text);
    } else if (!strcmp(type, "float")) {
        assert_true(8 * (row + 1) <= column->size);
        memcpy(&real, column->data + 8 * row, 8);
        buf_printf(out, "%.17g", real);
    } else {
        assert_true(8 * (row + 1) <= column->size);
        memcpy(&whole, column->data + 8 * row, 8);
        buf_printf(out, "%lld", (long long)whole);
    }
}

static void read_batch(struct flat flat, size_t batch, const uint8_t *body, size_t body_size, struct table *table)
{
    struct batch_reader reader = open_batch(flat, batch, body, body_size);
    struct read_column columns[COLUMNS_MAX];
    for (size_t i = 0; i < table->n_columns; i++)
        columns[i] = next_column(&reader, table->columns[i].dictionary < 0 && !strcmp(table->columns[i].type, "utf8"));
    assert_int_equal(reader.next_buffer, reader.n_buffers);
    for (size_t row = 0; row < reader.n_rows; row++) {
        for (size_t i = 0; i < table->n_columns; i++) {
            buf_puts(&table->rows, i ? "|" : "");
            put_cell(table, i, &columns[i], row, &table->rows);
        }
        buf_putc(&table->rows, '\n');
    }
}

static void read_stream(const struct buf *bytes, struct table *table)
{
    size_t at = 0;
    uint32_t head[2];
    for (;;) {
        assert_true(at + 8 <= bytes->n && at % 8 == 0);
        memcpy(head, bytes->data + at, 8);
        at += 8;
        assert_int_equal(head[0], UINT32_MAX);
        if (!head[1])
            break;
        struct flat flat = {bytes->data + at, head[1]};
        assert_true(head[1] % 8 == 0 && at + head[1] <= bytes->n);
        size_t message = follow(flat, 0), header = child(flat, message, 2);
        size_t body_size = get(flat, field(flat, message, 3), 8);
        const uint8_t *body = bytes->data + at + head[1];
        at += head[1] + body_size;
        assert_true(at <= bytes->n && body_size % 8 == 0);
        assert_int_equal(get(flat, field(flat, message, 0), 2), 4); /* V5 */
        switch (get(flat, field(flat, message, 1), 1)) {
        case 1:
            read_schema(flat, header, table);
            break;
        case 2:
            read_dictionary(flat, header, body, body_size, table);
            break;
        default:
            read_batch(flat, header, body, body_size, table);
        }
    }
    assert_int_equal(at, bytes->n);
    buf_putc(&table->rows, '\0');
}

/* ---- cases ---- */

static void assert_arrow(const struct range *range, size_t first, size_t n_series, int64_t n_rows, const char *columns,
                         const char *rows)
{
    struct table *table = calloc(1, sizeof(*table));
    struct buf out = {0}, found = {0};
    render_all(&render_arrow, range, &series[first], n_series, n_rows, US_PER_SECOND, &out);
    read_stream(&out, table);
    for (size_t i = 0; i < table->n_columns; i++)
        buf_printf(&found, "%s %s\n", table->columns[i].name, table->columns[i].type);
    buf_putc(&found, '\0');
    assert_string_equal((const char *)found.data, columns);
    if (rows)
        assert_string_equal((const char *)table->rows.data, rows);
    buf_free(&found);
    buf_free(&out);
    buf_free(&table->rows);
    free(table);
}

static void raw_readings_come_with_names_and_quality_as_dictionaries(void **state)
{
    struct range range = {.raw = true, .from_us = T_US};
    (void)state;
    assert_arrow(&range, 0, 2, 2,
                 "time timestamp2,UTC\nentity dictionary8\nproperty dictionary8\n"
                 "unit dictionary8\nvalue float\nquality dictionary8\n",
                 "1740787200000000|a|activePower|W|-6.7800000000000002|measured\n"
                 "1740787201000000|a|activePower|W|1.0000000069999999|measured\n"
                 "1740787200000000|b|energy|Wh|-6.7800000000000002|measured\n"
                 "1740787201000000|b|energy|Wh|1.0000000069999999|estimated\n");
}

static void states_beside_numbers_have_a_column_of_their_own(void **state)
{
    struct range range = {.raw = true, .from_us = T_US};
    (void)state;
    assert_arrow(&range, 1, 2, 1,
                 "time timestamp2,UTC\nentity dictionary8\nproperty dictionary8\n"
                 "unit dictionary8\nvalue float\nvalue.text utf8\n"
                 "quality dictionary8\n",
                 "1740787200000000|b|energy|Wh|-6.7800000000000002|-|measured\n"
                 "1740787200000000|c|operationalState||-|on|measured\n");
    assert_arrow(&range, 2, 1, 2,
                 "time timestamp2,UTC\nentity dictionary8\nproperty dictionary8\n"
                 "unit dictionary8\nvalue utf8\nquality dictionary8\n",
                 "1740787200000000|c|operationalState||on|measured\n"
                 "1740787201000000|c|operationalState||off, \"soft\"|measured\n");
}

static void aggregates_are_columns_and_what_is_not_there_is_null(void **state)
{
    struct range range = {.from_us = T_US, .n_aggs = 3, .aggs = {AGG_MAX, AGG_MIN, AGG_MEAN}};
    (void)state;
    assert_int_equal(zone_open("Europe/Berlin", &range.zone), 0);
    assert_arrow(&range, 0, 1, 3,
                 "time timestamp2,Europe/Berlin\nentity dictionary8\nproperty dictionary8\nunit dictionary8\n"
                 "max float\nmin float\nmean float\n",
                 "1740787200000000|a|activePower|W|-6.7800000000000002|0|0\n"
                 "1740787201000000|a|activePower|W|1.0000000069999999|1|-\n"
                 "1740787202000000|a|activePower|W|2|-|240.12\n");
}

static void the_unit_of_integrals_beside_others_has_a_column(void **state)
{
    struct range range = {.from_us = T_US, .n_aggs = 2, .aggs = {AGG_MEAN, AGG_INTEGRAL}};
    (void)state;
    assert_arrow(&range, 0, 1, 1,
                 "time timestamp2,UTC\nentity dictionary8\nproperty dictionary8\nunit dictionary8\nintegral_unit dictionary8\n"
                 "mean float\nintegral float\n",
                 "1740787200000000|a|activePower|W|Wh|-6.7800000000000002|0\n");
}

static void the_readings_beside_the_range_are_marked(void **state)
{
    struct range range = {.from_us = T_US, .raw = true, .bounds = true};
    (void)state;
    assert_arrow(&range, 2, 1, 3,
                 "time timestamp2,UTC\nentity dictionary8\nproperty dictionary8\n"
                 "unit dictionary8\nvalue utf8\nbound utf8\nquality dictionary8\n",
                 "1740787200000000|c|operationalState||on|before|measured\n"
                 "1740787201000000|c|operationalState||off, \"soft\"|-|measured\n"
                 "1740787202000000|c|operationalState||ändér\nung|after|measured\n");
}

static void long_answers_come_in_several_batches_and_empty_ones_in_none(void **state)
{
    struct range range = {.raw = true, .from_us = T_US};
    struct table *table = calloc(1, sizeof(*table));
    struct buf out = {0};
    size_t n = 0;
    (void)state;
    render_all(&render_arrow, &range, series, 3, 40000, US_PER_SECOND, &out);
    read_stream(&out, table);
    for (const char *c = (const char *)table->rows.data; *c; c++)
        n += *c == '\n';
    assert_true(n >= 3 * 40000); /* a state has a line of its own in it */
    buf_free(&out);
    buf_free(&table->rows);
    free(table);
    assert_arrow(&range, 0, 1, 0,
                 "time timestamp2,UTC\nentity dictionary8\nproperty dictionary8\n"
                 "unit dictionary8\nvalue float\nquality dictionary8\n", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_readings_come_with_names_and_quality_as_dictionaries),
        cmocka_unit_test(states_beside_numbers_have_a_column_of_their_own),
        cmocka_unit_test(aggregates_are_columns_and_what_is_not_there_is_null),
        cmocka_unit_test(the_unit_of_integrals_beside_others_has_a_column),
        cmocka_unit_test(the_readings_beside_the_range_are_marked),
        cmocka_unit_test(long_answers_come_in_several_batches_and_empty_ones_in_none),
    };
    return cmocka_run_group_tests_name("render_arrow", tests, NULL, NULL);
}
