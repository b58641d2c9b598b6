#include <config.h>

#include "ingest/documents.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/clock.h"
#include "common/hash.h"
#include "common/log.h"
#include "common/metrics.h"
#include "ingest/conf.h"
#include "ingest/producer.h"
#include "ingest/reason.h"
#include "normalise/assets.h"

#define WAIT_MS 50             /* longest wait for a message: a stop is noticed after it */
#define ASK_MS 1000            /* a question to the broker: nothing else is done meanwhile */
#define ASK_AGAIN_US 1000000   /* for topics that are not there, and brokers that are away */
#define ASK_NEXT_US 10000000   /* for new partitions */
#define RETRY_US 1000000       /* after the store could not take a batch */
#define CALENDAR_RETRY_US 10000000
#define BATCH_MESSAGES 1000
#define BATCH_BYTES (4 << 20)
#define BATCH_US 200000
#define ASSIGN_US 1000000 /* between two assignments: librdkafka 2.0.2 aborts where the second comes before it has stopped
                           * the partitions of the first (rd_kafka_assignment_partition_stopped) */
enum { TOPIC_ASSETS, TOPIC_OPTIMIZATION, TOPIC_SUBJECTS, N_TOPICS };
enum denial { DENIED_NOT, DENIED_SIGHT, DENIED_READING }; /* DENIED_SIGHT: Kafka does not even tell of the topic */

static struct metric read_total = {.name = "almanac_documents_total", .type = METRIC_COUNTER,
                                   .help = "Messages of topics assets, optimization and subjects that were stored."};
static struct metric refused_total = {.name = "almanac_documents_refused_total", .type = METRIC_COUNTER,
                                      .help = "Parts of such messages that were refused, dangling references left out."};

/* A partition. */
struct post {
    int topic;           /* TOPIC_... */
    int32_t partition;
    int64_t next;        /* the offset to read; -1: from the start */
    bool verify;         /* the message before next is to be the one that was stored last */
    uint8_t last_hash[HASH_BYTES];
    bool at_end;
    bool adrift;         /* to be read from elsewhere, once that is assigned */
};

struct documents_reader {
    pthread_t thread;
    atomic_bool stop;
    struct documents_opts opts;
    const char *topics[N_TOPICS];
    rd_kafka_t *rk;
    rd_kafka_topic_t *handles[N_TOPICS]; /* NULL: none */
    struct kafka_property *properties;   /* a copy, for the producer */
    struct asset_checker *checker;
    /* the thread's own */
    int32_t n_partitions[N_TOPICS];      /* that are assigned */
    struct post *posts;
    size_t n_posts, posts_cap;
    int64_t ask_us;                      /* when to ask for partitions */
    int64_t assigned_us;                 /* when they were assigned last */
    bool reassign;                       /* some are adrift */
    bool doubt;                          /* the broker was away: it may have come back with other topics of the same names */
    bool asked;                          /* the broker has answered, so that n_partitions is right */
    struct documents batch;
    int64_t batch_us, retry_us;          /* since when it fills; not before to hand it over */
    int64_t n_messages;
    bool told_end;                       /* the end was told to the store since the last message */
    bool vault_away;                     /* it was told */
    int64_t calendar_us;                 /* when to look for calendars; 0: now */
    enum denial denials[N_TOPICS];
    char calendar_reason[REASON_ONE_BYTES];
    pthread_mutex_t lock;                /* for what follows */
    char reasons[REASON_BYTES];
};

/* ---- what is not well ---- */

