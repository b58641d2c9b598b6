/* What is left when readings, tiers and revisions expire: I2, I3, I6, I8. */
#include <config.h>

#include "../lib/fault_vfs.h"
#include "../lib/random.h"
#include "../lib/stream.h"
#include "../lib/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/civil.h"
#include "common/log.h"
#include "model/reading.h"
#include "store/expire.h"
#include "store/reader.h"
#include "store/tier_file.h"
#include "store/window_file.h"

#define BEGIN STREAM_BEGIN_US
#define N_DAYS 4
#define DAY(i) (BEGIN + (i) * US_PER_DAY)
/* The readings of the first two days have expired, those of the third have not. */
#define NOW (DAY(32) + US_PER_HOUR)

static const struct writer_opts opts = {.window = WINDOW_DAY, .seal_after_us = 1000 * US_PER_HOUR};
static const struct retention month = {.raw = {.days = 30}};

/* ---- a store with something of each kind on each day ---- */

static struct reading *add(struct store *store, uint32_t number, int64_t t_us, int64_t m)
{
    struct reading *reading = batch_add(&store->batch);
    assert_non_null(reading);
    reading->series_i = store_series(store, number);
    reading->t_us = t_us;
    reading->m = m;
    reading->known_ms = t_us / 1000;
    return reading;
}

static void add_day(struct store *store, int64_t begin_us, int64_t *register_wh)
{
    static const char *const texts[] = {"day", "night"};
    for (int64_t i = 0; i < 2400; i++) /* a gauge four times a second, for ten minutes */
        add(store, 0, begin_us + 10 * US_PER_HOUR + i * US_PER_SECOND / 4, 2300 + i % 7)->e = -1;
    for (int64_t i = 0; i < 720; i++) { /* a register every ten seconds, the last one suspect */
        struct reading *reading = add(store, 1, begin_us + 6 * US_PER_HOUR + i * 10 * US_PER_SECOND, *register_wh += i % 3);
        reading->quality = i % 50 == 7 ? QUALITY_ESTIMATED : i == 719 ? QUALITY_SUSPECT : QUALITY_MEASURED;
    }
    for (int64_t i = 0; i < 96; i++) { /* amounts; the last one of the second day goes on in the third */
        bool is_long = begin_us == DAY(1) && i == 95;
        add(store, 2, begin_us + i * 15 * US_PER_MINUTE, 100 + i)->period_us = is_long ? US_PER_HOUR : 15 * US_PER_MINUTE;
    }
    for (int64_t i = 0; i < 24; i++) { /* two forecasts for each hour */
        for (int64_t issue = 1; issue <= 2; issue++)
            add(store, 3, begin_us + i * US_PER_HOUR, 10 * i + issue)->issued_us = begin_us - issue * US_PER_HOUR;
        struct reading *state = add(store, 4, begin_us + i * US_PER_HOUR, 0);
        assert_int_equal(texts_intern(&store->batch.texts, texts[i / 12], strlen(texts[i / 12]), &state->m), 0);
    }
}

/* As one message a day. */
static int take_batch(struct store *store, int64_t offset)
{
    struct sink *sink = writer_sink(store->writer);
    struct err_text error = {0};
    for (size_t i = 0; i < store->batch.n_readings; i++)
        store->batch.readings[i].offset = offset;
    store->batch.first_offset = offset;
    store->batch.next_offset = offset + 1;
    store->batch.n_messages = 1;
    int rc = sink->take(sink, store->handle, &store->batch, &error);
    snprintf(store->error, sizeof(store->error), "%s", error.text);
    return rc;
}

static void fill(struct store *store)
{
    int64_t register_wh = 1000;
    store_make(store, &opts);
    assert_int_equal(store_open(store), 0);
    for (int day = 0; day < N_DAYS; day++) {
        batch_clear(&store->batch);
        add_day(store, DAY(day), &register_wh);
        assert_int_equal(take_batch(store, day), 0);
    }
    store_close(store);
}

static void fill_and_seal(struct store *store)
{
    fill(store);
    assert_int_equal(store_seal(store), 0);
}

/* ---- what a view shows ---- */

/* Everything that a view says of the series, which have the ids 1 .. 5 in some order. */
struct shown {
    struct points points;
    struct cells cells[TIER_N];
    struct spans raw[TIER_N];
    struct series_stats stats;
    struct points carry;
};
#define N_SERIES 5

struct picture {
    struct reader_dir *dir;
    struct view *view;
    struct shown series[N_SERIES];
    enum kind kind[N_SERIES];
    char property[N_SERIES][40];
};

static int note_series(void *arg, const struct series_info *info)
{
    struct picture *picture = arg;
    assert_true(info->id >= 1 && info->id <= N_SERIES);
    picture->kind[info->id - 1] = info->kind;
    snprintf(picture->property[info->id - 1], sizeof(picture->property[0]), "%s", info->property);
    return 0;
}

