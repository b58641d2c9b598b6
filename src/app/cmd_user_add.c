/* almanac user add NAME --scope S */
#include <config.h>

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "app/cmd.h"
#include "app/site.h"
#include "common/hash.h"

#define PASSWORD_SIZE 512 /* more than a password may have, so that a longer one is refused and not cut */

/* A line of stdin without its end; false when there is none. */
static bool read_line(char *out, size_t size)
{
    if (!fgets(out, (int)size, stdin))
        return false;
    out[strcspn(out, "\r\n")] = '\0';
    return true;
}

/* A line that is typed and not shown. */
static bool read_hidden(const char *prompt, char *out, size_t size)
{
    struct termios shown, hidden;
    if (tcgetattr(STDIN_FILENO, &shown))
        return false;
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    fputs(prompt, stderr);
    bool good = !tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) && read_line(out, size);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    fputc('\n', stderr);
    return good;
}

static int read_password(char *out, size_t size, struct err_text *error)
{
    char again[PASSWORD_SIZE] = "";
    bool terminal = isatty(STDIN_FILENO);
    bool good = terminal ? read_hidden("password: ", out, size) && read_hidden("again: ", again, sizeof again)
                         : read_line(out, size);
    int code = 0;
    if (!good)
        code = err_set_field(error, ERR_INVALID, "password", "there is no password on standard input");
    else if (terminal && strcmp(out, again) != 0)
        code = err_set_field(error, ERR_INVALID, "password", "the two passwords differ: nothing was added");
    explicit_bzero(again, sizeof again);
    return code;
}

static int add(const struct conf *conf, const char *name, const char *scope, const char *password,
               struct err_text *error)
{
    struct access *access = NULL;
    int code = hash_init();
    if (code == 0)
        code = access_open(conf->data, &access, error);
    if (code == 0)
        code = access_user_add(access, name, scope, password, error);
    access_close(access);
    return code;
}

static int run(const struct args *args)
{
    const char *scope = args_get(args, "scope");
    char password[PASSWORD_SIZE] = "";
    struct err_text error = {0};
    struct conf *conf = NULL;
    if (!scope)
        return args_wrong(args, "--scope is missing");
    int code = site_conf(args, &conf, &error);
    if (code == 0)
        code = read_password(password, sizeof password, &error);
    if (code == 0)
        code = add(conf, args->operands[0], scope, password, &error);
    explicit_bzero(password, sizeof password);
    conf_free(conf);
    return code == 0 ? EXIT_DONE : args_fail(args, code, &error);
}

static const struct arg options[] = {
    {"scope", 0, "SCOPE",
     "read, export, sql, ops, personal:read, personal:write, vault:admin, admin; several with "
     "commas"},
    SITE_ARG_DIR,
    SITE_ARG_SET,
};

const struct command cmd_user_add = {
    .name = "user add",
    .summary = "adds a user for HTTP Basic; asks for the password, or takes a line of standard input",
    .operands = "NAME",
    .n_operands = 1,
    .examples = "  almanac user add pilot --scope read\n"
                "  almanac user add optimizer --scope read,ops < password\n",
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .run = run};
