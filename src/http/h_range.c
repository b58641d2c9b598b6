/* GET and POST /v1/range: the range query. */
#include <config.h>

#include "http/handlers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/etag.h"
#include "http/origin.h"
#include "http/render.h"
#include "query/convert.h"
#include "store/assets.h"

/* Buckets a series in one JSON document; who takes more is better off with lines. */
#define JSON_ROWS_MAX 50000000
/* Rows of a page that has no place for a cursor: they are walked over first. */
#define PAGE_ROWS_MAX 1000000
/* Raw rows that are rendered at once. */
#define POINTS_MAX 1024

struct range_stream {
    struct stream stream;
    struct range range;
    bool parsed;          /* range holds something */
    struct origin origin;
    struct view *view;
    struct view *leased;               /* what view is, or shows, once it waits for pages */
    struct leases *leases;             /* NULL: pages are not held together, or need not be: those of a snapshot */
    char owner[LEASE_OWNER_MAX];       /* whose pages these are */
    char lease[LEASE_NAME_MAX];        /* the name under which it waits; "" while it is ours alone */
    struct answer *answer;
    const struct renderer *renderer;
    struct render render;
    bool begun, in_series, in_sheet;
    struct sheet sheet;
    uint64_t *n_rows, n_own; /* where rows are counted: the request's place, or our own */
};

/* ---- streaming ---- */

static int begin_series(struct range_stream *range, const struct series_info *info, struct buf *out,
                        struct err_text *error)
{
    struct series_stats stats;
    range->render.info = info;
    range->render.with_quality = false;
    if (range->range.raw) {
        int rc = view_stats(range->view, info->id, &stats);
        if (rc)
            return err_set(error, rc, "series %" PRIu32 " could not be read: %s", info->id, err_name(rc));
        for (int i = 0; i < QUALITY_N; i++)
            range->render.with_quality |= i != QUALITY_MEASURED && i <= (int)range_worst(&range->range) && stats.n_quality[i];
        struct knowledge knowledge = range_knowledge(&range->range);
        if (range_worst(&range->range) != QUALITY_MEASURED && (range->range.bounds || !knowledge_is_all(&knowledge)))
            range->render.with_quality = true; /* what expired or was replaced is not counted */
    }
    range->renderer->begin_series(&range->render, out);
    range->in_series = true;
    return 1;
}

/* Where there is a next page, the view waits for it, and the cursor names both: LEASE.PLACE. 1, or 0 where there is none. */
#define CURSOR_MAX (LEASE_NAME_MAX + 128)
static int name_next(struct range_stream *range, struct answer *answer, char ret_cursor[static CURSOR_MAX],
                     struct err_text *error)
{
    const char *place = answer_cursor(answer);
    if (place && range->leases && !*range->lease) {
        view_uncount(range->view); /* it outlives the request, which has read all of it */
        if (leases_put(range->leases, range->view, range->owner, range->lease))
            return err_set(error, ERR_BUSY, "too many answers are being paged through: try again, or without a limit");
        range->leased = range->view;
    }
    if (place)
        snprintf(ret_cursor, CURSOR_MAX, "%s%s%s", range->lease, *range->lease ? "." : "", place);
    return place != NULL;
}

static int end_answer(struct range_stream *range, void (*end)(struct render *render, const char *cursor, struct buf *out),
                      struct buf *out, struct err_text *error)
{
    char cursor[CURSOR_MAX];
    int rc = name_next(range, range->answer, cursor, error);
    if (rc >= 0)
        end(&range->render, rc ? cursor : NULL, out);
    return rc < 0 ? rc : 0;
}

/* Goes on to the next series, or ends the answer. */
static int next_series(struct range_stream *range, struct buf *out, struct err_text *error)
{
    const struct series_info *info;
    int rc = answer_next_series(range->answer, &info, &range->render.aggs, &range->render.n_aggs);
    if (rc < 0)
        return err_set(error, rc, "the answer cannot go on: %s", err_name(rc));
    if (rc)
        return begin_series(range, info, out, error);
    return end_answer(range, range->renderer->end, out, error);
}

