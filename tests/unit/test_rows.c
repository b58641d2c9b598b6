#include <config.h>

#include "../lib/naive.h"
#include "../lib/random.h"
#include "../lib/test.h"

#include <stdio.h>

#include "store/rows.h"

#define SERIES 1
#define ROWS_MAX 60

/* ---- random rows ---- */

struct world {
    uint64_t seed;
    bool is_state, with_wide; /* with_wide: deletions of all issues, too */
    bool no_repeats;          /* of histories: every value is another one */
    int64_t n_times, n_issues;
};

static int64_t random_issue(struct world *world)
{
    int64_t i = random_below(&world->seed, world->n_issues);
    return i ? i * 1000 - 2000 : ISSUED_NONE;
}

/* Few times, issues and values, so that they meet. */
static void random_row(struct world *world, struct rows *rows, uint64_t order)
{
    static const char *const states[] = {"", "on", "off"};
    struct row *row = rows_add(rows);
    assert_non_null(row);
    *row = (struct row){.t_us = random_below(&world->seed, world->n_times) - world->n_times / 2,
                        .known_ms = (int64_t)order * 10, .order = order};
    int64_t what = random_below(&world->seed, 12);
    if (what < 2) {
        row->op = OP_DELETE;
        row->issued_us = random_issue(world);
        if (row->issued_us == ISSUED_NONE && !world->with_wide)
            row->issued_us = 3000;
    } else if (what == 2 && world->with_wide) {
        row->op = OP_DELETE_RANGE;
        row->issued_us = ISSUED_NONE;
        row->period_us = random_below(&world->seed, world->n_times) + 1;
    } else {
        row->op = OP_VALUE;
        row->issued_us = random_issue(world);
        row->quality = (uint8_t)random_below(&world->seed, 2);
        row->period_us = random_below(&world->seed, 5) ? 0 : 7;
        row->m = random_below(&world->seed, 3);
        if (world->is_state)
            assert_int_equal(texts_intern(&rows->texts, states[row->m], strlen(states[row->m]), &row->m), 0);
        else if (row->m && random_below(&world->seed, 2)) { /* the same number, written longer */
            row->m *= 100;
            row->e = -2;
        }
    }
}

/* ---- the oracle ---- */

static struct naive_value value_of(const struct rows *rows, const struct row *row)
{
    struct naive_value value = {.quality = row->quality, .period_us = row->period_us, .known_ms = row->known_ms};
    if (rows->is_state)
        snprintf(value.text, sizeof(value.text), "%s", texts_at(&rows->texts, row->m));
    else
        value.m = row->m, value.e = row->e;
    return value;
}

/* Applies the rows as they are (in order of their order field). */
static void apply_all(const struct rows *rows, struct naive *naive)
{
    for (size_t i = 0; i < rows->n; i++) {
        const struct row *row = &rows->at[i];
        struct naive_value value = value_of(rows, row);
        if (row->op == OP_VALUE)
            naive_put(naive, SERIES, row->t_us, row->issued_us, &value);
        else
            naive_delete(naive, SERIES, row->t_us, row->t_us + (row->op == OP_DELETE ? 1 : row->period_us),
                         row->issued_us, row->known_ms);
    }
}

/* ---- what rows_settle says, in the oracle's terms ---- */

static struct naive_value point_value(const struct points *points, size_t i, bool is_state)
{
    struct naive_value value = {.quality = points->quality[i], .period_us = points->period_us[i],
                                .known_ms = points->known_ms[i]};
    if (value.quality == QUALITY_TAKEN_BACK)
        value.taken_back = true;
    else if (is_state)
        snprintf(value.text, sizeof(value.text), "%s", texts_at(&points->texts, points->m[i]));
    else
        value.m = points->m[i], value.e = points->e[i];
    return value;
}

