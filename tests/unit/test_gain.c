#include <config.h>

#include "query/gain.h"

#include "../lib/test.h"
#include "common/civil.h"

#define H US_PER_HOUR

static struct decimal number(const char *text)
{
    struct decimal value;
    bool rounded;
    assert_int_equal(decimal_parse(text, strlen(text), &value, &rounded), 0);
    return value;
}

/* The gain between a reading at 0 h and one at 10 h. */
static struct findings assert_gain(const struct declared *declared, const char *from, const char *to, const char *expected)
{
    struct findings findings = {0};
    char text[EXACT_TEXT_MAX + 1];
    struct exact gain = gain_between(declared, (struct seen){0, number(from)}, (struct seen){10 * H, number(to)}, &findings);
    text[exact_print(text, &gain)] = '\0';
    assert_string_equal(text, expected);
    return findings;
}

static void decrease_is_a_reset_where_nothing_is_declared(void **state)
{
    (void)state;
    assert_int_equal(assert_gain(NULL, "12.5", "13", "0.5").resets, 0);
    assert_int_equal(assert_gain(NULL, "12.5", "12.5", "0").resets, 0);
    assert_int_equal(assert_gain(NULL, "12.5", "3", "3").resets, 1);
    assert_int_equal(assert_gain(&(struct declared){0}, "12.5", "12.4", "12.4").resets, 1);
    assert_int_equal(assert_gain(NULL, "1e14", "100000000000000.001", "0.001").resets, 0);
}

static void register_of_a_size_rolls_over(void **state)
{
    struct declared declared = {.register_size = {1, 6}};
    (void)state;
    struct findings findings = assert_gain(&declared, "999990", "15", "25");
    assert_int_equal(findings.rollovers, 1);
    assert_int_equal(findings.resets, 0);
    assert_int_equal(assert_gain(&declared, "1000000", "0", "0").rollovers, 1);
    assert_int_equal(assert_gain(&declared, "1000001", "7", "7").resets, 1); /* it cannot have stood there */
}

static void decrease_within_epsilon_is_jitter_and_negative(void **state)
{
    struct declared declared = {.epsilon = {5, -1}};
    (void)state;
    assert_int_equal(assert_gain(&declared, "100", "99.5", "-0.5").jitters, 1);
    assert_int_equal(assert_gain(&declared, "100", "99.4", "99.4").resets, 1);
    declared.register_size = (struct decimal){1, 6}; /* comes first */
    assert_int_equal(assert_gain(&declared, "100", "99.9", "999999.9").rollovers, 1);
}

static void meter_changes_cut_the_way_into_pieces(void **state)
{
    const struct meter_change changes[] = {{0, number("1"), number("2")},
                                           {2 * H, number("110"), number("3")},
                                           {5 * H, number("2"), number("50")}, /* below where it began */
                                           {10 * H, number("60"), number("0")},
                                           {10 * H + 1, number("7"), number("8")}};
    struct declared declared = {.changes = changes, .n_changes = 5};
    (void)state;
    struct findings findings = assert_gain(&declared, "100", "4", "23"); /* 10 - 1 + 10 + 4 */
    assert_int_equal(findings.changes, 3);
    assert_int_equal(findings.resets, 0);
    declared.changes++;
    declared.n_changes = 1;
    assert_int_equal(assert_gain(&declared, "100", "130", "137").changes, 1); /* not only where the register decreased */
}

static void cells_know_resets_only(void **state)
{
    const struct meter_change change = {0, {0, 0}, {0, 0}};
    (void)state;
    assert_true(gain_is_plain(NULL));
    assert_true(gain_is_plain(&(struct declared){.max_gap_us = H}));
    assert_false(gain_is_plain(&(struct declared){.epsilon = {1, 0}}));
    assert_false(gain_is_plain(&(struct declared){.register_size = {1, 6}}));
    assert_false(gain_is_plain(&(struct declared){.changes = &change, .n_changes = 1}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decrease_is_a_reset_where_nothing_is_declared),
        cmocka_unit_test(register_of_a_size_rolls_over),
        cmocka_unit_test(decrease_within_epsilon_is_jitter_and_negative),
        cmocka_unit_test(meter_changes_cut_the_way_into_pieces),
        cmocka_unit_test(cells_know_resets_only),
    };
    return cmocka_run_group_tests_name("gain", tests, NULL, NULL);
}
