#include <config.h>

#include "../lib/test.h"

#include <jansson.h>

#include "../lib/rendered.h"

#define T_US INT64_C(1740787200000000) /* 2025-03-01T00:00:00Z */

static const struct fake_series series[] = {
    {{1, "a", "SmartMeter", "activePower", "W", KIND_GAUGE, false, 0, NULL}, {0, 0, 0, {0}}},
    {{2, "b", "Property", "odd", "kg,\"x\"", KIND_GAUGE, false, 0, NULL}, {0, 0, 0, {[QUALITY_ESTIMATED] = 1}}},
    {{3, "c", "HeatPump", "operationalState", "", KIND_STATE, false, 0, NULL}, {0, 0, 0, {0}}},
};

static void assert_ndjson(const struct range *range, size_t n_series, int64_t n_rows, const char *expected)
{
    struct buf out = {0};
    render_all(&render_ndjson, range, series, n_series, n_rows, US_PER_SECOND, &out);
    assert_string_equal((const char *)out.data, expected);
    buf_free(&out);
}

static void a_raw_reading_is_an_object_with_value_and_quality(void **state)
{
    struct range range = {.raw = true, .from_us = T_US};
    (void)state;
    assert_ndjson(&range, 0, 0, "");
    assert_ndjson(&range, 2, 2,
                  "{\"time\":\"2025-03-01T00:00:00Z\",\"entity\":\"a\",\"property\":\"activePower\",\"unit\":\"W\","
                  "\"value\":-6.78,\"quality\":\"measured\"}\n"
                  "{\"time\":\"2025-03-01T00:00:01Z\",\"entity\":\"a\",\"property\":\"activePower\",\"unit\":\"W\","
                  "\"value\":1.000000007,\"quality\":\"measured\"}\n"
                  "{\"time\":\"2025-03-01T00:00:00Z\",\"entity\":\"b\",\"property\":\"odd\",\"unit\":\"kg,\\\"x\\\"\","
                  "\"value\":-6.78,\"quality\":\"measured\"}\n"
                  "{\"time\":\"2025-03-01T00:00:01Z\",\"entity\":\"b\",\"property\":\"odd\",\"unit\":\"kg,\\\"x\\\"\","
                  "\"value\":1.000000007,\"quality\":\"estimated\"}\n");
}

static void a_bucket_has_the_aggregates_in_the_order_asked_for(void **state)
{
    struct range range = {.from_us = T_US, .time = TIME_MS, .n_aggs = 3, .aggs = {AGG_MAX, AGG_COUNT, AGG_MEAN}};
    (void)state;
    assert_ndjson(&range, 1, 2,
                  "{\"time\":1740787200000,\"entity\":\"a\",\"property\":\"activePower\",\"unit\":\"W\","
                  "\"max\":-6.78,\"count\":0,\"mean\":0}\n"
                  "{\"time\":1740787201000,\"entity\":\"a\",\"property\":\"activePower\",\"unit\":\"W\","
                  "\"max\":1.000000007,\"count\":1,\"mean\":null}\n");
}

/* The columns of the whole answer, of which this series has only some. */
static void an_aggregate_of_other_series_is_null(void **state)
{
    struct range range = {.from_us = T_US};
    struct value values[1] = {{.type = VALUE_COUNT, .count = 7}};
    struct row row = {.t_us = T_US, .values = values};
    static const enum agg own[] = {AGG_COUNT};
    struct render render = {.range = &range, .columns = {AGG_MEAN, AGG_COUNT}, .n_columns = 2, .info = &series[0].info,
                            .aggs = own, .n_aggs = 1};
    struct buf out = {0};
    (void)state;
    render_ndjson.begin_series(&render, &out);
    render_ndjson.row(&render, &row, &out);
    buf_putc(&out, '\0');
    assert_string_equal((const char *)out.data,
                        "{\"time\":\"2025-03-01T00:00:00Z\",\"entity\":\"a\",\"property\":\"activePower\",\"unit\":\"W\","
                        "\"mean\":null,\"count\":7}\n");
    render_done(&render);
    buf_free(&out);
}

/* jansson, which knows nothing of our printing, reads every line alone. */
static void every_line_is_json_with_the_values_of_its_source(void **state)
{
    struct range range = {.raw = true, .from_us = T_US};
    struct buf out = {0};
    (void)state;
    render_all(&render_ndjson, &range, series, 3, 25, US_PER_SECOND, &out);
    const char *line = (const char *)out.data;
    for (int64_t i = 0; i < 75; i++) {
        const char *end = strchr(line, '\n');
        struct value value;
        struct exact exact;
        assert_non_null(end);
        json_t *json = json_loadb(line, (size_t)(end - line), JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(json);
        assert_int_equal(json_object_size(json), 6);
        assert_string_equal(json_string_value(json_object_get(json, "entity")), series[i / 25].info.entity);
        assert_string_equal(json_string_value(json_object_get(json, "unit")), series[i / 25].info.unit);
        fake_value(series[i / 25].info.kind, i % 25, 0, &value, &exact);
        const json_t *cell = json_object_get(json, "value");
        if (value.type == VALUE_TEXT)
            assert_string_equal(json_string_value(cell), value.text);
        else if (value.type == VALUE_NULL)
            assert_true(json_is_null(cell));
        else
            assert_true(json_is_number(cell));
        json_decref(json);
        line = end + 1;
    }
    assert_string_equal(line, "");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_raw_reading_is_an_object_with_value_and_quality),
        cmocka_unit_test(a_bucket_has_the_aggregates_in_the_order_asked_for),
        cmocka_unit_test(an_aggregate_of_other_series_is_null),
        cmocka_unit_test(every_line_is_json_with_the_values_of_its_source),
    };
    return cmocka_run_group_tests_name("render_ndjson", tests, NULL, NULL);
}