static void scan_all(struct picture *picture, uint32_t id, struct points *points)
{
    struct scan *scan;
    struct points part = {0};
    int rc;
    bool is_state = picture->kind[id - 1] == KIND_STATE;
    assert_int_equal(scan_open(picture->view, id, CIVIL_MIN_US, CIVIL_END_US, POINTS_ALL, &scan), 0);
    while ((rc = scan_next(scan, &part)) == 1)
        for (size_t i = 0; i < part.n; i++)
            assert_int_equal(points_append(points, &part, i, is_state), 0);
    assert_int_equal(rc, 0);
    scan_close(scan);
    points_free(&part);
}

static void look(struct picture *picture)
{
    for (uint32_t id = 1; id <= N_SERIES; id++) {
        struct shown *shown = &picture->series[id - 1];
        scan_all(picture, id, &shown->points);
        for (enum tier tier = 0; tier < TIER_N; tier++)
            assert_int_equal(view_cells(picture->view, id, tier, DAY(0), DAY(N_DAYS), &shown->cells[tier], &shown->raw[tier]),
                             0);
        assert_int_equal(view_stats(picture->view, id, &shown->stats), 0);
        assert_int_equal(view_carry(picture->view, id, &shown->carry), 0);
    }
}

static void picture_open(struct picture *picture, const struct store *store)
{
    struct err_text error = {0};
    *picture = (struct picture){0};
    if (reader_dir_open(store->dir, &picture->dir, &error) || view_open(picture->dir, &picture->view, &error))
        fail_msg("%s", error.text);
    assert_int_equal(reader_series(picture->dir, &(struct series_filter){0}, note_series, picture), 0);
}

static void picture_forget(struct picture *picture)
{
    for (int i = 0; i < N_SERIES; i++) {
        struct shown *shown = &picture->series[i];
        points_free(&shown->points);
        points_free(&shown->carry);
        for (enum tier tier = 0; tier < TIER_N; tier++) {
            cells_free(&shown->cells[tier]);
            spans_free(&shown->raw[tier]);
        }
        *shown = (struct shown){0};
    }
}

static void picture_close(struct picture *picture)
{
    picture_forget(picture);
    view_close(picture->view);
    reader_dir_close(picture->dir);
}

static void take_picture(struct picture *picture, const struct store *store)
{
    picture_open(picture, store);
    look(picture);
}

static uint32_t id_of(const struct picture *picture, const char *property)
{
    for (uint32_t id = 1; id <= N_SERIES; id++)
        if (strcmp(picture->property[id - 1], property) == 0)
            return id;
    fail_msg("no series %s", property);
    return 0;
}

static bool same_point(const struct points *a, size_t i, const struct points *b, size_t j, bool is_state)
{
    return a->t_us[i] == b->t_us[j] && a->quality[i] == b->quality[j] && a->period_us[i] == b->period_us[j] &&
           a->issued_us[i] == b->issued_us[j] && a->known_ms[i] == b->known_ms[j] &&
           (is_state ? strcmp(texts_at(&a->texts, a->m[i]), texts_at(&b->texts, b->m[j])) == 0
                     : decimal_compare((struct decimal){a->m[i], a->e[i]}, (struct decimal){b->m[j], b->e[j]}) == 0);
}

/* Readings from since_us on are those of before, and there are no others. */
static void expect_points(const struct picture *before, const struct picture *after, int64_t since_us)
{
    for (int s = 0; s < N_SERIES; s++) {
        const struct points *a = &before->series[s].points, *b = &after->series[s].points;
        size_t first = points_seek(a, 0, since_us);
        assert_int_equal(b->n, a->n - first);
        for (size_t i = 0; i < b->n; i++)
            assert_true(same_point(a, first + i, b, i, before->kind[s] == KIND_STATE));
        assert_int_equal(after->series[s].stats.count, b->n);
        if (b->n)
            assert_int_equal(after->series[s].stats.first_us, b->t_us[0]);
    }
}

/* What is carried over is, of each class, the last reading before since_us. */
static void expect_carry(const struct picture *before, const struct picture *after, int64_t since_us)
{
    for (int s = 0; s < N_SERIES; s++) {
        const struct points *points = &before->series[s].points, *carry = &after->series[s].carry;
        size_t n = 0, end = points_seek(points, 0, since_us);
        for (unsigned class = 0; class < QUALITY_N; class++) {
            size_t i = end;
            while (i && (points->quality[i - 1] & QUALITY_CLASS_MASK) != class)
                i--;
            if (!i)
                continue;
            n++;
            bool found = false;
            for (size_t c = 0; c < carry->n; c++)
                found = found || same_point(points, i - 1, carry, c, before->kind[s] == KIND_STATE);
            assert_true(found);
        }
        assert_int_equal(carry->n, n);
        for (size_t c = 1; c < carry->n; c++)
            assert_true(carry->t_us[c - 1] <= carry->t_us[c]);
    }
}

