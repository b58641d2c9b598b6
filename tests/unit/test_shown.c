#include <config.h>

#include "../lib/test.h"

#include <string.h>

#include "query/shown.h"

static const struct series_info power = {.unit = "W", .kind = KIND_GAUGE};

static void assert_units(const enum agg *aggs, size_t n, const char *unit_of_last, const char *apart)
{
    struct range range = {.n_aggs = n};
    memcpy(range.aggs, aggs, n * sizeof(*aggs));
    assert_string_equal(shown_unit(&range, &power, aggs[n - 1]), unit_of_last);
    const char *told = shown_integral_apart(&range, &power);
    assert_int_equal(told != NULL, apart != NULL);
    if (apart)
        assert_string_equal(told, apart);
}

static void each_aggregate_has_its_own_unit(void **state)
{
    (void)state;
    assert_units((enum agg[]){AGG_MEAN}, 1, "W", NULL);
    assert_units((enum agg[]){AGG_MEAN, AGG_INTEGRAL}, 2, "Wh", "Wh");
    assert_units((enum agg[]){AGG_INTEGRAL, AGG_TWA}, 2, "W", "Wh");
    assert_units((enum agg[]){AGG_INTEGRAL, AGG_COVERED}, 2, "s", NULL);
    assert_units((enum agg[]){AGG_MEAN, AGG_COUNT}, 2, "", NULL);
    assert_units((enum agg[]){AGG_MAX, AGG_MAXTIME}, 2, "", NULL);
    assert_string_equal(shown_unit(&(struct range){.raw = true}, &power, AGG_COUNT), "W");
}

static void an_integral_is_over_hours(void **state)
{
    static const char *const cases[][2] = {{"W", "Wh"},       {"kW", "kWh"},     {"mA", "mAh"},  {"m3/h", "m3"},
                                           {"W/m2", "Wh/m2"}, {"kW/m2", "kWh/m2"}, {"KWT", "KWT.h"}, {"W/h", "W"}};
    char text[LIMIT_UNIT_BYTES + 2];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        shown_integral_text(cases[i][0], text);
        assert_string_equal(text, cases[i][1]);
    }
}

static void what_is_asked_for_in_another_unit_has_its_integral_in_it(void **state)
{
    struct range range = {.n_aggs = 2, .aggs = {AGG_MEAN, AGG_INTEGRAL}, .unit = "kW", .integral_unit = "kWh"};
    struct series_info shown = {.unit = range.unit, .kind = KIND_GAUGE};
    (void)state;
    assert_string_equal(shown_integral_apart(&range, &shown), "kWh");
    assert_string_equal(shown_integral_apart(&range, &power), "Wh");
    assert_null(shown_integral_unit(&range, "V"));
    assert_null(shown_integral_unit(&range, ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_aggregate_has_its_own_unit),
        cmocka_unit_test(an_integral_is_over_hours),
        cmocka_unit_test(what_is_asked_for_in_another_unit_has_its_integral_in_it),
    };
    return cmocka_run_group_tests_name("shown", tests, NULL, NULL);
}
