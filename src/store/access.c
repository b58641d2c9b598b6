#include <config.h>

#include "store/access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "sql/auth.sql.h"
#include "store/access_inside.h"

/* How old the knowledge may be that no other process changed the file: a token taken back acts within this time. */
#define FRESH_US INT64_C(1000000)

const struct db_format access_format = {"access file", 0x414c4d61 /* "ALMa" */, 3, false};

static const char *const statements[SQL_N] = {
    [SQL_GET_KEY] = "SELECT key FROM secret",
    [SQL_FIND] = "SELECT name, scopes FROM token WHERE hash = :key",
    [SQL_FIND_USER] = "SELECT password, scopes FROM user WHERE name = :name",
    [SQL_ADD_USER] = "INSERT INTO user (name, password, scopes, created_us) VALUES (:name, :password, :scopes, :created_us)",
    [SQL_LIST_TOKENS] = "SELECT name, scopes, created_us FROM token ORDER BY name",
    [SQL_LIST_USERS] = "SELECT name, scopes, created_us FROM user ORDER BY name",
    [SQL_REMOVE_TOKEN] = "DELETE FROM token WHERE name = :name RETURNING 1",
    [SQL_REMOVE_USER] = "DELETE FROM user WHERE name = :name RETURNING 1",
    [SQL_FIND_CERTIFICATE] = "SELECT name, scopes FROM certificate WHERE spki = :key",
    [SQL_ADD_CERTIFICATE] =
        "INSERT INTO certificate (spki, name, scopes, created_us) VALUES (:spki, :name, :scopes, :created_us)",
    [SQL_LIST_CERTIFICATES] = "SELECT name, scopes, created_us, spki FROM certificate ORDER BY name",
    [SQL_REMOVE_CERTIFICATE] = "DELETE FROM certificate WHERE name = :name RETURNING 1",
    [SQL_ADD_KEY] = "INSERT INTO secret (id, key) VALUES (1, :key)",
    [SQL_ADD] = "INSERT INTO token (hash, name, scopes, created_us) VALUES (:hash, :name, :scopes, :created_us)",
    [SQL_VERSION] = "PRAGMA data_version",
};

static char *auth_path(const char *dir)
{
    char *path;
    return asprintf(&path, "%s/auth.db", dir) < 0 ? NULL : path;
}

int access_open_file(const char *path, enum db_mode mode, struct db **ret_db, struct err_text *error)
{
    struct db_opts opts = {
        .path = path,
        .mode = mode,
        .format = &access_format,
        .schema = sql_auth,
        .sql = statements,
        .n_sql = SQL_N,
        .rollback_journal = true,
    };
    return db_open(&opts, ret_db, error);
}

/* ---- making the file ---- */

static int add_key(struct db *db)
{
    uint8_t key[HASH_KEY_BYTES];
    hash_random(key, sizeof(key));
    sqlite3_stmt *stmt = db_stmt(db, SQL_ADD_KEY);
    db_bind_blob(stmt, ":key", key, sizeof(key));
    int rc = db_run(db, stmt);
    explicit_bzero(key, sizeof(key));
    return rc;
}

static int create_file(const char *path, struct err_text *error)
{
    struct db *db;
    int rc = hash_init();
    if (rc)
        return err_set(error, rc, "no randomness can be had for \"%s\"", path);
    rc = access_open_file(path, DB_CREATE, &db, error);
    if (rc)
        return rc;
    if (chmod(path, S_IRUSR | S_IWUSR)) /* before the key is in it */
        rc = err_set(error, ERR_IO, "the access rights of \"%s\" cannot be set", path);
    else if ((rc = add_key(db)))
        db_error(db, error, rc, "write");
    db_close(db);
    if (rc)
        remove(path);
    return rc;
}

int access_create(const char *dir, struct err_text *error)
{
    char *path = auth_path(dir);
    int rc = path ? create_file(path, error) : err_set(error, ERR_NOMEM, "out of memory");
    free(path);
    return rc;
}

/* ---- opening it ---- */

static int read_key(struct access *access, struct err_text *error)
{
    sqlite3_stmt *stmt = db_stmt(access->db, SQL_GET_KEY);
    int rc = db_step(access->db, stmt);
    if (rc < 0)
        return db_error(access->db, error, rc, "read");
    if (!rc || sqlite3_column_bytes(stmt, 0) != HASH_KEY_BYTES)
        return err_set(error, ERR_CORRUPT, "\"%s\" has no key: it was not made to its end, remove it and make it anew",
                       access->path);
    memcpy(access->key, sqlite3_column_blob(stmt, 0), HASH_KEY_BYTES);
    sqlite3_reset(stmt);
    return 0;
}

