/* Flush: the batches of a partition become chunks of the open windows they touch. One transaction a window file, then one
 * in ingest.db that lists the new marks and drops the batches; a crash between them changes nothing, since a window skips
 * batches up to its own mark (I2). Runs in the writer's background thread. */
#ifndef STORE_FLUSH_H
#define STORE_FLUSH_H

#include "common/err.h"
#include "store/catalog.h"
#include "store/partition.h"

/* How many open windows are written at once: a backfill of years is taken in so many passes. */
#define FLUSH_WINDOWS_MAX 24

struct flush_opts {
    struct partition *partition;
    struct catalog_reader *catalog;
    enum window_length window; /* the configured length */
    int64_t purge_batch;       /* states before this batch need not be readable any more */
    int64_t revisions_keep_us; /* positions older than this may expire */
};

/* *ret_n_expired, changed only on success: how many readings were dropped because their window has expired.
 * Flushes every batch there is when it begins. They are synced first: a window file's mark must not be ahead of ingest.db after
 * a loss of power, since the numbers of batches that were lost are given again to others. ERR_CORRUPT: a batch cannot be
 * read (nothing was changed). */
MUST_CHECK int flush_run(const struct flush_opts *opts, int64_t *ret_n_expired, struct err_text *error);

#endif
