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
#include "ingest/adapter_parts.h"
#include "ingest/adapter_work.h"
#include "ingest/conf.h"
#include "ingest/reason.h"
#include "ingest/topics.h"
#include "ingest/transaction.h"
#include "ingest/unread.h"

#define WAIT_MS 50            /* longest wait for a message: a stop is noticed after it */
#define COMMIT_US 200000      /* a transaction is at most so long open before it is committed */
#define COMMIT_MESSAGES 20000 /* ... and at most so large */
#define COMMIT_BYTES (8 << 20)
#define PROBE_US 1000000
#define PENDING_US 3000000 /* what is not ended for so long without us is hanging */
#define END_US 60000000    /* pause before the next end: what others have open ends by itself in that time */
#define FLUSH_MS 5000
#define STATUS_US 100000
#define BACKOFF_MIN_US 200000
#define BACKOFF_MAX_US 5000000

static struct metric n_transactions = {
    .name = "almanac_adapt_transactions_total", .type = METRIC_COUNTER, .help = "Transactions that were committed."};
static struct metric n_aborts = {.name = "almanac_adapt_aborts_total",
                                 .type = METRIC_COUNTER,
                                 .help = "Times that the adapter began anew from what was committed."};
static struct metric n_ended = {.name = "almanac_adapt_hanging_total",
                                .type = METRIC_COUNTER,
                                .help = "Times that a transaction which Kafka had left hanging was ended."};
static struct metric lag_gauge = {
    .name = "almanac_adapt_lag_messages", .type = METRIC_GAUGE, .help = "Raw messages not normalized yet; -1 unknown."};

struct adapter {
    pthread_t thread;
    atomic_bool stop;
    struct kafka_property *properties;
    size_t n_properties;
    char *group_id, *transactional_id, *topics, *brokers;
    struct adapter_work work;
    /* the session at hand: both clients are made anew after a failure */
    rd_kafka_t *in, *out;
    struct adapter_parts parts;
    bool assigned, open, failed; /* open: a transaction is */
    bool away;                   /* no broker answers, by the last word */
    bool unsure;                 /* a connection broke: whether Kafka ended the last transaction is to be asked */
    bool denied;                 /* a message was not allowed to be written: its reason stands until one is */
    bool began;                  /* this session has begun a transaction */
    int64_t pending_since_us;    /* the group's offsets belong to a transaction that has not ended; 0 none do */
    int64_t end_next_us;         /* when a hanging one may be ended again */
    int64_t probe_next_us, ask_next_us;
    int64_t open_since_us, n_open, open_bytes;
    int64_t lag_since_us, backoff_us, status_next_us;
    double message_bytes;
    char reason[256];            /* why the session ended, or cannot begin */
    char group_error[REASON_ONE_BYTES];
    struct unread unread;
    pthread_mutex_t lock; /* for what follows */
    struct consumer_status status;
};

/* ---- failures ---- */

/* The first failure of a session is what others follow from. */
static int fail(struct adapter *adapter, const char *what, const char *why)
{
    if (adapter->failed)
        return ERR_IO;
    adapter->failed = true;
    snprintf(adapter->reason, sizeof(adapter->reason), "adapt: %.100s: %.130s", what, why);
    return ERR_IO;
}

static int fail_by(struct adapter *adapter, const char *what, rd_kafka_error_t *error)
{
    char why[REASON_ONE_BYTES];
    rd_kafka_resp_err_t err = rd_kafka_error_code(error);
    snprintf(why, sizeof(why), "%s", rd_kafka_error_string(error));
    if (err == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
        reason_say(why, sizeof(why), "transactional id", adapter->transactional_id, "WRITE", err);
    else if (err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)
        reason_say(why, sizeof(why), "group", adapter->group_id, "READ", err);
    int rc = fail(adapter, what, why);
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
    char why[REASON_ONE_BYTES];
    reason_say(why, sizeof(why), "topic", rd_kafka_topic_name(message->rkt), "WRITE", message->err);
    adapter->denied = adapter->denied || reason_is_denial(message->err);
    fail(adapter, "a message was not taken", why);
}

static void note_error(rd_kafka_t *rk, int err, const char *text, void *opaque)
{
    (void)rk;
    struct adapter *adapter = opaque;
    if (err == RD_KAFKA_RESP_ERR__FATAL)
        fail(adapter, "a client of Kafka gave up", text);
    if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || err == RD_KAFKA_RESP_ERR__TRANSPORT)
        adapter->unsure = true;
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
    adapter->open = adapter->began = true;
    return 0;
}

