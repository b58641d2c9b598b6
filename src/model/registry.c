#include <config.h>

#include "model/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hash.h"
#include "common/mix.h"
#include "model/models.h"

#define BLOCK_SERIES 1024

struct entity {
    const struct model_type *type;
    struct node *first, *last;  /* its series in order of creation; none: not in the table yet */
    struct node *hint;          /* where the next property is looked for first */
    uint64_t hash;
    uint32_t asked;             /* the doubt after which is_erased was asked; 0 never */
    bool is_erased;
    uint8_t name_size;
    char name[];
};

/* A series as the registry keeps it. */
struct node {
    struct series series;
    struct node *next;   /* of the same entity, in order of creation */
    uint32_t before;     /* index of the one before; only where it is not the first */
    bool property_owned; /* the property was made for this series alone */
};

struct registry {
    struct models models;
    struct node **blocks;         /* BLOCK_SERIES nodes each */
    size_t n_blocks, blocks_cap;
    size_t n_series, n_persisted;
    struct entity **entity_slots; /* hash tables, at most half full; NULL is empty */
    size_t n_entity_slots, n_entities;
    uint32_t *series_slots;       /* by entity and property: index + 1; 0 is empty */
    size_t n_series_slots;
    struct entity *pending;       /* a new entity without a series yet */
    uint64_t seed;                /* so that nobody can choose names that collide */
    size_t bytes;                 /* but for the models */
    bool (*is_erased)(void *arg, const char *name, size_t size);
    void *is_erased_arg;
    uint32_t doubts;              /* from 1; what was answered before counts no more */
};

/* ---- life ---- */

struct registry *registry_new(void)
{
    struct registry *registry = calloc(1, sizeof *registry);
    if (!registry)
        return NULL;
    if (models_init(&registry->models) < 0) {
        free(registry);
        return NULL;
    }
    hash_random(&registry->seed, sizeof registry->seed);
    registry->bytes = sizeof *registry;
    registry->doubts = 1;
    return registry;
}

static struct node *node_at(const struct registry *registry, size_t i)
{
    return &registry->blocks[i / BLOCK_SERIES][i % BLOCK_SERIES];
}

void registry_free(struct registry *registry)
{
    if (!registry)
        return;
    for (size_t i = 0; i < registry->n_series; i++) {
        struct node *node = node_at(registry, i);
        if (node->property_owned)
            free((void *)node->series.property);
    }
    for (size_t i = 0; i < registry->n_entity_slots; i++)
        free(registry->entity_slots[i]);
    free(registry->pending);
    for (size_t i = 0; i < registry->n_blocks; i++)
        free(registry->blocks[i]);
    free(registry->blocks);
    free(registry->entity_slots);
    free(registry->series_slots);
    models_done(&registry->models);
    free(registry);
}

struct unit_table *registry_units(struct registry *registry)
{
    return registry->models.units;
}

int registry_add_type(struct registry *registry, const char *type, bool open)
{
    return models_add_type(&registry->models, type, open);
}

int registry_add_property(struct registry *registry, const char *type, const char *property, const char *unit_text,
                          enum kind kind, bool step, bool phases)
{
    const struct property like = {.name = property, .unit_text = unit_text, .kind = kind, .step = step};
    return models_add_property(&registry->models, type, &like, phases);
}

/* ---- the table of entities ---- */

static struct entity **entity_slot(const struct registry *registry, uint64_t hash, const char *name, size_t size)
{
    size_t slot = hash & (registry->n_entity_slots - 1);
    for (;; slot = (slot + 1) & (registry->n_entity_slots - 1)) {
        struct entity *entity = registry->entity_slots[slot];
        if (!entity || (entity->hash == hash && entity->name_size == size && memcmp(entity->name, name, size) == 0))
            return &registry->entity_slots[slot];
    }
}

/* The entities go into the new table in the order in which they were made, so that the one made last is never in the way
 * of another and registry_forget can just empty its slot. */
static int grow_entities(struct registry *registry)
{
    if ((registry->n_entities + 1) * 2 <= registry->n_entity_slots)
        return 0;
    size_t n_slots = registry->n_entity_slots ? registry->n_entity_slots * 2 : 64;
    struct entity **slots = calloc(n_slots, sizeof(struct entity *));
    if (!slots)
        return ERR_NOMEM;
    registry->bytes += (n_slots - registry->n_entity_slots) * sizeof *slots;
    free(registry->entity_slots);
    registry->entity_slots = slots;
    registry->n_entity_slots = n_slots;
    for (size_t i = 0; i < registry->n_series; i++) {
        struct node *node = node_at(registry, i);
        struct entity *entity = node->series.entity;
        if (entity->first == node)
            *entity_slot(registry, entity->hash, entity->name, entity->name_size) = entity;
    }
    return 0;
}

