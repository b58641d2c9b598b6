/* A scripted store and query, linked in place of the reader and the query layer: the HTTP side is tested against answers
 * whose every byte is known. */
#ifndef TESTS_LIB_FAKE_SOURCE_H
#define TESTS_LIB_FAKE_SOURCE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "query/gaps.h"
#include "query/range.h"
#include "store/assets.h"
#include "store/reader.h"

struct fake_series {
    struct series_info info;
    struct series_stats stats;
};

/* Set by a test before its requests. Each series has n_rows rows, from range.from_us on, step_us apart. */
struct fake_source {
    const struct fake_series *series;
    size_t n_series;
    bool partial;                /* another store has a part */
    int64_t assets_version;
    const struct view_change *changes; /* since position "position-0"; every other is no position, but "long-ago" */
    size_t n_changes;
    atomic_int n_arrived;        /* readings so far, and the number of the position before its last */
    bool flushed;                /* arrivals are not kept */
    int stamp, stamp_beyond;     /* of every series; of stretches longer than FAKE_STAMP_BEYOND_US */
    const struct asset *assets;  /* by kind and id, rates by start */
    size_t n_assets;
    const struct optimization *outputs; /* the newest first */
    size_t n_outputs;
    int64_t n_rows, step_us;
    struct quota *quota;         /* of the directory that was limited last */
    int64_t fail_at;             /* the row at which answer_next_row fails with ERR_EXPIRED; -1 never */
    const char *cursor;          /* what answer_cursor gives */
    atomic_int n_views, n_answers, n_snapshots; /* open ones: 0 when everything was given back */
    atomic_int n_held, n_cancelled; /* statements "wait" that have begun and wait, and those of them that were broken off */
};
extern struct fake_source fake_source;
#define FAKE_STAMP_BEYOND_US INT64_C(86400000000000)

/* What was in force then has expired. */
#define FAKE_EXPIRED_US INT64_C(86400000000)

/* Statements "wait" give their rows once they are released; those that come later, too. */
void fake_hold(void);
void fake_release(void);

/* One snapshot is there, kept from and until then; another name than "kept" is unknown, "over" has expired. */
#define FAKE_SNAPSHOT_US INT64_C(1700000000000000)
#define FAKE_SNAPSHOT_END_US INT64_C(4102444800000000) /* 2100 */

/* The value of a row's column, the same at each call; exact is where a VALUE_EXACT points to. */
void fake_value(enum kind kind, int64_t row, size_t column, struct value *ret_value, struct exact *exact);
/* Of a raw number. */
void fake_point(int64_t row, int64_t *ret_m, int8_t *ret_e);
uint8_t fake_quality(const struct fake_series *series, int64_t row);

#endif
