/* almanac import KIND FILE... */
#include <config.h>

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapt/pseudonym.h"
#include "app/brokers.h"
#include "app/cmd.h"
#include "app/import_place.h"
#include "app/import_report.h"
#include "app/progress.h"
#include "app/site.h"
#include "app/stop.h"
#include "app/vaulting.h"
#include "common/civil.h"
#include "common/clock.h"
#include "common/files.h"
#include "common/hash.h"
#include "importers/intake.h"
#include "importers/source.h"
#include "query/when.h"
#include "store/catalog.h"

#define TOPIC "readings.import"
#define FUTURE_MAX_US US_PER_HOUR       /* without a configuration */
#define UNKEPT_BYTES (16 << 20)         /* so much is on its way at the most */
#define KEEP_US (2 * US_PER_SECOND)     /* so often it is noted how far it is */
#define GRACE_US (10 * US_PER_SECOND)   /* for what is on its way, after Ctrl-C */
#define ACKNOWLEDGED_MS 200

struct import_file {
    const char *name;
    struct import_place place;
    int64_t n_before;        /* messages gathered of the files before */
    int64_t n_gathered;      /* of this one, as far as they are sent */
};

struct importation {
    const struct args *args;
    const struct importer *importer;
    struct import_opts opts;
    struct conf *conf;       /* NULL on a dry run without one */
    struct vaulting *vaulting; /* NULL: none, or a dry run */
    uint8_t sample_key[HASH_KEY_BYTES];
    const char *topic;
    char *options;           /* what decides which messages are made, as text */
    int64_t available_us;
    struct registry *registry;
    struct intake *intake;
    struct producer *producer; /* NULL on a dry run */
    struct import_report report;
    struct import_file *files;
    size_t n_files;
    struct import_file *file;  /* the one in work */
    struct source_file *source;
    struct progress progress;
    int pass;
    int64_t bytes_before;    /* of the files before and the passes before */
    int64_t unkept_bytes, kept_us, n_sent_before;
    struct err_text *error;
};

/* ---- to Kafka ---- */

/* Waits until all that was sent is acknowledged, and notes it. */
static int settle(struct importation *importation)
{
    struct import_file *file = importation->file;
    int64_t end_us = INT64_MAX;
    int code = ERR_BUSY;
    while (importation->producer && code == ERR_BUSY) {
        code = producer_flush(importation->producer, ACKNOWLEDGED_MS, importation->error);
        if (code == ERR_BUSY && stop_asked() && end_us == INT64_MAX)
            end_us = clock_mono_us() + GRACE_US;
        if (code == ERR_BUSY && clock_mono_us() > end_us)
            return code;
    }
    if (!importation->producer)
        return 0;
    if (code == 0 && file->n_gathered > file->place.n_done) /* less: stopped before what an earlier run had sent */
        code = import_place_keep(&file->place, file->n_gathered, importation->error);
    importation->unkept_bytes = 0;
    importation->kept_us = clock_mono_us();
    return code;
}

static int message_cb(void *arg, int64_t i, const char *entity, const void *json, size_t size)
{
    struct importation *importation = arg;
    struct import_file *file = importation->file;
    int64_t of_file = i - file->n_before;
    if (!importation->producer)
        return 0;
    if (of_file < file->place.n_done) {
        importation->n_sent_before++;
        return 0;
    }
    int code = producer_send(importation->producer, importation->topic, entity, strlen(entity), json, size,
                             importation->error);
    if (code != 0)
        return code;
    file->n_gathered = of_file + 1;
    importation->unkept_bytes += (int64_t)size;
    bool due = importation->unkept_bytes >= UNKEPT_BYTES || clock_mono_us() - importation->kept_us >= KEEP_US;
    code = due ? settle(importation) : 0;
    return code == 0 && stop_asked() ? ERR_CANCELLED : code;
}

static int refusal_cb(void *arg, const struct misfit *misfit)
{
    struct importation *importation = arg;
    progress_done(&importation->progress);
    return import_report_refusal(&importation->report, importation->file->name, misfit);
}

/* ---- from the file ---- */

static int read_cb(void *arg, void *out, size_t size, size_t *ret_n, struct err_text *error)
{
    struct importation *importation = arg;
    if (stop_asked())
        return ERR_CANCELLED;
    int code = source_read(importation->source, out, size, ret_n, error);
    progress_add(&importation->progress,
                 importation->bytes_before + source_position(importation->source) - importation->progress.done);
    return code;
}

static int rewind_cb(void *arg, struct err_text *error)
{
    struct importation *importation = arg;
    importation->bytes_before += source_stat(importation->source)->st_size;
    return source_rewind(importation->source, error);
}

