/* Erased entities: what is answered of them is what is answered of one that never was (I10). */
#include <config.h>

#include "../lib/fault_vfs.h"
#include "../lib/random.h"
#include "../lib/stream.h"
#include "../lib/test.h"

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/civil.h"
#include "common/clock.h"
#include "common/files.h"
#include "common/hash.h"
#include "store/erased.h"
#include "store/erasure.h"
#include "store/copy.h"
#include "store/rewrite.h"
#include "store/rows.h"
#include "store/snapshots.h"
#include "store/verify.h"

static const struct duration hour = {.us = US_PER_HOUR};

struct fixture {
    struct store store;
    struct stream stream;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    f->stream = (struct stream){11, 300, 40, true};
    store_make(&f->store, &(struct writer_opts){.window = WINDOW_WEEK, .seal_after_us = 100 * US_PER_HOUR,
                                                .erase_within_us = 4000});
    assert_int_equal(store_open(&f->store), 0);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    store_remove(&f->store);
    free(f);
    return 0;
}

static void take(struct fixture *f, int64_t from, int64_t to)
{
    if (store_take(&f->store, &f->stream, from, to))
        fail_msg("%s", f->store.error);
}

static void erase(struct fixture *f, const char *entity)
{
    struct err_text error = {0};
    if (erasure_add(f->store.dir, &entity, 1, clock_wall_us(), &error))
        fail_msg("%s", error.text);
}

static int count(void *arg, const struct series_info *info)
{
    (void)info;
    ++*(int *)arg;
    return 0;
}

static int count_series(struct reader_dir *dir, const char *entity)
{
    int n = 0;
    assert_int_equal(reader_series(dir, &(struct series_filter){.entities = &entity, .n_entities = 1}, count, &n), 0);
    return n;
}

/* How many series ids can be read. */
static int count_readable(struct reader_dir *dir)
{
    struct view *view;
    int n = 0;
    assert_int_equal(view_open(dir, &view, NULL), 0);
    for (uint32_t id = 1; id <= STREAM_SERIES; id++) {
        struct scan *scan;
        int rc = scan_open(view, id, CIVIL_MIN_US, CIVIL_END_US, 0, &scan);
        assert_true(rc == 0 || rc == ERR_NOTFOUND);
        n += !rc;
        if (!rc)
            scan_close(scan);
    }
    view_close(view);
    return n;
}

static void erased_entity_is_answered_as_one_that_never_was(void **state)
{
    struct fixture *f = *state;
    struct reader_dir *dir;
    take(f, 0, 300);
    assert_int_equal(reader_dir_open(f->store.dir, &dir, NULL), 0);
    assert_int_equal(count_series(dir, "m-1"), 2);
    assert_int_equal(count_readable(dir), STREAM_SERIES);
    erase(f, "m-1");
    assert_int_equal(count_series(dir, "m-1"), 0);
    assert_int_equal(count_series(dir, "m-*"), 2);
    assert_int_equal(count_readable(dir), STREAM_SERIES - 2);
    reader_dir_close(dir);
}

static void snapshot_is_read_by_the_list_of_the_live_directory(void **state)
{
    struct fixture *f = *state;
    struct snapshots *snapshots = snapshots_new(f->store.dir);
    struct snapshot_info info;
    struct reader_dir *dir, *again;
    struct err_text error = {0};
    char path[400];
    take(f, 0, 300);
    assert_int_equal(snapshots_make(snapshots, "before", &hour, &error), 0);
    assert_int_equal(snapshots_take(snapshots, "before", &info, &dir, &error), 0);
    assert_int_equal(count_series(dir, "m-2"), 2);
    erase(f, "m-2");
    assert_int_equal(count_series(dir, "m-2"), 0);
    assert_int_equal(count_readable(dir), STREAM_SERIES - 2);
    snprintf(path, sizeof(path), "%s/snapshots/before/", f->store.dir);
    assert_int_equal(reader_dir_open(path, &again, &error), 0);
    assert_int_equal(count_series(again, "m-2"), 0);
    reader_dir_close(again);
    snapshots_give(snapshots, dir);
    snapshots_free(snapshots);
}

