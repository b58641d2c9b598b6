#include <config.h>

#include "query/range.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "../lib/ask_range.h"
#include "../lib/fake_reader.h"
#include "../lib/random.h"
#include "../lib/test.h"
#include "common/hash.h"
#include "query/cursor.h"

#define S US_PER_SECOND
#define MIN US_PER_MINUTE
#define HOUR US_PER_HOUR
#define SERIES_MAX 200

static uint64_t seed;
static struct fake_series series[SERIES_MAX];

static int64_t below(int64_t n)
{
    return random_below(&seed, n);
}

static void random_start(void)
{
    const char *text = getenv("ALMANAC_SEED");
    seed = text ? strtoull(text, NULL, 10) : (uint64_t)getpid() * 7919;
    print_message("# ALMANAC_SEED=%" PRIu64 "\n", seed);
}

static int times(int n)
{
    const char *soak = getenv("ALMANAC_SOAK");
    return soak ? n * 50 : n;
}

/* ---- the store ---- */

static int clear_store(void **state)
{
    (void)state;
    for (size_t i = 0; i < fake_reader.n_series; i++)
        points_free(&series[i].points);
    fake_reader = (struct fake_reader){.series = series, .raw_percent = 100};
    return 0;
}

static struct fake_series *add_series(enum kind kind, const char *unit)
{
    static char names[SERIES_MAX][16];
    size_t i = fake_reader.n_series++;
    snprintf(names[i], sizeof(names[i]), "e-%zu", i);
    series[i] = (struct fake_series){.info = {.id = (uint32_t)(3 * i + 2), .entity = names[i], .type = "T", .property = "p",
                                              .unit = unit, .kind = kind}};
    return &series[i];
}

static int64_t instant(const char *text)
{
    int64_t t_us;
    assert_int_equal(civil_parse_rfc3339(text, strlen(text), &t_us), 0);
    return t_us;
}

static void add_at(struct fake_series *to, int64_t t_us, struct decimal value, uint8_t quality, int64_t period_us)
{
    struct points *points = &to->points;
    assert_int_equal(points_reserve(points, 1), 0);
    size_t i = points->n++;
    points->t_us[i] = t_us;
    points->m[i] = value.m;
    points->e[i] = value.e;
    points->quality[i] = quality;
    points->period_us[i] = period_us;
    points->issued_us[i] = ISSUED_NONE;
    points->known_ms[i] = 0;
}

static void add(struct fake_series *to, const char *t, const char *value)
{
    struct decimal decimal;
    bool rounded;
    assert_int_equal(decimal_parse(value, strlen(value), &decimal, &rounded), 0);
    add_at(to, instant(t), decimal, QUALITY_MEASURED, to->info.kind == KIND_INTERVAL ? 15 * MIN : 0);
}

static void add_state(struct fake_series *to, int64_t t_us, const char *text, uint8_t quality)
{
    int64_t index;
    assert_int_equal(texts_intern(&to->points.texts, text, strlen(text), &index), 0);
    add_at(to, t_us, (struct decimal){index, 0}, quality, 0);
}

/* ---- questions by hand: name, value, ..., NULL ---- */

#define ASK(...) ask_these(__VA_ARGS__, NULL)

static void assert_said(struct said said, const char *expected)
{
    said_is(said, INT64_MIN, expected);
}

/* ---- what is answered ---- */

static void raw_readings_come_with_their_quality(void **state)
{
    (void)state;
    struct fake_series *s = add_series(KIND_GAUGE, "W");
    add(s, "2025-03-01T00:00:00Z", "12.30");
    add(s, "2025-03-01T00:00:01Z", "-5");
    s->points.quality[1] = QUALITY_SUSPECT;
    add(s, "2025-03-01T00:00:02Z", "1");
    assert_said(ASK("from", "2025-03-01T00:00:00Z", "to", "2025-03-01T00:00:02Z"),
                "2025-03-01T00:00:00Z 12.3 q0;2025-03-01T00:00:01Z -5 q4;");
    assert_said(ASK("from", "2025-03-01T00:00:02Z", "to", "2025-03-01T00:00:02Z"), "");
    assert_said(ASK("from", "2025-03-01T00:00:02Z", "to", "2025-03-01T00:00:02Z", "step", "PT15M"), "");
}

/* Definition 4, and every bucket of the grid by default. */
static void empty_buckets_have_count_0_and_nulls(void **state)
{
    (void)state;
    struct fake_series *s = add_series(KIND_GAUGE, "W");
    add(s, "2025-03-01T00:20:00Z", "1");
    add(s, "2025-03-01T00:40:00Z", "2");
    s->points.quality[1] = QUALITY_SUSPECT;
    assert_said(ASK("from", "2025-03-01T00:00:00Z", "to", "2025-03-01T01:00:00Z", "step", "PT15M", "agg", "count,mean,last"),
                "2025-03-01T00:00:00Z 0 - -;2025-03-01T00:15:00Z 1 1 1;2025-03-01T00:30:00Z 0 - -;"
                "2025-03-01T00:45:00Z 0 - -;");
    assert_said(ASK("from", "2025-03-01T00:00:00Z", "to", "2025-03-01T01:00:00Z", "step", "PT15M", "agg", "count,mean,last",
                    "fill", "none"),
                "2025-03-01T00:15:00Z 1 1 1;");
}

/* Definition 3. */
static void edge_buckets_count_what_lies_in_the_range(void **state)
{
    (void)state;
    struct fake_series *s = add_series(KIND_GAUGE, "W");
    for (int i = 0; i < 60; i++)
        add_at(s, instant("2025-03-01T00:00:00Z") + i * MIN, (struct decimal){i, 0}, 0, 0);
    assert_said(ASK("from", "2025-03-01T00:07:00Z", "to", "2025-03-01T00:31:00Z", "step", "PT15M", "agg", "count,first,last"),
                "2025-03-01T00:00:00Z 8 7 14;2025-03-01T00:15:00Z 15 15 29;2025-03-01T00:30:00Z 1 30 30;");
}

/* Definition 5: exact sums, one rounding of a mean. */
static void means_are_rounded_once_and_sums_never(void **state)
{
    (void)state;
    struct fake_series *s = add_series(KIND_INTERVAL, "Wh");
    add(s, "2025-03-01T00:00:00Z", "0.1");
    add(s, "2025-03-01T00:15:00Z", "0.2");
    add(s, "2025-03-01T00:30:00Z", "1000000000000000");
    assert_said(ASK("from", "2025-03-01T00:00:00Z", "to", "2025-03-01T01:00:00Z", "step", "PT1H", "agg", "sum,mean,min,max"),
                "2025-03-01T00:00:00Z 1000000000000000.3 333333333333333 0.1 1000000000000000;");
}

