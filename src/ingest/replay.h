/* The header by which a message brings a dead letter again: `almanac-replay: 1 ID INCARNATION OFFSET KNOWN_MS SLOT PROPERTY`,
 * the value of the message being the refused payload. The store takes the letter out of its list in the transaction in which it
 * stores what the message says; what it says is of KNOWN_MS, the Kafka timestamp of the message that was refused. */
#ifndef INGEST_REPLAY_H
#define INGEST_REPLAY_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "model/reading.h"

#define REPLAY_HEADER "almanac-replay"
#define REPLAY_TEXT_MAX (128 + LIMIT_NAME_BYTES)

void replay_print(const struct replay *replay, char out[static REPLAY_TEXT_MAX]);
/* false, and the message is one like others, when text is none of the above. */
bool replay_parse(const char *text, size_t size, struct replay *ret_replay);
/* Reads the header of a message, at_offset included; known_ms is not later than now. false when it has none. */
bool replay_read(const rd_kafka_message_t *message, struct replay *ret_replay);

#endif
