/* What the files of exports share. Private to them. */
#ifndef HTTP_EXPORTS_INSIDE_H
#define HTTP_EXPORTS_INSIDE_H

#include <limits.h>
#include <pthread.h>
#include <stdbool.h>

#include "http/export_run.h"
#include "http/exports.h"
#include "store/erased.h"

#define EXPORTS_GONE ".gone"     /* ends the name of a folder that is to be removed, */
#define EXPORTS_MAKING ".making" /* and of one that was not announced yet */
#define EXPORTS_PATH_BYTES PATH_MAX

struct export {
    struct export *next;           /* in the order of their making */
    struct export_request request;
    enum { EXPORT_WAITING, EXPORT_RUNNING, EXPORT_READY, EXPORT_FAILED } state;
    struct export_progress progress;
    struct export_listing listing; /* when ready */
    char reason[480];              /* when failed */
    _Atomic bool is_dropped;       /* out of the list; the thread removes what is left of it */
    int64_t not_before_us;         /* monotonic */
};

struct exports {
    struct exports_opts opts;
    char *folder;                  /* DIR/exports */
    pthread_mutex_t lock;          /* of the lists and what is in them */
    pthread_cond_t changed;
    pthread_t thread;
    _Atomic bool stopping;
    struct erased *erased;
    int64_t erased_version;        /* that all of the list was compared with */
    struct export *first, *dropped;
    size_t n_making;               /* on their way into the list */
};

/* end: behind the id, "" for the folder of an export. */
void exports_path(const struct exports *exports, const char *id, const char *end, char out[static EXPORTS_PATH_BYTES]);
void exports_free_one(struct export *export);

/* The caller holds the lock. */
void exports_append(struct exports *exports, struct export *export);
struct export *exports_find(const struct exports *exports, const char *id); /* or NULL */
void exports_take_out(struct exports *exports, struct export *export);      /* for the thread to remove */
void exports_expire(struct exports *exports);
size_t exports_count(const struct exports *exports, bool only_waiting);
uint64_t exports_bytes(const struct exports *exports, const struct export *but);

#endif
