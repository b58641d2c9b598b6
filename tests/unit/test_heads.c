/* Heads are shared, and given to those who ask for the same series. */
#include <config.h>

#include "../lib/test.h"
#include "store/heads.h"

static void a_head_is_found_by_its_series_alone(void **state)
{
    struct heads *heads = heads_new();
    struct head *head = head_new(7);
    (void)state;
    assert_non_null(heads);
    assert_non_null(head);
    assert_null(heads_take(heads, 7));
    heads_keep(heads, head);
    assert_ptr_equal(heads_take(heads, 7), head);
    for (uint32_t bit = 1; bit; bit <<= 1)
        assert_null(heads_take(heads, 7 ^ bit));
    head_drop(head);
    head_drop(head);
    heads_free(heads);
}

static void a_head_lives_as_long_as_somebody_holds_it(void **state)
{
    struct heads *heads = heads_new();
    struct head *first = head_new(7), *second = head_new(7 + (1U << 20));
    (void)state;
    assert_non_null(heads);
    assert_non_null(first);
    assert_non_null(second);
    first->has_replayed = true;
    heads_keep(heads, first);
    heads_keep(heads, second); /* takes its place */
    assert_null(heads_take(heads, 7));
    heads_free(heads);
    assert_true(first->has_replayed);
    assert_int_equal(second->series_id, 7 + (1U << 20));
    head_drop(first);
    head_drop(second);
    head_drop(NULL);
    heads_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_found_by_its_series_alone),
        cmocka_unit_test(a_head_lives_as_long_as_somebody_holds_it),
    };
    return cmocka_run_group_tests_name("heads", tests, NULL, NULL);
}
