/* A reading, and the batch of readings that one commit stores. */
#ifndef MODEL_READING_H
#define MODEL_READING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "model/registry.h"

/* From best to worst. */
enum quality { QUALITY_MEASURED, QUALITY_EDITED, QUALITY_DERIVED, QUALITY_ESTIMATED, QUALITY_SUSPECT, QUALITY_N };
const char *quality_name(enum quality quality);
MUST_CHECK int quality_parse(const char *text, size_t size, enum quality *ret_quality);

/* The quality byte of a reading: the class in the low bits, then marks. */
#define QUALITY_CLASS_MASK 0x07
#define QUALITY_ROUNDED 0x08   /* the text had more than 18 digits */
#define QUALITY_CONVERTED 0x10 /* a unit conversion was rounded */

#define ISSUED_NONE INT64_MIN /* a plain reading: no issue time was stated */

enum op {
    OP_VALUE,
    OP_DELETE,      /* takes back this time; issued_us names the issue, ISSUED_NONE all issues and the plain reading */
    OP_DELETE_RANGE /* takes back [t_us, t_us + period_us), all issues */
};

struct reading {
    int64_t t_us;      /* microseconds since the epoch */
    int64_t m;         /* mantissa in the series' canonical unit; of a state: index into the batch's texts */
    int64_t period_us; /* 0, or the value covers [t, t + period) */
    int64_t issued_us; /* ISSUED_NONE, or when it became known as stated by the message */
    int64_t known_ms;  /* Kafka timestamp of the message, milliseconds since the epoch */
    int64_t offset;    /* Kafka offset of the message */
    uint32_t series_i; /* registry index of the series */
    int8_t e;          /* exponent: value = m * 10^e */
    uint8_t quality;   /* quality byte, see above */
    uint8_t op;        /* enum op */
    bool replayed;     /* of a dead letter: known_ms, not the order of arrival, tells its place */
};

/* The smallest refused part of a message. */
struct refusal {
    enum refusal_reason reason;
    int64_t offset, known_ms;
    char detail[160];         /* what is wrong, for people: the property, slot or byte position; no payload text */
    char property[LIMIT_NAME_BYTES + 1]; /* the refused property, or "" for all of the payload */
    int32_t slot;             /* the refused time slot, or -1 for all */
    uint32_t replay;          /* 1 + index of the replay in the batch that was refused again; 0 none */
    size_t payload_at, payload_size; /* the enclosing object (or whole message), in the batch's payloads */
    size_t entity_at, entity_size;   /* in the batch's entities: whose it is, where that had been read; 0 bytes else */
};

/* A dead letter that a message brings again: its name in the store, and what of the payload was refused. */
struct replay {
    int64_t id, offset, known_ms;        /* as the store has them; of the message that was refused */
    int32_t incarnation, slot;           /* slot -1: all */
    char property[LIMIT_NAME_BYTES + 1]; /* "": all */
    int64_t at_offset;                   /* of the message that brings it again */
};

/* Texts of states, interned: the same text has the same index. Index 0 is "". */
struct texts {
    struct buf bytes;  /* NUL-terminated texts, one after the other */
    size_t *at;        /* offset of text i */
    size_t n, cap;
    uint32_t *slots;   /* hash table over the texts; 0 empty, else index + 1 */
    size_t n_slots;
};
void texts_free(struct texts *texts);
void texts_clear(struct texts *texts);
MUST_CHECK int texts_intern(struct texts *texts, const char *text, size_t size, int64_t *ret_index);
const char *texts_at(const struct texts *texts, int64_t index);
void texts_forget(struct texts *texts, size_t n); /* takes back the texts from index n on */

/* Readings and refusals of consecutive messages of one source, in the order of the messages. */
struct batch {
    struct reading *readings;
    size_t n_readings, readings_cap;
    struct refusal *refusals;
    size_t n_refusals, refusals_cap;
    struct replay *replays;       /* dead letters that these messages bring again */
    size_t n_replays, replays_cap;
    struct texts texts;
    struct buf payloads;          /* bytes of refused objects */
    struct buf entities;          /* names of those that refused objects are of */
    int64_t first_offset;         /* of the first message, -1 while empty */
    int64_t next_offset;          /* one past the last message */
    int64_t n_messages;
    int64_t last_known_ms;        /* Kafka timestamp of the last message */
    int64_t hole_from, hole_to;   /* offsets that are missing before this batch: [from, to), equal when none */
    uint8_t last_hash[32];        /* BLAKE2b of the last message's value: proves the topic is still the same one */
};

void batch_init(struct batch *batch);
void batch_free(struct batch *batch);
void batch_clear(struct batch *batch); /* keeps the memory */

/* The next reading to fill in (zeroed but for issued_us = ISSUED_NONE), or NULL without memory. */
struct reading *batch_add(struct batch *batch);
/* Adds a replay; what is added from then on up to batch_replayed is of it. ERR_NOMEM. */
MUST_CHECK int batch_replay(struct batch *batch, const struct replay *replay);
/* Marks the readings and refusals from first_reading and first_refusal on as those of the last replay. */
void batch_replayed(struct batch *batch, size_t first_reading, size_t first_refusal);
/* Copies the payload unless payload is the one of the refusal before. ERR_NOMEM. */
MUST_CHECK int batch_refuse(struct batch *batch, enum refusal_reason reason, int64_t offset, int64_t known_ms,
                            const char *property, size_t property_size, int32_t slot, const void *payload,
                            size_t payload_size, const char *format, ...) PRINTF_LIKE(10, 11);
/* Notes of which entity the last refusal is. ERR_NOMEM. */
MUST_CHECK int batch_refused_entity(struct batch *batch, const char *entity, size_t size);

#endif
