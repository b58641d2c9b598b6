#include <config.h>

#include "fake_source.h"

#include <fnmatch.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "query/foresee.h"
#include "query/newest.h"
#include "query/sliding.h"
#include "store/assets.h"
#include "store/snapshots.h"
#include "vtab/session.h"

struct fake_source fake_source = {.fail_at = -1};

const char *const agg_name[AGG_N] = {"mean", "min", "max", "sum", "count", "first", "last", [AGG_INTEGRAL] = "integral",
                                    [AGG_INCREASE] = "increase"};

enum agg agg_default(enum kind kind)
{
    return kind == KIND_INTERVAL ? AGG_SUM : kind == KIND_GAUGE ? AGG_MEAN : AGG_LAST;
}

size_t agg_choose(const struct range *range, const struct series_info *info, enum agg ret_aggs[static AGG_N])
{
    ret_aggs[0] = agg_default(info->kind);
    for (size_t i = 0; i < range->n_aggs; i++)
        ret_aggs[i] = range->aggs[i];
    return range->n_aggs ? range->n_aggs : 1;
}

int range_check_rows(const struct range *range, int64_t rows_max, struct err_text *error)
{
    (void)range, (void)rows_max, (void)error;
    return 0;
}

/* ---- the store ---- */

struct view {
    int n_arrived;
    char position[32];
};

int reader_dir_limit(struct reader_dir *dir, const struct globs *globs, struct quota *quota, struct reader_dir **ret_limited)
{
    (void)globs;
    fake_source.quota = quota;
    *ret_limited = dir;
    return 0;
}

const struct globs *reader_dir_limited_to(const struct reader_dir *dir)
{
    (void)dir;
    return NULL;
}

void reader_dir_close(struct reader_dir *dir)
{
    (void)dir;
}

bool reader_glob(const char *glob, const char *text)
{
    return !fnmatch(glob, text, 0);
}

static bool any_matches(const char *const *texts, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++)
        if (reader_glob(texts[i], text))
            return true;
    return !n;
}

static bool matches(const struct series_filter *filter, const struct series_info *info)
{
    bool id_found = !filter->n_ids;
    for (size_t i = 0; i < filter->n_ids; i++)
        id_found = id_found || filter->ids[i] == info->id;
    for (size_t i = 0; i < filter->n_words; i++)
        if (!strstr(info->entity, filter->words[i]))
            return false;
    return id_found && info->id > filter->after_id && any_matches(filter->entities, filter->n_entities, info->entity) &&
           any_matches(filter->types, filter->n_types, info->type) &&
           any_matches(filter->properties, filter->n_properties, info->property) &&
           any_matches(filter->units, filter->n_units, info->unit);
}

/* Scripted values are told as they are, whatever unit is asked for. */
int reader_units(struct reader_dir *dir, const struct unit_table **ret_units)
{
    (void)dir;
    *ret_units = NULL;
    return ERR_NOTFOUND;
}

int reader_series(struct reader_dir *dir, const struct series_filter *filter,
                  int (*row)(void *arg, const struct series_info *info), void *arg)
{
    (void)dir;
    for (size_t i = 0; i < fake_source.n_series; i++) {
        int rc = matches(filter, &fake_source.series[i].info) ? row(arg, &fake_source.series[i].info) : 0;
        if (rc)
            return rc;
    }
    return 0;
}

int view_open(struct reader_dir *dir, struct view **ret_view, struct err_text *error)
{
    (void)dir;
    (void)error;
    *ret_view = calloc(1, sizeof(**ret_view));
    if (!*ret_view)
        return ERR_NOMEM;
    (*ret_view)->n_arrived = atomic_load(&fake_source.n_arrived);
    snprintf((*ret_view)->position, sizeof((*ret_view)->position), "position-%d", (*ret_view)->n_arrived + 1);
    atomic_fetch_add(&fake_source.n_views, 1);
    return 0;
}

void view_close(struct view *view)
{
    if (view)
        atomic_fetch_sub(&fake_source.n_views, 1);
    free(view);
}

