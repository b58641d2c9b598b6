#include <config.h>

#include "../lib/random.h"
#include "../lib/stream.h"
#include "../lib/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "common/civil.h"
#include "common/clock.h"
#include "common/hash.h"
#include "model/reading.h"

/* What is wrong with the store after messages [0, to) ends the test. */
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

/* Messages [from, to) in batches of random sizes. */
static void take_all(struct store *store, const struct stream *stream, int64_t from, int64_t to, uint64_t *seed)
{
    while (from < to) {
        int64_t end = from + 1 + random_below(seed, 30);
        end = end < to ? end : to;
        take(store, stream, from, end);
        from = end;
    }
}

/* I1, I2: batches are repeated, cut otherwise, the process stops in between, and the length of windows is set anew. */
static void a_stream_is_kept_as_a_list_would_keep_it(void **state)
{
    (void)state;
    static const enum window_length lengths[] = {WINDOW_DAY, WINDOW_WEEK, WINDOW_MONTH, WINDOW_AUTO};
    uint64_t n_rounds = getenv("ALMANAC_SOAK") ? 100 : 8;
    for (uint64_t round = 0; round < n_rounds; round++) {
        uint64_t seed = round;
        struct stream stream = {round, 300, 40, round % 2 == 0};
        struct store store;
        store_make(&store, &(struct writer_opts){.window = lengths[round % 4], .seal_after_us = 100 * US_PER_HOUR,
                                                 .flush_bytes = round % 3 ? 800 : 1 << 20});
        int64_t done = 0;
        while (done < stream.n_messages) {
            open_store(&store);
            assert_int_equal(store.claim.next_offset, done ? done : -1);
            if (random_below(&seed, 3) == 0)
                store.opts.window = lengths[random_below(&seed, 4)];
            int64_t from = done - random_below(&seed, done < 50 ? done + 1 : 50); /* told again */
            int64_t to = done + 1 + random_below(&seed, 150);
            to = to < stream.n_messages ? to : stream.n_messages;
            take_all(&store, &stream, from, to, &seed);
            done = to;
            store_close(&store);
            check(&store, &stream, done);
            if (random_below(&seed, 3) == 0) {
                assert_int_equal(store_seal(&store), 0);
                check(&store, &stream, done);
            }
        }
        store_remove(&store);
    }
}

/* ---- with the background thread ---- */

