/* What the query side adds to the store's time: raw rows and readings in buckets, over a store in memory; the best of several
 * runs, one line a question. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>

#include "../tests/lib/fake_reader.h"
#include "../tests/lib/random.h"
#include "common/clock.h"
#include "common/hash.h"
#include "query/range.h"

#define N_READINGS 1000000
#define N_RUNS 7
#define BEGIN_US INT64_C(1741775400000000)

static struct fake_series series;

static void check(int rc, const struct err_text *error)
{
    if (rc) {
        fprintf(stderr, "bench_query: %s %s\n", err_name(rc), error->text);
        exit(1);
    }
}

/* Readings a second: n_exponents of them in turn, as canonical values of one resolution have. */
static void make_series(enum kind kind, int n_exponents, bool suspects)
{
    struct points *points = &series.points;
    uint64_t seed = 7;
    check(points->cap ? 0 : points_reserve(points, N_READINGS), NULL);
    series.info = (struct series_info){.id = 1, .entity = "e", .type = "T", .property = "p", .unit = "W", .kind = kind};
    for (points->n = 0; points->n < N_READINGS; points->n++) {
        size_t i = points->n;
        points->t_us[i] = BEGIN_US + (int64_t)i * US_PER_SECOND;
        points->m[i] = random_below(&seed, 100000);
        points->e[i] = (int8_t)-random_below(&seed, n_exponents);
        points->quality[i] = suspects && i % 50 == 0 ? QUALITY_SUSPECT : QUALITY_MEASURED;
        points->period_us[i] = US_PER_SECOND;
        points->issued_us[i] = ISSUED_NONE;
    }
}

static size_t ask(const struct parameter *parameters, size_t n)
{
    const struct series_info *info;
    const enum agg *aggs;
    struct err_text error = {0};
    struct answer *answer;
    struct range range;
    struct row row;
    size_t n_aggs, n_rows = 0;
    int rc;
    check(range_parse(parameters, n, BEGIN_US, &range, &error), &error);
    check(answer_open(NULL, NULL, &range, &answer, &error), &error);
    while ((rc = answer_next_series(answer, &info, &aggs, &n_aggs)) > 0)
        while ((rc = answer_next_row(answer, &row)) > 0)
            n_rows++;
    check(rc, &error);
    answer_close(answer);
    range_free(&range);
    return n_rows;
}

static void bench(const char *name, const char *step, const char *agg, const char *to)
{
    struct parameter parameters[] = {{"from", "2025-03-12T10:30:00Z"}, {"to", to}, {"step", step}, {"agg", agg}};
    int64_t best_us = INT64_MAX;
    size_t n_rows = 0;
    for (int run = 0; run < N_RUNS; run++) {
        int64_t begin_us = clock_mono_us();
        n_rows = ask(parameters, agg ? 4 : 3);
        int64_t us = clock_mono_us() - begin_us;
        best_us = us < best_us ? us : best_us;
    }
    printf("query  %-34s %8.3f ms  %7zu rows  %7.1f M readings/s\n", name, (double)best_us / 1000, n_rows,
           (double)fake_reader.n_rows / N_RUNS / (double)(best_us > 0 ? best_us : 1));
    fake_reader.n_rows = 0;
}

int main(void)
{
    const char *const to = "2025-03-24T00:16:40Z"; /* a million seconds on */
    check(hash_init(), NULL);
    fake_reader = (struct fake_reader){.series = &series, .n_series = 1, .raw_percent = 100};
    make_series(KIND_GAUGE, 1, false);
    bench("raw", "raw", NULL, to);
    bench("28 h of means a quarter", "PT15M", "mean", "2025-03-13T14:30:00Z");
    bench("means a quarter", "PT15M", "mean,min,max", to);
    bench("means a day", "P1D", "mean,min,max", to);
    bench("means a second", "PT1S", "mean,min,max", to);
    make_series(KIND_GAUGE, 3, false);
    bench("means a quarter, three exponents", "PT15M", "mean,min,max", to);
    make_series(KIND_GAUGE, 1, true);
    bench("means a quarter, some suspect", "PT15M", "mean,min,max", to);
    make_series(KIND_INTERVAL, 1, false);
    bench("sums a quarter of amounts", "PT15M", "sum", to);
    points_free(&series.points);
    return 0;
}
