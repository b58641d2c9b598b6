#include <config.h>

#include "store/erasure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/files.h"
#include "store/erased.h"

static int open_list(const char *dir, enum db_mode mode, struct db **ret_db, struct err_text *error)
{
    char path[4096];
    erased_path(dir, path, sizeof(path));
    return erased_open_file(path, mode, ret_db, error);
}

/* Ends a transaction, and says what went wrong. */
static int finish(struct db *db, int rc, struct err_text *error)
{
    if (!rc)
        rc = db_commit(db);
    else
        db_rollback(db);
    return rc ? db_error(db, error, rc, "write") : 0;
}

/* ---- noting ---- */

static int read_own_key(struct db *db, uint8_t ret_key[static HASH_KEY_BYTES], int64_t *ret_n)
{
    sqlite3_stmt *stmt = db_stmt(db, ERASED_SQL_KEYS);
    int rc = db_step(db, stmt);
    if (rc == 1 && sqlite3_column_bytes(stmt, 1) == HASH_KEY_BYTES) {
        *ret_n = sqlite3_column_int64(stmt, 0);
        memcpy(ret_key, sqlite3_column_blob(stmt, 1), HASH_KEY_BYTES);
        rc = 0;
    } else {
        rc = rc < 0 ? rc : ERR_CORRUPT;
    }
    if (stmt)
        sqlite3_reset(stmt);
    return rc;
}

static int add_hash(struct db *db, int64_t key, const uint8_t hash[static ERASED_HASH_BYTES], int64_t when_us)
{
    sqlite3_stmt *stmt = db_stmt(db, ERASED_SQL_ADD);
    db_bind_i64(stmt, ":key", key);
    db_bind_blob(stmt, ":hash", hash, ERASED_HASH_BYTES);
    db_bind_i64(stmt, ":at_us", when_us);
    return db_run(db, stmt);
}

int erasure_add(const char *dir, const char *const *entities, size_t n, int64_t when_us, struct err_text *error)
{
    uint8_t key[HASH_KEY_BYTES], hash[ERASED_HASH_BYTES];
    int64_t key_n = 0;
    struct db *db;
    int rc = open_list(dir, DB_WRITE, &db, error);
    if (rc)
        return rc;
    if (!(rc = db_begin(db))) {
        rc = read_own_key(db, key, &key_n);
        for (size_t i = 0; i < n && !rc; i++) {
            hash_keyed_short(key, entities[i], strlen(entities[i]), hash);
            rc = add_hash(db, key_n, hash, when_us);
        }
    }
    rc = finish(db, rc, error);
    db_close(db);
    return rc;
}

/* ---- asking ---- */

struct keys {
    uint8_t at[16][HASH_KEY_BYTES]; /* a merged list has two, as a rule all have one */
    size_t n;
};

static int read_keys(struct db *db, struct keys *keys)
{
    sqlite3_stmt *stmt = db_stmt(db, ERASED_SQL_KEYS);
    int rc;
    while ((rc = db_step(db, stmt)) == 1) {
        if (keys->n == 16 || sqlite3_column_bytes(stmt, 1) != HASH_KEY_BYTES) {
            sqlite3_reset(stmt);
            return ERR_CORRUPT;
        }
        memcpy(keys->at[keys->n++], sqlite3_column_blob(stmt, 1), HASH_KEY_BYTES);
    }
    return rc;
}

static int find_state(struct db *db, const struct keys *keys, const char *entity, enum erasure_state *ret_state)
{
    uint8_t hash[ERASED_HASH_BYTES];
    enum erasure_state state = ERASURE_NONE;
    int rc = 0;
    for (size_t i = 0; i < keys->n && rc >= 0; i++) {
        hash_keyed_short(keys->at[i], entity, strlen(entity), hash);
        sqlite3_stmt *stmt = db_stmt(db, ERASED_SQL_FIND);
        db_bind_blob(stmt, ":hash", hash, sizeof(hash));
        if ((rc = db_step(db, stmt)) == 1) {
            bool is_pending = sqlite3_column_type(stmt, 0) == SQLITE_NULL;
            state = is_pending || state == ERASURE_PENDING ? ERASURE_PENDING : ERASURE_DONE;
            sqlite3_reset(stmt);
        }
    }
    *ret_state = state;
    return rc < 0 ? rc : 0;
}

int erasure_state(const char *dir, const char *const *entities, size_t n, enum erasure_state *ret_state,
                  struct err_text *error)
{
    struct keys keys = {.n = 0};
    enum erasure_state all = ERASURE_DONE, one;
    struct db *db;
    int rc = open_list(dir, DB_READ, &db, error);
    if (rc == ERR_NOTFOUND) {
        *ret_state = n ? ERASURE_NONE : ERASURE_DONE;
        return 0;
    }
    if (rc)
        return rc;
    rc = read_keys(db, &keys);
    for (size_t i = 0; i < n && !rc; i++) {
        rc = find_state(db, &keys, entities[i], &one);
        all = one < all ? one : all;
    }
    if (rc)
        db_error(db, error, rc, "read");
    else
        *ret_state = all;
    db_close(db);
    return rc;
}

