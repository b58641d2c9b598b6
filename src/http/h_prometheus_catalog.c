/* /api/v1/series, labels, label/{name}/values, metadata and status/buildinfo: what the Prometheus door has to offer. */
#include <config.h>

#include "http/handlers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/jsontext.h"
#include "http/filter.h"
#include "http/prometheus.h"
#include "model/reading.h"

/* The series that are asked of the catalog at a time. */
#define PAGE_SERIES 256

#define BEGIN_LIST "{\"status\":\"success\",\"data\":["
#define END_LIMITED ",\"warnings\":[\"there are more than the limit\"]}\n"

/* ---- series ---- */

struct series_stream {
    struct stream stream;
    struct reader_dir *dir;
    struct narrowing narrowing;
    int64_t left;
    bool begun, full;
};

struct page {
    struct series_stream *series;
    struct buf *out;
    size_t n;
};

static int put_series(void *arg, const struct series_info *info)
{
    struct page *page = arg;
    struct series_stream *series = page->series;
    if (page->n++ == PAGE_SERIES)
        return 1;
    int taken = narrowing_takes(&series->narrowing, info);
    if (taken < 0)
        return taken;
    if (taken && !series->left) {
        series->full = true;
        return 1;
    }
    series->narrowing.filter.after_id = info->id;
    if (!taken)
        return 0;
    series->left--;
    buf_puts(page->out, series->begun ? ",\n" : BEGIN_LIST "\n");
    prometheus_put_labels(page->out, info, true);
    series->begun = true;
    return 0;
}

static int fill_series(struct stream *stream, struct buf *out, struct err_text *error)
{
    struct series_stream *series = (struct series_stream *)stream;
    struct page page = {series, out, 0};
    int rc = reader_series(series->dir, &series->narrowing.filter, put_series, &page);
    if (rc < 0)
        return err_set(error, rc, "the catalog could not be read: %s", err_name(rc));
    if (rc > 0 && !series->full)
        return 1;
    buf_puts(out, series->begun ? "\n]" : BEGIN_LIST "]");
    buf_puts(out, series->full ? END_LIMITED : "}\n");
    return 0;
}

static void close_series(struct stream *stream)
{
    struct series_stream *series = (struct series_stream *)stream;
    narrowing_done(&series->narrowing);
    free(series);
}

int h_prometheus_series(struct request *request, struct reply *reply, struct err_text *error)
{
    struct series_stream *series = calloc(1, sizeof(*series));
    if (!series)
        return ERR_NOMEM;
    series->stream = (struct stream){.fill = fill_series, .close = close_series};
    series->dir = request->dir;
    int rc = narrowing_init(&series->narrowing, request, error);
    rc = rc ? rc : prometheus_limit(&request->parameters, "limit", &series->left, error);
    if (!rc && !series->narrowing.n)
        rc = err_set_field(error, ERR_INVALID, "match[]", "\"match[]\" is missing: give a selector such as {entity=~\".+\"}");
    if (rc) {
        close_series(&series->stream);
        return rc;
    }
    reply_view(reply, series->narrowing.view);
    reply_header(reply, "Cache-Control", "private, no-cache");
    return reply_stream(reply, "application/json", &series->stream, error);
}

/* ---- distinct texts of the catalog ---- */

struct gathering {
    struct narrowing narrowing;
    struct texts texts;
    enum label label;
    const char *metric; /* or NULL: every one */
};

/* The first text is always the empty one, which is none here. */
static size_t count_texts(const struct texts *texts)
{
    return texts->n ? texts->n - 1 : 0;
}

static int intern(struct gathering *gathering, const char *text)
{
    int64_t index;
    return *text ? texts_intern(&gathering->texts, text, strlen(text), &index) : 0;
}

static int gather(struct gathering *gathering, const struct request *request,
                  int (*row)(void *arg, const struct series_info *info), struct err_text *error)
{
    int rc = narrowing_init(&gathering->narrowing, request, error);
    if (rc)
        return rc;
    rc = reader_series(request->dir, &gathering->narrowing.filter, row, gathering);
    return rc < 0 ? err_set(error, rc, "the catalog could not be read: %s", err_name(rc)) : 0;
}