/* Revisions and then what holds, appended as they stand: equal neighbours would show as a difference of length. */
static bool same_history(const struct naive_key *key, const struct settled *settled, bool is_state)
{
    const struct points *points = &settled->revisions;
    size_t n = 0;
    bool same = true;
    for (size_t i = 0; i < points->n && same; i++) {
        if (points->t_us[i] != key->t_us || points->issued_us[i] != key->issued_us)
            continue;
        struct naive_value value = point_value(points, i, is_state);
        same = n < key->n && naive_equal(&key->history[n], &value) && key->history[n].known_ms == value.known_ms;
        n++;
    }
    return same && n + (naive_now(key) != NULL) == key->n;
}

static bool is_ordered(const struct points *points, bool strictly)
{
    for (size_t i = 1; i < points->n; i++) {
        bool less = points->t_us[i - 1] < points->t_us[i] ||
                    (points->t_us[i - 1] == points->t_us[i] && points->issued_us[i - 1] < points->issued_us[i]);
        bool equal = points->t_us[i - 1] == points->t_us[i] && points->issued_us[i - 1] == points->issued_us[i];
        if (!less && (strictly || !equal))
            return false;
    }
    return true;
}

static void add_points(struct naive *naive, const struct points *points, bool is_state)
{
    for (size_t i = 0; i < points->n; i++) {
        struct naive_value value = point_value(points, i, is_state);
        naive_put(naive, SERIES, points->t_us[i], points->issued_us[i], &value);
    }
}

/* The plain reading of a time, else the newest issue: straight from the oracle. */
static const struct naive_value *best_at(const struct naive *naive, int64_t t_us)
{
    const struct naive_value *best = NULL;
    int64_t best_issue = INT64_MIN;
    for (size_t i = 0; i < naive->n; i++) {
        const struct naive_key *key = &naive->keys[i];
        if (key->t_us != t_us || !naive_now(key))
            continue;
        if (key->issued_us == ISSUED_NONE)
            return naive_now(key);
        if (!best || key->issued_us > best_issue) {
            best = naive_now(key);
            best_issue = key->issued_us;
        }
    }
    return best;
}

static bool in_force_agrees(const struct naive *naive, const struct settled *settled, struct world *world)
{
    struct points points = {0};
    assert_int_equal(settled_in_force(settled, world->is_state, &points), 0);
    bool same = is_ordered(&points, false);
    size_t n = 0;
    for (int64_t t_us = -world->n_times; t_us <= 2 * world->n_times && same; t_us++) {
        const struct naive_value *best = best_at(naive, t_us);
        if (!best)
            continue;
        same = n < points.n && points.t_us[n] == t_us;
        if (same) {
            struct naive_value value = point_value(&points, n++, world->is_state);
            same = naive_equal(best, &value);
        }
    }
    same = same && n == points.n;
    points_free(&points);
    return same;
}

static const char *compare_settled(const struct rows *given, const struct settled *settled, struct world *world,
                                   char difference[static 400])
{
    struct naive all = {0}, found = {0};
    apply_all(given, &all);
    add_points(&found, &settled->plain, world->is_state);
    add_points(&found, &settled->issued, world->is_state);
    naive_difference(&all, &found, difference);
    const char *what = NULL;
    if (*difference)
        what = "in force";
    else if (naive_n_in_force(&all) != settled->plain.n + settled->issued.n)
        what = "number of readings";
    else if (!is_ordered(&settled->plain, true) || !is_ordered(&settled->issued, true) ||
             !is_ordered(&settled->revisions, false))
        what = "order";
    else if (!in_force_agrees(&all, settled, world))
        what = "settled_in_force";
    size_t n_revisions = 0;
    for (size_t i = 0; i < all.n && !what; i++) {
        if (!same_history(&all.keys[i], settled, world->is_state))
            what = "revisions";
        n_revisions += all.keys[i].n - (naive_now(&all.keys[i]) != NULL);
    }
    if (!what && n_revisions != settled->revisions.n)
        what = "number of revisions";
    naive_free(&all);
    naive_free(&found);
    return what;
}

/* ---- the tests ---- */

