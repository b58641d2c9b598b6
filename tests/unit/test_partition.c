/* One partition's ingest.db without the writer above it: owners, offsets, gaps, dead letters, what counts as synced. */
#include <config.h>

#include "../lib/fault_vfs.h"
#include "../lib/test.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/files.h"
#include "store/partition.h"

static char dir[256];
static struct partition *partition;

static const struct source source = {"cluster-a", "raw.t", 0};
static bool is_ours;
static bool holds(void *arg)
{
    (void)arg;
    return is_ours;
}

static const struct owner owner = {.generation = 7, .member = "member-1", .holds = holds};

static void open_partition(void)
{
    is_ours = true;
    struct err_text error = {0};
    if (partition_open(dir, "raw.t", 0, &partition, &error))
        fail_msg("%s", error.text);
}

static int set_up(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    char store[300];
    snprintf(dir, sizeof(dir), "%.200s/almanac-partition-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
    snprintf(store, sizeof(store), "%s/store", dir);
    assert_int_equal(mkdir(store, 0777), 0);
    open_partition();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char path[600];
    static const char *const names[] = {"store/raw.t/0/ingest.db", "store/raw.t/0/ingest.db-wal",
                                        "store/raw.t/0/ingest.db-shm", "store/raw.t/0", "store/raw.t", "store", ""};
    fault_vfs_disarm();
    fault_vfs_forget();
    partition_close(partition);
    partition = NULL;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        remove(path);
    }
    return access(dir, F_OK) ? 0 : 1; /* nothing else was left there */
}

static int64_t claim(struct claim *ret_claim)
{
    int64_t epoch = -1;
    struct err_text error = {0};
    if (partition_claim(partition, &source, &owner, ret_claim, &epoch, &error))
        fail_msg("%s", error.text);
    return epoch;
}

/* A batch of one message that ends at next_offset, with a parcel of four bytes. */
static int take(int64_t epoch, int64_t next_offset)
{
    struct batch batch;
    struct buf parcel = {0};
    batch_init(&batch);
    batch.first_offset = next_offset - 1;
    batch.next_offset = next_offset;
    batch.n_messages = 1;
    batch.last_known_ms = next_offset * 10;
    memset(batch.last_hash, (int)next_offset, sizeof(batch.last_hash));
    buf_put(&parcel, "abcd", 4);
    int rc = partition_take(
        partition, &(struct taking){.epoch = epoch, .batch = &batch, .parcel = &parcel, .n_readings = 3}, NULL);
    buf_free(&parcel);
    batch_free(&batch);
    return rc;
}

static int64_t ask(const char *sql)
{
    char path[400];
    struct db *db;
    int64_t value;
    snprintf(path, sizeof(path), "%s/ingest.db", partition_folder(partition));
    assert_int_equal(db_open(&(struct db_opts){.path = path, .mode = DB_READ, .format = &ingest_format}, &db, NULL), 0);
    assert_int_equal(db_get_i64(db, sql, &value), 0);
    db_close(db);
    return value;
}

/* ---- offsets and owners ---- */

static void a_claim_says_where_to_read_on(void **state)
{
    (void)state;
    struct claim found;
    int64_t epoch = claim(&found);
    assert_int_equal(found.next_offset, -1);
    assert_int_equal(found.last_offset, -1);
    assert_int_equal(found.incarnation, 1);
    assert_false(found.sparse);
    assert_int_equal(take(epoch, 20), 0);
    assert_int_equal(take(epoch, 33), 0);
    partition_close(partition);
    open_partition();
    claim(&found);
    assert_int_equal(found.next_offset, 33);
    assert_int_equal(found.last_offset, 32);
    assert_int_equal(found.last_hash[0], 33);
    assert_int_equal(found.last_hash[31], 33);
    assert_int_equal(ask("SELECT count(*) FROM batch"), 2);
}

