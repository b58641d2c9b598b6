#include <config.h>

#include "normalise/decoder.h"

#include <stdlib.h>

#include "common/civil.h"

#define MS_DIGITS_MAX 15 /* 9999-12-31 in milliseconds; a sign comes on top */

/* Whole milliseconds since the epoch, written without fraction and exponent. */
static int parse_ms(const char *text, size_t size, int64_t *ret_t_us)
{
    bool negative = *text == '-';
    int64_t ms = 0;
    if (size - negative > MS_DIGITS_MAX)
        return ERR_INVALID;
    for (size_t i = negative; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return ERR_INVALID;
        ms = ms * 10 + (text[i] - '0');
    }
    int64_t t_us = (negative ? -ms : ms) * 1000;
    if (t_us < CIVIL_MIN_US || t_us >= CIVIL_END_US)
        return ERR_INVALID;
    *ret_t_us = t_us;
    return 0;
}

int decoder_time(struct decoder *decoder, uint32_t i, int64_t *ret_t_us)
{
    const struct token *token = &decoder->scanner.tokens[i];
    const char *text = token_text(&decoder->scanner, token);
    if (token->type == TOKEN_STRING)
        return civil_parse_rfc3339(text, token->size, ret_t_us);
    if (token->type == TOKEN_NUMBER)
        return parse_ms(text, token->size, ret_t_us);
    return ERR_INVALID;
}

/* Refuses one slot of a list, or all of an object with one time. */
#define refuse_slot(decoder, object, slot_i, reason, text)                                                             \
    decoder_refuse(decoder, reason, NULL, (object)->lists ? (int64_t)(slot_i) : -1, text)

static int read_time(struct decoder *decoder, const struct object *object, uint32_t token, uint32_t slot_i)
{
    int64_t *t_us = &decoder->times[slot_i], read_us;
    const struct replay *part = decoder->message->part;
    *t_us = SLOT_REFUSED;
    if (part && part->slot >= 0 && (uint32_t)part->slot != slot_i)
        return 0;
    if (decoder_time(decoder, token, &read_us) < 0)
        return refuse_slot(decoder, object, slot_i, REFUSED_TIME,
                           "neither an RFC 3339 time with an offset nor whole milliseconds");
    if (read_us > decoder->latest_us && object->issued_us == ISSUED_NONE && !object->deletes)
        return refuse_slot(decoder, object, slot_i, REFUSED_FUTURE,
                           "the time is later than the message, a forecast needs \"issued\"");
    if (object->period_us > CIVIL_END_US - read_us)
        return refuse_slot(decoder, object, slot_i, REFUSED_TIME, "the period ends after the year 9999");
    if (read_us < decoder->oldest_us)
        return refuse_slot(decoder, object, slot_i, REFUSED_EXPIRED, "older than what is kept");
    *t_us = read_us;
    return 0;
}

static int grow_slots(struct decoder *decoder, size_t n)
{
    if (n <= decoder->slots_cap)
        return 0;
    int64_t *times = malloc(n * sizeof *times);
    uint8_t *qualities = malloc(n);
    if (!times || !qualities) {
        free(times);
        free(qualities);
        return ERR_NOMEM;
    }
    free(decoder->times);
    free(decoder->qualities);
    decoder->times = times;
    decoder->qualities = qualities;
    decoder->slots_cap = n;
    return 0;
}

static int read_times(struct decoder *decoder, struct object *object)
{
    const struct token *tokens = decoder->scanner.tokens;
    uint32_t token = object->fields[FIELD_TIME];
    object->lists = tokens[token].type == TOKEN_ARRAY;
    object->n_slots = object->lists ? tokens[token].n : 1;
    if (grow_slots(decoder, object->n_slots) < 0)
        return ERR_NOMEM;
    if (!object->lists)
        return read_time(decoder, object, token, 0);
    for (uint32_t slot_i = 0, i = token + 1; slot_i < object->n_slots; slot_i++, i = tokens[i].next) {
        int r = read_time(decoder, object, i, slot_i);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_quality(const struct scanner *scanner, const struct token *token, enum quality *ret_quality)
{
    if (token->type != TOKEN_STRING)
        return ERR_INVALID;
    return quality_parse(token_text(scanner, token), token->size, ret_quality);
}

/* One quality a slot; null leaves the default. A wrong one costs the slot. */
static int read_qualities(struct decoder *decoder, struct object *object, uint32_t token)
{
    const struct token *tokens = decoder->scanner.tokens;
    if (!object->lists || tokens[token].n != object->n_slots)
        return decoder_refuse(decoder, REFUSED_LENGTH, NULL, -1, "\"quality\" is not as long as \"time\"");
    object->lists_quality = true;
    for (uint32_t slot_i = 0, i = token + 1; slot_i < object->n_slots; slot_i++, i = tokens[i].next) {
        enum quality quality = QUALITY_MEASURED;
        if (tokens[i].type != TOKEN_NULL && decoder->times[slot_i] != SLOT_REFUSED &&
            read_quality(&decoder->scanner, &tokens[i], &quality) < 0) {
            decoder->times[slot_i] = SLOT_REFUSED;
            if (refuse_slot(decoder, object, slot_i, REFUSED_FIELD, "an unknown quality") < 0)
                return ERR_NOMEM;
        }
        decoder->qualities[slot_i] = (uint8_t)quality;
    }
    return 0;
}

int decoder_slots(struct decoder *decoder, struct object *object)
{
    int r = read_times(decoder, object);
    uint32_t token = object->fields[FIELD_QUALITY];
    if (r != 0 || !token)
        return r;
    if (decoder->scanner.tokens[token].type == TOKEN_ARRAY)
        return read_qualities(decoder, object, token);
    if (read_quality(&decoder->scanner, &decoder->scanner.tokens[token], &object->quality) < 0)
        return decoder_refuse(decoder, REFUSED_FIELD, NULL, -1, "an unknown quality");
    return 0;
}
