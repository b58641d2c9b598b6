/* Values of one entity are gathered into one message, also where a file has entities and properties in turn.
 *
 * A group has the values of one entity, period and kind of issue time that stand near each other; a full one is handed on.
 * The order of the values of one series is kept: within a group by slots, between groups by the order of handing on. What is
 * handed on when depends on the values alone, so the same file makes the same messages. */
#ifndef IMPORTERS_GROUPING_H
#define IMPORTERS_GROUPING_H

#include "common/buf.h"
#include "importers/importer.h"

#define GROUPING_SLOTS 480   /* times in a group: five days of quarter hours */
#define GROUPING_GROUPS 1024 /* open at once */
#define GROUPING_BYTES (16 << 20)
#define GROUPING_GROUP_BYTES (256 << 10) /* of values: well below a message's limit */

struct cell {
    uint32_t at, size; /* of the value in the group's texts; size UINT32_MAX: none */
    int64_t line;
};

struct column {
    char property[LIMIT_NAME_BYTES + 1], unit[LIMIT_UNIT_BYTES + 1];
    bool state;
    struct cell *cells; /* as many as slots; those behind n are none */
    size_t n, cap;
    size_t next; /* the first slot that a further value may take */
};

struct group {
    char entity[LIMIT_ENTITY_BYTES + 1], type[LIMIT_NAME_BYTES + 1];
    int64_t period_us;
    int64_t issued_us; /* of all slots, or ISSUED_NONE */
    int64_t times_us[GROUPING_SLOTS];
    enum quality qualities[GROUPING_SLOTS];
    size_t n_slots;
    struct column *columns;
    size_t n_columns, columns_cap;
    struct buf texts;
    struct group *next; /* in its bucket */
};

static inline struct cell *group_cell(const struct column *column, size_t slot)
{
    return slot < column->n && column->cells[slot].size != UINT32_MAX ? &column->cells[slot] : NULL;
}

struct grouping;
/* full is called with a group that is complete; it may change it. A code that is not 0 is passed on. NULL without memory. */
struct grouping *grouping_new(int (*full)(void *arg, struct group *group), void *arg);
void grouping_free(struct grouping *grouping);
/* Names, units and values longer than their limits must have been refused before. */
MUST_CHECK int grouping_add(struct grouping *grouping, const struct observation *observation);
/* Hands on all that is open, in the order of opening. */
MUST_CHECK int grouping_flush(struct grouping *grouping);

#endif
