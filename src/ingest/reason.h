/* Sentences for people about what is not well between us and Kafka. */
#ifndef INGEST_REASON_H
#define INGEST_REASON_H

#include <stdbool.h>
#include <stddef.h>

#define REASON_BYTES 512      /* of several sentences */
#define REASON_ONE_BYTES 200

/* What an error of librdkafka says of a thing (what: "topic", "group"): that it was denied and which operation is to be
 * granted, or Kafka's own words. */
void reason_say(char *out, size_t size, const char *what, const char *name, const char *operation, int err);
bool reason_is_denial(int err); /* an ACL is lacking */

/* Adds a sentence to those in out, unless it is there already or "". Where there is no room any more, it says that there are
 * more. */
void reason_add(char *out, size_t size, const char *sentence);

#endif