static const char *say_denied(const struct documents_reader *reader, int topic, char out[static REASON_ONE_BYTES])
{
    reason_say(out, REASON_ONE_BYTES, "topic", reader->topics[topic], "READ", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    return out;
}

static void update_reasons(struct documents_reader *reader)
{
    char reasons[REASON_BYTES] = "", one[REASON_ONE_BYTES];
    for (int topic = 0; topic < N_TOPICS; topic++)
        if (reader->denials[topic] != DENIED_NOT)
            reason_add(reasons, sizeof(reasons), say_denied(reader, topic, one));
    reason_add(reasons, sizeof(reasons), reader->calendar_reason);
    pthread_mutex_lock(&reader->lock);
    snprintf(reader->reasons, sizeof(reader->reasons), "%s", reasons);
    pthread_mutex_unlock(&reader->lock);
}

static void note_denial(struct documents_reader *reader, int topic, enum denial denial)
{
    char said[REASON_ONE_BYTES];
    if (reader->denials[topic] == denial)
        return;
    if (denial == DENIED_NOT)
        log_event(LOG_INFO, "documents_allowed", "topic=%s", reader->topics[topic]);
    else
        log_event(LOG_WARNING, "documents_denied", "error=\"%s\"", say_denied(reader, topic, said));
    reader->denials[topic] = denial;
    update_reasons(reader);
}

/* ---- places ---- */

static int add_post(struct documents_reader *reader, int topic, int32_t partition)
{
    struct document_mark mark;
    struct err_text error = {0};
    if (array_grow(&reader->posts, &reader->posts_cap, reader->n_posts + 1, sizeof(*reader->posts)))
        return ERR_NOMEM;
    int rc = reader->opts.sink->find(reader->opts.sink, reader->topics[topic], partition, &mark, &error);
    if (rc && rc != ERR_NOTFOUND) {
        log_event(LOG_ERROR, "documents_failed", "error=\"%s\"", error.text);
        return rc;
    }
    struct post *post = &reader->posts[reader->n_posts++];
    *post = (struct post){.topic = topic, .partition = partition, .next = -1};
    if (rc || mark.next_offset <= 0)
        return 0;
    post->next = mark.next_offset;
    post->verify = true;
    memcpy(post->last_hash, mark.last_hash, sizeof(post->last_hash));
    return 0;
}

static struct post *find_post(struct documents_reader *reader, const rd_kafka_message_t *message)
{
    const char *topic = message->rkt ? rd_kafka_topic_name(message->rkt) : "";
    for (size_t i = 0; i < reader->n_posts; i++)
        if (reader->posts[i].partition == message->partition && strcmp(reader->topics[reader->posts[i].topic], topic) == 0)
            return &reader->posts[i];
    return NULL;
}

/* Tells librdkafka where each partition is read. */
static void assign(struct documents_reader *reader)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)reader->n_posts + 1);
    for (size_t i = 0; i < reader->n_posts; i++) {
        struct post *post = &reader->posts[i];
        post->at_end = post->adrift = false;
        rd_kafka_topic_partition_list_add(list, reader->topics[post->topic], post->partition)->offset =
            post->next < 0 ? RD_KAFKA_OFFSET_BEGINNING : post->next - post->verify;
    }
    rd_kafka_resp_err_t err = rd_kafka_assign(reader->rk, list);
    if (err) {
        log_event(LOG_ERROR, "documents_failed", "error=\"%s\"", rd_kafka_err2str(err));
        reader->doubt = true;
    }
    rd_kafka_topic_partition_list_destroy(list);
    reader->assigned_us = clock_mono_us();
    reader->reassign = false;
}

static bool may_assign(const struct documents_reader *reader, int64_t now_us)
{
    return now_us >= reader->assigned_us + ASSIGN_US;
}

static void start_over(struct documents_reader *reader, struct post *post)
{
    log_event(LOG_INFO, "documents_again", "partition=%s/%" PRId32 " why=\"the topic was made anew or cut\"",
              reader->topics[post->topic], post->partition);
    post->next = -1;
    post->verify = post->at_end = false;
    post->adrift = reader->reassign = true;
}

/* The number of the topic's partitions. */
static int32_t note_answer(struct documents_reader *reader, int topic, const struct rd_kafka_metadata_topic *answer)
{
    if (reason_is_denial(answer->err))
        note_denial(reader, topic, DENIED_SIGHT);
    else if (reader->denials[topic] == DENIED_SIGHT)
        note_denial(reader, topic, DENIED_NOT);
    return answer->err ? 0 : answer->partition_cnt;
}

