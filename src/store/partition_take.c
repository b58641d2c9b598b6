#include <config.h>

#include "store/partition_inside.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "store/erased.h"

#define SPARSE_HOLES 3

static int check_owner(struct partition *partition, int64_t epoch, struct err_text *error)
{
    if (epoch == partition->epoch && sqlite3_changes(db_handle(partition->db)) == 1)
        return 0;
    return err_set(error, ERR_OWNER, "the partition %s/%d was claimed anew: this claim may not write any more",
                   partition->topic, partition->number);
}

/* The end of a transaction of the owner's: commits, unless the group's word has run out meanwhile. It is asked at the very
 * last, since a process may be stopped anywhere (I4). */
static int finish_owned(struct partition *partition, int rc, struct err_text *error)
{
    const struct owner *owner = &partition->owner;
    if (!rc && owner->holds && !owner->holds(owner->arg))
        rc = err_set(error, ERR_EXPIRED, "the group may have given %s/%d to another member: it has not heard of us in time",
                     partition->topic, partition->number);
    return partition_finish(partition, rc, error, "write");
}

static int add_gap(struct partition *partition, int64_t from, int64_t to, const char *why)
{
    sqlite3_stmt *stmt = db_stmt(partition->db, SQL_GAP_ADD);
    db_bind_i64(stmt, ":incarnation", partition->incarnation);
    db_bind_i64(stmt, ":from", from);
    db_bind_i64(stmt, ":to", to);
    db_bind_i64(stmt, ":at_us", clock_wall_us());
    db_bind_text(stmt, ":why", why);
    return db_run(partition->db, stmt);
}

static int reincarnate(struct partition *partition, int64_t epoch, int64_t next_offset, const char *why,
                       struct err_text *error)
{
    int rc = add_gap(partition, partition->next_offset, partition->next_offset, why);
    if (rc)
        return rc;
    sqlite3_stmt *stmt = db_stmt(partition->db, SQL_REINCARNATE);
    db_bind_i64(stmt, ":next_offset", next_offset);
    db_bind_i64(stmt, ":epoch", epoch);
    rc = db_run(partition->db, stmt);
    return rc ? rc : check_owner(partition, epoch, error);
}

int partition_claim(struct partition *partition, const struct source *source, const struct owner *owner,
                    struct claim *ret_claim, int64_t *ret_epoch, struct err_text *error)
{
    int rc = partition_enter(partition, error);
    if (rc)
        return rc;
    int64_t epoch = partition->epoch + 1, kept = partition->epoch;
    bool moved = *partition->cluster && strcmp(partition->cluster, source->cluster) != 0;
    if ((rc = db_begin(partition->db)) == 0) {
        sqlite3_stmt *stmt = db_stmt(partition->db, SQL_CLAIM);
        db_bind_text(stmt, ":cluster", source->cluster);
        db_bind_i64(stmt, ":epoch", epoch);
        db_bind_i64(stmt, ":generation", owner->generation);
        db_bind_text(stmt, ":member", owner->member);
        rc = db_run(partition->db, stmt);
        partition->epoch = epoch;
        if (!rc && moved)
            rc = reincarnate(partition, epoch, -1, "the topic is read from another cluster", error);
    }
    rc = partition_finish(partition, rc, error, "write");
    if (!rc)
        rc = partition_read_source(partition);
    if (rc) {
        partition->epoch = kept;
    } else {
        *ret_claim = (struct claim){.next_offset = partition->next_offset, .last_offset = partition->last_offset,
                                    .incarnation = (int32_t)partition->incarnation,
                                    .sparse = partition->n_holes >= SPARSE_HOLES};
        memcpy(ret_claim->last_hash, partition->last_hash, sizeof(ret_claim->last_hash));
        *ret_epoch = epoch;
        partition->owner = *owner;
    }
    partition_leave(partition);
    return rc;
}

int partition_reincarnate(struct partition *partition, int64_t epoch, int64_t next_offset, struct err_text *error)
{
    int rc = partition_enter(partition, error);
    if (rc)
        return rc;
    if ((rc = db_begin(partition->db)) == 0)
        rc = reincarnate(partition, epoch, next_offset, "the topic was made anew", error);
    rc = finish_owned(partition, rc, error);
    if (!rc)
        rc = partition_read_source(partition);
    partition_leave(partition);
    return rc;
}

