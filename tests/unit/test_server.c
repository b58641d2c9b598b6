/* The HTTPS side against a scripted source, by real requests over TLS. */
#include <config.h>

#include "../lib/test.h"

#include "http/route.h"
#include "http/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>
#include <jansson.h>
#include <zstd.h>

#include "common/clock.h"
#include "../lib/fake_source.h"
#include "../lib/https.h"

#define RANGE "/v1/range?from=2025-03-01T00:00:00Z&to=2025-03-02T00:00:00Z"
#define N_ROWS_LONG 60000

static char dir[64], certificate[96], key[96];
static char reader_token[TOKEN_TEXT_MAX], ops_token[TOKEN_TEXT_MAX], sql_token[TOKEN_TEXT_MAX];
static struct access *access_handle;
static struct server *server;
static struct health health;
static pthread_mutex_t health_lock = PTHREAD_MUTEX_INITIALIZER;

static const struct fake_series all_series[] = {
    {{7, "p2-meter-0142", "SmartMeter", "activePower", "W", KIND_GAUGE, false, 1000000, NULL},
     {3, 1740787200000000, 1740787202500000, {3}}},
    {{8, "p2-load-7", "Load", "energy", "Wh", KIND_INTERVAL, false, 0, NULL},
     {5, 1740787200000000, 1740787202000000, {[QUALITY_MEASURED] = 3, [QUALITY_ESTIMATED] = 2}}},
    {{9, "p2-hp-1", "HeatPump", "operationalState", "", KIND_STATE, false, 0, NULL}, {0, 0, 0, {0}}},
};

static void get_health(void *arg, struct health *ret_health)
{
    (void)arg;
    pthread_mutex_lock(&health_lock);
    *ret_health = health;
    pthread_mutex_unlock(&health_lock);
}

static void set_health(struct health now)
{
    pthread_mutex_lock(&health_lock);
    health = now;
    pthread_mutex_unlock(&health_lock);
}

static struct server_opts options(void)
{
    return (struct server_opts){
        .listen = "127.0.0.1:0",
        .certificate = certificate,
        .key = key,
        .access = access_handle,
        .snapshots = (struct snapshots *)&fake_source, /* only handed through */
        .ready_lag_us = 60000000,
        .health = get_health,
    };
}

static int set_up_all(void **state)
{
    struct err_text error = {0};
    (void)state;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    snprintf(dir, sizeof(dir), "%s/almanac-server-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(dir));
    snprintf(certificate, sizeof(certificate), "%s/server.pem", dir);
    snprintf(key, sizeof(key), "%s/server.key", dir);
    https_make_certificate(certificate, key);
    assert_int_equal(access_create(dir, &error), 0);
    assert_int_equal(access_open(dir, &access_handle, &error), 0);
    assert_int_equal(access_token_create(access_handle, "reader", "read", reader_token, &error), 0);
    assert_int_equal(access_token_create(access_handle, "ops", "ops", ops_token, &error), 0);
    assert_int_equal(access_token_create(access_handle, "sql", "sql", sql_token, &error), 0);
    return 0;
}

static int tear_down_all(void **state)
{
    char path[96];
    (void)state;
    access_close(access_handle);
    snprintf(path, sizeof(path), "%s/auth.db", dir);
    remove(path);
    remove(certificate);
    remove(key);
    rmdir(dir);
    curl_global_cleanup();
    return 0;
}

static int set_up(void **state)
{
    struct err_text error = {0};
    struct server_opts opts = options();
    (void)state;
    set_health((struct health){.serving = true, .lag = -1, .lag_us = -1});
    fake_source.series = all_series;
    fake_source.n_series = 3;
    fake_source.n_rows = 3;
    fake_source.step_us = 900000000;
    fake_source.fail_at = -1;
    fake_source.cursor = NULL;
    fake_source.quota = NULL;
    atomic_store(&fake_source.n_cancelled, 0);
    fake_release();
    int rc = server_start(&opts, &server, &error);
    if (rc)
        fail_msg("%s", error.text);
    return 0;
}

static void stop_server(int grace_ms)
{
    struct server *stopped = server;
    server = NULL; /* whatever a case asserts later, tear_down does not stop it again */
    server_stop(stopped, grace_ms);
}

static int tear_down(void **state)
{
    (void)state;
    fake_release(); /* else what a failed case has left waits for the grace to end */
    stop_server(5000);
    assert_int_equal(atomic_load(&fake_source.n_views), 0);
    assert_int_equal(atomic_load(&fake_source.n_answers), 0);
    assert_int_equal(atomic_load(&fake_source.n_snapshots), 0);
    return 0;
}

static struct https_answer ask(struct https_request request)
{
    struct https_answer answer;
    request.port = request.port ? request.port : server_port(server);
    request.ca = certificate;
    https_ask(&request, &answer);
    return answer;
}

static struct https_answer get(const char *path)
{
    return ask((struct https_request){.path = path, .token = reader_token});
}

static const char *text(const struct https_answer *answer)
{
    return (const char *)answer->body.data;
}

/* Asserts that the answer is a problem of that status and names that field. */
static void assert_problem(struct https_answer answer, long status, const char *field)
{
    assert_int_equal(answer.failed, 0);
    assert_int_equal(answer.status, status);
    assert_string_equal(https_header(&answer, "Content-Type"), "application/problem+json");
    json_t *json = json_loads(text(&answer), 0, NULL);
    assert_non_null(json);
    assert_int_equal(json_integer_value(json_object_get(json, "status")), status);
    assert_true(json_string_length(json_object_get(json, "title")) > 0);
    assert_true(json_string_length(json_object_get(json, "detail")) > 0);
    const char *found = json_string_value(json_object_get(json, "field"));
    assert_string_equal(found ? found : "", field);
    json_decref(json);
    https_answer_free(&answer);
}

static void assert_body(struct https_answer answer, const char *expected)
{
    assert_int_equal(answer.failed, 0);
    assert_int_equal(answer.status, 200);
    assert_string_equal(text(&answer), expected);
    https_answer_free(&answer);
}

/* ---- the catalog ---- */

static void series_are_listed_with_every_member(void **state)
{
    (void)state;
    struct https_answer answer = get("/v1/series");
    assert_string_equal(https_header(&answer, "Content-Type"), "application/json");
    assert_string_equal(https_header(&answer, "Almanac-Position"), "position-1");
    assert_string_equal(https_header(&answer, "Cache-Control"), "private, no-cache");
    assert_body(answer,
                "{\"series\":[\n"
                "{\"id\":7,\"entity\":\"p2-meter-0142\",\"type\":\"SmartMeter\",\"property\":\"activePower\",\"unit\":\"W\","
                "\"kind\":\"gauge\",\"cadence\":\"PT1S\",\"first\":\"2025-03-01T00:00:00Z\","
                "\"last\":\"2025-03-01T00:00:02.500Z\",\"count\":3},\n"
                "{\"id\":8,\"entity\":\"p2-load-7\",\"type\":\"Load\",\"property\":\"energy\",\"unit\":\"Wh\","
                "\"kind\":\"interval\",\"cadence\":null,\"first\":\"2025-03-01T00:00:00Z\","
                "\"last\":\"2025-03-01T00:00:02Z\",\"count\":5},\n"
                "{\"id\":9,\"entity\":\"p2-hp-1\",\"type\":\"HeatPump\",\"property\":\"operationalState\",\"unit\":\"\","
                "\"kind\":\"state\",\"cadence\":null,\"first\":null,\"last\":null,\"count\":0}\n"
                "],\"next\":null}\n");
}

static void series_filters_reach_the_catalog_cut_at_commas_and_blanks(void **state)
{
    (void)state;
    struct https_answer answer = get("/v1/series?entity=p2-hp-1,p2-load-7&type=Load&type=HeatPump&q=p2+load");
    assert_non_null(strstr(text(&answer), "\"id\":8"));
    assert_null(strstr(text(&answer), "\"id\":7"));
    assert_null(strstr(text(&answer), "\"id\":9"));
    https_answer_free(&answer);
    assert_body(get("/v1/series?entity=nobody"), "{\"series\":[],\"next\":null}\n");
}

/* More series than one walk takes: every page boundary is crossed, with a limit and without. */
static void pages_of_series_have_no_holes_and_no_repeats(void **state)
{
    enum { N = 700 };
    struct fake_series *many = calloc(N, sizeof(*many));
    (void)state;
    for (uint32_t i = 0; i < N; i++) {
        many[i] = all_series[0];
        many[i].info.id = 3 * i + 1;
    }
    fake_source.series = many;
    fake_source.n_series = N;
    static const char *const limits[] = {"", "limit=256", "limit=100", "limit=699", "limit=700"};
    for (size_t l = 0; l < 5; l++) {
        char path[128];
        uint32_t expected = 1;
        int n_pages = 0;
        snprintf(path, sizeof(path), "/v1/series?%s", limits[l]);
        do {
            struct https_answer answer = get(path);
            json_t *json = json_loads(text(&answer), 0, NULL), *row;
            size_t i;
            assert_non_null(json);
            json_array_foreach(json_object_get(json, "series"), i, row) {
                assert_int_equal(json_integer_value(json_object_get(row, "id")), expected);
                expected += 3;
            }
            const char *next = json_string_value(json_object_get(json, "next"));
            snprintf(path, sizeof(path), "/v1/series?%s&cursor=%s", limits[l], next ? next : "");
            n_pages = next ? n_pages + 1 : -1;
            assert_true(n_pages < 10);
            json_decref(json);
            https_answer_free(&answer);
        } while (n_pages > 0);
        assert_int_equal(expected, 3 * N + 1);
    }
    free(many);
}

static void the_newest_readings_are_listed_like_the_catalog(void **state)
{
    static const char first[] =
        "{\"series\":[\n"
        "{\"id\":7,\"entity\":\"p2-meter-0142\",\"type\":\"SmartMeter\",\"property\":\"activePower\",\"unit\":\"W\","
        "\"kind\":\"gauge\",\"cadence\":\"PT1S\",\"first\":\"2025-03-01T00:00:00Z\",\"last\":\"2025-03-01T00:00:02.500Z\","
        "\"count\":3,\"time\":";
    char expected[512];
    (void)state;
    snprintf(expected, sizeof(expected), "%s\"2025-03-01T00:00:02.500Z\",\"value\":12.5}\n],\"next\":null}\n", first);
    assert_body(get("/v1/last?entity=p2-meter-0142"), expected);
    assert_body(get("/v1/last?entity=p2-meter-0142&at=2025-03-01T00:00:02.500Z"), expected);
    assert_body(get("/v1/last?entity=p2-meter-0142&at=2025-03-01T00:00:02.500%2B00:00&max_age=PT0S"), expected);
    assert_body(get("/v1/last?entity=p2-meter-0142&at=2025-03-02&tz=Europe/Berlin&max_age=P1D"), expected);
    snprintf(expected, sizeof(expected), "%snull,\"value\":null}\n],\"next\":null}\n", first);
    assert_body(get("/v1/last?entity=p2-meter-0142&at=2025-03-01T00:00:02Z"), expected);
    assert_body(get("/v1/last?entity=p2-meter-0142&max_age=P30D"), expected);
    assert_body(get("/v1/last?entity=p2-meter-0142&at=2025-03-02&tz=UTC&max_age=PT12H"), expected);
    assert_body(get("/v1/last?entity=p2-load-7"),
                "{\"series\":[\n"
                "{\"id\":8,\"entity\":\"p2-load-7\",\"type\":\"Load\",\"property\":\"energy\",\"unit\":\"Wh\","
                "\"kind\":\"interval\",\"cadence\":null,\"first\":\"2025-03-01T00:00:00Z\","
                "\"last\":\"2025-03-01T00:00:02Z\",\"count\":5,\"time\":\"2025-03-01T00:00:02Z\",\"value\":12.5,"
                "\"quality\":\"estimated\"}\n],\"next\":null}\n");
    assert_body(get("/v1/last?entity=nobody"), "{\"series\":[],\"next\":null}\n");
    assert_problem(get("/v1/last?at=2025-03-01"), 400, "at");
    assert_problem(get("/v1/last?at=then"), 400, "at");
    assert_problem(get("/v1/last?max_age=long"), 400, "max_age");
    assert_problem(get("/v1/last?max_age=-PT1H"), 400, "max_age");
    assert_problem(get("/v1/last?tz=Nowhere"), 400, "tz");
    assert_problem(get("/v1/last?at=1970-01-02T00:00:00Z"), 410, "at");
}

static void one_series_shows_its_quality_mix(void **state)
{
    (void)state;
    assert_body(get("/v1/series/8"),
                "{\"id\":8,\"entity\":\"p2-load-7\",\"type\":\"Load\",\"property\":\"energy\",\"unit\":\"Wh\","
                "\"kind\":\"interval\",\"cadence\":null,\"first\":\"2025-03-01T00:00:00Z\","
                "\"last\":\"2025-03-01T00:00:02Z\",\"count\":5,\"quality\":{\"measured\":3,\"edited\":0,\"derived\":0,"
                "\"estimated\":2,\"suspect\":0}}\n");
    assert_problem(get("/v1/series/10"), 404, "");
    assert_problem(get("/v1/series/meter"), 404, "");
    assert_problem(get("/v1/series/99999999999999999999"), 404, "");
    assert_problem(get("/v1/series/"), 404, "");
    assert_problem(get("/v1/series/8/rows"), 404, "");
}

static void changes_are_told_by_series_and_range(void **state)
{
    static const struct view_change changes[] = {{7, 1740787200000000, 1740787201000000},
                                                 {7, 1740787210000000, 1740787210000001},
                                                 {9, -1000000, 1740787200500000}, {10, 0, 1}};
    (void)state;
    fake_source.changes = changes;
    fake_source.n_changes = 4;
    struct https_answer answer = get("/v1/changes?since=position-0");
    assert_string_equal(https_header(&answer, "Content-Type"), "application/json");
    assert_string_equal(https_header(&answer, "Almanac-Position"), "position-1");
    assert_string_equal(https_header(&answer, "Cache-Control"), "private, no-cache");
    assert_body(answer,
                "{\"changes\":[\n"
                "{\"id\":7,\"entity\":\"p2-meter-0142\",\"property\":\"activePower\","
                "\"from\":\"2025-03-01T00:00:00Z\",\"to\":\"2025-03-01T00:00:01Z\"},\n"
                "{\"id\":7,\"entity\":\"p2-meter-0142\",\"property\":\"activePower\","
                "\"from\":\"2025-03-01T00:00:10Z\",\"to\":\"2025-03-01T00:00:10.000001Z\"},\n"
                "{\"id\":9,\"entity\":\"p2-hp-1\",\"property\":\"operationalState\","
                "\"from\":\"1969-12-31T23:59:59Z\",\"to\":\"2025-03-01T00:00:00.500Z\"}\n"
                "],\"position\":\"position-1\"}\n");
    static const char *const only_9[] = {"series=9,8", "series=8&series=9", "entity=p2-hp-1", "type=HeatPump",
                                         "property=operationalState,energy", "series=7,9&type=HeatPump"};
    for (size_t i = 0; i < sizeof(only_9) / sizeof(*only_9); i++) {
        char path[200];
        snprintf(path, sizeof(path), "/v1/changes?since=position-0&%s", only_9[i]);
        answer = get(path);
        assert_null(strstr(text(&answer), "\"id\":7"));
        assert_non_null(strstr(text(&answer), "\"id\":9"));
        https_answer_free(&answer);
    }
    assert_body(get("/v1/changes?since=position-0&entity=nobody"), "{\"changes\":[],\"position\":\"position-1\"}\n");
}

/* Every changed series appears once, over the borders of the pages in which the catalog is read. */
static void many_changes_are_all_told(void **state)
{
    enum { N = 700 };
    struct fake_series *many = calloc(N, sizeof(*many));
    struct view_change *changes = calloc(2 * N, sizeof(*changes));
    (void)state;
    for (uint32_t i = 0; i < N; i++) {
        many[i] = all_series[0];
        many[i].info.id = 3 * i + 1;
        changes[2 * i] = (struct view_change){3 * i + 1, 0, 1};
        changes[2 * i + 1] = (struct view_change){3 * i + 1, 5, 6};
    }
    fake_source.series = many;
    fake_source.n_series = N;
    fake_source.changes = changes;
    fake_source.n_changes = 2 * N;
    struct https_answer answer = get("/v1/changes?since=position-0");
    json_t *json = json_loads(text(&answer), 0, NULL), *row;
    size_t i;
    json_array_foreach(json_object_get(json, "changes"), i, row)
        assert_int_equal(json_integer_value(json_object_get(row, "id")), 3 * (i / 2) + 1);
    assert_int_equal(json_array_size(json_object_get(json, "changes")), 2 * N);
    json_decref(json);
    https_answer_free(&answer);
    free(many);
    free(changes);
}

static void changes_want_a_position_of_this_store(void **state)
{
    (void)state;
    assert_problem(get("/v1/changes"), 400, "since");
    assert_problem(get("/v1/changes?since=position-2"), 400, "since");
    assert_problem(get("/v1/changes?since=position-0&since=position-0"), 400, "since");
    assert_problem(get("/v1/changes?since=long-ago"), 410, "since");
    assert_problem(get("/v1/changes?since=position-0&series=x"), 400, "series");
    assert_problem(get("/v1/changes?since=position-0&from=now"), 400, "from");
}

/* ---- the range ---- */

static void a_step_range_has_the_shape_of_the_contract(void **state)
{
    (void)state;
    struct https_answer answer = get(RANGE "&step=PT15M&agg=mean,max&entity=p2-meter-0142");
    assert_string_equal(https_header(&answer, "Almanac-Range"), "2025-03-01T00:00:00Z/2025-03-02T00:00:00Z");
    assert_string_equal(https_header(&answer, "Almanac-Tiers"), "15m,raw");
    assert_string_equal(https_header(&answer, "Almanac-Position"), "position-1");
    assert_string_equal(https_header(&answer, "Cache-Control"), "private, no-cache");
    assert_string_equal(https_header(&answer, "Almanac-Step"), "PT15M");
    assert_body(answer,
                "{\"step\":\"PT15M\",\"series\":[\n"
                "{\"id\":7,\"entity\":\"p2-meter-0142\",\"type\":\"SmartMeter\",\"property\":\"activePower\",\"unit\":\"W\","
                "\"kind\":\"gauge\",\"columns\":[\"time\",\"mean\",\"max\"],\"rows\":[\n"
                "[\"2025-03-01T00:00:00Z\",-6.78,0],\n"
                "[\"2025-03-01T00:15:00Z\",1.000000007,1],\n"
                "[\"2025-03-01T00:30:00Z\",2,null]\n"
                "]}\n],\"next\":null}\n");
}

static void raw_rows_carry_quality_only_where_not_all_are_measured(void **state)
{
    (void)state;
    struct https_answer answer = get(RANGE);
    json_t *json = json_loads(text(&answer), 0, NULL);
    assert_non_null(json);
    json_t *series = json_object_get(json, "series");
    assert_int_equal(json_array_size(json_object_get(json_array_get(series, 0), "columns")), 2);
    assert_int_equal(json_array_size(json_object_get(json_array_get(series, 1), "columns")), 3);
    json_t *row = json_array_get(json_object_get(json_array_get(series, 1), "rows"), 1);
    assert_string_equal(json_string_value(json_array_get(row, 2)), "estimated");
    row = json_array_get(json_object_get(json_array_get(series, 2), "rows"), 1);
    assert_string_equal(json_string_value(json_array_get(row, 1)), "off, \"soft\"");
    json_decref(json);
    https_answer_free(&answer);
}

static void csv_is_chosen_by_format_and_by_accept(void **state)
{
    static const char expected[] = "time,entity,property,unit,value,quality\r\n"
                                   "2025-03-01T00:00:00Z,p2-load-7,energy,Wh,-6.78,measured\r\n"
                                   "2025-03-01T00:15:00Z,p2-load-7,energy,Wh,1.000000007,estimated\r\n"
                                   "2025-03-01T00:30:00Z,p2-load-7,energy,Wh,2,measured\r\n";
    static const char *const accept[] = {"Accept: application/json;q=0.1, text/*;q=0.5", NULL};
    (void)state;
    struct https_answer answer = get(RANGE "&entity=p2-load-7&format=csv");
    assert_string_equal(https_header(&answer, "Content-Type"), "text/csv; charset=utf-8; header=present");
    assert_body(answer, expected);
    assert_body(ask((struct https_request){.path = RANGE "&entity=p2-load-7", .token = reader_token, .headers = accept}),
                expected);
}

static void ndjson_is_chosen_by_format_and_by_accept(void **state)
{
    static const char expected[] =
        "{\"time\":\"2025-03-01T00:00:00Z\",\"entity\":\"p2-meter-0142\",\"property\":\"activePower\",\"unit\":\"W\","
        "\"mean\":-6.78,\"sum\":null,\"last\":null}\n"
        "{\"time\":\"2025-03-01T00:00:00Z\",\"entity\":\"p2-load-7\",\"property\":\"energy\",\"unit\":\"Wh\","
        "\"mean\":null,\"sum\":-6.78,\"last\":null}\n"
        "{\"time\":\"2025-03-01T00:00:00Z\",\"entity\":\"p2-hp-1\",\"property\":\"operationalState\",\"unit\":\"\","
        "\"mean\":null,\"sum\":null,\"last\":\"on\"}\n";
    static const char *const accept[] = {"Accept: application/x-ndjson", NULL};
    (void)state;
    fake_source.n_rows = 1;
    struct https_answer answer = get(RANGE "&step=PT15M&format=ndjson");
    assert_string_equal(https_header(&answer, "Content-Type"), "application/x-ndjson");
    assert_body(answer, expected);
    assert_body(ask((struct https_request){.path = RANGE "&step=PT15M", .token = reader_token, .headers = accept}), expected);
    assert_problem(get(RANGE "&format=xml"), 400, "format");
}

static void one_csv_header_serves_series_of_several_kinds(void **state)
{
    (void)state;
    fake_source.n_rows = 1;
    assert_body(get(RANGE "&step=PT15M&format=csv"),
                "time,entity,property,unit,mean,sum,last\r\n"
                "2025-03-01T00:00:00Z,p2-meter-0142,activePower,W,-6.78,,\r\n"
                "2025-03-01T00:00:00Z,p2-load-7,energy,Wh,,-6.78,\r\n"
                "2025-03-01T00:00:00Z,p2-hp-1,operationalState,,,,on\r\n");
}

/* The cursor names the view that waits for the next page, and the place in it. */
static void a_cursor_of_the_answer_is_given_as_next(void **state)
{
    (void)state;
    char url[512], cursor[64] = "";
    fake_source.cursor = "abc-_9";
    fake_source.n_series = 1;
    fake_source.n_rows = 0;
    struct https_answer answer = get(RANGE "&limit=3");
    const char *next = strstr(text(&answer), "\"rows\":[]}\n],\"next\":\"");
    assert_non_null(next);
    assert_int_equal(sscanf(next, "\"rows\":[]}\n],\"next\":\"%63[^\"]\"}", cursor), 1);
    assert_int_equal(strlen(cursor), 22 + strlen(".abc-_9"));
    assert_string_equal(cursor + 22, ".abc-_9");
    https_answer_free(&answer);

    snprintf(url, sizeof(url), "%s&limit=3&cursor=%s", RANGE, cursor);
    answer = get(url);
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(text(&answer), cursor)); /* the same view waits on */
    https_answer_free(&answer);

    snprintf(url, sizeof(url), "%s&format=csv&limit=3&cursor=%s", RANGE, cursor);
    answer = get(url);
    assert_string_equal(https_header(&answer, "Almanac-Next"), cursor);
    https_answer_free(&answer);
    assert_problem(get(RANGE "&format=csv&limit=1000001"), 400, "limit");

    answer = get(RANGE "&limit=3&cursor=AAAAAAAAAAAAAAAAAAAAAA.abc-_9");
    assert_int_equal(answer.status, 410);
    assert_non_null(strstr(text(&answer), "\"field\":\"cursor\""));
    https_answer_free(&answer);
}

