/* The same readings as bench_store's in plain SQLite: a row a reading, keyed by series and time.
 *
 *     bench_rows FILE SET   (a new file)
 *     bench_rows - SET      prints the set in Influx line protocol instead, for other databases to read
 *
 * Prints one figure a line. */
#include <config.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "model/decimal.h"
#include "sets.h"

#define ROWS_PER_TRANSACTION 100000

static void check(sqlite3 *db, int rc)
{
    if (rc != SQLITE_OK && rc != SQLITE_DONE) {
        fprintf(stderr, "bench_rows: %s\n", sqlite3_errmsg(db));
        exit(1);
    }
}

static void print_lines(struct set *set)
{
    struct sample sample;
    while (set_next(set, &sample)) {
        const struct set_series *series = &set->series[sample.series_i];
        char value[DECIMAL_TEXT_MAX];
        size_t n = decimal_print(value, (struct decimal){sample.m, sample.e});
        printf("%s,entity=%s v=%.*s %lld\n", series->property, series->entity, (int)n, value,
               (long long)sample.t_us * 1000);
    }
}

static double as_double(const struct sample *sample)
{
    double power = (double)decimal_pow10[sample->e < 0 ? -sample->e : sample->e];
    return sample->e < 0 ? (double)sample->m / power : (double)sample->m * power;
}

static void write_rows(sqlite3 *db, struct set *set)
{
    struct sample sample;
    sqlite3_stmt *stmt;
    check(db, sqlite3_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; CREATE TABLE reading (series INTEGER, "
                               "t_ms INTEGER, value REAL, PRIMARY KEY (series, t_ms)) WITHOUT ROWID", NULL, NULL, NULL));
    check(db, sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO reading VALUES (?1, ?2, ?3)", -1, &stmt, NULL));
    check(db, sqlite3_exec(db, "BEGIN", NULL, NULL, NULL));
    for (int64_t i = 1; set_next(set, &sample); i++) {
        sqlite3_bind_int64(stmt, 1, (int64_t)sample.series_i);
        sqlite3_bind_int64(stmt, 2, sample.t_us / 1000);
        sqlite3_bind_double(stmt, 3, as_double(&sample));
        check(db, sqlite3_step(stmt));
        sqlite3_reset(stmt);
        if (i % ROWS_PER_TRANSACTION == 0)
            check(db, sqlite3_exec(db, "COMMIT; BEGIN", NULL, NULL, NULL));
    }
    sqlite3_finalize(stmt);
    check(db, sqlite3_exec(db, "COMMIT; PRAGMA journal_mode=DELETE", NULL, NULL, NULL));
}

int main(int argc, char **argv)
{
    struct set set;
    struct stat of;
    sqlite3 *db;
    if (argc != 3) {
        fprintf(stderr, "usage: bench_rows FILE|- SET\n" SETS_USAGE);
        return 2;
    }
    set_open(argv[2], &set);
    if (strcmp(argv[1], "-") == 0) {
        print_lines(&set);
    } else {
        check(NULL, sqlite3_open(argv[1], &db));
        int64_t from_us = clock_mono_us();
        write_rows(db, &set);
        printf("ingest_readings_per_s %.0f\n", (double)set.n_readings * 1e6 / (double)(clock_mono_us() - from_us));
        sqlite3_close(db);
        if (stat(argv[1], &of))
            return 1;
        printf("bytes_per_reading_directory %.4f\n", (double)of.st_size / (double)set.n_readings);
    }
    set_close(&set);
    return 0;
}
