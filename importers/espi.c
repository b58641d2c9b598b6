#include <config.h>

#include "importers/espi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/civil.h"

void espi_done(struct espi *espi)
{
    for (size_t i = 0; i < espi->n_points; i++) {
        free(espi->points[i].href);
        free(espi->points[i].id);
    }
    for (size_t i = 0; i < espi->n_meters; i++) {
        free(espi->meters[i].href);
        free(espi->meters[i].related);
    }
    for (size_t i = 0; i < espi->n_types; i++)
        free(espi->types[i].href);
    for (size_t i = 0; i < espi->n_block_hrefs; i++)
        free(espi->block_hrefs[i]);
    free(espi->points);
    free(espi->meters);
    free(espi->types);
    free(espi->blocks);
    free(espi->block_hrefs);
    *espi = (struct espi){.n_points = 0};
}

/* ---- adding ---- */

static int grow(void *list, size_t *cap, size_t n, size_t size)
{
    return n >= ESPI_RESOURCES ? ERR_LIMIT : array_grow(list, cap, n + 1, size);
}

int espi_add_point(struct espi *espi, const char *href, const char *id)
{
    int code = grow(&espi->points, &espi->points_cap, espi->n_points, sizeof *espi->points);
    if (code != 0)
        return code;
    struct espi_point *point = &espi->points[espi->n_points++];
    point->href = strdup(href);
    point->id = strdup(id);
    return point->href && point->id ? 0 : ERR_NOMEM;
}

int espi_add_meter(struct espi *espi, const char *href, const char *related)
{
    int code = grow(&espi->meters, &espi->meters_cap, espi->n_meters, sizeof *espi->meters);
    if (code != 0)
        return code;
    struct espi_meter *meter = &espi->meters[espi->n_meters++];
    *meter = (struct espi_meter){.href = strdup(href), .related = strdup(related)};
    return meter->href && meter->related ? 0 : ERR_NOMEM;
}

int espi_add_type(struct espi *espi, const char *href, const struct espi_type *type)
{
    int code = grow(&espi->types, &espi->types_cap, espi->n_types, sizeof *espi->types);
    if (code != 0)
        return code;
    struct espi_type *added = &espi->types[espi->n_types++];
    *added = *type;
    added->href = strdup(href);
    return added->href ? 0 : ERR_NOMEM;
}

/* Cuts "/IntervalBlock" and what follows off a link. */
static size_t cut_block(const char *href)
{
    const char *found = NULL, *at = href;
    while ((at = strstr(at, "/IntervalBlock")) != NULL)
        found = at++;
    return found ? (size_t)(found - href) : 0;
}

int espi_add_block(struct espi *espi, const char *self, const char *up)
{
    size_t size = cut_block(self);
    const char *href = size ? self : up;
    if (!size)
        size = cut_block(up);
    if (array_grow(&espi->blocks, &espi->blocks_cap, espi->n_blocks + 1, sizeof *espi->blocks) < 0)
        return ERR_NOMEM;
    size_t i = espi->n_block_hrefs; /* those of a meter mostly stand together */
    while (i > 0 && i + 64 > espi->n_block_hrefs &&
           (strlen(espi->block_hrefs[i - 1]) != size || memcmp(espi->block_hrefs[i - 1], href, size) != 0))
        i--;
    bool known = i > 0 && i + 64 > espi->n_block_hrefs;
    if (size && !known) {
        int code = grow(&espi->block_hrefs, &espi->block_hrefs_cap, espi->n_block_hrefs, sizeof *espi->block_hrefs);
        if (code != 0)
            return code;
        if (!(espi->block_hrefs[espi->n_block_hrefs] = strndup(href, size)))
            return ERR_NOMEM;
        i = ++espi->n_block_hrefs;
    }
    espi->blocks[espi->n_blocks++] = size ? (uint32_t)i : 0;
    return 0;
}

/* ---- following links ---- */

static int compare_meters(const void *a, const void *b)
{
    return strcmp(((const struct espi_meter *)a)->href, ((const struct espi_meter *)b)->href);
}

static int compare_points(const void *a, const void *b)
{
    return strcmp(((const struct espi_point *)a)->href, ((const struct espi_point *)b)->href);
}

static int compare_types(const void *a, const void *b)
{
    return strcmp(((const struct espi_type *)a)->href, ((const struct espi_type *)b)->href);
}

static const struct espi_point *find_point(const struct espi *espi, const struct espi_meter *meter)
{
    char href[ESPI_TEXT_BYTES];
    const char *end = strstr(meter->href, "/MeterReading");
    const struct espi_point *point = NULL;
    if (end) {
        snprintf(href, sizeof href, "%.*s", (int)(end - meter->href), meter->href);
        point = bsearch(&(struct espi_point){.href = href}, espi->points, espi->n_points, sizeof *point, compare_points);
    }
    return point || espi->n_points != 1 ? point : &espi->points[0];
}

