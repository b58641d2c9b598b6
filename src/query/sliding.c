/* Time is cut into panes at every edge of a window, so that each window is a row of whole panes. The panes of the window
 * at work are a queue made of two stacks: in front each pane has the figures from itself to the end of that stack, at
 * the back there is one sum of all; so a window costs two additions, however many panes it has.
 *
 * A pane (p, q] is not a row of cells [p, q): a reading at p is not in it, and one at q is. So the cell that begins at an edge is
 * read as readings, of which the first may be the edge's own, and the others of the pane as cells. */
#include <config.h>

#include "query/sliding.h"

#include <stdlib.h>

#include "common/array.h"
#include "query/feed.h"
#include "query/tally.h"

#define QUOTIENT_DIGITS 15
#define PANE_CELLS_MIN 64 /* a pane of fewer cells is read faster as readings */
#define JUMP_US US_PER_HOUR /* as much time between windows is not read through once what is at hand is used up */

struct figures {
    uint64_t count;
    struct decimal first_or_last; /* of min, max and last: that one */
    struct exact sum;             /* of avg and sum */
};

struct pane {
    int64_t end_us; /* the last instant that belongs to it */
    struct figures figures;
};

struct stack {
    struct pane *at;
    size_t n, cap;
};

struct sliding {
    struct sliding_options options;
    struct view *view;
    struct scan *scan;
    struct points points;
    size_t next_point;
    bool is_over;          /* of the readings */
    int64_t t_us;          /* the window that has its turn; behind the last one: above end_us */
    struct stack front, back;
    struct figures behind; /* of all panes of back but its last one */
    struct exact sum;      /* what a value points to */
    /* with a tier, in place of scan and points from window to window: */
    bool has_tier;
    enum tier tier;
    int64_t taken_us;      /* the last edge up to which panes were taken */
    int64_t edge_us;       /* an edge whose cell was read */
    struct figures behind_edge; /* what came of it, but for a reading at the edge */
};

/* ---- figures ---- */

static bool has_sum(enum sliding_fn fn)
{
    return fn == SLIDING_AVG || fn == SLIDING_SUM;
}

/* later follows earlier in time. */
static struct decimal choose(enum sliding_fn fn, struct decimal earlier, struct decimal later)
{
    int order = fn == SLIDING_MIN || fn == SLIDING_MAX ? decimal_compare(later, earlier) : 0;
    return (fn == SLIDING_MIN && order >= 0) || (fn == SLIDING_MAX && order <= 0) ? earlier : later;
}

static void add_figures(enum sliding_fn fn, struct figures *earlier, const struct figures *later)
{
    if (!later->count)
        return;
    earlier->first_or_last = earlier->count ? choose(fn, earlier->first_or_last, later->first_or_last) : later->first_or_last;
    earlier->count += later->count;
    if (has_sum(fn))
        exact_add_exact(&earlier->sum, &later->sum);
}

/* Readings [begin, end) of points. Mantissas of one exponent are summed as they are: 128 bits hold more than there can
 * be. */
static void add_points(enum sliding_fn fn, const struct points *points, size_t begin, size_t end, struct figures *figures)
{
    __int128 sum = 0;
    int8_t e = 0;
    for (size_t i = begin; i < end; i++) {
        if (tally_leaves_out(points->quality[i]))
            continue;
        struct decimal value = {points->m[i], points->e[i]};
        figures->first_or_last = figures->count++ ? choose(fn, figures->first_or_last, value) : value;
        if (!has_sum(fn))
            continue;
        if (value.e != e && sum)
            exact_add_i128(&figures->sum, sum, e);
        sum = value.e == e ? sum + value.m : value.m;
        e = value.e;
    }
    if (sum)
        exact_add_i128(&figures->sum, sum, e);
}

static void add_cell(enum sliding_fn fn, const struct cell *cell, struct figures *figures)
{
    struct figures later = {.count = cell->count, .first_or_last = fn == SLIDING_MIN   ? cell->min
                                                                   : fn == SLIDING_MAX ? cell->max : cell->last};
    if (has_sum(fn))
        later.sum = cell->sum;
    add_figures(fn, figures, &later);
}

/* ---- panes ---- */

