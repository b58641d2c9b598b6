/* What an export was asked for, as it lies in its folder (request.json): enough to go on with it in another process.
 * docs/FORMAT.md ("Exports"). */
#ifndef HTTP_EXPORT_REQUEST_H
#define HTTP_EXPORT_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "http/parameters.h"
#include "store/snapshots.h"

#define EXPORT_ID_BYTES 16
#define EXPORT_ID_MAX (2 * EXPORT_ID_BYTES + 1) /* their hexadecimal digits and NUL */

struct export_request {
    char id[EXPORT_ID_MAX], by[65];
    char snapshot[SNAPSHOT_NAME_MAX];
    bool owns_snapshot;           /* made for it, and dropped with it */
    int64_t created_us, expires_us;
    struct parameters parameters; /* as they were sent, without `snapshot` */
    bool is_limited;              /* who asked may see the entities of globs alone, and so may the export */
    struct globs globs;
};
void export_request_free(struct export_request *request); /* what it holds */

/* A new id, which nobody guesses. */
void export_request_name(struct export_request *request);

/* Synced. ERR_FULL, ERR_IO, ERR_NOMEM. */
MUST_CHECK int export_request_write(const char *folder, const struct export_request *request, struct err_text *error);
/* ERR_NOTFOUND, ERR_CORRUPT, ERR_IO, ERR_NOMEM; free it on failure, too. */
MUST_CHECK int export_request_read(const char *folder, struct export_request *ret_request, struct err_text *error);

/* Whether both ask for the same; the order of different names does not matter. */
bool export_request_is_same(const struct export_request *request, const struct parameters *parameters);

/* The parameters as one JSON object; a name that was given several times has a list. */
MUST_CHECK int export_request_put_parameters(const struct parameters *parameters, struct buf *out);

/* Writes a file of a folder whole or not at all: under another name first, synced, and the folder, too. */
MUST_CHECK int export_write_whole(const char *folder, const char *name, const struct buf *bytes, struct err_text *error);
#define EXPORT_PART_END ".part"

#endif
