#include <config.h>

#include "app/playback.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/brokers.h"
#include "app/progress.h"
#include "app/stop.h"
#include "common/array.h"
#include "common/clock.h"
#include "common/files.h"
#include "common/jsontext.h"

#define FLUSH_TIMEOUT_MS 60000
#define ITEMS_MAX 500000               /* read at a time */
#define MESSAGE_BYTES 60000            /* of objects that go together, as fast as possible */
#define WINDOW_WALL_US (60 * US_PER_SECOND) /* at a pace: so long before it is sent a reading is read at the earliest */
#define KEEP_US US_PER_SECOND          /* between two notes of how far it came */
#define NAP_MS 100

/* A series, its texts in one block. */
struct track {
    uint32_t id;
    enum kind kind;
    int64_t entity; /* index of its name */
    const char *type, *property, *unit;
    char *texts;
};

struct item {
    int64_t t_us, m, period_us, issued_us;
    uint32_t track;
    int8_t e;
    uint8_t quality; /* class */
};

struct playback {
    const struct playback_opts *opts;
    struct playback_result result;
    struct err_text *error;
    struct reader_dir *dir;
    struct producer *producer; /* NULL on a dry run */
    struct progress progress;
    struct texts entities;
    struct track *tracks;
    size_t n_tracks, tracks_cap;
    /* the window that was read: [begin_us, end_us) */
    int64_t begin_us, end_us;
    struct item *items;
    size_t n_items, items_cap;
    struct texts states;
    /* at a pace */
    int64_t start_us, start_mono_us, kept_mono_us;
    struct buf message;
};

/* ---- the series ---- */

static int add_track(void *arg, const struct series_info *info)
{
    struct playback *playback = arg;
    if (array_grow(&playback->tracks, &playback->tracks_cap, playback->n_tracks + 1, sizeof *playback->tracks))
        return ERR_NOMEM;
    struct track *track = &playback->tracks[playback->n_tracks];
    *track = (struct track){.id = info->id, .kind = info->kind};
    if (asprintf(&track->texts, "%s%c%s%c%s", info->type, '\0', info->property, '\0', info->unit) < 0)
        return ERR_NOMEM;
    playback->n_tracks++;
    track->type = track->texts;
    track->property = track->type + strlen(track->type) + 1;
    track->unit = track->property + strlen(track->property) + 1;
    return texts_intern(&playback->entities, info->entity, strlen(info->entity), &track->entity);
}

/* Refuses a range of which something has expired: what is missing would not be noticed at the other end. */
static int check_left(struct playback *playback, struct view *view)
{
    const struct range *range = playback->opts->range;
    char text[CIVIL_TEXT_MAX];
    for (size_t i = 0; i < playback->n_tracks; i++) {
        const struct track *track = &playback->tracks[i];
        int64_t left_us;
        int code = view_left(view, track->id, NULL, range->from_us, range->to_us, &left_us);
        if (code != 0)
            return code;
        if (left_us > range->from_us)
            return err_set(playback->error, ERR_EXPIRED, "\"%s\" of \"%s\" is not kept so far back: the first instant left is "
                           "%.*s", track->property, texts_at(&playback->entities, track->entity),
                           (int)civil_print_rfc3339(text, left_us, 0, true), text);
    }
    return 0;
}

static int find_series(struct playback *playback)
{
    struct view *view = NULL;
    int code = reader_dir_open(playback->opts->conf->data, &playback->dir, playback->error);
    if (code == 0)
        code = view_open(playback->dir, &view, playback->error);
    if (code == 0)
        code = reader_series(playback->dir, &playback->opts->range->filter, add_track, playback);
    if (code == 0 && playback->n_tracks == 0)
        code = err_set(playback->error, ERR_NOTFOUND, "no series matches; `almanac query` and /v1/series show which there are");
    if (code == 0)
        code = check_left(playback, view);
    playback->result.n_series = (int64_t)playback->n_tracks;
    playback->result.is_partial = view && view_is_partial(view);
    view_close(view);
    return code;
}

/* ---- how far it came ---- */

#define STATE_FORMAT "almanac replay 1 from %" PRId64 " to %" PRId64 " at %" PRId64 " shift %" PRId64 "\n"
#define STATE_SCAN "almanac replay 1 from %" SCNd64 " to %" SCNd64 " at %" SCNd64 " shift %" SCNd64

static int fail_state(const struct playback *playback)
{
    return err_set(playback->error, errno == ENOSPC ? ERR_FULL : ERR_IO, "cannot write \"%s\": %s", playback->opts->state_path,
                   strerror(errno));
}

