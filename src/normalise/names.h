/* The names of a JSON object's members: none twice, and found by name however many there are. */
#ifndef NORMALISE_NAMES_H
#define NORMALISE_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "normalise/scan.h"

struct names {
    uint64_t seed;   /* random: names come from outside */
    uint32_t *slots; /* hash table over name tokens, 0 is empty; used for larger objects only */
    size_t n_slots;  /* in use for the object indexed last */
    size_t cap;
};

void names_done(struct names *names);

/* Takes in the members of an object token. ERR_EXISTS: a name occurs twice; ERR_NOMEM. */
MUST_CHECK int names_index(struct names *names, const struct scanner *scanner, uint32_t object);

/* The token of the value of that name in the object indexed last, 0 when there is none. */
uint32_t names_find(const struct names *names, const struct scanner *scanner, uint32_t object, const char *text,
                    size_t size);

#endif
