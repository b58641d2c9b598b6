/* The partitions of raw topics that the group has given to an adapter, and how far it is in each. On the adapter's
 * thread. */
#ifndef INGEST_ADAPTER_PARTS_H
#define INGEST_ADAPTER_PARTS_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "common/err.h"

struct adapter_part {
    char *topic;
    int32_t partition;
    int64_t next;   /* the offset behind the last message taken; -1 none yet */
    int64_t stored; /* ... that is committed */
    bool dirty;     /* taken, and not committed */
    bool denied;    /* Kafka does not let us read it */
    int64_t look_us; /* ... and when to look whether it does */
    bool at_end;    /* its end was reached since it was assigned */
    bool reached;   /* ... and all before it is committed */
};

struct adapter_parts {
    struct adapter_part *rows;
    size_t n;
};

/* These and no others, nothing known of them. ERR_NOMEM: as many as there was memory for. */
MUST_CHECK int adapter_parts_keep(struct adapter_parts *parts, const rd_kafka_topic_partition_list_t *list);
void adapter_parts_forget(struct adapter_parts *parts);
/* The partition of a message; NULL: it is not ours. */
struct adapter_part *adapter_parts_find(struct adapter_parts *parts, const rd_kafka_message_t *message);
/* The offsets to commit, of those that something was taken from. The caller destroys the list. */
rd_kafka_topic_partition_list_t *adapter_parts_dirty(const struct adapter_parts *parts);
/* What was taken is committed. */
void adapter_parts_commit(struct adapter_parts *parts);
/* Where the group is in those of which it is not known. 1: offsets belong to a transaction that has not ended; else 0;
 * ERR_IO: Kafka does not answer. */
MUST_CHECK int adapter_parts_ask(struct adapter_parts *parts, rd_kafka_t *consumer);
/* Raw messages before offset that the topic let go before they were read: an alarm, since nobody can normalize them any
 * more. */
void adapter_part_note_hole(const struct adapter_part *part, rd_kafka_t *consumer, int64_t offset);
/* How many messages are not normalized yet; -1 unknown. */
int64_t adapter_part_lag(const struct adapter_part *part, rd_kafka_t *consumer);

#endif
