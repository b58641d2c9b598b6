/* Random histories through the whole store: batches, flushes, seals, deaths and restarts in any order; and then what is read,
 * by scan, counts, cells, changes and the rows for people, is what the naive model says. I1, I2, I3, I6, I8.
 *
 *     ALMANAC_SEED=7 tests/unit/test_history */
#include <config.h>

#include "../lib/fault_vfs.h"
#include "../lib/history.h"
#include "../lib/random.h"
#include "../lib/test.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/civil.h"
#include "common/hash.h"
#include "common/log.h"
#include "store/catalog.h"
#include "store/flush.h"
#include "store/parcel.h"
#include "store/partition.h"
#include "store/reader.h"
#include "store/seal.h"
#include "store/tier_file.h"
#include "store/writer.h"

#define TOPIC "readings.history"
#define KEPT 3     /* older views that are read again */
#define OPS 60     /* of a history */
#define ROUNDS 10

/* A view with what it must show, for as long as it is held. */
struct kept {
    struct view *view;
    struct points points[HISTORY_SERIES];
    int64_t n_takes; /* when it was opened */
    bool synced;     /* nothing was unsynced then, so that its position is exact */
};

/* A store and its history. */
struct rig {
    uint64_t round_seed, seed;
    char dir[300];
    struct history history;
    struct registry *registry;
    struct catalog *catalog;
    struct catalog_reader *lookup;
    struct reader_dir *reader;
    int64_t sources[HISTORY_SOURCES], epochs[HISTORY_SOURCES], offsets[HISTORY_SOURCES];
    struct partition *partitions[HISTORY_SOURCES];
    uint32_t series_i[HISTORY_SERIES], series_id[HISTORY_SERIES];
    bool is_here[HISTORY_SOURCES][HISTORY_SERIES]; /* the catalog knows */
    int64_t n_takes, touched[HISTORY_SERIES];      /* the newest take that had the series */
    enum window_length window;
    struct kept kept[KEPT];
    struct batch batch;
};

static uint64_t first_seed;

static int64_t below(struct rig *rig, int64_t n)
{
    return random_below(&rig->seed, n);
}

#define broken(rig, ...)                                                                                                \
    do {                                                                                                                \
        print_message("# ALMANAC_SEED=%" PRIu64 ", %s\n", (rig)->round_seed, (rig)->dir);                               \
        fail_msg(__VA_ARGS__);                                                                                          \
    } while (0)

/* ---- the store ---- */

static void open_partitions(struct rig *rig)
{
    static const struct owner owner = {.generation = 1, .member = "test"};
    for (int s = 0; s < HISTORY_SOURCES; s++) {
        struct source source = {.cluster = "cluster", .topic = TOPIC, .partition = s};
        struct err_text error = {0};
        struct claim claim;
        int rc = partition_open(rig->dir, TOPIC, s, &rig->partitions[s], &error);
        rc = rc ? rc : partition_claim(rig->partitions[s], &source, &owner, &claim, &rig->epochs[s], &error);
        if (rc)
            broken(rig, "source %d does not open: %s", s, error.text);
        rig->offsets[s] = claim.next_offset < 0 ? 0 : claim.next_offset;
    }
}

static void close_partitions(struct rig *rig)
{
    for (int s = 0; s < HISTORY_SOURCES; s++) {
        partition_close(rig->partitions[s]);
        rig->partitions[s] = NULL;
    }
}

static void add_series(struct rig *rig)
{
    for (int s = 0; s < HISTORY_SERIES; s++) {
        const struct history_series *series = &history_series[s];
        static const char unit[] = "ppm";
        struct entity *entity;
        struct series *made;
        const struct unit *from;
        enum refusal_reason reason;
        bool is_free = strcmp(series->type, "Property") == 0;
        assert_int_equal(registry_entity(rig->registry, series->entity, strlen(series->entity), series->type,
                                         strlen(series->type), &entity, &reason), 0);
        assert_int_equal(registry_series(rig->registry, entity, series->property, strlen(series->property),
                                         is_free ? unit : NULL, is_free ? strlen(unit) : 0, &made, &from, &reason), 0);
        rig->series_i[s] = made->index;
        assert_int_equal(made->kind, series->kind);
    }
    struct err_text error = {0};
    if (catalog_persist(rig->catalog, rig->registry, rig->sources[0], NULL, 0, &error))
        broken(rig, "%s", error.text);
    for (int s = 0; s < HISTORY_SERIES; s++)
        rig->series_id[s] = registry_at(rig->registry, rig->series_i[s])->id;
}

