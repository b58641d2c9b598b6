/* Random histories for tests of the store: series of every kind and cadence whose readings come in order, out of order, late by
 * weeks, corrected, repeated, with stated issues, and are taken back; in batches of several sources. What must be in force after
 * them comes from tests/lib/naive.c, and what must be in cells and in the rows for people is computed here in the plainest
 * way, without code of src/store and src/rollup. The same seed gives the same history. */
#ifndef TESTS_LIB_HISTORY_H
#define TESTS_LIB_HISTORY_H

#include <stdint.h>

#include "naive.h"

#include "codec/points.h"
#include "model/reading.h"
#include "rollup/cell.h"

#define HISTORY_SERIES 10
#define HISTORY_SOURCES 3
#define HISTORY_ANCHORS 48

struct history_series {
    const char *entity, *type, *property;
    enum kind kind;
    int64_t cadence_us, period_us; /* 0: no period */
};
extern const struct history_series history_series[HISTORY_SERIES];

struct event {
    uint32_t series;
    enum op op;
    int64_t t_us, issued_us, period_us, m, known_ms;
    int8_t e;
    uint8_t quality;
    bool replayed;    /* of a dead letter; none of the random ones is */
    const char *text; /* of states */
};

struct history {
    uint64_t seed;
    bool is_close; /* every series in every source, at few times, known within milliseconds of each other */
    int64_t known_ms, source_ms[HISTORY_SOURCES];
    int64_t front_us[HISTORY_SERIES];    /* readings in order go on here */
    int64_t register_m[HISTORY_SERIES];  /* of counters */
    int64_t anchors_us[HISTORY_ANCHORS]; /* where something was sent, so that more meets it */
    size_t n_anchors;
    struct naive now[HISTORY_SOURCES][HISTORY_SERIES];
    /* the batch at work */
    int source;
    struct event *events;
    size_t n_events, cap;
};

void history_init(struct history *history, uint64_t seed, bool is_close);
void history_free(struct history *history);

/* Makes the next batch of a source; history_apply lets it take effect. */
void history_next(struct history *history, int source);
void history_apply(struct history *history);
/* Whether the batch has anything for a series. */
bool history_touches(const struct history *history, uint32_t series);

/* The readings in force of a series, one a time, in time order; points is emptied first. */
void history_points(const struct history *history, uint32_t series, struct points *points);

/* Writes the first difference of rows [begin, end) of expected to found, or "" when there is none. */
void points_difference(const struct points *expected, size_t begin, size_t end, const struct points *found, bool is_state,
                       char out[static 400]);

/* What the cell [begin_us, begin_us + width_us) must be, from the rows of points that lie in it; written anew from contract and
 * rollup/cell.h. *ret_cut: an interval reaches over its end. */
void plain_cell(const struct points *points, enum kind kind, int64_t begin_us, int64_t width_us, struct cell *ret_cell,
                bool *ret_cut);
/* Equal in every field. */
bool cells_equal(const struct cell *a, const struct cell *b);

#endif