/* The first edge of a window at or after t_us; edges are the ends of windows, and their begins. */
static int64_t pane_end(const struct sliding_options *options, int64_t t_us)
{
    int64_t step_us = options->step_us, rest = (t_us - options->start_us) % step_us;
    int64_t end_us = t_us + (rest > 0 ? step_us - rest : -rest);
    int64_t begin_us = end_us - options->window_us % step_us;
    return begin_us >= t_us ? begin_us : end_us;
}

/* The last pane of back becomes one of those that are summed. */
static int push_pane(struct sliding *sliding, int64_t end_us)
{
    struct stack *back = &sliding->back;
    if (array_grow(&back->at, &back->cap, back->n + 1, sizeof(*back->at)))
        return ERR_NOMEM;
    if (back->n)
        add_figures(sliding->options.fn, &sliding->behind, &back->at[back->n - 1].figures);
    back->at[back->n++] = (struct pane){.end_us = end_us};
    return 0;
}

/* Moves all panes to the front, the oldest on top, each with the figures of those that follow it. */
static int turn_over(struct sliding *sliding)
{
    struct stack *front = &sliding->front, *back = &sliding->back;
    if (array_grow(&front->at, &front->cap, back->n, sizeof(*front->at)))
        return ERR_NOMEM;
    while (back->n) {
        struct pane pane = back->at[--back->n];
        if (front->n)
            add_figures(sliding->options.fn, &pane.figures, &front->at[front->n - 1].figures);
        front->at[front->n++] = pane;
    }
    sliding->behind = (struct figures){0};
    return 0;
}

/* Drops the panes that end at or before begin_us. */
static int drop_panes(struct sliding *sliding, int64_t begin_us)
{
    struct stack *front = &sliding->front, *back = &sliding->back;
    if (back->n && back->at[back->n - 1].end_us <= begin_us) {
        front->n = back->n = 0;
        sliding->behind = (struct figures){0};
        return 0;
    }
    for (;;) {
        if (!front->n && back->n && back->at[0].end_us <= begin_us && turn_over(sliding))
            return ERR_NOMEM;
        if (!front->n || front->at[front->n - 1].end_us > begin_us)
            return 0;
        front->n--;
    }
}

static struct figures sum_panes(const struct sliding *sliding)
{
    const struct stack *front = &sliding->front, *back = &sliding->back;
    struct figures figures = {0};
    if (front->n)
        figures = front->at[front->n - 1].figures;
    add_figures(sliding->options.fn, &figures, &sliding->behind);
    if (back->n)
        add_figures(sliding->options.fn, &figures, &back->at[back->n - 1].figures);
    return figures;
}

/* ---- reading ---- */

static int count_down(struct sliding *sliding, size_t n)
{
    uint64_t *left = sliding->options.left;
    if (left && n > *left)
        return ERR_LIMIT;
    if (left)
        *left -= n;
    return 0;
}

static int open_scan(struct sliding *sliding, int64_t begin_us)
{
    const struct sliding_options *options = &sliding->options;
    scan_close(sliding->scan);
    sliding->scan = NULL;
    return scan_open(sliding->view, options->series_id, begin_us > CIVIL_MIN_US ? begin_us : CIVIL_MIN_US,
                     options->end_us + 1, 0, &sliding->scan);
}

/* The next readings, from the window that has its turn on where that is far. */
static int read_more(struct sliding *sliding)
{
    struct points *points = &sliding->points;
    int64_t begin_us = sliding->t_us - sliding->options.window_us + 1;
    int rc = 0;
    if (points->n && points->t_us[points->n - 1] < begin_us - JUMP_US)
        rc = open_scan(sliding, begin_us);
    sliding->next_point = points->n = 0;
    rc = rc ? rc : scan_next(sliding->scan, points);
    if (rc > 0 && count_down(sliding, points->n))
        return ERR_LIMIT;
    return rc;
}

/* Makes sure that there is a reading that was not taken yet, or is_over. */
static int peek(struct sliding *sliding)
{
    while (!sliding->is_over && sliding->next_point == sliding->points.n) {
        int rc = read_more(sliding);
        if (rc < 0)
            return rc;
        sliding->is_over = !rc;
    }
    return 0;
}