/* I4 */
static void who_claimed_before_may_not_write_any_more(void **state)
{
    (void)state;
    struct claim found;
    int64_t old_epoch = claim(&found), epoch = claim(&found);
    struct err_text error = {0};
    assert_int_equal(take(old_epoch, 10), ERR_OWNER);
    assert_int_equal(partition_gap(partition, old_epoch, 0, 5, "test", &error), ERR_OWNER);
    assert_int_equal(partition_reincarnate(partition, old_epoch, 0, &error), ERR_OWNER);
    assert_int_equal(ask("SELECT next_offset FROM source"), -1);
    assert_int_equal(ask("SELECT count(*) FROM batch"), 0);
    assert_int_equal(ask("SELECT count(*) FROM gap"), 0);
    assert_int_equal(ask("SELECT incarnation FROM source"), 1);
    assert_int_equal(partition_next_offset(partition), -1);
    assert_int_equal(take(epoch, 10), 0);
    assert_int_equal(partition_next_offset(partition), 10);
}

/* I4: the group's word is asked last in the transaction. */
static void who_is_not_sure_to_own_the_partition_stores_nothing(void **state)
{
    (void)state;
    struct claim found;
    int64_t epoch = claim(&found);
    struct err_text error = {0};
    assert_int_equal(take(epoch, 10), 0);
    is_ours = false;
    assert_int_equal(take(epoch, 20), ERR_EXPIRED);
    assert_int_equal(partition_gap(partition, epoch, 10, 15, "test", &error), ERR_EXPIRED);
    assert_int_equal(partition_reincarnate(partition, epoch, 0, &error), ERR_EXPIRED);
    assert_int_equal(ask("SELECT next_offset FROM source"), 10);
    assert_int_equal(ask("SELECT count(*) FROM batch"), 1);
    assert_int_equal(ask("SELECT count(*) FROM gap"), 0);
    assert_int_equal(partition_next_offset(partition), 10);
    is_ours = true;
    assert_int_equal(take(epoch, 20), 0);
    assert_int_equal(partition_next_offset(partition), 20);
}

/* I4: the comparison is in the transaction, so that another process that took the row over is noticed. */
static void a_row_that_was_taken_over_in_the_file_is_noticed(void **state)
{
    (void)state;
    struct claim found;
    char path[400];
    struct db *db;
    int64_t epoch = claim(&found);
    snprintf(path, sizeof(path), "%s/ingest.db", partition_folder(partition));
    assert_int_equal(db_open(&(struct db_opts){.path = path, .mode = DB_WRITE, .format = &ingest_format}, &db, NULL), 0);
    assert_int_equal(db_exec(db, "UPDATE source SET epoch = epoch + 1"), 0);
    db_close(db);
    assert_int_equal(take(epoch, 10), ERR_OWNER);
    assert_int_equal(ask("SELECT count(*) FROM batch"), 0);
}

static void a_topic_of_another_cluster_is_a_new_incarnation(void **state)
{
    (void)state;
    struct claim found;
    int64_t epoch = claim(&found);
    assert_int_equal(take(epoch, 10), 0);
    struct source other = source;
    snprintf(other.cluster, sizeof(other.cluster), "cluster-b");
    assert_int_equal(partition_claim(partition, &other, &owner, &found, &epoch, NULL), 0);
    assert_int_equal(found.incarnation, 2);
    assert_int_equal(found.next_offset, -1);
    assert_int_equal(ask("SELECT count(*) FROM gap"), 1);
    assert_int_equal(take(epoch, 3), 0);
    assert_int_equal(ask("SELECT count(*) FROM batch"), 2);
}

static void a_reincarnation_and_a_gap_are_recorded_and_move_the_offset(void **state)
{
    (void)state;
    struct claim found;
    int64_t epoch = claim(&found);
    assert_int_equal(take(epoch, 10), 0);
    assert_int_equal(partition_gap(partition, epoch, 10, 25, "the log was cut", NULL), 0);
    assert_int_equal(partition_next_offset(partition), 25);
    assert_int_equal(partition_reincarnate(partition, epoch, 2, NULL), 0);
    assert_int_equal(partition_next_offset(partition), 2);
    assert_int_equal(ask("SELECT incarnation FROM source"), 2);
    assert_int_equal(ask("SELECT count(*) FROM gap"), 2);
    assert_int_equal(ask("SELECT from_offset * 1000 + to_offset FROM gap WHERE id = 1"), 10025);
}

