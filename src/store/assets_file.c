#include <config.h>

#include "store/assets_file.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/array.h"
#include "common/clock.h"
#include "sql/assets.sql.h"
#include "store/erased.h"
#include "store/forget.h"

#define REFUSED_KEEP_MS (30 * INT64_C(86400000)) /* as dead letters */

const struct db_format assets_format = {"assets file", 0x414c4d73 /* "ALMs" */, 1, false};

enum sql {
    SQL_VERSION, SQL_PLACE, SQL_PLACE_PUT, SQL_GET, SQL_PUT, SQL_IS_THERE, SQL_DECLARE, SQL_CHANGE, SQL_WAIT, SQL_WAIT_FOR,
    SQL_WAITING_FOR, SQL_WAITING, SQL_WAITING_DROP_REFERENCES, SQL_WAITING_DROP, SQL_LEAVE_REFERENCES, SQL_LEAVE,
    SQL_REFUSE_WAITING, SQL_REFUSE, SQL_FORGET, SQL_OUTPUT, SQL_CALENDARS, SQL_CALENDAR_DONE, SQL_N
};

#define BEFORE "(known_ms, partition, \"offset\", part) < (:known_ms, :partition, :offset, :part)"

static const char *const sql[SQL_N] = {
    [SQL_VERSION] = "SELECT coalesce(max(version), 0) FROM asset",
    [SQL_PLACE] = "SELECT next_offset, last_hash FROM place WHERE topic = :topic AND partition = :partition",
    [SQL_PLACE_PUT] = "INSERT OR REPLACE INTO place (topic, partition, next_offset, last_hash) "
                      "VALUES (:topic, :partition, :next_offset, :last_hash)",
    [SQL_GET] = "SELECT " BEFORE ", document = :document, since_ms, version FROM asset WHERE kind = :kind AND id = :id",
    [SQL_PUT] = "INSERT OR REPLACE INTO asset (kind, id, type, entity, parent_kind, parent, start_us, document, since_ms, "
                "known_ms, partition, \"offset\", part, version) "
                "VALUES (:kind, :id, :type, :entity, :parent_kind, :parent, :start_us, "
                ":document, :since_ms, :known_ms, :partition, :offset, :part, :version)",
    [SQL_IS_THERE] = "SELECT 1 FROM asset WHERE kind = :kind AND id = :id",
    [SQL_DECLARE] = "INSERT OR REPLACE INTO declaration (entity, property, cadence_us, max_gap_us, step, register_m, register_e, "
                    "epsilon_m, epsilon_e, version) VALUES (:entity, :property, :cadence_us, :max_gap_us, nullif(:step, -1), "
                    ":register_m, :register_e, :epsilon_m, :epsilon_e, :version)",
    [SQL_CHANGE] = "INSERT OR REPLACE INTO meter_change (entity, property, t_us, end_m, end_e, start_m, start_e, version) "
                   "VALUES (:entity, :property, :t_us, :end_m, :end_e, :start_m, :start_e, :version)",
    [SQL_WAIT] = "INSERT OR IGNORE INTO waiting (kind, id, type, entity, parent_kind, parent, start_us, document, known_ms, "
                 "partition, \"offset\", part, topic) VALUES (:kind, :id, :type, :entity, :parent_kind, :parent, :start_us, "
                 ":document, :known_ms, :partition, :offset, :part, :topic)",
    [SQL_WAIT_FOR] = "INSERT OR IGNORE INTO waiting_reference (n, field, kind, id) VALUES (:n, :field, :kind, :id)",
    [SQL_WAITING_FOR] = "SELECT n FROM waiting_reference r WHERE kind = :kind AND id = :id AND NOT EXISTS (SELECT 1 FROM "
                        "waiting_reference o WHERE o.n = r.n AND NOT EXISTS (SELECT 1 FROM asset a WHERE a.kind = o.kind AND "
                        "a.id = o.id)) ORDER BY n LIMIT 1",
    [SQL_WAITING] = "SELECT kind, id, type, entity, parent_kind, parent, start_us, document, known_ms, partition, \"offset\", "
                    "part FROM waiting WHERE n = :n",
    [SQL_WAITING_DROP_REFERENCES] = "DELETE FROM waiting_reference WHERE n = :n",
    [SQL_WAITING_DROP] = "DELETE FROM waiting WHERE n = :n",
    [SQL_LEAVE_REFERENCES] = "DELETE FROM waiting_reference WHERE n IN (SELECT n FROM waiting WHERE kind = :kind AND "
                             "id = :id AND " BEFORE ")",
    [SQL_LEAVE] = "DELETE FROM waiting WHERE kind = :kind AND id = :id AND " BEFORE,
    [SQL_REFUSE_WAITING] = "UPDATE waiting SET is_refused = 1 WHERE is_refused = 0",
    [SQL_REFUSE] = "INSERT OR REPLACE INTO refused (topic, partition, \"offset\", part, known_ms, reason, detail) "
                   "VALUES (:topic, :partition, :offset, :part, :known_ms, :reason, :detail)",
    [SQL_FORGET] = "DELETE FROM refused WHERE known_ms < :before_ms",
    [SQL_OUTPUT] = "INSERT OR IGNORE INTO optimization (known_ms, partition, \"offset\", document) "
                   "VALUES (:known_ms, :partition, :offset, :document)",
    [SQL_CALENDARS] = "SELECT a.id, a.document, a.since_ms FROM asset a LEFT JOIN calendar_done d ON d.id = a.id "
                      "WHERE a.kind = 'Calendar' AND d.since_ms IS NOT a.since_ms ORDER BY a.id",
    [SQL_CALENDAR_DONE] = "INSERT OR REPLACE INTO calendar_done (id, since_ms) VALUES (:id, :since_ms)",
};