static void state_is_that_of_the_entity_least_far(void **state)
{
    struct fixture *f = *state;
    static const char *const both[] = {"m-1", "wx"};
    enum erasure_state found;
    int64_t last, since_us;
    assert_int_equal(erasure_state(f->store.dir, both, 2, &found, NULL), 0);
    assert_int_equal(found, ERASURE_NONE);
    erase(f, "m-1");
    assert_int_equal(erasure_state(f->store.dir, both, 2, &found, NULL), 0);
    assert_int_equal(found, ERASURE_NONE);
    assert_int_equal(erasure_state(f->store.dir, both, 1, &found, NULL), 0);
    assert_int_equal(found, ERASURE_PENDING);
    assert_int_equal(erasure_pending(f->store.dir, &last, &since_us, NULL), 0);
    assert_true(last > 0 && since_us > 0);
    assert_int_equal(erasure_done(f->store.dir, last, clock_wall_us(), NULL), 0);
    assert_int_equal(erasure_state(f->store.dir, both, 1, &found, NULL), 0);
    assert_int_equal(found, ERASURE_DONE);
    erase(f, "m-1"); /* again is nothing new */
    erase(f, "wx");
    assert_int_equal(erasure_state(f->store.dir, both, 1, &found, NULL), 0);
    assert_int_equal(found, ERASURE_DONE);
    assert_int_equal(erasure_state(f->store.dir, both, 2, &found, NULL), 0);
    assert_int_equal(found, ERASURE_PENDING);
}

static void list_of_another_store_keeps_its_key_when_it_is_merged(void **state)
{
    struct fixture *f = *state;
    struct store other;
    struct erased *erased;
    const char *wx = "wx";
    char path[400], second[400];
    store_make(&other, &(struct writer_opts){.window = WINDOW_WEEK});
    assert_int_equal(erasure_add(other.dir, &wx, 1, 1, NULL), 0);
    erase(f, "m-1");
    snprintf(path, sizeof(path), "%s/copy.db", f->store.dir);
    assert_int_equal(erasure_copy(other.dir, path, NULL), 0);
    assert_int_equal(erasure_copy(other.dir, path, NULL), 0);
    assert_int_equal(erasure_merge(f->store.dir, path, NULL), 0);
    snprintf(second, sizeof(second), "%s/none.db", f->store.dir);
    assert_int_equal(erasure_merge(f->store.dir, second, NULL), ERR_NOTFOUND);
    assert_int_equal(erased_new(f->store.dir, &erased), 0);
    assert_int_equal(erased_follow(erased, NULL, NULL), 0);
    assert_true(erased_has(erased, "wx", 2));
    assert_true(erased_has(erased, "m-1", 3));
    assert_false(erased_has(erased, "m-2", 3));
    erased_free(erased);
    store_remove(&other);
}

static void text_names_an_entity_by_a_word(void **state)
{
    struct fixture *f = *state;
    struct erased *erased;
    erase(f, "m-1");
    assert_int_equal(erased_new(f->store.dir, &erased), 0);
    assert_int_equal(erased_follow(erased, NULL, NULL), 0);
    static const char *const named[] = {"m-1", "{\"id\":\"m-1\"}", "of m-1.", "m-1 voltage", "(m-1: late)"};
    static const char *const others[] = {"", "m-12", "xm-1", "m-1-b", "m_1", "{\"m\":-1}"};
    for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++)
        assert_true(erased_is_named(erased, named[i], strlen(named[i])));
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        assert_false(erased_is_named(erased, others[i], strlen(others[i])));
    erased_free(erased);
}

/* ---- what is left ---- */

/* Byte strings that only files with something of the entity have: its rows' names, and the bytes of its chunks and blocks. */
static struct {
    const char *entity;
    struct needle {
        uint8_t *bytes;
        size_t size;
    } at[4000];
    size_t n;
    char found[600];
} needles;

static void add_needle(const void *bytes, size_t size)
{
    assert_true(needles.n < 4000);
    struct needle *needle = &needles.at[needles.n++];
    *needle = (struct needle){malloc(size), size};
    memcpy(needle->bytes, bytes, size);
}

static void drop_needles(void)
{
    for (size_t i = 0; i < needles.n; i++)
        free(needles.at[i].bytes);
    needles.n = 0;
    *needles.found = '\0';
}