static const struct espi_type *find_type(const struct espi *espi, const struct espi_meter *meter)
{
    char href[ESPI_TEXT_BYTES];
    for (const char *at = meter->related; *at;) {
        size_t size = strcspn(at, "\n");
        snprintf(href, sizeof href, "%.*s", (int)size, at);
        const struct espi_type *type =
            bsearch(&(struct espi_type){.href = href}, espi->types, espi->n_types, sizeof *type, compare_types);
        if (type && *href)
            return type;
        at += size + (at[size] == '\n');
    }
    return espi->n_types == 1 ? &espi->types[0] : NULL;
}

/* The entity: the usage point's id and the last part of the meter reading's link. */
static void name_meter(struct espi_meter *meter, const struct espi_point *point)
{
    char text[2 * ESPI_TEXT_BYTES];
    const char *last = strrchr(meter->href, '/');
    const char *id = point ? point->id : "";
    if (strncasecmp(id, "urn:uuid:", 9) == 0)
        id += 9;
    if (*id)
        snprintf(text, sizeof text, "%s-%s", id, last ? last + 1 : meter->href);
    else
        snprintf(text, sizeof text, "%s", meter->href);
    for (char *at = text; *at; at++)
        if (*at >= 'A' && *at <= 'Z')
            *at = (char)(*at - 'A' + 'a');
    importer_entity("greenbutton", text, meter->entity);
}

static uint32_t find_meter(const struct espi *espi, const char *href)
{
    const struct espi_meter *meter = bsearch(&(struct espi_meter){.href = (char *)(uintptr_t)href}, espi->meters,
                                             espi->n_meters, sizeof *meter, compare_meters);
    return meter ? (uint32_t)(meter - espi->meters) + 1 : espi->n_meters == 1 ? 1 : 0;
}

int espi_resolve(struct espi *espi)
{
    if (espi->n_points)
        qsort(espi->points, espi->n_points, sizeof *espi->points, compare_points);
    if (espi->n_types)
        qsort(espi->types, espi->n_types, sizeof *espi->types, compare_types);
    if (espi->n_meters)
        qsort(espi->meters, espi->n_meters, sizeof *espi->meters, compare_meters);
    for (size_t i = 0; i < espi->n_meters; i++) {
        espi->meters[i].type = find_type(espi, &espi->meters[i]);
        name_meter(&espi->meters[i], find_point(espi, &espi->meters[i]));
    }
    uint32_t *found = calloc(espi->n_block_hrefs + 1, sizeof *found);
    if (!found)
        return ERR_NOMEM;
    found[0] = espi->n_meters == 1;
    for (size_t i = 0; i < espi->n_block_hrefs; i++)
        found[i + 1] = find_meter(espi, espi->block_hrefs[i]);
    for (size_t i = 0; i < espi->n_blocks; i++)
        espi->blocks[i] = found[espi->blocks[i]];
    free(found);
    return 0;
}

const struct espi_meter *espi_meter_of(const struct espi *espi, size_t block)
{
    return block < espi->n_blocks && espi->blocks[block] ? &espi->meters[espi->blocks[block] - 1] : NULL;
}

/* ---- meanings ---- */

/* Units of measure (ESPI, UomType). The factors are exact: the US therm (1968) and the international table's Btu, the foot of
 * 0.3048 m and the gallon of 231 cubic inches. */
static const struct uom {
    int32_t code;
    const char *type, *property, *unit, *of_register;
    int64_t m;
    int e;
} uoms[] = {
    {72, "SmartMeter", "energy", "Wh", "activeEnergyImport", 1, 0},
    {31, "SmartMeter", "energy", "J", "activeEnergyImport", 1, 0},
    {169, "SmartMeter", "energy", "MJ", "activeEnergyImport", 1054804, -4},
    {132, "SmartMeter", "energy", "J", "activeEnergyImport", 105505585262, -8},
    {38, "SmartMeter", "activePower", "W", NULL, 1, 0},
    {29, "SmartMeter", "voltage", "V", NULL, 1, 0},
    {5, "SmartMeter", "current", "A", NULL, 1, 0},
    {73, "EnergyMeter", "reactiveEnergy", "varh", "reactiveEnergyImport", 1, 0},
    {63, "EnergyMeter", "reactivePower", "var", NULL, 1, 0},
    {33, "EnergyMeter", "frequency", "Hz", NULL, 1, 0},
    {65, "EnergyMeter", "powerFactor", "1", NULL, 1, 0},
    {42, "Property", "volume", "m3", "volumeRegister", 1, 0},
    {119, "Property", "volume", "m3", "volumeRegister", 28316846592, -12},
    {128, "Property", "volume", "m3", "volumeRegister", 3785411784, -12},
    {134, "Property", "volume", "m3", "volumeRegister", 1, -3},
};

