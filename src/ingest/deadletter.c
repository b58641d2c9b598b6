#include <config.h>

#include "ingest/deadletter.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/metrics.h"
#include "ingest/conf.h"
#include "ingest/reason.h"

#define GROUP_ROWS 500
#define RETRY_US 5000000

static struct metric n_copied = {.name = "almanac_kafka_dead_letters_total", .type = METRIC_COUNTER,
                                 .help = "Refused messages copied to the dead topic."};
static struct metric n_too_large = {.name = "almanac_kafka_dead_letters_too_large_total", .type = METRIC_COUNTER,
                                    .help = "Refused messages too large for the dead topic: they stay in the store only."};

/* One group of rows is under way at a time, so that what is acknowledged is always a prefix of one feed's rows. */
struct deadletter {
    rd_kafka_t *rk;
    char *topic;
    struct feed *feed;  /* whose group is under way; NULL none */
    uintptr_t group;    /* its number; acknowledgements of other groups come too late */
    int64_t last_id;    /* of its last row */
    size_t n_rows, n_waiting;
    bool failed;
    size_t turn;        /* which feed is looked at next */
    int64_t retry_us;
    char reason[REASON_ONE_BYTES];
};

static bool is_too_large(rd_kafka_resp_err_t err)
{
    return err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || err == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE;
}

static void note_failure(struct deadletter *deadletter, rd_kafka_resp_err_t err)
{
    char said[REASON_ONE_BYTES];
    reason_say(said, sizeof(said), "dead topic", deadletter->topic, "WRITE", err);
    if (strcmp(said, deadletter->reason) != 0)
        log_event(LOG_WARNING, "dead_topic_failed", "topic=%s text=\"%s\"", deadletter->topic, said);
    snprintf(deadletter->reason, sizeof(deadletter->reason), "%s", said);
    deadletter->failed = true;
}

static void message_delivered(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    struct deadletter *deadletter = opaque;
    if (!message->err)
        metric_add(&n_copied, 1);
    else if (is_too_large(message->err))
        metric_add(&n_too_large, 1);
    if (!deadletter->feed || (uintptr_t)message->_private != deadletter->group)
        return;
    deadletter->n_waiting--;
    if (!message->err || is_too_large(message->err))
        return;
    note_failure(deadletter, message->err);
}

/* An idempotent producer gives up for good where it may write to no topic, or a message times out; and a copy that is there twice
 * does no harm. */
static int set_ours(rd_kafka_conf_t *conf, struct err_text *error)
{
    int rc = conf_set(conf, "enable.idempotence", "false", error);
    return rc ? rc : conf_set(conf, "acks", "all", error);
}

int deadletter_open(const struct kafka_property *properties, size_t n_properties, const char *topic,
                    struct deadletter **ret_deadletter, struct err_text *error)
{
    rd_kafka_conf_t *conf;
    int rc = conf_producer(properties, n_properties, &conf, error);
    if (rc < 0)
        return rc;
    struct deadletter *deadletter = calloc(1, sizeof(*deadletter));
    char why[320] = "no memory";
    if ((rc = set_ours(conf, error)) < 0) {
        rd_kafka_conf_destroy(conf);
        free(deadletter);
        return rc;
    }
    if (deadletter && (deadletter->topic = strdup(topic))) {
        rd_kafka_conf_set_opaque(conf, deadletter);
        rd_kafka_conf_set_dr_msg_cb(conf, message_delivered);
        deadletter->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    }
    if (!deadletter || !deadletter->rk) {
        rd_kafka_conf_destroy(conf);
        deadletter_close(deadletter);
        return err_set(error, ERR_INVALID, "the producer for dead topic \"%s\" cannot start: %s", topic, why);
    }
    *ret_deadletter = deadletter;
    return 0;
}

