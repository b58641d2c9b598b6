#include <config.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapt/mapping_read.h"
#include "common/civil.h"
#include "common/limits.h"

struct place_text place_in(const struct place_text *outer, const char *member)
{
    struct place_text place;
    snprintf(place.text, sizeof(place.text), "%.90s/%.60s", outer->text, member);
    return place;
}

struct place_text place_at(const struct place_text *outer, size_t i)
{
    char number[24];
    snprintf(number, sizeof(number), "%zu", i);
    return place_in(outer, number);
}

int mapping_wrong(struct mapping_reading *in, const struct place_text *where, const char *format, ...)
{
    char text[320];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    return err_set(in->error, ERR_INVALID, "the mapping \"%.120s\" is wrong at \"%s\": %s", in->mapping->name,
                   where->text[0] ? where->text : "/", text);
}

static void put_names(const char *const *names, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; names[i] && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", i ? " " : "", names[i]);
}

int mapping_members(struct mapping_reading *in, const struct place_text *where, const json_t *json,
                    const char *const *names)
{
    const char *name;
    json_t *value;
    char allowed[200];
    if (!json_is_object(json))
        return mapping_wrong(in, where, "it is no object");
    json_object_foreach((json_t *)(uintptr_t)json, name, value)
    {
        size_t i = 0;
        while (names[i] && strcmp(names[i], name) != 0)
            i++;
        if (names[i])
            continue;
        put_names(names, allowed, sizeof(allowed));
        return mapping_wrong(in, where, "unknown member \"%.40s\"; there are: %s", name, allowed);
    }
    return 0;
}

int mapping_text(struct mapping_reading *in, const struct place_text *where, const json_t *json, size_t bytes_max,
                 char **ret_text)
{
    if (!json_is_string(json))
        return mapping_wrong(in, where, "it is no text");
    if (json_string_length(json) > bytes_max)
        return mapping_wrong(in, where, "the text is longer than %zu bytes", bytes_max);
    char *text = strdup(json_string_value(json));
    if (!text)
        return ERR_NOMEM;
    free(*ret_text);
    *ret_text = text;
    return 0;
}

int mapping_texts(struct mapping_reading *in, const struct place_text *where, const json_t *json, char ***ret_texts,
                  size_t *ret_n)
{
    size_t n = json_is_array(json) ? json_array_size(json) : 1;
    if (json_is_array(json) && n == 0)
        return mapping_wrong(in, where, "the list is empty");
    *ret_texts = calloc(n, sizeof(**ret_texts));
    if (!*ret_texts)
        return ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        struct place_text place = json_is_array(json) ? place_at(where, i) : *where;
        int rc = mapping_text(in, &place, json_is_array(json) ? json_array_get(json, i) : json, LIMIT_TOPIC_BYTES,
                              &(*ret_texts)[i]);
        if (rc < 0)
            return rc;
        *ret_n = i + 1;
    }
    return 0;
}

/* Whether a field with that rule may be used so; NULL, or why not. */
static const char *why_not(const struct field *field, enum field_use use)
{
    if (field->rule == RULE_DROP)
        return "it is dropped";
    if (use == USE_NUMBER && field->rule != RULE_PASS)
        return "a number is passed, or dropped";
    if (use == USE_TEXT && field->granularity_us)
        return "it is truncated as a time, and used as a text";
    if (use == USE_TIME && (field->rule == RULE_SUBSTITUTE || field->characters))
        return "a time is passed, or truncated by a duration";
    return NULL;
}

static int find_field(struct mapping_reading *in, const struct place_text *where, const char *name, size_t size,
                      enum field_use use, int *ret_field)
{
    for (size_t i = 0; i < in->mapping->n_fields; i++) {
        struct field *field = &in->mapping->fields[i];
        if (strlen(field->name) != size || memcmp(field->name, name, size) != 0)
            continue;
        const char *why = why_not(field, use);
        if (why)
            return mapping_wrong(in, where, "the rule of field \"%.60s\" does not allow that: %s", field->name, why);
        field->used = true;
        *ret_field = (int)i;
        return 0;
    }
    return mapping_wrong(in, where, "field \"%.*s\" has no rule, so it is dropped: give it one in \"fields\"",
                         (int)(size < 60 ? size : 60), name);
}

int mapping_field(struct mapping_reading *in, const struct place_text *where, const json_t *json, enum field_use use,
                  int *ret_field)
{
    if (!json_is_string(json))
        return mapping_wrong(in, where, "it is no name of a field");
    return find_field(in, where, json_string_value(json), json_string_length(json), use, ret_field);
}

/* ---- a text with fields in it ---- */

