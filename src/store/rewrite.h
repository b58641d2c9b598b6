/* Rewriting: what holds curves of erased entities is written anew without them. docs/FORMAT.md ("Erased entities"). */
#ifndef STORE_REWRITE_H
#define STORE_REWRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "store/erased.h"
#include "store/flush.h"
#include "store/forget.h"

struct rewrite_opts {
    struct erased *erased;
    const struct forget_ids *series; /* of the erased entities, as the catalog of the store has them */
    struct flush_opts flush;         /* partition and catalog among them */
    bool (*stop)(void *arg);         /* asked between files; may be NULL */
    void *arg;
};

/* Rewrites one partition to which nothing of erased entities comes any more: 0, 1 when it has to be called again (it was stopped,
 * or a reader holds a log), or a code. The files that it replaced are retired. */
MUST_CHECK int rewrite_partition(const struct rewrite_opts *opts, struct err_text *error);

/* The series of erased entities in the catalog of a store. */
MUST_CHECK int rewrite_find(const char *dir, struct erased *erased, struct forget_ids *ids, struct err_text *error);

/* Rewrites a copy of a store (a snapshot, a restored one) that nobody writes: partitions, assets.db, and catalog.db last. What it
 * retired before since_us goes. 1 where some is left, or a code. */
MUST_CHECK int rewrite_copy(const char *dir, struct erased *erased, int64_t since_us, struct err_text *error);

/* Takes everything on its list out of a restored directory that nobody has opened yet, and notes that. ERR_BUSY: somebody has. */
MUST_CHECK int rewrite_restored(const char *dir, struct err_text *error);

#endif
