/* GET and POST /api/v1/query and /api/v1/query_range: values of the Prometheus door. */
#include <config.h>

#include "http/handlers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/civil.h"
#include "common/clock.h"
#include "common/hash.h"
#include "http/prometheus.h"
#include "http/promql.h"
#include "http/render.h"

#define TIMEOUT_US (120 * INT64_C(1000000)) /* where none is asked for, as Prometheus has it */
#define POINTS_MAX 11000      /* of a series, as Prometheus has it */
#define READINGS_MAX 50000000 /* read for one query, as Prometheus has it */
#define READINGS_LONG 1000000 /* more are work for a worker: some 10 ms */

struct evaluation {
    struct stream stream;
    const struct request *request;
    struct reader_dir *dir;
    struct view *view;
    struct promql promql;
    bool instant;
    struct sliding_options options;
    int64_t deadline_us;      /* of clock_mono_us */
    int64_t limit;            /* series */
    uint64_t left;            /* readings that may be read yet */
    struct meant {
        uint32_t id;
        uint64_t labels;      /* hash */
    } *series;                /* those that the selector means */
    size_t n, cap, next;
    struct buf labels;        /* of the series at work */
    struct sliding *sliding;
    size_t n_values, n_results; /* of the series at work; series with values */
    bool begun, has_expired;
};

/* ---- series ---- */

struct begin {
    struct evaluation *evaluation;
    struct err_text *error;
};

static int begin_series(void *arg, const struct series_info *info)
{
    struct begin *begin = arg;
    struct evaluation *evaluation = begin->evaluation;
    struct sliding_options *options = &evaluation->options;
    int64_t begin_us = options->start_us - options->window_us + 1, left_us;
    begin_us = begin_us > CIVIL_MIN_US ? begin_us : CIVIL_MIN_US;
    buf_clear(&evaluation->labels);
    prometheus_put_labels(&evaluation->labels, info, evaluation->promql.keeps_name);
    options->series_id = info->id;
    options->kind = info->kind;
    int rc = view_left(evaluation->view, info->id, NULL, begin_us, options->end_us + 1, &left_us);
    options->has_expired = !rc && left_us > begin_us;
    evaluation->has_expired = evaluation->has_expired || options->has_expired;
    rc = rc ? rc : sliding_open(evaluation->view, options, &evaluation->sliding);
    if (rc)
        return err_set(begin->error, rc, "series %" PRIu32 " could not be read: %s", info->id, err_name(rc));
    evaluation->n_values = 0;
    return 0;
}

static int refuse_late(struct err_text *error)
{
    return err_set(error, ERR_CANCELLED, "the query took longer than its timeout");
}

/* 1 when a series was begun, 0 behind the last. */
static int next_series(struct evaluation *evaluation, struct err_text *error)
{
    struct begin begin = {evaluation, error};
    if (evaluation->next == evaluation->n)
        return 0;
    if (clock_mono_us() > evaluation->deadline_us)
        return refuse_late(error);
    if (request_is_over(evaluation->request))
        return ERR_CANCELLED;
    struct series_filter one = {.ids = &evaluation->series[evaluation->next++].id, .n_ids = 1};
    int rc = reader_series(evaluation->dir, &one, begin_series, &begin);
    if (rc && !*error->text)
        err_set(error, rc, "the catalog could not be read: %s", err_name(rc));
    return rc ? rc : 1;
}

/* ---- text ---- */

static void put_point(struct buf *out, int64_t t_us, const struct value *value)
{
    buf_putc(out, '[');
    prometheus_put_time(out, t_us);
    buf_puts(out, ",\"");
    render_number(value, out);
    buf_puts(out, "\"]");
}

static void put_value(struct evaluation *evaluation, int64_t t_us, const struct value *value, struct buf *out)
{
    if (!evaluation->n_values++) {
        buf_puts(out, evaluation->n_results++ ? ",\n{\"metric\":" : "\n{\"metric\":");
        buf_put(out, evaluation->labels.data, evaluation->labels.n);
        buf_puts(out, evaluation->instant ? ",\"value\":" : ",\"values\":[");
        out->failed = out->failed || evaluation->labels.failed;
    } else {
        buf_putc(out, ',');
    }
    put_point(out, t_us, value);
}

