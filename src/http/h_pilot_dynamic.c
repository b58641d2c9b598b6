/* The dynamic objects of the Pilot 2 API: what a sensor's entity measured. Values come from the range query, as /v1/range has
 * them; only buckets with data are told. */
#include <config.h>

#include "http/handlers.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/jsontext.h"
#include "http/pilot.h"
#include "http/render.h"
#include "query/newest.h"

#define FIELDS_MAX 5

/* Where a field comes from: the first of its rows of which the entity has a series. Lists are of buckets; others are the newest
 * value before `to`. */
static const struct source {
    const char *field, *property;
    enum agg agg;
    bool is_within; /* what lies before `from` does not count */
} sources[] = {
    {"energy", "energy", AGG_SUM, false},
    {"energy", "totalYield", AGG_INCREASE, false},
    {"energy", "activeEnergyImport", AGG_INCREASE, false},
    {"power", "activePower", AGG_MEAN, false},
    {"power", "chargingPower", AGG_MEAN, false},
    {"calorimeterEnergy", "calorimeterEnergy", AGG_LAST, false},
    {"heatStorageTemperature", "temperature", AGG_MEAN, false},
    {"currentConsumption", "consumption", AGG_SUM, false},
    {"pricePerkWh", "price", AGG_LAST, false},
    {"expectedChargingEndTime", "expectedChargingEndTime", AGG_LAST, false}, /* in no model: a state that a site may add */
    {"dateTime", "temperature", AGG_LAST, true},
    {"dateTime", "zoneTemperature", AGG_LAST, true},
    {"dateTime", "indoorTemperature", AGG_LAST, true},
    {"value", "temperature", AGG_LAST, true},
    {"value", "zoneTemperature", AGG_LAST, true},
    {"value", "indoorTemperature", AGG_LAST, true},
};

/* A field of the answer: of a list its buckets, of others the newest value. Without a series there is neither. */
struct part {
    struct range range;
    bool parsed, has_newest;
    struct answer *answer;
    enum kind kind;
    struct newest newest;
};

struct dynamic {
    struct stream stream;
    struct view *view;
    struct pilot_asset sensor;
    const struct shape *shape;
    int64_t now_us;    /* what relative times refer to */
    struct range span; /* from, to and step alone */
    bool spanned;
    struct part parts[FIELDS_MAX]; /* one a field of the shape */
    size_t at;         /* the field that has its turn */
    bool begun;        /* its name stands there */
    size_t n_rows;     /* of it */
};

/* ---- rendering ---- */

static void put_newest(const struct part *part, enum shape_form form, struct buf *out)
{
    int64_t t_us = part->newest.t_us;
    if (!part->has_newest)
        buf_puts(out, "null");
    else if (form == FORM_NUMBER)
        render_number(&(struct value){.type = VALUE_DECIMAL, .decimal = part->newest.value}, out);
    else if (part->kind == KIND_STATE && civil_parse_rfc3339(part->newest.state, strlen(part->newest.state), &t_us))
        buf_puts(out, "null");
    else
        pilot_put_time(out, t_us);
}

/* A bucket is told by what of it lies in the range. */
static void put_row(struct dynamic *dynamic, const struct shape *shape, const struct row *row, struct buf *out)
{
    const struct part *part = &dynamic->parts[dynamic->at];
    const struct range *range = &part->range;
    int64_t end_us = grid_next_us(&range->grid, row->t_us);
    buf_puts(out, dynamic->n_rows++ ? ",\n" : "\n");
    for (const struct shape_field *field = shape->fields; field->name; field++) {
        buf_printf(out, "%s\"%s\":", field == shape->fields ? "{" : ",", field->name);
        if (!strcmp(field->name, "value"))
            render_number(&row->values[0], out);
        else if (!strcmp(field->name, "end"))
            pilot_put_time(out, end_us < range->to_us ? end_us : range->to_us);
        else if (!strcmp(field->name, "start"))
            pilot_put_time(out, row->t_us > range->from_us ? row->t_us : range->from_us);
        else
            pilot_put_time(out, row->t_us);
    }
    buf_putc(out, '}');
}

/* Some rows of the list that has its turn: 1 there may be more, 0, or a code. */
static int put_rows(struct dynamic *dynamic, const struct shape *shape, struct buf *out, struct err_text *error)
{
    struct part *part = &dynamic->parts[dynamic->at];
    struct row row;
    int rc = part->answer != NULL;
    while (rc > 0 && out->n < STREAM_BYTES && !out->failed && (rc = answer_next_row(part->answer, &row)) > 0)
        if (row.values[0].type != VALUE_NULL)
            put_row(dynamic, shape, &row, out);
    return rc < 0 ? err_set(error, rc, "the answer cannot go on: %s", err_name(rc)) : rc;
}

