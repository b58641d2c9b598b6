/* The open connections, and what the HTTP library does not see of them. Its timeout counts silence only, so that a byte a minute
 * would hold a connection forever: those that do not get a request finished are cut. And it does not look at a connection that
 * is suspended: whoever works for one is told here that the client hung up. */
#ifndef HTTP_CONNECTIONS_H
#define HTTP_CONNECTIONS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

/* A connection whose last answer is done (or that is new, its handshake included) has this long to send a whole request. */
#define RECEIVE_MAX_US (60 * INT64_C(1000000))

struct connections;

/* One open connection. */
struct connection {
    struct connection *next, *previous;
    int fd;
    bool answering;        /* a whole request is here, its answer is under way */
    int64_t receiving_us;  /* since when it has been waited for (clock_mono_us) */
    _Atomic bool *gone;    /* becomes true when the client hangs up while its answer is under way; or NULL */
};

/* Starts the thread that looks after them, once a second. */
MUST_CHECK int connections_start(struct connections **ret_connections);
/* After the last connection was removed. */
void connections_stop(struct connections *connections);

/* fd stays the caller's and is open until connections_remove, which frees the connection. NULL without memory. */
struct connection *connections_add(struct connections *connections, int fd);
void connections_remove(struct connections *connections, struct connection *connection);

void connections_answering(struct connections *connections, struct connection *connection, bool answering);

/* Sets *gone within about a second when the client hangs up (or ends its side: both look the same), until the answer is done. */
void connections_watch(struct connections *connections, struct connection *connection, _Atomic bool *gone);

/* Waits until no answer is under way, at most for max_ms. */
void connections_drain(struct connections *connections, int max_ms);

#endif
