#include <config.h>

#include "rollup/bucket.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "../lib/test.h"

static uint64_t random_state;

static uint64_t random_below(uint64_t n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (random_state >> 33) % n;
}

/* A run can be repeated with ALMANAC_SEED; ALMANAC_SOAK multiplies the work. */
static void random_start(void)
{
    const char *text = getenv("ALMANAC_SEED");
    random_state = text != NULL ? strtoull(text, NULL, 10) : (uint64_t)getpid() * 7919;
    print_message("# ALMANAC_SEED=%" PRIu64 "\n", random_state);
}

static int times(int n)
{
    const char *soak = getenv("ALMANAC_SOAK");
    int factor = soak != NULL ? atoi(soak) : 0;
    return n * (factor > 1 ? factor : factor == 1 ? 20 : 1);
}

static int64_t instant(const char *text)
{
    int64_t t_us;
    assert_int_equal(civil_parse_rfc3339(text, strlen(text), &t_us), 0);
    return t_us;
}

static const struct zone *open_zone(const char *name)
{
    const struct zone *zone;
    assert_int_equal(zone_open(name, &zone), 0);
    return zone;
}

static int try_grid(struct grid *grid, const char *step, const char *zone, struct err_text *error)
{
    struct duration duration;
    assert_int_equal(civil_parse_duration(step, strlen(step), false, &duration), 0);
    return grid_init(grid, &duration, zone != NULL ? open_zone(zone) : NULL, error);
}

static struct grid make_grid(const char *step, const char *zone)
{
    struct grid grid;
    struct err_text error = {0};
    assert_int_equal(try_grid(&grid, step, zone, &error), 0);
    return grid;
}

static void assert_bucket(const struct grid *grid, const char *t, const char *start, const char *next)
{
    assert_int_equal(grid_start_us(grid, instant(t)), instant(start));
    assert_int_equal(grid_next_us(grid, instant(start)), instant(next));
}

static void fixed_widths_lie_on_the_epoch_before_it_too(void **state)
{
    (void)state;
    struct grid grid = make_grid("PT7H", NULL);
    assert_bucket(&grid, "1970-01-01T08:00:00Z", "1970-01-01T07:00:00Z", "1970-01-01T14:00:00Z");
    assert_bucket(&grid, "1969-12-31T23:59:59.999999Z", "1969-12-31T17:00:00Z", "1970-01-01T00:00:00Z");
}

static void widths_from_24_hours_stay_on_the_epoch_in_any_zone(void **state)
{
    (void)state;
    struct grid grid = make_grid("PT24H", "Europe/Berlin");
    assert_bucket(&grid, "2025-03-30T01:00:00Z", "2025-03-30T00:00:00Z", "2025-03-31T00:00:00Z");
}

static void local_widths_restart_each_local_day(void **state)
{
    (void)state;
    struct grid grid = make_grid("PT7H", "Europe/Berlin");
    assert_bucket(&grid, "2025-03-29T20:30:00Z", "2025-03-29T20:00:00Z", "2025-03-29T23:00:00Z");
    assert_bucket(&grid, "2025-03-30T06:00:00Z", "2025-03-30T06:00:00Z", "2025-03-30T13:00:00Z");
    assert_bucket(&grid, "2025-03-30T21:00:00Z", "2025-03-30T20:00:00Z", "2025-03-30T22:00:00Z");
}

static void days_have_23_and_25_hours(void **state)
{
    (void)state;
    struct grid grid = make_grid("P1D", "Europe/Berlin");
    assert_bucket(&grid, "2025-03-30T12:00:00Z", "2025-03-29T23:00:00Z", "2025-03-30T22:00:00Z");
    assert_bucket(&grid, "2025-10-26T12:00:00Z", "2025-10-25T22:00:00Z", "2025-10-26T23:00:00Z");
    struct grid hours = make_grid("PT1H", "Europe/Berlin");
    assert_int_equal(grid_count(&hours, instant("2025-10-25T22:00:00Z"), instant("2025-10-26T23:00:00Z"), 100), 25);
}

static void skipped_date_has_no_bucket(void **state)
{
    (void)state;
    struct grid grid = make_grid("P1D", "Pacific/Apia");
    assert_bucket(&grid, "2011-12-30T09:59:59Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z");
    assert_bucket(&grid, "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z");
    struct grid hours = make_grid("PT1H", "Pacific/Apia");
    assert_bucket(&hours, "2011-12-30T10:30:00Z", "2011-12-30T10:00:00Z", "2011-12-30T11:00:00Z");
}

/* St John's went from 00:01 back to 23:01 of the day before: that second hour belongs to the new day. */
static void evening_that_comes_twice_belongs_to_the_new_day(void **state)
{
    (void)state;
    struct grid grid = make_grid("P1D", "America/St_Johns");
    assert_bucket(&grid, "2006-10-29T02:31:30Z", "2006-10-29T02:30:00Z", "2006-10-30T03:30:00Z");
    assert_bucket(&grid, "2006-10-29T03:00:00Z", "2006-10-29T02:30:00Z", "2006-10-30T03:30:00Z");
}

