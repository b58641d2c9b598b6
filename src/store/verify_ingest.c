#include <config.h>

#include "store/verify_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/civil.h"
#include "store/parcel.h"
#include "store/rows.h"

void verify_state_done(struct verify_state *state)
{
    file_list_free(&state->files);
    free(state->retired.at);
    *state = (struct verify_state){0};
}

int verify_add_name(struct verify_names *list, const char *name)
{
    int rc = array_grow(&list->at, &list->cap, list->n + 1, sizeof(*list->at));
    if (!rc)
        snprintf(list->at[list->n++], FILE_NAME_MAX, "%s", name);
    return rc;
}

static const char *const ingest_sql[] = {
    "SELECT incarnation, next_offset, last_offset, next_batch, coalesce(expired_us, -9223372036854775808) FROM source",
    "SELECT name FROM retired",
    "SELECT n, incarnation, next_offset, n_readings, data FROM batch ORDER BY n",
    "SELECT batch, at_us FROM moment ORDER BY batch",
    "SELECT series, quality, t_us, period_us, flags, e, state, first_us, since_us FROM carry ORDER BY series, quality, t_us",
};
enum {
    INGEST_SQL_SOURCE, INGEST_SQL_RETIRED, INGEST_SQL_BATCHES, INGEST_SQL_MOMENTS, INGEST_SQL_CARRIES, INGEST_SQL_N
};

static int read_retired(struct db *db, struct verify_names *list)
{
    sqlite3_stmt *stmt = db_stmt(db, INGEST_SQL_RETIRED);
    int rc;
    while ((rc = db_step(db, stmt)) == 1)
        if ((rc = verify_add_name(list, (const char *)sqlite3_column_text(stmt, 0)))) {
            sqlite3_reset(stmt);
            break;
        }
    return rc;
}

/* Within a transaction. */
static int read_state(struct db *db, struct verify_state *state)
{
    sqlite3_stmt *stmt = db_stmt(db, INGEST_SQL_SOURCE);
    int rc = db_step(db, stmt);
    if (rc != 1)
        return rc ? rc : ERR_CORRUPT;
    state->incarnation = sqlite3_column_int64(stmt, 0);
    state->next_offset = sqlite3_column_int64(stmt, 1);
    state->last_offset = sqlite3_column_int64(stmt, 2);
    state->next_batch = sqlite3_column_int64(stmt, 3);
    state->expired_us = sqlite3_column_int64(stmt, 4);
    sqlite3_reset(stmt);
    rc = file_list_read(db, &state->files);
    return rc ? rc : read_retired(db, &state->retired);
}

/* A run of a batch: decodes it. What its series is comes from the catalog. */
static int check_run(struct verify *verify, const char *path, const struct verify_place *place, const struct parcel *parcel,
                     const struct parcel_run *run, struct rows *rows)
{
    rows_clear(rows);
    if (!verify_has_kind(verify, path, place, run->series_id, &rows->is_state))
        return verify->rc; /* as what its readings are to be read is not known */
    int rc = parcel_rows(parcel, run, 0, rows);
    if (rc == ERR_NOMEM)
        verify->rc = rc;
    else if (rc)
        verify_report(verify, path, VERIFY_ACT_INGEST, "readings of series %u in a batch cannot be read", run->series_id);
    verify->counts.n_readings += (int64_t)run->n;
    return verify->rc;
}

static int check_batch(struct verify *verify, const char *path, const struct verify_place *place, sqlite3_stmt *stmt,
                       struct rows *rows)
{
    struct parcel parcel;
    int64_t n = sqlite3_column_int64(stmt, 0), n_readings = 0;
    int rc = parcel_open(sqlite3_column_blob(stmt, 4), (size_t)sqlite3_column_bytes(stmt, 4), &parcel);
    if (rc == ERR_NOMEM)
        return verify->rc = rc;
    if (rc)
        return verify_report(verify, path, VERIFY_ACT_INGEST, "batch %lld is damaged", (long long)n);
    for (size_t i = 0; i < parcel.n_runs && !verify->rc; i++) {
        n_readings += parcel.runs[i].n;
        check_run(verify, path, place, &parcel, &parcel.runs[i], rows);
    }
    if (n_readings != sqlite3_column_int64(stmt, 3))
        verify_report(verify, path, VERIFY_ACT_INGEST, "batch %lld has %lld readings and says %lld", (long long)n,
                      (long long)n_readings, (long long)sqlite3_column_int64(stmt, 3));
    parcel_close(&parcel);
    return verify->rc;
}

