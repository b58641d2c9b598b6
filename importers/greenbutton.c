/* Green Button (NAESB REQ.21, ESPI): an Atom feed with usage points, meter readings, reading types and blocks of readings.
 *
 * Two passes in a stream: what the readings mean may stand behind them, so the first one collects it and follows the links, the
 * second one hands over the readings. Names count by their namespace, prefixes do not. A DOCTYPE is refused, so there are no
 * entities to expand and nothing to fetch; depth and size of elements are bounded. Titles are not looked at: they have names and
 * addresses of customers. */
#include <config.h>

#include "importers/importer.h"

#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/civil.h"
#include "importers/espi.h"

#define SEPARATOR '|' /* between namespace and name */
#define ATOM "http://www.w3.org/2005/Atom|"
#define ESPI "http://naesb.org/espi|"
#define DEPTH_MAX 64
#define PART_BYTES 65536
#define TOKEN_BYTES_MAX (1 << 20) /* a tag, with its attributes */
#define RELATED_BYTES_MAX (64 * ESPI_TEXT_BYTES)

enum name {
    N_OTHER, N_ENTRY, N_ID, N_LINK, N_POINT, N_METER, N_TYPE, N_BLOCK, N_LOCAL_TIME, N_INTERVAL, N_READING, N_TIME_PERIOD,
    N_START, N_DURATION, N_VALUE, N_READING_QUALITY, N_QUALITY, N_DEFAULT_QUALITY, N_UOM, N_POWER, N_FLOW, N_ACCUMULATION,
    N_INTERVAL_LENGTH, N_TZ_OFFSET, N_DST_OFFSET, N_DST_START, N_DST_END, N_N
};

static const char *const names[N_N] = {
    [N_OTHER] = "", [N_ENTRY] = ATOM "entry", [N_ID] = ATOM "id", [N_LINK] = ATOM "link", [N_POINT] = ESPI "UsagePoint",
    [N_METER] = ESPI "MeterReading", [N_TYPE] = ESPI "ReadingType", [N_BLOCK] = ESPI "IntervalBlock",
    [N_LOCAL_TIME] = ESPI "LocalTimeParameters", [N_INTERVAL] = ESPI "interval", [N_READING] = ESPI "IntervalReading",
    [N_TIME_PERIOD] = ESPI "timePeriod", [N_START] = ESPI "start", [N_DURATION] = ESPI "duration", [N_VALUE] = ESPI "value",
    [N_READING_QUALITY] = ESPI "ReadingQuality", [N_QUALITY] = ESPI "quality", [N_DEFAULT_QUALITY] = ESPI "defaultQuality",
    [N_UOM] = ESPI "uom", [N_POWER] = ESPI "powerOfTenMultiplier", [N_FLOW] = ESPI "flowDirection",
    [N_ACCUMULATION] = ESPI "accumulationBehaviour", [N_INTERVAL_LENGTH] = ESPI "intervalLength",
    [N_TZ_OFFSET] = ESPI "tzOffset", [N_DST_OFFSET] = ESPI "dstOffset", [N_DST_START] = ESPI "dstStartRule",
    [N_DST_END] = ESPI "dstEndRule",
};

struct greenbutton {
    const struct importing *importing;
    struct err_text *error;
    XML_Parser parser;
    struct espi espi;
    int pass; /* 1, 2 */
    int code; /* what ended the parsing; 0 nothing did */
    bool seen_feed; /* anything of the two namespaces */
    uint8_t stack[DEPTH_MAX];
    int depth;
    char text[ESPI_TEXT_BYTES];
    size_t n_text;
    bool text_too_long;
    /* of the entry in work */
    char id[ESPI_TEXT_BYTES], self[ESPI_TEXT_BYTES], up[ESPI_TEXT_BYTES];
    struct buf related;
    enum name content; /* the last resource that it has */
    struct espi_type type;
    size_t n_blocks;   /* entries with blocks, before this one */
    const struct espi_meter *meter;
    /* of the block and the reading in work */
    int64_t block_us, start_us, duration_us, number_in_block, line;
    bool has_start, bad_time, has_value;
    char value[IMPORT_NUMBER_BYTES];
    enum quality quality;
    bool has_quality;
    int64_t last_us; /* of local times */
};

