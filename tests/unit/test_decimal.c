#include <config.h>

#include "model/decimal.h"

#include <stdio.h>

#include "../lib/random.h"
#include "../lib/test.h"

static int parse(const char *text, struct decimal *ret_value, bool *ret_rounded)
{
    /* On the heap and without NUL, so that a look behind the end is seen. */
    size_t size = strlen(text);
    char *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, text, size);
    int r = decimal_parse(copy, size, ret_value, ret_rounded);
    free(copy);
    return r;
}

static struct decimal parsed(const char *text)
{
    struct decimal value;
    bool rounded;
    assert_int_equal(parse(text, &value, &rounded), 0);
    return value;
}

static void assert_parses(const char *text, int64_t m, int e, bool rounded)
{
    struct decimal value;
    bool was_rounded = !rounded;
    assert_int_equal(parse(text, &value, &was_rounded), 0);
    assert_int_equal(value.m, m);
    assert_int_equal(value.e, e);
    assert_int_equal(was_rounded, rounded);
}

static void assert_refused(const char *text, int code)
{
    struct decimal value = {77, 7};
    bool rounded = true;
    assert_int_equal(parse(text, &value, &rounded), code);
    assert_int_equal(value.m, 77);
    assert_int_equal(value.e, 7);
    assert_true(rounded);
    rounded = false;
    assert_int_equal(parse(text, &value, &rounded), code);
    assert_false(rounded);
}

static void assert_text(const struct exact *value, const char *text)
{
    char out[EXACT_TEXT_MAX];
    size_t size = exact_print(out, value);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(out, text, size);
}

static void number_becomes_canonical_mantissa_and_exponent(void **state)
{
    (void)state;
    assert_parses("12.30", 123, -1, false);
    assert_parses("-0.00", 0, 0, false);
    assert_parses("-0", 0, 0, false);
    assert_parses("0e99999999999999999999", 0, 0, false);
    assert_parses("12300", 123, 2, false);
    assert_parses("-1.5E+3", -15, 2, false);
    assert_parses("1e15", 1, 15, false);
    assert_parses("1e-24", 1, -24, false);
    assert_parses("999999999999999999", DECIMAL_MANTISSA_MAX, 0, false);
    assert_parses("-0.999999999999999999", -DECIMAL_MANTISSA_MAX, -18, false);
}

static void digits_beyond_18_are_rounded_half_to_even_and_marked(void **state)
{
    (void)state;
    assert_parses("1.000000000000000000000", 1, 0, false);
    assert_parses("0.1234567890123456785", INT64_C(123456789012345678), -18, true);
    assert_parses("0.1234567890123456775", INT64_C(123456789012345678), -18, true);
    assert_parses("0.12345678901234567850000001", INT64_C(123456789012345679), -18, true);
    assert_parses("123456789012345678.4", INT64_C(123456789012345678), 0, true);
    assert_parses("1234567890123456789", INT64_C(123456789012345679), 1, true);
    assert_parses("9.9999999999999999951", 1, 1, true);
    assert_refused("999999999999999999.5", ERR_LIMIT); /* 10^18 */
}

static void text_that_is_no_number_is_refused_and_leaves_outputs_alone(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "-", "+1", "01", "-01", "00", ".5", "5.", "5.e1", "1e", "1e+", "1e-", "1.2.3", "1 ", " 1", "0x10", "1_0",
        "NaN", "Infinity", "-Infinity", "1e5.0", "--1", "1-", "\xd9\xa1", "null", "1,5", "1234567890123456789012x",
        "012345678901234567890123", "1.e1234567890123456789", "1234567890123456789.", "1e1e1", "1.5e", "-.1",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_refused(texts[i], ERR_INVALID);
    struct decimal value;
    bool rounded;
    assert_int_equal(decimal_parse(NULL, 0, &value, &rounded), ERR_INVALID);
    assert_int_equal(decimal_parse("1\0", 2, &value, &rounded), ERR_INVALID);
}

static void exponent_outside_the_range_is_a_limit(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "1e16", "1e-25", "10000000000000000", "0.0000000000000000000000001", "1e99999999999999999999999",
        "-1e-99999999999999999999999", "1e9223372036854775807", "1e-9223372036854775808",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_refused(texts[i], ERR_LIMIT);
}

