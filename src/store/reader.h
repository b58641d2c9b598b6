/* The read side: a data directory opened for reading, from its files alone (the writer may be another process).
 *
 * A reader is shared by any number of threads. A view is one state of the whole store (I8): make one for each answer; it never
 * changes, so threads may share it. It holds no transaction and no lock; what it refers to is kept on disk for VIEW_KEEP_US
 * after it was replaced, later reads may answer ERR_EXPIRED. */
#ifndef STORE_READER_H
#define STORE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/points.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/globs.h"
#include "common/quota.h"
#include "model/declared.h"
#include "model/decimal.h"
#include "model/reading.h"
#include "model/registry.h"
#include "rollup/cell.h"

#define VIEW_KEEP_US (15 * INT64_C(60000000))

struct reader_dir;

/* dir is the data directory with catalog.db and store/. ERR_NOTFOUND, ERR_VERSION (a later version's files), ERR_IO. */
MUST_CHECK int reader_dir_open(const char *dir, struct reader_dir **ret_dir, struct err_text *error);
void reader_dir_close(struct reader_dir *dir);

/* The same directory as one sees it who may see the entities of globs alone (NULL: all): whatever is asked of it by name, filter
 * or id, of series or of assets, the others are not there. What views of it read counts against quota (NULL: nothing does), and
 * ERR_QUOTA may come from all that reads. It is closed as any, before dir; views of it may outlive it, but not the quota. This is
 * the one place where scopes are limited (docs/INVARIANTS.md, I13). ERR_NOMEM. */
MUST_CHECK int reader_dir_limit(struct reader_dir *dir, const struct globs *globs, struct quota *quota,
                                struct reader_dir **ret_limited);
/* NULL: to nothing. Lives as long as dir. */
const struct globs *reader_dir_limited_to(const struct reader_dir *dir);
struct quota *reader_dir_quota(const struct reader_dir *dir); /* or NULL */

/* ---- series of the catalog ---- */

struct series_info {
    uint32_t id;
    const char *entity, *type, *property, *unit; /* unit "" for states; valid during the call that hands it out */
    enum kind kind;
    bool step;
    int64_t cadence_us;  /* declared; 0 none */
    const struct declared *declared; /* what else is; NULL nothing. Lives as long as the reader */
};

/* Which series: every list that is not empty must match (one of its globs; `*` any text, `?` one byte, case counts);
 * words: every word occurs in "entity type property unit", case-blind. */
struct series_filter {
    const uint32_t *ids;
    size_t n_ids;
    const char *const *entities, *const *types, *const *properties, *const *units, *const *words;
    size_t n_entities, n_types, n_properties, n_units, n_words;
    uint32_t after_id;   /* only ids above this one (paging) */
    const struct globs *limit; /* the directory's; whatever stands here is replaced */
};

bool reader_glob(const char *glob, const char *text); /* as in a filter */

/* Calls row for each match in the order of id; a non-zero answer of row ends the walk and is returned. */
MUST_CHECK int reader_series(struct reader_dir *dir, const struct series_filter *filter,
                             int (*row)(void *arg, const struct series_info *info), void *arg);

/* The units that values convert into, as the catalog had them when they were first asked for; the table lives as long as dir. */
MUST_CHECK int reader_units(struct reader_dir *dir, const struct unit_table **ret_units);

/* ---- one state of the store ---- */

struct view;

MUST_CHECK int view_open(struct reader_dir *dir, struct view **ret_view, struct err_text *error);
void view_close(struct view *view);
/* What is read of the view counts against this; or NULL. A view that several requests share has none: each counts on a view of
 * its own of the same state, which is closed before it. */
struct quota *view_quota(const struct view *view);
void view_uncount(struct view *view); /* from now on nothing counts */
MUST_CHECK int view_share(struct view *view, struct quota *quota, struct view **ret_view);

/* An opaque, URL-safe text that names the state (the header Almanac-Position); lives as long as the view. */
const char *view_position(const struct view *view);
/* assets_version as of the opening of the view: what is asked of series since is declared by it or by a later one. */
int64_t view_assets_version(const struct view *view);
/* Whether another store of the same consumer group holds a part: readings of times and series that are not here. */
bool view_is_partial(const struct view *view);

/* What changed between the state that a position names (of an earlier view of this store, also of another process) and this
 * view: ranges of each series, by (series, begin), apart, in whole seconds. Whatever reading was stored, replaced or taken back
 * since has its time in one, and of an amount its period, too; a little more may be told (equal repeats, what was known
 * a second before the position, what lies between changes that are no more than an hour apart, or many). */
