#include <config.h>

#include "vault/keys.h"

#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sql/vault_keys.sql.h"
#include "vault/folder.h"
#include "vault/keys_inside.h"
#include "vault/step.h"

static const struct db_format keys_format = {"file of keys", 0x414c4d6b /* "ALMk" */, 1, false};

static const char *const own_names[KEYS_OWN_N] = {"index", "tomb", "pseudonym", "audit", "box"};

static const char *const statements[SQL_N] = {
    [SQL_OWN_GET] = "SELECT epoch, wrapped FROM own WHERE name = :name",
    [SQL_OWN_ADD] = "INSERT INTO own (name, epoch, wrapped) VALUES (:name, :epoch, :wrapped)",
    [SQL_FIND] = "SELECT id, revision, consents, restricted, epoch, wrapped FROM subject WHERE subject = :name",
    [SQL_ADD] = "INSERT INTO subject (subject, revision, consents, restricted, epoch, wrapped) VALUES (:name, 0, 0, 0, "
                ":epoch, :wrapped)",
    [SQL_UPDATE] =
        "UPDATE subject SET revision = :revision, consents = :consents, restricted = :restricted WHERE subject = :name",
    [SQL_TOMB] = "SELECT subject, erased_us, done FROM tombstone WHERE subject = :name",
    [SQL_UNDONE] = "SELECT subject, erased_us, done FROM tombstone WHERE done = 0 LIMIT 1",
    [SQL_DONE] = "UPDATE tombstone SET done = 1 WHERE subject = :name",
    [SQL_DROP] = "DELETE FROM subject WHERE subject = :name",
    [SQL_TOMB_ADD] = "INSERT INTO tombstone (subject, erased_us, ground, done) VALUES (:name, :erased_us, :ground, 0)",
    [SQL_PEND_ADD] = "INSERT INTO pending (subject, series, erased_us, sealed, confirmed) VALUES (:name, :series, "
                     ":erased_us, :sealed, 0)",
    [SQL_IDENTITY] = "SELECT epoch, wrapped FROM pseudonym WHERE identity = :name",
    [SQL_IDENTITY_ADD] = "INSERT INTO pseudonym (identity, epoch, wrapped) VALUES (:name, :epoch, :wrapped)",
    [SQL_ALIAS_ADD] = "INSERT OR IGNORE INTO alias (pseudonym, identity) VALUES (:alias, :name)",
    [SQL_UNLINK] = "UPDATE pseudonym SET epoch = 0, wrapped = x'' WHERE identity IN (SELECT identity FROM alias WHERE "
                   "pseudonym = :alias)",
    [SQL_UNALIAS] = "DELETE FROM alias WHERE identity IN (SELECT identity FROM alias WHERE pseudonym = :alias)",
    [SQL_OLD_OWN] = "SELECT name, epoch, wrapped FROM own WHERE epoch <> :epoch LIMIT 1",
    [SQL_OLD_SUBJECT] =
        "SELECT subject, epoch, wrapped FROM subject WHERE epoch <> :epoch AND id > :after ORDER BY id LIMIT 1",
    [SQL_OLD_PSEUDONYM] = "SELECT identity, epoch, wrapped FROM pseudonym WHERE identity > :after AND epoch NOT IN (0, "
                          ":epoch) ORDER BY identity LIMIT 1",
    [SQL_NEW_OWN] = "UPDATE own SET epoch = :epoch, wrapped = :wrapped WHERE name = :name",
    [SQL_NEW_SUBJECT] = "UPDATE subject SET epoch = :epoch, wrapped = :wrapped WHERE subject = :name RETURNING id",
    [SQL_NEW_PSEUDONYM] = "UPDATE pseudonym SET epoch = :epoch, wrapped = :wrapped WHERE identity = :name",
    [SQL_PENDING] = "SELECT id, erased_us, series, subject, sealed FROM pending WHERE confirmed = 0 AND id > :after "
                    "ORDER BY id LIMIT 1",
    [SQL_CONFIRM] = "UPDATE pending SET confirmed = 1, sealed = x'' WHERE id = :id RETURNING 1",
    [SQL_COUNTS] =
        "SELECT (SELECT count(*) FROM subject), (SELECT count(*) FROM subject WHERE restricted), (SELECT count(*) FROM "
        "tombstone),"
        " (SELECT count(*) FROM pending WHERE confirmed = 0), (SELECT count(*) FROM pseudonym WHERE epoch <> 0),"
        " (SELECT coalesce(max(erased_us), 0) FROM tombstone)",
    [SQL_CENSUS] =
        "SELECT (SELECT count(*) FROM own WHERE epoch <> :epoch) + (SELECT count(*) FROM subject WHERE epoch <> :epoch)"
        " + (SELECT count(*) FROM pseudonym WHERE epoch NOT IN (0, :epoch))",
};

