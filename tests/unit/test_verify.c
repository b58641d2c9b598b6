/* Verify says of each kind of damage in which file it is, and nothing of a store that is whole. */
#include <config.h>

#include "../lib/random.h"
#include "../lib/stream.h"
#include "../lib/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/wait.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/array.h"
#include "common/civil.h"
#include "common/hash.h"
#include "common/log.h"
#include "store/catalog.h"
#include "store/changes.h"
#include "store/rebuild.h"
#include "store/snapshots.h"
#include "store/verify.h"

static const struct stream stream = {.seed = 5, .n_messages = 400, .n_days = 3, .with_wide = true};
static const struct writer_opts opts = {.window = WINDOW_DAY, .seal_after_us = 1000 * US_PER_HOUR};

/* A store with sealed windows, open ones above them, and what verify says of it. */
struct world {
    struct store store;
    struct verify_counts counts;
    char wrong[4000], remarks[4000]; /* "PATH: WHAT; WHAT TO DO\n" each */
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

/* ---- the catalog, lists and the manifest ---- */

static void check_catalog_change(const char *sql, const char *what)
{
    struct world world;
    char path[800];
    make(&world);
    snprintf(path, sizeof(path), "%s/catalog.db", world.store.dir);
    run_sql(path, sql);
    verify(&world);
    expect(&world, "", what);
    expect(&world, "", "almanac rebuild --catalog");
    store_remove(&world.store);
}

static void a_catalog_that_tells_otherwise_is_found(void **state)
{
    (void)state;
    check_catalog_change("UPDATE series SET unit = 'kV' WHERE id = 1", "is another one in the catalog");
    check_catalog_change("PRAGMA foreign_keys = OFF; DELETE FROM series WHERE id = 1", "is not in the catalog");
    check_catalog_change("DELETE FROM series_source WHERE series = 1", "does not know that series 1");
    check_catalog_change("UPDATE source SET topic = 'other'", "does not know this partition");
}

static void a_list_that_makes_no_sense_is_found(void **state)
{
    (void)state;
    check_change("ingest.db", "UPDATE source SET next_batch = 2", "ingest.db", "and the next batch 2");
    check_change("ingest.db", "UPDATE source SET last_offset = next_offset", "ingest.db", "its position makes no sense");
    check_change("ingest.db", "UPDATE file SET mark = mark + 1 WHERE kind = 'open'", ".open.g2.db", "and the list says");
    check_change("ingest.db", "UPDATE file SET end_us = end_us + 1 WHERE kind = 'open'", ".open.g2.db", "what it says of itself");
    check_change("ingest.db", "UPDATE file SET bytes = bytes + 1 WHERE kind = 'raw'", ".raw.g1.db", "was sealed with");
    check_change("ingest.db", "UPDATE file SET name = replace(name, 'raw', 'lost') WHERE kind = 'raw'", ".lost.g1.db",
                 "it is listed, and not there");
}

static void a_file_in_no_list_is_a_remark(void **state)
{
    (void)state;
    struct world world;
    char path[800], name[300];
    make(&world);
    find_file(&world, ".raw.g1.db", path, name);
    snprintf(path + strlen(path) - 4, 20, "99.db.tmp");
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fclose(out);
    verify(&world);
    assert_string_equal(world.wrong, "");
    assert_non_null(strstr(world.remarks, "g99.db.tmp: it is in no list"));
    store_remove(&world.store);
}

static void an_open_file_with_other_rows_for_people_is_found(void **state)
{
    (void)state;
    check_change(".open.g2.db", "UPDATE day SET value = '[1]'", NULL, "almanac rebuild --tiers");
    check_change(".open.g2.db", "INSERT INTO day (series, day, base, value) VALUES (1, 1, 0, '[1]')", NULL,
                 "almanac rebuild --tiers");
}

/* ---- what is noted of changes, of moments, of what expired ---- */

/* What becomes of the entries that a file notes of series 1, and what verify then says. */
struct note_fault {
    void (*spoil)(struct changes *changes);
    const char *what;
};

static void read_blob(sqlite3 *db, struct changes *changes)
{
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT data FROM change WHERE series = 1", -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(changes_list(sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0), 1, changes), 0);
    sqlite3_finalize(stmt);
}

static void write_blob(sqlite3 *db, const struct changes *changes)
{
    struct buf data = {0};
    sqlite3_stmt *stmt;
    assert_int_equal(changes_encode(changes, 1, &data), 0);
    assert_int_equal(sqlite3_prepare_v2(db, "UPDATE change SET data = ? WHERE series = 1", -1, &stmt, NULL), SQLITE_OK);
    sqlite3_bind_blob(stmt, 1, data.data, (int)data.n, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
    sqlite3_finalize(stmt);
    buf_free(&data);
}

static void check_note(const char *part, const struct note_fault *fault)
{
    struct world world;
    struct changes changes = {0};
    char path[800], name[300];
    sqlite3 *db;
    make(&world);
    find_file(&world, part, path, name);
    chmod(path, 0644);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    read_blob(db, &changes);
    fault->spoil(&changes);
    write_blob(db, &changes);
    sqlite3_close(db);
    changes_free(&changes);
    if (!strstr(part, ".open."))
        list_anew(&world, path, name);
    verify(&world);
    expect(&world, name, fault->what);
    store_remove(&world.store);
}

static void name_a_later_batch(struct changes *changes)
{
    changes->at[0].batch += 1000;
}

static void name_an_earlier_time(struct changes *changes)
{
    changes->at[0].begin_s -= 2 * 86400;
}

static void have_none(struct changes *changes)
{
    changes->n = 1; /* an entry that says nothing of the readings */
    changes->at[0].end_s = changes->at[0].begin_s + 1;
}

static void turn_around(struct changes *changes)
{
    struct change all = changes->at[0], late = all;
    for (size_t i = 0; i < changes->n; i++)
        all.end_s = changes->at[i].end_s > all.end_s ? changes->at[i].end_s : all.end_s;
    late.begin_s++;
    late.end_s = all.end_s;
    changes->n = 0;
    assert_int_equal(array_grow(&changes->at, &changes->cap, 2, sizeof(*changes->at)), 0);
    changes->at[changes->n++] = late;
    changes->at[changes->n++] = all;
}

static void a_note_of_changes_that_cannot_be_is_found(void **state)
{
    (void)state;
    static const struct note_fault faults[] = {
        {name_a_later_batch, "with a batch that is not there"}, {name_an_earlier_time, "outside of the window"},
        {have_none, "outside of what is noted"}, {turn_around, "not in the order of time"}};
    for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
        check_note(".raw.g1.db", &faults[i]);
        check_note(".open.g2.db", &faults[i]);
    }
    check_change(".open.g2.db", "DELETE FROM change WHERE series = 1", NULL, "there is no note of what changed");
    check_change(".raw.g1.db", "DELETE FROM change WHERE series = 1", NULL, "there is no note of what changed");
    check_change(".open.g2.db", "UPDATE change SET series = 99 WHERE series = 1", NULL,
                 "series 99, which is not here: it is damaged");
    check_change(".raw.g1.db", "UPDATE change SET data = (SELECT data FROM change WHERE series = 2) WHERE series = 1", NULL,
                 "a damaged note of what changed");
}

/* A file of two flushes says of the second one that nothing came. */
static void an_old_batch_as_the_newest_change_is_found(void **state)
{
    (void)state;
    struct world world = {0};
    struct changes changes = {0};
    char path[800], name[300];
    sqlite3 *db;
    store_make(&world.store, &opts);
    for (int64_t from = 0; from < 40; from += 20) {
        assert_int_equal(store_open(&world.store), 0);
        assert_int_equal(store_take(&world.store, &stream, from, from + 20), 0);
        store_close(&world.store);
    }
    find_file(&world, ".open.g1.db", path, name);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    read_blob(db, &changes);
    changes_limit(&changes, 1);
    write_blob(db, &changes);
    sqlite3_close(db);
    changes_free(&changes);
    verify(&world);
    expect(&world, name, "an older batch noted as the newest change of series 1");
    store_remove(&world.store);
}

static void moments_that_cannot_be_are_found(void **state)
{
    (void)state;
    check_change("ingest.db", "UPDATE moment SET batch = 99", "ingest.db", "the moment of batch 99 is out of order");
    check_change("ingest.db", "INSERT INTO moment SELECT batch + 1, at_us - 1 FROM moment", "ingest.db",
                 "moment of batch 1 is out");
    check_change("ingest.db", "DELETE FROM moment", "ingest.db", "files are listed and no moment");
}

#define CARRY(series, quality, t_us, flags, state, first_us) \
    "UPDATE source SET expired_us = 1000; INSERT INTO carry (series, quality, t_us, period_us, known_ms, flags, m, e, state, " \
    "first_us, since_us) VALUES (" #series ", " #quality ", " #t_us ", 0, 0, " #flags ", 5, 0, " #state ", " #first_us ", 0)"

static void what_was_carried_over_and_cannot_be_is_found(void **state)
{
    (void)state;
    check_change("ingest.db", CARRY(99, 0, 900, 0, NULL, 800), "ingest.db", "series 99 is not in the catalog");
    check_change("ingest.db", CARRY(-1, 0, 900, 0, NULL, 800), "ingest.db", "series -1 has a series that cannot be");
    check_change("ingest.db", CARRY(1, 0, 1000, 0, NULL, 800), "ingest.db", "series 1 has a time that has not expired");
    check_change("ingest.db", CARRY(1, 0, 900, 0, NULL, 901), "ingest.db", "series 1 has a first reading after the last one");
    check_change("ingest.db", CARRY(1, 0, 900, 1, NULL, 800), "ingest.db", "series 1 has an unknown quality");
    check_change("ingest.db", CARRY(1, 0, 900, 0, 'on', 800), "ingest.db", "series 1 has a value of another kind");
}

/* ---- snapshots ---- */

static int note_said(void *arg, bool is_wrong, const char *text)
{
    struct world *world = arg;
    char *to = is_wrong ? world->wrong : world->remarks;
    size_t n = strlen(to);
    snprintf(to + n, sizeof(world->wrong) - n, "%s\n", text);
    return 0;
}

static struct rebuild_counts rebuild(struct world *world, bool all)
{
    struct err_text error = {0};
    struct rebuild_counts counts;
    *world->wrong = *world->remarks = '\0';
    struct rebuild_opts rebuild_opts = {.dir = world->store.dir, .tiers = true, .catalog = true, .all = all, .said = note_said,
                                        .arg = world};
    if (rebuild_run(&rebuild_opts, &counts, &error))
        fail_msg("%s", error.text);
    return counts;
}

static void make_with_snapshots(struct world *world)
{
    static const struct duration hour = {.us = US_PER_HOUR};
    struct err_text error = {0};
    make(world);
    struct snapshots *snapshots = snapshots_new(world->store.dir);
    assert_non_null(snapshots);
    if (snapshots_make(snapshots, "a", &hour, &error) || snapshots_make(snapshots, "b", &hour, &error))
        fail_msg("%s", error.text);
    snapshots_free(snapshots);
}

static void whole_snapshots_have_no_difference_and_are_read_once(void **state)
{
    (void)state;
    struct world world;
    make(&world);
    verify(&world);
    struct verify_counts alone = world.counts;
    store_remove(&world.store);
    make_with_snapshots(&world);
    verify(&world);
    assert_string_equal(world.wrong, "");
    assert_int_equal(world.counts.n_snapshots, 2);
    assert_int_equal(world.counts.n_readings, alone.n_readings);
    assert_int_equal(world.counts.n_series, alone.n_series);
    assert_int_equal(world.counts.n_files, alone.n_files + 2 * 5); /* catalog, ingest.db and three open files; links once */
    store_remove(&world.store);
}

static void check_snapshot_change(const char *file, const char *sql, const char *what)
{
    struct world world;
    char path[800];
    make_with_snapshots(&world);
    snprintf(path, sizeof(path), "%s/snapshots/b/%s", world.store.dir, file);
    run_sql(path, sql);
    verify(&world);
    expect(&world, "snapshots/b/", what);
    expect(&world, "snapshots/b/", "remove the snapshot and make another one");
    assert_null(strstr(world.wrong, "snapshots/a/"));
    assert_true(strncmp(world.wrong, "snapshots/b/", 12) == 0);
    store_remove(&world.store);
}

static void damage_in_a_snapshot_is_found_and_named_there(void **state)
{
    (void)state;
    const char *ingest = "store/raw.test/3/ingest.db";
    check_snapshot_change(ingest, "UPDATE source SET next_batch = 2", "and the next batch 2");
    check_snapshot_change(ingest, "UPDATE file SET mark = mark + 1 WHERE kind = 'open'", "and the list says");
    check_snapshot_change(ingest, "DELETE FROM moment", "no moment");
    check_snapshot_change("catalog.db", "UPDATE series SET unit = 'kV' WHERE id = 1", "is another one in the catalog");
    check_snapshot_change("catalog.db", "DELETE FROM info WHERE name = 'snapshot_position'", "what it says of itself");
    check_snapshot_change("catalog.db", "UPDATE info SET value = 0 WHERE name = 'snapshot_expires_us'", "when it was made");
    check_snapshot_change("catalog.db", "UPDATE info SET value = 'AQ' WHERE name = 'snapshot_position'", "another state");
}

static void the_manifest_of_a_snapshot_is_compared_with_its_own_list(void **state)
{
    struct world world;
    char path[300], line[1024] = "";
    (void)state;
    make_with_snapshots(&world);
    snprintf(path, sizeof(path), "%s/snapshots/b/store/manifest", world.store.dir);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof(line), file));
    rewind(file);
    fputc(line[0] == '0' ? '1' : '0', file); /* of the digest */
    fclose(file);
    verify(&world);
    expect(&world, "snapshots/b/store/manifest", "is not what the list of files says");
    expect(&world, "snapshots/b/", "remove the snapshot and make another one");
    assert_null(strstr(world.wrong, "snapshots/a/"));
    store_remove(&world.store);
}

