#include <config.h>

#include "normalise/decoder.h"

#include <string.h>

/* One property of an object. */
struct column {
    const struct object *object;
    const struct token *name;
    const struct series *series;
    const struct unit *from; /* the unit to convert from, NULL when it is the series' own */
};

static int find_series(struct decoder *decoder, const struct object *object, const struct token *name,
                       struct column *ret_column)
{
    const struct scanner *scanner = &decoder->scanner;
    const char *text = token_text(scanner, name), *unit_text = NULL;
    size_t unit_size = 0;
    uint32_t units = object->fields[FIELD_UNITS];
    uint32_t unit = units ? names_find(&decoder->units_names, scanner, units, text, name->size) : 0;
    if (unit && scanner->tokens[unit].type != TOKEN_NULL) {
        if (scanner->tokens[unit].type != TOKEN_STRING)
            return decoder_refuse(decoder, REFUSED_UNIT, name, -1, "the unit is no text");
        unit_text = token_text(scanner, &scanner->tokens[unit]);
        unit_size = scanner->tokens[unit].size;
    }
    struct series *series;
    enum refusal_reason reason;
    int r = registry_series(decoder->registry, object->entity, text, name->size, unit_text, unit_size, &series,
                            &ret_column->from, &reason);
    if (r == 0) {
        ret_column->object = object;
        ret_column->name = name;
        ret_column->series = series;
        return 0;
    }
    if (r == ERR_NOMEM)
        return r;
    if (reason == REFUSED_PROPERTY)
        return decoder_refuse(decoder, reason, name, -1, "the type has no such property");
    return decoder_refuse(decoder, reason, name, -1,
                          unit_text ? "the unit does not convert to the one of the property"
                                    : "a property of this type needs a unit the first time");
}

static struct reading *add_reading(struct decoder *decoder, const struct column *column, uint32_t slot_i)
{
    const struct object *object = column->object;
    struct reading *reading = batch_add(decoder->batch);
    if (!reading)
        return NULL;
    reading->t_us = decoder->times[slot_i];
    reading->issued_us = object->issued_us;
    reading->known_ms = decoder->message->known_ms;
    reading->offset = decoder->message->offset;
    reading->series_i = column->series->index;
    return reading;
}

#define refuse_value(decoder, column, slot_i, reason, ...)                                                             \
    decoder_refuse(decoder, reason, (column)->name, (column)->object->lists ? (int64_t)(slot_i) : -1, __VA_ARGS__)

static void finish_reading(struct decoder *decoder, const struct column *column, uint32_t slot_i,
                           struct reading *reading, unsigned marks)
{
    const struct object *object = column->object;
    unsigned quality = object->lists_quality ? decoder->qualities[slot_i] : (unsigned)object->quality;
    reading->quality = (uint8_t)(quality | marks);
    reading->period_us = object->period_us;
}

static int read_state(struct decoder *decoder, const struct column *column, const struct token *token, uint32_t slot_i)
{
    int64_t text_i;
    if (token->type != TOKEN_STRING)
        return refuse_value(decoder, column, slot_i, REFUSED_FIELD, "a state is a text");
    if (token->size > LIMIT_STATE_BYTES)
        return refuse_value(decoder, column, slot_i, REFUSED_LIMIT, "a state of more than %d bytes",
                            LIMIT_STATE_BYTES);
    if (texts_intern(&decoder->batch->texts, token_text(&decoder->scanner, token), token->size, &text_i) < 0)
        return ERR_NOMEM;
    struct reading *reading = add_reading(decoder, column, slot_i);
    if (!reading)
        return ERR_NOMEM;
    reading->m = text_i;
    finish_reading(decoder, column, slot_i, reading, 0);
    return 0;
}

static int read_number(struct decoder *decoder, const struct column *column, const struct token *token,
                       uint32_t slot_i)
{
    struct decimal value;
    bool rounded = false, converted = false;
    if (token->type != TOKEN_NUMBER)
        return refuse_value(decoder, column, slot_i, REFUSED_NUMBER, "the value is no number");
    if (decimal_parse(token_text(&decoder->scanner, token), token->size, &value, &rounded) < 0)
        return refuse_value(decoder, column, slot_i, REFUSED_NUMBER, "the exponent is outside %d to %d",
                            DECIMAL_EXP_MIN, DECIMAL_EXP_MAX);
    if (column->from && (unit_convert(column->from, column->series->unit, value, &value, &converted) < 0 ||
                         value.e < DECIMAL_EXP_MIN || value.e > DECIMAL_EXP_MAX))
        return refuse_value(decoder, column, slot_i, REFUSED_NUMBER, "the converted value does not fit");
    struct reading *reading = add_reading(decoder, column, slot_i);
    if (!reading)
        return ERR_NOMEM;
    reading->m = value.m;
    reading->e = value.e;
    finish_reading(decoder, column, slot_i, reading,
                   (rounded ? QUALITY_ROUNDED : 0U) | (converted ? QUALITY_CONVERTED : 0U));
    return 0;
}