static void rig_init(struct rig *rig, uint64_t seed)
{
    static const enum window_length lengths[] = {WINDOW_DAY, WINDOW_WEEK, WINDOW_MONTH, WINDOW_AUTO};
    const char *tmp = getenv("TMPDIR");
    struct err_text error = {0};
    *rig = (struct rig){.round_seed = seed, .seed = seed * 31 + 5, .window = lengths[seed % 4]};
    snprintf(rig->dir, sizeof(rig->dir), "%.200s/almanac-history-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(rig->dir));
    history_init(&rig->history, seed);
    batch_init(&rig->batch);
    rig->registry = registry_new();
    assert_non_null(rig->registry);
    int rc = store_create(rig->dir, &error);
    rc = rc ? rc : catalog_open(rig->dir, rig->registry, &rig->catalog, &error);
    for (int s = 0; s < HISTORY_SOURCES && !rc; s++)
        rc = catalog_source(rig->catalog, TOPIC, s, &rig->sources[s], &error);
    rc = rc ? rc : catalog_reader_open(rig->dir, &rig->lookup, &error);
    rc = rc ? rc : reader_dir_open(rig->dir, &rig->reader, &error);
    if (rc)
        broken(rig, "%s", error.text);
    open_partitions(rig);
    add_series(rig);
}

static void drop_kept(struct kept *kept)
{
    view_close(kept->view);
    for (int s = 0; s < HISTORY_SERIES; s++)
        points_free(&kept->points[s]);
    *kept = (struct kept){0};
}

static void remove_folder(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        char child[900];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
        if (entry->d_type == DT_DIR)
            remove_folder(child);
        else
            unlink(child);
    }
    if (dir)
        closedir(dir);
    rmdir(path);
}

static void rig_done(struct rig *rig)
{
    for (int k = 0; k < KEPT; k++)
        drop_kept(&rig->kept[k]);
    reader_dir_close(rig->reader);
    close_partitions(rig);
    catalog_reader_close(rig->lookup);
    catalog_close(rig->catalog);
    registry_free(rig->registry);
    batch_free(&rig->batch);
    history_free(&rig->history);
    remove_folder(rig->dir);
}

/* ---- what happens to it ---- */

static void fill_batch(struct rig *rig)
{
    const struct history *history = &rig->history;
    struct batch *batch = &rig->batch;
    int64_t offset = rig->offsets[history->source];
    batch_clear(batch);
    for (size_t i = 0; i < history->n_events; i++) {
        const struct event *event = &history->events[i];
        struct reading *reading = batch_add(batch);
        assert_non_null(reading);
        *reading = (struct reading){.t_us = event->t_us, .issued_us = event->issued_us, .period_us = event->period_us,
                                    .known_ms = event->known_ms, .offset = offset, .quality = event->quality,
                                    .op = (uint8_t)event->op, .series_i = rig->series_i[event->series]};
        if (history_series[event->series].kind != KIND_STATE)
            reading->m = event->m, reading->e = event->e;
        else if (event->op == OP_VALUE)
            assert_int_equal(texts_intern(&batch->texts, event->text, strlen(event->text), &reading->m), 0);
    }
    batch->first_offset = offset;
    batch->next_offset = offset + 1;
    batch->n_messages = 1;
    batch->last_known_ms = history->known_ms;
    memset(batch->last_hash, (int)(offset & 0xff), sizeof(batch->last_hash));
}

/* As the writer does: the catalog knows a series in a source before readings of it are stored there. */
static void persist_series(struct rig *rig)
{
    struct err_text error = {0};
    int source = rig->history.source;
    for (uint32_t s = 0; s < HISTORY_SERIES; s++) {
        if (rig->is_here[source][s] || !history_touches(&rig->history, s))
            continue;
        if (catalog_persist(rig->catalog, rig->registry, rig->sources[source], &rig->series_i[s], 1, &error))
            broken(rig, "%s", error.text);
        rig->is_here[source][s] = true;
    }
}

static int take_batch(struct rig *rig)
{
    int source = rig->history.source;
    struct buf parcel = {0};
    fill_batch(rig);
    assert_int_equal(parcel_encode(&rig->batch, 0, rig->registry, &parcel), 0);
    struct taking taking = {.epoch = rig->epochs[source], .batch = &rig->batch, .parcel = &parcel,
                            .n_readings = (int64_t)rig->batch.n_readings};
    int rc = partition_take(rig->partitions[source], &taking, NULL);
    buf_free(&parcel);
    return rc;
}

