#include <config.h>

#include "query/feed.h"

#include <stdlib.h>

#include "query/tally.h"

/* Cells are read in slices of so many widths. A slice without any cells makes the next one longer, up to the most that is
 * held in memory. */
#define SLICE_CELLS 4096
#define SLICE_CELLS_MAX (4 * SLICE_CELLS)
/* Ranges of more slices than this are first cut to the time that has readings: asking for that has its price, too. */
#define SLICES_UNCUT 64

struct feed {
    struct view *view;
    struct feed_options options;
    int64_t width_us;   /* of the tier */
    int64_t at_us;      /* everything before it was handed out, or is being scanned */
    struct scan *scan;  /* readings up to at_us */
    struct points points;
    /* the slice of cells at work: up to slice_end_us */
    int64_t slice_end_us, slice_cells;
    struct cells cells;
    struct spans raw;
    size_t next_cell, next_raw;
};

static int64_t round_down(int64_t t_us, int64_t width_us)
{
    int64_t rest = t_us % width_us;
    return t_us - (rest < 0 ? rest + width_us : rest);
}

int feed_left(struct view *view, const struct feed_options *options, int64_t *ret_left_us)
{
    int64_t begin_us = options->begin_us, end_us = options->end_us;
    int64_t width_us = options->has_tier ? tier_width_us[options->tier] : 1;
    int64_t inner_us = round_down(begin_us + width_us - 1, width_us), inner_end_us = round_down(end_us, width_us);
    if (!options->has_tier || inner_us >= inner_end_us)
        return view_left(view, options->series_id, NULL, begin_us, end_us, ret_left_us);
    /* cells within, readings at the edges */
    int64_t left_us[3];
    int rc = view_left(view, options->series_id, NULL, begin_us, inner_us, &left_us[0]);
    rc = rc ? rc : view_left(view, options->series_id, &options->tier, inner_us, inner_end_us, &left_us[1]);
    rc = rc ? rc : view_left(view, options->series_id, NULL, inner_end_us, end_us, &left_us[2]);
    if (rc)
        return rc;
    *ret_left_us = left_us[2] > inner_end_us ? left_us[2] : left_us[1] > inner_us ? left_us[1] : left_us[0];
    return 0;
}

/* Leaves out the time before the first and after the last reading, by whole cells. Of expired readings there may be cells. */
static int cut_range(struct feed *feed)
{
    struct series_stats stats;
    struct span expired = {0};
    int rc = view_stats(feed->view, feed->options.series_id, &stats);
    if (!rc)
        rc = view_expired(feed->view, feed->options.series_id, &expired);
    if (rc)
        return rc;
    bool has_expired = expired.begin_us < expired.end_us;
    int64_t begin_us = stats.count ? round_down(stats.first_us, feed->width_us) : feed->options.end_us;
    int64_t end_us = stats.count ? round_down(stats.last_us, feed->width_us) + feed->width_us : 0;
    if (has_expired && expired.begin_us < begin_us)
        begin_us = round_down(expired.begin_us, feed->width_us);
    if (has_expired && (!stats.count || expired.end_us > end_us))
        end_us = round_down(expired.end_us - 1, feed->width_us) + feed->width_us;
    if (begin_us > feed->at_us)
        feed->at_us = begin_us;
    if (end_us < feed->options.end_us)
        feed->options.end_us = end_us;
    return 0;
}

int feed_open(struct view *view, const struct feed_options *options, struct feed **ret_feed)
{
    struct feed *feed = calloc(1, sizeof(*feed));
    if (!feed)
        return ERR_NOMEM;
    feed->view = view;
    feed->options = *options;
    feed->at_us = feed->slice_end_us = options->begin_us;
    feed->slice_cells = SLICE_CELLS;
    int rc = 0;
    if (options->has_tier) {
        feed->width_us = tier_width_us[options->tier];
        if ((options->end_us - options->begin_us) / feed->width_us > SLICES_UNCUT * SLICE_CELLS)
            rc = cut_range(feed);
    }
    if (rc) {
        feed_close(feed);
        return rc;
    }
    *ret_feed = feed;
    return 0;
}

static int begin_scan(struct feed *feed, int64_t end_us)
{
    int64_t begin_us = feed->at_us;
    feed->at_us = end_us;
    struct scan_options options = {begin_us, end_us, feed->options.want, feed->options.knowledge};
    return scan_open_known(feed->view, feed->options.series_id, &options, &feed->scan);
}

/* ---- what aggregates leave out ---- */

