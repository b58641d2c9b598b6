#include <config.h>

#include "tests/kafka/memory_sink.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "normalise/decode.h"

struct memory_handle {
    struct memory_source *source;
};

static void note_fault(struct memory_sink *memory, const char *what, const struct memory_source *source)
{
    if (!memory->fault[0])
        snprintf(memory->fault, sizeof(memory->fault), "%s (%.60s partition %d, next offset %" PRId64 ")", what,
                 source->id.topic, source->id.partition, source->next_offset);
}

static struct memory_source *find(struct memory_sink *memory, const char *topic, int32_t partition)
{
    for (int i = 0; i < memory->n_sources; i++)
        if (memory->sources[i].id.partition == partition && strcmp(memory->sources[i].id.topic, topic) == 0)
            return &memory->sources[i];
    return NULL;
}

static int claim(struct sink *sink, const struct source *id, const struct owner *owner, struct claim *ret_claim,
                 void **ret_handle, struct err_text *error)
{
    struct memory_sink *memory = (struct memory_sink *)sink;
    pthread_mutex_lock(&memory->lock);
    int rc = 0;
    struct memory_source *source = find(memory, id->topic, id->partition);
    if (memory->fail_claim_times > 0) {
        memory->fail_claim_times--;
        memory->n_failed++;
        rc = err_set(error, memory->fail_claim_code, "a claim was made to fail");
    } else if (!source) {
        source = &memory->sources[memory->n_sources++];
        *source = (struct memory_source){.id = *id, .next_offset = -1, .last_offset = -1, .incarnation = 1};
    } else if (strcmp(source->id.cluster, id->cluster) != 0) {
        note_fault(memory, "the cluster has another name", source);
    }
    if (rc == 0) {
        struct memory_handle *handle = calloc(1, sizeof(*handle));
        handle->source = source;
        source->handle = handle;
        source->owner = *owner;
        source->n_claims++;
        *ret_claim = (struct claim){.next_offset = source->next_offset, .last_offset = source->last_offset,
                                    .incarnation = source->incarnation, .sparse = source->sparse,
                                    .restored = source->restored};
        memcpy(ret_claim->last_hash, source->last_hash, sizeof(source->last_hash));
        *ret_handle = handle;
    }
    pthread_mutex_unlock(&memory->lock);
    return rc;
}

static int reincarnate(struct sink *sink, void *handle, int64_t next_offset, struct err_text *error)
{
    (void)error;
    struct memory_sink *memory = (struct memory_sink *)sink;
    struct memory_source *source = ((struct memory_handle *)handle)->source;
    pthread_mutex_lock(&memory->lock);
    source->next_offset = next_offset;
    source->last_offset = -1;
    source->incarnation++;
    source->n_reincarnations++;
    pthread_mutex_unlock(&memory->lock);
    return 0;
}

static int gap(struct sink *sink, void *handle, int64_t from, int64_t to, const char *why, struct err_text *error)
{
    (void)error;
    struct memory_sink *memory = (struct memory_sink *)sink;
    struct memory_source *source = ((struct memory_handle *)handle)->source;
    pthread_mutex_lock(&memory->lock);
    if (from != (source->next_offset < 0 ? 0 : source->next_offset) || to <= from)
        note_fault(memory, "a gap that does not begin at the next offset", source);
    struct memory_gap *at = &source->gaps[source->n_gaps++ % MEMORY_EVENTS];
    *at = (struct memory_gap){.from = from, .to = to};
    snprintf(at->why, sizeof(at->why), "%s", why);
    source->next_offset = to;
    pthread_mutex_unlock(&memory->lock);
    return 0;
}

static void store(struct memory_sink *memory, struct memory_source *source, const struct batch *batch)
{
    if (batch->first_offset < source->next_offset)
        note_fault(memory, "a batch begins below the next offset", source);
    if (batch->hole_to > batch->hole_from) {
        if (batch->hole_from != source->next_offset || batch->hole_to != batch->first_offset)
            note_fault(memory, "a hole that does not lie before its batch", source);
        source->holes[source->n_holes++ % MEMORY_EVENTS] =
            (struct memory_gap){.from = batch->hole_from, .to = batch->hole_to};
    }
    size_t n = source->n_readings + batch->n_readings;
    source->readings = realloc(source->readings, (n + 1) * sizeof(struct reading));
    for (size_t i = 0; i < batch->n_readings; i++) {
        const struct reading *reading = &batch->readings[i];
        if (reading->offset < source->next_offset || reading->offset >= batch->next_offset)
            note_fault(memory, "a reading whose offset is not the batch's", source);
        source->readings[source->n_readings++] = *reading;
    }
    for (size_t i = 0; i < batch->n_refusals && source->n_dead < MEMORY_EVENTS; i++) {
        const struct refusal *refusal = &batch->refusals[i];
        size_t size = refusal->payload_size < 63 ? refusal->payload_size : 63;
        memcpy(source->dead_payload[source->n_dead], batch->payloads.data + refusal->payload_at, size);
        source->dead[source->n_dead++] = *refusal;
    }
    source->next_offset = batch->next_offset;
    source->last_offset = batch->next_offset - 1;
    memcpy(source->last_hash, batch->last_hash, sizeof(source->last_hash));
    source->n_takes++;
}