/* An asset that was not there before the batch at work: others may have waited for it. */
struct arrival {
    enum asset_kind kind;
    char id[LIMIT_ENTITY_BYTES + 1];
};

struct assets_file {
    struct documents_sink sink;
    char *path;
    pthread_mutex_t lock;      /* everything below: the calls of the sink, and assets_file_forget */
    struct db *db;             /* NULL until there is a file */
    struct erased *erased;     /* NULL: nothing is refused */
    int64_t version;           /* of the last batch that changed an asset */
    /* the batch at work */
    bool has_changed;
    struct arrival *arrivals;
    size_t n_arrivals, arrivals_cap;
    struct buf text;
};

static struct assets_file *file_of(struct documents_sink *sink)
{
    return (struct assets_file *)sink;
}

/* ---- binding ---- */

static void bind_place(sqlite3_stmt *stmt, const struct document_place *place)
{
    db_bind_i64(stmt, ":known_ms", place->known_ms);
    db_bind_i64(stmt, ":partition", place->partition);
    db_bind_i64(stmt, ":offset", place->offset);
    db_bind_i64(stmt, ":part", place->part);
}

static void bind_name(sqlite3_stmt *stmt, enum asset_kind kind, const char *id)
{
    db_bind_text(stmt, ":kind", asset_kind_name(kind));
    db_bind_text(stmt, ":id", id);
}

/* What `asset` and `waiting` have alike. */
static void bind_document(sqlite3_stmt *stmt, const struct document *document, const char *text, size_t size)
{
    bind_name(stmt, document->kind, document->id);
    db_bind_text(stmt, ":type", document->type);
    db_bind_text(stmt, ":entity", document->entity);
    db_bind_text(stmt, ":parent_kind", asset_kind_name(document->parent_kind));
    db_bind_text(stmt, ":parent", document->parent);
    db_bind_i64(stmt, ":start_us", document->start_us);
    db_bind_text_n(stmt, ":document", text, size);
    bind_place(stmt, &document->place);
}