static void add_rows(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return; /* a file of another kind */
    sqlite3_bind_text(stmt, 1, needles.entity, -1, SQLITE_STATIC);
    while (sqlite3_step(stmt) == SQLITE_ROW)
        if (sqlite3_column_bytes(stmt, 0) >= 24) /* of a blob that is longer than a page the first part stands together */
            add_needle(sqlite3_column_blob(stmt, 0),
                       sqlite3_column_bytes(stmt, 0) < 200 ? (size_t)sqlite3_column_bytes(stmt, 0) : 200);
    sqlite3_finalize(stmt);
}

static int collect_from(const char *path, const struct stat *stat_of, int type, struct FTW *ftw)
{
    sqlite3 *db;
    (void)stat_of, (void)ftw;
    if (type != FTW_F || !strstr(path, ".g") || strcmp(path + strlen(path) - 3, ".db"))
        return 0;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK) {
        add_rows(db, "SELECT data FROM chunk WHERE series IN (SELECT id FROM series WHERE entity = ?)");
        add_rows(db, "SELECT data FROM block WHERE series IN (SELECT id FROM series WHERE entity = ?)");
    }
    sqlite3_close(db);
    return 0;
}

static int search_file(const char *path, const struct stat *stat_of, int type, struct FTW *ftw)
{
    (void)ftw;
    if (type != FTW_F || !stat_of->st_size)
        return 0;
    uint8_t *bytes = malloc((size_t)stat_of->st_size);
    FILE *in = fopen(path, "re");
    size_t n = in ? fread(bytes, 1, (size_t)stat_of->st_size, in) : 0;
    for (size_t i = 0; i < needles.n && !*needles.found; i++)
        if (memmem(bytes, n, needles.at[i].bytes, needles.at[i].size))
            snprintf(needles.found, sizeof(needles.found), "%.400s has needle %zu of %zu", path, i, needles.n);
    if (in)
        fclose(in);
    free(bytes);
    return 0;
}

/* What files of the directory show of the entity, to be searched for when it has to be gone. */
static void collect(struct fixture *f, const char *entity)
{
    char text[100];
    const char *type = *entity == 'm' ? "SmartMeter" : *entity == 'w' ? "Weather" : "Battery";
    needles.entity = entity;
    nftw(f->store.dir, collect_from, 20, FTW_PHYS);
    int n = snprintf(text, sizeof(text), "%s%s", entity, type); /* as in a row of a table of series */
    add_needle(text, (size_t)n);
}

static const char *search(struct fixture *f)
{
    nftw(f->store.dir, search_file, 20, FTW_PHYS);
    return needles.found;
}

struct listing {
    const char *but;
    uint32_t ids[STREAM_SERIES];
    bool is_state[STREAM_SERIES];
    size_t n;
};

static int list_series(void *arg, const struct series_info *info)
{
    struct listing *listing = arg;
    if (strcmp(info->entity, listing->but) != 0) {
        listing->is_state[listing->n] = info->kind == KIND_STATE;
        listing->ids[listing->n++] = info->id;
    }
    return 0;
}

/* A reading as a line: the same in whatever layers it lies. */
static void put_point(const struct points *points, size_t i, bool is_state, struct buf *all)
{
    int64_t m = points->m[i];
    int e = is_state ? 0 : points->e[i];
    while (!is_state && m && m % 10 == 0) {
        m /= 10;
        e++;
    }
    if (is_state)
        buf_printf(all, "%lld \"%s\" %d\n", (long long)points->t_us[i], texts_at(&points->texts, m), points->quality[i]);
    else
        buf_printf(all, "%lld %lld %d %d %lld\n", (long long)points->t_us[i], (long long)m, m ? e : 0, points->quality[i],
                   (long long)points->period_us[i]);
}

static void put_scan(struct view *view, uint32_t id, bool is_state, struct buf *all)
{
    struct scan *scan;
    struct points points = {0};
    int rc = scan_open(view, id, CIVIL_MIN_US, CIVIL_END_US, POINTS_ALL, &scan);
    assert_int_equal(rc, 0);
    buf_puts(all, "in force\n");
    while ((rc = scan_next(scan, &points)) == 1)
        for (size_t i = 0; i < points.n; i++)
            put_point(&points, i, is_state, all);
    assert_int_equal(rc, 0);
    points_free(&points);
    scan_close(scan);
}

