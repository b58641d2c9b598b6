#include <config.h>

#include "store/partition_inside.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/files.h"
#include "common/hash.h"
#include "sql/ingest.sql.h"
#include "store/window_file.h"


const struct db_format ingest_format = {"ingest file", 0x414c4d69, 1, false}; /* "ALMi" */

const char *const partition_sql[SQL_N] = {
    [SQL_SOURCE_ADD] =
        "INSERT OR IGNORE INTO source (id, cluster, topic, partition, incarnation, next_offset, last_offset, "
        "last_hash, last_known_ms, n_holes, next_batch, epoch, generation, member) "
        "VALUES (1, '', :topic, :partition, 1, -1, -1, x'', 0, 0, 1, 0, -1, '')",
    [SQL_SOURCE] = "SELECT cluster, incarnation, next_offset, last_offset, last_hash, n_holes, next_batch, epoch, "
                   "told_as, " EXPIRED_COLUMNS " FROM source",
    [SQL_CLAIM] = "UPDATE source SET cluster = :cluster, epoch = :epoch, generation = :generation, member = :member",
    [SQL_ADVANCE] = "UPDATE source SET next_offset = :next_offset, last_offset = :last_offset, last_hash = :last_hash, "
                    "last_known_ms = :last_known_ms, n_holes = :n_holes, next_batch = :next_batch WHERE epoch = :epoch",
    [SQL_TOLD] = "UPDATE source SET told_as = :uuid WHERE epoch = :epoch",
    [SQL_REINCARNATE] =
        "UPDATE source SET incarnation = incarnation + 1, next_offset = :next_offset, last_offset = -1, "
        "n_holes = 0 WHERE epoch = :epoch",
    [SQL_RESTORED] = "UPDATE source SET store = :store, told_as = 'nobody'",
    [SQL_NOTE_STORE] = "UPDATE source SET store = :store WHERE store <> :store",
    [SQL_REWIND] = "UPDATE source SET last_offset = -1, next_offset = coalesce((SELECT from_offset FROM batch "
                   "WHERE n >= :n AND incarnation = source.incarnation ORDER BY n LIMIT 1), next_offset)",
    [SQL_BATCHES_GIVE_UP] = "DELETE FROM batch WHERE n >= :n",
    [SQL_DEAD_GIVE_UP] =
        "DELETE FROM dead WHERE (incarnation, offset) >= (SELECT incarnation, next_offset FROM source)",
    [SQL_BATCH_ADD] = "INSERT INTO batch (n, incarnation, from_offset, next_offset, n_readings, data) "
                      "VALUES (:n, :incarnation, :from_offset, :next_offset, :n_readings, :data)",
    [SQL_DEAD_ADD] = "INSERT INTO dead (incarnation, offset, known_ms, at_us, reason, detail, property, slot, sealed, "
                     "payload, entity) VALUES (:incarnation, :offset, :known_ms, :at_us, :reason, :detail, :property, "
                     ":slot, :sealed, "
                     ":payload, :entity)",
    /* A sealed payload never equals another sealed one, so what is refused again of a letter keeps the letter's;
     * letters of one object share theirs. A letter that is not there any more was brought twice, or is another store's.
     */
    [SQL_DEAD_AGAIN] =
        "INSERT INTO dead (incarnation, offset, known_ms, at_us, reason, detail, property, slot, sealed, "
        "payload, entity, copied) "
        "SELECT :incarnation, :offset, :known_ms, :at_us, :reason, :detail, :property, :slot, "
        ":sealed, iif(length(letter.payload) = length(:payload), letter.payload, :payload), :entity, "
        "coalesce(letter.copied, 0) "
        "FROM (SELECT 1) LEFT JOIN dead AS letter "
        "ON letter.id = :id AND letter.incarnation = :incarnation AND letter.offset = :offset "
        "WHERE NOT EXISTS (SELECT 1 FROM dead WHERE incarnation = :incarnation AND offset = :offset "
        "AND property = :property AND slot = :slot AND id <> :id AND length(payload) = length(:payload) "
        "AND (payload = letter.payload OR (letter.id IS NULL AND detail = :detail)))",
    [SQL_DEAD_DROP] = "DELETE FROM dead WHERE id = :id AND incarnation = :incarnation AND offset = :offset",
    [SQL_DEAD_HELD] =
        "SELECT n_dead, dead_bytes, coalesce((SELECT at_us FROM dead ORDER BY id LIMIT 1), 0) FROM source",
    [SQL_DEAD_OLDEST] = "SELECT id, length(payload) + 200 FROM dead ORDER BY id LIMIT :max",
    [SQL_DEAD_TRIM] = "DELETE FROM dead WHERE id <= :id",
    [SQL_GAP_ADD] = "INSERT INTO gap (incarnation, from_offset, to_offset, at_us, why) "
                    "VALUES (:incarnation, :from, :to, :at_us, :why)",
    [SQL_BACKLOG] = "SELECT count(*), coalesce(sum(length(data)), 0), coalesce(sum(n_readings), 0) FROM batch",
    [SQL_BATCHES] = "SELECT n, data FROM batch WHERE n <= :last ORDER BY n",
    [SQL_BATCHES_DROP] = "DELETE FROM batch WHERE n <= :last",
    [SQL_FILES] = "SELECT name, kind, begin_us, end_us, generation, mark, n_readings, changed_us, bytes, digest, "
                  "tiers, replaced_ms, horizon_ms FROM file "
                  "ORDER BY begin_us, kind",
    [SQL_FILES_CHANGED] = "UPDATE source SET files_version = files_version + 1",
    [SQL_FILE_PUT] =
        "INSERT OR REPLACE INTO file (name, kind, begin_us, end_us, generation, mark, n_readings, changed_us, "
        "bytes, digest, tiers, replaced_ms, horizon_ms) VALUES (:name, :kind, :begin_us, :end_us, "
        ":generation, :mark, :n_readings, :changed_us, :bytes, :digest, :tiers, :replaced_ms, :horizon_ms)",
    [SQL_FILE_DROP] = "DELETE FROM file WHERE name = :name",
    [SQL_RETIRE] = "INSERT OR REPLACE INTO retired (name, since_us) VALUES (:name, :since_us)",
    [SQL_RETIRED] = "SELECT name FROM retired WHERE since_us < :since_us",
    [SQL_RETIRED_DROP] = "DELETE FROM retired WHERE since_us < :since_us",
    [SQL_RULES] = "SELECT since_us, length FROM window_rule ORDER BY since_us",
    [SQL_RULE_ADD] = "INSERT OR REPLACE INTO window_rule (since_us, length) VALUES (:since_us, :length)",
    [SQL_DEAD_NEXT] = "SELECT id, offset, known_ms, reason, detail, property, slot, payload FROM dead WHERE copied = 0 "
                      "ORDER BY id LIMIT :max",
    [SQL_DEAD_DONE] = "UPDATE dead SET copied = 1 WHERE copied = 0 AND id <= :id",
    [SQL_MOMENT_ADD] = "INSERT OR IGNORE INTO moment (batch, at_us) "
                       "SELECT iif(EXISTS (SELECT 1 FROM moment), :batch, 0), :now_us "
                       "WHERE NOT EXISTS (SELECT 1 FROM moment WHERE at_us > :now_us - :every_us)",
    [SQL_MOMENTS_DROP] = "DELETE FROM moment WHERE batch < (SELECT max(batch) FROM moment WHERE at_us < :before_us)",
    [SQL_SYNCED] = "UPDATE source SET n_syncs = n_syncs + 1, synced_batch = next_batch - 1",
    [SQL_DEAD_EXPIRE] = "DELETE FROM dead WHERE at_us < :before_us",
    [SQL_EXPIRE] = "UPDATE source SET expired_us = nullif(:raw_us, -9223372036854775808), "
                   "expired_1s_us = nullif(:tier_1s_us, -9223372036854775808), "
                   "expired_1m_us = nullif(:tier_1m_us, -9223372036854775808), "
                   "expired_15m_us = nullif(:tier_15m_us, -9223372036854775808)",
    [SQL_CARRY_PUT] =
        "INSERT OR REPLACE INTO carry (series, quality, t_us, issued_us, period_us, known_ms, flags, m, e, state, "
        "first_us, since_us) VALUES (:series, :quality, :t_us, nullif(:issued_us, -9223372036854775808), "
        ":period_us, :known_ms, :flags, :m, :e, :state, min(:first_us, coalesce((SELECT min(first_us) FROM carry "
        "WHERE series = :series), :first_us)), :since_us)",
    [SQL_CARRY_TRIM] = "DELETE FROM carry WHERE EXISTS (SELECT 1 FROM carry newer WHERE newer.series = carry.series "
                       "AND newer.quality = carry.quality AND newer.t_us > carry.t_us AND newer.since_us < :before_us)",
};