static int row_cb(void *arg)
{
    return stop_asked() ? ERR_CANCELLED : intake_row(((struct importation *)arg)->intake);
}

static int value_cb(void *arg, const struct observation *observation)
{
    return intake_value(((struct importation *)arg)->intake, observation);
}

static int misfit_cb(void *arg, const struct misfit *misfit)
{
    return intake_misfit(((struct importation *)arg)->intake, misfit);
}

static int read_file(struct importation *importation)
{
    struct importing importing = {.opts = &importation->opts,
                                  .source = importation->file->name,
                                  .read = read_cb,
                                  .rewind = rewind_cb,
                                  .row = row_cb,
                                  .value = value_cb,
                                  .misfit = misfit_cb,
                                  .arg = importation};
    int code = importation->importer->run(&importing, importation->error);
    if (code == 0)
        code = intake_flush(importation->intake);
    importation->file->n_gathered = intake_counts(importation->intake)->n_gathered - importation->file->n_before;
    return code;
}

static int find_place(struct importation *importation)
{
    struct err_text error = {0};
    struct import_file *file = importation->file;
    if (!importation->producer || !importation->source)
        return 0;
    int code = import_place_find(importation->conf->data, file->name, source_stat(importation->source), importation->options,
                                 &file->place, &error);
    if (code != 0)
        fprintf(stderr, "almanac import: it cannot be gone on with after a stop: %s\n", error.text);
    return code == ERR_NOMEM ? code : 0;
}

static int import_file(struct importation *importation, const char *name)
{
    struct import_file *file = importation->file = &importation->files[importation->n_files++];
    file->name = name;
    file->n_before = intake_counts(importation->intake)->n_gathered;
    int code = importation->importer->pulls ? 0 : source_open(name, &importation->source, importation->error);
    if (code == 0)
        code = find_place(importation);
    if (code == 0)
        code = read_file(importation);
    if (code == 0 || code == ERR_CANCELLED) {
        int settled = settle(importation);
        code = code == 0 ? settled : code;
    }
    if (importation->source)
        importation->bytes_before += source_stat(importation->source)->st_size;
    source_close(importation->source);
    importation->source = NULL;
    return code;
}

/* ---- what it needs ---- */

static int64_t oldest_of(const struct conf *conf, const char *topic)
{
    const struct retention *retention = &conf->retention;
    for (size_t i = 0; i < conf->n_per_topic; i++)
        if (strcmp(conf->per_topic[i].topic, topic) == 0)
            retention = &conf->per_topic[i].retention;
    return retention_oldest_us(&retention->raw, clock_wall_us());
}

/* The models of this version, without a data directory: a catalog is made and read. */
static int load_models(struct registry *registry, struct err_text *error)
{
    char dir[PATH_MAX];
    int code = files_make_temporary("almanac-import", dir, sizeof(dir));
    if (code < 0)
        return err_set(error, code, "cannot make the folder \"%s\": set TMPDIR to a place that has room", dir);
    code = catalog_create(dir, error);
    if (code == 0)
        code = catalog_load(dir, registry, error);
    files_remove_tree(dir);
    return code;
}

/* On a dry run they are samples; else the vault of the directory makes them, once it is asked. */
static int prepare_pseudonyms(struct importation *importation, bool dry)
{
    struct pseudonyms_opts opts = {.ask = pseudonyms_sample, .arg = importation->sample_key};
    hash_random(importation->sample_key, sizeof importation->sample_key);
    if (!dry) {
        struct err_text none = {0};
        opts = (struct pseudonyms_opts){.ask = vaulting_pseudonyms};
        if (vaulting_open(importation->conf, "almanac import", &importation->vaulting, &none) != 0)
            return 0; /* a mapping that needs it says so */
        opts.arg = importation->vaulting;
    }
    return pseudonyms_new(&opts, &importation->opts.pseudonyms);
}

static int open_all(struct importation *importation)
{
    struct conf *conf = importation->conf;
    bool dry = args_has(importation->args, "dry-run");
    importation->registry = registry_new();
    int code = importation->registry ? hash_init() : ERR_NOMEM;
    if (code == 0)
        code = conf ? catalog_load(conf->data, importation->registry, importation->error)
                    : load_models(importation->registry, importation->error);
    if (code == 0 && !dry)
        code = brokers_producer(conf, &importation->producer, importation->error);
    if (code == 0)
        code = prepare_pseudonyms(importation, dry);
    struct intake_opts opts = {.registry = importation->registry,
                               .now_ms = clock_wall_us() / 1000,
                               .future_max_us = conf ? conf->future_max_us : FUTURE_MAX_US,
                               .oldest_us = conf ? oldest_of(conf, importation->topic) : INT64_MIN,
                               .available_us = importation->available_us,
                               .message = message_cb,
                               .misfit = refusal_cb,
                               .arg = importation};
    return code == 0 ? intake_new(&opts, &importation->intake) : code;
}