static void three_holes_make_a_topic_sparse(void **state)
{
    (void)state;
    struct claim found;
    struct batch batch;
    struct buf parcel = {0};
    int64_t epoch = claim(&found);
    batch_init(&batch);
    for (int64_t i = 1; i <= 5; i++) {
        batch.first_offset = i * 10;
        batch.next_offset = i * 10 + 1;
        batch.n_messages = 1;
        batch.hole_from = i * 10 - 9;
        batch.hole_to = i * 10;
        assert_int_equal(
            partition_take(partition, &(struct taking){.epoch = epoch, .batch = &batch, .parcel = &parcel}, NULL), 0);
        claim(&found);
        epoch = claim(&found);
        assert_int_equal(found.sparse, i >= 3);
    }
    assert_int_equal(ask("SELECT count(*) FROM gap"), 3);
    assert_int_equal(ask("SELECT count(*) FROM batch"), 0); /* no readings, no batch */
    batch_free(&batch);
}

/* ---- what is on disk ---- */

static struct db *begin_reading(void)
{
    char path[400];
    struct db *db;
    int64_t n;
    snprintf(path, sizeof(path), "%s/ingest.db", partition_folder(partition));
    assert_int_equal(db_open(&(struct db_opts){.path = path, .mode = DB_READ, .format = &ingest_format}, &db, NULL), 0);
    assert_int_equal(db_begin(db), 0);
    assert_int_equal(db_get_i64(db, "SELECT count(*) FROM batch", &n), 0);
    return db;
}

static void kafka_is_told_only_what_is_synced(void **state)
{
    (void)state;
    struct claim found;
    int64_t epoch = claim(&found);
    assert_int_equal(partition_checkpoint(partition), 0);
    assert_int_equal(take(epoch, 10), 0);
    assert_int_equal(partition_committable(partition), -1);
    assert_int_equal(partition_checkpoint(partition), 0);
    assert_int_equal(partition_committable(partition), 10);
    struct db *reader = begin_reading();
    assert_int_equal(take(epoch, 20), 0);
    assert_int_equal(partition_checkpoint(partition), 0);
    assert_int_equal(partition_committable(partition), 20); /* a reader does not hold that up */
    struct backlog backlog;
    partition_backlog(partition, &backlog);
    assert_int_equal(backlog.batches, 2);
    assert_int_equal(backlog.readings, 6);
    assert_int_equal(backlog.bytes, 8);
    assert_int_equal(backlog.last_batch, 2);
    assert_int_equal(backlog.synced_batch, 2);
    db_close(reader);
}

/* I12: the log may lack what a failed sync should have brought to disk, whatever later syncs say. */
static void after_a_failed_sync_only_a_whole_checkpoint_counts(void **state)
{
    (void)state;
    struct claim found;
    int64_t epoch = claim(&found);
    assert_int_equal(partition_checkpoint(partition), 0);
    struct db *reader = begin_reading();
    assert_int_equal(take(epoch, 10), 0);
    fault_vfs_arm(FAULT_SYNC_ONCE, 1);
    assert_int_equal(partition_checkpoint(partition), ERR_IO);
    assert_true(fault_vfs_hit());
    fault_vfs_disarm();
    assert_int_equal(partition_checkpoint(partition), 0);
    assert_int_equal(partition_committable(partition), -1);
    db_close(reader);
    assert_int_equal(partition_checkpoint(partition), 0);
    assert_int_equal(partition_committable(partition), partition_next_offset(partition));
}

