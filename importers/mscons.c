/* MSCONS, the metered services consumption report of UN/EDIFACT (D.04B), as the German energy market uses it.
 *
 *   LOC+172+ID            the metering point            LIN, PIA+5+OBIS:SRW    a register of it
 *   QTY+220:1,5:KWH       a value, its status and unit
 *   DTM+163:...:303       its begin, DTM+164 its end; DTM+7 or 9: when a register was read
 *
 * A value ends where a segment comes that does not belong to it. docs/IMPORT.md has the tables. */
#include <config.h>

#include "importers/importer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/civil.h"
#include "importers/edifact.h"

#define NO_TIME INT64_MIN

/* What a register measures, from the OBIS code A-B:C.D.E (IEC 62056-61). */
struct register_kind {
    const char *type, *amount, *reading, *power; /* properties: of a period, of a register, of power; NULL: there is none */
    const char *amount_unit, *power_unit;        /* where the value does not say */
};

static const struct register_kind register_kinds[] = {
    {"SmartMeter", "energy", "activeEnergyImport", "activePower", "kWh", "kW"},
    {"SmartMeter", "energy", "activeEnergyExport", "activePower", "kWh", "kW"},
    {"EnergyMeter", "reactiveEnergy", "reactiveEnergyImport", "reactivePower", "kvarh", "kvar"},
};

struct mscons {
    const struct importing *importing;
    struct edifact edifact;
    int64_t n_in_message;   /* segments since UNH, which counts */
    bool interchange_seen, ended, skips; /* skips: this message is not taken */
    char location[LIMIT_ENTITY_BYTES + 1], obis[64];
    char entity[LIMIT_ENTITY_BYTES + 1];
    const struct register_kind *kind;    /* NULL: the register is none that we know */
    bool is_power;
    int64_t last_us;        /* begin of the value before, for hours that come twice */
    /* the value in work */
    bool has_value;
    int64_t line, begin_us, end_us, read_us;
    bool bad_time, no_zone;
    char qualifier[8], unit[16], number[64];
};

#define refuse(mscons, line, reason, ...) importing_refuse((mscons)->importing, line, reason, __VA_ARGS__)

/* ---- times ---- */

static bool read_clock(const char *text, int64_t *ret_local_us)
{
    int year, month, day, hour, minute, y, m, d;
    if (!civil_digits(text, 4, &year) || !civil_digits(text + 4, 2, &month) || !civil_digits(text + 6, 2, &day) ||
        !civil_digits(text + 8, 2, &hour) || !civil_digits(text + 10, 2, &minute))
        return false;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 24 || minute > 59 || (hour == 24 && minute))
        return false;
    int64_t days = civil_days(year, month, day);
    civil_from_days(days, &y, &m, &d);
    *ret_local_us = days * US_PER_DAY + hour * US_PER_HOUR + minute * US_PER_MINUTE;
    return m == month && d == day;
}

/* +01 or +0130 behind the clock of format 303. */
static bool read_offset(const char *text, int64_t *ret_us)
{
    int hours, minutes = 0;
    size_t size = strlen(text);
    if ((size != 3 && size != 5) || (*text != '+' && *text != '-') || !civil_digits(text + 1, 2, &hours) ||
        (size == 5 && !civil_digits(text + 3, 2, &minutes)) || hours > 23 || minutes > 59)
        return false;
    *ret_us = (hours * US_PER_HOUR + minutes * US_PER_MINUTE) * (*text == '-' ? -1 : 1);
    return true;
}

/* The instant of a local time; of an hour that comes twice the second where the first would go back. */
static int64_t read_local(const struct mscons *mscons, int64_t local_us)
{
    int64_t t_us = NO_TIME;
    const struct zone *zone = mscons->importing->opts->zone;
    if (zone_instant(zone, local_us, 0, &t_us) < 0)
        return NO_TIME;
    if (mscons->last_us != NO_TIME && t_us <= mscons->last_us && zone_instant(zone, local_us, 1, &t_us) < 0)
        return NO_TIME;
    return t_us;
}

