/* The table `rollup`: the aggregates of the range query, by steps. Buckets are whole, whatever the WHERE asks of their time:
 * a row does not depend on which other rows are asked for. */
#include <config.h>

#include "vtab/table.h"

#include <string.h>

#include "query/agg.h"
#include "query/range.h"

#define STEP_DEFAULT "PT15M"

/* In the order of their columns. */
static const enum agg aggs[] = {
    AGG_COUNT,  AGG_MEAN,   AGG_MIN, AGG_MAX,      AGG_FIRST,    AGG_LAST,    AGG_SUM,     AGG_INCREASE,
    AGG_STDDEV, AGG_MEDIAN, AGG_TWA, AGG_INTEGRAL, AGG_MINTIME, AGG_MAXTIME, AGG_COVERED,
};
#define N_AGGS ((int)(sizeof(aggs) / sizeof(*aggs)))

enum column {
    ENTITY, PROPERTY, STEP, TIME, AGG, AFTER_AGG = AGG + N_AGGS - 1, TYPE, UNIT, T_US, /* hidden: */ ZONE, SERIES, N_COLUMNS
};
#define COLUMNS                                                                                                              \
    "CREATE TABLE x(entity TEXT, property TEXT, step TEXT, time TEXT, count INTEGER, mean, min, max, first, last, sum, "      \
    "increase, stddev, median, twa, integral, mintime TEXT, maxtime TEXT, covered, "                                        \
    "type TEXT, unit TEXT, t_us INTEGER, zone TEXT HIDDEN, series INTEGER HIDDEN)"

static const enum meaning meanings[N_COLUMNS] = {
    [ENTITY] = MEANS_ENTITY, [PROPERTY] = MEANS_PROPERTY, [STEP] = MEANS_STEP, [TIME] = MEANS_TIME,
    [TYPE] = MEANS_TYPE,     [UNIT] = MEANS_UNIT,         [T_US] = MEANS_T_US, [ZONE] = MEANS_ZONE,
};

struct rollup_cursor {
    struct cursor cursor;
    struct range range;       /* what is asked of the series that has its turn */
    uint32_t id;              /* it, for the range's filter */
    int places[N_AGGS];        /* where each aggregate stands in a row; -1: the series has it not, or nobody asks */
    struct answer *answer;
    struct row row;
};

static int check(struct cursor *cursor, struct err_text *error)
{
    struct rollup_cursor *rollup = (struct rollup_cursor *)cursor;
    struct range *range = &rollup->range;
    const char *step = cursor->question.step ? cursor->question.step : STEP_DEFAULT, *zone = cursor->question.zone;
    *range = (struct range){.fill = FILL_NONE, .asof_us = INT64_MAX};
    if (zone && zone_open(zone, &range->zone))
        return err_set(error, ERR_INVALID, "there is no time zone \"%.64s\"; take a name of the IANA list such as "
                       "'Europe/Berlin'", zone);
    if (civil_parse_duration(step, strlen(step), true, &range->step))
        return err_set(error, ERR_INVALID, "\"%.64s\" is no step; take a duration such as 'PT15M', 'P1D' or '15m'", step);
    return grid_init(&range->grid, &range->step, range->zone, error);
}

/* Only what the statement needs is computed. */
static void choose_aggs(struct rollup_cursor *rollup)
{
    const struct cursor *cursor = &rollup->cursor;
    struct range *range = &rollup->range;
    range->n_aggs = 0;
    for (int i = 0; i < N_AGGS; i++) {
        rollup->places[i] = -1;
        if (!cursor_needs(cursor, AGG + i) || agg_check(aggs[i], cursor->info, NULL))
            continue;
        rollup->places[i] = (int)range->n_aggs;
        range->aggs[range->n_aggs++] = aggs[i];
    }
    if (!range->n_aggs)
        range->aggs[range->n_aggs++] = AGG_COUNT;
}

/* Amounts reach beyond the last reading by its period; four times that is plenty, and time without readings costs nothing. */
static int find_end(const struct cursor *cursor, int64_t last_us, int64_t *ret_end_us)
{
    struct points points = {0};
    struct scan *scan;
    *ret_end_us = last_us + 1;
    if (cursor->info->kind != KIND_INTERVAL)
        return 0;
    int rc = scan_open(cursor->connection->view, cursor->info->id, last_us, last_us + 1, POINTS_PERIOD, &scan);
    if (rc)
        return rc;
    rc = scan_next(scan, &points);
    if (rc > 0 && points.period_us[0] > (CIVIL_END_US - last_us) / 4)
        *ret_end_us = CIVIL_END_US;
    else if (rc > 0 && points.period_us[0])
        *ret_end_us = last_us + 4 * points.period_us[0];
    points_free(&points);
    scan_close(scan);
    return rc < 0 ? rc : 0;
}

