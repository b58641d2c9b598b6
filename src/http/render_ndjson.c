/* NDJSON: a line a row, each an object of its own with the names of the CSV, so that a reader can begin and stop anywhere. */
#include <config.h>

#include "http/render.h"

#include "http/jsontext.h"

static void begin(struct render *render, struct buf *out)
{
    (void)render;
    (void)out;
}

static void begin_series(struct render *render, struct buf *out)
{
    const struct series_info *info = render->info;
    (void)out;
    render_columns(render);
    buf_clear(&render->prefix);
    buf_puts(&render->prefix, ",\"entity\":");
    jsontext_put(&render->prefix, info->entity);
    buf_puts(&render->prefix, ",\"property\":");
    jsontext_put(&render->prefix, info->property);
    buf_puts(&render->prefix, ",\"unit\":");
    jsontext_put(&render->prefix, info->unit);
}

static void put_row(struct render *render, const struct row *row, struct buf *out)
{
    buf_puts(out, "{\"time\":");
    render_json_time(render->range, row->t_us, out);
    buf_put(out, render->prefix.data, render->prefix.n);
    if (render->prefix.failed)
        out->failed = true;
    if (render->range->raw) {
        buf_puts(out, ",\"value\":");
        render_json_value(render->range, &row->values[0], out);
        buf_printf(out, ",\"quality\":\"%s\"", quality_name((enum quality)(row->quality & QUALITY_CLASS_MASK)));
        if (render->range->bounds)
            buf_puts(out, row->bound == BOUND_BEFORE ? ",\"bound\":\"before\""
                          : row->bound               ? ",\"bound\":\"after\""
                                                     : ",\"bound\":null");
        if (render->range->available) {
            buf_puts(out, ",\"available_at\":");
            render_json_time(render->range, row->available_us, out);
        }
    }
    for (size_t i = 0; !render->range->raw && i < render->n_columns; i++) {
        buf_printf(out, ",\"%s\":", agg_name[render->columns[i]]);
        render_json_value(render->range, render_column(render, row, i), out);
    }
    buf_puts(out, "}\n");
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

const struct renderer render_ndjson = {"application/x-ndjson", begin, begin_series, put_row, end_series, end};
