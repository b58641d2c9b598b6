/* /v1/subjects: what the vault knows of people, and their rights (contract section 8). */
#include <config.h>

#include "http/handlers.h"

#include <stdlib.h>
#include <string.h>

#include "common/civil.h"
#include "common/jsontext.h"
#include "http/personal.h"
#include "store/reader.h"

/* ---- what answers look like ---- */

#define SUBJECT FIELD("subject", FORM_TEXT, false, "\"c-1\"")
static const struct shape consent_shape = {
    .fields = FIELDS(FIELD("purpose", FORM_TEXT, false, "\"billing\""), FIELD("until", FORM_TIME, true, NULL))};
const struct shape subject_put_shape = {
    .fields = FIELDS(SUBJECT, FIELD("created", FORM_BOOLEAN, false, NULL), FIELD("revision", FORM_WHOLE, false, "1"))};
const struct shape subject_done_shape = {.fields = FIELDS(SUBJECT)};
const struct shape subjects_shape = {.fields = FIELDS(FIELD("subjects", FORM_TEXTS, false, "[\"c-1\"]"),
                                                      FIELD("next", FORM_TEXT, true, "null"))};
const struct shape subject_shape = {
    .fields = FIELDS(SUBJECT, FIELD("fields", FORM_OBJECT, false, "{\"name\":\"Zdenka Novak\"}"),
                     FIELD("entities", FORM_TEXTS, false, "[\"p2-meter-0142\"]"), SHAPE_LIST("consents", &consent_shape),
                     FIELD("restricted", FORM_BOOLEAN, false, NULL))};
#define SERIES FIELD("id", FORM_WHOLE, false, "7"), FIELD("entity", FORM_TEXT, false, "\"p2-meter-0142\""), \
    FIELD("type", FORM_TEXT, false, "\"SmartMeter\""), FIELD("property", FORM_TEXT, false, "\"activePower\"")
static const struct shape series_shape = {.fields = FIELDS(SERIES)};
const struct shape receipt_shape = {
    .fields = FIELDS(SUBJECT, FIELD("erased_at", FORM_TIME, false, NULL), FIELD("again", FORM_BOOLEAN, false, NULL),
                     SHAPE_LIST("series", &series_shape), FIELD("state", FORM_TEXT, false, "\"pending\""),
                     FIELD("by", FORM_TIME, true, NULL), FIELD("kafka", FORM_OBJECT, false, "{\"readings.main\":\"P7D\"}"),
                     FIELD("beyond", FORM_TEXT, false, "\"What erasing cannot reach\""))};

/* ---- asking and changing ---- */

/* Asks with the members of the body, which is stolen, and answers with the subject and what the vault said. */
static int ask_and_answer(struct request *request, const char *operation, json_t *body, struct reply *reply,
                          struct err_text *error)
{
    json_t *answer, *question = personal_question(request, operation);
    if (question && body && json_object_update_missing(question, body)) {
        json_decref(question);
        question = NULL;
    }
    json_decref(body);
    int rc = personal_ask(request, question, &answer, reply, error);
    if (rc)
        return rc > 0 ? 0 : rc;
    json_object_set_new(answer, "subject", json_string(request->id));
    return personal_reply(reply, json_is_true(json_object_get(answer, "created")) ? 201 : 200, answer);
}

static int change(struct request *request, const char *operation, const char *const *names, struct reply *reply,
                  struct err_text *error)
{
    json_t *body;
    int rc = personal_body(request, names, &body, error);
    return rc ? rc : ask_and_answer(request, operation, body, reply, error);
}

int h_subject_put(struct request *request, struct reply *reply, struct err_text *error)
{
    static const char *const names[] = {"fields", "entities", "consents", NULL};
    return change(request, "put", names, reply, error);
}

/* A member that has to be there. */
static int change_one(struct request *request, const char *operation, const char *name, struct reply *reply,
                      struct err_text *error)
{
    const char *const names[] = {name, NULL};
    json_t *body;
    int rc = personal_body(request, names, &body, error);
    if (!rc && !json_object_get(body, name)) {
        json_decref(body);
        return err_set_field(error, ERR_INVALID, name, "\"%s\" is missing", name);
    }
    return rc ? rc : ask_and_answer(request, operation, body, reply, error);
}

int h_subject_restrict(struct request *request, struct reply *reply, struct err_text *error)
{
    return change_one(request, "restrict", "restricted", reply, error);
}

