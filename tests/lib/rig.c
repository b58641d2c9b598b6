#include <config.h>

#include "rig.h"

#include "fault_vfs.h"
#include "random.h"

#include <stdio.h>
#include <unistd.h>

#include "common/civil.h"
#include "common/files.h"
#include "store/flush.h"
#include "store/parcel.h"
#include "store/retention.h"
#include "store/seal.h"

/* By name, as sources of equal known-at are ordered. */
static const struct {
    const char *topic;
    int32_t partition;
} places[HISTORY_SOURCES] = {{"readings.history", 0}, {"readings.history", 1}, {"readings.later", 0}};

int64_t rig_below(struct rig *rig, int64_t n)
{
    return random_below(&rig->seed, n);
}


/* ---- the store ---- */

void rig_open_partitions(struct rig *rig)
{
    static const struct owner owner = {.generation = 1, .member = "test"};
    for (int s = 0; s < HISTORY_SOURCES; s++) {
        struct source source = {.cluster = "cluster", .partition = places[s].partition};
        struct err_text error = {0};
        struct claim claim;
        snprintf(source.topic, sizeof(source.topic), "%s", places[s].topic);
        int rc = partition_open(rig->dir, places[s].topic, places[s].partition, &rig->partitions[s], &error);
        rc = rc ? rc : partition_claim(rig->partitions[s], &source, &owner, &claim, &rig->epochs[s], &error);
        if (rc)
            broken(rig, "source %d does not open: %s", s, error.text);
        rig->offsets[s] = claim.next_offset < 0 ? 0 : claim.next_offset;
    }
}

void rig_close_partitions(struct rig *rig)
{
    for (int s = 0; s < HISTORY_SOURCES; s++) {
        partition_close(rig->partitions[s]);
        rig->partitions[s] = NULL;
    }
}

static void add_series(struct rig *rig)
{
    for (int s = 0; s < HISTORY_SERIES; s++) {
        const struct history_series *series = &history_series[s];
        static const char unit[] = "ppm";
        struct entity *entity;
        struct series *made;
        const struct unit *from;
        enum refusal_reason reason;
        bool is_free = strcmp(series->type, "Property") == 0;
        assert_int_equal(registry_entity(rig->registry, series->entity, strlen(series->entity), series->type,
                                         strlen(series->type), &entity, &reason), 0);
        assert_int_equal(registry_series(rig->registry, entity, series->property, strlen(series->property),
                                         is_free ? unit : NULL, is_free ? strlen(unit) : 0, &made, &from, &reason), 0);
        rig->series_i[s] = made->index;
        assert_int_equal(made->kind, series->kind);
    }
    struct err_text error = {0};
    if (catalog_persist(rig->catalog, rig->registry, rig->sources[0], NULL, 0, &error))
        broken(rig, "%s", error.text);
    for (int s = 0; s < HISTORY_SERIES; s++)
        rig->series_id[s] = registry_at(rig->registry, rig->series_i[s])->id;
}

static void share_series(struct rig *rig)
{
    struct err_text error = {0};
    for (int source = 0; source < HISTORY_SOURCES; source++) {
        if (catalog_persist(rig->catalog, rig->registry, rig->sources[source], rig->series_i, HISTORY_SERIES, &error))
            broken(rig, "%s", error.text);
        for (int s = 0; s < HISTORY_SERIES; s++)
            rig->is_here[source][s] = true;
    }
}

