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
#include "store/in_force.h"
#include "store/rows.h"
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
    struct err_text *error;
    struct window window;
    const struct file *open, *raw, *tier; /* of the list; raw and tier NULL for a first seal */
    struct window_file *below, *above, *raw_out;
    struct tier_file *tier_out;
    struct file new_raw, new_tier;
    char raw_path[4096], tier_path[4096]; /* while they are being written: with .tmp */
    struct rows rows;
    struct settled settled;
    struct points points;
    struct chunk_rows chunks;
    int64_t generation, n_readings; /* of the files it makes */
};

/* Later than every sealed file of the window: a tier file that was derived again may be ahead of the raw file. */
static int64_t next_generation(const struct file_list *files, const struct file *from)
{
    int64_t generation = from->generation;
    for (size_t i = 0; i < files->n; i++)
        if (files->at[i].kind != FILE_OPEN && files->at[i].window.begin_us == from->window.begin_us &&
            files->at[i].generation >= generation)
            generation = files->at[i].generation + 1;
    return generation;
}

static int find_files(struct seal *seal, const struct file_list *files)
{
    for (size_t i = 0; i < files->n; i++) {
        const struct file *file = &files->at[i];
        if (file->window.begin_us != seal->window.begin_us)
            continue;
        *(file->kind == FILE_OPEN ? &seal->open : file->kind == FILE_RAW ? &seal->raw : &seal->tier) = file;
    }
    if (seal->open)
        seal->generation = next_generation(files, seal->open);
    return seal->open ? 0 : err_set(seal->error, ERR_NOTFOUND, "the window to seal has no open file");
}

static int open_inputs(struct seal *seal)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", partition_folder(seal->partition), seal->open->name);
    int rc = window_file_open_read(path, FILE_OPEN, &seal->above, seal->error);
    if (!rc && seal->raw) {
        snprintf(path, sizeof(path), "%s/%s", partition_folder(seal->partition), seal->raw->name);
        rc = window_file_open_read(path, FILE_RAW, &seal->below, seal->error);
    }
    return rc;
}

/* "2025-03.open.g7.db" is sealed as "2025-03.raw.g7.db" and "2025-03.tier.g7.db". */
static void name_sealed(const struct file *from, enum file_kind kind, int64_t generation, struct file *file)
{
    char part[16];
    *file = (struct file){.kind = kind, .window = from->window, .generation = generation, .mark = from->mark,
                          .changed_us = clock_wall_us()};
    snprintf(part, sizeof(part), ".%s.g", file_kind_name[from->kind]);
    const char *kind_at = strstr(from->name, part);
    snprintf(file->name, sizeof(file->name), "%.*s.%s.g%lld.db", (int)(kind_at ? kind_at - from->name : 0), from->name,
             file_kind_name[kind], (long long)generation);
}

static int create_outputs(struct seal *seal)
{
    struct file_facts facts = {partition_topic(seal->partition), partition_number(seal->partition), seal->window,
                               seal->generation};
    name_sealed(seal->open, FILE_RAW, seal->generation, &seal->new_raw);
    name_sealed(seal->open, FILE_TIER, seal->generation, &seal->new_tier);
    snprintf(seal->raw_path, sizeof(seal->raw_path), "%s/%s.tmp", partition_folder(seal->partition), seal->new_raw.name);
    snprintf(seal->tier_path, sizeof(seal->tier_path), "%s/%s.tmp", partition_folder(seal->partition),
             seal->new_tier.name);
    files_unlink(seal->raw_path); /* of a seal that a crash ended */
    files_unlink(seal->tier_path);
    int rc = window_file_create(seal->raw_path, FILE_RAW, &facts, &seal->raw_out, seal->error);
    if (!rc)
        rc = tier_file_create(seal->tier_path, &facts, &seal->tier_out, seal->error);
    if (!rc)
        rc = db_begin(window_file_db(seal->raw_out));
    return rc ? rc : db_begin(tier_file_db(seal->tier_out));
}

/* ---- one series ---- */

/* What takes effect first: the sealed file, then the open file's deletions of it, then the open file's readings. */
enum { ORDER_BELOW = 0, ORDER_DELETION = 1, ORDER_ABOVE = 2 };

