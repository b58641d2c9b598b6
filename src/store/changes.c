#include <config.h>

#include "store/changes.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "codec/chunk_format.h"
#include "common/array.h"
#include "common/civil.h"

#define KEY_ROLE UINT64_C(3) /* of the CRC; 0 to 2 are the roles of chunks */

void changes_free(struct changes *changes)
{
    free(changes->at);
    *changes = (struct changes){0};
}

int64_t changes_row_end(const struct row *row)
{
    int64_t length_us = row->op == OP_DELETE || row->period_us < 1 ? 1 : row->period_us;
    return length_us < CIVIL_END_US - row->t_us ? row->t_us + length_us : CIVIL_END_US;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static struct change unite(const struct change *a, const struct change *b)
{
    return (struct change){smaller(a->begin_s, b->begin_s), larger(a->end_s, b->end_s), larger(a->batch, b->batch)};
}

/* Whether a says all that b says. */
static bool covers(const struct change *a, const struct change *b)
{
    return a->begin_s <= b->begin_s && a->end_s >= b->end_s && a->batch >= b->batch;
}

static bool is_near(const struct change *a, const struct change *b)
{
    return a->batch == b->batch && a->begin_s <= b->end_s + CHANGES_JOIN_S && b->begin_s <= a->end_s + CHANGES_JOIN_S;
}

/* What uniting two entries says too much, in seconds, set against the age of what it says it of: a client that asks for the last
 * ten batches may well be told of twenty, not of all. newest is the newest batch of all entries. */
static int64_t cost_of(const struct change *a, const struct change *b, int64_t newest)
{
    struct change both = unite(a, b);
    const struct change *newer = a->batch >= b->batch ? a : b;
    int64_t too_much_s = both.end_s - both.begin_s - (newer->end_s - newer->begin_s);
    if (a->batch == b->batch) /* then only the time between them is too much */
        too_much_s = larger(0, larger(a->begin_s, b->begin_s) - smaller(a->end_s, b->end_s));
    return too_much_s * 256 / (newest - newer->batch + 1); /* times are below 2^39 s */
}

static void drop_covered(struct changes *changes, const struct change *by)
{
    size_t n = 0;
    for (size_t i = 0; i < changes->n; i++)
        if (!covers(by, &changes->at[i]))
            changes->at[n++] = changes->at[i];
    changes->n = n;
}

/* Unites the two neighbours that it costs least to unite; of equals the oldest. */
static void unite_cheapest(struct changes *changes)
{
    struct change *at = changes->at;
    int64_t newest = INT64_MIN, best_cost = INT64_MAX, best_batch = INT64_MAX;
    size_t best = 0;
    for (size_t i = 0; i < changes->n; i++)
        newest = larger(newest, at[i].batch);
    for (size_t i = 0; i + 1 < changes->n; i++) {
        int64_t cost = cost_of(&at[i], &at[i + 1], newest), batch = larger(at[i].batch, at[i + 1].batch);
        if (cost > best_cost || (cost == best_cost && batch >= best_batch))
            continue;
        best_cost = cost;
        best_batch = batch;
        best = i;
    }
    at[best] = unite(&at[best], &at[best + 1]);
    changes->n--;
    memmove(&at[best + 1], &at[best + 2], (changes->n - best - 1) * sizeof(*at));
    changes->last = changes->n; /* whichever grew last: it may have moved */
}

static int compare_entries(const void *a, const void *b)
{
    const struct change *x = a, *y = b;
    if (x->begin_s != y->begin_s)
        return x->begin_s < y->begin_s ? -1 : 1;
    return x->end_s < y->end_s ? -1 : x->end_s > y->end_s;
}

/* Lets an entry grow; one that begins earlier now may have to move. */
static void grow(struct changes *changes, size_t i, const struct change *change)
{
    bool moves = change->begin_s < changes->at[i].begin_s;
    changes->at[i] = unite(&changes->at[i], change);
    changes->last = i;
    if (!moves)
        return;
    qsort(changes->at, changes->n, sizeof(*changes->at), compare_entries);
    changes->last = changes->n;
}

static void insert(struct changes *changes, const struct change *change)
{
    size_t i = changes->n++;
    for (; i && compare_entries(&changes->at[i - 1], change) > 0; i--)
        changes->at[i] = changes->at[i - 1];
    changes->at[i] = *change;
    changes->last = i;
}

int changes_add_entry(struct changes *changes, const struct change *change, size_t max)
{
    /* mostly the readings of a batch come in order, and go on where the last one was */
    if (changes->last < changes->n && is_near(&changes->at[changes->last], change)) {
        grow(changes, changes->last, change);
        return 0;
    }
    for (size_t i = 0; i < changes->n; i++) {
        if (covers(&changes->at[i], change))
            return 0;
        if (is_near(&changes->at[i], change)) {
            grow(changes, i, change);
            return 0;
        }
    }
    if (array_grow(&changes->at, &changes->cap, changes->n + 1, sizeof(*changes->at)))
        return ERR_NOMEM;
    drop_covered(changes, change);
    insert(changes, change);
    if (changes->n > max)
        unite_cheapest(changes);
    return 0;
}

static int64_t floor_s(int64_t t_us)
{
    return t_us / US_PER_SECOND - (t_us % US_PER_SECOND < 0);
}

int changes_add(struct changes *changes, int64_t begin_us, int64_t end_us, int64_t batch, size_t max)
{
    struct change change = {floor_s(begin_us), floor_s(end_us - 1) + 1, batch};
    return changes_add_entry(changes, &change, max);
}

void changes_limit(struct changes *changes, int64_t batch)
{
    for (size_t i = 0; i < changes->n; i++)
        changes->at[i].batch = smaller(changes->at[i].batch, batch);
}

/* ---- as a blob ---- */

int changes_encode(const struct changes *changes, uint32_t series_id, struct buf *out)
{
    struct buf entries = {0};
    struct change before = {0};
    for (size_t i = 0; i < changes->n; i++) {
        const struct change *change = &changes->at[i];
        buf_put_svarint(&entries, change->begin_s - before.end_s);
        buf_put_varint(&entries, (uint64_t)(change->end_s - change->begin_s));
        buf_put_svarint(&entries, change->batch - before.batch);
        before = *change;
    }
    if (!entries.failed) {
        buf_put_u32(out, chunk_crc(KEY_ROLE << 32 | series_id, entries.data, entries.n));
        buf_put(out, entries.data, entries.n);
    }
    int rc = entries.failed || out->failed ? ERR_NOMEM : 0;
    buf_free(&entries);
    return rc;
}

static bool is_time(int64_t s)
{
    return s >= CIVIL_MIN_US / US_PER_SECOND && s <= CIVIL_END_US / US_PER_SECOND;
}

/* Calls add with each entry of the blob. */
static int walk(const void *data, size_t size, uint32_t series_id, int (*add)(void *arg, const struct change *change), void *arg)
{
    const uint8_t *bytes = data;
    if (size < 5)
        return ERR_CORRUPT;
    struct reader in = {bytes, bytes + size, false};
    if (reader_u32(&in) != chunk_crc(KEY_ROLE << 32 | series_id, bytes + 4, size - 4))
        return ERR_CORRUPT;
    struct change change = {0};
    int rc = 0;
    while (in.at < in.end && !rc) {
        change.begin_s = wrap_add(change.end_s, reader_svarint(&in));
        change.end_s = wrap_add(change.begin_s, (int64_t)reader_varint(&in));
        change.batch = wrap_add(change.batch, reader_svarint(&in));
        if (in.failed || !is_time(change.begin_s) || !is_time(change.end_s) || change.begin_s >= change.end_s ||
            change.batch < 1)
            return ERR_CORRUPT;
        rc = add(arg, &change);
    }
    return rc;
}

struct joining {
    struct changes *changes;
    size_t max;
};

static int join(void *arg, const struct change *change)
{
    struct joining *joining = arg;
    return changes_add_entry(joining->changes, change, joining->max);
}

int changes_decode(const void *data, size_t size, uint32_t series_id, size_t max, struct changes *changes)
{
    return walk(data, size, series_id, join, &(struct joining){changes, max});
}

static int append(void *arg, const struct change *change)
{
    struct changes *changes = arg;
    if (array_grow(&changes->at, &changes->cap, changes->n + 1, sizeof(*changes->at)))
        return ERR_NOMEM;
    changes->at[changes->n++] = *change;
    return 0;
}

int changes_list(const void *data, size_t size, uint32_t series_id, struct changes *ret_changes)
{
    ret_changes->n = 0;
    return walk(data, size, series_id, append, ret_changes);
}