void rig_init(struct rig *rig, uint64_t seed, bool is_close)
{
    static const enum window_length lengths[] = {WINDOW_DAY, WINDOW_WEEK, WINDOW_MONTH, WINDOW_AUTO};
    const char *tmp = getenv("TMPDIR");
    struct err_text error = {0};
    *rig = (struct rig){.round_seed = seed, .seed = seed * 31 + 5, .window = lengths[seed % 4]};
    snprintf(rig->dir, sizeof(rig->dir), "%.200s/almanac-history-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(rig->dir));
    history_init(&rig->history, seed, is_close);
    batch_init(&rig->batch);
    rig->registry = registry_new();
    assert_non_null(rig->registry);
    int rc = store_create(rig->dir, &error);
    rc = rc ? rc : catalog_open(rig->dir, rig->registry, &rig->catalog, &error);
    for (int s = 0; s < HISTORY_SOURCES && !rc; s++)
        rc = catalog_source(rig->catalog, places[s].topic, places[s].partition, &rig->sources[s], &error);
    rc = rc ? rc : catalog_reader_open(rig->dir, &rig->lookup, &error);
    rc = rc ? rc : reader_dir_open(rig->dir, &rig->reader, &error);
    if (rc)
        broken(rig, "%s", error.text);
    rig_open_partitions(rig);
    add_series(rig);
    if (is_close)
        share_series(rig);
}

void rig_drop_kept(struct kept *kept)
{
    view_close(kept->view);
    for (int s = 0; s < HISTORY_SERIES; s++)
        points_free(&kept->points[s]);
    *kept = (struct kept){0};
}

void rig_done(struct rig *rig)
{
    for (int k = 0; k < RIG_KEPT; k++)
        rig_drop_kept(&rig->kept[k]);
    reader_dir_close(rig->reader);
    rig_close_partitions(rig);
    catalog_reader_close(rig->lookup);
    catalog_close(rig->catalog);
    registry_free(rig->registry);
    batch_free(&rig->batch);
    history_free(&rig->history);
    files_remove_tree(rig->dir);
}

/* ---- what happens to it ---- */

static void fill_batch(struct rig *rig)
{
    const struct history *history = &rig->history;
    struct batch *batch = &rig->batch;
    int64_t offset = rig->offsets[history->source];
    batch_clear(batch);
    for (size_t i = 0; i < history->n_events; i++) {
        const struct event *event = &history->events[i];
        struct reading *reading = batch_add(batch);
        assert_non_null(reading);
        *reading = (struct reading){.t_us = event->t_us, .issued_us = event->issued_us, .period_us = event->period_us,
                                    .known_ms = event->known_ms, .offset = offset, .quality = event->quality,
                                    .op = (uint8_t)event->op, .replayed = event->replayed,
                                    .series_i = rig->series_i[event->series]};
        if (history_series[event->series].kind != KIND_STATE)
            reading->m = event->m, reading->e = event->e;
        else if (event->op == OP_VALUE)
            assert_int_equal(texts_intern(&batch->texts, event->text, strlen(event->text), &reading->m), 0);
    }
    batch->first_offset = offset;
    batch->next_offset = offset + 1;
    batch->n_messages = 1;
    batch->last_known_ms = history->known_ms;
    memset(batch->last_hash, (int)(offset & 0xff), sizeof(batch->last_hash));
}

/* As the writer does: the catalog knows a series in a source before readings of it are stored there. */
void rig_persist_series(struct rig *rig)
{
    struct err_text error = {0};
    int source = rig->history.source;
    for (uint32_t s = 0; s < HISTORY_SERIES; s++) {
        if (rig->is_here[source][s] || !history_touches(&rig->history, s))
            continue;
        if (catalog_persist(rig->catalog, rig->registry, rig->sources[source], &rig->series_i[s], 1, &error))
            broken(rig, "%s", error.text);
        rig->is_here[source][s] = true;
    }
}

static int take_batch(struct rig *rig)
{
    int source = rig->history.source;
    struct buf parcel = {0};
    fill_batch(rig);
    assert_int_equal(parcel_encode(&rig->batch, 0, rig->registry, &parcel), 0);
    struct taking taking = {.epoch = rig->epochs[source], .batch = &rig->batch, .parcel = &parcel,
                            .n_readings = (int64_t)rig->batch.n_readings};
    int rc = partition_take(rig->partitions[source], &taking, NULL);
    buf_free(&parcel);
    return rc;
}

static void note_taken(struct rig *rig)
{
    history_apply(&rig->history);
    rig->n_takes++;
    for (uint32_t s = 0; s < HISTORY_SERIES; s++)
        if (history_touches(&rig->history, s))
            rig->touched[s] = rig->n_takes;
}

void rig_make_batch(struct rig *rig)
{
    do
        history_next(&rig->history, (int)rig_below(rig, HISTORY_SOURCES));
    while (!rig->history.n_events);
    rig_persist_series(rig);
}

void rig_take(struct rig *rig)
{
    if (take_batch(rig))
        broken(rig, "a batch is not taken");
    rig->offsets[rig->history.source]++;
    note_taken(rig);
}

int rig_flush(struct rig *rig, int source, struct err_text *error)
{
    int64_t n_expired;
    return flush_run(&(struct flush_opts){.partition = rig->partitions[source], .catalog = rig->lookup, .window = rig->window,
                                          .revisions_keep_us = 90 * US_PER_DAY}, &n_expired, error);
}

/* Seals one of the open windows, or all; readings may still wait for them. */
int rig_seal(struct rig *rig, int source, bool all, struct err_text *error)
{
    int rc = 0;
    for (bool more = true; more && !rc;) {
        struct file_list files = {0};
        size_t n_open = 0;
        rc = partition_files(rig->partitions[source], &files, error);
        for (size_t i = 0; i < files.n; i++)
            if (files.at[i].kind == FILE_OPEN)
                files.at[n_open++] = files.at[i]; /* only the windows are wanted of this copy */
        struct window window = n_open ? files.at[rig_below(rig, (int64_t)n_open)].window : (struct window){0};
        file_list_free(&files);
        if (!rc && n_open) {
            rc = partition_files(rig->partitions[source], &files, error);
            struct seal_opts opts = {window, (1u << TIER_N) - 1, INT64_MIN, false, rig->lookup};
            rc = rc ? rc : seal_window(rig->partitions[source], &files, &opts, error);
            file_list_free(&files);
        }
        more = all && n_open;
    }
    return rc;
}

int rig_expire(struct rig *rig, int source, struct err_text *error)
{
    struct file_list files = {0};
    int rc = partition_files(rig->partitions[source], &files, error);
    for (size_t i = 0; i < files.n && !rc; i++) {
        struct seal_opts opts = {files.at[i].window, TIERS_ALL, INT64_MIN, true, rig->lookup};
        if (files.at[i].kind == FILE_TIER && files.at[i].window.end_us <= rig->expired_us[source])
            continue;
        rc = seal_window(rig->partitions[source], &files, &opts, error);
        rig->expired_us[source] = opts.window.end_us;
        break;
    }
    file_list_free(&files);
    return rc;
}

/* The process dies at some change of the disk: while it takes, flushes or seals. */
void rig_die(struct rig *rig)
{
    int source = (int)rig_below(rig, HISTORY_SOURCES), what = (int)rig_below(rig, 3);
    struct err_text error = {0};
    int64_t n = 1 + rig_below(rig, what ? 120 : 8);
    if (what == 0)
        rig_make_batch(rig);
    fault_vfs_arm(FAULT_DEAD, n);
    int rc = what == 0 ? take_batch(rig) : what == 1 ? rig_flush(rig, source, &error)
                                                         : rig_seal(rig, source, rig_below(rig, 2), &error);
    bool hit = fault_vfs_hit();
    rig_close_partitions(rig);
    fault_vfs_disarm();
    fault_vfs_forget();
    if (rc && !hit)
        broken(rig, "without a fault: %s", error.text);
    int64_t offset = rig->offsets[rig->history.source];
    rig_open_partitions(rig);
    if (what == 0 && rig->offsets[rig->history.source] == offset)
        rig_take(rig); /* Kafka tells it again (I1) */
    else if (what == 0)
        note_taken(rig);
}
