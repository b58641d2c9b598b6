#include <config.h>

#include "http/server.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gnutls/abstract.h>
#include <microhttpd.h>

#include "common/clock.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/metrics.h"
#include "http/connections.h"
#include "http/framing.h"
#include "http/handshakes.h"
#include "http/listen.h"
#include "http/live.h"
#include "http/route.h"
#include "http/trust.h"
#include "http/workers.h"

/* Request line and headers, and the buffer an answer is sent from. The HTTP library clears all of it for each request. */
#define CONNECTION_BYTES (128 << 10)
#define SILENCE_MAX_S 120            /* a client that neither sends nor takes anything */
#define BODY_SWALLOW_BYTES (8 * LIMIT_BODY_BYTES) /* read and dropped of a refused body before the connection is cut */

#define VERIFIERS 3                  /* two of them begin (http/workers.h): so many passwords at a time, of 64 MiB each */
#define VERIFIED_WAITING_MAX 32      /* at some tenths of a second each */

/* The profile says how strong a client's certificate must be: 2048 bits of RSA, 256 of a curve. (Verify flags of the credentials
 * must not say so as well: GnuTLS ors both into a profile that is another.) */
static const char tls_priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE:%PROFILE_MEDIUM";

struct server {
    struct server_opts opts;
    struct MHD_Daemon *daemon;
    struct connections *connections;
    struct handshakes *handshakes;
    struct workers *workers;
    struct workers *verifiers; /* of passwords; apart, so that guessing them holds up nobody else */
    struct leases *leases;
    struct limits *limits;
    struct live *live;
    struct trust *trust;
    uint16_t port;
    _Atomic bool stopping; /* no request is taken any more */
    _Atomic bool cut;      /* no answer is finished any more */
};

/* One request and its answer. Where its job is with the workers, request, reply and ahead are theirs; while the answer is sent,
 * its stream and ahead alone. */
struct exchange {
    struct job job;     /* first */
    struct server *server;
    struct MHD_Connection *handle;
    struct request request;
    struct reply reply;
    struct buf body;
    struct connection *connection;
    char *target;
    size_t body_size;   /* bytes that came, kept or not */
    size_t sent;        /* of reply.body */
    bool headed;        /* route_head has run */
    bool verifying;     /* the job is with the verifiers */
    bool working;       /* a worker makes, or has made, the answer */
    bool done;          /* the stream has ended */
    struct buf ahead;   /* of an answer that a worker makes: the piece behind reply.body, */
    int ahead_rc;       /* and what its making came to */
    _Atomic bool gone;  /* the client hung up */
    int64_t begin_us;
};

static struct metric requests[] = {
    {.name = "almanac_http_requests_total", .help = "Answers by class of status", .labels = "status=\"2xx\""},
    {.name = "almanac_http_requests_total", .help = "Answers by class of status", .labels = "status=\"4xx\""},
    {.name = "almanac_http_requests_total", .help = "Answers by class of status", .labels = "status=\"5xx\""},
};
static struct metric n_broken = {.name = "almanac_http_broken_answers_total",
                                 .help = "Answers that failed midway: their connection was broken"};
static struct histogram seconds = {.name = "almanac_http_request_seconds",
                                   .help = "From the whole request to the end of its answer"};

/* ---- making ---- */

/* The next bytes of a streamed answer: 1, 0 when they are the last ones, or a code. */
static int make_piece(struct exchange *exchange, struct buf *out)
{
    struct stream *stream = exchange->reply.stream;
    struct err_text error = {0};
    int rc;
    buf_clear(out);
    do {
        rc = stream->fill(stream, out, &error);
    } while (rc > 0 && !out->n && !stream->wait);
    if (rc >= 0 && out->failed)
        rc = ERR_NOMEM;
    if (rc < 0 && !request_is_over(&exchange->request)) {
        if (quota_is_over(&exchange->request.quota))
            error = exchange->request.quota.why;
        metric_add(&n_broken, 1);
        log_event(LOG_ERROR, "answer_broken", "code=%d text=\"%s\"", rc, error.text);
    }
    return rc;
}