bool column_equals(sqlite3_stmt *stmt, int column, const char *text)
{
    const char *found = (const char *)sqlite3_column_text(stmt, column);
    return found && strcmp(found, text) == 0;
}

void column_copy(sqlite3_stmt *stmt, int column, char *out, size_t size)
{
    const char *found = (const char *)sqlite3_column_text(stmt, column);
    snprintf(out, size, "%s", found ? found : "");
}

/* ---- opening ---- */

/* Makes the folder parent/name and sees to it that it outlives a loss of power. That it is there does not say so: the sync may
 * have failed, or the process died before it. */
static int make_folder(const char *parent, const char *name, struct err_text *error)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", parent, name);
    int rc = files_make_folder(path);
    rc = rc && rc != ERR_EXISTS ? rc : files_sync(parent);
    return rc ? err_set(error, rc, "cannot make the folder \"%s\": %s", path, strerror(errno)) : 0;
}

int partition_read_source(struct partition *partition)
{
    sqlite3_stmt *stmt = db_stmt(partition->db, SQL_SOURCE);
    int rc = db_step(partition->db, stmt);
    if (rc != 1)
        return rc ? rc : ERR_CORRUPT;
    column_copy(stmt, 0, partition->cluster, sizeof(partition->cluster));
    partition->incarnation = sqlite3_column_int64(stmt, 1);
    partition->next_offset = sqlite3_column_int64(stmt, 2);
    partition->last_offset = sqlite3_column_int64(stmt, 3);
    memset(partition->last_hash, 0, sizeof(partition->last_hash));
    if (sqlite3_column_bytes(stmt, 4) == sizeof(partition->last_hash))
        memcpy(partition->last_hash, sqlite3_column_blob(stmt, 4), sizeof(partition->last_hash));
    partition->n_holes = sqlite3_column_int64(stmt, 5);
    partition->next_batch = sqlite3_column_int64(stmt, 6);
    partition->epoch = sqlite3_column_int64(stmt, 7);
    column_copy(stmt, 8, partition->told_as, sizeof(partition->told_as));
    expired_read(stmt, 9, &partition->expired);
    sqlite3_reset(stmt);
    return 0;
}

