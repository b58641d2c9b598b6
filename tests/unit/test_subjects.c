/* The routes of the vault against a scripted one: what they ask, and how its answers and refusals are told. */
#include <config.h>

#include "../lib/test.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/fake_source.h"
#include "http/route.h"

static const struct asset assets[] = {{"Customer", "c-1", "", "", "", "", "{}", 0, 0},
                                      {"Customer", "c-2", "", "", "", "", "{}", 0, 0}};
static const struct fake_series series[] = {
    {{1, "e-1", "HeatPump", "activePower", "W", KIND_GAUGE, false, 0, NULL}, {3, 0, 1740787202000000, {3}}},
    {{2, "e-2", "HeatPump", "activePower", "W", KIND_GAUGE, false, 0, NULL}, {3, 0, 1740787202000000, {3}}},
};

static struct {
    const char *answer; /* JSON; NULL: the code */
    const char *page;   /* the same for questions with "after", where it is not NULL; "": the code */
    int rc;
    char *question;     /* the last one */
    int n_carried, carry_rc;
    bool pending;
} vault;

static int ask_vault(void *arg, json_t *question, json_t **ret_answer, struct err_text *error)
{
    (void)arg;
    free(vault.question);
    vault.question = json_dumps(question, JSON_COMPACT | JSON_SORT_KEYS);
    const char *answer = vault.page && json_object_get(question, "after") ? vault.page : vault.answer;
    json_decref(question);
    if (!answer || !*answer)
        return err_set_field(error, vault.rc, vault.rc == ERR_INVALID ? "consents" : "", "what the vault says");
    *ret_answer = json_loads(answer, 0, NULL);
    return 0;
}

static int carry_over(void *arg, struct err_text *error)
{
    (void)arg;
    vault.n_carried++;
    return vault.carry_rc ? err_set(error, vault.carry_rc, "the disk is full") : 0;
}

static int is_pending(void *arg, const char *const *entities, size_t n, bool *ret_pending, struct err_text *error)
{
    (void)arg, (void)error;
    assert_int_equal(n, 1);
    assert_string_equal(entities[0], "e-1");
    *ret_pending = vault.pending;
    return 0;
}

static json_t *retentions(void *arg)
{
    (void)arg;
    return json_pack("{s:s}", "readings.main", "P7D");
}

static const struct vault_door door = {ask_vault, carry_over, is_pending, retentions, NULL, INT64_C(86400000000)};

static int set_up(void **state)
{
    (void)state;
    fake_source = (struct fake_source){.series = series,
                                       .n_series = 2,
                                       .assets = assets,
                                       .n_assets = 2,
                                       .fail_at = -1,
                                       .n_rows = 2,
                                       .step_us = 900000000};
    free(vault.question);
    memset(&vault, 0, sizeof(vault));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(vault.question);
    vault.question = NULL;
    assert_int_equal(atomic_load(&fake_source.n_views), 0);
    assert_int_equal(atomic_load(&fake_source.n_answers), 0);
    return 0;
}

static char *answered; /* the body of the last answer */
static bool kept;      /* whether somebody on the way may keep it */

/* Asks past the credentials; target: what stands behind the path. */
static unsigned ask(const char *method, const char *path, const char *query, const char *body)
{
    struct server_opts opts = {.vault = &door};
    struct request request = {.opts = &opts,
                              .method = method,
                              .version = "HTTP/1.1",
                              .target = query,
                              .content_type = "application/json",
                              .body = body,
                              .body_size = strlen(body),
                              .principal = {.name = "anna", .grants = {.scopes = SCOPES_ALL, .whole = SCOPES_ALL}}};
    struct reply reply = {0};
    struct err_text error = {0};
    for (const struct route *route = routes; route->method; route++)
        if (!strcmp(route->method, method) && !strcmp(route->path, path))
            request.route = route;
    assert_non_null(request.route);
    snprintf(request.id, sizeof(request.id), "%s", strstr(path, "{id}") ? "c-1" : "");
    route_answer(&request, &reply);
    while (reply.stream && reply.stream->fill(reply.stream, &reply.body, &error) > 0)
        ;
    unsigned status = reply.status;
    const char *cache = reply_header_value(&reply, "Cache-Control");
    kept = !cache || strcmp(cache, "no-store") != 0;
    free(answered);
    answered = strndup((const char *)reply.body.data, reply.body.n);
    reply_done(&reply);
    request_done(&request);
    return status;
}