/* ---- opening ---- */

static const struct db_opts keys_file = {.path = "keys.db",
                                    .format = &keys_format,
                                    .schema = sql_vault_keys,
                                    .sql = statements,
                                    .n_sql = SQL_N,
                                    .rollback_journal = true};

static int open_file(const char *folder, struct db **ret_db, struct err_text *error)
{
    int code = folder_open(folder, &keys_file, DB_WRITE, ret_db, error);
    if (code == 0 && ((code = db_exec(*ret_db, "PRAGMA secure_delete=ON")) != 0 || (code = db_hold(*ret_db)) != 0)) {
        db_error(*ret_db, error, code, "open");
        db_close(*ret_db);
        *ret_db = NULL;
    }
    return code;
}

static int fail_open(struct err_text *error, int code, const char *what, const char *folder)
{
    return err_set(error, code, "%s of the vault \"%s\" cannot be used: %s", what, folder,
                   code == ERR_DENIED ? "the unlocking key does not fit (vault.key names it)" : err_name(code));
}

static int read_own(struct keys *keys)
{
    for (int i = 0; i < KEYS_OWN_N; i++) {
        sqlite3_stmt *stmt = db_stmt(keys->db, SQL_OWN_GET);
        db_bind_text(stmt, ":name", own_names[i]);
        int code = db_step(keys->db, stmt);
        if (code != 1)
            return code == 0 ? ERR_CORRUPT : code;
        if (sqlite3_column_bytes(stmt, 1) != CRYPT_WRAPPED_BYTES || sqlite3_column_int64(stmt, 0) != keys->epoch)
            code = ERR_CORRUPT;
        else
            code = crypt_unwrap(keys->room->epoch, sqlite3_column_blob(stmt, 1), "own", own_names[i],
                                strlen(own_names[i]), keys->epoch, keys->room->own[i]);
        sqlite3_reset(stmt);
        if (code != 0)
            return code;
    }
    return 0;
}

/* The unlocking key is in its place. */
static int unlock(struct keys *keys, struct err_text *error)
{
    int64_t ignored;
    int code = epoch_read(keys->folder, keys->epoch, keys->room->unlocking, keys->room->epoch);
    if (code != 0)
        return fail_open(error, code, "the key of the epoch", keys->folder);
    code = keys_rewrap(keys, &ignored);
    if (code == 0)
        code = keys_destroy_older(keys);
    if (code == 0)
        code = read_own(keys);
    if (code != 0)
        return fail_open(error, code, "the keys", keys->folder);
    keys->locked = false;
    return 0;
}

static int start(struct keys *keys, const char *spec, struct err_text *error)
{
    int64_t first;
    void *room;
    int code = crypt_memory(sizeof *keys->room, &room, error);
    if (code != 0)
        return code;
    keys->room = room;
    code = epoch_range(keys->folder, &first, &keys->epoch);
    if (code == 0)
        code = epoch_read_lock(keys->folder, keys->epoch, &keys->lock);
    if (code != 0)
        return fail_open(error, code, "the key of the epoch", keys->folder);
    keys->locked = true;
    if (keys->lock.is_passphrase)
        return 0;
    code = epoch_read_unlocking(spec, keys->room->unlocking, error);
    return code == 0 ? unlock(keys, error) : code;
}

