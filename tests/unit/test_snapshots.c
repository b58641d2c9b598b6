/* Snapshots by name: what they show stays the same, who may have which name, when they go (I3, I8). */
#include <config.h>

#include "../lib/stream.h"
#include "../lib/test.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/files.h"
#include "common/hash.h"
#include "store/snapshots.h"

#define NOW_US INT64_C(1800000000000000)

static const struct duration hour = {.us = US_PER_HOUR};

struct fixture {
    struct store store;
    struct stream stream;
    struct snapshots *snapshots;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    f->stream = (struct stream){11, 300, 40, true};
    store_make(&f->store, &(struct writer_opts){.window = WINDOW_WEEK, .seal_after_us = 100 * US_PER_HOUR});
    assert_int_equal(store_open(&f->store), 0);
    f->snapshots = snapshots_new(f->store.dir);
    assert_non_null(f->snapshots);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    clock_freeze(INT64_MIN);
    snapshots_free(f->snapshots);
    if (f->store.writer)
        store_close(&f->store);
    store_remove(&f->store);
    free(f);
    return 0;
}

static void take(struct fixture *f, int64_t from, int64_t to)
{
    if (store_take(&f->store, &f->stream, from, to))
        fail_msg("%s", f->store.error);
}

static void make(struct fixture *f, const char *name)
{
    struct err_text error = {0};
    if (snapshots_make(f->snapshots, name, &hour, &error))
        fail_msg("%s", error.text);
}

static bool exists(const struct fixture *f, const char *name)
{
    char path[400];
    struct stat stat_of;
    snprintf(path, sizeof(path), "%s/snapshots/%s", f->store.dir, name);
    return lstat(path, &stat_of) == 0;
}

static int take_snapshot(struct fixture *f, const char *name, struct reader_dir **ret_dir)
{
    struct snapshot_info info;
    struct err_text error = {0};
    int rc = snapshots_take(f->snapshots, name, &info, ret_dir, &error);
    if (rc)
        assert_string_equal(error.field, "snapshot");
    else
        assert_string_equal(info.name, name);
    return rc;
}

/* Everything that a reader finds, as a hash. */
static void hash_readings(struct reader_dir *dir, uint8_t ret_hash[static HASH_BYTES], size_t *ret_n)
{
    struct view *view;
    struct err_text error = {0};
    struct buf all = {0};
    *ret_n = 0;
    assert_int_equal(view_open(dir, &view, &error), 0);
    buf_puts(&all, view_position(view));
    for (uint32_t id = 1; id <= STREAM_SERIES; id++) {
        struct scan *scan;
        struct points points = {0};
        int rc = scan_open(view, id, CIVIL_MIN_US, CIVIL_END_US, 0, &scan);
        if (rc == ERR_NOTFOUND)
            continue;
        assert_int_equal(rc, 0);
        while ((rc = scan_next(scan, &points)) == 1) {
            buf_put(&all, points.t_us, points.n * sizeof(*points.t_us));
            buf_put(&all, points.m, points.n * sizeof(*points.m));
            *ret_n += points.n;
        }
        assert_int_equal(rc, 0);
        points_free(&points);
        scan_close(scan);
    }
    view_close(view);
    assert_false(all.failed);
    hash_bytes(all.data, all.n, ret_hash);
    buf_free(&all);
}

static void hash_snapshot(struct fixture *f, const char *name, uint8_t ret_hash[static HASH_BYTES], size_t *ret_n)
{
    struct reader_dir *dir;
    assert_int_equal(take_snapshot(f, name, &dir), 0);
    hash_readings(dir, ret_hash, ret_n);
    snapshots_give(f->snapshots, dir);
}

