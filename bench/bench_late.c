/* What disorder, a restart and the question for changes cost.
 *
 *     bench_late DIR [disorder | restart | changes]   (a new folder; all of it)
 *
 * Prints one figure a line:
 *   ingest_in_order_readings_per_s, ingest_late_readings_per_s, late_cost_percent   1 s readings; 5 % of them out of order within
 *                                   the hour and 0.1 % a week late, into sealed windows; all of it flushed
 *   restart_s                       kill -9 with a full log of batches: from opening the writer to the first view's first reading
 *   changes_*                       /v1/changes of 60,000 series at 15 min: of one batch, of a day in batches, in open windows */
#include <config.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/civil.h"
#include "common/clock.h"
#include "common/hash.h"
#include "store/reader.h"
#include "store/writer.h"

#define START_US (INT64_C(1740960000) * US_PER_SECOND) /* 2025-03-03, a Monday */
#define WEEK_US (7 * US_PER_DAY)
#define ROWS_PER_BATCH 100000
#define N_SERIES 50
#define N_TIMES 86400
#define N_METERS 60000
#define NEVER_US (1000000 * US_PER_SECOND)

struct bench {
    char dir[3000];
    struct writer *writer;
    struct sink *sink;
    void *handle;
    struct batch batch;
    int64_t offset;
    uint64_t random;
    uint32_t *series_i;
};

static void die(const char *what, const struct err_text *error)
{
    fprintf(stderr, "bench_late: %s: %s\n", what, error ? error->text : "");
    exit(1);
}

static double seconds_since(int64_t from_us)
{
    return (double)(clock_mono_us() - from_us) / 1e6;
}

static uint64_t next_random(struct bench *bench, uint64_t n)
{
    bench->random ^= bench->random << 13, bench->random ^= bench->random >> 7, bench->random ^= bench->random << 17;
    return bench->random % n;
}

static void open_bench(struct bench *bench, int64_t flush_bytes, int64_t seal_after_us)
{
    static const struct owner owner = {.member = "bench"};
    struct source source = {.cluster = "bench", .topic = "readings.bench"};
    struct writer_opts opts = {.dir = bench->dir, .flush_bytes = flush_bytes, .seal_after_us = seal_after_us};
    struct err_text error = {0};
    struct claim claim;
    if (writer_open(&opts, &bench->writer, &error))
        die("open", &error);
    bench->sink = writer_sink(bench->writer);
    if (bench->sink->claim(bench->sink, &source, &owner, &claim, &bench->handle, &error))
        die("claim", &error);
    bench->offset = claim.next_offset < 0 ? 0 : claim.next_offset;
}

static void close_bench(struct bench *bench)
{
    bench->sink->release(bench->sink, bench->handle);
    writer_close(bench->writer);
}

static void make_series(struct bench *bench, int n)
{
    bench->series_i = realloc(bench->series_i, (size_t)n * sizeof(*bench->series_i));
    for (int i = 0; i < n; i++) {
        char name[32];
        struct entity *entity;
        struct series *series;
        const struct unit *from;
        enum refusal_reason reason;
        snprintf(name, sizeof(name), "meter-%05d", i);
        if (!bench->series_i ||
            registry_entity(writer_registry(bench->writer), name, strlen(name), "SmartMeter", 10, &entity, &reason) ||
            registry_series(writer_registry(bench->writer), entity, "activePower", 11, NULL, 0, &series, &from, &reason))
            die("series", NULL);
        bench->series_i[i] = series->index;
    }
}

static void take(struct bench *bench)
{
    struct err_text error = {0};
    bench->batch.first_offset = bench->offset;
    bench->batch.next_offset = ++bench->offset;
    bench->batch.n_messages = 1;
    if (bench->batch.n_readings && bench->sink->take(bench->sink, bench->handle, &bench->batch, &error))
        die("take", &error);
    batch_clear(&bench->batch);
}

