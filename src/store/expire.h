/* What retention asks for in a partition: windows whose readings expire, tiers that expire, and sealed windows with revisions
 * that were kept for long enough. Runs in the writer's background thread. docs/FORMAT.md ("Position and states"). */
#ifndef STORE_EXPIRE_H
#define STORE_EXPIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "store/partition.h"
#include "store/retention.h"
#include "store/seal.h"

struct expire_opts {
    const struct retention *retention;
    int64_t revisions_keep_us;
    int64_t now_us; /* wall clock */
    struct catalog_reader *catalog; /* as for a seal */
};

/* How a window is sealed under these rules. */
struct seal_opts expire_seal_opts(const struct expire_opts *opts, struct window window);

/* The next thing to do, the oldest window first: a window whose readings have expired as a whole, a tier file with tiers that
 * have, a raw file with revisions that are overdue (a tenth of revisions_keep, a day at most, so that a window is not rewritten
 * for each). */
enum expire_what { EXPIRE_NOTHING, EXPIRE_READINGS, EXPIRE_TIERS, EXPIRE_REVISIONS };
enum expire_what expire_next(const struct expire_opts *opts, const struct file_list *files, const struct file **ret_file);

/* Does it. A window whose sealed file is corrupt expires without being read: then its tier file stays as it is and nothing
 * is carried over, which *ret_unread says. */
MUST_CHECK int expire_do(const struct expire_opts *opts, struct partition *partition, const struct file_list *files,
                         enum expire_what what, const struct file *file, bool *ret_unread, struct err_text *error);

#endif