/* How many partitions each topic has, 0 where it does not exist; false: nobody knows. One question for all: it may have
 * to wait on the connection for a fetch to end. */
static bool ask_partitions(struct documents_reader *reader, int32_t ret_n[static N_TOPICS])
{
    const struct rd_kafka_metadata *metadata;
    if (rd_kafka_metadata(reader->rk, 0, NULL, &metadata, ASK_MS)) /* of the topics that we have handles of */
        return false;
    for (int topic = 0; topic < N_TOPICS; topic++) {
        ret_n[topic] = 0;
        for (int i = 0; i < metadata->topic_cnt && reader->handles[topic]; i++)
            if (strcmp(metadata->topics[i].topic, reader->topics[topic]) == 0)
                ret_n[topic] = note_answer(reader, topic, &metadata->topics[i]);
    }
    rd_kafka_metadata_destroy(metadata);
    return true;
}

/* Asks for the partitions; where they are others than before, or in doubt, all are read from what is stored of them. */
static void look_around(struct documents_reader *reader, int64_t now_us)
{
    int32_t n[N_TOPICS];
    bool differs = reader->doubt, absent = false;
    bool answered = ask_partitions(reader, n);
    now_us = clock_mono_us(); /* between two questions is time to read */
    reader->ask_us = now_us + ASK_AGAIN_US;
    if (!answered)
        return;
    for (int topic = 0; topic < N_TOPICS; topic++) {
        differs = differs || n[topic] != reader->n_partitions[topic];
        if (reader->denials[topic] == DENIED_READING && now_us >= reader->assigned_us + ASK_NEXT_US)
            differs = true; /* of a partition that is read again librdkafka tells anew */
        absent = absent || (n[topic] == 0 && reader->handles[topic]);
    }
    reader->asked = true;
    if (!absent)
        reader->ask_us = now_us + ASK_NEXT_US;
    if (differs && reader->n_messages) /* first what is in hand */
        reader->ask_us = now_us + BATCH_US;
    if (!differs || reader->n_messages)
        return;
    if (!may_assign(reader, now_us)) {
        reader->ask_us = reader->assigned_us + ASSIGN_US;
        return;
    }
    reader->n_posts = 0;
    int rc = 0;
    for (int topic = 0; topic < N_TOPICS; topic++)
        for (int32_t partition = 0; partition < n[topic] && !rc; partition++)
            rc = add_post(reader, topic, partition);
    reader->doubt = rc != 0;
    if (rc)
        return;
    memcpy(reader->n_partitions, n, sizeof(n));
    assign(reader);
}

/* ---- messages ---- */

static bool is_at_end(const struct documents_reader *reader)
{
    bool at_end = reader->asked && !reader->doubt;
    for (size_t i = 0; i < reader->n_posts; i++)
        at_end = at_end && reader->posts[i].at_end;
    return at_end;
}

/* The message in base64, as it may have been sent already, for the caller to free; NULL without memory. */
static char *in_base64(const void *data, size_t size)
{
    const char *text = data;
    size_t n = size;
    char *out = malloc(HASH_BASE64_MAX(size) + size); /* the rest is for the trial */
    if (!out)
        return NULL;
    while (n > 0 && strchr("\r\n", text[n - 1]))
        n--;
    if (n > 0 && hash_from_base64(text, n, out, &(size_t){0}) == 0) {
        memcpy(out, text, n);
        out[n] = '\0';
    } else {
        hash_base64(data, size, out);
    }
    return out;
}