struct view_changes {
    struct view_change {
        uint32_t series_id;
        int64_t begin_us, end_us;
    } *rows;
    size_t n, cap;
};
void view_changes_free(struct view_changes *changes);
/* ERR_INVALID: no position, or one of another store or of a state that this one has not reached; ERR_EXPIRED: older than
 * revisions_keep. */
MUST_CHECK int view_changes(struct view *view, const char *position, struct view_changes *ret_changes);

/* Appends bytes that differ between two views of a store wherever they show other readings of the series in [begin_us, end_us):
 * the newest batch that changed something there. They may differ without need (changes are noted coarsely), never the other way.
 * An amount counts where its period overlaps, if it begins no more than VIEW_STAMP_BACK_US before. */
#define VIEW_STAMP_BACK_US (366 * INT64_C(86400000000))
MUST_CHECK int view_stamp(struct view *view, uint32_t series_id, int64_t begin_us, int64_t end_us, struct buf *out);

/* Readings as they arrived between two views of one process, the earlier of which is `before`: source after source,
 * series by series within a batch. Not everything that arrives is in force. ERR_EXPIRED when some of it is not kept as it
 * arrived: then view_changes tells where to look. Both views must outlive it. */
struct arrival {
    int64_t t_us, end_us;        /* end_us: of a range that was taken back */
    int64_t issued_us;           /* ISSUED_NONE: not stated */
    struct decimal value;
    const char *state;           /* of states, else NULL; valid until the next series */
    enum quality quality;
    bool deleted;                /* taken back at t_us, or where end_us is above t_us + 1 in that range */
};
struct arrivals;
MUST_CHECK int arrivals_open(struct view *before, struct view *now, struct arrivals **ret_arrivals);
/* Some more readings of one series: 1, 0 at the end, or a code. They are read by arrivals_read, with the kind of the series,
 * or passed over. */
MUST_CHECK int arrivals_next(struct arrivals *arrivals, uint32_t *ret_series_id);
MUST_CHECK int arrivals_read(struct arrivals *arrivals, enum kind kind, size_t *ret_n);
struct arrival arrivals_at(const struct arrivals *arrivals, size_t i);
void arrivals_close(struct arrivals *arrivals);

struct series_stats {
    uint64_t count;            /* readings in force: distinct times, replaced and deleted ones not counted */
    int64_t first_us, last_us; /* valid when count > 0 */
    uint64_t n_quality[QUALITY_N];
};
MUST_CHECK int view_stats(struct view *view, uint32_t series_id, struct series_stats *ret_stats);
/* How many readings in force [begin_us, end_us) has at the least: those of chunks that lie in it whole and alone, and unflushed
 * ones. No chunk is read. */
MUST_CHECK int view_count_least(struct view *view, uint32_t series_id, int64_t begin_us, int64_t end_us, uint64_t *ret_n);

/* The readings in force of one series with begin_us <= time < end_us, one a time, in time order (plain before issued, the
 * newest issue; deleted ones left out). scan_next replaces the contents of points by the next rows (some thousand) and
 * answers 1, or 0 at the end, or a negative code; want is a set of enum points_want. For states, m indexes
 * points->texts. */
struct scan;
MUST_CHECK int scan_open(struct view *view, uint32_t series_id, int64_t begin_us, int64_t end_us, unsigned want,
                         struct scan **ret_scan);
/* The same of what was known: readings by the instant from which on they were available. That is a stated issue, and
 * without one the known-at. Of each time and issue the version counts that was in force at asof_us, what was replaced
 * or taken back since included; of a stated issue at first its first version, however late the store came to know it.
 * With a lead only forecasts count, those issued lead_us or more before their time, of an amount before its
 * beginning: plain readings are none, however early they came, and so a back-test never sees an observation. Of what
 * is left the plain reading, else the newest issue. Sealed files hold the known-at of plain readings to the second,
 * rounded up, where one source has the series (docs/FORMAT.md). */
struct knowledge {
    int64_t asof_us; /* INT64_MAX: everything */
    int64_t lead_us; /* INT64_MIN: any */
};
#define KNOWLEDGE_ALL ((struct knowledge){INT64_MAX, INT64_MIN})
static inline bool knowledge_is_all(const struct knowledge *knowledge)
{
    return knowledge->asof_us == INT64_MAX && knowledge->lead_us == INT64_MIN;
}
/* Whether a reading counts, of which no other version is known. */
bool knowledge_has(const struct knowledge *knowledge, const struct points *points, size_t i);

