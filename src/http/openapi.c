#include <config.h>

#include "http/openapi.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A document being written; failed stays once memory was refused. */
struct writer {
    bool failed;
};

/* value is taken over. */
static void put(struct writer *writer, json_t *object, const char *name, json_t *value)
{
    if (json_object_set_new(object, name, value))
        writer->failed = true;
}

static void append(struct writer *writer, json_t *array, json_t *value)
{
    if (json_array_append_new(array, value))
        writer->failed = true;
}

static void put_text(struct writer *writer, json_t *object, const char *name, const char *text)
{
    put(writer, object, name, json_string(text));
}

/* ---- shapes ---- */

static json_t *parse(const char *text)
{
    return json_loads(text, JSON_DECODE_ANY, NULL);
}

static json_t *schema_of_shape(struct writer *writer, const struct shape *shape);

static json_t *schema_of_field(struct writer *writer, const struct shape_field *field)
{
    static const char *const types[] = {[FORM_TEXT] = "string", [FORM_NUMBER] = "number", [FORM_WHOLE] = "integer",
                                        [FORM_BOOLEAN] = "boolean", [FORM_TIME] = "string"};
    if (field->form == FORM_TEXTS)
        return json_pack("{s:s, s:{s:s}}", "type", "array", "items", "type", "string");
    if (field->form == FORM_LIST)
        return json_pack("{s:s, s:o}", "type", "array", "items", schema_of_shape(writer, field->of));
    if (field->form == FORM_OBJECT)
        return json_pack("{s:s}", "type", "object");
    json_t *schema = field->may_be_null ? json_pack("{s:[s,s]}", "type", types[field->form], "null")
                                        : json_pack("{s:s}", "type", types[field->form]);
    if (field->form == FORM_TIME)
        put_text(writer, schema, "format", "date-time");
    return schema;
}

/* Of one object. */
static json_t *schema_of_shape(struct writer *writer, const struct shape *shape)
{
    json_t *members = json_object(), *required = json_array();
    for (const struct shape_field *field = shape->fields; field->name; field++) {
        put(writer, members, field->name, schema_of_field(writer, field));
        append(writer, required, json_string(field->name));
    }
    return json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", members, "required", required,
                     "additionalProperties", 0);
}

static json_t *example_of_shape(struct writer *writer, const struct shape *shape)
{
    static const char *const examples[] = {[FORM_TEXT] = "\"text\"", [FORM_NUMBER] = "0", [FORM_WHOLE] = "1",
                                           [FORM_BOOLEAN] = "true", [FORM_TIME] = "\"2025-03-01T00:00:00Z\"",
                                           [FORM_TEXTS] = "[]", [FORM_OBJECT] = "{}"};
    json_t *example = json_object();
    for (const struct shape_field *field = shape->fields; field->name; field++)
        put(writer, example, field->name,
            field->example             ? parse(field->example)
            : field->form == FORM_LIST ? json_pack("[o]", example_of_shape(writer, field->of))
                                       : parse(examples[field->form]));
    return example;
}

static json_t *content_of_shape(struct writer *writer, const struct shape *shape)
{
    json_t *schema = schema_of_shape(writer, shape), *example = example_of_shape(writer, shape);
    return shape->is_list ? json_pack("{s:{s:s, s:o}, s:[o]}", "schema", "type", "array", "items", schema, "example", example)
                          : json_pack("{s:o, s:o}", "schema", schema, "example", example);
}

/* ---- parameters ---- */

static json_t *schema_of(struct writer *writer, const struct spec *spec)
{
    json_t *schema = json_object();
    bool is_whole = spec->form == SPEC_WHOLE || spec->form == SPEC_WHOLES;
    bool is_list = spec->form == SPEC_TEXTS || spec->form == SPEC_WHOLES;
    put_text(writer, schema, "type", is_whole ? "integer" : "string");
    if (is_whole)
        put(writer, schema, "minimum", json_integer(1));
    if (spec->words) {
        json_t *words = json_array();
        for (const char *const *word = spec->words; *word; word++)
            append(writer, words, json_string(*word));
        put(writer, schema, "enum", words);
        put_text(writer, schema, "default", *spec->words);
    }
    return is_list ? json_pack("{s:s, s:o}", "type", "array", "items", schema) : schema;
}

static json_t *example_of(const struct spec *spec)
{
    bool is_whole = spec->form == SPEC_WHOLE || spec->form == SPEC_WHOLES;
    json_t *example = is_whole ? json_integer(strtoll(spec->example, NULL, 10)) : json_string(spec->example);
    return spec->form == SPEC_TEXTS || spec->form == SPEC_WHOLES ? json_pack("[o]", example) : example;
}

