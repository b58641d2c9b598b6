/* Topics as the configuration names them: a regular expression beginning with ^, or names separated by commas or
 * blanks. */
#ifndef INGEST_TOPICS_H
#define INGEST_TOPICS_H

#include <librdkafka/rdkafka.h>

#include "common/err.h"

/* Subscribes to them; a name that is without (NULL: none) is left out. ERR_INVALID. */
MUST_CHECK int topics_subscribe(rd_kafka_t *rk, const char *topics, const char *without, struct err_text *error);

#endif
