/* What people see who open a file with the sqlite3 shell (contract section 6). */
#include <config.h>

#include "../lib/stream.h"
#include "../lib/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/civil.h"
#include "model/decimal.h"
#include "store/people.h"
#include "store/window_file.h"

#define DAY INT64_C(20000) /* 2024-10-04 */

/* ---- days of readings ---- */

static int note_day(void *arg, const struct series_row *series, const struct day_row *row)
{
    (void)series;
    buf_printf(arg, "%lld at %s ", (long long)row->day, row->at_s ? row->at_s : "grid");
    if (row->base)
        buf_printf(arg, "base %lld ", (long long)row->base);
    buf_printf(arg, "value %s quality %s\n", row->value, row->quality ? row->quality : "measured");
    return 0;
}

static void add_point(struct points *points, int64_t t_us, int64_t m, int e, unsigned quality)
{
    assert_int_equal(points_reserve(points, 1), 0);
    size_t i = points->n++;
    points->t_us[i] = t_us;
    points->m[i] = m;
    points->e[i] = (int8_t)e;
    points->quality[i] = (uint8_t)quality;
    points->period_us[i] = points->known_ms[i] = 0;
    points->issued_us[i] = ISSUED_NONE;
}

static char *days_of(enum kind kind, const struct points *points)
{
    static struct buf out;
    struct series_row series = {.id = 1, .kind = kind};
    buf_clear(&out);
    assert_int_equal(people_days(&series, points, note_day, &out), 0);
    buf_putc(&out, '\0');
    return (char *)out.data;
}

static void readings_on_the_grid_need_no_times(void **state)
{
    (void)state;
    struct points points = {0};
    for (int64_t i = 0; i < 3; i++)
        add_point(&points, DAY * US_PER_DAY + i * 15 * US_PER_MINUTE, i * 5, -1, QUALITY_MEASURED);
    assert_string_equal(days_of(KIND_GAUGE, &points), "20000 at grid value [0,0.5,1] quality measured\n");
    points_free(&points);
}

static void readings_elsewhere_tell_their_seconds_and_quality(void **state)
{
    (void)state;
    struct points points = {0};
    add_point(&points, -US_PER_DAY - 1, -7, 0, QUALITY_MEASURED);
    add_point(&points, DAY * US_PER_DAY + 1500000, 12, -1, QUALITY_EDITED);
    add_point(&points, DAY * US_PER_DAY + US_PER_HOUR, 2, 3, QUALITY_ESTIMATED | QUALITY_ROUNDED);
    add_point(&points, (DAY + 1) * US_PER_DAY - 1, 1, 0, QUALITY_SUSPECT);
    assert_string_equal(days_of(KIND_GAUGE, &points),
                        "-2 at [86399.999999] value [-7] quality measured\n"
                        "20000 at [1.5,3600,86399.999999] value [1.2,2000,1] quality eis\n");
    points_free(&points);
}

/* 97 readings are one too many: four quarters, the last of them with a single reading. */
static void add_dense_day(struct points *points, unsigned suspect_i)
{
    for (int64_t i = 0; i < 97; i++)
        add_point(points, DAY * US_PER_DAY + i / 32 * 15 * US_PER_MINUTE + i % 32 * US_PER_SECOND, i, 0,
                  i == (int64_t)suspect_i ? QUALITY_SUSPECT : i == 33 ? QUALITY_DERIVED : QUALITY_MEASURED);
}

static void a_dense_day_of_a_gauge_shows_means_of_quarters(void **state)
{
    (void)state;
    struct points points = {0};
    add_dense_day(&points, 95); /* left out: (64 + ... + 94) / 31 */
    assert_string_equal(days_of(KIND_GAUGE, &points), "20000 at grid value [15.5,47.5,79,96] quality mdmm\n");
    points_free(&points);
}

static void a_dense_day_of_intervals_shows_sums(void **state)
{
    (void)state;
    struct points points = {0};
    add_dense_day(&points, 1000);
    assert_string_equal(days_of(KIND_INTERVAL, &points), "20000 at grid value [496,1520,2544,96] quality mdmm\n");
    points_free(&points);
}

static void a_dense_day_of_a_counter_shows_the_last_value_that_counts(void **state)
{
    (void)state;
    struct points points = {0};
    add_dense_day(&points, 31);
    assert_string_equal(days_of(KIND_COUNTER, &points), "20000 at grid value [30,63,95,96] quality mdmm\n");
    points_free(&points);
}

