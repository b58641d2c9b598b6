/* What acts on the readings of a series: quality, what was known, units, neighbours of the range, reducing for plots, and the
 * step that the server picks. */
#include <config.h>

#include "query/range.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "../lib/ask_range.h"
#include "../lib/fake_reader.h"
#include "../lib/random.h"
#include "../lib/test.h"
#include "common/hash.h"
#include "query/draft.h"

#define S US_PER_SECOND
#define BEGIN_US INT64_C(1740787200000000) /* 2025-03-01 */
#define FROM "2025-03-01T00:00:00Z"
#define TO "2025-03-01T00:00:10Z"

static uint64_t seed;
static struct fake_series series[4];
static struct unit_table *units;

static int64_t below(int64_t n)
{
    return random_below(&seed, n);
}

static int clear_store(void **state)
{
    (void)state;
    for (size_t i = 0; i < fake_reader.n_series; i++) {
        points_free(&series[i].points);
        points_free(&series[i].carry);
    }
    fake_reader = (struct fake_reader){.series = series, .raw_percent = 0, .units = units};
    return 0;
}

static struct fake_series *add_series(enum kind kind, const char *unit)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    size_t i = fake_reader.n_series++;
    series[i] = (struct fake_series){.info = {.id = (uint32_t)(i + 1), .entity = names[i], .type = "T", .property = "p",
                                              .unit = unit, .kind = kind}};
    return &series[i];
}

static void put(struct points *points, int64_t t_us, struct decimal value, uint8_t quality)
{
    assert_int_equal(points_reserve(points, 1), 0);
    size_t i = points->n++;
    points->t_us[i] = t_us;
    points->m[i] = value.m;
    points->e[i] = value.e;
    points->quality[i] = quality;
    points->period_us[i] = 0;
    points->issued_us[i] = ISSUED_NONE;
    points->known_ms[i] = t_us / 1000;
}

/* A reading so many seconds after BEGIN_US. */
static void add(struct fake_series *to, int64_t t_s, const char *value, enum quality quality)
{
    struct decimal decimal;
    bool rounded;
    assert_int_equal(decimal_parse(value, strlen(value), &decimal, &rounded), 0);
    put(&to->points, BEGIN_US + t_s * S, decimal, (uint8_t)quality);
}

#define ASK(...) ask_these("from", FROM, "to", TO, __VA_ARGS__, NULL)

/* Rows with their times in seconds after BEGIN_US. */
static void assert_said(struct said said, const char *expected)
{
    said_is(said, BEGIN_US, expected);
}

/* ---- quality ---- */

static void a_stated_quality_is_the_least_that_counts(void **state)
{
    (void)state;
    struct fake_series *s = add_series(KIND_GAUGE, "W");
    add(s, 0, "1", QUALITY_MEASURED);
    add(s, 1, "2", QUALITY_EDITED);
    add(s, 2, "4", QUALITY_DERIVED);
    add(s, 3, "8", QUALITY_ESTIMATED);
    add(s, 4, "16", QUALITY_SUSPECT);
    s->points.quality[4] |= 7; /* a class of a later version */
    assert_said(ASK("quality", "measured"), "0 1 q0;");
    assert_said(ASK("quality", "derived"), "0 1 q0;1 2 q1;2 4 q2;");
    assert_said(ASK("quality", "suspect"), "0 1 q0;1 2 q1;2 4 q2;3 8 q3;4 16 q7;");
    static const char *const expected[] = {"0 1 1;", "0 2 1.5;", "0 3 2.33333333333333;", "0 4 3.75;", "0 5 6.2;"};
    static const char *const names[] = {"measured", "edited", "derived", "estimated", "suspect"};
    for (int i = 0; i < 5; i++)
        assert_said(ASK("quality", names[i], "step", "PT10S", "agg", "count,mean"), expected[i]);
    assert_said(ASK("step", "PT10S", "agg", "count,max"), "0 4 8;");
}

