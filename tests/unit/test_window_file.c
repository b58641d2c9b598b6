#include <config.h>

#include "../lib/random.h"
#include "../lib/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/civil.h"
#include "store/window_file.h"

#define BEGIN (20000 * US_PER_DAY)

static const struct file_facts facts = {"raw.t", 2, {BEGIN, BEGIN + 31 * US_PER_DAY}, 3};
static const struct series_row gauge = {7, "m-1", "SmartMeter", "voltage", "V", KIND_GAUGE, false};
static const struct series_row state_series = {9, "m-1", "SmartMeter", "tariff", "", KIND_STATE, false};
static char dir[256], path[300];
static struct points points;

static int make_folder(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof(dir), "%.200s/almanac-window-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/x.db", dir);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    char log_path[310];
    unlink(path);
    snprintf(log_path, sizeof(log_path), "%s-wal", path);
    unlink(log_path);
    snprintf(log_path, sizeof(log_path), "%s-shm", path);
    unlink(log_path);
    points_free(&points);
    return rmdir(dir);
}

static struct window_file *create(enum file_kind kind)
{
    struct window_file *file;
    struct err_text error = {0};
    if (window_file_create(path, kind, &facts, &file, &error))
        fail_msg("%s", error.text);
    return file;
}

static struct window_file *open_read(enum file_kind kind)
{
    struct window_file *file;
    struct err_text error = {0};
    if (window_file_open_read(path, kind, &file, &error))
        fail_msg("%s", error.text);
    return file;
}

/* n readings from begin_us on, a second apart, with values from first on. */
static struct points *make_points(int64_t begin_us, size_t n, int64_t first)
{
    points_clear(&points);
    assert_int_equal(points_reserve(&points, n), 0);
    for (size_t i = 0; i < n; i++) {
        points.t_us[i] = begin_us + (int64_t)i * US_PER_SECOND;
        points.m[i] = first + (int64_t)i;
        points.e[i] = 0;
        points.quality[i] = (uint8_t)(i % QUALITY_N);
        points.period_us[i] = points.known_ms[i] = 0;
        points.issued_us[i] = ISSUED_NONE;
    }
    points.n = n;
    return &points;
}

static void chunks_of(struct window_file *file, int64_t mark, size_t expected_n, int64_t expected_first)
{
    struct chunk_rows chunks = {0};
    struct points found = {0};
    assert_int_equal(window_file_chunks(file, 7, ROLE_PLAIN, INT64_MIN, INT64_MAX, mark, &chunks), 0);
    for (size_t i = 0; i < chunks.n; i++)
        assert_int_equal(window_file_read(file, 7, ROLE_PLAIN, chunks.at[i].id, POINTS_ALL, &found), 0);
    assert_int_equal(found.n, expected_n);
    if (expected_n)
        assert_int_equal(found.m[0], expected_first);
    chunk_rows_free(&chunks);
    points_free(&found);
}

static int64_t last_id(struct window_file *file, int64_t mark)
{
    struct chunk_row chunk;
    bool found;
    assert_int_equal(window_file_last_chunk(file, 7, ROLE_PLAIN, mark, &chunk, &found), 0);
    return found ? chunk.id : -1;
}

/* I8 */
static void each_state_shows_the_rows_that_lived_then(void **state)
{
    (void)state;
    struct window_file *file = create(FILE_OPEN);
    assert_int_equal(window_file_put(file, &gauge, ROLE_PLAIN, make_points(BEGIN, 10, 100), 3), 0);
    int64_t old_id = last_id(file, 3);
    assert_int_equal(window_file_kill(file, old_id, 5), 0);
    assert_int_equal(window_file_put(file, &gauge, ROLE_PLAIN, make_points(BEGIN, 20, 500), 5), 0);
    chunks_of(file, 2, 0, 0);
    chunks_of(file, 3, 10, 100);
    chunks_of(file, 4, 10, 100);
    chunks_of(file, 5, 20, 500);
    chunks_of(file, 1000, 20, 500);
    assert_int_equal(last_id(file, 2), -1);
    assert_int_equal(last_id(file, 4), old_id);
    assert_true(last_id(file, 5) > old_id);
    window_file_close(file);
}

