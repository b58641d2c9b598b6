#include <config.h>

#include "model/unit.h"

#include <stdio.h>

#include "../lib/test.h"

static const struct {
    struct unit unit;
    bool prefixes;
} known[] = {
    {{"Wh", "energy", 3600, 1, 0, {0, 0}}, true},
    {{"J", "energy", 1, 1, 0, {0, 0}}, true},
    {{"W", "power", 1, 1, 0, {0, 0}}, true},
    {{"K", "temperature", 1, 1, 0, {0, 0}}, true},
    {{"degC", "temperature", 1, 1, 0, {27315, -2}}, true},
    {{"degF", "temperature", 5, 9, 0, {45967, -2}}, false},
    {{"m3/h", "flow", 1, 3600, 0, {0, 0}}, false},
    {{"ppm", "", 1, 1, 0, {0, 0}}, false},
};

static int set_up(void **state)
{
    struct unit_table *table = unit_table_new();
    assert_non_null(table);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_int_equal(unit_table_add(table, &known[i].unit, known[i].prefixes), 0);
    *state = table;
    return 0;
}

static int tear_down(void **state)
{
    unit_table_free(*state);
    return 0;
}

static const struct unit *find(const struct unit_table *table, const char *text)
{
    /* On the heap and without NUL, so that a look behind the end is seen. */
    size_t size = strlen(text);
    char *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, text, size);
    const struct unit *unit = unit_find(table, copy, size);
    free(copy);
    return unit;
}

static void assert_converts(const struct unit_table *table, const char *value, const char *from, const char *to,
                            const char *result, bool rounded)
{
    struct decimal x, expected, converted;
    bool was_rounded;
    assert_int_equal(decimal_parse(value, strlen(value), &x, &was_rounded), 0);
    assert_int_equal(decimal_parse(result, strlen(result), &expected, &was_rounded), 0);
    was_rounded = !rounded;
    assert_int_equal(unit_convert(find(table, from), find(table, to), x, &converted, &was_rounded), 0);
    assert_int_equal(converted.m, expected.m);
    assert_int_equal(converted.e, expected.e);
    assert_int_equal(was_rounded, rounded);
}

static void unit_is_found_with_every_prefix(void **state)
{
    static const struct {
        const char *text;
        int exponent;
    } cases[] = {
        {"YW", 24}, {"ZW", 21}, {"EW", 18}, {"PW", 15}, {"TW", 12}, {"GW", 9}, {"MW", 6}, {"kW", 3}, {"hW", 2},
        {"daW", 1}, {"W", 0}, {"dW", -1}, {"cW", -2}, {"mW", -3}, {"uW", -6}, {"\xc2\xb5W", -6}, {"\xce\xbcW", -6},
        {"nW", -9}, {"pW", -12}, {"fW", -15}, {"aW", -18}, {"zW", -21}, {"yW", -24},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct unit *unit = find(*state, cases[i].text);
        assert_non_null(unit);
        assert_int_equal(unit->exponent, cases[i].exponent);
        assert_string_equal(unit->dimension, "power");
    }
    assert_string_equal(find(*state, "kW")->name, "kW");
    assert_ptr_equal(find(*state, "uW"), find(*state, "\xc2\xb5W"));
    assert_ptr_equal(find(*state, "uW"), find(*state, "\xce\xbcW"));
}