static void a_write_that_fails_stores_nothing_and_may_be_repeated(void **state)
{
    (void)state;
    static const enum fault faults[] = {FAULT_IO_ONCE, FAULT_FULL_ONCE};
    struct claim found;
    int64_t epoch = claim(&found), next = 10;
    for (size_t i = 0; i < 2; i++, next += 10) {
        fault_vfs_arm(faults[i], 1);
        assert_int_equal(take(epoch, next), i ? ERR_FULL : ERR_IO);
        fault_vfs_disarm();
        assert_int_equal(ask("SELECT count(*) FROM batch"), i);
        assert_int_equal(take(epoch, next), 0);
        assert_int_equal(partition_next_offset(partition), next);
    }
    assert_int_equal(ask("SELECT count(*) FROM batch"), 2);
}

/* Wherever a sync failed before: a partition that could be opened and closed outlives a loss of power. */
static void a_folder_whose_sync_failed_once_outlives_a_loss_of_power(void **state)
{
    (void)state;
    struct partition *other;
    struct err_text error = {0};
    char path[600], made[620];
    size_t n_lost = fault_vfs_names_lost();
    int n_trials = 0;
    snprintf(path, sizeof(path), "%s/store/raw.u", dir);
    snprintf(made, sizeof(made), "%s/0/ingest.db", path);
    for (int64_t n = 1, hit = 1; hit; n++)
        for (uint64_t seed = 1; seed <= 6; seed++, n_trials++) {
            fault_vfs_forget();
            fault_vfs_arm(FAULT_SYNC_ONCE, n);
            int rc = partition_open(dir, "raw.u", 0, &other, &error);
            hit = fault_vfs_hit();
            fault_vfs_disarm();
            assert_true(!rc || hit);
            if (rc)
                assert_int_equal(partition_open(dir, "raw.u", 0, &other, &error), 0);
            partition_close(other);
            fault_vfs_lose_power(seed);
            if (access(made, F_OK))
                fail_msg("sync %lld, seed %llu: \"%s\" is gone", (long long)n, (unsigned long long)seed, made);
            files_remove_tree(path);
        }
    print_message("# %d trials, %zu names lost\n", n_trials, fault_vfs_names_lost() - n_lost);
}

/* ---- dead letters ---- */

static int note_dead(void *arg, int64_t id, const struct refusal *refusal, const void *payload)
{
    char *out = arg;
    size_t n = strlen(out);
    snprintf(out + n, 1000 - n, "%lld %s %lld \"%s\" %s %d %.*s; ", (long long)id, refusal_name(refusal->reason),
             (long long)refusal->offset, refusal->detail, refusal->property, refusal->slot,
             (int)refusal->payload_size, (const char *)payload);
    return 0;
}

static void dead_letters_wait_until_they_are_copied(void **state)
{
    (void)state;
    struct claim found;
    struct batch batch;
    struct buf parcel = {0};
    char text[1000] = "";
    int64_t epoch = claim(&found);
    batch_init(&batch);
    assert_int_equal(batch_refuse(&batch, REFUSED_JSON, 4, 100, NULL, 0, -1, "{", 1, "at byte %d", 1), 0);
    assert_int_equal(batch_refuse(&batch, REFUSED_UNIT, 5, 100, "voltage", 7, 2, "{\"a\":1}", 7, "not a unit"), 0);
    batch.first_offset = 4;
    batch.next_offset = 6;
    batch.n_messages = 2;
    assert_int_equal(partition_take(partition, &(struct taking){.epoch = epoch, .batch = &batch, .parcel = &parcel}, NULL), 0);
    assert_int_equal(partition_dead_next(partition, 1, note_dead, text), 0);
    assert_string_equal(text, "1 json 4 \"at byte 1\"  -1 {; ");
    *text = '\0';
    assert_int_equal(partition_dead_done(partition, 1), 0);
    assert_int_equal(partition_dead_next(partition, 10, note_dead, text), 0);
    assert_string_equal(text, "2 unit 5 \"not a unit\" voltage 2 {\"a\":1}; ");
    *text = '\0';
    assert_int_equal(partition_dead_done(partition, 2), 0);
    assert_int_equal(partition_dead_next(partition, 10, note_dead, text), 0);
    assert_string_equal(text, "");
    /* they stay for people, counted from when they were refused: their Kafka timestamps are of 1970 */
    assert_int_equal(partition_purge(partition, 0, NULL), 0);
    assert_int_equal(ask("SELECT count(*) FROM dead"), 2);
    batch_free(&batch);
}

