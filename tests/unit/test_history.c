/* Random histories through the whole store: batches, flushes, seals, deaths and restarts in any order; and then what is read,
 * by scan, counts, cells, changes and the rows for people, is what the naive model says. I1, I2, I3, I6, I8.
 *
 *     ALMANAC_SEED=7 tests/unit/test_history */
#include <config.h>

#include "../lib/fault_vfs.h"
#include "../lib/history.h"
#include "../lib/rig.h"
#include "../lib/test.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "common/array.h"
#include "common/civil.h"
#include "common/clock.h"
#include "common/hash.h"
#include "common/log.h"
#include "store/tier_file.h"

#define OPS 60     /* of a history */
#define ROUNDS 5

static uint64_t first_seed;

/* ---- what it must show ---- */

static void check_known(struct rig *rig, struct view *view, uint32_t s, const struct points *expected,
                        const struct scan_options *options)
{
    struct scan *scan;
    struct points found = {0}, some = {0};
    bool is_state = history_series[s].kind == KIND_STATE;
    int64_t begin_us = options->begin_us, end_us = options->end_us;
    char wrong[400];
    int rc = scan_open_known(view, rig->series_id[s], options, &scan);
    assert_int_equal(rc, 0);
    while ((rc = scan_next(scan, &some)) == 1)
        for (size_t i = 0; i < some.n; i++)
            assert_int_equal(points_append(&found, &some, i, is_state), 0);
    if (rc)
        broken(rig, "series %u cannot be read: %s", s, err_name(rc));
    points_difference(expected, points_seek(expected, 0, begin_us), points_seek(expected, 0, end_us), &found, is_state, wrong);
    if (*wrong)
        broken(rig, "series %u, [%" PRId64 ", %" PRId64 ") as of %" PRId64 ": %s", s, begin_us, end_us,
               options->knowledge.asof_us, wrong);
    scan_close(scan);
    points_free(&found);
    points_free(&some);
}

static void check_scan(struct rig *rig, struct view *view, uint32_t s, const struct points *expected, int64_t begin_us,
                       int64_t end_us)
{
    check_known(rig, view, s, expected, &(struct scan_options){begin_us, end_us, POINTS_ALL, KNOWLEDGE_ALL});
}

/* When a version of the series became known, a moment before, or an issue. */
static int64_t some_known_ms(struct rig *rig, uint32_t s)
{
    const struct naive *now = &rig->history.now[rig_below(rig, HISTORY_SOURCES)][s];
    if (!now->n)
        return rig->history.known_ms;
    const struct naive_key *key = &now->keys[rig_below(rig, (int64_t)now->n)];
    if (key->issued_us != ISSUED_NONE && rig_below(rig, 3) == 0)
        return key->issued_us / 1000 - rig_below(rig, 2);
    return key->history[rig_below(rig, (int64_t)key->n)].known_ms - rig_below(rig, 2);
}

/* What was known at some instant, and some time ahead, as one of now sees it. */
static void check_past(struct rig *rig, struct view *view, uint32_t s)
{
    struct points expected = {0};
    struct knowledge knowledge = {some_known_ms(rig, s) * 1000 + rig_below(rig, 1000), INT64_MIN};
    if (rig_below(rig, 3) == 0)
        knowledge.lead_us = rig_below(rig, 3 * US_PER_DAY) - US_PER_DAY;
    if (rig_below(rig, 8) == 0)
        knowledge.asof_us = INT64_MAX;
    int64_t asof_ms = knowledge.asof_us == INT64_MAX ? INT64_MAX : knowledge.asof_us / 1000;
    history_points_known(&rig->history, s, asof_ms, knowledge.lead_us, &expected);
    struct scan_options options = {CIVIL_MIN_US, CIVIL_END_US, POINTS_ALL, knowledge};
    check_known(rig, view, s, &expected, &options);
    if (expected.n) {
        options.begin_us = expected.t_us[rig_below(rig, (int64_t)expected.n)] + rig_below(rig, 2);
        options.end_us = options.begin_us + 1 + rig_below(rig, 3 * US_PER_DAY);
        check_known(rig, view, s, &expected, &options);
    }
    points_free(&expected);
}

