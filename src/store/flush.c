#include <config.h>

#include "store/flush.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/civil.h"
#include "common/clock.h"
#include "common/files.h"
#include "store/changes.h"
#include "store/parcel.h"
#include "store/replay.h"
#include "store/rows.h"
#include "store/window_days.h"
#include "store/window_file.h"

/* A row's order is its batch and its place in it, so that a window can leave out batches that it has. */
#define ORDER_SHIFT 20
static_assert(LIMIT_BATCH_READINGS <= 1 << ORDER_SHIFT, "the places in a batch fit below its number");

/* A batch in memory. */
struct loaded {
    int64_t n;
    struct buf data;
    struct parcel parcel;
};

/* Where readings of a series lie. */
struct piece {
    uint32_t series_id;
    uint32_t loaded_i;
    const struct parcel_run *run;
};

/* A window that this flush writes. */
struct target {
    struct window window;
    struct file listed;  /* its open file in the list of live files; name "" when it has none */
    int64_t generation;  /* of the sealed file below; 0 none */
    struct window_file *file;
    struct window_file *below; /* the sealed file, where a replayed dead letter asked for it */
    int64_t mark;        /* what the file has already */
    int64_t n_put;
};

struct flush {
    const struct flush_opts *opts;
    struct err_text *error;
    int64_t last; /* the newest batch that takes part */
    int64_t expired_us; /* readings before it are dropped */
    int64_t n_expired;
    struct loaded *loaded;
    size_t n_loaded, loaded_cap;
    struct piece *pieces; /* by (series, batch) */
    size_t n_pieces;
    struct window_rule *rules;
    size_t n_rules;
    struct file_list files;
    struct target *targets; /* by begin */
    size_t n_targets, targets_cap;
    /* the series at work */
    struct series_row series;
    struct rows rows, work;
    size_t n_dropped;
    struct settled settled;
    struct points points;
    struct chunk_rows chunks;
    struct changes changes;
    struct in_force days;
};

/* ---- loading ---- */

static int load_batch(void *arg, int64_t n, const void *data, size_t size)
{
    struct flush *flush = arg;
    if (array_grow(&flush->loaded, &flush->loaded_cap, flush->n_loaded + 1, sizeof(*flush->loaded)))
        return ERR_NOMEM;
    struct loaded *loaded = &flush->loaded[flush->n_loaded];
    *loaded = (struct loaded){.n = n};
    buf_put(&loaded->data, data, size);
    int rc = loaded->data.failed ? ERR_NOMEM : parcel_open(loaded->data.data, loaded->data.n, &loaded->parcel);
    if (rc) {
        buf_free(&loaded->data);
        return rc;
    }
    flush->n_loaded++;
    flush->n_pieces += loaded->parcel.n_runs;
    return 0;
}

static int compare_pieces(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;
    if (x->series_id != y->series_id)
        return x->series_id < y->series_id ? -1 : 1;
    return x->loaded_i < y->loaded_i ? -1 : x->loaded_i > y->loaded_i;
}

static int sort_pieces(struct flush *flush)
{
    flush->pieces = malloc((flush->n_pieces + 1) * sizeof(*flush->pieces));
    if (!flush->pieces)
        return ERR_NOMEM;
    size_t n = 0;
    for (size_t i = 0; i < flush->n_loaded; i++) {
        const struct parcel *parcel = &flush->loaded[i].parcel;
        for (size_t r = 0; r < parcel->n_runs; r++)
            flush->pieces[n++] = (struct piece){parcel->runs[r].series_id, (uint32_t)i, &parcel->runs[r]};
    }
    qsort(flush->pieces, n, sizeof(*flush->pieces), compare_pieces);
    return 0;
}

/* Fills flush->series and flush->rows with the series whose pieces begin at *piece, and moves *piece behind them. */
static int load_series(struct flush *flush, size_t *piece)
{
    uint32_t id = flush->pieces[*piece].series_id;
    int rc = catalog_reader_series(flush->opts->catalog, id, &flush->series, flush->error);
    if (rc)
        return rc;
    rows_clear(&flush->rows);
    flush->rows.is_state = flush->series.kind == KIND_STATE;
    for (; !rc && *piece < flush->n_pieces && flush->pieces[*piece].series_id == id; ++*piece) {
        const struct loaded *loaded = &flush->loaded[flush->pieces[*piece].loaded_i];
        rc = parcel_rows(&loaded->parcel, flush->pieces[*piece].run, (uint64_t)loaded->n << ORDER_SHIFT, &flush->rows);
    }
    if (!rc)
        flush->n_dropped = rows_drop_before(&flush->rows, flush->expired_us);
    return rc;
}