static void a_damaged_file_is_named_in_each_snapshot_that_shares_it(void **state)
{
    (void)state;
    struct world world;
    char path[800], name[300], in_b[400];
    make_with_snapshots(&world);
    find_file(&world, ".raw.g1.db", path, name);
    run_sql(path, "UPDATE series SET n = n + 1 WHERE id = 1");
    list_anew(&world, path, name);
    verify(&world);
    expect(&world, name, "counts that are not those");
    snprintf(in_b, sizeof(in_b), "snapshots/b/store/raw.test/3/%s", name);
    expect(&world, in_b, "remove the snapshot"); /* its list has the old digest: looked at for itself */
    *world.wrong = '\0';
    struct rebuild_counts counts = rebuild(&world, false);
    assert_int_equal(counts.n_series, 0); /* what is in snapshots is no reason to rebuild */
    assert_null(strstr(world.wrong, "snapshots/"));
    snprintf(path, sizeof(path), "%s/snapshots/b/store/raw.test/3/%s", world.store.dir, name);
    assert_int_equal(unlink(path), 0);
    verify(&world);
    expect(&world, in_b, "it is listed, and not there");
    store_remove(&world.store);
}

/* ---- rebuild ---- */

/* After a rebuild nothing differs, every reading is there, and the stream goes on. */
static void check_rebuilt(struct world *world)
{
    static const struct stream more = {.seed = 5, .n_messages = 400, .n_days = 3, .with_wide = true};
    char wrong[400];
    assert_string_equal(world->wrong, "");
    verify(world);
    if (world->counts.n_wrong)
        fail_msg("after the rebuild: %s", world->wrong);
    assert_int_equal(store_open(&world->store), 0);
    assert_int_equal(store_take(&world->store, &more, world->store.claim.next_offset, more.n_messages), 0);
    store_close(&world->store);
    assert_int_equal(store_seal(&world->store), 0);
    store_compare(&world->store, &more, more.n_messages, wrong);
    assert_string_equal(wrong, "");
    verify(world);
    if (world->counts.n_wrong)
        fail_msg("after going on: %s", world->wrong);
}

