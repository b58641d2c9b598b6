/* almanac demo: the whole way in one process, on the embedded broker and bundled real data */
#include <config.h>

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/ask.h"
#include "app/cmd.h"
#include "app/daemon.h"
#include "app/demo_data.h"
#include "app/site.h"
#include "app/table.h"
#include "common/civil.h"
#include "common/clock.h"
#include "common/csv.h"
#include "common/files.h"
#include "common/hash.h"
#include "common/log.h"
#include "ingest/producer.h"
#include "store/reader.h"
#include "vault/client.h"

#define TOPIC "readings.demo"
#define STORED_TIMEOUT_US (45 * US_PER_SECOND)
#define FILES_TIMEOUT_US (10 * US_PER_SECOND)
#define FLUSH_BYTES 65536 /* small, so that window files are there to look at at once */

/* What the demo asks: one day of a photovoltaic system, hour by hour. */
static const char *const question[][2] = {{"entity", "demo-pv-east"},
                                          {"property", "activePower"},
                                          {"from", "2022-03-18T06:00:00-06:00"},
                                          {"to", "2022-03-18T20:00:00-06:00"},
                                          {"step", "PT1H"},
                                          {"agg", "mean,max"},
                                          {"tz", "America/Denver"}};

struct demo {
    const struct args *args;
    char dir[PATH_MAX];
    bool temporary; /* dir is ours to remove */
    bool stop;      /* a signal came */
    char token[TOKEN_TEXT_MAX];
    struct conf *conf;
    struct daemon *daemon;
    struct producer *producer;
    int64_t n_messages;
    size_t n_readings;
    char url[64];
};

/* ---- the folder ---- */

static int choose_folder(struct demo *demo, struct err_text *error)
{
    const char *dir = args_get(demo->args, "dir");
    if (dir)
        return snprintf(demo->dir, sizeof demo->dir, "%s", dir) < (int)sizeof demo->dir
                   ? 0
                   : err_set(error, ERR_INVALID, "the name of the folder is too long");
    int code = files_make_temporary("almanac-demo", demo->dir, sizeof demo->dir);
    if (code < 0)
        return err_set(error, code, "cannot make the folder \"%s\": %s", demo->dir, strerror(errno));
    demo->temporary = true;
    return 0;
}

/* A token of its own for each run, as the first one is told only once. */
static int more_token(struct demo *demo, struct err_text *error)
{
    struct access *tokens = NULL;
    char name[48];
    int code = hash_init();
    if (code == 0)
        code = access_open(demo->conf->data, &tokens, error);
    if (code != 0)
        return code;
    snprintf(name, sizeof name, "demo-%" PRId64, clock_wall_us());
    code = access_token_create(tokens, name, "admin", demo->token, error);
    access_close(tokens);
    return code;
}

static int prepare(struct demo *demo, struct err_text *error)
{
    const char *port = args_get(demo->args, "port");
    char listen[40], conf_path[PATH_MAX];
    const char *settings[] = {listen, "ingest.topics=" TOPIC, "store.seal_after=PT2S"};
    const size_t n = sizeof settings / sizeof *settings;
    snprintf(listen, sizeof listen, "http.listen=127.0.0.1:%.8s", port ? port : "0");
    int code = choose_folder(demo, error);
    if (code == 0)
        code = site_conf_path(demo->dir, conf_path, sizeof conf_path, error);
    if (code != 0)
        return code;
    bool again = access(conf_path, F_OK) == 0;
    if (!again)
        code = site_create(demo->dir, settings, n, demo->token, error);
    if (code == 0)
        code = conf_load(conf_path, settings, n, &demo->conf, error);
    return code == 0 && again ? more_token(demo, error) : code;
}

/* ---- the way in ---- */

static int send_cb(void *arg, const char *entity, const void *json, size_t size)
{
    struct demo *demo = arg;
    struct err_text error = {0};
    int code = producer_send(demo->producer, TOPIC, entity, strlen(entity), json, size, &error);
    if (code != 0)
        fprintf(stderr, "almanac demo: %s\n", error.text);
    demo->n_messages++;
    return code;
}

static int count_cb(void *arg, const struct source_status *status)
{
    if (strcmp(status->topic, TOPIC) == 0 && status->next_offset > 0) /* -1: nothing was read yet */
        *(int64_t *)arg += status->next_offset;
    return 0;
}

