#include <config.h>

#include "../lib/test.h"

#include <stdio.h>

#include "http/promql.h"

static const struct series_info voltage = {1,   "p2-meter-0142", "SmartMeter", "voltage", "V", KIND_GAUGE, false, 0,
                                           NULL};
static const struct series_info power = {2, "p2-meter-7", "MainMeter", "activePower", "W", KIND_GAUGE, false, 0, NULL};
static const struct series_info odd = {3, "a\"b\\c\xc3\xa4", "Property", "wind speed", "", KIND_GAUGE, false, 0, NULL};
static const struct series_info mode = {4, "p2-hp-1", "HeatPump", "operationalState", "", KIND_STATE, false, 0, NULL};

/* Which of the series a selector means: their ids as digits. */
static void assert_means(const char *text, const char *ids)
{
    const struct series_info *all[] = {&voltage, &power, &odd, &mode};
    struct promql promql;
    struct err_text error = {0};
    char found[8] = "";
    if (promql_parse(text, &promql, &error))
        fail_msg("%s: %s", text, error.text);
    for (size_t i = 0; i < 4; i++)
        if (selector_matches(&promql.selector, all[i]))
            snprintf(found + strlen(found), sizeof(found) - strlen(found), "%u", all[i]->id);
    if (strcmp(found, ids))
        fail_msg("%s means %s, not %s", text, found, ids);
    promql_free(&promql);
}

static void selectors_mean_what_prometheus_means_by_them(void **state)
{
    (void)state;
    assert_means("voltage", "1");
    assert_means(" voltage { } ", "1");
    assert_means("voltage{entity=\"p2-meter-0142\"}", "1");
    assert_means("voltage{entity='p2-meter-7',}", "");
    assert_means("{__name__=~\"voltage|activePower\"}", "12");
    assert_means("{entity=~\"p2-.*\"}", "12");
    assert_means("{entity=~\"0142|.*-0142x\"}", "");
    assert_means("{entity=~\"p2-meter-014\"}", "");
    assert_means("{entity=~\"meter\"}", ""); /* a regular expression fits the whole text */
    assert_means("{entity=~\"p2-meter-(?:7|8)\"}", "2");
    assert_means("{entity=~\"p2-meter-\\\\d+\"}", "12");
    assert_means("{entity=~`p2-meter-\\d{4}`}", "1");
    assert_means("{entity=~\"p2-meter-\\\\d+?\",type!~\"Main.*\"}", "1");
    assert_means("{type!=\"\",unit!=\"W\"}", "13");
    assert_means("{type=~\".+\",unit=\"\"}", "3");
    assert_means("{\"wind speed\"}", "3");
    assert_means("{entity=\"a\\\"b\\\\c\\u00e4\"}", "3");
    assert_means("{entity=\"a\\x22b\\x5cc\xc3\xa4\"}", "3");
    assert_means("{entity=~\"a.b[\\\\\\\\]?.c..\"}", "3");
    assert_means("voltage{nobody=\"\"}", "1");
    assert_means("voltage{nobody=\"x\"}", "");
    assert_means("voltage{nobody!=\"x\"}", "1");
    assert_means("voltage{__name__=\"activePower\"}", "");
    assert_means("operationalState", ""); /* states have no numbers */
    assert_means("{entity=~\"[p][0-9][^a].+[[:alpha:]]-[07].*\"}", "12");
}

static void functions_have_a_window(void **state)
{
    static const struct {
        const char *text;
        enum sliding_fn fn;
        int64_t window_s;
        bool keeps_name;
    } cases[] = {
        {"avg_over_time(voltage[15m])", SLIDING_AVG, 900, false},
        {"min_over_time(voltage{entity=\"a\"}[1h30m])", SLIDING_MIN, 5400, false},
        {" max_over_time ( voltage [ 90s ] ) ", SLIDING_MAX, 90, false},
        {"sum_over_time({entity=\"x\"}[1d])", SLIDING_SUM, 86400, false},
        {"last_over_time(voltage[1w])", SLIDING_LAST, 604800, true},
        {"count_over_time(voltage[1y2d])", SLIDING_COUNT, 367 * 86400, false},
        {"voltage", SLIDING_LAST, 0, true},
        {"avg_over_time", SLIDING_LAST, 0, true}, /* a metric may be called so */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct promql promql;
        assert_int_equal(promql_parse(cases[i].text, &promql, NULL), 0);
        assert_int_equal(promql.fn, cases[i].fn);
        assert_int_equal(promql.window_us, cases[i].window_s * 1000000);
        assert_int_equal(promql.keeps_name, cases[i].keeps_name);
        assert_false(promql.is_scalar);
        promql_free(&promql);
    }
}

