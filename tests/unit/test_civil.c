/* The calendar against libc over the years 1 to 9999, texts by going there and back. */
#include <config.h>

#include "common/civil.h"

#include <stdio.h>
#include <time.h>

#include "../lib/test.h"

static uint64_t random_state;

/* splitmix64 */
static uint64_t random_u64(void)
{
    uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static int64_t random_between(int64_t begin, int64_t end)
{
    return begin + (int64_t)(random_u64() % (uint64_t)(end - begin));
}

static int seed_random(void **state)
{
    (void)state;
    const char *seed = getenv("ALMANAC_SEED");
    random_state = seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
    print_message("# ALMANAC_SEED=%llu\n", (unsigned long long)random_state);
    return 0;
}

static long rounds(void)
{
    return getenv("ALMANAC_SOAK") ? 20000000 : 200000;
}

static int64_t parsed(const char *text)
{
    int64_t t_us = 0;
    if (civil_parse_rfc3339(text, strlen(text), &t_us) < 0)
        fail_msg("'%s' was refused", text);
    return t_us;
}

static void assert_refused(const char *text, size_t size)
{
    int64_t t_us = 42;
    char *copy =
        malloc(size ? size : 1); /* no NUL behind it: a read too far is seen by the sanitizer */
    assert_non_null(copy);
    memcpy(copy, text, size);
    int rc = civil_parse_rfc3339(copy, size, &t_us);
    free(copy);
    if (rc != ERR_INVALID)
        fail_msg("'%.*s' was taken", (int)size, text);
    assert_int_equal(t_us, 42);
}

static void assert_prints(int64_t t_us, int32_t offset_s, bool zulu, const char *expected)
{
    char out[CIVIL_TEXT_MAX + 1];
    out[civil_print_rfc3339(out, t_us, offset_s, zulu)] = '\0';
    assert_string_equal(out, expected);
}

/* ---- the calendar ---- */

static void every_day_of_the_years_1_to_9999_agrees_with_libc(void **state)
{
    (void)state;
    int64_t day = civil_days(1, 1, 1), end = civil_days(10000, 1, 1);
    assert_int_equal(day, CIVIL_MIN_US / US_PER_DAY);
    assert_int_equal(end, CIVIL_END_US / US_PER_DAY);
    for (; day < end; day++) {
        time_t t = (time_t)day * 86400;
        struct tm tm;
        assert_non_null(gmtime_r(&t, &tm));
        int year, month, of_month;
        civil_from_days(day, &year, &month, &of_month);
        if (year != tm.tm_year + 1900 || month != tm.tm_mon + 1 || of_month != tm.tm_mday ||
            civil_weekday(day) != (tm.tm_wday + 6) % 7 || civil_days(year, month, of_month) != day)
            fail_msg("day %lld is %d-%d-%d", (long long)day, year, month, of_month);
    }
}

static void days_before_the_year_1_go_on(void **state)
{
    (void)state;
    int64_t before = civil_days(-2001, 12, 31);
    for (int64_t day = before; day < civil_days(2, 1, 1); day++) {
        int year, month, of_month;
        civil_from_days(day, &year, &month, &of_month);
        assert_int_equal(civil_days(year, month, of_month), day);
    }
    assert_int_equal(civil_days(-400, 3, 1) - civil_days(-400, 2, 28), 2); /* a leap year */
    assert_int_equal(civil_days(-100, 3, 1) - civil_days(-100, 2, 28), 1);
}

static void instants_split_into_the_parts_that_timegm_joins(void **state)
{
    (void)state;
    for (long i = rounds(); i > 0; i--) {
        int64_t t_us = random_between(CIVIL_MIN_US, CIVIL_END_US);
        struct civil c;
        civil_from_us(t_us, &c);
        struct tm tm = {.tm_year = c.year - 1900,
                        .tm_mon = c.month - 1,
                        .tm_mday = c.day,
                        .tm_hour = c.hour,
                        .tm_min = c.minute,
                        .tm_sec = c.second};
        assert_in_range(c.us, 0, 999999);
        if (timegm(&tm) * US_PER_SECOND + c.us != t_us)
            fail_msg("%lld us is split wrongly", (long long)t_us);
    }
}

/* ---- instants as text ---- */

static void instant_printed_at_any_offset_comes_back(void **state)
{
    (void)state;
    static const int64_t grains[] = {1, 1000, US_PER_SECOND, US_PER_DAY};
    for (long i = rounds(); i > 0; i--) {
        int32_t offset_s = (int32_t)random_between(-86399, 86400);
        int64_t grain = grains[i & 3], back_us = 0;
        int64_t t_us =
            random_between(CIVIL_MIN_US / US_PER_DAY + 1, CIVIL_END_US / US_PER_DAY - 1) *
                US_PER_DAY +
            random_between(0, US_PER_DAY) / grain * grain;
        char out[CIVIL_TEXT_MAX];
        size_t n = civil_print_rfc3339(out, t_us, offset_s, i & 4);
        assert_in_range(n, sizeof("2025-03-01T00:00:00Z") - 1, CIVIL_TEXT_MAX);
        if (civil_parse_rfc3339(out, n, &back_us) < 0 || back_us != t_us)
            fail_msg("%lld us came back from '%.*s' as %lld", (long long)t_us, (int)n, out,
                     (long long)back_us);
    }
}

static void forms_that_rfc_3339_allows_are_read(void **state)
{
    (void)state;
    int64_t t_us = parsed("2025-03-01T00:00:00Z");
    assert_int_equal(t_us, INT64_C(1740787200) * US_PER_SECOND);
    assert_int_equal(parsed("2025-03-01t00:00:00z"), t_us);
    assert_int_equal(parsed("2025-03-01 00:00:00Z"), t_us);
    assert_int_equal(parsed("2025-03-01T00:00:00+00:00"), t_us);
    assert_int_equal(parsed("2025-03-01T00:00:00-00:00"), t_us);
    assert_int_equal(parsed("2025-03-01T01:30:00+01:30"), t_us);
    assert_int_equal(parsed("2025-02-28T00:01:00-23:59"), t_us);
    assert_int_equal(parsed("2025-03-01T00:00:00.0Z"), t_us);
    assert_int_equal(parsed("1996-12-19T16:39:57-08:00"),
                     INT64_C(851042397) * US_PER_SECOND); /* of the RFC */
    assert_int_equal(parsed("2024-02-29T00:00:00Z"), parsed("2024-03-01T00:00:00Z") - US_PER_DAY);
    assert_int_equal(parsed("2000-02-29T00:00:00Z"), parsed("2000-03-01T00:00:00Z") - US_PER_DAY);
}

static void digits_after_the_sixth_are_cut_off(void **state)
{
    (void)state;
    int64_t t_us = parsed("1969-12-31T23:59:59Z");
    assert_int_equal(t_us, -US_PER_SECOND);
    assert_int_equal(parsed("1969-12-31T23:59:59.9Z"), t_us + 900000);
    assert_int_equal(parsed("1969-12-31T23:59:59.000001Z"), t_us + 1);
    assert_int_equal(parsed("1969-12-31T23:59:59.9999999Z"), t_us + 999999);
    assert_int_equal(parsed("1969-12-31T23:59:59.123456789012345678901234567890+00:00"),
                     t_us + 123456);
}

static void text_outside_the_grammar_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "Z",
        "2025-03-01",
        "2025-03-01T00:00Z",
        "2025-03-01T00:00:00",
        "2025-03-01T00:00:00.5",
        "2025-03-01T00:00:00.Z",
        "2025-03-01T00:00:00,5Z",
        "2025-03-01T00:00:00+01",
        "2025-03-01T00:00:00+0100",
        "2025-03-01T00:00:00+01:0",
        "2025-03-01T00:00:00+01:000",
        "2025-03-01T00:00:00 01:00",
        "2025-03-01T00:00:00+24:00",
        "2025-03-01T00:00:00+01:60",
        "2025-03-01T00:00:00ZZ",
        "2025-03-01T00:00:00Z ",
        " 2025-03-01T00:00:00Z",
        "2025-3-01T00:00:00.0Z",
        "02025-03-01T00:00:00Z",
        "+2025-03-01T00:00:00Z",
        "-2025-03-01T00:00:00Z",
        "20250301T000000.00000Z",
        "2025/03/01T00:00:00Z",
        "2025-03-01_00:00:00Z",
        "2025-03-01T24:00:00Z",
        "2025-03-01T00:60:00Z",
        "2025-03-01T00:00:60Z",
        "2016-12-31T23:59:60Z",
        "2025-00-01T00:00:00Z",
        "2025-13-01T00:00:00Z",
        "2025-03-00T00:00:00Z",
        "2025-03-32T00:00:00Z",
        "2025-04-31T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2025-03-01T00:00:00.5.5Z",
        "2025-03-01T00:00:00.12345x6Z",
        "2025-03-01T0 :00:00Z",
        "2025-03-01T00:00:0:Z",
        "2025-03-01T00:00:00/00:00",
        "0000-12-31T23:59:59Z",
        "0000-00-00T00:00:00Z",
        "9999-12-31T23:59:59-00:01",
        "0001-01-01T00:00:00+00:01",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        assert_refused(texts[i], strlen(texts[i]));
    assert_refused("2025-03-01T00:00:00Z\0", 21);
    assert_refused("2025-03-01T00:00:00\0", 20);
}