int h_subject_consents(struct request *request, struct reply *reply, struct err_text *error)
{
    return change_one(request, "consents", "consents", reply, error);
}

static int need_purpose(struct err_text *error)
{
    return err_set_field(error, ERR_INVALID, "purpose", "what is it asked for? Give a \"purpose\" that the subject consents to");
}

int h_subject_get(struct request *request, struct reply *reply, struct err_text *error)
{
    const char *purpose;
    int rc = parameters_one(&request->parameters, "purpose", &purpose, error);
    if (rc || !purpose || !*purpose)
        return rc ? rc : need_purpose(error);
    return ask_and_answer(request, "read", json_pack("{s:s}", "purpose", purpose), reply, error);
}

/* Members of a search that name no field. */
static bool is_of_search(const char *name)
{
    return !strcmp(name, "purpose") || !strcmp(name, "limit") || !strcmp(name, "cursor");
}

/* The question of a search. */
static int read_search(const struct request *request, const json_t *body, json_t **ret_question, struct err_text *error)
{
    const char *name, *field = NULL, *purpose = json_string_value(json_object_get(body, "purpose"));
    json_t *value, *cursor = json_object_get(body, "cursor");
    int rc = purpose && *purpose ? 0 : need_purpose(error);
    if (!rc && cursor && !json_is_string(cursor))
        rc = err_set_field(error, ERR_INVALID, "cursor", "the cursor is a text: the \"next\" of the page before");
    json_object_foreach((json_t *)body, name, value)
    {
        if (rc || is_of_search(name))
            continue;
        if (field)
            rc = err_set_field(error, ERR_INVALID, name, "one field is searched at a time");
        else if (!json_is_string(value))
            rc = err_set_field(error, ERR_INVALID, name, "the value that is searched is a text");
        field = name;
    }
    if (!rc && !field)
        rc = err_set(error, ERR_INVALID, "which field? Send its name and value, such as \"email\"");
    if (rc)
        return rc;
    json_t *question = personal_question(request, "search");
    if (!question || json_object_set_new(question, "field", json_string(field)) ||
        json_object_set(question, "value", json_object_get(body, field)) ||
        json_object_set_new(question, "purpose", json_string(purpose)) ||
        (cursor && json_object_set(question, "cursor", cursor)) ||
        (json_object_get(body, "limit") && json_object_set(question, "limit", json_object_get(body, "limit")))) {
        json_decref(question);
        return ERR_NOMEM;
    }
    *ret_question = question;
    return 0;
}

/* One page, or without limit all of them, put together. As personal_ask. */
static int ask_pages(const struct request *request, const json_t *question, json_t **ret_answer, struct reply *reply,
                     struct err_text *error)
{
    bool all = !json_object_get(question, "limit");
    json_t *subjects = json_array(), *page;
    int rc = personal_ask(request, json_copy((json_t *)question), &page, reply, error);
    while (!rc) {
        json_t *next = json_incref(json_object_get(page, "next")), *more;
        rc = json_array_extend(subjects, json_object_get(page, "subjects")) ? ERR_NOMEM : 0;
        json_decref(page);
        if (rc || !all || !json_is_string(next)) {
            *ret_answer = rc ? NULL : json_pack("{s:O, s:O?}", "subjects", subjects, "next", next);
            json_decref(next);
            break;
        }
        more = json_copy((json_t *)question);
        json_object_set_new(more, "cursor", next);
        rc = request_is_over(request) ? ERR_CANCELLED : personal_ask(request, more, &page, reply, error);
    }
    json_decref(subjects);
    return rc;
}

int h_subjects_search(struct request *request, struct reply *reply, struct err_text *error)
{
    json_t *body, *answer = NULL, *question = NULL;
    int rc = personal_body(request, NULL, &body, error);
    if (rc)
        return rc;
    rc = read_search(request, body, &question, error);
    json_decref(body);
    rc = rc ? rc : ask_pages(request, question, &answer, reply, error);
    json_decref(question);
    return rc ? (rc > 0 ? 0 : rc) : personal_reply(reply, 200, answer);
}

/* ---- erasing ---- */

/* Borrowed texts of a JSON list, for the caller to free; NULL without memory. */
static const char **texts_of(const json_t *list, size_t *ret_n)
{
    size_t n = json_array_size(list);
    const char **texts = calloc(n + 1, sizeof(*texts));
    for (size_t i = 0; i < n && texts; i++)
        texts[i] = json_string_value(json_array_get(list, i));
    *ret_n = n;
    return texts;
}

