/* GET /v1/series and /v1/series/{id}: the catalog. */
#include <config.h>

#include "http/handlers.h"

#include <inttypes.h>

#include "http/listing.h"

int h_series_list(struct request *request, struct reply *reply, struct err_text *error)
{
    struct listing *listing;
    int rc = listing_new(request, sizeof(*listing), &listing, error);
    return rc ? rc : listing_reply(listing, reply, error);
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
    listing_put_series(one->out, info, &stats);
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