static void a_state_that_was_purged_says_so(void **state)
{
    (void)state;
    struct window_file *file = create(FILE_OPEN);
    assert_int_equal(window_file_put(file, &gauge, ROLE_PLAIN, make_points(BEGIN, 10, 100), 3), 0);
    int64_t old_id = last_id(file, 3);
    assert_int_equal(window_file_kill(file, old_id, 5), 0);
    assert_int_equal(window_file_put(file, &gauge, ROLE_PLAIN, make_points(BEGIN, 20, 500), 5), 0);
    assert_int_equal(window_file_purge(file, 4), 0);
    assert_int_equal(window_file_check_state(file, 3), 0);
    chunks_of(file, 4, 10, 100);
    assert_int_equal(window_file_purge(file, 5), 0);
    assert_int_equal(window_file_check_state(file, 4), ERR_EXPIRED);
    assert_int_equal(window_file_check_state(file, 5), 0);
    points_clear(&points);
    assert_int_equal(window_file_read(file, 7, ROLE_PLAIN, old_id, POINTS_ALL, &points), ERR_EXPIRED);
    chunks_of(file, 5, 20, 500);
    window_file_close(file);
}

static void long_series_are_cut_into_full_chunks(void **state)
{
    (void)state;
    struct window_file *file = create(FILE_RAW);
    struct chunk_rows chunks = {0};
    size_t n = 2 * LIMIT_CHUNK_POINTS + 5;
    assert_int_equal(window_file_put(file, &gauge, ROLE_PLAIN, make_points(BEGIN, n, 0), 1), 0);
    assert_int_equal(window_file_chunks(file, 7, ROLE_PLAIN, INT64_MIN, INT64_MAX, 1, &chunks), 0);
    assert_int_equal(chunks.n, 3);
    assert_int_equal(chunks.at[0].n + chunks.at[1].n + chunks.at[2].n, n);
    assert_int_equal(chunks.at[1].begin_us, BEGIN + LIMIT_CHUNK_POINTS * US_PER_SECOND);
    assert_int_equal(chunks.at[1].last_us, BEGIN + (2 * LIMIT_CHUNK_POINTS - 1) * US_PER_SECOND);
    assert_int_equal(window_file_chunks(file, 7, ROLE_PLAIN, chunks.at[1].last_us, chunks.at[1].last_us + 1, 1, &chunks), 0);
    assert_int_equal(chunks.n, 1); /* half open, by the readings and not by the bounds */
    chunk_rows_free(&chunks);
    window_file_close(file);
}

static void statistics_count_by_role_and_class(void **state)
{
    (void)state;
    struct window_file *file = create(FILE_OPEN);
    struct chunk_stats stats;
    assert_int_equal(window_file_put(file, &gauge, ROLE_PLAIN, make_points(BEGIN, 11, 0), 1), 0);
    assert_int_equal(window_file_put(file, &gauge, ROLE_REVISION, make_points(BEGIN - 5, 50, 0), 1), 0);
    make_points(BEGIN + 100 * US_PER_SECOND, 5, 0);
    for (size_t i = 0; i < 5; i++)
        points.issued_us[i] = BEGIN;
    assert_int_equal(window_file_put(file, &gauge, ROLE_ISSUED, &points, 2), 0);
    assert_int_equal(window_file_stats(file, 7, 1, &stats), 0);
    assert_int_equal(stats.n_plain, 11);
    assert_int_equal(stats.n_issued, 0);
    assert_int_equal(stats.n_edited, 2);
    assert_int_equal(stats.last_us, BEGIN + 10 * US_PER_SECOND);
    assert_int_equal(window_file_stats(file, 7, 2, &stats), 0);
    assert_int_equal(stats.n_plain, 11);
    assert_int_equal(stats.n_issued, 5);
    assert_int_equal(stats.n_edited, 3);
    assert_int_equal(stats.n_derived, 3);
    assert_int_equal(stats.n_estimated, 3);
    assert_int_equal(stats.n_suspect, 3);
    assert_int_equal(stats.first_us, BEGIN);
    assert_int_equal(stats.last_us, BEGIN + 104 * US_PER_SECOND);
    assert_int_equal(window_file_stats(file, 8, 2, &stats), 0);
    assert_int_equal(stats.n_plain + stats.n_issued, 0);
    window_file_close(file);
}

static int note_series(void *arg, const struct series_row *series)
{
    char *out = arg;
    size_t n = strlen(out);
    snprintf(out + n, 300 - n, "%u %s %s %s %s %d; ", series->id, series->entity, series->type, series->property,
             series->unit, (int)series->kind);
    return 0;
}

