#include <config.h>

#include "ingest/adapter.h"

#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "ingest/adapter_work.h"
#include "ingest/conf.h"
#include "ingest/topics.h"
#include "ingest/transaction.h"

#define WAIT_MS 50            /* longest wait for a message: a stop is noticed after it */
#define COMMIT_US 200000      /* a transaction is at most so long open before it is committed */
#define COMMIT_MESSAGES 20000 /* ... and at most so large */
#define COMMIT_BYTES (8 << 20)
#define COMMITTED_MS 2000
#define PROBE_US 1000000
#define STATUS_US 100000
#define BACKOFF_MIN_US 200000
#define BACKOFF_MAX_US 5000000

static struct metric n_transactions = {
    .name = "almanac_adapt_transactions_total", .type = METRIC_COUNTER, .help = "Transactions that were committed."};
static struct metric n_aborts = {.name = "almanac_adapt_aborts_total",
                                 .type = METRIC_COUNTER,
                                 .help = "Times that the adapter began anew from what was committed."};
static struct metric n_lost = {.name = "almanac_adapt_lost_total",
                               .type = METRIC_COUNTER,
                               .help = "Offsets of raw topics that were truncated before they were read."};
static struct metric lag_gauge = {
    .name = "almanac_adapt_lag_messages", .type = METRIC_GAUGE, .help = "Raw messages not normalized yet; -1 unknown."};

/* A partition of a raw topic that the group has given us. */
struct part {
    char *topic;
    int32_t partition;
    int64_t next;   /* the offset behind the last message taken; -1 none yet */
    int64_t stored; /* ... that is committed */
    bool dirty;     /* taken, and not committed */
    bool at_end;    /* its end was reached since it was assigned */
    bool reached;   /* ... and all before it is committed */
};

struct adapter {
    pthread_t thread;
    atomic_bool stop;
    struct kafka_property *properties;
    size_t n_properties;
    char *group_id, *transactional_id, *topics, *brokers;
    struct adapter_work work;
    /* the session at hand: both clients are made anew after a failure */
    rd_kafka_t *in, *out;
    struct part *parts;
    size_t n_parts;
    bool assigned, open, failed; /* open: a transaction is */
    bool away;                   /* no broker answers, by the last word */
    int64_t probe_next_us;
    int64_t open_since_us, n_open, open_bytes;
    int64_t lag_since_us, backoff_us, status_next_us;
    double message_bytes;
    char reason[256];
    pthread_mutex_t lock; /* for what follows */
    struct consumer_status status;
};

/* ---- failures ---- */

static int fail(struct adapter *adapter, const char *what, const char *why)
{
    adapter->failed = true;
    snprintf(adapter->reason, sizeof(adapter->reason), "adapt: %.100s: %.130s", what, why);
    return ERR_IO;
}

