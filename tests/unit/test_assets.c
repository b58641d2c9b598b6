#include <config.h>

#include "../lib/random.h"
#include "../lib/test.h"

#include <stdio.h>

#include "common/civil.h"
#include "common/clock.h"
#include "common/hash.h"
#include "normalise/assets.h"

#define SINCE_MS INT64_C(1740787200123)

static struct asset_checker *checker;
static struct documents documents;

static int make_checker(void **state)
{
    (void)state;
    assert_int_equal(hash_init(), 0);
    checker = asset_checker_new();
    assert_non_null(checker);
    return 0;
}

static int drop_checker(void **state)
{
    (void)state;
    asset_checker_free(checker);
    documents_free(&documents);
    return 0;
}

static void check(const char *text)
{
    struct document_message message = {.topic = "assets", .place = {.known_ms = SINCE_MS, .partition = 1, .offset = 7},
                                       .value = text, .size = strlen(text)};
    documents_clear(&documents);
    assert_int_equal(assets_check(checker, &message, &documents), 0);
}

static const struct document *accepted(const char *text)
{
    check(text);
    if (documents.n_refusals)
        fail_msg("%s: refused: %s", text, documents.refusals[0].detail);
    assert_int_equal(documents.n, 1);
    const struct document *row = &documents.rows[0];
    assert_int_equal(row->text_size, strlen(text));
    assert_memory_equal(documents.bytes.data + row->text_at, text, row->text_size);
    return row;
}

/* Refused for the reason, with all of these in the detail; a list that NULL ends. */
static void refused(const char *text, enum refusal_reason reason, const char *first, const char *second)
{
    check(text);
    assert_int_equal(documents.n, 0);
    assert_int_equal(documents.n_references, 0);
    assert_int_equal(documents.n_refusals, 1);
    const struct document_refusal *refusal = &documents.refusals[0];
    if (refusal->reason != reason || !strstr(refusal->detail, first) || (second && !strstr(refusal->detail, second)))
        fail_msg("%s: %s: %s", text, refusal_name(refusal->reason), refusal->detail);
}

static void assert_decimal(struct decimal value, int64_t m, int e)
{
    assert_true(decimal_compare(value, (struct decimal){m, (int8_t)e}) == 0);
}

static void assert_reference(const struct document *row, size_t i, enum asset_kind kind, const char *id, const char *field)
{
    assert_true(i < row->n_references);
    const struct document_reference *reference = &documents.references[row->references_at + i];
    assert_int_equal(reference->kind, kind);
    assert_string_equal(reference->id, id);
    assert_string_equal(reference->field, field);
}

/* ---- every kind ---- */

static void documents_of_the_contract_are_accepted_as_they_stand_there(void **state)
{
    (void)state;
    const struct document *row = accepted("{\"asset\":\"Customer\",\"id\":\"c-1\"}");
    assert_int_equal(row->kind, ASSET_CUSTOMER);
    assert_string_equal(row->id, "c-1");
    assert_int_equal(row->n_references, 0);
    row = accepted("{\"asset\":\"Location\",\"id\":\"l-1\",\"customer\":\"c-1\"}");
    assert_int_equal(row->parent_kind, ASSET_CUSTOMER);
    assert_string_equal(row->parent, "c-1");
    assert_reference(row, 0, ASSET_CUSTOMER, "c-1", "customer");
    row = accepted("{\"asset\":\"MainDistributionBoard\",\"id\":\"b-1\",\"location\":\"l-1\"}");
    assert_reference(row, 0, ASSET_LOCATION, "l-1", "location");
    row = accepted("{\"asset\":\"Calendar\",\"id\":\"SI\","
                   "\"days\":{\"2025-01-01\":\"publicHoliday\",\"2025-01-02\":\"publicHoliday\"}}");
    assert_string_equal(row->id, "SI");
    row = accepted("{\"asset\":\"Rate\",\"id\":\"r-1\",\"board\":\"b-1\",\"start\":\"2025-03-01T00:00:00Z\","
                   "\"end\":\"2025-04-01T00:00:00Z\",\"buyRateMT\":0.12,\"buyRateVT\":0.18}");
    assert_int_equal(row->start_us, INT64_C(1740787200000000));
    assert_reference(row, 0, ASSET_BOARD, "b-1", "board");
}

