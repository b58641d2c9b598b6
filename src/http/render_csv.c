/* CSV as RFC 4180 has it: CRLF, quotes where needed; with the separators that spreadsheets of other countries want,
 * where asked for. Every answer has one header, whatever its series. */
#include <config.h>

#include "http/render.h"

#include <string.h>

void render_csv_field(struct buf *out, const char *text, char sep)
{
    const char special[] = {'"', '\r', '\n', sep, '\0'};
    if (!text[strcspn(text, special)]) {
        buf_puts(out, text);
        return;
    }
    buf_putc(out, '"');
    for (const char *quote; (quote = strchr(text, '"')); text = quote + 1) {
        buf_put(out, text, (size_t)(quote - text) + 1);
        buf_putc(out, '"');
    }
    buf_puts(out, text);
    buf_putc(out, '"');
}

static void begin_line(const struct render *render, struct buf *out)
{
    if (render->dialect.bom)
        buf_puts(out, "\xef\xbb\xbf");
    buf_puts(out, "time");
}

static void put_name(const struct render *render, const char *name, struct buf *out)
{
    buf_putc(out, render->dialect.sep);
    render_csv_field(out, name, render->dialect.sep);
}

/* ---- long ---- */

static void begin(struct render *render, struct buf *out)
{
    struct keys keys = render_keys(render->range, &(struct series_info){0});
    begin_line(render, out);
    for (size_t i = 0; i < keys.n; i++)
        put_name(render, keys.names[i], out);
    if (render->range->raw) {
        put_name(render, "value", out);
        put_name(render, "quality", out);
    }
    if (render->range->bounds)
        put_name(render, "bound", out);
    if (render->range->available)
        put_name(render, "available_at", out);
    for (size_t i = 0; !render->range->raw && i < render->n_columns; i++)
        put_name(render, agg_name[render->columns[i]], out);
    for (const char *const *name = render_counts(render->range); *name; name++)
        put_name(render, *name, out);
    buf_puts(out, "\r\n");
}

static void begin_series(struct render *render, struct buf *out)
{
    struct keys keys = render_keys(render->range, render->info);
    (void)out;
    render_columns(render);
    buf_clear(&render->prefix);
    for (size_t i = 0; i < keys.n; i++)
        put_name(render, keys.values[i], &render->prefix);
    buf_putc(&render->prefix, render->dialect.sep);
}

/* The decimal sign of what was printed from begin on. */
static void set_decimal(const struct render *render, struct buf *out, size_t begin)
{
    if (render->dialect.decimal == '.' || out->failed)
        return;
    char *point = memchr(out->data + begin, '.', out->n - begin);
    if (point)
        *point = render->dialect.decimal;
}

static void put_time(struct render *render, int64_t t_us, struct buf *out)
{
    size_t begin = out->n;
    render_time(render->range, &render->minute, t_us, out);
    if (render->range->time == TIME_MS)
        set_decimal(render, out, begin);
}

static void put_value(struct render *render, const struct value *value, struct buf *out)
{
    size_t begin = out->n;
    if (value->type == VALUE_TEXT) {
        render_csv_field(out, value->text, render->dialect.sep);
    } else if (value->type == VALUE_TIME) {
        put_time(render, value->t_us, out);
    } else if (value->type != VALUE_NULL) {
        render_number(value, out);
        set_decimal(render, out, begin);
    }
}

static void put_prefix(struct render *render, struct buf *out)
{
    buf_put(out, render->prefix.data, render->prefix.n);
    if (render->prefix.failed)
        out->failed = true;
}

static void put_quality(const struct render *render, uint8_t quality, struct buf *out)
{
    buf_putc(out, render->dialect.sep);
    buf_puts(out, quality_name((enum quality)(quality & QUALITY_CLASS_MASK)));
}

static void put_row(struct render *render, const struct row *row, struct buf *out)
{
    render->n_rows++;
    put_time(render, row->t_us, out);
    put_prefix(render, out);
    if (render->range->raw) {
        put_value(render, &row->values[0], out);
        put_quality(render, row->quality, out);
    }
    if (render->range->bounds)
        put_name(render, row->bound == BOUND_BEFORE ? "before" : row->bound ? "after" : "", out);
    if (render->range->available) {
        buf_putc(out, render->dialect.sep);
        put_time(render, row->available_us, out);
    }
    for (size_t i = 0; !render->range->raw && i < render->n_columns; i++) {
        if (i)
            buf_putc(out, render->dialect.sep);
        put_value(render, render_column(render, row, i), out);
    }
    const char *const *counts = render_counts(render->range);
    for (size_t i = 0; counts[i]; i++) {
        buf_putc(out, render->dialect.sep);
        put_value(render, &row->values[render->n_aggs + i], out);
    }
    buf_puts(out, "\r\n");
}

static void put_points(struct render *render, const struct stretch *stretch, struct buf *out)
{
    const struct points *points = stretch->points;
    if (render->info->kind != KIND_STATE && render->range->time != TIME_MS && !render->prefix.failed) {
        struct frame frame = {.head = "", .middle = (const char *)render->prefix.data, .n_middle = render->prefix.n};
        render_tails(&frame, (const char[]){render->dialect.sep, '\0'}, false, "\r\n");
        render_rows(render, &frame, points, stretch->begin, stretch->end, out);
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

static void begin_wide(struct render *render, struct buf *out)
{
    begin_line(render, out);
    for (size_t i = 0; i < render->n_wide; i++) {
        buf_clear(&render->prefix);
        render_wide_name(render, i, &render->prefix);
        buf_putc(&render->prefix, '\0');
        put_name(render, render->prefix.failed ? "" : (const char *)render->prefix.data, out);
        out->failed |= render->prefix.failed;
    }
    buf_puts(out, "\r\n");
}

static void put_cell(struct render *render, size_t column, const struct value *value, struct buf *out)
{
    (void)column;
    buf_putc(out, render->dialect.sep);
    put_value(render, value, out);
}

static bool put_sheet(struct render *render, const struct sheet *sheet, struct buf *out)
{
    return render_sheet_rows(render, sheet, &(struct row_text){put_time, put_cell, "\r\n"}, out);
}

const struct renderer render_csv = {
    .type = "text/csv; charset=utf-8; header=present",
    .begin = begin,
    .begin_series = begin_series,
    .row = put_row,
    .points = put_points,
    .end_series = end_series,
    .end = end,
    .begin_wide = begin_wide,
    .sheet = put_sheet,
    .end_wide = end,
};