static void first_and_last_instants_are_taken_in_any_offset(void **state)
{
    (void)state;
    assert_int_equal(parsed("0001-01-01T00:00:00Z"), CIVIL_MIN_US);
    assert_int_equal(parsed("0000-12-31T23:00:00-01:00"), CIVIL_MIN_US);
    assert_int_equal(parsed("9999-12-31T23:59:59.999999Z"), CIVIL_END_US - 1);
}

/* Every byte of a good text, replaced by any other: what is still taken differs from a good text
 * only in digits, the letters' case or the separator, and a cut text is refused. */
static void one_wrong_byte_is_refused(void **state)
{
    (void)state;
    char text[] = "2025-03-01T12:34:56.789+01:30";
    size_t size = sizeof(text) - 1;
    for (size_t i = 0; i < size; i++) {
        char saved = text[i];
        for (int c = 0; c < 256; c++) {
            int64_t t_us;
            text[i] = (char)c;
            bool digit = c >= '0' && c <= '9', was_digit = saved >= '0' && saved <= '9';
            bool may = was_digit ? digit
                                 : strchr(i == 10   ? "Tt "
                                          : i == 23 ? "+-"
                                                    : (char[]){saved, 0},
                                          c) &&
                                       c;
            if (may && (i == 23 || i == 10))
                assert_int_equal(civil_parse_rfc3339(text, size, &t_us), 0);
            if (!may &&
                !(i == 23 &&
                  digit)) /* a digit there makes the fraction longer and the offset broken */
                assert_refused(text, size);
        }
        text[i] = saved;
        assert_refused(text, i);
    }
}

