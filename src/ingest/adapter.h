/* Role adapt: reads raw topics, normalizes each message by its mapping, and produces what comes out, exactly once.
 *
 * What was read and what was made of it are one transaction of Kafka: the offsets of the raw messages are committed
 * with the normalized ones, or neither is. After any failure both clients are made anew and go on from the committed
 * offsets. The output depends on the raw messages alone. What does not fit goes to the dead topic, in the same
 * transaction, with the raw message as payload, sealed: fields without a rule leave the raw topic only so. */
#ifndef INGEST_ADAPTER_H
#define INGEST_ADAPTER_H

#include "adapt/mapping.h"
#include "adapt/pseudonym.h"
#include "ingest/consumer.h"

struct adapter_opts {
    const struct kafka_property *properties; /* as of the consumer; group.id gets -adapt behind it */
    size_t n_properties;
    const char *topics;                    /* the raw ones, as topics of the consumer */
    const char *dead_topic;                /* NULL or "": what does not fit is only counted */
    const char *instance_id;               /* outlives restarts; no two adapters have the same */
    const struct mapping *const *mappings; /* borrowed; a topic belongs to the first that takes it */
    size_t n_mappings;
    struct pseudonyms *pseudonyms; /* borrowed, the adapter's thread asks it; NULL unless a mapping substitutes */
    /* Seals the payload of a dead letter: appends it to out. NULL: letters have no payload. */
    int (*seal)(void *arg, const void *data, size_t size, struct buf *out);
    void *seal_arg;
};

struct adapter;
/* Starts the thread. A broker that is away is no error. ERR_INVALID: a property, a mapping. */
MUST_CHECK int adapter_start(const struct adapter_opts *opts, struct adapter **ret_adapter, struct err_text *error);
/* Commits what was read, leaves the group, ends the thread. */
void adapter_stop(struct adapter *adapter);

void adapter_status(struct adapter *adapter, struct consumer_status *ret_status); /* from any thread */

#endif
