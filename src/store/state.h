/* The read side of one partition: its state at one moment, followed in ingest.db. A state never changes, is shared by
 * views and lives as long as one uses it; it holds no transaction. */
#ifndef STORE_STATE_H
#define STORE_STATE_H

#include <stdint.h>

#include "common/err.h"
#include "store/heads.h"
#include "store/parcel.h"
#include "store/partition.h"

/* A batch in memory, shared by the snapshots that have it. */
struct held_parcel {
    _Atomic int refs;
    int64_t n;
    struct buf data;
    struct parcel parcel;
};

/* The live files, shared by the snapshots between two changes of them. */
struct held_files {
    _Atomic int refs;
    int64_t version;
    struct file_list list; /* by (begin of the window, kind) */
};

struct state {
    _Atomic int refs;
    int64_t last_batch;      /* the newest batch ever, flushed or not */
    int64_t first_batch;     /* the oldest one that is not flushed; above last_batch: all are */
    int64_t synced_batch;    /* every batch up to this one is on disk for sure */
    int64_t first_moment;    /* positions before this batch are expired */
    int64_t next_offset, last_known_ms, n_gaps, n_elsewhere, n_dead, unflushed_readings, incarnation;
    struct expired expired;
    struct held_files *files;
    struct held_parcel **parcels;
    size_t n_parcels;
    struct heads *heads; /* of the parcels */
};
struct state *state_hold(struct state *state);
void state_drop(struct state *state); /* NULL is fine */

/* One topic-partition of the catalog. */
struct source_reader {
    int64_t id;
    char topic[LIMIT_TOPIC_BYTES + 1], folder[3072];
    int32_t partition;
    struct db *db;             /* NULL until its ingest.db exists */
    struct db_stamp stamp;     /* of the current state */
    struct state *current;
};
void source_reader_done(struct source_reader *source);

/* Brings source->current up to date. A partition that has no file yet keeps current = NULL. */
MUST_CHECK int source_reader_follow(struct source_reader *source, struct err_text *error);

/* Appends what of a series has been carried over from readings before before_us, the newest of each quality class, and lowers
 * *first_us to the time of the first one that expired. */
MUST_CHECK int source_reader_carry(struct source_reader *source, uint32_t series_id, int64_t before_us,
                                   struct points *points, int64_t *first_us);

#endif
