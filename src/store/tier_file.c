#include <config.h>

#include "store/tier_file.h"

#include <stdlib.h>
#include <string.h>

#include "common/civil.h"
#include "sql/people.sql.h"
#include "sql/tier.sql.h"
#include "store/people.h"

/* Blocks of fast series are a few kilobytes, and half a page is lost at the end of each; in windows of slow ones nearly all are
 * rows of days, several to a page. */
#define PAGE_BYTES_OF_DAYS 512
#define PAGE_BYTES_OF_LONGER 4096
#define BLOCK_CELLS 2048 /* cells in a row: a block is decoded as a whole */

const struct db_format tier_format = {"tier file", 0x414c4d74, 1, true}; /* "ALMt" */

enum sql { SQL_INFO_ADD, SQL_SERIES_ADD, SQL_SERIES, SQL_SET_TIERS, SQL_TIERS, SQL_BLOCK_ADD, SQL_BLOCKS, SQL_DAY_ADD,
           SQL_COPY_SERIES, SQL_COPY_BLOCKS, SQL_COPY_DAYS, SQL_N };

static const char *const sql[SQL_N] = {
    [SQL_INFO_ADD] = "INSERT INTO info (name, value) VALUES (:name, :value)",
    [SQL_SERIES_ADD] = "INSERT INTO series (id, entity, type, property, unit, kind, step, tiers) "
                       "VALUES (:id, :entity, :type, :property, :unit, :kind, :step, :tiers)",
    [SQL_SERIES] = "SELECT id, entity, type, property, unit, kind, step FROM series ORDER BY id",
    [SQL_SET_TIERS] = "UPDATE series SET tiers = :tiers WHERE id = :series",
    [SQL_TIERS] = "SELECT tiers FROM series WHERE id = :series",
    [SQL_BLOCK_ADD] = "INSERT INTO block (series, tier, begin_us, end_us, n, data) "
                      "VALUES (:series, :tier, :begin_us, :end_us, :n, :data)",
    [SQL_BLOCKS] = "SELECT data FROM block WHERE series = :series AND tier = :tier AND begin_us < :end_us "
                   "AND end_us > :begin_us ORDER BY begin_us",
    [SQL_DAY_ADD] = "INSERT INTO day (series, day, base, at_s, value, quality) "
                    "VALUES (:series, :day, :base, :at_s, :value, :quality)",
    /* columns in the order of the parameters above */
    [SQL_COPY_SERIES] = "SELECT id, entity, type, property, unit, kind, step, tiers & :tiers FROM series ORDER BY id",
    [SQL_COPY_BLOCKS] = "SELECT series, tier, begin_us, end_us, n, data FROM block WHERE (:tiers >> tier) & 1 ORDER BY id",
    [SQL_COPY_DAYS] = "SELECT series, day, base, at_s, value, quality FROM day WHERE :tiers & 4 ORDER BY series, day",
};

struct tier_file {
    struct db *db;
    unsigned tiers; /* to be written */
    bool sparse;
    struct cells cells;
    struct buf scratch;
};

static int open_file(const char *path, enum db_mode mode, int page_bytes, struct tier_file **ret_file,
                     struct err_text *error)
{
    struct tier_file *file = calloc(1, sizeof(*file));
    struct buf ddl = {0};
    buf_puts(&ddl, sql_tier);
    buf_puts(&ddl, sql_people);
    buf_putc(&ddl, '\0');
    struct db_opts opts = {.path = path, .mode = mode, .format = &tier_format, .schema = (const char *)ddl.data,
                           .sql = sql, .n_sql = SQL_N, .page_bytes = page_bytes};
    int rc = !file || ddl.failed ? err_set(error, ERR_NOMEM, "cannot open \"%s\": out of memory", path)
                                 : db_open(&opts, &file->db, error);
    buf_free(&ddl);
    if (rc) {
        free(file);
        return rc;
    }
    file->tiers = TIERS_ALL;
    *ret_file = file;
    return 0;
}

