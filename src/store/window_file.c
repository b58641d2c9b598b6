#include <config.h>

#include "store/window_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/chunk.h"
#include "common/array.h"
#include "sql/people.sql.h"
#include "sql/window.sql.h"

#define FOREVER INT64_MAX
#define OPEN_PAGE_BYTES 4096
#define RAW_PAGE_BYTES 512 /* chunks are a few kilobytes: half a page is lost at the end of each */

const struct db_format open_format = {"open window file", 0x414c4d6f, 1, false};  /* "ALMo" */
const struct db_format raw_format = {"sealed window file", 0x414c4d72, 1, true}; /* "ALMr" */

enum sql {
    SQL_INFO_ADD, SQL_MARK, SQL_SET_MARK, SQL_HAS_SERIES, SQL_SERIES_ADD, SQL_SERIES, SQL_SET_COUNTS, SQL_COUNTS,
    SQL_CHUNK_ADD, SQL_CHUNKS,
    SQL_LAST_CHUNK, SQL_CHUNK, SQL_KILL, SQL_DELETION_ADD, SQL_DELETIONS, SQL_STATS, SQL_PURGE, SQL_SET_PURGED, SQL_PURGED,
    SQL_DAY_PUT, SQL_DAYS_DROP, SQL_CHANGE, SQL_CHANGE_PUT, SQL_CHANGES, SQL_CUT_SERIES, SQL_CUT_CHUNKS, SQL_CUT_REVIVE,
    SQL_CUT_DELETIONS, SQL_N
};

static const char *const sql[SQL_N] = {
    [SQL_INFO_ADD] = "INSERT INTO info (name, value) VALUES (:name, :value)",
    [SQL_MARK] = "SELECT value FROM info WHERE name = 'mark'",
    [SQL_SET_MARK] = "INSERT OR REPLACE INTO info (name, value) VALUES ('mark', :mark)",
    [SQL_HAS_SERIES] = "SELECT 1 FROM series WHERE id = :series",
    [SQL_SERIES_ADD] = "INSERT OR IGNORE INTO series (id, entity, type, property, unit, kind, step) "
                       "VALUES (:id, :entity, :type, :property, :unit, :kind, :step)",
    [SQL_SERIES] = "SELECT id, entity, type, property, unit, kind, step FROM series WHERE id > :after ORDER BY id",
    [SQL_SET_COUNTS] = "UPDATE series SET n = :n, first_us = :first_us, last_us = :last_us, n_edited = :n_edited, "
                       "n_derived = :n_derived, n_estimated = :n_estimated, n_suspect = :n_suspect WHERE id = :series",
    [SQL_COUNTS] = "SELECT id, n, first_us, last_us, n_edited, n_derived, n_estimated, n_suspect FROM series ORDER BY id",
    [SQL_CHUNK_ADD] = "INSERT INTO chunk (series, role, begin_us, last_us, n, n_edited, n_derived, n_estimated, n_suspect, "
                      "born, died, data) VALUES (:series, :role, :begin_us, :last_us, :n, :n_edited, :n_derived, "
                      ":n_estimated, :n_suspect, :born, :died, :data)",
    [SQL_CHUNKS] = "SELECT id, begin_us, last_us, n FROM chunk WHERE series = :series AND role = :role "
                   "AND begin_us < :end_us AND last_us >= :begin_us AND born <= :mark AND died > :mark "
                   "ORDER BY begin_us, last_us",
    [SQL_LAST_CHUNK] = "SELECT id, begin_us, last_us, n FROM chunk WHERE series = :series AND role = :role "
                       "AND born <= :mark AND died > :mark ORDER BY begin_us DESC LIMIT 1",
    [SQL_CHUNK] = "SELECT data FROM chunk WHERE id = :id",
    [SQL_KILL] = "UPDATE chunk SET died = :died WHERE id = :id",
    [SQL_DELETION_ADD] = "INSERT INTO deletion (series, begin_us, end_us, issued_us, known_ms, born) "
                         "VALUES (:series, :begin_us, :end_us, nullif(:issued_us, -9223372036854775808), :known_ms, :born)",
    [SQL_DELETIONS] = "SELECT begin_us, end_us, coalesce(issued_us, -9223372036854775808), known_ms FROM deletion "
                      "WHERE series = :series AND begin_us < :end_us AND end_us > :begin_us AND born <= :mark",
    [SQL_STATS] = "SELECT coalesce(sum(n) FILTER (WHERE role = 0), 0), coalesce(sum(n) FILTER (WHERE role = 1), 0), "
                  "coalesce(sum(n_edited), 0), coalesce(sum(n_derived), 0), coalesce(sum(n_estimated), 0), "
                  "coalesce(sum(n_suspect), 0), min(begin_us), max(last_us) FROM chunk "
                  "WHERE series = :series AND role < 2 AND born <= :mark AND died > :mark",
    [SQL_PURGE] = "DELETE FROM chunk WHERE died <= :batch",
    [SQL_SET_PURGED] = "INSERT OR REPLACE INTO info (name, value) VALUES ('purged', :batch)",
    [SQL_PURGED] = "SELECT value FROM info WHERE name = 'purged'",
    [SQL_DAY_PUT] = "INSERT OR REPLACE INTO day (series, day, base, at_s, value, quality) "
                    "VALUES (:series, :day, :base, :at_s, :value, :quality)",
    [SQL_CHANGE] = "SELECT data FROM change WHERE series = :series",
    [SQL_CHANGE_PUT] = "INSERT OR REPLACE INTO change (series, data) VALUES (:series, :data)",
    [SQL_CHANGES] = "SELECT data, series FROM change ORDER BY series",
    [SQL_DAYS_DROP] = "DELETE FROM day WHERE series = :series AND day >= :begin AND day < :end",
    [SQL_CUT_SERIES] = "SELECT id, entity, type, property, unit, kind, step FROM series WHERE id IN (SELECT series FROM chunk "
                       "WHERE born > :mark OR (died > :mark AND died < 9223372036854775807)) ORDER BY id",
    [SQL_CUT_CHUNKS] = "DELETE FROM chunk WHERE born > :mark",
    [SQL_CUT_REVIVE] = "UPDATE chunk SET died = 9223372036854775807 WHERE died > :mark AND died < 9223372036854775807",
    [SQL_CUT_DELETIONS] = "DELETE FROM deletion WHERE born > :mark",
};

