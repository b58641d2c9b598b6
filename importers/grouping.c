#include <config.h>

#include "importers/grouping.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/hash.h"

#define BUCKETS 2048 /* a power of two */
#define NO_CELL UINT32_MAX

struct grouping {
    int (*full)(void *arg, struct group *group);
    void *arg;
    struct group *buckets[BUCKETS];
    struct group *open[GROUPING_GROUPS]; /* in the order of opening */
    size_t n_open;
    struct group *spare; /* to be used again */
    struct group *last;  /* the one that took the last value, or NULL */
    size_t bytes;        /* of all open groups, about */
};

struct grouping *grouping_new(int (*full)(void *arg, struct group *group), void *arg)
{
    struct grouping *grouping = calloc(1, sizeof *grouping);
    if (grouping) {
        grouping->full = full;
        grouping->arg = arg;
    }
    return grouping;
}

static void free_group(struct group *group)
{
    for (size_t i = 0; i < group->columns_cap; i++)
        free(group->columns[i].cells);
    free(group->columns);
    buf_free(&group->texts);
    free(group);
}

void grouping_free(struct grouping *grouping)
{
    if (!grouping)
        return;
    for (size_t i = 0; i < grouping->n_open; i++)
        free_group(grouping->open[i]);
    while (grouping->spare) {
        struct group *group = grouping->spare;
        grouping->spare = group->next;
        free_group(group);
    }
    free(grouping);
}

static struct group **bucket_of(struct grouping *grouping, const char *entity)
{
    return &grouping->buckets[hash_short(0, entity, strlen(entity)) & (BUCKETS - 1)];
}

static size_t bytes_of(const struct group *group)
{
    size_t bytes = sizeof *group + group->texts.n;
    for (size_t i = 0; i < group->n_columns; i++)
        bytes += sizeof group->columns[i] + group->columns[i].n * sizeof(struct cell);
    return bytes;
}

/* ---- handing on ---- */

static void forget(struct grouping *grouping, size_t open_i)
{
    struct group *group = grouping->open[open_i], **at = bucket_of(grouping, group->entity);
    while (*at != group)
        at = &(*at)->next;
    *at = group->next;
    grouping->n_open--;
    memmove(&grouping->open[open_i], &grouping->open[open_i + 1], (grouping->n_open - open_i) * sizeof *grouping->open);
    size_t bytes = bytes_of(group);
    grouping->bytes -= bytes < grouping->bytes ? bytes : grouping->bytes;
    group->next = grouping->spare;
    grouping->spare = group;
    if (grouping->last == group)
        grouping->last = NULL;
}

static int hand_on(struct grouping *grouping, struct group *group)
{
    size_t i = 0;
    while (grouping->open[i] != group)
        i++;
    size_t bytes = bytes_of(group);
    int code = grouping->full(grouping->arg, group);
    grouping->bytes += bytes_of(group);
    grouping->bytes -= bytes < grouping->bytes ? bytes : grouping->bytes;
    forget(grouping, i);
    return code;
}

int grouping_flush(struct grouping *grouping)
{
    int code = 0;
    while (code == 0 && grouping->n_open > 0)
        code = hand_on(grouping, grouping->open[0]);
    return code;
}

/* ---- finding and opening ---- */

static bool fits(const struct group *group, const struct observation *observation)
{
    return group->period_us == observation->period_us && group->issued_us == observation->issued_us &&
           strcmp(group->entity, observation->entity) == 0 && strcmp(group->type, observation->type) == 0;
}

static struct group *take_spare(struct grouping *grouping)
{
    struct group *group = grouping->spare;
    if (!group)
        return calloc(1, sizeof *group);
    grouping->spare = group->next;
    group->n_slots = group->n_columns = 0;
    buf_clear(&group->texts);
    return group;
}

static int open_group(struct grouping *grouping, const struct observation *observation, struct group **ret_group)
{
    int code = 0;
    if (grouping->n_open == GROUPING_GROUPS || grouping->bytes > GROUPING_BYTES)
        code = grouping_flush(grouping);
    if (code != 0)
        return code;
    struct group *group = take_spare(grouping), **bucket = bucket_of(grouping, observation->entity);
    if (!group)
        return ERR_NOMEM;
    snprintf(group->entity, sizeof group->entity, "%s", observation->entity);
    snprintf(group->type, sizeof group->type, "%s", observation->type);
    group->period_us = observation->period_us;
    group->issued_us = observation->issued_us;
    group->next = *bucket;
    *bucket = group;
    grouping->open[grouping->n_open++] = group;
    grouping->bytes += sizeof *group;
    *ret_group = group;
    return 0;
}

