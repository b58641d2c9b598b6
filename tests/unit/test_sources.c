/* One series in several sources: which reading counts, whatever was sealed, and what is left of it when readings expire. I6. */
#include <config.h>

#include "../lib/fault_vfs.h"
#include "../lib/rig.h"
#include "../lib/test.h"

#include <stdio.h>

#include "common/civil.h"
#include "common/hash.h"
#include "common/log.h"

#define T_US INT64_C(1709251200000000)     /* 2024-03-01 */
#define SECOND_MS INT64_C(1709251201000)
#define QUARTER_US (15 * US_PER_MINUTE)
#define SERIES 0 /* a gauge every second */

static void make(struct rig *rig)
{
    rig_init(rig, 7, false);
    rig->window = WINDOW_DAY;
}

static void say_event(struct rig *rig, int source, const struct event *event)
{
    struct history *history = &rig->history;
    history->events = realloc(history->events, sizeof(*event));
    assert_non_null(history->events);
    history->events[0] = *event;
    history->n_events = history->cap = 1;
    history->source = source;
    history->known_ms = event->known_ms;
    rig_persist_series(rig);
    rig_take(rig);
}

static void say(struct rig *rig, int source, int64_t t_us, int64_t m, int64_t known_ms)
{
    say_event(rig, source, &(struct event){.series = SERIES, .t_us = t_us, .issued_us = ISSUED_NONE, .m = m,
                                           .known_ms = known_ms});
}

static void flush(struct rig *rig, int source)
{
    struct err_text error = {0};
    if (rig_flush(rig, source, &error))
        broken(rig, "%s", error.text);
}

static void seal(struct rig *rig, int source)
{
    struct err_text error = {0};
    flush(rig, source);
    if (rig_seal(rig, source, true, &error))
        broken(rig, "%s", error.text);
}

static struct view *look(struct rig *rig)
{
    struct err_text error = {0};
    struct view *view = NULL;
    if (view_open(rig->reader, &view, &error))
        broken(rig, "%s", error.text);
    return view;
}

/* The one reading at T_US. */
static void expect(struct rig *rig, int64_t m, int64_t known_ms)
{
    struct view *view = look(rig);
    struct scan *scan;
    struct points points = {0};
    assert_int_equal(scan_open(view, rig->series_id[SERIES], T_US, T_US + 1, POINTS_ALL, &scan), 0);
    assert_int_equal(scan_next(scan, &points), 1);
    assert_int_equal(points.n, 1);
    assert_int_equal(points.m[0], m);
    assert_int_equal(points.known_ms[0], known_ms);
    scan_close(scan);
    points_free(&points);
    view_close(view);
}

/* ---- which one counts ---- */

/* first: the source that is flushed and sealed before the other. */
static void live_through_seals(int first, int64_t known_ms)
{
    struct rig rig;
    make(&rig);
    int winner = known_ms > SECOND_MS + 500 ? 1 : 0;
    say(&rig, 0, T_US, 1, SECOND_MS + 500);
    say(&rig, 1, T_US, 2, known_ms);
    int64_t m = winner + 1, expected_ms = winner ? known_ms : SECOND_MS + 500;
    expect(&rig, m, expected_ms);
    flush(&rig, first);
    expect(&rig, m, expected_ms);
    seal(&rig, first);
    expect(&rig, m, expected_ms);
    flush(&rig, 1 - first);
    expect(&rig, m, expected_ms);
    seal(&rig, 1 - first);
    expect(&rig, m, expected_ms);
    say(&rig, first, T_US + 1, 9, SECOND_MS + 5000); /* and of the next generation */
    seal(&rig, first);
    expect(&rig, m, expected_ms);
    rig_done(&rig);
}

static void a_seal_does_not_change_which_source_spoke_last(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        live_through_seals(first, SECOND_MS + 300);
        live_through_seals(first, SECOND_MS + 501);
        live_through_seals(first, SECOND_MS + 999);
    }
}

/* The catalog is remembered while nobody changes it: what was looked up when one source had the series is not good for two. */
static void a_second_source_is_read_though_the_series_was_asked_for_before(void **state)
{
    (void)state;
    struct rig rig;
    make(&rig);
    say(&rig, 0, T_US, 1, SECOND_MS + 500);
    struct view *before = look(&rig);
    for (int i = 0; i < 2; i++)
        expect(&rig, 1, SECOND_MS + 500);
    say(&rig, 1, T_US, 2, SECOND_MS + 600);
    expect(&rig, 2, SECOND_MS + 600);
    view_close(before);
    rig_done(&rig);
}

