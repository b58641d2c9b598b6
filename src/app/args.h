/* Command lines from tables: one row an option drives the parsing, the error messages and --help.
 * Rules (contract section 1): examples first in --help; exit 0 done, 1 failed, 2 wrong usage; data
 * on stdout, messages on stderr. */
#ifndef APP_ARGS_H
#define APP_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

#define EXIT_DONE 0
#define EXIT_FAILED 1
#define EXIT_USAGE 2

struct arg {
    const char *name;  /* "step" for --step */
    char letter;       /* 'c' for -c, or 0 */
    const char *value; /* what the help calls its value, or NULL: a switch */
    const char *help;
};

struct args;

/* A command, or a program without commands. */
struct command {
    const char *name;     /* "token create", "almanacd" */
    const char *summary;  /* one line, no full stop */
    const char *operands; /* "DIR", or "" */
    int n_operands;       /* how many of them at most */
    int n_optional;       /* how many of these, the last ones, may be missing */
    const char *examples; /* complete lines, each ending in a newline */
    const struct arg *args;
    size_t n_args;
    int (*run)(const struct args *args); /* gives the exit code */
};

#define ARGS_MAX 128

struct args {
    const char *program; /* "almanac query", for messages */
    const struct command *command;
    struct {
        const struct arg *arg;
        const char *value;
    } given[ARGS_MAX];
    size_t n_given;
    const char *operands[ARGS_MAX];
    int n_operands;
};

/* Parses argv (without the program's and command's words) and runs the command; gives the exit
 * code. Answers --help. */
int args_run(const char *program, const struct command *command, int argc, char **argv);

/* The last value given for an option, or NULL; whether a switch was given. */
const char *args_get(const struct args *args, const char *name);
bool args_has(const struct args *args, const char *name);

/* Every value given for an option, in order: *position starts at 0; NULL after the last. */
const char *args_each(const struct args *args, const char *name, size_t *position);

/* Prints `PROGRAM: text` on stderr and gives the exit code of an error: 1, or 2 when the input of
 * the user was at fault. */
int args_fail(const struct args *args, int code, const struct err_text *error);
int args_wrong(const struct args *args, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