static void shuffle(struct rows *rows, uint64_t *seed)
{
    for (size_t i = rows->n; i > 1; i--) {
        size_t j = (size_t)random_below(seed, (int64_t)i);
        struct row row = rows->at[i - 1];
        rows->at[i - 1] = rows->at[j];
        rows->at[j] = row;
    }
}

static void copy_rows(const struct rows *from, struct rows *to)
{
    rows_clear(to);
    to->is_state = from->is_state;
    for (size_t i = 0; i < from->n; i++) {
        struct row *row = rows_add(to);
        assert_non_null(row);
        *row = from->at[i];
        if (from->is_state && row->op == OP_VALUE) {
            const char *text = texts_at(&from->texts, row->m);
            assert_int_equal(texts_intern(&to->texts, text, strlen(text), &row->m), 0);
        }
    }
}

static void random_rows_settle_as_a_list_does_that_takes_them_one_by_one(void **state)
{
    (void)state;
    struct rows rows = {0}, mixed = {0};
    struct settled settled = {0};
    uint64_t n_rounds = getenv("ALMANAC_SOAK") ? 200000 : 6000;
    for (uint64_t round = 0; round < n_rounds; round++) {
        struct world world = {.seed = round, .is_state = round % 4 == 3, .with_wide = round % 2,
                              .n_times = 1 + (int64_t)(round / 7 % 12), .n_issues = 1 + (int64_t)(round / 3 % 4)};
        rows_clear(&rows);
        rows.is_state = world.is_state;
        uint64_t n = (uint64_t)random_below(&world.seed, ROWS_MAX);
        for (uint64_t i = 0; i < n; i++)
            random_row(&world, &rows, i + 1);
        copy_rows(&rows, &mixed);
        if (round % 3)
            shuffle(&mixed, &world.seed);
        char difference[400] = "";
        assert_int_equal(rows_settle(&mixed, &settled), 0);
        const char *what = compare_settled(&rows, &settled, &world, difference);
        if (what)
            fail_msg("seed %llu: %s: %s", (unsigned long long)round, what, difference);
    }
    rows_free(&rows);
    rows_free(&mixed);
    settled_free(&settled);
}

static struct row *add_value(struct rows *rows, int64_t t_us, int64_t m, uint64_t order)
{
    struct row *row = rows_add(rows);
    assert_non_null(row);
    *row = (struct row){.t_us = t_us, .issued_us = ISSUED_NONE, .m = m, .known_ms = (int64_t)order, .order = order};
    return row;
}

static void rows_settle_by_time_however_many_of_them_come_late(void **state)
{
    static const int64_t late_of_1000[] = {0, 1, 50, 300, 700, 1000};
    (void)state;
    struct rows rows = {0};
    struct settled settled = {0};
    for (uint64_t seed = 1; seed <= 30; seed++) {
        uint64_t random = seed;
        int64_t n = random_below(&random, 5000), share = late_of_1000[seed % 6];
        rows_clear(&rows);
        for (int64_t i = 0; i < n; i++)
            add_value(&rows, i, i * 3, (uint64_t)i + 1);
        for (int64_t i = 0; i < n; i++) { /* late ones change places */
            int64_t j = random_below(&random, n);
            if (random_below(&random, 1000) >= share)
                continue;
            struct row row = rows.at[i];
            rows.at[i] = rows.at[j];
            rows.at[j] = row;
        }
        assert_int_equal(rows_settle(&rows, &settled), 0);
        assert_int_equal(settled.plain.n, n);
        for (int64_t i = 0; i < n; i++)
            if (settled.plain.t_us[i] != i || settled.plain.m[i] != i * 3)
                fail_msg("seed %llu: row %lld", (unsigned long long)seed, (long long)i);
    }
    rows_free(&rows);
    settled_free(&settled);
}