struct window_file {
    struct db *db;
    enum file_kind kind;
    bool known_s; /* of plain readings */
    struct buf scratch;
};

static int open_file(const char *path, enum db_mode mode, enum file_kind kind, struct window_file **ret_file,
                     struct err_text *error)
{
    struct window_file *file = calloc(1, sizeof(*file));
    if (!file)
        return err_set(error, ERR_NOMEM, "cannot open \"%s\": out of memory", path);
    file->kind = kind;
    struct buf ddl = {0};
    buf_puts(&ddl, sql_window);
    buf_puts(&ddl, kind == FILE_OPEN ? sql_people : "");
    buf_putc(&ddl, '\0');
    struct db_opts opts = {.path = path, .mode = mode, .format = kind == FILE_OPEN ? &open_format : &raw_format,
                           .schema = (const char *)ddl.data, .sql = sql, .n_sql = SQL_N, .sync_each_commit = true,
                           .page_bytes = kind == FILE_OPEN ? OPEN_PAGE_BYTES : RAW_PAGE_BYTES};
    int rc = ddl.failed ? ERR_NOMEM : db_open(&opts, &file->db, error);
    buf_free(&ddl);
    if (rc) {
        free(file);
        return rc;
    }
    *ret_file = file;
    return 0;
}

int window_file_create(const char *path, enum file_kind kind, const struct file_facts *facts,
                       struct window_file **ret_file, struct err_text *error)
{
    struct window_file *file;
    int rc = open_file(path, kind == FILE_OPEN ? DB_CREATE : DB_CREATE_PLAIN, kind, &file, error);
    if (rc)
        return rc;
    if ((rc = file_put_facts(file->db, SQL_INFO_ADD, kind, facts)) || (rc = window_file_set_mark(file, 0))) {
        db_error(file->db, error, rc, "create");
        window_file_close(file);
        return rc;
    }
    *ret_file = file;
    return 0;
}

int window_file_open(const char *path, struct window_file **ret_file, struct err_text *error)
{
    return open_file(path, DB_WRITE, FILE_OPEN, ret_file, error);
}

