#include <config.h>

#include "../lib/test.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include <jansson.h>

#include "../lib/random.h"
#include "../lib/rendered.h"
#include "common/jsontext.h"

#define T_US INT64_C(1740787200000000) /* 2025-03-01T00:00:00Z */

static const struct fake_series series[] = {
    {{1, "a", "SmartMeter", "activePower", "W", KIND_GAUGE, false, 0, NULL}, {0, 0, 0, {0}}},
    {{2, "b", "Load", "energy", "Wh", KIND_INTERVAL, false, 0, NULL}, {0, 0, 0, {[QUALITY_ESTIMATED] = 1}}},
    {{3, "c", "HeatPump", "operationalState", "", KIND_STATE, false, 0, NULL}, {0, 0, 0, {0}}},
};

static void assert_time(const struct range *range, int64_t t_us, const char *expected)
{
    struct render render = {.range = range};
    struct buf out = {0};
    render_time(render.range, &render.minute, t_us, &out);
    buf_putc(&out, '\0');
    assert_string_equal((const char *)out.data, expected);
    buf_free(&out);
    render_done(&render);
}

/* Whatever was printed before: times of the same minute, of others, of any year and zone. */
static void a_time_prints_the_same_whatever_went_before(void **state)
{
    static const char *const names[] = {"UTC", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Monrovia"};
    uint64_t seed = (uint64_t)getpid() * 7919;
    (void)state;
    print_message("# seed %" PRIu64 "\n", seed);
    for (int i = 0; i < 400; i++) {
        struct range range = {.time = (enum time_form)random_below(&seed, 3)};
        struct render render = {.range = &range};
        int64_t t_us = CIVIL_MIN_US + random_below(&seed, CIVIL_END_US - CIVIL_MIN_US);
        if (random_below(&seed, 5))
            assert_int_equal(zone_open(names[random_below(&seed, 4)], &range.zone), 0);
        for (int k = 0; k < 100 && t_us < CIVIL_END_US - US_PER_DAY; k++) {
            struct buf out = {0};
            struct render fresh = {.range = &range};
            int64_t unit = random_below(&seed, 2) ? 1 : random_below(&seed, 2) ? 1000 : US_PER_SECOND;
            t_us = (t_us + random_below(&seed, 40 * US_PER_SECOND)) / unit * unit;
            render_time(render.range, &render.minute, t_us, &out);
            size_t n = out.n;
            if (range.time == TIME_MS)
                render_time(fresh.range, &fresh.minute, t_us, &out);
            else
                out.n += civil_print_rfc3339((char *)buf_reserve(&out, CIVIL_TEXT_MAX), t_us,
                                             range.zone ? zone_offset_s(range.zone, t_us) : 0, !range.zone && !range.time);
            if (range.time == TIME_LOCAL)
                out.n -= strlen("+00:00");
            assert_int_equal(out.n, 2 * n);
            assert_memory_equal(out.data, out.data + n, n);
            buf_free(&out);
        }
    }
}

static void times_print_as_the_range_wants_them(void **state)
{
    const struct zone *berlin;
    struct range range = {.time = TIME_ISO};
    (void)state;
    assert_int_equal(zone_open("Europe/Berlin", &berlin), 0);
    assert_time(&range, T_US, "2025-03-01T00:00:00Z");
    assert_time(&range, T_US + 1500, "2025-03-01T00:00:00.001500Z");
    range.zone = berlin;
    assert_time(&range, T_US, "2025-03-01T01:00:00+01:00");
    assert_time(&range, T_US + 183 * US_PER_DAY, "2025-08-31T02:00:00+02:00");
    range.time = TIME_LOCAL;
    assert_time(&range, T_US + 500000, "2025-03-01T01:00:00.500");
    range.zone = NULL;
    assert_time(&range, T_US, "2025-03-01T00:00:00");
    range.time = TIME_MS;
    assert_time(&range, T_US, "1740787200000");
    assert_time(&range, T_US + 1, "1740787200000.001");
    assert_time(&range, T_US + 120, "1740787200000.12");
    assert_time(&range, 0, "0");
    assert_time(&range, -1, "-0.001");
    assert_time(&range, -1000, "-1");
    assert_time(&range, -1500, "-1.5");
}

static void numbers_keep_all_their_digits(void **state)
{
    static const struct {
        struct value value;
        const char *text;
    } cases[] = {
        {{.type = VALUE_DECIMAL, .decimal = {999999999999999999, -24}}, "0.000000999999999999999999"},
        {{.type = VALUE_DECIMAL, .decimal = {-999999999999999999, 15}}, "-999999999999999999000000000000000"},
        {{.type = VALUE_DECIMAL, .decimal = {0, 0}}, "0"},
        {{.type = VALUE_COUNT, .count = UINT64_MAX}, "18446744073709551615"},
    };
    struct exact sum = {0};
    struct buf out = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        buf_clear(&out);
        render_number(&cases[i].value, &out);
        buf_putc(&out, '\0');
        assert_string_equal((const char *)out.data, cases[i].text);
    }
    exact_add(&sum, (struct decimal){1, 15});
    exact_add(&sum, (struct decimal){1, -24});
    buf_clear(&out);
    render_number(&(struct value){.type = VALUE_EXACT, .exact = &sum}, &out);
    buf_putc(&out, '\0');
    assert_string_equal((const char *)out.data, "1000000000000000.000000000000000000000001");
    buf_free(&out);
}

