#include <config.h>

#include "http/route.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/hash.h"
#include "http/encode.h"

#define PASSWORD_TEXT_MAX 1024 /* in base64; the longest password and name have 321 bytes */
#define PART_MAX sizeof(((struct request *)NULL)->id)

bool request_is_over(const struct request *request)
{
    return (request->gone && atomic_load(request->gone)) || (request->cut && atomic_load(request->cut));
}

void request_leave(struct request *request)
{
    limits_leave(request->limited);
    request->limited = NULL;
}

void request_done(struct request *request)
{
    request_leave(request);
    parameters_free(&request->parameters);
    if (request->owns_dir)
        reader_dir_close(request->dir);
    request->dir = NULL;
    request->owns_dir = false;
    quota_done(&request->quota);
}

/* ---- path and method ---- */

static int decode_path(struct request *request, struct reply *reply)
{
    size_t size = strcspn(request->target, "?#");
    if (size >= sizeof(request->path)) {
        reply_problem(reply, 404, "", "there is nothing at this path");
        return -1;
    }
    memcpy(request->path, request->target, size);
    request->path[size] = '\0';
    if (percent_decode(request->path, size, 0)) {
        reply_problem(reply, 400, "", "the path has a broken escape: write %%XX with two hexadecimal digits, not %%00");
        return -1;
    }
    return 0;
}

/* Whether the part of a target stands for a part of a route's path. A parameter is decoded by itself, so that it may
 * hold slashes that were sent as %2F. */
static bool part_matches(const char *pattern, size_t pattern_size, const char *part, size_t size, char value[static PART_MAX])
{
    char text[PART_MAX];
    if (size >= sizeof(text))
        return false;
    memcpy(text, part, size);
    if (percent_decode(text, size, 0))
        return false;
    if (*pattern != '{')
        return strlen(text) == pattern_size && !memcmp(text, pattern, pattern_size);
    memcpy(value, text, strlen(text) + 1);
    return *text;
}

/* The target is path and query as sent. */
static bool path_matches(const struct route *route, const char *target, char id[static PART_MAX], char file[static PART_MAX])
{
    const char *pattern = route->path;
    *id = *file = '\0';
    for (;;) {
        size_t pattern_size = strcspn(pattern, "/");
        if (route->leaves_out && *target == '/' && !strcmp(pattern, route->leaves_out))
            target++;
        size_t size = strcspn(target, "/?#");
        if (!part_matches(pattern, pattern_size, target, size, strncmp(pattern, "{file}", 6) ? id : file))
            return false;
        pattern += pattern_size;
        target += size;
        if (*pattern != '/' || *target != '/')
            return !*pattern && *target != '/';
        pattern++;
        target++;
    }
}

static bool method_matches(const struct route *route, const char *method)
{
    return !strcmp(route->method, method) || (!strcmp(route->method, "GET") && !strcmp(method, "HEAD"));
}

/* The methods of every route at the path, as the header Allow wants them. */
static void allow_methods(const struct request *request, struct reply *reply)
{
    struct buf allow = {0};
    char id[PART_MAX], file[PART_MAX];
    for (const struct route *route = routes; route->method; route++)
        if (path_matches(route, request->target, id, file) || !strcmp(request->path, "*"))
            if (!allow.n || !memmem(allow.data, allow.n, route->method, strlen(route->method)))
                buf_printf(&allow, "%s%s, ", route->method, strcmp(route->method, "GET") ? "" : ", HEAD");
    if (!allow.failed)
        reply_header(reply, "Allow", "%.*sOPTIONS", (int)allow.n, (const char *)allow.data);
    buf_free(&allow);
}

