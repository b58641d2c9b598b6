/* The notes of what changed when: never too little, few, and not much too much. */
#include <config.h>

#include "store/changes.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "../lib/random.h"
#include "../lib/test.h"
#include "common/civil.h"

#define SPAN_S 4000

static uint64_t seed;

static void random_start(void)
{
    const char *text = getenv("ALMANAC_SEED");
    seed = text ? strtoull(text, NULL, 10) : (uint64_t)getpid() * 7919;
    print_message("# ALMANAC_SEED=%" PRIu64 "\n", seed);
}

static int times(int n)
{
    return getenv("ALMANAC_SOAK") ? n * 50 : n;
}

/* Seconds that are told since a batch. */
static int64_t told_s(const struct changes *changes, int64_t since)
{
    int64_t told = 0, end_s = INT64_MIN;
    for (size_t i = 0; i < changes->n; i++) {
        struct change entry = changes->at[i];
        if (entry.batch <= since || entry.end_s <= end_s)
            continue;
        told += entry.end_s - (entry.begin_s > end_s ? entry.begin_s : end_s);
        end_s = entry.end_s;
    }
    return told;
}

static bool is_told(const struct changes *changes, int64_t s, int64_t batch)
{
    for (size_t i = 0; i < changes->n; i++)
        if (changes->at[i].begin_s <= s && changes->at[i].end_s > s && changes->at[i].batch >= batch)
            return true;
    return false;
}

static void assert_covers(const struct changes *changes, const int64_t *newest, int round)
{
    for (int64_t s = 0; s < SPAN_S; s++)
        if (newest[s] && !is_told(changes, s, newest[s]))
            fail_msg("round %d: second %" PRId64 " changed with batch %" PRId64 " and is not told", round, s, newest[s]);
}

static void through_a_blob(struct changes *changes, uint32_t series_id)
{
    struct buf blob = {0};
    struct changes back = {0};
    assert_int_equal(changes_encode(changes, series_id, &blob), 0);
    assert_int_equal(changes_decode(blob.data, blob.n, series_id, CHANGES_MAX, &back), 0);
    assert_true(back.n <= changes->n);
    for (size_t i = 0; i < changes->n; i++)
        assert_true(is_told(&back, changes->at[i].begin_s, changes->at[i].batch));
    changes_free(changes);
    *changes = back;
    buf_free(&blob);
}

/* Whatever the order of times and batches, what changed is told to whoever has not seen that batch. */
static void no_change_is_ever_lost(void **state)
{
    (void)state;
    for (int round = 0; round < times(200); round++) {
        struct changes changes = {0}, others = {0};
        int64_t newest[SPAN_S] = {0};
        int64_t batch = 1, length = 1 + random_below(&seed, 300);
        for (int n = (int)random_below(&seed, 200); n > 0; n--) {
            int64_t begin = random_below(&seed, SPAN_S), end = begin + 1 + random_below(&seed, length);
            end = end < SPAN_S ? end : SPAN_S;
            int64_t begin_us = begin * US_PER_SECOND + random_below(&seed, US_PER_SECOND);
            int64_t end_us = end * US_PER_SECOND - random_below(&seed, end - begin > 1 ? US_PER_SECOND : 1);
            batch += random_below(&seed, 3) == 0;
            assert_int_equal(changes_add(random_below(&seed, 4) ? &changes : &others, begin_us, end_us, batch, CHANGES_MAX), 0);
            for (int64_t s = begin; s < end; s++)
                newest[s] = batch;
            if (random_below(&seed, 20) == 0 && changes.n)
                through_a_blob(&changes, 7);
        }
        for (size_t i = 0; i < others.n; i++) /* as a seal unites two files */
            assert_int_equal(changes_add_entry(&changes, &others.at[i], CHANGES_MAX), 0);
        assert_true(changes.n <= CHANGES_MAX);
        for (size_t i = 1; i < changes.n; i++)
            assert_true(changes.at[i - 1].begin_s <= changes.at[i].begin_s);
        assert_covers(&changes, newest, round);
        changes_free(&changes);
        changes_free(&others);
    }
}

/* A series that fills up in order: whoever asks for the last k batches is told a small multiple of them. */
static void a_series_that_fills_in_order_is_told_by_its_age(void **state)
{
    (void)state;
    enum { N = 3000, LENGTH_S = 900 };
    struct changes changes = {0};
    for (int64_t batch = 1; batch <= N; batch++) {
        int64_t begin_us = (batch - 1) * LENGTH_S * US_PER_SECOND;
        assert_int_equal(changes_add(&changes, begin_us, begin_us + LENGTH_S * US_PER_SECOND, batch, CHANGES_MAX), 0);
        assert_true(changes.n <= CHANGES_MAX);
        for (int64_t k = 1; k <= batch; k *= 2)
            if (told_s(&changes, batch - k) > 3 * k * LENGTH_S)
                fail_msg("after %" PRId64 " batches the last %" PRId64 " are told as %" PRId64, batch, k,
                         told_s(&changes, batch - k) / LENGTH_S);
    }
    assert_int_equal(told_s(&changes, 0), N * LENGTH_S);
    changes_free(&changes);
}