int erasure_pending(const char *dir, int64_t *ret_last, int64_t *ret_since_us, struct err_text *error)
{
    struct db *db;
    int rc = open_list(dir, DB_READ, &db, error);
    *ret_last = *ret_since_us = 0;
    if (rc)
        return rc == ERR_NOTFOUND ? 0 : rc;
    sqlite3_stmt *stmt = db_stmt(db, ERASED_SQL_PENDING);
    if ((rc = db_step(db, stmt)) == 1) {
        *ret_last = sqlite3_column_int64(stmt, 0);
        *ret_since_us = sqlite3_column_int64(stmt, 1);
        rc = 0;
    } else {
        rc = db_error(db, error, rc ? rc : ERR_CORRUPT, "read");
    }
    db_close(db);
    return rc;
}

int erasure_done(const char *dir, int64_t last, int64_t now_us, struct err_text *error)
{
    struct db *db;
    int rc = open_list(dir, DB_WRITE, &db, error);
    if (rc)
        return rc;
    sqlite3_stmt *stmt = db_stmt(db, ERASED_SQL_DONE);
    db_bind_i64(stmt, ":now_us", now_us);
    db_bind_i64(stmt, ":last", last);
    if ((rc = db_run(db, stmt)))
        db_error(db, error, rc, "write");
    db_close(db);
    return rc;
}

/* ---- lists of others ---- */

int erasure_copy(const char *dir, const char *path, struct err_text *error)
{
    char from[4096], part[4096];
    erased_path(dir, from, sizeof(from));
    if (access(from, F_OK))
        return 0;
    snprintf(part, sizeof(part), "%s.part", path);
    files_unlink(part);
    int rc = db_copy(from, &erased_format, part, error);
    if (rc)
        return rc;
    rc = files_rename(part, path);
    rc = rc ? rc : files_sync_folder_of(path);
    return rc ? err_set(error, rc, "cannot write \"%s\": %s", path, strerror(errno)) : 0;
}

/* The number that the key has in the list, added where it is new. */
static int take_key(struct db *db, const void *key, int64_t *ret_n)
{
    sqlite3_stmt *stmt = db_stmt(db, ERASED_SQL_KEY_ADD);
    db_bind_blob(stmt, ":key", key, HASH_KEY_BYTES);
    int rc = db_run(db, stmt);
    if (rc)
        return rc;
    stmt = db_stmt(db, ERASED_SQL_KEYS);
    while ((rc = db_step(db, stmt)) == 1) {
        if (memcmp(sqlite3_column_blob(stmt, 1), key, HASH_KEY_BYTES) == 0) {
            *ret_n = sqlite3_column_int64(stmt, 0);
            sqlite3_reset(stmt);
            return 0;
        }
    }
    return rc ? rc : ERR_CORRUPT;
}

static int merge_rows(struct db *from, struct db *to)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(db_handle(from), "SELECT k.key, e.hash, e.at_us FROM entity e JOIN key k ON k.n = e.key "
                                "ORDER BY e.n", -1, &stmt, NULL) == SQLITE_OK ? 0 : ERR_CORRUPT;
    if (rc)
        return rc;
    while (!rc && (rc = db_step(from, stmt)) == 1) {
        int64_t key;
        bool is_sound = sqlite3_column_bytes(stmt, 0) == HASH_KEY_BYTES && sqlite3_column_bytes(stmt, 1) == ERASED_HASH_BYTES;
        rc = is_sound ? take_key(to, sqlite3_column_blob(stmt, 0), &key) : ERR_CORRUPT;
        rc = rc ? rc : add_hash(to, key, sqlite3_column_blob(stmt, 1), sqlite3_column_int64(stmt, 2));
    }
    sqlite3_finalize(stmt);
    return rc;
}

int erasure_merge(const char *dir, const char *path, struct err_text *error)
{
    struct db *from, *to;
    int rc = erased_open_file(path, DB_READ, &from, error);
    if (rc)
        return rc;
    if ((rc = open_list(dir, DB_WRITE, &to, error))) {
        db_close(from);
        return rc;
    }
    if (!(rc = db_begin(to)) && (rc = merge_rows(from, to)))
        err_set(error, rc, "cannot read the list \"%s\": %s", path, err_name(rc));
    rc = rc ? rc : db_run(to, db_stmt(to, ERASED_SQL_AGAIN));
    rc = finish(to, rc, error);
    db_close(to);
    db_close(from);
    return rc;
}

int erasure_again(const char *dir, struct err_text *error)
{
    char path[4096];
    struct db *db;
    erased_path(dir, path, sizeof(path));
    if (access(path, F_OK))
        return 0;
    int rc = open_list(dir, DB_WRITE, &db, error);
    if (rc)
        return rc;
    if ((rc = db_run(db, db_stmt(db, ERASED_SQL_AGAIN))))
        db_error(db, error, rc, "write");
    db_close(db);
    return rc;
}
