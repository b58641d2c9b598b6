/* One figure of the readings in each of many equally long windows that may overlap, as Prometheus has them: at start,
 * start + step ... up to end, of the readings in (t - window, t]. Readings are read once, whatever windows have in
 * common. Suspect readings do not count, and windows without readings are passed over. Where windows are long and their edges
 * are edges of a tier's cells, these stand for the readings inside. */
#ifndef QUERY_SLIDING_H
#define QUERY_SLIDING_H

#include "query/range.h"

enum sliding_fn { SLIDING_AVG, SLIDING_MIN, SLIDING_MAX, SLIDING_SUM, SLIDING_LAST, SLIDING_COUNT, SLIDING_N };

/* A window may be so many steps long; what is held of it grows with that number. */
#define SLIDING_STEPS_MAX 100000

struct sliding_options {
    uint32_t series_id;
    enum kind kind;                /* one that has numbers */
    bool has_expired;              /* readings of the time asked for are missing: cells alone cannot tell what is in a window */
    enum sliding_fn fn;
    int64_t start_us, end_us, step_us, window_us; /* step and window at least 1; all within the years 0001 to 9999 */
    uint64_t *left;                /* so many readings and cells may be read yet, counted down: ERR_LIMIT then; NULL: any */
};

struct sliding;
/* ERR_LIMIT: the window is too many steps long; ERR_NOMEM; codes of the view, which must outlive it. */
MUST_CHECK int sliding_open(struct view *view, const struct sliding_options *options, struct sliding **ret_sliding);
/* The next window that has readings: 1, 0 behind the last, or a code. The value is valid until the next call. */
MUST_CHECK int sliding_next(struct sliding *sliding, int64_t *ret_t_us, struct value *ret_value);
void sliding_close(struct sliding *sliding);

#endif
