/* GET /v1/live: Server-Sent Events (WHATWG HTML, "Server-sent events") of what arrives for matching series.
 *
 * A listener goes from one view of the store to the next. Between two of them it tells readings as they arrived; where
 * these are not kept as such any more (a flush came between, or it asks from a position on), it tells ranges of time
 * that changed, each with all that is in force there now. Behind everything of a view comes its position as the id, so
 * that whoever comes again with that id misses nothing, and may be told twice what was not told to its end. */
#include <config.h>

#include "http/handlers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/clock.h"
#include "common/jsontext.h"
#include "http/filter.h"
#include "http/live.h"
#include "http/render.h"
#include "http/trust.h"

enum wanted { WANTED_UNKNOWN, WANTED_NO, WANTED_YES };

struct live_stream {
    struct stream stream;
    struct listener listener;
    struct live *live;
    struct reader_dir *dir;
    const struct server_opts *opts;
    struct principal principal;
    const struct peer *peer;  /* whose certificate stood at first; or NULL */
    struct trust *trust;
    int64_t access_version;   /* of which the principal is known to be let in */
    struct filter filter;
    uint8_t *wanted;          /* enum wanted of a series, by id */
    size_t n_wanted;
    struct view *seen, *now;  /* told wholly, NULL: nothing yet; being told, NULL: nothing new */
    int64_t now_us;           /* since when the one that is being told is known */
    int64_t behind_max_us;    /* so long it may take */
    struct arrivals *arrivals;
    struct view_changes changes;
    size_t next_change;
    struct scan *scan;        /* of the range before next_change */
    struct points points;
    size_t next_point;
    struct buf labels;        /* of the series at work */
    enum kind kind;
    size_t n_arrivals, next_arrival;
    bool told, over;          /* something of now */
    int64_t said_us;          /* when something was sent last */
};

/* ---- series ---- */

static int take_series(void *arg, const struct series_info *info)
{
    struct live_stream *live = arg;
    struct buf *labels = &live->labels;
    live->kind = info->kind;
    buf_puts(labels, "\"entity\":");
    jsontext_put(labels, info->entity);
    buf_puts(labels, ",\"property\":");
    jsontext_put(labels, info->property);
    buf_puts(labels, ",\"unit\":");
    jsontext_put(labels, info->unit);
    return 0;
}

static bool is_asked(const struct series_filter *filter, uint32_t id)
{
    for (size_t i = 0; i < filter->n_ids; i++)
        if (filter->ids[i] == id)
            return true;
    return !filter->n_ids;
}

/* Whether the filter fits, which is asked of the catalog once; then labels and kind are those of the series: 1, 0 or a
 * code. */
static int begin_series(struct live_stream *live, uint32_t id)
{
    struct series_filter filter = live->filter.series;
    size_t n = live->n_wanted;
    if (id >= n && array_grow(&live->wanted, &live->n_wanted, (size_t)id + 1, sizeof(*live->wanted)))
        return ERR_NOMEM;
    memset(live->wanted + n, 0, live->n_wanted - n);
    if (live->wanted[id] == WANTED_NO || !is_asked(&filter, id)) {
        live->wanted[id] = WANTED_NO;
        return 0;
    }
    filter.ids = &id;
    filter.n_ids = 1;
    buf_clear(&live->labels);
    int rc = reader_series(live->dir, &filter, take_series, live);
    if (rc)
        return rc;
    live->wanted[id] = live->labels.n ? WANTED_YES : WANTED_NO;
    return live->labels.failed ? ERR_NOMEM : live->labels.n > 0;
}

/* ---- events ---- */

static void put_labels(const struct live_stream *live, struct buf *out)
{
    buf_put(out, live->labels.data, live->labels.n);
}

static void put_span(int64_t begin_us, int64_t end_us, struct buf *out)
{
    buf_puts(out, ",\"from\":");
    jsontext_put_time(out, begin_us);
    buf_puts(out, ",\"to\":");
    jsontext_put_time(out, end_us);
}

static void put_time(int64_t t_us, struct buf *out)
{
    buf_puts(out, ",\"time\":");
    jsontext_put_time(out, t_us);
}

static void put_value(struct decimal value, const char *state, enum quality quality, struct buf *out)
{
    buf_puts(out, ",\"value\":");
    if (state)
        jsontext_put(out, state);
    else
        render_number(&(struct value){.type = VALUE_DECIMAL, .decimal = value}, out);
    buf_printf(out, ",\"quality\":\"%s\"}\n\n", quality_name(quality));
}

static void put_arrival(const struct live_stream *live, const struct arrival *arrival, struct buf *out)
{
    buf_puts(out, "data: {");
    put_labels(live, out);
    if (arrival->end_us > arrival->t_us + 1)
        put_span(arrival->t_us, arrival->end_us, out);
    else
        put_time(arrival->t_us, out);
    if (arrival->issued_us != ISSUED_NONE) {
        buf_puts(out, ",\"issued\":");
        jsontext_put_time(out, arrival->issued_us);
    }
    if (arrival->deleted)
        buf_puts(out, ",\"deleted\":true}\n\n");
    else
        put_value(arrival->value, arrival->state, arrival->quality, out);
}

