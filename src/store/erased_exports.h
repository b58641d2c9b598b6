/* Exports in DIR/exports (docs/FORMAT.md, "Exports") that hold curves of erased entities: they go whole. */
#ifndef STORE_ERASED_EXPORTS_H
#define STORE_ERASED_EXPORTS_H

#include "common/err.h"
#include "store/erased.h"

/* Whether the export in the folder has to go: 1 where its manifest or its request names an erased entity, or where it has no
 * manifest yet and was begun before the last erasure; 0, ERR_NOTFOUND: there is none, or another code. */
MUST_CHECK int erased_exports_has(const char *folder, struct erased *erased);

/* Removes those that have to, and what others have begun to remove. */
MUST_CHECK int erased_exports_remove(const char *dir, struct erased *erased, struct err_text *error);

#endif
