#include <config.h>

#include "tests/lib/test.h"

#include <stdio.h>

#include "tests/lib/imported.h"

static struct imported imported;

#define HEAD "UNA:+,? 'UNB+UNOC:3+1:500+2:500+160112:1347+1++TL'UNH+1+MSCONS:D:04B:UN:2.2e'"
#define PLACE "LOC+172+DE0001'LIN+1'PIA+5+1-1?:1.29.0:SRW'"

/* A message with what is given between UNH and UNT, with its number of segments right. */
static const char *message(const char *content)
{
    static char text[8192];
    int n = 2;
    for (const char *at = content; *at; at++)
        n += *at == '\'' && (at == content || at[-1] != '?');
    snprintf(text, sizeof text, HEAD "%sUNT+%d+1'UNZ+1+1'\n", content, n);
    return text;
}

static void run_text(const char *text)
{
    assert_int_equal(imported_run(&imported, &importer_mscons, text, strlen(text)), 0);
}

static void a_value_has_begin_end_status_and_unit(void **state)
{
    (void)state;
    run_text(message(PLACE "QTY+220:1,5:KWH'DTM+163:201512010000?+01:303'DTM+164:201512010015?+01:303'"
                     "QTY+67:2'DTM+163:201512010015?+01:303'DTM+164:201512010030?+01:303'STS+Z34'"
                     "QTY+20:-3,25'DTM+163:201512010030?+0130:303'DTM+164:201512010045?+0130:303'"));
    assert_string_equal(imported_misfits(&imported), "");
    assert_string_equal(imported_values(&imported),
                        "mscons-DE0001-1-1:1.29.0 SmartMeter energy 2015-11-30T23:00:00Z 900 1.5 KWH measured @6\n"
                        "mscons-DE0001-1-1:1.29.0 SmartMeter energy 2015-11-30T23:15:00Z 900 2 kWh estimated @9\n"
                        "mscons-DE0001-1-1:1.29.0 SmartMeter energy 2015-11-30T23:00:00Z 900 -3.25 kWh suspect @13\n");
}

static void the_obis_code_chooses_type_and_property(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"1-1?:2.29.0", "", " SmartMeter energy "},           {"1-1?:3.29.0", "", " EnergyMeter reactiveEnergy "},
        {"1-1?:1.6.0", "", " SmartMeter activePower "},       {"7-20?:3.0.0", ":MTQ", " Property volume "},
        {"7-20?:99.33.17", ":KWH", " SmartMeter energy "},    {"1-1?:8.29.0", ":K3", " EnergyMeter reactiveEnergy "}};
    char content[1024];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(content, sizeof content, "LOC+172+DE0001'LIN+1'PIA+5+%s:SRW'QTY+220:1%s'DTM+163:201512010000?+01:303'"
                 "DTM+164:201512010015?+01:303'", cases[i][0], cases[i][1]);
        run_text(message(content));
        assert_string_equal(imported_misfits(&imported), "");
        assert_non_null(strstr(imported_values(&imported), cases[i][2]));
    }
    run_text(message("LOC+172+DE0001'LIN+1'PIA+5+1-1?:9.29.0:SRW'QTY+220:1'DTM+163:201512010000?+01:303'"
                     "DTM+164:201512010015?+01:303'"));
    assert_string_equal(imported_misfits(&imported), "6 property no property is known for the OBIS code of its register\n");
}

static void a_register_that_was_read_is_a_counter(void **state)
{
    (void)state;
    run_text(message("LOC+172+DE0001'LIN+1'PIA+5+1-1?:2.8.0:SRW'QTY+220:4711,5:KWH'DTM+9:201512312359?+01:303'"));
    assert_string_equal(imported_values(&imported), "mscons-DE0001-1-1:2.8.0 SmartMeter activeEnergyExport "
                        "2015-12-31T22:59:00Z 0 4711.5 KWH measured @6\n");
}

static void one_that_ends_before_it_begins_is_refused_alone(void **state)
{
    (void)state;
    run_text(message(PLACE "QTY+220:1'DTM+163:201512201645?+01:303'DTM+164:201512201600?+01:303'"
                     "QTY+220:2'DTM+163:201512201645?+01:303'DTM+164:201512201700?+01:303'"
                     "QTY+220:3'DTM+163:201512201645?+01:303'DTM+164:201512201645?+01:303'"));
    assert_int_equal(imported.n_rows, 3);
    assert_int_equal(imported.n_values, 1);
    assert_string_equal(imported_misfits(&imported), "6 time it ends before it begins\n12 time it ends where it begins\n");
}

