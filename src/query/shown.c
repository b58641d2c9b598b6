#include <config.h>

#include "query/shown.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct shown_columns shown_columns(const struct range *range)
{
    struct shown_columns columns = {.has_values = range->raw || !range->n_aggs};
    for (size_t i = 0; i < range->n_aggs; i++) {
        enum agg agg = range->aggs[i];
        columns.has_integrals = columns.has_integrals || agg == AGG_INTEGRAL;
        columns.has_values = columns.has_values || (agg != AGG_INTEGRAL && agg != AGG_COUNT && agg != AGG_MINTIME &&
                                                    agg != AGG_MAXTIME && agg != AGG_COVERED);
    }
    return columns;
}

const char *shown_integral_unit(const struct range *range, const char *unit)
{
    static const char *const units[][2] = {{"W", "Wh"}, {"var", "varh"}, {"A", "Ah"}, {"m3/h", "m3"}, {"W/m2", "Wh/m2"}};
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
        if (!strcmp(unit, units[i][0]))
            return units[i][1];
    return range && *unit && !strcmp(unit, range->unit) ? range->integral_unit : NULL;
}

const char *shown_integral_apart(const struct range *range, const struct series_info *shown)
{
    struct shown_columns columns = shown_columns(range);
    return columns.has_values && columns.has_integrals ? shown_integral_unit(range, shown->unit) : NULL;
}

const char *shown_unit(const struct range *range, const struct series_info *shown, enum agg agg)
{
    if (range->raw)
        return shown->unit;
    if (agg == AGG_COVERED)
        return "s";
    if (agg == AGG_COUNT || agg == AGG_MINTIME || agg == AGG_MAXTIME)
        return "";
    const char *apart = agg == AGG_INTEGRAL ? shown_integral_apart(range, shown) : NULL;
    return apart ? apart : shown->unit;
}

/* Codes such as KWT are words by themselves, in which an h would be lost. */
static bool is_code(const char *unit)
{
    size_t n = 0;
    while (isupper((unsigned char)unit[n]) || isdigit((unsigned char)unit[n]))
        n++;
    return n > 2 && !unit[n];
}

void shown_integral_text(const char *unit, char out[static LIMIT_UNIT_BYTES + 2])
{
    size_t size = strlen(unit), before = strcspn(unit, "/");
    if (size > 2 && !strcmp(unit + size - 2, "/h"))
        snprintf(out, LIMIT_UNIT_BYTES + 2, "%.*s", (int)(size - 2), unit);
    else
        snprintf(out, LIMIT_UNIT_BYTES + 2, "%.*s%s%s", (int)before, unit, is_code(unit) ? ".h" : "h", unit + before);
}
