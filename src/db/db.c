#include <config.h>

#include "db/db.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/files.h"
#include "db/sums.h"

#define BUSY_TIMEOUT_MS 10000
#define MAP_BYTES (INT64_C(1) << 40)

struct db {
    sqlite3 *handle;
    struct db_opts opts;
    char *path;
    sqlite3_stmt **stmts;
    sqlite3_stmt *rollback; /* made beforehand: a rollback must not fail for want of memory, and leave a transaction open */
    sqlite3_stmt *held; /* stands on its first row while the reader's lock is kept; or NULL */
    sqlite3_stmt *version, *mode; /* of db_stamp, once they are needed */
    bool keeps_log;     /* the file has a log, and this connection keeps it open */
    int last; /* SQLite's code of the last failure */
};

int db_code(int sqlite_code)
{
    if (sqlite_code == SQLITE_IOERR_NOMEM)
        return ERR_NOMEM;
    switch (sqlite_code & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW:
        return 0;
    case SQLITE_NOMEM:
        return ERR_NOMEM;
    case SQLITE_FULL:
        return ERR_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_CONSTRAINT:
        return ERR_EXISTS;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return ERR_DENIED;
    case SQLITE_TOOBIG:
        return ERR_LIMIT;
    case SQLITE_ERROR:
    case SQLITE_MISUSE:
        /* a statement that does not fit its schema: the file is not what its format says */
        return ERR_CORRUPT;
    default:
        return ERR_IO;
    }
}

static int fail(struct db *db, int sqlite_code)
{
    db->last = sqlite_code;
    return db_code(sqlite_code);
}

int db_error(struct db *db, struct err_text *error, int code, const char *doing)
{
    return err_set(error, code, "cannot %s \"%s\": %s", doing, db->path,
                   db->last && db_code(db->last) == code ? sqlite3_errstr(db->last) : err_name(code));
}

int db_exec(struct db *db, const char *sql)
{
    int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : fail(db, rc);
}

int db_get_i64(struct db *db, const char *sql, int64_t *ret_value)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return fail(db, rc);
    rc = sqlite3_step(stmt);
    int64_t value = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    if (rc == SQLITE_DONE)
        return ERR_NOTFOUND;
    if (rc != SQLITE_ROW)
        return fail(db, rc);
    *ret_value = value;
    return 0;
}

void db_map(struct db *db, bool mapped)
{
    sqlite3_int64 bytes = mapped ? MAP_BYTES : 0;
    sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_MMAP_SIZE, &bytes);
}

/* Of a database file's head (sqlite.org/fileformat2.html, 1.3). */
enum { WRITE_VERSION = 18, READ_VERSION = 19, COUNTER = 24, HEAD_BYTES = 28 };
enum { ROLLBACK = 1, LOGGED = 2 };

/* SQLite's own; NULL where it has none. */
static sqlite3_file *file_of(sqlite3 *handle)
{
    sqlite3_file *file = NULL;
    int rc = sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    return rc == SQLITE_OK && file && file->pMethods ? file : NULL;
}

static int read_file(sqlite3 *handle, void *out, int size, sqlite3_int64 at)
{
    sqlite3_file *file = file_of(handle);
    return file ? file->pMethods->xRead(file, out, size, at) : SQLITE_CANTOPEN;
}

int db_change_counter(struct db *db, uint32_t *ret_counter)
{
    uint8_t head[HEAD_BYTES];
    if (read_file(db->handle, head + READ_VERSION, HEAD_BYTES - READ_VERSION, READ_VERSION) != SQLITE_OK)
        return ERR_IO;
    if (head[READ_VERSION] != ROLLBACK)
        return ERR_NOTFOUND;
    memcpy(ret_counter, head + COUNTER, sizeof(*ret_counter)); /* only compared: the order of its bytes does not matter */
    return 0;
}