static void stop(struct greenbutton *greenbutton, int code)
{
    if (greenbutton->code == 0 && code != 0) {
        greenbutton->code = code;
        XML_StopParser(greenbutton->parser, XML_FALSE);
    }
}

static void copy_text(char out[static ESPI_TEXT_BYTES], const char *text)
{
    size_t size = strlen(text);
    bool fits = size < ESPI_TEXT_BYTES && !strchr(text, '\n');
    memcpy(out, fits ? text : "", fits ? size + 1 : 1);
}

/* ---- numbers ---- */

static bool read_integer(const char *text, int64_t least, int64_t most, int64_t *ret_number)
{
    char *end;
    text += strspn(text, " \t\r\n");
    long long number = strtoll(text, &end, 10);
    end += strspn(end, " \t\r\n");
    if (end == text || *end || number < least || number > most)
        return false;
    *ret_number = number;
    return true;
}

static void take_integer(const struct greenbutton *greenbutton, int32_t *field)
{
    int64_t number;
    if (read_integer(greenbutton->text, INT32_MIN + 1, INT32_MAX, &number))
        *field = (int32_t)number;
}

static void take_rule(const struct greenbutton *greenbutton, uint32_t *field)
{
    char *end;
    unsigned long number = strtoul(greenbutton->text, &end, 16);
    *field = end == greenbutton->text || *end || number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
}

/* Seconds, some write with a fraction; finer than a microsecond is cut off. */
static bool read_seconds(const char *text, int64_t *ret_us)
{
    char number[IMPORT_NUMBER_BYTES];
    int64_t us = 0;
    int n_digits = 0;
    if (importer_number(text, strlen(text), '.', number) < 0 || strpbrk(number, "eE"))
        return false;
    const char *at = number + (*number == '-');
    for (; *at && *at != '.'; at++, n_digits++)
        us = n_digits < 12 ? us * 10 + (*at - '0') : us;
    if (n_digits > 12)
        return false;
    at += *at == '.';
    for (int i = 0; i < 6; i++)
        us = us * 10 + (*at ? *at++ - '0' : 0);
    *ret_us = *number == '-' ? -us : us;
    return true;
}

/* ---- readings ---- */

/* value * m * 10^e, all its digits, as a JSON number; false when it is beyond any reading. */
static bool scale(const char *value, int64_t m, int e, char ret_number[static IMPORT_NUMBER_BYTES])
{
    struct decimal number;
    bool rounded;
    if (decimal_parse(value, strlen(value), &number, &rounded) < 0 || rounded)
        return false;
    __int128 product = (__int128)number.m * m;
    char digits[48], plain[DECIMAL_TEXT_MAX];
    if (product >= -DECIMAL_MANTISSA_MAX && product <= DECIMAL_MANTISSA_MAX && number.e + e > -24 && number.e + e < 15) {
        size_t n = decimal_print(plain, decimal_canonical((struct decimal){(int64_t)product, (int8_t)(number.e + e)}));
        snprintf(ret_number, IMPORT_NUMBER_BYTES, "%.*s", (int)n, plain);
        return n < IMPORT_NUMBER_BYTES;
    }
    size_t at = sizeof digits;
    bool negative = product < 0;
    unsigned __int128 rest = negative ? -(unsigned __int128)product : (unsigned __int128)product;
    digits[--at] = '\0';
    do
        digits[--at] = (char)('0' + (int)(rest % 10));
    while ((rest /= 10) != 0);
    snprintf(ret_number, IMPORT_NUMBER_BYTES, "%s%se%d", negative ? "-" : "", digits + at, number.e + e);
    return true;
}

/* ESPI's times are UTC. Files that hold local ones are read with --tz. */
static bool find_time(struct greenbutton *greenbutton, int64_t *t_us)
{
    const struct zone *zone = greenbutton->importing->opts->zone;
    int64_t local_us = *t_us, found_us;
    if (!zone && !greenbutton->importing->opts->own_zone)
        return true;
    for (int second = 0; second < 2; second++) {
        int code = zone ? zone_instant(zone, local_us, second, &found_us)
                        : espi_instant(&greenbutton->espi, local_us, second, &found_us);
        if (code < 0)
            return false;
        if (second || greenbutton->last_us == INT64_MIN || found_us > greenbutton->last_us)
            break;
    }
    greenbutton->last_us = *t_us = found_us;
    return true;
}