struct quota *reader_dir_quota(const struct reader_dir *dir)
{
    (void)dir;
    return fake_source.quota;
}

struct quota *view_quota(const struct view *view)
{
    (void)view;
    return NULL;
}

void view_uncount(struct view *view)
{
    (void)view;
}

int view_share(struct view *view, struct quota *quota, struct view **ret_view)
{
    (void)quota;
    *ret_view = malloc(sizeof(**ret_view));
    if (!*ret_view)
        return ERR_NOMEM;
    **ret_view = *view;
    atomic_fetch_add(&fake_source.n_views, 1);
    return 0;
}

int foresee_series(struct view *view, const struct range *range, uint32_t series_id, bool tiered, struct foreseen *foreseen)
{
    (void)view, (void)range, (void)series_id, (void)tiered, (void)foreseen;
    return 0;
}

int foresee_check(struct view *view, const struct range *range, const struct foreseen *foreseen)
{
    (void)view, (void)range, (void)foreseen;
    return 0;
}

bool view_is_partial(const struct view *view)
{
    (void)view;
    return fake_source.partial;
}

int64_t view_assets_version(const struct view *view)
{
    (void)view;
    return fake_source.assets_version;
}

int assets_place(struct reader_dir *dir, const char *entity, struct asset_place *ret_place, struct err_text *error)
{
    (void)dir;
    (void)entity;
    (void)ret_place;
    (void)error;
    return 0;
}

uint64_t answer_left_out(const struct answer *answer)
{
    (void)answer;
    return 0;
}

const char *view_position(const struct view *view)
{
    return view->position;
}

void view_changes_free(struct view_changes *changes)
{
    free(changes->rows);
}

int view_changes(struct view *view, const char *position, struct view_changes *ret_changes)
{
    bool known = !strncmp(position, "position-", 9) && atoi(position + 9) <= view->n_arrived + 1;
    if (!known)
        return strcmp(position, "long-ago") ? ERR_INVALID : ERR_EXPIRED;
    size_t size = fake_source.n_changes * sizeof(*ret_changes->rows);
    *ret_changes = (struct view_changes){.rows = malloc(size + 1), .n = fake_source.n_changes};
    if (!ret_changes->rows)
        return ERR_NOMEM;
    if (size)
        memcpy(ret_changes->rows, fake_source.changes, size);
    return 0;
}

/* ---- arrivals: of the first series, one a second from 1970 on, their numbers for values; the fourth takes back ---- */

struct arrivals {
    int next, end;
};

int arrivals_open(struct view *before, struct view *now, struct arrivals **ret_arrivals)
{
    if (fake_source.flushed)
        return ERR_EXPIRED;
    *ret_arrivals = calloc(1, sizeof(**ret_arrivals));
    if (!*ret_arrivals)
        return ERR_NOMEM;
    **ret_arrivals = (struct arrivals){before->n_arrived, now->n_arrived};
    return 0;
}

int arrivals_next(struct arrivals *arrivals, uint32_t *ret_series_id)
{
    *ret_series_id = fake_source.series[0].info.id;
    return arrivals->next < arrivals->end;
}

int arrivals_read(struct arrivals *arrivals, enum kind kind, size_t *ret_n)
{
    (void)kind;
    *ret_n = 1;
    arrivals->next++;
    return 0;
}

struct arrival arrivals_at(const struct arrivals *arrivals, size_t i)
{
    (void)i;
    int64_t t_us = arrivals->next * US_PER_SECOND;
    return (struct arrival){.t_us = t_us, .end_us = t_us + 1, .issued_us = ISSUED_NONE, .value = {arrivals->next, 0},
                            .deleted = arrivals->next == 4};
}

void arrivals_close(struct arrivals *arrivals)
{
    free(arrivals);
}

/* A scan has one reading, at its begin. */
struct scan {
    int64_t t_us;
    bool told;
};