static void put_end(const struct evaluation *evaluation, struct buf *out)
{
    const struct {
        bool holds;
        const char *text;
    } warnings[] = {
        {view_is_partial(evaluation->view), "another store of the same consumer group holds a part of these series"},
        {evaluation->has_expired, "readings at the begin of the time asked for are not kept any more"},
        {evaluation->next < evaluation->n, "there are more series than the limit"},
    };
    bool warned = false;
    buf_puts(out, "\n]}");
    for (size_t i = 0; i < sizeof(warnings) / sizeof(*warnings); i++) {
        if (!warnings[i].holds)
            continue;
        buf_printf(out, "%s\"%s\"", warned ? "," : ",\"warnings\":[", warnings[i].text);
        warned = true;
    }
    buf_puts(out, warned ? "]}\n" : "}\n");
}

static int fill_values(struct stream *stream, struct buf *out, struct err_text *error)
{
    struct evaluation *evaluation = (struct evaluation *)stream;
    struct value value;
    int64_t t_us;
    if (!evaluation->begun)
        buf_printf(out, "{\"status\":\"success\",\"data\":{\"resultType\":\"%s\",\"result\":[",
                   evaluation->instant ? "vector" : "matrix");
    evaluation->begun = true;
    while (out->n < STREAM_BYTES && !out->failed) {
        int rc = evaluation->sliding ? 1
                 : (int64_t)evaluation->n_results == evaluation->limit ? 0 : next_series(evaluation, error);
        if (rc < 0)
            return rc;
        if (!rc) {
            put_end(evaluation, out);
            return 0;
        }
        rc = sliding_next(evaluation->sliding, &t_us, &value);
        if (rc == ERR_LIMIT)
            return err_set(error, ERR_MEANING, "the query looks at more than %d readings: ask for less time or fewer series",
                           READINGS_MAX);
        if (rc < 0)
            return err_set(error, rc, "the answer cannot go on: %s", err_name(rc));
        if (rc) {
            put_value(evaluation, t_us, &value, out);
            continue;
        }
        buf_puts(out, !evaluation->n_values ? "" : evaluation->instant ? "}" : "]}");
        sliding_close(evaluation->sliding);
        evaluation->sliding = NULL;
    }
    return 1;
}

static void close_values(struct stream *stream)
{
    struct evaluation *evaluation = (struct evaluation *)stream;
    sliding_close(evaluation->sliding);
    view_close(evaluation->view);
    promql_free(&evaluation->promql);
    buf_free(&evaluation->labels);
    free(evaluation->series);
    free(evaluation);
}

/* A number is the same at every time. */
static void put_scalar(const struct evaluation *evaluation, struct buf *out)
{
    const struct sliding_options *options = &evaluation->options;
    struct value value = {.type = VALUE_EXACT, .exact = &evaluation->promql.scalar};
    buf_printf(out, "{\"status\":\"success\",\"data\":{\"resultType\":%s",
               evaluation->instant ? "\"scalar\",\"result\":" : "\"matrix\",\"result\":[{\"metric\":{},\"values\":[");
    for (int64_t t_us = options->start_us; t_us <= options->end_us; t_us += options->step_us) {
        buf_puts(out, t_us > options->start_us ? "," : "");
        put_point(out, t_us, &value);
    }
    buf_puts(out, evaluation->instant ? "}}\n" : "]}]}}\n");
}

/* ---- how much it is ---- */

/* About how many readings of a series lie in the time that is looked at. */
static uint64_t guess_readings(const struct series_stats *stats, int64_t begin_us, int64_t end_us)
{
    int64_t first_us = stats->first_us > begin_us ? stats->first_us : begin_us;
    int64_t last_us = stats->last_us < end_us ? stats->last_us : end_us;
    if (!stats->count || first_us > last_us)
        return 0;
    double share = (double)(last_us - first_us + 1) / (double)(stats->last_us - stats->first_us + 1);
    return (uint64_t)(share * (double)stats->count);
}