int window_file_open_read(const char *path, enum file_kind kind, struct window_file **ret_file, struct err_text *error)
{
    return open_file(path, kind == FILE_OPEN ? DB_READ : DB_READ_SEALED, kind, ret_file, error);
}

void window_file_close(struct window_file *file)
{
    if (!file)
        return;
    db_close(file->db);
    buf_free(&file->scratch);
    free(file);
}

void window_file_settle(struct window_file *file)
{
    if (!file)
        return;
    db_close_settled(file->db);
    file->db = NULL;
    window_file_close(file);
}

struct db *window_file_db(struct window_file *file)
{
    return file->db;
}

int window_file_mark(struct window_file *file, int64_t *ret_mark)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_MARK);
    int rc = db_step(file->db, stmt);
    if (rc != 1)
        return rc ? rc : ERR_CORRUPT;
    *ret_mark = sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    return 0;
}

int window_file_set_mark(struct window_file *file, int64_t mark)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_SET_MARK);
    db_bind_i64(stmt, ":mark", mark);
    return db_run(file->db, stmt);
}

int window_file_set_horizon(struct window_file *file, int64_t horizon_ms)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_INFO_ADD);
    db_bind_text(stmt, ":name", "horizon_ms");
    db_bind_i64(stmt, ":value", horizon_ms);
    return db_run(file->db, stmt);
}

/* ---- series ---- */

int window_file_has_series(struct window_file *file, uint32_t series_id, bool *ret_has)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_HAS_SERIES);
    db_bind_i64(stmt, ":series", series_id);
    int rc = db_step(file->db, stmt);
    if (rc < 0)
        return rc;
    sqlite3_reset(stmt);
    *ret_has = rc == 1;
    return 0;
}

int window_file_add_series(struct window_file *file, const struct series_row *series)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_SERIES_ADD);
    file_bind_series(stmt, series);
    return db_run(file->db, stmt);
}

int window_file_series(struct window_file *file, int (*row)(void *arg, const struct series_row *series), void *arg)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_SERIES);
    db_bind_i64(stmt, ":after", -1);
    return file_walk_series(file->db, stmt, row, arg);
}

struct cut {
    struct window_file *file;
    int64_t mark;
    struct changes changes;
};

static int cut_changes(void *arg, const struct series_row *series)
{
    struct cut *cut = arg;
    cut->changes.n = 0;
    int rc = window_file_changes(cut->file, series->id, &cut->changes);
    if (rc || !cut->changes.n)
        return rc;
    changes_limit(&cut->changes, cut->mark);
    return window_file_put_changes(cut->file, series->id, &cut->changes);
}

int window_file_cut(struct window_file *file, int64_t mark, int (*row)(void *arg, const struct series_row *series), void *arg)
{
    static const enum sql changes[] = {SQL_CUT_CHUNKS, SQL_CUT_REVIVE, SQL_CUT_DELETIONS};
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_CUT_SERIES);
    db_bind_i64(stmt, ":mark", mark);
    int rc = file_walk_series(file->db, stmt, row, arg);
    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes) && !rc; i++) {
        stmt = db_stmt(file->db, (int)changes[i]);
        db_bind_i64(stmt, ":mark", mark);
        rc = db_run(file->db, stmt);
    }
    struct cut cut = {file, mark, {0}};
    rc = rc ? rc : window_file_series(file, cut_changes, &cut);
    changes_free(&cut.changes);
    return rc ? rc : window_file_set_mark(file, mark);
}

static void count_classes(const struct points *points, size_t begin, size_t n, int64_t n_class[static QUALITY_N])
{
    memset(n_class, 0, QUALITY_N * sizeof(*n_class));
    for (size_t i = begin; i < begin + n; i++) {
        unsigned class = points->quality[i] & QUALITY_CLASS_MASK;
        n_class[class < QUALITY_N ? class : QUALITY_SUSPECT]++;
    }
}

static void bind_classes(sqlite3_stmt *stmt, const int64_t n_class[static QUALITY_N])
{
    db_bind_i64(stmt, ":n_edited", n_class[QUALITY_EDITED]);
    db_bind_i64(stmt, ":n_derived", n_class[QUALITY_DERIVED]);
    db_bind_i64(stmt, ":n_estimated", n_class[QUALITY_ESTIMATED]);
    db_bind_i64(stmt, ":n_suspect", n_class[QUALITY_SUSPECT]);
}

