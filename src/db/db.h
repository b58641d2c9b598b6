/* SQLite databases: opening with the format checked, statements, transactions, errors in words.
 *
 * A struct db is one connection and belongs to one thread at a time. Facts behind the settings: docs/FORMAT.md ("SQLite"). */
#ifndef DB_DB_H
#define DB_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* What kind of file it is; checked at each opening, so that another kind or a later version is refused by name. */
struct db_format {
    const char *name;        /* for people: "window file" */
    uint32_t application_id;
    int version;             /* user_version */
    bool is_sealed;          /* never changes once it is whole and has a digest: its pages have no sums (db/sums.h) */
};

enum db_mode {
    DB_READ,      /* mode=ro; never checkpoints, never writes (I5) */
    DB_READ_SEALED, /* immutable and mapped: for files that never change again (I3) */
    DB_WRITE,     /* the one writing connection; WAL */
    DB_CREATE,    /* makes the file with its schema; ERR_EXISTS when it is there; WAL */
    DB_CREATE_PLAIN /* the same without a journal: for a file that appears by rename when it is whole */
};

struct db_opts {
    const char *path;
    enum db_mode mode;
    const struct db_format *format;
    const char *schema;       /* of the DB_CREATE modes */
    const char *const *sql;   /* texts of the statements that db_stmt numbers */
    int n_sql;
    int page_bytes;           /* of the DB_CREATE modes; 0: SQLite's default */
    bool sync_each_commit;    /* synchronous=FULL instead of NORMAL */
    bool shrinks;             /* of the DB_CREATE modes: PRAGMA incremental_vacuum gives free pages back */
    bool rollback_journal;    /* instead of WAL, always synced: for a small file that several processes write now and then */
};

struct db;

/* For a process that keeps many files open: once, before anything else of SQLite. By itself SQLite sets memory for 20 pages aside
 * with each file that it opens, 87 KB, which files that are mapped never touch (SQLITE_CONFIG_PAGECACHE). */
void db_expect_many(void);

/* The strings of opts must live as long as the db, the path is copied. ERR_NOTFOUND, ERR_EXISTS, ERR_VERSION, ERR_CORRUPT,
 * ERR_FULL, ERR_IO, ERR_BUSY, ERR_NOMEM. */
MUST_CHECK int db_open(const struct db_opts *opts, struct db **ret_db, struct err_text *error);
void db_close(struct db *db);

sqlite3 *db_handle(struct db *db);
const char *db_path(const struct db *db);

/* Statement i of opts->sql, reset and without bindings; NULL when it cannot be prepared: db_step and db_run then answer the
 * error, so that a caller checks once. */
sqlite3_stmt *db_stmt(struct db *db, int i);

/* Bind by name (":t_us"); a name that the statement lacks is a programming error and asserted. Texts and blobs must live
 * until the statement is reset. */
void db_bind_i64(sqlite3_stmt *stmt, const char *name, int64_t value);
void db_bind_text(sqlite3_stmt *stmt, const char *name, const char *text);
void db_bind_text_n(sqlite3_stmt *stmt, const char *name, const char *text, size_t size);
void db_bind_blob(sqlite3_stmt *stmt, const char *name, const void *data, size_t size);

/* 1 a row, 0 the end (and reset), or a code (and reset). */
MUST_CHECK int db_step(struct db *db, sqlite3_stmt *stmt);
/* Runs a statement that gives no rows, and resets it. */
MUST_CHECK int db_run(struct db *db, sqlite3_stmt *stmt);
/* Runs one statement text that is not worth preparing. */
MUST_CHECK int db_exec(struct db *db, const char *sql);

/* The first column of the first row of a statement text; ERR_NOTFOUND without a row. */
MUST_CHECK int db_get_i64(struct db *db, const char *sql, int64_t *ret_value);

/* Lets go of what is mapped of a sealed file that nobody reads at the moment, or lets it be mapped again when it is read. */
void db_map(struct db *db, bool mapped);

/* What others have committed so far: while two stamps are equal nothing was committed between them. Who keeps something of what
 * he has read asks for the stamp first, and reads again where it is another one. Where the file has a log that costs no system
 * call. */
struct db_stamp {
    uint32_t log_head[12]; /* of the log's index; or zeros, and */
    int64_t version;       /* SQLite's data_version of this connection */
};
MUST_CHECK int db_stamp(struct db *db, struct db_stamp *ret_stamp);
bool db_stamp_equal(const struct db_stamp *a, const struct db_stamp *b); /* a zeroed one equals none that was given */

/* The change counter of a file with a rollback journal, read without a lock, which is what following a file costs else. While it
 * is the same nothing has been committed; where it is another something may still be about to be. ERR_NOTFOUND: the file has a
 * log, and the counter tells nothing; ERR_IO. */
MUST_CHECK int db_change_counter(struct db *db, uint32_t *ret_counter);

/* Copies a database that may be written meanwhile, in one read transaction, to a new file: synced, without -wal. Nothing of
 * the source changes (I5). ERR_EXISTS and as db_open. */
MUST_CHECK int db_copy(const char *path, const struct db_format *format, const char *to, struct err_text *error);
/* The same from a connection that is open, outside a transaction. */
MUST_CHECK int db_copy_open(struct db *from, const char *to, struct err_text *error);

/* Keeps a reader's lock on the file until the end, so that a statement neither takes it each time nor looks whether others have
 * written: for a file with a rollback journal that nobody else writes. Others may read it. */
MUST_CHECK int db_hold(struct db *db);
/* VACUUM, also of one that is held. */
MUST_CHECK int db_vacuum(struct db *db);
/* The next two read the file by SQLite's own descriptor: who opens and closes a file beside SQLite takes all its locks away
 * (sqlite.org/howtocorrupt.html, 2.2). */

/* 1 where the file has these bytes somewhere, in free pages too, 0, or a code. */
MUST_CHECK int db_contains(struct db *db, const void *bytes, size_t size);
/* Whether the file at path is one that is written with a log; not where it cannot be read or is no database. */
bool db_is_logged(const char *path);

MUST_CHECK int db_begin(struct db *db);   /* BEGIN IMMEDIATE on a writer, BEGIN on a reader */
MUST_CHECK int db_commit(struct db *db);  /* on failure it has been rolled back */
void db_rollback(struct db *db);          /* nothing happens outside a transaction */

/* Moves the log into the database and syncs it; *ret_whole says that nothing was left in the log. Writers only (I5). */
MUST_CHECK int db_checkpoint(struct db *db, bool *ret_whole);
/* Writes the whole database anew and empties the log, so that no page and no frame keeps what was deleted. *ret_whole: false
 * while a reader holds the log; db_checkpoint_whole then does the rest. Writers only, outside a transaction. */
MUST_CHECK int db_forget(struct db *db, bool *ret_whole);
MUST_CHECK int db_checkpoint_whole(struct db *db, bool *ret_whole);
/* Leaves the file readable without -wal and -shm; ERR_BUSY while another process reads it. */
MUST_CHECK int db_leave_wal(struct db *db);
/* Rolls back, leaves the file readable without -wal where no other process is reading, and closes. Where that fails half way
 * the file is opened once more: only a writer can roll back a journal that was left. */
void db_close_settled(struct db *db);

/* Writes "cannot DOING "path": cause" for the last failure and returns code. */
int db_error(struct db *db, struct err_text *error, int code, const char *doing);
/* The ERR_ code of an SQLite result code. */
int db_code(int sqlite_code);

#endif