/* Everything that was handed over is acknowledged first. */
static int keep_state(struct playback *playback)
{
    const struct playback_result *result = &playback->result;
    char new_path[4096];
    if (!playback->producer)
        return 0;
    int code = producer_flush(playback->producer, FLUSH_TIMEOUT_MS, playback->error);
    if (code != 0)
        return code;
    snprintf(new_path, sizeof new_path, "%s.new", playback->opts->state_path);
    FILE *file = fopen(new_path, "we");
    if (!file)
        return fail_state(playback);
    bool good = fprintf(file, STATE_FORMAT, result->from_us, result->to_us, result->at_us, result->shift_us) > 0;
    good = fclose(file) == 0 && good;
    playback->kept_mono_us = clock_mono_us();
    return good && files_rename(new_path, playback->opts->state_path) == 0 ? 0 : fail_state(playback);
}

static int read_state(struct playback *playback)
{
    struct playback_result *result = &playback->result;
    FILE *file = fopen(playback->opts->state_path, "re");
    int n = file ? fscanf(file, STATE_SCAN, &result->from_us, &result->to_us, &result->at_us, &result->shift_us) : 0;
    if (file)
        fclose(file);
    if (!file)
        return err_set(playback->error, ERR_NOTFOUND, "there is nothing to go on with: no replay of these series and times to "
                       "topic \"%s\" was stopped; leave out --resume", playback->opts->topic);
    bool good = n == 4 && result->from_us <= result->at_us && result->at_us <= result->to_us;
    return good ? 0 : err_set(playback->error, ERR_CORRUPT, "\"%s\" does not say how far the replay came: remove it, and leave "
                              "out --resume", playback->opts->state_path);
}

/* Whole seconds, so that times keep their fractions. Nothing is sent before its time is there. */
static int64_t shift_of(const struct playback_opts *opts)
{
    bool may_run_ahead = opts->speed == 0 || opts->speed > 1;
    int64_t shift_us = clock_wall_us() - (may_run_ahead ? opts->range->to_us : opts->range->from_us);
    return shift_us - shift_us % US_PER_SECOND;
}

static int begin_state(struct playback *playback)
{
    const struct playback_opts *opts = playback->opts;
    if (opts->resumes)
        return read_state(playback);
    playback->result.from_us = playback->result.at_us = opts->range->from_us;
    playback->result.to_us = opts->range->to_us;
    playback->result.shift_us = opts->shifts ? shift_of(opts) : 0;
    return 0;
}

/* ---- a window is read ---- */

/* 1 when the window is full. */
static int read_track(struct playback *playback, struct view *view, uint32_t track, struct points *points)
{
    const struct track *of = &playback->tracks[track];
    struct scan *scan;
    int code = scan_open(view, of->id, playback->begin_us, playback->end_us, POINTS_PERIOD | POINTS_ISSUED, &scan);
    if (code != 0)
        return code;
    while ((code = scan_next(scan, points)) > 0) {
        code = playback->n_items + points->n > ITEMS_MAX && playback->end_us - playback->begin_us > 1;
        if (code == 0)
            code = array_grow(&playback->items, &playback->items_cap, playback->n_items + points->n, sizeof *playback->items);
        for (size_t i = 0; i < points->n && code == 0; i++) {
            int64_t m = points->m[i];
            const char *text = of->kind == KIND_STATE ? texts_at(&points->texts, m) : NULL;
            code = text ? texts_intern(&playback->states, text, strlen(text), &m) : 0;
            playback->items[playback->n_items++] =
                (struct item){points->t_us[i], m, points->period_us[i], points->issued_us[i], track, points->e[i],
                              points->quality[i] & QUALITY_CLASS_MASK};
        }
        if (code != 0)
            break;
    }
    scan_close(scan);
    return code;
}

/* 1 when not all of the window fits. */
static int read_items(struct playback *playback)
{
    struct view *view = NULL;
    struct points points = {0};
    playback->n_items = 0;
    texts_clear(&playback->states);
    int code = view_open(playback->dir, &view, playback->error);
    for (uint32_t i = 0; i < playback->n_tracks && code == 0; i++)
        code = stop_asked() ? ERR_CANCELLED : read_track(playback, view, i, &points);
    points_free(&points);
    view_close(view);
    return code;
}

#define ORDER(a, b) \
    do { \
        if ((a) != (b)) \
            return (a) < (b) ? -1 : 1; \
    } while (0)

/* What goes into one object lies together, in the order of series. */
static int compare_rest(const struct item *a, const struct item *b)
{
    ORDER(a->period_us, b->period_us);
    ORDER(a->issued_us, b->issued_us);
    ORDER(a->quality, b->quality);
    ORDER(a->track, b->track);
    return 0;
}

