/* What the tables of one connection share: the data directory, and the state that the running statements see. Private to
 * vtab. */
#ifndef VTAB_CONNECTION_H
#define VTAB_CONNECTION_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vtab/vtab.h"

/* A statement, and which of its runs. */
struct run {
    sqlite3_stmt *stmt;
    int n;
};

struct connection {
    sqlite3 *db;
    int refs;                   /* of the modules */
    struct reader_dir *reader;
    struct view *view;
    bool owns_reader, owns_view;
    int (*look)(void *arg);     /* as in struct vtab_opts */
    void *look_arg;
    int n_cursors;              /* open ones */
    struct run *runs;           /* the statements that have looked at view */
    size_t n_runs, runs_cap;
};

struct connection *connection_new(sqlite3 *db, const struct vtab_opts *opts); /* refs 1; NULL without memory */
void connection_drop(void *connection); /* one ref */

/* Opens the directory where that has not been done. */
MUST_CHECK int connection_open(struct connection *connection, struct err_text *error);

/* A statement is planned: lets go of a state that no running statement has seen. */
void connection_plan(struct connection *connection);

/* A cursor opens: makes sure that connection->view is the state its statement sees. Then connection_end when it closes. */
MUST_CHECK int connection_begin(struct connection *connection, struct err_text *error);
void connection_end(struct connection *connection);

#endif
