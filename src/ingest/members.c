#include <config.h>

#include "ingest/members.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"

/* The question waits for its answer, since librdkafka 2.0.2 has it otherwise only by its admin interface, which ends the process
 * when the coordinator is not found meanwhile (an assertion of rd_kafka_enq_once_del_source_return). */
#define ASK_MS 1000
#define ASK_AGAIN_US 5000000

void members_want(struct members *members)
{
    *members = (struct members){.wanted = true};
}

static char *group_of(rd_kafka_t *rk)
{
    char *group = NULL;
    size_t size = 0;
    if (rd_kafka_conf_get(rd_kafka_conf(rk), "group.id", NULL, &size) == RD_KAFKA_CONF_OK && (group = calloc(size + 1, 1)))
        rd_kafka_conf_get(rd_kafka_conf(rk), "group.id", group, &size);
    return group;
}

/* ---- an assignment as Kafka's consumers encode it (Apache Kafka, ConsumerProtocolAssignment), big-endian ---- */

struct assignment {
    const uint8_t *at, *end;
};

/* A number of n bytes; -1 where there are not so many, or it is below 0. */
static int64_t take_number(struct assignment *in, int n)
{
    int64_t number = 0;
    if (in->end - in->at < n || *in->at & 0x80)
        return -1;
    for (int i = 0; i < n; i++)
        number = number << 8 | *in->at++;
    return number;
}

static bool pass_over(struct assignment *in, int64_t size)
{
    if (size < 0 || size > in->end - in->at)
        return false;
    in->at += size;
    return true;
}

int32_t members_count_partitions(const void *bytes, size_t size)
{
    struct assignment in = {bytes, (const uint8_t *)bytes + size};
    int64_t n = 0, n_topics = take_number(&in, 2) < 0 ? -1 : take_number(&in, 4);
    for (int64_t i = 0; i < n_topics; i++) {
        if (!pass_over(&in, take_number(&in, 2)))
            return -1;
        int64_t n_partitions = take_number(&in, 4);
        if (n_partitions < 0 || !pass_over(&in, 4 * n_partitions))
            return -1;
        n += n_partitions;
    }
    return n_topics < 0 || n > INT32_MAX ? -1 : (int32_t)n;
}

/* ---- the question ---- */

/* -1: the group is between two assignments, or has not told. */
static int32_t count_elsewhere(const struct rd_kafka_group_list *list, const char *member)
{
    int32_t n_elsewhere = 0;
    if (list->group_cnt != 1 || list->groups[0].err || !list->groups[0].state || strcmp(list->groups[0].state, "Stable") != 0)
        return -1;
    for (int i = 0; i < list->groups[0].member_cnt; i++) {
        const struct rd_kafka_group_member_info *other = &list->groups[0].members[i];
        if (!other->member_id || strcmp(other->member_id, member) == 0)
            continue;
        int32_t n = members_count_partitions(other->member_assignment, (size_t)other->member_assignment_size);
        if (n < 0)
            return -1;
        n_elsewhere += n;
    }
    return n_elsewhere;
}

static int32_t ask(rd_kafka_t *rk, const char *member)
{
    const struct rd_kafka_group_list *list = NULL;
    char *group = group_of(rk);
    rd_kafka_resp_err_t err = group ? rd_kafka_list_groups(rk, group, &list, ASK_MS) : RD_KAFKA_RESP_ERR__FAIL;
    int32_t n = err || !list ? -1 : count_elsewhere(list, member);
    if (n < 0)
        log_event(LOG_DEBUG, "members_unknown", "text=\"%s\"", rd_kafka_err2str(err));
    if (list)
        rd_kafka_group_list_destroy(list);
    free(group);
    return n;
}

bool members_tend(struct members *members, rd_kafka_t *rk, const char *member, int64_t now_us, int32_t *ret_elsewhere)
{
    if (!members->wanted || now_us < members->ask_us)
        return false;
    int32_t n = ask(rk, member);
    members->wanted = n < 0;
    members->ask_us = now_us + ASK_AGAIN_US;
    if (n >= 0)
        *ret_elsewhere = n;
    return n >= 0;
}
