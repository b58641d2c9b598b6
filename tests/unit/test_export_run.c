#include <config.h>

#include "../lib/stream.h"
#include "../lib/test.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/civil.h"
#include "common/files.h"
#include "common/hash.h"
#include "http/export_manifest.h"
#include "http/export_run.h"

/* A store with readings of ten weeks, and a snapshot of it. */
static struct store store;
static struct snapshots *snapshots;

static int prepare(void **state)
{
    static const struct duration hour = {.us = US_PER_HOUR};
    const struct stream stream = {11, 300, 70, true};
    (void)state;
    store_make(&store, &(struct writer_opts){.window = WINDOW_WEEK, .seal_after_us = 100 * US_PER_HOUR});
    snapshots = snapshots_new(store.dir);
    return !snapshots || hash_init() || store_open(&store) || store_take(&store, &stream, 0, 300) ||
           snapshots_make(snapshots, "kept", &hour, NULL);
}

static int clean(void **state)
{
    (void)state;
    snapshots_free(snapshots);
    store_close(&store);
    store_remove(&store);
    return 0;
}

static uint64_t n_readings;

/* How many readings the snapshot has, by its statistics. */
static int add_count(void *arg, const struct series_info *info)
{
    struct reader_dir *dir = arg;
    struct series_stats stats;
    struct view *view;
    assert_int_equal(view_open(dir, &view, NULL), 0);
    assert_int_equal(view_stats(view, info->id, &stats), 0);
    view_close(view);
    n_readings += stats.count;
    return 0;
}

static uint64_t count_readings(void)
{
    static const struct series_filter all;
    struct snapshot_info info;
    struct reader_dir *dir;
    n_readings = 0;
    assert_int_equal(snapshots_take(snapshots, "kept", &info, &dir, NULL), 0);
    assert_int_equal(reader_series(dir, &all, add_count, dir), 0);
    snapshots_give(snapshots, dir);
    return n_readings;
}

/* A folder of a test with its request. */
struct place {
    char folder[64];
    struct export_request request;
    int n_steps, end_at; /* the step that ends the run; -1 none */
};

static void make_place(struct place *place)
{
    struct err_text error = {0};
    *place = (struct place){.folder = "/tmp/almanac-export-XXXXXX", .end_at = -1};
    assert_non_null(mkdtemp(place->folder));
    snprintf(place->request.snapshot, sizeof(place->request.snapshot), "kept");
    export_request_name(&place->request);
    assert_int_equal(parameters_add(&place->request.parameters, "group", "2", &error), 0);
    assert_int_equal(parameters_add(&place->request.parameters, "entity", "m-1,m-2", &error), 0);
    assert_int_equal(parameters_add(&place->request.parameters, "entity", "wx,b-*", &error), 0);
    assert_int_equal(export_request_write(place->folder, &place->request, &error), 0);
}

static void leave_place(struct place *place)
{
    files_remove_tree(place->folder);
    export_request_free(&place->request);
}

static int count_steps(void *arg, const struct export_progress *progress)
{
    struct place *place = arg;
    assert_true(progress->n_done <= progress->n_parts);
    return place->n_steps++ == place->end_at ? ERR_CANCELLED : 0;
}

static int run(struct place *place, uint64_t bytes_max, struct err_text *error)
{
    place->n_steps = 0;
    return export_run(&(struct export_run){.folder = place->folder, .request = &place->request, .snapshots = snapshots,
                                           .bytes_max = bytes_max, .step = count_steps, .arg = place}, error);
}

static bool exists(const struct place *place, const char *name)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/%s", place->folder, name);
    return access(path, F_OK) == 0;
}

static size_t count_ending(const struct place *place, const char *end)
{
    size_t n = 0;
    DIR *dir = opendir(place->folder);
    for (struct dirent *entry; (entry = readdir(dir));) {
        size_t size = strlen(entry->d_name);
        n += size >= strlen(end) && !strcmp(entry->d_name + size - strlen(end), end);
    }
    closedir(dir);
    return n;
}

static void assert_same(const struct export_listing *a, const struct export_listing *b)
{
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        assert_string_equal(a->rows[i].name, b->rows[i].name);
        assert_string_equal(a->rows[i].sha256, b->rows[i].sha256);
        assert_int_equal(a->rows[i].n_bytes, b->rows[i].n_bytes);
    }
}

static void read_listing(const struct place *place, struct export_listing *ret_listing)
{
    struct err_text error = {0};
    if (export_listing_read(place->folder, ret_listing, &error))
        fail_msg("%s", error.text);
}