int tier_file_create(const char *path, const struct file_facts *facts, struct tier_file **ret_file,
                     struct err_text *error)
{
    struct tier_file *file;
    bool days = facts->window.end_us - facts->window.begin_us <= US_PER_DAY;
    int rc = open_file(path, DB_CREATE_PLAIN, days ? PAGE_BYTES_OF_DAYS : PAGE_BYTES_OF_LONGER, &file, error);
    if (rc)
        return rc;
    if ((rc = file_put_facts(file->db, SQL_INFO_ADD, FILE_TIER, facts))) {
        db_error(file->db, error, rc, "create");
        tier_file_close(file);
        return rc;
    }
    *ret_file = file;
    return 0;
}

int tier_file_open(const char *path, struct tier_file **ret_file, struct err_text *error)
{
    return open_file(path, DB_READ_SEALED, 0, ret_file, error);
}

void tier_file_close(struct tier_file *file)
{
    if (!file)
        return;
    db_close(file->db);
    cells_free(&file->cells);
    buf_free(&file->scratch);
    free(file);
}

struct db *tier_file_db(struct tier_file *file)
{
    return file->db;
}

void tier_file_limit(struct tier_file *file, unsigned tiers, bool sparse)
{
    file->tiers = tiers;
    file->sparse = sparse;
}

/* ---- writing ---- */

static int put_blocks(struct tier_file *file, const struct series_row *series, enum tier tier)
{
    const struct cells *cells = &file->cells;
    int rc = 0;
    for (size_t i = 0; i < cells->n && !rc; i += BLOCK_CELLS) {
        size_t n = cells->n - i < BLOCK_CELLS ? cells->n - i : BLOCK_CELLS;
        buf_clear(&file->scratch);
        rc = cells_encode(&cells->rows[i], n, tier_width_us[tier], tier_file_key(series->id, tier), &file->scratch);
        if (rc)
            break;
        sqlite3_stmt *stmt = db_stmt(file->db, SQL_BLOCK_ADD);
        db_bind_i64(stmt, ":series", series->id);
        db_bind_i64(stmt, ":tier", tier);
        db_bind_i64(stmt, ":begin_us", cells->rows[i].begin_us);
        db_bind_i64(stmt, ":end_us", cells->rows[i + n - 1].begin_us + tier_width_us[tier]);
        db_bind_i64(stmt, ":n", (int64_t)n);
        db_bind_blob(stmt, ":data", file->scratch.data, file->scratch.n);
        rc = db_run(file->db, stmt);
    }
    return rc;
}

/* In how many cells the readings lie. */
static size_t count_cells(const struct points *points, int64_t width_us)
{
    size_t n = 0;
    int64_t end_us = INT64_MIN;
    for (size_t i = 0; i < points->n; i++) {
        if (i && points->t_us[i] < end_us)
            continue;
        end_us = points->t_us[i] - (points->t_us[i] % width_us + width_us) % width_us + width_us;
        n++;
    }
    return n;
}

int tier_compute(const struct series_row *series, const struct points *points, enum tier tier, size_t min_readings,
                 struct cells *cells, bool *ret_worth)
{
    struct cell_options options = {.kind = series->kind, .width_us = tier_width_us[tier], .max_gap_us = MAX_GAP_DEFAULT_US};
    bool cut = false;
    cells->n = 0;
    *ret_worth = false;
    if (series->kind == KIND_STATE || points->n < min_readings * count_cells(points, options.width_us))
        return 0;
    int rc = cells_compute(points, 0, points->n, &options, cells, &cut);
    *ret_worth = !rc && !cut;
    return rc;
}

static int put_tiers(struct tier_file *file, const struct series_row *series, const struct points *points,
                     unsigned *ret_tiers)
{
    unsigned tiers = 0;
    for (enum tier tier = TIER_1S; tier < TIER_N; tier++) {
        size_t min_readings = file->sparse && tier == TIER_15M ? 0 : TIER_MIN_READINGS;
        bool worth;
        if (!(file->tiers >> tier & 1))
            continue;
        int rc = tier_compute(series, points, tier, min_readings, &file->cells, &worth);
        if (!rc && worth)
            rc = put_blocks(file, series, tier);
        if (rc)
            return rc;
        tiers |= (unsigned)worth << tier;
    }
    *ret_tiers = tiers;
    return 0;
}