/* The range of whole buckets that begin in [begin_us, end_us) of the question and may have readings. */
static int find_range(struct rollup_cursor *rollup)
{
    const struct cursor *cursor = &rollup->cursor;
    const struct grid *grid = &rollup->range.grid;
    struct series_stats stats;
    int64_t begin_us = cursor->question.instants.begin_us, end_us;
    rollup->range.from_us = rollup->range.to_us = 0;
    int rc = view_stats(cursor->connection->view, cursor->info->id, &stats);
    if (rc || !stats.count || (rc = find_end(cursor, stats.last_us, &end_us)))
        return rc;
    int64_t first_us = grid_start_us(grid, stats.first_us);
    begin_us = first_us > begin_us ? first_us : begin_us;
    end_us = end_us < cursor->question.instants.end_us ? end_us : cursor->question.instants.end_us;
    if (begin_us >= end_us)
        return 0;
    int64_t start_us = grid_start_us(grid, begin_us), last_us = grid_start_us(grid, end_us - 1);
    int64_t from_us = start_us < begin_us ? grid_next_us(grid, start_us) : start_us, to_us = grid_next_us(grid, last_us);
    if (from_us < to_us) {
        rollup->range.from_us = from_us;
        rollup->range.to_us = to_us < CIVIL_END_US ? to_us : CIVIL_END_US;
    }
    return 0;
}

static int begin(struct cursor *cursor, struct err_text *error)
{
    struct rollup_cursor *rollup = (struct rollup_cursor *)cursor;
    const struct series_info *info;
    const enum agg *answered;
    size_t n_answered;
    rollup->id = cursor->info->id;
    rollup->range.filter = (struct series_filter){.ids = &rollup->id, .n_ids = 1};
    choose_aggs(rollup);
    int rc = find_range(rollup);
    if (rc || rollup->range.from_us >= rollup->range.to_us)
        return rc;
    rc = answer_open(cursor->connection->reader, cursor->connection->view, &rollup->range, &rollup->answer, error);
    if (!rc)
        rc = answer_next_series(rollup->answer, &info, &answered, &n_answered);
    return rc < 0 ? rc : 0;
}

static int next(struct cursor *cursor, struct err_text *error)
{
    struct rollup_cursor *rollup = (struct rollup_cursor *)cursor;
    (void)error;
    int rc = 0;
    do
        rc = rollup->answer ? answer_next_row(rollup->answer, &rollup->row) : 0;
    while (rc > 0 && !instants_have(&cursor->question.instants, rollup->row.t_us));
    return rc;
}

static void end(struct cursor *cursor)
{
    struct rollup_cursor *rollup = (struct rollup_cursor *)cursor;
    answer_close(rollup->answer);
    rollup->answer = NULL;
}

static void done(struct cursor *cursor)
{
    (void)cursor; /* nothing is kept */
}

static void put_value(sqlite3_context *context, const struct value *value)
{
    switch (value->type) {
    case VALUE_DECIMAL:
        value_number(context, value->decimal);
        break;
    case VALUE_EXACT:
        value_exact(context, value->exact);
        break;
    case VALUE_COUNT:
        sqlite3_result_int64(context, (sqlite3_int64)value->count);
        break;
    case VALUE_TEXT:
        value_text(context, value->text);
        break;
    case VALUE_TIME:
        value_time(context, value->t_us);
        break;
    default:
        break;
    }
}

static void put_column(struct cursor *cursor, sqlite3_context *context, int column)
{
    const struct rollup_cursor *rollup = (const struct rollup_cursor *)cursor;
    switch (column) {
    case STEP:
        value_text(context, cursor->question.step ? cursor->question.step : STEP_DEFAULT);
        break;
    case TIME:
        value_time(context, rollup->row.t_us);
        break;
    case T_US:
        sqlite3_result_int64(context, rollup->row.t_us);
        break;
    case ZONE:
        if (cursor->question.zone)
            value_text(context, cursor->question.zone);
        break;
    case SERIES:
        sqlite3_result_int64(context, cursor->info->id);
        break;
    case ENTITY:
    case PROPERTY:
    case TYPE:
    case UNIT:
        cursor_series_column(cursor, context, meanings[column]);
        break;
    default:
        if (rollup->places[column - AGG] >= 0)
            put_value(context, &rollup->row.values[rollup->places[column - AGG]]);
    }
}

const struct table table_rollup = {
    .name = "rollup",
    .asked = {meanings, .by_time = true, .in_order = true, .rows = 1e7},
    .cursor_size = sizeof(struct rollup_cursor),
    .columns = COLUMNS,
    .check = check,
    .begin = begin,
    .next = next,
    .end = end,
    .done = done,
    .column = put_column,
};