static void a_snapshot_stays_the_same_while_windows_are_sealed_and_retired(void **state)
{
    struct fixture *f = *state;
    uint8_t first[HASH_BYTES], hash[HASH_BYTES];
    size_t n, n_first;
    take(f, 0, 100);
    store_close(&f->store);
    assert_int_equal(store_seal(&f->store), 0);
    assert_int_equal(store_open(&f->store), 0);
    take(f, 100, 150);
    make(f, "before");
    hash_snapshot(f, "before", first, &n_first);
    assert_true(n_first > 100);
    for (int64_t at = 150; at < 300; at += 50) {
        take(f, at, at + 50);
        store_close(&f->store);
        assert_int_equal(store_seal(&f->store), 0); /* and removes what was replaced */
        if (at == 200) { /* as another process would see it */
            snapshots_free(f->snapshots);
            f->snapshots = snapshots_new(f->store.dir);
        }
        hash_snapshot(f, "before", hash, &n);
        assert_int_equal(n, n_first);
        assert_memory_equal(hash, first, HASH_BYTES);
        assert_int_equal(store_open(&f->store), 0);
    }
    struct reader_dir *live;
    assert_int_equal(reader_dir_open(f->store.dir, &live, NULL), 0);
    hash_readings(live, hash, &n);
    reader_dir_close(live);
    assert_true(n > n_first);
}

/* ---- names ---- */

static void names_that_mean_something_else_are_refused(void **state)
{
    static const char *const wrong[] = {"", ".", "..", ".x", "a/b", "../x", "x.part", "a b", "\303\251",
                                        "0123456789012345678901234567890123456789012345678901234567890123x"};
    struct fixture *f = *state;
    struct err_text error;
    struct snapshot_info info;
    struct reader_dir *dir;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        error = (struct err_text){0};
        assert_int_equal(snapshots_make(f->snapshots, wrong[i], &hour, &error), ERR_INVALID);
        assert_string_equal(error.field, "name");
        assert_int_equal(snapshots_drop(f->snapshots, wrong[i], &error), ERR_NOTFOUND);
        assert_int_equal(snapshots_take(f->snapshots, wrong[i], &info, &dir, &error), ERR_INVALID);
    }
    assert_int_equal(snapshots_make(f->snapshots, "x", &(struct duration){0}, &error), ERR_INVALID);
    assert_string_equal(error.field, "keep");
    make(f, "0-A_z.9");
    make(f, "0123456789012345678901234567890123456789012345678901234567890123");
    assert_int_equal(snapshots_make(f->snapshots, "0-A_z.9", &hour, &error), ERR_EXISTS);
    assert_string_equal(error.field, "name");
}

struct names {
    struct buf text;
};

static int add_name(void *arg, const struct snapshot_info *info)
{
    struct names *names = arg;
    assert_non_null(info->position);
    assert_true(info->expires_us == info->created_us + US_PER_HOUR);
    buf_printf(&names->text, "%s ", info->name);
    return 0;
}

static void check_list(struct fixture *f, const char *expected)
{
    struct names names = {0};
    struct err_text error = {0};
    if (snapshots_list(f->snapshots, NULL, add_name, &names, &error))
        fail_msg("%s", error.text);
    buf_putc(&names.text, '\0');
    assert_string_equal((const char *)names.text.data, expected);
    buf_free(&names.text);
}

static void a_dropped_one_is_unknown_and_its_name_free_again(void **state)
{
    struct fixture *f = *state;
    struct reader_dir *dir;
    uint8_t first[HASH_BYTES], second[HASH_BYTES];
    size_t n_first, n_second;
    check_list(f, "");
    take(f, 0, 50);
    make(f, "b");
    make(f, "a");
    check_list(f, "a b ");
    hash_snapshot(f, "a", first, &n_first);
    assert_int_equal(snapshots_drop(f->snapshots, "a", NULL), 0);
    assert_int_equal(snapshots_drop(f->snapshots, "a", NULL), ERR_NOTFOUND);
    assert_int_equal(take_snapshot(f, "a", &dir), ERR_NOTFOUND);
    check_list(f, "b ");
    take(f, 50, 100);
    make(f, "a");
    hash_snapshot(f, "a", second, &n_second); /* not what was open under that name */
    assert_true(n_second > n_first);
    assert_false(exists(f, ".a.gone"));
}

