/* almanac restore BACKUP DIR */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>

#include "app/backup.h"
#include "app/cmd.h"
#include "app/stop.h"

static const struct arg options[] = {
    {"erased", 0, "FILE", "the newest list of erased entities: erased.db of the directory that was backed up, or a copy; "
     "default: the one that the backup's configuration names as vault.tombstones"},
};

static int run(const struct args *args)
{
    struct err_text error = {0};
    struct progress progress = {0};
    struct backup_counts counts = {0};
    const char *dir = args->operands[1];
    stop_catch();
    struct restore_opts opts = {args->operands[0], dir, args_get(args, "erased")};
    int code = backup_restore(&opts, &progress, &counts, &error);
    if (code != 0)
        return args_fail(args, code, &error);
    fprintf(stderr, "%" PRId64 " files, %" PRId64 " bytes checked and restored. Start the daemon: almanacd -c %s/" CONF_FILE "\n",
            counts.n_files, counts.n_bytes, dir);
    return EXIT_DONE;
}

const struct command cmd_restore = {
    .name = "restore",
    .summary = "makes a data directory out of a backup, every digest checked",
    .operands = "BACKUP DIR",
    .n_operands = 2,
    .examples = "  almanac restore /mnt/backup/2025-03-01 /var/lib/almanac\n",
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .run = run};
