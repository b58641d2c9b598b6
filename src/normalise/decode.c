#include <config.h>

#include "normalise/decode.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hash.h"
#include "normalise/decoder.h"

struct decoder *decoder_new(const struct decoder_opts *opts)
{
    struct decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder)
        return NULL;
    decoder->registry = opts->registry;
    decoder->future_max_us = opts->future_max_us;
    decoder->oldest_us = opts->oldest_us;
    hash_random(&decoder->values_names.seed, sizeof decoder->values_names.seed);
    decoder->units_names.seed = decoder->values_names.seed;
    return decoder;
}

void decoder_free(struct decoder *decoder)
{
    if (!decoder)
        return;
    scanner_done(&decoder->scanner);
    names_done(&decoder->values_names);
    names_done(&decoder->units_names);
    free(decoder->times);
    free(decoder->qualities);
    free(decoder);
}

void decoder_set_oldest(struct decoder *decoder, int64_t oldest_us)
{
    decoder->oldest_us = oldest_us;
}

/* ---- refusals ---- */

/* Whether a refused property's name may be shown: one that looks like a name, not like a sentence about somebody. */
static bool is_shown(const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char c = name[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '.' ||
              c == '-'))
            return false;
    }
    return size <= LIMIT_NAME_BYTES;
}

int decoder_refuse(struct decoder *decoder, enum refusal_reason reason, const struct token *property, int64_t slot,
                   const char *format, ...)
{
    if (decoder->n_refused++ >= LIMIT_MESSAGE_REFUSALS) {
        if (decoder->reason_over == REFUSED_NOT)
            decoder->reason_over = reason;
        return 1;
    }
    char detail[sizeof(struct refusal){0}.detail];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    const char *name = property ? token_text(&decoder->scanner, property) : "";
    size_t name_size = property && is_shown(name, property->size) ? property->size : 0;
    const struct message *message = decoder->message;
    bool is_kept = reason != REFUSED_ERASED; /* its bytes are what has to be gone */
    int r = batch_refuse(decoder->batch, reason, message->offset, message->known_ms, name, name_size, (int32_t)slot,
                         is_kept ? decoder->part : (const uint8_t *)"", is_kept ? decoder->part_size : 0, "%s", detail);
    if (!r && is_kept && decoder->entity && entity_is_name(decoder->entity, decoder->entity_size))
        r = batch_refused_entity(decoder->batch, decoder->entity, decoder->entity_size);
    return r < 0 ? r : 1;
}

/* What was refused beyond LIMIT_MESSAGE_REFUSALS is told in one, which keeps the whole message. */
static int tell_rest(struct decoder *decoder)
{
    const struct message *message = decoder->message;
    if (decoder->n_refused <= LIMIT_MESSAGE_REFUSALS)
        return 0;
    return batch_refuse(decoder->batch, decoder->reason_over, message->offset, message->known_ms, "", 0, -1,
                        message->value, message->size, "%zu more parts of the message are refused, this is the reason "
                        "of the first", decoder->n_refused - LIMIT_MESSAGE_REFUSALS);
}

/* ---- lines ---- */

static void set_part(struct decoder *decoder, size_t begin, size_t end)
{
    const uint8_t *text = decoder->scanner.text;
    while (end > begin && (text[end - 1] == ' ' || text[end - 1] == '\t' || text[end - 1] == '\r' || text[end - 1] == '\n'))
        end--;
    decoder->part = text + begin;
    decoder->part_size = end - begin;
    decoder->entity = NULL;
}

static int refuse_line(struct decoder *decoder, size_t begin, int error)
{
    const struct scanner *scanner = &decoder->scanner;
    set_part(decoder, begin, scanner->at);
    if (error == ERR_LIMIT)
        return decoder_refuse(decoder, REFUSED_LIMIT, NULL, -1, "nested deeper than %d, at byte %zu",
                              LIMIT_MESSAGE_DEPTH, scanner->error_at - begin);
    return decoder_refuse(decoder, REFUSED_JSON, NULL, -1, "%s, at byte %zu", scanner->error,
                          scanner->error_at - begin);
}

static int decode_objects(struct decoder *decoder, size_t begin)
{
    const struct token *tokens = decoder->scanner.tokens;
    if (tokens[0].type == TOKEN_OBJECT)
        return decoder_object(decoder, 0);
    if (tokens[0].type != TOKEN_ARRAY)
        return decoder_refuse(decoder, REFUSED_JSON, NULL, -1, "neither an object nor an array of objects");
    size_t end = decoder->scanner.at;
    uint32_t n = 0;
    for (uint32_t i = 1; i < tokens[0].next; i = tokens[i].next, n++) {
        int r;
        if (tokens[i].type == TOKEN_OBJECT) {
            set_part(decoder, tokens[i].at, tokens[i].at + tokens[i].size);
            r = decoder_object(decoder, i);
        } else {
            set_part(decoder, begin, end);
            r = decoder_refuse(decoder, REFUSED_JSON, NULL, -1, "element %u of the array is no object", n);
        }
        if (r < 0)
            return r;
    }
    return 0;
}

static int decode_line(struct decoder *decoder)
{
    size_t begin = decoder->scanner.at, end;
    int r = scan_line(&decoder->scanner, &end);
    if (r < 0)
        return r == ERR_NOMEM ? r : refuse_line(decoder, begin, r);
    set_part(decoder, begin, end);
    return decode_objects(decoder, begin);
}

static int decode_lines(struct decoder *decoder)
{
    struct scanner *scanner = &decoder->scanner;
    scanner->text = decoder->message->value;
    scanner->size = decoder->message->size;
    scanner->at = 0;
    if (!scan_has_line(scanner))
        return decoder_refuse(decoder, REFUSED_JSON, NULL, -1, "the message is empty");
    while (scan_has_line(scanner)) {
        int r = decode_line(decoder);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- messages ---- */

static int64_t latest_of(const struct decoder *decoder, int64_t known_ms)
{
    int64_t latest_us;
    if (__builtin_mul_overflow(known_ms, 1000, &latest_us) ||
        __builtin_add_overflow(latest_us, decoder->future_max_us, &latest_us))
        return known_ms < 0 ? INT64_MIN : INT64_MAX;
    return latest_us;
}

int decode_message(struct decoder *decoder, const struct message *message, struct batch *batch)
{
    size_t n_readings = batch->n_readings, n_refusals = batch->n_refusals;
    size_t n_texts = batch->texts.n, payload_bytes = batch->payloads.n, entity_bytes = batch->entities.n;
    size_t n_series = registry_n_series(decoder->registry);
    decoder->message = message;
    decoder->batch = batch;
    decoder->latest_us = latest_of(decoder, message->known_ms);
    decoder->n_values = decoder->n_refused = 0;
    decoder->reason_over = REFUSED_NOT;
    decoder->part = message->value;
    decoder->entity = NULL;
    decoder->part_size = message->size;
    int r;
    if (message->size > LIMIT_MESSAGE_BYTES)
        r = decoder_refuse(decoder, REFUSED_SIZE, NULL, -1, "the message has %zu bytes, more than %d", message->size,
                           LIMIT_MESSAGE_BYTES);
    else
        r = decode_lines(decoder);
    if (r >= 0)
        r = tell_rest(decoder);
    if (r < 0) {
        batch->n_readings = n_readings;
        batch->n_refusals = n_refusals;
        batch->payloads.n = payload_bytes;
        batch->entities.n = entity_bytes;
        texts_forget(&batch->texts, n_texts);
        registry_forget(decoder->registry, n_series);
        return r;
    }
    return 0;
}
