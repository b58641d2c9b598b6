/* almanac replay: a range of series as normalized readings on a Kafka topic */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/cmd.h"
#include "app/playback.h"
#include "app/site.h"
#include "app/stop.h"
#include "common/clock.h"
#include "common/files.h"
#include "common/hash.h"
#include "model/decimal.h"

#define SPEED_MIN 0.001
#define SPEED_MAX 1e6

/* They mean what they mean for `almanac query`. */
static const char *const selectors[] = {"series", "entity", "type", "property", "tz", "from", "to"};

static const struct arg options[] = {
    {"topic", 0, "TOPIC", "required: where the readings go; any other than where they came from"},
    {"from", 0, "TIME", "required: RFC 3339, epoch milliseconds, now, or -P7D before now"},
    {"to", 0, "TIME", "required: the end, not in it any more"},
    {"entity", 0, "GLOB", "which entities; may be repeated, as series, type and property may"},
    {"property", 0, "GLOB", "which properties"},
    {"type", 0, "GLOB", "which types of entities"},
    {"series", 0, "ID", "which series by number; without any of these all series"},
    {"tz", 0, "ZONE", "of bare dates in from and to"},
    {"speed", 0, "N", "1 (the default): a second takes a second; N times as fast; or max"},
    {"shift", 0, "now", "moves all times: the range begins now, or with a speed above 1 ends now"},
    {"resume", 0, NULL, "goes on where the same command was stopped"},
    {"dry-run", 0, NULL, "only counts what would be sent"},
    {"json", 0, NULL, "prints what was sent as one JSON object"},
    SITE_ARG_DIR,
    SITE_ARG_SET,
};

static int parse_range(const struct args *args, struct range *ret_range, struct err_text *error)
{
    struct parameter parameters[ARGS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < sizeof selectors / sizeof *selectors; i++) {
        size_t position = 0;
        for (const char *value; (value = args_each(args, selectors[i], &position));)
            parameters[n++] = (struct parameter){selectors[i], value};
    }
    int code = hash_init();
    return code != 0 ? code : range_parse(parameters, n, clock_wall_us(), ret_range, error);
}

static bool parse_speed(const char *text, double *ret_speed)
{
    struct decimal number;
    bool rounded;
    *ret_speed = 1;
    if (!text)
        return true;
    if (strcmp(text, "max") == 0) {
        *ret_speed = 0;
        return true;
    }
    if (decimal_parse(text, strlen(text), &number, &rounded) < 0)
        return false;
    double speed = (double)number.m;
    for (int e = number.e; e != 0; e += e < 0 ? 1 : -1)
        speed = e < 0 ? speed / 10 : speed * 10;
    *ret_speed = speed;
    return speed >= SPEED_MIN && speed <= SPEED_MAX;
}

/* The same series, times, topic and shift have the same file, whatever the speed. */
static int name_state(const struct args *args, const struct conf *conf, char **ret_path, struct err_text *error)
{
    struct buf question = {0};
    uint8_t hash[HASH_BYTES];
    char hex[HASH_HEX_MAX], folder[4096];
    for (size_t i = 0; i < sizeof selectors / sizeof *selectors; i++) {
        size_t position = 0;
        for (const char *value; (value = args_each(args, selectors[i], &position));)
            buf_printf(&question, "%s=%s%c", selectors[i], value, '\0');
    }
    buf_printf(&question, "topic=%s%cshift=%d", args_get(args, "topic"), '\0', args_has(args, "shift"));
    hash_bytes(question.data, question.n, hash);
    hash_hex(hash, hex);
    snprintf(folder, sizeof folder, "%s/run", conf->data);
    int code = question.failed ? ERR_NOMEM : args_has(args, "dry-run") ? 0 : files_make_folder(folder);
    if (code == ERR_EXISTS)
        code = 0;
    else if (code != 0 && code != ERR_NOMEM)
        err_set(error, code, "cannot make the folder \"%s\": %s", folder, strerror(errno));
    if (code == 0 && asprintf(ret_path, "%s/replay-%.16s", folder, hex) < 0) {
        *ret_path = NULL;
        code = ERR_NOMEM;
    }
    buf_free(&question);
    return code;
}

