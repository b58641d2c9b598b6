#include <config.h>

#include "tests/lib/test.h"

#include <stdio.h>

#include "tests/lib/imported.h"

static struct imported imported;

static void run_text(const char *text)
{
    assert_int_equal(imported_run(&imported, &importer_nem12, text, strlen(text)), 0);
}


/* A day of one-hour intervals with the values 0 to 23 and what stands behind them. */
static const char *day(const char *date, const char *rest)
{
    static char text[8][512];
    static unsigned next;
    char *out = text[next++ % 8];
    int n = snprintf(out, sizeof text[0], "300,%s", date);
    for (int i = 0; i < 24; i++)
        n += snprintf(out + n, sizeof text[0] - (size_t)n, ",%d", i);
    snprintf(out + n, sizeof text[0] - (size_t)n, ",%s\n", rest);
    return out;
}

/* A file with one stream, of the unit and interval length of `unit`, and its records. */
static const char *file(const char *unit, const char *records)
{
    static char text[8192];
    snprintf(text, sizeof text, "100,NEM12,200405011135,MDA1,Ret1\n200,NMI1,E1Q1,1,E1,N1,METER,%s,\n%s900\n", unit, records);
    return text;
}

static void intervals_begin_at_midnight_of_market_time_all_year(void **state)
{
    (void)state;
    run_text(file("KWH,60", day("20040701", "A,,,20040202120025,")));
    assert_int_equal(imported.n_values, 24);
    assert_int_equal(imported.n_rows, 1);
    assert_string_equal(imported_misfits(&imported), "");
    static const char begin[] = "nem12-NMI1-E1 EnergyMeter energy 2004-06-30T14:00:00Z 3600 0 kWh measured @3\n"
                                "nem12-NMI1-E1 EnergyMeter energy 2004-06-30T15:00:00Z 3600 1 kWh measured @3\n";
    assert_memory_equal(imported_values(&imported), begin, sizeof begin - 1);
    assert_non_null(strstr(imported_values(&imported), " 2004-07-01T13:00:00Z 3600 23 "));
}

static void units_choose_the_property(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"kVArh,60", " reactiveEnergy 2004-01-31T14:00:00Z 3600 0 kvarh "},
                                           {"MW,60", " activePower 2004-01-31T14:00:00Z 3600 0 MW "},
                                           {"kvar,60", " reactivePower 2004-01-31T14:00:00Z 3600 0 kvar "},
                                           {"V,60", " voltage 2004-01-31T14:00:00Z 3600 0 V "},
                                           {"pf,60", " powerFactor 2004-01-31T14:00:00Z 3600 0 1 "}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run_text(file(cases[i][0], day("20040201", "A,,,,")));
        assert_non_null(strstr(imported_values(&imported), cases[i][1]));
    }
    run_text(file("kVAh,60", day("20040201", "A,,,,")));
    assert_int_equal(imported.n_values, 0);
    assert_string_equal(imported_misfits(&imported), "3 unit no property of type EnergyMeter is measured in this unit\n");
}

static void quality_of_a_day_and_of_its_intervals(void **state)
{
    (void)state;
    char records[2048];
    run_text(file("kWh,60", day("20040201", "S14,1,,,")));
    assert_non_null(strstr(imported_values(&imported), " 0 kWh estimated @3\n"));
    snprintf(records, sizeof records, "%s400,1,20,F14,76,\n400,21,22,A,,\n400,23,23,N,,\n400,24,24,E52,,\n%s",
             day("20040201", "V,,,,"), day("20040202", "A,,,,"));
    run_text(file("kWh,60", records));
    assert_string_equal(imported_misfits(&imported), "");
    assert_int_equal(imported.n_values, 23 + 24); /* N is null data: nothing is said */
    assert_non_null(strstr(imported_values(&imported), " 19 kWh edited @3\n"));
    assert_non_null(strstr(imported_values(&imported), " 20 kWh measured @3\n"));
    assert_null(strstr(imported_values(&imported), " 22 kWh measured @3\n"));
    assert_non_null(strstr(imported_values(&imported), " 23 kWh estimated @3\n"));
    snprintf(records, sizeof records, "%s400,2,24,A,,\n", day("20040201", "V,,,,"));
    run_text(file("kWh,60", records));
    assert_int_equal(imported.n_values, 23);
    assert_string_equal(imported_misfits(&imported),
                        "3 format interval 1 has no quality: the day has V, and no 400 record names it\n");
}

