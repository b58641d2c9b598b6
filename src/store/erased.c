#include <config.h>

#include "store/erased.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/array.h"
#include "model/registry.h"
#include "sql/erased.sql.h"

const struct db_format erased_format = {"list of erased entities", 0x414c4d65 /* "ALMe" */, 1, false};

static const char *const statements[ERASED_SQL_N] = {
    [ERASED_SQL_VERSION] = "PRAGMA data_version",
    [ERASED_SQL_KEYS] = "SELECT n, key FROM key ORDER BY n",
    [ERASED_SQL_KEY_ADD] = "INSERT OR IGNORE INTO key (key) VALUES (:key)",
    [ERASED_SQL_ALL] = "SELECT hash, at_us FROM entity",
    [ERASED_SQL_ADD] = "INSERT OR IGNORE INTO entity (key, hash, at_us) VALUES (:key, :hash, :at_us)",
    [ERASED_SQL_FIND] = "SELECT done_us FROM entity WHERE hash = :hash",
    [ERASED_SQL_PENDING] = "SELECT coalesce(max(n), 0), coalesce(min(at_us), 0) FROM entity WHERE done_us IS NULL",
    [ERASED_SQL_DONE] = "UPDATE entity SET done_us = :now_us WHERE done_us IS NULL AND n <= :last",
    [ERASED_SQL_AGAIN] = "UPDATE entity SET done_us = NULL",
};

struct hashed {
    uint8_t hash[ERASED_HASH_BYTES];
};

struct erased {
    char path[4096];
    atomic_size_t n;         /* how many; read without the lock */
    pthread_mutex_t lock;    /* everything below */
    struct db *db;           /* NULL until there is a file */
    int64_t data_version, version;
    uint32_t counter;        /* the file's change counter before it was last looked at */
    bool counted;            /* whether it is known */
    int64_t newest_us;
    uint8_t (*keys)[HASH_KEY_BYTES];
    size_t n_keys, keys_cap;
    struct hashed *sorted;   /* n of them */
    size_t cap;
};

/* ---- the file ---- */

static int add_key(struct db *db, struct err_text *error)
{
    int64_t n;
    uint8_t key[HASH_KEY_BYTES];
    int rc = db_get_i64(db, "SELECT count(*) FROM key", &n);
    if (!rc && !n) {
        hash_random(key, sizeof(key));
        sqlite3_stmt *stmt = db_stmt(db, ERASED_SQL_KEY_ADD);
        db_bind_blob(stmt, ":key", key, sizeof(key));
        rc = db_run(db, stmt);
        explicit_bzero(key, sizeof(key));
    }
    return rc ? db_error(db, error, rc, "write") : 0;
}

int erased_open_file(const char *path, enum db_mode mode, struct db **ret_db, struct err_text *error)
{
    struct db_opts opts = {.path = path, .mode = mode, .format = &erased_format, .schema = sql_erased, .sql = statements,
                           .n_sql = ERASED_SQL_N, .rollback_journal = true};
    struct db *db;
    int rc = hash_init();
    if (rc)
        return err_set(error, rc, "no randomness can be had for \"%s\"", path);
    rc = db_open(&opts, &db, error);
    if (rc == ERR_NOTFOUND && mode == DB_WRITE) {
        opts.mode = DB_CREATE;
        if (!(rc = db_open(&opts, &db, error)))
            db_close(db);
        opts.mode = DB_WRITE;
        if (!rc || rc == ERR_EXISTS) /* another process was quicker */
            rc = db_open(&opts, &db, error);
    }
    if (!rc && mode == DB_WRITE && (rc = add_key(db, error)))
        db_close(db);
    if (!rc)
        *ret_db = db;
    return rc;
}

/* DIR/snapshots/NAME, whatever way it is called. */
static bool is_snapshot(const char *dir)
{
    char path[4200];
    struct stat above, snapshots;
    snprintf(path, sizeof(path), "%s/..", dir);
    if (stat(path, &above))
        return false;
    snprintf(path, sizeof(path), "%s/../../snapshots", dir);
    if (stat(path, &snapshots) || above.st_ino != snapshots.st_ino || above.st_dev != snapshots.st_dev)
        return false;
    snprintf(path, sizeof(path), "%s/../../catalog.db", dir);
    return access(path, F_OK) == 0;
}

