#include <config.h>

#include "http/handshakes.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#define EVENTS 64

struct handshakes {
    pthread_mutex_t lock;   /* guards first and settled */
    struct handshake *first;
    bool settled;
    int epoll, stop;        /* an event of stop, whose pointer is NULL, ends the waker */
    pthread_t waker;
};

/* ---- waking ---- */

/* One that an event is of, or the first that sleeps; false when there is none. Its connection lives at least until it is
 * resumed, and so do its fd and the handshake. */
static bool wake(struct handshakes *handshakes, struct handshake *handshake)
{
    struct MHD_Connection *connection = NULL;
    pthread_mutex_lock(&handshakes->lock);
    if (!handshake)
        handshake = handshakes->first;
    if (handshake) {
        if (handshake->next)
            handshake->next->previous = handshake->previous;
        *(handshake->previous ? &handshake->previous->next : &handshakes->first) = handshake->next;
        (void)epoll_ctl(handshakes->epoll, EPOLL_CTL_DEL, handshake->fd, NULL);
        connection = handshake->connection;
    }
    pthread_mutex_unlock(&handshakes->lock);
    if (connection)
        MHD_resume_connection(connection);
    return connection;
}

/* The only thread that resumes, so that no event is of a connection that another one resumed meanwhile. */
static void *wake_all(void *arg)
{
    struct handshakes *handshakes = arg;
    struct epoll_event events[EVENTS];
    for (bool stop = false; !stop;) {
        int n = epoll_wait(handshakes->epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++)
            if (events[i].data.ptr)
                (void)wake(handshakes, events[i].data.ptr);
            else
                stop = true;
    }
    while (wake(handshakes, NULL)) /* all are settled: no more fall asleep */
        ;
    return NULL;
}

/* ---- sleeping ---- */

/* In the connection's thread. What has come meanwhile is an event at once, for which the waker waits until all this is done. */
static void fall_asleep(struct handshake *handshake)
{
    struct handshakes *handshakes = handshake->all;
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = handshake};
    pthread_mutex_lock(&handshakes->lock);
    if (!handshakes->settled && !epoll_ctl(handshakes->epoll, EPOLL_CTL_ADD, handshake->fd, &event)) {
        MHD_suspend_connection(handshake->connection);
        handshake->previous = NULL;
        handshake->next = handshakes->first;
        if (handshake->next)
            handshake->next->previous = handshake;
        handshakes->first = handshake;
    }
    pthread_mutex_unlock(&handshakes->lock);
}

static ssize_t pull(gnutls_transport_ptr_t arg, void *data, size_t size)
{
    struct handshake *handshake = arg;
    ssize_t n = recv(handshake->fd, data, size, 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) && !handshake->done) {
        fall_asleep(handshake);
        errno = EAGAIN;
    }
    return n;
}

/* The client's last message; nothing is read for the handshake after it. */
static int on_finished(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming, const gnutls_datum_t *message)
{
    gnutls_transport_ptr_t handshake, fd;
    (void)type, (void)when, (void)message;
    gnutls_transport_get_ptr2(session, &handshake, &fd);
    if (incoming)
        ((struct handshake *)handshake)->done = true;
    return 0;
}

void handshake_begin(struct handshakes *handshakes, struct handshake *handshake, struct MHD_Connection *connection,
                     gnutls_session_t session, int fd)
{
    handshake->all = handshakes;
    handshake->connection = connection;
    handshake->fd = fd;
    gnutls_transport_set_ptr2(session, handshake, (gnutls_transport_ptr_t)(intptr_t)fd);
    gnutls_transport_set_pull_function(session, pull);
    gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_POST, on_finished);
}

/* Behind all that the waker did with it: whoever resumes it lets go of the lock first. */
void handshake_end(struct handshake *handshake)
{
    if (!handshake->all)
        return;
    pthread_mutex_lock(&handshake->all->lock);
    pthread_mutex_unlock(&handshake->all->lock);
}

/* ---- start and stop ---- */

static void free_handshakes(struct handshakes *handshakes)
{
    if (handshakes->epoll >= 0)
        close(handshakes->epoll);
    if (handshakes->stop >= 0)
        close(handshakes->stop);
    pthread_mutex_destroy(&handshakes->lock);
    free(handshakes);
}

int handshakes_start(struct handshakes **ret_handshakes)
{
    struct handshakes *handshakes = calloc(1, sizeof(*handshakes));
    if (!handshakes)
        return ERR_NOMEM;
    pthread_mutex_init(&handshakes->lock, NULL);
    handshakes->epoll = epoll_create1(EPOLL_CLOEXEC);
    handshakes->stop = eventfd(0, EFD_CLOEXEC);
    if (handshakes->epoll < 0 || handshakes->stop < 0 ||
        epoll_ctl(handshakes->epoll, EPOLL_CTL_ADD, handshakes->stop, &(struct epoll_event){.events = EPOLLIN}) ||
        pthread_create(&handshakes->waker, NULL, wake_all, handshakes)) {
        free_handshakes(handshakes);
        return ERR_NOMEM;
    }
    *ret_handshakes = handshakes;
    return 0;
}

void handshakes_settle(struct handshakes *handshakes)
{
    if (!handshakes)
        return;
    pthread_mutex_lock(&handshakes->lock);
    bool again = handshakes->settled;
    handshakes->settled = true;
    pthread_mutex_unlock(&handshakes->lock);
    if (again)
        return;
    (void)eventfd_write(handshakes->stop, 1);
    pthread_join(handshakes->waker, NULL);
}

void handshakes_stop(struct handshakes *handshakes)
{
    if (!handshakes)
        return;
    handshakes_settle(handshakes);
    free_handshakes(handshakes);
}