bool db_is_logged(const char *path)
{
    sqlite3 *handle = NULL;
    uint8_t version;
    bool is_logged = sqlite3_open_v2(path, &handle, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
                     read_file(handle, &version, 1, WRITE_VERSION) == SQLITE_OK && version == LOGGED;
    sqlite3_close(handle);
    return is_logged;
}

static int set_up(struct db *db)
{
    const struct db_opts *opts = &db->opts;
    char sql[160];
    int rc = db_exec(db, "PRAGMA secure_delete=OFF; PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=ON; "
                         "PRAGMA trusted_schema=OFF");
    if (!rc && opts->mode >= DB_CREATE && opts->page_bytes) {
        snprintf(sql, sizeof(sql), "PRAGMA page_size=%d", opts->page_bytes);
        rc = db_exec(db, sql);
    }
    if (!rc && opts->mode >= DB_CREATE && opts->shrinks)
        rc = db_exec(db, "PRAGMA auto_vacuum=INCREMENTAL");
    if (!rc && opts->rollback_journal && opts->mode == DB_WRITE)
        rc = db_exec(db, "PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL");
    else if (!rc && opts->mode == DB_WRITE)
        rc = db_exec(db, opts->sync_each_commit
                             ? "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA journal_size_limit=67108864"
                             : "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=0; "
                               "PRAGMA journal_size_limit=67108864");
    if (!rc && opts->mode == DB_CREATE_PLAIN)
        rc = db_exec(db, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE");
    if (!rc && opts->mode == DB_READ_SEALED) {
        snprintf(sql, sizeof(sql), "PRAGMA mmap_size=%lld", (long long)MAP_BYTES);
        rc = db_exec(db, sql);
    }
    return rc;
}

static int create_schema(struct db *db)
{
    char sql[96];
    snprintf(sql, sizeof(sql), "PRAGMA application_id=%d; PRAGMA user_version=%d",
             (int)db->opts.format->application_id, db->opts.format->version);
    int rc = db_exec(db, "BEGIN IMMEDIATE");
    if (!rc)
        rc = db_exec(db, db->opts.schema);
    if (!rc)
        rc = db_exec(db, sql);
    if (!rc)
        rc = db_exec(db, "COMMIT");
    return rc;
}

/* Pages leave room for their sums from the first one on. */
static int make_room(struct db *db)
{
    int n_bytes = SUMS_BYTES;
    int rc = db->opts.format->is_sealed ? SQLITE_OK
                                        : sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_RESERVE_BYTES, &n_bytes);
    return rc == SQLITE_OK ? 0 : fail(db, rc);
}

/* A writer gives all pages their sums anew where somebody wrote without: a site's own models, put in with the sqlite3 shell. */
static int sum_anew(struct db *db)
{
    int strange = 0;
    int64_t version;
    if (db->opts.mode != DB_WRITE || db->opts.format->is_sealed)
        return 0;
    int rc = db_get_i64(db, "PRAGMA schema_version", &version); /* reads page 1, before anything writes it */
    if (rc)
        return rc;
    rc = sqlite3_file_control(db->handle, "main", SUMS_FCNTL_STRANGE, &strange);
    if (rc != SQLITE_OK)
        return fail(db, rc);
    return strange ? db_exec(db, "VACUUM") : 0;
}

static int check_format(struct db *db, struct err_text *error)
{
    const struct db_format *format = db->opts.format;
    int64_t id, version;
    int rc = db_get_i64(db, "PRAGMA application_id", &id);
    if (!rc)
        rc = db_get_i64(db, "PRAGMA user_version", &version);
    if (rc)
        return db_error(db, error, rc, "open");
    if ((uint32_t)id != format->application_id)
        return err_set(error, ERR_VERSION, "\"%s\" is not an Almanac %s: move it away", db->path, format->name);
    if (version != format->version)
        return err_set(error, ERR_VERSION,
                       "\"%s\" is an Almanac %s of format %lld, this program knows format %d: use the program that wrote it",
                       db->path, format->name, (long long)version, format->version);
    return 0;
}

/* A file: URI of the path with everything unusual escaped. */
static char *make_uri(const char *path, bool immutable)
{
    char *uri = malloc(3 * strlen(path) + 40);
    if (!uri)
        return NULL;
    memcpy(uri, "file:", 5);
    size_t n = 5;
    for (const char *c = path; *c; c++) {
        if (*c == '?' || *c == '#' || *c == '%')
            n += (size_t)snprintf(uri + n, 4, "%%%02x", (unsigned char)*c);
        else
            uri[n++] = *c;
    }
    memcpy(uri + n, immutable ? "?immutable=1" : "", immutable ? 13 : 1);
    return uri;
}

static void unlink_log(const char *path)
{
    static const char *const ends[] = {"-wal", "-shm", "-journal"};
    char log_path[PATH_MAX];
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
        snprintf(log_path, sizeof(log_path), "%s%s", path, ends[i]);
        files_unlink(log_path);
    }
}

/* Makes the file under another name and renames it when it is whole: nobody ever meets half a database, after a crash
 * neither. */
