/* CSV as bytes arrive (RFC 4180: quotes double inside quotes; CR LF or LF), row by row, in memory that a row bounds. A
 * quote that does not begin a field is a character like any other, and so is what stands behind a closing one. */
#ifndef COMMON_CSV_H
#define COMMON_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

#define CSV_FIELDS_MAX 4096
#define CSV_ROW_BYTES_MAX 65536

/* What is wrong with a row. */
enum csv_fault {
    CSV_GOOD,
    CSV_MANY,  /* more than CSV_FIELDS_MAX fields */
    CSV_LONG,  /* more than CSV_ROW_BYTES_MAX bytes: what follows up to the end of the line is left out */
    CSV_QUOTED /* the text ends inside quotes */
};

/* A row: NUL-terminated fields, valid during the call. A code that is not 0 ends the feeding and is passed on. */
typedef int csv_row_fn(void *arg, const char *const *fields, size_t n_fields);

struct csv {
    csv_row_fn *row;
    void *arg;
    char separator; /* 0: a comma */
    char quote;     /* 0: a double quote; the separator: there are no quotes */
    bool tolerant;  /* a faulty row is handed over with its fault, too */
    /* for row to look at */
    int64_t line; /* on which the row began, from 1 */
    enum csv_fault fault;
    /* the reader's own; zero at the start */
    struct buf text; /* fields of the row so far, each with its NUL */
    uint32_t *at;    /* where they begin */
    const char **fields;
    size_t n, cap;
    int64_t n_lines; /* ends of lines so far */
    bool ready;
    bool open;               /* a row has begun */
    bool quoted, quote_seen; /* inside quotes; the last byte was a quote inside quotes */
    bool stops[256];         /* bytes that end a run of plain ones */
};

/* ERR_LIMIT for a faulty row unless tolerant, ERR_NOMEM, or what row answered. */
MUST_CHECK int csv_feed(struct csv *csv, const void *data, size_t size);
/* The last row, where it has no line end; frees the memory. */
MUST_CHECK int csv_end(struct csv *csv);
void csv_done(struct csv *csv);

/* The bytes of field i of the row that is handed over, its NUL not counted. */
static inline size_t csv_field_size(const struct csv *csv, size_t i)
{
    return (i + 1 < csv->n ? csv->at[i + 1] : csv->text.n) - csv->at[i] - 1;
}

#endif