static int64_t read_time(struct mscons *mscons)
{
    const char *text = edifact_get(&mscons->edifact, 1, 1), *format = edifact_get(&mscons->edifact, 1, 2);
    int64_t local_us, offset_us = 0;
    size_t size = strlen(text);
    if (size < 12 || !read_clock(text, &local_us))
        return NO_TIME;
    if (strcmp(format, "303") == 0)
        return read_offset(text + 12, &offset_us) ? local_us - offset_us : NO_TIME;
    if (strcmp(format, "203") != 0 || size != 12)
        return NO_TIME;
    mscons->no_zone = !mscons->importing->opts->zone;
    return mscons->no_zone ? NO_TIME : read_local(mscons, local_us);
}

static void take_time(struct mscons *mscons)
{
    const char *what = edifact_get(&mscons->edifact, 1, 0);
    int64_t *field = strcmp(what, "163") == 0                             ? &mscons->begin_us
                     : strcmp(what, "164") == 0                           ? &mscons->end_us
                     : strcmp(what, "7") == 0 || strcmp(what, "9") == 0   ? &mscons->read_us
                                                                          : NULL;
    if (!field || !mscons->has_value)
        return;
    *field = read_time(mscons);
    mscons->bad_time = mscons->bad_time || *field == NO_TIME;
}

/* ---- values ---- */

/* 220 true value; 67 substitute, 201 proposed, Z18 provisional, 187 forecast; 79 sum; 20 not to be used. */
static bool read_quality(const char *qualifier, enum quality *ret_quality)
{
    static const struct {
        const char *code;
        enum quality quality;
    } qualities[] = {{"220", QUALITY_MEASURED},  {"67", QUALITY_ESTIMATED},  {"201", QUALITY_ESTIMATED},
                     {"Z18", QUALITY_ESTIMATED}, {"187", QUALITY_ESTIMATED}, {"79", QUALITY_DERIVED},
                     {"20", QUALITY_SUSPECT}};
    for (size_t i = 0; i < sizeof qualities / sizeof *qualities; i++)
        if (strcmp(qualities[i].code, qualifier) == 0) {
            *ret_quality = qualities[i].quality;
            return true;
        }
    return false;
}

/* What is wrong with the times of the value; NULL nothing. */
static const char *find_time_fault(const struct mscons *mscons)
{
    bool period = mscons->begin_us != NO_TIME && mscons->end_us != NO_TIME;
    if (mscons->no_zone)
        return "a local time without an offset: name its zone with --tz";
    if (mscons->bad_time)
        return "a time that is no CCYYMMDDHHMM, or not there that day";
    if (!period && mscons->read_us == NO_TIME)
        return "the value has neither begin and end nor the time of a reading";
    if (period && mscons->end_us <= mscons->begin_us)
        return mscons->end_us < mscons->begin_us ? "it ends before it begins" : "it ends where it begins";
    return NULL;
}

/* Gas and water by volume have no type of their own; site models may. */
static bool is_volume(const char *unit)
{
    return strcmp(unit, "MTQ") == 0 || strcmp(unit, "M3") == 0 || strcmp(unit, "m3") == 0;
}

static int hand_over(struct mscons *mscons, const char *number, enum quality quality)
{
    const struct register_kind *kind = mscons->kind;
    bool period = mscons->begin_us != NO_TIME && mscons->end_us != NO_TIME;
    struct observation observation = {.entity = mscons->entity,
                                      .type = kind ? kind->type : "",
                                      .unit = mscons->unit,
                                      .time_us = period ? mscons->begin_us : mscons->read_us,
                                      .period_us = period ? mscons->end_us - mscons->begin_us : 0,
                                      .issued_us = ISSUED_NONE,
                                      .value = number,
                                      .quality = quality,
                                      .line = mscons->line};
    if (is_volume(mscons->unit)) {
        observation.type = "Property";
        observation.property = "volume";
        observation.unit = "m3";
    } else if (!kind) {
        return refuse(mscons, mscons->line, REFUSED_PROPERTY, "no property is known for the OBIS code of its register");
    } else {
        observation.property = mscons->is_power ? kind->power : period ? kind->amount : kind->reading;
        if (!*mscons->unit)
            observation.unit = mscons->is_power ? kind->power_unit : kind->amount_unit;
    }
    mscons->last_us = observation.time_us;
    return mscons->importing->value(mscons->importing->arg, &observation);
}