int window_file_set_counts(struct window_file *file, uint32_t series_id, const struct points *points)
{
    int64_t n_class[QUALITY_N];
    count_classes(points, 0, points->n, n_class);
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_SET_COUNTS);
    db_bind_i64(stmt, ":n", (int64_t)points->n);
    db_bind_i64(stmt, ":first_us", points->n ? points->t_us[0] : 0);
    db_bind_i64(stmt, ":last_us", points->n ? points->t_us[points->n - 1] : 0);
    bind_classes(stmt, n_class);
    db_bind_i64(stmt, ":series", series_id);
    return db_run(file->db, stmt);
}

int window_file_counts(struct window_file *file, int (*row)(void *arg, const struct series_counts *counts), void *arg)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_COUNTS);
    int rc;
    while ((rc = db_step(file->db, stmt)) == 1) {
        struct series_counts counts = {.series_id = (uint32_t)sqlite3_column_int64(stmt, 0),
                                       .n = sqlite3_column_int64(stmt, 1), .first_us = sqlite3_column_int64(stmt, 2),
                                       .last_us = sqlite3_column_int64(stmt, 3)};
        counts.n_class[QUALITY_MEASURED] = counts.n;
        for (int class = QUALITY_EDITED; class < QUALITY_N; class++) {
            counts.n_class[class] = sqlite3_column_int64(stmt, 3 + class);
            counts.n_class[QUALITY_MEASURED] -= counts.n_class[class];
        }
        if ((rc = row(arg, &counts))) {
            sqlite3_reset(stmt);
            break;
        }
    }
    return rc;
}

/* ---- chunks ---- */

static int put_chunk(struct window_file *file, const struct series_row *series, enum role role,
                     const struct points *points, size_t begin, size_t n, int64_t born)
{
    int64_t n_class[QUALITY_N];
    count_classes(points, begin, n, n_class);
    struct chunk_options options = {.state = series->kind == KIND_STATE, .cold = file->kind == FILE_RAW,
                                    .known_s = file->known_s && role == ROLE_PLAIN,
                                    .key = window_file_key(series->id, role)};
    buf_clear(&file->scratch);
    int rc = chunk_encode(points, begin, n, &options, &file->scratch);
    if (rc)
        return rc;
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_CHUNK_ADD);
    db_bind_i64(stmt, ":series", series->id);
    db_bind_i64(stmt, ":role", role);
    db_bind_i64(stmt, ":begin_us", points->t_us[begin]);
    db_bind_i64(stmt, ":last_us", points->t_us[begin + n - 1]);
    db_bind_i64(stmt, ":n", (int64_t)n);
    bind_classes(stmt, n_class);
    db_bind_i64(stmt, ":born", born);
    db_bind_i64(stmt, ":died", FOREVER);
    db_bind_blob(stmt, ":data", file->scratch.data, file->scratch.n);
    return db_run(file->db, stmt);
}

void window_file_round_known(struct window_file *file, bool to_seconds)
{
    file->known_s = to_seconds;
}

int window_file_put(struct window_file *file, const struct series_row *series, enum role role,
                    const struct points *points, int64_t born)
{
    size_t max = file->kind == FILE_OPEN ? OPEN_CHUNK_POINTS : LIMIT_CHUNK_POINTS;
    int rc = 0;
    for (size_t i = 0; i < points->n && !rc; i += max)
        rc = put_chunk(file, series, role, points, i, points->n - i < max ? points->n - i : max, born);
    return rc;
}

int window_file_put_deletion(struct window_file *file, uint32_t series_id, const struct deletion *deletion, int64_t born)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_DELETION_ADD);
    db_bind_i64(stmt, ":series", series_id);
    db_bind_i64(stmt, ":begin_us", deletion->begin_us);
    db_bind_i64(stmt, ":end_us", deletion->end_us);
    db_bind_i64(stmt, ":issued_us", deletion->issued_us);
    db_bind_i64(stmt, ":known_ms", deletion->known_ms);
    db_bind_i64(stmt, ":born", born);
    return db_run(file->db, stmt);
}

void chunk_rows_free(struct chunk_rows *chunks)
{
    free(chunks->at);
    *chunks = (struct chunk_rows){0};
}

static void read_chunk_row(sqlite3_stmt *stmt, struct chunk_row *row)
{
    *row = (struct chunk_row){sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1),
                              sqlite3_column_int64(stmt, 2), sqlite3_column_int64(stmt, 3)};
}

