#include <config.h>

#include "store/verify_window_inside.h"

#include <string.h>

#include "store/people.h"

struct day_walk {
    struct window_check *check;
    struct look *look;
    sqlite3_stmt *stmt;
};

static bool same_text(sqlite3_stmt *stmt, int column, const char *text)
{
    const char *found = (const char *)sqlite3_column_text(stmt, column);
    return found && text ? strcmp(found, text) == 0 : !found && !text;
}

/* The next stored day has to be this one. */
static int compare_day(void *arg, const struct series_row *series, const struct day_row *row)
{
    struct day_walk *walk = arg;
    (void)series;
    walk->check->verify->counts.n_days++;
    int rc = db_step(walk->look->db, walk->stmt);
    return rc < 0 ? rc : rc == 1 && sqlite3_column_int64(walk->stmt, 0) == row->day &&
                   sqlite3_column_int64(walk->stmt, 1) == row->base && same_text(walk->stmt, 2, row->at_s) &&
                   same_text(walk->stmt, 3, row->value) && same_text(walk->stmt, 4, row->quality)
               ? 0
               : ERR_CORRUPT;
}

void verify_derived_days(struct window_check *check, struct look *look)
{
    sqlite3_stmt *stmt = db_stmt(look->db, look->file->kind == FILE_TIER ? (int)TIER_SQL_DAYS : (int)SQL_DAYS);
    struct day_walk walk = {check, look, stmt};
    db_bind_i64(stmt, ":series", check->series->row.id);
    int rc = people_days(&check->series->row, &check->in_force, compare_day, &walk);
    if (!rc && (rc = db_step(look->db, stmt)) == 1)
        rc = ERR_CORRUPT; /* one more */
    if (stmt)
        sqlite3_reset(stmt);
    if (rc == ERR_NOMEM)
        check->verify->rc = rc;
    else if (rc)
        verify_report(check->verify, look->path, VERIFY_ACT_TIERS, "rows for people that are not those of the readings of %s",
                      verify_name_of(check->series));
}

/* Reads the stored cells of a tier; false when that is reported. */
bool verify_derived_cells(struct window_check *check, uint32_t series_id, enum tier tier)
{
    struct look *look = &check->tier;
    struct cells *cells = &check->stored;
    sqlite3_stmt *stmt = db_stmt(look->db, TIER_SQL_BLOCKS);
    db_bind_i64(stmt, ":series", series_id);
    db_bind_i64(stmt, ":tier", tier);
    cells->n = 0;
    int rc;
    while ((rc = db_step(look->db, stmt)) == 1) {
        size_t first = cells->n;
        rc = cells_decode(sqlite3_column_blob(stmt, 3), (size_t)sqlite3_column_bytes(stmt, 3),
                          tier_file_key(series_id, tier), cells);
        if (!rc && (sqlite3_column_int64(stmt, 0) != cells->rows[first].begin_us ||
                    sqlite3_column_int64(stmt, 1) != cells->rows[cells->n - 1].begin_us + tier_width_us[tier] ||
                    sqlite3_column_int64(stmt, 2) != (int64_t)(cells->n - first)))
            rc = ERR_CORRUPT;
        if (rc) {
            sqlite3_reset(stmt);
            break;
        }
    }
    for (size_t i = 0; i < cells->n && !rc; i++)
        if ((i && cells->rows[i].begin_us <= cells->rows[i - 1].begin_us) ||
            cells->rows[i].begin_us < look->file->window.begin_us || cells->rows[i].begin_us >= look->file->window.end_us)
            rc = ERR_CORRUPT;
    if (rc == ERR_NOMEM)
        check->verify->rc = rc;
    else if (rc)
        verify_report(check->verify, look->path, VERIFY_ACT_TIERS, "damaged %s cells of %s", tier_name[tier],
                      verify_name_of(check->series));
    return !rc;
}

static void compare_tier(struct window_check *check, const struct listed_series *series, enum tier tier)
{
    bool worth, written = series->tiers >> tier & 1;
    int rc = tier_compute(&check->series->row, &check->in_force, tier, TIER_MIN_READINGS, &check->cells, &worth);
    if (rc) {
        check->verify->rc = rc;
        return;
    }
    worth = worth && check->tier.file->tiers >> tier & 1; /* the others have expired */
    if (written != worth) {
        verify_report(check->verify, check->tier.path, VERIFY_ACT_TIERS, "%s %s tier of %s",
                      written ? "there should be no" : "there is no", tier_name[tier], verify_name_of(check->series));
        return;
    }
    if (!written || !verify_derived_cells(check, series->row.id, tier))
        return;
    check->verify->counts.n_cells += (int64_t)check->cells.n;
    size_t i = 0;
    while (i < check->cells.n && i < check->stored.n && cell_equal(&check->cells.rows[i], &check->stored.rows[i]))
        i++;
    if (i < check->cells.n || i < check->stored.n)
        verify_report(check->verify, check->tier.path, VERIFY_ACT_TIERS, "%s cells of %s that are not those of the readings",
                      tier_name[tier], verify_name_of(check->series));
}

const struct listed_series *verify_find_series(const struct series_list *list, uint32_t id)
{
    size_t low = 0, high = list->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (list->at[middle].row.id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < list->n && list->at[low].row.id == id ? &list->at[low] : NULL;
}

void verify_derived_tiers(struct window_check *check)
{
    const struct listed_series *series = verify_find_series(&check->tier.series, check->series->row.id);
    if (!series) {
        verify_report(check->verify, check->tier.path, VERIFY_ACT_TIERS, "%s is missing", verify_name_of(check->series));
        return;
    }
    for (enum tier tier = TIER_1S; tier < TIER_N && !verify_is_over(check); tier++)
        compare_tier(check, series, tier);
    if (!verify_is_over(check) && check->tier.file->tiers >> TIER_15M & 1) /* the rows for people go with 15 min */
        verify_derived_days(check, &check->tier);
}