static void fraction_has_the_fewest_exact_digits(void **state)
{
    (void)state;
    int64_t t_us = parsed("2025-03-01T00:00:00Z");
    assert_prints(t_us, 0, true, "2025-03-01T00:00:00Z");
    assert_prints(t_us, 0, false, "2025-03-01T00:00:00+00:00");
    assert_prints(t_us + 500000, 0, true, "2025-03-01T00:00:00.500Z");
    assert_prints(t_us + 10, 0, true, "2025-03-01T00:00:00.000010Z");
    assert_prints(t_us - 1, 0, true, "2025-02-28T23:59:59.999999Z");
    assert_prints(t_us, 5400, true, "2025-03-01T01:30:00+01:30");
    assert_prints(t_us, -12600, true, "2025-02-28T20:30:00-03:30");
}

static void seconds_of_an_offset_are_cut_and_the_instant_stays(void **state)
{
    (void)state;
    assert_prints(0, 3208, true, "1970-01-01T00:53:00+00:53"); /* Berlin's mean time is 53:28 */
    assert_prints(0, -59, true, "1970-01-01T00:00:00Z");
    assert_prints(0, 93599, false, "1970-01-01T23:59:00+23:59");
    assert_prints(0, -93599, false, "1969-12-31T00:01:00-23:59");
}

