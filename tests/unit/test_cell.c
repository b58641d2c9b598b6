#include <config.h>

#include "rollup/cell.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <zlib.h>

#include "../lib/test.h"
#include "common/civil.h"

#define S US_PER_SECOND
#define KEY UINT64_C(0x1234567890abcdef)

static uint64_t random_state;

static uint64_t random_below(uint64_t n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (random_state >> 33) % n;
}

static int64_t random_mantissa(int64_t max)
{
    uint64_t v = random_below(UINT32_MAX) << 31 ^ random_below(UINT32_MAX);
    return (int64_t)(v % (2 * (uint64_t)max + 1)) - max;
}

static void random_start(void)
{
    const char *text = getenv("ALMANAC_SEED");
    random_state = text != NULL ? strtoull(text, NULL, 10) : (uint64_t)getpid() * 7919;
    print_message("# ALMANAC_SEED=%" PRIu64 "\n", random_state);
}

static int times(int n)
{
    const char *soak = getenv("ALMANAC_SOAK");
    int factor = soak != NULL ? atoi(soak) : 0;
    return n * (factor > 1 ? factor : factor == 1 ? 20 : 1);
}

/* ---- making readings ---- */

static void add_period(struct points *points, int64_t t_us, struct decimal value, uint8_t quality, int64_t period_us)
{
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

static void add(struct points *points, int64_t t_us, int64_t m, int8_t e, uint8_t quality)
{
    add_period(points, t_us, (struct decimal){m, e}, quality, 0);
}

static struct cells compute_with(const struct points *points, const struct cell_options *options)
{
    struct cells cells = {0};
    bool is_cut;
    assert_int_equal(cells_compute(points, 0, points->n, options, &cells, &is_cut), 0);
    return cells;
}

static struct cells compute(const struct points *points, enum kind kind, int64_t width_us)
{
    struct cell_options options = {.kind = kind, .width_us = width_us, .max_gap_us = MAX_GAP_DEFAULT_US};
    return compute_with(points, &options);
}

static void assert_exact(const struct exact *value, int64_t m, int e)
{
    struct exact expected = {0};
    exact_add_i128(&expected, m, e);
    assert_int_equal(exact_compare(value, &expected), 0);
    assert_false(value->overflow);
}

static void assert_decimal(struct decimal value, int64_t m, int e)
{
    assert_int_equal(value.m, m);
    assert_int_equal(value.e, e);
}

static void assert_same(const struct cell *a, const struct cell *b)
{
    assert_int_equal(a->begin_us, b->begin_us);
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->n_quality, b->n_quality, sizeof a->n_quality);
    assert_decimal(a->min, b->min.m, b->min.e);
    assert_decimal(a->max, b->max.m, b->max.e);
    assert_decimal(a->first, b->first.m, b->first.e);
    assert_decimal(a->last, b->last.m, b->last.e);
    assert_int_equal(a->min_us, b->min_us);
    assert_int_equal(a->max_us, b->max_us);
    assert_int_equal(a->first_us, b->first_us);
    assert_int_equal(a->last_us, b->last_us);
    assert_int_equal(a->covered_us, b->covered_us);
    assert_int_equal(a->n_resets, b->n_resets);
    assert_int_equal(exact_compare(&a->sum, &b->sum), 0);
    assert_int_equal(exact_compare(&a->step, &b->step), 0);
    assert_int_equal(exact_compare(&a->linear2, &b->linear2), 0);
    assert_int_equal(exact_compare(&a->increase, &b->increase), 0);
}

/* ---- cells of a few readings, worked out by hand ---- */