static void a_long_answer_streams_whole(void **state)
{
    (void)state;
    fake_source.n_rows = N_ROWS_LONG;
    struct https_answer answer = get(RANGE "&format=csv");
    assert_int_equal(answer.failed, 0);
    assert_string_equal(https_header(&answer, "Transfer-Encoding"), "chunked");
    size_t n_lines = 0;
    for (size_t i = 1; i < answer.body.n; i++) /* some states have a newline of their own in them */
        n_lines += answer.body.data[i - 1] == '\r' && answer.body.data[i] == '\n';
    assert_int_equal(n_lines, 1 + 3 * N_ROWS_LONG);
    https_answer_free(&answer);
}

/* The same answer as it is, packed with gzip (curl unpacks it), and packed with zstd. */
static void answers_over_1_kib_are_packed_when_asked(void **state)
{
    static const char *const gzip[] = {"Accept-Encoding: gzip, deflate", NULL};
    static const char *const zstd[] = {"Accept-Encoding: gzip;q=0.5, zstd", NULL};
    (void)state;
    for (int64_t n_rows = 1; n_rows <= 30000; n_rows = n_rows == 1 ? 50 : n_rows * 25) {
        fake_source.n_rows = n_rows;
        struct https_answer plain = get(RANGE), packed = {0};
        const char *coding = n_rows == 1 ? "" : "gzip";
        packed = ask((struct https_request){.path = RANGE, .token = reader_token, .headers = gzip, .unpack = 1});
        assert_string_equal(https_header(&packed, "Content-Encoding"), coding);
        assert_int_equal(packed.body.n, plain.body.n);
        assert_memory_equal(packed.body.data, plain.body.data, plain.body.n);
        https_answer_free(&packed);
        packed = ask((struct https_request){.path = RANGE, .token = reader_token, .headers = zstd});
        assert_string_equal(https_header(&packed, "Content-Encoding"), n_rows == 1 ? "" : "zstd");
        assert_string_equal(https_header(&packed, "Vary"), "Accept, Accept-Encoding");
        if (n_rows > 1) {
            assert_true(packed.body.n * 3 < plain.body.n);
            ZSTD_DStream *unpacker = ZSTD_createDStream();
            ZSTD_inBuffer in = {packed.body.data, packed.body.n, 0};
            ZSTD_outBuffer out = {malloc(plain.body.n + 1), plain.body.n + 1, 0};
            assert_int_equal(ZSTD_decompressStream(unpacker, &out, &in), 0);
            assert_int_equal(in.pos, in.size);
            assert_int_equal(out.pos, plain.body.n);
            assert_memory_equal(out.dst, plain.body.data, plain.body.n);
            free(out.dst);
            ZSTD_freeDStream(unpacker);
        }
        https_answer_free(&packed);
        https_answer_free(&plain);
    }
}