static void a_quarter_of_suspect_readings_only_is_suspect(void **state)
{
    (void)state;
    struct points points = {0};
    add_dense_day(&points, 1000);
    for (size_t i = 0; i < 32; i++)
        points.quality[i] = QUALITY_SUSPECT;
    assert_string_equal(days_of(KIND_COUNTER, &points), "20000 at grid value [31,63,95,96] quality sdmm\n");
    assert_string_equal(days_of(KIND_GAUGE, &points), "20000 at grid value [15.5,47.5,79.5,96] quality sdmm\n");
    points_free(&points);
}

static void a_register_of_whole_numbers_shows_distances_from_the_first(void **state)
{
    (void)state;
    struct points points = {0};
    static const struct {
        int64_t m;
        int e;
    } readings[] = {{12345678, 0}, {123457, 2}, {0, 0}, {12345701, 0}};
    for (int64_t i = 0; i < 4; i++)
        add_point(&points, DAY * US_PER_DAY + i * 15 * US_PER_MINUTE, readings[i].m, readings[i].e, QUALITY_MEASURED);
    assert_string_equal(days_of(KIND_COUNTER, &points),
                        "20000 at grid base 12345678 value [0,22,-12345678,23] quality measured\n");
    assert_string_equal(days_of(KIND_GAUGE, &points),
                        "20000 at grid value [12345678,12345700,0,12345701] quality measured\n");
    points.m[3] = 123457010; /* the same number, as a chunk with tenths in it has it */
    points.e[3] = -1;
    assert_string_equal(days_of(KIND_COUNTER, &points),
                        "20000 at grid base 12345678 value [0,22,-12345678,23] quality measured\n");
    points.m[3] = 123457015;
    points.e[3] = -1; /* one fraction, and all stand as they are */
    assert_string_equal(days_of(KIND_COUNTER, &points),
                        "20000 at grid value [12345678,12345700,0,12345701.5] quality measured\n");
    points.m[3] = 123;
    points.e[3] = 18; /* beyond int64 */
    assert_string_equal(days_of(KIND_COUNTER, &points),
                        "20000 at grid value [12345678,12345700,0,123000000000000000000] quality measured\n");
    points_free(&points);
}

static void states_are_texts_of_json(void **state)
{
    (void)state;
    struct points points = {0};
    static const char *const texts[] = {"on", "", "say \"\\ \x01\x7f", "größer"};
    for (int64_t i = 0; i < 4; i++) {
        int64_t m;
        assert_int_equal(texts_intern(&points.texts, texts[i], strlen(texts[i]), &m), 0);
        add_point(&points, DAY * US_PER_DAY + i * 15 * US_PER_MINUTE, m, 0, QUALITY_MEASURED);
    }
    assert_string_equal(days_of(KIND_STATE, &points),
                        "20000 at grid value [\"on\",\"\",\"say \\u0022\\u005c \\u0001\x7f\",\"größer\"] quality measured\n");
    points_free(&points);
}

/* ---- files ---- */

static struct store store;

/* voltage and tariff of one meter: three readings on 1 March, one taken back; the 2nd is taken back wholly later. */
static void send(int64_t from, int64_t to)
{
    static const struct {
        int series;
        enum op op;
        int64_t t_us, m;
        int e;
        const char *text;
        unsigned quality;
    } messages[] = {
        {0, OP_VALUE, 0, 2301, -1, NULL, QUALITY_MEASURED},
        {0, OP_VALUE, 15 * US_PER_MINUTE, 231, 0, NULL, QUALITY_ESTIMATED},
        {4, OP_VALUE, 90 * US_PER_SECOND, 0, 0, "night", QUALITY_MEASURED},
        {0, OP_VALUE, 30 * US_PER_MINUTE, 9, 0, NULL, QUALITY_MEASURED},
        {0, OP_VALUE, US_PER_DAY, 5, 2, NULL, QUALITY_MEASURED},
        {0, OP_DELETE, 30 * US_PER_MINUTE, 0, 0, NULL, QUALITY_MEASURED},
        {0, OP_DELETE, US_PER_DAY, 0, 0, NULL, QUALITY_MEASURED},
        {1, OP_VALUE, 0, 12345678, 0, NULL, QUALITY_MEASURED},
        {1, OP_VALUE, 15 * US_PER_MINUTE, 123457, 2, NULL, QUALITY_MEASURED},
    };
    struct err_text error = {0};
    assert_int_equal(store_open(&store), 0);
    struct batch *batch = &store.batch;
    batch_clear(batch);
    for (int64_t i = from; i < to; i++) {
        struct reading *reading = batch_add(batch);
        assert_non_null(reading);
        *reading = (struct reading){.t_us = STREAM_BEGIN_US + messages[i].t_us, .issued_us = ISSUED_NONE, .offset = i,
                                    .m = messages[i].m, .e = (int8_t)messages[i].e, .op = (uint8_t)messages[i].op,
                                    .quality = (uint8_t)messages[i].quality};
        reading->series_i = store_series(&store, (uint32_t)messages[i].series);
        if (messages[i].text)
            assert_int_equal(texts_intern(&batch->texts, messages[i].text, strlen(messages[i].text), &reading->m), 0);
    }
    batch->first_offset = from;
    batch->next_offset = to;
    batch->n_messages = to - from;
    struct sink *sink = writer_sink(store.writer);
    assert_int_equal(sink->take(sink, store.handle, batch, &error), 0);
    store_close(&store);
}

