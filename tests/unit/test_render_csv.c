#include <config.h>

#include "../lib/test.h"

#include "../lib/rendered.h"

#define T_US INT64_C(1740787200000000) /* 2025-03-01T00:00:00Z */

static const struct fake_series series[] = {
    {{1, "a", "SmartMeter", "activePower", "W", KIND_GAUGE, false, 0, NULL}, {0, 0, 0, {0}}},
    {{2, "b", "Property", "odd", "kg,\"x\"", KIND_GAUGE, false, 0, NULL}, {0, 0, 0, {[QUALITY_ESTIMATED] = 1}}},
    {{3, "c", "HeatPump", "operationalState", "", KIND_STATE, false, 0, NULL}, {0, 0, 0, {0}}},
};

static void assert_csv(const struct range *range, size_t n_series, int64_t n_rows, const char *expected)
{
    struct buf out = {0};
    render_all(&render_csv, range, series, n_series, n_rows, US_PER_SECOND, &out);
    assert_string_equal((const char *)out.data, expected);
    buf_free(&out);
}

static void raw_readings_have_value_and_quality(void **state)
{
    struct range range = {.raw = true, .from_us = T_US};
    (void)state;
    assert_csv(&range, 0, 0, "time,entity,property,unit,value,quality\r\n");
    assert_csv(&range, 2, 2,
               "time,entity,property,unit,value,quality\r\n"
               "2025-03-01T00:00:00Z,a,activePower,W,-6.78,measured\r\n"
               "2025-03-01T00:00:01Z,a,activePower,W,1.000000007,measured\r\n"
               "2025-03-01T00:00:00Z,b,odd,\"kg,\"\"x\"\"\",-6.78,measured\r\n"
               "2025-03-01T00:00:01Z,b,odd,\"kg,\"\"x\"\"\",1.000000007,estimated\r\n");
}

static void aggregates_stand_in_the_order_asked_for(void **state)
{
    struct range range = {.from_us = T_US, .time = TIME_MS, .n_aggs = 3, .aggs = {AGG_MAX, AGG_COUNT, AGG_MEAN}};
    (void)state;
    assert_csv(&range, 1, 2,
               "time,entity,property,unit,max,count,mean\r\n"
               "1740787200000,a,activePower,W,-6.78,0,0\r\n"
               "1740787201000,a,activePower,W,1.000000007,1,\r\n");
}

/* A reader of RFC 4180 that knows nothing of the renderer: the next field into out; the byte that ended it. */
static char read_field(const char **at, char *out)
{
    const char *c = *at;
    if (*c == '"') {
        for (c++; *c != '"' || c[1] == '"'; c++) {
            assert_int_not_equal(*c, '\0');
            c += *c == '"';
            *out++ = *c;
        }
        c++;
    } else {
        while (*c && !strchr(",\r\n\"", *c))
            *out++ = *c++;
    }
    *out = '\0';
    assert_true(*c == ',' || (*c == '\r' && c[1] == '\n'));
    *at = c + (*c == ',' ? 1 : 2);
    return *c;
}

static void a_reader_of_rfc_4180_gets_every_state_back(void **state)
{
    struct range range = {.raw = true, .from_us = T_US};
    struct buf out = {0};
    char field[256];
    (void)state;
    render_all(&render_csv, &range, &series[2], 1, 9, US_PER_SECOND, &out);
    const char *at = (const char *)out.data;
    while (read_field(&at, field) != '\r')
        ;
    for (int64_t i = 0; i < 9; i++) {
        struct value value;
        struct exact exact;
        fake_value(KIND_STATE, i, 0, &value, &exact);
        for (int column = 0; column < 6; column++) {
            assert_int_equal(read_field(&at, field), column == 5 ? '\r' : ',');
            if (column == 4)
                assert_string_equal(field, value.text);
        }
    }
    assert_int_equal(*at, '\0');
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_readings_have_value_and_quality),
        cmocka_unit_test(aggregates_stand_in_the_order_asked_for),
        cmocka_unit_test(a_reader_of_rfc_4180_gets_every_state_back),
    };
    return cmocka_run_group_tests_name("render_csv", tests, NULL, NULL);
}