#define FLOW_REVERSE 19 /* from the customer to the grid */

int espi_meaning(const struct espi_type *type, struct espi_meaning *ret_meaning, char *ret_why, size_t why_size)
{
    const struct uom *uom = NULL;
    for (size_t i = 0; type && i < sizeof uoms / sizeof *uoms; i++)
        if (uoms[i].code == type->uom)
            uom = &uoms[i];
    if (!uom) {
        if (!type)
            snprintf(ret_why, why_size, "no ReadingType belongs to it, so it has no unit");
        else if (type->uom == ESPI_UNSTATED)
            snprintf(ret_why, why_size, "its ReadingType states no unit (uom)");
        else
            snprintf(ret_why, why_size, "the unit of its ReadingType, uom %d, is none that is represented", (int)type->uom);
        return ERR_NOTFOUND;
    }
    /* 3 cumulative, 1 bulk quantity, 2 continuously cumulative, 9 summation */
    bool counts = type->accumulation == 1 || type->accumulation == 2 || type->accumulation == 3 || type->accumulation == 9;
    bool reverse = type->flow == FLOW_REVERSE && strcmp(uom->type, "SmartMeter") == 0;
    *ret_meaning = (struct espi_meaning){.type = reverse ? "Generation" : uom->type,
                                         .property = uom->property,
                                         .unit = uom->unit,
                                         .factor_m = uom->m,
                                         .factor_e = uom->e + (type->power == ESPI_UNSTATED ? 0 : type->power),
                                         .is_register = counts && uom->of_register};
    if (ret_meaning->is_register)
        ret_meaning->property = reverse ? "activeEnergyExport" : uom->of_register;
    return 0;
}

/* QualityOfReading: 0 valid, 14 raw, 17 to 19 validated, verified, revenue quality. */
enum quality espi_quality(int32_t code)
{
    switch (code) {
    case ESPI_UNSTATED:
    case 0:
    case 14:
    case 17:
    case 18:
    case 19: return QUALITY_MEASURED;
    case 7: return QUALITY_EDITED;     /* by hand */
    case 11:                           /* derived */
    case 15: return QUALITY_DERIVED;   /* normalized for the weather */
    case 8:                            /* estimated from a reference day */
    case 9:                            /* by interpolation */
    case 12:                           /* projected */
    case 13: return QUALITY_ESTIMATED; /* mixed */
    default: return QUALITY_SUSPECT;   /* 10 questionable, 16 other, and what the standard does not have */
    }
}

/* ---- local time ---- */

/* When daylight saving begins or ends in a year, local time before the change: DstRuleType, a bit field of seconds 0-11,
 * hour 12-16, weekday 17-19 (1 Monday), day of month 20-24, operator 25-27, month 28-31. */
static bool find_change(uint32_t rule, int year, int64_t *ret_local_us)
{
    unsigned month = rule >> 28, how = rule >> 25 & 7, day = rule >> 20 & 31, weekday = rule >> 17 & 7;
    if (rule == UINT32_MAX || month < 1 || month > 12 || (how > 0 && weekday == 0) || (how < 2 && day == 0))
        return false;
    int64_t first = civil_days(year, (int)month, how < 2 ? (int)day : 1), at = first;
    if (how > 0)
        at += ((int)weekday - 1 - civil_weekday(first) + 7) % 7;
    if (how >= 2 && how < 7)
        at += 7 * ((int)how - 2);
    if (how == 7) {
        int64_t next = month == 12 ? civil_days(year + 1, 1, 1) : civil_days(year, (int)month + 1, 1);
        while (at + 7 < next)
            at += 7;
    }
    *ret_local_us = at * US_PER_DAY + (rule >> 12 & 31) * US_PER_HOUR + (rule & 4095) * US_PER_SECOND;
    return true;
}

int espi_instant(const struct espi *espi, int64_t local_us, int second_time, int64_t *ret_t_us)
{
    int64_t begin_us, end_us, dst_us = espi->dst_offset_s * US_PER_SECOND, utc_us = local_us - espi->tz_offset_s * US_PER_SECOND;
    struct civil civil;
    civil_from_us(local_us, &civil);
    *ret_t_us = utc_us;
    if (!dst_us || !find_change(espi->dst_start, civil.year, &begin_us) || !find_change(espi->dst_end, civil.year, &end_us))
        return 0;
    if (local_us >= begin_us && local_us < begin_us + dst_us)
        return ERR_NOTFOUND;
    bool twice = local_us >= end_us - dst_us && local_us < end_us;
    /* in the south daylight saving goes over the turn of the year */
    bool inside = begin_us < end_us ? local_us >= begin_us && local_us < end_us : local_us >= begin_us || local_us < end_us;
    if (inside && !(twice && second_time))
        *ret_t_us = utc_us - dst_us;
    return 0;
}
