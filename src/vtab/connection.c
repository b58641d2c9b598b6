#include <config.h>

#include "vtab/connection.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/array.h"

struct connection *connection_new(sqlite3 *db, const struct vtab_opts *opts)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection)
        *connection = (struct connection){.db = db, .refs = 1, .reader = opts->reader, .view = opts->view,
                                           .look = opts->look, .look_arg = opts->look_arg};
    return connection;
}

static void drop_view(struct connection *connection)
{
    if (connection->owns_view)
        view_close(connection->view);
    if (connection->owns_view)
        connection->view = NULL;
    connection->owns_view = false;
    connection->n_runs = 0;
}

void connection_drop(void *dropped)
{
    struct connection *connection = dropped;
    if (--connection->refs)
        return;
    drop_view(connection);
    if (connection->owns_reader)
        reader_dir_close(connection->reader);
    free(connection->runs);
    free(connection);
}

/* ---- the directory ---- */

static bool is_data_dir(const char *dir)
{
    char path[PATH_MAX];
    struct stat store;
    bool fits = snprintf(path, sizeof(path), "%s/catalog.db", dir) < (int)sizeof(path);
    if (!fits || access(path, F_OK))
        return false;
    fits = snprintf(path, sizeof(path), "%s/store", dir) < (int)sizeof(path);
    return fits && stat(path, &store) == 0 && S_ISDIR(store.st_mode);
}

int vtab_find_dir(const char *path, char *out, size_t size)
{
    char dir[PATH_MAX];
    char *slash;
    if (!path || !*path || !realpath(path, dir))
        return ERR_NOTFOUND;
    while ((slash = strrchr(dir, '/'))) {
        *slash = '\0';
        if (is_data_dir(*dir ? dir : "/"))
            return snprintf(out, size, "%s", *dir ? dir : "/") < (int)size ? 0 : ERR_LIMIT;
    }
    return ERR_NOTFOUND;
}

int connection_open(struct connection *connection, struct err_text *error)
{
    char dir[PATH_MAX];
    if (connection->reader)
        return 0;
    int rc = vtab_find_dir(sqlite3_db_filename(connection->db, "main"), dir, sizeof(dir));
    const char *named = getenv("ALMANAC_DIR");
    if (rc && named && *named)
        rc = snprintf(dir, sizeof(dir), "%s", named) < (int)sizeof(dir) ? 0 : ERR_LIMIT;
    if (rc)
        return err_set(error, ERR_NOTFOUND, "there is no data directory: open its catalog.db, or set $ALMANAC_DIR");
    rc = reader_dir_open(dir, &connection->reader, error);
    connection->owns_reader = !rc;
    return rc;
}

/* ---- the state ---- */

static bool is_running(sqlite3 *db, const struct run *run)
{
    for (sqlite3_stmt *stmt = sqlite3_next_stmt(db, NULL); stmt; stmt = sqlite3_next_stmt(db, stmt))
        if (stmt == run->stmt)
            return sqlite3_stmt_busy(stmt) && sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_RUN, 0) == run->n;
    return false;
}

/* Forgets the runs that are over; whether one is left. A statement that is freed could come back under the same address as
 * another, but not without being planned first, and then connection_plan has asked before. */
static bool has_run(struct connection *connection)
{
    size_t n = 0;
    for (size_t i = 0; i < connection->n_runs; i++)
        if (is_running(connection->db, &connection->runs[i]))
            connection->runs[n++] = connection->runs[i];
    connection->n_runs = n;
    return n > 0;
}

/* Which of the running statements opens the cursor SQLite does not say; all of them may go on with this state. */
static int note_runs(struct connection *connection)
{
    sqlite3 *db = connection->db;
    for (sqlite3_stmt *stmt = sqlite3_next_stmt(db, NULL); stmt; stmt = sqlite3_next_stmt(db, stmt)) {
        struct run run = {stmt, sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_RUN, 0)};
        size_t i = 0;
        if (!sqlite3_stmt_busy(stmt))
            continue;
        while (i < connection->n_runs && (connection->runs[i].stmt != stmt || connection->runs[i].n != run.n))
            i++;
        if (i < connection->n_runs)
            continue;
        if (array_grow(&connection->runs, &connection->runs_cap, connection->n_runs + 1, sizeof(*connection->runs)))
            return ERR_NOMEM;
        connection->runs[connection->n_runs++] = run;
    }
    return 0;
}

void connection_plan(struct connection *connection)
{
    if (connection->owns_view && !has_run(connection) && !connection->n_cursors)
        drop_view(connection);
}

int connection_begin(struct connection *connection, struct err_text *error)
{
    int rc = 0;
    connection_plan(connection);
    if (!connection->view) {
        rc = view_open(connection->reader, &connection->view, error);
        connection->owns_view = !rc;
    }
    if (!rc && connection->owns_view)
        rc = note_runs(connection);
    if (!rc)
        connection->n_cursors++;
    return rc;
}

void connection_end(struct connection *connection)
{
    connection->n_cursors--;
}
