/* How keys end: epochs, erasing, and the secrets of pseudonyms. */
#include <config.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/hash.h"
#include "vault/keys_inside.h"
#include "vault/step.h"

/* ---- epochs ---- */

struct kind {
    int old, new; /* enum keys_sql */
    const char *what;
    bool in_order; /* the statement takes :after */
};
static const struct kind kinds[] = {{SQL_OLD_OWN, SQL_NEW_OWN, "own", false},
                                    {SQL_OLD_SUBJECT, SQL_NEW_SUBJECT, "subject", true},
                                    {SQL_OLD_PSEUDONYM, SQL_NEW_PSEUDONYM, "pseudonym", true}};

static int census(struct keys *keys, int64_t *ret_n)
{
    sqlite3_stmt *stmt = db_stmt(keys->db, SQL_CENSUS);
    db_bind_i64(stmt, ":epoch", keys->epoch);
    int code = db_step(keys->db, stmt);
    if (code != 1)
        return code == 0 ? ERR_CORRUPT : code;
    *ret_n = sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    return 0;
}

/* A row that another epoch wraps: its name and key, which is in room->older's epoch. 1, 0 at the end, or a code. */
static int next_old(struct keys *keys, const struct kind *kind, const void *after, int64_t after_id, int64_t *older,
                    char ret_name[static 64], size_t *ret_size, uint8_t ret_key[static CRYPT_KEY_BYTES])
{
    sqlite3_stmt *stmt = db_stmt(keys->db, kind->old);
    db_bind_i64(stmt, ":epoch", keys->epoch);
    if (kind->old == SQL_OLD_SUBJECT)
        db_bind_i64(stmt, ":after", after_id);
    else if (kind->in_order)
        db_bind_blob(stmt, ":after", after, CRYPT_NAME_BYTES);
    int code = db_step(keys->db, stmt);
    if (code != 1)
        return code;
    int64_t epoch = sqlite3_column_int64(stmt, 1);
    size_t size = (size_t)sqlite3_column_bytes(stmt, 0);
    code = size < 64 && sqlite3_column_bytes(stmt, 2) == CRYPT_WRAPPED_BYTES ? 0 : ERR_CORRUPT;
    if (code == 0 && *older != epoch) {
        code = epoch_read(keys->folder, epoch, keys->room->unlocking, keys->room->older);
        *older = epoch;
    }
    if (code == 0) {
        memcpy(ret_name, sqlite3_column_blob(stmt, 0), size);
        *ret_size = size;
        code =
            crypt_unwrap(keys->room->older, sqlite3_column_blob(stmt, 2), kind->what, ret_name, size, epoch, ret_key);
    }
    sqlite3_reset(stmt);
    return code == 0 ? 1 : code;
}

static int rewrap_kind(struct keys *keys, const struct kind *kind, int64_t *older, int64_t *n)
{
    char name[64], after[CRYPT_NAME_BYTES] = {0};
    uint8_t key[CRYPT_KEY_BYTES], wrapped[CRYPT_WRAPPED_BYTES];
    size_t size = 0;
    int64_t id = 0;
    int code;
    while ((code = next_old(keys, kind, after, id, older, name, &size, key)) == 1) {
        sqlite3_stmt *stmt = db_stmt(keys->db, kind->new);
        crypt_wrap(keys->room->epoch, key, kind->what, name, size, keys->epoch, wrapped);
        db_bind_i64(stmt, ":epoch", keys->epoch);
        db_bind_blob(stmt, ":wrapped", wrapped, sizeof wrapped);
        if (kind->old == SQL_OLD_OWN)
            db_bind_text_n(stmt, ":name", name, size);
        else
            db_bind_blob(stmt, ":name", name, size);
        if (kind->old == SQL_OLD_SUBJECT) {
            code = db_step(keys->db, stmt);
            id = code == 1 ? sqlite3_column_int64(stmt, 0) : 0;
            sqlite3_reset(stmt);
            code = code == 1 ? 0 : code == 0 ? ERR_CORRUPT : code;
        } else {
            code = db_run(keys->db, stmt);
        }
        if (code != 0)
            break;
        if (kind->in_order && size == CRYPT_NAME_BYTES)
            memcpy(after, name, CRYPT_NAME_BYTES);
        ++*n;
    }
    sodium_memzero(key, sizeof key);
    return code;
}