/* ---- windows ---- */

/* The readings' usual distance: of each series' mean distance in these batches the one that most readings have. */
struct cadence {
    int64_t n_day, n_week, n_month; /* readings whose series suits that length */
};

static void note_cadence(const struct flush *flush, struct cadence *cadence)
{
    int64_t first_us = INT64_MAX, last_us = INT64_MIN, n = 0;
    for (size_t i = 0; i < flush->rows.n; i++) {
        if (flush->rows.at[i].op != OP_VALUE)
            continue;
        int64_t t_us = flush->rows.at[i].t_us;
        first_us = t_us < first_us ? t_us : first_us;
        last_us = t_us > last_us ? t_us : last_us;
        n++;
    }
    if (n < 2)
        return;
    enum window_length length = window_length_for((last_us - first_us) / (n - 1));
    *(length == WINDOW_DAY ? &cadence->n_day : length == WINDOW_WEEK ? &cadence->n_week : &cadence->n_month) += n;
}

static int choose_length(struct flush *flush, enum window_length *ret_length)
{
    struct cadence cadence = {0};
    int rc = 0;
    for (size_t piece = 0; piece < flush->n_pieces && !rc;) {
        rc = load_series(flush, &piece);
        if (!rc)
            note_cadence(flush, &cadence);
    }
    *ret_length = cadence.n_day > cadence.n_week && cadence.n_day > cadence.n_month ? WINDOW_DAY
                  : cadence.n_week > cadence.n_month                               ? WINDOW_WEEK
                                                                                    : WINDOW_MONTH;
    return rc;
}

/* The rules in force; a changed configuration holds from the end of the newest window on. */
static int settle_rules(struct flush *flush)
{
    const struct flush_opts *opts = flush->opts;
    enum window_length length = opts->window;
    int rc = partition_rules(opts->partition, &flush->rules, &flush->n_rules, flush->error);
    if (rc)
        return rc;
    if (flush->n_rules && (length == WINDOW_AUTO || flush->rules[flush->n_rules - 1].length == length))
        return 0;
    if (length == WINDOW_AUTO && (rc = choose_length(flush, &length)))
        return rc;
    struct window_rule rule = {CIVIL_MIN_US, length};
    for (size_t i = 0; i < flush->files.n && flush->n_rules; i++)
        if (flush->files.at[i].window.end_us > rule.since_us)
            rule.since_us = flush->files.at[i].window.end_us;
    rc = partition_add_rule(opts->partition, &rule, flush->error);
    free(flush->rules);
    flush->rules = NULL;
    return rc ? rc : partition_rules(opts->partition, &flush->rules, &flush->n_rules, flush->error);
}

static struct target *find_target(struct flush *flush, int64_t t_us)
{
    size_t low = 0, high = flush->n_targets;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (flush->targets[middle].window.end_us <= t_us)
            low = middle + 1;
        else
            high = middle;
    }
    return low < flush->n_targets && flush->targets[low].window.begin_us <= t_us ? &flush->targets[low] : NULL;
}

static int add_target(struct flush *flush, struct window window)
{
    if (array_grow(&flush->targets, &flush->targets_cap, flush->n_targets + 1, sizeof(*flush->targets)))
        return ERR_NOMEM;
    size_t i = flush->n_targets++;
    for (; i && flush->targets[i - 1].window.begin_us > window.begin_us; i--)
        flush->targets[i] = flush->targets[i - 1];
    flush->targets[i] = (struct target){.window = window};
    for (size_t f = 0; f < flush->files.n; f++) {
        const struct file *file = &flush->files.at[f];
        if (file->window.begin_us != window.begin_us)
            continue;
        if (file->kind == FILE_OPEN)
            flush->targets[i].listed = *file;
        else if (file->generation > flush->targets[i].generation)
            flush->targets[i].generation = file->generation;
    }
    return 0;
}

