#include <config.h>

#include "../lib/random.h"
#include "../lib/test.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "common/civil.h"
#include "store/window.h"

static const enum window_length lengths[] = {WINDOW_DAY, WINDOW_WEEK, WINDOW_MONTH};

/* A time of the years 1 to 9999; windows of the first and last weeks may reach beyond. */
static int64_t random_time(uint64_t *seed)
{
    return CIVIL_MIN_US + 31 * US_PER_DAY +
           (int64_t)(random_u64(seed) % (uint64_t)(CIVIL_END_US - CIVIL_MIN_US - 62 * US_PER_DAY));
}

/* As the C library sees the calendar. */
static struct tm split(int64_t t_us)
{
    struct tm tm;
    time_t t = (time_t)(t_us / US_PER_SECOND - (t_us % US_PER_SECOND < 0));
    assert_non_null(gmtime_r(&t, &tm));
    return tm;
}

static void expect_name(char *out, size_t size, enum window_length length, int64_t t_us)
{
    struct tm tm = split(t_us);
    int year = tm.tm_year + 1900;
    char week[16];
    if (length == WINDOW_DAY) {
        snprintf(out, size, "%04d-%02d-%02d.raw.g7.db", year, tm.tm_mon + 1, tm.tm_mday);
    } else if (length == WINDOW_MONTH) {
        snprintf(out, size, "%04d-%02d.raw.g7.db", year, tm.tm_mon + 1);
    } else {
        strftime(week, sizeof(week), "%G %V", &tm);
        int number;
        assert_int_equal(sscanf(week, "%d %d", &year, &number), 2);
        snprintf(out, size, "%04d-W%02d.raw.g7.db", year, number);
    }
}

static void a_window_is_the_calendar_s_and_named_after_it(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 30000; round++) {
        uint64_t seed = round;
        int64_t t_us = random_time(&seed);
        struct window_rule rule = {CIVIL_MIN_US, lengths[round % 3]};
        struct window window = window_at(&rule, 1, t_us);
        struct tm begin = split(window.begin_us), end = split(window.end_us);
        char name[FILE_NAME_MAX], expected[FILE_NAME_MAX];
        file_name(name, rule.length, window.begin_us, FILE_RAW, 7);
        expect_name(expected, sizeof(expected), rule.length, t_us);
        bool right = window.begin_us <= t_us && t_us < window.end_us && window.begin_us % US_PER_DAY == 0 &&
                     window.end_us % US_PER_DAY == 0 && strcmp(name, expected) == 0;
        if (rule.length == WINDOW_DAY)
            right = right && window.end_us - window.begin_us == US_PER_DAY;
        else if (rule.length == WINDOW_WEEK)
            right = right && window.end_us - window.begin_us == 7 * US_PER_DAY && begin.tm_wday == 1;
        else
            right = right && begin.tm_mday == 1 && end.tm_mday == 1 && (begin.tm_mon + 1) % 12 == end.tm_mon;
        if (!right)
            fail_msg("seed %llu: window of %lld is [%lld, %lld) \"%s\", expected \"%s\"", (unsigned long long)round,
                     (long long)t_us, (long long)window.begin_us, (long long)window.end_us, name, expected);
    }
}

/* Whatever the rules are, windows neither overlap nor leave gaps, and none reaches over a rule's begin. */
static void windows_of_changing_rules_tile_time(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 3000; round++) {
        uint64_t seed = round;
        struct window_rule rules[4] = {{CIVIL_MIN_US, lengths[random_below(&seed, 3)]}};
        size_t n = 1 + (size_t)random_below(&seed, 4);
        int64_t t_us = 20000 * US_PER_DAY;
        for (size_t i = 1; i < n; i++)
            rules[i] = (struct window_rule){t_us += (1 + random_below(&seed, 60)) * US_PER_DAY,
                                            lengths[random_below(&seed, 3)]};
        int64_t end_us = 19960 * US_PER_DAY;
        struct window window = window_at(rules, n, end_us);
        for (int i = 0; i < 60; i++) {
            struct window same = window_at(rules, n, window.end_us - 1), next = window_at(rules, n, window.end_us);
            bool right = same.begin_us == window.begin_us && same.end_us == window.end_us &&
                         next.begin_us == window.end_us && next.end_us > next.begin_us;
            for (size_t r = 1; r < n; r++)
                right = right && (rules[r].since_us <= window.begin_us || rules[r].since_us >= window.end_us);
            if (!right)
                fail_msg("seed %llu: [%lld, %lld) and [%lld, %lld)", (unsigned long long)round,
                         (long long)window.begin_us, (long long)window.end_us, (long long)next.begin_us,
                         (long long)next.end_us);
            window = next;
        }
    }
}

static void lengths_have_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        enum window_length length = WINDOW_AUTO;
        assert_int_equal(window_length_parse(window_length_name(lengths[i]), &length), 0);
        assert_int_equal(length, lengths[i]);
    }
    enum window_length length;
    assert_int_equal(window_length_parse("auto", &length), ERR_INVALID);
    assert_int_equal(window_length_parse("", &length), ERR_INVALID);
    assert_int_equal(window_length_parse("days", &length), ERR_INVALID);
}

/* At most 100,000 readings of a series, a week of 5-minute values being the smallest that a month replaces. */
static void faster_readings_have_shorter_windows(void **state)
{
    (void)state;
    assert_int_equal(window_length_for(0), WINDOW_DAY);
    assert_int_equal(window_length_for(US_PER_SECOND), WINDOW_DAY);
    assert_int_equal(window_length_for(US_PER_MINUTE), WINDOW_WEEK);
    assert_int_equal(window_length_for(15 * US_PER_MINUTE), WINDOW_MONTH);
    assert_int_equal(window_length_for(INT64_MAX), WINDOW_MONTH);
    for (int64_t cadence_us = US_PER_SECOND; cadence_us < US_PER_DAY; cadence_us += US_PER_SECOND) {
        enum window_length length = window_length_for(cadence_us);
        int64_t days = length == WINDOW_DAY ? 1 : length == WINDOW_WEEK ? 7 : 31;
        assert_true(days * US_PER_DAY / cadence_us <= 100000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_is_the_calendar_s_and_named_after_it),
        cmocka_unit_test(windows_of_changing_rules_tile_time),
        cmocka_unit_test(lengths_have_names),
        cmocka_unit_test(faster_readings_have_shorter_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
