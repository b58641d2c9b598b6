#include <config.h>

#include "store/verify_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "codec/chunk.h"
#include "common/array.h"
#include "common/hash.h"
#include "rollup/cell.h"
#include "store/people.h"
#include "store/rows.h"
#include "store/tier_file.h"
#include "store/window_file.h"

#define NAME_MAX_TEXT (2 * LIMIT_NAME_BYTES + LIMIT_ENTITY_BYTES)

enum sql {
    SQL_FACT, SQL_SERIES, SQL_CHUNKS, SQL_ORPHANS, SQL_DELETIONS, SQL_DAYS, SQL_DAY_ORPHANS, SQL_CHANGE, SQL_CHANGES, SQL_N
};
enum tier_sql {
    TIER_SQL_FACT, TIER_SQL_SERIES, TIER_SQL_BLOCKS, TIER_SQL_ORPHANS, TIER_SQL_DAYS, TIER_SQL_DAY_ORPHANS, TIER_SQL_N
};

#define SQL_TEXT_FACT "SELECT value FROM info WHERE name = :name"
#define SQL_TEXT_DAYS "SELECT day, base, at_s, value, quality FROM day WHERE series = :series ORDER BY day"
#define SQL_TEXT_DAY_ORPHANS "SELECT count(*) FROM day WHERE series NOT IN (SELECT id FROM series)"

static const char *const window_sql[SQL_N] = {
    [SQL_FACT] = SQL_TEXT_FACT,
    [SQL_SERIES] = "SELECT id, entity, type, property, unit, kind, step, n, first_us, last_us, n_edited, n_derived, "
                   "n_estimated, n_suspect FROM series ORDER BY id",
    [SQL_CHUNKS] = "SELECT id, begin_us, last_us, n, n_edited, n_derived, n_estimated, n_suspect, born, died, data "
                   "FROM chunk WHERE series = :series AND role = :role ORDER BY begin_us, last_us, id",
    [SQL_ORPHANS] = "SELECT count(*) FROM chunk WHERE series NOT IN (SELECT id FROM series) OR role NOT IN (0, 1, 2)",
    [SQL_DELETIONS] = "SELECT count(*) FROM deletion WHERE series NOT IN (SELECT id FROM series) OR begin_us >= end_us "
                      "OR begin_us < :begin_us OR end_us > :end_us OR born > :mark",
    [SQL_DAYS] = SQL_TEXT_DAYS,
    [SQL_DAY_ORPHANS] = SQL_TEXT_DAY_ORPHANS,
    [SQL_CHANGE] = "SELECT data FROM change WHERE series = :series",
    [SQL_CHANGES] = "SELECT data, series FROM change WHERE series NOT IN (SELECT id FROM series)",
};

static const char *const tier_sql[TIER_SQL_N] = {
    [TIER_SQL_FACT] = SQL_TEXT_FACT,
    [TIER_SQL_SERIES] = "SELECT id, entity, type, property, unit, kind, step, tiers FROM series ORDER BY id",
    [TIER_SQL_BLOCKS] = "SELECT begin_us, end_us, n, data FROM block WHERE series = :series AND tier = :tier "
                        "ORDER BY begin_us, end_us, id",
    [TIER_SQL_ORPHANS] = "SELECT count(*) FROM block b LEFT JOIN series s ON s.id = b.series "
                         "WHERE s.id IS NULL OR tier NOT IN (0, 1, 2) OR NOT (s.tiers >> b.tier & 1)",
    [TIER_SQL_DAYS] = SQL_TEXT_DAYS,
    [TIER_SQL_DAY_ORPHANS] = SQL_TEXT_DAY_ORPHANS,
};

/* A series as its file says it. */
struct listed_series {
    struct series_row row;
    struct series_counts counts; /* of raw files */
    unsigned tiers;              /* of tier files */
};

struct series_list {
    struct listed_series *at; /* by id */
    size_t n, cap;
};

/* One file of a window at work. */
struct look {
    const struct file *file;
    char path[4096]; /* as reported */
    struct db *db;   /* NULL: not there, or too damaged to be read */
    int64_t mark;
    struct series_list series;
};