static void a_packed_answer_that_fails_midway_breaks_the_connection(void **state)
{
    static const char *const gzip[] = {"Accept-Encoding: gzip", NULL};
    (void)state;
    fake_source.n_rows = N_ROWS_LONG;
    fake_source.fail_at = N_ROWS_LONG - 1;
    struct https_answer answer = ask((struct https_request){.path = RANGE, .token = reader_token, .headers = gzip});
    assert_int_equal(answer.status, 200);
    assert_int_not_equal(answer.failed, 0);
    https_answer_free(&answer);
}

static void an_answer_that_fails_midway_breaks_the_connection(void **state)
{
    (void)state;
    fake_source.n_rows = N_ROWS_LONG;
    fake_source.fail_at = N_ROWS_LONG - 1;
    struct https_answer answer = get(RANGE);
    assert_int_equal(answer.status, 200);
    assert_int_not_equal(answer.failed, 0);
    assert_true(answer.body.n > 1000000);
    https_answer_free(&answer);
}

static void wide_answers_have_a_column_a_series(void **state)
{
    (void)state;
    assert_body(get(RANGE "&layout=wide&format=csv"),
                "time,p2-meter-0142.activePower,p2-load-7.energy,p2-hp-1.operationalState\r\n"
                "2025-03-01T00:00:00Z,-6.78,-6.78,on\r\n"
                "2025-03-01T00:15:00Z,1.000000007,1.000000007,\"off, \"\"soft\"\"\"\r\n"
                "2025-03-01T00:30:00Z,2,2,\"\xc3\xa4nd\xc3\xa9r\nung\"\r\n");
    assert_body(get(RANGE "&layout=wide&format=ndjson&time=ms&to=2025-03-01T00:20:00Z"),
                "{\"time\":1740787200000,\"p2-meter-0142.activePower\":-6.78,\"p2-load-7.energy\":-6.78,"
                "\"p2-hp-1.operationalState\":\"on\"}\n"
                "{\"time\":1740788100000,\"p2-meter-0142.activePower\":1.000000007,\"p2-load-7.energy\":1.000000007,"
                "\"p2-hp-1.operationalState\":\"off, \\\"soft\\\"\"}\n"
                "{\"time\":1740789000000,\"p2-meter-0142.activePower\":2,\"p2-load-7.energy\":2,"
                "\"p2-hp-1.operationalState\":\"\xc3\xa4nd\xc3\xa9r\\nung\"}\n");
    fake_source.n_rows = 1;
    fake_source.cursor = "next-one";
    struct https_answer answer = get(RANGE "&layout=wide");
    json_t *json = json_loads(text(&answer), 0, NULL);
    assert_non_null(json);
    json_t *series = json_object_get(json, "series");
    assert_int_equal(json_array_size(series), 3);
    assert_string_equal(json_string_value(json_object_get(json_array_get(series, 1), "unit")), "Wh");
    assert_null(json_object_get(json_array_get(series, 1), "rows"));
    assert_int_equal(json_array_size(json_object_get(json, "columns")), 4);
    assert_string_equal(json_string_value(json_array_get(json_object_get(json, "columns"), 2)), "p2-load-7.energy");
    json_t *row = json_array_get(json_object_get(json, "rows"), 0);
    assert_string_equal(json_string_value(json_array_get(row, 0)), "2025-03-01T00:00:00Z");
    assert_string_equal(json_string_value(json_array_get(row, 3)), "on");
    assert_true(strstr(json_string_value(json_object_get(json, "next")), "next-one") != NULL);
    json_decref(json);
    https_answer_free(&answer);
}

static void every_format_and_layout_that_fails_midway_breaks_the_connection(void **state)
{
    static const char *const paths[] = {
        RANGE "&format=csv", RANGE "&format=ndjson", RANGE "&format=arrow", RANGE "&layout=wide", RANGE "&layout=wide&format=csv",
        RANGE "&layout=wide&format=ndjson", RANGE "&layout=wide&format=arrow"};
    (void)state;
    fake_source.n_rows = N_ROWS_LONG;
    fake_source.fail_at = N_ROWS_LONG - 1;
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        struct https_answer answer = get(paths[i]);
        if (answer.status != 200 || !answer.failed || answer.body.n < 100000)
            fail_msg("%s: status %ld, code %d, %zu bytes", paths[i], (long)answer.status, (int)answer.failed, answer.body.n);
        https_answer_free(&answer);
    }
}

static void an_answer_that_fails_at_once_says_so_by_its_status(void **state)
{
    (void)state;
    fake_source.fail_at = 2;
    assert_problem(get(RANGE), 410, "");
}

static void a_client_that_hangs_up_leaves_nothing_behind(void **state)
{
    (void)state;
    fake_source.n_rows = N_ROWS_LONG * 100;
    struct https_answer answer =
        ask((struct https_request){.path = RANGE, .token = reader_token, .stop_after = 100000});
    assert_int_equal(answer.failed, CURLE_WRITE_ERROR);
    https_answer_free(&answer); /* tear_down asserts that view and answer were given back */
}

static void a_post_of_json_or_a_form_asks_the_same(void **state)
{
    static const char *const json[] = {"Content-Type: application/json; charset=utf-8", NULL};
    static const char *const form[] = {"Content-Type: application/x-www-form-urlencoded", NULL};
    static const char json_body[] = "{\"from\":\"2025-03-01T00:00:00+01:00\",\"to\":\"2025-03-02T00:00:00Z\","
                                    "\"step\":\"PT15M\",\"agg\":[\"mean\",\"max\"],\"limit\":100,\"tz\":null}";
    static const char form_body[] = "from=2025-03-01T00:00:00+01:00&to=2025-03-02T00%3A00%3A00Z&step=PT15M&"
                                    "agg=mean&agg=max&limit=100";
    (void)state;
    struct https_answer expected =
        get("/v1/range?from=2025-03-01T00:00:00%2B01:00&to=2025-03-02T00:00:00Z&step=PT15M&agg=mean,max&limit=100");
    assert_int_equal(expected.status, 200);
    assert_string_equal(https_header(&expected, "Almanac-Range"), "2025-02-28T23:00:00Z/2025-03-02T00:00:00Z");
    assert_body(ask((struct https_request){.path = "/v1/range", .token = reader_token, .headers = json,
                                           .body = json_body, .body_size = sizeof(json_body) - 1}), text(&expected));
    assert_body(ask((struct https_request){.path = "/v1/range", .token = reader_token, .headers = form,
                                           .body = form_body, .body_size = sizeof(form_body) - 1}), text(&expected));
    assert_body(ask((struct https_request){.path = "/v1/range", .token = reader_token, .headers = form, .chunked = 1,
                                           .body = form_body, .body_size = sizeof(form_body) - 1}), text(&expected));
    https_answer_free(&expected);
}

/* ---- SQL ---- */

static struct https_answer ask_sql_of(uint16_t port, const char *body, const char *token)
{
    static const char *const json[] = {"Content-Type: application/json", NULL};
    return ask((struct https_request){.port = port, .path = "/v1/sql", .token = token, .headers = json, .body = body,
                                      .body_size = strlen(body)});
}

static struct https_answer ask_sql(const char *body, const char *token)
{
    return ask_sql_of(server_port(server), body, token);
}

static void rows_of_sql_come_as_json_csv_and_ndjson(void **state)
{
    (void)state;
    fake_source.n_rows = 2;
    struct https_answer answer = ask_sql("{\"sql\":\"select 1\"}", sql_token);
    assert_string_equal(https_header(&answer, "Content-Type"), "application/json");
    assert_string_equal(https_header(&answer, "Almanac-Position"), "position");
    assert_body(answer, "{\"columns\":[\"nothing\",\"n \\\"x\\\"\",\"r\",\"inf\",\"text\",\"blob\"],\"rows\":[\n"
                        "[null,-7,2.5,null,\"a,\\\"b\\\"\",\"00ff\"],\n[null,-7,2.5,null,\"a,\\\"b\\\"\",\"00ff\"]\n]}\n");
    assert_body(ask_sql("{\"sql\":\"select 1\",\"format\":\"csv\"}", sql_token),
                "nothing,\"n \"\"x\"\"\",r,inf,text,blob\r\n,-7,2.5,Inf,\"a,\"\"b\"\"\",\"00ff\"\r\n"
                ",-7,2.5,Inf,\"a,\"\"b\"\"\",\"00ff\"\r\n");
    fake_source.n_rows = 1;
    assert_body(ask_sql("{\"sql\":\"select 1\",\"format\":\"ndjson\"}", sql_token),
                "{\"nothing\":null,\"n \\\"x\\\"\":-7,\"r\":2.5,\"inf\":null,\"text\":\"a,\\\"b\\\"\",\"blob\":\"00ff\"}\n");
    fake_source.n_rows = 0;
    assert_body(ask_sql("{\"sql\":\"select 1\"}", sql_token),
                "{\"columns\":[\"nothing\",\"n \\\"x\\\"\",\"r\",\"inf\",\"text\",\"blob\"],\"rows\":[]}\n");
}

static void refused_sql_has_a_status_and_names_the_field(void **state)
{
    char body[64];
    (void)state;
    assert_problem(ask_sql("{\"sql\":\"select 1\"}", reader_token), 403, "");
    assert_problem(ask_sql("{}", sql_token), 400, "sql");
    assert_problem(ask_sql("{\"sql\":\"select 1\",\"format\":\"arrow\"}", sql_token), 400, "format");
    static const struct {
        int code;
        long status;
    } faults[] = {{ERR_DENIED, 403}, {ERR_INVALID, 400}, {ERR_LIMIT, 400}};
    for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
        snprintf(body, sizeof(body), "{\"sql\":\"fail %d\"}", faults[i].code);
        assert_problem(ask_sql(body, sql_token), faults[i].status, "sql");
    }
}

static void sql_that_reaches_a_bound_late_is_an_error_all_the_same(void **state)
{
    (void)state;
    fake_source.n_rows = 90000;
    fake_source.fail_at = 80000;
    assert_problem(ask_sql("{\"sql\":\"select 1\"}", sql_token), 400, "sql");
    fake_source.n_rows = 100001;
    fake_source.fail_at = -1;
    assert_problem(ask_sql("{\"sql\":\"select 1\"}", sql_token), 400, "sql");
    fake_source.n_rows = 100000;
    struct https_answer answer = ask_sql("{\"sql\":\"select 1\",\"format\":\"csv\"}", sql_token);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.failed, 0);
    size_t n_lines = 0;
    for (size_t i = 0; i < answer.body.n; i++)
        n_lines += answer.body.data[i] == '\n';
    assert_int_equal(n_lines, 100001);
    https_answer_free(&answer);
}

/* ---- what computes for long ---- */

static const char waiting_sql[] = "{\"sql\":\"wait\",\"format\":\"csv\"}";

/* A client in a thread of its own that asks for a statement that waits until fake_release. */
struct asker {
    pthread_t thread;
    uint16_t port; /* the server may be stopped before it asks */
    struct https_answer answer;
};

static atomic_int n_answered, n_refused; /* of the askers */

static void *ask_waiting(void *arg)
{
    struct asker *asker = arg;
    asker->answer = ask_sql_of(asker->port, waiting_sql, sql_token);
    atomic_fetch_add(&n_refused, asker->answer.status == 503);
    atomic_fetch_add(&n_answered, 1);
    return NULL;
}

static void start_askers(struct asker *askers, size_t n)
{
    atomic_store(&n_answered, 0);
    atomic_store(&n_refused, 0);
    fake_hold();
    for (size_t i = 0; i < n; i++) {
        askers[i].port = server_port(server);
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_waiting, &askers[i]), 0);
    }
}

/* How many of them got the answer; what others got is checked to be a refusal that says when to come back. */
static size_t join_askers(struct asker *askers, size_t n)
{
    size_t n_whole = 0;
    for (size_t i = 0; i < n; i++) {
        pthread_join(askers[i].thread, NULL);
        struct https_answer *answer = &askers[i].answer;
        n_whole += !answer->failed && answer->status == 200;
        if (answer->status == 503)
            assert_string_equal(https_header(answer, "Retry-After"), "5");
        else
            assert_true(answer->failed || answer->status == 200);
        https_answer_free(answer);
    }
    return n_whole;
}

/* Waits until *n is wanted; it has to be so soon. */
static void await(atomic_int *n, int wanted)
{
    int64_t until_us = clock_mono_us() + 30000000;
    while (atomic_load(n) != wanted && clock_mono_us() < until_us)
        sched_yield();
    assert_int_equal(atomic_load(n), wanted);
}

/* The server of this case has other numbers than the default. */
static void restart(unsigned n_workers, unsigned n_waiting_max)
{
    struct err_text error = {0};
    struct server_opts opts = options();
    stop_server(5000);
    opts.n_workers = n_workers;
    opts.n_waiting_max = n_waiting_max;
    assert_int_equal(server_start(&opts, &server, &error), 0);
}

static void long_statements_leave_the_threads_of_the_others_free(void **state)
{
    enum { N = SERVER_WORKERS - 1 + SERVER_WAITING_MAX };
    struct asker askers[N];
    (void)state;
    start_askers(askers, N);
    await(&fake_source.n_held, SERVER_WORKERS - 1);
    for (int i = 0; i < 8; i++) {
        struct https_answer answer = get(i % 2 ? RANGE : "/v1/series");
        assert_int_equal(answer.status, 200);
        https_answer_free(&answer);
    }
    assert_int_equal(atomic_load(&n_answered), 0);
    fake_release();
    assert_int_equal(join_askers(askers, N), N);
}

static void when_too_many_wait_it_is_503(void **state)
{
    struct asker askers[4];
    (void)state;
    restart(2, 2); /* one is worked on, two wait, one is too many: whichever comes last */
    start_askers(askers, 4);
    await(&n_refused, 1);
    await(&fake_source.n_held, 1);
    assert_int_equal(atomic_load(&n_answered), 1);
    fake_release();
    assert_int_equal(join_askers(askers, 4), 3);
}

