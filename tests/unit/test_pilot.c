/* The Pilot 2 API against scripted assets and readings. That answers are right is tests/accept/66-pilot.py's; here are the
 * corners. */
#include <config.h>

#include "../lib/test.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/fake_source.h"
#include "http/pilot.h"
#include "normalise/asset_rules.h"

#define SENSOR(id_, type_, document_)                                                                                  \
    {                                                                                                                  \
        "Sensor", id_, type_, "e-1", "MainDistributionBoard", "b-1", document_, 0, 0                                   \
    }

static const struct asset assets[] = {
    {"Customer", "c-\"1\"", "", "", "", "", "{}", 0, 0},
    SENSOR("s-1", "HeatPump", "{\"name\":\"T\\u010c1\",\"static\" : {\"turnOnCost\":1.50,\"minUpTime\":-0}}"),
    SENSOR("s-2", "Temperature", "{\"st\\u0061tic\":{\"a\":[1,{\"maxTemperature\":1}],\"maxTemperature\":\t30 }}"),
    SENSOR("s-3", "Solar", "{}"),
};

static const struct fake_series series[] = {
    {{1, "e-1", "HeatPump", "activePower", "W", KIND_GAUGE, false, 0, NULL}, {3, 0, 1740787202000000, {3}}},
    {{2, "e-1", "HeatPump", "temperature", "degC", KIND_GAUGE, false, 0, NULL}, {3, 0, 1740787202500000, {3}}},
};

static int published; /* what publish answers; above 0: the size it got */

static int publish(void *arg, const void *document, size_t size, struct published *ret_place, struct err_text *error)
{
    (void)arg, (void)document;
    if (published < 0)
        return err_set(error, published, "away");
    published = (int)size;
    *ret_place = (struct published){"optimization", 1, 7};
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    fake_source.series = series;
    fake_source.n_series = 2;
    fake_source.assets = assets;
    fake_source.n_assets = sizeof(assets) / sizeof(*assets);
    fake_source.outputs = NULL;
    fake_source.n_outputs = 0;
    fake_source.n_rows = 3;
    fake_source.step_us = 900000000;
    fake_source.fail_at = -1;
    published = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(atomic_load(&fake_source.n_views), 0);
    assert_int_equal(atomic_load(&fake_source.n_answers), 0);
    return 0;
}

/* Answers a request past its credentials; the body of the answer is for the caller to free. */
static unsigned ask(const char *method, const char *path, const char *id, const char *target, const char *body, char **ret_body)
{
    struct server_opts opts = {.publish = publish};
    struct request request = {.opts = &opts, .method = method, .version = "HTTP/1.1", .target = target,
                              .content_type = "application/json", .body = body, .body_size = strlen(body)};
    struct reply reply = {0};
    struct err_text error = {0};
    for (const struct route *route = routes; route->method; route++)
        if (!strcmp(route->method, method) && !strcmp(route->path, path))
            request.route = route;
    assert_non_null(request.route);
    snprintf(request.id, sizeof(request.id), "%s", id);
    route_answer(&request, &reply);
    while (reply.stream && reply.stream->fill(reply.stream, &reply.body, &error) > 0)
        ;
    unsigned status = reply.status;
    *ret_body = strndup((const char *)reply.body.data, reply.body.n);
    reply_done(&reply);
    request_done(&request);
    return status;
}

static void assert_answer(const char *path, const char *id, const char *target, const char *expected)
{
    char *body;
    assert_int_equal(ask("GET", path, id, target, "", &body), 200);
    assert_string_equal(body, expected);
    free(body);
}

static void names_are_pseudonyms_and_texts_are_escaped(void **state)
{
    (void)state;
    assert_answer("/api/Customer/Get", "", "/", "[{\"id\":\"c-\\\"1\\\"\",\"name\":\"c-\\\"1\\\"\"}]\n");
    assert_answer("/v1/entities", "", "/?type=Solar",
                  "{\"entities\":[\n{\"entity\":\"e-1\",\"type\":\"HeatPump\",\"sensors\":["
                  "{\"id\":\"s-1\",\"type\":\"HeatPump\",\"name\":\"T\\u010c1\",\"board\":\"b-1\",\"location\":null,"
                  "\"customer\":null,\"static\":{\"turnOnCost\":1.50,\"minUpTime\":-0}},\n"
                  "{\"id\":\"s-2\",\"type\":\"Temperature\",\"name\":\"s-2\",\"board\":\"b-1\",\"location\":null,"
                  "\"customer\":null,\"static\":{\"a\":[1,{\"maxTemperature\":1}],\"maxTemperature\":\t30 }},\n"
                  "{\"id\":\"s-3\",\"type\":\"Solar\",\"name\":\"s-3\",\"board\":\"b-1\",\"location\":null,"
                  "\"customer\":null,\"static\":{}}]}\n],\"next\":null}\n");
}

