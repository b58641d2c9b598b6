/* The newest reading before an instant against plain looking at all of them. */
#include <config.h>

#include "query/newest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../lib/fake_reader.h"
#include "../lib/random.h"
#include "../lib/test.h"
#include "common/civil.h"

#define T0 INT64_C(1740787200000000)

static struct fake_series series = {
    .info = {.id = 7, .entity = "m", .type = "SmartMeter", .property = "voltage", .unit = "V"}};

static void put(int64_t t_us, int64_t m, uint8_t quality)
{
    struct points *points = &series.points;
    assert_int_equal(points_reserve(points, 1), 0);
    points->t_us[points->n] = t_us;
    points->m[points->n] = m;
    points->e[points->n] = -1;
    points->quality[points->n] = quality;
    points->period_us[points->n] = 0;
    points->issued_us[points->n] = ISSUED_NONE;
    points->known_ms[points->n++] = 0;
}

static int find(int64_t end_us, struct newest *ret)
{
    struct series_stats stats;
    assert_int_equal(view_stats(NULL, 7, &stats), 0);
    return newest_find(NULL, 7, &stats, end_us, ret);
}

static void begin(void)
{
    series.info.kind = KIND_GAUGE;
    series.points.n = 0;
    texts_free(&series.points.texts);
    fake_reader = (struct fake_reader){.series = &series, .n_series = 1, .rows_max = 5};
}

static void every_instant_finds_the_last_reading_before_it(void **state)
{
    const char *given = getenv("SEED");
    uint64_t seed = (uint64_t)(given ? atoll(given) : getpid());
    static const int64_t apart_us[8] = {US_PER_MINUTE, US_PER_MINUTE, US_PER_MINUTE, US_PER_MINUTE,
                                        US_PER_HOUR,   US_PER_HOUR,   US_PER_DAY,    400 * US_PER_DAY};
    (void)state;
    printf("# SEED=%" PRIu64 "\n", seed);
    for (int round = 0; round < 60; round++) {
        begin();
        int64_t t_us = T0, n = random_below(&seed, 200);
        for (int64_t i = 0; i < n; i++)
            put(t_us += 1 + random_below(&seed, apart_us[random_below(&seed, 8)]), random_below(&seed, 1000),
                (uint8_t)random_below(&seed, QUALITY_N) | QUALITY_ROUNDED);
        for (int k = 0; k < 40; k++) {
            bool beside = n && random_below(&seed, 2);
            int64_t end_us = beside ? series.points.t_us[random_below(&seed, n)] + random_below(&seed, 3) - 1
                                    : T0 + random_below(&seed, t_us - T0 + US_PER_DAY);
            struct newest newest;
            size_t i = points_seek(&series.points, 0, end_us);
            assert_int_equal(find(end_us, &newest), i > 0);
            if (!i)
                continue;
            assert_int_equal(newest.t_us, series.points.t_us[i - 1]);
            assert_int_equal(newest.value.m, series.points.m[i - 1]);
            assert_int_equal(newest.quality, series.points.quality[i - 1] & QUALITY_CLASS_MASK);
        }
    }
}

static void an_instant_amid_a_long_series_reads_little_of_it(void **state)
{
    struct newest newest;
    (void)state;
    begin();
    fake_reader.rows_max = 0;
    for (int i = 0; i < 200000; i++)
        put(T0 + i * US_PER_SECOND, i, QUALITY_MEASURED);
    put(T0 + 900 * US_PER_DAY, 1, QUALITY_MEASURED);
    assert_int_equal(find(T0 + 800 * US_PER_DAY, &newest), 1);
    assert_int_equal(newest.value.m, 199999);
    assert_in_range(fake_reader.n_rows, 1, 100000);
    assert_in_range(fake_reader.n_scans, 1, 30);
    fake_reader.n_scans = 0;
    assert_int_equal(find(CIVIL_END_US, &newest), 1);
    assert_int_equal(fake_reader.n_scans, 1);
}

static void states_are_told_by_their_text(void **state)
{
    struct newest newest;
    int64_t on;
    (void)state;
    begin();
    series.info.kind = KIND_STATE;
    assert_int_equal(texts_intern(&series.points.texts, "on", 2, &on), 0);
    put(T0, on, QUALITY_EDITED);
    assert_int_equal(find(T0 + 1, &newest), 1);
    assert_string_equal(newest.state, "on");
    assert_int_equal(newest.value.m, 0);
    fake_reader.fail_scan = ERR_IO;
    assert_int_equal(find(T0 + 1, &newest), ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_instant_finds_the_last_reading_before_it),
        cmocka_unit_test(an_instant_amid_a_long_series_reads_little_of_it),
        cmocka_unit_test(states_are_told_by_their_text),
    };
    int failed = cmocka_run_group_tests_name("newest", tests, NULL, NULL);
    points_free(&series.points);
    return failed;
}
