/* One bit of a store at rest is flipped at a time: verify says so, and no answer is ever another than before (I3, G11).
 * ALMANAC_SOAK: ten times as many. ALMANAC_SEED: another seed than 1. */
#include <config.h>

#include "../lib/random.h"
#include "../lib/stream.h"
#include "../lib/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/civil.h"
#include "common/files.h"
#include "common/hash.h"
#include "common/log.h"
#include "store/catalog.h"
#include "store/partition.h"
#include "store/reader.h"
#include "store/rebuild.h"
#include "store/verify.h"

#define FILES_MAX 24
#define SERIES_MAX 16

static const struct stream stream = {.seed = 9, .n_messages = 60, .n_days = 2, .with_wide = true};
static const struct writer_opts opts = {.window = WINDOW_DAY, .seal_after_us = 1000 * US_PER_HOUR};

/* ---- a store with everything in it: sealed windows with tiers, late readings above one, an open window, batches ---- */

/* 20 minutes of a series every second. */
static void take_dense(struct store *store, int64_t offset)
{
    struct sink *sink = writer_sink(store->writer);
    struct err_text error = {0};
    batch_clear(&store->batch);
    for (int64_t i = 0; i < 1200; i++) {
        struct reading *reading = batch_add(&store->batch);
        assert_non_null(reading);
        *reading = (struct reading){.t_us = STREAM_BEGIN_US + 12 * US_PER_HOUR + i * US_PER_SECOND, .issued_us = ISSUED_NONE,
                                    .m = 2300 + i * 7919 % 50, .e = -1, .known_ms = STREAM_KNOWN_MS, .offset = offset,
                                    .series_i = store_series(store, 0)};
    }
    store->batch.first_offset = offset;
    store->batch.next_offset = offset + 1;
    store->batch.n_messages = 1;
    store->batch.last_known_ms = STREAM_KNOWN_MS;
    assert_int_equal(sink->take(sink, store->handle, &store->batch, &error), 0);
}

static int keep_quiet(void *arg, bool is_wrong, const char *text)
{
    (void)arg;
    (void)is_wrong;
    (void)text;
    return 0;
}

/* Copies the folder while the writer holds batches, as a kill would leave it, and settles the logs. */
static void copy_killed(const struct store *store, char dir[static 240])
{
    char command[1200], path[800];
    struct db *db;
    struct err_text error = {0};
    snprintf(dir, 240, "%.200s-killed", store->dir);
    snprintf(command, sizeof(command), "cp -r '%s' '%s' && rm -f '%s/lock'", store->dir, dir, dir);
    assert_int_equal(system(command), 0);
    snprintf(path, sizeof(path), "%s/store/%s/%d/ingest.db", dir, STREAM_TOPIC, STREAM_PARTITION);
    assert_int_equal(db_open(&(struct db_opts){.path = path, .mode = DB_WRITE, .format = &ingest_format}, &db, &error), 0);
    db_close_settled(db);
    snprintf(path, sizeof(path), "%s/catalog.db", dir);
    struct db_opts catalog = {.path = path, .mode = DB_WRITE, .format = &catalog_format};
    assert_int_equal(db_open(&catalog, &db, &error), 0);
    db_close_settled(db);
    struct rebuild_counts counts; /* writes the manifest */
    assert_int_equal(rebuild_run(&(struct rebuild_opts){.dir = dir, .said = keep_quiet}, &counts, &error), 0);
}

static void make(char dir[static 240])
{
    struct store store;
    store_make(&store, &opts);
    assert_int_equal(store_open(&store), 0);
    assert_int_equal(store_take(&store, &stream, 0, 40), 0);
    take_dense(&store, 40);
    store_close(&store);
    assert_int_equal(store_seal(&store), 0);
    assert_int_equal(store_open(&store), 0);
    assert_int_equal(store_take(&store, &stream, 41, 50), 0);
    store_close(&store);
    assert_int_equal(store_open(&store), 0);
    assert_int_equal(store_take(&store, &stream, 50, 60), 0);
    copy_killed(&store, dir);
    store_remove(&store);
}

/* ---- answers ---- */

