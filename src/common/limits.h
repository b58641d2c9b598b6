/* Every maximum of the system in one place (I11: what comes from outside is bounded before it is parsed). */
#ifndef COMMON_LIMITS_H
#define COMMON_LIMITS_H

#include <assert.h>

#define LIMIT_MESSAGE_BYTES (1 << 20)    /* a Kafka message (contract section 2) */
#define LIMIT_MESSAGE_VALUES 65536       /* values in a message */
#define LIMIT_MESSAGE_DEPTH 16           /* nesting of a message's JSON */
#define LIMIT_MESSAGE_REFUSALS 256       /* refused parts told one by one; the rest of a message is told as one */
#define LIMIT_ENTITY_BYTES 128
#define LIMIT_NAME_BYTES 64              /* a type or property name */
#define LIMIT_UNIT_BYTES 32
#define LIMIT_STATE_BYTES 64             /* text of a state property */
#define LIMIT_ZONE_NAME_BYTES 64
#define LIMIT_ZONE_FILE_BYTES (1 << 16)  /* the longest of tzdata has 4 KB */
#define LIMIT_TOPIC_BYTES 249            /* Kafka's own limit */
#define LIMIT_CHUNK_POINTS 32768         /* readings in a chunk */
#define LIMIT_VECTOR_POINTS 1024         /* integers in a vector */
#define LIMIT_BATCH_READINGS (1 << 18)   /* readings in one commit */
#define LIMIT_BATCH_BYTES (16 << 20)     /* encoded bytes of one commit */
#define LIMIT_URL_PARAMETERS 256
#define LIMIT_BODY_BYTES (1 << 20)       /* an HTTP request body */
#define LIMIT_CONNECTIONS 65536          /* of HTTPS, whatever is configured */
#define LIMIT_EXPLAINED 100000           /* rows of a series with explain=1: they wait in memory */
#define LIMIT_COLUMNS 10000              /* columns of a wide answer */

static_assert(LIMIT_MESSAGE_VALUES <= LIMIT_BATCH_READINGS, "a message fits into a batch");
static_assert(LIMIT_CHUNK_POINTS % LIMIT_VECTOR_POINTS == 0, "full chunks have full vectors");

#endif
