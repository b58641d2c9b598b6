/* The consumer group: reads topics, decodes, hands batches to the sink, commits to Kafka what the sink has synced.
 * One thread of its own beside librdkafka's; it logs what an operator must know. */
#ifndef INGEST_CONSUMER_H
#define INGEST_CONSUMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "ingest/reason.h"
#include "model/registry.h"
#include "model/sink.h"

/* A librdkafka property by its own name. */
struct kafka_property {
    const char *name, *value;
};

/* Whether the consumer and the dead topic's producer can be set up with these; nothing is connected to. ERR_INVALID names
 * the property. */
MUST_CHECK int consumer_check(const struct kafka_property *properties, size_t n_properties, struct err_text *error);

struct consumer_opts {
    const struct kafka_property *properties; /* bootstrap.servers, group.id, security...; ours fill the gaps */
    size_t n_properties;
    const char *topics;        /* a regular expression beginning with ^, or names separated by commas or blanks */
    const char *dead_topic;    /* refused messages are copied there; NULL or "": nowhere */
    const char *const *apart;  /* topics of another reader, n_apart of them: hidden from a pattern of topics; "" none */
    size_t n_apart;
    const char *store_uuid;    /* metadata of group commits */
    const char *instance_id;   /* group.instance.id unless a property names one */
    int64_t future_max_us;
    struct registry *registry; /* borrowed; used by the consumer's thread only */
    struct sink *sink;         /* borrowed; called from the consumer's thread only */
    int32_t commit_ms;         /* the least time between two batches of a partition; 0: 200 */
};

struct consumer;
/* Starts the thread. A broker that is away is no error: it goes on trying. ERR_INVALID: a property librdkafka refuses. */
MUST_CHECK int consumer_start(const struct consumer_opts *opts, struct consumer **ret_consumer,
                              struct err_text *error);
/* Hands over what was read, releases every source, leaves the group, ends the thread. */
void consumer_stop(struct consumer *consumer);

struct consumer_status {
    bool connected;       /* a broker answers */
    bool assigned;        /* the group has given us our partitions (maybe none) */
    bool caught_up;       /* every assigned partition has reached the end it had when it was assigned */
    int64_t lag;          /* messages between what is stored and the ends, all partitions; -1 unknown */
    int64_t lag_bytes;    /* about their bytes, by the mean size of late; partitions whose end is unknown left out */
    int64_t lag_us;       /* age of the oldest message not stored yet; 0 none */
    char reason[REASON_BYTES]; /* for people: what is not well; "" when all is */
};
void consumer_status(struct consumer *consumer, struct consumer_status *ret_status); /* from any thread */

#endif
