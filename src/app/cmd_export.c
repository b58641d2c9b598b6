/* almanac export: whole ranges of series as a file, or as a folder of files with a manifest; CSV or NDJSON, packed or not */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/ask.h"
#include "app/cmd.h"
#include "app/export_folder.h"
#include "app/progress.h"
#include "app/site.h"
#include "app/stop.h"
#include "common/array.h"
#include "common/civil.h"
#include "common/clock.h"
#include "common/files.h"
#include "common/hash.h"
#include "query/range.h"

/* They mean what they mean for `almanac query`. */
static const char *const selectors[] = {"series", "entity", "type",     "property", "step", "agg",
                                        "tz",     "fill",   "snapshot", "time",     "from", "to"};

static const struct arg options[] = {
    {"output", 'o', "FILE", "writes the file, whole or not at all; without it to stdout"},
    {"folder", 0, "FOLDER", "makes files and a manifest there, of one state; begun again it goes on with them"},
    {"window", 0, "DURATION", "how much time a file of the folder has: P1D, P1W, P1M (the default), P1Y ..."},
    {"group", 0, "N", "how many series a file of the folder has: up to 1000, the default"},
    {"compression", 0, "HOW", "of the folder's files: none (the default), gzip or zstd"},
    {"available", 0, NULL, "a column in the folder's files: since when each raw reading could be known"},
    {"keep", 0, "DURATION", "how long the folder's state is kept to go on with: P7D (the default)"},
    {"format", 0, "FORM", "csv (the default) or ndjson; else by the file's name"},
    {"entity", 0, "GLOB", "which entities; may be repeated, as series, type and property may"},
    {"property", 0, "GLOB", "which properties"},
    {"type", 0, "GLOB", "which types of entities"},
    {"series", 0, "ID", "which series by number; without any of these all series"},
    {"from", 0, "TIME", "RFC 3339, epoch milliseconds, now, or -P7D before now; else the first reading"},
    {"to", 0, "TIME", "the end, not in it any more; else behind the last reading"},
    {"step", 0, "DURATION", "raw (the default), or PT15M, PT1H, P1D, P1M ..."},
    {"agg", 0, "LIST", "mean min max sum count first last twa integral increase stddev median p01 to p99 mintime maxtime "
                       "covered; several with commas"},
    {"tz", 0, "ZONE", "of calendar steps and printed times, such as Europe/Ljubljana"},
    {"fill", 0, "HOW", "null (the default) shows empty buckets, none leaves them out"},
    {"time", 0, "FORM", "iso (the default), ms or local"},
    {"max_gap", 0, "DURATION", "with --folder: the longest time between two readings that is bridged"},
    {"over", 0, "HOW", "with --folder: sum, mean, min or max of all series together"},
    {"by", 0, "WHAT", "with --over: type, property, location or board"},
    {"unit", 0, "UNIT", "with --folder: the unit to convert to"},
    {"asof", 0, "TIME", "with --folder: only what was known by then"},
    {"lead_min", 0, "DURATION", "with --folder: only forecasts issued at least so long before their time"},
    {"quality", 0, "CLASS", "with --folder: the least quality accepted"},
    {"snapshot", 0, "NAME", "of that snapshot: for exports that take longer than 15 minutes"},
    SITE_ARG_DIR,
    SITE_ARG_SET,
};

/* What a file's name says. */
struct form {
    const char *format; /* NULL: nothing */
    const char *coding; /* NULL: none */
};

struct export {
    const struct args *args;
    struct err_text *error;
    struct form form;
    FILE *out;
    char *path, *tmp_path; /* NULL: stdout */
    struct progress progress;
    struct buf query;
    /* of the series that are asked for */
    uint32_t *ids;
    size_t n_ids, ids_cap;
    uint64_t n_readings;
    int64_t first_us, last_us;
};

static bool cut_suffix(const char *name, size_t *n, const char *suffix)
{
    size_t size = strlen(suffix);
    if (*n <= size || memcmp(name + *n - size, suffix, size) != 0)
        return false;
    *n -= size;
    return true;
}

