#include <config.h>

#include "vault/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/hash.h"
#include "sql/vault_audit.sql.h"
#include "vault/folder.h"
#include "vault/step.h"

static const struct db_format audit_format = {"audit chain", 0x414c4d75 /* "ALMu" */, 1, false};

enum { SQL_ADD, SQL_LAST, SQL_NEXT, SQL_NEXT_OF, SQL_ALL, SQL_N };

#define COLUMNS "seq, t_us, actor, action, purpose, result, detail, subject, link, hash"
static const char *const statements[SQL_N] = {
    [SQL_ADD] = "INSERT INTO entry (" COLUMNS
                ") VALUES (:seq, :t_us, :actor, :action, :purpose, :result, :detail, :subject, :link, :hash)",
    [SQL_LAST] = "SELECT seq, hash FROM entry ORDER BY seq DESC LIMIT 1",
    [SQL_NEXT] =
        "SELECT " COLUMNS " FROM entry WHERE seq > :after AND t_us >= :from AND t_us < :to ORDER BY seq LIMIT 1",
    [SQL_NEXT_OF] =
        "SELECT " COLUMNS
        " FROM entry WHERE subject = :subject AND seq > :after AND t_us >= :from AND t_us < :to ORDER BY seq LIMIT 1",
    [SQL_ALL] = "SELECT " COLUMNS " FROM entry ORDER BY seq",
};

struct audit {
    struct db *db;
    char *folder;
    int64_t seq; /* of the newest entry, and its hash */
    uint8_t hash[AUDIT_HASH_BYTES];
    int64_t head_seq; /* the newest that a head covers */
    int64_t unsigned_since_us;
    sqlite3_stmt *at; /* that audit_next reads */
};

#define HEAD_WORD "almanac audit head 1"
#define HEAD_LINE_MAX 320

/* ---- the hash of an entry: each part with its length before it ---- */

static void add_part(crypto_generichash_state *state, const void *data, size_t size)
{
    uint64_t length = size;
    crypto_generichash_update(state, (const uint8_t *)&length, sizeof length);
    crypto_generichash_update(state, data, size);
}

static void hash_entry(const uint8_t before[static AUDIT_HASH_BYTES], const struct audit_entry *entry,
                       uint8_t ret_hash[static AUDIT_HASH_BYTES])
{
    const char *texts[] = {entry->actor, entry->action, entry->purpose, entry->result, entry->detail};
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, AUDIT_HASH_BYTES);
    add_part(&state, before, AUDIT_HASH_BYTES);
    add_part(&state, &entry->seq, sizeof entry->seq);
    add_part(&state, &entry->t_us, sizeof entry->t_us);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        add_part(&state, texts[i], strlen(texts[i]));
    add_part(&state, entry->subject, entry->subject ? AUDIT_NAME_BYTES : 0);
    add_part(&state, entry->link, entry->link_size);
    crypto_generichash_final(&state, ret_hash, AUDIT_HASH_BYTES);
}

/* ---- opening ---- */

static const struct db_opts audit_file = {.path = "audit.db",
                                    .format = &audit_format,
                                    .schema = sql_vault_audit,
                                    .sql = statements,
                                    .n_sql = SQL_N,
                                    .sync_each_commit = true};

int audit_create(const char *folder, struct err_text *error)
{
    return folder_create(folder, &audit_file, error);
}

static int read_last(struct audit *audit)
{
    sqlite3_stmt *stmt = db_stmt(audit->db, SQL_LAST);
    int code = db_step(audit->db, stmt);
    audit->seq = 0;
    memset(audit->hash, 0, sizeof audit->hash);
    if (code != 1)
        return code;
    audit->seq = sqlite3_column_int64(stmt, 0);
    code = sqlite3_column_bytes(stmt, 1) == AUDIT_HASH_BYTES ? 0 : ERR_CORRUPT;
    if (code == 0)
        memcpy(audit->hash, sqlite3_column_blob(stmt, 1), AUDIT_HASH_BYTES);
    sqlite3_reset(stmt);
    return code;
}

struct head {
    int64_t seq, t_us;
    uint8_t hash[AUDIT_HASH_BYTES], signature[crypto_sign_BYTES];
};