/* The position as the id of what was told so far, in a block without data: a client keeps it and tells nobody. */
static void put_id(const struct view *view, struct buf *out)
{
    buf_printf(out, "id: %s\n\n", view_position(view));
}

/* ---- from one view to the next ---- */

/* What arrived; where that is not kept, the ranges that changed. */
static int begin_telling(struct live_stream *live)
{
    int rc = arrivals_open(live->seen, live->now, &live->arrivals);
    live->n_arrivals = live->next_arrival = 0;
    if (rc != ERR_EXPIRED)
        return rc;
    live->next_change = 0;
    return view_changes(live->now, view_position(live->seen), &live->changes);
}

static void end_telling(struct live_stream *live)
{
    arrivals_close(live->arrivals);
    live->arrivals = NULL;
    view_changes_free(&live->changes);
    live->changes = (struct view_changes){0};
    scan_close(live->scan);
    live->scan = NULL;
}

/* Some more of what arrived: 1, 0 behind the last, or a code. */
static int tell_arrivals(struct live_stream *live, struct buf *out)
{
    uint32_t id;
    if (live->next_arrival < live->n_arrivals) {
        struct arrival arrival = arrivals_at(live->arrivals, live->next_arrival++);
        put_arrival(live, &arrival, out);
        return 1;
    }
    live->n_arrivals = live->next_arrival = 0;
    int rc = arrivals_next(live->arrivals, &id);
    if (rc <= 0)
        return rc;
    rc = begin_series(live, id);
    if (rc > 0)
        rc = arrivals_read(live->arrivals, live->kind, &live->n_arrivals);
    return rc < 0 ? rc : 1;
}

static int begin_change(struct live_stream *live, const struct view_change *change, struct buf *out)
{
    int rc = begin_series(live, change->series_id);
    if (rc <= 0)
        return rc;
    buf_puts(out, "event: range\ndata: {");
    put_labels(live, out);
    put_span(change->begin_us, change->end_us, out);
    buf_puts(out, "}\n\n");
    live->next_point = live->points.n = 0;
    return scan_open(live->now, change->series_id, change->begin_us, change->end_us, 0, &live->scan);
}

/* Some more of the ranges that changed, as tell_arrivals. */
static int tell_changes(struct live_stream *live, struct buf *out)
{
    struct points *points = &live->points;
    if (!live->scan) {
        if (live->next_change == live->changes.n)
            return 0;
        int rc = begin_change(live, &live->changes.rows[live->next_change++], out);
        return rc < 0 ? rc : 1;
    }
    if (live->next_point < points->n) {
        size_t i = live->next_point++;
        unsigned quality = points->quality[i] & QUALITY_CLASS_MASK;
        buf_puts(out, "data: {");
        put_labels(live, out);
        put_time(points->t_us[i], out);
        put_value((struct decimal){points->m[i], points->e[i]},
                  live->kind == KIND_STATE ? texts_at(&points->texts, points->m[i]) : NULL,
                  quality < QUALITY_N ? (enum quality)quality : QUALITY_SUSPECT, out);
        return 1;
    }
    live->next_point = 0;
    int rc = scan_next(live->scan, points);
    if (rc <= 0) {
        points->n = 0;
        scan_close(live->scan);
        live->scan = NULL;
    }
    return rc < 0 ? rc : 1;
}

/* Takes a new view where there is one. */
static int look(struct live_stream *live, struct err_text *error)
{
    int rc = view_open(live->dir, &live->now, error);
    if (rc)
        return rc;
    if (!strcmp(view_position(live->now), view_position(live->seen))) {
        view_close(live->now);
        live->now = NULL;
        return 0;
    }
    live->now_us = clock_mono_us();
    quota_renew_points(view_quota(live->now));
    return begin_telling(live);
}

static void drop(struct live_stream *live, const char *why, struct buf *out)
{
    buf_printf(out, "event: dropped\ndata: {\"reason\":\"%s\"}\n\n", why);
    live->over = true;
}

/* The id is that of the view which was not told to its end, so that who comes again does not get there again. */
static void drop_over(struct live_stream *live, struct buf *out)
{
    put_id(live->now, out);
    drop(live, "more is new than may be told at once; come again with the last id, and ask /v1/range for what is missing", out);
}

/* The whole view is told. Where nothing was, its id can wait. */
static void finish(struct live_stream *live, struct buf *out)
{
    end_telling(live);
    if (live->told)
        put_id(live->now, out);
    live->told = false;
    view_close(live->seen);
    live->seen = live->now;
    live->now = NULL;
}

/* A stream has no end, so who is not let in any more is told no more. */
static bool may_go_on(struct live_stream *live)
{
    if (live->peer && !trust_stands(live->trust, live->peer))
        return false;
    return access_check_again(live->opts->access, &live->principal, &live->access_version) != ERR_DENIED;
}