static void add(struct bench *bench, int series, int64_t t_us)
{
    struct reading *reading = batch_add(&bench->batch);
    if (!reading)
        die("out of memory", NULL);
    *reading = (struct reading){.t_us = t_us, .m = 2300 + (int64_t)next_random(bench, 7), .e = -1, .issued_us = ISSUED_NONE,
                                .offset = bench->offset, .known_ms = t_us / 1000, .series_i = bench->series_i[series]};
    if (bench->batch.n_readings == ROWS_PER_BATCH)
        take(bench);
}

static double cpu_s(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

/* A day of 1 s readings of every series, flushed in the end; returns CPU microseconds a reading, and readings a second. With
 * disorder one in twenty comes up to an hour later than its neighbours, and one in a thousand is a week old. */
static double ingest_day(struct bench *bench, int64_t begin_us, bool disorder, double *ret_per_s)
{
    struct held {
        int64_t t;
        int series, next;
    } *held = malloc(sizeof(*held) * N_TIMES * N_SERIES / 10);
    int *due = malloc(sizeof(*due) * N_TIMES), n_held = 0;
    int64_t from_us = clock_mono_us();
    double from_s = cpu_s();
    if (!held || !due)
        die("out of memory", NULL);
    memset(due, -1, sizeof(*due) * N_TIMES);
    open_bench(bench, 0, NEVER_US);
    make_series(bench, N_SERIES);
    for (int64_t t = 0; t < N_TIMES; t++) {
        for (int i = due[t]; i >= 0; i = held[i].next)
            add(bench, held[i].series, begin_us + held[i].t * US_PER_SECOND);
        for (int s = 0; s < N_SERIES; s++) {
            uint64_t what = disorder ? next_random(bench, 1000) : 1000;
            int64_t until = t + 1 + (what < 50 ? (int64_t)next_random(bench, 3600) : 0);
            if (what < 50 && until < N_TIMES) {
                held[n_held] = (struct held){t, s, due[until]};
                due[until] = n_held++;
            } else {
                add(bench, s, begin_us + t * US_PER_SECOND - (what == 50 ? WEEK_US - US_PER_SECOND / 2 : 0));
            }
        }
    }
    take(bench);
    close_bench(bench);
    free(held);
    free(due);
    *ret_per_s = (double)N_SERIES * N_TIMES / seconds_since(from_us);
    return (cpu_s() - from_s) * 1e6 / ((double)N_SERIES * N_TIMES);
}

/* Seals what is there: its windows are past. */
static void seal_all(struct bench *bench)
{
    char command[3200];
    open_bench(bench, 0, US_PER_SECOND / 10);
    snprintf(command, sizeof(command), "! ls %s/store/readings.bench/0 | grep -q 'tier.*db$'", bench->dir);
    while (system(command) == 0)
        usleep(50000);
    close_bench(bench);
}

static void bench_disorder(struct bench *bench)
{
    double in_order_per_s, late_per_s;
    ingest_day(bench, START_US - WEEK_US, false, &in_order_per_s);
    seal_all(bench);
    double in_order = ingest_day(bench, START_US - 2 * WEEK_US, false, &in_order_per_s);
    double late = ingest_day(bench, START_US, true, &late_per_s);
    printf("ingest_in_order_readings_per_s %.0f (%.3f us of CPU each)\n", in_order_per_s, in_order);
    printf("ingest_late_readings_per_s %.0f (%.3f us of CPU each)\n", late_per_s, late);
    printf("late_cost_percent %.1f (%.1f of CPU)\n", (1 - late_per_s / in_order_per_s) * 100, (late / in_order - 1) * 100);
}

/* ---- restart ---- */

static int64_t unstored(struct bench *bench)
{
    struct sink_stats stats;
    bench->sink->stats(bench->sink, &stats);
    return stats.unstored_bytes;
}

/* In a child that is killed: as many batches as are ever allowed to wait. */
static void fill_log(struct bench *bench)
{
    open_bench(bench, INT64_C(64) << 20, NEVER_US);
    make_series(bench, N_SERIES);
    for (int64_t t = 0; unstored(bench) < INT64_C(63) << 20; t++)
        for (int s = 0; s < N_SERIES; s++)
            add(bench, s, START_US + t * US_PER_SECOND + (int64_t)next_random(bench, 1000));
    printf("restart_log_bytes %" PRId64 "\n", unstored(bench));
    fflush(stdout);
    kill(getpid(), SIGKILL);
}

static void read_one(struct view *view)
{
    struct points points = {0};
    struct scan *scan;
    if (scan_open(view, 1, START_US, START_US + US_PER_HOUR, 0, &scan) || scan_next(scan, &points) != 1)
        die("scan", NULL);
    scan_close(scan);
    points_free(&points);
}

static void bench_restart(struct bench *bench)
{
    struct err_text error = {0};
    struct reader_dir *reader;
    struct view *view;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        fill_log(bench);
    waitpid(pid, NULL, 0);
    int64_t from_us = clock_mono_us();
    open_bench(bench, 0, 0);
    printf("restart_writer_s %.3f\n", seconds_since(from_us));
    if (reader_dir_open(bench->dir, &reader, &error) || view_open(reader, &view, &error))
        die("view", &error);
    read_one(view);
    printf("restart_s %.3f\n", seconds_since(from_us));
    view_close(view);
    reader_dir_close(reader);
    close_bench(bench);
}

/* ---- changes ---- */

static void ask_changes(struct reader_dir *reader, const char *position, const char *what)
{
    struct view_changes changes;
    struct view *view;
    struct err_text error = {0};
    int64_t from_us = clock_mono_us();
    if (view_open(reader, &view, &error))
        die("view", &error);
    int64_t opened_us = clock_mono_us();
    if (view_changes(view, position, &changes))
        die("changes", NULL);
    printf("changes_%s_ms %.1f (%zu ranges; the view %.1f)\n", what, seconds_since(from_us) * 1000, changes.n,
           (double)(opened_us - from_us) / 1000);
    view_changes_free(&changes);
    view_close(view);
}

static char *position_now(struct reader_dir *reader)
{
    struct view *view;
    if (view_open(reader, &view, NULL))
        die("view", NULL);
    char *position = strdup(view_position(view));
    view_close(view);
    return position;
}

static void bench_changes(struct bench *bench)
{
    struct err_text error = {0};
    struct reader_dir *reader;
    int64_t begin_us = START_US + 10 * WEEK_US;
    open_bench(bench, INT64_C(64) << 20, NEVER_US);
    make_series(bench, N_METERS);
    if (reader_dir_open(bench->dir, &reader, &error))
        die("reader", &error);
    usleep(1500000); /* what was taken before is synced */
    char *before = position_now(reader), *last = NULL;
    for (int64_t slot = 0; slot < 96; slot++) {
        if (slot == 95) {
            take(bench);
            usleep(1500000);
            last = position_now(reader);
        }
        for (int s = 0; s < N_METERS; s++)
            add(bench, s, begin_us + slot * 15 * US_PER_MINUTE);
    }
    take(bench);
    ask_changes(reader, last, "of_a_slot_in_batches");
    ask_changes(reader, before, "of_a_day_in_batches");
    int64_t from_us = clock_mono_us();
    close_bench(bench); /* flushes */
    printf("changes_flush_s %.2f\n", seconds_since(from_us));
    ask_changes(reader, last, "of_a_slot_flushed");
    ask_changes(reader, before, "of_a_day_flushed");
    free(before);
    free(last);
    reader_dir_close(reader);
}

int main(int argc, char **argv)
{
    struct err_text error = {0};
    struct bench bench = {.random = 88172645463325252u};
    const char *part = argc == 3 ? argv[2] : "";
    if (argc != 2 && argc != 3) {
        fprintf(stderr, "usage: bench_late DIR [disorder | restart | changes]\n");
        return 2;
    }
    snprintf(bench.dir, sizeof(bench.dir), "%.2900s", argv[1]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (hash_init() || mkdir(bench.dir, 0777) || store_create(bench.dir, &error))
        die("create", &error);
    batch_init(&bench.batch);
    if (!*part || !strcmp(part, "disorder"))
        bench_disorder(&bench);
    if (!*part || !strcmp(part, "restart"))
        bench_restart(&bench);
    if (!*part || !strcmp(part, "changes"))
        bench_changes(&bench);
    batch_free(&bench.batch);
    free(bench.series_i);
    return 0;
}
