#include <config.h>

#include "tests/kafka/rig.h"

#include <stdio.h>

void rig_property(struct rig *rig, const char *name, const char *value)
{
    assert_true(rig->opts.n_properties < RIG_PROPERTIES);
    rig->properties[rig->opts.n_properties++] = (struct kafka_property){name, value};
}

void rig_open(struct rig *rig, const char *bootstrap, const char *topic, const char *pattern, const char *dead_topic)
{
    memory_sink_init(&rig->memory);
    rig->topic = topic;
    rig->opts = (struct consumer_opts){.properties = rig->properties, .topics = pattern, .dead_topic = dead_topic,
                                       .store_uuid = "store-1", .sink = &rig->memory.sink, .commit_ms = 20};
    rig_property(rig, "bootstrap.servers", bootstrap);
    struct err_text error = {0};
    if (producer_open(rig->properties, 1, &rig->producer, &error) != 0)
        fail_msg("%s", error.text);
}

void rig_close(struct rig *rig)
{
    for (int i = 0; i < RIG_CONSUMERS; i++)
        consumer_stop(rig->consumers[i]);
    producer_close(rig->producer);
    memory_sink_done(&rig->memory);
}

struct consumer *rig_start(struct rig *rig)
{
    struct err_text error = {0};
    int i = rig->consumers[0] ? 1 : 0;
    if (consumer_start(&rig->opts, &rig->consumers[i], &error) != 0)
        fail_msg("%s", error.text);
    return rig->consumers[i];
}

void rig_stop(struct rig *rig, struct consumer *consumer)
{
    rig->consumers[rig->consumers[0] == consumer ? 0 : 1] = NULL;
    consumer_stop(consumer);
}

struct consumer_status rig_status(struct consumer *consumer)
{
    struct consumer_status status;
    consumer_status(consumer, &status);
    return status;
}

bool rig_reason_has(struct consumer *consumer, const char *text)
{
    struct consumer_status status = rig_status(consumer);
    return strstr(status.reason, text) != NULL;
}

bool rig_is_done(struct consumer *consumer)
{
    struct consumer_status status = rig_status(consumer);
    return status.caught_up && status.lag == 0 && status.reason[0] == '\0';
}

void rig_send(struct rig *rig, const char *key, const void *value, size_t size)
{
    struct err_text error = {0};
    if (producer_send(rig->producer, rig->topic, key, strlen(key), value, size, &error) != 0)
        fail_msg("%s", error.text);
}

void rig_flush(struct rig *rig)
{
    struct err_text error = {0};
    if (producer_flush(rig->producer, 20000, &error) != 0)
        fail_msg("%s", error.text);
}

void rig_send_values(struct rig *rig, int n)
{
    for (int i = 0; i < n; i++, rig->n_sent++) {
        char key[16], value[32];
        snprintf(key, sizeof(key), "k%d", (int)(rig->n_sent % 17));
        snprintf(value, sizeof(value), "v %" PRId64, rig->n_sent);
        rig_send(rig, key, value, strlen(value));
    }
    rig_flush(rig);
}

int64_t rig_stored(struct rig *rig)
{
    return memory_sink_readings(&rig->memory);
}
