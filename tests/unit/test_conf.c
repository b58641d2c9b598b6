#include <config.h>

#include "app/conf.h"

#include <stdio.h>
#include <unistd.h>

#include "../lib/test.h"
#include "common/civil.h"

static char folder[] = "/tmp/almanac-conf-XXXXXX";
static char path[64];

/* Writes text as the configuration and loads it with settings. */
static int load(const char *text, const char *const *settings, size_t n, struct conf **ret_conf,
                struct err_text *error)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    *error = (struct err_text){0};
    return conf_load(path, settings, n, ret_conf, error);
}

static struct conf *load_good(const char *text)
{
    struct conf *conf = NULL;
    struct err_text error;
    if (load(text, NULL, 0, &conf, &error) != 0)
        fail_msg("%s", error.text);
    return conf;
}

/* The file is refused, and the sentence begins with file and line and has all the words. */
static void refused(const char *text, int line, const char *const words[])
{
    struct conf *conf = NULL;
    struct err_text error;
    char where[96];
    assert_int_equal(load(text, NULL, 0, &conf, &error), ERR_INVALID);
    assert_null(conf);
    snprintf(where, sizeof where, "%s:%d: ", path, line);
    if (strncmp(error.text, where, strlen(where)) != 0)
        fail_msg("\"%s\" does not begin with \"%s\"", error.text, where);
    for (; *words; words++)
        if (!strstr(error.text, *words))
            fail_msg("\"%s\" does not say \"%s\"", error.text, *words);
}
#define REFUSED(text, line, ...) refused(text, line, (const char *const[]){__VA_ARGS__, NULL})

static void empty_file_has_every_default(void **state)
{
    (void)state;
    struct conf *conf = load_good("");
    assert_string_equal(conf->data, "/var/lib/almanac");
    assert_int_equal(conf->roles, ROLE_INGEST | ROLE_SERVE);
    assert_string_equal(conf->topics, "^readings\\.");
    assert_string_equal(conf->dead_topic, "almanac.dead");
    assert_int_equal(conf->future_max_us, INT64_C(3600000000));
    assert_int_equal(conf->ready_lag_us, 60000000);
    assert_int_equal(conf->window, WINDOW_AUTO);
    assert_int_equal(conf->seal_after_us, 600000000);
    assert_int_equal(conf->free_min_bytes, 1000000000);
    assert_string_equal(conf->listen, "127.0.0.1:8443");
    assert_int_equal(conf->n_kafka, 0);
    assert_int_equal(conf->n_warnings, 0);
    conf_free(conf);
}

static void values_stand_where_the_file_says(void **state)
{
    (void)state;
    struct conf *conf =
        load_good("\xEF\xBB\xBF; a comment\n[almanac]\ndata = d ; behind a value\nroles = serve\n"
                  "  [store]\n\twindow = week\nseal_after: 90s\nfree_min = 2 GiB\r\n"
                  "[http]\nlisten = [::1]:0\n[ingest]\ndead_topic =\n");
    char data[96];
    snprintf(data, sizeof data, "%s/d", folder);
    assert_string_equal(conf->data, data);
    assert_int_equal(conf->roles, ROLE_SERVE);
    assert_int_equal(conf->window, WINDOW_WEEK);
    assert_int_equal(conf->seal_after_us, 90000000);
    assert_int_equal(conf->free_min_bytes, INT64_C(2) << 30);
    assert_string_equal(conf->listen, "[::1]:0");
    assert_string_equal(conf->dead_topic, "");
    conf_free(conf);
}

static void paths_start_at_the_folder_of_the_file(void **state)
{
    (void)state;
    char want[96];
    struct conf *conf = load_good("[almanac]\ndata = .\n[http]\ncertificate = /etc/cert.pem\n");
    assert_string_equal(conf->data, folder);
    assert_string_equal(conf->certificate, "/etc/cert.pem");
    snprintf(want, sizeof want, "%s/tls/server.key", folder);
    assert_string_equal(conf->key, want);
    conf_free(conf);
}

static void kafka_properties_pass_through_by_name(void **state)
{
    (void)state;
    struct conf *conf = load_good("[kafka]\nbootstrap.servers = a:1,b:2\nsasl.password = x=y#z\n");
    assert_int_equal(conf->n_kafka, 2);
    assert_string_equal(conf_kafka(conf, "bootstrap.servers"), "a:1,b:2");
    assert_string_equal(conf_kafka(conf, "sasl.password"), "x=y#z");
    assert_null(conf_kafka(conf, "group.id"));
    conf_free(conf);
}