static void gauge_cell_has_sums_ends_and_integrals(void **state)
{
    (void)state;
    struct points p = {0};
    add(&p, 61 * S, 125, -1, QUALITY_MEASURED);
    add(&p, 63 * S, 1, 1, QUALITY_EDITED);
    add(&p, 64 * S, 125, -1, QUALITY_ESTIMATED | QUALITY_ROUNDED);
    add(&p, 90 * S, 11, 0, QUALITY_MEASURED);
    struct cells cells = compute(&p, KIND_GAUGE, 60 * S);
    assert_int_equal(cells.n, 1);
    struct cell *c = &cells.rows[0];
    assert_int_equal(c->begin_us, 60 * S);
    assert_int_equal(c->count, 4);
    assert_int_equal(c->n_quality[QUALITY_MEASURED], 2);
    assert_int_equal(c->n_quality[QUALITY_EDITED], 1);
    assert_int_equal(c->n_quality[QUALITY_ESTIMATED], 1);
    assert_exact(&c->sum, 46, 0);
    assert_decimal(c->min, 1, 1);
    assert_decimal(c->max, 125, -1);
    assert_int_equal(c->min_us, 63 * S);
    assert_int_equal(c->max_us, 61 * S);
    assert_decimal(c->first, 125, -1);
    assert_decimal(c->last, 11, 0);
    assert_int_equal(c->first_us, 61 * S);
    assert_int_equal(c->last_us, 90 * S);
    assert_int_equal(c->covered_us, 29 * S);
    assert_exact(&c->step, 25 + 10 + 325, 6);
    assert_exact(&c->linear2, 450 + 225 + 6110, 5);
    assert_true(exact_is_zero(&c->increase));
    cells_free(&cells);
    points_free(&p);
}

static void suspect_readings_count_in_their_class_only(void **state)
{
    (void)state;
    struct points p = {0};
    add(&p, 1 * S, 5, 0, QUALITY_MEASURED);
    add(&p, 2 * S, 9, 9, QUALITY_SUSPECT);
    add(&p, 3 * S, 7, 0, QUALITY_MEASURED);
    add(&p, 61 * S, 9, 9, QUALITY_SUSPECT);
    add(&p, 62 * S, 9, 9, 7);
    struct cells cells = compute(&p, KIND_GAUGE, 60 * S);
    assert_int_equal(cells.n, 2);
    assert_int_equal(cells.rows[0].count, 2);
    assert_int_equal(cells.rows[0].n_quality[QUALITY_SUSPECT], 1);
    assert_decimal(cells.rows[0].max, 7, 0);
    assert_exact(&cells.rows[0].linear2, 24, 6);
    struct cell only_suspects = {.begin_us = 60 * S, .n_quality = {[QUALITY_SUSPECT] = 2}};
    assert_same(&cells.rows[1], &only_suspects);
    cells_free(&cells);
    points_free(&p);
}

static void gap_longer_than_the_limit_is_not_covered(void **state)
{
    (void)state;
    struct points p = {0};
    int64_t t[] = {0, 10, 20, 31, 41};
    for (size_t i = 0; i < 5; i++)
        add(&p, t[i] * S, 2, 0, 0);
    struct cell_options options = {.kind = KIND_GAUGE, .width_us = 60 * S, .max_gap_us = 10 * S};
    struct cells cells = compute_with(&p, &options);
    assert_int_equal(cells.rows[0].covered_us, 30 * S);
    assert_exact(&cells.rows[0].step, 60, 6);
    assert_exact(&cells.rows[0].linear2, 120, 6);
    cells_free(&cells);
    points_free(&p);
}

static void decrease_of_a_counter_is_a_reset(void **state)
{
    (void)state;
    struct points p = {0};
    int64_t register_wh[] = {100, 130, 130, 20, 50, 5};
    for (size_t i = 0; i < 6; i++)
        add(&p, (int64_t)i * S, register_wh[i], 0, i == 1 ? QUALITY_ESTIMATED : QUALITY_MEASURED);
    struct cells cells = compute(&p, KIND_COUNTER, 60 * S);
    assert_exact(&cells.rows[0].increase, 30 + 20 + 30 + 5, 0);
    assert_int_equal(cells.rows[0].n_resets, 2);
    assert_int_equal(cells.rows[0].covered_us, 5 * S);
    assert_true(exact_is_zero(&cells.rows[0].sum) && exact_is_zero(&cells.rows[0].linear2));
    cells_free(&cells);
    points_free(&p);
}