static int create_whole(const struct db_opts *opts, struct err_text *error)
{
    char path[PATH_MAX];
    struct db_opts plain = *opts;
    struct db *db;
    snprintf(path, sizeof(path), "%s.new", opts->path);
    files_unlink(path); /* of a crash, as would be a log of an earlier file of this name */
    unlink_log(opts->path);
    plain.path = path;
    plain.mode = DB_CREATE_PLAIN;
    int rc = db_open(&plain, &db, error);
    if (rc)
        return rc;
    db_close(db);
    rc = files_sync(path);
    rc = rc ? rc : files_rename(path, opts->path);
    bool renamed = !rc;
    rc = rc ? rc : files_sync_folder_of(opts->path);
    if (rc) {
        err_set(error, rc, "cannot create \"%s\": %s", opts->path, strerror(errno));
        files_unlink(renamed ? opts->path : path); /* what may be lost is not left for others to find and build on */
    }
    return rc;
}

/* The disk has no room for the log's index, and the file's first page may say already that there is a log: then readers would
 * have to make that index and could not. Takes it back without writing anything but that page. Where the file cannot be had
 * alone, somebody has an index, and all is well. */
static void take_back_wal(const struct db_opts *opts)
{
    sqlite3 *handle = NULL;
    char *uri = make_uri(opts->path, false);
    if (uri && sqlite3_open_v2(uri, &handle, SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE,
                               opts->format->is_sealed ? WHOLE_VFS : SUMS_VFS) == SQLITE_OK)
        sqlite3_exec(handle, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=MEMORY", NULL, NULL, NULL);
    sqlite3_close(handle);
    free(uri);
}

#ifndef SQLITE3EXT_H /* who loads almanac.so has a SQLite that is set up already */
void db_expect_many(void)
{
    sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
}
#endif

int db_open(const struct db_opts *opts, struct db **ret_db, struct err_text *error)
{
    bool create = opts->mode >= DB_CREATE;
    bool exists = access(opts->path, F_OK) == 0;
    if (create && exists)
        return err_set(error, ERR_EXISTS, "\"%s\" exists already", opts->path);
    if (!create && !exists)
        return err_set(error, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "cannot open \"%s\": %s", opts->path,
                       strerror(errno));
    if (opts->mode == DB_CREATE) {
        struct db_opts made = *opts;
        int created = create_whole(opts, error);
        made.mode = DB_WRITE;
        return created ? created : db_open(&made, ret_db, error);
    }
    struct db *db = calloc(1, sizeof(*db));
    char *uri = make_uri(opts->path, opts->mode == DB_READ_SEALED);
    if (!db || !uri || !(db->path = strdup(opts->path)) ||
        (opts->n_sql && !(db->stmts = calloc((size_t)opts->n_sql, sizeof(*db->stmts))))) {
        db_close(db);
        free(uri);
        return err_set(error, ERR_NOMEM, "cannot open \"%s\": out of memory", opts->path);
    }
    db->opts = *opts;
    int flags = SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    flags |= opts->mode == DB_READ || opts->mode == DB_READ_SEALED ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    flags |= create ? SQLITE_OPEN_CREATE : 0;
    int rc = sums_register();
    if (rc == SQLITE_OK)
        rc = sqlite3_open_v2(uri, &db->handle, flags, opts->format->is_sealed ? WHOLE_VFS : SUMS_VFS);
    free(uri);
    rc = rc == SQLITE_OK ? 0 : fail(db, rc);
    if (!rc && create)
        rc = make_room(db);
    if (!rc) {
        sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS);
        sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
                          opts->mode == DB_READ || opts->mode == DB_READ_SEALED, NULL);
        rc = sum_anew(db);
        rc = rc ? rc : set_up(db);
    }
    if (!rc && create)
        rc = create_schema(db);
    if (!rc && (rc = sqlite3_prepare_v3(db->handle, "ROLLBACK", -1, SQLITE_PREPARE_PERSISTENT, &db->rollback, NULL)))
        rc = fail(db, rc);
    if (rc)
        db_error(db, error, rc, create ? "create" : "open");
    else
        rc = check_format(db, error);
    if (rc) {
        db_close(db);
        if (create)
            files_unlink(opts->path);
        if (opts->mode == DB_WRITE && !opts->rollback_journal && (rc == ERR_IO || rc == ERR_FULL))
            take_back_wal(opts);
        return rc;
    }
    *ret_db = db;
    return 0;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    sqlite3_finalize(db->rollback);
    sqlite3_finalize(db->held);
    sqlite3_finalize(db->version);
    sqlite3_finalize(db->mode);
    for (int i = 0; db->stmts && i < db->opts.n_sql; i++)
        sqlite3_finalize(db->stmts[i]);
    free(db->stmts);
    sqlite3_close(db->handle);
    free(db->path);
    free(db);
}

sqlite3 *db_handle(struct db *db)
{
    return db->handle;
}

const char *db_path(const struct db *db)
{
    return db->path;
}

