#include <config.h>

#include "ingest/topics.h"

#include <stdio.h>
#include <string.h>

#include "common/limits.h"

int topics_subscribe(rd_kafka_t *rk, const char *topics, const char *without, struct err_text *error)
{
    static const char between[] = ", \t\r\n";
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    for (const char *at = topics + strspn(topics, between); *at; at += strspn(at, between)) {
        size_t size = topics[0] == '^' ? strlen(at) : strcspn(at, between); /* a pattern may have a comma in it */
        char name[LIMIT_TOPIC_BYTES + 1];
        snprintf(name, sizeof(name), "%.*s", (int)size, at);
        if (!without || strcmp(name, without) != 0)
            rd_kafka_topic_partition_list_add(list, name, RD_KAFKA_PARTITION_UA);
        at += size;
    }
    rd_kafka_resp_err_t err = list->cnt > 0 ? rd_kafka_subscribe(rk, list) : RD_KAFKA_RESP_ERR__INVALID_ARG;
    rd_kafka_topic_partition_list_destroy(list);
    if (err)
        return err_set_field(error, ERR_INVALID, "topics",
                             "the topics \"%s\" cannot be subscribed to: write a pattern that begins with ^, or names",
                             topics);
    return 0;
}