struct window_check {
    struct verify *verify;
    const struct verify_place *place;
    struct look main, tier; /* main: the open or the raw file */
    bool gone, known; /* known: but for its series it was looked at before */
    /* the series at work */
    const struct listed_series *series;
    bool damaged;           /* some of its readings cannot be read: nothing is compared with them */
    struct points points, in_force;
    struct rows rows;
    struct settled settled;
    struct cells cells, stored;
    int64_t last_us, last_issued_us; /* of the chunk before */
    struct changes noted;            /* what the file notes of changes; with noted_wrong nothing is compared with it */
    bool noted_wrong, has_below;     /* has_below: a sealed file lies below the open one */
    int64_t born, born_before;       /* the two newest batches with which chunks were written */
};

static bool is_over(const struct window_check *check)
{
    return check->verify->rc != 0;
}

/* What to do about a file: derived ones are derived again. */
static const char *act_on(const struct look *look)
{
    return look->file->kind == FILE_TIER ? VERIFY_ACT_TIERS : VERIFY_ACT_FACTS;
}

/* A code of the database: no memory ends the work, anything else is a finding. Returns verify->rc. */
static int fail_file(struct window_check *check, const struct look *look, int code, const char *doing)
{
    if (code == ERR_NOMEM)
        return check->verify->rc = ERR_NOMEM;
    return verify_report(check->verify, look->path, act_on(look), "cannot %s: %s",
                         doing, err_name(code));
}

/* "series 7 (m-1 voltage)" */
static const char *name_of(const struct listed_series *series)
{
    static _Thread_local char text[NAME_MAX_TEXT + 40];
    snprintf(text, sizeof(text), "series %u (%s %s)", series->row.id, series->row.entity, series->row.property);
    return text;
}

static int differs(struct window_check *check, const struct look *look, const char *what)
{
    return verify_report(check->verify, look->path, act_on(look), "%s of %s", what,
                         name_of(check->series));
}

/* ---- the file as a whole ---- */

static void open_look(struct window_check *check, struct look *look)
{
    static const struct db_format *const formats[] = {&open_format, &raw_format, &tier_format};
    const struct file *file = look->file;
    bool is_tier = file->kind == FILE_TIER;
    char path[4096];
    struct err_text error = {0};
    snprintf(path, sizeof(path), "%s/%s", check->place->folder, file->name);
    int rc = db_open(&(struct db_opts){.path = path, .mode = file->kind == FILE_OPEN ? DB_READ : DB_READ_SEALED,
                                       .format = formats[file->kind], .sql = is_tier ? tier_sql : window_sql,
                                       .n_sql = is_tier ? (int)TIER_SQL_N : (int)SQL_N}, &look->db, &error);
    if (rc == ERR_NOTFOUND)
        check->gone = true;
    else if (rc)
        fail_file(check, look, rc, "open it");
}

/* What was sealed is compared with its row in the list before anything else is looked at (I3). */
static void check_digest(struct window_check *check, struct look *look)
{
    char path[4096];
    uint8_t digest[HASH_BYTES];
    struct stat stat_of;
    snprintf(path, sizeof(path), "%s/%s", check->place->folder, look->file->name);
    if (stat(path, &stat_of)) {
        check->gone = true;
        return;
    }
    check->verify->counts.n_files++;
    const char *todo = act_on(look);
    int rc = look->file->kind == FILE_OPEN ? 0 : hash_file(path, digest);
    if (rc)
        fail_file(check, look, rc, "read it");
    else if (look->file->kind != FILE_OPEN && stat_of.st_size != look->file->bytes)
        verify_report(check->verify, look->path, todo, "it has %lld bytes, and was sealed with %lld",
                      (long long)stat_of.st_size, (long long)look->file->bytes);
    else if (look->file->kind != FILE_OPEN && !hash_equal(digest, look->file->digest))
        verify_report(check->verify, look->path, todo, "its bytes are not those that were sealed: the digest is another");
    verify_add_bytes(check->verify, stat_of.st_size);
}

static bool has_fact(struct window_check *check, struct look *look, const char *name, const char *text, int64_t value)
{
    sqlite3_stmt *stmt = db_stmt(look->db, look->file->kind == FILE_TIER ? (int)TIER_SQL_FACT : (int)SQL_FACT);
    db_bind_text(stmt, ":name", name);
    int rc = db_step(look->db, stmt);
    if (rc == ERR_NOMEM)
        check->verify->rc = rc;
    if (rc != 1)
        return rc == ERR_NOMEM;
    const char *found = text ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    bool same = text ? found && strcmp(found, text) == 0 : sqlite3_column_int64(stmt, 0) == value;
    sqlite3_reset(stmt);
    return same;
}

