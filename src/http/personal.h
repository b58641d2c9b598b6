/* What the routes of the vault share (contract section 8): the question to it, its refusals, and the answer. */
#ifndef HTTP_PERSONAL_H
#define HTTP_PERSONAL_H

#include <jansson.h>

#include "http/route.h"

/* A question of the caller: `{"do":operation,"actor":NAME}`, what the route's scope is limited to for him and, where the path
 * names one, its subject; the caller of this adds
 * the rest. NULL without memory. */
json_t *personal_question(const struct request *request, const char *operation);

/* Adds what the caller's scope is limited to. ERR_NOMEM. */
MUST_CHECK int personal_limit(const struct request *request, enum scope scope, json_t *question);

/* Asks the vault; question is stolen. 0 with the answer, which is the caller's; 1 with the reply made: 503 where the
 * vault is away or locked, and one and the same 404 for a subject that is not there, is erased or restricted, has
 * entities that are not the caller's, or does not consent; or a code for reply_error. */
MUST_CHECK int personal_ask(const struct request *request, json_t *question, json_t **ret_answer, struct reply *reply,
                            struct err_text *error);

/* The body as a JSON object whose members are among names (ended by NULL; names NULL: any), for the caller to release.
 * What is wrong with it is told without its text. ERR_INVALID. */
MUST_CHECK int personal_body(const struct request *request, const char *const *names, json_t **ret_body, struct err_text *error);

/* Makes the answer, which is stolen, the reply's body; nobody on the way may keep it. */
MUST_CHECK int personal_reply(struct reply *reply, unsigned status, json_t *answer);

#endif
