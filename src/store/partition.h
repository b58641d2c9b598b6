/* The writer's side of one topic-partition: ingest.db with its batches, offset, owner and list of live files.
 *
 * One connection, shared by the thread that ingests and the one that flushes; every function takes the partition's lock
 * itself. Docs: docs/FORMAT.md ("ingest.db"), invariants I1, I2, I4, I5, I12. */
#ifndef STORE_PARTITION_H
#define STORE_PARTITION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "db/db.h"
#include "model/sink.h"
#include "store/carry.h"
#include "store/retention.h"
#include "store/window.h"

extern const struct db_format ingest_format;

/* One row of the list of live files. */
struct file {
    char name[FILE_NAME_MAX];
    enum file_kind kind;
    struct window window;
    int64_t generation, mark, n_readings, changed_us, bytes;
    uint8_t digest[32];
    unsigned tiers;      /* of tier files: a bit for each tier that may be in it */
    int64_t replaced_ms; /* of raw files: oldest known-at by which one of its revisions was replaced; 0 it has none */
    int64_t horizon_ms;  /* of raw files: known-at before which revisions are missing; 0 none are */
};
struct file_list {
    struct file *at; /* by (begin of the window, kind) */
    size_t n, cap;
};
void file_list_free(struct file_list *list);

/* The highest generation of the files of a window; 0 where there is none. */
int64_t file_list_generation(const struct file_list *list, int64_t begin_us);

/* What lies before these times has expired; INT64_MIN: nothing has. Ends of windows. */
struct expired {
    int64_t raw_us, tier_us[TIER_N];
};
#define EXPIRED_COLUMNS \
    "coalesce(expired_us, -9223372036854775808), coalesce(expired_1s_us, -9223372036854775808), " \
    "coalesce(expired_1m_us, -9223372036854775808), coalesce(expired_15m_us, -9223372036854775808)"
void expired_read(sqlite3_stmt *stmt, int column, struct expired *ret_expired); /* from that column on */
#define EXPIRED_NOTHING ((struct expired){INT64_MIN, {INT64_MIN, INT64_MIN, INT64_MIN}})

/* Reads the list of a database of ingest_format. */
MUST_CHECK int file_list_read(struct db *db, struct file_list *ret_list);

struct partition;
struct forget_ids; /* store/forget.h */
struct erased;     /* store/erased.h */

/* Opens DIR/store/TOPIC/N (made when new), removes what a crash left unlisted. */
MUST_CHECK int partition_open(const char *dir, const char *topic, int32_t number, struct partition **ret_partition,
                              struct err_text *error);
/* Leaves the file readable without -wal. */
void partition_close(struct partition *partition);
const char *partition_folder(const struct partition *partition);
const char *partition_topic(const struct partition *partition);
int32_t partition_number(const struct partition *partition);

/* The calls of model/sink.h. A claim gets a new epoch; a write under an older one is ERR_OWNER (I4). */
MUST_CHECK int partition_claim(struct partition *partition, const struct source *source, const struct owner *owner,
                               struct claim *ret_claim, int64_t *ret_epoch, struct err_text *error);
MUST_CHECK int partition_reincarnate(struct partition *partition, int64_t epoch, int64_t next_offset,
                                     struct err_text *error);
MUST_CHECK int partition_gap(struct partition *partition, int64_t epoch, int64_t from, int64_t to, const char *why,
                             struct err_text *error);
/* Stores an encoded parcel of n_readings with the refusals [begin_refusal..) and state of batch. */
struct taking {
    int64_t epoch;
    const struct batch *batch;
    size_t begin_refusal, begin_replay;
    const struct buf *parcel;
    int64_t n_readings;
    int (*seal_payload)(void *arg, const void *data, size_t size, struct buf *out); /* as in struct writer_opts */
    void *seal_arg;
    struct erased *erased; /* whose key the hashes of dead letters' entities are made with; NULL: they have none */
};
MUST_CHECK int partition_take(struct partition *partition, const struct taking *taking, struct err_text *error);
/* Next offset as stored; readings below it have taken effect (I1). */
int64_t partition_next_offset(struct partition *partition);
int64_t partition_committable(struct partition *partition);
/* Notes that Kafka knows the place of the store of this uuid; whether it was. */
MUST_CHECK int partition_tell(struct partition *partition, int64_t epoch, const char *uuid, struct err_text *error);
bool partition_is_told(struct partition *partition, const char *uuid);
MUST_CHECK int partition_dead_next(struct partition *partition, int max,
                                   int (*row)(void *arg, int64_t id, const struct refusal *refusal,
                                              const void *payload), void *arg);