static void check_batches(struct verify *verify, const char *path, const struct verify_place *place, struct db *db,
                          const struct verify_state *state)
{
    sqlite3_stmt *stmt = db_stmt(db, INGEST_SQL_BATCHES);
    struct rows rows = {0};
    int64_t next_offset = -1, incarnation = 0;
    int rc;
    while (!verify->rc && (rc = db_step(db, stmt)) != 0) {
        if (rc < 0) {
            verify_fail(verify, path, VERIFY_ACT_INGEST, rc, "its batches cannot be read");
            break;
        }
        bool behind = sqlite3_column_int64(stmt, 1) > incarnation || sqlite3_column_int64(stmt, 2) > next_offset;
        incarnation = sqlite3_column_int64(stmt, 1);
        next_offset = sqlite3_column_int64(stmt, 2);
        if (sqlite3_column_int64(stmt, 0) >= state->next_batch || !behind || incarnation > state->incarnation ||
            (incarnation == state->incarnation && next_offset > state->next_offset))
            verify_report(verify, path, VERIFY_ACT_INGEST, "batch %lld is out of order",
                          (long long)sqlite3_column_int64(stmt, 0));
        check_batch(verify, path, place, stmt, &rows);
    }
    if (stmt)
        sqlite3_reset(stmt);
    rows_free(&rows);
}

static void check_list(struct verify *verify, const char *path, const struct verify_state *state)
{
    const struct file_list *files = &state->files;
    int64_t end = state->next_offset < 0 ? 0 : state->next_offset;
    if (state->next_batch < 1 || state->next_offset < -1 || state->last_offset >= end)
        verify_report(verify, path, VERIFY_ACT_INGEST,
                      "its position makes no sense: next offset %lld after %lld, next batch %lld",
                      (long long)state->next_offset, (long long)state->last_offset, (long long)state->next_batch);
    for (size_t i = 0; i < files->n; i++) {
        const struct file *file = &files->at[i];
        if (file->mark >= state->next_batch)
            verify_report(verify, path, VERIFY_ACT_INGEST, "the mark of \"%s\" is %lld, and the next batch %lld", file->name,
                          (long long)file->mark, (long long)state->next_batch);
        if (file->window.begin_us >= file->window.end_us)
            verify_report(verify, path, VERIFY_ACT_INGEST, "the window of \"%s\" is empty", file->name);
        if (!i)
            continue;
        const struct file *before = &files->at[i - 1];
        bool same_window = before->window.begin_us == file->window.begin_us && before->window.end_us == file->window.end_us;
        if (same_window ? before->kind == file->kind : before->window.end_us > file->window.begin_us)
            verify_report(verify, path, VERIFY_ACT_INGEST, "\"%s\" and \"%s\" are listed for the same time", before->name,
                          file->name);
    }
}

/* Rows in order, their times of the wall clock too, and none of a batch that is not yet there. */
static void check_moments(struct verify *verify, const char *path, struct db *db, const struct verify_state *state)
{
    sqlite3_stmt *stmt = db_stmt(db, INGEST_SQL_MOMENTS);
    int64_t n = 0, before_us = INT64_MIN;
    int rc;
    while (!verify->rc && (rc = db_step(db, stmt)) != 0) {
        if (rc < 0) {
            verify_fail(verify, path, VERIFY_ACT_INGEST, rc, "its moments cannot be read");
            break;
        }
        int64_t batch = sqlite3_column_int64(stmt, 0), at_us = sqlite3_column_int64(stmt, 1);
        if (batch < 0 || batch >= state->next_batch || at_us <= before_us)
            verify_report(verify, path, VERIFY_ACT_INGEST, "the moment of batch %lld is out of order", (long long)batch);
        before_us = at_us;
        n++;
    }
    if (stmt)
        sqlite3_reset(stmt);
    if (!verify->rc && state->files.n && !n)
        verify_report(verify, path, VERIFY_ACT_INGEST, "files are listed and no moment: how old a position is is not known");
}