int access_open(const char *dir, struct access **ret_access, struct err_text *error)
{
    struct access *access = calloc(1, sizeof(*access));
    if (!access)
        return err_set(error, ERR_NOMEM, "out of memory");
    pthread_mutex_init(&access->lock, NULL);
    access->path = auth_path(dir);
    int rc = access->path ? hash_init() : ERR_NOMEM;
    if (rc)
        err_set(error, rc, "the access file of \"%s\" cannot be opened: %s", dir, err_name(rc));
    else
        rc = access_open_file(access->path, DB_READ, &access->db, error);
    if (!rc)
        rc = read_key(access, error);
    if (rc) {
        access_close(access);
        return rc;
    }
    access->version = -1;
    *ret_access = access;
    return 0;
}

void access_close(struct access *access)
{
    if (!access)
        return;
    db_close(access->db);
    pthread_mutex_destroy(&access->lock);
    free(access->path);
    explicit_bzero(access, sizeof(*access));
    free(access);
}

/* ---- making tokens ---- */

int access_check_name(const char *name, const char *of, struct err_text *error)
{
    size_t size = strlen(name);
    bool printable = true;
    for (size_t i = 0; i < size; i++)
        printable = printable && name[i] >= ' ' && name[i] <= '~';
    if (size && size <= 64 && printable)
        return 0;
    return err_set_field(error, ERR_INVALID, "name", "the name of a %s has 1 to 64 printable ASCII characters", of);
}

static int add_token(struct access *access, const char *name, const struct grants *grants, const uint8_t *hash,
                     struct err_text *error)
{
    char text[ACCESS_GRANTS_TEXT_MAX];
    struct db *db;
    int rc = access_open_file(access->path, DB_WRITE, &db, error);
    if (rc)
        return rc;
    sqlite3_stmt *stmt = db_stmt(db, SQL_ADD);
    db_bind_blob(stmt, ":hash", hash, HASH_BYTES);
    db_bind_text(stmt, ":name", name);
    access_bind_grants(stmt, grants, text);
    db_bind_i64(stmt, ":created_us", clock_wall_us());
    rc = db_run(db, stmt);
    if (rc == ERR_EXISTS)
        err_set_field(error, rc, "name", "there is a token \"%s\" already: choose another name", name);
    else if (rc)
        db_error(db, error, rc, "write");
    db_close(db);
    return rc;
}

int access_token_create(struct access *access, const char *name, const char *scopes,
                        char ret_token[static TOKEN_TEXT_MAX], struct err_text *error)
{
    uint8_t secret[32], hash[HASH_BYTES];
    char token[TOKEN_TEXT_MAX] = "alm_";
    struct grants grants;
    int rc = access_check_name(name, "token", error);
    if (!rc)
        rc = access_grants_parse(scopes, &grants, error);
    if (rc)
        return rc;
    hash_random(secret, sizeof(secret));
    hash_base64url(secret, sizeof(secret), token + strlen(token));
    hash_keyed(access->key, token, strlen(token), hash);
    rc = add_token(access, name, &grants, hash, error);
    if (!rc)
        memcpy(ret_token, token, sizeof(token));
    explicit_bzero(secret, sizeof(secret));
    explicit_bzero(token, sizeof(token));
    return rc;
}

/* ---- checking them ---- */

int access_refresh(struct access *access)
{
    int64_t now_us = clock_mono_us(), version = 0;
    if (access->version >= 0 && now_us - access->checked_us < FRESH_US)
        return 0;
    sqlite3_stmt *stmt = db_stmt(access->db, SQL_VERSION);
    int rc = db_step(access->db, stmt);
    if (rc < 0)
        return rc;
    version = rc ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    if (version != access->version)
        memset(access->cache, 0, sizeof(access->cache));
    access->version = version;
    access->checked_us = now_us;
    return 0;
}

