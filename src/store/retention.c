#include <config.h>

#include "store/retention.h"

int64_t retention_oldest_us(const struct duration *keep, int64_t now_us)
{
    const struct duration back = {-keep->months, -keep->days, -keep->us};
    int64_t oldest_us;
    if (!(keep->months | keep->days | keep->us) || civil_add(now_us, &back, &oldest_us))
        return INT64_MIN;
    return oldest_us;
}

unsigned retention_tiers(const struct retention *retention, int64_t end_us, int64_t now_us)
{
    unsigned tiers = 0;
    for (enum tier tier = 0; tier < TIER_N; tier++)
        if (end_us > retention_oldest_us(&retention->tier[tier], now_us))
            tiers |= 1u << tier;
    return tiers;
}
