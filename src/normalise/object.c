#include <config.h>

#include "normalise/decoder.h"

#include <string.h>

#include "common/civil.h"

/* The fields of contract section 2. */
static const struct {
    const char *name;
    size_t size;
} field_names[FIELD_N] = {
#define FIELD(name) {name, sizeof name - 1}
    [FIELD_ENTITY] = FIELD("entity"), [FIELD_TYPE] = FIELD("type"), [FIELD_TIME] = FIELD("time"),
    [FIELD_VALUES] = FIELD("values"), [FIELD_PERIOD] = FIELD("period"), [FIELD_UNITS] = FIELD("units"),
    [FIELD_QUALITY] = FIELD("quality"), [FIELD_ISSUED] = FIELD("issued"), [FIELD_DELETE] = FIELD("delete"),
    [FIELD_PROPERTY] = FIELD("property"), [FIELD_FROM] = FIELD("from"), [FIELD_TO] = FIELD("to"),
#undef FIELD
};

/* Looks first at the field where a producer who keeps our order has it next. */
static enum field find_field(const char *text, size_t size, unsigned first)
{
    for (unsigned n = 0, i = first; n < FIELD_N; n++, i++) {
        if (i >= FIELD_N)
            i = 0;
        if (field_names[i].size == size && memcmp(field_names[i].name, text, size) == 0)
            return (enum field)i;
    }
    return FIELD_N;
}

static int read_fields(struct decoder *decoder, uint32_t token, struct object *object)
{
    const struct token *tokens = decoder->scanner.tokens;
    unsigned seen = 0, next = 0, n = 0;
    for (uint32_t i = token + 1; i < tokens[token].next; i = tokens[i + 1].next, n++) {
        enum field field = find_field(token_text(&decoder->scanner, &tokens[i]), tokens[i].size, next);
        if (field == FIELD_N)
            return decoder_refuse(decoder, REFUSED_FIELD, NULL, -1, "member %u has a name that is no field", n + 1);
        if (seen & 1U << field)
            return decoder_refuse(decoder, REFUSED_JSON, NULL, -1, "the field \"%s\" is there twice",
                                  field_names[field].name);
        seen |= 1U << field;
        next = field + 1;
        object->fields[field] = tokens[i + 1].type == TOKEN_NULL ? 0 : i + 1;
    }
    return 0;
}

static int check_type(struct decoder *decoder, const struct object *object, enum field field, enum token_type type)
{
    uint32_t token = object->fields[field];
    if (!token)
        return decoder_refuse(decoder, REFUSED_FIELD, NULL, -1, "the field \"%s\" is missing",
                              field_names[field].name);
    if (decoder->scanner.tokens[token].type != type)
        return decoder_refuse(decoder, REFUSED_FIELD, NULL, -1, "the field \"%s\" is no %s", field_names[field].name,
                              type == TOKEN_STRING ? "text" : "object");
    return 0;
}

static int check_there(struct decoder *decoder, const struct object *object, unsigned wanted, unsigned unwanted)
{
    for (unsigned i = 0; i < FIELD_N; i++) {
        if (wanted & 1U << i && !object->fields[i])
            return decoder_refuse(decoder, REFUSED_FIELD, NULL, -1, "the field \"%s\" is missing",
                                  field_names[i].name);
        if (unwanted & 1U << i && object->fields[i])
            return decoder_refuse(decoder, REFUSED_FIELD, NULL, -1, "the field \"%s\" does not go with these",
                                  field_names[i].name);
    }
    return 0;
}

#define BIT(field) (1U << FIELD_##field)

/* Which of the three shapes it is (readings, a delete of times, a delete of a range), and whether it has its fields. */
static int check_shape(struct decoder *decoder, struct object *object)
{
    static const unsigned range = BIT(PROPERTY) | BIT(FROM) | BIT(TO);
    static const unsigned slots = BIT(TIME) | BIT(VALUES);
    uint32_t token = object->fields[FIELD_DELETE];
    if (token) {
        uint8_t type = decoder->scanner.tokens[token].type;
        if (type != TOKEN_TRUE && type != TOKEN_FALSE)
            return decoder_refuse(decoder, REFUSED_FIELD, NULL, -1, "the field \"delete\" is neither true nor false");
        object->deletes = type == TOKEN_TRUE;
    }
    object->ranges = object->deletes &&
                     (object->fields[FIELD_PROPERTY] || object->fields[FIELD_FROM] || object->fields[FIELD_TO]);
    int r = check_type(decoder, object, FIELD_ENTITY, TOKEN_STRING);
    if (r == 0)
        r = check_type(decoder, object, FIELD_TYPE, TOKEN_STRING);
    if (r == 0 && object->ranges)
        r = check_there(decoder, object, range, slots | BIT(PERIOD) | BIT(QUALITY) | BIT(ISSUED));
    else if (r == 0)
        r = check_there(decoder, object, slots, range);
    if (r == 0)
        r = check_type(decoder, object, object->ranges ? FIELD_PROPERTY : FIELD_VALUES,
                       object->ranges ? TOKEN_STRING : TOKEN_OBJECT);
    if (r == 0 && object->fields[FIELD_UNITS])
        r = check_type(decoder, object, FIELD_UNITS, TOKEN_OBJECT);
    return r;
}