static int make_store(void **state)
{
    (void)state;
    store_make(&store, &(struct writer_opts){.window = WINDOW_MONTH, .seal_after_us = 100 * US_PER_HOUR});
    return 0;
}

static int remove_store(void **state)
{
    (void)state;
    store_remove(&store);
    return 0;
}

/* All rows of a statement over a file of the store, columns separated by blanks. */
static const char *ask(const char *name, const char *sql)
{
    static struct buf out;
    char uri[700];
    sqlite3 *db;
    sqlite3_stmt *stmt;
    int rc;
    buf_clear(&out);
    snprintf(uri, sizeof(uri), "%s/%s", name[0] == '/' ? store.dir : store.folder, name[0] == '/' ? name + 1 : name);
    assert_int_equal(sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", name, sqlite3_errmsg(db));
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
        for (int i = 0; i < sqlite3_column_count(stmt); i++)
            buf_printf(&out, "%s%s", (const char *)sqlite3_column_text(stmt, i),
                       i + 1 < sqlite3_column_count(stmt) ? " " : "\n");
    assert_int_equal(rc, SQLITE_DONE);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    buf_putc(&out, '\0');
    return (const char *)out.data;
}

static const char all_readings[] = "SELECT time, unix, entity, type, property, value, unit, quality FROM readings_15m";
static const char expected_readings[] =
    "2024-03-01T00:00:00Z 1709251200 m-1 SmartMeter voltage 230.1 V measured\n"
    "2024-03-01T00:15:00Z 1709252100 m-1 SmartMeter voltage 231 V estimated\n"
    "2024-03-01T00:30:00Z 1709253000 m-1 SmartMeter voltage 9 V measured\n"
    "2024-03-02T00:00:00Z 1709337600 m-1 SmartMeter voltage 500 V measured\n"
    "2024-03-01T00:01:30Z 1709251290 m-2 SmartMeter tariff night  measured\n";
static const char expected_after_deletions[] =
    "2024-03-01T00:00:00Z 1709251200 m-1 SmartMeter voltage 230.1 V measured\n"
    "2024-03-01T00:15:00Z 1709252100 m-1 SmartMeter voltage 231 V estimated\n"
    "2024-03-01T00:01:30Z 1709251290 m-2 SmartMeter tariff night  measured\n";
static const char all_series[] = "SELECT entity, type, property, unit, kind FROM series_info";
static const char expected_series[] = "m-1 SmartMeter voltage V gauge\nm-2 SmartMeter tariff  state\n";

static void an_open_window_shows_its_readings(void **state)
{
    (void)state;
    send(0, 5);
    assert_string_equal(ask("2024-03.open.g1.db", all_readings), expected_readings);
    assert_string_equal(ask("2024-03.open.g1.db", all_series), expected_series);
    assert_string_equal(ask("2024-03.open.g1.db", "SELECT * FROM file_info"),
                        "raw.test 3 open 1 2024-03-01T00:00:00Z 2024-04-01T00:00:00Z 2\n");
}

static void a_register_shows_its_whole_numbers(void **state)
{
    (void)state;
    send(0, 9);
    assert_string_equal(ask("2024-03.open.g1.db", "SELECT unix, value FROM readings_15m WHERE property = 'activeEnergyImport'"),
                        "1709251200 12345678\n1709252100 12345700\n");
}

static void what_was_taken_back_is_not_shown_any_more(void **state)
{
    (void)state;
    send(0, 5);
    send(5, 7);
    assert_string_equal(ask("2024-03.open.g1.db", all_readings), expected_after_deletions);
}

static void a_tier_file_shows_the_readings_of_its_window(void **state)
{
    (void)state;
    send(0, 5);
    assert_int_equal(store_seal(&store), 0);
    assert_string_equal(ask("2024-03.tier.g1.db", all_readings), expected_readings);
    assert_string_equal(ask("2024-03.tier.g1.db", all_series), expected_series);
    assert_string_equal(ask("2024-03.tier.g1.db", "SELECT * FROM file_info"),
                        "raw.test 3 tier 1 2024-03-01T00:00:00Z 2024-04-01T00:00:00Z 2\n");
    send(5, 7);
    assert_int_equal(store_seal(&store), 0);
    assert_string_equal(ask("2024-03.tier.g2.db", all_readings), expected_after_deletions);
}

static void the_catalog_shows_its_series(void **state)
{
    (void)state;
    send(0, 5);
    assert_string_equal(ask("/catalog.db", all_series), expected_series);
}

/* Runs the sqlite3 shell as a user who may not write anywhere here; 127: there is no shell. */
static int run_shell(const char *path, const char *sql, char *out, size_t size)
{
    int pipes[2], status;
    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        dup2(pipes[1], 1);
        close(pipes[0]);
        if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
            _exit(126);
        execlp("sqlite3", "sqlite3", "-batch", path, sql, (char *)NULL);
        _exit(127);
    }
    close(pipes[1]);
    size_t n = 0;
    for (ssize_t got; n + 1 < size && (got = read(pipes[0], out + n, size - n - 1)) > 0;)
        n += (size_t)got;
    out[n] = '\0';
    close(pipes[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static void every_file_opens_in_a_folder_that_may_not_be_written(void **state)
{
    (void)state;
    static const struct {
        const char *name, *sql;
    } files[] = {{"2024-03.tier.g1.db", "SELECT count(*) FROM readings_15m"},
                 {"2024-03.raw.g1.db", "SELECT count(*) + 2 FROM chunk"},
                 {"2024-03.open.g2.db", "SELECT 4 + (SELECT count(*) FROM deletion) FROM info WHERE name = 'mark'"},
                 {"ingest.db", "SELECT next_offset - 1 FROM source"},
                 {"../../../catalog.db", "SELECT count(*) + 2 FROM series_info"}};
    static const char *const expected[] = {"5\n", "4\n", "6\n", "6\n", "4\n"};
    send(0, 5);
    assert_int_equal(store_seal(&store), 0);
    send(5, 7);
    char path[700], out[200];
    assert_int_equal(chmod(store.dir, 0755), 0);
    assert_int_equal(chmod(store.folder, 0555), 0);
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        snprintf(path, sizeof(path), "%s/%s", store.folder, files[i].name);
        int rc = run_shell(path, files[i].sql, out, sizeof(out));
        if (rc || strcmp(out, expected[i]))
            fail_msg("%s: the shell ended with %d and said \"%s\" instead of \"%s\"", files[i].name, rc, out, expected[i]);
    }
    assert_int_equal(chmod(store.folder, 0755), 0);
}

#define FILE_CASE(name) cmocka_unit_test_setup_teardown(name, make_store, remove_store)

int main(void)
{
    if (system("sqlite3 -version >/dev/null 2>&1")) {
        printf("1..0 # SKIP the sqlite3 shell is not installed\n");
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readings_on_the_grid_need_no_times),
        cmocka_unit_test(readings_elsewhere_tell_their_seconds_and_quality),
        cmocka_unit_test(a_dense_day_of_a_gauge_shows_means_of_quarters),
        cmocka_unit_test(a_dense_day_of_intervals_shows_sums),
        cmocka_unit_test(a_dense_day_of_a_counter_shows_the_last_value_that_counts),
        cmocka_unit_test(a_quarter_of_suspect_readings_only_is_suspect),
        cmocka_unit_test(a_register_of_whole_numbers_shows_distances_from_the_first),
        cmocka_unit_test(states_are_texts_of_json),
        FILE_CASE(an_open_window_shows_its_readings),
        FILE_CASE(a_register_shows_its_whole_numbers),
        FILE_CASE(what_was_taken_back_is_not_shown_any_more),
        FILE_CASE(a_tier_file_shows_the_readings_of_its_window),
        FILE_CASE(the_catalog_shows_its_series),
        FILE_CASE(every_file_opens_in_a_folder_that_may_not_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
