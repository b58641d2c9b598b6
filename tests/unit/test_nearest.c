#include <config.h>

#include "../lib/test.h"

#include "model/nearest.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "../lib/random.h"

/* The oracle is strtod of the C library, which is correctly rounded for any number of digits. */

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

static void assert_nearest(struct decimal decimal)
{
    char text[DECIMAL_TEXT_MAX + 1];
    text[decimal_print(text, decimal)] = '\0';
    double expected = strtod(text, NULL), found = nearest_double(decimal), of_many = 0;
    nearest_doubles(&decimal.m, &decimal.e, 1, &of_many);
    if (expected != found || of_many != found)
        fail_msg("%s: %.17g, not %.17g", text, found, expected);
}

static void every_decimal_becomes_the_double_that_is_nearest(void **state)
{
    static const int8_t edges[] = {-128, -127, -49, -48, -25, -24, -23, -22, -21, -1, 0, 1, 15, 21, 22, 23, 24, 48, 126, 127};
    static const int64_t wholes[] = {0, 1, -1, 5, (INT64_C(1) << 53) - 1, INT64_C(1) << 53, (INT64_C(1) << 53) + 1,
                                     DECIMAL_MANTISSA_MAX, -DECIMAL_MANTISSA_MAX, INT64_MAX, INT64_MIN};
    (void)state;
    random_start();
    for (size_t i = 0; i < sizeof(edges); i++)
        for (size_t k = 0; k < sizeof(wholes) / sizeof(*wholes); k++)
            assert_nearest((struct decimal){wholes[k], edges[i]});
    for (int i = 0; i < times(100000); i++) {
        int64_t m = (int64_t)(random_u64(&seed) >> random_below(&seed, 63));
        int8_t e = (int8_t)(random_below(&seed, 2) ? random_below(&seed, 49) - 24 : random_below(&seed, 256) - 128);
        assert_nearest((struct decimal){random_below(&seed, 2) ? m : -m, e});
    }
}

/* Whole numbers in the middle between two doubles, and beside it. */
static void ties_go_to_even_and_what_is_beside_them_does_not(void **state)
{
    (void)state;
    random_start();
    for (int i = 0; i < times(20000); i++) {
        int bits = (int)random_below(&seed, 9) + 1; /* beyond 53 */
        int64_t m = (int64_t)(random_u64(&seed) >> 11 | UINT64_C(1) << 52);
        int64_t middle = (int64_t)(((uint64_t)m << bits) + (UINT64_C(1) << (bits - 1)));
        for (int beside = -1; beside <= 1; beside++)
            assert_nearest((struct decimal){middle + beside, 0});
    }
}

static void exact_sums_become_the_doubles_that_are_nearest(void **state)
{
    (void)state;
    random_start();
    for (int i = 0; i < times(20000); i++) {
        struct exact sum = {0};
        char text[EXACT_TEXT_MAX + 1];
        for (int64_t n = random_below(&seed, 6); n >= 0; n--) {
            int64_t m = (int64_t)(random_u64(&seed) >> random_below(&seed, 63));
            exact_add(&sum, (struct decimal){random_below(&seed, 2) ? m : -m, (int8_t)(random_below(&seed, 60) - 30)});
        }
        text[exact_print(text, &sum)] = '\0';
        double expected = strtod(text, NULL), found = nearest_exact(&sum);
        if (expected != found)
            fail_msg("%s: %.17g, not %.17g", text, found, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_decimal_becomes_the_double_that_is_nearest),
        cmocka_unit_test(ties_go_to_even_and_what_is_beside_them_does_not),
        cmocka_unit_test(exact_sums_become_the_doubles_that_are_nearest),
    };
    return cmocka_run_group_tests_name("nearest", tests, NULL, NULL);
}