/* The windows of values and deleted times; a deleted range concerns the windows that have files. */
static int note_windows(struct flush *flush)
{
    int rc = 0;
    for (size_t i = 0; i < flush->rows.n && !rc; i++) {
        const struct row *row = &flush->rows.at[i];
        if (row->op != OP_DELETE_RANGE) {
            if (!find_target(flush, row->t_us))
                rc = add_target(flush, window_at(flush->rules, flush->n_rules, row->t_us));
            continue;
        }
        for (size_t f = 0; f < flush->files.n && !rc; f++) {
            struct window window = flush->files.at[f].window;
            if (window.begin_us < row->t_us + row->period_us && window.end_us > row->t_us &&
                !find_target(flush, window.begin_us))
                rc = add_target(flush, window);
        }
    }
    return rc;
}

static int find_targets(struct flush *flush)
{
    int rc = 0;
    for (size_t piece = 0; piece < flush->n_pieces && !rc;) {
        rc = load_series(flush, &piece);
        flush->n_expired += (int64_t)flush->n_dropped;
        if (!rc)
            rc = note_windows(flush);
    }
    return rc;
}

static int open_target(struct flush *flush, struct target *target)
{
    struct partition *partition = flush->opts->partition;
    char path[4096];
    int rc;
    if (*target->listed.name) {
        snprintf(path, sizeof(path), "%s/%s", partition_folder(partition), target->listed.name);
        rc = window_file_open(path, &target->file, flush->error);
        if (!rc)
            rc = window_file_mark(target->file, &target->mark);
    } else {
        struct file_facts facts = {partition_topic(partition), partition_number(partition), target->window,
                                   target->generation + 1};
        target->listed = (struct file){.kind = FILE_OPEN, .window = target->window, .generation = facts.generation};
        file_name(target->listed.name, window_length_at(flush->rules, flush->n_rules, target->window.begin_us),
                  target->window.begin_us, FILE_OPEN, facts.generation);
        snprintf(path, sizeof(path), "%s/%s", partition_folder(partition), target->listed.name);
        files_unlink(path); /* of a flush that did not get to list it */
        rc = window_file_create(path, FILE_OPEN, &facts, &target->file, flush->error);
    }
    if (!rc && (rc = db_begin(window_file_db(target->file))))
        db_error(window_file_db(target->file), flush->error, rc, "write");
    return rc;
}

/* ---- one series in one window ---- */

/* Adds the rows of the chunk to those at work, in effect before all new ones, and ends the chunk. */
static int absorb(struct flush *flush, struct target *target, enum role role, const struct chunk_row *chunk)
{
    points_clear(&flush->points);
    int rc = window_file_read(target->file, flush->series.id, role, chunk->id, POINTS_ALL, &flush->points);
    if (!rc)
        rc = rows_add_points(&flush->work, &flush->points, 0, flush->points.n, STORED_OPEN);
    return rc ? rc : window_file_kill(target->file, chunk->id, flush->last);
}

/* Brings in what the new rows may meet, and small last chunks, so that chunks grow: like a binary counter, a reading is
 * rewritten about log2(n) times at most. */
static int absorb_chunks(struct flush *flush, struct target *target, int64_t begin_us, int64_t end_us)
{
    int rc = 0;
    for (enum role role = ROLE_PLAIN; role <= ROLE_ISSUED && !rc; role++) {
        rc = window_file_chunks(target->file, flush->series.id, role, begin_us, end_us, flush->last, &flush->chunks);
        for (size_t i = 0; i < flush->chunks.n && !rc; i++)
            rc = absorb(flush, target, role, &flush->chunks.at[i]);
        struct chunk_row last;
        bool found = true;
        while (!rc && found && flush->work.n < OPEN_CHUNK_POINTS / 2) {
            rc = window_file_last_chunk(target->file, flush->series.id, role, flush->last, &last, &found);
            if (rc || !found || (size_t)last.n > flush->work.n)
                break;
            rc = absorb(flush, target, role, &last);
        }
    }
    return rc;
}

/* A replayed dead letter meets what is stored at its time, in the sealed file too. */
static int meet_stored(struct flush *flush, struct target *target)
{
    int rc = 0;
    for (size_t i = 0; i < flush->files.n && !target->below && !rc; i++) {
        const struct file *file = &flush->files.at[i];
        char path[4096];
        if (file->kind != FILE_RAW || file->window.begin_us != target->window.begin_us)
            continue;
        snprintf(path, sizeof(path), "%s/%s", partition_folder(flush->opts->partition), file->name);
        rc = window_file_open_read(path, FILE_RAW, &target->below, flush->error);
    }
    return rc ? rc : replay_meet(&flush->work, flush->series.id, target->file, flush->last, target->below);
}

