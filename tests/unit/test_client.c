#include <config.h>

#include "../lib/test.h"

#include "vault/client.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/files.h"
#include "common/hash.h"
#include "vault/keeper.h"

static char dir[256], program[4096];

static int set_up(void **state)
{
    char path[300], key[300];
    struct err_text error = {0};
    (void)state;
    /* longer than the address of a socket can be */
    snprintf(dir, sizeof dir, "%s/almanac-client-%0120d-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", 0);
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/vault", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(key, sizeof key, "%s/keys", dir);
    assert_int_equal(mkdir(key, 0700), 0);
    snprintf(key, sizeof key, "file:%s/keys/vault.key", dir);
    assert_int_equal(hash_init(), 0);
    if (keeper_create(&(struct keeper_opts){.folder = path, .key = key, .searchable = "email"}, NULL, &error) != 0)
        fail_msg("%s", error.text);
    snprintf(program, sizeof program, "%s/almanac-vaultd", getenv("TEST_BUILDDIR"));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    files_remove_tree(dir);
    return 0;
}

static void the_process_is_started_asked_and_ends(void **state)
{
    struct vault *vault = NULL, *other = NULL;
    struct err_text error = {0};
    json_t *answer = NULL;
    struct vault_opts opts = {.dir = dir, .program = program, .role = "test"};
    (void)state;
    if (vault_open(&opts, &vault, &error) != 0)
        fail_msg("%s", error.text);
    assert_int_equal(vault_open(&opts, &other, &error), 0);
    assert_int_equal(vault_ask(other, json_pack("{s:s}", "do", "hello"), &answer, &error), 0);
    json_decref(answer);
    assert_int_equal(vault_ask(other, json_pack("{s:s}", "do", "dance"), &answer, &error), ERR_INVALID);
    assert_string_equal(error.field, "do");
    vault_close(vault);
    vault_close(other);
    assert_int_equal(vault_open(&opts, &vault, &error), 0);
    vault_close(vault);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_process_is_started_asked_and_ends, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