static void declarations_keep_the_digits_of_their_numbers(void **state)
{
    (void)state;
    const struct document *row = accepted(
        "{\"asset\":\"Series\",\"entity\":\"p2-meter-0142\",\"property\":\"activePower\",\"cadence\":\"PT1S\","
        "\"maxGap\":\"PT1M\",\"step\":false,\"registerSize\":null,\"epsilon\":0}");
    assert_string_equal(row->id, "p2-meter-0142 activePower");
    assert_int_equal(row->declaration.cadence_us, US_PER_SECOND);
    assert_int_equal(row->declaration.max_gap_us, US_PER_MINUTE);
    assert_int_equal(row->declaration.step, 0);
    assert_int_equal(row->declaration.register_size.m, 0);
    row = accepted("{\"asset\":\"Series\",\"entity\":\"e\",\"property\":\"p\",\"step\":true,\"registerSize\":999999.999999999999,"
                   "\"epsilon\":1e-9}");
    assert_int_equal(row->declaration.step, 1);
    assert_int_equal(row->declaration.cadence_us, 0);
    assert_decimal(row->declaration.register_size, INT64_C(999999999999999999), -12);
    assert_decimal(row->declaration.epsilon, 1, -9);
    assert_int_equal(accepted("{\"asset\":\"Series\",\"entity\":\"e\",\"property\":\"p\"}")->declaration.step, STEP_UNDECLARED);
    row = accepted("{\"asset\":\"MeterChange\",\"entity\":\"p2-meter-0142\",\"property\":\"activeEnergyImport\","
                   "\"time\":\"2025-03-09T11:00:00+01:00\",\"end\":48231000.10,\"start\":0}");
    assert_string_equal(row->id, "p2-meter-0142 activeEnergyImport 2025-03-09T10:00:00Z");
    assert_decimal(row->change.end, 482310001, -1);
    assert_decimal(row->change.start, 0, 0);
}

/* The fields of D4.1's Static objects, each with a value that it takes; ids of pumps are references. */
static const struct {
    const char *type, *field, *good, *bad;
} statics[] = {
    {"Main", "power", "17", "\"17\""}, {"Main", "expectedYearlyUsageMT", "1200.5", "true"},
    {"Main", "expectedYearlyUsageVT", "0", "[]"}, {"Main", "id", "\"s-1\"", "\"s-2\""},
    {"HeatPump", "turnOnCost", "1.5", "\"a\""}, {"HeatPump", "isZeroOneAsset", "true", "1"},
    {"HeatPump", "coefficientOfPerformance", "3.2", "false"}, {"HeatPump", "fixedRunningConst", "0.1", "{}"},
    {"HeatPump", "variableRunningConst", "0.2", "\"\""}, {"HeatPump", "minUpTime", "10", "\"PT10M\""},
    {"HeatPump", "maxUpTime", "100", "[1]"}, {"HeatPump", "minDownTime", "5", "true"},
    {"HeatPump", "maxDownTime", "6e1", "\"x\""},
    {"HeatPump", "id", "\"s-1\"", "7"},
    {"HeatStorage", "minTemperature", "-5", "\"cold\""}, {"HeatStorage", "maxTemperature", "90", "false"},
    {"HeatStorage", "lossCoefficient", "0.01", "[0.01]"}, {"HeatStorage", "heatPumpIds", "[\"s-7\",\"s-8\"]", "[7]"},
    {"HeatStorage", "heatPumpIds", "[]", "\"s-7\""}, {"HeatStorage", "id", "\"s-1\"", "true"},
    {"DistrictHeating", "maxPower", "12", "\"12\""}, {"DistrictHeating", "minPower", "0", "true"},
    {"Solar", "inclination", "30", "\"30\""}, {"Solar", "declination", "10", "[]"}, {"Solar", "latitude", "45.9", "{}"},
    {"Solar", "longitude", "13.6", "true"}, {"Solar", "peakPower", "9.5", "\"9.5\""},
    {"Temperature", "maxTemperature", "40", "\"hot\""}, {"Temperature", "minTemperature", "-20", "false"},
    {"ChargingStation", "maxPower", "22", "\"22\""}, {"ChargingStation", "minPower", "1.4", "true"},
};

