#include <config.h>

#include "ingest/feed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "ingest/replay.h"
#include "ingest/unread.h"

#define RETRY_MIN_US 1000000
#define RETRY_MAX_US 60000000
#define BATCH_REFUSALS 4096 /* a batch of nothing but refusals ends early: each costs some hundred bytes */

#define BATCH_KEEP_READINGS 65536

#define COUNTER(id, metric_name, text) \
    static struct metric id = {.name = metric_name, .help = text, .type = METRIC_COUNTER}
COUNTER(n_messages, "almanac_kafka_messages_total", "Messages read from Kafka and added to a batch.");
COUNTER(n_bytes, "almanac_kafka_bytes_total", "Bytes of the values of those messages.");
COUNTER(n_tombstones, "almanac_kafka_tombstones_total", "Messages without a value: passed over.");
COUNTER(n_replays, "almanac_replayed_total", "Dead letters that were brought again.");
COUNTER(n_gaps, "almanac_kafka_gaps_total", "Times that offsets were gone before they could be read.");
COUNTER(n_reincarnations, "almanac_kafka_reincarnations_total", "Times that a topic was found to be made anew.");
COUNTER(n_failures, "almanac_kafka_store_failures_total", "Claims and batches that the store did not take.");

struct feed *feed_new(struct sink *sink, const char *cluster, const char *topic, int32_t partition)
{
    struct feed *feed = calloc(1, sizeof(*feed));
    if (!feed)
        return NULL;
    feed->sink = sink;
    snprintf(feed->id.cluster, sizeof(feed->id.cluster), "%s", cluster);
    snprintf(feed->id.topic, sizeof(feed->id.topic), "%s", topic);
    feed->id.partition = partition;
    feed->end = feed->eof = feed->committed = -1;
    feed->dead_waits = true; /* the ones of the run before */
    batch_init(&feed->batch);
    return feed;
}

static void forget_batch(struct feed *feed)
{
    if (feed->last)
        rd_kafka_message_destroy(feed->last);
    feed->last = NULL;
    feed->batch_bytes = 0;
    if (feed->batch.readings_cap > BATCH_KEEP_READINGS) { /* hundreds of partitions may each have had a large one */
        batch_free(&feed->batch);
        batch_init(&feed->batch);
    }
    batch_clear(&feed->batch);
}

void feed_release(struct feed *feed)
{
    forget_batch(feed);
    if (feed->handle)
        feed->sink->release(feed->sink, feed->handle);
    feed->handle = NULL;
}

void feed_free(struct feed *feed)
{
    if (!feed)
        return;
    feed_release(feed);
    if (feed->queue)
        rd_kafka_queue_destroy(feed->queue);
    batch_free(&feed->batch);
    free(feed);
}

/* Takes note of a failed call to the store and says whether its batch may be given again as it is. */
static bool note_failure(struct feed *feed, int code, const struct err_text *error, int64_t now_us)
{
    metric_add(&n_failures, 1);
    feed->unread = false;
    const char *text = error->text[0] ? error->text : err_name(code);
    snprintf(feed->reason, sizeof(feed->reason), "topic \"%.60s\" partition %d is not stored: %.80s", feed->id.topic,
             feed->id.partition, text);
    log_event(LOG_ERROR, code == ERR_OWNER ? "partition_lost" : "store_failed",
              "topic=%s partition=%d code=\"%s\" text=\"%s\"", feed->id.topic, feed->id.partition, err_name(code), text);
    if (code == ERR_FULL || code == ERR_NOMEM || code == ERR_BUSY)
        return true;
    feed->lost = code == ERR_OWNER;
    feed->backoff_us = feed->backoff_us ? feed->backoff_us * 2 : RETRY_MIN_US;
    if (feed->backoff_us > RETRY_MAX_US)
        feed->backoff_us = RETRY_MAX_US;
    feed->retry_us = now_us + feed->backoff_us;
    feed_release(feed);
    return false;
}

int feed_claim(struct feed *feed, const struct owner *owner, int64_t now_us)
{
    struct err_text error = {0};
    struct claim claim = {.next_offset = -1, .last_offset = -1};
    void *handle = NULL;
    int rc = feed->sink->claim(feed->sink, &feed->id, owner, &claim, &handle, &error);
    if (rc < 0) {
        if (note_failure(feed, rc, &error, now_us))
            feed->retry_us = now_us + RETRY_MIN_US;
        return rc;
    }
    feed->handle = handle;
    feed->reason[0] = '\0';
    feed->restored = claim.restored;
    feed->place = (struct place){.next = claim.next_offset, .last = claim.last_offset, .sparse = claim.sparse};
    memcpy(feed->place.last_hash, claim.last_hash, HASH_BYTES);
    place_doubt(&feed->place, claim.next_offset);
    feed->eof = feed->committed = -1;
    feed->dead_waits = true;
    log_event(LOG_INFO, "partition_claimed", "topic=%s partition=%d next_offset=%" PRId64 " incarnation=%d",
              feed->id.topic, feed->id.partition, claim.next_offset, claim.incarnation);
    return 0;
}