/* Definition 12: tiers serve the default quality, stated or not. */
static void tiers_serve_the_default_quality_only(void **state)
{
    static const char *const names[] = {"measured", "edited", "derived", "estimated", "suspect"};
    (void)state;
    add(add_series(KIND_GAUGE, "W"), 0, "1", QUALITY_MEASURED);
    for (int i = 0; i < 5; i++) {
        struct said said = ask_these("from", FROM, "to", "2025-03-02T00:00:00Z", "step", "PT15M", "quality", names[i], NULL);
        assert_string_equal(said.tiers, i == QUALITY_ESTIMATED ? "15m,raw" : "raw");
        said_free(&said);
    }
    struct said said = ask_these("from", FROM, "to", "2025-03-02T00:00:00Z", "step", "PT15M", "asof", "now", NULL);
    assert_string_equal(said.tiers, "raw");
    said_free(&said);
}

/* ---- what was known ---- */

static void available_is_the_stated_issue_or_else_the_known_at(void **state)
{
    (void)state;
    struct fake_series *s = add_series(KIND_GAUGE, "W");
    for (int i = 0; i < 3; i++)
        add(s, i, "1", QUALITY_MEASURED);
    s->points.known_ms[0] = BEGIN_US / 1000 + 60001;
    s->points.issued_us[1] = BEGIN_US - 3600 * S; /* known later than it was issued: the statement counts, as with asof */
    s->points.known_ms[1] = BEGIN_US / 1000 + 60002;
    assert_said(ASK("available", "1"), "0 1 q0 since 1740787260001000;1 1 q0 since 1740783600000000;2 1 q0 since "
                "1740787202000000;");
    assert_said(ASK("available", "1", "quality", "measured", "unit", "kW"), "0 0.001 q0 since 1740787260001000;1 0.001 q0 since "
                "1740783600000000;2 0.001 q0 since 1740787202000000;");
    assert_said(ASK("available", "0"), "0 1 q0;1 1 q0;2 1 q0;");
    said_refused(ASK("available", "1", "step", "PT1S"), ERR_INVALID, "available", "raw");
    said_refused(ASK("available", "1", "bounds", "outside"), ERR_INVALID, "available", "raw");
    said_refused(ASK("available", "1", "reduce", "m4", "points", "9"), ERR_INVALID, "available", "raw");
}

static void asof_and_lead_reach_every_way_of_asking(void **state)
{
    (void)state;
    struct fake_series *s = add_series(KIND_GAUGE, "W");
    for (int i = 0; i < 6; i++)
        add(s, i, "1", QUALITY_MEASURED);
    s->points.issued_us[1] = BEGIN_US - 3600 * S;
    s->points.issued_us[2] = BEGIN_US + S; /* a second ahead */
    assert_said(ASK("asof", "2025-03-01T00:00:03Z"), "0 1 q0;1 1 q0;2 1 q0;3 1 q0;");
    assert_said(ASK("asof", "2025-03-01T00:00:02.999Z"), "0 1 q0;1 1 q0;2 1 q0;");
    assert_said(ASK("lead_min", "PT1S"), "1 1 q0;2 1 q0;"); /* observations are no forecasts */
    assert_said(ASK("lead_min", "PT1H"), "1 1 q0;");
    assert_said(ASK("lead_min", "PT0S", "asof", "2025-03-01T00:00:01Z"), "1 1 q0;2 1 q0;");
    assert_said(ASK("asof", "2025-03-01T00:00:03Z", "step", "PT10S", "agg", "count"), "0 4;");
    assert_said(ASK("lead_min", "PT1H", "step", "PT10S", "agg", "count"), "0 1;");
    fake_reader.known_from_us = BEGIN_US + 5 * S;
    assert_said(ASK("asof", "2025-03-01T00:00:05Z", "step", "PT10S", "agg", "count"), "0 6;");
    said_refused(ASK("asof", "2025-03-01T00:00:04Z"), ERR_EXPIRED, "asof", "2025-03-01T00:00:05Z");
}

/* ---- units ---- */

static void values_come_in_the_unit_asked_for(void **state)
{
    (void)state;
    struct fake_series *s = add_series(KIND_GAUGE, "degC");
    add(s, 0, "20.5", QUALITY_MEASURED);
    add(s, 1, "-40", QUALITY_MEASURED);
    add(s, 2, "0.001", QUALITY_MEASURED);
    struct said said = ASK("unit", "degF");
    assert_string_equal(said.unit, "degF");
    assert_said(said, "0 68.9 q0;1 -40 q0;2 32.0018 q0;");
    assert_said(ASK("unit", "degF", "step", "PT10S", "agg", "mean,min,max,first,last,count"),
                "0 20.3006 -40 68.9 68.9 32.0018 3;");
    said = ASK("unit", "degF", "step", "PT10S", "agg", "count");
    assert_string_equal(said.unit, "degC");
    assert_said(said, "0 3;");
    said = ASK("unit", "degC");
    assert_string_equal(said.unit, "degC");
    said_free(&said);
    said_refused(ASK("unit", "kW"), ERR_MEANING, "unit", "it converts to K, degC, degF");
    said_refused(ASK("unit", "hogshead"), ERR_MEANING, "unit", "it converts to K, degC, degF");
}