static void every_field_of_static_is_known_for_its_type_and_checked(void **state)
{
    (void)state;
    char text[512], name[80];
    for (size_t i = 0; i < sizeof(statics) / sizeof(*statics); i++) {
        static const char format[] = "{\"asset\":\"Sensor\",\"id\":\"s-1\",\"type\":\"%s\",\"board\":\"b-1\",\"entity\":\"e-1\","
                                     "\"static\":{\"%s\":%s}}";
        snprintf(text, sizeof(text), format, statics[i].type, statics[i].field, statics[i].good);
        const struct document *row = accepted(text);
        assert_string_equal(row->type, statics[i].type);
        assert_string_equal(row->entity, "e-1");
        assert_reference(row, 0, ASSET_BOARD, "b-1", "board");
        if (strcmp(statics[i].good, "[\"s-7\",\"s-8\"]") == 0)
            assert_reference(row, 2, ASSET_SENSOR, "s-8", "heatPumpIds");
        snprintf(text, sizeof(text), format, statics[i].type, statics[i].field, statics[i].bad);
        snprintf(name, sizeof(name), "\"static.%s\"", statics[i].field);
        refused(text, REFUSED_FIELD, "Sensor \"s-1\"", name);
        snprintf(text, sizeof(text), format, statics[i].type, statics[i].field, "null");
        accepted(text);
        snprintf(text, sizeof(text), format, "Temperature", statics[i].field, statics[i].good);
        if (!strstr(statics[i].field, "Temperature"))
            refused(text, REFUSED_FIELD, "Sensor \"s-1\"", name);
    }
}

static void what_is_missing_unknown_or_of_a_wrong_type_is_named(void **state)
{
    (void)state;
    refused("{\"id\":\"c-1\"}", REFUSED_FIELD, "\"asset\" is missing", NULL);
    refused("{\"asset\":\"House\",\"id\":\"c-1\"}", REFUSED_TYPE, "\"asset\"", NULL);
    refused("{\"asset\":\"Customer\"}", REFUSED_FIELD, "Customer: ", "\"id\" is missing");
    refused("{\"asset\":\"Customer\",\"id\":1}", REFUSED_FIELD, "\"id\"", NULL);
    refused("{\"asset\":\"Customer\",\"id\":\"Jo Novak\"}", REFUSED_FIELD, "\"id\"", NULL);
    refused("{\"asset\":\"Customer\",\"id\":\"c-1\",\"colour\":1}", REFUSED_FIELD, "Customer \"c-1\"", "\"colour\"");
    refused("{\"asset\":\"Customer\",\"id\":\"c-1\",\"Jo Novak\":1}", REFUSED_FIELD, "Customer \"c-1\"", "unknown name");
    refused("{\"asset\":\"Customer\",\"id\":\"c-1\",\"id\":\"c-1\"}", REFUSED_JSON, "\"id\"", "twice");
    refused("{\"asset\":\"Location\",\"id\":\"l-1\"}", REFUSED_FIELD, "Location \"l-1\"", "\"customer\" is missing");
    refused("{\"asset\":\"MainDistributionBoard\",\"id\":\"b-1\",\"location\":7}", REFUSED_FIELD, "\"b-1\"", "\"location\"");
    refused("{\"asset\":\"Sensor\",\"id\":\"s-1\",\"type\":\"Wind\",\"board\":\"b-1\",\"entity\":\"e\"}", REFUSED_TYPE, "\"s-1\"",
            "\"type\"");
    refused("{\"asset\":\"Sensor\",\"id\":\"s-1\",\"type\":\"Main\",\"board\":\"b-1\",\"entity\":\"e 1\"}", REFUSED_ENTITY,
            "\"s-1\"", "\"entity\"");
    refused("{\"asset\":\"Sensor\",\"id\":\"s-1\",\"type\":\"Main\",\"entity\":\"e\"}", REFUSED_FIELD, "\"s-1\"", "\"board\"");
    refused("{\"asset\":\"Sensor\",\"id\":\"s-1\",\"type\":\"Main\",\"board\":\"b\",\"entity\":\"e\",\"static\":[]}",
            REFUSED_FIELD, "\"s-1\"", "\"static\"");
    accepted("{\"asset\":\"Sensor\",\"id\":\"s-1\",\"type\":\"Main\",\"board\":\"b\",\"entity\":\"e\","
             "\"name\":\"T\\u010c1 OGR\"}");
    refused("{\"asset\":\"Sensor\",\"id\":\"s-1\",\"type\":\"Main\",\"board\":\"b\",\"entity\":\"e\",\"name\":4}", REFUSED_FIELD,
            "\"s-1\"", "\"name\"");
}