static int refuse(struct greenbutton *greenbutton, enum refusal_reason reason, const char *why)
{
    return importing_refuse(greenbutton->importing, greenbutton->line, reason, "%s", why);
}

/* Where a reading has no time of its own, it follows the one before it in its block. */
static bool complete_time(struct greenbutton *greenbutton)
{
    const struct espi_type *type = greenbutton->meter->type;
    int64_t length_us = type && type->interval_s > 0 ? type->interval_s * US_PER_SECOND : 0;
    if (greenbutton->duration_us == 0)
        greenbutton->duration_us = length_us;
    if (!greenbutton->has_start && length_us && greenbutton->block_us != INT64_MIN) {
        greenbutton->start_us = greenbutton->block_us + greenbutton->number_in_block * length_us;
        greenbutton->has_start = true;
    }
    return greenbutton->has_start && !greenbutton->bad_time && greenbutton->duration_us >= 0;
}

static int hand_over(struct greenbutton *greenbutton)
{
    const struct importing *importing = greenbutton->importing;
    struct espi_meaning meaning;
    char why[160], number[IMPORT_NUMBER_BYTES];
    int code = importing->row(importing->arg);
    if (code != 0)
        return code;
    if (!greenbutton->meter)
        return refuse(greenbutton, REFUSED_ENTITY, "no link says to which MeterReading its block belongs");
    if (espi_meaning(greenbutton->meter->type, &meaning, why, sizeof why) < 0)
        return refuse(greenbutton, REFUSED_UNIT, why);
    if (!complete_time(greenbutton))
        return refuse(greenbutton, REFUSED_TIME, "it has no start and duration in seconds");
    if (!greenbutton->has_value || !scale(greenbutton->value, meaning.factor_m, meaning.factor_e, number))
        return refuse(greenbutton, REFUSED_NUMBER, "the value is no number, or has too many digits");
    if (!find_time(greenbutton, &greenbutton->start_us))
        return refuse(greenbutton, REFUSED_TIME, "the local time is not there on that day");
    int32_t standard = greenbutton->meter->type->quality;
    struct observation observation = {
        .entity = greenbutton->meter->entity,
        .type = meaning.type,
        .property = meaning.property,
        .unit = meaning.unit,
        .time_us = greenbutton->start_us + (meaning.is_register ? greenbutton->duration_us : 0),
        .period_us = meaning.is_register ? 0 : greenbutton->duration_us,
        .issued_us = ISSUED_NONE,
        .value = number,
        .quality = greenbutton->has_quality ? greenbutton->quality : espi_quality(standard),
        .line = greenbutton->line};
    return importing->value(importing->arg, &observation);
}

static void begin_reading(struct greenbutton *greenbutton)
{
    greenbutton->line = (int64_t)XML_GetCurrentLineNumber(greenbutton->parser);
    greenbutton->has_start = greenbutton->bad_time = greenbutton->has_value = greenbutton->has_quality = false;
    greenbutton->start_us = greenbutton->duration_us = 0;
}

static void take_quality(struct greenbutton *greenbutton)
{
    int32_t code = INT32_MAX;
    take_integer(greenbutton, &code);
    enum quality quality = espi_quality(code);
    if (!greenbutton->has_quality || quality > greenbutton->quality)
        greenbutton->quality = quality; /* of several the worst */
    greenbutton->has_quality = true;
}