static void find_route(struct request *request, struct reply *reply)
{
    bool known = !strcmp(request->path, "*") && !strcmp(request->method, "OPTIONS");
    for (const struct route *route = routes; route->method; route++) {
        if (!path_matches(route, request->target, request->id, request->file))
            continue;
        known = true;
        if (method_matches(route, request->method)) {
            request->route = route;
            return;
        }
    }
    if (!known) {
        reply_problem(reply, 404, "", "there is nothing at \"%.200s\"", request->path);
        return;
    }
    allow_methods(request, reply);
    if (!strcmp(request->method, "OPTIONS"))
        reply->status = 204;
    else
        reply_problem(reply, 405, "", "\"%.200s\" does not take the method %.32s", request->path, request->method);
}

/* ---- who, and whether the server can answer ---- */

/* Browsers ask people for a password where they see this, so routes that our own pages call do without. */
static bool asks_for_password(const struct request *request)
{
    const char *text = request->authorization;
    return (text && !strncasecmp(text, "Basic ", 6)) ||
           (!strncmp(request->path, "/api/", 5) && strncmp(request->path, "/api/v1/", 8));
}

static int refuse_credentials(const struct request *request, struct reply *reply, const char *why)
{
    bool is_token = request->authorization && !strncasecmp(request->authorization, "Bearer ", 7);
    reply_header(reply, "WWW-Authenticate", "Bearer realm=\"almanac\"%s%s", is_token ? ", error=\"invalid_token\"" : "",
                 asks_for_password(request) ? ", Basic realm=\"almanac\", charset=\"UTF-8\"" : "");
    reply_problem(reply, 401, "", "%s", why);
    return -1;
}

/* Name and password of HTTP Basic (RFC 7617); 1: they are to be computed. */
static int check_password(struct request *request, const char *text, size_t size, bool may_compute)
{
    char plain[PASSWORD_TEXT_MAX];
    size_t n;
    if (size >= sizeof(plain) || hash_from_base64(text, size, plain, &n))
        return ERR_DENIED;
    plain[n] = '\0';
    char *colon = memchr(plain, ':', n);
    int rc = ERR_DENIED;
    if (colon && !memchr(plain, '\0', n)) {
        *colon = '\0';
        rc = access_check_password(request->opts->access, plain, colon + 1, may_compute, &request->principal);
    }
    explicit_bzero(plain, sizeof(plain));
    return rc == ERR_BUSY ? 1 : rc;
}

static int find_by_certificate(struct request *request, struct reply *reply)
{
    int rc = access_check_certificate(request->opts->access, request->certificate, &request->principal);
    if (rc == ERR_DENIED)
        return refuse_credentials(request, reply, "the certificate is not known here: `almanac cert add` lets it in");
    if (rc < 0)
        reply_error(reply, rc, &(struct err_text){.text = "the credentials could not be checked"});
    return rc < 0 ? -1 : 0;
}

/* Who asks: 0, 1 the password is to be computed, or -1 with the reply made. */
static int find_principal(struct request *request, struct reply *reply, bool may_compute)
{
    const char *text = request->authorization;
    bool is_token = text && !strncasecmp(text, "Bearer ", 7), is_password = text && !strncasecmp(text, "Basic ", 6);
    if (!text && request->certificate)
        return find_by_certificate(request, reply);
    if (!is_token && !is_password)
        return refuse_credentials(request, reply,
                                  "no credentials: send the header Authorization: Bearer TOKEN, or Basic with a user");
    text += is_token ? 7 : 6;
    text += strspn(text, " ");
    size_t size = strcspn(text, " ");
    int rc = is_token ? access_check_token(request->opts->access, text, size, &request->principal)
                      : check_password(request, text, size, may_compute);
    if (rc == ERR_DENIED)
        return refuse_credentials(request, reply, is_token ? "the token is not known here: `almanac token create` makes one"
                                                           : "no user has this name and password: `almanac user add` makes one");
    if (rc < 0)
        reply_error(reply, rc, &(struct err_text){.text = "the credentials could not be checked"});
    return rc < 0 ? -1 : rc;
}

