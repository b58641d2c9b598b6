#include <config.h>

#include "ingest/embedded.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "ingest/conf.h"

#define PRODUCE_REQUEST 0 /* Kafka's number of the request */
#define UNSTORED_BYTES_MAX (2 << 20)
/* Requests let through each PACE_US. A request is 1 MiB at the most with usual clients, and what was let through in the last
 * two paces may not show in unstored_bytes yet: 2 + 2 * 2 MiB at the very worst, in steady flow under 5 MB. */
#define CREDIT_REQUESTS 2
#define PACE_US 90000
#define N_REFUSALS 1000 /* more requests than come in between two calls */

struct embedded {
    rd_kafka_t *rk;
    rd_kafka_mock_cluster_t *cluster;
    int64_t paced_us; /* when requests were last let through */
};

static int create_topics(struct embedded *broker, const char *topics, int32_t n_partitions, struct err_text *error)
{
    static const char between[] = ", \t\r\n";
    for (const char *at = topics + strspn(topics, between); *at; at += strspn(at, between)) {
        size_t size = strcspn(at, between);
        char *name = strndup(at, size);
        if (!name)
            return err_set(error, ERR_NOMEM, "no memory for the embedded broker");
        rd_kafka_resp_err_t err = rd_kafka_mock_topic_create(broker->cluster, name, n_partitions, 1);
        if (err == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) /* named twice */
            err = RD_KAFKA_RESP_ERR_NO_ERROR;
        if (err)
            err_set(error, ERR_INVALID, "topic \"%s\" cannot be made in the embedded broker: %s", name,
                    rd_kafka_err2str(err));
        free(name);
        if (err)
            return ERR_INVALID;
        at += size;
    }
    return 0;
}

int embedded_start(const char *topics, int32_t n_partitions, struct embedded **ret_broker, struct err_text *error)
{
    struct embedded *broker = calloc(1, sizeof(*broker));
    if (!broker)
        return err_set(error, ERR_NOMEM, "no memory for the embedded broker");
    char why[320] = "no memory";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    int rc = conf_set(conf, "log_level", "3", error); /* no word that this client itself has no brokers */
    if (rc == 0)
        broker->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    if (!broker->rk) {
        rd_kafka_conf_destroy(conf);
        goto fail;
    }
    broker->cluster = rd_kafka_mock_cluster_new(broker->rk, 1);
    if (!broker->cluster)
        goto fail;
    rc = create_topics(broker, topics, n_partitions, error);
    if (rc < 0) {
        embedded_stop(broker);
        return rc;
    }
    *ret_broker = broker;
    return 0;
fail:
    embedded_stop(broker);
    return err_set(error, ERR_IO, "the embedded broker cannot start: %s", why);
}

const char *embedded_bootstrap(const struct embedded *broker)
{
    return rd_kafka_mock_cluster_bootstraps(broker->cluster);
}

/* The mock cluster can only queue answers for requests to come: a few without error, then refusals until the next pace. A
 * topic's error (rd_kafka_mock_topic_set_error) would not do: librdkafka 2.0.2 shows it in metadata only. */
void embedded_pace(struct embedded *broker, int64_t unstored_bytes)
{
    bool open = unstored_bytes <= UNSTORED_BYTES_MAX;
    int64_t now_us = clock_mono_us();
    if (open && now_us - broker->paced_us < PACE_US)
        return;
    if (open)
        broker->paced_us = now_us;
    rd_kafka_resp_err_t answers[CREDIT_REQUESTS + N_REFUSALS];
    size_t n = 0;
    while (open && n < CREDIT_REQUESTS)
        answers[n++] = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; i < N_REFUSALS; i++)
        answers[n++] = RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS; /* every client tries again after it */
    rd_kafka_mock_clear_request_errors(broker->cluster, PRODUCE_REQUEST);
    rd_kafka_mock_push_request_errors_array(broker->cluster, PRODUCE_REQUEST, n, answers);
}

void embedded_stop(struct embedded *broker)
{
    if (!broker)
        return;
    if (broker->cluster)
        rd_kafka_mock_cluster_destroy(broker->cluster);
    if (broker->rk)
        rd_kafka_destroy(broker->rk);
    free(broker);
}
