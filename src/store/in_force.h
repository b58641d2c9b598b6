/* The readings in force of one series in one window file, whatever lies above or below it. */
#ifndef STORE_IN_FORCE_H
#define STORE_IN_FORCE_H

#include "store/window_file.h"

struct in_force {
    struct points points; /* the answer, in time order */
    /* scratch */
    struct points chunk;
    struct rows rows;
    struct settled settled;
    struct chunk_rows chunks;
};

/* A zeroed struct is empty. */
void in_force_free(struct in_force *in_force);
/* Replaces points by those of [window.begin_us, window.end_us) in state mark. ERR_CORRUPT, ERR_NOMEM, what SQLite has. */
MUST_CHECK int in_force_read(struct in_force *in_force, struct window_file *file, const struct series_row *series,
                             struct window window, int64_t mark);

#endif