static FILE *open_heads(const char *folder)
{
    char path[PATH_MAX];
    return snprintf(path, sizeof path, "%s/audit.heads", folder) < (int)sizeof path ? fopen(path, "re") : NULL;
}

/* `SEQ TIME HASH SIGNATURE`, hexadecimal; false when it is no such line. */
static bool parse_head(const char *line, struct head *ret_head)
{
    struct head head;
    char hash[65], signature[129], more;
    size_t n;
    if (strlen(line) >= HEAD_LINE_MAX || line[strlen(line) - 1] != '\n' ||
        sscanf(line, "%" SCNd64 " %" SCNd64 " %64[0-9a-f] %128[0-9a-f]%c", &head.seq, &head.t_us, hash, signature,
               &more) != 5 ||
        more != '\n' || sodium_hex2bin(head.hash, sizeof head.hash, hash, strlen(hash), NULL, &n, NULL) != 0 ||
        n != sizeof head.hash ||
        sodium_hex2bin(head.signature, sizeof head.signature, signature, strlen(signature), NULL, &n, NULL) != 0 ||
        n != sizeof head.signature)
        return false;
    *ret_head = head;
    return true;
}

static void read_last_head(struct audit *audit)
{
    char line[HEAD_LINE_MAX + 2];
    struct head head;
    FILE *file = open_heads(audit->folder);
    while (file && fgets(line, sizeof line, file))
        if (parse_head(line, &head))
            audit->head_seq = head.seq;
    if (file)
        fclose(file);
}

int audit_open(const char *folder, struct audit **ret_audit, struct err_text *error)
{
    struct audit *audit = calloc(1, sizeof *audit);
    if (!audit || !(audit->folder = strdup(folder))) {
        free(audit);
        return err_set(error, ERR_NOMEM, "out of memory");
    }
    int code = folder_open(folder, &audit_file, DB_WRITE, &audit->db, error);
    if (code == 0 && (code = read_last(audit)) != 0)
        db_error(audit->db, error, code, "read");
    if (code != 0) {
        audit_close(audit);
        return code;
    }
    read_last_head(audit);
    if (audit->seq > audit->head_seq)
        audit->unsigned_since_us = clock_mono_us();
    *ret_audit = audit;
    return 0;
}

void audit_close(struct audit *audit)
{
    if (!audit)
        return;
    if (audit->at)
        sqlite3_reset(audit->at);
    if (audit->db)
        db_close_settled(audit->db);
    free(audit->folder);
    free(audit);
}

struct db *audit_db(struct audit *audit)
{
    return audit->db;
}

/* ---- writing ---- */

int audit_add(struct audit *audit, const struct audit_entry *given)
{
    struct audit_entry entry = *given;
    uint8_t hash[AUDIT_HASH_BYTES];
    entry.seq = audit->seq + 1;
    entry.t_us = clock_wall_us();
    hash_entry(audit->hash, &entry, hash);
    sqlite3_stmt *stmt = db_stmt(audit->db, SQL_ADD);
    db_bind_i64(stmt, ":seq", entry.seq);
    db_bind_i64(stmt, ":t_us", entry.t_us);
    db_bind_text(stmt, ":actor", entry.actor);
    db_bind_text(stmt, ":action", entry.action);
    db_bind_text(stmt, ":purpose", entry.purpose);
    db_bind_text(stmt, ":result", entry.result);
    db_bind_text(stmt, ":detail", entry.detail);
    db_bind_blob(stmt, ":subject", entry.subject ? (const void *)entry.subject : "",
                 entry.subject ? AUDIT_NAME_BYTES : 0);
    db_bind_blob(stmt, ":link", entry.link ? entry.link : "", entry.link_size);
    db_bind_blob(stmt, ":hash", hash, sizeof hash);
    int code = db_run(audit->db, stmt);
    if (code != 0)
        return code;
    audit->seq = entry.seq;
    memcpy(audit->hash, hash, sizeof hash);
    if (audit->unsigned_since_us == 0)
        audit->unsigned_since_us = clock_mono_us();
    return 0;
}

int audit_settle(struct audit *audit, bool good)
{
    return good ? 0 : read_last(audit);
}

int64_t audit_unsigned(const struct audit *audit, int64_t *ret_since_us)
{
    *ret_since_us = audit->seq > audit->head_seq ? audit->unsigned_since_us : 0;
    return audit->seq - audit->head_seq;
}

