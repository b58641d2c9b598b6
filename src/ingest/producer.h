/* A producer for our own tools (demo, importers): idempotent, partitioned as Java clients do (murmur2_random). */
#ifndef INGEST_PRODUCER_H
#define INGEST_PRODUCER_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "ingest/consumer.h"

struct producer;
MUST_CHECK int producer_open(const struct kafka_property *properties, size_t n_properties,
                             struct producer **ret_producer, struct err_text *error);
/* Copies key and value; waits while the queue is full; retriable errors are retried. ERR_IO: a message before was lost for
 * good (error says which topic and why). */
MUST_CHECK int producer_send(struct producer *producer, const char *topic, const void *key, size_t key_size,
                             const void *value, size_t value_size, struct err_text *error);
/* A message that is meant for one partition, of a time of its own and with a header; copied. */
struct addressed {
    const char *topic, *header, *header_value;
    int32_t partition;
    int64_t timestamp_ms;
    const void *value;
    size_t value_size;
};
MUST_CHECK int producer_send_to(struct producer *producer, const struct addressed *message, struct err_text *error);
/* Waits until every message is acknowledged, timeout_ms at the most (ERR_BUSY). */
MUST_CHECK int producer_flush(struct producer *producer, int timeout_ms, struct err_text *error);
void producer_close(struct producer *producer);

#endif
