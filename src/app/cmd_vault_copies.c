/* almanac vault backup DEST, restore BACKUP */
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
#include "app/site.h"
#include "app/vault_site.h"
#include "common/files.h"
#include "vault/epoch_file.h"

#define MANIFEST "vault.json" /* of a backup */

static int write_manifest(const char *dest, const json_t *answer, struct err_text *error)
{
    char path[PATH_MAX], *text = json_dumps(answer, JSON_INDENT(1));
    snprintf(path, sizeof path, "%s/" MANIFEST, dest);
    int code = text ? site_write_file(path, 0600, text, strlen(text), error) : ERR_NOMEM;
    free(text);
    return code;
}

/* The process makes the copy inside the vault, since it reaches nothing else; here it is taken out. */
static int take_copy(const json_t *answer, const char *dest, struct err_text *error)
{
    const char *folder = json_string_value(json_object_get(answer, "folder"));
    char from[PATH_MAX], to[PATH_MAX];
    size_t i;
    json_t *file;
    int code = 0;
    json_array_foreach(json_object_get(answer, "files"), i, file)
    {
        snprintf(from, sizeof from, "%s/%s", folder, json_string_value(file));
        snprintf(to, sizeof to, "%s/%s", dest, json_string_value(file));
        if (code == 0 && (code = files_copy(from, to, NULL, NULL)) != 0 && code != ERR_NOTFOUND)
            err_set(error, code, "\"%s\" cannot be written: %s", to, err_name(code));
        code = code == ERR_NOTFOUND ? 0 : code; /* no head was signed yet */
    }
    files_remove_tree(folder);
    return code;
}

static int backup(const struct conf *conf, const char *dest, bool keys, struct err_text *error)
{
    char name[VAULT_SITE_OPERATOR_MAX];
    json_t *answer = NULL;
    if (mkdir(dest, 0700) != 0)
        return err_set(error, errno == EEXIST ? ERR_EXISTS : ERR_IO, "the folder \"%s\" cannot be made: %s", dest,
                       strerror(errno));
    json_t *question =
        json_pack("{s:s, s:s, s:b}", "do", "backup", "actor", vault_site_operator(name), "keys", keys);
    int code = vault_site_ask(conf, question, &answer, error);
    if (code == 0)
        code = take_copy(answer, dest, error);
    json_object_del(answer, "folder");
    json_object_del(answer, "ok");
    if (code == 0)
        code = write_manifest(dest, answer, error);
    json_decref(answer);
    if (code != 0)
        files_remove_tree(dest);
    return code;
}

static int run_backup(const struct args *args)
{
    struct err_text error = {0};
    struct conf *conf = NULL;
    bool keys = args_has(args, "keys");
    int code = site_conf(args, &conf, &error);
    if (code == 0)
        code = backup(conf, args->operands[0], keys, &error);
    conf_free(conf);
    if (code != 0)
        return args_fail(args, code, &error);
    fprintf(stderr, keys ? "The keys are worth nothing without the key of their epoch; keep them apart from the "
                           "vault's data, and make "
                           "this copy anew after each erasure.\n"
                         : "The copy opens nothing without the keys: `almanac vault backup --keys` copies these, to "
                           "another place.\n");
    return EXIT_DONE;
}

/* ---- putting them back ---- */

struct restoring {
    const struct conf *conf;
    const char *from;
    const json_t *manifest;
    char passphrase[VAULT_SITE_PASSPHRASE_MAX]; /* once it was asked for */
};

/* Connects, and unlocks where that needs a passphrase. */
static int open_vault(struct restoring *work, struct vault **ret_vault, struct err_text *error)
{
    struct vault *vault = NULL;
    json_t *answer = NULL;
    int code = vault_site_open(work->conf, "almanac vault restore", &vault, error);
    if (code == 0)
        code = vault_ask(vault, json_pack("{s:s}", "do", "status"), &answer, error);
    bool locked = json_is_true(json_object_get(answer, "locked"));
    json_decref(answer);
    answer = NULL;
    if (code == 0 && locked && !work->passphrase[0])
        code = vault_site_passphrase(work->passphrase, error);
    if (code == 0 && locked)
        code = vault_ask(vault, json_pack("{s:s, s:s}", "do", "unlock", "passphrase", work->passphrase), &answer, error);
    json_decref(answer);
    if (code != 0) {
        vault_close(vault);
        return code;
    }
    *ret_vault = vault;
    return 0;
}