static int take(struct sink *sink, void *handle, struct batch *batch, struct err_text *error)
{
    struct memory_sink *memory = (struct memory_sink *)sink;
    struct memory_source *source = ((struct memory_handle *)handle)->source;
    int rc = 0;
    pthread_mutex_lock(&memory->lock);
    if (source->handle != handle) {
        rc = err_set(error, ERR_OWNER, "another process owns the partition now");
    } else if (!source->owner.holds(source->owner.arg)) {
        memory->n_failed++;
        rc = err_set(error, ERR_EXPIRED, "the owner holds no more");
    } else if (memory->fail_take_times > 0 && memory->fail_take_after-- <= 0) {
        memory->fail_take_times--;
        memory->n_failed++;
        rc = err_set(error, memory->fail_take_code, "a take was made to fail");
    } else {
        store(memory, source, batch);
    }
    pthread_mutex_unlock(&memory->lock);
    return rc;
}

static int told(struct sink *sink, void *handle)
{
    struct memory_sink *memory = (struct memory_sink *)sink;
    struct memory_source *source = ((struct memory_handle *)handle)->source;
    pthread_mutex_lock(&memory->lock);
    if (!source->restored || source->handle != handle)
        note_fault(memory, "told of a source that is not restored", source);
    source->restored = false;
    pthread_mutex_unlock(&memory->lock);
    return 0;
}

static int64_t oldest(struct sink *sink, void *handle)
{
    (void)sink, (void)handle;
    return INT64_MIN;
}

static int64_t committable(struct sink *sink, void *handle)
{
    struct memory_sink *memory = (struct memory_sink *)sink;
    pthread_mutex_lock(&memory->lock);
    int64_t offset = memory->hold_commits ? -1 : ((struct memory_handle *)handle)->source->next_offset;
    pthread_mutex_unlock(&memory->lock);
    return offset;
}

static int sync_source(struct sink *sink, void *handle)
{
    (void)sink, (void)handle;
    return 0;
}

static int elsewhere(struct sink *sink, int32_t n_partitions, struct err_text *error)
{
    (void)error;
    struct memory_sink *memory = (struct memory_sink *)sink;
    pthread_mutex_lock(&memory->lock);
    memory->n_elsewhere = n_partitions;
    pthread_mutex_unlock(&memory->lock);
    return 0;
}

static void release(struct sink *sink, void *handle)
{
    struct memory_sink *memory = (struct memory_sink *)sink;
    struct memory_source *source = ((struct memory_handle *)handle)->source;
    pthread_mutex_lock(&memory->lock);
    if (source->handle == handle)
        source->handle = NULL;
    free(handle);
    pthread_mutex_unlock(&memory->lock);
}

static void stats(struct sink *sink, struct sink_stats *ret_stats)
{
    struct memory_sink *memory = (struct memory_sink *)sink;
    pthread_mutex_lock(&memory->lock);
    *ret_stats = (struct sink_stats){.paused = memory->paused};
    pthread_mutex_unlock(&memory->lock);
}

static int dead_next(struct sink *sink, void *handle, int max,
                     int (*row)(void *arg, int64_t id, const struct refusal *refusal, const void *payload), void *arg)
{
    struct memory_sink *memory = (struct memory_sink *)sink;
    struct memory_source *source = ((struct memory_handle *)handle)->source;
    int rc = 0;
    pthread_mutex_lock(&memory->lock);
    for (int i = source->n_dead_done; i < source->n_dead && i < source->n_dead_done + max && rc == 0; i++)
        rc = row(arg, i + 1, &source->dead[i], source->dead_payload[i]);
    pthread_mutex_unlock(&memory->lock);
    return rc;
}

