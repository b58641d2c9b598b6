/* GET /v1/entities and /v1/entities/{id}: what readings are about. Entities that a sensor names, and those that have readings
 * only. */
#include <config.h>

#include "http/handlers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/jsontext.h"
#include "http/filter.h"
#include "http/pilot.h"
#include "http/render.h"

/* ---- what answers look like ---- */

#define DURATION "\"PT15M\""

static const struct shape sensor_shape = {
    .fields = FIELDS(FIELD("id", FORM_TEXT, false, "\"s-1\""), FIELD("type", FORM_TEXT, false, "\"HeatPump\""),
                     FIELD("name", FORM_TEXT, false, "\"s-1\""), FIELD("board", FORM_TEXT, true, "\"b-1\""),
                     FIELD("location", FORM_TEXT, true, "\"l-1\""), FIELD("customer", FORM_TEXT, true, "\"c-1\""),
                     FIELD("static", FORM_OBJECT, false, "{\"coefficientOfPerformance\":3.2}"))};
static const struct shape change_shape = {
    .fields = FIELDS(FIELD("time", FORM_TIME, false, NULL), FIELD("end", FORM_NUMBER, false, "48231000"),
                     FIELD("start", FORM_NUMBER, false, "0"))};
static const struct shape series_shape = {
    .fields = FIELDS(FIELD("id", FORM_WHOLE, false, "7"), FIELD("property", FORM_TEXT, false, "\"activePower\""),
                     FIELD("unit", FORM_TEXT, false, "\"W\""), FIELD("kind", FORM_TEXT, false, "\"gauge\""),
                     FIELD("step", FORM_BOOLEAN, false, NULL), FIELD("cadence", FORM_TEXT, true, DURATION),
                     FIELD("maxGap", FORM_TEXT, true, DURATION), FIELD("registerSize", FORM_NUMBER, true, "100000000"),
                     FIELD("epsilon", FORM_NUMBER, true, "1"), SHAPE_LIST("meterChanges", &change_shape))};
#define ENTITY FIELD("entity", FORM_TEXT, false, "\"p2-hp-1\""), FIELD("type", FORM_TEXT, true, "\"HeatPump\""), \
    SHAPE_LIST("sensors", &sensor_shape)
static const struct shape listed_shape = {.fields = FIELDS(ENTITY)};
const struct shape entities_shape = {
    .fields = FIELDS(SHAPE_LIST("entities", &listed_shape), FIELD("next", FORM_TEXT, true, "null"))};
const struct shape entity_shape = {.fields = FIELDS(ENTITY, SHAPE_LIST("series", &series_shape))};

/* ---- finding them ---- */

/* An entity by name; the type is that of its readings, "" without any. */
struct entity {
    char *name;
    char type[LIMIT_NAME_BYTES + 1];
    bool fits; /* its type, or that of a sensor, is asked for */
};

struct entities {
    struct stream stream;
    struct reader_dir *dir;
    struct filter filter;
    struct entity *rows; /* by name */
    size_t n, cap, next;
    int64_t left;        /* rows that may still be given; -1 all */
    bool started;
    const char *last;    /* the name given last */
};

/* ---- one entity as JSON ---- */

struct sensors {
    struct reader_dir *dir;
    struct buf *out;
    struct err_text *error;
    size_t n;
};

/* Appends the id of a parent, and goes up from there: board, location, customer. */
static int put_parents(struct sensors *sensors, const struct asset *sensor)
{
    static const struct {
        const char *kind, *name;
    } levels[] = {{"MainDistributionBoard", "board"}, {"Location", "location"}, {"Customer", "customer"}};
    struct pilot_asset at = {.asset = *sensor};
    int rc = 1;
    for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
        bool known = rc > 0 && *at.asset.parent;
        buf_printf(sensors->out, ",\"%s\":", levels[i].name);
        if (known)
            jsontext_put(sensors->out, at.asset.parent);
        else
            buf_puts(sensors->out, "null");
        struct pilot_asset parent = {0};
        rc = known ? pilot_find(sensors->dir, levels[i].kind, at.asset.parent, &parent, sensors->error) : 0;
        pilot_free(&at);
        at = parent;
        if (rc < 0)
            break;
    }
    pilot_free(&at);
    return rc < 0 ? rc : 0;
}

static int put_sensor(void *arg, const struct asset *asset)
{
    struct sensors *sensors = arg;
    size_t size = 0;
    const char *facts = pilot_member(asset->document, strlen(asset->document), "static", &size);
    buf_puts(sensors->out, sensors->n++ ? ",\n{\"id\":" : "{\"id\":");
    jsontext_put(sensors->out, asset->id);
    jsontext_put_member(sensors->out, "type", asset->type);
    buf_puts(sensors->out, ",\"name\":");
    pilot_put_name(sensors->out, asset);
    int rc = put_parents(sensors, asset);
    buf_puts(sensors->out, ",\"static\":");
    if (facts)
        buf_put(sensors->out, facts, size);
    else
        buf_puts(sensors->out, "{}");
    buf_putc(sensors->out, '}');
    return rc;
}

