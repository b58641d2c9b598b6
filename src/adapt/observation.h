/* What comes out of a foreign source: values, and what does not fit. */
#ifndef ADAPT_OBSERVATION_H
#define ADAPT_OBSERVATION_H

#include <stdbool.h>
#include <stdint.h>

#include "model/reading.h"
#include "model/registry.h"

/* One value. Texts are borrowed for the call and end in NUL. */
struct observation {
    const char *entity, *type, *property; /* the models have the last word on them */
    const char *unit;                     /* "": the canonical one, or none (states) */
    int64_t time_us, period_us;           /* period_us 0: none */
    int64_t issued_us;                    /* ISSUED_NONE: not stated */
    const char *value;                    /* a JSON number with all its digits, or the text of a state */
    bool state;
    enum quality quality;
    int64_t line; /* where it stands in its source, from 1 */
};

/* What does not fit. reason REFUSED_NOT stands for "format": it is not what a source of this kind has. */
struct misfit {
    int64_t line;
    enum refusal_reason reason;
    char detail[160]; /* for people; nothing of what the source says */
};

#endif
