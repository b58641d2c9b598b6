/* Some rows of a table as columns: how wide answers are handed out, and how whoever needs columns gathers rows. */
#ifndef QUERY_SHEET_H
#define QUERY_SHEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "model/decimal.h"
#include "model/reading.h"

enum sheet_type { SHEET_NUMBER, SHEET_COUNT, SHEET_TEXT, SHEET_TIME };

/* The exponent of what is no decimal: m 0 is nothing, else 1 + the place in exacts. Of a decimal it is never that. */
#define SHEET_OTHER INT8_MIN

/* Numbers are m * 10^e. Of counts, texts and times e is 0, and m the number, the index into texts, microseconds. */
struct sheet_column {
    const int64_t *m;
    const int8_t *e;
};

struct sheet {
    size_t n, n_columns;
    const int64_t *t_us;
    const struct sheet_column *columns;
    const struct texts *texts;
    const struct exact *exacts;
};

static inline bool sheet_is_null(const struct sheet_column *column, size_t i)
{
    return column->e[i] == SHEET_OTHER && !column->m[i];
}

/* ---- making one ---- */

/* What cells refer to. A zeroed struct is empty. */
struct sheet_store {
    struct texts texts;
    struct exact *exacts;
    size_t n_exacts, exacts_cap;
};
void sheet_store_free(struct sheet_store *store);
void sheet_store_clear(struct sheet_store *store);

struct value;
/* A value of a row as a cell. ERR_NOMEM. */
MUST_CHECK int sheet_store_value(struct sheet_store *store, const struct value *value, int64_t *ret_m, int8_t *ret_e);

/* What stands in a column of a series of that kind; agg AGG_N: its readings. */
enum sheet_type sheet_type(int agg, enum kind kind);

#endif
