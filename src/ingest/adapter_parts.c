#include <config.h>

#include "ingest/adapter_parts.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/metrics.h"
#include "ingest/transaction.h"

static struct metric n_lost = {.name = "almanac_adapt_lost_total",
                               .type = METRIC_COUNTER,
                               .help = "Offsets of raw topics that were truncated before they were read."};

int adapter_parts_keep(struct adapter_parts *parts, const rd_kafka_topic_partition_list_t *list)
{
    adapter_parts_forget(parts);
    parts->rows = calloc((size_t)list->cnt + 1, sizeof(*parts->rows));
    for (int i = 0; i < list->cnt && parts->rows; i++) {
        struct adapter_part *part = &parts->rows[parts->n];
        *part = (struct adapter_part){
            .topic = strdup(list->elems[i].topic), .partition = list->elems[i].partition, .next = -1, .stored = -1};
        if (!part->topic)
            return ERR_NOMEM;
        parts->n++;
    }
    return parts->rows ? 0 : ERR_NOMEM;
}

void adapter_parts_forget(struct adapter_parts *parts)
{
    for (size_t i = 0; i < parts->n; i++)
        free(parts->rows[i].topic);
    free(parts->rows);
    *parts = (struct adapter_parts){0};
}

struct adapter_part *adapter_parts_find(struct adapter_parts *parts, const rd_kafka_message_t *message)
{
    const char *topic = message->rkt ? rd_kafka_topic_name(message->rkt) : "";
    for (size_t i = 0; i < parts->n; i++)
        if (parts->rows[i].partition == message->partition && strcmp(parts->rows[i].topic, topic) == 0)
            return &parts->rows[i];
    return NULL;
}

rd_kafka_topic_partition_list_t *adapter_parts_dirty(const struct adapter_parts *parts)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)parts->n);
    for (size_t i = 0; i < parts->n; i++)
        if (parts->rows[i].dirty)
            rd_kafka_topic_partition_list_add(list, parts->rows[i].topic, parts->rows[i].partition)->offset =
                parts->rows[i].next;
    return list;
}

void adapter_parts_commit(struct adapter_parts *parts)
{
    for (size_t i = 0; i < parts->n; i++) {
        struct adapter_part *part = &parts->rows[i];
        part->stored = part->next;
        part->dirty = false;
        part->reached = part->reached || part->at_end;
    }
}

int adapter_parts_ask(struct adapter_parts *parts, rd_kafka_t *consumer)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)parts->n);
    for (size_t i = 0; i < parts->n; i++)
        rd_kafka_topic_partition_list_add(list, parts->rows[i].topic, parts->rows[i].partition);
    int rc = list->cnt > 0 ? transaction_ask_offsets(consumer, list) : 0;
    for (size_t i = 0; i < parts->n && rc >= 0; i++) {
        struct adapter_part *part = &parts->rows[i];
        const rd_kafka_topic_partition_t *at = &list->elems[i];
        if (part->next < 0 && !at->err && at->offset >= 0)
            part->next = part->stored = at->offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return rc;
}

void adapter_part_note_hole(const struct adapter_part *part, rd_kafka_t *consumer, int64_t offset)
{
    int64_t low = -1, high = -1;
    if (part->next < 0 || offset <= part->next ||
        rd_kafka_get_watermark_offsets(consumer, part->topic, part->partition, &low, &high) || low <= part->next)
        return;
    metric_add(&n_lost, low - part->next);
    log_event(LOG_ERROR, "adapt_lost",
              "topic=%s partition=%d from=%lld to=%lld text=\"the log was truncated before it was read\"", part->topic,
              part->partition, (long long)part->next, (long long)low);
}

int64_t adapter_part_lag(const struct adapter_part *part, rd_kafka_t *consumer)
{
    int64_t low = -1, high = -1;
    if (rd_kafka_get_watermark_offsets(consumer, part->topic, part->partition, &low, &high) || high < 0)
        return -1;
    int64_t stored = part->stored >= 0 ? part->stored : low > 0 ? low : 0;
    return high > stored ? high - stored : 0;
}
