#include <config.h>

#include "tests/lib/test.h"

#include <stdio.h>

#include "importers/espi.h"
#include "tests/lib/imported.h"

static struct imported imported;

static void run_text(const char *text)
{
    assert_int_equal(imported_run(&imported, &importer_greenbutton, text, strlen(text)), 0);
}

#define LINK(rel, href) "<link rel=\"" rel "\" href=\"" href "\"/>"
#define ENTRY(links, content) "<entry><id>urn:uuid:AB-1</id>" links "<content>" content "</content></entry>\n"
#define POINT ENTRY(LINK("self", "U/1/UsagePoint/1"), \
    "<e:UsagePoint><e:ServiceCategory><e:kind>0</e:kind></e:ServiceCategory></e:UsagePoint>")
#define METER(n) ENTRY(LINK("self", "U/1/UsagePoint/1/MeterReading/" n) LINK("related", "ReadingType/" n), "<e:MeterReading/>")
#define TYPE(n, content) ENTRY(LINK("self", "ReadingType/" n), "<e:ReadingType>" content "</e:ReadingType>")
#define BLOCK(n, readings) ENTRY(LINK("self", "U/1/UsagePoint/1/MeterReading/" n "/IntervalBlock/7"), \
    "<e:IntervalBlock><e:interval><e:duration>7200</e:duration><e:start>1293868800</e:start></e:interval>" readings \
    "</e:IntervalBlock>")
#define READING(start, duration, value) "<e:IntervalReading><e:timePeriod><e:duration>" duration "</e:duration><e:start>" start \
    "</e:start></e:timePeriod><e:value>" value "</e:value></e:IntervalReading>"
#define FEED(content) "<feed xmlns=\"http://www.w3.org/2005/Atom\" xmlns:e=\"http://naesb.org/espi\">\n" content \
    "</feed>\n"
#define WH "<e:uom>72</e:uom><e:powerOfTenMultiplier>0</e:powerOfTenMultiplier><e:intervalLength>3600</e:intervalLength>"

static void readings_take_their_meaning_from_the_type_that_links_name(void **state)
{
    (void)state;
    /* what they mean stands behind them */
    run_text(FEED(BLOCK("1", READING("1293868800", "3600", "450"))
                  BLOCK("2", READING("1293868800", "900", "7"))
                  METER("2") METER("1") TYPE("1", WH) POINT
                  TYPE("2", "<e:uom>38</e:uom><e:powerOfTenMultiplier>3</e:powerOfTenMultiplier>")));
    assert_string_equal(imported_misfits(&imported), "");
    assert_int_equal(imported.n_rows, 2);
    assert_string_equal(imported_values(&imported),
                        "greenbutton-ab-1-1 SmartMeter energy 2011-01-01T08:00:00Z 3600 450 Wh measured @2\n"
                        "greenbutton-ab-1-2 SmartMeter activePower 2011-01-01T08:00:00Z 900 7000 W measured @3\n");
}

static void namespaces_count_and_prefixes_do_not(void **state)
{
    (void)state;
    run_text("<x:feed xmlns:x=\"http://www.w3.org/2005/Atom\"><x:entry><x:content><IntervalBlock xmlns=\"http://naesb.org/espi\">"
             "<IntervalReading><timePeriod><start>0</start></timePeriod><value>1</value></IntervalReading></IntervalBlock>"
             "</x:content></x:entry><x:entry><x:content><a:ReadingType xmlns:a=\"http://naesb.org/espi\"><a:uom>72</a:uom>"
             "<a:intervalLength>60</a:intervalLength></a:ReadingType></x:content></x:entry>"
             "<x:entry><x:content><a:MeterReading xmlns:a=\"http://naesb.org/espi\"/></x:content></x:entry>"
             "<e:IntervalReading xmlns:e=\"http://other.example/\"><e:value>5</e:value></e:IntervalReading></x:feed>");
    assert_string_equal(imported_misfits(&imported), "");
    assert_int_equal(imported.n_values, 1);
    assert_non_null(strstr(imported_values(&imported), " SmartMeter energy 1970-01-01T00:00:00Z 60 1 Wh "));
}

static const char *with_type(const char *type)
{
    static char text[8192];
    snprintf(text, sizeof text, FEED(POINT METER("1") TYPE("1", "%s") BLOCK("1", READING("1293868800", "3600", "2"))), type);
    return text;
}