static rd_kafka_headers_t *headers_of(const struct source *id, const struct refusal *refusal)
{
    char partition[16], offset[24], slot[16];
    snprintf(partition, sizeof(partition), "%d", id->partition);
    snprintf(offset, sizeof(offset), "%" PRId64, refusal->offset);
    snprintf(slot, sizeof(slot), "%d", refusal->slot);
    rd_kafka_headers_t *headers = rd_kafka_headers_new(8);
    rd_kafka_header_add(headers, "topic", -1, id->topic, -1);
    rd_kafka_header_add(headers, "partition", -1, partition, -1);
    rd_kafka_header_add(headers, "offset", -1, offset, -1);
    rd_kafka_header_add(headers, "reason", -1, refusal_name(refusal->reason), -1);
    rd_kafka_header_add(headers, "detail", -1, refusal->detail, -1);
    if (refusal->property[0])
        rd_kafka_header_add(headers, "property", -1, refusal->property, -1);
    if (refusal->slot >= 0)
        rd_kafka_header_add(headers, "slot", -1, slot, -1);
    return headers;
}

/* dead_next's callback: sends one row; a full queue ends the group before it. */
static int send_row(void *arg, int64_t id, const struct refusal *refusal, const void *payload)
{
    struct deadletter *deadletter = arg;
    rd_kafka_headers_t *headers = headers_of(&deadletter->feed->id, refusal);
    rd_kafka_resp_err_t err = rd_kafka_producev(
        deadletter->rk, RD_KAFKA_V_TOPIC(deadletter->topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)payload, refusal->payload_size), RD_KAFKA_V_HEADERS(headers),
        RD_KAFKA_V_OPAQUE((void *)deadletter->group), RD_KAFKA_V_END);
    if (err)
        rd_kafka_headers_destroy(headers);
    if (err && !is_too_large(err)) {
        if (err != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            note_failure(deadletter, err);
        return ERR_BUSY;
    }
    if (err)
        metric_add(&n_too_large, 1);
    deadletter->n_waiting += err ? 0 : 1;
    deadletter->n_rows++;
    deadletter->last_id = id;
    return 0;
}

static void begin_group(struct deadletter *deadletter, struct feed *feed, int64_t now_us)
{
    deadletter->feed = feed;
    deadletter->group++;
    deadletter->n_rows = deadletter->n_waiting = 0;
    deadletter->failed = false;
    int rc = feed->sink->dead_next(feed->sink, feed->handle, GROUP_ROWS, send_row, deadletter);
    if (deadletter->n_rows > 0)
        return; /* what was sent is waited for, whatever came after */
    deadletter->feed = NULL;
    if (rc < 0)
        deadletter->retry_us = now_us + RETRY_US;
    else
        feed->dead_waits = false;
}

static void end_group(struct deadletter *deadletter, int64_t now_us)
{
    struct feed *feed = deadletter->feed;
    deadletter->feed = NULL;
    if (!feed->handle) /* the store failed meanwhile; its rows are sent again after the next claim */
        return;
    if (!deadletter->failed)
        deadletter->reason[0] = '\0';
    if (!deadletter->failed && feed->sink->dead_done(feed->sink, feed->handle, deadletter->last_id) == 0)
        return;
    deadletter->retry_us = now_us + RETRY_US;
}

void deadletter_serve(struct deadletter *deadletter, struct feed *const *feeds, size_t n_feeds, int64_t now_us)
{
    rd_kafka_poll(deadletter->rk, 0);
    if (deadletter->feed && deadletter->n_waiting > 0)
        return;
    if (deadletter->feed)
        end_group(deadletter, now_us);
    for (size_t i = 0; i < n_feeds && !deadletter->feed && now_us >= deadletter->retry_us; i++) {
        struct feed *feed = feeds[deadletter->turn++ % n_feeds];
        if (feed->handle && feed->dead_waits)
            begin_group(deadletter, feed, now_us);
    }
}

void deadletter_forget(struct deadletter *deadletter, const struct feed *feed)
{
    if (deadletter->feed == feed)
        deadletter->feed = NULL;
}

const char *deadletter_reason(const struct deadletter *deadletter)
{
    return deadletter->reason;
}

void deadletter_close(struct deadletter *deadletter)
{
    if (!deadletter)
        return;
    if (deadletter->rk) {
        deadletter->feed = NULL;
        rd_kafka_purge(deadletter->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_destroy(deadletter->rk);
    }
    free(deadletter->topic);
    free(deadletter);
}