int scan_open(struct view *view, uint32_t series_id, int64_t begin_us, int64_t end_us, unsigned want, struct scan **ret_scan)
{
    (void)view, (void)series_id, (void)end_us, (void)want;
    *ret_scan = calloc(1, sizeof(**ret_scan));
    if (!*ret_scan)
        return ERR_NOMEM;
    (*ret_scan)->t_us = begin_us;
    return 0;
}

int scan_next(struct scan *scan, struct points *points)
{
    points_clear(points);
    if (scan->told || points_reserve(points, 1))
        return scan->told ? 0 : ERR_NOMEM;
    scan->told = true;
    points->t_us[0] = scan->t_us;
    points->m[0] = 5;
    points->e[0] = 0;
    points->quality[0] = QUALITY_EDITED;
    points->n = 1;
    return 1;
}

void scan_close(struct scan *scan)
{
    free(scan);
}

int view_stamp(struct view *view, uint32_t series_id, int64_t begin_us, int64_t end_us, struct buf *out)
{
    (void)view;
    (void)series_id;
    buf_putc(out, (char)fake_source.stamp);
    buf_putc(out, (char)(end_us - begin_us > FAKE_STAMP_BEYOND_US ? fake_source.stamp_beyond : 0));
    return out->failed ? ERR_NOMEM : 0;
}

int view_stats(struct view *view, uint32_t series_id, struct series_stats *ret_stats)
{
    (void)view;
    for (size_t i = 0; i < fake_source.n_series; i++) {
        if (fake_source.series[i].info.id == series_id) {
            *ret_stats = fake_source.series[i].stats;
            return 0;
        }
    }
    return ERR_NOTFOUND;
}

/* ---- assets, in the order that the test gives them ---- */

static bool asset_matches(const struct asset_filter *filter, const struct asset *asset)
{
    return (!filter->kind || !strcmp(filter->kind, asset->kind)) && (!filter->id || !strcmp(filter->id, asset->id)) &&
           (!filter->parent_kind || !strcmp(filter->parent_kind, asset->parent_kind)) &&
           (!filter->parent || !strcmp(filter->parent, asset->parent)) &&
           (!filter->entity || !strcmp(filter->entity, asset->entity));
}

int assets_each(struct reader_dir *dir, const struct asset_filter *filter, int (*row)(void *arg, const struct asset *asset),
                void *arg, struct err_text *error)
{
    (void)dir, (void)error;
    for (size_t i = 0; i < fake_source.n_assets; i++) {
        int rc = asset_matches(filter, &fake_source.assets[i]) ? row(arg, &fake_source.assets[i]) : 0;
        if (rc)
            return rc;
    }
    return 0;
}

int optimization_each(struct reader_dir *dir, const struct optimization_filter *filter,
                      int (*row)(void *arg, const struct optimization *output), void *arg, struct err_text *error)
{
    (void)dir, (void)error;
    for (size_t i = 0; i < fake_source.n_outputs; i++) {
        const struct optimization *output = &fake_source.outputs[i];
        bool fits = output->received_us >= filter->from_us && output->received_us < filter->to_us;
        int rc = fits ? row(arg, output) : 0;
        if (rc)
            return rc;
    }
    return 0;
}

/* ---- the newest: at the last time of the statistics, of which 12.50 or "on"; none when that is not before the end ---- */

int newest_find(struct view *view, uint32_t series_id, const struct series_stats *stats, int64_t end_us,
                struct newest *ret_newest)
{
    (void)view, (void)series_id;
    if (end_us == FAKE_EXPIRED_US + 1)
        return ERR_EXPIRED;
    if (!stats->count || stats->last_us >= end_us)
        return 0;
    *ret_newest = (struct newest){.t_us = stats->last_us, .value = {1250, -2}, .state = "on",
                                  .quality = stats->n_quality[QUALITY_ESTIMATED] ? QUALITY_ESTIMATED : QUALITY_MEASURED};
    return 1;
}

/* ---- windows: n_rows of them have a value, the number of the window and a half; their sums are exact, counts 7 ---- */

