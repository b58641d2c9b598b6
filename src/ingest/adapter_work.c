#include <config.h>

#include "ingest/adapter_work.h"
#include "ingest/reason.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/metrics.h"

#define QUEUE_WAIT_MS 100
#define METADATA_MS 5000

#define COUNTER(id, metric_name, text)                                                                                 \
    static struct metric id = {.name = metric_name, .help = text, .type = METRIC_COUNTER}
COUNTER(n_messages, "almanac_adapt_messages_total", "Raw messages that were normalized, those refused included.");
COUNTER(n_values, "almanac_adapt_values_total", "Values that were made of them.");
COUNTER(n_refusals, "almanac_adapt_refused_total", "Values, records and messages that did not fit.");
COUNTER(n_produced, "almanac_adapt_produced_total", "Normalized messages.");

/* Waits while the queue is full. */
static int produce(struct adapter_work *work, const char *topic, const char *key, const void *value, size_t size,
                   rd_kafka_headers_t *headers)
{
    rd_kafka_resp_err_t err;
    do {
        /* headers change their owner only when it succeeds */
        err = headers ? rd_kafka_producev(work->out, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                          RD_KAFKA_V_VALUE((void *)(uintptr_t)value, size),
                                          RD_KAFKA_V_TIMESTAMP(work->timestamp_ms > 0 ? work->timestamp_ms : 0),
                                          RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END)
                      : rd_kafka_producev(work->out, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                          RD_KAFKA_V_KEY((void *)(uintptr_t)key, strlen(key)),
                                          RD_KAFKA_V_VALUE((void *)(uintptr_t)value, size),
                                          RD_KAFKA_V_TIMESTAMP(work->timestamp_ms > 0 ? work->timestamp_ms : 0),
                                          RD_KAFKA_V_END);
        if (err == RD_KAFKA_RESP_ERR__QUEUE_FULL)
            rd_kafka_poll(work->out, QUEUE_WAIT_MS);
    } while (err == RD_KAFKA_RESP_ERR__QUEUE_FULL && !atomic_load(work->stop));
    if (!err)
        return 0;
    if (headers)
        rd_kafka_headers_destroy(headers);
    reason_say(work->error, sizeof(work->error), "topic", topic, "WRITE", err);
    return err == RD_KAFKA_RESP_ERR__QUEUE_FULL ? ERR_CANCELLED : ERR_IO;
}

/* The raw message, sealed once for all of its letters. */
static int seal_message(struct adapter_work *work)
{
    const rd_kafka_message_t *message = work->message;
    if (!work->seal || work->sealed.n)
        return 0;
    int rc = work->seal(work->seal_arg, message->payload, message->len, &work->sealed);
    if (rc < 0)
        snprintf(work->error, sizeof(work->error), "a dead letter cannot be sealed: %s", err_name(rc));
    return rc;
}

static int send_letter(struct adapter_work *work, const struct misfit *misfit)
{
    char partition[16], offset[24], line[24];
    if (!work->dead_topic[0])
        return 0;
    int rc = seal_message(work);
    if (rc < 0)
        return rc;
    snprintf(partition, sizeof(partition), "%d", work->message->partition);
    snprintf(offset, sizeof(offset), "%" PRId64, work->message->offset);
    snprintf(line, sizeof(line), "%" PRId64, misfit->line);
    rd_kafka_headers_t *headers = rd_kafka_headers_new(8);
    rd_kafka_header_add(headers, "topic", -1, work->topic, -1);
    rd_kafka_header_add(headers, "partition", -1, partition, -1);
    rd_kafka_header_add(headers, "offset", -1, offset, -1);
    rd_kafka_header_add(headers, "reason", -1, refusal_name(misfit->reason), -1);
    rd_kafka_header_add(headers, "detail", -1, misfit->detail, -1);
    rd_kafka_header_add(headers, "line", -1, line, -1);
    return produce(work, work->dead_topic, NULL, work->sealed.n ? work->sealed.data : NULL, work->sealed.n, headers);
}