static int find_group(struct grouping *grouping, const struct observation *observation, struct group **ret_group)
{
    if (grouping->last && fits(grouping->last, observation)) {
        *ret_group = grouping->last;
        return 0;
    }
    for (struct group *group = *bucket_of(grouping, observation->entity); group; group = group->next)
        if (fits(group, observation)) {
            *ret_group = group;
            return 0;
        }
    return open_group(grouping, observation, ret_group);
}

/* ---- columns and slots ---- */

static struct column *find_column(const struct group *group, const char *property)
{
    for (size_t i = 0; i < group->n_columns; i++)
        if (strcmp(group->columns[i].property, property) == 0)
            return &group->columns[i];
    return NULL;
}

/* Another group of the entity that has the property goes first, so that the series keeps its order. */
static int hand_on_rival(struct grouping *grouping, const struct group *group, const char *property)
{
    for (struct group *other = *bucket_of(grouping, group->entity); other; other = other->next)
        if (other != group && strcmp(other->entity, group->entity) == 0 && find_column(other, property))
            return hand_on(grouping, other);
    return 0;
}

static int add_column(struct grouping *grouping, struct group *group, const struct observation *observation,
                      struct column **ret_column)
{
    size_t cap = group->columns_cap;
    int code = hand_on_rival(grouping, group, observation->property);
    if (code == 0)
        code = array_grow(&group->columns, &group->columns_cap, group->n_columns + 1, sizeof *group->columns);
    if (code != 0)
        return code;
    memset(group->columns + cap, 0, (group->columns_cap - cap) * sizeof *group->columns);
    struct column *column = &group->columns[group->n_columns++];
    snprintf(column->property, sizeof column->property, "%s", observation->property);
    snprintf(column->unit, sizeof column->unit, "%s", observation->unit);
    column->state = observation->state;
    column->n = column->next = 0;
    grouping->bytes += sizeof *column;
    *ret_column = column;
    return 0;
}

/* The next slot of the value's time behind what the column has; n_slots when a new one is due. */
static size_t find_slot(const struct group *group, const struct column *column, const struct observation *observation)
{
    size_t n = group->n_slots;
    if (n > column->next && group->times_us[n - 1] == observation->time_us &&
        group->qualities[n - 1] == observation->quality)
        return n - 1; /* row by row */
    if (n > column->next && group->times_us[column->next] == observation->time_us &&
        group->qualities[column->next] == observation->quality)
        return column->next; /* column by column */
    return n;
}

static int set_cell(struct grouping *grouping, struct group *group, struct column *column, size_t slot,
                    const struct observation *observation)
{
    size_t size = strlen(observation->value);
    if (array_grow(&column->cells, &column->cap, slot + 1, sizeof *column->cells) < 0)
        return ERR_NOMEM;
    grouping->bytes += (slot + 1 - column->n) * sizeof(struct cell) + size;
    for (; column->n <= slot; column->n++)
        column->cells[column->n].size = NO_CELL;
    column->cells[slot] = (struct cell){(uint32_t)group->texts.n, (uint32_t)size, observation->line};
    column->next = slot + 1;
    buf_put(&group->texts, observation->value, size);
    return group->texts.failed ? ERR_NOMEM : 0;
}

int grouping_add(struct grouping *grouping, const struct observation *observation)
{
    for (;;) {
        struct group *group;
        struct column *column;
        int code = find_group(grouping, observation, &group);
        if (code != 0)
            return code;
        column = find_column(group, observation->property);
        bool other = column && (strcmp(column->unit, observation->unit) != 0 || column->state != observation->state);
        if (!column && !other)
            code = add_column(grouping, group, observation, &column);
        if (code != 0)
            return code;
        size_t slot = other ? 0 : find_slot(group, column, observation);
        if (other || slot == GROUPING_SLOTS || group->texts.n > GROUPING_GROUP_BYTES) {
            code = hand_on(grouping, group);
            if (code != 0)
                return code;
            continue;
        }
        if (slot == group->n_slots) {
            group->times_us[slot] = observation->time_us;
            group->qualities[slot] = observation->quality;
            group->n_slots++;
        }
        grouping->last = group;
        return set_cell(grouping, group, column, slot, observation);
    }
}
