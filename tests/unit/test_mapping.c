#include <config.h>

#include "adapt/mapping.h"

#include <stdio.h>

#include "../lib/test.h"

#define REST                                                                                                           \
    "\"entity\":\"x\",\"type\":\"Load\",\"time\":{\"field\":\"t\"},\"values\":[{\"field\":\"v\",\"property\":\"p\"}]"
#define GOOD "{\"format\":\"csv\",\"fields\":{\"t\":\"pass\",\"v\":\"pass\"}," REST

static struct mapping *parse(const char *text)
{
    struct mapping *mapping = NULL;
    struct err_text error = {0};
    if (mapping_parse("x.json", text, strlen(text), &mapping, &error) < 0)
        fail_msg("%s: %s", text, error.text);
    return mapping;
}

/* The message names the mapping, the place and what is wrong. */
static void refused(const char *text, const char *place, const char *why)
{
    struct mapping *mapping = NULL;
    struct err_text error = {0};
    char where[200];
    snprintf(where, sizeof where, "\"%s\"", place);
    int rc = mapping_parse("x.json", text, strlen(text), &mapping, &error);
    if (rc != ERR_INVALID || !strstr(error.text, "\"x.json\"") || !strstr(error.text, where) ||
        !strstr(error.text, why))
        fail_msg("%s: %d %s instead of %s, %s", text, rc, error.text, place, why);
}

