/* Sealed messages, pseudonyms, and what the vault tells of itself. */
#include <config.h>

#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/civil.h"
#include "common/files.h"
#include "vault/keeper_inside.h"

#define PSEUDONYMS_MAX 65536

/* ---- sealed messages ---- */

json_t *unseal_member(struct keeper *keeper, const json_t *question, struct buf *ret_plain)
{
    const char *text = json_string_value(json_object_get(question, "sealed"));
    const uint8_t *secret = keys_own(keeper->keys, KEYS_BOX);
    uint8_t public_key[crypto_box_PUBLICKEYBYTES];
    struct buf sealed = {0};
    size_t size = text ? strlen(text) : 0, n = 0;
    uint8_t *at = buf_reserve(&sealed, size + 1), *to = buf_reserve(ret_plain, size + 1);
    bool good = text && at && to &&
                sodium_base642bin(at, size + 1, text, size, NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL) == 0 &&
                n >= crypto_box_SEALBYTES;
    crypto_scalarmult_base(public_key, secret);
    good = good && crypto_box_seal_open(to, at, n, public_key, secret) == 0;
    buf_free(&sealed);
    if (!good) {
        crypt_buf_drop(ret_plain);
        return server_error("invalid", "sealed", "sealed: no base64 of what was sealed to this vault's public key");
    }
    ret_plain->n = n - crypto_box_SEALBYTES;
    return NULL;
}

json_t *keeper_unseal(struct keeper *keeper, const json_t *question)
{
    const char *actor = json_string_value(json_object_get(question, "actor"));
    const char *action = json_string_value(json_object_get(question, "action"));
    struct buf plain = {0}, text = {0};
    if (!actor || !actor[0] || !action || !action[0])
        return server_error("invalid", actor && actor[0] ? "action" : "actor", "actor and action: texts");
    json_t *answer = unseal_member(keeper, question, &plain);
    if (answer)
        return answer;
    struct audit_entry entry = {.actor = actor, .action = action, .purpose = "", .result = "done", .detail = ""};
    int code = audit_add(keeper->audit, &entry);
    size_t max = sodium_base64_encoded_len(plain.n, sodium_base64_VARIANT_ORIGINAL);
    char *to = (char *)buf_reserve(&text, max);
    if (code == 0 && to)
        answer = json_pack("{s:b, s:s}", "ok", 1, "payload",
                           sodium_bin2base64(to, max, plain.data, plain.n, sodium_base64_VARIANT_ORIGINAL));
    crypt_buf_drop(&plain);
    crypt_buf_drop(&text);
    return code == 0 ? answer : answer_code(ERR_IO);
}

/* ---- pseudonyms ---- */

json_t *keeper_pseudonyms(struct keeper *keeper, const json_t *question)
{
    const char *domain = json_string_value(json_object_get(question, "domain"));
    json_t *text, *texts = json_object_get(question, "texts"), *list;
    size_t i;
    if (!domain)
        return server_error("invalid", "domain", "domain: a text");
    if (!json_is_array(texts) || json_array_size(texts) > PSEUDONYMS_MAX)
        return server_error("invalid", "texts", "texts: a list of at most %d texts", PSEUDONYMS_MAX);
    list = json_array();
    int code = list ? db_begin(keys_db(keeper->keys)) : ERR_NOMEM;
    json_array_foreach(texts, i, text)
    {
        char pseudonym[KEYS_PSEUDONYM_MAX];
        int rc = json_is_string(text) ? keys_pseudonym(keeper->keys, domain, json_string_value(text), pseudonym)
                                      : ERR_INVALID;
        if (code == 0 && rc < 0)
            code = rc;
        if (code != 0)
            break;
        if (json_array_append_new(list, rc == 1 ? json_string(pseudonym) : json_null()) != 0)
            code = ERR_NOMEM;
    }
    code = code == 0 ? db_commit(keys_db(keeper->keys)) : code;
    if (code == 0)
        return json_pack("{s:b, s:o}", "ok", 1, "pseudonyms", list);
    db_rollback(keys_db(keeper->keys));
    keys_forget_pseudonyms(keeper->keys);
    json_decref(list);
    return answer_code(code);
}

/* ---- of itself ---- */

json_t *keeper_verify(struct keeper *keeper, const json_t *question)
{
    struct audit_verdict verdict;
    struct err_text error;
    (void)question;
    int code = audit_sign(keeper->audit, keys_own(keeper->keys, KEYS_AUDIT));
    if (code == 0)
        code = audit_verify(keeper->folder, &verdict, &error);
    if (code != 0)
        return answer_code(code);
    return json_pack("{s:b, s:I, s:I, s:o}", "ok", 1, "entries", (json_int_t)verdict.entries, "heads",
                     (json_int_t)verdict.heads, "broken",
                     verdict.broken[0] ? json_string(verdict.broken) : json_null());
}

json_t *keeper_status(struct keeper *keeper, const json_t *question)
{
    struct keys_counts counts;
    (void)question;
    if (keys_are_locked(keeper->keys))
        return json_pack("{s:b, s:b}", "ok", 1, "locked", 1);
    int code = keys_count(keeper->keys, &counts);
    if (code != 0)
        return answer_code(code);
    return json_pack("{s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I}", "ok", 1, "locked", 0, "epoch",
                     (json_int_t)keys_epoch(keeper->keys), "subjects", (json_int_t)counts.subjects, "restricted",
                     (json_int_t)counts.restricted, "erased", (json_int_t)counts.tombstones, "pending",
                     (json_int_t)counts.pending, "pseudonyms", (json_int_t)counts.pseudonyms);
}

