#include <config.h>

#include "store/verify_inside.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/array.h"
#include "common/clock.h"
#include "common/hash.h"
#include "store/access.h"
#include "store/file_rows.h"
#include "store/folders.h"

#define ROUNDS_MAX 3                        /* how often a list is read again when files vanish */
#define MANIFEST_LAG_US (60 * INT64_C(1000000)) /* the manifest is written after a round of seals */

/* ---- reporting ---- */

static struct told *told_of(struct verify *verify, const char *path)
{
    for (size_t i = 0; i < 2; i++)
        if (strcmp(verify->told[i].path, path) == 0)
            return &verify->told[i];
    verify->told[1] = verify->told[0];
    snprintf(verify->told[0].path, sizeof(verify->told[0].path), "%s", path);
    verify->told[0].n = 0;
    return &verify->told[0];
}

/* A snapshot goes whole, by a rename first: what is found missing then is no fault. */
static bool is_removed(const struct verify *verify)
{
    struct stat stat_of;
    return verify->folder && (stat(verify->dir, &stat_of) || stat_of.st_ino != verify->folder);
}

int verify_report(struct verify *verify, const char *path, const char *todo, const char *format, ...)
{
    char what[1024];
    struct told *told = told_of(verify, path);
    if (verify->rc || is_removed(verify)) /* what is seen once memory has run out is no finding */
        return verify->rc;
    if (todo && verify->folder)
        todo = VERIFY_ACT_SNAPSHOT;
    verify->counts.n_wrong += todo != NULL;
    verify->counts.n_remarks += todo == NULL;
    if (++told->n > VERIFY_FINDINGS_MAX)
        return verify->rc;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    if (told->n == VERIFY_FINDINGS_MAX)
        snprintf(what, sizeof(what), "and more of this kind");
    struct verify_finding finding = {path, todo != NULL, what, todo ? todo : ""};
    return verify->rc = verify->opts->found(verify->opts->arg, &finding);
}

int verify_fail(struct verify *verify, const char *path, const char *todo, int code, const char *what)
{
    if (code == ERR_NOMEM)
        return verify->rc = code;
    return verify_report(verify, path, todo, "%s: %s", what, err_name(code));
}

void verify_path(const struct verify *verify, const struct verify_place *place, const char *name, char out[static 4096])
{
    snprintf(out, 4096, "%sstore/%s/%d/%s", verify->prefix, place->topic, place->partition, name);
}

void verify_progress(struct verify *verify, int64_t n_bytes)
{
    verify->bytes_done += n_bytes;
    if (!verify->rc && verify->opts->progress)
        verify->rc = verify->opts->progress(verify->opts->arg, verify->bytes_done, verify->bytes_all);
}

void verify_add_bytes(struct verify *verify, int64_t n_bytes)
{
    verify->counts.n_bytes += n_bytes;
    verify_progress(verify, n_bytes);
}

int verify_integrity(struct verify *verify, const char *path, struct db *db, const char *todo)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(db_handle(db), "PRAGMA integrity_check(3)", -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return db_code(rc) == ERR_NOMEM ? (verify->rc = ERR_NOMEM)
                                        : verify_report(verify, path, todo, "cannot be checked: %s", sqlite3_errstr(rc));
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW && !verify->rc) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);
        if (!text)
            verify->rc = ERR_NOMEM;
        else if (strcmp(text, "ok") != 0)
            verify_report(verify, path, todo, "SQLite finds: %s", text);
    }
    sqlite3_finalize(stmt);
    if (db_code(rc) == ERR_NOMEM)
        verify->rc = ERR_NOMEM;
    else if (rc != SQLITE_DONE && rc != SQLITE_ROW)
        verify_report(verify, path, todo, "cannot be checked: %s", sqlite3_errstr(rc));
    return verify->rc;
}

/* ---- the catalog ---- */

enum sql { SQL_SERIES, SQL_PAIR, SQL_SOURCE, SQL_N_SERIES, SQL_STRANGE, SQL_N };

static const char *const catalog_sql[SQL_N] = {
    [SQL_SERIES] = "SELECT s.id, e.name, e.type, s.property, s.unit, s.kind, s.step FROM series s "
                   "JOIN entity e ON e.id = s.entity WHERE s.id = :series",
    [SQL_PAIR] = "SELECT 1 FROM series_source WHERE series = :series AND source = :source",
    [SQL_SOURCE] = "SELECT id FROM source WHERE topic = :topic AND partition = :partition",
    [SQL_N_SERIES] = "SELECT count(*) FROM series",
    [SQL_STRANGE] = "SELECT count(*) FROM series s LEFT JOIN entity e ON e.id = s.entity LEFT JOIN type t ON t.name = e.type "
                    "WHERE t.name IS NULL OR s.kind NOT IN ('gauge', 'counter', 'interval', 'state')",
};

