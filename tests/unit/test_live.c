#include <config.h>

#include "../lib/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "../lib/fake_source.h"
#include "common/clock.h"
#include "http/live.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t woken = PTHREAD_COND_INITIALIZER;
static int n_asleep, n_woken;
static struct live *live;

static void count_sleep(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&lock);
    n_asleep++;
    pthread_mutex_unlock(&lock);
}

static void count_wake(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&lock);
    n_woken++;
    pthread_cond_broadcast(&woken);
    pthread_mutex_unlock(&lock);
}

static const struct sleeper sleeper = {count_sleep, count_wake, NULL};

/* Waits until everybody who ever slept was woken. */
static void wait_woken(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    int rc = 0;
    pthread_mutex_lock(&lock);
    while (n_woken < n_asleep && !rc)
        rc = pthread_cond_timedwait(&woken, &lock, &until);
    pthread_mutex_unlock(&lock);
    assert_int_equal(n_woken, n_asleep);
}

static int begin(void **state)
{
    (void)state;
    n_asleep = n_woken = 0;
    return live_start(NULL, NULL, &live);
}

static int end(void **state)
{
    (void)state;
    live_stop(live);
    assert_int_equal(atomic_load(&fake_source.n_views), 0);
    return 0;
}

/* Until it sleeps: what it is told before is about the time before it. */
static void fall_asleep(struct listener *listener)
{
    int rc;
    while (!(rc = live_wait(live, listener, clock_mono_us(), &sleeper)))
        ;
    assert_int_equal(rc, 1);
}

/* Twice, as the first look of the ticker counts as a change, and may come before or after the one that is meant. */
static void change_twice(struct listener *listener)
{
    int64_t begin_us = clock_mono_us();
    for (int i = 0; i < 2; i++) {
        fall_asleep(listener);
        atomic_fetch_add(&fake_source.n_arrived, 1);
        wait_woken();
    }
    assert_in_range(clock_mono_us() - begin_us, 0, LIVE_SILENCE_US - 1);
}

static void a_change_wakes_who_sleeps_and_is_told_to_who_does_not(void **state)
{
    struct listener sleeping = {0}, awake = {0};
    (void)state;
    assert_int_equal(live_add(live, &sleeping), 0);
    change_twice(&sleeping);
    assert_int_equal(live_add(live, &awake), 0);
    change_twice(&sleeping);
    assert_int_equal(live_wait(live, &awake, clock_mono_us(), &sleeper), 0);
    assert_int_equal(live_wait(live, &sleeping, clock_mono_us(), &sleeper), 0);
    live_remove(live, &sleeping);
    live_remove(live, &awake);
}

static void silence_wakes_too(void **state)
{
    struct listener listener = {0};
    int64_t begin_us = clock_mono_us(), said_us = begin_us - LIVE_SILENCE_US + 600000;
    (void)state;
    assert_int_equal(live_add(live, &listener), 0);
    while (clock_mono_us() < said_us + LIVE_SILENCE_US)
        if (live_wait(live, &listener, said_us, &sleeper))
            wait_woken();
    assert_int_equal(live_wait(live, &listener, said_us, &sleeper), 0);
    assert_in_range(clock_mono_us() - begin_us, 0, LIVE_SILENCE_US - 1);
    live_remove(live, &listener);
}

static void who_is_gone_is_woken_for_the_end(void **state)
{
    _Atomic bool gone = false;
    struct listener listener = {.gone = &gone};
    (void)state;
    assert_int_equal(live_add(live, &listener), 0);
    fall_asleep(&listener);
    atomic_store(&gone, true);
    wait_woken();
    assert_int_equal(live_wait(live, &listener, clock_mono_us(), &sleeper), ERR_CANCELLED);
    live_remove(live, &listener);
}

static void there_is_room_for_so_many(void **state)
{
    static struct listener listeners[LIVE_LISTENERS_MAX + 1];
    (void)state;
    for (int i = 0; i < LIVE_LISTENERS_MAX; i++)
        assert_int_equal(live_add(live, &listeners[i]), 0);
    assert_int_equal(live_add(live, &listeners[LIVE_LISTENERS_MAX]), ERR_BUSY);
    live_remove(live, &listeners[7]);
    assert_int_equal(live_add(live, &listeners[7]), 0);
    for (int i = 0; i < LIVE_LISTENERS_MAX; i++)
        live_remove(live, &listeners[i]);
}

static void the_end_wakes_all_and_nobody_sleeps_after_it(void **state)
{
    struct listener a = {0}, b = {0};
    (void)state;
    assert_int_equal(live_add(live, &a), 0);
    assert_int_equal(live_add(live, &b), 0);
    fall_asleep(&a);
    live_refuse(live);
    wait_woken();
    assert_int_equal(live_wait(live, &a, clock_mono_us(), &sleeper), ERR_CANCELLED);
    assert_int_equal(live_wait(live, &b, clock_mono_us(), &sleeper), ERR_CANCELLED);
    live_remove(live, &a);
    live_remove(live, &b);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_change_wakes_who_sleeps_and_is_told_to_who_does_not), CASE(silence_wakes_too),
        CASE(who_is_gone_is_woken_for_the_end),                      CASE(there_is_room_for_so_many),
        CASE(the_end_wakes_all_and_nobody_sleeps_after_it),
    };
    return cmocka_run_group_tests_name("live", tests, NULL, NULL);
}
