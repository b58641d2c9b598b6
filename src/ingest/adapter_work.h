/* One raw message to normalized ones and refusals, handed to a producer. The adapter's, and on its thread. */
#ifndef INGEST_ADAPTER_WORK_H
#define INGEST_ADAPTER_WORK_H

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>

#include "adapt/compose.h"
#include "adapt/mapper.h"
#include "ingest/adapter.h"

struct adapter_work {
    const struct mapping *const *mappings;
    struct mapper **mappers;
    size_t n_mappings;
    char *dead_topic;
    struct composer composer;
    struct pseudonyms *pseudonyms; /* borrowed; NULL none */
    bool gathering;                /* the pass that only finds out which pseudonyms are needed */
    int (*seal)(void *arg, const void *data, size_t size, struct buf *out);
    void *seal_arg;
    struct buf sealed;             /* the message at hand; empty until a letter needs it */
    rd_kafka_t *out;         /* the producer; of the session at hand */
    const atomic_bool *stop; /* borrowed: nothing is waited for any more */
    /* of the message at hand */
    const rd_kafka_message_t *message;
    const char *topic;
    char target[LIMIT_TOPIC_BYTES + 1];
    int64_t timestamp_ms; /* -1 none */
    int64_t n_refused;
    enum refusal_reason reason_over;    /* of the first refusal that was one too many */
    char recent[LIMIT_TOPIC_BYTES + 1]; /* the topic of the message before, and its mapping */
    size_t recent_i;
    char error[200]; /* why producing failed, for people */
};

MUST_CHECK int adapter_work_init(struct adapter_work *work, const struct adapter_opts *opts, struct err_text *error);
void adapter_work_done(struct adapter_work *work);

/* Produces what the message means. ERR_IO, ERR_NOMEM, ERR_CANCELLED (asked to stop): the transaction is to be aborted.
 */
MUST_CHECK int adapter_work_take(struct adapter_work *work, const rd_kafka_message_t *message);

/* An empty message to each partition that what is made of a raw topic goes to, the dead topic's too. Not to be
 * committed. ERR_IO: work->error says why. */
MUST_CHECK int adapter_work_touch(struct adapter_work *work, const char *raw_topic);

#endif
