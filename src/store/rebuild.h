/* Rebuild: what is derived is derived again from the facts: tier files and rows for people from raw and open files, the catalog
 * from the series that files name, the manifest from the lists. Only what verify finds wrong or missing; damaged facts are told
 * and left as they are. Needs the directory for itself. */
#ifndef STORE_REBUILD_H
#define STORE_REBUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct rebuild_opts {
    const char *dir;
    bool tiers, catalog;  /* which; the manifest always */
    bool all;             /* every tier file, not only wrong ones */
    /* Called for what was done, and (is_wrong) for what is wrong and stays so; and after each file. An answer that is not 0 ends
     * the work. */
    int (*said)(void *arg, bool is_wrong, const char *text);
    int (*progress)(void *arg, int64_t done, int64_t all);
    void *arg;
};

struct rebuild_counts {
    int64_t n_tiers, n_days, n_series; /* tier files, open files whose rows for people, and series of the catalog */
    int64_t n_rewound;                 /* partitions that Kafka is read again for */
    int64_t n_wrong;                   /* what could not be had again */
};

/* ERR_BUSY while a process ingests; ERR_NOTFOUND, ERR_IO, ERR_FULL, ERR_NOMEM. What was done until then stays done. */
MUST_CHECK int rebuild_run(const struct rebuild_opts *opts, struct rebuild_counts *ret_counts, struct err_text *error);

#endif
