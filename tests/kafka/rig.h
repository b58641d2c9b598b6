/* What tests of ingest share: a consumer over a sink in memory, and a producer that sends numbered values. */
#ifndef TESTS_KAFKA_RIG_H
#define TESTS_KAFKA_RIG_H

#include "tests/lib/test.h"

#include <inttypes.h>
#include <stdbool.h>
#include <unistd.h>

#include "common/clock.h"
#include "ingest/consumer.h"
#include "ingest/producer.h"
#include "tests/kafka/memory_sink.h"

#define WAIT_US 30000000
#define RIG_CONSUMERS 2
#define RIG_PROPERTIES 8

struct rig {
    struct memory_sink memory;
    struct producer *producer;
    const char *topic;
    struct kafka_property properties[RIG_PROPERTIES];
    struct consumer_opts opts;               /* a case may change them before rig_start */
    struct consumer *consumers[RIG_CONSUMERS]; /* that run, also when a case has failed */
    int64_t n_sent;
};

/* dead_topic may be NULL. The strings stay the caller's. */
void rig_open(struct rig *rig, const char *bootstrap, const char *topic, const char *pattern, const char *dead_topic);
void rig_property(struct rig *rig, const char *name, const char *value); /* one more */
void rig_close(struct rig *rig);

struct consumer *rig_start(struct rig *rig);
void rig_stop(struct rig *rig, struct consumer *consumer);
struct consumer_status rig_status(struct consumer *consumer);
bool rig_reason_has(struct consumer *consumer, const char *text);
bool rig_is_done(struct consumer *consumer); /* caught up, nothing behind, well */

void rig_send(struct rig *rig, const char *key, const void *value, size_t size);
void rig_flush(struct rig *rig);
void rig_send_values(struct rig *rig, int n); /* the next n numbers, spread over the partitions by their keys; flushes */
int64_t rig_stored(struct rig *rig);

/* Waits, at most WAIT_US, until the condition holds. */
#define WAIT_FOR(condition)                                                                                            \
    do {                                                                                                               \
        int64_t wait_end_us = clock_mono_us() + WAIT_US;                                                               \
        while (!(condition)) {                                                                                         \
            if (clock_mono_us() > wait_end_us)                                                                         \
                fail_msg("not within %d s: %s", WAIT_US / 1000000, #condition);                                        \
            usleep(5000);                                                                                              \
        }                                                                                                              \
    } while (0)

#endif