static void static_facts_keep_their_digits_and_lacking_ones_are_null(void **state)
{
    (void)state;
    assert_answer("/api/Sensor/{id}/HeatPumpStatic", "s-1", "/",
                  "{\"id\":\"s-1\",\"turnOnCost\":1.50,\"isZeroOneAsset\":null,\"coefficientOfPerformance\":null,"
                  "\"fixedRunningConst\":null,\"variableRunningConst\":null,\"minUpTime\":-0,\"maxUpTime\":null,"
                  "\"minDownTime\":null,\"maxDownTime\":null}\n");
    assert_answer("/api/Sensor/{id}/TemperatureStatic", "s-2", "/", "{\"maxTemperature\":30,\"minTemperature\":null}\n");
    assert_answer("/api/Sensor/{id}/SolarStatic", "s-3", "/",
                  "{\"id\":\"s-3\",\"inclination\":null,\"declination\":null,\"latitude\":null,\"longitude\":null,"
                  "\"peakPower\":null}\n");
}

#define SPAN "?from=2025-03-01T00:00:00Z&to=2025-03-01T00:40:00Z"

static void rows_without_a_value_are_left_out_and_the_newest_counts(void **state)
{
    (void)state;
    fake_source.n_rows = 4; /* the fourth is null */
    assert_answer("/api/Sensor/{id}/HeatPumpDynamic", "s-1", "/" SPAN,
                  "{\"id\":\"s-1\",\n\"energy\":[],\n\"power\":[\n"
                  "{\"dateTime\":\"2025-03-01T00:00:00.000Z\",\"value\":-6.78},\n"
                  "{\"dateTime\":\"2025-03-01T00:15:00.000Z\",\"value\":1.000000007},\n"
                  "{\"dateTime\":\"2025-03-01T00:30:00.000Z\",\"value\":2}],\n\"calorimeterEnergy\":[]}\n");
    assert_answer("/api/Sensor/{id}/TemperatureDynamic", "s-2", "/" SPAN,
                  "{\"dateTime\":\"2025-03-01T00:00:02.500Z\",\n\"value\":12.5}\n");
    assert_answer("/api/Sensor/{id}/TemperatureDynamic", "s-2", "/?from=2025-03-01T00:00:03Z&to=2025-03-02T00:00:00Z",
                  "{\"dateTime\":null,\n\"value\":null}\n");
}

static void a_failure_midway_is_an_error_and_gives_everything_back(void **state)
{
    char *body;
    (void)state;
    fake_source.fail_at = 1;
    assert_int_equal(ask("GET", "/api/Sensor/{id}/HeatPumpDynamic", "s-1", "/" SPAN, "", &body), 410);
    free(body);
}