static int finish_value(struct mscons *mscons)
{
    char number[IMPORT_NUMBER_BYTES];
    enum quality quality;
    if (!mscons->has_value)
        return 0;
    mscons->has_value = false;
    if (!*mscons->location)
        return refuse(mscons, mscons->line, REFUSED_ENTITY, "a value without a metering point, LOC+172, before it");
    if (!*mscons->obis)
        return refuse(mscons, mscons->line, REFUSED_PROPERTY, "a value without a register, PIA+5, before it");
    const char *why = find_time_fault(mscons);
    if (why)
        return refuse(mscons, mscons->line, REFUSED_TIME, "%s", why);
    if (!read_quality(mscons->qualifier, &quality))
        return refuse(mscons, mscons->line, REFUSED_NOT, "an unknown status of a value, the first part of QTY");
    if (importer_number(mscons->number, strlen(mscons->number), mscons->edifact.decimal, number) < 0)
        return refuse(mscons, mscons->line, REFUSED_NUMBER, "the value is no number with the decimal mark of UNA");
    return hand_over(mscons, number, quality);
}

static int take_value(struct mscons *mscons)
{
    const struct edifact *edifact = &mscons->edifact;
    mscons->has_value = true;
    mscons->line = edifact->segment;
    mscons->begin_us = mscons->end_us = mscons->read_us = NO_TIME;
    mscons->bad_time = mscons->no_zone = false;
    snprintf(mscons->qualifier, sizeof mscons->qualifier, "%s", edifact_get(edifact, 1, 0));
    snprintf(mscons->number, sizeof mscons->number, "%s", edifact_get(edifact, 1, 1));
    snprintf(mscons->unit, sizeof mscons->unit, "%s", edifact_get(edifact, 1, 2));
    return mscons->importing->row(mscons->importing->arg);
}

/* ---- places and registers ---- */

static void name_entity(struct mscons *mscons)
{
    char text[sizeof mscons->location + sizeof mscons->obis];
    snprintf(text, sizeof text, "%s-%s", mscons->location, mscons->obis);
    importer_entity("mscons", text, mscons->entity);
    mscons->last_us = NO_TIME;
}

static void take_register(struct mscons *mscons)
{
    const struct edifact *edifact = &mscons->edifact;
    int a = 0, b = 0, c = 0, d = 0;
    char dot;
    if (strcmp(edifact_get(edifact, 1, 0), "5") != 0)
        return;
    snprintf(mscons->obis, sizeof mscons->obis, "%s", edifact_get(edifact, 2, 0));
    mscons->kind = NULL;
    if (sscanf(mscons->obis, "%2d-%2d:%2d.%2d%c", &a, &b, &c, &d, &dot) == 5 && dot == '.') {
        bool energy = a == 1 || a == 5 || a == 6 || a == 7; /* electricity, cooling, heat, gas */
        if (energy && (c == 1 || c == 2))
            mscons->kind = &register_kinds[c - 1];
        else if (a == 1 && c >= 3 && c <= 8)
            mscons->kind = &register_kinds[2];
        else if (energy && a != 1)
            mscons->kind = &register_kinds[0];
    }
    mscons->is_power = a == 1 && d >= 4 && d <= 7; /* mean, last mean, greatest mean and momentary power */
    name_entity(mscons);
}

static void take_location(struct mscons *mscons)
{
    const char *what = edifact_get(&mscons->edifact, 1, 0);
    if (strcmp(what, "172") != 0 && *what != 'Z')
        return;
    snprintf(mscons->location, sizeof mscons->location, "%s", edifact_get(&mscons->edifact, 2, 0));
    mscons->obis[0] = '\0';
    mscons->kind = NULL;
}

/* ---- messages ---- */