struct advance {
    int64_t epoch, next_offset, last_offset, last_known_ms, n_holes, next_batch;
    const uint8_t *last_hash;
};

static int write_advance(struct partition *partition, const struct advance *advance, struct err_text *error)
{
    sqlite3_stmt *stmt = db_stmt(partition->db, SQL_ADVANCE);
    db_bind_i64(stmt, ":next_offset", advance->next_offset);
    db_bind_i64(stmt, ":last_offset", advance->last_offset);
    db_bind_blob(stmt, ":last_hash", advance->last_hash, 32);
    db_bind_i64(stmt, ":last_known_ms", advance->last_known_ms);
    db_bind_i64(stmt, ":n_holes", advance->n_holes);
    db_bind_i64(stmt, ":next_batch", advance->next_batch);
    db_bind_i64(stmt, ":epoch", advance->epoch);
    int rc = db_run(partition->db, stmt);
    return rc ? rc : check_owner(partition, advance->epoch, error);
}

int partition_gap(struct partition *partition, int64_t epoch, int64_t from, int64_t to, const char *why,
                  struct err_text *error)
{
    int rc = partition_enter(partition, error);
    if (rc)
        return rc;
    if ((rc = db_begin(partition->db)) == 0) {
        rc = add_gap(partition, from, to, why);
        if (!rc)
            rc = write_advance(partition, &(struct advance){epoch, to, -1, 0, partition->n_holes,
                                                            partition->next_batch, partition->last_hash}, error);
    }
    rc = finish_owned(partition, rc, error);
    if (!rc)
        rc = partition_read_source(partition);
    partition_leave(partition);
    return rc;
}

/* Dead letters that were brought again are gone, whether their readings were taken or are refused anew. */
static int drop_replayed(struct partition *partition, const struct batch *batch, size_t begin)
{
    int rc = 0;
    for (size_t i = begin; i < batch->n_replays && !rc; i++) {
        sqlite3_stmt *stmt = db_stmt(partition->db, SQL_DEAD_DROP);
        db_bind_i64(stmt, ":id", batch->replays[i].id);
        db_bind_i64(stmt, ":incarnation", batch->replays[i].incarnation);
        db_bind_i64(stmt, ":offset", batch->replays[i].offset);
        rc = db_run(partition->db, stmt);
    }
    return rc;
}

/* Whether these messages bring the letter of replay i twice; the first time counts. */
static bool is_repeated(const struct batch *batch, size_t begin, size_t i)
{
    const struct replay *replay = &batch->replays[i];
    for (size_t j = begin; j < i; j++)
        if (batch->replays[j].id == replay->id && batch->replays[j].incarnation == replay->incarnation &&
            batch->replays[j].offset == replay->offset)
            return true;
    return false;
}

/* What is stored of a refused payload. Refusals of one object stand together and share it. */
static int seal_payload(const struct taking *taking, size_t i, struct buf *out)
{
    const struct batch *batch = taking->batch;
    const struct refusal *refusal = &batch->refusals[i];
    if (i > taking->begin_refusal && refusal->payload_at == refusal[-1].payload_at &&
        refusal->payload_size == refusal[-1].payload_size && out->n)
        return 0;
    const uint8_t *payload = batch->payloads.data + refusal->payload_at;
    buf_clear(out);
    if (taking->seal_payload && refusal->payload_size)
        return taking->seal_payload(taking->seal_arg, payload, refusal->payload_size, out);
    buf_put(out, payload, refusal->payload_size);
    return out->failed ? ERR_NOMEM : 0;
}

