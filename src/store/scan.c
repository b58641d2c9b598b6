#include <config.h>

#include "store/reader.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "store/scan_known.h"
#include "store/view.h"

/* A scan goes from cut to cut (a step lies in one window of each source). In a step it lists the chunks and finds the groups
 * that overlap in time. A group of one chunk that nothing else touches is handed out as it is; any other is settled together
 * with the unflushed rows and deletions of its time, which is rare and small: late data, forecasts, several sources. */

#define HEAD_ROWS_MAX 16384 /* unflushed rows handed out at once */

/* What takes effect first within a source. */
enum { ORDER_RAW_DELETION = 1, ORDER_RAW, ORDER_OPEN_DELETION, ORDER_OPEN, ORDER_HEAD_DELETION, ORDER_HEAD };

/* A chunk, and where it lies. */
struct extent {
    int64_t begin_us, last_us, chunk_id, n;
    size_t place_i;
    struct window_file *file;
    uint32_t order; /* ORDER_RAW or ORDER_OPEN */
    enum role role;
};

struct scan {
    struct known *known; /* what was known before now; then nothing below is used */
    struct trail trail;
    struct quota *quota; /* of the view */
    unsigned want;
    /* the step at work */
    size_t step; /* cuts[step] .. cuts[step + 1] */
    bool in_step;
    struct pooled **files; /* what the step uses */
    size_t n_files, files_cap;
    struct extent *extents; /* by begin */
    size_t n_extents, extents_cap, next_extent;
    struct deletions *deletions; /* of open files, one list a place */
    struct deletions *settled_deletions; /* of raw files, which stand against what is replayed; read where something is */
    int64_t at_us; /* everything before it was handed out */
    /* scratch */
    struct rows rows;
    struct settled settled;
    struct points points;
    struct chunk_rows chunks;
};

/* ---- a step ---- */

static int list_chunks(struct scan *scan, size_t place_i, struct window_file *file, uint32_t order, int64_t mark,
                       int64_t begin_us, int64_t end_us)
{
    int rc = 0;
    for (enum role role = ROLE_PLAIN; role <= ROLE_ISSUED && !rc; role++) {
        rc = window_file_chunks(file, scan->trail.series_id, role, begin_us, end_us, mark, &scan->chunks);
        for (size_t i = 0; i < scan->chunks.n && !rc; i++) {
            const struct chunk_row *chunk = &scan->chunks.at[i];
            rc = array_grow(&scan->extents, &scan->extents_cap, scan->n_extents + 1, sizeof(*scan->extents));
            if (!rc)
                scan->extents[scan->n_extents++] = (struct extent){chunk->begin_us, chunk->last_us, chunk->id, chunk->n,
                                                                   place_i, file, order, role};
        }
    }
    return rc ? rc : window_file_check_state(file, mark);
}

static int use_file(struct scan *scan, size_t place_i, const struct file *file, int64_t begin_us, int64_t end_us)
{
    const struct place *place = &scan->trail.places[place_i];
    int rc = array_grow(&scan->files, &scan->files_cap, scan->n_files + 1, sizeof(struct pooled *));
    if (!rc)
        rc = pool_take(reader_dir_pool(scan->trail.view->dir), place->source->folder, file, &scan->files[scan->n_files]);
    if (rc)
        return rc;
    struct window_file *opened = pooled_window(scan->files[scan->n_files++]);
    bool is_open = file->kind == FILE_OPEN;
    int64_t mark = is_open ? file->mark : INT64_MAX - 1;
    rc = list_chunks(scan, place_i, opened, is_open ? ORDER_OPEN : ORDER_RAW, mark, begin_us, end_us);
    if (!rc && (is_open || place->head->has_replayed))
        rc = window_file_deletions(opened, scan->trail.series_id, begin_us, end_us, mark,
                                   is_open ? &scan->deletions[place_i] : &scan->settled_deletions[place_i]);
    return rc;
}

static int compare_extents(const void *a, const void *b)
{
    const struct extent *x = a, *y = b;
    return x->begin_us < y->begin_us ? -1 : x->begin_us > y->begin_us;
}

