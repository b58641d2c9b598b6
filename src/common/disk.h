/* What changes folders and makes files last: sync, rename, unlink, new folders. The store goes through here, so that a test can
 * make the disk fail or forget (tests/lib/fault_vfs). */
#ifndef COMMON_DISK_H
#define COMMON_DISK_H

#include "common/err.h"

/* Answer 0, ERR_FULL, ERR_NOTFOUND, ERR_EXISTS or ERR_IO with errno set. */
MUST_CHECK int disk_sync(const char *path); /* a file, or a folder: the names in it */
MUST_CHECK int disk_sync_folder_of(const char *path);
MUST_CHECK int disk_rename(const char *from, const char *to);
MUST_CHECK int disk_make_folder(const char *path);
int disk_unlink(const char *path); /* what cannot be removed now is removed by the next start */

/* For tests: from now on these do the work; NULL gives the system's calls back. Each answers 0 or -1 with errno, as those do. */
struct disk_calls {
    int (*sync)(const char *path);
    int (*rename)(const char *from, const char *to);
    int (*unlink)(const char *path);
    int (*make_folder)(const char *path);
};
void disk_replace(const struct disk_calls *calls);

#endif