static void names_of_people_are_sent_to_the_vault_and_not_repeated(void **state)
{
    (void)state;
    refused("{\"asset\":\"Customer\",\"id\":\"c-1\",\"name\":\"Novak\"}", REFUSED_FIELD, "Customer \"c-1\"",
            "PUT /v1/subjects/c-1");
    assert_null(strstr(documents.refusals[0].detail, "Novak")); /* I9 */
    refused("{\"name\":\"Novak\",\"asset\":\"Location\",\"customer\":\"c-1\",\"id\":\"l-1\"}", REFUSED_FIELD, "Location \"l-1\"",
            "vault");
}

static void rates_are_of_a_board_or_of_a_sensor_with_the_fields_of_each(void **state)
{
    (void)state;
#define RATE(rest) \
    "{\"asset\":\"Rate\",\"id\":\"r-1\",\"start\":\"2025-03-01T00:00:00Z\",\"end\":\"2025-04-01T00:00:00Z\"" rest "}"
    static const char *const both[] = {"maxPowerBuy", "minPowerBuy", "maxPowerSell", "minPowerSell"};
    static const char *const of_board[] = {"buyRateMT", "buyRateVT", "sellRateMT", "sellRateVT"};
    static const char *const of_sensor[] = {"buyRate", "sellRate"};
    char text[400];
    for (size_t i = 0; i < 10; i++) {
        const char *field = i < 4 ? both[i] : i < 8 ? of_board[i - 4] : of_sensor[i - 8];
        for (int board = 0; board < 2; board++) {
            snprintf(text, sizeof(text), RATE(",\"%s\":\"x-1\",\"%s\":0.5"), board ? "board" : "sensor", field);
            if (i < 4 || (i < 8) == board)
                accepted(text);
            else
                refused(text, REFUSED_FIELD, "Rate \"r-1\"", field);
        }
        snprintf(text, sizeof(text), RATE(",\"board\":\"x-1\",\"%s\":\"0.5\""), field);
        refused(text, REFUSED_FIELD, "Rate \"r-1\"", field);
    }
    assert_reference(accepted(RATE(",\"sensor\":\"s-1\"")), 0, ASSET_SENSOR, "s-1", "sensor");
    refused(RATE(""), REFUSED_FIELD, "\"r-1\"", "\"board\" or \"sensor\"");
    refused(RATE(",\"sensor\":\"s-1\",\"board\":\"b-1\""), REFUSED_FIELD, "\"r-1\"", "not both");
    refused("{\"asset\":\"Rate\",\"id\":\"r-1\",\"board\":\"b\",\"start\":\"2025-03-01T00:00:00Z\","
            "\"end\":\"2025-03-01T00:00:00Z\"}", REFUSED_TIME, "\"r-1\"", "\"end\"");
    refused("{\"asset\":\"Rate\",\"id\":\"r-1\",\"board\":\"b\",\"start\":\"2025-03-01\",\"end\":\"2025-03-01T00:00:00Z\"}",
            REFUSED_TIME, "\"r-1\"", "\"start\"");
}