static void a_correction_is_told_alone(void **state)
{
    (void)state;
    struct changes changes = {0};
    assert_int_equal(changes_add(&changes, 0, 30 * US_PER_DAY, 1, CHANGES_MAX), 0);
    for (int64_t batch = 2; batch < 2 + CHANGES_MAX / 2; batch++) {
        int64_t t_us = batch * US_PER_DAY + 500000;
        assert_int_equal(changes_add(&changes, t_us, t_us + 1, batch, CHANGES_MAX), 0);
        through_a_blob(&changes, 1);
        assert_int_equal(told_s(&changes, batch - 1), 1);
        assert_true(is_told(&changes, t_us / US_PER_SECOND, batch));
        assert_int_equal(told_s(&changes, batch), 0);
    }
    changes_free(&changes);
}

static void times_are_rounded_outwards(void **state)
{
    (void)state;
    static const struct {
        int64_t begin_us, end_us, begin_s, end_s;
    } cases[] = {{0, 1, 0, 1}, {0, 1000000, 0, 1}, {999999, 1000001, 0, 2}, {-1, 0, -1, 0}, {-1000001, -999999, -2, 0},
                 {CIVIL_MIN_US, CIVIL_END_US, CIVIL_MIN_US / US_PER_SECOND, CIVIL_END_US / US_PER_SECOND}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct changes changes = {0};
        assert_int_equal(changes_add(&changes, cases[i].begin_us, cases[i].end_us, 1, CHANGES_MAX), 0);
        through_a_blob(&changes, 1);
        assert_int_equal(changes.at[0].begin_s, cases[i].begin_s);
        assert_int_equal(changes.at[0].end_s, cases[i].end_s);
        changes_free(&changes);
    }
}

static void an_amount_concerns_its_period_and_a_deletion_its_range(void **state)
{
    (void)state;
    assert_int_equal(changes_row_end(&(struct row){.t_us = 5, .op = OP_VALUE}), 6);
    assert_int_equal(changes_row_end(&(struct row){.t_us = 5, .period_us = 100, .op = OP_VALUE}), 105);
    assert_int_equal(changes_row_end(&(struct row){.t_us = 5, .op = OP_DELETE}), 6);
    assert_int_equal(changes_row_end(&(struct row){.t_us = 5, .period_us = 100, .op = OP_DELETE_RANGE}), 105);
    assert_true(changes_row_end(&(struct row){.t_us = 5, .period_us = INT64_MAX, .op = OP_DELETE_RANGE}) == CIVIL_END_US);
}

static void a_damaged_blob_is_noticed(void **state)
{
    (void)state;
    struct changes changes = {0}, back = {0};
    struct buf blob = {0};
    for (int64_t i = 1; i < 10; i++)
        assert_int_equal(changes_add(&changes, i * US_PER_DAY, i * US_PER_DAY + 1, i, CHANGES_MAX), 0);
    assert_int_equal(changes_encode(&changes, 3, &blob), 0);
    assert_int_equal(changes_decode(blob.data, blob.n, 4, CHANGES_MAX, &back), ERR_CORRUPT);
    for (size_t bit = 0; bit < 8 * blob.n; bit++) {
        blob.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(changes_decode(blob.data, blob.n, 3, CHANGES_MAX, &back), ERR_CORRUPT);
        blob.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t size = 0; size < blob.n; size++)
        assert_int_equal(changes_decode(blob.data, size, 3, CHANGES_MAX, &back), ERR_CORRUPT);
    assert_int_equal(back.n, 0);
    assert_int_equal(changes_decode(blob.data, blob.n, 3, CHANGES_MAX, &back), 0);
    changes_free(&changes);
    changes_free(&back);
    buf_free(&blob);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_change_is_ever_lost),
        cmocka_unit_test(a_series_that_fills_in_order_is_told_by_its_age),
        cmocka_unit_test(a_correction_is_told_alone),
        cmocka_unit_test(times_are_rounded_outwards),
        cmocka_unit_test(an_amount_concerns_its_period_and_a_deletion_its_range),
        cmocka_unit_test(a_damaged_blob_is_noticed),
    };
    random_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