static void megabyte_of_digits_is_read_with_its_exponent(void **state)
{
    (void)state;
    size_t n = 1 << 20;
    char *text = malloc(n + 16);
    assert_non_null(text);
    memset(text, '0', n);
    memcpy(text, "0.", 2);
    int size = snprintf(text + n, 16, "12e%zu", n - 2);
    struct decimal value;
    bool rounded;
    assert_int_equal(decimal_parse(text, n + (size_t)size, &value, &rounded), 0);
    assert_int_equal(value.m, 12);
    assert_int_equal(value.e, -2);
    memset(text, '9', n);
    size = snprintf(text + n, 16, "e-%zu", n);
    assert_int_equal(decimal_parse(text, n + (size_t)size, &value, &rounded), 0);
    assert_int_equal(value.m, 1);
    assert_int_equal(value.e, 0);
    assert_true(rounded);
    free(text);
}

static void extremes_of_mantissa_and_exponent_print_and_compare(void **state)
{
    (void)state;
    char out[DECIMAL_TEXT_MAX];
    assert_int_equal(decimal_print(out, (struct decimal){INT64_MIN, INT8_MAX}), 1 + 19 + 127);
    assert_int_equal(decimal_print(out, (struct decimal){INT64_MIN, INT8_MIN}), 1 + 2 + 128);
    assert_int_equal(decimal_print(out, (struct decimal){100, -2}), 1);
    assert_int_equal(out[0], '1');
    assert_int_equal(decimal_compare((struct decimal){INT64_MIN, -128}, (struct decimal){INT64_MAX, 127}), -1);
    assert_int_equal(decimal_compare((struct decimal){INT64_MIN, -128}, (struct decimal){-1, -109}), 1);
    assert_int_equal(decimal_compare((struct decimal){0, 5}, (struct decimal){0, -5}), 0);
    struct decimal value = decimal_canonical((struct decimal){INT64_C(1000000000000000000), 120});
    assert_int_equal(value.e, INT8_MAX);
    assert_int_equal(value.m, INT64_C(100000000000));
    value = decimal_canonical((struct decimal){0, -7});
    assert_int_equal(value.e, 0);
}

/* The same by way of the C library: all digits, then a point, then no zeros behind it. */
static size_t print_slowly(char *out, int64_t m, int n_fraction)
{
    char digits[40];
    int n = snprintf(digits, sizeof(digits), "%0*lld", n_fraction + 1, (long long)llabs(m)), n_whole = n - n_fraction;
    while (n > n_whole && digits[n - 1] == '0')
        n--;
    return (size_t)snprintf(out, DECIMAL_TEXT_MAX, "%s%.*s%s%.*s", m < 0 ? "-" : "", n_whole, digits, n > n_whole ? "." : "",
                            n - n_whole, digits + n_whole);
}

static void short_numbers_print_as_long_ones_do(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 300000; i++) {
        static const int64_t borders[] = {0, 9, 99999, 9999999, 99999999, 999999999};
        int64_t border = borders[random_below(&seed, 6)], m = i % 2 ? random_below(&seed, border + 1) : border + 2 - i / 2 % 5;
        char out[DECIMAL_TEXT_MAX], expected[DECIMAL_TEXT_MAX];
        m = random_below(&seed, 2) ? -m : m;
        int n_fraction = (int)random_below(&seed, 10);
        size_t n = print_slowly(expected, m, n_fraction);
        assert_int_equal(decimal_print(out, (struct decimal){m, (int8_t)-n_fraction}), n);
        assert_memory_equal(out, expected, n);
    }
}

static void mantissa_at_an_exponent_is_exact_or_refused(void **state)
{
    (void)state;
    int64_t m = 5;
    assert_true(decimal_at((struct decimal){100, 0}, 2, &m));
    assert_int_equal(m, 1);
    assert_true(decimal_at((struct decimal){0, 0}, -99, &m));
    assert_int_equal(m, 0);
    assert_true(decimal_at((struct decimal){-9, 0}, -18, &m));
    assert_int_equal(m, INT64_C(-9000000000000000000));
    assert_false(decimal_at((struct decimal){10, 0}, -18, &m));
    assert_false(decimal_at((struct decimal){15, 0}, 1, &m));
    assert_false(decimal_at((struct decimal){1, 0}, -19, &m));
    assert_int_equal(m, INT64_C(-9000000000000000000));
}