static void mistakes_are_named_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *place, *why;
    } rows[] = {
        {"[]", "/", "it is no object"},
        {"{}", "/format", "csv, json or influx"},
        {GOOD ",\"filds\":{}}", "/", "unknown member \"filds\"; there are: about topics"},
        {GOOD ",\"json\":{}}", "/json", "the format is csv"},
        {GOOD ",\"csv\":{\"separator\":\";;\"}}", "/csv/separator", "no single character"},
        {GOOD ",\"csv\":{\"decimal\":\";\"}}", "/csv/decimal", "is . or ,"},
        {GOOD ",\"csv\":{\"decimal\":\",\",\"thousands\":\",\"}}", "/csv/decimal", "is . or ,"},
        {GOOD ",\"csv\":{\"header\":1}}", "/csv/header", "true or false"},
        {GOOD ",\"csv\":{\"header\":false}}", "/csv/columns", "names are needed"},
        {GOOD ",\"csv\":{\"columns\":[\"t\"]}}", "/csv/columns", "the header has the names"},
        {GOOD ",\"csv\":{\"skip\":-1}}", "/csv/skip", "from 0"},
        {GOOD ",\"csv\":{\"columns\":7}}", "/csv/columns", ""},
        {GOOD ",\"topics\":\"a b\"}", "/topics", "no name of a topic"},
        {GOOD ",\"topics\":[]}", "/topics", "empty"},
        {GOOD ",\"topics\":\"^(\"}", "/topics", "regular expression"},
        {GOOD ",\"to\":\"a b\"}", "/to", "no name of a topic"},
        {GOOD ",\"unmatched\":\"keep\"}", "/unmatched", "refuse or drop"},
        {GOOD ",\"period\":\"P1M\"}", "/period", "fixed ISO 8601"},
        {GOOD ",\"quality\":\"fine\"}", "/quality", "measured edited derived"},
        {GOOD ",\"quality\":{\"field\":\"v\",\"codes\":{\"1\":\"fine\"}}}", "/quality/codes/1", "no quality"},
        {GOOD ",\"quality\":{\"field\":\"v\",\"else\":\"measured\"}}", "/quality/else", "for which it could be"},
        {GOOD ",\"missing\":[1]}", "/missing/0", "no text"},
        {"{\"format\":\"csv\"," REST "}", "/fields", "the fields and their rules"},
        {"{\"format\":\"csv\",\"fields\":{\"t\":\"pass\"}," REST "}", "/values/0/field", "field \"v\" has no rule"},
        {"{\"format\":\"csv\",\"fields\":{\"t\":\"pass\",\"v\":\"drop\"}," REST "}", "/values/0/field",
         "it is dropped"},
        {"{\"format\":\"csv\",\"fields\":{\"t\":\"pass\",\"v\":\"substitute\"}," REST "}", "/values/0/field",
         "a number is passed"},
        {"{\"format\":\"csv\",\"fields\":{\"t\":\"substitute\",\"v\":\"pass\"}," REST "}", "/time/field",
         "a time is passed"},
        {"{\"format\":\"csv\",\"fields\":{\"t\":{\"truncate\":4},\"v\":\"pass\"}," REST "}", "/time/field",
         "a time is passed"},
        {"{\"format\":\"csv\",\"fields\":{\"t\":\"keep\",\"v\":\"pass\"}," REST "}", "/fields/t", "a rule is"},
        {"{\"format\":\"csv\",\"fields\":{\"t\":{\"truncate\":0},\"v\":\"pass\"}," REST "}", "/fields/t/truncate",
         "number of characters"},
        {"{\"format\":\"csv\",\"fields\":{\"t\":{\"truncate\":\"P1M\"},\"v\":\"pass\"}," REST "}", "/fields/t/truncate",
         "number of characters"},
        {"{\"format\":\"csv\",\"fields\":{\"t\":{\"truncate\":1,\"x\":1},\"v\":\"pass\"}," REST "}", "/fields/t",
         "unknown member"},
        {"{\"format\":\"csv\",\"fields\":{\"@what\":\"pass\"}," REST "}", "/fields/@what", "no field of that name"},
        {"{\"format\":\"json\",\"fields\":{\"t\":\"pass\"}," REST "}", "/fields/t", "no field of that name"},
        {"{\"format\":\"influx\",\"fields\":{\"tag:\":\"pass\"}," REST "}", "/fields/tag:", "no field of that name"},
        {"{\"format\":\"influx\",\"influx\":{},\"fields\":{\"time\":\"pass\"}," REST "}", "/influx", "no settings"},
        {"{\"format\":\"json\",\"json\":{\"records\":\"a\"},\"fields\":{\"/t\":\"pass\"}," REST "}", "/json/records",
         "begins with /"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        refused(rows[i].text, rows[i].place, rows[i].why);
}

#define VALUES(values)                                                                                                 \
    "{\"format\":\"csv\",\"fields\":{\"t\":\"pass\",\"v\":\"pass\",\"d\":{\"truncate\":\"PT1H\"}},\"type\":\"Load\","  \
    "\"time\":{\"field\":\"t\"},\"values\":" values "}"

static void mistakes_in_values_are_named_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *place, *why;
    } rows[] = {
        {VALUES("[]"), "/values", "1 to"},
        {VALUES("[1]"), "/values/0", "no object"},
        {VALUES("[{\"field\":\"v\",\"property\":\"p\"}]"), "/values/0", "there is no \"entity\""},
        {VALUES("[{\"field\":\"v\",\"property\":\"p\",\"entity\":\"{v\"}]"), "/values/0/entity", "a } is missing"},
        {VALUES("[{\"field\":\"v\",\"property\":\"p\",\"entity\":\"{w}\"}]"), "/values/0/entity",
         "field \"w\" has no rule"},
        {VALUES("[{\"field\":\"v\",\"property\":\"p\",\"entity\":\"{d}\"}]"), "/values/0/entity",
         "truncated as a time"},
        {VALUES("[{\"field\":\"v\",\"entity\":\"x\"}]"), "/values/0/property", "no object"},
        {VALUES("[{\"field\":\"v\",\"property\":\"\",\"entity\":\"x\"}]"), "/values/0/property", "empty"},
        {VALUES("[{\"field\":\"v\",\"property\":\"p\",\"entity\":\"x\",\"scale\":0.5}]"), "/values/0/scale",
         "a decimal as a text"},
        {VALUES("[{\"field\":\"v\",\"property\":\"p\",\"entity\":\"x\",\"scale\":\"0\"}]"), "/values/0/scale", "not 0"},
        {VALUES("[{\"field\":\"v\",\"property\":\"p\",\"entity\":\"x\",\"scale\":\"1\",\"states\":true}]"),
         "/values/0/scale", "no scale"},
        {VALUES("[{\"field\":\"v\",\"property\":\"p\",\"entity\":\"x\",\"states\":\"on\"}]"), "/values/0/states",
         "no object"},
        {VALUES("[{\"field\":\"v\",\"property\":\"p\",\"entity\":\"x\",\"when\":{}}]"), "/values/0/when",
         "a field in it"},
        {VALUES("[{\"field\":\"v\",\"property\":\"p\",\"entity\":\"x\",\"when\":{\"v\":[1]}}]"), "/values/0/when/v/0",
         "no text"},
        {VALUES("[{\"field\":\"v\",\"property\":\"p\",\"entity\":\"x\",\"when\":{\"w\":\"1\"}}]"), "/values/0/when/w",
         "has no rule"},
        {"{\"format\":\"csv\",\"fields\":{\"t\":\"pass\",\"v\":\"pass\"},\"entity\":\"x\",\"time\":{\"field\":\"t\"},"
         "\"values\":[{\"field\":\"v\","
         "\"property\":\"p\"}]}",
         "/values/0", "there is no \"type\""},
        {"{\"format\":\"csv\",\"fields\":{\"t\":\"pass\",\"v\":\"pass\"},\"entity\":\"x\",\"type\":\"Load\",\"time\":{"
         "\"field\":\"t\",\"end\":true},"
         "\"values\":[{\"field\":\"v\",\"property\":\"p\"}]}",
         "/values/0", "there is no \"period\""},
        {"{\"format\":\"csv\",\"fields\":{\"t\":\"pass\"},\"time\":{\"field\":\"t\",\"format\":\"%Q\"},\"values\":[]}",
         "/time/format", "a pattern of"},
        {"{\"format\":\"csv\",\"fields\":{\"t\":\"pass\"},\"time\":{\"field\":[]},\"values\":[]}", "/time/field",
         "1 to 4 fields"},
        {"{\"format\":\"csv\",\"fields\":{\"t\":\"pass\"},\"time\":{\"field\":\"t\",\"order\":\"up\"},\"values\":[]}",
         "/time/order", "ascending or"},
        {"{\"format\":\"csv\",\"fields\":{\"t\":\"pass\"},\"time\":{\"field\":\"t\",\"end\":1},\"values\":[]}",
         "/time/end", "true or false"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        refused(rows[i].text, rows[i].place, rows[i].why);
}

static void what_is_no_json_is_told_by_line(void **state)
{
    (void)state;
    struct mapping *mapping = NULL;
    struct err_text error = {0};
    assert_int_equal(mapping_parse("x.json", "{\n  \"a\" 1}", 10, &mapping, &error), ERR_INVALID);
    assert_non_null(strstr(error.text, "line 2"));
    assert_int_equal(mapping_parse("x.json", "{\"a\":1,\"a\":2}", 13, &mapping, &error), ERR_INVALID);
    assert_non_null(strstr(error.text, "duplicate"));
    assert_int_equal(mapping_open("/nonexistent/x.json", &mapping, &error), ERR_NOTFOUND);
    assert_non_null(strstr(error.text, "\"/nonexistent/x.json\""));
}

static void topics_are_names_or_a_pattern_and_lead_to_readings(void **state)
{
    (void)state;
    char target[LIMIT_TOPIC_BYTES + 1];
    struct mapping *mapping = parse(GOOD ",\"topics\":[\"raw.a\",\"b\"]}");
    assert_true(mapping_takes(mapping, "raw.a"));
    assert_false(mapping_takes(mapping, "raw.ab"));
    assert_int_equal(mapping_target(mapping, "raw.a", target), 0);
    assert_string_equal(target, "readings.a");
    assert_int_equal(mapping_target(mapping, "b", target), 0);
    assert_string_equal(target, "readings.b");
    memset(target, 'x', LIMIT_TOPIC_BYTES);
    target[LIMIT_TOPIC_BYTES] = '\0';
    char long_name[LIMIT_TOPIC_BYTES + 1];
    memcpy(long_name, target, sizeof long_name);
    assert_int_equal(mapping_target(mapping, long_name, target), ERR_LIMIT);
    mapping_free(mapping);
    mapping = parse(GOOD ",\"topics\":\"^raw\\\\.(a|b)$\",\"to\":\"readings.all\"}");
    assert_true(mapping_takes(mapping, "raw.b"));
    assert_false(mapping_takes(mapping, "raw.bc"));
    assert_int_equal(mapping_target(mapping, "raw.b", target), 0);
    assert_string_equal(target, "readings.all");
    mapping_free(mapping);
}

static void zone_is_needed_where_times_can_have_no_offset(void **state)
{
    (void)state;
    static const struct {
        const char *time;
        bool needs;
    } rows[] = {{"{\"field\":\"t\"}", false},
                {"{\"field\":\"t\",\"format\":\"iso\"}", false}, /* they may have one: told record by record */
                {"{\"field\":\"t\",\"format\":\"%Y\"}", true},
                {"{\"field\":\"t\",\"format\":\"%Y\",\"zone\":\"Europe/Berlin\"}", false},
                {"{\"field\":\"t\",\"format\":\"%Y%z\"}", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[400];
        snprintf(text, sizeof text,
                 "{\"format\":\"csv\",\"fields\":{\"t\":\"pass\",\"v\":\"pass\"},\"entity\":\"x\",\"type\":\"Load\","
                 "\"time\":%s,"
                 "\"values\":[{\"field\":\"v\",\"property\":\"p\"}]}",
                 rows[i].time);
        struct mapping *mapping = parse(text);
        assert_int_equal(mapping_needs_zone(mapping), rows[i].needs);
        mapping_free(mapping);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_named_with_their_place),
        cmocka_unit_test(mistakes_in_values_are_named_with_their_place),
        cmocka_unit_test(what_is_no_json_is_told_by_line),
        cmocka_unit_test(topics_are_names_or_a_pattern_and_lead_to_readings),
        cmocka_unit_test(zone_is_needed_where_times_can_have_no_offset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
