/* How long Kafka keeps the messages of topics, which erasing here does not reach. */
#ifndef INGEST_KEPT_H
#define INGEST_KEPT_H

#include <stdint.h>

#include "common/err.h"
#include "ingest/consumer.h"

#define KEPT_WAIT_MS 5000 /* so long at most */
#define KEPT_FOR_EVER (-1)

/* Asks the brokers for `retention.ms` of each of the topics, which needs the right to describe their configuration, and calls row
 * for those that are told. ERR_BUSY: no broker answers; ERR_INVALID: a property librdkafka refuses. */
MUST_CHECK int kept_each(const struct kafka_property *properties, size_t n_properties, const char *const *topics,
                         size_t n_topics, void (*row)(void *arg, const char *topic, int64_t kept_ms), void *arg,
                         struct err_text *error);

#endif
