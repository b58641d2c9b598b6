/* What may be stored: types with their properties (D4.1 Table 3), units, and the series met so far.
 *
 * A series is one property of one entity. The registry is the writer's memory of the catalog: decode asks it for each
 * value, the store persists what it created (ids) before the readings that need them. It belongs to one thread. */
#ifndef MODEL_REGISTRY_H
#define MODEL_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/limits.h"
#include "model/unit.h"

enum kind { KIND_GAUGE, KIND_COUNTER, KIND_INTERVAL, KIND_STATE };
const char *kind_name(enum kind kind); /* "gauge" ... */
MUST_CHECK int kind_parse(const char *text, enum kind *ret_kind);

/* Why a message, or a part of it, is refused: the closed list of contract section 2. */
enum refusal_reason {
    REFUSED_NOT = 0,
    REFUSED_JSON, REFUSED_FIELD, REFUSED_ENTITY, REFUSED_TYPE, REFUSED_PROPERTY, REFUSED_UNIT, REFUSED_TIME,
    REFUSED_FUTURE, REFUSED_NUMBER, REFUSED_LENGTH, REFUSED_SIZE, REFUSED_LIMIT, REFUSED_EXPIRED, REFUSED_ERASED,
    REFUSED_N
};
const char *refusal_name(enum refusal_reason reason); /* "json" ... */

struct entity;

struct series {
    uint32_t id;      /* of the catalog; 0 until the store has persisted it */
    uint32_t index;   /* position in the registry, from 0 */
    struct entity *entity;
    const struct property *property;
    const struct unit *unit; /* canonical unit; NULL: text that never converts (unit_text) */
    const char *unit_text;
    enum kind kind;
    bool step;        /* a gauge that holds its value (hold left) instead of running linearly */
};

struct property {
    const char *name;        /* "voltageL1": the suffixed ones are properties of their own */
    const char *unit_text;   /* canonical unit as printed; "" for states and for type Property until stated */
    const struct unit *unit; /* NULL where unit_text is not a known unit */
    enum kind kind;
    bool step;
};

struct registry;

struct registry *registry_new(void);
void registry_free(struct registry *registry);

struct unit_table *registry_units(struct registry *registry);

/* Models, in any order, before the first series. phases: the property also exists with suffix L1, L2, L3.
 * A type with `open` takes any property name with a unit stated the first time, as a gauge (D4.1's "Property").
 * ERR_EXISTS, ERR_INVALID (a unit that is not in the table, unless the kind is state), ERR_NOMEM. */
MUST_CHECK int registry_add_type(struct registry *registry, const char *type, bool open);
MUST_CHECK int registry_add_property(struct registry *registry, const char *type, const char *property,
                                     const char *unit_text, enum kind kind, bool step, bool phases);

/* Takes a series that the catalog already holds (at start). Strings are copied. ERR_INVALID when its type is unknown or its
 * entity has another type, ERR_EXISTS, ERR_NOMEM. */
MUST_CHECK int registry_load_series(struct registry *registry, uint32_t id, const char *entity, const char *type,
                                    const char *property, const char *unit_text, enum kind kind, bool step);

/* The entity of that name with that type; made when new. Refuses: REFUSED_ENTITY (grammar, length), REFUSED_TYPE
 * (unknown type, or the entity has another one), REFUSED_ERASED. ERR_NOMEM; a
 * refusal is ERR_INVALID with *ret_reason set. The name need
 * not end in NUL. A new entity is remembered with its first series only: until then *ret_entity is valid to the next call. */
MUST_CHECK int registry_entity(struct registry *registry, const char *name, size_t name_size, const char *type,
                               size_t type_size, struct entity **ret_entity, enum refusal_reason *ret_reason);
/* Entities that are refused, as REFUSED_ERASED, whatever the registry knows of them. is_erased is asked once of an entity
 * that has series, and again after each registry_doubt. */
void registry_watch(struct registry *registry, bool (*is_erased)(void *arg, const char *name, size_t size), void *arg);
void registry_doubt(struct registry *registry);
bool registry_is_erased(struct registry *registry, struct entity *entity);
/* Whether it has the grammar and length of an entity. */
bool entity_is_name(const char *name, size_t size);
const char *entity_name(const struct entity *entity);
const char *entity_type(const struct entity *entity);

/* The entity's series for a property, made when new; this is the hot path: one lookup of a short list in the entity,
 * trying first the one after the property found last. unit_text (may be NULL) is what the message states; for an open
 * type it is required the first time and must convert, or be the same text, later. *ret_from is the unit to convert
 * from, or NULL when the value is canonical already. Refuses: REFUSED_PROPERTY, REFUSED_UNIT (ERR_INVALID with *ret_reason
 * set). ERR_NOMEM. */
MUST_CHECK int registry_series(struct registry *registry, struct entity *entity, const char *property,
                               size_t property_size, const char *unit_text, size_t unit_size,
                               struct series **ret_series, const struct unit **ret_from,
                               enum refusal_reason *ret_reason);

/* Series in order of creation; those from registry_n_persisted on have no id yet. The store writes them to the catalog,
 * sets their id and calls registry_persisted. An entity whose values were all refused makes no series. */
size_t registry_n_series(const struct registry *registry);
struct series *registry_at(const struct registry *registry, size_t index);
size_t registry_n_persisted(const struct registry *registry);
void registry_persisted(struct registry *registry, size_t n_series);

/* Takes back the series from index n_series on (not persisted ones, all values of which were refused) and the entities that
 * came with them. Pointers to them are gone, but for the entity of the last registry_entity call. */
void registry_forget(struct registry *registry, size_t n_series);

size_t registry_memory_bytes(const struct registry *registry); /* for the metric: at most 300 bytes a series */

#endif