static void put_revisions(struct view *view, uint32_t id, bool is_state, struct buf *all)
{
    struct revisions *revisions;
    struct points points = {0};
    const int64_t *until_ms;
    int rc = revisions_open(view, id, CIVIL_MIN_US, CIVIL_END_US, &revisions);
    assert_int_equal(rc, 0);
    buf_puts(all, "before\n");
    while ((rc = revisions_next(revisions, &points, &until_ms)) == 1)
        for (size_t i = 0; i < points.n; i++)
            if (points.quality[i] != QUALITY_TAKEN_BACK)
                put_point(&points, i, is_state, all);
    assert_int_equal(rc, 0);
    points_free(&points);
    revisions_close(revisions);
}

static void hash_others(struct reader_dir *dir, const char *but, uint8_t ret_hash[static HASH_BYTES])
{
    struct view *view;
    struct buf all = {0};
    struct listing listing = {.but = but};
    assert_int_equal(view_open(dir, &view, NULL), 0);
    assert_int_equal(reader_series(dir, &(struct series_filter){0}, list_series, &listing), 0);
    for (size_t i = 0; i < listing.n; i++) {
        put_scan(view, listing.ids[i], listing.is_state[i], &all);
        put_revisions(view, listing.ids[i], listing.is_state[i], &all);
    }
    view_close(view);
    assert_false(all.failed);
    hash_bytes(all.data, all.n, ret_hash);
    buf_free(&all);
}

/* Until the writer has told that it is done; the test stands still for a minute where it never does. */
static void await_done(struct fixture *f, const char *entity)
{
    enum erasure_state found = ERASURE_PENDING;
    int64_t until_us = clock_mono_us() + US_PER_MINUTE;
    while (found != ERASURE_DONE && clock_mono_us() < until_us) {
        assert_int_equal(erasure_state(f->store.dir, &entity, 1, &found, NULL), 0);
        usleep(20000);
    }
    assert_int_equal(found, ERASURE_DONE);
}

/* Sealed windows, open ones and unflushed batches. */
static void fill_layers(struct fixture *f, int64_t sealed, int64_t flushed)
{
    take(f, 0, sealed);
    store_close(&f->store);
    assert_int_equal(store_seal(&f->store), 0);
    assert_int_equal(store_open(&f->store), 0);
    take(f, sealed, flushed);
    store_close(&f->store);
    assert_int_equal(store_open(&f->store), 0);
    take(f, flushed, 300);
}

static void fill_all_layers(struct fixture *f)
{
    fill_layers(f, 200, 260);
}

static void hash_dir(const char *dir, const char *but, uint8_t ret_hash[static HASH_BYTES])
{
    struct reader_dir *reader;
    struct err_text error = {0};
    if (reader_dir_open(dir, &reader, &error))
        fail_msg("%s", error.text);
    hash_others(reader, but, ret_hash);
    reader_dir_close(reader);
}

static void nothing_of_an_erased_entity_is_left_in_any_file(void **state)
{
    struct fixture *f = *state;
    struct snapshots *snapshots = snapshots_new(f->store.dir);
    struct err_text error = {0};
    uint8_t before[HASH_BYTES], after[HASH_BYTES], in_snapshot[HASH_BYTES];
    char path[400];
    fill_all_layers(f);
    assert_int_equal(snapshots_make(snapshots, "before", &hour, &error), 0);
    hash_dir(f->store.dir, "m-1", before);
    collect(f, "m-1");
    assert_true(needles.n > 10);
    assert_string_not_equal(search(f), "");
    *needles.found = '\0';
    erase(f, "m-1");
    await_done(f, "m-1");
    assert_string_equal(search(f), "");
    hash_dir(f->store.dir, "m-1", after);
    assert_memory_equal(before, after, HASH_BYTES);
    snprintf(path, sizeof(path), "%s/snapshots/before", f->store.dir);
    hash_dir(path, "m-1", in_snapshot);
    assert_memory_equal(before, in_snapshot, HASH_BYTES);
    store_close(&f->store);
    assert_string_equal(search(f), "");
    drop_needles();
    assert_int_equal(store_open(&f->store), 0);
    hash_dir(f->store.dir, "m-1", after);
    assert_memory_equal(before, after, HASH_BYTES);
    snapshots_free(snapshots);
}