static void check_counts(struct rig *rig, struct view *view, uint32_t s, const struct points *expected)
{
    struct series_stats stats;
    uint64_t n_quality[QUALITY_N] = {0};
    assert_int_equal(view_stats(view, rig->series_id[s], &stats), 0);
    for (size_t i = 0; i < expected->n; i++)
        n_quality[expected->quality[i] & QUALITY_CLASS_MASK]++;
    bool same = stats.count == expected->n && !memcmp(stats.n_quality, n_quality, sizeof(n_quality));
    if (same && expected->n)
        same = stats.first_us == expected->t_us[0] && stats.last_us == expected->t_us[expected->n - 1];
    if (!same)
        broken(rig, "series %u: %" PRIu64 " readings are counted instead of %zu, or by another quality or extent", s, stats.count,
               expected->n);
}

static uint64_t n_foreseen, n_there; /* readings that were counted without a look at them, and all */

/* What is counted at the least is never more than there is, and what is read is counted to the last reading. */
static void check_least(struct rig *rig, struct view *view, uint32_t s, const struct points *expected, int64_t begin_us,
                        int64_t end_us)
{
    uint64_t least, n = points_seek(expected, 0, end_us) - points_seek(expected, 0, begin_us);
    struct quota quota = {.limits = {.points = INT64_MAX, .series = 1}};
    struct points points = {0};
    struct view *counted;
    struct scan *scan;
    assert_int_equal(view_count_least(view, rig->series_id[s], begin_us, end_us, &least), 0);
    assert_int_equal(view_share(view, &quota, &counted), 0);
    assert_int_equal(scan_open(counted, rig->series_id[s], begin_us, end_us, 0, &scan), 0);
    while (scan_next(scan, &points) > 0)
        ;
    if (least > n || quota.n_points != n || quota.n_series != 1)
        broken(rig, "series %u: %" PRIu64 " readings are foreseen and %" PRIu64 " counted of %" PRIu64, s, least, quota.n_points,
               n);
    n_foreseen += least;
    n_there += n;
    scan_close(scan);
    points_free(&points);
    view_close(counted);
    quota_done(&quota);
}

/* One cell, by the rollup's own code and plainly. */
static void check_cell(struct rig *rig, uint32_t s, enum tier tier, const struct points *expected, const struct cell *found)
{
    struct cell plain;
    struct cells computed = {0};
    bool plain_cut, cut = false;
    int64_t begin_us = found->begin_us, width_us = tier_width_us[tier];
    size_t begin = points_seek(expected, 0, begin_us), end = points_seek(expected, 0, begin_us + width_us);
    struct cell_options options = {history_series[s].kind, width_us, MAX_GAP_DEFAULT_US};
    plain_cell(expected, history_series[s].kind, begin_us, width_us, &plain, &plain_cut);
    assert_int_equal(cells_compute(expected, begin, end - begin, &options, &computed, &cut), 0);
    if (plain_cut || cut || computed.n != 1 || !cells_equal(found, &plain) || !cells_equal(found, &computed.rows[0]))
        broken(rig, "series %u, tier %s: the cell at %" PRId64 " (%" PRIu64 " readings) is not what %zu readings make", s,
               tier_name[tier], begin_us, found->count, end - begin);
    cells_free(&computed);
}

/* I6: what cells say is so, and where there is none and no reading has to be read, there are none. Returns how many there are. */
static size_t check_cells(struct rig *rig, struct view *view, uint32_t s, enum tier tier, const struct points *expected,
                          int64_t begin_us, int64_t end_us)
{
    struct cells cells = {0};
    struct spans raw = {0};
    assert_int_equal(view_cells(view, rig->series_id[s], tier, begin_us, end_us, &cells, &raw), 0);
    for (size_t i = 0; i < raw.n; i++)
        if (raw.rows[i].begin_us % tier_width_us[tier] || raw.rows[i].end_us % tier_width_us[tier] ||
            raw.rows[i].begin_us >= raw.rows[i].end_us || (i && raw.rows[i].begin_us <= raw.rows[i - 1].end_us))
            broken(rig, "series %u, tier %s: spans are not ordered multiples of the width", s, tier_name[tier]);
    size_t at = points_seek(expected, 0, begin_us), end = points_seek(expected, 0, end_us), span = 0, c = 0, n = cells.n;
    while (at < end) { /* each reading lies in a cell or in a span */
        int64_t t_us = expected->t_us[at];
        while (span < raw.n && raw.rows[span].end_us <= t_us)
            span++;
        if (span < raw.n && raw.rows[span].begin_us <= t_us) {
            at = points_seek(expected, at, raw.rows[span].end_us);
            continue;
        }
        if (c == cells.n || cells.rows[c].begin_us > t_us || t_us - cells.rows[c].begin_us >= tier_width_us[tier])
            broken(rig, "series %u, tier %s: the reading at %" PRId64 " is in no cell and in no span", s, tier_name[tier], t_us);
        check_cell(rig, s, tier, expected, &cells.rows[c]);
        at = points_seek(expected, at, cells.rows[c++].begin_us + tier_width_us[tier]);
    }
    if (c != cells.n)
        broken(rig, "series %u, tier %s: the cell at %" PRId64 " has no readings", s, tier_name[tier], cells.rows[c].begin_us);
    cells_free(&cells);
    spans_free(&raw);
    return n;
}