/* Why the vault refused a message: no text of it, and none of the vault's about it. */
static int refuse_subject(struct documents_reader *reader, const struct document_message *message, int code, const char *field)
{
    static const char *const fields[] = {"subject", "fields", "entities", "consents", "restricted", "series", "do", "sealed"};
    struct document_refusal refusal = {.topic = message->topic, .place = message->place, .reason = REFUSED_FIELD};
    const char *why = "the vault refused what lay inside";
    if (code == ERR_EXPIRED) {
        refusal.reason = REFUSED_ERASED;
        why = "the subject is erased";
    } else if (code == ERR_LIMIT) {
        refusal.reason = REFUSED_SIZE;
        why = "the message is too large for the vault";
    } else if (code == ERR_NOTFOUND || code == ERR_DENIED) {
        why = "there is no such subject, or it is restricted";
    }
    size_t i = 0;
    while (i < sizeof(fields) / sizeof(*fields) && strcmp(fields[i], field) != 0)
        i++;
    bool is_sealed = i + 1 == sizeof(fields) / sizeof(*fields);
    if (is_sealed) {
        refusal.reason = REFUSED_JSON;
        why = "it is not sealed to this vault: `almanac vault seal` does that";
    }
    snprintf(refusal.detail, sizeof(refusal.detail),
             i < sizeof(fields) / sizeof(*fields) && !is_sealed ? "%s: field \"%s\"" : "%s", why,
             fields[i < sizeof(fields) / sizeof(*fields) ? i : 0]);
    return documents_refuse(&reader->batch, &refusal);
}

/* Hands a message about a person to the vault at once: what is stored of it here is how far we are. ERR_BUSY: it is away. */
static int take_subject(struct documents_reader *reader, const struct document_message *message)
{
    struct err_text error = {0};
    char from[LIMIT_TOPIC_BYTES + 48];
    char *sealed = in_base64(message->value, message->size);
    if (!sealed)
        return ERR_NOMEM;
    snprintf(from, sizeof(from), "%s/%" PRId32 "/%" PRId64, message->topic, message->place.partition, message->place.offset);
    int rc = reader->opts.subject ? reader->opts.subject(reader->opts.subject_arg, sealed, from, &error) : ERR_BUSY;
    free(sealed);
    if (rc == ERR_BUSY || rc == ERR_IO || rc == ERR_NOMEM) {
        if (!reader->vault_away)
            log_event(LOG_WARNING, "subjects_wait", "topic=%s error=\"%s\"", message->topic,
                      *error.text ? error.text : err_name(rc));
        reader->vault_away = true;
        return rc == ERR_NOMEM ? rc : ERR_BUSY;
    }
    reader->vault_away = false;
    return rc ? refuse_subject(reader, message, rc, error.field) : 0;
}

static int check_message(struct documents_reader *reader, const struct post *post, const rd_kafka_message_t *message)
{
    rd_kafka_timestamp_type_t type;
    int64_t known_ms = rd_kafka_message_timestamp(message, &type);
    struct document_message checked = {
        .topic = reader->topics[post->topic],
        .place = {.known_ms = known_ms > 0 ? known_ms : 0, .partition = post->partition, .offset = message->offset},
        .value = message->payload ? message->payload : "",
        .size = message->payload ? message->len : 0,
    };
    size_t n_refusals = reader->batch.n_refusals;
    int rc = post->topic == TOPIC_ASSETS         ? assets_check(reader->checker, &checked, &reader->batch)
             : post->topic == TOPIC_OPTIMIZATION ? assets_check_output(reader->checker, &checked, &reader->batch)
                                                 : take_subject(reader, &checked);
    for (size_t i = n_refusals; i < reader->batch.n_refusals && !rc; i++)
        log_event(LOG_WARNING, "document_refused", "partition=%s/%" PRId32 " offset=%" PRId64 " reason=%s detail=\"%s\"",
                  checked.topic, post->partition, message->offset, refusal_name(reader->batch.refusals[i].reason),
                  reader->batch.refusals[i].detail);
    return rc;
}

