/* Inside of partition.h: what its files share. partition.c has the life of a partition and its transactions, partition_take.c
 * the calls of the sink, partition_files.c what flush and seal need. */
#ifndef STORE_PARTITION_INSIDE_H
#define STORE_PARTITION_INSIDE_H

#include <pthread.h>

#include "store/catalog.h"
#include "store/partition.h"

enum partition_sql {
    SQL_SOURCE_ADD, SQL_SOURCE, SQL_CLAIM, SQL_ADVANCE, SQL_BATCH_ADD, SQL_DEAD_ADD, SQL_DEAD_AGAIN, SQL_DEAD_DROP,
    SQL_DEAD_HELD, SQL_DEAD_OLDEST, SQL_DEAD_TRIM, SQL_GAP_ADD, SQL_BACKLOG,
    SQL_BATCHES, SQL_BATCHES_DROP, SQL_FILES, SQL_FILES_CHANGED, SQL_FILE_PUT, SQL_FILE_DROP, SQL_RETIRE, SQL_RETIRED,
    SQL_RETIRED_DROP, SQL_RULES, SQL_RULE_ADD, SQL_DEAD_NEXT, SQL_DEAD_DONE, SQL_DEAD_EXPIRE, SQL_REINCARNATE,
    SQL_MOMENT_ADD, SQL_MOMENTS_DROP, SQL_SYNCED, SQL_TOLD, SQL_EXPIRE, SQL_CARRY_PUT, SQL_CARRY_TRIM, SQL_NOTE_STORE,
    SQL_RESTORED,
    SQL_REWIND, SQL_BATCHES_GIVE_UP, SQL_DEAD_GIVE_UP, SQL_N
};
extern const char *const partition_sql[SQL_N];

struct partition {
    pthread_mutex_t lock;
    struct db *db;
    char folder[3072], path[3584], topic[LIMIT_TOPIC_BYTES + 1];
    int32_t number;
    /* the source row as committed */
    char cluster[64];
    int64_t incarnation, next_offset, last_offset, n_holes, next_batch, epoch;
    uint8_t last_hash[32];
    char told_as[UUID_TEXT_MAX];
    struct expired expired;
    struct owner owner;    /* of the claim in force; its word is for this process only */
    struct backlog backlog;
    int64_t synced_offset, synced_batch; /* everything below, and up to that batch, is on disk for sure */
    bool unsynced;         /* something was committed that is not on disk for sure */
    bool dirty;            /* something was committed that lies in the log only */
    bool doubtful;         /* a sync of the log may have failed: until a whole checkpoint has written all of it anew (I12) */
    bool broken;           /* a write or sync failed: the file is opened again before it is used again (I12) */
};

/* Reads the source row into partition. */
MUST_CHECK int partition_read_source(struct partition *partition);
/* Counts the batches that wait. */
MUST_CHECK int partition_read_backlog(struct partition *partition);
/* Syncs everything committed; the caller holds the lock. */
MUST_CHECK int partition_sync(struct partition *partition);

/* Locks; after a failed write opens the file again, so that what is in memory is what is on disk (I12). */
MUST_CHECK int partition_enter(struct partition *partition, struct err_text *error);
void partition_leave(struct partition *partition);
/* Ends a transaction that was begun: commits when rc is 0, else rolls back. Returns the outcome, unlocks nothing. */
int partition_finish(struct partition *partition, int rc, struct err_text *error, const char *doing);

bool column_equals(sqlite3_stmt *stmt, int column, const char *text);
void column_copy(sqlite3_stmt *stmt, int column, char *out, size_t size);

#endif
