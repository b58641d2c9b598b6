#include <config.h>

#include "store/forget.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"

void forget_ids_free(struct forget_ids *ids)
{
    free(ids->at);
    *ids = (struct forget_ids){0};
}

static int prepare(struct db *db, const char *sql, sqlite3_stmt **ret_stmt)
{
    int rc = sqlite3_prepare_v2(db_handle(db), sql, -1, ret_stmt, NULL);
    return rc == SQLITE_OK ? 0 : db_code(rc);
}

static int find(struct db *db, const char *sql, struct erased *erased,
                bool (*is_meant)(struct erased *erased, const char *text, size_t size), struct forget_ids *ids)
{
    sqlite3_stmt *stmt;
    int rc = prepare(db, sql, &stmt);
    if (rc)
        return rc;
    while ((rc = db_step(db, stmt)) == 1) {
        const char *text = (const char *)sqlite3_column_text(stmt, 1);
        if (text && !is_meant(erased, text, strlen(text)))
            continue;
        if ((rc = text ? array_grow(&ids->at, &ids->cap, ids->n + 1, sizeof(*ids->at)) : ERR_NOMEM))
            break;
        ids->at[ids->n++] = sqlite3_column_int64(stmt, 0);
    }
    sqlite3_finalize(stmt);
    return rc;
}

int forget_find(struct db *db, const char *sql, struct erased *erased, struct forget_ids *ids)
{
    return find(db, sql, erased, erased_has, ids);
}

int forget_find_named(struct db *db, const char *sql, struct erased *erased, struct forget_ids *ids)
{
    return find(db, sql, erased, erased_is_named, ids);
}

int forget_each(struct db *db, const struct forget_ids *ids, const char *sql)
{
    sqlite3_stmt *stmt;
    int rc = prepare(db, sql, &stmt);
    if (rc)
        return rc;
    for (size_t i = 0; i < ids->n && !rc; i++) {
        db_bind_i64(stmt, ":id", ids->at[i]);
        rc = db_run(db, stmt);
    }
    sqlite3_finalize(stmt);
    return rc;
}

int forget_table(struct db *db, const struct forget_ids *ids)
{
    int rc = db_exec(db, "PRAGMA temp_store=MEMORY");
    rc = rc ? rc : db_exec(db, "CREATE TEMP TABLE gone (id INTEGER PRIMARY KEY)");
    return rc ? rc : forget_each(db, ids, "INSERT OR IGNORE INTO temp.gone (id) VALUES (:id)");
}