/* Definition 9. */
static void amounts_are_split_at_edges_and_at_the_ends_of_the_range(void **state)
{
    (void)state;
    struct fake_series *s = add_series(KIND_INTERVAL, "Wh");
    add(s, "2025-03-01T00:00:00Z", "250");
    add(s, "2025-03-01T00:15:00Z", "30");
    assert_said(ASK("from", "2025-03-01T00:00:00Z", "to", "2025-03-01T00:20:00Z", "step", "PT5M", "agg", "sum,count,max"),
                "2025-03-01T00:00:00Z 83.333333333 1 83.333333333;2025-03-01T00:05:00Z 83.333333334 1 83.333333334;"
                "2025-03-01T00:10:00Z 83.333333333 1 83.333333333;2025-03-01T00:15:00Z 10 1 10;");
    assert_said(ASK("from", "2025-03-01T00:06:00Z", "to", "2025-03-01T00:21:00Z", "step", "PT1H", "agg", "sum,count,first,last"),
                "2025-03-01T00:00:00Z 162 2 150 12;");
    assert_said(ASK("from", "2025-03-01T00:06:00Z", "to", "2025-03-01T01:00:00Z", "step", "PT15M", "fill", "none"),
                "2025-03-01T00:00:00Z 150;2025-03-01T00:15:00Z 30;");
    add_at(s, instant("2025-03-01T02:00:00Z"), (struct decimal){900000001, 0}, 0, 15 * MIN + 1);
    assert_said(ASK("from", "2025-03-01T02:00:00Z", "to", "2025-03-01T02:30:00Z", "step", "PT15M"),
                "2025-03-01T02:00:00Z 900000000;2025-03-01T02:15:00Z 1;");
}

static void amount_that_began_long_before_the_range_is_found(void **state)
{
    (void)state;
    struct fake_series *s = add_series(KIND_INTERVAL, "Wh");
    add_at(s, instant("2024-01-01T00:00:00Z"), (struct decimal){366, 3}, 0, 366 * US_PER_DAY);
    assert_said(ASK("from", "2024-10-01T00:00:00Z", "to", "2024-10-03T00:00:00Z", "step", "P1D"),
                "2024-10-01T00:00:00Z 1000;2024-10-02T00:00:00Z 1000;");
    assert_said(ASK("from", "2024-12-31T00:00:00Z", "to", "2026-01-02T00:00:00Z", "step", "P1M", "fill", "none"),
                "2024-12-01T00:00:00Z 1000;");
    add_at(s, instant("2025-01-01T00:00:00Z"), (struct decimal){5, 0}, 0, US_PER_DAY);
    assert_said(ASK("from", "2024-12-31T18:00:00Z", "to", "2025-01-01T18:00:00Z", "step", "PT12H"),
                "2024-12-31T12:00:00Z 250;2025-01-01T00:00:00Z 2.5;2025-01-01T12:00:00Z 1.25;");
}

static void states_are_counted_and_have_ends(void **state)
{
    (void)state;
    struct fake_series *s = add_series(KIND_STATE, "");
    for (int i = 0; i < 9; i++)
        add_state(s, instant("2025-03-01T00:00:00Z") + i * 10 * MIN, i % 2 ? "on" : "off", i == 8 ? QUALITY_SUSPECT : 0);
    fake_reader.rows_max = 2;
    assert_said(ASK("from", "2025-03-01T00:00:00Z", "to", "2025-03-01T02:00:00Z", "step", "PT1H", "agg", "first,last,count"),
                "2025-03-01T00:00:00Z off on 6;2025-03-01T01:00:00Z off on 2;");
    assert_said(ASK("from", "2025-03-01T00:00:00Z", "to", "2025-03-01T01:00:00Z", "step", "P1D"), "2025-03-01T00:00:00Z on;");
    assert_said(ASK("from", "2025-03-01T00:10:00Z", "to", "2025-03-01T00:30:00Z"),
                "2025-03-01T00:10:00Z on q0;2025-03-01T00:20:00Z off q0;");
}

/* Definition 5: the mean of directions is that of vectors. */
static void directions_have_the_mean_of_vectors(void **state)
{
    (void)state;
    static const char *const pairs[][3] = {{"350", "10", "0"},       {"90", "180", "135"},   {"0", "180", "-"},
                                           {"359.5", "0.1", "359.8"}, {"270", "270", "270"}, {"-10", "-20", "345"},
                                           {"33.3", "213.3", "-"},    {"725", "5", "5"},     {"1e3", "280", "280"}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        char expected[64];
        clear_store(NULL);
        struct fake_series *s = add_series(KIND_GAUGE, "deg");
        fake_reader.raw_percent = 0;
        add(s, "2025-03-01T00:00:00Z", pairs[i][0]);
        add(s, "2025-03-01T00:01:00Z", pairs[i][1]);
        snprintf(expected, sizeof(expected), "2025-03-01T00:00:00Z %s 2 %s;", pairs[i][2], pairs[i][1]);
        assert_said(ASK("from", "2025-03-01T00:00:00Z", "to", "2025-03-01T01:00:00Z", "step", "PT1H", "agg", "mean,count,last"),
                    expected);
    }
}

/* ---- between readings: definitions 6 to 8 ---- */

/* Linear: 600 s at 100 W, 300 s from 100 to 400, 900 s at 400. */
static void power_is_weighted_by_time_and_integrates_to_energy(void **state)
{
    (void)state;
    struct fake_series *s = add_series(KIND_GAUGE, "W");
    const char *const day = "2025-03-30T00:00:00Z", *const end = "2025-03-30T00:30:00Z";
    add(s, day, "100");
    add(s, "2025-03-30T00:10:00Z", "100");
    add(s, "2025-03-30T00:15:00Z", "400");
    add(s, end, "400");
    assert_said(ASK("from", day, "to", end, "step", "PT30M", "agg", "twa,integral,mean,covered", "max_gap", "PT1H"),
                "2025-03-30T00:00:00Z 275 137.5 200 1800;");
    assert_said(ASK("from", day, "to", end, "step", "PT12M", "agg", "twa,covered,count"),
                "2025-03-30T00:00:00Z 110 720 2;2025-03-30T00:12:00Z 377.5 720 1;2025-03-30T00:24:00Z 400 360 0;");
    assert_said(ASK("from", day, "to", end, "step", "PT15M", "agg", "integral,covered,twa", "max_gap", "PT5M"),
                "2025-03-30T00:00:00Z 20.8333333333333 300 250;2025-03-30T00:15:00Z - 0 -;");
    /* both neighbours lie outside, exactly max_gap apart, one of them at the very end */
    assert_said(ASK("from", "2025-03-30T00:29:00Z", "to", end, "step", "PT1H", "agg", "covered,twa", "max_gap", "PT15M"),
                "2025-03-30T00:00:00Z 60 400;");
    s->info.step = true;
    assert_said(ASK("from", day, "to", end, "step", "PT15M", "agg", "twa"), "2025-03-30T00:00:00Z 100;2025-03-30T00:15:00Z 400;");
    assert_said(ASK("from", "2025-03-30T00:20:00Z", "to", "2025-03-30T00:40:00Z", "step", "PT10M", "agg", "twa,covered"),
                "2025-03-30T00:20:00Z 400 600;2025-03-30T00:30:00Z - 0;");
}