static void note_message(struct documents_reader *reader, struct post *post, const rd_kafka_message_t *message)
{
    struct document_mark mark = {.topic = reader->topics[post->topic], .partition = post->partition,
                                 .next_offset = message->offset + 1};
    hash_bytes(message->payload ? message->payload : "", message->payload ? message->len : 0, mark.last_hash);
    if (post->verify) {
        bool is_it = message->offset == post->next - 1 && hash_equal(mark.last_hash, post->last_hash);
        post->verify = false;
        if (!is_it)
            start_over(reader, post);
        return;
    }
    if (message->offset < post->next)
        return;
    int rc = check_message(reader, post, message);
    rc = rc ? rc : documents_mark(&reader->batch, &mark);
    if (rc) { /* all that is in hand is read again */
        if (rc != ERR_BUSY)
            log_event(LOG_ERROR, "documents_failed", "error=\"%s\"", err_name(rc));
        documents_clear(&reader->batch);
        reader->doubt = true;
        reader->ask_us = clock_mono_us() + RETRY_US;
        return;
    }
    post->next = mark.next_offset;
    post->at_end = reader->told_end = false;
    reader->batch_us = reader->n_messages++ ? reader->batch_us : clock_mono_us();
}

static void note_end(struct documents_reader *reader, struct post *post)
{
    if (post->verify)
        start_over(reader, post); /* the message is not there any more */
    else
        post->at_end = true;
}

static void take_message(struct documents_reader *reader, const rd_kafka_message_t *message)
{
    struct post *post = find_post(reader, message);
    if (!post || post->adrift || reader->doubt)
        return;
    if (!message->err || message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        note_denial(reader, post->topic, DENIED_NOT);
    if (!message->err)
        note_message(reader, post, message);
    else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        note_end(reader, post);
    else if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || message->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE)
        start_over(reader, post);
    else if (reason_is_denial(message->err))
        note_denial(reader, post->topic, DENIED_READING);
    else
        log_event(LOG_WARNING, "documents_error", "partition=%s/%" PRId32 " error=\"%s\"", reader->topics[post->topic],
                  post->partition, rd_kafka_message_errstr(message));
}

/* ---- handing over ---- */

static bool is_full(const struct documents_reader *reader)
{
    return reader->n_messages >= BATCH_MESSAGES || reader->batch.bytes.n >= BATCH_BYTES;
}

static bool is_due(const struct documents_reader *reader, int64_t now_us)
{
    return reader->n_messages && now_us >= reader->retry_us &&
           (now_us >= reader->batch_us + BATCH_US || is_full(reader) || is_at_end(reader));
}

static void hand_over(struct documents_reader *reader, int64_t now_us)
{
    struct err_text error = {0};
    bool at_end = is_at_end(reader);
    reader->batch.at_end = at_end;
    reader->batch.topic = reader->topics[TOPIC_ASSETS];
    int rc = reader->opts.sink->take(reader->opts.sink, &reader->batch, &error);
    if (rc) {
        log_event(LOG_ERROR, "documents_failed", "error=\"%s\"", error.text);
        reader->retry_us = now_us + RETRY_US;
        return;
    }
    metric_add(&read_total, reader->n_messages);
    metric_add(&refused_total, (int64_t)reader->batch.n_refusals);
    documents_clear(&reader->batch);
    reader->n_messages = 0;
    reader->told_end = at_end;
    reader->calendar_us = 0;
}

/* ---- calendars ---- */

struct produced {
    struct documents_reader *reader;
    struct producer *producer;
    struct calendar {
        char id[DOCUMENT_ID_BYTES];
        int64_t since_ms;
    } *rows;
    size_t n, cap;
    struct err_text error;
};

static int send_year(void *arg, const char *entity, const void *value, size_t size)
{
    struct produced *produced = arg;
    return producer_send(produced->producer, produced->reader->opts.calendar_topic, entity, strlen(entity), value, size,
                         &produced->error);
}

static int send_calendar(void *arg, const struct calendar_due *due)
{
    struct produced *produced = arg;
    struct documents_reader *reader = produced->reader;
    int rc = produced->producer ? 0 : producer_open(reader->properties, reader->opts.n_properties, &produced->producer,
                                                    &produced->error);
    rc = rc ? rc : assets_calendar(reader->checker, due, send_year, produced);
    if (rc == ERR_INVALID) { /* its zone is not known here any more */
        log_event(LOG_ERROR, "calendar_failed", "calendar=\"%s\" why=\"it cannot be read, or its time zone is not known here\"",
                  due->id);
        return 0;
    }
    if (rc || array_grow(&produced->rows, &produced->cap, produced->n + 1, sizeof(*produced->rows)))
        return rc ? rc : ERR_NOMEM;
    struct calendar *row = &produced->rows[produced->n++];
    row->since_ms = due->since_ms;
    snprintf(row->id, sizeof(row->id), "%s", due->id);
    return 0;
}

