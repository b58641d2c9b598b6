/* Rows of a range answer as text: JSON, CSV and NDJSON, straight from decimals, in the shapes of contract section 5. */
#ifndef HTTP_RENDER_H
#define HTTP_RENDER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "query/range.h"

/* What is being rendered, and how far it has come. The caller fills in the first part. */
struct render {
    const struct range *range;  /* raw or step, form of time, zone */
    enum agg columns[AGG_N];    /* CSV, NDJSON: the columns of the whole answer, when not raw */
    size_t n_columns;

    const struct series_info *info; /* the series that has its turn; valid in begin_series */
    const enum agg *aggs;
    size_t n_aggs;
    bool with_quality;              /* JSON: raw readings that are not all measured */
    size_t n_series, n_rows;        /* begun so far; of this series */
    struct buf explain;             /* JSON: what the rows of this series so far were made of, for its end */
    struct buf prefix;              /* CSV, NDJSON: entity, property and unit of this series, as each row repeats them */
    size_t sources[AGG_N];          /* CSV, NDJSON: which value of a row each column takes; n_aggs: none */
};

struct renderer {
    const char *type; /* Content-Type */
    void (*begin)(struct render *render, struct buf *out);
    /* info, aggs, n_aggs and with_quality are those of the next series. */
    void (*begin_series)(struct render *render, struct buf *out);
    void (*row)(struct render *render, const struct row *row, struct buf *out);
    void (*end_series)(struct render *render, struct buf *out);
    void (*end)(struct render *render, const char *cursor, struct buf *out);
};
extern const struct renderer render_json, render_csv, render_ndjson;

void render_done(struct render *render);

/* A time as the range wants it, without quotes. */
void render_time(const struct range *range, int64_t t_us, struct buf *out);
/* The same as a JSON value: quoted unless it is a number. */
void render_json_time(const struct range *range, int64_t t_us, struct buf *out);
/* Numbers only: all digits of a decimal, exact or count. */
void render_number(const struct value *value, struct buf *out);
/* A text, in quotes where a CSV needs them. */
void render_csv_field(struct buf *out, const char *text);
/* Any value as JSON, times as the range wants them. */
void render_json_value(const struct range *range, const struct value *value, struct buf *out);

/* Begins a series whose rows have the columns of the whole answer, and gives the value of column i in a row of it. */
void render_columns(struct render *render);
const struct value *render_column(const struct render *render, const struct row *row, size_t i);

#endif