static int find_length(const struct evaluation *evaluation, bool *ret_long)
{
    const struct sliding_options *options = &evaluation->options;
    uint64_t n = 0;
    int rc = 0;
    for (size_t i = 0; i < evaluation->n && n <= READINGS_LONG && !rc; i++) {
        struct series_stats stats;
        rc = view_stats(evaluation->view, evaluation->series[i].id, &stats);
        if (!rc)
            n += guess_readings(&stats, options->start_us - options->window_us, options->end_us);
    }
    *ret_long = n > READINGS_LONG;
    return rc;
}

/* ---- the request ---- */

static int note_series(void *arg, const struct series_info *info)
{
    struct evaluation *evaluation = arg;
    struct buf labels = {0};
    if (clock_mono_us() > evaluation->deadline_us)
        return ERR_CANCELLED;
    if (!selector_matches(&evaluation->promql.selector, info))
        return 0;
    int over = quota_take_series(view_quota(evaluation->view), info->id, "query");
    if (over)
        return over;
    if (array_grow(&evaluation->series, &evaluation->cap, evaluation->n + 1, sizeof(*evaluation->series)))
        return ERR_NOMEM;
    prometheus_put_labels(&labels, info, evaluation->promql.keeps_name);
    evaluation->series[evaluation->n++] = (struct meant){info->id, labels.failed ? 0 : hash_short(0, labels.data, labels.n)};
    int rc = labels.failed ? ERR_NOMEM : 0;
    buf_free(&labels);
    return rc;
}

static int compare_labels(const void *a, const void *b)
{
    const struct meant *x = a, *y = b;
    return x->labels < y->labels ? -1 : x->labels > y->labels;
}

