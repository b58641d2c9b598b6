#include <config.h>

#include "store/seal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/array.h"
#include "common/clock.h"
#include "common/files.h"
#include "common/hash.h"
#include "store/revisions.h"
#include "store/rows.h"
#include "store/seal_inside.h"
#include "store/tier_file.h"
#include "store/window_file.h"

bool seal_is_due(const struct file_list *files, const struct file *open, int64_t now_us, int64_t seal_after_us)
{
    if (open->kind != FILE_OPEN || open->window.end_us > now_us || now_us - open->changed_us < seal_after_us)
        return false;
    for (size_t i = 0; i < files->n; i++) {
        const struct file *raw = &files->at[i];
        if (raw->kind == FILE_RAW && raw->window.begin_us == open->window.begin_us)
            return open->n_readings > raw->n_readings / SEAL_LATE_SHARE || now_us - raw->changed_us >= SEAL_LATE_MAX_US;
    }
    return true;
}

/* The files that go into a seal, the sealed one below the open one, and those it makes. */
struct seal {
    struct partition *partition;
    const struct seal_opts *opts;
    struct err_text *error;
    const struct file *open, *raw, *tier; /* of the list; NULL where there is none */
    int64_t generation, mark;
    struct window_file *below, *above, *raw_out;
    struct tier_file *tier_out;
    struct file new_raw, new_tier;
    char raw_path[4096], tier_path[4096]; /* while they are being written: with .tmp */
    struct rows rows;
    struct settled settled;
    struct points points;
    struct chunk_rows chunks;
    struct revisions_cut cut;
    struct carries carries;
    int64_t n_readings;
};

static int find_files(struct seal *seal, const struct file_list *files)
{
    int64_t begin_us = seal->opts->window.begin_us;
    for (size_t i = 0; i < files->n; i++) {
        const struct file *file = &files->at[i];
        if (file->window.begin_us == begin_us)
            *(file->kind == FILE_OPEN ? &seal->open : file->kind == FILE_RAW ? &seal->raw : &seal->tier) = file;
    }
    if (!seal->open && !seal->raw)
        return err_set(seal->error, ERR_NOTFOUND, "the window to seal has no readings");
    seal->generation = file_list_generation(files, begin_us);
    if (!seal->open || seal->open->generation < seal->generation)
        seal->generation++;
    seal->mark = seal->open ? seal->open->mark : seal->raw->mark;
    return 0;
}

/* Compares the digest of a sealed file: what is read from it gets a new one. */
int seal_check_digest(const char *path, const struct file *file, struct err_text *error)
{
    uint8_t digest[HASH_BYTES];
    int rc = hash_file(path, digest);
    if (rc || hash_equal(digest, file->digest))
        return rc ? err_set(error, rc, "cannot read \"%s\"", path) : 0;
    return err_set(error, ERR_CORRUPT, "the file \"%s\" was changed: put it back from a backup", path);
}

static int open_inputs(struct seal *seal)
{
    char path[4096];
    int rc = 0;
    if (seal->open) {
        snprintf(path, sizeof(path), "%s/%s", partition_folder(seal->partition), seal->open->name);
        rc = window_file_open_read(path, FILE_OPEN, &seal->above, seal->error);
    }
    if (!rc && seal->raw) {
        snprintf(path, sizeof(path), "%s/%s", partition_folder(seal->partition), seal->raw->name);
        rc = seal_check_digest(path, seal->raw, seal->error);
        if (!rc)
            rc = window_file_open_read(path, FILE_RAW, &seal->below, seal->error);
    }
    return rc;
}

/* "2025-03.open.g7.db" is sealed as "2025-03.raw.g7.db" and "2025-03.tier.g7.db"; model is any file of the window. */
void seal_name(const struct file *model, enum file_kind kind, int64_t generation, struct file *file)
{
    *file = (struct file){.kind = kind, .window = model->window, .generation = generation, .mark = model->mark,
                          .changed_us = clock_wall_us()};
    snprintf(file->name, sizeof(file->name), "%.*s.%s.g%lld.db", (int)strcspn(model->name, "."), model->name,
             file_kind_name[kind], (long long)generation);
}

/* Where a file is written before it gets its name; of a seal that a crash ended one may be left. */
void seal_name_tmp(struct partition *partition, const struct file *file, char out[static 4096])
{
    snprintf(out, 4096, "%s/%s.tmp", partition_folder(partition), file->name);
    files_unlink(out);
}

