#include <config.h>

#include "http/connections.h"

#include <errno.h>
#include <netinet/in.h>
#include <linux/tcp.h> /* its tcp_info knows the bytes received, glibc's does not */
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "common/clock.h"
#include "common/metrics.h"

struct connections {
    pthread_mutex_t lock;       /* guards everything below, and that a listed fd is open */
    pthread_cond_t settled;     /* no answer is being made */
    pthread_cond_t stop;        /* stopping; answers that end do not wake the watcher */
    struct connection *first;
    unsigned max, client_max, n; /* n: without those that are cut */
    int64_t scarce_until_us;
    int n_answering;
    bool stopping;
    pthread_t watcher;
};

static struct metric n_slow_senders = {
    .name = "almanac_http_slow_senders_total",
    .help = "Connections cut because no whole request came in time",
    .type = METRIC_COUNTER,
};
static struct metric n_slow_takers = {
    .name = "almanac_http_slow_takers_total",
    .help = "Connections cut because their answer was not taken in time",
    .type = METRIC_COUNTER,
};
static struct metric n_displaced = {
    .name = "almanac_http_displaced_connections_total",
    .help = "Connections cut to make room for others",
    .type = METRIC_COUNTER,
};
static struct metric n_refused = {
    .name = "almanac_http_refused_connections_total",
    .help = "Connections refused because their address has too many, or all together",
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

/* ---- cutting ---- */

/* As the kernel counts them: bytes of TLS, in whole records or not. Zeroes where it cannot say. */
static struct tcp_info counted(int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);
    (void)getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size);
    return info;
}

static void enter(struct connection *connection, enum connection_stage stage)
{
    connection->stage = stage;
    connection->since_us = clock_mono_us();
    connection->base_bytes = counted(connection->fd).tcpi_bytes_received;
    if (stage == CONNECTION_ANSWERING)
        connection->taken_us = connection->since_us;
}

/* Something has come that we did not get to yet. */
static bool is_unread(int fd)
{
    int n = 0;
    return !ioctl(fd, FIONREAD, &n) && n > 0;
}

static bool is_slow_sender(struct connection *c, const struct tcp_info *info, int64_t now_us)
{
    int64_t took_us = now_us - c->since_us;
    uint64_t n = info->tcpi_bytes_received - c->base_bytes;
    switch (c->stage) {
    case CONNECTION_HEAD:
        return took_us > HEAD_MAX_US && !is_unread(c->fd);
    case CONNECTION_BODY:
        return took_us > BODY_GRACE_US + (int64_t)(n * 1000000 / BODY_BYTES_A_SECOND) && !is_unread(c->fd);
    case CONNECTION_IDLE:
        if (n)
            enter(c, CONNECTION_HEAD);
        else if (info->tcpi_notsent_bytes)
            c->since_us = now_us; /* the last answer is still under way */
        return !n && now_us - c->since_us > IDLE_MAX_US;
    default:
        return false;
    }
}

/* Where nothing waits to be sent, it is not the client who is slow. */
static bool is_slow_taker(struct connection *c, const struct tcp_info *info, int64_t now_us, int64_t max_us)
{
    if (info->tcpi_notsent_bytes && info->tcpi_bytes_acked - c->taken_bytes < TAKE_BYTES)
        return now_us - c->taken_us > max_us;
    c->taken_us = now_us;
    c->taken_bytes = info->tcpi_bytes_acked;
    return false;
}

/* The HTTP library then sees the end of the connection and closes it. */
static void cut(struct connections *connections, struct connection *c, struct metric *why)
{
    shutdown(c->fd, SHUT_RDWR);
    c->is_cut = true;
    connections->n--;
    metric_add(why, 1);
}

/* What was not taken is dropped at the closing: else the kernel would keep it for a client that never comes for it. */
static void cut_taker(struct connections *connections, struct connection *c)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    cut(connections, c, &n_slow_takers);
}