static void free_gathering(struct gathering *gathering)
{
    narrowing_done(&gathering->narrowing);
    texts_free(&gathering->texts);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The texts in order, for the caller to free; NULL without memory. */
static const char **sort_texts(const struct texts *texts)
{
    size_t n = count_texts(texts);
    const char **sorted = calloc(n + 1, sizeof(*sorted));
    for (size_t i = 0; i < n && sorted; i++)
        sorted[i] = texts_at(texts, (int64_t)i + 1);
    if (sorted)
        qsort(sorted, n, sizeof(*sorted), compare_texts);
    return sorted;
}

static int reply_texts(const struct texts *texts, const struct request *request, struct reply *reply, struct err_text *error)
{
    int64_t limit, n = (int64_t)count_texts(texts);
    int rc = prometheus_limit(&request->parameters, "limit", &limit, error);
    const char **sorted = rc ? NULL : sort_texts(texts);
    if (!sorted)
        return rc ? rc : ERR_NOMEM;
    buf_puts(&reply->body, BEGIN_LIST);
    for (int64_t i = 0; i < n && i < limit; i++) {
        buf_puts(&reply->body, i ? ",\n" : "\n");
        jsontext_put(&reply->body, sorted[i]);
    }
    free(sorted);
    buf_puts(&reply->body, n > limit ? "\n]" END_LIMITED : "\n]}\n");
    reply->status = 200;
    reply->type = "application/json";
    return 0;
}

static int add_labels(void *arg, const struct series_info *info)
{
    struct gathering *gathering = arg;
    int rc = narrowing_takes(&gathering->narrowing, info);
    if (rc <= 0)
        return rc;
    rc = 0;
    for (int label = 0; label < LABEL_N && !rc; label++)
        if (*label_value((enum label)label, info))
            rc = intern(gathering, label_name[label]);
    return !rc && count_texts(&gathering->texts) == LABEL_N ? 1 : rc;
}

static int add_value(void *arg, const struct series_info *info)
{
    struct gathering *gathering = arg;
    int rc = narrowing_takes(&gathering->narrowing, info);
    return rc <= 0 ? rc : intern(gathering, label_value(gathering->label, info));
}

int h_prometheus_labels(struct request *request, struct reply *reply, struct err_text *error)
{
    struct gathering gathering = {0};
    int rc = gather(&gathering, request, add_labels, error);
    rc = rc ? rc : reply_texts(&gathering.texts, request, reply, error);
    free_gathering(&gathering);
    return rc;
}

int h_prometheus_values(struct request *request, struct reply *reply, struct err_text *error)
{
    struct gathering gathering = {.label = label_find(request->id)};
    const char *end = request->id;
    if (!selector_skip_name(&end, false) || *end)
        return err_set(error, ERR_INVALID, "\"%.64s\" is no name of a label: /api/v1/labels lists them", request->id);
    int rc = gather(&gathering, request, add_value, error);
    rc = rc ? rc : reply_texts(&gathering.texts, request, reply, error);
    free_gathering(&gathering);
    return rc;
}

/* ---- metadata ---- */

#define SEPARATOR '\x1f' /* of metric, kind and unit in one text */

static int add_metadata(void *arg, const struct series_info *info)
{
    struct gathering *gathering = arg;
    char text[LIMIT_NAME_BYTES + LIMIT_UNIT_BYTES + 16];
    if (info->kind == KIND_STATE || (gathering->metric && strcmp(gathering->metric, info->property)))
        return 0;
    snprintf(text, sizeof(text), "%s%c%s%c%s", info->property, SEPARATOR,
             info->kind == KIND_COUNTER ? "counter" : "gauge", SEPARATOR, info->unit);
    return intern(gathering, text);
}

/* How much of a text is the metric's name. */
static size_t metric_size(const char *text)
{
    const char *unit = strrchr(text, SEPARATOR);
    return (size_t)((const char *)memrchr(text, SEPARATOR, (size_t)(unit - text)) - text);
}

static void put_metadata(const char *text, struct buf *out)
{
    const char *kind = text + metric_size(text) + 1, *unit = strrchr(text, SEPARATOR) + 1;
    buf_printf(out, "{\"type\":\"%.*s\",\"help\":\"\",\"unit\":", (int)(unit - 1 - kind), kind);
    jsontext_put(out, unit);
    buf_putc(out, '}');
}

static void put_metric(const char *text, struct buf *out)
{
    char name[LIMIT_NAME_BYTES + 1];
    snprintf(name, sizeof(name), "%.*s", (int)metric_size(text), text);
    jsontext_put(out, name);
}

static int put_all_metadata(const struct texts *texts, int64_t limit, int64_t limit_per_metric, struct buf *out)
{
    const char **sorted = sort_texts(texts);
    if (!sorted)
        return ERR_NOMEM;
    int64_t n_metrics = 0, n = 0;
    for (size_t i = 0; i < count_texts(texts); i++) {
        size_t size = metric_size(sorted[i]);
        bool same = i && metric_size(sorted[i - 1]) == size && !memcmp(sorted[i], sorted[i - 1], size);
        if (!same && n_metrics == limit)
            break;
        n = same ? n + 1 : 1;
        if (n > limit_per_metric)
            continue;
        if (!same) {
            buf_puts(out, n_metrics++ ? "],\n" : "\n");
            put_metric(sorted[i], out);
        }
        buf_puts(out, same ? "," : ":[");
        put_metadata(sorted[i], out);
    }
    buf_puts(out, n_metrics ? "]" : "");
    free(sorted);
    return 0;
}

int h_prometheus_metadata(struct request *request, struct reply *reply, struct err_text *error)
{
    struct gathering gathering = {0};
    int64_t limit, limit_per_metric;
    int rc = parameters_one(&request->parameters, "metric", &gathering.metric, error);
    rc = rc ? rc : prometheus_limit(&request->parameters, "limit", &limit, error);
    rc = rc ? rc : prometheus_limit(&request->parameters, "limit_per_metric", &limit_per_metric, error);
    rc = rc ? rc : gather(&gathering, request, add_metadata, error);
    if (!rc) {
        buf_puts(&reply->body, "{\"status\":\"success\",\"data\":{");
        rc = put_all_metadata(&gathering.texts, limit, limit_per_metric, &reply->body);
        buf_puts(&reply->body, "}}\n");
        reply->status = 200;
        reply->type = "application/json";
    }
    free_gathering(&gathering);
    return rc;
}

int h_prometheus_buildinfo(struct request *request, struct reply *reply, struct err_text *error)
{
    (void)request, (void)error;
    buf_puts(&reply->body, "{\"status\":\"success\",\"data\":{\"application\":\"" PACKAGE_NAME "\",\"version\":\""
                           PACKAGE_VERSION "\",\"revision\":\"\",\"branch\":\"\",\"buildUser\":\"\",\"buildDate\":\"\","
                           "\"goVersion\":\"\"}}\n");
    reply->status = 200;
    reply->type = "application/json";
    return 0;
}