static struct form form_of(const char *name)
{
    struct form form = {0};
    size_t n = strlen(name);
    if (cut_suffix(name, &n, ".gz"))
        form.coding = "gzip";
    else if (cut_suffix(name, &n, ".zst"))
        form.coding = "zstd";
    if (cut_suffix(name, &n, ".csv"))
        form.format = "csv";
    else if (cut_suffix(name, &n, ".ndjson") || cut_suffix(name, &n, ".jsonl"))
        form.format = "ndjson";
    return form;
}

/* ---- how much it is ---- */

static int add_id(void *arg, const struct series_info *info)
{
    struct export *export = arg;
    if (array_grow(&export->ids, &export->ids_cap, export->n_ids + 1, sizeof *export->ids))
        return ERR_NOMEM;
    export->ids[export->n_ids++] = info->id;
    return 0;
}

static int add_stats(struct export *export, struct view *view)
{
    int code = 0;
    for (size_t i = 0; i < export->n_ids && code == 0; i++) {
        struct series_stats stats = {0};
        code = stop_asked() ? ERR_CANCELLED : view_stats(view, export->ids[i], &stats);
        if (code != 0 || !stats.count)
            continue;
        if (!export->n_readings || stats.first_us < export->first_us)
            export->first_us = stats.first_us;
        if (!export->n_readings || stats.last_us > export->last_us)
            export->last_us = stats.last_us;
        export->n_readings += stats.count;
    }
    return code;
}

#define BEGIN_OF_TIME "0001-01-01T00:00:00Z"
#define END_OF_TIME "9999-12-31T23:59:59Z"

static bool is_raw(const struct args *args)
{
    const char *step = args_get(args, "step");
    return !step || strcmp(step, "raw") == 0;
}

/* The selectors as the range query takes them, with all of time where none is given. */
static int parse_selectors(struct export *export, struct range *range)
{
    struct parameter parameters[ARGS_MAX + 2];
    size_t n = 0;
    for (size_t i = 0; i < sizeof selectors / sizeof *selectors; i++) {
        size_t position = 0;
        for (const char *value; (value = args_each(export->args, selectors[i], &position));)
            parameters[n++] = (struct parameter){selectors[i], value};
    }
    if (!args_has(export->args, "from"))
        parameters[n++] = (struct parameter){"from", BEGIN_OF_TIME};
    if (!args_has(export->args, "to"))
        parameters[n++] = (struct parameter){"to", END_OF_TIME};
    return range_parse(parameters, n, clock_wall_us(), range, export->error);
}

/* Looks at the series and their readings as they stand, for the ends that are not given and for the progress line. */
static int measure(struct export *export, const char *dir)
{
    struct reader_dir *reader = NULL;
    struct view *view = NULL;
    struct range range = {0};
    int code = hash_init();
    code = code != 0 ? code : parse_selectors(export, &range);
    bool parsed = code == 0;
    if (code == 0 && args_has(export->args, "snapshot") && args_has(export->args, "from") &&
        args_has(export->args, "to")) {
        range_free(&range);
        return 0; /* nothing to find out, and the live state is not asked for */
    }
    if (code == 0)
        code = reader_dir_open(dir, &reader, export->error);
    if (code == 0)
        code = view_open(reader, &view, export->error);
    if (code == 0)
        code = reader_series(reader, &range.filter, add_id, export);
    if (code == 0)
        code = add_stats(export, view);
    if (parsed)
        range_free(&range);
    view_close(view);
    reader_dir_close(reader);
    return code;
}

/* Of buckets only those between the first and the last reading. */
static void put_time(struct export *export, const char *name, const char *all, int64_t t_us)
{
    char text[CIVIL_TEXT_MAX + 1];
    if (args_has(export->args, name))
        return;
    if (is_raw(export->args)) {
        ask_parameter(&export->query, name, all);
        return;
    }
    text[civil_print_rfc3339(text, t_us, 0, true)] = '\0';
    ask_parameter(&export->query, name, text);
}

