/* The table `revisions`: what was in force before. */
#include <config.h>

#include "vtab/table.h"

enum column {
    ENTITY, PROPERTY, TIME, T_US, VALUE, QUALITY, KNOWN, UNTIL, TYPE, UNIT, /* hidden: */ DECIMAL, SERIES, ISSUED_US, KNOWN_US,
    UNTIL_US, N_COLUMNS
};

#define COLUMNS                                                                                                              \
    "CREATE TABLE x(entity TEXT, property TEXT, time TEXT, t_us INTEGER, value, quality TEXT, known TEXT, until TEXT, "       \
    "type TEXT, unit TEXT, decimal TEXT HIDDEN, series INTEGER HIDDEN, issued_us INTEGER HIDDEN, known_us INTEGER HIDDEN, "    \
    "until_us INTEGER HIDDEN)"

static const enum meaning meanings[N_COLUMNS] = {
    [ENTITY] = MEANS_ENTITY, [PROPERTY] = MEANS_PROPERTY, [TIME] = MEANS_TIME,
    [T_US] = MEANS_T_US,     [TYPE] = MEANS_TYPE,         [UNIT] = MEANS_UNIT,
};

struct revisions_cursor {
    struct cursor cursor;
    struct revisions *revisions;
    struct points points;
    const int64_t *until_ms;
    size_t i; /* the row */
};

static int begin(struct cursor *cursor, struct err_text *error)
{
    struct revisions_cursor *own = (struct revisions_cursor *)cursor;
    const struct instants *instants = &cursor->question.instants;
    (void)error;
    points_clear(&own->points);
    own->i = 0;
    return revisions_open(cursor->connection->view, cursor->info->id, instants->begin_us, instants->end_us, &own->revisions);
}

static int next(struct cursor *cursor, struct err_text *error)
{
    struct revisions_cursor *own = (struct revisions_cursor *)cursor;
    (void)error;
    do {
        if (++own->i >= own->points.n) {
            int rc = revisions_next(own->revisions, &own->points, &own->until_ms);
            if (rc <= 0)
                return rc;
            own->i = 0;
        }
    } while (!instants_have(&cursor->question.instants, own->points.t_us[own->i]));
    return 1;
}

static void end(struct cursor *cursor)
{
    struct revisions_cursor *own = (struct revisions_cursor *)cursor;
    revisions_close(own->revisions);
    own->revisions = NULL;
}

static void done(struct cursor *cursor)
{
    points_free(&((struct revisions_cursor *)cursor)->points);
}

static void put_column(struct cursor *cursor, sqlite3_context *context, int column)
{
    const struct revisions_cursor *own = (const struct revisions_cursor *)cursor;
    const struct points *points = &own->points;
    size_t i = own->i;
    bool ended = own->until_ms[i] != INT64_MIN;
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
    case KNOWN:
        value_time(context, points->known_ms[i] * 1000);
        break;
    case UNTIL:
        if (ended)
            value_time(context, own->until_ms[i] * 1000);
        break;
    case SERIES:
        sqlite3_result_int64(context, cursor->info->id);
        break;
    case ISSUED_US:
        value_issue(context, points->issued_us[i]);
        break;
    case KNOWN_US:
        sqlite3_result_int64(context, points->known_ms[i] * 1000);
        break;
    case UNTIL_US:
        if (ended)
            sqlite3_result_int64(context, own->until_ms[i] * 1000);
        break;
    default:
        cursor_series_column(cursor, context, meanings[column]);
    }
}

const struct table table_revisions = {
    .name = "revisions",
    .asked = {meanings, .by_time = true, .in_order = false, .rows = 1e5}, /* of one source after the other */
    .cursor_size = sizeof(struct revisions_cursor),
    .columns = COLUMNS,
    .begin = begin,
    .next = next,
    .end = end,
    .done = done,
    .column = put_column,
};