/* Everything about one series in one view; returns how many cells there were. */
static size_t check_series(struct rig *rig, struct view *view, uint32_t s, const struct points *expected)
{
    check_scan(rig, view, s, expected, CIVIL_MIN_US, CIVIL_END_US);
    check_counts(rig, view, s, expected);
    if (!expected->n)
        return 0;
    size_t i = (size_t)rig_below(rig, (int64_t)expected->n), n = 0;
    int64_t near_us = expected->t_us[i];
    if (i % 8 == 0)
        check_least(rig, view, s, expected, CIVIL_MIN_US, CIVIL_END_US);
    check_least(rig, view, s, expected, near_us, near_us + 1);
    check_least(rig, view, s, expected, near_us - US_PER_HOUR, near_us + (int64_t)(i % 8) * US_PER_HOUR);
    check_scan(rig, view, s, expected, expected->t_us[i], expected->t_us[i] + 1);
    check_scan(rig, view, s, expected, expected->t_us[i] + 1, expected->t_us[i] + 1 + rig_below(rig, 3 * US_PER_DAY));
    int64_t begin_us = expected->t_us[0] - expected->t_us[0] % US_PER_DAY;
    int64_t end_us = expected->t_us[expected->n - 1] + US_PER_DAY;
    end_us -= end_us % US_PER_DAY;
    for (enum tier tier = TIER_1S; tier < TIER_N && history_series[s].kind != KIND_STATE; tier++) {
        n += check_cells(rig, view, s, tier, expected, begin_us, end_us);
        int64_t part_us = expected->t_us[i] - expected->t_us[i] % tier_width_us[tier];
        check_cells(rig, view, s, tier, expected, part_us, part_us + tier_width_us[tier] * (1 + rig_below(rig, 50)));
    }
    return n;
}

static struct view *open_view(struct rig *rig)
{
    struct view *view;
    struct err_text error = {0};
    if (view_open(rig->reader, &view, &error))
        broken(rig, "%s", error.text);
    return view;
}

/* ---- changes ---- */

static bool is_told(const struct view_changes *changes, uint32_t id, int64_t t_us)
{
    for (size_t i = 0; i < changes->n; i++)
        if (changes->rows[i].series_id == id && changes->rows[i].begin_us <= t_us && changes->rows[i].end_us > t_us)
            return true;
    return false;
}

static void check_told(struct rig *rig, const struct view_changes *changes, uint32_t s, const struct points *before,
                       const struct points *now)
{
    size_t a = 0, b = 0;
    while (a < before->n || b < now->n) {
        bool has_a = a < before->n && (b == now->n || before->t_us[a] <= now->t_us[b]);
        bool has_b = b < now->n && (a == before->n || now->t_us[b] <= before->t_us[a]);
        int64_t t_us = has_a ? before->t_us[a] : now->t_us[b];
        struct points one = {0};
        char difference[400] = "";
        bool is_state = history_series[s].kind == KIND_STATE;
        if (has_b)
            assert_int_equal(points_append(&one, now, b, is_state), 0);
        points_difference(before, a, a + has_a, &one, is_state, difference);
        if (*difference && !is_told(changes, rig->series_id[s], t_us))
            broken(rig, "series %u changed at %" PRId64 " and is not told: %s", s, t_us, difference);
        points_free(&one);
        a += has_a;
        b += has_b;
    }
}

