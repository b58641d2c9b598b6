#include <config.h>

#include "http/connections.h"

#include <errno.h>
#include <netinet/in.h>
#include <linux/tcp.h> /* its tcp_info knows the bytes received, glibc's does not */
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "common/clock.h"
#include "common/metrics.h"

struct connections {
    pthread_mutex_t lock;       /* guards everything below, and that a listed fd is open */
    pthread_cond_t settled;     /* no answer is being made */
    pthread_cond_t stop;        /* stopping; answers that end do not wake the watcher */
    struct connection *first;
    int n_answering;
    bool stopping;
    pthread_t watcher;
};

static struct metric n_cut = {
    .name = "almanac_http_slow_senders_total",
    .help = "Connections cut because no whole request came in time",
    .type = METRIC_COUNTER,
};

static struct timespec in_ms(int ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += ms % 1000 * 1000000L;
    if (at.tv_nsec >= 1000000000L) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000L;
    }
    return at;
}

/* What has come from the client, as the kernel counts it: records of TLS, whole or not. */
static uint64_t bytes_received(int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) ? 0 : info.tcpi_bytes_received;
}

static void enter(struct connection *connection, enum connection_stage stage)
{
    connection->stage = stage;
    connection->since_us = clock_mono_us();
    connection->base_bytes = bytes_received(connection->fd);
}

static bool is_slow(struct connection *c, int64_t now_us)
{
    int64_t took_us = now_us - c->since_us;
    switch (c->stage) {
    case CONNECTION_HEAD:
        return took_us > HEAD_MAX_US;
    case CONNECTION_BODY:
        return took_us > BODY_GRACE_US && took_us > BODY_GRACE_US + (int64_t)((bytes_received(c->fd) - c->base_bytes) *
                                                                              1000000 / BODY_BYTES_A_SECOND);
    case CONNECTION_IDLE:
        if (bytes_received(c->fd) == c->base_bytes)
            return took_us > IDLE_MAX_US;
        enter(c, CONNECTION_HEAD);
        return false;
    default:
        return false;
    }
}

/* Shuts the sockets of slow senders; the HTTP library then sees the end of the connection and closes it. */
static void cut_slow(struct connections *connections)
{
    int64_t now_us = clock_mono_us();
    for (struct connection *c = connections->first; c; c = c->next)
        if (is_slow(c, now_us)) {
            shutdown(c->fd, SHUT_RDWR);
            c->since_us = now_us; /* counted once */
            metric_add(&n_cut, 1);
        }
}

static void tell_gone(struct connections *connections)
{
    for (struct connection *c = connections->first; c; c = c->next) {
        struct pollfd end = {.fd = c->fd, .events = POLLRDHUP};
        if (c->gone && poll(&end, 1, 0) > 0) {
            atomic_store(c->gone, true);
            c->gone = NULL;
        }
    }
}

static void *watch(void *arg)
{
    struct connections *connections = arg;
    pthread_mutex_lock(&connections->lock);
    while (!connections->stopping) {
        struct timespec until = in_ms(1000);
        int rc = 0;
        while (!connections->stopping && rc != ETIMEDOUT)
            rc = pthread_cond_timedwait(&connections->stop, &connections->lock, &until);
        cut_slow(connections);
        tell_gone(connections);
    }
    pthread_mutex_unlock(&connections->lock);
    return NULL;
}

int connections_start(struct connections **ret_connections)
{
    struct connections *connections = calloc(1, sizeof(*connections));
    pthread_condattr_t attributes;
    if (!connections)
        return ERR_NOMEM;
    pthread_mutex_init(&connections->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&connections->settled, &attributes);
    pthread_cond_init(&connections->stop, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&connections->watcher, NULL, watch, connections)) {
        pthread_cond_destroy(&connections->settled);
        pthread_cond_destroy(&connections->stop);
        pthread_mutex_destroy(&connections->lock);
        free(connections);
        return ERR_NOMEM;
    }
    *ret_connections = connections;
    return 0;
}

void connections_stop(struct connections *connections)
{
    if (!connections)
        return;
    pthread_mutex_lock(&connections->lock);
    connections->stopping = true;
    pthread_cond_broadcast(&connections->stop);
    pthread_mutex_unlock(&connections->lock);
    pthread_join(connections->watcher, NULL);
    pthread_cond_destroy(&connections->settled);
    pthread_cond_destroy(&connections->stop);
    pthread_mutex_destroy(&connections->lock);
    free(connections);
}

struct connection *connections_add(struct connections *connections, int fd)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (!connection)
        return NULL;
    connection->fd = fd;
    connection->since_us = clock_mono_us();
    pthread_mutex_lock(&connections->lock);
    connection->next = connections->first;
    if (connection->next)
        connection->next->previous = connection;
    connections->first = connection;
    pthread_mutex_unlock(&connections->lock);
    return connection;
}

void connections_remove(struct connections *connections, struct connection *connection)
{
    if (!connection)
        return;
    pthread_mutex_lock(&connections->lock);
    if (connection->next)
        connection->next->previous = connection->previous;
    *(connection->previous ? &connection->previous->next : &connections->first) = connection->next;
    connections->n_answering -= connection->stage == CONNECTION_ANSWERING;
    if (!connections->n_answering)
        pthread_cond_broadcast(&connections->settled);
    pthread_mutex_unlock(&connections->lock);
    trust_dismiss(&connection->peer);
    free(connection);
}

void connections_receiving(struct connections *connections, struct connection *connection)
{
    pthread_mutex_lock(&connections->lock);
    enter(connection, CONNECTION_BODY);
    pthread_mutex_unlock(&connections->lock);
}

void connections_answering(struct connections *connections, struct connection *connection, bool answering)
{
    pthread_mutex_lock(&connections->lock);
    connections->n_answering += answering - (connection->stage == CONNECTION_ANSWERING);
    enter(connection, answering ? CONNECTION_ANSWERING : CONNECTION_IDLE);
    connection->gone = NULL;
    if (!connections->n_answering)
        pthread_cond_broadcast(&connections->settled);
    pthread_mutex_unlock(&connections->lock);
}

void connections_watch(struct connections *connections, struct connection *connection, _Atomic bool *gone)
{
    pthread_mutex_lock(&connections->lock);
    connection->gone = gone;
    pthread_mutex_unlock(&connections->lock);
}

void connections_drain(struct connections *connections, int max_ms)
{
    struct timespec until = in_ms(max_ms);
    int rc = 0;
    pthread_mutex_lock(&connections->lock);
    while (connections->n_answering && !rc)
        rc = pthread_cond_timedwait(&connections->settled, &connections->lock, &until);
    pthread_mutex_unlock(&connections->lock);
}