static int begin_message(struct mscons *mscons)
{
    const struct edifact *edifact = &mscons->edifact;
    mscons->n_in_message = 1;
    mscons->location[0] = mscons->obis[0] = '\0';
    mscons->kind = NULL;
    mscons->skips = strcmp(edifact_get(edifact, 2, 0), "MSCONS") != 0;
    return mscons->skips ? refuse(mscons, edifact->segment, REFUSED_NOT, "a message that is no MSCONS is passed over") : 0;
}

static int end_message(struct mscons *mscons)
{
    const char *text = edifact_get(&mscons->edifact, 1, 0);
    long long n = strtoll(text, NULL, 10);
    return n == mscons->n_in_message ? 0 : refuse(mscons, mscons->edifact.segment, REFUSED_NOT,
                                                  "the message has %lld segments and says %lld: it may be damaged",
                                                  (long long)mscons->n_in_message, n);
}

static int check_function(struct mscons *mscons)
{
    mscons->skips = strcmp(edifact_get(&mscons->edifact, 3, 0), "1") == 0;
    return mscons->skips ? refuse(mscons, mscons->edifact.segment, REFUSED_NOT,
                                  "a message that cancels an earlier one is passed over: take its values back by hand") : 0;
}

/* A segment of a message that is taken. */
static int take_content(struct mscons *mscons)
{
    const struct edifact *edifact = &mscons->edifact;
    if (edifact_is(edifact, "DTM")) {
        take_time(mscons);
        return 0;
    }
    if (edifact_is(edifact, "STS")) /* why it has its status */
        return 0;
    int code = finish_value(mscons);
    if (code != 0)
        return code;
    if (edifact_is(edifact, "QTY"))
        return take_value(mscons);
    if (edifact_is(edifact, "PIA"))
        take_register(mscons);
    else if (edifact_is(edifact, "LOC"))
        take_location(mscons);
    else if (edifact_is(edifact, "LIN"))
        mscons->obis[0] = '\0';
    else if (edifact_is(edifact, "BGM"))
        return check_function(mscons);
    else if (edifact_is(edifact, "UNT"))
        return end_message(mscons);
    return 0;
}

static int take_segment(struct mscons *mscons)
{
    const struct edifact *edifact = &mscons->edifact;
    mscons->n_in_message++;
    if (edifact->too_long)
        return refuse(mscons, edifact->segment, REFUSED_SIZE, "a segment of too many bytes or elements");
    if (edifact_is(edifact, "UNB"))
        mscons->interchange_seen = true;
    if (!mscons->interchange_seen)
        return ERR_INVALID;
    if (edifact_is(edifact, "UNB") || edifact_is(edifact, "UNZ")) {
        mscons->ended = edifact_is(edifact, "UNZ");
        return finish_value(mscons);
    }
    if (edifact_is(edifact, "UNH")) {
        int code = finish_value(mscons);
        return code == 0 ? begin_message(mscons) : code;
    }
    return mscons->skips ? 0 : take_content(mscons);
}

static int run(const struct importing *importing, struct err_text *error)
{
    struct mscons *mscons = calloc(1, sizeof *mscons);
    int code;
    if (!mscons)
        return ERR_NOMEM;
    mscons->importing = mscons->edifact.importing = importing;
    while ((code = edifact_next(&mscons->edifact, error)) == 1) {
        code = take_segment(mscons);
        if (code != 0)
            break;
    }
    if (code == 0)
        code = finish_value(mscons);
    if ((code == ERR_INVALID || code == ERR_CORRUPT) && !mscons->interchange_seen)
        code = err_set(error, ERR_INVALID, "\"%s\" is no EDIFACT interchange: it does not begin with UNB", importing->source);
    else if (code == 0 && !mscons->ended)
        code = importing_refuse(importing, mscons->edifact.segment, REFUSED_NOT, "the file ends without UNZ: it may be cut");
    edifact_done(&mscons->edifact);
    free(mscons);
    return code;
}

const struct importer importer_mscons = {
    .kind = "mscons", .summary = "metered values of the German market, UN/EDIFACT", .n_passes = 1, .run = run};
