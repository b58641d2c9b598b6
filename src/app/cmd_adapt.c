/* almanac adapt --dry-run MAP FILE */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapt/compose.h"
#include "adapt/mapper.h"
#include "app/cmd.h"
#include "app/site.h"
#include "app/stop.h"
#include "common/clock.h"
#include "common/hash.h"

#define PIECE_BYTES 65536
#define REFUSALS_SHOWN 1000 /* more of them are counted only */

struct trial {
    const struct args *args;
    const char *path;
    struct mapping *mapping;
    struct mapper *mapper;
    uint8_t key[HASH_KEY_BYTES]; /* of the samples of pseudonyms */
    struct pseudonyms *pseudonyms;
    struct composer composer;
    int64_t n_messages;
    struct err_text *error;
};

static int message_cb(void *arg, const char *entity, const void *json, size_t size)
{
    struct trial *trial = arg;
    (void)entity;
    trial->n_messages++;
    fwrite(json, size, 1, stdout);
    putchar('\n');
    return ferror(stdout) ? ERR_IO : 0;
}

static int observe_cb(void *arg, const struct observation *observation)
{
    struct trial *trial = arg;
    return compose_add(&trial->composer, observation);
}

static int refuse_cb(void *arg, const struct misfit *misfit)
{
    struct trial *trial = arg;
    if (mapper_counts(trial->mapper).refused <= REFUSALS_SHOWN)
        fprintf(stderr, "%s:%" PRId64 ": %s: %s\n", trial->path, misfit->line, refusal_name(misfit->reason),
                misfit->detail);
    return 0;
}

static int make_mapper(struct trial *trial)
{
    int code = hash_init();
    if (code == 0)
        code = mapping_open(trial->args->operands[0], &trial->mapping, trial->error);
    if (code == 0 && trial->mapping->substitutes) {
        hash_random(trial->key, sizeof trial->key);
        fprintf(stderr, "%s: the vault is not asked here, so the pseudonyms are samples of this run only\n",
                trial->args->program);
        code = pseudonyms_new(&(struct pseudonyms_opts){.ask = pseudonyms_sample, .arg = trial->key}, &trial->pseudonyms);
    }
    if (code != 0)
        return code;
    struct mapper_opts opts = {.mapping = trial->mapping,
                               .pseudonyms = trial->pseudonyms,
                               .zone = args_get(trial->args, "tz"),
                               .observe = observe_cb,
                               .refuse = refuse_cb,
                               .arg = trial};
    return mapper_new(&opts, &trial->mapper, trial->error);
}

static int read_all(struct trial *trial, FILE *file, char *piece)
{
    const char *topic = args_get(trial->args, "topic"), *key = args_get(trial->args, "key");
    struct mapper_source source = {.file = trial->path,
                                   .topic = topic,
                                   .key = key,
                                   .key_size = key ? strlen(key) : 0,
                                   .known_us = topic ? clock_wall_us() : INT64_MIN};
    int code = mapper_begin(trial->mapper, &source);
    size_t size;
    while (code == 0 && (size = fread(piece, 1, PIECE_BYTES, file)) > 0)
        code = stop_asked() ? err_set(trial->error, ERR_CANCELLED, "stopped") : mapper_feed(trial->mapper, piece, size);
    if (code == 0 && ferror(file))
        code = err_set(trial->error, ERR_IO, "\"%s\" cannot be read: %s", trial->path, strerror(errno));
    if (code == 0)
        code = mapper_end(trial->mapper);
    return code == 0 ? compose_end(&trial->composer) : code;
}

static int try_file(struct trial *trial)
{
    bool is_stdin = strcmp(trial->path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(trial->path, "re");
    char *piece = malloc(PIECE_BYTES);
    int code = !piece ? ERR_NOMEM
               : file ? read_all(trial, file, piece)
                      : err_set(trial->error, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "\"%s\" cannot be read: %s",
                                trial->path, strerror(errno));
    if (file && !is_stdin)
        fclose(file);
    free(piece);
    return code;
}

static void tell(const struct trial *trial)
{
    struct mapper_counts counts = mapper_counts(trial->mapper);
    if (counts.refused > REFUSALS_SHOWN)
        fprintf(stderr, "... and %" PRId64 " more refusals\n", counts.refused - REFUSALS_SHOWN);
    fprintf(stderr,
            "%" PRId64 " records, %" PRId64 " values in %" PRId64 " messages, %" PRId64 " without a value, %" PRId64
            " refused\n",
            counts.records, counts.values, trial->n_messages, counts.missing, counts.refused);
}

static int run(const struct args *args)
{
    struct err_text error = {0};
    struct trial trial = {.args = args, .path = args->operands[1], .error = &error};
    trial.composer = (struct composer){.message = message_cb, .arg = &trial};
    if (!args_has(args, "dry-run"))
        return args_wrong(
            args,
            "only --dry-run is done here; the role adapt of almanacd normalizes topics, and `almanac import` files");
    stop_catch();
    int code = make_mapper(&trial);
    if (code == 0)
        code = try_file(&trial);
    if (code == 0)
        tell(&trial);
    mapper_free(trial.mapper);
    pseudonyms_free(trial.pseudonyms);
    mapping_free(trial.mapping);
    compose_done(&trial.composer);
    return code == 0 ? EXIT_DONE : args_fail(args, code, &error);
}

static const struct arg options[] = {
    {"dry-run", 0, NULL,
     "prints the normalized messages, and what is refused on stderr; needed, since nothing else is done here"},
    {"tz", 0, "ZONE", "the zone of local times without an offset, instead of the mapping's"},
    {"topic", 0, "TOPIC", "the file is a message of that topic that came now"},
    {"key", 0, "TEXT", "and has that key"},
    SITE_ARG_DIR,
    SITE_ARG_SET,
};

const struct command cmd_adapt = {
    .name = "adapt",
    .summary = "shows what a mapping makes of a sample",
    .operands = "MAP FILE",
    .n_operands = 2,
    .examples = "  almanac adapt --dry-run site7.json 2025-03-01.csv\n"
                "  almanac adapt --dry-run --tz Europe/Ljubljana site7.json 2025-03-01.csv | head -3\n"
                "  kcat -C -t raw.meters -c 1 | almanac adapt --dry-run --topic raw.meters meters.json -\n",
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .run = run};