static void bind_series(sqlite3_stmt *stmt, const struct document *document, int64_t version)
{
    db_bind_text(stmt, ":entity", document->entity);
    db_bind_text(stmt, ":property", document->property);
    db_bind_i64(stmt, ":version", version);
}

/* ---- one document ---- */

static int declare(struct assets_file *file, const struct document *document)
{
    const struct declaration *declaration = &document->declaration;
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_DECLARE);
    bind_series(stmt, document, file->version + 1);
    db_bind_i64(stmt, ":cadence_us", declaration->cadence_us);
    db_bind_i64(stmt, ":max_gap_us", declaration->max_gap_us);
    db_bind_i64(stmt, ":step", declaration->step);
    db_bind_i64(stmt, ":register_m", declaration->register_size.m);
    db_bind_i64(stmt, ":register_e", declaration->register_size.e);
    db_bind_i64(stmt, ":epsilon_m", declaration->epsilon.m);
    db_bind_i64(stmt, ":epsilon_e", declaration->epsilon.e);
    return db_run(file->db, stmt);
}

static int note_change(struct assets_file *file, const struct document *document)
{
    const struct meter_change *change = &document->change;
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_CHANGE);
    bind_series(stmt, document, file->version + 1);
    db_bind_i64(stmt, ":t_us", change->t_us);
    db_bind_i64(stmt, ":end_m", change->end.m);
    db_bind_i64(stmt, ":end_e", change->end.e);
    db_bind_i64(stmt, ":start_m", change->start.m);
    db_bind_i64(stmt, ":start_e", change->start.e);
    return db_run(file->db, stmt);
}

static int note_arrival(struct assets_file *file, const struct document *document)
{
    if (strlen(document->id) > LIMIT_ENTITY_BYTES) /* of a series: nothing refers to it */
        return 0;
    if (array_grow(&file->arrivals, &file->arrivals_cap, file->n_arrivals + 1, sizeof(*file->arrivals)))
        return ERR_NOMEM;
    struct arrival *arrival = &file->arrivals[file->n_arrivals++];
    arrival->kind = document->kind;
    snprintf(arrival->id, sizeof(arrival->id), "%.*s", LIMIT_ENTITY_BYTES, document->id);
    return 0;
}

/* What is in force of the document's kind and id: 1, 0 where there is nothing. */
struct current {
    bool is_before, is_same;
    int64_t since_ms, version;
};

static int get_current(struct assets_file *file, const struct document *document, const char *text, struct current *ret_current)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_GET);
    bind_name(stmt, document->kind, document->id);
    bind_place(stmt, &document->place);
    db_bind_text_n(stmt, ":document", text, document->text_size);
    int rc = db_step(file->db, stmt);
    if (rc != 1)
        return rc;
    *ret_current = (struct current){sqlite3_column_int(stmt, 0) != 0, sqlite3_column_int(stmt, 1) != 0,
                                    sqlite3_column_int64(stmt, 2), sqlite3_column_int64(stmt, 3)};
    sqlite3_reset(stmt);
    return 1;
}

/* Earlier documents of the same id need not wait any more. */
static int drop_earlier(struct assets_file *file, const struct document *document)
{
    static const enum sql steps[] = {SQL_LEAVE_REFERENCES, SQL_LEAVE};
    int rc = 0;
    for (size_t i = 0; i < 2 && !rc; i++) {
        sqlite3_stmt *stmt = db_stmt(file->db, (int)steps[i]);
        bind_name(stmt, document->kind, document->id);
        bind_place(stmt, &document->place);
        rc = db_run(file->db, stmt);
    }
    return rc;
}