static void exact_value_is_taken_as_mantissa_where_it_fits(void **state)
{
    (void)state;
    struct exact value = {0};
    int64_t m = 5;
    assert_true(exact_at(&value, 9, &m));
    assert_int_equal(m, 0);
    exact_add(&value, (struct decimal){INT64_MIN, 0});
    assert_true(exact_at(&value, 0, &m));
    assert_true(m == INT64_MIN);
    assert_false(exact_at(&value, -1, &m));
    exact_multiply_u64(&value, 10);
    assert_true(exact_at(&value, 1, &m));
    assert_true(m == INT64_MIN);
    assert_false(exact_at(&value, 0, &m));
    assert_false(exact_at(&value, 2, &m));
    struct exact opposite = {0};
    exact_subtract(&opposite, &value);
    assert_false(exact_at(&opposite, 1, &m));
    assert_true(m == INT64_MIN);
}

static void sum_crosses_word_borders_in_both_directions(void **state)
{
    (void)state;
    struct exact sum = {0};
    for (int i = 0; i < 4; i++)
        exact_add(&sum, (struct decimal){INT64_MAX, 0});
    assert_text(&sum, "36893488147419103228");
    for (int i = 0; i < 8; i++)
        exact_add(&sum, (struct decimal){-INT64_MAX, 0});
    assert_text(&sum, "-36893488147419103228");
    exact_multiply_u64(&sum, UINT64_MAX);
    exact_multiply_u64(&sum, UINT64_MAX);
    struct exact copy = sum;
    exact_add(&sum, (struct decimal){-1, 0});
    exact_subtract(&sum, &copy);
    assert_text(&sum, "-1");
    exact_add(&sum, (struct decimal){1, 0});
    assert_true(exact_is_zero(&sum));
    assert_text(&sum, "0");
}

static void sum_may_be_added_to_or_subtracted_from_itself(void **state)
{
    (void)state;
    struct exact sum = {0};
    exact_add(&sum, parsed("-12.5"));
    exact_add_exact(&sum, &sum);
    assert_text(&sum, "-25");
    assert_int_equal(exact_compare(&sum, &sum), 0);
    exact_subtract(&sum, &sum);
    assert_true(exact_is_zero(&sum));
}

/* The size that decimal.h promises: 2^40 products of an 18-digit mantissa, 39 places apart, and 2^63 microseconds. */
static void largest_promised_sum_does_not_overflow(void **state)
{
    (void)state;
    struct exact sum = {0}, small = {0};
    exact_add(&small, (struct decimal){1, DECIMAL_EXP_MIN});
    exact_add(&sum, (struct decimal){-DECIMAL_MANTISSA_MAX, DECIMAL_EXP_MAX});
    exact_multiply_u64(&sum, INT64_MAX);
    exact_multiply_u64(&sum, UINT64_C(1) << 40);
    struct exact without = sum;
    exact_add_exact(&sum, &small);
    assert_false(sum.overflow);
    assert_int_equal(exact_compare(&sum, &without), 1);
    exact_subtract(&sum, &small);
    assert_int_equal(exact_compare(&sum, &without), 0);
}

