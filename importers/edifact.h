/* Segments of an EDIFACT interchange (ISO 9735), one after the other, in bounded memory. */
#ifndef IMPORTERS_EDIFACT_H
#define IMPORTERS_EDIFACT_H

#include "common/buf.h"
#include "importers/importer.h"

#define EDIFACT_SEGMENT_BYTES 65536
#define EDIFACT_ELEMENTS 64
#define EDIFACT_COMPONENTS 16

struct edifact {
    const struct importing *importing;
    char component, element, decimal, release, terminator; /* as the UNA segment says, else the standard's */
    int64_t segment;  /* number of the last one, from 1; UNA is none */
    bool too_long;    /* the last one, or with too many elements: what is there of it is its beginning */
    /* the reader's own */
    struct buf text;  /* components, each with its NUL */
    uint32_t at[EDIFACT_ELEMENTS][EDIFACT_COMPONENTS];
    int n_components[EDIFACT_ELEMENTS], n_elements;
    char bytes[65536];
    size_t begin, end;
    bool started;
};

/* Reads the next segment: 1, 0 at the end, or a code. ERR_CORRUPT: the file ends within a segment. */
MUST_CHECK int edifact_next(struct edifact *edifact, struct err_text *error);
void edifact_done(struct edifact *edifact);

/* A component of the segment, unescaped; "" where there is none. Element 0 is the segment's name. */
const char *edifact_get(const struct edifact *edifact, int element, int component);
bool edifact_is(const struct edifact *edifact, const char *name);

#endif