/* Puts a document in force, unless a later one is. */
static int admit(struct assets_file *file, const struct document *document, const char *text)
{
    struct current current = {0};
    int found = get_current(file, document, text, &current);
    if (found < 0 || (found && !current.is_before))
        return found < 0 ? found : 0;
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_PUT);
    bind_document(stmt, document, text, document->text_size);
    db_bind_i64(stmt, ":since_ms", current.is_same ? current.since_ms : document->place.known_ms);
    db_bind_i64(stmt, ":version", current.is_same ? current.version : file->version + 1);
    int rc = db_run(file->db, stmt);
    if (!rc && !current.is_same) {
        file->has_changed = true;
        rc = document->kind == ASSET_SERIES ? declare(file, document)
             : document->kind == ASSET_METER_CHANGE ? note_change(file, document) : 0;
    }
    rc = rc ? rc : drop_earlier(file, document);
    return rc || found ? rc : note_arrival(file, document);
}

/* ---- references ---- */

static int is_there(struct assets_file *file, const struct document_reference *reference)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_IS_THERE);
    bind_name(stmt, reference->kind, reference->id);
    int rc = db_step(file->db, stmt);
    if (rc == 1)
        sqlite3_reset(stmt);
    return rc;
}

static int let_wait(struct assets_file *file, const struct documents *documents, const struct document *document,
                    const char *topic)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_WAIT);
    bind_document(stmt, document, (const char *)documents->bytes.data + document->text_at, document->text_size);
    db_bind_text(stmt, ":topic", topic);
    int rc = db_run(file->db, stmt);
    if (rc || !sqlite3_changes(db_handle(file->db))) /* read again: it waits already */
        return rc;
    int64_t n = sqlite3_last_insert_rowid(db_handle(file->db));
    for (size_t i = 0; i < document->n_references && !rc; i++) {
        const struct document_reference *reference = &documents->references[document->references_at + i];
        stmt = db_stmt(file->db, SQL_WAIT_FOR);
        db_bind_i64(stmt, ":n", n);
        db_bind_text(stmt, ":field", reference->field);
        bind_name(stmt, reference->kind, reference->id);
        rc = db_run(file->db, stmt);
    }
    return rc;
}

static int take_refusal(struct assets_file *file, const struct document_refusal *refusal)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_REFUSE);
    db_bind_text(stmt, ":topic", refusal->topic);
    bind_place(stmt, &refusal->place);
    db_bind_text(stmt, ":reason", refusal_name(refusal->reason));
    db_bind_text(stmt, ":detail", refusal->detail);
    return db_run(file->db, stmt);
}

static int refuse_erased(struct assets_file *file, const char *topic, const struct document_place *place)
{
    return take_refusal(file, &(struct document_refusal){.topic = topic, .place = *place, .reason = REFUSED_ERASED,
                                                         .detail = "it names an entity that was erased"});
}

static bool names_erased(const struct assets_file *file, const struct documents *documents, size_t text_at, size_t text_size)
{
    return file->erased && erased_is_named(file->erased, (const char *)documents->bytes.data + text_at, text_size);
}

static int take_document(struct assets_file *file, const struct documents *documents, const struct document *document)
{
    if (names_erased(file, documents, document->text_at, document->text_size))
        return refuse_erased(file, documents->topic, &document->place);
    const char *text = (const char *)documents->bytes.data + document->text_at;
    struct current current;
    int rc = 1;
    for (size_t i = 0; i < document->n_references && rc == 1; i++)
        rc = is_there(file, &documents->references[document->references_at + i]);
    if (rc)
        return rc < 0 ? rc : admit(file, document, text);
    rc = get_current(file, document, text, &current);
    return rc < 0 || (rc && !current.is_before) ? rc < 0 ? rc : 0 : let_wait(file, documents, document, documents->topic);
}

static int copy_text(struct assets_file *file, sqlite3_stmt *stmt, int column, size_t *ret_size)
{
    buf_clear(&file->text);
    buf_put(&file->text, sqlite3_column_text(stmt, column), (size_t)sqlite3_column_bytes(stmt, column));
    *ret_size = file->text.n;
    return file->text.failed ? ERR_NOMEM : 0;
}

