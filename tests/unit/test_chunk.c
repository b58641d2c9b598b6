#include <config.h>

#include "../lib/random.h"
#include "../lib/test.h"

#include <stdbool.h>
#include <stdio.h>
#include <zlib.h>

#include "codec/chunk.h"

#define KEY UINT64_C(0x0123456789abcdef)

/* ---- readings to try ---- */

enum shape {
    METER_1S,     /* a time grid, a walk in steps of 0.1 */
    METER_JITTER, /* times in ms off the grid */
    REGISTER_15M, /* a counter with periods */
    CONSTANT,
    MIXED_EXPONENTS,
    RANDOM_64,  /* every column full of random bits, extremes among them */
    DUPLICATES, /* several readings at a time */
    SUSPECT,
    FORECAST, /* issued readings, several issues at a time, plain ones among them */
    STATES,
    N_SHAPES
};

static int64_t random_extreme(uint64_t *seed)
{
    static const int64_t extremes[] = {INT64_MIN, INT64_MAX, 0, -1, 1};
    int64_t i = random_below(seed, 12);
    return i < 5 ? extremes[i] : (int64_t)(random_u64(seed) >> random_below(seed, 64));
}

static int compare_times(const void *a, const void *b)
{
    int64_t ta = *(const int64_t *)a, tb = *(const int64_t *)b;
    return (ta > tb) - (ta < tb);
}

static void random_row(struct points *points, size_t i, uint64_t *seed)
{
    points->m[i] = random_extreme(seed);
    points->e[i] = (int8_t)random_u64(seed);
    points->quality[i] = (uint8_t)random_u64(seed);
    points->period_us[i] = random_extreme(seed);
    points->issued_us[i] = random_below(seed, 2) ? random_extreme(seed) : ISSUED_NONE;
    points->known_ms[i] = random_extreme(seed);
}

static void state_row(struct points *points, size_t i, uint64_t *seed)
{
    char text[32];
    int64_t number = random_below(seed, 3) ? random_below(seed, 3) : random_below(seed, 300);
    snprintf(text, sizeof text, number ? "state %lld" : "", (long long)number);
    assert_int_equal(texts_intern(&points->texts, text, strlen(text), &points->m[i]), 0);
    points->e[i] = 0;
}

static void shape_row(struct points *points, size_t i, enum shape shape, uint64_t *seed)
{
    int64_t former = i && shape == REGISTER_15M ? points->m[i - 1] : 2300;
    switch (shape) {
    case METER_JITTER:
        points->t_us[i] += random_below(seed, 40) * 1000;
        break;
    case REGISTER_15M:
        points->t_us[i] = (int64_t)i * 900000000;
        points->period_us[i] = 900000000;
        points->m[i] = former + random_below(seed, 30) * 25;
        points->e[i] = -2;
        break;
    case CONSTANT:
        points->m[i] = 5;
        break;
    case MIXED_EXPONENTS:
        points->m[i] = (int64_t)(random_u64(seed) >> (4 + random_below(seed, 60)));
        points->e[i] = (int8_t)(random_below(seed, 8) ? -1 : random_below(seed, 40) - 24);
        break;
    case DUPLICATES:
        points->t_us[i] = i && random_below(seed, 20) == 0 ? points->t_us[i - 1] : points->t_us[i];
        break;
    case SUSPECT:
        points->quality[i] = (uint8_t)(random_below(seed, 300) ? QUALITY_MEASURED
                                                               : QUALITY_SUSPECT | QUALITY_ROUNDED);
        break;
    case FORECAST:
        points->t_us[i] = (int64_t)(i / 4) * 900000000;
        points->issued_us[i] =
            i % 4 ? points->t_us[i] - (int64_t)(4 - i % 4) * 3600000000 : ISSUED_NONE;
        break;
    case STATES:
        state_row(points, i, seed);
        break;
    case RANDOM_64:
        random_row(points, i, seed);
        break;
    default:
        break;
    }
}