void verify_catalog_path(const struct verify *verify, char out[static 4096])
{
    snprintf(out, 4096, "%scatalog.db", verify->prefix);
}

static int64_t size_of(const char *path)
{
    struct stat stat_of;
    return stat(path, &stat_of) ? 0 : stat_of.st_size;
}

/* The first column of the statement's row, or ret_value as it was. */
static int get_number(struct verify *verify, sqlite3_stmt *stmt, int64_t *ret_value)
{
    int rc = db_step(verify->catalog, stmt);
    if (rc == 1) {
        *ret_value = sqlite3_column_int64(stmt, 0);
        sqlite3_reset(stmt);
    }
    return rc;
}

static void check_catalog(struct verify *verify)
{
    char path[4096], told[4096];
    struct err_text error = {0};
    snprintf(path, sizeof(path), "%s/catalog.db", verify->dir);
    verify_catalog_path(verify, told);
    int rc = db_open(&(struct db_opts){.path = path, .mode = DB_READ, .format = &catalog_format, .sql = catalog_sql,
                                       .n_sql = SQL_N}, &verify->catalog, &error);
    verify->counts.n_files++;
    if (rc == ERR_NOMEM)
        verify->rc = rc;
    else if (rc)
        verify_report(verify, told, VERIFY_ACT_CATALOG, "%s", error.text);
    if (rc)
        return;
    int64_t n_series = 0, n_strange = 0;
    verify_integrity(verify, told, verify->catalog, VERIFY_ACT_CATALOG);
    rc = get_number(verify, db_stmt(verify->catalog, SQL_N_SERIES), &n_series);
    rc = rc < 0 ? rc : get_number(verify, db_stmt(verify->catalog, SQL_STRANGE), &n_strange);
    if (rc < 0)
        verify_fail(verify, told, VERIFY_ACT_CATALOG, rc, "its series cannot be read");
    if (n_strange)
        verify_report(verify, told, VERIFY_ACT_CATALOG, "%lld series without an entity, a known type or a known kind",
                      (long long)n_strange);
    verify->counts.n_series += n_series;
    verify_add_bytes(verify, size_of(path));
}

static bool same_series(sqlite3_stmt *stmt, const struct series_row *series)
{
    struct series_row found;
    return file_read_series(stmt, &found) == 0 && strcmp(found.entity, series->entity) == 0 &&
           strcmp(found.type, series->type) == 0 && strcmp(found.property, series->property) == 0 &&
           strcmp(found.unit, series->unit) == 0 && found.kind == series->kind && found.step == series->step;
}

/* Whether the catalog has a row (1), none (0), or cannot be read; that is reported. */
static int look_up(struct verify *verify, sqlite3_stmt *stmt)
{
    char path[4096];
    int rc = db_step(verify->catalog, stmt);
    if (rc >= 0)
        return rc;
    verify_catalog_path(verify, path);
    verify_fail(verify, path, VERIFY_ACT_CATALOG, rc, "cannot be read");
    return rc;
}

/* Whether the series is known, and known to be in the place. */
static int check_pair(struct verify *verify, const char *path, const struct verify_place *place, uint32_t series_id,
                      const char *name)
{
    sqlite3_stmt *stmt = db_stmt(verify->catalog, SQL_PAIR);
    db_bind_i64(stmt, ":series", series_id);
    db_bind_i64(stmt, ":source", place->source);
    int rc = look_up(verify, stmt);
    if (rc == 0)
        verify_report(verify, path, VERIFY_ACT_CATALOG, "the catalog does not know that series %u%s has readings here",
                      series_id, name);
    if (rc == 1)
        sqlite3_reset(stmt);
    return verify->rc;
}

