#include <config.h>

#include "vault/records.h"

#include <stdlib.h>
#include <string.h>

#include "sql/vault.sql.h"
#include "vault/folder.h"
#include "vault/frame.h"

static const struct db_format vault_format = {"vault", 0x414c4d76 /* "ALMv" */, 1, false};

enum {
    SQL_PUT,
    SQL_DELETE_FIELD,
    SQL_READ,
    SQL_BLIND_DROP,
    SQL_BLIND_ADD,
    SQL_SEARCH,
    SQL_ERASE,
    SQL_ERASE_BLIND,
    SQL_NEXT,
    SQL_N
};

static const char *const statements[SQL_N] = {
    [SQL_PUT] = "INSERT OR REPLACE INTO record (subject, kind, field, revision, sealed) VALUES (:name, :kind, :field, "
                ":revision, :sealed)",
    [SQL_DELETE_FIELD] = "DELETE FROM record WHERE subject = :name AND kind = 2 AND field = :field",
    [SQL_READ] = "SELECT kind, field, revision, sealed FROM record WHERE subject = :name",
    [SQL_BLIND_DROP] = "DELETE FROM blind WHERE subject = :name AND field = :field",
    [SQL_BLIND_ADD] = "INSERT INTO blind (field, hash, subject) VALUES (:field, :hash, :name)",
    [SQL_SEARCH] =
        "SELECT subject FROM blind WHERE field = :field AND hash = :hash AND subject > :after ORDER BY subject LIMIT :limit",
    [SQL_ERASE] = "DELETE FROM record WHERE subject = :name",
    [SQL_ERASE_BLIND] = "DELETE FROM blind WHERE subject = :name",
    [SQL_NEXT] = "SELECT min(subject) FROM (SELECT min(subject) AS subject FROM record WHERE subject > :after"
                 " UNION ALL SELECT min(subject) FROM blind WHERE subject > :after)",
};

struct records {
    struct db *db;
};

static const struct db_opts vault_file = {.path = "vault.db",
                                    .format = &vault_format,
                                    .schema = sql_vault,
                                    .sql = statements,
                                    .n_sql = SQL_N,
                                    .rollback_journal = true};

int records_create(const char *folder, struct err_text *error)
{
    return folder_create(folder, &vault_file, error);
}

int records_open(const char *folder, struct records **ret_records, struct err_text *error)
{
    struct records *records = calloc(1, sizeof *records);
    if (!records)
        return err_set(error, ERR_NOMEM, "out of memory");
    int code = folder_open(folder, &vault_file, DB_WRITE, &records->db, error);
    if (code == 0 &&
        ((code = db_exec(records->db, "PRAGMA secure_delete=ON")) != 0 || (code = db_hold(records->db)) != 0))
        db_error(records->db, error, code, "open");
    if (code != 0) {
        records_close(records);
        return code;
    }
    *ret_records = records;
    return 0;
}

void records_close(struct records *records)
{
    if (records)
        db_close(records->db);
    free(records);
}

struct db *records_db(struct records *records)
{
    return records->db;
}

/* ---- writing ---- */

int records_put(struct records *records, const struct records_subject *subject, enum crypt_kind kind, const char *field,
                int64_t revision, const json_t *value)
{
    struct crypt_place place = {
        .kind = kind, .subject = subject->name, .field = field, .revision = revision, .key_id = subject->key_id};
    struct buf sealed = {0};
    size_t size = json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
    char *text = size > 0 ? malloc(size) : NULL;
    if (!text)
        return ERR_NOMEM;
    json_dumpb(value, text, size, JSON_COMPACT | JSON_ENCODE_ANY);
    int code = crypt_seal(subject->key, &place, text, size, &sealed);
    frame_drop(text, size);
    if (code == 0) {
        sqlite3_stmt *stmt = db_stmt(records->db, SQL_PUT);
        db_bind_blob(stmt, ":name", subject->name, CRYPT_NAME_BYTES);
        db_bind_i64(stmt, ":kind", kind);
        db_bind_text(stmt, ":field", field);
        db_bind_i64(stmt, ":revision", revision);
        db_bind_blob(stmt, ":sealed", sealed.data, sealed.n);
        code = db_run(records->db, stmt);
    }
    buf_free(&sealed);
    return code;
}

static int run_field(struct records *records, int sql, const uint8_t name[static CRYPT_NAME_BYTES], const char *field)
{
    sqlite3_stmt *stmt = db_stmt(records->db, sql);
    db_bind_blob(stmt, ":name", name, CRYPT_NAME_BYTES);
    if (field)
        db_bind_text(stmt, ":field", field);
    return db_run(records->db, stmt);
}

int records_delete_field(struct records *records, const uint8_t name[static CRYPT_NAME_BYTES], const char *field)
{
    return run_field(records, SQL_DELETE_FIELD, name, field);
}

int records_index(struct records *records, const uint8_t name[static CRYPT_NAME_BYTES], const char *field,
                  const uint8_t *hash)
{
    int code = run_field(records, SQL_BLIND_DROP, name, field);
    if (code != 0 || !hash)
        return code;
    sqlite3_stmt *stmt = db_stmt(records->db, SQL_BLIND_ADD);
    db_bind_text(stmt, ":field", field);
    db_bind_blob(stmt, ":hash", hash, CRYPT_NAME_BYTES);
    db_bind_blob(stmt, ":name", name, CRYPT_NAME_BYTES);
    return db_run(records->db, stmt);
}

