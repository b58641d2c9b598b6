#include <config.h>

#include "vtab/functions.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "rollup/bucket.h"

static void fail(sqlite3_context *context, const struct err_text *error)
{
    sqlite3_result_error(context, error->text, -1);
}

/* ---- arguments ---- */

static bool read_instant(sqlite3_context *context, sqlite3_value *value, const char *function, int64_t *ret_t_us)
{
    struct err_text error = {0};
    int64_t t_us = sqlite3_value_int64(value);
    if (sqlite3_value_numeric_type(value) == SQLITE_INTEGER && t_us >= CIVIL_MIN_US && t_us < CIVIL_END_US) {
        *ret_t_us = t_us;
        return true;
    }
    const char *text = (const char *)sqlite3_value_text(value);
    err_set(&error, ERR_INVALID, "%s: \"%.64s\" is no t_us; take microseconds since 1970, as the column t_us has them", function,
            text ? text : "");
    fail(context, &error);
    return false;
}

static bool read_zone(sqlite3_context *context, sqlite3_value *value, const char *function, const struct zone **ret_zone)
{
    struct err_text error = {0};
    const char *name = (const char *)sqlite3_value_text(value);
    if (name && zone_open(name, ret_zone) == 0)
        return true;
    err_set(&error, ERR_INVALID, "%s: there is no time zone \"%.64s\"; take a name of the IANA list such as 'Europe/Berlin'",
            function, name ? name : "");
    fail(context, &error);
    return false;
}

/* ---- local_time ---- */

static void local_time(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    const struct zone *zone;
    int64_t t_us;
    char text[CIVIL_TEXT_MAX];
    (void)argc;
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL || sqlite3_value_type(argv[1]) == SQLITE_NULL)
        return;
    if (!read_instant(context, argv[0], "local_time", &t_us) || !read_zone(context, argv[1], "local_time", &zone))
        return;
    size_t size = civil_print_rfc3339(text, t_us, zone_offset_s(zone, t_us), false);
    sqlite3_result_text(context, text, (int)size, SQLITE_TRANSIENT);
}

/* ---- bucket ---- */

/* Reading a step costs more than finding a bucket, and it is nearly always a constant: SQLite keeps the grid for that. */
static const struct grid *find_grid(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct err_text error = {0};
    struct duration step;
    const struct zone *zone = NULL;
    struct grid *grid = sqlite3_get_auxdata(context, 1);
    if (grid && (argc < 3 || sqlite3_get_auxdata(context, 2)))
        return grid;
    const char *text = (const char *)sqlite3_value_text(argv[1]);
    if (argc == 3 && !read_zone(context, argv[2], "bucket", &zone))
        return NULL;
    grid = malloc(sizeof(*grid));
    if (!text || !grid)
        sqlite3_result_error_nomem(context);
    else if (civil_parse_duration(text, strlen(text), true, &step))
        err_set(&error, ERR_INVALID, "bucket: \"%.64s\" is no step; take a duration such as 'PT15M', 'P1D' or '15m'", text);
    else
        (void)!grid_init(grid, &step, zone, &error);
    if (!text || !grid || *error.text) {
        if (*error.text)
            fail(context, &error);
        free(grid);
        return NULL;
    }
    if (argc == 3)
        sqlite3_set_auxdata(context, 2, (void *)zone, NULL);
    sqlite3_set_auxdata(context, 1, grid, free);
    return grid;
}

static void bucket(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    int64_t t_us;
    for (int i = 0; i < argc; i++)
        if (sqlite3_value_type(argv[i]) == SQLITE_NULL)
            return;
    const struct grid *grid = read_instant(context, argv[0], "bucket", &t_us) ? find_grid(context, argc, argv) : NULL;
    if (grid)
        sqlite3_result_int64(context, grid_start_us(grid, t_us));
}

int functions_add(sqlite3 *db)
{
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
    int rc = sqlite3_create_function_v2(db, "local_time", 2, flags, NULL, local_time, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_create_function_v2(db, "bucket", 2, flags, NULL, bucket, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_create_function_v2(db, "bucket", 3, flags, NULL, bucket, NULL, NULL, NULL);
    return rc;
}
