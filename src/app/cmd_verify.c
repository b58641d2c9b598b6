/* almanac verify */
#include <config.h>

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "app/cmd.h"
#include "app/json_print.h"
#include "app/progress.h"
#include "app/site.h"
#include "app/stop.h"
#include "store/verify.h"

struct report {
    json_t *wrong, *remarks; /* with --json; else NULL */
    struct progress progress;
};

static int found_cb(void *arg, const struct verify_finding *finding)
{
    struct report *report = arg;
    if (report->wrong) {
        json_t *row = json_pack("{s:s, s:s, s:s}", "file", finding->path, "what", finding->what, "todo", finding->todo);
        return json_array_append_new(finding->is_wrong ? report->wrong : report->remarks, row) ? ERR_NOMEM : 0;
    }
    progress_done(&report->progress);
    if (finding->is_wrong)
        printf("%s: %s; %s\n", finding->path, finding->what, finding->todo);
    else
        fprintf(stderr, "remark: %s: %s\n", finding->path, finding->what);
    return 0;
}

static int progress_cb(void *arg, int64_t bytes_done, int64_t bytes_all)
{
    struct report *report = arg;
    report->progress.total = bytes_all;
    progress_add(&report->progress, bytes_done - report->progress.done);
    return stop_asked() ? ERR_CANCELLED : 0;
}

static int print_json(const struct report *report, const struct verify_counts *counts)
{
    json_t *all = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:O, s:O}", "files", (json_int_t)counts->n_files, "bytes",
                            (json_int_t)counts->n_bytes, "snapshots", (json_int_t)counts->n_snapshots, "series",
                            (json_int_t)counts->n_series, "readings", (json_int_t)counts->n_readings, "cells",
                            (json_int_t)counts->n_cells, "days", (json_int_t)counts->n_days, "wrong", report->wrong, "remarks",
                            report->remarks);
    return json_print(all);
}

static void print_summary(const struct verify_counts *counts)
{
    if (counts->n_snapshots)
        fprintf(stderr, "%" PRId64 " %s, ", counts->n_snapshots, counts->n_snapshots == 1 ? "snapshot" : "snapshots");
    fprintf(stderr, "%" PRId64 " files, %" PRId64 " bytes, %" PRId64 " series, %" PRId64 " readings, %" PRId64
            " tier cells: ", counts->n_files, counts->n_bytes, counts->n_series, counts->n_readings, counts->n_cells);
    if (counts->n_wrong)
        fprintf(stderr, "%" PRId64 " %s\n", counts->n_wrong, counts->n_wrong == 1 ? "difference" : "differences");
    else
        fprintf(stderr, "no difference\n");
}

static int run(const struct args *args)
{
    struct err_text error = {0};
    struct conf *conf = NULL;
    struct verify_counts counts = {0};
    bool json = args_has(args, "json");
    struct report report = {.wrong = json ? json_array() : NULL, .remarks = json ? json_array() : NULL};
    int code = site_conf(args, &conf, &error);
    stop_catch();
    if (code == 0) {
        struct verify_opts opts = {.dir = conf->data, .found = found_cb, .progress = progress_cb, .arg = &report};
        progress_start(&report.progress, "verifying", 0);
        code = verify_run(&opts, &counts, &error);
        progress_done(&report.progress);
    }
    if (code == 0 && json)
        code = print_json(&report, &counts);
    else if (code == 0)
        print_summary(&counts);
    json_decref(report.wrong);
    json_decref(report.remarks);
    conf_free(conf);
    if (code)
        return args_fail(args, code, &error);
    return counts.n_wrong ? EXIT_FAILED : EXIT_DONE;
}

static const struct arg verify_args[] = {
    {"json", 0, NULL, "prints one object: files bytes snapshots series readings cells days, and lists wrong and remarks"},
    SITE_ARG_DIR,
    SITE_ARG_SET};

const struct command cmd_verify = {
    .name = "verify",
    .summary = "checks every file, every digest, every rollup against its readings",
    .operands = "",
    .examples = "  almanac verify\n  almanac verify --dir /var/lib/almanac --json\n",
    .args = verify_args,
    .n_args = sizeof verify_args / sizeof *verify_args,
    .run = run};
