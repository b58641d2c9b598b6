/* GET /v1/changes: what changed since the position of an earlier answer. */
#include <config.h>

#include "http/handlers.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/jsontext.h"
#include "http/filter.h"

/* The series that are asked of the catalog at a time. */
#define PAGE_SERIES 256

struct changes_stream {
    struct stream stream;
    struct reader_dir *dir;
    struct view *view;
    struct filter filter;
    struct view_changes changes;
    size_t next; /* row of changes */
    bool started;
};

/* One walk through the catalog, for a page of changed series. */
struct page {
    struct changes_stream *answer;
    struct buf *out;
};

static int put_series(void *arg, const struct series_info *info)
{
    struct page *page = arg;
    struct changes_stream *answer = page->answer;
    struct buf *out = page->out;
    const struct view_changes *changes = &answer->changes;
    size_t i = answer->next;
    while (i < changes->n && changes->rows[i].series_id < info->id)
        i++;
    for (; i < changes->n && changes->rows[i].series_id == info->id; i++) {
        buf_printf(out, "%s{\"id\":%" PRIu32 ",\"entity\":", answer->started ? ",\n" : "{\"changes\":[\n", info->id);
        jsontext_put(out, info->entity);
        buf_puts(out, ",\"property\":");
        jsontext_put(out, info->property);
        buf_puts(out, ",\"from\":");
        jsontext_put_time(out, changes->rows[i].begin_us);
        buf_puts(out, ",\"to\":");
        jsontext_put_time(out, changes->rows[i].end_us);
        buf_putc(out, '}');
        answer->started = true;
    }
    answer->next = i;
    return 0;
}

static bool is_asked(const struct series_filter *filter, uint32_t id)
{
    for (size_t i = 0; i < filter->n_ids; i++)
        if (filter->ids[i] == id)
            return true;
    return filter->n_ids == 0;
}

/* The next changed series that may be asked for; *ret_end is the row behind them. */
static size_t next_ids(const struct changes_stream *answer, uint32_t ids[static PAGE_SERIES], size_t *ret_end)
{
    const struct view_changes *changes = &answer->changes;
    size_t n = 0, i = answer->next;
    while (i < changes->n && n < PAGE_SERIES) {
        uint32_t id = changes->rows[i].series_id;
        if (is_asked(&answer->filter.series, id))
            ids[n++] = id;
        while (i < changes->n && changes->rows[i].series_id == id)
            i++;
    }
    *ret_end = i;
    return n;
}

static int fill_changes(struct stream *stream, struct buf *out, struct err_text *error)
{
    struct changes_stream *answer = (struct changes_stream *)stream;
    uint32_t ids[PAGE_SERIES];
    size_t end;
    struct series_filter filter = answer->filter.series;
    struct page page = {answer, out};
    filter.ids = ids;
    filter.n_ids = next_ids(answer, ids, &end);
    int rc = filter.n_ids ? reader_series(answer->dir, &filter, put_series, &page) : 0;
    if (rc)
        return err_set(error, rc, "the catalog could not be read: %s", err_name(rc));
    answer->next = end;
    if (end < answer->changes.n)
        return 1;
    buf_printf(out, "%s],\"position\":\"%s\"}\n", answer->started ? "\n" : "{\"changes\":[",
               view_position(answer->view));
    return 0;
}

static void close_changes(struct stream *stream)
{
    struct changes_stream *answer = (struct changes_stream *)stream;
    view_changes_free(&answer->changes);
    filter_free(&answer->filter);
    view_close(answer->view);
    free(answer);
}

static int find_changes(struct changes_stream *answer, struct err_text *error)
{
    const char *since;
    int rc = parameters_one(&answer->filter.parameters, "since", &since, error);
    if (!rc && !since)
        rc = err_set_field(error, ERR_INVALID, "since",
                           "\"since\" is missing: give the header Almanac-Position of an earlier answer");
    if (!rc)
        rc = view_open(answer->dir, &answer->view, error);
    if (rc || !(rc = view_changes(answer->view, since, &answer->changes)))
        return rc;
    if (rc == ERR_INVALID)
        return err_set_field(error, rc, "since", "\"%.80s\" is no position of this store: give the header "
                             "Almanac-Position of an earlier answer", since);
    if (rc == ERR_EXPIRED)
        return err_set_field(error, rc, "since", "the position is older than store.revisions_keep: read anew what you need");
    return err_set(error, rc, "the changes could not be read: %s", err_name(rc));
}

int h_changes(struct request *request, struct reply *reply, struct err_text *error)
{
    struct changes_stream *answer = calloc(1, sizeof(*answer));
    if (!answer)
        return ERR_NOMEM;
    answer->stream = (struct stream){.fill = fill_changes, .close = close_changes};
    answer->dir = request->dir;
    int rc = filter_init(&answer->filter, &request->parameters, error);
    if (!rc)
        rc = find_changes(answer, error);
    if (rc) {
        close_changes(&answer->stream);
        return rc;
    }
    reply_view(reply, answer->view);
    reply_header(reply, "Cache-Control", "private, no-cache");
    return reply_stream(reply, "application/json", &answer->stream, error);
}
