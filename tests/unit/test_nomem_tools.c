/* Verify, rebuild, copies and SQL when memory is refused, ours or SQLite's, at one allocation after the other: a code, no harm,
 * no wrong answer, and the next try works. */
#include <config.h>

#include "../lib/fault_heap.h"
#include "../lib/random.h"
#include "../lib/stream.h"
#include "../lib/test.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/civil.h"
#include "common/files.h"
#include "common/log.h"
#include "store/catalog.h"
#include "store/copy.h"
#include "store/rebuild.h"
#include "store/snapshots.h"
#include "store/verify.h"
#include "vtab/vtab.h"

/* Nothing here loses power, and there are thousands of syncs: SQLite's and ours find these. */
__attribute__((visibility("default"))) int fsync(int fd)
{
    (void)fd;
    return 0;
}

__attribute__((visibility("default"))) int fdatasync(int fd)
{
    return fsync(fd);
}

static const struct stream stream = {.seed = 11, .n_messages = 40, .n_days = 2, .with_wide = true};
static const struct writer_opts opts = {.window = WINDOW_DAY, .seal_after_us = 1000 * US_PER_HOUR};
static const struct duration hour = {.us = US_PER_HOUR};
static uint64_t seed;

/* One store for all cases, with sealed windows and open ones above them; nobody writes. */
static struct store store;

/* What is done without memory. begin and end, which have theirs, may be NULL; end looks at what it left and repeats it. */
struct operation {
    const char *name;
    int (*begin)(void);
    int (*run)(struct err_text *error);
    void (*end)(int rc);
};

static int64_t now_n; /* the allocation at work, for messages */
static const char *now_name;

static void fail_now(const char *what)
{
    fail_msg("%s, allocation %" PRId64 ", ALMANAC_SEED=%" PRIu64 ": %s", now_name, now_n, seed, what);
}

/* Every allocation in turn, until none fails; without ALMANAC_SOAK all of the first ones, and then ever fewer, by the seed. */
static void fail_each(const struct operation *operation)
{
    uint64_t dice = seed;
    int n_trials = 0, hit = 1;
    now_name = operation->name;
    for (now_n = 1; hit; now_n += getenv("ALMANAC_SOAK") ? 1 : 1 + random_below(&dice, 1 + now_n / 2)) {
        struct err_text error = {0};
        if (operation->begin && operation->begin())
            fail_now("cannot begin");
        fault_heap_arm(now_n);
        int rc = operation->run(&error);
        hit = fault_heap_disarm();
        if (rc && rc != ERR_NOMEM)
            fail_now(*error.text ? error.text : err_name(rc));
        if (rc && !hit)
            fail_now("no memory where none was refused");
        operation->end(rc);
        n_trials++;
    }
    print_message("# %s: %d trials, fewer than %" PRId64 " allocations\n", operation->name, n_trials, now_n);
}

/* ---- verify ---- */

static char wrong[2000];
static struct verify_counts counts, whole_counts;

static int note(void *arg, const struct verify_finding *finding)
{
    (void)arg;
    size_t n = strlen(wrong);
    if (finding->is_wrong)
        snprintf(wrong + n, sizeof(wrong) - n, "%s: %s\n", finding->path, finding->what);
    return 0;
}

static int verify_dir(const char *dir, struct err_text *error)
{
    *wrong = '\0';
    return verify_run(&(struct verify_opts){.dir = dir, .found = note}, &counts, error);
}

static void expect_whole(const char *dir)
{
    struct err_text error = {0};
    if (verify_dir(dir, &error))
        fail_now(error.text);
    if (counts.n_wrong)
        fail_now(wrong);
}

static int run_verify(struct err_text *error)
{
    return verify_dir(store.dir, error);
}

static void end_verify(int rc)
{
    if (counts.n_wrong)
        fail_now(wrong);
    if (!rc && memcmp(&counts, &whole_counts, sizeof(counts)) != 0)
        fail_now("it did not look at everything and says that it did");
}

static void make_snapshot(const char *name)
{
    struct err_text error = {0};
    struct snapshots *snapshots = snapshots_new(store.dir);
    assert_non_null(snapshots);
    if (snapshots_make(snapshots, name, &hour, &error))
        fail_msg("%s", error.text);
    snapshots_free(snapshots);
}

static void drop_snapshot(const char *name)
{
    struct err_text error = {0};
    struct snapshots *snapshots = snapshots_new(store.dir);
    assert_non_null(snapshots);
    if (snapshots_drop(snapshots, name, &error))
        fail_msg("%s", error.text);
    snapshots_free(snapshots);
}

