#include <config.h>

#include "../lib/random.h"
#include "../lib/test.h"

#include <stdbool.h>

#include "codec/bits.h"
#include "codec/vector.h"

/* Encodes, decodes from memory that ends with the last byte (so that the sanitizer sees a read
 * beyond it), and compares. */
static bool comes_back(const int64_t *values, size_t n, bool aligned, size_t *ret_size)
{
    struct buf buf = {0};
    int64_t decoded[LIMIT_VECTOR_POINTS];
    if (aligned)
        vector_encode_aligned(values, n, &buf);
    else
        vector_encode(values, n, &buf);
    assert_false(buf.failed);
    uint8_t *exact = malloc(buf.n);
    assert_non_null(exact);
    memcpy(exact, buf.data, buf.n);
    struct reader in = {.at = exact, .end = exact + buf.n};
    bool same = vector_decode(&in, n, decoded) == 0 && in.at == in.end &&
                buf.n <= VECTOR_BYTES_MAX && memcmp(decoded, values, n * sizeof *values) == 0;
    free(exact);
    if (ret_size)
        *ret_size = buf.n;
    buf_free(&buf);
    return same;
}

static int64_t plus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

enum shape {
    CONSTANT,
    GRID,
    GRID_WITH_HOLES,
    JITTER,
    WALK,
    REGISTER,
    PARABOLA,
    RUNS,
    SET_POINTS,
    OUTLIERS,
    RESETS,
    BITS_64,
    EXTREMES,
    ALL_WIDTHS,
    N_SHAPES
};

/* The value after v, the ith of a vector. */
static int64_t next_value(enum shape shape, uint64_t *seed, int64_t v, int64_t step, int64_t i)
{
    static const int64_t extremes[] = {INT64_MIN,     INT64_MAX,    0, -1, 1,
                                       INT64_MIN + 1, INT64_MAX - 1};
    switch (shape) {
    case GRID:
        return plus(v, step);
    case GRID_WITH_HOLES:
        return plus(v, step * (random_below(seed, 50) ? 1 : 7));
    case JITTER:
        return i * 1000000 + random_below(seed, 40) * 1000;
    case WALK:
        return plus(v, random_normal(seed, 2));
    case REGISTER:
        return plus(v, random_below(seed, 30) * 25);
    case PARABOLA:
        return i * i * 3 + random_below(seed, 3);
    case RUNS:
        return random_below(seed, 40) ? v : (int64_t)random_u64(seed);
    case SET_POINTS:
        return random_below(seed, 5) * 1234567 + 99;
    case OUTLIERS:
        return random_below(seed, 60) ? random_below(seed, 16) : (int64_t)random_u64(seed);
    case RESETS:
        return random_below(seed, 200) ? plus(v, random_below(seed, 9))
                                       : -random_below(seed, 1 << 30);
    case BITS_64:
        return (int64_t)random_u64(seed);
    case EXTREMES:
        return extremes[random_below(seed, 7)];
    case ALL_WIDTHS:
        return (int64_t)(random_u64(seed) >> random_below(seed, 64));
    default:
        return v;
    }
}

static void generate(enum shape shape, uint64_t *seed, int64_t *values, size_t n)
{
    int64_t v = random_below(seed, 2) ? (int64_t)random_u64(seed) : random_below(seed, 2000) - 1000;
    int64_t step = random_below(seed, 1000000);
    for (size_t i = 0; i < n; i++)
        values[i] = v = next_value(shape, seed, v, step, (int64_t)i);
}