int keeper_note(struct keeper *keeper, const json_t *question, const char *action)
{
    const char *actor = json_string_value(json_object_get(question, "actor"));
    struct audit_entry entry = {
        .actor = actor ? actor : "", .action = action, .purpose = "", .result = "done", .detail = ""};
    return actor && actor[0] ? audit_add(keeper->audit, &entry) : ERR_INVALID;
}

static json_t *tell_rotated(const struct keeper *keeper, int code, int64_t n)
{
    if (code != 0)
        return answer_code(code);
    return json_pack("{s:b, s:I, s:I}", "ok", 1, "epoch", (json_int_t)keys_epoch(keeper->keys), "rewrapped",
                     (json_int_t)n);
}

json_t *keeper_rotate(struct keeper *keeper, const json_t *question)
{
    struct err_text error;
    int64_t n = 0;
    int code = keeper_note(keeper, question, "rotate");
    if (code == 0)
        code = keys_rotate(keeper->keys, &n, &error);
    return tell_rotated(keeper, code, n);
}

json_t *keeper_rewrap(struct keeper *keeper, const json_t *question)
{
    const char *passphrase = json_string_value(json_object_get(question, "passphrase")),
               *hex = json_string_value(json_object_get(question, "key"));
    struct err_text error;
    uint8_t key[CRYPT_KEY_BYTES];
    size_t size = 0;
    int64_t n = 0;
    if (!passphrase == !hex || (passphrase && !passphrase[0]))
        return server_error("invalid", "passphrase", "either passphrase: a text, or key: 32 bytes in hexadecimal");
    if (hex && (sodium_hex2bin(key, sizeof key, hex, strlen(hex), NULL, &size, NULL) != 0 || size != sizeof key))
        return server_error("invalid", "key", "key: 32 bytes in hexadecimal");
    int code = keeper_note(keeper, question, "rewrap");
    if (code == 0)
        code = keys_relock(keeper->keys, passphrase, hex ? key : NULL, &n, &error);
    sodium_memzero(key, sizeof key);
    return tell_rotated(keeper, code, n);
}

/* ---- copies ---- */

static int copy_file(const char *folder, const char *name, const char *into)
{
    char from[PATH_MAX], to[PATH_MAX];
    snprintf(from, sizeof from, "%s/%s", folder, name);
    snprintf(to, sizeof to, "%s/%s", into, name);
    int code = files_copy(from, to, NULL, NULL);
    return code == ERR_NOTFOUND ? 0 : code; /* no head has been signed yet */
}

static int copy_data(struct keeper *keeper, const char *into, json_t *files, struct err_text *error)
{
    char to[PATH_MAX];
    snprintf(to, sizeof to, "%s/vault.db", into);
    int code = records_copy(keeper->records, to, error);
    snprintf(to, sizeof to, "%s/audit.db", into);
    if (code == 0)
        code = audit_copy(keeper->audit, to, error);
    static const char *const names[] = {"audit.heads", "audit.pub", "public.key"};
    for (size_t i = 0; i < sizeof names / sizeof *names && code == 0; i++)
        code = copy_file(keeper->folder, names[i], into);
    if (code == 0 && (json_array_append_new(files, json_string("vault.db")) |
                      json_array_append_new(files, json_string("audit.db"))) != 0)
        code = ERR_NOMEM;
    for (size_t i = 0; i < sizeof names / sizeof *names && code == 0; i++)
        if (json_array_append_new(files, json_string(names[i])) != 0)
            code = ERR_NOMEM;
    return code;
}

json_t *keeper_backup(struct keeper *keeper, const json_t *question)
{
    char into[PATH_MAX - 64], to[PATH_MAX], time[CIVIL_TEXT_MAX];
    bool keys = json_is_true(json_object_get(question, "keys"));
    struct err_text error = {0};
    struct keys_counts counts = {0};
    json_t *files = json_array();
    if (snprintf(into, sizeof into, "%s/backup", keeper->folder) >= (int)sizeof into)
        return answer_code(ERR_INVALID);
    int code = keeper_note(keeper, question, keys ? "backup-keys" : "backup");
    if (code == 0)
        code = audit_sign(keeper->audit, keys_own(keeper->keys, KEYS_AUDIT));
    files_remove_tree(into); /* what an earlier one left */
    if (code == 0 && mkdir(into, 0700) != 0)
        code = ERR_IO;
    if (code == 0 && keys) {
        snprintf(to, sizeof to, "%s/keys.db", into);
        code = keys_copy(keeper->keys, to, &error);
        if (code == 0)
            code = json_array_append_new(files, json_string("keys.db")) == 0 ? 0 : ERR_NOMEM;
    } else if (code == 0) {
        code = copy_data(keeper, into, files, &error);
    }
    if (code == 0)
        code = keys_count(keeper->keys, &counts);
    if (code != 0) {
        files_remove_tree(into);
        json_decref(files);
        return answer_code(code);
    }
    size_t n = civil_print_rfc3339(time, counts.newest_erased_us, 0, true);
    return json_pack("{s:b, s:o, s:s, s:I, s:s%}", "ok", 1, "files", files, "folder", into, "epoch",
                     (json_int_t)keys_epoch(keeper->keys), "newest_erase", time, n);
}
