/* The store alone, without Kafka and HTTPS: readings in, flushed, sealed, and read again; and what each costs on disk.
 *
 *     bench_store DIR SET   (a new folder; bench/sets.h names the sets)
 *
 * Prints one figure a line. */
#include <config.h>

#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/civil.h"
#include "common/clock.h"
#include "common/hash.h"
#include "sets.h"
#include "store/reader.h"
#include "store/writer.h"

#define ROWS_PER_BATCH 100000
#define FOLDER "store/readings.bench/0"

static void die(const char *what, const struct err_text *error)
{
    fprintf(stderr, "%s: %s\n", what, error ? error->text : "");
    exit(1);
}

static double seconds_since(int64_t from_us)
{
    return (double)(clock_mono_us() - from_us) / 1e6;
}

/* ---- in ---- */

static struct series **make_series(struct registry *registry, const struct set *set)
{
    struct series **series = calloc(set->n_series, sizeof(struct series *));
    for (size_t i = 0; i < set->n_series; i++) {
        const struct set_series *of = &set->series[i];
        struct entity *entity;
        const struct unit *from;
        enum refusal_reason reason;
        if (!series ||
            registry_entity(registry, of->entity, strlen(of->entity), of->type, strlen(of->type), &entity, &reason) ||
            registry_series(registry, entity, of->property, strlen(of->property), of->unit,
                            of->unit ? strlen(of->unit) : 0, &series[i], &from, &reason))
            die("series", NULL);
    }
    return series;
}

/* Takes one batch. Returns whether there was anything left. */
static bool take_some(struct sink *sink, void *handle, struct series **series, struct set *set, struct batch *batch,
                      int64_t *offset)
{
    struct err_text error = {0};
    struct sample sample;
    batch_clear(batch);
    batch->first_offset = *offset;
    while (batch->n_readings < ROWS_PER_BATCH && set_next(set, &sample)) {
        struct reading *reading = batch_add(batch);
        if (!reading)
            die("out of memory", NULL);
        *reading = (struct reading){.t_us = sample.t_us, .m = sample.m, .e = sample.e, .period_us = sample.period_us,
                                    .issued_us = ISSUED_NONE, .offset = ++*offset, .known_ms = sample.known_ms,
                                    .series_i = series[sample.series_i]->index};
    }
    batch->next_offset = *offset + 1;
    batch->n_messages = (int64_t)batch->n_readings;
    if (batch->n_readings && sink->take(sink, handle, batch, &error))
        die("take", &error);
    return batch->n_readings > 0;
}

static void ingest(struct writer *writer, struct set *set)
{
    struct err_text error = {0};
    struct sink *sink = writer_sink(writer);
    struct source source = {.cluster = "bench", .topic = "readings.bench"};
    struct owner owner = {.member = "bench"};
    struct claim claim;
    struct batch batch;
    void *handle;
    struct series **series = make_series(writer_registry(writer), set);
    if (sink->claim(sink, &source, &owner, &claim, &handle, &error))
        die("claim", &error);
    batch_init(&batch);
    int64_t from_us = clock_mono_us(), offset = 0;
    while (take_some(sink, handle, series, set, &batch, &offset))
        ;
    printf("ingest_readings_per_s %.0f\n", (double)set->n_readings / seconds_since(from_us));
    sink->release(sink, handle);
    batch_free(&batch);
    free(series);
}

/* One number of a database, or -1. */
static int64_t ask(const char *path, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *stmt = NULL;
    int64_t answer = -1;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
        answer = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return answer;
}

/* The windows are past, so that all of them get sealed. */
static void wait_for_seal(const char *dir)
{
    int64_t from_us = clock_mono_us();
    char path[4096];
    snprintf(path, sizeof(path), "%s/" FOLDER "/ingest.db", dir);
    while (ask(path, "SELECT (SELECT count(*) FROM batch) + (SELECT count(*) FROM file WHERE kind = 'open') + "
                     "(SELECT count(*) = 0 FROM file)")) {
        struct timespec pause = {0, 20000000};
        nanosleep(&pause, NULL);
    }
    printf("sealed_after_s %.2f\n", seconds_since(from_us));
}

/* ---- on disk ---- */

enum part { PART_RAW, PART_TIER, PART_PEOPLE, PART_INGEST, PART_OTHER, PART_N };
static const char *const part_names[PART_N] = {"raw", "tier", "people", "ingest_db", "catalog_and_other"};

/* Whether a window's file is in force; one that is retired only waits for its last readers. */
static bool is_live(const char *folder, const char *name)
{
    char path[4096], sql[512];
    snprintf(path, sizeof(path), "%s/ingest.db", folder);
    sqlite3_snprintf(sizeof(sql), sql, "SELECT count(*) FROM file WHERE name = %Q", name);
    return ask(path, sql) == 1;
}

