/* The partitions the consumer group has given us: claims them, reads them, lets go of them. Runs on the consumer's thread. */
#ifndef INGEST_GROUP_H
#define INGEST_GROUP_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ingest/deadletter.h"
#include "ingest/feed.h"
#include "ingest/lease.h"
#include "ingest/members.h"
#include "model/sink.h"

#define ASK_MS 1000 /* questions to the broker: nothing else is done meanwhile */
#define ASK_AGAIN_US 5000000
#define HOLD_US 1000000

struct group {
    rd_kafka_t *rk;            /* borrowed, as are the next five */
    struct sink *sink;
    struct decoder *decoder;
    struct deadletter *deadletter; /* NULL: no dead topic */
    const char *dead_topic;    /* "" none */
    const char *store_uuid;
    /* Messages come through a queue of their own. So holding back is not reading it, while rebalances are still served from
     * the group's queue; librdkafka 2.0.2 skips messages when partitions are paused under batch reads. */
    rd_kafka_queue_t *messages;
    int64_t commit_us;         /* the least time between two batches of a partition */
    char cluster[64];
    struct lease lease;
    struct members members;
    struct owner owner;
    struct feed **feeds;
    size_t n_feeds;
    bool assigned;
    bool closing;              /* nothing will be read any more */
    bool reassign;             /* what is read must be told to librdkafka again */
    bool lapsed;               /* the lease ran out: nothing is read until the group has assigned anew */
    int64_t rejoin_us;         /* ... and when to ask it to */
    bool paused;               /* the store says that the disk is too full */
    int64_t hold_until_us;     /* a batch was not taken: nothing is read before */
    uint64_t round;            /* counts reads of the queue */
    int64_t n_pending;         /* readings in all batches */
    int64_t ends_retry_us;
    int64_t commit_next_us;
    double message_bytes;      /* size of a message, moving mean */
    struct feed *recent;       /* of the message before, with its topic handle: messages come in runs */
    rd_kafka_topic_t *recent_topic;
};

void group_init(struct group *group);
void group_done(struct group *group); /* after every partition was revoked */

/* librdkafka's rebalance callback, its opaque a struct group. */
void group_rebalance(struct group *group, rd_kafka_resp_err_t what, rd_kafka_topic_partition_list_t *partitions);

/* What became of a commit. */
void group_commit_failed(struct group *group); /* what was told to Kafka did not arrive: tell it again */
void group_commit_done(struct group *group, rd_kafka_topic_partition_list_t *offsets);

bool group_holds_back(const struct group *group, int64_t now_us);
/* Reads what is there, at most about wait_ms, and hands over batches that are due. Returns the number of messages. */
size_t group_read(struct group *group, int wait_ms);
/* About every 100 ms: claims and checks again what failed, commits, asks for ends. */
void group_tend(struct group *group, int64_t now_us);
/* After the broker was away: verify each partition's last stored message before going on. */
void group_doubt(struct group *group);

/* Adds sentences for people about what is not well. */
void group_reasons(const struct group *group, char *out, size_t size);

#endif
