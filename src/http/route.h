/* Which handler a request goes to, and what is checked before it gets there: the version of HTTP, path, method, credentials,
 * scope, readiness, parameters and media type, in this order. */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/quota.h"
#include "http/accept.h"
#include "http/leases.h"
#include "http/limits.h"
#include "http/parameters.h"
#include "http/reply.h"
#include "http/server.h"
#include "http/shape.h"
#include "http/spec.h"
#include "store/access.h"

/* A request as it came, without the HTTP library. Texts are borrowed; those that may be NULL say so. The parameters last
 * as long as the reply's stream, the other texts until the handler returns. */
struct request {
    const struct server_opts *opts;
    struct leases *leases;       /* NULL: a cursor goes on in the newest state */
    struct live *live;           /* who listens; NULL: nobody can */
    struct limits *limits;       /* of principals; NULL: none */
    const char *method, *version;
    const char *target;          /* path and query as sent */
    const char *authorization;   /* NULL: none */
    const struct peer *peer;     /* the client with a verified certificate, as long as its connection; NULL: none */
    struct trust *trust;         /* that is asked whether it stands */
    const uint8_t *certificate;  /* SHA-256 of the key of the client's verified certificate; NULL: none */
    const char *accept;          /* NULL: none */
    const char *accept_encoding; /* NULL: none */
    const char *if_none_match;   /* NULL: none */
    const char *range, *if_range; /* NULL: none */
    const char *last_event_id;   /* NULL: none */
    const char *content_type;    /* NULL: none */
    bool loopback;               /* the client is on this machine */
    const void *body;
    size_t body_size;
    const _Atomic bool *gone;    /* becomes true when the client hangs up, */
    const _Atomic bool *cut;     /* and when the server ends all answers; NULL: never */
    uint64_t *n_rows;            /* a range answer counts its rows here; NULL: nobody asks */
    bool may_defer;              /* a handler that finds much to do may set is_deferred and return 0 without an answer: it is
                                  * called again in a worker, as if its route were is_long */
    bool is_deferred;

    /* filled in on the way to the handler */
    char path[256];              /* decoded */
    char id[256], file[256];     /* what stands for {id} (or another name) and {file} of the path, decoded; else "" */
    const struct route *route;
    struct principal principal;
    struct limited *limited;     /* his place among those that run; NULL: without limits, or not any more */
    struct quota quota;          /* what the request reads; its dir counts on it */
    enum scope scope;            /* that the principal is let in by */
    struct reader_dir *dir;      /* the store as the principal may see it; handlers know no other one */
    bool owns_dir;
    bool unverified;             /* the password is still to be computed: route_verify */
    struct parameters parameters;
    const struct media *media;   /* the chosen one; NULL where a route has none */
};

enum access_needed {
    ACCESS_SCOPE,    /* credentials with the route's scope, and a store that can be asked */
    ACCESS_LOOPBACK, /* the same from elsewhere; nothing on this machine, and before queries can be answered */
    ACCESS_PUBLIC,   /* nothing: what it answers is the same for everybody */
};

struct route {
    const char *method;            /* GET answers HEAD too */
    const char *path;              /* a part may be a parameter such as "{id}", and another one "{file}": any text without a
                                    * bare slash */
    unsigned scope;                /* enum scope */
    enum access_needed access;
    bool is_whole;                 /* tells of more than entities (all routes of SCOPE_OPS do): a limited scope is not enough */
    bool takes_aggregate;          /* SCOPE_AGGREGATE is enough; the handler then tells no more than that allows */
    bool is_long;                  /* computes for long: handler and stream run in a worker, and end early when request_is_over */
    const char *leaves_out;        /* an empty part may stand before this last part: a parameter that is left out; or NULL */
    bool takes_document;           /* the body is a JSON object of the client's own, not parameters */
    const struct spec *const *parameters; /* what it takes, ended by NULL */
    const struct media *media;     /* what it can answer with, the default first, ended by a NULL name; or NULL */
    /* 0 with the reply made, or a code and text for reply_error. */
    int (*handler)(struct request *request, struct reply *reply, struct err_text *error);
    /* How errors of the parameters and the handler are told; NULL: as problems (RFC 9457). */
    void (*fail)(struct reply *reply, int code, const struct err_text *error);
    const char *summary, *answer;  /* for people: what it does, and what a good answer is */
    const struct shape *shape;     /* what the JSON of a good answer looks like; NULL: that is not told */
    const char *example;           /* takes_document: one, as JSON */
};

extern const struct route routes[]; /* routes.c; ended by a NULL method */

/* The checks that need no body. Leaves reply->status 0 when the request may go on. */
void route_head(struct request *request, struct reply *reply);

/* Of a request that route_head left unverified: the check of its password, which takes some tenths of a second. Leaves
 * reply->status 0 when the request may go on. */
void route_verify(struct request *request, struct reply *reply);

/* The rest of the checks, and the handler; the body is whole, and the request verified. May be called again after a handler has
 * deferred. */
void route_answer(struct request *request, struct reply *reply);

/* Whether nobody waits for the answer any more; for handlers and streams that compute for long, as often as they like. */
bool request_is_over(const struct request *request);

/* It runs no more: its place is free for another request of its principal. */
void request_leave(struct request *request);

void request_done(struct request *request);

#endif
