#include <config.h>

#include "tests/lib/test.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/hash.h"
#include "importers/intake.h"
#include "importers/tally.h"
#include "models.h"

struct rig {
    struct registry *registry;
    struct intake *intake;
    struct buf messages, misfits;
    int64_t last_i;
};

static int take_message(void *arg, int64_t i, const char *entity, const void *json, size_t size)
{
    struct rig *rig = arg;
    assert_true(i >= rig->last_i);
    rig->last_i = i;
    buf_printf(&rig->messages, "%s: ", entity);
    buf_put(&rig->messages, json, size);
    buf_putc(&rig->messages, '\n');
    return 0;
}

static int take_misfit(void *arg, const struct misfit *misfit)
{
    struct rig *rig = arg;
    buf_printf(&rig->misfits, "%" PRId64 " %s\n", misfit->line, misfit->reason ? refusal_name(misfit->reason) : "format");
    return 0;
}

static void set_up(struct rig *rig, int64_t available_us)
{
    *rig = (struct rig){.registry = models_registry()};
    struct intake_opts opts = {.registry = rig->registry, .now_ms = 1700000000000, .future_max_us = 3600000000,
                               .oldest_us = 0, .available_us = available_us, .message = take_message,
                               .misfit = take_misfit, .arg = rig};
    assert_int_equal(hash_init(), 0);
    assert_int_equal(intake_new(&opts, &rig->intake), 0);
}

static void tear_down(struct rig *rig)
{
    intake_free(rig->intake);
    registry_free(rig->registry);
    buf_free(&rig->messages);
    buf_free(&rig->misfits);
}

static void put(struct rig *rig, const char *entity, const char *property, int64_t second, const char *value)
{
    struct observation observation = {.entity = entity, .type = "EnergyMeter", .property = property, .unit = "",
                                      .time_us = second * 1000000, .issued_us = ISSUED_NONE, .value = value, .line = second};
    assert_int_equal(intake_value(rig->intake, &observation), 0);
}

static const char *finish(struct rig *rig, struct buf *buf)
{
    assert_int_equal(intake_flush(rig->intake), 0);
    buf_putc(buf, '\0');
    return (const char *)buf->data;
}

static void what_the_decoder_refuses_is_told_and_left_out(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, -1);
    put(&rig, "m", "activePower", 1, "1");
    put(&rig, "m", "nothing", 2, "2");
    put(&rig, "m", "activePower", 3, "1e99");
    put(&rig, "m", "activePower", 4, "nonsense");
    put(&rig, "m", "energy", 5, "1"); /* without a period */
    put(&rig, "m", "activePower", 4000000000, "5");
    put(&rig, "m", "activePower", -7, "5");
    put(&rig, "m", "voltage", 8, "230.10");
    put(&rig, "an entity", "voltage", 9, "1");
    put(&rig, "m", "volt\xff", 10, "1");
    static const char expected[] = "m: {\"entity\":\"m\",\"type\":\"EnergyMeter\",\"time\":[\"1970-01-01T00:00:01Z\","
                                   "\"1970-01-01T00:00:08Z\"],\"values\":{\"activePower\":[1,null],\"voltage\":[null,230.10]}}\n";
    assert_string_equal(finish(&rig, &rig.messages), expected);
    assert_string_equal(finish(&rig, &rig.misfits), "4 number\n10 json\n4000000000 future\n-7 expired\n3 number\n2 property\n"
                                                     "5 field\n9 entity\n");
    tear_down(&rig);
}

static void repeats_are_readings_and_counted(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, -1);
    for (int i = 0; i < 1000; i++)
        put(&rig, "m", "activePower", i, "1");
    put(&rig, "m", "activePower", 10, "1.0");
    put(&rig, "m", "activePower", 11, "2");
    put(&rig, "m", "activePower", 11, "2");
    put(&rig, "n", "activePower", 11, "2");
    assert_int_equal(intake_flush(rig.intake), 0);
    const struct intake_counts *counts = intake_counts(rig.intake);
    assert_int_equal(counts->readings, 1004);
    assert_int_equal(counts->repeated, 3);
    assert_int_equal(counts->replaced, 1);
    assert_int_equal(counts->from_us, 0);
    assert_int_equal(counts->to_us, 999000000);
    const char **entities;
    size_t n;
    assert_int_equal(intake_entities(rig.intake, &entities, &n), 0);
    assert_int_equal(n, 2);
    assert_string_equal(entities[0], "m");
    assert_string_equal(entities[1], "n");
    free(entities);
    tear_down(&rig);
}