static void every_shape_comes_back_at_every_length(void **state)
{
    (void)state;
    uint64_t n_rounds = getenv("ALMANAC_SOAK") ? 3000 : 30;
    for (uint64_t round = 0; round < n_rounds; round++) {
        for (enum shape shape = 0; shape < N_SHAPES; shape++) {
            uint64_t seed = round * N_SHAPES + shape;
            int64_t values[LIMIT_VECTOR_POINTS];
            size_t n = (size_t)random_below(&seed, round % 3 ? LIMIT_VECTOR_POINTS : 9) + 1;
            generate(shape, &seed, values, n);
            for (int aligned = 0; aligned <= 1; aligned++)
                if (!comes_back(values, n, aligned, NULL))
                    fail_msg("seed %llu, shape %d, %zu values, aligned %d",
                             (unsigned long long)(round * N_SHAPES + shape), (int)shape, n,
                             aligned);
        }
    }
}

static void every_pair_of_extremes_comes_back(void **state)
{
    (void)state;
    static const int64_t extremes[] = {INT64_MIN, INT64_MIN + 1, -1,       0,
                                       1,         INT64_MAX - 1, INT64_MAX};
    for (size_t a = 0; a < 7; a++)
        for (size_t b = 0; b < 7; b++)
            for (size_t c = 0; c < 7; c++) {
                int64_t values[] = {extremes[a], extremes[b], extremes[c]};
                for (size_t n = 1; n <= 3; n++)
                    for (int aligned = 0; aligned <= 1; aligned++)
                        assert_true(comes_back(values, n, aligned, NULL));
            }
}

/* Against a reading of bits one by one, straight from the sentence in docs/FORMAT.md. */
static void packed_bits_lie_where_the_format_says(void **state)
{
    (void)state;
    uint64_t seed = 7, values[100], unpacked[100];
    for (unsigned width = 0; width <= 64; width++) {
        for (size_t n = 1; n <= 100; n += 1 + n / 8) {
            size_t size = bits_size(n, width);
            assert_int_equal(size, (n * width + 7) / 8);
            uint8_t *bytes = calloc(size + 1, 1);
            assert_non_null(bytes);
            for (size_t i = 0; i < n; i++)
                values[i] = random_u64(&seed);
            bits_pack(values, n, width, bytes);
            assert_int_equal(bytes[size], 0);
            for (size_t i = 0; i < n * width; i++)
                assert_int_equal(bytes[i / 8] >> i % 8 & 1, values[i / width] >> i % width & 1);
            uint8_t *exact = realloc(bytes, size ? size : 1);
            assert_non_null(exact);
            bits_unpack(exact, n, width, unpacked);
            for (size_t i = 0; i < n; i++)
                assert_true(unpacked[i] ==
                            (width == 64 ? values[i] : values[i] & ((UINT64_C(1) << width) - 1)));
            free(exact);
        }
    }
}

static size_t size_of(enum shape shape, uint64_t seed)
{
    int64_t values[LIMIT_VECTOR_POINTS];
    size_t size;
    generate(shape, &seed, values, LIMIT_VECTOR_POINTS);
    assert_true(comes_back(values, LIMIT_VECTOR_POINTS, false, &size));
    return size;
}

static void the_cheapest_mode_is_found(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        assert_true(size_of(CONSTANT, seed) <= 11);
        assert_true(size_of(GRID, seed) <= 24);            /* a line of width 0 */
        assert_true(size_of(GRID_WITH_HOLES, seed) <= 90); /* about 20 patches of 10 bits */
        assert_true(size_of(JITTER, seed) <=
                    1024 * 6 / 8 + 24); /* 40 steps of the divisor: 6 bits */
        assert_true(size_of(REGISTER, seed) <=
                    1024 * 5 / 8 + 32); /* 30 steps of the divisor: 5 bits */
        assert_true(size_of(PARABOLA, seed) <= 1024 * 4 / 8 + 32);
        assert_true(size_of(RUNS, seed) <= 60 * 10);
        assert_true(size_of(SET_POINTS, seed) <= 1024 * 3 / 8 + 32); /* 5 entries: 3 bits */
        assert_true(size_of(OUTLIERS, seed) <= 1024 * 4 / 8 + 40 * 10);
        assert_true(size_of(RESETS, seed) <= 1024 * 4 / 8 + 20 * 6);
        assert_true(size_of(BITS_64, seed) <= 1024 * 8 + 24);
    }
}

