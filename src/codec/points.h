/* Readings of one series as columns, ordered by (t_us, issued_us). */
#ifndef CODEC_POINTS_H
#define CODEC_POINTS_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "model/reading.h"

/* Columns beyond time, value and quality are filled only when asked for. */
enum points_want { POINTS_PERIOD = 1, POINTS_ISSUED = 2, POINTS_KNOWN = 4, POINTS_ALL = 7 };

struct points {
    size_t n, cap;
    int64_t *t_us;
    int64_t *m;         /* mantissas; of states: indexes into texts */
    int8_t *e;          /* exponent of each mantissa */
    uint8_t *quality;   /* quality bytes of model/reading.h */
    int64_t *period_us; /* 0 none */
    int64_t *issued_us; /* ISSUED_NONE for plain readings */
    int64_t *known_ms;
    struct texts texts; /* used by states only */
};

/* A zeroed struct is empty. Every column always has room for cap rows, whether filled or not. */
void points_free(struct points *points);
void points_clear(struct points *points); /* n = 0, texts emptied, memory kept */
MUST_CHECK int points_reserve(struct points *points, size_t n_more);

/* Appends row i of other (all columns); texts are interned anew when is_state. */
MUST_CHECK int points_append(struct points *points, const struct points *other, size_t i, bool is_state);

/* The first row from begin on at or after t_us: rows are in time order. */
size_t points_seek(const struct points *points, size_t begin, int64_t t_us);

#endif
