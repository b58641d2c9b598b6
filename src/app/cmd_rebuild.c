/* almanac rebuild */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>

#include "app/cmd.h"
#include "app/progress.h"
#include "app/site.h"
#include "app/stop.h"
#include "store/rebuild.h"

static int said_cb(void *arg, bool is_wrong, const char *text)
{
    struct progress *progress = arg;
    progress_done(progress);
    fprintf(is_wrong ? stderr : stdout, "%s%s\n", is_wrong ? "wrong: " : "", text);
    return 0;
}

static int progress_cb(void *arg, int64_t done, int64_t all)
{
    struct progress *progress = arg;
    progress->total = all;
    progress_add(progress, done - progress->done);
    return stop_asked() ? ERR_CANCELLED : 0;
}

static int run(const struct args *args)
{
    struct err_text error = {0};
    struct conf *conf = NULL;
    struct rebuild_counts counts = {0};
    struct progress progress = {0};
    bool tiers = args_has(args, "tiers"), catalog = args_has(args, "catalog");
    int code = site_conf(args, &conf, &error);
    stop_catch();
    if (code == 0) {
        struct rebuild_opts opts = {.dir = conf->data, .tiers = tiers || !catalog, .catalog = catalog || !tiers,
                                    .all = args_has(args, "all"), .said = said_cb, .progress = progress_cb, .arg = &progress};
        progress_start(&progress, "rebuilding", 0);
        code = rebuild_run(&opts, &counts, &error);
        progress_done(&progress);
    }
    conf_free(conf);
    if (code)
        return args_fail(args, code, &error);
    fprintf(stderr, "%" PRId64 " tier files, rows for people of %" PRId64 " open files, %" PRId64
            " series of the catalog made anew", counts.n_tiers, counts.n_days, counts.n_series);
    if (counts.n_wrong)
        fprintf(stderr, "; %" PRId64 " things stay wrong", counts.n_wrong);
    fputc('\n', stderr);
    return counts.n_wrong ? EXIT_FAILED : EXIT_DONE;
}

static const struct arg rebuild_args[] = {
    {"tiers", 0, NULL, "only what is derived from readings: tiers and rows for people"},
    {"catalog", 0, NULL, "only the catalog, from what the files say of their series"},
    {"all", 0, NULL, "also what is as it should be"},
    SITE_ARG_DIR,
    SITE_ARG_SET};

const struct command cmd_rebuild = {
    .name = "rebuild",
    .summary = "derives tiers, the catalog and the manifest again, where they are wrong",
    .operands = "",
    .examples = "  almanac rebuild\n  almanac rebuild --tiers --all --dir /var/lib/almanac\n",
    .args = rebuild_args,
    .n_args = sizeof rebuild_args / sizeof *rebuild_args,
    .run = run};
