/* almanac query: the parameters of GET /v1/range as options */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/ask.h"
#include "app/cmd.h"
#include "common/csv.h"
#include "app/site.h"
#include "app/table.h"

/* These go into the query as they are; their meaning is checked where HTTP's are. */
static const char *const parameters[] = {"series", "entity", "type",  "property", "from",
                                         "to",     "step",   "agg",   "over",     "by",
                                         "tz",     "fill",   "max_gap", "bounds", "unit",    "quality",
                                         "asof",   "lead_min", "reduce", "points", "time",
                                         "layout", "sep",    "decimal", "bom",    "numbers",
                                         "limit",  "cursor", "snapshot"};

static const struct arg options[] = {
    {"entity", 0, "GLOB", "which entities; may be repeated, as series, type and property may"},
    {"property", 0, "GLOB", "which properties"},
    {"type", 0, "GLOB", "which types of entities"},
    {"series", 0, "ID", "which series by number"},
    {"from", 0, "TIME", "required: RFC 3339, epoch milliseconds, now, or -P7D before now"},
    {"to", 0, "TIME", "required: the end, not in it any more"},
    {"step", 0, "DURATION", "raw (the default), or PT15M, PT1H, P1D, P1M ..., or auto with points"},
    {"agg", 0, "LIST", "mean min max sum count first last twa integral increase stddev median p01 to p99 mintime maxtime "
                       "covered; several with commas"},
    {"over", 0, "HOW", "puts the matching series together: sum, mean, min or max"},
    {"by", 0, "WHAT", "with --over: type or property, of which each makes a group"},
    {"tz", 0, "ZONE", "of calendar steps and printed times, such as Europe/Ljubljana"},
    {"fill", 0, "HOW", "null (the default) shows empty buckets, none leaves them out, previous and linear fill them"},
    {"max_gap", 0, "DURATION", "readings further apart are not bridged"},
    {"bounds", 0, "HOW", "of raw readings: none (the default), or outside: the nearest on each side, too"},
    {"unit", 0, "UNIT", "converts values: kW, MWh, degF ..."},
    {"quality", 0, "QUALITY", "the worst that counts: measured, edited, derived, estimated or suspect"},
    {"asof", 0, "TIME", "only what was known by then"},
    {"lead_min", 0, "DURATION", "only forecasts issued at least so long before their time"},
    {"reduce", 0, "HOW", "of raw readings, for plots of so many points: m4 or minmax"},
    {"points", 0, "N", "columns of a plot, or rows for step auto"},
    {"time", 0, "FORM", "iso (the default), ms or local"},
    {"layout", 0, "FORM", "long (the default), or wide: a column a series"},
    {"limit", 0, "N", "at most so many rows"},
    {"cursor", 0, "TEXT", "goes on where a limited answer ended"},
    {"snapshot", 0, "NAME", "from this snapshot; relative times are then before it was made"},
    {"format", 0, "FORM", "table (the default), csv, json, ndjson or arrow"},
    {"sep", 0, "TEXT", "csv: ; , tab or | between fields"},
    {"decimal", 0, "TEXT", "csv: . or , in numbers"},
    {"bom", 0, "0|1", "csv: begins with a byte order mark, as spreadsheets want it"},
    {"numbers", 0, "FORM", "arrow: float64 (the default) or decimal"},
    {"plot", 0, NULL, "draws each series as text"},
    {"url", 0, "URL", "asks a server, https://host:port, instead of the files"},
    {"token", 0, "TOKEN", "for --url; better in $ALMANAC_TOKEN, where no process list shows it"},
    {"ca", 0, "FILE", "for --url: trusts this certificate (a data directory's tls/server.pem)"},
    SITE_ARG_DIR,
    SITE_ARG_SET,
};

struct sink_out {
    struct csv csv;
    struct table *table;
    struct plot *plot;
};

static int row_cb(void *arg, const char *const *fields, size_t n_fields)
{
    struct sink_out *out = arg;
    return out->table ? table_row(out->table, fields, n_fields)
                      : plot_row(out->plot, fields, n_fields);
}

static int bytes_cb(void *arg, const void *data, size_t size)
{
    struct sink_out *out = arg;
    if (out->table || out->plot)
        return csv_feed(&out->csv, data, size);
    return fwrite(data, 1, size, stdout) == size ? 0 : ERR_IO;
}