static void numbers_are_added_up_exactly(void **state)
{
    static const struct {
        const char *text, *sum;
    } cases[] = {{"1+1", "2"},    {" 1 + 1 ", "2"}, {"0.1+0.2", "0.3"}, {"-1.5", "-1.5"},
                 {"2 - -3", "5"}, {"1e3-1", "999"}, {"0", "0"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct promql promql;
        char text[EXACT_TEXT_MAX + 1];
        assert_int_equal(promql_parse(cases[i].text, &promql, NULL), 0);
        assert_true(promql.is_scalar);
        text[exact_print(text, &promql.scalar)] = '\0';
        assert_string_equal(text, cases[i].sum);
        promql_free(&promql);
    }
}

static void anything_else_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        " ",
        "{}",
        "{",
        "voltage{",
        "voltage}",
        "voltage{entity}",
        "voltage{entity=}",
        "voltage{entity=x}",
        "voltage{entity=\"x}",
        "voltage{entity==\"x\"}",
        "voltage{entity!\"x\"}",
        "voltage{entity=\"x\" type=\"y\"}",
        "voltage{,}",
        "voltage{entity=\"\\q\"}",
        "{entity=\"\"}",
        "{entity=~\".*\"}",
        "{entity!=\"x\"}",
        "voltage[5m]",
        "voltage offset 5m",
        "voltage @ 1",
        "voltage + 1",
        "rate(voltage[5m])",
        "avg(voltage)",
        "avg_over_time(voltage)",
        "avg_over_time(voltage[])",
        "avg_over_time(voltage[5])",
        "avg_over_time(voltage[0s])",
        "avg_over_time(voltage[5m:1m])",
        "avg_over_time(voltage[5m]) by (entity)",
        "avg_over_time(voltage[5m]",
        "avg_over_time(voltage[5m5h])",
        "avg_over_time(voltage[5m5m])",
        "avg_over_time(voltage[9999999999y])",
        "(voltage)",
        "1+",
        "1 1",
        "1*2",
        "1+-",
        "+",
        "0x10",
        "1e999",
        "voltage{entity=~\"(\"}",
        "voltage{entity=~\"a)\"}",
        "voltage{entity=~\"[\"}",
        "voltage{entity=~\"[a\\\\d]\"}",
        "voltage{entity=~\"(a)\\\\1\"}",
        "voltage{entity=~\"(?i)a\"}",
        "voltage{entity=~\"a{2}{3}\"}",
        "voltage{entity=~\"a**\"}",
        "voltage{entity=~\"(a{100}){100}\"}",
        "voltage{entity=~\"a{1001}\"}",
        "voltage{entity=~\"\\\\bx\"}",
        "voltage{entity=~\"x\\\\\"}",
        "{\"a\",1}",
        "voltage{entity=~\"((((((((((((((((((((((((((((((((((a))))))))))))))))))))))))))))))))))\"}",
        "\xc3\xa4{entity=\"x\"}",
        "#",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct promql promql;
        struct err_text error = {0};
        int rc = promql_parse(cases[i], &promql, &error);
        if (rc != ERR_INVALID || !*error.text)
            fail_msg("%s: %d %s", cases[i], rc, error.text);
        promql_free(&promql);
    }
}

static void the_catalog_is_asked_for_what_is_equal(void **state)
{
    struct promql promql;
    (void)state;
    assert_int_equal(promql_parse("voltage{entity=\"x\",type=~\"y\",unit=\"V\",entity!=\"z\"}", &promql, NULL), 0);
    struct series_filter filter = selector_filter(&promql.selector);
    assert_int_equal(filter.n_properties, 1);
    assert_string_equal(filter.properties[0], "voltage");
    assert_int_equal(filter.n_entities, 1);
    assert_string_equal(filter.entities[0], "x");
    assert_int_equal(filter.n_units, 1);
    assert_int_equal(filter.n_types, 0);
    promql_free(&promql);
    assert_int_equal(promql_parse("{__name__=\"a*\",unit=\"\"}", &promql, NULL),
                     0); /* a star is one there, not a glob */
    filter = selector_filter(&promql.selector);
    assert_int_equal(filter.n_properties + filter.n_units, 0);
    promql_free(&promql);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(selectors_mean_what_prometheus_means_by_them),
        cmocka_unit_test(functions_have_a_window),
        cmocka_unit_test(numbers_are_added_up_exactly),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(the_catalog_is_asked_for_what_is_equal),
    };
    return cmocka_run_group_tests_name("promql", tests, NULL, NULL);
}
