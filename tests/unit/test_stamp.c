/* Valid times of every pattern are compared with Python's by tests/accept/74-mappings.py; here is what is no time, and
 * edges. */
#include <config.h>

#include "adapt/stamp.h"

#include <inttypes.h>
#include <stdio.h>

#include "../lib/test.h"
#include "common/civil.h"

/* The time as RFC 3339, with `local` behind it where its zone is to be known; "-" where it is none. */
static void reads_as(const char *form, const char *text, const char *want)
{
    struct stamp_format format;
    struct stamp stamp;
    char out[CIVIL_TEXT_MAX + 8] = "-";
    assert_int_equal(stamp_format_parse(form, &format), 0);
    if (stamp_parse(&format, text, strlen(text), &stamp) == 0) {
        size_t n = civil_print_rfc3339(out, stamp.t_us, 0, true);
        snprintf(out + n, sizeof out - n, "%s", stamp.is_local ? " local" : "");
    }
    if (strcmp(out, want) != 0)
        fail_msg("%s as %s is %s instead of %s", text, form, out, want);
}

static void iso_times_may_lack_what_is_zero_and_the_offset(void **state)
{
    (void)state;
    reads_as("iso", "2025-03-01", "2025-03-01T00:00:00Z local");
    reads_as("iso", "2025-03-01 7:05", "2025-03-01T07:05:00Z local");
    reads_as("iso", "2025-03-01T07:05:09.123456789", "2025-03-01T07:05:09.123456Z local");
    reads_as("iso", "2025-03-01T07:05:09,5+01:00", "2025-03-01T06:05:09.500Z");
    reads_as("iso", "2025-03-01 07:05 Z", "2025-03-01T07:05:00Z");
    reads_as("iso", "2025-03-01 24:00", "2025-03-02T00:00:00Z local");
    static const char *const none[] = {"",
                                       "2025-3",
                                       "25-03-01",
                                       "2025-02-29",
                                       "2025-03-01 24:01",
                                       "2025-03-01 7",
                                       "2025-03-01T",
                                       "2025-03-01 07:60",
                                       "2025-03-01 07:05:60",
                                       "2025-03-01 07:05:09.",
                                       "2025-03-01x",
                                       "2025-13-01",
                                       "2025-03-01 07:05+25:00",
                                       "2025-03-01 07:05+1",
                                       "0000-01-01",
                                       "2025-03-01 07:05 local"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        reads_as("iso", none[i], "-");
}

static void patterns_take_what_they_say_and_nothing_else(void **state)
{
    (void)state;
    reads_as("%m/%d/%Y %H:%M", "1/2/2022 0:15", "2022-01-02T00:15:00Z local");
    reads_as("%m/%d/%Y %H:%M", "1/2/2022    0:15", "2022-01-02T00:15:00Z local");
    reads_as("%Y%m%d%H%M%S", "20220102001530", "2022-01-02T00:15:30Z local");
    reads_as("%I:%M %p %d.%m.%y", "12:05 am 01.02.69", "1969-02-01T00:05:00Z local");
    reads_as("%I:%M %p %d.%m.%y", "12:05 PM 01.02.68", "2068-02-01T12:05:00Z local");
    reads_as("%Y-%j", "2024-366", "2024-12-31T00:00:00Z local");
    reads_as("%Y-%m-%dT%H:%M%z", "2022-01-02T00:15-0730", "2022-01-02T07:45:00Z");
    reads_as("100%% %Y", "100% 2022", "2022-01-01T00:00:00Z local");
    static const char *const none[][2] = {
        {"%Y-%j", "2023-366"}, {"%Y-%j", "2023-000"},      {"%d.%m.%Y", "31.04.2022"}, {"%d.%m.%Y", "1.4.2022 "},
        {"%d.%m.%Y", "1.4."},  {"%I %p %Y", "13 pm 2022"}, {"%I %p %Y", "0 am 2022"},  {"%I %p %Y", "1 xm 2022"},
        {"%H:%M", "10:00"},    {"%Y %H", "2022 25"}};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        reads_as(none[i][0], none[i][1], "-");
}

static void counts_since_1970_are_read_to_the_microsecond(void **state)
{
    (void)state;
    reads_as("unix_s", "1740787200", "2025-03-01T00:00:00Z");
    reads_as("unix_s", "1740787200.1234567", "2025-03-01T00:00:00.123456Z");
    reads_as("unix_s", "1.7407872e9", "2025-03-01T00:00:00Z");
    reads_as("unix_ms", "1740787200001", "2025-03-01T00:00:00.001Z");
    reads_as("unix_ms", "1740787200001.5", "2025-03-01T00:00:00.001500Z");
    reads_as("unix_us", "1740787200000001", "2025-03-01T00:00:00.000001Z");
    reads_as("unix_ns", "1740787200999999999", "2025-03-01T00:00:00.999999Z");
    reads_as("unix_ns", "-1", "1969-12-31T23:59:59.999999Z");
    reads_as("unix_s", "-0.0000001", "1969-12-31T23:59:59.999999Z");
    static const char *const none[] = {"",     "-",  "1x",  "1.x",          "99999999999999999999999999",
                                       "1e20", "1e", "NaN", "253402300800", "-62135596801"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        reads_as("unix_s", none[i], "-");
}

static void formats_are_names_or_patterns(void **state)
{
    (void)state;
    struct stamp_format format;
    static const char *const bad[] = {
        "", "ISO", "YYYY-MM-DD", "%Q", "%", "%Y %", "%Y-%m-%d %H:%M:%S %Y-%m-%d %H:%M:%S %Y-%m-%d %H:%M:%S %Y-%m-%d %H:%M:%S"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(stamp_format_parse(bad[i], &format), ERR_INVALID);
    assert_int_equal(stamp_format_parse("%Y %z", &format), 0);
    assert_false(stamp_format_is_local(&format));
    assert_int_equal(stamp_format_parse("%Y", &format), 0);
    assert_true(stamp_format_is_local(&format));
}

static void offsets_are_below_a_day(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int32_t offset_s;
    } good[] = {{"Z", 0}, {"+01:00", 3600}, {"-0730", -27000}, {"+05", 18000}, {"-00:30", -1800}};
    static const char *const bad[] = {"", "01:00", "+1", "+24:00", "+01:60", "+01:0", "+01:00x", "UTC"};
    int32_t offset_s;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(stamp_offset_parse(good[i].text, strlen(good[i].text), &offset_s), 0);
        assert_int_equal(offset_s, good[i].offset_s);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(stamp_offset_parse(bad[i], strlen(bad[i]), &offset_s), ERR_INVALID);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(iso_times_may_lack_what_is_zero_and_the_offset),
        cmocka_unit_test(patterns_take_what_they_say_and_nothing_else),
        cmocka_unit_test(counts_since_1970_are_read_to_the_microsecond),
        cmocka_unit_test(formats_are_names_or_patterns),
        cmocka_unit_test(offsets_are_below_a_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