static int ask(const struct args *args, const char *query, struct sink_out *out, char **ret_next,
               struct err_text *error)
{
    const char *url = args_get(args, "url"), *token = args_get(args, "token");
    struct conf *conf = NULL;
    if (url) {
        struct ask_server server = {.url = url,
                                    .token = token ? token : getenv("ALMANAC_TOKEN"),
                                    .ca = args_get(args, "ca")};
        if (!server.token)
            return err_set(error, ERR_INVALID, "--url needs a token: --token or $ALMANAC_TOKEN");
        return ask_server(&server, query, bytes_cb, out, ret_next, error);
    }
    int code = site_conf(args, &conf, error);
    if (code == 0)
        code = ask_files(conf->data, query, bytes_cb, out, ret_next, error);
    conf_free(conf);
    return code;
}

static int build_query(const struct args *args, const char *format, struct buf *query)
{
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
        size_t position = 0;
        for (const char *value; (value = args_each(args, parameters[i], &position));)
            ask_parameter(query, parameters[i], value);
    }
    ask_parameter(query, "format", format);
    buf_putc(query, '\0');
    return query->failed ? ERR_NOMEM : 0;
}

/* What only goes with some formats; the rest is checked where HTTP's parameters are. */
static int check_format(const struct args *args, const char *format, bool plot, bool table)
{
    static const char *const formats[] = {"csv", "json", "ndjson", "arrow"}, *const of_csv[] = {"sep", "decimal", "bom"};
    bool known = table || plot;
    for (size_t i = 0; i < sizeof formats / sizeof *formats && !known; i++)
        known = strcmp(format, formats[i]) == 0;
    if (!known)
        return args_wrong(args, "there is no format \"%s\"; there are table, csv, json, ndjson and arrow", format);
    if (format && plot)
        return args_wrong(args, "--plot and --format do not go together");
    for (size_t i = 0; i < sizeof of_csv / sizeof *of_csv; i++)
        if ((table || plot) && args_get(args, of_csv[i]))
            return args_wrong(args, "--%s goes with --format csv", of_csv[i]);
    const char *layout = args_get(args, "layout");
    if (plot && (args_get(args, "over") || (layout && strcmp(layout, "long") != 0)))
        return args_wrong(args, "--plot draws series one by one: leave out --%s", args_get(args, "over") ? "over" : "layout");
    return EXIT_DONE;
}

static int run(const struct args *args)
{
    const char *format = args_get(args, "format");
    struct err_text error = {0};
    struct buf query = {0};
    struct sink_out out = {.csv = {.row = row_cb, .arg = &out}};
    char *next = NULL;
    bool plot = args_has(args, "plot"), table = !plot && (!format || strcmp(format, "table") == 0);
    int checked = check_format(args, format, plot, table);
    if (checked != EXIT_DONE)
        return checked;
    out.table = table ? table_new(stdout) : NULL;
    out.plot = plot ? plot_new(stdout) : NULL;
    int code = (table && !out.table) || (plot && !out.plot) ? ERR_NOMEM : 0;
    if (code == 0)
        code = build_query(args, table || plot ? "csv" : format, &query);
    if (code == 0)
        code = ask(args, (const char *)query.data, &out, &next, &error);
    if (code == 0)
        code = csv_end(&out.csv);
    if (table && code == 0)
        table_end(out.table);
    if (plot && code == 0)
        plot_end(out.plot);
    if (next && code == 0 && fflush(stdout) == 0)
        fprintf(stderr, "more rows follow: ask the same with --cursor %s\n", next);
    free(next);
    csv_done(&out.csv);
    table_free(out.table);
    plot_free(out.plot);
    buf_free(&query);
    return code == 0 ? EXIT_DONE : args_fail(args, code, &error);
}

const struct command cmd_query = {.name = "query",
                                  .summary = "asks for a range of readings or aggregates",
                                  .operands = "",
                                  .examples =
                                      "  almanac query --entity 'p2-*' --property activePower "
                                      "--from -P1D --to now --step PT15M --agg mean,max\n"
                                      "  almanac query --series 7 --from 2025-03-01T00:00:00Z --to "
                                      "2025-04-01T00:00:00Z --step P1D "
                                      "--tz Europe/Ljubljana --plot\n"
                                      "  ALMANAC_TOKEN=alm_... almanac query --url "
                                      "https://localhost:8443 --ca tls/server.pem --series 7 "
                                      "--from -PT1H --to now --format csv\n",
                                  .args = options,
                                  .n_args = sizeof options / sizeof *options,
                                  .run = run};
