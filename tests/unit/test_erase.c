#include <config.h>

#include "../lib/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sodium.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/vault_rig.h"
#include "common/files.h"
#include "vault/crypt.h"
#include "vault/epoch_file.h"
#include "vault/step.h"

static struct vault_rig rig;

static int set_up(void **state)
{
    (void)state;
    vault_rig_make(&rig);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    step_hook = NULL;
    vault_rig_remove(&rig);
    return 0;
}

static const char *put(int i)
{
    return vault_rig_word(
        &rig,
        "{'do':'put','actor':'a','subject':'s-%d','fields':{'name':'Canary-%d-x','email':'c%d@example.org'},"
        "'entities':['m-%d'],'consents':[{'purpose':'billing'}]}",
        i, i, i, i);
}

static const char *read_back(int i)
{
    return vault_rig_word(&rig, "{'do':'read','actor':'a','subject':'s-%d','purpose':'billing'}", i);
}

static const char *erase(int i)
{
    return vault_rig_word(&rig, "{'do':'erase','actor':'a','subject':'s-%d','series':'delete'}", i);
}

static void an_erased_subject_is_gone_and_the_receipt_says_what_the_store_has_to_do(void **state)
{
    (void)state;
    assert_string_equal(put(1), "ok");
    assert_string_equal(put(2), "ok");
    json_t *answer = vault_rig_ask(&rig, "{'do':'erase','actor':'a','subject':'s-1','series':'keep'}");
    assert_string_equal(json_string_value(json_array_get(json_object_get(answer, "entities"), 0)), "m-1");
    assert_int_equal(json_integer_value(json_object_get(answer, "epoch")), 2);
    assert_true(json_is_false(json_object_get(answer, "again")));
    json_decref(answer);
    assert_string_equal(read_back(1), "notfound");
    assert_string_equal(read_back(2), "ok");
    assert_string_equal(put(1), "erased");
    answer = vault_rig_ask(&rig, "{'do':'erase','actor':'a','subject':'s-1','series':'keep'}");
    assert_true(json_is_true(json_object_get(answer, "again")));
    json_decref(answer);
    answer = vault_rig_ask(&rig, "{'do':'erasures'}");
    json_t *pending = json_array_get(json_object_get(answer, "pending"), 0);
    assert_string_equal(json_string_value(json_object_get(pending, "series")), "keep");
    assert_string_equal(json_string_value(json_array_get(json_object_get(pending, "entities"), 0)), "m-1");
    assert_string_equal(
        vault_rig_word(&rig, "{'do':'erased','id':%d}", (int)json_integer_value(json_object_get(pending, "id"))), "ok");
    json_decref(answer);
    answer = vault_rig_ask(&rig, "{'do':'erasures'}");
    assert_int_equal(json_array_size(json_object_get(answer, "pending")), 0);
    json_decref(answer);
    answer = vault_rig_ask(&rig, "{'do':'audit','actor':'b'}"); /* the entries stay, the link is gone */
    json_t *first = json_array_get(json_object_get(answer, "entries"), 0);
    assert_true(json_is_null(json_object_get(first, "subject")));
    assert_int_equal(strlen(json_string_value(json_object_get(first, "pseudonym"))), 32);
    json_decref(answer);
    answer = vault_rig_ask(&rig, "{'do':'verify'}");
    assert_true(json_is_null(json_object_get(answer, "broken")));
    json_decref(answer);
}

static void an_older_vault_db_serves_who_is_not_erased(void **state)
{
    char old[400];
    (void)state;
    snprintf(old, sizeof old, "%s/old.db", rig.dir);
    put(1), put(2);
    vault_rig_save(&rig, "vault.db", old);
    assert_string_equal(erase(1), "ok");
    vault_rig_close(&rig);
    vault_rig_load(&rig, old, "vault.db");
    vault_rig_open(&rig);
    assert_string_equal(read_back(1), "notfound");
    assert_string_equal(read_back(2), "ok");
    json_t *answer =
        vault_rig_ask(&rig, "{'do':'search','actor':'a','field':'email','value':'c1@example.org','purpose':'billing'}");
    assert_int_equal(json_array_size(json_object_get(answer, "subjects")), 0);
    json_decref(answer);
}

