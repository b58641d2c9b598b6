#include <config.h>

#include "http/render.h"

#include <assert.h>
#include <inttypes.h>

/* "+01:00" */
#define OFFSET_CHARS 6

void render_done(struct render *render)
{
    buf_free(&render->prefix);
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