/* In a verifier the password; in a worker first the answer with the first bytes of its stream, then a piece each time. */
static void run_job(struct job *job)
{
    struct exchange *exchange = (struct exchange *)job;
    if (exchange->request.unverified)
        route_verify(&exchange->request, &exchange->reply);
    else if (exchange->reply.status)
        exchange->ahead_rc = make_piece(exchange, &exchange->ahead);
    else if (!request_is_over(&exchange->request))
        route_answer(&exchange->request, &exchange->reply);
}

static void suspend_job(struct job *job)
{
    MHD_suspend_connection(((struct exchange *)job)->handle);
}

static void resume_job(struct job *job)
{
    MHD_resume_connection(((struct exchange *)job)->handle);
}

static void free_exchange(struct job *job)
{
    struct exchange *exchange = (struct exchange *)job;
    reply_done(&exchange->reply);
    request_done(&exchange->request);
    buf_free(&exchange->body);
    buf_free(&exchange->ahead);
    free(exchange->target);
    free(exchange);
}

static const struct job_type job_type = {run_job, suspend_job, resume_job, free_exchange};

/* ---- sending ---- */

/* Takes the piece that a worker has made, and has it make the next one meanwhile: 1, 0 while there is none, or -1. */
static int take_piece(struct exchange *exchange)
{
    struct workers *workers = exchange->server->workers;
    int rc = workers_wait(workers, &exchange->job);
    if (rc)
        return rc < 0 ? -1 : 0;
    struct buf sent = exchange->reply.body;
    exchange->reply.body = exchange->ahead;
    exchange->ahead = sent;
    exchange->sent = 0;
    exchange->done = !exchange->ahead_rc;
    if (exchange->ahead_rc < 0)
        return -1;
    if (!exchange->done)
        workers_go_on(workers, &exchange->job);
    return 1;
}

static void suspend_connection(void *arg)
{
    MHD_suspend_connection(arg);
}

static void resume_connection(void *arg)
{
    MHD_resume_connection(arg);
}

/* 0: there may be more now; 1: the connection sleeps until then; below 0: the answer has ended. */
static int wait_for_news(struct exchange *exchange)
{
    struct stream *stream = exchange->reply.stream;
    int rc = stream->wait(stream, &(struct sleeper){suspend_connection, resume_connection, exchange->handle});
    exchange->done = rc < 0;
    return rc;
}

/* Comes to the next bytes once the last ones are sent; as take_piece. */
static int go_on(struct exchange *exchange)
{
    if (exchange->working)
        return take_piece(exchange);
    int rc;
    exchange->sent = 0;
    while ((rc = make_piece(exchange, &exchange->reply.body)) > 0 && !exchange->reply.body.n) {
        rc = wait_for_news(exchange);
        if (rc)
            return rc < 0;
    }
    exchange->done = !rc;
    return rc < 0 ? -1 : 1;
}

