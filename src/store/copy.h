/* Copies of a store. A copy of one state is a data directory itself, which readers open as they open any other: snapshots
 * and backups are such copies, and there is no other format of either. docs/FORMAT.md ("Copies"). */
#ifndef STORE_COPY_H
#define STORE_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

#define COPY_INCOMPLETE "incomplete" /* a file that lies in a copy until it is whole */

struct copy_opts {
    const char *dir;  /* the data directory; another process may write it meanwhile */
    const char *dest; /* must not exist or be an empty folder; appears by rename when it is whole and synced */
    bool link;        /* sealed files by hard link where both are on one file system: cheap, for snapshots */
    /* Told now and then how many more bytes are copied; an answer other than 0 ends the copying and is returned. May be
     * NULL. */
    int (*copied)(void *arg, int64_t bytes);
    void *arg;
    /* Adds what is the caller's to the folder before it is renamed. May be NULL. */
    int (*finish)(void *arg, const char *folder, struct err_text *error);
};

/* Copies catalog.db and store/ as they stood at one moment for each partition. Sealed files that are copied are checked
 * against their digests. Nothing is left where it fails, but after a crash DEST.part, which the next call removes.
 * ERR_EXISTS, ERR_NOTFOUND, ERR_CORRUPT, ERR_FULL, ERR_IO, ERR_NOMEM. */
MUST_CHECK int store_copy(const struct copy_opts *opts, struct err_text *error);

/* Bytes that a copy of the store takes, about; 0 where that cannot be known. */
int64_t store_bytes(const char *dir);

#endif
