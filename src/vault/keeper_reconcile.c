/* After an older copy of keys.db was put back: what it cannot know the chain and vault.db do (docs/VAULT.md, "When files are
 * lost"). */
#include <config.h>

#include <sodium.h>
#include <string.h>

#include "vault/keeper_inside.h"

/* Revisions go on behind all that can have been written since the copy. */
#define LEAP (INT64_C(1) << 32)

/* Of a subject: consents that were written since are the newest, whatever older vault.db may come later. Gives 0: it stays. */
static int catch_up(void *arg, const uint8_t *name)
{
    struct asked asked = {.keeper = arg};
    memcpy(asked.name, name, CRYPT_NAME_BYTES);
    int code = asked_load_named(&asked);
    if (code == 0 && asked.has_subject) {
        if (asked.consents > asked.key.consents)
            asked.key.consents = asked.consents;
        asked.key.revision += LEAP;
        code = keys_update(asked.keeper->keys, name, &asked.key);
    }
    asked_end(&asked);
    return code;
}

static int restrict_again(struct keeper *keeper, const uint8_t name[static CRYPT_NAME_BYTES], bool restricted)
{
    struct keys_subject key;
    int code = keys_find(keeper->keys, name, &key);
    if (code == 1) {
        key.restricted = restricted;
        code = keys_update(keeper->keys, name, &key);
    }
    sodium_memzero(&key, sizeof key);
    return code;
}

static int erase_again(struct keeper *keeper, const uint8_t name[static CRYPT_NAME_BYTES], const char *series)
{
    struct keys_tomb tomb;
    int code = keys_tomb(keeper->keys, name, &tomb);
    return code == 0 ? keeper_erase_named(keeper, name, series) : code == 1 ? 0 : code;
}

/* What an entry says was done, done again. */
static int follow(struct keeper *keeper, const struct audit_entry *entry)
{
    uint8_t name[CRYPT_NAME_BYTES];
    if (!entry->subject || strcmp(entry->result, "done") != 0)
        return 0;
    memcpy(name, entry->subject, sizeof name); /* erasing writes entries, and the row is let go */
    if (strcmp(entry->action, "restrict") == 0)
        return restrict_again(keeper, name, strcmp(entry->detail, "on") == 0);
    return strcmp(entry->action, "erase-begin") == 0
               ? erase_again(keeper, name, strcmp(entry->detail, "keep") == 0 ? "keep" : "delete")
               : 0;
}

static int follow_chain(struct keeper *keeper)
{
    struct audit_range range = {.to_us = INT64_MAX};
    struct audit_entry entry;
    int code;
    while ((code = audit_next(keeper->audit, &range, &entry)) == 1) {
        range.after = entry.seq;
        code = follow(keeper, &entry);
        if (code != 0)
            break;
    }
    return code;
}

/* One transaction of keys.db, else each subject would be synced. */
static int catch_up_all(struct keeper *keeper)
{
    int64_t n;
    int code = db_begin(keys_db(keeper->keys));
    if (code == 0)
        code = records_sweep(keeper->records, catch_up, keeper, &n);
    code = code == 0 ? db_commit(keys_db(keeper->keys)) : code;
    if (code != 0)
        db_rollback(keys_db(keeper->keys));
    return code;
}

json_t *keeper_reconcile(struct keeper *keeper, const json_t *question)
{
    int code = keeper_note(keeper, question, "restore-keys");
    if (code == 0)
        code = catch_up_all(keeper);
    if (code == 0)
        code = follow_chain(keeper);
    return code == 0 ? json_pack("{s:b, s:I}", "ok", 1, "lost", (json_int_t)keeper->n_swept) : answer_code(code);
}
