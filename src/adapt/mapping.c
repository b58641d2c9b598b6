#include <config.h>

#include "adapt/mapping.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapt/mapping_read.h"
#include "common/civil.h"
#include "common/limits.h"

#define RAW_PREFIX "raw."
#define READINGS_PREFIX "readings."
#define SKIP_MAX 1000

/* ---- freeing ---- */

void mapping_free_texts(char **texts, size_t n)
{
    for (size_t i = 0; texts && i < n; i++)
        free(texts[i]);
    free(texts);
}

void mapping_free_choice(struct choice *choice)
{
    for (size_t i = 0; i < choice->n_codes; i++) {
        free(choice->codes[i].from);
        free(choice->codes[i].to);
    }
    free(choice->codes);
    free(choice->constant);
    free(choice->otherwise);
}

static void free_phrase(struct phrase *phrase)
{
    for (size_t i = 0; i < phrase->n; i++)
        free(phrase->pieces[i].text);
    free(phrase->pieces);
}

static void free_missing(struct missing *missing)
{
    mapping_free_texts(missing->texts, missing->n);
    free(missing->numbers);
    free(missing->is_number);
}

void mapping_free_value(struct value *value)
{
    for (size_t i = 0; i < value->n_when; i++)
        mapping_free_texts(value->when[i].texts, value->when[i].n);
    free(value->when);
    mapping_free_choice(&value->property);
    mapping_free_choice(&value->unit);
    mapping_free_choice(&value->states);
    free_missing(&value->missing);
    free_phrase(&value->own_entity);
    mapping_free_choice(&value->own_type);
    mapping_free_choice(&value->own_period);
    mapping_free_choice(&value->own_quality);
}

void mapping_free(struct mapping *mapping)
{
    if (!mapping)
        return;
    for (size_t i = 0; i < mapping->n_values; i++)
        mapping_free_value(&mapping->values[i]);
    free(mapping->values);
    for (size_t i = 0; i < mapping->n_fields; i++)
        free(mapping->fields[i].name);
    free(mapping->fields);
    mapping_free_texts(mapping->topics, mapping->n_topics);
    if (mapping->topics_match)
        regfree(&mapping->pattern);
    mapping_free_texts(mapping->csv.columns, mapping->csv.n_columns);
    free_phrase(&mapping->entity);
    mapping_free_choice(&mapping->type);
    mapping_free_choice(&mapping->period);
    mapping_free_choice(&mapping->quality);
    free(mapping->time.zone);
    free(mapping->issued.zone);
    free_missing(&mapping->missing);
    free(mapping->records);
    free(mapping->name);
    free(mapping->to);
    free(mapping->domain);
    free(mapping);
}

/* ---- fields and their rules ---- */

static int read_truncate(struct mapping_reading *in, const struct place_text *where, const json_t *json,
                         struct field *field)
{
    struct duration duration;
    json_int_t characters = json_integer_value(json);
    const char *text = json_string_value(json);
    field->rule = RULE_TRUNCATE;
    if (json_is_integer(json) && characters >= 1 && characters <= LIMIT_MESSAGE_BYTES) {
        field->characters = (uint32_t)characters;
        return 0;
    }
    if (text && civil_parse_duration(text, strlen(text), false, &duration) == 0 &&
        civil_fixed_us(&duration, &field->granularity_us) == 0 && field->granularity_us > 0)
        return 0;
    return mapping_wrong(in, where, "it is a number of characters, or a fixed ISO 8601 duration for a time");
}

static int read_rule(struct mapping_reading *in, const struct place_text *where, const json_t *json,
                     struct field *field)
{
    static const struct {
        const char *name;
        enum rule rule;
    } rules[] = {{"pass", RULE_PASS}, {"drop", RULE_DROP}, {"substitute", RULE_SUBSTITUTE}};
    static const char *const names[] = {"truncate", NULL};
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]) && json_is_string(json); i++)
        if (strcmp(json_string_value(json), rules[i].name) == 0) {
            field->rule = rules[i].rule;
            in->mapping->substitutes = in->mapping->substitutes || field->rule == RULE_SUBSTITUTE;
            return 0;
        }
    const json_t *truncate = json_object_get(json, "truncate");
    if (!truncate)
        return mapping_wrong(in, where, "a rule is \"pass\", \"drop\", \"substitute\" or {\"truncate\": ...}");
    int rc = mapping_members(in, where, json, names);
    struct place_text place = place_in(where, "truncate");
    return rc < 0 ? rc : read_truncate(in, &place, truncate, field);
}