/* Where the group is: so far all is normalized. Says whether Kafka has ended what was committed before. */
static int ask_offsets(struct adapter *adapter)
{
    int rc = adapter_parts_ask(&adapter->parts, adapter->in);
    adapter->ask_next_us = clock_mono_us() + PROBE_US;
    if (rc < 0)
        return rc;
    if (rc == 0)
        adapter->unsure = false;
    if (rc == 0 && adapter->pending_since_us)
        adapter->reason[0] = '\0';
    if (rc == 0)
        adapter->pending_since_us = 0;
    else if (!adapter->pending_since_us)
        adapter->pending_since_us = clock_mono_us();
    return rc;
}

/* A broker that stops can confirm a commit and keep it from its partitions (end_hanging). What is committed after such
 * a one would hide that, and what is aborted would take it along, so after each lost connection we ask first. */
static int be_sure(struct adapter *adapter)
{
    rd_kafka_poll(adapter->out, 0); /* tells of a connection that is lost */
    int64_t begin_us = clock_mono_us();
    int rc = adapter->unsure ? ask_offsets(adapter) : 0;
    while (rc > 0 && clock_mono_us() - begin_us < PENDING_US && !atomic_load(&adapter->stop))
        rc = ask_offsets(adapter); /* a broker that begins may need a moment, and it waits itself */
    if (rc == 0)
        return 0;
    return fail(adapter, "a transaction is not committed after a connection was lost",
                rc > 0 ? "Kafka has not ended the one before" : "Kafka does not tell whether it ended the one before");
}

static int send_offsets(struct adapter *adapter)
{
    rd_kafka_topic_partition_list_t *offsets = adapter_parts_dirty(&adapter->parts);
    rd_kafka_error_t *error = transaction_send_offsets(adapter->out, adapter->in, offsets, &adapter->stop);
    rd_kafka_topic_partition_list_destroy(offsets);
    if (error)
        return fail_by(adapter, "offsets cannot be committed", error);
    rd_kafka_poll(adapter->out, 0);
    return adapter->unsure ? fail(adapter, "a transaction is not committed", "a connection was lost meanwhile") : 0;
}

/* Commits what was made and how far was read, as one. */
static int commit(struct adapter *adapter)
{
    if (!adapter->open || adapter->failed)
        return adapter->failed ? ERR_IO : 0;
    if (be_sure(adapter) < 0 || send_offsets(adapter) < 0)
        return ERR_IO;
    rd_kafka_error_t *error = transaction_commit(adapter->out, &adapter->stop);
    if (error)
        return fail_by(adapter, "a transaction cannot be committed", error);
    adapter->open = adapter->denied = false;
    adapter->reason[0] = '\0';
    adapter->backoff_us = BACKOFF_MIN_US;
    metric_add(&n_transactions, 1);
    adapter_parts_commit(&adapter->parts);
    return adapter->failed ? ERR_IO : 0;
}

static bool is_due(const struct adapter *adapter, int64_t now_us)
{
    return adapter->open && (now_us - adapter->open_since_us >= COMMIT_US || adapter->n_open >= COMMIT_MESSAGES ||
                             adapter->open_bytes >= COMMIT_BYTES);
}

/* ---- partitions ---- */

