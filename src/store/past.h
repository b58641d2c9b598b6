/* What is known of a series in one stretch of time and one source: what is in force, and what was before. Inside of the read
 * side, for view_revisions.c and scan_known.c. */
#ifndef STORE_PAST_H
#define STORE_PAST_H

#include "store/view.h"
#include "store/window_file.h"

struct past {
    const struct trail *trail;
    int64_t begin_us, end_us;
    struct points history;     /* of each time and issue what was in force, oldest first; marks for "nothing", too */
    struct settled in_force;   /* with all of it, or where there is a history */
    /* scratch */
    struct settled lower;
    struct rows rows;
    struct points points;
    struct chunk_rows chunks;
    struct deletions deletions;
    struct deletions stored;   /* of all files, where a replayed dead letter may have to yield to them */
};

/* A zeroed struct is empty; the trail must outlive it. */
void past_init(struct past *past, const struct trail *trail);
void past_free(struct past *past);

/* Replaces history and in_force by those of a place of the trail in [begin_us, end_us), which lies between two cuts. Where
 * nothing was ever replaced, in_force is read only when all of it is asked for. Errors of the files; ERR_NOMEM. */
MUST_CHECK int past_settle(struct past *past, const struct place *place, int64_t begin_us, int64_t end_us, bool all);

/* Whether row i of a history says what row before, the one before it of its time and issue, does: a layer does not know what is
 * below it, so that it may say again what was in force already. */
bool past_says_again(const struct points *history, size_t before, size_t i);

#endif