static int check_names(struct decoder *decoder, const struct object *object, enum field field, struct names *names)
{
    if (!object->fields[field])
        return 0;
    int r = names_index(names, &decoder->scanner, object->fields[field]);
    if (r == ERR_EXISTS)
        return decoder_refuse(decoder, REFUSED_JSON, NULL, -1, "a name in \"%s\" is there twice",
                              field_names[field].name);
    return r;
}

/* Counts values, nulls too, before any is looked at: what would not fit a message is refused as it stands. */
static int check_limits(struct decoder *decoder, const struct object *object)
{
    const struct token *tokens = decoder->scanner.tokens;
    const struct token *time = &tokens[object->fields[FIELD_TIME]];
    uint32_t n_slots = time->type == TOKEN_ARRAY ? time->n : 1;
    uint32_t values = object->fields[FIELD_VALUES];
    size_t n = 0;
    if (object->deletes)
        n = (size_t)n_slots * tokens[values].n;
    else
        for (uint32_t i = values + 1; i < tokens[values].next; i = tokens[i + 1].next)
            n += tokens[i + 1].type == TOKEN_ARRAY ? tokens[i + 1].n : 1;
    decoder->n_values += n;
    if (n_slots > LIMIT_MESSAGE_VALUES || decoder->n_values > LIMIT_MESSAGE_VALUES)
        return decoder_refuse(decoder, REFUSED_LIMIT, NULL, -1, "more than %d values in a message",
                              LIMIT_MESSAGE_VALUES);
    return 0;
}

static int find_entity(struct decoder *decoder, struct object *object)
{
    const struct scanner *scanner = &decoder->scanner;
    const struct token *name = &scanner->tokens[object->fields[FIELD_ENTITY]];
    const struct token *type = &scanner->tokens[object->fields[FIELD_TYPE]];
    enum refusal_reason reason;
    decoder->entity = token_text(scanner, name);
    decoder->entity_size = name->size;
    int r = registry_entity(decoder->registry, token_text(scanner, name), name->size, token_text(scanner, type),
                            type->size, &object->entity, &reason);
    if (r == 0 || r == ERR_NOMEM)
        return r;
    if (reason == REFUSED_ENTITY)
        return decoder_refuse(decoder, reason, NULL, -1, "an entity is 1 to %d bytes of A-Z a-z 0-9 . _ : / -",
                              LIMIT_ENTITY_BYTES);
    if (reason == REFUSED_ERASED)
        return decoder_refuse(decoder, reason, NULL, -1, "the entity was erased: nothing of it is taken any more");
    return decoder_refuse(decoder, reason, NULL, -1, "an unknown type, or the entity has another one");
}

static int read_period(struct decoder *decoder, struct object *object)
{
    const struct scanner *scanner = &decoder->scanner;
    uint32_t i = object->fields[FIELD_PERIOD];
    struct duration duration;
    if (!i)
        return 0;
    const struct token *token = &scanner->tokens[i];
    if (token->type != TOKEN_STRING ||
        civil_parse_duration(token_text(scanner, token), token->size, false, &duration) < 0 ||
        civil_fixed_us(&duration, &object->period_us) < 0 || object->period_us <= 0)
        return decoder_refuse(decoder, REFUSED_TIME, NULL, -1,
                              "\"period\" is no ISO 8601 duration of a fixed length above zero");
    return 0;
}

static int read_issued(struct decoder *decoder, struct object *object)
{
    object->issued_us = ISSUED_NONE;
    if (!object->fields[FIELD_ISSUED])
        return 0;
    if (decoder_time(decoder, object->fields[FIELD_ISSUED], &object->issued_us) < 0)
        return decoder_refuse(decoder, REFUSED_TIME, NULL, -1, "\"issued\" is no time with an offset");
    if (object->issued_us > decoder->latest_us)
        return decoder_refuse(decoder, REFUSED_FUTURE, NULL, -1, "\"issued\" is later than the message");
    return 0;
}

int decoder_object(struct decoder *decoder, uint32_t token)
{
    struct object object = {0};
    int r = read_fields(decoder, token, &object);
    if (r == 0)
        r = check_shape(decoder, &object);
    if (r == 0)
        r = check_names(decoder, &object, FIELD_UNITS, &decoder->units_names);
    if (r == 0 && !object.ranges)
        r = check_names(decoder, &object, FIELD_VALUES, &decoder->values_names);
    if (r == 0 && !object.ranges)
        r = check_limits(decoder, &object);
    if (r == 0)
        r = find_entity(decoder, &object);
    if (r != 0)
        return r;
    if (object.ranges)
        return decoder_range(decoder, &object);
    r = read_period(decoder, &object);
    if (r == 0)
        r = read_issued(decoder, &object);
    if (r == 0)
        r = decoder_slots(decoder, &object);
    return r == 0 ? decoder_values(decoder, &object) : r;
}
