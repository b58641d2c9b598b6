/* A producer for messages that somebody waits for, one at a time each: from any threads. */
#ifndef INGEST_PUBLISHER_H
#define INGEST_PUBLISHER_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "ingest/consumer.h"

#define PUBLISHER_WAIT_MS 8000 /* so long at most until it is known whether a message was taken */

struct publisher;
/* Connects to nothing yet. ERR_INVALID: a property librdkafka refuses. */
MUST_CHECK int publisher_open(const struct kafka_property *properties, size_t n_properties, struct publisher **ret_publisher,
                              struct err_text *error);
/* Produces a value without a key, and waits until every replica that is in step has it. ERR_BUSY: the broker is away or
 * refuses for now; where it went away while it had the message, that may be there all the same, and twice when it is sent
 * again. ERR_LIMIT: it is too large for the topic. */
MUST_CHECK int publisher_send(struct publisher *publisher, const char *topic, const void *value, size_t size,
                              int32_t *ret_partition, int64_t *ret_offset, struct err_text *error);
/* When no thread is sending. NULL is fine. */
void publisher_close(struct publisher *publisher);

#endif
