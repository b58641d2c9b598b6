/* Queries from any bytes: refused with a text, or a selector that can be asked about any series and narrowed for the
 * catalog. What it asks the catalog for never leaves out what it means. */
#include <config.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/promql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_in(const char *const *texts, size_t n, const char *text)
{
    return !n || !strcmp(texts[0], text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct series_info series[] = {
        {1, "p2-meter-0142", "SmartMeter", "voltage", "V", KIND_GAUGE, false, 0, NULL},
        {2, "x", "Property", "a b", "", KIND_COUNTER, false, 0, NULL},
    };
    struct promql promql;
    struct err_text error = {0};
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    int rc = promql_parse(text, &promql, &error);
    if (rc && rc != ERR_NOMEM && !*error.text)
        abort();
    if (!rc && (promql.window_us < 0 || (promql.is_scalar && promql.selector.n) || (!promql.is_scalar && !promql.selector.n)))
        abort();
    struct series_filter filter = selector_filter(&promql.selector);
    for (size_t i = 0; i < 2 && !rc && !promql.is_scalar; i++)
        if (selector_matches(&promql.selector, &series[i]) &&
            !(is_in(filter.entities, filter.n_entities, series[i].entity) &&
              is_in(filter.types, filter.n_types, series[i].type) &&
              is_in(filter.properties, filter.n_properties, series[i].property) &&
              is_in(filter.units, filter.n_units, series[i].unit)))
            abort();
    promql_free(&promql);
    free(text);
    return 0;
}
