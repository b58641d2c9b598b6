/* What of the Prometheus query language is answered: a selector, `FUNCTION_over_time(selector[range])`, and sums of
 * numbers. */
#ifndef HTTP_PROMQL_H
#define HTTP_PROMQL_H

#include "http/selector.h"
#include "model/decimal.h"
#include "query/sliding.h"

#define PROMQL_LOOKBACK_US (5 * INT64_C(60000000))
#define PROMQL_BYTES_MAX 16384

struct promql {
    bool is_scalar;
    struct exact scalar;
    struct selector selector;
    enum sliding_fn fn;  /* of a selector alone SLIDING_LAST */
    int64_t window_us;   /* 0: a selector alone, which looks back */
    bool keeps_name;     /* the answer's series have __name__ */
};

/* On failure too promql_free is due. ERR_INVALID with what is supported, ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK int promql_parse(const char *text, struct promql *promql, struct err_text *error);
void promql_free(struct promql *promql);

/* `1h30m`, `15s`, `100ms`; a day is 24 h, a year 365 days. Reads on to the first byte that does not belong. ERR_INVALID. */
MUST_CHECK int promql_duration(const char **text, int64_t *ret_us);

/* A selector alone, of a parameter match[]. */
MUST_CHECK int promql_match(const char *text, struct selector *selector, struct err_text *error);

#endif