static int check_scope(struct request *request, struct reply *reply)
{
    char name[ACCESS_SCOPES_TEXT_MAX];
    const struct route *route = request->route;
    const struct grants *grants = &request->principal.grants;
    bool is_whole = route->is_whole || route->scope == SCOPE_OPS;
    access_scopes_print(route->scope, name);
    request->scope = route->scope;
    if ((grants->scopes & route->scope) != route->scope && route->takes_aggregate && (grants->scopes & SCOPE_AGGREGATE))
        request->scope = SCOPE_AGGREGATE;
    else if ((grants->scopes & route->scope) != route->scope)
        reply_problem(reply, 403, "", "\"%s\" lacks the scope %s", request->principal.name, name);
    else if (is_whole && (grants->whole & route->scope) != route->scope)
        reply_problem(reply, 403, "", "\"%s\" has the scope %s for some entities only, and this is not about entities: it needs "
                      "the scope without a glob", request->principal.name, name);
    return reply->status ? -1 : 0;
}

/* Whether the principal has not too much already. */
static int check_limits(struct request *request, struct reply *reply)
{
    struct err_text error = {0};
    int64_t wait_s;
    int rc = limits_enter(request->limits, &request->principal, &request->limited, &wait_s, &error);
    if (rc == ERR_QUOTA) {
        reply_header(reply, "Retry-After", "%" PRId64, wait_s);
        reply_problem(reply, 429, "", "%s", error.text);
    } else if (rc) {
        reply_error(reply, rc, &error);
    }
    return rc ? -1 : 0;
}

/* The store as the principal may see it, which counts what is read of it. */
static int limit_dir(struct request *request)
{
    struct globs globs;
    if (request->route->access != ACCESS_SCOPE)
        return 0;
    quota_begin(&request->quota, &request->opts->quota);
    if (request->dir)
        return 0;
    principal_globs(&request->principal, request->scope, &globs);
    bool counts = quota_limits_any(&request->quota.limits);
    if (globs.is_all && !counts) {
        request->dir = request->opts->dir;
        return 0;
    }
    int rc = reader_dir_limit(request->opts->dir, globs.is_all ? NULL : &globs, counts ? &request->quota : NULL, &request->dir);
    request->owns_dir = !rc;
    return rc;
}

static int check_credentials(struct request *request, struct reply *reply)
{
    enum access_needed access = request->route->access;
    if (access == ACCESS_PUBLIC || (access == ACCESS_LOOPBACK && request->loopback))
        return 0;
    int rc = find_principal(request, reply, false);
    request->unverified = rc > 0;
    if (rc)
        return rc < 0 ? rc : 0;
    rc = check_scope(request, reply);
    return rc ? rc : check_limits(request, reply);
}

void route_verify(struct request *request, struct reply *reply)
{
    if (!find_principal(request, reply, true) && !check_scope(request, reply))
        (void)check_limits(request, reply);
    request->unverified = false;
}

static int check_serving(const struct request *request, struct reply *reply)
{
    struct health health = {0};
    if (request->route->access != ACCESS_SCOPE)
        return 0;
    request->opts->health(request->opts->health_arg, &health);
    if (health.serving)
        return 0;
    reply_header(reply, "Retry-After", "5");
    reply_problem(reply, 503, "", "queries cannot be answered now: %s",
                  *health.reason ? health.reason : "the server is starting");
    return -1;
}

void route_head(struct request *request, struct reply *reply)
{
    if (strcmp(request->version, "HTTP/1.1")) { /* a broken answer would look whole to a client without chunks */
        reply_problem(reply, 505, "", "%.16s is not spoken here: use HTTP/1.1", request->version);
        return;
    }
    if (decode_path(request, reply))
        return;
    find_route(request, reply);
    if (!request->route || check_credentials(request, reply))
        return;
    (void)check_serving(request, reply);
}

/* ---- parameters and media type ---- */

static bool takes(const struct route *route, const char *name)
{
    for (const struct spec *const *spec = route->parameters; *spec; spec++)
        if (!strcmp((*spec)->name, name))
            return true;
    return false;
}

static bool has_type(const char *content_type, const char *type)
{
    size_t size = strlen(type);
    return !strncasecmp(content_type, type, size) && (!content_type[size] || strchr("; \t", content_type[size]));
}

