#include <config.h>

#include "ingest/ends.h"

#include <string.h>

#include "common/clock.h"

/* Begins or ends of many partitions by one question: librdkafka passes these two "times" through. Its answer waits behind
 * the fetch that is under way, half a second on a quiet topic, so it is not asked partition by partition. */
static bool ask(struct group *group, rd_kafka_topic_partition_list_t *list, int64_t which)
{
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = which;
    return list->cnt > 0 && !rd_kafka_offsets_for_times(group->rk, list, ASK_MS);
}

/* The answer for a feed, -1 unknown. */
static int64_t answer_for(const rd_kafka_topic_partition_list_t *list, const struct feed *feed)
{
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *at = &list->elems[i];
        if (at->partition == feed->id.partition && strcmp(at->topic, feed->id.topic) == 0)
            return at->err ? -1 : at->offset;
    }
    return -1;
}

static void settle(struct group *group, struct feed *feed, int64_t low, int64_t high, int64_t now_us)
{
    group->n_pending -= (int64_t)feed->batch.n_readings;
    int rc = feed_settle(feed, low, high, now_us);
    group->n_pending += (int64_t)feed->batch.n_readings;
    if (rc < 0)
        group->hold_until_us = now_us + HOLD_US;
    feed->end = high;
    group->reassign = true;
}

void ends_settle(struct group *group, int64_t now_us)
{
    rd_kafka_topic_partition_list_t *lows = rd_kafka_topic_partition_list_new((int)group->n_feeds);
    for (size_t i = 0; i < group->n_feeds; i++) {
        const struct feed *feed = group->feeds[i];
        if (feed->adrift && feed->handle && now_us >= feed->retry_us)
            rd_kafka_topic_partition_list_add(lows, feed->id.topic, feed->id.partition);
    }
    rd_kafka_topic_partition_list_t *highs = rd_kafka_topic_partition_list_copy(lows);
    bool answered = ask(group, lows, RD_KAFKA_OFFSET_BEGINNING) && ask(group, highs, RD_KAFKA_OFFSET_END);
    for (size_t i = 0; i < group->n_feeds && lows->cnt > 0; i++) {
        struct feed *feed = group->feeds[i];
        if (!feed->adrift || !feed->handle || now_us < feed->retry_us)
            continue;
        int64_t low = answered ? answer_for(lows, feed) : -1, high = answered ? answer_for(highs, feed) : -1;
        if (low >= 0 && high >= 0)
            settle(group, feed, low, high, now_us);
        else
            feed->retry_us = now_us + ASK_AGAIN_US;
    }
    rd_kafka_topic_partition_list_destroy(lows);
    rd_kafka_topic_partition_list_destroy(highs);
}

void ends_ask(struct group *group, int64_t now_us)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)group->n_feeds);
    for (size_t i = 0; i < group->n_feeds; i++)
        if (group->feeds[i]->end < 0)
            rd_kafka_topic_partition_list_add(list, group->feeds[i]->id.topic, group->feeds[i]->id.partition);
    bool answered = ask(group, list, RD_KAFKA_OFFSET_END);
    group->ends_retry_us = list->cnt > 0 ? now_us + (answered ? HOLD_US : ASK_AGAIN_US) : INT64_MAX;
    for (size_t i = 0; i < group->n_feeds && answered; i++)
        if (group->feeds[i]->end < 0)
            group->feeds[i]->end = answer_for(list, group->feeds[i]);
    rd_kafka_topic_partition_list_destroy(list);
}

/* Messages of one feed that are not stored yet, -1 unknown. */
static int64_t feed_lag(struct group *group, const struct feed *feed)
{
    int64_t low = -1, high = -1;
    if (rd_kafka_get_watermark_offsets(group->rk, feed->id.topic, feed->id.partition, &low, &high) || high < 0)
        high = feed->end;
    if (high < feed->end)
        high = feed->end;
    int64_t stored = feed_stored(feed);
    if (high < 0)
        return -1;
    if (stored < 0)
        stored = low > 0 ? low : 0;
    return high > stored ? high - stored : 0;
}

void ends_lag(struct group *group, int64_t now_us, struct ends_lag *ret_lag)
{
    struct ends_lag lag = {.caught_up = group->assigned};
    bool unknown = !group->assigned;
    int64_t wall_us = clock_wall_us();
    for (size_t i = 0; i < group->n_feeds; i++) {
        struct feed *feed = group->feeds[i];
        int64_t messages = feed_lag(group, feed);
        unknown = unknown || messages < 0;
        lag.messages += messages > 0 ? messages : 0;
        if (feed->handle && !feed->adrift && feed->end >= 0 && (feed->end == 0 || feed_stored(feed) >= feed->end))
            feed->reached = true; /* what comes later is a lag */
        lag.caught_up = lag.caught_up && feed->reached;
        if (messages == 0)
            feed->lag_since_us = 0;
        else if (feed->lag_since_us == 0)
            feed->lag_since_us = now_us;
        /* the age of a message is known once it is here; of one that is not, since when we know of it */
        int64_t age_us = feed->batch.n_messages > 0 ? wall_us - feed->batch_known_ms * 1000
                         : messages != 0            ? now_us - feed->lag_since_us
                                                    : 0;
        lag.age_us = age_us > lag.age_us ? age_us : lag.age_us;
    }
    lag.bytes = (int64_t)((double)lag.messages * group->message_bytes);
    lag.messages = unknown ? -1 : lag.messages;
    *ret_lag = lag;
}
