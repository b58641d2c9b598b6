/* What the files of the decoder share; decode.h is its outside. */
#ifndef NORMALISE_DECODER_H
#define NORMALISE_DECODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "normalise/decode.h"
#include "normalise/names.h"
#include "normalise/scan.h"

#define SLOT_REFUSED INT64_MIN /* instead of the time of a slot that is out */

struct decoder {
    struct registry *registry;
    int64_t future_max_us, oldest_us;
    struct scanner scanner;
    struct names values_names, units_names;
    int64_t *times;     /* of the object's slots */
    uint8_t *qualities; /* of the object's slots, where the message lists them */
    size_t slots_cap;

    /* of the message being decoded */
    const struct message *message;
    struct batch *batch;
    int64_t latest_us;    /* what is later needs `issued` */
    size_t n_values;
    const uint8_t *part;  /* the object or line that a refusal keeps */
    size_t part_size;
    const char *entity;   /* of the object, as far as it was read; NULL not yet */
    size_t entity_size;
    size_t n_refused;
    enum refusal_reason reason_over; /* of the first refusal that was one too many */
};

enum field {
    FIELD_ENTITY, FIELD_TYPE, FIELD_TIME, FIELD_VALUES, FIELD_PERIOD, FIELD_UNITS, FIELD_QUALITY, FIELD_ISSUED,
    FIELD_DELETE, FIELD_PROPERTY, FIELD_FROM, FIELD_TO, FIELD_N
};

/* One object of a message, checked up to its properties. */
struct object {
    uint32_t fields[FIELD_N]; /* token of the value, 0 absent (or null) */
    struct entity *entity;
    bool deletes;             /* `"delete": true` */
    bool ranges;              /* ... of a range of time */
    bool lists;               /* time is an array */
    bool lists_quality;
    uint32_t n_slots;
    enum quality quality;
    int64_t period_us;        /* 0 none */
    int64_t issued_us;        /* or ISSUED_NONE */
};

/* These return 0, or 1 when what they look at was refused (and told), or ERR_NOMEM. */

/* Tells a refusal of the current part. property is a name token or NULL, slot -1 for all. Returns 1 or ERR_NOMEM. */
int decoder_refuse(struct decoder *decoder, enum refusal_reason reason, const struct token *property, int64_t slot,
                   const char *format, ...) PRINTF_LIKE(5, 6);

MUST_CHECK int decoder_object(struct decoder *decoder, uint32_t token);                        /* object.c */
MUST_CHECK int decoder_slots(struct decoder *decoder, struct object *object);                  /* slots.c */
MUST_CHECK int decoder_time(struct decoder *decoder, uint32_t token, int64_t *ret_t_us);       /* ERR_INVALID: no time */
MUST_CHECK int decoder_values(struct decoder *decoder, const struct object *object);           /* values.c */
MUST_CHECK int decoder_range(struct decoder *decoder, const struct object *object);            /* values.c */

#endif
