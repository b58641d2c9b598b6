#include <config.h>

#include "../lib/test.h"

#include "query/wide.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "../lib/fake_reader.h"
#include "../lib/random.h"
#include "common/buf.h"

#define SERIES_MAX 12
#define COLUMNS_EACH 5 /* no range of these tests has more of a series */
#define BEGIN_US INT64_C(1740787200000000) /* 2025-03-01T00:00:00Z */

static uint64_t seed;
static int only_kind; /* of all series; -1: mixed */
static struct fake_series series[SERIES_MAX];

static int64_t below(int64_t n)
{
    return random_below(&seed, n);
}

/* ---- a store ---- */

static void add_reading(struct fake_series *to, int64_t t_us)
{
    struct points *points = &to->points;
    char text[8];
    int64_t m = below(2000) - 1000;
    assert_int_equal(points_reserve(points, 1), 0);
    if (to->info.kind == KIND_STATE) {
        int n = snprintf(text, sizeof(text), "s%" PRId64, m % 7);
        assert_int_equal(texts_intern(&points->texts, text, (size_t)n, &m), 0);
    }
    size_t i = points->n++;
    points->t_us[i] = t_us;
    points->m[i] = m;
    points->e[i] = (int8_t)(to->info.kind == KIND_STATE ? 0 : below(5) - 3);
    points->quality[i] = 0;
    points->period_us[i] = to->info.kind == KIND_INTERVAL ? 900 * US_PER_SECOND : 0;
    points->issued_us[i] = ISSUED_NONE;
    points->known_ms[i] = 0;
}

/* Series with the times of the one before, or with their own, dense or not, or with none. */
static void random_store(void)
{
    static char names[SERIES_MAX][24];
    int64_t times[300];
    size_t n = 0;
    only_kind = below(2) ? -1 : below(2) ? KIND_GAUGE : KIND_COUNTER;
    for (size_t i = 0; i < fake_reader.n_series; i++)
        points_free(&series[i].points);
    fake_reader = (struct fake_reader){.series = series, .n_series = (size_t)below(SERIES_MAX) + 1, .raw_percent = 100,
                                       .rows_max = (size_t)below(50) + 1};
    for (size_t i = 0; i < fake_reader.n_series; i++) {
        enum kind kinds[] = {KIND_GAUGE, KIND_GAUGE, KIND_INTERVAL, KIND_STATE};
        for (size_t k = 0; k < 4 && only_kind >= 0; k++)
            kinds[k] = (enum kind)only_kind;
        snprintf(names[i], sizeof(names[i]), "e%zu", i);
        series[i] = (struct fake_series){.info = {.id = (uint32_t)i + 1, .entity = names[i], .type = "T", .property = "p",
                                                  .unit = "W", .kind = kinds[below(4)]}};
        if (!i || below(2)) {
            int64_t t_us = BEGIN_US + below(3 * US_PER_HOUR), step_us = below(2) ? 60 * US_PER_SECOND : 1 + below(US_PER_HOUR);
            n = below(5) ? (size_t)below(300) : 0;
            for (size_t k = 0; k < n; k++)
                times[k] = t_us += below(2) ? step_us : 1 + below(step_us);
        }
        for (size_t k = 0; k < n; k++)
            add_reading(&series[i], times[k]);
    }
}

/* ---- a table as text, from rows of single series and from sheets ---- */

static void put_value(struct buf *out, const struct value *value)
{
    char number[EXACT_TEXT_MAX];
    switch (value->type) {
    case VALUE_NULL:
        buf_putc(out, '-');
        break;
    case VALUE_DECIMAL:
        buf_put(out, number, decimal_print(number, value->decimal));
        break;
    case VALUE_EXACT:
        buf_put(out, number, exact_print(number, value->exact));
        break;
    case VALUE_COUNT:
        buf_printf(out, "%" PRIu64, value->count);
        break;
    case VALUE_TEXT:
        buf_puts(out, value->text);
        break;
    case VALUE_TIME:
        buf_printf(out, "@%" PRId64, value->t_us);
    }
}

static struct value cell(const struct sheet *sheet, enum sheet_type type, size_t column, size_t row)
{
    int64_t m = sheet->columns[column].m[row];
    int8_t e = sheet->columns[column].e[row];
    if (e == SHEET_OTHER)
        return m ? (struct value){.type = VALUE_EXACT, .exact = &sheet->exacts[m - 1]} : (struct value){.type = VALUE_NULL};
    if (type == SHEET_COUNT)
        return (struct value){.type = VALUE_COUNT, .count = (uint64_t)m};
    if (type == SHEET_TEXT)
        return (struct value){.type = VALUE_TEXT, .text = texts_at(sheet->texts, m)};
    if (type == SHEET_TIME)
        return (struct value){.type = VALUE_TIME, .t_us = m};
    return (struct value){.type = VALUE_DECIMAL, .decimal = {m, e}};
}