static size_t head_text(const struct head *head, uint8_t out[static 128])
{
    size_t n = sizeof HEAD_WORD;
    memcpy(out, HEAD_WORD, n);
    memcpy(out + n, &head->seq, 8);
    memcpy(out + n + 8, &head->t_us, 8);
    memcpy(out + n + 16, head->hash, AUDIT_HASH_BYTES);
    return n + 16 + AUDIT_HASH_BYTES;
}

int audit_sign(struct audit *audit, const uint8_t seed[static 32])
{
    struct head head = {.seq = audit->seq, .t_us = clock_wall_us()};
    uint8_t text[128], public_key[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];
    char path[PATH_MAX], line[HEAD_LINE_MAX], hash[65], signature[129];
    if (audit->seq == audit->head_seq)
        return 0;
    memcpy(head.hash, audit->hash, sizeof head.hash);
    crypto_sign_seed_keypair(public_key, secret, seed);
    crypto_sign_detached(head.signature, NULL, text, head_text(&head, text), secret);
    sodium_memzero(secret, sizeof secret);
    sodium_bin2hex(hash, sizeof hash, head.hash, sizeof head.hash);
    sodium_bin2hex(signature, sizeof signature, head.signature, sizeof head.signature);
    int n = snprintf(line, sizeof line, "%" PRId64 " %" PRId64 " %s %s\n", head.seq, head.t_us, hash, signature);
    snprintf(path, sizeof path, "%s/audit.heads", audit->folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    bool good = fd >= 0 && write(fd, line, (size_t)n) == n && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    if (!good)
        return ERR_IO;
    audit->head_seq = audit->seq;
    audit->unsigned_since_us = 0;
    return 0;
}

/* ---- reading ---- */

static const char *text_at(sqlite3_stmt *stmt, int column)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);
    return text ? text : "";
}

static void take_row(sqlite3_stmt *stmt, struct audit_entry *ret_entry)
{
    *ret_entry = (struct audit_entry){.seq = sqlite3_column_int64(stmt, 0),
                                      .t_us = sqlite3_column_int64(stmt, 1),
                                      .actor = text_at(stmt, 2),
                                      .action = text_at(stmt, 3),
                                      .purpose = text_at(stmt, 4),
                                      .result = text_at(stmt, 5),
                                      .detail = text_at(stmt, 6)};
    if (sqlite3_column_bytes(stmt, 7) == AUDIT_NAME_BYTES)
        ret_entry->subject = sqlite3_column_blob(stmt, 7);
    ret_entry->link_size = (size_t)sqlite3_column_bytes(stmt, 8);
    ret_entry->link = sqlite3_column_blob(stmt, 8);
}

int audit_next(struct audit *audit, const struct audit_range *range, struct audit_entry *ret_entry)
{
    if (audit->at)
        sqlite3_reset(audit->at);
    sqlite3_stmt *stmt = audit->at = db_stmt(audit->db, range->subject ? SQL_NEXT_OF : SQL_NEXT);
    if (range->subject)
        db_bind_blob(stmt, ":subject", range->subject, AUDIT_NAME_BYTES);
    db_bind_i64(stmt, ":after", range->after);
    db_bind_i64(stmt, ":from", range->from_us);
    db_bind_i64(stmt, ":to", range->to_us);
    int code = db_step(audit->db, stmt);
    if (code == 1)
        take_row(stmt, ret_entry);
    else
        audit->at = NULL;
    return code;
}

/* ---- verifying ---- */

/* Whether a row says nothing beyond what its hash is made of: a text that goes on behind a NUL, another length. */
static bool is_exact(sqlite3_stmt *stmt)
{
    for (int i = 2; i <= 6; i++)
        if (sqlite3_column_type(stmt, i) != SQLITE_TEXT ||
            strlen(text_at(stmt, i)) != (size_t)sqlite3_column_bytes(stmt, i))
            return false;
    int n = sqlite3_column_bytes(stmt, 7);
    return (n == 0 || n == AUDIT_NAME_BYTES) && sqlite3_column_type(stmt, 7) == SQLITE_BLOB &&
           sqlite3_column_type(stmt, 8) == SQLITE_BLOB && sqlite3_column_type(stmt, 9) == SQLITE_BLOB &&
           sqlite3_column_type(stmt, 1) == SQLITE_INTEGER;
}

