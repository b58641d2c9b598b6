/* What one request may read: each limit lets exactly so much through, says why it stopped, and is no limit where it is 0. */
#include <config.h>

#include "common/quota.h"

#include <string.h>

#include "../lib/test.h"
#include "common/civil.h"

static struct quota quota;

static void begin(int64_t points, int64_t series, int64_t span_us)
{
    quota_begin(&quota, &(struct quota_limits){points, series, span_us});
}

static int teardown(void **state)
{
    (void)state;
    quota_done(&quota);
    return 0;
}

static void says(const char *field, const char *text)
{
    assert_true(quota_is_over(&quota));
    assert_string_equal(quota.why.field, field);
    if (!strstr(quota.why.text, text))
        fail_msg("\"%s\" is not in \"%s\"", text, quota.why.text);
}

static void nothing_is_refused_without_limits(void **state)
{
    (void)state;
    begin(0, 0, 0);
    for (struct quota *of = &quota;; of = NULL) {
        assert_int_equal(quota_take_points(of, UINT64_MAX), 0);
        assert_int_equal(quota_take_series(of, 7, ""), 0);
        assert_int_equal(quota_check_points(of, UINT64_MAX, "step", ""), 0);
        assert_int_equal(quota_check_span(of, CIVIL_MIN_US, CIVIL_END_US, "from"), 0);
        assert_false(quota_is_over(of));
        if (!of)
            break;
    }
    assert_false(quota_limits_any(&quota.limits));
    assert_true(quota_limits_any(&(struct quota_limits){.span_us = 1}));
}

static void so_many_points_fit_and_not_one_more(void **state)
{
    (void)state;
    begin(100, 0, 0);
    assert_int_equal(quota_take_points(&quota, 60), 0);
    assert_int_equal(quota_check_points(&quota, 40, "step", ""), 0);
    assert_int_equal(quota_take_points(&quota, 40), 0);
    assert_false(quota_is_over(&quota));
    assert_int_equal(quota_take_points(&quota, 1), ERR_QUOTA);
    says("", "more than 100 readings");
}

static void what_is_foreseen_is_refused_and_not_taken(void **state)
{
    (void)state;
    begin(100, 0, 0);
    assert_int_equal(quota_take_points(&quota, 1), 0);
    assert_int_equal(quota_check_points(&quota, 100, "step", "take a step of PT1H"), ERR_QUOTA);
    says("step", "asks for 100 readings and buckets or more");
    says("step", "take a step of PT1H");
    assert_int_equal(quota_take_points(&quota, 99), 0);
}

static void a_series_counts_once(void **state)
{
    (void)state;
    begin(0, 4, 0);
    for (int round = 0; round < 2; round++)
        for (uint32_t id = 1; id < 200000; id += 99999)
            assert_int_equal(quota_take_series(&quota, id, "entity"), 0);
    assert_int_equal(quota_take_series(&quota, 64, "entity"), 0);
    assert_int_equal(quota_take_series(&quota, 65, "entity"), ERR_QUOTA);
    says("entity", "more than 4 series");
    assert_int_equal(quota_take_series(&quota, 64, "entity"), 0);
}

static void a_span_says_where_to_begin(void **state)
{
    (void)state;
    int64_t end_us = INT64_C(1740787200) * US_PER_SECOND; /* 2025-03-01 */
    begin(0, 0, 7 * US_PER_DAY);
    assert_int_equal(quota_check_span(&quota, end_us - 7 * US_PER_DAY, end_us, "from"), 0);
    assert_int_equal(quota_check_span(&quota, end_us, end_us - 30 * US_PER_DAY, "from"), 0);
    assert_int_equal(quota_check_span(&quota, end_us - 7 * US_PER_DAY - 1, end_us, "from"), ERR_QUOTA);
    says("from", "may have P1W");
    says("from", "begin at 2025-02-22T00:00:00Z");
    begin(0, 0, US_PER_DAY);
    assert_int_equal(quota_check_span(&quota, CIVIL_MIN_US, CIVIL_END_US, "sql"), ERR_QUOTA);
}

static void the_first_refusal_stays(void **state)
{
    (void)state;
    begin(1, 1, 0);
    assert_int_equal(quota_take_series(&quota, 1, ""), 0);
    assert_int_equal(quota_take_series(&quota, 2, "series"), ERR_QUOTA);
    assert_int_equal(quota_take_points(&quota, 2), ERR_QUOTA);
    says("series", "limits.series");
    quota_blame(&quota, "sql");
    says("sql", "limits.series");
}

static void what_has_no_end_counts_anew(void **state)
{
    (void)state;
    begin(10, 0, 0);
    assert_int_equal(quota_take_points(&quota, 11), ERR_QUOTA);
    quota_renew_points(&quota);
    assert_false(quota_is_over(&quota));
    assert_int_equal(quota_take_points(&quota, 10), 0);
    quota_renew_points(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nothing_is_refused_without_limits, teardown),
        cmocka_unit_test_teardown(so_many_points_fit_and_not_one_more, teardown),
        cmocka_unit_test_teardown(what_is_foreseen_is_refused_and_not_taken, teardown),
        cmocka_unit_test_teardown(a_series_counts_once, teardown),
        cmocka_unit_test_teardown(a_span_says_where_to_begin, teardown),
        cmocka_unit_test_teardown(the_first_refusal_stays, teardown),
        cmocka_unit_test_teardown(what_has_no_end_counts_anew, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
