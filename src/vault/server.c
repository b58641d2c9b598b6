#include <config.h>

#include "vault/server.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/log.h"
#include "vault/frame.h"

#define PEERS_MAX 64
#define TICK_MS 1000
#define FIRST_US (60 * INT64_C(1000000)) /* who started the process and did not come until then is gone */

struct peer {
    int fd;
    uint8_t head[FRAME_HEAD_BYTES];
    size_t n_head;
    char *text; /* the question, of size bytes, n of which have come */
    size_t size, n;
    struct buf out; /* the answer, of which sent bytes are gone */
    size_t sent;
};

struct server {
    const struct server_opts *opts;
    struct peer peers[PEERS_MAX];
    size_t n_peers;
    bool had_one; /* the one that started the process has come */
};

json_t *server_error(const char *name, const char *field, const char *format, ...)
{
    char text[480];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_t *answer = json_pack("{s:s, s:s}", "error", name, "text", text);
    if (answer && field && json_object_set_new(answer, "field", json_string(field)) != 0) {
        json_decref(answer);
        answer = NULL;
    }
    return answer;
}

/* ---- connections ---- */

static void wipe_out(struct peer *peer)
{
    if (peer->out.data)
        explicit_bzero(peer->out.data, peer->out.cap);
    buf_free(&peer->out);
    peer->sent = 0;
}

static void drop(struct server *server, size_t i)
{
    struct peer *peer = &server->peers[i];
    close(peer->fd);
    frame_drop(peer->text, peer->size);
    wipe_out(peer);
    server->peers[i] = server->peers[--server->n_peers];
}

static bool may_connect(const struct server_opts *opts, int fd)
{
    struct ucred who;
    socklen_t size = sizeof who;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0)
        return false;
    bool may = who.uid == 0;
    for (size_t i = 0; i < opts->n_users && !may; i++)
        may = who.uid == opts->users[i];
    if (!may)
        log_event(LOG_WARNING, "peer_refused", "uid=%u", (unsigned)who.uid);
    return may;
}

static void take_connections(struct server *server)
{
    int fd;
    while ((fd = accept4(server->opts->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        if (server->n_peers == PEERS_MAX || !may_connect(server->opts, fd)) {
            close(fd);
            continue;
        }
        server->peers[server->n_peers++] = (struct peer){.fd = fd};
        server->had_one = true;
    }
}

/* ---- questions and answers ---- */

static void put_answer(struct peer *peer, json_t *answer)
{
    static const char too_long[] = "{\"error\":\"invalid\",\"text\":\"the answer is longer than 2 MiB: ask for less\"}";
    size_t size = 0;
    char *text = answer ? frame_text(answer, &size) : NULL;
    if (size > FRAME_BYTES_MAX) {
        frame_drop(text, size);
        text = strdup(too_long);
        size = sizeof too_long - 1;
    }
    if (!text) {
        peer->out.failed = true;
        return;
    }
    buf_reserve(&peer->out, FRAME_HEAD_BYTES + size); /* so that nothing is copied and left behind */
    buf_put_u32(&peer->out, (uint32_t)size);
    buf_put(&peer->out, text, size);
    frame_drop(text, size);
}

static void answer_question(struct server *server, struct peer *peer)
{
    json_t *question = json_loadb(peer->text, peer->size, JSON_REJECT_DUPLICATES, NULL);
    json_t *answer = json_is_object(question) ? server->opts->answer(server->opts->arg, question)
                                              : server_error("invalid", NULL, "a question is one JSON object");
    put_answer(peer, answer);
    json_decref(answer);
    json_decref(question);
    frame_drop(peer->text, peer->size);
    peer->text = NULL;
    peer->size = peer->n = peer->n_head = 0;
}

/* Takes what has come of the head, or of the text. False: the connection is over. */
static bool take_bytes(struct peer *peer, void *into, size_t size, size_t *n_had)
{
    ssize_t n = recv(peer->fd, (char *)into + *n_had, size - *n_had, 0);
    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    *n_had += (size_t)n;
    return true;
}

/* False: the connection is over. */
static bool read_some(struct server *server, struct peer *peer)
{
    if (!peer->text) {
        if (!take_bytes(peer, peer->head, FRAME_HEAD_BYTES, &peer->n_head))
            return false;
        if (peer->n_head < FRAME_HEAD_BYTES)
            return true;
        if (frame_length(peer->head, &peer->size) != 0 || !(peer->text = malloc(peer->size)))
            return false;
    }
    if (!take_bytes(peer, peer->text, peer->size, &peer->n)) /* mostly it came with its head */
        return false;
    if (peer->n == peer->size)
        answer_question(server, peer);
    return !peer->out.failed;
}

static bool send_some(struct peer *peer)
{
    ssize_t n = send(peer->fd, peer->out.data + peer->sent, peer->out.n - peer->sent, MSG_NOSIGNAL);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    peer->sent += (size_t)n;
    if (peer->sent == peer->out.n)
        wipe_out(peer);
    return true;
}

static bool is_good(struct server *server, struct peer *peer, short events)
{
    bool good = true;
    if (peer->out.n > 0)
        return events & POLLOUT ? send_some(peer) : !(events & (POLLERR | POLLHUP));
    if (events & (POLLIN | POLLHUP | POLLERR))
        good = read_some(server, peer);
    return good && peer->out.n > 0 ? send_some(peer) : good; /* mostly it goes out at once */
}

int server_run(const struct server_opts *opts)
{
    struct server *server = calloc(1, sizeof *server);
    if (!server)
        return ERR_NOMEM;
    server->opts = opts;
    int code = 0;
    int64_t begin_us = clock_mono_us();
    while (opts->stays || server->n_peers > 0 || (!server->had_one && clock_mono_us() < begin_us + FIRST_US)) {
        struct pollfd fds[PEERS_MAX + 2];
        size_t n = server->n_peers;
        for (size_t i = 0; i < n; i++)
            fds[i] =
                (struct pollfd){.fd = server->peers[i].fd, .events = server->peers[i].out.n > 0 ? POLLOUT : POLLIN};
        fds[n] = (struct pollfd){.fd = opts->listen_fd, .events = POLLIN};
        fds[n + 1] = (struct pollfd){.fd = opts->signal_fd, .events = POLLIN};
        if (poll(fds, n + 2, TICK_MS) < 0 && errno != EINTR) {
            code = ERR_IO;
            break;
        }
        opts->tick(opts->arg);
        if (fds[n + 1].revents)
            break;
        for (size_t i = n; i-- > 0;)
            if (fds[i].revents && !is_good(server, &server->peers[i], fds[i].revents))
                drop(server, i);
        if (fds[n].revents)
            take_connections(server);
    }
    while (server->n_peers > 0)
        drop(server, server->n_peers - 1);
    opts->tick(opts->arg);
    free(server);
    return code;
}