static int put_field(struct dynamic *dynamic, const struct shape_field *field, struct buf *out, struct err_text *error)
{
    if (!dynamic->begun) {
        buf_printf(out, "%s\"%s\":%s", dynamic->at ? ",\n" : "{", field->name, field->form == FORM_LIST ? "[" : "");
        dynamic->begun = true;
        dynamic->n_rows = 0;
    }
    if (field->form == FORM_LIST) {
        int rc = put_rows(dynamic, field->of, out, error);
        if (rc)
            return rc;
        buf_putc(out, ']');
    } else if (!strcmp(field->name, "id")) {
        jsontext_put(out, dynamic->sensor.asset.id);
    } else {
        put_newest(&dynamic->parts[dynamic->at], field->form, out);
    }
    dynamic->begun = false;
    dynamic->at++;
    return 1;
}

static int fill_dynamic(struct stream *stream, struct buf *out, struct err_text *error)
{
    struct dynamic *dynamic = (struct dynamic *)stream;
    const struct shape_field *field;
    int rc = 1;
    while ((field = &dynamic->shape->fields[dynamic->at])->name && rc > 0 && out->n < STREAM_BYTES && !out->failed)
        rc = put_field(dynamic, field, out, error);
    if (rc <= 0 || field->name)
        return rc;
    buf_puts(out, "}\n");
    return 0;
}

static void close_dynamic(struct stream *stream)
{
    struct dynamic *dynamic = (struct dynamic *)stream;
    for (size_t i = 0; i < FIELDS_MAX; i++) {
        answer_close(dynamic->parts[i].answer);
        if (dynamic->parts[i].parsed)
            range_free(&dynamic->parts[i].range);
    }
    if (dynamic->spanned)
        range_free(&dynamic->span);
    view_close(dynamic->view);
    pilot_free(&dynamic->sensor);
    free(dynamic);
}

/* ---- opening ---- */

struct found {
    uint32_t id;
    enum kind kind;
};

static int take_series(void *arg, const struct series_info *info)
{
    *(struct found *)arg = (struct found){info->id, info->kind};
    return 1;
}

/* The source of a field: 1, 0 the entity has none, or a code. */
static int find_source(struct reader_dir *dir, const char *entity, const char *field, const struct source **ret_source,
                       struct found *ret_found)
{
    for (size_t i = 0; i < sizeof(sources) / sizeof(*sources) && *entity; i++) {
        struct series_filter filter = {.entities = &entity, .n_entities = 1,
                                       .properties = &sources[i].property, .n_properties = 1};
        int rc = strcmp(sources[i].field, field) ? 0 : reader_series(dir, &filter, take_series, ret_found);
        if (rc)
            *ret_source = &sources[i];
        if (rc)
            return rc;
    }
    return 0;
}

static int open_newest(struct dynamic *dynamic, struct part *part, const struct source *source, const struct found *found,
                       struct err_text *error)
{
    struct series_stats stats;
    int rc = view_stats(dynamic->view, found->id, &stats);
    if (!rc)
        rc = newest_find(dynamic->view, found->id, &stats, dynamic->span.to_us, &part->newest);
    if (rc == ERR_EXPIRED)
        return err_set_field(error, rc, "to", "readings of \"%s\" of \"%.128s\" are not kept so far back: ask for a later time",
                             source->property, dynamic->sensor.asset.entity);
    if (rc < 0)
        return err_set(error, rc, "\"%s\" of \"%.128s\" could not be read: %s", source->property, dynamic->sensor.asset.entity,
                       err_name(rc));
    part->has_newest = rc && (!source->is_within || part->newest.t_us >= dynamic->span.from_us);
    return 0;
}

/* The texts of from, to and step, the last ones given by the request or their defaults. */
static int read_span(const struct request *request, struct parameter ret_given[static 3], struct err_text *error)
{
    static const struct parameter standard[] = {{"from", "-P1D"}, {"to", "now"}, {"step", "PT15M"}};
    for (size_t i = 0; i < 3; i++) {
        ret_given[i] = standard[i];
        const char *text;
        int rc = parameters_one(&request->parameters, standard[i].name, &text, error);
        if (rc)
            return rc;
        ret_given[i].value = text ? text : standard[i].value;
    }
    const char *step = ret_given[2].value;
    if (strcmp(step, "raw") && strcmp(step, "auto"))
        return 0;
    return err_set_field(error, ERR_INVALID, "step", "\"%s\" is no step here: give a duration such as PT15M, or ask /v1/range",
                         step);
}

