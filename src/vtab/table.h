/* What the virtual tables have in common: each goes through the series that the WHERE asks for, and gives rows of one after
 * the other. A table is a row of functions; the rest of SQLite's interface is in table.c. Private to vtab. */
#ifndef VTAB_TABLE_H
#define VTAB_TABLE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

#include "vtab/connection.h"
#include "vtab/question.h"
#include "vtab/value.h"

/* A table's own cursor begins with this one. */
struct cursor {
    sqlite3_vtab_cursor base;
    struct connection *connection;
    struct question question;
    const struct series_info *info; /* the series that has its turn; NULL behind the last one */
    size_t next_series;             /* index of the one after it */
    bool in_series;                 /* begin was called for it */
    sqlite3_int64 rowid;            /* counts the rows */
};

struct table {
    const char *name;
    struct question_table asked;
    size_t cursor_size;
    const char *columns; /* as CREATE TABLE x(...) */
    /* Checks the question's parameters, once for each; may be NULL. */
    int (*check)(struct cursor *cursor, struct err_text *error);
    /* Begins with cursor->info. */
    int (*begin)(struct cursor *cursor, struct err_text *error);
    /* Goes to the next row: 1, 0 behind the last one, or a code. */
    int (*next)(struct cursor *cursor, struct err_text *error);
    void (*end)(struct cursor *cursor);  /* ends the series; called in any state, and more than once */
    void (*done)(struct cursor *cursor); /* frees what is kept between series; after end */
    void (*column)(struct cursor *cursor, sqlite3_context *context, int column);
};

extern const struct table table_readings, table_rollup, table_last, table_revisions;

/* Adds a table to the connection, which it keeps. An SQLite code. */
MUST_CHECK int table_add(struct connection *connection, const struct table *table);

/* Whether the statement needs a column. */
static inline bool cursor_needs(const struct cursor *cursor, int column)
{
    return cursor->question.columns >> column & 1;
}

/* The columns entity, type, property and unit of the series. */
void cursor_series_column(const struct cursor *cursor, sqlite3_context *context, enum meaning meaning);

#endif