static int find(struct access *access, int sql, const uint8_t *key, struct principal *ret_principal)
{
    sqlite3_stmt *stmt = db_stmt(access->db, sql);
    db_bind_blob(stmt, ":key", key, HASH_BYTES);
    int rc = db_step(access->db, stmt);
    if (rc <= 0)
        return rc ? rc : ERR_DENIED;
    *ret_principal = (struct principal){0};
    rc = access_read_grants(stmt, 1, &ret_principal->grants);
    snprintf(ret_principal->name, sizeof(ret_principal->name), "%s", (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_reset(stmt);
    return rc;
}

const struct cached *access_recall(const struct access *access, const uint8_t hash[static HASH_BYTES])
{
    const struct cached *slot = &access->cache[hash[0] & (CACHE_SLOTS - 1)];
    return slot->used && hash_equal(slot->hash, hash) && clock_mono_us() < slot->until_us ? slot : NULL;
}

void access_remember(struct access *access, const uint8_t hash[static HASH_BYTES], const struct principal *principal,
                     int64_t until_us)
{
    struct cached *slot = &access->cache[hash[0] & (CACHE_SLOTS - 1)];
    *slot = (struct cached){.principal = *principal, .until_us = until_us, .used = true};
    memcpy(slot->hash, hash, HASH_BYTES);
}

int access_check_key(struct access *access, int sql, const uint8_t key[static HASH_BYTES], const uint8_t hash[static HASH_BYTES],
                     struct principal *ret_principal)
{
    struct principal principal;
    pthread_mutex_lock(&access->lock);
    int rc = access_refresh(access);
    const struct cached *known = rc ? NULL : access_recall(access, hash);
    if (known)
        principal = known->principal;
    else if (!rc && !(rc = find(access, sql, key, &principal)))
        access_remember(access, hash, &principal, INT64_MAX);
    pthread_mutex_unlock(&access->lock);
    if (!rc)
        *ret_principal = principal;
    return rc;
}

int access_check_token(struct access *access, const char *token, size_t size, struct principal *ret_principal)
{
    uint8_t hash[HASH_BYTES];
    if (!size || size >= TOKEN_TEXT_MAX)
        return ERR_DENIED;
    hash_keyed(access->key, token, size, hash);
    int rc = access_check_key(access, SQL_FIND, hash, hash, ret_principal);
    if (!rc)
        ret_principal->kind = ACCESS_TOKENS;
    return rc;
}

/* ---- listing and taking back ---- */

static const struct {
    const char *name; /* of its commands, too */
    int list, remove;
} kinds[] = {
    [ACCESS_TOKENS] = {"token", SQL_LIST_TOKENS, SQL_REMOVE_TOKEN},
    [ACCESS_USERS] = {"user", SQL_LIST_USERS, SQL_REMOVE_USER},
    [ACCESS_CERTIFICATES] = {"cert", SQL_LIST_CERTIFICATES, SQL_REMOVE_CERTIFICATE},
};

int access_each(struct access *access, enum access_kind kind, int (*row)(void *arg, const struct access_entry *entry), void *arg,
                struct err_text *error)
{
    struct db *db;
    int rc = access_open_file(access->path, DB_READ, &db, error);
    if (rc)
        return rc;
    sqlite3_stmt *stmt = db_stmt(db, kinds[kind].list);
    struct grants grants;
    int answer = 0;
    while (!answer && (rc = db_step(db, stmt)) > 0) {
        answer = access_read_grants(stmt, 1, &grants);
        if (!answer)
            answer = row(arg, &(struct access_entry){(const char *)sqlite3_column_text(stmt, 0), &grants,
                                                     sqlite3_column_int64(stmt, 2),
                                                     kind == ACCESS_CERTIFICATES ? sqlite3_column_blob(stmt, 3) : NULL});
    }
    if (rc < 0)
        db_error(db, error, rc, "read");
    db_close(db);
    return rc < 0 ? rc : answer;
}

int access_remove(struct access *access, enum access_kind kind, const char *name, struct err_text *error)
{
    struct db *db;
    const char *what = kinds[kind].name;
    int rc = access_open_file(access->path, DB_WRITE, &db, error);
    if (rc)
        return rc;
    sqlite3_stmt *stmt = db_stmt(db, kinds[kind].remove);
    db_bind_text(stmt, ":name", name);
    rc = db_step(db, stmt);
    if (rc < 0)
        db_error(db, error, rc, "write");
    else if (!rc)
        err_set_field(error, ERR_NOTFOUND, "name", "there is no %s \"%.64s\": `almanac %s list` shows them", what, name, what);
    int code = rc < 0 ? rc : rc ? 0 : ERR_NOTFOUND;
    sqlite3_reset(stmt);
    db_close(db);
    return code;
}