static int add_piece(struct phrase *phrase, const char *text, size_t size, int field)
{
    struct piece *pieces = reallocarray(phrase->pieces, phrase->n + 1, sizeof(*pieces));
    if (!pieces)
        return ERR_NOMEM;
    phrase->pieces = pieces;
    pieces[phrase->n] = (struct piece){strndup(text, size), field};
    return pieces[phrase->n++].text ? 0 : ERR_NOMEM;
}

int mapping_phrase(struct mapping_reading *in, const struct place_text *where, const json_t *json,
                   struct phrase *phrase)
{
    const char *text = json_string_value(json);
    if (!text || !*text)
        return mapping_wrong(in, where, "it is no text, or an empty one");
    while (*text) {
        size_t size = strcspn(text, "{");
        int field, rc = size ? add_piece(phrase, text, size, -1) : 0;
        text += size;
        if (rc == 0 && *text) {
            const char *end = strchr(++text, '}');
            if (!end)
                return mapping_wrong(in, where, "a } is missing");
            rc = find_field(in, where, text, (size_t)(end - text), USE_TEXT, &field);
            if (rc == 0)
                rc = add_piece(phrase, "", 0, field);
            if (rc == 0)
                in->mapping->fields[field].tells = true;
            text = end + 1;
        }
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- a choice ---- */

/* What a text means where it is more than a text. */
static int read_meaning(struct mapping_reading *in, const struct place_text *where, const char *text,
                        enum meaning meaning, int64_t *ret_number)
{
    struct duration duration;
    enum quality quality;
    if (meaning == MEANS_QUALITY) {
        if (quality_parse(text, strlen(text), &quality) < 0)
            return mapping_wrong(in, where,
                                 "\"%.40s\" is no quality; there are: measured edited derived estimated suspect", text);
        *ret_number = quality;
    } else if (meaning == MEANS_PERIOD) {
        if (civil_parse_duration(text, strlen(text), false, &duration) < 0 ||
            civil_fixed_us(&duration, ret_number) < 0 || *ret_number <= 0)
            return mapping_wrong(in, where, "\"%.40s\" is no fixed ISO 8601 duration above zero", text);
    } else if (!*text) {
        return mapping_wrong(in, where, "the text is empty");
    }
    return 0;
}

static int read_meant(struct mapping_reading *in, const struct place_text *where, const json_t *json,
                      enum meaning meaning, char **ret_text, int64_t *ret_number)
{
    int rc = mapping_text(in, where, json, meaning == MEANS_STATE ? LIMIT_STATE_BYTES : LIMIT_NAME_BYTES, ret_text);
    return rc < 0 ? rc : read_meaning(in, where, *ret_text, meaning, ret_number);
}

static int compare_codes(const void *a, const void *b)
{
    return strcmp(((const struct code *)a)->from, ((const struct code *)b)->from);
}

int mapping_codes(struct mapping_reading *in, const struct place_text *where, const json_t *json, enum meaning meaning,
                  struct choice *choice)
{
    const char *from;
    json_t *to;
    if (!json_is_object(json))
        return mapping_wrong(in, where, "it is no object");
    choice->codes = calloc(json_object_size(json) + 1, sizeof(*choice->codes));
    if (!choice->codes)
        return ERR_NOMEM;
    choice->coded = true;
    json_object_foreach((json_t *)(uintptr_t)json, from, to)
    {
        struct place_text place = place_in(where, from);
        struct code *code = &choice->codes[choice->n_codes++];
        code->from = strdup(from);
        int rc = code->from ? read_meant(in, &place, to, meaning, &code->to, &code->number) : ERR_NOMEM;
        if (rc < 0)
            return rc;
    }
    qsort(choice->codes, choice->n_codes, sizeof(*choice->codes), compare_codes);
    return 0;
}

int mapping_choice(struct mapping_reading *in, const struct place_text *where, const json_t *json, enum meaning meaning,
                   struct choice *choice)
{
    static const char *const names[] = {"field", "codes", "else", NULL};
    choice->given = true;
    if (json_is_string(json))
        return read_meant(in, where, json, meaning, &choice->constant, &choice->number);
    int rc = mapping_members(in, where, json, names);
    const json_t *codes = json_object_get(json, "codes"), *otherwise = json_object_get(json, "else");
    struct place_text at_field = place_in(where, "field"), at_codes = place_in(where, "codes"),
                      at_else = place_in(where, "else");
    bool text_leaves = !codes && meaning == MEANS_TEXT;
    if (rc == 0)
        rc = mapping_field(in, &at_field, json_object_get(json, "field"), text_leaves ? USE_TEXT : USE_LOOK,
                           &choice->field);
    if (rc == 0 && codes)
        rc = mapping_codes(in, &at_codes, codes, meaning, choice);
    if (rc == 0 && otherwise && !codes)
        rc = mapping_wrong(in, &at_else, "there is no \"codes\" for which it could be");
    if (rc == 0 && otherwise)
        rc = read_meant(in, &at_else, otherwise, meaning, &choice->otherwise, &choice->otherwise_number);
    return rc;
}

/* ---- times ---- */

static int read_time_fields(struct mapping_reading *in, const struct place_text *where, const json_t *json,
                            struct instant *instant)
{
    size_t n = json_is_array(json) ? json_array_size(json) : 1;
    if (n == 0 || n > MAPPING_TIME_FIELDS_MAX)
        return mapping_wrong(in, where, "a time is of 1 to %d fields", MAPPING_TIME_FIELDS_MAX);
    for (size_t i = 0; i < n; i++) {
        struct place_text place = json_is_array(json) ? place_at(where, i) : *where;
        int rc = mapping_field(in, &place, json_is_array(json) ? json_array_get(json, i) : json, USE_TIME,
                               &instant->fields[i]);
        if (rc < 0)
            return rc;
        int64_t granularity_us = in->mapping->fields[instant->fields[i]].granularity_us;
        if (granularity_us > instant->granularity_us)
            instant->granularity_us = granularity_us;
    }
    instant->n_fields = n;
    return 0;
}

static int read_order(struct mapping_reading *in, const struct place_text *where, const json_t *json,
                      struct instant *instant)
{
    const json_t *order = json_object_get(json, "order"), *end = json_object_get(json, "end");
    struct place_text at_order = place_in(where, "order"), at_end = place_in(where, "end");
    const char *text = json_string_value(order);
    if (order && (!text || (strcmp(text, "ascending") != 0 && strcmp(text, "descending") != 0)))
        return mapping_wrong(in, &at_order, "it is ascending or descending");
    if (end && !json_is_boolean(end))
        return mapping_wrong(in, &at_end, "it is true or false");
    instant->descending = text && strcmp(text, "descending") == 0;
    instant->end = json_is_true(end);
    return 0;
}

int mapping_instant(struct mapping_reading *in, const struct place_text *where, const json_t *json,
                    struct instant *instant)
{
    static const char *const names[] = {"field", "format", "zone", "order", "end", NULL};
    int rc = mapping_members(in, where, json, names);
    if (rc < 0)
        return rc;
    const json_t *format = json_object_get(json, "format"), *zone = json_object_get(json, "zone");
    struct place_text at_field = place_in(where, "field"), at_format = place_in(where, "format"),
                      at_zone = place_in(where, "zone");
    enum stamp_kind usual = in->mapping->format == MAPPING_INFLUX ? STAMP_UNIX_NS : STAMP_RFC3339;
    instant->given = true;
    instant->format = (struct stamp_format){.kind = usual};
    rc = read_time_fields(in, &at_field, json_object_get(json, "field"), instant);
    if (rc == 0 && format &&
        (!json_is_string(format) || stamp_format_parse(json_string_value(format), &instant->format) < 0))
        rc = mapping_wrong(in, &at_format,
                           "it is rfc3339, iso, unix_s, unix_ms, unix_us, unix_ns, or a pattern of %%Y %%m %%d %%H %%M "
                           "%%S %%j %%z %%y %%I %%p %%f");
    if (rc == 0 && zone)
        rc = mapping_text(in, &at_zone, zone, LIMIT_ZONE_NAME_BYTES, &instant->zone);
    return rc < 0 ? rc : read_order(in, where, json, instant);
}

/* ---- values ---- */

int mapping_missing(struct mapping_reading *in, const struct place_text *where, const json_t *json,
                    struct missing *missing)
{
    int rc = mapping_texts(in, where, json, &missing->texts, &missing->n);
    if (rc < 0)
        return rc;
    missing->numbers = calloc(missing->n, sizeof(*missing->numbers));
    missing->is_number = calloc(missing->n, sizeof(*missing->is_number));
    if (!missing->numbers || !missing->is_number)
        return ERR_NOMEM;
    bool rounded;
    for (size_t i = 0; i < missing->n; i++)
        missing->is_number[i] =
            decimal_parse(missing->texts[i], strlen(missing->texts[i]), &missing->numbers[i], &rounded) == 0;
    return 0;
}

static int read_scale(struct mapping_reading *in, const struct place_text *where, const json_t *json,
                      struct value *value)
{
    char number[32];
    const char *text = json_string_value(json);
    bool rounded = false;
    if (json_is_integer(json)) {
        snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(json));
        text = number;
    }
    if (!text || decimal_parse(text, strlen(text), &value->scale, &rounded) < 0 || rounded || value->scale.m == 0)
        return mapping_wrong(in, where,
                             "a scale is a whole number, or a decimal as a text such as \"0.001\", and not 0");
    value->scaled = true;
    return 0;
}

static int read_states(struct mapping_reading *in, const struct place_text *where, const json_t *json,
                       struct value *value)
{
    value->is_state = true;
    value->states = (struct choice){.given = true, .field = value->field};
    if (json_is_true(json))
        return 0;
    return mapping_codes(in, where, json, MEANS_STATE, &value->states);
}

static int read_when(struct mapping_reading *in, const struct place_text *where, const json_t *json,
                     struct value *value)
{
    const char *name;
    json_t *texts;
    if (!json_is_object(json) || json_object_size(json) == 0)
        return mapping_wrong(in, where, "it is no object with a field in it");
    value->when = calloc(json_object_size(json), sizeof(*value->when));
    if (!value->when)
        return ERR_NOMEM;
    json_object_foreach((json_t *)(uintptr_t)json, name, texts)
    {
        struct place_text place = place_in(where, name);
        struct condition *condition = &value->when[value->n_when++];
        int rc = find_field(in, &place, name, strlen(name), USE_LOOK, &condition->field);
        if (rc == 0)
            rc = mapping_texts(in, &place, texts, &condition->texts, &condition->n);
        if (rc == 0)
            in->mapping->fields[condition->field].tells = true;
        if (rc < 0)
            return rc;
    }
    in->mapping->has_when = true;
    return 0;
}

/* What a value may say instead of the document. */
static int read_own(struct mapping_reading *in, const struct place_text *where, const json_t *json, struct value *value)
{
    struct mapping *mapping = in->mapping;
    const struct {
        const char *name;
        struct choice *own;
        const struct choice **used, *usual;
        enum meaning meaning;
    } choices[] = {{"type", &value->own_type, &value->type, &mapping->type, MEANS_TEXT},
                   {"period", &value->own_period, &value->period, &mapping->period, MEANS_PERIOD},
                   {"quality", &value->own_quality, &value->quality, &mapping->quality, MEANS_QUALITY}};
    const json_t *entity = json_object_get(json, "entity");
    struct place_text at_entity = place_in(where, "entity");
    value->entity = entity ? &value->own_entity : &mapping->entity;
    int rc = entity ? mapping_phrase(in, &at_entity, entity, &value->own_entity) : 0;
    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]) && rc == 0; i++) {
        const json_t *own = json_object_get(json, choices[i].name);
        struct place_text place = place_in(where, choices[i].name);
        *choices[i].used = own ? choices[i].own : choices[i].usual;
        if (own)
            rc = mapping_choice(in, &place, own, choices[i].meaning, choices[i].own);
    }
    if (rc == 0 && value->entity->n == 0)
        rc = mapping_wrong(in, where, "there is no \"entity\", neither here nor for all values");
    if (rc == 0 && !value->type->given)
        rc = mapping_wrong(in, where, "there is no \"type\", neither here nor for all values");
    if (rc == 0 && mapping->time.end && !value->period->given)
        rc = mapping_wrong(in, where, "the time is the end of a period, and there is no \"period\"");
    return rc;
}

