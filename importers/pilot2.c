/* Pulls the history of another Pilot 2 API (BRIGHT D4.1, section 4.2): customers, their locations, their sensors, and what each
 * sensor measured, a day a request. Numbers keep their digits.
 *
 * A Temperature is one object, the newest value of the asked time: so it is asked hour by hour. */
#include <config.h>

#include "importers/importer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/civil.h"
#include "importers/fetch.h"

#define ID_BYTES 256
#define IDS_MAX 1000000
#define PATH_BYTES 1024

/* What a list of a sensor's object has, and as which property it comes back. */
struct list {
    const char *name, *property;
    bool spans; /* {start, end, value}, amounts; else {dateTime, value} */
};

static const struct sensor_kind {
    const char *kind, *object, *type;
    struct list lists[3];
    bool is_single; /* the object is one {dateTime, value}, of property lists[0] */
} sensor_kinds[] = {
    {"Main", "MainMeter", "MainMeter", {{"energy", "energy", true}, {"power", "activePower", false}}, false},
    {"HeatPump", "HeatPumpDynamic", "HeatPump",
     {{"energy", "energy", true}, {"power", "activePower", false}, {"calorimeterEnergy", "calorimeterEnergy", false}}, false},
    {"HeatStorage", "HeatStorageDynamic", "HeatStorage", {{"heatStorageTemperature", "temperature", false}}, false},
    {"DistrictHeating", "DistrictHeatingDynamic", "DistrictHeating", {{"currentConsumption", "consumption", true}}, false},
    {"Solar", "SolarDynamic", "Generation", {{"energy", "energy", true}, {"power", "activePower", false}}, false},
    {"Temperature", "TemperatureDynamic", "Weather", {{"", "temperature", false}}, true},
    {"ChargingStation", "ChargingStationDynamic", "ChargingStation",
     {{"energy", "energy", true}, {"power", "chargingPower", false}}, false},
};
#define N_KINDS (sizeof sensor_kinds / sizeof *sensor_kinds)

struct ids {
    char (*rows)[ID_BYTES];
    size_t n, cap;
};

struct pilot2 {
    const struct importing *importing;
    struct err_text *error;
    struct fetch *fetch;
    int64_t line; /* counts requests */
};

/* ---- lists of ids ---- */

static int add_id(struct ids *ids, const char *id)
{
    size_t size = strlen(id) + 1;
    if (ids->n == IDS_MAX || size > ID_BYTES)
        return ERR_LIMIT;
    if (array_grow(&ids->rows, &ids->cap, ids->n + 1, sizeof *ids->rows) < 0)
        return ERR_NOMEM;
    memcpy(ids->rows[ids->n++], id, size);
    return 0;
}

/* GET of what path and its id name; the tokens of the answer, which has to be a list. */
static int get_list(struct pilot2 *pilot2, const char *before, const char *id, const char *behind,
                    const struct scanner **ret_scanner)
{
    struct buf path = {0};
    buf_puts(&path, before);
    fetch_put(&path, id);
    buf_puts(&path, behind);
    buf_putc(&path, '\0');
    pilot2->line++;
    int code = path.failed ? ERR_NOMEM
                           : fetch_json(pilot2->fetch, (const char *)path.data, ret_scanner, pilot2->error);
    if (code == 0 && (*ret_scanner)->tokens[0].type != TOKEN_ARRAY)
        code = err_set(pilot2->error, ERR_CORRUPT, "\"%s\" is not answered with a list", (const char *)path.data);
    buf_free(&path);
    return code;
}

