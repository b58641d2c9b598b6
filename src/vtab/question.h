/* What of a WHERE the tables take over from SQLite, and what it comes to when the statement runs. Every condition that is
 * taken over narrows; SQLite checks again those of which it does not know at planning that they are met exactly.
 * Private to vtab. */
#ifndef VTAB_QUESTION_H
#define VTAB_QUESTION_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vtab/connection.h"
#include "vtab/instants.h"

/* What a column is to a question. */
enum meaning {
    MEANS_NOTHING,
    MEANS_ENTITY, MEANS_TYPE, MEANS_PROPERTY, MEANS_UNIT, /* of the series */
    MEANS_TIME, MEANS_T_US,
    MEANS_STEP, MEANS_ZONE, /* parameters: only equality, and the column gives the text back */
    MEANS_N
};

/* A table to a question. */
struct question_table {
    const enum meaning *meanings; /* of its columns */
    bool by_time;                 /* conditions on time and t_us are conditions on what is read */
    bool in_order;                /* the rows of a series come by t_us */
    double rows;                  /* of all of it, roughly */
};

/* xBestIndex. */
MUST_CHECK int question_plan(const struct question_table *table, sqlite3_index_info *info);

/* A series that is asked for; its texts lie behind it. */
struct question_series {
    struct series_info info;
};

struct question {
    uint64_t columns;             /* bit i: column i is needed; bit 63: so are all from 63 on */
    struct instants instants;
    char *step, *zone;            /* NULL: not given */
    struct question_series **series;  /* by entity and property where the order is asked for, else by id */
    size_t n_series, cap;
};

/* xFilter: the question with its constants. An SQLite code; the text for people is in error. */
MUST_CHECK int question_open(struct connection *connection, const char *encoded, int order, sqlite3_value **values,
                         struct question *ret_question, struct err_text *error);
void question_close(struct question *question);

#endif
