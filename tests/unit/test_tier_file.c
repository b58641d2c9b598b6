#include <config.h>

#include "../lib/random.h"
#include "../lib/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "common/civil.h"
#include "store/tier_file.h"

static char dir[256], path[300];
static const struct file_facts facts = {"raw.t", 2, {20000 * US_PER_DAY, 20031 * US_PER_DAY}, 3};

static int make_folder(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof(dir), "%.200s/almanac-tier-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    snprintf(path, sizeof(path), "%s", mkdtemp(dir) ? dir : "");
    snprintf(path, sizeof(path), "%s/x.tier.g3.db", dir);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

static struct tier_file *create(void)
{
    struct tier_file *file;
    struct err_text error = {0};
    if (tier_file_create(path, &facts, &file, &error))
        fail_msg("%s", error.text);
    return file;
}

static struct tier_file *open_again(struct tier_file *file)
{
    struct err_text error = {0};
    tier_file_close(file);
    if (tier_file_open(path, &file, &error))
        fail_msg("%s", error.text);
    return file;
}

static void generate(struct points *points, enum kind kind, int64_t cadence_us, size_t n, uint64_t seed)
{
    points_clear(points);
    assert_int_equal(points_reserve(points, n), 0);
    int64_t t_us = facts.window.begin_us;
    for (size_t i = 0; i < n; i++) {
        t_us += cadence_us * (random_below(&seed, 50) ? 1 : 1 + random_below(&seed, 3));
        points->t_us[i] = t_us;
        points->m[i] = kind == KIND_COUNTER ? (int64_t)i * 7 : random_below(&seed, 5000);
        points->e[i] = -2;
        points->quality[i] = (uint8_t)(random_below(&seed, 20) ? 0 : random_below(&seed, QUALITY_N));
        points->period_us[i] = kind == KIND_INTERVAL ? cadence_us : 0;
        points->issued_us[i] = ISSUED_NONE;
        points->known_ms[i] = 0;
    }
    points->n = n;
}

static bool same_cell(const struct cell *a, const struct cell *b)
{
    return a->begin_us == b->begin_us && a->count == b->count && a->first_us == b->first_us && a->last_us == b->last_us &&
           a->min_us == b->min_us && a->max_us == b->max_us && a->covered_us == b->covered_us &&
           a->n_resets == b->n_resets && memcmp(a->n_quality, b->n_quality, sizeof(a->n_quality)) == 0 &&
           exact_compare(&a->sum, &b->sum) == 0 && exact_compare(&a->linear2, &b->linear2) == 0 &&
           exact_compare(&a->step, &b->step) == 0 && exact_compare(&a->increase, &b->increase) == 0 &&
           decimal_compare(a->min, b->min) == 0 && decimal_compare(a->max, b->max) == 0 &&
           decimal_compare(a->first, b->first) == 0 && decimal_compare(a->last, b->last) == 0;
}

/* The cells of [begin, end) of a tier are those computed from the readings. */
static void compare_cells(struct tier_file *file, const struct series_row *series, const struct points *points,
                          enum tier tier, int64_t begin_us, int64_t end_us)
{
    struct cells expected = {0}, found = {0};
    struct cell_options options = {series->kind, tier_width_us[tier], MAX_GAP_DEFAULT_US};
    bool cut = false;
    assert_int_equal(cells_compute(points, 0, points->n, &options, &expected, &cut), 0);
    assert_int_equal(tier_file_read(file, series->id, tier, begin_us, end_us, &found), 0);
    size_t n = 0;
    for (size_t i = 0; i < expected.n; i++) {
        if (expected.rows[i].begin_us < begin_us || expected.rows[i].begin_us >= end_us)
            continue;
        if (n >= found.n || !same_cell(&expected.rows[i], &found.rows[n]))
            fail_msg("series %u, tier %s: the cell at %lld differs", series->id, tier_name[tier],
                     (long long)expected.rows[i].begin_us);
        n++;
    }
    assert_int_equal(n, found.n);
    cells_free(&expected);
    cells_free(&found);
}

/* I6 */
static void cells_come_back_as_they_are_computed(void **state)
{
    (void)state;
    static const struct {
        enum kind kind;
        int64_t cadence_us;
        size_t n;
        unsigned tiers;
    } cases[] = {{KIND_GAUGE, US_PER_SECOND / 5, 30000, 7}, {KIND_GAUGE, US_PER_SECOND, 20000, 6},
                 {KIND_COUNTER, US_PER_MINUTE, 40000, 4},   {KIND_INTERVAL, US_PER_SECOND, 9000, 6},
                 {KIND_GAUGE, 15 * US_PER_MINUTE, 2000, 0}, {KIND_INTERVAL, 7 * US_PER_MINUTE, 500, 0}};
    struct tier_file *file = create();
    struct points points = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct series_row series = {.id = (uint32_t)i + 1, .kind = cases[i].kind, .entity = "m", .type = "T",
                                    .property = "p", .unit = "W"};
        generate(&points, cases[i].kind, cases[i].cadence_us, cases[i].n, i);
        assert_int_equal(tier_file_put(file, &series, &points), 0);
    }
    file = open_again(file);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct series_row series = {.id = (uint32_t)i + 1, .kind = cases[i].kind};
        unsigned tiers = 99;
        assert_int_equal(tier_file_tiers(file, series.id, &tiers), 0);
        assert_int_equal(tiers, cases[i].tiers);
        generate(&points, cases[i].kind, cases[i].cadence_us, cases[i].n, i);
        int64_t middle_us = points.t_us[points.n / 2];
        for (enum tier tier = TIER_1S; tier < TIER_N; tier++) {
            if (!(tiers >> tier & 1))
                continue;
            compare_cells(file, &series, &points, tier, INT64_MIN, INT64_MAX);
            compare_cells(file, &series, &points, tier, middle_us - US_PER_HOUR, middle_us);
            compare_cells(file, &series, &points, tier, middle_us, middle_us);
        }
    }
    points_free(&points);
    tier_file_close(file);
}

