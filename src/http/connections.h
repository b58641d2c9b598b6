/* The open connections, and what the HTTP library does not see of them. Its timeout counts silence only, so that a byte a minute
 * would hold a connection forever: those that do not get a request finished, or do not take their answer, are cut, by what the
 * kernel counts for the socket, the bytes of a handshake included. Its limit of connections makes newcomers wait until somebody
 * leaves, so that 500 who are silent shut out everybody: here a newcomer takes the place of one that has not asked anything yet.
 * And it does not look at a connection that is suspended: whoever works for one is told here that the client hung up. */
#ifndef HTTP_CONNECTIONS_H
#define HTTP_CONNECTIONS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/err.h"
#include "http/handshakes.h"
#include "http/trust.h"

/* From the accept to the end of the first head, the TLS handshake included; and from a later head's first byte to its end. */
#define HEAD_MAX_US (10 * INT64_C(1000000))
/* Between the end of an answer and the first byte of what comes next. */
#define IDLE_MAX_US (60 * INT64_C(1000000))
/* A body has ten seconds, and one more for each of so many bytes that have come. */
#define BODY_GRACE_US (10 * INT64_C(1000000))
#define BODY_BYTES_A_SECOND (16 << 10)
/* So much of an answer must be taken in each such time, or all that there is of it; in the short one while more than half of the
 * places are taken, and for a while after. Slow links and clients that pause are no attack where there is room. */
#define TAKE_BYTES (32 << 10)
#define TAKE_MAX_US (120 * INT64_C(1000000))
#define TAKE_MAX_SCARCE_US (10 * INT64_C(1000000))
#define SCARCE_FOR_US (30 * INT64_C(1000000))

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
    uint64_t client;       /* its address, of IPv6 the network */
    struct handshake handshake;
    struct peer peer;      /* who it is, by its certificate */
    enum connection_stage stage;
    bool is_cut;           /* its socket is shut, and it holds no place any more */
    int64_t since_us;      /* of the stage (clock_mono_us) */
    uint64_t base_bytes;   /* what had come when the stage began */
    int64_t taken_us;      /* when enough had been taken last, or nothing waited, */
    uint64_t taken_bytes;  /* and what had been taken then */
    _Atomic bool *gone;    /* becomes true when the client hangs up while its answer is under way; or NULL */
};

/* Starts the thread that looks after them, once a second. max in all, client_max of an address. */
MUST_CHECK int connections_start(unsigned max, unsigned client_max, struct connections **ret_connections);
/* After the last connection was removed. */
void connections_stop(struct connections *connections);

/* Whether a connection from there may be added. Where all places of its address, or all, are taken, one of these is made free: of
 * the connection that has been the longest in the midst of a head or handshake; else idle; else sending a body. Answers that are
 * under way are left alone. */
bool connections_admit(struct connections *connections, const struct sockaddr *address);

/* fd stays the caller's and is open until connections_remove, which frees the connection. NULL without memory. */
struct connection *connections_add(struct connections *connections, int fd, const struct sockaddr *address);
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