/* libinih's buffer has 200 bytes; a list of brokers is often longer. */
static void line_of_any_length_arrives_whole(void **state)
{
    (void)state;
    char value[3001], text[3200];
    static const char letters[] = "abc;d#[e]=f:g, h";
    for (size_t size = 1; size < sizeof value; size += size < 500 ? 1 : 97) {
        for (size_t i = 0; i < size; i++)
            value[i] = letters[(i * 7 + i / 16) % (sizeof letters - 1)];
        for (size_t i = 1; i < size; i++)
            if (value[i] == ';' && value[i - 1] == ' ')
                value[i] = 'k'; /* would be a comment */
        value[0] = 'a';
        value[size - 1] = 'z';
        value[size] = 0;
        snprintf(text, sizeof text, "[kafka]\nclient.id = %s ; a comment\nclient.rack = 1\n", value);
        struct conf *conf = load_good(text);
        assert_string_equal(conf_kafka(conf, "client.id"), value);
        assert_string_equal(conf_kafka(conf, "client.rack"), "1");
        conf_free(conf);
    }
}

static void error_names_file_line_and_what_is_allowed(void **state)
{
    (void)state;
    REFUSED("[store]\n\nwindw = day\n", 3, "unknown key \"windw\"", "window", "seal_after");
    REFUSED("[stroe]\nwindow = day\n", 1, "unknown section \"stroe\"", "store");
    REFUSED("[stroe]\n", 1, "unknown section");
    REFUSED("[topic]\n", 1, "unknown section", "topic NAME");
    REFUSED("[store]\nwindow = year\n", 2, "\"year\"", "day, week, month or auto");
    REFUSED("[store]\nseal_after = P1M\n", 2, "\"P1M\"", "PT10M");
    REFUSED("[store]\nseal_after = PT0S\n", 2, "above zero");
    REFUSED("[store]\nfree_min = 1.5GB\n", 2, "\"1.5GB\"", "TiB");
    REFUSED("[store]\nfree_min = 99999999999999999999\n", 2, "not a size");
    REFUSED("[store]\nfree_min = 99999999TiB\n", 2, "not a size");
    REFUSED("[almanac]\nroles = serve cook\n", 2, "ingest serve");
    REFUSED("[almanac]\nroles =\n", 2, "ingest serve");
    REFUSED("[ingest]\ntopics = a b?\n", 2, "names of topics");
    REFUSED("[ingest]\ndead_topic = a b\n", 2, "the name of a topic");
    REFUSED("[http]\nlisten = 8443\n", 2, "HOST:PORT");
    REFUSED("[http]\nconnections = 7\n", 2, "from 8 to 65536");
    REFUSED("[http]\nconnections_per_address = many\n", 2, "from 8 to 65536");
    REFUSED("[http]\nlisten = ::1:8443\n", 2, "[::1]:8443");
    REFUSED("[http]\nlisten = localhost:65536\n", 2, "HOST:PORT");
    REFUSED("[kafka]\n\nbootstrap.server = a:1\n", 3, "\"bootstrap.server\"");
    REFUSED("[kafka]\nsession.timeout.ms = long\n", 2, "session.timeout.ms");
    REFUSED("[kafka]\nenable.auto.commit = true\n", 2, "cannot be changed");
    REFUSED("[http]\nnonsense\n", 2, "key = value");
    REFUSED("[http\nlisten = a:1\n", 1, "]");
    REFUSED("window = day\n", 1, "before the first [section]");
    REFUSED("[http]\nkey = a\nlisten = b:1\nkey = c\n", 4, "was set before, in line 2");
}

static void what_this_version_lacks_is_refused_or_warned_about(void **state)
{
    (void)state;
    REFUSED("[store]\nreadable = no\n", 2, "not in this version", "yes");
    REFUSED("[http]\nclient_certificates = sometimes\n", 2, "required or optional");
    struct conf *conf = load_good(
        "[store]\nerase_within = P1D\n[topic a.b]\n");
    assert_int_equal(conf->n_warnings, 0);
    conf_free(conf);
}

static void the_vault_s_key_is_a_file_a_credential_or_a_passphrase(void **state)
{
    (void)state;
    struct conf *conf = load_good("[vault]\ndir = v\nkey = file:/k/v\nsearchable = email, phone\n");
    assert_string_equal(conf->vault_key, "file:/k/v");
    assert_string_equal(conf->vault_searchable, "email, phone");
    conf_free(conf);
    conf = load_good("[vault]\nkey = file:k\n");
    assert_int_equal(strncmp(conf->vault_key, "file:/", 6), 0);
    conf_free(conf);
    conf = load_good("[vault]\nkey = credential:vault\n");
    conf_free(conf);
    REFUSED("[vault]\nkey = k\n", 2, "file:PATH");
    REFUSED("[vault]\nkey = credential:../k\n", 2, "file:PATH");
}

static bool is_duration(struct duration duration, int months, int days, int64_t us)
{
    return duration.months == months && duration.days == days && duration.us == us;
}