#define SUBJECT "/v1/subjects/{id}"

static void what_is_put_is_handed_to_the_vault_and_to_nobody_else(void **state)
{
    (void)state;
    vault.answer = "{\"ok\":true,\"created\":true,\"revision\":1}";
    assert_int_equal(ask("PUT", SUBJECT, "", "{\"fields\":{\"name\":\"N\",\"email\":null},\"entities\":[\"e-1\"]}"), 201);
    assert_string_equal(vault.question, "{\"actor\":\"anna\",\"do\":\"put\",\"entities\":[\"e-1\"],\"fields\":{\"email\":null,"
                                        "\"name\":\"N\"},\"subject\":\"c-1\"}");
    assert_string_equal(answered, "{\"created\":true,\"revision\":1,\"subject\":\"c-1\"}\n");
    assert_false(kept);
    vault.answer = "{\"ok\":true,\"created\":false,\"revision\":2}";
    assert_int_equal(ask("PUT", SUBJECT, "", "{}"), 200);
    /* A member of another name is refused, and cannot stand for one of the question's own. */
    assert_int_equal(ask("PUT", SUBJECT, "", "{\"actor\":\"eve\"}"), 400);
    assert_non_null(strstr(answered, "\"field\":\"actor\""));
    assert_int_equal(ask("PUT", SUBJECT, "", "[]"), 400);
    assert_int_equal(ask("PUT", SUBJECT, "", "{\"fields\":\"Zdenka"), 400);
    assert_null(strstr(answered, "Zdenka"));
    assert_int_equal(ask("PUT", SUBJECT, "?entities=e-1", "{}"), 400);
    vault.answer = NULL;
    vault.rc = ERR_INVALID;
    assert_int_equal(ask("POST", SUBJECT "/consents", "", "{\"consents\":1}"), 400);
    assert_non_null(strstr(answered, "\"field\":\"consents\""));
    assert_int_equal(ask("POST", SUBJECT "/restrict", "", "{}"), 400);
    assert_non_null(strstr(answered, "\"field\":\"restricted\""));
}

static void purpose_is_needed_and_refusals_look_like_nothing_there(void **state)
{
    static const int codes[] = {ERR_NOTFOUND, ERR_DENIED, ERR_EXPIRED};
    char *first = NULL;
    (void)state;
    assert_int_equal(ask("GET", SUBJECT, "", ""), 400);
    assert_non_null(strstr(answered, "\"field\":\"purpose\""));
    assert_int_equal(ask("POST", "/v1/subjects/search", "", "{\"email\":\"x\"}"), 400);
    assert_non_null(strstr(answered, "\"field\":\"purpose\""));
    assert_null(vault.question);
    for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
        vault.rc = codes[i];
        assert_int_equal(ask("GET", SUBJECT, "?purpose=billing", ""), 404);
        if (first)
            assert_string_equal(answered, first);
        free(first);
        first = strdup(answered);
    }
    free(first);
    vault.rc = ERR_BUSY;
    assert_int_equal(ask("GET", SUBJECT, "?purpose=billing", ""), 503);
    assert_non_null(strstr(answered, "what the vault says"));
    vault.answer = "{\"ok\":true,\"fields\":{\"name\":\"N\"},\"entities\":[],\"consents\":[],\"restricted\":false}";
    assert_int_equal(ask("GET", SUBJECT, "?purpose=billing", ""), 200);
    assert_string_equal(vault.question, "{\"actor\":\"anna\",\"do\":\"read\",\"purpose\":\"billing\",\"subject\":\"c-1\"}");
    assert_false(kept);
}