/* From an older view to one of now: whatever differs is told, and no series that nothing was sent for. */
static void check_changes(struct rig *rig, const struct kept *kept, struct view *now)
{
    struct view_changes changes;
    int rc = view_changes(now, view_position(kept->view), &changes);
    if (rc)
        broken(rig, "the changes cannot be told: %s", err_name(rc));
    for (size_t i = 1; i < changes.n; i++)
        if (changes.rows[i].series_id < changes.rows[i - 1].series_id ||
            (changes.rows[i].series_id == changes.rows[i - 1].series_id &&
             changes.rows[i].begin_us <= changes.rows[i - 1].end_us))
            broken(rig, "changes are not in order and apart");
    for (uint32_t s = 0; s < HISTORY_SERIES; s++) {
        struct points points = {0};
        history_points(&rig->history, s, &points);
        check_told(rig, &changes, s, &kept->points[s], &points);
        points_free(&points);
        for (size_t i = 0; i < changes.n && kept->synced && rig->touched[s] <= kept->n_takes; i++)
            if (changes.rows[i].series_id == rig->series_id[s])
                broken(rig, "series %u is told, though nothing came for it since", s);
    }
    view_changes_free(&changes);
}

/* ---- arrivals ---- */

static size_t n_arrivals, n_flushed; /* of older views and ones of now: told as they arrived, or not kept so any more */

/* What arrived as if it were ranges that changed. */
static int read_arrivals(struct rig *rig, const struct kept *kept, struct view *now, struct view_changes *changes)
{
    struct arrivals *arrivals;
    uint32_t id;
    size_t n;
    int rc = arrivals_open(kept->view, now, &arrivals);
    if (rc)
        return rc;
    while ((rc = arrivals_next(arrivals, &id)) > 0) {
        uint32_t s = 0;
        while (s < HISTORY_SERIES && rig->series_id[s] != id)
            s++;
        if (s == HISTORY_SERIES || rig->touched[s] <= kept->n_takes)
            broken(rig, "series id %u is told, though nothing came for it since", id);
        assert_int_equal(arrivals_read(arrivals, history_series[s].kind, &n), 0);
        for (size_t i = 0; i < n; i++) {
            struct arrival arrival = arrivals_at(arrivals, i);
            assert_int_equal(array_grow(&changes->rows, &changes->cap, changes->n + 1, sizeof(*changes->rows)), 0);
            changes->rows[changes->n++] = (struct view_change){id, arrival.t_us, arrival.end_us};
        }
    }
    arrivals_close(arrivals);
    return rc;
}

/* Whatever differs between an older view and one of now arrived in between, where that is kept. */
static void check_arrivals(struct rig *rig, const struct kept *kept, struct view *now)
{
    struct view_changes changes = {0};
    int rc = read_arrivals(rig, kept, now, &changes);
    if (rc && rc != ERR_EXPIRED)
        broken(rig, "what arrived cannot be told: %s", err_name(rc));
    for (uint32_t s = 0; s < HISTORY_SERIES && !rc; s++) {
        struct points points = {0};
        history_points(&rig->history, s, &points);
        check_told(rig, &changes, s, &kept->points[s], &points);
        points_free(&points);
    }
    n_arrivals += !rc && changes.n;
    n_flushed += rc != 0;
    view_changes_free(&changes);
}

/* A view into the future's store is refused: the older one has not reached the newer one's position. */
static void check_future(struct rig *rig, const struct kept *older, struct view *now)
{
    struct view_changes changes;
    if (older->n_takes < rig->n_takes && view_changes(older->view, view_position(now), &changes) != ERR_INVALID)
        broken(rig, "a position of the future is taken");
}

/* ---- stamps ---- */

static size_t n_same_stamps; /* where readings had come for the series meanwhile */

static void print_stamp(struct rig *rig, struct view *view, uint32_t s, struct span span, struct buf *out)
{
    int rc = view_stamp(view, rig->series_id[s], span.begin_us, span.end_us, out);
    if (rc)
        broken(rig, "series %u has no stamp: %s", s, err_name(rc));
}