struct sliding {
    struct sliding_options options;
    int64_t n;
    struct exact sum;
};

int sliding_open(struct view *view, const struct sliding_options *options, struct sliding **ret_sliding)
{
    (void)view;
    *ret_sliding = calloc(1, sizeof(**ret_sliding));
    if (!*ret_sliding)
        return ERR_NOMEM;
    (*ret_sliding)->options = *options;
    atomic_fetch_add(&fake_source.n_answers, 1);
    return 0;
}

int sliding_next(struct sliding *sliding, int64_t *ret_t_us, struct value *ret_value)
{
    int64_t n = sliding->n, t_us = sliding->options.start_us + (n ? n * sliding->options.step_us : 0);
    if (n == fake_source.fail_at)
        return ERR_EXPIRED;
    if (n >= fake_source.n_rows || t_us > sliding->options.end_us)
        return 0;
    sliding->n++;
    sliding->sum = (struct exact){0};
    exact_add(&sliding->sum, (struct decimal){10 * n + 5, -1});
    *ret_t_us = t_us;
    if (sliding->options.fn == SLIDING_COUNT)
        *ret_value = (struct value){.type = VALUE_COUNT, .count = 7};
    else if (sliding->options.fn == SLIDING_SUM)
        *ret_value = (struct value){.type = VALUE_EXACT, .exact = &sliding->sum};
    else
        *ret_value = (struct value){.type = VALUE_DECIMAL, .decimal = {10 * n + 5, -1}};
    return 1;
}

void sliding_close(struct sliding *sliding)
{
    if (sliding)
        atomic_fetch_sub(&fake_source.n_answers, 1);
    free(sliding);
}

/* ---- gaps: of each series one run of a slot is missing, at the begin of the range ---- */

struct gaps {
    struct gaps_options options;
    bool told;
};

int gaps_open(struct view *view, const struct series_info *info, const struct gaps_options *options, struct gaps **ret_gaps)
{
    (void)view, (void)info;
    *ret_gaps = calloc(1, sizeof(**ret_gaps));
    if (!*ret_gaps)
        return ERR_NOMEM;
    (*ret_gaps)->options = *options;
    return 0;
}

int gaps_next(struct gaps *gaps, struct span *ret_missing)
{
    int64_t begin_us = grid_start_us(gaps->options.grid, gaps->options.begin_us);
    *ret_missing = (struct span){begin_us, grid_next_us(gaps->options.grid, begin_us)};
    return !gaps->told && (gaps->told = true);
}

struct gaps_counts gaps_counts(const struct gaps *gaps)
{
    (void)gaps;
    return (struct gaps_counts){.never = 1, .expected = 4, .received = 3, .awaited = 2};
}

void gaps_close(struct gaps *gaps)
{
    free(gaps);
}

int gaps_period(struct view *view, const struct series_info *info, int64_t begin_us, int64_t end_us, int64_t *ret_period_us)
{
    (void)view, (void)info, (void)begin_us, (void)end_us;
    *ret_period_us = 15 * INT64_C(60000000);
    return 0;
}

