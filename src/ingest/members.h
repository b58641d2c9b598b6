/* What the other members of the consumer group hold: then an answer of this store is not all there is. */
#ifndef INGEST_MEMBERS_H
#define INGEST_MEMBERS_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whoever changes what another member has makes the group assign to us anew, too, so it is asked once after each
 * assignment. */
struct members {
    bool wanted;
    int64_t ask_us;          /* not before */
};

/* Asks where that is wanted and due, which takes a second at most. true: *ret_elsewhere partitions are held by members
 * other than the one named so. */
bool members_tend(struct members *members, rd_kafka_t *rk, const char *member, int64_t now_us, int32_t *ret_elsewhere);
void members_want(struct members *members);

/* How many partitions an assignment has, as Kafka's consumers encode it; -1 where it makes no sense. */
int32_t members_count_partitions(const void *bytes, size_t size);

#endif