int partition_read_backlog(struct partition *partition)
{
    sqlite3_stmt *stmt = db_stmt(partition->db, SQL_BACKLOG);
    int rc = db_step(partition->db, stmt);
    if (rc != 1)
        return rc ? rc : ERR_CORRUPT;
    struct backlog backlog = {.batches = sqlite3_column_int64(stmt, 0), .bytes = sqlite3_column_int64(stmt, 1),
                              .readings = sqlite3_column_int64(stmt, 2), .last_batch = partition->next_batch - 1};
    if (backlog.batches)
        backlog.oldest_us = backlog.newest_us = clock_mono_us();
    partition->backlog = backlog;
    sqlite3_reset(stmt);
    return 0;
}

static void note_synced(struct partition *partition)
{
    partition->synced_offset = partition->next_offset;
    partition->synced_batch = partition->next_batch - 1;
    partition->unsynced = false;
}

/* Syncs the log, which a checkpoint does only as far as readers let it: a commit in mode FULL does, if it
 * changes anything. */
static int sync_log(struct partition *partition)
{
    int rc = db_exec(partition->db, "PRAGMA synchronous=FULL");
    if (!rc)
        rc = db_run(partition->db, db_stmt(partition->db, SQL_SYNCED));
    int back = db_exec(partition->db, "PRAGMA synchronous=NORMAL");
    return rc ? rc : back;
}

/* Syncs everything committed and empties the log where no reader is in the way; the caller holds the lock. */
int partition_sync(struct partition *partition)
{
    bool whole;
    int rc;
    if (partition->unsynced && !partition->doubtful) {
        if ((rc = sync_log(partition)))
            return rc;
        note_synced(partition);
    }
    rc = db_checkpoint(partition->db, &whole);
    if (rc)
        return rc == ERR_BUSY ? 0 : rc;
    if (whole) {
        note_synced(partition);
        partition->dirty = partition->doubtful = false;
    }
    return 0;
}

/* A file of before there were erasures lacks it. */
static int add_entity_column(struct db *db)
{
    int64_t n;
    int rc = db_get_i64(db, "SELECT count(*) FROM pragma_table_info('dead') WHERE name = 'entity'", &n);
    return rc || n ? rc : db_exec(db, "ALTER TABLE dead ADD COLUMN entity BLOB");
}

