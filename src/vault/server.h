/* The vault's end of the socket: connections, frames, one answer a question. One thread; ends with the last connection.
 */
#ifndef VAULT_SERVER_H
#define VAULT_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"

#define SERVER_USERS_MAX 4

struct server_opts {
    int listen_fd;                 /* bound and listening, not blocking; stays the caller's */
    int signal_fd;                 /* readable: end now; or -1 */
    bool stays;                    /* when the last connection ends */
    uid_t users[SERVER_USERS_MAX]; /* who may connect, besides root */
    size_t n_users;
    json_t *(*answer)(void *arg,
                      json_t *question); /* gives a new object, or NULL without memory; question is borrowed */
    void (*tick)(void *arg);             /* once a second and before the end */
    void *arg;
};

/* 0 when it is over; ERR_IO, ERR_NOMEM. */
MUST_CHECK int server_run(const struct server_opts *opts);

/* `{"error":name,"text":…,"field":…}`; field may be NULL. NULL without memory. */
json_t *server_error(const char *name, const char *field, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