static int compare_ids(const void *a, const void *b)
{
    const struct meant *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Functions leave the name out, so that two properties of an entity may become one series: Prometheus refuses that, too. */
static int check_labels(struct evaluation *evaluation, struct err_text *error)
{
    int rc = 0;
    if (evaluation->promql.keeps_name || !evaluation->n)
        return 0;
    qsort(evaluation->series, evaluation->n, sizeof(*evaluation->series), compare_labels);
    for (size_t i = 1; i < evaluation->n && !rc; i++)
        if (evaluation->series[i].labels == evaluation->series[i - 1].labels)
            rc = err_set_field(error, ERR_MEANING, "query",
                               "several series of the answer would have the same labels, as functions leave out the "
                               "name: select one property");
    qsort(evaluation->series, evaluation->n, sizeof(*evaluation->series), compare_ids);
    return rc;
}

static int find_series(struct evaluation *evaluation, struct err_text *error)
{
    struct series_filter filter = selector_filter(&evaluation->promql.selector);
    int rc = view_open(evaluation->dir, &evaluation->view, error);
    if (rc)
        return rc;
    rc = reader_series(evaluation->dir, &filter, note_series, evaluation);
    if (rc == ERR_CANCELLED)
        return refuse_late(error);
    return rc ? err_set(error, rc, "the catalog could not be read: %s", err_name(rc)) : check_labels(evaluation, error);
}

/* The value of a parameter, or an error where it is missing and fallback is NULL. */
static int ask(const struct request *request, const char *name, const char *fallback, const char **ret,
               struct err_text *error)
{
    const char *text = NULL;
    int rc = parameters_one(&request->parameters, name, &text, error);
    if (!rc && !text && !fallback)
        rc = err_set_field(error, ERR_INVALID, name, "\"%s\" is missing", name);
    *ret = text ? text : fallback;
    return rc;
}

static int parse_range(struct evaluation *evaluation, const struct request *request, struct err_text *error)
{
    struct sliding_options *options = &evaluation->options;
    const char *start, *end, *step;
    int rc = ask(request, "start", NULL, &start, error);
    rc = rc ? rc : ask(request, "end", NULL, &end, error);
    rc = rc ? rc : ask(request, "step", NULL, &step, error);
    rc = rc ? rc : prometheus_time(start, "start", &options->start_us, error);
    rc = rc ? rc : prometheus_time(end, "end", &options->end_us, error);
    rc = rc ? rc : prometheus_duration(step, "step", &options->step_us, error);
    if (rc)
        return rc;
    if (options->end_us < options->start_us)
        return err_set_field(error, ERR_INVALID, "end", "\"end\" is before \"start\"");
    if ((options->end_us - options->start_us) / options->step_us > POINTS_MAX)
        return err_set_field(error, ERR_INVALID, "step", "there are at most %d points a series: take a longer \"step\"",
                             POINTS_MAX);
    return 0;
}

static int parse_instant(struct evaluation *evaluation, const struct request *request, struct err_text *error)
{
    const char *time;
    evaluation->options.start_us = clock_wall_us();
    evaluation->options.step_us = INT64_MAX / 4; /* there is no second one */
    int rc = ask(request, "time", "", &time, error);
    if (!rc && *time)
        rc = prometheus_time(time, "time", &evaluation->options.start_us, error);
    evaluation->options.end_us = evaluation->options.start_us;
    return rc;
}

static int parse_rest(struct evaluation *evaluation, const struct request *request, struct err_text *error)
{
    struct sliding_options *options = &evaluation->options;
    const char *query, *timeout, *lookback;
    int64_t timeout_us = TIMEOUT_US, lookback_us = PROMQL_LOOKBACK_US;
    int rc = ask(request, "query", NULL, &query, error);
    rc = rc ? rc : ask(request, "timeout", "", &timeout, error);
    rc = rc ? rc : ask(request, "lookback_delta", "", &lookback, error);
    rc = rc ? rc : prometheus_limit(&request->parameters, "limit", &evaluation->limit, error);
    if (!rc && *lookback)
        rc = prometheus_duration(lookback, "lookback_delta", &lookback_us, error);
    if (!rc && *timeout)
        rc = prometheus_duration(timeout, "timeout", &timeout_us, error);
    evaluation->deadline_us = clock_mono_us() + timeout_us;
    rc = rc ? rc : promql_parse(query, &evaluation->promql, error);
    options->fn = evaluation->promql.fn;
    options->window_us = evaluation->promql.window_us ? evaluation->promql.window_us : lookback_us;
    if (!rc && options->window_us / options->step_us > SLIDING_STEPS_MAX)
        rc = err_set_field(error, ERR_MEANING, "query",
                           "the range of the query is more than %d times the step: take a longer \"step\"", SLIDING_STEPS_MAX);
    return rc;
}

/* The lookback of an instant does not count; a range that is written down does. */
static int check_span(const struct evaluation *evaluation)
{
    const struct sliding_options *options = &evaluation->options;
    struct quota *quota = reader_dir_quota(evaluation->dir);
    int rc = quota_check_span(quota, options->start_us, options->end_us, "start");
    return rc ? rc : quota_check_span(quota, options->start_us - evaluation->promql.window_us, options->start_us, "query");
}

static int answer(struct request *request, struct reply *reply, bool instant, struct err_text *error)
{
    struct evaluation *evaluation = calloc(1, sizeof(*evaluation));
    if (!evaluation)
        return ERR_NOMEM;
    evaluation->stream = (struct stream){.fill = fill_values, .close = close_values};
    evaluation->request = request;
    evaluation->dir = request->dir;
    evaluation->instant = instant;
    evaluation->left = READINGS_MAX;
    evaluation->options.left = &evaluation->left;
    int rc = instant ? parse_instant(evaluation, request, error) : parse_range(evaluation, request, error);
    rc = rc ? rc : parse_rest(evaluation, request, error);
    rc = rc ? rc : check_span(evaluation);
    bool is_scalar = !rc && evaluation->promql.is_scalar;
    if (is_scalar) {
        put_scalar(evaluation, &reply->body);
        reply->status = 200;
        reply->type = "application/json";
    } else if (!rc) {
        rc = find_series(evaluation, error);
    }
    bool is_long = false;
    if (!rc && !is_scalar && request->may_defer && (rc = find_length(evaluation, &is_long)))
        err_set(error, rc, "how much is asked for could not be found: %s", err_name(rc));
    if (rc || is_scalar || is_long) {
        close_values(&evaluation->stream);
        request->is_deferred = is_long;
        return rc;
    }
    reply_view(reply, evaluation->view);
    reply_header(reply, "Cache-Control", "private, no-cache");
    return reply_stream(reply, "application/json", &evaluation->stream, error);
}

int h_prometheus_query(struct request *request, struct reply *reply, struct err_text *error)
{
    return answer(request, reply, true, error);
}

int h_prometheus_range(struct request *request, struct reply *reply, struct err_text *error)
{
    return answer(request, reply, false, error);
}
