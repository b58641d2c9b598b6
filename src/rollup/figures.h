/* The values of cells as plain integers, for the columns of a tier block (private to the encoding). */
#ifndef ROLLUP_FIGURES_H
#define ROLLUP_FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rollup/cell.h"

/* All of one cell at one exponent; integrals are over microseconds. */
struct figures {
    int64_t min, max, first, last;
    __int128 sum, step, linear2, increase;
};

/* The figures at exponent e, or false when one of them is no integer there or does not fit. */
bool figures_take(const struct cell *cell, int e, struct figures *ret_figures);

/* The exponent (of a decimal's range) at which the fewest cells have no figures: nearly always the least one that a value
 * needs, at which all have. */
int figures_exponent(const struct cell *cells, size_t n);

/* The greatest unit in which all times, and all integrals at exponent e, are whole: sampled data lies on seconds or
 * milliseconds. At least 1. */
int64_t figures_unit_us(const struct cell *cells, size_t n, int e);

#endif
