/* Files that a mapping explains (docs/MAPPING.md): csv, json, influx line protocol. */
#include <config.h>

#include "importers/importer.h"

#include <stdlib.h>
#include <string.h>

#include "adapt/mapper.h"

#define PART_BYTES 65536

struct mapped {
    const struct importing *importing;
    struct mapping *mapping;
    struct mapper *mapper;
    int64_t n_rows;
    char part[PART_BYTES];
};

static int observe_cb(void *arg, const struct observation *observation)
{
    const struct importing *importing = ((struct mapped *)arg)->importing;
    return importing->value(importing->arg, observation);
}

static int refuse_cb(void *arg, const struct misfit *misfit)
{
    const struct importing *importing = ((struct mapped *)arg)->importing;
    return importing->misfit(importing->arg, misfit);
}

static int open_mapping(struct mapped *mapped, enum mapping_format format, struct err_text *error)
{
    static const char *const formats[] = {[MAPPING_CSV] = "csv", [MAPPING_JSON] = "json", [MAPPING_INFLUX] = "influx"};
    const struct import_opts *opts = mapped->importing->opts;
    int code = mapping_open(opts->map, &mapped->mapping, error);
    if (code != 0)
        return code;
    if (mapped->mapping->format != format)
        return err_set(error, ERR_INVALID, "the mapping \"%s\" is for %s; import that kind", opts->map,
                       formats[mapped->mapping->format]);
    if (mapped->mapping->substitutes && !opts->pseudonyms)
        return err_set(error, ERR_INVALID, "the mapping \"%s\" makes pseudonyms, for which the vault of a data directory is "
                       "needed: name it with --dir", opts->map);
    return 0;
}

static int count_rows(struct mapped *mapped)
{
    const struct importing *importing = mapped->importing;
    int64_t n = mapper_counts(mapped->mapper).records;
    int code = 0;
    for (; mapped->n_rows < n && code == 0; mapped->n_rows++)
        code = importing->row(importing->arg);
    return code;
}

static int feed_all(struct mapped *mapped, struct err_text *error)
{
    const struct importing *importing = mapped->importing;
    const struct mapper_source source = {.file = importing->source, .known_us = INT64_MIN};
    size_t n = 1;
    int code = mapper_begin(mapped->mapper, &source);
    while (code == 0 && n > 0) {
        code = importing->read(importing->arg, mapped->part, sizeof mapped->part, &n, error);
        if (code == 0 && n > 0)
            code = mapper_feed(mapped->mapper, mapped->part, n);
        if (code == 0 && n == 0)
            code = mapper_end(mapped->mapper);
        if (code == 0)
            code = count_rows(mapped);
    }
    return code;
}

static int run(const struct importing *importing, enum mapping_format format, struct err_text *error)
{
    struct mapped *mapped = calloc(1, sizeof *mapped);
    if (!mapped)
        return ERR_NOMEM;
    mapped->importing = importing;
    int code = open_mapping(mapped, format, error);
    if (code == 0) {
        const struct mapper_opts opts = {.mapping = mapped->mapping,
                                         .pseudonyms = importing->opts->pseudonyms,
                                         .zone = importing->opts->zone_name,
                                         .observe = observe_cb,
                                         .refuse = refuse_cb,
                                         .arg = mapped};
        code = mapper_new(&opts, &mapped->mapper, error);
    }
    if (code == 0)
        code = feed_all(mapped, error);
    if (code != 0 && !*error->text && importing->opts->pseudonyms && *pseudonyms_why(importing->opts->pseudonyms))
        err_set(error, code, "%s", pseudonyms_why(importing->opts->pseudonyms));
    mapper_free(mapped->mapper);
    mapping_free(mapped->mapping);
    free(mapped);
    return code;
}

static int run_csv(const struct importing *importing, struct err_text *error)
{
    return run(importing, MAPPING_CSV, error);
}

static int run_json(const struct importing *importing, struct err_text *error)
{
    return run(importing, MAPPING_JSON, error);
}

static int run_influx(const struct importing *importing, struct err_text *error)
{
    return run(importing, MAPPING_INFLUX, error);
}

const struct importer importer_csv = {
    .kind = "csv", .summary = "rows of fields, by a mapping", .needs_map = true, .n_passes = 1, .run = run_csv};
const struct importer importer_json = {
    .kind = "json", .summary = "JSON values, by a mapping", .needs_map = true, .n_passes = 1, .run = run_json};
const struct importer importer_influx = {
    .kind = "influx", .summary = "InfluxDB line protocol, by a mapping", .needs_map = true, .n_passes = 1, .run = run_influx};
