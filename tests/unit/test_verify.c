/* Verify says of each kind of damage in which file it is, and nothing of a store that is whole. */
#include <config.h>

#include "../lib/random.h"
#include "../lib/stream.h"
#include "../lib/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/civil.h"
#include "common/hash.h"
#include "common/log.h"
#include "store/verify.h"

static const struct stream stream = {.seed = 5, .n_messages = 400, .n_days = 3, .with_wide = true};
static const struct writer_opts opts = {.window = WINDOW_DAY, .seal_after_us = 1000 * US_PER_HOUR};

/* A store with sealed windows, open ones above them, and what verify says of it. */
struct world {
    struct store store;
    struct verify_counts counts;
    char wrong[4000], remarks[4000]; /* "PATH: WHAT; TODO\n" each */
};

static int note(void *arg, const struct verify_finding *finding)
{
    struct world *world = arg;
    char *to = finding->is_wrong ? world->wrong : world->remarks;
    size_t n = strlen(to);
    snprintf(to + n, sizeof(world->wrong) - n, "%s: %s; %s\n", finding->path, finding->what, finding->todo);
    return 0;
}

static void verify(struct world *world)
{
    struct err_text error = {0};
    *world->wrong = *world->remarks = '\0';
    struct verify_opts verify_opts = {.dir = world->store.dir, .found = note, .arg = world};
    if (verify_run(&verify_opts, &world->counts, &error))
        fail_msg("%s", error.text);
}

static void make(struct world *world)
{
    *world = (struct world){0};
    store_make(&world->store, &opts);
    assert_int_equal(store_open(&world->store), 0);
    assert_int_equal(store_take(&world->store, &stream, 0, 300), 0);
    store_close(&world->store);
    assert_int_equal(store_seal(&world->store), 0);
    assert_int_equal(store_open(&world->store), 0);
    assert_int_equal(store_take(&world->store, &stream, 300, stream.n_messages), 0);
    store_close(&world->store);
}

/* The first file of the partition whose name has that in it. */
static void find_file(const struct world *world, const char *part, char path[static 800], char name[static 300])
{
    DIR *dir = opendir(world->store.folder);
    struct dirent *entry;
    *name = '\0';
    assert_non_null(dir);
    while ((entry = readdir(dir)))
        if (strstr(entry->d_name, part))
            snprintf(name, 300, "%s", entry->d_name);
    closedir(dir);
    if (!*name)
        fail_msg("there is no file *%s*", part);
    snprintf(path, 800, "%s/%s", world->store.folder, name);
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db;
    char *error = NULL;
    chmod(path, 0644);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &error))
        fail_msg("%s: %s", sql, error);
    sqlite3_close(db);
}

/* Makes the list say that a changed sealed file is as it is: then only its contents are wrong. */
static void list_anew(const struct world *world, const char *path, const char *name)
{
    char sql[600], hex[HASH_HEX_MAX], ingest[800];
    uint8_t digest[HASH_BYTES];
    struct stat stat_of;
    assert_int_equal(hash_file(path, digest), 0);
    hash_hex(digest, hex);
    assert_int_equal(stat(path, &stat_of), 0);
    snprintf(sql, sizeof(sql), "UPDATE file SET digest = x'%s', bytes = %lld WHERE name = '%s'", hex,
             (long long)stat_of.st_size, name);
    snprintf(ingest, sizeof(ingest), "%s/ingest.db", world->store.folder);
    run_sql(ingest, sql);
}

static void expect(const struct world *world, const char *name, const char *what)
{
    char *line = strstr(world->wrong, name);
    if (!line || !strstr(line, what))
        fail_msg("\"%s\" with \"%s\" was expected, and there is: %s", name, what, world->wrong);
}

static void a_whole_store_has_no_difference(void **state)
{
    (void)state;
    struct world world;
    make(&world);
    verify(&world);
    assert_string_equal(world.wrong, "");
    assert_int_equal(world.counts.n_wrong, 0);
    assert_int_equal(world.counts.n_series, STREAM_SERIES);
    assert_true(world.counts.n_readings > 100 && world.counts.n_days > 20 && world.counts.n_files >= 11);
    store_remove(&world.store);
}