static void files_are_cut_by_series_and_month(void **state)
{
    struct export_listing listing;
    struct err_text error = {0};
    struct place place;
    (void)state;
    make_place(&place);
    assert_int_equal(run(&place, 0, &error), 0);
    read_listing(&place, &listing);
    assert_in_range(listing.n, 3 * 3 + 1, 3 * 5 + 1); /* six series, ten weeks */
    assert_int_equal(listing.n_rows, count_readings());
    assert_memory_equal(listing.rows[0].name, "g00001-202403", 13);
    assert_memory_equal(listing.rows[listing.n - 2].name, "g00003-2024", 11);
    assert_non_null(export_listing_find(&listing, "manifest.json"));
    assert_null(export_listing_find(&listing, "request.json"));
    assert_null(export_listing_find(&listing, "g00001-20240401T000000Z.csv/"));
    assert_false(exists(&place, "done.ndjson"));
    export_listing_free(&listing);
    leave_place(&place);
}

static void requests_come_back_as_they_were(void **state)
{
    struct export_request read, other = {0};
    struct err_text error = {0};
    struct place place;
    (void)state;
    make_place(&place);
    assert_int_equal(export_request_read(place.folder, &read, &error), 0);
    assert_string_equal(read.id, place.request.id);
    assert_string_equal(read.snapshot, "kept");
    assert_true(export_request_is_same(&read, &place.request.parameters));
    assert_int_equal(parameters_add(&other.parameters, "entity", "m-1,m-2", &error), 0);
    assert_false(export_request_is_same(&read, &other.parameters));
    assert_int_equal(parameters_add(&other.parameters, "entity", "wx,b-*", &error), 0);
    assert_int_equal(parameters_add(&other.parameters, "group", "2", &error), 0);
    assert_true(export_request_is_same(&read, &other.parameters));
    assert_int_equal(parameters_add(&other.parameters, "step", "raw", &error), 0);
    assert_false(export_request_is_same(&read, &other.parameters));
    export_request_free(&read);
    export_request_free(&other);
    leave_place(&place);
}

/* ---- broken off anywhere ---- */

static void a_run_that_is_ended_at_any_step_goes_on_to_the_same_bytes(void **state)
{
    struct export_listing whole, listing;
    struct err_text error = {0};
    struct place place;
    int rc = 0;
    (void)state;
    make_place(&place);
    assert_int_equal(run(&place, 0, &error), 0);
    read_listing(&place, &whole);
    leave_place(&place);
    make_place(&place); /* one folder, in which each run comes a step further */
    for (place.end_at = 0; (rc = run(&place, 0, &error)); place.end_at++) {
        assert_int_equal(rc, ERR_CANCELLED);
        assert_false(exists(&place, EXPORT_MANIFEST));
        assert_int_equal(count_ending(&place, EXPORT_PART_END), 0);
    }
    assert_true(place.end_at > 9);
    read_listing(&place, &listing);
    assert_same(&whole, &listing);
    export_listing_free(&whole);
    export_listing_free(&listing);
    leave_place(&place);
}

/* The calls that may fail, and when the next one does. */
static int calls_left;

static bool fails(void)
{
    errno = ENOSPC;
    return calls_left-- == 0;
}

static int sync_or_fail(const char *path)
{
    return fails() ? -1 : access(path, F_OK);
}

static int rename_or_fail(const char *from, const char *to)
{
    return fails() ? -1 : rename(from, to);
}

static void a_full_disk_at_any_call_leaves_nothing_half_done(void **state)
{
    static const struct files_calls calls = {sync_or_fail, rename_or_fail, NULL, unlink};
    struct export_listing whole, listing;
    struct err_text error = {0};
    struct place place;
    int n_failed = 0;
    (void)state;
    make_place(&place);
    assert_int_equal(run(&place, 0, &error), 0);
    read_listing(&place, &whole);
    leave_place(&place);
    for (bool failed = true; failed; n_failed++) {
        make_place(&place);
        calls_left = n_failed;
        files_replace(&calls);
        int rc = run(&place, 0, &error);
        failed = calls_left < 0;
        files_replace(NULL);
        assert_int_equal(rc, failed ? ERR_FULL : 0);
        assert_int_equal(count_ending(&place, EXPORT_PART_END), 0);
        assert_int_equal(run(&place, 0, &error), 0);
        read_listing(&place, &listing);
        assert_same(&whole, &listing);
        export_listing_free(&listing);
        leave_place(&place);
    }
    assert_true(n_failed > 18); /* a sync and a name for each file */
    export_listing_free(&whole);
}