static int create_tier(struct partition *partition, const struct file *file, const char *path, unsigned tiers,
                       struct tier_file **ret_file, struct err_text *error)
{
    struct file_facts facts = {partition_topic(partition), partition_number(partition), file->window, file->generation};
    int rc = tier_file_create(path, &facts, ret_file, error);
    if (rc)
        return rc;
    tier_file_limit(*ret_file, tiers, false);
    return db_begin(tier_file_db(*ret_file));
}

static int create_outputs(struct seal *seal)
{
    const struct file *model = seal->open ? seal->open : seal->raw;
    struct file_facts facts = {partition_topic(seal->partition), partition_number(seal->partition), seal->opts->window,
                               seal->generation};
    int rc = 0;
    if (!seal->opts->expires) {
        seal_name(model, FILE_RAW, seal->generation, &seal->new_raw);
        seal_name_tmp(seal->partition, &seal->new_raw, seal->raw_path);
        rc = window_file_create(seal->raw_path, FILE_RAW, &facts, &seal->raw_out, seal->error);
        if (!rc)
            rc = db_begin(window_file_db(seal->raw_out));
    }
    if (!rc && seal->opts->tiers) {
        seal_name(model, FILE_TIER, seal->generation, &seal->new_tier);
        seal_name_tmp(seal->partition, &seal->new_tier, seal->tier_path);
        rc = create_tier(seal->partition, &seal->new_tier, seal->tier_path, seal->opts->tiers, &seal->tier_out, seal->error);
        if (!rc)
            tier_file_limit(seal->tier_out, seal->opts->tiers, seal->opts->expires);
    }
    return rc;
}

/* ---- one series ---- */

/* What takes effect first: the sealed file, then the open file's deletions of it, then the open file's readings. */
enum { ORDER_BELOW = 1, ORDER_DELETION, ORDER_ABOVE };

static int add_layer(struct seal *seal, struct window_file *file, uint32_t series_id, int64_t mark, uint64_t order)
{
    int rc = 0;
    for (enum role role = ROLE_PLAIN; role <= ROLE_ISSUED && !rc; role++) {
        rc = window_file_chunks(file, series_id, role, seal->opts->window.begin_us, seal->opts->window.end_us, mark,
                                &seal->chunks);
        for (size_t i = 0; i < seal->chunks.n && !rc; i++) {
            points_clear(&seal->points);
            rc = window_file_read(file, series_id, role, seal->chunks.at[i].id, POINTS_ALL, &seal->points);
            if (!rc)
                rc = rows_add_points(&seal->rows, &seal->points, 0, seal->points.n, order);
        }
    }
    return rc;
}

static int add_deletions(struct seal *seal, uint32_t series_id)
{
    struct deletions deletions = {0};
    int64_t begin_us = seal->opts->window.begin_us, end_us = seal->opts->window.end_us;
    int rc = window_file_deletions(seal->above, series_id, begin_us, end_us, seal->mark, &deletions);
    if (!rc)
        rc = rows_add_deletions(&seal->rows, &deletions, begin_us, end_us, ORDER_DELETION);
    deletions_free(&deletions);
    return rc;
}

/* Revisions that are stored already stand before the new ones. */
static int add_revisions(struct seal *seal, struct window_file *file, uint32_t series_id, int64_t mark, bool is_state,
                         struct points *to)
{
    int rc = window_file_chunks(file, series_id, ROLE_REVISION, seal->opts->window.begin_us, seal->opts->window.end_us, mark,
                                &seal->chunks);
    for (size_t i = 0; i < seal->chunks.n && !rc; i++) {
        points_clear(&seal->points);
        rc = window_file_read(file, series_id, ROLE_REVISION, seal->chunks.at[i].id, POINTS_ALL, &seal->points);
        for (size_t p = 0; p < seal->points.n && !rc; p++)
            rc = points_append(to, &seal->points, p, is_state);
    }
    return rc;
}

static int mark_again(struct seal *seal, const struct series_row *series)
{
    struct points others = {0};
    int rc = add_revisions(seal, seal->above, series->id, seal->mark, series->kind == KIND_STATE, &others);
    if (!rc)
        rc = rows_mark_again(&seal->rows, ORDER_ABOVE, &others);
    points_free(&others);
    return rc;
}

/* Puts the revisions of all layers, each time's oldest first, into the new file, but for those that were kept long enough. */
static int put_revisions(struct seal *seal, const struct series_row *series)
{
    bool is_state = series->kind == KIND_STATE;
    struct points all = {0}, kept = {0};
    int rc = seal->below ? add_revisions(seal, seal->below, series->id, INT64_MAX - 1, is_state, &all) : 0;
    for (size_t i = 0; i < seal->settled.revisions.n && !rc; i++) /* below, replaced by the open file */
        rc = points_append(&all, &seal->settled.revisions, i, is_state);
    if (!rc && seal->above)
        rc = add_revisions(seal, seal->above, series->id, seal->mark, is_state, &all);
    if (!rc && all.n)
        rc = revisions_keep(&all, &seal->settled, is_state, &seal->cut, &kept);
    if (!rc && kept.n)
        rc = window_file_put(seal->raw_out, series, ROLE_REVISION, &kept, seal->mark);
    points_free(&all);
    points_free(&kept);
    return rc;
}

