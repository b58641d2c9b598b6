#include <config.h>

#include "../lib/models.h"
#include "../lib/random.h"
#include "../lib/test.h"

#include <stdio.h>
#include <zlib.h>

#include "store/parcel.h"

#define N_SERIES 8 /* the last two are states */

/* ---- a registry with a few series whose ids are not in the order of their indexes ---- */

static struct registry *registry;

static int make_registry(void **state)
{
    static const char *const entities[] = {"m-1", "m-2"};
    static const char *const properties[] = {"voltage", "current", "activePower", "tariff"};
    (void)state;
    registry = models_registry();
    for (size_t p = 0; p < 4; p++) {
        for (size_t i = 0; i < 2; i++) {
            struct entity *entity;
            struct series *series;
            const struct unit *from;
            enum refusal_reason reason;
            assert_int_equal(registry_entity(registry, entities[i], 3, "SmartMeter", 10, &entity, &reason), 0);
            assert_int_equal(registry_series(registry, entity, properties[p], strlen(properties[p]), NULL, 0, &series,
                                             &from, &reason), 0);
            series->id = series->index == 5 ? UINT32_MAX : (series->index * 5 + 3) % N_SERIES * 100 + 1;
        }
    }
    registry_persisted(registry, N_SERIES);
    return 0;
}

static int free_registry(void **state)
{
    (void)state;
    registry_free(registry);
    return 0;
}

/* ---- random readings ---- */

static int64_t random_number(uint64_t *seed)
{
    static const int64_t extremes[] = {INT64_MIN, INT64_MAX, INT64_MIN + 1, 0, -1, 1};
    int64_t i = random_below(seed, 30);
    if (i < 6)
        return extremes[i];
    int64_t m = (int64_t)(random_u64(seed) >> random_below(seed, 64));
    return i % 2 ? m : -m;
}

static void random_reading(struct batch *batch, uint64_t *seed, int64_t offset, bool plain)
{
    static const char *const states[] = {"", "on", "a state as long as a state may be: sixty-four bytes, no more than.."};
    struct reading *reading = batch_add(batch);
    assert_non_null(reading);
    reading->series_i = (uint32_t)random_below(seed, N_SERIES);
    reading->offset = offset;
    reading->t_us = plain ? 1700000000000000 + offset * 1000000 : random_number(seed);
    reading->known_ms = plain ? 1700000000000 + offset * 1000 : random_number(seed);
    reading->quality = plain ? 0 : (uint8_t)random_u64(seed);
    reading->period_us = plain || random_below(seed, 2) ? 0 : random_number(seed);
    reading->issued_us = plain || random_below(seed, 2) ? ISSUED_NONE : random_number(seed);
    reading->replayed = !plain && random_below(seed, 4) == 0;
    reading->op = (uint8_t)(random_below(seed, 8) ? (int64_t)OP_VALUE : random_below(seed, 3));
    if (registry_at(registry, reading->series_i)->kind != KIND_STATE) {
        reading->m = random_number(seed);
        reading->e = plain ? -1 : (int8_t)random_u64(seed);
    } else if (reading->op == OP_VALUE) {
        const char *text = states[random_below(seed, 3)];
        assert_int_equal(texts_intern(&batch->texts, text, strnlen(text, LIMIT_STATE_BYTES), &reading->m), 0);
    }
}

static void random_batch(struct batch *batch, uint64_t seed)
{
    batch_clear(batch);
    int64_t n = random_below(&seed, seed % 3 == 0 ? 1500 : 40);
    for (int64_t i = 0; i < n; i++)
        random_reading(batch, &seed, i, seed % 2);
}

/* ---- comparing ---- */

