/* The folders of a store's partitions, as they lie on the disk. */
#ifndef STORE_FOLDERS_H
#define STORE_FOLDERS_H

#include <stdint.h>

#include "common/err.h"

/* Calls visit for each folder store/TOPIC/PARTITION of the data directory that has an ingest.db, in any order. A non-zero
 * answer of visit ends the walk and is returned. */
MUST_CHECK int folders_walk(const char *dir, int (*visit)(void *arg, const char *topic, int32_t partition), void *arg);
/* The same with those that lack it, as verify wants to tell. */
MUST_CHECK int folders_walk_all(const char *dir, int (*visit)(void *arg, const char *topic, int32_t partition), void *arg);

#endif