static void instants_outside_the_store_print_expanded_years(void **state)
{
    (void)state;
    assert_prints(CIVIL_END_US, 0, true, "+10000-01-01T00:00:00Z");
    assert_prints(CIVIL_MIN_US, -3600, true, "0000-12-31T23:00:00-01:00");
    assert_prints(INT64_MAX, 0, true, "+294247-01-10T04:00:54.775807Z");
    assert_prints(INT64_MAX, 3600, false, "+294247-01-10T04:00:54.775807+00:00");
    assert_prints(INT64_MIN, 0, true, "-290308-12-21T19:59:05.224192Z");
}

/* ---- durations ---- */

static void assert_duration(const char *text, bool client_forms, int32_t months, int32_t days,
                            int64_t us)
{
    struct duration d = {1, 1, 1};
    if (civil_parse_duration(text, strlen(text), client_forms, &d) < 0)
        fail_msg("'%s' was refused", text);
    if (d.months != months || d.days != days || d.us != us)
        fail_msg("'%s' is %d months, %d days, %lld us", text, d.months, d.days, (long long)d.us);
}

static void assert_no_duration(const char *text, size_t size, bool client_forms)
{
    struct duration d = {1, 2, 3};
    char *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, text, size);
    int rc = civil_parse_duration(copy, size, client_forms, &d);
    free(copy);
    if (rc != ERR_INVALID)
        fail_msg("'%.*s' was taken", (int)size, text);
    assert_true(d.months == 1 && d.days == 2 && d.us == 3);
}

static void parts_of_a_duration_stay_apart(void **state)
{
    (void)state;
    assert_duration("P1DT2H", false, 0, 1, 2 * US_PER_HOUR);
    assert_duration("PT24H", false, 0, 0, 24 * US_PER_HOUR);
    assert_duration("P1Y2M", false, 14, 0, 0);
    assert_duration("P1M", false, 1, 0, 0);
    assert_duration("PT1M", false, 0, 0, US_PER_MINUTE);
    assert_duration("P1W", false, 0, 7, 0);
    assert_duration("P10D", true, 0, 10, 0);
    assert_duration("-P7D", true, 0, -7, 0);
    assert_duration("-P1Y2M3W4DT5H6M7.000008S", false, -14, -25,
                    -(5 * US_PER_HOUR + 6 * US_PER_MINUTE + 7 * US_PER_SECOND + 8));
    assert_duration("P0D", false, 0, 0, 0);
    assert_duration("PT000060M", false, 0, 0, US_PER_HOUR);
}

static void last_time_part_may_have_a_fraction(void **state)
{
    (void)state;
    assert_duration("PT0.5S", false, 0, 0, 500000);
    assert_duration("PT0,5S", false, 0, 0, 500000);
    assert_duration("PT1.25H", false, 0, 0, 75 * US_PER_MINUTE);
    assert_duration("PT1H0.1M", false, 0, 0, US_PER_HOUR + 6 * US_PER_SECOND);
    assert_duration("PT0.0000019S", false, 0, 0, 1);
    assert_duration("-PT0.0000019S", false, 0, 0, -1);
    assert_duration("PT0.999999999999S", false, 0, 0, 999999);
}