static int64_t known_ms_of(const rd_kafka_message_t *message)
{
    rd_kafka_timestamp_type_t type;
    int64_t known_ms = rd_kafka_message_timestamp(message, &type);
    return type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? clock_wall_us() / 1000 : known_ms;
}

static bool is_full(const struct feed *feed, size_t size)
{
    const struct batch *batch = &feed->batch;
    return batch->n_readings > LIMIT_BATCH_READINGS - LIMIT_MESSAGE_VALUES || batch->n_refusals > BATCH_REFUSALS ||
           feed->batch_bytes + (int64_t)size > LIMIT_BATCH_BYTES;
}

/* A value over the limit is refused before anything looks into it; of its bytes only as many are kept as a message may
 * have, enough to see who sent it. */
static int refuse_size(struct batch *batch, const rd_kafka_message_t *message, int64_t known_ms)
{
    return batch_refuse(batch, REFUSED_SIZE, message->offset, known_ms, "", 0, -1, message->payload, LIMIT_MESSAGE_BYTES,
                        "a message of %zu bytes is over the limit of %d, the first %d are kept", message->len,
                        LIMIT_MESSAGE_BYTES, LIMIT_MESSAGE_BYTES);
}

/* A dead letter is decoded as of then; it is the newest replay of the batch. */
static int read_replayed(struct feed *feed, struct decoder *decoder, const rd_kafka_message_t *message,
                         const struct replay *replay)
{
    struct batch *batch = &feed->batch;
    size_t first_reading = batch->n_readings, first_refusal = batch->n_refusals;
    struct message value = {.value = message->payload, .size = message->len, .offset = message->offset,
                            .known_ms = replay->known_ms, .part = replay};
    int rc = batch_replay(batch, replay);
    if (rc < 0)
        return rc;
    rc = decode_message(decoder, &value, batch);
    if (rc < 0) {
        batch->n_replays--;
        return rc;
    }
    batch_replayed(batch, first_reading, first_refusal);
    metric_add(&n_replays, 1);
    return 0;
}

static int read_value(struct feed *feed, struct decoder *decoder, const rd_kafka_message_t *message, int64_t known_ms)
{
    if (!message->payload) { /* a tombstone says nothing about a reading; readings are taken back by `delete` */
        metric_add(&n_tombstones, 1);
        return 0;
    }
    if (message->len > LIMIT_MESSAGE_BYTES)
        return refuse_size(&feed->batch, message, known_ms);
    struct message value = {
        .value = message->payload, .size = message->len, .offset = message->offset, .known_ms = known_ms};
    return decode_message(decoder, &value, &feed->batch);
}

int feed_add(struct feed *feed, struct decoder *decoder, rd_kafka_message_t *message, bool hole, bool *ret_kept)
{
    struct batch *batch = &feed->batch;
    bool record_hole = hole && !feed->place.sparse;
    if (batch->n_messages > 0 && (record_hole || is_full(feed, message->len)))
        return ERR_BUSY;
    struct replay replay;
    bool again = message->payload && replay_read(message, &replay);
    int64_t known_ms = again ? clock_wall_us() / 1000 : known_ms_of(message); /* its old timestamp is no lag */
    if (batch->n_messages == 0)
        feed->oldest_us = feed->sink->oldest(feed->sink, feed->handle);
    decoder_set_oldest(decoder, feed->oldest_us);
    int rc = again ? read_replayed(feed, decoder, message, &replay) : read_value(feed, decoder, message, known_ms);
    if (rc < 0)
        return rc;
    if (batch->n_messages == 0) {
        batch->first_offset = message->offset;
        feed->batch_known_ms = known_ms;
        if (record_hole) {
            batch->hole_from = feed->place.next;
            batch->hole_to = message->offset;
        }
    }
    batch->n_messages++;
    batch->next_offset = message->offset + 1;
    batch->last_known_ms = known_ms;
    feed->batch_bytes += (int64_t)message->len;
    metric_add(&n_messages, 1);
    metric_add(&n_bytes, (int64_t)message->len);
    place_taken(&feed->place, message->offset);
    if (feed->last)
        rd_kafka_message_destroy(feed->last);
    feed->last = message;
    *ret_kept = true;
    return 0;
}

