#include <config.h>

#include "ingest/lease.h"

#include <stdlib.h>

#include "common/clock.h"

/* Kafka's numbers of the requests. */
#define JOIN_GROUP 11
#define HEARTBEAT 12

static rd_kafka_resp_err_t note_request(rd_kafka_t *rk, int fd, const char *broker, int32_t broker_id, int16_t api,
                                        int16_t version, int32_t correlation, size_t size, void *arg)
{
    (void)rk, (void)fd, (void)broker, (void)broker_id, (void)version, (void)correlation, (void)size;
    struct lease *lease = arg;
    if (api != HEARTBEAT)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    if (lease->answered_us > atomic_load(&lease->confirmed_us) && lease_holds(lease))
        atomic_store(&lease->confirmed_us, lease->answered_us);
    lease->beat_us = clock_boot_us();
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* The answer to a request to join is followed by the one for the assignment, which counts as a sign of life. The time of
 * the answer is taken, since a request is told to us only after it was sent. */
static rd_kafka_resp_err_t note_answer(rd_kafka_t *rk, int fd, const char *broker, int32_t broker_id, int16_t api,
                                       int16_t version, int32_t correlation, size_t size, int64_t took_us,
                                       rd_kafka_resp_err_t err, void *arg)
{
    (void)rk, (void)fd, (void)broker, (void)broker_id, (void)version, (void)correlation, (void)size, (void)took_us;
    struct lease *lease = arg;
    if (api == JOIN_GROUP && !err)
        atomic_store(&lease->joined_us, clock_boot_us());
    else if (api == HEARTBEAT && !err)
        lease->answered_us = lease->beat_us;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t add_to_client(rd_kafka_t *rk, const rd_kafka_conf_t *conf, void *arg, char *why, size_t size)
{
    (void)conf, (void)why, (void)size;
    rd_kafka_resp_err_t err = rd_kafka_interceptor_add_on_request_sent(rk, "lease", note_request, arg);
    return err ? err : rd_kafka_interceptor_add_on_response_received(rk, "lease", note_answer, arg);
}

void lease_watch(struct lease *lease, rd_kafka_conf_t *conf)
{
    char text[16] = "";
    size_t size = sizeof(text);
    rd_kafka_conf_get(conf, "session.timeout.ms", text, &size);
    lease->length_us = strtoll(text, NULL, 10) * 1000;
    atomic_store(&lease->confirmed_us, -lease->length_us);
    rd_kafka_conf_interceptor_add_on_new(conf, "lease", add_to_client, lease);
}

void lease_begin(struct lease *lease)
{
    atomic_store(&lease->confirmed_us, atomic_load(&lease->joined_us));
}

bool lease_holds(const struct lease *lease)
{
    return clock_boot_us() - atomic_load(&lease->confirmed_us) < lease->length_us;
}
