/* POST, GET and DELETE /v1/snapshots: states of the store that are kept under a name. */
#include <config.h>

#include "http/handlers.h"

#include <string.h>

#include "common/civil.h"
#include "common/jsontext.h"
#include "common/log.h"
#include "http/exports.h"
#include "store/snapshots.h"

#define KEEP_DEFAULT "P90D"

static void put_snapshot(struct buf *out, const struct snapshot_info *info)
{
    char created[CIVIL_TEXT_MAX], expires[CIVIL_TEXT_MAX];
    size_t created_size = civil_print_rfc3339(created, info->created_us, 0, true);
    size_t expires_size = civil_print_rfc3339(expires, info->expires_us, 0, true);
    buf_puts(out, "{\"name\":");
    jsontext_put(out, info->name);
    buf_printf(out, ",\"created\":\"%.*s\",\"expires\":\"%.*s\",\"position\":", (int)created_size, created,
               (int)expires_size, expires);
    jsontext_put(out, info->position);
    buf_putc(out, '}');
}

struct list {
    struct buf *out;
    bool is_limited; /* then those of exports are not told: they say that somebody made one */
    bool started;
};

static int put_row(void *arg, const struct snapshot_info *info)
{
    struct list *list = arg;
    if (list->is_limited && !strncmp(info->name, EXPORT_PREFIX, strlen(EXPORT_PREFIX)))
        return 0;
    buf_puts(list->out, list->started ? ",\n" : "");
    put_snapshot(list->out, info);
    list->started = true;
    return 0;
}

int h_snapshots_list(struct request *request, struct reply *reply, struct err_text *error)
{
    struct list list = {.out = &reply->body, .is_limited = reader_dir_limited_to(request->dir) != NULL};
    buf_puts(list.out, "{\"snapshots\":[");
    int rc = snapshots_list(request->opts->snapshots, NULL, put_row, &list, error);
    if (rc)
        return rc;
    buf_puts(list.out, "]}\n");
    reply_header(reply, "Cache-Control", "private, no-cache");
    reply->status = 200;
    reply->type = "application/json";
    return 0;
}

int h_snapshots_make(struct request *request, struct reply *reply, struct err_text *error)
{
    struct snapshots *snapshots = request->opts->snapshots;
    const char *name, *keep;
    struct duration duration;
    int rc = parameters_one(&request->parameters, "name", &name, error);
    if (!rc)
        rc = parameters_one(&request->parameters, "keep", &keep, error);
    if (rc)
        return rc;
    if (!name)
        return err_set_field(error, ERR_INVALID, "name", "\"name\" is missing: send {\"name\":\"before-the-fix\"}");
    keep = keep ? keep : KEEP_DEFAULT;
    if (civil_parse_duration(keep, strlen(keep), false, &duration))
        return err_set_field(error, ERR_INVALID, "keep", "\"%.64s\" is no duration: write P90D, P1Y or PT12H", keep);
    struct list list = {.out = &reply->body};
    rc = snapshots_make(snapshots, name, &duration, error);
    if (rc == ERR_BUSY) /* the server is well: it makes one at a time */
        rc = ERR_QUOTA;
    if (!rc)
        rc = snapshots_list(snapshots, name, put_row, &list, error);
    if (rc)
        return rc;
    log_event(LOG_INFO, "snapshot_made", "name=%s by=\"%s\"", name, request->principal.name);
    buf_putc(list.out, '\n');
    reply_header(reply, "Cache-Control", "no-store");
    reply->status = 201;
    reply->type = "application/json";
    return 0;
}

/* By the path, or by the parameter `name`. */
int h_snapshots_drop(struct request *request, struct reply *reply, struct err_text *error)
{
    const char *name = *request->id ? request->id : NULL;
    int rc = name ? 0 : parameters_one(&request->parameters, "name", &name, error);
    if (rc)
        return rc;
    if (!name)
        return err_set_field(error, ERR_INVALID, "name", "\"name\" is missing: DELETE /v1/snapshots/NAME");
    if ((rc = snapshots_drop(request->opts->snapshots, name, error)))
        return rc;
    log_event(LOG_INFO, "snapshot_dropped", "name=%s by=\"%s\"", name, request->principal.name);
    reply->status = 204;
    return 0;
}