/* The cells of [begin, end), worked out from the readings of before, window by window. */
static bool expected_cells(const struct picture *before, int s, enum tier tier, int64_t begin_us, size_t min_readings,
                           struct cells *cells)
{
    struct series_row row = {.kind = before->kind[s]};
    struct points day = {0};
    const struct points *all = &before->series[s].points;
    bool worth;
    for (size_t i = points_seek(all, 0, begin_us); i < points_seek(all, 0, begin_us + US_PER_DAY); i++)
        assert_int_equal(points_append(&day, all, i, before->kind[s] == KIND_STATE), 0);
    assert_int_equal(tier_compute(&row, &day, tier, min_readings, cells, &worth), 0);
    points_free(&day);
    return worth;
}

static size_t seek_cell(const struct cells *cells, int64_t t_us)
{
    size_t i = 0;
    while (i < cells->n && cells->rows[i].begin_us < t_us)
        i++;
    return i;
}

/* I6: each day's cells are those of its readings, where the tier is there; a day that has expired asks for no readings. */
static void expect_cells(const struct picture *before, const struct picture *after, int64_t expired_us, unsigned tiers)
{
    for (int s = 0; s < N_SERIES; s++) {
        for (enum tier tier = 0; tier < TIER_N; tier++) {
            const struct cells *found = &after->series[s].cells[tier];
            for (int day = 0; day < N_DAYS; day++) {
                struct cells cells = {0};
                bool is_expired = DAY(day) < expired_us;
                bool worth = expected_cells(before, s, tier, DAY(day), is_expired && tier == TIER_15M ? 0 : TIER_MIN_READINGS,
                                            &cells);
                worth = worth && tiers >> tier & 1;
                size_t first = seek_cell(found, DAY(day)), end = seek_cell(found, DAY(day + 1));
                assert_int_equal(end - first, worth ? cells.n : 0);
                for (size_t i = 0; i < cells.n && worth; i++)
                    assert_true(cell_equal(&cells.rows[i], &found->rows[first + i]));
                cells_free(&cells);
            }
            const struct spans *raw = &after->series[s].raw[tier];
            assert_true(!raw->n || raw->rows[0].begin_us >= expired_us);
        }
    }
}

static int64_t left_of(const struct picture *picture, const char *property, const enum tier *tier, int64_t begin_us,
                       int64_t end_us)
{
    int64_t left_us = -1;
    assert_int_equal(view_left(picture->view, id_of(picture, property), tier, begin_us, end_us, &left_us), 0);
    return left_us;
}

/* ---- expiring ---- */

static int expire_until_done(const struct expire_opts *rules, struct partition *partition, int *ret_n, struct err_text *error)
{
    enum expire_what what = EXPIRE_READINGS;
    int rc = 0;
    while (!rc && what != EXPIRE_NOTHING) {
        struct file_list files = {0};
        const struct file *file;
        bool unread;
        if ((rc = partition_files(partition, &files, error)))
            break;
        what = expire_next(rules, &files, &file);
        if (what != EXPIRE_NOTHING)
            rc = expire_do(rules, partition, &files, what, file, &unread, error);
        *ret_n += what != EXPIRE_NOTHING;
        file_list_free(&files);
    }
    return rc;
}

/* Does all that is due; how many steps it took, or a code. */
static int try_expire(struct store *store, const struct expire_opts *rules)
{
    struct partition *partition = NULL;
    struct err_text error = {0};
    int n = 0, rc = partition_open(store->dir, STREAM_TOPIC, STREAM_PARTITION, &partition, &error);
    if (!rc)
        rc = expire_until_done(rules, partition, &n, &error);
    partition_close(partition);
    snprintf(store->error, sizeof(store->error), "%s", error.text);
    return rc ? rc : n;
}

static int expire(struct store *store, const struct retention *retention, int64_t now_us)
{
    struct expire_opts rules = {retention, 1000 * 365 * US_PER_DAY, now_us, NULL};
    int n = try_expire(store, &rules);
    if (n < 0)
        fail_msg("%s", store->error);
    return n;
}

static void list(struct store *store, struct file_list *files, struct expired *expired)
{
    struct partition *partition;
    assert_int_equal(partition_open(store->dir, STREAM_TOPIC, STREAM_PARTITION, &partition, NULL), 0);
    assert_int_equal(partition_files(partition, files, NULL), 0);
    partition_expired(partition, expired);
    partition_close(partition);
}

static bool is_there(const struct store *store, const char *name)
{
    char path[600];
    snprintf(path, sizeof(path), "%s/%s", store->folder, name);
    return access(path, F_OK) == 0;
}

/* ---- rules ---- */

