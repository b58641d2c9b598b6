/* almanac token list, token revoke NAME, user list, user remove NAME, cert list, cert remove NAME */
#include <config.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "app/cmd.h"
#include "app/json_print.h"
#include "app/site.h"
#include "app/table.h"
#include "common/civil.h"
#include "common/hash.h"

struct listing {
    bool json;
    struct table *table;
    size_t n;
};

static int print_json(const struct listing *listing, const struct access_entry *entry, const char *created,
                      char *scopes, const char *key)
{
    json_t *names = json_array();
    for (char *rest = NULL, *name = strtok_r(scopes, ",", &rest); name; name = strtok_r(NULL, ",", &rest))
        json_array_append_new(names, json_string(name));
    json_t *row = json_pack("{s:s, s:o, s:s}", "name", entry->name, "scopes", names, "created", created);
    if (*key)
        json_object_set_new(row, "key", json_string(key));
    return json_print_element(row, listing->n);
}

static int list_cb(void *arg, const struct access_entry *entry)
{
    struct listing *listing = arg;
    char created[CIVIL_TEXT_MAX + 1], scopes[ACCESS_GRANTS_TEXT_MAX], key[HASH_HEX_MAX] = "";
    created[civil_print_rfc3339(created, entry->created_us, 0, true)] = '\0';
    access_grants_print(entry->grants, scopes);
    if (entry->spki)
        hash_hex(entry->spki, key);
    const char *const fields[] = {entry->name, scopes, created, key};
    int code = listing->json ? print_json(listing, entry, created, scopes, key)
                             : table_row(listing->table, fields, entry->spki ? 4 : 3);
    listing->n++;
    return code;
}

static int open_access(const struct args *args, struct access **ret_access, struct err_text *error)
{
    struct conf *conf = NULL;
    int code = site_conf(args, &conf, error);
    if (code == 0)
        code = hash_init();
    if (code == 0)
        code = access_open(conf->data, ret_access, error);
    conf_free(conf);
    return code;
}

static int list(const struct args *args, enum access_kind kind)
{
    static const char *const heads[] = {"name", "scopes", "created", "key"};
    struct err_text error = {0};
    struct access *access = NULL;
    struct listing listing = {.json = args_has(args, "json")};
    int code = open_access(args, &access, &error);
    if (code == 0 && !listing.json) {
        listing.table = table_new(stdout);
        code = listing.table ? table_row(listing.table, heads, kind == ACCESS_CERTIFICATES ? 4 : 3) : ERR_NOMEM;
    }
    if (code == 0 && listing.json)
        putchar('[');
    if (code == 0)
        code = access_each(access, kind, list_cb, &listing, &error);
    if (code == 0 && listing.json)
        puts("]");
    if (code == 0 && listing.table && listing.n)
        table_end(listing.table);
    table_free(listing.table);
    access_close(access);
    return code == 0 ? EXIT_DONE : args_fail(args, code, &error);
}

static int take_back(const struct args *args, enum access_kind kind)
{
    struct err_text error = {0};
    struct access *access = NULL;
    int code = open_access(args, &access, &error);
    if (code == 0)
        code = access_remove(access, kind, args->operands[0], &error);
    access_close(access);
    return code == 0 ? EXIT_DONE : args_fail(args, code, &error);
}

static int list_tokens(const struct args *args)
{
    return list(args, ACCESS_TOKENS);
}

static int list_users(const struct args *args)
{
    return list(args, ACCESS_USERS);
}

static int list_certificates(const struct args *args)
{
    return list(args, ACCESS_CERTIFICATES);
}

static int revoke_token(const struct args *args)
{
    return take_back(args, ACCESS_TOKENS);
}

static int remove_user(const struct args *args)
{
    return take_back(args, ACCESS_USERS);
}

static int remove_certificate(const struct args *args)
{
    return take_back(args, ACCESS_CERTIFICATES);
}

static const struct arg list_options[] = {
    {"json", 0, NULL, "prints an array of {\"name\",\"scopes\",\"created\"}"},
    SITE_ARG_DIR,
    SITE_ARG_SET,
};
static const struct arg options[] = {SITE_ARG_DIR, SITE_ARG_SET};

const struct command cmd_token_list = {.name = "token list",
                                       .summary = "lists the tokens; what they are is not kept",
                                       .operands = "",
                                       .examples = "  almanac token list\n  almanac token list --json\n",
                                       .args = list_options,
                                       .n_args = sizeof list_options / sizeof *list_options,
                                       .run = list_tokens};

const struct command cmd_token_revoke = {.name = "token revoke",
                                         .summary = "takes a token back, within a second",
                                         .operands = "NAME",
                                         .n_operands = 1,
                                         .examples = "  almanac token revoke grafana\n",
                                         .args = options,
                                         .n_args = sizeof options / sizeof *options,
                                         .run = revoke_token};

const struct command cmd_user_list = {.name = "user list",
                                      .summary = "lists the users",
                                      .operands = "",
                                      .examples = "  almanac user list\n  almanac user list --json\n",
                                      .args = list_options,
                                      .n_args = sizeof list_options / sizeof *list_options,
                                      .run = list_users};

const struct command cmd_user_remove = {.name = "user remove",
                                        .summary = "removes a user, within a second",
                                        .operands = "NAME",
                                        .n_operands = 1,
                                        .examples = "  almanac user remove pilot\n",
                                        .args = options,
                                        .n_args = sizeof options / sizeof *options,
                                        .run = remove_user};

const struct command cmd_cert_list = {.name = "cert list",
                                      .summary = "lists the clients' certificates, by the SHA-256 of their keys",
                                      .operands = "",
                                      .examples = "  almanac cert list\n  almanac cert list --json\n",
                                      .args = list_options,
                                      .n_args = sizeof list_options / sizeof *list_options,
                                      .run = list_certificates};

const struct command cmd_cert_remove = {.name = "cert remove",
                                        .summary = "lets a certificate in no more, within a second",
                                        .operands = "NAME",
                                        .n_operands = 1,
                                        .examples = "  almanac cert remove grafana\n",
                                        .args = options,
                                        .n_args = sizeof options / sizeof *options,
                                        .run = remove_certificate};