/* What is answered about a series: a hash, or rc. */
struct answer {
    uint32_t id;
    int rc;
    uint64_t hash;
};

struct answers {
    struct reader_dir *reader;
    struct view *view;
    struct answer at[SERIES_MAX];
    size_t n;
    int rc; /* of the whole: nothing is answered then */
};

static void mix(struct answer *answer, const void *data, size_t size)
{
    answer->hash = hash_short(answer->hash, data, size);
}

static int ask_readings(struct answers *answers, struct answer *answer)
{
    struct scan *scan;
    struct points points = {0};
    int rc = scan_open(answers->view, answer->id, STREAM_BEGIN_US - US_PER_DAY, STREAM_BEGIN_US + 30 * US_PER_DAY, POINTS_ALL,
                       &scan);
    if (rc)
        return rc;
    while ((rc = scan_next(scan, &points)) == 1)
        for (size_t i = 0; i < points.n; i++) {
            const char *text = texts_at(&points.texts, points.m[i]);
            mix(answer, &points.t_us[i], sizeof(int64_t));
            if (points.texts.n)
                mix(answer, text, strlen(text));
            else
                mix(answer, &points.m[i], sizeof(int64_t));
            mix(answer, &points.e[i], 1);
            mix(answer, &points.quality[i], 1);
            mix(answer, &points.known_ms[i], sizeof(int64_t));
        }
    scan_close(scan);
    points_free(&points);
    return rc;
}

static int ask_cells(struct answers *answers, struct answer *answer)
{
    struct cells cells = {0};
    struct spans raw = {0};
    int rc = 0;
    for (enum tier tier = TIER_1M; tier < TIER_N && !rc; tier++)
        rc = view_cells(answers->view, answer->id, tier, STREAM_BEGIN_US, STREAM_BEGIN_US + 30 * US_PER_DAY, &cells, &raw);
    for (size_t i = 0; i < cells.n && !rc; i++) {
        char text[EXACT_TEXT_MAX];
        mix(answer, &cells.rows[i].begin_us, sizeof(int64_t));
        mix(answer, &cells.rows[i].count, sizeof(uint64_t));
        mix(answer, text, exact_print(text, &cells.rows[i].sum));
    }
    mix(answer, raw.rows, raw.n * sizeof(*raw.rows));
    cells_free(&cells);
    spans_free(&raw);
    return rc;
}

static int ask_series(void *arg, const struct series_info *info)
{
    struct answers *answers = arg;
    struct series_stats stats = {0};
    assert_true(answers->n < SERIES_MAX);
    struct answer *answer = &answers->at[answers->n++];
    *answer = (struct answer){.id = info->id};
    mix(answer, info->entity, strlen(info->entity));
    mix(answer, info->type, strlen(info->type));
    mix(answer, info->property, strlen(info->property));
    mix(answer, info->unit, strlen(info->unit));
    mix(answer, &info->kind, sizeof(info->kind));
    int rc = view_stats(answers->view, info->id, &stats);
    mix(answer, &stats.count, sizeof(stats.count));
    mix(answer, &stats.last_us, sizeof(stats.last_us));
    rc = rc ? rc : ask_readings(answers, answer);
    answer->rc = rc ? rc : ask_cells(answers, answer);
    return 0;
}

static void ask(const char *dir, struct answers *answers)
{
    *answers = (struct answers){0};
    struct series_filter all = {0};
    answers->rc = reader_dir_open(dir, &answers->reader, NULL);
    if (!answers->rc)
        answers->rc = view_open(answers->reader, &answers->view, NULL);
    if (!answers->rc)
        answers->rc = reader_series(answers->reader, &all, ask_series, answers);
    view_close(answers->view);
    reader_dir_close(answers->reader);
}

enum outcome { SAME, REFUSED, WRONG };

/* Refused in part or in whole is fine; another answer, or fewer of them, is not. */
static enum outcome compare(const struct answers *right, const struct answers *found)
{
    enum outcome outcome = SAME;
    for (size_t i = 0; i < found->n; i++) {
        if (i == right->n || right->at[i].id != found->at[i].id)
            return WRONG;
        if (!found->at[i].rc && found->at[i].hash != right->at[i].hash)
            return WRONG;
        if (found->at[i].rc)
            outcome = REFUSED;
    }
    if (found->rc)
        return REFUSED;
    return found->n == right->n ? outcome : WRONG;
}

