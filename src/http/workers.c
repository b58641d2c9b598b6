#include <config.h>

#include "http/workers.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/metrics.h"

/* Jobs that wait for a thread, the first one first. */
struct queue {
    struct job *first, **end;
    size_t n;
};

struct workers {
    pthread_mutex_t lock;     /* guards everything below, and the private part of each job */
    pthread_cond_t waiting;   /* a job waits, or stopping */
    pthread_cond_t woken;     /* nobody sleeps */
    struct queue beginnings, pieces;
    size_t waiting_max;       /* beginnings */
    unsigned n_beginning;     /* of those that run */
    unsigned n_asleep;
    bool piece_last;          /* what was taken last: they take turns */
    bool refusing, settling, stopping;
    unsigned n_threads;
    pthread_t threads[];
};

static struct metric n_refused = {.name = "almanac_http_busy_total",
                                  .help = "Requests refused because too many wait that compute for long"};

/* ---- queues ---- */

static void append(struct queue *queue, struct job *job)
{
    job->next = NULL;
    *queue->end = job;
    queue->end = &job->next;
    queue->n++;
}

static void unlink_job(struct queue *queue, struct job *job)
{
    struct job **at = &queue->first;
    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    if (queue->end == &job->next)
        queue->end = at;
    queue->n--;
}

static void put_to_sleep(struct workers *workers, struct job *job)
{
    job->type->sleep(job);
    job->asleep = true;
    workers->n_asleep++;
}

static void queue_job(struct workers *workers, struct job *job, bool begins)
{
    job->begins = begins;
    job->state = JOB_WAITING;
    append(begins ? &workers->beginnings : &workers->pieces, job);
    pthread_cond_signal(&workers->waiting);
}

/* How many beginnings may run at once. */
static unsigned beginning_max(const struct workers *workers)
{
    return workers->n_threads > 1 ? workers->n_threads - 1 : 1;
}

/* The job whose turn it is, or NULL. */
static struct job *take_job(struct workers *workers)
{
    struct job *piece = workers->pieces.first;
    struct job *beginning = workers->n_beginning < beginning_max(workers) ? workers->beginnings.first : NULL;
    struct job *job = piece && (!beginning || !workers->piece_last) ? piece : beginning;
    if (!job)
        return NULL;
    unlink_job(job->begins ? &workers->beginnings : &workers->pieces, job);
    workers->piece_last = !job->begins;
    workers->n_beginning += job->begins;
    job->state = JOB_RUNNING;
    return job;
}

/* ---- threads ---- */

static void make_idle(struct workers *workers, struct job *job)
{
    job->state = JOB_IDLE;
    if (!job->asleep)
        return;
    job->asleep = false;
    job->type->wake(job);
    if (!--workers->n_asleep)
        pthread_cond_broadcast(&workers->woken);
}

static void *work(void *arg)
{
    struct workers *workers = arg;
    pthread_mutex_lock(&workers->lock);
    while (!workers->stopping) {
        struct job *job = take_job(workers);
        if (!job) {
            pthread_cond_wait(&workers->waiting, &workers->lock);
            continue;
        }
        pthread_mutex_unlock(&workers->lock);
        job->type->run(job);
        pthread_mutex_lock(&workers->lock);
        if (job->begins) {
            workers->n_beginning--;
            pthread_cond_signal(&workers->waiting); /* another may begin, perhaps in a thread that found none */
        }
        if (job->left) {
            pthread_mutex_unlock(&workers->lock);
            job->type->free(job);
            pthread_mutex_lock(&workers->lock);
        } else {
            make_idle(workers, job);
        }
    }
    pthread_mutex_unlock(&workers->lock);
    return NULL;
}

int workers_start(unsigned n, size_t waiting_max, struct workers **ret_workers)
{
    struct workers *workers = calloc(1, sizeof(*workers) + n * sizeof(pthread_t));
    if (!workers)
        return ERR_NOMEM;
    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->waiting, NULL);
    pthread_cond_init(&workers->woken, NULL);
    workers->beginnings.end = &workers->beginnings.first;
    workers->pieces.end = &workers->pieces.first;
    workers->waiting_max = waiting_max;
    metric_add(&n_refused, 0);
    bool started = true;
    pthread_mutex_lock(&workers->lock); /* they look at their number */
    while (started && workers->n_threads < n)
        if ((started = !pthread_create(&workers->threads[workers->n_threads], NULL, work, workers)))
            workers->n_threads++;
    pthread_mutex_unlock(&workers->lock);
    if (!started) {
        workers_stop(workers);
        return ERR_NOMEM;
    }
    *ret_workers = workers;
    return 0;
}

void workers_stop(struct workers *workers)
{
    if (!workers)
        return;
    pthread_mutex_lock(&workers->lock);
    workers->stopping = true;
    pthread_cond_broadcast(&workers->waiting);
    pthread_mutex_unlock(&workers->lock);
    for (unsigned i = 0; i < workers->n_threads; i++)
        pthread_join(workers->threads[i], NULL);
    pthread_cond_destroy(&workers->woken);
    pthread_cond_destroy(&workers->waiting);
    pthread_mutex_destroy(&workers->lock);
    free(workers);
}

/* ---- owners ---- */

int workers_begin(struct workers *workers, struct job *job)
{
    pthread_mutex_lock(&workers->lock);
    size_t n = workers->n_beginning + workers->beginnings.n;
    bool busy = workers->refusing || n >= beginning_max(workers) + workers->waiting_max;
    if (!busy) {
        put_to_sleep(workers, job);
        queue_job(workers, job, true);
    }
    pthread_mutex_unlock(&workers->lock);
    metric_add(&n_refused, busy);
    return busy ? ERR_BUSY : 0;
}

void workers_go_on(struct workers *workers, struct job *job)
{
    pthread_mutex_lock(&workers->lock);
    queue_job(workers, job, false);
    pthread_mutex_unlock(&workers->lock);
}

int workers_wait(struct workers *workers, struct job *job)
{
    pthread_mutex_lock(&workers->lock);
    int rc = job->state == JOB_IDLE ? 0 : workers->settling ? ERR_CANCELLED : 1;
    if (rc > 0)
        put_to_sleep(workers, job);
    pthread_mutex_unlock(&workers->lock);
    return rc;
}

bool workers_leave(struct workers *workers, struct job *job)
{
    pthread_mutex_lock(&workers->lock);
    if (job->state == JOB_WAITING) {
        unlink_job(job->begins ? &workers->beginnings : &workers->pieces, job);
        job->state = JOB_IDLE;
    }
    bool idle = job->state == JOB_IDLE;
    job->left = !idle;
    pthread_mutex_unlock(&workers->lock);
    return idle;
}

void workers_refuse(struct workers *workers)
{
    pthread_mutex_lock(&workers->lock);
    workers->refusing = true;
    while (workers->beginnings.first) {
        struct job *job = workers->beginnings.first;
        unlink_job(&workers->beginnings, job);
        make_idle(workers, job);
    }
    pthread_mutex_unlock(&workers->lock);
}

void workers_settle(struct workers *workers)
{
    pthread_mutex_lock(&workers->lock);
    workers->settling = true;
    while (workers->n_asleep)
        pthread_cond_wait(&workers->woken, &workers->lock);
    pthread_mutex_unlock(&workers->lock);
}