/* Takes the readings up to end_us into panes. */
static int take_until(struct sliding *sliding, int64_t end_us)
{
    struct stack *back = &sliding->back;
    int rc;
    while (!(rc = peek(sliding)) && !sliding->is_over && sliding->points.t_us[sliding->next_point] <= end_us) {
        int64_t t_us = sliding->points.t_us[sliding->next_point];
        if ((!back->n || back->at[back->n - 1].end_us < t_us) && (rc = push_pane(sliding, pane_end(&sliding->options, t_us))))
            return rc;
        struct pane *pane = &back->at[back->n - 1];
        size_t end = points_seek(&sliding->points, sliding->next_point, pane->end_us + 1);
        add_points(sliding->options.fn, &sliding->points, sliding->next_point, end, &pane->figures);
        sliding->next_point = end;
    }
    return rc;
}

/* ---- with a tier ---- */

/* Reads the cell that begins at an edge: a reading there is added to at_edge, the others are kept. */
static int read_edge(struct sliding *sliding, int64_t edge_us, struct figures *at_edge)
{
    struct points *points = &sliding->points;
    int64_t end_us = edge_us + tier_width_us[sliding->tier];
    struct scan *scan;
    int rc = scan_open(sliding->view, sliding->options.series_id, edge_us, end_us, 0, &scan);
    if (rc)
        return rc;
    sliding->edge_us = edge_us;
    sliding->behind_edge = (struct figures){0};
    while ((rc = scan_next(scan, points)) > 0 && !(rc = count_down(sliding, points->n))) {
        size_t behind = points_seek(points, 0, edge_us + 1);
        add_points(sliding->options.fn, points, 0, behind, at_edge);
        add_points(sliding->options.fn, points, behind, points->n, &sliding->behind_edge);
    }
    scan_close(scan);
    return rc;
}

/* What lies between the cell of a pane's first edge and its last edge. */
static int read_inside(struct sliding *sliding, int64_t begin_us, int64_t end_us, struct figures *figures)
{
    enum sliding_fn fn = sliding->options.fn;
    struct feed_options options = {.series_id = sliding->options.series_id, .has_tier = true, .tier = sliding->tier,
                                   .worst = QUALITY_ESTIMATED, .knowledge = KNOWLEDGE_ALL, .begin_us = begin_us,
                                   .end_us = end_us};
    struct feed *feed;
    struct block block;
    int rc = feed_open(sliding->view, &options, &feed);
    if (rc)
        return rc;
    while ((rc = feed_next(feed, &block)) > 0 && !(rc = count_down(sliding, block.n))) {
        if (block.points)
            add_points(fn, block.points, 0, block.n, figures);
        for (size_t i = 0; i < block.n && !block.points; i++)
            add_cell(fn, &block.cells[i], figures);
    }
    feed_close(feed);
    return rc;
}

static int read_pane(struct sliding *sliding, int64_t begin_us, int64_t end_us, struct figures *ret_figures)
{
    struct figures before = {0};
    int rc = sliding->edge_us == begin_us ? 0 : read_edge(sliding, begin_us, &before);
    *ret_figures = sliding->behind_edge;
    rc = rc ? rc : read_inside(sliding, begin_us + tier_width_us[sliding->tier], end_us, ret_figures);
    return rc ? rc : read_edge(sliding, end_us, ret_figures);
}

/* Takes the panes up to end_us; those before the window at work are passed over. */
static int take_panes(struct sliding *sliding, int64_t end_us)
{
    int rc = 0;
    while (sliding->taken_us < end_us && !rc) {
        struct figures figures = {0};
        int64_t begin_us = sliding->taken_us, pane_us = pane_end(&sliding->options, begin_us + 1);
        sliding->taken_us = pane_us;
        if (pane_us > end_us - sliding->options.window_us)
            rc = read_pane(sliding, begin_us, pane_us, &figures);
        if (!rc && figures.count && !(rc = push_pane(sliding, pane_us)))
            sliding->back.at[sliding->back.n - 1].figures = figures;
    }
    return rc;
}

/* The coarsest tier at whose edges all windows begin and end, if panes are long enough for it. Sums are not in the cells of
 * counters. */
