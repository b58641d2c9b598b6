/* The range query of contract section 5: a validated request, and the answer as a stream of rows.
 *
 * Library errors come as a code and an err_text whose field names the parameter at fault. ERR_INVALID and ERR_LIMIT are
 * the caller's 400, ERR_MEANING 422, ERR_NOTFOUND 404, ERR_EXPIRED 410. */
#ifndef QUERY_RANGE_H
#define QUERY_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/civil.h"
#include "common/err.h"
#include "common/limits.h"
#include "common/zone.h"
#include "model/decimal.h"
#include "model/reading.h"
#include "query/sheet.h"
#include "rollup/bucket.h"
#include "store/reader.h"

/* Percentiles are p01 to p99. */
enum agg {
    AGG_MEAN, AGG_MIN, AGG_MAX, AGG_SUM, AGG_COUNT, AGG_FIRST, AGG_LAST, AGG_TWA, AGG_INTEGRAL, AGG_INCREASE, AGG_STDDEV,
    AGG_MEDIAN, AGG_MINTIME, AGG_MAXTIME, AGG_COVERED, AGG_P01, AGG_P99 = AGG_P01 + 98, AGG_N
};
extern const char *const agg_name[AGG_N];
/* What a kind is aggregated by when nothing is asked for. */
enum agg agg_default(enum kind kind);
struct range;
/* The columns of a series by step: those asked for, else its kind's default, of a gauge whose step the server chose its least and
 * greatest value, too. Returns how many. */
size_t agg_choose(const struct range *range, const struct series_info *info, enum agg ret_aggs[static AGG_N]);

enum fill { FILL_NULL, FILL_NONE, FILL_PREVIOUS, FILL_LINEAR };
enum time_form { TIME_ISO, TIME_MS, TIME_LOCAL };
enum over { OVER_NONE, OVER_SUM, OVER_MEAN, OVER_MIN, OVER_MAX };
enum by { BY_NONE, BY_TYPE, BY_PROPERTY, BY_LOCATION, BY_BOARD };
enum reduce { REDUCE_NONE, REDUCE_M4, REDUCE_MINMAX };

struct range {
    struct series_filter filter; /* lists point into the arena of the request */
    int64_t from_us, to_us;
    bool raw;
    struct duration step;
    struct grid grid;            /* when not raw */
    enum agg aggs[AGG_N];        /* each once */
    size_t n_aggs;               /* 0: the default of each series' kind */
    const struct zone *zone;     /* NULL: none was asked for */
    enum fill fill;
    int64_t max_gap_us;          /* 0: none was asked for */
    enum over over;              /* across series; by: what of them makes a group of its own */
    enum by by;
    uint64_t guard_k;            /* with `over`: a bucket tells nothing that fewer series contribute to, */
    unsigned guard_share_percent; /* or of which one holds more than this; 0: no matter. Not of the request: of who asks */
    bool bounds;                 /* raw: the nearest reading on each side, too */
    char unit[LIMIT_UNIT_BYTES]; /* to convert to; "": as stored */
    char integral_unit[LIMIT_UNIT_BYTES + 2]; /* of an integral of what is in that unit */
    bool has_quality;            /* the least quality accepted was stated; else raw takes all, aggregates all but suspect */
    enum quality quality;
    int64_t asof_us;             /* only what was known by then; INT64_MAX: everything */
    bool has_lead;
    int64_t lead_min_us;         /* only forecasts that were issued so long before their time */
    enum reduce reduce;          /* of raw readings, to about `points` of them */
    int64_t points;              /* 0: not given */
    bool is_auto;                /* the step is for the server to choose, by `points` */
    bool wide;                   /* a column a series */
    bool explain;
    bool available;              /* raw: since when each reading could be known */
    enum time_form time;
    int64_t limit;               /* rows; 0: all of them */
    uint32_t after_id;           /* from the cursor: go on behind this row; INT64_MAX: behind this series */
    int64_t after_us;
    bool has_cursor;
    uint32_t last_id;            /* from the cursor: series made after the first page are not in its view */
    uint32_t question;           /* hash of what is asked; a cursor goes with the same */
    void *memory;                /* owned; range_free */
};

/* One name and text of a request, from a URL, a form or a JSON body; a list in JSON is the same name several times. */
struct parameter {
    const char *name, *value;
};

/* Parses and checks the parameters of contract section 5; `snapshot` says which view the caller opens, here it only goes with
 * a cursor; `format sep decimal bom numbers` are the renderer's and are passed over; any other name is ERR_INVALID with that
 * name as the field. Lists may be repeated or separated by commas. now_us is what `now` and `-P7D` refer to; with a cursor from
 * and to are those of the first page. hash_init must have been called. */
MUST_CHECK int range_parse(const struct parameter *parameters, size_t n, int64_t now_us, struct range *ret_range,
                           struct err_text *error);
void range_free(struct range *range);

/* The worst quality that counts: what was asked for, else of raw readings any, of aggregates all but suspect. */
static inline enum quality range_worst(const struct range *range)
{
    return range->has_quality ? range->quality : range->raw ? QUALITY_SUSPECT : QUALITY_ESTIMATED;
}
/* Of asof and lead_min. */
static inline struct knowledge range_knowledge(const struct range *range)
{
    return (struct knowledge){range->asof_us, range->has_lead ? range->lead_min_us : INT64_MIN};
}

