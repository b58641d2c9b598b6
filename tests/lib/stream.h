/* For tests of the store: a topic of made-up messages, a store in a folder of its own, and what the store's files hold,
 * read back with window_file_* and laid over each other without rows_settle. */
#ifndef TESTS_LIB_STREAM_H
#define TESTS_LIB_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "naive.h"

#include "store/writer.h"

#define STREAM_SERIES 6 /* gauges, a counter, an interval, two states */
#define STREAM_TOPIC "raw.test"
#define STREAM_PARTITION 3
#define STREAM_BEGIN_US INT64_C(1709251200000000) /* 2024-03-01 */
#define STREAM_KNOWN_MS INT64_C(1712000000000)    /* of the message at offset 0; one second more each */

/* The same seed gives the same messages. */
struct stream {
    uint64_t seed;
    int64_t n_messages;
    int n_days;          /* over which the times go forward */
    bool with_wide;      /* deletions of all issues and of ranges, too */
};

/* Set: every value of every stream is another one. */
extern bool stream_no_repeats;

/* A store in a temporary folder with a writer and one claim. */
struct store {
    char dir[256], folder[400]; /* folder: of the partition */
    struct writer_opts opts;
    struct writer *writer;
    void *handle;
    struct claim claim;
    struct batch batch;
    char error[500];
};

/* opts->dir is ignored; without revisions_keep_us they are kept for ever. */
void store_make(struct store *store, const struct writer_opts *opts);
void store_remove(struct store *store);
/* Opens the writer and claims. */
int store_open(struct store *store);
void store_close(struct store *store);

/* The registry's index of series 0 .. STREAM_SERIES - 1: 0 m-1 voltage, 1 m-1 activeEnergyImport, 2 m-2 energy, 3 wx
 * temperature, 4 m-2 tariff, 5 b-1 operationalState. Needs an open writer. */
uint32_t store_series(struct store *store, uint32_t number);
/* Fills store->batch with the messages [from, to). Needs an open writer. */
void store_fill(struct store *store, const struct stream *stream, int64_t from, int64_t to);
/* The same and take. */
int store_take(struct store *store, const struct stream *stream, int64_t from, int64_t to);

/* Seals every window that has an open file and removes retired files; the writer must be closed. */
int store_seal(struct store *store);

/* What ought to be there after messages [0, to), and what one message adds to it. */
void stream_expect(const struct stream *stream, int64_t to, struct naive *ret_naive);
void stream_apply(const struct stream *stream, int64_t offset, struct naive *naive);

/* What the files hold; the batches must be flushed. Also checks what every set of files has to fulfil: digests, windows,
 * names, nothing unlisted, no rows for other windows. Returns what is wrong, or NULL. history gets revisions, too, in the order
 * of the layers. */
const char *store_read(struct store *store, struct naive *ret_found, struct naive *ret_history);
struct store_counts {
    int n_open, n_raw, n_batches, n_dead;
    int64_t next_offset, generation; /* the highest of the raw files */
};
int store_count(struct store *store, struct store_counts *ret_counts);

/* store_read and compare with stream_expect; writes what is wrong, or "". What was in force before is compared, too, unless the
 * stream has deletions of all issues: only the newest one of these leaves its mark (store/rows.h). */
void store_compare(struct store *store, const struct stream *stream, int64_t to, char out[static 400]);

#endif
