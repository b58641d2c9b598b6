#include <config.h>

#include "../lib/test.h"

#include "vault/client.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

/* ---- the process itself ---- */

static struct vault *open_vault(void)
{
    struct vault *vault = NULL;
    struct err_text error = {0};
    struct vault_opts opts = {.dir = dir, .program = program, .role = "test"};
    if (vault_open(&opts, &vault, &error) != 0)
        fail_msg("%s", error.text);
    return vault;
}

/* The process that holds the lock of this vault, found as any other user could. */
static pid_t find_process(void)
{
    pid_t found = 0;
    DIR *proc = opendir("/proc");
    for (struct dirent *entry; (entry = readdir(proc)) != NULL;) {
        char path[300], text[8192];
        snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
        int fd = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' ? open(path, O_RDONLY) : -1;
        ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : 0;
        if (fd >= 0)
            close(fd);
        if (n > 0 && memmem(text, (size_t)n, "--started", 9) && memmem(text, (size_t)n, dir, strlen(dir)))
            found = (pid_t)strtol(entry->d_name, NULL, 10);
    }
    closedir(proc);
    return found;
}

static bool is_gone(pid_t pid)
{
    for (int i = 0; i < 1000; i++) {
        char path[64], line[64] = "";
        snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
        int fd = open(path, O_RDONLY);
        if (fd < 0)
            return true;
        ssize_t n = read(fd, line, sizeof line - 1);
        close(fd);
        if (n > 0 && strstr(line, ") Z")) /* ended, and nobody has asked */
            return true;
        poll(NULL, 0, 10);
    }
    return false;
}

static const char *ask(struct vault *vault)
{
    static struct err_text error;
    json_t *answer = NULL;
    if (vault_ask(vault, json_pack("{s:s}", "do", "status"), &answer, &error) != 0)
        return error.text;
    json_decref(answer);
    return "ok";
}

static void a_process_that_was_killed_is_started_once_more(void **state)
{
    (void)state;
    struct vault *vault = open_vault();
    for (int i = 0; i < 3; i++) {
        pid_t pid = find_process();
        assert_true(pid > 0);
        kill(pid, SIGKILL);
        assert_true(is_gone(pid));
        assert_string_equal(ask(vault), "ok");
    }
    vault_close(vault);
}

static void it_ends_with_its_last_client_even_a_killed_one(void **state)
{
    int ready[2], status;
    char byte;
    (void)state;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        struct vault *vault = open_vault();
        status = vault && write(ready[1], "x", 1) == 1 ? 0 : 1;
        pause();
        _exit(status);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    pid_t pid = find_process();
    assert_true(pid > 0);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    assert_true(vault_await_end(dir));
    char path[300];
    snprintf(path, sizeof path, "%s/vault/vault.db-wal", dir);
    assert_int_equal(access(path, F_OK), -1); /* its files are in order */
    assert_true(is_gone(pid));
    assert_true(vault_await_end(dir)); /* and nobody is waited for */
    close(ready[0]);
    close(ready[1]);
}

static int64_t status_number(pid_t pid, const char *name)
{
    char path[64], line[256];
    int64_t number = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0)
            number = strtoll(line + strlen(name), NULL, 10);
    if (file)
        fclose(file);
    return number;
}

/* G25: its memory is locked, out of core files, and not readable by others; it can make no socket and run nothing. */
static void it_is_shut_in(void **state)
{
    char path[64], line[256];
    (void)state;
    struct vault *vault = open_vault();
    pid_t pid = find_process();
#ifndef __SANITIZE_ADDRESS__ /* whose build locks nothing and filters nothing */
    assert_true(status_number(pid, "VmLck:") > 0);
    assert_int_equal(status_number(pid, "Seccomp:"), 2);
#endif
    assert_int_equal(status_number(pid, "NoNewPrivs:"), 1);
    snprintf(path, sizeof path, "/proc/%d/limits", (int)pid);
    FILE *file = fopen(path, "r");
    while (fgets(line, sizeof line, file))
        if (strncmp(line, "Max core file size", 18) == 0)
            assert_int_equal(strtol(line + 26, NULL, 10), 0);
    fclose(file);
    /* another user, of the same machine */
    pid_t child = fork();
    if (child == 0) {
        if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(2);
        static const char *const files[] = {"mem", "maps", "environ", "fd/3", "auxv"};
        for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
            snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, files[i]);
            if (open(path, O_RDONLY) >= 0)
                _exit(1);
        }
        _exit(ptrace(PTRACE_ATTACH, pid, 0, 0) == 0 ? 1 : 0);
    }
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(WEXITSTATUS(status), 0);
    /* and its socket is for its own user */
    struct stat info;
    int run = open(dir, O_PATH);
    assert_int_equal(fstatat(run, "run/vault.sock", &info, 0), 0);
    close(run);
    assert_int_equal(info.st_mode & 07, 0);
    vault_close(vault);
}

struct asker {
    pthread_t thread;
    struct vault *vault;
    int failed;
};

static void *ask_often(void *arg)
{
    struct asker *asker = arg;
    for (int i = 0; i < 200; i++)
        asker->failed += strcmp(ask(asker->vault), "ok") != 0;
    return NULL;
}

static void threads_share_a_connection_and_starters_do_not_collide(void **state)
{
    struct asker askers[4];
    pid_t children[6];
    (void)state;
    for (int i = 0; i < 6; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            for (int k = 0; k < 20; k++)
                vault_close(open_vault());
            _exit(0);
        }
    }
    struct vault *vault = open_vault();
    for (int i = 0; i < 4; i++) {
        askers[i] = (struct asker){.vault = vault};
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_often, &askers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(askers[i].thread, NULL);
        assert_int_equal(askers[i].failed, 0);
    }
    vault_close(vault);
    for (int i = 0; i < 6; i++) {
        int status;
        waitpid(children[i], &status, 0);
        assert_int_equal(status, 0);
    }
}

static void a_vault_that_is_not_there_or_has_another_key_is_told(void **state)
{
    char path[300];
    struct vault *vault = NULL;
    struct err_text error = {0};
    struct vault_opts opts = {.dir = dir, .program = program, .role = "test"};
    (void)state;
    snprintf(path, sizeof path, "%s/keys/vault.key", dir);
    int fd = open(path, O_WRONLY);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    assert_int_equal(vault_open(&opts, &vault, &error), ERR_DENIED);
    assert_non_null(strstr(error.text, "does not fit"));
    assert_int_equal(remove(path), 0);
    assert_int_equal(vault_open(&opts, &vault, &error), ERR_NOTFOUND);
    opts.program = "/nonexistent/almanac-vaultd";
    assert_int_equal(vault_open(&opts, &vault, &error), ERR_NOTFOUND);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_process_is_started_asked_and_ends),
        CASE(a_process_that_was_killed_is_started_once_more),
        CASE(it_ends_with_its_last_client_even_a_killed_one),
        CASE(it_is_shut_in),
        CASE(threads_share_a_connection_and_starters_do_not_collide),
        CASE(a_vault_that_is_not_there_or_has_another_key_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
