/* Inside of the check of one window: its files as a whole (verify_look), its chunks (verify_chunks), what is derived from them
 * (verify_derived), and the order of all that (verify_window). Private to them. */
#ifndef STORE_VERIFY_WINDOW_INSIDE_H
#define STORE_VERIFY_WINDOW_INSIDE_H

#include <stdbool.h>

#include "rollup/cell.h"
#include "store/rows.h"
#include "store/tier_file.h"
#include "store/verify_inside.h"
#include "store/window_file.h"

/* The statements of open and raw files, and of tier files. */
enum sql {
    SQL_FACT, SQL_SERIES, SQL_CHUNKS, SQL_ORPHANS, SQL_DELETIONS, SQL_DAYS, SQL_DAY_ORPHANS, SQL_CHANGE, SQL_CHANGES, SQL_N
};
enum tier_sql {
    TIER_SQL_FACT, TIER_SQL_SERIES, TIER_SQL_BLOCKS, TIER_SQL_ORPHANS, TIER_SQL_DAYS, TIER_SQL_DAY_ORPHANS, TIER_SQL_N
};

/* A series as its file says it. */
struct listed_series {
    struct series_row row;
    struct series_counts counts; /* of raw files */
    unsigned tiers;              /* of tier files */
};

struct series_list {
    struct listed_series *at; /* by id */
    size_t n, cap;
};

/* One file of a window at work. */
struct look {
    const struct file *file;
    char path[4096]; /* as reported */
    struct db *db;   /* NULL: not there, or too damaged to be read */
    int64_t mark;
    struct series_list series;
};

struct window_check {
    struct verify *verify;
    const struct verify_place *place;
    struct look main, tier; /* main: the open or the raw file */
    bool gone, known; /* known: but for its series it was looked at before */
    /* the series at work */
    const struct listed_series *series;
    bool damaged;           /* some of its readings cannot be read: nothing is compared with them */
    struct points points, in_force;
    struct rows rows;
    struct settled settled;
    struct cells cells, stored;
    int64_t last_us, last_issued_us; /* of the chunk before */
    struct changes noted;            /* what the file notes of changes; with noted_wrong nothing is compared with it */
    bool noted_wrong, has_below;     /* has_below: a sealed file lies below the open one */
    int64_t born, born_before;       /* the two newest batches with which chunks were written */
};

static inline bool verify_is_over(const struct window_check *check)
{
    return check->verify->rc != 0;
}

/* What to do about a file: derived ones are derived again. */
const char *verify_act_on(const struct look *look);
/* "series 7 (m-1 voltage)"; valid until the next call in this thread. */
const char *verify_name_of(const struct listed_series *series);
/* Reports what of the series at work differs. Returns verify->rc. */
int verify_differs(struct window_check *check, const struct look *look, const char *what);

/* ---- a file ---- */

/* Opens the file and checks it as a whole; look->db stays NULL where nothing more can be said. */
void verify_look_begin(struct window_check *check, struct look *look, const struct file *file);
void verify_look_end(struct look *look);
/* A code of the database: no memory ends the work, anything else is a finding. Returns verify->rc. */
int verify_look_fail(struct window_check *check, const struct look *look, int code, const char *doing);
/* Reads up to which batch the file holds everything. */
MUST_CHECK int verify_look_mark(struct look *look);
/* The newest batch that may be in the file; of a sealed one the list knows it. */
int64_t verify_look_newest(const struct look *look);
/* Reports what the statement counts, where that is not 0. */
void verify_look_none(struct window_check *check, struct look *look, sqlite3_stmt *stmt, const char *what);

/* ---- of the series at work ---- */

/* Checks its chunks and what is noted of changes, and settles its readings into check->in_force. */
void verify_chunks_read(struct window_check *check);
/* Compares what the file counts with them. */
void verify_chunks_counts(struct window_check *check);

/* The rows for people of a file, and all tiers, against the readings. */
void verify_derived_days(struct window_check *check, struct look *look);
void verify_derived_tiers(struct window_check *check);
/* Reads the cells of a tier into check->stored; whether that went well. */
bool verify_derived_cells(struct window_check *check, uint32_t series_id, enum tier tier);

const struct listed_series *verify_find_series(const struct series_list *list, uint32_t id); /* or NULL */

#endif