static int begin_step(struct scan *scan)
{
    struct trail *trail = &scan->trail;
    int64_t begin_us = trail->cuts[scan->step], end_us = trail->cuts[scan->step + 1];
    int rc = 0;
    scan->n_extents = scan->next_extent = 0;
    for (size_t p = 0; p < trail->n_places && !rc; p++) {
        struct window_files files = place_files(&trail->places[p], begin_us);
        scan->deletions[p].n = scan->settled_deletions[p].n = 0;
        if (files.raw)
            rc = use_file(scan, p, files.raw, begin_us, end_us);
        if (!rc && files.open)
            rc = use_file(scan, p, files.open, begin_us, end_us);
    }
    if (rc)
        return rc;
    if (scan->n_extents)
        qsort(scan->extents, scan->n_extents, sizeof(*scan->extents), compare_extents);
    scan->at_us = begin_us;
    scan->in_step = true;
    return 0;
}

static void end_step(struct scan *scan)
{
    struct pool *pool = scan->trail.view ? reader_dir_pool(scan->trail.view->dir) : NULL;
    for (size_t i = 0; i < scan->n_files; i++)
        pool_give(pool, scan->files[i]);
    scan->n_files = 0;
    scan->in_step = false;
}

/* ---- a group ---- */

/* Extents [begin, end) overlap each other and touch [begin_us, end_us). */
struct group {
    size_t begin, end;
    int64_t begin_us, end_us;
};

static struct group next_group(const struct scan *scan)
{
    const struct extent *extents = scan->extents;
    struct group group = {.begin = scan->next_extent, .end = scan->next_extent + 1};
    int64_t last_us = extents[group.begin].last_us;
    for (; group.end < scan->n_extents && extents[group.end].begin_us <= last_us; group.end++)
        last_us = extents[group.end].last_us > last_us ? extents[group.end].last_us : last_us;
    int64_t step_end_us = scan->trail.cuts[scan->step + 1];
    group.begin_us = extents[group.begin].begin_us > scan->at_us ? extents[group.begin].begin_us : scan->at_us;
    group.end_us = last_us + 1 < step_end_us ? last_us + 1 : step_end_us;
    return group;
}

static bool deletes(const struct deletions *deletions, int64_t begin_us, int64_t end_us)
{
    for (size_t i = 0; i < deletions->n; i++)
        if (deletions->at[i].begin_us < end_us && deletions->at[i].end_us > begin_us)
            return true;
    return false;
}

static bool has_rows(const struct points *points, int64_t begin_us, int64_t end_us)
{
    size_t i = points_seek(points, 0, begin_us);
    return i < points->n && points->t_us[i] < end_us;
}

/* Whether nothing but the group's chunks has a say in its time. */
static bool is_alone(const struct scan *scan, const struct group *group)
{
    for (size_t p = 0; p < scan->trail.n_places; p++) {
        const struct settled *head = &scan->trail.places[p].head->settled;
        if (has_rows(&head->plain, group->begin_us, group->end_us) ||
            has_rows(&head->issued, group->begin_us, group->end_us) ||
            deletes(&head->deletions, group->begin_us, group->end_us) ||
            deletes(&scan->deletions[p], group->begin_us, group->end_us))
            return false;
    }
    return true;
}

/* Keeps the rows of points from row first on that lie in [begin, end). */
static void cut_points(struct points *points, int64_t begin_us, int64_t end_us)
{
    size_t first = points_seek(points, 0, begin_us), n = points_seek(points, 0, end_us) - first;
    if (first) {
        memmove(points->t_us, points->t_us + first, n * sizeof(*points->t_us));
        memmove(points->m, points->m + first, n * sizeof(*points->m));
        memmove(points->e, points->e + first, n * sizeof(*points->e));
        memmove(points->quality, points->quality + first, n * sizeof(*points->quality));
        memmove(points->period_us, points->period_us + first, n * sizeof(*points->period_us));
        memmove(points->issued_us, points->issued_us + first, n * sizeof(*points->issued_us));
        memmove(points->known_ms, points->known_ms + first, n * sizeof(*points->known_ms));
    }
    points->n = n;
}