static void note_taken(struct rig *rig)
{
    history_apply(&rig->history);
    rig->n_takes++;
    for (uint32_t s = 0; s < HISTORY_SERIES; s++)
        if (history_touches(&rig->history, s))
            rig->touched[s] = rig->n_takes;
}

static void make_batch(struct rig *rig)
{
    do
        history_next(&rig->history, (int)below(rig, HISTORY_SOURCES));
    while (!rig->history.n_events);
    persist_series(rig);
}

static void take(struct rig *rig)
{
    if (take_batch(rig))
        broken(rig, "a batch is not taken");
    rig->offsets[rig->history.source]++;
    note_taken(rig);
}

static int flush(struct rig *rig, int source, struct err_text *error)
{
    int64_t n_expired;
    return flush_run(&(struct flush_opts){.partition = rig->partitions[source], .catalog = rig->lookup, .window = rig->window,
                                          .revisions_keep_us = 90 * US_PER_DAY}, &n_expired, error);
}

/* Seals one of the open windows, or all; readings may still wait for them. */
static int seal(struct rig *rig, int source, bool all, struct err_text *error)
{
    int rc = 0;
    for (bool more = true; more && !rc;) {
        struct file_list files = {0};
        size_t n_open = 0;
        rc = partition_files(rig->partitions[source], &files, error);
        for (size_t i = 0; i < files.n; i++)
            if (files.at[i].kind == FILE_OPEN)
                files.at[n_open++] = files.at[i]; /* only the windows are wanted of this copy */
        struct window window = n_open ? files.at[below(rig, (int64_t)n_open)].window : (struct window){0};
        file_list_free(&files);
        if (!rc && n_open) {
            rc = partition_files(rig->partitions[source], &files, error);
            struct seal_opts opts = {window, (1u << TIER_N) - 1, INT64_MIN, false};
            rc = rc ? rc : seal_window(rig->partitions[source], &files, &opts, error);
            file_list_free(&files);
        }
        more = all && n_open;
    }
    return rc;
}

/* The process dies at some change of the disk: while it takes, flushes or seals. */
static void die(struct rig *rig)
{
    int source = (int)below(rig, HISTORY_SOURCES), what = (int)below(rig, 3);
    struct err_text error = {0};
    int64_t n = 1 + below(rig, what ? 120 : 8);
    if (what == 0)
        make_batch(rig);
    fault_vfs_arm(FAULT_DEAD, n);
    int rc = what == 0 ? take_batch(rig) : what == 1 ? flush(rig, source, &error) : seal(rig, source, below(rig, 2), &error);
    bool hit = fault_vfs_hit();
    close_partitions(rig);
    fault_vfs_disarm();
    fault_vfs_forget();
    if (rc && !hit)
        broken(rig, "without a fault: %s", error.text);
    int64_t offset = rig->offsets[rig->history.source];
    open_partitions(rig);
    if (what == 0 && rig->offsets[rig->history.source] == offset)
        take(rig); /* Kafka tells it again (I1) */
    else if (what == 0)
        note_taken(rig);
}

/* ---- what it must show ---- */

