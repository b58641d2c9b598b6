#include <config.h>

#include "http/live.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"

#define TICK_MS 250

struct live {
    struct reader_dir *dir;
    struct access *access;
    int64_t access_version;   /* the ticker's */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;   /* somebody listens, or it is over */
    struct listener *first;
    size_t n;
    uint64_t version;         /* of the store's position */
    char *position;           /* the ticker's; NULL at first */
    bool refusing, stopping;
};

static struct metric n_refused = {.name = "almanac_http_listeners_refused_total",
                                  .help = "Listeners that were told to come later, since there were too many"};

/* ---- the ticker ---- */

static void wake(struct listener *listener)
{
    if (!listener->asleep)
        return;
    listener->asleep = false;
    listener->sleeper.wake(listener->sleeper.arg);
}

static bool should_wake(const struct live *live, const struct listener *listener)
{
    return live->refusing || listener->seen != live->version || clock_mono_us() >= listener->due_us ||
           (listener->gone && atomic_load(listener->gone));
}

/* Whether the store is in another state than before. What hinders this the requests see for themselves. */
static bool look(struct live *live)
{
    struct view *view;
    struct err_text error = {0};
    if (view_open(live->dir, &view, &error)) {
        log_event(LOG_DEBUG, "live", "text=\"%s\"", error.text);
        return true;
    }
    const char *position = view_position(view);
    bool changed = !live->position || strcmp(live->position, position) != 0;
    if (changed) {
        free(live->position);
        live->position = strdup(position);
    }
    view_close(view);
    return changed;
}

static bool look_at_access(struct live *live)
{
    int64_t before = live->access_version;
    live->access_version = live->access ? access_version(live->access) : 0;
    return before != live->access_version;
}

static void *tick(void *arg)
{
    struct live *live = arg;
    pthread_mutex_lock(&live->lock);
    while (!live->stopping) {
        if (!live->first) {
            pthread_cond_wait(&live->changed, &live->lock);
            continue;
        }
        pthread_mutex_unlock(&live->lock);
        bool changed = look(live);
        changed = look_at_access(live) || changed;
        pthread_mutex_lock(&live->lock);
        live->version += changed;
        for (struct listener *listener = live->first; listener; listener = listener->next)
            if (should_wake(live, listener))
                wake(listener);
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += TICK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        while (!live->stopping && !pthread_cond_timedwait(&live->changed, &live->lock, &until))
            ;
    }
    pthread_mutex_unlock(&live->lock);
    return NULL;
}

int live_start(struct reader_dir *dir, struct access *access, struct live **ret_live)
{
    struct live *live = calloc(1, sizeof(*live));
    pthread_condattr_t monotonic;
    if (!live)
        return ERR_NOMEM;
    live->dir = dir;
    live->access = access;
    pthread_mutex_init(&live->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&live->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    metric_add(&n_refused, 0);
    if (pthread_create(&live->thread, NULL, tick, live)) {
        pthread_cond_destroy(&live->changed);
        pthread_mutex_destroy(&live->lock);
        free(live);
        return ERR_NOMEM;
    }
    *ret_live = live;
    return 0;
}

void live_refuse(struct live *live)
{
    pthread_mutex_lock(&live->lock);
    live->refusing = true;
    for (struct listener *listener = live->first; listener; listener = listener->next)
        wake(listener);
    pthread_mutex_unlock(&live->lock);
}

void live_stop(struct live *live)
{
    if (!live)
        return;
    pthread_mutex_lock(&live->lock);
    live->stopping = true;
    pthread_cond_broadcast(&live->changed);
    pthread_mutex_unlock(&live->lock);
    pthread_join(live->thread, NULL);
    pthread_cond_destroy(&live->changed);
    pthread_mutex_destroy(&live->lock);
    free(live->position);
    free(live);
}

/* ---- listeners ---- */

int live_add(struct live *live, struct listener *listener)
{
    pthread_mutex_lock(&live->lock);
    bool busy = live->n == LIVE_LISTENERS_MAX;
    if (!busy) {
        listener->seen = live->version;
        listener->due_us = clock_mono_us() + LIVE_SILENCE_US;
        listener->next = live->first;
        listener->previous = NULL;
        if (live->first)
            live->first->previous = listener;
        live->first = listener;
        live->n++;
        pthread_cond_broadcast(&live->changed);
    }
    pthread_mutex_unlock(&live->lock);
    metric_add(&n_refused, busy);
    return busy ? ERR_BUSY : 0;
}

void live_remove(struct live *live, struct listener *listener)
{
    pthread_mutex_lock(&live->lock);
    *(listener->previous ? &listener->previous->next : &live->first) = listener->next;
    if (listener->next)
        listener->next->previous = listener->previous;
    live->n--;
    pthread_mutex_unlock(&live->lock);
}

int live_wait(struct live *live, struct listener *listener, int64_t said_us, const struct sleeper *sleeper)
{
    int rc = 0;
    pthread_mutex_lock(&live->lock);
    listener->due_us = said_us + LIVE_SILENCE_US;
    if (live->refusing || (listener->gone && atomic_load(listener->gone))) {
        rc = ERR_CANCELLED;
    } else if (should_wake(live, listener)) {
        listener->seen = live->version;
    } else {
        listener->sleeper = *sleeper;
        listener->asleep = true;
        sleeper->sleep(sleeper->arg);
        rc = 1;
    }
    pthread_mutex_unlock(&live->lock);
    return rc;
}
