/* almanac vault backup DEST, restore BACKUP */
#include <config.h>

#include <errno.h>
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
    int code = vault_site_ask(conf, json_pack("{s:s, s:s, s:b}", "do", "backup", "actor", vault_site_operator(name), "keys", keys),
                   &answer, error);
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

/* When the newest erasure was, of the site as it is and of the backup. Texts of one form, so they compare as they are.
 */
static int check_age(const struct conf *conf, const char *from, struct err_text *error)
{
    char path[PATH_MAX], name[VAULT_SITE_OPERATOR_MAX];
    json_t *answer = NULL;
    snprintf(path, sizeof path, "%s/" MANIFEST, from);
    json_t *manifest = json_load_file(path, 0, NULL);
    const char *theirs = json_string_value(json_object_get(manifest, "newest_erase"));
    int code = theirs ? 0 : err_set(error, ERR_INVALID, "\"%s\" is no backup of a vault: it has no " MANIFEST, from);
    if (code == 0)
        code = vault_site_ask(conf, json_pack("{s:s, s:s, s:b}", "do", "backup", "actor", vault_site_operator(name), "keys", 1), &answer,
                   error);
    if (code == 0) {
        const char *ours = json_string_value(json_object_get(answer, "newest_erase"));
        files_remove_tree(json_string_value(json_object_get(answer, "folder")));
        if (strcmp(ours, theirs) < 0)
            code = err_set(error, ERR_DENIED,
                           "the vault's keys are older than the backup: its newest erasure, of %s, is not among their "
                           "tombstones (the newest is of %s)",
                           theirs, ours);
    }
    json_decref(answer);
    json_decref(manifest);
    return code;
}

static int put_back(const struct conf *conf, const char *from, struct err_text *error)
{
    char source[PATH_MAX], aside[PATH_MAX], target[PATH_MAX];
    struct stat owner;
    snprintf(source, sizeof source, "%s/vault.db", from);
    snprintf(target, sizeof target, "%s/vault.db", conf->vault_dir);
    snprintf(aside, sizeof aside, "%s/vault.db.new", conf->vault_dir);
    unlink(aside);
    int code = stat(target, &owner) == 0 || errno == ENOENT ? files_copy(source, aside, NULL, NULL) : ERR_IO;
    if (code == 0 && geteuid() == 0 && stat(conf->vault_dir, &owner) == 0 &&
        chown(aside, owner.st_uid, owner.st_gid) != 0)
        code = ERR_IO;
    if (code == 0)
        code = files_rename(aside, target);
    if (code == 0)
        code = files_sync_folder_of(target);
    return code == 0 ? 0
                     : err_set(error, code, "\"%s\" cannot be put in the place of \"%s\": %s", source, target,
                               err_name(code));
}

/* What was erased since goes from it again when the process opens it, before anybody is answered. */
static int restore(const struct conf *conf, const char *from, struct err_text *error)
{
    int lock = -1;
    json_t *answer = NULL;
    int code = check_age(conf, from, error);
    for (int i = 0; i < 200 && code == 0 && lock < 0; i++) { /* the process that has just answered ends */
        code = vault_site_hold(conf, &lock, error);
        if (code == ERR_BUSY && i < 199) {
            usleep(10000);
            code = 0;
        }
    }
    if (code == 0)
        code = put_back(conf, from, error);
    if (lock >= 0)
        close(lock);
    if (code == 0)
        code = vault_site_ask(conf, json_pack("{s:s}", "do", "status"), &answer, error);
    json_decref(answer);
    return code;
}

static int run_restore(const struct args *args)
{
    struct err_text error = {0};
    struct conf *conf = NULL;
    int code = site_conf(args, &conf, &error);
    if (code == 0)
        code = restore(conf, args->operands[0], &error);
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
                                          .summary = "puts back the vault's data; what was erased since stays erased",
                                          .operands = "BACKUP",
                                          .n_operands = 1,
                                          .examples = "  almanac vault restore /mnt/backup/vault-2025-03-01\n",
                                          .args = options,
                                          .n_args = sizeof options / sizeof *options,
                                          .run = run_restore};