static int open_database(struct partition *partition, struct err_text *error)
{
    struct db_opts opts = {.path = partition->path, .format = &ingest_format, .schema = sql_ingest, .sql = partition_sql,
                           .n_sql = SQL_N, .shrinks = true};
    opts.mode = access(partition->path, F_OK) == 0 ? DB_WRITE : DB_CREATE;
    int rc = db_open(&opts, &partition->db, error);
    if (rc)
        return rc;
    rc = add_entity_column(partition->db);
    sqlite3_stmt *stmt = db_stmt(partition->db, SQL_SOURCE_ADD);
    db_bind_text(stmt, ":topic", partition->topic);
    db_bind_i64(stmt, ":partition", partition->number);
    rc = rc ? rc : db_run(partition->db, stmt);
    partition->unsynced = partition->dirty = partition->doubtful = true;
    partition->synced_offset = -1;
    partition->synced_batch = 0;
    rc = rc ? rc : partition_read_source(partition);
    rc = rc ? rc : partition_read_backlog(partition);
    rc = rc ? rc : partition_sync(partition);
    if (rc) {
        db_error(partition->db, error, rc, "open");
        db_close(partition->db);
        partition->db = NULL;
    }
    return rc;
}

static bool ends_in(const char *name, const char *end)
{
    size_t n = strlen(name), size = strlen(end);
    return n >= size && strcmp(name + n - size, end) == 0;
}

/* Whether the database behind a name of the folder (its -wal and so on included) is listed as live or retired. */
static int is_listed(struct partition *partition, const char *name, bool *ret_listed)
{
    char base[256]; /* NAME_MAX and its NUL */
    snprintf(base, sizeof(base), "%s", name);
    char *end = strstr(base, ".db");
    if (end)
        end[3] = '\0';
    sqlite3_stmt *stmt;
    int rc = db_code(sqlite3_prepare_v2(db_handle(partition->db),
                                        "SELECT 1 FROM (SELECT name FROM file UNION ALL SELECT name FROM retired) "
                                        "WHERE name = ?1", -1, &stmt, NULL));
    if (rc)
        return rc;
    rc = db_code(sqlite3_bind_text(stmt, 1, base, -1, SQLITE_STATIC)); /* a file that is not found here is removed */
    rc = rc ? rc : db_step(partition->db, stmt);
    sqlite3_finalize(stmt);
    if (rc < 0)
        return rc;
    *ret_listed = rc == 1;
    return 0;
}

static bool has_log_beside(const char *path)
{
    static const char *const ends[] = {"-wal", "-journal"};
    char beside[4096 + 16];
    for (size_t i = 0; i < 2; i++) {
        snprintf(beside, sizeof(beside), "%s%s", path, ends[i]);
        if (access(beside, F_OK) == 0)
            return true;
    }
    return false;
}

/* Whether a crash left the database with a log or journal, or as one that has a log. */
static bool is_unsettled(const char *path)
{
    return has_log_beside(path) || db_is_logged(path);
}

/* An open window that a crash left so can be opened by a writer only, and perhaps none comes. What is wrong with the file is
 * said when it is read. */
static void settle_window(struct partition *partition, const char *name, bool (*is_left)(const char *path))
{
    char path[4096];
    struct db *db;
    snprintf(path, sizeof(path), "%s/%s", partition->folder, name);
    if (strstr(name, ".open.g") && ends_in(name, ".db") && is_left(path) &&
        db_open(&(struct db_opts){.path = path, .mode = DB_WRITE, .format = &open_format, .sync_each_commit = true}, &db,
                NULL) == 0)
        db_close_settled(db);
}

/* A crash between writing a window file and listing it leaves a file that nobody knows: its readings are still batches. */
static int tidy_folder(struct partition *partition, struct err_text *error)
{
    DIR *dir = opendir(partition->folder);
    if (!dir)
        return err_set(error, ERR_IO, "cannot read the folder \"%s\": %s", partition->folder, strerror(errno));
    int rc = 0;
    struct dirent *entry;
    while (!rc && (entry = readdir(dir))) {
        const char *name = entry->d_name;
        bool is_ours = strstr(name, ".open.g") || strstr(name, ".raw.g") || strstr(name, ".tier.g");
        bool listed = false;
        if (!is_ours || strncmp(name, "ingest.db", 9) == 0)
            continue;
        if (!ends_in(name, ".tmp"))
            rc = is_listed(partition, name, &listed);
        char path[4096];
        snprintf(path, sizeof(path), "%s/%s", partition->folder, name);
        if (!rc && !listed)
            files_unlink(path);
        else if (!rc)
            settle_window(partition, name, is_unsettled);
    }
    closedir(dir);
    return rc ? db_error(partition->db, error, rc, "read") : 0;
}

