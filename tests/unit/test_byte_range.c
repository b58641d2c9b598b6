#include <config.h>

#include "../lib/test.h"

#include "http/byte_range.h"

/* RFC 9110 section 14.1.2, whose example has 10000 bytes, and what must be passed over (14.2). */
static void ranges_are_read_as_the_standard_says(void **state)
{
    static const struct {
        const char *header;
        uint64_t size;
        enum byte_range found;
        uint64_t offset, n;
    } cases[] = {
        {"bytes=0-499", 10000, BYTES_SOME, 0, 500},
        {"bytes=500-999", 10000, BYTES_SOME, 500, 500},
        {"bytes=-500", 10000, BYTES_SOME, 9500, 500},
        {"bytes=9500-", 10000, BYTES_SOME, 9500, 500},
        {"BYTES=0-0", 10000, BYTES_SOME, 0, 1},
        {"bytes=9999-9999", 10000, BYTES_SOME, 9999, 1},
        {"bytes=-1", 10000, BYTES_SOME, 9999, 1},
        {"bytes= 7-8 ", 10000, BYTES_SOME, 7, 2},
        {"bytes=0-", 10000, BYTES_SOME, 0, 10000},
        {"bytes=-10000", 10000, BYTES_SOME, 0, 10000},
        {"bytes=-10001", 10000, BYTES_SOME, 0, 10000},
        {"bytes=9000-99999999999999999999999999", 10000, BYTES_SOME, 9000, 1000},
        {"bytes=-99999999999999999999999999", 10000, BYTES_SOME, 0, 10000},
        {"bytes=0-0", 1, BYTES_SOME, 0, 1},
        {"bytes=10000-", 10000, BYTES_NONE, 0, 10000},
        {"bytes=10000-10001", 10000, BYTES_NONE, 0, 10000},
        {"bytes=18446744073709551616-18446744073709551617", 10000, BYTES_NONE, 0, 10000},
        {"bytes=-0", 10000, BYTES_NONE, 0, 10000},
        {"bytes=0-", 0, BYTES_NONE, 0, 0},
        {"bytes=-5", 0, BYTES_NONE, 0, 0},
        {NULL, 10000, BYTES_ALL, 0, 10000},
        {"", 10000, BYTES_ALL, 0, 10000},
        {"bytes", 10000, BYTES_ALL, 0, 10000},
        {"bytes=", 10000, BYTES_ALL, 0, 10000},
        {"bytes=-", 10000, BYTES_ALL, 0, 10000},
        {"bytes=5", 10000, BYTES_ALL, 0, 10000},
        {"bytes=5-4", 10000, BYTES_ALL, 0, 10000},
        {"bytes=+5-9", 10000, BYTES_ALL, 0, 10000},
        {"bytes=5-9x", 10000, BYTES_ALL, 0, 10000},
        {"bytes=0-1,5-6", 10000, BYTES_ALL, 0, 10000},
        {"bytes=0-0,-1", 10000, BYTES_ALL, 0, 10000},
        {"rows=0-499", 10000, BYTES_ALL, 0, 10000},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        uint64_t offset = 99, n = 99;
        enum byte_range found = byte_range_parse(cases[i].header, cases[i].size, &offset, &n);
        if (found != cases[i].found || offset != cases[i].offset || n != cases[i].n)
            fail_msg("%s of %llu: %d, %llu + %llu", cases[i].header, (unsigned long long)cases[i].size, (int)found,
                     (unsigned long long)offset, (unsigned long long)n);
    }
}

static void a_range_counts_only_for_the_bytes_that_the_client_has(void **state)
{
    (void)state;
    assert_true(byte_range_applies(NULL, "\"a\""));
    assert_true(byte_range_applies("\"a\"", "\"a\""));
    assert_false(byte_range_applies("\"b\"", "\"a\""));
    assert_false(byte_range_applies("W/\"a\"", "\"a\"")); /* weak: section 13.1.5 */
    assert_false(byte_range_applies("Sat, 29 Oct 1994 19:43:31 GMT", "\"a\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_read_as_the_standard_says),
        cmocka_unit_test(a_range_counts_only_for_the_bytes_that_the_client_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