static void declarations_are_checked(void **state)
{
    (void)state;
#define SERIES(rest) "{\"asset\":\"Series\",\"entity\":\"e\",\"property\":\"p\"," rest "}"
    refused("{\"asset\":\"Series\",\"entity\":\"e\"}", REFUSED_FIELD, "\"property\"", NULL);
    refused("{\"asset\":\"Series\",\"entity\":\"e\",\"property\":\"a b\"}", REFUSED_PROPERTY, "\"property\"", NULL);
    refused(SERIES("\"cadence\":\"P1M\""), REFUSED_TIME, "\"cadence\"", NULL);
    refused(SERIES("\"cadence\":\"PT0S\""), REFUSED_TIME, "\"cadence\"", NULL);
    refused(SERIES("\"cadence\":900"), REFUSED_TIME, "\"cadence\"", NULL);
    refused(SERIES("\"cadence\":\"P36526D\""), REFUSED_TIME, "\"cadence\"", "century");
    accepted(SERIES("\"maxGap\":\"P36525D\""));
    refused(SERIES("\"maxGap\":\"-PT1M\""), REFUSED_TIME, "\"maxGap\"", NULL);
    refused(SERIES("\"step\":1"), REFUSED_FIELD, "\"step\"", NULL);
    refused(SERIES("\"registerSize\":0"), REFUSED_NUMBER, "\"registerSize\"", "null");
    refused(SERIES("\"registerSize\":\"10\""), REFUSED_FIELD, "\"registerSize\"", NULL);
    refused(SERIES("\"registerSize\":1e99"), REFUSED_NUMBER, "\"registerSize\"", NULL);
    refused(SERIES("\"registerSize\":1234567890123456789"), REFUSED_NUMBER, "\"registerSize\"", "18 digits");
    refused(SERIES("\"epsilon\":-1"), REFUSED_NUMBER, "\"epsilon\"", NULL);
    refused(SERIES("\"id\":\"x\""), REFUSED_FIELD, "\"id\"", NULL);
    refused("{\"asset\":\"MeterChange\",\"entity\":\"e\",\"property\":\"p\",\"time\":\"2025-03-09T10:00:00Z\",\"start\":0}",
            REFUSED_FIELD, "\"end\" is missing", NULL);
    refused("{\"asset\":\"MeterChange\",\"entity\":\"e\",\"property\":\"p\",\"time\":\"2025-03-09T10:00:00Z\",\"start\":0,"
            "\"end\":null}", REFUSED_FIELD, "\"end\" is missing", NULL);
    refused("{\"asset\":\"MeterChange\",\"entity\":\"e\",\"property\":\"p\",\"time\":17,\"start\":0,\"end\":1}", REFUSED_TIME,
            "\"time\"", NULL);
}

static void calendars_are_checked(void **state)
{
    (void)state;
#define CALENDAR(days) "{\"asset\":\"Calendar\",\"id\":\"SI\",\"days\":" days "}"
    char id[LIMIT_ENTITY_BYTES + 1], text[400];
    refused(CALENDAR("{}"), REFUSED_FIELD, "Calendar \"SI\"", "no day");
    refused(CALENDAR("[]"), REFUSED_FIELD, "\"days\"", NULL);
    refused(CALENDAR("{\"2025-02-29\":\"working\"}"), REFUSED_TIME, "\"days\"", NULL);
    refused(CALENDAR("{\"2025-2-1\":\"working\"}"), REFUSED_TIME, "\"days\"", NULL);
    refused(CALENDAR("{\"2025-02-01\":\"holiday\"}"), REFUSED_FIELD, "2025-02-01", NULL);
    refused(CALENDAR("{\"2025-02-01\":\"working\",\"2025-02-01\":\"working\"}"), REFUSED_JSON, "twice", NULL);
    refused(CALENDAR("{\"1825-02-01\":\"working\",\"2025-02-01\":\"working\"}"), REFUSED_LIMIT, "200 years", NULL);
    refused(CALENDAR("{\"2025-02-01\":\"working\"},\"tz\":\"Mars/Olympus\""), REFUSED_FIELD, "\"tz\"", NULL);
    accepted(CALENDAR("{\"2024-02-29\":\"weekend\"},\"tz\":\"Europe/Ljubljana\""));
    memset(id, 'x', sizeof(id));
    for (size_t size = 119; size < 121; size++) {
        snprintf(text, sizeof(text), "{\"asset\":\"Calendar\",\"id\":\"%.*s\",\"days\":{\"2025-02-01\":\"working\"}}",
                 (int)size, id);
        if (size == 119)
            accepted(text);
        else
            refused(text, REFUSED_FIELD, "\"id\"", "119");
    }
}

