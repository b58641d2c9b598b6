#include <config.h>

#include "common/err.h"

#include <stdio.h>

#include "../lib/test.h"

static void text_is_formatted_and_the_code_handed_back(void **state)
{
    (void)state;
    struct err_text error = {0};
    assert_int_equal(err_set(&error, ERR_NOTFOUND, "no series '%s' in %d files", "p2-meter-7", 3),
                     ERR_NOTFOUND);
    assert_string_equal(error.text, "no series 'p2-meter-7' in 3 files");
    assert_string_equal(error.field, "");
}

static void field_is_named_and_forgotten_by_the_next_text(void **state)
{
    (void)state;
    struct err_text error = {0};
    assert_int_equal(err_set_field(&error, ERR_INVALID, "step", "no step '%s'", "x"), ERR_INVALID);
    assert_string_equal(error.field, "step");
    assert_string_equal(error.text, "no step 'x'");
    assert_int_equal(err_set(&error, ERR_IO, "read failed"), ERR_IO);
    assert_string_equal(error.field, "");
}

static void long_text_and_field_are_cut_off(void **state)
{
    (void)state;
    struct err_text error = {0};
    char text[2000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(err_set_field(&error, ERR_LIMIT, text, "%s", text), ERR_LIMIT);
    assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
    assert_int_equal(strlen(error.field), sizeof(error.field) - 1);
}

static void missing_struct_is_no_crash(void **state)
{
    (void)state;
    assert_int_equal(err_set(NULL, ERR_BUSY, "%d", 1), ERR_BUSY);
    assert_int_equal(err_set_field(NULL, ERR_BUSY, "field", "%d", 1), ERR_BUSY);
}

static void every_code_has_its_own_name(void **state)
{
    (void)state;
    for (int code = ERR_LAST; code <= 0; code++) {
        assert_string_not_equal(err_name(code), "unknown error");
        for (int other = ERR_LAST; other < code; other++)
            assert_string_not_equal(err_name(code), err_name(other));
    }
    assert_string_equal(err_name(ERR_LAST - 1), "unknown error");
    assert_string_equal(err_name(1), "unknown error");
    assert_string_equal(err_name(-2147483647 - 1), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_formatted_and_the_code_handed_back),
        cmocka_unit_test(field_is_named_and_forgotten_by_the_next_text),
        cmocka_unit_test(long_text_and_field_are_cut_off),
        cmocka_unit_test(missing_struct_is_no_crash),
        cmocka_unit_test(every_code_has_its_own_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