/* Where an older view and one of now have the same stamp, they show the same readings. */
static void check_stamp(struct rig *rig, const struct kept *kept, struct view *now, uint32_t s)
{
    struct points points = {0}, part = {0};
    struct buf before = {0}, after = {0};
    bool is_state = history_series[s].kind == KIND_STATE;
    history_points(&rig->history, s, &points);
    const struct points *some = points.n ? &points : &kept->points[s];
    int64_t middle_us = some->n ? some->t_us[rig_below(rig, (int64_t)some->n)] : 0;
    struct span span = {middle_us - rig_below(rig, US_PER_DAY), middle_us + 1 + rig_below(rig, US_PER_DAY)};
    print_stamp(rig, kept->view, s, span, &before);
    print_stamp(rig, now, s, span, &after);
    if (before.n == after.n && !memcmp(before.data, after.data, before.n)) {
        char difference[400] = "";
        for (size_t i = points_seek(&points, 0, span.begin_us); i < points_seek(&points, 0, span.end_us); i++)
            assert_int_equal(points_append(&part, &points, i, is_state), 0);
        points_difference(&kept->points[s], points_seek(&kept->points[s], 0, span.begin_us),
                          points_seek(&kept->points[s], 0, span.end_us), &part, is_state, difference);
        if (*difference)
            broken(rig, "series %u has the same stamp and other readings: %s", s, difference);
        n_same_stamps += rig->touched[s] > kept->n_takes;
    }
    points_free(&points);
    points_free(&part);
    buf_free(&before);
    buf_free(&after);
}

static void keep_view(struct rig *rig)
{
    struct kept *kept = &rig->kept[rig_below(rig, RIG_KEPT)];
    rig_drop_kept(kept);
    kept->synced = rig_below(rig, 2);
    for (int s = 0; s < HISTORY_SOURCES && kept->synced; s++)
        if (partition_checkpoint(rig->partitions[s]))
            broken(rig, "a partition cannot be synced");
    kept->view = open_view(rig);
    kept->n_takes = rig->n_takes;
    for (uint32_t s = 0; s < HISTORY_SERIES; s++)
        history_points(&rig->history, s, &kept->points[s]);
}

/* I8: an older view still shows its state. */
static void check_kept(struct rig *rig)
{
    struct view *now = open_view(rig);
    for (int k = 0; k < RIG_KEPT; k++) {
        struct kept *kept = &rig->kept[k];
        if (!kept->view)
            continue;
        uint32_t s = (uint32_t)rig_below(rig, HISTORY_SERIES);
        check_series(rig, kept->view, s, &kept->points[s]);
        check_changes(rig, kept, now);
        check_arrivals(rig, kept, now);
        check_future(rig, kept, now);
        for (s = 0; s < HISTORY_SERIES; s++)
            check_stamp(rig, kept, now, s);
    }
    view_close(now);
}

static size_t check_now(struct rig *rig, bool all)
{
    struct view *view = open_view(rig);
    struct points points = {0};
    size_t n_cells = 0;
    for (uint32_t s = 0; s < HISTORY_SERIES; s++) {
        if (!all && rig_below(rig, 4))
            continue;
        history_points(&rig->history, s, &points);
        n_cells += check_series(rig, view, s, &points);
        check_past(rig, view, s);
    }
    points_free(&points);
    view_close(view);
    return n_cells;
}

/* ---- the rows for people ---- */

/* Row i of a day must be at unix and show rows [begin, end) of points. */
static void check_person_row(struct rig *rig, sqlite3_stmt *stmt, uint32_t s, const struct points *points, size_t begin,
                             size_t end, double unix_s)
{
    static const char *const names[QUALITY_N] = {"measured", "edited", "derived", "estimated", "suspect"};
    enum kind kind = history_series[s].kind;
    bool all_suspect = true;
    long double sum = 0;
    unsigned worst = 0;
    size_t n = 0, last = begin;
    for (size_t i = begin; i < end; i++)
        all_suspect = all_suspect && (points->quality[i] & QUALITY_CLASS_MASK) == QUALITY_SUSPECT;
    for (size_t i = begin; i < end; i++) {
        unsigned class = points->quality[i] & QUALITY_CLASS_MASK;
        if (class == QUALITY_SUSPECT && !all_suspect)
            continue;
        worst = class > worst ? class : worst;
        sum += (long double)points->m[i] * powl(10, points->e[i]);
        last = i;
        n++;
    }
    bool same = fabs(sqlite3_column_double(stmt, 0) - unix_s) < 1e-5 &&
                strcmp((const char *)sqlite3_column_text(stmt, 2), names[worst]) == 0;
    if (kind == KIND_STATE) {
        same = same && strcmp((const char *)sqlite3_column_text(stmt, 1), texts_at(&points->texts, points->m[last])) == 0;
    } else {
        long double value = kind == KIND_GAUGE ? sum / (long double)n
                            : kind == KIND_INTERVAL ? sum : (long double)points->m[last] * powl(10, points->e[last]);
        same = same && fabsl(value - (long double)sqlite3_column_double(stmt, 1)) <= 1e-9L * (1 + fabsl(value));
    }
    if (!same)
        broken(rig, "series %u: people are shown another value than that of %zu readings at %f", s, end - begin, unix_s);
}