static int compare_chunk_ids(const void *a, const void *b)
{
    const struct chunk_row *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

int window_file_chunks(struct window_file *file, uint32_t series_id, enum role role, int64_t begin_us, int64_t end_us,
                       int64_t mark, struct chunk_rows *ret_chunks)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_CHUNKS);
    db_bind_i64(stmt, ":series", series_id);
    db_bind_i64(stmt, ":role", role);
    db_bind_i64(stmt, ":begin_us", begin_us);
    db_bind_i64(stmt, ":end_us", end_us);
    db_bind_i64(stmt, ":mark", mark);
    ret_chunks->n = 0;
    int rc;
    while ((rc = db_step(file->db, stmt)) == 1) {
        if (array_grow(&ret_chunks->at, &ret_chunks->cap, ret_chunks->n + 1, sizeof(*ret_chunks->at))) {
            sqlite3_reset(stmt);
            return ERR_NOMEM;
        }
        read_chunk_row(stmt, &ret_chunks->at[ret_chunks->n++]);
    }
    if (role == ROLE_REVISION && ret_chunks->n) /* later flushes add what was in force later, of whatever time */
        qsort(ret_chunks->at, ret_chunks->n, sizeof(*ret_chunks->at), compare_chunk_ids);
    return rc;
}

int window_file_last_chunk(struct window_file *file, uint32_t series_id, enum role role, int64_t mark,
                           struct chunk_row *ret_chunk, bool *ret_found)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_LAST_CHUNK);
    db_bind_i64(stmt, ":series", series_id);
    db_bind_i64(stmt, ":role", role);
    db_bind_i64(stmt, ":mark", mark);
    int rc = db_step(file->db, stmt);
    if (rc < 0)
        return rc;
    *ret_found = rc == 1;
    if (rc == 1) {
        read_chunk_row(stmt, ret_chunk);
        sqlite3_reset(stmt);
    }
    return 0;
}

/* Finds a chunk's row and reads its header: 0 with the statement to be reset once the chunk is done with. */
static int open_chunk(struct window_file *file, int64_t chunk_id, uint64_t key, sqlite3_stmt **ret_stmt, struct chunk *ret_chunk)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_CHUNK);
    db_bind_i64(stmt, ":id", chunk_id);
    int rc = db_step(file->db, stmt);
    if (rc != 1)
        return rc ? rc : ERR_EXPIRED;
    rc = chunk_open(sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0), key, ret_chunk);
    if (rc)
        sqlite3_reset(stmt);
    *ret_stmt = stmt;
    return rc;
}

int window_file_read(struct window_file *file, uint32_t series_id, enum role role, int64_t chunk_id, unsigned want,
                     struct points *points)
{
    struct chunk chunk;
    sqlite3_stmt *stmt;
    int rc = open_chunk(file, chunk_id, window_file_key(series_id, role), &stmt, &chunk);
    if (rc)
        return rc;
    rc = chunk_decode(&chunk, 0, chunk.n_vectors, want, points);
    sqlite3_reset(stmt);
    return rc;
}

int window_file_read_part(struct window_file *file, const struct chunk_part *part, struct points *points)
{
    struct chunk chunk;
    sqlite3_stmt *stmt;
    int rc = open_chunk(file, part->chunk_id, window_file_key(part->series_id, ROLE_PLAIN), &stmt, &chunk);
    if (rc)
        return rc;
    rc = chunk_decode_range(&chunk, part->begin_us, part->end_us, part->want, points);
    sqlite3_reset(stmt);
    return rc;
}

int window_file_kill(struct window_file *file, int64_t chunk_id, int64_t died)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_KILL);
    db_bind_i64(stmt, ":id", chunk_id);
    db_bind_i64(stmt, ":died", died);
    return db_run(file->db, stmt);
}

