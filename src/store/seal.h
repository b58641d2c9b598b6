/* Seal: a finished window is rewritten, series by series, into a raw and a tier file that never change again (I3). A window
 * that has a sealed file already is merged with its late readings into the next generation. A window whose readings expire
 * is rewritten in the same way into a tier file alone. Runs in the writer's background thread. docs/FORMAT.md
 * ("Window file", "Tier file"). */
#ifndef STORE_SEAL_H
#define STORE_SEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "store/catalog.h"
#include "store/erased.h"
#include "store/partition.h"

/* Late readings wait until they are more than one in this many of the sealed ones, or a day old. */
#define SEAL_LATE_SHARE 100
#define SEAL_LATE_MAX_US (24 * INT64_C(3600000000))

/* Whether the window of an open file is due at now_us (wall clock): its end is past and nothing has arrived for it for
 * seal_after_us; late readings also wait until they are many or old. */
bool seal_is_due(const struct file_list *files, const struct file *open, int64_t now_us, int64_t seal_after_us);

struct seal_opts {
    struct window window;
    unsigned tiers;              /* which are written; the others have expired */
    int64_t revisions_before_ms; /* revisions that were replaced by then go (store/revisions.h); INT64_MIN: all stay */
    bool expires;                /* the readings go, of each series the last ones are carried over */
    struct catalog_reader *catalog; /* tells which series lie in several sources; NULL: all keep known-at as it is */
};

/* Seals one window of the list, which may lack an open or a sealed file. Nothing is changed on failure but files that nobody
 * knows. ERR_CORRUPT: a sealed file is not what its row says. */
MUST_CHECK int seal_window(struct partition *partition, const struct file_list *files, const struct seal_opts *opts,
                           struct err_text *error);

/* Writes the tier file of the list anew with these tiers alone, blocks as they are; none of them: it goes. Errors as above. */
MUST_CHECK int seal_drop_tiers(struct partition *partition, const struct file_list *files, const struct file *tier,
                               unsigned tiers, struct err_text *error);

/* Writes a raw or tier file of the list anew without the series of erased entities, all else bit for bit; *ret_done: whether it
 * had any. The old file is retired. Errors as above. */
MUST_CHECK int seal_without(struct partition *partition, const struct file_list *files, const struct file *file,
                            struct erased *erased, bool *ret_done, struct err_text *error);

#endif