static bool same_reading(const struct batch *batch, const struct reading *reading, const struct rows *rows,
                         const struct row *row)
{
    bool same_value = rows->is_state ? reading->op != OP_VALUE || strcmp(texts_at(&batch->texts, reading->m),
                                                                         texts_at(&rows->texts, row->m)) == 0
                                     : reading->m == row->m && reading->e == row->e;
    return same_value && reading->t_us == row->t_us && reading->known_ms == row->known_ms && reading->op == row->op &&
           reading->quality == row->quality && reading->period_us == row->period_us &&
           reading->issued_us == row->issued_us && reading->replayed == row->replayed;
}

/* Every series' readings from begin on come back in their order, with consecutive orders; returns what is wrong. */
static const char *compare(const struct batch *batch, size_t begin, const struct parcel *parcel)
{
    size_t n = 0;
    for (uint32_t s = 0; s < N_SERIES; s++) {
        const struct parcel_run *run = parcel_find(parcel, registry_at(registry, s)->id);
        struct rows rows = {.is_state = registry_at(registry, s)->kind == KIND_STATE};
        if (run && parcel_rows(parcel, run, 1000, &rows))
            return "a run cannot be read";
        size_t found = 0;
        bool same = true;
        for (size_t i = begin; i < batch->n_readings && same; i++) {
            if (batch->readings[i].series_i != s)
                continue;
            same = found < rows.n && rows.at[found].order == 1000 + found &&
                   same_reading(batch, &batch->readings[i], &rows, &rows.at[found]);
            found++;
        }
        same = same && found == rows.n;
        n += rows.n;
        rows_free(&rows);
        if (!same)
            return "readings differ";
    }
    return n == batch->n_readings - begin ? NULL : "readings are missing";
}

/* ---- the tests ---- */

static void random_batches_come_back_from_a_parcel(void **state)
{
    (void)state;
    struct batch batch;
    struct buf out = {0};
    batch_init(&batch);
    uint64_t n_rounds = getenv("ALMANAC_SOAK") ? 20000 : 600;
    for (uint64_t round = 0; round < n_rounds; round++) {
        random_batch(&batch, round);
        size_t begin = round % 5 ? 0 : batch.n_readings / 2;
        buf_clear(&out);
        buf_puts(&out, round % 2 ? "before" : ""); /* it is appended */
        size_t at = out.n;
        assert_int_equal(parcel_encode(&batch, begin, registry, &out), 0);
        struct parcel parcel;
        assert_int_equal(parcel_open(out.data + at, out.n - at, &parcel), 0);
        const char *what = compare(&batch, begin, &parcel);
        if (what)
            fail_msg("seed %llu: %s", (unsigned long long)round, what);
        for (size_t i = 1; i < parcel.n_runs; i++)
            assert_true(parcel.runs[i - 1].series_id < parcel.runs[i].series_id);
        assert_null(parcel_find(&parcel, 2));
        parcel_close(&parcel);
    }
    batch_free(&batch);
    buf_free(&out);
}

static void readings_at_one_second_take_a_few_bytes_each(void **state)
{
    (void)state;
    struct batch batch;
    struct buf out = {0};
    uint64_t seed = 1;
    batch_init(&batch);
    for (int64_t i = 0; i < 10000; i++) {
        struct reading *reading = batch_add(&batch);
        assert_non_null(reading);
        reading->t_us = 1700000000000000 + i * 1000000;
        reading->known_ms = 1700000000500 + i * 1000;
        reading->m = 2300 + random_below(&seed, 9);
        reading->e = -1;
    }
    assert_int_equal(parcel_encode(&batch, 0, registry, &out), 0);
    assert_in_range(out.n, 10000, 60000);
    batch_free(&batch);
    buf_free(&out);
}

