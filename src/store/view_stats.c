#include <config.h>

#include "store/reader.h"

#include <stdlib.h>

#include "common/civil.h"
#include "store/view.h"

static void add_counts(struct series_stats *stats, const struct series_counts *counts)
{
    if (!counts->n)
        return;
    stats->first_us = !stats->count || counts->first_us < stats->first_us ? counts->first_us : stats->first_us;
    stats->last_us = !stats->count || counts->last_us > stats->last_us ? counts->last_us : stats->last_us;
    stats->count += (uint64_t)counts->n;
    for (int class = 0; class < QUALITY_N; class++)
        stats->n_quality[class] += (uint64_t)counts->n_class[class];
}

static void count_points(const struct points *points, size_t begin, size_t end, struct series_counts *counts)
{
    for (size_t i = begin; i < end; i++) {
        unsigned class = points->quality[i] & QUALITY_CLASS_MASK;
        counts->n_class[class < QUALITY_N ? class : QUALITY_SUSPECT]++;
    }
    if (begin < end) {
        counts->first_us = counts->n ? counts->first_us : points->t_us[begin];
        counts->last_us = points->t_us[end - 1];
        counts->n += (int64_t)(end - begin);
    }
}

/* The plain way, for what cannot be added up: reads the readings in force. */
static int count_by_scan(struct view *view, uint32_t series_id, int64_t begin_us, int64_t end_us,
                         struct series_counts *counts)
{
    struct scan *scan;
    struct points points = {0};
    int rc = scan_open(view, series_id, begin_us, end_us, 0, &scan);
    if (rc)
        return rc;
    while ((rc = scan_step(scan, &points)) == 1)
        count_points(&points, 0, points.n, counts);
    points_free(&points);
    scan_close(scan);
    return rc;
}

/* Counts of the open file; *ret_simple is cleared where they do not speak for what is in force. */
static int count_open(struct trail *trail, const struct place *place, const struct file *file, int64_t begin_us,
                      int64_t end_us, struct series_counts *counts, bool *ret_simple)
{
    struct pool *pool = reader_dir_pool(trail->view->dir);
    struct pooled *pooled;
    struct chunk_stats stats;
    struct deletions deletions = {0};
    int rc = pool_take(pool, place->source->folder, file, &pooled);
    if (rc)
        return rc;
    rc = window_file_stats(pooled_window(pooled), trail->series_id, file->mark, &stats);
    if (!rc)
        rc = window_file_deletions(pooled_window(pooled), trail->series_id, begin_us, end_us, file->mark, &deletions);
    if (!rc)
        rc = window_file_check_state(pooled_window(pooled), file->mark);
    pool_give(pool, pooled);
    *ret_simple = !stats.n_issued && !deletions.n;
    deletions_free(&deletions);
    if (rc || !*ret_simple)
        return rc;
    *counts = (struct series_counts){
        .n = stats.n_plain, .first_us = stats.first_us, .last_us = stats.last_us,
        .n_class = {[QUALITY_EDITED] = stats.n_edited, [QUALITY_DERIVED] = stats.n_derived,
                    [QUALITY_ESTIMATED] = stats.n_estimated, [QUALITY_SUSPECT] = stats.n_suspect}};
    counts->n_class[QUALITY_MEASURED] = counts->n - stats.n_edited - stats.n_derived - stats.n_estimated - stats.n_suspect;
    return 0;
}

static bool overlap(const struct series_counts *a, const struct series_counts *b)
{
    return a->n && b->n && a->first_us <= b->last_us && b->first_us <= a->last_us;
}

/* Between two cuts, for a series of one source: layers that do not overlap add up. */
static int count_step(struct trail *trail, int64_t begin_us, int64_t end_us, struct series_stats *stats)
{
    const struct place *place = &trail->places[0];
    const struct settled *head = &place->head->settled;
    struct window_files files = place_files(place, begin_us);
    struct series_counts raw = {0}, open = {0}, fresh = {0}, all = {0};
    bool simple = true;
    int rc = files.raw ? pool_counts(reader_dir_pool(trail->view->dir), place->source->folder, files.raw, trail->series_id,
                                     &raw)
                       : 0;
    if (!rc && files.open)
        rc = count_open(trail, place, files.open, begin_us, end_us, &open, &simple);
    if (rc)
        return rc;
    count_points(&head->plain, points_seek(&head->plain, 0, begin_us), points_seek(&head->plain, 0, end_us), &fresh);
    size_t issued_i = points_seek(&head->issued, 0, begin_us);
    bool has_issued = issued_i < head->issued.n && head->issued.t_us[issued_i] < end_us;
    if (simple && !has_issued && !head->deletions.n && !place->head->has_replayed && !overlap(&raw, &open) &&
        !overlap(&raw, &fresh) && !overlap(&open, &fresh)) {
        add_counts(stats, &raw);
        add_counts(stats, &open);
        add_counts(stats, &fresh);
        return 0;
    }
    rc = count_by_scan(trail->view, trail->series_id, begin_us, end_us, &all);
    add_counts(stats, &all);
    return rc;
}

int view_stats(struct view *view, uint32_t series_id, struct series_stats *ret_stats)
{
    struct trail trail;
    struct series_stats stats = {0};
    int rc = trail_open(view, series_id, CIVIL_MIN_US, CIVIL_END_US, &trail);
    if (rc)
        return rc;
    if (trail.n_places == 1) {
        for (size_t i = 0; i + 1 < trail.n_cuts && !rc; i++)
            rc = count_step(&trail, trail.cuts[i], trail.cuts[i + 1], &stats);
    } else if (trail.n_places) {
        struct series_counts counts = {0};
        rc = count_by_scan(view, series_id, CIVIL_MIN_US, CIVIL_END_US, &counts);
        add_counts(&stats, &counts);
    }
    trail_close(&trail);
    if (!rc)
        *ret_stats = stats;
    return rc;
}
