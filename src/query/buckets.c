#include <config.h>

#include "query/buckets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query/agg.h"
#include "query/needs.h"
#include "query/neighbour.h"
#include "query/outcome.h"

struct buckets {
    struct buckets_options options;
    enum kind kind;
    unsigned needs;         /* enum need */
    bool is_traced;         /* it matters what lies between readings, or when they are */
    bool is_plain_gain;     /* resets are all that a register's decrease can be */
    struct view *view;
    struct feed_options feed_options;
    struct feed *feed;
    struct block block;     /* its rows from block_i on are not taken in yet */
    size_t block_i;
    struct parts parts;     /* amounts that reach beyond the buckets given so far */
    int64_t next_us;        /* start of the next bucket */
    /* of the bucket at work, where it is needed: */
    struct values values;
    struct squares squares;
    int64_t covered_end_us; /* of amounts: up to where time is covered */
    /* what lies between readings */
    struct path path;
    char state[LIMIT_STATE_BYTES + 1]; /* the one that came last */
    int64_t newest_us;      /* of all readings; CIVIL_MIN_US: none */
    struct seen after;      /* the first reading behind the range, as far as it matters */
    bool has_after, is_after_known;
};

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
        if (period_us > end_us - t_us && !tally_is_worse(points->quality[i], buckets->feed_options.worst))
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
    struct scan_options options = {begin_us, end_us, POINTS_PERIOD, buckets->feed_options.knowledge};
    int rc = scan_open_known(buckets->view, buckets->options.info->id, &options, &scan);
    if (rc)
        return rc;
    buckets->parts.n = 0;
    rc = keep_amounts(buckets, carry, begin_us, end_us, &longest_us);
    while (!rc && (rc = scan_next(scan, &points)) > 0)
        rc = keep_amounts(buckets, &points, begin_us, end_us, &longest_us);
    points_free(&points);
    scan_close(scan);
    *ret_longest_us = longest_us;
    return rc;
}

/* What was carried over when it expired, as far as it counts. */
static int read_carry(struct buckets *buckets, struct points *carry)
{
    struct points all = {0};
    int rc = view_carry(buckets->view, buckets->options.info->id, &all);
    for (size_t i = 0; i < all.n && !rc; i++)
        if (knowledge_has(&buckets->feed_options.knowledge, &all, i))
            rc = points_append(carry, &all, i, false);
    points_free(&all);
    return rc;
}

/* Finds the amounts that began before end_us and reach beyond it. Periods have no greatest length, so this looks back over
 * a day, and over ever more until that is four times the longest period seen. So periods up to a day are always found, and
 * longer ones unless they are hidden behind at least their fourth of shorter ones; as of an instant, only as far back as it
 * can be told what was known then. */