static void durations_count_back_from_now(void **state)
{
    (void)state;
    int64_t now_us;
    assert_int_equal(civil_parse_rfc3339("2025-03-31T12:00:00Z", 20, &now_us), 0);
    assert_int_equal(retention_oldest_us(&(struct duration){0}, now_us), INT64_MIN);
    assert_int_equal(retention_oldest_us(&(struct duration){.days = 2}, now_us), now_us - 2 * US_PER_DAY);
    assert_int_equal(retention_oldest_us(&(struct duration){.us = 5}, now_us), now_us - 5);
    /* a month before the 31st of March is the last of February */
    assert_int_equal(retention_oldest_us(&(struct duration){.months = 1}, now_us), now_us - 31 * US_PER_DAY);
    assert_int_equal(retention_oldest_us(&(struct duration){.months = 12}, now_us), now_us - 365 * US_PER_DAY);
    assert_int_equal(retention_oldest_us(&(struct duration){.months = 12 * 9000}, now_us), INT64_MIN);
    struct retention retention = {.tier = {{.days = 1}, {.days = 3}, {0}}};
    assert_int_equal(retention_tiers(&retention, now_us - 2 * US_PER_DAY, now_us), 1u << TIER_1M | 1u << TIER_15M);
    assert_int_equal(retention_tiers(&retention, now_us, now_us), TIERS_ALL);
}

static struct file file_of(enum file_kind kind, int day)
{
    return (struct file){.kind = kind, .window = {DAY(day), DAY(day + 1)}, .tiers = kind == FILE_TIER ? TIERS_ALL : 0};
}

static void the_oldest_window_comes_first_and_only_whole_ones(void **state)
{
    (void)state;
    struct file at[] = {file_of(FILE_TIER, 0), file_of(FILE_RAW, 1), file_of(FILE_TIER, 1), file_of(FILE_OPEN, 2)};
    struct file_list files = {at, 4, 4};
    const struct file *file = NULL;
    struct retention retention = month;
    struct expire_opts rules = {&retention, 90 * US_PER_DAY, NOW, NULL};
    assert_int_equal(expire_next(&rules, &files, &file), EXPIRE_READINGS);
    assert_ptr_equal(file, &at[1]);
    rules.now_us = DAY(32) - 1; /* the window ends too late by 1 us */
    assert_int_equal(expire_next(&rules, &files, &file), EXPIRE_NOTHING);
    rules.now_us = DAY(33); /* an open one, too */
    at[1] = file_of(FILE_TIER, 1);
    assert_int_equal(expire_next(&rules, &files, &file), EXPIRE_READINGS);
    assert_ptr_equal(file, &at[3]);
    retention.tier[TIER_1M].days = 32;
    assert_int_equal(expire_next(&rules, &files, &file), EXPIRE_TIERS);
    assert_ptr_equal(file, &at[0]);
    at[0].tiers = 1u << TIER_15M; /* was done */
    assert_int_equal(expire_next(&rules, &files, &file), EXPIRE_READINGS);
    retention = (struct retention){0};
    assert_int_equal(expire_next(&rules, &files, &file), EXPIRE_NOTHING);
}

static void old_revisions_wait_until_they_are_a_tenth_overdue_or_a_day(void **state)
{
    (void)state;
    struct file raw = file_of(FILE_RAW, 0);
    struct file_list files = {&raw, 1, 1};
    const struct file *file = NULL;
    struct retention forever = {0};
    struct expire_opts rules = {&forever, 90 * US_PER_DAY, NOW, NULL};
    assert_int_equal(expire_next(&rules, &files, &file), EXPIRE_NOTHING);
    raw.replaced_ms = (NOW - 91 * US_PER_DAY) / 1000;
    assert_int_equal(expire_next(&rules, &files, &file), EXPIRE_NOTHING);
    raw.replaced_ms--;
    assert_int_equal(expire_next(&rules, &files, &file), EXPIRE_REVISIONS);
    rules.revisions_keep_us = 10 * US_PER_HOUR;
    raw.replaced_ms = (NOW - 11 * US_PER_HOUR) / 1000;
    assert_int_equal(expire_next(&rules, &files, &file), EXPIRE_NOTHING);
    raw.replaced_ms--;
    assert_int_equal(expire_next(&rules, &files, &file), EXPIRE_REVISIONS);
}

/* ---- readings ---- */