int view_expired(struct view *view, uint32_t series_id, struct span *ret_span)
{
    (void)view;
    (void)series_id;
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

/* ---- the query ---- */

static int parse_one(const struct parameter *parameter, struct range *range, struct err_text *error)
{
    const char *name = parameter->name, *value = parameter->value;
    if (!strcmp(name, "from") || !strcmp(name, "to")) {
        int64_t *t_us = *name == 'f' ? &range->from_us : &range->to_us;
        if (civil_parse_rfc3339(value, strlen(value), t_us))
            return err_set_field(error, ERR_INVALID, name, "\"%s\" is no time", value);
    } else if (!strcmp(name, "step")) {
        range->raw = !strcmp(value, "raw");
        if (!range->raw && civil_parse_duration(value, strlen(value), true, &range->step))
            return err_set_field(error, ERR_INVALID, name, "\"%s\" is no step", value);
        return range->raw ? 0 : grid_init(&range->grid, &range->step, range->zone, error);
    } else if (!strcmp(name, "time")) {
        range->time = !strcmp(value, "ms") ? TIME_MS : !strcmp(value, "local") ? TIME_LOCAL : TIME_ISO;
    } else if (!strcmp(name, "layout")) {
        range->wide = !strcmp(value, "wide");
    } else if (!strcmp(name, "limit")) {
        range->limit = strtoll(value, NULL, 10);
    } else if (!strcmp(name, "tz")) {
        return zone_open(value, &range->zone);
    } else if (!strcmp(name, "entity")) {
        range->filter.entities = &parameter->value; /* lives as long as the request */
        range->filter.n_entities = 1;
    } else if (!strcmp(name, "property")) {
        range->filter.properties = &parameter->value;
        range->filter.n_properties = 1;
    } else if (!strcmp(name, "fill")) {
        range->fill = !strcmp(value, "none") ? FILL_NONE : FILL_NULL;
    } else if (!strcmp(name, "agg")) {
        for (int i = 0; i < AGG_N; i++)
            if (agg_name[i] && strstr(value, agg_name[i]))
                range->aggs[range->n_aggs++] = (enum agg)i;
    }
    return 0;
}

int range_parse(const struct parameter *parameters, size_t n, int64_t now_us, struct range *ret_range,
                struct err_text *error)
{
    struct range range = {.raw = true, .asof_us = INT64_MAX};
    int rc = 0;
    (void)now_us;
    for (size_t i = 0; !rc && i < n; i++)
        rc = parse_one(&parameters[i], &range, error);
    if (!rc)
        *ret_range = range;
    return rc;
}

void range_free(struct range *range)
{
    (void)range;
}

#define WIDE_MAX 16

struct answer {
    const struct range *range;
    size_t series_n;   /* of fake_source.series, begun so far */
    int64_t row_n;
    enum agg aggs[AGG_N];
    size_t n_aggs;
    struct value values[AGG_N];
    struct exact exacts[AGG_N];
    struct points points;
    struct wide_column wide[WIDE_MAX];
    struct sheet_column sheet[WIDE_MAX];
    int64_t m[WIDE_MAX], t_us;
    int8_t e[WIDE_MAX];
    const struct fake_series *series;
    char entity[64], property[64]; /* the only ones asked for, or "" */
};

int answer_open(struct reader_dir *dir, struct view *view, const struct range *range, struct answer **ret_answer,
                struct err_text *error)
{
    const char *entity = range->filter.n_entities ? range->filter.entities[0] : "";
    (void)dir;
    (void)view;
    if (!strcmp(entity, "nobody"))
        return err_set(error, ERR_NOTFOUND, "no series matches entity \"nobody\"");
    for (size_t i = 0; i < range->n_aggs; i++)
        for (size_t j = 0; j < fake_source.n_series; j++)
            if (range->aggs[i] == AGG_SUM && fake_source.series[j].info.kind == KIND_GAUGE &&
                matches(&range->filter, &fake_source.series[j].info))
                return err_set_field(error, ERR_MEANING, "agg", "a gauge has no sum: use mean");
    struct answer *answer = calloc(1, sizeof(*answer));
    if (!answer)
        return ERR_NOMEM;
    answer->range = range;
    strncpy(answer->entity, entity, sizeof(answer->entity) - 1);
    if (range->filter.n_properties)
        strncpy(answer->property, range->filter.properties[0], sizeof(answer->property) - 1);
    for (size_t i = 0; i < fake_source.n_series && i < WIDE_MAX; i++) {
        const struct series_info *info = &fake_source.series[i].info;
        answer->wide[i] = (struct wide_column){info, AGG_N, info->kind == KIND_STATE ? SHEET_TEXT : SHEET_NUMBER};
    }
    atomic_fetch_add(&fake_source.n_answers, 1);
    *ret_answer = answer;
    return 0;
}

int answer_next_series(struct answer *answer, const struct series_info **ret_info, const enum agg **ret_aggs,
                       size_t *ret_n_aggs)
{
    const struct range *range = answer->range;
    do {
        if (answer->series_n == fake_source.n_series)
            return 0;
        answer->series = &fake_source.series[answer->series_n++];
    } while ((*answer->entity && strcmp(answer->entity, answer->series->info.entity)) ||
             (*answer->property && strcmp(answer->property, answer->series->info.property)));
    answer->row_n = 0;
    answer->n_aggs = range->raw ? 0 : range->n_aggs ? range->n_aggs : 1;
    memcpy(answer->aggs, range->aggs, sizeof(answer->aggs));
    if (!range->n_aggs)
        answer->aggs[0] = agg_default(answer->series->info.kind);
    *ret_info = &answer->series->info;
    *ret_aggs = answer->aggs;
    *ret_n_aggs = answer->n_aggs;
    return 1;
}

void fake_value(enum kind kind, int64_t row, size_t column, struct value *ret_value, struct exact *exact)
{
    static const char *const states[] = {"on", "off, \"soft\"", "\xc3\xa4nd\xc3\xa9r\nung"};
    if (kind == KIND_STATE) {
        *ret_value = (struct value){.type = VALUE_TEXT, .text = states[row % 3]};
        return;
    }
    switch ((row + (int64_t)column) % 4) {
    case 0:
        *ret_value = (struct value){.type = VALUE_DECIMAL, .decimal = {12345 * row - 678, -2}};
        break;
    case 1:
        *exact = (struct exact){0};
        exact_add(exact, (struct decimal){row * 1000000007, -9});
        *ret_value = (struct value){.type = VALUE_EXACT, .exact = exact};
        break;
    case 2:
        *ret_value = (struct value){.type = VALUE_COUNT, .count = (uint64_t)row};
        break;
    default:
        *ret_value = (struct value){.type = VALUE_NULL};
    }
}

void fake_point(int64_t row, int64_t *ret_m, int8_t *ret_e)
{
    *ret_m = row % 4 == 0 ? 12345 * row - 678 : row % 4 == 1 ? row * 1000000007 : row;
    *ret_e = row % 4 == 0 ? -2 : row % 4 == 1 ? -9 : 0;
}

uint8_t fake_quality(const struct fake_series *series, int64_t row)
{
    return series->stats.n_quality[QUALITY_ESTIMATED] && row % 2 ? QUALITY_ESTIMATED | QUALITY_ROUNDED
                                                                  : QUALITY_MEASURED;
}

int answer_next_row(struct answer *answer, struct row *ret_row)
{
    int64_t row = answer->row_n;
    if (row == fake_source.fail_at)
        return ERR_EXPIRED;
    if (row == fake_source.n_rows)
        return 0;
    size_t n = answer->range->raw ? 1 : answer->n_aggs;
    for (size_t i = 0; i < n; i++)
        fake_value(answer->series->info.kind, row, i, &answer->values[i], &answer->exacts[i]);
    *ret_row = (struct row){
        .t_us = answer->range->from_us + row * fake_source.step_us,
        .quality = fake_quality(answer->series, row),
        .values = answer->values,
    };
    answer->row_n++;
    return 1;
}

bool answer_has_points(const struct answer *answer)
{
    return answer->range->raw;
}

int answer_next_points(struct answer *answer, size_t max, struct stretch *ret_stretch)
{
    struct row row;
    (void)max;
    int rc = answer_next_row(answer, &row);
    if (rc <= 0)
        return rc;
    bool is_state = answer->series->info.kind == KIND_STATE;
    int64_t m = 0;
    int8_t e = 0;
    points_clear(&answer->points);
    if (points_reserve(&answer->points, 1) || (is_state && texts_intern(&answer->points.texts, row.values[0].text,
                                                                       strlen(row.values[0].text), &m)))
        return ERR_NOMEM;
    if (!is_state)
        fake_point(answer->row_n - 1, &m, &e);
    answer->points.n = 1;
    answer->points.t_us[0] = row.t_us;
    answer->points.m[0] = m;
    answer->points.e[0] = e;
    answer->points.quality[0] = row.quality;
    *ret_stretch = (struct stretch){&answer->points, 0, 1};
    return 1;
}

/* A column a series, all at the same times, a row a sheet. */
const struct wide_column *answer_columns(const struct answer *answer, size_t *ret_n)
{
    *ret_n = fake_source.n_series < WIDE_MAX ? fake_source.n_series : WIDE_MAX;
    return answer->wide;
}

int answer_next_sheet(struct answer *answer, struct sheet *ret_sheet)
{
    size_t n;
    (void)answer_columns(answer, &n);
    if (answer->row_n == fake_source.fail_at)
        return ERR_EXPIRED;
    if (answer->row_n == fake_source.n_rows)
        return 0;
    texts_clear(&answer->points.texts);
    for (size_t i = 0; i < n; i++) {
        struct value value;
        struct exact exact;
        fake_value(fake_source.series[i].info.kind, answer->row_n, 0, &value, &exact);
        fake_point(answer->row_n, &answer->m[i], &answer->e[i]);
        if (value.type == VALUE_TEXT) {
            answer->e[i] = 0;
            if (texts_intern(&answer->points.texts, value.text, strlen(value.text), &answer->m[i]))
                return ERR_NOMEM;
        } else if (value.type == VALUE_NULL) {
            answer->m[i] = 0;
            answer->e[i] = SHEET_OTHER;
        }
        answer->sheet[i] = (struct sheet_column){&answer->m[i], &answer->e[i]};
    }
    answer->t_us = answer->range->from_us + answer->row_n++ * fake_source.step_us;
    *ret_sheet = (struct sheet){1, n, &answer->t_us, answer->sheet, &answer->points.texts, NULL};
    return 1;
}

const char *answer_cursor(struct answer *answer)
{
    (void)answer;
    return fake_source.cursor;
}

const char *answer_tiers(const struct answer *answer)
{
    return answer->range->raw ? "raw" : "15m,raw";
}

void answer_close(struct answer *answer)
{
    if (!answer)
        return;
    atomic_fetch_sub(&fake_source.n_answers, 1);
    points_free(&answer->points);
    free(answer);
}

/* ---- SQL: a statement "fail CODE" fails so, "wait" waits; any other gives n_rows rows of one value of each type, of which
 * that of "wide" has a long text ---- */

struct session {
    struct session_opts opts;
    bool waits, wide;
    int64_t row;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool closed;
} gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};

