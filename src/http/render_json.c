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
    buf_clear(&render->explain);
}

static void put_flag(struct buf *out, const char *name, bool flag)
{
    if (flag)
        buf_printf(out, ",\"%s\":true", name);
}

static void put_count(struct buf *out, const char *name, uint64_t n)
{
    if (n)
        buf_printf(out, ",\"%s\":%" PRIu64, name, n);
}

static void put_quality(const struct explained *explained, struct buf *out)
{
    const char *comma = "";
    buf_puts(out, ",\"quality\":{");
    for (int class = 0; class < QUALITY_N; class++) {
        if (!explained->n_quality[class])
            continue;
        buf_printf(out, "%s\"%s\":%" PRIu64, comma, quality_name((enum quality)class), explained->n_quality[class]);
        comma = ",";
    }
    buf_putc(out, '}');
}

/* Only what is there. */
static void put_findings(const struct range *range, const struct explained *explained, struct buf *out)
{
    put_flag(out, "partial", explained->is_partial);
    if (explained->is_filled)
        buf_puts(out, range->fill == FILL_PREVIOUS ? ",\"filled\":\"previous\"" : ",\"filled\":\"linear\"");
    put_flag(out, "gap", explained->has_gap);
    put_flag(out, "spread", explained->has_spread);
    put_count(out, "resets", explained->n_resets);
    put_count(out, "rollovers", explained->n_rollovers);
    put_count(out, "jitters", explained->n_jitters);
    put_count(out, "changes", explained->n_changes);
    put_count(out, "splits", explained->n_splits);
    put_count(out, "rounded", explained->n_rounded);
    put_count(out, "converted", explained->n_converted);
}

static void put_explained(const struct range *range, const struct row *row, struct buf *out)
{
    const struct explained *explained = row->explained;
    buf_puts(out, out->n ? ",\n{\"time\":" : "\n{\"time\":");
    render_json_time(range, row->t_us, out);
    if (explained->from_tier || explained->from_readings)
        buf_printf(out, ",\"tier\":\"%s%s%s\"", explained->from_tier ? tier_name[explained->tier] : "",
                   explained->from_tier && explained->from_readings ? "," : "", explained->from_readings ? "raw" : "");
    else
        buf_puts(out, ",\"tier\":null");
    buf_printf(out, ",\"count\":%" PRIu64 ",\"first\":", explained->count);
    if (explained->count) {
        render_json_time(range, explained->first_us, out);
        buf_puts(out, ",\"last\":");
        render_json_time(range, explained->last_us, out);
    } else {
        buf_puts(out, "null,\"last\":null");
    }
    put_quality(explained, out);
    put_findings(range, explained, out);
    buf_putc(out, '}');
}

static void put_row(struct render *render, const struct row *row, struct buf *out)
{
    const struct range *range = render->range;
    buf_puts(out, render->n_rows++ ? ",\n[" : "\n[");
    render_json_time(range, row->t_us, out);
    size_t n = range->raw ? 1 : render->n_aggs;
    for (size_t i = 0; i < n; i++) {
        buf_putc(out, ',');
        render_json_value(range, &row->values[i], out);
    }
    if (range->raw && render->with_quality) {
        buf_puts(out, ",\"");
        buf_puts(out, quality_name((enum quality)(row->quality & QUALITY_CLASS_MASK)));
        buf_putc(out, '"');
    }
    if (range->bounds)
        buf_puts(out, row->bound == BOUND_BEFORE ? ",\"before\"" : row->bound ? ",\"after\"" : ",null");
    buf_putc(out, ']');
    if (row->explained)
        put_explained(range, row, &render->explain);
}

static void end_series(struct render *render, struct buf *out)
{
    buf_puts(out, render->n_rows ? "\n]" : "]");
    if (render->range->explain) {
        buf_puts(out, ",\"explain\":[");
        if (render->explain.n)
            buf_put(out, render->explain.data, render->explain.n);
        buf_puts(out, render->explain.n ? "\n]" : "]");
        out->failed = out->failed || render->explain.failed;
    }
    buf_putc(out, '}');
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