bool entity_is_name(const char *name, size_t size)
{
    static const bool allowed[256] = {
        ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
        ['.'] = true, ['_'] = true, [':'] = true, ['/'] = true, ['-'] = true,
    };
    if (size == 0 || size > LIMIT_ENTITY_BYTES)
        return false;
    for (size_t i = 0; i < size; i++)
        if (!allowed[(uint8_t)name[i]])
            return false;
    return true;
}

static size_t entity_bytes(const struct entity *entity)
{
    return sizeof *entity + entity->name_size + 1U;
}

static void drop_entity(struct registry *registry, struct entity *entity)
{
    if (!entity)
        return;
    registry->bytes -= entity_bytes(entity);
    free(entity);
}

static int make_entity(struct registry *registry, uint64_t hash, const char *name, size_t size)
{
    struct entity *entity = calloc(1, sizeof *entity + size + 1);
    if (!entity)
        return ERR_NOMEM;
    entity->hash = hash;
    entity->name_size = (uint8_t)size;
    memcpy(entity->name, name, size);
    registry->bytes += entity_bytes(entity);
    drop_entity(registry, registry->pending);
    registry->pending = entity;
    return 0;
}

static int refuse(enum refusal_reason reason, enum refusal_reason *ret_reason)
{
    *ret_reason = reason;
    return ERR_INVALID;
}

void registry_watch(struct registry *registry, bool (*is_erased)(void *arg, const char *name, size_t size), void *arg)
{
    registry->is_erased = is_erased;
    registry->is_erased_arg = arg;
}

void registry_doubt(struct registry *registry)
{
    registry->doubts++;
}

bool registry_is_erased(struct registry *registry, struct entity *entity)
{
    if (entity->asked != registry->doubts && registry->is_erased) {
        entity->is_erased = registry->is_erased(registry->is_erased_arg, entity->name, entity->name_size);
        entity->asked = registry->doubts;
    }
    return entity->is_erased;
}

int registry_entity(struct registry *registry, const char *name, size_t name_size, const char *type_name,
                    size_t type_size, struct entity **ret_entity, enum refusal_reason *ret_reason)
{
    if (name_size == 0 || name_size > LIMIT_ENTITY_BYTES)
        return refuse(REFUSED_ENTITY, ret_reason);
    uint64_t hash = mix_hash(registry->seed, name, name_size);
    if (registry->n_entities) {
        struct entity *entity = *entity_slot(registry, hash, name, name_size);
        if (entity) {
            if (registry_is_erased(registry, entity))
                return refuse(REFUSED_ERASED, ret_reason);
            if (entity->type->name_size != type_size || memcmp(entity->type->name, type_name, type_size) != 0)
                return refuse(REFUSED_TYPE, ret_reason);
            *ret_entity = entity;
            return 0;
        }
    }
    if (!entity_is_name(name, name_size))
        return refuse(REFUSED_ENTITY, ret_reason);
    if (registry->is_erased && registry->is_erased(registry->is_erased_arg, name, name_size))
        return refuse(REFUSED_ERASED, ret_reason);
    const struct model_type *type = models_find_type(&registry->models, type_name, type_size);
    if (!type)
        return refuse(REFUSED_TYPE, ret_reason);
    if (make_entity(registry, hash, name, name_size) < 0)
        return ERR_NOMEM;
    registry->pending->type = type;
    *ret_entity = registry->pending;
    return 0;
}

const char *entity_name(const struct entity *entity)
{
    return entity->name;
}

const char *entity_type(const struct entity *entity)
{
    return entity->type->name;
}

/* ---- series ---- */

static size_t property_bytes(const struct property *property)
{
    return sizeof *property + strlen(property->name) + 1 + strlen(property->unit_text) + 1;
}

static uint32_t *series_slot(const struct registry *registry, const struct entity *entity, const char *property,
                             size_t size)
{
    size_t slot = mix_hash(entity->hash, property, size) & (registry->n_series_slots - 1);
    for (; registry->series_slots[slot]; slot = (slot + 1) & (registry->n_series_slots - 1)) {
        const struct series *series = &node_at(registry, registry->series_slots[slot] - 1)->series;
        if (series->entity == entity && is_text(series->property->name, property, size))
            break;
    }
    return &registry->series_slots[slot];
}

