#include <config.h>

#include "ingest/members.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#define ASK_MS 5000
#define ASK_AGAIN_US 5000000

void members_done(struct members *members)
{
    if (members->queue)
        rd_kafka_queue_destroy(members->queue);
    *members = (struct members){0};
}

void members_want(struct members *members)
{
    members_done(members);
    members->wanted = true;
}

static char *group_of(rd_kafka_t *rk)
{
    char *group = NULL;
    size_t size = 0;
    if (rd_kafka_conf_get(rd_kafka_conf(rk), "group.id", NULL, &size) == RD_KAFKA_CONF_OK && (group = calloc(size + 1, 1)))
        rd_kafka_conf_get(rd_kafka_conf(rk), "group.id", group, &size);
    return group;
}

static void ask(struct members *members, rd_kafka_t *rk)
{
    char *group = group_of(rk), why[200];
    if (!group)
        return;
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
    rd_kafka_AdminOptions_set_request_timeout(options, ASK_MS, why, sizeof(why));
    members->queue = rd_kafka_queue_new(rk);
    rd_kafka_DescribeConsumerGroups(rk, (const char **)&group, 1, options, members->queue);
    rd_kafka_AdminOptions_destroy(options);
    free(group);
}

/* -1: the group is between two assignments, or has not told. */
static int32_t count_elsewhere(rd_kafka_event_t *event, const char *member)
{
    const rd_kafka_DescribeConsumerGroups_result_t *result = rd_kafka_event_DescribeConsumerGroups_result(event);
    size_t n = 0;
    const rd_kafka_ConsumerGroupDescription_t **groups =
        result && !rd_kafka_event_error(event) ? rd_kafka_DescribeConsumerGroups_result_groups(result, &n) : NULL;
    if (n != 1 || rd_kafka_ConsumerGroupDescription_error(groups[0]) ||
        rd_kafka_ConsumerGroupDescription_state(groups[0]) != RD_KAFKA_CONSUMER_GROUP_STATE_STABLE)
        return -1;
    int32_t n_elsewhere = 0;
    for (size_t i = 0; i < rd_kafka_ConsumerGroupDescription_member_count(groups[0]); i++) {
        const rd_kafka_MemberDescription_t *other = rd_kafka_ConsumerGroupDescription_member(groups[0], i);
        if (strcmp(rd_kafka_MemberDescription_consumer_id(other), member) != 0)
            n_elsewhere += rd_kafka_MemberAssignment_partitions(rd_kafka_MemberDescription_assignment(other))->cnt;
    }
    return n_elsewhere;
}

bool members_tend(struct members *members, rd_kafka_t *rk, const char *member, int64_t now_us, int32_t *ret_elsewhere)
{
    if (!members->wanted)
        return false;
    if (!members->queue) {
        if (now_us >= members->ask_us)
            ask(members, rk);
        return false;
    }
    rd_kafka_event_t *event = rd_kafka_queue_poll(members->queue, 0);
    if (!event)
        return false;
    int32_t n = count_elsewhere(event, member);
    if (n < 0)
        log_event(LOG_DEBUG, "members_unknown", "text=\"%s\"", rd_kafka_event_error_string(event));
    rd_kafka_event_destroy(event);
    members_want(members);
    members->wanted = n < 0;
    members->ask_us = now_us + ASK_AGAIN_US;
    if (n >= 0)
        *ret_elsewhere = n;
    return n >= 0;
}
