/* model/decimal and model/unit against Python's decimal and fractions: tests/oracle/decimals.py SECTION COUNT SEED prints
 * one random case a line, words separated by blanks, the expected answer included. ALMANAC_SOAK=1 asks for 50 times as
 * many, another number for that many; ALMANAC_SEED repeats a run. A program of its own, since without python3 all of it is
 * skipped, and the TAP that cmocka prints for a skipped case counts as a failure. */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "../lib/test.h"
#include "model/decimal.h"
#include "model/unit.h"

struct oracle {
    FILE *pipe;
    char *line, *rest;
    size_t cap;
    unsigned long n, n_read;
    uint64_t seed;
};

static unsigned long oracle_count(unsigned long n)
{
    const char *soak = getenv("ALMANAC_SOAK");
    if (soak == NULL || *soak == '\0' || strcmp(soak, "0") == 0)
        return n;
    unsigned long count = strtoul(soak, NULL, 10);
    return count <= 1 ? 50 * n : count;
}

static void oracle_open(struct oracle *oracle, const char *section, unsigned long n)
{
    const char *seed = getenv("ALMANAC_SEED"), *source = getenv("TEST_SRCDIR");
    *oracle = (struct oracle){.n = oracle_count(n)};
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    oracle->seed = seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    print_message("# %s: %lu cases, ALMANAC_SEED=%" PRIu64 "\n", section, oracle->n, oracle->seed);
    fflush(stdout);

    char command[4096];
    int size = snprintf(command, sizeof command, "python3 '%s/tests/oracle/decimals.py' %s %lu %" PRIu64,
                        source != NULL ? source : ".", section, oracle->n, oracle->seed);
    assert_in_range(size, 1, sizeof command - 1);
    oracle->pipe = popen(command, "r");
    assert_non_null(oracle->pipe);
}

/* False after the last case; then the oracle is closed, and it is sure that it said all that it was asked for. */
static bool oracle_next(struct oracle *oracle)
{
    ssize_t size = getline(&oracle->line, &oracle->cap, oracle->pipe);
    if (size > 0) {
        oracle->line[size - 1] = '\0';
        oracle->rest = oracle->line;
        oracle->n_read++;
        return true;
    }
    free(oracle->line);
    assert_int_equal(pclose(oracle->pipe), 0);
    assert_int_equal(oracle->n_read, oracle->n);
    return false;
}

static char *oracle_word(struct oracle *oracle)
{
    char *word = strsep(&oracle->rest, " ");
    if (word == NULL)
        fail_msg("case %lu of seed %" PRIu64 " ends too soon", oracle->n_read, oracle->seed);
    return word;
}

static int64_t oracle_integer(struct oracle *oracle)
{
    char *end, *word = oracle_word(oracle);
    int64_t value = strtoll(word, &end, 10);
    if (end == word || *end != '\0')
        fail_msg("'%s' in case %lu is no integer", word, oracle->n_read);
    return value;
}

/* The case's own words are gone by then: they are found again by number and seed. */
#define AGREES(oracle, condition, what)                                                                            \
    do {                                                                                                           \
        if (!(condition))                                                                                          \
            fail_msg("%s: not what the oracle says in case %lu of ALMANAC_SEED=%" PRIu64, what, (oracle)->n_read,  \
                     (oracle)->seed);                                                                              \
    } while (0)

/* ---- decimals and sums ---- */

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

static __int128 oracle_i128(struct oracle *oracle)
{
    const char *word = oracle_word(oracle);
    bool negative = *word == '-';
    __int128 value = 0;
    for (word += negative; *word >= '0' && *word <= '9'; word++)
        value = value * 10 - (*word - '0');
    return negative ? value : -value;
}

/* The steps up to a slash. */
static struct exact oracle_sum(struct oracle *oracle)
{
    struct exact sum = {0};
    for (;;) {
        const char *step = oracle_word(oracle);
        if (*step == 'd') {
            int64_t m = oracle_integer(oracle);
            exact_add(&sum, (struct decimal){m, (int8_t)oracle_integer(oracle)});
        } else if (*step == 'w') {
            __int128 m = oracle_i128(oracle);
            exact_add_i128(&sum, m, (int)oracle_integer(oracle));
        } else if (*step == 'x') {
            exact_multiply_u64(&sum, strtoull(oracle_word(oracle), NULL, 10));
        } else {
            assert_string_equal(step, "/");
            return sum;
        }
    }
}

static void check_text(struct oracle *oracle, const struct exact *value, const char *what)
{
    char out[EXACT_TEXT_MAX];
    size_t size = exact_print(out, value);
    const char *text = oracle_word(oracle);
    AGREES(oracle, size == strlen(text) && memcmp(out, text, size) == 0, what);
}

static void check_parse(struct oracle *oracle)
{
    struct decimal value = {0, 0};
    bool rounded = false;
    int r = parse(oracle_word(oracle), &value, &rounded);
    const char *answer = oracle->rest;
    char mine[64] = "";
    if (r == 0)
        snprintf(mine, sizeof mine, "%" PRId64 " %d %d", value.m, value.e, rounded);
    else
        snprintf(mine, sizeof mine, "%s", r == ERR_INVALID ? "invalid" : r == ERR_LIMIT ? "limit" : "other");
    AGREES(oracle, strcmp(mine, answer) == 0, "decimal_parse");
}

