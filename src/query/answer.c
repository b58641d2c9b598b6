#include <config.h>

#include "query/range.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query/agg.h"
#include "query/buckets.h"
#include "query/cursor.h"
#include "query/feed.h"
#include "query/matches.h"

#define MEAN_DIGITS 15

struct answer {
    struct view *view;
    const struct range *range;
    struct matches matches;
    /* the plan */
    bool has_tier, uses_tier; /* a tier fits the grid; a series of the answer uses it */
    enum tier tier;
    char tiers[sizeof("15m,raw")];
    /* the series whose turn it is */
    struct series_info info;
    enum agg aggs[RANGE_AGGS_MAX];
    size_t n_aggs;
    struct scan *scan;        /* raw: */
    struct points points;
    size_t next_point;
    struct buckets *buckets;  /* by step: */
    struct bucket bucket;
    struct value values[RANGE_AGGS_MAX];
    /* paging */
    int64_t n_rows;
    int64_t last_us;          /* of the row given last */
    bool is_over;             /* the page is full */
    bool has_cursor;          /* and something comes behind it */
    char cursor[CURSOR_TEXT_MAX];
};

/* ---- the plan ---- */

/* The coarsest tier whose cells lie within buckets, edge for edge. */
static void plan_tier(struct answer *answer)
{
    const struct range *range = answer->range;
    for (int tier = TIER_N - 1; tier >= 0 && !range->raw && !answer->has_tier; tier--) {
        answer->has_tier = grid_fits(&range->grid, range->from_us, range->to_us, tier_width_us[tier]);
        answer->tier = (enum tier)tier;
    }
}

static bool asks_direction(const struct range *range, const struct series_info *info)
{
    bool mean = !range->n_aggs;
    for (size_t i = 0; i < range->n_aggs; i++)
        mean = mean || range->aggs[i] == AGG_MEAN;
    return mean && agg_is_direction(info);
}

struct check {
    struct answer *answer;
    struct err_text *error;
};

/* Refuses a range of which something has expired, naming the first instant that is left. */
static int check_left(const struct answer *answer, const struct series_info *info, bool tiered, struct err_text *error)
{
    const struct range *range = answer->range;
    struct feed_options options = {.series_id = info->id, .has_tier = tiered, .tier = answer->tier,
                                   .begin_us = range->from_us, .end_us = range->to_us};
    int64_t left_us;
    char left[CIVIL_TEXT_MAX];
    int rc = feed_left(answer->view, &options, &left_us);
    if (rc || left_us <= range->from_us)
        return rc;
    size_t size = civil_print_rfc3339(left, left_us, 0, true);
    return err_set_field(error, ERR_EXPIRED, "from",
                         "\"%s\" of \"%s\" is not kept so far back%s: the first instant left is %.*s", info->property,
                         info->entity, tiered || range->raw ? "" : " for these aggregates", (int)size, left);
}

static int check_series(void *arg, const struct series_info *info)
{
    struct check *check = arg;
    struct answer *answer = check->answer;
    const struct range *range = answer->range;
    bool tiered = answer->has_tier && buckets_may_use_tiers(info->kind, asks_direction(range, info));
    if (range->raw)
        return check_left(answer, info, false, check->error);
    int rc = range->n_aggs ? 0 : agg_check_default(info, check->error);
    for (size_t i = 0; i < range->n_aggs && !rc; i++)
        rc = agg_check(range->aggs[i], info, check->error);
    answer->uses_tier = answer->uses_tier || tiered;
    return rc ? rc : check_left(answer, info, tiered, check->error);
}

int answer_open(struct reader_dir *dir, struct view *view, const struct range *range, struct answer **ret_answer,
                struct err_text *error)
{
    struct answer *answer = calloc(1, sizeof(*answer));
    if (!answer)
        return ERR_NOMEM;
    answer->view = view;
    answer->range = range;
    plan_tier(answer);
    struct check check = {answer, error};
    int rc = matches_init(&answer->matches, dir, range, check_series, &check, error);
    if (rc) {
        answer_close(answer);
        return rc;
    }
    snprintf(answer->tiers, sizeof(answer->tiers), "%s%sraw", answer->uses_tier ? tier_name[answer->tier] : "",
             answer->uses_tier ? "," : "");
    *ret_answer = answer;
    return 0;
}

const char *answer_tiers(const struct answer *answer)
{
    return answer->tiers;
}

/* ---- series ---- */

static void end_series(struct answer *answer)
{
    scan_close(answer->scan);
    answer->scan = NULL;
    points_clear(&answer->points);
    answer->next_point = 0;
    buckets_close(answer->buckets);
    answer->buckets = NULL;
}

/* Whether earlier pages had rows of this series. */
static bool is_resumed(const struct answer *answer)
{
    return answer->range->has_cursor && answer->range->after_id == answer->info.id;
}

static int begin_raw(struct answer *answer)
{
    const struct range *range = answer->range;
    int64_t begin_us = range->from_us;
    if (is_resumed(answer) && range->after_us >= begin_us)
        begin_us = range->after_us + 1;
    return scan_open(answer->view, answer->info.id, begin_us, range->to_us, 0, &answer->scan);
}

static int begin_buckets(struct answer *answer)
{
    const struct range *range = answer->range;
    struct buckets_options options = {
        .range = range,
        .series_id = answer->info.id,
        .kind = answer->info.kind,
        .is_direction = asks_direction(range, &answer->info),
        .has_tier = answer->has_tier,
        .tier = answer->tier,
        .begin_us = grid_start_us(&range->grid, range->from_us),
    };
    if (is_resumed(answer)) {
        int64_t last_us = range->after_us > range->from_us ? range->after_us : range->from_us;
        options.begin_us = grid_next_us(&range->grid, grid_start_us(&range->grid, last_us));
    }
    return buckets_open(answer->view, &options, &answer->buckets);
}