static void what_is_not_there_is_named(void **state)
{
    static const struct {
        const char *path, *id, *word;
    } cases[] = {
        {"/api/Sensor/{id}/HeatPumpStatic", "s-9", "s-9"},
        {"/api/Sensor/{id}/HeatPumpStatic", "s-3", "Solar"},
        {"/api/Sensor/{id}/SolarDynamic", "s-1", "HeatPump"},
        {"/api/Customer/{customerId}/Locations", "c-2", "Customer \\\"c-2\\\""},
        {"/api/MainDistributionBoard/Rate", "", "first one"},
        {"/api/DistrictHeating/{sensorId}/Rate", "s-1", "DistrictHeating"},
        {"/v1/entities/{id}", "e-2", "e-2"},
        {"/v1/entities/{id}", "e*", "e*"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char *body;
        assert_int_equal(ask("GET", cases[i].path, cases[i].id, "/", "", &body), 404);
        if (!strstr(body, cases[i].word))
            fail_msg("%s %s: %s", cases[i].path, cases[i].id, body);
        free(body);
    }
}

static void an_output_is_taken_once_the_broker_has_it(void **state)
{
    char *body;
    (void)state;
    assert_int_equal(ask("POST", "/optimization_output", "", "/", "{\"a\":[1]}", &body), 202);
    assert_string_equal(body, "{\"topic\":\"optimization\",\"partition\":1,\"offset\":7}\n");
    assert_int_equal(published, 9);
    free(body);
    published = ERR_BUSY;
    assert_int_equal(ask("POST", "/optimization_output", "", "/", "{}", &body), 503);
    free(body);
    published = 0;
    assert_int_equal(ask("POST", "/optimization_output", "", "/", "[]", &body), 400);
    free(body);
    assert_int_equal(ask("POST", "/optimization_output", "", "/?x=1", "{}", &body), 400);
    free(body);
    assert_int_equal(published, 0);
}

/* Three of one millisecond: pages go on behind the row, not behind the time. */
static void outputs_of_one_time_are_paged_without_holes(void **state)
{
    static const struct optimization outputs[] = {{2000, 1, 5, "{\"n\":1}"}, {2000, 0, 9, "{\"n\":2}"}, {2000, 0, 8, "{\"n\":3}"},
                                                  {1000, 0, 7, "{\"n\":4}"}};
    char target[96] = "/?limit=1", *body;
    (void)state;
    fake_source.outputs = outputs;
    fake_source.n_outputs = 4;
    for (int n = 1; n <= 4; n++) {
        assert_int_equal(ask("GET", "/optimization_output", "", target, "", &body), 200);
        json_t *page = json_loads(body, 0, NULL);
        json_t *rows = json_object_get(page, "outputs"), *next = json_object_get(page, "next");
        assert_int_equal(json_array_size(rows), 1);
        assert_int_equal(json_integer_value(json_object_get(json_object_get(json_array_get(rows, 0), "output"), "n")), n);
        assert_int_equal(json_is_null(next), n == 4);
        if (n < 4)
            snprintf(target, sizeof(target), "/?limit=1&cursor=%s", json_string_value(next));
        json_decref(page);
        free(body);
    }
}

/* What a static object tells is what a document may state, field by field. */
static void static_objects_have_the_fields_of_the_checked_documents(void **state)
{
    size_t n = 0;
    (void)state;
    for (const struct pilot_object *object = pilot_objects; object->name; object++) {
        const struct rules *rules = asset_static_rules(object->type, strlen(object->type));
        assert_non_null(rules);
        if (!strstr(object->name, "Static"))
            continue;
        size_t i = 0;
        for (const struct shape_field *field = object->shape->fields; field->name; field++, i++) {
            assert_true(i < rules->n);
            assert_string_equal(field->name, rules->at[i].name);
        }
        assert_int_equal(i, rules->n);
        n++;
    }
    assert_int_equal(n, 7);
}

static void members_are_found_whatever_stands_around_them(void **state)
{
    static const struct {
        const char *object, *value; /* of "x"; NULL: none */
    } cases[] = {
        {"{}", NULL}, {"{\"x\":1}", "1"}, {" { \"x\" : \"}\" } ", "\"}\""}, {"{\"y\":{\"x\":1},\"x\":[2,[3]]}", "[2,[3]]"},
        {"{\"y\":\"\\\"x\\\":\",\"x\":{\"a\":\"]\"}}", "{\"a\":\"]\"}"}, {"{\"\\u0078\":true}", "true"},
        {"{\"xx\":1,\"X\":2}", NULL},
        {"{\"y\":\"\\\\\",\"x\":-1.5e3}", "-1.5e3"}, {"{\"x\":", ""}, {"{\"x", NULL}, {"", NULL}, {"{\"y\":[", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        size_t size = 0;
        char *copy = strdup(cases[i].object); /* so that ASan sees a step too far */
        const char *found = pilot_member(copy, strlen(copy), "x", &size);
        if (cases[i].value)
            assert_true(found && size == strlen(cases[i].value) && !memcmp(found, cases[i].value, size));
        else if (found)
            fail_msg("%s: found \"%.*s\"", cases[i].object, (int)size, found);
        free(copy);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(names_are_pseudonyms_and_texts_are_escaped),
        CASE(static_facts_keep_their_digits_and_lacking_ones_are_null),
        CASE(rows_without_a_value_are_left_out_and_the_newest_counts),
        CASE(a_failure_midway_is_an_error_and_gives_everything_back),
        CASE(what_is_not_there_is_named),
        CASE(an_output_is_taken_once_the_broker_has_it),
        CASE(outputs_of_one_time_are_paged_without_holes),
        CASE(static_objects_have_the_fields_of_the_checked_documents),
        CASE(members_are_found_whatever_stands_around_them),
    };
    return cmocka_run_group_tests_name("pilot", tests, NULL, NULL);
}
