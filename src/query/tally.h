/* What the readings of one bucket come to, exact whichever way they are taken in: as readings, or as tier cells (I6).
 * Suspect readings are left out. Private to query. */
#ifndef QUERY_TALLY_H
#define QUERY_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/points.h"
#include "common/limits.h"
#include "model/decimal.h"
#include "rollup/cell.h"

/* A zeroed struct is empty. Of the values, only equal ones are equal: they need not be canonical. */
struct tally {
    uint64_t count;
    struct exact sum;
    struct decimal min, max, first, last;
};

/* Readings are added in time order. Rows [begin, end) of points: */
void tally_add_points(struct tally *tally, const struct points *points, size_t begin, size_t end);
void tally_add_cell(struct tally *tally, const struct cell *cell);
void tally_add_value(struct tally *tally, struct decimal value);

/* Whether aggregates leave the reading out. A class beyond the known ones is not trusted either. */
static inline bool tally_leaves_out(uint8_t quality)
{
    return (quality & QUALITY_CLASS_MASK) >= QUALITY_SUSPECT;
}

/* Whether it is worse than the worst that counts. */
static inline bool tally_is_worse(uint8_t quality, enum quality worst)
{
    unsigned class = quality & QUALITY_CLASS_MASK;
    return (class < QUALITY_SUSPECT ? class : (unsigned)QUALITY_SUSPECT) > (unsigned)worst;
}

/* The same for states, which have no sum and no order. */
struct state_tally {
    uint64_t count;
    char first[LIMIT_STATE_BYTES + 1], last[LIMIT_STATE_BYTES + 1];
};
void state_tally_add_points(struct state_tally *tally, const struct points *points, size_t begin, size_t end);

#endif