static void available_states_the_issue_of_each_value(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, 900000000);
    put(&rig, "m", "activePower", 0, "1");
    put(&rig, "m", "activePower", 60, "2");
    static const char expected[] =
        "m: {\"entity\":\"m\",\"type\":\"EnergyMeter\",\"time\":[\"1970-01-01T00:00:00Z\"],\"values\":{\"activePower\":[1]},"
        "\"issued\":\"1970-01-01T00:15:00Z\"}\n"
        "{\"entity\":\"m\",\"type\":\"EnergyMeter\",\"time\":[\"1970-01-01T00:01:00Z\"],\"values\":{\"activePower\":[2]},"
        "\"issued\":\"1970-01-01T00:16:00Z\"}\n";
    assert_string_equal(finish(&rig, &rig.messages), expected);
    tear_down(&rig);
}

static void hundreds_of_refusals_in_one_message_are_told_one_by_one(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, -1);
    for (int i = 0; i < 480; i++) {
        put(&rig, "m", "activePower", i, i == 7 ? "1" : "1e99");
        put(&rig, "m", "voltage", i, i == 9 ? "1" : "1e99");
    }
    assert_int_equal(intake_flush(rig.intake), 0);
    assert_int_equal(intake_counts(rig.intake)->refused, 958);
    assert_int_equal(intake_counts(rig.intake)->readings, 2);
    tear_down(&rig);
}

static void a_tally_remembers_the_newest(void **state)
{
    (void)state;
    struct tally *tally = tally_new();
    assert_non_null(tally);
    for (uint64_t i = 0; i < 3 * TALLY_READINGS; i++)
        assert_int_equal(tally_meet(tally, hash_short(7, &i, sizeof i), i), TALLY_NEW);
    for (uint64_t i = 3 * TALLY_READINGS - 1; i >= 2 * TALLY_READINGS; i--) {
        assert_int_equal(tally_meet(tally, hash_short(7, &i, sizeof i), i), TALLY_SAME);
        assert_int_equal(tally_meet(tally, hash_short(7, &i, sizeof i), i + 1), TALLY_OTHER);
    }
    tally_free(tally);
}

static void names_and_numbers(void **state)
{
    (void)state;
    char name[LIMIT_ENTITY_BYTES + 1], number[IMPORT_NUMBER_BYTES], again[LIMIT_ENTITY_BYTES + 1];
    importer_entity("nem12", "AB.1:2/3-4_5", name);
    assert_string_equal(name, "nem12-AB.1:2/3-4_5");
    importer_entity("nem12", "A B", name);
    importer_entity("nem12", "A\tB", again);
    assert_int_equal(strlen(name), strlen("nem12-A_B.12345678"));
    assert_string_not_equal(name, again);
    char text[300];
    memset(text, 'x', 299);
    text[299] = '\0';
    importer_entity("nem12", text, name);
    assert_int_equal(strlen(name), LIMIT_ENTITY_BYTES);
    static const char *const good[][2] = {{"1", "1"}, {" +1,50 ", "1.50"}, {",5", "0.5"}, {"-,5", "-0.5"}, {"5,", "5"},
                                          {"007", "7"}, {"-00,1e-3", "-0.1e-3"}, {"0", "0"}, {"00", "0"}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(importer_number(good[i][0], strlen(good[i][0]), ',', number), 0);
        assert_string_equal(number, good[i][1]);
    }
    static const char *const bad[] = {"", " ", "-", ",", "1.5", "1,2,3", "1e", "e5", "0x1", "NaN", "1 2", "--1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(importer_number(bad[i], strlen(bad[i]), ',', number), ERR_INVALID);
    memset(text, '1', 299);
    assert_int_equal(importer_number(text, 299, ',', number), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_decoder_refuses_is_told_and_left_out),
        cmocka_unit_test(repeats_are_readings_and_counted),
        cmocka_unit_test(available_states_the_issue_of_each_value),
        cmocka_unit_test(hundreds_of_refusals_in_one_message_are_told_one_by_one),
        cmocka_unit_test(a_tally_remembers_the_newest),
        cmocka_unit_test(names_and_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
