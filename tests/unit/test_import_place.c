#include <config.h>

#include "tests/lib/test.h"

#include <stdio.h>
#include <unistd.h>

#include "app/import_place.h"
#include "common/files.h"
#include "common/hash.h"

static char dir[256];

static struct import_place find(const struct stat *info, const char *options)
{
    struct import_place place;
    struct err_text error = {0};
    assert_int_equal(import_place_find(dir, "file.csv", info, options, &place, &error), 0);
    return place;
}

static void a_place_is_found_again_until_it_is_forgotten(void **state)
{
    (void)state;
    struct err_text error = {0};
    struct stat info = {.st_ino = 7, .st_size = 100};
    struct import_place place = find(&info, "nem12\n");
    assert_int_equal(place.n_done, 0);
    assert_int_equal(import_place_keep(&place, 42, &error), 0);
    assert_int_equal(import_place_keep(&place, 43, &error), 0);
    place = find(&info, "nem12\n");
    assert_int_equal(place.n_done, 43);
    import_place_forget(&place);
    assert_int_equal(find(&info, "nem12\n").n_done, 0);
}

static void another_file_or_other_options_start_over(void **state)
{
    (void)state;
    struct err_text error = {0};
    struct stat info = {.st_ino = 7, .st_size = 100};
    struct import_place place = find(&info, "nem12\n");
    assert_int_equal(import_place_keep(&place, 42, &error), 0);
    struct stat changed[] = {info, info, info, info};
    changed[0].st_ino++;
    changed[1].st_size++;
    changed[2].st_mtim.tv_sec++;
    changed[3].st_mtim.tv_nsec++;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(find(&changed[i], "nem12\n").n_done, 0);
    assert_int_equal(find(&info, "mscons\n").n_done, 0);
    assert_int_equal(find(&info, "nem12\n").n_done, 42);
    import_place_forget(&place);
}

static void a_damaged_place_counts_as_none(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "almanac import 1\nmessages -5\n", "almanac import 2\nmessages 5\n", "messages 5\n"};
    struct stat info = {.st_ino = 8};
    struct import_place place = find(&info, "");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        FILE *file = fopen(place.path, "w");
        assert_non_null(file);
        fputs(texts[i], file);
        fclose(file);
        assert_int_equal(find(&info, "").n_done, 0);
    }
}

static void where_nothing_can_be_kept_it_is_said(void **state)
{
    (void)state;
    struct import_place place;
    struct err_text error = {0};
    struct stat info = {.st_ino = 8};
    assert_int_equal(import_place_find("/nonexistent/dir", "f", &info, "", &place, &error), ERR_NOTFOUND);
    assert_non_null(strstr(error.text, "/nonexistent/dir/run"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_is_found_again_until_it_is_forgotten),
        cmocka_unit_test(another_file_or_other_options_start_over),
        cmocka_unit_test(a_damaged_place_counts_as_none),
        cmocka_unit_test(where_nothing_can_be_kept_it_is_said),
    };
    if (files_make_temporary("almanac-place", dir, sizeof(dir)) < 0 || hash_init() != 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    files_remove_tree(dir);
    return failed;
}