int mapping_value(struct mapping_reading *in, const struct place_text *where, const json_t *json, struct value *value)
{
    static const char *const names[] = {"field",   "property", "unit", "scale",  "states",  "when",
                                        "missing", "entity",   "type", "period", "quality", NULL};
    int rc = mapping_members(in, where, json, names);
    if (rc < 0)
        return rc;
    const json_t *states = json_object_get(json, "states"), *unit = json_object_get(json, "unit"),
                 *scale = json_object_get(json, "scale"), *when = json_object_get(json, "when"),
                 *missing = json_object_get(json, "missing");
    bool text_leaves = json_is_true(states);
    struct place_text place = place_in(where, "field");
    rc = mapping_field(in, &place, json_object_get(json, "field"),
                       states ? (text_leaves ? USE_TEXT : USE_LOOK) : USE_NUMBER, &value->field);
    place = place_in(where, "property");
    if (rc == 0)
        rc = mapping_choice(in, &place, json_object_get(json, "property"), MEANS_TEXT, &value->property);
    place = place_in(where, "unit");
    if (rc == 0 && unit)
        rc = mapping_choice(in, &place, unit, MEANS_TEXT, &value->unit);
    place = place_in(where, "scale");
    if (rc == 0 && scale)
        rc = states ? mapping_wrong(in, &place, "a state has no scale") : read_scale(in, &place, scale, value);
    place = place_in(where, "states");
    if (rc == 0 && states)
        rc = read_states(in, &place, states, value);
    place = place_in(where, "when");
    if (rc == 0 && when)
        rc = read_when(in, &place, when, value);
    place = place_in(where, "missing");
    if (rc == 0 && missing)
        rc = mapping_missing(in, &place, missing, &value->missing);
    return rc < 0 ? rc : read_own(in, where, json, value);
}