/* Refuses a range by step whose grid has more than rows_max buckets a series, with the step that would fit, unless the answer has
 * only those with readings or comes in pages. ERR_LIMIT with the field `step`. */
MUST_CHECK int range_check_rows(const struct range *range, int64_t rows_max, struct err_text *error);

/* ---- the answer: series after series, each with rows in time order ----
 *
 * With `over` there are groups in their place: an info without id, and of entity (the board's or location's id), type and
 * property only what `by` names; behind the aggregates of a row stand the counts `series` and `missing`. */

/* One cell of a row. */
struct value {
    enum { VALUE_NULL, VALUE_DECIMAL, VALUE_EXACT, VALUE_COUNT, VALUE_TEXT, VALUE_TIME } type;
    union {
        struct decimal decimal;
        const struct exact *exact;
        uint64_t count;
        const char *text;
        int64_t t_us;
    };
};

/* What a bucket was made of. */
struct explained {
    bool is_partial;                /* the range has only a part of it */
    bool from_tier, from_readings;  /* what answered; neither where there was nothing */
    enum tier tier;
    uint64_t count;                 /* readings in it that aggregates take in; by class all of them */
    uint64_t n_quality[QUALITY_N];
    int64_t first_us, last_us;      /* of those taken in, when there are any */
    uint64_t n_rounded, n_converted; /* of all: more than 18 digits came; the unit's conversion was rounded. Of expired ones
                                      * that is not known */
    uint64_t n_splits;              /* amounts that its edges cut */
    uint64_t n_resets, n_rollovers, n_jitters, n_changes; /* of the increase, where that is asked for */
    bool has_gap, has_spread;       /* the increase has what came about while whole buckets saw no reading; a share of what
                                     * an edge cuts */
    bool is_filled;                 /* empty, and has values by the range's fill */
};

/* Where a raw reading lies that is the nearest one outside of the range. */
enum bound { BOUND_NONE, BOUND_BEFORE, BOUND_AFTER };

struct row {
    int64_t t_us;          /* of the reading, or the bucket's start */
    uint8_t quality;       /* of raw readings: quality byte */
    struct value *values;  /* one, or as many as aggregates, and with `over` two more, with a guard three; until the next call */
    const struct explained *explained; /* by step, where the range asks for it; else NULL */
    enum bound bound;      /* of raw readings */
    int64_t available_us;  /* of raw readings, where the range asks for it: the stated issue, else the known-at */
};

struct answer;

/* Finds the series and makes the plan over one view. ERR_NOTFOUND when no series matches (the filter is in the text);
 * ERR_MEANING for an aggregate that a matching series' kind does not have. range and view must outlive the answer. */
MUST_CHECK int answer_open(struct reader_dir *dir, struct view *view, const struct range *range,
                           struct answer **ret_answer, struct err_text *error);

/* The next series that has its turn: 1 and *ret_info (its unit is the one asked for), *ret_aggs and *ret_n_aggs (the columns
 * after time; n 0 when raw), or 0. */
MUST_CHECK int answer_next_series(struct answer *answer, const struct series_info **ret_info,
                                  const enum agg **ret_aggs, size_t *ret_n_aggs);
/* The next row of that series: 1, 0, or a code (then the answer is broken: break the stream). */
MUST_CHECK int answer_next_row(struct answer *answer, struct row *ret_row);

/* Whether the rows of the series that has its turn may be had with answer_next_points. */
bool answer_has_points(const struct answer *answer);
/* Raw: the next rows of that series as they lie in memory, at most max (> 0) of them: rows [begin, end) of points. 1, 0, or a
 * code. They are valid until the next call, and may be taken in turns with rows. */
struct stretch {
    const struct points *points;
    size_t begin, end;
};
MUST_CHECK int answer_next_points(struct answer *answer, size_t max, struct stretch *ret_stretch);

/* ---- layout=wide: one table; its rows are the times at which any series has one ---- */

/* The columns after the time: for each series its aggregates, one after the other, or its readings. */
struct wide_column {
    const struct series_info *info; /* lives as long as the answer */
    enum agg agg;                   /* not of raw readings */
    enum sheet_type type;
};
const struct wide_column *answer_columns(const struct answer *answer, size_t *ret_n);

/* The next rows: 1, 0, or a code. Valid until the next call. */
MUST_CHECK int answer_next_sheet(struct answer *answer, struct sheet *ret_sheet);

/* ---- the end of both ---- */

/* After the last series or sheet: where the next page starts (a cursor for the same parameters), or NULL when all was given. */
const char *answer_cursor(struct answer *answer);

/* Which tiers the plan uses, "raw" or "15m,raw" (header Almanac-Tiers). */
const char *answer_tiers(const struct answer *answer);

/* With by=location and by=board: how many matching series are in no group, because their entity has no sensor on a board. */
uint64_t answer_left_out(const struct answer *answer);
void answer_close(struct answer *answer);

#endif
