#include <config.h>

#include "http/leases.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/hash.h"

struct lease {
    char name[LEASE_NAME_MAX], owner[LEASE_OWNER_MAX];
    struct view *view; /* NULL: free */
    int users;
    int64_t used_us;   /* last */
};

struct leases {
    pthread_mutex_t lock;
    struct lease rows[LEASES_MAX];
};

struct leases *leases_new(void)
{
    struct leases *leases = calloc(1, sizeof(*leases));
    if (leases)
        pthread_mutex_init(&leases->lock, NULL);
    return leases;
}

void leases_free(struct leases *leases)
{
    if (!leases)
        return;
    for (size_t i = 0; i < LEASES_MAX; i++)
        view_close(leases->rows[i].view);
    pthread_mutex_destroy(&leases->lock);
    free(leases);
}

/* Ends what was left for too long; the caller holds the lock. */
static void expire(struct leases *leases, int64_t now_us)
{
    for (size_t i = 0; i < LEASES_MAX; i++) {
        struct lease *lease = &leases->rows[i];
        if (lease->view && !lease->users && now_us - lease->used_us > LEASE_US) {
            view_close(lease->view);
            lease->view = NULL;
        }
    }
}

/* A free row, or the unused one that was used longest ago, emptied; NULL when all are in use. */
static struct lease *make_room(struct leases *leases)
{
    struct lease *oldest = NULL;
    for (size_t i = 0; i < LEASES_MAX; i++) {
        struct lease *lease = &leases->rows[i];
        if (!lease->view)
            return lease;
        if (!lease->users && (!oldest || lease->used_us < oldest->used_us))
            oldest = lease;
    }
    if (oldest) {
        view_close(oldest->view);
        oldest->view = NULL;
    }
    return oldest;
}

int leases_put(struct leases *leases, struct view *view, const char *owner, char ret_name[static LEASE_NAME_MAX])
{
    uint8_t secret[16];
    hash_random(secret, sizeof(secret));
    pthread_mutex_lock(&leases->lock);
    int64_t now_us = clock_mono_us();
    expire(leases, now_us);
    struct lease *lease = make_room(leases);
    if (lease) {
        *lease = (struct lease){.view = view, .users = 1, .used_us = now_us};
        snprintf(lease->owner, sizeof(lease->owner), "%s", owner);
        hash_base64url(secret, sizeof(secret), lease->name);
        memcpy(ret_name, lease->name, LEASE_NAME_MAX);
    }
    pthread_mutex_unlock(&leases->lock);
    return lease ? 0 : ERR_LIMIT;
}

int leases_take(struct leases *leases, const char *owner, const char *name, size_t size, struct view **ret_view)
{
    int rc = ERR_EXPIRED;
    pthread_mutex_lock(&leases->lock);
    int64_t now_us = clock_mono_us();
    expire(leases, now_us);
    for (size_t i = 0; i < LEASES_MAX && rc; i++) {
        struct lease *lease = &leases->rows[i];
        if (!lease->view || strlen(lease->name) != size || memcmp(lease->name, name, size) != 0 ||
            strcmp(lease->owner, owner) != 0)
            continue;
        lease->users++;
        lease->used_us = now_us;
        *ret_view = lease->view;
        rc = 0;
    }
    pthread_mutex_unlock(&leases->lock);
    return rc;
}

void leases_give(struct leases *leases, struct view *view)
{
    pthread_mutex_lock(&leases->lock);
    for (size_t i = 0; i < LEASES_MAX; i++) {
        if (leases->rows[i].view == view) {
            leases->rows[i].users--;
            leases->rows[i].used_us = clock_mono_us();
        }
    }
    pthread_mutex_unlock(&leases->lock);
}