static int grow_series(struct registry *registry)
{
    if (registry->n_series == registry->n_blocks * BLOCK_SERIES) {
        if (registry->n_blocks == registry->blocks_cap) {
            size_t cap = registry->blocks_cap ? registry->blocks_cap * 2 : 16;
            struct node **blocks = realloc(registry->blocks, cap * sizeof *blocks);
            if (!blocks)
                return ERR_NOMEM;
            registry->bytes += (cap - registry->blocks_cap) * sizeof *blocks;
            registry->blocks = blocks;
            registry->blocks_cap = cap;
        }
        struct node *block = calloc(BLOCK_SERIES, sizeof *block);
        if (!block)
            return ERR_NOMEM;
        registry->bytes += BLOCK_SERIES * sizeof *block;
        registry->blocks[registry->n_blocks++] = block;
    }
    if ((registry->n_series + 1) * 2 <= registry->n_series_slots)
        return 0;
    size_t n_slots = registry->n_series_slots ? registry->n_series_slots * 2 : 64;
    uint32_t *slots = calloc(n_slots, sizeof *slots);
    if (!slots)
        return ERR_NOMEM;
    registry->bytes += (n_slots - registry->n_series_slots) * sizeof *slots;
    free(registry->series_slots);
    registry->series_slots = slots;
    registry->n_series_slots = n_slots;
    for (size_t i = 0; i < registry->n_series; i++) { /* in order, as in grow_entities */
        const struct series *series = &node_at(registry, i)->series;
        *series_slot(registry, series->entity, series->property->name, strlen(series->property->name)) =
            (uint32_t)i + 1;
    }
    return 0;
}

/* Makes the entity's series of a property; the entity enters the table with its first. ERR_NOMEM: all as before. */
static int make_series(struct registry *registry, struct entity *entity, const struct property *property, bool owned,
                       struct node **ret_node)
{
    if (registry->n_series >= UINT32_MAX - 1)
        return ERR_NOMEM;
    if (grow_series(registry) < 0 || grow_entities(registry) < 0)
        return ERR_NOMEM;
    uint32_t i = (uint32_t)registry->n_series;
    struct node *node = node_at(registry, i);
    *node = (struct node){
        .series = {.index = i, .entity = entity, .property = property, .unit = property->unit,
                   .unit_text = property->unit_text, .kind = property->kind, .step = property->step},
        .property_owned = owned,
    };
    *series_slot(registry, entity, property->name, strlen(property->name)) = i + 1;
    if (!entity->first) {
        *entity_slot(registry, entity->hash, entity->name, entity->name_size) = entity;
        registry->n_entities++;
        registry->pending = NULL;
        entity->first = node;
    } else {
        node->before = entity->last->series.index;
        entity->last->next = node;
    }
    entity->last = node;
    if (owned)
        registry->bytes += property_bytes(property);
    registry->n_series++;
    *ret_node = node;
    return 0;
}

/* A property name of an open type: 1 to LIMIT_NAME_BYTES bytes, no control characters. */
static bool is_free_name(const char *name, size_t size)
{
    if (size == 0 || size > LIMIT_NAME_BYTES)
        return false;
    for (size_t i = 0; i < size; i++)
        if ((uint8_t)name[i] < 0x20 || name[i] == 0x7F)
            return false;
    return true;
}

static bool is_free_unit(const char *text, size_t size)
{
    return size < LIMIT_UNIT_BYTES && is_free_name(text, size);
}

static int make_open_series(struct registry *registry, struct entity *entity, const char *name, size_t name_size,
                            const char *unit_text, size_t unit_size, struct node **ret_node,
                            enum refusal_reason *ret_reason)
{
    if (!is_free_name(name, name_size))
        return refuse(REFUSED_PROPERTY, ret_reason);
    if (!unit_text || !is_free_unit(unit_text, unit_size))
        return refuse(REFUSED_UNIT, ret_reason);
    const struct unit *unit = unit_find(registry->models.units, unit_text, unit_size);
    if (unit) { /* KWH is shown as kWh */
        unit_text = unit->name;
        unit_size = strlen(unit->name);
    }
    struct property *property = property_new(registry->models.units, name, name_size, unit_text, unit_size);
    if (!property)
        return ERR_NOMEM;
    int r = make_series(registry, entity, property, true, ret_node);
    if (r < 0)
        free(property);
    return r;
}

/* The unit to convert from; NULL when the text says the canonical one. */
static int check_unit(const struct registry *registry, const struct unit *to, const char *canonical, const char *text,
                      size_t size, const struct unit **ret_from)
{
    if (!text || is_text(canonical, text, size)) {
        *ret_from = NULL;
        return 0;
    }
    const struct unit *from = unit_find(registry->models.units, text, size);
    if (!from || !to || !unit_converts(from, to))
        return ERR_INVALID;
    *ret_from = from == to ? NULL : from;
    return 0;
}

static struct node *find_series(struct registry *registry, struct entity *entity, const char *property, size_t size)
{
    struct node *node = entity->hint ? entity->hint : entity->first;
    if (!node)
        return NULL;
    if (!is_text(node->series.property->name, property, size)) {
        uint32_t found = *series_slot(registry, entity, property, size);
        if (!found)
            return NULL;
        node = node_at(registry, found - 1);
    }
    entity->hint = node->next;
    return node;
}

