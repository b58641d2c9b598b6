/* Where the logs of our partitions begin and end: for feeds that have lost their place, and to tell how far behind we are. */
#ifndef INGEST_ENDS_H
#define INGEST_ENDS_H

#include <stdint.h>

#include "ingest/group.h"

/* Feeds whose place was not in the log: asks where the log begins and ends, and settles them. */
void ends_settle(struct group *group, int64_t now_us);
/* The ends at the time of assignment, where they are not known yet. */
void ends_ask(struct group *group, int64_t now_us);

/* Messages (and about how many bytes) not stored yet, or -1 when an end is unknown; the age of the oldest. */
struct ends_lag {
    int64_t messages, bytes, age_us;
    bool caught_up;
};
void ends_lag(struct group *group, int64_t now_us, struct ends_lag *ret_lag);

#endif
