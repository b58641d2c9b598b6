#include <config.h>

#include "query/range.h"

#include "../lib/test.h"
#include "common/hash.h"
#include "query/cursor.h"

/* 2025-03-12T10:30:00.5Z, a Wednesday */
#define NOW INT64_C(1741775400500000)

struct ask {
    struct parameter rows[16];
    size_t n;
};

/* name, value, name, value, ..., NULL; from and to are added where they are not among them. */
static struct ask make_ask(va_list names)
{
    struct ask ask = {0};
    const char *name;
    bool has_from = false, has_to = false;
    while ((name = va_arg(names, const char *)) != NULL) {
        ask.rows[ask.n++] = (struct parameter){name, va_arg(names, const char *)};
        has_from = has_from || !strcmp(name, "from");
        has_to = has_to || !strcmp(name, "to");
    }
    if (!has_from)
        ask.rows[ask.n++] = (struct parameter){"from", "2025-03-01T00:00:00Z"};
    if (!has_to)
        ask.rows[ask.n++] = (struct parameter){"to", "2030-03-02T00:00:00Z"};
    return ask;
}

static struct range parse(const char *first, ...)
{
    struct range range;
    struct err_text error = {0};
    va_list rest;
    va_start(rest, first);
    struct ask ask = make_ask(rest);
    va_end(rest);
    if (range_parse(ask.rows, ask.n, NOW, &range, &error))
        fail_msg("%s refused: %s (%s)", first, error.text, error.field);
    return range;
}

/* Asserts the field and code of a refusal, and that its text has the words. */
static void assert_refused(int code, const char *field, const char *words, ...)
{
    struct range range;
    struct err_text error = {0};
    va_list rest;
    va_start(rest, words);
    struct ask ask = make_ask(rest);
    va_end(rest);
    int rc = range_parse(ask.rows, ask.n, NOW, &range, &error);
    if (!rc)
        range_free(&range);
    assert_int_equal(rc, code);
    assert_string_equal(error.field, field);
    if (!strstr(error.text, words))
        fail_msg("\"%s\" does not say \"%s\"", error.text, words);
}
#define REFUSED(field, words, ...) assert_refused(ERR_INVALID, field, words, __VA_ARGS__, NULL)
#define PARSE(...) parse("question", __VA_ARGS__, NULL)

static int64_t instant(const char *text)
{
    int64_t t_us;
    assert_int_equal(civil_parse_rfc3339(text, strlen(text), &t_us), 0);
    return t_us;
}

/* ---- times ---- */

static void assert_from(const char *text, const char *tz, const char *expected)
{
    struct range range = tz ? PARSE("from", text, "tz", tz) : PARSE("from", text);
    if (range.from_us != instant(expected))
        fail_msg("from=%s is %lld, not %s", text, (long long)range.from_us, expected);
    range_free(&range);
}

static void instants_come_in_every_form_of_the_contract(void **state)
{
    (void)state;
    assert_from("2025-03-01T00:00:00Z", NULL, "2025-03-01T00:00:00Z");
    assert_from("2025-03-01T00:00:00+01:00", NULL, "2025-02-28T23:00:00Z");
    assert_from("2025-03-01T00:00:00.123456-01:30", NULL, "2025-03-01T01:30:00.123456Z");
    assert_from("1740787200000", NULL, "2025-03-01T00:00:00Z");
    assert_from("-1", NULL, "1969-12-31T23:59:59.999Z");
    assert_from("now", NULL, "2025-03-12T10:30:00.5Z");
    assert_from("0001-01-01T00:00:00Z", NULL, "0001-01-01T00:00:00Z");
}

static void plus_that_arrived_as_a_blank_is_understood(void **state)
{
    (void)state;
    assert_from("2025-03-01T00:00:00 01:00", NULL, "2025-02-28T23:00:00Z");
    assert_from("2025-03-01 00:00:00.5 01:00", NULL, "2025-02-28T23:00:00.5Z");
}