/* ---- killed at each step ---- */

static int steps_left;

static void die_at_step(const char *name)
{
    (void)name;
    if (steps_left-- == 0)
        _exit(42);
}

/* In a child: the question, dying before step n. True when there was such a step. */
static bool dies_at(int n, const char *question)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        step_hook = die_at_step;
        steps_left = n;
        vault_rig_open(&rig);
        _exit(strcmp(vault_rig_word(&rig, "%s", question), "ok") == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 42 || WEXITSTATUS(status) == 0);
    return WEXITSTATUS(status) == 42;
}

static int n_epoch_files(void)
{
    int n = 0;
    DIR *dir = opendir(rig.folder);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        n += strncmp(entry->d_name, "epoch.", 6) == 0 && !strstr(entry->d_name, ".new");
    closedir(dir);
    return n;
}

/* I9: whatever step it dies at, after the restart the subject is whole or gone, everybody else is there, one epoch is
 * left. */
static void an_erasure_that_died_is_finished_or_has_not_begun(void **state)
{
    int n = 0, gone = 0, there = 0;
    char question[128];
    (void)state;
    put(0);
    vault_rig_close(&rig);
    for (bool dies = true; dies; n++) {
        vault_rig_open(&rig);
        assert_string_equal(put(n + 1), "ok");
        vault_rig_close(&rig);
        snprintf(question, sizeof question, "{'do':'erase','actor':'a','subject':'s-%d','series':'delete'}", n + 1);
        dies = dies_at(n, question);
        vault_rig_open(&rig);
        assert_int_equal(n_epoch_files(), 1);
        assert_string_equal(read_back(0), "ok");
        bool is_there = strcmp(read_back(n + 1), "ok") == 0;
        there += is_there;
        gone += !is_there;
        assert_true(!is_there || gone == 0); /* later steps only go further */
        if (!is_there)
            assert_string_equal(put(n + 1), "erased");
        json_t *answer = vault_rig_ask(&rig, "{'do':'verify'}");
        assert_true(json_is_null(json_object_get(answer, "broken")));
        json_decref(answer);
        vault_rig_close(&rig);
    }
    assert_true(n >= 12 && there >= 2 && gone >= 9);
    print_message("# %d steps\n", n);
}

/* ---- no room at each step ---- */

static void fill_disk(bool is_full)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = is_full ? 0 : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void fill_disk_at_step(const char *name)
{
    (void)name;
    if (steps_left-- == 0)
        fill_disk(true);
}

/* Asks while files cannot grow from step n on. True when there was such a step. */
static bool has_no_room_at(int n, const char *question, char ret_word[static 32])
{
    step_hook = fill_disk_at_step;
    steps_left = n;
    snprintf(ret_word, 32, "%s", vault_rig_word(&rig, "%s", question));
    step_hook = NULL;
    fill_disk(false);
    return steps_left < 0;
}

/* I9 without a death: everybody else is there at once, and who asks again gets what he asked for. */
static void an_erasure_without_room_can_be_asked_again(void **state)
{
    int n = 0, failed = 0;
    char question[128], word[32];
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    put(0);
    for (bool has = true; has; n++) {
        assert_string_equal(put(n + 1), "ok");
        snprintf(question, sizeof question, "{'do':'erase','actor':'a','subject':'s-%d','series':'delete'}", n + 1);
        has = has_no_room_at(n, question, word);
        failed += strcmp(word, "ok") != 0;
        assert_string_equal(read_back(0), "ok");
        assert_string_equal(vault_rig_word(&rig, "%s", question), "ok");
        assert_int_equal(n_epoch_files(), 1);
        assert_string_equal(put(n + 1), "erased");
        json_t *answer = vault_rig_ask(&rig, "{'do':'verify'}");
        assert_true(json_is_null(json_object_get(answer, "broken")));
        json_decref(answer);
    }
    assert_true(n >= 12 && failed >= 8);
    vault_rig_close(&rig);
    vault_rig_open(&rig);
    assert_string_equal(read_back(0), "ok");
}

