#include <config.h>

#include "ingest/producer.h"

#include <librdkafka/rdkafka.h>
#include <stdlib.h>

#include "ingest/conf.h"
#include "ingest/reason.h"

struct producer {
    rd_kafka_t *rk;
    int64_t n_lost;       /* messages that were given up for good */
    struct err_text lost; /* about the first of them */
};

/* After a fatal error every message fails for that, and it is what there is to tell. */
static void say_why(rd_kafka_t *rk, const char *topic, rd_kafka_resp_err_t err, char why[static REASON_ONE_BYTES])
{
    char fatal[REASON_ONE_BYTES];
    rd_kafka_resp_err_t cause = rd_kafka_fatal_error(rk, fatal, sizeof(fatal));
    reason_say(why, REASON_ONE_BYTES, "topic", topic, "WRITE", cause ? cause : err);
}

static void message_delivered(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct producer *producer = opaque;
    if (!message->err || producer->n_lost++ > 0)
        return;
    char why[REASON_ONE_BYTES];
    say_why(rk, rd_kafka_topic_name(message->rkt), message->err, why);
    err_set(&producer->lost, ERR_IO, "a message to topic \"%s\" was lost: %s", rd_kafka_topic_name(message->rkt), why);
}

int producer_open(const struct kafka_property *properties, size_t n_properties, struct producer **ret_producer,
                  struct err_text *error)
{
    rd_kafka_conf_t *conf;
    int rc = conf_producer(properties, n_properties, &conf, error);
    if (rc < 0)
        return rc;
    struct producer *producer = calloc(1, sizeof(*producer));
    if (!producer) {
        rd_kafka_conf_destroy(conf);
        return err_set(error, ERR_NOMEM, "no memory for a Kafka producer");
    }
    rd_kafka_conf_set_opaque(conf, producer);
    rd_kafka_conf_set_dr_msg_cb(conf, message_delivered);
    char why[320];
    producer->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    if (!producer->rk) {
        rd_kafka_conf_destroy(conf);
        free(producer);
        return err_set(error, ERR_INVALID, "the Kafka producer cannot start: %s", why);
    }
    *ret_producer = producer;
    return 0;
}

static int say_lost(const struct producer *producer, struct err_text *error)
{
    if (producer->n_lost == 0)
        return 0;
    if (error)
        *error = producer->lost;
    return ERR_IO;
}

static int refuse(const struct producer *producer, const char *topic, rd_kafka_resp_err_t err, struct err_text *error)
{
    char why[REASON_ONE_BYTES];
    say_why(producer->rk, topic, err, why);
    return err_set(error, ERR_IO, "a message cannot be sent to topic \"%s\": %s", topic, why);
}

/* What became of an attempt: 0 sent, 1 the queue is full and it may be tried again. */
static int look(struct producer *producer, const char *topic, rd_kafka_resp_err_t err, struct err_text *error)
{
    if (!err)
        return 0;
    if (err != RD_KAFKA_RESP_ERR__QUEUE_FULL)
        return refuse(producer, topic, err, error);
    rd_kafka_poll(producer->rk, 100);
    return 1;
}

int producer_send(struct producer *producer, const char *topic, const void *key, size_t key_size, const void *value,
                  size_t value_size, struct err_text *error)
{
    rd_kafka_poll(producer->rk, 0);
    int rc;
    do {
        rc = say_lost(producer, error);
        if (rc < 0)
            return rc;
        rd_kafka_resp_err_t err = rd_kafka_producev(
            producer->rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_KEY((void *)(uintptr_t)key, key_size),
            RD_KAFKA_V_VALUE((void *)(uintptr_t)value, value_size), RD_KAFKA_V_END);
        rc = look(producer, topic, err, error);
    } while (rc == 1);
    return rc;
}

int producer_send_to(struct producer *producer, const struct addressed *message, struct err_text *error)
{
    rd_kafka_poll(producer->rk, 0);
    int rc;
    do {
        rc = say_lost(producer, error);
        if (rc < 0)
            return rc;
        rd_kafka_resp_err_t err = rd_kafka_producev(
            producer->rk, RD_KAFKA_V_TOPIC(message->topic), RD_KAFKA_V_PARTITION(message->partition),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_TIMESTAMP(message->timestamp_ms),
            RD_KAFKA_V_VALUE((void *)(uintptr_t)message->value, message->value_size),
            RD_KAFKA_V_HEADER(message->header, message->header_value, -1), RD_KAFKA_V_END);
        rc = look(producer, message->topic, err, error);
    } while (rc == 1);
    return rc;
}

int producer_flush(struct producer *producer, int timeout_ms, struct err_text *error)
{
    rd_kafka_resp_err_t err = rd_kafka_flush(producer->rk, timeout_ms);
    int rc = say_lost(producer, error);
    if (rc < 0)
        return rc;
    if (err)
        return err_set(error, ERR_BUSY, "%d messages are not acknowledged by Kafka after %d ms",
                       rd_kafka_outq_len(producer->rk), timeout_ms);
    return 0;
}

void producer_close(struct producer *producer)
{
    if (!producer)
        return;
    rd_kafka_purge(producer->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_destroy(producer->rk);
    free(producer);
}
