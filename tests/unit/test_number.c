#include <config.h>

#include "adapt/number.h"

#include "../lib/test.h"

static const struct number_form plain = {'.', 0}, german = {',', '.'}, french = {',', ' '};

static void reads_as(const struct number_form *form, const char *text, const char *want)
{
    char out[NUMBER_TEXT_MAX + 1];
    size_t size = 0;
    int rc = number_plain(form, text, strlen(text), out, &size);
    if (!want) {
        assert_int_equal(rc, ERR_INVALID);
        return;
    }
    assert_int_equal(rc, 0);
    out[size] = '\0';
    assert_string_equal(out, want);
}

static void numbers_become_those_of_json_with_all_their_digits(void **state)
{
    (void)state;
    reads_as(&plain, "12.30", "12.30");
    reads_as(&plain, "-0", "-0");
    reads_as(&plain, "+5", "5");
    reads_as(&plain, "007", "7");
    reads_as(&plain, "000", "0");
    reads_as(&plain, "-00.50", "-0.50");
    reads_as(&plain, ".5", "0.5");
    reads_as(&plain, "5.", "5");
    reads_as(&plain, "1.5E+03", "1.5e+03");
    reads_as(&plain, "5e-7", "5e-7");
    reads_as(&plain, "123456789012345678901234567890", "123456789012345678901234567890");
}

static void marks_are_those_of_the_form(void **state)
{
    (void)state;
    reads_as(&german, "1.234.567,5", "1234567.5");
    reads_as(&german, "-,5", "-0.5");
    reads_as(&german, "1234,5", "1234.5");
    reads_as(&french, "1 234,5", "1234.5");
    reads_as(&plain, "1,5", NULL);
    reads_as(&german, "1,2,3", NULL);
    reads_as(&german, ".5", NULL);
    reads_as(&german, "5.", NULL);
    reads_as(&german, "1..5", NULL);
    reads_as(&german, "1,5.000", NULL);
}

static void what_is_no_number_is_none(void **state)
{
    (void)state;
    static const char *const texts[] = {"",    "-",    "+",   ".",   "-.",  "e5", "1e",    "1e+",
                                        "1 2", "0x10", "NaN", "inf", "--1", "1-", "1e5.5", "1f"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        reads_as(&plain, texts[i], NULL);
}

static void longer_than_any_is_a_limit(void **state)
{
    (void)state;
    char text[NUMBER_TEXT_MAX + 8], out[NUMBER_TEXT_MAX];
    size_t size;
    memset(text, '1', sizeof text);
    assert_int_equal(number_plain(&plain, text, sizeof text, out, &size), ERR_LIMIT);
    assert_int_equal(number_plain(&plain, text, NUMBER_TEXT_MAX - 3, out, &size), 0);
    assert_true(size <= NUMBER_TEXT_MAX);
}

static void scaled(const char *text, struct decimal scale, const char *want)
{
    char out[NUMBER_TEXT_MAX + 1];
    size_t size = 0;
    int rc = number_scale(text, strlen(text), scale, out, &size);
    if (!want) {
        assert_int_equal(rc, ERR_LIMIT);
        return;
    }
    assert_int_equal(rc, 0);
    out[size] = '\0';
    assert_string_equal(out, want);
}

/* More of it is compared with Python's decimal by tests/accept/74-mappings.py. */
static void products_have_every_digit(void **state)
{
    (void)state;
    scaled("12.30", (struct decimal){1, -3}, "0.0123");
    scaled("-4", (struct decimal){25, -1}, "-10");
    scaled("0", (struct decimal){25, -1}, "0");
    scaled("999999999999999999", (struct decimal){999999999999999999, 0}, "999999999999999998000000000000000001");
    scaled("123456789012345678901.5", (struct decimal){2, 0}, "246913578024691357803");
    scaled("-0.0000000000000000000000001", (struct decimal){1, 3}, "-0.0000000000000000000001");
    scaled("1e500", (struct decimal){2, 0}, NULL);
    scaled("1e-500", (struct decimal){2, 0}, NULL);
}

/* What number_scale promises. */
static void product_may_take_the_place_of_its_number(void **state)
{
    (void)state;
    char text[NUMBER_TEXT_MAX] = "123456789012345678901.5";
    size_t size = strlen(text);
    assert_int_equal(number_scale(text, size, (struct decimal){2, 0}, text, &size), 0);
    assert_memory_equal(text, "246913578024691357803", size);
    assert_int_equal(size, 21);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_become_those_of_json_with_all_their_digits),
        cmocka_unit_test(marks_are_those_of_the_form),
        cmocka_unit_test(what_is_no_number_is_none),
        cmocka_unit_test(longer_than_any_is_a_limit),
        cmocka_unit_test(products_have_every_digit),
        cmocka_unit_test(product_may_take_the_place_of_its_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