static void set_gate(bool closed)
{
    pthread_mutex_lock(&gate.lock);
    gate.closed = closed;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
}

void fake_hold(void)
{
    set_gate(true);
}

void fake_release(void)
{
    set_gate(false);
}

/* As a statement that computes: now and then it asks whether it should go on. True: it should. */
static bool wait_released(struct session *session)
{
    bool over = false;
    atomic_fetch_add(&fake_source.n_held, 1);
    pthread_mutex_lock(&gate.lock);
    while (gate.closed && !over) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 10000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&gate.changed, &gate.lock, &until);
        over = session->opts.is_over && session->opts.is_over(session->opts.arg);
    }
    pthread_mutex_unlock(&gate.lock);
    atomic_fetch_sub(&fake_source.n_held, 1);
    atomic_fetch_add(&fake_source.n_cancelled, over);
    return !over;
}

int session_open(const struct session_opts *opts, const char *sql, struct session **ret_session, struct err_text *error)
{
    if (!strncmp(sql, "fail ", 5))
        return err_set_field(error, (int)strtol(sql + 5, NULL, 10), "sql", "failed as it was told");
    struct session *session = calloc(1, sizeof(*session));
    if (!session)
        return ERR_NOMEM;
    *session = (struct session){.opts = *opts, .waits = !strcmp(sql, "wait"), .wide = !strcmp(sql, "wide"),
                                .row = -1};
    atomic_fetch_add(&fake_source.n_answers, 1);
    *ret_session = session;
    return 0;
}