/* MHD asks for the next bytes of a streamed answer. A piece of the stream at a time, then others have their turn. */
static ssize_t send_more(void *arg, uint64_t position, char *out, size_t max)
{
    struct exchange *exchange = arg;
    struct reply *reply = &exchange->reply;
    (void)position;
    if (exchange->sent == reply->body.n && !exchange->done) {
        int rc = go_on(exchange);
        if (rc <= 0)
            return rc < 0 ? MHD_CONTENT_READER_END_WITH_ERROR : 0; /* 0: suspended, asked again then */
    }
    size_t n = reply->body.n - exchange->sent;
    if (!n) {
        request_leave(&exchange->request);
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    n = n < max ? n : max;
    memcpy(out, reply->body.data + exchange->sent, n);
    exchange->sent += n;
    limits_spend(exchange->request.limited, n);
    return (ssize_t)n;
}

static ssize_t send_file(void *arg, uint64_t position, char *out, size_t max)
{
    struct exchange *exchange = arg;
    const struct reply_file *file = &exchange->reply.file;
    uint64_t left = file->size - position;
    ssize_t n = pread(file->fd, out, left < max ? left : max, (off_t)(file->offset + position));
    if (n <= 0)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    limits_spend(exchange->request.limited, (uint64_t)n);
    if ((uint64_t)n == left)
        request_leave(&exchange->request);
    return n;
}

static enum MHD_Result send_reply(struct exchange *exchange, struct MHD_Connection *connection)
{
    struct reply *reply = &exchange->reply;
    struct MHD_Response *response;
    if (reply->body.failed) {
        reply->body.failed = false;
        reply_problem(reply, 503, "", "out of memory");
    }
    if (reply->file.is_there) {
        response = MHD_create_response_from_callback(reply->file.size, STREAM_BYTES, send_file, exchange, NULL);
    } else if (reply->stream) {
        response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BYTES, send_more, exchange, NULL);
    } else {
        response = MHD_create_response_from_buffer(reply->body.n, reply->body.data ? (void *)reply->body.data : "",
                                                   MHD_RESPMEM_PERSISTENT); /* lives until on_completed */
    }
    if (!response)
        return MHD_NO;
    if (reply->type)
        (void)MHD_add_response_header(response, "Content-Type", reply->type);
    reply_protect(reply);
    for (size_t i = 0; i < reply->n_headers; i++)
        (void)MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value);
    if (atomic_load(&exchange->server->stopping))
        (void)MHD_add_response_header(response, "Connection", "close");
    if (!reply->stream && !reply->file.is_there) { /* before the client can have it and come again */
        limits_spend(exchange->request.limited, strcmp(exchange->request.method, "HEAD") ? reply->body.n : 0);
        request_leave(&exchange->request);
    }
    metric_add(&requests[reply->status < 400 ? 0 : reply->status < 500 ? 1 : 2], 1);
    enum MHD_Result queued = MHD_queue_response(connection, reply->status, response);
    MHD_destroy_response(response);
    if (reply->stream && reply->stream->wait && exchange->connection)
        connections_watch(exchange->server->connections, exchange->connection, &exchange->gone);
    if (exchange->working && reply->stream)
        workers_go_on(exchange->server->workers, &exchange->job);
    return queued;
}

/* ---- receiving ---- */

/* The first of MHD's calls for a request: the target as it was sent. */
static void *on_target(void *arg, const char *target, struct MHD_Connection *connection)
{
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    if (!exchange)
        return NULL;
    exchange->job.type = &job_type;
    exchange->server = arg;
    exchange->handle = connection;
    exchange->target = strdup(target);
    if (!exchange->target) {
        free(exchange);
        return NULL;
    }
    return exchange;
}

static void read_head(struct exchange *exchange, struct MHD_Connection *connection, const char *method,
                      const char *version)
{
    struct request *request = &exchange->request;
    request->opts = &exchange->server->opts;
    request->leases = exchange->server->leases;
    request->gone = &exchange->gone;
    request->cut = &exchange->server->cut;
    request->method = method;
    request->version = version;
    request->target = exchange->target;
    request->authorization = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
    request->accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Accept");
    request->accept_encoding = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Accept-Encoding");
    request->live = exchange->server->live;
    request->limits = exchange->server->limits;
    request->last_event_id = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Last-Event-ID");
    request->if_none_match = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "If-None-Match");
    request->range = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Range");
    request->if_range = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "If-Range");
    request->content_type = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Type");
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    request->loopback = info && address_is_loopback(info->client_addr);
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    exchange->connection = info ? info->socket_context : NULL;
    if (exchange->connection && trust_stands(exchange->server->trust, &exchange->connection->peer))
        request->peer = &exchange->connection->peer;
    request->certificate = request->peer ? request->peer->spki : NULL;
    request->trust = exchange->server->trust;
}

/* Where certificates are required, nobody without one learns anything, but on this machine how we are. */
static bool is_stranger(const struct exchange *exchange)
{
    const struct request *request = &exchange->request;
    if (!exchange->server->opts.client_required || request->certificate)
        return false;
    return !request->loopback || !request->route || request->route->access != ACCESS_LOOPBACK;
}

static void refuse_body(struct exchange *exchange)
{
    reply_done(&exchange->reply);
    reply_problem(&exchange->reply, 413, "", "the body is over %d bytes", LIMIT_BODY_BYTES);
}

static void refuse_stopping(struct exchange *exchange)
{
    reply_header(&exchange->reply, "Retry-After", "5");
    reply_problem(&exchange->reply, 503, "", "the server is stopping");
}