static json_t *query_parameter(struct writer *writer, const struct spec *spec)
{
    json_t *parameter = json_pack("{s:s, s:s, s:s, s:b}", "name", spec->name, "in", "query", "description", spec->text,
                                  "required", spec->required);
    put(writer, parameter, "schema", schema_of(writer, spec));
    if (spec->example)
        put(writer, parameter, "example", example_of(spec));
    return parameter;
}

/* Of a document of the client's own. */
static json_t *document_of(struct writer *writer, const struct route *route)
{
    json_t *content = json_pack("{s:{s:s}}", "schema", "type", "object");
    put(writer, content, "example", parse(route->example));
    return json_pack("{s:b, s:{s:o}}", "required", 1, "content", "application/json", content);
}

/* The parameters of a POST are the members of its body. */
static json_t *body_of(struct writer *writer, const struct route *route)
{
    if (route->takes_document)
        return document_of(writer, route);
    json_t *members = json_object(), *required = json_array();
    for (const struct spec *const *spec = route->parameters; *spec; spec++) {
        json_t *schema = schema_of(writer, *spec);
        put_text(writer, schema, "description", (*spec)->text);
        put(writer, members, (*spec)->name, schema);
        if ((*spec)->required)
            append(writer, required, json_string((*spec)->name));
    }
    json_t *schema = json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", members, "required", required,
                               "additionalProperties", 0);
    return json_pack("{s:b, s:{s:{s:O}, s:{s:o}}}", "required", 1, "content", "application/json", "schema", schema,
                     "application/x-www-form-urlencoded", "schema", schema);
}

/* The one between braces. */
static json_t *path_parameter(const char *brace)
{
    return json_pack("{s:s%, s:s, s:b, s:{s:s}}", "name", brace + 1, strcspn(brace + 1, "}"), "in", "path", "required", 1,
                     "schema", "type", "string");
}

/* ---- operations ---- */

/* Everybody whom credentials are asked of has limits. */
static void put_limited(struct writer *writer, json_t *answers, const struct route *route)
{
    if (route->access != ACCESS_PUBLIC)
        put(writer, answers, "429", json_pack("{s:s}", "$ref", route->fail ? "#/components/responses/PrometheusLimited"
                                                                           : "#/components/responses/Limited"));
}

static json_t *answers_of(struct writer *writer, const struct route *route)
{
    json_t *answers = json_object(), *content = json_object();
    for (const struct media *media = route->media; media && media->name; media++)
        put(writer, content, media->type, route->shape ? content_of_shape(writer, route->shape) : json_object());
    json_t *good = json_pack("{s:s}", "description", route->answer);
    if (route->media)
        put(writer, good, "content", content);
    else
        json_decref(content);
    put(writer, answers, "2XX", good);
    put_limited(writer, answers, route);
    put(writer, answers, "default", json_pack("{s:s}", "$ref", route->fail ? "#/components/responses/PrometheusError"
                                                                           : "#/components/responses/Problem"));
    return answers;
}

/* "get /v1/series/{id}" becomes getV1SeriesId. */
static void name_operation(const struct route *route, struct buf *out)
{
    bool begins_word = false;
    for (const char *c = route->method; *c; c++)
        buf_putc(out, (char)tolower((unsigned char)*c));
    for (const char *c = route->path; *c; c++) {
        if (isalnum((unsigned char)*c))
            buf_putc(out, begins_word ? (char)toupper((unsigned char)*c) : *c);
        begins_word = !isalnum((unsigned char)*c);
    }
    buf_putc(out, '\0');
}

/* What groups operations for people: D4.1 does so by the first part behind /api. */
static json_t *tags_of(const struct route *route)
{
    static const char *const groups[][2] = {
        {"/v1/", "Historian"}, {"/api/v1/", "Prometheus"}, {"/optimization_output", "OptimizationOutput"}};
    const char *path = route->path;
    for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++)
        if (!strncmp(path, groups[i][0], strlen(groups[i][0])))
            return json_pack("[s]", groups[i][1]);
    if (!strncmp(path, "/api/", 5))
        return json_pack("[s%]", path + 5, strcspn(path + 5, "/"));
    return json_pack("[s]", "Server");
}

/* What a token needs, for people and for the test that tries every route with every scope. */
static void put_scope(struct writer *writer, json_t *operation, const struct route *route)
{
    char scope[ACCESS_SCOPES_TEXT_MAX];
    access_scopes_print(route->scope, scope);
    put(writer, operation, "x-scope", json_string(scope));
    put(writer, operation, "x-scope-whole", json_boolean(route->is_whole || route->scope == SCOPE_OPS));
}