void session_close(struct session *session)
{
    atomic_fetch_sub(&fake_source.n_answers, 1);
    free(session);
}

static const struct {
    const char *name;
    struct session_value value;
} sql_columns[] = {
    {"nothing", {SESSION_NULL, "", 0}}, {"n \"x\"", {SESSION_INTEGER, "-7", 2}}, {"r", {SESSION_REAL, "2.5", 3}},
    {"inf", {SESSION_REAL, "Inf", 3}},  {"text", {SESSION_TEXT, "a,\"b\"", 5}},  {"blob", {SESSION_BLOB, "\x00\xff", 2}},
};

size_t session_n_columns(const struct session *session)
{
    (void)session;
    return sizeof(sql_columns) / sizeof(*sql_columns);
}

const char *session_column(const struct session *session, size_t i)
{
    (void)session;
    return sql_columns[i].name;
}

const char *session_position(const struct session *session)
{
    (void)session;
    return "position";
}

int session_next(struct session *session, struct err_text *error)
{
    if (session->waits && !wait_released(session))
        return err_set(error, ERR_CANCELLED, "broken off");
    session->waits = false;
    if (++session->row == fake_source.fail_at)
        return err_set_field(error, ERR_LIMIT, "sql", "too long");
    return session->row < fake_source.n_rows;
}

