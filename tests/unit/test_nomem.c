/* The store when memory is refused, at each allocation in turn: a code, no harm, and nothing lost. */
#include <config.h>

#include "../lib/fault_heap.h"
#include "../lib/stream.h"
#include "../lib/test.h"

#include <stdio.h>

#include "common/civil.h"
#include "common/log.h"
#include "store/parcel.h"
#include "store/partition.h"
#include "store/rows.h"
#include "store/seal.h"

static const struct stream stream = {.seed = 11, .n_messages = 40, .n_days = 2, .with_wide = true};
static const struct writer_opts opts = {.window = WINDOW_DAY, .seal_after_us = 1000 * US_PER_HOUR};

/* ---- arithmetic without files ---- */

static int settle_some(void)
{
    struct rows rows = {.is_state = true};
    struct settled settled = {0};
    struct points points = {0};
    int rc = 0;
    for (int64_t i = 0; i < 200 && !rc; i++) {
        struct row *row = rows_add(&rows);
        if (!row) {
            rc = ERR_NOMEM;
            break;
        }
        *row = (struct row){.t_us = i % 70, .issued_us = i % 3 ? ISSUED_NONE : i % 5, .order = (uint64_t)i,
                            .op = i % 20 == 19 ? OP_DELETE : i % 50 == 7 ? OP_DELETE_RANGE : OP_VALUE, .period_us = 5};
        char text[20];
        rc = texts_intern(&rows.texts, text, (size_t)snprintf(text, sizeof(text), "s%lld", (long long)i), &row->m);
    }
    rc = rc ? rc : rows_settle(&rows, &settled);
    rc = rc ? rc : settled_in_force(&settled, true, &points);
    rc = rc ? rc : rows_add_points(&rows, &points, 0, points.n, 0);
    rows_free(&rows);
    settled_free(&settled);
    points_free(&points);
    return rc;
}

static void settling_without_memory_ends_with_a_code(void **state)
{
    (void)state;
    int hit = 1;
    for (int64_t n = 1; hit; n++) {
        fault_heap_arm(n);
        int rc = settle_some();
        hit = fault_heap_disarm();
        assert_int_equal(rc, hit ? ERR_NOMEM : 0);
    }
}

/* ---- the store ---- */

static void check(struct store *store, int64_t n)
{
    char wrong[400];
    store_compare(store, &stream, stream.n_messages, wrong);
    if (*wrong)
        fail_msg("allocation %lld: %s", (long long)n, wrong);
}

static void taking_without_memory_stores_nothing_and_may_be_repeated(void **state)
{
    (void)state;
    struct store store;
    struct err_text error = {0};
    int hit = 1;
    for (int64_t n = 1; hit; n += 1 + n / 8) {
        store_make(&store, &opts);
        assert_int_equal(store_open(&store), 0);
        store_fill(&store, &stream, 0, stream.n_messages);
        struct sink *sink = writer_sink(store.writer);
        fault_heap_arm(n);
        int rc = sink->take(sink, store.handle, &store.batch, &error);
        hit = fault_heap_disarm();
        if (rc) {
            assert_int_equal(rc, ERR_NOMEM);
            assert_int_equal(sink->take(sink, store.handle, &store.batch, &error), 0);
        }
        store_close(&store);
        check(&store, n);
        store_remove(&store);
    }
}

/* The flush at the orderly stop, the opening and the claim. */
static void opening_and_flushing_without_memory_lose_nothing(void **state)
{
    (void)state;
    struct store store;
    int hit_open = 1, hit_close = 1;
    for (int64_t n = 1; hit_open || hit_close; n += 1 + n / 3) {
        store_make(&store, &opts);
        assert_int_equal(store_open(&store), 0);
        assert_int_equal(store_take(&store, &stream, 0, 20), 0);
        fault_heap_arm(n);
        store_close(&store);
        hit_close = fault_heap_disarm();
        fault_heap_arm(n);
        int rc = store_open(&store);
        hit_open = fault_heap_disarm();
        if (rc && rc != ERR_NOMEM)
            fail_msg("allocation %lld: %s", (long long)n, store.error);
        if (rc)
            assert_int_equal(store_open(&store), 0);
        assert_int_equal(store_take(&store, &stream, 20, stream.n_messages), 0);
        store_close(&store);
        check(&store, n);
        store_remove(&store);
    }
}

static void sealing_without_memory_changes_nothing(void **state)
{
    (void)state;
    struct store store;
    int hit = 1;
    for (int64_t n = 1; hit; n += 1 + n / 3) {
        store_make(&store, &opts);
        assert_int_equal(store_open(&store), 0);
        assert_int_equal(store_take(&store, &stream, 0, 30), 0);
        store_close(&store);
        assert_int_equal(store_seal(&store), 0);
        assert_int_equal(store_open(&store), 0);
        assert_int_equal(store_take(&store, &stream, 30, stream.n_messages), 0);
        store_close(&store);
        fault_heap_arm(n);
        int rc = store_seal(&store);
        hit = fault_heap_disarm();
        if (rc) {
            assert_int_equal(rc, ERR_NOMEM);
            assert_int_equal(store_seal(&store), 0);
        }
        check(&store, n);
        store_remove(&store);
    }
}

static int quiet(void **state)
{
    (void)state;
    log_level_set((enum log_level)-1); /* failures are what is asked for */
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settling_without_memory_ends_with_a_code),
        cmocka_unit_test(taking_without_memory_stores_nothing_and_may_be_repeated),
        cmocka_unit_test(opening_and_flushing_without_memory_lose_nothing),
        cmocka_unit_test(sealing_without_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, quiet, NULL);
}
