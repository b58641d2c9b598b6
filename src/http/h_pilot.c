/* The lists and the static objects of the Pilot 2 API: what is known of customers, locations, boards and sensors. */
#include <config.h>

#include "http/handlers.h"

#include <string.h>

#include "common/jsontext.h"
#include "http/pilot.h"

/* What D4.1 calls the "main" board or district heating, where the path leaves the id out: the first one by id. */
#define FIRST "the first one by id"

/* ---- lists ---- */

struct list {
    struct reader_dir *dir;
    const struct shape *shape;
    struct buf *out;
    struct err_text *error;
    size_t n;
};

static int put_row(void *arg, const struct asset *asset)
{
    struct list *list = arg;
    buf_puts(list->out, list->n++ ? ",\n" : "");
    pilot_put_object(list->out, list->shape, asset, asset->document, strlen(asset->document));
    return 0;
}

static int put_children(struct list *list, const char *kind, const char *parent_kind, const char *parent)
{
    struct asset_filter filter = {.kind = kind, .parent_kind = parent_kind, .parent = parent};
    return assets_each(list->dir, &filter, put_row, list, list->error);
}

static int put_sensors(void *arg, const struct asset *board)
{
    return put_children(arg, "Sensor", "MainDistributionBoard", board->id);
}

static void begin_list(struct request *request, const struct shape *shape, struct reply *reply, struct err_text *error,
                       struct list *ret_list)
{
    *ret_list = (struct list){.dir = request->dir, .shape = shape, .out = &reply->body, .error = error};
    buf_putc(ret_list->out, '[');
}

static int end_reply(struct reply *reply, const char *end)
{
    buf_puts(&reply->body, end);
    reply_json(reply);
    return 0;
}

static int refuse(struct err_text *error, const char *what, const char *id, const char *where)
{
    return err_set(error, ERR_NOTFOUND, "there is no %s \"%.128s\": %s", what, id, where);
}

/* 0 when there is an asset of that kind and id. */
static int check(struct request *request, const char *kind, struct err_text *error)
{
    struct pilot_asset asset;
    int rc = pilot_find(request->dir, kind, request->id, &asset, error);
    pilot_free(&asset);
    if (rc)
        return rc < 0 ? rc : 0;
    return refuse(error, kind, request->id, "assets come by topic \"assets\" or by `almanac import assets`");
}

/* The children of the asset that the path names. */
static int answer_children(struct request *request, const char *kind, const char *parent_kind, const struct shape *shape,
                           struct reply *reply, struct err_text *error)
{
    struct list list;
    int rc = check(request, parent_kind, error);
    if (rc)
        return rc;
    begin_list(request, shape, reply, error, &list);
    rc = put_children(&list, kind, parent_kind, request->id);
    return rc ? rc : end_reply(reply, "]\n");
}

int h_pilot_customers(struct request *request, struct reply *reply, struct err_text *error)
{
    struct list list;
    begin_list(request, &pilot_names, reply, error, &list);
    int rc = put_children(&list, "Customer", NULL, NULL);
    return rc ? rc : end_reply(reply, "]\n");
}

int h_pilot_locations(struct request *request, struct reply *reply, struct err_text *error)
{
    return answer_children(request, "Location", "Customer", &pilot_names, reply, error);
}

int h_pilot_boards(struct request *request, struct reply *reply, struct err_text *error)
{
    return answer_children(request, "MainDistributionBoard", "Location", &pilot_boards, reply, error);
}

int h_pilot_board_sensors(struct request *request, struct reply *reply, struct err_text *error)
{
    return answer_children(request, "Sensor", "MainDistributionBoard", &pilot_sensors, reply, error);
}

int h_pilot_location_sensors(struct request *request, struct reply *reply, struct err_text *error)
{
    struct list list;
    int rc = check(request, "Location", error);
    if (rc)
        return rc;
    begin_list(request, &pilot_sensors, reply, error, &list);
    struct asset_filter boards = {.kind = "MainDistributionBoard", .parent_kind = "Location", .parent = request->id};
    rc = assets_each(request->dir, &boards, put_sensors, &list, error);
    return rc ? rc : end_reply(reply, "]\n");
}

/* ---- rates ---- */

/* Those of the board or sensor that the path names, or of the main one. */
static int answer_rates(struct request *request, const struct pilot_asset *of, const struct shape *shape, struct reply *reply,
                        struct err_text *error)
{
    struct list list;
    begin_list(request, shape, reply, error, &list);
    int rc = put_children(&list, "Rate", of->asset.kind, of->asset.id);
    return rc ? rc : end_reply(reply, "]\n");
}

int h_pilot_board_rates(struct request *request, struct reply *reply, struct err_text *error)
{
    struct pilot_asset board;
    struct reader_dir *dir = request->dir;
    int rc = *request->id ? pilot_find(dir, "MainDistributionBoard", request->id, &board, error)
                          : pilot_first(dir, "MainDistributionBoard", NULL, &board, error);
    if (!rc)
        rc = refuse(error, "MainDistributionBoard", request->id, "without an id these are the rates of " FIRST);
    else if (rc > 0)
        rc = answer_rates(request, &board, &pilot_rates, reply, error);
    pilot_free(&board);
    return rc;
}

int h_pilot_heating_rates(struct request *request, struct reply *reply, struct err_text *error)
{
    struct pilot_asset sensor;
    struct reader_dir *dir = request->dir;
    int rc = *request->id ? pilot_find(dir, "Sensor", request->id, &sensor, error)
                          : pilot_first(dir, "Sensor", "DistrictHeating", &sensor, error);
    if (!rc)
        rc = refuse(error, "Sensor", request->id, "without an id these are the rates of " FIRST " of type DistrictHeating");
    else if (rc > 0 && strcmp(sensor.asset.type, "DistrictHeating"))
        rc = err_set(error, ERR_NOTFOUND, "the Sensor \"%.128s\" is of type %.64s, not DistrictHeating", request->id,
                     sensor.asset.type);
    else if (rc > 0)
        rc = answer_rates(request, &sensor, &pilot_heating_rates, reply, error);
    pilot_free(&sensor);
    return rc;
}

/* ---- sensors ---- */

int h_pilot_static(struct request *request, struct reply *reply, struct err_text *error)
{
    struct pilot_asset sensor;
    const struct pilot_object *object;
    int rc = pilot_take_sensor(request, &object, &sensor, error);
    if (rc)
        return rc;
    size_t size = 0;
    const char *facts = pilot_member(sensor.asset.document, strlen(sensor.asset.document), "static", &size);
    pilot_put_object(&reply->body, object->shape, &sensor.asset, facts, size);
    pilot_free(&sensor);
    return end_reply(reply, "\n");
}
