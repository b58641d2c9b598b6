/* almanac token create --name N --scope S */
#include <config.h>

#include <stdio.h>

#include "app/cmd.h"
#include "app/site.h"
#include "common/hash.h"

static int create(const struct conf *conf, const char *name, const char *scope,
                  struct err_text *error)
{
    char token[TOKEN_TEXT_MAX];
    struct access *tokens = NULL;
    int code = hash_init();
    if (code == 0)
        code = access_open(conf->data, &tokens, error);
    if (code != 0)
        return code;
    code = access_token_create(tokens, name, scope, token, error);
    access_close(tokens);
    if (code == 0)
        printf("token: %s\n", token);
    return code;
}

static int run(const struct args *args)
{
    const char *name = args_get(args, "name"), *scope = args_get(args, "scope");
    struct err_text error = {0};
    struct conf *conf = NULL;
    if (!name || !scope)
        return args_wrong(args, "--%s is missing", name ? "scope" : "name");
    int code = site_conf(args, &conf, &error);
    if (code == 0)
        code = create(conf, name, scope, &error);
    conf_free(conf);
    return code == 0 ? EXIT_DONE : args_fail(args, code, &error);
}

static const struct arg options[] = {
    {"name", 0, "NAME", "whose token this is, for the log and the audit"},
    {"scope", 0, "SCOPE",
     "read, export, sql, ops, personal:read, personal:write, vault:admin, aggregate, admin; several "
     "with commas, each for all entities or with a glob: read:p2-*"},
    SITE_ARG_DIR,
    SITE_ARG_SET,
};

const struct command cmd_token_create = {
    .name = "token create",
    .summary = "makes a token, valid at once, and prints it this one time",
    .operands = "",
    .examples = "  almanac token create --name grafana --scope read\n"
                "  almanac token create --dir /var/lib/almanac --name operator --scope ops,read\n"
                "  almanac token create --name pilot2 --scope 'read:p2-*,read:wx-*,sql:p2-*'\n"
                "  almanac token create --name municipality --scope 'aggregate@20/10:p2-*'\n",
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .run = run};
