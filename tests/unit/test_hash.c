/* BLAKE2b-256 against values of another implementation (Python's hashlib; "abc" and "" are
 * published as well). */
#include <config.h>

#include "common/hash.h"

#include <stdio.h>
#include <unistd.h>

#include "../lib/test.h"

static uint8_t counting[255]; /* 00 01 02 ... fe */
static char directory[256];

static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(counting); i++)
        counting[i] = (uint8_t)i;
    const char *tmp = getenv("TMPDIR");
    snprintf(directory, sizeof(directory), "%s/test_hash.XXXXXX", tmp ? tmp : "/tmp");
    return hash_init() < 0 || !mkdtemp(directory);
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(directory);
}

static void assert_hash(const uint8_t hash[static HASH_BYTES], const char *expected)
{
    char hex[HASH_HEX_MAX];
    hash_hex(hash, hex);
    assert_string_equal(hex, expected);
}

static void plain_hashes_are_blake2b(void **state)
{
    (void)state;
    uint8_t hash[HASH_BYTES];
    hash_bytes("", 0, hash);
    assert_hash(hash, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
    hash_bytes("abc", 3, hash);
    assert_hash(hash, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
    hash_bytes(counting, sizeof(counting), hash);
    assert_hash(hash, "1d0850ee9bca0abc9601e9deabe1418fedec2fb6ac4150bd5302d2430f9be943");
}

static void keyed_hashes_are_blake2b_with_a_key(void **state)
{
    (void)state;
    uint8_t hash[HASH_BYTES];
    hash_keyed(counting, "", 0, hash);
    assert_hash(hash, "4e51e7a913fc80137da52880fecca175bf81e117d5c68126dc2774033517ea0d");
    hash_keyed(counting, "abc", 3, hash);
    assert_hash(hash, "d63a32d3e44738d7907f964316c241adaba0abfeabc32349677578a15a203f7f");
    hash_keyed(counting, counting, sizeof(counting), hash);
    assert_hash(hash, "f60f5c4a575c43db6c93608515866ea998e04b35792f5a92b27aa5880cd6721e");
}

static void file_of_many_blocks_hashes_as_its_bytes(void **state)
{
    (void)state;
    char path[300];
    snprintf(path, sizeof(path), "%s/million", directory);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 1000000; i++)
        putc('a', file);
    assert_int_equal(fclose(file), 0);
    uint8_t hash[HASH_BYTES];
    int rc = hash_file(path, hash);
    unlink(path);
    assert_int_equal(rc, 0);
    assert_hash(hash, "0741850f36cba4259628355d1073e24ddb9ca0e1bfac36fd39ae5dc2101e23a4");
}

static void missing_file_and_directory_leave_the_hash_alone(void **state)
{
    (void)state;
    uint8_t hash[HASH_BYTES] = {7};
    char path[300];
    snprintf(path, sizeof(path), "%s/nothing", directory);
    assert_int_equal(hash_file(path, hash), ERR_NOTFOUND);
    assert_int_equal(hash_file(directory, hash), ERR_IO);
    assert_int_equal(hash[0], 7);
}

static void hexadecimal_comes_back_and_bad_text_is_refused(void **state)
{
    (void)state;
    uint8_t hash[HASH_BYTES], back[HASH_BYTES] = {0};
    char hex[HASH_HEX_MAX];
    hash_bytes("abc", 3, hash);
    hash_hex(hash, hex);
    assert_int_equal(hash_from_hex(hex, back), 0);
    assert_memory_equal(hash, back, HASH_BYTES);
    for (size_t i = 0; i < 2 * HASH_BYTES; i++) {
        static const char bad[] = "g /:@G`\n";
        for (const char *c = bad; *c; c++) {
            char saved = hex[i];
            hex[i] = *c;
            assert_int_equal(hash_from_hex(hex, back), ERR_INVALID);
            hex[i] = saved;
        }
    }
    hex[2 * HASH_BYTES - 1] = '\0'; /* a digit short */
    assert_int_equal(hash_from_hex(hex, back), ERR_INVALID);
    assert_int_equal(hash_from_hex("", back), ERR_INVALID);
    char longer[HASH_HEX_MAX + 1];
    memset(longer, '0', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(hash_from_hex(longer, back), ERR_INVALID);
    assert_memory_equal(hash, back, HASH_BYTES);
}

static void one_other_bit_is_not_equal(void **state)
{
    (void)state;
    uint8_t a[HASH_BYTES], b[HASH_BYTES];
    hash_random(a, sizeof(a));
    memcpy(b, a, sizeof(b));
    assert_int_equal(hash_equal(a, b), 1);
    for (unsigned bit = 0; bit < 8 * HASH_BYTES; bit++) {
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(hash_equal(a, b), 0);
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void base64url_is_that_of_rfc_4648_without_padding(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *expected;
    } cases[] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xfe", "-__-"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        size_t size = strlen(cases[i].bytes);
        char *out = malloc(4 * ((size + 2) / 3) + 1); /* what the header asks for */
        assert_non_null(out);
        hash_base64url(cases[i].bytes, size, out);
        assert_string_equal(out, cases[i].expected);
        free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_hashes_are_blake2b),
        cmocka_unit_test(keyed_hashes_are_blake2b_with_a_key),
        cmocka_unit_test(file_of_many_blocks_hashes_as_its_bytes),
        cmocka_unit_test(missing_file_and_directory_leave_the_hash_alone),
        cmocka_unit_test(hexadecimal_comes_back_and_bad_text_is_refused),
        cmocka_unit_test(one_other_bit_is_not_equal),
        cmocka_unit_test(base64url_is_that_of_rfc_4648_without_padding),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