static void one_field_is_searched_and_never_in_the_url(void **state)
{
    (void)state;
    vault.answer = "{\"ok\":true,\"subjects\":[\"c-1\"]}";
    assert_int_equal(ask("POST", "/v1/subjects/search", "", "{\"email\":\"x\",\"purpose\":\"billing\"}"), 200);
    assert_string_equal(
        vault.question,
        "{\"actor\":\"anna\",\"do\":\"search\",\"field\":\"email\",\"purpose\":\"billing\",\"value\":\"x\"}");
    assert_string_equal(answered, "{\"subjects\":[\"c-1\"]}\n");
    assert_int_equal(ask("POST", "/v1/subjects/search", "", "{\"email\":\"x\",\"name\":\"y\",\"purpose\":\"billing\"}"), 400);
    assert_int_equal(ask("POST", "/v1/subjects/search", "", "{\"email\":7,\"purpose\":\"billing\"}"), 400);
    assert_int_equal(ask("POST", "/v1/subjects/search", "", "{\"purpose\":\"billing\"}"), 400);
    assert_int_equal(ask("POST", "/v1/subjects/search", "?email=x", "{\"purpose\":\"billing\"}"), 400);
}

static void receipt_comes_when_the_curves_are_hidden(void **state)
{
    (void)state;
    vault.answer = "{\"ok\":true,\"entities\":[\"e-1\"],\"erased_at\":\"2026-01-01T00:00:00Z\",\"again\":false}";
    vault.pending = true;
    assert_int_equal(ask("DELETE", SUBJECT, "", ""), 200);
    assert_string_equal(vault.question, "{\"actor\":\"anna\",\"do\":\"erase\",\"series\":\"delete\",\"subject\":\"c-1\"}");
    assert_int_equal(vault.n_carried, 1);
    json_t *receipt = json_loads(answered, 0, NULL);
    json_t *listed = json_object_get(receipt, "series");
    assert_int_equal(json_array_size(listed), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(listed, 0), "entity")), "e-1");
    assert_string_equal(json_string_value(json_object_get(receipt, "state")), "pending");
    assert_string_equal(json_string_value(json_object_get(receipt, "by")), "2026-01-02T00:00:00Z");
    assert_string_equal(json_string_value(json_object_get(json_object_get(receipt, "kafka"), "readings.main")), "P7D");
    assert_non_null(json_object_get(receipt, "beyond"));
    json_decref(receipt);
    assert_int_equal(ask("DELETE", SUBJECT, "?series=keep", ""), 200);
    assert_non_null(strstr(answered, "\"state\":\"done\",\"by\":null"));
    assert_int_equal(ask("DELETE", SUBJECT, "?series=some", ""), 400);
    vault.carry_rc = ERR_FULL;
    assert_int_equal(ask("DELETE", SUBJECT, "", ""), 503);
    assert_non_null(strstr(answered, "the disk is full"));
}

static void export_holds_the_readings_as_csv(void **state)
{
    (void)state;
    vault.answer = "{\"ok\":true,\"fields\":{\"name\":\"N\"},\"entities\":[\"e-1\"],\"consents\":[],\"restricted\":"
                   "true,\"accesses\":[]}";
    assert_int_equal(ask("GET", SUBJECT "/export", "", ""), 200);
    json_error_t at;
    json_t *export = json_loads(answered, JSON_REJECT_DUPLICATES, &at);
    assert_non_null(export);
    assert_string_equal(json_string_value(json_object_get(export, "subject")), "c-1");
    assert_true(json_is_true(json_object_get(export, "restricted")));
    json_t *listed = json_object_get(export, "series"), *first = json_array_get(listed, 0);
    assert_int_equal(json_array_size(listed), 1);
    assert_string_equal(json_string_value(json_object_get(first, "property")), "activePower");
    const char *csv = json_string_value(json_object_get(first, "csv"));
    assert_int_equal(strncmp(csv, "time,entity,property,unit,value", 31), 0);
    assert_non_null(strstr(csv, ",e-1,activePower,W,"));
    json_decref(export);
    assert_false(kept);
    vault.answer = "{\"ok\":true,\"fields\":{},\"entities\":[],\"consents\":[],\"restricted\":false,\"accesses\":[]}";
    assert_int_equal(ask("GET", SUBJECT "/export", "", ""), 200);
    assert_non_null(strstr(answered, "\"series\":[]}"));
}

