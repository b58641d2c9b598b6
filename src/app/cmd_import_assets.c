/* almanac import assets FILE... */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "app/brokers.h"
#include "app/cmd.h"
#include "app/json_print.h"
#include "app/progress.h"
#include "app/site.h"
#include "app/stop.h"
#include "common/hash.h"
#include "normalise/assets.h"

#define KEY "assets" /* of every message: one partition, so that what is referred to comes first */
#define FLUSH_MS 200
#define SHOWN_MAX 10 /* refusals of a file that are shown to people */

struct importation {
    const struct args *args;
    struct conf *conf;         /* NULL on a dry run without one */
    const char *topic;
    struct producer *producer; /* NULL on a dry run */
    struct asset_checker *checker;
    struct progress progress;
    json_t *refusals, *entities; /* entities: an object, for its keys */
    int64_t n_documents, n_refused;
    struct err_text *error;
};

/* ---- one file ---- */

static int read_whole(const char *name, struct buf *out, struct err_text *error)
{
    FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
    size_t n = 1;
    if (!file)
        return err_set(error, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "cannot read \"%s\": %s", name, strerror(errno));
    while (n > 0 && out->n <= ASSETS_FILE_BYTES_MAX) {
        uint8_t *at = buf_reserve(out, 1 << 16);
        n = at ? fread(at, 1, 1 << 16, file) : 0;
        out->n += n;
    }
    bool failed = ferror(file) != 0;
    if (file != stdin)
        fclose(file);
    if (out->failed)
        return ERR_NOMEM;
    return failed ? err_set(error, ERR_IO, "cannot read \"%s\" to its end", name) : 0;
}

static int note_refusal(struct importation *importation, const char *name, int64_t line, const struct document_refusal *refusal)
{
    json_t *row = json_pack("{s:s, s:I, s:s, s:s}", "file", name, "line", (json_int_t)line, "reason",
                            refusal_name(refusal->reason), "detail", refusal->detail);
    importation->n_refused++;
    return json_array_append_new(importation->refusals, row) ? ERR_NOMEM : 0;
}

/* Refusals come in the order of the file, so lines are counted once. */
static int note_refusals(struct importation *importation, const char *name, const struct buf *text,
                         const struct documents *documents)
{
    int64_t line = 1;
    size_t at = 0;
    bool json = args_has(importation->args, "json");
    for (size_t i = 0; i < documents->n_refusals; i++) {
        const struct document_refusal *refusal = &documents->refusals[i];
        for (; at < refusal->at && at < text->n; at++)
            line += text->data[at] == '\n';
        if (!json && i < SHOWN_MAX)
            fprintf(stderr, "%s line %" PRId64 ": refused as %s: %s\n", name, line, refusal_name(refusal->reason),
                    refusal->detail);
        if (!json && i == SHOWN_MAX)
            fprintf(stderr, "%s: %zu more are refused; --json lists them\n", name, documents->n_refusals - SHOWN_MAX);
        int code = note_refusal(importation, name, line, refusal);
        if (code)
            return code;
    }
    return 0;
}

static int send_documents(struct importation *importation, const struct documents *documents)
{
    int code = 0;
    for (size_t i = 0; i < documents->n && code == 0; i++) {
        const struct document *row = &documents->rows[i];
        if (stop_asked())
            return err_set(importation->error, ERR_CANCELLED,
                           "stopped; what is sent is sent, and sending it again changes nothing");
        importation->n_documents++;
        if (*row->entity && json_object_set_new(importation->entities, row->entity, json_true()))
            return ERR_NOMEM;
        if (importation->producer)
            code = producer_send(importation->producer, importation->topic, KEY, strlen(KEY),
                                 (const char *)documents->bytes.data + row->text_at, row->text_size, importation->error);
        progress_add(&importation->progress, (int64_t)row->text_size);
    }
    return code;
}

static int import_file(struct importation *importation, const char *name)
{
    struct documents documents = {0};
    struct buf text = {0};
    int code = read_whole(name, &text, importation->error);
    struct document_message message = {.topic = "", .value = text.data ? text.data : (uint8_t *)"", .size = text.n,
                                       .size_max = ASSETS_FILE_BYTES_MAX};
    if (code == 0)
        code = assets_check(importation->checker, &message, &documents);
    if (code == 0)
        code = note_refusals(importation, name, &text, &documents);
    if (code == 0)
        code = send_documents(importation, &documents);
    documents_free(&documents);
    buf_free(&text);
    return code;
}

