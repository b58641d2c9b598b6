/* The lists and the static objects of the Pilot 2 API: what is known of customers, locations, boards and sensors. */
#include <config.h>

#include "http/handlers.h"

#include <jansson.h>
#include <string.h>

#include "common/jsontext.h"
#include "http/personal.h"
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
    json_t *names; /* of customers and locations; NULL none */
};

static int put_row(void *arg, const struct asset *asset)
{
    struct list *list = arg;
    buf_puts(list->out, list->n++ ? ",\n" : "");
    pilot_put_object(list->out, list->shape, asset, (struct pilot_body){asset->document, strlen(asset->document), list->names});
    return 0;
}

static int put_children(struct list *list, const char *kind, const char *parent_kind, const char *parent)
{
    struct asset_filter filter = {.kind = kind, .parent_kind = parent_kind, .parent = parent};
    return assets_each(list->dir, &filter, put_row, list, list->error);
}

/* ---- names ---- */

#define NAMES_ASKED 1000 /* ids in one question */

static bool may_see_names(const struct request *request)
{
    return request->opts->vault && request->principal.grants.scopes & SCOPE_PERSONAL_READ;
}

struct names {
    const struct request *request;
    json_t *ids, *found;
};

/* What the vault does not tell, for whatever reason, is left to the pseudonym; what it tells is written down there. */
static int ask_names(struct names *names)
{
    const struct vault_door *vault = names->request->opts->vault;
    struct err_text ignored = {0};
    json_t *answer = NULL;
    json_t *question = json_pack("{s:s, s:s, s:s, s:s, s:O}", "do", "names", "actor", names->request->principal.name,
                                 "purpose", "display", "field", "name", "subjects", names->ids);
    int rc = question ? personal_limit(names->request, SCOPE_PERSONAL_READ, question) : ERR_NOMEM;
    if (rc) {
        json_decref(question);
        return rc;
    }
    rc = vault->ask(vault->arg, question, &answer, &ignored);
    if (rc == 0)
        json_object_update(names->found, json_object_get(answer, "names"));
    json_decref(answer);
    json_array_clear(names->ids);
    return rc == ERR_NOMEM ? rc : 0;
}

static int note_id(void *arg, const struct asset *asset)
{
    struct names *names = arg;
    json_array_append_new(names->ids, json_string(asset->id));
    return json_array_size(names->ids) == NAMES_ASKED ? ask_names(names) : 0;
}

/* The names of what the filter means, for the caller to release; NULL where the caller may not see them. */
static int find_names(struct request *request, const struct asset_filter *filter, json_t **ret_names, struct err_text *error)
{
    struct names names = {.request = request};
    *ret_names = NULL;
    if (!may_see_names(request))
        return 0;
    names.ids = json_array();
    names.found = json_object();
    int rc = names.ids && names.found ? assets_each(request->dir, filter, note_id, &names, error) : ERR_NOMEM;
    if (rc == 0 && json_array_size(names.ids) > 0)
        rc = ask_names(&names);
    json_decref(names.ids);
    if (rc == 0)
        *ret_names = names.found;
    else
        json_decref(names.found);
    return rc;
}

/* Whether to come again in a worker, since the vault takes a while. */
static bool defer_for_names(struct request *request)
{
    request->is_deferred = request->may_defer && may_see_names(request);
    return request->is_deferred;
}

/* Answers with personal names: nobody on the way may keep them. */
static int end_named(struct list *list, struct reply *reply)
{
    buf_puts(&reply->body, "]\n");
    if (list->names)
        reply_header(reply, "Cache-Control", "no-store");
    else
        reply_header(reply, "Cache-Control", "private, no-cache");
    reply->status = 200;
    reply->type = "application/json";
    json_decref(list->names);
    return 0;
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

/* Those that the filter means, each with its name. */
static int answer_named(struct request *request, const struct asset_filter *filter, struct reply *reply, struct err_text *error)
{
    struct list list;
    if (defer_for_names(request))
        return 0;
    begin_list(request, &pilot_names, reply, error, &list);
    int rc = find_names(request, filter, &list.names, error);
    rc = rc ? rc : assets_each(list.dir, filter, put_row, &list, error);
    if (!rc)
        return end_named(&list, reply);
    json_decref(list.names);
    return rc;
}

int h_pilot_customers(struct request *request, struct reply *reply, struct err_text *error)
{
    return answer_named(request, &(struct asset_filter){.kind = "Customer"}, reply, error);
}

int h_pilot_locations(struct request *request, struct reply *reply, struct err_text *error)
{
    struct asset_filter filter = {.kind = "Location", .parent_kind = "Customer", .parent = request->id};
    int rc = check(request, "Customer", error);
    return rc ? rc : answer_named(request, &filter, reply, error);
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
    pilot_put_object(&reply->body, object->shape, &sensor.asset, (struct pilot_body){facts, size, NULL});
    pilot_free(&sensor);
    return end_reply(reply, "\n");
}
