/* Inside of a view (store/reader.h): which sources hold a series, what is unflushed of it, and its windows. Shared by view.c,
 * scan.c, view_stats.c and view_cells.c. */
#ifndef STORE_VIEW_H
#define STORE_VIEW_H

#include "store/pool.h"
#include "store/reader.h"
#include "store/rows.h"
#include "store/state.h"

#define POSITION_TAG_BYTES 4 /* of the store, in a position */

struct view_source {
    int64_t id; /* of the catalog */
    const char *topic, *folder;
    int32_t partition;
    struct state *state;
};

struct view {
    struct reader_dir *dir;
    struct view_source *sources; /* by (topic, partition) */
    size_t n_sources;
    char *position;
    int64_t assets_version; /* when it was opened */
    bool partial; /* another store of the consumer group holds a part */
    bool is_shared; /* sources and position are another view's */
    struct quota *quota; /* what is read counts against this; NULL: nowhere */
};

/* The reader's shared parts. */
struct pool *reader_dir_pool(struct reader_dir *dir);
struct erased *reader_dir_erased(struct reader_dir *dir);
const uint8_t *reader_dir_tag(const struct reader_dir *dir);
/* Whether each series of the catalog is a state, by id, for the caller to free; *ret_n is above every id. */
MUST_CHECK int reader_dir_states(struct reader_dir *dir, bool **ret_is_state, size_t *ret_n);
/* Kind of a series and the ids of the sources that hold readings of it, for the caller to free. ERR_NOTFOUND. */
MUST_CHECK int reader_dir_places(struct reader_dir *dir, uint32_t series_id, enum kind *ret_kind, int64_t **ret_sources,
                                 size_t *ret_n);

/* source_reader_carry of the source with that id, as of an expiry at before_us. */
MUST_CHECK int reader_dir_carry(struct reader_dir *dir, int64_t source, uint32_t series_id, int64_t before_us,
                                struct points *points, int64_t *first_us);
/* Of a series in several sources: the end of the last cell in range whose readings have expired and that cannot be used, because
 * another source has something of its time; INT64_MIN where there is none. The range is of multiples of the tier's width. */
MUST_CHECK int view_cells_lost(struct view *view, uint32_t series_id, enum tier tier, struct span range, int64_t *ret_lost_us);
/* Fills in view->position. ERR_NOMEM. */
MUST_CHECK int view_write_position(struct view *view);

/* scan_next, for what the store reads for itself: it does not count. */
MUST_CHECK int scan_step(struct scan *scan, struct points *points);

/* A series in one source of the view. */
struct place {
    const struct view_source *source;
    uint64_t rank;        /* by (topic, partition): the later one wins ties across sources */
    struct head *head;    /* its unflushed readings, at least those that concern the range asked for */
};

/* A series in a view, for [begin, end). */
struct trail {
    struct view *view;
    uint32_t series_id;
    bool is_state, is_interval;
    int64_t begin_us, end_us;
    struct place *places;
    size_t n_places;
    int64_t *cuts;        /* begin_us, every edge of a window between, end_us */
    size_t n_cuts;
};
MUST_CHECK int trail_open(struct view *view, uint32_t series_id, int64_t begin_us, int64_t end_us,
                          struct trail *ret_trail);
/* The places alone, without what is unflushed and without cuts. */
MUST_CHECK int trail_open_places(struct view *view, uint32_t series_id, struct trail *ret_trail);
void trail_close(struct trail *trail);

/* The live files of a place whose window holds t_us; NULL where there is none. */
struct window_files {
    const struct file *raw, *open, *tier;
};
struct window_files place_files(const struct place *place, int64_t t_us);

#endif