int records_erase(struct records *records, const uint8_t name[static CRYPT_NAME_BYTES])
{
    int code = run_field(records, SQL_ERASE, name, NULL);
    return code == 0 ? run_field(records, SQL_ERASE_BLIND, name, NULL) : code;
}

/* ---- reading ---- */

static int add_record(json_t *whole, enum crypt_kind kind, const char *field, json_t *value)
{
    json_t *fields = json_object_get(whole, "fields");
    int rc = -1;
    switch (kind) {
    case CRYPT_ID:
        rc = json_object_set_new(whole, "id", value);
        break;
    case CRYPT_FIELD:
        rc = json_object_set_new(fields, field, value);
        break;
    case CRYPT_ENTITIES:
        rc = json_object_set_new(whole, "entities", value);
        break;
    case CRYPT_CONSENTS:
        rc = json_object_set_new(whole, "consents", value);
        break;
    default:
        json_decref(value);
    }
    return rc == 0 ? 0 : ERR_NOMEM;
}

static int open_row(sqlite3_stmt *stmt, const struct records_subject *subject, json_t *whole, int64_t *consents)
{
    struct crypt_place place = {.kind = (enum crypt_kind)sqlite3_column_int(stmt, 0),
                                .subject = subject->name,
                                .field = (const char *)sqlite3_column_text(stmt, 1),
                                .revision = sqlite3_column_int64(stmt, 2),
                                .key_id = subject->key_id};
    struct buf plain = {0};
    int code = place.field && place.kind >= CRYPT_ID && place.kind <= CRYPT_CONSENTS ? 0 : ERR_CORRUPT;
    if (code == 0)
        code = crypt_open(subject->key, &place, sqlite3_column_blob(stmt, 3), (size_t)sqlite3_column_bytes(stmt, 3),
                          &plain);
    if (code == 0) {
        json_t *value = json_loadb((char *)plain.data, plain.n, JSON_DECODE_ANY, NULL);
        code = value ? add_record(whole, place.kind, place.field, value) : ERR_CORRUPT;
    }
    if (code == 0 && place.kind == CRYPT_CONSENTS)
        *consents = place.revision;
    crypt_buf_drop(&plain);
    return code;
}

int records_read(struct records *records, const struct records_subject *subject, json_t **ret_whole,
                 int64_t *ret_consents)
{
    json_t *whole = json_pack("{s:{}, s:[], s:[]}", "fields", "entities", "consents");
    int64_t consents = 0;
    if (!whole)
        return ERR_NOMEM;
    sqlite3_stmt *stmt = db_stmt(records->db, SQL_READ);
    db_bind_blob(stmt, ":name", subject->name, CRYPT_NAME_BYTES);
    int code;
    while ((code = db_step(records->db, stmt)) == 1)
        if ((code = open_row(stmt, subject, whole, &consents)) != 0) {
            sqlite3_reset(stmt);
            break;
        }
    if (code == 0 && !json_is_string(json_object_get(whole, "id")))
        code = ERR_NOTFOUND;
    if (code != 0) {
        json_decref(whole);
        return code;
    }
    *ret_whole = whole;
    *ret_consents = consents;
    return 0;
}

int records_search(struct records *records, const char *field, const uint8_t hash[static CRYPT_NAME_BYTES],
                   const uint8_t after[static CRYPT_NAME_BYTES], int64_t limit,
                   int (*each)(void *arg, const uint8_t *name), void *arg)
{
    sqlite3_stmt *stmt = db_stmt(records->db, SQL_SEARCH);
    db_bind_text(stmt, ":field", field);
    db_bind_blob(stmt, ":hash", hash, CRYPT_NAME_BYTES);
    db_bind_blob(stmt, ":after", after, CRYPT_NAME_BYTES);
    db_bind_i64(stmt, ":limit", limit);
    int code;
    while ((code = db_step(records->db, stmt)) == 1) {
        code =
            sqlite3_column_bytes(stmt, 0) == CRYPT_NAME_BYTES ? each(arg, sqlite3_column_blob(stmt, 0)) : ERR_CORRUPT;
        if (code != 0) {
            sqlite3_reset(stmt);
            break;
        }
    }
    return code;
}

static int next_subject(struct records *records, uint8_t name[static CRYPT_NAME_BYTES])
{
    sqlite3_stmt *stmt = db_stmt(records->db, SQL_NEXT);
    db_bind_blob(stmt, ":after", name, CRYPT_NAME_BYTES);
    int code = db_step(records->db, stmt);
    if (code != 1)
        return code;
    code = sqlite3_column_type(stmt, 0) != SQLITE_NULL;
    if (code == 1)
        memcpy(name, sqlite3_column_blob(stmt, 0), CRYPT_NAME_BYTES);
    sqlite3_reset(stmt);
    return code;
}

int records_sweep(struct records *records, int (*each)(void *arg, const uint8_t *name), void *arg, int64_t *ret_removed)
{
    uint8_t name[CRYPT_NAME_BYTES] = {0};
    int64_t n = 0;
    int code = db_begin(records->db);
    while (code == 0 && (code = next_subject(records, name)) == 1) {
        code = each(arg, name);
        n += code == 1;
        if (code == 1)
            code = records_erase(records, name);
    }
    code = code == 0 ? db_commit(records->db) : code;
    if (code != 0)
        db_rollback(records->db);
    else
        *ret_removed = n;
    return code;
}

int records_copy(struct records *records, const char *to, struct err_text *error)
{
    return db_copy_open(records->db, to, error);
}
