/* A store that lives through a random history (history.h): its partitions are driven one step at a time, by hand. */
#ifndef TESTS_LIB_RIG_H
#define TESTS_LIB_RIG_H

#include "history.h"
#include "test.h"

#include <inttypes.h>

#include "store/catalog.h"
#include "store/partition.h"
#include "store/reader.h"
#include "store/writer.h"

#define RIG_KEPT 3 /* older views that are read again */

/* A view with what it must show, for as long as it is held. */
struct kept {
    struct view *view;
    struct points points[HISTORY_SERIES];
    int64_t n_takes; /* when it was opened */
    bool synced;     /* nothing was unsynced then, so that its position is exact */
};

/* A store and its history. */
struct rig {
    uint64_t round_seed, seed;
    char dir[300];
    struct history history;
    struct registry *registry;
    struct catalog *catalog;
    struct catalog_reader *lookup;
    struct reader_dir *reader;
    int64_t sources[HISTORY_SOURCES], epochs[HISTORY_SOURCES], offsets[HISTORY_SOURCES];
    struct partition *partitions[HISTORY_SOURCES];
    uint32_t series_i[HISTORY_SERIES], series_id[HISTORY_SERIES];
    bool is_here[HISTORY_SOURCES][HISTORY_SERIES]; /* the catalog knows */
    int64_t n_takes, touched[HISTORY_SERIES];      /* the newest take that had the series */
    int64_t expired_us[HISTORY_SOURCES]; /* readings before have expired */
    enum window_length window;
    struct kept kept[RIG_KEPT];
    struct batch batch;
};

#define broken(rig, ...)                                                                                                \
    do {                                                                                                                \
        print_message("# ALMANAC_SEED=%" PRIu64 ", %s\n", (rig)->round_seed, (rig)->dir);                               \
        fail_msg(__VA_ARGS__);                                                                                          \
    } while (0)

/* 0 .. n - 1, of the rig's own choices. */
int64_t rig_below(struct rig *rig, int64_t n);

/* A new store in a folder of its own. is_close: as of a history; the catalog then knows all series in all sources. */
void rig_init(struct rig *rig, uint64_t seed, bool is_close);
void rig_done(struct rig *rig);
void rig_open_partitions(struct rig *rig);
void rig_close_partitions(struct rig *rig);
void rig_drop_kept(struct kept *kept);

/* The next batch of a random source, which has something; rig_take stores it and lets the history know. */
void rig_make_batch(struct rig *rig);
void rig_take(struct rig *rig);
/* As the writer does: the catalog knows a series in a source before readings of it are stored there. */
void rig_persist_series(struct rig *rig);

int rig_flush(struct rig *rig, int source, struct err_text *error);
/* Seals one of the open windows, or all; readings may still wait for them. */
int rig_seal(struct rig *rig, int source, bool all, struct err_text *error);
/* The readings of the oldest window of a source expire; nothing happens where there is none. All is flushed. */
int rig_expire(struct rig *rig, int source, struct err_text *error);
/* The process dies at some change of the disk, while it takes, flushes or seals, and starts again. */
void rig_die(struct rig *rig);

#endif