static void generate(struct points *points, enum shape shape, size_t n, uint64_t *seed)
{
    points_clear(points);
    assert_int_equal(points_reserve(points, n), 0);
    int64_t begin = INT64_C(1700000000000000), unit_ms = random_below(seed, 2) ? 1000 : 1;
    for (size_t i = 0; i < n; i++) {
        points->t_us[i] = begin + (int64_t)i * 1000000;
        points->m[i] = i && shape != RANDOM_64 ? points->m[i - 1] + random_normal(seed, 2) : 2300;
        points->e[i] = -1;
        points->quality[i] = QUALITY_MEASURED;
        points->period_us[i] = 0;
        points->issued_us[i] = ISSUED_NONE;
        points->known_ms[i] =
            points->t_us[i] / 1000000 * 1000 + 1000 + random_below(seed, 700) * unit_ms;
        shape_row(points, i, shape, seed);
    }
    if (shape == RANDOM_64) {
        for (size_t i = 0; i < n; i++)
            points->t_us[i] = random_extreme(seed);
        qsort(points->t_us, n, sizeof *points->t_us, compare_times);
    }
    points->n = n;
}

/* ---- the oracle ---- */

/* Equal as numbers: the same fields, or the same once the trailing zeros are gone. */
static bool same_number(int64_t ma, int ea, int64_t mb, int eb)
{
    for (; ma && ma % 10 == 0; ea++)
        ma /= 10;
    for (; mb && mb % 10 == 0; eb++)
        mb /= 10;
    return ma == mb && (ea == eb || !ma);
}

static bool same_row(const struct points *a, size_t i, const struct points *b, size_t j, bool state,
                     unsigned want)
{
    bool value = state ? strcmp(texts_at(&a->texts, a->m[i]), texts_at(&b->texts, b->m[j])) == 0 &&
                             a->e[i] == b->e[j]
                       : same_number(a->m[i], a->e[i], b->m[j], b->e[j]);
    return value && a->t_us[i] == b->t_us[j] && a->quality[i] == b->quality[j] &&
           (!(want & POINTS_PERIOD) || a->period_us[i] == b->period_us[j]) &&
           (!(want & POINTS_ISSUED) || a->issued_us[i] == b->issued_us[j]) &&
           (!(want & POINTS_KNOWN) || a->known_ms[i] == b->known_ms[j]);
}

/* The statistics once more, straight from the rows and in wider numbers. */
static bool stats_agree(const struct chunk_vector *stats, const struct points *points, size_t begin,
                        bool state, int e)
{
    bool valid = !state;
    __int128 sum = 0, min = 0, max = 0, first = 0, last = 0;
    for (size_t i = begin; i < begin + stats->n && valid; i++) {
        __int128 m = points->m[i];
        for (int own = points->e[i]; m && own > e && m >= INT64_MIN && m <= INT64_MAX; own--)
            m *= 10;
        bool at_e = !m || (points->e[i] >= e && m >= INT64_MIN && m <= INT64_MAX);
        valid = at_e && points->quality[i] % 8 != QUALITY_SUSPECT &&
                points->issued_us[i] == ISSUED_NONE &&
                (i == begin || points->t_us[i] != points->t_us[i - 1]);
        sum += m;
        min = i == begin || m < min ? m : min;
        max = i == begin || m > max ? m : max;
        first = i == begin ? m : first;
        last = m;
    }
    if (stats->valid != valid || stats->first_us != points->t_us[begin] ||
        stats->last_us != points->t_us[begin + stats->n - 1])
        return false;
    return !valid || (stats->sum == sum && stats->min == min && stats->max == max &&
                      stats->first == first && stats->last == last);
}

static bool stats_of_all_vectors_agree(const struct chunk *chunk, const struct points *points,
                                       size_t begin)
{
    size_t n = 0;
    for (uint32_t i = 0; i < chunk->n_vectors; n += chunk->vectors[i++].n)
        if (!stats_agree(&chunk->vectors[i], points, begin + n, chunk->state, chunk->e))
            return false;
    return n == chunk->n;
}

static bool vectors_come_back(const struct chunk *chunk, uint32_t vector_i, uint32_t n_vectors,
                              unsigned want, const struct points *points, size_t begin)
{
    struct points decoded = {0};
    int64_t index;
    assert_int_equal(texts_intern(&decoded.texts, "here before", 11, &index), 0);
    bool same = chunk_decode(chunk, vector_i, n_vectors, want, &decoded) == 0;
    for (size_t i = 0; i < decoded.n && same; i++)
        same = same_row(points, begin + vector_i * LIMIT_VECTOR_POINTS + i, &decoded, i,
                        chunk->state, want);
    size_t end = (vector_i + n_vectors) * (size_t)LIMIT_VECTOR_POINTS;
    same = same && decoded.n == (end < chunk->n ? end : chunk->n) - vector_i * LIMIT_VECTOR_POINTS;
    points_free(&decoded);
    return same;
}

