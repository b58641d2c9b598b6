/* NEM12, the interval meter data of the Australian market (AEMO, Meter Data File Format Specification NEM12 and NEM13).
 *
 *   100,NEM12,...                                        header
 *   200,NMI,configuration,register,suffix,...,UOM,minutes,...    a stream of one channel
 *   300,YYYYMMDD,value...,quality,...                    a day of it, 1440 / minutes values
 *   400,first,last,quality,...                           the quality of some intervals, where the 300 has V
 *   500,550,900                                          manual readings and market data, end
 *
 * Times are market time, UTC+10 without daylight saving; the first interval begins at midnight. docs/IMPORT.md has the tables. */
#include <config.h>

#include "importers/importer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/civil.h"
#include "importers/lines.h"

#define MARKET_OFFSET_US (10 * US_PER_HOUR)
#define VALUES_MAX 1440
#define FIELDS_MAX (VALUES_MAX + 16)

/* What a unit of measure measures: units in any spelling of case, as the market has no milliwatts. */
static const struct measure {
    const char *uom, *property, *unit;
} measures[] = {
    {"Wh", "energy", "Wh"},              {"kWh", "energy", "kWh"},           {"MWh", "energy", "MWh"},
    {"VArh", "reactiveEnergy", "varh"},  {"kVArh", "reactiveEnergy", "kvarh"}, {"MVArh", "reactiveEnergy", "Mvarh"},
    {"W", "activePower", "W"},           {"kW", "activePower", "kW"},        {"MW", "activePower", "MW"},
    {"VAr", "reactivePower", "var"},     {"kVAr", "reactivePower", "kvar"},  {"MVAr", "reactivePower", "Mvar"},
    {"V", "voltage", "V"},               {"kV", "voltage", "kV"},            {"A", "current", "A"},
    {"kA", "current", "kA"},             {"pf", "powerFactor", "1"},
};

struct nem12 {
    const struct importing *importing;
    char *fields[FIELDS_MAX];
    int n_fields;
    bool header_seen, ended;
    /* of the 200 record in force */
    bool has_stream;
    char entity[LIMIT_ENTITY_BYTES + 1];
    const struct measure *measure;
    int minutes;
    /* of the 300 record that waits for its 400s */
    bool has_day;
    int64_t line, begin_us;
    int n_values;
    char values[VALUES_MAX][IMPORT_NUMBER_BYTES]; /* "" null */
    uint8_t flags[VALUES_MAX];                    /* quality flags, 0 not told yet */
};

#define refuse(nem12, line, reason, ...) importing_refuse((nem12)->importing, line, reason, __VA_ARGS__)

static void split(struct nem12 *nem12, char *text)
{
    nem12->n_fields = 0;
    for (char *at = text; at && nem12->n_fields < FIELDS_MAX; nem12->n_fields++) {
        char *comma = strchr(at, ',');
        nem12->fields[nem12->n_fields] = at;
        if (comma)
            *comma++ = '\0';
        at = comma;
    }
}

static const char *field(const struct nem12 *nem12, int i)
{
    return i < nem12->n_fields ? nem12->fields[i] : "";
}

/* ---- days ---- */

/* A: actual. E, S: estimated by rule, before and after. F: the substitute that is final. */
static bool read_flag(uint8_t flag, enum quality *ret_quality)
{
    switch (flag) {
    case 'A': *ret_quality = QUALITY_MEASURED; return true;
    case 'F': *ret_quality = QUALITY_EDITED; return true;
    case 'E':
    case 'S': *ret_quality = QUALITY_ESTIMATED; return true;
    default: return false;
    }
}