int keys_rewrap(struct keys *keys, int64_t *ret_rewrapped)
{
    int64_t n = 0, older = 0;
    int code = census(keys, &n);
    if (code != 0 || n == 0) {
        if (code == 0)
            *ret_rewrapped = 0;
        return code;
    }
    n = 0;
    code = db_begin(keys->db);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && code == 0; i++)
        code = rewrap_kind(keys, &kinds[i], &older, &n);
    sodium_memzero(keys->room->older, CRYPT_KEY_BYTES);
    step("keys rewrapped, not committed");
    code = code == 0 ? db_commit(keys->db) : code;
    if (code != 0)
        db_rollback(keys->db);
    else
        *ret_rewrapped = n;
    return code;
}

/* An epoch's key dies only when nothing needs it. */
int keys_destroy_older(struct keys *keys)
{
    int64_t n, first = 0, last;
    int code = census(keys, &n);
    if (code == 0 && n > 0)
        code = ERR_BUSY;
    if (code == 0)
        code = epoch_range(keys->folder, &first, &last);
    for (int64_t epoch = first; code == 0 && epoch < keys->epoch; epoch++)
        code = epoch_destroy(keys->folder, epoch);
    return code;
}

/* Everything is of the next epoch, or nothing and the epoch is the one before. */
static int enter_epoch(struct keys *keys, int64_t next, int64_t *ret_rewrapped)
{
    struct keys_room *room = keys->room;
    int64_t before = keys->epoch;
    memcpy(room->before, room->epoch, CRYPT_KEY_BYTES);
    memcpy(room->epoch, room->next, CRYPT_KEY_BYTES);
    keys->epoch = next;
    int code = keys_rewrap(keys, ret_rewrapped);
    if (code != 0) {
        memcpy(room->epoch, room->before, CRYPT_KEY_BYTES);
        keys->epoch = before;
    }
    sodium_memzero(room->before, CRYPT_KEY_BYTES);
    sodium_memzero(room->next, CRYPT_KEY_BYTES);
    return code;
}

int keys_rotate(struct keys *keys, int64_t *ret_rewrapped, struct err_text *error)
{
    int64_t first, last;
    randombytes_buf(keys->room->next, CRYPT_KEY_BYTES);
    step("before the next epoch");
    int code = epoch_range(keys->folder, &first, &last); /* behind one that could not be entered */
    if (code == 0)
        code = epoch_write(keys->folder, last + 1, &keys->lock, keys->room->unlocking, keys->room->next);
    step("next epoch there");
    if (code == 0)
        code = enter_epoch(keys, last + 1, ret_rewrapped);
    step("keys rewrapped");
    if (code == 0)
        code = keys_destroy_older(keys);
    step("old epoch destroyed");
    return code == 0 ? 0
                     : err_set(error, code, "the next epoch of the vault's keys cannot be made: %s", err_name(code));
}

/* ---- erasing ---- */

static int take_tomb(struct keys *keys, sqlite3_stmt *stmt, struct keys_tomb *ret_tomb)
{
    int code = db_step(keys->db, stmt);
    if (code != 1)
        return code;
    if (sqlite3_column_bytes(stmt, 0) == CRYPT_NAME_BYTES)
        memcpy(ret_tomb->name, sqlite3_column_blob(stmt, 0), CRYPT_NAME_BYTES);
    ret_tomb->erased_us = sqlite3_column_int64(stmt, 1);
    ret_tomb->done = sqlite3_column_int64(stmt, 2) != 0;
    sqlite3_reset(stmt);
    return 1;
}

int keys_tomb(struct keys *keys, const uint8_t name[static CRYPT_NAME_BYTES], struct keys_tomb *ret_tomb)
{
    sqlite3_stmt *stmt = db_stmt(keys->db, SQL_TOMB);
    db_bind_blob(stmt, ":name", name, CRYPT_NAME_BYTES);
    return take_tomb(keys, stmt, ret_tomb);
}

int keys_undone(struct keys *keys, struct keys_tomb *ret_tomb)
{
    return take_tomb(keys, db_stmt(keys->db, SQL_UNDONE), ret_tomb);
}

static int run_named(struct keys *keys, enum keys_sql sql, const char *parameter,
                     const uint8_t name[static CRYPT_NAME_BYTES])
{
    sqlite3_stmt *stmt = db_stmt(keys->db, (int)sql);
    db_bind_blob(stmt, parameter, name, CRYPT_NAME_BYTES);
    return db_run(keys->db, stmt);
}

