#include <config.h>

#include "query/foresee.h"

#include <inttypes.h>
#include <stdio.h>

#include "query/draft.h"

/* A page ends by itself; where it begins is not known here, nor how many rows of series one with `over` has. */
static bool is_unknown(const struct range *range)
{
    return range->has_cursor || (range->limit && range->over);
}

static uint64_t count_buckets(const struct range *range, int64_t max)
{
    if (range->raw || range->fill == FILL_NONE)
        return 0;
    if (range->grid.unit == GRID_FIXED)
        return (uint64_t)((range->to_us - range->from_us) / range->grid.width_us);
    return (uint64_t)grid_count(&range->grid, range->from_us, range->to_us, max + 1);
}

int foresee_series(struct view *view, const struct range *range, uint32_t series_id, bool tiered,
                   struct foreseen *foreseen)
{
    struct quota *quota = view_quota(view);
    struct knowledge knowledge = range_knowledge(range);
    uint64_t n_readings = 0;
    foreseen->n_series++;
    int rc = quota_take_series(quota, series_id, range->filter.n_ids ? "series" : "entity");
    if (rc || !quota || !quota->limits.points || is_unknown(range))
        return rc;
    if ((range->raw || !tiered) && knowledge_is_all(&knowledge))
        rc = view_count_least(view, series_id, range->from_us, range->to_us, &n_readings);
    foreseen->n_points += n_readings + count_buckets(range, quota->limits.points);
    return rc;
}

int foresee_check(struct view *view, const struct range *range, const struct foreseen *foreseen)
{
    struct quota *quota = view_quota(view);
    uint64_t n = foreseen->n_points, limit = (uint64_t)range->limit;
    char fits[160] = "";
    if (!quota || !n || !quota->limits.points)
        return 0;
    uint64_t max = (uint64_t)quota->limits.points;
    if (range->raw) {
        snprintf(fits, sizeof(fits), "ask for a shorter time or fewer series, for a step, or for pages with limit=%" PRIu64
                 " or less", max);
    } else {
        const char *step = steps_fitting(range, (int64_t)(max / foreseen->n_series));
        snprintf(fits, sizeof(fits), "take %s%s%s a shorter time or fewer series", step ? "a step of " : "", step ? step : "",
                 step ? "," : "");
    }
    n = limit && limit < n ? limit : n;
    return quota_check_points(quota, n, range->raw ? "from" : "step", fits);
}