/* The next row of the series that has its turn, or of raw readings the next rows; 1 also where the series ends. */
static int next_rows(struct range_stream *range, struct buf *out, struct err_text *error)
{
    struct row row;
    struct stretch stretch;
    bool has_points = answer_has_points(range->answer);
    int rc = has_points ? answer_next_points(range->answer, POINTS_MAX, &stretch) : answer_next_row(range->answer, &row);
    if (rc < 0)
        return err_set(error, rc, "the answer cannot go on: %s", err_name(rc));
    if (!rc) {
        range->renderer->end_series(&range->render, out);
        range->in_series = false;
    } else if (has_points) {
        range->renderer->points(&range->render, &stretch, out);
        *range->n_rows += stretch.end - stretch.begin;
    } else {
        range->renderer->row(&range->render, &row, out);
        *range->n_rows += 1;
    }
    return 1;
}

/* Some more of a table. */
static int next_sheet(struct range_stream *range, struct buf *out, struct err_text *error)
{
    struct render *render = &range->render;
    int rc = range->in_sheet ? 1 : answer_next_sheet(range->answer, &range->sheet);
    if (rc < 0)
        return err_set(error, rc, "the answer cannot go on: %s", err_name(rc));
    if (!rc)
        return end_answer(range, range->renderer->end_wide, out, error);
    if (!range->in_sheet) {
        render->sheet_at = 0;
        *range->n_rows += range->sheet.n;
    }
    range->in_sheet = range->renderer->sheet(render, &range->sheet, out);
    return 1;
}

static void begin_answer(struct range_stream *range, struct buf *out)
{
    struct render *render = &range->render;
    range->begun = true;
    render->left_out = answer_left_out(range->answer);
    if (range->range.wide)
        render->wide = answer_columns(range->answer, &render->n_wide);
    (range->range.wide ? range->renderer->begin_wide : range->renderer->begin)(render, out);
}

static int fill_range(struct stream *stream, struct buf *out, struct err_text *error)
{
    struct range_stream *range = (struct range_stream *)stream;
    int rc = 1;
    if (!range->begun)
        begin_answer(range, out);
    while (rc > 0 && out->n < STREAM_BYTES && !out->failed && !range->render.rc)
        rc = range->range.wide  ? next_sheet(range, out, error)
             : range->in_series ? next_rows(range, out, error)
                                : next_series(range, out, error);
    if (rc < 0 || !range->render.rc)
        return rc;
    *error = range->render.error;
    return range->render.rc;
}

static void close_range(struct stream *stream)
{
    struct range_stream *range = (struct range_stream *)stream;
    answer_close(range->answer);
    if (range->view != range->leased)
        view_close(range->view);
    if (range->leased)
        leases_give(range->leases, range->leased);
    origin_give(&range->origin);
    if (range->parsed)
        range_free(&range->range);
    render_done(&range->render);
    free(range);
}

/* ---- the columns of CSV, NDJSON and Arrow ---- */

static void add_column(struct render *render, enum agg agg)
{
    for (size_t i = 0; i < render->n_columns; i++)
        if (render->columns[i] == agg)
            return;
    render->columns[render->n_columns++] = agg;
}

struct knowing {
    struct render *render;
    struct reader_dir *dir;
    const struct unit_table *units; /* where a unit is asked for */
};

static int know_series(void *arg, const struct series_info *info)
{
    const struct knowing *knowing = arg;
    struct render *render = knowing->render;
    const struct range *range = render->range;
    struct conversion conversion;
    struct series_info shown;
    struct asset_place place;
    enum agg aggs[AGG_N];
    bool has_places = range->by == BY_LOCATION || range->by == BY_BOARD;
    int rc = has_places ? assets_place(knowing->dir, info->entity, &place, NULL) : 1;
    if (rc <= 0) /* in no group */
        return rc;
    size_t n = range->raw || range->n_aggs ? 0 : agg_choose(range, info, aggs);
    for (size_t i = 0; i < n; i++)
        add_column(render, aggs[i]);
    rc = conversion_init_shown(&conversion, knowing->units, range, info, &shown);
    if (!rc && has_places)
        shown.entity = range->by == BY_BOARD ? place.board : place.location;
    return rc ? rc : render_know(render, &shown);
}

/* One set of columns serves all series: the aggregates asked for, or else the defaults of every kind that matches. The
 * catalog only grows, so that looking after answer_open finds every series of the answer. */
static int find_columns(struct range_stream *range)
{
    bool is_arrow = range->renderer == &render_arrow;
    if (range->renderer == &render_json || range->range.wide)
        return 0;
    for (size_t i = 0; i < range->range.n_aggs; i++)
        add_column(&range->render, range->range.aggs[i]);
    if (!is_arrow && (range->range.raw || range->range.n_aggs))
        return 0;
    struct series_filter filter = range->range.filter;
    filter.after_id = 0; /* every page has the same columns */
    struct knowing knowing = {.render = &range->render, .dir = range->origin.dir};
    int rc = *range->range.unit ? reader_units(range->origin.dir, &knowing.units) : 0;
    return rc ? rc : reader_series(range->origin.dir, &filter, know_series, &knowing);
}

