#include <config.h>

#include "history.h"

#include "random.h"
#include "test.h"

#include <stdio.h>

#include "common/civil.h"

#define BEGIN_US INT64_C(1708819200000000) /* 2024-02-25: a leap day and the end of a month are near */
#define N_STATES 4
#define RUN_MAX 900

const struct history_series history_series[HISTORY_SERIES] = {
    {"m-1", "SmartMeter", "activePower", KIND_GAUGE, US_PER_SECOND, 0},
    {"m-1", "SmartMeter", "voltage", KIND_GAUGE, 10 * US_PER_SECOND, 0},
    {"m-1", "SmartMeter", "activeEnergyImport", KIND_COUNTER, US_PER_MINUTE, 0},
    {"m-2", "SmartMeter", "activeEnergyImport", KIND_COUNTER, 15 * US_PER_MINUTE, 0},
    {"m-2", "SmartMeter", "energy", KIND_INTERVAL, 15 * US_PER_MINUTE, 15 * US_PER_MINUTE},
    {"l-1", "Load", "energy", KIND_INTERVAL, 10 * US_PER_SECOND, 10 * US_PER_SECOND},
    {"l-2", "Load", "energy", KIND_INTERVAL, US_PER_HOUR, US_PER_HOUR},
    {"b-1", "Battery", "operationalState", KIND_STATE, 5 * US_PER_MINUTE, 0},
    {"wx", "Weather", "temperature", KIND_GAUGE, US_PER_HOUR, 0}, /* with forecasts */
    {"p-1", "Property", "co2", KIND_GAUGE, 50 * US_PER_MINUTE, 0}, /* gaps above the default max_gap */
};
static const char *const states[N_STATES] = {"", "on", "off", "wartet, \"\xc3\xa4\""};

void history_init(struct history *history, uint64_t seed, bool is_close)
{
    *history = (struct history){.seed = seed * 1000003 + 17, .is_close = is_close, .known_ms = INT64_C(1712000000000)};
    for (int s = 0; s < HISTORY_SERIES; s++)
        history->front_us[s] = BEGIN_US + random_below(&history->seed, 40) * US_PER_DAY;
}

void history_free(struct history *history)
{
    for (int source = 0; source < HISTORY_SOURCES; source++)
        for (int s = 0; s < HISTORY_SERIES; s++)
            naive_free(&history->now[source][s]);
    free(history->events);
}

/* ---- batches ---- */

static int64_t below(struct history *history, int64_t n)
{
    return random_below(&history->seed, n);
}

static struct event *add_event(struct history *history, uint32_t series, enum op op, int64_t t_us)
{
    if (history->n_events == history->cap) {
        history->cap = history->cap ? 2 * history->cap : 256;
        history->events = realloc(history->events, history->cap * sizeof(*history->events));
        assert_non_null(history->events);
    }
    struct event *event = &history->events[history->n_events++];
    *event = (struct event){.series = series, .op = op, .t_us = t_us, .issued_us = ISSUED_NONE,
                            .known_ms = history->is_close ? history->source_ms[history->source] : history->known_ms};
    return event;
}

/* A value of the series' kind; few distinct ones, so that equals meet, and now and then one of another magnitude. */
static void set_value(struct history *history, struct event *event)
{
    const struct history_series *series = &history_series[event->series];
    event->period_us = series->period_us;
    if (event->period_us && below(history, 200) == 0)
        event->period_us *= 2;
    event->quality = (uint8_t)(below(history, 12) ? QUALITY_MEASURED : below(history, QUALITY_N));
    event->text = states[below(history, N_STATES)];
    event->e = below(history, 50) == 0 ? -3 : -1;
    if (series->kind == KIND_COUNTER) {
        history->register_m[event->series] += below(history, 30);
        if (below(history, 300) == 0)
            history->register_m[event->series] = below(history, 5); /* a new meter */
        event->m = history->register_m[event->series];
        event->e = 0;
    } else {
        event->m = below(history, 50) - 10 + (below(history, 100) == 0 ? 1000000007 : 0);
    }
}

