/* A parcel: the readings of one commit as bytes, grouped by series (docs/FORMAT.md, "Parcel"). Lies in ingest.db until a
 * flush has moved its readings into window files; the read side holds parcels in memory meanwhile. */
#ifndef STORE_PARCEL_H
#define STORE_PARCEL_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "model/reading.h"
#include "model/registry.h"
#include "store/rows.h"

/* Appends the parcel of readings [begin, n_readings) of batch to out; every series of registry has its id. ERR_NOMEM. */
MUST_CHECK int parcel_encode(const struct batch *batch, size_t begin, const struct registry *registry,
                             struct buf *out);

/* The readings of one series in a parcel. */
struct parcel_run {
    uint32_t series_id;
    uint32_t n;        /* readings */
    size_t at, size;   /* bytes in the parcel */
};

struct parcel {
    const uint8_t *data;
    size_t size;
    struct parcel_run *runs; /* by series id */
    size_t n_runs;
};

/* Checks the CRC and reads the directory; data stays the caller's and must outlive the parcel. ERR_CORRUPT, ERR_VERSION,
 * ERR_NOMEM. */
MUST_CHECK int parcel_open(const void *data, size_t size, struct parcel *ret_parcel);
void parcel_close(struct parcel *parcel);

/* The run of a series, or NULL. */
const struct parcel_run *parcel_find(const struct parcel *parcel, uint32_t series_id);

/* Adds the readings of a run to rows in the order in which they arrived; the first takes effect at order, the next at
 * order + 1 and so on. rows->is_state says what the series is. ERR_CORRUPT, ERR_NOMEM. */
MUST_CHECK int parcel_rows(const struct parcel *parcel, const struct parcel_run *run, uint64_t order,
                           struct rows *rows);

#endif
