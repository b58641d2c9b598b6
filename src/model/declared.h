/* What is declared of a series beside its model (contract section 7, the assets Series and MeterChange). Nothing declared is a
 * zeroed struct. */
#ifndef MODEL_DECLARED_H
#define MODEL_DECLARED_H

#include <stddef.h>
#include <stdint.h>

#include "model/decimal.h"

/* A register that was put in the place of another: the old one stood at end, the new one at start. */
struct meter_change {
    int64_t t_us;
    struct decimal end, start;
};

struct declared {
    int64_t max_gap_us;            /* readings further apart are not bridged; 0: none */
    struct decimal register_size;  /* where a counter begins again at 0; 0: none */
    struct decimal epsilon;        /* a counter's decrease up to so much is jitter; 0: none */
    const struct meter_change *changes; /* in time order */
    size_t n_changes;
};

#endif