/* The server of this case has these limits. */
static void restart_limited(struct limits_opts limits, struct quota_limits quota)
{
    struct err_text error = {0};
    struct server_opts opts = options();
    stop_server(5000);
    opts.limits = limits;
    opts.quota = quota;
    assert_int_equal(server_start(&opts, &server, &error), 0);
}

static void so_many_requests_of_one_run_and_others_are_not_held_up(void **state)
{
    struct asker asker;
    (void)state;
    restart_limited((struct limits_opts){.concurrent = 1}, (struct quota_limits){0});
    start_askers(&asker, 1);
    await(&fake_source.n_held, 1);
    struct https_answer answer = ask_sql_of(server_port(server), waiting_sql, sql_token);
    assert_string_equal(https_header(&answer, "Retry-After"), "1");
    assert_problem(answer, 429, "");
    for (int i = 0; i < 8; i++) { /* one after the other there may be any number, short ones and streams */
        fake_source.n_rows = i % 2 ? N_ROWS_LONG : 3;
        answer = get(i % 4 ? RANGE : "/v1/series");
        assert_int_equal(answer.status, 200);
        https_answer_free(&answer);
    }
    assert_body(ask((struct https_request){.path = "/healthz"}), "{\"status\":\"alive\"}\n");
    fake_release();
    assert_int_equal(join_askers(&asker, 1), 1);
}

static void bytes_that_were_too_many_are_waited_for(void **state)
{
    (void)state;
    restart_limited((struct limits_opts){.bytes_per_s = 1000}, (struct quota_limits){0});
    fake_source.n_rows = N_ROWS_LONG;
    struct https_answer answer = ask((struct https_request){.path = RANGE, .method = "HEAD", .token = reader_token});
    assert_int_equal(answer.status, 200);
    https_answer_free(&answer);
    answer = get(RANGE); /* goes on at its pace */
    assert_int_equal(answer.failed, 0);
    assert_int_equal(answer.status, 200);
    long most_s = (long)(answer.body.n + 999) / 1000; /* less what has passed since, and the second ahead */
    https_answer_free(&answer);
    answer = get("/v1/series");
    long wait_s = strtol(https_header(&answer, "Retry-After"), NULL, 10);
    assert_true(wait_s > 1 && wait_s < most_s);
    assert_problem(answer, 429, "");
    answer = ask((struct https_request){.path = "/metrics", .token = ops_token});
    assert_int_equal(answer.status, 200);
    https_answer_free(&answer);
}

static void too_much_at_once_is_429_and_names_the_field(void **state)
{
    (void)state;
    restart_limited((struct limits_opts){0}, (struct quota_limits){.series = 2, .span_us = INT64_C(86400000000)});
    struct https_answer answer = get("/v1/series");
    assert_string_equal(https_header(&answer, "Retry-After"), "1");
    assert_problem(answer, 429, "entity");
    assert_body(get("/v1/series?entity=nobody"), "{\"series\":[],\"next\":null}\n");
    answer = get("/v1/series?limit=2");
    assert_int_equal(answer.status, 200);
    https_answer_free(&answer);
    assert_problem(get("/v1/range?entity=p2-load-7&from=2025-03-01T00:00:00Z&to=2025-03-02T00:00:01Z"), 429, "from");
    assert_problem(get("/v1/gaps?from=2025-03-01T00:00:00Z&to=2025-03-03T00:00:00Z&cadence=PT1H"), 429, "from");
    answer = get("/v1/range?entity=p2-load-7&from=2025-03-01T00:00:00Z&to=2025-03-02T00:00:00Z");
    assert_int_equal(answer.status, 200);
    https_answer_free(&answer);
    answer = get("/api/v1/query_range?query=energy&start=0&end=86401&step=3600");
    assert_int_equal(answer.status, 429);
    assert_string_equal(https_header(&answer, "Content-Type"), "application/json");
    assert_non_null(strstr(text(&answer), "\"status\":\"error\""));
    https_answer_free(&answer);
}

/* What takes long is found in the thread of the others, and done by a worker. */
static void long_queries_of_prometheus_are_work_for_workers(void **state)
{
    static const struct fake_series much[] = {
        {.info = {.id = 7, .entity = "m", .type = "Load", .property = "voltage", .unit = "V"},
         .stats = {2000000, 0, INT64_C(2000000000000), {0}}}};
    static const char small[] = "/api/v1/query_range?query=voltage&start=0&end=60&step=1m",
                      big[] = "/api/v1/query_range?query=voltage&start=0&end=2000000&step=1h";
    struct asker askers[4];
    struct https_answer answer;
    (void)state;
    fake_source.series = much;
    fake_source.n_series = 1;
    answer = get(big); /* by a worker */
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(text(&answer), "[[0,\"0.5\"],[3600,\"1.5\"],[7200,\"2.5\"]]"));
    https_answer_free(&answer);
    restart(2, 2);
    start_askers(askers, 4);
    await(&n_refused, 1); /* one is worked on, two wait */
    await(&fake_source.n_held, 1);
    answer = get(big);
    assert_int_equal(answer.status, 503);
    https_answer_free(&answer);
    answer = get(small);
    assert_int_equal(answer.status, 200);
    https_answer_free(&answer);
    fake_release();
    assert_int_equal(join_askers(askers, 4), 3);
}

static void *stop_patiently(void *arg)
{
    (void)arg;
    stop_server(30000);
    return NULL;
}

static void stopping_lets_a_running_statement_finish_and_refuses_who_waits(void **state)
{
    struct asker askers[3];
    pthread_t stopper;
    (void)state;
    restart(2, 1); /* who of the three was refused at once has been so when stopping begins */
    start_askers(askers, 3);
    await(&n_refused, 1);
    await(&fake_source.n_held, 1);
    assert_int_equal(pthread_create(&stopper, NULL, stop_patiently, NULL), 0);
    await(&n_refused, 2);
    assert_int_equal(atomic_load(&fake_source.n_held), 1);
    fake_release();
    pthread_join(stopper, NULL);
    assert_int_equal(join_askers(askers, 3), 1);
}

static void stopping_in_haste_breaks_statements_off(void **state)
{
    struct asker askers[6];
    (void)state;
    start_askers(askers, 6);
    await(&fake_source.n_held, SERVER_WORKERS - 1);
    stop_server(0);
    assert_int_equal(atomic_load(&fake_source.n_cancelled), SERVER_WORKERS - 1);
    assert_int_equal(atomic_load(&fake_source.n_answers), 0);
    assert_int_equal(join_askers(askers, 6), 0);
}

/* A connection after its handshake, on which this much of a request is sent, and nothing read. */
static CURL *send_by_hand(const char *request)
{
    char url[64];
    size_t sent;
    CURL *curl = curl_easy_init();
    snprintf(url, sizeof(url), "https://127.0.0.1:%u/", server_port(server));
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_CAINFO, certificate);
    curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
    assert_int_equal(curl_easy_perform(curl), CURLE_OK);
    assert_int_equal(curl_easy_send(curl, request, strlen(request), &sent), CURLE_OK);
    assert_int_equal(sent, strlen(request));
    return curl;
}

/* A connection with a request for a statement that waits, of which the answer is not read. */
static CURL *send_waiting(void)
{
    char request[400];
    snprintf(request, sizeof(request), "POST /v1/sql HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"
             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", sql_token, strlen(waiting_sql), waiting_sql);
    return send_by_hand(request);
}

static void a_statement_whose_client_hangs_up_is_broken_off(void **state)
{
    CURL *clients[6];
    (void)state;
    fake_hold();
    for (size_t i = 0; i < 6; i++) /* some of them while they wait for a worker */
        clients[i] = send_waiting();
    await(&fake_source.n_held, SERVER_WORKERS - 1);
    for (size_t i = 0; i < 6; i++)
        curl_easy_cleanup(clients[i]);
    await(&fake_source.n_held, 0);
    await(&fake_source.n_answers, 0);
    assert_true(atomic_load(&fake_source.n_cancelled) >= SERVER_WORKERS - 1);
    fake_release();
    struct https_answer answer = ask_sql(waiting_sql, sql_token);
    assert_int_equal(answer.status, 200);
    https_answer_free(&answer);
}

/* A client that takes the first bytes of a long answer, waits until another statement keeps the only worker, and goes on. */
struct slow_taker {
    pthread_t thread;
    atomic_int n_started, may_go_on;
    size_t n_lines;
    struct https_answer answer;
};

static void pause_once(void *arg)
{
    struct slow_taker *taker = arg;
    if (!atomic_exchange(&taker->n_started, 1))
        await(&taker->may_go_on, 1);
}

static void *take_slowly(void *arg)
{
    static const char *const json[] = {"Content-Type: application/json", NULL};
    static const char body[] = "{\"sql\":\"wide\",\"format\":\"csv\"}";
    struct slow_taker *taker = arg;
    taker->answer = ask((struct https_request){.path = "/v1/sql", .token = sql_token, .headers = json, .body = body,
                                               .body_size = sizeof(body) - 1, .on_data = pause_once, .on_data_arg = taker});
    for (size_t i = 0; i < taker->answer.body.n; i++)
        taker->n_lines += taker->answer.body.data[i] == '\n';
    return NULL;
}

/* With the only worker taken, its connection has to be suspended in the midst of its answer. */
static void start_slow_taker(struct slow_taker *taker, struct asker *other)
{
    *taker = (struct slow_taker){.n_lines = 0};
    fake_source.n_rows = 100000;
    restart(1, 4);
    assert_int_equal(pthread_create(&taker->thread, NULL, take_slowly, taker), 0);
    await(&taker->n_started, 1);
    start_askers(other, 1);
    await(&fake_source.n_held, 1);
    atomic_store(&taker->may_go_on, 1);
}

static void an_answer_goes_on_when_a_worker_is_free_for_its_next_piece(void **state)
{
    struct slow_taker taker;
    struct asker other;
    (void)state;
    start_slow_taker(&taker, &other);
    assert_body(ask((struct https_request){.path = "/healthz"}), "{\"status\":\"alive\"}\n");
    fake_release();
    pthread_join(taker.thread, NULL);
    assert_int_equal(taker.answer.failed, 0);
    assert_int_equal(taker.n_lines, 100001);
    https_answer_free(&taker.answer);
    assert_int_equal(join_askers(&other, 1), 1);
}

static void stopping_ends_an_answer_that_waits_for_its_next_piece(void **state)
{
    struct slow_taker taker;
    struct asker other;
    (void)state;
    start_slow_taker(&taker, &other);
    stop_server(0);
    pthread_join(taker.thread, NULL);
    assert_int_not_equal(taker.answer.failed, 0);
    https_answer_free(&taker.answer);
    assert_int_equal(join_askers(&other, 1), 0);
}

static void a_client_that_hangs_up_in_the_midst_of_rows_leaves_nothing_behind(void **state)
{
    static const char *const json[] = {"Content-Type: application/json", NULL};
    static const char *const gzip[] = {"Content-Type: application/json", "Accept-Encoding: gzip", NULL};
    static const char body[] = "{\"sql\":\"select 1\"}";
    (void)state;
    fake_source.n_rows = 100000;
    for (size_t i = 0; i < 10; i++) {
        struct https_answer answer = ask((struct https_request){
            .path = "/v1/sql", .token = sql_token, .headers = i % 2 ? gzip : json, .body = body, .body_size = sizeof(body) - 1,
            .stop_after = 1 + i * 10000});
        assert_int_equal(answer.status, 200);
        https_answer_free(&answer);
    }
}

/* ---- snapshots ---- */

static struct https_answer ask_snapshots(const char *method, const char *path, const char *body, const char *token)
{
    static const char *const json[] = {"Content-Type: application/json", NULL};
    return ask((struct https_request){.method = method, .path = path, .token = token, .headers = json, .body = body,
                                      .body_size = body ? strlen(body) : 0});
}

#define KEPT "{\"name\":\"%s\",\"created\":\"2023-11-14T22:13:20Z\",\"expires\":\"2100-01-01T00:00:00Z\",\"position\":\"cG9z\"}"

static void snapshots_are_made_listed_and_dropped(void **state)
{
    char expected[400];
    (void)state;
    struct https_answer answer = ask_snapshots("POST", "/v1/snapshots", "{\"name\":\"fix\",\"keep\":\"PT1H\"}", ops_token);
    assert_int_equal(answer.status, 201);
    snprintf(expected, sizeof(expected), KEPT "\n", "fix");
    assert_string_equal(text(&answer), expected);
    https_answer_free(&answer);
    answer = ask_snapshots("POST", "/v1/snapshots", "{\"name\":\"fix\"}", ops_token); /* 90 days when nothing is said */
    assert_int_equal(answer.status, 201);
    https_answer_free(&answer);
    snprintf(expected, sizeof(expected), "{\"snapshots\":[" KEPT "]}\n", "kept");
    assert_body(get("/v1/snapshots"), expected);
    static const char *const paths[] = {"/v1/snapshots/kept", "/v1/snapshots?name=kept"};
    for (size_t i = 0; i < 2; i++) {
        answer = ask_snapshots("DELETE", paths[i], NULL, ops_token);
        assert_int_equal(answer.status, 204);
        https_answer_free(&answer);
    }
}

static void refused_snapshots_have_a_status_and_a_field(void **state)
{
    (void)state;
    assert_problem(ask_snapshots("POST", "/v1/snapshots", "{\"name\":\"fix\"}", reader_token), 403, "");
    assert_problem(ask_snapshots("DELETE", "/v1/snapshots/kept", NULL, reader_token), 403, "");
    assert_problem(ask_snapshots("POST", "/v1/snapshots", "{}", ops_token), 400, "name");
    assert_problem(ask_snapshots("POST", "/v1/snapshots", "{\"name\":\"kept\"}", ops_token), 409, "name");
    assert_problem(ask_snapshots("POST", "/v1/snapshots", "{\"name\":\"x\",\"keep\":\"long\"}", ops_token), 400, "keep");
    assert_problem(ask_snapshots("POST", "/v1/snapshots", "{\"name\":\"x\",\"keep\":\"P1D\"}", ops_token), 400, "keep");
    assert_problem(ask_snapshots("DELETE", "/v1/snapshots", NULL, ops_token), 400, "name");
    assert_problem(ask_snapshots("DELETE", "/v1/snapshots/never", NULL, ops_token), 404, "name");
    assert_problem(ask_snapshots("DELETE", "/v1/snapshots/over", NULL, ops_token), 410, "name");
    assert_problem(get(RANGE "&snapshot=never"), 404, "snapshot");
    assert_problem(get("/v1/series?snapshot=never"), 404, "snapshot");
    assert_problem(get("/v1/series/7?snapshot=over"), 410, "snapshot");
}

static void an_answer_from_a_snapshot_may_be_kept_and_says_so(void **state)
{
    static const char *const paths[] = {RANGE "&snapshot=kept", "/v1/series?snapshot=kept", "/v1/series/7?snapshot=kept"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct https_answer answer = get(paths[i]);
        assert_int_equal(answer.status, 200);
        assert_string_equal(https_header(&answer, "Cache-Control"), "private, max-age=86400, immutable");
        https_answer_free(&answer);
    }
    struct https_answer answer = get(RANGE);
    assert_string_equal(https_header(&answer, "Cache-Control"), "private, no-cache");
    https_answer_free(&answer);
}

static void the_plus_of_an_offset_may_arrive_as_a_blank(void **state)
{
    (void)state;
    struct https_answer answer = get("/v1/range?from=2025-03-01T00:00:00+01:00&to=2025-03-02T00:00:00.5%20%2B01:00");
    assert_problem(answer, 400, "to"); /* a blank and a plus: that is no time */
    answer = get("/v1/range?from=2025-03-01T00:00:00+01:00&to=2025-03-02T00:00:00.5%2002:00");
    assert_int_equal(answer.status, 200);
    assert_string_equal(https_header(&answer, "Almanac-Range"), "2025-02-28T23:00:00Z/2025-03-01T22:00:00.500Z");
    https_answer_free(&answer);
}

static void errors_of_the_query_keep_their_status_and_field(void **state)
{
    (void)state;
    assert_problem(get("/v1/range?from=yesterday&to=2025-03-02T00:00:00Z"), 400, "from");
    assert_problem(get(RANGE "&entity=nobody"), 404, "");
    assert_problem(get(RANGE "&step=PT15M&agg=sum"), 422, "agg");
}

/* ---- what is refused ---- */

/* ---- gaps ---- */

#define GAPS "/v1/gaps?from=2025-03-01T00:00:00Z&to=2025-03-02T00:00:00Z"

static void gaps_have_the_shape_of_the_contract(void **state)
{
    (void)state;
    assert_body(get(GAPS "&entity=p2-load-7"),
                "{\"series\":[\n{\"id\":8,\"entity\":\"p2-load-7\",\"type\":\"Load\",\"property\":\"energy\",\"unit\":\"Wh\","
                "\"kind\":\"interval\",\"missing\":[\n{\"from\":\"2025-03-01T00:00:00Z\",\"to\":\"2025-03-01T00:15:00Z\","
                "\"slots\":1}],\"expected\":4,\"received\":3,\"awaited\":2,\"never\":1}\n]}\n");
    struct https_answer answer = get(GAPS "&entity=p2-hp-1&cadence=PT1H");
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(text(&answer), "\"to\":\"2025-03-01T01:00:00Z\""));
    https_answer_free(&answer);
    assert_problem(get(GAPS "&entity=p2-hp-1"), 422, "cadence"); /* nobody said how often */
    assert_problem(get(GAPS "&cadence=often"), 400, "cadence");
    assert_problem(get(GAPS "&entity=nobody"), 404, "");
    assert_problem(get(GAPS "&step=PT15M"), 400, "step");
}

