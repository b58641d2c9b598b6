/* Rows of one series in the order in which they take effect, and what is in force after all of them.
 *
 * This is the one place that knows how readings replace each other (contract section 2): flush applies batches to an open
 * window with it, seal applies an open window to a sealed one, the read side applies whatever overlaps. */
#ifndef STORE_ROWS_H
#define STORE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/points.h"
#include "common/err.h"
#include "model/reading.h"

/* Mark in the quality byte of a revision: nothing was in force from here on (the value was taken back). */
#define QUALITY_TAKEN_BACK 0x20
/* Mark in the quality byte of a replayed dead letter's reading while it is settled with others; never in a file. */
#define QUALITY_REPLAYED 0x40

struct row {
    int64_t t_us, issued_us, m, period_us, known_ms;
    uint64_t order; /* from 1; later rows take effect after earlier ones; ties keep the order of adding */
    int8_t e;
    uint8_t quality, op;
    bool again;    /* other values were in force since the equal one below: it is no repetition */
    bool replayed; /* a dead letter: takes effect before every row of lower order that was known as late or later */
    bool witness;  /* a deletion that is stored already: stands against what is replayed, and is not told again */
};

struct rows {
    struct row *at;
    size_t n, cap;
    struct texts texts; /* of states; m is an index */
    bool is_state;
    bool is_layer; /* settled apart from the layers below: what is replayed stays marked, so that they have their say */
};

/* A zeroed struct is empty. */
void rows_free(struct rows *rows);
void rows_clear(struct rows *rows);
/* Room for one more row, zeroed, or NULL without memory. */
struct row *rows_add(struct rows *rows);
/* Adds rows [begin, begin + n) of points as values that take effect at order. ERR_NOMEM. */
MUST_CHECK int rows_add_points(struct rows *rows, const struct points *points, size_t begin, size_t n, uint64_t order);

/* The order of a value among those of several sources: the message that became known last wins, then the source that comes later
 * by name, which rank counts. */
static inline uint64_t rows_rank(int64_t known_ms, uint64_t rank)
{
    return (uint64_t)(known_ms + (INT64_C(1) << 47)) << 16 | (rank & 0xffff);
}

/* Forgets what lies before t_us; a deleted range that reaches beyond it is cut. Returns how many values went. */
size_t rows_drop_before(struct rows *rows, int64_t t_us);
/* A time, issue and known-at of points, and the row where it stands. */
struct key {
    int64_t t_us, issued_us, known_ms;
    size_t i;
};
/* The rows of points by (time, issue, known-at), else as they stand; the caller frees them. ERR_NOMEM. */
MUST_CHECK int keys_sort(const struct points *points, struct key **ret_keys);
/* Whether rows i and j of points say the same in every column. */
bool points_same(const struct points *points, size_t i, size_t j, bool is_state);
/* A value of layer order that replaced others there, its revisions, is new even where it is equal to the one below.
 * ERR_NOMEM. */
MUST_CHECK int rows_mark_again(struct rows *rows, uint64_t order, const struct points *revisions);

/* Times that no longer count in lower layers. */
struct deletion {
    int64_t begin_us, end_us;
    int64_t issued_us; /* ISSUED_NONE: every issue and the plain reading */
    int64_t known_ms;
    bool replayed; /* what was known as late or later still counts */
};
struct deletions {
    struct deletion *at;
    size_t n, cap;
};
void deletions_free(struct deletions *deletions);
MUST_CHECK int deletions_add(struct deletions *deletions, const struct deletion *deletion);
/* Adds those that touch [begin_us, end_us) as rows that take effect at order. ERR_NOMEM. */
MUST_CHECK int rows_add_deletions(struct rows *rows, const struct deletions *deletions, int64_t begin_us, int64_t end_us,
                                  uint64_t order);

/* What holds after all rows. A replayed dead letter takes effect at its place in the history, which its known-at tells, as if
 * it had been accepted at once; what arrived after its replay stays after it. A value equal to the one it would replace
 * changes nothing; the value it replaces becomes a revision; a deletion adds a revision marked QUALITY_TAKEN_BACK. */
struct settled {
    struct points plain;     /* by time */
    struct points issued;    /* with a stated issue, by (time, issue) */
    struct points revisions; /* by (time, issue), oldest first */
    struct deletions deletions;
};
void settled_free(struct settled *settled);

/* Sorts rows (they stay the caller's) and replaces the contents of settled. ERR_NOMEM. */
MUST_CHECK int rows_settle(struct rows *rows, struct settled *settled);

/* Appends to points the reading in force at each time of settled: the plain one, else the newest issue. ERR_NOMEM. */
MUST_CHECK int settled_in_force(const struct settled *settled, bool is_state, struct points *points);

#endif
