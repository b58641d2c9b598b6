/* GET /v1/gaps: which slots of their cadence series have, and which they lack. */
#include <config.h>

#include "http/handlers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/jsontext.h"
#include "http/filter.h"
#include "http/origin.h"
#include "http/render.h"
#include "query/gaps.h"

/* Series that are asked of the catalog at a time. */
#define PAGE_SERIES 256

struct gaps_stream {
    struct stream stream;
    struct origin origin;
    struct view *view;
    struct parameter asked[LIMIT_URL_PARAMETERS];
    struct range range;   /* which series, which time; its step is `cadence` where that is given */
    bool parsed;
    uint32_t ids[PAGE_SERIES]; /* of the page at work */
    size_t n_ids, next_id;
    bool is_last_page;
    struct grid grid;     /* of the series at work */
    struct gaps *gaps;
    size_t n_series, n_missing;
    struct minute minute;
};

/* ---- which cadence ---- */

static int refuse_cadence(const struct series_info *info, struct err_text *error)
{
    return err_set_field(error, ERR_MEANING, "cadence",
                         "nobody said how often \"%.64s\" of \"%.128s\" comes, so nothing is expected of it: give "
                         "\"cadence\", such as PT15M",
                         info->property, info->entity);
}

static int find_grid(struct gaps_stream *answer, const struct series_info *info, struct err_text *error)
{
    const struct range *range = &answer->range;
    int64_t cadence_us = info->cadence_us;
    answer->grid = range->grid;
    if (!range->raw)
        return 0;
    if (!cadence_us && info->kind == KIND_INTERVAL) {
        int rc = gaps_period(answer->view, info, range->from_us, range->to_us, &cadence_us);
        if (rc)
            return err_set(error, rc, "series %" PRIu32 " could not be read: %s", info->id, err_name(rc));
    }
    if (cadence_us < US_PER_SECOND)
        return refuse_cadence(info, error);
    /* whole days are those of the calendar, as a meter's daily values are */
    struct duration cadence = {.us = cadence_us == US_PER_DAY ? 0 : cadence_us, .days = cadence_us == US_PER_DAY};
    return grid_init(&answer->grid, &cadence, range->zone, error);
}

/* Where readings have expired, nobody can tell any more which there were. */
static int check_left(const struct gaps_stream *answer, const struct series_info *info, struct err_text *error)
{
    char left[CIVIL_TEXT_MAX];
    int64_t left_us;
    int rc = view_left(answer->view, info->id, NULL, answer->range.from_us, answer->range.to_us, &left_us);
    if (rc || left_us <= answer->range.from_us)
        return rc;
    size_t size = civil_print_rfc3339(left, left_us, 0, true);
    return err_set_field(error, ERR_EXPIRED, "from",
                         "readings of \"%.64s\" of \"%.128s\" are not kept so far back: the first instant left is %.*s",
                         info->property, info->entity, (int)size, left);
}

/* ---- series by series ---- */

struct begin {
    struct gaps_stream *answer;
    struct buf *out;
    struct err_text *error;
};

static int begin_series(void *arg, const struct series_info *info)
{
    struct begin *begin = arg;
    struct gaps_stream *answer = begin->answer;
    const struct range *range = &answer->range;
    struct buf *out = begin->out;
    int rc = find_grid(answer, info, begin->error);
    if (rc)
        return rc;
    struct gaps_options options = {&answer->grid, range->from_us, range->to_us, answer->origin.now_us};
    rc = check_left(answer, info, begin->error);
    if (rc == ERR_EXPIRED)
        return rc;
    rc = rc ? rc : gaps_open(answer->view, info, &options, &answer->gaps);
    if (rc)
        return err_set(begin->error, rc, "series %" PRIu32 " could not be read: %s", info->id, err_name(rc));
    buf_printf(out, "%s{\"id\":%" PRIu32, answer->n_series++ ? ",\n" : "{\"series\":[\n", info->id);
    jsontext_put_member(out, "entity", info->entity);
    jsontext_put_member(out, "type", info->type);
    jsontext_put_member(out, "property", info->property);
    jsontext_put_member(out, "unit", info->unit);
    jsontext_put_member(out, "kind", kind_name(info->kind));
    buf_puts(out, ",\"missing\":[");
    answer->n_missing = 0;
    return 0;
}

static int note_id(void *arg, const struct series_info *info)
{
    struct gaps_stream *answer = arg;
    if (answer->n_ids == PAGE_SERIES) {
        answer->is_last_page = false;
        return 1;
    }
    answer->ids[answer->n_ids++] = info->id;
    return 0;
}

static int next_page(struct gaps_stream *answer)
{
    struct series_filter filter = answer->range.filter;
    filter.after_id = answer->n_ids ? answer->ids[answer->n_ids - 1] : 0;
    answer->n_ids = answer->next_id = 0;
    answer->is_last_page = true;
    int rc = reader_series(answer->origin.dir, &filter, note_id, answer);
    return rc < 0 ? rc : 0;
}

