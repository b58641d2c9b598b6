/* almanac vault status, rotate, unlock, audit verify */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/cmd.h"
#include "app/json_print.h"
#include "app/site.h"
#include "app/vault_site.h"
#include "common/files.h"
#include "common/hash.h"
#include "vault/audit.h"

/* Asks, and prints the answer as lines `name value`, or with --json as it is. */
static int ask_and_print(const struct args *args, json_t *question)
{
    struct err_text error = {0};
    struct conf *conf = NULL;
    json_t *answer = NULL, *value;
    const char *name;
    int code = site_conf(args, &conf, &error);
    if (code == 0)
        code = vault_site_ask(conf, question, &answer, &error);
    else
        json_decref(question);
    conf_free(conf);
    if (code != 0)
        return args_fail(args, code, &error);
    json_object_del(answer, "ok");
    if (args_has(args, "json"))
        return json_print(answer) == 0 ? EXIT_DONE : EXIT_FAILED;
    json_object_foreach(answer, name, value)
    {
        if (json_is_integer(value))
            printf("%-12s %" PRId64 "\n", name, (int64_t)json_integer_value(value));
        else if (json_is_boolean(value))
            printf("%-12s %s\n", name, json_is_true(value) ? "yes" : "no");
    }
    json_decref(answer);
    return EXIT_DONE;
}

static int run_status(const struct args *args)
{
    return ask_and_print(args, json_pack("{s:s}", "do", "status"));
}

static int run_rotate(const struct args *args)
{
    char name[VAULT_SITE_OPERATOR_MAX];
    return ask_and_print(args, json_pack("{s:s, s:s}", "do", "rotate", "actor", vault_site_operator(name)));
}

/* The process keeps the key for as long as somebody uses it: that is the daemon, so it is told of one that runs. */
static int run_unlock(const struct args *args)
{
    char passphrase[VAULT_SITE_PASSPHRASE_MAX];
    struct err_text error = {0};
    int code = vault_site_passphrase(passphrase, &error);
    if (code != 0)
        return args_fail(args, code, &error);
    json_t *question = json_pack("{s:s, s:s}", "do", "unlock", "passphrase", passphrase);
    explicit_bzero(passphrase, sizeof passphrase);
    return ask_and_print(args, question);
}

/* Needs no process and no secret; but one that runs signs what is not signed yet. */
static int run_audit_verify(const struct args *args)
{
    struct err_text error = {0};
    struct audit_verdict verdict = {0};
    struct conf *conf = NULL;
    struct vault *vault = NULL;
    json_t *answer = NULL;
    int code = hash_init();
    if (code == 0)
        code = site_conf(args, &conf, &error);
    if (code == 0 && (vault_site_open(conf, "almanac vault", &vault, &error) != 0 ||
                      vault_ask(vault, json_pack("{s:s}", "do", "verify"), &answer, &error) != 0))
        fprintf(stderr, "almanac vault audit verify: %s; the files are compared as they are\n", error.text);
    json_decref(answer);
    if (code == 0)
        code = audit_verify(conf->vault_dir, &verdict, &error);
    vault_close(vault); /* not before: at its end the process writes the file once more */
    conf_free(conf);
    if (code != 0)
        return args_fail(args, code, &error);
    if (args_has(args, "json")) {
        code = json_print(json_pack("{s:I, s:I, s:I, s:o}", "entries", (json_int_t)verdict.entries, "heads",
                                    (json_int_t)verdict.heads, "covered", (json_int_t)verdict.covered, "broken",
                                    verdict.broken[0] ? json_string(verdict.broken) : json_null()));
    } else {
        printf("%" PRId64 " entries, %" PRId64 " signed heads, the last of entry %" PRId64 "\n", verdict.entries,
               verdict.heads, verdict.covered);
        if (verdict.broken[0])
            fprintf(stderr, "almanac vault audit verify: %s\n", verdict.broken);
    }
    return code == 0 && !verdict.broken[0] ? EXIT_DONE : EXIT_FAILED;
}

static const struct arg options[] = {SITE_ARG_DIR, SITE_ARG_SET, {"json", 0, NULL, "prints JSON"}};

const struct command cmd_vault_status = {.name = "vault status",
                                         .summary = "counts subjects and keys, and tells the epoch",
                                         .operands = "",
                                         .examples = "  almanac vault status --dir site\n",
                                         .args = options,
                                         .n_args = sizeof options / sizeof *options,
                                         .run = run_status};
const struct command cmd_vault_rotate = {.name = "vault rotate",
                                         .summary = "wraps all keys with a new one and destroys the old one",
                                         .operands = "",
                                         .examples = "  almanac vault rotate --dir site\n",
                                         .args = options,
                                         .n_args = sizeof options / sizeof *options,
                                         .run = run_rotate};
const struct command cmd_vault_unlock = {.name = "vault unlock",
                                         .summary = "gives the passphrase to a vault that has one",
                                         .operands = "",
                                         .examples = "  almanac vault unlock --dir site\n",
                                         .args = options,
                                         .n_args = sizeof options / sizeof *options,
                                         .run = run_unlock};
const struct command cmd_vault_audit_verify = {
    .name = "vault audit verify",
    .summary = "checks the record of who asked for what; exit 1 when it was changed",
    .operands = "",
    .examples = "  almanac vault audit verify --dir site\n",
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .run = run_audit_verify};
