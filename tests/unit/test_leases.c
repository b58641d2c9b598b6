/* Views that wait for the next page: who gets which, how long they wait, how many there may be (I8). */
#include <config.h>

#include "http/leases.h"

#include <string.h>

#include "common/clock.h"
#include "common/hash.h"
#include "../lib/test.h"

#define START_US INT64_C(1000000000)

struct view {
    int n_closed;
};

void view_close(struct view *view)
{
    if (view)
        view->n_closed++;
}

static struct leases *leases;

static int setup(void **state)
{
    (void)state;
    clock_freeze(START_US);
    leases = leases_new();
    return leases && hash_init() == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    leases_free(leases);
    clock_freeze(INT64_MIN);
    return 0;
}

static void a_view_is_found_by_its_name_alone(void **state)
{
    (void)state;
    struct view first = {0}, second = {0}, *found = NULL;
    char first_name[LEASE_NAME_MAX], second_name[LEASE_NAME_MAX];
    assert_int_equal(leases_put(leases, &first, "a", first_name), 0);
    assert_int_equal(leases_put(leases, &second, "a", second_name), 0);
    assert_string_not_equal(first_name, second_name);
    assert_int_equal(leases_take(leases, "a", second_name, strlen(second_name), &found), 0);
    assert_ptr_equal(found, &second);
    assert_int_equal(leases_take(leases, "a", second_name, strlen(second_name) - 1, &found), ERR_EXPIRED);
    assert_int_equal(leases_take(leases, "a", "", 0, &found), ERR_EXPIRED);
    leases_give(leases, &first);
    leases_give(leases, &second);
    leases_give(leases, &second);
    assert_int_equal(first.n_closed + second.n_closed, 0);
}

static void a_view_left_for_ten_minutes_is_closed(void **state)
{
    (void)state;
    struct view view = {0}, *found;
    char name[LEASE_NAME_MAX];
    assert_int_equal(leases_put(leases, &view, "a", name), 0);
    leases_give(leases, &view);
    clock_freeze(START_US + LEASE_US);
    assert_int_equal(leases_take(leases, "a", name, strlen(name), &found), 0); /* in time: it waits anew */
    leases_give(leases, &view);
    clock_freeze(START_US + 2 * LEASE_US + 1);
    assert_int_equal(leases_take(leases, "a", name, strlen(name), &found), ERR_EXPIRED);
    assert_int_equal(view.n_closed, 1);
}

static void a_view_in_use_is_never_closed(void **state)
{
    (void)state;
    struct view view = {0}, *found;
    char name[LEASE_NAME_MAX];
    assert_int_equal(leases_put(leases, &view, "a", name), 0);
    clock_freeze(START_US + 100 * LEASE_US);
    assert_int_equal(leases_take(leases, "a", name, strlen(name), &found), 0);
    assert_int_equal(view.n_closed, 0);
    leases_give(leases, &view);
    leases_give(leases, &view);
}

static void of_too_many_the_one_used_longest_ago_goes(void **state)
{
    (void)state;
    static struct view views[LEASES_MAX + 1];
    char names[LEASES_MAX + 1][LEASE_NAME_MAX];
    memset(views, 0, sizeof(views));
    for (int i = 0; i < LEASES_MAX; i++) {
        clock_freeze(START_US + i);
        assert_int_equal(leases_put(leases, &views[i], "a", names[i]), 0);
    }
    assert_int_equal(leases_put(leases, &views[LEASES_MAX], "a", names[LEASES_MAX]), ERR_LIMIT); /* all are in use */
    for (int i = 0; i < LEASES_MAX; i++) {
        clock_freeze(START_US + 1000 - i);
        leases_give(leases, &views[i]);
    }
    assert_int_equal(leases_put(leases, &views[LEASES_MAX], "a", names[LEASES_MAX]), 0);
    for (int i = 0; i < LEASES_MAX; i++)
        assert_int_equal(views[i].n_closed, i == LEASES_MAX - 1);
    leases_give(leases, &views[LEASES_MAX]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_view_is_found_by_its_name_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_view_left_for_ten_minutes_is_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_view_in_use_is_never_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(of_too_many_the_one_used_longest_ago_goes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