/* The end of an element of a block, in the second pass. */
static void take_block(struct greenbutton *greenbutton, enum name name, enum name parent)
{
    const char *text = greenbutton->text;
    if (name == N_START && parent == N_INTERVAL && !read_seconds(text, &greenbutton->block_us))
        greenbutton->block_us = INT64_MIN;
    if (name == N_START && parent == N_TIME_PERIOD) {
        greenbutton->has_start = true;
        greenbutton->bad_time = !read_seconds(text, &greenbutton->start_us) || greenbutton->bad_time;
    }
    if (name == N_DURATION && parent == N_TIME_PERIOD)
        greenbutton->bad_time = !read_seconds(text, &greenbutton->duration_us) || greenbutton->bad_time;
    if (name == N_VALUE && parent == N_READING)
        greenbutton->has_value = !greenbutton->text_too_long &&
                                 importer_number(text, greenbutton->n_text, '.', greenbutton->value) == 0;
    if (name == N_QUALITY && (parent == N_READING_QUALITY || parent == N_READING))
        take_quality(greenbutton);
    if (name == N_READING) {
        stop(greenbutton, hand_over(greenbutton));
        greenbutton->number_in_block++;
    }
}

/* ---- what the readings mean: the first pass ---- */

static void take_type(struct greenbutton *greenbutton, enum name name)
{
    struct espi_type *type = &greenbutton->type;
    switch (name) {
    case N_UOM: take_integer(greenbutton, &type->uom); break;
    case N_POWER: take_integer(greenbutton, &type->power); break;
    case N_FLOW: take_integer(greenbutton, &type->flow); break;
    case N_ACCUMULATION: take_integer(greenbutton, &type->accumulation); break;
    case N_INTERVAL_LENGTH: take_integer(greenbutton, &type->interval_s); break;
    case N_DEFAULT_QUALITY: take_integer(greenbutton, &type->quality); break;
    default: break;
    }
}

static void take_local_time(struct greenbutton *greenbutton, enum name name)
{
    struct espi *espi = &greenbutton->espi;
    espi->has_local_time = true;
    switch (name) {
    case N_TZ_OFFSET: take_integer(greenbutton, &espi->tz_offset_s); break;
    case N_DST_OFFSET: take_integer(greenbutton, &espi->dst_offset_s); break;
    case N_DST_START: take_rule(greenbutton, &espi->dst_start); break;
    case N_DST_END: take_rule(greenbutton, &espi->dst_end); break;
    default: break;
    }
}

static void end_entry(struct greenbutton *greenbutton)
{
    struct espi *espi = &greenbutton->espi;
    int code = 0;
    if (greenbutton->content == N_BLOCK)
        greenbutton->n_blocks++;
    if (greenbutton->pass == 2)
        return;
    buf_putc(&greenbutton->related, '\0');
    if (greenbutton->related.failed)
        code = ERR_NOMEM;
    else if (greenbutton->content == N_POINT)
        code = espi_add_point(espi, greenbutton->self, greenbutton->id);
    else if (greenbutton->content == N_METER)
        code = espi_add_meter(espi, greenbutton->self, (const char *)greenbutton->related.data);
    else if (greenbutton->content == N_TYPE)
        code = espi_add_type(espi, greenbutton->self, &greenbutton->type);
    else if (greenbutton->content == N_BLOCK)
        code = espi_add_block(espi, greenbutton->self, greenbutton->up);
    if (code == ERR_LIMIT)
        err_set(greenbutton->error, code, "\"%s\" has more than %d resources of one kind; split it",
                greenbutton->importing->source, ESPI_RESOURCES);
    stop(greenbutton, code);
}

static void take_link(struct greenbutton *greenbutton, const XML_Char **attributes)
{
    const char *rel = "", *href = "";
    for (; attributes[0]; attributes += 2) {
        if (strcmp(attributes[0], "rel") == 0)
            rel = attributes[1];
        else if (strcmp(attributes[0], "href") == 0)
            href = attributes[1];
    }
    if (strcmp(rel, "self") == 0)
        copy_text(greenbutton->self, href);
    else if (strcmp(rel, "up") == 0)
        copy_text(greenbutton->up, href);
    else if (strcmp(rel, "related") == 0 && strlen(href) < ESPI_TEXT_BYTES && !strchr(href, '\n') &&
             greenbutton->related.n < RELATED_BYTES_MAX)
        buf_printf(&greenbutton->related, "%s\n", href);
}

/* ---- elements ---- */

