/* Ten years in any order, in bounded memory: days of many series arrive at random, and in the end each reading is there once.
 * What the process takes at most is printed, and held against a bound where the size is that of the soak. */
#include <config.h>

#include "../lib/random.h"
#include "../lib/test.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/civil.h"
#include "common/clock.h"
#include "common/files.h"
#include "common/hash.h"
#include "store/reader.h"
#include "store/writer.h"

#define BEGIN_US INT64_C(1420070400000000) /* 2015-01-01 */
#define TOPIC "readings.backfill"
#define BATCH_READINGS 20000
#define RSS_MAX_BYTES (INT64_C(512) << 20)
#define FDS_MAX 256

struct fill {
    int n_series, n_days;
    int64_t cadence_us, flush_bytes;
};

/* What a fill took. */
struct taken {
    int64_t rss_bytes;
    int n_fds;
};

static uint64_t seed;

static int count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;
    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n;
}

/* The days of all series, in random order: number = series * n_days + day. */
static uint32_t *shuffled_days(const struct fill *fill)
{
    size_t n = (size_t)fill->n_series * (size_t)fill->n_days;
    uint32_t *days = malloc(n * sizeof(*days));
    assert_non_null(days);
    for (size_t i = 0; i < n; i++)
        days[i] = (uint32_t)i;
    for (size_t i = n; i > 1; i--) {
        size_t other = (size_t)random_below(&seed, (int64_t)i);
        uint32_t held = days[i - 1];
        days[i - 1] = days[other];
        days[other] = held;
    }
    return days;
}

static uint32_t add_series(struct registry *registry, int number)
{
    char name[32];
    struct entity *entity;
    struct series *series;
    const struct unit *from;
    enum refusal_reason reason;
    snprintf(name, sizeof(name), "m-%04d", number);
    assert_int_equal(registry_entity(registry, name, strlen(name), "SmartMeter", 10, &entity, &reason), 0);
    assert_int_equal(registry_series(registry, entity, "activePower", 11, NULL, 0, &series, &from, &reason), 0);
    return series->index;
}

static void add_day(struct batch *batch, const struct fill *fill, uint32_t series_i, int64_t day, int64_t offset)
{
    for (int64_t of_day_us = 0; of_day_us < US_PER_DAY; of_day_us += fill->cadence_us) {
        struct reading *reading = batch_add(batch);
        assert_non_null(reading);
        *reading = (struct reading){.t_us = BEGIN_US + day * US_PER_DAY + of_day_us, .issued_us = ISSUED_NONE,
                                    .m = random_below(&seed, 5000), .e = -1, .known_ms = 1700000000000 + offset,
                                    .offset = offset, .series_i = series_i};
    }
}

static int take_days(struct writer *writer, const struct fill *fill)
{
    static const struct owner owner = {.generation = 1, .member = "test"};
    struct source source = {.cluster = "cluster", .topic = TOPIC};
    struct sink *sink = writer_sink(writer);
    struct err_text error = {0};
    struct claim claim;
    struct batch batch;
    void *handle;
    int n_fds = 0;
    uint32_t *days = shuffled_days(fill), *series_i = calloc((size_t)fill->n_series, sizeof(*series_i));
    size_t n = (size_t)fill->n_series * (size_t)fill->n_days;
    assert_non_null(series_i);
    for (int s = 0; s < fill->n_series; s++)
        series_i[s] = add_series(writer_registry(writer), s);
    if (sink->claim(sink, &source, &owner, &claim, &handle, &error))
        fail_msg("%s", error.text);
    batch_init(&batch);
    for (size_t i = 0; i < n;) {
        batch_clear(&batch);
        batch.first_offset = (int64_t)i;
        for (; i < n && batch.n_readings < BATCH_READINGS; i++)
            add_day(&batch, fill, series_i[days[i] / (uint32_t)fill->n_days], days[i] % (uint32_t)fill->n_days, (int64_t)i);
        batch.next_offset = (int64_t)i;
        batch.n_messages = batch.next_offset - batch.first_offset;
        if (sink->take(sink, handle, &batch, &error))
            fail_msg("%s", error.text);
        int now = count_fds();
        n_fds = now > n_fds ? now : n_fds;
    }
    sink->release(sink, handle);
    batch_free(&batch);
    free(days);
    free(series_i);
    return n_fds;
}