static bool is_time(int64_t t_us)
{
    return t_us >= CIVIL_MIN_US && t_us < CIVIL_END_US;
}

/* What is wrong with a row of table carry, or NULL. */
static const char *find_wrong_carry(sqlite3_stmt *stmt, const struct verify_state *state, bool is_state)
{
    int64_t quality = sqlite3_column_int64(stmt, 1), t_us = sqlite3_column_int64(stmt, 2), flags = sqlite3_column_int64(stmt, 4);
    int64_t e = sqlite3_column_int64(stmt, 5), first_us = sqlite3_column_int64(stmt, 7);
    const char *text = (const char *)sqlite3_column_text(stmt, 6);
    if (t_us >= state->expired_us || !is_time(t_us))
        return "a time that has not expired";
    if (first_us > t_us || !is_time(first_us))
        return "a first reading after the last one";
    if (quality < 0 || quality >= QUALITY_N || flags < 0 || flags > UINT8_MAX || (flags & QUALITY_CLASS_MASK) != quality ||
        flags & QUALITY_TAKEN_BACK)
        return "an unknown quality";
    if (is_state != (text != NULL) || (text && (int)strlen(text) != sqlite3_column_bytes(stmt, 6)))
        return "a value of another kind";
    return e < INT8_MIN || e > INT8_MAX || sqlite3_column_int64(stmt, 3) < 0 ? "a value that cannot be" : NULL;
}

/* What was carried over is read beside readings: it must be of series that are here, and lie before the expiry. */
static void check_carries(struct verify *verify, const char *path, const struct verify_place *place, struct db *db,
                          const struct verify_state *state)
{
    sqlite3_stmt *stmt = db_stmt(db, INGEST_SQL_CARRIES);
    int rc;
    while (!verify->rc && (rc = db_step(db, stmt)) != 0) {
        if (rc < 0) {
            verify_fail(verify, path, VERIFY_ACT_INGEST, rc, "what was carried over cannot be read");
            break;
        }
        int64_t series = sqlite3_column_int64(stmt, 0);
        bool is_state;
        const char *wrong = series < 1 || series > UINT32_MAX ? "a series that cannot be" : NULL;
        if (!wrong && verify_has_kind(verify, path, place, (uint32_t)series, &is_state))
            wrong = find_wrong_carry(stmt, state, is_state);
        if (wrong)
            verify_report(verify, path, VERIFY_ACT_INGEST, "what was carried over of series %lld has %s",
                          (long long)series, wrong);
    }
    if (stmt)
        sqlite3_reset(stmt);
}

static int open_ingest(const struct verify_place *place, struct db **ret_db, struct err_text *error)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/ingest.db", place->folder);
    return db_open(&(struct db_opts){.path = path, .mode = DB_READ, .format = &ingest_format, .sql = ingest_sql,
                                     .n_sql = INGEST_SQL_N}, ret_db, error);
}

int verify_ingest(struct verify *verify, const struct verify_place *place, bool whole, struct verify_state *state)
{
    char path[4096];
    struct err_text error = {0};
    struct db *db;
    verify_path(verify, place, "ingest.db", path);
    int rc = open_ingest(place, &db, &error);
    if (rc == ERR_NOMEM)
        return verify->rc = rc;
    if (rc) {
        verify_report(verify, path, VERIFY_ACT_INGEST, "%s", error.text);
        return rc;
    }
    if (whole)
        verify_integrity(verify, path, db, VERIFY_ACT_INGEST);
    rc = db_begin(db);
    if (!rc)
        rc = read_state(db, state);
    if (rc)
        verify_fail(verify, path, VERIFY_ACT_INGEST, rc, "cannot be read");
    if (!rc && whole) {
        check_list(verify, path, state);
        check_batches(verify, path, place, db, state);
        check_moments(verify, path, db, state);
        check_carries(verify, path, place, db, state);
    }
    db_rollback(db);
    db_close(db);
    return rc ? rc : verify->rc;
}