static enum name find_name(const char *text)
{
    for (unsigned i = 1; i < N_N; i++)
        if (strcmp(names[i], text) == 0)
            return (enum name)i;
    return N_OTHER;
}

static enum name parent_of(const struct greenbutton *greenbutton)
{
    return greenbutton->depth > 1 ? (enum name)greenbutton->stack[greenbutton->depth - 2] : N_OTHER;
}

static void begin_content(struct greenbutton *greenbutton, enum name name)
{
    static const int32_t none = ESPI_UNSTATED;
    greenbutton->content = name;
    if (name == N_TYPE)
        greenbutton->type = (struct espi_type){NULL, none, none, none, none, none, none};
    if (name == N_BLOCK) {
        greenbutton->block_us = INT64_MIN;
        greenbutton->number_in_block = 0;
        greenbutton->meter = espi_meter_of(&greenbutton->espi, greenbutton->n_blocks);
    }
}

static void XMLCALL begin_cb(void *arg, const XML_Char *text, const XML_Char **attributes)
{
    struct greenbutton *greenbutton = arg;
    enum name name = find_name(text);
    if (greenbutton->depth == DEPTH_MAX) {
        stop(greenbutton, err_set(greenbutton->error, ERR_INVALID, "\"%s\" has elements in each other more than %d deep",
                                  greenbutton->importing->source, DEPTH_MAX));
        return;
    }
    greenbutton->seen_feed = greenbutton->seen_feed || strncmp(text, ATOM, sizeof ATOM - 1) == 0 ||
                             strncmp(text, ESPI, sizeof ESPI - 1) == 0;
    greenbutton->stack[greenbutton->depth++] = (uint8_t)name;
    greenbutton->n_text = 0;
    greenbutton->text_too_long = false;
    if (name == N_ENTRY) {
        greenbutton->id[0] = greenbutton->self[0] = greenbutton->up[0] = '\0';
        buf_clear(&greenbutton->related);
        greenbutton->content = N_OTHER;
    } else if (name == N_LINK && parent_of(greenbutton) == N_ENTRY) {
        take_link(greenbutton, attributes);
    } else if (name >= N_POINT && name <= N_LOCAL_TIME) {
        begin_content(greenbutton, name);
    } else if (name == N_READING) {
        begin_reading(greenbutton);
    }
}

static void XMLCALL text_cb(void *arg, const XML_Char *text, int size)
{
    struct greenbutton *greenbutton = arg;
    size_t n = (size_t)size, room = sizeof greenbutton->text - 1 - greenbutton->n_text;
    greenbutton->text_too_long = greenbutton->text_too_long || n > room;
    n = n < room ? n : room;
    memcpy(greenbutton->text + greenbutton->n_text, text, n);
    greenbutton->n_text += n;
}

static void XMLCALL end_cb(void *arg, const XML_Char *text)
{
    struct greenbutton *greenbutton = arg;
    enum name name = (enum name)greenbutton->stack[greenbutton->depth - 1], parent = parent_of(greenbutton);
    (void)text;
    greenbutton->text[greenbutton->n_text] = '\0';
    if (name == N_ENTRY)
        end_entry(greenbutton);
    else if (name == N_ID && parent == N_ENTRY && !greenbutton->text_too_long)
        copy_text(greenbutton->id, greenbutton->text);
    else if (greenbutton->pass == 1 && parent == N_TYPE)
        take_type(greenbutton, name);
    else if (greenbutton->pass == 1 && parent == N_LOCAL_TIME)
        take_local_time(greenbutton, name);
    else if (greenbutton->pass == 2 && greenbutton->content == N_BLOCK)
        take_block(greenbutton, name, parent);
    greenbutton->depth--;
    greenbutton->n_text = 0;
}

static void XMLCALL doctype_cb(void *arg, const XML_Char *name, const XML_Char *sysid, const XML_Char *pubid, int internal)
{
    struct greenbutton *greenbutton = arg;
    (void)name;
    (void)sysid;
    (void)pubid;
    (void)internal;
    stop(greenbutton, err_set(greenbutton->error, ERR_INVALID, "\"%s\" has a DOCTYPE, which no Green Button file needs; it is "
                              "not read", greenbutton->importing->source));
}

