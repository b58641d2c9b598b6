/* The HTTPS server: libmicrohttpd with epoll and a pool of threads, TLS 1.2 and 1.3 only; workers do what computes for long. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/quota.h"
#include "http/exports.h"
#include "http/limits.h"
#include "store/access.h"
#include "store/reader.h"
#include "store/snapshots.h"

/* What /readyz and /metrics ask the program. */
struct health {
    bool serving;          /* queries can be answered */
    bool ingesting;        /* this process has the role ingest */
    bool caught_up;        /* ingest reached the ends it found when it was assigned, at least once */
    bool connected;        /* the broker answers */
    bool embedded;         /* the embedded broker is in use */
    int64_t lag, lag_us;   /* -1 unknown */
    char reason[1024];     /* what is not well, in sentences; or "" */
};

/* Where a document went. */
struct published {
    const char *topic; /* lives as long as the server */
    int32_t partition;
    int64_t offset;
};

#define SERVER_THREADS 2
#define SERVER_WORKERS 3     /* two requests that compute for long at once, and the pieces of answers that are being sent */
#define SERVER_WAITING_MAX 8 /* of such requests; at 10 s each, a client will not wait for more */

#define SERVER_CONNECTIONS 512
#define SERVER_CONNECTIONS_CLIENT 256 /* of an address */

/* A listener that has not taken after this what a view holds for it is dropped: a view keeps files and memory from going. */
#define SERVER_BEHIND_US (120 * INT64_C(1000000))

struct json_t;

/* The vault, as the program reaches it (docs/VAULT.md); each may be called from any thread, and takes a while. */
struct vault_door {
    /* Asks a question, which is stolen; the answer is the caller's. ERR_BUSY, ERR_IO: it is away, locked or cannot write what
     * was asked down; else what docs/VAULT.md says of the operation. */
    int (*ask)(void *arg, struct json_t *question, struct json_t **ret_answer, struct err_text *error);
    /* Hides from every route, durably, what the vault has erased and the store does not know yet, and tells the vault so. */
    int (*carry_over)(void *arg, struct err_text *error);
    /* Whether files still hold curves of these entities, which are hidden. */
    int (*is_pending)(void *arg, const char *const *entities, size_t n, bool *ret_pending, struct err_text *error);
    /* The topics of readings with how long Kafka keeps each: `{"topic":"P7D"}`, "none" for ever, null where that is not told.
     * NULL is no topic. */
    struct json_t *(*retentions)(void *arg);
    void *arg;
    int64_t erase_within_us; /* when files are rewritten at the latest */
};

struct server_opts {
    const char *listen;      /* "127.0.0.1:8443", "[::1]:8443"; port 0: a free one */
    const char *certificate; /* PEM files */
    const char *key;
    const char *client_ca;   /* PEM: who signs the certificates of clients; NULL or "": they are not asked for any */
    const char *client_revoked; /* a SHA-256 of a public key a line; NULL or "": none */
    bool client_required;    /* a connection without a certificate gets no answer, but health and metrics on loopback */
    struct reader_dir *dir;  /* borrowed */
    struct access *access;   /* borrowed */
    struct snapshots *snapshots; /* borrowed */
    struct exports *exports; /* borrowed; NULL: there are none here */
    struct limits_opts limits; /* of a principal */
    struct quota_limits quota; /* of a request */
    int64_t ready_lag_us;
    /* Gives an output of an optimization to Kafka and waits until that has taken it, some seconds at most, in a worker of any
     * number. ERR_BUSY, ERR_IO: it was not taken, or nobody knows. NULL: outputs are refused. */
    int (*publish)(void *arg, const void *document, size_t size, struct published *ret_place, struct err_text *error);
    void *publish_arg;
    const struct vault_door *vault; /* borrowed; NULL: there is none here */
    const char *docs;        /* a folder with Swagger UI; NULL: there is none here */
    void (*health)(void *arg, struct health *ret_health); /* from any thread */
    void *health_arg;
    unsigned connections_max, connections_client_max; /* 0: SERVER_CONNECTIONS, SERVER_CONNECTIONS_CLIENT */
    unsigned n_threads;      /* 0: SERVER_THREADS */
    unsigned n_workers;      /* 0: SERVER_WORKERS */
    unsigned n_waiting_max;  /* 0: SERVER_WAITING_MAX */
    int64_t behind_max_us;   /* 0: SERVER_BEHIND_US */
};

struct server;
/* ERR_BUSY: the port is in use; ERR_NOTFOUND, ERR_INVALID: certificate or key cannot be read; each with one clear sentence. */
MUST_CHECK int server_start(const struct server_opts *opts, struct server **ret_server, struct err_text *error);
/* Looks whether certificate, key, client_ca or client_revoked were changed, and goes on with the new ones; a broken one is
 * refused with its name in the log, and what was there before goes on. always: reads them anyhow. One thread at a time. */
void server_look(struct server *server, bool always);
uint16_t server_port(const struct server *server);
/* Refuses what has not begun, lets running answers finish for grace_ms, then cuts them; a handler that does not end early
 * (request_is_over) is waited for, since a thread cannot be cut. */
void server_stop(struct server *server, int grace_ms);

#endif