static void times_as_values_print_like_those_of_rows(void **state)
{
    static const struct {
        enum time_form form;
        const char *text;
    } cases[] = {{TIME_ISO, "\"2025-03-01T00:00:00.500Z\""},
                 {TIME_MS, "1740787200500"},
                 {TIME_LOCAL, "\"2025-03-01T00:00:00.500\""}};
    struct buf out = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct range range = {.time = cases[i].form};
        struct render render = {.range = &range};
        buf_clear(&out);
        render_json_value(&render, &(struct value){.type = VALUE_TIME, .t_us = INT64_C(1740787200500000)}, &out);
        buf_putc(&out, '\0');
        assert_string_equal((const char *)out.data, cases[i].text);
    }
    buf_free(&out);
}

/* jansson, which knows nothing of our printing, reads back each row as the source made it. */
static void assert_json_row(const struct range *range, const struct fake_series *of, int64_t i, const json_t *row)
{
    size_t n = range->raw ? 1 : range->n_aggs;
    for (size_t c = 0; c < n; c++) {
        struct value value;
        struct exact exact;
        const json_t *cell = json_array_get(row, c + 1);
        fake_value(of->info.kind, i, c, &value, &exact);
        if (value.type == VALUE_NULL)
            assert_true(json_is_null(cell));
        else if (value.type == VALUE_TEXT)
            assert_string_equal(json_string_value(cell), value.text);
        else if (value.type == VALUE_COUNT)
            assert_int_equal(json_integer_value(cell), value.count);
        else if (value.type == VALUE_DECIMAL) /* the same hundredths, whatever the double */
            assert_true(json_number_value(cell) * 100 - (double)value.decimal.m < 1e-4 &&
                        json_number_value(cell) * 100 - (double)value.decimal.m > -1e-4);
        else
            assert_true(json_is_number(cell));
    }
    bool with_quality = range->raw && of->stats.n_quality[QUALITY_ESTIMATED];
    assert_int_equal(json_array_size(row), 1 + n + with_quality);
    if (with_quality)
        assert_string_equal(json_string_value(json_array_get(row, n + 1)), i % 2 ? "estimated" : "measured");
}

