#include <config.h>

#include "model/models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names of kinds and reasons ---- */

static const char *const kind_names[] = {
    [KIND_GAUGE] = "gauge", [KIND_COUNTER] = "counter", [KIND_INTERVAL] = "interval", [KIND_STATE] = "state",
};

const char *kind_name(enum kind kind)
{
    return kind <= KIND_STATE ? kind_names[kind] : "unknown";
}

int kind_parse(const char *text, enum kind *ret_kind)
{
    for (unsigned i = 0; i <= KIND_STATE; i++) {
        if (strcmp(kind_names[i], text) == 0) {
            *ret_kind = (enum kind)i;
            return 0;
        }
    }
    return ERR_INVALID;
}

static const char *const refusal_names[REFUSED_N] = {
    [REFUSED_NOT] = "", [REFUSED_JSON] = "json", [REFUSED_FIELD] = "field", [REFUSED_ENTITY] = "entity",
    [REFUSED_TYPE] = "type", [REFUSED_PROPERTY] = "property", [REFUSED_UNIT] = "unit", [REFUSED_TIME] = "time",
    [REFUSED_FUTURE] = "future", [REFUSED_NUMBER] = "number", [REFUSED_LENGTH] = "length", [REFUSED_SIZE] = "size",
    [REFUSED_LIMIT] = "limit", [REFUSED_EXPIRED] = "expired", [REFUSED_ERASED] = "erased",
};

const char *refusal_name(enum refusal_reason reason)
{
    return reason < REFUSED_N ? refusal_names[reason] : "unknown";
}

/* ---- types and properties ---- */

int models_init(struct models *models)
{
    *models = (struct models){.units = unit_table_new()};
    return models->units ? 0 : ERR_NOMEM;
}

void models_done(struct models *models)
{
    for (size_t i = 0; i < models->n_types; i++) {
        for (size_t k = 0; k < models->types[i].n_properties; k++)
            free(models->types[i].properties[k]);
        free(models->types[i].properties);
        free(models->types[i].name);
    }
    free(models->types);
    unit_table_free(models->units);
}

struct model_type *models_find_type(struct models *models, const char *name, size_t size)
{
    for (size_t n = 0, i = models->hint; n < models->n_types; n++, i++) {
        if (i >= models->n_types)
            i = 0;
        struct model_type *type = &models->types[i];
        if (type->name_size == size && memcmp(type->name, name, size) == 0) {
            models->hint = i;
            return type;
        }
    }
    return NULL;
}

const struct property *model_find_property(const struct model_type *type, const char *name, size_t size)
{
    for (size_t i = 0; i < type->n_properties; i++)
        if (is_text(type->properties[i]->name, name, size))
            return type->properties[i];
    return NULL;
}

int models_add_type(struct models *models, const char *type, bool open)
{
    size_t size = strlen(type);
    if (size == 0 || size > LIMIT_NAME_BYTES)
        return ERR_INVALID;
    if (models_find_type(models, type, size))
        return ERR_EXISTS;
    struct model_type *types = realloc(models->types, (models->n_types + 1) * sizeof *types);
    if (!types)
        return ERR_NOMEM;
    models->types = types;
    char *name = strdup(type);
    if (!name)
        return ERR_NOMEM;
    types[models->n_types++] = (struct model_type){.name = name, .name_size = size, .open = open};
    return 0;
}

struct property *property_new(const struct unit_table *units, const char *name, size_t name_size,
                              const char *unit_text, size_t unit_size)
{
    struct property *property = calloc(1, sizeof *property + name_size + 1 + unit_size + 1);
    if (!property)
        return NULL;
    char *texts = (char *)(property + 1);
    memcpy(texts, name, name_size);
    memcpy(texts + name_size + 1, unit_text, unit_size);
    property->name = texts;
    property->unit_text = texts + name_size + 1;
    property->unit = unit_find(units, unit_text, unit_size);
    return property;
}

static int add_to_type(struct model_type *type, struct property *property)
{
    struct property **properties = realloc(type->properties, (type->n_properties + 1) * sizeof *properties);
    if (!properties)
        return ERR_NOMEM;
    type->properties = properties;
    properties[type->n_properties++] = property;
    return 0;
}

static int add_property(const struct models *models, struct model_type *type, const char *name,
                        const struct property *like)
{
    if (model_find_property(type, name, strlen(name)))
        return ERR_EXISTS;
    struct property *property = property_new(models->units, name, strlen(name), like->unit_text, strlen(like->unit_text));
    if (!property)
        return ERR_NOMEM;
    property->kind = like->kind;
    property->step = like->step;
    if (add_to_type(type, property) < 0) {
        free(property);
        return ERR_NOMEM;
    }
    return 0;
}

int models_add_property(struct models *models, const char *type_name, const struct property *like, bool phases)
{
    static const char *const suffixes[] = {"", "L1", "L2", "L3"};
    struct model_type *type = models_find_type(models, type_name, strlen(type_name));
    size_t size = strlen(like->name), unit_size = strlen(like->unit_text);
    if (!type || size == 0 || size + (phases ? 2 : 0) > LIMIT_NAME_BYTES || unit_size >= LIMIT_UNIT_BYTES)
        return ERR_INVALID;
    if (like->kind == KIND_STATE ? unit_size != 0 : !unit_find(models->units, like->unit_text, unit_size))
        return ERR_INVALID;
    for (size_t i = 0; i < (phases ? 4 : 1); i++) {
        char full[LIMIT_NAME_BYTES + 1];
        snprintf(full, sizeof full, "%s%s", like->name, suffixes[i]);
        int r = add_property(models, type, full, like);
        if (r < 0)
            return r;
    }
    return 0;
}
