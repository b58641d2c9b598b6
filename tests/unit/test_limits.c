/* What a principal may have at once: how many requests run, and how long is waited for bytes that were too many. */
#include <config.h>

#include "http/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../lib/test.h"
#include "common/clock.h"

#define START_US INT64_C(1000000000)

static struct limits *limits;
static int64_t now_us, wait_s;

static void begin(int64_t concurrent, int64_t bytes_per_s)
{
    limits_free(limits);
    limits = limits_new(&(struct limits_opts){concurrent, bytes_per_s});
    assert_non_null(limits);
    clock_freeze(now_us = START_US);
}

static void pass_us(int64_t us)
{
    clock_freeze(now_us += us);
}

static int teardown(void **state)
{
    (void)state;
    limits_free(limits);
    limits = NULL;
    clock_freeze(INT64_MIN);
    return 0;
}

static struct principal named(enum access_kind kind, const char *name)
{
    struct principal principal = {.kind = kind};
    snprintf(principal.name, sizeof(principal.name), "%s", name);
    return principal;
}

static int enter_as(enum access_kind kind, const char *name, struct limited **ret_place)
{
    struct principal principal = named(kind, name);
    struct err_text error = {0};
    int rc = limits_enter(limits, &principal, ret_place, &wait_s, &error);
    assert_int_equal(rc != 0, *error.text != '\0');
    if (rc == ERR_QUOTA && !strstr(error.text, name))
        fail_msg("\"%s\" does not say who", error.text);
    return rc;
}

static int enter(const char *name, struct limited **ret_place)
{
    return enter_as(ACCESS_TOKENS, name, ret_place);
}

static void without_limits_there_are_no_places(void **state)
{
    struct limited *place = (struct limited *)limits;
    struct principal principal = named(ACCESS_TOKENS, "a");
    (void)state;
    begin(0, 0);
    assert_int_equal(enter("a", &place), 0);
    assert_null(place);
    limits_spend(place, UINT64_MAX);
    limits_leave(place);
    assert_int_equal(limits_enter(NULL, &principal, &place, &wait_s, NULL), 0);
    assert_null(place);
}

static void so_many_run_and_the_next_waits_for_one_to_end(void **state)
{
    struct limited *first, *second, *third;
    (void)state;
    begin(2, 0);
    assert_int_equal(enter("a", &first), 0);
    assert_int_equal(enter("a", &second), 0);
    assert_int_equal(enter("a", &third), ERR_QUOTA);
    assert_null(third);
    assert_int_equal(wait_s, 1);
    limits_leave(first);
    assert_int_equal(enter("a", &third), 0);
    assert_int_equal(enter("a", &first), ERR_QUOTA);
    limits_leave(second);
    limits_leave(third);
}

static void others_are_not_held_up_though_they_have_the_same_name(void **state)
{
    struct limited *token, *user, *certificate, *other, *again;
    (void)state;
    begin(1, 0);
    assert_int_equal(enter_as(ACCESS_TOKENS, "a", &token), 0);
    assert_int_equal(enter_as(ACCESS_USERS, "a", &user), 0);
    assert_int_equal(enter_as(ACCESS_CERTIFICATES, "a", &certificate), 0);
    assert_int_equal(enter("b", &other), 0);
    assert_int_equal(enter_as(ACCESS_USERS, "a", &again), ERR_QUOTA);
    limits_leave(user);
    assert_int_equal(enter_as(ACCESS_USERS, "a", &again), 0);
    assert_ptr_equal(again, user);
}

static void a_second_is_ahead_and_the_rest_is_waited_for_exactly(void **state)
{
    struct limited *place, *again;
    (void)state;
    begin(0, 1000);
    assert_int_equal(enter("a", &place), 0);
    limits_spend(place, 1000);
    assert_int_equal(enter("a", &again), 0);
    limits_spend(place, 1);
    assert_int_equal(enter("a", &again), ERR_QUOTA);
    assert_int_equal(wait_s, 1);
    limits_spend(place, 4999);
    assert_int_equal(enter("a", &again), ERR_QUOTA);
    assert_int_equal(wait_s, 5);
    assert_int_equal(enter("b", &again), 0);
    pass_us(4999999);
    assert_int_equal(enter("a", &again), ERR_QUOTA);
    assert_int_equal(wait_s, 1);
    pass_us(1);
    assert_int_equal(enter("a", &again), 0);
}

/* Time in which nothing was asked pays for no more than a second. */
static void nothing_is_saved_up(void **state)
{
    struct limited *place, *again;
    (void)state;
    begin(0, 1000);
    assert_int_equal(enter("a", &place), 0);
    pass_us(INT64_C(3600000000));
    limits_spend(place, 3000);
    assert_int_equal(enter("a", &again), ERR_QUOTA);
    assert_int_equal(wait_s, 2);
}

static void small_pieces_come_to_the_same_as_a_large_one(void **state)
{
    struct limited *place, *again;
    (void)state;
    begin(0, 1 << 20);
    assert_int_equal(enter("a", &place), 0);
    for (int i = 0; i < 10 * 16; i++)
        limits_spend(place, 1 << 16);
    assert_int_equal(enter("a", &again), ERR_QUOTA);
    assert_int_equal(wait_s, 9);
    limits_spend(place, UINT64_C(1) << 40); /* a million seconds */
    assert_int_equal(enter("a", &again), ERR_QUOTA);
    assert_int_equal(wait_s, 9 + (1 << 20));
}

/* A debt is remembered though others come and go, and who owes and runs nothing is forgotten. */
static void who_owes_is_not_forgotten(void **state)
{
    struct limited *place, *other;
    char name[16];
    (void)state;
    begin(1, 1000);
    assert_int_equal(enter("debtor", &place), 0);
    limits_spend(place, 1000000);
    limits_leave(place);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "n-%d", i);
        assert_int_equal(enter(name, &other), 0);
        limits_leave(other);
    }
    assert_int_equal(enter("debtor", &place), ERR_QUOTA);
    assert_int_equal(wait_s, 999);
    pass_us(999 * INT64_C(1000000));
    assert_int_equal(enter("debtor", &place), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(without_limits_there_are_no_places, teardown),
        cmocka_unit_test_teardown(so_many_run_and_the_next_waits_for_one_to_end, teardown),
        cmocka_unit_test_teardown(others_are_not_held_up_though_they_have_the_same_name, teardown),
        cmocka_unit_test_teardown(a_second_is_ahead_and_the_rest_is_waited_for_exactly, teardown),
        cmocka_unit_test_teardown(nothing_is_saved_up, teardown),
        cmocka_unit_test_teardown(small_pieces_come_to_the_same_as_a_large_one, teardown),
        cmocka_unit_test_teardown(who_owes_is_not_forgotten, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
