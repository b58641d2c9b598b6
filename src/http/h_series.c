/* GET /v1/series and /v1/series/{id}: the catalog. */
#include <config.h>

#include "http/handlers.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/civil.h"
#include "http/filter.h"
#include "http/jsontext.h"
#include "http/origin.h"

/* The series that are asked of the catalog at a time: what bounds the memory of a long list. */
#define PAGE_SERIES 256

struct series_stream {
    struct stream stream;
    struct origin origin;
    struct view *view;
    struct filter filter;
    int64_t left;       /* rows that may still be given; -1 all */
    bool started, full; /* full: the limit was reached and there is more */
};

/* ---- one series as JSON ---- */

static void put_member(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, ",\"%s\":", name);
    jsontext_put(out, text);
}

/* Without the closing brace, so that more members may follow. */
static void put_series(struct buf *out, const struct series_info *info, const struct series_stats *stats)
{
    buf_printf(out, "{\"id\":%" PRIu32, info->id);
    put_member(out, "entity", info->entity);
    put_member(out, "type", info->type);
    put_member(out, "property", info->property);
    put_member(out, "unit", info->unit);
    put_member(out, "kind", kind_name(info->kind));
    buf_puts(out, ",\"cadence\":");
    if (info->cadence_us) {
        char text[CIVIL_TEXT_MAX];
        size_t n = civil_print_duration(text, &(struct duration){.us = info->cadence_us});
        buf_printf(out, "\"%.*s\"", (int)n, text);
    } else {
        buf_puts(out, "null");
    }
    buf_puts(out, ",\"first\":");
    if (stats->count) {
        jsontext_put_time(out, stats->first_us);
        buf_puts(out, ",\"last\":");
        jsontext_put_time(out, stats->last_us);
    } else {
        buf_puts(out, "null,\"last\":null");
    }
    buf_printf(out, ",\"count\":%" PRIu64, stats->count);
}

/* ---- the list ---- */

/* What one walk through the catalog appends; its rows end when a page is full. */
struct page {
    struct series_stream *list;
    struct buf *out;
    size_t n;
};

static int put_row(void *arg, const struct series_info *info)
{
    struct page *page = arg;
    struct series_stream *list = page->list;
    struct series_stats stats;
    if (!list->left)
        list->full = true;
    if (!list->left || page->n == PAGE_SERIES)
        return 1;
    int rc = view_stats(list->view, info->id, &stats);
    if (rc)
        return rc;
    buf_puts(page->out, list->started ? ",\n" : "{\"series\":[\n");
    put_series(page->out, info, &stats);
    buf_putc(page->out, '}');
    list->started = true;
    list->filter.series.after_id = info->id;
    list->left -= list->left > 0;
    page->n++;
    return 0;
}

static int fill_list(struct stream *stream, struct buf *out, struct err_text *error)
{
    struct series_stream *list = (struct series_stream *)stream;
    struct page page = {list, out, 0};
    int rc = reader_series(list->origin.dir, &list->filter.series, put_row, &page);
    if (rc < 0)
        return err_set(error, rc, "the catalog could not be read: %s", err_name(rc));
    if (rc > 0 && !list->full)
        return 1;
    buf_puts(out, list->started ? "\n],\"next\":" : "{\"series\":[],\"next\":");
    if (list->full)
        buf_printf(out, "\"%" PRIu32 "\"}\n", list->filter.series.after_id);
    else
        buf_puts(out, "null}\n");
    return 0;
}

static void close_list(struct stream *stream)
{
    struct series_stream *list = (struct series_stream *)stream;
    filter_free(&list->filter);
    view_close(list->view);
    origin_give(&list->origin);
    free(list);
}

static int parse_paging(struct series_stream *list, struct err_text *error)
{
    const char *limit, *cursor;
    uint64_t number;
    int rc = parameters_one(&list->filter.parameters, "limit", &limit, error);
    if (!rc)
        rc = parameters_one(&list->filter.parameters, "cursor", &cursor, error);
    if (rc)
        return rc;
    list->left = -1;
    if (limit) {
        if (filter_number(limit, INT32_MAX, &number))
            return err_set_field(error, ERR_INVALID, "limit", "\"%.40s\" is no limit: give a whole number from 1", limit);
        list->left = (int64_t)number;
    }
    if (cursor) {
        if (filter_number(cursor, UINT32_MAX, &number))
            return err_set_field(error, ERR_INVALID, "cursor",
                                 "\"%.40s\" is no cursor: give \"next\" of an earlier answer", cursor);
        list->filter.series.after_id = (uint32_t)number;
    }
    return 0;
}

int h_series_list(struct request *request, struct reply *reply, struct err_text *error)
{
    struct series_stream *list = calloc(1, sizeof(*list));
    if (!list)
        return ERR_NOMEM;
    list->stream = (struct stream){fill_list, close_list};
    int rc = origin_take(request, &list->origin, error);
    if (!rc)
        rc = filter_init(&list->filter, &request->parameters, error);
    if (!rc)
        rc = parse_paging(list, error);
    if (!rc)
        rc = view_open(list->origin.dir, &list->view, error);
    if (rc) {
        close_list(&list->stream);
        return rc;
    }
    origin_headers(&list->origin, list->view, reply);
    return reply_stream(reply, "application/json", &list->stream, error);
}

/* ---- one ---- */

struct one {
    struct view *view;
    struct buf *out;
    bool found;
};

static int put_one(void *arg, const struct series_info *info)
{
    struct one *one = arg;
    struct series_stats stats;
    int rc = view_stats(one->view, info->id, &stats);
    if (rc)
        return rc;
    one->found = true;
    put_series(one->out, info, &stats);
    buf_puts(one->out, ",\"quality\":{");
    for (int i = 0; i < QUALITY_N; i++)
        buf_printf(one->out, "%s\"%s\":%" PRIu64, i ? "," : "", quality_name((enum quality)i), stats.n_quality[i]);
    buf_puts(one->out, "}}\n");
    return 0;
}

int h_series_one(struct request *request, struct reply *reply, struct err_text *error)
{
    uint64_t number;
    if (filter_number(request->id, UINT32_MAX, &number))
        return err_set(error, ERR_NOTFOUND, "there is no series \"%.40s\": GET /v1/series lists them", request->id);
    uint32_t id = (uint32_t)number;
    struct one one = {.out = &reply->body};
    struct origin origin;
    int rc = origin_take(request, &origin, error);
    if (rc)
        return rc;
    rc = view_open(origin.dir, &one.view, error);
    if (!rc) {
        origin_headers(&origin, one.view, reply);
        struct series_filter filter = {.ids = &id, .n_ids = 1};
        rc = reader_series(origin.dir, &filter, put_one, &one);
        view_close(one.view);
        if (rc)
            err_set(error, rc, "series %" PRIu32 " could not be read: %s", id, err_name(rc));
    }
    origin_give(&origin);
    if (rc)
        return rc;
    if (!one.found)
        return err_set(error, ERR_NOTFOUND, "there is no series %" PRIu32 ": GET /v1/series lists them", id);
    reply->status = 200;
    reply->type = "application/json";
    return 0;
}