static void tiers_answer_as_before_when_readings_have_expired(void **state)
{
    (void)state;
    struct store store;
    struct picture before, after;
    enum tier tier = TIER_15M;
    fill_and_seal(&store);
    take_picture(&before, &store);
    expect_cells(&before, &before, DAY(0), TIERS_ALL);
    assert_int_equal(left_of(&before, "voltage", NULL, DAY(0), DAY(4)), DAY(0));
    assert_int_equal(expire(&store, &month, NOW), 2);
    take_picture(&after, &store);
    expect_points(&before, &after, DAY(2));
    expect_carry(&before, &after, DAY(2));
    expect_cells(&before, &after, DAY(2), TIERS_ALL);
    /* I8: the view of before still has everything */
    picture_forget(&before);
    look(&before);
    assert_int_equal(before.series[0].points.t_us[0] / US_PER_DAY, DAY(0) / US_PER_DAY);
    assert_int_equal(before.series[0].carry.n, 0);
    expect_points(&before, &after, DAY(2));
    picture_close(&before);
    /* readings are not left; cells are, but not of what goes on in another cell */
    assert_int_equal(left_of(&after, "voltage", NULL, DAY(0), DAY(4)), DAY(2));
    assert_int_equal(left_of(&after, "voltage", NULL, DAY(1) + 11 * US_PER_HOUR, DAY(4)), DAY(1) + 11 * US_PER_HOUR);
    assert_int_equal(left_of(&after, "voltage", NULL, DAY(-9), DAY(0)), DAY(-9));
    assert_int_equal(left_of(&after, "voltage", &tier, DAY(0), DAY(4)), DAY(0));
    assert_int_equal(left_of(&after, "activeEnergyImport", &tier, DAY(0), DAY(4)), DAY(0));
    assert_int_equal(left_of(&after, "energy", &tier, DAY(0), DAY(1)), DAY(0));
    assert_int_equal(left_of(&after, "energy", &tier, DAY(0), DAY(4)), DAY(2));
    tier = TIER_1S;
    assert_int_equal(left_of(&after, "voltage", &tier, DAY(0), DAY(4)), DAY(0));
    assert_int_equal(left_of(&after, "activeEnergyImport", &tier, DAY(0), DAY(4)), DAY(2));
    picture_close(&after);
    assert_int_equal(store_seal(&store), 0); /* removes what was retired */
    assert_false(is_there(&store, "2024-03-01.raw.g1.db"));
    assert_false(is_there(&store, "2024-03-01.tier.g1.db"));
    assert_true(is_there(&store, "2024-03-01.tier.g2.db"));
    assert_true(is_there(&store, "2024-03-03.raw.g1.db"));
    store_remove(&store);
}

/* One open window after the other, the same without a seal before. */
static void open_windows_expire_as_sealed_ones_do(void **state)
{
    (void)state;
    struct store store;
    struct picture before, after;
    fill(&store);
    take_picture(&before, &store);
    assert_int_equal(expire(&store, &month, DAY(31)), 1);
    assert_int_equal(expire(&store, &month, NOW), 1);
    take_picture(&after, &store);
    expect_points(&before, &after, DAY(2));
    expect_carry(&before, &after, DAY(2));
    for (int s = 0; s < N_SERIES; s++) {
        struct cells cells = {0};
        bool worth = expected_cells(&before, s, TIER_15M, DAY(1), 0, &cells);
        const struct cells *found = &after.series[s].cells[TIER_15M];
        assert_int_equal(seek_cell(found, DAY(2)) - seek_cell(found, DAY(1)), worth ? cells.n : 0);
        cells_free(&cells);
    }
    picture_close(&before);
    picture_close(&after);
    store_remove(&store);
}

/* Late readings and deletions do not begin a window anew, whether they are flushed or not; others of their batch are kept. */
static void what_comes_for_an_expired_window_is_dropped(void **state)
{
    (void)state;
    struct store store;
    struct picture before, after;
    fill_and_seal(&store);
    assert_int_equal(expire(&store, &month, NOW), 2);
    take_picture(&before, &store);
    assert_int_equal(store_open(&store), 0);
    batch_clear(&store.batch);
    add(&store, 0, DAY(0) + 5, 77);
    add(&store, 3, DAY(1) + 5, 77);
    struct reading *wide = add(&store, 1, DAY(0), 0);
    wide->op = OP_DELETE_RANGE;
    wide->period_us = 2 * US_PER_DAY + 7 * US_PER_HOUR; /* reaches into what is left */
    assert_int_equal(take_batch(&store, N_DAYS), 0);
    for (int flushed = 0; flushed < 2; flushed++) {
        take_picture(&after, &store);
        uint32_t id = id_of(&after, "activeEnergyImport");
        const struct points *left = &after.series[id - 1].points;
        assert_int_equal(left->t_us[0], DAY(2) + 7 * US_PER_HOUR);
        assert_int_equal(before.series[id - 1].points.n - left->n, 360);
        for (uint32_t s = 1; s <= N_SERIES; s++) {
            struct shown *a = &before.series[s - 1], *b = &after.series[s - 1];
            assert_true(s == id || a->points.n == b->points.n);
            assert_int_equal(seek_cell(&a->cells[TIER_15M], DAY(2)), seek_cell(&b->cells[TIER_15M], DAY(2)));
            assert_int_equal(b->carry.n, a->carry.n);
        }
        picture_close(&after);
        store_close(&store); /* flushes */
    }
    struct file_list files = {0};
    struct expired expired;
    list(&store, &files, &expired);
    assert_int_equal(expired.raw_us, DAY(2));
    for (size_t i = 0; i < files.n; i++)
        assert_true(files.at[i].kind == FILE_TIER || files.at[i].window.begin_us >= DAY(2));
    file_list_free(&files);
    picture_close(&before);
    store_remove(&store);
}

