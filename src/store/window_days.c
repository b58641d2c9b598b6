#include <config.h>

#include "store/window_days.h"

#include "common/civil.h"
#include "store/people.h"

void window_days_free(struct window_days *days)
{
    rows_free(&days->rows);
    settled_free(&days->settled);
    points_free(&days->points);
    chunk_rows_free(&days->chunks);
}

static int put_day(void *arg, const struct series_row *series, const struct day_row *row)
{
    return window_file_put_day(arg, series->id, row);
}

/* Adds the readings of a chunk that lie in [begin, end). */
static int add_chunk(struct window_days *days, struct window_file *file, uint32_t series_id, enum role role,
                     int64_t chunk_id, int64_t begin_us, int64_t end_us)
{
    points_clear(&days->points);
    int rc = window_file_read(file, series_id, role, chunk_id, POINTS_ALL, &days->points);
    size_t first = 0, n = days->points.n;
    while (first < n && days->points.t_us[first] < begin_us)
        first++;
    while (n > first && days->points.t_us[n - 1] >= end_us)
        n--;
    return rc ? rc : rows_add_points(&days->rows, &days->points, first, n - first, 0);
}

/* Makes days->points the readings in force of [begin, end) in this file alone. */
static int read_in_force(struct window_days *days, struct window_file *file, const struct series_row *series, int64_t mark,
                         int64_t begin_us, int64_t end_us)
{
    int rc = 0;
    rows_clear(&days->rows);
    days->rows.is_state = series->kind == KIND_STATE;
    for (enum role role = ROLE_PLAIN; role <= ROLE_ISSUED && !rc; role++) {
        rc = window_file_chunks(file, series->id, role, begin_us, end_us, mark, &days->chunks);
        for (size_t i = 0; i < days->chunks.n && !rc; i++)
            rc = add_chunk(days, file, series->id, role, days->chunks.at[i].id, begin_us, end_us);
    }
    if (!rc)
        rc = rows_settle(&days->rows, &days->settled);
    points_clear(&days->points);
    return rc ? rc : settled_in_force(&days->settled, days->rows.is_state, &days->points);
}

int window_days_write(struct window_days *days, struct window_file *file, const struct series_row *series, int64_t mark,
                      int64_t begin_us, int64_t end_us)
{
    int64_t begin = begin_us / US_PER_DAY - (begin_us % US_PER_DAY < 0);
    int64_t end = (end_us - 1) / US_PER_DAY + ((end_us - 1) % US_PER_DAY >= 0);
    int rc = read_in_force(days, file, series, mark, begin * US_PER_DAY, end * US_PER_DAY);
    rc = rc ? rc : window_file_drop_days(file, series->id, begin, end);
    return rc ? rc : people_days(series, &days->points, put_day, file);
}