static bool find_tier(const struct sliding_options *options, enum tier *ret_tier)
{
    int64_t step_us = options->step_us, window_us = options->window_us, rest_us = window_us % step_us;
    bool is_alone = options->end_us - options->start_us < step_us;
    int64_t pane_us = !rest_us || is_alone || window_us < step_us ? (window_us < step_us ? window_us : step_us)
                      : rest_us < step_us - rest_us               ? rest_us : step_us - rest_us;
    if (options->has_expired || (options->kind == KIND_COUNTER && has_sum(options->fn)) ||
        options->start_us - window_us < CIVIL_MIN_US || options->end_us > CIVIL_END_US - US_PER_DAY)
        return false;
    for (int tier = TIER_N - 1; tier >= 0; tier--) {
        int64_t width_us = tier_width_us[tier];
        *ret_tier = (enum tier)tier;
        if (pane_us / width_us >= PANE_CELLS_MIN && !(options->start_us % width_us) && !(window_us % width_us) &&
            (is_alone || !(step_us % width_us)))
            return true;
    }
    return false;
}

/* ---- windows ---- */

static int put_value(struct sliding *sliding, const struct figures *figures, struct value *ret)
{
    *ret = (struct value){.type = VALUE_DECIMAL, .decimal = figures->first_or_last};
    sliding->sum = figures->sum;
    if (sliding->options.fn == SLIDING_COUNT)
        *ret = (struct value){.type = VALUE_COUNT, .count = figures->count};
    else if (sliding->options.fn == SLIDING_SUM)
        *ret = (struct value){.type = VALUE_EXACT, .exact = &sliding->sum};
    else if (sliding->options.fn == SLIDING_AVG)
        return exact_divide(&figures->sum, figures->count, QUOTIENT_DIGITS, &ret->decimal);
    return 0;
}

/* With no reading at hand the next windows are empty: goes on to the first one that has the next reading. */
static void skip_empty(struct sliding *sliding)
{
    const struct sliding_options *options = &sliding->options;
    if (sliding->is_over) {
        sliding->t_us = INT64_MAX;
        return;
    }
    int64_t behind_us = sliding->points.t_us[sliding->next_point] - sliding->t_us;
    if (behind_us > 0)
        sliding->t_us += (behind_us + options->step_us - 1) / options->step_us * options->step_us;
}

int sliding_next(struct sliding *sliding, int64_t *ret_t_us, struct value *ret_value)
{
    const struct sliding_options *options = &sliding->options;
    while (sliding->t_us <= options->end_us) {
        int64_t t_us = sliding->t_us;
        int rc = sliding->has_tier ? take_panes(sliding, t_us) : take_until(sliding, t_us);
        rc = rc ? rc : drop_panes(sliding, t_us - options->window_us);
        if (rc)
            return rc;
        struct figures figures = sum_panes(sliding);
        sliding->t_us += options->step_us;
        if (!sliding->front.n && !sliding->back.n && !sliding->has_tier)
            skip_empty(sliding);
        if (!figures.count)
            continue;
        *ret_t_us = t_us;
        rc = quota_take_points(view_quota(sliding->view), 1);
        rc = rc ? rc : put_value(sliding, &figures, ret_value);
        return rc ? rc : 1;
    }
    return 0;
}

int sliding_open(struct view *view, const struct sliding_options *options, struct sliding **ret_sliding)
{
    if (options->window_us / options->step_us > SLIDING_STEPS_MAX)
        return ERR_LIMIT;
    struct sliding *sliding = calloc(1, sizeof(*sliding));
    if (!sliding)
        return ERR_NOMEM;
    sliding->options = *options;
    sliding->view = view;
    sliding->t_us = options->start_us;
    sliding->taken_us = options->start_us - options->window_us;
    sliding->edge_us = INT64_MIN;
    sliding->has_tier = find_tier(options, &sliding->tier);
    int rc = sliding->has_tier ? 0 : open_scan(sliding, options->start_us - options->window_us + 1);
    if (rc) {
        sliding_close(sliding);
        return rc;
    }
    *ret_sliding = sliding;
    return 0;
}

void sliding_close(struct sliding *sliding)
{
    if (!sliding)
        return;
    scan_close(sliding->scan);
    points_free(&sliding->points);
    free(sliding->front.at);
    free(sliding->back.at);
    free(sliding);
}