static int read_kind(sqlite3_stmt *stmt, int column, enum asset_kind *ret_kind)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);
    *ret_kind = ASSET_NONE;
    return !text ? ERR_NOMEM : *text && asset_kind_parse(text, strlen(text), ret_kind) ? ERR_CORRUPT : 0;
}

static void read_column(sqlite3_stmt *stmt, int column, char *out, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);
    snprintf(out, size, "%s", text ? text : "");
}

/* Only kinds that refer to others wait; those have no more than these. */
static int read_waiting(struct assets_file *file, int64_t n, struct document *ret_document)
{
    struct document document = {0};
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_WAITING);
    db_bind_i64(stmt, ":n", n);
    int rc = db_step(file->db, stmt);
    if (rc != 1)
        return rc ? rc : ERR_CORRUPT;
    rc = read_kind(stmt, 0, &document.kind);
    rc = rc ? rc : read_kind(stmt, 4, &document.parent_kind);
    read_column(stmt, 1, document.id, sizeof(document.id));
    read_column(stmt, 2, document.type, sizeof(document.type));
    read_column(stmt, 3, document.entity, sizeof(document.entity));
    read_column(stmt, 5, document.parent, sizeof(document.parent));
    document.start_us = sqlite3_column_int64(stmt, 6);
    rc = rc ? rc : copy_text(file, stmt, 7, &document.text_size);
    document.place = (struct document_place){sqlite3_column_int64(stmt, 8), sqlite3_column_int(stmt, 9),
                                             sqlite3_column_int64(stmt, 10), sqlite3_column_int(stmt, 11)};
    sqlite3_reset(stmt);
    if (!rc)
        *ret_document = document;
    return rc;
}

static int drop_waiting(struct assets_file *file, int64_t n)
{
    static const enum sql steps[] = {SQL_WAITING_DROP_REFERENCES, SQL_WAITING_DROP};
    int rc = 0;
    for (size_t i = 0; i < 2 && !rc; i++) {
        sqlite3_stmt *stmt = db_stmt(file->db, (int)steps[i]);
        db_bind_i64(stmt, ":n", n);
        rc = db_run(file->db, stmt);
    }
    return rc;
}

/* One document that waited for the arrival last, and has all it refers to now: 1 and its number, or 0. */
static int find_waiting(struct assets_file *file, const struct arrival *arrival, int64_t *ret_n)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_WAITING_FOR);
    bind_name(stmt, arrival->kind, arrival->id);
    int rc = db_step(file->db, stmt);
    if (rc == 1) {
        *ret_n = sqlite3_column_int64(stmt, 0);
        sqlite3_reset(stmt);
    }
    return rc;
}

/* What arrived may be what others wait for, and these arrive in turn. */
static int admit_waiting(struct assets_file *file)
{
    struct document document;
    int64_t n = 0;
    int rc = 0;
    for (size_t i = 0; i < file->n_arrivals && !rc; i++) {
        while (!rc) {
            struct arrival arrival = file->arrivals[i]; /* the list grows meanwhile */
            rc = find_waiting(file, &arrival, &n);
            if (rc <= 0)
                break;
            rc = read_waiting(file, n, &document);
            rc = rc ? rc : drop_waiting(file, n);
            rc = rc ? rc : admit(file, &document, (const char *)file->text.data);
        }
    }
    return rc;
}

/* ---- the rest of a batch ---- */

static int take_output(struct assets_file *file, const struct documents *documents, const struct document_output *output)
{
    if (names_erased(file, documents, output->text_at, output->text_size))
        return 0; /* other outputs of the run are messages of their own */
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_OUTPUT);
    db_bind_i64(stmt, ":known_ms", output->place.known_ms);
    db_bind_i64(stmt, ":partition", output->place.partition);
    db_bind_i64(stmt, ":offset", output->place.offset);
    db_bind_text_n(stmt, ":document", (const char *)documents->bytes.data + output->text_at, output->text_size);
    return db_run(file->db, stmt);
}