static void overflow_stays_and_has_no_value(void **state)
{
    (void)state;
    static const int signs[] = {-1, 1};
    for (int s = 0; s < 2; s++) {
        int sign = signs[s];
        struct exact sum = {0}, other = {0};
        exact_add(&sum, (struct decimal){sign * (INT64_C(1) << 62), 0});
        for (int i = 0; i < 5; i++)
            exact_multiply_u64(&sum, UINT64_C(1) << 63);
        assert_false(sum.overflow); /* 2^377 */
        for (int i = 0; i < 5; i++)
            exact_add_exact(&sum, &sum);
        assert_false(sum.overflow); /* 2^382 */
        exact_add_exact(&sum, &sum);
        assert_int_equal(sum.overflow, sign > 0); /* -2^383 still has a place */
        exact_add(&sum, (struct decimal){sign, 0});
        assert_true(sum.overflow);
        exact_add(&sum, (struct decimal){-sign, 0});
        assert_true(sum.overflow);
        exact_add_exact(&other, &sum);
        assert_true(other.overflow);

        char out[EXACT_TEXT_MAX];
        struct decimal quotient = {7, 7};
        int64_t m = 7;
        assert_int_equal(exact_print(out, &sum), 0);
        assert_int_equal(exact_divide(&sum, 1, 15, &quotient), ERR_LIMIT);
        assert_false(exact_at(&sum, 0, &m));
        assert_int_equal(m, 7);
        assert_int_equal(quotient.m, 7);
    }
}

static void exponents_too_far_apart_overflow_but_compare(void **state)
{
    (void)state;
    struct exact large = {0}, small = {0};
    exact_add_i128(&large, -1, 127);
    exact_add_i128(&small, -1, -128);
    assert_int_equal(exact_compare(&large, &small), -1);
    assert_int_equal(exact_compare(&small, &large), 1);
    char out[EXACT_TEXT_MAX];
    assert_int_equal(exact_print(out, &large), 1 + 128);
    assert_int_equal(exact_print(out, &small), 3 + 128);
    exact_add_exact(&large, &small);
    assert_true(large.overflow);
    exact_add_i128(&small, 1, 128);
    assert_true(small.overflow);
}

static void quotient_is_rounded_once_and_half_to_even(void **state)
{
    (void)state;
    static const struct {
        const char *dividend;
        uint64_t divisor;
        int digits;
        const char *quotient;
    } cases[] = {
        {"1", 3, 15, "0.333333333333333"},
        {"-2", 3, 15, "-0.666666666666667"},
        {"1", 8, 2, "0.12"},
        {"3", 8, 2, "0.38"},
        {"999999999999999", 10, 14, "100000000000000"},
        {"25", 1, 1, "20"},
        {"35", 1, 1, "40"},
        /* to 16 digits first, it would be a tie and become ...2 */
        {"1.000000000000024999", 2, 15, "0.500000000000012"},
        {"0", 7, 15, "0"},
        {"1", UINT64_MAX, 3, "0.0000000000000000000542"},
        /* a tie but for the remainder of the division itself */
        {"1", UINT64_C(13501577854261840965), 18, "0.0000000000000000000740654174492905635"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct exact dividend = {0};
        exact_add(&dividend, parsed(cases[i].dividend));
        struct decimal quotient;
        assert_int_equal(exact_divide(&dividend, cases[i].divisor, cases[i].digits, &quotient), 0);
        char out[DECIMAL_TEXT_MAX];
        assert_int_equal(decimal_print(out, quotient), strlen(cases[i].quotient));
        assert_memory_equal(out, cases[i].quotient, strlen(cases[i].quotient));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(number_becomes_canonical_mantissa_and_exponent),
        cmocka_unit_test(digits_beyond_18_are_rounded_half_to_even_and_marked),
        cmocka_unit_test(text_that_is_no_number_is_refused_and_leaves_outputs_alone),
        cmocka_unit_test(exponent_outside_the_range_is_a_limit),
        cmocka_unit_test(megabyte_of_digits_is_read_with_its_exponent),
        cmocka_unit_test(extremes_of_mantissa_and_exponent_print_and_compare),
        cmocka_unit_test(short_numbers_print_as_long_ones_do),
        cmocka_unit_test(mantissa_at_an_exponent_is_exact_or_refused),
        cmocka_unit_test(exact_value_is_taken_as_mantissa_where_it_fits),
        cmocka_unit_test(sum_crosses_word_borders_in_both_directions),
        cmocka_unit_test(sum_may_be_added_to_or_subtracted_from_itself),
        cmocka_unit_test(largest_promised_sum_does_not_overflow),
        cmocka_unit_test(overflow_stays_and_has_no_value),
        cmocka_unit_test(exponents_too_far_apart_overflow_but_compare),
        cmocka_unit_test(quotient_is_rounded_once_and_half_to_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
