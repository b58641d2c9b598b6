/* Runs test cases at once, each in a process of its own: for cases that mostly wait for something outside. Prints TAP. */
#ifndef TESTS_LIB_PARALLEL_H
#define TESTS_LIB_PARALLEL_H

#include "tests/lib/test.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PARALLEL_MAX 64
#define PARALLEL_SECONDS 60 /* then a case that hangs is killed */

/* In the child: the case's own output goes to a file; the parent shows it when the case failed. */
static inline void parallel_child(const struct CMUnitTest *test, FILE *out)
{
    const struct CMUnitTest one[] = {*test};
    dup2(fileno(out), STDOUT_FILENO);
    dup2(fileno(out), STDERR_FILENO);
    alarm(PARALLEL_SECONDS);
    exit(cmocka_run_group_tests(one, NULL, NULL) == 0 ? 0 : 1);
}

static inline int parallel_finish(const char *name, int number, pid_t pid, FILE *out)
{
    int state = -1;
    waitpid(pid, &state, 0);
    if (state == 0) {
        printf("ok %d - %s\n", number, name);
        return 0;
    }
    printf("not ok %d - %s\n", number, name);
    char line[1024];
    rewind(out);
    while (fgets(line, sizeof(line), out))
        printf("# %s", line);
    return 1;
}

/* filter: NULL, or only the case of that name. Returns the number of failed cases. */
static inline int parallel_run(const struct CMUnitTest *tests, size_t n, const char *filter)
{
    pid_t pids[PARALLEL_MAX] = {0};
    FILE *outs[PARALLEL_MAX] = {0};
    int n_run = 0, n_failed = 0;
    assert_true(n <= PARALLEL_MAX);
    for (size_t i = 0; i < n; i++) {
        if (filter && strcmp(filter, tests[i].name) != 0)
            continue;
        n_run++;
        outs[i] = tmpfile();
        assert_non_null(outs[i]);
        fflush(stdout);
        pids[i] = fork();
        if (pids[i] == 0)
            parallel_child(&tests[i], outs[i]);
    }
    printf("1..%d\n", n_run);
    n_run = 0;
    for (size_t i = 0; i < n; i++) {
        if (!outs[i])
            continue;
        n_failed += parallel_finish(tests[i].name, ++n_run, pids[i], outs[i]);
        fclose(outs[i]);
    }
    return n_failed;
}

#endif
