#include <config.h>

#include "test.h"

#include <stdio.h>

#include "common/hash.h"
#include "model/registry.h"
#include "models.h"

static struct registry *registry;

static int make_registry(void **state)
{
    (void)state;
    registry = models_registry();
    return 0;
}

static int drop_registry(void **state)
{
    (void)state;
    registry_free(registry);
    return 0;
}

static enum refusal_reason find_entity(const char *name, const char *type, struct entity **ret_entity)
{
    enum refusal_reason reason = REFUSED_NOT;
    int r = registry_entity(registry, name, strlen(name), type, strlen(type), ret_entity, &reason);
    assert_int_equal(r, reason ? ERR_INVALID : 0);
    return reason;
}

static enum refusal_reason find_series(struct entity *entity, const char *property, const char *unit,
                                       struct series **ret_series, const struct unit **ret_from)
{
    enum refusal_reason reason = REFUSED_NOT;
    int r = registry_series(registry, entity, property, strlen(property), unit, unit ? strlen(unit) : 0, ret_series,
                            ret_from, &reason);
    assert_int_equal(r, reason ? ERR_INVALID : 0);
    return reason;
}

/* The series of an entity of a type, which must be allowed. */
static struct series *series_of(const char *name, const char *type, const char *property, const char *unit)
{
    struct entity *entity;
    struct series *series;
    const struct unit *from;
    assert_int_equal(find_entity(name, type, &entity), REFUSED_NOT);
    assert_int_equal(find_series(entity, property, unit, &series, &from), REFUSED_NOT);
    return series;
}

