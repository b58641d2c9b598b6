/* GET /v1/subjects/{id}/export: everything about a subject as one JSON document: what the vault has, who read it, and the
 * readings of its entities, a CSV in a text for each series. It streams: curves may be long. */
#include <config.h>

#include "http/handlers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/jsontext.h"
#include "http/personal.h"
#include "store/reader.h"

static const struct shape consent_shape = {
    .fields = FIELDS(FIELD("purpose", FORM_TEXT, false, "\"billing\""), FIELD("until", FORM_TIME, true, NULL))};
static const struct shape series_shape = {
    .fields = FIELDS(FIELD("id", FORM_WHOLE, false, "7"), FIELD("entity", FORM_TEXT, false, "\"p2-meter-0142\""),
                     FIELD("type", FORM_TEXT, false, "\"SmartMeter\""), FIELD("property", FORM_TEXT, false, "\"activePower\""),
                     FIELD("unit", FORM_TEXT, false, "\"W\""),
                     FIELD("csv", FORM_TEXT, false, "\"time,entity,property,unit,value,quality\\r\\n\""))};
const struct shape subject_export_shape = {
    .fields = FIELDS(FIELD("subject", FORM_TEXT, false, "\"c-1\""),
                     FIELD("fields", FORM_OBJECT, false, "{\"name\":\"Zdenka Novak\"}"),
                     FIELD("entities", FORM_TEXTS, false, "[\"p2-meter-0142\"]"),
                     SHAPE_LIST("consents", &consent_shape), FIELD("restricted", FORM_BOOLEAN, false, NULL),
                     SHAPE_LIST("accesses", &audit_entry_shape), SHAPE_LIST("series", &series_shape))};

/* A series of the subject: id, and what stands before its CSV. */
struct curve {
    uint32_t id;
    char *head;
};

struct export {
    struct stream stream;
    const struct server_opts *opts;
    struct principal principal;
    const _Atomic bool *gone, *cut;
    json_t *question;       /* to the vault */
    json_t *about;          /* what the vault said */
    json_int_t next_access; /* after which there are more; 0: no more, -1: nothing was written yet */
    bool in_series;
    struct curve *curves;
    size_t n, cap, next;
    struct request request; /* for the curve that has its turn */
    struct reply reply;
    bool in_curve;
};

static void end_curve(struct export *export)
{
    reply_done(&export->reply);
    request_done(&export->request);
    export->request = (struct request){0};
    export->in_curve = false;
}

/* The raw readings of the next series, all of them, by the range query. */
static int begin_curve(struct export *export, struct buf *out, struct err_text *error)
{
    static const struct media csv = {"csv", "text/csv"};
    const struct curve *curve = &export->curves[export->next];
    struct request *request = &export->request;
    char id[16];
    buf_puts(out, export->next++ ? ",\n" : "\n");
    buf_puts(out, curve->head);
    const struct route *route = routes;
    while (strcmp(route->path, "/v1/range") != 0 || strcmp(route->method, "POST") != 0)
        route++;
    *request = (struct request){.opts = export->opts, .method = "POST", .route = route, .media = &csv, .gone = export->gone,
                                .cut = export->cut, .principal = export->principal, .dir = export->opts->dir};
    export->in_curve = true;
    snprintf(id, sizeof(id), "%" PRIu32, curve->id);
    int rc = parameters_add(&request->parameters, "series", id, error);
    rc = rc ? rc : parameters_add(&request->parameters, "from", "0001-01-01T00:00:00Z", error);
    rc = rc ? rc : parameters_add(&request->parameters, "to", "9999-12-31T00:00:00Z", error);
    return rc ? rc : h_range(request, &export->reply, error);
}

/* Bytes as a piece of a JSON text, the quotes around it left to others. */
static int put_inside(struct buf *out, const struct buf *piece)
{
    struct buf quoted = {0};
    jsontext_put_bytes(&quoted, piece->data ? (const char *)piece->data : "", piece->n);
    if (!quoted.failed)
        buf_put(out, quoted.data + 1, quoted.n - 2);
    bool failed = quoted.failed;
    buf_free(&quoted);
    return failed ? ERR_NOMEM : 0;
}

/* Some more of the series that has its turn. */
static int go_on(struct export *export, struct buf *out, struct err_text *error)
{
    struct reply *reply = &export->reply;
    int rc = put_inside(out, &reply->body);
    buf_clear(&reply->body);
    int more = rc || !reply->stream ? 0 : reply->stream->fill(reply->stream, &reply->body, error);
    rc = rc ? rc : more < 0 ? more : put_inside(out, &reply->body);
    buf_clear(&reply->body);
    if (!rc && !more) {
        buf_puts(out, "\"}");
        end_curve(export);
    }
    return rc;
}

static int put_json(const json_t *json, struct buf *out, size_t from, size_t to)
{
    char *text = json_dumps(json, JSON_COMPACT);
    if (!text)
        return ERR_NOMEM;
    size_t size = strlen(text);
    buf_put(out, text + from, size - from - to);
    explicit_bzero(text, size);
    free(text);
    return 0;
}