/* ---- files ---- */

static void a_file_that_nobody_lists_is_removed_at_opening(void **state)
{
    (void)state;
    static const char *const names[] = {"2024-03-01.open.g1.db", "2024-03-01.open.g1.db-wal", "2024-03-01.raw.g1.db",
                                        "2024-03-01.tier.g1.db.tmp", "2024-03.open.g2.db", "2024-03.open.g2.db.tmp",
                                        "notes.txt"};
    static const bool stays[] = {false, false, false, false, true, false, true};
    char path[400];
    struct file file = {.name = "2024-03.open.g2.db", .kind = FILE_OPEN, .generation = 2};
    assert_int_equal(partition_change_files(partition, &(struct file_change){.last_batch = -1, .put = &file, .n_put = 1},
                                            NULL), 0);
    for (size_t i = 0; i < 7; i++) {
        snprintf(path, sizeof(path), "%s/%s", partition_folder(partition), names[i]);
        FILE *out = fopen(path, "w");
        assert_non_null(out);
        fclose(out);
    }
    partition_close(partition);
    open_partition();
    for (size_t i = 0; i < 7; i++) {
        snprintf(path, sizeof(path), "%s/%s", partition_folder(partition), names[i]);
        if ((access(path, F_OK) == 0) != stays[i])
            fail_msg("%s %s", names[i], stays[i] ? "is gone" : "is still there");
        unlink(path);
    }
}

static void retired_files_go_when_their_time_has_come(void **state)
{
    (void)state;
    char path[400];
    struct file file = {.name = "2024-03.open.g2.db", .kind = FILE_OPEN, .generation = 2};
    snprintf(path, sizeof(path), "%s/%s", partition_folder(partition), file.name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fclose(out);
    assert_int_equal(partition_change_files(partition, &(struct file_change){.last_batch = -1, .put = &file, .n_put = 1},
                                            NULL), 0);
    const char (*removed)[FILE_NAME_MAX] = &file.name;
    assert_int_equal(partition_change_files(partition, &(struct file_change){.last_batch = -1, .removed = removed,
                                                                             .n_removed = 1}, NULL), 0);
    assert_int_equal(ask("SELECT count(*) FROM file"), 0);
    assert_int_equal(partition_purge(partition, 1, NULL), 0);
    assert_int_equal(access(path, F_OK), 0);
    partition_close(partition);
    open_partition(); /* a view of another process may still need it */
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(partition_purge(partition, INT64_MAX, NULL), 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(ask("SELECT count(*) FROM retired"), 0);
}

static int install(void **state)
{
    (void)state;
    fault_vfs_install();
    return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_claim_says_where_to_read_on),
        CASE(who_claimed_before_may_not_write_any_more),
        CASE(who_is_not_sure_to_own_the_partition_stores_nothing),
        CASE(a_row_that_was_taken_over_in_the_file_is_noticed),
        CASE(a_topic_of_another_cluster_is_a_new_incarnation),
        CASE(a_reincarnation_and_a_gap_are_recorded_and_move_the_offset),
        CASE(three_holes_make_a_topic_sparse),
        CASE(kafka_is_told_only_what_is_synced),
        CASE(after_a_failed_sync_only_a_whole_checkpoint_counts),
        CASE(a_write_that_fails_stores_nothing_and_may_be_repeated),
        CASE(a_folder_whose_sync_failed_once_outlives_a_loss_of_power),
        CASE(dead_letters_wait_until_they_are_copied),
        CASE(a_file_that_nobody_lists_is_removed_at_opening),
        CASE(retired_files_go_when_their_time_has_come),
    };
    return cmocka_run_group_tests(tests, install, NULL);
}
