#include <config.h>

#include "http/etag.h"

#include <string.h>

#include "common/hash.h"

/* An answer of more series is stamped as the whole store: the newest change anywhere. */
#define STAMPED_SERIES_MAX 64
#define TAG_BYTES 12
#define TAG_TEXT_MAX (4 * ((TAG_BYTES + 2) / 3) + 1)

/* Whether readings beyond the edges of the range have a say in its answer. */
static bool looks_beyond(const struct range *range, enum kind kind)
{
    bool beyond = range->bounds || range->fill == FILL_PREVIOUS || range->fill == FILL_LINEAR ||
                  (!range->raw && !range->n_aggs && kind == KIND_COUNTER);
    for (size_t i = 0; i < range->n_aggs; i++)
        beyond = beyond || range->aggs[i] == AGG_TWA || range->aggs[i] == AGG_INTEGRAL || range->aggs[i] == AGG_COVERED ||
                 range->aggs[i] == AGG_INCREASE;
    return beyond;
}

struct stamps {
    struct view *view;
    const struct range *range;
    size_t n;
    struct buf *out;
};

static int stamp_series(void *arg, const struct series_info *info)
{
    struct stamps *stamps = arg;
    const struct range *range = stamps->range;
    if (++stamps->n > STAMPED_SERIES_MAX)
        return 1;
    bool beyond = looks_beyond(range, info->kind);
    buf_put_varint(stamps->out, info->id);
    return view_stamp(stamps->view, info->id, beyond ? CIVIL_MIN_US : range->from_us, beyond ? CIVIL_END_US : range->to_us,
                      stamps->out);
}

static void put_question(const struct request *request, const struct range *range, struct buf *out)
{
    for (size_t i = 0; i < request->parameters.n; i++) {
        const struct parameter *parameter = &request->parameters.rows[i];
        buf_put(out, parameter->name, strlen(parameter->name) + 1);
        buf_put(out, parameter->value, strlen(parameter->value) + 1);
    }
    buf_puts(out, request->media->name);
    buf_put_u64(out, (uint64_t)range->from_us);
    buf_put_u64(out, (uint64_t)range->to_us);
    buf_put_u64(out, (uint64_t)range->asof_us);
}

bool etag_is_listed(const char *list, const char *opaque)
{
    size_t size = strlen(opaque);
    if (!list)
        return false;
    while (*list == ' ' || *list == '\t')
        list++;
    if (*list == '*')
        return true;
    for (const char *at = list; (at = strchr(at, '"')) != NULL;) {
        const char *end = strchr(++at, '"');
        if (!end)
            return false;
        if ((size_t)(end - at) == size && !memcmp(at, opaque, size))
            return true;
        at = end + 1;
    }
    return false;
}

int etag_range(const struct request *request, struct reader_dir *dir, struct view *view, const struct range *range,
               struct reply *reply)
{
    struct buf bytes = {0};
    struct stamps stamps = {.view = view, .range = range, .out = &bytes};
    uint8_t hash[HASH_BYTES];
    char text[TAG_TEXT_MAX];
    put_question(request, range, &bytes);
    int rc = reader_series(dir, &range->filter, stamp_series, &stamps);
    buf_put_varint(&bytes, (uint64_t)view_assets_version(view));
    if (rc > 0)
        buf_puts(&bytes, view_position(view));
    if (rc >= 0)
        rc = bytes.failed ? ERR_NOMEM : 0;
    if (!rc)
        hash_bytes(bytes.data, bytes.n, hash);
    buf_free(&bytes);
    if (rc)
        return rc;
    hash_base64url(hash, TAG_BYTES, text);
    reply_header(reply, "ETag", "W/\"%s\"", text);
    if (!strcmp(request->route->method, "GET") && etag_is_listed(request->if_none_match, text))
        reply->status = 304;
    return 0;
}
