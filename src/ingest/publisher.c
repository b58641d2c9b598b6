#include <config.h>

#include "ingest/publisher.h"

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "ingest/conf.h"
#include "ingest/reason.h"

#define POLL_MS 50 /* another thread may have been told of our message */

struct publisher {
    rd_kafka_t *rk;
};

/* What became of a message; its sender waits for it. */
struct delivery {
    atomic_bool done;
    rd_kafka_resp_err_t err;
    int32_t partition;
    int64_t offset;
};

static void message_delivered(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct delivery *delivery = message->_private;
    (void)rk, (void)opaque;
    delivery->err = message->err;
    delivery->partition = message->partition;
    delivery->offset = message->offset;
    atomic_store(&delivery->done, true);
}

/* An idempotent producer may fail for good when a message times out, and each message is alone: it would gain nothing. */
static int set_ours(rd_kafka_conf_t *conf, struct err_text *error)
{
    char wait[16];
    snprintf(wait, sizeof(wait), "%d", PUBLISHER_WAIT_MS);
    int rc = conf_set(conf, "enable.idempotence", "false", error);
    rc = rc ? rc : conf_set(conf, "acks", "all", error);
    rc = rc ? rc : conf_set(conf, "linger.ms", "0", error);
    return rc ? rc : conf_set(conf, "message.timeout.ms", wait, error);
}

int publisher_open(const struct kafka_property *properties, size_t n_properties, struct publisher **ret_publisher,
                   struct err_text *error)
{
    rd_kafka_conf_t *conf;
    char why[320] = "no memory";
    int rc = conf_producer(properties, n_properties, &conf, error);
    if (rc)
        return rc;
    struct publisher *publisher = calloc(1, sizeof(*publisher));
    if ((rc = set_ours(conf, error))) {
        rd_kafka_conf_destroy(conf);
        free(publisher);
        return rc;
    }
    rd_kafka_conf_set_dr_msg_cb(conf, message_delivered);
    if (publisher)
        publisher->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    if (!publisher || !publisher->rk) {
        rd_kafka_conf_destroy(conf);
        free(publisher);
        return err_set(error, ERR_INVALID, "the Kafka producer cannot start: %s", why);
    }
    *ret_publisher = publisher;
    return 0;
}

static int refuse(const char *topic, rd_kafka_resp_err_t err, struct err_text *error)
{
    int code = err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ? ERR_LIMIT : ERR_BUSY;
    char why[REASON_ONE_BYTES];
    reason_say(why, sizeof(why), "topic", topic, "WRITE", err);
    return err_set(error, code, "a message was not taken: %s", why);
}

int publisher_send(struct publisher *publisher, const char *topic, const void *value, size_t size, int32_t *ret_partition,
                   int64_t *ret_offset, struct err_text *error)
{
    struct delivery delivery = {0};
    rd_kafka_resp_err_t err =
        rd_kafka_producev(publisher->rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                          RD_KAFKA_V_VALUE((void *)(uintptr_t)value, size), RD_KAFKA_V_OPAQUE(&delivery), RD_KAFKA_V_END);
    if (err)
        return refuse(topic, err, error);
    while (!atomic_load(&delivery.done))
        rd_kafka_poll(publisher->rk, POLL_MS);
    if (delivery.err)
        return refuse(topic, delivery.err, error);
    *ret_partition = delivery.partition;
    *ret_offset = delivery.offset;
    return 0;
}

void publisher_close(struct publisher *publisher)
{
    if (!publisher)
        return;
    rd_kafka_purge(publisher->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_destroy(publisher->rk);
    free(publisher);
}
