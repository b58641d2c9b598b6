/* Erased entities leave ingest.db. */
#include <config.h>

#include "store/partition_inside.h"

#include "common/array.h"
#include "store/forget.h"

static int find_letters(struct partition *partition, struct erased *erased, struct forget_ids *ids)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(db_handle(partition->db), "SELECT id, entity FROM dead WHERE entity IS NOT NULL", -1, &stmt,
                                NULL);
    if (rc != SQLITE_OK)
        return db_code(rc);
    while ((rc = db_step(partition->db, stmt)) == 1) {
        if (sqlite3_column_bytes(stmt, 1) != ERASED_HASH_BYTES || !erased_has_hash(erased, sqlite3_column_blob(stmt, 1)))
            continue;
        if ((rc = array_grow(&ids->at, &ids->cap, ids->n + 1, sizeof(*ids->at))))
            break;
        ids->at[ids->n++] = sqlite3_column_int64(stmt, 0);
    }
    sqlite3_finalize(stmt);
    return rc;
}

int partition_forget(struct partition *partition, const struct forget_ids *series, struct erased *erased, bool *ret_whole,
                     struct err_text *error)
{
    struct forget_ids letters = {0};
    int rc = partition_enter(partition, error);
    if (rc)
        return rc;
    rc = find_letters(partition, erased, &letters);
    if (!rc && (rc = db_begin(partition->db)) == 0) {
        rc = forget_each(partition->db, series, "DELETE FROM carry WHERE series = :id");
        rc = rc ? rc : forget_each(partition->db, &letters, "DELETE FROM dead WHERE id = :id");
    }
    rc = partition_finish(partition, rc, error, "write");
    if (!rc && (rc = db_forget(partition->db, ret_whole)))
        db_error(partition->db, error, rc, "write");
    forget_ids_free(&letters);
    partition_leave(partition);
    return rc;
}

int partition_has_retired(struct partition *partition, int64_t since_us, bool *ret_has, struct err_text *error)
{
    int rc = partition_enter(partition, error);
    if (rc)
        return rc;
    sqlite3_stmt *stmt = db_stmt(partition->db, SQL_RETIRED);
    db_bind_i64(stmt, ":since_us", since_us);
    rc = db_step(partition->db, stmt);
    if (rc < 0) {
        db_error(partition->db, error, rc, "read");
    } else {
        *ret_has = rc == 1;
        sqlite3_reset(stmt);
        rc = 0;
    }
    partition_leave(partition);
    return rc;
}