static void assert_json(const struct range *range, int64_t n_rows)
{
    struct buf out = {0};
    size_t s;
    json_t *one;
    render_all(&render_json, range, series, 3, n_rows, US_PER_SECOND, &out);
    json_error_t at;
    json_t *json = json_loadb((const char *)out.data, out.n, JSON_REJECT_DUPLICATES, &at);
    if (!json)
        fail_msg("line %d: %s", at.line, at.text);
    assert_true(json_is_null(json_object_get(json, "next")));
    assert_int_equal(json_array_size(json_object_get(json, "series")), 3);
    json_array_foreach(json_object_get(json, "series"), s, one) {
        const json_t *rows = json_object_get(one, "rows"), *columns = json_object_get(one, "columns");
        assert_int_equal(json_integer_value(json_object_get(one, "id")), series[s].info.id);
        assert_string_equal(json_string_value(json_object_get(one, "kind")), kind_name(series[s].info.kind));
        assert_string_equal(json_string_value(json_array_get(columns, 0)), "time");
        assert_int_equal(json_array_size(rows), n_rows);
        for (int64_t i = 0; i < n_rows; i++) {
            const json_t *row = json_array_get(rows, (size_t)i);
            assert_int_equal(json_array_size(row), json_array_size(columns));
            assert_json_row(range, &series[s], i, row);
        }
    }
    json_decref(json);
    buf_free(&out);
}

static void every_answer_is_json_with_the_values_of_its_source(void **state)
{
    struct range range = {.raw = true, .from_us = T_US};
    (void)state;
    for (int64_t n_rows = 0; n_rows < 40; n_rows += 13) {
        range.raw = true;
        range.n_aggs = 0;
        assert_json(&range, n_rows);
        range.raw = false;
        for (size_t n = 1; n <= AGG_N; n++) {
            for (size_t i = 0; i < n; i++)
                range.aggs[i] = (enum agg)(AGG_N - 1 - i);
            range.n_aggs = n;
            assert_json(&range, n_rows);
        }
    }
}

static void an_answer_without_series_is_an_empty_list(void **state)
{
    struct range range = {.raw = true};
    struct buf out = {0};
    (void)state;
    render_all(&render_json, &range, series, 0, 0, 1, &out);
    assert_string_equal((const char *)out.data, "{\"series\":[],\"next\":null}\n");
    buf_free(&out);
}

/* A generator with a printed seed: xorshift. */
static uint64_t seed;
static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* Any bytes give a JSON string; where they are UTF-8 (jansson decides) it reads back as they were. */
static void any_bytes_become_a_json_string(void **state)
{
    const char *more = getenv("ALMANAC_SOAK");
    int n_rounds = more ? 2000000 : 20000, n_valid = 0;
    (void)state;
    seed = 0x9e3779b97f4a7c15;
    print_message("seed %llx\n", (unsigned long long)seed);
    for (int round = 0; round < n_rounds; round++) {
        char text[13] = "";
        struct buf out = {0};
        size_t n = next_random() % 12;
        for (size_t i = 0; i < n; i++) { /* many lead and trail bytes of UTF-8 */
            uint64_t r = next_random();
            text[i] = (char)(r % 4 ? r >> 8 & 0x7f : 0x80 | (r >> 8));
            if (r % 16 == 0 && i + 4 < n) {
                static const char *const parts[] = {"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\xa0\x80"};
                i += (size_t)snprintf(text + i, sizeof(text) - i, "%s", parts[r >> 20 & 3]) - 1;
            }
            text[i] = text[i] ? text[i] : '\x01';
        }
        jsontext_put(&out, text);
        json_t *json = json_loadb((const char *)out.data, out.n, JSON_DECODE_ANY, NULL);
        if (!json)
            fail_msg("round %d: %.*s", round, (int)out.n, (const char *)out.data);
        json_t *same = json_string(text); /* NULL when it is no UTF-8 */
        if (same)
            assert_string_equal(json_string_value(json), text);
        else
            assert_non_null(strstr(json_string_value(json), "\xef\xbf\xbd"));
        n_valid += same != NULL;
        json_decref(same);
        json_decref(json);
        buf_free(&out);
    }
    assert_in_range(n_valid, n_rounds / 20, n_rounds - n_rounds / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_print_as_the_range_wants_them),
        cmocka_unit_test(a_time_prints_the_same_whatever_went_before),
        cmocka_unit_test(numbers_keep_all_their_digits),
        cmocka_unit_test(times_as_values_print_like_those_of_rows),
        cmocka_unit_test(every_answer_is_json_with_the_values_of_its_source),
        cmocka_unit_test(an_answer_without_series_is_an_empty_list),
        cmocka_unit_test(any_bytes_become_a_json_string),
    };
    return cmocka_run_group_tests_name("render_json", tests, NULL, NULL);
}