/* What is refused again keeps its first place; the dead topic gets it once. */
static int add_dead(struct partition *partition, const struct taking *taking)
{
    const struct batch *batch = taking->batch;
    struct buf sealed = {0};
    uint8_t entity[ERASED_HASH_BYTES];
    int rc = 0;
    for (size_t i = taking->begin_refusal; i < batch->n_refusals && !rc; i++) {
        const struct refusal *refusal = &batch->refusals[i];
        const struct replay *replay = refusal->replay ? &batch->replays[refusal->replay - 1] : NULL;
        if (replay && is_repeated(batch, taking->begin_replay, refusal->replay - 1))
            continue;
        if ((rc = seal_payload(taking, i, &sealed)))
            break;
        sqlite3_stmt *stmt = db_stmt(partition->db, replay ? SQL_DEAD_AGAIN : SQL_DEAD_ADD);
        if (replay)
            db_bind_i64(stmt, ":id", replay->id);
        db_bind_i64(stmt, ":incarnation", replay ? replay->incarnation : partition->incarnation);
        db_bind_i64(stmt, ":offset", replay ? replay->offset : refusal->offset);
        db_bind_i64(stmt, ":known_ms", refusal->known_ms);
        db_bind_i64(stmt, ":at_us", clock_wall_us());
        db_bind_text(stmt, ":reason", refusal_name(refusal->reason));
        db_bind_text(stmt, ":detail", refusal->detail);
        db_bind_text(stmt, ":property", refusal->property);
        db_bind_i64(stmt, ":slot", refusal->slot);
        db_bind_i64(stmt, ":sealed", taking->seal_payload && sealed.n > 0);
        db_bind_blob(stmt, ":payload", sealed.n ? sealed.data : (const uint8_t *)"", sealed.n);
        if (refusal->entity_size && taking->erased &&
            erased_hash(taking->erased, (const char *)batch->entities.data + refusal->entity_at, refusal->entity_size, entity))
            db_bind_blob(stmt, ":entity", entity, sizeof(entity));
        rc = db_run(partition->db, stmt);
    }
    buf_free(&sealed);
    return rc;
}

static int add_batch(struct partition *partition, const struct taking *taking)
{
    sqlite3_stmt *stmt = db_stmt(partition->db, SQL_BATCH_ADD);
    db_bind_i64(stmt, ":n", partition->next_batch);
    db_bind_i64(stmt, ":incarnation", partition->incarnation);
    db_bind_i64(stmt, ":from_offset", partition->next_offset < 0 ? taking->batch->first_offset : partition->next_offset);
    db_bind_i64(stmt, ":next_offset", taking->batch->next_offset);
    db_bind_i64(stmt, ":n_readings", taking->n_readings);
    db_bind_blob(stmt, ":data", taking->parcel->data, taking->parcel->n);
    return db_run(partition->db, stmt);
}

static void note_taken(struct partition *partition, const struct taking *taking, const struct advance *advance)
{
    struct backlog *backlog = &partition->backlog;
    if (taking->n_readings) {
        int64_t now_us = clock_mono_us();
        backlog->oldest_us = backlog->batches ? backlog->oldest_us : now_us;
        backlog->newest_us = now_us;
        backlog->batches++;
        backlog->bytes += (int64_t)taking->parcel->n;
        backlog->readings += taking->n_readings;
        backlog->last_batch = partition->next_batch;
    }
    partition->next_offset = advance->next_offset;
    partition->last_offset = advance->last_offset;
    partition->n_holes = advance->n_holes;
    partition->next_batch = advance->next_batch;
    memcpy(partition->last_hash, advance->last_hash, sizeof(partition->last_hash));
}

int partition_take(struct partition *partition, const struct taking *taking, struct err_text *error)
{
    const struct batch *batch = taking->batch;
    int rc = partition_enter(partition, error);
    if (rc)
        return rc;
    bool hole = batch->hole_from != batch->hole_to;
    struct advance advance = {taking->epoch, batch->next_offset, batch->next_offset - 1, batch->last_known_ms,
                              partition->n_holes + hole, partition->next_batch + (taking->n_readings != 0),
                              batch->last_hash};
    if (!batch->n_messages) { /* only the position moves: there is no message to recognise the topic by */
        advance.last_offset = partition->last_offset;
        advance.last_hash = partition->last_hash;
    }
    uint8_t hash[32];
    memcpy(hash, advance.last_hash, sizeof(hash));
    advance.last_hash = hash;
    if ((rc = db_begin(partition->db)) == 0) {
        rc = write_advance(partition, &advance, error);
        if (!rc && taking->n_readings)
            rc = add_batch(partition, taking);
        if (!rc)
            rc = add_dead(partition, taking);
        if (!rc)
            rc = drop_replayed(partition, batch, taking->begin_replay);
        if (!rc && hole && partition->n_holes < SPARSE_HOLES)
            rc = add_gap(partition, batch->hole_from, batch->hole_to, "offsets are missing in the topic");
    }
    rc = finish_owned(partition, rc, error);
    if (!rc)
        note_taken(partition, taking, &advance);
    partition_leave(partition);
    return rc;
}

