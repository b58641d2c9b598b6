/* Copies refused messages to the dead topic, each at least once; the store keeps them until Kafka has acknowledged. */
#ifndef INGEST_DEADLETTER_H
#define INGEST_DEADLETTER_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "ingest/consumer.h"
#include "ingest/feed.h"

struct deadletter;
MUST_CHECK int deadletter_open(const struct kafka_property *properties, size_t n_properties, const char *topic,
                               struct deadletter **ret_deadletter, struct err_text *error);
/* Goes a step on without waiting: sends a group of one feed, or takes its acknowledgements. */
void deadletter_serve(struct deadletter *deadletter, struct feed *const *feeds, size_t n_feeds, int64_t now_us);
/* The feed is being released: its group is forgotten, and sent again by whoever claims it. */
void deadletter_forget(struct deadletter *deadletter, const struct feed *feed);
const char *deadletter_reason(const struct deadletter *deadletter); /* for people: why nothing is copied; "" it is */
void deadletter_close(struct deadletter *deadletter);

#endif
