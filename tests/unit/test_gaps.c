/* Completeness against plain counting: every slot by itself. */
#include <config.h>

#include "query/gaps.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../lib/fake_reader.h"
#include "../lib/random.h"
#include "../lib/test.h"
#include "common/civil.h"

#define T0 INT64_C(1743292800000000) /* 2025-03-30T00:00:00Z: clocks change in Berlin */

static struct fake_series series = {.info = {.id = 7, .entity = "m", .type = "Load", .property = "energy", .unit = "Wh"}};
static struct grid grid;

static void put(int64_t t_us)
{
    struct points *points = &series.points;
    assert_int_equal(points_reserve(points, 1), 0);
    points->t_us[points->n] = t_us;
    points->m[points->n] = 1;
    points->e[points->n] = 0;
    points->quality[points->n] = 0;
    points->period_us[points->n] = 15 * US_PER_MINUTE;
    points->issued_us[points->n] = ISSUED_NONE;
    points->known_ms[points->n++] = 0;
}

static void begin(const struct duration *step, const char *zone_name)
{
    const struct zone *zone = NULL;
    struct err_text error = {0};
    if (zone_name)
        assert_int_equal(zone_open(zone_name, &zone), 0);
    assert_int_equal(grid_init(&grid, step, zone, &error), 0);
    series.points.n = 0;
    fake_reader = (struct fake_reader){.series = &series, .n_series = 1, .rows_max = 5};
}

static struct gaps_counts ask(int64_t begin_us, int64_t end_us, int64_t now_us, struct spans *missing)
{
    struct gaps_options options = {&grid, begin_us, end_us, now_us};
    struct gaps *gaps;
    struct span span;
    int rc;
    missing->n = 0;
    assert_int_equal(gaps_open(NULL, &series.info, &options, &gaps), 0);
    while ((rc = gaps_next(gaps, &span)) > 0) {
        assert_true(missing->n < 1000);
        missing->rows[missing->n++] = span;
    }
    assert_int_equal(rc, 0);
    struct gaps_counts counts = gaps_counts(gaps);
    gaps_close(gaps);
    return counts;
}

static bool has_reading(int64_t begin_us, int64_t end_us)
{
    return points_seek(&series.points, 0, begin_us) < points_seek(&series.points, 0, end_us);
}

/* The definition, slot by slot. */
static void assert_as_plain(int64_t begin_us, int64_t end_us, int64_t now_us, uint64_t seed)
{
    struct span rows[1000];
    struct spans missing = {.rows = rows};
    struct gaps_counts told = ask(begin_us, end_us, now_us, &missing), plain = {0};
    int64_t first_us = series.points.n ? series.points.t_us[0] : INT64_MAX;
    size_t run = 0;
    bool in_run = false;
    int64_t start_us = grid_start_us(&grid, begin_us);
    if (start_us < begin_us)
        start_us = grid_next_us(&grid, start_us);
    for (int64_t next_us; start_us < end_us; start_us = next_us) {
        next_us = grid_next_us(&grid, start_us);
        bool has = has_reading(start_us, next_us);
        bool never = next_us <= first_us, awaited = !never && !has && next_us > now_us, lacks = !never && !has && !awaited;
        plain.never += never;
        plain.awaited += awaited;
        plain.received += has;
        plain.expected += has || lacks;
        if (lacks && (run >= missing.n || start_us < rows[run].begin_us || next_us > rows[run].end_us))
            fail_msg("seed %" PRIu64 ": the slot at %" PRId64 " is missing and not told (run %zu of %zu)", seed, start_us, run,
                     missing.n);
        if (in_run && !lacks)
            assert_int_equal(rows[run++].end_us, start_us);
        in_run = lacks;
    }
    assert_int_equal(run + in_run, missing.n);
    if (memcmp(&told, &plain, sizeof(told)))
        fail_msg("seed %" PRIu64 ": expected %" PRId64 " for %" PRId64 ", received %" PRId64 " for %" PRId64 ", awaited %" PRId64
                 " for %" PRId64 ", never %" PRId64 " for %" PRId64,
                 seed, told.expected, plain.expected, told.received, plain.received, told.awaited, plain.awaited, told.never,
                 plain.never);
}