static void sums_stay_exact_and_means_are_rounded_once(void **state)
{
    (void)state;
    struct fake_series *s = add_series(KIND_INTERVAL, "Wh");
    add(s, 0, "0.1", QUALITY_MEASURED);
    add(s, 1, "123456789012345678", QUALITY_MEASURED);
    add(s, 2, "0.2", QUALITY_MEASURED);
    for (int i = 0; i < 3; i++)
        s->points.period_us[i] = S;
    assert_said(ASK("unit", "kWh", "step", "PT10S", "agg", "sum"), "0 123456789012345.6783;");
    assert_said(ASK("unit", "J", "step", "PT10S", "agg", "sum,mean"), "0 444444440444444441880 148148146814815000000;");
    assert_said(ASK("unit", "YWh"),
                "0 0.0000000000000000000000001 q0;1 0.000000123456789012345678 q0;2 0.0000000000000000000000002 q0;");
}

static void states_and_texts_that_are_no_unit_stay_as_they_are(void **state)
{
    int64_t index;
    (void)state;
    struct fake_series *s = add_series(KIND_STATE, "");
    assert_int_equal(texts_intern(&s->points.texts, "on", 2, &index), 0);
    put(&s->points, BEGIN_US, (struct decimal){index, 0}, 0);
    assert_said(ASK("unit", "kW"), "0 on q0;");
    add(add_series(KIND_GAUGE, "ppm"), 1, "7", QUALITY_MEASURED);
    assert_said(ASK("unit", "ppm"), "0 on q0;1 7 q0;");
    said_refused(ASK("unit", "kW"), ERR_MEANING, "unit", "converts to nothing else");
}

/* ---- the neighbours of the range ---- */

static void neighbours_are_found_at_any_distance_and_flagged(void **state)
{
    (void)state;
    struct fake_series *s = add_series(KIND_GAUGE, "W");
    add(s, -86400LL * 365 * 40, "1", QUALITY_MEASURED);
    add(s, -5000, "2", QUALITY_SUSPECT);
    add(s, 3, "3", QUALITY_MEASURED);
    add(s, 10, "4", QUALITY_SUSPECT);
    add(s, 86400LL * 365 * 100, "5", QUALITY_MEASURED);
    assert_said(ASK("bounds", "none"), "3 3 q0;");
    assert_said(ASK("bounds", "outside"), "-5000 2 q4 before;3 3 q0;10 4 q4 after;");
    assert_said(ASK("bounds", "outside", "quality", "estimated"), "-1261440000 1 q0 before;3 3 q0;3153600000 5 q0 after;");
    assert_said(ASK("bounds", "outside", "asof", "2025-03-01T00:00:03Z", "unit", "mW"), "-5000 2000 q4 before;3 3000 q0;");
    assert_said(ask_these("from", FROM, "to", FROM, "bounds", "outside", NULL), ""); /* equal is empty */
    points_clear(&s->points);
    assert_said(ASK("bounds", "outside"), "");
}

static void what_was_carried_over_is_a_neighbour(void **state)
{
    (void)state;
    struct fake_series *s = add_series(KIND_GAUGE, "W");
    put(&s->carry, BEGIN_US - 9000 * S, (struct decimal){7, 0}, QUALITY_MEASURED);
    put(&s->carry, BEGIN_US - 8000 * S, (struct decimal){8, 0}, QUALITY_SUSPECT);
    add(s, 5, "3", QUALITY_MEASURED);
    assert_said(ASK("bounds", "outside"), "-8000 8 q4 before;5 3 q0;");
    assert_said(ASK("bounds", "outside", "quality", "measured"), "-9000 7 q0 before;5 3 q0;");
    s->points.t_us[0] = BEGIN_US - 8500 * S;
    assert_said(ASK("bounds", "outside"), "-8000 8 q4 before;");
    assert_said(ASK("bounds", "outside", "quality", "measured"), "-8500 3 q0 before;");
}

