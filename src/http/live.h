/* Who listens for what is new, and the thread that looks for it: four times a second it compares the store's position
 * with the one before, and wakes listeners that sleep. What is new each listener finds by itself, in the thread that
 * sends its answer. Nothing here knows the HTTP library. */
#ifndef HTTP_LIVE_H
#define HTTP_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "http/reply.h"
#include "store/access.h"
#include "store/reader.h"

#define LIVE_LISTENERS_MAX 64
#define LIVE_SILENCE_US (15 * INT64_C(1000000)) /* a listener that has nothing to say is woken after that, to say so */

struct live;

/* Part of what its owner keeps of a stream; zeroed but for gone. */
struct listener {
    const _Atomic bool *gone; /* nobody listens any more; or NULL */
    /* private to live.c */
    struct listener *next, *previous;
    struct sleeper sleeper;
    bool asleep;
    uint64_t seen;
    int64_t due_us;
};

/* What is given is borrowed; access: whose changes wake everybody, so that each sees whether he may go on; or NULL. ERR_NOMEM. */
MUST_CHECK int live_start(struct reader_dir *dir, struct access *access, struct live **ret_live);
/* Nobody may sleep any more; all are woken. */
void live_refuse(struct live *live);
/* After the last listener was removed. */
void live_stop(struct live *live);

/* ERR_BUSY: there are LIVE_LISTENERS_MAX. */
MUST_CHECK int live_add(struct live *live, struct listener *listener);
void live_remove(struct live *live, struct listener *listener); /* awake */

/* said_us: when the listener last said something (clock_mono_us). 0: the store has changed since the last 0, or it was
 * silent for LIVE_SILENCE_US. 1: neither, the owner sleeps, and wake comes when it should ask again. ERR_CANCELLED:
 * nobody listens any more, or live_refuse was called. */
MUST_CHECK int live_wait(struct live *live, struct listener *listener, int64_t said_us, const struct sleeper *sleeper);

#endif