static void register_gains_add_up_over_a_reset(void **state)
{
    (void)state;
    struct fake_series *s = add_series(KIND_COUNTER, "Wh");
    static const char *const readings[][2] = {{"00", "100"}, {"10", "110"}, {"20", "120"}, {"40", "145"}, {"50", "5"}};
    for (size_t i = 0; i < 5; i++) {
        char at[32];
        snprintf(at, sizeof(at), "2025-03-30T00:%s:00Z", readings[i][0]);
        add(s, at, readings[i][1]);
    }
    add(s, "2025-03-30T01:00:00Z", "25");
    const char *const from = "2025-03-30T00:00:00Z", *const to = "2025-03-30T01:10:00Z";
    assert_said(ASK("from", from, "to", to, "step", "PT10M"),
                "2025-03-30T00:00:00Z 10;2025-03-30T00:10:00Z 10;2025-03-30T00:20:00Z -;2025-03-30T00:30:00Z 25;"
                "2025-03-30T00:40:00Z 5;2025-03-30T00:50:00Z 20;2025-03-30T01:00:00Z -;");
    assert_said(ASK("from", from, "to", to, "step", "PT10M", "fill", "linear"),
                "2025-03-30T00:00:00Z 10;2025-03-30T00:10:00Z 10;2025-03-30T00:20:00Z 12.5;2025-03-30T00:30:00Z 12.5;"
                "2025-03-30T00:40:00Z 5;2025-03-30T00:50:00Z 20;2025-03-30T01:00:00Z -;");
    assert_said(ASK("from", from, "to", to, "step", "PT2H"), "2025-03-30T00:00:00Z 70;");
    /* the last reading before the range is found, however far away */
    assert_said(ASK("from", "2025-03-30T00:45:00Z", "to", "2025-03-30T00:50:00Z", "step", "PT1H"), "2025-03-30T00:00:00Z 5;");
    add(s, "2026-07-01T00:00:00Z", "1025");
    assert_said(ASK("from", "2026-06-30T00:00:00Z", "to", "2026-07-01T00:00:00Z", "step", "P1D", "agg", "increase,count"),
                "2026-06-30T00:00:00Z 1000 0;");
    assert_said(ASK("from", from, "to", "2027-01-01T00:00:00Z", "step", "PT15M", "agg", "increase,count", "fill", "none"),
                "2025-03-30T00:00:00Z 10 2;2025-03-30T00:15:00Z 10 1;2025-03-30T00:30:00Z 25 1;2025-03-30T00:45:00Z 25 1;"
                "2025-03-30T01:00:00Z - 1;2026-06-30T23:45:00Z 1000 0;2026-07-01T00:00:00Z - 1;");
}

/* Definition 11. */
static void empty_buckets_are_filled_within_max_gap_only(void **state)
{
    (void)state;
    struct fake_series *s = add_series(KIND_GAUGE, "degC");
    add(s, "2025-03-01T00:00:00Z", "1");
    add(s, "2025-03-01T01:00:00Z", "4");
    add(s, "2025-03-01T01:05:00Z", "6");
    const char *const from = "2025-03-01T00:20:00Z", *const to = "2025-03-01T01:40:00Z";
    assert_said(ASK("from", from, "to", to, "step", "PT20M", "agg", "mean,count,max", "fill", "previous"),
                "2025-03-01T00:20:00Z 1 0 1;2025-03-01T00:40:00Z 1 0 1;2025-03-01T01:00:00Z 5 2 6;2025-03-01T01:20:00Z - 0 -;");
    assert_said(ASK("from", from, "to", to, "step", "PT20M", "agg", "mean", "fill", "previous", "max_gap", "PT30M"),
                "2025-03-01T00:20:00Z 1;2025-03-01T00:40:00Z -;2025-03-01T01:00:00Z 5;2025-03-01T01:20:00Z -;");
    assert_said(ASK("from", from, "to", to, "step", "PT20M", "agg", "mean,stddev", "fill", "linear", "max_gap", "PT1H"),
                "2025-03-01T00:20:00Z 2 -;2025-03-01T00:40:00Z 3 -;2025-03-01T01:00:00Z 5 1.4142135623731;"
                "2025-03-01T01:20:00Z - -;");
    assert_said(ASK("from", from, "to", to, "step", "PT20M", "agg", "mean", "fill", "linear"),
                "2025-03-01T00:20:00Z -;2025-03-01T00:40:00Z -;2025-03-01T01:00:00Z 5;2025-03-01T01:20:00Z -;");
    assert_said(ASK("from", "2025-03-01T00:20:00Z", "to", "2025-03-01T00:40:00Z", "step", "PT20M", "fill", "linear", "max_gap",
                    "2h"),
                "2025-03-01T00:20:00Z 2;");
    clear_store(NULL);
    s = add_series(KIND_STATE, "");
    add_state(s, instant("2025-03-01T00:00:00Z"), "on", 0);
    add_state(s, instant("2025-03-01T00:30:00Z"), "off", 0);
    assert_said(ASK("from", "2025-03-01T00:10:00Z", "to", "2025-03-01T00:50:00Z", "step", "PT10M", "fill", "previous"),
                "2025-03-01T00:10:00Z on;2025-03-01T00:20:00Z on;2025-03-01T00:30:00Z off;2025-03-01T00:40:00Z -;");
}

static void percentiles_lie_on_the_line_between_ranks(void **state)
{
    (void)state;
    struct fake_series *s = add_series(KIND_GAUGE, "W");
    static const char *const values[] = {"3", "1", "2.5", "10"};
    for (int i = 0; i < 4; i++) {
        struct decimal value;
        bool rounded;
        assert_int_equal(decimal_parse(values[i], strlen(values[i]), &value, &rounded), 0);
        add_at(s, instant("2025-03-01T00:00:00Z") + i * S, value, 0, 0);
    }
    assert_said(ASK("from", "2025-03-01T00:00:00Z", "to", "2025-03-01T00:15:00Z", "step", "PT15M", "agg",
                    "median,p25,p99,p01,stddev,mintime,maxtime"),
                "2025-03-01T00:00:00Z 2.75 2.125 9.79 1.045 4.00780488547035 @1740787201000000 @1740787203000000;");
    add_at(s, instant("2025-03-01T00:00:05Z"), (struct decimal){1, 15}, 0, 0);
    add_at(s, instant("2025-03-01T00:00:06Z"), (struct decimal){1, -24}, 0, 0);
    assert_said(ASK("from", "2025-03-01T00:00:00Z", "to", "2025-03-01T00:15:00Z", "step", "PT15M", "agg", "median,p20"),
                "2025-03-01T00:00:00Z 2.75 1;");
}

/* ---- what is explained ---- */

static void bucket_tells_what_it_was_made_of(void **state)
{
    (void)state;
    struct fake_series *s = add_series(KIND_COUNTER, "Wh");
    add(s, "2025-03-01T00:00:00Z", "10");
    add(s, "2025-03-01T00:10:00Z", "5");
    add(s, "2025-03-01T00:20:00Z", "7");
    s->points.quality[2] = QUALITY_SUSPECT;
    add(s, "2025-03-01T00:50:00Z", "9");
    s->points.quality[3] = QUALITY_ESTIMATED | QUALITY_CONVERTED;
    fake_reader.raw_percent = 0;
    assert_said(ASK("from", "2025-03-01T00:00:00Z", "to", "2025-03-01T01:00:01Z", "step", "PT15M", "agg", "increase",
                    "explain", "1"),
                "2025-03-01T00:00:00Z 5 15m n2 q2,0,0,0,0 resets1;2025-03-01T00:15:00Z - none n0 q0,0,0,0,1;"
                "2025-03-01T00:30:00Z - none n0 q0,0,0,0,0;2025-03-01T00:45:00Z 4 15m n1 q0,0,0,1,0 gap converted1;"
                "2025-03-01T01:00:00Z - none n0 q0,0,0,0,0 partial;");
}

/* ---- days of zones: definitions 1 and 2 ---- */