static void forms_of_clients_are_read_when_asked_for(void **state)
{
    (void)state;
    assert_duration("90s", true, 0, 0, 90 * US_PER_SECOND);
    assert_duration("15m", true, 0, 0, 15 * US_PER_MINUTE);
    assert_duration("2h", true, 0, 0, 2 * US_PER_HOUR);
    assert_duration("1d", true, 0, 1, 0);
    assert_duration("1w", true, 0, 7, 0);
    assert_duration("900", true, 0, 0, 900 * US_PER_SECOND);
    static const char *const texts[] = {"90s", "15m", "1d", "900"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        assert_no_duration(texts[i], strlen(texts[i]), false);
}

static void text_that_is_no_duration_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "-",
        "P",
        "PT",
        "-P",
        "P1",
        "P1DT",
        "PT1",
        "1D",
        "D",
        "P1H",
        "PT1D",
        "PT1Y",
        "P1S",
        "PD",
        "PTS",
        "P-1D",
        "P+1D",
        "+P1D",
        "--P1D",
        "P 1D",
        "P1D ",
        " P1D",
        "p1d",
        "P1d",
        "PT1HT1M",
        "PT1M1H",
        "P1D1M",
        "P1D1D",
        "P1M1Y",
        "PT1S1S",
        "P0.5D",
        "P1.5M",
        "PT1.5H3M",
        "PT.5S",
        "PT5.S",
        "PT1.5.5S",
        "15M",
        "15ms",
        "1.5h",
        "-15m",
        "1h30m",
        "0x10",
        "1e3",
        "15 m",
        "m",
        "P1DT1H1X",
        "P99999999999999999999D",
        "99999999999999999999",
        "PT9223372036855S",
        "P2147483648D",
        "P2147483648M",
        "P178956971Y",
        "P178956970Y8M",
        "P306783379W",
        "-P2147483649D",
        "-PT9223372036855S",
        "PT2562047788H1M",
        "PT9223372036854.775808S",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        assert_no_duration(texts[i], strlen(texts[i]), true);
    assert_no_duration("P1D\0", 4, true);
    assert_no_duration("P1\0", 3, true);
    assert_no_duration("900\0", 4, true);
}

static void longest_durations_are_taken(void **state)
{
    (void)state;
    assert_duration("P2147483647D", false, 0, INT32_MAX, 0);
    assert_duration("-P2147483648D", false, 0, INT32_MIN, 0);
    assert_duration("P178956970Y7M", false, INT32_MAX, 0, 0);
    assert_duration("PT9223372036854.775807S", false, 0, 0, INT64_MAX);
    assert_duration("-PT9223372036854.775808S", false, 0, 0, INT64_MIN);
}

static void assert_prints_duration(struct duration d, const char *expected)
{
    char out[CIVIL_TEXT_MAX + 1];
    out[civil_print_duration(out, &d)] = '\0';
    assert_string_equal(out, expected);
}

static void duration_prints_in_its_shortest_form(void **state)
{
    (void)state;
    assert_prints_duration((struct duration){0, 0, 15 * US_PER_MINUTE}, "PT15M");
    assert_prints_duration((struct duration){0, 0, US_PER_HOUR}, "PT1H");
    assert_prints_duration((struct duration){0, 0, 24 * US_PER_HOUR}, "PT24H");
    assert_prints_duration((struct duration){0, 1, 0}, "P1D");
    assert_prints_duration((struct duration){0, 7, 0}, "P1W");
    assert_prints_duration((struct duration){1, 7, 0}, "P1M7D");
    assert_prints_duration((struct duration){12, 0, 0}, "P1Y");
    assert_prints_duration((struct duration){6, 0, 0}, "P6M");
    assert_prints_duration((struct duration){0, 0, 90 * US_PER_SECOND + 500000}, "PT1M30.5S");
    assert_prints_duration((struct duration){0, 0, 1}, "PT0.000001S");
    assert_prints_duration((struct duration){0, 0, 0}, "PT0S");
    assert_prints_duration((struct duration){0, -10, 0}, "-P10D");
    assert_prints_duration((struct duration){INT32_MIN, INT32_MIN, INT64_MIN},
                           "-P178956970Y8M2147483648DT2562047788H54.775808S");
    assert_prints_duration(
        (struct duration){INT32_MIN, INT32_MIN,
                          -(INT64_C(2562047787) * US_PER_HOUR + 59 * US_PER_MINUTE + 59999999)},
        "-P178956970Y8M2147483648DT2562047787H59M59.999999S");
}