static int add_head(struct scan *scan, const struct points *points, const struct group *group)
{
    size_t first = points_seek(points, 0, group->begin_us), end = points_seek(points, 0, group->end_us);
    return rows_add_points(&scan->rows, points, first, end - first, ORDER_HEAD);
}

/* What the open file's values replaced there, where the group has chunks of it over some of a sealed file. */
static int read_revisions(struct scan *scan, const struct group *group, size_t place_i, struct points *revisions)
{
    const struct file *open = place_files(&scan->trail.places[place_i], group->begin_us).open;
    struct window_file *file = NULL;
    bool has_raw = false;
    for (size_t i = group->begin; i < group->end; i++) {
        const struct extent *extent = &scan->extents[i];
        has_raw = has_raw || (extent->place_i == place_i && extent->order == ORDER_RAW);
        file = extent->place_i == place_i && extent->order == ORDER_OPEN ? extent->file : file;
    }
    if (!has_raw || !file)
        return 0;
    int rc = window_file_chunks(file, scan->trail.series_id, ROLE_REVISION, group->begin_us, group->end_us, open->mark,
                                &scan->chunks);
    for (size_t i = 0; i < scan->chunks.n && !rc; i++) {
        points_clear(&scan->points);
        rc = window_file_read(file, scan->trail.series_id, ROLE_REVISION, scan->chunks.at[i].id, POINTS_ALL, &scan->points);
        for (size_t p = 0; p < scan->points.n && !rc; p++)
            rc = points_append(revisions, &scan->points, p, scan->trail.is_state);
    }
    return rc;
}

/* Since when a value is known matters where it is asked for and where sources vie: a value that came again after others is known
 * anew, though it equals one below. */
static int mark_again(struct scan *scan, const struct group *group, size_t place_i)
{
    struct points revisions = {0};
    if (scan->trail.n_places == 1 && !(scan->want & POINTS_KNOWN))
        return 0;
    int rc = read_revisions(scan, group, place_i, &revisions);
    rc = rc ? rc : rows_mark_again(&scan->rows, ORDER_OPEN, &revisions);
    rc = rc ? rc : rows_mark_again(&scan->rows, ORDER_HEAD, &scan->trail.places[place_i].head->settled.revisions);
    points_free(&revisions);
    return rc;
}

/* Settles what one source says of the group's time. */
static int settle_place(struct scan *scan, const struct group *group, size_t place_i)
{
    const struct settled *head = &scan->trail.places[place_i].head->settled;
    rows_clear(&scan->rows);
    int rc = 0;
    for (size_t i = group->begin; i < group->end && !rc; i++) {
        const struct extent *extent = &scan->extents[i];
        if (extent->place_i != place_i)
            continue;
        points_clear(&scan->points);
        rc = window_file_read(extent->file, scan->trail.series_id, extent->role, extent->chunk_id, POINTS_ALL,
                              &scan->points);
        if (rc)
            break;
        size_t first = points_seek(&scan->points, 0, group->begin_us), end = points_seek(&scan->points, 0, group->end_us);
        rc = rows_add_points(&scan->rows, &scan->points, first, end - first, extent->order);
    }
    rc = rc ? rc : rows_add_deletions(&scan->rows, &scan->settled_deletions[place_i], group->begin_us, group->end_us,
                                      ORDER_RAW_DELETION);
    rc = rc ? rc : rows_add_deletions(&scan->rows, &scan->deletions[place_i], group->begin_us, group->end_us,
                                      ORDER_OPEN_DELETION);
    rc = rc ? rc : rows_add_deletions(&scan->rows, &head->deletions, group->begin_us, group->end_us,
                                      ORDER_HEAD_DELETION);
    rc = rc ? rc : add_head(scan, &head->plain, group);
    rc = rc ? rc : add_head(scan, &head->issued, group);
    rc = rc ? rc : mark_again(scan, group, place_i);
    return rc ? rc : rows_settle(&scan->rows, &scan->settled);
}

