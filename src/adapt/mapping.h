/* A mapping file (docs/MAPPING.md), read and checked. Immutable once opened: any number of mappers may use it. */
#ifndef ADAPT_MAPPING_H
#define ADAPT_MAPPING_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapt/number.h"
#include "adapt/stamp.h"
#include "common/err.h"
#include "model/reading.h"

#define MAPPING_BYTES_MAX (1 << 20)
#define MAPPING_FIELDS_MAX 4096
#define MAPPING_TIME_FIELDS_MAX 4

enum mapping_format { MAPPING_CSV, MAPPING_JSON, MAPPING_INFLUX };

enum rule { RULE_PASS, RULE_DROP, RULE_SUBSTITUTE, RULE_TRUNCATE };

/* A field of the source that has a rule. */
struct field {
    char *name;
    enum rule rule;
    uint32_t characters;    /* truncate a text; 0 not */
    int64_t granularity_us; /* truncate a time; 0 not */
    bool used;              /* the mapping reads it */
    bool tells;             /* it tells series apart: it names an entity, or chooses among values */
};

/* A text with fields in it: pieces in turn. */
struct piece {
    char *text;
    int field; /* -1: the text; else the field's index */
};
struct phrase {
    struct piece *pieces;
    size_t n;
};

/* A text, or one chosen by a field. */
struct code {
    char *from, *to;
    int64_t number; /* what `to` means where it is a period or a quality */
};
struct choice {
    bool given;
    char *constant; /* NULL: field counts */
    int64_t number; /* of the constant */
    int field;
    bool coded; /* only what is in codes, or otherwise */
    struct code *codes;
    size_t n_codes;
    char *otherwise;
    int64_t otherwise_number;
};

struct instant {
    bool given;
    int fields[MAPPING_TIME_FIELDS_MAX];
    size_t n_fields;
    struct stamp_format format;
    char *zone; /* NULL none */
    bool descending;
    bool end; /* the time is the end of the period */
    int64_t granularity_us;
};

/* Texts that stand for no value. */
struct missing {
    char **texts;
    struct decimal *numbers;
    bool *is_number;
    size_t n;
};

struct condition {
    int field;
    char **texts;
    size_t n;
};

struct value {
    int field;
    struct choice property, unit;
    struct decimal scale;
    bool scaled;
    bool is_state;
    struct choice states; /* coded, or the text itself */
    struct condition *when;
    size_t n_when;
    struct missing missing;
    /* the document's own unless the value gives its own */
    const struct phrase *entity;
    const struct choice *type, *period, *quality;
    struct phrase own_entity;
    struct choice own_type, own_period, own_quality;
};

struct mapping_csv {
    char separator, quote, decimal, thousands; /* thousands 0: none */
    bool header, ragged;
    int64_t skip;
    char **columns;
    size_t n_columns;
};

struct mapping {
    char *name; /* the file's, for messages */
    char **topics;
    size_t n_topics;
    bool topics_match; /* topic is tried by the pattern */
    regex_t pattern;
    char *to; /* NULL: made from the raw topic's */
    char *domain; /* of pseudonyms; NULL: mapping_domain says */
    enum mapping_format format;
    struct mapping_csv csv;
    char *records; /* json: a pointer, or NULL */
    struct field *fields;
    size_t n_fields;
    struct phrase entity;
    struct choice type, period, quality;
    struct instant time, issued;
    struct missing missing;
    struct value *values;
    size_t n_values;
    bool drops_unmatched;
    bool has_when;
    bool substitutes; /* a field has that rule: pseudonyms are needed */
};

/* Reads a mapping. ERR_NOTFOUND, ERR_IO, ERR_INVALID with the place, ERR_NOMEM. */
MUST_CHECK int mapping_open(const char *path, struct mapping **ret_mapping, struct err_text *error);
/* The same from text; name is for messages. */
MUST_CHECK int mapping_parse(const char *name, const char *text, size_t size, struct mapping **ret_mapping,
                             struct err_text *error);
void mapping_free(struct mapping *mapping);

/* Whether the mapping is for this raw topic. */
bool mapping_takes(const struct mapping *mapping, const char *topic);

/* The topic for what comes from a raw topic; out holds LIMIT_TOPIC_BYTES + 1. ERR_LIMIT: too long. */
MUST_CHECK int mapping_target(const struct mapping *mapping, const char *topic, char *out);

/* Whom pseudonyms are for: two domains cannot be joined. "domain" of the mapping, else "to", else "readings". */
const char *mapping_domain(const struct mapping *mapping);

/* Whether a time without an offset may come, so that a zone is needed, and none is given. */
bool mapping_needs_zone(const struct mapping *mapping);

#endif
