/* What a register gained between two consecutive readings (contract section 5, definition 8). Private to query. */
#ifndef QUERY_GAIN_H
#define QUERY_GAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "model/declared.h"
#include "model/decimal.h"

/* A reading that aggregates take in. */
struct seen {
    int64_t t_us;
    struct decimal value;
};

/* What was found on the way, beside plain differences. */
struct findings {
    uint64_t resets, rollovers, jitters, changes;
};

/* The gain from one reading to the next, exact; adds to findings. declared may be NULL.
 *
 * Meter changes declared in (from, to] cut the way: up to the old meter's end, on from the new one's start, by plain differences.
 * Without them a decrease is, in this order: a rollover where the register's size is declared (and not below what it stood at),
 * jitter within epsilon (booked as it is, negative), else a reset, after which the register stands at what it has gained. */
struct exact gain_between(const struct declared *declared, struct seen from, struct seen to, struct findings *findings);

/* Whether resets are all that a decrease can be, as tier cells take it. */
bool gain_is_plain(const struct declared *declared);

#endif
