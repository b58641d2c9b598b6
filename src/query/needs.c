#include <config.h>

#include "query/needs.h"

#include "query/agg.h"
#include "query/gain.h"

static unsigned needs_of_agg(enum agg agg, const struct series_info *info)
{
    switch (agg) {
    case AGG_TWA:
    case AGG_INTEGRAL:
    case AGG_COVERED:
        return NEED_COVER;
    case AGG_INCREASE:
        return NEED_GAIN;
    case AGG_MINTIME:
    case AGG_MAXTIME:
        return NEED_TIMES;
    case AGG_STDDEV:
        return NEED_SQUARES;
    case AGG_MEAN:
        return agg_is_direction(info) ? NEED_DIRECTION : 0;
    default:
        return agg_percent(agg) ? NEED_VALUES : 0;
    }
}

unsigned needs_of(const struct range *range, const struct series_info *info)
{
    bool fills = range->fill == FILL_PREVIOUS || range->fill == FILL_LINEAR;
    unsigned needs = range->n_aggs ? 0 : needs_of_agg(agg_default(info->kind), info);
    for (size_t i = 0; i < range->n_aggs; i++)
        needs |= needs_of_agg(range->aggs[i], info);
    return needs | (fills && info->kind != KIND_INTERVAL ? NEED_SIDES : 0);
}

int64_t needs_max_gap_us(const struct range *range, const struct series_info *info)
{
    if (range->max_gap_us)
        return range->max_gap_us;
    if (info->declared && info->declared->max_gap_us)
        return info->declared->max_gap_us;
    return info->cadence_us ? 3 * info->cadence_us : MAX_GAP_DEFAULT_US;
}

bool needs_let_tiers(const struct range *range, const struct series_info *info)
{
    unsigned needs = needs_of(range, info);
    if (info->kind == KIND_STATE || needs & (NEED_SQUARES | NEED_VALUES | NEED_DIRECTION))
        return false;
    if (needs & NEED_COVER && (info->kind == KIND_INTERVAL || needs_max_gap_us(range, info) != MAX_GAP_DEFAULT_US))
        return false; /* amounts may overlap the time of a cell; cells know one max_gap only */
    return !(needs & NEED_GAIN) || gain_is_plain(info->declared);
}
