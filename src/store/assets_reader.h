/* Inside of the read side of assets.db: assets_reader.c keeps in memory what is declared of series and brings it up when another
 * connection has written (store/reader.c asks for it), assets.c reads rows. */
#ifndef STORE_ASSETS_READER_H
#define STORE_ASSETS_READER_H

#include <pthread.h>

#include "db/db.h"
#include "store/assets.h"
#include "store/erased.h"

enum assets_sql {
    ASSETS_SQL_VERSION, ASSETS_SQL_DECLARATIONS, ASSETS_SQL_CHANGED, ASSETS_SQL_CHANGES,
    ASSETS_SQL_ONE, ASSETS_SQL_OF_PARENT, ASSETS_SQL_OF_ENTITY, ASSETS_SQL_OF_KIND, ASSETS_SQL_ALL, ASSETS_SQL_PLACE,
    ASSETS_SQL_OUTPUTS, ASSETS_SQL_REFUSED, ASSETS_SQL_N
};

/* What is declared of one series. What readers were given lives as long as the reader: another content takes another place. */
struct entry {
    char key[LIMIT_ENTITY_BYTES + LIMIT_NAME_BYTES + 2]; /* "ENTITY PROPERTY" */
    int64_t cadence_us;
    int step;               /* 0, 1, or -1: not declared */
    struct declared *declared; /* NULL: nothing else */
};

struct assets_reader {
    char *path;
    struct erased *erased;  /* what names one of these is not there */
    pthread_mutex_t lock;   /* everything below */
    struct db *db;          /* NULL until there is a file */
    struct db_stamp stamp;  /* of what follows */
    int64_t version;
    uint64_t seed;
    struct entry **slots;   /* a hash table by key */
    size_t n_slots, n_entries;
    struct declared **given; /* replaced ones, for readers that have them still */
    size_t n_given, given_cap;
};

/* erased is the caller's, and outlives the reader. */
MUST_CHECK int assets_reader_new(const char *dir, struct erased *erased, struct assets_reader **ret_reader);
void assets_reader_free(struct assets_reader *reader);

/* Opens the file once there is one; the caller holds the lock. */
MUST_CHECK int assets_reader_open(struct assets_reader *reader, struct err_text *error);
/* Takes in what was written since. Errors of the file. */
MUST_CHECK int assets_reader_follow(struct assets_reader *reader, struct err_text *error);
/* Fills in what is declared of the series, as it was last taken in. */
void assets_reader_declare(struct assets_reader *reader, struct series_info *info);
/* As assets_version, of what was taken in. */
int64_t assets_reader_version(struct assets_reader *reader);
/* The refused documents. */
MUST_CHECK int assets_reader_refused(struct assets_reader *reader, int (*row)(void *arg, const struct dead_letter *letter),
                                     void *arg);

/* The reader's. */
struct assets_reader *reader_dir_assets(struct reader_dir *dir);

#endif
