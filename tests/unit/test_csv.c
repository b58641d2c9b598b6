#include <config.h>

#include "common/csv.h"

#include "app/table.h"
#include "common/buf.h"

#include "../lib/test.h"

/* Fields end in |, rows in /. */
static int note(void *arg, const char *const *fields, size_t n_fields)
{
    for (size_t i = 0; i < n_fields; i++)
        buf_printf(arg, "%s|", fields[i]);
    buf_putc(arg, '/');
    return 0;
}

/* Reads text in pieces of every size, and compares what came out. */
static void reads_as(const char *text, const char *want)
{
    for (size_t piece = 1; piece <= strlen(text) + 1; piece++) {
        struct buf seen = {0};
        struct csv csv = {.row = note, .arg = &seen};
        for (size_t at = 0; at < strlen(text); at += piece) {
            size_t left = strlen(text) - at;
            assert_int_equal(csv_feed(&csv, text + at, left < piece ? left : piece), 0);
        }
        assert_int_equal(csv_end(&csv), 0);
        buf_putc(&seen, '\0');
        assert_string_equal((const char *)seen.data, want);
        buf_free(&seen);
    }
}

static void rows_come_out_whatever_the_pieces(void **state)
{
    (void)state;
    reads_as("a,b\nc,d\n", "a|b|/c|d|/");
    reads_as("a,b\r\n\r\nc,", "a|b|/c||/");
    reads_as(",,\n", "|||/");
    reads_as("\"a,\"\"b\"\"\nc\",d\n", "a,\"b\"\nc|d|/");
    reads_as("\"\",x\"y\n", "|x\"y|/");
    reads_as("", "");
}

static struct buf seen_faults;

static void too_many_fields_are_refused(void **state)
{
    (void)state;
    struct buf seen = {0};
    struct csv csv = {.row = note, .arg = &seen};
    char text[CSV_FIELDS_MAX + 2];
    memset(text, ',', sizeof text);
    assert_int_equal(csv_feed(&csv, text, sizeof text), ERR_LIMIT);
    csv_done(&csv);
    buf_free(&seen);
}

/* Rows with their line and fault. */
static int note_fault(void *arg, const char *const *fields, size_t n_fields)
{
    struct csv *csv = arg;
    buf_printf(&seen_faults, "%d:%d:%zu:%zu ", (int)csv->line, (int)csv->fault, n_fields,
               csv->fault ? 0 : csv_field_size(csv, 0));
    (void)fields;
    return 0;
}

static void tolerant(const char *text, size_t size, char separator, const char *want)
{
    for (size_t piece = 1; piece <= size + 1; piece = piece * 3 + 1) {
        struct csv csv = {.row = note_fault, .arg = &csv, .tolerant = true, .separator = separator};
        buf_clear(&seen_faults);
        for (size_t at = 0; at < size; at += piece)
            assert_int_equal(csv_feed(&csv, text + at, size - at < piece ? size - at : piece), 0);
        assert_int_equal(csv_end(&csv), 0);
        buf_putc(&seen_faults, '\0');
        assert_string_equal((const char *)seen_faults.data, want);
    }
    buf_free(&seen_faults);
}

static void faulty_row_is_told_and_the_next_one_is_good(void **state)
{
    (void)state;
    static char text[4 * CSV_ROW_BYTES_MAX];
    tolerant("ab;c\n\nd\n", 8, ';', "1:0:2:2 3:0:1:1 ");
    tolerant("a,\"b\nc\",d\ne\nf,\"g", 17, 0, "1:0:3:1 3:0:1:1 4:3:2:0 ");
    memset(text, ';', sizeof text);
    text[CSV_FIELDS_MAX + 1] = '\n';
    text[CSV_FIELDS_MAX + 2] = 'x';
    tolerant(text, CSV_FIELDS_MAX + 3, ';', "1:1:4096:0 2:0:1:1 ");
    memset(text, 'x', sizeof text);
    text[0] = '"';
    text[10] = '\n';
    text[CSV_ROW_BYTES_MAX + 100] = '"'; /* after a row too long quotes count no more */
    text[CSV_ROW_BYTES_MAX + 200] = '\n';
    tolerant(text, CSV_ROW_BYTES_MAX + 203, ';', "1:2:1:0 3:0:1:2 ");
}

static int to_table(void *arg, const char *const *fields, size_t n_fields)
{
    return table_row(arg, fields, n_fields);
}

static void table_puts_numbers_to_the_right_and_texts_to_the_left(void **state)
{
    (void)state;
    char *out = NULL;
    size_t size;
    FILE *file = open_memstream(&out, &size);
    struct table *table = table_new(file);
    struct csv csv = {.row = to_table, .arg = table};
    static const char text[] = "time,unit,mean\n1,W,5\n20,kWh,\n300,\xC2\xB0"
                               "C,-12.5\n";
    assert_int_equal(csv_feed(&csv, text, strlen(text)), 0);
    assert_int_equal(csv_end(&csv), 0);
    table_end(table);
    table_free(table);
    fclose(file);
    assert_string_equal(out,
                        "time  unit   mean\n   1  W         5\n  20  kWh        \n 300  \xC2\xB0"
                        "C    -12.5\n");
    free(out);
}

/* Rows beyond those that the widths were made from stream through. */
static void long_table_has_every_row_once(void **state)
{
    (void)state;
    char *out = NULL, want[32];
    size_t size, n_lines = 0;
    FILE *file = open_memstream(&out, &size);
    struct table *table = table_new(file);
    for (int i = 0; i < 1000; i++) {
        snprintf(want, sizeof want, "%d", 10000 + i);
        const char *const fields[] = {want, "x"};
        assert_int_equal(table_row(table, fields, 2), 0);
    }
    table_end(table);
    table_free(table);
    fclose(file);
    for (const char *line = out; *line; line = strchr(line, '\n') + 1) {
        snprintf(want, sizeof want, "%zu  x\n", 10000 + n_lines++);
        assert_memory_equal(line, want, strlen(want));
    }
    assert_int_equal(n_lines, 1000);
    free(out);
}

static void plot_draws_each_series_with_its_extremes(void **state)
{
    (void)state;
    char *out = NULL;
    size_t size;
    FILE *file = open_memstream(&out, &size);
    struct plot *plot = plot_new(file);
    const char *const rows[][5] = {{"time", "entity", "property", "unit", "mean"},
                                   {"t0", "a", "p", "W", "-3"},
                                   {"t1", "a", "p", "W", ""},
                                   {"t2", "a", "p", "W", "40.5"},
                                   {"t0", "b", "q", "", "7"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(plot_row(plot, rows[i], 5), 0);
    plot_end(plot);
    plot_free(plot);
    fclose(file);
    assert_non_null(strstr(out, "a p [W]\n        40.5 |"));
    assert_non_null(strstr(out, "          -3 |"));
    assert_non_null(strstr(out, "b q\n"));
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_out_whatever_the_pieces),
        cmocka_unit_test(too_many_fields_are_refused),
        cmocka_unit_test(faulty_row_is_told_and_the_next_one_is_good),
        cmocka_unit_test(table_puts_numbers_to_the_right_and_texts_to_the_left),
        cmocka_unit_test(long_table_has_every_row_once),
        cmocka_unit_test(plot_draws_each_series_with_its_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