/* Without the closing brace. */
static int put_entity(struct reader_dir *dir, const struct entity *entity, struct buf *out, struct err_text *error)
{
    struct sensors sensors = {.dir = dir, .out = out, .error = error};
    buf_puts(out, "{\"entity\":");
    jsontext_put(out, entity->name);
    buf_puts(out, ",\"type\":");
    if (*entity->type)
        jsontext_put(out, entity->type);
    else
        buf_puts(out, "null");
    buf_puts(out, ",\"sensors\":[");
    int rc = assets_each(dir, &(struct asset_filter){.kind = "Sensor", .entity = entity->name}, put_sensor, &sensors, error);
    buf_putc(out, ']');
    return rc;
}

/* ---- all of them ---- */

static bool is_listed(const struct texts_list *list, const char *text)
{
    for (size_t i = 0; i < list->n; i++)
        if (reader_glob(list->rows[i], text))
            return true;
    return !list->n;
}

static int add(struct entities *entities, const char *name, const char *type, bool fits)
{
    int rc = array_grow(&entities->rows, &entities->cap, entities->n + 1, sizeof(*entities->rows));
    if (rc)
        return rc;
    struct entity *row = &entities->rows[entities->n];
    *row = (struct entity){.name = strdup(name), .fits = fits};
    if (!row->name)
        return ERR_NOMEM;
    snprintf(row->type, sizeof(row->type), "%s", type);
    entities->n++;
    return 0;
}

/* Most series follow others of their entity. */
static int take_series(void *arg, const struct series_info *info)
{
    struct entities *entities = arg;
    if (entities->n && !strcmp(entities->rows[entities->n - 1].name, info->entity))
        return 0;
    return add(entities, info->entity, info->type, is_listed(&entities->filter.types, info->type));
}

static int take_sensor(void *arg, const struct asset *asset)
{
    struct entities *entities = arg;
    if (!*asset->entity || !is_listed(&entities->filter.entities, asset->entity))
        return 0;
    return add(entities, asset->entity, "", is_listed(&entities->filter.types, asset->type));
}

static int compare(const void *a, const void *b)
{
    const struct entity *left = a, *right = b;
    return strcmp(left->name, right->name);
}

/* Sorts them, and makes those of one name one. */
static void merge(struct entities *entities)
{
    size_t n = 0;
    if (entities->n)
        qsort(entities->rows, entities->n, sizeof(*entities->rows), compare);
    for (size_t i = 0; i < entities->n; i++) {
        struct entity *row = &entities->rows[i], *last = n ? &entities->rows[n - 1] : NULL;
        if (!last || strcmp(last->name, row->name)) {
            entities->rows[n++] = *row;
            continue;
        }
        last->fits = last->fits || row->fits;
        if (!*last->type)
            memcpy(last->type, row->type, sizeof(last->type));
        free(row->name);
    }
    entities->n = n;
}

/* Finds those that the filter means. */
static int collect(struct entities *entities, struct err_text *error)
{
    struct texts_list *list = &entities->filter.entities;
    struct series_filter filter = {.entities = list->rows, .n_entities = list->n};
    int rc = reader_series(entities->dir, &filter, take_series, entities);
    if (rc)
        return err_set(error, rc, "the catalog could not be read: %s", err_name(rc));
    rc = assets_each(entities->dir, &(struct asset_filter){.kind = "Sensor"}, take_sensor, entities, error);
    if (!rc)
        merge(entities);
    return rc;
}

static int fill_entities(struct stream *stream, struct buf *out, struct err_text *error)
{
    struct entities *entities = (struct entities *)stream;
    while (entities->next < entities->n && out->n < STREAM_BYTES) {
        const struct entity *row = &entities->rows[entities->next];
        if (row->fits && !entities->left)
            break;
        entities->next++;
        if (!row->fits)
            continue;
        buf_puts(out, entities->started ? ",\n" : "{\"entities\":[\n");
        int rc = put_entity(entities->dir, row, out, error);
        if (rc)
            return rc;
        buf_putc(out, '}');
        entities->started = true;
        entities->last = row->name;
        entities->left -= entities->left > 0;
    }
    if (entities->next < entities->n && entities->left)
        return 1;
    buf_puts(out, entities->started ? "\n],\"next\":" : "{\"entities\":[],\"next\":");
    if (entities->next < entities->n)
        jsontext_put(out, entities->last);
    else
        buf_puts(out, "null");
    buf_puts(out, "}\n");
    return 0;
}

static void close_entities(struct stream *stream)
{
    struct entities *entities = (struct entities *)stream;
    for (size_t i = 0; i < entities->n; i++)
        free(entities->rows[i].name);
    free(entities->rows);
    filter_free(&entities->filter);
    free(entities);
}

