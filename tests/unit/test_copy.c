#include <config.h>

#include "../lib/random.h"
#include "../lib/stream.h"
#include "../lib/test.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/civil.h"
#include "common/clock.h"
#include "common/files.h"
#include "common/hash.h"
#include "store/copy.h"
#include "store/verify.h"

#define WAIT_US (20 * INT64_C(1000000))

static void check(struct store *store, const struct stream *stream, int64_t to)
{
    char wrong[400];
    store_compare(store, stream, to, wrong);
    if (*wrong)
        fail_msg("seed %llu, %lld messages: %s (%s)", (unsigned long long)stream->seed, (long long)to, wrong, store->dir);
}

static void open_store(struct store *store)
{
    if (store_open(store))
        fail_msg("%s", store->error);
}

static void take(struct store *store, const struct stream *stream, int64_t from, int64_t to)
{
    if (store_take(store, stream, from, to))
        fail_msg("%s", store->error);
}

/* A store that store_copy can write to: its folder is not there. */
static void make_place(struct store *copy, const struct store *of)
{
    store_make(copy, &of->opts);
    files_remove_tree(copy->dir);
}

static void copy_store(const struct copy_opts *opts)
{
    struct err_text error = {0};
    if (store_copy(opts, &error))
        fail_msg("%s", error.text);
}

static bool exists(const char *path)
{
    struct stat stat_of;
    return lstat(path, &stat_of) == 0;
}

/* ---- a store that goes on while it is copied ---- */

struct going_on {
    struct store *store;
    const struct stream *stream;
    int64_t next, step;
};

static void wait_until_flushed(struct store *store)
{
    struct store_counts counts = {.n_batches = 1};
    int64_t until_us = clock_mono_us() + WAIT_US;
    while (counts.n_batches) {
        assert_true(clock_mono_us() < until_us);
        assert_int_equal(store_count(store, &counts), 0);
        usleep(1000);
    }
}

/* After each file that was copied the store takes more and flushes it, so that what is copied next is ahead of the list. */
static int go_on(void *arg, int64_t bytes)
{
    struct going_on *going = arg;
    assert_true(bytes >= 0);
    if (going->next + going->step > going->stream->n_messages)
        return 0;
    take(going->store, going->stream, going->next, going->next + going->step);
    going->next += going->step;
    wait_until_flushed(going->store);
    return 0;
}

/* I1, I2, I8: a copy is one state, and a store that goes on from it ends as if nothing had happened. */
static void a_copy_taken_while_the_store_goes_on_is_one_state(void **state)
{
    (void)state;
    uint64_t n_rounds = getenv("ALMANAC_SOAK") ? 100 : 6;
    for (uint64_t round = 0; round < n_rounds; round++) {
        uint64_t seed = round;
        struct stream stream = {round + 70, 300, 40, round % 2 == 0};
        struct store store, copy;
        store_make(&store, &(struct writer_opts){.window = WINDOW_WEEK, .seal_after_us = 100 * US_PER_HOUR, .flush_bytes = 1});
        open_store(&store);
        int64_t first = 20 + random_below(&seed, 120);
        struct going_on going = {&store, &stream, first, 1 + random_below(&seed, 20)};
        take(&store, &stream, 0, first / 2);
        store_close(&store);
        assert_int_equal(store_seal(&store), 0); /* so that there are sealed files with open ones above them */
        open_store(&store);
        take(&store, &stream, first / 2, first);
        if (round % 4)
            wait_until_flushed(&store);
        make_place(&copy, &store);
        copy_store(&(struct copy_opts){.dir = store.dir, .dest = copy.dir, .link = round % 3 == 0,
                                        .copied = go_on, .arg = &going});
        assert_true(going.next > first);

        open_store(&copy);
        int64_t to = copy.claim.next_offset;
        assert_in_range(to, first, going.next);
        store_close(&copy);
        check(&copy, &stream, to);
        open_store(&copy); /* the numbers of its next batches are those that the first store has used meanwhile */
        take(&copy, &stream, to, stream.n_messages);
        store_close(&copy);
        check(&copy, &stream, stream.n_messages);
        take(&store, &stream, going.next, stream.n_messages);
        store_close(&store);
        check(&store, &stream, stream.n_messages);
        store_remove(&copy);
        store_remove(&store);
    }
}

static int tell_finding(void *arg, const struct verify_finding *finding)
{
    (void)arg;
    print_message("# %s: %s\n", finding->path, finding->what);
    return 0;
}

/* Nothing to find, also an hour later, when nothing is excused any more by its being new. */
static void assert_whole(const struct store *copy)
{
    struct verify_counts counts;
    struct err_text error = {0};
    clock_freeze(clock_wall_us() + US_PER_HOUR);
    assert_int_equal(verify_run(&(struct verify_opts){.dir = copy->dir, .found = tell_finding}, &counts, &error), 0);
    clock_freeze(INT64_MIN);
    assert_true(counts.n_readings > 0);
    assert_int_equal(counts.n_wrong + counts.n_remarks, 0);
}

