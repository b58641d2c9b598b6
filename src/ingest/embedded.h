/* The embedded broker: librdkafka's mock cluster in this process, for demos and first steps. It keeps about 5 MB a partition,
 * so foreign producers get a retriable error while more than 2 MB are not stored yet. */
#ifndef INGEST_EMBEDDED_H
#define INGEST_EMBEDDED_H

#include <stdint.h>

#include "common/err.h"

/* A session.timeout.ms for groups of that broker. A rebalance takes nearly that long there, and two groups that begin at one time
 * sometimes have one at once. */
#define EMBEDDED_SESSION_MS "10000"

struct embedded;
/* Serves on 127.0.0.1, a free port. topics: names separated by commas or blanks, made with n_partitions each. */
MUST_CHECK int embedded_start(const char *topics, int32_t n_partitions, struct embedded **ret_broker,
                              struct err_text *error);
const char *embedded_bootstrap(const struct embedded *broker); /* "127.0.0.1:PORT" */
/* Tells how much of what was produced has not been taken by the store yet (consumer_status's lag_bytes; batches in ingest.db
 * are stored); call it about every 100 ms. From the first call on only a few produce requests pass between two calls, so that
 * nothing is pushed out of the broker's 5 MB before it was read: up to about 20 MB/s in requests of 1 MB. */
void embedded_pace(struct embedded *broker, int64_t unstored_bytes);
void embedded_stop(struct embedded *broker);

#endif
