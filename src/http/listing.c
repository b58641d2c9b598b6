#include <config.h>

#include "http/listing.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/civil.h"
#include "common/jsontext.h"

/* The series that are asked of the catalog at a time: what bounds the memory of a long list. */
#define PAGE_SERIES 256

/* ---- one series as JSON ---- */

void listing_put_series(struct buf *out, const struct series_info *info, const struct series_stats *stats)
{
    buf_printf(out, "{\"id\":%" PRIu32, info->id);
    jsontext_put_member(out, "entity", info->entity);
    jsontext_put_member(out, "type", info->type);
    jsontext_put_member(out, "property", info->property);
    jsontext_put_member(out, "unit", info->unit);
    jsontext_put_member(out, "kind", kind_name(info->kind));
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
    struct listing *listing;
    struct buf *out;
    struct err_text *error;
    size_t n;
};

static int put_row(void *arg, const struct series_info *info)
{
    struct page *page = arg;
    struct listing *listing = page->listing;
    struct series_stats stats;
    if (!listing->left)
        listing->full = true;
    if (!listing->left || page->n == PAGE_SERIES)
        return 1;
    int rc = view_stats(listing->view, info->id, &stats);
    if (rc)
        return rc;
    buf_puts(page->out, listing->started ? ",\n" : "{\"series\":[\n");
    listing_put_series(page->out, info, &stats);
    if (listing->put_more && (rc = listing->put_more(listing, info, &stats, page->out, page->error)))
        return rc;
    buf_putc(page->out, '}');
    listing->started = true;
    listing->filter.series.after_id = info->id;
    listing->left -= listing->left > 0;
    page->n++;
    return 0;
}

static int fill_list(struct stream *stream, struct buf *out, struct err_text *error)
{
    struct listing *listing = (struct listing *)stream;
    struct page page = {listing, out, error, 0};
    int rc = reader_series(listing->origin.dir, &listing->filter.series, put_row, &page);
    if (rc < 0)
        return error->text[0] ? rc : err_set(error, rc, "the catalog could not be read: %s", err_name(rc));
    if (rc > 0 && !listing->full)
        return 1;
    buf_puts(out, listing->started ? "\n],\"next\":" : "{\"series\":[],\"next\":");
    if (listing->full)
        buf_printf(out, "\"%" PRIu32 "\"}\n", listing->filter.series.after_id);
    else
        buf_puts(out, "null}\n");
    return 0;
}

void listing_free(struct listing *listing)
{
    if (!listing)
        return;
    filter_free(&listing->filter);
    view_close(listing->view);
    origin_give(&listing->origin);
    free(listing);
}

static void close_list(struct stream *stream)
{
    listing_free((struct listing *)stream);
}

static int parse_paging(struct listing *listing, struct err_text *error)
{
    const char *limit, *cursor;
    uint64_t number;
    int rc = parameters_one(&listing->filter.parameters, "limit", &limit, error);
    if (!rc)
        rc = parameters_one(&listing->filter.parameters, "cursor", &cursor, error);
    if (rc)
        return rc;
    listing->left = -1;
    if (limit) {
        if (filter_number(limit, INT32_MAX, &number))
            return err_set_field(error, ERR_INVALID, "limit", "\"%.40s\" is no limit: give a whole number from 1", limit);
        listing->left = (int64_t)number;
    }
    if (cursor) {
        if (filter_number(cursor, UINT32_MAX, &number))
            return err_set_field(error, ERR_INVALID, "cursor",
                                 "\"%.40s\" is no cursor: give \"next\" of an earlier answer", cursor);
        listing->filter.series.after_id = (uint32_t)number;
    }
    return 0;
}

int listing_new(struct request *request, size_t size, struct listing **ret_listing, struct err_text *error)
{
    struct listing *listing = calloc(1, size);
    if (!listing)
        return ERR_NOMEM;
    listing->stream = (struct stream){.fill = fill_list, .close = close_list};
    int rc = origin_take(request, &listing->origin, error);
    if (!rc)
        rc = filter_init(&listing->filter, &request->parameters, error);
    if (!rc)
        rc = parse_paging(listing, error);
    if (!rc)
        rc = filter_take_series(listing->origin.dir, &listing->filter.series, listing->left);
    if (!rc)
        rc = view_open(listing->origin.dir, &listing->view, error);
    if (rc) {
        listing_free(listing);
        return rc;
    }
    *ret_listing = listing;
    return 0;
}

int listing_reply(struct listing *listing, struct reply *reply, struct err_text *error)
{
    origin_headers(&listing->origin, listing->view, reply);
    return reply_stream(reply, "application/json", &listing->stream, error);
}
