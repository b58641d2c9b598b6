/* The exports of a data directory, in DIR/exports: a thread writes the files of one after the other, and goes on after a restart.
 * docs/FORMAT.md ("Exports"). Any thread may call; one process has them open. */
#ifndef HTTP_EXPORTS_H
#define HTTP_EXPORTS_H

#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/quota.h"
#include "http/export_manifest.h"
#include "http/parameters.h"
#include "store/snapshots.h"

#define EXPORT_PREFIX "export-"  /* begins the name of a snapshot that an export made for itself */
#define EXPORTS_MAX 100          /* that are kept, whatever came of them */
#define EXPORTS_WAITING_MAX 8    /* that are written or wait for it */
#define EXPORTS_BYTES_MAX (UINT64_C(1) << 40) /* of all files */

struct exports_opts {
    const char *dir;             /* the data directory */
    struct snapshots *snapshots; /* borrowed */
    int64_t free_min_bytes;      /* so much of the disk stays free */
    uint64_t bytes_max;          /* 0: EXPORTS_BYTES_MAX */
    struct quota_limits quota;   /* of what an export reads */
};

struct exports;

/* Who asks, and what that one may see. To the limited an export is there that they made, by the same name and with the same
 * limit; to the others, and where nobody is named (NULL), every one. */
struct export_caller {
    const char *name;
    const struct globs *limit; /* NULL: none */
};

/* Finds what earlier processes left, removes what is half made or whose time is over, and goes on with what is not finished.
 * ERR_IO, ERR_NOMEM. */
MUST_CHECK int exports_start(const struct exports_opts *opts, struct exports **ret_exports, struct err_text *error);
/* What is being written breaks off, to be gone on with. */
void exports_stop(struct exports *exports);

/* Pins the state (parameter snapshot, or a new one) and queues the export; ret_id names it. ERR_BUSY: too many are kept or wait;
 * ERR_FULL; and as export_run for what its plan and first rows are refused for. Takes as long as making a snapshot. */
MUST_CHECK int exports_make(struct exports *exports, const struct parameters *parameters, const struct export_caller *by,
                            char ret_id[static EXPORT_ID_MAX], struct err_text *error);

/* Appends a JSON object, with the manifest where there is one; or of all, without. ERR_NOTFOUND, ERR_NOMEM, ERR_IO. */
MUST_CHECK int exports_tell(struct exports *exports, const struct export_caller *caller, const char *id, struct buf *out,
                            struct err_text *error);
MUST_CHECK int exports_list(struct exports *exports, const struct export_caller *caller, struct buf *out);

/* Opens a file that the manifest names, or the manifest; the caller closes ret_fd. ERR_NOTFOUND, also before the manifest is
 * there; ERR_CORRUPT when it has not its length any more. */
MUST_CHECK int exports_open_file(struct exports *exports, const struct export_caller *caller, const char *id, const char *name,
                                 struct export_listed *ret_listed, int *ret_fd, struct err_text *error);

/* ERR_NOTFOUND. What is being sent goes on. */
MUST_CHECK int exports_drop(struct exports *exports, const struct export_caller *caller, const char *id, struct err_text *error);

#endif
