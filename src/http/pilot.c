#include <config.h>

#include "http/pilot.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/civil.h"
#include "common/jsontext.h"

/* ---- shapes ---- */

#define TEXT(name_, example_) {.name = name_, .form = FORM_TEXT, .example = "\"" example_ "\""}
#define ID(example_) TEXT("id", example_)
#define NUMBER(name_, example_) {.name = name_, .form = FORM_NUMBER, .may_be_null = true, .example = example_}
#define VALUE(example_) {.name = "value", .form = FORM_NUMBER, .example = example_}
#define TIME(name_, null_, example_) {.name = name_, .form = FORM_TIME, .may_be_null = null_, .example = "\"" example_ "\""}
#define MIDNIGHT "2025-03-01T00:00:00.000Z"

static const struct shape span = {
    .fields = FIELDS(TIME("start", false, MIDNIGHT), TIME("end", false, "2025-03-01T00:15:00.000Z"), VALUE("250"))};
static const struct shape point = {.fields = FIELDS(TIME("dateTime", false, MIDNIGHT), VALUE("1000.5"))};
#define SPANS(name_) {.name = name_, .form = FORM_LIST, .of = &span}
#define POINTS(name_) {.name = name_, .form = FORM_LIST, .of = &point}

const struct shape pilot_names = {.is_list = true, .fields = FIELDS(ID("c-1"), TEXT("name", "c-1"))};
const struct shape pilot_boards = {.is_list = true, .fields = FIELDS(ID("b-1"))};
const struct shape pilot_sensors = {
    .is_list = true,
    .fields = FIELDS(ID("s-1"), TEXT("type", "HeatPump"), TEXT("name", "s-1"))};
#define LIMITS                                                                                                         \
    NUMBER("maxPowerBuy", "17"), NUMBER("minPowerBuy", "0"), NUMBER("maxPowerSell", "10"), NUMBER("minPowerSell", "0")
#define WHEN TIME("start", false, MIDNIGHT), TIME("end", true, "2025-04-01T00:00:00.000Z")
const struct shape pilot_rates = {
    .is_list = true,
    .fields = FIELDS(ID("r-1"), WHEN, NUMBER("buyRateMT", "0.12"), NUMBER("buyRateVT", "0.18"), NUMBER("sellRateMT", "0.05"),
                     NUMBER("sellRateVT", "0.07"), LIMITS)};
const struct shape pilot_heating_rates = {
    .is_list = true, .fields = FIELDS(ID("r-2"), WHEN, NUMBER("buyRate", "0.09"), NUMBER("sellRate", "0"), LIMITS)};

const struct shape pilot_heat_pump_static = {
    .fields = FIELDS(ID("s-1"), NUMBER("turnOnCost", "1.5"), FIELD("isZeroOneAsset", FORM_BOOLEAN, true, NULL),
                     NUMBER("coefficientOfPerformance", "3.2"), NUMBER("fixedRunningConst", "0.1"),
                     NUMBER("variableRunningConst", "0.2"), NUMBER("minUpTime", "5"), NUMBER("maxUpTime", "60"),
                     NUMBER("minDownTime", "5"), NUMBER("maxDownTime", "600"))};
const struct shape pilot_heat_pump_dynamic = {
    .fields = FIELDS(ID("s-1"), SPANS("energy"), POINTS("power"), POINTS("calorimeterEnergy"))};
const struct shape pilot_heat_storage_static = {
    .fields = FIELDS(ID("s-2"), NUMBER("minTemperature", "40"), NUMBER("maxTemperature", "65"), NUMBER("lossCoefficient", "0.02"),
                     {.name = "heatPumpIds", .form = FORM_TEXTS, .example = "[\"s-1\"]"})};
const struct shape pilot_heat_storage_dynamic = {.fields = FIELDS(ID("s-2"), POINTS("heatStorageTemperature"))};
/* The scan of D4.1 lost the body of this one: it has what its siblings have. */
const struct shape pilot_district_heating_static = {
    .fields = FIELDS(ID("s-3"), NUMBER("maxPower", "50000"), NUMBER("minPower", "0"))};
const struct shape pilot_district_heating_dynamic = {.fields = FIELDS(ID("s-3"), SPANS("currentConsumption"))};
const struct shape pilot_solar_static = {
    .fields = FIELDS(ID("s-4"), NUMBER("inclination", "30"), NUMBER("declination", "10"), NUMBER("latitude", "45.9"),
                     NUMBER("longitude", "13.6"), NUMBER("peakPower", "9.5"))};
const struct shape pilot_solar_dynamic = {.fields = FIELDS(ID("s-4"), SPANS("energy"), POINTS("power"))};
const struct shape pilot_temperature_static = {.fields = FIELDS(NUMBER("maxTemperature", "30"), NUMBER("minTemperature", "-20"))};
const struct shape pilot_temperature_dynamic = {
    .fields = FIELDS(TIME("dateTime", true, MIDNIGHT), NUMBER("value", "21.5"))};
