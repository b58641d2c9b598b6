/* Cells: mergeable aggregates of the readings of one series in a tier's interval [begin, begin + width), exact, so that a
 * cell equals the recomputation from its readings (I6). Pure arithmetic and its encoding; the store keeps the rows. */
#ifndef ROLLUP_CELL_H
#define ROLLUP_CELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/points.h"
#include "common/buf.h"
#include "common/err.h"
#include "model/decimal.h"
#include "model/registry.h"

enum tier { TIER_1S, TIER_1M, TIER_15M, TIER_N };
extern const int64_t tier_width_us[TIER_N];
extern const char *const tier_name[TIER_N]; /* "1s" "1m" "15m" */

/* A tier row is worth writing where a cell condenses at least this many readings on average. */
#define TIER_MIN_READINGS 4

/* Default for readings apart: a longer gap is not covered (contract definition 6: PT45M where no cadence is declared). */
#define MAX_GAP_DEFAULT_US (45 * INT64_C(60000000))

/* All value fields speak of the accepted readings: every quality but suspect, at each time the one in force (plain before
 * issued, the newest issue). Integrals are of value times time in microseconds, from the cell's first to its last reading,
 * over gaps up to max_gap; linear2 is twice the trapezoid sum. increase is the register's gain from the first to the last
 * reading: the sum of differences, where a decrease counts as a reset (+ new value).
 *
 * What makes no sense for a kind is 0: sum and integrals of counters, integrals and increase of intervals, increase of
 * gauges. covered_us adds up the gaps up to max_gap; of intervals, the time that lies in at least one period. Without an
 * accepted reading everything but begin_us and n_quality is 0. */
struct cell {
    int64_t begin_us;
    uint64_t count;             /* accepted readings; n_quality counts all, by class */
    uint32_t n_quality[QUALITY_N];
    struct exact sum;
    struct decimal min, max, first, last;
    int64_t min_us, max_us, first_us, last_us; /* ties: the earliest */
    struct exact linear2, step;
    int64_t covered_us;
    struct exact increase;
    uint32_t n_resets;
};

/* Equal in every field, numbers by what they are worth. */
bool cell_equal(const struct cell *a, const struct cell *b);

struct cells {
    struct cell *rows;
    size_t n, cap;
};
void cells_free(struct cells *cells);
MUST_CHECK int cells_reserve(struct cells *cells, size_t n_more); /* ERR_NOMEM */

struct cell_options {
    enum kind kind;
    int64_t width_us;
    int64_t max_gap_us;
};

/* Appends the cells of rows [begin, begin + n) of points, which hold one reading in force at each time, in time order.
 * Cells without any reading are left out. Intervals: *ret_cut is set when a reading reaches beyond its cell's end, and then
 * the cells must not be used (they are in no tier). States have no cells: ERR_MEANING. ERR_NOMEM. */
MUST_CHECK int cells_compute(const struct points *points, size_t begin, size_t n, const struct cell_options *options,
                             struct cells *cells, bool *ret_cut);

/* One cell of rows [begin, end) of points, whatever time they take; begin_us and width_us mean nothing, kind is not KIND_STATE.
 * False when none of them counts. */
bool cell_of(const struct points *points, size_t begin, size_t end, const struct cell_options *options, struct cell *ret_cell);

/* Keeps, of rows with the same time in points (ordered by time, then issue), the one in force; in place. */
void points_in_force(struct points *points);

/* A block of cells as compressed bytes with CRC and key, as docs/FORMAT.md ("Tier block") says, and back (appended).
 * Encoding appends to out: ERR_INVALID for none, or for cells that cells_compute of that width cannot have made; ERR_LIMIT
 * for a sum that has overflowed; ERR_NOMEM. Decoding: ERR_CORRUPT, ERR_VERSION, ERR_NOMEM; then cells is as before. */
MUST_CHECK int cells_encode(const struct cell *cells, size_t n, int64_t width_us, uint64_t key, struct buf *out);
MUST_CHECK int cells_decode(const void *data, size_t size, uint64_t key, struct cells *cells);

/* The same of the cells alone that begin in [begin_us, end_us). */
struct cells_block {
    const void *data;
    size_t size;
    uint64_t key;
};
MUST_CHECK int cells_decode_range(const struct cells_block *block, int64_t begin_us, int64_t end_us, struct cells *cells);

#endif