/* The writer says what it takes: nothing older than the retention, or than what is gone. */
static void a_longer_retention_brings_nothing_back(void **state)
{
    (void)state;
    struct store store;
    struct topic_opts topic = {(char *)STREAM_TOPIC, WINDOW_DAY, {.raw = {.days = 5}}};
    fill_and_seal(&store);
    assert_int_equal(expire(&store, &month, NOW), 2);
    assert_int_equal(store_open(&store), 0); /* for ever */
    struct sink *sink = writer_sink(store.writer);
    assert_int_equal(sink->oldest(sink, store.handle), DAY(2));
    store_close(&store);
    store.opts.topics = &topic;
    store.opts.n_topics = 1;
    topic.topic = (char *)"another";
    assert_int_equal(store_open(&store), 0);
    sink = writer_sink(store.writer);
    assert_int_equal(sink->oldest(sink, store.handle), DAY(2));
    store_close(&store);
    assert_int_equal(expire(&store, &(struct retention){0}, NOW + 900 * US_PER_DAY), 0);
    store_remove(&store);
}

/* ---- tiers ---- */

static void tiers_expire_one_after_the_other(void **state)
{
    (void)state;
    struct store store;
    struct picture before, after;
    struct retention retention = {.tier = {{.days = 28}, {.days = 28}, {.days = 40}}};
    fill_and_seal(&store);
    take_picture(&before, &store);
    /* readings are there: the tier's time is read from them */
    assert_int_equal(expire(&store, &retention, NOW), 4);
    take_picture(&after, &store);
    expect_points(&before, &after, DAY(0));
    expect_cells(&before, &after, DAY(0), 1u << TIER_15M);
    picture_close(&after);
    /* then they go; of the tiers only 15 min stays */
    retention.raw.days = 30;
    assert_int_equal(expire(&store, &retention, NOW), 2);
    take_picture(&after, &store);
    expect_points(&before, &after, DAY(2));
    expect_cells(&before, &after, DAY(2), 1u << TIER_15M);
    enum tier tier = TIER_1M;
    assert_int_equal(left_of(&after, "voltage", &tier, DAY(0), DAY(4)), DAY(2));
    tier = TIER_15M;
    assert_int_equal(left_of(&after, "voltage", &tier, DAY(0), DAY(4)), DAY(0));
    picture_close(&after);
    /* then the last one, of the first day */
    retention.tier[TIER_15M].days = 31;
    assert_int_equal(expire(&store, &retention, NOW), 1);
    take_picture(&after, &store);
    assert_int_equal(left_of(&after, "voltage", &tier, DAY(0), DAY(4)), DAY(1));
    assert_int_equal(seek_cell(&after.series[0].cells[TIER_15M], DAY(1)), 0);
    picture_close(&after);
    assert_int_equal(store_seal(&store), 0);
    struct file_list files = {0};
    struct expired expired;
    list(&store, &files, &expired);
    assert_int_equal(files.at[0].window.begin_us, DAY(1));
    assert_int_equal(files.at[0].tiers, 1u << TIER_15M);
    assert_int_equal(expired.raw_us, DAY(2));
    assert_int_equal(expired.tier_us[TIER_1S], DAY(4));
    assert_int_equal(expired.tier_us[TIER_1M], DAY(4));
    assert_int_equal(expired.tier_us[TIER_15M], DAY(1));
    file_list_free(&files);
    picture_close(&before);
    store_remove(&store);
}

static void nothing_is_left_where_all_tiers_expired_before(void **state)
{
    (void)state;
    struct store store;
    struct picture before, after;
    struct duration days = {.days = 29};
    struct retention retention = {month.raw, {days, days, days}};
    enum tier tier = TIER_15M;
    fill_and_seal(&store);
    take_picture(&before, &store);
    assert_int_equal(expire(&store, &retention, NOW), 2 + 1);
    take_picture(&after, &store);
    expect_points(&before, &after, DAY(2));
    expect_carry(&before, &after, DAY(2));
    assert_int_equal(left_of(&after, "voltage", &tier, DAY(0), DAY(4)), DAY(2));
    struct file_list files = {0};
    struct expired expired;
    list(&store, &files, &expired);
    assert_int_equal(files.at[0].window.begin_us, DAY(2));
    file_list_free(&files);
    picture_close(&before);
    picture_close(&after);
    store_remove(&store);
}

/* ---- revisions ---- */

