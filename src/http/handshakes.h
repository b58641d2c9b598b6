/* TLS handshakes that wait for their client.
 *
 * libmicrohttpd 0.9.75 with epoll goes on calling a handshake that has begun until it is done: one client that sends half of
 * its first message keeps a thread at full speed. So a connection is suspended where its handshake wants bytes that are not
 * there, and resumed by a thread of ours when the kernel has some, or the connection has ended. */
#ifndef HTTP_HANDSHAKES_H
#define HTTP_HANDSHAKES_H

#include <stdbool.h>

#include <gnutls/gnutls.h>

#include "common/err.h"

struct MHD_Connection;
struct handshakes;

/* One of a connection, zeroed before handshake_begin. */
struct handshake {
    struct handshakes *all;
    struct handshake *next, *previous; /* among those that are suspended */
    struct MHD_Connection *connection;
    int fd;
    bool done; /* of the connection's thread alone */
};

MUST_CHECK int handshakes_start(struct handshakes **ret_handshakes);
/* Resumes all, and lets none be suspended from here on: before libmicrohttpd is stopped. */
void handshakes_settle(struct handshakes *handshakes);
void handshakes_stop(struct handshakes *handshakes);

/* Before the session's first byte; it reads from fd through us from here on, and handshake lives as long as it. */
void handshake_begin(struct handshakes *handshakes, struct handshake *handshake, struct MHD_Connection *connection,
                     gnutls_session_t session, int fd);
/* The connection has ended; handshake may go. */
void handshake_end(struct handshake *handshake);

#endif