int keys_open(const char *folder, const char *spec, struct keys **ret_keys, struct err_text *error)
{
    struct keys *keys = calloc(1, sizeof *keys);
    if (!keys || !(keys->folder = strdup(folder))) {
        free(keys);
        return err_set(error, ERR_NOMEM, "out of memory");
    }
    int code = open_file(folder, &keys->db, error);
    if (code == 0)
        code = start(keys, spec, error);
    if (code != 0) {
        keys_close(keys);
        return code;
    }
    *ret_keys = keys;
    return 0;
}

void keys_close(struct keys *keys)
{
    if (!keys)
        return;
    db_close(keys->db);
    if (keys->known)
        sodium_memzero(keys->known, KEYS_KNOWN * sizeof *keys->known);
    free(keys->known);
    if (keys->room)
        crypt_memory_free(keys->room);
    free(keys->folder);
    free(keys);
}

int keys_unlock(struct keys *keys, const char *passphrase, struct err_text *error)
{
    if (!keys->locked)
        return 0;
    int code = epoch_derive(&keys->lock, passphrase, keys->room->unlocking);
    return code == 0 ? unlock(keys, error) : err_set(error, code, "the vault cannot be unlocked: %s", err_name(code));
}

bool keys_are_locked(const struct keys *keys)
{
    return keys->locked;
}

int64_t keys_epoch(const struct keys *keys)
{
    return keys->epoch;
}

const uint8_t *keys_own(const struct keys *keys, enum keys_own which)
{
    return keys->room->own[which];
}

struct db *keys_db(struct keys *keys)
{
    return keys->db;
}

/* ---- making ---- */

static int write_public(const char *folder, struct keys_room *room)
{
    char path[PATH_MAX];
    uint8_t box[crypto_box_PUBLICKEYBYTES], sign[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];
    crypto_scalarmult_base(box, room->own[KEYS_BOX]);
    crypto_sign_seed_keypair(sign, secret, room->own[KEYS_AUDIT]);
    sodium_memzero(secret, sizeof secret);
    snprintf(path, sizeof path, "%s/audit.pub", folder);
    int code = epoch_write_file(path, 0644, sign, sizeof sign);
    snprintf(path, sizeof path, "%s/public.key", folder); /* the last: where it is, the vault is whole */
    return code == 0 ? epoch_write_file(path, 0644, box, sizeof box) : code;
}

static int write_own(struct keys *keys)
{
    int code = db_begin(keys->db);
    for (int i = 0; i < KEYS_OWN_N && code == 0; i++) {
        uint8_t wrapped[CRYPT_WRAPPED_BYTES];
        sqlite3_stmt *stmt = db_stmt(keys->db, SQL_OWN_ADD);
        randombytes_buf(keys->room->own[i], CRYPT_KEY_BYTES);
        crypt_wrap(keys->room->epoch, keys->room->own[i], "own", own_names[i], strlen(own_names[i]), keys->epoch,
                   wrapped);
        db_bind_text(stmt, ":name", own_names[i]);
        db_bind_i64(stmt, ":epoch", keys->epoch);
        db_bind_blob(stmt, ":wrapped", wrapped, sizeof wrapped);
        code = db_run(keys->db, stmt);
    }
    if (code == 0)
        return db_commit(keys->db);
    db_rollback(keys->db);
    return code;
}

static int make_unlocking(struct keys *keys, const char *spec, const char *passphrase, struct err_text *error)
{
    if (strcmp(spec, "passphrase") == 0) {
        if (!passphrase || !passphrase[0])
            return err_set_field(error, ERR_INVALID, "vault.key", "the vault needs a passphrase, and none was given");
        epoch_lock_new(&keys->lock);
        int code = epoch_derive(&keys->lock, passphrase, keys->room->unlocking);
        return code == 0 ? 0 : err_set(error, code, "the passphrase cannot be worked up: %s", err_name(code));
    }
    return epoch_make_unlocking(spec, keys->room->unlocking, error);
}