/* What a topic's section leaves out is what [store] says, wherever the two stand. */
static void retention_may_differ_by_topic(void **state)
{
    (void)state;
    struct conf *conf = load_good("[topic readings.fast]\nretention_raw = P30D\nwindow = day\n"
                                  "[store]\nretention_raw = P2Y\nretention_1s = PT36H\n"
                                  "retention_15m = none\nrevisions_keep = P7D\n"
                                  "[topic other]\nretention_1s = none\n");
    assert_true(is_duration(conf->retention.raw, 24, 0, 0));
    assert_true(is_duration(conf->retention.tier[TIER_1S], 0, 0, 36 * US_PER_HOUR));
    assert_true(is_duration(conf->retention.tier[TIER_1M], 0, 0, 0));
    assert_true(is_duration(conf->retention.tier[TIER_15M], 0, 0, 0));
    assert_int_equal(conf->revisions_keep_us, 7 * US_PER_DAY);
    assert_int_equal(conf->n_per_topic, 2);
    const struct topic_opts *fast = &conf->per_topic[0], *other = &conf->per_topic[1];
    assert_string_equal(fast->topic, "readings.fast");
    assert_int_equal(fast->window, WINDOW_DAY);
    assert_true(is_duration(fast->retention.raw, 0, 30, 0));
    assert_true(is_duration(fast->retention.tier[TIER_1S], 0, 0, 36 * US_PER_HOUR));
    assert_string_equal(other->topic, "other");
    assert_int_equal(other->window, WINDOW_AUTO);
    assert_true(is_duration(other->retention.raw, 24, 0, 0));
    assert_true(is_duration(other->retention.tier[TIER_1S], 0, 0, 0));
    conf_free(conf);
    conf = load_good("");
    assert_true(is_duration(conf->retention.raw, 0, 0, 0));
    assert_int_equal(conf->revisions_keep_us, 90 * US_PER_DAY);
    conf_free(conf);
    REFUSED("[store]\nretention_raw = P30X\n", 2, "bad value", "none, or an ISO 8601 duration");
    REFUSED("[store]\nretention_raw = -P30D\n", 2, "bad value");
    REFUSED("[store]\nretention_1m = P0D\n", 2, "bad value");
    REFUSED("[store]\nrevisions_keep = none\n", 2, "bad value");
    REFUSED("[topic a]\n\nretention_raw = soon\n", 3, "bad value");
    REFUSED("[topic a]\nretention_2s = P30D\n", 2, "unknown key", "retention_1s");
    REFUSED("[topic a]\nrevisions_keep = P30D\n", 2, "unknown key");
    REFUSED("[topic ^a]\nretention_raw = P30D\n", 2, "not the name of a topic");
    REFUSED("[topic a]\nwindow = day\nwindow = week\n", 3, "was set before");
}

static void limits_are_none_unless_they_are_set(void **state)
{
    (void)state;
    struct conf *conf = load_good("[limits]\npoints = 1000000\nseries = 0\nspan = P366D\nconcurrent = 4\nbytes_per_s = 2 MB\n");
    assert_int_equal(conf->quota.points, 1000000);
    assert_int_equal(conf->quota.series, 0);
    assert_int_equal(conf->quota.span_us, 366 * US_PER_DAY);
    assert_int_equal(conf->limits.concurrent, 4);
    assert_int_equal(conf->limits.bytes_per_s, 2000000);
    conf_free(conf);
    conf = load_good("[limits]\nspan = 0\n");
    assert_false(quota_limits_any(&conf->quota));
    assert_int_equal(conf->limits.concurrent + conf->limits.bytes_per_s, 0);
    conf_free(conf);
    REFUSED("[limits]\npoints = -1\n", 2, "bad value", "a whole number");
    REFUSED("[limits]\nconcurrent = 1.5\n", 2, "bad value", "a whole number");
    REFUSED("[limits]\nseries = 99999999999999999999\n", 2, "bad value");
    REFUSED("[limits]\nseries =\n", 2, "bad value");
    REFUSED("[limits]\nspan = P1M\n", 2, "bad value", "a fixed ISO 8601 duration");
    REFUSED("[limits]\nspan = 00\n", 2, "bad value");
    REFUSED("[limits]\nbytes_per_s = fast\n", 2, "bad value");
    REFUSED("[limits]\nbytes = 1\n", 2, "unknown key", "bytes_per_s");
}