int verify_series(struct verify *verify, const char *path, const struct verify_place *place, const struct series_row *series)
{
    if (!verify->catalog)
        return verify->rc;
    char name[LIMIT_ENTITY_BYTES + LIMIT_NAME_BYTES + 8];
    snprintf(name, sizeof(name), " (%s %s)", series->entity, series->property);
    sqlite3_stmt *stmt = db_stmt(verify->catalog, SQL_SERIES);
    db_bind_i64(stmt, ":series", series->id);
    int rc = look_up(verify, stmt);
    if (rc == 0 || (rc == 1 && !same_series(stmt, series)))
        verify_report(verify, path, VERIFY_ACT_CATALOG, "series %u%s is %s in the catalog", series->id, name,
                      rc ? "another one" : "not");
    if (rc == 1)
        sqlite3_reset(stmt);
    return rc < 0 || verify->rc ? verify->rc : check_pair(verify, path, place, series->id, name);
}

bool verify_has_kind(struct verify *verify, const char *path, const struct verify_place *place, uint32_t series_id,
                     bool *ret_is_state)
{
    if (!verify->catalog)
        return false;
    sqlite3_stmt *stmt = db_stmt(verify->catalog, SQL_SERIES);
    db_bind_i64(stmt, ":series", series_id);
    int rc = look_up(verify, stmt);
    if (rc == 0)
        verify_report(verify, path, VERIFY_ACT_CATALOG, "series %u is not in the catalog", series_id);
    if (rc != 1)
        return false;
    const char *kind = (const char *)sqlite3_column_text(stmt, 5);
    *ret_is_state = kind && strcmp(kind, "state") == 0;
    sqlite3_reset(stmt);
    check_pair(verify, path, place, series_id, "");
    return true;
}

/* ---- a partition ---- */

static bool has_name(const struct verify_names *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->at[i], name) == 0)
            return true;
    return false;
}

static void check_window(struct verify *verify, const struct verify_place *place, const struct verify_files *window,
                         bool *ret_gone)
{
    struct verify_files sealed = {.raw = window->raw, .tier = window->tier};
    struct verify_files open = {.open = window->open, .below = window->raw};
    int64_t n_wrong = verify->counts.n_wrong;
    sealed.known = verify_shared(verify, place, &sealed);
    verify_window(verify, place, &sealed, ret_gone);
    if (!verify->rc && !sealed.known)
        verify_note_shared(verify, place, &sealed, verify->counts.n_wrong > n_wrong);
    if (!verify->rc)
        verify_window(verify, place, &open, ret_gone);
}

/* Checks the windows of the list that have a file which is not in seen, and adds their files to it. */
static int check_windows(struct verify *verify, const struct verify_place *place, const struct file_list *files,
                         struct verify_names *seen, bool *ret_gone)
{
    for (size_t i = 0, end; i < files->n && !verify->rc; i = end) {
        struct verify_files window = {0};
        bool is_new = false;
        for (end = i; end < files->n && files->at[end].window.begin_us == files->at[i].window.begin_us; end++) {
            const struct file *file = &files->at[end];
            *(file->kind == FILE_RAW ? &window.raw : file->kind == FILE_OPEN ? &window.open : &window.tier) = file;
            is_new = is_new || !has_name(seen, file->name);
        }
        for (size_t f = i; f < end && is_new; f++)
            if (verify_add_name(seen, files->at[f].name))
                return verify->rc = ERR_NOMEM;
        if (is_new)
            check_window(verify, place, &window, ret_gone);
    }
    return verify->rc;
}

static void report_missing(struct verify *verify, const struct verify_place *place, const struct file_list *files)
{
    for (size_t i = 0; i < files->n && !verify->rc; i++) {
        char path[4096];
        struct stat stat_of;
        snprintf(path, sizeof(path), "%s/%s", place->folder, files->at[i].name);
        if (stat(path, &stat_of) == 0)
            continue;
        verify_path(verify, place, files->at[i].name, path);
        verify_report(verify, path, files->at[i].kind == FILE_TIER ? VERIFY_ACT_TIERS : VERIFY_ACT_FACTS,
                      "it is listed, and not there");
    }
}

static int note_sealed(struct verify *verify, const struct verify_place *place, const struct file_list *files)
{
    struct sealed_list *sealed = &verify->sealed;
    for (size_t i = 0; i < files->n; i++) {
        if (files->at[i].kind == FILE_OPEN)
            continue;
        if (array_grow(&sealed->at, &sealed->cap, sealed->n + 1, sizeof(*sealed->at)))
            return verify->rc = ERR_NOMEM;
        struct sealed *one = &sealed->at[sealed->n++];
        one->file = files->at[i];
        snprintf(one->path, sizeof(one->path), "%s/%d/%s", place->topic, place->partition, files->at[i].name);
    }
    return 0;
}

