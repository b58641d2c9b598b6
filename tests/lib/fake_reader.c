#include <config.h>

#include "fake_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/civil.h"
#include "random.h"
#include "store/assets.h"

struct fake_reader fake_reader;

/* ---- series ---- */

static bool glob(const char *pattern, const char *text)
{
    if (*pattern == '*')
        return glob(pattern + 1, text) || (*text && glob(pattern, text + 1));
    if (!*text || !*pattern)
        return *text == *pattern;
    return (*pattern == '?' || *pattern == *text) && glob(pattern + 1, text + 1);
}

static bool any_glob(const char *const *patterns, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++)
        if (glob(patterns[i], text))
            return true;
    return !n;
}

static bool matches(const struct series_filter *filter, const struct series_info *info)
{
    bool id_found = !filter->n_ids;
    for (size_t i = 0; i < filter->n_ids; i++)
        id_found = id_found || filter->ids[i] == info->id;
    return id_found && info->id > filter->after_id && any_glob(filter->entities, filter->n_entities, info->entity) &&
           any_glob(filter->types, filter->n_types, info->type) &&
           any_glob(filter->properties, filter->n_properties, info->property);
}

int reader_series(struct reader_dir *dir, const struct series_filter *filter,
                  int (*row)(void *arg, const struct series_info *info), void *arg)
{
    (void)dir;
    fake_reader.n_walks++;
    for (size_t i = 0; i < fake_reader.n_series; i++) {
        const struct series_info *info = &fake_reader.series[i].info;
        int rc = matches(filter, info) ? row(arg, info) : 0;
        if (rc)
            return rc;
    }
    return 0;
}

static const struct fake_series *find_series(uint32_t id)
{
    for (size_t i = 0; i < fake_reader.n_series; i++)
        if (fake_reader.series[i].info.id == id)
            return &fake_reader.series[i];
    abort();
}

struct quota *view_quota(const struct view *view)
{
    (void)view;
    return fake_reader.quota;
}

int view_count_least(struct view *view, uint32_t series_id, int64_t begin_us, int64_t end_us, uint64_t *ret_n)
{
    const struct points *points = &find_series(series_id)->points;
    (void)view;
    *ret_n = points_seek(points, 0, end_us) - points_seek(points, 0, begin_us);
    return 0;
}

int view_stats(struct view *view, uint32_t series_id, struct series_stats *ret_stats)
{
    const struct points *points = &find_series(series_id)->points;
    (void)view;
    *ret_stats = (struct series_stats){.count = points->n};
    if (points->n) {
        ret_stats->first_us = points->t_us[0];
        ret_stats->last_us = points->t_us[points->n - 1];
    }
    return 0;
}

int reader_units(struct reader_dir *dir, const struct unit_table **ret_units)
{
    (void)dir;
    *ret_units = fake_reader.units;
    return 0;
}

/* What was carried over is where a test says so. */
int view_carry(struct view *view, uint32_t series_id, struct points *points)
{
    const struct points *carry = &find_series(series_id)->carry;
    (void)view;
    for (size_t i = 0; i < carry->n; i++)
        if (points_append(points, carry, i, false))
            return ERR_NOMEM;
    return 0;
}

int view_expired(struct view *view, uint32_t series_id, struct span *ret_span)
{
    (void)view, (void)series_id;
    *ret_span = (struct span){0};
    return 0;
}

int view_left(struct view *view, uint32_t series_id, const enum tier *tier, int64_t begin_us, int64_t end_us,
              int64_t *ret_left_us)
{
    (void)view, (void)series_id, (void)tier, (void)end_us;
    *ret_left_us = begin_us;
    return 0;
}

/* ---- readings ---- */

struct scan {
    const struct fake_series *series;
    size_t next, end;
    unsigned want;
    struct knowledge knowledge;
    uint64_t seed;
};

int scan_open(struct view *view, uint32_t series_id, int64_t begin_us, int64_t end_us, unsigned want,
              struct scan **ret_scan)
{
    (void)view;
    struct scan *scan = calloc(1, sizeof(*scan));
    if (!scan)
        return ERR_NOMEM;
    scan->series = find_series(series_id);
    scan->next = points_seek(&scan->series->points, 0, begin_us);
    scan->end = points_seek(&scan->series->points, scan->next, end_us);
    scan->want = want;
    scan->knowledge = KNOWLEDGE_ALL;
    scan->seed = fake_reader.seed;
    fake_reader.n_scans++;
    *ret_scan = scan;
    return 0;
}