static void check_scan(struct rig *rig, struct view *view, uint32_t s, const struct points *expected, int64_t begin_us,
                       int64_t end_us)
{
    struct scan *scan;
    struct points found = {0}, some = {0};
    bool is_state = history_series[s].kind == KIND_STATE;
    char wrong[400];
    int rc = scan_open(view, rig->series_id[s], begin_us, end_us, POINTS_ALL, &scan);
    assert_int_equal(rc, 0);
    while ((rc = scan_next(scan, &some)) == 1)
        for (size_t i = 0; i < some.n; i++)
            assert_int_equal(points_append(&found, &some, i, is_state), 0);
    if (rc)
        broken(rig, "series %u cannot be read: %s", s, err_name(rc));
    points_difference(expected, points_seek(expected, 0, begin_us), points_seek(expected, 0, end_us), &found, is_state, wrong);
    if (*wrong)
        broken(rig, "series %u, [%" PRId64 ", %" PRId64 "): %s", s, begin_us, end_us, wrong);
    scan_close(scan);
    points_free(&found);
    points_free(&some);
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
    size_t i = (size_t)below(rig, (int64_t)expected->n), n = 0;
    check_scan(rig, view, s, expected, expected->t_us[i], expected->t_us[i] + 1);
    check_scan(rig, view, s, expected, expected->t_us[i] + 1, expected->t_us[i] + 1 + below(rig, 3 * US_PER_DAY));
    int64_t begin_us = expected->t_us[0] - expected->t_us[0] % US_PER_DAY;
    int64_t end_us = expected->t_us[expected->n - 1] + US_PER_DAY;
    end_us -= end_us % US_PER_DAY;
    for (enum tier tier = TIER_1S; tier < TIER_N && history_series[s].kind != KIND_STATE; tier++) {
        n += check_cells(rig, view, s, tier, expected, begin_us, end_us);
        int64_t part_us = expected->t_us[i] - expected->t_us[i] % tier_width_us[tier];
        check_cells(rig, view, s, tier, expected, part_us, part_us + tier_width_us[tier] * (1 + below(rig, 50)));
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

/* A view into the future's store is refused: the older one has not reached the newer one's position. */
static void check_future(struct rig *rig, const struct kept *older, struct view *now)
{
    struct view_changes changes;
    if (older->n_takes < rig->n_takes && view_changes(older->view, view_position(now), &changes) != ERR_INVALID)
        broken(rig, "a position of the future is taken");
}

static void keep_view(struct rig *rig)
{
    struct kept *kept = &rig->kept[below(rig, KEPT)];
    drop_kept(kept);
    kept->synced = below(rig, 2);
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
    for (int k = 0; k < KEPT; k++) {
        struct kept *kept = &rig->kept[k];
        if (!kept->view)
            continue;
        uint32_t s = (uint32_t)below(rig, HISTORY_SERIES);
        check_series(rig, kept->view, s, &kept->points[s]);
        check_changes(rig, kept, now);
        check_future(rig, kept, now);
    }
    view_close(now);
}

static size_t check_now(struct rig *rig, bool all)
{
    struct view *view = open_view(rig);
    struct points points = {0};
    size_t n_cells = 0;
    for (uint32_t s = 0; s < HISTORY_SERIES; s++) {
        if (!all && below(rig, 4))
            continue;
        history_points(&rig->history, s, &points);
        n_cells += check_series(rig, view, s, &points);
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
            if (!rig->is_here[source][s] || rig->is_here[1 - source][s])
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
    int source = (int)below(rig, HISTORY_SOURCES);
    int64_t what = below(rig, 20);
    if (what < 9) {
        make_batch(rig);
        take(rig);
    } else if (what < 12) {
        expect_done(rig, flush(rig, source, &error), &error, "a flush");
    } else if (what < 14) {
        expect_done(rig, seal(rig, source, below(rig, 2), &error), &error, "a seal");
    } else if (what < 15) {
        close_partitions(rig);
        open_partitions(rig);
    } else if (what < 17) {
        die(rig);
    } else {
        keep_view(rig);
    }
    if (what >= 9 && below(rig, 2))
        check_now(rig, false);
    else if (below(rig, 4) == 0)
        check_kept(rig);
}

/* In the end all is flushed, then sealed, and looked at wholly each time. Returns how many cells were compared. */
static size_t end_history(struct rig *rig)
{
    struct err_text error = {0};
    check_now(rig, true);
    for (int s = 0; s < HISTORY_SOURCES; s++)
        expect_done(rig, flush(rig, s, &error), &error, "a flush");
    check_now(rig, true);
    for (int s = 0; s < HISTORY_SOURCES; s++) {
        check_people(rig, s);
        expect_done(rig, seal(rig, s, true, &error), &error, "a seal");
        check_people(rig, s);
    }
    check_kept(rig);
    return check_now(rig, true);
}

static void a_history_reads_as_the_naive_model_says(void **state)
{
    (void)state;
    int n_rounds = getenv("ALMANAC_SOAK") ? 50 * ROUNDS : getenv("ALMANAC_SEED") ? 1 : ROUNDS;
    size_t n_cells = 0;
    for (int round = 0; round < n_rounds; round++) {
        struct rig rig;
        rig_init(&rig, first_seed + (uint64_t)round);
        for (int op = 0; op < OPS; op++)
            act(&rig);
        n_cells += end_history(&rig);
        rig_done(&rig);
    }
    print_message("# %d histories, %zu cells of sealed windows\n", n_rounds, n_cells);
    assert_true(n_cells > 0 || n_rounds == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_history_reads_as_the_naive_model_says),
    };
    const char *text = getenv("ALMANAC_SEED");
    first_seed = text ? strtoull(text, NULL, 10) : (uint64_t)getpid() * 7919;
    print_message("# ALMANAC_SEED=%" PRIu64 "\n", first_seed);
    log_level_set((enum log_level)-1); /* failures are what is asked for */
    assert_int_equal(hash_init(), 0);
    fault_vfs_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