/* Whether a source of that format can have a field of that name. */
static bool is_field_name(enum mapping_format format, const char *name)
{
    if (name[0] == '@')
        return strcmp(name, "@key") == 0 || strcmp(name, "@topic") == 0 || strcmp(name, "@file") == 0;
    if (format == MAPPING_JSON)
        return name[0] == '\0' || name[0] == '/' || strcmp(name, "*") == 0 || strcmp(name, "#") == 0 ||
               strncmp(name, "#/", 2) == 0;
    if (format == MAPPING_INFLUX)
        return strcmp(name, "measurement") == 0 || strcmp(name, "time") == 0 ||
               (strncmp(name, "tag:", 4) == 0 && name[4]) || (strncmp(name, "field:", 6) == 0 && name[6]);
    return true;
}

static int read_fields(struct mapping_reading *in, const struct place_text *where, const json_t *json)
{
    struct mapping *mapping = in->mapping;
    const char *name;
    json_t *rule;
    if (!json_is_object(json) || json_object_size(json) == 0)
        return mapping_wrong(in, where, "it is no object with the fields and their rules");
    if (json_object_size(json) > MAPPING_FIELDS_MAX)
        return mapping_wrong(in, where, "there are more than %d fields", MAPPING_FIELDS_MAX);
    mapping->fields = calloc(json_object_size(json), sizeof(*mapping->fields));
    if (!mapping->fields)
        return ERR_NOMEM;
    json_object_foreach((json_t *)(uintptr_t)json, name, rule)
    {
        struct place_text place = place_in(where, name);
        struct field *field = &mapping->fields[mapping->n_fields++];
        field->name = strdup(name);
        if (!field->name)
            return ERR_NOMEM;
        if (!is_field_name(mapping->format, name))
            return mapping_wrong(in, &place, "a source of this format has no field of that name");
        int rc = read_rule(in, &place, rule, field);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- topics ---- */

static bool is_topic(const char *text)
{
    static const char of_topics[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t size = strlen(text);
    return size > 0 && size <= LIMIT_TOPIC_BYTES && strspn(text, of_topics) == size;
}

static int read_topics(struct mapping_reading *in, const struct place_text *where, const json_t *json)
{
    struct mapping *mapping = in->mapping;
    int rc = mapping_texts(in, where, json, &mapping->topics, &mapping->n_topics);
    if (rc < 0)
        return rc;
    if (mapping->n_topics == 1 && mapping->topics[0][0] == '^') {
        if (regcomp(&mapping->pattern, mapping->topics[0], REG_EXTENDED | REG_NOSUB) != 0)
            return mapping_wrong(in, where, "it is no POSIX extended regular expression");
        mapping->topics_match = true;
        return 0;
    }
    for (size_t i = 0; i < mapping->n_topics; i++)
        if (!is_topic(mapping->topics[i]))
            return mapping_wrong(in, where, "\"%.60s\" is no name of a topic", mapping->topics[i]);
    return 0;
}

bool mapping_takes(const struct mapping *mapping, const char *topic)
{
    if (mapping->topics_match)
        return regexec(&mapping->pattern, topic, 0, NULL, 0) == 0;
    for (size_t i = 0; i < mapping->n_topics; i++)
        if (strcmp(mapping->topics[i], topic) == 0)
            return true;
    return false;
}

int mapping_target(const struct mapping *mapping, const char *topic, char *out)
{
    const size_t raw = sizeof(RAW_PREFIX) - 1;
    const char *rest = strncmp(topic, RAW_PREFIX, raw) == 0 ? topic + raw : topic;
    int n = mapping->to ? snprintf(out, LIMIT_TOPIC_BYTES + 1, "%s", mapping->to)
                        : snprintf(out, LIMIT_TOPIC_BYTES + 1, READINGS_PREFIX "%s", rest);
    return n < 0 || n > LIMIT_TOPIC_BYTES ? ERR_LIMIT : 0;
}

const char *mapping_domain(const struct mapping *mapping)
{
    return mapping->domain ? mapping->domain : mapping->to ? mapping->to : "readings";
}

bool mapping_needs_zone(const struct mapping *mapping)
{
    const struct instant *instants[] = {&mapping->time, &mapping->issued};
    for (size_t i = 0; i < 2; i++)
        if (instants[i]->given && !instants[i]->zone && stamp_format_is_local(&instants[i]->format) &&
            instants[i]->format.kind != STAMP_ISO)
            return true;
    return false;
}

/* ---- formats ---- */

/* A character, or none where that is allowed: json is a text of one. */
static int read_character(struct mapping_reading *in, const struct place_text *where, const json_t *json, bool or_none,
                          char *ret_c)
{
    const char *text = json_string_value(json);
    if (!json)
        return 0;
    if (!text || strlen(text) > 1 || (!*text && !or_none) || (*text && strchr("\r\n0123456789", *text)))
        return mapping_wrong(in, where, "it is no single character%s", or_none ? ", nor an empty text" : "");
    *ret_c = *text;
    return 0;
}

static int read_flag(struct mapping_reading *in, const struct place_text *where, const json_t *json, bool *ret_flag)
{
    if (json && !json_is_boolean(json))
        return mapping_wrong(in, where, "it is true or false");
    *ret_flag = json ? json_is_true(json) : *ret_flag;
    return 0;
}

static int read_columns(struct mapping_reading *in, const struct place_text *where, const json_t *json)
{
    struct mapping_csv *csv = &in->mapping->csv;
    const json_t *columns = json_object_get(json, "columns"), *skip = json_object_get(json, "skip");
    struct place_text at_columns = place_in(where, "columns"), at_skip = place_in(where, "skip");
    if (skip && (!json_is_integer(skip) || json_integer_value(skip) < 0 || json_integer_value(skip) > SKIP_MAX))
        return mapping_wrong(in, &at_skip, "it is no number of lines from 0 to %d", SKIP_MAX);
    csv->skip = json_integer_value(skip);
    if ((columns != NULL) == csv->header)
        return mapping_wrong(in, &at_columns,
                             csv->header ? "the header has the names: leave it out, or say \"header\": false"
                                         : "where there is no header, the columns' names are needed");
    return columns ? mapping_texts(in, &at_columns, columns, &csv->columns, &csv->n_columns) : 0;
}

static int read_csv(struct mapping_reading *in, const struct place_text *where, const json_t *json)
{
    static const char *const names[] = {"separator", "quote",     "header", "columns", "skip",
                                        "decimal",   "thousands", "ragged", NULL};
    struct mapping_csv *csv = &in->mapping->csv;
    struct {
        const char *name;
        bool or_none;
        char *c;
    } characters[] = {{"separator", false, &csv->separator},
                      {"quote", true, &csv->quote},
                      {"decimal", false, &csv->decimal},
                      {"thousands", true, &csv->thousands}};
    int rc = mapping_members(in, where, json, names);
    for (size_t i = 0; i < sizeof(characters) / sizeof(characters[0]) && rc == 0; i++) {
        struct place_text place = place_in(where, characters[i].name);
        rc = read_character(in, &place, json_object_get(json, characters[i].name), characters[i].or_none,
                            characters[i].c);
    }
    struct place_text at_header = place_in(where, "header"), at_ragged = place_in(where, "ragged"),
                      at_decimal = place_in(where, "decimal");
    if (rc == 0)
        rc = read_flag(in, &at_header, json_object_get(json, "header"), &csv->header);
    if (rc == 0)
        rc = read_flag(in, &at_ragged, json_object_get(json, "ragged"), &csv->ragged);
    if (rc == 0 && ((csv->decimal != '.' && csv->decimal != ',') || csv->decimal == csv->thousands))
        rc = mapping_wrong(in, &at_decimal, "the decimal mark is . or , and not what separates thousands");
    return rc < 0 ? rc : read_columns(in, where, json);
}

static int read_json(struct mapping_reading *in, const struct place_text *where, const json_t *json)
{
    static const char *const names[] = {"records", NULL};
    const json_t *records = json_object_get(json, "records");
    struct place_text place = place_in(where, "records");
    int rc = mapping_members(in, where, json, names);
    if (rc == 0 && records)
        rc = mapping_text(in, &place, records, LIMIT_TOPIC_BYTES, &in->mapping->records);
    if (rc == 0 && in->mapping->records && in->mapping->records[0] && in->mapping->records[0] != '/')
        rc = mapping_wrong(in, &place, "it is no JSON pointer: it begins with /");
    return rc;
}

static int read_format(struct mapping_reading *in, const struct place_text *root, const json_t *json)
{
    static const char *const formats[] = {[MAPPING_CSV] = "csv", [MAPPING_JSON] = "json", [MAPPING_INFLUX] = "influx"};
    struct mapping *mapping = in->mapping;
    const char *text = json_string_value(json_object_get(json, "format"));
    struct place_text at_format = place_in(root, "format");
    size_t i = 0;
    while (i < 3 && (!text || strcmp(formats[i], text) != 0))
        i++;
    if (i == 3)
        return mapping_wrong(in, &at_format, "the format is csv, json or influx");
    mapping->format = (enum mapping_format)i;
    mapping->csv = (struct mapping_csv){.separator = ',', .quote = '"', .decimal = '.', .header = true};
    for (size_t other = 0; other < 3; other++) {
        struct place_text place = place_in(root, formats[other]);
        if (other != i && json_object_get(json, formats[other]))
            return mapping_wrong(in, &place, "the format is %s", formats[i]);
    }
    const json_t *own = json_object_get(json, formats[i]);
    struct place_text place = place_in(root, formats[i]);
    if (!own)
        return 0;
    return mapping->format == MAPPING_CSV    ? read_csv(in, &place, own)
           : mapping->format == MAPPING_JSON ? read_json(in, &place, own)
                                             : mapping_wrong(in, &place, "influx has no settings");
}

/* ---- the document ---- */

static int read_values(struct mapping_reading *in, const struct place_text *where, const json_t *json)
{
    struct mapping *mapping = in->mapping;
    size_t n = json_array_size(json);
    if (n == 0 || n > MAPPING_FIELDS_MAX)
        return mapping_wrong(in, where, "it is no list of 1 to %d values", MAPPING_FIELDS_MAX);
    mapping->values = calloc(n, sizeof(*mapping->values));
    if (!mapping->values)
        return ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        struct place_text place = place_at(where, i);
        int rc = mapping_value(in, &place, json_array_get(json, i), &mapping->values[mapping->n_values++]);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int read_unmatched(struct mapping_reading *in, const struct place_text *where, const json_t *json)
{
    const char *text = json_string_value(json);
    if (!text || (strcmp(text, "refuse") != 0 && strcmp(text, "drop") != 0))
        return mapping_wrong(in, where, "it is refuse or drop");
    in->mapping->drops_unmatched = strcmp(text, "drop") == 0;
    return 0;
}

/* What all values share; in this order, since parts refer to those before them. */
static int read_shared(struct mapping_reading *in, const struct place_text *root, const json_t *json)
{
    struct mapping *mapping = in->mapping;
    static const char *const optional[] = {"topics", "to",      "entity",  "type",     "issued",
                                           "period", "quality", "missing", "domain",   "unmatched"};
    struct place_text at_fields = place_in(root, "fields"), at_time = place_in(root, "time");
    int rc = read_fields(in, &at_fields, json_object_get(json, "fields"));
    if (rc == 0)
        rc = mapping_instant(in, &at_time, json_object_get(json, "time"), &mapping->time);
    for (size_t i = 0; i < sizeof(optional) / sizeof(optional[0]) && rc == 0; i++) {
        const json_t *part = json_object_get(json, optional[i]);
        struct place_text place = place_in(root, optional[i]);
        if (!part)
            continue;
        switch (i) {
        case 0:
            rc = read_topics(in, &place, part);
            break;
        case 1:
            rc = mapping_text(in, &place, part, LIMIT_TOPIC_BYTES, &mapping->to);
            break;
        case 2:
            rc = mapping_phrase(in, &place, part, &mapping->entity);
            break;
        case 3:
            rc = mapping_choice(in, &place, part, MEANS_TEXT, &mapping->type);
            break;
        case 4:
            rc = mapping_instant(in, &place, part, &mapping->issued);
            break;
        case 5:
            rc = mapping_choice(in, &place, part, MEANS_PERIOD, &mapping->period);
            break;
        case 6:
            rc = mapping_choice(in, &place, part, MEANS_QUALITY, &mapping->quality);
            break;
        case 7:
            rc = mapping_missing(in, &place, part, &mapping->missing);
            break;
        case 8:
            rc = mapping_text(in, &place, part, LIMIT_NAME_BYTES, &mapping->domain);
            if (rc == 0 && !*mapping->domain)
                rc = mapping_wrong(in, &place, "the text is empty");
            break;
        default:
            rc = read_unmatched(in, &place, part);
            break;
        }
    }
    struct place_text at_to = place_in(root, "to");
    if (rc == 0 && mapping->to && !is_topic(mapping->to))
        rc = mapping_wrong(in, &at_to, "it is no name of a topic");
    return rc;
}

static int read_document(struct mapping_reading *in, const json_t *json)
{
    static const char *const names[] = {"about",  "topics",  "to",      "format", "csv",       "json",
                                        "influx", "fields",  "entity",  "type",   "time",      "issued",
                                        "period", "quality", "missing", "domain",  "values", "unmatched", NULL};
    const struct place_text root = {""};
    struct place_text at_values = place_in(&root, "values");
    int rc = mapping_members(in, &root, json, names);
    if (rc == 0)
        rc = read_format(in, &root, json);
    if (rc == 0)
        rc = read_shared(in, &root, json);
    return rc < 0 ? rc : read_values(in, &at_values, json_object_get(json, "values"));
}

int mapping_parse(const char *name, const char *text, size_t size, struct mapping **ret_mapping, struct err_text *error)
{
    json_error_t why;
    struct mapping *mapping = calloc(1, sizeof(*mapping));
    if (!mapping || !(mapping->name = strdup(name))) {
        free(mapping);
        return err_set(error, ERR_NOMEM, "no memory for the mapping \"%.200s\"", name);
    }
    json_t *json = size > MAPPING_BYTES_MAX ? NULL : json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    struct mapping_reading in = {mapping, error};
    int rc;
    if (json)
        rc = read_document(&in, json);
    else if (size > MAPPING_BYTES_MAX)
        rc = err_set(error, ERR_INVALID, "the mapping \"%.200s\" is larger than %d bytes", name, MAPPING_BYTES_MAX);
    else
        rc = err_set(error, ERR_INVALID, "the mapping \"%.200s\" is no JSON: line %d, column %d: %s", name, why.line,
                     why.column, why.text);
    json_decref(json);
    if (rc < 0) {
        mapping_free(mapping);
        return rc == ERR_NOMEM ? err_set(error, rc, "no memory for the mapping \"%.200s\"", name) : rc;
    }
    *ret_mapping = mapping;
    return 0;
}

int mapping_open(const char *path, struct mapping **ret_mapping, struct err_text *error)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return err_set(error, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "the mapping \"%.200s\" cannot be read: %s",
                       path, strerror(errno));
    char *text = malloc(MAPPING_BYTES_MAX + 1);
    size_t size = text ? fread(text, 1, MAPPING_BYTES_MAX + 1, file) : 0;
    bool failed = ferror(file);
    int why = errno;
    fclose(file);
    int rc = !text    ? ERR_NOMEM
             : failed ? err_set(error, ERR_IO, "the mapping \"%.200s\" cannot be read: %s", path, strerror(why))
                      : mapping_parse(path, text, size, ret_mapping, error);
    free(text);
    return rc;
}