/* What was taken back is kept: a dead letter that was known before may still be replayed. */
static int keep_deletions(struct seal *seal, struct window_file *file, uint32_t series_id, int64_t mark, size_t *n_kept)
{
    struct deletions deletions = {0};
    int rc = window_file_deletions(file, series_id, seal->opts->window.begin_us, seal->opts->window.end_us, mark, &deletions);
    for (size_t i = 0; i < deletions.n && !rc; i++)
        rc = window_file_put_deletion(seal->raw_out, series_id, &deletions.at[i], seal->mark);
    *n_kept += deletions.n;
    deletions_free(&deletions);
    return rc;
}

/* Where sources vie by known-at, all of it is kept. */
static int choose_known(struct seal *seal, uint32_t series_id)
{
    struct catalog_reader *catalog = seal->opts->catalog;
    bool shared = true;
    int rc = catalog ? catalog_reader_is_shared(catalog, series_id, &shared, seal->error) : 0;
    window_file_round_known(seal->raw_out, !shared);
    return rc;
}

static int put_raw(struct seal *seal, const struct series_row *series)
{
    int rc = choose_known(seal, series->id);
    rc = rc ? rc : window_file_add_series(seal->raw_out, series);
    rc = rc ? rc : window_file_set_counts(seal->raw_out, series->id, &seal->points);
    rc = rc ? rc : window_file_put(seal->raw_out, series, ROLE_PLAIN, &seal->settled.plain, seal->mark);
    rc = rc ? rc : window_file_put(seal->raw_out, series, ROLE_ISSUED, &seal->settled.issued, seal->mark);
    return rc ? rc : put_revisions(seal, series);
}

/* Settles what the files say of the series. */
static int settle_series(struct seal *seal, const struct series_row *series)
{
    rows_clear(&seal->rows);
    seal->rows.is_state = series->kind == KIND_STATE;
    int rc = seal->below ? add_layer(seal, seal->below, series->id, INT64_MAX - 1, ORDER_BELOW) : 0;
    if (!rc && seal->above)
        rc = add_deletions(seal, series->id);
    if (!rc && seal->above)
        rc = add_layer(seal, seal->above, series->id, seal->mark, ORDER_ABOVE);
    if (!rc && seal->above && seal->below)
        rc = mark_again(seal, series);
    return rc ? rc : rows_settle(&seal->rows, &seal->settled);
}

static int seal_series(struct seal *seal, const struct series_row *series)
{
    size_t n_kept = 0;
    int rc = settle_series(seal, series);
    if (!rc && seal->below && seal->raw_out)
        rc = keep_deletions(seal, seal->below, series->id, INT64_MAX - 1, &n_kept);
    if (!rc && seal->above && seal->raw_out)
        rc = keep_deletions(seal, seal->above, series->id, seal->mark, &n_kept);
    if (rc || (!n_kept && !seal->settled.plain.n && !seal->settled.issued.n && !seal->settled.revisions.n && !seal->rows.n))
        return rc;
    points_clear(&seal->points);
    rc = settled_in_force(&seal->settled, seal->rows.is_state, &seal->points);
    seal->n_readings += (int64_t)seal->points.n;
    if (!rc && seal->tier_out && (seal->points.n || !seal->opts->expires))
        rc = tier_file_put(seal->tier_out, series, &seal->points);
    if (!rc && seal->opts->expires)
        rc = carries_add(&seal->carries, series->id, seal->rows.is_state, &seal->points);
    return rc || !seal->raw_out ? rc : put_raw(seal, series);
}

/* ---- all series ---- */

struct series_rows {
    struct series_row *at;
    size_t n, cap;
};

static int collect_series(void *arg, const struct series_row *series)
{
    struct series_rows *all = arg;
    if (array_grow(&all->at, &all->cap, all->n + 1, sizeof(*all->at)))
        return ERR_NOMEM;
    all->at[all->n++] = *series;
    return 0;
}

