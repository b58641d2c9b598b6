#include <config.h>

#include "query/agg.h"

#include <string.h>

const char *const agg_name[AGG_N] = {"mean", "min", "max", "sum", "count", "first", "last"};

/* Names of the contract that a later version has. */
static const char *const later[] = {
    "twa", "integral", "increase", "stddev", "median", "mintime", "maxtime", "covered",
};

#define BIT(agg) (1U << (agg))
#define ENDS (BIT(AGG_FIRST) | BIT(AGG_LAST) | BIT(AGG_COUNT))
#define EXTREMES (BIT(AGG_MIN) | BIT(AGG_MAX))

static const struct {
    unsigned has;
    const char *instead;
} kinds[] = {
    [KIND_GAUGE] = {BIT(AGG_MEAN) | EXTREMES | ENDS, "mean, min, max, count, first or last"},
    [KIND_COUNTER] = {EXTREMES | ENDS, "first, last, min, max or count"},
    [KIND_INTERVAL] = {BIT(AGG_SUM) | BIT(AGG_MEAN) | EXTREMES | ENDS, "sum, mean, min, max, count, first or last"},
    [KIND_STATE] = {ENDS, "first, last or count"},
};

enum agg agg_default(enum kind kind)
{
    return kind == KIND_GAUGE ? AGG_MEAN : kind == KIND_INTERVAL ? AGG_SUM : AGG_LAST;
}

/* p01 to p99 */
static bool is_percentile(const char *name)
{
    return strlen(name) == 3 && name[0] == 'p' && strspn(name + 1, "0123456789") == 2 && strcmp(name, "p00") != 0;
}

int agg_parse(const char *name, enum agg *ret_agg, struct err_text *error)
{
    bool is_later = is_percentile(name);
    for (int i = 0; i < AGG_N; i++) {
        if (!strcmp(name, agg_name[i])) {
            *ret_agg = (enum agg)i;
            return 0;
        }
    }
    for (size_t i = 0; i < sizeof(later) / sizeof(*later); i++)
        is_later = is_later || !strcmp(name, later[i]);
    return err_set_field(error, ERR_INVALID, "agg", "%s \"%.32s\"%s; take mean, min, max, sum, count, first or last",
                         is_later ? "the aggregate" : "there is no aggregate", name,
                         is_later ? " is not there yet in this version" : "");
}

bool agg_is_direction(const struct series_info *info)
{
    return info->kind == KIND_GAUGE && !strcmp(info->unit, "deg");
}

int agg_check(enum agg agg, const struct series_info *info, struct err_text *error)
{
    if (!(kinds[info->kind].has & BIT(agg)))
        return err_set_field(error, ERR_MEANING, "agg", "\"%.64s\" of \"%.128s\" is a %s and has no %s; use %s",
                             info->property, info->entity, kind_name(info->kind), agg_name[agg],
                             kinds[info->kind].instead);
    if (agg_is_direction(info) && BIT(agg) & EXTREMES)
        return err_set_field(error, ERR_MEANING, "agg",
                             "\"%.64s\" of \"%.128s\" is a direction and has no %s, since 359 and 1 are close; "
                             "use mean, count, first or last",
                             info->property, info->entity, agg_name[agg]);
    return 0;
}

int agg_check_default(const struct series_info *info, struct err_text *error)
{
    if (info->kind != KIND_COUNTER)
        return 0;
    return err_set_field(error, ERR_MEANING, "agg",
                         "\"%.64s\" of \"%.128s\" is a counter, and its default increase is not there yet in this "
                         "version; ask for agg=last or agg=first",
                         info->property, info->entity);
}