/* Hands each element's id and type on, as a row of ids: the type, a newline and the id. */
static int collect(struct pilot2 *pilot2, const struct scanner *scanner, bool typed, struct ids *ids)
{
    const struct token *tokens = scanner->tokens;
    char id[ID_BYTES], type[32] = "", row[ID_BYTES + sizeof type];
    int code = 0;
    for (uint32_t i = 1; i < tokens[0].next && code == 0; i = tokens[i].next) {
        bool good = fetch_text(scanner, fetch_member(scanner, i, "id"), id, sizeof id) &&
                    (!typed || fetch_text(scanner, fetch_member(scanner, i, "type"), type, sizeof type));
        int n = snprintf(row, sizeof row, "%s%s%s", type, typed ? "\n" : "", id);
        if (good && n < ID_BYTES)
            code = add_id(ids, row);
        else
            code = importing_refuse(pilot2->importing, pilot2->line, REFUSED_FIELD, "an element %u without an id%s", i,
                                    typed ? " and a type" : "");
    }
    return code;
}

/* ---- values ---- */

static bool read_time(const struct scanner *scanner, uint32_t token, int64_t *ret_t_us)
{
    const struct token *found = &scanner->tokens[token];
    return token && found->type == TOKEN_STRING &&
           civil_parse_rfc3339(token_text(scanner, found), found->size, ret_t_us) == 0;
}

static int take_element(struct pilot2 *pilot2, const struct scanner *scanner, uint32_t element, const struct list *list,
                        struct observation *observation)
{
    const struct importing *importing = pilot2->importing;
    char value[IMPORT_NUMBER_BYTES];
    int64_t end_us = 0;
    int code = importing->row(importing->arg);
    if (code != 0)
        return code;
    uint32_t token = fetch_member(scanner, element, "value");
    bool timed = read_time(scanner, fetch_member(scanner, element, list->spans ? "start" : "dateTime"), &observation->time_us) &&
                 (!list->spans || read_time(scanner, fetch_member(scanner, element, "end"), &end_us));
    if (!timed || (list->spans && end_us <= observation->time_us))
        return importing_refuse(importing, pilot2->line, REFUSED_TIME, "an element of \"%s\" without its times", list->name);
    if (!token || scanner->tokens[token].type != TOKEN_NUMBER || !fetch_text(scanner, token, value, sizeof value))
        return importing_refuse(importing, pilot2->line, REFUSED_NUMBER, "an element of \"%s\" without a number", list->name);
    observation->property = list->property;
    observation->period_us = list->spans ? end_us - observation->time_us : 0;
    observation->value = value;
    return importing->value(importing->arg, observation);
}

static int take_list(struct pilot2 *pilot2, const struct scanner *scanner, const struct list *list,
                     struct observation *observation)
{
    const struct token *tokens = scanner->tokens;
    uint32_t found = fetch_member(scanner, 0, list->name);
    if (!found || tokens[found].type == TOKEN_NULL)
        return 0;
    if (tokens[found].type != TOKEN_ARRAY)
        return importing_refuse(pilot2->importing, pilot2->line, REFUSED_FIELD, "\"%s\" is no list", list->name);
    int code = 0;
    for (uint32_t i = found + 1; i < tokens[found].next && code == 0; i = tokens[i].next)
        code = take_element(pilot2, scanner, i, list, observation);
    return code;
}

static int take_object(struct pilot2 *pilot2, const struct scanner *scanner, const struct sensor_kind *kind,
                       const char *entity)
{
    struct observation observation = {.entity = entity, .type = kind->type, .unit = "", .issued_us = ISSUED_NONE,
                                      .quality = QUALITY_MEASURED, .line = pilot2->line};
    int code = 0;
    uint32_t value = kind->is_single ? fetch_member(scanner, 0, "value") : 0;
    if (value && scanner->tokens[value].type != TOKEN_NULL)
        code = take_element(pilot2, scanner, 0, &kind->lists[0], &observation);
    for (size_t i = 0; !kind->is_single && i < 3 && kind->lists[i].name && code == 0; i++)
        code = take_list(pilot2, scanner, &kind->lists[i], &observation);
    return code;
}

/* ---- sensors ---- */

