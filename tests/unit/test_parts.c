#include <config.h>

#include "query/parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "../lib/random.h"
#include "../lib/test.h"
#include "common/civil.h"

static void assert_part(const char *amount, int64_t period_us, int64_t begin_us, int64_t end_us, const char *expected)
{
    struct decimal value, part;
    bool rounded;
    char text[DECIMAL_TEXT_MAX + 1];
    assert_int_equal(decimal_parse(amount, strlen(amount), &value, &rounded), 0);
    part = part_of(value, period_us, begin_us, end_us);
    text[decimal_print(text, part)] = '\0';
    assert_string_equal(text, expected);
}

static void parts_are_pro_rata_to_nine_decimals(void **state)
{
    const int64_t m = US_PER_MINUTE;
    (void)state;
    assert_part("250", 15 * m, 0, 5 * m, "83.333333333");
    assert_part("250", 15 * m, 5 * m, 15 * m, "166.666666667");
    assert_part("1", 15 * m, 5 * m, 10 * m, "0.333333334"); /* of 0.666666667 the first third is 0.333333333 */
    assert_part("-250", 15 * m, 0, 5 * m, "-83.333333333");
    assert_part("0.3", 15 * m, 0, 5 * m, "0.1");
    assert_part("12300", 15 * m, 0, 15 * m, "12300");
    assert_part("7", 15 * m, 5 * m, 5 * m, "0");
    assert_part("0", 15 * m, 5 * m, 10 * m, "0");
}

static void halves_are_rounded_to_even(void **state)
{
    (void)state;
    assert_part("0.000000001", 2, 0, 1, "0");
    assert_part("0.000000003", 2, 0, 1, "0.000000002");
    assert_part("0.000000005", 2, 0, 1, "0.000000002");
}

static void last_part_has_the_digits_beyond_nine_decimals(void **state)
{
    (void)state;
    assert_part("1.23456789012345678", 4, 0, 1, "0.308641973");
    assert_part("1.23456789012345678", 4, 1, 4, "0.92592591712345678");
    assert_part("1e-24", 3, 0, 2, "0");
    assert_part("1e-24", 3, 2, 3, "0.000000000000000000000001");
    assert_part("0.0000000009", 3, 0, 2, "0"); /* never more than the amount: no part is of the other sign */
}

static void amounts_of_many_digits_have_fewer_decimals(void **state)
{
    (void)state;
    assert_part("1000000000000000", 3, 0, 1, "333333333333333.33");
    assert_part("1000000000000000", 3, 1, 3, "666666666666666.67");
    assert_part("999999999999999999e15", 3, 0, 1, "333333333333333333000000000000000");
}

/* Of any division of any amount: the sum is the amount, and no part has the other sign. */
static void parts_add_up_to_the_amount(void **state)
{
    const char *text = getenv("ALMANAC_SEED"), *soak = getenv("ALMANAC_SOAK");
    uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)getpid() * 7919;
    int n = soak ? 2000000 : 20000;
    (void)state;
    print_message("# ALMANAC_SEED=%" PRIu64 "\n", seed);
    for (int i = 0; i < n; i++) {
        int64_t m = random_below(&seed, decimal_pow10[1 + random_below(&seed, 18)]) * (random_below(&seed, 2) ? 1 : -1);
        struct decimal amount = decimal_canonical((struct decimal){m, (int8_t)(random_below(&seed, 34) - 24)});
        int64_t period_us = 1 + random_below(&seed, random_below(&seed, 2) ? 40 : CIVIL_END_US - CIVIL_MIN_US);
        struct exact sum = {0}, whole = {0};
        int64_t begin_us = 0;
        while (begin_us < period_us) {
            int64_t end_us = begin_us + 1 + random_below(&seed, period_us - begin_us);
            struct decimal part = part_of(amount, period_us, begin_us, end_us);
            if ((amount.m > 0 && part.m < 0) || (amount.m < 0 && part.m > 0) || llabs(part.m) > DECIMAL_MANTISSA_MAX)
                fail_msg("case %d: part %" PRId64 "e%d of %" PRId64 "e%d", i, part.m, part.e, amount.m, amount.e);
            exact_add(&sum, part);
            begin_us = end_us;
        }
        exact_add(&whole, amount);
        if (exact_compare(&sum, &whole) != 0)
            fail_msg("case %d: the parts of %" PRId64 "e%d do not add up", i, amount.m, amount.e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_pro_rata_to_nine_decimals),
        cmocka_unit_test(halves_are_rounded_to_even),
        cmocka_unit_test(last_part_has_the_digits_beyond_nine_decimals),
        cmocka_unit_test(amounts_of_many_digits_have_fewer_decimals),
        cmocka_unit_test(parts_add_up_to_the_amount),
    };
    return cmocka_run_group_tests_name("parts", tests, NULL, NULL);
}
