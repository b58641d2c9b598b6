#include <config.h>

#include "query/buckets.h"

#include <stdlib.h>

struct buckets {
    struct buckets_options options;
    struct view *view;
    enum quality worst;     /* that is taken in */
    struct feed *feed;
    struct block block;     /* its rows from block_i on are not taken in yet */
    size_t block_i;
    struct parts parts;     /* amounts that reach beyond the buckets given so far */
    int64_t next_us;        /* start of the next bucket */
};

bool buckets_may_use_tiers(enum kind kind, bool is_direction)
{
    return kind != KIND_STATE && !is_direction;
}

/* ---- amounts from before the range ---- */

/* Keeps those of points that start in [begin_us, end_us) and reach beyond it, and tells the longest period. */
static int keep_amounts(struct buckets *buckets, const struct points *points, int64_t begin_us, int64_t end_us,
                        int64_t *longest_us)
{
    int rc = 0;
    size_t end = points_seek(points, 0, end_us);
    for (size_t i = points_seek(points, 0, begin_us); i < end && !rc; i++) {
        int64_t t_us = points->t_us[i], period_us = points->period_us[i];
        *longest_us = period_us > *longest_us ? period_us : *longest_us;
        if (period_us > end_us - t_us && !tally_leaves_out(points->quality[i], buckets->worst))
            rc = parts_add(&buckets->parts, t_us, period_us, (struct decimal){points->m[i], points->e[i]});
    }
    return rc;
}

/* One look at the readings that start in [begin_us, end_us), those included that were carried over when they expired. */
static int look_at(struct buckets *buckets, const struct points *carry, int64_t begin_us, int64_t end_us,
                   int64_t *ret_longest_us)
{
    struct points points = {0};
    struct scan *scan;
    int64_t longest_us = 0;
    buckets->parts.n = 0;
    struct scan_options options = {begin_us, end_us, POINTS_PERIOD, range_knowledge(buckets->options.range)};
    int rc = scan_open_known(buckets->view, buckets->options.series_id, &options, &scan);
    if (rc)
        return rc;
    rc = keep_amounts(buckets, carry, begin_us, end_us, &longest_us);
    while (!rc && (rc = scan_next(scan, &points)) > 0)
        rc = keep_amounts(buckets, &points, begin_us, end_us, &longest_us);
    points_free(&points);
    scan_close(scan);
    *ret_longest_us = longest_us;
    return rc;
}

/* What was carried over when it expired, as far as it was known as of then. */
static int read_carry(struct buckets *buckets, struct points *carry)
{
    struct knowledge knowledge = range_knowledge(buckets->options.range);
    struct points all = {0};
    int rc = view_carry(buckets->view, buckets->options.series_id, &all);
    for (size_t i = 0; i < all.n && !rc; i++)
        if (knowledge_has(&knowledge, &all, i))
            rc = points_append(carry, &all, i, false);
    points_free(&all);
    return rc;
}

/* Finds the amounts that began before end_us and reach beyond it. Periods have no greatest length, so this looks back over
 * a day, and over ever more until that is four times the longest period seen. So periods up to a day are always found, and
 * longer ones unless they are hidden behind at least their fourth of shorter ones. */
static int look_back(struct buckets *buckets, int64_t end_us)
{
    int64_t longest_us = 0, back_us = US_PER_DAY;
    struct points carry = {0};
    int rc = read_carry(buckets, &carry);
    for (bool done = false; !rc && !done; back_us *= 4) {
        bool is_all = back_us >= end_us - CIVIL_MIN_US;
        rc = look_at(buckets, &carry, is_all ? CIVIL_MIN_US : end_us - back_us, end_us, &longest_us);
        done = is_all || (longest_us && longest_us <= back_us / 4);
    }
    points_free(&carry);
    return rc;
}

/* ---- taking in ---- */

/* Makes sure that the block has a row: 1 and its time, 0 at the end, or a code. */
static int peek(struct buckets *buckets, int64_t *ret_t_us)
{
    struct block *block = &buckets->block;
    if (buckets->block_i == block->n) {
        buckets->block_i = block->n = 0;
        int rc = feed_next(buckets->feed, block);
        if (rc <= 0)
            return rc;
    }
    *ret_t_us = block->points ? block->points->t_us[buckets->block_i] : block->cells[buckets->block_i].begin_us;
    return 1;
}

static bool reaches_beyond(const struct points *points, size_t begin, size_t end, int64_t end_us)
{
    bool beyond = false;
    for (size_t i = begin; i < end; i++)
        beyond |= points->period_us[i] > end_us - points->t_us[i];
    return beyond;
}

/* Amounts, some of which go on in later buckets. */
static int take_amounts(struct buckets *buckets, const struct points *points, size_t begin, size_t end, int64_t end_us,
                        struct tally *tally)
{
    int rc = 0;
    for (size_t i = begin; i < end && !rc; i++) {
        struct decimal value = {points->m[i], points->e[i]};
        int64_t t_us = points->t_us[i], period_us = points->period_us[i];
        if (tally_leaves_out(points->quality[i], buckets->worst))
            continue;
        if (period_us <= end_us - t_us) {
            tally_add_value(tally, value);
            continue;
        }
        tally_add_value(tally, part_of(value, period_us, 0, end_us - t_us));
        rc = parts_add(&buckets->parts, t_us, period_us, value);
    }
    return rc;
}