/* ---- pages ---- */

static void assert_pages(const struct ask *question, const struct said *whole)
{
    for (int limit = 1; limit < 8; limit++) {
        struct said pages;
        ask_pages(question, limit, &pages);
        if (pages.rc)
            fail_msg("pages of %d: %s", limit, pages.error.text);
        assert_string_equal((char *)pages.text.data, (char *)whole->text.data);
        said_free(&pages);
    }
}

static void pages_join_with_neighbours_and_across_series(void **state)
{
    (void)state;
    for (int k = 0; k < 3; k++) {
        struct fake_series *s = add_series(KIND_GAUGE, "W");
        for (int i = k; i < 12; i++) /* the first series has nothing within, the second only what is after it */
            add(s, k == 2 ? i - 3 : 10 * k - 1000 + 1000 * (i > 9 && k) + i, "1", QUALITY_MEASURED);
    }
    struct ask question = {0};
    struct said said;
    ask_add(&question, "from", FROM);
    ask_add(&question, "to", "2025-03-01T00:00:04Z");
    ask_add(&question, "bounds", "outside");
    ask_range(&question, &said);
    assert_int_equal(said.rc, 0);
    assert_int_equal(said.n_rows, 1 + 2 + 6);
    assert_pages(&question, &said);
    said_free(&said);
}

/* ---- reduced for plots ---- */

#define N_MAX 400

struct point {
    int64_t t_us, m;
};

static bool is_better(int64_t m, int64_t than, int sign)
{
    return sign * m > sign * than;
}

/* Which readings have to stay, said plainly: column by column. */
static void mark_kept(const struct point *all, size_t n, int64_t columns, int64_t span_us, bool m4, bool kept[N_MAX])
{
    for (int64_t column = 0; column < columns; column++) {
        size_t picked[4] = {N_MAX, N_MAX, N_MAX, N_MAX};
        for (size_t i = 0; i < n; i++) {
            if ((__int128)(all[i].t_us - BEGIN_US) * columns / span_us != column)
                continue;
            picked[0] = picked[0] == N_MAX ? i : picked[0];
            picked[1] = picked[1] == N_MAX || is_better(all[i].m, all[picked[1]].m, -1) ? i : picked[1];
            picked[2] = picked[2] == N_MAX || is_better(all[i].m, all[picked[2]].m, 1) ? i : picked[2];
            picked[3] = i;
        }
        for (int p = m4 ? 0 : 1; p < (m4 ? 4 : 3); p++)
            if (picked[p] != N_MAX)
                kept[picked[p]] = true;
    }
}

static void check_reduced(const struct point *all, size_t n, bool m4)
{
    char points[20], to[CIVIL_TEXT_MAX + 1];
    int64_t columns = 1 + below(n > 100 ? 60 : 20), span_us = 1 + all[n - 1].t_us - BEGIN_US + below(3) * below(1000000);
    bool kept[N_MAX] = {false};
    struct buf expected = {0};
    struct ask question = {0};
    struct said said;
    snprintf(points, sizeof(points), "%" PRId64, columns);
    to[civil_print_rfc3339(to, BEGIN_US + span_us, 0, true)] = '\0';
    ask_add(&question, "from", FROM);
    ask_add(&question, "to", to);
    ask_add(&question, "reduce", m4 ? "m4" : "minmax");
    ask_add(&question, "points", points);
    if ((int64_t)n <= columns)
        memset(kept, 1, n);
    else
        mark_kept(all, n, columns, span_us, m4, kept);
    buf_puts(&expected, "series 1\n");
    for (size_t i = 0; i < n; i++)
        if (kept[i])
            buf_printf(&expected, "%" PRId64 " %" PRId64 " q0\n", all[i].t_us, all[i].m);
    buf_putc(&expected, '\0');
    ask_range(&question, &said);
    if (said.rc)
        fail_msg("refused: %s", said.error.text);
    assert_string_equal((char *)said.text.data, (char *)expected.data);
    assert_pages(&question, &said);
    said_free(&said);
    buf_free(&expected);
}