/* Adds up the files below a folder. */
static void add_files(const char *path, int64_t bytes[static PART_N])
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        char inner[4096];
        struct stat of;
        snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
        if (*entry->d_name == '.' || stat(inner, &of))
            continue;
        bool window = strstr(entry->d_name, ".raw.") || strstr(entry->d_name, ".tier.") || strstr(entry->d_name, ".open.");
        if (S_ISDIR(of.st_mode)) {
            add_files(inner, bytes);
        } else if (window && !is_live(path, entry->d_name)) {
            continue;
        } else if (strstr(entry->d_name, ".tier.")) {
            int64_t people = ask(inner, "SELECT sum(pgsize) FROM dbstat WHERE name = 'day'");
            people = people < 0 ? 0 : people;
            bytes[PART_PEOPLE] += people;
            bytes[PART_TIER] += of.st_size - people;
        } else {
            bytes[strstr(entry->d_name, ".raw.")       ? PART_RAW
                  : strstr(entry->d_name, "ingest.db") ? PART_INGEST
                                                       : PART_OTHER] += of.st_size;
        }
    }
    if (dir)
        closedir(dir);
}

static void print_bytes(const char *dir, const struct set *set)
{
    int64_t bytes[PART_N] = {0}, total = 0;
    add_files(dir, bytes);
    for (enum part part = 0; part < PART_N; part++) {
        printf("bytes_per_reading_%s %.4f\n", part_names[part], (double)bytes[part] / (double)set->n_readings);
        total += bytes[part];
    }
    printf("bytes_per_reading_directory %.4f\n", (double)total / (double)set->n_readings);
}

/* ---- out ---- */

static void read_cells(struct view *view, const struct set *set, const char *how)
{
    struct cells cells = {0};
    struct spans spans = {0};
    int64_t quarter_us = 15 * US_PER_MINUTE, begin_us = set->begin_us / quarter_us * quarter_us;
    int64_t end_us = (set->end_us / quarter_us + 1) * quarter_us, from_us = clock_mono_us();
    for (size_t s = 1; s <= set->n_series; s++) {
        cells.n = spans.n = 0;
        if (view_cells(view, (uint32_t)s, TIER_15M, begin_us, end_us, &cells, &spans))
            die("cells", NULL);
    }
    printf("cells_15m_%s_us_per_series %.1f\n", how, seconds_since(from_us) * 1e6 / (double)set->n_series);
    cells_free(&cells);
    spans_free(&spans);
}

static void read_readings(struct view *view, const struct set *set, const char *how)
{
    struct points points = {0};
    int64_t n = 0, from_us = clock_mono_us();
    for (size_t s = 1; s <= set->n_series; s++) {
        struct scan *scan;
        int rc;
        if (scan_open(view, (uint32_t)s, set->begin_us, set->end_us, 0, &scan))
            die("scan", NULL);
        while ((rc = scan_next(scan, &points)) == 1)
            n += (int64_t)points.n;
        if (rc)
            die("scan", NULL);
        scan_close(scan);
    }
    printf("scan_%s_readings_per_s %.0f\n", how, (double)n / seconds_since(from_us));
    points_free(&points);
    if (n != set->n_readings) {
        fprintf(stderr, "LOST %lld of %lld\n", (long long)(set->n_readings - n), (long long)set->n_readings);
        exit(1);
    }
}

static void read_all(const char *dir, const struct set *set)
{
    struct err_text error = {0};
    struct reader_dir *reader;
    struct view *view;
    if (reader_dir_open(dir, &reader, &error))
        die("open", &error);
    for (int round = 0; round < 2; round++) {
        const char *how = round ? "warm" : "cold";
        int64_t from_us = clock_mono_us();
        if (view_open(reader, &view, &error))
            die("view", &error);
        printf("view_%s_us %lld\n", how, (long long)(clock_mono_us() - from_us));
        read_cells(view, set, how);
        read_readings(view, set, how);
        view_close(view);
    }
    reader_dir_close(reader);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: bench_store DIR SET\n" SETS_USAGE);
        return 2;
    }
    const char *dir = argv[1];
    struct err_text error = {0};
    struct writer *writer;
    struct set set;
    setvbuf(stdout, NULL, _IOLBF, 0); /* a long run tells what it has */
    set_open(argv[2], &set);
    if (hash_init() || mkdir(dir, 0777) || store_create(dir, &error))
        die("create", &error);
    /* Longer than a large set's windows take to be sealed, or each would be sealed several times, since all are past. */
    struct writer_opts opts = {.dir = dir, .seal_after_us = US_PER_SECOND / 2 + set.n_readings / 10};
    if (writer_open(&opts, &writer, &error))
        die("open", &error);
    printf("readings %lld\nseries %zu\n", (long long)set.n_readings, set.n_series);
    ingest(writer, &set);
    wait_for_seal(dir);
    read_all(dir, &set);
    writer_close(writer);
    print_bytes(dir, &set);
    set_close(&set);
    return 0;
}