static void check_facts(struct window_check *check, struct look *look)
{
    const struct file *file = look->file;
    if (!has_fact(check, look, "kind", file_kind_name[file->kind], 0) ||
        !has_fact(check, look, "topic", check->place->topic, 0) ||
        !has_fact(check, look, "partition", NULL, check->place->partition) ||
        !has_fact(check, look, "begin_us", NULL, file->window.begin_us) ||
        !has_fact(check, look, "end_us", NULL, file->window.end_us) ||
        !has_fact(check, look, "generation", NULL, file->generation))
        verify_report(check->verify, look->path, file->kind == FILE_TIER ? VERIFY_ACT_TIERS : VERIFY_ACT_FACTS,
                      "what it says of itself (table info) is not what the list of files says");
}

static int read_mark(struct look *look)
{
    sqlite3_stmt *stmt = db_stmt(look->db, SQL_FACT);
    db_bind_text(stmt, ":name", "mark");
    int rc = db_step(look->db, stmt);
    if (rc != 1)
        return rc ? rc : ERR_CORRUPT;
    look->mark = sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    return 0;
}

/* The newest batch that may be in the file; of a sealed one the list knows it. */
static int64_t newest_batch(const struct look *look)
{
    return look->file->kind == FILE_OPEN ? look->mark : look->file->mark;
}

static int read_series(struct look *look)
{
    sqlite3_stmt *stmt = db_stmt(look->db, look->file->kind == FILE_TIER ? (int)TIER_SQL_SERIES : (int)SQL_SERIES);
    struct series_list *list = &look->series;
    int rc;
    while ((rc = db_step(look->db, stmt)) == 1) {
        if ((rc = array_grow(&list->at, &list->cap, list->n + 1, sizeof(*list->at))))
            break;
        struct listed_series *series = &list->at[list->n];
        *series = (struct listed_series){0};
        if ((rc = file_read_series(stmt, &series->row)))
            break;
        if (look->file->kind == FILE_TIER) {
            series->tiers = (unsigned)sqlite3_column_int64(stmt, 7);
        } else {
            series->counts = (struct series_counts){series->row.id, sqlite3_column_int64(stmt, 7),
                                                    sqlite3_column_int64(stmt, 8), sqlite3_column_int64(stmt, 9), {0}};
            for (int class = QUALITY_EDITED; class < QUALITY_N; class++)
                series->counts.n_class[class] = sqlite3_column_int64(stmt, 9 + class);
        }
        list->n++;
    }
    if (rc && stmt)
        sqlite3_reset(stmt);
    return rc;
}

static void check_none(struct window_check *check, struct look *look, sqlite3_stmt *stmt, const char *what)
{
    int rc = db_step(look->db, stmt);
    if (rc != 1) {
        fail_file(check, look, rc ? rc : ERR_CORRUPT, "count rows");
        return;
    }
    int64_t n = sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    if (n)
        verify_report(check->verify, look->path, act_on(look), "%lld %s",
                      (long long)n, what);
}

/* Opens the file and checks it as a whole; look->db stays NULL where nothing more can be said. */
static void begin_look(struct window_check *check, struct look *look, const struct file *file)
{
    look->file = file;
    verify_path(check->verify, check->place, file->name, look->path);
    look->mark = INT64_MAX - 1;
    if (!check->known)
        check_digest(check, look);
    if (!is_over(check))
        open_look(check, look);
    if (!look->db || is_over(check))
        return;
    if (!check->known) {
        verify_integrity(check->verify, look->path, look->db, act_on(look));
        check_facts(check, look);
    }
    int rc = file->kind == FILE_OPEN ? read_mark(look) : 0;
    rc = rc ? rc : read_series(look);
    if (rc) {
        fail_file(check, look, rc, "read its series");
        db_close(look->db);
        look->db = NULL;
        return;
    }
    if (file->kind == FILE_OPEN && look->mark < file->mark)
        verify_report(check->verify, look->path, VERIFY_ACT_FACTS, "it holds batches up to %lld, and the list says %lld",
                      (long long)look->mark, (long long)file->mark);
    for (size_t i = 0; i < look->series.n && !is_over(check); i++)
        verify_series(check->verify, look->path, check->place, &look->series.at[i].row);
}