static int note_counts(void *arg, const struct series_counts *counts)
{
    char *out = arg;
    size_t n = strlen(out);
    snprintf(out + n, 300 - n, "%u %lld %lld %lld; ", counts->series_id, (long long)counts->n,
             (long long)counts->n_class[QUALITY_MEASURED], (long long)counts->n_class[QUALITY_SUSPECT]);
    return 0;
}

static void a_sealed_file_explains_itself(void **state)
{
    (void)state;
    struct window_file *file = create(FILE_RAW);
    char text[300] = "";
    bool has;
    assert_int_equal(window_file_add_series(file, &state_series), 0);
    assert_int_equal(window_file_add_series(file, &gauge), 0);
    assert_int_equal(window_file_add_series(file, &gauge), 0);
    assert_int_equal(window_file_set_counts(file, 7, make_points(BEGIN, 12, 0)), 0);
    window_file_close(file);
    file = open_read(FILE_RAW);
    assert_int_equal(window_file_series(file, note_series, text), 0);
    assert_string_equal(text, "7 m-1 SmartMeter voltage V 0; 9 m-1 SmartMeter tariff  3; ");
    *text = '\0';
    assert_int_equal(window_file_counts(file, note_counts, text), 0);
    assert_string_equal(text, "7 12 3 2; 9 0 0 0; ");
    assert_int_equal(window_file_has_series(file, 9, &has), 0);
    assert_true(has);
    assert_int_equal(window_file_has_series(file, 8, &has), 0);
    assert_false(has);
    window_file_close(file);
}

static void deletions_are_found_by_time_and_state(void **state)
{
    (void)state;
    struct window_file *file = create(FILE_OPEN);
    struct deletions found = {0};
    static const struct deletion range = {BEGIN + 10, BEGIN + 20, ISSUED_NONE, 77, false};
    static const struct deletion one = {BEGIN + 30, BEGIN + 31, 0, 78, false};
    assert_int_equal(window_file_put_deletion(file, 7, &range, 4), 0);
    assert_int_equal(window_file_put_deletion(file, 7, &one, 5), 0);
    assert_int_equal(window_file_deletions(file, 7, BEGIN, BEGIN + 10, 9, &found), 0);
    assert_int_equal(window_file_deletions(file, 7, BEGIN + 20, BEGIN + 30, 9, &found), 0);
    assert_int_equal(window_file_deletions(file, 7, BEGIN, BEGIN + 100, 3, &found), 0);
    assert_int_equal(window_file_deletions(file, 8, BEGIN, BEGIN + 100, 9, &found), 0);
    assert_int_equal(found.n, 0);
    assert_int_equal(window_file_deletions(file, 7, BEGIN + 19, BEGIN + 31, 9, &found), 0);
    assert_int_equal(found.n, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct deletion *expected = found.at[i].begin_us == range.begin_us ? &range : &one;
        assert_int_equal(found.at[i].begin_us, expected->begin_us);
        assert_int_equal(found.at[i].end_us, expected->end_us);
        assert_int_equal(found.at[i].issued_us, expected->issued_us);
        assert_int_equal(found.at[i].known_ms, expected->known_ms);
    }
    deletions_free(&found);
    window_file_close(file);
}

static void the_mark_moves_with_its_transaction(void **state)
{
    (void)state;
    struct window_file *file = create(FILE_OPEN);
    int64_t mark;
    assert_int_equal(window_file_mark(file, &mark), 0);
    assert_int_equal(mark, 0);
    assert_int_equal(db_begin(window_file_db(file)), 0);
    assert_int_equal(window_file_set_mark(file, 12), 0);
    struct window_file *reader = open_read(FILE_OPEN);
    assert_int_equal(window_file_mark(reader, &mark), 0);
    assert_int_equal(mark, 0);
    assert_int_equal(db_commit(window_file_db(file)), 0);
    assert_int_equal(window_file_mark(reader, &mark), 0);
    assert_int_equal(mark, 12);
    window_file_close(reader);
    window_file_settle(file);
}