/* Waits for Kafka to have it all, but not for ever. */
static int flush_calendars(struct produced *produced)
{
    int rc = ERR_BUSY;
    for (int i = 0; i < CALENDAR_RETRY_US / 1000 / ASK_MS && rc == ERR_BUSY && !atomic_load(&produced->reader->stop); i++)
        rc = producer_flush(produced->producer, ASK_MS, &produced->error);
    return rc;
}

/* Whether the producer's messages are acknowledged before the store notes it, so a crash between sends the same again. */
static void produce_calendars(struct documents_reader *reader, int64_t now_us)
{
    struct produced produced = {.reader = reader};
    struct documents_sink *sink = reader->opts.sink;
    reader->calendar_us = INT64_MAX; /* the next batch has it looked at again */
    if (!*reader->opts.calendar_topic)
        return;
    int rc = sink->calendars(sink, send_calendar, &produced);
    if (!rc && produced.n)
        rc = flush_calendars(&produced);
    for (size_t i = 0; i < produced.n && !rc; i++) {
        rc = sink->calendar_done(sink, produced.rows[i].id, produced.rows[i].since_ms);
        log_event(LOG_INFO, "calendar_produced", "calendar=\"%s\" topic=%s", produced.rows[i].id, reader->opts.calendar_topic);
    }
    if (rc) {
        log_event(LOG_WARNING, "calendar_failed", "topic=%s error=\"%s\"", reader->opts.calendar_topic,
                  *produced.error.text ? produced.error.text : err_name(rc));
        reader->calendar_us = now_us + CALENDAR_RETRY_US;
    }
    snprintf(reader->calendar_reason, sizeof(reader->calendar_reason), "%.*s", (int)sizeof(reader->calendar_reason) - 1,
             rc ? produced.error.text : "");
    update_reasons(reader);
    producer_close(produced.producer);
    free(produced.rows);
}

/* ---- life ---- */

static void note_error(rd_kafka_t *rk, int err, const char *reason, void *opaque)
{
    (void)rk;
    (void)reason;
    struct documents_reader *reader = opaque;
    if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) { /* served by the reader's thread */
        reader->doubt = true;
        reader->ask_us = 0;
    }
}

/* Drops what is in hand, so that it is read again: after doubts nothing that was read before them is mixed with it. */
static void drop_batch(struct documents_reader *reader)
{
    documents_clear(&reader->batch);
    reader->n_messages = 0;
    reader->told_end = false;
}

static void *run(void *arg)
{
    struct documents_reader *reader = arg;
    while (!atomic_load(&reader->stop)) {
        int64_t now_us = clock_mono_us();
        if (reader->doubt)
            drop_batch(reader);
        if (now_us >= reader->ask_us)
            look_around(reader, now_us);
        if (reader->reassign && may_assign(reader, now_us))
            assign(reader);
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader->rk, WAIT_MS);
        if (message && is_full(reader)) { /* the store cannot take it: what comes now is read again from what it has */
            reader->doubt = true;
            reader->ask_us = reader->retry_us;
        }
        if (message) {
            take_message(reader, message);
            rd_kafka_message_destroy(message);
        }
        now_us = clock_mono_us();
        if (is_due(reader, now_us) ||
            (!reader->n_messages && !reader->told_end && now_us >= reader->retry_us && is_at_end(reader)))
            hand_over(reader, now_us);
        if (now_us >= reader->calendar_us && !reader->n_messages)
            produce_calendars(reader, now_us);
    }
    rd_kafka_consumer_close(reader->rk);
    return NULL;
}