static int hand_over(struct nem12 *nem12, int i)
{
    struct observation observation = {.entity = nem12->entity,
                                      .type = "EnergyMeter",
                                      .property = nem12->measure->property,
                                      .unit = nem12->measure->unit,
                                      .period_us = nem12->minutes * US_PER_MINUTE,
                                      .time_us = nem12->begin_us + i * nem12->minutes * US_PER_MINUTE,
                                      .issued_us = ISSUED_NONE,
                                      .value = nem12->values[i],
                                      .line = nem12->line};
    if (nem12->flags[i] == 'N' || !*nem12->values[i]) /* null data: nothing is said */
        return 0;
    if (!read_flag(nem12->flags[i], &observation.quality))
        return refuse(nem12, nem12->line, REFUSED_NOT, nem12->flags[i] ? "interval %d has an unknown quality flag"
                      : "interval %d has no quality: the day has V, and no 400 record names it", i + 1);
    return nem12->importing->value(nem12->importing->arg, &observation);
}

static int finish_day(struct nem12 *nem12)
{
    int code = 0;
    if (!nem12->has_day)
        return 0;
    nem12->has_day = false;
    for (int i = 0; i < nem12->n_values && code == 0; i++)
        code = hand_over(nem12, i);
    return code;
}

static bool read_day(const char *text, int64_t *ret_begin_us)
{
    int year, month, day, y, m, d;
    if (strlen(text) != 8 || !civil_digits(text, 4, &year) || !civil_digits(text + 4, 2, &month) ||
        !civil_digits(text + 6, 2, &day) || year < 1900 || month < 1 || month > 12 || day < 1 || day > 31)
        return false;
    int64_t days = civil_days(year, month, day);
    civil_from_days(days, &y, &m, &d);
    *ret_begin_us = days * US_PER_DAY - MARKET_OFFSET_US;
    return m == month && d == day;
}

static int read_value(struct nem12 *nem12, int i)
{
    const char *text = field(nem12, 2 + i);
    nem12->values[i][0] = '\0';
    if (!*text || importer_number(text, strlen(text), '.', nem12->values[i]) == 0)
        return 0;
    return refuse(nem12, nem12->line, REFUSED_NUMBER, "interval %d is no number", i + 1);
}

static int take_300(struct nem12 *nem12, int64_t line)
{
    const struct importing *importing = nem12->importing;
    int code = importing->row(importing->arg), n = nem12->has_stream ? 24 * 60 / nem12->minutes : 0;
    if (code != 0)
        return code;
    if (!nem12->has_stream)
        return refuse(nem12, line, REFUSED_NOT, "a 300 record without a 200 record before it that was understood");
    if (!nem12->measure)
        return refuse(nem12, line, REFUSED_UNIT, "no property of type EnergyMeter is measured in this unit");
    if (nem12->n_fields < n + 3)
        return refuse(nem12, line, REFUSED_LENGTH, "a day of %d minutes has %d values and a quality, this one less",
                      nem12->minutes, n);
    if (!read_day(field(nem12, 1), &nem12->begin_us))
        return refuse(nem12, line, REFUSED_TIME, "the date is no YYYYMMDD");
    nem12->line = line;
    nem12->n_values = n;
    uint8_t flag = (uint8_t)field(nem12, n + 2)[0];
    enum quality quality;
    if (flag != 'V' && flag != 'N' && !read_flag(flag, &quality))
        return refuse(nem12, line, REFUSED_NOT, "the quality of the day is none of A E F N S V, or stands elsewhere");
    for (int i = 0; i < n && code == 0; i++)
        code = read_value(nem12, i);
    memset(nem12->flags, flag == 'V' ? 0 : flag, sizeof nem12->flags);
    nem12->has_day = true;
    return code;
}

static bool read_interval(const char *text, int n, int *ret_i)
{
    int size = (int)strlen(text);
    return size >= 1 && size <= 4 && civil_digits(text, size, ret_i) && *ret_i >= 1 && *ret_i <= n;
}

static int take_400(struct nem12 *nem12, int64_t line)
{
    int first, last;
    if (!nem12->has_day)
        return refuse(nem12, line, REFUSED_NOT, "a 400 record that follows no day");
    if (!read_interval(field(nem12, 1), nem12->n_values, &first) || !read_interval(field(nem12, 2), nem12->n_values, &last) ||
        first > last)
        return refuse(nem12, line, REFUSED_NOT, "a 400 record names no intervals of its day");
    memset(nem12->flags + first - 1, (uint8_t)field(nem12, 3)[0], (size_t)(last - first + 1));
    return 0;
}