static void units_directions_and_registers(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"<e:uom>72</e:uom><e:flowDirection>19</e:flowDirection>", " Generation energy 2011-01-01T08:00:00Z 3600 2 Wh "},
        {"<e:uom>72</e:uom><e:powerOfTenMultiplier>-3</e:powerOfTenMultiplier>", " energy 2011-01-01T08:00:00Z 3600 0.002 Wh "},
        {"<e:uom>72</e:uom><e:accumulationBehaviour>3</e:accumulationBehaviour>",
         " SmartMeter activeEnergyImport 2011-01-01T09:00:00Z 0 2 Wh "},
        {"<e:uom>169</e:uom>", " SmartMeter energy 2011-01-01T08:00:00Z 3600 210.9608 MJ "},
        {"<e:uom>132</e:uom>", " SmartMeter energy 2011-01-01T08:00:00Z 3600 2110.11170524 J "},
        {"<e:uom>119</e:uom>", " Property volume 2011-01-01T08:00:00Z 3600 0.056633693184 m3 "},
        {"<e:uom>73</e:uom>", " EnergyMeter reactiveEnergy 2011-01-01T08:00:00Z 3600 2 varh "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run_text(with_type(cases[i][0]));
        assert_string_equal(imported_misfits(&imported), "");
        assert_non_null(strstr(imported_values(&imported), cases[i][1]));
    }
    run_text(with_type("<e:uom>71</e:uom>"));
    assert_string_equal(imported_misfits(&imported), "5 unit the unit of its ReadingType, uom 71, is none that is represented\n");
    run_text(with_type(""));
    assert_string_equal(imported_misfits(&imported), "5 unit its ReadingType states no unit (uom)\n");
}

static void the_worst_of_several_qualities_counts(void **state)
{
    (void)state;
#define QUALITY(code) "<e:ReadingQuality><e:quality>" code "</e:quality></e:ReadingQuality>"
#define OF_QUALITY(qualities) "<e:IntervalReading>" qualities \
    "<e:timePeriod><e:start>0</e:start></e:timePeriod><e:value>1</e:value></e:IntervalReading>"
    run_text(FEED(POINT METER("1") TYPE("1", WH "<e:defaultQuality>7</e:defaultQuality>")
                  BLOCK("1", OF_QUALITY(QUALITY("17") QUALITY("8") QUALITY("0")) "\n" OF_QUALITY("") "\n"
                        OF_QUALITY(QUALITY("10")) "\n" OF_QUALITY(QUALITY("19")))));
    assert_non_null(strstr(imported_values(&imported), " estimated @5\n"));
    assert_non_null(strstr(imported_values(&imported), " edited @6\n"));
    assert_non_null(strstr(imported_values(&imported), " suspect @7\n"));
    assert_non_null(strstr(imported_values(&imported), " measured @8\n"));
}

static void readings_without_a_time_follow_each_other(void **state)
{
    (void)state;
    run_text(FEED(POINT METER("1") TYPE("1", WH) BLOCK("1", "<e:IntervalReading><e:value>1</e:value></e:IntervalReading>"
                                                            "<e:IntervalReading><e:value>2</e:value></e:IntervalReading>")));
    assert_string_equal(imported_misfits(&imported), "");
    assert_non_null(strstr(imported_values(&imported), " 2011-01-01T08:00:00Z 3600 1 "));
    assert_non_null(strstr(imported_values(&imported), " 2011-01-01T09:00:00Z 3600 2 "));
}

static void broken_readings_are_refused_alone(void **state)
{
    (void)state;
    run_text(FEED(POINT METER("1") METER("2") TYPE("1", WH) TYPE("2", WH)
                  BLOCK("1", READING("1293868800", "3600", "x") "\n" READING("then", "3600", "1") "\n"
                             READING("1721154384.66136", "1", "2"))
                  BLOCK("3", READING("1293868800", "3600", "1"))));
    assert_int_equal(imported.n_rows, 4);
    assert_string_equal(imported_misfits(&imported),
                        "7 number the value is no number, or has too many digits\n"
                        "8 time it has no start and duration in seconds\n"
                        "10 entity no link says to which MeterReading its block belongs\n");
    assert_int_equal(imported.n_values, 1);
    assert_non_null(strstr(imported_values(&imported), " 2024-07-16T18:26:24.661360Z 1 2 "));
}

