#include <config.h>

#include "app/args.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void print_help(const char *program, const struct command *command)
{
    printf("%s: %s\n\nExamples:\n%s\nUsage: %s [OPTION]...%s%s\n", program, command->summary,
           command->examples, program, command->operands[0] ? " " : "", command->operands);
    for (size_t i = 0; i < command->n_args; i++) {
        const struct arg *arg = &command->args[i];
        char left[64];
        snprintf(left, sizeof left, "%c%c%s--%s%s%s", arg->letter ? '-' : ' ',
                 arg->letter ? arg->letter : ' ', arg->letter ? ", " : "  ", arg->name,
                 arg->value ? " " : "", arg->value ? arg->value : "");
        printf("  %-30s %s\n", left, arg->help);
    }
    printf("  %-30s %s\n", "    --help", "prints this");
}

static const struct arg *find_long(const struct command *command, const char *name, size_t size)
{
    for (size_t i = 0; i < command->n_args; i++)
        if (strlen(command->args[i].name) == size && memcmp(command->args[i].name, name, size) == 0)
            return &command->args[i];
    return NULL;
}

static const struct arg *find_letter(const struct command *command, char letter)
{
    for (size_t i = 0; i < command->n_args; i++)
        if (command->args[i].letter == letter)
            return &command->args[i];
    return NULL;
}

int args_wrong(const struct args *args, const char *format, ...)
{
    va_list list;
    fprintf(stderr, "%s: ", args->program);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fprintf(stderr, "; `%s --help` shows how it is used\n", args->program);
    return EXIT_USAGE;
}

int args_fail(const struct args *args, int code, const struct err_text *error)
{
    fprintf(stderr, "%s: %s\n", args->program, error->text[0] ? error->text : err_name(code));
    return code == ERR_INVALID || code == ERR_LIMIT || code == ERR_MEANING ? EXIT_USAGE
                                                                           : EXIT_FAILED;
}

/* Takes one option word and, where it needs one, its value from the next word. Gives the words
 * taken, or 0 on wrong use. */
static int take_option(struct args *args, int argc, char **argv)
{
    const char *word = argv[0];
    bool is_long = word[1] == '-';
    const char *equals = is_long ? strchr(word, '=') : NULL;
    size_t name_size = equals ? (size_t)(equals - word) : strlen(word);
    const struct arg *arg = is_long ? find_long(args->command, word + 2, name_size - 2)
                                    : find_letter(args->command, word[1]);
    if (!arg) {
        args_wrong(args, "unknown option \"%.*s\"", (int)name_size, word);
        return 0;
    }
    const char *value = equals ? equals + 1 : !is_long && word[2] ? word + 2 : NULL;
    int n_words = 1;
    if (arg->value && !value && argc > 1) {
        value = argv[1];
        n_words = 2;
    }
    if (!arg->value != !value) {
        args_wrong(args,
                   arg->value ? "option \"--%s\" needs a value" : "option \"--%s\" takes no value",
                   arg->name);
        return 0;
    }
    if (args->n_given == ARGS_MAX) {
        args_wrong(args, "more than %d options", ARGS_MAX);
        return 0;
    }
    args->given[args->n_given].arg = arg;
    args->given[args->n_given++].value = value;
    return n_words;
}

int args_run(const char *program, const struct command *command, int argc, char **argv)
{
    struct args args = {.program = program, .command = command};
    bool only_operands = false;
    for (int i = 0; i < argc;) {
        if (!only_operands && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
            print_help(program, command);
            return EXIT_DONE;
        }
        if (!only_operands && strcmp(argv[i], "--") == 0) {
            only_operands = true;
            i++;
        } else if (!only_operands && argv[i][0] == '-' && argv[i][1]) {
            int n_words = take_option(&args, argc - i, argv + i);
            if (n_words == 0)
                return EXIT_USAGE;
            i += n_words;
        } else if (args.n_operands < command->n_operands) {
            args.operands[args.n_operands++] = argv[i++];
        } else {
            return args_wrong(&args, "\"%s\" is one word too many", argv[i]);
        }
    }
    if (args.n_operands < command->n_operands - command->n_optional)
        return args_wrong(&args, "%s is missing", command->operands);
    int code = command->run(&args);
    /* Output that could not be written is a failure, not an empty success. */
    if (fflush(stdout) != 0 && code == EXIT_DONE) {
        fprintf(stderr, "%s: cannot write the output\n", program);
        return EXIT_FAILED;
    }
    return code;
}

const char *args_get(const struct args *args, const char *name)
{
    for (size_t i = args->n_given; i-- > 0;)
        if (strcmp(args->given[i].arg->name, name) == 0)
            return args->given[i].value;
    return NULL;
}

bool args_has(const struct args *args, const char *name)
{
    for (size_t i = 0; i < args->n_given; i++)
        if (strcmp(args->given[i].arg->name, name) == 0)
            return true;
    return false;
}

const char *args_each(const struct args *args, const char *name, size_t *position)
{
    while (*position < args->n_given) {
        size_t i = (*position)++;
        if (strcmp(args->given[i].arg->name, name) == 0)
            return args->given[i].value;
    }
    return NULL;
}
