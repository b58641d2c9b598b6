/* Users with passwords, for HTTP Basic. */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "store/access_inside.h"

#define PASSWORD_BYTES_MIN 8
#define PASSWORD_BYTES_MAX 256
#define REMEMBERED_US (5 * INT64_C(60000000))

/* What a password of a user who is not there is compared with, so that both take as long: Argon2id of nobody's password, of
 * the costs of hash_password. */
static const char nobody[] = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$"
                             "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/* ---- adding one ---- */

static int add_user(struct access *access, const char *name, const struct grants *grants, const char *text,
                    struct err_text *error)
{
    char scopes[ACCESS_GRANTS_TEXT_MAX];
    struct db *db;
    int rc = access_open_file(access->path, DB_WRITE, &db, error);
    if (rc)
        return rc;
    sqlite3_stmt *stmt = db_stmt(db, SQL_ADD_USER);
    db_bind_text(stmt, ":name", name);
    db_bind_text(stmt, ":password", text);
    access_bind_grants(stmt, grants, scopes);
    db_bind_i64(stmt, ":created_us", clock_wall_us());
    rc = db_run(db, stmt);
    if (rc == ERR_EXISTS)
        err_set_field(error, rc, "name", "there is a user \"%s\" already: remove that one, or choose another name", name);
    else if (rc)
        db_error(db, error, rc, "write");
    db_close(db);
    return rc;
}

int access_user_add(struct access *access, const char *name, const char *scopes, const char *password, struct err_text *error)
{
    char text[HASH_PASSWORD_TEXT_MAX];
    struct grants grants;
    size_t size = strlen(password);
    int rc = access_check_name(name, "user", error);
    if (!rc && strchr(name, ':'))
        rc = err_set_field(error, ERR_INVALID, "name", "the name of a user has no colon: HTTP Basic ends it there");
    if (!rc)
        rc = access_grants_parse(scopes, &grants, error);
    if (!rc && (size < PASSWORD_BYTES_MIN || size > PASSWORD_BYTES_MAX))
        rc = err_set_field(error, ERR_INVALID, "password", "a password has %d to %d bytes", PASSWORD_BYTES_MIN,
                           PASSWORD_BYTES_MAX);
    if (!rc && (rc = hash_password(password, size, text)))
        err_set(error, rc, "there is no memory for the hash of the password (64 MiB)");
    return rc ? rc : add_user(access, name, &grants, text, error);
}

/* ---- checking one ---- */

/* Of a name and password as they are remembered; its length ends the name, so that nobody's bytes move from one to the other. */
static int hash_both(const struct access *access, const char *name, const char *password, uint8_t ret_hash[static HASH_BYTES])
{
    struct buf both = {0};
    buf_printf(&both, "user:%zu:%s:%s", strlen(name), name, password);
    bool failed = both.failed;
    if (!failed)
        hash_keyed(access->key, both.data, both.n, ret_hash);
    if (both.data)
        explicit_bzero(both.data, both.n);
    buf_free(&both);
    return failed ? ERR_NOMEM : 0;
}

/* The kept text of a user's password, and what they may do; under the lock. */
static int find_user(struct access *access, const char *name, char ret_text[static HASH_PASSWORD_TEXT_MAX],
                     struct principal *ret_principal)
{
    sqlite3_stmt *stmt = db_stmt(access->db, SQL_FIND_USER);
    db_bind_text(stmt, ":name", name);
    int rc = db_step(access->db, stmt);
    if (rc <= 0)
        return rc ? rc : ERR_DENIED;
    snprintf(ret_text, HASH_PASSWORD_TEXT_MAX, "%s", (const char *)sqlite3_column_text(stmt, 0));
    ret_principal->kind = ACCESS_USERS;
    rc = access_read_grants(stmt, 1, &ret_principal->grants);
    snprintf(ret_principal->name, sizeof(ret_principal->name), "%s", name);
    sqlite3_reset(stmt);
    return rc;
}

int access_check_password(struct access *access, const char *name, const char *password, bool may_compute,
                          struct principal *ret_principal)
{
    uint8_t hash[HASH_BYTES];
    char text[HASH_PASSWORD_TEXT_MAX];
    struct principal principal;
    size_t size = strlen(password);
    int rc = size > PASSWORD_BYTES_MAX || strlen(name) >= sizeof(principal.name) ? ERR_DENIED
                                                                                   : hash_both(access, name, password, hash);
    if (rc)
        return rc;
    pthread_mutex_lock(&access->lock);
    rc = access_refresh(access);
    const struct cached *known = rc ? NULL : access_recall(access, hash);
    int64_t version = access->version;
    if (known)
        *ret_principal = known->principal;
    bool is_known = known != NULL;
    if (!rc && !is_known)
        rc = may_compute ? find_user(access, name, text, &principal) : ERR_BUSY;
    pthread_mutex_unlock(&access->lock);
    if (is_known || (rc && rc != ERR_DENIED))
        return rc;
    bool is_right = hash_password_is(rc ? nobody : text, password, size) && !rc;
    if (!is_right)
        return ERR_DENIED;
    pthread_mutex_lock(&access->lock);
    if (access->version == version) /* else the user may be gone, or another one */
        access_remember(access, hash, &principal, clock_mono_us() + REMEMBERED_US);
    pthread_mutex_unlock(&access->lock);
    *ret_principal = principal;
    return 0;
}