static int take_mark(struct assets_file *file, const struct document_mark *mark)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_PLACE_PUT);
    db_bind_text(stmt, ":topic", mark->topic);
    db_bind_i64(stmt, ":partition", mark->partition);
    db_bind_i64(stmt, ":next_offset", mark->next_offset);
    db_bind_blob(stmt, ":last_hash", mark->last_hash, sizeof(mark->last_hash));
    return db_run(file->db, stmt);
}

static int forget_refused(struct assets_file *file)
{
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_FORGET);
    db_bind_i64(stmt, ":before_ms", clock_wall_us() / 1000 - REFUSED_KEEP_MS);
    return db_run(file->db, stmt);
}

static int take_all(struct assets_file *file, const struct documents *documents)
{
    int rc = 0;
    file->has_changed = false;
    file->n_arrivals = 0;
    for (size_t i = 0; i < documents->n && !rc; i++)
        rc = take_document(file, documents, &documents->rows[i]);
    rc = rc ? rc : admit_waiting(file);
    for (size_t i = 0; i < documents->n_refusals && !rc; i++)
        rc = take_refusal(file, &documents->refusals[i]);
    for (size_t i = 0; i < documents->n_outputs && !rc; i++)
        rc = take_output(file, documents, &documents->outputs[i]);
    for (size_t i = 0; i < documents->n_marks && !rc; i++)
        rc = take_mark(file, &documents->marks[i]);
    if (documents->at_end && !rc)
        rc = db_run(file->db, db_stmt(file->db, SQL_REFUSE_WAITING));
    return rc ? rc : forget_refused(file);
}

/* ---- the sink ---- */

static int open_db(struct assets_file *file, enum db_mode mode, struct err_text *error)
{
    struct db_opts opts = {.path = file->path, .mode = mode, .format = &assets_format, .schema = sql_assets, .sql = sql,
                           .n_sql = SQL_N, .sync_each_commit = true};
    int rc = db_open(&opts, &file->db, error);
    if (rc)
        return rc;
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_VERSION);
    rc = db_step(file->db, stmt);
    if (rc == 1) {
        file->version = sqlite3_column_int64(stmt, 0);
        sqlite3_reset(stmt);
        return 0;
    }
    return db_error(file->db, error, rc ? rc : ERR_CORRUPT, "read");
}

static int take_locked(struct documents_sink *sink, const struct documents *documents, struct err_text *error)
{
    struct assets_file *file = file_of(sink);
    bool is_empty = !documents->n && !documents->n_refusals && !documents->n_outputs && !documents->n_marks;
    if (!file->db && is_empty)
        return 0;
    int rc = file->db ? 0 : open_db(file, DB_CREATE, error);
    if (rc)
        return rc;
    rc = file->erased ? erased_follow(file->erased, NULL, error) : 0;
    if (rc)
        return rc;
    rc = db_begin(file->db);
    if (!rc) {
        rc = take_all(file, documents);
        rc = rc ? rc : db_commit(file->db);
    }
    if (rc) {
        db_error(file->db, error, rc, "write");
        db_rollback(file->db);
        return rc;
    }
    file->version += file->has_changed;
    return 0;
}

static int find_locked(struct documents_sink *sink, const char *topic, int32_t partition, struct document_mark *ret_mark,
                     struct err_text *error)
{
    struct assets_file *file = file_of(sink);
    struct document_mark mark = {.topic = topic, .partition = partition};
    if (!file->db)
        return ERR_NOTFOUND;
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_PLACE);
    db_bind_text(stmt, ":topic", topic);
    db_bind_i64(stmt, ":partition", partition);
    int rc = db_step(file->db, stmt);
    if (rc != 1)
        return rc ? db_error(file->db, error, rc, "read") : ERR_NOTFOUND;
    mark.next_offset = sqlite3_column_int64(stmt, 0);
    if (sqlite3_column_bytes(stmt, 1) == (int)sizeof(mark.last_hash))
        memcpy(mark.last_hash, sqlite3_column_blob(stmt, 1), sizeof(mark.last_hash));
    sqlite3_reset(stmt);
    *ret_mark = mark;
    return 0;
}

