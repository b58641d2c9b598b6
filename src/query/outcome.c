#include <config.h>

#include "query/outcome.h"

#include "query/agg.h"

static const struct value nothing = {.type = VALUE_NULL};

static struct value decimal_value(struct decimal decimal)
{
    return (struct value){.type = VALUE_DECIMAL, .decimal = decimal_canonical(decimal)};
}

static struct value text_value(const char *text)
{
    return (struct value){.type = VALUE_TEXT, .text = text};
}

static struct value time_value(int64_t t_us)
{
    return (struct value){.type = VALUE_TIME, .t_us = t_us};
}

static int find_mean(const struct bucket *bucket, const struct series_info *info, struct value *ret_value)
{
    struct decimal mean;
    if (agg_is_direction(info)) {
        *ret_value = direction_mean(&bucket->direction, &mean) ? decimal_value(mean) : nothing;
        return 0;
    }
    int rc = exact_divide(&bucket->tally.sum, bucket->count, OUTCOME_DIGITS, &mean);
    if (!rc)
        *ret_value = decimal_value(mean);
    return rc;
}

static int find_percentile(const struct bucket *bucket, enum agg agg, struct exact *exact, struct value *ret_value)
{
    int rc = values_percentile(bucket->values, agg_percent(agg), exact);
    if (!rc)
        *ret_value = (struct value){.type = VALUE_EXACT, .exact = exact};
    return rc;
}

/* What needs readings in the bucket. */
static int find_taken(const struct bucket *bucket, enum agg agg, const struct series_info *info, struct exact *exact,
                      struct value *ret_value)
{
    const struct tally *tally = &bucket->tally;
    struct decimal deviation;
    switch (agg) {
    case AGG_MEAN:
        return find_mean(bucket, info, ret_value);
    case AGG_SUM:
        *ret_value = (struct value){.type = VALUE_EXACT, .exact = &tally->sum};
        return 0;
    case AGG_MIN:
    case AGG_MAX:
        *ret_value = decimal_value(agg == AGG_MIN ? tally->min : tally->max);
        return 0;
    case AGG_FIRST:
    case AGG_LAST:
        if (info->kind == KIND_STATE)
            *ret_value = text_value(agg == AGG_FIRST ? bucket->states.first : bucket->states.last);
        else
            *ret_value = decimal_value(agg == AGG_FIRST ? tally->first : tally->last);
        return 0;
    case AGG_MINTIME:
    case AGG_MAXTIME:
        *ret_value = time_value(agg == AGG_MINTIME ? bucket->min_us : bucket->max_us);
        return 0;
    case AGG_STDDEV:
        if (squares_deviation(bucket->squares, &tally->sum, bucket->count, OUTCOME_DIGITS, &deviation))
            *ret_value = decimal_value(deviation);
        return 0;
    default:
        return find_percentile(bucket, agg, exact, ret_value);
    }
}

/* What time between readings may have without one. */
static int find_between(const struct bucket *bucket, enum agg agg, struct value *ret_value)
{
    struct decimal quotient;
    if (agg == AGG_INCREASE) {
        if (bucket->path->has_increase)
            *ret_value = (struct value){.type = VALUE_EXACT, .exact = &bucket->path->increase};
        return 0;
    }
    if (agg == AGG_COVERED) {
        if (bucket->count || bucket->covered_us)
            *ret_value = decimal_value((struct decimal){bucket->covered_us, -6});
        return 0;
    }
    int rc = agg == AGG_TWA ? path_average(bucket->path, OUTCOME_DIGITS, &quotient)
                            : path_integral(bucket->path, OUTCOME_DIGITS, &quotient);
    if (rc > 0)
        *ret_value = decimal_value(quotient);
    return rc < 0 ? rc : 0;
}

/* Values can be held or interpolated; counts, amounts, deviations and times cannot. */
static void fill(const struct bucket *bucket, enum agg agg, const struct series_info *info, struct value *value)
{
    bool is_value = agg == AGG_MEAN || agg == AGG_MIN || agg == AGG_MAX || agg == AGG_FIRST || agg == AGG_LAST ||
                    agg == AGG_TWA || agg_percent(agg);
    if (value->type != VALUE_NULL || !bucket->is_filled || !is_value)
        return;
    *value = info->kind == KIND_STATE ? text_value(bucket->filled_state) : decimal_value(bucket->filled);
}

int outcome_of(const struct bucket *bucket, enum agg agg, const struct series_info *info, struct exact *exact,
               struct value *ret_value)
{
    int rc = 0;
    *ret_value = nothing;
    if (agg == AGG_COUNT)
        *ret_value = (struct value){.type = VALUE_COUNT, .count = bucket->count};
    else if (agg == AGG_TWA || agg == AGG_INTEGRAL || agg == AGG_COVERED || agg == AGG_INCREASE)
        rc = find_between(bucket, agg, ret_value);
    else if (bucket->count)
        rc = find_taken(bucket, agg, info, exact, ret_value);
    if (!rc)
        fill(bucket, agg, info, ret_value);
    return rc;
}
