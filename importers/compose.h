/* A gathered group as normalized readings (contract section 2). */
#ifndef IMPORTERS_COMPOSE_H
#define IMPORTERS_COMPOSE_H

#include "importers/grouping.h"

/* Which slot of the group is which of the object that was made of it. */
struct composed {
    size_t slots[GROUPING_SLOTS];
    size_t n_slots;
};

/* Appends one JSON object with the cells of slots [begin, end) that are there; issued_us ISSUED_NONE: none is stated. n_slots 0:
 * there was none, and nothing was appended. */
void compose_object(const struct group *group, size_t begin, size_t end, int64_t issued_us, struct buf *out,
                    struct composed *ret_composed);

#endif
