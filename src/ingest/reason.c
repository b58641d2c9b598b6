#include <config.h>

#include "ingest/reason.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <string.h>

#define MORE " (and more)"

bool reason_is_denial(int err)
{
    return err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED || err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
           err == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED ||
           err == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
}

void reason_say(char *out, size_t size, const char *what, const char *name, const char *operation, int err)
{
    if (reason_is_denial(err))
        snprintf(out, size, "Kafka denies %s \"%.80s\" to this client: grant it %s", what, name, operation);
    else
        snprintf(out, size, "Kafka says of %s \"%.80s\": %s", what, name, rd_kafka_err2str(err));
}

void reason_add(char *out, size_t size, const char *sentence)
{
    size_t n = strlen(out), more = sizeof(MORE) - 1;
    if (!*sentence || strstr(out, sentence) || (n >= more && strcmp(out + n - more, MORE) == 0))
        return;
    if (n + strlen(sentence) + 2 + more < size)
        snprintf(out + n, size - n, "%s%s", n ? "; " : "", sentence);
    else if (n + more < size)
        memcpy(out + n, MORE, more + 1);
}