static void reduced_readings_are_those_of_each_column_and_pages_join(void **state)
{
    int n_rounds = getenv("ALMANAC_SOAK") ? 10000 : 200;
    (void)state;
    for (int round = 0; round < n_rounds; round++) {
        struct point all[N_MAX];
        size_t n = 1 + (size_t)below(below(3) ? 30 : N_MAX);
        int64_t t_us = BEGIN_US + below(3) * below(10000000);
        clear_store(NULL);
        struct fake_series *s = add_series(KIND_GAUGE, "W");
        fake_reader.rows_max = 1 + (size_t)below(50);
        for (size_t i = 0; i < n; i++) {
            int64_t m = below(10) - 5;
            all[i] = (struct point){t_us, m};
            bool small = m % 2 == 0 && below(2); /* the same number, written otherwise */
            put(&s->points, t_us, small ? (struct decimal){m * 10, -1} : (struct decimal){m, 0}, 0);
            t_us += 1 + below(below(8) ? 1000000 : 1000000000); /* gaps, too */
        }
        check_reduced(all, n, round % 2);
    }
}

static void reducing_goes_with_the_other_options_and_not_with_states(void **state)
{
    (void)state;
    struct fake_series *s = add_series(KIND_GAUGE, "W");
    add(s, -3, "7", QUALITY_MEASURED);
    for (int i = 0; i < 10; i++)
        add(s, i, i == 4 ? "900" : i == 5 ? "-8" : "1", i == 4 ? QUALITY_SUSPECT : QUALITY_MEASURED);
    add(s, 12, "8", QUALITY_MEASURED);
    assert_said(ASK("reduce", "m4", "points", "1"), "0 1 q0;4 900 q4;5 -8 q0;9 1 q0;");
    assert_said(ASK("reduce", "minmax", "points", "1", "quality", "estimated"), "0 1 q0;5 -8 q0;");
    assert_said(ASK("reduce", "minmax", "points", "1", "unit", "kW", "bounds", "outside"),
                "-3 0.007 q0 before;4 0.9 q4;5 -0.008 q0;12 0.008 q0 after;");
    add_series(KIND_STATE, "");
    said_refused(ASK("reduce", "m4", "points", "1"), ERR_MEANING, "reduce", "is a state");
}

/* ---- the step that the server picks ---- */

static void assert_step(const char *from, const char *to, const char *tz, const char *points, const char *expected)
{
    struct parameter parameters[] = {{"from", from}, {"to", to}, {"step", "auto"}, {"points", points}, {"tz", tz ? tz : "UTC"}};
    struct range range;
    struct err_text error = {0};
    char text[CIVIL_TEXT_MAX + 1];
    int rc = range_parse(parameters, 5, ASK_NOW_US, &range, &error);
    if (rc)
        fail_msg("%s", error.text);
    text[civil_print_duration(text, &range.step)] = '\0';
    range_free(&range);
    assert_string_equal(text, expected);
}

static void the_finest_step_that_gives_no_more_points_is_taken(void **state)
{
    (void)state;
    assert_step(FROM, "2025-03-01T00:01:00Z", NULL, "60", "PT1S");
    assert_step(FROM, "2025-03-01T00:01:00Z", NULL, "59", "PT5S");
    assert_step(FROM, "2025-03-02T00:00:00Z", NULL, "96", "PT15M");
    assert_step("2025-03-01T00:00:01Z", "2025-03-02T00:00:01Z", NULL, "96", "PT30M"); /* 97 are touched */
    assert_step(FROM, "2025-04-01T00:00:00Z", NULL, "31", "P1D");
    assert_step("2025-03-29T23:00:00Z", "2025-03-30T22:00:00Z", "Europe/Berlin", "23", "PT1H");
    assert_step(FROM, "2035-03-01T00:00:00Z", NULL, "11", "P1Y");
    assert_step(FROM, FROM, NULL, "1", "PT1S");
    assert_step("0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z", NULL, "1000000", "P1W");
    said_refused(ask_these("from", FROM, "to", "2035-03-01T00:00:00Z", "step", "auto", "points", "10", NULL), ERR_INVALID,
                 "points", "has 11 of them");
}

static void a_chosen_step_keeps_the_extremes(void **state)
{
    (void)state;
    struct fake_series *s = add_series(KIND_GAUGE, "W");
    add(s, 0, "1", QUALITY_MEASURED);
    add(s, 1, "4", QUALITY_MEASURED);
    assert_said(ASK("step", "auto", "points", "1"), "0 2.5 1 4;");
    assert_said(ASK("step", "auto", "points", "1", "agg", "last"), "0 4;");
    add(add_series(KIND_GAUGE, "deg"), 0, "90", QUALITY_MEASURED); /* which has none */
    assert_said(ASK("step", "auto", "points", "1", "series", "2"), "0 90;");
}