/* Judges the head. The body of a refused request is read and dropped, since a client that is busy sending may never see an
 * answer before its end; but not one that waits for our word before it sends (Expect), nor one that announces too much, nor one
 * whose end is in doubt: the HTTP library closes the connection after an answer that comes before the body. */
static enum MHD_Result take_head(struct exchange *exchange, struct MHD_Connection *connection)
{
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
    unsigned long long size = length ? strtoull(length, NULL, 10) : 0;
    exchange->headed = true;
    if (exchange->connection)
        connections_receiving(exchange->server->connections, exchange->connection);
    if (atomic_load(&exchange->server->stopping))
        refuse_stopping(exchange);
    else
        route_head(&exchange->request, &exchange->reply);
    if (is_stranger(exchange))
        return MHD_NO;
    const char *doubt = framing_doubt(connection);
    if (doubt)
        reply_problem(&exchange->reply, 400, "", "%s", doubt);
    else if (!exchange->reply.status && size > LIMIT_BODY_BYTES)
        refuse_body(exchange);
    bool waits = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Expect") != NULL;
    if (exchange->reply.status && (doubt || waits || size > BODY_SWALLOW_BYTES))
        return send_reply(exchange, connection);
    return MHD_YES;
}

/* One piece of the body. */
static enum MHD_Result take_body(struct exchange *exchange, const char *data, size_t size)
{
    exchange->body_size += size;
    if (exchange->body_size > BODY_SWALLOW_BYTES)
        return MHD_NO;
    if (exchange->body_size > LIMIT_BODY_BYTES) {
        buf_free(&exchange->body);
        if (!exchange->reply.status)
            refuse_body(exchange);
    } else if (!exchange->reply.status) {
        buf_put(&exchange->body, data, size);
    }
    return MHD_YES;
}

/* Has a thread run the job; the connection is suspended until then. */
static bool begin_job(struct exchange *exchange, struct workers *workers)
{
    if (exchange->connection)
        connections_watch(exchange->server->connections, exchange->connection, &exchange->gone);
    if (!workers_begin(workers, &exchange->job))
        return true;
    reply_header(&exchange->reply, "Retry-After", "5");
    reply_problem(&exchange->reply, 503, "", "too many requests are being worked on or wait for it: try again in some seconds");
    return false;
}

/* Makes the answer in this thread, unless its handler finds that it takes too long for that. */
static void answer_here(struct exchange *exchange)
{
    struct request *request = &exchange->request;
    request->may_defer = true;
    route_answer(request, &exchange->reply);
    request->may_defer = false;
    if (request->is_deferred)
        exchange->working = begin_job(exchange, exchange->server->workers);
}

/* The connection is resumed. */
static enum MHD_Result finish_work(struct exchange *exchange, struct MHD_Connection *connection)
{
    if (workers_wait(exchange->server->workers, &exchange->job) || request_is_over(&exchange->request))
        return MHD_NO;
    if (!exchange->reply.status)
        refuse_stopping(exchange);
    return send_reply(exchange, connection);
}

/* Who asks is known, and may, or the reply is made. */
static enum MHD_Result answer_verified(struct exchange *exchange, struct MHD_Connection *connection)
{
    struct request *request = &exchange->request;
    if (!exchange->reply.status && request->route->is_long)
        exchange->working = begin_job(exchange, exchange->server->workers);
    else if (!exchange->reply.status)
        answer_here(exchange);
    return exchange->working ? MHD_YES : send_reply(exchange, connection);
}

/* The connection is resumed. */
static enum MHD_Result finish_verifying(struct exchange *exchange, struct MHD_Connection *connection)
{
    if (workers_wait(exchange->server->verifiers, &exchange->job) || request_is_over(&exchange->request))
        return MHD_NO;
    exchange->verifying = false;
    if (exchange->request.unverified)
        refuse_stopping(exchange);
    return answer_verified(exchange, connection);
}