int keys_done(struct keys *keys, const uint8_t name[static CRYPT_NAME_BYTES])
{
    return run_named(keys, SQL_DONE, ":name", name);
}

static void name_alias(const struct keys *keys, const char *text, uint8_t ret_name[static CRYPT_NAME_BYTES])
{
    crypt_name(keys->room->own[KEYS_PSEUDONYM], "alias", text, strlen(text), ret_name);
}

/* An entity is a pseudonym, or ends in one. */
static int unlink_entity(struct keys *keys, const char *entity)
{
    uint8_t alias[CRYPT_NAME_BYTES];
    size_t size = strlen(entity);
    if (size < KEYS_PSEUDONYM_CHARACTERS)
        return 0;
    name_alias(keys, entity + size - KEYS_PSEUDONYM_CHARACTERS, alias);
    int code = run_named(keys, SQL_UNLINK, ":alias", alias);
    return code == 0 ? run_named(keys, SQL_UNALIAS, ":alias", alias) : code;
}

int keys_erase(struct keys *keys, const struct keys_erasing *erasing)
{
    int code = db_begin(keys->db);
    if (code == 0)
        code = run_named(keys, SQL_DROP, ":name", erasing->name);
    for (size_t i = 0; i < erasing->n_entities && code == 0; i++)
        code = unlink_entity(keys, erasing->entities[i]);
    if (code == 0) {
        sqlite3_stmt *stmt = db_stmt(keys->db, SQL_TOMB_ADD);
        db_bind_blob(stmt, ":name", erasing->name, CRYPT_NAME_BYTES);
        db_bind_i64(stmt, ":erased_us", erasing->erased_us);
        db_bind_text(stmt, ":ground", erasing->ground);
        code = db_run(keys->db, stmt);
    }
    if (code == 0) {
        sqlite3_stmt *stmt = db_stmt(keys->db, SQL_PEND_ADD);
        db_bind_blob(stmt, ":name", erasing->name, CRYPT_NAME_BYTES);
        db_bind_i64(stmt, ":series", erasing->deletes_series);
        db_bind_i64(stmt, ":erased_us", erasing->erased_us);
        db_bind_blob(stmt, ":sealed", erasing->pending, erasing->pending_size);
        code = db_run(keys->db, stmt);
    }
    step("key deleted, not committed");
    code = code == 0 ? db_commit(keys->db) : code;
    keys_forget_pseudonyms(keys);
    if (code != 0)
        db_rollback(keys->db);
    return code;
}

int keys_pending_next(struct keys *keys, int64_t after, struct keys_pending *ret_pending)
{
    sqlite3_stmt *stmt = db_stmt(keys->db, SQL_PENDING);
    db_bind_i64(stmt, ":after", after);
    int code = db_step(keys->db, stmt);
    if (code != 1)
        return code;
    ret_pending->id = sqlite3_column_int64(stmt, 0);
    ret_pending->erased_us = sqlite3_column_int64(stmt, 1);
    ret_pending->deletes_series = sqlite3_column_int64(stmt, 2) != 0;
    if (sqlite3_column_bytes(stmt, 3) == CRYPT_NAME_BYTES)
        memcpy(ret_pending->name, sqlite3_column_blob(stmt, 3), CRYPT_NAME_BYTES);
    ret_pending->sealed = sqlite3_column_blob(stmt, 4);
    ret_pending->size = (size_t)sqlite3_column_bytes(stmt, 4);
    return 1;
}

int keys_confirm(struct keys *keys, int64_t id)
{
    sqlite3_stmt *stmt = db_stmt(keys->db, SQL_CONFIRM);
    db_bind_i64(stmt, ":id", id);
    int code = db_step(keys->db, stmt);
    sqlite3_reset(stmt);
    return code == 1 ? 0 : code == 0 ? ERR_NOTFOUND : code;
}

/* ---- pseudonyms ---- */

