/* Open window and tier files of the read side, shared by threads: a handle is used by one at a time. A sealed file is hashed
 * against the list of live files before its first use (I3); how many files stay open is bounded. */
#ifndef STORE_POOL_H
#define STORE_POOL_H

#include <stdint.h>

#include "common/err.h"
#include "store/partition.h"
#include "store/tier_file.h"
#include "store/window_file.h"

struct pool;
/* Of sealed files that nobody has used for mapped_keep_us so much stays mapped: what was read of them counts as the process's
 * memory, and files that are read in turn are not mapped each time. NULL without memory. */
struct pool *pool_new(int64_t mapped_max_bytes, int64_t mapped_keep_us);
void pool_free(struct pool *pool);

struct pooled; /* an opened file */

/* Opens FOLDER/file->name or takes an idle handle. ERR_EXPIRED when the file is gone, ERR_CORRUPT when its digest is another. */
MUST_CHECK int pool_take(struct pool *pool, const char *folder, const struct file *file, struct pooled **ret_pooled);
void pool_give(struct pool *pool, struct pooled *pooled);

struct window_file *pooled_window(struct pooled *pooled); /* of open and raw files */
struct tier_file *pooled_tier(struct pooled *pooled);     /* of tier files */

/* What a raw file says of a series: zeroes when it has none. The file is opened only the first time. */
MUST_CHECK int pool_counts(struct pool *pool, const char *folder, const struct file *file, uint32_t series_id,
                           struct series_counts *ret_counts);

#endif