static struct file raw_of(struct store *store, int64_t begin_us)
{
    struct file_list files = {0};
    struct expired expired;
    struct file raw = {0};
    list(store, &files, &expired);
    for (size_t i = 0; i < files.n; i++)
        if (files.at[i].kind == FILE_RAW && files.at[i].window.begin_us == begin_us)
            raw = files.at[i];
    file_list_free(&files);
    return raw;
}

static int64_t n_revisions(const struct store *store, const struct file *raw)
{
    struct window_file *file;
    struct chunk_rows chunks = {0};
    char path[600];
    int64_t n = 0;
    snprintf(path, sizeof(path), "%s/%s", store->folder, raw->name);
    assert_int_equal(window_file_open_read(path, FILE_RAW, &file, NULL), 0);
    for (uint32_t id = 1; id <= N_SERIES; id++) {
        assert_int_equal(window_file_chunks(file, id, ROLE_REVISION, INT64_MIN, INT64_MAX, INT64_MAX - 1, &chunks), 0);
        for (size_t i = 0; i < chunks.n; i++)
            n += chunks.at[i].n;
    }
    chunk_rows_free(&chunks);
    window_file_close(file);
    return n;
}

/* Two corrections, an hour apart, and a deletion; then the window is sealed without an open file. */
static void a_window_is_sealed_again_to_forget_old_revisions(void **state)
{
    (void)state;
    struct store store;
    struct picture before, after;
    fill_and_seal(&store);
    assert_int_equal(store_open(&store), 0);
    batch_clear(&store.batch);
    add(&store, 2, DAY(0), 7)->known_ms = DAY(5) / 1000;
    add(&store, 2, DAY(0) + 15 * US_PER_MINUTE, 8)->known_ms = DAY(5) / 1000 + 3600000;
    struct reading *deletion = add(&store, 2, DAY(0) + 30 * US_PER_MINUTE, 0);
    deletion->op = OP_DELETE;
    deletion->known_ms = DAY(5) / 1000;
    assert_int_equal(take_batch(&store, N_DAYS), 0);
    store_close(&store);
    assert_int_equal(store_seal(&store), 0);
    take_picture(&before, &store);
    struct file old = raw_of(&store, DAY(0));
    assert_int_equal(old.replaced_ms, DAY(5) / 1000);
    assert_int_equal(old.horizon_ms, 0);
    assert_int_equal(n_revisions(&store, &old), 4); /* the deletion leaves the value and a mark */
    struct retention forever = {0};
    struct expire_opts rules = {&forever, 10 * US_PER_DAY, DAY(15) + 30 * US_PER_MINUTE, NULL};
    assert_int_equal(try_expire(&store, &rules), 0); /* not overdue yet */
    rules.revisions_keep_us = 10 * US_PER_MINUTE;
    rules.now_us = DAY(5) + 15 * US_PER_MINUTE;
    assert_int_equal(try_expire(&store, &rules), 1);
    assert_int_equal(try_expire(&store, &rules), 0);
    struct file raw = raw_of(&store, DAY(0));
    assert_int_equal(raw.generation, old.generation + 1);
    assert_int_equal(raw.mark, old.mark);
    assert_int_equal(raw.replaced_ms, DAY(5) / 1000 + 3600000);
    assert_int_equal(raw.horizon_ms, DAY(5) / 1000);
    assert_int_equal(n_revisions(&store, &raw), 1);
    take_picture(&after, &store);
    expect_points(&before, &after, DAY(0));
    expect_cells(&before, &after, DAY(0), TIERS_ALL);
    rules.now_us = DAY(6);
    assert_int_equal(try_expire(&store, &rules), 1);
    raw = raw_of(&store, DAY(0));
    assert_int_equal(raw.replaced_ms, 0);
    assert_int_equal(raw.horizon_ms, DAY(5) / 1000 + 3600000);
    assert_int_equal(n_revisions(&store, &raw), 0);
    picture_close(&after);
    picture_close(&before);
    store_remove(&store);
}

/* ---- damage ---- */

static void flip(struct store *store, const char *name)
{
    char path[600], byte;
    snprintf(path, sizeof(path), "%s/%s", store->folder, name);
    assert_int_equal(chmod(path, 0644), 0);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, 5000), 1);
    byte ^= 4;
    assert_int_equal(pwrite(fd, &byte, 1, 5000), 1);
    close(fd);
}