MUST_CHECK int partition_dead_done(struct partition *partition, int64_t id);

/* Notes the uuid of the store's catalog, so that it can be had again with the catalog lost. */
MUST_CHECK int partition_note_store(struct partition *partition, const char *uuid, struct err_text *error);
/* Makes the partition in the folder, which nobody has open, one of a restored store with that uuid. As db_open. */
MUST_CHECK int partition_restore(const char *folder, const char *uuid, struct err_text *error);
/* Gives up the batches from number first_batch on: Kafka is read again from the offset before them. */
MUST_CHECK int partition_rewind(struct partition *partition, int64_t first_batch, int64_t *ret_next_offset,
                                struct err_text *error);
/* What is held of dead letters: how many, their bytes (the payloads' and 200 a letter), and when the oldest was refused. */
struct dead_held {
    int64_t n, bytes, oldest_us;
};
MUST_CHECK int partition_dead_held(struct partition *partition, struct dead_held *ret_held);
/* Drops the oldest ones until at least bytes are free, 1,000 of them at the most; *ret_n says how many went. */
MUST_CHECK int partition_dead_trim(struct partition *partition, int64_t bytes, int64_t *ret_n, struct err_text *error);

/* What waits to be flushed. */
struct backlog {
    int64_t bytes, readings, batches;
    int64_t oldest_us, newest_us; /* monotonic clock of the oldest and the newest batch; 0 none */
    int64_t last_batch;           /* number of the newest batch, ever */
    int64_t synced_batch;         /* every batch up to this one is on disk for sure */
};
void partition_backlog(struct partition *partition, struct backlog *ret_backlog);

/* Syncs what was committed when something was, and empties the log as far as readers let it; cheap else. */
MUST_CHECK int partition_checkpoint(struct partition *partition);

/* ---- for flush and seal, which run in one thread of the writer ---- */

/* Calls row for each stored batch up to number last, oldest first; data is valid during the call. Reads over a connection
 * of its own, so that ingest goes on meanwhile. */
MUST_CHECK int partition_batches(struct partition *partition, int64_t last,
                                 int (*row)(void *arg, int64_t n, const void *data, size_t size), void *arg,
                                 struct err_text *error);
MUST_CHECK int partition_files(struct partition *partition, struct file_list *ret_list, struct err_text *error);
MUST_CHECK int partition_rules(struct partition *partition, struct window_rule **ret_rules, size_t *ret_n,
                               struct err_text *error);
MUST_CHECK int partition_add_rule(struct partition *partition, const struct window_rule *rule, struct err_text *error);

/* Readings before expired.raw_us are not there any more, and none must be added. */
void partition_expired(struct partition *partition, struct expired *ret_expired);

/* One change of the list of live files, in one transaction: batches up to last_batch go, files are put (by name), names in
 * removed leave the list and are retired. Expired times never go back. */
struct file_change {
    int64_t last_batch; /* -1: none */
    const struct file *put;
    size_t n_put;
    const char (*removed)[FILE_NAME_MAX];
    size_t n_removed;
    const struct expired *expired; /* NULL: nothing expires */
    const struct carries *carries; /* of what expires; NULL none */
    int64_t keep_us; /* with last_batch: positions older than this expire (table `moment`) */
};
MUST_CHECK int partition_change_files(struct partition *partition, const struct file_change *change,
                                      struct err_text *error);

/* Takes what is carried over of these series, and the dead letters of erased entities, out of ingest.db, and writes that anew so
 * that nothing is left of them; *ret_whole as of db_forget. Nothing of them is unflushed. */
MUST_CHECK int partition_forget(struct partition *partition, const struct forget_ids *series, struct erased *erased,
                                bool *ret_whole, struct err_text *error);

/* Whether files are still there that were retired before since_us (wall clock). */
MUST_CHECK int partition_has_retired(struct partition *partition, int64_t since_us, bool *ret_has, struct err_text *error);

/* Unlinks files that were retired before since_us (wall clock). */
MUST_CHECK int partition_purge(struct partition *partition, int64_t since_us, struct err_text *error);

#endif