/* A message tells so many refusals one by one, and all others in one. */
static int refuse_cb(void *arg, const struct misfit *misfit)
{
    struct adapter_work *work = arg;
    if (work->gathering)
        return 0;
    metric_add(&n_refusals, 1);
    if (work->n_refused++ < LIMIT_MESSAGE_REFUSALS)
        return send_letter(work, misfit);
    if (work->n_refused == LIMIT_MESSAGE_REFUSALS + 1)
        work->reason_over = misfit->reason;
    return 0;
}

static int tell_rest(struct adapter_work *work)
{
    struct misfit misfit = {.line = 1, .reason = work->reason_over};
    if (work->n_refused <= LIMIT_MESSAGE_REFUSALS)
        return 0;
    snprintf(misfit.detail, sizeof(misfit.detail), "and %" PRId64 " more in this message",
             work->n_refused - LIMIT_MESSAGE_REFUSALS);
    return send_letter(work, &misfit);
}

static int refuse_all(struct adapter_work *work, const char *detail)
{
    struct misfit misfit = {.line = 1, .reason = REFUSED_TYPE};
    snprintf(misfit.detail, sizeof(misfit.detail), "%s", detail);
    return refuse_cb(work, &misfit);
}

static int observe_cb(void *arg, const struct observation *observation)
{
    struct adapter_work *work = arg;
    return work->gathering ? 0 : compose_add(&work->composer, observation);
}

static int message_cb(void *arg, const char *entity, const void *json, size_t size)
{
    struct adapter_work *work = arg;
    metric_add(&n_produced, 1);
    return produce(work, work->target, entity, json, size, NULL);
}

/* The mapping for the topic; n_mappings: none. */
static size_t find_mapping(struct adapter_work *work)
{
    if (strcmp(work->recent, work->topic) == 0)
        return work->recent_i;
    size_t i = 0;
    while (i < work->n_mappings && !mapping_takes(work->mappings[i], work->topic))
        i++;
    snprintf(work->recent, sizeof(work->recent), "%s", work->topic);
    work->recent_i = i;
    return i;
}

static int map(struct adapter_work *work, struct mapper *mapper)
{
    const rd_kafka_message_t *message = work->message;
    struct mapper_source source = {.topic = work->topic,
                                   .key = message->key,
                                   .key_size = message->key_len,
                                   .known_us = work->timestamp_ms > 0 ? work->timestamp_ms * 1000 : INT64_MIN};
    int rc = mapper_begin(mapper, &source);
    if (rc == 0)
        rc = mapper_feed(mapper, message->payload, message->len);
    return rc == 0 ? mapper_end(mapper) : rc;
}

/* A pass over the message that has no other end than to ask for all its pseudonyms at once. */
static int gather_pseudonyms(struct adapter_work *work, struct mapper *mapper)
{
    pseudonyms_begin(work->pseudonyms);
    work->gathering = true;
    int rc = map(work, mapper);
    work->gathering = false;
    int asked = pseudonyms_end(work->pseudonyms);
    return rc < 0 ? rc : asked;
}

static int normalize(struct adapter_work *work, const struct mapping *mapping, struct mapper *mapper)
{
    int rc = mapping->substitutes ? gather_pseudonyms(work, mapper) : 0;
    if (rc == 0)
        rc = map(work, mapper);
    if (rc < 0 && mapping->substitutes && *pseudonyms_why(work->pseudonyms) && !work->error[0])
        snprintf(work->error, sizeof(work->error), "%s", pseudonyms_why(work->pseudonyms));
    if (rc == 0)
        rc = compose_end(&work->composer);
    if (rc == 0)
        rc = tell_rest(work);
    metric_add(&n_values, mapper_counts(mapper).values);
    return rc;
}