static int write_settled(struct flush *flush, struct target *target)
{
    struct settled *settled = &flush->settled;
    int64_t born = flush->last;
    int rc = window_file_put(target->file, &flush->series, ROLE_PLAIN, &settled->plain, born);
    rc = rc ? rc : window_file_put(target->file, &flush->series, ROLE_ISSUED, &settled->issued, born);
    rc = rc ? rc : window_file_put(target->file, &flush->series, ROLE_REVISION, &settled->revisions, born);
    for (size_t i = 0; i < settled->deletions.n && !rc; i++)
        rc = window_file_put_deletion(target->file, flush->series.id, &settled->deletions.at[i], born);
    return rc;
}

/* Copies the rows that belong to the window into flush->work and tells their extent; deleted ranges are cut to it. */
static int pick_rows(struct flush *flush, const struct target *target, int64_t *ret_begin_us, int64_t *ret_end_us)
{
    const struct window *window = &target->window;
    rows_clear(&flush->work);
    flush->work.is_state = flush->rows.is_state;
    int64_t begin_us = INT64_MAX, end_us = INT64_MIN;
    for (size_t i = 0; i < flush->rows.n; i++) {
        struct row row = flush->rows.at[i];
        if ((int64_t)(row.order >> ORDER_SHIFT) <= target->mark)
            continue;
        int64_t row_end_us = row.t_us + 1;
        if (row.op == OP_DELETE_RANGE) {
            row_end_us = row.t_us + row.period_us;
            row_end_us = row_end_us < window->end_us ? row_end_us : window->end_us;
            row.t_us = row.t_us > window->begin_us ? row.t_us : window->begin_us;
            row.period_us = row_end_us - row.t_us;
        }
        if (row.t_us < window->begin_us || row.t_us >= window->end_us || row_end_us <= row.t_us)
            continue;
        if (row.op == OP_VALUE && flush->rows.is_state) {
            const char *text = texts_at(&flush->rows.texts, row.m);
            if (texts_intern(&flush->work.texts, text, strlen(text), &row.m))
                return ERR_NOMEM;
        }
        struct row *to = rows_add(&flush->work);
        if (!to)
            return ERR_NOMEM;
        *to = row;
        begin_us = row.t_us < begin_us ? row.t_us : begin_us;
        end_us = row_end_us > end_us ? row_end_us : end_us;
    }
    *ret_begin_us = begin_us;
    *ret_end_us = end_us;
    return 0;
}

/* Notes what the rows at work change, each with its own batch. */
static int write_changes(struct flush *flush, struct target *target)
{
    struct changes *changes = &flush->changes;
    changes->n = 0;
    int rc = window_file_changes(target->file, flush->series.id, changes);
    for (size_t i = 0; i < flush->work.n && !rc; i++) {
        const struct row *row = &flush->work.at[i];
        rc = changes_add(changes, row->t_us, changes_row_end(row), (int64_t)(row->order >> ORDER_SHIFT), CHANGES_MAX);
    }
    return rc ? rc : window_file_put_changes(target->file, flush->series.id, changes);
}

static int flush_series(struct flush *flush, struct target *target)
{
    int64_t begin_us, end_us;
    int rc = pick_rows(flush, target, &begin_us, &end_us);
    if (rc || !flush->work.n)
        return rc;
    target->n_put += (int64_t)flush->work.n;
    rc = window_file_add_series(target->file, &flush->series);
    if (!rc)
        rc = write_changes(flush, target);
    if (!rc)
        rc = absorb_chunks(flush, target, begin_us, end_us);
    if (!rc && replay_any(&flush->work))
        rc = meet_stored(flush, target);
    if (!rc)
        rc = rows_settle(&flush->work, &flush->settled);
    if (!rc)
        rc = write_settled(flush, target);
    if (!rc)
        rc = window_days_write(&flush->days, target->file, &flush->series, flush->last, begin_us, end_us);
    if (rc)
        db_error(window_file_db(target->file), flush->error, rc, "write");
    return rc;
}

/* ---- the whole ---- */

