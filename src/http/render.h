/* Rows of a range answer in its formats: JSON, CSV and NDJSON as text, straight from decimals, and Arrow; the shapes are those of
 * docs/HTTP.md. */
#ifndef HTTP_RENDER_H
#define HTTP_RENDER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "http/dialect.h"
#include "http/reply.h"
#include "query/range.h"

/* What names the series of a row: entity, property and unit, or of a group what makes it one, and the unit; behind it the unit
 * of its integrals, where that is told apart (query/shown.h). */
#define KEYS_MAX 4
struct keys {
    size_t n;
    const char *names[KEYS_MAX], *values[KEYS_MAX];
};

/* What matches, for a format that has to know it before the first row: render_know is called for each series. */
struct known {
    struct texts names[KEYS_MAX];  /* the values of each key */
    bool has_numbers, has_texts;
};

/* The last minute that was printed: what its times have in common. A zeroed struct is none. */
struct minute {
    int64_t begin_us, end_us;
    int64_t day_us;      /* begin of its day, where no zone has a say */
    size_t n_before, n_behind;
    char before[CIVIL_TEXT_MAX], behind[CIVIL_TEXT_MAX];
};

struct gather;

/* What is being rendered, and how far it has come. The caller fills in the first part, zeroed, and calls render_done. */
struct render {
    const struct range *range;  /* raw or step, form of time, zone */
    struct dialect dialect;
    uint64_t left_out;          /* JSON, by board or location: series that are in no group */
    enum agg columns[AGG_N];    /* CSV, NDJSON, Arrow: the columns of the whole answer, when not raw */
    size_t n_columns;
    struct known known;         /* Arrow */

    const struct series_info *info; /* the series that has its turn; valid in begin_series */
    const enum agg *aggs;
    size_t n_aggs;
    bool with_quality;              /* JSON: raw readings that are not all measured */

    const struct wide_column *wide;      /* layout=wide: the columns after the time */
    size_t n_wide;

    int rc;                         /* a value cannot be rendered: why, in error; looked at after each call */
    struct err_text error;

    /* the renderer's own */
    size_t n_series, n_rows;        /* begun so far; of this series */
    struct buf explain;             /* JSON: what the rows of this series so far were made of, for its end */
    struct buf prefix;              /* CSV, NDJSON: entity, property and unit of this series, as each row repeats them */
    size_t sources[AGG_N];          /* CSV, NDJSON, Arrow: which value of a row each column takes; n_aggs: none */
    struct minute minute;
    size_t sheet_at;                /* wide: the row of the sheet, or its column, that is next */
    struct buf shapes;              /* Arrow, wide: of the columns of this sheet */
    struct gather *gather;          /* Arrow, long: rows of the next batch */
};

struct renderer {
    const char *type; /* Content-Type */
    void (*begin)(struct render *render, struct buf *out);
    /* info, aggs, n_aggs and with_quality are those of the next series. */
    void (*begin_series)(struct render *render, struct buf *out);
    void (*row)(struct render *render, const struct row *row, struct buf *out);
    void (*points)(struct render *render, const struct stretch *stretch, struct buf *out); /* some raw rows at once */
    void (*end_series)(struct render *render, struct buf *out);
    void (*end)(struct render *render, const char *cursor, struct buf *out);
    /* layout=wide: begin, then sheets, then end. Appends some of the sheet and says whether there is more of it. */
    void (*begin_wide)(struct render *render, struct buf *out);
    bool (*sheet)(struct render *render, const struct sheet *sheet, struct buf *out);
    void (*end_wide)(struct render *render, const char *cursor, struct buf *out);
};
extern const struct renderer render_json, render_csv, render_ndjson, render_arrow;

struct keys render_keys(const struct range *range, const struct series_info *info);

/* With `over`: the columns behind the aggregates, ended by NULL; without it there are none. */
const char *const *render_counts(const struct range *range);

/* Takes note of a series of the answer. ERR_NOMEM. */
MUST_CHECK int render_know(struct render *render, const struct series_info *info);
void render_done(struct render *render);

/* A time as the range wants it, without quotes; all times of one range go with one minute. */
void render_time(const struct range *range, struct minute *minute, int64_t t_us, struct buf *out);
/* The same as a JSON value: quoted unless it is a number. */
void render_json_time(const struct range *range, struct minute *minute, int64_t t_us, struct buf *out);
/* Numbers only: all digits of a decimal, exact or count. */
void render_number(const struct value *value, struct buf *out);
/* A text, in quotes where a CSV with that separator needs them. */
void render_csv_field(struct buf *out, const char *text, char sep);
/* The value of a raw reading of the series that has its turn. */
struct value render_point(const struct render *render, const struct points *points, size_t i);
/* Any value as JSON. */
void render_json_value(struct render *render, const struct value *value, struct buf *out);

/* Many raw rows of numbers at once: each is head, time, middle, value, and the tail of its quality (the last one is
 * that of a class that is not known). */
struct frame {
    const char *head, *middle;
    size_t n_head, n_middle;
    struct frame_tail {
        char text[32];
        size_t n;
    } tails[QUALITY_N + 1];
};
/* Fills in the tails: before, the name of the quality, behind; no_names leaves the names out. */
void render_tails(struct frame *frame, const char *before, bool no_names, const char *behind);
void render_rows(struct render *render, const struct frame *frame, const struct points *points, size_t begin, size_t end,
                 struct buf *out);

/* Begins a series whose rows have the columns of the whole answer, and gives the value of column i in a row of it. */
void render_columns(struct render *render);
const struct value *render_column(const struct render *render, const struct row *row, size_t i);

/* layout=wide: the name of a column, rows, and a cell. */
void render_wide_name(const struct render *render, size_t column, struct buf *out);
void render_json_wide_name(struct render *render, size_t column, struct buf *out); /* in quotes */
/* Appends rows of a sheet while there is room, and says whether there are more of them: of each its beginning with the time,
 * its cells in order, and its end. */
struct row_text {
    void (*begin)(struct render *render, int64_t t_us, struct buf *out);
    void (*cell)(struct render *render, size_t column, const struct value *value, struct buf *out);
    const char *end;
};
bool render_sheet_rows(struct render *render, const struct sheet *sheet, const struct row_text *text, struct buf *out);
struct value render_cell(const struct render *render, const struct sheet *sheet, size_t column, size_t row);

/* Rows that wait for their batch. */
void gather_free(struct gather *gather);

#endif
