#include <config.h>

#include "http/render.h"

#include <assert.h>
#include <inttypes.h>

#include "http/jsontext.h"

/* "+01:00" */
#define OFFSET_CHARS 6

void render_done(struct render *render)
{
    buf_free(&render->prefix);
    buf_free(&render->explain);
}

void render_time(const struct range *range, int64_t t_us, struct buf *out)
{
    static_assert(DECIMAL_TEXT_MAX >= CIVIL_TEXT_MAX, "one reservation fits both");
    char *at = (char *)buf_reserve(out, DECIMAL_TEXT_MAX);
    if (!at)
        return;
    if (range->time == TIME_MS) { /* microseconds stand behind a point */
        out->n += decimal_print(at, decimal_canonical((struct decimal){t_us, -3}));
        return;
    }
    int32_t offset_s = range->zone ? zone_offset_s(range->zone, t_us) : 0;
    bool local = range->time == TIME_LOCAL;
    size_t n = civil_print_rfc3339(at, t_us, offset_s, !range->zone && !local);
    out->n += local ? n - OFFSET_CHARS : n;
}

void render_json_time(const struct range *range, int64_t t_us, struct buf *out)
{
    bool quoted = range->time != TIME_MS;
    if (quoted)
        buf_putc(out, '"');
    render_time(range, t_us, out);
    if (quoted)
        buf_putc(out, '"');
}

void render_number(const struct value *value, struct buf *out)
{
    static_assert(EXACT_TEXT_MAX >= DECIMAL_TEXT_MAX, "one reservation fits both");
    char *at = (char *)buf_reserve(out, EXACT_TEXT_MAX);
    if (!at)
        return;
    if (value->type == VALUE_DECIMAL)
        out->n += decimal_print(at, value->decimal);
    else if (value->type == VALUE_EXACT)
        out->n += exact_print(at, value->exact);
    else
        buf_printf(out, "%" PRIu64, value->count);
}

void render_json_value(const struct range *range, const struct value *value, struct buf *out)
{
    if (value->type == VALUE_NULL)
        buf_puts(out, "null");
    else if (value->type == VALUE_TEXT)
        jsontext_put(out, value->text);
    else if (value->type == VALUE_TIME)
        render_json_time(range, value->t_us, out);
    else
        render_number(value, out);
}

void render_columns(struct render *render)
{
    render->n_series++;
    render->n_rows = 0;
    for (size_t column = 0; column < render->n_columns; column++) {
        size_t i = 0;
        while (i < render->n_aggs && render->aggs[i] != render->columns[column])
            i++;
        render->sources[column] = i;
    }
}

const struct value *render_column(const struct render *render, const struct row *row, size_t i)
{
    static const struct value nothing = {.type = VALUE_NULL};
    return render->sources[i] < render->n_aggs ? &row->values[render->sources[i]] : &nothing;
}
