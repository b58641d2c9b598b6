/* Topics that are subscribed to by name and cannot be read. librdkafka tells of each once, and not when it is well again. */
#ifndef INGEST_UNREAD_H
#define INGEST_UNREAD_H

#include <librdkafka/rdkafka.h>
#include <stddef.h>
#include <stdint.h>

#define UNREAD_MAX 16 /* of which it is told; others are in the log */

struct unread {
    struct unread_topic {
        rd_kafka_topic_t *handle; /* so that it is among the topics which are asked for */
        rd_kafka_resp_err_t err;
    } topics[UNREAD_MAX];
    size_t n;
    int64_t ask_us; /* when to look at them again */
};

void unread_note(struct unread *unread, rd_kafka_t *rk, const char *topic, rd_kafka_resp_err_t err);
/* As long as some are unread, asks now and then which Kafka shows us by now: at most a second, nothing else is done meanwhile. */
void unread_tend(struct unread *unread, rd_kafka_t *rk, int64_t now_us);
void unread_reasons(const struct unread *unread, char *out, size_t size); /* adds sentences for people */
void unread_done(struct unread *unread); /* before the client is destroyed */

#endif
