/* Clients with certificates, which the HTTPS server has verified. */
#include <config.h>

#include <string.h>

#include "common/clock.h"
#include "store/access_inside.h"

/* ---- adding one ---- */

static int add_certificate(struct access *access, const char *name, const struct grants *grants, const uint8_t *spki,
                           struct err_text *error)
{
    struct db *db;
    char scopes[ACCESS_GRANTS_TEXT_MAX];
    int rc = access_open_file(access->path, DB_WRITE, &db, error);
    if (rc)
        return rc;
    sqlite3_stmt *stmt = db_stmt(db, SQL_ADD_CERTIFICATE);
    db_bind_blob(stmt, ":spki", spki, HASH_BYTES);
    db_bind_text(stmt, ":name", name);
    access_bind_grants(stmt, grants, scopes);
    db_bind_i64(stmt, ":created_us", clock_wall_us());
    rc = db_run(db, stmt);
    if (rc == ERR_EXISTS)
        err_set_field(error, rc, "name", "there is a certificate \"%s\", or one with this key, already: `almanac cert list` "
                      "shows them", name);
    else if (rc)
        db_error(db, error, rc, "write");
    db_close(db);
    return rc;
}

int access_certificate_add(struct access *access, const char *name, const char *scopes, const uint8_t *spki,
                           struct err_text *error)
{
    struct grants grants;
    int rc = access_check_name(name, "certificate", error);
    if (!rc)
        rc = access_grants_parse(scopes, &grants, error);
    return rc ? rc : add_certificate(access, name, &grants, spki, error);
}

/* ---- checking one ---- */

int access_check_certificate(struct access *access, const uint8_t *spki, struct principal *ret_principal)
{
    static const char kind[] = "cert:"; /* so that no token is taken for it */
    uint8_t text[sizeof(kind) - 1 + HASH_BYTES], hash[HASH_BYTES];
    memcpy(text, kind, sizeof(kind) - 1);
    memcpy(text + sizeof(kind) - 1, spki, HASH_BYTES);
    hash_keyed(access->key, text, sizeof(text), hash);
    int rc = access_check_key(access, SQL_FIND_CERTIFICATE, spki, hash, ret_principal);
    if (!rc)
        ret_principal->kind = ACCESS_CERTIFICATES;
    return rc;
}