static int build_query(struct export *export)
{
    struct buf *query = &export->query;
    for (size_t i = 0; i < sizeof selectors / sizeof *selectors; i++) {
        size_t position = 0;
        for (const char *value; (value = args_each(export->args, selectors[i], &position));)
            ask_parameter(query, selectors[i], value);
    }
    /* without readings: an empty range anywhere */
    put_time(export, "from", BEGIN_OF_TIME, export->first_us);
    put_time(export, "to", END_OF_TIME, export->n_readings ? export->last_us + 1 : export->first_us);
    ask_parameter(query, "format", export->form.format);
    buf_putc(query, '\0');
    return query->failed ? ERR_NOMEM : 0;
}

/* ---- writing ---- */

static int count_cb(void *arg, const void *data, size_t size)
{
    struct export *export = arg;
    int64_t n = 0;
    const char *at = data, *end = at + size;
    while ((at = memchr(at, '\n', (size_t)(end - at)))) {
        n++;
        at++;
    }
    progress_add(&export->progress, n);
    return stop_asked() ? ERR_CANCELLED : 0;
}

static int write_cb(void *arg, const void *data, size_t size)
{
    struct export *export = arg;
    if (fwrite(data, 1, size, export->out) == size)
        return 0;
    return err_set(export->error, errno == ENOSPC ? ERR_FULL : ERR_IO, "cannot write \"%s\": %s",
                   export->path ? export->path : "stdout", strerror(errno));
}

static int open_output(struct export *export, const char *path)
{
    export->out = stdout;
    if (!path)
        return 0;
    if (!(export->path = strdup(path)) || asprintf(&export->tmp_path, "%s.tmp", path) < 0) {
        export->tmp_path = NULL;
        return ERR_NOMEM;
    }
    export->out = fopen(export->tmp_path, "we");
    if (export->out)
        return 0;
    return err_set(export->error, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "cannot make \"%s\": %s",
                   export->tmp_path, strerror(errno));
}

/* The file gets its name when it is whole and on the disk. */
static int close_output(struct export *export, int code)
{
    if (!export->tmp_path)
        return code;
    if (export->out && code == 0 &&
        (fflush(export->out) != 0 || fsync(fileno(export->out)) != 0))
        code = err_set(export->error, errno == ENOSPC ? ERR_FULL : ERR_IO, "cannot write \"%s\": %s",
                       export->path, strerror(errno));
    if (export->out && fclose(export->out) != 0 && code == 0)
        code = err_set(export->error, ERR_IO, "cannot write \"%s\": %s", export->path, strerror(errno));
    if (code == 0 && rename(export->tmp_path, export->path) != 0)
        code = err_set(export->error, ERR_IO, "cannot name \"%s\": %s", export->path, strerror(errno));
    if (code == 0)
        code = files_sync_folder_of(export->path);
    else if (export->out)
        unlink(export->tmp_path);
    return code;
}

static int export_all(struct export *export, const struct conf *conf)
{
    bool whole = !args_has(export->args, "from") && !args_has(export->args, "to");
    int code = measure(export, conf->data);
    if (code == 0)
        code = build_query(export);
    if (code == 0)
        code = open_output(export, args_get(export->args, "output"));
    if (code != 0)
        return code;
    progress_start(&export->progress, "exporting", is_raw(export->args) && whole ? (int64_t)export->n_readings : 0);
    code = ask_files_packed(conf->data, (const char *)export->query.data, export->form.coding, count_cb,
                            write_cb, export, NULL, export->error);
    progress_done(&export->progress);
    return code;
}

/* ---- a folder ---- */

/* Beside the selectors. */
static const char *const of_folders[] = {"format", "window", "group", "compression", "keep",     "max_gap",
                                         "over",   "by",     "unit",  "asof",        "lead_min", "quality"};

static void add_given(const struct args *args, const char *const *names, size_t n, struct export_folder *export)
{
    for (size_t i = 0; i < n; i++) {
        size_t position = 0;
        for (const char *value; (value = args_each(args, names[i], &position));)
            export->parameters[export->n_parameters++] = (struct parameter){names[i], value};
    }
}