static void bare_date_is_the_start_of_a_local_day(void **state)
{
    (void)state;
    assert_from("2025-03-31", "Europe/Berlin", "2025-03-30T22:00:00Z");
    assert_from("2025-03-30", "Europe/Berlin", "2025-03-29T23:00:00Z");
    assert_from("2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00Z"); /* begins at 01:00 */
    assert_from("2025-03-01", "UTC", "2025-03-01T00:00:00Z");
    REFUSED("from", "needs tz", "from", "2025-03-31");
    REFUSED("to", "needs tz", "to", "2025-03-31");
    REFUSED("from", "no time", "from", "2025-02-29", "tz", "UTC");
    REFUSED("from", "no time", "from", "2025-13-01", "tz", "UTC");
}

static void durations_count_from_now_by_the_calendar_of_the_zone(void **state)
{
    (void)state;
    assert_from("-P7D", NULL, "2025-03-05T10:30:00.5Z");
    assert_from("-PT90M", NULL, "2025-03-12T09:00:00.5Z");
    assert_from("-P1M", NULL, "2025-02-12T10:30:00.5Z");
    assert_from("-P1Y", NULL, "2024-03-12T10:30:00.5Z");
    assert_from("P1D", NULL, "2025-03-13T10:30:00.5Z");
    assert_from("P1M", "Europe/Berlin", "2025-04-12T09:30:00.5Z"); /* the same time of day, in summer time */
    assert_from("P30D", "Europe/Berlin", "2025-04-11T09:30:00.5Z");
    assert_from("PT720H", "Europe/Berlin", "2025-04-11T10:30:00.5Z");
    REFUSED("from", "no time", "from", "-P9000Y");
    REFUSED("from", "no time", "from", "-P2147483647D");
}

static void what_is_no_instant_is_refused_by_name(void **state)
{
    static const char *const wrong[] = {"yesterday", "", " ", "-", "2025-03-01T00:00:00", "12.5", "99999999999999999",
                                        "253402300800000", "2025-03-01 00:00", "nowish", "NOW", "P", "9999999999999999999999"};
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        REFUSED("from", "no time", "from", wrong[i]);
        REFUSED("to", "no time", "to", wrong[i]);
    }
}

static void missing_doubled_and_reversed_ends_are_refused(void **state)
{
    struct range range;
    struct err_text error = {0};
    struct parameter only_to = {"to", "now"}, only_from = {"from", "now"};
    (void)state;
    assert_int_equal(range_parse(&only_to, 1, NOW, &range, &error), ERR_INVALID);
    assert_string_equal(error.field, "from");
    assert_int_equal(range_parse(&only_from, 1, NOW, &range, &error), ERR_INVALID);
    assert_string_equal(error.field, "to");
    REFUSED("from", "twice", "from", "now", "from", "now");
    REFUSED("to", "before", "from", "2025-03-01T00:00:00Z", "to", "2025-02-01T00:00:00Z");
    range = PARSE("from", "now", "to", "now");
    assert_int_equal(range.from_us, range.to_us);
    range_free(&range);
}

/* ---- step and aggregates ---- */

static void assert_step(const char *step, const char *tz, int unit, int64_t width_us)
{
    struct range range = tz ? PARSE("step", step, "tz", tz) : PARSE("step", step);
    assert_false(range.raw);
    assert_int_equal(range.grid.unit, unit);
    if (width_us)
        assert_int_equal(range.grid.width_us, width_us);
    range_free(&range);
}

static void steps_come_as_durations_and_as_clients_send_them(void **state)
{
    (void)state;
    assert_step("PT15M", NULL, GRID_FIXED, 15 * US_PER_MINUTE);
    assert_step("15m", NULL, GRID_FIXED, 15 * US_PER_MINUTE);
    assert_step("900s", NULL, GRID_FIXED, 15 * US_PER_MINUTE);
    assert_step("900", NULL, GRID_FIXED, 15 * US_PER_MINUTE);
    assert_step("PT60M", NULL, GRID_FIXED, US_PER_HOUR);
    assert_step("PT1H", NULL, GRID_FIXED, US_PER_HOUR);
    assert_step("PT1H", "Europe/Berlin", GRID_FIXED_LOCAL, US_PER_HOUR);
    assert_step("PT24H", "Europe/Berlin", GRID_FIXED, US_PER_DAY);
    assert_step("P1D", "Europe/Berlin", GRID_DAY, 0);
    assert_step("P1D", NULL, GRID_DAY, 0);
    assert_step("P7D", NULL, GRID_WEEK, 0);
    assert_step("P1Y", NULL, GRID_MONTH, 0);
    assert_step("PT1S", NULL, GRID_FIXED, US_PER_SECOND);
}

