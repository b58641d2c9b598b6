#include <config.h>

#include "http/personal.h"

#include <stdlib.h>
#include <string.h>

int personal_limit(const struct request *request, enum scope scope, json_t *question)
{
    struct globs globs;
    principal_globs(&request->principal, scope, &globs);
    if (globs.is_all)
        return 0;
    json_t *list = json_array();
    for (const char *glob = NULL; list && (glob = globs_next(&globs, glob));)
        if (json_array_append_new(list, json_string(glob)))
            break;
    return json_object_set_new(question, "globs", list) ? ERR_NOMEM : 0;
}

json_t *personal_question(const struct request *request, const char *operation)
{
    json_t *question = json_pack("{s:s, s:s}", "do", operation, "actor", request->principal.name);
    json_t *subject = *request->id ? json_string(request->id) : NULL;
    if (question && *request->id) /* no subject has an id that is no UTF-8, nor that one */
        json_object_set_new(question, "subject", subject ? subject : json_string("\uFFFD"));
    else
        json_decref(subject);
    if (question && personal_limit(request, request->route->scope, question)) {
        json_decref(question);
        return NULL;
    }
    return question;
}

static int refuse_away(struct reply *reply, const char *why)
{
    reply_header(reply, "Retry-After", "5");
    reply_problem(reply, 503, "", "personal data cannot be had now: %s", why);
    return 1;
}

int personal_ask(const struct request *request, json_t *question, json_t **ret_answer, struct reply *reply,
                 struct err_text *error)
{
    const struct vault_door *vault = request->opts->vault;
    if (!question)
        return ERR_NOMEM;
    reply_header(reply, "Cache-Control", "no-store");
    if (!vault) {
        json_decref(question);
        return refuse_away(reply, "this process has no vault");
    }
    int rc = vault->ask(vault->arg, question, ret_answer, error);
    if (rc == ERR_BUSY || rc == ERR_IO)
        return refuse_away(reply, *error->text ? error->text : err_name(rc));
    if (rc == ERR_NOTFOUND || rc == ERR_DENIED || rc == ERR_EXPIRED) {
        reply_problem(reply, 404, "", "there is no such subject, or not for this purpose");
        return 1;
    }
    return rc;
}

int personal_body(const struct request *request, const char *const *names, json_t **ret_body, struct err_text *error)
{
    json_error_t at;
    const char *name;
    json_t *value, *body = json_loadb(request->body, request->body_size, JSON_REJECT_DUPLICATES, &at);
    if (!body)
        return err_set(error, ERR_INVALID, "the body is not JSON, or a name stands twice in it: line %d, column %d",
                       at.line, at.column);
    int rc = json_is_object(body) ? 0 : err_set(error, ERR_INVALID, "the body is JSON, but not an object");
    json_object_foreach(body, name, value)
    {
        size_t i = 0;
        while (names && names[i] && strcmp(names[i], name) != 0)
            i++;
        if (!rc && names && !names[i])
            rc = err_set_field(error, ERR_INVALID, name, "there is no such member here: the documentation lists them");
    }
    if (rc) {
        json_decref(body);
        return rc;
    }
    *ret_body = body;
    return 0;
}

int personal_reply(struct reply *reply, unsigned status, json_t *answer)
{
    json_object_del(answer, "ok");
    char *text = json_dumps(answer, JSON_COMPACT);
    json_decref(answer);
    if (!text)
        return ERR_NOMEM;
    buf_puts(&reply->body, text);
    buf_putc(&reply->body, '\n');
    explicit_bzero(text, strlen(text));
    free(text);
    reply->status = status;
    reply->type = "application/json";
    return reply->body.failed ? ERR_NOMEM : 0;
}