static int make_consumer(struct documents_reader *reader, struct err_text *error)
{
    rd_kafka_conf_t *conf;
    char why[320];
    int rc = conf_consumer(reader->properties, reader->opts.n_properties, &conf, error);
    if (rc)
        return rc;
    rc = conf_set(conf, "queued.min.messages", "1000", error); /* these topics are small */
    rc = rc ? rc : conf_set(conf, "queued.max.messages.kbytes", "8192", error);
    if (rc) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    rd_kafka_conf_set_opaque(conf, reader);
    rd_kafka_conf_set_error_cb(conf, note_error);
    reader->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
    if (!reader->rk) {
        rd_kafka_conf_destroy(conf);
        return err_set(error, ERR_INVALID, "the Kafka consumer of assets cannot start: %s", why);
    }
    rd_kafka_poll_set_consumer(reader->rk);
    for (int topic = 0; topic < N_TOPICS; topic++)
        if (*reader->topics[topic] && !(reader->handles[topic] = rd_kafka_topic_new(reader->rk, reader->topics[topic], NULL)))
            return err_set(error, ERR_INVALID, "the topic \"%s\" cannot be read", reader->topics[topic]);
    return 0;
}

static int copy_properties(struct documents_reader *reader)
{
    const struct documents_opts *opts = &reader->opts;
    reader->properties = calloc(opts->n_properties + 1, sizeof(*reader->properties));
    for (size_t i = 0; i < opts->n_properties && reader->properties; i++) {
        char *name = strdup(opts->properties[i].name), *value = strdup(opts->properties[i].value);
        reader->properties[i] = (struct kafka_property){name, value};
        if (!name || !value)
            return ERR_NOMEM;
    }
    return reader->properties ? 0 : ERR_NOMEM;
}

static void free_reader(struct documents_reader *reader)
{
    for (int topic = 0; topic < N_TOPICS; topic++)
        if (reader->handles[topic])
            rd_kafka_topic_destroy(reader->handles[topic]);
    if (reader->rk)
        rd_kafka_destroy(reader->rk);
    for (size_t i = 0; i < reader->opts.n_properties && reader->properties; i++) {
        free((char *)reader->properties[i].name);
        free((char *)reader->properties[i].value);
    }
    free(reader->properties);
    asset_checker_free(reader->checker);
    documents_free(&reader->batch);
    free(reader->posts);
    pthread_mutex_destroy(&reader->lock);
    free(reader);
}

int documents_start(const struct documents_opts *opts, struct documents_reader **ret_reader, struct err_text *error)
{
    struct documents_reader *reader = calloc(1, sizeof(*reader));
    if (!reader)
        return err_set(error, ERR_NOMEM, "no memory for the reader of assets");
    reader->opts = *opts;
    pthread_mutex_init(&reader->lock, NULL);
    reader->topics[TOPIC_ASSETS] = opts->assets_topic;
    reader->topics[TOPIC_OPTIMIZATION] = opts->optimization_topic;
    reader->topics[TOPIC_SUBJECTS] = opts->subjects_topic ? opts->subjects_topic : "";
    reader->checker = asset_checker_new();
    sigset_t all, before; /* signals belong to the program's own threads, not to ours nor librdkafka's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = !reader->checker || copy_properties(reader) ? err_set(error, ERR_NOMEM, "no memory for the reader of assets")
                                                          : make_consumer(reader, error);
    if (!rc && pthread_create(&reader->thread, NULL, run, reader) != 0)
        rc = err_set(error, ERR_NOMEM, "no thread for the reader of assets");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc) {
        free_reader(reader);
        return rc;
    }
    *ret_reader = reader;
    return 0;
}

void documents_stop(struct documents_reader *reader)
{
    if (!reader)
        return;
    atomic_store(&reader->stop, true);
    pthread_join(reader->thread, NULL);
    free_reader(reader);
}

void documents_reasons(struct documents_reader *reader, char *out, size_t size)
{
    pthread_mutex_lock(&reader->lock);
    reason_add(out, size, reader->reasons);
    pthread_mutex_unlock(&reader->lock);
}