static int compare_by_time(const void *x, const void *y, void *arg)
{
    const struct item *a = x, *b = y;
    const struct track *tracks = arg;
    ORDER(a->t_us, b->t_us);
    ORDER(tracks[a->track].entity, tracks[b->track].entity);
    return compare_rest(a, b);
}

static int compare_by_entity(const void *x, const void *y, void *arg)
{
    const struct item *a = x, *b = y;
    const struct track *tracks = arg;
    ORDER(tracks[a->track].entity, tracks[b->track].entity);
    ORDER(a->t_us, b->t_us);
    return compare_rest(a, b);
}

/* Reads the next window: about as long as the one before, shorter where that does not fit, longer where there was little. */
static int read_window(struct playback *playback)
{
    double speed = playback->opts->speed;
    int64_t to_us = playback->result.to_us, length_us = playback->end_us - playback->begin_us;
    int64_t most_us = speed == 0 || playback->opts->is_dry ? to_us - playback->result.from_us
                                                           : (int64_t)(speed * (double)WINDOW_WALL_US);
    if (!length_us || (playback->n_items < ITEMS_MAX / 4 && length_us < most_us / 2))
        length_us = length_us ? 2 * length_us : most_us;
    playback->begin_us = playback->result.at_us;
    int code = 1;
    for (length_us = length_us > 1 ? length_us : 1; code == 1; length_us = length_us / 2 > 1 ? length_us / 2 : 1) {
        playback->end_us = length_us < to_us - playback->begin_us ? playback->begin_us + length_us : to_us;
        code = read_items(playback);
    }
    if (code == 0 && playback->n_items)
        qsort_r(playback->items, playback->n_items, sizeof *playback->items, speed == 0 ? compare_by_entity : compare_by_time,
                playback->tracks);
    return code;
}

/* ---- messages ---- */

static void put_time(struct buf *out, const char *name, int64_t t_us)
{
    buf_printf(out, ",\"%s\":", name);
    jsontext_put_time(out, t_us);
}

static void put_value(const struct playback *playback, const struct item *item, struct buf *out)
{
    const struct track *track = &playback->tracks[item->track];
    jsontext_put(out, track->property);
    buf_putc(out, ':');
    if (track->kind == KIND_STATE) {
        jsontext_put(out, texts_at(&playback->states, item->m));
        return;
    }
    char *at = (char *)buf_reserve(out, DECIMAL_TEXT_MAX);
    if (at)
        out->n += decimal_print(at, (struct decimal){item->m, item->e});
}

static void put_units(const struct playback *playback, const struct item *items, size_t n, struct buf *out)
{
    const char *before = ",\"units\":{";
    for (size_t i = 0; i < n; i++) {
        const struct track *track = &playback->tracks[items[i].track];
        if (!*track->unit)
            continue;
        buf_puts(out, before);
        jsontext_put(out, track->property);
        buf_putc(out, ':');
        jsontext_put(out, track->unit);
        before = ",";
    }
    if (*before == ',' && !before[1])
        buf_putc(out, '}');
}

/* One normalized reading (contract section 2) of items that have all but property and value in common. */
static void put_object(const struct playback *playback, const struct item *items, size_t n, struct buf *out)
{
    const struct track *track = &playback->tracks[items->track];
    const struct duration period = {.us = items->period_us};
    char text[CIVIL_TEXT_MAX];
    buf_puts(out, "{\"entity\":");
    jsontext_put(out, texts_at(&playback->entities, track->entity));
    jsontext_put_member(out, "type", track->type);
    put_time(out, "time", items->t_us + playback->result.shift_us);
    buf_puts(out, ",\"values\":{");
    for (size_t i = 0; i < n; i++) {
        buf_puts(out, i ? "," : "");
        put_value(playback, &items[i], out);
    }
    buf_putc(out, '}');
    if (items->period_us)
        buf_printf(out, ",\"period\":\"%.*s\"", (int)civil_print_duration(text, &period), text);
    put_units(playback, items, n, out);
    if (items->quality != QUALITY_MEASURED)
        buf_printf(out, ",\"quality\":\"%s\"", quality_name((enum quality)items->quality));
    if (items->issued_us != ISSUED_NONE)
        put_time(out, "issued", items->issued_us + playback->result.shift_us);
    buf_putc(out, '}');
}