static int tell_finding(void *arg, const struct verify_finding *finding)
{
    if (finding->is_wrong) {
        print_message("%s: %s\n", finding->path, finding->what);
        ++*(int64_t *)arg;
    }
    return 0;
}

static int no_progress(void *arg, int64_t bytes_done, int64_t bytes_all)
{
    (void)arg, (void)bytes_done, (void)bytes_all;
    return 0;
}

static int64_t count_wrong(const char *dir)
{
    int64_t n_wrong = 0;
    struct verify_opts opts = {.dir = dir, .found = tell_finding, .progress = no_progress, .arg = &n_wrong};
    struct verify_counts counts;
    struct err_text error = {0};
    if (verify_run(&opts, &counts, &error))
        fail_msg("%s", error.text);
    return n_wrong;
}

static void store_that_entities_left_verifies(void **state)
{
    struct fixture *f = *state;
    struct snapshots *snapshots = snapshots_new(f->store.dir);
    struct err_text error = {0};
    fill_all_layers(f);
    assert_int_equal(snapshots_make(snapshots, "before", &hour, &error), 0);
    erase(f, "m-1");
    await_done(f, "m-1");
    erase(f, "wx");
    await_done(f, "wx");
    take(f, 300, 300 + 20);
    store_close(&f->store);
    assert_int_equal(count_wrong(f->store.dir), 0);
    snapshots_free(snapshots);
}

static void copy_of_before_is_restored_without_the_entity(void **state)
{
    struct fixture *f = *state;
    struct err_text error = {0};
    uint8_t before[HASH_BYTES], after[HASH_BYTES];
    struct fixture copy = {0};
    char list[400];
    fill_all_layers(f);
    snprintf(copy.store.dir, sizeof(copy.store.dir), "%.200s.copy", f->store.dir);
    assert_int_equal(store_copy(&(struct copy_opts){.dir = f->store.dir, .dest = copy.store.dir}, &error), 0);
    hash_dir(f->store.dir, "m-1", before);
    erase(f, "m-1");
    await_done(f, "m-1");
    collect(&copy, "m-1");
    assert_string_not_equal(search(&copy), "");
    *needles.found = '\0';
    snprintf(list, sizeof(list), "%s/erased.db", f->store.dir);
    assert_int_equal(erasure_merge(copy.store.dir, list, &error), 0);
    if (rewrite_restored(copy.store.dir, &error))
        fail_msg("%s", error.text);
    assert_string_equal(search(&copy), "");
    hash_dir(copy.store.dir, "m-1", after);
    assert_memory_equal(before, after, HASH_BYTES);
    assert_int_equal(count_wrong(copy.store.dir), 0);
    drop_needles();
    files_remove_tree(copy.store.dir);
}

/* ---- a process that dies on the way ---- */

static int remove_shm(const char *path, const struct stat *stat_of, int type, struct FTW *ftw)
{
    (void)stat_of, (void)ftw;
    if (type == FTW_F && strlen(path) > 4 && !strcmp(path + strlen(path) - 4, "-shm"))
        unlink(path);
    return 0;
}

/* Rewrites a fresh copy and dies at the n-th change, then as one that starts anew does it to its end. Whether it died. */
static bool die_and_go_on(struct fixture *f, const char *entity, int64_t n, const uint8_t before[static HASH_BYTES])
{
    struct err_text error = {0};
    struct fixture copy = {0};
    uint8_t after[HASH_BYTES];
    snprintf(copy.store.dir, sizeof(copy.store.dir), "%.200s.copy", f->store.dir);
    assert_int_equal(store_copy(&(struct copy_opts){.dir = f->store.dir, .dest = copy.store.dir}, &error), 0);
    assert_int_equal(erasure_add(copy.store.dir, &entity, 1, 1, &error), 0);
    fault_vfs_arm(FAULT_DEAD, n);
    int rc = rewrite_restored(copy.store.dir, &error);
    bool died = fault_vfs_hit();
    fault_vfs_disarm();
    assert_true(rc == 0 || died);
    nftw(copy.store.dir, remove_shm, 20, FTW_PHYS);
    error = (struct err_text){0};
    if (rewrite_restored(copy.store.dir, &error))
        fail_msg("dead at change %lld: does not go on: %s (%s)", (long long)n, error.text, copy.store.dir);
    const char *left = search(&copy);
    if (*left)
        fail_msg("dead at change %lld: %s", (long long)n, left);
    hash_dir(copy.store.dir, entity, after);
    if (memcmp(before, after, HASH_BYTES))
        fail_msg("dead at change %lld: the others are not answered as before (%s)", (long long)n, copy.store.dir);
    if (count_wrong(copy.store.dir))
        fail_msg("dead at change %lld: it does not verify (%s)", (long long)n, copy.store.dir);
    files_remove_tree(copy.store.dir);
    return died;
}