/* Some range, often the last reading of a vector alone: its rows are there, and others are of the same vectors. */
static bool a_range_comes_back(const struct chunk *chunk, const struct points *points, size_t begin, uint64_t *seed)
{
    const struct chunk_vector *vector = &chunk->vectors[random_below(seed, chunk->n_vectors)];
    bool last = random_below(seed, 2) && vector->last_us < INT64_MAX;
    int64_t from_us = last ? vector->last_us : points->t_us[begin + (size_t)random_below(seed, chunk->n)];
    int64_t to_us = last ? from_us + 1 : points->t_us[begin + (size_t)random_below(seed, chunk->n)];
    unsigned want = random_below(seed, 2) ? 0 : (unsigned)random_below(seed, POINTS_ALL + 1);
    size_t lo = 0, hi = 0;
    struct points decoded = {0};
    while (lo < chunk->n && points->t_us[begin + lo] < from_us)
        lo++;
    for (hi = lo; hi < chunk->n && points->t_us[begin + hi] < to_us;)
        hi++;
    bool same = chunk_decode_range(chunk, from_us, to_us, want, &decoded) == 0;
    size_t at = decoded.n == hi - lo ? lo : lo / LIMIT_VECTOR_POINTS * LIMIT_VECTOR_POINTS;
    same = same && (lo == hi || (at <= lo && hi <= at + decoded.n && at + decoded.n <= chunk->n));
    for (size_t i = 0; i < decoded.n && same && lo < hi; i++)
        same = same_row(points, begin + at + i, &decoded, i, chunk->state, want);
    points_free(&decoded);
    return same;
}

static bool header_agrees(const struct chunk *chunk, const struct points *points, size_t begin,
                          size_t n, bool state)
{
    bool suspect = false, issued = false, period = false;
    for (size_t i = begin; i < begin + n; i++) {
        suspect |= points->quality[i] % 8 == QUALITY_SUSPECT;
        issued |= points->issued_us[i] != ISSUED_NONE;
        period |= points->period_us[i] != 0;
    }
    return chunk->n == n && chunk->n_vectors == (n + 1023) / 1024 && chunk->state == state &&
           chunk->has_suspect == suspect && chunk->has_issued == issued &&
           chunk->has_period == period && chunk->first_us == points->t_us[begin] &&
           chunk->last_us == points->t_us[begin + n - 1];
}

/* Encodes rows [begin, begin + n), compares everything that can be asked; returns the bytes in
 * exact memory, or NULL. */
static uint8_t *encode_and_compare(const struct points *points, size_t begin, size_t n, bool state,
                                   bool cold, uint64_t *seed, size_t *ret_size)
{
    struct buf buf = {0};
    struct chunk chunk;
    struct chunk_options options = {.state = state, .cold = cold, .key = KEY};
    buf_puts(&buf, "before"); /* the encoding is appended, not written from 0 */
    assert_int_equal(chunk_encode(points, begin, n, &options, &buf), 0);
    size_t size = buf.n - 6;
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    memcpy(bytes, buf.data + 6, size);
    buf_free(&buf);
    bool same = chunk_open(bytes, size, KEY, &chunk) == 0 &&
                header_agrees(&chunk, points, begin, n, state) &&
                stats_of_all_vectors_agree(&chunk, points, begin) &&
                vectors_come_back(&chunk, 0, chunk.n_vectors, POINTS_ALL, points, begin) &&
                vectors_come_back(&chunk, (uint32_t)random_below(seed, chunk.n_vectors), 1,
                                  (unsigned)random_below(seed, POINTS_ALL + 1), points, begin);
    for (int i = 0; i < 4 && same; i++)
        same = a_range_comes_back(&chunk, points, begin, seed);
    if (!same) {
        free(bytes);
        return NULL;
    }
    *ret_size = size;
    return bytes;
}

/* ---- the tests ---- */

