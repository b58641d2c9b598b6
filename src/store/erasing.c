#include <config.h>

#include "store/erasing.h"

#include <inttypes.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "store/erased_exports.h"
#include "store/erasure.h"
#include "store/reader.h"
#include "store/snapshots.h"

#define LOOK_EVERY_US INT64_C(500000)
#define RETRY_US (5 * INT64_C(1000000))
#define WITHIN_US_DEFAULT (24 * INT64_C(3600000000))

static struct metric pending = {.name = "almanac_erasures_pending", .type = METRIC_GAUGE,
                                .help = "1 while files may hold curves of erased entities."};

/* How long what was replaced stays for views that are open. */
static int64_t keep_us(const struct erasing *erasing)
{
    int64_t within_us = erasing->opts.within_us ? erasing->opts.within_us : WITHIN_US_DEFAULT;
    return within_us / 4 < VIEW_KEEP_US ? within_us / 4 : VIEW_KEEP_US;
}

static int rewrite_partitions(struct erasing *erasing, const struct forget_ids *series, struct err_text *error)
{
    const struct erasing_opts *opts = &erasing->opts;
    bool left = false;
    int rc = 0;
    struct rewrite_opts rewrite = {.erased = opts->erased, .series = series, .stop = opts->stop, .arg = opts->arg};
    for (size_t i = 0; rc >= 0 && !opts->stop(opts->arg) && opts->flush(opts->arg, i, &rewrite.flush); i++) {
        rc = rewrite_partition(&rewrite, error);
        left = left || rc == 1;
    }
    return rc < 0 ? rc : left || opts->stop(opts->arg);
}

/* All but the catalog, which tells whose series the rest is of. */
static int rewrite(struct erasing *erasing, struct err_text *error)
{
    const struct erasing_opts *opts = &erasing->opts;
    struct forget_ids series = {0};
    bool whole = true, emptied = true;
    opts->settle(opts->arg);
    int rc = rewrite_find(opts->dir, opts->erased, &series, error);
    rc = rc ? rc : rewrite_partitions(erasing, &series, error);
    forget_ids_free(&series);
    if (!rc)
        rc = assets_file_forget(opts->assets, opts->erased, &whole, error);
    if (!rc)
        rc = catalog_forget(opts->catalog, opts->erased, &emptied, error);
    return rc ? rc : !(whole && emptied);
}

/* What was replaced goes, when no view needs it any more; 1 while some is left. */
static int clear(struct erasing *erasing, struct err_text *error)
{
    const struct erasing_opts *opts = &erasing->opts;
    struct flush_opts flush;
    int64_t before_us = clock_wall_us() - keep_us(erasing);
    bool left = false, has = false;
    int rc = 0;
    for (size_t i = 0; !rc && opts->flush(opts->arg, i, &flush); i++) {
        rc = partition_purge(flush.partition, before_us, error);
        rc = rc ? rc : partition_has_retired(flush.partition, erasing->rewritten_us, &has, error);
        left = left || has;
    }
    rc = rc ? rc : erased_exports_remove(opts->dir, opts->erased, error);
    if (!rc && (rc = snapshots_rewrite(opts->dir, opts->erased, before_us, error)) == 1) {
        left = true;
        rc = 0;
    }
    return rc ? rc : left;
}

static int begin(struct erasing *erasing, int64_t version, struct err_text *error)
{
    int64_t since_us;
    int rc = erasure_pending(erasing->opts.dir, &erasing->last, &since_us, error);
    if (!rc && !erasing->last)
        erasing->idle_version = version;
    erasing->rewritten_us = 0;
    metric_set(&pending, erasing->last != 0);
    return rc;
}

static int go_on(struct erasing *erasing, bool *ret_changed, struct err_text *error)
{
    int rc = 0;
    if (!erasing->rewritten_us) {
        rc = rewrite(erasing, error);
        *ret_changed = true;
        if (!rc)
            erasing->rewritten_us = clock_wall_us() + 1;
    }
    rc = rc ? rc : clear(erasing, error);
    if (rc)
        return rc < 0 ? rc : 0;
    rc = erasure_done(erasing->opts.dir, erasing->last, clock_wall_us(), error);
    if (!rc) {
        log_event(LOG_INFO, "erasures_done", "last=%" PRId64, erasing->last);
        erasing->last = 0;
        metric_set(&pending, 0);
    }
    return rc;
}

/* That it cannot be written holds nothing up: it is tried again. */
static void keep_copy(struct erasing *erasing, int64_t version)
{
    struct err_text error = {0};
    if (!erasing->opts.tombstones || version == erasing->copied_version)
        return;
    if (erasure_copy(erasing->opts.dir, erasing->opts.tombstones, &error))
        log_event(LOG_ERROR, "tombstones_failed", "error=\"%s\"", error.text);
    else
        erasing->copied_version = version;
}

int erasing_step(struct erasing *erasing, bool *ret_changed, struct err_text *error)
{
    int64_t version = 0;
    if (clock_mono_us() < erasing->next_us)
        return 0;
    erasing->next_us = clock_mono_us() + LOOK_EVERY_US;
    int rc = erased_follow(erasing->opts.erased, &version, error);
    if (!rc)
        keep_copy(erasing, version);
    if (!rc && !erasing->last && version != erasing->idle_version)
        rc = begin(erasing, version, error);
    if (!rc && erasing->last)
        rc = go_on(erasing, ret_changed, error);
    if (rc)
        erasing->next_us = clock_mono_us() + RETRY_US;
    return rc;
}