static int64_t to_grid(int64_t t_us, int64_t step_us)
{
    return t_us - t_us % step_us;
}

static int64_t old_time(struct history *history)
{
    if (history->n_anchors && history->is_close && below(history, 4))
        return history->anchors_us[below(history, (int64_t)history->n_anchors)];
    if (history->n_anchors && below(history, 5))
        return history->anchors_us[below(history, (int64_t)history->n_anchors)] + below(history, 2 * US_PER_HOUR) - US_PER_HOUR;
    return BEGIN_US + below(history, 60) * US_PER_DAY + below(history, US_PER_DAY);
}

static void note_anchor(struct history *history, int64_t t_us)
{
    size_t i = history->n_anchors < HISTORY_ANCHORS ? history->n_anchors++ : (size_t)below(history, HISTORY_ANCHORS);
    history->anchors_us[i] = t_us;
}

static void shuffle(struct history *history, size_t begin)
{
    for (size_t i = history->n_events; i > begin + 1; i--) {
        size_t other = begin + (size_t)below(history, (int64_t)(i - begin));
        struct event held = history->events[i - 1];
        history->events[i - 1] = history->events[other];
        history->events[other] = held;
    }
}

/* Readings at the series' cadence, with holes and jitter. */
static void add_run(struct history *history, uint32_t series, int64_t t_us, int64_t n)
{
    int64_t cadence_us = history_series[series].cadence_us;
    bool jitter = !history_series[series].period_us && below(history, 3) == 0;
    size_t begin = history->n_events;
    t_us = to_grid(t_us, cadence_us);
    note_anchor(history, t_us);
    for (int64_t i = 0; i < n; i++) {
        if (below(history, 20) == 0)
            continue;
        struct event *event = add_event(history, series, OP_VALUE, t_us + i * cadence_us);
        if (jitter)
            event->t_us += below(history, cadence_us / 2);
        set_value(history, event);
        if (series == 8 && below(history, 3)) /* a forecast */
            event->issued_us = to_grid(event->t_us, US_PER_DAY) - below(history, 3) * US_PER_DAY;
    }
    if (below(history, 4) == 0)
        shuffle(history, begin);
}

static void add_in_order(struct history *history, uint32_t series)
{
    int64_t n = 1 + below(history, RUN_MAX), room = 20 * US_PER_DAY / history_series[series].cadence_us;
    n = n < room ? n : room;
    add_run(history, series, history->front_us[series], n);
    history->front_us[series] += n * history_series[series].cadence_us;
}

/* The same values once more, others in their place, or their taking back. */
static void add_again(struct history *history, uint32_t series, int what)
{
    int source = history->is_close ? (int)below(history, HISTORY_SOURCES) : history->source;
    const struct naive *now = &history->now[source][series];
    if (!now->n)
        return;
    for (int64_t n = 1 + below(history, 20); n > 0; n--) {
        const struct naive_key *key = &now->keys[below(history, (int64_t)now->n)];
        const struct naive_value *value = naive_now(key);
        struct event *event = add_event(history, series, what == 2 ? OP_DELETE : OP_VALUE, key->t_us);
        event->issued_us = key->issued_us;
        if (what == 2) {
            if (below(history, 3) == 0)
                event->issued_us = ISSUED_NONE; /* all issues of that time */
            continue;
        }
        set_value(history, event);
        if (what == 0 && value) {
            event->m = value->m;
            event->e = (int8_t)value->e;
            event->quality = value->quality;
            event->period_us = value->period_us;
            for (int i = 0; i < N_STATES; i++)
                if (strcmp(states[i], value->text) == 0)
                    event->text = states[i];
        }
    }
}

