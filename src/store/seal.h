/* Seal: a finished window is rewritten, series by series, into a raw and a tier file that never change again (I3). A window
 * that has a sealed file already is merged with its late readings into the next generation. Runs in the writer's
 * background thread. docs/FORMAT.md ("Window file", "Tier file"). */
#ifndef STORE_SEAL_H
#define STORE_SEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "store/partition.h"

/* Late readings wait until they are more than one in this many of the sealed ones, or a day old. */
#define SEAL_LATE_SHARE 100
#define SEAL_LATE_MAX_US (24 * INT64_C(3600000000))

/* Whether the window of an open file is due at now_us (wall clock): its end is past and nothing has arrived for it for
 * seal_after_us; late readings also wait until they are many or old. */
bool seal_is_due(const struct file_list *files, const struct file *open, int64_t now_us, int64_t seal_after_us);

/* Seals one window of the list. Nothing is changed on failure but files that nobody knows. */
MUST_CHECK int seal_window(struct partition *partition, const struct file_list *files, struct window window,
                           struct err_text *error);

/* Derives the tier file of a sealed window again from its raw file, as the next generation. ERR_CORRUPT: the raw file is not as
 * it was sealed. */
MUST_CHECK int seal_derive(struct partition *partition, const struct file_list *files, const struct file *raw,
                           struct file *ret_made, struct err_text *error);

#endif
