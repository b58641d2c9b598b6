#include <config.h>

#include "../lib/random.h"
#include "../lib/test.h"

#include "codec/bits.h"
#include "codec/kernels.h"
#include "common/limits.h"

/* The fast loops against the plain ones. Where this processor has no fast ones they are the same, and the test says so. */
static const struct kernels *best;

static int set_up(void **state)
{
    (void)state;
    best = kernels_best();
    print_message("# loops: %s and %s\n", kernels_portable.name, best->name);
    return 0;
}

static size_t random_length(uint64_t *seed)
{
    return (size_t)random_below(seed, random_below(seed, 2) ? LIMIT_VECTOR_POINTS : 20) + 1;
}

static void fill(uint64_t *seed, uint64_t *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        values[i] = random_u64(seed) >> random_below(seed, 64);
}

/* From memory that ends where the reach of the last group ends, so that the sanitizer sees a read beyond it. */
static void both_unpack_every_width_alike(void **state)
{
    (void)state;
    uint64_t seed = 5, values[LIMIT_VECTOR_POINTS], plain[LIMIT_VECTOR_POINTS], fast[LIMIT_VECTOR_POINTS];
    for (int round = 0; round < (getenv("ALMANAC_SOAK") ? 1000 : 10); round++) {
        for (unsigned width = 1; width <= 64; width++) {
            size_t n = random_length(&seed), n_groups = (n + 7) / 8;
            uint8_t *bytes = calloc((n_groups - 1) * width + KERNELS_REACH, 1);
            assert_non_null(bytes);
            fill(&seed, values, n);
            bits_pack(values, n, width, bytes);
            kernels_portable.unpack(bytes, n, width, plain);
            best->unpack(bytes, n, width, fast);
            for (size_t i = 0; i < n; i++) {
                assert_true(plain[i] == (values[i] & (UINT64_MAX >> (64 - width))));
                assert_true(fast[i] == plain[i]);
            }
            free(bytes);
        }
    }
}

/* Both forms of a loop and its definition in kernels.h, word by word. */
static void both_compute_what_the_header_says(void **state)
{
    (void)state;
    uint64_t seed = 6, v[LIMIT_VECTOR_POINTS], plain[LIMIT_VECTOR_POINTS], fast[LIMIT_VECTOR_POINTS];
    for (int round = 0; round < (getenv("ALMANAC_SOAK") ? 100000 : 1000); round++) {
        size_t n = random_length(&seed), size = n * sizeof *v;
        uint64_t a = random_u64(&seed), b = random_u64(&seed), sum = 0;
        fill(&seed, v, n);
        kernels_portable.line(plain, n, a, b);
        best->line(fast, n, a, b);
        for (size_t i = 0; i < n; i++)
            assert_true(plain[i] == a + i * b && fast[i] == plain[i]);
        memcpy(plain, v, size), memcpy(fast, v, size);
        kernels_portable.multiply(plain, n, a), best->multiply(fast, n, a);
        for (size_t i = 0; i < n; i++)
            assert_true(plain[i] == v[i] * a && fast[i] == plain[i]);
        memcpy(plain, v, size), memcpy(fast, v, size);
        kernels_portable.add_line(plain, n, a, b), best->add_line(fast, n, a, b);
        for (size_t i = 0; i < n; i++)
            assert_true(plain[i] == v[i] + a + i * b && fast[i] == plain[i]);
        memcpy(plain, v, size), memcpy(fast, v, size);
        kernels_portable.add_up(plain, n, a, b), best->add_up(fast, n, a, b);
        for (size_t i = 0; i < n; i++) {
            sum += v[i];
            assert_true(plain[i] == a + (i + 1) * b + sum && fast[i] == plain[i]);
        }
    }
}

static void no_numbers_are_no_work(void **state)
{
    (void)state;
    uint64_t untouched = 7;
    best->unpack(NULL, 0, 13, &untouched);
    best->line(&untouched, 0, 1, 1);
    best->multiply(&untouched, 0, 2);
    best->add_line(&untouched, 0, 1, 1);
    best->add_up(&untouched, 0, 1, 1);
    assert_int_equal(untouched, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_unpack_every_width_alike),
        cmocka_unit_test(both_compute_what_the_header_says),
        cmocka_unit_test(no_numbers_are_no_work),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
