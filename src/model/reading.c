#include <config.h>

#include "model/reading.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"

#include "common/mix.h"

static const char *const quality_names[QUALITY_N] = {
    [QUALITY_MEASURED] = "measured", [QUALITY_EDITED] = "edited", [QUALITY_DERIVED] = "derived",
    [QUALITY_ESTIMATED] = "estimated", [QUALITY_SUSPECT] = "suspect",
};

const char *quality_name(enum quality quality)
{
    return quality < QUALITY_N ? quality_names[quality] : "unknown";
}

int quality_parse(const char *text, size_t size, enum quality *ret_quality)
{
    for (unsigned i = 0; i < QUALITY_N; i++) {
        if (strlen(quality_names[i]) == size && memcmp(quality_names[i], text, size) == 0) {
            *ret_quality = (enum quality)i;
            return 0;
        }
    }
    return ERR_INVALID;
}

/* ---- texts ---- */

void texts_free(struct texts *texts)
{
    if (!texts)
        return;
    buf_free(&texts->bytes);
    free(texts->at);
    free(texts->slots);
    *texts = (struct texts){0};
}

void texts_clear(struct texts *texts)
{
    buf_clear(&texts->bytes);
    texts->n = 0;
    if (texts->n_slots)
        memset(texts->slots, 0, texts->n_slots * sizeof *texts->slots);
}

static size_t text_size(const struct texts *texts, size_t i)
{
    return (i + 1 < texts->n ? texts->at[i + 1] : texts->bytes.n) - texts->at[i] - 1;
}

/* The slot that holds the text, or the empty one where it belongs. */
static uint32_t *find_slot(const struct texts *texts, const char *text, size_t size)
{
    size_t slot = mix_hash(0, text, size) & (texts->n_slots - 1);
    while (texts->slots[slot]) {
        size_t i = texts->slots[slot] - 1;
        if (text_size(texts, i) == size && memcmp(texts->bytes.data + texts->at[i], text, size) == 0)
            break;
        slot = (slot + 1) & (texts->n_slots - 1);
    }
    return &texts->slots[slot];
}

/* Room for one more text: the table stays at most half full. On failure texts is as it was. */
static int grow_texts(struct texts *texts)
{
    if (texts->n == texts->cap) {
        size_t cap = texts->cap ? texts->cap * 2 : 16;
        size_t *at = realloc(texts->at, cap * sizeof *at);
        if (!at)
            return ERR_NOMEM;
        texts->at = at;
        texts->cap = cap;
    }
    if ((texts->n + 1) * 2 <= texts->n_slots)
        return 0;
    size_t n_slots = texts->n_slots ? texts->n_slots * 2 : 32;
    uint32_t *slots = calloc(n_slots, sizeof *slots);
    if (!slots)
        return ERR_NOMEM;
    free(texts->slots);
    texts->slots = slots;
    texts->n_slots = n_slots;
    for (size_t i = 0; i < texts->n; i++)
        *find_slot(texts, texts_at(texts, (int64_t)i), text_size(texts, i)) = (uint32_t)i + 1;
    return 0;
}

static int add_text(struct texts *texts, const char *text, size_t size)
{
    if (grow_texts(texts) < 0)
        return ERR_NOMEM;
    if (!buf_reserve(&texts->bytes, size + 1)) {
        texts->bytes.failed = false;
        return ERR_NOMEM;
    }
    uint32_t *slot = find_slot(texts, text, size);
    size_t at = texts->bytes.n;
    buf_put(&texts->bytes, text, size);
    buf_putc(&texts->bytes, '\0');
    texts->at[texts->n] = at;
    *slot = (uint32_t)++texts->n;
    return 0;
}

int texts_intern(struct texts *texts, const char *text, size_t size, int64_t *ret_index)
{
    if (texts->n == 0 && add_text(texts, "", 0) < 0)
        return ERR_NOMEM;
    uint32_t *slot = find_slot(texts, text, size);
    if (*slot) {
        *ret_index = (int64_t)*slot - 1;
        return 0;
    }
    if (add_text(texts, text, size) < 0)
        return ERR_NOMEM;
    *ret_index = (int64_t)texts->n - 1;
    return 0;
}

const char *texts_at(const struct texts *texts, int64_t index)
{
    if (index < 0 || (size_t)index >= texts->n)
        return "";
    return (const char *)texts->bytes.data + texts->at[index];
}

void texts_forget(struct texts *texts, size_t n)
{
    while (texts->n > n) {
        size_t i = texts->n - 1;
        size_t at = texts->at[i];
        *find_slot(texts, texts_at(texts, (int64_t)i), text_size(texts, i)) = 0;
        texts->n = i;
        texts->bytes.n = at;
    }
}

