/* The open connections, and what the HTTP library does not see of them. Its timeout counts silence only, so that a byte a minute
 * would hold a connection forever: those that do not get a request finished are cut, by what the kernel says came of them, the
 * bytes of a handshake included. And it does not look at a connection that is suspended: whoever works for one is told here
 * that the client hung up. */
#ifndef HTTP_CONNECTIONS_H
#define HTTP_CONNECTIONS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "http/trust.h"

/* From the accept to the end of the first head, the TLS handshake included; and from a later head's first byte to its end. */
#define HEAD_MAX_US (10 * INT64_C(1000000))
/* Between the end of an answer and the first byte of what comes next. */
#define IDLE_MAX_US (60 * INT64_C(1000000))
/* A body has ten seconds, and one more for each of so many bytes that have come. */
#define BODY_GRACE_US (10 * INT64_C(1000000))
#define BODY_BYTES_A_SECOND (16 << 10)

struct connections;

enum connection_stage {
    CONNECTION_HEAD,      /* its handshake or a head is under way */
    CONNECTION_BODY,      /* the head is here */
    CONNECTION_ANSWERING, /* the whole request is here, its answer is under way */
    CONNECTION_IDLE,      /* answered */
};

/* One open connection. */
struct connection {
    struct connection *next, *previous;
    int fd;
    struct peer peer;      /* who it is, by its certificate */
    enum connection_stage stage;
    int64_t since_us;      /* of the stage (clock_mono_us) */
    uint64_t base_bytes;   /* what had come when the stage began */
    _Atomic bool *gone;    /* becomes true when the client hangs up while its answer is under way; or NULL */
};

/* Starts the thread that looks after them, once a second. */
MUST_CHECK int connections_start(struct connections **ret_connections);
/* After the last connection was removed. */
void connections_stop(struct connections *connections);

/* fd stays the caller's and is open until connections_remove, which frees the connection. NULL without memory. */
struct connection *connections_add(struct connections *connections, int fd);
void connections_remove(struct connections *connections, struct connection *connection);

/* The head of a request is here. */
void connections_receiving(struct connections *connections, struct connection *connection);
/* The whole request is; or its answer has ended. */
void connections_answering(struct connections *connections, struct connection *connection, bool answering);

/* Sets *gone within about a second when the client hangs up (or ends its side: both look the same), until the answer is done. */
void connections_watch(struct connections *connections, struct connection *connection, _Atomic bool *gone);

/* Waits until no answer is under way, at most for max_ms. */
void connections_drain(struct connections *connections, int max_ms);

#endif
