/* The store on a disk that fails, in a process that dies, on a machine that loses power: I1, I2, I12. */
#include <config.h>

#include "../lib/fault_vfs.h"
#include "../lib/random.h"
#include "../lib/stream.h"
#include "../lib/test.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "common/civil.h"
#include "common/log.h"
#include "model/reading.h"


#define N_PHASES 4 /* each flushed in the end, every second one sealed */

static struct stream stream = {.seed = 42, .n_messages = 84, .n_days = 3, .with_wide = true};

struct trial {
    struct store store;
    int64_t told;       /* the highest offset that was given to Kafka */
    int64_t batch_size; /* messages; another one after the fault, since nobody repeats a batch as it was */
    bool gave_up;
};

static void note_committable(struct trial *trial)
{
    struct sink *sink = writer_sink(trial->store.writer);
    int64_t offset = sink->committable(sink, trial->store.handle);
    trial->told = offset > trial->told ? offset : trial->told;
}

/* Takes batches up to the offset, as ingest does: what failed is tried again, a lost claim is made anew. */
static void take_until(struct trial *trial, int64_t end)
{
    struct store *store = &trial->store;
    int n_failures = 0;
    for (int64_t from = store->claim.next_offset < 0 ? 0 : store->claim.next_offset; from < end;) {
        int64_t to = from + trial->batch_size < end ? from + trial->batch_size : end;
        int rc = store_take(store, &stream, from, to);
        if (rc && ++n_failures > 3) {
            trial->gave_up = true;
            return;
        }
        if (rc == ERR_OWNER) {
            store_close(store);
            if (store_open(store)) {
                trial->gave_up = true;
                return;
            }
            from = store->claim.next_offset < 0 ? 0 : store->claim.next_offset;
        } else if (!rc) {
            from = to;
            note_committable(trial);
        }
    }
}

/* Everything from where the store stands to the end of the stream, with seals on the way; stops at the first step that fails
 * for good. */
static void run(struct trial *trial)
{
    trial->gave_up = false;
    for (int phase = 1; phase <= N_PHASES && !trial->gave_up; phase++) {
        if (store_open(&trial->store)) {
            trial->gave_up = true;
            return;
        }
        take_until(trial, stream.n_messages * phase / N_PHASES);
        store_close(&trial->store);
        if (!trial->gave_up && phase % 2 == 0 && store_seal(&trial->store))
            trial->gave_up = true;
    }
}

static void begin_trial(struct trial *trial)
{
    *trial = (struct trial){.told = -1, .batch_size = 4};
    store_make(&trial->store, &(struct writer_opts){.window = WINDOW_DAY, .seal_after_us = 1000 * US_PER_HOUR});
    fault_vfs_forget();
}

static void remove_shm(struct trial *trial)
{
    char path[800];
    DIR *dir = opendir(trial->store.folder);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        size_t n = strlen(entry->d_name);
        if (n < 4 || strcmp(entry->d_name + n - 4, "-shm") != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", trial->store.folder, entry->d_name);
        unlink(path);
    }
    if (dir)
        closedir(dir);
    snprintf(path, sizeof(path), "%s/catalog.db-shm", trial->store.dir);
    unlink(path);
}

/* The store opens, has what Kafka was told, goes on from where it says, and ends as if nothing had happened. */
static void recover_and_check(struct trial *trial, const char *what, int64_t n, uint64_t seed)
{
    char wrong[400];
    if (store_open(&trial->store))
        fail_msg("%s at change %lld, seed %llu: does not open: %s (%s)", what, (long long)n, (unsigned long long)seed,
                 trial->store.error, trial->store.dir);
    int64_t next_offset = trial->store.claim.next_offset;
    if (next_offset < trial->told)
        fail_msg("%s at change %lld, seed %llu: Kafka was told %lld, the store has %lld (%s)", what, (long long)n,
                 (unsigned long long)seed, (long long)trial->told, (long long)next_offset, trial->store.dir);
    store_close(&trial->store);
    store_compare(&trial->store, &stream, next_offset < 0 ? 0 : next_offset, wrong);
    if (*wrong)
        fail_msg("%s at change %lld, seed %llu: after opening (%lld messages): %s (%s)", what, (long long)n,
                 (unsigned long long)seed, (long long)next_offset, wrong, trial->store.dir);
    trial->batch_size = 9;
    run(trial);
    if (trial->gave_up)
        fail_msg("%s at change %lld, seed %llu: does not go on: %s (%s)", what, (long long)n, (unsigned long long)seed,
                 trial->store.error, trial->store.dir);
    store_compare(&trial->store, &stream, stream.n_messages, wrong);
    if (*wrong)
        fail_msg("%s at change %lld, seed %llu: in the end: %s (%s)", what, (long long)n, (unsigned long long)seed, wrong,
                 trial->store.dir);
    store_remove(&trial->store);
}

enum loss { LOSS_NONE, LOSS_ALL, LOSS_SOME };

/* Fails at the n-th change for ever greater n, until the stream gets through: with ALMANAC_SOAK each of the first 100, then a
 * hundredth further each time, some 400 of 2000. ALMANAC_FROM begins at another n, ALMANAC_ONLY takes the tests whose name fits
 * (a pattern). */
