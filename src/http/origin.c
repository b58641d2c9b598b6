#include <config.h>

#include "http/origin.h"

#include <inttypes.h>

#include "common/civil.h"
#include "common/clock.h"

/* A snapshot's answers never change, but a name may be used again: so nobody keeps one for longer than this. */
#define CACHED_US_MAX US_PER_DAY

int origin_take(const struct request *request, struct origin *ret_origin, struct err_text *error)
{
    struct origin origin = {.dir = request->dir, .now_us = clock_wall_us()};
    const struct globs *limit = reader_dir_limited_to(request->dir);
    struct quota *quota = reader_dir_quota(request->dir);
    struct snapshot_info info;
    const char *name;
    int rc = parameters_one(&request->parameters, "snapshot", &name, error);
    if (!rc && name) {
        origin.snapshots = request->opts->snapshots;
        rc = snapshots_take(origin.snapshots, name, &info, &origin.snapshot, error);
        origin.dir = origin.snapshot;
        origin.now_us = rc ? 0 : info.created_us;
        origin.expires_us = rc ? 0 : info.expires_us;
    }
    if (!rc && name && (limit || quota) && (rc = reader_dir_limit(origin.snapshot, limit, quota, &origin.dir)))
        snapshots_give(origin.snapshots, origin.snapshot);
    if (!rc)
        *ret_origin = origin;
    return rc;
}

void origin_give(struct origin *origin)
{
    if (origin->snapshots && origin->dir != origin->snapshot)
        reader_dir_close(origin->dir);
    if (origin->snapshots)
        snapshots_give(origin->snapshots, origin->snapshot);
    *origin = (struct origin){0};
}

void origin_headers(const struct origin *origin, const struct view *view, struct reply *reply)
{
    reply_view(reply, view);
    if (!origin->snapshots) {
        reply_header(reply, "Cache-Control", "private, no-cache");
        return;
    }
    int64_t left_us = origin->expires_us - clock_wall_us();
    left_us = left_us > CACHED_US_MAX ? CACHED_US_MAX : left_us > 0 ? left_us : 0;
    reply_header(reply, "Cache-Control", "private, max-age=%" PRId64 ", immutable", left_us / US_PER_SECOND);
}