/* ---- messages ---- */

static void the_wrong_part_of_a_message_is_refused_and_the_others_are_kept(void **state)
{
    (void)state;
    check("[{\"asset\":\"Customer\",\"id\":\"a\"},{\"asset\":\"Location\",\"id\":\"b\",\"customer\":\"a\",\"x\":1},7,"
          "{\"asset\":\"Customer\",\"id\":\"c\"}]\n{broken\n{\"asset\":\"Customer\",\"id\":\"d\"}");
    assert_int_equal(documents.n, 3);
    assert_string_equal(documents.rows[1].id, "c");
    assert_int_equal(documents.rows[1].place.part, 3);
    assert_int_equal(documents.rows[2].place.offset, 7);
    assert_int_equal(documents.n_refusals, 3);
    assert_int_equal(documents.refusals[0].place.part, 1);
    assert_int_equal(documents.refusals[1].reason, REFUSED_JSON);
    assert_int_equal(documents.refusals[2].reason, REFUSED_JSON);
    assert_int_equal(documents.n_references, 0); /* those of what was refused are gone */
    check("");
    assert_int_equal(documents.n_refusals, 1);
}

static void a_message_with_very_many_faults_tells_them_in_one(void **state)
{
    (void)state;
    struct buf text = {0};
    for (int i = 0; i < LIMIT_MESSAGE_REFUSALS + 10; i++)
        buf_puts(&text, "{\"asset\":\"House\"}\n");
    buf_putc(&text, '\0');
    check((const char *)text.data);
    assert_int_equal(documents.n_refusals, LIMIT_MESSAGE_REFUSALS + 1);
    assert_non_null(strstr(documents.refusals[LIMIT_MESSAGE_REFUSALS].detail, "10 more"));
    buf_free(&text);
}

static void outputs_of_optimizations_are_any_object(void **state)
{
    (void)state;
    static const char *const bad[] = {"[1]", "7", "{\"a\":1} {}", "{\"a\":", ""};
    struct document_message message = {.topic = "optimization", .value = " {\"plan\":[1,2.50]} ", .size = 19};
    documents_clear(&documents);
    assert_int_equal(assets_check_output(checker, &message, &documents), 0);
    assert_int_equal(documents.n_outputs, 1);
    assert_int_equal(documents.outputs[0].text_size, 17);
    assert_memory_equal(documents.bytes.data, "{\"plan\":[1,2.50]}", 17);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        message.value = bad[i];
        message.size = strlen(bad[i]);
        documents_clear(&documents);
        assert_int_equal(assets_check_output(checker, &message, &documents), 0);
        assert_int_equal(documents.n_outputs, 0);
        assert_int_equal(documents.n_refusals, 1);
    }
}

/* ---- days ---- */

static int put_message(void *arg, const char *entity, const void *value, size_t size)
{
    struct buf *out = arg;
    assert_string_equal(entity, "calendar-SI");
    buf_put(out, value, size);
    buf_putc(out, '\n');
    return 0;
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (; (text = strstr(text, what)); text += strlen(what))
        n++;
    return n;
}

