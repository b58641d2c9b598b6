/* DIR/store/manifest: one line a sealed file, so that a copy of the store can be checked with common tools. Derived from the
 * lists in the ingest.db files; readers check digests against those. docs/FORMAT.md ("Manifest"). */
#ifndef STORE_MANIFEST_H
#define STORE_MANIFEST_H

#include "common/err.h"

/* Writes it anew from the lists of every partition of the data directory. */
MUST_CHECK int manifest_write(const char *dir, struct err_text *error);

#endif