static void sift_points(struct points *points, enum quality worst, bool has_period)
{
    size_t n = 0;
    while (n < points->n && !tally_is_worse(points->quality[n], worst) && !tally_leaves_out(points->quality[n]))
        n++; /* usually all of them */
    for (size_t i = n; i < points->n; i++) {
        if (tally_is_worse(points->quality[i], worst))
            continue;
        points->t_us[n] = points->t_us[i];
        points->m[n] = points->m[i];
        points->e[n] = points->e[i];
        points->quality[n] = tally_leaves_out(points->quality[i]) ? QUALITY_ESTIMATED : points->quality[i];
        if (has_period)
            points->period_us[n] = points->period_us[i];
        n++;
    }
    points->n = n;
}

static void sift_cells(struct cells *cells)
{
    size_t n = 0;
    for (size_t i = 0; i < cells->n; i++)
        if (cells->rows[i].count && n++ != i)
            cells->rows[n - 1] = cells->rows[i];
    cells->n = n;
}

/* ---- from stretch to stretch ---- */

static int read_slice(struct feed *feed, int64_t inner_end_us)
{
    int64_t rest = (inner_end_us - feed->at_us) / feed->width_us;
    int64_t n = rest < feed->slice_cells ? rest : feed->slice_cells;
    feed->slice_end_us = feed->at_us + n * feed->width_us;
    feed->cells.n = feed->raw.n = feed->next_cell = feed->next_raw = 0;
    int rc = view_cells(feed->view, feed->options.series_id, feed->options.tier, feed->at_us, feed->slice_end_us,
                        &feed->cells, &feed->raw);
    if (feed->options.is_sifted)
        sift_cells(&feed->cells);
    if (feed->cells.n)
        feed->slice_cells = SLICE_CELLS;
    else if (feed->slice_cells < SLICE_CELLS_MAX)
        feed->slice_cells *= 2;
    return rc;
}

/* Goes on in the slice: 1 for a block of cells; 0 when it has begun a scan, or moved on without finding any. */
static int next_in_slice(struct feed *feed, struct block *ret_block)
{
    const struct cells *cells = &feed->cells;
    while (feed->next_raw < feed->raw.n && feed->raw.rows[feed->next_raw].end_us <= feed->at_us)
        feed->next_raw++;
    const struct span *raw = feed->next_raw < feed->raw.n ? &feed->raw.rows[feed->next_raw] : NULL;
    if (raw && raw->begin_us <= feed->at_us)
        return begin_scan(feed, raw->end_us);

    while (feed->next_cell < cells->n && cells->rows[feed->next_cell].begin_us < feed->at_us)
        feed->next_cell++; /* of a span that is read raw */
    size_t begin = feed->next_cell;
    feed->at_us = raw ? raw->begin_us : feed->slice_end_us;
    while (feed->next_cell < cells->n && cells->rows[feed->next_cell].begin_us < feed->at_us)
        feed->next_cell++;
    if (begin == feed->next_cell)
        return 0;
    *ret_block = (struct block){.cells = &cells->rows[begin], .n = feed->next_cell - begin};
    return 1;
}

/* Goes on behind at_us, where nothing is being scanned. */
static int go_on(struct feed *feed, struct block *ret_block)
{
    int64_t end_us = feed->options.end_us;
    if (!feed->options.has_tier)
        return begin_scan(feed, end_us);
    if (feed->at_us < feed->slice_end_us)
        return next_in_slice(feed, ret_block);

    int64_t inner_us = round_down(feed->at_us + feed->width_us - 1, feed->width_us);
    int64_t inner_end_us = round_down(end_us, feed->width_us);
    if (inner_us >= inner_end_us)
        return begin_scan(feed, end_us);
    if (feed->at_us < inner_us)
        return begin_scan(feed, inner_us);
    return read_slice(feed, inner_end_us);
}

int feed_next(struct feed *feed, struct block *ret_block)
{
    for (;;) {
        int rc = feed->scan ? scan_next(feed->scan, &feed->points) : 0;
        if (rc < 0)
            return rc;
        if (rc && feed->options.is_sifted) {
            sift_points(&feed->points, feed->options.worst, feed->options.want & POINTS_PERIOD);
            if (!feed->points.n)
                continue;
        }
        if (rc) {
            *ret_block = (struct block){.points = &feed->points, .n = feed->points.n};
            return 1;
        }
        scan_close(feed->scan);
        feed->scan = NULL;
        if (feed->at_us >= feed->options.end_us)
            return 0;
        rc = go_on(feed, ret_block);
        if (rc)
            return rc;
    }
}

void feed_close(struct feed *feed)
{
    if (!feed)
        return;
    scan_close(feed->scan);
    points_free(&feed->points);
    cells_free(&feed->cells);
    spans_free(&feed->raw);
    free(feed);
}