/* ---- the next page of CSV, NDJSON and Arrow ---- */

static int walk_series(struct answer *answer)
{
    struct stretch stretch;
    struct row row;
    int rc;
    do
        rc = answer_has_points(answer) ? answer_next_points(answer, POINTS_MAX, &stretch) : answer_next_row(answer, &row);
    while (rc > 0);
    return rc;
}

static int walk(struct answer *answer, bool wide)
{
    const struct series_info *info;
    const enum agg *aggs;
    size_t n_aggs;
    struct sheet sheet;
    int rc;
    do {
        rc = wide ? answer_next_sheet(answer, &sheet) : answer_next_series(answer, &info, &aggs, &n_aggs);
        if (rc > 0 && !wide && (rc = walk_series(answer)) == 0)
            rc = 1;
    } while (rc > 0);
    return rc;
}

/* These formats have no place for a cursor, and trailers do not reach most clients. So the page is walked over once before it
 * is rendered: its end tells where the next one begins, in a header. */
static int put_next(struct range_stream *range, struct reply *reply, struct err_text *error)
{
    struct answer *answer = NULL;
    char cursor[CURSOR_MAX];
    if (range->renderer == &render_json || !range->range.limit)
        return 0;
    if (range->range.limit > PAGE_ROWS_MAX)
        return err_set_field(error, ERR_INVALID, "limit", "a page in this format has at most %d rows: leave \"limit\" out to "
                             "have all of them at once", PAGE_ROWS_MAX);
    int rc = answer_open(range->origin.dir, range->view, &range->range, &answer, error);
    if (!rc && (rc = walk(answer, range->range.wide)))
        err_set(error, rc, "the page could not be read: %s", err_name(rc));
    view_uncount(range->view); /* rendering reads the same again */
    rc = rc ? rc : name_next(range, answer, cursor, error);
    if (rc > 0)
        reply_header(reply, "Almanac-Next", "%s", cursor);
    answer_close(answer);
    return rc < 0 ? rc : 0;
}

/* ---- the request ---- */

static void put_headers(const struct range_stream *range, struct reply *reply)
{
    char from[CIVIL_TEXT_MAX], to[CIVIL_TEXT_MAX], step[CIVIL_TEXT_MAX];
    size_t from_size = civil_print_rfc3339(from, range->range.from_us, 0, true);
    size_t to_size = civil_print_rfc3339(to, range->range.to_us, 0, true);
    reply_header(reply, "Almanac-Range", "%.*s/%.*s", (int)from_size, from, (int)to_size, to);
    if (!range->range.raw)
        reply_header(reply, "Almanac-Step", "%.*s", (int)civil_print_duration(step, &range->range.step), step);
    reply_header(reply, "Almanac-Tiers", "%s", answer_tiers(range->answer));
    origin_headers(&range->origin, range->view, reply);
}

/* The view of the first page, where a cursor names it; the cursor's rest is left to range_parse. */
static int take_view(struct range_stream *range, struct request *request, struct err_text *error)
{
    for (size_t i = 0; i < request->parameters.n; i++) {
        struct parameter *parameter = &request->parameters.rows[i];
        const char *dot = strcmp(parameter->name, "cursor") ? NULL : strchr(parameter->value, '.');
        size_t size = dot ? (size_t)(dot - parameter->value) : 0;
        if (!dot || !range->leases || size >= sizeof(range->lease))
            continue;
        int rc = leases_take(range->leases, range->owner, parameter->value, size, &range->leased);
        if (rc)
            return err_set_field(error, rc, "cursor",
                                 "the cursor was left for too long and its state is gone: ask again without it");
        memcpy(range->lease, parameter->value, size);
        range->lease[size] = '\0';
        memmove((char *)parameter->value, dot + 1, strlen(dot + 1) + 1); /* the request owns its values */
        return view_share(range->leased, reader_dir_quota(range->origin.dir), &range->view);
    }
    return view_open(range->origin.dir, &range->view, error);
}

