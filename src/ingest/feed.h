/* One partition that the group has given us: its place, its store, and the batch that is being filled. */
#ifndef INGEST_FEED_H
#define INGEST_FEED_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "ingest/place.h"
#include "ingest/reason.h"
#include "model/sink.h"
#include "normalise/decode.h"

struct feed {
    struct source id;
    struct sink *sink;           /* borrowed */
    void *handle;                /* the store's; NULL: not claimed */
    rd_kafka_queue_t *queue;     /* the partition's own, which is forwarded to the group's; NULL not yet */
    struct place place;
    struct batch batch;
    int64_t batch_bytes;         /* of the messages in the batch */
    int64_t handed_us;           /* when a batch was last given to the store; monotonic clock */
    int64_t batch_known_ms;      /* and that message's Kafka timestamp */
    int64_t oldest_us;           /* readings of the batch that are older have expired */
    rd_kafka_message_t *last;    /* the last message of the batch, kept for its hash */
    int64_t n_holes;             /* met by going back in this assignment */
    bool restored;               /* from a backup, and the group does not know our place yet */
    bool lost;                   /* another process owns it: hands off until the next assignment */
    bool adrift;                 /* the offset we want is not in the log: its ends must be asked for */
    bool other_topic;            /* ... because the last stored message is another one now */
    bool dead_waits;             /* refused messages may wait to be copied */
    int64_t retry_us, backoff_us; /* when to claim again */
    int64_t end;                 /* the partition's end when it was assigned; -1 unknown */
    bool reached;                /* the store was once as far as that */
    int64_t eof;                 /* up to here there are no more messages; -1 unknown */
    int64_t committed;           /* last told to Kafka; -1 none */
    int64_t lag_since_us;        /* since when something is not stored yet; 0 nothing is */
    char reason[REASON_ONE_BYTES]; /* for people: why it is not well */
    bool unread;                 /* ... which is that Kafka does not let us read it */
    int64_t look_us;             /* ... and when to look whether it does */
};

struct feed *feed_new(struct sink *sink, const char *cluster, const char *topic, int32_t partition);
/* Releases the store first; what is in the batch is forgotten (Kafka still has it). */
void feed_free(struct feed *feed);

/* Opens the store and learns the place. On failure the feed is to be tried again at retry_us, or is lost (ERR_OWNER). */
MUST_CHECK int feed_claim(struct feed *feed, const struct owner *owner, int64_t now_us);
void feed_release(struct feed *feed);

/* Adds a message that place_meet wants taken. *ret_kept: the message now belongs to the feed. ERR_BUSY: the batch is full or
 * must end before a hole, hand it over and come again. ERR_NOMEM: the batch is as it was. */
MUST_CHECK int feed_add(struct feed *feed, struct decoder *decoder, rd_kafka_message_t *message, bool hole,
                        bool *ret_kept);

/* Gives the batch to the store. ERR_OWNER: lost. ERR_FULL, ERR_NOMEM, ERR_BUSY: the batch is kept for another try.
 * Other errors: the batch is forgotten and the store released, to be claimed again at retry_us. */
MUST_CHECK int feed_hand_over(struct feed *feed, int64_t now_us);

/* Acts on the ends of the log after the place was not found in it: a gap, a topic made anew, or nothing. 0 or as above. */
MUST_CHECK int feed_settle(struct feed *feed, int64_t low, int64_t high, int64_t now_us);

/* Another store of this group took the offsets below next. */
MUST_CHECK int feed_held_elsewhere(struct feed *feed, int64_t next, const char *store_uuid, int64_t now_us);

/* Kafka gives us nothing of the partition; it does again. */
void feed_note_unread(struct feed *feed, rd_kafka_resp_err_t err, int64_t now_us);
void feed_note_read(struct feed *feed);

int64_t feed_stored(const struct feed *feed); /* everything below is stored, or is no message; -1 unknown */

#endif
