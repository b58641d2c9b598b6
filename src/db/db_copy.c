#include <config.h>

#include <stdio.h>
#include <unistd.h>

#include "common/files.h"
#include "db/db.h"
#include "db/sums.h"

/* Writes the first page of the new file, as that of from: what is copied later may be written in any order, and the VFS sums
 * pages only once it has seen from the first one that they leave room. */
static int begin_pages(struct db *from, sqlite3 *to)
{
    int64_t page_bytes;
    char text[64];
    int n_bytes = -1; /* asks */
    int rc = db_get_i64(from, "PRAGMA page_size", &page_bytes);
    if (rc)
        return rc;
    if ((rc = sqlite3_file_control(db_handle(from), "main", SQLITE_FCNTL_RESERVE_BYTES, &n_bytes)) == SQLITE_OK)
        rc = sqlite3_file_control(to, "main", SQLITE_FCNTL_RESERVE_BYTES, &n_bytes);
    snprintf(text, sizeof(text), "PRAGMA page_size=%d; PRAGMA user_version=1", (int)page_bytes);
    return db_code(rc != SQLITE_OK ? rc : sqlite3_exec(to, text, NULL, NULL, NULL));
}

/* Copies every page of from in one read transaction. */
static int copy_pages(struct db *from, sqlite3 *to)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", db_handle(from), "main");
    if (!backup)
        return db_code(sqlite3_errcode(to));
    int rc = sqlite3_backup_step(backup, -1);
    int ended = sqlite3_backup_finish(backup);
    return rc == SQLITE_DONE ? db_code(ended) : db_code(rc);
}

int db_copy_open(struct db *from, const char *to, struct err_text *error)
{
    sqlite3 *handle = NULL;
    if (access(to, F_OK) == 0)
        return err_set(error, ERR_EXISTS, "\"%s\" exists already", to);
    int rc = db_code(sqlite3_open_v2(to, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, SUMS_VFS));
    if (!rc) /* nobody needs it before it is synced below */
        rc = db_code(sqlite3_exec(handle, "PRAGMA synchronous=OFF", NULL, NULL, NULL));
    if (!rc)
        rc = begin_pages(from, handle);
    if (!rc)
        rc = copy_pages(from, handle);
    if (!rc)
        rc = db_code(sqlite3_exec(handle, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL));
    int closed = db_code(sqlite3_close(handle));
    rc = rc ? rc : closed ? closed : files_sync(to);
    if (rc) {
        unlink(to);
        return err_set(error, rc, "cannot copy \"%s\" to \"%s\": %s", db_path(from), to, err_name(rc));
    }
    return 0;
}

int db_copy(const char *path, const struct db_format *format, const char *to, struct err_text *error)
{
    struct db *from;
    int rc = db_open(&(struct db_opts){.path = path, .mode = DB_READ, .format = format}, &from, error);
    if (rc)
        return rc;
    rc = db_copy_open(from, to, error);
    db_close(from);
    return rc;
}