/* Whatever the bytes are, the decoder says so or gives n integers; the sanitizers watch. */
static void foreign_bytes_do_no_harm(void **state)
{
    (void)state;
    uint64_t seed = 11, n_rounds = getenv("ALMANAC_SOAK") ? 2000000 : 20000;
    int64_t values[LIMIT_VECTOR_POINTS], decoded[LIMIT_VECTOR_POINTS];
    struct buf buf = {0};
    size_t n_refused = 0;
    for (uint64_t round = 0; round < n_rounds; round++) {
        size_t n = (size_t)random_below(&seed, 100) + 1;
        generate((enum shape)random_below(&seed, N_SHAPES), &seed, values, n);
        buf_clear(&buf);
        vector_encode(values, n, &buf);
        size_t size = (size_t)random_below(&seed, (int64_t)buf.n) + 1;
        uint8_t *foreign = malloc(size);
        assert_non_null(foreign);
        memcpy(foreign, buf.data, size);
        for (int64_t i = random_below(&seed, 4); i >= 0; i--)
            foreign[random_below(&seed, random_below(&seed, 2) ? (int64_t)size : 1)] =
                (uint8_t)random_u64(&seed);
        struct reader in = {.at = foreign, .end = foreign + size};
        int rc = vector_decode(&in, n, decoded);
        assert_true(rc == 0 || rc == ERR_CORRUPT);
        n_refused += rc != 0;
        free(foreign);
    }
    assert_in_range(n_refused, n_rounds / 10, n_rounds);
    buf_free(&buf);
}

/* Each line breaks one rule of docs/FORMAT.md. */
static void what_breaks_the_format_is_refused(void **state)
{
    (void)state;
    static const struct {
        size_t n, size;
        uint8_t bytes[12];
    } cases[] = {
        {1, 0, {0}},                            /* nothing at all */
        {1, 2, {0x07, 0}},                      /* a mode that is none */
        {1, 2, {0x10, 0}},                      /* a constant with a divisor */
        {1, 2, {0x40, 0}},                      /* a reserved bit */
        {2, 3, {0x01, 0, 65}},                  /* a width beyond 64 */
        {2, 3, {0x01, 0, 8}},                   /* packed bits are missing */
        {1, 4, {0x03, 0, 0, 0}},                /* a delta without a second value */
        {2, 6, {0x04, 0, 0, 0, 0}},             /* a delta of delta without a third */
        {2, 8, {0x21, 0, 0, 0}},                /* patches, but none */
        {2, 8, {0x21, 0, 0, 1, 0, 4, 0, 0}},    /* a patch behind the end */
        {2, 8, {0x05, 1, 0, 0, 0, 2}},          /* runs too short */
        {2, 8, {0x05, 1, 0, 0, 0, 6}},          /* runs too long */
        {2, 8, {0x05, 1, 0, 0, 0, 0}},          /* a run of nothing */
        {2, 8, {0x05, 1, 0x05, 1, 0, 0, 0, 2}}, /* runs within runs */
        {2, 6, {0x06, 1, 0, 0, 1, 0x02}},       /* an index behind the dictionary */
        {2, 6, {0x06, 1, 0, 0, 9, 0}},          /* indexes too wide */
    };
    int64_t values[LIMIT_VECTOR_POINTS];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reader in = {.at = cases[i].bytes, .end = cases[i].bytes + cases[i].size};
        if (vector_decode(&in, cases[i].n, values) != ERR_CORRUPT)
            fail_msg("case %zu is not refused", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shape_comes_back_at_every_length),
        cmocka_unit_test(every_pair_of_extremes_comes_back),
        cmocka_unit_test(packed_bits_lie_where_the_format_says),
        cmocka_unit_test(the_cheapest_mode_is_found),
        cmocka_unit_test(foreign_bytes_do_no_harm),
        cmocka_unit_test(what_breaks_the_format_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