static int open_answer(struct range_stream *range, struct request *request, struct err_text *error)
{
    int rc = origin_take(request, &range->origin, error);
    if (rc)
        return rc;
    range->leases = range->origin.snapshots ? NULL : request->leases;
    rc = take_view(range, request, error);
    if (rc)
        return rc;
    rc = range_parse(request->parameters.rows, request->parameters.n, range->origin.now_us, &range->range, error);
    if (rc)
        return rc;
    range->parsed = true;
    rc = quota_check_span(reader_dir_quota(range->origin.dir), range->range.from_us, range->range.to_us, "from");
    if (rc)
        return rc;
    if (request->scope == SCOPE_AGGREGATE) {
        range->range.guard_k = request->principal.grants.k;
        range->range.guard_share_percent = request->principal.grants.share_percent;
    }
    if (range->range.explain && range->renderer != &render_json)
        return err_set_field(error, ERR_INVALID, "explain", "\"explain\" goes with format=json, where each series has it "
                             "as a field");
    rc = range->renderer == &render_json ? range_check_rows(&range->range, JSON_ROWS_MAX, error) : 0;
    if (rc)
        return rc;
    rc = answer_open(range->origin.dir, range->view, &range->range, &range->answer, error);
    if (!rc && (rc = find_columns(range)))
        err_set(error, rc, "the catalog could not be read: %s", err_name(rc));
    return rc;
}

static const struct renderer *renderer_of(const struct media *media)
{
    static const struct {
        const char *name;
        const struct renderer *renderer;
    } all[] = {{"csv", &render_csv}, {"ndjson", &render_ndjson}, {"arrow", &render_arrow}};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        if (!strcmp(media->name, all[i].name))
            return all[i].renderer;
    return &render_json;
}

/* Who has the scope aggregate is told sums and means across series, and nothing of one: which series there are, what a bucket was
 * made of, its least and greatest. Said before anything is looked up. */
static int check_guard(const struct request *request, struct reply *reply, struct err_text *error)
{
    const char *over;
    if (request->scope != SCOPE_AGGREGATE)
        return 0;
    int rc = parameters_one(&request->parameters, "over", &over, error);
    if (rc)
        return rc;
    if (!over || (strcmp(over, "sum") != 0 && strcmp(over, "mean") != 0))
        reply_problem(reply, 403, "over", "\"%s\" has the scope aggregate: ask with over=sum or over=mean",
                      request->principal.name);
    for (size_t i = 0; i < request->parameters.n && !reply->status; i++) {
        const char *name = request->parameters.rows[i].name;
        if (!strcmp(name, "explain") || !strcmp(name, "series") || !strcmp(name, "limit") || !strcmp(name, "cursor"))
            reply_problem(reply, 403, name, "\"%s\" has the scope aggregate, which does not go with \"%s\"",
                          request->principal.name, name);
    }
    return 0;
}

/* The texts of some errors name a series. */
static int refuse_blindly(const struct request *request, int rc, struct err_text *error)
{
    if (request->scope != SCOPE_AGGREGATE || rc == ERR_INVALID || rc == ERR_NOTFOUND)
        return rc;
    struct err_text told = *error;
    return err_set_field(error, rc, told.field, "this cannot be answered of all series that match: ask for one property, with "
                         "aggregates of its kind, and of a time that is kept");
}

int h_range(struct request *request, struct reply *reply, struct err_text *error)
{
    struct range_stream *range = calloc(1, sizeof(*range));
    if (!range)
        return ERR_NOMEM;
    range->stream = (struct stream){.fill = fill_range, .close = close_range};
    range->renderer = renderer_of(request->media);
    range->render.range = &range->range;
    snprintf(range->owner, sizeof(range->owner), "%s", request->principal.name);
    range->n_rows = request->n_rows ? request->n_rows : &range->n_own;
    int rc = check_guard(request, reply, error);
    if (rc || reply->status) {
        close_range(&range->stream);
        return rc;
    }
    rc = dialect_parse(request->parameters.rows, request->parameters.n, request->media, &range->render.dialect, error);
    if (!rc && (rc = open_answer(range, request, error)))
        rc = refuse_blindly(request, rc, error);
    if (!rc && !range->range.guard_k && (rc = etag_range(request, range->origin.dir, range->view, &range->range, reply)))
        err_set(error, rc, "the newest change could not be found: %s", err_name(rc));
    if (!rc && !reply->status)
        rc = put_next(range, reply, error);
    if (!rc)
        put_headers(range, reply);
    if (rc || reply->status) {
        close_range(&range->stream);
        return rc;
    }
    return reply_stream(reply, range->renderer->type, &range->stream, error);
}