static int fail_by(struct adapter *adapter, const char *what, rd_kafka_error_t *error)
{
    int rc = fail(adapter, what, rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return rc;
}

static void message_delivered(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    struct adapter *adapter = opaque;
    if (!message->err || message->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
        message->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
        return;
    char what[160];
    snprintf(what, sizeof(what), "a message to topic \"%.80s\" was not taken", rd_kafka_topic_name(message->rkt));
    fail(adapter, what, rd_kafka_err2str(message->err));
}

static void note_error(rd_kafka_t *rk, int err, const char *text, void *opaque)
{
    (void)rk;
    struct adapter *adapter = opaque;
    if (err == RD_KAFKA_RESP_ERR__FATAL)
        fail(adapter, "a client of Kafka gave up", text);
    if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        adapter->away = true;
        snprintf(adapter->reason, sizeof(adapter->reason), "adapt: no broker of \"%.60s\" answers", adapter->brokers);
    }
}

/* ---- a transaction ---- */

static int begin(struct adapter *adapter)
{
    rd_kafka_error_t *error = adapter->open ? NULL : rd_kafka_begin_transaction(adapter->out);
    if (error)
        return fail_by(adapter, "no transaction can be begun", error);
    if (!adapter->open) {
        adapter->open_since_us = clock_mono_us();
        adapter->n_open = adapter->open_bytes = 0;
    }
    adapter->open = true;
    return 0;
}

/* Commits what was made and how far was read, as one. */
static int commit(struct adapter *adapter)
{
    if (!adapter->open || adapter->failed)
        return adapter->failed ? ERR_IO : 0;
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new((int)adapter->n_parts);
    for (size_t i = 0; i < adapter->n_parts; i++)
        if (adapter->parts[i].dirty)
            rd_kafka_topic_partition_list_add(offsets, adapter->parts[i].topic, adapter->parts[i].partition)->offset =
                adapter->parts[i].next;
    rd_kafka_error_t *error = transaction_commit(adapter->out, adapter->in, offsets, &adapter->stop);
    rd_kafka_topic_partition_list_destroy(offsets);
    if (error)
        return fail_by(adapter, "a transaction cannot be committed", error);
    adapter->open = false;
    adapter->reason[0] = '\0';
    adapter->backoff_us = BACKOFF_MIN_US;
    metric_add(&n_transactions, 1);
    for (size_t i = 0; i < adapter->n_parts; i++) {
        struct part *part = &adapter->parts[i];
        part->stored = part->next;
        part->dirty = false;
        part->reached = part->reached || part->at_end;
    }
    return adapter->failed ? ERR_IO : 0;
}

static bool is_due(const struct adapter *adapter, int64_t now_us)
{
    return adapter->open && (now_us - adapter->open_since_us >= COMMIT_US || adapter->n_open >= COMMIT_MESSAGES ||
                             adapter->open_bytes >= COMMIT_BYTES);
}

/* ---- partitions ---- */

static void forget_parts(struct adapter *adapter)
{
    for (size_t i = 0; i < adapter->n_parts; i++)
        free(adapter->parts[i].topic);
    free(adapter->parts);
    adapter->parts = NULL;
    adapter->n_parts = 0;
}

static int keep_parts(struct adapter *adapter, const rd_kafka_topic_partition_list_t *list)
{
    forget_parts(adapter);
    adapter->parts = calloc((size_t)list->cnt + 1, sizeof(*adapter->parts));
    for (int i = 0; i < list->cnt && adapter->parts; i++) {
        struct part *part = &adapter->parts[adapter->n_parts];
        *part = (struct part){
            .topic = strdup(list->elems[i].topic), .partition = list->elems[i].partition, .next = -1, .stored = -1};
        if (!part->topic)
            return ERR_NOMEM;
        adapter->n_parts++;
    }
    return adapter->parts ? 0 : ERR_NOMEM;
}

/* Where the group is: so far all is normalized. */
static void ask_committed(struct adapter *adapter, const rd_kafka_topic_partition_list_t *assigned)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_copy(assigned);
    rd_kafka_resp_err_t err = list->cnt > 0 ? rd_kafka_committed(adapter->in, list, COMMITTED_MS) : 0;
    for (size_t i = 0; i < adapter->n_parts && !err; i++) {
        struct part *part = &adapter->parts[i];
        const rd_kafka_topic_partition_t *at = rd_kafka_topic_partition_list_find(list, part->topic, part->partition);
        if (at && !at->err && at->offset >= 0)
            part->next = part->stored = at->offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
}

static struct part *find_part(struct adapter *adapter, const rd_kafka_message_t *message)
{
    const char *topic = message->rkt ? rd_kafka_topic_name(message->rkt) : "";
    for (size_t i = 0; i < adapter->n_parts; i++)
        if (adapter->parts[i].partition == message->partition && strcmp(adapter->parts[i].topic, topic) == 0)
            return &adapter->parts[i];
    return NULL;
}

/* Before partitions go, what was made of them is committed; where they are lost, it is not ours to commit. */
static void note_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t what, rd_kafka_topic_partition_list_t *list,
                           void *opaque)
{
    struct adapter *adapter = opaque;
    if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        if (keep_parts(adapter, list) < 0)
            fail(adapter, "partitions cannot be taken", "no memory");
        ask_committed(adapter, list);
        rd_kafka_assign(rk, list);
        adapter->assigned = true;
        adapter->reason[0] = '\0';
        log_event(LOG_INFO, "adapt_assigned", "partitions=%d", list->cnt);
        return;
    }
    if (adapter->open && rd_kafka_assignment_lost(rk))
        fail(adapter, "the group gave the partitions to others", "what was in hand is made anew by them");
    else if (commit(adapter) < 0)
        log_event(LOG_WARNING, "adapt_not_committed", "text=\"%s\"", adapter->reason);
    forget_parts(adapter);
    adapter->assigned = false;
    rd_kafka_assign(rk, NULL);
}

/* ---- a session ---- */

