/* Kafka's transactions, tried again while the broker says that this may help, in slices: a stop is noticed. */
#ifndef INGEST_TRANSACTION_H
#define INGEST_TRANSACTION_H

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "common/err.h"

#define TRANSACTION_SLICE_MS 1000

/* Each gives NULL, or why not; the error is the caller's. Where one fails, what was begun is to be aborted, and the
 * producer is no good if that fails, too. */

/* The offsets that consumer read become part of producer's transaction. */
rd_kafka_error_t *transaction_send_offsets(rd_kafka_t *producer, rd_kafka_t *consumer,
                                           const rd_kafka_topic_partition_list_t *offsets, const atomic_bool *stop);
/* Commits what producer sent, offsets included, as one. */
rd_kafka_error_t *transaction_commit(rd_kafka_t *producer, const atomic_bool *stop);
/* What cannot be aborted now, the broker does when a producer of the name comes again, or after transaction.timeout.ms.
 */
rd_kafka_error_t *transaction_abort(rd_kafka_t *producer, const atomic_bool *stop);

/* The group's offsets of these partitions. 1: none within a moment, as it is when some belong to a transaction that has
 * not ended (librdkafka asks again and again then) or the coordinator is not there; 0: they are known; ERR_IO: Kafka
 * refuses. consumer reads what is committed. */
MUST_CHECK int transaction_ask_offsets(rd_kafka_t *consumer, rd_kafka_topic_partition_list_t *offsets);

#endif