static void end_look(struct look *look)
{
    db_close(look->db);
    free(look->series.at);
}

/* ---- chunks ---- */

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
        fail_file(check, main, rc, "read what changed");
    } else if (rc == 0) {
        differs(check, main, "there is no note of what changed");
    } else {
        rc = changes_list(sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0), check->series->row.id,
                          &check->noted);
        sqlite3_reset(stmt);
        const char *wrong = rc ? "a damaged note of what changed"
                               : verify_changes_wrong(&check->noted, &main->file->window, newest_batch(main));
        if (rc == ERR_NOMEM)
            check->verify->rc = rc;
        else if (wrong)
            differs(check, main, wrong);
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
    differs(check, &check->main, "readings outside of what is noted as changed");
    check->noted_wrong = true;
}

/* A flush that writes chunks of a series has a batch with something of it, later than all that was flushed before. */
static void check_newest_noted(struct window_check *check)
{
    if (!check->noted_wrong && verify_changes_newest(&check->noted) <= check->born_before)
        differs(check, &check->main, "an older batch noted as the newest change");
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
            differs(check, main, wrong);
        else
            check_noted(check, sqlite3_column_int64(stmt, 8));
        if (sqlite3_column_int64(stmt, 8) <= main->mark && sqlite3_column_int64(stmt, 9) > main->mark &&
            role != ROLE_REVISION && !is_over(check) && rows_add_points(&check->rows, &check->points, 0, check->points.n, 0))
            check->verify->rc = ERR_NOMEM;
        if (is_over(check)) {
            sqlite3_reset(stmt);
            return;
        }
    }
    if (rc) {
        check->damaged = true;
        fail_file(check, main, rc, "read chunks");
    }
}

static void read_in_force(struct window_check *check)
{
    rows_clear(&check->rows);
    check->rows.is_state = check->series->row.kind == KIND_STATE;
    points_clear(&check->in_force);
    read_noted(check);
    for (enum role role = ROLE_PLAIN; role < ROLE_N && !is_over(check); role++)
        check_role(check, role);
    if (!is_over(check) && !check->damaged)
        check_newest_noted(check);
    int rc = is_over(check) ? 0 : rows_settle(&check->rows, &check->settled);
    if (!is_over(check) && !rc)
        rc = settled_in_force(&check->settled, check->rows.is_state, &check->in_force);
    if (rc)
        check->verify->rc = rc;
    if (!is_over(check) && check->settled.revisions.n)
        differs(check, &check->main, "readings that are there twice");
    check->verify->counts.n_readings += (int64_t)check->in_force.n;
}

static void check_counts(struct window_check *check)
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
        differs(check, &check->main, "counts that are not those of the readings");
}

/* ---- what is derived ---- */

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

static void check_days(struct window_check *check, struct look *look)
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
                      name_of(check->series));
}

/* Reads the stored cells of a tier; false when that is reported. */
static bool read_cells(struct window_check *check, uint32_t series_id, enum tier tier)
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
                      name_of(check->series));
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
                      written ? "there should be no" : "there is no", tier_name[tier], name_of(check->series));
        return;
    }
    if (!written || !read_cells(check, series->row.id, tier))
        return;
    check->verify->counts.n_cells += (int64_t)check->cells.n;
    size_t i = 0;
    while (i < check->cells.n && i < check->stored.n && cell_equal(&check->cells.rows[i], &check->stored.rows[i]))
        i++;
    if (i < check->cells.n || i < check->stored.n)
        verify_report(check->verify, check->tier.path, VERIFY_ACT_TIERS, "%s cells of %s that are not those of the readings",
                      tier_name[tier], name_of(check->series));
}

static const struct listed_series *find_series(const struct series_list *list, uint32_t id)
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

static void check_tiers(struct window_check *check)
{
    const struct listed_series *series = find_series(&check->tier.series, check->series->row.id);
    if (!series) {
        verify_report(check->verify, check->tier.path, VERIFY_ACT_TIERS, "%s is missing", name_of(check->series));
        return;
    }
    for (enum tier tier = TIER_1S; tier < TIER_N && !is_over(check); tier++)
        compare_tier(check, series, tier);
    if (!is_over(check) && check->tier.file->tiers >> TIER_15M & 1) /* the rows for people go with 15 min */
        check_days(check, &check->tier);
}

