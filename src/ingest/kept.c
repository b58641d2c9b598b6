#include <config.h>

#include "ingest/kept.h"

#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/conf.h"

/* What is told of one topic. */
static void tell(const rd_kafka_ConfigResource_t *resource, void (*row)(void *arg, const char *topic, int64_t kept_ms),
                 void *arg)
{
    size_t n = 0;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &n);
    if (rd_kafka_ConfigResource_error(resource))
        return;
    for (size_t i = 0; i < n; i++) {
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        char *end;
        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), "retention.ms") != 0 || !value)
            continue;
        long long kept_ms = strtoll(value, &end, 10);
        if (end != value && !*end)
            row(arg, rd_kafka_ConfigResource_name(resource), kept_ms < 0 ? KEPT_FOR_EVER : kept_ms);
    }
}

static void ask(rd_kafka_t *rk, rd_kafka_queue_t *queue, const char *const *topics, size_t n_topics)
{
    char why[256];
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_ConfigResource_t **resources = calloc(n_topics, sizeof(*resources));
    rd_kafka_resp_err_t err = rd_kafka_AdminOptions_set_request_timeout(options, KEPT_WAIT_MS, why, sizeof(why));
    if (resources && !err) {
        for (size_t i = 0; i < n_topics; i++)
            resources[i] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topics[i]);
        rd_kafka_DescribeConfigs(rk, resources, n_topics, options, queue);
        rd_kafka_ConfigResource_destroy_array(resources, n_topics);
    }
    free(resources);
    rd_kafka_AdminOptions_destroy(options);
}

int kept_each(const struct kafka_property *properties, size_t n_properties, const char *const *topics, size_t n_topics,
              void (*row)(void *arg, const char *topic, int64_t kept_ms), void *arg, struct err_text *error)
{
    rd_kafka_conf_t *conf;
    char why[256] = "no memory";
    if (n_topics == 0)
        return 0;
    int rc = conf_producer(properties, n_properties, &conf, error);
    if (rc)
        return rc;
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    if (!rk) {
        rd_kafka_conf_destroy(conf);
        return err_set(error, ERR_INVALID, "the Kafka client cannot start: %s", why);
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    ask(rk, queue, topics, n_topics);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, KEPT_WAIT_MS);
    const rd_kafka_DescribeConfigs_result_t *result = event ? rd_kafka_event_DescribeConfigs_result(event) : NULL;
    rd_kafka_resp_err_t err = result ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (err) {
        rc = err_set(error, ERR_BUSY, "Kafka does not tell how long topics are kept: %s", rd_kafka_err2str(err));
    } else {
        size_t n = 0;
        const rd_kafka_ConfigResource_t **resources = rd_kafka_DescribeConfigs_result_resources(result, &n);
        for (size_t i = 0; i < n; i++)
            tell(resources[i], row, arg);
    }
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(rk);
    return rc;
}
