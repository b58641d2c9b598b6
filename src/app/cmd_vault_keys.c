/* almanac vault init, rewrap */
#include <config.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "app/cmd.h"
#include "app/site.h"
#include "app/vault_site.h"
#include "common/hash.h"
#include "vault/epoch_file.h"

/* ---- init: for a directory that was made without ---- */

static int run_init(const struct args *args)
{
    struct err_text error = {0};
    struct conf *conf = NULL;
    int code = hash_init();
    if (code == 0)
        code = site_conf(args, &conf, &error);
    if (code == 0)
        code = vault_site_create(conf, &error);
    if (code == 0)
        fprintf(stderr,
                "The vault is \"%s\"; what unlocks it is %s, which no backup of the directory has. Start almanacd "
                "anew.\n",
                conf->vault_dir, conf->vault_key);
    conf_free(conf);
    return code == 0 ? EXIT_DONE : args_fail(args, code, &error);
}

/* ---- rewrap: another unlocking key ---- */

/* As --set vault.key=WHERE would have it: a path belongs to the configuration's folder. */
static int load_with(const struct args *args, const char *where, struct conf **ret_conf, struct err_text *error)
{
    const char *settings[ARGS_MAX + 1];
    char path[4096], setting[4200];
    size_t n = site_settings(args, settings);
    if (n == ARGS_MAX || snprintf(setting, sizeof setting, "vault.key=%s", where) >= (int)sizeof setting)
        return err_set(error, ERR_LIMIT, "too many or too long settings");
    settings[n++] = setting;
    int code = site_conf_path(args_get(args, "dir"), path, sizeof path, error);
    return code == 0 ? conf_load(path, settings, n, ret_conf, error) : code;
}

/* The new key's file is never taken away again, whatever fails later: it may be what opens the vault. */
static int pack_key(const struct conf *to, const char *actor, json_t **ret_question, struct err_text *error)
{
    char passphrase[VAULT_SITE_PASSPHRASE_MAX], hex[HASH_HEX_MAX];
    uint8_t key[CRYPT_KEY_BYTES];
    bool is_passphrase = strcmp(to->vault_key, "passphrase") == 0;
    int code = is_passphrase ? vault_site_new_passphrase(passphrase, error) : epoch_make_unlocking(to->vault_key, key, error);
    if (code == 0 && !is_passphrase) {
        code = vault_site_give_key(to, error);
        hash_hex(key, hex);
    }
    if (code == 0)
        *ret_question = json_pack("{s:s, s:s, s:s}", "do", "rewrap", "actor", actor, is_passphrase ? "passphrase" : "key",
                                  is_passphrase ? passphrase : hex);
    explicit_bzero(passphrase, sizeof passphrase);
    explicit_bzero(hex, sizeof hex);
    explicit_bzero(key, sizeof key);
    return code;
}

/* Who is to ask is known to be let in before a key is made. */
static int rewrap(const struct conf *conf, const struct conf *to, struct err_text *error)
{
    char name[VAULT_SITE_OPERATOR_MAX];
    struct vault *vault = NULL;
    json_t *answer = NULL, *question = NULL;
    int code = vault_site_open(conf, "almanac vault rewrap", &vault, error);
    if (code == 0)
        code = vault_ask(vault, json_pack("{s:s}", "do", "erasures"), &answer, error); /* refused while it is locked */
    json_decref(answer);
    answer = NULL;
    if (code == 0)
        code = pack_key(to, vault_site_operator(name), &question, error);
    if (code == 0)
        code = vault_ask(vault, question, &answer, error);
    json_decref(answer);
    vault_close(vault);
    return code;
}

static int run_rewrap(const struct args *args)
{
    struct err_text error = {0};
    struct conf *conf = NULL, *to = NULL;
    const char *where = args_get(args, "key");
    int code = hash_init();
    if (code == 0)
        code = site_conf(args, &conf, &error);
    if (code == 0)
        code = load_with(args, where ? where : conf->vault_key, &to, &error);
    if (code == 0 && strcmp(to->vault_key, conf->vault_key) == 0 && strcmp(to->vault_key, "passphrase") != 0)
        code = err_set_field(&error, ERR_INVALID, "key", "\"%s\" is where the key is now: name another place with --key, "
                             "file:PATH, credential:NAME or passphrase", to->vault_key);
    if (code == 0)
        code = rewrap(conf, to, &error);
    if (code == 0 && strcmp(to->vault_key, conf->vault_key) != 0)
        fprintf(stderr,
                "Only the new key opens the vault now. Write it into \"%s\", in [vault]: key = %s; then start almanacd "
                "anew, and destroy the old one.\n",
                conf->file, where);
    conf_free(conf);
    conf_free(to);
    return code == 0 ? EXIT_DONE : args_fail(args, code, &error);
}

static const struct arg init_options[] = {SITE_ARG_DIR, SITE_ARG_SET};
static const struct arg rewrap_options[] = {
    SITE_ARG_DIR, SITE_ARG_SET, {"key", 0, "WHERE", "file:PATH (made where it is not there), credential:NAME or passphrase"}};

const struct command cmd_vault_init = {.name = "vault init",
                                       .summary = "makes the vault of a data directory that has none",
                                       .operands = "",
                                       .examples = "  almanac vault init --dir /var/lib/almanac\n",
                                       .args = init_options,
                                       .n_args = sizeof init_options / sizeof *init_options,
                                       .run = run_init};
const struct command cmd_vault_rewrap = {.name = "vault rewrap",
                                         .summary = "changes the key that unlocks the vault; the old one opens nothing any more",
                                         .operands = "",
                                         .examples = "  almanac vault rewrap                      # another passphrase\n"
                                                     "  almanac vault rewrap --key file:/media/stick/vault.key\n",
                                         .args = rewrap_options,
                                         .n_args = sizeof rewrap_options / sizeof *rewrap_options,
                                         .run = run_rewrap};