int keys_create(const char *folder, const char *spec, const char *passphrase, struct err_text *error)
{
    void *room = NULL;
    struct keys keys = {.epoch = 1, .folder = (char *)folder};
    int code = crypt_memory(sizeof *keys.room, &room, error);
    if (code != 0)
        return code;
    keys.room = room;
    code = make_unlocking(&keys, spec, passphrase, error);
    if (code == 0)
        code = folder_open(folder, &keys_file, DB_CREATE, &keys.db, error);
    if (code == 0) {
        randombytes_buf(keys.room->epoch, CRYPT_KEY_BYTES);
        code = epoch_write(folder, 1, &keys.lock, keys.room->unlocking, keys.room->epoch);
        if (code == 0)
            code = write_own(&keys);
        if (code == 0)
            code = write_public(folder, keys.room);
        if (code != 0)
            err_set(error, code, "the keys of the vault \"%s\" cannot be written: %s", folder, err_name(code));
        else
            code = db_leave_wal(keys.db);
    }
    db_close(keys.db);
    crypt_memory_free(room);
    return code;
}

/* ---- subjects ---- */

int keys_find(struct keys *keys, const uint8_t name[static CRYPT_NAME_BYTES], struct keys_subject *ret_subject)
{
    sqlite3_stmt *stmt = db_stmt(keys->db, SQL_FIND);
    db_bind_blob(stmt, ":name", name, CRYPT_NAME_BYTES);
    int code = db_step(keys->db, stmt);
    if (code <= 0)
        return code;
    ret_subject->id = sqlite3_column_int64(stmt, 0);
    ret_subject->revision = sqlite3_column_int64(stmt, 1);
    ret_subject->consents = sqlite3_column_int64(stmt, 2);
    ret_subject->restricted = sqlite3_column_int64(stmt, 3) != 0;
    int64_t epoch = sqlite3_column_int64(stmt, 4);
    code = sqlite3_column_bytes(stmt, 5) == CRYPT_WRAPPED_BYTES && epoch == keys->epoch ? 0 : ERR_CORRUPT;
    if (code == 0) {
        memcpy(ret_subject->wrapped, sqlite3_column_blob(stmt, 5), CRYPT_WRAPPED_BYTES);
        code = crypt_unwrap(keys->room->epoch, ret_subject->wrapped, "subject", name, CRYPT_NAME_BYTES, epoch,
                            ret_subject->key);
    }
    sqlite3_reset(stmt);
    return code == 0 ? 1 : code;
}

int keys_add(struct keys *keys, const uint8_t name[static CRYPT_NAME_BYTES])
{
    uint8_t key[CRYPT_KEY_BYTES], wrapped[CRYPT_WRAPPED_BYTES];
    sqlite3_stmt *stmt = db_stmt(keys->db, SQL_ADD);
    randombytes_buf(key, sizeof key);
    crypt_wrap(keys->room->epoch, key, "subject", name, CRYPT_NAME_BYTES, keys->epoch, wrapped);
    sodium_memzero(key, sizeof key);
    db_bind_blob(stmt, ":name", name, CRYPT_NAME_BYTES);
    db_bind_i64(stmt, ":epoch", keys->epoch);
    db_bind_blob(stmt, ":wrapped", wrapped, sizeof wrapped);
    return db_run(keys->db, stmt);
}

int keys_update(struct keys *keys, const uint8_t name[static CRYPT_NAME_BYTES], const struct keys_subject *subject)
{
    sqlite3_stmt *stmt = db_stmt(keys->db, SQL_UPDATE);
    db_bind_blob(stmt, ":name", name, CRYPT_NAME_BYTES);
    db_bind_i64(stmt, ":revision", subject->revision);
    db_bind_i64(stmt, ":consents", subject->consents);
    db_bind_i64(stmt, ":restricted", subject->restricted);
    return db_run(keys->db, stmt);
}

int keys_count(struct keys *keys, struct keys_counts *ret_counts)
{
    sqlite3_stmt *stmt = db_stmt(keys->db, SQL_COUNTS);
    int code = db_step(keys->db, stmt);
    if (code != 1)
        return code == 0 ? ERR_CORRUPT : code;
    *ret_counts = (struct keys_counts){sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1),
                                       sqlite3_column_int64(stmt, 2), sqlite3_column_int64(stmt, 3),
                                       sqlite3_column_int64(stmt, 4), sqlite3_column_int64(stmt, 5)};
    sqlite3_reset(stmt);
    return 0;
}

int keys_copy(struct keys *keys, const char *to, struct err_text *error)
{
    return db_copy_open(keys->db, to, error);
}