/* The one case in which milliseconds are gone; docs/FORMAT.md, "Window file". */
static void what_is_sealed_stands_against_a_source_that_turns_up_with_the_same_second(void **state)
{
    (void)state;
    struct rig rig;
    make(&rig);
    say(&rig, 0, T_US, 1, SECOND_MS + 200);
    seal(&rig, 0);
    say(&rig, 1, T_US, 2, SECOND_MS + 700);
    expect(&rig, 1, SECOND_MS + 1000);
    seal(&rig, 1);
    expect(&rig, 1, SECOND_MS + 1000);
    say(&rig, 0, T_US + 1, 9, SECOND_MS + 5000);
    seal(&rig, 0);
    expect(&rig, 1, SECOND_MS + 1000);
    say(&rig, 1, T_US, 3, SECOND_MS + 1001); /* of another second */
    expect(&rig, 3, SECOND_MS + 1001);
    seal(&rig, 1);
    expect(&rig, 3, SECOND_MS + 1001);
    say(&rig, 0, T_US, 4, SECOND_MS + 1000); /* from now on to the millisecond */
    seal(&rig, 0);
    expect(&rig, 3, SECOND_MS + 1001);
    rig_done(&rig);
}

/* ---- to the second ---- */

/* A source that repeats a second: the first value ended when the second one came, not before it began. */
static void a_sealed_reading_is_known_after_what_it_replaced(void **state)
{
    (void)state;
    struct rig rig;
    struct revisions *revisions;
    struct points points = {0};
    const int64_t *until_ms;
    make(&rig);
    say(&rig, 0, T_US, 1, SECOND_MS + 200);
    say(&rig, 0, T_US, 2, SECOND_MS + 500);
    expect(&rig, 2, SECOND_MS + 500);
    seal(&rig, 0);
    expect(&rig, 2, SECOND_MS + 1000);
    struct view *view = look(&rig);
    assert_int_equal(revisions_open(view, rig.series_id[SERIES], T_US, T_US + 1, &revisions), 0);
    assert_int_equal(revisions_next(revisions, &points, &until_ms), 1);
    assert_int_equal(points.n, 1);
    assert_int_equal(points.known_ms[0], SECOND_MS + 200);
    assert_int_equal(until_ms[0], SECOND_MS + 1000);
    revisions_close(revisions);
    points_free(&points);
    view_close(view);
    rig_done(&rig);
}

static void a_replayed_letter_does_not_override_what_was_sealed_of_its_second(void **state)
{
    (void)state;
    struct rig rig;
    make(&rig);
    say(&rig, 0, T_US, 1, SECOND_MS + 500);
    seal(&rig, 0);
    struct event letter = {.series = SERIES, .t_us = T_US, .issued_us = ISSUED_NONE, .m = 2, .known_ms = SECOND_MS + 200,
                           .replayed = true};
    say_event(&rig, 0, &letter);
    expect(&rig, 1, SECOND_MS + 1000);
    seal(&rig, 0);
    expect(&rig, 1, SECOND_MS + 1000);
    letter.known_ms = SECOND_MS + 1001;
    say_event(&rig, 0, &letter);
    expect(&rig, 2, SECOND_MS + 1001);
    seal(&rig, 0);
    expect(&rig, 2, SECOND_MS + 2000);
    rig_done(&rig);
}

/* ---- cells ---- */

/* n readings a second apart in a quarter of an hour. */
static void say_quarter(struct rig *rig, int source, int quarter, int64_t first_s, int64_t n)
{
    for (int64_t i = first_s; i < first_s + n; i++)
        say(rig, source, T_US + quarter * QUARTER_US + i * US_PER_SECOND, i % 50 + source, SECOND_MS + i);
}

static void expire(struct rig *rig, int source)
{
    struct err_text error = {0};
    if (rig_expire(rig, source, &error))
        broken(rig, "%s", error.text);
}

struct asked {
    size_t n_cells, n_spans;
    int64_t left_us, first_span_us, begins_us[8];
};

