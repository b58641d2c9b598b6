#include <config.h>

#include "../lib/stream.h"
#include "../lib/test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "common/civil.h"
#include "common/clock.h"
#include "common/hash.h"
#include "http/exports.h"

/* The thread that writes exports, on a store of ten weeks, with others that make, list, read and drop them. */

#define N_ASKERS 3
#define N_EACH 4

static struct store store;
static struct snapshots *snapshots;
static struct exports *exports;

static int prepare(void **state)
{
    const struct stream stream = {11, 300, 70, true};
    (void)state;
    store_make(&store, &(struct writer_opts){.window = WINDOW_WEEK, .seal_after_us = 100 * US_PER_HOUR});
    snapshots = snapshots_new(store.dir);
    return !snapshots || hash_init() || store_open(&store) || store_take(&store, &stream, 0, 300);
}

static int clean(void **state)
{
    (void)state;
    snapshots_free(snapshots);
    store_close(&store);
    store_remove(&store);
    return 0;
}

static void start(void)
{
    struct err_text error = {0};
    if (exports_start(&(struct exports_opts){.dir = store.dir, .snapshots = snapshots}, &exports, &error))
        fail_msg("%s", error.text);
}

/* The answer of the call as the test goes on: snapshots are made one at a time, and only so many exports wait. */
static int make(const char *entity, char ret_id[static EXPORT_ID_MAX])
{
    const struct export_caller caller = {.name = "test"};
    struct parameters parameters = {0};
    struct err_text error = {0};
    int rc = parameters_add(&parameters, "entity", entity, &error);
    rc = rc ? rc : parameters_add(&parameters, "group", "1", &error);
    while (!rc && (rc = exports_make(exports, &parameters, &caller, ret_id, &error)) == ERR_BUSY) {
        rc = 0;
        sched_yield();
    }
    parameters_free(&parameters);
    return rc;
}

/* Whether it says "ready"; waits no longer than half a minute. */
static bool is_ready(const char *id)
{
    int64_t until_us = clock_mono_us() + 30 * US_PER_SECOND;
    bool ready = false, failed = false;
    while (!ready && !failed && clock_mono_us() < until_us) {
        struct err_text error = {0};
        struct buf told = {0};
        failed = exports_tell(exports, NULL, id, &told, &error) || !told.n;
        buf_putc(&told, '\0');
        ready = !failed && strstr((const char *)told.data, "\"ready\"");
        failed = failed || strstr((const char *)told.data, "\"failed\"");
        buf_free(&told);
        sched_yield();
    }
    return ready;
}

static bool has_manifest(const char *id)
{
    struct export_listed listed;
    struct err_text error = {0};
    int fd;
    if (exports_open_file(exports, NULL, id, "manifest.json", &listed, &fd, &error))
        return false;
    close(fd);
    return listed.n_bytes > 0;
}

static atomic_int n_good;

/* Makes exports, looks at the list all the while, and drops every other one, also while it is written. */
static void *ask(void *arg)
{
    const char *entity = arg;
    for (int i = 0; i < N_EACH; i++) {
        char id[EXPORT_ID_MAX];
        struct err_text error = {0};
        struct buf list = {0};
        bool good = !make(entity, id) && !exports_list(exports, NULL, &list) && list.n;
        buf_free(&list);
        if (i % 2)
            good = good && is_ready(id) && has_manifest(id);
        good = good && (i % 2 == 1 || !exports_drop(exports, NULL, id, &error));
        good = good && (i % 2 == 1 || exports_drop(exports, NULL, id, &error) == ERR_NOTFOUND);
        atomic_fetch_add(&n_good, good);
    }
    return NULL;
}

static void exports_are_made_listed_read_and_dropped_by_many_threads(void **state)
{
    static const char *const entities[N_ASKERS] = {"m-1", "m-2", "*"};
    pthread_t threads[N_ASKERS];
    (void)state;
    start();
    atomic_store(&n_good, 0);
    for (int i = 0; i < N_ASKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, (void *)(uintptr_t)entities[i]), 0);
    for (int i = 0; i < N_ASKERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&n_good), N_ASKERS * N_EACH);
    exports_stop(exports);
}

static void what_a_stop_breaks_off_is_gone_on_with(void **state)
{
    char ids[5][EXPORT_ID_MAX];
    (void)state;
    start();
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(make("*", ids[i]), 0);
    for (int round = 0; round < 4; round++) { /* wherever the thread is */
        exports_stop(exports);
        start();
    }
    for (size_t i = 0; i < 5; i++) {
        assert_true(is_ready(ids[i]));
        assert_true(has_manifest(ids[i]));
    }
    exports_stop(exports);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exports_are_made_listed_read_and_dropped_by_many_threads),
        cmocka_unit_test(what_a_stop_breaks_off_is_gone_on_with),
    };
    return cmocka_run_group_tests_name("exports", tests, prepare, clean);
}