/* ---- entity tags ---- */

static struct https_answer get_if_none_match(const char *path, const char *tags)
{
    char header[200];
    snprintf(header, sizeof(header), "If-None-Match: %s", tags);
    const char *const headers[] = {header, NULL};
    return ask((struct https_request){.path = path, .token = reader_token, .headers = headers});
}

static void read_tag(const char *path, char tag[static 64])
{
    struct https_answer answer = get(path);
    assert_int_equal(answer.status, 200);
    snprintf(tag, 64, "%s", https_header(&answer, "ETag"));
    assert_true(strncmp(tag, "W/\"", 3) == 0 && strlen(tag) > 10);
    https_answer_free(&answer);
}

static void assert_status_of_tags(const char *path, const char *tags, long status)
{
    struct https_answer answer = get_if_none_match(path, tags);
    assert_int_equal(answer.status, status);
    assert_int_equal(answer.body.n == 0, status == 304);
    assert_true(strlen(https_header(&answer, "ETag")) > 10);
    assert_string_equal(https_header(&answer, "Almanac-Position"), "position-1");
    https_answer_free(&answer);
}

static void a_change_of_what_is_declared_is_another_tag(void **state)
{
    (void)state;
    char before[64], after[64];
    static const char path[] = RANGE;
    read_tag(path, before);
    fake_source.assets_version = 7;
    read_tag(path, after);
    fake_source.assets_version = 0;
    assert_string_not_equal(before, after);
    read_tag(path, after);
    assert_string_equal(before, after);
}

static void what_has_not_changed_is_not_sent_again(void **state)
{
    static const char path[] = RANGE "&entity=p2-meter-0142", other[] = RANGE "&entity=p2-meter-0142&time=ms";
    char tag[64], now[64], list[200];
    (void)state;
    fake_source.stamp = 1;
    read_tag(path, tag);
    snprintf(list, sizeof(list), "\"a\", W/\"b,c\" ,%s", tag);
    assert_status_of_tags(path, tag, 304);
    assert_status_of_tags(path, tag + 2, 304); /* compared weakly */
    assert_status_of_tags(path, list, 304);
    assert_status_of_tags(path, "*", 304);
    assert_status_of_tags(path, "\"a\", W/\"b\"", 200);
    assert_status_of_tags(path, "\"", 200);
    assert_status_of_tags(other, tag, 200);
    fake_source.stamp_beyond = 1; /* outside of the range */
    assert_status_of_tags(path, tag, 304);
    fake_source.stamp = 2;
    assert_status_of_tags(path, tag, 200);
    read_tag(path, now);
    assert_string_not_equal(now, tag);
    fake_source.stamp = fake_source.stamp_beyond = 0;
}

static void a_wrong_parameter_is_named(void **state)
{
    (void)state;
    assert_problem(get("/v1/series?entiti=x"), 400, "entiti");
    assert_problem(get("/v1/series?limit=0"), 400, "limit");
    assert_problem(get("/v1/series?limit=1&limit=2"), 400, "limit");
    assert_problem(get("/v1/series?cursor=-1"), 400, "cursor");
    assert_problem(get("/v1/series?q=%zz"), 400, "q");
    assert_problem(get("/v1/series?q=a%00b"), 400, "q");
    assert_problem(get("/v1/series/7?x=1"), 400, "x");
    assert_problem(get(RANGE "&stepp=raw"), 400, "stepp");
    assert_problem(get(RANGE "&format=csv&sep=x"), 400, "sep");
    assert_problem(get(RANGE "&format=csv&decimal=,"), 400, "decimal");
    assert_problem(get(RANGE "&format=csv&sep=,&decimal=,"), 400, "sep");
    assert_problem(get(RANGE "&format=csv&bom=1&bom=1"), 400, "bom");
    assert_problem(get(RANGE "&sep=;"), 400, "sep");
    assert_problem(get(RANGE "&format=csv&numbers=decimal"), 400, "numbers");
    assert_problem(get(RANGE "&format=arrow&time=ms"), 400, "time");
    assert_problem(get(RANGE "&format=xml"), 400, "format");
    assert_problem(get("/healthz?x=1"), 400, "x");
    char path[3000] = "/v1/series?";
    for (int i = 0; i < LIMIT_URL_PARAMETERS + 1; i++)
        strcat(path, "entity=a&");
    assert_problem(get(path), 400, "");
}

static void a_bad_body_is_refused(void **state)
{
    static const char *const json[] = {"Content-Type: application/json", NULL};
    static const char *const csv[] = {"Content-Type: text/csv", NULL};
    static const struct {
        const char *body, *field;
    } cases[] = {
        {"", ""}, {"[]", ""}, {"{\"from\":}", ""}, {"{\"from\":\"a\",\"from\":\"b\"}", ""},
        {"{\"limit\":1.5}", "limit"}, {"{\"agg\":{\"a\":1}}", "agg"}, {"{\"agg\":[[\"mean\"]]}", "agg"},
        {"{\"stepp\":\"raw\"}", "stepp"}, {"{\"from\":\"a\\u0000b\"}", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_problem(ask((struct https_request){.path = "/v1/range", .token = reader_token, .headers = json,
                                                  .body = cases[i].body, .body_size = strlen(cases[i].body)}),
                       400, cases[i].field);
    assert_problem(ask((struct https_request){.path = "/v1/range", .token = reader_token, .headers = csv, .body = "a",
                                              .body_size = 1}), 415, "");
    assert_problem(ask((struct https_request){.path = "/v1/range?step=raw", .token = reader_token, .headers = json,
                                              .body = "{}", .body_size = 2}), 400, "step");
}

static void a_body_over_the_limit_is_413_whether_announced_or_not(void **state)
{
    static const char *const json[] = {"Content-Type: application/json", NULL};
    size_t size = LIMIT_BODY_BYTES + 1;
    char *body = malloc(size);
    (void)state;
    memset(body, ' ', size);
    assert_problem(ask((struct https_request){.path = "/v1/range", .token = reader_token, .headers = json,
                                              .body = body, .body_size = size, .chunked = 1}), 413, "");
    for (int expect = 0; expect < 2; expect++)
        assert_problem(ask((struct https_request){.path = "/v1/range", .token = reader_token, .headers = json,
                                                  .body = body, .body_size = size, .expect = expect}), 413, "");
    assert_problem(ask((struct https_request){.path = "/v1/range", .headers = json, .body = body, .body_size = size}),
                   401, "");
    free(body);
}

static void without_a_known_token_it_is_401(void **state)
{
    (void)state;
    struct https_answer answer = ask((struct https_request){.path = "/v1/series"});
    assert_string_equal(https_header(&answer, "WWW-Authenticate"), "Bearer realm=\"almanac\"");
    assert_problem(answer, 401, "");
    answer = ask((struct https_request){.path = "/v1/series", .token = "alm_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"});
    assert_string_equal(https_header(&answer, "WWW-Authenticate"), "Bearer realm=\"almanac\", error=\"invalid_token\"");
    assert_problem(answer, 401, "");
    char path[128];
    snprintf(path, sizeof(path), "/v1/series?access_token=%s", reader_token);
    assert_problem(ask((struct https_request){.path = path}), 401, "");
    assert_problem(get(path), 400, "access_token");
}

static void without_the_scope_it_is_403_before_anything_is_looked_up(void **state)
{
    (void)state;
    assert_problem(ask((struct https_request){.path = "/v1/series/10", .token = ops_token}), 403, "");
    assert_problem(ask((struct https_request){.path = RANGE "&nonsense=1", .token = ops_token}), 403, "");
}

/* "pilot:correct horse" and "pilot:wrong horse" in base64. */
#define RIGHT_PASSWORD "Authorization: Basic cGlsb3Q6Y29ycmVjdCBob3JzZQ=="
#define BOTH_WAYS "Bearer realm=\"almanac\", Basic realm=\"almanac\", charset=\"UTF-8\""
#define WRONG_PASSWORD "Authorization: Basic cGlsb3Q6d3JvbmcgaG9yc2U="

static struct https_answer ask_with(const char *authorization, const char *path)
{
    const char *const headers[] = {authorization, NULL};
    return ask((struct https_request){.path = path, .headers = headers});
}

static void add_user(void)
{
    struct err_text error = {0};
    int rc = access_user_add(access_handle, "pilot", "read,sql", "correct horse", &error);
    if (rc && rc != ERR_EXISTS)
        fail_msg("%s", error.text);
}

static void a_user_is_let_in_by_password(void **state)
{
    (void)state;
    add_user();
    for (int i = 0; i < 2; i++) { /* computed, then remembered */
        struct https_answer answer = ask_with(RIGHT_PASSWORD, "/v1/series?entity=p2-load-7");
        assert_int_equal(answer.status, 200);
        https_answer_free(&answer);
        assert_problem(ask_with(RIGHT_PASSWORD, "/v1/exports"), 403, "");
    }
    struct https_answer answer = ask_with(WRONG_PASSWORD, "/v1/series");
    assert_string_equal(https_header(&answer, "WWW-Authenticate"), BOTH_WAYS);
    assert_problem(answer, 401, "");
    answer = ask((struct https_request){.path = "/api/Customer/Get"});
    assert_string_equal(https_header(&answer, "WWW-Authenticate"), BOTH_WAYS);
    assert_problem(answer, 401, "");
}

/* The job goes from the verifiers to the workers, whose answer streams. */
static void a_password_is_computed_before_a_long_request(void **state)
{
    const char body[] = "{\"sql\":\"SELECT 1\"}";
    const char *const headers[] = {RIGHT_PASSWORD, "Content-Type: application/json", NULL};
    (void)state;
    add_user();
    for (int i = 0; i < 2; i++) {
        struct https_answer answer = ask((struct https_request){.path = "/v1/sql", .headers = headers, .body = body,
                                                                .body_size = strlen(body)});
        assert_int_equal(answer.failed, 0);
        assert_true(answer.status == 200 || answer.status == 400);
        https_answer_free(&answer);
    }
}

static void *guess(void *arg)
{
    struct https_answer answer = ask_with(WRONG_PASSWORD, "/v1/series");
    *(long *)arg = answer.failed ? -1 : answer.status;
    https_answer_free(&answer);
    return NULL;
}

static void guessing_passwords_holds_up_nobody_with_a_token(void **state)
{
    pthread_t threads[12];
    long status[12];
    (void)state;
    for (size_t i = 0; i < 12; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, guess, &status[i]), 0);
    for (int i = 0; i < 5; i++) {
        struct https_answer answer = get("/v1/series");
        assert_int_equal(answer.status, 200);
        https_answer_free(&answer);
    }
    for (size_t i = 0; i < 12; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(status[i], 401);
    }
}

static void a_token_made_by_somebody_else_is_valid_at_once(void **state)
{
    struct err_text error = {0};
    struct access *other;
    char token[TOKEN_TEXT_MAX];
    (void)state;
    assert_int_equal(access_open(dir, &other, &error), 0);
    for (int i = 0; i < 3; i++) {
        char name[32];
        snprintf(name, sizeof(name), "late-%d", i);
        assert_int_equal(access_token_create(other, name, "read", token, &error), 0);
        struct https_answer answer = ask((struct https_request){.path = "/v1/series", .token = token});
        assert_int_equal(answer.status, 200);
        https_answer_free(&answer);
    }
    access_close(other);
}

static void a_path_or_method_that_is_not_there_is_told(void **state)
{
    (void)state;
    assert_problem(get("/v1/serie"), 404, "");
    assert_problem(get("/page"), 404, "");
    assert_problem(get("/v1/%zz"), 400, "");
    struct https_answer answer = ask((struct https_request){.path = "/v1/range", .method = "DELETE", .token = reader_token});
    assert_string_equal(https_header(&answer, "Allow"), "GET, HEAD, POST, OPTIONS");
    assert_problem(answer, 405, "");
    answer = ask((struct https_request){.path = "/v1/series/7", .method = "OPTIONS"});
    assert_int_equal(answer.status, 204);
    assert_string_equal(https_header(&answer, "Allow"), "GET, HEAD, OPTIONS");
    https_answer_free(&answer);
}

static void nothing_acceptable_is_406(void **state)
{
    static const char *const xml[] = {"Accept: application/xml", NULL};
    static const char *const none[] = {"Accept: application/json;q=0", NULL};
    (void)state;
    assert_problem(ask((struct https_request){.path = RANGE, .token = reader_token, .headers = xml}), 406, "");
    assert_problem(ask((struct https_request){.path = "/v1/series", .token = reader_token, .headers = none}), 406, "");
}

static void head_answers_the_headers_alone(void **state)
{
    (void)state;
    fake_source.n_rows = N_ROWS_LONG;
    struct https_answer answer = ask((struct https_request){.path = RANGE, .method = "HEAD", .token = reader_token});
    assert_int_equal(answer.failed, 0);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.body.n, 0);
    assert_string_equal(https_header(&answer, "Almanac-Tiers"), "raw");
    https_answer_free(&answer);
}

