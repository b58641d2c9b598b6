/* What is carried over when readings expire: of each series and quality class the last one, so that increases and previous
 * values over the edge stay right. Rows of table carry in ingest.db. */
#ifndef STORE_CARRY_H
#define STORE_CARRY_H

#include <stddef.h>
#include <stdint.h>

#include "codec/points.h"
#include "common/err.h"
#include "db/db.h"
#include "model/reading.h"

struct carry {
    uint32_t series_id;
    int64_t t_us, issued_us, period_us, known_ms, m;
    int64_t first_us; /* of the series' readings that expire with it */
    int8_t e;
    uint8_t quality;
    char *state;      /* of states */
};
struct carries {
    struct carry *at;
    size_t n, cap;
};
void carries_free(struct carries *carries);

/* Adds the last reading of each quality class of points, a series' readings in force in time order. ERR_NOMEM. */
MUST_CHECK int carries_add(struct carries *carries, uint32_t series_id, bool is_state, const struct points *points);

/* Binds :series :quality :t_us :issued_us :period_us :known_ms :flags :m :e :state :first_us. */
void carry_bind(sqlite3_stmt *stmt, const struct carry *carry);

/* Appends a row of CARRY_COLUMNS to points. ERR_NOMEM. */
#define CARRY_COLUMNS \
    "quality, t_us, coalesce(issued_us, -9223372036854775808), period_us, known_ms, flags, m, e, state, first_us"
MUST_CHECK int carry_read(sqlite3_stmt *stmt, struct points *points);

#endif