static void broken_values_are_named(void **state)
{
    (void)state;
#define TIMES "DTM+163:201512010000?+01:303'DTM+164:201512010015?+01:303'"
    run_text(message("LIN+1'PIA+5+1-1?:1.29.0:SRW'QTY+220:1'" TIMES "LOC+172+DE0001'QTY+220:1'" TIMES
                     "LIN+1'PIA+5+1-1?:1.29.0:SRW'QTY+220:1.5'" TIMES "QTY+999:1'" TIMES "QTY+220:1'QTY+220:1'"
                     "DTM+163:20151301000?+01:303'DTM+164:201512010015?+01:303'QTY+220:1'DTM+163:201512010000:203'"
                     "DTM+164:201512010015:203'QTY+220:1'DTM+163:201502290000?+00:303'DTM+164:201512010015?+01:303'"));
    assert_int_equal(imported.n_values, 0);
    assert_string_equal(imported_misfits(&imported),
                        "5 entity a value without a metering point, LOC+172, before it\n"
                        "9 property a value without a register, PIA+5, before it\n"
                        "14 number the value is no number with the decimal mark of UNA\n"
                        "17 format an unknown status of a value, the first part of QTY\n"
                        "20 time the value has neither begin and end nor the time of a reading\n"
                        "21 time a time that is no CCYYMMDDHHMM, or not there that day\n"
                        "24 time a local time without an offset: name its zone with --tz\n"
                        "27 time a time that is no CCYYMMDDHHMM, or not there that day\n");
}

static void local_times_need_a_zone_and_the_repeated_hour_goes_by_order(void **state)
{
    (void)state;
    assert_int_equal(zone_open("Europe/Berlin", &imported.opts.zone), 0);
    run_text(message(PLACE "QTY+220:1'DTM+163:201510250200:203'DTM+164:201510250300:203'"
                     "QTY+220:2'DTM+163:201510250200:203'DTM+164:201510250300:203'"
                     "QTY+220:3'DTM+163:201510250300:203'DTM+164:201510250400:203'"
                     "QTY+220:3'DTM+163:201603270200:203'DTM+164:201603270300:203'"));
    imported.opts.zone = NULL;
    assert_non_null(strstr(imported_values(&imported), " 2015-10-25T00:00:00Z "));
    assert_non_null(strstr(imported_values(&imported), " 2015-10-25T01:00:00Z 3600 2 "));
    assert_non_null(strstr(imported_values(&imported), " 2015-10-25T02:00:00Z 3600 3 "));
    assert_string_equal(imported_misfits(&imported), "15 time a time that is no CCYYMMDDHHMM, or not there that day\n");
}

static void other_separators_and_released_ones(void **state)
{
    (void)state;
    static const char text[] = "UNA.*:! ~UNB*x~\r\nUNH*1*MSCONS~\r\nLOC*172*DE!*7~PIA*5*1-1:1!.29!.0.SRW~QTY*220.2:5~"
                               "DTM*163.201512010000+01.303~DTM*164.201512010015+01.303~UNT*7*1~UNZ~";
    run_text(text);
    assert_string_equal(imported_misfits(&imported), "");
    assert_non_null(strstr(imported_values(&imported), "mscons-DE_7-1-1:1.29.0."));
    assert_non_null(strstr(imported_values(&imported), " 900 2.5 kWh "));
}

static void damaged_and_foreign_messages_are_told(void **state)
{
    (void)state;
    run_text(HEAD PLACE "QTY+220:1'" TIMES "UNT+99+1'");
    assert_int_equal(imported.n_values, 1);
    assert_string_equal(imported_misfits(&imported),
                        "9 format the message has 8 segments and says 99: it may be damaged\n"
                        "9 format the file ends without UNZ: it may be cut\n");
    run_text("UNB+x'UNH+1+UTILMD:D'QTY+220:1'UNT+1+1'UNH+2+MSCONS'BGM+7+1+1'QTY+220:1'UNT+1+1'UNZ'");
    assert_int_equal(imported.n_values, 0);
    assert_string_equal(imported_misfits(&imported),
                        "2 format a message that is no MSCONS is passed over\n"
                        "6 format a message that cancels an earlier one is passed over: take its values back by hand\n");
    assert_int_equal(imported_run(&imported, &importer_mscons, "hello'", 6), ERR_INVALID);
    assert_int_equal(imported_run(&imported, &importer_mscons, "hello", 5), ERR_INVALID);
    assert_int_equal(imported_run(&imported, &importer_mscons, "UNB+1'UNH+1", 11), ERR_CORRUPT);
}

static void segments_are_bounded(void **state)
{
    (void)state;
    static char text[200000];
    int n = snprintf(text, sizeof text, "UNB+1'UNH+1+MSCONS'FTX+");
    memset(text + n, ':', 150000);
    snprintf(text + n + 150000, 100, "'LOC+172+A'UNT+4+1'UNZ'");
    run_text(text);
    assert_string_equal(imported_misfits(&imported), "3 size a segment of too many bytes or elements\n");
    for (imported.part = 1; imported.part < 12; imported.part++) {
        run_text(message(PLACE "QTY+220:1'" TIMES));
        assert_int_equal(imported.n_values, 1);
    }
    imported.part = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_has_begin_end_status_and_unit),
        cmocka_unit_test(the_obis_code_chooses_type_and_property),
        cmocka_unit_test(a_register_that_was_read_is_a_counter),
        cmocka_unit_test(one_that_ends_before_it_begins_is_refused_alone),
        cmocka_unit_test(broken_values_are_named),
        cmocka_unit_test(local_times_need_a_zone_and_the_repeated_hour_goes_by_order),
        cmocka_unit_test(other_separators_and_released_ones),
        cmocka_unit_test(damaged_and_foreign_messages_are_told),
        cmocka_unit_test(segments_are_bounded),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    imported_done(&imported);
    return failed;
}