static void every_shape_comes_back_with_its_statistics(void **state)
{
    (void)state;
    struct points points = {0};
    uint64_t n_rounds = getenv("ALMANAC_SOAK") ? 300 : 6;
    for (uint64_t round = 0; round < n_rounds; round++) {
        for (unsigned case_i = 0; case_i < 2 * N_SHAPES; case_i++) {
            enum shape shape = case_i / 2;
            uint64_t seed = round * 2 * N_SHAPES + case_i;
            static const int64_t n_below[] = {10, 3000, LIMIT_CHUNK_POINTS - 100};
            size_t begin = (size_t)random_below(&seed, 100), size;
            size_t n = round == 5 ? LIMIT_CHUNK_POINTS
                                  : (size_t)random_below(&seed, n_below[round % 3]) + 1;
            generate(&points, shape, begin + n + 5, &seed);
            uint8_t *bytes =
                encode_and_compare(&points, begin, n, shape == STATES, case_i % 2, &seed, &size);
            if (!bytes)
                fail_msg("seed %llu: shape %d, %zu readings from %zu on, cold %u do not come back",
                         (unsigned long long)(round * 2 * N_SHAPES + case_i), (int)shape, n, begin,
                         case_i % 2);
            free(bytes);
        }
    }
    points_free(&points);
}

static void a_sealed_walk_of_tenths_takes_under_a_third_of_a_byte_a_reading(void **state)
{
    (void)state;
    struct points points = {0};
    uint64_t seed = 3;
    size_t size;
    generate(&points, METER_1S, LIMIT_CHUNK_POINTS, &seed);
    for (size_t i = 0; i < points.n; i++)
        points.known_ms[i] = points.t_us[i] / 1000 + 1000;
    for (size_t i = 1; i < points.n; i++)
        points.m[i] = points.m[i - 1] + random_normal(&seed, 1);
    uint8_t *bytes = encode_and_compare(&points, 0, points.n, false, true, &seed, &size);
    assert_non_null(bytes);
    assert_true(size < LIMIT_CHUNK_POINTS / 3);
    free(bytes);
    points_free(&points);
}

static void a_single_reading_takes_few_bytes(void **state)
{
    (void)state;
    struct points points = {0};
    uint64_t seed = 5;
    size_t size;
    generate(&points, METER_1S, 1, &seed);
    uint8_t *bytes = encode_and_compare(&points, 0, 1, false, false, &seed, &size);
    assert_non_null(bytes);
    assert_true(size <= 48);
    free(bytes);
    points_free(&points);
}

static void known_at_to_the_second_is_rounded_up(void **state)
{
    (void)state;
    static const int64_t known_ms[] = {1740787200001, 1740787201000, -1, -1000, INT64_MIN, INT64_MAX};
    static const int64_t expected_ms[] = {1740787201000, 1740787201000, 0, -1000, INT64_MIN + 808,
                                         INT64_MAX - 807};
    struct points points = {0}, decoded = {0};
    struct buf buf = {0};
    struct chunk chunk;
    uint64_t seed = 1;
    generate(&points, METER_1S, 6, &seed);
    memcpy(points.known_ms, known_ms, sizeof(known_ms));
    assert_int_equal(chunk_encode(&points, 0, 6, &(struct chunk_options){.known_s = true, .key = KEY}, &buf), 0);
    assert_int_equal(chunk_open(buf.data, buf.n, KEY, &chunk), 0);
    assert_int_equal(chunk_decode(&chunk, 0, 1, POINTS_ALL, &decoded), 0);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(decoded.known_ms[i], expected_ms[i]);
        assert_int_equal(decoded.t_us[i], points.t_us[i]);
    }
    points_free(&points);
    points_free(&decoded);
    buf_free(&buf);
}

static void every_flipped_bit_is_noticed(void **state)
{
    (void)state;
    struct points points = {0};
    struct chunk chunk;
    for (unsigned case_i = 0; case_i < 2 * N_SHAPES; case_i++) {
        uint64_t seed = case_i;
        size_t size;
        generate(&points, case_i / 2, 400, &seed);
        uint8_t *bytes =
            encode_and_compare(&points, 0, 400, case_i / 2 == STATES, case_i % 2, &seed, &size);
        assert_non_null(bytes);
        for (size_t bit = 0; bit < 8 * size; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_equal(chunk_open(bytes, size, KEY, &chunk), ERR_CORRUPT);
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t shorter = 0; shorter < size; shorter++)
            assert_int_equal(chunk_open(bytes, shorter, KEY, &chunk), ERR_CORRUPT);
        assert_int_equal(chunk_open(bytes, size, KEY, &chunk), 0);
        free(bytes);
    }
    points_free(&points);
}