/* Rows of the table, one text a cell: "TIME COLUMN VALUE\n", cells without a value left out. */
static void put_sheet(struct buf *out, const struct sheet *sheet, const struct wide_column *columns)
{
    for (size_t row = 0; row < sheet->n; row++)
        for (size_t i = 0; i < sheet->n_columns; i++) {
            struct value value = cell(sheet, columns[i].type, i, row);
            if (value.type == VALUE_NULL)
                continue;
            buf_printf(out, "%" PRId64 " %zu ", sheet->t_us[row], i);
            put_value(out, &value);
            buf_putc(out, '\n');
        }
}

static size_t find_aggs(const struct range *range, const struct series_info *info, enum agg aggs[static AGG_N])
{
    return range->raw ? 0 : agg_choose(range, info, aggs);
}

struct line {
    int64_t t_us;
    size_t column, at; /* where its text begins */
};

static int compare_lines(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    return x->t_us != y->t_us ? (x->t_us < y->t_us ? -1 : 1) : x->column < y->column ? -1 : 1;
}

/* The same from one lane a series over the whole range. */
static void put_lanes(struct buf *out, const struct range *range)
{
    static struct line lines[200000];
    size_t n = 0, n_columns = 0;
    struct buf texts = {0};
    for (size_t i = 0; i < fake_reader.n_series; i++) {
        enum agg aggs[AGG_N];
        size_t n_aggs = find_aggs(range, &series[i].info, aggs), n_values = n_aggs ? n_aggs : 1;
        struct lane_options options = {
            .range = range, .info = &series[i].info, .aggs = aggs, .n_aggs = n_aggs,
            .begin_us = range->raw ? range->from_us : grid_start_us(&range->grid, range->from_us), .end_us = range->to_us};
        struct lane *lane;
        struct row row;
        assert_int_equal(lane_open(NULL, &options, &lane), 0);
        while (lane_next(lane, &row) > 0)
            for (size_t k = 0; k < n_values; k++) {
                if (row.values[k].type == VALUE_NULL)
                    continue;
                lines[n++] = (struct line){row.t_us, n_columns + k, texts.n};
                buf_printf(&texts, "%" PRId64 " %zu ", row.t_us, n_columns + k);
                put_value(&texts, &row.values[k]);
                buf_puts(&texts, "\n");
                buf_putc(&texts, '\0');
                assert_true(n < sizeof(lines) / sizeof(*lines));
            }
        lane_close(lane);
        n_columns += n_values;
    }
    qsort(lines, n, sizeof(*lines), compare_lines);
    for (size_t i = 0; i < n; i++)
        buf_puts(out, (const char *)texts.data + lines[i].at);
    buf_free(&texts);
}

static struct range random_range(void)
{
    static const char *const steps[] = {"PT1M", "PT7M", "PT15M", "PT1H", "P1D"};
    struct range range = {.asof_us = INT64_MAX, .raw = below(2), .wide = true};
    struct err_text error;
    range.from_us = BEGIN_US + below(4 * US_PER_HOUR) - US_PER_HOUR;
    range.to_us = range.from_us + below(8 * US_PER_HOUR);
    if (range.raw)
        return range;
    const char *step = steps[below(5)];
    assert_int_equal(civil_parse_duration(step, strlen(step), true, &range.step), 0);
    assert_int_equal(grid_init(&range.grid, &range.step, NULL, &error), 0);
    range.fill = below(2) ? FILL_NULL : FILL_NONE;
    if (below(2))
        range.aggs[range.n_aggs++] = AGG_COUNT;
    if (below(2))
        range.aggs[range.n_aggs++] = AGG_LAST;
    if (only_kind == KIND_GAUGE && below(2)) { /* what looks beyond buckets, and so beyond windows */
        range.aggs[range.n_aggs++] = AGG_TWA;
        range.aggs[range.n_aggs++] = AGG_MAXTIME;
        range.fill = (enum fill)below(4);
    }
    if (only_kind == KIND_COUNTER)
        range.aggs[range.n_aggs++] = AGG_INCREASE;
    range.is_auto = below(2); /* without aggregates gauges have three columns, the others one */
    return range;
}

static struct wide *open_wide(const struct range *range, size_t cells_max)
{
    struct wide_options options = {.range = range, .cells_max = cells_max,
                                   .begin_us = range->raw ? range->from_us : grid_start_us(&range->grid, range->from_us)};
    struct err_text error;
    struct wide *wide;
    assert_int_equal(wide_new(&options, &wide), 0);
    for (size_t i = 0; i < fake_reader.n_series; i++)
        assert_int_equal(wide_add(wide, &series[i].info, &error), 0);
    return wide;
}