static int commit_target(struct flush *flush, struct target *target)
{
    struct db *db = window_file_db(target->file);
    int rc = window_file_set_mark(target->file, flush->last);
    if (!rc && flush->opts->purge_batch > 0)
        rc = window_file_purge(target->file, flush->opts->purge_batch);
    if (!rc)
        rc = db_commit(db);
    if (rc)
        return db_error(db, flush->error, rc, "write");
    target->listed.mark = flush->last;
    target->listed.n_readings += target->n_put;
    target->listed.changed_us = clock_wall_us();
    return 0;
}

/* Writes windows [begin, end) of the targets. */
static int flush_windows(struct flush *flush, size_t begin, size_t end)
{
    int rc = 0;
    for (size_t i = begin; i < end && !rc; i++)
        rc = open_target(flush, &flush->targets[i]);
    for (size_t piece = 0; piece < flush->n_pieces && !rc;) {
        rc = load_series(flush, &piece);
        for (size_t i = begin; i < end && !rc; i++)
            rc = flush_series(flush, &flush->targets[i]);
    }
    for (size_t i = begin; i < end && !rc; i++)
        rc = commit_target(flush, &flush->targets[i]);
    for (size_t i = begin; i < end; i++) {
        window_file_settle(flush->targets[i].file);
        window_file_close(flush->targets[i].below);
        flush->targets[i].file = flush->targets[i].below = NULL;
    }
    return rc;
}

static int list_targets(struct flush *flush)
{
    struct file *put = malloc((flush->n_targets + 1) * sizeof(*put));
    if (!put)
        return ERR_NOMEM;
    for (size_t i = 0; i < flush->n_targets; i++)
        put[i] = flush->targets[i].listed;
    int rc = partition_change_files(flush->opts->partition,
                                    &(struct file_change){.last_batch = flush->last, .put = put,
                                                          .n_put = flush->n_targets,
                                                          .keep_us = flush->opts->revisions_keep_us}, flush->error);
    free(put);
    return rc;
}

static void flush_done(struct flush *flush)
{
    for (size_t i = 0; i < flush->n_loaded; i++) {
        parcel_close(&flush->loaded[i].parcel);
        buf_free(&flush->loaded[i].data);
    }
    free(flush->loaded);
    free(flush->pieces);
    free(flush->rules);
    free(flush->targets);
    file_list_free(&flush->files);
    rows_free(&flush->rows);
    rows_free(&flush->work);
    settled_free(&flush->settled);
    points_free(&flush->points);
    chunk_rows_free(&flush->chunks);
    changes_free(&flush->changes);
    in_force_free(&flush->days);
}

/* Moves the batches that were loaded into their windows. */
static int flush_loaded(struct flush *flush)
{
    int rc = sort_pieces(flush);
    if (!rc)
        rc = partition_files(flush->opts->partition, &flush->files, flush->error);
    if (!rc)
        rc = settle_rules(flush);
    if (!rc)
        rc = find_targets(flush);
    for (size_t i = 0; i < flush->n_targets && !rc; i += FLUSH_WINDOWS_MAX) {
        size_t end = i + FLUSH_WINDOWS_MAX < flush->n_targets ? i + FLUSH_WINDOWS_MAX : flush->n_targets;
        rc = flush_windows(flush, i, end);
    }
    return rc ? rc : list_targets(flush);
}

int flush_run(const struct flush_opts *opts, int64_t *ret_n_expired, struct err_text *error)
{
    struct backlog backlog;
    partition_backlog(opts->partition, &backlog);
    if (!backlog.batches)
        return 0;
    int rc = partition_checkpoint(opts->partition);
    partition_backlog(opts->partition, &backlog);
    struct expired expired;
    partition_expired(opts->partition, &expired);
    struct flush flush = {.opts = opts, .error = error, .last = backlog.synced_batch, .expired_us = expired.raw_us};
    if (!rc)
        rc = partition_batches(opts->partition, flush.last, load_batch, &flush, error);
    if (!rc && flush.n_loaded)
        rc = flush_loaded(&flush);
    if (rc && error && !*error->text)
        err_set(error, rc, "cannot flush the partition \"%s/%d\": %s", partition_topic(opts->partition),
                partition_number(opts->partition), err_name(rc));
    if (!rc)
        *ret_n_expired = flush.n_expired;
    flush_done(&flush);
    return rc;
}
