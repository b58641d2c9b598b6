#include <config.h>

#include "store/partition_inside.h"

#define TRIM_MAX 1000 /* letters in one transaction */

int partition_dead_next(struct partition *partition, int max,
                        int (*row)(void *arg, int64_t id, const struct refusal *refusal, const void *payload), void *arg)
{
    int rc = partition_enter(partition, NULL);
    if (rc)
        return rc;
    sqlite3_stmt *stmt = db_stmt(partition->db, SQL_DEAD_NEXT);
    db_bind_i64(stmt, ":max", max);
    while ((rc = db_step(partition->db, stmt)) == 1) {
        struct refusal refusal = {.offset = sqlite3_column_int64(stmt, 1), .known_ms = sqlite3_column_int64(stmt, 2),
                                  .slot = sqlite3_column_int(stmt, 6),
                                  .payload_size = (size_t)sqlite3_column_bytes(stmt, 7)};
        for (unsigned i = 1; i < REFUSED_N; i++)
            if (column_equals(stmt, 3, refusal_name((enum refusal_reason)i)))
                refusal.reason = (enum refusal_reason)i;
        column_copy(stmt, 4, refusal.detail, sizeof(refusal.detail));
        column_copy(stmt, 5, refusal.property, sizeof(refusal.property));
        if ((rc = row(arg, sqlite3_column_int64(stmt, 0), &refusal, sqlite3_column_blob(stmt, 7)))) {
            sqlite3_reset(stmt);
            break;
        }
    }
    partition_leave(partition);
    return rc;
}

int partition_dead_done(struct partition *partition, int64_t id)
{
    int rc = partition_enter(partition, NULL);
    if (rc)
        return rc;
    if ((rc = db_begin(partition->db)) == 0) {
        sqlite3_stmt *stmt = db_stmt(partition->db, SQL_DEAD_DONE);
        db_bind_i64(stmt, ":id", id);
        rc = db_run(partition->db, stmt);
    }
    rc = partition_finish(partition, rc, NULL, "write");
    partition_leave(partition);
    return rc;
}

int partition_dead_held(struct partition *partition, struct dead_held *ret_held)
{
    int rc = partition_enter(partition, NULL);
    if (rc)
        return rc;
    sqlite3_stmt *stmt = db_stmt(partition->db, SQL_DEAD_HELD);
    rc = db_step(partition->db, stmt);
    if (rc == 1) {
        *ret_held = (struct dead_held){sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1),
                                       sqlite3_column_int64(stmt, 2)};
        sqlite3_reset(stmt);
        rc = 0;
    }
    partition_leave(partition);
    return rc;
}

/* The last of the oldest letters that have bytes together. */
static int find_last(struct partition *partition, int64_t bytes, int64_t *ret_id, int64_t *ret_n)
{
    sqlite3_stmt *stmt = db_stmt(partition->db, SQL_DEAD_OLDEST);
    int rc;
    db_bind_i64(stmt, ":max", TRIM_MAX);
    while ((rc = db_step(partition->db, stmt)) == 1) {
        *ret_id = sqlite3_column_int64(stmt, 0);
        ++*ret_n;
        bytes -= sqlite3_column_int64(stmt, 1);
        if (bytes <= 0) {
            sqlite3_reset(stmt);
            return 0;
        }
    }
    return rc;
}

int partition_dead_trim(struct partition *partition, int64_t bytes, int64_t *ret_n, struct err_text *error)
{
    int64_t id = 0, n = 0;
    int rc = partition_enter(partition, error);
    if (rc)
        return rc;
    if ((rc = db_begin(partition->db)) == 0) {
        rc = find_last(partition, bytes, &id, &n);
        sqlite3_stmt *stmt = db_stmt(partition->db, SQL_DEAD_TRIM);
        db_bind_i64(stmt, ":id", id);
        rc = rc ? rc : db_run(partition->db, stmt);
    }
    rc = partition_finish(partition, rc, error, "write");
    partition_leave(partition);
    if (!rc)
        *ret_n = n;
    return rc;
}
