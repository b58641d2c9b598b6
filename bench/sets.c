#include <config.h>

#include "sets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tests/lib/random.h"
#include "common/civil.h"
#include "model/decimal.h"

#define START_US (INT64_C(1740787200) * US_PER_SECOND) /* 2025-03-01T00:00:00Z */

enum set_kind { SET_WALK, SET_MIX, SET_METERS, SET_REGISTERS, SET_FILE, SET_N };

enum { MIX_POWER, MIX_VOLTAGE, MIX_REGISTER, MIX_TEMPERATURE, MIX_CURRENT, MIX_N };
enum { METER_IMPORT, METER_EXPORT, METER_ENERGY, METER_POWER, METER_VOLTAGE, METER_CURRENT, METER_N };

static const char *const mix_properties[MIX_N] = {"activePower", "voltage", "activeEnergyImport", "outdoorTemperature",
                                                  "current"};
static const char *const meter_properties[METER_N] = {"activeEnergyImport", "activeEnergyExport", "energy",
                                                      "activePower", "voltage", "current"};

static void die(const char *what, const char *subject)
{
    fprintf(stderr, "%s: \"%s\"; a set is one of\n" SETS_USAGE, what, subject);
    exit(2);
}

static void *claim(size_t n, size_t size)
{
    void *memory = calloc(n ? n : 1, size);
    if (!memory)
        die("out of memory", "set");
    return memory;
}

/* ---- generated: each series goes on from where it is ---- */

static int64_t walk(uint64_t *seed, int64_t at, int64_t spread, int64_t low, int64_t high)
{
    int64_t next = at + random_normal(seed, spread);
    return next < low ? low : next > high ? high : next;
}

/* At one reading a second. A device is switched now and then; the meter counts whole Wh; air is slow. */
static struct sample mix_next(struct set *set, size_t i)
{
    struct set_series *series = &set->series[i];
    struct sample sample = {.e = 0};
    switch (i % MIX_N) {
    case MIX_POWER:
        series->m = random_below(&set->seed, 900) ? walk(&set->seed, series->m, 3, 0, 9000)
                                                  : random_below(&set->seed, 3000);
        break;
    case MIX_VOLTAGE:
        series->m = walk(&set->seed, series->m, 1, 2070, 2530);
        sample.e = -1;
        break;
    case MIX_REGISTER: /* rate is what is left of a Wh, in W s, at about 1 kW */
        series->rate += 1000 + random_below(&set->seed, 200);
        series->m += series->rate / 3600;
        series->rate %= 3600;
        break;
    case MIX_TEMPERATURE:
        series->m += random_below(&set->seed, 5) ? 0 : random_below(&set->seed, 2) * 2 - 1;
        sample.e = -2;
        break;
    case MIX_CURRENT:
        series->m = walk(&set->seed, series->m, 1, 0, 6300);
        sample.e = -2;
        break;
    }
    sample.m = series->m;
    return sample;
}

/* What a household draws in one quarter of an hour, in Wh. */
static int64_t draw(struct set *set, struct set_series *series)
{
    int64_t hour = set->time_i / 4 % 24, usual = hour < 6 ? 40 : hour < 17 ? 90 : 180;
    series->rate = (series->rate + usual + random_below(&set->seed, usual)) / 2 +
                   (random_below(&set->seed, 12) ? 0 : random_below(&set->seed, 600));
    return series->rate;
}

/* The six values of a household in one quarter of an hour hang together: rate of the first one is its load in Wh; every third
 * one has panels. */
static struct sample meter_next(struct set *set, size_t i)
{
    struct set_series *first = &set->series[i - i % METER_N], *series = &set->series[i];
    int64_t hour = set->time_i / 4 % 24;
    struct sample sample = {.e = 0};
    switch (i % METER_N) {
    case METER_IMPORT:
        series->m += draw(set, first);
        break;
    case METER_EXPORT:
        if (i / METER_N % 3 == 0 && hour >= 7 && hour < 19)
            series->m += random_below(&set->seed, 300) + 300 - 50 * llabs(hour - 13);
        break;
    case METER_ENERGY:
        series->m = first->rate;
        sample.period_us = 15 * US_PER_MINUTE;
        break;
    case METER_POWER:
        series->m = first->rate * 4 + random_normal(&set->seed, first->rate / 2 + 1);
        break;
    case METER_VOLTAGE:
        series->m = walk(&set->seed, series->m, 8, 2070, 2530);
        sample.e = -1;
        break;
    case METER_CURRENT:
        series->m = set->series[i - 2].m * 1000 / set->series[i - 1].m;
        sample.e = -2;
        break;
    }
    sample.m = series->m;
    return sample;
}

/* At one reading a quarter of an hour, a register alone. */
static struct sample register_next(struct set *set, size_t i)
{
    struct set_series *series = &set->series[i];
    return (struct sample){.m = series->m += draw(set, series)};
}

static void name_series(struct set *set, size_t i)
{
    struct set_series *series = &set->series[i];
    size_t each = set->kind == SET_MIX ? MIX_N : set->kind == SET_METERS ? METER_N : 1;
    snprintf(series->entity, sizeof(series->entity), "meter-%05zu", i / each);
    series->type = "SmartMeter";
    const char *property = set->kind == SET_WALK  ? "activePower"
                           : set->kind == SET_MIX ? mix_properties[i % each]
                                                  : meter_properties[i % each]; /* of a register alone the first */
    if (set->kind == SET_MIX && i % each == MIX_TEMPERATURE) {
        snprintf(series->entity, sizeof(series->entity), "heating-%05zu", i / each);
        series->type = "HeatingController";
    }
    snprintf(series->property, sizeof(series->property), "%s", property);
    bool counts = strncmp(property, "activeEnergy", 12) == 0;
    series->m = counts ? random_below(&set->seed, 20000000) : strcmp(property, "outdoorTemperature") ? 2300 : 850;
    series->rate = set->kind == SET_METERS || set->kind == SET_REGISTERS ? 100 : 0;
}

