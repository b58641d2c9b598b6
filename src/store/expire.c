#include <config.h>

#include "store/expire.h"

#include <stdio.h>

#define OVERDUE_MAX_US US_PER_DAY

struct seal_opts expire_seal_opts(const struct expire_opts *opts, struct window window)
{
    return (struct seal_opts){.window = window,
                              .tiers = retention_tiers(opts->retention, window.end_us, opts->now_us),
                              .revisions_before_ms = (opts->now_us - opts->revisions_keep_us) / 1000,
                              .catalog = opts->catalog};
}

static bool has_old_revisions(const struct expire_opts *opts, const struct file *file)
{
    int64_t overdue_us = opts->revisions_keep_us / 10;
    overdue_us = overdue_us < OVERDUE_MAX_US ? overdue_us : OVERDUE_MAX_US;
    return file->replaced_ms && file->replaced_ms < (opts->now_us - opts->revisions_keep_us - overdue_us) / 1000;
}

static enum expire_what look_at(const struct expire_opts *opts, int64_t oldest_us, const struct file *file)
{
    if (file->kind != FILE_TIER && file->window.end_us <= oldest_us)
        return EXPIRE_READINGS;
    if (file->kind == FILE_TIER && file->tiers & ~retention_tiers(opts->retention, file->window.end_us, opts->now_us))
        return EXPIRE_TIERS;
    return file->kind == FILE_RAW && has_old_revisions(opts, file) ? EXPIRE_REVISIONS : EXPIRE_NOTHING;
}

enum expire_what expire_next(const struct expire_opts *opts, const struct file_list *files, const struct file **ret_file)
{
    int64_t oldest_us = retention_oldest_us(&opts->retention->raw, opts->now_us);
    for (size_t i = 0; i < files->n; i++) {
        enum expire_what what = look_at(opts, oldest_us, &files->at[i]);
        if (what != EXPIRE_NOTHING) {
            *ret_file = &files->at[i];
            return what;
        }
    }
    return EXPIRE_NOTHING;
}

/* The window's readings leave the list as they are. */
static int drop_unread(struct partition *partition, const struct file_list *files, struct window window,
                       struct err_text *error)
{
    char removed[2][FILE_NAME_MAX];
    size_t n = 0;
    struct expired expired = EXPIRED_NOTHING;
    expired.raw_us = window.end_us;
    for (size_t i = 0; i < files->n && n < 2; i++)
        if (files->at[i].window.begin_us == window.begin_us && files->at[i].kind != FILE_TIER)
            snprintf(removed[n++], FILE_NAME_MAX, "%s", files->at[i].name);
    return partition_change_files(partition,
                                  &(struct file_change){.last_batch = -1,
                                                        .removed = (const char (*)[FILE_NAME_MAX])removed,
                                                        .n_removed = n, .expired = &expired}, error);
}

int expire_do(const struct expire_opts *opts, struct partition *partition, const struct file_list *files,
              enum expire_what what, const struct file *file, bool *ret_unread, struct err_text *error)
{
    struct seal_opts seal = expire_seal_opts(opts, file->window);
    *ret_unread = false;
    if (what == EXPIRE_TIERS)
        return seal_drop_tiers(partition, files, file, seal.tiers, error);
    seal.expires = what == EXPIRE_READINGS;
    int rc = seal_window(partition, files, &seal, error);
    *ret_unread = rc == ERR_CORRUPT && seal.expires;
    return *ret_unread ? drop_unread(partition, files, file->window, NULL) : rc;
}