/* Files of the folder that nobody lists. */
static void check_folder(struct verify *verify, const struct verify_place *place, const struct verify_state *state)
{
    DIR *dir = opendir(place->folder);
    struct dirent *entry;
    while (dir && !verify->rc && (entry = readdir(dir))) {
        char base[256], path[4096];
        snprintf(base, sizeof(base), "%s", entry->d_name);
        char *end = strstr(base, ".db");
        if (end && (!end[3] || end[3] == '-'))
            end[3] = '\0';
        bool known = *base == '.' || strcmp(base, "ingest.db") == 0 || has_name(&state->retired, base);
        for (size_t i = 0; i < state->files.n && !known; i++)
            known = strcmp(state->files.at[i].name, base) == 0;
        verify_path(verify, place, entry->d_name, path);
        if (!known)
            verify_report(verify, path, NULL, "it is in no list: the rest of a crash, or of a seal at work");
    }
    if (dir)
        closedir(dir);
}

static void find_source(struct verify *verify, struct verify_place *place)
{
    char path[4096];
    sqlite3_stmt *stmt = db_stmt(verify->catalog, SQL_SOURCE);
    db_bind_text(stmt, ":topic", place->topic);
    db_bind_i64(stmt, ":partition", place->partition);
    int rc = look_up(verify, stmt);
    if (rc == 1) {
        place->source = sqlite3_column_int64(stmt, 0);
        sqlite3_reset(stmt);
    } else if (rc == 0) {
        verify_path(verify, place, "ingest.db", path);
        verify_report(verify, path, VERIFY_ACT_CATALOG, "the catalog does not know this partition");
    }
}

static int check_partition(void *arg, const char *topic, int32_t partition)
{
    struct verify *verify = arg;
    char folder[3072];
    snprintf(folder, sizeof(folder), "%s/store/%s/%d", verify->dir, topic, partition);
    struct verify_place place = {.topic = topic, .folder = folder, .partition = partition};
    struct verify_state state = {0};
    struct verify_names seen = {0};
    bool gone = true;
    if (verify->catalog)
        find_source(verify, &place);
    for (int round = 0; gone && round < ROUNDS_MAX && !verify->rc; round++) {
        gone = false;
        verify_state_done(&state);
        if (verify_ingest(verify, &place, round == 0, &state))
            break;
        check_windows(verify, &place, &state.files, &seen, &gone);
    }
    report_missing(verify, &place, &state.files);
    if (!verify->rc)
        check_folder(verify, &place, &state);
    if (!verify->rc)
        note_sealed(verify, &place, &state.files);
    verify->counts.n_files++;
    snprintf(folder + strlen(folder), sizeof(folder) - strlen(folder), "/ingest.db");
    verify_add_bytes(verify, size_of(folder));
    verify_state_done(&state);
    free(seen.at);
    return verify->rc;
}

/* ---- the manifest ---- */

/* One line: digest, bytes, mark, path. */
static bool is_line_of(const char *line, const struct sealed *sealed)
{
    char right[HASH_HEX_MAX + 600], hex[HASH_HEX_MAX];
    hash_hex(sealed->file.digest, hex);
    snprintf(right, sizeof(right), "%s %lld %lld %s\n", hex, (long long)sealed->file.bytes, (long long)sealed->file.mark,
             sealed->path);
    return strcmp(line, right) == 0;
}

static const char *path_in(char *line)
{
    char *end = strrchr(line, ' ');
    return end ? end + 1 : line;
}

static bool is_path(const char *found, const char *path)
{
    size_t n = strlen(path);
    return strncmp(found, path, n) == 0 && strcmp(found + n, "\n") == 0;
}

static void check_line(struct verify *verify, const char *told, char *line, bool *in_manifest)
{
    for (size_t i = 0; i < verify->sealed.n; i++) {
        const struct sealed *sealed = &verify->sealed.at[i];
        if (!is_path(path_in(line), sealed->path))
            continue;
        in_manifest[i] = true;
        if (!is_line_of(line, sealed))
            verify_report(verify, told, VERIFY_ACT_MANIFEST, "its line of \"%s\" is not what the list of files says",
                          sealed->path);
        return;
    }
    line[strcspn(line, "\n")] = '\0';
    verify_report(verify, told, NULL, "\"%s\" is no live file any more", path_in(line));
}

