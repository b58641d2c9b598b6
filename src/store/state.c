#include <config.h>

#include "store/state.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/array.h"
#include "db/db.h"

enum sql { SQL_STATE, SQL_BATCHES, SQL_CARRY, SQL_N };

static const char *const sql[SQL_N] = {
    [SQL_STATE] = "SELECT next_batch - 1, next_offset, last_known_ms, incarnation, (SELECT count(*) FROM gap), "
                  "(SELECT count(*) FROM dead), (SELECT coalesce(sum(n_readings), 0) FROM batch), "
                  "(SELECT coalesce(min(n), source.next_batch) FROM batch), files_version, synced_batch, "
                  "(SELECT coalesce(min(batch), 0) FROM moment), "
                  "(SELECT count(*) FROM gap WHERE why GLOB 'held elsewhere:*'), " EXPIRED_COLUMNS " FROM source",
    [SQL_BATCHES] = "SELECT n, data FROM batch WHERE n > :after ORDER BY n",
    [SQL_CARRY] = "SELECT " CARRY_COLUMNS " FROM carry WHERE series = :series AND t_us < :before_us "
                  "ORDER BY quality, t_us DESC",
};

static void drop_parcel(struct held_parcel *held)
{
    if (!held || --held->refs)
        return;
    parcel_close(&held->parcel);
    buf_free(&held->data);
    free(held);
}

static void drop_files(struct held_files *files)
{
    if (!files || --files->refs)
        return;
    file_list_free(&files->list);
    free(files);
}

struct state *state_hold(struct state *state)
{
    if (state)
        state->refs++;
    return state;
}

void state_drop(struct state *state)
{
    if (!state || --state->refs)
        return;
    for (size_t i = 0; i < state->n_parcels; i++)
        drop_parcel(state->parcels[i]);
    free(state->parcels);
    drop_files(state->files);
    heads_free(state->heads);
    free(state);
}

void source_reader_done(struct source_reader *source)
{
    state_drop(source->current);
    source->current = NULL;
    db_close(source->db);
    source->db = NULL;
}

static int hold_batch(sqlite3_stmt *stmt, struct held_parcel **ret_held)
{
    struct held_parcel *held = calloc(1, sizeof(*held));
    if (!held)
        return ERR_NOMEM;
    held->refs = 1;
    held->n = sqlite3_column_int64(stmt, 0);
    buf_put(&held->data, sqlite3_column_blob(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1));
    int rc = held->data.failed ? ERR_NOMEM : parcel_open(held->data.data, held->data.n, &held->parcel);
    if (rc) {
        drop_parcel(held);
        return rc;
    }
    *ret_held = held;
    return 0;
}

static int push_parcel(struct state *state, size_t *cap, struct held_parcel *held)
{
    if (array_grow(&state->parcels, cap, state->n_parcels + 1, sizeof(struct held_parcel *)))
        return ERR_NOMEM;
    state->parcels[state->n_parcels++] = held;
    return 0;
}

/* Takes over from the state before what is still unflushed, and reads the batches that came since. */
static int read_parcels(struct source_reader *source, struct state *state, int64_t first_batch)
{
    const struct state *before = source->current;
    size_t cap = 0;
    int64_t after = first_batch - 1;
    for (size_t i = 0; before && i < before->n_parcels; i++) {
        struct held_parcel *held = before->parcels[i];
        if (held->n < first_batch)
            continue;
        if (push_parcel(state, &cap, held))
            return ERR_NOMEM;
        held->refs++;
        after = held->n;
    }
    sqlite3_stmt *stmt = db_stmt(source->db, SQL_BATCHES);
    db_bind_i64(stmt, ":after", after);
    int rc;
    while ((rc = db_step(source->db, stmt)) == 1) {
        struct held_parcel *held = NULL;
        rc = hold_batch(stmt, &held);
        if (!rc && (rc = push_parcel(state, &cap, held)))
            drop_parcel(held);
        if (rc) {
            sqlite3_reset(stmt);
            return rc;
        }
    }
    return rc;
}

