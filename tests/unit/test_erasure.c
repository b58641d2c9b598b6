/* Erased entities: what is answered of them is what is answered of one that never was (I10). */
#include <config.h>

#include "../lib/stream.h"
#include "../lib/test.h"

#include <stdio.h>

#include "common/civil.h"
#include "common/clock.h"
#include "store/erased.h"
#include "store/erasure.h"
#include "store/snapshots.h"

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
    store_make(&f->store, &(struct writer_opts){.window = WINDOW_WEEK, .seal_after_us = 100 * US_PER_HOUR});
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(erased_entity_is_answered_as_one_that_never_was, setup, teardown),
        cmocka_unit_test_setup_teardown(snapshot_is_read_by_the_list_of_the_live_directory, setup, teardown),
        cmocka_unit_test_setup_teardown(state_is_that_of_the_entity_least_far, setup, teardown),
        cmocka_unit_test_setup_teardown(list_of_another_store_keeps_its_key_when_it_is_merged, setup, teardown),
        cmocka_unit_test_setup_teardown(text_names_an_entity_by_a_word, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
