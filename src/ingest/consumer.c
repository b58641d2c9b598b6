#include <config.h>

#include "ingest/consumer.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "ingest/conf.h"
#include "ingest/deadletter.h"
#include "ingest/ends.h"
#include "ingest/group.h"
#include "ingest/reason.h"
#include "ingest/topics.h"
#include "ingest/unread.h"
#include "normalise/decode.h"

#define COMMIT_MS 200
#define WAIT_MS 50          /* longest wait for messages: stop and rebalances are noticed after it */
#define TEND_US 100000
#define PROBE_US 1000000
#define PROBE_MS 1000

static struct metric connected_gauge = {.name = "almanac_kafka_connected", .type = METRIC_GAUGE,
                                        .help = "1 while a broker answers."};
static struct metric lag_gauge = {.name = "almanac_kafka_lag_messages", .type = METRIC_GAUGE,
                                  .help = "Messages not stored yet; -1 unknown."};

struct consumer {
    pthread_t thread;
    atomic_bool stop;
    rd_kafka_t *rk;
    struct group group;
    char *dead_topic, *store_uuid, *brokers, *group_id;
    /* the thread's own */
    bool connected, probe, fatal;
    int64_t probe_next_us, tend_next_us;
    char broker_error[200]; /* what the last attempt to reach a broker said */
    char group_error[REASON_ONE_BYTES];
    struct unread unread;
    pthread_mutex_t lock; /* for what follows */
    struct consumer_status status;
};

/* librdkafka gives up for good; the one cause a consumer meets is a second one of its name. */
static void note_fatal(struct consumer *consumer)
{
    char why[160];
    rd_kafka_resp_err_t cause = rd_kafka_fatal_error(consumer->rk, why, sizeof(why));
    consumer->fatal = true;
    snprintf(consumer->broker_error, sizeof(consumer->broker_error), "%s",
             cause == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID
                 ? "another consumer joined with our group.instance.id; give each its own, then start this one again"
                 : why);
    log_event(LOG_ERROR, "kafka_fatal", "text=\"%s\"", consumer->broker_error);
}

static void note_error(rd_kafka_t *rk, int err, const char *reason, void *opaque)
{
    (void)rk;
    struct consumer *consumer = opaque;
    consumer->probe = consumer->probe || err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
    if (err == RD_KAFKA_RESP_ERR__FATAL)
        note_fatal(consumer);
    else if (err != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        snprintf(consumer->broker_error, sizeof(consumer->broker_error), "%s", reason);
}

static void note_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t what, rd_kafka_topic_partition_list_t *partitions,
                           void *opaque)
{
    (void)rk;
    struct consumer *consumer = opaque;
    if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
        consumer->group_error[0] = '\0';
    if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && partitions->cnt > 0)
        unread_assigned(&consumer->unread);
    group_rebalance(&consumer->group, what, partitions);
}

static void note_commit(rd_kafka_t *rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *offsets, void *opaque)
{
    (void)rk;
    struct consumer *consumer = opaque;
    if (!err)
        group_commit_done(&consumer->group, offsets);
    else if (err != RD_KAFKA_RESP_ERR__NO_OFFSET)
        group_commit_failed(&consumer->group);
}

/* A member that may not join tries so every second: it is told once. */
static void note_group_error(struct consumer *consumer, rd_kafka_resp_err_t err)
{
    char said[REASON_ONE_BYTES];
    reason_say(said, sizeof(said), "group", consumer->group_id, "READ", err);
    if (strcmp(said, consumer->group_error) != 0)
        log_event(LOG_WARNING, "kafka_error", "group=%s text=\"%s\"", consumer->group_id, said);
    snprintf(consumer->group_error, sizeof(consumer->group_error), "%s", said);
}

static void note_topic_error(struct consumer *consumer, const char *topic, rd_kafka_resp_err_t err)
{
    char said[REASON_ONE_BYTES];
    reason_say(said, sizeof(said), "topic", topic, "READ", err);
    log_event(LOG_WARNING, "kafka_error", "topic=%s text=\"%s\"", topic, said);
    unread_note(&consumer->unread, consumer->rk, topic, err);
}

/* Errors of the group and of topics come as messages without data. */
static void serve_group(struct consumer *consumer, int wait_ms)
{
    rd_kafka_message_t *message;
    while ((message = rd_kafka_consumer_poll(consumer->rk, wait_ms))) {
        wait_ms = 0;
        if (message->err == RD_KAFKA_RESP_ERR__FATAL) {
            note_fatal(consumer);
        } else if (message->err && message->rkt) {
            note_topic_error(consumer, rd_kafka_topic_name(message->rkt), message->err);
        } else if (message->err) {
            note_group_error(consumer, message->err);
        }
        rd_kafka_message_destroy(message);
    }
}