static void a_rotation_without_room_leaves_all_keys(void **state)
{
    int n = 0, failed = 0;
    char word[32];
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    put(0);
    for (bool has = true; has; n++) {
        has = has_no_room_at(n, "{'do':'rotate','actor':'a'}", word);
        failed += strcmp(word, "ok") != 0;
        assert_string_equal(read_back(0), "ok");
        if (n % 2) { /* as well after a restart as without one */
            vault_rig_close(&rig);
            vault_rig_open(&rig);
        }
        assert_string_equal(vault_rig_word(&rig, "{'do':'rotate','actor':'a'}"), "ok");
        assert_int_equal(n_epoch_files(), 1);
        assert_string_equal(read_back(0), "ok");
    }
    assert_true(n >= 6 && failed >= 4);
}

static void a_rotation_that_died_loses_nobody(void **state)
{
    int n = 0;
    (void)state;
    for (int i = 0; i < 20; i++)
        put(i);
    json_decref(vault_rig_ask(&rig, "{'do':'pseudonyms','domain':'d','texts':['x','y','z']}"));
    vault_rig_close(&rig);
    for (bool dies = true; dies; n++) {
        dies = dies_at(n, "{'do':'rotate','actor':'a'}");
        vault_rig_open(&rig);
        assert_int_equal(n_epoch_files(), 1);
        for (int i = 0; i < 20; i++)
            assert_string_equal(read_back(i), "ok");
        vault_rig_close(&rig);
    }
    assert_true(n >= 6);
}

/* ---- the red team: every older copy, and the keys of today ---- */

#define SUBJECTS 110
#define COPIES 12

static void copy_all(int i)
{
    static const char *const names[] = {"vault.db", "keys.db", "audit.db"};
    char path[400];
    for (size_t k = 0; k < 3; k++) {
        snprintf(path, sizeof path, "%s/copy-%d-%s", rig.dir, i, names[k]);
        vault_rig_save(&rig, names[k], path);
    }
}

/* Tries each of the keys of today on each wrapped key of a copy of keys.db, as whoever has stolen them would. Gives how
 * many opened, and counts the rows. */
static int n_opened(const char *path, uint8_t keys[][CRYPT_KEY_BYTES], const int64_t *epochs, size_t n_keys,
                    int *n_rows)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    int opened = 0;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT subject, epoch, wrapped FROM subject", -1, &stmt, NULL), SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        uint8_t key[CRYPT_KEY_BYTES];
        ++*n_rows;
        for (size_t i = 0; i < n_keys; i++)
            for (int guess = 0; guess < 2; guess++)
                opened += crypt_unwrap(keys[i], sqlite3_column_blob(stmt, 2), "subject", sqlite3_column_blob(stmt, 0),
                                       CRYPT_NAME_BYTES, guess ? epochs[i] : sqlite3_column_int64(stmt, 1), key) == 0;
    }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return opened;
}

/* Collects the wrapped keys that a copy of keys.db has. */
static size_t collect(const char *path, uint8_t out[][CRYPT_WRAPPED_BYTES], size_t max)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    size_t n = 0;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT wrapped FROM subject", -1, &stmt, NULL), SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW && n < max)
        memcpy(out[n++], sqlite3_column_blob(stmt, 0), CRYPT_WRAPPED_BYTES);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return n;
}

static size_t read_whole(const char *path, uint8_t *out, size_t max)
{
    int fd = open(path, O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, out, max) : 0;
    if (fd >= 0)
        close(fd);
    assert_true(n >= 0 && (size_t)n < max);
    return (size_t)n;
}