struct scan_options {
    int64_t begin_us, end_us;
    unsigned want;
    struct knowledge knowledge;
};
/* As scan_open; ERR_EXPIRED when revisions are missing that were in force at asof_us (view_known_from). */
MUST_CHECK int scan_open_known(struct view *view, uint32_t series_id, const struct scan_options *options, struct scan **ret_scan);
/* The first instant of which it can be told what of [begin_us, end_us) was known then; INT64_MIN: any. */
MUST_CHECK int view_known_from(struct view *view, uint32_t series_id, int64_t begin_us, int64_t end_us, int64_t *ret_from_us);

MUST_CHECK int scan_next(struct scan *scan, struct points *points);
void scan_close(struct scan *scan);

/* What was in force before and was replaced or taken back, with a stated issue or without, of [begin_us, end_us): replaces
 * points by some more of it, with every column, and ret_until_ms by when each ceased to be in force (INT64_MIN: not known);
 * known_ms is since when. Within a source in the order of time, and of each time oldest first. Values that another source
 * overrules are not among them. 1, 0 at the end, or a code. */
struct revisions;
MUST_CHECK int revisions_open(struct view *view, uint32_t series_id, int64_t begin_us, int64_t end_us,
                              struct revisions **ret_revisions);
MUST_CHECK int revisions_next(struct revisions *revisions, struct points *points, const int64_t **ret_until_ms);
void revisions_close(struct revisions *revisions);

/* Tier cells of one series in [begin_us, end_us), both multiples of the tier's width, in time order, appended to cells; and
 * the spans of that range in which they must not be used, so that raw readings have to be read there instead (not yet
 * flushed, late, readings of two sources in one cell, no tier written). Outside these spans a missing cell means: no readings,
 * or expired ones (view_left). Spans are ordered, apart, and multiples of the width. */
struct spans {
    struct span { int64_t begin_us, end_us; } *rows;
    size_t n, cap;
};
void spans_free(struct spans *spans);
MUST_CHECK int spans_add(struct spans *spans, int64_t begin_us, int64_t end_us); /* joins with the last one when they touch */
MUST_CHECK int view_cells(struct view *view, uint32_t series_id, enum tier tier, int64_t begin_us, int64_t end_us,
                          struct cells *cells, struct spans *ret_raw);

/* ---- what has expired ---- */

/* Readings older than retention_raw are gone, and scans and stats pass over their time; tier cells of that time may be left. Of a
 * series' expired readings the last one of each quality class is kept: appends them to points, in time order. They serve as what
 * came before the first reading that is left. */
MUST_CHECK int view_carry(struct view *view, uint32_t series_id, struct points *points);

/* The time from the first to the last expired reading of a series; empty (0, 0) when none has expired. */
MUST_CHECK int view_expired(struct view *view, uint32_t series_id, struct span *ret_span);

/* The first instant of [begin_us, end_us) from which on nothing of the series is missing: of its readings, or with tier of what
 * cells of that tier and readings can tell together (begin_us and end_us are then multiples of its width). begin_us when
 * nothing is missing in the range at all. */
MUST_CHECK int view_left(struct view *view, uint32_t series_id, const enum tier *tier, int64_t begin_us, int64_t end_us,
                         int64_t *ret_left_us);

/* ---- dead letters, refused documents among them ---- */

struct dead_letter {
    const char *topic;
    int32_t partition;
    int32_t incarnation;
    int64_t id;          /* within its partition */
    int64_t offset, known_ms;
    const char *reason, *detail, *property;
    int32_t slot;
    bool is_document;    /* of an asset or an output: its bytes are in Kafka only, and it is not replayed */
    bool is_sealed;      /* the payload is: only the vault opens it; letters of before there was one are not */
    const void *payload; /* the refused object or message, only where asked for */
    size_t payload_size;
};
MUST_CHECK int reader_dead_letters(struct reader_dir *dir, bool payloads,
                                   int (*row)(void *arg, const struct dead_letter *letter), void *arg);

/* ---- how far ingest is, for readiness and metrics ---- */

struct source_status {
    const char *topic;
    int32_t partition;
    int64_t next_offset, last_known_ms, unflushed_readings, n_gaps, n_dead;
};
MUST_CHECK int reader_sources(struct reader_dir *dir, int (*row)(void *arg, const struct source_status *status),
                              void *arg);

#endif
