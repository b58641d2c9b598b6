/* The write side: the one process that ingests into a data directory. Implements model/sink.h, flushes batches into window
 * files, seals finished windows. */
#ifndef STORE_WRITER_H
#define STORE_WRITER_H

#include <stdint.h>

#include "common/err.h"
#include "model/document.h"
#include "model/registry.h"
#include "model/sink.h"
#include "store/retention.h"

enum window_length { WINDOW_AUTO, WINDOW_DAY, WINDOW_WEEK, WINDOW_MONTH };

/* What holds for one topic instead. */
struct topic_opts {
    char *topic;
    enum window_length window;
    struct retention retention;
};

struct writer_opts {
    const char *dir;             /* the data directory */
    enum window_length window;
    struct retention retention;
    const struct topic_opts *topics; /* must live as long as the writer */
    size_t n_topics;
    int64_t revisions_keep_us;   /* 0: 90 days */
    int64_t seal_after_us;       /* 0: 10 minutes */
    int64_t free_min_bytes;      /* less free disk pauses ingest */
    int64_t dead_bytes_max;      /* 0: 1 GB of dead letters; the oldest go first */
    int64_t flush_bytes;         /* 0: 16 MiB of batches start a flush */
    /* Seals what a dead letter held, so that only the vault opens it again: appends to out what is stored. Called from the sink's
     * thread. NULL: it is stored as it came, which only a store without people's data may have. */
    int (*seal_payload)(void *arg, const void *data, size_t size, struct buf *out);
    void *seal_arg;
    int64_t erase_within_us;     /* 0: a day; so soon nothing is left of an erased entity */
    const char *tombstones;      /* where a second copy of erased.db is kept; must live as long as the writer; NULL: nowhere */
};

/* Takes the directory for one process that writes, until the descriptor is closed, or the process ends, however it does.
 * ERR_BUSY names the process that has it. */
MUST_CHECK int store_lock(const char *dir, int *ret_fd, struct err_text *error);

struct writer;

/* Makes an empty store (catalog.db, store/) in an existing directory. ERR_EXISTS. */
MUST_CHECK int store_create(const char *dir, struct err_text *error);

/* Locks the directory (ERR_BUSY names the process that holds it), loads the catalog, finishes what a crash left half done,
 * starts the flush and seal thread. ERR_NOTFOUND, ERR_VERSION, ERR_CORRUPT. */
MUST_CHECK int writer_open(const struct writer_opts *opts, struct writer **ret_writer, struct err_text *error);
struct sink *writer_sink(struct writer *writer);
struct documents_sink *writer_documents(struct writer *writer); /* its calls come from one thread, another than the sink's too */
struct registry *writer_registry(struct writer *writer);
const char *writer_uuid(const struct writer *writer);

/* Orderly stop: after the sink's sources were released. Flushes everything and leaves every file readable without -wal and
 * -shm by users who may not write the directory. */
void writer_close(struct writer *writer);

#endif