static void a_broken_value_costs_itself_only(void **state)
{
    (void)state;
    char records[1024];
    snprintf(records, sizeof records, "%s", day("20040201", "A,,,,"));
    memcpy(strstr(records, ",7,"), ",x,", 3);
    run_text(file("kWh,60", records));
    assert_int_equal(imported.n_values, 23);
    assert_string_equal(imported_misfits(&imported), "3 number interval 8 is no number\n");
}

static void broken_records_are_named_and_passed_over(void **state)
{
    (void)state;
    char records[4096];
    snprintf(records, sizeof records, "%s%s%s777,x\n400,1,2,A,,\n%s400,0,2,A,,\n400,3,25,A,,\n", day("20040230", "A,,,,"),
             "300,20040201,1,2,3,A\n", day("20040201", "Q,,,,"), day("20040203", "A,,,,"));
    run_text(file("kWh,60", records));
    assert_int_equal(imported.n_values, 24);
    assert_string_equal(imported_misfits(&imported),
                        "3 time the date is no YYYYMMDD\n"
                        "4 length a day of 60 minutes has 24 values and a quality, this one less\n"
                        "5 format the quality of the day is none of A E F N S V, or stands elsewhere\n"
                        "6 format an unknown kind of record\n"
                        "7 format a 400 record that follows no day\n"
                        "9 format a 400 record names no intervals of its day\n"
                        "10 format a 400 record names no intervals of its day\n");
}

static void a_file_that_is_cut_is_told(void **state)
{
    (void)state;
    const char *text = file("kWh,60", day("20040201", "A,,,,"));
    assert_int_equal(imported_run(&imported, &importer_nem12, text, strlen(text) - 4), 0);
    assert_int_equal(imported.n_values, 24);
    assert_string_equal(imported_misfits(&imported), "3 format the file ends without a 900 record: it may be cut\n");
}

static void what_is_no_nem12_file_is_refused_whole(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "hello\n", "100,NEM13,1,2,3\n250,x\n", "300,20040201,1\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(imported_run(&imported, &importer_nem12, texts[i], strlen(texts[i])), ERR_INVALID);
        assert_true(imported.error.text[0] != '\0');
    }
}

static void lines_are_bounded(void **state)
{
    (void)state;
    size_t size = IMPORT_LINE_BYTES + 100000;
    char *text = malloc(size + 200);
    assert_non_null(text);
    int n = snprintf(text, 100, "100,NEM12,1,2,3\n");
    memset(text + n, 'x', size);
    snprintf(text + (size_t)n + size, 100, "\n900\n");
    for (imported.part = 0; imported.part < 20000; imported.part += 9999) {
        run_text(text);
        assert_string_equal(imported_misfits(&imported), "2 size a line of more than 1048576 bytes\n");
    }
    imported.part = 0;
    free(text);
}

static void bytes_may_come_one_by_one(void **state)
{
    (void)state;
    const char *text = file("kWh,60", day("20040201", "A,,,,"));
    imported.part = 1;
    run_text(text);
    assert_int_equal(imported.n_values, 24);
    imported.part = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_begin_at_midnight_of_market_time_all_year),
        cmocka_unit_test(units_choose_the_property),
        cmocka_unit_test(quality_of_a_day_and_of_its_intervals),
        cmocka_unit_test(a_broken_value_costs_itself_only),
        cmocka_unit_test(broken_records_are_named_and_passed_over),
        cmocka_unit_test(a_file_that_is_cut_is_told),
        cmocka_unit_test(what_is_no_nem12_file_is_refused_whole),
        cmocka_unit_test(lines_are_bounded),
        cmocka_unit_test(bytes_may_come_one_by_one),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    imported_done(&imported);
    return failed;
}
