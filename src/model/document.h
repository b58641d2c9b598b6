/* Documents about the things that readings are about (contract section 7), and where ingest hands them over: ingest never sees
 * the store, as with model/sink.h.
 *
 * Documents come from whole topics: every store of a consumer group needs all of them. Of two with one kind and id the last
 * counts, by (Kafka timestamp, partition, offset, place in the message); so whoever reads a topic again from its start changes
 * nothing. */
#ifndef MODEL_DOCUMENT_H
#define MODEL_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/limits.h"
#include "model/decimal.h"
#include "model/declared.h"
#include "model/registry.h"

enum asset_kind {
    ASSET_NONE, ASSET_CUSTOMER, ASSET_LOCATION, ASSET_BOARD, ASSET_SENSOR, ASSET_RATE, ASSET_SERIES, ASSET_METER_CHANGE,
    ASSET_CALENDAR, ASSET_N
};
const char *asset_kind_name(enum asset_kind kind); /* "MainDistributionBoard" ...; "" for ASSET_NONE */
/* ERR_INVALID. The text need not end in NUL. */
MUST_CHECK int asset_kind_parse(const char *text, size_t size, enum asset_kind *ret_kind);

#define DOCUMENT_ID_BYTES 256 /* "ENTITY PROPERTY TIME" of a meter change, NUL included */

/* The place of a document among all others of its id. */
struct document_place {
    int64_t known_ms;  /* Kafka timestamp of the message */
    int32_t partition;
    int64_t offset;
    int32_t part;      /* within the message, from 0 */
};

#define STEP_UNDECLARED (-1)

/* What an asset Series declares. */
struct declaration {
    int64_t cadence_us, max_gap_us;        /* 0: not declared */
    int step;                              /* 0, 1 or STEP_UNDECLARED */
    struct decimal register_size, epsilon; /* 0: none */
};

/* A checked document. Strings are "" where they do not apply. */
struct document {
    enum asset_kind kind;
    char id[DOCUMENT_ID_BYTES];
    char type[LIMIT_NAME_BYTES + 1];       /* of a Sensor */
    char entity[LIMIT_ENTITY_BYTES + 1];   /* of a Sensor, a Series and a MeterChange */
    char property[LIMIT_NAME_BYTES + 1];   /* of a Series and a MeterChange */
    enum asset_kind parent_kind;
    char parent[LIMIT_ENTITY_BYTES + 1];
    int64_t start_us, end_us;              /* of a Rate */
    struct declaration declaration;        /* of a Series */
    struct meter_change change;            /* of a MeterChange */
    struct document_place place;
    size_t references_at, n_references;    /* in the batch's references */
    size_t text_at, text_size;             /* the JSON object as it was sent, in the batch's bytes */
};

/* Something that must be there for a document to count. */
struct document_reference {
    enum asset_kind kind;
    const char *field;                     /* static */
    char id[LIMIT_ENTITY_BYTES + 1];
};

/* A part of a message that is no document. Its bytes are not kept: they may be anything, names included (I9). */
struct document_refusal {
    const char *topic;                     /* borrowed */
    struct document_place place;
    enum refusal_reason reason;
    size_t at;                             /* where the part begins in the message */
    char detail[240];                      /* names field and id; no other text of the message */
};

/* An output of an optimization. */
struct document_output {
    struct document_place place;
    size_t text_at, text_size;
};

/* How far a partition was read, with the hash of its last message, by which a topic that was made anew is known. */
struct document_mark {
    const char *topic;                     /* borrowed */
    int32_t partition;
    int64_t next_offset;
    uint8_t last_hash[32];
};

/* What some messages held. */
struct documents {
    const char *topic;                     /* borrowed: that of the assets */
    struct document *rows;
    size_t n, cap;
    struct document_reference *references;
    size_t n_references, references_cap;
    struct document_refusal *refusals;
    size_t n_refusals, refusals_cap;
    struct document_output *outputs;
    size_t n_outputs, outputs_cap;
    struct document_mark *marks;           /* one a partition */
    size_t n_marks, marks_cap;
    struct buf bytes;
    bool at_end;                           /* every partition was read to its end: what refers to nothing now is refused */
};
void documents_free(struct documents *documents);
void documents_clear(struct documents *documents); /* keeps the memory */

/* Appends a zeroed row, or NULL without memory. */
struct document *documents_add(struct documents *documents);
/* ERR_NOMEM. The last mark of a partition counts. */
MUST_CHECK int documents_mark(struct documents *documents, const struct document_mark *mark);
/* The output's text is what bytes has from text_at on. */
MUST_CHECK int documents_add_output(struct documents *documents, const struct document_place *place, size_t text_at);
MUST_CHECK int documents_refuse(struct documents *documents, const struct document_refusal *refusal);

/* A calendar whose days are to become readings (contract section 3, type Calendar). */
struct calendar_due {
    const char *id, *document;
    int64_t since_ms;                      /* Kafka timestamp since which it says so: the readings' issue */
};

struct documents_sink {
    /* Where to read on. ERR_NOTFOUND: from the start. */
    int (*find)(struct documents_sink *sink, const char *topic, int32_t partition, struct document_mark *ret_mark,
                struct err_text *error);

    /* Stores a batch with its marks in one transaction (I1, I2). ERR_FULL, ERR_IO, ERR_BUSY: nothing was stored, the same batch
     * may be taken again. */
    int (*take)(struct documents_sink *sink, const struct documents *documents, struct err_text *error);

    /* Calls row for each calendar whose readings were not produced yet as it stands; calendar_done when Kafka has them. */
    int (*calendars)(struct documents_sink *sink, int (*row)(void *arg, const struct calendar_due *due), void *arg);
    int (*calendar_done)(struct documents_sink *sink, const char *id, int64_t since_ms);
};

#endif