static void interval_that_reaches_beyond_its_cell_is_told(void **state)
{
    (void)state;
    struct cell_options options = {.kind = KIND_INTERVAL, .width_us = 900 * S};
    struct decimal one = {1, 0};
    int64_t period_s[] = {300, 301, INT64_MAX / S};

    for (size_t i = 0; i < 3; i++) {
        for (int suspect = 0; suspect < 2; suspect++) {
            struct points p = {0};
            struct cells cells = {0};
            bool is_cut = false;
            add_period(&p, 0, one, 0, 400 * S);
            add_period(&p, 300 * S, one, 0, 50 * S);
            add_period(&p, 600 * S, one, suspect ? QUALITY_SUSPECT : 0, period_s[i] * S);
            assert_int_equal(cells_compute(&p, 0, p.n, &options, &cells, &is_cut), 0);
            assert_int_equal(is_cut, i > 0 && !suspect);
            if (i == 0)
                assert_int_equal(cells.rows[0].covered_us, suspect ? 400 * S : 700 * S);
            cells_free(&cells);
            points_free(&p);
        }
    }
}

static void cells_lie_on_the_epoch_before_it_too_and_states_have_none(void **state)
{
    (void)state;
    struct points p = {0};
    add(&p, -60 * S - 1, 1, 0, 0);
    add(&p, -60 * S, 2, 0, 0);
    add(&p, -1, 3, 0, 0);
    add(&p, 0, 4, 0, 0);
    struct cells cells = compute(&p, KIND_GAUGE, 60 * S);
    assert_int_equal(cells.n, 3);
    assert_int_equal(cells.rows[0].begin_us, -120 * S);
    assert_int_equal(cells.rows[1].begin_us, -60 * S);
    assert_int_equal(cells.rows[1].count, 2);
    assert_int_equal(cells.rows[2].begin_us, 0);
    struct cell_options options = {.kind = KIND_STATE, .width_us = S};
    bool is_cut = true;
    assert_int_equal(cells_compute(&p, 0, p.n, &options, &cells, &is_cut), ERR_MEANING);
    assert_int_equal(cells.n, 3);
    assert_true(is_cut);
    cells_free(&cells);
    points_free(&p);
}

static void plain_reading_is_in_force_before_the_newest_issue(void **state)
{
    (void)state;
    static const struct {
        int64_t t, issued, m;
        bool in_force;
    } rows[] = {
        {1, ISSUED_NONE, 10, true},  {1, 5, 11, false},  {1, 9, 12, false}, {2, 5, 13, false}, {2, 6, 14, true},
        {3, ISSUED_NONE, 15, true},  {4, 7, 16, true},   {5, 1, 17, false}, {5, 2, 18, false}, {5, 3, 19, true},
    };
    struct points p = {0};
    for (size_t i = 0; i < 10; i++) {
        add(&p, rows[i].t * S, rows[i].m, 0, (uint8_t)(i % 4));
        p.issued_us[i] = rows[i].issued;
        p.known_ms[i] = rows[i].m * 2;
        p.period_us[i] = rows[i].m * 3;
    }
    points_in_force(&p);
    size_t n = 0;
    for (size_t i = 0; i < 10; i++) {
        if (!rows[i].in_force)
            continue;
        assert_true(n < p.n);
        assert_int_equal(p.t_us[n], rows[i].t * S);
        assert_int_equal(p.m[n], rows[i].m);
        assert_int_equal(p.quality[n], i % 4);
        assert_int_equal(p.issued_us[n], rows[i].issued);
        assert_int_equal(p.known_ms[n], rows[i].m * 2);
        assert_int_equal(p.period_us[n], rows[i].m * 3);
        n++;
    }
    assert_int_equal(p.n, n);
    points_free(&p);
}

/* ---- random series ---- */

enum shape { SHAPE_REGULAR, SHAPE_DECIMALS, SHAPE_JITTER, SHAPE_FAR, SHAPE_EXTREME, SHAPE_N };

static struct decimal random_value(enum shape shape, enum kind kind, size_t i)
{
    bool is_reset = shape != SHAPE_REGULAR && random_below(50) == 0;
    int64_t register_m = (int64_t)i * 3 + (int64_t)random_below(3) - (is_reset ? (int64_t)i * 2 : 0);

