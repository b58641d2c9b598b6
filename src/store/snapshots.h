/* Snapshots: the store as it stood at one time, under a name, in DIR/snapshots until its time is over. docs/FORMAT.md
 * ("Copies"). Any number of processes may use them; of one process, any number of threads. */
#ifndef STORE_SNAPSHOTS_H
#define STORE_SNAPSHOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/civil.h"
#include "common/err.h"
#include "store/reader.h"

#define SNAPSHOT_NAME_MAX 65 /* 64 of A-Z a-z 0-9 . _ - and NUL */

struct snapshot_info {
    char name[SNAPSHOT_NAME_MAX];
    int64_t created_us, expires_us;
    const char *position; /* as view_position; only during the call that hands it out, else NULL */
};

/* What a snapshot in a folder says of itself; name is for info alone. The position is for the caller to free. ERR_CORRUPT, and as
 * db_open. */
MUST_CHECK int snapshot_read(const char *folder, const char *name, struct snapshot_info *ret_info, char **ret_position);

struct snapshots;

/* Touches nothing on disk. NULL without memory. */
struct snapshots *snapshots_new(const char *dir);
void snapshots_free(struct snapshots *snapshots); /* everything was given back */

/* Makes one, kept for so long. ERR_INVALID (field name or keep), ERR_EXISTS, ERR_BUSY while another is being made, and as
 * store_copy. */
MUST_CHECK int snapshots_make(struct snapshots *snapshots, const char *name, const struct duration *keep,
                              struct err_text *error);

/* Calls row for each that is kept, by name, or only for the one named only (NULL: all). */
MUST_CHECK int snapshots_list(struct snapshots *snapshots, const char *only,
                              int (*row)(void *arg, const struct snapshot_info *info), void *arg, struct err_text *error);

/* Removes one; what is being answered from it breaks off. ERR_NOTFOUND, ERR_EXPIRED. */
MUST_CHECK int snapshots_drop(struct snapshots *snapshots, const char *name, struct err_text *error);

/* Removes those whose time is over, but for those in use here, and what crashes left. */
void snapshots_expire(struct snapshots *snapshots);

/* Takes erased entities out of every snapshot of the directory (store/rewrite.h, rewrite_copy): 1 where some is left, also while
 * one is being made, or a code. */
struct erased;
MUST_CHECK int snapshots_rewrite(const char *dir, struct erased *erased, int64_t since_us, struct err_text *error);

/* Opens one for reading until snapshots_give. ERR_NOTFOUND, ERR_EXPIRED, ERR_BUSY when too many others are in use, and as
 * reader_dir_open; field is snapshot. */
MUST_CHECK int snapshots_take(struct snapshots *snapshots, const char *name, struct snapshot_info *ret_info,
                              struct reader_dir **ret_dir, struct err_text *error);
void snapshots_give(struct snapshots *snapshots, struct reader_dir *dir);

#endif