/* ---- a window ---- */

/* One series of an open or raw file; of an open one in a short transaction of its own, so that a flush is not held up. */
static void check_series(struct window_check *check, const struct listed_series *series)
{
    struct look *main = &check->main;
    bool is_open = main->file->kind == FILE_OPEN;
    check->series = series;
    check->damaged = false;
    int rc = is_open ? db_begin(main->db) : 0;
    rc = rc || !is_open ? rc : read_mark(main);
    if (rc) {
        fail_file(check, main, rc, "read it");
    } else {
        read_in_force(check);
        if (!check->damaged && !is_over(check) && main->file->kind == FILE_RAW)
            check_counts(check);
        if (!check->damaged && !is_over(check) && is_open)
            check_days(check, main);
        if (!check->damaged && !is_over(check) && check->tier.db)
            check_tiers(check);
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
    while ((rc = db_step(main->db, stmt)) == 1 && !is_over(check)) {
        int64_t series = sqlite3_column_int64(stmt, 1);
        rc = changes_list(sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0), (uint32_t)series, &check->noted);
        const char *wrong = rc ? "it is damaged" : verify_changes_wrong(&check->noted, &main->file->window, newest_batch(main));
        if (rc == ERR_NOMEM)
            check->verify->rc = rc;
        else if (wrong || main->file->kind == FILE_OPEN)
            verify_report(check->verify, main->path, act_on(main), "a note of changes of series %lld, which is not here%s%s",
                          (long long)series, wrong ? ": " : "", wrong ? wrong : "");
    }
    if (rc < 0)
        fail_file(check, main, rc, "read what changed");
    else if (rc == 1)
        sqlite3_reset(stmt);
}

static void check_main(struct window_check *check)
{
    struct look *main = &check->main;
    for (size_t i = 0; i < main->series.n && !is_over(check); i++)
        check_series(check, &main->series.at[i]);
    if (is_over(check))
        return;
    check_notes_alone(check);
    check_none(check, main, db_stmt(main->db, SQL_ORPHANS), "chunks of no series");
    sqlite3_stmt *stmt = db_stmt(main->db, SQL_DELETIONS);
    db_bind_i64(stmt, ":begin_us", main->file->window.begin_us);
    db_bind_i64(stmt, ":end_us", main->file->window.end_us);
    db_bind_i64(stmt, ":mark", INT64_MAX);
    check_none(check, main, stmt, "deletions that cannot be");
    if (main->file->kind == FILE_OPEN)
        check_none(check, main, db_stmt(main->db, SQL_DAY_ORPHANS), "rows for people of no series");
}

/* What can be said of a tier file without its readings, and beside them. */
static void check_tier_alone(struct window_check *check)
{
    struct look *tier = &check->tier;
    for (size_t i = 0; i < tier->series.n && !is_over(check); i++) {
        check->series = &tier->series.at[i];
        if (check->main.db && !find_series(&check->main.series, check->series->row.id))
            verify_report(check->verify, tier->path, VERIFY_ACT_TIERS, "%s has no readings", name_of(check->series));
        for (enum tier t = TIER_1S; t < TIER_N && !check->main.db && !is_over(check); t++)
            if (check->series->tiers >> t & 1 && read_cells(check, check->series->row.id, t))
                check->verify->counts.n_cells += (int64_t)check->stored.n;
    }
    if (is_over(check))
        return;
    check_none(check, tier, db_stmt(tier->db, TIER_SQL_ORPHANS), "blocks of no series or tier");
    check_none(check, tier, db_stmt(tier->db, TIER_SQL_DAY_ORPHANS), "rows for people of no series");
}

static void check_done(struct window_check *check)
{
    end_look(&check->main);
    end_look(&check->tier);
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
        begin_look(&check, &check.tier, tier);
    if (file && !is_over(&check))
        begin_look(&check, &check.main, file);
    if (check.main.db && !is_over(&check) && !check.known)
        check_main(&check);
    if (check.tier.db && !is_over(&check) && !check.known)
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
