/* auth.db as earlier programs made it: 1 knew tokens only, 2 users with passwords, too. What is new came as tables of its own, so
 * nothing that was there is touched. */
#include <config.h>

#include "store/access_inside.h"

#include <stdio.h>

static const char *const steps[] = { /* from the version of its index to the next; sql/auth.sql tells what the columns are */
    [1] = "CREATE TABLE user (name TEXT NOT NULL UNIQUE, password TEXT NOT NULL, scopes NOT NULL, created_us INTEGER NOT NULL)",
    [2] = "CREATE TABLE certificate (spki BLOB NOT NULL UNIQUE CHECK (length(spki) = 32), name TEXT NOT NULL UNIQUE, "
          "scopes NOT NULL, created_us INTEGER NOT NULL)",
};

static int write_steps(struct db *db)
{
    int64_t version;
    char pragma[48];
    int rc = db_begin(db);
    if (!rc) /* asked under the lock: another process may have been faster */
        rc = db_get_i64(db, "PRAGMA user_version", &version);
    for (; !rc && version >= 1 && version < access_format.version; version++)
        rc = db_exec(db, steps[version]);
    snprintf(pragma, sizeof(pragma), "PRAGMA user_version=%d", access_format.version);
    if (!rc)
        rc = db_exec(db, pragma);
    if (!rc)
        return db_commit(db);
    db_rollback(db);
    return rc;
}

/* Newest first. */
static const struct db_format earlier[] = {{ACCESS_FORMAT, 2, false}, {ACCESS_FORMAT, 1, false}};

int access_upgrade(const char *path, struct err_text *error)
{
    struct db *db;
    int rc = ERR_VERSION;
    for (size_t i = 0; rc == ERR_VERSION && i < sizeof(earlier) / sizeof(*earlier); i++)
        rc = db_open(&(struct db_opts){.path = path, .mode = DB_WRITE, .format = &earlier[i], .rollback_journal = true}, &db,
                     error);
    if (rc)
        return rc;
    rc = write_steps(db);
    if (rc)
        db_error(db, error, rc, "bring to its newest format");
    db_close(db);
    return rc;
}

int access_copy(const char *from, const char *to, struct err_text *error)
{
    struct err_text ignored;
    int rc = db_copy(from, &access_format, to, error);
    for (size_t i = 0; rc == ERR_VERSION && i < sizeof(earlier) / sizeof(*earlier); i++)
        rc = db_copy(from, &earlier[i], to, &ignored);
    return rc;
}