/* ---- health ---- */

static void assert_ready(struct health now, long status, const char *expected)
{
    set_health(now);
    struct https_answer answer = ask((struct https_request){.path = "/readyz"});
    assert_int_equal(answer.status, status);
    assert_string_equal(text(&answer), expected);
    assert_int_equal(*https_header(&answer, "Retry-After") != '\0', status == 503);
    https_answer_free(&answer);
}

static void readiness_follows_the_contract(void **state)
{
    struct health well = {.serving = true, .ingesting = true, .caught_up = true, .connected = true};
    struct health now = well;
    (void)state;
    assert_ready(well, 200, "{\"status\":\"ready\",\"lag\":0,\"lag_seconds\":0.000,\"embedded\":false,\"reasons\":[]}\n");
    now.caught_up = false;
    now.lag = 12;
    now.lag_us = 1500000;
    assert_ready(now, 503, "{\"status\":\"starting\",\"lag\":12,\"lag_seconds\":1.500,\"embedded\":false,"
                           "\"reasons\":[\"ingest has not yet reached the ends of its partitions\"]}\n");
    now = well;
    now.embedded = true;
    now.lag_us = 60000001;
    assert_ready(now, 200, "{\"status\":\"degraded\",\"lag\":0,\"lag_seconds\":60.000,\"embedded\":true,"
                           "\"reasons\":[\"ingest lags behind\"]}\n");
    now.serving = false; /* a process that only ingests */
    assert_ready(now, 503, "{\"status\":\"degraded\",\"lag\":0,\"lag_seconds\":60.000,\"embedded\":true,"
                           "\"reasons\":[\"ingest lags behind\"]}\n");
    now = well;
    now.connected = false;
    snprintf(now.reason, sizeof(now.reason), "all \"brokers\" down");
    assert_ready(now, 200, "{\"status\":\"degraded\",\"lag\":0,\"lag_seconds\":0.000,\"embedded\":false,"
                           "\"reasons\":[\"the broker does not answer\",\"all \\\"brokers\\\" down\"]}\n");
    assert_ready((struct health){.lag = -1, .lag_us = -1}, 503,
                 "{\"status\":\"starting\",\"lag\":null,\"lag_seconds\":null,\"embedded\":false,"
                 "\"reasons\":[\"queries cannot be answered yet\"]}\n");
    assert_ready((struct health){.serving = true, .lag = -1, .lag_us = -1}, 200,
                 "{\"status\":\"ready\",\"lag\":null,\"lag_seconds\":null,\"embedded\":false,\"reasons\":[]}\n");
}

static void health_and_metrics_need_no_credentials_here(void **state)
{
    (void)state;
    set_health((struct health){.serving = false});
    assert_body(ask((struct https_request){.path = "/healthz"}), "{\"status\":\"alive\"}\n");
    struct https_answer answer = ask((struct https_request){.path = "/metrics"});
    assert_int_equal(answer.status, 200);
    assert_string_equal(https_header(&answer, "Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    assert_non_null(strstr(text(&answer), "almanac_http_requests_total{status=\"2xx\"}"));
    https_answer_free(&answer);
}

static void queries_are_503_while_starting(void **state)
{
    (void)state;
    set_health((struct health){.serving = false});
    struct https_answer answer = get("/v1/series");
    assert_string_equal(https_header(&answer, "Retry-After"), "5");
    assert_problem(answer, 503, "");
}

/* ---- connections ---- */

/* As a stranger, so that no route waits or streams: pages, health and refusals. */
static void every_route_answers_with_the_headers_of_security(void **state)
{
    (void)state;
    for (const struct route *route = routes; route->method; route++) {
        char path[256];
        size_t n = 0;
        for (const char *at = route->path; *at && n < sizeof(path) - 1; at++) {
            path[n++] = *at == '{' ? 'x' : *at;
            if (*at == '{')
                at = strchr(at, '}');
        }
        path[n] = '\0';
        struct https_answer answer = ask((struct https_request){.path = path, .method = route->method});
        assert_int_equal(answer.failed, 0);
        assert_string_equal(https_header(&answer, "X-Content-Type-Options"), "nosniff");
        assert_string_equal(https_header(&answer, "Referrer-Policy"), "no-referrer");
        assert_non_null(strstr(https_header(&answer, "Content-Security-Policy"), "default-src 'none'"));
        assert_non_null(strstr(https_header(&answer, "Content-Security-Policy"), "frame-ancestors 'none'"));
        https_answer_free(&answer);
    }
}

static void tls_below_1_2_and_http_1_0_are_not_spoken(void **state)
{
    (void)state;
    struct https_answer answer = ask((struct https_request){.path = "/healthz", .tls_max_1_1 = 1});
    assert_int_equal(answer.failed, CURLE_SSL_CONNECT_ERROR);
    https_answer_free(&answer);
    assert_body(ask((struct https_request){.path = "/healthz", .tls_max_1_2 = 1}), "{\"status\":\"alive\"}\n");
    assert_problem(ask((struct https_request){.path = RANGE, .token = reader_token, .http_1_0 = 1}), 505, "");
}

/* Waits until the peer has closed the connection; false when it has not in 10 s. */
static bool wait_closed(int fd)
{
    char byte;
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    while (poll(&poll_fd, 1, 10000) > 0)
        if (recv(fd, &byte, 1, 0) <= 0)
            return true;
    return false;
}

static int connect_plain(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(server_port(server))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void who_does_not_finish_a_request_in_time_is_cut(void **state)
{
    curl_socket_t fd;
    (void)state;
    CURL *curl = send_by_hand("GET /v1/series HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
    assert_int_equal(curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &fd), CURLE_OK);
    int plain = connect_plain(), half = connect_plain(); /* one does not even begin its handshake */
    assert_int_equal(send(half, "\x16\x03\x01", 3, 0), 3);
    assert_body(ask((struct https_request){.path = "/healthz"}), "{\"status\":\"alive\"}\n"); /* all are accepted now */
    clock_freeze(clock_mono_us() + 11 * INT64_C(1000000));
    bool all = wait_closed(plain) && wait_closed(half) && wait_closed(fd);
    clock_freeze(INT64_MIN);
    assert_true(all);
    close(plain);
    close(half);
    curl_easy_cleanup(curl);
}

static void who_does_not_take_an_answer_in_time_is_cut(void **state)
{
    char request[300];
    struct pollfd end = {.events = POLLRDHUP};
    (void)state;
    fake_source.n_rows = N_ROWS_LONG;
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n",
             RANGE "&format=csv", reader_token);
    CURL *curl = send_by_hand(request);
    assert_int_equal(curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &end.fd), CURLE_OK);
    await(&fake_source.n_answers, 1);
    int64_t now_us = clock_mono_us();
    for (int i = 0; i < 10 && !end.revents; i++) { /* at the first looks more of it may be on its way */
        clock_freeze(now_us += 121 * INT64_C(1000000));
        (void)poll(&end, 1, 1500);
    }
    clock_freeze(INT64_MIN);
    assert_true(end.revents & (POLLRDHUP | POLLHUP | POLLERR));
    await(&fake_source.n_answers, 0);
    curl_easy_cleanup(curl);
}

/* Each call of recv in this process counts: the server's of handshakes among them. */
static atomic_int n_recv;
ssize_t recv(int fd, void *data, size_t size, int flags)
{
    atomic_fetch_add(&n_recv, 1);
    return recvfrom(fd, data, size, flags, NULL, NULL);
}

static void handshakes_that_wait_are_left_alone_until_something_comes(void **state)
{
    enum { N = 8 };
    int fds[N];
    (void)state;
    for (int i = 0; i < N; i++) {
        fds[i] = connect_plain();
        assert_int_equal(send(fds[i], "\x16\x03\x01", 3, 0), 3);
    }
    assert_body(ask((struct https_request){.path = "/healthz"}), "{\"status\":\"alive\"}\n");
    int before = atomic_load(&n_recv);
    for (int i = 0; i < 20; i++)
        assert_body(ask((struct https_request){.path = "/healthz"}), "{\"status\":\"alive\"}\n");
    printf("# %d calls of recv for 20 requests beside %d handshakes\n", atomic_load(&n_recv) - before, N);
    assert_in_range(atomic_load(&n_recv) - before, 20, 20 * 100);
    assert_int_equal(send(fds[0], "nonsense nonsense", 17, 0), 17);
    assert_true(wait_closed(fds[0])); /* it goes on where it was */
    stop_server(5000);                /* while the others sleep */
    for (int i = 1; i < N; i++)
        assert_true(wait_closed(fds[i]));
    for (int i = 0; i < N; i++)
        close(fds[i]);
}

/* Else the end of a handshake's flight waits until its beginning is acknowledged, for which clients take 40 ms. */
static void what_is_sent_waits_for_no_acknowledgement(void **state)
{
    int n = 0;
    (void)state;
    for (int fd = 0; fd < 1024; fd++) { /* connections inherit it from the socket that listens */
        struct sockaddr_in at;
        int listens = 0, no_delay = 0;
        socklen_t size = sizeof(listens), at_size = sizeof(at), no_delay_size = sizeof(no_delay);
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) || !listens ||
            getsockname(fd, (struct sockaddr *)&at, &at_size) || ntohs(at.sin_port) != server_port(server))
            continue;
        assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &no_delay_size), 0);
        assert_true(no_delay);
        n++;
    }
    assert_true(n > 0);
}

/* The server of this case has few places. */
static void restart_small(void)
{
    struct err_text error = {0};
    struct server_opts opts = options();
    stop_server(5000);
    opts.connections_max = 12;
    opts.connections_client_max = 6;
    assert_int_equal(server_start(&opts, &server, &error), 0);
}

/* Which one is the oldest, is for the two threads that accept to say. */
static void where_all_places_are_taken_an_idler_makes_room(void **state)
{
    struct pollfd idlers[6];
    (void)state;
    restart_small();
    for (int i = 0; i < 6; i++)
        idlers[i] = (struct pollfd){.fd = connect_plain(), .events = POLLIN};
    assert_body(ask((struct https_request){.path = "/healthz"}), "{\"status\":\"alive\"}\n");
    assert_true(poll(idlers, 6, 10000) > 0);
    for (int i = 0; i < 6; i++) {
        assert_true(!idlers[i].revents || wait_closed(idlers[i].fd));
        close(idlers[i].fd);
    }
}

