/* Kafka's transactions, tried again while the broker says that this may help, in slices: a stop is noticed. */
#ifndef INGEST_TRANSACTION_H
#define INGEST_TRANSACTION_H

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <stdbool.h>

#define TRANSACTION_SLICE_MS 1000

/* Commits what producer sent and the offsets that consumer read, as one. NULL, or why not: what was begun is to be
 * aborted, and the producer is no good if that fails, too. The error is the caller's. */
rd_kafka_error_t *transaction_commit(rd_kafka_t *producer, rd_kafka_t *consumer,
                                     const rd_kafka_topic_partition_list_t *offsets, const atomic_bool *stop);
/* What cannot be aborted now, the broker does when a producer of the name comes again, or after transaction.timeout.ms.
 */
void transaction_abort(rd_kafka_t *producer, const atomic_bool *stop);

#endif