int window_file_deletions(struct window_file *file, uint32_t series_id, int64_t begin_us, int64_t end_us, int64_t mark,
                          struct deletions *deletions)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_DELETIONS);
    db_bind_i64(stmt, ":series", series_id);
    db_bind_i64(stmt, ":begin_us", begin_us);
    db_bind_i64(stmt, ":end_us", end_us);
    db_bind_i64(stmt, ":mark", mark);
    int rc;
    while ((rc = db_step(file->db, stmt)) == 1) {
        struct deletion deletion = {.begin_us = sqlite3_column_int64(stmt, 0), .end_us = sqlite3_column_int64(stmt, 1),
                                    .issued_us = sqlite3_column_int64(stmt, 2), .known_ms = sqlite3_column_int64(stmt, 3)};
        if (deletions_add(deletions, &deletion)) {
            sqlite3_reset(stmt);
            return ERR_NOMEM;
        }
    }
    return rc;
}

/* ---- changes ---- */

static int read_changes(sqlite3_stmt *stmt, uint32_t series_id, struct changes *changes)
{
    return changes_decode(sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0), series_id, CHANGES_MAX,
                          changes);
}

int window_file_changes(struct window_file *file, uint32_t series_id, struct changes *changes)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_CHANGE);
    db_bind_i64(stmt, ":series", series_id);
    int rc = db_step(file->db, stmt);
    if (rc != 1)
        return rc;
    rc = read_changes(stmt, series_id, changes);
    sqlite3_reset(stmt);
    return rc;
}

int window_file_put_changes(struct window_file *file, uint32_t series_id,
                            const struct changes *changes)
{
    buf_clear(&file->scratch);
    int rc = changes_encode(changes, series_id, &file->scratch);
    if (rc)
        return rc;
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_CHANGE_PUT);
    db_bind_i64(stmt, ":series", series_id);
    db_bind_blob(stmt, ":data", file->scratch.data, file->scratch.n);
    return db_run(file->db, stmt);
}

int window_file_changed(struct window_file *file, struct changes *changes,
                        int (*row)(void *arg, uint32_t series_id, struct changes *changes), void *arg)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_CHANGES);
    int rc;
    while ((rc = db_step(file->db, stmt)) == 1) {
        uint32_t series_id = (uint32_t)sqlite3_column_int64(stmt, 1);
        changes->n = 0;
        rc = read_changes(stmt, series_id, changes);
        rc = rc ? rc : row(arg, series_id, changes);
        if (rc) {
            sqlite3_reset(stmt);
            break;
        }
    }
    return rc;
}

int window_file_stats(struct window_file *file, uint32_t series_id, int64_t mark, struct chunk_stats *ret_stats)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_STATS);
    db_bind_i64(stmt, ":series", series_id);
    db_bind_i64(stmt, ":mark", mark);
    int rc = db_step(file->db, stmt);
    if (rc != 1)
        return rc ? rc : ERR_CORRUPT;
    *ret_stats = (struct chunk_stats){sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1),
                                      sqlite3_column_int64(stmt, 2), sqlite3_column_int64(stmt, 3),
                                      sqlite3_column_int64(stmt, 4), sqlite3_column_int64(stmt, 5),
                                      sqlite3_column_int64(stmt, 6), sqlite3_column_int64(stmt, 7)};
    sqlite3_reset(stmt);
    return 0;
}

int window_file_check_state(struct window_file *file, int64_t mark)
{
    if (file->kind != FILE_OPEN)
        return 0;
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_PURGED);
    int rc = db_step(file->db, stmt);
    if (rc != 1)
        return rc;
    rc = sqlite3_column_int64(stmt, 0) > mark ? ERR_EXPIRED : 0;
    sqlite3_reset(stmt);
    return rc;
}

int window_file_purge(struct window_file *file, int64_t batch)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_PURGE);
    db_bind_i64(stmt, ":batch", batch);
    int rc = db_run(file->db, stmt);
    if (rc || !sqlite3_changes(db_handle(file->db)))
        return rc;
    stmt = db_stmt(file->db, SQL_SET_PURGED);
    db_bind_i64(stmt, ":batch", batch);
    return db_run(file->db, stmt);
}

int window_file_put_day(struct window_file *file, uint32_t series_id, const struct day_row *row)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_DAY_PUT);
    file_bind_day(stmt, series_id, row);
    return db_run(file->db, stmt);
}

int window_file_drop_days(struct window_file *file, uint32_t series_id, int64_t begin, int64_t end)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_DAYS_DROP);
    db_bind_i64(stmt, ":series", series_id);
    db_bind_i64(stmt, ":begin", begin);
    db_bind_i64(stmt, ":end", end);
    return db_run(file->db, stmt);
}
