/* Replayed dead letters at a flush: what is stored already meets them there, so that what lies in window files needs no mark. */
#ifndef STORE_REPLAY_H
#define STORE_REPLAY_H

#include "store/rows.h"
#include "store/window_file.h"

/* Orders at a flush; those of batches are above all of them. */
enum { STORED_RAW = 1, STORED_DELETION, STORED_OPEN };

bool replay_any(const struct rows *rows);

/* Adds to rows what stands in the open file and, where raw is not NULL, in the sealed one below it at the times of the
 * replayed rows: the sealed readings and the deletions of both (as witnesses). The open file's readings are the caller's to
 * add, as STORED_OPEN; batch is its newest state. ERR_NOMEM and what SQLite has. */
MUST_CHECK int replay_meet(struct rows *rows, uint32_t series_id, struct window_file *open, int64_t batch,
                           struct window_file *raw);

#endif
