/* Backups: a copy of one state of the store (store/copy.h) with the site's configuration and tokens, and a manifest of digests.
 * Private keys are not in it: they are kept apart from the data, or made anew. docs/FORMAT.md ("Copies"). */
#ifndef APP_BACKUP_H
#define APP_BACKUP_H

#include <stdint.h>

#include "app/conf.h"
#include "app/progress.h"
#include "common/err.h"

struct backup_counts {
    int64_t n_files, n_bytes;
};

/* Makes the folder dest, which must not exist or be empty, while ingest runs. Nothing is left of what fails or is stopped.
 * ERR_EXISTS, ERR_FULL, ERR_IO, ERR_CORRUPT (a sealed file's digest), ERR_CANCELLED. */
MUST_CHECK int backup_make(const struct conf *conf, const char *dest, struct progress *progress,
                           struct backup_counts *ret_counts, struct err_text *error);

struct restore_opts {
    const char *backup;
    const char *dir;    /* must not exist or be empty */
    const char *erased; /* a list of erased entities that is newer than the backup's; NULL: vault.tombstones */
};

/* Makes the data directory dir out of a backup whose every digest was checked first. It is a store of its own that reads on at
 * the offsets of the backup, without what was erased since. A certificate that the configuration names below dir is made anew.
 * ERR_NOTFOUND (no backup, or no list), ERR_CORRUPT, and as above. */
MUST_CHECK int backup_restore(const struct restore_opts *opts, struct progress *progress, struct backup_counts *ret_counts,
                              struct err_text *error);

#endif
