/* Topics that are subscribed to and cannot be read. librdkafka tells of each once, and not when it is well again; of a pattern it
 * tells as if that were a topic's name, when no topic is of it. */
#ifndef INGEST_UNREAD_H
#define INGEST_UNREAD_H

#include <librdkafka/rdkafka.h>
#include <stddef.h>
#include <stdint.h>

#include "ingest/reason.h"

#define UNREAD_MAX 16 /* of which it is told; others are in the log */
#define UNREAD_LOOK_US 10000000 /* between two looks at a partition; librdkafka leaves a denied one alone for 5 s */

struct unread {
    struct unread_topic {
        rd_kafka_topic_t *handle; /* so that it is among the topics which are asked for */
        rd_kafka_resp_err_t err;
    } topics[UNREAD_MAX];
    size_t n;
    int64_t ask_us; /* when to look at them again */
    char pattern[REASON_ONE_BYTES]; /* what is said of one; "" nothing */
};

void unread_note(struct unread *unread, rd_kafka_t *rk, const char *topic, rd_kafka_resp_err_t err);
/* As long as some are unread, asks now and then which Kafka shows us by now: at most a second, nothing else is done meanwhile. */
void unread_tend(struct unread *unread, rd_kafka_t *rk, int64_t now_us);
/* The group has given us some partitions: a topic is of the pattern. */
void unread_assigned(struct unread *unread);
void unread_reasons(const struct unread *unread, char *out, size_t size); /* adds sentences for people */
/* Begins to read a partition again at an offset. librdkafka tells once that it is denied, and once of an end: so it tells
 * anew. */
void unread_look_again(rd_kafka_t *rk, const char *topic, int32_t partition, int64_t offset);
void unread_done(struct unread *unread); /* before the client is destroyed */

#endif