static void settings_win_over_the_file_and_are_named_in_errors(void **state)
{
    (void)state;
    static const char *const good[] = {"http.listen=[::]:1", "kafka.ssl.ca.location=x.pem",
                                       "kafka.ssl.ca.location=y.pem", "store.window=day"};
    static const char *const bad[][2] = {{"store.window=x", "--set store.window: bad value"},
                                         {"store.windw=day", "--set store.windw: unknown key"},
                                         {"stroe.window=day", "--set stroe.window: unknown key"},
                                         {"window=day", "not of the form section.key=value"},
                                         {"store.window", "not of the form section.key=value"},
                                         {"topic a.b.window=x", "--set topic a.b.window: bad value"}};
    struct conf *conf = NULL;
    struct err_text error;
    assert_int_equal(load("[http]\nlisten = a:2\n", good, 4, &conf, &error), 0);
    assert_string_equal(conf->listen, "[::]:1");
    assert_string_equal(conf_kafka(conf, "ssl.ca.location"), "y.pem");
    assert_int_equal(conf->window, WINDOW_DAY);
    conf_free(conf);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(load("", bad[i], 1, &conf, &error), ERR_INVALID);
        if (!strstr(error.text, bad[i][1]))
            fail_msg("\"%s\" does not say \"%s\"", error.text, bad[i][1]);
    }
}

static void printed_file_loads_and_holds_the_settings(void **state)
{
    (void)state;
    static const char *const settings[] = {"almanac.data=.", "http.listen=a:1", "http.listen=b:2",
                                           "kafka.group.id=g", "store.seal_after=PT2S"};
    struct buf text = {0};
    struct err_text error = {0};
    assert_int_equal(conf_print(settings, 5, &text, &error), 0);
    buf_putc(&text, '\0');
    struct conf *conf = load_good((const char *)text.data);
    assert_string_equal(conf->data, folder);
    assert_string_equal(conf->listen, "b:2");
    assert_string_equal(conf_kafka(conf, "group.id"), "g");
    assert_int_equal(conf->seal_after_us, 2000000);
    for (size_t i = 0; i < conf_n_options; i++)
        if (conf_options[i].state == OPTION_ACTS)
            assert_non_null(strstr((const char *)text.data, conf_options[i].key));
    conf_free(conf);
    buf_free(&text);
}

static void missing_file_is_said_by_name(void **state)
{
    (void)state;
    struct conf *conf = NULL;
    struct err_text error = {0};
    assert_int_equal(conf_load("/nonexistent/almanac.conf", NULL, 0, &conf, &error), ERR_NOTFOUND);
    assert_non_null(strstr(error.text, "\"/nonexistent/almanac.conf\""));
}

/* The manual's heading of an option: `.It Cm KEY = DEFAULT`, a backslash written as \e. */
static void heading_of(const struct option *option, char out[static 128])
{
    size_t n =
        (size_t)snprintf(out, 100, ".It Cm %s =%s", option->key, *option->standard ? " " : "");
    for (const char *at = option->standard; *at && n + 3 < 128; at++) {
        out[n++] = *at;
        if (*at == '\\')
            out[n++] = 'e';
    }
    out[n] = 0;
}

/* Each row of the table has its heading below its section in the manual, in the same order, and
 * there are no more. */
static void manual_has_the_rows_of_the_table(void **state)
{
    (void)state;
    char line[512], section[64] = "", want[128], manual[512];
    size_t n = 0;
    snprintf(manual, sizeof manual, "%s/man/almanac.conf.5",
             getenv("TEST_SRCDIR") ? getenv("TEST_SRCDIR") : ".");
    FILE *file = fopen(manual, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, ".Ss [", 5) == 0)
            snprintf(section, sizeof section, "%.*s", (int)strcspn(line + 5, " ]"), line + 5);
        if (strncmp(line, ".It Cm ", 7) != 0)
            continue;
        assert_true(n < conf_n_options);
        heading_of(&conf_options[n], want);
        assert_string_equal(line, want);
        assert_string_equal(section, conf_options[n].section);
        n++;
    }
    fclose(file);
    assert_int_equal(n, conf_n_options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_file_has_every_default),
        cmocka_unit_test(values_stand_where_the_file_says),
        cmocka_unit_test(paths_start_at_the_folder_of_the_file),
        cmocka_unit_test(kafka_properties_pass_through_by_name),
        cmocka_unit_test(line_of_any_length_arrives_whole),
        cmocka_unit_test(error_names_file_line_and_what_is_allowed),
        cmocka_unit_test(what_this_version_lacks_is_refused_or_warned_about),
        cmocka_unit_test(the_vault_s_key_is_a_file_a_credential_or_a_passphrase),
        cmocka_unit_test(retention_may_differ_by_topic),
        cmocka_unit_test(limits_are_none_unless_they_are_set),
        cmocka_unit_test(settings_win_over_the_file_and_are_named_in_errors),
        cmocka_unit_test(printed_file_loads_and_holds_the_settings),
        cmocka_unit_test(missing_file_is_said_by_name),
        cmocka_unit_test(manual_has_the_rows_of_the_table),
    };
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/almanac.conf", folder);
    int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    rmdir(folder);
    return n_failed;
}
