#include <config.h>

#include "http/promql.h"

#include <ctype.h>
#include <string.h>

#include "common/civil.h"

#define DURATION_US_MAX (1000 * 365 * US_PER_DAY)

static int refuse(const char *at, struct err_text *error)
{
    return err_set_field(error, ERR_INVALID, "query",
                         "at \"%.40s\" the query is not understood: there are selectors such as voltage{entity=~\"p2-.*\"}, "
                         "sums of numbers, and of a selector with a range such as [15m] avg_over_time, min_over_time, "
                         "max_over_time, sum_over_time, last_over_time and count_over_time", at);
}

/* ---- durations ---- */

int promql_duration(const char **text, int64_t *ret_us)
{
    static const struct {
        const char *name;
        int64_t us;
    } units[] = { /* in the order in which they may follow each other */
        {"y", 365 * US_PER_DAY}, {"w", 7 * US_PER_DAY}, {"d", US_PER_DAY},  {"h", US_PER_HOUR},
        {"ms", 1000},            {"m", US_PER_MINUTE},  {"s", US_PER_SECOND},
    };
    static const size_t n_units = sizeof(units) / sizeof(*units);
    const char *at = *text;
    int64_t us = 0, least_us = INT64_MAX;
    while (isdigit((unsigned char)*at)) {
        int64_t number = 0;
        size_t unit = 0;
        for (; isdigit((unsigned char)*at); at++)
            if ((number = number * 10 + (*at - '0')) > DURATION_US_MAX / 1000)
                return ERR_INVALID;
        while (unit < n_units && strncmp(at, units[unit].name, strlen(units[unit].name)))
            unit++;
        if (unit == n_units || units[unit].us >= least_us || number > (DURATION_US_MAX - us) / units[unit].us)
            return ERR_INVALID;
        at += strlen(units[unit].name);
        least_us = units[unit].us;
        us += number * units[unit].us;
    }
    if (at == *text)
        return ERR_INVALID;
    *text = at;
    *ret_us = us;
    return 0;
}

/* ---- numbers ---- */

/* `1+1`, `-2.5 - 3`: what clients ask to see whether anybody answers. */
static int parse_scalar(const char *at, struct promql *promql, struct err_text *error)
{
    bool first = true;
    promql->is_scalar = true;
    for (;; first = false) {
        struct exact term = {0};
        struct decimal number;
        bool rounded, negative = false;
        selector_skip_blanks(&at);
        if (!*at && !first)
            return 0;
        if (!first && *at != '+' && *at != '-')
            return refuse(at, error);
        for (; *at == '+' || *at == '-'; selector_skip_blanks(&at))
            negative ^= *at++ == '-';
        size_t size = strspn(at, "0123456789.");
        if (at[size] == 'e' || at[size] == 'E') {
            size += at[size + 1] == '+' || at[size + 1] == '-' ? 2 : 1;
            size += strspn(at + size, "0123456789");
        }
        if (decimal_parse(at, size, &number, &rounded))
            return refuse(at, error);
        exact_add(&term, number);
        if (negative)
            exact_subtract(&promql->scalar, &term);
        else
            exact_add_exact(&promql->scalar, &term);
        at += size;
    }
}

/* ---- functions ---- */

static const char *const function_name[] = {
    [SLIDING_AVG] = "avg_over_time", [SLIDING_MIN] = "min_over_time",   [SLIDING_MAX] = "max_over_time",
    [SLIDING_SUM] = "sum_over_time", [SLIDING_LAST] = "last_over_time", [SLIDING_COUNT] = "count_over_time",
};

static bool take(const char **at, char c)
{
    selector_skip_blanks(at);
    return **at == c && ++*at;
}

/* Whether a name and an opening parenthesis stand here; moves *at behind both. */
static bool skip_call(const char **at, size_t *ret_size)
{
    const char *end = *at;
    *ret_size = selector_skip_name(&end, true);
    if (!*ret_size || !take(&end, '('))
        return false;
    *at = end;
    return true;
}

static int parse_call(const char *name, size_t size, const char **at, struct promql *promql, struct err_text *error)
{
    size_t fn = 0;
    while (fn < SLIDING_N && (strlen(function_name[fn]) != size || strncmp(function_name[fn], name, size)))
        fn++;
    if (fn == SLIDING_N)
        return refuse(name, error);
    int rc = selector_parse(at, &promql->selector, error);
    if (rc)
        return rc;
    if (!take(at, '['))
        return refuse(*at, error);
    selector_skip_blanks(at);
    const char *range = *at;
    if (promql_duration(at, &promql->window_us) || !promql->window_us || !take(at, ']') || !take(at, ')'))
        return refuse(range, error);
    promql->fn = (enum sliding_fn)fn;
    promql->keeps_name = fn == SLIDING_LAST;
    return 0;
}

int promql_parse(const char *text, struct promql *promql, struct err_text *error)
{
    const char *at = text;
    size_t size;
    int rc;
    *promql = (struct promql){.fn = SLIDING_LAST, .keeps_name = true};
    if (strlen(text) > PROMQL_BYTES_MAX)
        return err_set_field(error, ERR_LIMIT, "query", "a query has at most %d bytes", PROMQL_BYTES_MAX);
    selector_skip_blanks(&at);
    if (isdigit((unsigned char)*at) || *at == '+' || *at == '-')
        return parse_scalar(at, promql, error);
    const char *name = at;
    if (skip_call(&at, &size))
        rc = parse_call(name, size, &at, promql, error);
    else if (!*at || *at == '(')
        rc = refuse(at, error);
    else
        rc = selector_parse(&at, &promql->selector, error);
    selector_skip_blanks(&at);
    return rc || !*at ? rc : refuse(at, error);
}

void promql_free(struct promql *promql)
{
    selector_free(&promql->selector);
}

int promql_match(const char *text, struct selector *selector, struct err_text *error)
{
    const char *at = text;
    *selector = (struct selector){0};
    if (strlen(text) > PROMQL_BYTES_MAX)
        return err_set_field(error, ERR_LIMIT, "match[]", "a selector has at most %d bytes", PROMQL_BYTES_MAX);
    int rc = selector_parse(&at, selector, error);
    selector_skip_blanks(&at);
    return rc || !*at ? rc : err_set_field(error, ERR_INVALID, "match[]", "at \"%.40s\" the selector should end", at);
}