static void weeks_begin_on_monday_and_quarters_in_january(void **state)
{
    (void)state;
    struct grid week = make_grid("P1W", NULL), quarter = make_grid("P3M", NULL), year = make_grid("P1Y", NULL);
    assert_bucket(&week, "2025-03-02T23:00:00Z", "2025-02-24T00:00:00Z", "2025-03-03T00:00:00Z");
    assert_bucket(&quarter, "2025-12-31T00:00:00Z", "2025-10-01T00:00:00Z", "2026-01-01T00:00:00Z");
    assert_bucket(&year, "2024-06-01T00:00:00Z", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z");
    assert_bucket(&year, "0001-06-01T00:00:00Z", "0001-01-01T00:00:00Z", "0002-01-01T00:00:00Z");
}

static void other_steps_are_refused_by_name(void **state)
{
    (void)state;
    const char *bad[] = {"P2D", "P14D", "P2M", "P2Y", "P1M1D", "P1DT1H", "PT0.5S", "-P1D", "-PT1H", "P4M"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct grid grid;
        struct err_text error = {0};
        assert_int_equal(try_grid(&grid, bad[i], NULL, &error), ERR_INVALID);
        assert_string_equal(error.field, "step");
        assert_non_null(strstr(error.text, "\"-P") != NULL ? error.text : strstr(error.text, "\"P"));
    }
}

static void count_gives_up_at_its_maximum(void **state)
{
    (void)state;
    struct grid seconds = make_grid("PT1S", "Europe/Berlin"), years = make_grid("P1Y", NULL);
    assert_int_equal(grid_count(&seconds, CIVIL_MIN_US, CIVIL_END_US, 1000000), 1000000);
    assert_int_equal(grid_count(&years, CIVIL_MIN_US, CIVIL_END_US, 1000000), 9999);
    assert_int_equal(grid_count(&years, 5, 5, 10), 0);
    assert_int_equal(grid_count(&years, 5, 6, 10), 1);
    assert_int_equal(grid_count(&years, 5, 4, 10), 0);
}

/* ---- properties and the oracle, over zones with odd histories ---- */

static const struct {
    const char *zone, *odd; /* odd: near this instant something unusual happened */
} odd_zones[] = {
    {"Europe/Berlin", "2025-03-30T01:00:00Z"},     {"America/New_York", "2007-11-04T06:00:00Z"},
    {"Pacific/Apia", "2011-12-30T10:00:00Z"},      {"America/Sao_Paulo", "2017-10-15T03:00:00Z"},
    {"America/St_Johns", "2006-10-29T02:31:00Z"},  {"Atlantic/Azores", "2024-03-31T01:00:00Z"},
    {"America/Havana", "2023-11-05T05:00:00Z"},    {"Asia/Beirut", "2022-10-29T21:00:00Z"},
    {"Australia/Lord_Howe", "2020-04-04T15:00:00Z"}, {"Asia/Kathmandu", "1985-12-31T18:30:00Z"},
    {"Pacific/Kiritimati", "1994-12-31T10:00:00Z"}, {"Africa/Casablanca", "2023-03-19T02:00:00Z"},
    {"Asia/Amman", "2022-10-28T00:00:00Z"},        {"America/Santiago", "2022-09-11T04:00:00Z"},
};
#define ODD_ZONES_N (sizeof odd_zones / sizeof odd_zones[0])

static const struct {
    const char *step, *unit; /* unit: as grids.py reads it */
} steps[] = {
    {"P1D", "D"}, {"P1W", "W"}, {"P1M", "M1"}, {"P3M", "M3"}, {"P6M", "M6"}, {"P1Y", "M12"},
    {"PT15M", "F900000000"}, {"PT1H", "F3600000000"}, {"PT7H", "F25200000000"}, {"PT1.5S", "F1500000"},
};
#define STEPS_N (sizeof steps / sizeof steps[0])

static int64_t random_instant(size_t zone_i)
{
    int64_t around_s = random_below(2) == 0 ? 6 * 3600 : 6 * 86400;

    if (random_below(3) > 0)
        return instant(odd_zones[zone_i].odd) + (int64_t)random_below((uint64_t)around_s) * US_PER_SECOND -
               around_s / 2 * US_PER_SECOND;
    return instant("1980-01-02T00:00:00Z") + (int64_t)random_below(100 * 365) * US_PER_DAY +
           (int64_t)random_below(86400000) * 1000;
}

static void buckets_are_those_of_pythons_zoneinfo(void **state)
{
    (void)state;
    const char *source = getenv("TEST_SRCDIR");
    if (source == NULL || system("python3 -c 'import zoneinfo' 2>/dev/null") != 0) {
        print_message("# no python3 with zoneinfo, or no TEST_SRCDIR: the comparison is left out\n");
        return; /* skip() prints `not ok`, which automake counts as failed */
    }
    random_start();
    fflush(stdout);
    char command[4096];
    snprintf(command, sizeof command, "python3 '%s/tests/oracle/grids.py' 2>&1", source);
    FILE *out = popen(command, "w");
    assert_non_null(out);
    int n = times(30);
    for (size_t zone_i = 0; zone_i < ODD_ZONES_N; zone_i++) {
        for (int i = 0; i < n; i++) {
            size_t step_i = random_below(STEPS_N);
            struct grid grid = make_grid(steps[step_i].step, odd_zones[zone_i].zone);
            int64_t t_us = random_instant(zone_i), start_us = grid_start_us(&grid, t_us);
            fprintf(out, "%s %s %" PRId64 " %" PRId64 " %" PRId64 "\n", odd_zones[zone_i].zone, steps[step_i].unit, t_us,
                    start_us, grid_next_us(&grid, start_us));
        }
    }
    fprintf(out, "end %d\n", n * (int)ODD_ZONES_N);
    assert_int_equal(pclose(out), 0);
}

/* Every instant is in exactly one bucket: walking by grid_next meets the starts that grid_start gives, and counts alike. */
static void buckets_follow_each_other_without_hole_or_overlap(void **state)
{
    (void)state;
    random_start();
    for (int i = 0; i < times(2000); i++) {
        size_t zone_i = random_below(ODD_ZONES_N);
        struct grid grid = make_grid(steps[random_below(STEPS_N - 1)].step,
                                     random_below(8) == 0 ? NULL : odd_zones[zone_i].zone);
        int64_t begin_us = random_instant(zone_i), start_us = grid_start_us(&grid, begin_us), at_us = start_us;
        assert_true(start_us <= begin_us && begin_us < grid_next_us(&grid, start_us));
        bool fits = start_us < begin_us || start_us % (15 * US_PER_MINUTE) == 0;
        int n = 1 + (int)random_below(60);
        for (int k = 0; k < n; k++) {
            int64_t next_us = grid_next_us(&grid, at_us);
            assert_true(next_us > at_us);
            assert_int_equal(grid_start_us(&grid, at_us), at_us);
            assert_int_equal(grid_start_us(&grid, next_us - 1), at_us);
            if (k > 0)
                fits &= at_us % (15 * US_PER_MINUTE) == 0;
            at_us = next_us;
        }
        assert_int_equal(grid_count(&grid, begin_us, at_us, 1000), n);
        assert_int_equal(grid_count(&grid, begin_us, at_us + 1, 1000), n + 1);
        assert_int_equal(grid_fits(&grid, begin_us, at_us, 15 * US_PER_MINUTE), fits);
    }
}

static void grid_fits_a_tier_when_all_its_edges_do(void **state)
{
    (void)state;
    struct grid hours = make_grid("PT1H", NULL), odd = make_grid("PT40M", NULL), seven = make_grid("PT7M", NULL);
    int64_t t = instant("2025-03-01T00:00:00Z"), quarter = 15 * US_PER_MINUTE;
    assert_true(grid_fits(&hours, t, t + US_PER_DAY, quarter));
    assert_false(grid_fits(&odd, t, t + US_PER_DAY, quarter));
    assert_false(grid_fits(&hours, t, t + US_PER_DAY, 7 * US_PER_MINUTE));
    assert_true(grid_fits(&seven, 1, 7 * US_PER_MINUTE, quarter));
    assert_true(grid_fits(&seven, 0, 7 * US_PER_MINUTE, quarter));
    assert_false(grid_fits(&seven, 0, 7 * US_PER_MINUTE + 1, quarter));
    struct grid days = make_grid("P1D", "Asia/Kathmandu");
    assert_true(grid_fits(&days, t, t + 400 * US_PER_DAY, quarter));
    assert_false(grid_fits(&days, t, t + 400 * US_PER_DAY, US_PER_HOUR));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_widths_lie_on_the_epoch_before_it_too),
        cmocka_unit_test(widths_from_24_hours_stay_on_the_epoch_in_any_zone),
        cmocka_unit_test(local_widths_restart_each_local_day),
        cmocka_unit_test(days_have_23_and_25_hours),
        cmocka_unit_test(skipped_date_has_no_bucket),
        cmocka_unit_test(evening_that_comes_twice_belongs_to_the_new_day),
        cmocka_unit_test(weeks_begin_on_monday_and_quarters_in_january),
        cmocka_unit_test(other_steps_are_refused_by_name),
        cmocka_unit_test(count_gives_up_at_its_maximum),
        cmocka_unit_test(grid_fits_a_tier_when_all_its_edges_do),
        cmocka_unit_test(buckets_follow_each_other_without_hole_or_overlap),
        cmocka_unit_test(buckets_are_those_of_pythons_zoneinfo),
    };
    signal(SIGPIPE, SIG_IGN); /* an oracle that disagrees stops reading */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