/* ---- too many rows ---- */

static int check_rows(const char *to, const char *step, const char *fill, const char *limit, struct err_text *error)
{
    struct parameter parameters[] = {{"from", FROM}, {"to", to}, {"step", step}, {"fill", fill}, {"limit", limit}};
    struct range range;
    assert_int_equal(range_parse(parameters, limit ? 5 : 4, ASK_NOW_US, &range, error), 0);
    int rc = range_check_rows(&range, 1000000, error);
    range_free(&range);
    return rc;
}

static void too_many_rows_are_told_with_the_step_that_fits(void **state)
{
    struct err_text error = {0};
    (void)state;
    assert_int_equal(check_rows("2125-03-01T00:00:00Z", "PT1S", "null", NULL, &error), ERR_LIMIT);
    assert_string_equal(error.field, "step");
    assert_non_null(strstr(error.text, "3155673600 steps of PT1S"));
    assert_non_null(strstr(error.text, "take PT1H or longer"));
    assert_int_equal(check_rows("2125-03-01T00:00:00Z", "PT1S", "none", NULL, &error), 0);
    assert_int_equal(check_rows("2125-03-01T00:00:00Z", "PT1S", "null", "1000", &error), 0);
    assert_int_equal(check_rows("2125-03-01T00:00:00Z", "PT1H", "null", NULL, &error), 0);
    assert_int_equal(check_rows("2025-03-12T13:46:40Z", "PT1S", "null", NULL, &error), 0);
    assert_int_equal(check_rows("2025-03-12T13:46:41Z", "PT1S", "null", NULL, &error), ERR_LIMIT);
}

/* ---- */

static void make_units(void)
{
    static const struct unit known[] = {
        {"Wh", "energy", 3600, 1, 0, {0, 0}},        {"J", "energy", 1, 1, 0, {0, 0}},
        {"W", "power", 1, 1, 0, {0, 0}},             {"K", "temperature", 1, 1, 0, {0, 0}},
        {"degC", "temperature", 1, 1, 0, {27315, -2}}, {"degF", "temperature", 5, 9, 0, {45967, -2}},
    };
    units = unit_table_new();
    assert_non_null(units);
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        assert_int_equal(unit_table_add(units, &known[i], i < 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_stated_quality_is_the_least_that_counts, clear_store),
        cmocka_unit_test_setup(tiers_serve_the_default_quality_only, clear_store),
        cmocka_unit_test_setup(available_is_the_stated_issue_or_else_the_known_at, clear_store),
        cmocka_unit_test_setup(asof_and_lead_reach_every_way_of_asking, clear_store),
        cmocka_unit_test_setup(values_come_in_the_unit_asked_for, clear_store),
        cmocka_unit_test_setup(sums_stay_exact_and_means_are_rounded_once, clear_store),
        cmocka_unit_test_setup(states_and_texts_that_are_no_unit_stay_as_they_are, clear_store),
        cmocka_unit_test_setup(neighbours_are_found_at_any_distance_and_flagged, clear_store),
        cmocka_unit_test_setup(what_was_carried_over_is_a_neighbour, clear_store),
        cmocka_unit_test_setup(pages_join_with_neighbours_and_across_series, clear_store),
        cmocka_unit_test_setup(reduced_readings_are_those_of_each_column_and_pages_join, clear_store),
        cmocka_unit_test_setup(reducing_goes_with_the_other_options_and_not_with_states, clear_store),
        cmocka_unit_test_setup(the_finest_step_that_gives_no_more_points_is_taken, clear_store),
        cmocka_unit_test_setup(a_chosen_step_keeps_the_extremes, clear_store),
        cmocka_unit_test_setup(too_many_rows_are_told_with_the_step_that_fits, clear_store),
    };
    const char *text = getenv("ALMANAC_SEED");
    seed = text ? strtoull(text, NULL, 10) : (uint64_t)getpid() * 7919;
    print_message("# ALMANAC_SEED=%" PRIu64 "\n", seed);
    if (hash_init())
        return 1;
    make_units();
    int failed = cmocka_run_group_tests_name("raw", tests, NULL, NULL);
    clear_store(NULL);
    unit_table_free(units);
    return failed;
}