const struct shape pilot_charging_station_static = {
    .fields = FIELDS(ID("s-6"), NUMBER("maxPower", "22000"), NUMBER("minPower", "1400"))};
const struct shape pilot_charging_station_dynamic = {
    .fields = FIELDS(ID("s-6"), TIME("expectedChargingEndTime", true, MIDNIGHT), NUMBER("pricePerkWh", "0.25"),
                     SPANS("energy"), POINTS("power"))};
const struct shape pilot_main_meter_static = {
    .fields = FIELDS(ID("s-7"), NUMBER("power", "17"), NUMBER("expectedYearlyUsageMT", "1200"),
                     NUMBER("expectedYearlyUsageVT", "2100"))};
const struct shape pilot_main_meter = {.fields = FIELDS(ID("s-7"), SPANS("energy"), POINTS("power"))};

const struct pilot_object pilot_objects[] = {
    {"HeatPumpStatic", "HeatPump", &pilot_heat_pump_static},
    {"HeatPumpDynamic", "HeatPump", &pilot_heat_pump_dynamic},
    {"HeatStorageStatic", "HeatStorage", &pilot_heat_storage_static},
    {"HeatStorageDynamic", "HeatStorage", &pilot_heat_storage_dynamic},
    {"DistrictHeatingStatic", "DistrictHeating", &pilot_district_heating_static},
    {"DistrictHeatingDynamic", "DistrictHeating", &pilot_district_heating_dynamic},
    {"SolarStatic", "Solar", &pilot_solar_static},
    {"SolarDynamic", "Solar", &pilot_solar_dynamic},
    {"TemperatureStatic", "Temperature", &pilot_temperature_static},
    {"TemperatureDynamic", "Temperature", &pilot_temperature_dynamic},
    {"ChargingStationStatic", "ChargingStation", &pilot_charging_station_static},
    {"ChargingStationDynamic", "ChargingStation", &pilot_charging_station_dynamic},
    {"MainMeterStatic", "Main", &pilot_main_meter_static},
    {"MainMeter", "Main", &pilot_main_meter},
    {.name = NULL},
};

/* ---- finding assets ---- */

struct search {
    const char *type; /* NULL: any */
    struct pilot_asset *found;
};

static char *append(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*at, text, size);
    *at += size;
    return copy;
}

static int take(void *arg, const struct asset *asset)
{
    struct search *search = arg;
    struct pilot_asset *found = search->found;
    if (search->type && strcmp(asset->type, search->type))
        return 0;
    size_t size = strlen(asset->kind) + strlen(asset->id) + strlen(asset->type) + strlen(asset->entity) +
                  strlen(asset->parent_kind) + strlen(asset->parent) + strlen(asset->document) + 7;
    char *at = found->memory = malloc(size);
    if (!at)
        return ERR_NOMEM;
    found->asset = *asset;
    found->asset.kind = append(&at, asset->kind);
    found->asset.id = append(&at, asset->id);
    found->asset.type = append(&at, asset->type);
    found->asset.entity = append(&at, asset->entity);
    found->asset.parent_kind = append(&at, asset->parent_kind);
    found->asset.parent = append(&at, asset->parent);
    found->asset.document = append(&at, asset->document);
    return 1;
}

static int find(struct reader_dir *dir, const struct asset_filter *filter, const char *type, struct pilot_asset *ret_asset,
                struct err_text *error)
{
    *ret_asset = (struct pilot_asset){0};
    struct search search = {type, ret_asset};
    return assets_each(dir, filter, take, &search, error);
}

int pilot_find(struct reader_dir *dir, const char *kind, const char *id, struct pilot_asset *ret_asset, struct err_text *error)
{
    return find(dir, &(struct asset_filter){.kind = kind, .id = id}, NULL, ret_asset, error);
}

int pilot_first(struct reader_dir *dir, const char *kind, const char *type, struct pilot_asset *ret_asset, struct err_text *error)
{
    return find(dir, &(struct asset_filter){.kind = kind}, type, ret_asset, error);
}

void pilot_free(struct pilot_asset *asset)
{
    free(asset->memory);
    *asset = (struct pilot_asset){0};
}