static int read_value(struct decoder *decoder, const struct column *column, const struct token *token, uint32_t slot_i)
{
    if (token->type == TOKEN_NULL || decoder->times[slot_i] == SLOT_REFUSED)
        return 0;
    if (column->series->kind == KIND_STATE)
        return read_state(decoder, column, token, slot_i);
    return read_number(decoder, column, token, slot_i);
}

static int read_column(struct decoder *decoder, const struct column *column, uint32_t value)
{
    const struct object *object = column->object;
    const struct token *tokens = decoder->scanner.tokens;
    bool lists = tokens[value].type == TOKEN_ARRAY;
    if (tokens[value].type == TOKEN_NULL)
        return 0;
    if (column->series->kind == KIND_INTERVAL && !object->period_us)
        return decoder_refuse(decoder, REFUSED_FIELD, column->name, -1, "an amount needs the field \"period\"");
    if (lists != object->lists || (lists && tokens[value].n != object->n_slots))
        return decoder_refuse(decoder, REFUSED_LENGTH, column->name, -1, "the value is not as long as \"time\"");
    if (!lists)
        return read_value(decoder, column, &tokens[value], 0);
    for (uint32_t slot_i = 0, i = value + 1; slot_i < object->n_slots; slot_i++, i = tokens[i].next) {
        int r = read_value(decoder, column, &tokens[i], slot_i);
        if (r < 0)
            return r;
    }
    return 0;
}

static int delete_column(struct decoder *decoder, const struct column *column)
{
    for (uint32_t slot_i = 0; slot_i < column->object->n_slots; slot_i++) {
        if (decoder->times[slot_i] == SLOT_REFUSED)
            continue;
        struct reading *reading = add_reading(decoder, column, slot_i);
        if (!reading)
            return ERR_NOMEM;
        reading->op = OP_DELETE;
    }
    return 0;
}

/* Whether a message that brings a dead letter again is about this property. */
static bool is_wanted(const struct decoder *decoder, const struct token *name)
{
    const struct replay *part = decoder->message->part;
    return !part || !*part->property || (strlen(part->property) == name->size &&
                                         memcmp(token_text(&decoder->scanner, name), part->property, name->size) == 0);
}

int decoder_values(struct decoder *decoder, const struct object *object)
{
    const struct token *tokens = decoder->scanner.tokens;
    uint32_t values = object->fields[FIELD_VALUES];
    for (uint32_t i = values + 1; i < tokens[values].next; i = tokens[i + 1].next) {
        size_t n_series = registry_n_series(decoder->registry), n_readings = decoder->batch->n_readings;
        struct column column;
        if (!is_wanted(decoder, &tokens[i]))
            continue;
        int r = find_series(decoder, object, &tokens[i], &column);
        if (r == 0)
            r = object->deletes ? delete_column(decoder, &column) : read_column(decoder, &column, i + 1);
        if (r < 0)
            return r;
        if (decoder->batch->n_readings == n_readings) /* a series is made by its first reading */
            registry_forget(decoder->registry, n_series);
    }
    return 0;
}

int decoder_range(struct decoder *decoder, const struct object *object)
{
    const struct token *name = &decoder->scanner.tokens[object->fields[FIELD_PROPERTY]];
    int64_t from_us, to_us;
    if (decoder_time(decoder, object->fields[FIELD_FROM], &from_us) < 0 ||
        decoder_time(decoder, object->fields[FIELD_TO], &to_us) < 0)
        return decoder_refuse(decoder, REFUSED_TIME, name, -1, "\"from\" or \"to\" is no time with an offset");
    if (from_us >= to_us)
        return decoder_refuse(decoder, REFUSED_TIME, name, -1, "\"to\" is not later than \"from\"");
    if (to_us <= decoder->oldest_us)
        return decoder_refuse(decoder, REFUSED_EXPIRED, name, -1, "older than what is kept");
    struct column column;
    int r = find_series(decoder, object, name, &column);
    if (r != 0)
        return r;
    struct reading *reading = batch_add(decoder->batch);
    if (!reading)
        return ERR_NOMEM;
    reading->op = OP_DELETE_RANGE;
    reading->t_us = from_us;
    reading->period_us = to_us - from_us;
    reading->known_ms = decoder->message->known_ms;
    reading->offset = decoder->message->offset;
    reading->series_i = column.series->index;
    return 0;
}