static void unknown_text_is_no_unit(void **state)
{
    static const char *const texts[] = {
        "", "k", "kk", "kkW", "w", "KW", "kdegF", "km3/h", "W ", " W", "Wh/", "\xc2W", "\xb5W",
        "a text that is longer than any unit may be",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_null(find(*state, texts[i]));
    assert_null(unit_find(*state, "W\0", 2));
    assert_null(unit_find(*state, "\0", 1));
    struct unit_table *empty = unit_table_new();
    assert_non_null(empty);
    assert_null(find(empty, "W"));
    unit_table_free(empty);
    unit_table_free(NULL);
}

static void added_unit_wins_over_prefixed_reading_in_either_order(void **state)
{
    struct unit_table *table = *state;
    const struct unit inch = {"in", "length", 254, 10000, 0, {0, 0}}, minute = {"min", "time", 60, 1, 0, {0, 0}};
    const struct unit pascal = {"Pa", "pressure", 1, 1, 0, {0, 0}}, year = {"a", "time", 31557600, 1, 0, {0, 0}};
    assert_int_equal(unit_table_add(table, &inch, true), 0);
    const struct unit *before = find(table, "min");
    assert_string_equal(before->dimension, "length");
    assert_int_equal(unit_table_add(table, &minute, true), 0);
    assert_string_equal(find(table, "min")->dimension, "time");
    assert_string_equal(before->name, "min"); /* what was found earlier still lives */

    assert_int_equal(unit_table_add(table, &pascal, true), 0);
    assert_int_equal(unit_table_add(table, &year, true), 0);
    assert_string_equal(find(table, "Pa")->dimension, "pressure");
    assert_string_equal(find(table, "hPa")->dimension, "pressure");
    assert_string_equal(find(table, "ka")->dimension, "time");
    assert_int_equal(unit_table_add_alias(table, "ka", "W"), 0);
    assert_string_equal(find(table, "ka")->dimension, "power");
}

static void text_with_two_prefixed_readings_names_nothing_until_it_is_added(void **state)
{
    struct unit_table *table = *state;
    /* da-g and d-ag; the third reading changes nothing */
    const struct unit first = {"g", "mass", 1, 1000, 0, {0, 0}}, second = {"ag", "x", 1, 1, 0, {0, 0}};
    assert_int_equal(unit_table_add(table, &first, true), 0);
    assert_non_null(find(table, "dag"));
    assert_int_equal(unit_table_add(table, &second, true), 0);
    assert_null(find(table, "dag"));
    assert_string_equal(find(table, "ag")->dimension, "x");
    assert_int_equal(unit_table_add_alias(table, "decagram", "dag"), ERR_NOTFOUND);
    const struct unit stated = {"dag", "mass", 1, 100, 0, {0, 0}};
    assert_int_equal(unit_table_add(table, &stated, false), 0);
    assert_string_equal(find(table, "dag")->dimension, "mass");
}

static void alias_is_another_spelling_of_a_prefixed_unit(void **state)
{
    struct unit_table *table = *state;
    assert_int_equal(unit_table_add_alias(table, "KWH", "kWh"), 0);
    assert_ptr_equal(find(table, "KWH"), find(table, "kWh"));
    assert_string_equal(find(table, "KWH")->name, "kWh");
    assert_null(find(table, "kKWH"));
    assert_int_equal(unit_table_add_alias(table, "KWH", "kWh"), ERR_EXISTS);
    assert_int_equal(unit_table_add_alias(table, "W", "J"), ERR_EXISTS);
    assert_int_equal(unit_table_add_alias(table, "XXX", "furlong"), ERR_NOTFOUND);
    assert_int_equal(unit_table_add_alias(table, "", "W"), ERR_INVALID);
    assert_int_equal(unit_table_add_alias(table, "an alias that is longer than any unit", "W"), ERR_INVALID);
}

static void unit_that_makes_no_sense_is_refused(void **state)
{
    struct unit_table *table = *state;
    struct unit unit = {"W", "power", 1, 1, 0, {0, 0}};
    assert_int_equal(unit_table_add(table, &unit, true), ERR_EXISTS);
    unit = (struct unit){"", "power", 1, 1, 0, {0, 0}};
    assert_int_equal(unit_table_add(table, &unit, true), ERR_INVALID);
    unit = (struct unit){"x", "power", 0, 1, 0, {0, 0}};
    assert_int_equal(unit_table_add(table, &unit, true), ERR_INVALID);
    unit = (struct unit){"x", "power", 1, -1, 0, {0, 0}};
    assert_int_equal(unit_table_add(table, &unit, true), ERR_INVALID);
    memset(unit.name, 'x', sizeof unit.name);
    unit.denominator = 1;
    assert_int_equal(unit_table_add(table, &unit, true), ERR_INVALID);
    assert_null(find(table, "x"));
}

static void name_too_long_for_a_prefix_has_none(void **state)
{
    struct unit_table *table = *state;
    const struct unit unit = {"abcdefghijklmnopqrstuvwxyz12345", "long", 1, 1, 120, {0, 0}};
    assert_int_equal(strlen(unit.name), LIMIT_UNIT_BYTES - 1);
    assert_int_equal(unit_table_add(table, &unit, true), 0);
    assert_ptr_not_equal(find(table, unit.name), NULL);
    assert_null(find(table, "kabcdefghijklmnopqrstuvwxyz12345"));
    const struct unit large = {"L", "long", 1, 1, 120, {0, 0}};
    assert_int_equal(unit_table_add(table, &large, true), 0);
    assert_int_equal(find(table, "ML")->exponent, 126);
    assert_null(find(table, "GL"));
}

static void thousand_units_are_all_found_again(void **state)
{
    struct unit_table *table = *state;
    for (int i = 0; i < 1000; i++) {
        struct unit unit = {"", "many", i + 1, 1, 0, {0, 0}};
        snprintf(unit.name, sizeof unit.name, "[%d]", i);
        assert_int_equal(unit_table_add(table, &unit, i % 3 == 0), 0);
    }
    for (int i = 0; i < 1000; i++) {
        char name[LIMIT_UNIT_BYTES];
        snprintf(name, sizeof name, "m[%d]", i);
        const struct unit *prefixed = find(table, name), *plain = find(table, name + 1);
        assert_int_equal(plain->numerator, i + 1);
        assert_int_equal(prefixed != NULL, i % 3 == 0);
    }
    assert_string_equal(find(table, "kWh")->name, "kWh");
}

static void terminating_conversion_is_exact(void **state)
{
    assert_converts(*state, "1.5", "kWh", "Wh", "1500", false);
    assert_converts(*state, "0.25", "kWh", "J", "900000", false);
    assert_converts(*state, "900000", "J", "kWh", "0.25", false);
    assert_converts(*state, "21.35", "degC", "K", "294.5", false);
    assert_converts(*state, "294.5", "K", "degC", "21.35", false);
    assert_converts(*state, "-40", "degF", "degC", "-40", false);
    assert_converts(*state, "212", "degF", "degC", "100", false);
    assert_converts(*state, "100", "degC", "degF", "212", false);
    assert_converts(*state, "21350", "mdegC", "degC", "21.35", false);
    assert_converts(*state, "-273.15", "degC", "K", "0", false);
    assert_converts(*state, "999999999999999999", "uW", "W", "999999999999.999999", false);
    assert_converts(*state, "12.5", "degC", "degC", "12.5", false);
    assert_converts(*state, "0", "YW", "yW", "0", false);
}

static void other_conversion_is_rounded_to_15_digits_and_marked(void **state)
{
    assert_converts(*state, "1", "J", "Wh", "0.000277777777777778", true);
    assert_converts(*state, "70", "degF", "degC", "21.1111111111111", true);
    /* both terminate, with 19 and with 18 digits */
    assert_converts(*state, "12345678901.2345679", "kWh", "J", "44444444044444400", true);
    assert_converts(*state, "10000000000000.003", "Wh", "J", "36000000000000010.8", false);
}

static void mantissa_of_19_digits_is_rounded_even_when_only_the_point_moves(void **state)
{
    struct unit_table *table = *state;
    struct decimal result;
    bool rounded = false;
    assert_int_equal(unit_convert(find(table, "W"), find(table, "kW"), (struct decimal){INT64_MIN, 0}, &result, &rounded), 0);
    assert_int_equal(result.m, INT64_C(-922337203685478));
    assert_int_equal(result.e, 1);
    assert_true(rounded);
}

static void conversion_between_dimensions_or_beyond_the_limits_is_refused(void **state)
{
    struct unit_table *table = *state;
    const struct unit *w = find(table, "W"), *j = find(table, "J"), *ppm = find(table, "ppm");
    struct decimal value = {5, 0}, result = {77, 7};
    bool rounded = true;
    assert_true(unit_converts(w, find(table, "kW")));
    assert_false(unit_converts(w, j));
    assert_false(unit_converts(ppm, ppm));
    assert_false(unit_converts(NULL, w));
    assert_false(unit_converts(w, NULL));
    assert_int_equal(unit_convert(w, j, value, &result, &rounded), ERR_MEANING);
    assert_int_equal(unit_convert(ppm, ppm, value, &result, &rounded), ERR_MEANING);
    assert_int_equal(unit_convert(find(table, "YW"), w, value, &result, &rounded), ERR_LIMIT);
    assert_int_equal(unit_convert(w, find(table, "YW"), (struct decimal){5, -1}, &result, &rounded), ERR_LIMIT);
    const struct unit a = {"a", "x", INT64_MAX, 2, 0, {0, 0}}, b = {"b", "x", 1, INT64_MAX - 1, 0, {0, 0}};
    assert_int_equal(unit_convert(&a, &b, value, &result, &rounded), ERR_LIMIT);
    assert_int_equal(result.m, 77);
    assert_int_equal(result.e, 7);
    assert_true(rounded);
}

/* ---- what was computed ---- */

static struct exact exact_of(const char *text)
{
    struct decimal value;
    struct exact exact = {0};
    bool rounded;
    assert_int_equal(decimal_parse(text, strlen(text), &value, &rounded), 0);
    exact_add(&exact, value);
    return exact;
}

static void assert_sum(const struct unit_table *table, const char *sum, uint64_t n, const char *units, const char *result)
{
    struct exact value = exact_of(sum), expected = exact_of(result), converted;
    const char *blank = strchr(units, ' ');
    const struct unit *from = unit_find(table, units, (size_t)(blank - units)), *to = find(table, blank + 1);
    assert_int_equal(unit_convert_exact(from, to, &value, n, &converted), 0);
    if (exact_compare(&converted, &expected))
        fail_msg("%s %s is not %s", sum, units, result);
}

static void sums_and_differences_convert_with_their_share_of_the_offset(void **state)
{
    assert_sum(*state, "100", 1, "degC degF", "212");
    assert_sum(*state, "100", 0, "degC degF", "180"); /* a difference */
    assert_sum(*state, "100", 2, "degC degF", "244"); /* 50 and 50 */
    assert_sum(*state, "1", 1, "degF degC", "-17.2222222222222");
    assert_sum(*state, "123456789012345678", 3, "Wh kWh", "123456789012345.678");
    assert_sum(*state, "7200", 5, "J Wh", "2");
    assert_sum(*state, "1", 5, "J Wh", "0.000277777777777778");
    assert_sum(*state, "5", 1, "Wh J", "18000");
}

static void wide_sum_stays_exact_where_the_factor_terminates(void **state)
{
    struct exact sum = {0}, converted, back;
    for (int i = 0; i < 100; i++) {
        exact_add(&sum, (struct decimal){DECIMAL_MANTISSA_MAX, 15});
        exact_add(&sum, (struct decimal){7, -24});
    }
    assert_int_equal(unit_convert_exact(find(*state, "Wh"), find(*state, "J"), &sum, 200, &converted), 0);
    back = sum;
    exact_multiply_u64(&back, 3600);
    assert_int_equal(exact_compare(&converted, &back), 0);
}

static void quotient_is_rounded_once_behind_the_conversion(void **state)
{
    /* the mean of 0.1 J and 0.2 J and 0.2 J in Wh: 1/21600; rounded first, the last digit would be another one */
    struct exact sum = exact_of("0.5");
    uint64_t divisors[] = {3, 1};
    struct unit_quotient quotient = {&sum, divisors, 2, false, 15};
    struct decimal value;
    assert_int_equal(unit_convert_quotient(find(*state, "J"), find(*state, "Wh"), &quotient, &value), 0);
    assert_true(value.m == INT64_C(462962962962963) && value.e == -19);
    sum = exact_of("10");
    divisors[0] = divisors[1] = 2;
    assert_int_equal(unit_convert_quotient(find(*state, "degC"), find(*state, "degF"), &quotient, &value), 0);
    assert_true(value.m == 365 && value.e == -1);
    quotient.is_difference = true;
    assert_int_equal(unit_convert_quotient(find(*state, "degC"), find(*state, "degF"), &quotient, &value), 0);
    assert_true(value.m == 45 && value.e == -1);
    assert_int_equal(unit_convert_quotient(find(*state, "degC"), find(*state, "W"), &quotient, &value), ERR_MEANING);
}

static void names_are_those_that_were_added_of_the_dimension(void **state)
{
    const char *names[3];
    assert_int_equal(unit_names(*state, find(*state, "kWh"), names, 3), 2);
    assert_string_equal(names[0], "Wh");
    assert_string_equal(names[1], "J");
    assert_int_equal(unit_names(*state, find(*state, "degC"), names, 2), 2);
    assert_string_equal(names[1], "degC");
    assert_int_equal(unit_names(*state, find(*state, "ppm"), names, 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(unit_is_found_with_every_prefix, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unknown_text_is_no_unit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(added_unit_wins_over_prefixed_reading_in_either_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(text_with_two_prefixed_readings_names_nothing_until_it_is_added, set_up, tear_down),
        cmocka_unit_test_setup_teardown(alias_is_another_spelling_of_a_prefixed_unit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unit_that_makes_no_sense_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(name_too_long_for_a_prefix_has_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(thousand_units_are_all_found_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(terminating_conversion_is_exact, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_conversion_is_rounded_to_15_digits_and_marked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mantissa_of_19_digits_is_rounded_even_when_only_the_point_moves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sums_and_differences_convert_with_their_share_of_the_offset, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wide_sum_stays_exact_where_the_factor_terminates, set_up, tear_down),
        cmocka_unit_test_setup_teardown(quotient_is_rounded_once_behind_the_conversion, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_are_those_that_were_added_of_the_dimension, set_up, tear_down),
        cmocka_unit_test_setup_teardown(conversion_between_dimensions_or_beyond_the_limits_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