int partition_open(const char *dir, const char *topic, int32_t number, struct partition **ret_partition,
                   struct err_text *error)
{
    struct partition *partition = calloc(1, sizeof(*partition));
    if (!partition)
        return err_set(error, ERR_NOMEM, "cannot open the partition %s/%d: out of memory", topic, number);
    pthread_mutex_init(&partition->lock, NULL);
    snprintf(partition->topic, sizeof(partition->topic), "%s", topic);
    partition->number = number;
    char parent[3072], name[16];
    snprintf(parent, sizeof(parent), "%s/store", dir);
    int rc = make_folder(parent, topic, error);
    snprintf(parent, sizeof(parent), "%s/store/%s", dir, topic);
    snprintf(name, sizeof(name), "%d", number);
    if (!rc)
        rc = make_folder(parent, name, error);
    snprintf(partition->folder, sizeof(partition->folder), "%s/store/%s/%d", dir, topic, number);
    snprintf(partition->path, sizeof(partition->path), "%s/ingest.db", partition->folder);
    if (!rc)
        rc = open_database(partition, error);
    if (!rc)
        rc = tidy_folder(partition, error);
    if (rc) {
        partition_close(partition);
        return rc;
    }
    *ret_partition = partition;
    return 0;
}

/* A window that somebody was reading when the partition was opened could not be settled then. */
static void settle_rest(struct partition *partition)
{
    DIR *dir = opendir(partition->folder);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;)
        settle_window(partition, entry->d_name, has_log_beside);
    if (dir)
        closedir(dir);
}

void partition_close(struct partition *partition)
{
    if (!partition)
        return;
    if (partition->db && !partition->broken)
        settle_rest(partition);
    if (partition->broken)
        db_close(partition->db);
    else
        db_close_settled(partition->db);
    pthread_mutex_destroy(&partition->lock);
    free(partition);
}

const char *partition_folder(const struct partition *partition)
{
    return partition->folder;
}

const char *partition_topic(const struct partition *partition)
{
    return partition->topic;
}

int32_t partition_number(const struct partition *partition)
{
    return partition->number;
}

/* ---- transactions ---- */

int partition_enter(struct partition *partition, struct err_text *error)
{
    pthread_mutex_lock(&partition->lock);
    if (!partition->broken)
        return 0;
    int64_t expected = partition->next_offset, epoch = partition->epoch;
    db_close(partition->db);
    partition->db = NULL;
    int rc = open_database(partition, error);
    if (rc) {
        pthread_mutex_unlock(&partition->lock);
        return rc;
    }
    partition->broken = false;
    if (partition->next_offset != expected || partition->epoch != epoch)
        partition->epoch = epoch + 1; /* commits were lost with the sync: whoever holds a claim has to claim anew */
    return 0;
}

void partition_leave(struct partition *partition)
{
    pthread_mutex_unlock(&partition->lock);
}

int partition_finish(struct partition *partition, int rc, struct err_text *error, const char *doing)
{
    if (!rc)
        rc = db_commit(partition->db);
    if (rc) {
        if (rc != ERR_OWNER && rc != ERR_EXPIRED)
            db_error(partition->db, error, rc, doing);
        db_rollback(partition->db);
        partition->broken = partition->broken || rc == ERR_IO || rc == ERR_CORRUPT;
        return rc;
    }
    partition->unsynced = partition->dirty = true;
    return 0;
}

void partition_backlog(struct partition *partition, struct backlog *ret_backlog)
{
    pthread_mutex_lock(&partition->lock);
    *ret_backlog = partition->backlog;
    ret_backlog->synced_batch = partition->synced_batch;
    partition_leave(partition);
}

int partition_checkpoint(struct partition *partition)
{
    int rc = partition_enter(partition, NULL);
    if (rc)
        return rc;
    if (partition->dirty) {
        rc = partition_sync(partition);
        partition->broken = partition->broken || rc == ERR_IO || rc == ERR_CORRUPT;
    }
    partition_leave(partition);
    return rc;
}
