/* DIR/store/manifest: one line a sealed file, so that a copy of the store can be checked with common tools. Derived from the
 * lists in the ingest.db files; readers check digests against those. docs/FORMAT.md ("Manifest"). */
#ifndef STORE_MANIFEST_H
#define STORE_MANIFEST_H

#include <stddef.h>

#include "common/err.h"
#include "store/partition.h"

/* Writes it anew from the live files of all partitions. */
MUST_CHECK int manifest_write(const char *dir, struct partition *const *partitions, size_t n, struct err_text *error);

#endif