static void a_calendar_has_a_reading_a_day_at_local_midnight(void **state)
{
    (void)state;
    struct calendar_due due = {.id = "SI", .since_ms = SINCE_MS, .document =
        "{\"asset\":\"Calendar\",\"id\":\"SI\",\"tz\":\"Europe/Ljubljana\",\"days\":{\"2024-12-25\":\"publicHoliday\","
        "\"2025-07-05\":\"bankHoliday\"}}"};
    struct buf first = {0}, second = {0};
    assert_int_equal(assets_calendar(checker, &due, put_message, &first), 0);
    assert_int_equal(assets_calendar(checker, &due, put_message, &second), 0);
    assert_int_equal(first.n, second.n); /* the same bytes each time */
    assert_memory_equal(first.data, second.data, first.n);
    buf_putc(&first, '\0');
    const char *text = (const char *)first.data;
    assert_int_equal(count(text, "\n"), 2); /* years */
    assert_int_equal(count(text, "\"2024-") + count(text, "\"2025-"), 366 + 365 - 1 + 2); /* the first in 2023, and two issues */
    assert_int_equal(count(text, "\"2023-12-31T23:00:00Z\""), 1);
    assert_int_equal(count(text, "\"2025-07-04T22:00:00Z\""), 1);
    assert_int_equal(count(text, "publicHoliday"), 1);
    assert_int_equal(count(text, "bankHoliday"), 1);
    assert_int_equal(count(text, "\"weekend\""), 104 + 104 - 1); /* July 5 2025 is a Saturday */
    assert_int_equal(count(text, "\"issued\":\"2025-03-01T00:00:00.123Z\""), 2);
    buf_free(&first);
    buf_free(&second);
}

static void random_bytes_do_no_harm_and_leave_nothing_dangling(void **state)
{
    (void)state;
    const char *text_seed = getenv("ALMANAC_SEED");
    uint64_t seed = text_seed ? strtoull(text_seed, NULL, 10) : (uint64_t)clock_wall_us(), rng = seed;
    print_message("# ALMANAC_SEED=%llu\n", (unsigned long long)seed);
    static const char good[] = "{\"asset\":\"Sensor\",\"id\":\"s-1\",\"type\":\"HeatStorage\",\"board\":\"b-1\",\"entity\":\"e\","
                               "\"static\":{\"heatPumpIds\":[\"s-2\",\"s-3\"],\"lossCoefficient\":0.5}}";
    for (int i = 0; i < 20000; i++) {
        char text[sizeof(good)];
        memcpy(text, good, sizeof(good));
        for (int64_t k = random_below(&rng, 3); k >= 0; k--)
            text[random_below(&rng, sizeof(good) - 1)] = (char)(random_below(&rng, 2) ? random_below(&rng, 255) + 1 : '"');
        check(text);
        assert_true(documents.n + documents.n_refusals > 0);
        size_t n_references = 0;
        for (size_t n = 0; n < documents.n; n++)
            n_references += documents.rows[n].n_references;
        assert_int_equal(documents.n_references, n_references);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_of_the_contract_are_accepted_as_they_stand_there),
        cmocka_unit_test(declarations_keep_the_digits_of_their_numbers),
        cmocka_unit_test(every_field_of_static_is_known_for_its_type_and_checked),
        cmocka_unit_test(what_is_missing_unknown_or_of_a_wrong_type_is_named),
        cmocka_unit_test(names_of_people_are_sent_to_the_vault_and_not_repeated),
        cmocka_unit_test(rates_are_of_a_board_or_of_a_sensor_with_the_fields_of_each),
        cmocka_unit_test(declarations_are_checked),
        cmocka_unit_test(calendars_are_checked),
        cmocka_unit_test(the_wrong_part_of_a_message_is_refused_and_the_others_are_kept),
        cmocka_unit_test(a_message_with_very_many_faults_tells_them_in_one),
        cmocka_unit_test(outputs_of_optimizations_are_any_object),
        cmocka_unit_test(a_calendar_has_a_reading_a_day_at_local_midnight),
        cmocka_unit_test(random_bytes_do_no_harm_and_leave_nothing_dangling),
    };
    return cmocka_run_group_tests(tests, make_checker, drop_checker);
}