/* All that was said but the accesses, which are many. */
static int put_about(struct export *export, struct buf *out)
{
    json_t *accesses = json_incref(json_object_get(export->about, "accesses"));
    json_t *next = json_incref(json_object_get(export->about, "next"));
    export->next_access = json_integer_value(next);
    json_object_del(export->about, "accesses");
    json_object_del(export->about, "next");
    int rc = put_json(export->about, out, 0, 1);
    buf_puts(out, ",\"accesses\":[");
    rc = rc ? rc : put_json(accesses, out, 1, 1);
    json_decref(accesses);
    json_decref(next);
    return rc;
}

static int put_accesses(struct export *export, struct buf *out, struct err_text *error)
{
    const struct vault_door *vault = export->opts->vault;
    json_t *answer, *question = json_copy(export->question);
    if (!question || json_object_set_new(question, "after", json_integer(export->next_access))) {
        json_decref(question);
        return ERR_NOMEM;
    }
    int rc = vault->ask(vault->arg, question, &answer, error);
    if (rc)
        return rc;
    const json_t *accesses = json_object_get(answer, "accesses");
    export->next_access = json_integer_value(json_object_get(answer, "next"));
    if (json_array_size(accesses) > 0) {
        buf_putc(out, ',');
        rc = put_json(accesses, out, 1, 1);
    }
    json_decref(answer);
    return rc;
}

/* What stands before the series. */
static int put_head(struct export *export, struct buf *out, struct err_text *error)
{
    int rc = export->next_access < 0 ? put_about(export, out) : put_accesses(export, out, error);
    if (!rc && export->next_access == 0) {
        buf_puts(out, "],\"series\":[");
        export->in_series = true;
    }
    return rc;
}

static int fill_export(struct stream *stream, struct buf *out, struct err_text *error)
{
    struct export *export = (struct export *)stream;
    int rc = 0;
    while (!rc && out->n < STREAM_BYTES && !out->failed) {
        if (!export->in_series) {
            rc = put_head(export, out, error);
        } else if (!export->in_curve && export->next == export->n) {
            buf_puts(out, "]}\n");
            return 0;
        } else {
            rc = export->in_curve ? go_on(export, out, error) : begin_curve(export, out, error);
        }
    }
    return rc ? rc : out->failed ? ERR_NOMEM : 1;
}

static void close_export(struct stream *stream)
{
    struct export *export = (struct export *)stream;
    end_curve(export);
    for (size_t i = 0; i < export->n; i++)
        free(export->curves[i].head);
    free(export->curves);
    json_decref(export->about);
    json_decref(export->question);
    free(export);
}

static int take_series(void *arg, const struct series_info *info)
{
    struct export *export = arg;
    struct buf head = {0};
    if (array_grow(&export->curves, &export->cap, export->n + 1, sizeof(*export->curves)))
        return ERR_NOMEM;
    buf_printf(&head, "{\"id\":%" PRIu32, info->id);
    jsontext_put_member(&head, "entity", info->entity);
    jsontext_put_member(&head, "type", info->type);
    jsontext_put_member(&head, "property", info->property);
    jsontext_put_member(&head, "unit", info->unit);
    buf_puts(&head, ",\"csv\":\"");
    buf_putc(&head, '\0');
    if (head.failed)
        return ERR_NOMEM;
    export->curves[export->n++] = (struct curve){info->id, (char *)head.data};
    return 0;
}

static int find_series(struct export *export)
{
    const json_t *list = json_object_get(export->about, "entities");
    size_t n = json_array_size(list);
    const char **entities = calloc(n + 1, sizeof(*entities));
    if (!entities)
        return ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        entities[i] = json_string_value(json_array_get(list, i));
    struct series_filter filter = {.entities = entities, .n_entities = n};
    int rc = n ? reader_series(export->opts->dir, &filter, take_series, export) : 0;
    free(entities);
    return rc;
}

int h_subject_export(struct request *request, struct reply *reply, struct err_text *error)
{
    json_t *answer, *question = personal_question(request, "export");
    int rc = personal_ask(request, json_copy(question), &answer, reply, error);
    if (rc) {
        json_decref(question);
        return rc > 0 ? 0 : rc;
    }
    json_object_del(answer, "ok");
    json_object_set_new(answer, "subject", json_string(request->id));
    struct export *export = calloc(1, sizeof(*export));
    if (!export) {
        json_decref(answer);
        json_decref(question);
        return ERR_NOMEM;
    }
    *export = (struct export){.stream = {.fill = fill_export, .close = close_export}, .opts = request->opts,
                              .principal = request->principal, .gone = request->gone, .cut = request->cut, .about = answer,
                              .question = question, .next_access = -1};
    rc = find_series(export);
    if (rc) {
        close_export(&export->stream);
        return rc;
    }
    return reply_stream(reply, "application/json", &export->stream, error);
}
