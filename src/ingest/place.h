/* Where we are in one partition: which message comes next, and what it means when another one comes. Pure; no Kafka here.
 *
 * An offset that is not the expected one may be a slip of the client library or a real hole (compaction and the marks of
 * transactions take offsets and come as no message). The first time we go back once and look again: what comes then is
 * the truth. And before anything new is taken, the last stored message must be met again with the same bytes: otherwise the
 * topic was deleted and made anew, and its offsets mean other messages. */
#ifndef INGEST_PLACE_H
#define INGEST_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hash.h"

struct place {
    int64_t next; /* the offset that is taken next; -1: whichever comes first */
    int64_t last; /* the last stored message; -1 none */
    uint8_t last_hash[HASH_BYTES];
    bool verifying;   /* reading starts at last, which must hash the same */
    bool sparse;      /* holes are normal: no going back */
    bool went_back;   /* once, in round back_round; messages of that round are left overs */
    uint64_t back_round;
};

enum place_step {
    PLACE_TAKE,    /* the expected message */
    PLACE_SKIP,    /* seen before */
    PLACE_GO_BACK, /* seek to place_start and look again */
    PLACE_HOLE,    /* take it; [next, offset) holds no messages */
    PLACE_OTHER    /* the last stored message is another one now: the topic was made anew */
};

/* The offset to read from, or -1 for the beginning. */
int64_t place_start(const struct place *place);

/* What to do with this message. round counts the reads from librdkafka's queue: a seek takes effect on the next one. */
enum place_step place_meet(struct place *place, int64_t offset, const void *value, size_t size, uint64_t round);

/* Whether all messages before end have been met, now that the log is said to end there: not if that was said of a read that
 * we have gone back from. */
bool place_meets_end(const struct place *place, int64_t end, uint64_t round);

void place_taken(struct place *place, int64_t offset);               /* the message was added to a batch */
void place_stored(struct place *place, int64_t last, const uint8_t hash[static HASH_BYTES]);
void place_doubt(struct place *place, int64_t next);                  /* from next on, but verify first */
void place_move(struct place *place, int64_t next);                   /* offsets were lost or start over */

#endif
