/* CSV as bytes arrive (RFC 4180: quotes double inside quotes; CR LF or LF), row by row. */
#ifndef APP_CSV_H
#define APP_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/err.h"

#define CSV_FIELDS_MAX 64

/* A row: NUL-terminated fields, valid during the call. A code that is not 0 ends the feeding and is
 * passed on. */
typedef int csv_row_fn(void *arg, const char *const *fields, size_t n_fields);

struct csv {
    csv_row_fn *row;
    void *arg;
    /* the reader's own; zero at the start */
    struct buf text;           /* fields of the row so far, each with its NUL */
    size_t at[CSV_FIELDS_MAX]; /* where they begin */
    size_t n;
    bool open, quoted,
        quote_seen; /* a row has begun; inside quotes; the last byte was a quote inside quotes */
};

/* ERR_LIMIT when a row has too many fields, ERR_NOMEM, or what row answered. */
MUST_CHECK int csv_feed(struct csv *csv, const void *data, size_t size);
/* The last row, where it has no line end; frees the memory. */
MUST_CHECK int csv_end(struct csv *csv);
void csv_done(struct csv *csv);

#endif
