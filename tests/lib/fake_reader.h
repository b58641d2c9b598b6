/* A store/reader.h for tests of the query side, linked in place of the store: series in memory, real cells computed from
 * their readings, and spans at random in which the cells must not be used. */
#ifndef TESTS_LIB_FAKE_READER_H
#define TESTS_LIB_FAKE_READER_H

#include "store/reader.h"

struct fake_series {
    struct series_info info;
    struct points points; /* in force, in time order; the caller's */
    struct points carry;  /* of expired readings; the caller's */
};

/* One for the process; a zeroed one is an empty store. Set it up between answers. */
struct fake_reader {
    struct fake_series *series; /* in the order of ids */
    size_t n_series;
    unsigned raw_percent;       /* of the time, in which cells must not be used; there they are nonsense */
    size_t rows_max;            /* of one scan_next; 0: 4096 */
    uint64_t seed;              /* which spans are raw */
    const struct unit_table *units;
    struct fake_place {         /* of sensors; ended by one without an entity */
        const char *entity, *board, *location;
    } *places;
    int64_t known_from_us;      /* revisions are missing from before; 0 none */
    struct quota *quota;        /* that everything counts on; NULL: none */
    int fail_scan;              /* a code that every scan ends in */
    /* what was asked */
    uint64_t n_cells, n_rows, n_scans, n_walks;
};
extern struct fake_reader fake_reader;

#endif