    if (shape == SHAPE_EXTREME)
        return (struct decimal){random_mantissa(DECIMAL_MANTISSA_MAX), -16};
    if (shape == SHAPE_FAR)
        return decimal_canonical((struct decimal){
            random_mantissa(random_below(2) ? DECIMAL_MANTISSA_MAX : 1000), (int8_t)((int)random_below(40) - 24)});
    if (kind == KIND_COUNTER)
        return (struct decimal){register_m, 0};
    if (shape == SHAPE_REGULAR)
        return (struct decimal){10000 + (int64_t)random_below(100), -1};
    return decimal_canonical((struct decimal){(int64_t)random_below(20000) - 5000, -2});
}

/* n readings; times and qualities go with the shape. Intervals never reach beyond their cell if tidy. */
static struct points random_points(enum shape shape, enum kind kind, size_t n, bool tidy)
{
    struct points p = {0};
    int64_t t_us = ((int64_t)random_below(200000) - 100000) * 900 * S;

    for (size_t i = 0; i < n; i++) {
        uint8_t quality = shape != SHAPE_REGULAR && random_below(5) == 0 ? (uint8_t)random_below(QUALITY_N) : 0;
        int64_t period_us = kind != KIND_INTERVAL ? 0 : tidy ? S : (int64_t)random_below(3000) * 1000;
        add_period(&p, t_us, random_value(shape, kind, i), quality, period_us);
        t_us += S;
        if (shape == SHAPE_JITTER)
            t_us += (int64_t)random_below(400) * 1000 - 200000 + (random_below(30) == 0 ? 100 * S : 0);
        else if (shape != SHAPE_REGULAR && random_below(20) == 0)
            t_us += (int64_t)random_below(10) * S;
    }
    return p;
}

static struct cell_options random_options(void)
{
    static const enum kind kinds[] = {KIND_GAUGE, KIND_COUNTER, KIND_INTERVAL};
    struct cell_options options = {.kind = kinds[random_below(3)], .width_us = tier_width_us[random_below(TIER_N)]};
    options.max_gap_us = random_below(2) ? 3 * S : MAX_GAP_DEFAULT_US;
    return options;
}

static void put_exact(FILE *out, const struct exact *value)
{
    char text[EXACT_TEXT_MAX];
    fprintf(out, " %.*s", (int)exact_print(text, value), text);
}

static void put_decimal(FILE *out, struct decimal value)
{
    char text[DECIMAL_TEXT_MAX];
    fprintf(out, " %.*s", (int)decimal_print(text, value), text);
}