static void verify_without_memory_finds_nothing_that_is_not(void **state)
{
    (void)state;
    make_snapshot("a");
    expect_whole(store.dir);
    whole_counts = counts;
    fail_each(&(struct operation){"verify", NULL, run_verify, end_verify});
    drop_snapshot("a");
}

/* ---- rebuild ---- */

static int said(void *arg, bool is_wrong, const char *text)
{
    (void)arg;
    if (is_wrong)
        snprintf(wrong, sizeof(wrong), "%s", text);
    return 0;
}

static int rebuild(bool tiers, bool catalog, struct err_text *error)
{
    struct rebuild_counts done;
    *wrong = '\0';
    return rebuild_run(&(struct rebuild_opts){.dir = store.dir, .tiers = tiers, .catalog = catalog, .all = true, .said = said},
                       &done, error);
}

static int run_rebuild_tiers(struct err_text *error)
{
    return rebuild(true, false, error);
}

static int run_rebuild_catalog(struct err_text *error)
{
    return rebuild(false, true, error);
}

static void compare(struct store *of)
{
    char differs[400];
    store_compare(of, &stream, stream.n_messages, differs);
    if (*differs)
        fail_now(differs);
}

/* Damage may be said of the old catalog, which one without memory cannot read; the new one has to be right. */
static void end_rebuild(int rc)
{
    struct err_text error = {0};
    if (*wrong && !rc)
        fail_now(wrong);
    if (rc && (rebuild(true, true, &error) || *wrong))
        fail_now(*wrong ? wrong : error.text);
    expect_whole(store.dir);
    if (store_seal(&store)) /* removes what was replaced */
        fail_now("cannot seal");
    compare(&store);
}

static void rebuilding_without_memory_may_be_repeated(void **state)
{
    (void)state;
    fail_each(&(struct operation){"rebuild --tiers", NULL, run_rebuild_tiers, end_rebuild});
    fail_each(&(struct operation){"rebuild --catalog", NULL, run_rebuild_catalog, end_rebuild});
}

/* ---- copies ---- */

static struct store copy; /* where one goes */

static int own_copy(void *arg, const char *folder, struct err_text *error)
{
    (void)arg;
    return catalog_restore(folder, error);
}

static int run_copy(struct err_text *error)
{
    return store_copy(&(struct copy_opts){.dir = store.dir, .dest = copy.dir}, error);
}

static int run_restore(struct err_text *error)
{
    return store_copy(&(struct copy_opts){.dir = store.dir, .dest = copy.dir, .finish = own_copy}, error);
}

static bool exists(const char *path, const char *end)
{
    char whole[700];
    struct stat stat_of;
    snprintf(whole, sizeof(whole), "%s%s", path, end);
    return lstat(whole, &stat_of) == 0;
}

static int begin_copy(void)
{
    files_remove_tree(copy.dir);
    return 0;
}

static void end_copy(int rc)
{
    struct err_text error = {0};
    if (rc && (exists(copy.dir, "") || exists(copy.dir, ".part")))
        fail_now("something is left of a copy that failed");
    if (rc && run_copy(&error))
        fail_now(error.text);
    compare(&copy);
}

static void copying_without_memory_leaves_nothing_and_may_be_repeated(void **state)
{
    (void)state;
    store_make(&copy, &opts);
    fail_each(&(struct operation){"copy", begin_copy, run_copy, end_copy});
    fail_each(&(struct operation){"restore", begin_copy, run_restore, end_copy});
    store_remove(&copy);
}

static int count_one(void *arg, const struct snapshot_info *info)
{
    *(int *)arg += strcmp(info->name, "b") == 0;
    return 0;
}

/* Makes one, lists it, reads from it, drops it. */
static int run_snapshot(struct err_text *error)
{
    struct snapshots *snapshots = snapshots_new(store.dir);
    struct snapshot_info info;
    struct reader_dir *dir;
    struct view *view = NULL;
    int n = 0;
    if (!snapshots)
        return ERR_NOMEM;
    int rc = snapshots_make(snapshots, "b", &hour, error);
    if (!rc && !(rc = snapshots_list(snapshots, NULL, count_one, &n, error)) && n != 1)
        fail_now("the snapshot is not in the list");
    if (!rc && !(rc = snapshots_take(snapshots, "b", &info, &dir, error))) {
        rc = view_open(dir, &view, error);
        view_close(view);
        snapshots_give(snapshots, dir);
    }
    rc = rc ? rc : snapshots_drop(snapshots, "b", error);
    snapshots_free(snapshots);
    return rc;
}