static void rows_of_equal_order_take_effect_as_they_were_added(void **state)
{
    (void)state;
    struct rows rows = {0};
    struct settled settled = {0};
    for (int64_t m = 1; m <= 50; m++)
        add_value(&rows, m % 2, m, 0);
    assert_int_equal(rows_settle(&rows, &settled), 0);
    assert_int_equal(settled.plain.n, 2);
    assert_int_equal(settled.plain.m[0], 50);
    assert_int_equal(settled.plain.m[1], 49);
    assert_int_equal(settled.revisions.n, 48);
    for (size_t i = 0; i < 24; i++) {
        assert_int_equal(settled.revisions.m[i], 2 * i + 2);
        assert_int_equal(settled.revisions.m[24 + i], 2 * i + 1);
    }
    rows_free(&rows);
    settled_free(&settled);
}

static void deletions_are_told_so_that_lower_layers_can_follow(void **state)
{
    (void)state;
    struct rows rows = {0};
    struct settled settled = {0};
    struct row *row = add_value(&rows, 10, 1, 5);
    row->op = OP_DELETE_RANGE;
    row->period_us = 20;
    row = add_value(&rows, 40, 1, 6);
    row->op = OP_DELETE;
    row = add_value(&rows, 50, 1, 7);
    row->op = OP_DELETE;
    row->issued_us = 123;
    assert_int_equal(rows_settle(&rows, &settled), 0);
    assert_int_equal(settled.plain.n + settled.issued.n + settled.revisions.n, 0);
    assert_int_equal(settled.deletions.n, 3);
    static const struct deletion expected[] = {
        {10, 30, ISSUED_NONE, 5, false}, {40, 41, ISSUED_NONE, 6, false}, {50, 51, 123, 7, false}};
    for (size_t i = 0; i < 3; i++) {
        const struct deletion *found = &settled.deletions.at[i];
        assert_int_equal(found->begin_us, expected[i].begin_us);
        assert_int_equal(found->end_us, expected[i].end_us);
        assert_int_equal(found->issued_us, expected[i].issued_us);
        assert_int_equal(found->known_ms, expected[i].known_ms);
    }
    rows_free(&rows);
    settled_free(&settled);
}

static void settling_again_replaces_what_was_there(void **state)
{
    (void)state;
    struct rows rows = {0};
    struct settled settled = {0};
    add_value(&rows, 1, 1, 1);
    add_value(&rows, 1, 2, 2);
    assert_int_equal(rows_settle(&rows, &settled), 0);
    assert_int_equal(settled.revisions.n, 1);
    rows_clear(&rows);
    assert_int_equal(rows_settle(&rows, &settled), 0);
    assert_int_equal(settled.plain.n + settled.issued.n + settled.revisions.n + settled.deletions.n, 0);
    rows_free(&rows);
    settled_free(&settled);
}

static void values_at_the_ends_of_time_settle(void **state)
{
    (void)state;
    struct rows rows = {0};
    struct settled settled = {0};
    add_value(&rows, INT64_MAX, INT64_MIN, 1)->issued_us = INT64_MAX;
    add_value(&rows, INT64_MIN, INT64_MAX, 2);
    add_value(&rows, INT64_MAX, 1, UINT64_MAX)->period_us = INT64_MAX;
    assert_int_equal(rows_settle(&rows, &settled), 0);
    assert_int_equal(settled.plain.n, 2);
    assert_true(settled.plain.t_us[0] == INT64_MIN && settled.plain.m[0] == INT64_MAX);
    assert_true(settled.plain.t_us[1] == INT64_MAX && settled.plain.period_us[1] == INT64_MAX);
    assert_int_equal(settled.issued.n, 1);
    assert_true(settled.issued.m[0] == INT64_MIN);
    rows_free(&rows);
    settled_free(&settled);
}

/* ---- dead letters that are replayed ---- */

/* A history: rows by known-at; which of them were refused at first, and when they are replayed. */
struct history {
    struct rows said;         /* in the order of the history; order is the place in it, known_ms grows with it */
    bool refused[ROWS_MAX];
    struct rows arrived;      /* in the order in which the store gets them; order is that */
};

