/* Sliding windows against each window added up by itself. */
#include <config.h>

#include "query/sliding.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../lib/fake_reader.h"
#include "../lib/random.h"
#include "../lib/test.h"
#include "common/civil.h"

#define T0 INT64_C(1740787200000000)

static struct fake_series series = {.info = {.id = 7, .entity = "m", .type = "SmartMeter", .property = "voltage", .unit = "V"}};

static void put(int64_t t_us, struct decimal value, uint8_t quality)
{
    struct points *points = &series.points;
    assert_int_equal(points_reserve(points, 1), 0);
    points->t_us[points->n] = t_us;
    points->m[points->n] = value.m;
    points->e[points->n] = value.e;
    points->quality[points->n] = quality;
    points->period_us[points->n] = 0;
    points->issued_us[points->n] = ISSUED_NONE;
    points->known_ms[points->n++] = 0;
}

static void begin(void)
{
    series.points.n = 0;
    fake_reader = (struct fake_reader){.series = &series, .n_series = 1, .rows_max = 7};
}

/* The oracle: every reading looked at for every window. */
static bool window_value(enum sliding_fn fn, int64_t begin_us, int64_t end_us, struct value *ret, struct exact *sum)
{
    struct decimal chosen = {0};
    uint64_t count = 0;
    *sum = (struct exact){0};
    for (size_t i = 0; i < series.points.n; i++) {
        struct decimal value = {series.points.m[i], series.points.e[i]};
        if (series.points.t_us[i] <= begin_us || series.points.t_us[i] > end_us || series.points.quality[i] == QUALITY_SUSPECT)
            continue;
        int order = fn == SLIDING_MIN || fn == SLIDING_MAX ? decimal_compare(value, chosen) : 0;
        bool better = fn == SLIDING_MIN ? order < 0 : fn != SLIDING_MAX || order > 0;
        if (!count++ || better)
            chosen = value;
        exact_add(sum, value);
    }
    *ret = (struct value){.type = VALUE_DECIMAL, .decimal = chosen};
    if (fn == SLIDING_COUNT)
        *ret = (struct value){.type = VALUE_COUNT, .count = count};
    else if (fn == SLIDING_SUM)
        *ret = (struct value){.type = VALUE_EXACT, .exact = sum};
    else if (fn == SLIDING_AVG && count)
        assert_int_equal(exact_divide(sum, count, 15, &ret->decimal), 0);
    return count > 0;
}

static void assert_same(const struct value *a, const struct value *b)
{
    assert_int_equal(a->type, b->type);
    if (a->type == VALUE_DECIMAL)
        assert_int_equal(decimal_compare(a->decimal, b->decimal), 0);
    else if (a->type == VALUE_COUNT)
        assert_int_equal(a->count, b->count);
    else
        assert_int_equal(exact_compare(a->exact, b->exact), 0);
}

static void check(const struct sliding_options *options)
{
    struct sliding *sliding;
    struct value found, expected;
    struct exact sum;
    int64_t t_us;
    assert_int_equal(sliding_open(NULL, options, &sliding), 0);
    for (int64_t at_us = options->start_us; at_us <= options->end_us; at_us += options->step_us) {
        if (!window_value(options->fn, at_us - options->window_us, at_us, &expected, &sum))
            continue;
        assert_int_equal(sliding_next(sliding, &t_us, &found), 1);
        assert_int_equal(t_us, at_us);
        assert_same(&found, &expected);
    }
    assert_int_equal(sliding_next(sliding, &t_us, &found), 0);
    assert_int_equal(sliding_next(sliding, &t_us, &found), 0);
    sliding_close(sliding);
}