static int compare_series(const void *a, const void *b)
{
    const struct series_row *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int seal_all_series(struct seal *seal)
{
    struct series_rows all = {0};
    int rc = seal->below ? window_file_series(seal->below, collect_series, &all) : 0;
    if (!rc && seal->above)
        rc = window_file_series(seal->above, collect_series, &all);
    if (!rc && all.n)
        qsort(all.at, all.n, sizeof(*all.at), compare_series);
    for (size_t i = 0; i < all.n && !rc; i++)
        if (!i || all.at[i].id != all.at[i - 1].id)
            rc = seal_series(seal, &all.at[i]);
    free(all.at);
    return rc;
}

/* ---- what changed when ---- */

/* The open file may note batches above its listed mark already, which a flush that did not get to list them wrote: they stay
 * in the list of batches, and are flushed anew. */
static int put_changes(void *arg, uint32_t series_id, struct changes *changes)
{
    struct seal *seal = arg;
    changes_limit(changes, seal->mark);
    int rc = seal->below ? window_file_changes(seal->below, series_id, changes) : 0;
    return rc ? rc : window_file_put_changes(seal->raw_out, series_id, changes);
}

static int copy_changes(void *arg, uint32_t series_id, struct changes *changes)
{
    struct seal *seal = arg;
    return window_file_put_changes(seal->raw_out, series_id, changes);
}

/* The notes of both files, united. */
static int seal_changes(struct seal *seal)
{
    struct changes changes = {0};
    int rc = seal->below ? window_file_changed(seal->below, &changes, copy_changes, seal) : 0;
    if (!rc && seal->above)
        rc = window_file_changed(seal->above, &changes, put_changes, seal);
    changes_free(&changes);
    return rc;
}

/* ---- from a finished .tmp to a listed file ---- */

/* Syncs, hashes and names a written file. */
int seal_publish(const char *tmp_path, struct file *file, struct err_text *error)
{
    char path[4096];
    struct stat stat_of;
    snprintf(path, sizeof(path), "%.*s", (int)(strlen(tmp_path) - 4), tmp_path);
    int rc = files_sync(tmp_path);
    if (!rc)
        rc = hash_file(tmp_path, file->digest);
    if (!rc && (stat(tmp_path, &stat_of) || chmod(tmp_path, 0444 & stat_of.st_mode)))
        rc = ERR_IO;
    rc = rc ? rc : files_rename(tmp_path, path);
    if (rc)
        return err_set(error, rc, "cannot finish the file \"%s\": %s", path, strerror(errno));
    file->bytes = stat_of.st_size;
    return 0;
}

int seal_sync_folder(struct partition *partition, struct err_text *error)
{
    int rc = files_sync(partition_folder(partition));
    return rc ? err_set(error, rc, "cannot sync the folder \"%s\": %s", partition_folder(partition), strerror(errno)) : 0;
}

/* Notes that the tiers which are not among these have expired up to the end of the window. */
static void note_dropped(unsigned tiers, struct window window, struct expired *expired)
{
    for (enum tier tier = 0; tier < TIER_N; tier++)
        if (!(tiers >> tier & 1))
            expired->tier_us[tier] = window.end_us;
}

/* The new files take the place of the old ones. */
static int list_sealed(struct seal *seal)
{
    const struct file *old[] = {seal->open, seal->raw, seal->tier};
    struct file put[2];
    char removed[3][FILE_NAME_MAX];
    size_t n_put = 0, n_removed = 0;
    struct expired expired = EXPIRED_NOTHING;
    for (size_t i = 0; i < 3; i++)
        if (old[i])
            snprintf(removed[n_removed++], FILE_NAME_MAX, "%s", old[i]->name);
    if (*seal->raw_path)
        put[n_put++] = seal->new_raw;
    if (*seal->tier_path)
        put[n_put++] = seal->new_tier;
    bool drops = seal->opts->expires || seal->opts->tiers != TIERS_ALL;
    note_dropped(seal->opts->tiers, seal->opts->window, &expired);
    if (seal->opts->expires)
        expired.raw_us = seal->opts->window.end_us;
    return partition_change_files(seal->partition,
                                  &(struct file_change){.last_batch = -1, .put = put, .n_put = n_put,
                                                        .removed = (const char (*)[FILE_NAME_MAX])removed,
                                                        .n_removed = n_removed, .expired = drops ? &expired : NULL,
                                                        .carries = seal->opts->expires ? &seal->carries : NULL},
                                  seal->error);
}

static void seal_done(struct seal *seal)
{
    window_file_close(seal->below);
    window_file_close(seal->above);
    window_file_close(seal->raw_out);
    tier_file_close(seal->tier_out);
    seal->below = seal->above = seal->raw_out = NULL;
    seal->tier_out = NULL;
    rows_free(&seal->rows);
    settled_free(&seal->settled);
    points_free(&seal->points);
    chunk_rows_free(&seal->chunks);
}

/* Writes what remains to be written, and ends the transactions of the new files. */
static int finish_outputs(struct seal *seal)
{
    int rc = 0;
    seal->new_raw.n_readings = seal->new_tier.n_readings = seal->n_readings;
    seal->new_tier.tiers = seal->opts->tiers;
    seal->new_raw.replaced_ms = seal->cut.replaced_ms;
    seal->new_raw.horizon_ms = seal->cut.horizon_ms;
    if (seal->raw_out && seal->cut.horizon_ms)
        rc = window_file_set_horizon(seal->raw_out, seal->cut.horizon_ms);
    if (!rc && seal->raw_out)
        rc = db_commit(window_file_db(seal->raw_out));
    if (!rc && seal->tier_out)
        rc = db_commit(tier_file_db(seal->tier_out));
    return rc;
}

/* The text of an error that has none yet. */
static int explain(struct partition *partition, int rc, struct err_text *error)
{
    if (rc && error && !*error->text)
        err_set(error, rc, "cannot seal a window of \"%s/%d\": %s", partition_topic(partition),
                partition_number(partition), err_name(rc));
    return rc;
}

int seal_window(struct partition *partition, const struct file_list *files, const struct seal_opts *opts,
                struct err_text *error)
{
    struct seal seal = {.partition = partition, .opts = opts, .error = error, .cut.before_ms = opts->revisions_before_ms};
    int rc = find_files(&seal, files);
    if (!rc && seal.raw)
        seal.cut.horizon_ms = seal.raw->horizon_ms;
    rc = rc ? rc : open_inputs(&seal);
    rc = rc ? rc : create_outputs(&seal);
    rc = rc ? rc : seal_all_series(&seal);
    if (!rc && seal.raw_out)
        rc = seal_changes(&seal);
    rc = rc ? rc : finish_outputs(&seal);
    bool written = !rc;
    seal_done(&seal);
    if (!rc && *seal.raw_path)
        rc = seal_publish(seal.raw_path, &seal.new_raw, error);
    if (!rc && *seal.tier_path)
        rc = seal_publish(seal.tier_path, &seal.new_tier, error);
    rc = rc ? rc : seal_sync_folder(partition, error);
    rc = rc ? rc : list_sealed(&seal);
    if (!written) {
        files_unlink(seal.raw_path);
        files_unlink(seal.tier_path);
    }
    carries_free(&seal.carries);
    return explain(partition, rc, error);
}

/* ---- tiers that expire ---- */

static int copy_tiers(struct partition *partition, const struct file *from, const char *tmp_path, struct file *to,
                      struct err_text *error)
{
    char path[4096];
    struct tier_file *old = NULL, *new = NULL;
    snprintf(path, sizeof(path), "%s/%s", partition_folder(partition), from->name);
    int rc = seal_check_digest(path, from, error);
    rc = rc ? rc : tier_file_open(path, &old, error);
    rc = rc ? rc : create_tier(partition, to, tmp_path, to->tiers, &new, error);
    rc = rc ? rc : tier_file_copy(old, to->tiers, new);
    rc = rc ? rc : db_commit(tier_file_db(new));
    tier_file_close(old);
    tier_file_close(new);
    if (rc)
        files_unlink(tmp_path);
    rc = rc ? rc : seal_publish(tmp_path, to, error);
    return rc ? rc : seal_sync_folder(partition, error);
}

int seal_drop_tiers(struct partition *partition, const struct file_list *files, const struct file *tier, unsigned tiers,
                    struct err_text *error)
{
    char removed[1][FILE_NAME_MAX], tmp_path[4096];
    struct expired expired = EXPIRED_NOTHING;
    struct file to;
    int rc = 0;
    snprintf(removed[0], FILE_NAME_MAX, "%s", tier->name);
    note_dropped(tiers, tier->window, &expired);
    seal_name(tier, FILE_TIER, file_list_generation(files, tier->window.begin_us) + 1, &to);
    to.n_readings = tier->n_readings;
    to.tiers = tiers & tier->tiers;
    if (to.tiers) {
        seal_name_tmp(partition, &to, tmp_path);
        rc = copy_tiers(partition, tier, tmp_path, &to, error);
    }
    if (!rc)
        rc = partition_change_files(partition,
                                    &(struct file_change){.last_batch = -1, .put = &to, .n_put = to.tiers != 0,
                                                          .removed = (const char (*)[FILE_NAME_MAX])removed,
                                                          .n_removed = 1, .expired = &expired}, error);
    return explain(partition, rc, error);
}