static int look_back(struct buckets *buckets, int64_t end_us)
{
    int64_t longest_us = 0, back_us = US_PER_DAY;
    struct points carry = {0};
    int rc = read_carry(buckets, &carry);
    for (bool done = false; !rc && !done; back_us *= 4) {
        bool is_all = back_us >= end_us - CIVIL_MIN_US;
        rc = look_at(buckets, &carry, is_all ? CIVIL_MIN_US : end_us - back_us, end_us, &longest_us);
        if (rc == ERR_EXPIRED && back_us > US_PER_DAY && !knowledge_is_all(&buckets->feed_options.knowledge)) {
            rc = 0;
            break;
        }
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

/* The time that an amount adds to what those before it cover of the bucket that ends at end_us. */
static int64_t covers(struct buckets *buckets, int64_t t_us, int64_t period_us, int64_t end_us)
{
    int64_t from_us = t_us > buckets->covered_end_us ? t_us : buckets->covered_end_us;
    int64_t to_us = period_us < end_us - t_us ? t_us + period_us : end_us;
    if (from_us >= to_us)
        return 0;
    buckets->covered_end_us = to_us;
    return to_us - from_us;
}

/* Amounts, some of which go on in later buckets. */
static int take_amounts(struct buckets *buckets, const struct points *points, size_t begin, size_t end, struct bucket *bucket)
{
    int rc = 0;
    for (size_t i = begin; i < end && !rc; i++) {
        struct decimal value = {points->m[i], points->e[i]};
        int64_t t_us = points->t_us[i], period_us = points->period_us[i];
        if (tally_leaves_out(points->quality[i]))
            continue;
        if (buckets->needs & NEED_COVER)
            bucket->covered_us += covers(buckets, t_us, period_us, bucket->to_us);
        if (period_us > bucket->to_us - t_us) {
            rc = parts_add(&buckets->parts, t_us, period_us, value);
            value = part_of(value, period_us, 0, bucket->to_us - t_us);
            bucket->n_splits++;
        }
        tally_add_value(&bucket->tally, value);
        if (!rc && buckets->needs & NEED_VALUES)
            rc = values_add(&buckets->values, value);
    }
    return rc;
}

/* Which readings had the least and the greatest value so far. */
static void note_times(struct bucket *bucket, const struct cell *cell)
{
    const struct tally *tally = &bucket->tally;
    if (!tally->count || decimal_compare(cell->min, tally->min) < 0)
        bucket->min_us = cell->min_us;
    if (!tally->count || decimal_compare(cell->max, tally->max) > 0)
        bucket->max_us = cell->max_us;
}

static void take_cell(struct buckets *buckets, const struct cell *cell, struct bucket *bucket)
{
    if (buckets->is_traced) {
        note_times(bucket, cell);
        path_take(&buckets->path, cell);
    }
    tally_add_cell(&bucket->tally, cell);
}

/* States have no cells, but time between them. */
static void take_states(struct buckets *buckets, const struct points *points, size_t begin, size_t end, struct bucket *bucket)
{
    state_tally_add_points(&bucket->states, points, begin, end);
    if (!buckets->is_traced)
        return;
    for (size_t i = begin; i < end; i++)
        path_reach(&buckets->path, (struct seen){points->t_us[i], {0, 0}});
    if (begin < end)
        snprintf(buckets->state, sizeof(buckets->state), "%s", bucket->states.last);
}

static void take_traced(struct buckets *buckets, const struct points *points, size_t begin, size_t end, struct bucket *bucket)
{
    struct cell_options options = {.kind = buckets->kind, .max_gap_us = buckets->path.options.max_gap_us};
    struct cell cell;
    if (buckets->is_plain_gain) {
        if (cell_of(points, begin, end, &options, &cell))
            take_cell(buckets, &cell, bucket);
        return;
    }
    tally_add_points(&bucket->tally, points, begin, end);
    for (size_t i = begin; i < end; i++)
        path_reach(&buckets->path, (struct seen){points->t_us[i], {points->m[i], points->e[i]}});
}

static void add_squares(struct squares *squares, const struct points *points, size_t begin, size_t end)
{
    bool is_even = true;
    for (size_t i = begin; i < end; i++)
        is_even &= points->e[i] == points->e[begin] && !tally_leaves_out(points->quality[i]);
    if (is_even && begin < end)
        squares_add_even(squares, points->m + begin, end - begin, points->e[begin]);
    for (size_t i = begin; i < end && !is_even; i++)
        if (!tally_leaves_out(points->quality[i]))
            squares_add(squares, (struct decimal){points->m[i], points->e[i]});
}

static int take_points(struct buckets *buckets, const struct points *points, size_t begin, size_t end, struct bucket *bucket)
{
    if (buckets->kind == KIND_STATE) {
        take_states(buckets, points, begin, end, bucket);
        return 0;
    }
    if (buckets->kind == KIND_INTERVAL && (buckets->needs & NEED_COVER || reaches_beyond(points, begin, end, bucket->to_us)))
        return take_amounts(buckets, points, begin, end, bucket);
    if (buckets->needs & NEED_DIRECTION)
        direction_add_points(&bucket->direction, points, begin, end);
    if (buckets->needs & NEED_SQUARES)
        add_squares(&buckets->squares, points, begin, end);
    if (buckets->is_traced)
        take_traced(buckets, points, begin, end, bucket);
    else
        tally_add_points(&bucket->tally, points, begin, end);
    return buckets->needs & NEED_VALUES ? values_add_points(&buckets->values, points, begin, end) : 0;
}

/* Takes in what of the block lies in the bucket. */
static int take_block(struct buckets *buckets, struct bucket *bucket)
{
    const struct block *block = &buckets->block;
    size_t begin = buckets->block_i;
    if (block->points) {
        buckets->block_i = points_seek(block->points, begin, bucket->to_us);
        bucket->from_readings = true;
        return take_points(buckets, block->points, begin, buckets->block_i, bucket);
    }
    bucket->from_tier = true;
    while (buckets->block_i < block->n && block->cells[buckets->block_i].begin_us < bucket->to_us)
        take_cell(buckets, &block->cells[buckets->block_i++], bucket);
    return 0;
}

/* ---- on both sides ---- */

/* Up to where the first reading behind the range can matter to it. */
static int64_t find_reach(const struct buckets *buckets)
{
    const struct path *path = &buckets->path;
    int64_t end_us = buckets->options.end_us, reach_us = end_us;
    if (buckets->needs & NEED_GAIN)
        reach_us = end_us + 1; /* it closes the last bucket */
    if (buckets->needs & (NEED_COVER | NEED_SIDES) && path->options.max_gap_us >= end_us - path->before.t_us)
        reach_us = path->before.t_us + path->options.max_gap_us + 1;
    return reach_us;
}

/* The first reading that is not taken in yet: 1, 0 where there is none of interest, or a code. */
static int find_after(struct buckets *buckets, struct seen *ret_after)
{
    const struct block *block = &buckets->block;
    int64_t t_us;
    int rc = peek(buckets, &t_us);
    if (rc < 0)
        return rc;
    if (rc) {
        size_t i = buckets->block_i;
        *ret_after = block->points ? (struct seen){block->points->t_us[i], {block->points->m[i], block->points->e[i]}}
                                   : (struct seen){block->cells[i].first_us, block->cells[i].first};
        return 1;
    }
    if (!buckets->is_after_known && buckets->path.has_before) {
        struct neighbour after;
        int64_t reach_us = find_reach(buckets), end_us = buckets->options.end_us;
        rc = reach_us > end_us ? neighbour_from(buckets->view, &buckets->feed_options, end_us, reach_us, &after) : 0;
        if (rc < 0)
            return rc;
        buckets->is_after_known = true;
        buckets->has_after = rc;
        buckets->after = rc ? after.seen : buckets->after;
    }
    *ret_after = buckets->after;
    return buckets->has_after;
}

/* A reading before the range, and the newest of all where values are held. */
static int look_around(struct buckets *buckets, int64_t begin_us)
{
    const struct feed_options *feed = &buckets->feed_options;
    int64_t max_gap_us = buckets->path.options.max_gap_us;
    int64_t back_us = buckets->needs & NEED_GAIN || max_gap_us > begin_us - CIVIL_MIN_US ? CIVIL_MIN_US : begin_us - max_gap_us;
    struct neighbour found = {0};
    bool matters = buckets->needs & (NEED_COVER | NEED_GAIN | NEED_SIDES);
    buckets->newest_us = CIVIL_MIN_US;
    int rc = matters ? neighbour_before(buckets->view, feed, begin_us, back_us, &found) : 0;
    if (rc > 0) {
        buckets->path.has_before = true;
        buckets->path.before = found.seen;
        memcpy(buckets->state, found.state, sizeof(buckets->state));
    }
    if (rc < 0 || buckets->options.range->fill != FILL_PREVIOUS)
        return rc < 0 ? rc : 0;
    rc = neighbour_before(buckets->view, feed, CIVIL_END_US, CIVIL_MIN_US, &found);
    if (rc > 0)
        buckets->newest_us = found.seen.t_us;
    return rc < 0 ? rc : 0;
}

/* Definition 11. The value stands for the bucket's begin. */
static int fill_empty(struct buckets *buckets, const struct seen *after, struct bucket *bucket)
{
    const struct path *path = &buckets->path;
    int64_t begin_us = bucket->from_us, max_gap_us = path->options.max_gap_us;
    if (bucket->count || !path->has_before)
        return 0;
    if (buckets->options.range->fill == FILL_PREVIOUS) {
        bucket->is_filled = begin_us <= buckets->newest_us && begin_us - path->before.t_us <= max_gap_us;
        bucket->filled = path->before.value;
        bucket->filled_state = buckets->state;
        return 0;
    }
    if (!after || buckets->kind == KIND_STATE || agg_is_direction(buckets->options.info) ||
        after->t_us - path->before.t_us > max_gap_us)
        return 0;
    bucket->is_filled = true;
    path_between(path->before, *after, begin_us, &bucket->filled_dividend, &bucket->filled_divisor);
    return 0;
}

/* ---- a bucket ---- */

static void begin_bucket(struct buckets *buckets, struct bucket *bucket)
{
    if (buckets->is_traced) {
        path_begin(&buckets->path, bucket->from_us, bucket->to_us);
        bucket->path = &buckets->path.part;
    }
    if (buckets->needs & NEED_VALUES) {
        values_clear(&buckets->values);
        bucket->values = &buckets->values;
    }
    if (buckets->needs & NEED_SQUARES) {
        buckets->squares = (struct squares){0};
        bucket->squares = &buckets->squares;
    }
}

static int end_path(struct buckets *buckets, struct bucket *bucket)
{
    struct seen after;
    int rc = find_after(buckets, &after);
    if (rc < 0)
        return rc;
    path_end(&buckets->path, rc ? &after : NULL);
    bucket->covered_us = buckets->path.part.covered_us;
    return buckets->needs & NEED_SIDES ? fill_empty(buckets, rc ? &after : NULL, bucket) : 0;
}

static int take_bucket(struct buckets *buckets, struct bucket *bucket)
{
    int64_t t_us;
    begin_bucket(buckets, bucket);
    bucket->n_splits = buckets->parts.n;
    int rc = parts_take(&buckets->parts, bucket->from_us, bucket->to_us, &bucket->tally, bucket->values,
                        &buckets->covered_end_us);
    if (rc)
        return rc;
    if (buckets->needs & NEED_COVER)
        bucket->covered_us = buckets->covered_end_us - bucket->from_us;
    while ((rc = peek(buckets, &t_us)) > 0 && t_us < bucket->to_us)
        if ((rc = take_block(buckets, bucket)))
            break;
    bucket->count = buckets->kind == KIND_STATE ? bucket->states.count : bucket->tally.count;
    return rc < 0 ? rc : buckets->is_traced ? end_path(buckets, bucket) : 0;
}

/* ---- from bucket to bucket ---- */

static void set_up(struct buckets *buckets)
{
    const struct buckets_options *options = &buckets->options;
    const struct range *range = options->range;
    const struct series_info *info = options->info;
    buckets->kind = info->kind;
    buckets->needs = needs_of(range, info);
    buckets->is_traced = info->kind != KIND_INTERVAL && buckets->needs & (NEED_COVER | NEED_GAIN | NEED_TIMES | NEED_SIDES);
    buckets->is_plain_gain = !(buckets->needs & NEED_GAIN) || gain_is_plain(info->declared);
    buckets->next_us = range->from_us < range->to_us ? options->begin_us : options->end_us; /* nothing is in no time */
    buckets->path.options = (struct path_options){
        .kind = info->kind,
        .is_step = info->step,
        .is_spread = range->fill == FILL_LINEAR,
        .max_gap_us = needs_max_gap_us(range, info),
        .declared = info->declared,
        .grid = &range->grid,
    };
    buckets->feed_options = (struct feed_options){
        .series_id = info->id,
        .has_tier = options->has_tier && needs_let_tiers(range, info),
        .tier = options->tier,
        .want = info->kind == KIND_INTERVAL ? POINTS_PERIOD : 0,
        .is_sifted = buckets->is_traced || range_worst(range) != QUALITY_ESTIMATED,
        .worst = range_worst(range),
        .knowledge = range_knowledge(range),
        .begin_us = options->begin_us > range->from_us ? options->begin_us : range->from_us,
        .end_us = options->end_us,
    };
}

int buckets_open(struct view *view, const struct buckets_options *options, struct buckets **ret_buckets)
{
    struct buckets *buckets = calloc(1, sizeof(*buckets));
    if (!buckets)
        return ERR_NOMEM;
    buckets->options = *options;
    buckets->view = view;
    set_up(buckets);
    int64_t begin_us = buckets->feed_options.begin_us;
    int rc = 0;
    if (begin_us < options->end_us && buckets->kind == KIND_INTERVAL)
        rc = look_back(buckets, begin_us);
    else if (begin_us < options->end_us && buckets->is_traced)
        rc = look_around(buckets, begin_us);
    if (!rc)
        rc = feed_open(view, &buckets->feed_options, &buckets->feed);
    if (rc) {
        buckets_close(buckets);
        return rc;
    }
    *ret_buckets = buckets;
    return 0;
}

/* Goes to the bucket that the next reading concerns: 1, or 0 where there is none, or a code. */
static int skip_empty(struct buckets *buckets)
{
    const struct path *path = &buckets->path;
    struct seen after = {0};
    if (buckets->parts.n)
        return 1;
    int rc = buckets->is_traced ? find_after(buckets, &after) : peek(buckets, &after.t_us);
    if (rc <= 0)
        return rc;
    bool is_covered = buckets->needs & NEED_COVER && path->has_before &&
                      after.t_us - path->before.t_us <= path->options.max_gap_us;
    bool closes = buckets->needs & NEED_GAIN && path->has_before; /* at the edge it concerns the bucket before */
    int64_t start_us = grid_start_us(&buckets->options.range->grid, after.t_us - closes);
    if (start_us > buckets->next_us && !is_covered)
        buckets->next_us = start_us;
    return 1;
}

static bool has_data(const struct buckets *buckets, const struct bucket *bucket)
{
    return bucket->count || (buckets->needs & NEED_COVER && bucket->covered_us) ||
           (buckets->needs & NEED_GAIN && bucket->path->has_increase);
}

int buckets_next(struct buckets *buckets, struct bucket *ret_bucket)
{
    const struct range *range = buckets->options.range;
    while (buckets->next_us < buckets->options.end_us) {
        int rc = range->fill == FILL_NONE ? skip_empty(buckets) : 1;
        if (rc <= 0 || buckets->next_us >= buckets->options.end_us)
            return rc < 0 ? rc : 0;
        int64_t start_us = buckets->next_us, end_us = grid_next_us(&range->grid, start_us);
        buckets->next_us = end_us;
        *ret_bucket = (struct bucket){
            .start_us = start_us,
            .from_us = start_us > range->from_us ? start_us : range->from_us,
            .to_us = end_us < range->to_us ? end_us : range->to_us,
        };
        rc = take_bucket(buckets, ret_bucket);
        if (rc)
            return rc;
        if (range->fill != FILL_NONE || has_data(buckets, ret_bucket)) {
            rc = quota_take_points(view_quota(buckets->view), 1);
            return rc ? rc : 1;
        }
    }
    return 0;
}

const struct feed_options *buckets_feed(const struct buckets *buckets)
{
    return &buckets->feed_options;
}

void buckets_close(struct buckets *buckets)
{
    if (!buckets)
        return;
    feed_close(buckets->feed);
    parts_free(&buckets->parts);
    values_free(&buckets->values);
    free(buckets);
}