static void put_time(struct buf *path, const char *name, int64_t t_us)
{
    char text[CIVIL_TEXT_MAX];
    buf_printf(path, "%s=%.*s&", name, (int)civil_print_rfc3339(text, t_us, 0, true), text);
}

static int pull_part(struct pilot2 *pilot2, const struct sensor_kind *kind, const char *id, int64_t from_us, int64_t to_us)
{
    const struct import_opts *opts = pilot2->importing->opts;
    char entity[LIMIT_ENTITY_BYTES + 1], text[CIVIL_TEXT_MAX];
    struct duration step = {.us = opts->step_us};
    const struct scanner *scanner;
    struct buf path = {0};
    buf_puts(&path, "/api/Sensor/");
    fetch_put(&path, id);
    buf_printf(&path, "/%s?", kind->object);
    put_time(&path, "from", from_us);
    put_time(&path, "to", to_us);
    buf_printf(&path, "step=%.*s", (int)civil_print_duration(text, &step), text);
    buf_putc(&path, '\0');
    pilot2->line++;
    importer_entity("pilot2", id, entity);
    int code = path.failed ? ERR_NOMEM : fetch_json(pilot2->fetch, (const char *)path.data, &scanner, pilot2->error);
    buf_free(&path);
    return code == 0 ? take_object(pilot2, scanner, kind, entity) : code;
}

static int pull_sensor(struct pilot2 *pilot2, const char *type, const char *id)
{
    const struct import_opts *opts = pilot2->importing->opts;
    const struct sensor_kind *kind = NULL;
    for (size_t i = 0; i < N_KINDS; i++)
        if (strcmp(sensor_kinds[i].kind, type) == 0)
            kind = &sensor_kinds[i];
    if (!kind)
        return importing_refuse(pilot2->importing, pilot2->line, REFUSED_TYPE, "a sensor of a type that D4.1 does not have");
    int64_t part_us = kind->is_single ? US_PER_HOUR : US_PER_DAY;
    int code = 0;
    for (int64_t from_us = opts->from_us; from_us < opts->to_us && code == 0; from_us += part_us) {
        int64_t to_us = from_us + part_us < opts->to_us ? from_us + part_us : opts->to_us;
        code = pull_part(pilot2, kind, id, from_us, to_us);
    }
    return code;
}

static int pull_all(struct pilot2 *pilot2)
{
    struct ids customers = {0}, locations = {0}, sensors = {0};
    const struct scanner *scanner;
    int code = get_list(pilot2, "/api/Customer/Get", "", "", &scanner);
    if (code == 0)
        code = collect(pilot2, scanner, false, &customers);
    for (size_t i = 0; i < customers.n && code == 0; i++) {
        code = get_list(pilot2, "/api/Customer/", customers.rows[i], "/Locations", &scanner);
        if (code == 0)
            code = collect(pilot2, scanner, false, &locations);
    }
    for (size_t i = 0; i < locations.n && code == 0; i++) {
        code = get_list(pilot2, "/api/Location/", locations.rows[i], "/Sensors", &scanner);
        if (code == 0)
            code = collect(pilot2, scanner, true, &sensors);
    }
    for (size_t i = 0; i < sensors.n && code == 0; i++) {
        char *type = sensors.rows[i], *id = strchr(type, '\n');
        *id++ = '\0';
        code = pull_sensor(pilot2, type, id);
    }
    free(customers.rows);
    free(locations.rows);
    free(sensors.rows);
    return code;
}

static int run(const struct importing *importing, struct err_text *error)
{
    struct pilot2 pilot2 = {.importing = importing, .error = error};
    int code = fetch_open(importing->source, importing->opts, &pilot2.fetch, error);
    if (code == 0)
        code = pull_all(&pilot2);
    fetch_close(pilot2.fetch);
    return code;
}

const struct importer importer_pilot2 = {
    .kind = "pilot2", .summary = "the history of another Pilot 2 API, over HTTPS", .pulls = true, .run = run};