static void append_to(const struct place *place, const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/%s", place->folder, name);
    FILE *out = fopen(path, "a");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static void what_lost_its_sum_is_made_again(void **state)
{
    struct export_listing whole, listing;
    struct err_text error = {0};
    struct place place;
    struct stat before, after;
    char path[200];
    (void)state;
    make_place(&place);
    assert_int_equal(run(&place, 0, &error), 0);
    read_listing(&place, &whole);
    leave_place(&place);
    make_place(&place);
    place.end_at = 30; /* some files are there */
    assert_int_equal(run(&place, 0, &error), ERR_CANCELLED);
    assert_true(exists(&place, "g00001-20240501T000000Z.csv"));
    append_to(&place, "g00001-20240401T000000Z.csv", "more");
    append_to(&place, "done.ndjson", "{\"part\":8,\"rows\":1,\"by"); /* torn by a crash */
    snprintf(path, sizeof(path), "%s/g00001-20240501T000000Z.csv", place.folder);
    assert_int_equal(stat(path, &before), 0);
    place.end_at = -1;
    assert_int_equal(run(&place, 0, &error), 0);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    read_listing(&place, &listing);
    assert_same(&whole, &listing);
    export_listing_free(&listing);
    export_listing_free(&whole);
    leave_place(&place);
}

static void more_bytes_than_allowed_are_refused(void **state)
{
    struct err_text error = {0};
    struct place place;
    (void)state;
    make_place(&place);
    assert_int_equal(run(&place, 100, &error), ERR_FULL);
    assert_non_null(strstr(error.text, "MiB"));
    assert_int_equal(export_run(&(struct export_run){.folder = place.folder, .request = &place.request, .snapshots = snapshots,
                                                      .free_min_bytes = INT64_MAX}, &error), ERR_FULL);
    assert_non_null(strstr(error.text, "free"));
    assert_int_equal(count_ending(&place, EXPORT_PART_END), 0);
    assert_int_equal(count_ending(&place, ".csv"), 0);
    leave_place(&place);
}

static void files_without_rows_are_not_there(void **state)
{
    struct export_listing listing;
    struct err_text error = {0};
    struct place place;
    (void)state;
    make_place(&place);
    assert_int_equal(parameters_add(&place.request.parameters, "from", "2030-01-01T00:00:00Z", &error), 0);
    assert_int_equal(parameters_add(&place.request.parameters, "to", "2030-02-01T00:00:00Z", &error), 0);
    assert_int_equal(run(&place, 0, &error), 0);
    read_listing(&place, &listing);
    assert_int_equal(listing.n, 1);
    assert_int_equal(count_ending(&place, ".csv"), 0);
    export_listing_free(&listing);
    leave_place(&place);
}

static void a_manifest_that_points_elsewhere_is_none(void **state)
{
    static const char *const wrong[] = {
        "", "[]", "{}", "{\"files\":[{\"name\":\"x.csv\",\"rows\":1,\"bytes\":1,\"sha256\":\"00\"}]}",
        "{\"files\":[{\"name\":\"../x\",\"rows\":1,\"bytes\":1,"
        "\"sha256\":\"0000000000000000000000000000000000000000000000000000000000000000\"}]}",
        "{\"files\":[{\"name\":\".x\",\"rows\":1,\"bytes\":1,"
        "\"sha256\":\"0000000000000000000000000000000000000000000000000000000000000000\"}]}",
    };
    struct export_listing listing;
    struct place place;
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        make_place(&place);
        append_to(&place, EXPORT_MANIFEST, wrong[i]);
        assert_int_equal(export_listing_read(place.folder, &listing, NULL), ERR_CORRUPT);
        leave_place(&place);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_cut_by_series_and_month),
        cmocka_unit_test(requests_come_back_as_they_were),
        cmocka_unit_test(a_run_that_is_ended_at_any_step_goes_on_to_the_same_bytes),
        cmocka_unit_test(a_full_disk_at_any_call_leaves_nothing_half_done),
        cmocka_unit_test(what_lost_its_sum_is_made_again),
        cmocka_unit_test(more_bytes_than_allowed_are_refused),
        cmocka_unit_test(files_without_rows_are_not_there),
        cmocka_unit_test(a_manifest_that_points_elsewhere_is_none),
    };
    return cmocka_run_group_tests(tests, prepare, clean);
}
