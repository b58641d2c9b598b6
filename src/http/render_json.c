#include <config.h>

#include "http/render.h"

#include <inttypes.h>

#include "http/jsontext.h"

static void put_member(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, ",\"%s\":", name);
    jsontext_put(out, text);
}

static void begin(struct render *render, struct buf *out)
{
    const struct range *range = render->range;
    char step[CIVIL_TEXT_MAX];
    buf_putc(out, '{');
    if (!range->raw)
        buf_printf(out, "\"step\":\"%.*s\",", (int)civil_print_duration(step, &range->step), step);
    buf_puts(out, "\"series\":[");
}

static void begin_series(struct render *render, struct buf *out)
{
    const struct series_info *info = render->info;
    buf_printf(out, "%s\n{\"id\":%" PRIu32, render->n_series++ ? "," : "", info->id);
    put_member(out, "entity", info->entity);
    put_member(out, "type", info->type);
    put_member(out, "property", info->property);
    put_member(out, "unit", info->unit);
    put_member(out, "kind", kind_name(info->kind));
    buf_puts(out, ",\"columns\":[\"time\"");
    if (render->range->raw)
        buf_printf(out, ",\"value\"%s%s", render->with_quality ? ",\"quality\"" : "", render->range->bounds ? ",\"bound\"" : "");
    for (size_t i = 0; !render->range->raw && i < render->n_aggs; i++)
        buf_printf(out, ",\"%s\"", agg_name[render->aggs[i]]);
    buf_puts(out, "],\"rows\":[");
    render->n_rows = 0;
}

static void put_row(struct render *render, const struct row *row, struct buf *out)
{
    const struct range *range = render->range;
    buf_puts(out, render->n_rows++ ? ",\n[" : "\n[");
    render_json_time(range, row->t_us, out);
    size_t n = range->raw ? 1 : render->n_aggs;
    for (size_t i = 0; i < n; i++) {
        buf_putc(out, ',');
        render_json_value(&row->values[i], out);
    }
    if (range->raw && render->with_quality) {
        buf_puts(out, ",\"");
        buf_puts(out, quality_name((enum quality)(row->quality & QUALITY_CLASS_MASK)));
        buf_putc(out, '"');
    }
    if (range->bounds)
        buf_puts(out, row->bound == BOUND_BEFORE ? ",\"before\"" : row->bound ? ",\"after\"" : ",null");
    buf_putc(out, ']');
}

static void end_series(struct render *render, struct buf *out)
{
    buf_puts(out, render->n_rows ? "\n]}" : "]}");
}

static void end(struct render *render, const char *cursor, struct buf *out)
{
    buf_puts(out, render->n_series ? "\n],\"next\":" : "],\"next\":");
    if (cursor)
        jsontext_put(out, cursor);
    else
        buf_puts(out, "null");
    buf_puts(out, "}\n");
}

const struct renderer render_json = {"application/json", begin, begin_series, put_row, end_series, end};
