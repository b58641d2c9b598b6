/* The store alone, without Kafka and HTTPS: readings in, flushed, sealed, and read again.
 *
 *     bench_store DIR N_SERIES N_READINGS   (a new folder; readings at 1 s, a walk in steps of 0.1)
 *
 * Prints one figure a line. */
#include <config.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/civil.h"
#include "common/clock.h"
#include "common/hash.h"
#include "store/reader.h"
#include "store/writer.h"

#define START_US (INT64_C(1740787200) * US_PER_SECOND) /* 2025-03-01T00:00:00Z */
#define ROWS_PER_BATCH 100000

static void die(const char *what, const struct err_text *error)
{
    fprintf(stderr, "%s: %s\n", what, error ? error->text : "");
    exit(1);
}

static double seconds_since(int64_t from_us)
{
    return (double)(clock_mono_us() - from_us) / 1e6;
}

static int64_t folder_bytes(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int64_t bytes = 0;
    while (dir && (entry = readdir(dir))) {
        char inner[4096];
        struct stat of;
        snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
        if (*entry->d_name == '.' || stat(inner, &of))
            continue;
        if (S_ISDIR(of.st_mode))
            bytes += folder_bytes(inner);
        else if (strstr(entry->d_name, ".raw.") || strstr(entry->d_name, ".tier."))
            bytes += of.st_size;
    }
    if (dir)
        closedir(dir);
    return bytes;
}

static struct series **make_series(struct registry *registry, int n)
{
    struct series **series = calloc((size_t)n, sizeof(struct series *));
    for (int i = 0; i < n; i++) {
        char name[32];
        struct entity *entity;
        const struct unit *from;
        enum refusal_reason reason;
        snprintf(name, sizeof(name), "meter-%05d", i);
        if (registry_entity(registry, name, strlen(name), "SmartMeter", 10, &entity, &reason) ||
            registry_series(registry, entity, "activePower", 11, NULL, 0, &series[i], &from, &reason))
            die("series", NULL);
    }
    return series;
}

static void ingest(struct writer *writer, int n_series, int64_t n_readings)
{
    struct err_text error = {0};
    struct sink *sink = writer_sink(writer);
    struct source source = {.cluster = "bench", .topic = "readings.bench"};
    struct owner owner = {.member = "bench"};
    struct claim claim;
    void *handle;
    struct series **series = make_series(writer_registry(writer), n_series);
    if (sink->claim(sink, &source, &owner, &claim, &handle, &error))
        die("claim", &error);
    struct batch batch;
    batch_init(&batch);
    int64_t *value = calloc((size_t)n_series, sizeof(*value));
    uint64_t random = 88172645463325252u;
    int64_t from_us = clock_mono_us(), offset = 0;
    for (int64_t t = 0; t < n_readings;) {
        batch_clear(&batch);
        batch.first_offset = offset;
        for (; t < n_readings && batch.n_readings + (size_t)n_series <= ROWS_PER_BATCH; t++) {
            for (int s = 0; s < n_series; s++) {
                struct reading *reading = batch_add(&batch);
                random ^= random << 13, random ^= random >> 7, random ^= random << 17;
                value[s] += (int64_t)(random % 3) - 1;
                *reading = (struct reading){.t_us = START_US + t * US_PER_SECOND, .m = 2300 + value[s], .e = -1,
                                            .issued_us = ISSUED_NONE, .offset = offset,
                                            .known_ms = (START_US + t * US_PER_SECOND) / 1000 + 500,
                                            .series_i = series[s]->index};
            }
            offset++;
        }
        batch.next_offset = offset;
        batch.n_messages = 1;
        if (sink->take(sink, handle, &batch, &error))
            die("take", &error);
    }
    double took = seconds_since(from_us);
    printf("ingest_readings_per_s %.0f\n", (double)n_series * (double)n_readings / took);
    sink->release(sink, handle);
    batch_free(&batch);
    free(value);
    free(series);
}

