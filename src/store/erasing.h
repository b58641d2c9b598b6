/* The writer's work on erasures: a pass rewrites everything that holds series of those noted until it began, then waits until no
 * view can need what it replaced, and notes that they are done. Runs in the writer's background thread. */
#ifndef STORE_ERASING_H
#define STORE_ERASING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/assets_file.h"
#include "store/catalog.h"
#include "store/erased.h"
#include "store/rewrite.h"

struct erasing_opts {
    const char *dir;
    struct erased *erased;
    struct catalog *catalog;
    struct assets_file *assets;
    int64_t within_us;           /* so soon everything has to be done */
    const char *tombstones;      /* a second copy of the list, or NULL */
    bool (*stop)(void *arg);
    /* Returns when no batch that was decoded before the last look at the list is still to be stored. */
    void (*settle)(void *arg);
    /* The flush of partition i; false: there are no more. */
    bool (*flush)(void *arg, size_t i, struct flush_opts *ret_flush);
    void *arg;
};

struct erasing {
    struct erasing_opts opts;
    int64_t copied_version; /* of the list, that the second copy is of */
    int64_t idle_version; /* of the list, as of which nothing is pending; 0 unknown */
    int64_t last;         /* what the pass at work is about; 0 none is */
    int64_t rewritten_us; /* wall clock of the rewriting of the last file; 0 not yet */
    int64_t next_us;      /* monotonic: not before */
};

/* Does some of it. *ret_changed: sealed files came or went. An error is tried again. */
MUST_CHECK int erasing_step(struct erasing *erasing, bool *ret_changed, struct err_text *error);

#endif
