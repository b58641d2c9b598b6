/* CSV as RFC 4180 has it: CRLF, quotes where needed. Every answer has one header, whatever its series. */
#include <config.h>

#include "http/render.h"

#include <string.h>

void render_csv_field(struct buf *out, const char *text)
{
    if (!text[strcspn(text, "\",\r\n")]) {
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

static void begin(struct render *render, struct buf *out)
{
    buf_puts(out, "time,entity,property,unit");
    if (render->range->raw)
        buf_puts(out, render->range->bounds ? ",value,quality,bound" : ",value,quality");
    if (render->range->available)
        buf_puts(out, ",available_at");
    for (size_t i = 0; !render->range->raw && i < render->n_columns; i++)
        buf_printf(out, ",%s", agg_name[render->columns[i]]);
    buf_puts(out, "\r\n");
}

static void begin_series(struct render *render, struct buf *out)
{
    const struct series_info *info = render->info;
    (void)out;
    render_columns(render);
    buf_clear(&render->prefix);
    buf_putc(&render->prefix, ',');
    render_csv_field(&render->prefix, info->entity);
    buf_putc(&render->prefix, ',');
    render_csv_field(&render->prefix, info->property);
    buf_putc(&render->prefix, ',');
    render_csv_field(&render->prefix, info->unit);
}

static void put_value(const struct range *range, const struct value *value, struct buf *out)
{
    buf_putc(out, ',');
    if (value->type == VALUE_TEXT)
        render_csv_field(out, value->text);
    else if (value->type == VALUE_TIME)
        render_time(range, value->t_us, out);
    else if (value->type != VALUE_NULL)
        render_number(value, out);
}

static void put_row(struct render *render, const struct row *row, struct buf *out)
{
    render->n_rows++;
    render_time(render->range, row->t_us, out);
    buf_put(out, render->prefix.data, render->prefix.n);
    if (render->prefix.failed)
        out->failed = true;
    if (render->range->raw) {
        put_value(render->range, &row->values[0], out);
        buf_putc(out, ',');
        buf_puts(out, quality_name((enum quality)(row->quality & QUALITY_CLASS_MASK)));
        if (render->range->bounds)
            buf_puts(out, row->bound == BOUND_BEFORE ? ",before" : row->bound ? ",after" : ",");
        if (render->range->available)
            put_value(render->range, &(struct value){.type = VALUE_TIME, .t_us = row->available_us}, out);
    }
    for (size_t i = 0; !render->range->raw && i < render->n_columns; i++)
        put_value(render->range, render_column(render, row, i), out);
    buf_puts(out, "\r\n");
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

const struct renderer render_csv = {"text/csv; charset=utf-8; header=present", begin, begin_series, put_row,
                                    end_series, end};
