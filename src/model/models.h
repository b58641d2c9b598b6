/* Types and their properties, the registry's models. Private to the registry; outside see model/registry.h. */
#ifndef MODEL_MODELS_H
#define MODEL_MODELS_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "model/registry.h"

struct model_type {
    char *name;
    size_t name_size;
    bool open;
    struct property **properties; /* each one allocation with its texts */
    size_t n_properties;
};

struct models {
    struct unit_table *units;
    struct model_type *types;
    size_t n_types;
    size_t hint; /* the type asked for last */
};

static inline bool is_text(const char *name, const char *text, size_t size)
{
    return strlen(name) == size && memcmp(name, text, size) == 0;
}

MUST_CHECK int models_init(struct models *models); /* ERR_NOMEM */
void models_done(struct models *models);

/* As registry_add_type and registry_add_property. */
MUST_CHECK int models_add_type(struct models *models, const char *type, bool open);
MUST_CHECK int models_add_property(struct models *models, const char *type, const struct property *like, bool phases);

/* NULL when there is none. */
struct model_type *models_find_type(struct models *models, const char *name, size_t size);
const struct property *model_find_property(const struct model_type *type, const char *name, size_t size);

/* A property with its texts in one allocation, to be freed as one; a gauge until told otherwise. NULL without memory. */
struct property *property_new(const struct unit_table *units, const char *name, size_t name_size,
                              const char *unit_text, size_t unit_size);

#endif
