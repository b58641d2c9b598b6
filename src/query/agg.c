#include <config.h>

#include "query/agg.h"

#include <string.h>

#include "query/shown.h"

const char *const agg_name[AGG_N] = {
    [AGG_MEAN] = "mean",       [AGG_MIN] = "min",           [AGG_MAX] = "max",           [AGG_SUM] = "sum",
    [AGG_COUNT] = "count",     [AGG_FIRST] = "first",       [AGG_LAST] = "last",         [AGG_TWA] = "twa",
    [AGG_INTEGRAL] = "integral", [AGG_INCREASE] = "increase", [AGG_STDDEV] = "stddev",   [AGG_MEDIAN] = "median",
    [AGG_MINTIME] = "mintime", [AGG_MAXTIME] = "maxtime",   [AGG_COVERED] = "covered",
    [AGG_P01] =
    "p01", "p02", "p03", "p04", "p05", "p06", "p07", "p08", "p09",
    "p10", "p11", "p12", "p13", "p14", "p15", "p16", "p17", "p18", "p19",
    "p20", "p21", "p22", "p23", "p24", "p25", "p26", "p27", "p28", "p29",
    "p30", "p31", "p32", "p33", "p34", "p35", "p36", "p37", "p38", "p39",
    "p40", "p41", "p42", "p43", "p44", "p45", "p46", "p47", "p48", "p49",
    "p50", "p51", "p52", "p53", "p54", "p55", "p56", "p57", "p58", "p59",
    "p60", "p61", "p62", "p63", "p64", "p65", "p66", "p67", "p68", "p69",
    "p70", "p71", "p72", "p73", "p74", "p75", "p76", "p77", "p78", "p79",
    "p80", "p81", "p82", "p83", "p84", "p85", "p86", "p87", "p88", "p89",
    "p90", "p91", "p92", "p93", "p94", "p95", "p96", "p97", "p98", "p99",
};

enum agg agg_default(enum kind kind)
{
    static const enum agg defaults[] = {
        [KIND_GAUGE] = AGG_MEAN, [KIND_COUNTER] = AGG_INCREASE, [KIND_INTERVAL] = AGG_SUM, [KIND_STATE] = AGG_LAST,
    };
    return defaults[kind];
}

int agg_percent(enum agg agg)
{
    return agg == AGG_MEDIAN ? 50 : agg >= AGG_P01 && agg <= AGG_P99 ? (int)(agg - AGG_P01) + 1 : 0;
}

int agg_parse(const char *name, enum agg *ret_agg, struct err_text *error)
{
    int agg = 0;
    while (agg < AGG_N && strcmp(name, agg_name[agg]) != 0)
        agg++;
    if (agg == AGG_N)
        return err_set_field(error, ERR_INVALID, "agg", "there is no aggregate \"%.32s\"; take mean, min, max, sum, count, "
                             "first, last, twa, integral, increase, stddev, median, p01 to p99, mintime, maxtime or "
                             "covered", name);
    *ret_agg = (enum agg)agg;
    return 0;
}

bool agg_is_direction(const struct series_info *info)
{
    return info->kind == KIND_GAUGE && !strcmp(info->unit, "deg");
}

/* ---- what a kind has ---- */

static bool kind_has(enum kind kind, enum agg agg)
{
    bool is_end = agg == AGG_FIRST || agg == AGG_LAST || agg == AGG_COUNT || agg == AGG_COVERED;
    bool is_extreme = agg == AGG_MIN || agg == AGG_MAX;
    switch (kind) {
    case KIND_GAUGE:
        return agg != AGG_SUM && agg != AGG_INCREASE;
    case KIND_COUNTER:
        return is_end || is_extreme || agg == AGG_INCREASE;
    case KIND_INTERVAL:
        return is_end || is_extreme || agg == AGG_SUM || agg == AGG_MEAN || agg_percent(agg);
    default:
        return is_end;
    }
}

static const char *const instead[] = {
    [KIND_GAUGE] = ("mean, min, max, count, first, last, twa, stddev, median, p01 to p99, mintime, maxtime, covered, or integral "
                    "of a power or flow"),
    [KIND_COUNTER] = "increase, first, last, min, max, count or covered",
    [KIND_INTERVAL] = "sum, mean, min, max, count, first, last, median, p01 to p99 or covered",
    [KIND_STATE] = "first, last, count or covered",
};

/* What has a meaning where 359 and 1 are close. */
static bool direction_has(enum agg agg)
{
    return agg == AGG_MEAN || agg == AGG_COUNT || agg == AGG_FIRST || agg == AGG_LAST || agg == AGG_COVERED;
}

int agg_check(enum agg agg, const struct series_info *info, struct err_text *error)
{
    if (!kind_has(info->kind, agg))
        return err_set_field(error, ERR_MEANING, "agg", "\"%.64s\" of \"%.128s\" is %s %s and has no %s; use %s", info->property,
                             info->entity, info->kind == KIND_INTERVAL ? "an" : "a", kind_name(info->kind), agg_name[agg],
                             instead[info->kind]);
    if (agg_is_direction(info) && !direction_has(agg))
        return err_set_field(error, ERR_MEANING, "agg",
                             "\"%.64s\" of \"%.128s\" is a direction and has no %s, since 359 and 1 are close; "
                             "use mean, count, first, last or covered",
                             info->property, info->entity, agg_name[agg]);
    if (agg == AGG_INTEGRAL && !shown_integral_unit(NULL, info->unit))
        return err_set_field(error, ERR_MEANING, "agg", "\"%.64s\" of \"%.128s\" is in %s, which has no integral over time; "
                             "only W, var, A, m3/h and W/m2 have; use mean or twa", info->property, info->entity,
                             *info->unit ? info->unit : "no unit");
    return 0;
}

size_t agg_choose(const struct range *range, const struct series_info *info, enum agg ret_aggs[static AGG_N])
{
    size_t n = 0;
    if (range->n_aggs) {
        memcpy(ret_aggs, range->aggs, range->n_aggs * sizeof(*ret_aggs));
        return range->n_aggs;
    }
    ret_aggs[n++] = agg_default(info->kind);
    if (range->is_auto && info->kind == KIND_GAUGE && !agg_is_direction(info)) {
        ret_aggs[n++] = AGG_MIN;
        ret_aggs[n++] = AGG_MAX;
    }
    return n;
}
