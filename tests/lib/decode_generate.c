#include <config.h>

#include "decode_oracle.h"

#include <stdio.h>
#include <string.h>

/* splitmix64 */
uint64_t oracle_random(uint64_t *seed, uint64_t below)
{
    uint64_t z = (*seed += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return (z ^ z >> 31) % below;
}

struct writer {
    uint64_t *seed;
    char *out;
    size_t n, max;
    unsigned sloppy; /* of 100 choices so many are drawn from the wrong ones */
};

static bool chance(struct writer *w, unsigned percent)
{
    return oracle_random(w->seed, 100) < percent;
}

static void put(struct writer *w, const char *text)
{
    size_t size = strlen(text);
    if (size <= w->max - w->n) {
        memcpy(w->out + w->n, text, size);
        w->n += size;
    }
}

static void put_space(struct writer *w)
{
    static const char *const spaces[] = {" ", "  ", "\n", "\t", "\r\n", " \n "};
    if (chance(w, 4))
        put(w, spaces[oracle_random(w->seed, 6)]);
}

/* One of the good ones, seldom one of the bad ones; both end in NULL. */
static const char *pick(struct writer *w, const char *const *good, const char *const *bad)
{
    const char *const *from = bad && chance(w, w->sloppy) ? bad : good;
    size_t n = 0;
    while (from[n])
        n++;
    return from[oracle_random(w->seed, n)];
}

#define LIST(...) (const char *const[]){__VA_ARGS__, NULL}

static void put_time(struct writer *w)
{
    put(w, pick(w,
                LIST("\"2025-03-01T00:00:00Z\"", "\"2025-03-01T00:00:01Z\"", "1740787202000",
                     "\"2025-03-01T01:00:03.251+01:00\"", "\"2024-02-29T23:59:59.123456789-11:30\"",
                     "\"2025-03-01t00:00:00z\"", "0", "1740873599999", "\"2025\\u002d03-01T00:00:09Z\""),
                LIST("\"2025-03-01T00:00:00\"", "\"2025-03-01T00:00:60Z\"", "\"2025-02-29T00:00:00Z\"",
                     "\"2225-03-01T00:00:00Z\"", "1740787202000.5", "1.7e12", "\"\"", "null", "true", "{}", "[]", "NaN",
                     "\"1969-12-31T23:00:00Z\"", "-62135596800000", "253402300800000", "253402300799999",
                     "99999999999999999999999", "-1", "\"9999-12-31T23:59:59Z\"", "\"2025-03-01\"",
                     "\"1740787202000\"", "\"2025-03-01T25:00:00Z\"", "\"2025-03-01T00:00:00+24:00\"")));
}

static void put_number(struct writer *w)
{
    char text[64];
    if (chance(w, 30)) {
        snprintf(text, sizeof text, "%d.%d", (int)oracle_random(w->seed, 2000) - 1000, (int)oracle_random(w->seed, 100));
        put(w, text);
        return;
    }
    put(w, pick(w,
                LIST("1250", "230.1", "12.30", "0", "-0", "0.001", "-5", "1e3", "1E+2", "2.5e-3", "0.0e5", "100",
                     "123456789012345678", "0.30000000000000004", "1e15", "1e-24", "999999999999999999"),
                LIST("1e999", "1e-25", "1e16", "1234567890123456789", "1234567890123456785", "0.1234567890123456755",
                     "9999999999999999995", "1e999999999999", "0e999999", "NaN", "Infinity", "-Infinity", "\"NaN\"",
                     "\"12\"", "true", "[1]", "{}", "01", "1.", ".5", "+1", "-", "1e", "0x1F", "1_000", "1e-999999999",
                     "123456789012345678901234567890e-20", "nan")));
}

static void put_state(struct writer *w)
{
    put(w, pick(w, LIST("\"VT\"", "\"MT\"", "\"\"", "\"\\u00e4\\ud83d\\ude00\"", "\"a\\\"b\\\\c\\n\"", "\"\xc3\xa4\"",
                        "\"0123456789012345678901234567890123456789012345678901234567890123\""),
                LIST("\"01234567890123456789012345678901234567890123456789012345678901234\"", "1", "false", "[]",
                     "\"\\u0000\"", "\"\\ud800\"", "\"\\udc00\\ud800\"", "\"\\x\"", "\"\xff\"", "\"\xc0\xaf\"",
                     "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\t\"", "\"\\ud83dx\"", "\"\\u12g4\"")));
}

static void put_value(struct writer *w, const char *property)
{
    if (chance(w, 5))
        put(w, "null");
    else if (strstr(property, "tariff") || strstr(property, "State"))
        chance(w, w->sloppy) ? put_number(w) : put_state(w);
    else
        put_number(w);
}

static void put_list(struct writer *w, size_t n, void (*put_one)(struct writer *w, const char *arg), const char *arg)
{
    if (chance(w, w->sloppy))
        n += 1 - 2 * oracle_random(w->seed, 2);
    put(w, "[");
    for (size_t i = 0; i < n && i < 70000; i++) {
        if (i)
            put(w, ",");
        put_space(w);
        put_one(w, arg);
    }
    put(w, "]");
}

static void put_one_time(struct writer *w, const char *arg)
{
    (void)arg;
    put_time(w);
}

static void put_one_quality(struct writer *w, const char *arg)
{
    (void)arg;
    put(w, pick(w, LIST("\"measured\"", "\"edited\"", "\"derived\"", "\"estimated\"", "\"suspect\"", "null"),
                LIST("\"good\"", "\"Measured\"", "1", "[]", "\"\"")));
}

static const char *pick_property(struct writer *w, const char *type)
{
    static const struct {
        const char *type, *properties[9];
    } known[] = {
        {"SmartMeter", {"activePower", "voltageL1", "voltage", "activeEnergyImport", "energy", "tariff",
                        "activePowerL2", "volt\\u0061ge"}},
        {"Load", {"energy", "activePower"}},
        {"Weather", {"temperature", "precipitation"}},
        {"Battery", {"stateOfCharge", "operationalState"}},
        {"", {"a", "co2"}},
    };
    size_t i = 0;
    while (i + 1 < sizeof known / sizeof *known && strcmp(type, known[i].type) != 0)
        i++;
    return pick(w, known[i].properties,
                LIST("warp", "", "voltageL4", "Jane Doe", "a\\tb", "temperature", "activePower",
                     "a2345678901234567890123456789012345678901234567890123456789012345"));
}

static void put_units(struct writer *w, const char *const *properties, size_t n)
{
    put(w, "\"units\":{");
    for (size_t i = 0; i < n; i++) {
        if (i)
            put(w, ",");
        put(w, "\"");
        put(w, properties[i]);
        put(w, "\":");
        put(w, pick(w, LIST("\"W\"", "\"kW\"", "\"V\"", "\"mV\"", "\"kWh\"", "\"J\"", "\"Wh\"", "\"ppm\"", "\"degF\"",
                            "\"K\"", "\"KWH\"", "\"%\"", "\"1\"", "\"mm\"", "\"YWh\""),
                    LIST("\"\"", "1", "null", "\"furlong\"", "[]", "\"a2345678901234567890123456789012\"", "\"\\n\"")));
    }
    put(w, "}");
}

static void put_values(struct writer *w, const char *const *properties, size_t n, bool lists, size_t n_slots)
{
    put(w, "\"values\":{");
    for (size_t i = 0; i < n; i++) {
        if (i)
            put(w, ",");
        put_space(w);
        put(w, "\"");
        put(w, properties[i]);
        put(w, "\":");
        if (chance(w, w->sloppy) ? !lists : lists)
            put_list(w, n_slots, put_value, properties[i]);
        else
            put_value(w, properties[i]);
    }
    put(w, "}");
}

/* The entities 0 to 3 of a type; seldom one that has another type, or is none. */
static void put_identity(struct writer *w, const char *type)
{
    char text[200];
    snprintf(text, sizeof text, "%s-%d", chance(w, w->sloppy) ? "Load" : type, (int)oracle_random(w->seed, 4));
    put(w, "\"entity\":");
    if (chance(w, w->sloppy))
        put(w, pick(w, LIST("\"bad entity!\"", "\"\"", "1", "null", "\"\\u0041-1\"", "\"a/b:c_d.e-F\"", "\"\xc3\xa4\""),
                    NULL));
    else {
        put(w, "\"");
        put(w, text);
        put(w, "\"");
    }
    put(w, ",\"type\":\"");
    put(w, type);
    put(w, "\"");
}

static void put_range(struct writer *w, const char *type, const char *property)
{
    put(w, "{");
    put_identity(w, type);
    put(w, ",\"property\":\"");
    put(w, property);
    put(w, "\",\"delete\":true,\"from\":");
    put_time(w);
    if (!chance(w, w->sloppy)) {
        put(w, ",\"to\":");
        chance(w, 70) ? put(w, "\"2026-01-01T00:00:00Z\"") : put_time(w);
    }
    if (chance(w, w->sloppy))
        put(w, pick(w, LIST(",\"issued\":0", ",\"units\":{\"a\":\"W\"}", ",\"time\":0", ",\"values\":{}"), NULL));
    put(w, "}");
}

static void put_extras(struct writer *w, bool lists, size_t n_slots)
{
    if (chance(w, 40)) {
        put(w, ",\"period\":");
        put(w, pick(w, LIST("\"PT15M\"", "\"P1D\"", "\"PT0.5S\"", "null"),
                    LIST("\"P1M\"", "\"PT0S\"", "\"-PT1H\"", "900", "\"15m\"", "\"P99999999D\"", "\"PT\"", "\"P1Y\"")));
    }
    if (chance(w, 20)) {
        put(w, ",\"quality\":");
        if (lists && chance(w, 60))
            put_list(w, n_slots, put_one_quality, NULL);
        else
            put_one_quality(w, NULL);
    }
    if (chance(w, 20)) {
        put(w, ",\"issued\":");
        put_time(w);
    }
    if (chance(w, 10)) {
        put(w, ",\"delete\":");
        put(w, pick(w, LIST("true", "true", "false", "null"), LIST("1", "\"true\"", "{}")));
    }
    if (chance(w, w->sloppy))
        put(w, pick(w, LIST(",\"comment\":1", ",\"time\":0", ",\"entity\":\"x\"", ",\"from\":0", ",\"property\":\"a\"",
                            ",\"d\\u0065lete\":true", ",\"x\":[[[[[[[[[[[[[[1]]]]]]]]]]]]]]",
                            ",\"x\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"), NULL));
}

static void put_object(struct writer *w)
{
    const char *type = pick(w, LIST("SmartMeter", "SmartMeter", "Load", "Weather", "Battery", "Property"),
                            LIST("Toaster", "", "smartMeter"));
    const char *properties[12];
    size_t n = oracle_random(w->seed, 20) == 0 ? 12 : oracle_random(w->seed, 4);
    for (size_t i = 0; i < n; i++)
        properties[i] = pick_property(w, type);
    for (size_t i = 1; i < n && !chance(w, w->sloppy); i++) /* mostly each once */
        for (size_t k = 0; k < i; k++)
            if (strcmp(properties[i], properties[k]) == 0) {
                n = i;
                break;
            }
    if (n && chance(w, 5)) {
        put_range(w, type, properties[0]);
        return;
    }
    bool lists = chance(w, 30);
    size_t n_slots = lists ? oracle_random(w->seed, chance(w, 1) ? 400 : 6) : 1;
    put(w, "{");
    put_space(w);
    if (!chance(w, w->sloppy)) {
        put_identity(w, type);
        put(w, ",");
    }
    put(w, "\"time\":");
    lists ? put_list(w, n_slots, put_one_time, NULL) : put_time(w);
    put(w, ",");
    bool units_first = chance(w, 20);
    if (units_first) {
        put_units(w, properties, n);
        put(w, ",");
    }
    put_values(w, properties, n, lists, n_slots);
    if (!units_first && chance(w, strcmp(type, "Property") == 0 ? 80 : 20)) {
        put(w, ",");
        put_units(w, properties, n);
    }
    put_extras(w, lists, n_slots);
    put(w, "}");
}

static void put_objects(struct writer *w)
{
    if (chance(w, 15)) {
        put(w, "[");
        for (size_t n = oracle_random(w->seed, 5); n > 0; n--) {
            chance(w, w->sloppy) ? put_number(w) : put_object(w);
            put(w, n > 1 ? "," : "");
            put_space(w);
        }
        put(w, "]");
    } else {
        put_object(w);
    }
}

static void damage(struct writer *w)
{
    static const char bytes[] = "{}[]\",:\\\n 0123456789eE+-.truefalsn\x01\x7f\x80\xc3\xff";
    if (w->n == 0)
        return;
    size_t at = oracle_random(w->seed, w->n), to = oracle_random(w->seed, w->n);
    char c = bytes[oracle_random(w->seed, sizeof bytes - 1)];
    switch (oracle_random(w->seed, 5)) {
    case 0:
        w->out[at] = c;
        break;
    case 1:
        w->out[at] ^= (char)(1 << oracle_random(w->seed, 8));
        break;
    case 2: /* one less */
        memmove(w->out + at, w->out + at + 1, --w->n - at);
        break;
    case 3: /* one more */
        if (w->n < w->max) {
            memmove(w->out + at + 1, w->out + at, w->n++ - at);
            w->out[at] = c;
        }
        break;
    default:
        chance(w, 50) ? (void)(w->n = at) : (void)(w->out[at] = w->out[to]);
    }
}

size_t oracle_random_message(uint64_t *seed, char *out, size_t size_max)
{
    struct writer w = {.seed = seed, .out = out, .max = size_max};
    w.sloppy = chance(&w, 50) ? 0 : 6;
    for (size_t n = 1 + (chance(&w, 15) ? oracle_random(seed, 4) : 0); n > 0; n--) {
        put_objects(&w);
        if (n > 1 || chance(&w, 10))
            put(&w, chance(&w, w.sloppy) ? " " : chance(&w, 80) ? "\n" : "\r\n\n");
    }
    for (size_t n = chance(&w, 30) ? 1 + oracle_random(seed, 3) : 0; n > 0; n--)
        damage(&w);
    return w.n;
}