static int take_points(struct buckets *buckets, const struct points *points, size_t begin, size_t end, int64_t end_us,
                       struct bucket *bucket)
{
    enum kind kind = buckets->options.kind;
    if (kind == KIND_STATE) {
        state_tally_add_points(&bucket->states, points, begin, end, buckets->worst);
        return 0;
    }
    if (kind == KIND_INTERVAL && reaches_beyond(points, begin, end, end_us))
        return take_amounts(buckets, points, begin, end, end_us, &bucket->tally);
    if (buckets->options.is_direction)
        direction_add_points(&bucket->direction, points, begin, end, buckets->worst);
    tally_add_points(&bucket->tally, points, begin, end, buckets->worst);
    return 0;
}

/* Takes in what of the block lies before end_us. */
static int take_block(struct buckets *buckets, int64_t end_us, struct bucket *bucket)
{
    const struct block *block = &buckets->block;
    size_t begin = buckets->block_i;
    if (block->points) {
        buckets->block_i = points_seek(block->points, begin, end_us);
        return take_points(buckets, block->points, begin, buckets->block_i, end_us, bucket);
    }
    while (buckets->block_i < block->n && block->cells[buckets->block_i].begin_us < end_us)
        tally_add_cell(&bucket->tally, &block->cells[buckets->block_i++]);
    return 0;
}

static int fill_bucket(struct buckets *buckets, int64_t begin_us, int64_t end_us, struct bucket *bucket)
{
    int64_t t_us;
    int rc;
    parts_take(&buckets->parts, begin_us, end_us, &bucket->tally);
    while ((rc = peek(buckets, &t_us)) > 0 && t_us < end_us)
        if ((rc = take_block(buckets, end_us, bucket)))
            break;
    bucket->count = buckets->options.kind == KIND_STATE ? bucket->states.count : bucket->tally.count;
    return rc < 0 ? rc : 0;
}

/* ---- from bucket to bucket ---- */

int buckets_open(struct view *view, const struct buckets_options *options, struct buckets **ret_buckets)
{
    const struct range *range = options->range;
    struct buckets *buckets = calloc(1, sizeof(*buckets));
    if (!buckets)
        return ERR_NOMEM;
    buckets->options = *options;
    buckets->view = view;
    buckets->worst = range_worst(range);
    buckets->next_us = range->from_us < range->to_us ? options->begin_us : options->end_us; /* nothing is in no time */
    int64_t begin_us = options->begin_us > range->from_us ? options->begin_us : range->from_us;
    struct feed_options feed = {
        .series_id = options->series_id,
        .has_tier = options->has_tier && buckets_may_use_tiers(options->kind, options->is_direction),
        .tier = options->tier,
        .want = options->kind == KIND_INTERVAL ? POINTS_PERIOD : 0,
        .knowledge = range_knowledge(range),
        .begin_us = begin_us,
        .end_us = options->end_us,
    };
    int rc = 0;
    if (options->kind == KIND_INTERVAL && begin_us < options->end_us)
        rc = look_back(buckets, begin_us);
    if (!rc)
        rc = feed_open(view, &feed, &buckets->feed);
    if (rc) {
        buckets_close(buckets);
        return rc;
    }
    *ret_buckets = buckets;
    return 0;
}

/* Goes to the bucket of the next reading: 1, or 0 where there is none, or a code. */
static int skip_empty(struct buckets *buckets)
{
    int64_t t_us;
    if (buckets->parts.n)
        return 1;
    int rc = peek(buckets, &t_us);
    if (rc <= 0)
        return rc;
    int64_t start_us = grid_start_us(&buckets->options.range->grid, t_us);
    if (start_us > buckets->next_us)
        buckets->next_us = start_us;
    return 1;
}

int buckets_next(struct buckets *buckets, struct bucket *ret_bucket)
{
    const struct range *range = buckets->options.range;
    while (buckets->next_us < buckets->options.end_us) {
        int rc = range->fill == FILL_NONE ? skip_empty(buckets) : 1;
        if (rc <= 0)
            return rc;
        int64_t start_us = buckets->next_us, end_us = grid_next_us(&range->grid, start_us);
        int64_t from_us = start_us > range->from_us ? start_us : range->from_us;
        buckets->next_us = end_us;
        *ret_bucket = (struct bucket){.start_us = start_us};
        rc = fill_bucket(buckets, from_us, end_us < range->to_us ? end_us : range->to_us, ret_bucket);
        if (rc)
            return rc;
        if (range->fill == FILL_NULL || ret_bucket->count)
            return 1;
    }
    return 0;
}

void buckets_close(struct buckets *buckets)
{
    if (!buckets)
        return;
    feed_close(buckets->feed);
    parts_free(&buckets->parts);
    free(buckets);
}