static int64_t count_bytes(const struct importation *importation)
{
    int64_t bytes = 0;
    for (int i = 1; i < importation->args->n_operands && !importation->importer->pulls; i++) {
        struct stat info;
        if (stat(importation->args->operands[i], &info) == 0)
            bytes += info.st_size * importation->importer->n_passes;
    }
    return bytes;
}

static int import_all(struct importation *importation)
{
    const struct args *args = importation->args;
    int code = open_all(importation);
    if (code != 0)
        return code;
    progress_start(&importation->progress, "importing", count_bytes(importation));
    importation->kept_us = clock_mono_us();
    for (int i = 1; i < args->n_operands && code == 0; i++)
        code = import_file(importation, args->operands[i]);
    progress_done(&importation->progress);
    for (size_t i = 0; i < importation->n_files && code == 0; i++)
        import_place_forget(&importation->files[i].place);
    if (code == ERR_CANCELLED && importation->producer)
        err_set(importation->error, code, "stopped; what is sent is sent, and the same command goes on with message %" PRId64
                " of \"%s\"", importation->file->place.n_done + 1, importation->file->name);
    else if (code == ERR_CANCELLED)
        err_set(importation->error, code, "stopped");
    return code;
}

/* ---- the command line ---- */

static int read_available(const char *text, int64_t *ret_us)
{
    struct duration duration;
    *ret_us = -1;
    if (!text)
        return 0;
    int code = civil_parse_duration(text, strlen(text), false, &duration);
    if (code == 0)
        code = civil_fixed_us(&duration, ret_us);
    return code == 0 && (*ret_us < 0 || *ret_us > 366 * US_PER_DAY) ? ERR_LIMIT : code;
}

/* What kinds need that pull: rights, and whole steps of time. */
static int read_pull(struct importation *importation, struct err_text *error)
{
    const struct args *args = importation->args;
    struct import_opts *opts = &importation->opts;
    const char *from = args_get(args, "from"), *to = args_get(args, "to"), *step = args_get(args, "step");
    const char *token = args_get(args, "token");
    struct duration duration;
    int64_t now_us = clock_wall_us();
    opts->user = args_get(args, "user");
    opts->password = getenv("ALMANAC_PASSWORD");
    opts->token = opts->user ? NULL : token ? token : getenv("ALMANAC_TOKEN");
    opts->ca = args_get(args, "ca");
    step = step ? step : "PT15M";
    if (civil_parse_duration(step, strlen(step), false, &duration) < 0 || civil_fixed_us(&duration, &opts->step_us) < 0 ||
        opts->step_us < US_PER_SECOND || US_PER_DAY % opts->step_us != 0)
        return err_set(error, ERR_INVALID, "--step is a duration that makes a whole day, like PT15M");
    int code = when_parse(from ? from : "-P30D", "from", now_us, opts->zone, &opts->from_us, error);
    if (code == 0)
        code = when_parse(to ? to : "now", "to", now_us, opts->zone, &opts->to_us, error);
    if (code == 0 && opts->from_us > opts->to_us)
        code = err_set(error, ERR_INVALID, "--from is later than --to");
    int64_t behind_us = opts->from_us % opts->step_us; /* a step that is not over would be told with less than it has */
    opts->from_us -= behind_us < 0 ? behind_us + opts->step_us : behind_us;
    behind_us = opts->to_us % opts->step_us;
    opts->to_us -= behind_us < 0 ? behind_us + opts->step_us : behind_us;
    return code;
}

static int say_kinds(const struct args *args, const char *kind)
{
    char kinds[512];
    size_t n = 0;
    for (size_t i = 0; importer_at(i) && n < sizeof kinds; i++)
        n += (size_t)snprintf(kinds + n, sizeof kinds - n, "%s%s (%s)", i ? ", " : "", importer_at(i)->kind,
                              importer_at(i)->summary);
    return args_wrong(args, "there is no kind \"%s\"; there are %s", kind, kinds);
}