static void export_asks_for_all_accesses(void **state)
{
    (void)state;
    vault.answer = "{\"ok\":true,\"fields\":{},\"entities\":[],\"consents\":[],\"restricted\":false,\"accesses\":[1,2],"
                   "\"next\":41}";
    vault.page = "{\"ok\":true,\"accesses\":[3],\"next\":null}";
    assert_int_equal(ask("GET", SUBJECT "/export", "", ""), 200);
    assert_non_null(strstr(answered, "\"accesses\":[1,2,3],\"series\":[]}"));
    assert_string_equal(vault.question, "{\"actor\":\"anna\",\"after\":41,\"do\":\"export\",\"subject\":\"c-1\"}");
    vault.page = "";
    vault.rc = ERR_BUSY;
    assert_int_equal(ask("GET", SUBJECT "/export", "", ""), 503); /* not a part of them, as if they were all */
}

static void audit_takes_times_and_numbers(void **state)
{
    (void)state;
    vault.answer = "{\"ok\":true,\"entries\":[],\"next\":null}";
    assert_int_equal(ask("GET", "/v1/audit", "?subject=c-1&from=2025-03-01T01:00:00%2B01:00&after=7", ""), 200);
    assert_string_equal(
        vault.question,
        "{\"actor\":\"anna\",\"after\":7,\"do\":\"audit\",\"from\":\"2025-03-01T00:00:00Z\",\"limit\":100,"
        "\"subject\":\"c-1\"}");
    assert_int_equal(ask("GET", "/v1/audit", "?limit=1001", ""), 400);
    assert_int_equal(ask("GET", "/v1/audit", "?to=never", ""), 400);
}

static void names_of_customers_are_the_vaults_where_it_tells_them(void **state)
{
    (void)state;
    vault.answer = "{\"ok\":true,\"names\":{\"c-1\":\"Zdenka\"}}";
    assert_int_equal(ask("GET", "/api/Customer/Get", "", ""), 200);
    assert_string_equal(answered, "[{\"id\":\"c-1\",\"name\":\"Zdenka\"},\n{\"id\":\"c-2\",\"name\":\"c-2\"}]\n");
    assert_string_equal(vault.question, "{\"actor\":\"anna\",\"do\":\"names\",\"field\":\"name\",\"purpose\":\"display\","
                                        "\"subjects\":[\"c-1\",\"c-2\"]}");
    assert_false(kept);
    vault.answer = NULL;
    vault.rc = ERR_BUSY;
    assert_int_equal(ask("GET", "/api/Customer/Get", "", ""), 200);
    assert_string_equal(answered, "[{\"id\":\"c-1\",\"name\":\"c-1\"},\n{\"id\":\"c-2\",\"name\":\"c-2\"}]\n");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(what_is_put_is_handed_to_the_vault_and_to_nobody_else),
        CASE(purpose_is_needed_and_refusals_look_like_nothing_there),
        CASE(one_field_is_searched_and_never_in_the_url),
        CASE(receipt_comes_when_the_curves_are_hidden),
        CASE(export_holds_the_readings_as_csv),
        CASE(export_asks_for_all_accesses),
        CASE(audit_takes_times_and_numbers),
        CASE(names_of_customers_are_the_vaults_where_it_tells_them),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    free(answered);
    return rc;
}
