#include <config.h>

#include "../lib/test.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/civil.h"
#include "common/hash.h"
#include "store/pool.h"

#define BEGIN (20000 * US_PER_DAY)
#define NAME "2024-10.raw.g1.db"

static const struct file_facts facts = {"raw.t", 2, {BEGIN, BEGIN + 31 * US_PER_DAY}, 1};
static const struct series_row gauge = {7, "m-1", "SmartMeter", "voltage", "V", KIND_GAUGE, false};
static char dir[256], path[300];
static struct file file;

/* A sealed file of one reading. */
static int make_file(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    struct err_text error = {0};
    struct points points = {0};
    struct window_file *window;
    struct stat of;
    snprintf(dir, sizeof(dir), "%.200s/almanac-pool-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/" NAME, dir);
    assert_int_equal(hash_init(), 0);
    assert_int_equal(points_reserve(&points, 1), 0);
    points.t_us[0] = BEGIN;
    points.m[0] = 230;
    points.e[0] = 0;
    points.quality[0] = QUALITY_MEASURED;
    points.period_us[0] = points.known_ms[0] = 0;
    points.issued_us[0] = ISSUED_NONE;
    points.n = 1;
    if (window_file_create(path, FILE_RAW, &facts, &window, &error))
        fail_msg("%s", error.text);
    assert_int_equal(window_file_add_series(window, &gauge), 0);
    assert_int_equal(window_file_put(window, &gauge, ROLE_PLAIN, &points, 1), 0);
    window_file_close(window);
    points_free(&points);
    assert_int_equal(stat(path, &of), 0);
    file = (struct file){.name = NAME, .kind = FILE_RAW, .window = facts.window, .generation = 1, .bytes = of.st_size};
    return hash_file(path, file.digest);
}

static int remove_file(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

static bool is_mapped(void)
{
    char line[1024];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps))
        found = found || strstr(line, path);
    fclose(maps);
    return found;
}

/* Takes the file, reads its reading, and gives it back. */
static void read_once(struct pool *pool)
{
    struct pooled *pooled;
    struct chunk_rows chunks = {0};
    struct points points = {0};
    assert_int_equal(pool_take(pool, dir, &file, &pooled), 0);
    struct window_file *window = pooled_window(pooled);
    assert_int_equal(window_file_chunks(window, 7, ROLE_PLAIN, INT64_MIN, INT64_MAX, 1, &chunks), 0);
    assert_int_equal(chunks.n, 1);
    assert_int_equal(window_file_read(window, 7, ROLE_PLAIN, chunks.at[0].id, POINTS_ALL, &points), 0);
    assert_int_equal(points.m[0], 230);
    assert_true(is_mapped());
    pool_give(pool, pooled);
    chunk_rows_free(&chunks);
    points_free(&points);
}

static void what_is_not_used_stays_mapped_up_to_a_bound(void **state)
{
    (void)state;
    struct pool *pool = pool_new(file.bytes, 0);
    assert_non_null(pool);
    read_once(pool);
    assert_true(is_mapped());
    read_once(pool); /* counted once */
    assert_true(is_mapped());
    pool_free(pool);
    assert_false(is_mapped());
}

static void what_is_beyond_it_is_mapped_again_when_it_is_read(void **state)
{
    (void)state;
    struct pool *pool = pool_new(file.bytes - 1, 0);
    assert_non_null(pool);
    for (int i = 0; i < 3; i++) {
        read_once(pool);
        assert_false(is_mapped());
    }
    pool_free(pool);
}

static void what_was_used_just_now_stays_mapped(void **state)
{
    (void)state;
    struct pool *pool = pool_new(0, INT64_MAX);
    assert_non_null(pool);
    read_once(pool);
    assert_true(is_mapped());
    pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_not_used_stays_mapped_up_to_a_bound, make_file, remove_file),
        cmocka_unit_test_setup_teardown(what_is_beyond_it_is_mapped_again_when_it_is_read, make_file, remove_file),
        cmocka_unit_test_setup_teardown(what_was_used_just_now_stays_mapped, make_file, remove_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
