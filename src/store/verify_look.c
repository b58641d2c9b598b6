#include <config.h>

#include "store/verify_window_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/array.h"
#include "common/hash.h"
#include "store/file_rows.h"

#define NAME_MAX_TEXT (2 * LIMIT_NAME_BYTES + LIMIT_ENTITY_BYTES)

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

const char *verify_act_on(const struct look *look)
{
    return look->file->kind == FILE_TIER ? VERIFY_ACT_TIERS : VERIFY_ACT_FACTS;
}

int verify_look_fail(struct window_check *check, const struct look *look, int code, const char *doing)
{
    if (code == ERR_NOMEM)
        return check->verify->rc = ERR_NOMEM;
    return verify_report(check->verify, look->path, verify_act_on(look), "cannot %s: %s",
                         doing, err_name(code));
}

const char *verify_name_of(const struct listed_series *series)
{
    static _Thread_local char text[NAME_MAX_TEXT + 40];
    snprintf(text, sizeof(text), "series %u (%s %s)", series->row.id, series->row.entity, series->row.property);
    return text;
}

int verify_differs(struct window_check *check, const struct look *look, const char *what)
{
    return verify_report(check->verify, look->path, verify_act_on(look), "%s of %s", what,
                         verify_name_of(check->series));
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
        verify_look_fail(check, look, rc, "open it");
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
    const char *todo = verify_act_on(look);
    int rc = look->file->kind == FILE_OPEN ? 0 : hash_file(path, digest);
    if (rc)
        verify_look_fail(check, look, rc, "read it");
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

int verify_look_mark(struct look *look)
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

int64_t verify_look_newest(const struct look *look)
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

void verify_look_none(struct window_check *check, struct look *look, sqlite3_stmt *stmt, const char *what)
{
    int rc = db_step(look->db, stmt);
    if (rc != 1) {
        verify_look_fail(check, look, rc ? rc : ERR_CORRUPT, "count rows");
        return;
    }
    int64_t n = sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    if (n)
        verify_report(check->verify, look->path, verify_act_on(look), "%lld %s",
                      (long long)n, what);
}

void verify_look_begin(struct window_check *check, struct look *look, const struct file *file)
{
    look->file = file;
    verify_path(check->verify, check->place, file->name, look->path);
    look->mark = INT64_MAX - 1;
    if (!check->known)
        check_digest(check, look);
    if (!verify_is_over(check))
        open_look(check, look);
    if (!look->db || verify_is_over(check))
        return;
    if (!check->known) {
        verify_integrity(check->verify, look->path, look->db, verify_act_on(look));
        check_facts(check, look);
    }
    int rc = file->kind == FILE_OPEN ? verify_look_mark(look) : 0;
    rc = rc ? rc : read_series(look);
    if (rc) {
        verify_look_fail(check, look, rc, "read its series");
        db_close(look->db);
        look->db = NULL;
        return;
    }
    if (file->kind == FILE_OPEN && look->mark < file->mark)
        verify_report(check->verify, look->path, VERIFY_ACT_FACTS, "it holds batches up to %lld, and the list says %lld",
                      (long long)look->mark, (long long)file->mark);
    for (size_t i = 0; i < look->series.n && !verify_is_over(check); i++)
        verify_series(check->verify, look->path, check->place, &look->series.at[i].row);
}

void verify_look_end(struct look *look)
{
    db_close(look->db);
    free(look->series.at);
}