/* How many items from the first on go into one object. */
static size_t count_object(const struct playback *playback, const struct item *items, size_t n)
{
    const struct item *first = items;
    size_t i = 1;
    while (i < n && items[i].t_us == first->t_us && items[i].period_us == first->period_us &&
           items[i].issued_us == first->issued_us && items[i].quality == first->quality &&
           playback->tracks[items[i].track].entity == playback->tracks[first->track].entity)
        i++;
    return i;
}

static int send_message(struct playback *playback, int64_t entity)
{
    struct buf *message = &playback->message;
    const char *key = texts_at(&playback->entities, entity);
    int code = message->failed ? ERR_NOMEM : 0;
    if (code == 0 && playback->producer)
        code = producer_send(playback->producer, playback->opts->topic, key, strlen(key), message->data, message->n,
                             playback->error);
    buf_clear(message);
    playback->result.n_messages += code == 0;
    return code;
}

/* Waits until the time has come, and now and then notes how far it is. */
static int await_time(struct playback *playback, int64_t t_us)
{
    double after_us = (double)(t_us - playback->start_us) / playback->opts->speed;
    int64_t due_us = playback->start_mono_us + (int64_t)after_us, left_us;
    while ((left_us = due_us - clock_mono_us()) > 0) {
        if (stop_asked())
            return ERR_CANCELLED;
        if (clock_mono_us() - playback->kept_mono_us > KEEP_US) {
            int code = keep_state(playback);
            if (code != 0)
                return code;
        }
        poll(NULL, 0, left_us < NAP_MS * 1000 ? (int)(left_us / 1000) + 1 : NAP_MS);
    }
    return stop_asked() ? ERR_CANCELLED : 0;
}

/* Sends what was read. At a pace at_us follows, since then all is in the order of time. */
static int send_window(struct playback *playback)
{
    bool is_paced = playback->opts->speed != 0 && !playback->opts->is_dry;
    int code = 0;
    for (size_t i = 0, n; i < playback->n_items && code == 0; i += n) {
        const struct item *items = &playback->items[i];
        int64_t entity = playback->tracks[items->track].entity;
        if (is_paced) {
            playback->result.at_us = items->t_us;
            code = await_time(playback, items->t_us);
        } else if (stop_asked()) {
            code = ERR_CANCELLED;
        }
        if (code != 0)
            break;
        n = count_object(playback, items, playback->n_items - i);
        buf_puts(&playback->message, playback->message.n ? "\n" : "");
        put_object(playback, items, n, &playback->message);
        bool is_last = i + n == playback->n_items || playback->tracks[items[n].track].entity != entity ||
                       (is_paced && items[n].t_us != items->t_us) || playback->message.n > MESSAGE_BYTES;
        code = is_last ? send_message(playback, entity) : 0;
        playback->result.n_readings += (int64_t)n;
        progress_add(&playback->progress, (int64_t)n);
    }
    return code;
}

/* ---- all of it ---- */

static int play(struct playback *playback)
{
    struct playback_result *result = &playback->result;
    int code = 0;
    playback->start_us = result->at_us;
    playback->start_mono_us = playback->kept_mono_us = clock_mono_us();
    while (code == 0 && result->at_us < result->to_us) {
        code = read_window(playback);
        if (code == 0)
            code = send_window(playback);
        if (code == 0) {
            result->at_us = playback->end_us;
            code = playback->opts->speed == 0 ? keep_state(playback) : 0;
        }
    }
    return code;
}

static void playback_free(struct playback *playback)
{
    producer_close(playback->producer);
    reader_dir_close(playback->dir);
    for (size_t i = 0; i < playback->n_tracks; i++)
        free(playback->tracks[i].texts);
    free(playback->tracks);
    free(playback->items);
    texts_free(&playback->entities);
    texts_free(&playback->states);
    buf_free(&playback->message);
}

int playback_run(const struct playback_opts *opts, struct playback_result *ret_result, struct err_text *error)
{
    struct playback playback = {.opts = opts, .error = error};
    int code = begin_state(&playback);
    if (code == 0)
        code = find_series(&playback);
    if (code == 0 && !opts->is_dry)
        code = brokers_producer(opts->conf, &playback.producer, error);
    bool began = code == 0;
    progress_start(&playback.progress, "replaying", 0);
    if (code == 0)
        code = play(&playback);
    if (began && (code == 0 || code == ERR_CANCELLED)) {
        int kept = keep_state(&playback); /* what was handed over is sent, too */
        code = kept != 0 ? kept : code;
    }
    if (code == 0 && playback.producer)
        unlink(opts->state_path);
    progress_done(&playback.progress);
    *ret_result = playback.result;
    playback_free(&playback);
    return code;
}