static void check_decimal(struct oracle *oracle)
{
    struct decimal a, b;
    a.m = oracle_integer(oracle);
    a.e = (int8_t)oracle_integer(oracle);
    b.m = oracle_integer(oracle);
    b.e = (int8_t)oracle_integer(oracle);
    int target = (int)oracle_integer(oracle);
    int sign = (int)oracle_integer(oracle);
    AGREES(oracle, decimal_compare(a, b) == sign && decimal_compare(b, a) == -sign, "decimal_compare");
    AGREES(oracle, decimal_compare(a, decimal_canonical(a)) == 0, "decimal_canonical");

    int64_t m = 0;
    const char *at = oracle_word(oracle);
    bool fits = decimal_at(a, target, &m);
    AGREES(oracle, fits ? strtoll(at, NULL, 10) == m && *at != 'n' : *at == 'n', "decimal_at");
    char out[DECIMAL_TEXT_MAX];
    size_t size = decimal_print(out, a);
    AGREES(oracle, size == strlen(oracle->rest) && memcmp(out, oracle->rest, size) == 0, "decimal_print");
}

static void check_exact(struct oracle *oracle)
{
    struct exact x = oracle_sum(oracle), y = oracle_sum(oracle), sum = x, difference = x;
    exact_add_exact(&sum, &y);
    exact_subtract(&difference, &y);
    check_text(oracle, &x, "sum of x");
    check_text(oracle, &y, "sum of y");
    check_text(oracle, &sum, "x + y");
    check_text(oracle, &difference, "x - y");
    int sign = (int)oracle_integer(oracle);
    AGREES(oracle, exact_compare(&x, &y) == sign && exact_compare(&y, &x) == -sign, "exact_compare");
    AGREES(oracle, exact_is_zero(&difference) == (sign == 0), "exact_is_zero");

    uint64_t divisor = strtoull(oracle_word(oracle), NULL, 10);
    int digits = (int)oracle_integer(oracle);
    struct decimal quotient;
    int r = exact_divide(&x, divisor, digits, &quotient);
    const char *m_or_limit = oracle_word(oracle);
    if (*m_or_limit == 'l') {
        AGREES(oracle, r == ERR_LIMIT, "limit of exact_divide");
    } else {
        int64_t e = oracle_integer(oracle);
        AGREES(oracle, r == 0 && quotient.m == strtoll(m_or_limit, NULL, 10) && quotient.e == e, "exact_divide");
    }
    int64_t m = 0;
    bool fits = exact_at(&x, (int)oracle_integer(oracle), &m);
    const char *at = oracle->rest;
    AGREES(oracle, fits ? strtoll(at, NULL, 10) == m && *at != 'n' : *at == 'n', "exact_at");
}

static void arithmetic_agrees_with_decimal_and_fractions_of_python(void **state)
{
    (void)state;
    struct oracle oracle;
    oracle_open(&oracle, "decimal", 16000);
    while (oracle_next(&oracle)) {
        const char *kind = oracle_word(&oracle);
        if (*kind == 'p')
            check_parse(&oracle);
        else if (*kind == 'd')
            check_decimal(&oracle);
        else
            check_exact(&oracle);
    }
}

/* ---- conversions ---- */

static void conversion_agrees_with_fractions_of_python(void **state)
{
    (void)state;
    struct oracle oracle;
    oracle_open(&oracle, "unit", 6000);
    while (oracle_next(&oracle)) {
        struct unit units[2] = {{"a", "x", 0, 0, 0, {0, 0}}, {"b", "x", 0, 0, 0, {0, 0}}};
        oracle_word(&oracle);
        for (int i = 0; i < 2; i++) {
            units[i].numerator = oracle_integer(&oracle);
            units[i].denominator = oracle_integer(&oracle);
            units[i].exponent = (int8_t)oracle_integer(&oracle);
            units[i].offset.m = oracle_integer(&oracle);
            units[i].offset.e = (int8_t)oracle_integer(&oracle);
        }
        struct decimal value, result = {0, 0};
        value.m = oracle_integer(&oracle);
        value.e = (int8_t)oracle_integer(&oracle);
        bool rounded = false;
        int r = unit_convert(&units[0], &units[1], value, &result, &rounded);
        char mine[64];
        if (r == 0)
            snprintf(mine, sizeof mine, "%" PRId64 " %d %d", result.m, result.e, rounded);
        else
            snprintf(mine, sizeof mine, "%s", r == ERR_LIMIT ? "limit" : "other");
        AGREES(&oracle, strcmp(mine, oracle.rest) == 0, "unit_convert");
    }
}

int main(void)
{
    if (system("python3 -c 'import decimal, fractions' >/dev/null 2>&1") != 0) {
        puts("1..0 # SKIP no python3: nothing to compare with");
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arithmetic_agrees_with_decimal_and_fractions_of_python),
        cmocka_unit_test(conversion_agrees_with_fractions_of_python),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