static int open_buckets(struct reader_dir *dir, struct dynamic *dynamic, struct part *part, const struct parameter *question,
                        struct err_text *error)
{
    const struct series_info *info;
    const enum agg *aggs;
    size_t n_aggs;
    int rc = range_parse(question, 7, dynamic->now_us, &part->range, error);
    if (rc)
        return rc;
    part->parsed = true;
    rc = answer_open(dir, dynamic->view, &part->range, &part->answer, error);
    if (!rc && (rc = answer_next_series(part->answer, &info, &aggs, &n_aggs)) < 0)
        err_set(error, rc, "the answer cannot begin: %s", err_name(rc));
    return rc < 0 ? rc : 0;
}

static int open_parts(struct reader_dir *dir, struct dynamic *dynamic, const struct parameter given[static 3],
                      struct err_text *error)
{
    const char *entity = dynamic->sensor.asset.entity;
    const struct shape_field *field = dynamic->shape->fields;
    for (size_t i = 0; field[i].name; i++) {
        const struct source *source;
        struct found found;
        struct part *part = &dynamic->parts[i];
        int rc = find_source(dir, entity, field[i].name, &source, &found);
        if (rc < 0)
            return err_set(error, rc, "the catalog could not be read: %s", err_name(rc));
        if (!rc)
            continue;
        const struct parameter question[] = {given[0], given[1], given[2], {"entity", entity}, {"property", source->property},
                                             {"agg", agg_name[source->agg]}, {"fill", "none"}};
        part->kind = found.kind;
        rc = field[i].form == FORM_LIST ? open_buckets(dir, dynamic, part, question, error)
                                        : open_newest(dynamic, part, source, &found, error);
        if (rc)
            return rc;
    }
    return 0;
}

static int open_dynamic(struct request *request, struct dynamic *dynamic, struct err_text *error)
{
    const struct pilot_object *object;
    struct parameter given[3];
    int rc = pilot_take_sensor(request, &object, &dynamic->sensor, error);
    if (rc)
        return rc;
    dynamic->shape = object->shape;
    dynamic->now_us = clock_wall_us();
    if ((rc = read_span(request, given, error)) || (rc = range_parse(given, 3, dynamic->now_us, &dynamic->span, error)))
        return rc;
    dynamic->spanned = true;
    rc = quota_check_span(reader_dir_quota(request->dir), dynamic->span.from_us, dynamic->span.to_us, "from");
    rc = rc ? rc : view_open(request->dir, &dynamic->view, error);
    return rc ? rc : open_parts(request->dir, dynamic, given, error);
}

static void put_headers(const struct dynamic *dynamic, struct reply *reply)
{
    char from[CIVIL_TEXT_MAX], to[CIVIL_TEXT_MAX];
    const char *tiers = NULL;
    size_t from_size = civil_print_rfc3339(from, dynamic->span.from_us, 0, true);
    size_t to_size = civil_print_rfc3339(to, dynamic->span.to_us, 0, true);
    reply_header(reply, "Almanac-Range", "%.*s/%.*s", (int)from_size, from, (int)to_size, to);
    for (size_t i = 0; i < FIELDS_MAX; i++) { /* one step, so one tier, if any */
        const char *own = dynamic->parts[i].answer ? answer_tiers(dynamic->parts[i].answer) : "";
        tiers = !tiers || strlen(own) > strlen(tiers) ? own : tiers;
    }
    reply_header(reply, "Almanac-Tiers", "%s", *tiers ? tiers : "raw");
    reply_header(reply, "Cache-Control", "private, no-cache");
    reply_view(reply, dynamic->view);
}

int h_pilot_dynamic(struct request *request, struct reply *reply, struct err_text *error)
{
    struct dynamic *dynamic = calloc(1, sizeof(*dynamic));
    if (!dynamic)
        return ERR_NOMEM;
    dynamic->stream = (struct stream){.fill = fill_dynamic, .close = close_dynamic};
    int rc = open_dynamic(request, dynamic, error);
    if (rc) {
        close_dynamic(&dynamic->stream);
        return rc;
    }
    put_headers(dynamic, reply);
    return reply_stream(reply, "application/json", &dynamic->stream, error);
}