struct verify {
    struct db *db;
    FILE *heads;
    struct head head; /* the next that was not met yet, or seq 0 */
    uint8_t public_key[crypto_sign_PUBLICKEYBYTES];
    struct audit_verdict verdict;
};

static void break_at(struct verify *v, const char *what, int64_t at)
{
    if (!v->verdict.broken[0])
        snprintf(v->verdict.broken, sizeof v->verdict.broken, "%s %" PRId64, what, at);
}

static void next_head(struct verify *v)
{
    char line[HEAD_LINE_MAX + 2];
    uint8_t text[128];
    int64_t before = v->head.seq;
    v->head.seq = 0;
    if (!v->heads || !fgets(line, sizeof line, v->heads))
        return;
    v->verdict.heads++;
    if (!parse_head(line, &v->head))
        break_at(v, "no signed head in line", v->verdict.heads), v->head.seq = 0;
    else if (crypto_sign_verify_detached(v->head.signature, text, head_text(&v->head, text), v->public_key) != 0)
        break_at(v, "a wrong signature in line", v->verdict.heads);
    else if (v->head.seq <= before)
        break_at(v, "a head out of order in line", v->verdict.heads);
}

static int check_chain(struct verify *v)
{
    uint8_t hash[AUDIT_HASH_BYTES] = {0};
    sqlite3_stmt *stmt = db_stmt(v->db, SQL_ALL);
    int code;
    next_head(v);
    while ((code = db_step(v->db, stmt)) == 1) {
        struct audit_entry entry;
        uint8_t next[AUDIT_HASH_BYTES];
        take_row(stmt, &entry);
        hash_entry(hash, &entry, next);
        v->verdict.entries++;
        if (entry.seq != v->verdict.entries)
            break_at(v, "an entry is missing: there is none with number", v->verdict.entries);
        if (!is_exact(stmt) || sqlite3_column_bytes(stmt, 9) != AUDIT_HASH_BYTES ||
            memcmp(next, sqlite3_column_blob(stmt, 9), AUDIT_HASH_BYTES) != 0)
            break_at(v, "the hash does not fit at entry", entry.seq);
        memcpy(hash, next, sizeof hash);
        if (v->head.seq == entry.seq) {
            if (memcmp(v->head.hash, hash, sizeof hash) != 0)
                break_at(v, "a signed head says otherwise of entry", entry.seq);
            v->verdict.covered = entry.seq;
            next_head(v);
        }
        if (v->verdict.broken[0]) {
            sqlite3_reset(stmt);
            return 0;
        }
    }
    if (code == 0 && v->head.seq != 0)
        break_at(v, "the chain ends before the signed entry", v->head.seq);
    return code;
}

int audit_verify(const char *folder, struct audit_verdict *ret_verdict, struct err_text *error)
{
    char path[PATH_MAX];
    struct verify v = {0};
    snprintf(path, sizeof path, "%s/audit.pub", folder);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, v.public_key, sizeof v.public_key) : -1;
    if (fd >= 0)
        close(fd);
    if (n != (ssize_t)sizeof v.public_key)
        return err_set(error, ERR_IO, "the public key of the audit \"%s\" cannot be read: %s", path, strerror(errno));
    int code = folder_open(folder, &audit_file, DB_READ, &v.db, error);
    if (code == ERR_CORRUPT) {
        snprintf(v.verdict.broken, sizeof v.verdict.broken, "audit.db is damaged");
        *ret_verdict = v.verdict;
        return 0;
    }
    if (code != 0)
        return code;
    v.heads = open_heads(folder);
    code = check_chain(&v);
    if (code == ERR_CORRUPT) {
        break_at(&v, "audit.db is damaged after entry", v.verdict.entries);
        code = 0;
    }
    if (code != 0)
        db_error(v.db, error, code, "read");
    else
        *ret_verdict = v.verdict;
    if (v.heads)
        fclose(v.heads);
    db_close(v.db);
    return code;
}

int audit_copy(struct audit *audit, const char *to, struct err_text *error)
{
    return db_copy_open(audit->db, to, error);
}