static void windows_of_any_size_give_the_rows_of_single_series(void **state)
{
    (void)state;
    for (int i = 0; i < (getenv("ALMANAC_SOAK") ? 20000 : 800); i++) {
        random_store();
        struct range range = random_range();
        size_t n_columns, cells_max = below(4) ? (size_t)(SERIES_MAX * COLUMNS_EACH + below(600)) : 0;
        struct wide *wide = open_wide(&range, cells_max);
        const struct wide_column *columns = wide_columns(wide, &n_columns);
        struct sheet sheet;
        struct buf found = {0}, expected = {0};
        int64_t before_us = INT64_MIN;
        int rc;
        while ((rc = wide_next(wide, (size_t)below(40) + 1, &sheet)) > 0) {
            assert_int_equal(sheet.n_columns, n_columns);
            for (size_t row = 0; row < sheet.n; before_us = sheet.t_us[row++])
                assert_true(sheet.t_us[row] > before_us);
            put_sheet(&found, &sheet, columns);
            assert_true(wide_has_more(wide) >= 0);
        }
        assert_int_equal(rc, 0);
        put_lanes(&expected, &range);
        buf_putc(&found, '\0');
        buf_putc(&expected, '\0');
        assert_string_equal((const char *)found.data, (const char *)expected.data);
        buf_free(&found);
        buf_free(&expected);
        wide_free(wide);
    }
}

static void a_scan_that_fails_fails_the_table(void **state)
{
    (void)state;
    random_store();
    struct range range = {.raw = true, .from_us = BEGIN_US, .to_us = BEGIN_US + US_PER_DAY, .asof_us = INT64_MAX};
    struct wide *wide = open_wide(&range, 0);
    struct sheet sheet;
    fake_reader.fail_scan = ERR_EXPIRED;
    assert_int_equal(wide_next(wide, 1, &sheet), ERR_EXPIRED);
    wide_free(wide);
}

static void more_than_10000_columns_are_refused(void **state)
{
    struct range range = {.raw = true, .asof_us = INT64_MAX};
    struct wide_options options = {.range = &range};
    struct series_info info = {.entity = "e", .type = "T", .property = "p", .unit = "W", .kind = KIND_GAUGE};
    struct err_text error = {0};
    struct wide *wide;
    (void)state;
    assert_int_equal(wide_new(&options, &wide), 0);
    for (info.id = 1; info.id <= LIMIT_COLUMNS; info.id++)
        assert_int_equal(wide_add(wide, &info, &error), 0);
    assert_int_equal(wide_add(wide, &info, &error), ERR_MEANING);
    assert_string_equal(error.field, "layout");
    wide_free(wide);
}

static int check_names(const char *const *names, size_t n, struct err_text *error)
{
    struct range range = {.raw = true, .asof_us = INT64_MAX};
    struct wide_options options = {.range = &range};
    struct wide *wide;
    assert_int_equal(wide_new(&options, &wide), 0);
    for (size_t i = 0; i < n; i++) {
        struct series_info info = {.id = (uint32_t)i + 1, .entity = names[2 * i], .type = "T", .property = names[2 * i + 1],
                                   .unit = "W", .kind = KIND_GAUGE};
        assert_int_equal(wide_add(wide, &info, error), 0);
    }
    int rc = wide_check_names(wide, error);
    wide_free(wide);
    return rc;
}

static void two_columns_of_one_name_are_refused(void **state)
{
    static const char *const apart[] = {"a.b", "c", "a", "b", "a.b.c", "d", "a", "b.d"};
    static const char *const alike[] = {"x", "p", "a.b", "c", "y", "p.q", "a", "b.c", "z", "p"};
    struct err_text error = {0};
    (void)state;
    assert_int_equal(check_names(apart, 4, &error), 0);
    assert_int_equal(check_names(alike, 5, &error), ERR_MEANING);
    assert_string_equal(error.field, "layout");
    assert_non_null(strstr(error.text, "\"a.b.c\""));
}

static int clear(void **state)
{
    (void)state;
    for (size_t i = 0; i < SERIES_MAX; i++)
        points_free(&series[i].points);
    return 0;
}

int main(void)
{
    const char *text = getenv("ALMANAC_SEED");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_of_any_size_give_the_rows_of_single_series),
        cmocka_unit_test(a_scan_that_fails_fails_the_table),
        cmocka_unit_test(more_than_10000_columns_are_refused),
        cmocka_unit_test(two_columns_of_one_name_are_refused),
    };
    seed = text ? strtoull(text, NULL, 10) : (uint64_t)getpid() * 7919;
    printf("# ALMANAC_SEED=%" PRIu64 "\n", seed);
    return cmocka_run_group_tests_name("wide", tests, NULL, clear);
}