/* Most series live in one source, so that their tiers are used, and sealed files keep their known-at to the second. */
static bool lives_in(const struct history *history, uint32_t series, int source)
{
    return history->is_close || series == 8 || (series % 3 == 0 ? 1 : series == 7 ? 2 : 0) == source;
}

/* Of what comes next: in whole seconds, or milliseconds from what other sources have, by which the source's own time goes on. */
static void go_on(struct history *history, int source)
{
    if (!history->is_close) {
        history->known_ms += 1000 * (1 + below(history, 100));
        return;
    }
    int64_t known_ms = history->known_ms + below(history, 1000) - 400;
    history->source_ms[source] = known_ms > history->source_ms[source] ? known_ms : history->source_ms[source];
    history->known_ms += below(history, 100);
}

void history_next(struct history *history, int source)
{
    history->source = source;
    history->n_events = 0;
    bool first = true;
    for (int64_t parts = 1 + below(history, 4); parts > 0; parts--) {
        if (first || history->is_close)
            go_on(history, source);
        first = false;
        uint32_t series;
        do
            series = (uint32_t)below(history, HISTORY_SERIES);
        while (!lives_in(history, series, source));
        int64_t what = below(history, 10);
        if (what < 4)
            add_in_order(history, series);
        else if (what < 6)
            add_run(history, series, old_time(history), 1 + below(history, 200));
        else if (what < 9)
            add_again(history, series, (int)what - 6);
        else
            add_event(history, series, OP_DELETE_RANGE, old_time(history))->period_us =
                1 + below(history, below(history, 3) ? US_PER_HOUR : 9 * US_PER_DAY);
    }
}

void history_apply(struct history *history)
{
    for (size_t i = 0; i < history->n_events; i++) {
        const struct event *event = &history->events[i];
        struct naive *now = &history->now[history->source][event->series];
        struct naive_value value = {.quality = event->quality, .period_us = event->period_us, .known_ms = event->known_ms};
        if (event->op != OP_VALUE) {
            naive_delete(now, event->series, event->t_us, event->t_us + (event->op == OP_DELETE ? 1 : event->period_us),
                         event->issued_us, event->known_ms);
            continue;
        }
        if (history_series[event->series].kind == KIND_STATE)
            snprintf(value.text, sizeof(value.text), "%s", event->text);
        else
            value.m = event->m, value.e = event->e;
        naive_put(now, event->series, event->t_us, event->issued_us, &value);
    }
}

bool history_touches(const struct history *history, uint32_t series)
{
    for (size_t i = 0; i < history->n_events; i++)
        if (history->events[i].series == series)
            return true;
    return false;
}

/* ---- what is in force ---- */

/* A key with what is in force there, of any source. */
struct candidate {
    int64_t t_us, issued_us;
    const struct naive_value *value;
    int source;
};

/* By time; then what beats the others first: the plain reading, else the newest issue, of equals the one known last. */
static int compare_candidates(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->t_us != y->t_us)
        return x->t_us < y->t_us ? -1 : 1;
    bool x_plain = x->issued_us == ISSUED_NONE, y_plain = y->issued_us == ISSUED_NONE;
    if (x_plain != y_plain)
        return x_plain ? -1 : 1;
    if (x->issued_us != y->issued_us)
        return x->issued_us > y->issued_us ? -1 : 1;
    if (x->value->known_ms != y->value->known_ms)
        return x->value->known_ms > y->value->known_ms ? -1 : 1;
    return y->source - x->source;
}

static void put_candidate(struct points *points, const struct candidate *candidate, bool is_state)
{
    const struct naive_value *value = candidate->value;
    assert_int_equal(points_reserve(points, 1), 0);
    size_t i = points->n++;
    points->t_us[i] = candidate->t_us;
    points->m[i] = value->m;
    points->e[i] = (int8_t)value->e;
    points->quality[i] = value->quality;
    points->period_us[i] = value->period_us;
    points->issued_us[i] = candidate->issued_us;
    points->known_ms[i] = value->known_ms;
    if (is_state)
        assert_int_equal(texts_intern(&points->texts, value->text, strlen(value->text), &points->m[i]), 0);
}