static void who_is_being_answered_makes_no_room(void **state)
{
    char request[300], first[64];
    size_t n;
    CURL *takers[6];
    (void)state;
    restart_small();
    fake_source.n_rows = N_ROWS_LONG;
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n",
             RANGE "&format=csv", reader_token);
    for (int i = 0; i < 6; i++) {
        struct pollfd some = {.events = POLLIN};
        takers[i] = send_by_hand(request);
        assert_int_equal(curl_easy_getinfo(takers[i], CURLINFO_ACTIVESOCKET, &some.fd), CURLE_OK);
        do
            assert_int_equal(poll(&some, 1, 10000), 1);
        while (curl_easy_recv(takers[i], first, sizeof(first), &n) == CURLE_AGAIN);
        assert_int_equal(strncmp(first, "HTTP/1.1 200 ", 13), 0);
    }
    struct https_answer answer = ask((struct https_request){.path = "/healthz"});
    assert_int_not_equal(answer.failed, 0);
    https_answer_free(&answer);
    assert_int_equal(atomic_load(&fake_source.n_answers), 6);
    for (int i = 0; i < 6; i++)
        curl_easy_cleanup(takers[i]);
    await(&fake_source.n_answers, 0);
    assert_body(ask((struct https_request){.path = "/healthz"}), "{\"status\":\"alive\"}\n");
}

static void requests_of_which_the_end_is_in_doubt_are_refused(void **state)
{
    static const char *const doubtful[] = {
        "Content-Length: 5\r\nTransfer-Encoding: chunked", "Content-Length: 5\r\nContent-Length: 5",
        "Transfer-Encoding: gzip", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"};
    (void)state;
    for (size_t i = 0; i < sizeof(doubtful) / sizeof(*doubtful); i++) {
        char request[512], got[2048] = "";
        size_t n = 0, more = 0;
        CURLcode code;
        snprintf(request, sizeof(request), "POST /v1/range HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n0\r\n\r\n"
                 "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", doubtful[i]);
        CURL *curl = send_by_hand(request);
        struct pollfd some = {.events = POLLIN};
        assert_int_equal(curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &some.fd), CURLE_OK);
        while (n < sizeof(got) - 1 &&
               ((code = curl_easy_recv(curl, got + n, sizeof(got) - 1 - n, &more)) == CURLE_AGAIN || more)) {
            n += code == CURLE_AGAIN ? 0 : more;
            if (code == CURLE_AGAIN && poll(&some, 1, 10000) <= 0)
                break;
            more = 0;
        }
        assert_int_equal(strncmp(got, "HTTP/1.1 400 ", 13), 0);
        assert_non_null(strstr(got, "\"detail\":\""));
        assert_null(strstr(got, "alive"));
        curl_easy_cleanup(curl);
    }
}

static void *ask_often(void *arg)
{
    (void)arg;
    uintptr_t n_wrong = 0;
    for (int i = 0; i < 12; i++) {
        struct https_answer answer = get(i % 3 ? RANGE "&step=PT15M" : "/v1/series");
        n_wrong += answer.failed || answer.status != 200 || !strstr(text(&answer), "\"next\":null}\n");
        https_answer_free(&answer);
    }
    return (void *)n_wrong;
}

static void many_clients_at_once_get_whole_answers(void **state)
{
    pthread_t threads[6];
    (void)state;
    fake_source.n_rows = 2000;
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, NULL), 0);
    for (size_t i = 0; i < 6; i++) {
        void *n_wrong;
        pthread_join(threads[i], &n_wrong);
        assert_int_equal((uintptr_t)n_wrong, 0);
    }
}

static void *ask_long(void *arg)
{
    *(struct https_answer *)arg = get(RANGE "&format=csv");
    return NULL;
}

static void stopping_lets_a_running_answer_finish(void **state)
{
    struct https_answer answer;
    pthread_t thread;
    (void)state;
    fake_source.n_rows = N_ROWS_LONG;
    assert_int_equal(pthread_create(&thread, NULL, ask_long, &answer), 0);
    int64_t until_us = clock_mono_us() + 10000000;
    while (!atomic_load(&fake_source.n_answers) && clock_mono_us() < until_us)
        sched_yield();
    stop_server(30000);
    pthread_join(thread, NULL);
    assert_int_equal(answer.failed, 0);
    assert_int_equal(answer.status, 200);
    https_answer_free(&answer);
}

static void what_hinders_the_start_is_told_in_one_sentence(void **state)
{
    struct err_text error = {0};
    struct server_opts opts = options();
    struct server *second = NULL;
    char taken[32], other_certificate[96], other_key[96];
    (void)state;
    snprintf(taken, sizeof(taken), "127.0.0.1:%u", server_port(server));
    opts.listen = taken;
    assert_int_equal(server_start(&opts, &second, &error), ERR_BUSY);
    assert_non_null(strstr(error.text, taken));
    static const char *const wrong[] = {"", "8443", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:8443", "[::1:1",
                                        "127.0.0.1:8443x", "[]:1"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        opts.listen = wrong[i];
        assert_int_equal(server_start(&opts, &second, &error), ERR_INVALID);
    }
    opts = options();
    opts.certificate = "/nowhere/server.pem";
    assert_int_equal(server_start(&opts, &second, &error), ERR_NOTFOUND);
    assert_non_null(strstr(error.text, "/nowhere/server.pem"));
    snprintf(other_certificate, sizeof(other_certificate), "%s/other.pem", dir);
    snprintf(other_key, sizeof(other_key), "%s/other.key", dir);
    https_make_certificate(other_certificate, other_key);
    opts.certificate = certificate;
    opts.key = other_key;
    assert_int_equal(server_start(&opts, &second, &error), ERR_INVALID);
    assert_non_null(strstr(error.text, other_key));
    opts.key = certificate;
    assert_int_equal(server_start(&opts, &second, &error), ERR_INVALID);
    remove(other_certificate);
    remove(other_key);
    assert_null(second);
}

/* ---- the Prometheus door ---- */

#define METER "{\"__name__\":\"activePower\",\"entity\":\"p2-meter-0142\",\"type\":\"SmartMeter\",\"unit\":\"W\"}"
#define LOAD "{\"__name__\":\"energy\",\"entity\":\"p2-load-7\",\"type\":\"Load\",\"unit\":\"Wh\"}"

static struct https_answer post_form(const char *path, const char *form)
{
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded", NULL};
    return ask((struct https_request){
        .path = path, .token = reader_token, .headers = headers, .body = form, .body_size = strlen(form)});
}

/* Asserts that the answer is an error as Prometheus tells it. */
static void assert_prometheus_error(struct https_answer answer, long status, const char *type)
{
    assert_int_equal(answer.status, status);
    assert_string_equal(https_header(&answer, "Content-Type"), "application/json");
    json_t *json = json_loads(text(&answer), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(json, "status")), "error");
    assert_string_equal(json_string_value(json_object_get(json, "errorType")), type);
    assert_true(json_string_length(json_object_get(json, "error")) > 0);
    json_decref(json);
    https_answer_free(&answer);
}

static void prometheus_clients_get_a_matrix(void **state)
{
    static const char matrix[] =
        "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[\n"
        "{\"metric\":{\"entity\":\"p2-meter-0142\",\"type\":\"SmartMeter\",\"unit\":\"W\"},\"values\":["
        "[1740787200,\"0.5\"],[1740788100.5,\"1.5\"]]}\n]}}\n";
    static const char parameters[] =
        "query=avg_over_time(activePower%5B15m%5D)&start=2025-03-01T00:00:00Z&end=1740788101&step=900.5";
    char path[256];
    (void)state;
    snprintf(path, sizeof(path), "/api/v1/query_range?%s", parameters);
    assert_body(get(path), matrix);
    assert_body(post_form("/api/v1/query_range", parameters), matrix);
    fake_source.partial = true;
    struct https_answer answer = get("/api/v1/query_range?query=%7Btype=~%22.%2B%22%7D&start=0&end=0&step=1m&limit=1");
    assert_string_equal(https_header(&answer, "Almanac-Coverage"), "partial");
    fake_source.partial = false;
    assert_body(answer, "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[\n"
                        "{\"metric\":" METER
                        ",\"values\":[[0,\"0.5\"]]}\n]},\"warnings\":[\"another store of the same consumer group "
                        "holds a part of these series\",\"there are more series than the limit\"]}\n");
    assert_body(get("/api/v1/query_range?query=nobody&start=0&end=0&step=1"),
                "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[\n]}}\n");
    assert_body(get("/api/v1/query_range?query=1%2B1&start=0&end=3&step=2"),
                "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{\"metric\":{},\"values\":[[0,"
                "\"2\"],[2,\"2\"]]}]}}\n");
}

