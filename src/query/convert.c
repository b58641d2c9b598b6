#include <config.h>

#include "query/convert.h"

#include <string.h>

#include "common/buf.h"
#include "query/shown.h"

#define NAMES_MAX 32

static int refuse(const struct unit_table *units, const struct unit *from, const struct range *range,
                  const struct series_info *info, struct err_text *error)
{
    const char *names[NAMES_MAX];
    size_t n = from && *from->dimension ? unit_names(units, from, names, NAMES_MAX) : 0;
    struct buf list = {0};
    for (size_t i = 0; i < n; i++)
        buf_printf(&list, "%s%s", i ? ", " : "", names[i]);
    int rc = ERR_NOMEM;
    if (!list.failed && n)
        rc = err_set_field(error, ERR_MEANING, "unit", "\"%.64s\" of \"%.128s\" is in %s, which does not convert to \"%s\"; it "
                           "converts to %.*s, some of them with prefixes such as k and M", info->property, info->entity,
                           info->unit, range->unit, (int)list.n, (const char *)list.data);
    else if (!list.failed)
        rc = err_set_field(error, ERR_MEANING, "unit", "\"%.64s\" of \"%.128s\" is in \"%s\", which converts to nothing else; "
                           "leave \"unit\" out", info->property, info->entity, info->unit);
    buf_free(&list);
    return rc;
}

int conversion_init(struct conversion *conversion, const struct unit_table *units, const struct range *range,
                    const struct series_info *info, struct err_text *error)
{
    struct shown_columns columns = shown_columns(range);
    *conversion = (struct conversion){0};
    if (!*range->unit || info->kind == KIND_STATE || !strcmp(info->unit, range->unit))
        return 0;
    const struct unit *from = unit_find(units, info->unit, strlen(info->unit));
    const struct unit *to = unit_find(units, range->unit, strlen(range->unit));
    const char *integral = columns.has_integrals && !columns.has_values ? shown_integral_unit(range, info->unit) : NULL;
    const struct unit *own = integral && !unit_converts(from, to) ? unit_find(units, integral, strlen(integral)) : NULL;
    bool names_integral = unit_converts(own, to);
    if (!names_integral && !unit_converts(from, to))
        return refuse(units, from, range, info, error);
    if (columns.has_values || columns.has_integrals)
        *conversion = (struct conversion){names_integral ? own : from, to, names_integral};
    return 0;
}

int conversion_sum(const struct conversion *conversion, const struct exact *sum, uint64_t n, struct exact *room,
                   struct value *ret_value)
{
    int rc = conversion->to ? unit_convert_exact(conversion->from, conversion->to, sum, n, room) : 0;
    if (!rc)
        *ret_value = (struct value){.type = VALUE_EXACT, .exact = conversion->to ? room : sum};
    return rc;
}

int conversion_init_shown(struct conversion *conversion, const struct unit_table *units, const struct range *range,
                          const struct series_info *info, struct series_info *ret_shown)
{
    *conversion = (struct conversion){0};
    int rc = *range->unit ? conversion_init(conversion, units, range, info, NULL) : 0;
    if (rc)
        return rc;
    struct shown_columns columns = shown_columns(range);
    *ret_shown = *info;
    if (conversion->to)
        ret_shown->unit = range->unit;
    const char *integral = columns.has_integrals && !columns.has_values && !conversion->names_integral
                               ? shown_integral_unit(range, ret_shown->unit) : NULL;
    if (integral)
        ret_shown->unit = integral;
    return 0;
}

int conversion_value(const struct conversion *conversion, struct decimal value, struct exact *room, struct value *ret_value)
{
    struct decimal converted = value;
    bool rounded;
    int rc = conversion->to ? unit_convert(conversion->from, conversion->to, value, &converted, &rounded) : 0;
    if (rc == ERR_LIMIT) { /* smaller or larger than a reading may be, but not than an answer */
        struct exact exact = {0};
        exact_add(&exact, value);
        return conversion_sum(conversion, &exact, 1, room, ret_value);
    }
    if (!rc)
        *ret_value = (struct value){.type = VALUE_DECIMAL, .decimal = decimal_canonical(converted)};
    return rc;
}

int conversion_quotient(const struct conversion *conversion, const struct unit_quotient *quotient, struct decimal *ret_value)
{
    if (conversion->to)
        return unit_convert_quotient(conversion->from, conversion->to, quotient, ret_value);
    return exact_divide_by(quotient->dividend, quotient->divisors, quotient->n_divisors, quotient->digits, ret_value);
}

int conversion_factor(const struct conversion *conversion, struct unit_factor *ret_factor)
{
    *ret_factor = (struct unit_factor){1, 1, 0};
    return conversion->to ? unit_factor(conversion->from, conversion->to, ret_factor) : 0;
}
