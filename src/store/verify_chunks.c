#include <config.h>

#include "store/verify_window_inside.h"

#include <string.h>

#include "codec/chunk.h"

static void count_classes(const struct points *points, int64_t n_class[static QUALITY_N])
{
    memset(n_class, 0, QUALITY_N * sizeof(*n_class));
    for (size_t i = 0; i < points->n; i++) {
        unsigned class = points->quality[i] & QUALITY_CLASS_MASK;
        n_class[class < QUALITY_N ? class : QUALITY_SUSPECT]++;
    }
}

/* The statistics of rows [begin, begin + n) of points, as docs/FORMAT.md says when there are any. */
static struct chunk_vector compute_stats(const struct points *points, size_t begin, size_t n, const struct chunk *chunk)
{
    struct chunk_vector stats = {.n = (uint32_t)n, .valid = !chunk->state, .first_us = points->t_us[begin],
                                 .last_us = points->t_us[begin + n - 1], .min = INT64_MAX, .max = INT64_MIN};
    for (size_t i = begin; i < begin + n; i++) {
        int64_t m = points->m[i];
        bool counts = (points->quality[i] & QUALITY_CLASS_MASK) != QUALITY_SUSPECT && points->issued_us[i] == ISSUED_NONE &&
                      points->e[i] == chunk->e && (i == begin || points->t_us[i] > points->t_us[i - 1]);
        stats.valid = stats.valid && counts;
        stats.min = m < stats.min ? m : stats.min;
        stats.max = m > stats.max ? m : stats.max;
        stats.sum += m;
    }
    stats.first = points->m[begin];
    stats.last = points->m[begin + n - 1];
    return stats;
}

static bool same_stats(const struct chunk *chunk, const struct points *points)
{
    for (uint32_t v = 0; v < chunk->n_vectors; v++) {
        const struct chunk_vector *found = &chunk->vectors[v];
        size_t begin = (size_t)v * LIMIT_VECTOR_POINTS, left = points->n - begin;
        struct chunk_vector right = compute_stats(points, begin, left < LIMIT_VECTOR_POINTS ? left : LIMIT_VECTOR_POINTS,
                                                  chunk);
        if (found->n != right.n || found->first_us != right.first_us ||
            found->last_us != right.last_us || found->valid != right.valid)
            return false;
        if (found->valid && (found->min != right.min || found->max != right.max || found->first != right.first ||
                            found->last != right.last || found->sum != right.sum))
            return false;
    }
    return true;
}

/* What every reading of a role has to fulfil; NULL when all do. Revisions may stand at one time and issue together. */
static const char *find_odd_point(struct window_check *check, enum role role, bool in_order)
{
    const struct points *points = &check->points;
    const struct window *window = &check->main.file->window;
    for (size_t i = 0; i < points->n; i++) {
        int64_t t_us = points->t_us[i], issued_us = points->issued_us[i];
        if (t_us < window->begin_us || t_us >= window->end_us)
            return "a reading outside of the window";
        if (role != ROLE_REVISION && (issued_us == ISSUED_NONE) != (role == ROLE_PLAIN))
            return "a reading among those of another role";
        if ((points->quality[i] & QUALITY_CLASS_MASK) >= QUALITY_N ||
            (role != ROLE_REVISION && points->quality[i] & QUALITY_TAKEN_BACK))
            return "a reading of unknown quality";
        bool behind = t_us > check->last_us || (t_us == check->last_us && issued_us > check->last_issued_us);
        bool beside = t_us == check->last_us && issued_us == check->last_issued_us && role == ROLE_REVISION;
        if ((i || in_order) && !behind && !beside)
            return "readings that are not in the order of time";
        check->last_us = t_us;
        check->last_issued_us = issued_us;
    }
    return NULL;
}

/* What is wrong with a row of table chunk, or NULL; its readings are in check->points. */
static const char *find_wrong_chunk(struct window_check *check, sqlite3_stmt *stmt, enum role role)
{
    struct points *points = &check->points;
    struct chunk chunk;
    int64_t n_class[QUALITY_N], born = sqlite3_column_int64(stmt, 8), died = sqlite3_column_int64(stmt, 9);
    points_clear(points);
    int rc = chunk_open(sqlite3_column_blob(stmt, 10), (size_t)sqlite3_column_bytes(stmt, 10),
                        window_file_key(check->series->row.id, role), &chunk);
    if (!rc && chunk.state != (check->series->row.kind == KIND_STATE))
        rc = ERR_CORRUPT;
    if (!rc)
        rc = chunk_decode(&chunk, 0, chunk.n_vectors, POINTS_ALL, points);
    if (rc) {
        points_clear(points);
        check->verify->rc = rc == ERR_NOMEM ? rc : check->verify->rc;
        check->damaged = true;
        return "damaged readings";
    }
    count_classes(points, n_class);
    if (sqlite3_column_int64(stmt, 3) != (int64_t)points->n || sqlite3_column_int64(stmt, 1) != points->t_us[0] ||
        sqlite3_column_int64(stmt, 2) != points->t_us[points->n - 1])
        return "a chunk whose row tells another extent or number";
    for (int class = QUALITY_EDITED; class < QUALITY_N; class++)
        if (sqlite3_column_int64(stmt, 3 + class) != n_class[class])
            return "a chunk whose row counts other qualities";
    if (born > check->main.mark || died <= born || (check->main.file->kind == FILE_RAW && died != INT64_MAX))
        return "a chunk of a state that does not exist";
    if (chunk.has_suspect != (n_class[QUALITY_SUSPECT] > 0) || !same_stats(&chunk, points))
        return "a chunk whose statistics are not those of its readings";
    return find_odd_point(check, role, check->main.file->kind == FILE_RAW);
}

