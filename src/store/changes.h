/* Which time of a series changed with which batch: a few ranges, made coarser where there would be too many, never too little
 * (docs/FORMAT.md, "Window file"). Pure bookkeeping: flush notes what it applies, seal unites two files, view_changes reads. */
#ifndef STORE_CHANGES_H
#define STORE_CHANGES_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "store/rows.h"

#define CHANGES_MAX 16            /* entries of a series in a window */
#define CHANGES_JOIN_S 3600       /* changes of one batch no further apart than this are one */

/* Something in [begin, end) (seconds since the epoch) changed with this batch or earlier, and nothing there later, unless
 * another entry says so. */
struct change {
    int64_t begin_s, end_s, batch;
};
struct changes {
    struct change *at; /* by (begin, end); they may overlap */
    size_t n, cap;
    size_t last; /* the entry that grew last */
};
void changes_free(struct changes *changes);

/* Notes that [begin_us, end_us) changed with batch; at most max entries are left. ERR_NOMEM. */
MUST_CHECK int changes_add(struct changes *changes, int64_t begin_us, int64_t end_us, int64_t batch, size_t max);
/* The same for what is noted already: of another file, say. */
MUST_CHECK int changes_add_entry(struct changes *changes, const struct change *change, size_t max);

/* Makes entries of later batches those of batch: they changed with it or earlier. */
void changes_limit(struct changes *changes, int64_t batch);

/* The end of the time that a row concerns: its range, its period or its instant. */
int64_t changes_row_end(const struct row *row);

/* Appends the entries, in order, as a blob to out; reads them from one, after what changes holds. ERR_CORRUPT, ERR_NOMEM. */
MUST_CHECK int changes_encode(const struct changes *changes, uint32_t series_id, struct buf *out);
MUST_CHECK int changes_decode(const void *data, size_t size, uint32_t series_id, size_t max, struct changes *changes);
/* The entries of a blob as they stand in it, one behind the other; errors as above. */
MUST_CHECK int changes_list(const void *data, size_t size, uint32_t series_id, struct changes *ret_changes);

#endif