static int add_ranked(struct rows *all, const struct points *points, uint64_t rank)
{
    int rc = 0;
    for (size_t i = 0; i < points->n && !rc; i++)
        rc = rows_add_points(all, points, i, 1, rows_rank(points->known_ms[i], rank));
    return rc;
}

static int settle_group(struct scan *scan, const struct group *group, struct points *points)
{
    struct trail *trail = &scan->trail;
    if (trail->n_places == 1) {
        int rc = settle_place(scan, group, 0);
        return rc ? rc : settled_in_force(&scan->settled, trail->is_state, points);
    }
    struct rows all = {.is_state = trail->is_state};
    int rc = 0;
    for (size_t p = 0; p < trail->n_places && !rc; p++) {
        rc = settle_place(scan, group, p);
        rc = rc ? rc : add_ranked(&all, &scan->settled.plain, trail->places[p].rank);
        rc = rc ? rc : add_ranked(&all, &scan->settled.issued, trail->places[p].rank);
    }
    rc = rc ? rc : rows_settle(&all, &scan->settled);
    rc = rc ? rc : settled_in_force(&scan->settled, trail->is_state, points);
    rows_free(&all);
    return rc;
}

static int give_group(struct scan *scan, const struct group *group, struct points *points)
{
    const struct extent *extent = &scan->extents[group->begin];
    int rc;
    if (group->end - group->begin == 1 && extent->role == ROLE_PLAIN && is_alone(scan, group)) {
        struct chunk_part part = {scan->trail.series_id, extent->chunk_id, group->begin_us, group->end_us, scan->want};
        rc = window_file_read_part(extent->file, &part, points);
        if (!rc)
            cut_points(points, group->begin_us, group->end_us);
    } else {
        rc = settle_group(scan, group, points);
    }
    scan->at_us = group->end_us;
    scan->next_extent = group->end;
    return rc;
}

/* ---- unflushed rows where there are no chunks ---- */

/* The end of the next handful of unflushed rows in [at, limit), or at_us when there are none. */
static int64_t head_end(const struct scan *scan, int64_t limit_us)
{
    int64_t end_us = scan->at_us;
    for (size_t p = 0; p < scan->trail.n_places; p++) {
        const struct settled *head = &scan->trail.places[p].head->settled;
        const struct points *lists[2] = {&head->plain, &head->issued};
        for (int l = 0; l < 2; l++) {
            size_t first = points_seek(lists[l], 0, scan->at_us);
            if (first == lists[l]->n || lists[l]->t_us[first] >= limit_us)
                continue;
            end_us = limit_us;
            if (first + HEAD_ROWS_MAX >= lists[l]->n || lists[l]->t_us[first + HEAD_ROWS_MAX] >= limit_us)
                continue;
            /* the issues of one time stay together, however many */
            int64_t next_us = lists[l]->t_us[first + HEAD_ROWS_MAX];
            limit_us = end_us = next_us > lists[l]->t_us[first] ? next_us : next_us + 1;
        }
    }
    return end_us;
}

static int give_head(struct scan *scan, int64_t limit_us, struct points *points)
{
    int64_t end_us = head_end(scan, limit_us);
    struct group group = {.begin_us = scan->at_us, .end_us = end_us > scan->at_us ? end_us : limit_us};
    int rc = end_us > scan->at_us ? settle_group(scan, &group, points) : 0;
    scan->at_us = group.end_us;
    return rc;
}

/* ---- the scan ---- */

int scan_open(struct view *view, uint32_t series_id, int64_t begin_us, int64_t end_us, unsigned want,
              struct scan **ret_scan)
{
    struct scan *scan = calloc(1, sizeof(*scan));
    if (!scan)
        return ERR_NOMEM;
    scan->want = want;
    scan->quota = view->quota;
    int rc = begin_us < end_us ? trail_open(view, series_id, begin_us, end_us, &scan->trail) : 0;
    scan->rows.is_state = scan->trail.is_state;
    if (!rc) {
        scan->deletions = calloc(scan->trail.n_places + 1, sizeof(*scan->deletions));
        scan->settled_deletions = calloc(scan->trail.n_places + 1, sizeof(*scan->settled_deletions));
        rc = scan->deletions && scan->settled_deletions ? 0 : ERR_NOMEM;
    }
    if (rc) {
        scan_close(scan);
        return rc;
    }
    *ret_scan = scan;
    return 0;
}

