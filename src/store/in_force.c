#include <config.h>

#include "store/in_force.h"

void in_force_free(struct in_force *in_force)
{
    points_free(&in_force->points);
    points_free(&in_force->chunk);
    rows_free(&in_force->rows);
    settled_free(&in_force->settled);
    chunk_rows_free(&in_force->chunks);
}

int in_force_read(struct in_force *in_force, struct window_file *file, const struct series_row *series, struct window window,
                  int64_t mark)
{
    int rc = 0;
    rows_clear(&in_force->rows);
    in_force->rows.is_state = series->kind == KIND_STATE;
    for (enum role role = ROLE_PLAIN; role <= ROLE_ISSUED && !rc; role++) {
        rc = window_file_chunks(file, series->id, role, window.begin_us, window.end_us, mark, &in_force->chunks);
        for (size_t i = 0; i < in_force->chunks.n && !rc; i++) {
            struct points *chunk = &in_force->chunk;
            points_clear(chunk);
            rc = window_file_read(file, series->id, role, in_force->chunks.at[i].id, POINTS_ALL, chunk);
            size_t first = points_seek(chunk, 0, window.begin_us), end = points_seek(chunk, first, window.end_us);
            if (!rc)
                rc = rows_add_points(&in_force->rows, chunk, first, end - first, 0);
        }
    }
    if (!rc)
        rc = rows_settle(&in_force->rows, &in_force->settled);
    points_clear(&in_force->points);
    return rc ? rc : settled_in_force(&in_force->settled, in_force->rows.is_state, &in_force->points);
}