/* librdkafka tells when the last broker went, not when one is back: so it is asked until one answers. */
static void probe_broker(struct consumer *consumer, int64_t now_us)
{
    if ((consumer->connected && !consumer->probe) || now_us < consumer->probe_next_us)
        return;
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t err = rd_kafka_metadata(consumer->rk, 0, NULL, &metadata, PROBE_MS);
    consumer->probe_next_us = clock_mono_us() + PROBE_US;
    bool was = consumer->connected;
    consumer->connected = !err;
    if (!err) {
        rd_kafka_metadata_destroy(metadata);
        consumer->probe = false;
        consumer->broker_error[0] = '\0';
        group_doubt(&consumer->group); /* it may have come back with other topics under the old names */
    }
    if (was != consumer->connected)
        log_event(err ? LOG_WARNING : LOG_INFO, err ? "broker_away" : "broker_answers", "brokers=\"%s\" text=\"%s\"",
                  consumer->brokers, consumer->broker_error);
    metric_set(&connected_gauge, consumer->connected);
}

static void write_reason(const struct consumer *consumer, char *out, size_t size)
{
    out[0] = '\0';
    if (consumer->fatal) {
        snprintf(out, size, "reading from Kafka has ended: %s", consumer->broker_error);
    } else if (!consumer->connected) {
        snprintf(out, size, "no broker of \"%.60s\" answers%s%.140s", consumer->brokers,
                 consumer->broker_error[0] ? ": " : "", consumer->broker_error);
    } else {
        reason_add(out, size, consumer->group_error);
        group_reasons(&consumer->group, out, size);
        unread_reasons(&consumer->unread, out, size);
    }
}

static void update_status(struct consumer *consumer, int64_t now_us)
{
    struct ends_lag lag;
    ends_lag(&consumer->group, now_us, &lag);
    struct consumer_status status = {
        .connected = consumer->connected && !consumer->fatal,
        .assigned = consumer->group.assigned,
        .caught_up = lag.caught_up,
        .lag = lag.messages,
        .lag_bytes = lag.bytes,
        .lag_us = lag.age_us,
    };
    write_reason(consumer, status.reason, sizeof(status.reason));
    metric_set(&lag_gauge, lag.messages);
    pthread_mutex_lock(&consumer->lock);
    consumer->status = status;
    pthread_mutex_unlock(&consumer->lock);
}

static void *run(void *arg)
{
    struct consumer *consumer = arg;
    struct group *group = &consumer->group;
    while (!atomic_load(&consumer->stop)) {
        int64_t now_us = clock_mono_us();
        bool hold = group_holds_back(group, now_us) || !group->assigned;
        serve_group(consumer, hold ? WAIT_MS : 0);
        if (!hold)
            group_read(group, WAIT_MS);
        now_us = clock_mono_us();
        if (now_us < consumer->tend_next_us)
            continue;
        consumer->tend_next_us = now_us + TEND_US;
        probe_broker(consumer, now_us);
        if (consumer->connected && !consumer->fatal) {
            group_tend(group, now_us);
            unread_tend(&consumer->unread, consumer->rk, now_us);
        }
        update_status(consumer, now_us);
    }
    group->closing = true;
    rd_kafka_consumer_close(consumer->rk); /* revokes: hands over, commits, releases */
    return NULL;
}

/* A pattern of this name alone, behind those in out. */
static void put_hidden(struct buf *out, const char *topic)
{
    if (!topic || !*topic)
        return;
    buf_puts(out, out->n ? ",^" : "^");
    for (; *topic; topic++) {
        if (*topic == '.')
            buf_putc(out, '\\');
        buf_putc(out, *topic);
    }
    buf_putc(out, '$');
}

/* The dead topic and those of other readers may match the pattern of topics; they are hidden from the consumer. */
static int hide_topics(rd_kafka_conf_t *conf, const struct consumer_opts *opts, struct err_text *error)
{
    const char *before = conf_find(opts->properties, opts->n_properties, "topic.blacklist");
    struct buf hidden = {0};
    put_hidden(&hidden, opts->dead_topic);
    for (size_t i = 0; i < opts->n_apart; i++)
        put_hidden(&hidden, opts->apart[i]);
    if (hidden.n && before)
        buf_printf(&hidden, ",%s", before);
    bool is_empty = !hidden.n;
    buf_putc(&hidden, '\0');
    int rc = hidden.failed ? ERR_NOMEM : is_empty ? 0 : conf_set(conf, "topic.blacklist", (const char *)hidden.data, error);
    buf_free(&hidden);
    return rc;
}