static void ask(struct rig *rig, enum tier tier, struct asked *asked)
{
    struct view *view = look(rig);
    struct cells cells = {0};
    struct spans raw = {0};
    uint32_t id = rig->series_id[SERIES];
    assert_int_equal(view_cells(view, id, tier, T_US, T_US + US_PER_DAY, &cells, &raw), 0);
    *asked = (struct asked){.n_cells = cells.n, .n_spans = raw.n, .first_span_us = raw.n ? raw.rows[0].begin_us : 0};
    for (size_t i = 0; i < cells.n && i < 8; i++)
        asked->begins_us[i] = cells.rows[i].begin_us;
    assert_int_equal(view_left(view, id, &tier, T_US, T_US + US_PER_DAY, &asked->left_us), 0);
    cells_free(&cells);
    spans_free(&raw);
    view_close(view);
}

static void cells_of_two_sources_answer_side_by_side(void **state)
{
    (void)state;
    struct rig rig;
    struct asked asked;
    make(&rig);
    say_quarter(&rig, 1, 0, 0, 40);
    say_quarter(&rig, 0, 1, 0, 40);
    say_quarter(&rig, 1, 2, 0, 40);
    seal(&rig, 0);
    seal(&rig, 1);
    for (int gone = 0; gone < 3; gone++) { /* with all readings, with those of one source, with none */
        ask(&rig, TIER_15M, &asked);
        assert_int_equal(asked.n_cells, 3);
        assert_int_equal(asked.n_spans, 0);
        for (int i = 0; i < 3; i++)
            assert_int_equal(asked.begins_us[i], T_US + i * QUARTER_US);
        assert_int_equal(asked.left_us, T_US);
        if (gone < 2)
            expire(&rig, gone);
    }
    rig_done(&rig);
}

static void a_cell_that_two_sources_share_is_lost_when_readings_of_one_have_expired(void **state)
{
    (void)state;
    struct rig rig;
    struct asked asked;
    make(&rig);
    say_quarter(&rig, 0, 0, 0, 40);
    say_quarter(&rig, 1, 1, 30, 30); /* second after second, and yet in the same quarter */
    say_quarter(&rig, 0, 1, 0, 30);
    say_quarter(&rig, 1, 2, 0, 40);
    seal(&rig, 0);
    seal(&rig, 1);
    ask(&rig, TIER_15M, &asked);
    assert_int_equal(asked.n_cells, 2);
    assert_int_equal(asked.n_spans, 1);
    assert_int_equal(asked.first_span_us, T_US + QUARTER_US);
    assert_int_equal(asked.left_us, T_US); /* the readings are there */
    for (int source = 0; source < 2; source++) {
        expire(&rig, source);
        ask(&rig, TIER_15M, &asked);
        assert_int_equal(asked.left_us, T_US + 2 * QUARTER_US);
        assert_int_equal(asked.n_cells, 2);
    }
    ask(&rig, TIER_1M, &asked); /* only that minute is shared */
    assert_int_equal(asked.left_us, T_US + QUARTER_US + US_PER_MINUTE);
    rig_done(&rig);
}

static void what_another_source_has_unflushed_or_open_is_in_the_way_too(void **state)
{
    (void)state;
    struct rig rig;
    struct asked asked;
    make(&rig);
    say_quarter(&rig, 0, 0, 0, 40);
    say_quarter(&rig, 0, 1, 0, 40);
    seal(&rig, 0);
    expire(&rig, 0);
    ask(&rig, TIER_15M, &asked);
    assert_int_equal(asked.left_us, T_US);
    assert_int_equal(asked.n_cells, 2);
    say(&rig, 1, T_US + 90 * US_PER_SECOND, 5, SECOND_MS + 9000);
    for (int step = 0; step < 3; step++) {
        ask(&rig, TIER_15M, &asked);
        assert_int_equal(asked.left_us, T_US + QUARTER_US);
        assert_int_equal(asked.n_cells, 1);
        if (step == 0)
            flush(&rig, 1);
        else
            seal(&rig, 1);
    }
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seal_does_not_change_which_source_spoke_last),
        cmocka_unit_test(a_second_source_is_read_though_the_series_was_asked_for_before),
        cmocka_unit_test(what_is_sealed_stands_against_a_source_that_turns_up_with_the_same_second),
        cmocka_unit_test(a_sealed_reading_is_known_after_what_it_replaced),
        cmocka_unit_test(a_replayed_letter_does_not_override_what_was_sealed_of_its_second),
        cmocka_unit_test(cells_of_two_sources_answer_side_by_side),
        cmocka_unit_test(a_cell_that_two_sources_share_is_lost_when_readings_of_one_have_expired),
        cmocka_unit_test(what_another_source_has_unflushed_or_open_is_in_the_way_too),
    };
    log_level_set((enum log_level)-1);
    assert_int_equal(hash_init(), 0);
    fault_vfs_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