static int put_day(void *arg, const struct series_row *series, const struct day_row *row)
{
    struct tier_file *file = arg;
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_DAY_ADD);
    file_bind_day(stmt, series->id, row);
    return db_run(file->db, stmt);
}

int tier_file_put(struct tier_file *file, const struct series_row *series, const struct points *points)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_SERIES_ADD);
    file_bind_series(stmt, series);
    db_bind_i64(stmt, ":tiers", 0);
    int rc = db_run(file->db, stmt);
    if (!rc && file->tiers >> TIER_15M & 1)
        rc = people_days(series, points, put_day, file);
    unsigned tiers = 0;
    if (!rc)
        rc = put_tiers(file, series, points, &tiers);
    if (rc)
        return rc;
    stmt = db_stmt(file->db, SQL_SET_TIERS);
    db_bind_i64(stmt, ":tiers", tiers);
    db_bind_i64(stmt, ":series", series->id);
    return db_run(file->db, stmt);
}

static int copy_rows(struct tier_file *from, int select, unsigned tiers, struct tier_file *to, int insert)
{
    sqlite3_stmt *row = db_stmt(from->db, select);
    db_bind_i64(row, ":tiers", tiers);
    int rc;
    while ((rc = db_step(from->db, row)) == 1) {
        sqlite3_stmt *stmt = db_stmt(to->db, insert);
        for (int i = 0; stmt && i < sqlite3_column_count(row); i++)
            if (sqlite3_bind_value(stmt, i + 1, sqlite3_column_value(row, i)) != SQLITE_OK)
                rc = ERR_NOMEM;
        if (rc < 0 || (rc = db_run(to->db, stmt))) {
            sqlite3_reset(row);
            break;
        }
    }
    return rc;
}

int tier_file_copy(struct tier_file *from, unsigned tiers, struct tier_file *to)
{
    int rc = copy_rows(from, SQL_COPY_SERIES, tiers, to, SQL_SERIES_ADD);
    rc = rc ? rc : copy_rows(from, SQL_COPY_BLOCKS, tiers, to, SQL_BLOCK_ADD);
    return rc ? rc : copy_rows(from, SQL_COPY_DAYS, tiers, to, SQL_DAY_ADD);
}

/* ---- reading ---- */

int tier_file_series(struct tier_file *file, int (*row)(void *arg, const struct series_row *series), void *arg)
{
    return file_walk_series(file->db, db_stmt(file->db, SQL_SERIES), row, arg);
}

int tier_file_tiers(struct tier_file *file, uint32_t series_id, unsigned *ret_tiers)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_TIERS);
    db_bind_i64(stmt, ":series", series_id);
    int rc = db_step(file->db, stmt);
    if (rc != 1)
        return rc ? rc : ERR_NOTFOUND;
    *ret_tiers = (unsigned)sqlite3_column_int(stmt, 0);
    sqlite3_reset(stmt);
    return 0;
}

int tier_file_read(struct tier_file *file, uint32_t series_id, enum tier tier, int64_t begin_us, int64_t end_us,
                   struct cells *cells)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_BLOCKS);
    db_bind_i64(stmt, ":series", series_id);
    db_bind_i64(stmt, ":tier", tier);
    db_bind_i64(stmt, ":begin_us", begin_us);
    db_bind_i64(stmt, ":end_us", end_us);
    int rc;
    while ((rc = db_step(file->db, stmt)) == 1) {
        struct cells_block block = {sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0),
                                    tier_file_key(series_id, tier)};
        rc = cells_decode_range(&block, begin_us, end_us, cells);
        if (rc) {
            sqlite3_reset(stmt);
            return rc;
        }
    }
    return rc;
}