/* ALMANAC_TRIALS: more than a few, for `make soak`. */
static void dying_at_any_step_leaves_the_others_whole_and_nothing_of_the_erased(void **state)
{
    static const char *const entities[] = {"m-1", "m-2", "wx", "b-1"};
    struct fixture *f = *state;
    const char *given = getenv("ALMANAC_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)clock_wall_us();
    print_message("# ALMANAC_SEED=%llu\n", (unsigned long long)seed);
    const char *trials = getenv("ALMANAC_TRIALS");
    int n_trials = trials ? atoi(trials) : 12, n_died = 0;
    uint8_t before[HASH_BYTES];
    f->stream.seed = random_u64(&seed);
    int64_t sealed = 100 + random_below(&seed, 100);
    fill_layers(f, sealed, sealed + random_below(&seed, 300 - sealed));
    for (int i = 0; i < n_trials; i++) {
        const char *entity = entities[random_below(&seed, 4)];
        hash_dir(f->store.dir, entity, before);
        collect(f, entity);
        n_died += die_and_go_on(f, entity, 1 + random_below(&seed, i % 2 ? 40 : 400), before);
        drop_needles();
    }
    assert_true(n_died > n_trials / 4);
}

static void batch_that_was_decoded_before_the_erasure_is_stored_without_the_entity(void **state)
{
    struct fixture *f = *state;
    struct sink *sink = writer_sink(f->store.writer);
    struct reader_dir *dir;
    struct err_text error = {0};
    take(f, 0, 100);
    store_fill(&f->store, &f->stream, 100, 200);
    size_t n = f->store.batch.n_readings;
    erase(f, "m-1");
    assert_int_equal(sink->take(sink, f->store.handle, &f->store.batch, &error), 0);
    assert_true(f->store.batch.n_readings < n);
    assert_true(f->store.batch.n_refusals > 0);
    for (size_t i = 0; i < f->store.batch.n_refusals; i++)
        assert_int_equal(f->store.batch.refusals[i].reason, REFUSED_ERASED);
    await_done(f, "m-1");
    store_close(&f->store);
    assert_int_equal(store_open(&f->store), 0);
    assert_int_equal(reader_dir_open(f->store.dir, &dir, NULL), 0);
    assert_int_equal(count_series(dir, "m-1"), 0);
    assert_int_equal(count_series(dir, "*"), STREAM_SERIES - 2);
    reader_dir_close(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(erased_entity_is_answered_as_one_that_never_was, setup, teardown),
        cmocka_unit_test_setup_teardown(snapshot_is_read_by_the_list_of_the_live_directory, setup, teardown),
        cmocka_unit_test_setup_teardown(state_is_that_of_the_entity_least_far, setup, teardown),
        cmocka_unit_test_setup_teardown(list_of_another_store_keeps_its_key_when_it_is_merged, setup, teardown),
        cmocka_unit_test_setup_teardown(text_names_an_entity_by_a_word, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_of_an_erased_entity_is_left_in_any_file, setup, teardown),
        cmocka_unit_test_setup_teardown(store_that_entities_left_verifies, setup, teardown),
        cmocka_unit_test_setup_teardown(copy_of_before_is_restored_without_the_entity, setup, teardown),
        cmocka_unit_test_setup_teardown(dying_at_any_step_leaves_the_others_whole_and_nothing_of_the_erased, setup, teardown),
        cmocka_unit_test_setup_teardown(batch_that_was_decoded_before_the_erasure_is_stored_without_the_entity, setup, teardown),
    };
    fault_vfs_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