static int open_consumer(struct adapter *adapter, struct err_text *error)
{
    rd_kafka_conf_t *conf;
    char why[320];
    int rc = conf_consumer(adapter->properties, adapter->n_properties, &conf, error);
    if (rc < 0)
        return rc;
    /* A group that has read nothing yet begins at the beginning. */
    rc = conf_set(conf, "auto.offset.reset", "earliest", error);
    if (rc == 0)
        rc = conf_set(conf, "group.id", adapter->group_id, error);
    if (rc == 0)
        rc = conf_set(conf, "group.instance.id", adapter->transactional_id, error);
    if (rc < 0) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    rd_kafka_conf_set_opaque(conf, adapter);
    rd_kafka_conf_set_error_cb(conf, note_error);
    rd_kafka_conf_set_rebalance_cb(conf, note_rebalance);
    adapter->in = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
    if (!adapter->in) {
        rd_kafka_conf_destroy(conf);
        return err_set(error, ERR_INVALID, "the Kafka consumer of role adapt cannot start: %s", why);
    }
    rd_kafka_poll_set_consumer(adapter->in);
    return 0;
}

static int open_producer(struct adapter *adapter, struct err_text *error)
{
    rd_kafka_conf_t *conf;
    char why[320];
    int rc = conf_producer(adapter->properties, adapter->n_properties, &conf, error);
    if (rc < 0)
        return rc;
    rc = conf_set(conf, "transactional.id", adapter->transactional_id, error);
    if (rc < 0) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    rd_kafka_conf_set_opaque(conf, adapter);
    rd_kafka_conf_set_error_cb(conf, note_error);
    rd_kafka_conf_set_dr_msg_cb(conf, message_delivered);
    adapter->out = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    if (!adapter->out) {
        rd_kafka_conf_destroy(conf);
        return err_set(error, ERR_INVALID, "the Kafka producer of role adapt cannot start: %s", why);
    }
    adapter->work.out = adapter->out;
    return 0;
}