static int dead_done(struct sink *sink, void *handle, int64_t id)
{
    struct memory_sink *memory = (struct memory_sink *)sink;
    pthread_mutex_lock(&memory->lock);
    ((struct memory_handle *)handle)->source->n_dead_done = (int)id;
    pthread_mutex_unlock(&memory->lock);
    return 0;
}

void memory_sink_init(struct memory_sink *memory)
{
    *memory = (struct memory_sink){.sink = {claim, reincarnate, gap, take, oldest, committable, told, sync_source, elsewhere,
                                            release,
                                            stats, dead_next, dead_done}};
    pthread_mutex_init(&memory->lock, NULL);
}

void memory_sink_done(struct memory_sink *memory)
{
    for (int i = 0; i < memory->n_sources; i++)
        free(memory->sources[i].readings);
    pthread_mutex_destroy(&memory->lock);
}

int64_t memory_sink_readings(struct memory_sink *memory)
{
    int64_t n = 0;
    pthread_mutex_lock(&memory->lock);
    for (int i = 0; i < memory->n_sources; i++)
        n += (int64_t)memory->sources[i].n_readings;
    pthread_mutex_unlock(&memory->lock);
    return n;
}

struct memory_source *memory_sink_find(struct memory_sink *memory, const char *topic, int32_t partition)
{
    pthread_mutex_lock(&memory->lock);
    struct memory_source *source = find(memory, topic, partition);
    pthread_mutex_unlock(&memory->lock);
    return source;
}

bool memory_sink_released(struct memory_sink *memory)
{
    bool released = true;
    pthread_mutex_lock(&memory->lock);
    for (int i = 0; i < memory->n_sources; i++)
        released = released && !memory->sources[i].handle;
    pthread_mutex_unlock(&memory->lock);
    return released;
}

int memory_sink_compare(struct memory_sink *memory, int64_t n)
{
    int faults = 0;
    char *seen = calloc((size_t)n + 1, 1);
    pthread_mutex_lock(&memory->lock);
    for (int i = 0; i < memory->n_sources; i++) {
        for (size_t j = 0; j < memory->sources[i].n_readings; j++) {
            int64_t m = memory->sources[i].readings[j].m;
            if ((m < 0 || m >= n || seen[m]++) && faults++ < 5)
                fprintf(stderr, "value %" PRId64 " is stored twice or was never sent\n", m);
        }
    }
    for (int64_t m = 0; m < n; m++)
        if (!seen[m] && faults++ < 5)
            fprintf(stderr, "value %" PRId64 " is not stored\n", m);
    if (memory->fault[0]) {
        fprintf(stderr, "%s\n", memory->fault);
        faults++;
    }
    pthread_mutex_unlock(&memory->lock);
    free(seen);
    return faults;
}

void memory_sink_drop(struct memory_sink *memory, int64_t value)
{
    pthread_mutex_lock(&memory->lock);
    for (int i = 0; i < memory->n_sources; i++) {
        struct memory_source *source = &memory->sources[i];
        size_t n = 0;
        for (size_t j = 0; j < source->n_readings; j++)
            if (source->readings[j].m != value)
                source->readings[n++] = source->readings[j];
        source->n_readings = n;
    }
    pthread_mutex_unlock(&memory->lock);
}

void memory_sink_steal(struct memory_sink *memory)
{
    pthread_mutex_lock(&memory->lock);
    for (int i = 0; i < memory->n_sources; i++)
        memory->sources[i].handle = memory;
    pthread_mutex_unlock(&memory->lock);
}

/* the decoder of these tests, in place of the real one */

struct decoder {
    int unused;
};

struct decoder *decoder_new(const struct decoder_opts *opts)
{
    (void)opts;
    return calloc(1, sizeof(struct decoder));
}

void decoder_free(struct decoder *decoder)
{
    free(decoder);
}

void decoder_set_oldest(struct decoder *decoder, int64_t oldest_us)
{
    (void)decoder, (void)oldest_us;
}

int decode_message(struct decoder *decoder, const struct message *message, struct batch *batch)
{
    (void)decoder;
    char text[32] = "";
    memcpy(text, message->value, message->size < sizeof(text) ? message->size : 0);
    if (strncmp(text, "v ", 2) != 0)
        return batch_refuse(batch, REFUSED_JSON, message->offset, message->known_ms, "", 0, -1, message->value,
                            message->size, "byte 0: no value");
    struct reading *reading = batch_add(batch);
    if (!reading)
        return ERR_NOMEM;
    reading->m = strtoll(text + 2, NULL, 10);
    reading->offset = message->offset;
    reading->known_ms = message->known_ms;
    return 0;
}