/* Before partitions go, what was made of them is committed; where they are lost, it is not ours to commit. */
static void note_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t what, rd_kafka_topic_partition_list_t *list,
                           void *opaque)
{
    struct adapter *adapter = opaque;
    if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        if (adapter_parts_keep(&adapter->parts, list) < 0)
            fail(adapter, "partitions cannot be taken", "no memory");
        adapter->group_error[0] = '\0';
        if (list->cnt > 0)
            unread_assigned(&adapter->unread);
        if (!adapter->denied)
            adapter->reason[0] = '\0';
        adapter->unsure = ask_offsets(adapter) != 0; /* if so, asked again later */
        rd_kafka_assign(rk, list);
        adapter->assigned = true;
        log_event(LOG_INFO, "adapt_assigned", "partitions=%d", list->cnt);
        return;
    }
    if (adapter->open && rd_kafka_assignment_lost(rk))
        fail(adapter, "the group gave the partitions to others", "what was in hand is made anew by them");
    else if (!adapter->failed && commit(adapter) < 0)
        log_event(LOG_WARNING, "adapt_not_committed", "text=\"%s\"", adapter->reason);
    adapter_parts_forget(&adapter->parts);
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
    rd_kafka_error_t *error = adapter->open && adapter->out ? transaction_abort(adapter->out, &adapter->stop) : NULL;
    if (error)
        rd_kafka_error_destroy(error); /* the next session's init_transactions does it */
    adapter->open = false;
    unread_done(&adapter->unread);
    if (adapter->in) {
        rd_kafka_consumer_close(adapter->in);
        rd_kafka_destroy(adapter->in);
    }
    if (adapter->out) {
        rd_kafka_purge(adapter->out, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_destroy(adapter->out);
    }
    adapter->in = adapter->out = adapter->work.out = NULL;
    adapter_parts_forget(&adapter->parts);
    adapter->assigned = false;
}

/* ---- what Kafka left hanging ---- */

/* Marks the end of whatever a producer of our name has open in the partitions that this one writes to, and of the
 * group's offsets: Kafka ends what is there of a producer, whenever it was sent, with the next transaction that takes a
 * partition in. */
static int abort_everywhere(struct adapter *adapter)
{
    adapter->unsure = false;
    if (begin(adapter) < 0)
        return ERR_IO;
    for (size_t i = 0; i < adapter->parts.n; i++) {
        struct adapter_part *part = &adapter->parts.rows[i];
        part->dirty = true; /* an offset of each; none of them counts */
        part->next = part->next < 0 ? 0 : part->next;
        if ((i == 0 || strcmp(part->topic, part[-1].topic) != 0) && adapter_work_touch(&adapter->work, part->topic) < 0)
            return fail(adapter, "a hanging transaction cannot be ended", adapter->work.error);
    }
    if (rd_kafka_flush(adapter->out, FLUSH_MS) || send_offsets(adapter) < 0)
        return fail(adapter, "a hanging transaction cannot be ended", "Kafka does not take messages");
    rd_kafka_error_t *error = transaction_abort(adapter->out, &adapter->stop);
    if (error)
        return fail_by(adapter, "a hanging transaction cannot be ended", error);
    adapter->open = false;
    return 0;
}

/* Seen of Kafka 4.3.1: a broker that is told to stop, and is the last one that a partition has, answers a commit, holds
 * the transaction for complete and never marks its end in the partitions, since it looks as if they had been deleted.
 * The group's offsets are pending then, and without offsets we begin to read nowhere. No own transaction is open in a
 * session that has begun none, so what is open in our name hangs; it is aborted, and what was in it is normalized
 * again. */
static void end_hanging(struct adapter *adapter)
{
    if (abort_everywhere(adapter) < 0)
        return;
    adapter->end_next_us = clock_mono_us() + END_US;
    metric_add(&n_ended, 1);
    adapter->pending_since_us = 0;
    log_event(LOG_WARNING, "adapt_hanging_ended",
              "text=\"the group's offsets stayed pending: what was left open in our name is aborted and made again\"");
    fail(adapter, "a transaction was hanging", "all is read again from before it");
}

/* Asks while it is not sure that Kafka ended the last transaction, and says and does what helps if it did not. */
static void watch_pending(struct adapter *adapter, int64_t now_us)
{
    if (!adapter->assigned || adapter->open || adapter->away || !adapter->unsure || now_us < adapter->ask_next_us ||
        ask_offsets(adapter) <= 0)
        return;
    snprintf(adapter->reason, sizeof(adapter->reason),
             "adapt: the offsets of group \"%.80s\" are held by a transaction that Kafka has not ended "
             "(kafka-transactions find-hanging)",
             adapter->group_id);
    if (now_us - adapter->pending_since_us < PENDING_US)
        return;
    if (adapter->began)
        fail(adapter, "a transaction was committed", "Kafka has not ended it");
    else if (now_us >= adapter->end_next_us)
        end_hanging(adapter);
}

/* ---- messages ---- */