static int put_series(void *arg, const struct series_info *info)
{
    json_t *row = json_pack("{s:I, s:s, s:s, s:s}", "id", (json_int_t)info->id, "entity", info->entity, "type", info->type,
                            "property", info->property);
    return json_array_append_new(arg, row) ? ERR_NOMEM : 0;
}

/* The series of the entities, as the catalog has them before they are hidden. */
static int list_series(const struct request *request, const char *const *entities, size_t n, json_t **ret_series)
{
    json_t *series = json_array();
    struct series_filter filter = {.entities = entities, .n_entities = n};
    int rc = !series ? ERR_NOMEM : n ? reader_series(request->dir, &filter, put_series, series) : 0;
    if (rc) {
        json_decref(series);
        return rc;
    }
    *ret_series = series;
    return 0;
}

static const char beyond[] = "Kafka's log, which keeps its messages for as long as its topics say; curves in older "
                             "backups, which `almanac restore` removes "
                             "before it opens them; what was read, exported or sent to others before";

/* When the files are rewritten at the latest. */
static json_t *latest(const struct request *request, const char *erased_at)
{
    int64_t t_us;
    char text[CIVIL_TEXT_MAX + 1];
    if (!erased_at || civil_parse_rfc3339(erased_at, strlen(erased_at), &t_us))
        return json_null();
    text[civil_print_rfc3339(text, t_us + request->opts->vault->erase_within_us, 0, true)] = '\0';
    return json_string(text);
}

/* The receipt of what the vault answered; series is stolen. */
static int put_receipt(const struct request *request, const json_t *answer, json_t *series, bool is_pending, struct reply *reply)
{
    const struct vault_door *vault = request->opts->vault;
    json_t *kafka = vault->retentions ? vault->retentions(vault->arg) : NULL;
    json_t *receipt =
        json_pack("{s:s, s:O, s:b, s:o, s:s, s:o, s:o, s:s}", "subject", request->id, "erased_at",
                  json_object_get(answer, "erased_at"), "again", json_is_true(json_object_get(answer, "again")),
                  "series", series, "state", is_pending ? "pending" : "done", "by",
                  is_pending ? latest(request, json_string_value(json_object_get(answer, "erased_at"))) : json_null(),
                  "kafka", kafka ? kafka : json_object(), "beyond", beyond);
    return receipt ? personal_reply(reply, 200, receipt) : ERR_NOMEM;
}

/* Behind the destroyed key: the entities are hidden before anybody is told. */
static int finish_erasing(const struct request *request, const json_t *answer, bool keep, struct reply *reply,
                          struct err_text *error)
{
    const struct vault_door *vault = request->opts->vault;
    bool is_pending = false;
    size_t n;
    json_t *series = NULL;
    const char **entities = texts_of(json_object_get(answer, "entities"), &n);
    int rc = entities ? list_series(request, entities, n, &series) : ERR_NOMEM;
    rc = rc ? rc : vault->carry_over(vault->arg, error);
    if (!rc && n && !keep)
        rc = vault->is_pending(vault->arg, entities, n, &is_pending, error);
    free(entities);
    if (!rc)
        return put_receipt(request, answer, series, is_pending, reply);
    json_decref(series);
    reply_header(reply, "Retry-After", "5");
    reply_problem(
        reply, 503, "",
        "the subject's key is destroyed, but its curves could not be hidden yet (%s): ask again; it goes on by itself",
        *error->text ? error->text : err_name(rc));
    return 0;
}

int h_subject_erase(struct request *request, struct reply *reply, struct err_text *error)
{
    const char *series;
    json_t *answer, *question;
    int rc = parameters_one(&request->parameters, "series", &series, error);
    if (!rc && series && strcmp(series, "delete") && strcmp(series, "keep"))
        rc = err_set_field(error, ERR_INVALID, "series", "\"%.40s\" is neither \"delete\" nor \"keep\"", series);
    if (rc)
        return rc;
    question = personal_question(request, "erase");
    if (question)
        json_object_set_new(question, "series", json_string(series ? series : "delete"));
    rc = personal_ask(request, question, &answer, reply, error);
    if (rc)
        return rc > 0 ? 0 : rc;
    rc = finish_erasing(request, answer, series && !strcmp(series, "keep"), reply, error);
    json_decref(answer);
    return rc;
}