static void prometheus_clients_get_a_vector(void **state)
{
    (void)state;
    assert_body(get("/api/v1/query?query=%7Btype!=%22%22%7D&time=1740787200.25"),
                "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[\n"
                "{\"metric\":" METER ",\"value\":[1740787200.25,\"0.5\"]},\n{\"metric\":" LOAD
                ",\"value\":[1740787200.25,\"0.5\"]}\n]}}\n");
    assert_body(post_form("/api/v1/query", "query=count_over_time(energy[1h])&time=1970-01-01T01:00:00+01:00"),
                "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[\n"
                "{\"metric\":{\"entity\":\"p2-load-7\",\"type\":\"Load\",\"unit\":\"Wh\"},\"value\":[0,\"7\"]}\n]}}\n");
    assert_body(get("/api/v1/query?query=1%2B1&time=5"),
                "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":[5,\"2\"]}}\n");
}

static void prometheus_clients_find_what_there_is(void **state)
{
    (void)state;
    assert_body(get("/api/v1/series?match[]=activePower&match[]=%7Bentity=%22p2-load-7%22%7D"),
                "{\"status\":\"success\",\"data\":[\n" METER ",\n" LOAD "\n]}\n");
    assert_body(post_form("/api/v1/series", "match[]=%7Btype!=%22%22%7D&limit=1"),
                "{\"status\":\"success\",\"data\":[\n" METER "\n],\"warnings\":[\"there are more than the limit\"]}\n");
    assert_body(get("/api/v1/series?match[]=activePower&start=2025-03-01T00:00:03Z"),
                "{\"status\":\"success\",\"data\":[]}\n");
    assert_body(get("/api/v1/labels"),
                "{\"status\":\"success\",\"data\":[\n\"__name__\",\n\"entity\",\n\"type\",\n\"unit\"\n]}\n");
    assert_body(post_form("/api/v1/labels", "match[]=nobody"), "{\"status\":\"success\",\"data\":[\n]}\n");
    assert_body(get("/api/v1/label/__name__/values"),
                "{\"status\":\"success\",\"data\":[\n\"activePower\",\n\"energy\"\n]}\n");
    assert_body(get("/api/v1/label/entity/values?match[]=energy&end=1740787200"),
                "{\"status\":\"success\",\"data\":[\n\"p2-load-7\"\n]}\n");
    assert_body(get("/api/v1/label/nobody/values"), "{\"status\":\"success\",\"data\":[\n]}\n");
    assert_body(get("/api/v1/metadata"),
                "{\"status\":\"success\",\"data\":{\n\"activePower\":[{\"type\":\"gauge\",\"help\":\"\","
                "\"unit\":\"W\"}],\n\"energy\":[{\"type\":\"gauge\",\"help\":\"\",\"unit\":\"Wh\"}]}}\n");
    assert_body(
        get("/api/v1/metadata?metric=energy&limit=0&limit_per_metric=1"),
        "{\"status\":\"success\",\"data\":{\n\"energy\":[{\"type\":\"gauge\",\"help\":\"\",\"unit\":\"Wh\"}]}}\n");
    struct https_answer answer = get("/api/v1/status/buildinfo");
    assert_non_null(strstr(text(&answer), "\"version\":\"" PACKAGE_VERSION "\""));
    https_answer_free(&answer);
}

static void prometheus_clients_get_errors_that_they_know(void **state)
{
    static const char *const bad[] = {
        "query_range?query=x&start=0&end=1",
        "query_range?query=x&start=1&end=0&step=1",
        "query_range?query=x&start=0&end=1&step=0",
        "query_range?query=x&start=0&end=1&step=-1s",
        "query_range?query=x&start=0&end=11001&step=1",
        "query_range?query=x&start=now&end=1&step=1",
        "query_range?query=rate(x[5m])&start=0&end=1&step=1",
        "query",
        "query?query=x&time=1e300",
        "query?query=x&timeout=0",
        "query?query=x&nobody=1",
        "query?query=x&query=y",
        "query?query=x&limit=-1",
        "query?query=%7Bx=~%22(%22%7D",
        "series",
        "series?match[]=%7B%7D",
        "labels?start=x",
        "label/1x/values",
        "metadata?limit=x",
        "status/buildinfo?x=1",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        char path[128];
        snprintf(path, sizeof(path), "/api/v1/%s", bad[i]);
        assert_prometheus_error(get(path), 400, "bad_data");
    }
    assert_prometheus_error(get("/api/v1/query_range?query=avg_over_time(x[1y])&start=0&end=1&step=0.001"), 422,
                            "execution");
    fake_source.fail_at = 0;
    assert_prometheus_error(get("/api/v1/query?query=energy"), 422, "execution");
    fake_source.fail_at = -1;
    assert_problem(ask((struct https_request){.path = "/api/v1/query?query=x"}), 401, "");
    assert_problem(get("/api/v1/label//values"), 404, "");
    struct https_answer answer =
        ask((struct https_request){.path = "/api/v1/query", .method = "DELETE", .token = reader_token});
    assert_string_equal(https_header(&answer, "Allow"), "GET, HEAD, POST, OPTIONS");
    assert_problem(answer, 405, "");
}

static void two_series_with_the_same_labels_are_refused(void **state)
{
    static const struct fake_series two[] = {
        {{1, "m", "SmartMeter", "voltageL1", "V", KIND_GAUGE, false, 0, NULL}, {0, 0, 0, {0}}},
        {{2, "m", "SmartMeter", "voltageL2", "V", KIND_GAUGE, false, 0, NULL}, {0, 0, 0, {0}}},
    };
    (void)state;
    fake_source.series = two;
    fake_source.n_series = 2;
    assert_prometheus_error(get("/api/v1/query?query=avg_over_time(%7Bentity=%22m%22%7D[5m])"), 422, "execution");
    struct https_answer answer = get("/api/v1/query?query=last_over_time(%7Bentity=%22m%22%7D[5m])");
    assert_int_equal(answer.status, 200);
    https_answer_free(&answer);
}

/* ---- events ---- */

#define LIVE_BEGIN ": what arrives from now on\nid: position-1\n\n"
#define LIVE_LABELS "\"entity\":\"p2-meter-0142\",\"property\":\"activePower\",\"unit\":\"W\""

/* The client's thread, at each piece that comes: five readings are there from the first one on. */
static void let_five_arrive(void *arg)
{
    (void)arg;
    atomic_store(&fake_source.n_arrived, 5);
}

static struct https_answer listen_for(const char *path, const char *const *headers, const char *expected)
{
    return ask((struct https_request){.path = path,
                                      .token = reader_token,
                                      .headers = headers,
                                      .stop_after = strlen(expected),
                                      .on_data = let_five_arrive});
}

/* A listener that went away is noticed, and what it held is given back. */
static void assert_left(void)
{
    int64_t end_us = clock_mono_us() + 20000000;
    while (atomic_load(&fake_source.n_views) && clock_mono_us() < end_us)
        sched_yield();
    assert_int_equal(atomic_load(&fake_source.n_views), 0);
    fake_source.flushed = false;
    fake_source.n_changes = 0;
    atomic_store(&fake_source.n_arrived, 0);
}

static void what_arrives_is_told_as_it_arrives(void **state)
{
    static const char expected[] =
        LIVE_BEGIN "data: {" LIVE_LABELS ",\"time\":\"1970-01-01T00:00:01Z\",\"value\":1,\"quality\":\"measured\"}\n\n"
                   "data: {" LIVE_LABELS ",\"time\":\"1970-01-01T00:00:02Z\",\"value\":2,\"quality\":\"measured\"}\n\n"
                   "data: {" LIVE_LABELS ",\"time\":\"1970-01-01T00:00:03Z\",\"value\":3,\"quality\":\"measured\"}\n\n"
                   "data: {" LIVE_LABELS ",\"time\":\"1970-01-01T00:00:04Z\",\"deleted\":true}\n\n"
                   "data: {" LIVE_LABELS ",\"time\":\"1970-01-01T00:00:05Z\",\"value\":5,\"quality\":\"measured\"}\n\n"
                   "id: position-6\n\n";
    (void)state;
    struct https_answer answer = listen_for("/v1/live?entity=p2-meter-0142", NULL, expected);
    assert_int_equal(answer.status, 200);
    assert_string_equal(https_header(&answer, "Content-Type"), "text/event-stream");
    assert_string_equal(https_header(&answer, "Almanac-Position"), "position-1");
    assert_string_equal(https_header(&answer, "Cache-Control"), "no-store");
    assert_string_equal(https_header(&answer, "Content-Encoding"), "");
    assert_string_equal(text(&answer), expected);
    https_answer_free(&answer);
    assert_left();
}

static void what_was_flushed_is_told_by_ranges(void **state)
{
    static const struct view_change changes[] = {{7, 10000000, 20000000}, {8, 0, 1000000}};
    static const char ranges[] =
        "event: range\ndata: {" LIVE_LABELS ",\"from\":\"1970-01-01T00:00:10Z\",\"to\":\"1970-01-01T00:00:20Z\"}\n\n"
        "data: {" LIVE_LABELS ",\"time\":\"1970-01-01T00:00:10Z\",\"value\":5,\"quality\":\"edited\"}\n\n";
    static const char *const last[] = {"Last-Event-ID: position-0", NULL};
    char expected[1024];
    (void)state;
    fake_source.changes = changes;
    fake_source.n_changes = 2;
    fake_source.flushed = true;
    snprintf(expected, sizeof(expected), "%s%sid: position-6\n\n", LIVE_BEGIN, ranges);
    struct https_answer answer = listen_for("/v1/live?entity=p2-meter-0142", NULL, expected);
    assert_string_equal(text(&answer), expected);
    https_answer_free(&answer);
    assert_left();

    /* and to whoever comes again with the id of what it was told last, which is newer than what stays in its URL */
    fake_source.n_changes = 2;
    snprintf(expected, sizeof(expected), ": what arrives from now on\n%sid: position-1\n\n", ranges);
    answer = ask((struct https_request){.path = "/v1/live?series=7&since=long-ago",
                                        .token = reader_token,
                                        .headers = last,
                                        .stop_after = strlen(expected)});
    assert_string_equal(text(&answer), expected);
    https_answer_free(&answer);
    assert_left();
}

static void let_many_arrive(void *arg)
{
    (void)arg;
    atomic_store(&fake_source.n_arrived, 5000); /* more than one piece */
}

static void a_listener_that_is_too_slow_is_told_so_and_dropped(void **state)
{
    static const char last[] =
        "event: dropped\ndata: {\"reason\":\"too slow; come again with the last id\"}\n\n";
    struct server_opts opts = options();
    struct err_text error = {0};
    (void)state;
    stop_server(5000);
    opts.behind_max_us = 1;
    assert_int_equal(server_start(&opts, &server, &error), 0);
    struct https_answer answer =
        ask((struct https_request){.path = "/v1/live", .token = reader_token, .on_data = let_many_arrive});
    assert_int_equal(answer.failed, 0); /* it ends well */
    assert_string_equal(text(&answer) + answer.body.n - strlen(last), last);
    assert_null(strstr(text(&answer), "id: position-5001")); /* what was not told whole has no id */
    https_answer_free(&answer);
    assert_left();
}

static void events_want_a_position_of_this_store(void **state)
{
    static const char *const json[] = {"Accept: application/json", NULL}, *const last[] = {"Last-Event-ID: x", NULL};
    (void)state;
    assert_problem(get("/v1/live?since=x"), 400, "since");
    assert_problem(get("/v1/live?since=long-ago"), 410, "since");
    assert_problem(get("/v1/live?series=x"), 400, "series");
    assert_problem(get("/v1/live?from=now"), 400, "from");
    assert_problem(ask((struct https_request){.path = "/v1/live", .token = reader_token, .headers = last}), 400,
                   "since");
    assert_problem(ask((struct https_request){.path = "/v1/live", .token = reader_token, .headers = json}), 406, "");
    assert_problem(ask((struct https_request){.path = "/v1/live"}), 401, "");
    assert_left();
}

static void *listen_on(void *arg)
{
    *(struct https_answer *)arg = get("/v1/live");
    return NULL;
}

static void listeners_do_not_hold_up_a_stop(void **state)
{
    struct https_answer answers[3];
    pthread_t threads[3];
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, listen_on, &answers[i]), 0);
    int64_t end_us = clock_mono_us() + 20000000;
    while (atomic_load(&fake_source.n_views) < 3 && clock_mono_us() < end_us)
        sched_yield();
    struct https_answer other = get("/v1/series/8"); /* and no thread of the server */
    assert_int_equal(other.status, 200);
    https_answer_free(&other);
    int64_t begin_us = clock_mono_us();
    stop_server(30000);
    assert_in_range(clock_mono_us() - begin_us, 0, 15000000);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(answers[i].failed, 0); /* it ends well */
        assert_string_equal(text(&answers[i]), LIVE_BEGIN);
        https_answer_free(&answers[i]);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(series_are_listed_with_every_member),
        CASE(series_filters_reach_the_catalog_cut_at_commas_and_blanks),
        CASE(pages_of_series_have_no_holes_and_no_repeats),
        CASE(the_newest_readings_are_listed_like_the_catalog),
        CASE(prometheus_clients_get_a_matrix),
        CASE(prometheus_clients_get_a_vector),
        CASE(prometheus_clients_find_what_there_is),
        CASE(prometheus_clients_get_errors_that_they_know),
        CASE(two_series_with_the_same_labels_are_refused),
        CASE(what_arrives_is_told_as_it_arrives),
        CASE(what_was_flushed_is_told_by_ranges),
        CASE(events_want_a_position_of_this_store),
        CASE(a_listener_that_is_too_slow_is_told_so_and_dropped),
        CASE(listeners_do_not_hold_up_a_stop),
        CASE(one_series_shows_its_quality_mix),
        CASE(changes_are_told_by_series_and_range),
        CASE(many_changes_are_all_told),
        CASE(changes_want_a_position_of_this_store),
        CASE(a_step_range_has_the_shape_of_the_contract),
        CASE(raw_rows_carry_quality_only_where_not_all_are_measured),
        CASE(csv_is_chosen_by_format_and_by_accept),
        CASE(ndjson_is_chosen_by_format_and_by_accept),
        CASE(one_csv_header_serves_series_of_several_kinds),
        CASE(a_cursor_of_the_answer_is_given_as_next),
        CASE(a_long_answer_streams_whole),
        CASE(answers_over_1_kib_are_packed_when_asked),
        CASE(a_packed_answer_that_fails_midway_breaks_the_connection),
        CASE(an_answer_that_fails_midway_breaks_the_connection),
        CASE(wide_answers_have_a_column_a_series),
        CASE(every_format_and_layout_that_fails_midway_breaks_the_connection),
        CASE(an_answer_that_fails_at_once_says_so_by_its_status),
        CASE(a_client_that_hangs_up_leaves_nothing_behind),
        CASE(a_post_of_json_or_a_form_asks_the_same),
        CASE(rows_of_sql_come_as_json_csv_and_ndjson),
        CASE(refused_sql_has_a_status_and_names_the_field),
        CASE(sql_that_reaches_a_bound_late_is_an_error_all_the_same),
        CASE(long_statements_leave_the_threads_of_the_others_free),
        CASE(when_too_many_wait_it_is_503),
        CASE(so_many_requests_of_one_run_and_others_are_not_held_up),
        CASE(bytes_that_were_too_many_are_waited_for),
        CASE(too_much_at_once_is_429_and_names_the_field),
        CASE(long_queries_of_prometheus_are_work_for_workers),
        CASE(stopping_lets_a_running_statement_finish_and_refuses_who_waits),
        CASE(stopping_in_haste_breaks_statements_off),
        CASE(a_statement_whose_client_hangs_up_is_broken_off),
        CASE(an_answer_goes_on_when_a_worker_is_free_for_its_next_piece),
        CASE(stopping_ends_an_answer_that_waits_for_its_next_piece),
        CASE(a_client_that_hangs_up_in_the_midst_of_rows_leaves_nothing_behind),
        CASE(snapshots_are_made_listed_and_dropped),
        CASE(refused_snapshots_have_a_status_and_a_field),
        CASE(an_answer_from_a_snapshot_may_be_kept_and_says_so),
        CASE(the_plus_of_an_offset_may_arrive_as_a_blank),
        CASE(errors_of_the_query_keep_their_status_and_field),
        CASE(gaps_have_the_shape_of_the_contract),
        CASE(what_has_not_changed_is_not_sent_again),
        CASE(a_change_of_what_is_declared_is_another_tag),
        CASE(a_wrong_parameter_is_named),
        CASE(a_bad_body_is_refused),
        CASE(a_body_over_the_limit_is_413_whether_announced_or_not),
        CASE(without_a_known_token_it_is_401),
        CASE(without_the_scope_it_is_403_before_anything_is_looked_up),
        CASE(a_user_is_let_in_by_password),
        CASE(a_password_is_computed_before_a_long_request),
        CASE(guessing_passwords_holds_up_nobody_with_a_token),
        CASE(a_token_made_by_somebody_else_is_valid_at_once),
        CASE(a_path_or_method_that_is_not_there_is_told),
        CASE(nothing_acceptable_is_406),
        CASE(head_answers_the_headers_alone),
        CASE(readiness_follows_the_contract),
        CASE(health_and_metrics_need_no_credentials_here),
        CASE(queries_are_503_while_starting),
        CASE(every_route_answers_with_the_headers_of_security),
        CASE(tls_below_1_2_and_http_1_0_are_not_spoken),
        CASE(who_does_not_finish_a_request_in_time_is_cut),
        CASE(who_does_not_take_an_answer_in_time_is_cut),
        CASE(handshakes_that_wait_are_left_alone_until_something_comes),
        CASE(what_is_sent_waits_for_no_acknowledgement),
        CASE(where_all_places_are_taken_an_idler_makes_room),
        CASE(who_is_being_answered_makes_no_room),
        CASE(requests_of_which_the_end_is_in_doubt_are_refused),
        CASE(many_clients_at_once_get_whole_answers),
        CASE(stopping_lets_a_running_answer_finish),
        CASE(what_hinders_the_start_is_told_in_one_sentence),
    };
    return cmocka_run_group_tests_name("server", tests, set_up_all, tear_down_all);
}