static bool repeats(const struct candidate *later, const struct candidate *earlier)
{
    return later->t_us == earlier->t_us && later->issued_us == earlier->issued_us &&
           naive_equal(later->value, earlier->value);
}

void history_points(const struct history *history, uint32_t series, struct points *points)
{
    size_t n = 0;
    points_clear(points);
    for (int source = 0; source < HISTORY_SOURCES; source++)
        n += history->now[source][series].n;
    struct candidate *all = malloc((n + 1) * sizeof(*all));
    assert_non_null(all);
    n = 0;
    for (int source = 0; source < HISTORY_SOURCES; source++) {
        const struct naive *now = &history->now[source][series];
        for (size_t i = 0; i < now->n; i++)
            if (naive_now(&now->keys[i]))
                all[n++] = (struct candidate){now->keys[i].t_us, now->keys[i].issued_us, naive_now(&now->keys[i]), source};
    }
    qsort(all, n, sizeof(*all), compare_candidates);
    for (size_t i = 0; i < n; i++) {
        size_t first = i;
        if (i && all[i].t_us == all[i - 1].t_us)
            continue;
        while (first + 1 < n && repeats(&all[first], &all[first + 1])) /* what a source repeats was known before */
            first++;
        put_candidate(points, &all[first], history_series[series].kind == KIND_STATE);
    }
    free(all);
}

static void describe(const struct points *points, size_t i, size_t end, bool is_state, char out[static 150])
{
    if (i >= end)
        snprintf(out, 150, "nothing");
    else
        snprintf(out, 150, "%lldE%d \"%.10s\" quality %u period %lld issue %lld known %lld at %lld", (long long)points->m[i],
                 points->e[i], is_state ? texts_at(&points->texts, points->m[i]) : "", points->quality[i],
                 (long long)points->period_us[i], (long long)points->issued_us[i], (long long)points->known_ms[i],
                 (long long)points->t_us[i]);
}

static bool same_point(const struct points *a, size_t i, const struct points *b, size_t k, bool is_state)
{
    bool same = is_state ? strcmp(texts_at(&a->texts, a->m[i]), texts_at(&b->texts, b->m[k])) == 0
                         : decimal_compare((struct decimal){a->m[i], a->e[i]}, (struct decimal){b->m[k], b->e[k]}) == 0;
    return same && a->t_us[i] == b->t_us[k] && a->quality[i] == b->quality[k] && a->period_us[i] == b->period_us[k] &&
           a->issued_us[i] == b->issued_us[k] && a->known_ms[i] == b->known_ms[k];
}

void points_difference(const struct points *expected, size_t begin, size_t end, const struct points *found, bool is_state,
                       char out[static 400])
{
    *out = '\0';
    for (size_t i = begin, k = 0; i < end || k < found->n; i++, k++) {
        if (i < end && k < found->n && same_point(expected, i, found, k, is_state))
            continue;
        char a[150], b[150];
        describe(expected, i, end, is_state, a);
        describe(found, k, found->n, is_state, b);
        snprintf(out, 400, "row %zu of %zu: expected %s, found %s (of %zu)", i - begin, end - begin, a, b, found->n);
        return;
    }
}

/* ---- cells, plainly ---- */

static void add_scaled(struct exact *sum, const struct points *points, size_t i, int64_t factor)
{
    exact_add_i128(sum, (__int128)points->m[i] * factor, points->e[i]);
}

static struct decimal value_at(const struct points *points, size_t i)
{
    return decimal_canonical((struct decimal){points->m[i], points->e[i]});
}

