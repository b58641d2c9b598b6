/* A sink in memory, for tests of ingest: keeps what was stored, checks the order of calls, fails when told to.
 * And a decoder to go with it: the message "v 17" is one reading of value 17, anything else is refused. */
#ifndef TESTS_KAFKA_MEMORY_SINK_H
#define TESTS_KAFKA_MEMORY_SINK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "model/sink.h"

#define MEMORY_SOURCES 32
#define MEMORY_EVENTS 64

struct memory_gap {
    int64_t from, to;
    char why[128];
};

struct memory_source {
    struct source id;
    struct owner owner;
    void *handle;               /* of the claim in force, NULL: released */
    int64_t next_offset, last_offset, committable;
    uint8_t last_hash[32];
    int32_t incarnation;
    bool sparse, restored;
    struct reading *readings;   /* in order of arrival, all incarnations */
    size_t n_readings;
    struct memory_gap gaps[MEMORY_EVENTS], holes[MEMORY_EVENTS];
    int n_gaps, n_holes, n_takes, n_claims, n_reincarnations;
    struct refusal dead[MEMORY_EVENTS];
    char dead_payload[MEMORY_EVENTS][64];
    int n_dead, n_dead_done;
};

struct memory_sink {
    struct sink sink;
    pthread_mutex_t lock; /* a test's thread looks while the consumer's writes */
    struct memory_source sources[MEMORY_SOURCES];
    int n_sources;
    int fail_take_after, fail_take_code, fail_take_times; /* after so many more takes, fail so often */
    int fail_claim_code, fail_claim_times;
    int n_failed;
    int32_t n_elsewhere; /* partitions of other members, as told last */
    bool paused;
    bool hold_commits; /* nothing is committable */
    char fault[200];   /* the first breach of the interface */
};

void memory_sink_init(struct memory_sink *memory);
void memory_sink_done(struct memory_sink *memory);

/* All of these take the lock. */
int64_t memory_sink_readings(struct memory_sink *memory);            /* stored in all sources */
struct memory_source *memory_sink_find(struct memory_sink *memory, const char *topic, int32_t partition);
bool memory_sink_released(struct memory_sink *memory);               /* every source was */
/* 0 when the values 0 to n - 1 are stored, each exactly once; else a message on stderr. */
int memory_sink_compare(struct memory_sink *memory, int64_t n);
void memory_sink_drop(struct memory_sink *memory, int64_t value); /* forgets readings of this value */
/* As though another process had claimed every source. */
void memory_sink_steal(struct memory_sink *memory);

#endif
