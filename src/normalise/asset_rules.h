/* Which fields the documents of section 7 have: the table behind normalise/assets.c. */
#ifndef NORMALISE_ASSET_RULES_H
#define NORMALISE_ASSET_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "model/document.h"

enum rule_type {
    RULE_ASSET,    /* the kind itself */
    RULE_ID,       /* the grammar of ids */
    RULE_ENTITY,   /* the same grammar */
    RULE_OWN_ID,   /* in `static`: the sensor's id */
    RULE_NAME,     /* a short text */
    RULE_PROPERTY, /* of an entity */
    RULE_NUMBER,   /* a decimal */
    RULE_SIZE,     /* a decimal above zero, or null */
    RULE_SMALL,    /* a decimal not below zero */
    RULE_BOOL,
    RULE_DURATION, /* of a fixed length above zero */
    RULE_TIME,     /* RFC 3339 with an offset */
    RULE_ZONE,
    RULE_DAYS,     /* an object: date to kind of day */
    RULE_PARENT,   /* an id of the kind that the rule names, to be there */
    RULE_LIST,     /* a list of such ids */
    RULE_SENSOR,   /* the type of a sensor */
    RULE_STATIC,   /* an object with the fields of the sensor's type */
    RULE_PERSONAL, /* refused: goes to the vault */
};

struct rule {
    const char *name;
    enum rule_type type;
    bool is_required;
    enum asset_kind refers; /* of RULE_PARENT and RULE_LIST */
    size_t at;              /* where in struct document a number, time, duration or yes and no goes; 0: nowhere */
};

struct rules {
    const char *name;       /* of the sensor's type, else NULL */
    const struct rule *at;
    size_t n;               /* at most 32 */
};

#define RULES_MAX 32
extern const struct rules asset_rules[ASSET_N];
/* Of a sensor's `static`, by its type; NULL: no such type. The text need not end in NUL. */
const struct rules *asset_static_rules(const char *type, size_t size);

#endif
