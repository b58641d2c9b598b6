/* Where ingest hands readings over: ingest never sees the store, the store never sees Kafka.
 *
 * One call order a source: claim, take*, release. All calls come from one thread. A source is one partition of one topic
 * of one cluster; its readings and its next offset are stored in one transaction (design idea 2, I1). */
#ifndef MODEL_SINK_H
#define MODEL_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "model/reading.h"

struct source {
    char cluster[64]; /* Kafka's cluster id */
    char topic[LIMIT_TOPIC_BYTES + 1];
    int32_t partition;
};

/* Who writes: checked inside every write transaction (I4). */
struct owner {
    int32_t generation;  /* of the consumer group; -1 unknown */
    char member[128];    /* group member id */
    bool (*holds)(void *arg); /* whether the group's word still holds, asked last before a commit; NULL: it always does */
    void *arg;
};

struct claim {
    int64_t next_offset;    /* -1: nothing stored yet, start at the beginning */
    int64_t last_offset;    /* of the last stored message, -1 none */
    uint8_t last_hash[32];  /* and the hash of its value */
    int32_t incarnation;    /* counts recreations of the topic, from 1 */
    bool sparse;            /* holes are normal here (compaction, transactions) */
    bool restored;          /* from a backup: start here wherever the group is, until told */
};

struct sink_stats {
    int64_t unstored_bytes; /* batches not yet flushed, all sources */
    bool paused;            /* the disk is too full to go on: hold back, ask again */
};

struct sink {
    /* Opens the partition's store (made when new), takes ownership and says where to read on. handle is the store's.
     * ERR_OWNER when a later generation holds it, ERR_VERSION, ERR_CORRUPT, ERR_IO, ERR_FULL. */
    int (*claim)(struct sink *sink, const struct source *source, const struct owner *owner, struct claim *ret_claim,
                 void **ret_handle, struct err_text *error);

    /* Says that the topic was made anew: offsets start over from next_offset, incarnation + 1. Recorded as an alarm. */
    int (*reincarnate)(struct sink *sink, void *handle, int64_t next_offset, struct err_text *error);

    /* Records that offsets [from, to) are gone (log truncated before they were read): a gap record, and next_offset = to. */
    int (*gap)(struct sink *sink, void *handle, int64_t from, int64_t to, const char *why, struct err_text *error);

    /* Stores a batch with its refusals and moves the offset, in one transaction; messages below the stored next offset
     * are skipped (I1, I2). The batch stays the caller's. ERR_OWNER: stop writing to this source. ERR_EXPIRED: the owner
     * holds no more; nothing was stored, claim anew. ERR_FULL, ERR_IO: nothing was stored, the same batch may be taken again
     * after the cause has gone. reincarnate and gap answer alike. */
    int (*take)(struct sink *sink, void *handle, struct batch *batch, struct err_text *error);

    /* Readings older than this have expired, and are to be refused; INT64_MIN: none are. It moves with the clock. */
    int64_t (*oldest)(struct sink *sink, void *handle);

    /* The offset that may be told to Kafka: everything below is synced to disk. */
    int64_t (*committable)(struct sink *sink, void *handle);

    /* Kafka knows by now where this store is: a restored source is one like any other from here on. */
    int (*told)(struct sink *sink, void *handle);

    /* Syncs what was taken, so that all of it is committable. */
    int (*sync)(struct sink *sink, void *handle);

    /* How many partitions other members of the group have now: their readings are not in this store. */
    int (*elsewhere)(struct sink *sink, int32_t n_partitions, struct err_text *error);

    /* Gives the partition up; handle is gone. */
    void (*release)(struct sink *sink, void *handle);

    void (*stats)(struct sink *sink, struct sink_stats *ret_stats);

    /* Refused messages that wait to be copied to the dead topic: calls row for up to max of them, oldest first, and
     * dead_done when Kafka has acknowledged those up to id. */
    int (*dead_next)(struct sink *sink, void *handle, int max,
                     int (*row)(void *arg, int64_t id, const struct refusal *refusal, const void *payload), void *arg);
    int (*dead_done)(struct sink *sink, void *handle, int64_t id);
};

#endif