/* What the file notes of the changes of the series: a row that may say too much, never too little. */
static void read_noted(struct window_check *check)
{
    struct look *main = &check->main;
    sqlite3_stmt *stmt = db_stmt(main->db, SQL_CHANGE);
    db_bind_i64(stmt, ":series", check->series->row.id);
    check->noted.n = 0;
    check->noted_wrong = true;
    check->born = check->born_before = 0;
    int rc = db_step(main->db, stmt);
    if (rc < 0) {
        verify_look_fail(check, main, rc, "read what changed");
    } else if (rc == 0) {
        verify_differs(check, main, "there is no note of what changed");
    } else {
        rc = changes_list(sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0), check->series->row.id,
                          &check->noted);
        sqlite3_reset(stmt);
        const char *wrong = rc ? "a damaged note of what changed"
                               : verify_changes_wrong(&check->noted, &main->file->window, verify_look_newest(main));
        if (rc == ERR_NOMEM)
            check->verify->rc = rc;
        else if (wrong)
            verify_differs(check, main, wrong);
        check->noted_wrong = wrong != NULL;
    }
}

/* The readings of a chunk must lie in what is noted. A replayed dead letter brings amounts up from the sealed file below, which
 * notes their whole period. */
static void check_noted(struct window_check *check, int64_t born)
{
    if (born > check->born) {
        check->born_before = check->born;
        check->born = born;
    } else if (born < check->born && born > check->born_before) {
        check->born_before = born;
    }
    if (check->noted_wrong || verify_changes_cover(&check->noted, &check->points, !check->has_below))
        return;
    verify_differs(check, &check->main, "readings outside of what is noted as changed");
    check->noted_wrong = true;
}

/* A flush that writes chunks of a series has a batch with something of it, later than all that was flushed before. */
static void check_newest_noted(struct window_check *check)
{
    if (!check->noted_wrong && verify_changes_newest(&check->noted) <= check->born_before)
        verify_differs(check, &check->main, "an older batch noted as the newest change");
}

/* Walks over the chunks of a role; what is in force of the state goes to check->rows. */
static void check_role(struct window_check *check, enum role role)
{
    struct look *main = &check->main;
    sqlite3_stmt *stmt = db_stmt(main->db, SQL_CHUNKS);
    db_bind_i64(stmt, ":series", check->series->row.id);
    db_bind_i64(stmt, ":role", role);
    check->last_us = check->last_issued_us = INT64_MIN;
    int rc;
    while ((rc = db_step(main->db, stmt)) == 1) {
        const char *wrong = find_wrong_chunk(check, stmt, role);
        if (wrong)
            verify_differs(check, main, wrong);
        else
            check_noted(check, sqlite3_column_int64(stmt, 8));
        if (sqlite3_column_int64(stmt, 8) <= main->mark && sqlite3_column_int64(stmt, 9) > main->mark &&
            role != ROLE_REVISION && !verify_is_over(check) &&
            rows_add_points(&check->rows, &check->points, 0, check->points.n, 0))
            check->verify->rc = ERR_NOMEM;
        if (verify_is_over(check)) {
            sqlite3_reset(stmt);
            return;
        }
    }
    if (rc) {
        check->damaged = true;
        verify_look_fail(check, main, rc, "read chunks");
    }
}

void verify_chunks_read(struct window_check *check)
{
    rows_clear(&check->rows);
    check->rows.is_state = check->series->row.kind == KIND_STATE;
    points_clear(&check->in_force);
    read_noted(check);
    for (enum role role = ROLE_PLAIN; role < ROLE_N && !verify_is_over(check); role++)
        check_role(check, role);
    if (!verify_is_over(check) && !check->damaged)
        check_newest_noted(check);
    int rc = verify_is_over(check) ? 0 : rows_settle(&check->rows, &check->settled);
    if (!verify_is_over(check) && !rc)
        rc = settled_in_force(&check->settled, check->rows.is_state, &check->in_force);
    if (rc)
        check->verify->rc = rc;
    if (!verify_is_over(check) && check->settled.revisions.n)
        verify_differs(check, &check->main, "readings that are there twice");
    check->verify->counts.n_readings += (int64_t)check->in_force.n;
}

void verify_chunks_counts(struct window_check *check)
{
    const struct series_counts *counts = &check->series->counts;
    const struct points *points = &check->in_force;
    int64_t n_class[QUALITY_N];
    count_classes(points, n_class);
    bool same = counts->n == (int64_t)points->n && counts->first_us == (points->n ? points->t_us[0] : 0) &&
                counts->last_us == (points->n ? points->t_us[points->n - 1] : 0);
    for (int class = QUALITY_EDITED; class < QUALITY_N; class++)
        same = same && counts->n_class[class] == n_class[class];
    if (!same)
        verify_differs(check, &check->main, "counts that are not those of the readings");
}