static int add_layer(struct seal *seal, struct window_file *file, uint32_t series_id, int64_t mark, uint64_t order)
{
    int rc = 0;
    for (enum role role = ROLE_PLAIN; role <= ROLE_ISSUED && !rc; role++) {
        rc = window_file_chunks(file, series_id, role, seal->window.begin_us, seal->window.end_us, mark, &seal->chunks);
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
    int rc = window_file_deletions(seal->above, series_id, seal->window.begin_us, seal->window.end_us, seal->open->mark,
                                   &deletions);
    if (!rc)
        rc = rows_add_deletions(&seal->rows, &deletions, seal->window.begin_us, seal->window.end_us, ORDER_DELETION);
    deletions_free(&deletions);
    return rc;
}

/* Revisions that are stored already stand before the new ones. */
static int add_revisions(struct seal *seal, struct window_file *file, uint32_t series_id, int64_t mark, bool is_state,
                         struct points *to)
{
    int rc = window_file_chunks(file, series_id, ROLE_REVISION, seal->window.begin_us, seal->window.end_us, mark,
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
    int rc = add_revisions(seal, seal->above, series->id, seal->open->mark, series->kind == KIND_STATE, &others);
    if (!rc)
        rc = rows_mark_again(&seal->rows, ORDER_ABOVE, &others);
    points_free(&others);
    return rc;
}

/* Puts the revisions of all layers, each time's oldest first, into the new file. */
static int put_revisions(struct seal *seal, const struct series_row *series)
{
    bool is_state = series->kind == KIND_STATE;
    struct points all = {0}, sorted = {0};
    struct key *order = NULL;
    int rc = seal->below ? add_revisions(seal, seal->below, series->id, INT64_MAX - 1, is_state, &all) : 0;
    for (size_t i = 0; i < seal->settled.revisions.n && !rc; i++) /* below, replaced by the open file */
        rc = points_append(&all, &seal->settled.revisions, i, is_state);
    if (!rc)
        rc = add_revisions(seal, seal->above, series->id, seal->open->mark, is_state, &all);
    if (!rc && all.n) {
        rc = keys_sort(&all, &order);
        for (size_t i = 0; i < all.n && !rc; i++)
            rc = points_append(&sorted, &all, order[i].i, is_state);
        if (!rc)
            rc = window_file_put(seal->raw_out, series, ROLE_REVISION, &sorted, seal->open->mark);
    }
    free(order);
    points_free(&all);
    points_free(&sorted);
    return rc;
}

static int seal_series(struct seal *seal, const struct series_row *series)
{
    rows_clear(&seal->rows);
    seal->rows.is_state = series->kind == KIND_STATE;
    int64_t mark = seal->open->mark;
    int rc = seal->below ? add_layer(seal, seal->below, series->id, INT64_MAX - 1, ORDER_BELOW) : 0;
    rc = rc ? rc : add_deletions(seal, series->id);
    rc = rc ? rc : add_layer(seal, seal->above, series->id, mark, ORDER_ABOVE);
    if (!rc && seal->below)
        rc = mark_again(seal, series);
    rc = rc ? rc : rows_settle(&seal->rows, &seal->settled);
    if (rc || (!seal->settled.plain.n && !seal->settled.issued.n && !seal->settled.revisions.n && !seal->rows.n))
        return rc;
    points_clear(&seal->points);
    rc = settled_in_force(&seal->settled, seal->rows.is_state, &seal->points);
    rc = rc ? rc : window_file_add_series(seal->raw_out, series);
    rc = rc ? rc : window_file_set_counts(seal->raw_out, series->id, &seal->points);
    rc = rc ? rc : tier_file_put(seal->tier_out, series, &seal->points);
    seal->n_readings += (int64_t)seal->points.n;
    rc = rc ? rc : window_file_put(seal->raw_out, series, ROLE_PLAIN, &seal->settled.plain, mark);
    rc = rc ? rc : window_file_put(seal->raw_out, series, ROLE_ISSUED, &seal->settled.issued, mark);
    return rc ? rc : put_revisions(seal, series);
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
    if (!rc)
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

static int put_changes(void *arg, uint32_t series_id, struct changes *changes)
{
    struct seal *seal = arg;
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
    rc = rc ? rc : window_file_changed(seal->above, &changes, put_changes, seal);
    changes_free(&changes);
    return rc;
}

/* ---- from a finished .tmp to a listed file ---- */

/* Syncs, hashes and names a written file. */
static int publish(const char *tmp_path, int64_t n_readings, struct file *file, struct err_text *error)
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
    file->n_readings = n_readings;
    return 0;
}

static int list_sealed(struct seal *seal)
{
    struct file put[2] = {seal->new_raw, seal->new_tier};
    char removed[3][FILE_NAME_MAX];
    size_t n = 0;
    snprintf(removed[n++], FILE_NAME_MAX, "%s", seal->open->name);
    if (seal->raw)
        snprintf(removed[n++], FILE_NAME_MAX, "%s", seal->raw->name);
    if (seal->tier)
        snprintf(removed[n++], FILE_NAME_MAX, "%s", seal->tier->name);
    return partition_change_files(seal->partition,
                                  &(struct file_change){.last_batch = -1, .put = put, .n_put = 2,
                                                        .removed = (const char (*)[FILE_NAME_MAX])removed,
                                                        .n_removed = n}, seal->error);
}

static void seal_done(struct seal *seal)
{
    window_file_close(seal->below);
    window_file_close(seal->above);
    window_file_close(seal->raw_out);
    tier_file_close(seal->tier_out);
    rows_free(&seal->rows);
    settled_free(&seal->settled);
    points_free(&seal->points);
    chunk_rows_free(&seal->chunks);
}

int seal_window(struct partition *partition, const struct file_list *files, struct window window,
                struct err_text *error)
{
    struct seal seal = {.partition = partition, .error = error, .window = window};
    int rc = find_files(&seal, files);
    if (!rc)
        rc = open_inputs(&seal);
    if (!rc)
        rc = create_outputs(&seal);
    if (!rc)
        rc = seal_all_series(&seal);
    if (!rc)
        rc = seal_changes(&seal);
    if (!rc)
        rc = db_commit(window_file_db(seal.raw_out));
    if (!rc)
        rc = db_commit(tier_file_db(seal.tier_out));
    bool written = !rc;
    seal_done(&seal);
    if (!rc)
        rc = publish(seal.raw_path, seal.n_readings, &seal.new_raw, error);
    if (!rc)
        rc = publish(seal.tier_path, seal.n_readings, &seal.new_tier, error);
    if (!rc && (rc = files_sync(partition_folder(partition))))
        err_set(error, rc, "cannot sync the folder \"%s\": %s", partition_folder(partition), strerror(errno));
    if (!rc)
        rc = list_sealed(&seal);
    if (rc && !written) {
        files_unlink(seal.raw_path);
        files_unlink(seal.tier_path);
    }
    if (rc && error && !*error->text)
        err_set(error, rc, "cannot seal a window of \"%s/%d\": %s", partition_topic(partition),
                partition_number(partition), err_name(rc));
    return rc;
}

/* ---- a tier file alone ---- */

struct derive {
    struct partition *partition;
    struct err_text *error;
    const struct file *raw;
    struct window_file *from;
    struct tier_file *to;
    struct in_force in_force;
    char tmp_path[4096];
};

static int derive_series(void *arg, const struct series_row *series)
{
    struct derive *derive = arg;
    int rc = in_force_read(&derive->in_force, derive->from, series, derive->raw->window, INT64_MAX - 1);
    return rc ? rc : tier_file_put(derive->to, series, &derive->in_force.points);
}

static int derive_file(struct derive *derive, const struct file *made)
{
    char path[4096];
    uint8_t digest[HASH_BYTES];
    struct file_facts facts = {partition_topic(derive->partition), partition_number(derive->partition), made->window,
                               made->generation};
    snprintf(path, sizeof(path), "%s/%s", partition_folder(derive->partition), derive->raw->name);
    int rc = hash_file(path, digest);
    if (!rc && !hash_equal(digest, derive->raw->digest))
        rc = ERR_CORRUPT;
    if (rc)
        return err_set(derive->error, rc, "\"%s\" is not as it was sealed", path);
    rc = window_file_open_read(path, FILE_RAW, &derive->from, derive->error);
    files_unlink(derive->tmp_path); /* of a crash */
    rc = rc ? rc : tier_file_create(derive->tmp_path, &facts, &derive->to, derive->error);
    rc = rc ? rc : db_begin(tier_file_db(derive->to));
    rc = rc ? rc : window_file_series(derive->from, derive_series, derive);
    rc = rc ? rc : db_commit(tier_file_db(derive->to));
    window_file_close(derive->from);
    tier_file_close(derive->to);
    return rc;
}

int seal_derive(struct partition *partition, const struct file_list *files, const struct file *raw, struct file *ret_made,
                struct err_text *error)
{
    struct derive derive = {.partition = partition, .error = error, .raw = raw};
    struct file made;
    char removed[1][FILE_NAME_MAX];
    size_t n_removed = 0;
    name_sealed(raw, FILE_TIER, next_generation(files, raw), &made);
    for (size_t i = 0; i < files->n; i++)
        if (files->at[i].kind == FILE_TIER && files->at[i].window.begin_us == raw->window.begin_us)
            snprintf(removed[n_removed++], FILE_NAME_MAX, "%s", files->at[i].name);
    snprintf(derive.tmp_path, sizeof(derive.tmp_path), "%s/%s.tmp", partition_folder(partition), made.name);
    int rc = derive_file(&derive, &made);
    rc = rc ? rc : publish(derive.tmp_path, raw->n_readings, &made, error);
    rc = rc ? rc : files_sync(partition_folder(partition));
    if (rc)
        files_unlink(derive.tmp_path);
    rc = rc ? rc : partition_change_files(partition, &(struct file_change){.last_batch = -1, .put = &made, .n_put = 1,
                                                                           .removed = (const char (*)[FILE_NAME_MAX])removed,
                                                                           .n_removed = n_removed}, error);
    in_force_free(&derive.in_force);
    if (rc && error && !*error->text)
        err_set(error, rc, "cannot derive \"%s\": %s", made.name, err_name(rc));
    if (!rc)
        *ret_made = made;
    return rc;
}