static void every_window_is_as_if_it_were_alone(void **state)
{
    const char *given = getenv("SEED");
    uint64_t seed = (uint64_t)(given ? atoll(given) : getpid());
    (void)state;
    printf("# SEED=%" PRIu64 "\n", seed);
    for (int round = 0; round < 300; round++) {
        begin();
        /* with long units time between windows is passed over */
        int64_t t_us = T0, n = random_below(&seed, 120), unit_us = round % 2 ? 1 : 6 * US_PER_MINUTE;
        for (int64_t i = 0; i < n; i++)
            put(t_us += unit_us * (1 + random_below(&seed, random_below(&seed, 5) ? 10 : 400)),
                (struct decimal){random_below(&seed, 2000) - 1000, (int8_t)-random_below(&seed, 3)},
                random_below(&seed, 6) ? QUALITY_ESTIMATED : QUALITY_SUSPECT);
        for (int k = 0; k < 12; k++) {
            int64_t start_us = T0 + unit_us * (random_below(&seed, 300) - 50), rest_us = random_below(&seed, unit_us);
            check(&(struct sliding_options){
                7, KIND_GAUGE, false, (enum sliding_fn)random_below(&seed, SLIDING_N), start_us,
                start_us + unit_us * random_below(&seed, 1500),
                rest_us + unit_us * (1 + random_below(&seed, 60)),
                rest_us + unit_us * (1 + random_below(&seed, random_below(&seed, 2) ? 30 : 500)), NULL});
        }
    }
}

static void random_readings(uint64_t *seed, int64_t unit_us)
{
    int64_t t_us = T0, n = random_below(seed, 400);
    begin();
    fake_reader.raw_percent = (unsigned)random_below(seed, 3) * 40;
    series.info.kind = random_below(seed, 4) ? KIND_GAUGE : KIND_COUNTER;
    for (int64_t i = 0; i < n; i++)
        put(t_us += unit_us * (1 + random_below(seed, random_below(seed, 5) ? 10 : 900)),
            (struct decimal){random_below(seed, 2000) - 1000, (int8_t)-random_below(seed, 3)},
            random_below(seed, 6) ? QUALITY_ESTIMATED : QUALITY_SUSPECT);
}

static void cells_stand_for_the_readings_inside_of_long_windows(void **state)
{
    const char *given = getenv("SEED");
    uint64_t seed = (uint64_t)(given ? atoll(given) : getpid()), n_cells = 0;
    (void)state;
    printf("# SEED=%" PRIu64 "\n", seed);
    for (int round = 0; round < 200; round++) {
        /* many readings lie on edges, and just beside them */
        int64_t widths[] = {US_PER_SECOND, US_PER_MINUTE, 15 * US_PER_MINUTE}, width_us = widths[round % 3];
        random_readings(&seed, random_below(&seed, 2) ? width_us : width_us / 2);
        for (int k = 0; k < 8; k++) {
            int64_t start_us = T0 + width_us * (random_below(&seed, 900) - 100);
            check(&(struct sliding_options){
                7, series.info.kind, false, (enum sliding_fn)random_below(&seed, SLIDING_N), start_us,
                start_us + width_us * random_below(&seed, 3000), width_us * (60 + random_below(&seed, 200)),
                width_us * (60 + random_below(&seed, random_below(&seed, 2) ? 200 : 900)), NULL});
        }
        n_cells += fake_reader.n_cells;
    }
    assert_true(n_cells > 1000);
    series.info.kind = KIND_GAUGE;
}

static void edges_are_those_of_prometheus(void **state)
{
    struct sliding *sliding;
    struct value value;
    int64_t t_us;
    (void)state;
    begin();
    for (int i = 0; i <= 4; i++)
        put(T0 + i * US_PER_MINUTE, (struct decimal){i, 0}, QUALITY_MEASURED);
    const int64_t step_us = 2 * US_PER_MINUTE;
    struct sliding_options options = {.series_id = 7, .fn = SLIDING_SUM, .start_us = T0 + step_us, .end_us = T0 + 2 * step_us,
                                      .step_us = step_us, .window_us = step_us};
    assert_int_equal(sliding_open(NULL, &options, &sliding), 0);
    assert_int_equal(sliding_next(sliding, &t_us, &value), 1); /* 1 + 2: the reading at the begin is not in it */
    assert_int_equal(t_us, T0 + 2 * US_PER_MINUTE);
    assert_int_equal(exact_compare(value.exact, &(struct exact){.limb = {3}}), 0);
    assert_int_equal(sliding_next(sliding, &t_us, &value), 1);
    assert_int_equal(exact_compare(value.exact, &(struct exact){.limb = {7}}), 0);
    assert_int_equal(sliding_next(sliding, &t_us, &value), 0);
    sliding_close(sliding);
}