static void steps_without_meaning_name_the_field(void **state)
{
    static const char *const wrong[] = {"PT0S", "PT0.5S", "-PT15M", "P2D", "P2M", "P1DT1H", "soon", "", "0", "P1", "PT"};
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        REFUSED("step", "step", "step", wrong[i]);
    REFUSED("points", "needs \"points\"", "step", "auto");
}

static void aggregates_stand_in_the_order_they_are_asked_in(void **state)
{
    (void)state;
    struct range range = PARSE("step", "1h", "agg", "max, mean", "agg", "count");
    assert_int_equal(range.n_aggs, 3);
    assert_int_equal(range.aggs[0], AGG_MAX);
    assert_int_equal(range.aggs[1], AGG_MEAN);
    assert_int_equal(range.aggs[2], AGG_COUNT);
    range_free(&range);
    range = PARSE("step", "1h");
    assert_int_equal(range.n_aggs, 0);
    range_free(&range);
}

static void aggregates_are_those_of_the_contract(void **state)
{
    (void)state;
    for (int agg = 0; agg < AGG_N; agg++) {
        struct range range = PARSE("step", "1h", "agg", agg_name[agg]);
        assert_int_equal(range.aggs[0], agg);
        range_free(&range);
    }
    REFUSED("agg", "no aggregate", "step", "1h", "agg", "average");
    REFUSED("agg", "no aggregate", "step", "1h", "agg", "p00");
    REFUSED("agg", "no aggregate", "step", "1h", "agg", "MEAN");
    REFUSED("agg", "twice", "step", "1h", "agg", "mean,mean");
    REFUSED("agg", "empty", "step", "1h", "agg", "mean,");
    REFUSED("agg", "needs a step", "agg", "mean");
}

/* ---- the other parameters ---- */

static void filters_are_lists_by_commas_and_by_repetition(void **state)
{
    (void)state;
    struct range range = PARSE("entity", "a*,b", "series", "7", "type", "Load", "series", "9, 11", "entity", "c",
                               "property", "x");
    const struct series_filter *filter = &range.filter;
    assert_int_equal(filter->n_entities, 3);
    assert_string_equal(filter->entities[0], "a*");
    assert_string_equal(filter->entities[1], "b");
    assert_string_equal(filter->entities[2], "c");
    assert_int_equal(filter->n_ids, 3);
    assert_int_equal(filter->ids[0] * 10000 + filter->ids[1] * 100 + filter->ids[2], 70911);
    assert_int_equal(filter->n_types * 10 + filter->n_properties, 11);
    assert_string_equal(filter->types[0], "Load");
    assert_int_equal(filter->after_id, 0);
    range_free(&range);
    REFUSED("series", "no id", "series", "0");
    REFUSED("series", "no id", "series", "4294967296");
    REFUSED("series", "no id", "series", "p2-*");
    REFUSED("entity", "empty", "entity", "");
    REFUSED("property", "empty", "property", "a,,b");
}

static void lists_have_an_end(void **state)
{
    char many[2 * 1025 + 1];
    (void)state;
    for (size_t i = 0; i < 1025; i++) {
        many[2 * i] = 'e';
        many[2 * i + 1] = ',';
    }
    many[2 * 1025 - 1] = '\0';
    assert_refused(ERR_LIMIT, "entity", "1025", "entity", many, NULL);
    many[2 * 1024 - 1] = '\0';
    struct range range = PARSE("entity", many);
    assert_int_equal(range.filter.n_entities, 1024);
    range_free(&range);
}