/* I3: what is linked stays as it was when the store replaces and removes it. */
static void a_linked_copy_outlives_the_files_of_the_store(void **state)
{
    (void)state;
    struct stream stream = {4, 300, 40, true};
    struct store store, copy;
    store_make(&store, &(struct writer_opts){.window = WINDOW_DAY, .seal_after_us = 100 * US_PER_HOUR});
    open_store(&store);
    take(&store, &stream, 0, 200);
    store_close(&store);
    assert_int_equal(store_seal(&store), 0);
    make_place(&copy, &store);
    copy_store(&(struct copy_opts){.dir = store.dir, .dest = copy.dir, .link = true});
    assert_whole(&copy);
    open_store(&store);
    take(&store, &stream, 200, 300);
    store_close(&store);
    assert_int_equal(store_seal(&store), 0);
    check(&store, &stream, 300);
    check(&copy, &stream, 200);
    store_remove(&store);
    check(&copy, &stream, 200);
    store_remove(&copy);
}

/* ---- what goes wrong ---- */

static int refuse(void *arg, int64_t bytes)
{
    int *left = arg;
    (void)bytes;
    return (*left)-- ? 0 : ERR_CANCELLED;
}

static void a_copy_that_is_stopped_leaves_nothing(void **state)
{
    (void)state;
    struct stream stream = {5, 100, 10, false};
    struct store store, copy;
    char part[300];
    store_make(&store, &(struct writer_opts){.window = WINDOW_DAY, .seal_after_us = 100 * US_PER_HOUR});
    open_store(&store);
    take(&store, &stream, 0, 100);
    store_close(&store);
    assert_int_equal(store_seal(&store), 0);
    make_place(&copy, &store);
    snprintf(part, sizeof(part), "%s.part", copy.dir);
    int n = 0, rc = ERR_CANCELLED;
    for (; rc && n < 1000; n++) {
        int left = n;
        rc = store_copy(&(struct copy_opts){.dir = store.dir, .dest = copy.dir, .copied = refuse, .arg = &left}, NULL);
        assert_true(rc == 0 || rc == ERR_CANCELLED);
        assert_false(exists(part));
        assert_int_equal(exists(copy.dir), rc == 0);
    }
    assert_in_range(n, 4, 999);
    check(&copy, &stream, 100);
    store_remove(&copy);
    store_remove(&store);
}

static void a_place_in_use_is_left_alone(void **state)
{
    (void)state;
    struct store store, copy;
    struct err_text error = {0};
    char part[300], path[400];
    store_make(&store, &(struct writer_opts){.window = WINDOW_DAY});
    store_make(&copy, &store.opts);
    assert_int_equal(store_copy(&(struct copy_opts){.dir = store.dir, .dest = copy.dir}, &error), ERR_EXISTS);
    assert_non_null(strstr(error.text, copy.dir));
    files_remove_tree(copy.dir);
    /* a folder of somebody else's stands where the copy is to be made; the rest of a copy is taken away */
    snprintf(part, sizeof(part), "%s.part", copy.dir);
    snprintf(path, sizeof(path), "%s/letter", part);
    assert_int_equal(mkdir(part, 0777), 0);
    fclose(fopen(path, "w"));
    assert_int_equal(store_copy(&(struct copy_opts){.dir = store.dir, .dest = copy.dir}, &error), ERR_EXISTS);
    assert_true(exists(path));
    snprintf(path, sizeof(path), "%s/incomplete", part);
    fclose(fopen(path, "w"));
    copy_store(&(struct copy_opts){.dir = store.dir, .dest = copy.dir});
    assert_false(exists(part));
    store_remove(&copy);
    store_remove(&store);
}

/* I3 */
static void a_damaged_file_is_not_copied(void **state)
{
    (void)state;
    struct stream stream = {6, 200, 10, false};
    struct store store, copy;
    struct err_text error = {0};
    char command[600];
    store_make(&store, &(struct writer_opts){.window = WINDOW_MONTH, .seal_after_us = 100 * US_PER_HOUR});
    open_store(&store);
    take(&store, &stream, 0, 200);
    store_close(&store);
    assert_int_equal(store_seal(&store), 0);
    snprintf(command, sizeof(command), "f=$(ls %s/*.raw.*) && chmod +w $f && printf x | dd of=$f bs=1 seek=3000 conv=notrunc "
                                       "status=none", store.folder);
    assert_int_equal(system(command), 0);
    make_place(&copy, &store);
    assert_int_equal(store_copy(&(struct copy_opts){.dir = store.dir, .dest = copy.dir}, &error), ERR_CORRUPT);
    assert_non_null(strstr(error.text, ".raw.g"));
    assert_false(exists(copy.dir));
    store_remove(&copy);
    store_remove(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_taken_while_the_store_goes_on_is_one_state),
        cmocka_unit_test(a_linked_copy_outlives_the_files_of_the_store),
        cmocka_unit_test(a_copy_that_is_stopped_leaves_nothing),
        cmocka_unit_test(a_place_in_use_is_left_alone),
        cmocka_unit_test(a_damaged_file_is_not_copied),
    };
    return hash_init() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
