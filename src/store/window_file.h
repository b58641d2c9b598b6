/* One window file with readings (sql/window.sql), open or raw: chunks in, chunks out. docs/FORMAT.md ("Window file").
 *
 * Rows carry the batches between which they hold: a state M of an open file is its rows with born <= M < died, so that
 * a view keeps seeing its state while later flushes write (I8). */
#ifndef STORE_WINDOW_FILE_H
#define STORE_WINDOW_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "codec/points.h"
#include "common/err.h"
#include "db/db.h"
#include "model/registry.h"
#include "store/catalog.h"
#include "store/changes.h"
#include "store/file_rows.h"
#include "store/rows.h"
#include "store/window.h"

/* Chunks of open files are smaller than sealed ones: what comes out of order has those that it meets written anew. */
#define OPEN_CHUNK_POINTS 4096

enum role { ROLE_PLAIN, ROLE_ISSUED, ROLE_REVISION, ROLE_N };

/* What the CRC of a chunk covers beside its bytes. */
static inline uint64_t window_file_key(uint32_t series_id, enum role role)
{
    return (uint64_t)role << 32 | series_id;
}

extern const struct db_format open_format, raw_format;

struct window_file;

/* Makes an open or raw file; a raw one has to be synced and renamed by the caller when it is whole. */
MUST_CHECK int window_file_create(const char *path, enum file_kind kind, const struct file_facts *facts,
                                  struct window_file **ret_file, struct err_text *error);
/* Opens an open file for writing. */
MUST_CHECK int window_file_open(const char *path, struct window_file **ret_file, struct err_text *error);
/* Opens a file of either kind for reading. */
MUST_CHECK int window_file_open_read(const char *path, enum file_kind kind, struct window_file **ret_file,
                                     struct err_text *error);
void window_file_close(struct window_file *file);
/* The same, and leaves an open file readable without -wal. */
void window_file_settle(struct window_file *file);
struct db *window_file_db(struct window_file *file);

/* Every batch up to the mark is in the file. */
MUST_CHECK int window_file_mark(struct window_file *file, int64_t *ret_mark);
MUST_CHECK int window_file_set_mark(struct window_file *file, int64_t mark);

/* Notes in a raw file that revisions are missing before that known-at. */
MUST_CHECK int window_file_set_horizon(struct window_file *file, int64_t horizon_ms);

/* Whether the file knows the series; adds it; walks over all, by id. */
MUST_CHECK int window_file_has_series(struct window_file *file, uint32_t series_id, bool *ret_has);
MUST_CHECK int window_file_add_series(struct window_file *file, const struct series_row *series);
MUST_CHECK int window_file_series(struct window_file *file, int (*row)(void *arg, const struct series_row *series),
                                  void *arg);

/* Notes in the series' row what is in force of it: of points, in time order. For raw files, once. */
MUST_CHECK int window_file_set_counts(struct window_file *file, uint32_t series_id, const struct points *points);
/* Those notes of every series, by id. */
struct series_counts {
    uint32_t series_id;
    int64_t n, first_us, last_us, n_class[QUALITY_N];
};
MUST_CHECK int window_file_counts(struct window_file *file, int (*row)(void *arg, const struct series_counts *counts),
                                  void *arg);

/* The plain readings that are put from now on keep known-at to the second, rounded up; without it, all of it. */
void window_file_round_known(struct window_file *file, bool to_seconds);

/* Writes all points as chunks of that role, born with batch. ERR_NOMEM and what SQLite has. */
MUST_CHECK int window_file_put(struct window_file *file, const struct series_row *series, enum role role,
                               const struct points *points, int64_t born);
MUST_CHECK int window_file_put_deletion(struct window_file *file, uint32_t series_id,
                                        const struct deletion *deletion, int64_t born);

/* A chunk's row. */
struct chunk_row {
    int64_t id, begin_us, last_us, n;
};
/* The chunks of a series and role that overlap [begin_us, end_us) in state mark, by time; those of revisions in the order in
 * which they were written. */
