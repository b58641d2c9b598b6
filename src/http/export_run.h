/* Writes the files of an export into its folder, and its manifest last: for the daemon's exports and for `almanac export`.
 * Begun again it goes on: what an earlier run finished is kept where its bytes still have their SHA-256. docs/FORMAT.md
 * ("Exports"). */
#ifndef HTTP_EXPORT_RUN_H
#define HTTP_EXPORT_RUN_H

#include <stddef.h>
#include <stdint.h>

#include "common/quota.h"
#include "http/export_request.h"
#include "store/snapshots.h"

struct export_progress {
    size_t n_parts, n_done; /* files of the plan; one that turns out to have no rows is done, too */
    uint64_t n_rows, n_bytes;
};

struct export_run {
    const char *folder;
    const struct export_request *request;
    struct snapshots *snapshots;
    int64_t free_min_bytes;       /* so much of the disk stays free; 0: no matter */
    uint64_t bytes_max;           /* of all files; 0: no matter */
    struct quota_limits quota;    /* of what is read for all files; a run that goes on counts anew */
    /* Called with each piece; another answer than 0 ends the run with it. */
    int (*step)(void *arg, const struct export_progress *progress);
    void *arg;
};

/* 0 when the manifest is there. Errors as of a range and of a snapshot, ERR_FULL, ERR_IO, and what step answers; files that are
 * whole stay for the next run, and nothing is left of others. */
MUST_CHECK int export_run(const struct export_run *run, struct err_text *error);

/* Whether the request could be answered: looks at its plan and begins its first file, and keeps nothing. Errors as above. */
MUST_CHECK int export_try(const struct export_run *run, struct err_text *error);

/* Removes the files of a run that is not to go on; the request stays. */
void export_clear(const char *folder);

#endif
