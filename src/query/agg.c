#include <config.h>

#include "query/agg.h"

#include <string.h>

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

/* What is not there yet. */
static bool is_later(enum agg agg)
{
    return agg > AGG_LAST;
}

#define BIT(agg) (1U << (agg))
#define ENDS (BIT(AGG_FIRST) | BIT(AGG_LAST) | BIT(AGG_COUNT))
#define EXTREMES (BIT(AGG_MIN) | BIT(AGG_MAX))

static const struct {
    unsigned has;
    const char *instead;
} kinds[] = {
    [KIND_GAUGE] = {BIT(AGG_MEAN) | EXTREMES | ENDS, "mean, min, max, count, first or last"},
    [KIND_COUNTER] = {EXTREMES | ENDS, "first, last, min, max or count"},
    [KIND_INTERVAL] = {BIT(AGG_SUM) | BIT(AGG_MEAN) | EXTREMES | ENDS, "sum, mean, min, max, count, first or last"},
    [KIND_STATE] = {ENDS, "first, last or count"},
};

enum agg agg_default(enum kind kind)
{
    return kind == KIND_GAUGE ? AGG_MEAN : kind == KIND_INTERVAL ? AGG_SUM : AGG_LAST;
}

int agg_parse(const char *name, enum agg *ret_agg, struct err_text *error)
{
    int agg = 0;
    while (agg < AGG_N && strcmp(name, agg_name[agg]) != 0)
        agg++;
    if (agg < AGG_N && !is_later((enum agg)agg)) {
        *ret_agg = (enum agg)agg;
        return 0;
    }
    return err_set_field(error, ERR_INVALID, "agg", "%s \"%.32s\"%s; take mean, min, max, sum, count, first or last",
                         agg < AGG_N ? "the aggregate" : "there is no aggregate", name,
                         agg < AGG_N ? " is not there yet in this version" : "");
}

bool agg_is_direction(const struct series_info *info)
{
    return info->kind == KIND_GAUGE && !strcmp(info->unit, "deg");
}

int agg_check(enum agg agg, const struct series_info *info, struct err_text *error)
{
    if (!(kinds[info->kind].has & BIT(agg)))
        return err_set_field(error, ERR_MEANING, "agg", "\"%.64s\" of \"%.128s\" is a %s and has no %s; use %s",
                             info->property, info->entity, kind_name(info->kind), agg_name[agg],
                             kinds[info->kind].instead);
    if (agg_is_direction(info) && BIT(agg) & EXTREMES)
        return err_set_field(error, ERR_MEANING, "agg",
                             "\"%.64s\" of \"%.128s\" is a direction and has no %s, since 359 and 1 are close; "
                             "use mean, count, first or last",
                             info->property, info->entity, agg_name[agg]);
    return 0;
}

int agg_check_default(const struct series_info *info, struct err_text *error)
{
    if (info->kind != KIND_COUNTER)
        return 0;
    return err_set_field(error, ERR_MEANING, "agg",
                         "\"%.64s\" of \"%.128s\" is a counter, and its default increase is not there yet in this "
                         "version; ask for agg=last or agg=first",
                         info->property, info->entity);
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