static int parse_paging(struct entities *entities, struct err_text *error)
{
    const char *limit, *cursor;
    uint64_t number;
    int rc = parameters_one(&entities->filter.parameters, "limit", &limit, error);
    rc = rc ? rc : parameters_one(&entities->filter.parameters, "cursor", &cursor, error);
    if (rc)
        return rc;
    entities->left = -1;
    if (limit && filter_number(limit, INT32_MAX, &number))
        return err_set_field(error, ERR_INVALID, "limit", "\"%.40s\" is no limit: give a whole number from 1", limit);
    if (limit)
        entities->left = (int64_t)number;
    while (cursor && entities->next < entities->n && strcmp(entities->rows[entities->next].name, cursor) <= 0)
        entities->next++;
    return 0;
}

static struct entities *new_entities(struct request *request)
{
    struct entities *entities = calloc(1, sizeof(*entities));
    if (!entities)
        return NULL;
    entities->stream = (struct stream){.fill = fill_entities, .close = close_entities};
    entities->dir = request->dir;
    return entities;
}

int h_entities_list(struct request *request, struct reply *reply, struct err_text *error)
{
    struct entities *entities = new_entities(request);
    if (!entities)
        return ERR_NOMEM;
    int rc = filter_init(&entities->filter, &request->parameters, error);
    rc = rc ? rc : collect(entities, error);
    rc = rc ? rc : parse_paging(entities, error);
    if (rc) {
        close_entities(&entities->stream);
        return rc;
    }
    reply_header(reply, "Cache-Control", "private, no-cache");
    return reply_stream(reply, "application/json", &entities->stream, error);
}

/* ---- one ---- */

static void put_duration(struct buf *out, const char *name, int64_t us)
{
    char text[CIVIL_TEXT_MAX];
    buf_printf(out, ",\"%s\":", name);
    if (us)
        buf_printf(out, "\"%.*s\"", (int)civil_print_duration(text, &(struct duration){.us = us}), text);
    else
        buf_puts(out, "null");
}

static void put_decimal(struct buf *out, const char *name, struct decimal value, bool is_given)
{
    buf_printf(out, ",\"%s\":", name);
    if (is_given)
        render_number(&(struct value){.type = VALUE_DECIMAL, .decimal = value}, out);
    else
        buf_puts(out, "null");
}

static void put_changes(struct buf *out, const struct declared *declared)
{
    buf_puts(out, ",\"meterChanges\":[");
    for (size_t i = 0; i < declared->n_changes; i++) {
        buf_puts(out, i ? ",{\"time\":" : "{\"time\":");
        jsontext_put_time(out, declared->changes[i].t_us);
        put_decimal(out, "end", declared->changes[i].end, true);
        put_decimal(out, "start", declared->changes[i].start, true);
        buf_putc(out, '}');
    }
    buf_putc(out, ']');
}

struct series_list {
    const char *entity;
    struct buf *out;
    size_t n;
};

/* What is declared of a series, and what it is. */
static int put_series(void *arg, const struct series_info *info)
{
    static const struct declared nothing;
    struct series_list *list = arg;
    const struct declared *declared = info->declared ? info->declared : &nothing;
    if (strcmp(info->entity, list->entity))
        return 0;
    buf_printf(list->out, "%s{\"id\":%" PRIu32, list->n++ ? ",\n" : "", info->id);
    jsontext_put_member(list->out, "property", info->property);
    jsontext_put_member(list->out, "unit", info->unit);
    jsontext_put_member(list->out, "kind", kind_name(info->kind));
    buf_printf(list->out, ",\"step\":%s", info->step ? "true" : "false");
    put_duration(list->out, "cadence", info->cadence_us);
    put_duration(list->out, "maxGap", declared->max_gap_us);
    put_decimal(list->out, "registerSize", declared->register_size, declared->register_size.m);
    put_decimal(list->out, "epsilon", declared->epsilon, declared->epsilon.m);
    put_changes(list->out, declared);
    buf_putc(list->out, '}');
    return 0;
}

static int answer_one(struct entities *entities, const char *name, struct buf *out, struct err_text *error)
{
    struct series_list list = {.entity = name, .out = out};
    size_t i = 0;
    while (i < entities->n && strcmp(entities->rows[i].name, name))
        i++;
    if (i == entities->n)
        return err_set(error, ERR_NOTFOUND, "there is no entity \"%.128s\": /v1/entities lists them", name);
    int rc = put_entity(entities->dir, &entities->rows[i], out, error);
    if (rc)
        return rc;
    buf_puts(out, ",\"series\":[");
    rc = reader_series(entities->dir, &(struct series_filter){.entities = &name, .n_entities = 1}, put_series, &list);
    buf_puts(out, "]}\n");
    return rc ? err_set(error, rc, "the catalog could not be read: %s", err_name(rc)) : 0;
}

int h_entities_one(struct request *request, struct reply *reply, struct err_text *error)
{
    struct entities *entities = new_entities(request);
    const char *name = request->id;
    if (!entities)
        return ERR_NOMEM;
    /* as a filter it may mean more */
    entities->filter.entities = (struct texts_list){.rows = &name, .n = 1};
    int rc = collect(entities, error);
    rc = rc ? rc : answer_one(entities, name, &reply->body, error);
    entities->filter.entities = (struct texts_list){0};
    close_entities(&entities->stream);
    if (rc)
        return rc;
    reply_json(reply);
    return 0;
}