/* Makes the CRC right again after the bytes were changed, as docs/FORMAT.md says it is made. */
static void renew_crc(uint8_t *bytes, size_t size, uint64_t key)
{
    uint8_t key_bytes[8];
    for (int i = 0; i < 8; i++)
        key_bytes[i] = (uint8_t)(key >> (8 * i));
    uint32_t crc = (uint32_t)crc32(crc32(0, key_bytes, 8), bytes + 4, (uInt)size - 4);
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(crc >> (8 * i));
}

static void another_key_is_corrupt_and_a_later_version_is_told(void **state)
{
    (void)state;
    struct points points = {0};
    struct chunk chunk;
    uint64_t seed = 1;
    size_t size;
    generate(&points, METER_1S, 10, &seed);
    uint8_t *bytes = encode_and_compare(&points, 0, 10, false, false, &seed, &size);
    assert_non_null(bytes);
    assert_int_equal(chunk_open(bytes, size, KEY + 1, &chunk), ERR_CORRUPT);
    assert_int_equal(chunk_open(NULL, 0, KEY, &chunk), ERR_CORRUPT);
    bytes[4] = 2;
    assert_int_equal(chunk_open(bytes, size, KEY, &chunk), ERR_CORRUPT);
    renew_crc(bytes, size, KEY);
    assert_int_equal(chunk_open(bytes, size, KEY, &chunk), ERR_VERSION);
    free(bytes);
    points_free(&points);
}

static void try_foreign(const uint8_t *bytes, size_t size, size_t *n_refused)
{
    struct points points = {0};
    struct chunk chunk;
    int rc = chunk_open(bytes, size, KEY, &chunk);
    assert_true(rc == 0 || rc == ERR_CORRUPT || rc == ERR_VERSION);
    if (!rc)
        rc = chunk_decode(&chunk, 0, chunk.n_vectors, POINTS_ALL, &points);
    assert_true(rc != ERR_NOMEM);
    assert_true(rc == 0 || points.n == 0);
    *n_refused += rc != 0;
    points_free(&points);
}

/* With the CRC made right again the decoder itself has to stand; the sanitizers watch. */
static void changed_chunks_with_a_right_crc_do_no_harm(void **state)
{
    (void)state;
    struct points points = {0};
    size_t n_refused = 0, n_tried = 0;
    int64_t n_changes = getenv("ALMANAC_SOAK") ? 100000 : 400;
    for (unsigned case_i = 0; case_i < 2 * N_SHAPES; case_i++) {
        uint64_t seed = case_i;
        size_t size, n = case_i % 3 ? 2100 : 90;
        generate(&points, case_i / 2, n, &seed);
        uint8_t *bytes =
            encode_and_compare(&points, 0, n, case_i / 2 == STATES, case_i % 2, &seed, &size);
        assert_non_null(bytes);
        for (int64_t i = 0; i < n_changes; i++, n_tried++) {
            size_t size_now = i % 8 ? size : (size_t)random_below(&seed, (int64_t)size - 4) + 4;
            uint8_t *changed = malloc(size_now);
            assert_non_null(changed);
            memcpy(changed, bytes, size_now);
            /* half of the changes hit the header and the directory */
            int64_t reach = i % 2 && size_now > 200 ? 200 : (int64_t)size_now;
            for (int64_t j = random_below(&seed, 3); j >= 0; j--)
                changed[random_below(&seed, reach)] = (uint8_t)random_u64(&seed);
            renew_crc(changed, size_now, KEY);
            try_foreign(changed, size_now, &n_refused);
            free(changed);
        }
        free(bytes);
    }
    assert_in_range(n_refused, n_tried / 10, n_tried - 1);
    points_free(&points);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shape_comes_back_with_its_statistics),
        cmocka_unit_test(a_sealed_walk_of_tenths_takes_under_a_third_of_a_byte_a_reading),
        cmocka_unit_test(a_single_reading_takes_few_bytes),
        cmocka_unit_test(known_at_to_the_second_is_rounded_up),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(another_key_is_corrupt_and_a_later_version_is_told),
        cmocka_unit_test(changed_chunks_with_a_right_crc_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
