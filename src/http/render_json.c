#include <config.h>

#include "http/render.h"

#include <inttypes.h>
#include <string.h>

#include "common/jsontext.h"
#include "query/shown.h"

static void begin(struct render *render, struct buf *out)
{
    const struct range *range = render->range;
    char step[CIVIL_TEXT_MAX];
    buf_putc(out, '{');
    if (!range->raw)
        buf_printf(out, "\"step\":\"%.*s\",", (int)civil_print_duration(step, &range->step), step);
    buf_puts(out, "\"series\":[");
}

static void put_units(const struct render *render, const struct series_info *info, struct buf *out)
{
    const char *apart = shown_integral_apart(render->range, info);
    jsontext_put_member(out, "unit", info->unit);
    if (apart)
        jsontext_put_member(out, "integral_unit", apart);
    jsontext_put_member(out, "kind", kind_name(info->kind));
}

static void put_info(struct render *render, const struct series_info *info, struct buf *out)
{
    buf_printf(out, "%s\n{\"id\":%" PRIu32, render->n_series++ ? "," : "", info->id);
    jsontext_put_member(out, "entity", info->entity);
    jsontext_put_member(out, "type", info->type);
    jsontext_put_member(out, "property", info->property);
    put_units(render, info, out);
}

/* What makes a group: how its series are put together, and what they have in common. */
static void put_group(struct render *render, const struct series_info *info, struct buf *out)
{
    static const char *const names[] = {[OVER_SUM] = "sum", [OVER_MEAN] = "mean", [OVER_MIN] = "min", [OVER_MAX] = "max"};
    struct keys keys = render_keys(render->range, info);
    buf_printf(out, "%s\n{\"over\":\"%s\",\"by\":{", render->n_series++ ? "," : "", names[render->range->over]);
    for (size_t i = 0; strcmp(keys.names[i], "unit") != 0; i++) {
        buf_printf(out, "%s\"%s\":", i ? "," : "", keys.names[i]);
        jsontext_put(out, keys.values[i]);
    }
    buf_putc(out, '}');
    put_units(render, info, out);
}