static int ask_unlocked(struct restoring *work, json_t *question, json_t **ret_answer, struct err_text *error)
{
    struct vault *vault = NULL;
    int code = open_vault(work, &vault, error);
    if (code == 0)
        code = vault_ask(vault, question, ret_answer, error);
    else
        json_decref(question);
    vault_close(vault);
    return code;
}

/* When the newest erasure was, of the site as it is and of the backup. Texts of one form, so they compare as they are. */
static int check_age(struct restoring *work, struct err_text *error)
{
    char name[VAULT_SITE_OPERATOR_MAX];
    json_t *answer = NULL;
    const char *theirs = json_string_value(json_object_get(work->manifest, "newest_erase"));
    int code = ask_unlocked(
        work, json_pack("{s:s, s:s, s:b}", "do", "backup", "actor", vault_site_operator(name), "keys", 1), &answer, error);
    if (code != 0)
        return code;
    const char *ours = json_string_value(json_object_get(answer, "newest_erase"));
    files_remove_tree(json_string_value(json_object_get(answer, "folder")));
    if (strcmp(ours, theirs) < 0)
        code = err_set(error, ERR_DENIED,
                       "the vault's keys are older than the backup: its newest erasure, of %s, is not among their "
                       "tombstones (the newest is of %s)",
                       theirs, ours);
    json_decref(answer);
    return code;
}

/* Each erasure makes an epoch, so keys of this one know all erasures; of another one they open nothing. Keys that are there are
 * never replaced: a copy lacks who came since. */
static int check_keys(const struct restoring *work, struct err_text *error)
{
    char path[PATH_MAX];
    int64_t first, last, theirs = json_integer_value(json_object_get(work->manifest, "epoch"));
    snprintf(path, sizeof path, "%s/keys.db", work->conf->vault_dir);
    if (access(path, F_OK) == 0)
        return err_set(error, ERR_EXISTS,
                       "\"%s\" is there: where it is damaged, move it out of the vault first; where it is not, a copy would lose "
                       "who was added since",
                       path);
    int code = epoch_range(work->conf->vault_dir, &first, &last);
    if (code != 0)
        return err_set(error, code, "\"%s\" has no key of an epoch (epoch.N): without it no copy of the keys opens anything",
                       work->conf->vault_dir);
    if (theirs < first || theirs > last)
        return err_set(error, ERR_DENIED,
                       "the copy is of epoch %" PRId64 ", and the vault is at epoch %" PRId64
                       ": the key that opened it was destroyed by an erasure or a rotation since",
                       theirs, last);
    return 0;
}

static int put_back(const struct restoring *work, const char *name, struct err_text *error)
{
    const char *dir = work->conf->vault_dir;
    char source[PATH_MAX], aside[PATH_MAX], target[PATH_MAX], journal[PATH_MAX + 16];
    struct stat owner;
    snprintf(source, sizeof source, "%s/%s", work->from, name);
    snprintf(target, sizeof target, "%s/%s", dir, name);
    snprintf(aside, sizeof aside, "%s/%s.new", dir, name);
    snprintf(journal, sizeof journal, "%s-journal", target);
    unlink(aside);
    int code = files_copy(source, aside, NULL, NULL);
    if (code == 0 && geteuid() == 0 && stat(dir, &owner) == 0 && chown(aside, owner.st_uid, owner.st_gid) != 0)
        code = ERR_IO;
    if (code == 0 && unlink(journal) != 0 && errno != ENOENT) /* of the file before: it would be rolled back into this one */
        code = ERR_IO;
    if (code == 0)
        code = files_rename(aside, target);
    if (code == 0)
        code = files_sync_folder_of(target);
    return code == 0 ? 0
                     : err_set(error, code, "\"%s\" cannot be put in the place of \"%s\": %s", source, target,
                               err_name(code));
}