static void put_cell(FILE *out, const struct cell *c)
{
    fprintf(out, "cell %" PRId64 " %" PRIu64, c->begin_us, c->count);
    for (int q = 0; q < QUALITY_N; q++)
        fprintf(out, " %" PRIu32, c->n_quality[q]);
    put_exact(out, &c->sum);
    put_decimal(out, c->min);
    put_decimal(out, c->max);
    put_decimal(out, c->first);
    put_decimal(out, c->last);
    fprintf(out, " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64, c->min_us, c->max_us, c->first_us, c->last_us);
    put_exact(out, &c->linear2);
    put_exact(out, &c->step);
    fprintf(out, " %" PRId64, c->covered_us);
    put_exact(out, &c->increase);
    fprintf(out, " %" PRIu32 "\n", c->n_resets);
}

static void put_case(FILE *out, const struct points *p, const struct cell_options *options)
{
    struct cells cells = {0};
    bool is_cut;

    assert_int_equal(cells_compute(p, 0, p->n, options, &cells, &is_cut), 0);
    fprintf(out, "case %s %" PRId64 " %" PRId64 "\n",
            options->kind == KIND_GAUGE ? "gauge" : options->kind == KIND_COUNTER ? "counter" : "interval",
            options->width_us, options->max_gap_us);
    for (size_t i = 0; i < p->n; i++)
        fprintf(out, "reading %" PRId64 " %" PRId64 " %d %d %" PRId64 "\n", p->t_us[i], p->m[i], p->e[i],
                p->quality[i] & QUALITY_CLASS_MASK, p->period_us[i]);
    for (size_t i = 0; i < cells.n; i++)
        put_cell(out, &cells.rows[i]);
    fprintf(out, "cut %d\n", is_cut);
    cells_free(&cells);
}

static void cells_are_those_of_a_recomputation_with_fractions(void **state)
{
    (void)state;
    const char *source = getenv("TEST_SRCDIR");
    if (source == NULL || system("python3 -c 'import fractions' 2>/dev/null") != 0) {
        print_message("# no python3, or no TEST_SRCDIR: the comparison is left out\n");
        return; /* skip() prints `not ok`, which automake counts as failed */
    }
    random_start();
    fflush(stdout);
    char command[4096];
    snprintf(command, sizeof command, "python3 '%s/tests/oracle/cells.py' 2>&1", source);
    FILE *out = popen(command, "w");
    assert_non_null(out);
    int n = times(200);
    for (int i = 0; i < n; i++) {
        struct cell_options options = random_options();
        enum shape shape = (enum shape)random_below(SHAPE_N);
        struct points p = random_points(shape, options.kind, 1 + random_below(300), random_below(2));
        put_case(out, &p, &options);
        points_free(&p);
    }
    fprintf(out, "end %d\n", n);
    assert_int_equal(pclose(out), 0);
}

/* One cell of all readings against the cells of its two halves. */
static void halves_add_up_to_the_whole(void **state)
{
    (void)state;
    random_start();
    for (int i = 0; i < times(300); i++) {
        struct cell_options options = random_options();
        struct points p = random_points((enum shape)random_below(SHAPE_N), options.kind, 2 + random_below(200), true);
        size_t n_first = 1 + random_below(p.n - 1);
        bool is_cut;
        options.width_us = 100000 * 900 * S;
        struct cells whole = compute_with(&p, &options), half = {0};
        assert_int_equal(cells_compute(&p, 0, n_first, &options, &half, &is_cut), 0);
        assert_int_equal(cells_compute(&p, n_first, p.n - n_first, &options, &half, &is_cut), 0);
        struct cell *a = &half.rows[0], *b = &half.rows[half.n - 1], *w = &whole.rows[0];
        if (whole.n == 1 && a->count > 0 && b->count > 0) {
            assert_int_equal(half.n, 2);
            assert_int_equal(a->count + b->count, w->count);
            exact_add_exact(&a->sum, &b->sum);
            assert_int_equal(exact_compare(&a->sum, &w->sum), 0);
            bool low = decimal_compare(b->min, a->min) < 0, high = decimal_compare(b->max, a->max) > 0;
            assert_int_equal(decimal_compare(low ? b->min : a->min, w->min), 0);
            assert_int_equal(decimal_compare(high ? b->max : a->max, w->max), 0);
            assert_int_equal(low ? b->min_us : a->min_us, w->min_us);
            assert_int_equal(high ? b->max_us : a->max_us, w->max_us);
            for (int q = 0; q < QUALITY_N; q++)
                assert_int_equal(a->n_quality[q] + b->n_quality[q], w->n_quality[q]);
        }
        cells_free(&whole);
        cells_free(&half);
        points_free(&p);
    }
}

/* ---- the encoding ---- */

/* Some of them alone: those that begin from cell i up to cell end, edges not on cells among them. */
static void assert_range(const struct cells *cells, const struct buf *bytes)
{
    struct cells_block block = {bytes->data, bytes->n, KEY};
    struct cells back = {0};
    size_t i = random_below(cells->n), end = i + random_below(cells->n - i + 1);
    int64_t begin_us = cells->rows[i].begin_us - (int64_t)random_below(2);
    int64_t last_us = cells->rows[cells->n - 1].begin_us + 1 + (int64_t)random_below(2);
    int64_t end_us = end < cells->n ? cells->rows[end].begin_us : last_us;

    assert_int_equal(cells_decode_range(&block, begin_us, end_us, &back), 0);
    assert_int_equal(back.n, end - i);
    for (size_t k = 0; k < back.n; k++)
        assert_same(&back.rows[k], &cells->rows[i + k]);
    cells_free(&back);
}

static double assert_round_trip(const struct cells *cells, int64_t width_us)
{
    struct buf bytes = {0};
    struct cells back = {0};

    assert_int_equal(cells_encode(cells->rows, cells->n, width_us, KEY, &bytes), 0);
    assert_int_equal(cells_decode(bytes.data, bytes.n, KEY, &back), 0);
    assert_int_equal(back.n, cells->n);
    for (size_t i = 0; i < cells->n; i++)
        assert_same(&back.rows[i], &cells->rows[i]);
    for (int i = 0; i < 3; i++)
        assert_range(cells, &bytes);
    double per_cell = (double)bytes.n / (double)cells->n;
    buf_free(&bytes);
    cells_free(&back);
    return per_cell;
}

static void decoded_cells_equal_the_encoded_ones(void **state)
{
    (void)state;
    random_start();
    for (int i = 0; i < times(300); i++) {
        struct cell_options options = random_options();
        enum shape shape = (enum shape)random_below(SHAPE_N);
        struct points p = random_points(shape, options.kind, 1 + random_below(i % 20 == 0 ? 5000 : 300), true);
        struct cells cells = compute_with(&p, &options);
        assert_round_trip(&cells, options.width_us);
        cells_free(&cells);
        points_free(&p);
    }
}

static void mantissas_of_all_64_bits_survive(void **state)
{
    (void)state;
    static const int64_t m[] = {INT64_MIN, INT64_MAX, 0, -1, INT64_MAX, INT64_MIN, INT64_MIN + 1};
    static const enum kind kinds[] = {KIND_GAUGE, KIND_COUNTER};

    for (size_t k = 0; k < 2; k++) {
        struct points p = {0};
        for (size_t i = 0; i < 7; i++)
            add(&p, (int64_t)i * 100 * S, m[i], -3, 0);
        for (int width_s = 1; width_s <= 900; width_s += 299) {
            struct cells cells = compute(&p, kinds[k], width_s * S);
            assert_round_trip(&cells, width_s * S);
            cells_free(&cells);
        }
        points_free(&p);
    }
}

/* A day of readings once a second: the size is what the format was made for. */
static void cell_of_one_second_data_is_small(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        enum shape shape;
        enum kind kind;
        double bytes_max;
    } series[] = {
        {"gauge, every second", SHAPE_REGULAR, KIND_GAUGE, 10},
        {"gauge, some seconds missing", SHAPE_DECIMALS, KIND_GAUGE, 20},
        {"counter", SHAPE_REGULAR, KIND_COUNTER, 3},
        {"counter with wild resets", SHAPE_DECIMALS, KIND_COUNTER, 20},
        {"gauge, jitter of milliseconds and gaps", SHAPE_JITTER, KIND_GAUGE, 30},
    };

    random_start();
    for (size_t i = 0; i < sizeof series / sizeof series[0]; i++) {
        struct points p = random_points(series[i].shape, series[i].kind, 86400, true);
        struct cells cells = compute(&p, series[i].kind, 60 * S);
        double bytes = assert_round_trip(&cells, 60 * S);
        print_message("# %s: %.2f bytes a cell of 1m\n", series[i].what, bytes);
        assert_true(bytes < series[i].bytes_max);
        cells_free(&cells);
        points_free(&p);
    }
}