static int print_iso(char out[static CIVIL_TEXT_MAX], int64_t t_us)
{
    return (int)civil_print_rfc3339(out, t_us, 0, true);
}

static void tell(const struct args *args, const struct playback_result *result, const char *topic)
{
    char from[CIVIL_TEXT_MAX], to[CIVIL_TEXT_MAX], at[CIVIL_TEXT_MAX];
    bool is_dry = args_has(args, "dry-run");
    if (args_has(args, "json"))
        printf("{\"readings\":%" PRId64 ",\"messages\":%" PRId64 ",\"series\":%" PRId64 ",\"from\":\"%.*s\",\"to\":\"%.*s\","
               "\"at\":\"%.*s\",\"shift_s\":%" PRId64 "}\n",
               result->n_readings, result->n_messages, result->n_series, print_iso(from, result->from_us), from,
               print_iso(to, result->to_us), to, print_iso(at, result->at_us), at, result->shift_us / US_PER_SECOND);
    fprintf(stderr, "%" PRId64 " readings of %" PRId64 " series %s in %" PRId64 " messages to topic \"%s\"\n",
            result->n_readings, result->n_series, is_dry ? "would be sent" : "sent", result->n_messages, topic);
    if (result->is_partial)
        fprintf(stderr, "another store of the same consumer group holds a part of these series, which is not among them\n");
}

static int replay(const struct args *args, struct playback_opts *opts, struct err_text *error)
{
    struct playback_result result = {0};
    char *path = NULL, at[CIVIL_TEXT_MAX];
    int code = name_state(args, opts->conf, &path, error);
    opts->state_path = path;
    if (code == 0) {
        code = playback_run(opts, &result, error);
        if (code == 0 || code == ERR_CANCELLED)
            tell(args, &result, opts->topic);
    }
    if (code == ERR_CANCELLED && opts->is_dry)
        err_set(error, code, "stopped");
    else if (code == ERR_CANCELLED)
        err_set(error, code, "stopped at %.*s; the same command with --resume goes on there", print_iso(at, result.at_us), at);
    free(path);
    return code;
}

static int run(const struct args *args)
{
    struct err_text error = {0};
    struct conf *conf = NULL;
    struct range range = {0};
    const char *shift = args_get(args, "shift");
    struct playback_opts opts = {.range = &range, .topic = args_get(args, "topic"), .shifts = shift != NULL,
                                 .resumes = args_has(args, "resume"), .is_dry = args_has(args, "dry-run")};
    if (!opts.topic || !*opts.topic || !conf_is_topic(opts.topic))
        return args_wrong(args, "where to? --topic names the topic that the readings go to");
    if (shift && strcmp(shift, "now") != 0)
        return args_wrong(args, "times can be shifted to \"now\", not to \"%s\"", shift);
    if (!parse_speed(args_get(args, "speed"), &opts.speed))
        return args_wrong(args, "\"%s\" is no speed: take a number from 0.001 to 1000000, or max", args_get(args, "speed"));
    if (opts.resumes && opts.is_dry)
        return args_wrong(args, "--dry-run counts all of the range, and does not go with --resume");
    int code = parse_range(args, &range, &error);
    if (code != 0)
        return args_fail(args, code, &error);
    stop_catch();
    code = site_conf(args, &conf, &error);
    opts.conf = conf;
    if (code == 0)
        code = replay(args, &opts, &error);
    conf_free(conf);
    range_free(&range);
    return code == 0 ? EXIT_DONE : args_fail(args, code, &error);
}

const struct command cmd_replay = {
    .name = "replay",
    .summary = "publishes a range of readings to a Kafka topic",
    .operands = "",
    .examples = "  almanac replay --entity 'p2-*' --from 2025-03-01T00:00:00Z --to 2025-03-02T00:00:00Z --topic replayed.p2\n"
                "  almanac replay --property activePower --from -P7D --to now --speed 60 --shift now --topic demo.live\n"
                "  almanac replay --from 2024-01-01T00:00:00Z --to 2025-01-01T00:00:00Z --speed max --topic all.copy\n"
                "  almanac replay --from 2024-01-01T00:00:00Z --to 2025-01-01T00:00:00Z --speed max --topic all.copy --resume\n",
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .run = run};