static void what_is_derived_is_had_again(void **state)
{
    (void)state;
    struct world world;
    char path[800], name[300];
    make(&world);
    find_file(&world, ".tier.g1.db", path, name);
    unlink(path);
    find_file(&world, ".tier.g1.db", path, name);
    run_sql(path, "UPDATE day SET value = '[1]'");
    find_file(&world, ".open.g2.db", path, name);
    run_sql(path, "UPDATE day SET value = '[1]'");
    snprintf(path, sizeof(path), "%s/store/manifest", world.store.dir);
    unlink(path);
    struct rebuild_counts counts = rebuild(&world, false);
    assert_int_equal(counts.n_tiers, 2);
    assert_int_equal(counts.n_days, 1);
    assert_int_equal(counts.n_series, 0);
    assert_int_equal(access(path, F_OK), 0);
    counts = rebuild(&world, false);
    assert_int_equal(counts.n_tiers + counts.n_days + counts.n_series, 0);
    counts = rebuild(&world, true);
    assert_true(counts.n_tiers == 3 && counts.n_days == 1 && counts.n_series == STREAM_SERIES);
    check_rebuilt(&world);
    store_remove(&world.store);
}

static void text_of(const char *path, const char *sql, char out[static 100])
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    snprintf(out, 100, "%s", (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    sqlite3_close(db);
}

static void a_lost_catalog_is_had_again_from_the_files(void **state)
{
    (void)state;
    struct world world;
    char path[800], uuid[100], again[100];
    make(&world);
    snprintf(path, sizeof(path), "%s/catalog.db", world.store.dir);
    text_of(path, "SELECT value FROM info WHERE name = 'uuid'", uuid);
    unlink(path);
    struct rebuild_counts counts = rebuild(&world, false);
    assert_int_equal(counts.n_series, STREAM_SERIES);
    text_of(path, "SELECT value FROM info WHERE name = 'uuid'", again);
    assert_string_equal(uuid, again);
    check_rebuilt(&world);
    store_remove(&world.store);
}

/* What another store told the consumer group must not count for a restored one, with its catalog made anew neither. */
static void a_restored_store_is_one_after_a_rebuild_too(void **state)
{
    (void)state;
    for (int lost = 0; lost < 3; lost++) { /* the whole catalog; what a restart has begun; only some of it is wrong */
        struct world world;
        struct err_text error = {0};
        char path[800], uuid[100], restored[100], again[100];
        make(&world);
        assert_int_equal(catalog_restore(world.store.dir, &error), 0);
        snprintf(path, sizeof(path), "%s/catalog.db", world.store.dir);
        text_of(path, "SELECT value FROM info WHERE name = 'uuid'", uuid);
        text_of(path, "SELECT value FROM info WHERE name = 'restored_us'", restored);
        if (lost == 1) {
            assert_int_equal(store_open(&world.store), 0);
            assert_true(world.store.claim.restored);
            store_close(&world.store);
        }
        if (lost == 2)
            run_sql(path, "UPDATE series SET unit = 'kV' WHERE id = 1");
        else
            unlink(path);
        rebuild(&world, false);
        text_of(path, "SELECT value FROM info WHERE name = 'uuid'", again);
        assert_string_equal(uuid, again);
        text_of(path, "SELECT value FROM info WHERE name = 'restored_us'", again);
        assert_true(lost == 2 ? strcmp(again, restored) == 0 : strtoll(again, NULL, 10) >= strtoll(restored, NULL, 10));
        assert_int_equal(store_open(&world.store), 0);
        assert_true(world.store.claim.restored);
        struct sink *sink = writer_sink(world.store.writer);
        assert_int_equal(sink->told(sink, world.store.handle), 0);
        store_close(&world.store);
        assert_int_equal(store_open(&world.store), 0);
        assert_false(world.store.claim.restored);
        store_close(&world.store);
        check_rebuilt(&world);
        store_remove(&world.store);
    }
}

static void a_store_that_was_not_restored_is_none_after_a_rebuild(void **state)
{
    (void)state;
    struct world world;
    char path[800], n[100];
    make(&world);
    snprintf(path, sizeof(path), "%s/catalog.db", world.store.dir);
    unlink(path);
    rebuild(&world, false);
    text_of(path, "SELECT count(*) FROM info WHERE name = 'restored_us'", n);
    assert_string_equal(n, "0");
    store_remove(&world.store);
}

static void a_site_s_own_models_outlive_a_catalog_with_wrong_series(void **state)
{
    (void)state;
    struct world world;
    char path[800], unit[100];
    make(&world);
    snprintf(path, sizeof(path), "%s/catalog.db", world.store.dir);
    run_sql(path, "INSERT INTO type (name) VALUES ('Silo'); INSERT INTO property (type, name, unit, kind) VALUES "
                  "('Silo', 'level', 'm', 'gauge'); UPDATE series SET unit = 'kV' WHERE id = 1");
    rebuild(&world, false);
    text_of(path, "SELECT unit FROM property WHERE type = 'Silo'", unit);
    assert_string_equal(unit, "m");
    check_rebuilt(&world);
    store_remove(&world.store);
}

/* In a process of its own, which ends as by a kill, with what it took still in batches. */
static void take_and_die(struct store *store)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        int rc = store_open(store);
        for (int64_t from = 100; from < 200 && !rc; from += 20)
            rc = store_take(store, &stream, from, from + 20);
        _exit(rc ? 1 : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The readings of series that only the catalog knew are in batches: they are read from Kafka again. */
static void batches_of_unknown_series_are_read_again(void **state)
{
    (void)state;
    struct world killed = {0};
    char path[800], command[800];
    store_make(&killed.store, &opts);
    assert_int_equal(store_open(&killed.store), 0);
    assert_int_equal(store_take(&killed.store, &stream, 0, 100), 0);
    store_close(&killed.store);
    take_and_die(&killed.store);
    snprintf(command, sizeof(command), "rm -f '%s'/catalog.db*", killed.store.dir);
    assert_int_equal(system(command), 0);
    snprintf(path, sizeof(path), "%s/ingest.db", killed.store.folder);
    run_sql(path, "UPDATE batch SET data = zeroblob(length(data)) WHERE n = (SELECT max(n) FROM batch) - 1");
    struct rebuild_counts counts = rebuild(&killed, false);
    assert_int_equal(counts.n_rewound, 1);
    assert_non_null(strstr(killed.remarks, "Kafka is read again from offset 160"));
    *killed.wrong = '\0'; /* verify's word on the damaged batch */
    check_rebuilt(&killed);
    store_remove(&killed.store);
}

static void a_damaged_raw_file_is_told_and_left(void **state)
{
    (void)state;
    struct world world;
    char path[800], name[300], tier[800], of_tier[300];
    make(&world);
    find_file(&world, ".raw.g1.db", path, name);
    chmod(path, 0644);
    FILE *out = fopen(path, "r+");
    assert_non_null(out);
    fseek(out, 2000, SEEK_SET);
    fputc('x', out);
    fclose(out);
    find_file(&world, ".tier.g1.db", tier, of_tier);
    struct rebuild_counts counts = rebuild(&world, true);
    assert_true(counts.n_wrong > 0 && counts.n_tiers == 2);
    assert_non_null(strstr(world.wrong, name));
    store_remove(&world.store);
}

static void a_directory_that_somebody_writes_is_refused(void **state)
{
    (void)state;
    struct world world;
    struct err_text error = {0};
    struct rebuild_counts counts;
    make(&world);
    assert_int_equal(store_open(&world.store), 0);
    struct rebuild_opts rebuild_opts = {.dir = world.store.dir, .tiers = true, .said = note_said, .arg = &world};
    assert_int_equal(rebuild_run(&rebuild_opts, &counts, &error), ERR_BUSY);
    assert_non_null(strstr(error.text, "ingests into"));
    store_remove(&world.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_store_has_no_difference),
        cmocka_unit_test(a_store_at_any_step_has_no_difference),
        cmocka_unit_test(a_changed_count_is_found),
        cmocka_unit_test(a_missing_or_foreign_chunk_is_found),
        cmocka_unit_test(a_wrong_derivation_is_found_and_called_one),
        cmocka_unit_test(a_catalog_that_tells_otherwise_is_found),
        cmocka_unit_test(a_list_that_makes_no_sense_is_found),
        cmocka_unit_test(a_file_in_no_list_is_a_remark),
        cmocka_unit_test(an_open_file_with_other_rows_for_people_is_found),
        cmocka_unit_test(a_note_of_changes_that_cannot_be_is_found),
        cmocka_unit_test(an_old_batch_as_the_newest_change_is_found),
        cmocka_unit_test(moments_that_cannot_be_are_found),
        cmocka_unit_test(what_was_carried_over_and_cannot_be_is_found),
        cmocka_unit_test(whole_snapshots_have_no_difference_and_are_read_once),
        cmocka_unit_test(damage_in_a_snapshot_is_found_and_named_there),
        cmocka_unit_test(the_manifest_of_a_snapshot_is_compared_with_its_own_list),
        cmocka_unit_test(a_damaged_file_is_named_in_each_snapshot_that_shares_it),
        cmocka_unit_test(what_is_derived_is_had_again),
        cmocka_unit_test(a_lost_catalog_is_had_again_from_the_files),
        cmocka_unit_test(a_restored_store_is_one_after_a_rebuild_too),
        cmocka_unit_test(a_store_that_was_not_restored_is_none_after_a_rebuild),
        cmocka_unit_test(a_site_s_own_models_outlive_a_catalog_with_wrong_series),
        cmocka_unit_test(batches_of_unknown_series_are_read_again),
        cmocka_unit_test(a_damaged_raw_file_is_told_and_left),
        cmocka_unit_test(a_directory_that_somebody_writes_is_refused),
    };
    log_level_set((enum log_level)-1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