static void local_days_have_23_and_25_hours(void **state)
{
    (void)state;
    struct fake_series *s = add_series(KIND_INTERVAL, "Wh");
    fake_reader.raw_percent = 0;
    for (int64_t t = instant("2025-03-28T00:00:00Z"); t < instant("2025-04-02T00:00:00Z"); t += 15 * MIN)
        add_at(s, t, (struct decimal){1, 0}, 0, 15 * MIN);
    for (int64_t t = instant("2025-10-25T00:00:00Z"); t < instant("2025-10-28T00:00:00Z"); t += 15 * MIN)
        add_at(s, t, (struct decimal){1, 0}, 0, 15 * MIN);
    assert_said(ASK("from", "2025-03-29", "to", "2025-04-01", "tz", "Europe/Berlin", "step", "P1D"),
                "2025-03-28T23:00:00Z 96;2025-03-29T23:00:00Z 92;2025-03-30T22:00:00Z 96;");
    assert_said(ASK("from", "2025-10-26", "to", "2025-10-27", "tz", "Europe/Berlin", "step", "P1D", "agg", "count"),
                "2025-10-25T22:00:00Z 100;");
    struct said said = ASK("from", "2025-10-26", "to", "2025-10-27", "tz", "Europe/Berlin", "step", "PT1H");
    assert_int_equal(said.n_rows, 25);
    said_free(&said);
}

/* ---- what is refused ---- */

