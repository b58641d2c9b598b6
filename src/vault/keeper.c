#include <config.h>

#include "vault/keeper.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "vault/keeper_inside.h"

#define HEAD_EVERY 256
#define HEAD_EVERY_US INT64_C(60000000)
#define FINISH_EVERY_US INT64_C(60000000)

/* ---- opening ---- */

/* After the keys are there. */
static int open_up(struct keeper *keeper, struct err_text *error)
{
    return keys_are_locked(keeper->keys) ? 0 : keeper_finish(keeper, error);
}

int keeper_open(const struct keeper_opts *opts, struct keeper **ret_keeper, struct err_text *error)
{
    struct keeper *keeper = calloc(1, sizeof *keeper);
    if (!keeper)
        return err_set(error, ERR_NOMEM, "out of memory");
    keeper->folder = strdup(opts->folder);
    keeper->searchable = strdup(opts->searchable);
    int code = keeper->folder && keeper->searchable ? 0 : err_set(error, ERR_NOMEM, "out of memory");
    if (code == 0)
        code = audit_open(opts->folder, &keeper->audit, error);
    if (code == 0)
        code = records_open(opts->folder, &keeper->records, error);
    if (code == 0)
        code = keys_open(opts->folder, opts->key, &keeper->keys, error);
    if (code == 0)
        code = open_up(keeper, error);
    if (code != 0) {
        keeper_close(keeper);
        return code;
    }
    *ret_keeper = keeper;
    return 0;
}

static void sign_head(struct keeper *keeper)
{
    if (!keeper->keys || keys_are_locked(keeper->keys))
        return;
    int code = audit_sign(keeper->audit, keys_own(keeper->keys, KEYS_AUDIT));
    if (code != 0)
        log_event(LOG_ERROR, "audit_head_failed", "why=\"%s\"", err_name(code));
}

void keeper_close(struct keeper *keeper)
{
    if (!keeper)
        return;
    if (keeper->audit)
        sign_head(keeper);
    audit_close(keeper->audit);
    records_close(keeper->records);
    keys_close(keeper->keys);
    free(keeper->folder);
    free(keeper->searchable);
    free(keeper);
}

static void finish_later(struct keeper *keeper)
{
    struct err_text error;
    keeper->finish_next_us = clock_mono_us() + FINISH_EVERY_US;
    if (keeper_finish(keeper, &error) != 0)
        log_event(LOG_ERROR, "erasure_unfinished", "why=\"%s\"", error.text);
}

void keeper_tick(struct keeper *keeper)
{
    int64_t since_us, n = audit_unsigned(keeper->audit, &since_us);
    if (n >= HEAD_EVERY || (n > 0 && clock_mono_us() - since_us >= HEAD_EVERY_US))
        sign_head(keeper);
    if (keeper->unfinished && clock_mono_us() >= keeper->finish_next_us)
        finish_later(keeper);
}

/* ---- answering ---- */

static json_t *say_hello(struct keeper *keeper, const json_t *question)
{
    (void)question;
    return json_pack("{s:b, s:s, s:b, s:I}", "ok", 1, "version", PACKAGE_VERSION, "locked",
                     keys_are_locked(keeper->keys), "epoch", (json_int_t)keys_epoch(keeper->keys));
}

static json_t *unlock(struct keeper *keeper, const json_t *question)
{
    struct err_text error = {0};
    const char *passphrase = json_string_value(json_object_get(question, "passphrase"));
    if (!passphrase || !passphrase[0])
        return server_error("invalid", "passphrase", "passphrase: a text");
    bool was_locked = keys_are_locked(keeper->keys);
    int code = keys_unlock(keeper->keys, passphrase, &error);
    if (code == 0 && was_locked)
        code = open_up(keeper, &error);
    if (code == 0)
        return answer_good();
    return code == ERR_DENIED ? server_error("denied", "passphrase", "it is another passphrase") : answer_code(code);
}

static const struct {
    const char *name;
    json_t *(*answer)(struct keeper *keeper, const json_t *question);
    bool while_locked;
} operations[] = {
    {"read", keeper_read, false},         {"put", keeper_put, false},
    {"search", keeper_search, false},     {"export", keeper_export, false},
    {"restrict", keeper_restrict, false}, {"consents", keeper_consents, false},
    {"erase", keeper_erase, false},       {"erasures", keeper_erasures, false},
    {"erased", keeper_erased, false},     {"names", keeper_names, false},
    {"unseal", keeper_unseal, false},     {"pseudonyms", keeper_pseudonyms, false},
    {"subjects", keeper_subjects, false}, {"audit", keeper_audit, false},
    {"verify", keeper_verify, false},     {"status", keeper_status, true},
    {"rotate", keeper_rotate, false},     {"backup", keeper_backup, false},
    {"hello", say_hello, true},           {"unlock", unlock, true},
};

json_t *keeper_answer(struct keeper *keeper, json_t *question)
{
    const char *operation = json_string_value(json_object_get(question, "do"));
    for (size_t i = 0; operation && i < sizeof operations / sizeof *operations; i++)
        if (strcmp(operations[i].name, operation) == 0)
            return operations[i].while_locked || !keys_are_locked(keeper->keys)
                       ? operations[i].answer(keeper, question)
                       : server_error("locked", NULL, "the vault is locked: `almanac vault unlock` opens it");
    return server_error("invalid", "do", "no such operation");
}

int keeper_create(const struct keeper_opts *opts, const char *passphrase, struct err_text *error)
{
    int code = records_create(opts->folder, error);
    if (code == 0)
        code = audit_create(opts->folder, error);
    return code == 0 ? keys_create(opts->folder, opts->key, passphrase, error) : code;
}