static void make_history(struct world *world, struct history *history)
{
    uint64_t n = (uint64_t)random_below(&world->seed, ROWS_MAX) + 1, next = 0;
    size_t waiting[ROWS_MAX], n_waiting = 0;
    rows_clear(&history->said);
    history->said.is_state = world->is_state;
    for (uint64_t i = 0; i < n; i++) {
        random_row(world, &history->said, i + 1);
        if (world->no_repeats && history->said.at[i].op == OP_VALUE)
            history->said.at[i].m = (int64_t)i + 100, history->said.at[i].e = 0;
        history->refused[i] = random_below(&world->seed, 3) == 0;
    }
    copy_rows(&history->said, &history->arrived); /* for the texts */
    for (size_t i = 0; i < n || n_waiting;) {
        bool replay = n_waiting && (i == n || random_below(&world->seed, 4) == 0);
        size_t which = i;
        if (replay) { /* any of those that wait, not the oldest first */
            size_t w = (size_t)random_below(&world->seed, (int64_t)n_waiting);
            which = waiting[w];
            waiting[w] = waiting[--n_waiting];
        } else if (history->refused[i++]) {
            waiting[n_waiting++] = which;
            continue;
        }
        struct row *row = &history->arrived.at[next++];
        *row = history->said.at[which];
        row->order = next;
        row->replayed = replay;
    }
    assert_int_equal(next, n);
}

static void history_free(struct history *history)
{
    rows_free(&history->said);
    rows_free(&history->arrived);
}

static void read_settled(const struct settled *settled, bool is_state, struct naive *naive)
{
    const struct points *lists[] = {&settled->revisions, &settled->plain, &settled->issued};
    for (size_t l = 0; l < 3; l++)
        for (size_t i = 0; i < lists[l]->n; i++) {
            struct naive_value value = point_value(lists[l], i, is_state);
            assert_int_equal(lists[l]->quality[i] & QUALITY_REPLAYED, 0);
            naive_append(naive, SERIES, lists[l]->t_us[i], lists[l]->issued_us[i], &value);
        }
}

static void assert_history(const struct history *history, const struct settled *settled, const struct world *world,
                           uint64_t round, bool with_past)
{
    struct naive expected = {0}, found = {0};
    char difference[400] = "";
    apply_all(&history->said, &expected);
    read_settled(settled, world->is_state, &found);
    naive_difference(&expected, &found, difference);
    if (!*difference && with_past)
        naive_history_difference(&expected, &found, difference);
    if (*difference)
        fail_msg("seed %llu: %s", (unsigned long long)round, difference);
    naive_free(&expected);
    naive_free(&found);
}

/* Whatever was refused and in whatever order it is replayed: in the end the history is as if all had been accepted at once.
 * (What was in force at an earlier moment is compared without deletions of all issues: of several only the newest counts.) */
static void a_replay_leaves_the_history_in_which_it_had_been_accepted_at_once(void **state)
{
    (void)state;
    struct history history = {0};
    struct rows mixed = {0};
    struct settled settled = {0};
    uint64_t n_rounds = getenv("ALMANAC_SOAK") ? 200000 : 6000;
    for (uint64_t round = 0; round < n_rounds; round++) {
        struct world world = {.seed = round + 1000000, .is_state = round % 4 == 3, .with_wide = round % 2,
                              .n_times = 1 + (int64_t)(round / 7 % 6), .n_issues = 1 + (int64_t)(round / 3 % 3)};
        make_history(&world, &history);
        copy_rows(&history.arrived, &mixed);
        shuffle(&mixed, &world.seed);
        assert_int_equal(rows_settle(&mixed, &settled), 0);
        assert_history(&history, &settled, &world, round, !world.with_wide);
    }
    history_free(&history);
    rows_free(&mixed);
    settled_free(&settled);
}