struct session_value session_value(struct session *session, size_t i)
{
    static const char long_text[] = "a hundred thousand rows with this text in them are more than the system keeps of what is "
                                    "not taken";
    struct session_value value = sql_columns[i].value;
    if (session->wide && value.type == SESSION_TEXT)
        value = (struct session_value){SESSION_TEXT, long_text, sizeof(long_text) - 1};
    return value;
}

/* ---- snapshots ---- */

static int find_snapshot(const char *name, const char *field, struct err_text *error)
{
    int rc = !strcmp(name, "kept") ? 0 : !strcmp(name, "over") ? ERR_EXPIRED : ERR_NOTFOUND;
    return rc ? err_set_field(error, rc, field, "no snapshot \"%.64s\"", name) : 0;
}

int snapshots_take(struct snapshots *snapshots, const char *name, struct snapshot_info *ret_info, struct reader_dir **ret_dir,
                   struct err_text *error)
{
    (void)snapshots;
    int rc = find_snapshot(name, "snapshot", error);
    if (rc)
        return rc;
    *ret_info = (struct snapshot_info){.name = "kept", .created_us = FAKE_SNAPSHOT_US, .expires_us = FAKE_SNAPSHOT_END_US};
    *ret_dir = NULL;
    fake_source.n_snapshots++;
    return 0;
}

void snapshots_give(struct snapshots *snapshots, struct reader_dir *dir)
{
    (void)snapshots;
    (void)dir;
    fake_source.n_snapshots--;
}

int snapshots_list(struct snapshots *snapshots, const char *only,
                   int (*row)(void *arg, const struct snapshot_info *info), void *arg, struct err_text *error)
{
    (void)snapshots;
    (void)error;
    struct snapshot_info info = {.created_us = FAKE_SNAPSHOT_US, .expires_us = FAKE_SNAPSHOT_END_US, .position = "cG9z"};
    snprintf(info.name, sizeof(info.name), "%s", only ? only : "kept");
    return row(arg, &info);
}

int snapshots_make(struct snapshots *snapshots, const char *name, const struct duration *keep, struct err_text *error)
{
    (void)snapshots;
    if (!strcmp(name, "kept"))
        return err_set_field(error, ERR_EXISTS, "name", "there already");
    return keep->days == 90 || keep->us == US_PER_HOUR ? 0 : err_set_field(error, ERR_INVALID, "keep", "another time");
}

int snapshots_drop(struct snapshots *snapshots, const char *name, struct err_text *error)
{
    (void)snapshots;
    return find_snapshot(name, "name", error);
}