/* The list of the state before when it is of the same version, else read. */
static int hold_files(struct source_reader *source, struct state *state, int64_t version)
{
    if (source->current && source->current->files->version == version) {
        state->files = source->current->files;
        state->files->refs++;
        return 0;
    }
    struct held_files *files = calloc(1, sizeof(*files));
    if (!files)
        return ERR_NOMEM;
    files->refs = 1;
    files->version = version;
    state->files = files;
    return file_list_read(source->db, &files->list);
}

static int read_state(struct source_reader *source, struct state *state)
{
    sqlite3_stmt *stmt = db_stmt(source->db, SQL_STATE);
    int rc = db_step(source->db, stmt);
    if (rc != 1)
        return rc ? rc : ERR_NOTFOUND; /* made just now, and its one row is not in yet */
    state->last_batch = sqlite3_column_int64(stmt, 0);
    state->next_offset = sqlite3_column_int64(stmt, 1);
    state->last_known_ms = sqlite3_column_int64(stmt, 2);
    state->incarnation = sqlite3_column_int64(stmt, 3);
    state->n_gaps = sqlite3_column_int64(stmt, 4);
    state->n_dead = sqlite3_column_int64(stmt, 5);
    state->unflushed_readings = sqlite3_column_int64(stmt, 6);
    state->first_batch = sqlite3_column_int64(stmt, 7);
    int64_t files_version = sqlite3_column_int64(stmt, 8);
    state->synced_batch = sqlite3_column_int64(stmt, 9);
    state->first_moment = sqlite3_column_int64(stmt, 10);
    state->n_elsewhere = sqlite3_column_int64(stmt, 11);
    expired_read(stmt, 12, &state->expired);
    sqlite3_reset(stmt);
    rc = hold_files(source, state, files_version);
    return rc ? rc : read_parcels(source, state, state->first_batch);
}

static int open_source(struct source_reader *source, struct err_text *error)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/ingest.db", source->folder);
    int rc = db_open(&(struct db_opts){.path = path, .mode = DB_READ, .format = &ingest_format, .sql = sql, .n_sql = SQL_N},
                     &source->db, error);
    source->stamp = (struct db_stamp){0};
    return rc;
}

int source_reader_follow(struct source_reader *source, struct err_text *error)
{
    int rc = source->db ? 0 : open_source(source, error);
    if (rc)
        return rc == ERR_NOTFOUND ? 0 : rc; /* the catalog knows it just before it is made */
    struct db_stamp stamp;
    rc = db_stamp(source->db, &stamp);
    if (rc)
        return db_error(source->db, error, rc, "read");
    if (source->current && db_stamp_equal(&stamp, &source->stamp))
        return 0;
    struct state *state = calloc(1, sizeof(*state));
    if (!state || !(state->heads = heads_new())) {
        free(state);
        return err_set(error, ERR_NOMEM, "cannot read \"%s\": out of memory", db_path(source->db));
    }
    state->refs = 1;
    rc = db_begin(source->db);
    if (!rc) {
        rc = read_state(source, state);
        int ended = db_commit(source->db);
        rc = rc ? rc : ended;
    }
    /* asked before the transaction: a commit between the two is read again the next time, which does no harm */
    if (rc) {
        state_drop(state);
        return rc == ERR_NOTFOUND ? 0 : db_error(source->db, error, rc, "read");
    }
    state_drop(source->current);
    source->current = state;
    source->stamp = stamp;
    return 0;
}

int source_reader_carry(struct source_reader *source, uint32_t series_id, int64_t before_us, struct points *points,
                        int64_t *first_us)
{
    sqlite3_stmt *stmt = db_stmt(source->db, SQL_CARRY);
    db_bind_i64(stmt, ":series", series_id);
    db_bind_i64(stmt, ":before_us", before_us);
    int rc, class = -1;
    while ((rc = db_step(source->db, stmt)) == 1) {
        int64_t row_first_us = sqlite3_column_int64(stmt, 9);
        *first_us = row_first_us < *first_us ? row_first_us : *first_us;
        if (sqlite3_column_int(stmt, 0) != class && (rc = carry_read(stmt, points))) {
            sqlite3_reset(stmt);
            break;
        }
        class = sqlite3_column_int(stmt, 0);
    }
    return rc;
}