static void damaged_cut_off_or_misplaced_block_is_corrupt(void **state)
{
    (void)state;
    struct points p = {0};
    struct buf bytes = {0};
    struct cells back = {0};
    for (int i = 0; i < 300; i++)
        add(&p, i * S, i % 7, 0, 0);
    struct cells cells = compute(&p, KIND_GAUGE, 60 * S);
    assert_int_equal(cells_encode(cells.rows, cells.n, 60 * S, KEY, &bytes), 0);
    assert_int_equal(cells_decode(bytes.data, bytes.n, KEY + 1, &back), ERR_CORRUPT);
    for (size_t size = 0; size < bytes.n; size++) {
        uint8_t *part = malloc(size > 0 ? size : 1);
        assert_non_null(part);
        memcpy(part, bytes.data, size);
        assert_int_equal(cells_decode(part, size, KEY, &back), ERR_CORRUPT);
        free(part);
    }
    for (size_t i = 0; i < bytes.n * 8; i++) {
        bytes.data[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_equal(cells_decode(bytes.data, bytes.n, KEY, &back), ERR_CORRUPT);
        bytes.data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    assert_int_equal(back.n, 0);
    assert_int_equal(cells_decode(bytes.data, bytes.n, KEY, &back), 0);
    cells_free(&back);
    cells_free(&cells);
    buf_free(&bytes);
    points_free(&p);
}

static void check_is_the_crc32_of_zlib_over_key_and_bytes(void **state)
{
    (void)state;
    struct cell cell = {.begin_us = 60 * S, .n_quality = {[QUALITY_SUSPECT] = 1}};
    uint8_t key[8];
    struct buf bytes = {0};
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)(KEY >> (8 * i));
    assert_int_equal(cells_encode(&cell, 1, 60 * S, KEY, &bytes), 0);
    uLong expected = crc32_z(crc32_z(0, key, sizeof key), bytes.data + 4, bytes.n - 4);
    struct reader in = {.at = bytes.data, .end = bytes.data + bytes.n};
    assert_int_equal(reader_u32(&in), expected);
    buf_free(&bytes);
}

static void cells_that_no_readings_make_are_not_encoded(void **state)
{
    (void)state;
    struct cell sound = {.begin_us = 60 * S, .count = 1, .n_quality = {1}, .min_us = 61 * S, .max_us = 61 * S,
                         .first_us = 61 * S, .last_us = 61 * S};
    struct cell cells[2] = {sound, sound};
    struct buf bytes = {0};

    assert_int_equal(cells_encode(cells, 1, 60 * S, KEY, &bytes), 0);
    buf_clear(&bytes);
    assert_int_equal(cells_encode(cells, 0, 60 * S, KEY, &bytes), ERR_INVALID);
    assert_int_equal(cells_encode(cells, 2, 60 * S, KEY, &bytes), ERR_INVALID);
    assert_int_equal(cells_encode(cells, 1, 7 * S, KEY, &bytes), ERR_INVALID);
    cells[0].count = 2;
    assert_int_equal(cells_encode(cells, 1, 60 * S, KEY, &bytes), ERR_INVALID);
    cells[0] = sound;
    cells[0].last_us = 120 * S;
    assert_int_equal(cells_encode(cells, 1, 60 * S, KEY, &bytes), ERR_INVALID);
    cells[0] = sound;
    cells[0].sum.overflow = true;
    assert_int_equal(cells_encode(cells, 1, 60 * S, KEY, &bytes), ERR_LIMIT);
    assert_int_equal(bytes.n, 0);
    buf_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gauge_cell_has_sums_ends_and_integrals),
        cmocka_unit_test(suspect_readings_count_in_their_class_only),
        cmocka_unit_test(gap_longer_than_the_limit_is_not_covered),
        cmocka_unit_test(decrease_of_a_counter_is_a_reset),
        cmocka_unit_test(interval_that_reaches_beyond_its_cell_is_told),
        cmocka_unit_test(cells_lie_on_the_epoch_before_it_too_and_states_have_none),
        cmocka_unit_test(plain_reading_is_in_force_before_the_newest_issue),
        cmocka_unit_test(halves_add_up_to_the_whole),
        cmocka_unit_test(cells_are_those_of_a_recomputation_with_fractions),
        cmocka_unit_test(decoded_cells_equal_the_encoded_ones),
        cmocka_unit_test(mantissas_of_all_64_bits_survive),
        cmocka_unit_test(cell_of_one_second_data_is_small),
        cmocka_unit_test(damaged_cut_off_or_misplaced_block_is_corrupt),
        cmocka_unit_test(check_is_the_crc32_of_zlib_over_key_and_bytes),
        cmocka_unit_test(cells_that_no_readings_make_are_not_encoded),
    };
    signal(SIGPIPE, SIG_IGN); /* an oracle that disagrees stops reading */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