/* From the accepted reading before to reading i of the cell. */
static void add_step(const struct points *points, enum kind kind, size_t before, size_t i, struct cell *cell)
{
    int64_t gap_us = points->t_us[i] - points->t_us[before];
    if (gap_us <= 45 * US_PER_MINUTE) {
        cell->covered_us += gap_us;
        if (kind == KIND_GAUGE) {
            add_scaled(&cell->step, points, before, gap_us);
            add_scaled(&cell->linear2, points, before, gap_us);
            add_scaled(&cell->linear2, points, i, gap_us);
        }
    }
    if (kind == KIND_COUNTER) {
        bool reset = decimal_compare(value_at(points, i), value_at(points, before)) < 0;
        add_scaled(&cell->increase, points, i, 1);
        if (!reset)
            add_scaled(&cell->increase, points, before, -1);
        cell->n_resets += reset;
    }
}

/* The time that lies in a period of an accepted reading, second by second of the plainest sort: the periods' union. */
static int64_t periods_us(const struct points *points, size_t begin, size_t end)
{
    int64_t covered_us = 0, until_us = INT64_MIN;
    for (size_t i = begin; i < end; i++) {
        int64_t from_us = points->t_us[i], to_us = from_us + points->period_us[i];
        if ((points->quality[i] & QUALITY_CLASS_MASK) == QUALITY_SUSPECT || to_us <= until_us)
            continue;
        covered_us += to_us - (from_us > until_us ? from_us : until_us);
        until_us = to_us;
    }
    return covered_us;
}

void plain_cell(const struct points *points, enum kind kind, int64_t begin_us, int64_t width_us, struct cell *ret_cell,
                bool *ret_cut)
{
    struct cell cell = {.begin_us = begin_us};
    size_t begin = points_seek(points, 0, begin_us), end = points_seek(points, begin, begin_us + width_us);
    size_t before = 0, min = 0, max = 0;
    *ret_cut = false;
    for (size_t i = begin; i < end; i++) {
        unsigned class = points->quality[i] & QUALITY_CLASS_MASK;
        cell.n_quality[class]++;
        if (class == QUALITY_SUSPECT)
            continue;
        if (kind == KIND_INTERVAL && points->t_us[i] + points->period_us[i] > begin_us + width_us)
            *ret_cut = true;
        if (!cell.count) {
            min = max = i;
            cell.first = value_at(points, i);
            cell.first_us = points->t_us[i];
        } else if (kind != KIND_INTERVAL) {
            add_step(points, kind, before, i, &cell);
        }
        min = decimal_compare(value_at(points, i), value_at(points, min)) < 0 ? i : min;
        max = decimal_compare(value_at(points, i), value_at(points, max)) > 0 ? i : max;
        if (kind != KIND_COUNTER)
            add_scaled(&cell.sum, points, i, 1);
        cell.last = value_at(points, i);
        cell.last_us = points->t_us[i];
        cell.count++;
        before = i;
    }
    if (cell.count) {
        cell.min = value_at(points, min);
        cell.max = value_at(points, max);
        cell.min_us = points->t_us[min];
        cell.max_us = points->t_us[max];
    }
    if (kind == KIND_INTERVAL)
        cell.covered_us = periods_us(points, begin, end);
    *ret_cell = cell;
}

bool cells_equal(const struct cell *a, const struct cell *b)
{
    return a->begin_us == b->begin_us && a->count == b->count && !memcmp(a->n_quality, b->n_quality, sizeof(a->n_quality)) &&
           !exact_compare(&a->sum, &b->sum) && !decimal_compare(a->min, b->min) && !decimal_compare(a->max, b->max) &&
           !decimal_compare(a->first, b->first) && !decimal_compare(a->last, b->last) && a->min_us == b->min_us &&
           a->max_us == b->max_us && a->first_us == b->first_us && a->last_us == b->last_us &&
           !exact_compare(&a->linear2, &b->linear2) && !exact_compare(&a->step, &b->step) && a->covered_us == b->covered_us &&
           !exact_compare(&a->increase, &b->increase) && a->n_resets == b->n_resets;
}
