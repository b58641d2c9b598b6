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

static int find_mean(const struct bucket *bucket, const struct outcome_options *options, struct exact *exact,
                     struct value *ret_value)
{
    struct decimal mean;
    if (agg_is_direction(options->info))
        return direction_mean(&bucket->direction, &mean) ? conversion_value(options->conversion, mean, exact, ret_value) : 0;
    struct unit_quotient quotient = {&bucket->tally.sum, &bucket->count, 1, false, OUTCOME_DIGITS};
    int rc = conversion_quotient(options->conversion, &quotient, &mean);
    if (!rc)
        *ret_value = decimal_value(mean);
    return rc;
}

static int find_percentile(const struct bucket *bucket, enum agg agg, const struct outcome_options *options, struct exact *exact,
                           struct value *ret_value)
{
    int rc = values_percentile(bucket->values, agg_percent(agg), exact);
    return rc ? rc : conversion_sum(options->conversion, exact, 1, exact, ret_value);
}

static int find_deviation(const struct bucket *bucket, const struct outcome_options *options, struct value *ret_value)
{
    struct unit_factor factor;
    struct decimal value;
    int rc = conversion_factor(options->conversion, &factor);
    if (rc)
        return rc;
    struct deviation deviation = {bucket->count, factor.multiply, factor.divide, OUTCOME_DIGITS};
    if (!squares_deviation(bucket->squares, &bucket->tally.sum, &deviation, &value))
        return 0;
    value.e = (int8_t)(value.e + factor.exponent);
    *ret_value = decimal_value(value);
    return 0;
}

/* What needs readings in the bucket. */
static int find_taken(const struct bucket *bucket, enum agg agg, const struct outcome_options *options, struct exact *exact,
                      struct value *ret_value)
{
    const struct tally *tally = &bucket->tally;
    const struct conversion *conversion = options->conversion;
    switch (agg) {
    case AGG_MEAN:
        return find_mean(bucket, options, exact, ret_value);
    case AGG_SUM:
        return conversion_sum(conversion, &tally->sum, tally->count, exact, ret_value);
    case AGG_MIN:
    case AGG_MAX:
        return conversion_value(conversion, agg == AGG_MIN ? tally->min : tally->max, exact, ret_value);
    case AGG_FIRST:
    case AGG_LAST:
        if (options->info->kind != KIND_STATE)
            return conversion_value(conversion, agg == AGG_FIRST ? tally->first : tally->last, exact, ret_value);
        *ret_value = text_value(agg == AGG_FIRST ? bucket->states.first : bucket->states.last);
        return 0;
    case AGG_MINTIME:
    case AGG_MAXTIME:
        *ret_value = time_value(agg == AGG_MINTIME ? bucket->min_us : bucket->max_us);
        return 0;
    case AGG_STDDEV:
        return find_deviation(bucket, options, ret_value);
    default:
        return find_percentile(bucket, agg, options, exact, ret_value);
    }
}

/* What time between readings may have without one. */
static int find_between(const struct bucket *bucket, enum agg agg, const struct conversion *conversion, struct exact *exact,
                        struct value *ret_value)
{
    struct decimal quotient;
    if (agg == AGG_INCREASE)
        return bucket->path->has_increase ? conversion_sum(conversion, &bucket->path->increase, 0, exact, ret_value) : 0;
    if (agg == AGG_COVERED) {
        if (bucket->count || bucket->covered_us)
            *ret_value = decimal_value((struct decimal){bucket->covered_us, -6});
        return 0;
    }
    int rc = agg == AGG_TWA ? path_average(bucket->path, conversion, OUTCOME_DIGITS, &quotient)
                            : path_integral(bucket->path, conversion, OUTCOME_DIGITS, &quotient);
    if (rc > 0)
        *ret_value = decimal_value(quotient);
    return rc < 0 ? rc : 0;
}

/* Values can be held or interpolated; counts, amounts, deviations and times cannot. */
static bool can_be_filled(enum agg agg)
{
    return agg == AGG_MEAN || agg == AGG_MIN || agg == AGG_MAX || agg == AGG_FIRST || agg == AGG_LAST || agg == AGG_TWA ||
           agg_percent(agg);
}

static int fill(const struct bucket *bucket, const struct outcome_options *options, struct exact *exact, struct value *ret_value)
{
    struct unit_quotient quotient = {&bucket->filled_dividend, &bucket->filled_divisor, 1, false, OUTCOME_DIGITS};
    struct decimal value;
    if (options->info->kind == KIND_STATE) {
        *ret_value = text_value(bucket->filled_state);
        return 0;
    }
    if (!bucket->filled_divisor)
        return conversion_value(options->conversion, bucket->filled, exact, ret_value);
    int rc = conversion_quotient(options->conversion, &quotient, &value);
    if (!rc)
        *ret_value = decimal_value(value);
    return rc;
}

int outcome_of(const struct bucket *bucket, enum agg agg, const struct outcome_options *options, struct exact *exact,
               struct value *ret_value)
{
    int rc = 0;
    *ret_value = nothing;
    if (agg == AGG_COUNT)
        *ret_value = (struct value){.type = VALUE_COUNT, .count = bucket->count};
    else if (agg == AGG_TWA || agg == AGG_INTEGRAL || agg == AGG_COVERED || agg == AGG_INCREASE)
        rc = find_between(bucket, agg, options->conversion, exact, ret_value);
    else if (bucket->count)
        rc = find_taken(bucket, agg, options, exact, ret_value);
    if (!rc && ret_value->type == VALUE_NULL && bucket->is_filled && can_be_filled(agg))
        rc = fill(bucket, options, exact, ret_value);
    return rc;
}
