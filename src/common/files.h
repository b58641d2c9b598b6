/* Files as a whole: synced, renamed, removed, copied. SQLite's own files are read and written through db only. What makes the
 * store's files last goes through here, so that a test can make the disk fail or forget (tests/lib/fault_vfs). */
#ifndef COMMON_FILES_H
#define COMMON_FILES_H

#include <stdint.h>

#include "common/err.h"

/* Syncs a file, or a folder with the names in it; here and below: ERR_NOTFOUND, ERR_EXISTS, ERR_FULL or ERR_IO, and errno tells
 * the cause. */
MUST_CHECK int files_sync(const char *path);
MUST_CHECK int files_sync_folder_of(const char *path);
MUST_CHECK int files_rename(const char *from, const char *to);
MUST_CHECK int files_make_folder(const char *path);
int files_unlink(const char *path); /* what cannot be removed now, the next start removes */

/* For tests: these do the work of the four from now on; NULL gives the system's calls back. They answer 0, or -1 with errno. */
struct files_calls {
    int (*sync)(const char *path);
    int (*rename)(const char *from, const char *to);
    int (*make_folder)(const char *path);
    int (*unlink)(const char *path);
};
void files_replace(const struct files_calls *calls);

/* Copies the bytes of a file into a new one, with its permissions, synced. Calls moved (may be NULL) with the bytes of each
 * step; an answer other than 0 ends the copying and is returned. ERR_NOTFOUND, ERR_EXISTS, ERR_FULL, ERR_IO. */
MUST_CHECK int files_copy(const char *from, const char *to, int (*moved)(void *arg, int64_t bytes), void *arg);

/* A new folder NAME-XXXXXX for a while, in $TMPDIR, else /tmp; path tells which. ERR_LIMIT: it does not fit; ERR_NOTFOUND,
 * ERR_FULL, ERR_IO: path tells what was tried. */
MUST_CHECK int files_make_temporary(const char *name, char *path, size_t size);

/* Removes a folder and everything in it, as far as that is possible; symbolic links are not followed. */
void files_remove_tree(const char *path);

#endif
