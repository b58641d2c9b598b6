/* Inside of verify.h: verify.c goes through the directory, verify_assets.c through assets.db,
 * verify_ingest.c through ingest.db, verify_window.c through one
 * window's files, verify_changes.c through what they note of changes, verify_snapshots.c through the snapshots. */
#ifndef STORE_VERIFY_INSIDE_H
#define STORE_VERIFY_INSIDE_H

#include <sys/types.h>

#include "codec/points.h"
#include "common/hash.h"
#include "db/db.h"
#include "store/catalog.h"
#include "store/changes.h"
#include "store/partition.h"
#include "store/verify.h"

#define VERIFY_FINDINGS_MAX 8 /* told of one file */
#define VERIFY_ACT_FACTS "put the file back from a backup: its readings are nowhere else"
#define VERIFY_ACT_TIERS "run `almanac rebuild --tiers`"
#define VERIFY_ACT_MANIFEST "run `almanac rebuild`"
#define VERIFY_ACT_CATALOG "run `almanac rebuild --catalog`"
#define VERIFY_ACT_SNAPSHOT "remove the snapshot and make another one" /* said of all that is in one */
#define VERIFY_ACT_ASSETS "move it away: the daemon reads topics assets and optimization anew, as far as Kafka has them"
#define VERIFY_ACT_ERASED "put erased.db back from its newest copy, and start the daemon: it removes what was erased"
#define VERIFY_ACT_INGEST \
    "put the store back from a backup, or move the partition's folder away: Kafka is then read anew"

struct verify {
    const struct verify_opts *opts;
    const char *dir, *prefix;  /* the directory at work: a snapshot's path begins with "snapshots/NAME/" */
    struct verify_counts counts;
    struct db *catalog;        /* NULL when it cannot be read */
    int64_t bytes_done, bytes_all;
    ino_t folder;              /* of the snapshot at work: when it is removed meanwhile, nothing is said of it */
    struct checked_list {
        struct checked {
            dev_t dev;
            ino_t ino;
            uint8_t digest[HASH_BYTES]; /* with which it was listed */
            int64_t mark;
            bool is_wrong;
        } *at;
        size_t n, cap;
    } checked;                 /* sealed files that were looked at: snapshots have links to them */
    struct told {
        char path[4096];
        int n;
    } told[2];                 /* how much was said of the files at work */
    struct sealed_list {
        struct sealed {
            char path[512];    /* as in the manifest */
            struct file file;
        } *at;
        size_t n, cap;
    } sealed;                  /* of all partitions, for the manifest */
    int rc;                    /* what a callback answered, or no memory: the work ends */
};

/* Where a file is. */
struct verify_place {
    const char *topic, *folder; /* the whole path */
    int32_t partition;
    int64_t source;             /* the catalog's id; 0 unknown */
};

/* Reports; todo NULL makes it a remark. Returns verify->rc. */
int verify_report(struct verify *verify, const char *path, const char *todo, const char *format, ...) PRINTF_LIKE(4, 5);
/* The same of a code: no memory ends the work, anything else is a finding ("WHAT: the code's name"). */
int verify_fail(struct verify *verify, const char *path, const char *todo, int code, const char *what);
/* The path of a file below the data directory. */
void verify_path(const struct verify *verify, const struct verify_place *place, const char *name, char out[static 4096]);
/* SQLite's own check of a database. */
int verify_integrity(struct verify *verify, const char *path, struct db *db, const char *todo);
/* Whether the catalog says the same of the series, and that it has readings in the source. */
int verify_series(struct verify *verify, const char *path, const struct verify_place *place,
                  const struct series_row *series);
void verify_add_bytes(struct verify *verify, int64_t n_bytes);
/* The same of what was not read. */
void verify_progress(struct verify *verify, int64_t n_bytes);
void verify_catalog_path(const struct verify *verify, char out[static 4096]);
/* assets.db, where there is one. */
void verify_assets(struct verify *verify);
/* erased.db, where there is one, and the catalog by it. */
void verify_erased(struct verify *verify);
/* All of verify->dir, which is the data directory's or a snapshot's; adds the bytes of its databases to bytes_all. */
void verify_directory(struct verify *verify);
void verify_add_sizes(struct verify *verify);

/* Whether the catalog knows the series, and with that *ret_is_state; where not, or not here, that is reported. */
bool verify_has_kind(struct verify *verify, const char *path, const struct verify_place *place, uint32_t series_id,
                     bool *ret_is_state);

/* A partition's state, read in one transaction. */
struct verify_state {
    int64_t incarnation, next_offset, last_offset, next_batch;
    int64_t expired_us; /* INT64_MIN: nothing */
    struct file_list files;
    struct verify_names {
        char (*at)[FILE_NAME_MAX];
        size_t n, cap;
    } retired;
};
void verify_state_done(struct verify_state *state);
MUST_CHECK int verify_add_name(struct verify_names *list, const char *name);
/* Reads the state of ingest.db; with whole also checks everything else in it. A code: there is no state, which is reported. */
int verify_ingest(struct verify *verify, const struct verify_place *place, bool whole, struct verify_state *state);

/* What a window's file notes of the changes of a series (changes_list): what is wrong with it by itself, or NULL; mark: the
 * newest batch of the file. Whether it covers the readings, with whole all of their periods. The newest batch in it. */
const char *verify_changes_wrong(const struct changes *changes, const struct window *window, int64_t mark);
bool verify_changes_cover(const struct changes *changes, const struct points *points, bool whole);
int64_t verify_changes_newest(const struct changes *changes);

/* The files of one window, NULL where the list has none. *ret_gone: a file is not there (any more), and nothing is
 * said of it: the list has to be read again. Returns verify->rc. */
struct verify_files {
    const struct file *open, *raw, *tier;
    const struct file *below; /* of an open file the sealed one of its window */
    bool known;               /* they were looked at under another name: their series are to be compared with this catalog */
};
int verify_window(struct verify *verify, const struct verify_place *place, const struct verify_files *files,
                  bool *ret_gone);

/* Whether the sealed files of a window in a snapshot are links to some that were looked at under another name, and notes them as
 * looked at. */
bool verify_shared(struct verify *verify, const struct verify_place *place, const struct verify_files *window);
void verify_note_shared(struct verify *verify, const struct verify_place *place, const struct verify_files *window,
                        bool is_wrong);

/* What the snapshot at work says of itself; all snapshots of the data directory, and their sizes. */
void verify_snapshot_facts(struct verify *verify);
void verify_snapshots(struct verify *verify);
void verify_snapshots_sizes(struct verify *verify);

#endif