struct chunk_rows {
    struct chunk_row *at;
    size_t n, cap;
};
void chunk_rows_free(struct chunk_rows *chunks);
MUST_CHECK int window_file_chunks(struct window_file *file, uint32_t series_id, enum role role, int64_t begin_us,
                                  int64_t end_us, int64_t mark, struct chunk_rows *ret_chunks);
/* The last chunk in state mark; *ret_found says whether there is one. */
MUST_CHECK int window_file_last_chunk(struct window_file *file, uint32_t series_id, enum role role, int64_t mark,
                                      struct chunk_row *ret_chunk, bool *ret_found);

/* Appends the readings of a chunk with the columns of want to points (emptied by the caller). ERR_EXPIRED when the row is
 * gone: the state was purged. ERR_CORRUPT. */
MUST_CHECK int window_file_read(struct window_file *file, uint32_t series_id, enum role role, int64_t chunk_id,
                                unsigned want, struct points *points);
/* The same of the part of a plain chunk that has the readings of [begin_us, end_us), and maybe a few around them. */
struct chunk_part {
    uint32_t series_id;
    int64_t chunk_id, begin_us, end_us;
    unsigned want;
};
MUST_CHECK int window_file_read_part(struct window_file *file, const struct chunk_part *part, struct points *points);
/* The chunk holds only for states before batch died. */
MUST_CHECK int window_file_kill(struct window_file *file, int64_t chunk_id, int64_t died);

/* Appends the deletions of a series that overlap [begin_us, end_us) in state mark. */
MUST_CHECK int window_file_deletions(struct window_file *file, uint32_t series_id, int64_t begin_us, int64_t end_us,
                                     int64_t mark, struct deletions *deletions);

/* What changed of a series, with which batch: adds what the file notes to changes (nothing when it knows none), and notes it. */
MUST_CHECK int window_file_changes(struct window_file *file, uint32_t series_id, struct changes *changes);
MUST_CHECK int window_file_put_changes(struct window_file *file, uint32_t series_id, const struct changes *changes);
/* Calls row with what the file notes of each series, by id; changes is scratch of the caller's. */
MUST_CHECK int window_file_changed(struct window_file *file, struct changes *changes,
                                   int (*row)(void *arg, uint32_t series_id, struct changes *changes), void *arg);

/* Readings of a series in state mark of this file alone: plain ones, with an issue, by quality, and their extent. */
struct chunk_stats {
    int64_t n_plain, n_issued, n_edited, n_derived, n_estimated, n_suspect;
    int64_t first_us, last_us; /* of both roles; valid when there are any */
};
MUST_CHECK int window_file_stats(struct window_file *file, uint32_t series_id, int64_t mark,
                                 struct chunk_stats *ret_stats);

/* ERR_EXPIRED when state mark was purged, so that what was listed for it may lack rows: ask after listing. */
MUST_CHECK int window_file_check_state(struct window_file *file, int64_t mark);

/* Removes rows that died at or before batch: states before it can no longer be read. */
MUST_CHECK int window_file_purge(struct window_file *file, int64_t batch);

/* Takes an open file back to state mark, where later batches are in it already; calls row before for each series that this
 * concerns: their rows for people are to be derived again afterwards. The caller has begun a transaction. */
MUST_CHECK int window_file_cut(struct window_file *file, int64_t mark,
                               int (*row)(void *arg, const struct series_row *series), void *arg);

/* Puts the row for people of one UTC day. at_s and quality may be NULL. */
MUST_CHECK int window_file_put_day(struct window_file *file, uint32_t series_id, const struct day_row *row);
/* Removes the rows of days [begin, end): what was taken back is not shown. */
MUST_CHECK int window_file_drop_days(struct window_file *file, uint32_t series_id, int64_t begin, int64_t end);

#endif
