#include <config.h>

#include "http/limits.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/clock.h"

#define SECOND_US INT64_C(1000000)

struct limited {
    struct limits *limits;
    enum access_kind kind;
    char name[sizeof(((struct principal *)NULL)->name)];
    int64_t n_running;
    int64_t paid_us;   /* when all that was answered is paid for, a second's worth included; of the monotonic clock */
};

struct limits {
    struct limits_opts opts;
    pthread_mutex_t lock;
    struct limited **rows; /* who runs something or owes something, and some others */
    size_t n, cap;
};

struct limits *limits_new(const struct limits_opts *opts)
{
    struct limits *limits = calloc(1, sizeof(*limits));
    if (!limits)
        return NULL;
    limits->opts = *opts;
    pthread_mutex_init(&limits->lock, NULL);
    return limits;
}

void limits_free(struct limits *limits)
{
    if (!limits)
        return;
    for (size_t i = 0; i < limits->n; i++)
        free(limits->rows[i]);
    free(limits->rows);
    pthread_mutex_destroy(&limits->lock);
    free(limits);
}

/* Forgets who neither runs nor owes anything; the caller holds the lock, here and below. */
static void sweep(struct limits *limits, int64_t now_us)
{
    size_t n = 0;
    for (size_t i = 0; i < limits->n; i++) {
        struct limited *row = limits->rows[i];
        if (row->n_running || row->paid_us > now_us)
            limits->rows[n++] = row;
        else
            free(row);
    }
    limits->n = n;
}

static struct limited *find(const struct limits *limits, const struct principal *principal)
{
    for (size_t i = 0; i < limits->n; i++)
        if (limits->rows[i]->kind == principal->kind && !strcmp(limits->rows[i]->name, principal->name))
            return limits->rows[i];
    return NULL;
}

static struct limited *add(struct limits *limits, const struct principal *principal, int64_t now_us)
{
    if (limits->n == limits->cap)
        sweep(limits, now_us);
    bool failed = array_grow(&limits->rows, &limits->cap, limits->n + 1, sizeof(struct limited *));
    struct limited *row = failed ? NULL : calloc(1, sizeof(*row));
    if (!row)
        return NULL;
    row->limits = limits;
    row->kind = principal->kind;
    memcpy(row->name, principal->name, sizeof(row->name));
    limits->rows[limits->n++] = row;
    return row;
}

/* A second's worth of bytes may be answered ahead. */
static int64_t debt_us(const struct limited *row, int64_t now_us)
{
    return row->paid_us - now_us - SECOND_US;
}

static int check(const struct limited *row, int64_t now_us, int64_t *ret_wait_s, struct err_text *error)
{
    const struct limits_opts *opts = &row->limits->opts;
    int64_t owed_us = debt_us(row, now_us);
    *ret_wait_s = 1;
    if (opts->concurrent && row->n_running >= opts->concurrent)
        return err_set(error, ERR_QUOTA, "%" PRId64 " requests of \"%s\" are running already, and there may be no more at "
                       "once (limits.concurrent): ask again when one has been answered", row->n_running, row->name);
    if (!opts->bytes_per_s || owed_us <= 0)
        return 0;
    *ret_wait_s = (owed_us + SECOND_US - 1) / SECOND_US;
    return err_set(error, ERR_QUOTA, "\"%s\" was answered more than %" PRId64 " bytes a second (limits.bytes_per_s): ask again "
                   "in %" PRId64 " s", row->name, opts->bytes_per_s, *ret_wait_s);
}

int limits_enter(struct limits *limits, const struct principal *principal, struct limited **ret_place,
                 int64_t *ret_wait_s, struct err_text *error)
{
    *ret_place = NULL;
    if (!limits || (!limits->opts.concurrent && !limits->opts.bytes_per_s))
        return 0;
    pthread_mutex_lock(&limits->lock);
    int64_t now_us = clock_mono_us();
    struct limited *row = find(limits, principal);
    row = row ? row : add(limits, principal, now_us);
    int rc = row ? check(row, now_us, ret_wait_s, error) : err_set(error, ERR_NOMEM, "out of memory");
    if (!rc) {
        row->n_running++;
        *ret_place = row;
    }
    pthread_mutex_unlock(&limits->lock);
    return rc;
}

void limits_spend(struct limited *place, uint64_t n_bytes)
{
    if (!place || !place->limits->opts.bytes_per_s)
        return;
    struct limits *limits = place->limits;
    uint64_t rate = (uint64_t)limits->opts.bytes_per_s;
    pthread_mutex_lock(&limits->lock);
    int64_t now_us = clock_mono_us();
    uint64_t whole_s = n_bytes / rate, rest_us = (n_bytes % rate * (uint64_t)SECOND_US + rate - 1) / rate;
    place->paid_us = (place->paid_us > now_us ? place->paid_us : now_us) + (int64_t)(whole_s * (uint64_t)SECOND_US + rest_us);
    pthread_mutex_unlock(&limits->lock);
}

void limits_leave(struct limited *place)
{
    if (!place)
        return;
    pthread_mutex_lock(&place->limits->lock);
    place->n_running--;
    pthread_mutex_unlock(&place->limits->lock);
}