static void end_snapshot(int rc)
{
    char path[600];
    snprintf(path, sizeof(path), "%s/snapshots/b", store.dir);
    if (exists(path, ".part"))
        fail_now("something is left of a snapshot that failed");
    if (rc && exists(path, ""))
        drop_snapshot("b");
    if (rc) {
        make_snapshot("b");
        expect_whole(store.dir);
        drop_snapshot("b");
    }
}

static void snapshots_without_memory_are_whole_or_not_there(void **state)
{
    (void)state;
    fail_each(&(struct operation){"snapshot", NULL, run_snapshot, end_snapshot});
}

/* ---- SQL ---- */

static const char *query;
static char *expected, *found;

static int put_row(void *arg, int n, char **values, char **names)
{
    char **out = arg;
    (void)names;
    for (int i = 0; i < n && *out; i++)
        *out = sqlite3_mprintf("%z%s|", *out, values[i] ? values[i] : "NULL");
    return *out ? 0 : 1;
}

/* Opens, registers, asks: as a program does that loads the extension. */
static int run_query(struct err_text *error)
{
    char path[600];
    sqlite3 *db = NULL;
    char *message = NULL;
    snprintf(path, sizeof(path), "%s/catalog.db", store.dir);
    found = NULL;
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL);
    if (rc == SQLITE_OK)
        rc = vtab_register(db, &(struct vtab_opts){0});
    if (rc == SQLITE_OK && !(found = sqlite3_mprintf("%s", "")))
        rc = SQLITE_NOMEM;
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, query, put_row, &found, &message);
    if (rc)
        snprintf(error->text, sizeof(error->text), "%s (SQLite's code %d)", message ? message : "", rc);
    bool no_memory = rc == SQLITE_NOMEM || rc == SQLITE_IOERR_NOMEM || (rc == SQLITE_ABORT && !found);
    sqlite3_free(message);
    sqlite3_close(db);
    return !rc ? 0 : no_memory ? ERR_NOMEM : ERR_IO;
}

static void end_query(int rc)
{
    if (!rc && expected && strcmp(found, expected) != 0)
        fail_now("another answer");
    sqlite3_free(found);
    found = NULL;
}

static void a_statement_without_memory_ends_with_a_code(void **state)
{
    (void)state;
    static const char *const queries[] = {
        "SELECT entity, property, time, value, quality FROM readings WHERE entity = 'm-1' ORDER BY t_us",
        "SELECT entity, time, value FROM readings WHERE entity IN ('m-2', 'wx') AND time >= '2024-03-01' ORDER BY 1, 2, 3",
        "SELECT entity, property, time, count, sum, mean FROM rollup WHERE step = 'P1D' AND zone = 'Europe/Ljubljana'",
        "SELECT * FROM last", "SELECT entity, time, known, value FROM revisions",
        "SELECT local_time(t_us, 'Europe/Ljubljana'), bucket(t_us, '15m') FROM readings WHERE property = 'tariff'"};
    for (size_t i = 0; i < sizeof(queries) / sizeof(*queries); i++) {
        struct err_text error = {0};
        char name[30];
        query = queries[i];
        expected = NULL;
        if (run_query(&error))
            fail_msg("%s: %s", query, error.text);
        expected = found;
        assert_true(strlen(expected) > 20);
        snprintf(name, sizeof(name), "statement %zu", i + 1);
        fail_each(&(struct operation){name, NULL, run_query, end_query});
        assert_int_equal(run_query(&error), 0);
        end_query(0);
        sqlite3_free(expected);
    }
}

static int make(void **state)
{
    (void)state;
    const char *text = getenv("ALMANAC_SEED");
    seed = text ? strtoull(text, NULL, 10) : (uint64_t)getpid() * 104729;
    print_message("# ALMANAC_SEED=%" PRIu64 "\n", seed);
    log_level_set((enum log_level)-1); /* failures are what is asked for */
    fault_heap_sqlite();
    store_make(&store, &opts);
    assert_int_equal(store_open(&store), 0);
    assert_int_equal(store_take(&store, &stream, 0, 30), 0);
    store_close(&store);
    assert_int_equal(store_seal(&store), 0);
    assert_int_equal(store_open(&store), 0);
    assert_int_equal(store_take(&store, &stream, 30, stream.n_messages), 0);
    store_close(&store);
    return 0;
}

static int end(void **state)
{
    (void)state;
    store_remove(&store);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verify_without_memory_finds_nothing_that_is_not),
        cmocka_unit_test(copying_without_memory_leaves_nothing_and_may_be_repeated),
        cmocka_unit_test(snapshots_without_memory_are_whole_or_not_there),
        cmocka_unit_test(a_statement_without_memory_ends_with_a_code),
        cmocka_unit_test(rebuilding_without_memory_may_be_repeated),
    };
    return cmocka_run_group_tests(tests, make, end);
}