static void copy_rows(const struct scan *scan, size_t n, struct points *points)
{
    const struct points *from = &scan->series->points;
    memcpy(points->t_us, from->t_us + scan->next, n * sizeof(*points->t_us));
    memcpy(points->m, from->m + scan->next, n * sizeof(*points->m));
    memcpy(points->e, from->e + scan->next, n);
    memcpy(points->quality, from->quality + scan->next, n);
    memcpy(points->period_us, from->period_us + scan->next, n * sizeof(*points->period_us));
    memcpy(points->issued_us, from->issued_us + scan->next, n * sizeof(*points->issued_us));
    memcpy(points->known_ms, from->known_ms + scan->next, n * sizeof(*points->known_ms));
    points->n = n;
}

/* Each reading has one version, known as it says. */
static bool is_known(const struct knowledge *knowledge, int64_t t_us, int64_t issued_us, int64_t known_ms)
{
    int64_t available_us = issued_us != ISSUED_NONE ? issued_us : known_ms * 1000;
    bool early = knowledge->lead_us == INT64_MIN || (issued_us != ISSUED_NONE && issued_us + knowledge->lead_us <= t_us);
    return early && available_us <= knowledge->asof_us;
}

bool knowledge_has(const struct knowledge *knowledge, const struct points *points, size_t i)
{
    return is_known(knowledge, points->t_us[i], points->issued_us[i], points->known_ms[i]);
}

int view_known_from(struct view *view, uint32_t series_id, int64_t begin_us, int64_t end_us, int64_t *ret_from_us)
{
    (void)view, (void)series_id, (void)begin_us, (void)end_us;
    *ret_from_us = fake_reader.known_from_us ? fake_reader.known_from_us : INT64_MIN;
    return 0;
}

int scan_open_known(struct view *view, uint32_t series_id, const struct scan_options *options, struct scan **ret_scan)
{
    int rc = scan_open(view, series_id, options->begin_us, options->end_us, options->want, ret_scan);
    if (!rc)
        (*ret_scan)->knowledge = options->knowledge;
    return rc;
}

/* Takes out what was not known. */
static void drop_unknown(const struct scan *scan, struct points *points)
{
    const struct points *from = &scan->series->points;
    size_t n = 0;
    for (size_t i = 0; i < points->n; i++) {
        size_t at = scan->next + i;
        if (!is_known(&scan->knowledge, from->t_us[at], from->issued_us[at], from->known_ms[at]))
            continue;
        points->t_us[n] = points->t_us[i];
        points->m[n] = points->m[i];
        points->e[n] = points->e[i];
        points->quality[n] = points->quality[i];
        points->issued_us[n] = points->issued_us[i];
        points->known_ms[n] = points->known_ms[i];
        points->period_us[n++] = points->period_us[i];
    }
    points->n = n;
}

static int read_rows(struct scan *scan, struct points *points)
{
    bool is_state = scan->series->info.kind == KIND_STATE;
    size_t max = fake_reader.rows_max ? 1 + random_u64(&scan->seed) % fake_reader.rows_max : 4096;
    points_clear(points);
    if (fake_reader.fail_scan)
        return fake_reader.fail_scan;
    size_t n = scan->end - scan->next < max ? scan->end - scan->next : max;
    if (points_reserve(points, n))
        return ERR_NOMEM;
    for (size_t i = 0; i < n && is_state; i++)
        if (points_append(points, &scan->series->points, scan->next + i, true))
            return ERR_NOMEM;
    if (!is_state && n)
        copy_rows(scan, n, points);
    if (!knowledge_is_all(&scan->knowledge))
        drop_unknown(scan, points);
    for (size_t i = 0; i < points->n; i++) { /* columns that were not asked for */
        points->period_us[i] = scan->want & POINTS_PERIOD ? points->period_us[i] : INT64_MAX;
        points->issued_us[i] = scan->want & POINTS_ISSUED ? points->issued_us[i] : INT64_MAX;
        points->known_ms[i] = scan->want & POINTS_KNOWN ? points->known_ms[i] : INT64_MAX;
    }
    scan->next += n;
    fake_reader.n_rows += n;
    return n > 0;
}

