#include <config.h>

#include "query/gaps.h"

#include <stdlib.h>

#include "common/civil.h"

struct gaps {
    struct gaps_options options;
    struct scan *scan;
    struct points points;
    size_t next_point;
    int64_t next_us;     /* begin of the first slot that is not judged yet */
    int64_t due_us;      /* slots from this one on are awaited where they have no reading */
    bool is_over;
    struct gaps_counts counts;
};

static int64_t count_slots(const struct gaps *gaps, int64_t begin_us, int64_t end_us)
{
    return begin_us < end_us ? grid_count(gaps->options.grid, begin_us, end_us, INT64_MAX) : 0;
}

/* The first slot that begins at t_us or later. */
static int64_t slot_from(const struct grid *grid, int64_t t_us)
{
    int64_t start_us = grid_start_us(grid, t_us);
    return start_us < t_us ? grid_next_us(grid, start_us) : start_us;
}

/* The begin of the series' first slot ever, where readings that have expired count. */
static int find_first(struct view *view, uint32_t series_id, int64_t *ret_first_us)
{
    struct series_stats stats;
    struct span expired = {0};
    int rc = view_stats(view, series_id, &stats);
    rc = rc ? rc : view_expired(view, series_id, &expired);
    if (rc)
        return rc;
    *ret_first_us = stats.count ? stats.first_us : CIVIL_END_US;
    if (expired.begin_us < expired.end_us && expired.begin_us < *ret_first_us)
        *ret_first_us = expired.begin_us;
    return 0;
}

int gaps_open(struct view *view, const struct series_info *info, const struct gaps_options *options, struct gaps **ret_gaps)
{
    const struct grid *grid = options->grid;
    struct gaps *gaps = calloc(1, sizeof(*gaps));
    int64_t first_us;
    if (!gaps)
        return ERR_NOMEM;
    gaps->options = *options;
    gaps->options.end_us = slot_from(grid, options->end_us); /* the last slot is looked at whole */
    int64_t end_us = gaps->options.end_us;
    int rc = find_first(view, info->id, &first_us);
    if (!rc) {
        gaps->next_us = slot_from(grid, options->begin_us);
        int64_t known_us = first_us < end_us ? grid_start_us(grid, first_us) : end_us;
        if (known_us > gaps->next_us) {
            gaps->counts.never = count_slots(gaps, gaps->next_us, known_us);
            gaps->next_us = known_us;
        }
        gaps->due_us = grid_start_us(grid, options->now_us); /* the slot that now lies in is not over */
        rc = scan_open(view, info->id, gaps->next_us, gaps->next_us < end_us ? end_us : gaps->next_us, 0, &gaps->scan);
    }
    if (rc) {
        gaps_close(gaps);
        return rc;
    }
    *ret_gaps = gaps;
    return 0;
}

/* Passes over slots without readings, up to end_us: those that are due are missing. */
static bool pass_over(struct gaps *gaps, int64_t end_us, struct span *ret_missing)
{
    int64_t begin_us = gaps->next_us, missing_end_us = end_us < gaps->due_us ? end_us : gaps->due_us;
    missing_end_us = missing_end_us > begin_us ? missing_end_us : begin_us;
    int64_t n_missing = count_slots(gaps, begin_us, missing_end_us);
    gaps->counts.expected += n_missing;
    gaps->counts.awaited += count_slots(gaps, missing_end_us, end_us);
    gaps->next_us = end_us;
    *ret_missing = (struct span){begin_us, missing_end_us};
    return n_missing > 0;
}

/* The slot of the next reading that is not in a slot judged already; the range's end where there is none. */
static int next_slot(struct gaps *gaps, int64_t *ret_start_us)
{
    for (;;) {
        gaps->next_point = points_seek(&gaps->points, gaps->next_point, gaps->next_us);
        if (gaps->next_point < gaps->points.n) {
            *ret_start_us = grid_start_us(gaps->options.grid, gaps->points.t_us[gaps->next_point]);
            return 1;
        }
        gaps->next_point = 0;
        int rc = scan_next(gaps->scan, &gaps->points);
        if (rc <= 0)
            return rc;
    }
}

int gaps_next(struct gaps *gaps, struct span *ret_missing)
{
    int64_t start_us;
    while (!gaps->is_over) {
        int rc = next_slot(gaps, &start_us);
        if (rc < 0)
            return rc;
        gaps->is_over = !rc;
        if (!rc)
            return gaps->options.end_us > gaps->next_us && pass_over(gaps, gaps->options.end_us, ret_missing);
        bool missing = start_us > gaps->next_us && pass_over(gaps, start_us, ret_missing);
        gaps->counts.expected++;
        gaps->counts.received++;
        gaps->next_us = grid_next_us(gaps->options.grid, start_us);
        if (missing)
            return 1;
    }
    return 0;
}

struct gaps_counts gaps_counts(const struct gaps *gaps)
{
    return gaps->counts;
}

void gaps_close(struct gaps *gaps)
{
    if (!gaps)
        return;
    scan_close(gaps->scan);
    points_free(&gaps->points);
    free(gaps);
}

int gaps_period(struct view *view, const struct series_info *info, int64_t begin_us, int64_t end_us, int64_t *ret_period_us)
{
    struct points points = {0};
    struct scan *scan;
    int rc = scan_open(view, info->id, begin_us, end_us, POINTS_PERIOD, &scan);
    if (rc)
        return rc;
    rc = scan_next(scan, &points);
    if (rc >= 0)
        *ret_period_us = rc ? points.period_us[0] : 0;
    points_free(&points);
    scan_close(scan);
    return rc < 0 ? rc : 0;
}