static void slots_are_told_as_plain_counting_tells_them(void **state)
{
    static const char *const zones[] = {NULL, "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu"};
    static const struct duration steps[] = {
        {.us = 15 * US_PER_MINUTE}, {.us = US_PER_HOUR}, {.days = 1}, {.us = 7 * US_PER_MINUTE}};
    const char *text = getenv("ALMANAC_SEED");
    uint64_t first = text ? strtoull(text, NULL, 10) : (uint64_t)getpid() * 7919;
    (void)state;
    print_message("# ALMANAC_SEED=%" PRIu64 "\n", first);
    for (uint64_t round = 0; round < 3000; round++) {
        uint64_t seed = first + round;
        begin(&steps[random_below(&seed, 4)], zones[random_below(&seed, 4)]);
        int64_t t_us = T0 - US_PER_DAY + random_below(&seed, US_PER_DAY);
        for (int64_t n = random_below(&seed, 200); n > 0; n--) {
            put(t_us);
            t_us += 1 + random_below(&seed, (random_below(&seed, 5) ? 20 : 200) * US_PER_MINUTE);
        }
        int64_t begin_us = T0 - 2 * US_PER_DAY + random_below(&seed, 3 * US_PER_DAY);
        int64_t end_us = begin_us + random_below(&seed, 4 * US_PER_DAY);
        int64_t now_us = begin_us + random_below(&seed, 5 * US_PER_DAY);
        assert_as_plain(begin_us, end_us, now_us, first + round);
        if (text)
            break;
    }
}

static void a_local_day_has_92_or_100_quarter_hours(void **state)
{
    struct span rows[10];
    struct spans missing = {.rows = rows};
    (void)state;
    begin(&(struct duration){.us = 15 * US_PER_MINUTE}, "Europe/Berlin");
    put(T0 - US_PER_HOUR);
    put(T0 + 22 * US_PER_HOUR - US_PER_MINUTE); /* in the day's last slot */
    struct gaps_counts counts = ask(T0 - US_PER_HOUR, T0 + 22 * US_PER_HOUR, INT64_MAX / 2, &missing);
    assert_int_equal(counts.expected, 92);
    assert_int_equal(counts.received, 2);
    int64_t autumn_us = T0 + 210 * US_PER_DAY - 2 * US_PER_HOUR; /* 2025-10-26 in Berlin */
    counts = ask(autumn_us, autumn_us + 25 * US_PER_HOUR, INT64_MAX / 2, &missing);
    assert_int_equal(counts.expected, 100);
    assert_int_equal(missing.n, 1);
}

static void two_readings_in_a_slot_do_not_stand_for_a_missing_one(void **state)
{
    struct span rows[10];
    struct spans missing = {.rows = rows};
    (void)state;
    begin(&(struct duration){.us = 15 * US_PER_MINUTE}, NULL);
    put(T0);
    put(T0 + US_PER_MINUTE);
    put(T0 + 30 * US_PER_MINUTE);
    struct gaps_counts counts = ask(T0, T0 + 45 * US_PER_MINUTE, INT64_MAX / 2, &missing);
    assert_int_equal(counts.received, 2);
    assert_int_equal(counts.expected, 3);
    assert_int_equal(missing.n, 1);
    assert_int_equal(rows[0].begin_us, T0 + 15 * US_PER_MINUTE);
    assert_int_equal(rows[0].end_us, T0 + 30 * US_PER_MINUTE);
}

static void a_failing_scan_ends_with_its_code(void **state)
{
    struct gaps_options options = {&grid, T0, T0 + US_PER_DAY, INT64_MAX / 2};
    struct gaps *gaps;
    struct span span;
    int rc;
    (void)state;
    begin(&(struct duration){.us = 15 * US_PER_MINUTE}, NULL);
    put(T0);
    fake_reader.fail_scan = ERR_CORRUPT;
    assert_int_equal(gaps_open(NULL, &series.info, &options, &gaps), 0);
    while ((rc = gaps_next(gaps, &span)) > 0)
        continue;
    assert_int_equal(rc, ERR_CORRUPT);
    gaps_close(gaps);
}

static int free_points(void **state)
{
    (void)state;
    points_free(&series.points);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_are_told_as_plain_counting_tells_them),
        cmocka_unit_test(a_local_day_has_92_or_100_quarter_hours),
        cmocka_unit_test(two_readings_in_a_slot_do_not_stand_for_a_missing_one),
        cmocka_unit_test(a_failing_scan_ends_with_its_code),
    };
    return cmocka_run_group_tests_name("gaps", tests, NULL, free_points);
}