/* ---- passes ---- */

static int say_broken(const struct greenbutton *greenbutton)
{
    enum XML_Error number = XML_GetErrorCode(greenbutton->parser);
    if (number == XML_ERROR_NO_MEMORY)
        return ERR_NOMEM;
    return err_set(greenbutton->error, ERR_INVALID, "\"%s\" is no well-formed XML: %s, in line %lu",
                   greenbutton->importing->source, XML_ErrorString(number),
                   (unsigned long)XML_GetCurrentLineNumber(greenbutton->parser));
}

static int feed(struct greenbutton *greenbutton)
{
    const struct importing *importing = greenbutton->importing;
    int64_t fed = 0;
    for (;;) {
        size_t n = 0;
        void *part = XML_GetBuffer(greenbutton->parser, PART_BYTES);
        int code = part ? importing->read(importing->arg, part, PART_BYTES, &n, greenbutton->error) : ERR_NOMEM;
        if (code != 0)
            return code;
        enum XML_Status status = XML_ParseBuffer(greenbutton->parser, (int)n, n == 0);
        if (greenbutton->code != 0)
            return greenbutton->code;
        if (status != XML_STATUS_OK)
            return say_broken(greenbutton);
        if (n == 0)
            return 0;
        fed += (int64_t)n;
        if (fed - XML_GetCurrentByteIndex(greenbutton->parser) > TOKEN_BYTES_MAX)
            return err_set(greenbutton->error, ERR_INVALID, "\"%s\" has a tag of more than %d bytes", importing->source,
                           TOKEN_BYTES_MAX);
    }
}

static int pass_over(struct greenbutton *greenbutton, int pass)
{
    greenbutton->pass = pass;
    greenbutton->depth = 0;
    greenbutton->n_blocks = 0;
    greenbutton->content = N_OTHER;
    greenbutton->parser = XML_ParserCreateNS(NULL, SEPARATOR);
    if (!greenbutton->parser)
        return ERR_NOMEM;
    XML_SetUserData(greenbutton->parser, greenbutton);
    XML_SetElementHandler(greenbutton->parser, begin_cb, end_cb);
    XML_SetCharacterDataHandler(greenbutton->parser, text_cb);
    XML_SetStartDoctypeDeclHandler(greenbutton->parser, doctype_cb);
    int code = feed(greenbutton);
    XML_ParserFree(greenbutton->parser);
    greenbutton->parser = NULL;
    return code;
}

static int run_passes(struct greenbutton *greenbutton)
{
    const struct importing *importing = greenbutton->importing;
    int code = pass_over(greenbutton, 1);
    if (code == 0 && !greenbutton->seen_feed)
        code = err_set(greenbutton->error, ERR_INVALID, "\"%s\" is no Green Button file: nothing in it is of the namespaces "
                       "of Atom or ESPI", importing->source);
    if (code == 0 && importing->opts->own_zone && !greenbutton->espi.has_local_time)
        code = err_set(greenbutton->error, ERR_INVALID, "\"%s\" has no LocalTimeParameters; name its zone with --tz",
                       importing->source);
    if (code == 0)
        code = espi_resolve(&greenbutton->espi);
    if (code == 0)
        code = importing->rewind(importing->arg, greenbutton->error);
    return code == 0 ? pass_over(greenbutton, 2) : code;
}

static int run(const struct importing *importing, struct err_text *error)
{
    struct greenbutton *greenbutton = calloc(1, sizeof *greenbutton);
    if (!greenbutton)
        return ERR_NOMEM;
    greenbutton->importing = importing;
    greenbutton->error = error;
    greenbutton->last_us = INT64_MIN;
    greenbutton->espi.dst_start = greenbutton->espi.dst_end = UINT32_MAX;
    int code = run_passes(greenbutton);
    espi_done(&greenbutton->espi);
    buf_free(&greenbutton->related);
    free(greenbutton);
    return code;
}

const struct importer importer_greenbutton = {
    .kind = "greenbutton", .summary = "Green Button files of North American utilities, ESPI", .n_passes = 2, .run = run};
