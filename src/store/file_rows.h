/* Rows that window files and tier files have alike: facts about the file, series, and days for people. */
#ifndef STORE_FILE_ROWS_H
#define STORE_FILE_ROWS_H

#include <stdint.h>

#include "common/err.h"
#include "db/db.h"
#include "store/catalog.h"
#include "store/window.h"

/* What a file is. */
struct file_facts {
    const char *topic;
    int32_t partition;
    struct window window;
    int64_t generation;
};

/* Writes them with statement i, which inserts :name and :value into info. */
MUST_CHECK int file_put_facts(struct db *db, int i, enum file_kind kind, const struct file_facts *facts);

/* A UTC day of a series for people, sql/people.sql; at_s and quality may be NULL. */
struct day_row {
    int64_t day, base; /* base: to be added to each value */
    const char *at_s, *value, *quality;
};

/* Bind :id :entity :type :property :unit :kind :step, and :series :day :base :at_s :value :quality. */
void file_bind_series(sqlite3_stmt *stmt, const struct series_row *series);
void file_bind_day(sqlite3_stmt *stmt, uint32_t series_id, const struct day_row *row);

/* Reads a row whose first columns are id, entity, type, property, unit, kind, step. ERR_CORRUPT. */
MUST_CHECK int file_read_series(sqlite3_stmt *stmt, struct series_row *row);
/* Steps through a statement of such rows; an answer of row that is not 0 ends the walk and is returned. */
MUST_CHECK int file_walk_series(struct db *db, sqlite3_stmt *stmt, int (*row)(void *arg, const struct series_row *series),
                                void *arg);

#endif
