/* almanac backup DEST */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>

#include "app/backup.h"
#include "app/cmd.h"
#include "app/site.h"
#include "app/stop.h"

static int run(const struct args *args)
{
    struct err_text error = {0};
    struct conf *conf = NULL;
    struct progress progress = {0};
    struct backup_counts counts = {0};
    int code = site_conf(args, &conf, &error);
    stop_catch();
    if (code == 0)
        code = backup_make(conf, args->operands[0], &progress, &counts, &error);
    conf_free(conf);
    if (code != 0)
        return args_fail(args, code, &error);
    fprintf(stderr, "%" PRId64 " files, %" PRId64 " bytes; private keys are not among them: keep these apart\n", counts.n_files,
            counts.n_bytes);
    return EXIT_DONE;
}

static const struct arg options[] = {SITE_ARG_DIR, SITE_ARG_SET};

const struct command cmd_backup = {
    .name = "backup",
    .summary = "copies the data directory as it stands, while ingest runs",
    .operands = "DEST",
    .n_operands = 1,
    .examples = "  almanac backup /mnt/backup/$(date +%F)\n  almanac backup --dir /var/lib/almanac /mnt/backup/today\n",
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .run = run};
