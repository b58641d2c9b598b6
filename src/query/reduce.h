/* Readings reduced to what a plot of some columns shows (contract section 5, `reduce`). Private to query.
 *
 * The range is cut into equal columns. Of each, m4 keeps the first, the least, the greatest and the last reading, minmax the
 * least and the greatest; of equals the earliest. What is kept is readings as they are, in time order, each once. */
#ifndef QUERY_REDUCE_H
#define QUERY_REDUCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "query/range.h"

struct pixel {
    int64_t t_us;
    struct decimal value;
    uint8_t quality;
};

struct reduction {
    enum reduce reduce;
    int64_t from_us, to_us, n_columns; /* n_columns > 0 */
    /* the column at work */
    struct pixel first, min, max, last;
    bool any;
};

/* The column of an instant of the range, from 0, and the first instant of a column. */
int64_t reduction_column(const struct reduction *reduction, int64_t t_us);
int64_t reduction_begin_us(const struct reduction *reduction, int64_t column);

/* Takes a reading into the column at work, in time order. */
void reduction_add(struct reduction *reduction, const struct pixel *pixel);
/* What is kept of the column, which is then empty; returns how many. */
size_t reduction_end(struct reduction *reduction, struct pixel ret_pixels[static 4]);

#endif
