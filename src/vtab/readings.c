/* The table `readings`: what is in force. And `last`: of each series the newest of these. */
#include <config.h>

#include "vtab/table.h"

enum column {
    ENTITY, TYPE, PROPERTY, UNIT, TIME, T_US, VALUE, QUALITY, /* hidden: */ DECIMAL, SERIES, PERIOD_US, ISSUED_US, KNOWN_US,
    N_COLUMNS
};

#define COLUMNS                                                                                                              \
    "CREATE TABLE x(entity TEXT, type TEXT, property TEXT, unit TEXT, time TEXT, t_us INTEGER, value, quality TEXT, "        \
    "decimal TEXT HIDDEN, series INTEGER HIDDEN, period_us INTEGER HIDDEN, issued_us INTEGER HIDDEN, known_us INTEGER HIDDEN)"

static const enum meaning meanings[N_COLUMNS] = {
    [ENTITY] = MEANS_ENTITY, [TYPE] = MEANS_TYPE, [PROPERTY] = MEANS_PROPERTY,
    [UNIT] = MEANS_UNIT,     [TIME] = MEANS_TIME, [T_US] = MEANS_T_US,
};

struct readings_cursor {
    struct cursor cursor;
    struct scan *scan;
    struct points points;
    size_t i; /* the row; behind the points read so far before the first one */
};

static unsigned wanted(const struct cursor *cursor)
{
    return (cursor_needs(cursor, PERIOD_US) ? POINTS_PERIOD : 0U) | (cursor_needs(cursor, ISSUED_US) ? POINTS_ISSUED : 0U) |
           (cursor_needs(cursor, KNOWN_US) ? POINTS_KNOWN : 0U);
}

static int open_scan(struct readings_cursor *readings, int64_t begin_us, int64_t end_us)
{
    struct cursor *cursor = &readings->cursor;
    points_clear(&readings->points);
    readings->i = 0;
    return scan_open(cursor->connection->view, cursor->info->id, begin_us, end_us, wanted(cursor), &readings->scan);
}

static int begin_readings(struct cursor *cursor, struct err_text *error)
{
    const struct instants *instants = &cursor->question.instants;
    (void)error;
    return open_scan((struct readings_cursor *)cursor, instants->begin_us, instants->end_us);
}

static int begin_last(struct cursor *cursor, struct err_text *error)
{
    struct series_stats stats;
    (void)error;
    int rc = view_stats(cursor->connection->view, cursor->info->id, &stats);
    if (rc || !stats.count)
        return rc;
    return open_scan((struct readings_cursor *)cursor, stats.last_us, stats.last_us + 1);
}

static int next(struct cursor *cursor, struct err_text *error)
{
    struct readings_cursor *readings = (struct readings_cursor *)cursor;
    struct points *points = &readings->points;
    (void)error;
    if (!readings->scan)
        return 0;
    do {
        if (++readings->i >= points->n) {
            int rc = scan_next(readings->scan, points);
            if (rc <= 0)
                return rc;
            readings->i = 0;
        }
    } while (!instants_have(&cursor->question.instants, points->t_us[readings->i]));
    return 1;
}

static void end(struct cursor *cursor)
{
    struct readings_cursor *readings = (struct readings_cursor *)cursor;
    scan_close(readings->scan);
    readings->scan = NULL;
}

static void done(struct cursor *cursor)
{
    points_free(&((struct readings_cursor *)cursor)->points);
}

static void put_column(struct cursor *cursor, sqlite3_context *context, int column)
{
    const struct readings_cursor *readings = (const struct readings_cursor *)cursor;
    const struct points *points = &readings->points;
    size_t i = readings->i;
    switch ((enum column)column) {
    case TIME:
        value_time(context, points->t_us[i]);
        break;
    case T_US:
        sqlite3_result_int64(context, points->t_us[i]);
        break;
    case VALUE:
    case DECIMAL:
        value_point(context, points, i, cursor->info->kind, column == DECIMAL);
        break;
    case QUALITY:
        value_quality(context, points->quality[i]);
        break;
    case SERIES:
        sqlite3_result_int64(context, cursor->info->id);
        break;
    case PERIOD_US:
        if (points->period_us[i])
            sqlite3_result_int64(context, points->period_us[i]);
        break;
    case ISSUED_US:
        value_issue(context, points->issued_us[i]);
        break;
    case KNOWN_US:
        sqlite3_result_int64(context, points->known_ms[i] * 1000);
        break;
    default:
        cursor_series_column(cursor, context, meanings[column]);
    }
}

const struct table table_readings = {
    .name = "readings",
    .asked = {meanings, .by_time = true, .in_order = true, .rows = 1e8},
    .cursor_size = sizeof(struct readings_cursor),
    .columns = COLUMNS,
    .begin = begin_readings,
    .next = next,
    .end = end,
    .done = done,
    .column = put_column,
};

const struct table table_last = {
    .name = "last",
    .asked = {meanings, .by_time = false, .in_order = true, .rows = 1e4},
    .cursor_size = sizeof(struct readings_cursor),
    .columns = COLUMNS,
    .begin = begin_last,
    .next = next,
    .end = end,
    .done = done,
    .column = put_column,
};
