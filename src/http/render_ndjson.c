/* NDJSON: a line a row, each an object of its own with the names of the CSV, so that a reader can begin and stop anywhere. */
#include <config.h>

#include "http/render.h"

#include <string.h>

#include "common/jsontext.h"

static void begin(struct render *render, struct buf *out)
{
    (void)render;
    (void)out;
}

static void begin_series(struct render *render, struct buf *out)
{
    struct keys keys = render_keys(render->range, render->info);
    (void)out;
    render_columns(render);
    buf_clear(&render->prefix);
    for (size_t i = 0; i < keys.n; i++) {
        buf_printf(&render->prefix, ",\"%s\":", keys.names[i]);
        jsontext_put(&render->prefix, keys.values[i]);
    }
}

static void put_row(struct render *render, const struct row *row, struct buf *out)
{
    buf_puts(out, "{\"time\":");
    render_json_time(render->range, &render->minute, row->t_us, out);
    buf_put(out, render->prefix.data, render->prefix.n);
    if (render->prefix.failed)
        out->failed = true;
    if (render->range->raw) {
        buf_puts(out, ",\"value\":");
        render_json_value(render, &row->values[0], out);
        buf_printf(out, ",\"quality\":\"%s\"", quality_name((enum quality)(row->quality & QUALITY_CLASS_MASK)));
        if (render->range->bounds)
            buf_puts(out, row->bound == BOUND_BEFORE ? ",\"bound\":\"before\""
                          : row->bound               ? ",\"bound\":\"after\""
                                                     : ",\"bound\":null");
        if (render->range->available) {
            buf_puts(out, ",\"available_at\":");
            render_json_time(render->range, &render->minute, row->available_us, out);
        }
    }
    for (size_t i = 0; !render->range->raw && i < render->n_columns; i++) {
        buf_printf(out, ",\"%s\":", agg_name[render->columns[i]]);
        render_json_value(render, render_column(render, row, i), out);
    }
    const char *const *counts = render_counts(render->range);
    for (size_t i = 0; counts[i]; i++) {
        buf_printf(out, ",\"%s\":", counts[i]);
        render_json_value(render, &row->values[render->n_aggs + i], out);
    }
    buf_puts(out, "}\n");
}

static void put_numbers(struct render *render, const struct stretch *stretch, struct buf *out)
{
    bool is_ms = render->range->time == TIME_MS;
    struct frame frame = {.head = is_ms ? "{\"time\":" : "{\"time\":\""};
    struct buf middle = {0};
    buf_puts(&middle, is_ms ? "" : "\"");
    buf_put(&middle, render->prefix.data, render->prefix.n);
    buf_puts(&middle, ",\"value\":");
    frame.n_head = strlen(frame.head);
    frame.middle = (const char *)middle.data;
    frame.n_middle = middle.n;
    render_tails(&frame, ",\"quality\":\"", false, "\"}\n");
    if (middle.failed || render->prefix.failed)
        out->failed = true;
    else
        render_rows(render, &frame, stretch->points, stretch->begin, stretch->end, out);
    buf_free(&middle);
}

static void put_points(struct render *render, const struct stretch *stretch, struct buf *out)
{
    const struct points *points = stretch->points;
    if (render->info->kind != KIND_STATE) {
        put_numbers(render, stretch, out);
        return;
    }
    for (size_t i = stretch->begin; i < stretch->end; i++) {
        struct value value = render_point(render, points, i);
        put_row(render, &(struct row){.t_us = points->t_us[i], .quality = points->quality[i], .values = &value}, out);
    }
}

static void end_series(struct render *render, struct buf *out)
{
    (void)render;
    (void)out;
}

static void end(struct render *render, const char *cursor, struct buf *out)
{
    (void)render;
    (void)cursor;
    (void)out;
}

/* ---- wide ---- */

static void begin_line(struct render *render, int64_t t_us, struct buf *out)
{
    buf_puts(out, "{\"time\":");
    render_json_time(render->range, &render->minute, t_us, out);
}

static void put_cell(struct render *render, size_t column, const struct value *value, struct buf *out)
{
    buf_putc(out, ',');
    render_json_wide_name(render, column, out);
    buf_putc(out, ':');
    render_json_value(render, value, out);
}

static bool put_sheet(struct render *render, const struct sheet *sheet, struct buf *out)
{
    return render_sheet_rows(render, sheet, &(struct row_text){begin_line, put_cell, "}\n"}, out);
}

const struct renderer render_ndjson = {
    .type = "application/x-ndjson",
    .begin = begin,
    .begin_series = begin_series,
    .row = put_row,
    .points = put_points,
    .end_series = end_series,
    .end = end,
    .begin_wide = begin,
    .sheet = put_sheet,
    .end_wide = end,
};