void erased_path(const char *dir, char *out, size_t size)
{
    snprintf(out, size, is_snapshot(dir) ? "%s/../../erased.db" : "%s/erased.db", dir);
}

int erased_new(const char *dir, struct erased **ret_erased)
{
    struct erased *erased = calloc(1, sizeof(*erased));
    if (!erased)
        return ERR_NOMEM;
    erased_path(dir, erased->path, sizeof(erased->path));
    pthread_mutex_init(&erased->lock, NULL);
    *ret_erased = erased;
    return 0;
}

void erased_free(struct erased *erased)
{
    if (!erased)
        return;
    db_close(erased->db);
    free(erased->keys);
    free(erased->sorted);
    pthread_mutex_destroy(&erased->lock);
    free(erased);
}

/* ---- following it ---- */

static int compare_hashes(const void *a, const void *b)
{
    return memcmp(a, b, ERASED_HASH_BYTES);
}

static int load_keys(struct erased *erased)
{
    sqlite3_stmt *stmt = db_stmt(erased->db, ERASED_SQL_KEYS);
    size_t n = 0;
    int rc;
    while ((rc = db_step(erased->db, stmt)) == 1) {
        const void *key = sqlite3_column_blob(stmt, 1);
        rc = !key || sqlite3_column_bytes(stmt, 1) != HASH_KEY_BYTES
                 ? ERR_CORRUPT
                 : array_grow(&erased->keys, &erased->keys_cap, n + 1, sizeof(*erased->keys));
        if (rc) {
            sqlite3_reset(stmt);
            return rc;
        }
        memcpy(erased->keys[n++], key, HASH_KEY_BYTES);
    }
    erased->n_keys = n;
    return rc;
}

static int load_hashes(struct erased *erased)
{
    sqlite3_stmt *stmt = db_stmt(erased->db, ERASED_SQL_ALL);
    struct hashed *sorted = NULL;
    size_t n = 0, cap = 0;
    int rc;
    while ((rc = db_step(erased->db, stmt)) == 1) {
        const void *hash = sqlite3_column_blob(stmt, 0);
        rc = !hash || sqlite3_column_bytes(stmt, 0) != ERASED_HASH_BYTES ? ERR_CORRUPT
                                                                         : array_grow(&sorted, &cap, n + 1, sizeof(*sorted));
        if (rc) {
            sqlite3_reset(stmt);
            break;
        }
        memcpy(sorted[n++].hash, hash, ERASED_HASH_BYTES);
        int64_t at_us = sqlite3_column_int64(stmt, 1);
        erased->newest_us = at_us > erased->newest_us ? at_us : erased->newest_us;
    }
    if (rc) {
        free(sorted);
        return rc;
    }
    if (n)
        qsort(sorted, n, sizeof(*sorted), compare_hashes);
    free(erased->sorted);
    erased->sorted = sorted;
    erased->cap = cap;
    atomic_store(&erased->n, n);
    return 0;
}

static int load(struct erased *erased)
{
    int rc = db_begin(erased->db);
    if (rc)
        return rc;
    rc = load_keys(erased);
    rc = rc ? rc : load_hashes(erased);
    if (rc)
        db_rollback(erased->db);
    else
        rc = db_commit(erased->db);
    return rc;
}

/* Loads the list where somebody has changed it. */
static int load_news(struct erased *erased, struct err_text *error)
{
    sqlite3_stmt *stmt = db_stmt(erased->db, ERASED_SQL_VERSION);
    int rc = db_step(erased->db, stmt);
    if (rc != 1)
        return db_error(erased->db, error, rc ? rc : ERR_CORRUPT, "read");
    int64_t data_version = sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    if (data_version == erased->data_version)
        return 0;
    if ((rc = load(erased)))
        return db_error(erased->db, error, rc, "read");
    erased->data_version = data_version;
    erased->version++;
    return 0;
}