static void check_manifest(struct verify *verify)
{
    char path[4096], told[4096], line[1024];
    snprintf(path, sizeof(path), "%s/store/manifest", verify->dir);
    snprintf(told, sizeof(told), "%sstore/manifest", verify->prefix);
    bool *in_manifest = calloc(verify->sealed.n + 1, sizeof(*in_manifest));
    FILE *in = fopen(path, "re");
    if (!in_manifest)
        verify->rc = ERR_NOMEM;
    while (in && !verify->rc && fgets(line, sizeof(line), in))
        check_line(verify, told, line, in_manifest);
    int64_t now_us = clock_wall_us();
    for (size_t i = 0; i < verify->sealed.n && !verify->rc; i++) {
        const struct sealed *sealed = &verify->sealed.at[i];
        bool may_lag = now_us - sealed->file.changed_us < MANIFEST_LAG_US;
        if (!in_manifest[i])
            verify_report(verify, told, may_lag ? NULL : VERIFY_ACT_MANIFEST, "\"%s\" is not in it", sealed->path);
    }
    if (in)
        fclose(in);
    free(in_manifest);
}

/* ---- a directory ---- */

static int add_size(void *arg, const char *topic, int32_t partition)
{
    struct verify *verify = arg;
    char path[4096];
    snprintf(path, sizeof(path), "%s/store/%s/%d", verify->dir, topic, partition);
    DIR *dir = opendir(path);
    struct dirent *entry;
    struct stat stat_of;
    while (dir && (entry = readdir(dir)))
        if (strstr(entry->d_name, ".db") && fstatat(dirfd(dir), entry->d_name, &stat_of, 0) == 0)
            verify->bytes_all += stat_of.st_size;
    if (dir)
        closedir(dir);
    return 0;
}

void verify_add_sizes(struct verify *verify)
{
    (void)!folders_walk_all(verify->dir, add_size, verify);
}

static void check_auth(struct verify *verify)
{
    char path[4096], told[4096];
    struct err_text error = {0};
    struct db *db;
    snprintf(path, sizeof(path), "%s/auth.db", verify->dir);
    snprintf(told, sizeof(told), "%sauth.db", verify->prefix);
    int rc = access_open_db(path, &db, &error);
    if (rc == ERR_NOTFOUND)
        return;
    verify->counts.n_files++;
    if (rc == ERR_NOMEM)
        verify->rc = rc;
    else if (rc)
        verify_report(verify, told, "move it away and make new tokens with `almanac token create`", "%s", error.text);
    else
        verify_integrity(verify, told, db, "move it away and make new tokens with `almanac token create`");
    if (!rc)
        db_close(db);
}

void verify_directory(struct verify *verify)
{
    check_catalog(verify);
    if (!verify->rc)
        verify_assets(verify);
    if (!verify->rc)
        verify_erased(verify);
    if (!verify->rc)
        check_auth(verify);
    if (!verify->rc)
        verify->rc = folders_walk_all(verify->dir, check_partition, verify);
    if (!verify->rc)
        check_manifest(verify);
    if (!verify->rc && verify->folder && verify->catalog)
        verify_snapshot_facts(verify);
    db_close(verify->catalog);
    verify->catalog = NULL;
    verify->sealed.n = 0;
}

int verify_run(const struct verify_opts *opts, struct verify_counts *ret_counts, struct err_text *error)
{
    struct verify *verify = calloc(1, sizeof(*verify));
    char path[4096];
    struct stat stat_of;
    *ret_counts = (struct verify_counts){0};
    snprintf(path, sizeof(path), "%s/store", opts->dir);
    if (stat(path, &stat_of) || !S_ISDIR(stat_of.st_mode)) {
        free(verify);
        return err_set(error, ERR_NOTFOUND, "\"%s\" is no data directory: it has no folder \"store\"", opts->dir);
    }
    int rc = verify ? hash_init() : ERR_NOMEM;
    if (!rc) {
        *verify = (struct verify){.opts = opts, .dir = opts->dir, .prefix = ""};
        verify_add_sizes(verify);
        verify_snapshots_sizes(verify);
        verify_directory(verify);
        if (!verify->rc)
            verify_snapshots(verify);
        *ret_counts = verify->counts;
        rc = verify->rc;
        free(verify->sealed.at);
        free(verify->checked.at);
    }
    free(verify);
    return rc ? err_set(error, rc, "cannot verify \"%s\": %s", opts->dir, err_name(rc)) : 0;
}