/* ---- flips ---- */

struct target {
    char path[800];
    int64_t size;
    bool is_sealed;
};

static size_t list_targets(const char *dir, struct target *targets)
{
    char folder[500];
    size_t n = 0;
    struct stat stat_of;
    snprintf(folder, sizeof(folder), "%s/store/%s/%d", dir, STREAM_TOPIC, STREAM_PARTITION);
    DIR *open_dir = opendir(folder);
    struct dirent *entry;
    assert_non_null(open_dir);
    snprintf(targets[n++].path, 800, "%s/catalog.db", dir);
    while ((entry = readdir(open_dir)))
        if (strcmp(entry->d_name + (strlen(entry->d_name) > 3 ? strlen(entry->d_name) - 3 : 0), ".db") == 0)
            snprintf(targets[n++].path, 800, "%s/%.250s", folder, entry->d_name);
    closedir(open_dir);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(stat(targets[i].path, &stat_of), 0);
        chmod(targets[i].path, 0644);
        targets[i].size = stat_of.st_size;
        targets[i].is_sealed = strstr(targets[i].path, ".raw.") || strstr(targets[i].path, ".tier.");
    }
    return n;
}

static void flip(const char *path, int64_t at, int bit)
{
    uint8_t byte;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0 && pread(fd, &byte, 1, at) == 1);
    byte ^= (uint8_t)(1 << bit);
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static int count_wrong(void *arg, const struct verify_finding *finding)
{
    *(int64_t *)arg += finding->is_wrong;
    return 0;
}

static bool verify_finds(const char *dir)
{
    struct verify_counts counts;
    int64_t n = 0;
    struct verify_opts verify = {.dir = dir, .found = count_wrong, .arg = &n};
    return verify_run(&verify, &counts, NULL) || n;
}

static void no_flipped_bit_is_served_and_verify_finds_each(void **state)
{
    (void)state;
    char dir[240];
    struct target targets[FILES_MAX];
    struct answers right, found;
    const char *given = getenv("ALMANAC_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : 1;
    int n_flips = getenv("ALMANAC_SOAK") ? 10000 : 1000, n_found = 0, n_refused = 0, n_harmless = 0;
    make(dir);
    size_t n_targets = list_targets(dir, targets);
    ask(dir, &right);
    assert_int_equal(right.rc, 0);
    assert_int_equal(right.n, STREAM_SERIES);
    for (size_t i = 0; i < right.n; i++)
        assert_int_equal(right.at[i].rc, 0);
    assert_false(verify_finds(dir));
    print_message("# %d bits in %zu files, seed %llu\n", n_flips, n_targets, (unsigned long long)seed);
    for (int i = 0; i < n_flips; i++) {
        const struct target *target = &targets[random_below(&seed, (int64_t)n_targets)];
        int64_t at = random_below(&seed, target->size);
        int bit = (int)random_below(&seed, 8);
        flip(target->path, at, bit);
        ask(dir, &found);
        bool is_found = verify_finds(dir);
        enum outcome outcome = compare(&right, &found);
        if (outcome == WRONG)
            fail_msg("flip %d: bit %d of byte %lld of %s: another answer (%s)", i, bit, (long long)at, target->path,
                     is_found ? "verify finds it" : "verify does not find it");
        if (!is_found && (outcome != SAME || target->is_sealed))
            fail_msg("flip %d: bit %d of byte %lld of %s: verify does not find it", i, bit, (long long)at, target->path);
        n_found += is_found;
        n_refused += outcome == REFUSED;
        n_harmless += !is_found;
        flip(target->path, at, bit);
    }
    ask(dir, &found);
    assert_int_equal(compare(&right, &found), SAME);
    print_message("# %d bits: verify found %d, %d were harmless, %d answers were refused, none was wrong\n", n_flips, n_found,
                  n_harmless, n_refused);
    files_remove_tree(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_flipped_bit_is_served_and_verify_finds_each),
    };
    log_level_set((enum log_level)-1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