/* 1 when a series was begun, 0 behind the last. */
static int next_series(struct gaps_stream *answer, struct buf *out, struct err_text *error)
{
    int rc = answer->next_id == answer->n_ids && !answer->is_last_page ? next_page(answer) : 0;
    if (rc)
        return err_set(error, rc, "the catalog could not be read: %s", err_name(rc));
    if (answer->next_id == answer->n_ids)
        return 0;
    struct begin begin = {answer, out, error};
    struct series_filter one = {.ids = &answer->ids[answer->next_id++], .n_ids = 1};
    rc = reader_series(answer->origin.dir, &one, begin_series, &begin);
    return rc ? rc : 1;
}

static void put_missing(struct gaps_stream *answer, const struct span *missing, struct buf *out)
{
    buf_puts(out, answer->n_missing++ ? ",\n{\"from\":" : "\n{\"from\":");
    render_json_time(&answer->range, &answer->minute, missing->begin_us, out);
    buf_puts(out, ",\"to\":");
    render_json_time(&answer->range, &answer->minute, missing->end_us, out);
    buf_printf(out, ",\"slots\":%" PRId64 "}", grid_count(&answer->grid, missing->begin_us, missing->end_us, INT64_MAX));
}

static void end_series(struct gaps_stream *answer, struct buf *out)
{
    struct gaps_counts counts = gaps_counts(answer->gaps);
    buf_printf(out, "],\"expected\":%" PRId64 ",\"received\":%" PRId64 ",\"awaited\":%" PRId64 ",\"never\":%" PRId64 "}",
               counts.expected, counts.received, counts.awaited, counts.never);
    gaps_close(answer->gaps);
    answer->gaps = NULL;
}

static int fill_gaps(struct stream *stream, struct buf *out, struct err_text *error)
{
    struct gaps_stream *answer = (struct gaps_stream *)stream;
    struct span missing;
    while (out->n < STREAM_BYTES && !out->failed) {
        int rc = answer->gaps ? 1 : next_series(answer, out, error);
        if (rc < 0)
            return rc;
        if (!rc) {
            buf_puts(out, "\n]}\n");
            return 0;
        }
        rc = gaps_next(answer->gaps, &missing);
        if (rc < 0)
            return err_set(error, rc, "the answer cannot go on: %s", err_name(rc));
        if (rc)
            put_missing(answer, &missing, out);
        else
            end_series(answer, out);
    }
    return 1;
}

static void close_gaps(struct stream *stream)
{
    struct gaps_stream *answer = (struct gaps_stream *)stream;
    gaps_close(answer->gaps);
    view_close(answer->view);
    origin_give(&answer->origin);
    if (answer->parsed)
        range_free(&answer->range);
    free(answer);
}

/* ---- the request ---- */

/* The parameters are those of a range whose step is the cadence. */
static int parse(struct gaps_stream *answer, const struct request *request, struct err_text *error)
{
    size_t n = request->parameters.n;
    for (size_t i = 0; i < n; i++) {
        answer->asked[i] = request->parameters.rows[i];
        if (!strcmp(answer->asked[i].name, "cadence"))
            answer->asked[i].name = "step";
    }
    int rc = range_parse(answer->asked, n, answer->origin.now_us, &answer->range, error);
    if (rc && !strcmp(error->field, "step"))
        rc = err_set_field(error, rc, "cadence", "this is no cadence: take a duration from PT1S on, such as PT15M or P1D");
    answer->parsed = !rc;
    return rc;
}

/* The first page is looked at before the answer begins, so that a filter without series is refused. */
static int open_gaps(struct gaps_stream *answer, const struct request *request, struct err_text *error)
{
    int rc = origin_take(request, &answer->origin, error);
    rc = rc ? rc : parse(answer, request, error);
    rc = rc ? rc : quota_check_span(reader_dir_quota(request->dir), answer->range.from_us, answer->range.to_us, "from");
    rc = rc ? rc : filter_take_series(answer->origin.dir, &answer->range.filter, -1);
    rc = rc ? rc : view_open(answer->origin.dir, &answer->view, error);
    if (rc)
        return rc;
    rc = next_page(answer);
    if (rc)
        return err_set(error, rc, "the catalog could not be read: %s", err_name(rc));
    return answer->n_ids ? 0 : err_set(error, ERR_NOTFOUND, "no series matches what is asked for: GET /v1/series lists them");
}

int h_gaps(struct request *request, struct reply *reply, struct err_text *error)
{
    struct gaps_stream *answer = calloc(1, sizeof(*answer));
    if (!answer)
        return ERR_NOMEM;
    answer->stream = (struct stream){.fill = fill_gaps, .close = close_gaps};
    int rc = open_gaps(answer, request, error);
    if (rc) {
        close_gaps(&answer->stream);
        return rc;
    }
    origin_headers(&answer->origin, answer->view, reply);
    return reply_stream(reply, "application/json", &answer->stream, error);
}
