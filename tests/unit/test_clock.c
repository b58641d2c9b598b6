#include <config.h>

#include "common/clock.h"

#include <time.h>

#include "../lib/test.h"

static void wall_clock_counts_microseconds_since_1970(void **state)
{
    (void)state;
    int64_t before_s = time(NULL);
    int64_t now_us = clock_wall_us();
    int64_t after_s = time(NULL);
    assert_true(now_us >= (before_s - 1) * 1000000); /* time() may lag the clock by a tick */
    assert_true(now_us < (after_s + 2) * 1000000);
}

static void monotonic_clock_never_goes_back(void **state)
{
    (void)state;
    int64_t before_us = clock_mono_us();
    for (int i = 0; i < 10000; i++) {
        int64_t now_us = clock_mono_us();
        assert_true(now_us >= before_us);
        before_us = now_us;
    }
}

static void frozen_clocks_stand_until_released(void **state)
{
    (void)state;
    clock_freeze(-5);
    assert_int_equal(clock_wall_us(), -5);
    assert_int_equal(clock_mono_us(), -5);
    clock_freeze(INT64_MIN);
    assert_true(clock_wall_us() > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wall_clock_counts_microseconds_since_1970),
        cmocka_unit_test(monotonic_clock_never_goes_back),
        cmocka_unit_test(frozen_clocks_stand_until_released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