/* Rows [begin, end) of the history as one layer. */
static void settle_layer(const struct history *history, size_t begin, size_t end, bool is_layer, struct rows *rows,
                         struct settled *settled)
{
    copy_rows(&history->arrived, rows);
    rows->is_layer = is_layer;
    rows->n = end - begin;
    memmove(rows->at, rows->at + begin, rows->n * sizeof(*rows->at));
    assert_int_equal(rows_settle(rows, settled), 0);
}

/* What is stored does not say what was replayed once. */
static void add_layer(struct rows *rows, const struct settled *layer, uint64_t order, bool stored)
{
    for (size_t i = 0; i < layer->deletions.n; i++) {
        const struct deletion *deletion = &layer->deletions.at[i];
        struct row *row = rows_add(rows);
        assert_non_null(row);
        *row = (struct row){.t_us = deletion->begin_us, .period_us = deletion->end_us - deletion->begin_us,
                            .issued_us = deletion->issued_us, .known_ms = deletion->known_ms, .order = order,
                            .replayed = deletion->replayed && !stored,
                            .op = deletion->issued_us == ISSUED_NONE ? OP_DELETE_RANGE : OP_DELETE};
    }
    assert_int_equal(rows_add_points(rows, &layer->plain, 0, layer->plain.n, order + 1), 0);
    assert_int_equal(rows_add_points(rows, &layer->issued, 0, layer->issued.n, order + 1), 0);
}

/* As the read side does it: what is stored, with its deletions, and over it the batches, settled apart. Without repetitions:
 * a message that says again what is in force leaves no trace, and so nothing that could stand against a replay. */
static void layers_that_were_settled_apart_settle_alike(void **state)
{
    (void)state;
    struct history history = {0};
    struct rows rows = {0};
    struct settled below = {0}, above = {0}, settled = {0};
    uint64_t n_rounds = getenv("ALMANAC_SOAK") ? 200000 : 6000;
    for (uint64_t round = 0; round < n_rounds; round++) {
        struct world world = {.seed = round + 2000000, .no_repeats = true, .with_wide = round % 2,
                              .n_times = 1 + (int64_t)(round / 7 % 6), .n_issues = 1 + (int64_t)(round / 3 % 3)};
        make_history(&world, &history);
        size_t middle = (size_t)random_below(&world.seed, (int64_t)history.arrived.n + 1);
        settle_layer(&history, 0, middle, false, &rows, &below);
        settle_layer(&history, middle, history.arrived.n, true, &rows, &above);
        rows_clear(&rows);
        rows.is_layer = false;
        add_layer(&rows, &below, 1, true);
        add_layer(&rows, &above, 3, false);
        assert_int_equal(rows_settle(&rows, &settled), 0);
        assert_history(&history, &settled, &world, round, false);
    }
    history_free(&history);
    rows_free(&rows);
    settled_free(&below);
    settled_free(&above);
    settled_free(&settled);
}

/* One time: something known at 20, and a dead letter of known_ms that is replayed later. */
struct pair {
    const char *name;
    struct row there;        /* known at 20; op OP_VALUE and m 7, or a deletion */
    int64_t known_ms, m;     /* of what is replayed */
    int64_t in_force;        /* expected mantissa; -1 nothing */
    int64_t in_force_known_ms;
    size_t n_revisions;
};

