/* Threads for requests that compute for long, so that those of the HTTP library are free for the others.
 *
 * A job is what a worker does for one such request: first its beginning, up to the first bytes of the answer, then one piece of
 * the answer at a time. While it waits or runs it is the workers'; otherwise it is idle, and its owner's. The owner may sleep
 * until it is idle, or leave it behind. Nothing here knows the HTTP library. */
#ifndef HTTP_WORKERS_H
#define HTTP_WORKERS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

struct job;

struct job_type {
    void (*run)(struct job *job);   /* in a worker */
    void (*sleep)(struct job *job); /* in the owner's thread, within workers_begin or workers_wait */
    void (*wake)(struct job *job);  /* from any thread, once for each sleep */
    void (*free)(struct job *job);  /* in a worker: its owner has left it while it ran */
};

/* Part of what the owner keeps of a request; zeroed but for its type. */
struct job {
    const struct job_type *type;
    /* private to workers.c */
    struct job *next;
    enum { JOB_IDLE, JOB_WAITING, JOB_RUNNING } state;
    bool begins, asleep, left;
};

struct workers;

/* n threads. With more than one, beginnings leave one of them to the pieces, which are short: so an answer that is being sent
 * goes on while others are being worked out. waiting_max beginnings wait at most. ERR_NOMEM. */
MUST_CHECK int workers_start(unsigned n, size_t waiting_max, struct workers **ret_workers);

/* Has an idle job run for its beginning; its owner sleeps until then. ERR_BUSY: too many wait already, or workers_refuse was
 * called. */
MUST_CHECK int workers_begin(struct workers *workers, struct job *job);
/* Has an idle job run for its next piece. */
void workers_go_on(struct workers *workers, struct job *job);

/* 0: the job is idle, and what its run did is seen here. 1: it is not, its owner sleeps, and wake comes when it is idle.
 * ERR_CANCELLED: it is not, and nobody may sleep any more (workers_settle). */
MUST_CHECK int workers_wait(struct workers *workers, struct job *job);

/* The owner goes, awake. True: the job is idle and its owner's to free; false: it runs, and type->free comes after it. */
MUST_CHECK bool workers_leave(struct workers *workers, struct job *job);

/* The end has three steps. No beginning is taken any more, and those that wait become idle without having run. */
void workers_refuse(struct workers *workers);
/* Nobody may sleep any more; returns when all are awake, that is, when the jobs they waited for have run. */
void workers_settle(struct workers *workers);
/* When every job is idle or left. */
void workers_stop(struct workers *workers);

#endif