sqlite3_stmt *db_stmt(struct db *db, int i)
{
    assert(i >= 0 && i < db->opts.n_sql);
    if (db->stmts[i]) {
        sqlite3_reset(db->stmts[i]);
        sqlite3_clear_bindings(db->stmts[i]);
        return db->stmts[i];
    }
    int rc = sqlite3_prepare_v3(db->handle, db->opts.sql[i], -1, SQLITE_PREPARE_PERSISTENT, &db->stmts[i], NULL);
    if (rc != SQLITE_OK)
        fail(db, rc);
    return db->stmts[i];
}

static int parameter(sqlite3_stmt *stmt, const char *name)
{
    int i = sqlite3_bind_parameter_index(stmt, name);
    assert(i > 0);
    return i;
}

void db_bind_i64(sqlite3_stmt *stmt, const char *name, int64_t value)
{
    if (stmt)
        sqlite3_bind_int64(stmt, parameter(stmt, name), value);
}

void db_bind_text(sqlite3_stmt *stmt, const char *name, const char *text)
{
    if (stmt)
        sqlite3_bind_text(stmt, parameter(stmt, name), text, -1, SQLITE_STATIC);
}

void db_bind_text_n(sqlite3_stmt *stmt, const char *name, const char *text, size_t size)
{
    if (stmt)
        sqlite3_bind_text64(stmt, parameter(stmt, name), text, size, SQLITE_STATIC, SQLITE_UTF8);
}

void db_bind_blob(sqlite3_stmt *stmt, const char *name, const void *data, size_t size)
{
    if (stmt)
        sqlite3_bind_blob64(stmt, parameter(stmt, name), data ? data : "", size, SQLITE_STATIC);
}

/* A text gets its NUL, and for that maybe memory, when it is first asked for: then sqlite3_column_text has no way to tell that
 * there was none, here there is one. */
static bool has_texts(sqlite3_stmt *stmt)
{
    for (int i = sqlite3_data_count(stmt); i-- > 0;)
        if (sqlite3_column_type(stmt, i) == SQLITE_TEXT && !sqlite3_column_text(stmt, i))
            return false;
    return true;
}

int db_step(struct db *db, sqlite3_stmt *stmt)
{
    if (!stmt)
        return db_code(db->last);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW && has_texts(stmt))
        return 1;
    rc = rc == SQLITE_ROW ? SQLITE_NOMEM : rc;
    sqlite3_reset(stmt);
    return rc == SQLITE_DONE ? 0 : fail(db, rc);
}

int db_run(struct db *db, sqlite3_stmt *stmt)
{
    int rc = db_step(db, stmt);
    if (rc == 1) {
        sqlite3_reset(stmt);
        rc = 0;
    }
    return rc;
}

int db_hold(struct db *db)
{
    int rc = db->held ? SQLITE_OK : sqlite3_prepare_v2(db->handle, "SELECT 1 FROM sqlite_schema", -1, &db->held, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(db->held);
    return rc == SQLITE_ROW ? 0 : fail(db, rc == SQLITE_DONE ? SQLITE_CORRUPT : rc);
}

int db_vacuum(struct db *db)
{
    if (db->held)
        sqlite3_reset(db->held);
    int rc = db_exec(db, "VACUUM"), again = db->held ? db_hold(db) : 0;
    return rc ? rc : again;
}

#define PIECE_BYTES 60000 /* no size of a page: its sum is not looked at */

int db_contains(struct db *db, const void *bytes, size_t size)
{
    sqlite3_file *file = file_of(db->handle);
    sqlite3_int64 end, at = 0;
    int rc = file ? file->pMethods->xFileSize(file, &end) : SQLITE_CANTOPEN;
    uint8_t *piece = malloc(PIECE_BYTES);
    bool found = false;
    rc = rc != SQLITE_OK ? rc : piece ? SQLITE_OK : SQLITE_NOMEM;
    for (; rc == SQLITE_OK && !found && at + (sqlite3_int64)size <= end; at += PIECE_BYTES - (sqlite3_int64)size + 1) {
        int n = end - at < PIECE_BYTES ? (int)(end - at) : PIECE_BYTES;
        rc = read_file(db->handle, piece, n, at);
        found = rc == SQLITE_OK && memmem(piece, (size_t)n, bytes, size);
    }
    free(piece);
    return rc == SQLITE_OK ? found : fail(db, rc);
}

/* The head of the log's index, which each commit makes another one (sqlite.org/walformat.html, 2.1: two copies of 48 bytes, of
 * which the writer writes the second one first). false: it is just being written, or the index is not of the kind that is known
 * here. */
static bool read_log_head(sqlite3 *handle, uint32_t head[static 12])
{
    enum { INDEX_VERSION = 3007000, REGION_BYTES = 32768 };
    sqlite3_file *file = file_of(handle);
    void volatile *region = NULL;
    if (!file || file->pMethods->xShmMap(file, 0, REGION_BYTES, 0, &region) != SQLITE_OK || !region)
        return false;
    const volatile uint32_t *words = region;
    for (int i = 0; i < 12; i++)
        head[i] = words[i];
    atomic_thread_fence(memory_order_acquire);
    bool is_whole = head[0] == INDEX_VERSION;
    for (int i = 0; i < 12; i++)
        is_whole = is_whole && words[12 + i] == head[i];
    return is_whole;
}

static int first_column(struct db *db, sqlite3_stmt **stmt, const char *sql)
{
    if (!*stmt && sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL))
        return fail(db, sqlite3_errcode(db->handle));
    int rc = db_step(db, *stmt);
    return rc == 1 ? 0 : rc ? rc : ERR_CORRUPT;
}