static void every_flipped_bit_and_every_cut_is_noticed(void **state)
{
    (void)state;
    struct batch batch;
    struct buf out = {0};
    struct parcel parcel;
    batch_init(&batch);
    random_batch(&batch, 4);
    batch.n_readings = batch.n_readings > 30 ? 30 : batch.n_readings;
    assert_int_equal(parcel_encode(&batch, 0, registry, &out), 0);
    for (size_t bit = 0; bit < out.n * 8; bit++) {
        out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(parcel_open(out.data, out.n, &parcel), ERR_CORRUPT);
        out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t size = 0; size < out.n; size++)
        assert_int_equal(parcel_open(out.data, size, &parcel), ERR_CORRUPT);
    assert_int_equal(parcel_open(out.data, out.n, &parcel), 0);
    parcel_close(&parcel);
    batch_free(&batch);
    buf_free(&out);
}

/* Gives the body its CRC and opens it; the rows of its first run, if that opens. */
static int open_body(const uint8_t *body, size_t size, bool is_state)
{
    struct buf bytes = {0};
    struct parcel parcel;
    buf_put(&bytes, body, size);
    buf_put_u32(&bytes, (uint32_t)crc32_z(0, body, size));
    int rc = parcel_open(bytes.data, bytes.n, &parcel);
    if (!rc) {
        struct rows rows = {.is_state = is_state};
        rc = parcel.n_runs ? parcel_rows(&parcel, &parcel.runs[0], 0, &rows) : 0;
        if (rc)
            assert_int_equal(rows.n, 0); /* all or nothing */
        rows_free(&rows);
        parcel_close(&parcel);
    }
    buf_free(&bytes);
    return rc;
}

static void a_right_checksum_does_not_make_nonsense_right(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint8_t body[16];
        size_t size;
        bool is_state;
        int code;
    } cases[] = {
        {"a reading", {1, 1, 7, 1, 3, 0, 2, 4}, 8, false, 0},
        {"another version", {2, 0}, 2, false, ERR_VERSION},
        {"more runs than bytes", {1, 9, 1, 1, 1}, 5, false, ERR_CORRUPT},
        {"a run without readings", {1, 1, 7, 0, 0}, 5, false, ERR_CORRUPT},
        {"a run longer than the parcel", {1, 1, 7, 1, 4, 0, 2, 4}, 8, false, ERR_CORRUPT},
        {"a run shorter than its readings", {1, 1, 7, 1, 2, 0, 2}, 7, false, ERR_CORRUPT},
        {"bytes behind the last run", {1, 1, 7, 1, 3, 0, 2, 4, 9}, 9, false, ERR_CORRUPT},
        {"bytes behind the last reading", {1, 1, 7, 1, 4, 0, 2, 4, 9}, 9, false, ERR_CORRUPT},
        {"an operation that is not there", {1, 1, 7, 1, 3, 3, 2, 4}, 8, false, ERR_CORRUPT},
        {"a replayed reading", {1, 1, 7, 1, 3, 0x80, 2, 4}, 8, false, 0},
        {"a state", {1, 1, 7, 1, 5, 0, 2, 2, 'o', 'n'}, 10, true, 0},
        {"a state longer than its run", {1, 1, 7, 1, 5, 0, 2, 3, 'o', 'n'}, 10, true, ERR_CORRUPT},
        {"a state with a NUL", {1, 1, 7, 1, 5, 0, 2, 2, 'o', 0}, 10, true, ERR_CORRUPT},
        {"two runs of one series", {1, 2, 7, 1, 3, 0, 1, 3, 0, 2, 4, 0, 2, 4}, 14, false, ERR_CORRUPT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int rc = open_body(cases[i].body, cases[i].size, cases[i].is_state);
        if (rc != cases[i].code)
            fail_msg("%s: %s instead of %s", cases[i].what, err_name(rc), err_name(cases[i].code));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_batches_come_back_from_a_parcel),
        cmocka_unit_test(readings_at_one_second_take_a_few_bytes_each),
        cmocka_unit_test(every_flipped_bit_and_every_cut_is_noticed),
        cmocka_unit_test(a_right_checksum_does_not_make_nonsense_right),
    };
    return cmocka_run_group_tests(tests, make_registry, free_registry);
}