static void a_replayed_value_never_overrides_what_was_known_later(void **state)
{
    static const struct pair pairs[] = {
        {"an earlier value is replaced", {.m = 7}, 21, 5, 5, 21, 1},
        {"a later value stays", {.m = 7}, 19, 5, 7, 20, 1},
        {"a value of the same millisecond stays", {.m = 7}, 20, 5, 7, 20, 1},
        {"an equal earlier value makes it a repetition", {.m = 7}, 21, 7, 7, 20, 0},
        {"an equal later value was known since then", {.m = 7}, 19, 7, 7, 19, 0},
        {"an earlier deletion is over", {.op = OP_DELETE}, 21, 5, 5, 21, 0},
        {"a later deletion takes it back", {.op = OP_DELETE}, 19, 5, -1, 0, 2},
        {"a later deletion of a range takes it back", {.op = OP_DELETE_RANGE, .period_us = 1}, 19, 5, -1, 0, 2},
        {"a deletion of the same millisecond takes it back", {.op = OP_DELETE}, 20, 5, -1, 0, 2},
        {"a deletion that is stored already takes it back, too", {.op = OP_DELETE, .witness = true}, 19, 5, -1, 0, 2},
        {"a stored deletion from before does not", {.op = OP_DELETE, .witness = true}, 21, 5, 5, 21, 0},
    };
    (void)state;
    struct rows rows = {0};
    struct settled settled = {0};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        const struct pair *pair = &pairs[i];
        rows_clear(&rows);
        struct row *row = rows_add(&rows);
        assert_non_null(row);
        *row = pair->there;
        row->t_us = 100;
        row->issued_us = ISSUED_NONE;
        row->known_ms = 20;
        row->order = 1;
        row = add_value(&rows, 100, pair->m, 2);
        row->known_ms = pair->known_ms;
        row->replayed = true;
        assert_int_equal(rows_settle(&rows, &settled), 0);
        if (settled.plain.n != (pair->in_force >= 0) || settled.revisions.n != pair->n_revisions ||
            (settled.plain.n && (settled.plain.m[0] != pair->in_force || settled.plain.known_ms[0] != pair->in_force_known_ms)))
            fail_msg("%s: %zu in force, %zu revisions", pair->name, settled.plain.n, settled.revisions.n);
        assert_int_equal(settled.deletions.n, pair->there.op != OP_VALUE && !pair->there.witness);
    }
    rows_free(&rows);
    settled_free(&settled);
}

static void what_arrives_after_a_replay_replaces_it_whenever_it_was_known(void **state)
{
    (void)state;
    struct rows rows = {0};
    struct settled settled = {0};
    struct row *row = add_value(&rows, 1, 5, 1);
    row->replayed = true;
    row->known_ms = 1000;
    add_value(&rows, 1, 6, 2)->known_ms = 10;
    assert_int_equal(rows_settle(&rows, &settled), 0);
    assert_int_equal(settled.plain.n, 1);
    assert_int_equal(settled.plain.m[0], 6);
    rows_free(&rows);
    settled_free(&settled);
}

static void a_layer_marks_what_is_replayed_for_the_layers_below(void **state)
{
    (void)state;
    struct rows rows = {.is_layer = true};
    struct settled settled = {0};
    add_value(&rows, 1, 5, 1)->replayed = true;
    add_value(&rows, 2, 5, 2);
    struct row *row = add_value(&rows, 3, 0, 3);
    row->op = OP_DELETE;
    row->replayed = true;
    assert_int_equal(rows_settle(&rows, &settled), 0);
    assert_int_equal(settled.plain.n, 2);
    assert_int_equal(settled.plain.quality[0], QUALITY_REPLAYED);
    assert_int_equal(settled.plain.quality[1], 0);
    assert_int_equal(settled.deletions.n, 1);
    assert_true(settled.deletions.at[0].replayed);
    rows_free(&rows);
    settled_free(&settled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_rows_settle_as_a_list_does_that_takes_them_one_by_one),
        cmocka_unit_test(rows_settle_by_time_however_many_of_them_come_late),
        cmocka_unit_test(rows_of_equal_order_take_effect_as_they_were_added),
        cmocka_unit_test(deletions_are_told_so_that_lower_layers_can_follow),
        cmocka_unit_test(settling_again_replaces_what_was_there),
        cmocka_unit_test(values_at_the_ends_of_time_settle),
        cmocka_unit_test(a_replay_leaves_the_history_in_which_it_had_been_accepted_at_once),
        cmocka_unit_test(layers_that_were_settled_apart_settle_alike),
        cmocka_unit_test(a_replayed_value_never_overrides_what_was_known_later),
        cmocka_unit_test(what_arrives_after_a_replay_replaces_it_whenever_it_was_known),
        cmocka_unit_test(a_layer_marks_what_is_replayed_for_the_layers_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
