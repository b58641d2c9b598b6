#include <config.h>

#include "normalise/asset_rules.h"

#include <stddef.h>
#include <string.h>

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))
#define RULES(array) {NULL, array, N_OF(array)}
#define ASSET {.name = "asset", .type = RULE_ASSET, .is_required = true}
#define MUST(name, type) {name, type, true, ASSET_NONE, 0}
#define MAY(name, type) {name, type, false, ASSET_NONE, 0}
#define NUMBER(name) MAY(name, RULE_NUMBER)
#define PARENT(name, kind) {name, RULE_PARENT, true, kind, 0}
#define ID MUST("id", RULE_ID)
#define PLACE(field) offsetof(struct document, field)

static const struct rule customer[] = {ASSET, ID, MAY("name", RULE_PERSONAL)};
static const struct rule location[] = {ASSET, ID, PARENT("customer", ASSET_CUSTOMER), MAY("name", RULE_PERSONAL)};
static const struct rule board[] = {ASSET, ID, PARENT("location", ASSET_LOCATION)};
static const struct rule sensor[] = {
    ASSET, ID, MUST("type", RULE_SENSOR), PARENT("board", ASSET_BOARD), MUST("entity", RULE_ENTITY), MAY("name", RULE_NAME),
    MAY("static", RULE_STATIC)};
/* Of a board (D4.1 section 4.2.4) and of district heating (4.2.2). */
static const struct rule rate[] = {
    ASSET, ID, {"board", RULE_PARENT, false, ASSET_BOARD, 0}, {"sensor", RULE_PARENT, false, ASSET_SENSOR, 0},
    {"start", RULE_TIME, true, ASSET_NONE, PLACE(start_us)}, {"end", RULE_TIME, true, ASSET_NONE, PLACE(end_us)},
    NUMBER("buyRateMT"), NUMBER("buyRateVT"), NUMBER("sellRateMT"), NUMBER("sellRateVT"), NUMBER("buyRate"), NUMBER("sellRate"),
    NUMBER("maxPowerBuy"), NUMBER("minPowerBuy"), NUMBER("maxPowerSell"), NUMBER("minPowerSell")};
static const struct rule series[] = {
    ASSET, MUST("entity", RULE_ENTITY), MUST("property", RULE_PROPERTY),
    {"cadence", RULE_DURATION, false, ASSET_NONE, PLACE(declaration.cadence_us)},
    {"maxGap", RULE_DURATION, false, ASSET_NONE, PLACE(declaration.max_gap_us)},
    {"step", RULE_BOOL, false, ASSET_NONE, PLACE(declaration.step)},
    {"registerSize", RULE_SIZE, false, ASSET_NONE, PLACE(declaration.register_size)},
    {"epsilon", RULE_SMALL, false, ASSET_NONE, PLACE(declaration.epsilon)}};
static const struct rule meter_change[] = {
    ASSET, MUST("entity", RULE_ENTITY), MUST("property", RULE_PROPERTY),
    {"time", RULE_TIME, true, ASSET_NONE, PLACE(change.t_us)}, {"end", RULE_NUMBER, true, ASSET_NONE, PLACE(change.end)},
    {"start", RULE_NUMBER, true, ASSET_NONE, PLACE(change.start)}};
static const struct rule calendar[] = {ASSET, ID, MUST("days", RULE_DAYS), MAY("tz", RULE_ZONE)};

const struct rules asset_rules[ASSET_N] = {
    [ASSET_CUSTOMER] = RULES(customer), [ASSET_LOCATION] = RULES(location), [ASSET_BOARD] = RULES(board),
    [ASSET_SENSOR] = RULES(sensor), [ASSET_RATE] = RULES(rate), [ASSET_SERIES] = RULES(series),
    [ASSET_METER_CHANGE] = RULES(meter_change), [ASSET_CALENDAR] = RULES(calendar),
};

/* ---- D4.1 section 4.2.5, by type ---- */

#define OWN_ID MAY("id", RULE_OWN_ID)

static const struct rule main_meter[] = {
    OWN_ID, NUMBER("power"), NUMBER("expectedYearlyUsageMT"), NUMBER("expectedYearlyUsageVT")};
static const struct rule heat_pump[] = {
    OWN_ID, NUMBER("turnOnCost"), MAY("isZeroOneAsset", RULE_BOOL), NUMBER("coefficientOfPerformance"),
    NUMBER("fixedRunningConst"), NUMBER("variableRunningConst"), NUMBER("minUpTime"), NUMBER("maxUpTime"),
    NUMBER("minDownTime"), NUMBER("maxDownTime")};
static const struct rule heat_storage[] = {
    OWN_ID, NUMBER("minTemperature"), NUMBER("maxTemperature"), NUMBER("lossCoefficient"),
    {"heatPumpIds", RULE_LIST, false, ASSET_SENSOR, 0}};
static const struct rule district_heating[] = {OWN_ID, NUMBER("maxPower"), NUMBER("minPower")};
static const struct rule solar[] = {
    OWN_ID, NUMBER("inclination"), NUMBER("declination"), NUMBER("latitude"), NUMBER("longitude"), NUMBER("peakPower")};
static const struct rule temperature[] = {NUMBER("maxTemperature"), NUMBER("minTemperature")};
static const struct rule charging_station[] = {OWN_ID, NUMBER("maxPower"), NUMBER("minPower")};

static const struct rules static_rules[] = {
    {"Main", main_meter, N_OF(main_meter)},
    {"HeatPump", heat_pump, N_OF(heat_pump)},
    {"HeatStorage", heat_storage, N_OF(heat_storage)},
    {"DistrictHeating", district_heating, N_OF(district_heating)},
    {"Solar", solar, N_OF(solar)},
    {"Temperature", temperature, N_OF(temperature)},
    {"ChargingStation", charging_station, N_OF(charging_station)},
};

const struct rules *asset_static_rules(const char *type, size_t size)
{
    for (size_t i = 0; i < N_OF(static_rules); i++)
        if (strlen(static_rules[i].name) == size && memcmp(static_rules[i].name, type, size) == 0)
            return &static_rules[i];
    return NULL;
}