/* Waits until every message lies in the store. */
static int await_stored(struct demo *demo, struct err_text *error)
{
    int64_t end_us = clock_mono_us() + STORED_TIMEOUT_US, stored = 0;
    struct health health;
    for (;;) {
        stored = 0;
        int code = reader_sources(daemon_reader(demo->daemon), count_cb, &stored);
        if (code < 0)
            return err_set(error, code, "the store cannot be read: %s", err_name(code));
        daemon_health(demo->daemon, &health);
        if (stored >= demo->n_messages && health.lag == 0)
            return 0;
        if (clock_mono_us() > end_us)
            return err_set(
                error, ERR_BUSY, "only %" PRId64 " of %" PRId64 " messages were stored in time: %s",
                stored, demo->n_messages, health.reason[0] ? health.reason : "ingest is slow");
        if (daemon_wait(demo->daemon, 50)) {
            demo->stop = true;
            return 0;
        }
    }
}

static int load(struct demo *demo, struct err_text *error)
{
    struct kafka_property brokers = {"bootstrap.servers", daemon_bootstrap(demo->daemon)};
    int code = producer_open(&brokers, 1, &demo->producer, error);
    if (code == 0)
        code = demo_data_load(send_cb, demo, &demo->n_readings);
    /* The embedded broker takes messages at the pace at which daemon_wait lets it. */
    int64_t end_us = clock_mono_us() + STORED_TIMEOUT_US;
    while (code == 0) {
        code = producer_flush(demo->producer, 10, error);
        if (code != ERR_BUSY || clock_mono_us() > end_us)
            break;
        demo->stop = daemon_wait(demo->daemon, 50) != 0;
        code = 0;
        if (demo->stop)
            return 0;
    }
    return code == 0 ? await_stored(demo, error) : code;
}

/* ---- the way out ---- */

static int collect_cb(void *arg, const void *data, size_t size)
{
    buf_put(arg, data, size);
    return ((struct buf *)arg)->failed ? ERR_NOMEM : 0;
}

static int table_cb(void *arg, const char *const *fields, size_t n_fields)
{
    return table_row(arg, fields, n_fields);
}

static int plot_cb(void *arg, const char *const *fields, size_t n_fields)
{
    return plot_row(arg, fields, n_fields);
}

static int feed(const struct buf *text, csv_row_fn *row, void *arg)
{
    struct csv csv = {.row = row, .arg = arg};
    int code = csv_feed(&csv, text->data, text->n);
    if (code == 0)
        code = csv_end(&csv);
    csv_done(&csv);
    return code;
}

static int show(const struct buf *text)
{
    struct table *table = table_new(stdout);
    struct plot *plot = plot_new(stdout);
    int code = table && plot ? feed(text, table_cb, table) : ERR_NOMEM;
    if (code == 0) {
        table_end(table);
        code = feed(text, plot_cb, plot);
    }
    if (code == 0)
        plot_end(plot);
    table_free(table);
    plot_free(plot);
    return code;
}

static void build_question(struct buf *query)
{
    for (size_t i = 0; i < sizeof question / sizeof *question; i++)
        ask_parameter(query, question[i][0], question[i][1]);
}

static int answer(struct demo *demo, struct err_text *error)
{
    struct buf query = {0}, text = {0};
    struct ask_server server = {
        .url = demo->url, .token = demo->token, .ca = demo->conf->certificate, .direct = true};
    build_question(&query);
    ask_parameter(&query, "format", "csv");
    buf_putc(&query, '\0');
    int64_t begin_us = clock_mono_us();
    int code = query.failed
                   ? ERR_NOMEM
                   : ask_server(&server, (const char *)query.data, collect_cb, &text, NULL, error);
    if (code == 0) {
        fprintf(stderr,
                "Power of a photovoltaic system, hour by hour, asked over HTTPS in %.0f ms:\n\n",
                (double)(clock_mono_us() - begin_us) / 1e3);
        code = show(&text);
    }
    buf_free(&query);
    buf_free(&text);
    return code;
}

/* ---- the examples ---- */

/* nftw has no argument for its callback. */
static const char *wanted;
static char found[PATH_MAX];
static off_t found_size;

static int find_cb(const char *path, const struct stat *info, int type, struct FTW *at)
{
    size_t size = strlen(path);
    bool fits = type == FTW_F && strstr(path + at->base, wanted) && size > 3 &&
                strcmp(path + size - 3, ".db") == 0 && size < sizeof found;
    if (fits && info->st_size > found_size) {
        memcpy(found, path, size + 1);
        found_size = info->st_size;
    }
    return 0;
}