static int run_folder(const struct args *args)
{
    struct parameter parameters[ARGS_MAX + 1];
    struct export_folder export = {.parameters = parameters, .folder = args_get(args, "folder")};
    struct err_text error = {0};
    struct conf *conf = NULL;
    add_given(args, selectors, sizeof selectors / sizeof *selectors, &export);
    add_given(args, of_folders, sizeof of_folders / sizeof *of_folders, &export);
    if (args_has(args, "available"))
        parameters[export.n_parameters++] = (struct parameter){"available", "1"};
    stop_catch();
    int code = site_conf(args, &conf, &error);
    if (code == 0)
        code = export_folder(&export, conf, &error);
    conf_free(conf);
    if (code == 0)
        fprintf(stderr, "%s: %" PRIu64 " rows in %" PRIu64 " files%s\n", export.folder, export.n_rows, export.n_files,
                export.was_whole ? ", whole already" : "");
    if (stop_asked())
        err_set(&error, ERR_CANCELLED, "stopped; the same command goes on in \"%s\"", export.folder);
    return code == 0 ? EXIT_DONE : args_fail(args, code, &error);
}

static int refuse_without_folder(const struct args *args)
{
    for (size_t i = 0; i < sizeof of_folders / sizeof *of_folders; i++)
        if (args_has(args, of_folders[i]) && strcmp(of_folders[i], "format") != 0)
            return args_wrong(args, "--%s goes with --folder", of_folders[i]);
    return args_has(args, "available") ? args_wrong(args, "--available goes with --folder") : EXIT_DONE;
}

static int run(const struct args *args)
{
    if (args_has(args, "folder"))
        return args_has(args, "output") ? args_wrong(args, "take one of --folder and --output") : run_folder(args);
    if (refuse_without_folder(args) != EXIT_DONE)
        return EXIT_USAGE;

    const char *path = args_get(args, "output"), *format = args_get(args, "format");
    struct err_text error = {0};
    struct conf *conf = NULL;
    struct export export = {.args = args, .error = &error};
    if (path && strcmp(path, "-") == 0)
        return args_wrong(args, "for stdout leave --output out");
    export.form = path ? form_of(path) : (struct form){0};
    if (format)
        export.form.format = format;
    if (!export.form.format)
        export.form.format = "csv";
    if (strcmp(export.form.format, "csv") != 0 && strcmp(export.form.format, "ndjson") != 0)
        return args_wrong(args, "there is no format \"%s\"; there are csv and ndjson", format);
    stop_catch();
    int code = site_conf(args, &conf, &error);
    if (code == 0)
        code = export_all(&export, conf);
    code = close_output(&export, code);
    conf_free(conf);
    if (code == 0)
        fprintf(stderr, "%" PRId64 " rows exported%s%s\n",
                export.progress.done - (strcmp(export.form.format, "csv") == 0), path ? " to " : "",
                path ? path : "");
    if (stop_asked())
        err_set(&error, ERR_CANCELLED, path ? "stopped; \"%s\" was not written" : "stopped", path);
    buf_free(&export.query);
    free(export.ids);
    free(export.path);
    free(export.tmp_path);
    return code == 0 ? EXIT_DONE : args_fail(args, code, &error);
}

const struct command cmd_export = {
    .name = "export",
    .summary = "writes whole ranges of readings or aggregates to a file",
    .operands = "",
    .examples = "  almanac export -o everything.csv.zst\n"
                "  almanac export --entity 'p2-*' --property activePower --from 2025-01-01T00:00:00Z "
                "--to 2026-01-01T00:00:00Z -o power-2025.ndjson.gz\n"
                "  almanac export --folder training --from 2024-01-01T00:00:00Z --window P1M --compression zstd\n"
                "  almanac export --type Weather --step P1D --tz Europe/Ljubljana --agg min,mean,max\n",
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .run = run};