static void local_times_by_a_zone_or_by_the_rules_of_the_file(void **state)
{
    (void)state;
#define RULES ENTRY("", "<e:LocalTimeParameters><e:dstEndRule>B40E2000</e:dstEndRule><e:dstOffset>3600</e:dstOffset>" \
                    "<e:dstStartRule>360E2000</e:dstStartRule><e:tzOffset>-18000</e:tzOffset></e:LocalTimeParameters>")
    /* 2011-11-06 00:30, 01:30 twice, 02:30; 2011-03-13 02:30 is not there */
    static const char text[] = FEED(POINT METER("1") TYPE("1", WH) RULES
        BLOCK("1", READING("1320539400", "3600", "1") READING("1320543000", "3600", "2") READING("1320543000", "3600", "3")
                   READING("1320546600", "3600", "4") READING("1299983400", "3600", "5")));
    for (int round = 0; round < 2; round++) {
        imported.opts.own_zone = round == 1;
        assert_int_equal(round == 0 ? zone_open("America/New_York", &imported.opts.zone) : 0, 0);
        run_text(text);
        imported.opts.zone = NULL;
        imported.opts.own_zone = false;
        assert_non_null(strstr(imported_values(&imported), " 2011-11-06T04:30:00Z 3600 1 "));
        assert_non_null(strstr(imported_values(&imported), " 2011-11-06T05:30:00Z 3600 2 "));
        assert_non_null(strstr(imported_values(&imported), " 2011-11-06T06:30:00Z 3600 3 "));
        assert_non_null(strstr(imported_values(&imported), " 2011-11-06T07:30:00Z 3600 4 "));
        assert_string_equal(imported_misfits(&imported), "6 time the local time is not there on that day\n");
    }
    imported.opts.own_zone = true;
    static const char without[] = FEED(POINT);
    assert_int_equal(imported_run(&imported, &importer_greenbutton, without, strlen(without)), ERR_INVALID);
    imported.opts.own_zone = false;
}

/* Every hour of years with both changes, against the zone files. */
static void rules_of_a_file_agree_with_the_zone(void **state)
{
    (void)state;
    struct espi espi = {.tz_offset_s = -18000, .dst_offset_s = 3600, .dst_start = 0x360E2000, .dst_end = 0xB40E2000};
    const struct zone *zone;
    assert_int_equal(zone_open("America/New_York", &zone), 0);
    for (int64_t local_us = INT64_C(1167609600000000); local_us < INT64_C(1483228800000000); local_us += INT64_C(1800000000))
        for (int second = 0; second < 2; second++) {
            int64_t a_us = 0, b_us = 0;
            int a = espi_instant(&espi, local_us, second, &a_us), b = zone_instant(zone, local_us, second, &b_us);
            assert_int_equal(a, b);
            assert_true(a != 0 || a_us == b_us);
        }
}

static void attacks_with_entities_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "<!DOCTYPE feed [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]>" FEED(""),
        "<!DOCTYPE feed SYSTEM \"file:///etc/passwd\">" FEED(""),
        "<!DOCTYPE feed [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><feed xmlns=\"http://www.w3.org/2005/Atom\">&x;</feed>"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(imported_run(&imported, &importer_greenbutton, texts[i], strlen(texts[i])), ERR_INVALID);
        assert_non_null(strstr(imported.error.text, "DOCTYPE"));
    }
}

static void depth_and_size_are_bounded(void **state)
{
    (void)state;
    static char text[3 << 20];
    int n = snprintf(text, sizeof text, "<feed xmlns=\"http://www.w3.org/2005/Atom\">");
    for (int i = 0; i < 1000; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "<a>");
    assert_int_equal(imported_run(&imported, &importer_greenbutton, text, (size_t)n), ERR_INVALID);
    assert_non_null(strstr(imported.error.text, "deep"));
    memset(text, 'x', sizeof text);
    memcpy(text, "<feed a=\"", 9);
    assert_int_equal(imported_run(&imported, &importer_greenbutton, text, sizeof text), ERR_INVALID);
    assert_non_null(strstr(imported.error.text, "tag"));
}

static void what_is_no_green_button_file_is_refused_whole(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "hello", "<html/>", "<feed xmlns=\"http://www.w3.org/2005/Atom\"><entry>"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(imported_run(&imported, &importer_greenbutton, texts[i], strlen(texts[i])), ERR_INVALID);
        assert_true(imported.error.text[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readings_take_their_meaning_from_the_type_that_links_name),
        cmocka_unit_test(namespaces_count_and_prefixes_do_not),
        cmocka_unit_test(units_directions_and_registers),
        cmocka_unit_test(the_worst_of_several_qualities_counts),
        cmocka_unit_test(readings_without_a_time_follow_each_other),
        cmocka_unit_test(broken_readings_are_refused_alone),
        cmocka_unit_test(local_times_by_a_zone_or_by_the_rules_of_the_file),
        cmocka_unit_test(rules_of_a_file_agree_with_the_zone),
        cmocka_unit_test(attacks_with_entities_are_refused),
        cmocka_unit_test(depth_and_size_are_bounded),
        cmocka_unit_test(what_is_no_green_button_file_is_refused_whole),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    imported_done(&imported);
    return failed;
}