static int calendars_locked(struct documents_sink *sink, int (*row)(void *arg, const struct calendar_due *due), void *arg)
{
    struct assets_file *file = file_of(sink);
    int rc = 0;
    if (!file->db)
        return 0;
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_CALENDARS);
    while ((rc = db_step(file->db, stmt)) == 1) {
        struct calendar_due due = {(const char *)sqlite3_column_text(stmt, 0), (const char *)sqlite3_column_text(stmt, 1),
                                   sqlite3_column_int64(stmt, 2)};
        rc = due.id && due.document ? row(arg, &due) : ERR_NOMEM;
        if (rc) {
            sqlite3_reset(stmt);
            break;
        }
    }
    return rc;
}

static int calendar_done_locked(struct documents_sink *sink, const char *id, int64_t since_ms)
{
    struct assets_file *file = file_of(sink);
    sqlite3_stmt *stmt = db_stmt(file->db, SQL_CALENDAR_DONE);
    db_bind_text(stmt, ":id", id);
    db_bind_i64(stmt, ":since_ms", since_ms);
    return db_run(file->db, stmt);
}

static int sink_take(struct documents_sink *sink, const struct documents *documents, struct err_text *error)
{
    pthread_mutex_lock(&file_of(sink)->lock);
    int rc = take_locked(sink, documents, error);
    pthread_mutex_unlock(&file_of(sink)->lock);
    return rc;
}

static int sink_find(struct documents_sink *sink, const char *topic, int32_t partition, struct document_mark *ret_mark,
                     struct err_text *error)
{
    pthread_mutex_lock(&file_of(sink)->lock);
    int rc = find_locked(sink, topic, partition, ret_mark, error);
    pthread_mutex_unlock(&file_of(sink)->lock);
    return rc;
}

static int sink_calendars(struct documents_sink *sink, int (*row)(void *arg, const struct calendar_due *due), void *arg)
{
    pthread_mutex_lock(&file_of(sink)->lock);
    int rc = calendars_locked(sink, row, arg);
    pthread_mutex_unlock(&file_of(sink)->lock);
    return rc;
}

static int sink_calendar_done(struct documents_sink *sink, const char *id, int64_t since_ms)
{
    pthread_mutex_lock(&file_of(sink)->lock);
    int rc = calendar_done_locked(sink, id, since_ms);
    pthread_mutex_unlock(&file_of(sink)->lock);
    return rc;
}

/* ---- forgetting ---- */

/* Rows of a text that may name an entity. */
static const struct {
    const char *find, *drop;
} forgotten[] = {
    {"SELECT rowid, entity || ' ' || id || ' ' || parent || ' ' || document FROM asset", "DELETE FROM asset WHERE rowid = :id"},
    {"SELECT rowid, entity FROM declaration", "DELETE FROM declaration WHERE rowid = :id"},
    {"SELECT rowid, entity FROM meter_change", "DELETE FROM meter_change WHERE rowid = :id"},
    {"SELECT n, entity || ' ' || id || ' ' || parent || ' ' || document FROM waiting", "DELETE FROM waiting WHERE n = :id"},
    {"SELECT n, id FROM waiting_reference", "DELETE FROM waiting_reference WHERE n = :id"},
    {"SELECT rowid, document FROM optimization", "DELETE FROM optimization WHERE rowid = :id"},
};