static int make_conf(struct consumer *consumer, const struct consumer_opts *opts, rd_kafka_conf_t **ret_conf,
                     struct err_text *error)
{
    rd_kafka_conf_t *conf;
    int rc = conf_consumer(opts->properties, opts->n_properties, &conf, error);
    if (rc < 0)
        return rc;
    if (opts->instance_id && opts->instance_id[0] &&
        !conf_find(opts->properties, opts->n_properties, "group.instance.id"))
        rc = conf_set(conf, "group.instance.id", opts->instance_id, error);
    if (rc == 0)
        rc = hide_topics(conf, opts, error);
    if (rc < 0) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    lease_watch(&consumer->group.lease, conf);
    rd_kafka_conf_set_opaque(conf, consumer);
    rd_kafka_conf_set_error_cb(conf, note_error);
    rd_kafka_conf_set_rebalance_cb(conf, note_rebalance);
    rd_kafka_conf_set_offset_commit_cb(conf, note_commit);
    *ret_conf = conf;
    return 0;
}

static void free_consumer(struct consumer *consumer)
{
    deadletter_close(consumer->group.deadletter);
    consumer->group.deadletter = NULL;
    if (consumer->rk) {
        group_done(&consumer->group);
        unread_done(&consumer->unread);
        rd_kafka_destroy(consumer->rk);
    }
    decoder_free(consumer->group.decoder);
    free(consumer->dead_topic);
    free(consumer->store_uuid);
    free(consumer->brokers);
    free(consumer->group_id);
    pthread_mutex_destroy(&consumer->lock);
    free(consumer);
}

static int connect_kafka(struct consumer *consumer, const struct consumer_opts *opts, struct err_text *error)
{
    rd_kafka_conf_t *conf;
    int rc = make_conf(consumer, opts, &conf, error);
    if (rc < 0)
        return rc;
    char why[320];
    consumer->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
    if (!consumer->rk) {
        rd_kafka_conf_destroy(conf);
        return err_set(error, ERR_INVALID, "the Kafka consumer cannot start: %s", why);
    }
    rd_kafka_poll_set_consumer(consumer->rk);
    consumer->group.rk = consumer->rk;
    group_init(&consumer->group);
    if (consumer->dead_topic[0])
        rc = deadletter_open(opts->properties, opts->n_properties, consumer->dead_topic, &consumer->group.deadletter,
                             error);
    return rc < 0 ? rc : topics_subscribe(consumer->rk, opts->topics, consumer->dead_topic, error);
}

/* Everything but the threads. */
static int build_consumer(struct consumer *consumer, const struct consumer_opts *opts, struct err_text *error)
{
    const char *brokers = conf_find(opts->properties, opts->n_properties, "bootstrap.servers");
    const char *group_id = conf_find(opts->properties, opts->n_properties, "group.id");
    struct decoder_opts decoder = {
        .registry = opts->registry, .future_max_us = opts->future_max_us, .oldest_us = INT64_MIN};
    consumer->dead_topic = strdup(opts->dead_topic ? opts->dead_topic : "");
    consumer->store_uuid = strdup(opts->store_uuid ? opts->store_uuid : "");
    consumer->brokers = strdup(brokers ? brokers : "");
    consumer->group_id = strdup(group_id ? group_id : CONF_GROUP_ID);
    consumer->group.decoder = decoder_new(&decoder);
    if (!consumer->dead_topic || !consumer->store_uuid || !consumer->brokers || !consumer->group_id || !consumer->group.decoder)
        return err_set(error, ERR_NOMEM, "no memory for the Kafka consumer");
    consumer->group.sink = opts->sink;
    consumer->group.dead_topic = consumer->dead_topic;
    consumer->group.store_uuid = consumer->store_uuid;
    consumer->group.commit_us = (int64_t)(opts->commit_ms > 0 ? opts->commit_ms : COMMIT_MS) * 1000;
    consumer->status.lag = -1;
    snprintf(consumer->status.reason, sizeof(consumer->status.reason), "no broker has answered yet");
    return connect_kafka(consumer, opts, error);
}

int consumer_start(const struct consumer_opts *opts, struct consumer **ret_consumer, struct err_text *error)
{
    struct consumer *consumer = calloc(1, sizeof(*consumer));
    if (!consumer)
        return err_set(error, ERR_NOMEM, "no memory for the Kafka consumer");
    pthread_mutex_init(&consumer->lock, NULL);
    sigset_t all, before; /* signals belong to the program's own threads, not to ours nor librdkafka's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = build_consumer(consumer, opts, error);
    if (rc == 0 && pthread_create(&consumer->thread, NULL, run, consumer) != 0)
        rc = err_set(error, ERR_NOMEM, "no thread for the Kafka consumer");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc < 0) {
        free_consumer(consumer);
        return rc;
    }
    *ret_consumer = consumer;
    return 0;
}

void consumer_stop(struct consumer *consumer)
{
    if (!consumer)
        return;
    atomic_store(&consumer->stop, true);
    pthread_join(consumer->thread, NULL);
    free_consumer(consumer);
}

void consumer_status(struct consumer *consumer, struct consumer_status *ret_status)
{
    pthread_mutex_lock(&consumer->lock);
    *ret_status = consumer->status;
    pthread_mutex_unlock(&consumer->lock);
}