static void a_series_that_is_not_there_has_no_tiers(void **state)
{
    (void)state;
    struct tier_file *file = open_again(create());
    struct cells cells = {0};
    unsigned tiers = 99;
    assert_int_equal(tier_file_tiers(file, 5, &tiers), ERR_NOTFOUND);
    assert_int_equal(tier_file_read(file, 5, TIER_1M, INT64_MIN, INT64_MAX, &cells), 0);
    assert_int_equal(cells.n, 0);
    tier_file_close(file);
}

static void a_damaged_block_is_noticed(void **state)
{
    (void)state;
    struct tier_file *file = create();
    struct points points = {0};
    struct cells cells = {0};
    struct series_row series = {.id = 1, .kind = KIND_GAUGE, .entity = "m", .type = "T", .property = "p", .unit = "W"};
    generate(&points, KIND_GAUGE, US_PER_SECOND, 5000, 1);
    assert_int_equal(tier_file_put(file, &series, &points), 0);
    assert_int_equal(db_exec(tier_file_db(file), "UPDATE block SET data = "
                                                 "CAST(substr(data, 1, length(data) - 1) || x'2a' AS BLOB) WHERE tier = 1"), 0);
    assert_int_equal(db_exec(tier_file_db(file), "UPDATE block SET series = 2 WHERE tier = 2"), 0);
    file = open_again(file);
    assert_int_equal(tier_file_read(file, 1, TIER_1M, INT64_MIN, INT64_MAX, &cells), ERR_CORRUPT);
    assert_int_equal(tier_file_read(file, 2, TIER_15M, INT64_MIN, INT64_MAX, &cells), ERR_CORRUPT);
    assert_int_equal(cells.n, 0);
    cells_free(&cells);
    points_free(&points);
    tier_file_close(file);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(cells_come_back_as_they_are_computed),
        CASE(a_series_that_is_not_there_has_no_tiers),
        CASE(a_damaged_block_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