/* ---- streams ---- */

static int take_200(struct nem12 *nem12, int64_t line)
{
    char text[LIMIT_ENTITY_BYTES + 1];
    const char *uom = field(nem12, 7), *length = field(nem12, 8);
    nem12->has_stream = false;
    if (nem12->n_fields < 9 || !*field(nem12, 1) || !*field(nem12, 4))
        return refuse(nem12, line, REFUSED_NOT, "a 200 record without NMI, suffix, unit or interval length");
    int size = (int)strlen(length);
    if (size < 1 || size > 2 || !civil_digits(length, size, &nem12->minutes) || nem12->minutes < 1 ||
        24 * 60 % nem12->minutes != 0)
        return refuse(nem12, line, REFUSED_NOT, "the interval length is no part of a day in minutes");
    nem12->measure = NULL;
    for (size_t i = 0; i < sizeof measures / sizeof *measures; i++)
        if (strcasecmp(measures[i].uom, uom) == 0)
            nem12->measure = &measures[i];
    snprintf(text, sizeof text, "%s-%s", field(nem12, 1), field(nem12, 4));
    importer_entity("nem12", text, nem12->entity);
    nem12->has_stream = true;
    return 0;
}

static int take_record(struct nem12 *nem12, char *text, int64_t line)
{
    split(nem12, text);
    const char *kind = field(nem12, 0);
    int code = strcmp(kind, "400") != 0 ? finish_day(nem12) : 0;
    if (code != 0)
        return code;
    if (!nem12->header_seen && strcmp(kind, "100") != 0)
        return ERR_INVALID;
    if (strcmp(kind, "100") == 0) {
        nem12->header_seen = strcmp(field(nem12, 1), "NEM12") == 0;
        return nem12->header_seen ? 0 : ERR_INVALID;
    }
    if (strcmp(kind, "200") == 0)
        return take_200(nem12, line);
    if (strcmp(kind, "300") == 0)
        return take_300(nem12, line);
    if (strcmp(kind, "400") == 0)
        return take_400(nem12, line);
    if (strcmp(kind, "900") == 0)
        nem12->ended = true;
    else if (strcmp(kind, "500") != 0 && strcmp(kind, "550") != 0)
        return refuse(nem12, line, REFUSED_NOT, "an unknown kind of record");
    return 0;
}

static int take_line(struct nem12 *nem12, char *text, size_t size, const struct lines *lines)
{
    if (lines->too_long)
        return refuse(nem12, lines->line, REFUSED_SIZE, "a line of more than %d bytes", IMPORT_LINE_BYTES);
    return size == 0 ? 0 : take_record(nem12, text, lines->line);
}

static int run(const struct importing *importing, struct err_text *error)
{
    struct lines lines = {.importing = importing};
    struct nem12 *nem12 = calloc(1, sizeof *nem12);
    char *text;
    size_t size;
    int code;
    if (!nem12)
        return ERR_NOMEM;
    nem12->importing = importing;
    while ((code = lines_next(&lines, &text, &size, error)) == 1) {
        code = take_line(nem12, text, size, &lines);
        if (code != 0)
            break;
    }
    if (code == 0)
        code = finish_day(nem12);
    if (code == ERR_INVALID && !nem12->header_seen)
        err_set(error, code, "\"%s\" is no NEM12 file: it does not begin with a record 100,NEM12", importing->source);
    else if (code == 0 && !nem12->header_seen)
        code = err_set(error, ERR_INVALID, "\"%s\" is empty", importing->source);
    else if (code == 0 && !nem12->ended)
        code = importing_refuse(importing, lines.line, REFUSED_NOT, "the file ends without a 900 record: it may be cut");
    lines_done(&lines);
    free(nem12);
    return code;
}

const struct importer importer_nem12 = {
    .kind = "nem12", .summary = "interval meter data of the Australian market", .n_passes = 1, .run = run};