static json_t *operation_of(struct writer *writer, const struct route *route)
{
    struct buf id = {0};
    name_operation(route, &id);
    json_t *parameters = json_array();
    for (const char *brace = route->path; (brace = strchr(brace, '{')); brace++)
        append(writer, parameters, path_parameter(brace));
    bool has_body = route->takes_document || !strcmp(route->method, "POST");
    for (const struct spec *const *spec = route->parameters; *spec && !has_body; spec++)
        append(writer, parameters, query_parameter(writer, *spec));
    json_t *operation =
        json_pack("{s:s, s:s, s:o, s:o}", "operationId", id.failed ? "" : (const char *)id.data, "summary",
                  route->summary, "parameters", parameters, "responses", answers_of(writer, route));
    writer->failed = writer->failed || id.failed;
    buf_free(&id);
    put(writer, operation, "tags", tags_of(route));
    if (has_body)
        put(writer, operation, "requestBody", body_of(writer, route));
    if (route->access == ACCESS_PUBLIC)
        put(writer, operation, "security", json_array());
    else
        put_scope(writer, operation, route);
    return operation;
}

static json_t *paths_of(struct writer *writer, const struct route *table)
{
    json_t *paths = json_object();
    for (const struct route *route = table; route->method; route++) {
        char method[16] = "";
        for (size_t i = 0; route->method[i] && i < sizeof(method) - 1; i++)
            method[i] = (char)tolower((unsigned char)route->method[i]);
        if (!json_object_get(paths, route->path))
            put(writer, paths, route->path, json_object());
        put(writer, json_object_get(paths, route->path), method, operation_of(writer, route));
    }
    return paths;
}

/* ---- the document ---- */

/* The same of somebody who wants more than the configuration gives. */
static json_t *limited(const json_t *problem)
{
    json_t *made = json_deep_copy(problem);
    json_object_set_new(made, "description", json_string("More than one principal, or one request, may have; the text says what "
                                                         "would fit, and whether waiting helps"));
    json_object_set_new(made, "headers", json_pack("{s:{s:s, s:b, s:{s:s, s:i}}}", "Retry-After", "description",
                                                   "Seconds after which to ask again", "required", 1, "schema", "type", "integer",
                                                   "minimum", 1));
    return made;
}

/* Errors are RFC 9457. */
static json_t *components(void)
{
    json_t *problem = json_pack("{s:s, s:[s,s,s], s:{s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}}}", "type", "object",
                                "required", "status", "title", "detail", "properties", "status", "type", "integer",
                                "title", "type", "string", "detail", "type", "string", "field", "type", "string");
    json_t *told = json_pack("{s:s, s:{s:{s:{s:s}}}}", "description", "What is wrong: the field at fault, and what is allowed",
                             "content", "application/problem+json", "schema", "$ref", "#/components/schemas/Problem");
    json_t *prometheus =
        json_pack("{s:s, s:{s:{s:{s:s, s:[s,s,s], s:{s:{s:[s]}, s:{s:s}, s:{s:s}}}}, s:{s:{s:s}}}}", "description",
                  "What is wrong, in the shape of Prometheus; who may not ask at all gets a problem", "content",
                  "application/json", "schema", "type", "object", "required", "status", "errorType", "error", "properties",
                  "status", "enum", "error", "errorType", "type", "string", "error", "type", "string",
                  "application/problem+json", "schema", "$ref", "#/components/schemas/Problem");
    json_t *too_much = limited(told), *prometheus_too_much = limited(prometheus);
    return json_pack("{s:{s:o}, s:{s:o, s:o, s:o, s:o}, s:{s:{s:s, s:s}, s:{s:s, s:s}}}", "schemas", "Problem", problem,
                     "responses", "Problem", told, "PrometheusError", prometheus, "Limited", too_much, "PrometheusLimited",
                     prometheus_too_much, "securitySchemes", "token", "type", "http", "scheme",
                     "bearer", "password", "type", "http", "scheme", "basic");
}

int openapi_print(const struct route *table, struct buf *out)
{
    struct writer writer = {0};
    json_t *document =
        json_pack("{s:s, s:{s:s, s:s, s:s}, s:[{s:[]}, {s:[]}]}", "openapi", "3.1.0", "info", "title", PACKAGE_NAME, "version",
                  PACKAGE_VERSION, "description", "A historian for energy data: readings of any stretch of the past",
                  "security", "token", "password");
    put(&writer, document, "paths", paths_of(&writer, table));
    put(&writer, document, "components", components());
    char *text = writer.failed ? NULL : json_dumps(document, JSON_COMPACT);
    json_decref(document);
    if (!text)
        return ERR_NOMEM;
    buf_puts(out, text);
    buf_putc(out, '\n');
    free(text);
    return out->failed ? ERR_NOMEM : 0;
}