static void choose_aggs(struct answer *answer)
{
    const struct range *range = answer->range;
    answer->n_aggs = range->raw ? 0 : range->n_aggs ? range->n_aggs : 1;
    memcpy(answer->aggs, range->aggs, sizeof(answer->aggs));
    if (!range->n_aggs)
        answer->aggs[0] = agg_default(answer->info.kind);
}

int answer_next_series(struct answer *answer, const struct series_info **ret_info, const enum agg **ret_aggs,
                       size_t *ret_n_aggs)
{
    const struct series_info *info;
    end_series(answer);
    int rc = answer->is_over ? 0 : matches_peek(&answer->matches, &info);
    if (rc <= 0)
        return rc;
    answer->info = *info;
    matches_take(&answer->matches);
    choose_aggs(answer);
    rc = answer->range->raw ? begin_raw(answer) : begin_buckets(answer);
    if (rc)
        return rc;
    *ret_info = &answer->info;
    *ret_aggs = answer->aggs;
    *ret_n_aggs = answer->n_aggs;
    return 1;
}

/* ---- rows ---- */

static int next_raw(struct answer *answer, struct row *ret_row)
{
    struct points *points = &answer->points;
    if (answer->next_point == points->n) {
        answer->next_point = 0;
        int rc = scan_next(answer->scan, points);
        if (rc <= 0)
            return rc;
    }
    size_t i = answer->next_point++;
    if (answer->info.kind == KIND_STATE)
        answer->values[0] = (struct value){.type = VALUE_TEXT, .text = texts_at(&points->texts, points->m[i])};
    else
        answer->values[0] = (struct value){.type = VALUE_DECIMAL, .decimal = {points->m[i], points->e[i]}};
    *ret_row = (struct row){points->t_us[i], points->quality[i], answer->values};
    return 1;
}

static struct value decimal_value(struct decimal decimal)
{
    return (struct value){.type = VALUE_DECIMAL, .decimal = decimal_canonical(decimal)};
}

static int mean_value(const struct answer *answer, struct value *ret_value)
{
    const struct bucket *bucket = &answer->bucket;
    struct decimal mean;
    if (agg_is_direction(&answer->info)) {
        *ret_value = direction_mean(&bucket->direction, &mean) ? decimal_value(mean) : (struct value){.type = VALUE_NULL};
        return 0;
    }
    int rc = exact_divide(&bucket->tally.sum, bucket->count, MEAN_DIGITS, &mean);
    if (!rc)
        *ret_value = decimal_value(mean);
    return rc;
}

/* One aggregate of a bucket that has readings. */
static int bucket_value(const struct answer *answer, enum agg agg, struct value *ret_value)
{
    const struct bucket *bucket = &answer->bucket;
    const struct tally *tally = &bucket->tally;
    bool is_state = answer->info.kind == KIND_STATE, is_first = agg == AGG_FIRST;
    if (agg == AGG_MEAN)
        return mean_value(answer, ret_value);
    if (agg == AGG_SUM)
        *ret_value = (struct value){.type = VALUE_EXACT, .exact = &tally->sum};
    else if (agg == AGG_MIN || agg == AGG_MAX)
        *ret_value = decimal_value(agg == AGG_MIN ? tally->min : tally->max);
    else if (is_state)
        *ret_value = (struct value){.type = VALUE_TEXT, .text = is_first ? bucket->states.first : bucket->states.last};
    else
        *ret_value = decimal_value(is_first ? tally->first : tally->last);
    return 0;
}

static int next_bucket(struct answer *answer, struct row *ret_row)
{
    struct bucket *bucket = &answer->bucket;
    int rc = buckets_next(answer->buckets, bucket);
    if (rc <= 0)
        return rc;
    for (size_t i = 0; i < answer->n_aggs; i++) {
        struct value *value = &answer->values[i];
        *value = (struct value){.type = VALUE_NULL};
        rc = 0;
        if (answer->aggs[i] == AGG_COUNT)
            *value = (struct value){.type = VALUE_COUNT, .count = bucket->count};
        else if (bucket->count)
            rc = bucket_value(answer, answer->aggs[i], value);
        if (rc)
            return rc;
    }
    *ret_row = (struct row){.t_us = bucket->start_us, .values = answer->values};
    return 1;
}

/* The page is full: leaves a cursor where anything comes behind it, in this series (its next row) or in another. */
static int end_page(struct answer *answer)
{
    const struct range *range = answer->range;
    struct cursor cursor = {range->question, answer->info.id,  answer->matches.last_id,
                            answer->last_us, range->from_us,   range->to_us};
    struct row row;
    int rc = range->raw ? next_raw(answer, &row) : next_bucket(answer, &row);
    if (rc < 0)
        return rc;
    answer->is_over = true;
    if (!rc)
        cursor.t_us = INT64_MAX;
    answer->has_cursor = rc || matches_has_more(&answer->matches);
    if (answer->has_cursor)
        cursor_print(&cursor, answer->cursor);
    return 0;
}

int answer_next_row(struct answer *answer, struct row *ret_row)
{
    if (answer->is_over)
        return 0;
    if (answer->range->limit && answer->n_rows == answer->range->limit)
        return end_page(answer);
    int rc = answer->range->raw ? next_raw(answer, ret_row) : next_bucket(answer, ret_row);
    if (rc > 0) {
        answer->n_rows++;
        answer->last_us = ret_row->t_us;
    }
    return rc;
}

const char *answer_cursor(struct answer *answer)
{
    return answer->has_cursor ? answer->cursor : NULL;
}

void answer_close(struct answer *answer)
{
    if (!answer)
        return;
    end_series(answer);
    points_free(&answer->points);
    free(answer);
}