static void close_session(struct adapter *adapter)
{
    if (adapter->in && !adapter->failed)
        commit(adapter);
    if (adapter->open && adapter->out)
        transaction_abort(adapter->out, &adapter->stop);
    adapter->open = false;
    if (adapter->in) {
        rd_kafka_consumer_close(adapter->in);
        rd_kafka_destroy(adapter->in);
    }
    if (adapter->out) {
        rd_kafka_purge(adapter->out, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_destroy(adapter->out);
    }
    adapter->in = adapter->out = adapter->work.out = NULL;
    forget_parts(adapter);
    adapter->assigned = false;
}

/* ---- messages ---- */

/* Raw messages that the topic let go before they were read: an alarm, since nobody can normalize them any more. */
static void note_hole(struct adapter *adapter, const struct part *part, int64_t offset)
{
    int64_t low = -1, high = -1;
    if (part->next < 0 || offset <= part->next ||
        rd_kafka_get_watermark_offsets(adapter->in, part->topic, part->partition, &low, &high) || low <= part->next)
        return;
    metric_add(&n_lost, low - part->next);
    log_event(LOG_ERROR, "adapt_lost",
              "topic=%s partition=%d from=%lld to=%lld text=\"the log was truncated before it was read\"", part->topic,
              part->partition, (long long)part->next, (long long)low);
}

static int take(struct adapter *adapter, struct part *part, const rd_kafka_message_t *message)
{
    int rc = begin(adapter);
    note_hole(adapter, part, message->offset);
    if (rc == 0)
        rc = adapter_work_take(&adapter->work, message);
    if (rc < 0)
        return adapter->failed ? rc
                               : fail(adapter, "a message cannot be normalized",
                                      adapter->work.error[0] ? adapter->work.error : err_name(rc));
    adapter->n_open++;
    adapter->open_bytes += (int64_t)message->len;
    adapter->message_bytes += ((double)message->len - adapter->message_bytes) / 100;
    part->next = message->offset + 1;
    part->dirty = true;
    return 0;
}

static void note_end(struct adapter *adapter, struct part *part, int64_t offset)
{
    part->at_end = true;
    if (part->next < offset) /* only marks of transactions stood before it */
        part->next = offset;
    if (!part->dirty)
        part->stored = part->next;
    part->reached = part->reached || !adapter->open;
}

static void serve(struct adapter *adapter)
{
    rd_kafka_message_t *message = rd_kafka_consumer_poll(adapter->in, adapter->open ? 1 : WAIT_MS);
    if (!message)
        return;
    struct part *part = find_part(adapter, message);
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF && part)
        note_end(adapter, part, message->offset);
    else if (message->err == RD_KAFKA_RESP_ERR__FATAL)
        fail(adapter, "the consumer gave up", rd_kafka_message_errstr(message));
    else if (message->err && message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
        snprintf(adapter->reason, sizeof(adapter->reason), "adapt: Kafka says of topic \"%.80s\": %.120s",
                 message->rkt ? rd_kafka_topic_name(message->rkt) : "", rd_kafka_err2str(message->err));
    else if (!message->err && part && take(adapter, part, message) < 0)
        log_event(LOG_DEBUG, "adapt_stopped_at", "offset=%lld", (long long)message->offset);
    rd_kafka_message_destroy(message);
}

/* ---- the status ---- */

static int64_t lag_of(struct adapter *adapter, const struct part *part)
{
    int64_t low = -1, high = -1;
    if (rd_kafka_get_watermark_offsets(adapter->in, part->topic, part->partition, &low, &high) || high < 0)
        return -1;
    int64_t stored = part->stored >= 0 ? part->stored : low > 0 ? low : 0;
    return high > stored ? high - stored : 0;
}

static void update_status(struct adapter *adapter, int64_t now_us)
{
    struct consumer_status status = {.assigned = adapter->assigned, .caught_up = adapter->assigned};
    status.connected = adapter->in && adapter->assigned && !adapter->failed && !adapter->away;
    for (size_t i = 0; i < adapter->n_parts && adapter->in; i++) {
        int64_t lag = lag_of(adapter, &adapter->parts[i]);
        status.lag = lag < 0 || status.lag < 0 ? -1 : status.lag + lag;
        status.caught_up = status.caught_up && adapter->parts[i].reached;
    }
    status.lag = adapter->assigned ? status.lag : -1;
    status.lag_bytes = status.lag > 0 ? (int64_t)((double)status.lag * adapter->message_bytes) : 0;
    if (status.lag == 0)
        adapter->lag_since_us = 0;
    else if (adapter->lag_since_us == 0)
        adapter->lag_since_us = now_us;
    status.lag_us = status.lag != 0 ? now_us - adapter->lag_since_us : 0;
    snprintf(status.reason, sizeof(status.reason), "%s", adapter->reason);
    metric_set(&lag_gauge, status.lag);
    pthread_mutex_lock(&adapter->lock);
    adapter->status = status;
    pthread_mutex_unlock(&adapter->lock);
}

/* librdkafka tells when the last broker went, not when one is back. */
static void probe(struct adapter *adapter, int64_t now_us)
{
    const struct rd_kafka_metadata *metadata;
    if (!adapter->away || now_us < adapter->probe_next_us)
        return;
    adapter->probe_next_us = now_us + PROBE_US;
    if (rd_kafka_metadata(adapter->in, 0, NULL, &metadata, TRANSACTION_SLICE_MS))
        return;
    rd_kafka_metadata_destroy(metadata);
    adapter->away = false;
    adapter->reason[0] = '\0';
}

/* ---- the thread ---- */

/* Asks the broker to end what an adapter of our name had begun, and waits for it, however long that takes. */
static int init_transactions(struct adapter *adapter)
{
    while (!atomic_load(&adapter->stop)) {
        rd_kafka_error_t *error = rd_kafka_init_transactions(adapter->out, TRANSACTION_SLICE_MS);
        if (!error)
            return 0;
        bool again = rd_kafka_error_is_retriable(error) || rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__TIMED_OUT;
        if (!again)
            return fail_by(adapter, "no transactions can be had", error);
        if (!adapter->reason[0])
            snprintf(adapter->reason, sizeof(adapter->reason), "adapt: no broker of \"%.60s\" answers: %.120s",
                     adapter->brokers, rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        update_status(adapter, clock_mono_us());
    }
    return ERR_CANCELLED;
}

static void run_session(struct adapter *adapter)
{
    struct err_text error = {0};
    adapter->failed = adapter->away = false;
    int rc = open_producer(adapter, &error);
    if (rc == 0)
        rc = open_consumer(adapter, &error);
    if (rc == 0)
        rc = init_transactions(adapter);
    if (rc == 0)
        rc = topics_subscribe(adapter->in, adapter->topics, NULL, &error);
    if (rc < 0 && error.text[0])
        fail(adapter, "it cannot start", error.text);
    while (rc == 0 && !adapter->failed && !atomic_load(&adapter->stop)) {
        serve(adapter);
        int64_t now_us = clock_mono_us();
        if (is_due(adapter, now_us))
            commit(adapter);
        rd_kafka_poll(adapter->out, 0);
        if (now_us >= adapter->status_next_us) {
            adapter->status_next_us = now_us + STATUS_US;
            probe(adapter, now_us);
            update_status(adapter, now_us);
        }
    }
    close_session(adapter);
}

static void wait_before_next(struct adapter *adapter)
{
    int64_t end_us = clock_mono_us() + adapter->backoff_us;
    metric_add(&n_aborts, 1);
    log_event(LOG_WARNING, "adapt_begins_anew", "text=\"%s\"", adapter->reason);
    while (!atomic_load(&adapter->stop) && clock_mono_us() < end_us) {
        struct timespec pause = {.tv_nsec = 20000000};
        nanosleep(&pause, NULL);
    }
    adapter->backoff_us = 2 * adapter->backoff_us < BACKOFF_MAX_US ? 2 * adapter->backoff_us : BACKOFF_MAX_US;
}

static void *run(void *arg)
{
    struct adapter *adapter = arg;
    while (!atomic_load(&adapter->stop)) {
        run_session(adapter);
        update_status(adapter, clock_mono_us());
        if (!atomic_load(&adapter->stop))
            wait_before_next(adapter);
    }
    return NULL;
}

/* ---- starting and stopping ---- */

static void free_adapter(struct adapter *adapter)
{
    adapter_work_done(&adapter->work);
    for (size_t i = 0; i < adapter->n_properties; i++) {
        free((char *)(uintptr_t)adapter->properties[i].name);
        free((char *)(uintptr_t)adapter->properties[i].value);
    }
    free(adapter->properties);
    free(adapter->group_id);
    free(adapter->transactional_id);
    free(adapter->topics);
    free(adapter->brokers);
    pthread_mutex_destroy(&adapter->lock);
    free(adapter);
}

/* What the operator says of the group's name and the member's is ours to say here. */
static int copy_properties(struct adapter *adapter, const struct adapter_opts *opts)
{
    adapter->properties = calloc(opts->n_properties + 1, sizeof(*adapter->properties));
    for (size_t i = 0; i < opts->n_properties && adapter->properties; i++) {
        struct kafka_property *property = &adapter->properties[adapter->n_properties];
        if (strcmp(opts->properties[i].name, "group.instance.id") == 0)
            continue;
        adapter->n_properties++;
        property->name = strdup(opts->properties[i].name);
        property->value = strdup(opts->properties[i].value);
        if (!property->name || !property->value)
            return ERR_NOMEM;
    }
    return adapter->properties ? 0 : ERR_NOMEM;
}

static int build(struct adapter *adapter, const struct adapter_opts *opts, struct err_text *error)
{
    const char *group = conf_find(opts->properties, opts->n_properties, "group.id");
    const char *brokers = conf_find(opts->properties, opts->n_properties, "bootstrap.servers");
    int rc = copy_properties(adapter, opts);
    if (rc < 0 || asprintf(&adapter->group_id, "%s-adapt", group ? group : "almanac") < 0 ||
        asprintf(&adapter->transactional_id, "%s-%s", adapter->group_id, opts->instance_id) < 0 ||
        !(adapter->topics = strdup(opts->topics)) || !(adapter->brokers = strdup(brokers ? brokers : "")))
        return err_set(error, ERR_NOMEM, "no memory for the adapter");
    adapter->backoff_us = BACKOFF_MIN_US;
    adapter->message_bytes = 200;
    adapter->status.lag = -1;
    snprintf(adapter->status.reason, sizeof(adapter->status.reason), "adapt: no broker has answered yet");
    rc = adapter_work_init(&adapter->work, opts, error);
    adapter->work.stop = &adapter->stop;
    return rc;
}

int adapter_start(const struct adapter_opts *opts, struct adapter **ret_adapter, struct err_text *error)
{
    struct adapter *adapter = calloc(1, sizeof(*adapter));
    if (!adapter)
        return err_set(error, ERR_NOMEM, "no memory for the adapter");
    pthread_mutex_init(&adapter->lock, NULL);
    int rc = consumer_check(opts->properties, opts->n_properties, error);
    if (rc == 0)
        rc = build(adapter, opts, error);
    sigset_t all, before; /* signals belong to the program's own threads, not to ours nor librdkafka's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (rc == 0 && pthread_create(&adapter->thread, NULL, run, adapter) != 0)
        rc = err_set(error, ERR_NOMEM, "no thread for the adapter");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc < 0) {
        free_adapter(adapter);
        return rc;
    }
    *ret_adapter = adapter;
    return 0;
}

void adapter_stop(struct adapter *adapter)
{
    if (!adapter)
        return;
    atomic_store(&adapter->stop, true);
    pthread_join(adapter->thread, NULL);
    free_adapter(adapter);
}

void adapter_status(struct adapter *adapter, struct consumer_status *ret_status)
{
    pthread_mutex_lock(&adapter->lock);
    *ret_status = adapter->status;
    pthread_mutex_unlock(&adapter->lock);
}