/* A connection that has read a file with a log keeps both until its end: so the log's index stays where it is mapped. */
int db_stamp(struct db *db, struct db_stamp *ret_stamp)
{
    *ret_stamp = (struct db_stamp){0};
    if (db->keeps_log && read_log_head(db->handle, ret_stamp->log_head))
        return 0;
    int rc = first_column(db, &db->version, "PRAGMA data_version"); /* opens the log, and recovers its index */
    if (rc)
        return rc;
    *ret_stamp = (struct db_stamp){.version = sqlite3_column_int64(db->version, 0)};
    sqlite3_reset(db->version);
    if (db->keeps_log || (rc = first_column(db, &db->mode, "PRAGMA journal_mode")))
        return rc;
    db->keeps_log = strcmp((const char *)sqlite3_column_text(db->mode, 0), "wal") == 0;
    sqlite3_reset(db->mode);
    return 0;
}

bool db_stamp_equal(const struct db_stamp *a, const struct db_stamp *b)
{
    return memcmp(a, b, sizeof(*a)) == 0 && (a->version || a->log_head[0]);
}

int db_begin(struct db *db)
{
    bool reads = db->opts.mode == DB_READ || db->opts.mode == DB_READ_SEALED;
    return db_exec(db, reads ? "BEGIN" : "BEGIN IMMEDIATE");
}

int db_commit(struct db *db)
{
    int rc = db_exec(db, "COMMIT");
    if (rc)
        db_rollback(db);
    return rc;
}

void db_rollback(struct db *db)
{
    if (sqlite3_get_autocommit(db->handle) || !db->rollback)
        return;
    sqlite3_step(db->rollback);
    sqlite3_reset(db->rollback);
}

int db_checkpoint(struct db *db, bool *ret_whole)
{
    assert(db->opts.mode == DB_WRITE);
    int n_log = 0, n_moved = 0;
    int rc = sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, &n_log, &n_moved);
    if (rc != SQLITE_OK)
        return fail(db, rc);
    *ret_whole = n_log == n_moved;
    return 0;
}

int db_checkpoint_whole(struct db *db, bool *ret_whole)
{
    assert(db->opts.mode == DB_WRITE);
    int rc = sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (rc != SQLITE_OK && rc != SQLITE_BUSY)
        return fail(db, rc);
    *ret_whole = rc == SQLITE_OK;
    return 0;
}

int db_forget(struct db *db, bool *ret_whole)
{
    int rc = db_exec(db, "VACUUM");
    return rc ? rc : db_checkpoint_whole(db, ret_whole);
}

int db_leave_wal(struct db *db)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(db->handle, "PRAGMA journal_mode=DELETE", -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return fail(db, rc);
    rc = sqlite3_step(stmt);
    bool left = rc == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(stmt, 0), "delete") == 0;
    bool busy = rc == SQLITE_BUSY || (rc == SQLITE_ROW && !left);
    rc = sqlite3_finalize(stmt); /* the row comes before the commit: whether that went well is said here */
    if (rc == SQLITE_OK)
        return left ? 0 : ERR_BUSY;
    return busy ? ERR_BUSY : fail(db, rc);
}

void db_close_settled(struct db *db)
{
    if (!db)
        return;
    db_rollback(db);
    int rc = db_leave_wal(db);
    struct db_opts opts = db->opts;
    char *path = rc && rc != ERR_BUSY ? strdup(db->path) : NULL;
    db_close(db);
    opts.path = path;
    opts.mode = DB_WRITE;
    if (path && db_open(&opts, &db, NULL) == 0) {
        rc = db_leave_wal(db);
        db_close(db);
    }
    free(path);
}