static void a_file_of_another_kind_is_refused_by_name(void **state)
{
    (void)state;
    struct window_file *file;
    struct err_text error = {0};
    window_file_close(create(FILE_RAW));
    assert_int_equal(window_file_open_read(path, FILE_OPEN, &file, &error), ERR_VERSION);
    assert_non_null(strstr(error.text, "open window file"));
    assert_non_null(strstr(error.text, path));
    assert_int_equal(window_file_open(path, &file, &error), ERR_VERSION);
    assert_int_equal(window_file_create(path, FILE_RAW, &facts, &file, &error), ERR_EXISTS);
}

/* A chunk under another series' or role's row is as wrong as a damaged one. */
static void a_chunk_that_is_not_its_row_s_is_corrupt(void **state)
{
    (void)state;
    struct window_file *file = create(FILE_OPEN);
    assert_int_equal(window_file_put(file, &gauge, ROLE_PLAIN, make_points(BEGIN, 100, 0), 1), 0);
    int64_t id = last_id(file, 1);
    points_clear(&points);
    assert_int_equal(window_file_read(file, 8, ROLE_PLAIN, id, POINTS_ALL, &points), ERR_CORRUPT);
    assert_int_equal(window_file_read(file, 7, ROLE_ISSUED, id, POINTS_ALL, &points), ERR_CORRUPT);
    assert_int_equal(points.n, 0);
    assert_int_equal(db_exec(window_file_db(file), "UPDATE chunk SET data = x''"), 0);
    assert_int_equal(window_file_read(file, 7, ROLE_PLAIN, id, POINTS_ALL, &points), ERR_CORRUPT);
    window_file_close(file);
}

static int read_all(void *arg, const struct series_row *series)
{
    struct window_file *file = arg;
    struct chunk_rows chunks = {0};
    struct points found = {0};
    int rc = window_file_chunks(file, series->id, ROLE_PLAIN, INT64_MIN, INT64_MAX, 1, &chunks);
    for (size_t i = 0; i < chunks.n && !rc; i++) {
        points_clear(&found);
        rc = window_file_read(file, series->id, ROLE_PLAIN, chunks.at[i].id, POINTS_ALL, &found);
    }
    chunk_rows_free(&chunks);
    points_free(&found);
    return rc;
}

/* I11: whatever the bytes are, reading ends with a code or with readings. */
static void damaged_files_are_read_without_harm(void **state)
{
    (void)state;
    struct window_file *file = create(FILE_RAW);
    assert_int_equal(window_file_add_series(file, &gauge), 0);
    make_points(BEGIN, 3000, 0);
    uint64_t noise = 1;
    for (size_t i = 0; i < points.n; i++)
        points.m[i] = random_below(&noise, INT64_C(1) << 40);
    assert_int_equal(window_file_put(file, &gauge, ROLE_PLAIN, &points, 1), 0);
    window_file_close(file);
    struct stat stat_of;
    assert_int_equal(stat(path, &stat_of), 0);
    int fd = open(path, O_RDWR | O_CLOEXEC), n_noticed = 0;
    assert_true(fd >= 0);
    int64_t n_rounds = getenv("ALMANAC_SOAK") ? 20000 : 400;
    for (int64_t round = 0; round < n_rounds; round++) {
        uint64_t seed = (uint64_t)round;
        off_t at = (off_t)random_below(&seed, stat_of.st_size);
        uint8_t before, after;
        assert_int_equal(pread(fd, &before, 1, at), 1);
        after = before ^ (uint8_t)(1 + random_below(&seed, 255));
        assert_int_equal(pwrite(fd, &after, 1, at), 1);
        if (window_file_open_read(path, FILE_RAW, &file, NULL) == 0) {
            n_noticed += window_file_series(file, read_all, file) != 0;
            window_file_close(file);
        } else {
            n_noticed++;
        }
        assert_int_equal(pwrite(fd, &before, 1, at), 1);
    }
    close(fd);
    assert_true(n_noticed > n_rounds / 4); /* free space and texts say nothing; the digest covers all */
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(each_state_shows_the_rows_that_lived_then),
        CASE(a_state_that_was_purged_says_so),
        CASE(long_series_are_cut_into_full_chunks),
        CASE(statistics_count_by_role_and_class),
        CASE(a_sealed_file_explains_itself),
        CASE(deletions_are_found_by_time_and_state),
        CASE(the_mark_moves_with_its_transaction),
        CASE(a_file_of_another_kind_is_refused_by_name),
        CASE(a_chunk_that_is_not_its_row_s_is_corrupt),
        CASE(damaged_files_are_read_without_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
