/* Inside of verify.h: verify.c goes through the directory, verify_window.c through one window's files. */
#ifndef STORE_VERIFY_INSIDE_H
#define STORE_VERIFY_INSIDE_H

#include "db/db.h"
#include "store/catalog.h"
#include "store/partition.h"
#include "store/verify.h"

#define VERIFY_FINDINGS_MAX 8 /* told of one file */
#define VERIFY_ACT_FACTS "put the file back from a backup: its readings are nowhere else"
#define VERIFY_ACT_TIERS "run `almanac rebuild --tiers`"
#define VERIFY_ACT_MANIFEST "run `almanac rebuild`"
#define VERIFY_ACT_CATALOG "run `almanac rebuild --catalog`"

struct verify {
    const struct verify_opts *opts;
    const char *dir, *prefix;  /* the directory at work: a snapshot's path begins with "snapshots/NAME/" */
    struct verify_counts counts;
    struct db *catalog;        /* NULL when it cannot be read */
    int64_t bytes_all;
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
/* The path of a file below the data directory. */
void verify_path(const struct verify *verify, const struct verify_place *place, const char *name, char out[static 4096]);
/* SQLite's own check of a database. */
int verify_integrity(struct verify *verify, const char *path, struct db *db, const char *todo);
/* Whether the catalog says the same of the series, and that it has readings in the source. */
int verify_series(struct verify *verify, const char *path, const struct verify_place *place,
                  const struct series_row *series);
void verify_add_bytes(struct verify *verify, int64_t n_bytes);

/* The files of one window, NULL where the list has none. *ret_gone: a file is not there (any more), and nothing is
 * said of it: the list has to be read again. Returns verify->rc. */
struct verify_files {
    const struct file *open, *raw, *tier;
};
int verify_window(struct verify *verify, const struct verify_place *place, const struct verify_files *files,
                  bool *ret_gone);

#endif