static void one_that_is_dropped_and_made_anew_elsewhere_is_noticed(void **state)
{
    struct fixture *f = *state;
    struct snapshots *other = snapshots_new(f->store.dir);
    uint8_t hash[HASH_BYTES];
    size_t n_first, n_second;
    take(f, 0, 50);
    make(f, "a");
    hash_snapshot(f, "a", hash, &n_first);
    take(f, 50, 100);
    assert_int_equal(snapshots_drop(other, "a", NULL), 0);
    assert_int_equal(snapshots_make(other, "a", &hour, NULL), 0);
    hash_snapshot(f, "a", hash, &n_second);
    assert_true(n_second > n_first);
    snapshots_free(other);
}

/* ---- time ---- */

static void one_whose_time_is_over_is_said_to_be_and_removed(void **state)
{
    struct fixture *f = *state;
    struct reader_dir *dir, *again;
    take(f, 0, 50);
    store_close(&f->store); /* its thread looks at the clock, too */
    f->store.writer = NULL;
    clock_freeze(NOW_US);
    make(f, "a");
    make(f, "used");
    assert_int_equal(take_snapshot(f, "used", &dir), 0);
    clock_freeze(NOW_US + US_PER_HOUR - 1);
    snapshots_expire(f->snapshots);
    check_list(f, "a used ");
    clock_freeze(NOW_US + US_PER_HOUR);
    assert_int_equal(take_snapshot(f, "a", &again), ERR_EXPIRED); /* before it is removed, and after */
    assert_int_equal(take_snapshot(f, "used", &again), ERR_EXPIRED);
    check_list(f, "");
    assert_int_equal(take_snapshot(f, "a", &again), ERR_EXPIRED);
    assert_int_equal(snapshots_drop(f->snapshots, "a", NULL), ERR_EXPIRED);
    assert_true(exists(f, "used/catalog.db"));
    assert_false(exists(f, "a/catalog.db"));
    snapshots_give(f->snapshots, dir);
    snapshots_expire(f->snapshots);
    assert_false(exists(f, "used/catalog.db"));
    make(f, "a");
    check_list(f, "a ");
    assert_int_equal(take_snapshot(f, "a", &again), 0);
    snapshots_give(f->snapshots, again);
}

static void only_so_many_are_open_at_a_time(void **state)
{
    struct fixture *f = *state;
    struct reader_dir *dirs[9];
    char name[16];
    for (int i = 0; i < 9; i++) {
        snprintf(name, sizeof(name), "s%d", i);
        make(f, name);
        assert_int_equal(take_snapshot(f, name, &dirs[i]), i < 8 ? 0 : ERR_BUSY);
    }
    assert_int_equal(take_snapshot(f, "s3", &dirs[8]), 0); /* several may share one */
    assert_ptr_equal(dirs[8], dirs[3]);
    snapshots_give(f->snapshots, dirs[8]);
    snapshots_give(f->snapshots, dirs[0]);
    assert_int_equal(take_snapshot(f, "s8", &dirs[0]), 0);
    for (int i = 0; i < 8; i++)
        snapshots_give(f->snapshots, dirs[i]);
}

static void what_a_crash_left_goes(void **state)
{
    struct fixture *f = *state;
    char path[400];
    make(f, "a");
    static const char *const rests[] = {"b.part", ".c.gone"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/snapshots/%s", f->store.dir, rests[i]);
        assert_int_equal(mkdir(path, 0777), 0);
    }
    check_list(f, "a ");
    assert_false(exists(f, "b.part"));
    assert_false(exists(f, ".c.gone"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_snapshot_stays_the_same_while_windows_are_sealed_and_retired, setup, teardown),
        cmocka_unit_test_setup_teardown(names_that_mean_something_else_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dropped_one_is_unknown_and_its_name_free_again, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_is_dropped_and_made_anew_elsewhere_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(one_whose_time_is_over_is_said_to_be_and_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(only_so_many_are_open_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_crash_left_goes, setup, teardown),
    };
    return hash_init() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