/* The rows of one file; a day with more than 96 readings is shown by quarters of an hour. */
static void check_person_file(struct rig *rig, sqlite3_stmt *stmt, uint32_t s, const struct points *points,
                              struct window window)
{
    size_t at = points_seek(points, 0, window.begin_us), end = points_seek(points, 0, window.end_us);
    sqlite3_reset(stmt);
    sqlite3_bind_text(stmt, 1, history_series[s].entity, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 2, history_series[s].property, -1, SQLITE_STATIC);
    while (at < end) {
        int64_t day_us = points->t_us[at] - points->t_us[at] % US_PER_DAY;
        size_t day_end = points_seek(points, at, day_us + US_PER_DAY);
        bool condense = day_end - at > 96;
        while (at < day_end) {
            int64_t slot_us = points->t_us[at] - points->t_us[at] % (15 * US_PER_MINUTE);
            size_t next = condense ? points_seek(points, at, slot_us + 15 * US_PER_MINUTE) : at + 1;
            if (sqlite3_step(stmt) != SQLITE_ROW)
                broken(rig, "series %u: people are not shown the reading at %" PRId64, s, points->t_us[at]);
            check_person_row(rig, stmt, s, points, at, next, (double)(condense ? slot_us : points->t_us[at]) / 1e6);
            at = next;
        }
    }
    if (sqlite3_step(stmt) != SQLITE_DONE)
        broken(rig, "series %u: people are shown a reading that is not there", s);
}

static bool has_other(const struct file_list *files, const struct file *file, enum file_kind kind)
{
    for (size_t i = 0; i < files->n; i++)
        if (files->at[i].kind == kind && files->at[i].window.begin_us == file->window.begin_us)
            return true;
    return false;
}

/* As the sqlite3 shell opens it: our own connections do not trust functions in views. */
static sqlite3_stmt *open_as_people(const char *path)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT unix, value, quality FROM readings_15m "
                                        "WHERE entity = ?1 AND property = ?2 ORDER BY unix", -1, &stmt, NULL), SQLITE_OK);
    return stmt;
}

static bool is_shared(const struct rig *rig, uint32_t s)
{
    int n = 0;
    for (int source = 0; source < HISTORY_SOURCES; source++)
        n += rig->is_here[source][s];
    return n > 1;
}

/* Files that say all of their window, for series that lie in one source; nothing waits in batches. */
static void check_people(struct rig *rig, int source)
{
    struct file_list files = {0};
    struct points points = {0};
    assert_int_equal(partition_files(rig->partitions[source], &files, NULL), 0);
    for (size_t i = 0; i < files.n; i++) {
        const struct file *file = &files.at[i];
        char path[900];
        if (file->kind == FILE_RAW || has_other(&files, file, file->kind == FILE_OPEN ? FILE_RAW : FILE_OPEN))
            continue;
        snprintf(path, sizeof(path), "%s/%s", partition_folder(rig->partitions[source]), file->name);
        sqlite3_stmt *stmt = open_as_people(path);
        for (uint32_t s = 0; s < HISTORY_SERIES; s++) {
            if (!rig->is_here[source][s] || is_shared(rig, s))
                continue;
            history_points(&rig->history, s, &points);
            check_person_file(rig, stmt, s, &points, file->window);
        }
        sqlite3 *db = sqlite3_db_handle(stmt);
        sqlite3_finalize(stmt);
        sqlite3_close(db);
    }
    points_free(&points);
    file_list_free(&files);
}

/* ---- the histories ---- */

static void expect_done(struct rig *rig, int rc, const struct err_text *error, const char *what)
{
    if (rc)
        broken(rig, "%s fails: %s", what, error->text);
}