int registry_series(struct registry *registry, struct entity *entity, const char *property, size_t property_size,
                    const char *unit_text, size_t unit_size, struct series **ret_series,
                    const struct unit **ret_from, enum refusal_reason *ret_reason)
{
    const struct unit *from = NULL;
    struct node *node = find_series(registry, entity, property, property_size);
    if (node) {
        const struct series *series = &node->series;
        if (check_unit(registry, series->unit, series->unit_text, unit_text, unit_size, &from) < 0)
            return refuse(REFUSED_UNIT, ret_reason);
    } else {
        const struct property *known = model_find_property(entity->type, property, property_size);
        int r;
        if (known) {
            if (check_unit(registry, known->unit, known->unit_text, unit_text, unit_size, &from) < 0)
                return refuse(REFUSED_UNIT, ret_reason);
            r = make_series(registry, entity, known, false, &node);
        } else if (entity->type->open) {
            r = make_open_series(registry, entity, property, property_size, unit_text, unit_size, &node, ret_reason);
        } else {
            return refuse(REFUSED_PROPERTY, ret_reason);
        }
        if (r < 0)
            return r;
    }
    *ret_series = &node->series;
    *ret_from = from;
    return 0;
}

/* The model's property when it still says the same; else one of the series' own, since the catalog's word holds. */
static int property_of_loaded(struct registry *registry, const struct entity *entity, const struct property *wanted,
                              const struct property **ret_property, bool *ret_owned)
{
    const struct property *known = model_find_property(entity->type, wanted->name, strlen(wanted->name));
    if (known && known->kind == wanted->kind && known->step == wanted->step &&
        strcmp(known->unit_text, wanted->unit_text) == 0) {
        *ret_property = known;
        *ret_owned = false;
        return 0;
    }
    struct property *own = property_new(registry->models.units, wanted->name, strlen(wanted->name), wanted->unit_text,
                                         strlen(wanted->unit_text));
    if (!own)
        return ERR_NOMEM;
    own->kind = wanted->kind;
    own->step = wanted->step;
    *ret_property = own;
    *ret_owned = true;
    return 0;
}

int registry_load_series(struct registry *registry, uint32_t id, const char *entity_text, const char *type,
                         const char *property_name, const char *unit_text, enum kind kind, bool step)
{
    struct entity *entity;
    enum refusal_reason reason;
    int r = registry_entity(registry, entity_text, strlen(entity_text), type, strlen(type), &entity, &reason);
    if (r < 0)
        return r;
    if (find_series(registry, entity, property_name, strlen(property_name)))
        return ERR_EXISTS;
    const struct property wanted = {.name = property_name, .unit_text = unit_text, .kind = kind, .step = step};
    const struct property *property;
    bool owned;
    if (property_of_loaded(registry, entity, &wanted, &property, &owned) < 0)
        return ERR_NOMEM;
    struct node *node;
    r = make_series(registry, entity, property, owned, &node);
    if (r < 0) {
        if (owned)
            free((struct property *)property);
        return r;
    }
    node->series.id = id;
    registry->n_persisted = registry->n_series;
    return 0;
}

size_t registry_n_series(const struct registry *registry)
{
    return registry->n_series;
}

struct series *registry_at(const struct registry *registry, size_t index)
{
    return &node_at(registry, index)->series;
}

size_t registry_n_persisted(const struct registry *registry)
{
    return registry->n_persisted;
}

void registry_persisted(struct registry *registry, size_t n_series)
{
    registry->n_persisted = n_series;
}

/* Takes the last series off its entity; an entity without series leaves the table. */
static void unlink_last(struct registry *registry, const struct node *node)
{
    struct entity *entity = node->series.entity;
    entity->hint = NULL;
    if (entity->first != node) {
        entity->last = node_at(registry, node->before);
        entity->last->next = NULL;
        return;
    }
    entity->first = entity->last = NULL;
    *entity_slot(registry, entity->hash, entity->name, entity->name_size) = NULL;
    registry->n_entities--;
    if (registry->pending)
        drop_entity(registry, entity);
    else
        registry->pending = entity;
}

void registry_forget(struct registry *registry, size_t n_series)
{
    while (registry->n_series > n_series && registry->n_series > registry->n_persisted) {
        struct node *node = node_at(registry, --registry->n_series);
        struct property *property = (struct property *)node->series.property;
        *series_slot(registry, node->series.entity, property->name, strlen(property->name)) = 0;
        unlink_last(registry, node);
        if (node->property_owned) {
            registry->bytes -= property_bytes(property);
            free(property);
        }
    }
}

size_t registry_memory_bytes(const struct registry *registry)
{
    return registry->bytes;
}