int feed_hand_over(struct feed *feed, int64_t now_us)
{
    struct batch *batch = &feed->batch;
    if (batch->n_messages == 0)
        return 0;
    int64_t last_offset = batch->next_offset - 1;
    if (feed->last) { /* hashed once a batch, not once a message; NULL when this batch was hashed already */
        hash_bytes(feed->last->payload, feed->last->payload ? feed->last->len : 0, batch->last_hash);
        rd_kafka_message_destroy(feed->last);
        feed->last = NULL;
    }
    struct err_text error = {0};
    feed->handed_us = now_us;
    int rc = feed->sink->take(feed->sink, feed->handle, batch, &error);
    if (rc < 0) {
        (void)note_failure(feed, rc, &error, now_us);
        return rc;
    }
    place_stored(&feed->place, last_offset, batch->last_hash);
    if (batch->n_refusals > 0)
        feed->dead_waits = true;
    forget_batch(feed);
    feed->reason[0] = '\0';
    feed->backoff_us = 0;
    return 0;
}

static int gap(struct feed *feed, int64_t to, const char *why, int64_t now_us)
{
    int64_t from = feed->place.next < 0 ? 0 : feed->place.next;
    struct err_text error = {0};
    log_event(LOG_WARNING, "gap", "topic=%s partition=%d from=%" PRId64 " to=%" PRId64 " why=\"%s\"", feed->id.topic,
              feed->id.partition, from, to, why);
    int rc = feed->sink->gap(feed->sink, feed->handle, from, to, why, &error);
    if (rc < 0) {
        (void)note_failure(feed, rc, &error, now_us);
        return rc;
    }
    metric_add(&n_gaps, 1);
    place_move(&feed->place, to);
    return 0;
}

static int reincarnate(struct feed *feed, int64_t low, int64_t now_us)
{
    struct err_text error = {0};
    log_event(LOG_WARNING, "topic_made_anew",
              "topic=%s partition=%d stored_next_offset=%" PRId64 " starts_again_at=%" PRId64, feed->id.topic,
              feed->id.partition, feed->place.next, low);
    int rc = feed->sink->reincarnate(feed->sink, feed->handle, low, &error);
    if (rc < 0) {
        (void)note_failure(feed, rc, &error, now_us);
        return rc;
    }
    metric_add(&n_reincarnations, 1);
    place_move(&feed->place, low);
    feed->eof = -1;
    return 0;
}

int feed_settle(struct feed *feed, int64_t low, int64_t high, int64_t now_us)
{
    int rc = feed_hand_over(feed, now_us);
    if (rc == 0 && feed->place.next >= 0) {
        if (feed->other_topic || high < feed->place.next)
            rc = reincarnate(feed, low, now_us);
        else if (low > feed->place.next)
            rc = gap(feed, low, "the log was truncated before it was read", now_us);
        else
            place_doubt(&feed->place, feed->place.next);
        if (feed->place.last < low) /* nothing is left to compare with */
            feed->place.verifying = false;
    }
    if (rc == 0)
        feed->adrift = feed->other_topic = false;
    return rc;
}

int feed_held_elsewhere(struct feed *feed, int64_t next, const char *store_uuid, int64_t now_us)
{
    if (next <= feed->place.next)
        return 0;
    char why[128];
    snprintf(why, sizeof(why), "held elsewhere: store %.64s", store_uuid);
    return gap(feed, next, why, now_us);
}

void feed_note_unread(struct feed *feed, rd_kafka_resp_err_t err, int64_t now_us)
{
    char said[REASON_ONE_BYTES];
    if (reason_is_denial(err)) /* then it is so of the whole topic */
        reason_say(said, sizeof(said), "topic", feed->id.topic, "READ", err);
    else
        snprintf(said, sizeof(said), "topic \"%.60s\" partition %d cannot be read: %s", feed->id.topic, feed->id.partition,
                 rd_kafka_err2str(err));
    if (strcmp(said, feed->reason) != 0)
        log_event(LOG_WARNING, "partition_failed", "topic=%s partition=%d text=\"%s\"", feed->id.topic, feed->id.partition, said);
    snprintf(feed->reason, sizeof(feed->reason), "%s", said);
    feed->unread = true;
    feed->look_us = now_us + UNREAD_LOOK_US;
}

void feed_note_read(struct feed *feed)
{
    if (!feed->unread)
        return;
    feed->unread = false;
    feed->reason[0] = '\0';
    log_event(LOG_INFO, "partition_read_again", "topic=%s partition=%d", feed->id.topic, feed->id.partition);
}

int64_t feed_stored(const struct feed *feed)
{
    if (feed->batch.n_messages > 0)
        return feed->batch.first_offset;
    return feed->eof > feed->place.next ? feed->eof : feed->place.next;
}
