#include <config.h>

#include "store/heads.h"

#include <pthread.h>
#include <stdlib.h>

#define SLOTS 256 /* a power of two; series whose ids end alike take turns: that bounds the memory */

struct heads {
    pthread_mutex_t lock;
    struct head *slots[SLOTS];
};

struct head *head_new(uint32_t series_id)
{
    struct head *head = calloc(1, sizeof(*head));
    if (!head)
        return NULL;
    head->refs = 1;
    head->series_id = series_id;
    return head;
}

void head_drop(struct head *head)
{
    if (!head || --head->refs)
        return;
    settled_free(&head->settled);
    free(head);
}

struct heads *heads_new(void)
{
    struct heads *heads = calloc(1, sizeof(*heads));
    if (heads)
        pthread_mutex_init(&heads->lock, NULL);
    return heads;
}

void heads_free(struct heads *heads)
{
    if (!heads)
        return;
    for (size_t i = 0; i < SLOTS; i++)
        head_drop(heads->slots[i]);
    pthread_mutex_destroy(&heads->lock);
    free(heads);
}

struct head *heads_take(struct heads *heads, uint32_t series_id)
{
    pthread_mutex_lock(&heads->lock);
    struct head *head = heads->slots[series_id & (SLOTS - 1)];
    if (head && head->series_id == series_id)
        head->refs++;
    else
        head = NULL;
    pthread_mutex_unlock(&heads->lock);
    return head;
}

void heads_keep(struct heads *heads, struct head *head)
{
    struct head **slot = &heads->slots[head->series_id & (SLOTS - 1)], *before;
    head->refs++;
    pthread_mutex_lock(&heads->lock);
    before = *slot;
    *slot = head;
    pthread_mutex_unlock(&heads->lock);
    head_drop(before);
}
