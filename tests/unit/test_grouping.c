#include <config.h>

#include "tests/lib/test.h"

#include <stdio.h>

#include "importers/compose.h"

struct made {
    struct buf text;
    int64_t n;
};

static int print_group(void *arg, struct group *group)
{
    struct made *made = arg;
    struct composed composed;
    compose_object(group, 0, group->n_slots, group->issued_us, &made->text, &composed);
    buf_putc(&made->text, '\n');
    made->n++;
    return 0;
}

static struct observation at(const char *entity, const char *property, int64_t second, const char *value)
{
    return (struct observation){.entity = entity, .type = "T", .property = property, .unit = "", .time_us = second * 1000000,
                                .issued_us = ISSUED_NONE, .value = value, .line = second};
}

static void add(struct grouping *grouping, struct observation observation)
{
    assert_int_equal(grouping_add(grouping, &observation), 0);
}

static void check(struct grouping *grouping, struct made *made, const char *expected)
{
    assert_int_equal(grouping_flush(grouping), 0);
    buf_putc(&made->text, '\0');
    assert_string_equal((const char *)made->text.data, expected);
    buf_clear(&made->text);
    made->n = 0;
}

static void rows_and_columns_make_the_same_object(void **state)
{
    (void)state;
    struct made made = {.n = 0};
    struct grouping *grouping = grouping_new(print_group, &made);
    static const char expected[] = "{\"entity\":\"a\",\"type\":\"T\","
                                   "\"time\":[\"1970-01-01T00:00:01Z\",\"1970-01-01T00:00:02Z\"],"
                                   "\"values\":{\"p\":[1,2],\"q\":[3,4]}}\n";
    assert_non_null(grouping);
    add(grouping, at("a", "p", 1, "1"));
    add(grouping, at("a", "q", 1, "3"));
    add(grouping, at("a", "p", 2, "2"));
    add(grouping, at("a", "q", 2, "4"));
    check(grouping, &made, expected);
    add(grouping, at("a", "p", 1, "1"));
    add(grouping, at("a", "p", 2, "2"));
    add(grouping, at("a", "q", 1, "3"));
    add(grouping, at("a", "q", 2, "4"));
    check(grouping, &made, expected);
    grouping_free(grouping);
    buf_free(&made.text);
}

static void entities_in_turn_become_one_message_each(void **state)
{
    (void)state;
    struct made made = {.n = 0};
    struct grouping *grouping = grouping_new(print_group, &made);
    for (int i = 0; i < 100; i++) {
        add(grouping, at("a", "p", i, "1"));
        add(grouping, at("b", "p", i, "2"));
        struct observation interval = at("a", "energy", i, "3");
        interval.period_us = 60000000;
        add(grouping, interval);
    }
    assert_int_equal(grouping_flush(grouping), 0);
    assert_int_equal(made.n, 3);
    grouping_free(grouping);
    buf_free(&made.text);
}

static void a_series_keeps_its_order_between_groups(void **state)
{
    (void)state;
    struct made made = {.n = 0};
    struct grouping *grouping = grouping_new(print_group, &made);
    struct observation longer = at("a", "p", 1, "2"), other_unit = at("a", "p", 1, "4"), edited = at("a", "p", 1, "5");
    longer.period_us = 60000000;
    other_unit.unit = "kW";
    edited.quality = QUALITY_EDITED;
    add(grouping, at("a", "p", 1, "1"));
    add(grouping, longer);
    add(grouping, at("a", "p", 1, "3"));
    add(grouping, other_unit);
    check(grouping, &made,
          "{\"entity\":\"a\",\"type\":\"T\",\"time\":[\"1970-01-01T00:00:01Z\"],\"values\":{\"p\":[1]}}\n"
          "{\"entity\":\"a\",\"type\":\"T\",\"time\":[\"1970-01-01T00:00:01Z\"],\"values\":{\"p\":[2]},\"period\":\"PT1M\"}\n"
          "{\"entity\":\"a\",\"type\":\"T\",\"time\":[\"1970-01-01T00:00:01Z\"],\"values\":{\"p\":[3]}}\n"
          "{\"entity\":\"a\",\"type\":\"T\",\"time\":[\"1970-01-01T00:00:01Z\"],\"values\":{\"p\":[4]},"
          "\"units\":{\"p\":\"kW\"}}\n");
    add(grouping, at("a", "p", 1, "1"));
    add(grouping, edited);
    check(grouping, &made, "{\"entity\":\"a\",\"type\":\"T\",\"time\":[\"1970-01-01T00:00:01Z\",\"1970-01-01T00:00:01Z\"],"
                           "\"values\":{\"p\":[1,5]},\"quality\":[\"measured\",\"edited\"]}\n");
    grouping_free(grouping);
    buf_free(&made.text);
}

static void texts_are_escaped_and_holes_are_null(void **state)
{
    (void)state;
    struct made made = {.n = 0};
    struct grouping *grouping = grouping_new(print_group, &made);
    struct observation text = at("a", "s", 1, "a\"b\\c\n");
    text.state = true;
    add(grouping, text);
    add(grouping, at("a", "p", 2, "1"));
    check(grouping, &made, "{\"entity\":\"a\",\"type\":\"T\",\"time\":[\"1970-01-01T00:00:01Z\",\"1970-01-01T00:00:02Z\"],"
                           "\"values\":{\"s\":[\"a\\\"b\\\\c\\u000a\",null],\"p\":[null,1]}}\n");
    grouping_free(grouping);
    buf_free(&made.text);
}

static void many_entities_and_slots_stay_bounded(void **state)
{
    (void)state;
    struct made made = {.n = 0};
    struct grouping *grouping = grouping_new(print_group, &made);
    char name[32];
    for (int i = 0; i < GROUPING_GROUPS + 1; i++) {
        snprintf(name, sizeof name, "e%d", i);
        add(grouping, at(name, "p", 1, "1"));
    }
    assert_int_equal(made.n, GROUPING_GROUPS);
    for (int i = 0; i < 2 * GROUPING_SLOTS; i++)
        add(grouping, at("long", "p", i, "1"));
    assert_int_equal(made.n, GROUPING_GROUPS + 1);
    assert_int_equal(grouping_flush(grouping), 0);
    assert_int_equal(made.n, GROUPING_GROUPS + 3);
    grouping_free(grouping);
    buf_free(&made.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_and_columns_make_the_same_object),
        cmocka_unit_test(entities_in_turn_become_one_message_each),
        cmocka_unit_test(a_series_keeps_its_order_between_groups),
        cmocka_unit_test(texts_are_escaped_and_holes_are_null),
        cmocka_unit_test(many_entities_and_slots_stay_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