/* The whole request is here; MHD goes on to call this until there is an answer. */
static enum MHD_Result answer(struct exchange *exchange, struct MHD_Connection *connection)
{
    struct request *request = &exchange->request;
    if (exchange->verifying)
        return finish_verifying(exchange, connection);
    if (exchange->working)
        return finish_work(exchange, connection);
    exchange->begin_us = clock_mono_us();
    if (exchange->connection)
        connections_answering(exchange->server->connections, exchange->connection, true);
    if (!exchange->reply.status && exchange->body.failed)
        reply_problem(&exchange->reply, 503, "", "out of memory");
    request->body = exchange->body.data ? (const char *)exchange->body.data : "";
    request->body_size = exchange->body.n;
    if (!exchange->reply.status && request->unverified)
        exchange->verifying = begin_job(exchange, exchange->server->verifiers);
    return exchange->verifying ? MHD_YES : answer_verified(exchange, connection);
}

/* MHD calls this once for the head, once for each piece of the body, and once at the request's end. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *size, void **context)
{
    struct exchange *exchange = *context;
    (void)arg;
    (void)url;
    if (!exchange)
        return MHD_NO;
    if (!exchange->headed) {
        read_head(exchange, connection, method, version);
        return take_head(exchange, connection);
    }
    if (*size) {
        enum MHD_Result taken = take_body(exchange, data, *size);
        *size = 0;
        return taken;
    }
    return answer(exchange, connection);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode how)
{
    struct exchange *exchange = *context;
    struct server *server = arg;
    (void)connection;
    (void)how;
    if (!exchange)
        return;
    if (exchange->begin_us)
        histogram_observe_us(&seconds, clock_mono_us() - exchange->begin_us);
    if (exchange->connection)
        connections_answering(server->connections, exchange->connection, false);
    *context = NULL;
    atomic_store(&exchange->gone, true); /* a worker that is ahead makes no more */
    struct workers *workers = exchange->verifying ? server->verifiers : exchange->working ? server->workers : NULL;
    if (!workers || workers_leave(workers, &exchange->job))
        free_exchange(&exchange->job);
}

/* Without memory for this the session has no certificate of ours, and its handshake fails. */
static void greet(struct server *server, struct MHD_Connection *connection, bool loopback, struct connection *added)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (!info)
        return;
    trust_greet(server->trust, info->tls_session, server->opts.client_required && !loopback, &added->peer);
    handshake_begin(server->handshakes, &added->handshake, connection, info->tls_session, added->fd);
}

/* The HTTP library wants one way to a certificate; greet has given the session its own before this could be asked. */
static int no_certificate(gnutls_session_t session, const gnutls_datum_t *authorities, int n_authorities,
                          const gnutls_pk_algorithm_t *algorithms, int n_algorithms, gnutls_pcert_st **ret_chain,
                          unsigned *ret_n_chain, gnutls_privkey_t *ret_key)
{
    (void)session, (void)authorities, (void)n_authorities, (void)algorithms, (void)n_algorithms;
    (void)ret_chain, (void)ret_n_chain, (void)ret_key;
    return -1;
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct server *server = arg;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        const struct sockaddr *address =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
        struct connection *added = connections_add(server->connections, fd, address);
        *socket_context = added;
        if (added)
            greet(server, connection, address_is_loopback(address), added);
    } else {
        connections_remove(server->connections, *socket_context);
        *socket_context = NULL;
    }
}

/* ---- start and stop ---- */

/* What the HTTP library has to say is about clients that went away or spoke no TLS: for a debugging eye only. */
static void on_log(void *arg, const char *format, va_list args)
{
    char text[256];
    (void)arg;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    vsnprintf(text, sizeof(text), format, args);
#pragma GCC diagnostic pop
    log_event(LOG_DEBUG, "http", "text=\"%s\"", text);
}

/* Nobody new is let in while the server stops. (MHD_quiesce_daemon would say so to the kernel, but in 0.9.75 it and a thread
 * of the pool may both take the socket out of epoll, and the second one ends the process.) */
static enum MHD_Result on_accept(void *arg, const struct sockaddr *address, socklen_t address_size)
{
    struct server *server = arg;
    (void)address_size;
    return !atomic_load(&server->stopping) && connections_admit(server->connections, address) ? MHD_YES : MHD_NO;
}