/* Every reading of every series, once. */
static void check_counts(const char *dir, const struct fill *fill)
{
    struct reader_dir *reader;
    struct view *view;
    struct err_text error = {0};
    if (reader_dir_open(dir, &reader, &error) || view_open(reader, &view, &error))
        fail_msg("%s", error.text);
    for (int s = 0; s < fill->n_series; s++) {
        struct scan *scan;
        struct points points = {0};
        int64_t expected_us = BEGIN_US;
        int rc;
        assert_int_equal(scan_open(view, (uint32_t)s + 1, CIVIL_MIN_US, CIVIL_END_US, 0, &scan), 0);
        while ((rc = scan_next(scan, &points)) == 1)
            for (size_t i = 0; i < points.n; i++, expected_us += fill->cadence_us)
                if (points.t_us[i] != expected_us)
                    fail_msg("series %d: a reading at %" PRId64 " instead of %" PRId64, s, points.t_us[i], expected_us);
        assert_int_equal(rc, 0);
        assert_true(expected_us == BEGIN_US + fill->n_days * US_PER_DAY);
        scan_close(scan);
        points_free(&points);
    }
    view_close(view);
    reader_dir_close(reader);
}

/* In a process of its own, whose peak is its own. */
static void run(const struct fill *fill, struct taken *ret_taken)
{
    char dir[300];
    const char *tmp = getenv("TMPDIR");
    struct err_text error = {0};
    struct writer *writer;
    struct rusage usage;
    snprintf(dir, sizeof(dir), "%.200s/almanac-backfill-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
    /* windows are sealed while others are filled, as they are when history is imported */
    struct writer_opts opts = {.dir = dir, .flush_bytes = fill->flush_bytes, .seal_after_us = US_PER_SECOND / 5};
    if (store_create(dir, &error) || writer_open(&opts, &writer, &error))
        fail_msg("%s", error.text);
    ret_taken->n_fds = take_days(writer, fill);
    writer_close(writer);
    check_counts(dir, fill);
    getrusage(RUSAGE_SELF, &usage);
    ret_taken->rss_bytes = usage.ru_maxrss * 1024;
    files_remove_tree(dir);
}

static void backfill(const struct fill *fill, bool bounded)
{
    struct taken taken = {0};
    int ends[2], state = -1;
    int64_t begin_us = clock_mono_us(), n = (int64_t)fill->n_series * fill->n_days * (US_PER_DAY / fill->cadence_us);
    assert_int_equal(pipe(ends), 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        run(fill, &taken);
        _exit(write(ends[1], &taken, sizeof(taken)) == sizeof(taken) ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &state, 0), pid);
    close(ends[1]);
    assert_int_equal(state, 0);
    assert_int_equal(read(ends[0], &taken, sizeof(taken)), sizeof(taken));
    close(ends[0]);
    print_message("# %d series, %d days at %" PRId64 " s: %" PRId64 " readings in %.1f s, at most %" PRId64
                  " MB and %d open files\n",
                  fill->n_series, fill->n_days, fill->cadence_us / US_PER_SECOND, n, (double)(clock_mono_us() - begin_us) / 1e6,
                  taken.rss_bytes >> 20, taken.n_fds);
    assert_true(taken.n_fds <= FDS_MAX);
#ifndef __SANITIZE_ADDRESS__
    if (bounded)
        assert_true(taken.rss_bytes <= RSS_MAX_BYTES);
#else
    (void)bounded;
#endif
}

static void quarter_hours_of_years_arrive_in_any_order(void **state)
{
    (void)state;
    bool soak = getenv("ALMANAC_SOAK");
    backfill(soak ? &(struct fill){50, 3652, 15 * US_PER_MINUTE, 0}
                  : &(struct fill){4, 1200, 12 * US_PER_HOUR, 32 << 10}, soak);
}

static void minutes_of_years_arrive_in_any_order(void **state)
{
    (void)state;
    bool soak = getenv("ALMANAC_SOAK");
    backfill(soak ? &(struct fill){8, 3652, US_PER_MINUTE, 0} : &(struct fill){3, 60, US_PER_MINUTE, 256 << 10}, soak);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quarter_hours_of_years_arrive_in_any_order),
        cmocka_unit_test(minutes_of_years_arrive_in_any_order),
    };
    const char *text = getenv("ALMANAC_SEED");
    seed = text ? strtoull(text, NULL, 10) : (uint64_t)getpid() * 7919;
    print_message("# ALMANAC_SEED=%" PRIu64 "\n", seed);
    assert_int_equal(hash_init(), 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
