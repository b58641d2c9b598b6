/* Who is worked for when, who sleeps until when, and that nobody is forgotten at the end. */
#include <config.h>

#include "../lib/test.h"

#include "http/workers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#define N_MAX 64

/* A job whose run lasts until it is let go. */
struct held {
    struct job job; /* first */
    int number;
    bool may_end;
    int n_runs, n_sleeps, n_wakes, n_freed;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct held rows[N_MAX];
static int order[N_MAX], n_order, n_running; /* the jobs by the time their runs began */
static struct workers *workers;

static void run(struct job *job)
{
    struct held *held = (struct held *)job;
    pthread_mutex_lock(&lock);
    if (n_order < N_MAX)
        order[n_order++] = held->number;
    n_running++;
    pthread_cond_broadcast(&changed);
    while (!held->may_end)
        pthread_cond_wait(&changed, &lock);
    n_running--;
    held->n_runs++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void count(int *n)
{
    pthread_mutex_lock(&lock);
    ++*n;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void sleep_one(struct job *job)
{
    count(&((struct held *)job)->n_sleeps);
}

static void wake_one(struct job *job)
{
    count(&((struct held *)job)->n_wakes);
}

static void free_one(struct job *job)
{
    count(&((struct held *)job)->n_freed);
}

static const struct job_type type = {run, sleep_one, wake_one, free_one};

/* Waits until *n is wanted; it has to be so soon. */
static void await(const int *n, int wanted)
{
    struct timespec until;
    int rc = 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 30;
    pthread_mutex_lock(&lock);
    while (*n != wanted && !rc)
        rc = pthread_cond_timedwait(&changed, &lock, &until);
    pthread_mutex_unlock(&lock);
    assert_int_equal(rc, 0);
}

static void let_end(int first, int end)
{
    pthread_mutex_lock(&lock);
    for (int i = first; i < end; i++)
        rows[i].may_end = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void start(unsigned n, size_t waiting_max)
{
    memset(rows, 0, sizeof(rows));
    n_order = n_running = 0;
    for (int i = 0; i < N_MAX; i++) {
        rows[i].job.type = &type;
        rows[i].number = i;
    }
    assert_int_equal(workers_start(n, waiting_max, &workers), 0);
}

/* Every owner that slept is awake, once. */
static void stop(void)
{
    workers_refuse(workers);
    workers_settle(workers);
    for (int i = 0; i < N_MAX; i++)
        assert_int_equal(rows[i].n_sleeps, rows[i].n_wakes);
    workers_stop(workers);
}

static void beginnings_run_in_their_order_and_leave_one_thread(void **state)
{
    (void)state;
    start(3, 4);
    for (int i = 0; i < 6; i++)
        assert_int_equal(workers_begin(workers, &rows[i].job), 0);
    assert_int_equal(workers_begin(workers, &rows[6].job), ERR_BUSY);
    assert_int_equal(rows[6].n_sleeps, 0);
    await(&n_running, 2);
    workers_go_on(workers, &rows[10].job);
    await(&n_running, 3);
    assert_int_equal(order[2], 10); /* the thread that is left is for the pieces */
    let_end(10, 11);
    await(&n_running, 2);
    for (int i = 0; i < 6; i++) {
        let_end(i, i + 1);
        await(&rows[i].n_wakes, 1);
        await(&n_order, i < 4 ? 4 + i : 7); /* the next one has begun */
    }
    assert_int_equal(order[0] + order[1], 1);
    for (int i = 2; i < 6; i++)
        assert_int_equal(order[i + 1], i);
    assert_int_equal(workers_begin(workers, &rows[6].job), 0); /* there is room again */
    let_end(6, 7);
    await(&rows[6].n_wakes, 1);
    stop();
}

/* The only thread is kept until both kinds wait. */
static void beginnings_and_pieces_take_turns(void **state)
{
    static const int expected[] = {0, 10, 1, 11, 2, 12, 13};
    (void)state;
    start(1, 4);
    assert_int_equal(workers_begin(workers, &rows[0].job), 0);
    await(&n_running, 1);
    for (int i = 10; i < 14; i++)
        workers_go_on(workers, &rows[i].job);
    for (int i = 1; i < 3; i++)
        assert_int_equal(workers_begin(workers, &rows[i].job), 0);
    let_end(0, N_MAX);
    await(&n_order, 7);
    await(&n_running, 0);
    assert_memory_equal(order, expected, sizeof(expected));
    stop();
}

static void who_waits_for_a_piece_sleeps_only_while_it_is_made(void **state)
{
    (void)state;
    start(1, 1);
    assert_int_equal(workers_wait(workers, &rows[0].job), 0); /* idle */
    workers_go_on(workers, &rows[0].job);
    await(&n_running, 1);
    assert_int_equal(workers_wait(workers, &rows[0].job), 1);
    assert_int_equal(rows[0].n_sleeps, 1);
    let_end(0, 1);
    await(&rows[0].n_wakes, 1);
    assert_int_equal(workers_wait(workers, &rows[0].job), 0);
    assert_int_equal(rows[0].n_sleeps, 1);
    stop();
}

static void a_job_is_left_while_it_waits_runs_or_is_idle(void **state)
{
    (void)state;
    start(1, 1);
    workers_go_on(workers, &rows[0].job);
    workers_go_on(workers, &rows[1].job);
    workers_go_on(workers, &rows[2].job);
    await(&n_running, 1);
    assert_true(workers_leave(workers, &rows[2].job)); /* the last of the queue, */
    workers_go_on(workers, &rows[3].job);              /* which goes on behind it */
    assert_true(workers_leave(workers, &rows[1].job));
    assert_false(workers_leave(workers, &rows[0].job));
    let_end(0, N_MAX);
    await(&rows[0].n_freed, 1);
    await(&rows[3].n_runs, 1);
    assert_int_equal(rows[1].n_runs + rows[2].n_runs + rows[1].n_freed + rows[2].n_freed + rows[3].n_freed, 0);
    assert_true(workers_leave(workers, &rows[4].job));
    stop();
}

static void *settle(void *arg)
{
    workers_settle(workers);
    return arg;
}

static void at_the_end_those_that_wait_are_woken_and_those_that_run_are_waited_for(void **state)
{
    pthread_t thread;
    (void)state;
    start(2, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(workers_begin(workers, &rows[i].job), 0);
    workers_go_on(workers, &rows[10].job);
    await(&n_running, 2);
    workers_refuse(workers);
    int running = order[0] < 10 ? order[0] : order[1];
    for (int i = 0; i < 4; i++)
        await(&rows[i].n_wakes, i != running);
    assert_int_equal(workers_begin(workers, &rows[5].job), ERR_BUSY);
    assert_int_equal(pthread_create(&thread, NULL, settle, NULL), 0);
    assert_int_equal(rows[running].n_wakes, 0);
    let_end(0, N_MAX);
    pthread_join(thread, NULL);
    assert_int_equal(rows[running].n_wakes, 1);
    await(&n_running, 0);
    assert_int_equal(n_order, 2);
    pthread_mutex_lock(&lock);
    rows[11].may_end = false;
    pthread_mutex_unlock(&lock);
    workers_go_on(workers, &rows[11].job);
    await(&n_running, 1); /* a piece may be made still, but nobody may sleep for it */
    assert_int_equal(workers_wait(workers, &rows[11].job), ERR_CANCELLED);
    let_end(11, 12);
    await(&rows[11].n_runs, 1);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beginnings_run_in_their_order_and_leave_one_thread),
        cmocka_unit_test(beginnings_and_pieces_take_turns),
        cmocka_unit_test(who_waits_for_a_piece_sleeps_only_while_it_is_made),
        cmocka_unit_test(a_job_is_left_while_it_waits_runs_or_is_idle),
        cmocka_unit_test(at_the_end_those_that_wait_are_woken_and_those_that_run_are_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