/* What is told of a refused document may name an entity: the rest of the row stays. */
static int forget_refusals(struct db *db, struct erased *erased)
{
    sqlite3_stmt *stmt, *update;
    int rc = sqlite3_prepare_v2(db_handle(db), "SELECT DISTINCT detail FROM refused", -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(db_handle(db), "UPDATE refused SET detail = '' WHERE detail = :detail", -1, &update, NULL);
    if (rc != SQLITE_OK)
        return db_code(rc);
    while ((rc = db_step(db, stmt)) == 1) {
        const char *detail = (const char *)sqlite3_column_text(stmt, 0);
        if (!detail || !erased_is_named(erased, detail, strlen(detail)))
            continue;
        db_bind_text(update, ":detail", detail);
        if ((rc = db_run(db, update)))
            break;
    }
    sqlite3_finalize(stmt);
    sqlite3_finalize(update);
    return rc;
}

static int forget_rows(struct db *db, struct erased *erased)
{
    struct forget_ids ids = {0};
    int rc = db_begin(db);
    if (rc)
        return rc;
    for (size_t i = 0; i < sizeof(forgotten) / sizeof(*forgotten) && !rc; i++) {
        ids.n = 0;
        rc = forget_find_named(db, forgotten[i].find, erased, &ids);
        rc = rc ? rc : forget_each(db, &ids, forgotten[i].drop);
    }
    forget_ids_free(&ids);
    rc = rc ? rc : db_exec(db, "DELETE FROM waiting_reference WHERE n NOT IN (SELECT n FROM waiting)");
    for (int i = 0; i < 3 && !rc; i++) /* what belonged to one that went, and what belonged to that */
        rc = db_exec(db, "DELETE FROM asset WHERE parent <> '' AND NOT EXISTS (SELECT 1 FROM asset p WHERE "
                         "p.kind = asset.parent_kind AND p.id = asset.parent)");
    /* the version never falls: readers go by it */
    rc = rc ? rc : db_exec(db, "UPDATE asset SET version = version + 1 WHERE rowid = (SELECT rowid FROM asset ORDER BY version "
                               "DESC LIMIT 1)");
    rc = rc ? rc : forget_refusals(db, erased);
    if (rc)
        db_rollback(db);
    return rc ? rc : db_commit(db);
}

void assets_file_watch(struct assets_file *file, struct erased *erased)
{
    pthread_mutex_lock(&file->lock);
    file->erased = erased;
    pthread_mutex_unlock(&file->lock);
}

int assets_file_forget(struct assets_file *file, struct erased *erased, bool *ret_whole, struct err_text *error)
{
    int rc = 0;
    pthread_mutex_lock(&file->lock);
    *ret_whole = true;
    if (file->db) {
        rc = forget_rows(file->db, erased);
        rc = rc ? rc : db_forget(file->db, ret_whole);
        file->version++;
        if (rc)
            db_error(file->db, error, rc, "write");
    }
    pthread_mutex_unlock(&file->lock);
    return rc;
}

/* ---- life ---- */

int assets_file_open(const char *dir, struct assets_file **ret_file, struct err_text *error)
{
    struct assets_file *file = calloc(1, sizeof(*file));
    if (!file || asprintf(&file->path, "%s/assets.db", dir) < 0) {
        free(file);
        return err_set(error, ERR_NOMEM, "cannot open the assets of \"%s\": out of memory", dir);
    }
    pthread_mutex_init(&file->lock, NULL);
    file->sink = (struct documents_sink){.find = sink_find, .take = sink_take, .calendars = sink_calendars,
                                         .calendar_done = sink_calendar_done};
    int rc = access(file->path, F_OK) == 0 ? open_db(file, DB_WRITE, error) : 0;
    if (rc) {
        assets_file_close(file);
        return rc;
    }
    *ret_file = file;
    return 0;
}

void assets_file_close(struct assets_file *file)
{
    if (!file)
        return;
    if (file->db)
        db_close_settled(file->db);
    pthread_mutex_destroy(&file->lock);
    buf_free(&file->text);
    free(file->arrivals);
    free(file->path);
    free(file);
}

struct documents_sink *assets_file_sink(struct assets_file *file)
{
    return &file->sink;
}