int adapter_work_take(struct adapter_work *work, const rd_kafka_message_t *message)
{
    rd_kafka_timestamp_type_t type;
    work->message = message;
    work->topic = rd_kafka_topic_name(message->rkt);
    work->timestamp_ms = rd_kafka_message_timestamp(message, &type);
    work->n_refused = 0;
    work->error[0] = '\0';
    compose_clear(&work->composer);
    buf_clear(&work->sealed);
    metric_add(&n_messages, 1);
    if (!message->payload) /* a tombstone says nothing */
        return 0;
    size_t i = find_mapping(work);
    if (i == work->n_mappings)
        return refuse_all(work, "no mapping names this topic");
    if (mapping_target(work->mappings[i], work->topic, work->target) < 0 || strcmp(work->target, work->topic) == 0)
        return refuse_all(work, "the topic for what is normalized would be too long, or this one");
    return normalize(work, work->mappings[i], work->mappers[i]);
}

/* A topic that is not there has no partitions. The message has a key, without which a compacted topic takes none. */
static rd_kafka_resp_err_t touch_partitions(rd_kafka_t *out, rd_kafka_topic_t *handle)
{
    static const char key[] = "hanging";
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t err = rd_kafka_metadata(out, 0, handle, &metadata, METADATA_MS);
    if (err)
        return err;
    int n = metadata->topic_cnt > 0 ? metadata->topics[0].partition_cnt : 0;
    rd_kafka_metadata_destroy(metadata);
    for (int partition = 0; partition < n && !err; partition++)
        err = rd_kafka_producev(out, RD_KAFKA_V_RKT(handle), RD_KAFKA_V_PARTITION(partition),
                                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                RD_KAFKA_V_KEY((void *)(uintptr_t)key, sizeof(key) - 1), RD_KAFKA_V_END);
    return err;
}

static int touch_topic(struct adapter_work *work, const char *topic)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(work->out, topic, NULL);
    rd_kafka_resp_err_t err = handle ? touch_partitions(work->out, handle) : rd_kafka_last_error();
    if (handle)
        rd_kafka_topic_destroy(handle);
    if (err)
        reason_say(work->error, sizeof(work->error), "topic", topic, "WRITE", err);
    return err ? ERR_IO : 0;
}

int adapter_work_touch(struct adapter_work *work, const char *raw_topic)
{
    work->topic = raw_topic;
    size_t i = find_mapping(work);
    int rc = i < work->n_mappings && mapping_target(work->mappings[i], raw_topic, work->target) == 0
                 ? touch_topic(work, work->target)
                 : 0;
    return rc == 0 && work->dead_topic[0] ? touch_topic(work, work->dead_topic) : rc;
}

int adapter_work_init(struct adapter_work *work, const struct adapter_opts *opts, struct err_text *error)
{
    *work = (struct adapter_work){.mappings = opts->mappings, .n_mappings = opts->n_mappings, .pseudonyms = opts->pseudonyms,
                                   .seal = opts->seal, .seal_arg = opts->seal_arg};
    work->composer = (struct composer){.message = message_cb, .arg = work};
    work->dead_topic = strdup(opts->dead_topic ? opts->dead_topic : "");
    work->mappers = calloc(opts->n_mappings + 1, sizeof(*work->mappers));
    if (!work->dead_topic || !work->mappers)
        return err_set(error, ERR_NOMEM, "no memory for the adapter");
    for (size_t i = 0; i < opts->n_mappings; i++) {
        struct mapper_opts mapper = {
            .mapping = opts->mappings[i], .pseudonyms = opts->pseudonyms, .observe = observe_cb, .refuse = refuse_cb,
            .arg = work};
        int rc = mapper_new(&mapper, &work->mappers[i], error);
        if (rc < 0)
            return rc;
    }
    return 0;
}

void adapter_work_done(struct adapter_work *work)
{
    for (size_t i = 0; i < work->n_mappings && work->mappers; i++)
        mapper_free(work->mappers[i]);
    free(work->mappers);
    free(work->dead_topic);
    compose_done(&work->composer);
    buf_free(&work->sealed);
}