/* ---- all of them ---- */

static int settle(struct importation *importation)
{
    int code = importation->producer ? ERR_BUSY : 0;
    while (code == ERR_BUSY) {
        code = producer_flush(importation->producer, FLUSH_MS, importation->error);
        if (code == ERR_BUSY && stop_asked())
            return err_set(importation->error, ERR_CANCELLED, "stopped before Kafka had everything; run it again");
    }
    return code;
}

static int import_all(struct importation *importation)
{
    const struct args *args = importation->args;
    bool dry = args_has(args, "dry-run");
    const char *topic = args_get(args, "topic");
    int code = hash_init();
    if (code == 0)
        code = site_conf(args, &importation->conf, importation->error);
    if (code == ERR_NOTFOUND && dry && !args_has(args, "dir"))
        code = 0;
    importation->topic = topic ? topic : importation->conf ? importation->conf->assets_topic : KEY;
    if (code == 0 && (!*importation->topic || !conf_is_topic(importation->topic)))
        return err_set(importation->error, ERR_INVALID,
                       "\"%s\" cannot be the topic of assets: set ingest.assets_topic or --topic",
                       importation->topic);
    if (code == 0 && !dry)
        code = brokers_producer(importation->conf, &importation->producer, importation->error);
    progress_start(&importation->progress, "importing", 0);
    for (int i = 0; i < args->n_operands && code == 0; i++)
        code = import_file(importation, args->operands[i]);
    if (code == 0)
        code = settle(importation);
    progress_done(&importation->progress);
    return code;
}

/* As every import tells it; there are no readings and so no times. */
static int print_json(const struct importation *importation)
{
    json_t *entities = json_array();
    const char *entity;
    json_t *value;
    json_object_foreach(importation->entities, entity, value)
        json_array_append_new(entities, json_string(entity));
    json_t *all = json_pack("{s:I, s:I, s:i, s:I, s:O, s:o, s:n, s:n}", "rows",
                            (json_int_t)(importation->n_documents + importation->n_refused), "documents",
                            (json_int_t)importation->n_documents, "readings", 0, "refused", (json_int_t)importation->n_refused,
                            "refusals", importation->refusals, "entities", entities, "from", "to");
    return json_print(all);
}

static int run(const struct args *args)
{
    struct err_text error = {0};
    struct importation importation = {.args = args, .error = &error, .checker = asset_checker_new(), .refusals = json_array(),
                                      .entities = json_object()};
    if (args->n_operands < 1)
        return args_wrong(args, "which files?");
    stop_catch();
    int code = importation.checker && importation.refusals && importation.entities ? import_all(&importation) : ERR_NOMEM;
    if (code == 0 && args_has(args, "json"))
        code = print_json(&importation);
    else if (code == 0)
        printf("%" PRId64 " %s %s%s%s, %" PRId64 " refused\n", importation.n_documents,
               importation.n_documents == 1 ? "document" : "documents", importation.producer ? "sent to topic \"" : "checked",
               importation.producer ? importation.topic : "", importation.producer ? "\"" : "", importation.n_refused);
    producer_close(importation.producer);
    asset_checker_free(importation.checker);
    json_decref(importation.refusals);
    json_decref(importation.entities);
    conf_free(importation.conf);
    return code == 0 ? EXIT_DONE : args_fail(args, code, &error);
}

static const struct arg options[] = {
    {"topic", 0, "TOPIC", "where they go (ingest.assets_topic of almanac.conf)"},
    {"dry-run", 0, NULL, "checks everything and sends nothing"},
    {"json", 0, NULL, "prints one object, with all that was refused"},
    SITE_ARG_DIR,
    SITE_ARG_SET,
};

const struct command cmd_import_assets = {
    .name = "import assets",
    .summary = "checks documents about customers, sensors, series ... and sends them to Kafka",
    .operands = "FILE...",
    .n_operands = ARGS_MAX,
    .n_optional = ARGS_MAX - 1,
    .examples = "  almanac import assets assets.json --dry-run\n"
                "  almanac import assets site.ndjson calendars.json --json\n",
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .run = run};