static int find_secret(struct keys *keys, const uint8_t name[static CRYPT_NAME_BYTES],
                       uint8_t ret_secret[static CRYPT_KEY_BYTES])
{
    sqlite3_stmt *stmt = db_stmt(keys->db, SQL_IDENTITY);
    db_bind_blob(stmt, ":name", name, CRYPT_NAME_BYTES);
    int code = db_step(keys->db, stmt);
    if (code != 1)
        return code == 0 ? ERR_NOTFOUND : code;
    int64_t epoch = sqlite3_column_int64(stmt, 0);
    bool whole = sqlite3_column_bytes(stmt, 1) == CRYPT_WRAPPED_BYTES;
    code = epoch == 0 ? 0
           : whole ? crypt_unwrap(keys->room->epoch, sqlite3_column_blob(stmt, 1), "pseudonym", name, CRYPT_NAME_BYTES,
                                  epoch, ret_secret)
                   : ERR_CORRUPT;
    sqlite3_reset(stmt);
    return code == 0 && epoch != 0 ? 1 : code;
}

static int add_secret(struct keys *keys, const uint8_t name[static CRYPT_NAME_BYTES],
                      uint8_t ret_secret[static CRYPT_KEY_BYTES])
{
    uint8_t wrapped[CRYPT_WRAPPED_BYTES];
    sqlite3_stmt *stmt = db_stmt(keys->db, SQL_IDENTITY_ADD);
    randombytes_buf(ret_secret, CRYPT_KEY_BYTES);
    crypt_wrap(keys->room->epoch, ret_secret, "pseudonym", name, CRYPT_NAME_BYTES, keys->epoch, wrapped);
    db_bind_blob(stmt, ":name", name, CRYPT_NAME_BYTES);
    db_bind_i64(stmt, ":epoch", keys->epoch);
    db_bind_blob(stmt, ":wrapped", wrapped, sizeof wrapped);
    int code = db_run(keys->db, stmt);
    return code == 0 ? 1 : code;
}

/* Where it is, or would be, kept. */
static struct keys_known *known_place(struct keys *keys, const uint8_t name[static CRYPT_NAME_BYTES])
{
    uint32_t i;
    memcpy(&i, name, sizeof i);
    return &keys->known[i % KEYS_KNOWN];
}

static int make_pseudonym(struct keys *keys, const char *domain, const char *identity,
                          char ret_text[static KEYS_PSEUDONYM_MAX])
{
    uint8_t name[CRYPT_NAME_BYTES], secret[CRYPT_KEY_BYTES], pseudonym[CRYPT_NAME_BYTES], alias[CRYPT_NAME_BYTES];
    crypt_name(keys->room->own[KEYS_PSEUDONYM], "identity", identity, strlen(identity), name);
    int code = find_secret(keys, name, secret);
    if (code == ERR_NOTFOUND)
        code = add_secret(keys, name, secret);
    if (code != 1)
        return code;
    crypt_name(secret, "pseudonym", domain, strlen(domain), pseudonym);
    sodium_memzero(secret, sizeof secret);
    hash_base64url(pseudonym, sizeof pseudonym, ret_text);
    name_alias(keys, ret_text, alias);
    sqlite3_stmt *stmt = db_stmt(keys->db, SQL_ALIAS_ADD);
    db_bind_blob(stmt, ":alias", alias, sizeof alias);
    db_bind_blob(stmt, ":name", name, sizeof name);
    code = db_run(keys->db, stmt);
    return code == 0 ? 1 : code;
}

int keys_pseudonym(struct keys *keys, const char *domain, const char *identity,
                   char ret_text[static KEYS_PSEUDONYM_MAX])
{
    uint8_t name[CRYPT_NAME_BYTES], key[CRYPT_KEY_BYTES] = {0};
    crypt_name(keys->room->own[KEYS_PSEUDONYM], "domain", domain, strlen(domain), key);
    crypt_name(key, "known", identity, strlen(identity), name);
    if (!keys->known && !(keys->known = calloc(KEYS_KNOWN, sizeof *keys->known)))
        return ERR_NOMEM;
    struct keys_known *known = known_place(keys, name);
    if (memcmp(known->name, name, sizeof name) == 0) {
        memcpy(ret_text, known->text, sizeof known->text);
        return 1;
    }
    int code = make_pseudonym(keys, domain, identity, ret_text);
    if (code == 1) {
        memcpy(known->name, name, sizeof name);
        memcpy(known->text, ret_text, sizeof known->text);
    }
    return code;
}

void keys_forget_pseudonyms(struct keys *keys)
{
    if (keys->known)
        sodium_memzero(keys->known, KEYS_KNOWN * sizeof *keys->known);
}
