#include <config.h>

#include "ingest/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

#define HEADER_VERSION 1

void replay_print(const struct replay *replay, char out[static REPLAY_TEXT_MAX])
{
    snprintf(out, REPLAY_TEXT_MAX, "%d %" PRId64 " %" PRId32 " %" PRId64 " %" PRId64 " %" PRId32 " %s",
             HEADER_VERSION, replay->id,
             replay->incarnation, replay->offset, replay->known_ms, replay->slot, replay->property);
}

/* The whole number at *at and the blank behind it. */
static bool take_number(const char **at, int64_t min, int64_t max, int64_t *ret_number)
{
    char *end;
    if (**at != '-' && (**at < '0' || **at > '9'))
        return false;
    *ret_number = strtoll(*at, &end, 10);
    if (end == *at || *end != ' ' || *ret_number < min || *ret_number > max)
        return false;
    *at = end + 1;
    return true;
}

bool replay_parse(const char *text, size_t size, struct replay *ret_replay)
{
    char copy[REPLAY_TEXT_MAX];
    const char *at = copy;
    int64_t version, incarnation, slot;
    struct replay replay = {0};
    if (size >= sizeof(copy) || memchr(text, '\0', size))
        return false;
    memcpy(copy, text, size);
    copy[size] = '\0';
    if (!take_number(&at, HEADER_VERSION, HEADER_VERSION, &version) || !take_number(&at, 1, INT64_MAX, &replay.id) ||
        !take_number(&at, 1, INT32_MAX, &incarnation) || !take_number(&at, 0, INT64_MAX, &replay.offset) ||
        !take_number(&at, INT64_MIN / 1000, INT64_MAX / 1000, &replay.known_ms) ||
        !take_number(&at, -1, INT32_MAX, &slot) || strlen(at) > LIMIT_NAME_BYTES)
        return false;
    replay.incarnation = (int32_t)incarnation;
    replay.slot = (int32_t)slot;
    memcpy(replay.property, at, strlen(at));
    *ret_replay = replay;
    return true;
}

bool replay_read(const rd_kafka_message_t *message, struct replay *ret_replay)
{
    rd_kafka_headers_t *headers;
    const void *text;
    size_t size;
    if (rd_kafka_message_headers(message, &headers) || rd_kafka_header_get_last(headers, REPLAY_HEADER, &text, &size) || !text ||
        !replay_parse(text, size, ret_replay))
        return false;
    int64_t now_ms = clock_wall_us() / 1000;
    ret_replay->known_ms = ret_replay->known_ms < now_ms ? ret_replay->known_ms : now_ms;
    ret_replay->at_offset = message->offset;
    return true;
}
