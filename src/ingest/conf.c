#include <config.h>

#include "ingest/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

/* Fetching stops for a whole second when a queue is full, so the queues hold more than a second of messages: with these
 * two 1.6 M messages/s were measured on 2 cores, with librdkafka's own defaults 0.3 M. A topic matched by a pattern is
 * noticed at the metadata refresh. Cooperative assignment has bugs in librdkafka 2.0.2, range and roundrobin have not. */
static const struct kafka_property consumer_defaults[] = {
    {"group.id", CONF_GROUP_ID},
    {"client.id", "almanac"},
    {"queued.min.messages", "500000"},
    {"queued.max.messages.kbytes", "131072"},
    {"topic.metadata.refresh.interval.ms", "10000"},
    {"check.crcs", "true"},
};

static const struct kafka_property consumer_fixed[] = {
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"auto.offset.reset", "error"}, /* a position that is gone is an alarm, never a silent jump */
    {"enable.partition.eof", "true"},
    {"partition.assignment.strategy", "range,roundrobin"},
    {"isolation.level", "read_committed"},
};

/* One request in flight: a refused one is then never overtaken, so the order of a key's messages holds on brokers that do
 * not check sequence numbers too. Java's default partitioner, so that one key stays in one partition whoever produces. */
static const struct kafka_property producer_defaults[] = {
    {"client.id", "almanac"},
    {"enable.idempotence", "true"},
    {"max.in.flight.requests.per.connection", "1"},
    {"partitioner", "murmur2_random"},
    {"compression.type", "lz4"},
    {"linger.ms", "20"},
    {"message.max.bytes", "1048576"}, /* a message of our limit; a broker takes 1048588 by default */
    {"topic.metadata.refresh.interval.ms", "10000"}, /* so long it goes unnoticed that a topic was granted */
    {"queue.buffering.max.kbytes", "65536"},
};

#define HEARTBEAT_MS 3000

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

const char *conf_find(const struct kafka_property *properties, size_t n_properties, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < n_properties; i++) /* the last one counts, as in librdkafka */
        if (strcmp(properties[i].name, name) == 0)
            value = properties[i].value;
    return value;
}

int conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct err_text *error)
{
    char why[320];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) == RD_KAFKA_CONF_OK)
        return 0;
    return err_set_field(error, ERR_INVALID, name, "Kafka property \"%s\" is not possible: %s", name, why);
}

static int set_all(rd_kafka_conf_t *conf, const struct kafka_property *properties, size_t n, struct err_text *error)
{
    for (size_t i = 0; i < n; i++) {
        int rc = conf_set(conf, properties[i].name, properties[i].value, error);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* What an operator must know is told by the error callback in our words; the rest is for a developer's eyes. */
static void log_line(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk;
    bool told_elsewhere = strcmp(facility, "FAIL") == 0 || strcmp(facility, "ERROR") == 0;
    bool warning = level <= 4 && !told_elsewhere && strcmp(facility, "CONFWARN") != 0;
    log_event(warning ? LOG_WARNING : LOG_DEBUG, "librdkafka", "facility=%s text=\"%s\"", facility, text);
}

/* A lease is renewed by every second heartbeat (lease.h), so two of them and the time to tell must fit into the session. */
static int settle_heartbeat(const struct kafka_property *properties, size_t n_properties, rd_kafka_conf_t *conf,
                            struct err_text *error)
{
    static const char name[] = "heartbeat.interval.ms", session_name[] = "session.timeout.ms";
    char session[16] = "", interval[16];
    size_t size = sizeof(session);
    rd_kafka_conf_get(conf, session_name, session, &size);
    long session_ms = strtol(session, NULL, 10);
    const char *wanted = conf_find(properties, n_properties, name);
    if (wanted && strtol(wanted, NULL, 10) > session_ms / 3)
        return err_set_field(error, ERR_INVALID, name, "Kafka property \"%s\" is more than a third of \"%s\" (%ld): make it less",
                             name, session_name, session_ms);
    long interval_ms = session_ms / 4 < HEARTBEAT_MS ? session_ms / 4 : HEARTBEAT_MS;
    snprintf(interval, sizeof(interval), "%ld", interval_ms > 0 ? interval_ms : 1);
    return wanted ? 0 : conf_set(conf, name, interval, error);
}

int conf_consumer(const struct kafka_property *properties, size_t n_properties, rd_kafka_conf_t **ret_conf,
                  struct err_text *error)
{
    for (size_t i = 0; i < N_OF(consumer_fixed); i++) {
        const char *value = conf_find(properties, n_properties, consumer_fixed[i].name);
        if (value && strcmp(value, consumer_fixed[i].value) != 0)
            return err_set_field(error, ERR_INVALID, consumer_fixed[i].name,
                                 "Kafka property \"%s\" cannot be changed: exactly-once storing needs %s, take the line out",
                                 consumer_fixed[i].name, consumer_fixed[i].value);
    }
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, log_line);
    int rc = set_all(conf, consumer_defaults, N_OF(consumer_defaults), error);
    if (rc == 0)
        rc = set_all(conf, properties, n_properties, error);
    if (rc == 0)
        rc = set_all(conf, consumer_fixed, N_OF(consumer_fixed), error);
    if (rc == 0)
        rc = settle_heartbeat(properties, n_properties, conf, error);
    if (rc < 0) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    *ret_conf = conf;
    return 0;
}

int consumer_check(const struct kafka_property *properties, size_t n_properties, struct err_text *error)
{
    rd_kafka_conf_t *conf;
    int rc = conf_consumer(properties, n_properties, &conf, error);
    if (rc < 0)
        return rc;
    rd_kafka_conf_destroy(conf);
    rc = conf_producer(properties, n_properties, &conf, error);
    if (rc == 0)
        rd_kafka_conf_destroy(conf);
    return rc;
}

int conf_producer(const struct kafka_property *properties, size_t n_properties, rd_kafka_conf_t **ret_conf,
                  struct err_text *error)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, log_line);
    int rc = set_all(conf, producer_defaults, N_OF(producer_defaults), error);
    if (rc == 0)
        rc = set_all(conf, properties, n_properties, error);
    if (rc < 0) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    *ret_conf = conf;
    return 0;
}