static void questions_without_meaning_say_what_to_ask_instead(void **state)
{
    (void)state;
    add_series(KIND_GAUGE, "W");
    add_series(KIND_COUNTER, "Wh");
    add_series(KIND_STATE, "");
    add_series(KIND_GAUGE, "deg");
    add_series(KIND_GAUGE, "degC");
    add_series(KIND_INTERVAL, "Wh");
    static const struct {
        const char *id, *agg, *words;
    } wrong[] = {
        {"2", "sum", "gauge"},        {"5", "mean", "increase, first, last, min"},  {"5", "sum", "counter"},
        {"8", "mean", "state"},       {"8", "min", "first, last, count or covered"}, {"11", "min", "direction"},
        {"11", "max", "mean"},        {"2,5", "mean", "e-1"},                        {"2", "count,sum", "sum"},
        {"2", "increase", "gauge"},   {"5", "twa", "counter"},                       {"14", "integral", "degC"},
        {"11", "p50", "direction"},   {"11", "median", "covered"},                   {"17", "twa", "an interval"},
        {"17", "mintime", "covered"}, {"8", "p99", "state"},                         {"5", "stddev", "increase"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        said_refused(ASK("from", "-P1D", "to", "now", "step", "1h", "series", wrong[i].id, "agg", wrong[i].agg), ERR_MEANING,
                       "agg", wrong[i].words);
    struct said said = ASK("from", "-P1D", "to", "now");
    assert_int_equal(said.rc, 0);
    said_free(&said);
}

static void no_match_is_told_with_the_filter(void **state)
{
    (void)state;
    said_refused(ASK("from", "-P1D", "to", "now"), ERR_NOTFOUND, "", "no series yet");
    add_series(KIND_GAUGE, "W");
    said_refused(ASK("from", "-P1D", "to", "now", "entity", "nobody,x*", "property", "p"), ERR_NOTFOUND, "",
                   "entity \"nobody\" or \"x*\", property \"p\"");
    said_refused(ASK("from", "-P1D", "to", "now", "series", "77,78"), ERR_NOTFOUND, "", "id 77 or 78");
}

static void failing_store_ends_the_answer_with_its_code(void **state)
{
    (void)state;
    add(add_series(KIND_INTERVAL, "W"), "2025-03-12T00:00:00Z", "1");
    fake_reader.fail_scan = ERR_EXPIRED;
    static const char *const steps[] = {"raw", "PT1S", "P1D"};
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        struct said said = ASK("from", "-P1D", "to", "now", "step", steps[i]);
        assert_int_equal(said.rc, ERR_EXPIRED);
        said_free(&said);
    }
}

/* ---- the plan ---- */

static void assert_tiers(const char *id, const char *step, const char *tz, const char *agg, const char *expected)
{
    struct said said = ASK("series", id, "from", "2025-03-12T00:00:00Z", "to", "2025-03-12T02:00:00Z", "step", step, "tz", tz,
                           "agg", agg);
    assert_int_equal(said.rc, 0);
    assert_string_equal(said.tiers, expected);
    said_free(&said);
}

static void coarsest_tier_that_fits_the_grid_is_taken(void **state)
{
    (void)state;
    add_series(KIND_GAUGE, "W");
    add_series(KIND_STATE, "");
    add_series(KIND_GAUGE, "deg");
    assert_tiers("2", "PT15M", "UTC", "mean", "15m,raw");
    assert_tiers("2", "P1M", "Asia/Kathmandu", "mean", "15m,raw");
    assert_tiers("2", "PT20M", "UTC", "mean", "1m,raw");
    assert_tiers("2", "PT90S", "UTC", "mean", "1s,raw");
    assert_tiers("2", "PT1.5S", "UTC", "mean", "raw");
    assert_tiers("5", "PT15M", "UTC", "last", "raw");
    assert_tiers("2,5", "PT15M", "UTC", "last", "15m,raw");
    assert_tiers("8", "PT15M", "UTC", "mean", "raw");
    assert_tiers("8", "PT15M", "UTC", "count", "15m,raw");
    struct said said = ASK("from", "-P1D", "to", "now");
    assert_string_equal(said.tiers, "raw");
    said_free(&said);
}

/* Cells for the inner part, readings for ragged ends only. */
static void few_readings_are_read_where_cells_serve(void **state)
{
    (void)state;
    struct fake_series *s = add_series(KIND_GAUGE, "W");
    for (int i = 0; i < 4 * 3600; i++)
        add_at(s, instant("2025-03-12T00:00:00Z") + i * S, (struct decimal){i, 0}, 0, 0);
    fake_reader.raw_percent = 0;
    struct said said = ASK("from", "2025-03-12T00:14:50Z", "to", "2025-03-12T03:45:07Z", "step", "PT15M", "agg", "mean,last");
    assert_int_equal(said.n_rows, 16);
    assert_int_equal(fake_reader.n_rows, 17);
    assert_int_equal(fake_reader.n_cells, 14);
    said_free(&said);
}

/* Centuries without readings cost no time. */
static void empty_time_is_passed_over(void **state)
{
    (void)state;
    struct fake_series *s = add_series(KIND_GAUGE, "W");
    add(s, "2025-03-01T00:00:00.5Z", "1");
    add(s, "2025-03-01T05:00:00Z", "2");
    fake_reader.raw_percent = 0;
    assert_said(ASK("from", "0001-01-01T00:00:00Z", "to", "9999-12-31T23:59:59Z", "step", "PT1S", "fill", "none"),
                "2025-03-01T00:00:00Z 1;2025-03-01T05:00:00Z 2;");
    assert_said(ASK("from", "0001-01-01T00:00:00Z", "to", "2000-01-01T00:00:00Z", "step", "PT1S", "fill", "none"), "");
    assert_true(fake_reader.n_scans < 20);
}

/* ---- many series ---- */

static void series_come_in_the_order_of_ids_however_many(void **state)
{
    (void)state;
    for (int i = 0; i < SERIES_MAX; i++)
        if (i % 3)
            add(add_series(KIND_GAUGE, "W"), "2025-03-01T00:00:00Z", "1");
        else
            add_series(KIND_GAUGE, "W");
    struct ask question = {.parameters = {{"from", "2025-03-01T00:00:00Z"}, {"to", "2025-03-01T00:00:01Z"}}, .n = 2};
    struct said whole, pages;
    ask_range(&question, &whole);
    assert_int_equal(whole.rc, 0);
    const char *at = (const char *)whole.text.data;
    for (int i = 0; i < SERIES_MAX; i++) {
        char line[32];
        snprintf(line, sizeof(line), "series %d\n", 3 * i + 2);
        assert_ptr_equal(strstr(at, line), at);
        at = strstr(at + 1, "series ");
    }
    assert_null(at);
    for (int limit = 1; limit < 150; limit += 11) {
        ask_pages(&question, limit, &pages);
        assert_int_equal(pages.rc, 0);
        assert_string_equal((char *)pages.text.data, (char *)whole.text.data);
        said_free(&pages);
    }
    said_free(&whole);
    fake_reader.n_walks = 0;
    struct said small = ASK("series", "5,8", "from", "now", "to", "now");
    said_free(&small);
    assert_int_equal(fake_reader.n_walks, 1);
}

/* I8: what is new in the catalog is not in the view of the pages. */
static void series_made_between_pages_are_not_in_them(void **state)
{
    (void)state;
    add(add_series(KIND_GAUGE, "W"), "2025-03-01T00:00:00Z", "1");
    add(add_series(KIND_GAUGE, "W"), "2025-03-01T00:00:00Z", "2");
    const char *from = "2025-03-01T00:00:00Z", *to = "2025-03-01T00:15:00Z";
    struct said first = ASK("from", from, "to", to, "step", "PT5M", "limit", "4");
    add(add_series(KIND_GAUGE, "W"), "2025-03-01T00:00:00Z", "3");
    add_series(KIND_STATE, ""); /* which has no mean */
    struct said next = ASK("from", from, "to", to, "step", "PT5M", "limit", "4", "cursor", first.cursor);
    assert_int_equal(next.rc, 0);
    assert_int_equal(next.n_rows, 2);
    assert_string_equal(next.cursor, "");
    assert_null(strstr((char *)next.text.data, "series 8"));
    said_free(&first);
    said_free(&next);
}

/* A cursor that nobody was given does no harm: it is for a row outside the range. */
static void cursor_from_outside_the_range_starts_in_it(void **state)
{
    (void)state;
    struct fake_series *s = add_series(KIND_GAUGE, "W");
    add(s, "2025-03-01T00:00:00Z", "1");
    add(s, "2025-03-01T00:10:00Z", "2");
    struct said said = ASK("from", "2025-03-01T00:00:00Z", "to", "2025-03-01T01:00:00Z", "limit", "1");
    char cursor[CURSOR_TEXT_MAX];
    snprintf(cursor, sizeof(cursor), "%s", said.cursor);
    said_free(&said);
    assert_int_equal(strlen(cursor), 88);
    memcpy(cursor + 24, "8000000000000000", 16); /* the least time there is */
    assert_said(ASK("from", "2025-03-01T00:00:00Z", "to", "2025-03-01T01:00:00Z", "cursor", cursor),
                "2025-03-01T00:00:00Z 1 q0;2025-03-01T00:10:00Z 2 q0;");
}

/* ---- properties, and the oracle ---- */

static const struct shape {
    enum kind kind;
    const char *unit, *aggs;
} shapes[] = {
    {KIND_GAUGE, "W", "mean,min,max,count,first,last"},
    {KIND_GAUGE, "W", "mean,min,max,count,first,last,twa,integral,stddev,median,p01,p37,p99,mintime,maxtime,covered"},
    {KIND_GAUGE, "m3/h", "twa,integral,covered,mintime,maxtime,mean,min,max"},
    {KIND_COUNTER, "Wh", "last,first,max,min,count,increase,covered"},
    {KIND_INTERVAL, "Wh", "sum,mean,min,max,count,first,last"},
    {KIND_INTERVAL, "Wh", "sum,mean,min,max,count,first,last,covered,median,p07,p93"},
    {KIND_STATE, "-", "first,last,count,covered"},
    {KIND_GAUGE, "deg", "count,mean,last,first,covered"},
};
#define SHAPES_N ((int64_t)(sizeof(shapes) / sizeof(*shapes)))

static const char *const centres[] = {"2025-03-30T01:00:00Z", "2025-10-26T01:00:00Z", "1970-01-01T00:00:00Z",
                                      "2024-12-31T23:00:00Z", "2025-04-05T15:00:00Z"};

static uint8_t random_quality(int mode)
{
    if (mode == 0)
        return QUALITY_MEASURED;
    return (uint8_t)(below(100) < (mode == 1 ? 5 : 60) ? QUALITY_SUSPECT : below(QUALITY_SUSPECT) | QUALITY_ROUNDED);
}

static struct decimal random_value(int mode)
{
    int64_t m = below(2000000) - 500000;
    if (mode == 0)
        return (struct decimal){m, -1};
    if (mode == 1)
        return decimal_canonical((struct decimal){m, (int8_t)(-below(4))});
    return decimal_canonical((struct decimal){m * below(1000000), (int8_t)(below(18) - 14)}); /* far apart */
}

/* What may be declared of a series. */
static void declare_some(struct fake_series *s)
{
    static struct declared declared[SERIES_MAX];
    struct declared *mine = &declared[s - series];
    static const int64_t gaps[] = {0, 0, 0, 15 * MIN, 30 * S};
    *mine = (struct declared){0};
    s->info.step = s->info.kind == KIND_GAUGE && below(3) == 0;
    s->info.cadence_us = gaps[below(5)];
    if (s->info.kind == KIND_COUNTER && below(4) == 0)
        mine->register_size = (struct decimal){below(2) ? 1500001 : 7, -1};
    if (s->info.kind == KIND_COUNTER && below(4) == 0)
        mine->epsilon = (struct decimal){5, 3};
    s->info.declared = below(2) || mine->register_size.m || mine->epsilon.m ? mine : NULL;
}

/* Readings around an instant: even, jittered or with gaps; amounts that fit their cells, lie across them or overlap. */
static void random_series(const struct shape *shape, int64_t centre_us)
{
    static const int64_t cadences[] = {S, 10 * S, MIN, 5 * MIN, 15 * MIN, HOUR};
    static const char *const words[] = {"on", "off", "standby"};
    struct fake_series *s = add_series(shape->kind, shape->unit);
    declare_some(s);
    int64_t cadence = cadences[below(6)], n = 50 + below(800), mode = below(3), period_mode = below(3);
    int64_t gap_rate = below(2) ? 50 : 6;
    int quality_mode = (int)below(3), value_mode = (int)below(6) ? (int)below(2) : 2;
    int64_t t_us = centre_us - n / 2 * cadence;
    t_us -= mode ? below(cadence) : ((t_us % cadence) + cadence) % cadence;
    for (int64_t i = 0; i < n; i++, t_us += cadence) {
        int64_t at_us = mode == 2 ? t_us + below(cadence) : t_us;
        int64_t period = period_mode == 0 ? cadence : 1 + below(3 * cadence);
        if (below(gap_rate) == 0)
            i += below(30), t_us += below(30) * cadence;
        if (shape->kind == KIND_STATE)
            add_state(s, at_us, words[below(3)], random_quality(quality_mode));
        else
            add_at(s, at_us, random_value(value_mode), random_quality(quality_mode),
                   shape->kind == KIND_INTERVAL ? period : 0);
    }
}

/* A question to all series, and how the oracle is told of it. */
struct question {
    struct ask ask;
    char from[CIVIL_TEXT_MAX + 1], to[CIVIL_TEXT_MAX + 1];
    char aggs[120];
    const char *zone, *step, *oracle_step;
    int64_t from_us, to_us, max_gap_us; /* 0: the default */
};

/* Some of the shape's aggregates, or all. */
static void choose_aggs(const struct shape *shape, struct question *q)
{
    bool all = below(3) == 0;
    size_t n = 0;
    for (const char *agg = shape->aggs; *agg; agg += strcspn(agg, ",") + (agg[strcspn(agg, ",")] == ',')) {
        int size = (int)strcspn(agg, ",");
        if (all || below(3) == 0)
            n += (size_t)snprintf(q->aggs + n, sizeof(q->aggs) - n, "%s%.*s", n ? "," : "", size, agg);
    }
    if (!n)
        snprintf(q->aggs, sizeof(q->aggs), "%.*s", (int)strcspn(shape->aggs, ","), shape->aggs);
}

static void choose_gap(struct question *q)
{
    static const struct {
        const char *text;
        int64_t us;
    } gaps[] = {{"PT45M", 45 * MIN}, {"1s", S}, {"PT7M", 7 * MIN}, {"PT2H", 2 * HOUR}, {"P400D", 400 * 24 * HOUR}};
    if (below(2) || !strcmp(q->step, "raw"))
        return;
    size_t i = (size_t)below(5);
    q->max_gap_us = gaps[i].us;
    ask_add(&q->ask, "max_gap", gaps[i].text);
}

static void choose_step(struct question *q)
{
    static const struct {
        const char *step, *oracle_step;
        int64_t width_us;
    } steps[] = {
        {"raw", "raw", 0},
        {"PT1S", "1000000", S},
        {"90s", "90000000", 90 * S},
        {"PT5M", "300000000", 5 * MIN},
        {"15m", "900000000", 15 * MIN},
        {"PT60M", "3600000000", HOUR},
        {"PT7H", "25200000000", 7 * HOUR},
        {"PT24H", "86400000000", 24 * HOUR},
        {"P1D", "D", 24 * HOUR},
        {"P1W", "W", 24 * HOUR},
        {"P3M", "M3", 24 * HOUR},
    };
    size_t i;
    do
        i = (size_t)below(sizeof(steps) / sizeof(*steps));
    while (steps[i].width_us && (q->to_us - q->from_us) / steps[i].width_us > 600);
    q->step = steps[i].step;
    q->oracle_step = steps[i].oracle_step;
}

static void random_question(const struct shape *shape, struct question *q)
{
    static const char *const zones[] = {
        NULL, "UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns",
    };
    static const char *const fills[] = {"null", "none", "previous", "linear"};
    const struct points *points = &series[below((int64_t)fake_reader.n_series)].points;
    int64_t first = points->t_us[0], length = points->t_us[points->n - 1] - first + HOUR;
    *q = (struct question){.zone = zones[below(6)]};
    q->from_us = first - length / 8 + below(length);
    q->to_us = q->from_us + below(length);
    if (below(2)) {
        q->from_us -= ((q->from_us % (15 * MIN)) + 15 * MIN) % (15 * MIN);
        q->to_us -= ((q->to_us % (15 * MIN)) + 15 * MIN) % (15 * MIN);
    }
    q->to_us = q->to_us < q->from_us ? q->from_us : q->to_us;
    choose_step(q);
    q->from[civil_print_rfc3339(q->from, q->from_us, 0, true)] = '\0';
    q->to[civil_print_rfc3339(q->to, q->to_us, 0, true)] = '\0';
    ask_add(&q->ask, "from", q->from);
    ask_add(&q->ask, "to", q->to);
    ask_add(&q->ask, "step", q->step);
    if (q->zone)
        ask_add(&q->ask, "tz", q->zone);
    choose_aggs(shape, q);
    choose_gap(q);
    if (strcmp(q->step, "raw") != 0)
        ask_add(&q->ask, "agg", q->aggs);
    ask_add(&q->ask, "fill", fills[below(strcmp(q->step, "raw") ? 4 : 2)]);
}

static const char *fill_of(const struct question *q)
{
    return q->ask.parameters[q->ask.n - 1].value;
}

static const struct shape *random_store(int64_t n_series)
{
    const struct shape *shape = &shapes[below(SHAPES_N)];
    int64_t centre_us = instant(centres[below(5)]);
    clear_store(NULL);
    while (n_series-- > 0)
        random_series(shape, centre_us);
    return shape;
}

static void assert_same(const struct question *q, const char *what, const struct said *said, const struct said *expected)
{
    if (said->rc || expected->rc)
        fail_msg("%s: %s%s", what, said->error.text, expected->error.text);
    const char *a = (const char *)said->text.data, *b = (const char *)expected->text.data;
    if (strcmp(a, b) != 0) {
        while (*a == *b)
            a++, b++;
        fail_msg("%s: from %s to %s step %s tz %s fill %s max_gap %" PRId64 " agg %s:\n%.200s\nnot\n%.200s", what, q->from, q->to,
                 q->step, q->zone ? q->zone : "-", fill_of(q), q->max_gap_us, q->aggs, a, b);
    }
}

/* I6, and definition 12: whatever answers, cells or readings in pieces of any size, the answer is the same text. */
static void answer_of_tiers_is_that_of_readings_digit_for_digit(void **state)
{
    uint64_t n_cells = 0;
    (void)state;
    random_start();
    for (int i = 0; i < times(150); i++) {
        const struct shape *shape = random_store(2);
        for (int j = 0; j < 4; j++) {
            struct question q;
            struct said raw, tiers;
            random_question(shape, &q);
            fake_reader.raw_percent = 100;
            fake_reader.rows_max = 0;
            ask_range(&q.ask, &raw);
            fake_reader.raw_percent = (unsigned)below(3) * 25;
            fake_reader.rows_max = (size_t)(1 + below(200));
            fake_reader.seed = random_u64(&seed);
            ask_range(&q.ask, &tiers);
            assert_same(&q, "tiers", &tiers, &raw);
            said_free(&raw);
            said_free(&tiers);
        }
        n_cells += fake_reader.n_cells;
    }
    assert_true(n_cells > 1000);
}

static void pages_put_together_are_the_whole_answer(void **state)
{
    (void)state;
    random_start();
    for (int i = 0; i < times(60); i++) {
        const struct shape *shape = random_store(1 + below(3));
        struct question q;
        struct said whole, pages;
        random_question(shape, &q);
        fake_reader.raw_percent = (unsigned)below(3) * 25;
        fake_reader.seed = random_u64(&seed);
        ask_range(&q.ask, &whole);
        ask_pages(&q.ask, (int)(whole.n_rows / 15) + 1 + (int)below(20), &pages);
        assert_same(&q, "pages", &pages, &whole);
        said_free(&whole);
        said_free(&pages);
    }
}

/* False where a sum has more digits than a decimal. */
static bool add_increases(const struct said *said, struct exact *sum)
{
    for (const char *line = (const char *)said->text.data, *next; *line; line = next) {
        const char *value = strchr(line, ' ') + 1;
        struct decimal gain;
        bool rounded;
        next = strchr(line, '\n') + 1;
        if (!strncmp(line, "series ", 7) || !strncmp(value, "-\n", 2))
            continue;
        assert_int_equal(decimal_parse(value, (size_t)(next - 1 - value), &gain, &rounded), 0);
        if (rounded)
            return false;
        exact_add(sum, gain);
    }
    return true;
}

/* I7: whatever the steps and the zone, from cells or from readings. */
static void increments_of_buckets_add_up_to_that_of_the_whole(void **state)
{
    static const struct shape shape = {KIND_COUNTER, "Wh", "increase"};
    (void)state;
    random_start();
    for (int i = 0; i < times(100); i++) {
        clear_store(NULL);
        random_series(&shape, instant(centres[below(5)]));
        struct question q;
        do
            random_question(&shape, &q);
        while (!strcmp(q.step, "raw") || !strcmp(fill_of(&q), "linear"));
        struct ask whole = {.parameters = {{"from", q.from}, {"to", q.to}, {"step", "PT876000H"}}, .n = 3};
        struct said parts, one;
        struct exact sum = {0}, sum_of_one = {0};
        fake_reader.raw_percent = (unsigned)below(3) * 25;
        ask_range(&q.ask, &parts);
        ask_range(&whole, &one);
        assert_int_equal(parts.rc, 0);
        assert_int_equal(one.rc, 0);
        if (add_increases(&parts, &sum) && add_increases(&one, &sum_of_one) && exact_compare(&sum, &sum_of_one) != 0)
            fail_msg("from %s to %s step %s tz %s", q.from, q.to, q.step, q.zone ? q.zone : "-");
        said_free(&parts);
        said_free(&one);
    }
}

/* ---- the oracle ---- */

static void tell_readings(FILE *out, const struct shape *shape)
{
    const struct points *points = &series[0].points;
    const struct declared *declared = series[0].info.declared ? series[0].info.declared : &(struct declared){0};
    fprintf(out, "series %s %s %d %" PRId64 "e%d %" PRId64 "e%d\n", kind_name(shape->kind), shape->unit, series[0].info.step,
            declared->register_size.m, declared->register_size.e, declared->epsilon.m, declared->epsilon.e);
    for (size_t i = 0; i < points->n; i++) {
        fprintf(out, "r %" PRId64 " ", points->t_us[i]);
        if (shape->kind == KIND_STATE)
            fprintf(out, "%s 0", texts_at(&points->texts, points->m[i]));
        else
            fprintf(out, "%" PRId64 " %d", points->m[i], points->e[i]);
        fprintf(out, " %d %" PRId64 "\n", points->quality[i] & QUALITY_CLASS_MASK, points->period_us[i]);
    }
}

static void tell_answer(FILE *out, const struct question *q, const struct said *said)
{
    int64_t cadence_us = series[0].info.cadence_us;
    int64_t max_gap_us = q->max_gap_us ? q->max_gap_us : cadence_us ? 3 * cadence_us : 45 * MIN;
    fprintf(out, "q %" PRId64 " %" PRId64 " %s %s %s %" PRId64 " %s\n", q->from_us, q->to_us, q->oracle_step,
            q->zone ? q->zone : "-", fill_of(q), max_gap_us, q->aggs);
    for (const char *line = (const char *)said->text.data; *line;) {
        size_t size = strcspn(line, "\n");
        if (strncmp(line, "series ", 7) != 0)
            fprintf(out, "a %.*s\n", (int)size, line);
        line += size + 1;
    }
}

static void answers_are_those_of_plain_arithmetic(void **state)
{
    (void)state;
    const char *source = getenv("TEST_SRCDIR");
    char command[4096];
    int n = 0;
    if (!source || system("python3 -c 'import zoneinfo, sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null")) {
        print_message("# no python3 with zoneinfo, or no TEST_SRCDIR: the comparison is left out\n");
        return; /* skip() prints `not ok`, which automake counts as failed */
    }
    random_start();
    fflush(stdout);
    snprintf(command, sizeof(command), "python3 '%s/tests/oracle/ranges.py' 2>&1", source);
    FILE *out = popen(command, "w");
    assert_non_null(out);
    for (int i = 0; i < times(60); i++) {
        const struct shape *shape = random_store(1);
        tell_readings(out, shape);
        for (int j = 0; j < 3; j++, n++) {
            struct question q;
            struct said said;
            random_question(shape, &q);
            fake_reader.raw_percent = (unsigned)below(3) * 25;
            ask_range(&q.ask, &said);
            assert_int_equal(said.rc, 0);
            tell_answer(out, &q, &said);
            said_free(&said);
        }
    }
    fprintf(out, "end %d\n", n);
    assert_int_equal(pclose(out), 0);
}

/* What single series say, put together by hand: some days of seconds are many windows, most of them empty. */
static void groups_say_what_their_series_say_over_many_windows(void **state)
{
    enum { N_SERIES = 4, N_READINGS = 12, N = N_SERIES * N_READINGS };
    (void)state;
    random_start();
    for (int turn = 0; turn < times(6); turn++) {
        int64_t begin_us = instant("2025-03-01T00:00:00Z"), t_us[N], sum[N], n[N] = {0};
        size_t n_times = 0;
        clear_store(NULL);
        for (int i = 0; i < N_SERIES; i++) {
            struct fake_series *s = add_series(KIND_GAUGE, "W");
            int64_t second = 0;
            for (int k = 0; k < N_READINGS; k++) {
                second += 1 + below(k % 4 ? 3 : 40000);
                int64_t m = below(1000), at_us = begin_us + second * S;
                size_t at = 0;
                add_at(s, at_us, (struct decimal){m, 0}, 0, 0);
                while (at < n_times && t_us[at] != at_us)
                    at++;
                if (at == n_times)
                    n_times++;
                sum[at] = (n[at] ? sum[at] : 0) + m;
                t_us[at] = at_us;
                n[at]++;
            }
        }
        struct said said = ASK("from", "2025-03-01T00:00:00Z", "to", "2025-03-03T00:00:00Z", "step", "PT1S", "over", "sum", "agg",
                               "max", "fill", turn % 2 ? "none" : "null");
        if (said.rc)
            fail_msg("refused: %s", said.error.text);
        size_t found = 0, n_lines = 0;
        for (const char *line = strchr((const char *)said.text.data, '\n') + 1; *line; line = strchr(line, '\n') + 1, n_lines++) {
            long long time_us, value, n_series, n_missing;
            if (sscanf(line, "%lld %lld %lld %lld", &time_us, &value, &n_series, &n_missing) != 4)
                continue; /* an empty one has no value */
            size_t at = 0;
            while (at < n_times && t_us[at] != time_us)
                at++;
            assert_true(at < n_times);
            assert_int_equal(value, sum[at]);
            assert_int_equal(n_series, n[at]);
            assert_int_equal(n_missing, N_SERIES - n[at]);
            found++;
        }
        assert_int_equal(found, n_times);
        assert_int_equal(n_lines, turn % 2 ? n_times : 2 * 86400);
        said_free(&said);
    }
}

static void series_of_one_group_have_one_unit_and_kind(void **state)
{
    (void)state;
    struct fake_series *watts = add_series(KIND_GAUGE, "W"), *volts = add_series(KIND_GAUGE, "V");
    add(watts, "2025-03-01T00:00:00Z", "1");
    add(volts, "2025-03-01T00:00:00Z", "2");
    said_refused(ASK("from", "2025-03-01T00:00:00Z", "to", "2025-03-01T01:00:00Z", "step", "PT15M", "over", "sum"), ERR_MEANING,
                   "over", "by=property");
    add_state(add_series(KIND_STATE, ""), instant("2025-03-01T00:00:00Z"), "on", 0);
    said_refused(ASK("from", "2025-03-01T00:00:00Z", "to", "2025-03-01T01:00:00Z", "step", "PT15M", "over", "sum",
                       "series", "8", "agg", "last"), ERR_MEANING, "over", "states");
}

/* ---- what one request may read ---- */

static struct quota quota;

static void allow(int64_t points, int64_t n_series)
{
    quota_begin(&quota, &(struct quota_limits){.points = points, .series = n_series});
    fake_reader.quota = &quota;
}

static struct fake_series *add_hour(enum kind kind)
{
    struct fake_series *to = add_series(kind, kind == KIND_INTERVAL ? "Wh" : "W");
    for (int i = 0; i < 60; i++)
        add_at(to, instant("2025-03-01T00:00:00Z") + i * MIN, (struct decimal){i, 0}, 0, kind == KIND_INTERVAL ? MIN : 0);
    return to;
}

#define THE_HOUR "from", "2025-03-01T00:00:00Z", "to", "2025-03-01T01:00:00Z"

/* As many rows as that, or refused; and how much was counted. */
static void answered(struct said said, size_t n_rows, uint64_t n_counted)
{
    if (said.rc)
        fail_msg("%s", said.error.text);
    assert_int_equal(said.n_rows, n_rows);
    assert_int_equal(quota.n_points, n_counted);
    said_free(&said);
}

static void what_is_too_much_is_refused_before_its_first_row(void **state)
{
    (void)state;
    add_hour(KIND_GAUGE);
    add_hour(KIND_GAUGE);
    allow(120, 0);
    answered(ASK(THE_HOUR), 120, 120);
    allow(119, 0);
    said_refused(ASK(THE_HOUR), ERR_QUOTA, "from", "asks for 120 readings");
    assert_int_equal(quota.n_points, 0);
    allow(119, 0);
    said_refused(ASK(THE_HOUR, "reduce", "m4", "points", "4"), ERR_QUOTA, "from", "limit=119");
    allow(119, 0);
    said_refused(ASK(THE_HOUR, "step", "PT1S"), ERR_QUOTA, "step", "take a step of PT5M");
    allow(119, 0);
    said_refused(ASK(THE_HOUR, "step", "PT1S", "over", "sum"), ERR_QUOTA, "step", "asks for 7200 readings");
    quota_done(&quota);
}

/* The fake store has no cells, so that a step reads all readings, too. */
static void buckets_count_and_so_do_the_readings_they_are_made_of(void **state)
{
    (void)state;
    add_hour(KIND_GAUGE);
    allow(64, 0);
    answered(ASK(THE_HOUR, "step", "PT15M"), 4, 64);
    allow(63, 0);
    said_refused(ASK(THE_HOUR, "step", "PT15M", "agg", "median"), ERR_QUOTA, "step", "asks for 64 readings");
    quota_done(&quota);
}

/* What nobody could foresee ends the answer midway. */
static void what_turns_out_to_be_too_much_ends_with_the_code(void **state)
{
    (void)state;
    add_hour(KIND_GAUGE);
    allow(30, 0);
    fake_reader.rows_max = 10;
    struct said said = ASK(THE_HOUR, "fill", "none", "step", "PT1M");
    assert_int_equal(said.rc, ERR_QUOTA);
    assert_true(said.n_rows > 0 && said.n_rows < 31);
    assert_true(quota_is_over(&quota));
    said_free(&said);
    quota_done(&quota);
}

static void pages_are_as_long_as_they_may_be(void **state)
{
    (void)state;
    add_hour(KIND_GAUGE);
    allow(20, 0);
    fake_reader.rows_max = 10;
    struct said said = ASK(THE_HOUR, "limit", "10");
    assert_int_equal(said.n_rows, 10);
    assert_true(quota.n_points > 10 && quota.n_points <= 20); /* whether there is a next page shows in what comes next */
    said_free(&said);
    allow(20, 0);
    said_refused(ASK(THE_HOUR, "limit", "21"), ERR_QUOTA, "from", "asks for 21 readings");
    quota_done(&quota);
}

static void so_many_series_and_not_one_more(void **state)
{
    (void)state;
    add_hour(KIND_GAUGE);
    add_hour(KIND_GAUGE);
    allow(0, 2);
    answered(ASK(THE_HOUR), 120, 0);
    allow(0, 1);
    said_refused(ASK(THE_HOUR), ERR_QUOTA, "entity", "more than 1 series");
    allow(0, 1);
    said_refused(ASK(THE_HOUR, "series", "2,5"), ERR_QUOTA, "series", "more than 1 series");
    allow(0, 1);
    answered(ASK(THE_HOUR, "series", "5"), 60, 0);
    quota_done(&quota);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(series_of_one_group_have_one_unit_and_kind, clear_store),
        cmocka_unit_test_setup(groups_say_what_their_series_say_over_many_windows, clear_store),
        cmocka_unit_test_setup(what_is_too_much_is_refused_before_its_first_row, clear_store),
        cmocka_unit_test_setup(buckets_count_and_so_do_the_readings_they_are_made_of, clear_store),
        cmocka_unit_test_setup(what_turns_out_to_be_too_much_ends_with_the_code, clear_store),
        cmocka_unit_test_setup(pages_are_as_long_as_they_may_be, clear_store),
        cmocka_unit_test_setup(so_many_series_and_not_one_more, clear_store),
        cmocka_unit_test_setup(raw_readings_come_with_their_quality, clear_store),
        cmocka_unit_test_setup(empty_buckets_have_count_0_and_nulls, clear_store),
        cmocka_unit_test_setup(edge_buckets_count_what_lies_in_the_range, clear_store),
        cmocka_unit_test_setup(means_are_rounded_once_and_sums_never, clear_store),
        cmocka_unit_test_setup(amounts_are_split_at_edges_and_at_the_ends_of_the_range, clear_store),
        cmocka_unit_test_setup(amount_that_began_long_before_the_range_is_found, clear_store),
        cmocka_unit_test_setup(states_are_counted_and_have_ends, clear_store),
        cmocka_unit_test_setup(directions_have_the_mean_of_vectors, clear_store),
        cmocka_unit_test_setup(power_is_weighted_by_time_and_integrates_to_energy, clear_store),
        cmocka_unit_test_setup(register_gains_add_up_over_a_reset, clear_store),
        cmocka_unit_test_setup(empty_buckets_are_filled_within_max_gap_only, clear_store),
        cmocka_unit_test_setup(percentiles_lie_on_the_line_between_ranks, clear_store),
        cmocka_unit_test_setup(bucket_tells_what_it_was_made_of, clear_store),
        cmocka_unit_test_setup(local_days_have_23_and_25_hours, clear_store),
        cmocka_unit_test_setup(questions_without_meaning_say_what_to_ask_instead, clear_store),
        cmocka_unit_test_setup(no_match_is_told_with_the_filter, clear_store),
        cmocka_unit_test_setup(failing_store_ends_the_answer_with_its_code, clear_store),
        cmocka_unit_test_setup(coarsest_tier_that_fits_the_grid_is_taken, clear_store),
        cmocka_unit_test_setup(few_readings_are_read_where_cells_serve, clear_store),
        cmocka_unit_test_setup(empty_time_is_passed_over, clear_store),
        cmocka_unit_test_setup(series_come_in_the_order_of_ids_however_many, clear_store),
        cmocka_unit_test_setup(series_made_between_pages_are_not_in_them, clear_store),
        cmocka_unit_test_setup(cursor_from_outside_the_range_starts_in_it, clear_store),
        cmocka_unit_test_setup(answer_of_tiers_is_that_of_readings_digit_for_digit, clear_store),
        cmocka_unit_test_setup(pages_put_together_are_the_whole_answer, clear_store),
        cmocka_unit_test_setup(increments_of_buckets_add_up_to_that_of_the_whole, clear_store),
        cmocka_unit_test_setup(answers_are_those_of_plain_arithmetic, clear_store),
    };
    signal(SIGPIPE, SIG_IGN); /* an oracle that disagrees stops reading */
    if (hash_init())
        return 1;
    int failed = cmocka_run_group_tests_name("answer", tests, NULL, NULL);
    clear_store(NULL);
    return failed;
}