static void printed_duration_comes_back(void **state)
{
    (void)state;
    static const int64_t grains[] = {1, US_PER_SECOND, US_PER_MINUTE, US_PER_HOUR};
    for (long i = rounds(); i > 0; i--) {
        int sign = random_u64() & 1 ? 1 : -1;
        struct duration d = {0}, back = {0};
        uint64_t which = random_u64();
        if (which & 1)
            d.months = sign * (int32_t)(random_u64() >> (33 + which / 8 % 31));
        if (which & 2)
            d.days = sign * (int32_t)(random_u64() >> (33 + which / 256 % 31));
        if (which & 4)
            d.us = sign * ((int64_t)(random_u64() >> (1 + which / 8192 % 63)) / grains[i & 3] *
                           grains[i & 3]);
        char out[CIVIL_TEXT_MAX];
        size_t n = civil_print_duration(out, &d);
        assert_true(n <= CIVIL_TEXT_MAX);
        if (civil_parse_duration(out, n, i & 1, &back) < 0 || back.months != d.months ||
            back.days != d.days || back.us != d.us)
            fail_msg("'%.*s' did not come back", (int)n, out);
    }
}

static void fixed_length_takes_a_day_as_24_hours(void **state)
{
    (void)state;
    int64_t us = 42;
    assert_int_equal(civil_fixed_us(&(struct duration){0, 2, 5}, &us), 0);
    assert_int_equal(us, 2 * US_PER_DAY + 5);
    assert_int_equal(civil_fixed_us(&(struct duration){0, -1, 0}, &us), 0);
    assert_int_equal(us, -US_PER_DAY);
    us = 42;
    assert_int_equal(civil_fixed_us(&(struct duration){1, 2, 5}, &us), ERR_MEANING);
    assert_int_equal(civil_fixed_us(&(struct duration){0, INT32_MAX, 0}, &us), ERR_LIMIT);
    assert_int_equal(civil_fixed_us(&(struct duration){0, 1, INT64_MAX}, &us), ERR_LIMIT);
    assert_int_equal(us, 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_day_of_the_years_1_to_9999_agrees_with_libc),
        cmocka_unit_test(days_before_the_year_1_go_on),
        cmocka_unit_test(instants_split_into_the_parts_that_timegm_joins),
        cmocka_unit_test(instant_printed_at_any_offset_comes_back),
        cmocka_unit_test(forms_that_rfc_3339_allows_are_read),
        cmocka_unit_test(digits_after_the_sixth_are_cut_off),
        cmocka_unit_test(text_outside_the_grammar_is_refused),
        cmocka_unit_test(first_and_last_instants_are_taken_in_any_offset),
        cmocka_unit_test(one_wrong_byte_is_refused),
        cmocka_unit_test(fraction_has_the_fewest_exact_digits),
        cmocka_unit_test(seconds_of_an_offset_are_cut_and_the_instant_stays),
        cmocka_unit_test(instants_outside_the_store_print_expanded_years),
        cmocka_unit_test(parts_of_a_duration_stay_apart),
        cmocka_unit_test(last_time_part_may_have_a_fraction),
        cmocka_unit_test(forms_of_clients_are_read_when_asked_for),
        cmocka_unit_test(text_that_is_no_duration_is_refused),
        cmocka_unit_test(longest_durations_are_taken),
        cmocka_unit_test(duration_prints_in_its_shortest_form),
        cmocka_unit_test(printed_duration_comes_back),
        cmocka_unit_test(fixed_length_takes_a_day_as_24_hours),
    };
    return cmocka_run_group_tests(tests, seed_random, NULL);
}