/* Waits, while the writer works, until the partition's list satisfies the condition. */
static bool wait_for(struct store *store, bool (*condition)(const struct store_counts *counts), struct store_counts *counts)
{
    for (int64_t end_us = clock_mono_us() + 20 * US_PER_SECOND; clock_mono_us() < end_us;) {
        if (store_count(store, counts) == 0 && condition(counts))
            return true;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    return false;
}

static bool all_is_sealed(const struct store_counts *counts)
{
    return counts->n_raw && !counts->n_open && !counts->n_batches;
}

static bool is_sealed_again(const struct store_counts *counts)
{
    return all_is_sealed(counts) && counts->generation > 1;
}

static void old_windows_are_flushed_and_sealed_without_being_asked(void **state)
{
    (void)state;
    uint64_t seed = 5;
    struct stream stream = {5, 240, 6, true};
    struct store store;
    struct store_counts counts;
    store_make(&store, &(struct writer_opts){.window = WINDOW_DAY, .seal_after_us = 1000, .flush_bytes = 500});
    open_store(&store);
    take_all(&store, &stream, 0, 120, &seed);
    if (!wait_for(&store, all_is_sealed, &counts))
        fail_msg("not sealed: %d open, %d sealed, %d batches", counts.n_open, counts.n_raw, counts.n_batches);
    check(&store, &stream, 120);
    take_all(&store, &stream, 120, 240, &seed); /* a part of it is late */
    if (!wait_for(&store, is_sealed_again, &counts))
        fail_msg("not sealed again: %d open, %d sealed, %d batches", counts.n_open, counts.n_raw, counts.n_batches);
    store_close(&store);
    check(&store, &stream, 240);
    store_remove(&store);
}

/* I3: what a reader has open stays as it is while late data replaces it. */
static void a_sealed_file_that_is_replaced_stays_as_it_is(void **state)
{
    (void)state;
    uint64_t seed = 6;
    struct stream stream = {6, 200, 1, false};
    struct store store;
    char path[600];
    uint8_t before[32], after[32];
    store_make(&store, &(struct writer_opts){.window = WINDOW_MONTH, .seal_after_us = 100 * US_PER_HOUR});
    open_store(&store);
    take_all(&store, &stream, 0, 100, &seed);
    store_close(&store);
    assert_int_equal(store_seal(&store), 0);
    snprintf(path, sizeof(path), "%s/2024-03.raw.g1.db", store.folder);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(hash_file(path, before), 0);
    open_store(&store);
    take_all(&store, &stream, 100, 200, &seed);
    store_close(&store);
    assert_int_equal(hash_file(path, after), 0);
    assert_memory_equal(before, after, sizeof(before));
    assert_int_equal(store_seal(&store), 0); /* and removes what was retired */
    assert_int_equal(access(path, F_OK), -1);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    assert_int_equal(hash_file(path, after), 0);
    assert_memory_equal(before, after, sizeof(before));
    close(fd);
    snprintf(path, sizeof(path), "%s/2024-03.raw.g2.db", store.folder);
    assert_int_equal(access(path, F_OK), 0);
    check(&store, &stream, 200);
    store_remove(&store);
}

/* I4 */
static void a_claim_that_was_made_anew_ends_the_one_before(void **state)
{
    (void)state;
    static const struct owner other = {.generation = 2, .member = "other"};
    struct source source = {"cluster", STREAM_TOPIC, STREAM_PARTITION};
    struct stream stream = {7, 60, 2, false};
    struct store store;
    struct err_text error = {0};
    struct claim claim;
    void *handle;
    store_make(&store, &(struct writer_opts){.window = WINDOW_DAY, .seal_after_us = 100 * US_PER_HOUR});
    open_store(&store);
    take(&store, &stream, 0, 20);
    struct sink *sink = writer_sink(store.writer);
    assert_int_equal(sink->claim(sink, &source, &other, &claim, &handle, &error), 0);
    assert_int_equal(claim.next_offset, 20);
    assert_int_equal(store_take(&store, &stream, 20, 40), ERR_OWNER);
    assert_non_null(strstr(store.error, "claimed anew"));
    store_fill(&store, &stream, 20, 30);
    assert_int_equal(sink->take(sink, handle, &store.batch, &error), 0);
    sink->release(sink, handle);
    store_close(&store);
    check(&store, &stream, 30);
    store_remove(&store);
}

static void a_directory_has_one_writer(void **state)
{
    (void)state;
    struct store store;
    struct writer *second;
    struct err_text error = {0};
    char pid[24];
    store_make(&store, &(struct writer_opts){.window = WINDOW_DAY});
    open_store(&store);
    assert_int_equal(writer_open(&store.opts, &second, &error), ERR_BUSY);
    snprintf(pid, sizeof(pid), "(%ld)", (long)getpid());
    assert_non_null(strstr(error.text, pid));
    store_close(&store);
    open_store(&store);
    store_remove(&store);
}

static void a_writer_without_a_store_says_how_to_make_one(void **state)
{
    (void)state;
    struct writer *writer;
    struct err_text error = {0};
    struct writer_opts opts = {.dir = "/nonexistent/almanac"};
    assert_int_equal(writer_open(&opts, &writer, &error), ERR_NOTFOUND);
    assert_non_null(strstr(error.text, "/nonexistent/almanac"));
}

/* Refusals go with their batch, and a batch told again brings them once. */
static void refusals_are_kept_once(void **state)
{
    (void)state;
    struct stream stream = {8, 20, 1, false};
    struct store store;
    struct err_text error = {0};
    store_make(&store, &(struct writer_opts){.window = WINDOW_DAY, .seal_after_us = 100 * US_PER_HOUR});
    open_store(&store);
    struct sink *sink = writer_sink(store.writer);
    for (int64_t to = 5; to <= 9; to += 2) {
        store_fill(&store, &stream, 0, to);
        for (int64_t offset = 0; offset < to; offset += 2)
            assert_int_equal(batch_refuse(&store.batch, REFUSED_JSON, offset, 0, NULL, 0, -1, "x", 1, "no JSON"), 0);
        assert_int_equal(sink->take(sink, store.handle, &store.batch, &error), 0);
    }
    store_close(&store);
    struct store_counts counts;
    assert_int_equal(store_count(&store, &counts), 0);
    assert_int_equal(counts.next_offset, 9);
    assert_int_equal(counts.n_dead, 5);
    check(&store, &stream, 9);
    store_remove(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_is_kept_as_a_list_would_keep_it),
        cmocka_unit_test(old_windows_are_flushed_and_sealed_without_being_asked),
        cmocka_unit_test(a_sealed_file_that_is_replaced_stays_as_it_is),
        cmocka_unit_test(a_claim_that_was_made_anew_ends_the_one_before),
        cmocka_unit_test(a_directory_has_one_writer),
        cmocka_unit_test(a_writer_without_a_store_says_how_to_make_one),
        cmocka_unit_test(refusals_are_kept_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