static void every_model_of_the_contract_is_known(void **state)
{
    static const struct {
        const char *type, *property, *unit;
        enum kind kind;
    } wanted[] = {
        {"SmartMeter", "activeEnergyImport", "Wh", KIND_COUNTER}, {"SmartMeter", "voltageL1", "V", KIND_GAUGE},
        {"MainMeter", "activePowerL3", "W", KIND_GAUGE}, {"MainMeter", "tariff", "", KIND_STATE},
        {"EnergyMeter", "activeEnergyNight", "Wh", KIND_COUNTER},
        {"EnergyMeter", "reactiveEnergy", "varh", KIND_INTERVAL}, {"EnergyMeter", "powerFactor", "1", KIND_GAUGE},
        {"HeatMeter", "thermalEnergy", "Wh", KIND_COUNTER}, {"HeatMeter", "outputTemperature", "degC", KIND_GAUGE},
        {"Generation", "totalYield", "Wh", KIND_COUNTER}, {"Battery", "stateOfCharge", "%", KIND_GAUGE},
        {"HeatStorage", "volume", "m3", KIND_GAUGE}, {"ElectricVehicle", "stateOfCharge", "%", KIND_GAUGE},
        {"ChargingStation", "price", "EUR/kWh", KIND_GAUGE}, {"HeatPump", "calorimeterEnergy", "Wh", KIND_COUNTER},
        {"Load", "energy", "Wh", KIND_INTERVAL}, {"Weather", "precipitation", "mm", KIND_INTERVAL},
        {"Weather", "windDirection", "deg", KIND_GAUGE}, {"Weather", "solarRadiation", "W/m2", KIND_GAUGE},
        {"Calendar", "dayType", "", KIND_STATE}, {"HeatingController", "gasConsumption", "m3", KIND_COUNTER},
        {"LivingUnit", "districtHeatingFlow", "m3/h", KIND_GAUGE},
        {"BuildingManagement", "zoneHumidity", "%", KIND_GAUGE},
        {"DistrictHeating", "consumption", "Wh", KIND_INTERVAL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        struct series *series = series_of(wanted[i].type, wanted[i].type, wanted[i].property, NULL);
        assert_string_equal(series->unit_text, wanted[i].unit);
        assert_int_equal(series->kind, wanted[i].kind);
        assert_int_equal(series->unit == NULL, wanted[i].kind == KIND_STATE);
    }
}

static void an_entity_keeps_the_type_of_its_first_series(void **state)
{
    (void)state;
    struct entity *entity, *again;
    series_of("m-1", "SmartMeter", "voltage", NULL);
    assert_int_equal(find_entity("m-1", "SmartMeter", &entity), REFUSED_NOT);
    assert_string_equal(entity_name(entity), "m-1");
    assert_string_equal(entity_type(entity), "SmartMeter");
    assert_int_equal(find_entity("m-1", "Load", &again), REFUSED_TYPE);
    assert_int_equal(find_entity("m-2", "Toaster", &again), REFUSED_TYPE);
    assert_int_equal(find_entity("m-3", "Load", &again), REFUSED_NOT); /* no series was made: */
    assert_int_equal(find_entity("m-3", "SmartMeter", &again), REFUSED_NOT);
}

static void names_of_entities_have_a_grammar(void **state)
{
    static const char *const bad[] = {"", "a b", "a!", "\xc3\xa4", "a\n", "a\"", "a,b"};
    char name[130];
    struct entity *entity;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(find_entity(bad[i], "Load", &entity), REFUSED_ENTITY);
    memset(name, 'x', sizeof name);
    name[129] = '\0';
    assert_int_equal(find_entity(name, "Load", &entity), REFUSED_ENTITY);
    name[128] = '\0';
    assert_int_equal(find_entity(name, "Load", &entity), REFUSED_NOT);
    assert_int_equal(find_entity("AZaz09._:/-", "Load", &entity), REFUSED_NOT);
}

static void a_unit_is_canonical_or_converts_or_is_refused(void **state)
{
    struct entity *entity;
    struct series *series;
    const struct unit *from;
    (void)state;
    assert_int_equal(find_entity("m-1", "SmartMeter", &entity), REFUSED_NOT);
    assert_int_equal(find_series(entity, "energy", "Wh", &series, &from), REFUSED_NOT);
    assert_null(from);
    assert_int_equal(find_series(entity, "energy", "WHR", &series, &from), REFUSED_NOT);
    assert_null(from);
    assert_int_equal(find_series(entity, "energy", "KWH", &series, &from), REFUSED_NOT);
    assert_string_equal(from->name, "kWh");
    assert_int_equal(find_series(entity, "energy", "W", &series, &from), REFUSED_UNIT);
    assert_int_equal(find_series(entity, "energy", "furlong", &series, &from), REFUSED_UNIT);
    assert_int_equal(find_series(entity, "voltage", "kWh", &series, &from), REFUSED_UNIT);
    assert_int_equal(find_series(entity, "tariff", "1", &series, &from), REFUSED_UNIT);
    assert_int_equal(find_series(entity, "warp", NULL, &series, &from), REFUSED_PROPERTY);
    assert_int_equal(find_series(entity, "voltageL4", NULL, &series, &from), REFUSED_PROPERTY);
    assert_int_equal(find_series(entity, "", NULL, &series, &from), REFUSED_PROPERTY);
    assert_int_equal(registry_n_series(registry), 1);
}

static void an_open_type_takes_any_name_with_a_unit_the_first_time(void **state)
{
    struct entity *entity;
    struct series *series;
    const struct unit *from;
    (void)state;
    assert_int_equal(find_entity("p", "Property", &entity), REFUSED_NOT);
    assert_int_equal(find_series(entity, "co2", NULL, &series, &from), REFUSED_UNIT);
    assert_int_equal(find_series(entity, "a\nb", "W", &series, &from), REFUSED_PROPERTY);
    assert_int_equal(find_series(entity, "co2", "ppm", &series, &from), REFUSED_NOT);
    assert_string_equal(series->unit_text, "ppm");
    assert_null(series->unit);
    assert_int_equal(series->kind, KIND_GAUGE);
    assert_int_equal(find_series(entity, "co2", NULL, &series, &from), REFUSED_NOT);
    assert_int_equal(find_series(entity, "co2", "ppm", &series, &from), REFUSED_NOT);
    assert_int_equal(find_series(entity, "co2", "1", &series, &from), REFUSED_UNIT);
    assert_int_equal(find_series(entity, "fridge", "KWT", &series, &from), REFUSED_NOT);
    assert_string_equal(series->unit_text, "kW");
    assert_null(from);
    assert_int_equal(find_series(entity, "fridge", "W", &series, &from), REFUSED_NOT);
    assert_string_equal(from->name, "W");
}

static void loaded_series_are_persisted_and_new_ones_are_not(void **state)
{
    (void)state;
    assert_int_equal(registry_load_series(registry, 41, "m-1", "SmartMeter", "voltage", "V", KIND_GAUGE, false), 0);
    assert_int_equal(registry_load_series(registry, 7, "m-1", "SmartMeter", "old", "W", KIND_COUNTER, true), 0);
    assert_int_equal(registry_load_series(registry, 8, "p", "Property", "co2", "ppm", KIND_GAUGE, false), 0);
    assert_int_equal(registry_load_series(registry, 9, "p", "Property", "co2", "ppm", KIND_GAUGE, false), ERR_EXISTS);
    assert_int_equal(registry_load_series(registry, 9, "x", "Toaster", "co2", "ppm", KIND_GAUGE, false), ERR_INVALID);
    assert_int_equal(registry_load_series(registry, 9, "p", "Load", "energy", "Wh", KIND_INTERVAL, false), ERR_INVALID);
    assert_int_equal(registry_n_persisted(registry), 3);
    assert_int_equal(series_of("m-1", "SmartMeter", "voltage", NULL)->id, 41);
    struct series *old = series_of("m-1", "SmartMeter", "old", "kW"); /* the catalog's word holds */
    assert_int_equal(old->id, 7);
    assert_true(old->step && old->kind == KIND_COUNTER);
    assert_int_equal(series_of("p", "Property", "co2", NULL)->id, 8);
    struct series *fresh = series_of("m-1", "SmartMeter", "current", NULL);
    assert_int_equal(fresh->id, 0);
    assert_int_equal(fresh->index, 3);
    assert_ptr_equal(registry_at(registry, 3), fresh);
    assert_int_equal(registry_n_persisted(registry), 3);
    registry_persisted(registry, 4);
    assert_int_equal(registry_n_persisted(registry), 4);
}

static void what_is_forgotten_leaves_no_trace(void **state)
{
    struct entity *entity;
    (void)state;
    series_of("m-1", "SmartMeter", "voltage", NULL);
    series_of("m-1", "SmartMeter", "current", NULL);
    series_of("p", "Property", "co2", "ppm");
    series_of("p", "Property", "o2", "ppm");
    registry_forget(registry, 1);
    assert_int_equal(registry_n_series(registry), 1);
    assert_int_equal(find_entity("p", "Load", &entity), REFUSED_NOT);
    assert_int_equal(series_of("m-1", "SmartMeter", "voltage", NULL)->index, 0);
    assert_int_equal(series_of("m-1", "SmartMeter", "current", NULL)->index, 1);
    assert_int_equal(series_of("m-1", "SmartMeter", "voltage", NULL)->index, 0);
    registry_persisted(registry, 2);
    registry_forget(registry, 0); /* what is persisted stays */
    assert_int_equal(registry_n_series(registry), 2);
}

/* Makes, finds and forgets at random, beside a plain list. */
static void it_agrees_with_a_plain_list(void **state)
{
    enum { N = 3000, ENTITIES = 40, PROPERTIES = 60 };
    static int list[N + 1][2];
    uint32_t seed = 12345;
    size_t n = 0;
    (void)state;
    for (int round = 0; round < 40000; round++) {
        seed = seed * 1664525 + 1013904223;
        int e = (int)(seed >> 8) % ENTITIES, p = (int)(seed >> 16) % PROPERTIES;
        char name[32], property[32];
        snprintf(name, sizeof name, "entity/%d", e);
        snprintf(property, sizeof property, "property %d", p);
        if (seed % 7 == 0) {
            n = n > 5 ? n - 5 : 0;
            registry_forget(registry, n);
        } else {
            size_t i = 0;
            while (i < n && (list[i][0] != e || list[i][1] != p))
                i++;
            if (i == n) {
                list[n][0] = e;
                list[n++][1] = p;
            }
            assert_int_equal(series_of(name, "Property", property, "ppm")->index, i);
        }
        assert_int_equal(registry_n_series(registry), n);
    }
}

static void a_series_takes_at_most_300_bytes(void **state)
{
    char name[64];
    (void)state;
    size_t before = registry_memory_bytes(registry);
    for (int i = 0; i < 70000; i++) { /* just after the tables have grown; one series an entity is the worst case */
        snprintf(name, sizeof name, "building-%05d/meter", i);
        series_of(name, "Property", "activePower", "W");
    }
    size_t bytes = (registry_memory_bytes(registry) - before) / 70000;
    if (bytes > 300 - 32) /* the allocator takes some 16 bytes of its own for each of the two blocks */
        fail_msg("%zu bytes a series", bytes);
}

static void models_refuse_what_does_not_fit(void **state)
{
    (void)state;
    assert_int_equal(registry_add_type(registry, "Load", false), ERR_EXISTS);
    assert_int_equal(registry_add_type(registry, "", false), ERR_INVALID);
    assert_int_equal(registry_add_property(registry, "Load", "energy", "Wh", KIND_INTERVAL, false, false), ERR_EXISTS);
    assert_int_equal(registry_add_property(registry, "Toaster", "heat", "W", KIND_GAUGE, false, false), ERR_INVALID);
    assert_int_equal(registry_add_property(registry, "Load", "heat", "furlong", KIND_GAUGE, false, false),
                     ERR_INVALID);
    assert_int_equal(registry_add_property(registry, "Load", "mode", "W", KIND_STATE, false, false), ERR_INVALID);
    assert_int_equal(registry_add_property(registry, "Load", "mode", "", KIND_STATE, false, false), 0);
    enum kind kind;
    assert_int_equal(kind_parse("counter", &kind), 0);
    assert_int_equal(kind, KIND_COUNTER);
    assert_int_equal(kind_parse("count", &kind), ERR_INVALID);
    assert_string_equal(kind_name(KIND_INTERVAL), "interval");
    assert_string_equal(refusal_name(REFUSED_EXPIRED), "expired");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make_registry, drop_registry)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(every_model_of_the_contract_is_known),
        CASE(an_entity_keeps_the_type_of_its_first_series),
        CASE(names_of_entities_have_a_grammar),
        CASE(a_unit_is_canonical_or_converts_or_is_refused),
        CASE(an_open_type_takes_any_name_with_a_unit_the_first_time),
        CASE(loaded_series_are_persisted_and_new_ones_are_not),
        CASE(what_is_forgotten_leaves_no_trace),
        CASE(it_agrees_with_a_plain_list),
        CASE(a_series_takes_at_most_300_bytes),
        CASE(models_refuse_what_does_not_fit),
    };
    if (hash_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
