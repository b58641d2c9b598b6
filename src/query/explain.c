#include <config.h>

#include "query/explain.h"

#include <stdlib.h>

#include "query/tally.h"

struct explainer {
    struct feed *feed;
    struct block block; /* its rows from block_i on are not counted yet */
    size_t block_i;
};

int explainer_open(struct view *view, const struct feed_options *feed, struct explainer **ret_explainer)
{
    struct explainer *explainer = calloc(1, sizeof(*explainer));
    struct feed_options options = *feed;
    int64_t left_us = options.begin_us;
    if (!explainer)
        return ERR_NOMEM;
    options.is_sifted = false;
    int rc = view_left(view, options.series_id, NULL, options.begin_us, options.end_us, &left_us);
    options.has_tier = options.has_tier && left_us > options.begin_us;
    rc = rc ? rc : feed_open(view, &options, &explainer->feed);
    if (rc) {
        free(explainer);
        return rc;
    }
    *ret_explainer = explainer;
    return 0;
}

void explainer_close(struct explainer *explainer)
{
    if (!explainer)
        return;
    feed_close(explainer->feed);
    free(explainer);
}

static void note_time(struct explained *explained, int64_t first_us, int64_t last_us, uint64_t n)
{
    if (!explained->count)
        explained->first_us = first_us;
    explained->last_us = last_us;
    explained->count += n;
}

static void count_point(const struct points *points, size_t i, struct explained *explained)
{
    unsigned class = points->quality[i] & QUALITY_CLASS_MASK;
    explained->n_quality[class < QUALITY_N ? class : QUALITY_SUSPECT]++;
    explained->n_rounded += (points->quality[i] & QUALITY_ROUNDED) != 0;
    explained->n_converted += (points->quality[i] & QUALITY_CONVERTED) != 0;
    if (!tally_leaves_out(points->quality[i]))
        note_time(explained, points->t_us[i], points->t_us[i], 1);
}

static void count_cell(const struct cell *cell, struct explained *explained)
{
    for (int class = 0; class < QUALITY_N; class++)
        explained->n_quality[class] += cell->n_quality[class];
    if (cell->count)
        note_time(explained, cell->first_us, cell->last_us, cell->count);
}

int explainer_take(struct explainer *explainer, int64_t begin_us, int64_t end_us, struct explained *explained)
{
    struct block *block = &explainer->block;
    for (;;) {
        if (explainer->block_i == block->n) {
            explainer->block_i = block->n = 0;
            int rc = feed_next(explainer->feed, block);
            if (rc <= 0)
                return rc;
        }
        size_t i = explainer->block_i;
        int64_t t_us = block->points ? block->points->t_us[i] : block->cells[i].begin_us;
        if (t_us >= end_us)
            return 0;
        explainer->block_i++;
        if (t_us < begin_us)
            continue;
        if (block->points)
            count_point(block->points, i, explained);
        else
            count_cell(&block->cells[i], explained);
    }
}