int scan_next(struct scan *scan, struct points *points)
{
    int rc;
    while ((rc = read_rows(scan, points)) > 0 && !points->n)
        continue;
    int over = rc > 0 ? quota_take_points(fake_reader.quota, points->n) : 0;
    return over ? over : rc;
}

void scan_close(struct scan *scan)
{
    free(scan);
}

/* ---- cells ---- */

void spans_free(struct spans *spans)
{
    free(spans->rows);
    *spans = (struct spans){0};
}

int spans_add(struct spans *spans, int64_t begin_us, int64_t end_us)
{
    if (spans->n && spans->rows[spans->n - 1].end_us == begin_us) {
        spans->rows[spans->n - 1].end_us = end_us;
        return 0;
    }
    struct span *rows = reallocarray(spans->rows, spans->n + 1, sizeof(*rows));
    if (!rows)
        return ERR_NOMEM;
    spans->rows = rows;
    spans->rows[spans->n++] = (struct span){begin_us, end_us};
    return 0;
}

static bool is_raw(uint32_t series_id, int64_t begin_us)
{
    uint64_t seed = fake_reader.seed ^ series_id ^ (uint64_t)begin_us * UINT64_C(0x9e3779b97f4a7c15);
    return random_u64(&seed) % 100 < fake_reader.raw_percent;
}

/* Cells whose use is forbidden are there, too, and wrong. */
static void spoil(struct cells *cells, size_t first)
{
    for (size_t i = first; i < cells->n; i++) {
        cells->rows[i].count += 7;
        exact_add(&cells->rows[i].sum, (struct decimal){12345, 3});
        cells->rows[i].min = (struct decimal){-99, 15};
        cells->rows[i].last = (struct decimal){99, 15};
    }
}

/* Time falls into parts of some cells, each with its cells or raw; a part with an amount that goes on in the next cell has
 * no cells, as the store has it of a window. */
int view_cells(struct view *view, uint32_t series_id, enum tier tier, int64_t begin_us, int64_t end_us,
               struct cells *cells, struct spans *ret_raw)
{
    const struct fake_series *series = find_series(series_id);
    struct cell_options options = {series->info.kind, tier_width_us[tier], MAX_GAP_DEFAULT_US};
    int64_t part_us = 5 * tier_width_us[tier];
    (void)view;
    if (begin_us % tier_width_us[tier] || end_us % tier_width_us[tier])
        abort();
    size_t row = points_seek(&series->points, 0, begin_us), last = points_seek(&series->points, row, end_us);
    int64_t t_us = begin_us;
    while (t_us < end_us) {
        bool is_cut = false, empty = row == last;
        int64_t next_us = t_us - ((t_us % part_us) + part_us) % part_us + part_us;
        next_us = empty || next_us > end_us ? end_us : next_us;
        size_t first = cells->n, next = points_seek(&series->points, row, next_us);
        if (!empty && cells_compute(&series->points, row, next - row, &options, cells, &is_cut))
            return ERR_NOMEM;
        if (is_cut || (!empty && is_raw(series_id, t_us))) {
            spoil(cells, first);
            if (spans_add(ret_raw, t_us, next_us))
                return ERR_NOMEM;
        } else {
            fake_reader.n_cells += cells->n - first;
        }
        t_us = next_us;
        row = next;
    }
    return 0;
}

int assets_place(struct reader_dir *dir, const char *entity, struct asset_place *ret_place, struct err_text *error)
{
    (void)dir;
    (void)error;
    for (const struct fake_place *place = fake_reader.places; place && place->entity; place++) {
        if (strcmp(place->entity, entity) != 0)
            continue;
        snprintf(ret_place->board, sizeof(ret_place->board), "%s", place->board);
        snprintf(ret_place->location, sizeof(ret_place->location), "%s", place->location);
        return 1;
    }
    return 0;
}
