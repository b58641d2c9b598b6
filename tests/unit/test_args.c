#include <config.h>

#include "app/args.h"

#include <stdio.h>
#include <unistd.h>

#include "../lib/test.h"

static struct args seen; /* what the command was run with */
static int n_runs;

static int run(const struct args *args)
{
    seen = *args;
    n_runs++;
    return 7;
}

static const struct arg options[] = {{"name", 'n', "NAME", "a name"},
                                     {"all", 'a', NULL, "a switch"}};
static const struct command command = {.name = "act",
                                       .summary = "acts",
                                       .operands = "FILE",
                                       .n_operands = 1,
                                       .examples = "  act x\n",
                                       .args = options,
                                       .n_args = 2,
                                       .run = run};

/* Runs with the words, standard output and error into files; what they held is in out and err. */
static char out[4096], err[4096];
static int act(const char *const *words, int n)
{
    FILE *files[2] = {tmpfile(), tmpfile()};
    int kept[2] = {dup(1), dup(2)};
    fflush(stdout);
    n_runs = 0;
    dup2(fileno(files[0]), 1);
    dup2(fileno(files[1]), 2);
    int code = args_run("prog act", &command, n, (char **)words);
    fflush(stdout);
    dup2(kept[0], 1);
    dup2(kept[1], 2);
    for (int i = 0; i < 2; i++) {
        char *text = i ? err : out;
        rewind(files[i]);
        text[fread(text, 1, sizeof out - 1, files[i])] = 0;
        fclose(files[i]);
        close(kept[i]);
    }
    return code;
}
#define ACT(...)                                                                                   \
    act((const char *const[]){__VA_ARGS__},                                                        \
        (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)))

static void options_come_in_every_usual_form(void **state)
{
    (void)state;
    assert_int_equal(ACT("--name", "a", "f", "--name=b=c", "-nd", "-n", "-e", "-a"), 7);
    size_t position = 0;
    assert_string_equal(args_each(&seen, "name", &position), "a");
    assert_string_equal(args_each(&seen, "name", &position), "b=c");
    assert_string_equal(args_each(&seen, "name", &position), "d");
    assert_string_equal(args_each(&seen, "name", &position), "-e");
    assert_null(args_each(&seen, "name", &position));
    assert_string_equal(args_get(&seen, "name"), "-e");
    assert_true(args_has(&seen, "all"));
    assert_string_equal(seen.operands[0], "f");
}

static void operand_may_look_like_an_option_behind_two_dashes(void **state)
{
    (void)state;
    assert_int_equal(ACT("--", "--help"), 7);
    assert_string_equal(seen.operands[0], "--help");
    assert_false(args_has(&seen, "all"));
    assert_null(args_get(&seen, "name"));
}

static void wrong_use_exits_2_with_a_hint_and_runs_nothing(void **state)
{
    (void)state;
    static const char *const wrong[][4] = {{"f", "--nam", "x", "unknown option \"--nam\""},
                                           {"f", "-x", "y", "unknown option \"-x\""},
                                           {"f", "g", "h", "\"g\" is one word too many"},
                                           {"f", "-a", "--name", "\"--name\" needs a value"},
                                           {"f", "-a", "--all=1", "\"--all\" takes no value"},
                                           {"-a", "-a", "-a", "FILE is missing"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(act(wrong[i], 3), EXIT_USAGE);
        assert_int_equal(n_runs, 0);
        assert_string_equal(out, "");
        if (!strstr(err, wrong[i][3]) || !strstr(err, "`prog act --help`"))
            fail_msg("\"%s\" does not say \"%s\"", err, wrong[i][3]);
    }
}

static void help_has_the_examples_before_the_options(void **state)
{
    (void)state;
    assert_int_equal(ACT("f", "--bad-is-not-reached", "--help"), EXIT_USAGE);
    assert_int_equal(ACT("f", "--help", "--bad"), EXIT_DONE);
    assert_int_equal(n_runs, 0);
    const char *examples = strstr(out, "Examples:\n  act x\n"),
               *usage = strstr(out, "Usage: prog act [OPTION]... FILE");
    assert_non_null(examples);
    assert_non_null(usage);
    assert_true(examples < usage);
    assert_non_null(strstr(usage, "-n, --name NAME"));
    assert_string_equal(err, "");
}

static void errors_of_the_users_input_exit_2_and_others_1(void **state)
{
    (void)state;
    struct err_text error = {0};
    struct args args = {.program = "prog"};
    assert_int_equal(freopen("/dev/null", "w", stderr) != NULL, 1);
    err_set(&error, ERR_INVALID, "bad");
    assert_int_equal(args_fail(&args, ERR_INVALID, &error), EXIT_USAGE);
    assert_int_equal(args_fail(&args, ERR_MEANING, &error), EXIT_USAGE);
    assert_int_equal(args_fail(&args, ERR_IO, &error), EXIT_FAILED);
    assert_int_equal(args_fail(&args, ERR_NOTFOUND, &error), EXIT_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_come_in_every_usual_form),
        cmocka_unit_test(operand_may_look_like_an_option_behind_two_dashes),
        cmocka_unit_test(wrong_use_exits_2_with_a_hint_and_runs_nothing),
        cmocka_unit_test(help_has_the_examples_before_the_options),
        cmocka_unit_test(errors_of_the_users_input_exit_2_and_others_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
