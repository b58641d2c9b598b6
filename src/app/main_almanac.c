/* almanac: the command line. Finds the command in the table and hands over. */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "app/cmd.h"

static const struct command *const commands[] = {&cmd_init,
                                                 &cmd_demo,
                                                 &cmd_adapt,
                                                 &cmd_query,
                                                 &cmd_replay,
                                                 &cmd_export,
                                                 &cmd_import_assets,
                                                 &cmd_import,
                                                 &cmd_sql,
                                                 &cmd_token_create,
                                                 &cmd_token_list,
                                                 &cmd_token_revoke,
                                                 &cmd_user_add,
                                                 &cmd_user_list,
                                                 &cmd_cert_add,
                                                 &cmd_cert_list,
                                                 &cmd_cert_remove,
                                                 &cmd_user_remove,
                                                 &cmd_deadletter_list,
                                                 &cmd_deadletter_show,
                                                 &cmd_deadletter_replay,
                                                 &cmd_vault_seal,
                                                 &cmd_vault_open,
                                                 &cmd_verify,
                                                 &cmd_rebuild,
                                                 &cmd_backup,
                                                 &cmd_restore,
                                                 &cmd_vault_init,
                                                 &cmd_vault_status,
                                                 &cmd_vault_rotate,
                                                 &cmd_vault_rewrap,
                                                 &cmd_vault_unlock,
                                                 &cmd_vault_audit_verify,
                                                 &cmd_vault_backup,
                                                 &cmd_vault_restore,
                                                 &cmd_version};
#define N_COMMANDS (sizeof commands / sizeof *commands)

static void print_help(FILE *out)
{
    fputs("almanac: a historian for energy data, from Kafka to HTTPS\n\nExamples:\n"
          "  almanac demo\n"
          "  almanac init site && almanacd -c site/almanac.conf\n"
          "  almanac query --dir site --entity 'p2-*' --from -P1D --to now --step PT15M\n\n"
          "Usage: almanac COMMAND [OPTION]...\n",
          out);
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(out, "  %-18s %s\n", commands[i]->name, commands[i]->summary);
    fputs("`almanac COMMAND --help` shows how a command is used.\n", out);
}

/* How many words of argv name the command: 0 when they do not. "token create" has two. */
static int match(const char *name, int argc, char **argv)
{
    int n = 0;
    while (n < argc) {
        size_t size = strlen(argv[n]);
        if (strncmp(name, argv[n], size) != 0 || size == 0)
            return 0;
        name += size;
        n++;
        if (!*name)
            return n;
        if (*name++ != ' ')
            return 0;
    }
    return 0;
}

/* "token" alone, or with --help or an unknown second word: the commands that begin so. */
static int explain(int argc, char **argv)
{
    bool found = false;
    size_t size = strlen(argv[0]);
    bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strncmp(commands[i]->name, argv[0], size) == 0 && commands[i]->name[size] == ' ') {
            if (!found && !help)
                fprintf(stderr, "almanac: \"%s\" is not a whole command; there are:\n", argv[0]);
            found = true;
            fprintf(help ? stdout : stderr, "  almanac %-18s %s\n", commands[i]->name,
                    commands[i]->summary);
        }
    if (found && help)
        return EXIT_DONE;
    if (!found)
        fprintf(stderr, "almanac: unknown command \"%s\"; `almanac --help` lists them\n", argv[0]);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0)
        argv[1] = (char[]){"version"};
    const struct command *command = NULL;
    int n_words = 0;
    for (size_t i = 0; i < N_COMMANDS; i++) {
        int n = match(commands[i]->name, argc - 1, argv + 1);
        if (n > n_words) { /* the name of the most words: a command may begin as another one does */
            command = commands[i];
            n_words = n;
        }
    }
    if (!command)
        return explain(argc - 1, argv + 1);
    char program[64];
    snprintf(program, sizeof program, "almanac %s", command->name);
    return args_run(program, command, argc - 1 - n_words, argv + 1 + n_words);
}
