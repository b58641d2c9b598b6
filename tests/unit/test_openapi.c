#include <config.h>

#include "../lib/test.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "http/openapi.h"

static json_t *document;

static int open_document(void **state)
{
    struct buf text = {0};
    (void)state;
    assert_int_equal(openapi_print(routes, &text), 0);
    document = json_loadb((const char *)text.data, text.n, JSON_REJECT_DUPLICATES, NULL);
    buf_free(&text);
    return document ? 0 : -1;
}

static int close_document(void **state)
{
    (void)state;
    json_decref(document);
    return 0;
}

static json_t *operation(const char *path, const char *method)
{
    char name[16] = "";
    for (size_t i = 0; method[i]; i++)
        name[i] = (char)(method[i] + ('a' - 'A'));
    return json_object_get(json_object_get(json_object_get(document, "paths"), path), name);
}

static void every_route_is_told_and_nothing_else(void **state)
{
    size_t n_told = 0, n_routes = 0;
    const char *path, *method;
    json_t *methods, *told;
    (void)state;
    json_object_foreach(json_object_get(document, "paths"), path, methods) json_object_foreach(methods, method, told)
        n_told++;
    for (const struct route *route = routes; route->method; route++, n_routes++)
        if (!operation(route->path, route->method))
            fail_msg("%s %s is not in the document", route->method, route->path);
    assert_int_equal(n_told, n_routes);
}

/* Whether the document says that an operation takes a parameter. */
static bool is_told(const struct route *route, const char *name)
{
    json_t *told = operation(route->path, route->method), *parameter;
    size_t i;
    json_t *body =
        json_object_get(json_object_get(json_object_get(told, "requestBody"), "content"), "application/json");
    if (json_object_get(json_object_get(json_object_get(body, "schema"), "properties"), name))
        return true;
    json_array_foreach(
        json_object_get(told, "parameters"), i,
        parameter) if (!strcmp(json_string_value(json_object_get(parameter, "name")), name) &&
                       !strcmp(json_string_value(json_object_get(parameter, "in")), "query")) return true;
    return false;
}

/* Whether the server takes it: a request with it and one that nobody takes is refused for the latter. */
static bool is_taken(const struct route *route, const char *name)
{
    char form[128], target[256];
    if (route->takes_document) /* whatever it has */
        return false;
    bool has_body = !strcmp(route->method, "POST");
    snprintf(form, sizeof(form), "%s=x&nobody=x", name);
    snprintf(target, sizeof(target), "%s?%s", route->path, form);
    struct request request = {.method = route->method,
                              .version = "HTTP/1.1",
                              .target = has_body ? route->path : target,
                              .route = route,
                              .content_type = "application/x-www-form-urlencoded",
                              .body = form,
                              .body_size = strlen(form)};
    struct reply reply = {0};
    route_answer(&request, &reply);
    assert_int_equal(reply.status, 400);
    json_t *problem = json_loadb((const char *)reply.body.data, reply.body.n, 0, NULL);
    const char *field = json_string_value(json_object_get(problem, route->fail ? "error" : "field"));
    bool taken = route->fail ? strstr(field, "\"nobody\"") != NULL : !strcmp(field, "nobody");
    json_decref(problem);
    reply_done(&reply);
    request_done(&request);
    return taken;
}

/* All names of all routes are asked of each of them. */
static void the_server_takes_what_the_document_says_and_nothing_else(void **state)
{
    size_t n_taken = 0;
    (void)state;
    for (const struct route *route = routes; route->method; route++)
        for (const struct route *other = routes; other->method; other++)
            for (const struct spec *const *spec = other->parameters; *spec; spec++) {
                if (is_taken(route, (*spec)->name) != is_told(route, (*spec)->name))
                    fail_msg("%s %s: %s is %s", route->method, route->path, (*spec)->name,
                             is_told(route, (*spec)->name) ? "told and not taken" : "taken and not told");
                n_taken += is_told(route, (*spec)->name);
            }
    assert_true(n_taken > 0);
}

static void every_operation_has_a_name_of_its_own_and_says_what_it_does(void **state)
{
    json_t *names = json_object();
    (void)state;
    for (const struct route *route = routes; route->method; route++) {
        json_t *told = operation(route->path, route->method);
        const char *name = json_string_value(json_object_get(told, "operationId"));
        assert_null(json_object_get(names, name));
        json_object_set_new(names, name, json_true());
        assert_true(strlen(json_string_value(json_object_get(told, "summary"))) > 5);
        assert_non_null(json_object_get(json_object_get(told, "responses"), "2XX"));
        bool is_limited = json_object_get(json_object_get(told, "responses"), "429") != NULL;
        assert_int_equal(is_limited, route->access != ACCESS_PUBLIC);
    }
    json_decref(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_is_told_and_nothing_else),
        cmocka_unit_test(the_server_takes_what_the_document_says_and_nothing_else),
        cmocka_unit_test(every_operation_has_a_name_of_its_own_and_says_what_it_does),
    };
    return cmocka_run_group_tests_name("openapi", tests, open_document, close_document);
}