static void words_are_those_of_the_contract(void **state)
{
    (void)state;
    struct range range = PARSE("fill", "none", "time", "ms", "limit", "700", "format", "csv", "layout", "long");
    assert_int_equal(range.fill, FILL_NONE);
    assert_int_equal(range.time, TIME_MS);
    assert_int_equal(range.limit, 700);
    assert_true(range.raw);
    range_free(&range);
    range = PARSE("step", "raw");
    assert_true(range.raw);
    assert_int_equal(range.fill, FILL_NULL);
    assert_int_equal(range.time, TIME_ISO);
    assert_int_equal(range.limit, 0);
    range_free(&range);
    REFUSED("layout", "take long or wide", "layout", "flat");
    REFUSED("fill", "needs a step", "fill", "previous");
    REFUSED("max_gap", "needs a step", "max_gap", "PT1H");
    REFUSED("max_gap", "fixed duration above zero", "step", "1h", "max_gap", "PT0S");
    REFUSED("explain", "needs a step", "explain", "1");
    range = PARSE("step", "1h", "fill", "linear", "max_gap", "2h", "explain", "1");
    assert_int_equal(range.fill, FILL_LINEAR);
    assert_int_equal(range.max_gap_us, 2 * US_PER_HOUR);
    assert_true(range.explain);
    range_free(&range);
    REFUSED("fill", "no fill", "fill", "zero");
    REFUSED("time", "iso, ms or local", "time", "unix");
    REFUSED("limit", "no limit", "limit", "0");
    REFUSED("limit", "no limit", "limit", "-1");
    REFUSED("limit", "no limit", "limit", "9223372036854775808");
    REFUSED("limit", "no limit", "limit", "");
    REFUSED("limit", "twice", "limit", "1", "limit", "2");
    REFUSED("tz", "no time zone", "tz", "Mars/Olympus");
    REFUSED("tz", "no time zone", "tz", "../../etc/passwd");
}

static void unknown_parameters_are_refused_by_their_name(void **state)
{
    (void)state;
    REFUSED("stpe", "no parameter", "stpe", "PT15M");
    REFUSED("over", "sum, mean, min or max", "over", "median", "step", "PT1H");
    REFUSED("over", "needs a step", "over", "sum");
    REFUSED("by", "needs \"over\"", "by", "type", "step", "PT1H");
    REFUSED("by", "type, property", "by", "colour", "over", "sum", "step", "PT1H");
    assert_refused(ERR_MEANING, "explain", "single series", "by", "type", "over", "sum", "step", "PT1H", "explain", "1", NULL);
    struct range range = PARSE("by", "location", "over", "sum", "step", "PT1H", "explain", "1"); /* tells what it leaves out */
    assert_int_equal(range.by, BY_LOCATION);
    range_free(&range);
    assert_refused(ERR_MEANING, "layout", "layout=long", "layout", "wide", "over", "sum", "step", "PT1H", NULL);
    REFUSED("From", "no parameter", "From", "now");
    REFUSED("", "no parameter", "", "");
}

/* ---- cursors ---- */

static void cursor_goes_on_where_it_was_whatever_the_time_is_now(void **state)
{
    (void)state;
    struct range first = PARSE("from", "-P7D", "to", "now", "step", "1h", "limit", "5");
    struct cursor cursor = {first.question, 12, 99, first.from_us + US_PER_HOUR, first.from_us, first.to_us, INT64_MAX};
    char text[CURSOR_TEXT_MAX];
    cursor_print(&cursor, text);
    assert_int_equal(strspn(text, "0123456789abcdef"), strlen(text));
    struct parameter again[] = {{"cursor", text}, {"limit", "9"}, {"step", "1h"}, {"to", "now"}, {"from", "-P7D"}};
    struct range range;
    assert_int_equal(range_parse(again, 5, NOW + US_PER_HOUR, &range, NULL), 0);
    assert_true(range.has_cursor);
    assert_int_equal(range.after_id, 12);
    assert_int_equal(range.last_id, 99);
    assert_int_equal(range.after_us, first.from_us + US_PER_HOUR);
    assert_int_equal(range.from_us, first.from_us);
    assert_int_equal(range.to_us, first.to_us);
    range_free(&range);
    range_free(&first);
}

