/* Verify: every file of a data directory and of its snapshots against the lists, its checksums and what it was derived from (I1,
 * I3, I6). Works on files alone and writes nothing; another process may ingest meanwhile. */
#ifndef STORE_VERIFY_H
#define STORE_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

/* Something that differs, or (not is_wrong) is worth a remark. */
struct verify_finding {
    const char *path; /* below the data directory: "store/readings.a/0/2025-03.raw.g1.db" */
    bool is_wrong;
    const char *what, *todo; /* todo: "" for remarks */
};

struct verify_opts {
    const char *dir;
    bool without_snapshots;
    /* Called for each finding, and after each file with the bytes done of all. An answer that is not 0 ends the work and is
     * returned. */
    int (*found)(void *arg, const struct verify_finding *finding);
    int (*progress)(void *arg, int64_t bytes_done, int64_t bytes_all);
    void *arg;
};

struct verify_counts {
    int64_t n_files, n_bytes; /* databases; those that snapshots share with others once */
    int64_t n_snapshots;      /* what follows is of the store alone */
    int64_t n_series;         /* of the catalog */
    int64_t n_readings;       /* in force, each file by itself, and those of batches */
    int64_t n_cells;          /* tier cells compared */
    int64_t n_days;           /* rows for people compared */
    int64_t n_wrong, n_remarks;
};

/* Goes on after each finding. A code means that the work could not be done: ERR_NOTFOUND (no such directory), ERR_NOMEM, what
 * the calls answered; differences are no failure. */
MUST_CHECK int verify_run(const struct verify_opts *opts, struct verify_counts *ret_counts, struct err_text *error);

#endif