static void wait_for_seal(const char *dir)
{
    int64_t from_us = clock_mono_us();
    char path[4096];
    snprintf(path, sizeof(path), "%s/store/readings.bench/0", dir);
    for (;;) { /* until no open file is left in the manifest's place: the last window is past, so all get sealed */
        DIR *folder = opendir(path);
        struct dirent *entry;
        int n_raw = 0, n_tmp = 0;
        while (folder && (entry = readdir(folder))) {
            n_raw += strstr(entry->d_name, ".raw.") != NULL;
            n_tmp += strstr(entry->d_name, ".tmp") != NULL;
        }
        if (folder)
            closedir(folder);
        struct reader_dir *reader;
        if (n_raw && !n_tmp && reader_dir_open(dir, &reader, NULL) == 0) {
            struct view *view;
            if (view_open(reader, &view, NULL) == 0) {
                struct cells cells = {0};
                struct spans spans = {0};
                int rc = view_cells(view, 1, TIER_15M, START_US, START_US + 2000 * US_PER_DAY / 1000 * 1000, &cells, &spans);
                bool whole = !rc && !spans.n && cells.n;
                cells_free(&cells);
                spans_free(&spans);
                view_close(view);
                reader_dir_close(reader);
                if (whole)
                    break;
            } else {
                reader_dir_close(reader);
            }
        }
        struct timespec pause = {0, 50000000};
        nanosleep(&pause, NULL);
    }
    printf("sealed_after_s %.2f\n", seconds_since(from_us));
}

static void read_all(const char *dir, int n_series, int64_t n_readings)
{
    struct err_text error = {0};
    struct reader_dir *reader;
    struct view *view;
    int64_t end_us = START_US + n_readings * US_PER_SECOND;
    end_us = (end_us / (15 * US_PER_MINUTE) + 1) * 15 * US_PER_MINUTE;
    if (reader_dir_open(dir, &reader, &error))
        die("open", &error);
    for (int round = 0; round < 2; round++) {
        const char *how = round ? "warm" : "cold";
        int64_t from_us = clock_mono_us();
        if (view_open(reader, &view, &error))
            die("view", &error);
        printf("view_%s_us %lld\n", how, (long long)(clock_mono_us() - from_us));
        struct cells cells = {0};
        struct spans spans = {0};
        from_us = clock_mono_us();
        for (int s = 1; s <= n_series; s++) {
            cells.n = 0;
            if (view_cells(view, (uint32_t)s, TIER_15M, START_US, end_us, &cells, &spans))
                die("cells", NULL);
        }
        printf("cells_15m_%s_us_per_series %.1f\n", how, seconds_since(from_us) * 1e6 / n_series);
        cells_free(&cells);
        spans_free(&spans);
        struct points points = {0};
        int64_t n = 0, sum = 0;
        from_us = clock_mono_us();
        for (int s = 1; s <= n_series; s++) {
            struct scan *scan;
            int rc;
            if (scan_open(view, (uint32_t)s, START_US, end_us, 0, &scan))
                die("scan", NULL);
            while ((rc = scan_next(scan, &points)) == 1) {
                n += (int64_t)points.n;
                sum += points.m[0];
            }
            if (rc)
                die("scan", NULL);
            scan_close(scan);
        }
        printf("scan_%s_readings_per_s %.0f\n", how, (double)n / seconds_since(from_us));
        if (n != n_series * n_readings)
            printf("LOST %lld of %lld (sum %lld)\n", (long long)(n_series * n_readings - n),
                   (long long)(n_series * n_readings), (long long)sum);
        points_free(&points);
        view_close(view);
    }
    reader_dir_close(reader);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: bench_store DIR N_SERIES N_READINGS\n");
        return 2;
    }
    const char *dir = argv[1];
    int n_series = (int)strtol(argv[2], NULL, 10);
    int64_t n_readings = strtoll(argv[3], NULL, 10);
    struct err_text error = {0};
    struct writer *writer;
    if (hash_init() || mkdir(dir, 0777) || store_create(dir, &error))
        die("create", &error);
    struct writer_opts opts = {.dir = dir, .seal_after_us = US_PER_SECOND / 2};
    if (writer_open(&opts, &writer, &error))
        die("open", &error);
    ingest(writer, n_series, n_readings);
    wait_for_seal(dir);
    printf("bytes_per_reading %.3f\n", (double)folder_bytes(dir) / ((double)n_series * (double)n_readings));
    read_all(dir, n_series, n_readings);
    writer_close(writer);
    return 0;
}
