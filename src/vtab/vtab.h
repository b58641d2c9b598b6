/* SQL over a data directory: the virtual tables `readings`, `rollup`, `last` and `revisions` and the functions `local_time` and
 * `bucket`, for the extension almanac.so and for POST /v1/sql alike. docs/SQLITE.md says what they hold.
 *
 * The tables are eponymous: they are there as soon as they are registered. They read, and never write. A statement sees one
 * state of the store (I8); statements of a connection that overlap share theirs, as they share a read transaction. */
#ifndef VTAB_VTAB_H
#define VTAB_VTAB_H

#include <sqlite3.h>
#include <stddef.h>

#include "store/reader.h"

struct vtab_opts {
    struct reader_dir *reader; /* borrowed; NULL: the directory of the connection's main file is opened, else $ALMANAC_DIR */
    struct view *view;         /* borrowed: every statement sees this state; NULL: each the newest */
    int (*look)(void *arg);    /* asked before each series: 0, or the statement is broken off (SQLITE_INTERRUPT); or NULL */
    void *look_arg;
};

/* Adds tables and functions to a connection; what is borrowed must outlive it. An SQLite code. */
MUST_CHECK int vtab_register(sqlite3 *db, const struct vtab_opts *opts);

/* The data directory that an opened database file belongs to: the folder of the file, or one above it, that has a catalog.db
 * and a folder store. ERR_NOTFOUND (path NULL or "" too), ERR_LIMIT. */
MUST_CHECK int vtab_find_dir(const char *path, char *out, size_t size);

#endif
