/* What the routes of the Prometheus door share: its shapes of errors, times and labels, and the parameters that narrow
 * its catalog. */
#ifndef HTTP_PROMETHEUS_H
#define HTTP_PROMETHEUS_H

#include "http/route.h"
#include "http/selector.h"

/* `{"status":"error","errorType":…,"error":…}` with the status that Prometheus gives: of struct route. */
void prometheus_fail(struct reply *reply, int code, const struct err_text *error);

/* Seconds since 1970 as a decimal number, or RFC 3339; what is finer than a microsecond is cut off. ERR_INVALID. */
MUST_CHECK int prometheus_time(const char *text, const char *field, int64_t *ret_us, struct err_text *error);
/* Seconds as a decimal number, or `1m30s`; above zero. ERR_INVALID. */
MUST_CHECK int prometheus_duration(const char *text, const char *field, int64_t *ret_us, struct err_text *error);
/* A parameter that is a whole number; 0, or not given: INT64_MAX. ERR_INVALID. */
MUST_CHECK int prometheus_limit(const struct parameters *parameters, const char *name, int64_t *ret_limit,
                                struct err_text *error);

void prometheus_put_time(struct buf *out, int64_t t_us);
/* The labels of a series as a JSON object. */
void prometheus_put_labels(struct buf *out, const struct series_info *info, bool with_name);

/* `match[]`, `start` and `end`: series of which a selector means one and that have readings between the times. */
struct narrowing {
    struct selector *selectors;
    size_t n;
    bool has_time;
    int64_t start_us, end_us; /* both included */
    struct view *view;
    struct series_filter filter; /* what the catalog narrows by itself */
};
/* On failure too narrowing_done is due. */
MUST_CHECK int narrowing_init(struct narrowing *narrowing, const struct request *request, struct err_text *error);
void narrowing_done(struct narrowing *narrowing);
/* Whether the series is one: 1, 0, or a code. */
MUST_CHECK int narrowing_takes(const struct narrowing *narrowing, const struct series_info *info);

#endif
