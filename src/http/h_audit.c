/* GET /v1/audit: who asked the vault for what. */
#include <config.h>

#include "http/handlers.h"

#include "common/civil.h"
#include "common/clock.h"
#include "http/filter.h"
#include "http/personal.h"
#include "query/when.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 1000

/* purpose, result and detail are "" where there is none; subject is null to whoever may not know it, and once it is erased. */
const struct shape audit_entry_shape = {
    .fields = FIELDS(FIELD("seq", FORM_WHOLE, false, "1"), FIELD("time", FORM_TIME, false, NULL),
                     FIELD("actor", FORM_TEXT, false, "\"admin\""), FIELD("action", FORM_TEXT, false, "\"read\""),
                     FIELD("purpose", FORM_TEXT, false, "\"billing\""), FIELD("result", FORM_TEXT, false, "\"ok\""),
                     FIELD("detail", FORM_TEXT, false, "\"\""), FIELD("subject", FORM_TEXT, true, "\"c-1\""),
                     FIELD("pseudonym", FORM_TEXT, false, "\"0f1e2d3c4b5a69788796a5b4c3d2e1f0\""))};
const struct shape audit_shape = {
    .fields = FIELDS(SHAPE_LIST("entries", &audit_entry_shape), FIELD("next", FORM_WHOLE, true, "null"))};

static int put_time(const struct request *request, const char *name, json_t *question, struct err_text *error)
{
    const char *text;
    char printed[CIVIL_TEXT_MAX + 1];
    int64_t t_us;
    int rc = parameters_one(&request->parameters, name, &text, error);
    if (rc || !text)
        return rc;
    if ((rc = when_parse(text, name, clock_wall_us(), NULL, &t_us, error)))
        return rc;
    printed[civil_print_rfc3339(printed, t_us, 0, true)] = '\0';
    return json_object_set_new(question, name, json_string(printed)) ? ERR_NOMEM : 0;
}

static int put_number(const struct request *request, const char *name, uint64_t standard, uint64_t max, json_t *question,
                      struct err_text *error)
{
    const char *text;
    uint64_t number = standard;
    int rc = parameters_one(&request->parameters, name, &text, error);
    if (rc || (!text && !standard))
        return rc;
    if (text && filter_number(text, max, &number))
        return err_set_field(error, ERR_INVALID, name, "\"%.40s\" is no whole number from 1 to %llu", text,
                             (unsigned long long)max);
    return json_object_set_new(question, name, json_integer((json_int_t)number)) ? ERR_NOMEM : 0;
}

int h_audit(struct request *request, struct reply *reply, struct err_text *error)
{
    const char *subject;
    json_t *answer, *question = personal_question(request, "audit");
    int rc = question ? parameters_one(&request->parameters, "subject", &subject, error) : ERR_NOMEM;
    if (!rc && subject && json_object_set_new(question, "subject", json_string(subject)))
        rc = ERR_INVALID;
    rc = rc ? rc : put_time(request, "from", question, error);
    rc = rc ? rc : put_time(request, "to", question, error);
    rc = rc ? rc : put_number(request, "after", 0, INT64_MAX, question, error);
    rc = rc ? rc : put_number(request, "limit", LIMIT_DEFAULT, LIMIT_MAX, question, error);
    if (rc) {
        json_decref(question);
        return rc;
    }
    rc = personal_ask(request, question, &answer, reply, error);
    return rc ? (rc > 0 ? 0 : rc) : personal_reply(reply, 200, answer);
}