/* Exit code of wrong use, or 0. */
static int read_options(struct importation *importation)
{
    const struct args *args = importation->args;
    const char *kind = args->operands[0], *tz = args_get(args, "tz"), *map = args_get(args, "map");
    const char *topic = args_get(args, "topic"), *available = args_get(args, "available");
    importation->importer = importer_find(kind);
    if (!importation->importer)
        return say_kinds(args, kind);
    if (args->n_operands < 2)
        return args_wrong(args, "which %s?", importation->importer->pulls ? "URL" : "files");
    importation->topic = topic ? topic : TOPIC;
    if (!*importation->topic || !conf_is_topic(importation->topic))
        return args_wrong(args, "\"%s\" cannot be the name of a topic", importation->topic);
    importation->opts.own_zone = tz && strcmp(tz, "file") == 0;
    if (importation->opts.own_zone && strcmp(kind, "greenbutton") != 0)
        return args_wrong(args, "--tz file is for kind greenbutton, whose files may have LocalTimeParameters");
    if (tz && !importation->opts.own_zone && zone_open(tz, &importation->opts.zone) < 0)
        return args_wrong(args, "there is no time zone \"%s\"", tz);
    if (read_available(available, &importation->available_us) < 0)
        return args_wrong(args, "--available is a duration from zero to P366D, like PT15M");
    if (importation->importer->needs_map != (map != NULL))
        return args_wrong(args, map ? "kind \"%s\" takes no mapping" : "kind \"%s\" needs a mapping: --map FILE", kind);
    importation->opts.map = map;
    importation->opts.zone_name = importation->opts.own_zone ? NULL : tz;
    if (asprintf(&importation->options, "%s\n%s\n%s\n%s\n", kind, importation->topic, tz ? tz : "",
                 available ? available : "") < 0)
        importation->options = NULL;
    return 0;
}

static int run_whole(struct importation *importation)
{
    const struct args *args = importation->args;
    struct err_text *error = importation->error;
    importation->files = calloc((size_t)args->n_operands, sizeof *importation->files);
    int code = importation->options && importation->files
                   ? import_report_begin(&importation->report, args_has(args, "json"), error) : ERR_NOMEM;
    if (code == 0 && importation->importer->pulls)
        code = read_pull(importation, error);
    if (code == 0)
        code = site_conf(args, &importation->conf, error);
    if (code == ERR_NOTFOUND && args_has(args, "dry-run") && !args_has(args, "dir"))
        code = 0;
    if (code == 0)
        code = import_all(importation);
    if (!importation->intake || (code != 0 && code != ERR_CANCELLED))
        return code;
    int printed = import_report_print(&importation->report, importation->intake,
                                      importation->producer ? importation->topic : NULL, importation->n_sent_before);
    return code == 0 ? printed : code;
}

static int run(const struct args *args)
{
    struct err_text error = {0};
    struct importation importation = {.args = args, .error = &error};
    int wrong = read_options(&importation);
    if (wrong)
        return wrong;
    stop_catch();
    int code = run_whole(&importation);
    producer_close(importation.producer);
    intake_free(importation.intake);
    registry_free(importation.registry);
    pseudonyms_free(importation.opts.pseudonyms);
    vaulting_close(importation.vaulting);
    conf_free(importation.conf);
    import_report_done(&importation.report);
    free(importation.files);
    free(importation.options);
    if (code == ERR_INVALID && importation.file) /* not the command line is wrong but a file */
        code = ERR_CORRUPT;
    return code == 0 ? EXIT_DONE : args_fail(args, code, &error);
}

static const struct arg options[] = {
    {"map", 0, "FILE", "what the fields of csv, json and influx files mean (docs/MAPPING.md)"},
    {"tz", 0, "ZONE", "of local times without an offset: Europe/Berlin"},
    {"topic", 0, "TOPIC", "where they go (" TOPIC ")"},
    {"available", 0, "DURATION", "each value became known so long after its end: stated as `issued`"},
    {"dry-run", 0, NULL, "reads and checks everything, and sends nothing"},
    {"json", 0, NULL, "prints one object, with all that was refused"},
    {"from", 0, "TIME", "for pilot2: from when on (-P30D)"},
    {"to", 0, "TIME", "for pilot2: up to when (now)"},
    {"step", 0, "DURATION", "for pilot2: the length of its amounts and means (PT15M)"},
    {"user", 0, "NAME", "for pilot2: with the password in $ALMANAC_PASSWORD"},
    {"token", 0, "TOKEN", "for pilot2; better in $ALMANAC_TOKEN, where no process list shows it"},
    {"ca", 0, "FILE", "for pilot2: trusts this certificate"},
    SITE_ARG_DIR,
    SITE_ARG_SET,
};

const struct command cmd_import = {
    .name = "import",
    .summary = "turns files (nem12, mscons, greenbutton, csv, json, influx) into readings for Kafka",
    .operands = "KIND FILE...",
    .n_operands = ARGS_MAX,
    .n_optional = ARGS_MAX - 1,
    .examples = "  almanac import nem12 meter.csv --dry-run\n"
                "  almanac import csv --map pv.json --tz Europe/Ljubljana 2024/*.csv.gz --json\n"
                "  almanac import greenbutton usage.xml --available P1D\n"
                "  ALMANAC_PASSWORD=... almanac import pilot2 https://pilot.example --user reader --from -P1Y\n",
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .run = run};
