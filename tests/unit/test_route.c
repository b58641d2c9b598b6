#include <config.h>

#include "../lib/test.h"

#include "http/route.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "http/listen.h"

static const struct media media[] = {
    {"json", "application/json"},
    {"csv", "text/csv"},
    {"arrow", "application/vnd.apache.arrow.stream"},
    {NULL, NULL},
};

/* The examples of RFC 9110 section 12.5.1, and what browsers and charting clients send. */
static void accept_chooses_what_the_client_likes_best(void **state)
{
    static const struct {
        const char *accept, *name;
    } cases[] = {
        {NULL, "json"}, {"", "json"}, {"*/*", "json"}, {"application/json", "json"}, {"text/csv", "csv"},
        {"TEXT/CSV; charset=utf-8", "csv"}, {"text/*", "csv"}, {"application/*", "json"},
        {"text/csv;q=0.5, application/json;q=0.4", "csv"}, {"text/csv;q=0.5,application/json", "json"},
        {"text/csv;q=0.001, */*;q=0", "csv"}, {"application/json;q=0, */*", "csv"},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "json"},
        {"text/*;q=0.3, text/csv;q=0.7, application/json;q=0.5", "csv"}, {"text/csv ; q=1.000 , */*;q=0.1", "csv"},
        {"text/csv;header=present;q=0.2, application/json;q=0.3", "json"},
        {"application/xml", NULL}, {"application/json;q=0", NULL}, {"application/vnd.apache.arrow.stream", "arrow"},
        {"text", NULL}, {"text/csvx", NULL}, {",,;", NULL}, {"*", NULL}, {"text/csv;q=0.000", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct media *chosen = accept_media(media, cases[i].accept);
        if (cases[i].name ? !chosen || strcmp(chosen->name, cases[i].name) : chosen != NULL)
            fail_msg("Accept: %s gave %s", cases[i].accept, chosen ? chosen->name : "nothing");
    }
}

static void a_content_coding_is_chosen_by_weight(void **state)
{
    static const char *const list[] = {"zstd", "gzip", NULL};
    static const struct {
        const char *header, *coding;
    } cases[] = {
        {NULL, NULL}, {"", NULL}, {"identity", NULL}, {"br, deflate", NULL}, {"gzip;q=0", NULL}, {"*/*", NULL},
        {"gzip", "gzip"}, {"GZIP, deflate, br", "gzip"}, {"gzip, zstd", "zstd"}, {"gzip, zstd;q=0.9", "gzip"},
        {"*", "zstd"}, {"zstd;q=0, *;q=0.1", "gzip"}, {"gzipx", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *chosen = accept_coding(list, cases[i].header);
        if (cases[i].coding ? !chosen || strcmp(chosen, cases[i].coding) : chosen != NULL)
            fail_msg("Accept-Encoding: %s gave %s", cases[i].header, chosen ? chosen : "nothing");
    }
}

static bool is_loopback_4(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    assert_int_equal(inet_pton(AF_INET, text, &address.sin_addr), 1);
    return address_is_loopback((struct sockaddr *)&address);
}

static bool is_loopback_6(const char *text)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};
    assert_int_equal(inet_pton(AF_INET6, text, &address.sin6_addr), 1);
    return address_is_loopback((struct sockaddr *)&address);
}

static void only_this_machine_is_loopback(void **state)
{
    (void)state;
    assert_true(is_loopback_4("127.0.0.1") && is_loopback_4("127.255.0.9"));
    assert_true(is_loopback_6("::1") && is_loopback_6("::ffff:127.0.0.1"));
    assert_false(is_loopback_4("128.0.0.1") || is_loopback_4("10.0.0.127") || is_loopback_4("0.0.0.0"));
    assert_false(is_loopback_6("::2") || is_loopback_6("::ffff:10.0.0.1") || is_loopback_6("127::1"));
}

static void health_needs_credentials_from_elsewhere(void **state)
{
    static const char *const paths[] = {"/healthz", "/readyz", "/metrics"};
    (void)state;
    for (int loopback = 0; loopback < 2; loopback++)
        for (size_t i = 0; i < 3; i++) {
            struct request request = {.method = "GET", .version = "HTTP/1.1", .target = paths[i], .loopback = loopback};
            struct reply reply = {0};
            route_head(&request, &reply);
            assert_int_equal(reply.status, loopback ? 0 : 401);
            reply_done(&reply);
        }
}

/* Every route has a scope, so that none is open to the world by a slip of the table. */
static void every_route_asks_for_a_scope_and_takes_no_secret_parameter(void **state)
{
    (void)state;
    for (const struct route *route = routes; route->method; route++) {
        assert_int_not_equal(route->scope, 0);
        assert_non_null(route->handler);
        for (const struct spec *const *spec = route->parameters; *spec; spec++)
            assert_null(strstr((*spec)->name, "token"));
    }
}

