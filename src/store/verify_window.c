#include <config.h>

#include "store/verify_window_inside.h"


/* One series of an open or raw file; of an open one in a short transaction of its own, so that a flush is not held up. */
static void check_series(struct window_check *check, const struct listed_series *series)
{
    struct look *main = &check->main;
    bool is_open = main->file->kind == FILE_OPEN;
    check->series = series;
    check->damaged = false;
    int rc = is_open ? db_begin(main->db) : 0;
    rc = rc || !is_open ? rc : verify_look_mark(main);
    if (rc) {
        verify_look_fail(check, main, rc, "read it");
    } else {
        verify_chunks_read(check);
        if (!check->damaged && !verify_is_over(check) && main->file->kind == FILE_RAW)
            verify_chunks_counts(check);
        if (!check->damaged && !verify_is_over(check) && is_open)
            verify_derived_days(check, main);
        if (!check->damaged && !verify_is_over(check) && check->tier.db)
            verify_derived_tiers(check);
    }
    if (is_open)
        db_rollback(main->db);
}

/* What is noted of series that have nothing else here: a sealed file may have it of what came and went. */
static void check_notes_alone(struct window_check *check)
{
    struct look *main = &check->main;
    sqlite3_stmt *stmt = db_stmt(main->db, SQL_CHANGES);
    int rc;
    while ((rc = db_step(main->db, stmt)) == 1 && !verify_is_over(check)) {
        int64_t series = sqlite3_column_int64(stmt, 1);
        rc = changes_list(sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0), (uint32_t)series, &check->noted);
        int64_t newest = verify_look_newest(main);
        const char *wrong = rc ? "it is damaged" : verify_changes_wrong(&check->noted, &main->file->window, newest);
        if (rc == ERR_NOMEM)
            check->verify->rc = rc;
        else if (wrong || main->file->kind == FILE_OPEN)
            verify_report(check->verify, main->path, verify_act_on(main),
                          "a note of changes of series %lld, which is not here%s%s", (long long)series, wrong ? ": " : "",
                          wrong ? wrong : "");
    }
    if (rc < 0)
        verify_look_fail(check, main, rc, "read what changed");
    else if (rc == 1)
        sqlite3_reset(stmt);
}

static void check_main(struct window_check *check)
{
    struct look *main = &check->main;
    for (size_t i = 0; i < main->series.n && !verify_is_over(check); i++)
        check_series(check, &main->series.at[i]);
    if (verify_is_over(check))
        return;
    check_notes_alone(check);
    verify_look_none(check, main, db_stmt(main->db, SQL_ORPHANS), "chunks of no series");
    sqlite3_stmt *stmt = db_stmt(main->db, SQL_DELETIONS);
    db_bind_i64(stmt, ":begin_us", main->file->window.begin_us);
    db_bind_i64(stmt, ":end_us", main->file->window.end_us);
    db_bind_i64(stmt, ":mark", INT64_MAX);
    verify_look_none(check, main, stmt, "deletions that cannot be");
    if (main->file->kind == FILE_OPEN)
        verify_look_none(check, main, db_stmt(main->db, SQL_DAY_ORPHANS), "rows for people of no series");
}

/* What can be said of a tier file without its readings, and beside them. */
static void check_tier_alone(struct window_check *check)
{
    struct look *tier = &check->tier;
    for (size_t i = 0; i < tier->series.n && !verify_is_over(check); i++) {
        check->series = &tier->series.at[i];
        if (check->main.db && !verify_find_series(&check->main.series, check->series->row.id))
            verify_report(check->verify, tier->path, VERIFY_ACT_TIERS, "%s has no readings", verify_name_of(check->series));
        for (enum tier t = TIER_1S; t < TIER_N && !check->main.db && !verify_is_over(check); t++)
            if (check->series->tiers >> t & 1 && verify_derived_cells(check, check->series->row.id, t))
                check->verify->counts.n_cells += (int64_t)check->stored.n;
    }
    if (verify_is_over(check))
        return;
    verify_look_none(check, tier, db_stmt(tier->db, TIER_SQL_ORPHANS), "blocks of no series or tier");
    verify_look_none(check, tier, db_stmt(tier->db, TIER_SQL_DAY_ORPHANS), "rows for people of no series");
}

static void check_done(struct window_check *check)
{
    verify_look_end(&check->main);
    verify_look_end(&check->tier);
    points_free(&check->points);
    points_free(&check->in_force);
    rows_free(&check->rows);
    settled_free(&check->settled);
    cells_free(&check->cells);
    cells_free(&check->stored);
    changes_free(&check->noted);
}

/* A main file with, for a raw one, the tier file. */
static void check_files(struct verify *verify, const struct verify_place *place, const struct verify_files *files,
                        const struct file *file, const struct file *tier, bool *ret_gone)
{
    struct window_check check = {.verify = verify, .place = place, .has_below = files->below != NULL, .known = files->known};
    if (tier)
        verify_look_begin(&check, &check.tier, tier);
    if (file && !verify_is_over(&check))
        verify_look_begin(&check, &check.main, file);
    if (check.main.db && !verify_is_over(&check) && !check.known)
        check_main(&check);
    if (check.tier.db && !verify_is_over(&check) && !check.known)
        check_tier_alone(&check);
    *ret_gone = *ret_gone || check.gone;
    check_done(&check);
}

int verify_window(struct verify *verify, const struct verify_place *place, const struct verify_files *files, bool *ret_gone)
{
    if (files->raw || files->tier)
        check_files(verify, place, files, files->raw, files->tier, ret_gone);
    if (files->open && !verify->rc)
        check_files(verify, place, files, files->open, NULL, ret_gone);
    return verify->rc;
}
