#include <config.h>

#include "store/replay.h"

#include <stdlib.h>

#include "store/reader.h"

bool replay_any(const struct rows *rows)
{
    for (size_t i = 0; i < rows->n; i++)
        if (rows->at[i].replayed)
            return true;
    return false;
}

static int compare_spans(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    return x->begin_us < y->begin_us ? -1 : x->begin_us > y->begin_us;
}

/* The times of the replayed rows, apart and in order. */
static int find_times(const struct rows *rows, struct spans *times)
{
    size_t n = 0;
    struct span *all = malloc((rows->n + 1) * sizeof(*all));
    if (!all)
        return ERR_NOMEM;
    for (size_t i = 0; i < rows->n; i++) {
        const struct row *row = &rows->at[i];
        if (row->replayed)
            all[n++] = (struct span){row->t_us, row->op == OP_DELETE_RANGE ? row->t_us + row->period_us : row->t_us + 1};
    }
    qsort(all, n, sizeof(*all), compare_spans);
    int rc = 0;
    for (size_t i = 0; i < n && !rc; i++)
        rc = spans_add(times, all[i].begin_us, all[i].end_us);
    free(all);
    return rc;
}

static int add_deletions(struct rows *rows, uint32_t series_id, struct window_file *file, int64_t batch,
                         const struct spans *times, uint64_t order)
{
    struct deletions deletions = {0};
    int64_t begin_us = times->rows[0].begin_us, end_us = times->rows[times->n - 1].end_us;
    size_t first = rows->n;
    int rc = window_file_deletions(file, series_id, begin_us, end_us, batch, &deletions);
    if (!rc)
        rc = rows_add_deletions(rows, &deletions, begin_us, end_us, order);
    for (size_t i = first; i < rows->n; i++)
        rows->at[i].witness = true;
    deletions_free(&deletions);
    return rc;
}

/* Adds the readings of a chunk that lie in times; span is where to look first. */
static int add_chunk(struct rows *rows, const struct points *points, const struct spans *times, size_t span)
{
    int rc = 0;
    for (size_t i = 0; span < times->n && i < points->n && !rc; span++) {
        i = points_seek(points, i, times->rows[span].begin_us);
        size_t end = points_seek(points, i, times->rows[span].end_us);
        rc = rows_add_points(rows, points, i, end - i, STORED_RAW);
        i = end;
    }
    return rc;
}

static int add_sealed(struct rows *rows, uint32_t series_id, struct window_file *raw, enum role role,
                      const struct spans *times)
{
    struct chunk_rows chunks = {0};
    struct points points = {0};
    size_t span = 0;
    int rc = window_file_chunks(raw, series_id, role, times->rows[0].begin_us, times->rows[times->n - 1].end_us,
                                INT64_MAX - 1, &chunks);
    for (size_t i = 0; i < chunks.n && !rc; i++) {
        while (span < times->n && times->rows[span].end_us <= chunks.at[i].begin_us)
            span++;
        if (span == times->n || times->rows[span].begin_us > chunks.at[i].last_us)
            continue;
        points_clear(&points);
        rc = window_file_read(raw, series_id, role, chunks.at[i].id, POINTS_ALL, &points);
        rc = rc ? rc : add_chunk(rows, &points, times, span);
    }
    points_free(&points);
    chunk_rows_free(&chunks);
    return rc;
}

int replay_meet(struct rows *rows, uint32_t series_id, struct window_file *open, int64_t batch, struct window_file *raw)
{
    struct spans times = {0};
    int rc = find_times(rows, &times);
    if (!rc && raw) { /* deletions first: they do not concern the readings of their own file */
        rc = add_deletions(rows, series_id, raw, INT64_MAX - 1, &times, STORED_RAW);
        rc = rc ? rc : add_sealed(rows, series_id, raw, ROLE_PLAIN, &times);
        rc = rc ? rc : add_sealed(rows, series_id, raw, ROLE_ISSUED, &times);
    }
    rc = rc ? rc : add_deletions(rows, series_id, open, batch, &times, STORED_DELETION);
    spans_free(&times);
    return rc;
}