static void cursor_of_another_question_is_refused(void **state)
{
    (void)state;
    struct range range = PARSE("step", "1h", "entity", "a,b");
    struct cursor cursor = {range.question, 12, 99, range.from_us, range.from_us, range.to_us, INT64_MAX};
    char text[CURSOR_TEXT_MAX];
    cursor_print(&cursor, text);
    range_free(&range);
    REFUSED("cursor", "another question", "step", "2h", "entity", "a,b", "cursor", text);
    REFUSED("cursor", "another question", "step", "1h", "entity", "a", "cursor", text);
    REFUSED("cursor", "another question", "step", "1h", "entity", "a,b", "fill", "none", "cursor", text);
    REFUSED("cursor", "another question", "step", "1h", "property", "a,b", "cursor", text);
    range = PARSE("step", "1h", "entity", "a,b", "time", "ms", "format", "csv", "cursor", text);
    range_free(&range);
    REFUSED("cursor", "no cursor", "cursor", "");
    REFUSED("cursor", "no cursor", "cursor", "7");
    text[3] = 'x';
    REFUSED("cursor", "no cursor", "step", "1h", "entity", "a,b", "cursor", text);
}

static void made_up_cursors_give_ranges_that_the_store_may_have(void **state)
{
    static const struct cursor wrong[] = {
        {0, 1, 2, 0, INT64_MIN, 5, 0}, {0, 1, 2, 0, 5, INT64_MAX, 0},         {0, 1, 2, 0, 10, 5, 0},
        {0, 1, 2, 5, 0, 5, 0},         {0, 1, 2, INT64_MAX - 1, 0, 5, 0},
    };
    struct cursor found;
    char text[CURSOR_TEXT_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        cursor_print(&wrong[i], text);
        assert_int_equal(cursor_parse(text, &found), ERR_INVALID);
    }
    struct cursor good = {0xdeadbeef, UINT32_MAX, 7, INT64_MAX, CIVIL_MIN_US, CIVIL_END_US - 1, 77};
    cursor_print(&good, text);
    assert_int_equal(cursor_parse(text, &found), 0);
    assert_true(found.question == good.question && found.series_id == good.series_id && found.last_id == good.last_id);
    assert_true(found.t_us == good.t_us && found.from_us == good.from_us && found.to_us == good.to_us);
    assert_true(found.asof_us == good.asof_us);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instants_come_in_every_form_of_the_contract),
        cmocka_unit_test(plus_that_arrived_as_a_blank_is_understood),
        cmocka_unit_test(bare_date_is_the_start_of_a_local_day),
        cmocka_unit_test(durations_count_from_now_by_the_calendar_of_the_zone),
        cmocka_unit_test(what_is_no_instant_is_refused_by_name),
        cmocka_unit_test(missing_doubled_and_reversed_ends_are_refused),
        cmocka_unit_test(steps_come_as_durations_and_as_clients_send_them),
        cmocka_unit_test(steps_without_meaning_name_the_field),
        cmocka_unit_test(aggregates_stand_in_the_order_they_are_asked_in),
        cmocka_unit_test(aggregates_are_those_of_the_contract),
        cmocka_unit_test(filters_are_lists_by_commas_and_by_repetition),
        cmocka_unit_test(lists_have_an_end),
        cmocka_unit_test(words_are_those_of_the_contract),
        cmocka_unit_test(unknown_parameters_are_refused_by_their_name),
        cmocka_unit_test(cursor_goes_on_where_it_was_whatever_the_time_is_now),
        cmocka_unit_test(cursor_of_another_question_is_refused),
        cmocka_unit_test(made_up_cursors_give_ranges_that_the_store_may_have),
    };
    if (hash_init())
        return 1;
    return cmocka_run_group_tests_name("range", tests, NULL, NULL);
}