static int take(struct adapter *adapter, struct adapter_part *part, const rd_kafka_message_t *message)
{
    int rc = begin(adapter);
    adapter_part_note_hole(part, adapter->in, message->offset);
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
    part->denied = false;
    return 0;
}

/* Errors of the group, of a topic or of a partition. A member that may not join tries so every second: it is told once. */
static void note_denial(struct adapter *adapter, struct adapter_part *part, const rd_kafka_message_t *message)
{
    char said[REASON_ONE_BYTES];
    const char *topic = message->rkt ? rd_kafka_topic_name(message->rkt) : NULL;
    reason_say(said, sizeof(said), topic ? "topic" : "group", topic ? topic : adapter->group_id, "READ", message->err);
    if (topic ? !part || !part->denied : strcmp(said, adapter->group_error) != 0)
        log_event(LOG_WARNING, "adapt_error", "text=\"%s\"", said);
    if (!topic)
        snprintf(adapter->group_error, sizeof(adapter->group_error), "%s", said);
    else if (part && reason_is_denial(message->err))
        part->denied = true, part->look_us = clock_mono_us() + UNREAD_LOOK_US;
    else if (!part)
        unread_note(&adapter->unread, adapter->in, topic, message->err);
}

static void look_at_denied(struct adapter *adapter, int64_t now_us)
{
    for (size_t i = 0; i < adapter->parts.n && !adapter->unsure; i++) { /* unsure: where it is to be read is not known */
        struct adapter_part *part = &adapter->parts.rows[i];
        if (!part->denied || now_us < part->look_us)
            continue;
        unread_look_again(adapter->in, part->topic, part->partition, part->next);
        part->look_us = now_us + UNREAD_LOOK_US;
    }
}

static void note_end(struct adapter *adapter, struct adapter_part *part, int64_t offset)
{
    part->at_end = true;
    part->denied = false;
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
    struct adapter_part *part = adapter_parts_find(&adapter->parts, message);
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF && part)
        note_end(adapter, part, message->offset);
    else if (message->err == RD_KAFKA_RESP_ERR__FATAL)
        fail(adapter, "the consumer gave up", rd_kafka_message_errstr(message));
    else if (message->err && message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
        note_denial(adapter, part, message);
    else if (!message->err && part && take(adapter, part, message) < 0)
        log_event(LOG_DEBUG, "adapt_stopped_at", "offset=%lld", (long long)message->offset);
    rd_kafka_message_destroy(message);
}

/* ---- the status ---- */

static void add_reasons(const struct adapter *adapter, char *out, size_t size)
{
    char one[REASON_ONE_BYTES];
    reason_add(out, size, adapter->reason);
    reason_add(out, size, adapter->group_error);
    unread_reasons(&adapter->unread, out, size);
    for (size_t i = 0; i < adapter->parts.n; i++) {
        if (!adapter->parts.rows[i].denied)
            continue;
        reason_say(one, sizeof(one), "topic", adapter->parts.rows[i].topic, "READ", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
        reason_add(out, size, one);
    }
}

static void update_status(struct adapter *adapter, int64_t now_us)
{
    struct consumer_status status = {.assigned = adapter->assigned, .caught_up = adapter->assigned};
    status.connected = adapter->in && adapter->assigned && !adapter->failed && !adapter->away;
    for (size_t i = 0; i < adapter->parts.n && adapter->in; i++) {
        int64_t lag = adapter_part_lag(&adapter->parts.rows[i], adapter->in);
        status.lag = lag < 0 || status.lag < 0 ? -1 : status.lag + lag;
        status.caught_up = status.caught_up && adapter->parts.rows[i].reached;
    }
    status.lag = adapter->assigned ? status.lag : -1;
    status.lag_bytes = status.lag > 0 ? (int64_t)((double)status.lag * adapter->message_bytes) : 0;
    if (status.lag == 0)
        adapter->lag_since_us = 0;
    else if (adapter->lag_since_us == 0)
        adapter->lag_since_us = now_us;
    status.lag_us = status.lag != 0 ? now_us - adapter->lag_since_us : 0;
    add_reasons(adapter, status.reason, sizeof(status.reason));
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
    adapter->failed = adapter->away = adapter->unsure = adapter->began = false;
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
            unread_tend(&adapter->unread, adapter->in, now_us);
            look_at_denied(adapter, now_us);
            watch_pending(adapter, now_us);
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