static void act(struct rig *rig)
{
    struct err_text error = {0};
    int source = (int)rig_below(rig, HISTORY_SOURCES);
    int64_t what = rig_below(rig, 20);
    if (what < 9) {
        rig_make_batch(rig);
        rig_take(rig);
    } else if (what < 12) {
        expect_done(rig, rig_flush(rig, source, &error), &error, "a flush");
    } else if (what < 14) {
        expect_done(rig, rig_seal(rig, source, rig_below(rig, 2), &error), &error, "a seal");
    } else if (what < 15) {
        rig_close_partitions(rig);
        rig_open_partitions(rig);
    } else if (what < 17) {
        rig_die(rig);
    } else {
        keep_view(rig);
    }
    if (what >= 9 && rig_below(rig, 2))
        check_now(rig, false);
    else if (rig_below(rig, 4) == 0)
        check_kept(rig);
}

/* In the end all is flushed, then sealed, and looked at wholly each time. Returns how many cells were compared. */
static size_t end_history(struct rig *rig)
{
    struct err_text error = {0};
    check_now(rig, true);
    for (int s = 0; s < HISTORY_SOURCES; s++)
        expect_done(rig, rig_flush(rig, s, &error), &error, "a flush");
    check_now(rig, true);
    for (int s = 0; s < HISTORY_SOURCES; s++) {
        check_people(rig, s);
        expect_done(rig, rig_seal(rig, s, true, &error), &error, "a seal");
        check_people(rig, s);
    }
    check_kept(rig);
    return check_now(rig, true);
}

/* Behind what view_left names nothing is missing: cells are those of all readings, the expired ones among them, and where
 * readings have to be read they are there. Returns how many cells there are of time in which readings have expired. */
static size_t check_left(struct rig *rig, struct view *view, uint32_t s, enum tier tier, const struct points *expected)
{
    struct cells cells = {0};
    struct spans raw = {0};
    int64_t begin_us = expected->t_us[0] - expected->t_us[0] % US_PER_DAY, left_us = -1, expired_us = INT64_MIN;
    int64_t end_us = expected->t_us[expected->n - 1] + US_PER_DAY;
    end_us -= end_us % US_PER_DAY;
    size_t n = 0;
    for (int source = 0; source < HISTORY_SOURCES; source++)
        if (rig->is_here[source][s] && rig->expired_us[source] > expired_us)
            expired_us = rig->expired_us[source];
    assert_int_equal(view_left(view, rig->series_id[s], NULL, begin_us, end_us, &left_us), 0);
    check_scan(rig, view, s, expected, left_us, end_us);
    assert_int_equal(view_left(view, rig->series_id[s], &tier, begin_us, end_us, &left_us), 0);
    check_cells(rig, view, s, tier, expected, left_us, end_us);
    assert_int_equal(view_cells(view, rig->series_id[s], tier, left_us, end_us, &cells, &raw), 0);
    for (size_t i = 0; i < raw.n; i++)
        check_scan(rig, view, s, expected, raw.rows[i].begin_us, raw.rows[i].end_us);
    while (n < cells.n && cells.rows[n].begin_us < expired_us)
        n++;
    cells_free(&cells);
    spans_free(&raw);
    return n;
}

/* In the very end readings expire, in one source more than in another. Returns how many cells speak for them. */
static size_t expire_history(struct rig *rig)
{
    struct err_text error = {0};
    struct points points = {0};
    size_t n_cells = 0;
    for (int source = 0; source < HISTORY_SOURCES; source++)
        for (int64_t n = rig_below(rig, 12); n > 0; n--)
            expect_done(rig, rig_expire(rig, source, &error), &error, "an expiry");
    struct view *view = open_view(rig);
    for (uint32_t s = 0; s < HISTORY_SERIES; s++) {
        history_points(&rig->history, s, &points);
        for (enum tier tier = TIER_1S; tier < TIER_N && points.n && history_series[s].kind != KIND_STATE; tier++)
            n_cells += check_left(rig, view, s, tier, &points);
    }
    points_free(&points);
    view_close(view);
    return n_cells;
}

static void live_histories(bool is_close)
{
    int n_rounds = getenv("ALMANAC_SOAK") ? 20 * ROUNDS : getenv("ALMANAC_SEED") ? 1 : ROUNDS;
    size_t n_cells = 0, n_expired = 0;
    for (int round = 0; round < n_rounds; round++) {
        struct rig rig;
        rig_init(&rig, first_seed + (uint64_t)round, is_close);
        for (int op = 0; op < OPS; op++)
            act(&rig);
        n_cells += end_history(&rig);
        n_expired += expire_history(&rig);
        rig_done(&rig);
    }
    print_message("# %d histories, %zu cells of sealed windows, %zu of expired readings, %zu stamps that other changes left the "
                  "same; between views %zu times arrivals, %zu times flushed; %" PRIu64 " of %" PRIu64 " readings foreseen\n",
                  n_rounds, n_cells, n_expired, n_same_stamps, n_arrivals, n_flushed, n_foreseen, n_there);
    assert_true(n_foreseen > 0 || n_rounds == 1);
    assert_true((n_arrivals > 0 && n_flushed > 0) || n_rounds == 1);
    assert_true((n_cells > 0 && n_expired > 0 && (n_same_stamps > 0 || is_close)) || n_rounds == 1);
}