static void begin_series(struct render *render, struct buf *out)
{
    if (render->range->over)
        put_group(render, render->info, out);
    else
        put_info(render, render->info, out);
    buf_puts(out, ",\"columns\":[\"time\"");
    if (render->range->raw)
        buf_printf(out, ",\"value\"%s%s", render->with_quality ? ",\"quality\"" : "", render->range->bounds ? ",\"bound\"" : "");
    for (size_t i = 0; !render->range->raw && i < render->n_aggs; i++)
        buf_printf(out, ",\"%s\"", agg_name[render->aggs[i]]);
    for (const char *const *name = render_counts(render->range); *name; name++)
        buf_printf(out, ",\"%s\"", *name);
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

static void put_explained(struct render *render, const struct row *row, struct buf *out)
{
    const struct range *range = render->range;
    const struct explained *explained = row->explained;
    buf_puts(out, out->n ? ",\n{\"time\":" : "\n{\"time\":");
    render_json_time(range, &render->minute, row->t_us, out);
    if (explained->from_tier || explained->from_readings)
        buf_printf(out, ",\"tier\":\"%s%s%s\"", explained->from_tier ? tier_name[explained->tier] : "",
                   explained->from_tier && explained->from_readings ? "," : "", explained->from_readings ? "raw" : "");
    else
        buf_puts(out, ",\"tier\":null");
    buf_printf(out, ",\"count\":%" PRIu64 ",\"first\":", explained->count);
    if (explained->count) {
        render_json_time(range, &render->minute, explained->first_us, out);
        buf_puts(out, ",\"last\":");
        render_json_time(range, &render->minute, explained->last_us, out);
    } else {
        buf_puts(out, "null,\"last\":null");
    }
    put_quality(explained, out);
    put_findings(range, explained, out);
    buf_putc(out, '}');
}

static void begin_row(struct render *render, int64_t t_us, struct buf *out)
{
    buf_puts(out, render->n_rows++ ? ",\n[" : "\n[");
    render_json_time(render->range, &render->minute, t_us, out);
}

static void put_row(struct render *render, const struct row *row, struct buf *out)
{
    const struct range *range = render->range;
    begin_row(render, row->t_us, out);
    size_t n = range->raw ? 1 : render->n_aggs + (!range->over ? 0 : range->guard_k ? 3 : 2);
    for (size_t i = 0; i < n; i++) {
        buf_putc(out, ',');
        render_json_value(render, &row->values[i], out);
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
        put_explained(render, row, &render->explain);
}

static void put_points(struct render *render, const struct stretch *stretch, struct buf *out)
{
    const struct points *points = stretch->points;
    bool is_ms = render->range->time == TIME_MS, is_state = render->info->kind == KIND_STATE;
    const char *head = is_ms ? ",\n[" : ",\n[\"", *middle = is_ms ? "," : "\",";
    struct frame frame = {.head = head, .n_head = strlen(head), .middle = middle, .n_middle = strlen(middle)};
    size_t i = stretch->begin;
    for (; i < stretch->end && (is_state || !render->n_rows); i++) { /* no comma before the first one */
        struct value value = render_point(render, points, i);
        put_row(render, &(struct row){.t_us = points->t_us[i], .quality = points->quality[i], .values = &value}, out);
    }
    if (render->with_quality)
        render_tails(&frame, ",\"", false, "\"]");
    else
        render_tails(&frame, "]", true, "");
    render_rows(render, &frame, points, i, stretch->end, out);
}

static void end_series(struct render *render, struct buf *out)
{
    buf_puts(out, render->n_rows ? "\n]" : "]");
    if (render->range->explain && !render->range->over) {
        buf_puts(out, ",\"explain\":[");
        if (render->explain.n)
            buf_put(out, render->explain.data, render->explain.n);
        buf_puts(out, render->explain.n ? "\n]" : "]");
        out->failed = out->failed || render->explain.failed;
    }
    buf_putc(out, '}');
}

static void put_cursor(const char *cursor, struct buf *out)
{
    buf_puts(out, ",\"next\":");
    if (cursor)
        jsontext_put(out, cursor);
    else
        buf_puts(out, "null");
    buf_puts(out, "}\n");
}

static void end(struct render *render, const char *cursor, struct buf *out)
{
    buf_puts(out, render->n_series ? "\n]" : "]");
    if (render->range->explain && render->range->over)
        buf_printf(out, ",\"left_out\":%" PRIu64, render->left_out);
    put_cursor(cursor, out);
}

/* ---- wide ---- */

static void begin_wide(struct render *render, struct buf *out)
{
    buf_puts(out, "{\"series\":[");
    for (size_t i = 0; i < render->n_wide; i++) {
        if (i && render->wide[i].info == render->wide[i - 1].info)
            continue;
        put_info(render, render->wide[i].info, out);
        buf_putc(out, '}');
    }
    buf_puts(out, "\n],\"columns\":[\"time\"");
    for (size_t i = 0; i < render->n_wide; i++) {
        buf_putc(out, ',');
        render_json_wide_name(render, i, out);
    }
    buf_puts(out, "],\"rows\":[");
}

static void put_cell(struct render *render, size_t column, const struct value *value, struct buf *out)
{
    (void)column;
    buf_putc(out, ',');
    render_json_value(render, value, out);
}

static bool put_sheet(struct render *render, const struct sheet *sheet, struct buf *out)
{
    return render_sheet_rows(render, sheet, &(struct row_text){begin_row, put_cell, "]"}, out);
}

static void end_wide(struct render *render, const char *cursor, struct buf *out)
{
    buf_puts(out, render->n_rows ? "\n]" : "]");
    put_cursor(cursor, out);
}

const struct renderer render_json = {
    .type = "application/json",
    .begin = begin,
    .begin_series = begin_series,
    .row = put_row,
    .points = put_points,
    .end_series = end_series,
    .end = end,
    .begin_wide = begin_wide,
    .sheet = put_sheet,
    .end_wide = end_wide,
};