static void cut_slow(struct connections *connections)
{
    int64_t now_us = clock_mono_us();
    if (connections->n > connections->max / 2)
        connections->scarce_until_us = now_us + SCARCE_FOR_US;
    int64_t take_max_us = now_us < connections->scarce_until_us ? TAKE_MAX_SCARCE_US : TAKE_MAX_US;
    for (struct connection *c = connections->first; c; c = c->next) {
        if (c->is_cut)
            continue;
        struct tcp_info info = c->stage == CONNECTION_HEAD ? (struct tcp_info){0} : counted(c->fd);
        if (is_slow_sender(c, &info, now_us))
            cut(connections, c, &n_slow_senders);
        else if (is_slow_taker(c, &info, now_us, take_max_us))
            cut_taker(connections, c);
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

int connections_start(unsigned max, unsigned client_max, struct connections **ret_connections)
{
    struct connections *connections = calloc(1, sizeof(*connections));
    pthread_condattr_t attributes;
    if (!connections)
        return ERR_NOMEM;
    connections->max = max;
    connections->client_max = client_max;
    connections->scarce_until_us = INT64_MIN;
    metric_add(&n_slow_takers, 0);
    metric_add(&n_displaced, 0);
    metric_add(&n_refused, 0);
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

/* ---- places ---- */

/* Whoever has IPv6 has a network of 2^64 addresses, so that counts as one. */
static uint64_t client_of(const struct sockaddr *address)
{
    uint64_t prefix = 0;
    uint32_t v4 = 0;
    if (address->sa_family == AF_INET) {
        v4 = ((const struct sockaddr_in *)address)->sin_addr.s_addr;
    } else if (address->sa_family == AF_INET6) {
        const struct in6_addr *in6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
        if (!IN6_IS_ADDR_V4MAPPED(in6)) {
            memcpy(&prefix, in6->s6_addr, sizeof(prefix));
            return prefix;
        }
        memcpy(&v4, in6->s6_addr + 12, sizeof(v4));
    }
    return UINT64_C(0xffff) << 32 | v4;
}

/* Which one is asked to leave first; below 0 is not. */
static int dispensable(const struct connection *c)
{
    static const int order[] = {
        [CONNECTION_HEAD] = 2, [CONNECTION_IDLE] = 1, [CONNECTION_BODY] = 0, [CONNECTION_ANSWERING] = -1};
    return c->is_cut ? -1 : order[c->stage];
}

/* Of one client, or of all (NULL). */
static bool make_room(struct connections *connections, const uint64_t *client)
{
    struct connection *least = NULL;
    for (struct connection *c = connections->first; c; c = c->next) {
        int more = dispensable(c) - (least ? dispensable(least) : 0);
        if (dispensable(c) >= 0 && (!client || c->client == *client) &&
            (!least || more > 0 || (!more && c->since_us < least->since_us)))
            least = c;
    }
    if (least)
        cut(connections, least, &n_displaced);
    return least;
}

bool connections_admit(struct connections *connections, const struct sockaddr *address)
{
    uint64_t client = client_of(address);
    unsigned n_same = 0;
    bool may = true;
    pthread_mutex_lock(&connections->lock);
    for (struct connection *c = connections->first; c; c = c->next)
        n_same += !c->is_cut && c->client == client;
    if (n_same >= connections->client_max)
        may = make_room(connections, &client);
    else if (connections->n >= connections->max)
        may = make_room(connections, NULL);
    pthread_mutex_unlock(&connections->lock);
    if (!may)
        metric_add(&n_refused, 1);
    return may;
}

struct connection *connections_add(struct connections *connections, int fd, const struct sockaddr *address)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (!connection)
        return NULL;
    connection->fd = fd;
    connection->client = client_of(address);
    connection->since_us = clock_mono_us();
    pthread_mutex_lock(&connections->lock);
    connection->next = connections->first;
    if (connection->next)
        connection->next->previous = connection;
    connections->first = connection;
    connections->n++;
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
    connections->n -= !connection->is_cut;
    connections->n_answering -= connection->stage == CONNECTION_ANSWERING;
    if (!connections->n_answering)
        pthread_cond_broadcast(&connections->settled);
    pthread_mutex_unlock(&connections->lock);
    handshake_end(&connection->handshake);
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