static void fail_everywhere(enum fault fault, enum loss loss, const char *what)
{
    const char *from = getenv("ALMANAC_FROM");
    bool hit = true;
    int n_trials = 0;
    int64_t n_last = 0;
    size_t n_names = fault_vfs_names_lost();
    for (int64_t n = from ? atoll(from) : 1; hit; n += 1 + n / (getenv("ALMANAC_SOAK") ? 100 : 2)) {
        struct trial trial;
        begin_trial(&trial);
        fault_vfs_arm(fault, n);
        if (fault == FAULT_SYNC_ONCE)
            fault_vfs_die_after(n * 7 % 50);
        run(&trial);
        hit = fault_vfs_hit();
        fault_vfs_disarm();
        if (!hit && trial.gave_up)
            fail_msg("%s: without a fault: %s", what, trial.store.error);
        if (loss == LOSS_NONE)
            fault_vfs_forget();
        else
            fault_vfs_lose_power(loss == LOSS_SOME ? (uint64_t)n : 0);
        if (loss != LOSS_NONE)
            remove_shm(&trial);
        recover_and_check(&trial, what, n, loss == LOSS_SOME ? (uint64_t)n : 0);
        n_trials++;
        n_last = n;
    }
    print_message("# %s: %d trials, the last at change %lld, which none was; %zu names lost\n", what, n_trials, (long long)n_last,
                  fault_vfs_names_lost() - n_names);
}

static void a_process_that_dies_at_any_change_loses_and_doubles_nothing(void **state)
{
    (void)state;
    fail_everywhere(FAULT_DEAD, LOSS_NONE, "death");
}

static void a_loss_of_power_at_any_change_loses_and_doubles_nothing(void **state)
{
    (void)state;
    fail_everywhere(FAULT_DEAD, LOSS_ALL, "loss of power");
}

static void a_loss_of_power_that_leaves_some_writes_loses_and_doubles_nothing(void **state)
{
    (void)state;
    fail_everywhere(FAULT_DEAD, LOSS_SOME, "loss of power with some writes done");
}

static void a_write_that_fails_once_loses_and_doubles_nothing(void **state)
{
    (void)state;
    fail_everywhere(FAULT_IO_ONCE, LOSS_NONE, "failed write");
}

static void a_full_disk_loses_and_doubles_nothing(void **state)
{
    (void)state;
    fail_everywhere(FAULT_FULL_ONCE, LOSS_NONE, "full disk");
}

/* Every sync point: the power fails there, and any part of what was written since is on the disk; of what was made, renamed and
 * unlinked in a folder that is not synced only some. */
static void a_cut_at_every_sync_loses_and_doubles_nothing(void **state)
{
    (void)state;
    struct stream whole = stream;
    int n_seeds = getenv("ALMANAC_SOAK") ? 20 : 1, n_trials = 0;
    int64_t n = 1;
    size_t n_names = fault_vfs_names_lost();
    stream = (struct stream){.seed = 42, .n_messages = 16, .n_days = 2, .with_wide = true};
    for (bool hit = true; hit; n++)
        for (uint64_t seed = (uint64_t)n; hit && seed < (uint64_t)n + (uint64_t)n_seeds; seed++) {
            struct trial trial;
            begin_trial(&trial);
            fault_vfs_arm(FAULT_CUT, n);
            run(&trial);
            hit = fault_vfs_hit();
            fault_vfs_disarm();
            fault_vfs_lose_power(seed);
            remove_shm(&trial);
            recover_and_check(&trial, "cut at sync", n, seed);
            n_trials++;
        }
    print_message("# power cut at each of %lld syncs, %d trials, %zu names lost\n", (long long)n - 2, n_trials,
                  fault_vfs_names_lost() - n_names);
    stream = whole;
}

static void a_read_that_fails_once_loses_and_doubles_nothing(void **state)
{
    (void)state;
    fail_everywhere(FAULT_READ_ONCE, LOSS_NONE, "failed read");
}

static void a_read_that_comes_short_loses_and_doubles_nothing(void **state)
{
    (void)state;
    fail_everywhere(FAULT_SHORT_ONCE, LOSS_NONE, "short read");
}

static void a_failed_sync_is_not_repeated_into_success(void **state)
{
    (void)state;
    fail_everywhere(FAULT_SYNC_ONCE, LOSS_ALL, "failed sync");
}

static int install(void **state)
{
    (void)state;
    log_level_set((enum log_level)-1); /* failures are what is asked for */
    fault_vfs_install();
    return 0;
}

int main(void)
{
    if (getenv("ALMANAC_ONLY"))
        cmocka_set_test_filter(getenv("ALMANAC_ONLY"));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_that_dies_at_any_change_loses_and_doubles_nothing),
        cmocka_unit_test(a_loss_of_power_at_any_change_loses_and_doubles_nothing),
        cmocka_unit_test(a_loss_of_power_that_leaves_some_writes_loses_and_doubles_nothing),
        cmocka_unit_test(a_write_that_fails_once_loses_and_doubles_nothing),
        cmocka_unit_test(a_full_disk_loses_and_doubles_nothing),
        cmocka_unit_test(a_cut_at_every_sync_loses_and_doubles_nothing),
        cmocka_unit_test(a_read_that_fails_once_loses_and_doubles_nothing),
        cmocka_unit_test(a_read_that_comes_short_loses_and_doubles_nothing),
        cmocka_unit_test(a_failed_sync_is_not_repeated_into_success),
    };
    return cmocka_run_group_tests(tests, install, NULL);
}