/* G13: 100 subjects are erased while copies of all three files are taken; none of them is recovered from any copy with
 * the unlocking key and the epoch key of today, which do open who lives. */
static void no_older_copy_gives_an_erased_subject_back(void **state)
{
    uint8_t keys[2][CRYPT_KEY_BYTES];
    static uint8_t wrapped[COPIES * SUBJECTS][CRYPT_WRAPPED_BYTES], file[4 << 20];
    char path[600];
    struct err_text error;
    int64_t first, last, epochs[2];
    int n_rows = 0, n_living = 0;
    size_t n_wrapped = 0;
    (void)state;
    for (int i = 0; i < SUBJECTS; i++)
        assert_string_equal(put(i), "ok");
    for (int i = 0; i < 100; i++) {
        if (i % 10 == 0)
            copy_all(i / 10);
        assert_string_equal(erase(i), "ok");
    }
    assert_int_equal(epoch_range(rig.folder, &first, &last), 0);
    assert_int_equal(first, last);
    assert_int_equal(epoch_read_unlocking(rig.key, keys[0], &error), 0);
    assert_int_equal(epoch_read(rig.folder, last, keys[0], keys[1]), 0);
    epochs[0] = epochs[1] = last;
    for (int i = 0; i < 10; i++) {
        snprintf(path, sizeof path, "%s/copy-%d-keys.db", rig.dir, i);
        assert_int_equal(n_opened(path, keys, epochs, 2, &n_rows), 0);
        n_wrapped += collect(path, wrapped + n_wrapped, COPIES * SUBJECTS - n_wrapped);
    }
    assert_int_equal(n_rows, 10 * SUBJECTS - 450);
    snprintf(path, sizeof path, "%s/keys.db", rig.folder);
    assert_int_equal(n_opened(path, keys, epochs, 2, &n_living), 2 * 10); /* the tool works: it opens who lives */
    /* nothing of a wrapped key of before is left anywhere in the vault; here is every file, byte for byte */
    DIR *dir = opendir(rig.folder);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", rig.folder, entry->d_name);
        size_t size = read_whole(path, file, sizeof file);
        for (size_t i = 0; i < n_wrapped; i++)
            assert_null(memmem(file, size, wrapped[i] + 24, CRYPT_KEY_BYTES));
        for (int i = 0; i < SUBJECTS; i++) {
            char canary[32];
            snprintf(canary, sizeof canary, "Canary-%d-x", i);
            assert_null(memmem(file, size, canary, strlen(canary)));
        }
    }
    closedir(dir);
    for (int i = 0; i < SUBJECTS; i++)
        assert_string_equal(read_back(i), i < 100 ? "notfound" : "ok");
}

/* The old vault and the old keys together, put back under the process of today: it does not even open. */
static void old_keys_do_not_open_under_the_new_epoch(void **state)
{
    char old[400];
    struct err_text error = {0};
    struct keeper_opts opts = {.folder = rig.folder, .key = rig.key, .searchable = "email"};
    (void)state;
    snprintf(old, sizeof old, "%s/old.db", rig.dir);
    put(1), put(2);
    vault_rig_save(&rig, "keys.db", old);
    assert_string_equal(erase(1), "ok");
    vault_rig_close(&rig);
    vault_rig_load(&rig, old, "keys.db");
    assert_int_not_equal(keeper_open(&opts, &rig.keeper, &error), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_erased_subject_is_gone_and_the_receipt_says_what_the_store_has_to_do),
        CASE(an_older_vault_db_serves_who_is_not_erased),
        CASE(an_erasure_that_died_is_finished_or_has_not_begun),
        CASE(a_rotation_that_died_loses_nobody),
        CASE(an_erasure_without_room_can_be_asked_again),
        CASE(a_rotation_without_room_leaves_all_keys),
        CASE(no_older_copy_gives_an_erased_subject_back),
        CASE(old_keys_do_not_open_under_the_new_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
