/* Renders series and rows of the scripted source as one answer. */
#ifndef TESTS_LIB_RENDERED_H
#define TESTS_LIB_RENDERED_H

#include "../lib/fake_source.h"
#include "http/render.h"

/* The text ends in a NUL that is not counted; aggs n 0 for raw. */
static inline void render_all(const struct renderer *renderer, const struct range *range, const struct fake_series *series,
                              size_t n_series, int64_t n_rows, int64_t step_us, struct buf *out)
{
    struct render render = {.range = range, .dialect = {',', '.', false, false}};
    for (size_t i = 0; i < range->n_aggs; i++)
        render.columns[render.n_columns++] = range->aggs[i];
    for (size_t s = 0; s < n_series; s++)
        if (render_know(&render, &series[s].info))
            abort();
    if (!n_series && render_know(&render, &(struct series_info){.entity = "", .type = "", .property = "", .unit = ""}))
        abort();
    renderer->begin(&render, out);
    for (size_t s = 0; s < n_series; s++) {
        render.info = &series[s].info;
        render.aggs = range->aggs;
        render.n_aggs = range->n_aggs;
        render.with_quality = series[s].stats.n_quality[QUALITY_ESTIMATED];
        renderer->begin_series(&render, out);
        for (int64_t i = 0; i < n_rows; i++) {
            struct value values[AGG_N];
            struct exact exacts[AGG_N];
            for (size_t c = 0; c < AGG_N; c++)
                fake_value(series[s].info.kind, i, c, &values[c], &exacts[c]);
            struct row row = {.t_us = range->from_us + i * step_us, .quality = fake_quality(&series[s], i), .values = values};
            row.bound = !range->bounds ? BOUND_NONE : !i ? BOUND_BEFORE : i == n_rows - 1 ? BOUND_AFTER : BOUND_NONE;
            renderer->row(&render, &row, out);
        }
        renderer->end_series(&render, out);
    }
    renderer->end(&render, NULL, out);
    render_done(&render);
    buf_putc(out, '\0');
    out->n--;
}

#endif