/* ---- batches ---- */

void batch_init(struct batch *batch)
{
    *batch = (struct batch){.first_offset = -1};
}

void batch_free(struct batch *batch)
{
    if (!batch)
        return;
    free(batch->readings);
    free(batch->refusals);
    free(batch->replays);
    texts_free(&batch->texts);
    buf_free(&batch->payloads);
    buf_free(&batch->entities);
    batch_init(batch);
}

void batch_clear(struct batch *batch)
{
    batch->n_readings = batch->n_refusals = batch->n_replays = 0;
    texts_clear(&batch->texts);
    buf_clear(&batch->payloads);
    buf_clear(&batch->entities);
    batch->first_offset = -1;
    batch->next_offset = batch->n_messages = batch->last_known_ms = 0;
    batch->hole_from = batch->hole_to = 0;
    memset(batch->last_hash, 0, sizeof batch->last_hash);
}

struct reading *batch_add(struct batch *batch)
{
    if (batch->n_readings == batch->readings_cap) {
        size_t cap = batch->readings_cap ? batch->readings_cap * 2 : 1024;
        struct reading *readings = realloc(batch->readings, cap * sizeof *readings);
        if (!readings)
            return NULL;
        batch->readings = readings;
        batch->readings_cap = cap;
    }
    struct reading *reading = &batch->readings[batch->n_readings++];
    *reading = (struct reading){.issued_us = ISSUED_NONE};
    return reading;
}

int batch_replay(struct batch *batch, const struct replay *replay)
{
    if (array_grow(&batch->replays, &batch->replays_cap, batch->n_replays + 1, sizeof *batch->replays))
        return ERR_NOMEM;
    batch->replays[batch->n_replays++] = *replay;
    return 0;
}

void batch_replayed(struct batch *batch, size_t first_reading, size_t first_refusal)
{
    for (size_t i = first_reading; i < batch->n_readings; i++)
        batch->readings[i].replayed = true;
    for (size_t i = first_refusal; i < batch->n_refusals; i++)
        batch->refusals[i].replay = (uint32_t)batch->n_replays;
}

/* Where the payload lies in the batch's payloads; copied unless the refusal before has the same one. */
static int place_payload(struct batch *batch, int64_t offset, const void *payload, size_t size, size_t *ret_at)
{
    if (batch->n_refusals) {
        const struct refusal *before = &batch->refusals[batch->n_refusals - 1];
        if (before->offset == offset && before->payload_size == size &&
            (size == 0 || memcmp(batch->payloads.data + before->payload_at, payload, size) == 0)) {
            *ret_at = before->payload_at;
            return 0;
        }
    }
    if (!buf_reserve(&batch->payloads, size)) {
        batch->payloads.failed = false;
        return ERR_NOMEM;
    }
    *ret_at = batch->payloads.n;
    buf_put(&batch->payloads, payload, size);
    return 0;
}

int batch_refuse(struct batch *batch, enum refusal_reason reason, int64_t offset, int64_t known_ms,
                 const char *property, size_t property_size, int32_t slot, const void *payload, size_t payload_size,
                 const char *format, ...)
{
    if (batch->n_refusals == batch->refusals_cap) {
        size_t cap = batch->refusals_cap ? batch->refusals_cap * 2 : 16;
        struct refusal *refusals = realloc(batch->refusals, cap * sizeof *refusals);
        if (!refusals)
            return ERR_NOMEM;
        batch->refusals = refusals;
        batch->refusals_cap = cap;
    }
    size_t at;
    if (place_payload(batch, offset, payload, payload_size, &at) < 0)
        return ERR_NOMEM;
    struct refusal *refusal = &batch->refusals[batch->n_refusals++];
    *refusal = (struct refusal){.reason = reason, .offset = offset, .known_ms = known_ms, .slot = slot,
                                .payload_at = at, .payload_size = payload_size};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(refusal->detail, sizeof refusal->detail, format, arguments);
    va_end(arguments);
    if (property_size > LIMIT_NAME_BYTES)
        property_size = 0; /* no property has such a name */
    if (property_size)
        memcpy(refusal->property, property, property_size);
    return 0;
}

int batch_refused_entity(struct batch *batch, const char *entity, size_t size)
{
    struct refusal *refusal = &batch->refusals[batch->n_refusals - 1];
    if (!buf_reserve(&batch->entities, size)) {
        batch->entities.failed = false;
        return ERR_NOMEM;
    }
    refusal->entity_at = batch->entities.n;
    refusal->entity_size = size;
    buf_put(&batch->entities, entity, size);
    return 0;
}
