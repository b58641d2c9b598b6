#include <config.h>

#include "../lib/test.h"

#include "common/civil.h"
#include "store/seal.h"

#define NOW (1000 * US_PER_DAY)
#define AFTER (10 * US_PER_MINUTE)

static struct file open_file(int64_t end_us, int64_t changed_us, int64_t n_readings)
{
    return (struct file){.kind = FILE_OPEN, .window = {end_us - US_PER_DAY, end_us}, .changed_us = changed_us,
                         .n_readings = n_readings};
}

static struct file raw_file(int64_t end_us, int64_t changed_us, int64_t n_readings)
{
    struct file file = open_file(end_us, changed_us, n_readings);
    file.kind = FILE_RAW;
    return file;
}

static bool is_due(struct file open, struct file other)
{
    struct file at[] = {other, open};
    struct file_list files = {at, 2, 2};
    return seal_is_due(&files, &at[1], NOW, AFTER);
}

static void a_window_is_due_when_it_is_past_and_quiet(void **state)
{
    (void)state;
    struct file none = raw_file(5 * US_PER_DAY, 0, 1000);
    assert_true(is_due(open_file(NOW, NOW - AFTER, 1), none));
    assert_false(is_due(open_file(NOW + 1, NOW - AFTER, 1), none));
    assert_false(is_due(open_file(NOW, NOW - AFTER + 1, 1), none));
    assert_true(is_due(open_file(NOW - US_PER_DAY, NOW - US_PER_DAY, 0), none));
}

static void late_readings_wait_until_they_are_many_or_old(void **state)
{
    (void)state;
    struct file sealed = raw_file(NOW, NOW - US_PER_HOUR, 1000);
    assert_false(is_due(open_file(NOW, NOW - AFTER, 10), sealed));
    assert_true(is_due(open_file(NOW, NOW - AFTER, 11), sealed));
    assert_false(is_due(open_file(NOW, NOW - AFTER + 1, 11), sealed));
    sealed.changed_us = NOW - SEAL_LATE_MAX_US;
    assert_true(is_due(open_file(NOW, NOW - AFTER, 1), sealed));
    assert_true(is_due(open_file(NOW, NOW - AFTER, 1), raw_file(NOW, NOW, 0))); /* all of it was taken back before */
}

static void a_sealed_file_is_not_due(void **state)
{
    (void)state;
    struct file raw = raw_file(NOW - US_PER_DAY, 0, 1);
    struct file_list files = {&raw, 1, 1};
    assert_false(seal_is_due(&files, &raw, NOW, AFTER));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_is_due_when_it_is_past_and_quiet),
        cmocka_unit_test(late_readings_wait_until_they_are_many_or_old),
        cmocka_unit_test(a_sealed_file_is_not_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
