#include <config.h>

#include "ingest/unread.h"

#include <stdbool.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"

#define ASK_MS 1000
#define ASK_AGAIN_US 5000000

void unread_note(struct unread *unread, rd_kafka_t *rk, const char *topic, rd_kafka_resp_err_t err)
{
    if (topic[0] == '^') {
        reason_say(unread->pattern, sizeof(unread->pattern), "topic", topic, "READ", err);
        return;
    }
    size_t i = 0;
    while (i < unread->n && strcmp(rd_kafka_topic_name(unread->topics[i].handle), topic) != 0)
        i++;
    rd_kafka_topic_t *handle = i < unread->n || i == UNREAD_MAX ? NULL : rd_kafka_topic_new(rk, topic, NULL);
    if (handle)
        unread->topics[unread->n++].handle = handle;
    if (i < unread->n)
        unread->topics[i].err = err;
    unread->ask_us = clock_mono_us() + ASK_AGAIN_US;
}

static bool is_shown(const struct rd_kafka_metadata *metadata, const char *topic)
{
    for (int i = 0; i < metadata->topic_cnt; i++)
        if (strcmp(metadata->topics[i].topic, topic) == 0)
            return !metadata->topics[i].err;
    return false;
}

void unread_tend(struct unread *unread, rd_kafka_t *rk, int64_t now_us)
{
    const struct rd_kafka_metadata *metadata;
    if (unread->n == 0 || now_us < unread->ask_us)
        return;
    bool answered = !rd_kafka_metadata(rk, 0, NULL, &metadata, ASK_MS);
    unread->ask_us = clock_mono_us() + ASK_AGAIN_US;
    if (!answered)
        return;
    size_t n = 0;
    for (size_t i = 0; i < unread->n; i++) {
        const char *topic = rd_kafka_topic_name(unread->topics[i].handle);
        if (is_shown(metadata, topic)) {
            log_event(LOG_INFO, "topic_shown", "topic=%s", topic);
            rd_kafka_topic_destroy(unread->topics[i].handle);
        } else {
            unread->topics[n++] = unread->topics[i];
        }
    }
    unread->n = n;
    rd_kafka_metadata_destroy(metadata);
}

void unread_look_again(rd_kafka_t *rk, const char *topic, int32_t partition, int64_t offset)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(rk, topic, NULL);
    if (!handle)
        return;
    rd_kafka_resp_err_t err = rd_kafka_seek(handle, partition, offset < 0 ? RD_KAFKA_OFFSET_BEGINNING : offset, 0);
    if (err)
        log_event(LOG_DEBUG, "seek_failed", "topic=%s partition=%d text=\"%s\"", topic, partition, rd_kafka_err2str(err));
    rd_kafka_topic_destroy(handle);
}

void unread_done(struct unread *unread)
{
    for (size_t i = 0; i < unread->n; i++)
        rd_kafka_topic_destroy(unread->topics[i].handle);
    unread->n = 0;
}

void unread_assigned(struct unread *unread)
{
    unread->pattern[0] = '\0';
}

void unread_reasons(const struct unread *unread, char *out, size_t size)
{
    reason_add(out, size, unread->pattern);
    for (size_t i = 0; i < unread->n; i++) {
        char one[REASON_ONE_BYTES];
        const char *topic = rd_kafka_topic_name(unread->topics[i].handle);
        reason_say(one, sizeof(one), "topic", topic, "READ", unread->topics[i].err);
        reason_add(out, size, one);
    }
}