static void a_history_reads_as_the_naive_model_says(void **state)
{
    (void)state;
    live_histories(false);
}

/* Before the flush, after it and after the seal the same message counts as the last. */
static void sources_that_say_things_within_a_second_are_ordered_to_the_millisecond(void **state)
{
    (void)state;
    live_histories(true);
}

/* Takes and flushes something in source 0 at an instant, and names the state behind it. */
static void step_at(struct rig *rig, int64_t now_us, char ret_position[static 200])
{
    struct err_text error = {0};
    clock_freeze(now_us);
    do
        history_next(&rig->history, 0);
    while (!rig->history.n_events);
    rig_persist_series(rig);
    rig_take(rig);
    expect_done(rig, rig_flush(rig, 0, &error), &error, "a flush");
    struct view *view = open_view(rig);
    snprintf(ret_position, 200, "%s", view_position(view));
    view_close(view);
}

static int ask_changes(struct rig *rig, const char *position)
{
    struct view_changes changes = {0};
    struct view *view = open_view(rig);
    int rc = view_changes(view, position, &changes);
    view_changes_free(&changes);
    view_close(view);
    return rc;
}

static void a_position_older_than_revisions_keep_is_expired(void **state)
{
    (void)state;
    struct rig rig;
    char positions[4][200];
    int64_t now_us = INT64_C(1760000000000000), hours[4] = {0, 2, 90 * 24 + 1, 90 * 24 + 3};
    rig_init(&rig, first_seed, false);
    for (int i = 0; i < 4; i++) {
        step_at(&rig, now_us + hours[i] * US_PER_HOUR, positions[i]);
        /* the first is superseded by the second, which is older than 90 days when the fourth comes */
        for (int k = 0; k <= i; k++)
            assert_int_equal(ask_changes(&rig, positions[k]), i == 3 && k == 0 ? ERR_EXPIRED : 0);
    }
    clock_freeze(INT64_MIN);
    rig_done(&rig);
}

/* Whatever a client sends instead of a position. */
static void what_is_no_position_is_refused(void **state)
{
    (void)state;
    struct rig rig;
    char position[200], changed[200];
    rig_init(&rig, first_seed, false);
    step_at(&rig, INT64_C(1760000000000000), position);
    clock_freeze(INT64_MIN);
    size_t size = strlen(position);
    for (size_t i = 0; i < size; i++) {
        snprintf(changed, sizeof(changed), "%.*s", (int)i, position);
        int rc = ask_changes(&rig, changed); /* a source less is a source that it does not know */
        assert_true(rc == ERR_INVALID || (rc == 0 && i >= 7));
        for (const char *c = "A_-=+ z"; *c; c++) {
            snprintf(changed, sizeof(changed), "%s", position);
            changed[i] = *c;
            rc = ask_changes(&rig, changed);
            assert_true(rc == ERR_INVALID || (rc == 0 && (strcmp(changed, position) == 0 || i >= 6)));
        }
    }
    snprintf(changed, sizeof(changed), "%.190sAAAA", position);
    assert_int_equal(ask_changes(&rig, changed), ERR_INVALID);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_history_reads_as_the_naive_model_says),
        cmocka_unit_test(sources_that_say_things_within_a_second_are_ordered_to_the_millisecond),
        cmocka_unit_test(a_position_older_than_revisions_keep_is_expired),
        cmocka_unit_test(what_is_no_position_is_refused),
    };
    const char *text = getenv("ALMANAC_SEED");
    first_seed = text ? strtoull(text, NULL, 10) : (uint64_t)getpid() * 7919;
    print_message("# ALMANAC_SEED=%" PRIu64 "\n", first_seed);
    log_level_set((enum log_level)-1); /* failures are what is asked for */
    assert_int_equal(hash_init(), 0);
    fault_vfs_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