/* What was erased since goes from the data again when the process opens it, before anybody is answered; keys catch up by
 * the chain before this command ends. */
static int settle(struct restoring *work, bool keys, struct err_text *error)
{
    char name[VAULT_SITE_OPERATOR_MAX];
    json_t *answer = NULL;
    json_t *question = json_pack("{s:s, s:s}", "do", keys ? "reconcile" : "status", "actor", vault_site_operator(name));
    int code = ask_unlocked(work, question, &answer, error);
    int64_t lost = json_integer_value(json_object_get(answer, "lost"));
    if (lost > 0)
        fprintf(stderr,
                "%" PRId64 " subjects were added since the copy was made: their keys are lost, so their data is gone. "
                "Put them into the vault again.\n",
                lost);
    json_decref(answer);
    if (code != 0 && keys)
        fputs("keys.db is in its place and may lack what came since the copy: move it out of the vault and restore it "
              "once more.\n",
              stderr);
    return code;
}

static int restore(struct restoring *work, struct err_text *error)
{
    int lock = -1;
    const char *first = json_string_value(json_array_get(json_object_get(work->manifest, "files"), 0));
    bool keys = first && strcmp(first, "keys.db") == 0;
    int code = keys ? check_keys(work, error) : check_age(work, error);
    for (int i = 0; i < 200 && code == 0 && lock < 0; i++) { /* the process that has just answered ends */
        code = vault_site_hold(work->conf, &lock, error);
        if (code == ERR_BUSY && i < 199) {
            usleep(10000);
            code = 0;
        }
    }
    if (code == 0)
        code = put_back(work, keys ? "keys.db" : "vault.db", error);
    if (lock >= 0)
        close(lock);
    return code == 0 ? settle(work, keys, error) : code;
}

static int load_manifest(const char *from, json_t **ret_manifest, struct err_text *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/" MANIFEST, from);
    json_t *manifest = json_load_file(path, 0, NULL);
    if (json_is_string(json_object_get(manifest, "newest_erase"))) {
        *ret_manifest = manifest;
        return 0;
    }
    json_decref(manifest);
    return err_set(error, ERR_INVALID, "\"%s\" is no backup of a vault: it has no " MANIFEST, from);
}

static int run_restore(const struct args *args)
{
    struct err_text error = {0};
    struct conf *conf = NULL;
    json_t *manifest = NULL;
    int code = site_conf(args, &conf, &error);
    if (code == 0)
        code = load_manifest(args->operands[0], &manifest, &error);
    struct restoring work = {.conf = conf, .from = args->operands[0], .manifest = manifest};
    if (code == 0)
        code = restore(&work, &error);
    explicit_bzero(work.passphrase, sizeof work.passphrase);
    json_decref(manifest);
    conf_free(conf);
    return code == 0 ? EXIT_DONE : args_fail(args, code, &error);
}

static const struct arg options[] = {SITE_ARG_DIR, SITE_ARG_SET};
static const struct arg backup_options[] = {
    SITE_ARG_DIR, SITE_ARG_SET, {"keys", 0, NULL, "copies keys.db instead; keep it apart from the data"}};

const struct command cmd_vault_backup = {.name = "vault backup",
                                         .summary = "copies the vault's data, or its keys",
                                         .operands = "DEST",
                                         .n_operands = 1,
                                         .examples = "  almanac vault backup /mnt/backup/vault-$(date +%F)\n"
                                                     "  almanac vault backup --keys /mnt/other/keys-$(date +%F)\n",
                                         .args = backup_options,
                                         .n_args = sizeof backup_options / sizeof *backup_options,
                                         .run = run_backup};
const struct command cmd_vault_restore = {.name = "vault restore",
                                          .summary = "puts back the vault's data or its keys; what was erased since stays erased",
                                          .operands = "BACKUP",
                                          .n_operands = 1,
                                          .examples = "  almanac vault restore /mnt/backup/vault-2025-03-01\n"
                                                      "  almanac vault restore /mnt/other/keys-2025-03-01\n",
                                          .args = options,
                                          .n_args = sizeof options / sizeof *options,
                                          .run = run_restore};
