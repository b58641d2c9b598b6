/* Files as a whole: copied, synced, removed. SQLite's own files are read and written through db only. */
#ifndef COMMON_FILES_H
#define COMMON_FILES_H

#include <stdint.h>

#include "common/err.h"

/* Syncs a file, or a folder with the names in it. ERR_IO. */
MUST_CHECK int files_sync(const char *path);

/* Copies the bytes of a file into a new one, with its permissions, synced. Calls moved (may be NULL) with the bytes of each
 * step; an answer other than 0 ends the copying and is returned. ERR_NOTFOUND, ERR_EXISTS, ERR_FULL, ERR_IO. */
MUST_CHECK int files_copy(const char *from, const char *to, int (*moved)(void *arg, int64_t bytes), void *arg);

/* Removes a folder and everything in it, as far as that is possible; symbolic links are not followed. */
void files_remove_tree(const char *path);

#endif