static int parse_body(struct request *request, struct reply *reply, struct err_text *error)
{
    const char *type = request->content_type ? request->content_type : "";
    if (has_type(type, "application/json"))
        return parameters_from_json(&request->parameters, request->body, request->body_size, error);
    if (has_type(type, "application/x-www-form-urlencoded"))
        return parameters_from_form(&request->parameters, request->body, request->body_size, error);
    reply_problem(reply, 415, "", "the body is of type \"%.100s\": send application/json or "
                  "application/x-www-form-urlencoded", type);
    return 0;
}

/* What the client sends is for the handler to read. */
static int check_document(const struct request *request, struct reply *reply)
{
    const char *type = request->content_type ? request->content_type : "";
    if (!has_type(type, "application/json"))
        reply_problem(reply, 415, "", "the body is of type \"%.100s\": send application/json", type);
    return 0;
}

static int parse_parameters(struct request *request, struct reply *reply, struct err_text *error)
{
    const struct route *route = request->route;
    const char *query = strchr(request->target, '?');
    int rc = query ? parameters_from_form(&request->parameters, query + 1, strlen(query + 1), error) : 0;
    if (!rc && route->takes_document && !request->parameters.n)
        rc = check_document(request, reply);
    else if (!rc && (route->takes_document || !strcmp(route->method, "POST")))
        rc = request->parameters.n ? err_set_field(error, ERR_INVALID, request->parameters.rows[0].name,
                                                   "what is sent with a body belongs into it, not into the URL")
                                   : parse_body(request, reply, error);
    for (size_t i = 0; !rc && !reply->status && i < request->parameters.n; i++) {
        const char *name = request->parameters.rows[i].name;
        if (!takes(route, name))
            rc = err_set_field(error, ERR_INVALID, name, "there is no parameter \"%.64s\" here", name);
    }
    return rc;
}

/* What a list has, by name or by type: "json, csv". */
static void print_media(const struct media *list, bool by_type, char *out, size_t size)
{
    size_t n = 0;
    out[0] = '\0';
    for (const struct media *media = list; media->name; media++)
        if (n < size)
            n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : "", by_type ? media->type : media->name);
}

static int choose_media(struct request *request, struct reply *reply, struct err_text *error)
{
    const struct media *list = request->route->media;
    const char *format = NULL;
    char there_are[256];
    int rc = list ? parameters_one(&request->parameters, "format", &format, error) : 0;
    if (rc || !list)
        return rc;
    if (!format) {
        request->media = accept_media(list, request->accept);
        print_media(list, true, there_are, sizeof(there_are));
        if (!request->media)
            reply_problem(reply, 406, "", "nothing that \"%.200s\" accepts can be given: there is %s", request->accept,
                          there_are);
        return 0;
    }
    for (const struct media *media = list; media->name; media++) {
        if (strcmp(media->name, format))
            continue;
        request->media = media;
        return 0;
    }
    print_media(list, false, there_are, sizeof(there_are));
    return err_set_field(error, ERR_INVALID, "format", "there is no format \"%.64s\": there is %s", format, there_are);
}

void route_answer(struct request *request, struct reply *reply)
{
    struct err_text error = {0};
    parameters_free(&request->parameters);
    int rc = parse_parameters(request, reply, &error);
    if (!rc && !reply->status)
        rc = choose_media(request, reply, &error);
    if (!rc && !reply->status)
        rc = limit_dir(request);
    if (!rc && !reply->status)
        rc = request->route->handler(request, reply, &error);
    if (rc && quota_is_over(&request->quota)) { /* whatever else came of that */
        rc = ERR_QUOTA;
        error = request->quota.why;
    }
    if (rc && request->route->fail)
        request->route->fail(reply, rc, &error);
    else if (rc)
        reply_error(reply, rc, &error);
    else if (reply->status == 200 && request->route->media)
        reply_encode(reply, request->accept_encoding);
}