static void long_silence_costs_nothing(void **state)
{
    (void)state;
    begin();
    put(T0, (struct decimal){1, 0}, QUALITY_MEASURED);
    put(T0 + 3000 * US_PER_DAY, (struct decimal){2, 0}, QUALITY_MEASURED);
    struct sliding_options options = {.series_id = 7, .fn = SLIDING_LAST, .start_us = T0 - 3000 * US_PER_DAY,
                                      .end_us = T0 + 9000 * US_PER_DAY, .step_us = 1000, .window_us = 2500};
    struct sliding *sliding;
    struct value value;
    int64_t t_us;
    int n = 0;
    assert_int_equal(sliding_open(NULL, &options, &sliding), 0);
    while (sliding_next(sliding, &t_us, &value) > 0)
        n++;
    assert_int_equal(n, 6);
    sliding_close(sliding);
}

static void time_between_windows_is_not_read(void **state)
{
    struct sliding_options options = {.series_id = 7, .fn = SLIDING_COUNT, .start_us = T0, .end_us = T0 + 30 * US_PER_DAY,
                                      .step_us = US_PER_DAY, .window_us = 5 * US_PER_MINUTE};
    struct sliding *sliding;
    struct value value;
    int64_t t_us;
    int n = 0;
    (void)state;
    begin();
    fake_reader.rows_max = 0;
    for (int i = 0; i < 30 * 24 * 60; i++)
        put(T0 + i * US_PER_MINUTE / 10, (struct decimal){1, 0}, QUALITY_MEASURED);
    assert_int_equal(sliding_open(NULL, &options, &sliding), 0);
    while (sliding_next(sliding, &t_us, &value) > 0)
        n++;
    assert_int_equal(n, 4);
    assert_in_range(fake_reader.n_rows, 1, 5 * 4096);
    sliding_close(sliding);
}

static void readings_are_counted_down(void **state)
{
    struct sliding_options options = {.series_id = 7, .fn = SLIDING_COUNT, .start_us = T0 + US_PER_DAY, .end_us = T0 + US_PER_DAY,
                                      .step_us = 1000000, .window_us = US_PER_DAY};
    struct sliding *sliding;
    struct value value;
    int64_t t_us;
    (void)state;
    begin();
    for (int i = 1; i <= 100; i++)
        put(T0 + i, (struct decimal){1, 0}, QUALITY_MEASURED);
    for (uint64_t n = 99; n <= 101; n++) {
        uint64_t left = n;
        options.left = &left;
        options.step_us = US_PER_DAY;
        assert_int_equal(sliding_open(NULL, &options, &sliding), 0);
        assert_int_equal(sliding_next(sliding, &t_us, &value), n < 100 ? ERR_LIMIT : 1);
        assert_true(n < 100 || left == n - 100);
        sliding_close(sliding);
    }
}

static void too_long_windows_and_failing_reads_are_codes(void **state)
{
    struct sliding_options options = {.series_id = 7, .fn = SLIDING_AVG, .start_us = T0, .end_us = T0,
                                      .step_us = 1, .window_us = SLIDING_STEPS_MAX + 1};
    struct sliding *sliding;
    struct value value;
    int64_t t_us;
    (void)state;
    begin();
    assert_int_equal(sliding_open(NULL, &options, &sliding), ERR_LIMIT);
    fake_reader.fail_scan = ERR_EXPIRED;
    options.window_us = 5;
    assert_int_equal(sliding_open(NULL, &options, &sliding), 0);
    assert_int_equal(sliding_next(sliding, &t_us, &value), ERR_EXPIRED);
    sliding_close(sliding);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_window_is_as_if_it_were_alone),
        cmocka_unit_test(cells_stand_for_the_readings_inside_of_long_windows),
        cmocka_unit_test(edges_are_those_of_prometheus),
        cmocka_unit_test(long_silence_costs_nothing),
        cmocka_unit_test(time_between_windows_is_not_read),
        cmocka_unit_test(readings_are_counted_down),
        cmocka_unit_test(too_long_windows_and_failing_reads_are_codes),
    };
    int failed = cmocka_run_group_tests_name("sliding", tests, NULL, NULL);
    points_free(&series.points);
    return failed;
}
