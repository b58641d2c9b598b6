/* Values and times as SQL results. Private to vtab. */
#ifndef VTAB_VALUE_H
#define VTAB_VALUE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "codec/points.h"
#include "model/decimal.h"

/* An INTEGER where the number is whole and fits, else a REAL. */
void value_number(sqlite3_context *context, struct decimal decimal);
void value_exact(sqlite3_context *context, const struct exact *exact);
void value_text(sqlite3_context *context, const char *text); /* copied */
void value_time(sqlite3_context *context, int64_t t_us);     /* RFC 3339 in UTC */
void value_quality(sqlite3_context *context, uint8_t quality); /* the class of a quality byte */
void value_issue(sqlite3_context *context, int64_t issued_us); /* microseconds; NULL without a stated issue */
/* The value of a reading; of a number all digits as text where digits are asked for. */
void value_point(sqlite3_context *context, const struct points *points, size_t i, enum kind kind, bool digits);

#endif