static struct MHD_Daemon *start_daemon(struct server *server, int fd)
{
    unsigned n_threads = server->opts.n_threads ? server->opts.n_threads : SERVER_THREADS;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TLS | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    return MHD_start_daemon(
        flags, server->port, on_accept, server, on_request, server,
        MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_THREAD_POOL_SIZE, n_threads,
        MHD_OPTION_HTTPS_CERT_CALLBACK, no_certificate,
        MHD_OPTION_HTTPS_PRIORITIES, tls_priorities,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
        MHD_OPTION_CONNECTION_LIMIT, 2 * n_threads * server->opts.connections_max, /* the limit is on_accept's */
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENCE_MAX_S,
        MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_URI_LOG_CALLBACK, on_target, server,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
        MHD_OPTION_END);
}

static int start_workers(struct server *server)
{
    const struct server_opts *opts = &server->opts;
    int rc = workers_start(opts->n_workers ? opts->n_workers : SERVER_WORKERS,
                           opts->n_waiting_max ? opts->n_waiting_max : SERVER_WAITING_MAX, &server->workers);
    return rc ? rc : workers_start(VERIFIERS, VERIFIED_WAITING_MAX, &server->verifiers);
}

static void free_server(struct server *server)
{
    workers_stop(server->verifiers);
    workers_stop(server->workers);
    live_stop(server->live);
    handshakes_stop(server->handshakes);
    connections_stop(server->connections);
    leases_free(server->leases);
    limits_free(server->limits);
    trust_close(server->trust);
    free(server);
}

int server_start(const struct server_opts *opts, struct server **ret_server, struct err_text *error)
{
    struct server *server = calloc(1, sizeof(*server));
    int fd = -1;
    if (!server)
        return err_set(error, ERR_NOMEM, "out of memory");
    server->opts = *opts;
    if (!opts->connections_max)
        server->opts.connections_max = SERVER_CONNECTIONS;
    if (!opts->connections_client_max)
        server->opts.connections_client_max = SERVER_CONNECTIONS_CLIENT;
    struct trust_opts trust = {opts->certificate, opts->key, opts->client_ca, opts->client_revoked, opts->client_required};
    int rc = trust_open(&trust, &server->trust, error);
    if (!rc)
        rc = listen_open(opts->listen, &fd, &server->port, error);
    if (!rc && (!(server->leases = leases_new()) || !(server->limits = limits_new(&opts->limits))))
        rc = err_set(error, ERR_NOMEM, "out of memory");
    if (!rc && ((rc = connections_start(server->opts.connections_max, server->opts.connections_client_max,
                                       &server->connections)) ||
                (rc = handshakes_start(&server->handshakes)) || (rc = start_workers(server)) ||
                (rc = live_start(opts->dir, opts->access, &server->live))))
        err_set(error, rc, "no memory or thread for the server on \"%s\"", opts->listen);
    if (!rc && !(server->daemon = start_daemon(server, fd)))
        rc = err_set(error, ERR_IO, "the server on \"%s\" cannot be started: threads, memory or files are short",
                     opts->listen);
    if (rc) {
        if (fd >= 0)
            close(fd);
        free_server(server);
        return rc;
    }
    *ret_server = server;
    return 0;
}

void server_look(struct server *server, bool always)
{
    struct err_text error = {0};
    int rc = trust_look(server->trust, always, &error);
    if (rc > 0)
        log_event(LOG_INFO, "certificates_read", "certificate=\"%s\"", server->opts.certificate);
    else if (rc < 0)
        log_event(LOG_ERROR, "certificates_refused", "text=\"%s\" what_was_read_before=\"goes on\"", error.text);
}

uint16_t server_port(const struct server *server)
{
    return server->port;
}

void server_stop(struct server *server, int grace_ms)
{
    if (!server)
        return;
    atomic_store(&server->stopping, true);
    workers_refuse(server->verifiers);
    workers_refuse(server->workers);
    live_refuse(server->live);
    connections_drain(server->connections, grace_ms);
    atomic_store(&server->cut, true);
    workers_settle(server->verifiers);
    workers_settle(server->workers);
    handshakes_settle(server->handshakes); /* MHD cannot stop while a connection is suspended */
    MHD_stop_daemon(server->daemon);
    free_server(server);
}
