/* librdkafka's configuration: what the operator wrote over our defaults, its log lines into ours. */
#ifndef INGEST_CONF_H
#define INGEST_CONF_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "ingest/consumer.h"

#define CONF_GROUP_ID "almanac" /* unless a property names one */

/* A new configuration for a consumer or a producer; rd_kafka_new takes it over, else rd_kafka_conf_destroy.
 * ERR_INVALID: a property librdkafka does not know, a value it refuses, or one that would break what we promise (offsets are
 * kept with the readings, so Kafka must not move them by itself). */
MUST_CHECK int conf_consumer(const struct kafka_property *properties, size_t n_properties, rd_kafka_conf_t **ret_conf,
                             struct err_text *error);
MUST_CHECK int conf_producer(const struct kafka_property *properties, size_t n_properties, rd_kafka_conf_t **ret_conf,
                             struct err_text *error);

/* Sets one property; ERR_INVALID with its name and librdkafka's reason. */
MUST_CHECK int conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct err_text *error);

/* The value of a property as the operator wrote it, or NULL. */
const char *conf_find(const struct kafka_property *properties, size_t n_properties, const char *name);

#endif