static int fill_live(struct stream *stream, struct buf *out, struct err_text *error)
{
    struct live_stream *live = (struct live_stream *)stream;
    if (!may_go_on(live)) {
        drop(live, "the credentials are not valid any more", out);
        return 0;
    }
    int rc = live->now ? 0 : look(live, error);
    bool more = live->now != NULL;
    while (!rc && more && out->n < STREAM_BYTES && !out->failed) {
        rc = live->arrivals ? tell_arrivals(live, out) : tell_changes(live, out);
        more = rc > 0;
        rc = rc < 0 ? rc : 0;
    }
    live->told = live->told || out->n > 0;
    if (rc == ERR_EXPIRED)
        drop(live, "what changed is not kept so long; ask /v1/range for what you need", out);
    else if (rc == ERR_QUOTA)
        drop_over(live, out);
    else if (rc)
        return err_set(error, rc, "what is new cannot be read: %s", err_name(rc));
    else if (live->now && !more)
        finish(live, out);
    else if (live->now && clock_mono_us() - live->now_us > live->behind_max_us)
        drop(live, "too slow; come again with the last id", out);
    if (!out->n && clock_mono_us() - live->said_us >= LIVE_SILENCE_US) {
        buf_puts(out, ": nothing new\n");
        if (live->seen)
            put_id(live->seen, out);
        else
            buf_putc(out, '\n');
    }
    live->said_us = out->n ? clock_mono_us() : live->said_us;
    return !live->over;
}

static int wait_live(struct stream *stream, const struct sleeper *sleeper)
{
    struct live_stream *live = (struct live_stream *)stream;
    return live_wait(live->live, &live->listener, live->said_us, sleeper);
}

static void close_live(struct stream *stream)
{
    struct live_stream *live = (struct live_stream *)stream;
    if (live->live)
        live_remove(live->live, &live->listener);
    end_telling(live);
    view_close(live->now);
    view_close(live->seen);
    filter_free(&live->filter);
    points_free(&live->points);
    buf_free(&live->labels);
    free(live->wanted);
    free(live);
}

/* ---- the request ---- */

static int refuse_since(int rc, const char *since, struct err_text *error)
{
    if (rc == ERR_INVALID)
        return err_set_field(error, rc, "since", "\"%.80s\" is no position of this store: give the last id, or the header "
                             "Almanac-Position of an earlier answer", since);
    if (rc == ERR_EXPIRED)
        return err_set_field(error, rc, "since", "the position is older than store.revisions_keep: read anew what you need");
    return err_set(error, rc, "the changes could not be read: %s", err_name(rc));
}

/* The header, which a browser sends when it comes again, is newer than the parameter, which stays in its URL. */
static int begin_live(struct live_stream *live, struct request *request, struct err_text *error)
{
    const char *since = NULL;
    int rc = filter_init(&live->filter, &request->parameters, error);
    rc = rc ? rc : parameters_one(&live->filter.parameters, "since", &since, error);
    rc = rc ? rc : filter_take_series(live->dir, &live->filter.series, -1);
    if (rc)
        return rc;
    if (request->last_event_id && *request->last_event_id)
        since = request->last_event_id;
    live->listener.gone = request->gone;
    rc = request->live ? live_add(request->live, &live->listener) : ERR_BUSY;
    if (rc)
        return err_set(error, rc, "%d listeners are there already: try again later", LIVE_LISTENERS_MAX);
    live->live = request->live;
    rc = view_open(live->dir, since ? &live->now : &live->seen, error);
    if (rc || !since)
        return rc;
    live->now_us = clock_mono_us();
    rc = view_changes(live->now, since, &live->changes);
    return rc ? refuse_since(rc, since, error) : 0;
}

int h_live(struct request *request, struct reply *reply, struct err_text *error)
{
    struct live_stream *live = calloc(1, sizeof(*live));
    if (!live)
        return ERR_NOMEM;
    live->stream = (struct stream){.fill = fill_live, .wait = wait_live, .close = close_live};
    live->dir = request->dir;
    live->opts = request->opts;
    live->principal = request->principal;
    live->peer = request->peer;
    live->trust = request->trust;
    live->said_us = clock_mono_us();
    live->behind_max_us = request->opts->behind_max_us ? request->opts->behind_max_us : SERVER_BEHIND_US;
    int rc = begin_live(live, request, error);
    if (rc) {
        close_live(&live->stream);
        return rc;
    }
    reply_view(reply, live->now ? live->now : live->seen);
    reply_header(reply, "Cache-Control", "no-store");
    reply_header(reply, "X-Accel-Buffering", "no"); /* nginx would wait for more */
    buf_puts(&reply->body, ": what arrives from now on\n");
    if (live->seen)
        put_id(live->seen, &reply->body);
    reply->stream = &live->stream;
    reply->status = 200;
    reply->type = "text/event-stream";
    return 0;
}