int pilot_take_sensor(const struct request *request, const struct pilot_object **ret_object, struct pilot_asset *ret_sensor,
                      struct err_text *error)
{
    const char *name = strrchr(request->route->path, '/') + 1;
    const struct pilot_object *object = pilot_objects;
    struct pilot_asset sensor;
    while (strcmp(object->name, name))
        object++;
    int rc = pilot_find(request->dir, "Sensor", request->id, &sensor, error);
    if (!rc)
        rc = err_set(error, ERR_NOTFOUND, "there is no Sensor \"%.128s\": /api/Location/{locationId}/Sensors lists those of a "
                     "location", request->id);
    else if (rc > 0 && strcmp(sensor.asset.type, object->type))
        rc = err_set(error, ERR_NOTFOUND, "the Sensor \"%.128s\" is of type %.64s; %s is of sensors of type %s", request->id,
                     sensor.asset.type, name, object->type);
    if (rc < 0) {
        pilot_free(&sensor);
        return rc;
    }
    *ret_object = object;
    *ret_sensor = sensor;
    return 0;
}

/* ---- members of documents ---- */

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

/* Behind a text that begins with its quote. */
static const char *skip_text(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        at += *at == '\\';
    return at < end ? at + 1 : end;
}

/* Behind any value. */
static const char *skip_value(const char *at, const char *end)
{
    size_t depth = 0;
    while (at < end) {
        if (*at == '"') {
            at = skip_text(at, end);
        } else if (*at == '{' || *at == '[') {
            depth++;
            at++;
        } else if (depth && (*at == '}' || *at == ']')) {
            depth--;
            at++;
        } else if (!depth && strchr(",}] \t\r\n", *at)) {
            return at;
        } else {
            at++;
            continue;
        }
        if (!depth)
            return at;
    }
    return end;
}

/* The text of a JSON string, for the caller to free; NULL where it is none. */
static char *decode(const char *text, size_t size)
{
    json_t *value = json_loadb(text, size, JSON_DECODE_ANY, NULL);
    char *copy = json_is_string(value) ? strdup(json_string_value(value)) : NULL;
    json_decref(value);
    return copy;
}

static bool is_name(const char *text, size_t size, const char *name)
{
    if (!memchr(text, '\\', size))
        return size == strlen(name) + 2 && !memcmp(text + 1, name, size - 2);
    char *plain = decode(text, size);
    bool same = plain && !strcmp(plain, name);
    free(plain);
    return same;
}

const char *pilot_member(const char *object, size_t size, const char *name, size_t *ret_size)
{
    const char *end = object + size, *at = skip_blanks(object, end);
    for (at += at < end; (at = skip_blanks(at, end)) < end && *at == '"';) {
        const char *behind = skip_text(at, end), *value = skip_blanks(behind, end);
        value = skip_blanks(value + (value < end), end);
        const char *value_end = skip_value(value, end);
        if (is_name(at, (size_t)(behind - at), name)) {
            *ret_size = (size_t)(value_end - value);
            return value;
        }
        at = skip_blanks(value_end, end);
        at += at < end;
    }
    return NULL;
}

/* ---- printing ---- */

void pilot_put_name(struct buf *out, const struct asset *asset)
{
    size_t size = 0;
    bool is_sensor = !strcmp(asset->kind, "Sensor");
    const char *name = is_sensor ? pilot_member(asset->document, strlen(asset->document), "name", &size) : NULL;
    if (name && *name == '"')
        buf_put(out, name, size);
    else
        jsontext_put(out, asset->id);
}

void pilot_put_time(struct buf *out, int64_t t_us)
{
    struct civil civil;
    civil_from_us(t_us, &civil);
    buf_printf(out, "\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\"", civil.year, civil.month, civil.day, civil.hour, civil.minute,
               civil.second, civil.us / 1000);
}

static void put_time(struct buf *out, const char *text, size_t size)
{
    int64_t t_us;
    char *plain = decode(text, size);
    if (plain && !civil_parse_rfc3339(plain, strlen(plain), &t_us))
        pilot_put_time(out, t_us);
    else
        buf_puts(out, "null");
    free(plain);
}

static void put_field(struct buf *out, const struct shape_field *field, const struct asset *asset, const char *value, size_t size)
{
    if (!strcmp(field->name, "id"))
        jsontext_put(out, asset->id);
    else if (!strcmp(field->name, "type"))
        jsontext_put(out, asset->type);
    else if (!strcmp(field->name, "name"))
        pilot_put_name(out, asset);
    else if (!value)
        buf_puts(out, field->form == FORM_TEXTS ? "[]" : "null");
    else if (field->form == FORM_TIME)
        put_time(out, value, size);
    else
        buf_put(out, value, size);
}

void pilot_put_object(struct buf *out, const struct shape *shape, const struct asset *asset, const char *object, size_t size)
{
    for (const struct shape_field *field = shape->fields; field->name; field++) {
        size_t value_size = 0;
        const char *value = object ? pilot_member(object, size, field->name, &value_size) : NULL;
        buf_printf(out, "%s\"%s\":", field == shape->fields ? "{" : ",", field->name);
        put_field(out, field, asset, value, value_size);
    }
    buf_putc(out, '}');
}