static void open_generated(struct set *set, const char *spec)
{
    char *end;
    size_t n = strtoul(strchr(spec, ':') + 1, &end, 10);
    set->n_times = *end == ':' ? strtoll(end + 1, &end, 10) : 0;
    if (*end || !n || set->n_times < 1)
        die("these are no two numbers", spec);
    set->n_series = set->kind == SET_METERS ? n * METER_N : n;
    set->series = claim(set->n_series, sizeof(*set->series));
    for (size_t i = 0; i < set->n_series; i++)
        name_series(set, i);
    set->n_readings = set->n_times * (int64_t)set->n_series;
    set->begin_us = START_US;
    bool slow = set->kind == SET_METERS || set->kind == SET_REGISTERS;
    set->end_us = START_US + set->n_times * (slow ? 15 * US_PER_MINUTE : US_PER_SECOND);
}

/* ---- from a file ---- */

static size_t find_series(struct set *set, const char *entity, const char *property, const char *unit)
{
    for (size_t i = 0; i < set->n_series; i++)
        if (strcmp(set->series[i].entity, entity) == 0 && strcmp(set->series[i].property, property) == 0)
            return i;
    set->series = realloc(set->series, (set->n_series + 1) * sizeof(*set->series));
    if (!set->series)
        die("out of memory", entity);
    struct set_series *series = &set->series[set->n_series];
    *series = (struct set_series){.type = "Property", .unit = strdup(unit)};
    snprintf(series->entity, sizeof(series->entity), "%s", entity);
    snprintf(series->property, sizeof(series->property), "%s", property);
    return set->n_series++;
}

static int compare_samples(const void *a, const void *b)
{
    const struct sample *x = a, *y = b;
    if (x->t_us != y->t_us)
        return x->t_us < y->t_us ? -1 : 1;
    return x->series_i < y->series_i ? -1 : x->series_i > y->series_i;
}

/* entity property unit milliseconds value, apart by blanks; one value for each series and time */
static void open_file(struct set *set, const char *path)
{
    FILE *file = fopen(path, "r");
    char line[1024], entity[129], property[65], unit[33], value[65];
    long long t_ms;
    size_t cap = 0;
    if (!file)
        die("cannot be read", path);
    while (fgets(line, sizeof(line), file)) {
        struct decimal decimal;
        bool rounded;
        if (sscanf(line, "%128s %64s %32s %lld %64s", entity, property, unit, &t_ms, value) != 5 ||
            decimal_parse(value, strlen(value), &decimal, &rounded))
            die("a line is not as bench/real_data.py writes it", line);
        if ((size_t)set->n_readings == cap) {
            cap = cap ? 2 * cap : 1024;
            set->samples = realloc(set->samples, cap * sizeof(*set->samples));
            if (!set->samples)
                die("out of memory", path);
        }
        set->samples[set->n_readings++] = (struct sample){.series_i = find_series(set, entity, property, unit),
                                                          .t_us = t_ms * 1000, .m = decimal.m, .e = decimal.e};
    }
    fclose(file);
    if (!set->n_readings)
        die("nothing in it", path);
    qsort(set->samples, (size_t)set->n_readings, sizeof(*set->samples), compare_samples);
    set->begin_us = set->samples[0].t_us;
    set->end_us = set->samples[set->n_readings - 1].t_us + 1;
}

void set_open(const char *spec, struct set *ret_set)
{
    static const char *const kinds[SET_N] = {"walk:", "mix:", "meters:", "registers:", "file:"};
    struct set set = {.kind = -1, .seed = 1};
    for (int i = 0; i < SET_N; i++)
        if (strncmp(spec, kinds[i], strlen(kinds[i])) == 0)
            set.kind = i;
    if (set.kind < 0)
        die("there is no such set", spec);
    if (set.kind == SET_FILE)
        open_file(&set, strchr(spec, ':') + 1);
    else
        open_generated(&set, spec);
    *ret_set = set;
}

void set_close(struct set *set)
{
    for (size_t i = 0; i < set->n_series && set->kind == SET_FILE; i++)
        free((char *)(uintptr_t)set->series[i].unit);
    free(set->series);
    free(set->samples);
}

int set_next(struct set *set, struct sample *ret_sample)
{
    struct sample sample;
    if (set->kind == SET_FILE) {
        if (set->time_i == set->n_readings)
            return 0;
        sample = set->samples[set->time_i++];
    } else {
        if (set->next_i == set->n_series) {
            set->next_i = 0;
            set->time_i++;
        }
        if (set->time_i == set->n_times)
            return 0;
        size_t i = set->next_i++;
        struct set_series *series = &set->series[i];
        if (set->kind == SET_WALK)
            sample = (struct sample){.m = series->m += random_below(&set->seed, 3) - 1, .e = -1};
        else
            sample = set->kind == SET_MIX      ? mix_next(set, i)
                     : set->kind == SET_METERS ? meter_next(set, i)
                                               : register_next(set, i);
        sample.series_i = i;
        sample.t_us = set->begin_us + set->time_i * ((set->end_us - set->begin_us) / set->n_times);
    }
    /* Kafka has it some tenths of a second later; all values of a message at once. */
    uint64_t delay = (uint64_t)sample.t_us;
    sample.known_ms = sample.t_us / 1000 + 200 + (int64_t)(random_u64(&delay) % 400);
    struct decimal value = decimal_canonical((struct decimal){sample.m, sample.e}); /* as a message is decoded */
    sample.m = value.m;
    sample.e = value.e;
    *ret_sample = sample;
    return 1;
}