static void parts_of_a_path_stand_where_the_route_says(void **state)
{
    static const struct {
        const char *target;
        unsigned status; /* 404, or 401: there is a route */
    } cases[] = {
        {"/v1/exports/abc/manifest.json", 401}, {"/v1/exports/abc/manifest.json?x=1", 401}, {"/v1/exports/abc", 401},
        {"/v1/exports/abc/", 404}, {"/v1/exports//manifest.json", 404}, {"/v1/exports/abc/a/b", 404},
        {"/v1/exports/abc/a%2fb", 401},
        {"/api/MainDistributionBoard//Rate", 401}, {"/api/MainDistributionBoard/Rate?x=1", 401},
        {"/api/MainDistributionBoard///Rate", 404}, {"/api//MainDistributionBoard/Rate", 404}, {"/v1//series", 404},
        {"/v1/exports/", 404}, {"/v1/series/7", 401}, {"/v1/series/7/8", 404}, {"/v1/seriesx", 404},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct request request = {.method = "GET", .version = "HTTP/1.1", .target = cases[i].target};
        struct reply reply = {0};
        route_head(&request, &reply);
        if (reply.status != cases[i].status)
            fail_msg("%s: %u", cases[i].target, reply.status);
        if (i < 2)
            assert_true(!strcmp(request.id, "abc") && !strcmp(request.file, "manifest.json"));
        else if (reply.status == 401)
            assert_int_equal(*request.file != 0, strstr(cases[i].target, "%2f") != NULL);
        reply_done(&reply);
    }
}

static void assert_form(const char *text, int code, const char *expected)
{
    struct parameters *parameters = calloc(1, sizeof(*parameters));
    struct err_text error = {0};
    struct buf out = {0};
    assert_int_equal(parameters_from_form(parameters, text, strlen(text), &error), code);
    for (size_t i = 0; i < parameters->n; i++)
        buf_printf(&out, "[%s|%s]", parameters->rows[i].name, parameters->rows[i].value);
    buf_putc(&out, '\0');
    assert_string_equal((const char *)out.data, expected);
    buf_free(&out);
    parameters_free(parameters);
    free(parameters);
}

static void forms_are_decoded_once(void **state)
{
    (void)state;
    assert_form("", 0, "");
    assert_form("&&a=1&&b&c=&=d&", 0, "[a|1][b|][c|][|d]");
    assert_form("a%3D=%26+%2B%25", 0, "[a=|& +%]");
    assert_form("a=%2525", 0, "[a|%25]");
    assert_form("a=b=c", 0, "[a|b=c]");
    assert_form("x=1&a=%", ERR_INVALID, "[x|1]");
    assert_form("a=%2", ERR_INVALID, "");
    assert_form("a=%2g", ERR_INVALID, "");
    assert_form("%00=1", ERR_INVALID, "");
    assert_form("a%0=1", ERR_INVALID, "");
}

static void only_the_offset_of_a_time_gets_its_plus_back(void **state)
{
    (void)state;
    assert_form("from=2025-03-01T00:00:00+01:00", 0, "[from|2025-03-01T00:00:00+01:00]");
    assert_form("to=2025-03-01+00:00:00+01:00", 0, "[to|2025-03-01 00:00:00+01:00]");
    assert_form("to=2025-03-01T00:00:00-01:00", 0, "[to|2025-03-01T00:00:00-01:00]");
    assert_form("from=2025-03-01+00:00", 0, "[from|2025-03-01 00:00]"); /* a date and a time of day */
    assert_form("from=2025-03-01+00:00:00", 0, "[from|2025-03-01 00:00:00]");
    assert_form("q=12:00+01:00", 0, "[q|12:00 01:00]");
}

static void a_parameter_of_the_path_may_hold_what_was_escaped(void **state)
{
    static const struct {
        const char *target, *path, *id;
    } cases[] = {
        {"/v1/series/7", "/v1/series/{id}", "7"},
        {"/v1/series/a%2Fb%20c?x=/y", "/v1/series/{id}", "a/b c"},
        {"/v1/seri%65s?limit=3", "/v1/series", ""},
        {"/v1/series/", NULL, ""},
        {"/v1/series/7/", NULL, ""},
        {"/v1/series/7/8", NULL, ""},
        {"/v1%2Fseries", NULL, ""},
        {"v1/series", NULL, ""},
        {"/v1/serie", NULL, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct request request = {.method = "GET", .version = "HTTP/1.1", .target = cases[i].target};
        struct reply reply = {0};
        route_head(&request, &reply);
        if (!!request.route != !!cases[i].path || (cases[i].path && strcmp(request.route->path, cases[i].path)))
            fail_msg("%s went to %s", cases[i].target, request.route ? request.route->path : "nobody");
        if (cases[i].path)
            assert_string_equal(request.id, cases[i].id);
        reply_done(&reply);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept_chooses_what_the_client_likes_best),
        cmocka_unit_test(a_content_coding_is_chosen_by_weight),
        cmocka_unit_test(only_this_machine_is_loopback),
        cmocka_unit_test(health_needs_credentials_from_elsewhere),
        cmocka_unit_test(every_route_asks_for_a_scope_and_takes_no_secret_parameter),
        cmocka_unit_test(parts_of_a_path_stand_where_the_route_says),
        cmocka_unit_test(forms_are_decoded_once),
        cmocka_unit_test(only_the_offset_of_a_time_gets_its_plus_back),
        cmocka_unit_test(a_parameter_of_the_path_may_hold_what_was_escaped),
    };
    return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
