/* What the other members of the consumer group hold: then an answer of this store is not all there is. */
#ifndef INGEST_MEMBERS_H
#define INGEST_MEMBERS_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

/* A question under way. Whoever changes what another member has makes the group assign to us anew, too, so it is asked once
 * after each assignment. */
struct members {
    rd_kafka_queue_t *queue; /* of the answer; NULL: none is awaited */
    bool wanted;
    int64_t ask_us;          /* not before */
};

/* Goes a step on without waiting. true: *ret_elsewhere partitions are held by members other than the one named so. */
bool members_tend(struct members *members, rd_kafka_t *rk, const char *member, int64_t now_us, int32_t *ret_elsewhere);
void members_want(struct members *members); /* an answer under way is of no use any more */
void members_done(struct members *members);

#endif