/* The largest file that the stock shell can be shown: a sealed one, which stays, once there is one;
 * else an open one. "" for none. */
static const char *example_file(struct demo *demo)
{
    char store[PATH_MAX + 8];
    int64_t end_us = clock_mono_us() + FILES_TIMEOUT_US;
    snprintf(store, sizeof store, "%s/store", demo->conf->data);
    wanted = ".tier.";
    while (!found[0] && clock_mono_us() < end_us && !demo->stop) {
        demo->stop = daemon_wait(demo->daemon, 100) != 0;
        nftw(store, find_cb, 16, FTW_PHYS);
    }
    wanted = ".open.";
    if (!found[0])
        nftw(store, find_cb, 16, FTW_PHYS);
    return found;
}

static void print_examples(struct demo *demo)
{
    struct buf query = {0};
    build_question(&query);
    int size = (int)query.n;
    const char *text = query.data ? (const char *)query.data : "", *ca = demo->conf->certificate;
    printf("\nurl: %s\ntoken: %s\n\nTry, in another terminal:\n\n", demo->url, demo->token);
    printf("  curl --cacert %s -H 'Authorization: Bearer %s' \\\n    '%s/v1/range?%.*s'\n\n", ca,
           demo->token, demo->url, size, text);
    printf("  SSL_CERT_FILE=%s python3 -c 'import pandas; "
           "print(pandas.read_csv(\"%s/v1/range?%.*s&format=csv\",\n"
           "    parse_dates=[\"time\"], storage_options={\"Authorization\": \"Bearer %s\"}))'\n\n",
           ca, demo->url, size, text, demo->token);
    const char *file = example_file(demo);
    if (file[0])
        printf("  sqlite3 -readonly -header -column %s 'SELECT * FROM readings_15m LIMIT 10'\n\n",
               file);
    printf("Produce to it: kcat -P -b %s -t " TOPIC "\n", daemon_bootstrap(demo->daemon));
    fflush(stdout);
    buf_free(&query);
}

static int run_whole(struct demo *demo, struct err_text *error)
{
    bool once = args_has(demo->args, "once");
    int code = prepare(demo, error);
    if (code != 0)
        return code;
    struct daemon_opts opts = {.conf = demo->conf, .flush_bytes = FLUSH_BYTES};
    code = daemon_start(&opts, &demo->daemon, error);
    if (code != 0)
        return code;
    snprintf(demo->url, sizeof demo->url, "https://127.0.0.1:%u", daemon_port(demo->daemon));
    int64_t begin_us = clock_mono_us();
    code = load(demo, error);
    if (code != 0 || demo->stop)
        return code;
    fprintf(stderr,
            "%zu real readings in %" PRId64 " messages went through Kafka into \"%s\" in %.1f s.\n",
            demo->n_readings, demo->n_messages, demo->dir,
            (double)(clock_mono_us() - begin_us) / 1e6);
    code = answer(demo, error);
    if (code != 0 || once)
        return code;
    print_examples(demo);
    if (demo->stop)
        return 0;
    fprintf(stderr, "Ctrl-C ends it%s.\n", demo->temporary ? " and removes the folder" : "");
    daemon_wait(demo->daemon, -1);
    return 0;
}

static int run(const struct args *args)
{
    static struct demo demo; /* holds paths; one a process */
    struct err_text error = {0};
    demo.args = args;
    log_level_set(args_has(args, "verbose") ? LOG_INFO : LOG_ERROR);
    daemon_block_signals();
    int code = run_whole(&demo, &error);
    producer_close(demo.producer);
    daemon_stop(demo.daemon);
    conf_free(demo.conf);
    if (demo.temporary) {
        vault_await_end(demo.dir);
        files_remove_tree(demo.dir);
    }
    return code == 0 ? EXIT_DONE : args_fail(args, code, &error);
}

static const struct arg options[] = {
    {"port", 0, "N", "serves HTTPS there; without it, on a free port"},
    {"dir", 0, "DIR", "keeps the data there; without it, in a folder that is removed at the end"},
    {"once", 0, NULL, "asks one question, prints the answer, and ends"},
    {"verbose", 0, NULL, "shows the daemon's log"},
};

const struct command cmd_demo = {
    .name = "demo",
    .summary = "shows the whole way on bundled real data, with a broker of its own",
    .operands = "",
    .examples = "  almanac demo\n  almanac demo --once\n  almanac demo --port 8443 --dir demo\n",
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .run = run};