/* I3: nothing is made of a file that was changed, and yet it goes when its time is over. */
static void a_damaged_window_expires_unread(void **state)
{
    (void)state;
    struct store store;
    fill_and_seal(&store);
    flip(&store, "2024-03-01.raw.g1.db");
    struct file_list files = {0};
    struct expired expired;
    const struct file *file;
    struct expire_opts rules = {&month, US_PER_DAY, NOW, NULL};
    struct partition *partition;
    struct err_text error = {0};
    bool unread = false;
    assert_int_equal(partition_open(store.dir, STREAM_TOPIC, STREAM_PARTITION, &partition, NULL), 0);
    assert_int_equal(partition_files(partition, &files, NULL), 0);
    assert_int_equal(expire_next(&rules, &files, &file), EXPIRE_READINGS);
    assert_int_equal(expire_do(&rules, partition, &files, EXPIRE_READINGS, file, &unread, &error), 0);
    assert_true(unread);
    assert_non_null(strstr(error.text, "2024-03-01.raw.g1.db"));
    file_list_free(&files);
    partition_expired(partition, &expired);
    assert_int_equal(expired.raw_us, DAY(1));
    partition_close(partition);
    list(&store, &files, &expired);
    assert_string_equal(files.at[0].name, "2024-03-01.tier.g1.db");
    assert_int_equal(files.at[1].window.begin_us, DAY(1));
    file_list_free(&files);
    store_remove(&store);
}

/* ---- crashes ---- */

static void remove_shm(const struct store *store)
{
    char path[800];
    snprintf(path, sizeof(path), "%s/ingest.db-shm", store->folder);
    unlink(path);
}

/* Whatever the step at which it stops: each window is there whole, or has expired whole. Every n is tried, slowly, when
 * ALMANAC_SOAK is set. */
static void fail_everywhere(enum fault fault, bool lose_power)
{
    struct store store;
    struct expire_opts rules = {&month, 1000 * 365 * US_PER_DAY, NOW, NULL};
    bool hit = true;
    int64_t n, n_cut = 0;
    for (n = 1; hit; n += getenv("ALMANAC_SOAK") ? 1 : 1 + n / 5) {
        struct picture before, after;
        struct expired expired;
        struct file_list files = {0};
        fill_and_seal(&store);
        take_picture(&before, &store);
        picture_forget(&before);
        look(&before);
        fault_vfs_forget();
        fault_vfs_arm(fault, n);
        int rc = try_expire(&store, &rules);
        hit = fault_vfs_hit();
        n_cut += hit;
        fault_vfs_disarm();
        if (lose_power) {
            view_close(before.view);
            reader_dir_close(before.dir);
            before.view = NULL;
            before.dir = NULL;
            fault_vfs_lose_power((uint64_t)n);
            remove_shm(&store);
        }
        if (!hit)
            assert_int_equal(rc, 2);
        list(&store, &files, &expired);
        int64_t since_us = expired.raw_us == INT64_MIN ? DAY(0) : expired.raw_us;
        assert_true(since_us == DAY(0) || since_us == DAY(1) || since_us == DAY(2));
        file_list_free(&files);
        take_picture(&after, &store);
        expect_points(&before, &after, since_us);
        expect_carry(&before, &after, since_us);
        expect_cells(&before, &after, since_us, TIERS_ALL);
        picture_close(&after);
        assert_true(try_expire(&store, &rules) >= 0);
        take_picture(&after, &store);
        expect_points(&before, &after, DAY(2));
        expect_cells(&before, &after, DAY(2), TIERS_ALL);
        picture_close(&after);
        picture_close(&before);
        store_remove(&store);
    }
    print_message("# %lld changes cut\n", (long long)n_cut);
    assert_true(n_cut > 10);
}

static void a_crash_while_expiring_leaves_each_window_whole(void **state)
{
    (void)state;
    fail_everywhere(FAULT_DEAD, false);
}

static void a_loss_of_power_while_expiring_leaves_each_window_whole(void **state)
{
    (void)state;
    fail_everywhere(FAULT_DEAD, true);
}

static void a_full_disk_while_expiring_leaves_each_window_whole(void **state)
{
    (void)state;
    fail_everywhere(FAULT_FULL_ONCE, false);
}

static int install(void **state)
{
    (void)state;
    log_level_set((enum log_level)-1);
    fault_vfs_install();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_count_back_from_now),
        cmocka_unit_test(the_oldest_window_comes_first_and_only_whole_ones),
        cmocka_unit_test(old_revisions_wait_until_they_are_a_tenth_overdue_or_a_day),
        cmocka_unit_test(tiers_answer_as_before_when_readings_have_expired),
        cmocka_unit_test(open_windows_expire_as_sealed_ones_do),
        cmocka_unit_test(what_comes_for_an_expired_window_is_dropped),
        cmocka_unit_test(a_longer_retention_brings_nothing_back),
        cmocka_unit_test(tiers_expire_one_after_the_other),
        cmocka_unit_test(nothing_is_left_where_all_tiers_expired_before),
        cmocka_unit_test(a_window_is_sealed_again_to_forget_old_revisions),
        cmocka_unit_test(a_damaged_window_expires_unread),
        cmocka_unit_test(a_crash_while_expiring_leaves_each_window_whole),
        cmocka_unit_test(a_loss_of_power_while_expiring_leaves_each_window_whole),
        cmocka_unit_test(a_full_disk_while_expiring_leaves_each_window_whole),
    };
    return cmocka_run_group_tests(tests, install, NULL);
}