int64_t partition_next_offset(struct partition *partition)
{
    pthread_mutex_lock(&partition->lock);
    int64_t offset = partition->next_offset;
    partition_leave(partition);
    return offset;
}

int64_t partition_committable(struct partition *partition)
{
    pthread_mutex_lock(&partition->lock);
    int64_t offset = partition->synced_offset;
    partition_leave(partition);
    return offset;
}

int partition_tell(struct partition *partition, int64_t epoch, const char *uuid, struct err_text *error)
{
    int rc = partition_enter(partition, error);
    if (rc)
        return rc;
    if ((rc = db_begin(partition->db)) == 0) {
        sqlite3_stmt *stmt = db_stmt(partition->db, SQL_TOLD);
        db_bind_i64(stmt, ":epoch", epoch);
        db_bind_text(stmt, ":uuid", uuid);
        rc = db_run(partition->db, stmt);
        rc = rc ? rc : check_owner(partition, epoch, error);
    }
    rc = finish_owned(partition, rc, error);
    if (!rc)
        snprintf(partition->told_as, sizeof(partition->told_as), "%s", uuid);
    partition_leave(partition);
    return rc;
}

bool partition_is_told(struct partition *partition, const char *uuid)
{
    pthread_mutex_lock(&partition->lock);
    bool told = strcmp(partition->told_as, uuid) == 0;
    partition_leave(partition);
    return told;
}

int partition_note_store(struct partition *partition, const char *uuid, struct err_text *error)
{
    int rc = partition_enter(partition, error);
    if (rc)
        return rc;
    if ((rc = db_begin(partition->db)) == 0) {
        sqlite3_stmt *stmt = db_stmt(partition->db, SQL_NOTE_STORE);
        db_bind_text(stmt, ":store", uuid);
        rc = db_run(partition->db, stmt);
    }
    rc = partition_finish(partition, rc, error, "write");
    partition_leave(partition);
    return rc;
}

int partition_restore(const char *folder, const char *uuid, struct err_text *error)
{
    char path[4096];
    struct db *db;
    snprintf(path, sizeof(path), "%s/ingest.db", folder);
    int rc = db_open(&(struct db_opts){.path = path, .mode = DB_WRITE, .format = &ingest_format, .sql = partition_sql,
                                       .n_sql = SQL_N, .sync_each_commit = true}, &db, error);
    if (rc)
        return rc;
    sqlite3_stmt *stmt = db_stmt(db, SQL_RESTORED);
    db_bind_text(stmt, ":store", uuid);
    if ((rc = db_run(db, stmt)))
        db_error(db, error, rc, "write");
    db_close_settled(db);
    return rc;
}

int partition_rewind(struct partition *partition, int64_t first_batch, int64_t *ret_next_offset, struct err_text *error)
{
    static const enum partition_sql steps[] = {SQL_REWIND, SQL_BATCHES_GIVE_UP};
    int rc = partition_enter(partition, error);
    if (rc)
        return rc;
    rc = db_begin(partition->db);
    for (size_t i = 0; i < 2 && !rc; i++) {
        sqlite3_stmt *stmt = db_stmt(partition->db, (int)steps[i]);
        db_bind_i64(stmt, ":n", first_batch);
        rc = db_run(partition->db, stmt);
    }
    if (!rc)
        rc = db_run(partition->db, db_stmt(partition->db, SQL_DEAD_GIVE_UP)); /* they are refused again */
    rc = partition_finish(partition, rc, error, "write");
    if (!rc)
        rc = partition_read_source(partition);
    if (!rc)
        rc = partition_read_backlog(partition);
    if (!rc)
        *ret_next_offset = partition->next_offset;
    partition_leave(partition);
    return rc;
}