int scan_open_known(struct view *view, uint32_t series_id, const struct scan_options *options, struct scan **ret_scan)
{
    if (knowledge_is_all(&options->knowledge))
        return scan_open(view, series_id, options->begin_us, options->end_us, options->want, ret_scan);
    struct scan *scan = calloc(1, sizeof(*scan));
    if (!scan)
        return ERR_NOMEM;
    scan->quota = view->quota;
    int rc = known_open(view, series_id, options, &scan->known);
    if (rc) {
        scan_close(scan);
        return rc;
    }
    *ret_scan = scan;
    return 0;
}

int scan_step(struct scan *scan, struct points *points)
{
    if (scan->known)
        return known_next(scan->known, points);
    points_clear(points);
    while (!points->n && scan->step + 1 < scan->trail.n_cuts) {
        int64_t step_end_us = scan->trail.cuts[scan->step + 1];
        int rc = scan->in_step ? 0 : begin_step(scan);
        if (rc)
            return rc;
        bool has_group = scan->next_extent < scan->n_extents;
        struct group group = has_group ? next_group(scan) : (struct group){.begin_us = step_end_us};
        if (scan->at_us < group.begin_us)
            rc = give_head(scan, group.begin_us, points);
        else if (has_group)
            rc = give_group(scan, &group, points);
        if (rc)
            return rc;
        if (scan->at_us >= step_end_us) {
            end_step(scan);
            scan->step++;
        }
    }
    return points->n > 0;
}

/* What a group has in force when nothing needs to be read to know it. */
static uint64_t count_group(const struct scan *scan, const struct group *group)
{
    const struct extent *extent = &scan->extents[group->begin];
    bool is_whole = extent->begin_us >= scan->trail.begin_us && extent->last_us < scan->trail.end_us;
    bool is_simple = group->end - group->begin == 1 && extent->role == ROLE_PLAIN && is_alone(scan, group);
    return is_whole && is_simple ? (uint64_t)extent->n : 0;
}

int view_count_least(struct view *view, uint32_t series_id, int64_t begin_us, int64_t end_us, uint64_t *ret_n)
{
    struct scan *scan;
    uint64_t n = 0;
    int rc = scan_open(view, series_id, begin_us, end_us, 0, &scan);
    if (rc)
        return rc;
    if (scan->trail.n_places == 1) {
        const struct points *plain = &scan->trail.places[0].head->settled.plain; /* which are in force whatever lies below */
        n = points_seek(plain, 0, end_us) - points_seek(plain, 0, begin_us);
    }
    for (; !rc && scan->trail.n_places == 1 && scan->step + 1 < scan->trail.n_cuts; scan->step++) {
        rc = begin_step(scan);
        while (!rc && scan->next_extent < scan->n_extents) {
            struct group group = next_group(scan);
            n += count_group(scan, &group);
            scan->at_us = group.end_us;
            scan->next_extent = group.end;
        }
        end_step(scan);
    }
    scan_close(scan);
    if (!rc)
        *ret_n = n;
    return rc;
}

int scan_next(struct scan *scan, struct points *points)
{
    int rc = scan_step(scan, points);
    int over = rc > 0 ? quota_take_points(scan->quota, points->n) : 0;
    return over ? over : rc;
}

void scan_close(struct scan *scan)
{
    if (!scan)
        return;
    known_close(scan->known);
    end_step(scan);
    for (size_t p = 0; p < scan->trail.n_places; p++) {
        if (scan->deletions)
            deletions_free(&scan->deletions[p]);
        if (scan->settled_deletions)
            deletions_free(&scan->settled_deletions[p]);
    }
    free(scan->deletions);
    free(scan->settled_deletions);
    free(scan->files);
    free(scan->extents);
    rows_free(&scan->rows);
    settled_free(&scan->settled);
    points_free(&scan->points);
    chunk_rows_free(&scan->chunks);
    if (scan->trail.view)
        trail_close(&scan->trail);
    free(scan);
}