static void a_store_at_any_step_has_no_difference(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct world world = {0};
        struct stream random = {.seed = seed, .n_messages = 120, .n_days = 4, .with_wide = seed % 2};
        uint64_t dice = seed;
        store_make(&world.store, &opts);
        for (int64_t from = 0, to; from < random.n_messages; from = to) {
            to = from + 1 + random_below(&dice, 50);
            to = to < random.n_messages ? to : random.n_messages;
            assert_int_equal(store_open(&world.store), 0);
            assert_int_equal(store_take(&world.store, &random, from, to), 0);
            verify(&world); /* with the writer at work, and batches */
            if (world.counts.n_wrong)
                fail_msg("seed %llu, %lld messages: %s", (unsigned long long)seed, (long long)to, world.wrong);
            store_close(&world.store);
            if (random_below(&dice, 2))
                assert_int_equal(store_seal(&world.store), 0);
            verify(&world);
            if (world.counts.n_wrong)
                fail_msg("seed %llu, %lld messages, closed: %s", (unsigned long long)seed, (long long)to, world.wrong);
        }
        store_remove(&world.store);
    }
}

/* A change of a file's contents that its checksums and digests do not give away. */
static void check_change(const char *part, const char *sql, const char *where, const char *what)
{
    struct world world;
    char path[800], name[300];
    make(&world);
    find_file(&world, part, path, name);
    run_sql(path, sql);
    if (!strstr(part, "ingest") && !strstr(part, ".open."))
        list_anew(&world, path, name);
    verify(&world);
    expect(&world, where ? where : name, what);
    store_remove(&world.store);
}

static void a_changed_count_is_found(void **state)
{
    (void)state;
    check_change(".raw.g1.db", "UPDATE series SET n = n + 1 WHERE id = 1", NULL, "counts that are not those");
    check_change(".raw.g1.db", "UPDATE chunk SET n = n + 1 WHERE role = 0", NULL, "another extent or number");
    check_change(".open.g2.db", "UPDATE chunk SET n_suspect = n_suspect + 1 WHERE role = 0", NULL, "counts other qualities");
    check_change(".open.g2.db", "UPDATE chunk SET last_us = last_us + 1 WHERE role = 0", NULL, "another extent");
}

static void a_missing_or_foreign_chunk_is_found(void **state)
{
    (void)state;
    check_change(".raw.g1.db", "DELETE FROM chunk WHERE role = 0 AND series = 1", NULL, "counts that are not those");
    check_change(".raw.g1.db", "UPDATE chunk SET series = 2 WHERE role = 0 AND series = 1", NULL, "damaged readings");
    check_change(".raw.g1.db", "UPDATE chunk SET series = 99 WHERE role = 0 AND series = 1", NULL, "chunks of no series");
    check_change(".raw.g1.db", "INSERT INTO chunk SELECT NULL, series, role, begin_us, last_us, n, n_edited, n_derived, "
                 "n_estimated, n_suspect, born, died, data FROM chunk WHERE role = 0 AND series = 1", NULL, "order of time");
    check_change(".open.g2.db", "DELETE FROM chunk WHERE role = 0", NULL, "rows for people");
    check_change(".open.g2.db", "UPDATE chunk SET died = born", NULL, "a state that does not exist");
}

static void a_wrong_derivation_is_found_and_called_one(void **state)
{
    (void)state;
    check_change(".tier.g1.db", "UPDATE day SET value = '[1]'", NULL, "almanac rebuild --tiers");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_store_has_no_difference),
        cmocka_unit_test(a_store_at_any_step_has_no_difference),
        cmocka_unit_test(a_changed_count_is_found),
        cmocka_unit_test(a_missing_or_foreign_chunk_is_found),
        cmocka_unit_test(a_wrong_derivation_is_found_and_called_one),
    };
    log_level_set((enum log_level)-1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