/* Every request looks, and nearly always there is nothing new. */
static int look(struct erased *erased, struct err_text *error)
{
    uint32_t counter;
    if (!erased->db) {
        if (access(erased->path, F_OK))
            return 0;
        erased->data_version = -1;
        erased->counted = false;
        int rc = erased_open_file(erased->path, DB_READ, &erased->db, error);
        if (rc)
            return rc == ERR_NOTFOUND ? 0 : rc;
    }
    bool counted = db_change_counter(erased->db, &counter) == 0;
    if (counted && erased->counted && counter == erased->counter)
        return 0;
    int rc = load_news(erased, error);
    erased->counted = counted && !rc;
    erased->counter = counted ? counter : 0;
    return rc;
}

/* A journal that a killed process left can only be rolled back by a writer. */
static void recover(struct erased *erased)
{
    struct db *db;
    db_close(erased->db);
    erased->db = NULL;
    if (erased_open_file(erased->path, DB_WRITE, &db, NULL) == 0)
        db_close(db);
}

int erased_follow(struct erased *erased, int64_t *ret_version, struct err_text *error)
{
    pthread_mutex_lock(&erased->lock);
    int rc = look(erased, NULL);
    if (rc && rc != ERR_NOMEM) {
        recover(erased);
        rc = look(erased, error);
    }
    if (!rc && ret_version)
        *ret_version = erased->version;
    pthread_mutex_unlock(&erased->lock);
    return rc;
}

/* ---- asking ---- */

static bool find(const struct erased *erased, const uint8_t hash[static ERASED_HASH_BYTES])
{
    return bsearch(hash, erased->sorted, atomic_load(&erased->n), sizeof(*erased->sorted), compare_hashes) != NULL;
}

bool erased_has(struct erased *erased, const char *entity, size_t size)
{
    uint8_t hash[ERASED_HASH_BYTES];
    bool found = false;
    if (!atomic_load(&erased->n))
        return false;
    pthread_mutex_lock(&erased->lock);
    for (size_t i = 0; i < erased->n_keys && !found; i++) {
        hash_keyed_short(erased->keys[i], entity, size, hash);
        found = find(erased, hash);
    }
    pthread_mutex_unlock(&erased->lock);
    return found;
}

bool erased_has_hash(struct erased *erased, const uint8_t hash[static ERASED_HASH_BYTES])
{
    if (!atomic_load(&erased->n))
        return false;
    pthread_mutex_lock(&erased->lock);
    bool found = find(erased, hash);
    pthread_mutex_unlock(&erased->lock);
    return found;
}

/* Bytes of names of entities stand together; a sentence may end in one of them. */
bool erased_is_named(struct erased *erased, const char *text, size_t size)
{
    if (!atomic_load(&erased->n))
        return false;
    for (size_t i = 0; i < size;) {
        size_t n = 0;
        while (i + n < size && entity_is_name(text + i + n, 1))
            n++;
        size_t bare = n;
        while (bare && strchr(".:/-", text[i + bare - 1]))
            bare--;
        bool is_name = n && n <= LIMIT_ENTITY_BYTES;
        if (is_name && (erased_has(erased, text + i, n) || (bare && bare < n && erased_has(erased, text + i, bare))))
            return true;
        i += n + 1;
    }
    return false;
}

int64_t erased_newest_us(struct erased *erased)
{
    pthread_mutex_lock(&erased->lock);
    int64_t newest_us = erased->newest_us;
    pthread_mutex_unlock(&erased->lock);
    return newest_us;
}

bool erased_hash(struct erased *erased, const char *entity, size_t size, uint8_t ret_hash[static ERASED_HASH_BYTES])
{
    pthread_mutex_lock(&erased->lock);
    bool has_key = erased->n_keys > 0;
    if (has_key)
        hash_keyed_short(erased->keys[0], entity, size, ret_hash);
    pthread_mutex_unlock(&erased->lock);
    return has_key;
}
