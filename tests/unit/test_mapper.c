#include <config.h>

#include "adapt/mapper.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../lib/test.h"
#include "adapt/compose.h"
#include "common/buf.h"
#include "common/civil.h"
#include "common/hash.h"

/* A vault that knows everybody but Gone: it counts how often it is asked, and for what. */
static struct {
    int n_questions;
    size_t n_texts;
    int rc; /* what it answers instead */
} vault;

static int ask_vault(void *arg, const char *domain, const char *const *texts, size_t n, char **ret_pseudonyms,
                     struct err_text *error)
{
    (void)arg;
    vault.n_questions++;
    vault.n_texts += n;
    if (vault.rc)
        return err_set(error, vault.rc, "the vault is away");
    for (size_t i = 0; i < n; i++)
        if (strcmp(texts[i], "Gone") != 0 &&
            asprintf(&ret_pseudonyms[i], "%s.%c%zu", domain, texts[i][0] & 0x7f, strlen(texts[i])) < 0)
            return ERR_NOMEM;
    return 0;
}

static struct pseudonyms *pseudonyms;

static int open_pseudonyms(void **state)
{
    (void)state;
    return hash_init() ? -1 : pseudonyms_new(&(struct pseudonyms_opts){.ask = ask_vault, .n_max = 65536}, &pseudonyms);
}

static int close_pseudonyms(void **state)
{
    (void)state;
    pseudonyms_free(pseudonyms);
    return 0;
}

/* `entity type property value unit time`, what is not usual behind it; a misfit is `!line reason`. */
static int note_value(void *arg, const struct observation *observation)
{
    struct buf *seen = arg;
    char time[CIVIL_TEXT_MAX], issued[CIVIL_TEXT_MAX];
    size_t n = civil_print_rfc3339(time, observation->time_us, 0, true);
    buf_printf(seen, "%s %s %s %s%s%s %s %.*s", observation->entity, observation->type, observation->property,
               observation->state ? "'" : "", observation->value, observation->state ? "'" : "", observation->unit,
               (int)n, time);
    if (observation->period_us)
        buf_printf(seen, " %" PRId64 "s", observation->period_us / US_PER_SECOND);
    if (observation->quality)
        buf_printf(seen, " %s", quality_name(observation->quality));
    if (observation->issued_us != ISSUED_NONE)
        buf_printf(seen, " issued %.*s", (int)civil_print_rfc3339(issued, observation->issued_us, 0, true), issued);
    buf_putc(seen, '\n');
    return 0;
}

static int note_misfit(void *arg, const struct misfit *misfit)
{
    buf_printf(arg, "!%" PRId64 " %s\n", misfit->line, refusal_name(misfit->reason));
    assert_true(misfit->detail[0] != '\0');
    return 0;
}

struct sample {
    const char *fields, *rest; /* of the document */
    const char *input, *want;
    struct mapper_source source;
    const char *zone;
};

static struct mapping *document(const struct sample *sample, const char *format)
{
    struct buf text = {0};
    struct mapping *mapping = NULL;
    struct err_text error = {0};
    buf_printf(&text, "{\"format\":\"%s\",\"fields\":{%s},%s}", format, sample->fields, sample->rest);
    if (mapping_parse("x.json", (const char *)text.data, text.n, &mapping, &error) < 0)
        fail_msg("%.*s: %s", (int)text.n, (const char *)text.data, error.text);
    buf_free(&text);
    return mapping;
}

/* The input in pieces of that size, each source by the same mapper. */
static void compare(struct mapper *mapper, const struct sample *sample, size_t piece, struct buf *seen)
{
    size_t size = strlen(sample->input);
    struct mapper_source source = sample->source;
    source.known_us = source.known_us ? source.known_us : INT64_MIN;
    buf_clear(seen);
    assert_int_equal(mapper_begin(mapper, &source), 0);
    for (size_t at = 0; at < size; at += piece) {
        char *copy = malloc(piece); /* so that reading beyond it is found */
        size_t n = size - at < piece ? size - at : piece;
        copy = realloc(copy, n);
        memcpy(copy, sample->input + at, n);
        assert_int_equal(mapper_feed(mapper, copy, n), 0);
        free(copy);
    }
    assert_int_equal(mapper_end(mapper), 0);
    buf_putc(seen, '\0');
    if (strcmp((const char *)seen->data, sample->want) != 0)
        fail_msg("in pieces of %zu:\n%s\ninstead of\n%s", piece, (const char *)seen->data, sample->want);
    struct mapper_counts counts = mapper_counts(mapper);
    int64_t n_lines = 0, n_misfits = 0;
    for (const char *at = sample->want; *at; at = strchr(at, '\n') + 1) {
        n_lines += *at != '!';
        n_misfits += *at == '!';
    }
    assert_int_equal(counts.values, n_lines);
    assert_int_equal(counts.refused, n_misfits);
}

static void maps(const char *format, struct sample sample)
{
    struct buf seen = {0};
    struct mapping *mapping = document(&sample, format);
    struct mapper_opts opts = {.mapping = mapping,
                               .pseudonyms = pseudonyms,
                               .zone = sample.zone,
                               .observe = note_value,
                               .refuse = note_misfit,
                               .arg = &seen};
    struct mapper *mapper = NULL;
    struct err_text error = {0};
    if (mapper_new(&opts, &mapper, &error) < 0)
        fail_msg("%s", error.text);
    static const size_t pieces[] = {1, 2, 3, 7, 64, 1 << 20};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        compare(mapper, &sample, pieces[i], &seen);
    mapper_free(mapper);
    mapping_free(mapping);
    buf_free(&seen);
}

#define T "\"time\":{\"field\":\"t\",\"format\":\"unix_s\"}"
#define X "\"entity\":\"x\",\"type\":\"Load\""
#define V "\"values\":[{\"field\":\"v\",\"property\":\"p\"}]"
#define TV "\"t\":\"pass\",\"v\":\"pass\""
#define AT0 "1970-01-01T00:00:00Z"

static void csv_of_any_dialect_is_read(void **state)
{
    (void)state;
    maps("csv", (struct sample){.fields = TV,
                                X "," T "," V,
                                "\xEF\xBB\xBFt,v\r\n0,1\r\n\r\n0,\"2\"\n0,3",
                                "x Load p 1  " AT0 "\nx Load p 2  " AT0 "\nx Load p 3  " AT0 "\n"});
    maps("csv", (struct sample){.fields = TV, X "," T "," V, "", ""});
    maps("csv", (struct sample){.fields = TV, X "," T "," V, "\xEF\xBB", "!1 field\n"});
    maps("csv", (struct sample){
                    .fields = TV,
                    X "," T "," V
                      ",\"csv\":{\"separator\":\";\",\"decimal\":\",\",\"thousands\":\".\",\"quote\":\"'\",\"skip\":2}",
                    "logger 7\n;;\nv;t\n'1.234,5';0\n \"; 0\n",
                    "x Load p 1234.5  " AT0 "\n!5 number\n"});
    maps("csv",
         (struct sample){.fields = TV,
                         X "," T "," V ",\"csv\":{\"header\":false,\"columns\":[\"t\",\"\",\"v\"],\"quote\":\"\"}",
                         "0,a,1\n0,\",\"2\n",
                         "x Load p 1  " AT0 "\n!2 number\n"});
    maps("csv", (struct sample){.fields = "\"\":\"pass\",\"v\":\"pass\"",
                                X ",\"time\":{\"field\":\"\",\"format\":\"unix_s\"}," V,
                                ",v\n0,1\n",
                                "x Load p 1  " AT0 "\n"});
}

static void rows_have_as_many_fields_as_the_header(void **state)
{
    (void)state;
    maps("csv",
         (struct sample){.fields = TV,
                         X "," T "," V,
                         "t,v,w\n0,1\n0,2,\n0,3,,,\n0,4,,,x\n0,5,y\n",
                         "!2 length\nx Load p 2  " AT0 "\nx Load p 3  " AT0 "\n!5 length\nx Load p 5  " AT0 "\n"});
    maps("csv", (struct sample){.fields = TV,
                                X "," T "," V ",\"csv\":{\"ragged\":true}",
                                "t,v,w\n0,1\n0\n0,4,,,x\n",
                                "x Load p 1  " AT0 "\nx Load p 4  " AT0 "\n"});
    maps("csv", (struct sample){.fields = TV, X "," T "," V, "t,v,\n0,1\n", "x Load p 1  " AT0 "\n"});
}

static void header_that_does_not_fit_refuses_the_source_once(void **state)
{
    (void)state;
    maps("csv", (struct sample){.fields = TV, X "," T "," V, "t,w\n0,1\n0,2\n", "!1 field\n"});
    maps("csv", (struct sample){.fields = TV, X "," T "," V, "t,v,v\n0,1,1\n0,2,2\n", "!1 field\n"});
    maps("csv",
         (struct sample){
             .fields = "\"never\":\"pass\",\"w\":\"drop\"," TV, X "," T "," V, "t,v\n0,1\n", "x Load p 1  " AT0 "\n"});
}

static void rows_too_large_are_refused_and_their_neighbours_kept(void **state)
{
    (void)state;
    static char input[200000];
    size_t n = (size_t)snprintf(input, sizeof input, "t,v\n0,1\n0,\"");
    memset(input + n, 'x', 100000);
    snprintf(input + n + 100000, sizeof input - n - 100000, "\n0,2\n");
    maps("csv",
         (struct sample){.fields = TV, X "," T "," V, input, "x Load p 1  " AT0 "\n!3 size\nx Load p 2  " AT0 "\n"});
    maps("csv", (struct sample){.fields = TV, X "," T "," V, "t,v\n0,1\n0,\"2", "x Load p 1  " AT0 "\n!3 field\n"});
}

static void what_is_missing_says_nothing(void **state)
{
    (void)state;
    maps("csv", (struct sample){.fields = TV,
                                X "," T ",\"missing\":[\"-9999\",\"n/a\"]," V,
                                "t,v\n0,\n0, \n0,-9999.0\n0,-9999\n0,n/a\n0,-9998\n0,NaN\n",
                                "x Load p -9998  " AT0 "\n!8 number\n"});
    maps("csv",
         (struct sample){.fields = TV,
                         X "," T ",\"values\":[{\"field\":\"v\",\"property\":\"p\",\"missing\":\"0\",\"scale\":10}]",
                         "t,v\n0,0.00\n0,0.1\n",
                         "x Load p 1  " AT0 "\n"});
    maps("json",
         (struct sample){
             .fields = "\"/t\":\"pass\",\"/v\":\"pass\"",
             X ",\"time\":{\"field\":\"/t\",\"format\":\"unix_s\"},\"values\":[{\"field\":\"/v\",\"property\":\"p\"}]",
             "{\"t\":0,\"v\":null}{\"t\":0}{\"t\":0,\"v\":\"\"}",
             ""});
}

static void choices_have_codes_and_an_else(void **state)
{
    (void)state;
    const char *fields = TV ",\"q\":\"pass\",\"n\":\"pass\",\"u\":\"pass\"";
    maps("csv", (struct sample){.fields = fields,
                                X "," T "," V
                                  ",\"quality\":{\"field\":\"q\",\"codes\":{\"\":\"measured\",\"E\":\"estimated\"}}",
                                "t,v,q,n,u\n0,1,,,\n0,2,E,,\n0,3,X,,\n",
                                "x Load p 1  " AT0 "\nx Load p 2  " AT0 " estimated\n!4 field\n"});
    maps("csv", (struct sample){.fields = fields,
                                X "," T "," V
                                  ",\"quality\":{\"field\":\"q\",\"codes\":{\"E\":\"estimated\"},\"else\":\"suspect\"}",
                                "t,v,q,n,u\n0,1,,,\n",
                                "x Load p 1  " AT0 " suspect\n"});
    maps("csv", (struct sample){.fields = fields,
                                X "," T "," V ",\"quality\":{\"field\":\"q\"}",
                                "t,v,q,n,u\n0,1,derived,,\n0,1,fine,,\n",
                                "x Load p 1  " AT0 " derived\n!3 field\n"});
    maps("csv", (struct sample){
                    .fields = fields,
                    X "," T ",\"values\":[{\"field\":\"v\",\"property\":{\"field\":\"n\"},\"unit\":{\"field\":\"u\"}}]",
                    "t,v,q,n,u\n0,1,,a,kW\n0,1,,,kW\n0,1,,a,\n",
                    "x Load a 1 kW " AT0 "\n!3 property\n!4 unit\n"});
    maps("csv",
         (struct sample){.fields = fields,
                         "\"entity\":\"x\",\"type\":{\"field\":\"n\",\"codes\":{\"1\":\"Load\"}}," T
                         ",\"values\":[{\"field\":\"v\",\"property\":\"p\"},{\"field\":\"v\",\"property\":\"q\"}]",
                         "t,v,q,n,u\n0,1,,1,\n0,1,,2,\n",
                         "x Load p 1  " AT0 "\nx Load q 1  " AT0 "\n!3 type\n"});
}

static void periods_and_ends_move_the_time(void **state)
{
    (void)state;
    const char *fields = TV ",\"d\":\"pass\"";
    maps("csv",
         (struct sample){.fields = fields,
                         X ",\"time\":{\"field\":\"t\",\"format\":\"unix_s\",\"end\":true},\"period\":\"PT15M\"," V,
                         "t,v,d\n900,1,\n",
                         "x Load p 1  " AT0 " 900s\n"});
    maps("csv", (struct sample){.fields = fields,
                                X "," T ",\"period\":{\"field\":\"d\"}," V,
                                "t,v,d\n0,1,PT1H\n0,2,P1M\n0,3,\n",
                                "x Load p 1  " AT0 " 3600s\n!3 time\n!4 time\n"});
    maps("csv", (struct sample){.fields = fields,
                                X "," T ",\"period\":{\"field\":\"d\",\"codes\":{\"15\":\"PT15M\"}}," V,
                                "t,v,d\n0,1,15\n0,2,16\n",
                                "x Load p 1  " AT0 " 900s\n!3 time\n"});
}

static void states_are_texts_or_codes(void **state)
{
    (void)state;
    maps("csv", (struct sample){.fields = TV,
                                X "," T ",\"values\":[{\"field\":\"v\",\"property\":\"p\",\"states\":true}]",
                                "t,v\n0,a \"b\"\n0,\n0,\x01\n0,\xFF\n",
                                "x Load p 'a \"b\"'  " AT0 "\n!4 field\n!5 field\n"});
    maps("csv",
         (struct sample){
             .fields = TV,
             X
             "," T
             ",\"values\":[{\"field\":\"v\",\"property\":\"p\",\"states\":{\"1\":\"on\",\"0\":\"off\",\"\":\"idle\"}}]",
             "t,v\n0,1\n0,0\n0,2\n0,\n",
             "x Load p 'on'  " AT0 "\nx Load p 'off'  " AT0 "\n!4 field\nx Load p 'idle'  " AT0 "\n"});
    static char input[200], *end = input;
    end += snprintf(input, sizeof input, "t,v\n0,");
    memset(end, 'x', 65);
    maps("csv", (struct sample){.fields = TV,
                                X "," T ",\"values\":[{\"field\":\"v\",\"property\":\"p\",\"states\":true}]",
                                input,
                                "!2 limit\n"});
}

static void when_reads_long_layouts(void **state)
{
    (void)state;
    const char *fields = TV ",\"n\":\"pass\"";
    const char *rest = X "," T ",\"values\":[{\"field\":\"v\",\"property\":\"a\",\"when\":{\"n\":\"A\"}},{\"field\":"
                         "\"v\",\"property\":\"b\",\"when\":{\"n\":[\"B\",\"\"]}}]";
    maps("csv", (struct sample){.fields = fields,
                                rest,
                                "t,v,n\n0,1,A\n0,2,B\n0,3,\n0,4,C\n",
                                "x Load a 1  " AT0 "\nx Load b 2  " AT0 "\nx Load b 3  " AT0 "\n!5 property\n"});
    static char dropping[600];
    snprintf(dropping, sizeof dropping, "%s,\"unmatched\":\"drop\"", rest);
    maps("csv", (struct sample){.fields = fields, dropping, "t,v,n\n0,1,A\n0,4,C\n", "x Load a 1  " AT0 "\n"});
}

static void rules_say_what_leaves(void **state)
{
    (void)state;
    const char *fields =
        "\"t\":{\"truncate\":\"PT15M\"},\"v\":\"pass\",\"who\":\"substitute\",\"city\":{\"truncate\":2}";
    maps("csv", (struct sample){.fields = fields,
                                "\"entity\":\"{who}-{city}\",\"type\":\"Load\"," T "," V,
                                "t,v,who,city\n1799,1,Jane,Ljubljana\n-1,2,Jane,Lj\n0,3,,x\n0,4,Jane,\xC4\x8C"
                                "a\n0,5,Gone,Lj\n0,6,\xff,Lj\n",
                                "readings.J4-Lj Load p 1  1970-01-01T00:15:00Z\nreadings.J4-Lj "
                                "Load p 2  1969-12-31T23:45:00Z\n!4 entity\n!5 entity\n!6 erased\n!7 entity\n"});
    maps("csv", (struct sample){.fields = "\"t\":\"pass\",\"v\":{\"truncate\":2}",
                                X "," T ",\"values\":[{\"field\":\"v\",\"property\":\"p\",\"states\":true}]",
                                "t,v\n0,\xC4\x8C\xC4\x8C\xC4\x8C\n",
                                "x Load p '\xC4\x8C\xC4\x8C'  " AT0 "\n"});
}

static void entities_have_the_grammar_of_entities(void **state)
{
    (void)state;
    maps("csv",
         (struct sample){.fields = TV ",\"who\":\"pass\"",
                         "\"entity\":\"x-{who}\",\"type\":\"Load\"," T
                         ",\"values\":[{\"field\":\"v\",\"property\":\"p\"},{\"field\":\"v\",\"property\":\"q\"}]",
                         "t,v,who\n0,1,a:b/c\n0,1,a b\n0,1,\n",
                         "x-a:b/c Load p 1  " AT0 "\nx-a:b/c Load q 1  " AT0 "\n!3 entity\n!4 entity\n"});
    maps("csv",
         (struct sample){.fields = TV ",\"@file\":\"pass\",\"@key\":\"pass\",\"@topic\":\"pass\"",
                         "\"entity\":\"{@file}-{@key}-{@topic}\",\"type\":\"Load\"," T "," V,
                         "t,v\n0,1\n",
                         "a.b-k-raw.x Load p 1  " AT0 "\n",
                         .source = {.file = "/some/where/a.b.csv", .key = "key", .key_size = 1, .topic = "raw.x"}});
    maps("csv", (struct sample){.fields = TV ",\"@key\":\"pass\"",
                                "\"entity\":\"{@key}\",\"type\":\"Load\"," T "," V,
                                "t,v\n0,1\n",
                                "!2 entity\n"});
}

static void json_records_are_found_by_pointers(void **state)
{
    (void)state;
    const char *fields = "\"/t\":\"pass\",\"/v\":\"pass\",\"#/id\":\"pass\",\"*\":\"pass\",\"/a~1b/0/x~0\":\"pass\"";
#define JSON_TIME "\"time\":{\"field\":\"/t\",\"format\":\"unix_s\"},\"type\":\"Load\""
#define JSON_VALUE "\"values\":[{\"field\":\"/v\",\"property\":\"p\"}]"
    maps("json", (struct sample){.fields = fields,
                                 "\"entity\":\"x-{#/id}\"," JSON_TIME "," JSON_VALUE,
                                 " {\"id\":\"a\",\"t\":0,\"v\":12.30}\n\n{\"id\":7,\"t\":\"0\",\"v\":\"1e3\"}\n",
                                 "x-a Load p 12.30  " AT0 "\nx-7 Load p 1e3  " AT0 "\n"});
    maps("json", (struct sample){.fields = fields,
                                 "\"entity\":\"x-{*}\"," JSON_TIME "," JSON_VALUE,
                                 "[{\"t\":0,\"v\":1},\n{\"t\":0,\"v\":2}]",
                                 "x-0 Load p 1  " AT0 "\nx-1 Load p 2  " AT0 "\n"});
    maps("json",
         (struct sample){
             .fields = fields,
             "\"entity\":\"{#/id}-{*}\"," JSON_TIME "," JSON_VALUE ",\"json\":{\"records\":\"/s/*/m\"}",
             "{\"id\":\"i\",\"s\":{\"a\":{\"m\":{\"t\":0,\"v\":1}},\"b\":{},\"c\\u0064\":{\"m\":[{\"t\":0,\"v\":2}]}}}",
             "i-a Load p 1  " AT0 "\ni-0 Load p 2  " AT0 "\n"});
    maps("json",
         (struct sample){.fields = fields,
                         "\"entity\":\"x\"," JSON_TIME ",\"values\":[{\"field\":\"/a~1b/0/x~0\",\"property\":\"p\"}]",
                         "{\"t\":0,\"a/b\":[{\"x~\":5}]}",
                         "x Load p 5  " AT0 "\n"});
    maps("json", (struct sample){.fields = fields,
                                 "\"entity\":\"x\"," JSON_TIME "," JSON_VALUE ",\"json\":{\"records\":\"/s\"}",
                                 "{\"s\":[]}\n{\"r\":1}\n{\"s\":1}\n",
                                 "!2 field\n!3 field\n"});
    maps("json", (struct sample){.fields = fields,
                                 "\"entity\":\"x\"," JSON_TIME "," JSON_VALUE,
                                 "{\"t\":0,\"v\":[1]}{\"t\":0,\"v\":true}{\"t\":[1],\"v\":{}}{\"t\":{},\"v\":1}",
                                 "!1 number\n!1 number\n!1 number\n!1 time\n"});
}

static void broken_json_costs_itself_and_not_its_neighbours(void **state)
{
    (void)state;
    const char *fields = "\"/t\":\"pass\",\"/v\":\"pass\"", *rest = "\"entity\":\"x\"," JSON_TIME "," JSON_VALUE;
    const char *good = "x Load p 1  " AT0 "\n";
    static const char *const broken[] = {
        "{\"t\":0,\"v\":\"1", "{\"t\":0,\"v\":1", "{\"t\":0,,}", "garbage", "{\"t\":0,\"v\":1}}", "]",
        "{\"t\":0 \"v\":{}}", "{\"a\":{\"b\":1}"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        char input[200], want[200];
        bool first_good = i == 4 /* a bracket too many stands behind it */;
        snprintf(input, sizeof input, "{\"t\":0,\"v\":1}\n%s\n{\"t\":0,\"v\":1}\n", broken[i]);
        snprintf(want, sizeof want, "%s%s!2 json\n%s", good, first_good ? good : "", good);
        maps("json", (struct sample){.fields = fields, rest, input, want});
    }
}

static void arrays_beside_an_array_of_times_are_read_with_it(void **state)
{
    (void)state;
    const char *fields = "\"/h/t\":\"pass\",\"/h/v\":\"pass\",\"/h/w\":\"pass\",\"/id\":\"pass\"";
    const char *rest = "\"entity\":\"x-{/id}\",\"type\":\"Load\",\"time\":{\"field\":\"/h/"
                       "t\",\"format\":\"unix_s\"},\"values\":[{\"field\":\"/h/v\",\"property\":\"p\"},{\"field\":\"/h/"
                       "w\",\"property\":\"q\"}]";
    maps("json", (struct sample){.fields = fields,
                                 rest,
                                 "{\"id\":1,\"h\":{\"t\":[0,1],\"v\":[5,null],\"w\":[\"6\",7]}}",
                                 "x-1 Load p 5  " AT0 "\nx-1 Load q 6  " AT0 "\nx-1 Load q 7  1970-01-01T00:00:01Z\n"});
    maps("json", (struct sample){.fields = fields,
                                 rest,
                                 "{\"id\":1,\"h\":{\"t\":[0,1],\"v\":[5],\"w\":7}}",
                                 "!1 length\nx-1 Load q 7  " AT0 "\nx-1 Load q 7  1970-01-01T00:00:01Z\n"});
    maps("json", (struct sample){.fields = fields, rest, "{\"id\":1,\"h\":{\"t\":[],\"v\":[],\"w\":7}}", ""});
}

static void line_protocol_is_read_with_its_escapes(void **state)
{
    (void)state;
    const char *fields =
        "\"measurement\":\"pass\",\"tag:a b\":\"pass\",\"field:f=\":\"pass\",\"field:s\":\"pass\",\"time\":\"pass\"";
    const char *rest =
        "\"entity\":\"{measurement}-{tag:a "
        "b}\",\"type\":\"Load\",\"time\":{\"field\":\"time\"},\"values\":[{\"field\":\"field:f=\",\"property\":\"p\"},"
        "{\"field\":\"field:s\",\"property\":\"s\",\"states\":true}]";
    maps("influx",
         (struct sample){
             .fields = fields, rest, "m,a\\ b=c f\\==12i 1000000000\n", "m-c Load p 12  1970-01-01T00:00:01Z\n"});
    maps("influx", (struct sample){.fields = fields,
                                   rest,
                                   "m,x=y,a\\ b=c,z=1 g=1,f\\==1.5e3,s=\"a, \\\"b\\\" \\\\c\" 0\r\n",
                                   "m-c Load p 1.5e3  " AT0 "\nm-c Load s 'a, \"b\" \\c'  " AT0 "\n"});
    maps("influx", (struct sample){.fields = fields,
                                   rest,
                                   "# comment\n\n  m,a\\ b=c f\\==7u,s=T   0  \n",
                                   "m-c Load p 7  " AT0 "\nm-c Load s 'true'  " AT0 "\n"});
    maps("influx", (struct sample){.fields = fields, rest, "m,a\\ b=c f\\==7\n", "!1 time\n"});
    maps("influx", (struct sample){.fields = fields,
                                   rest,
                                   "m,a\\ b=c f\\==7\n",
                                   "m-c Load p 7  1970-01-01T00:00:01.500Z\n",
                                   .source = {.known_us = 1500000}});
    static const char *const bad[] = {
        "m", "m,a", "m,a=", "m,a= f=1", "m f", "m f=", "m f=1 2 3", "m f=\"x 1", ",a=b f=1", "m,=b f=1", "m =1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        maps("influx", (struct sample){.fields = fields, rest, bad[i], "!1 field\n"});
}

static void local_times_take_the_zone_that_is_given(void **state)
{
    (void)state;
    const char *rest = X ",\"time\":{\"field\":\"t\",\"format\":\"iso\",\"zone\":\"Europe/Berlin\"}," V;
    maps("csv", (struct sample){.fields = TV, rest, "t,v\n2025-03-01 00:00,1\n", "x Load p 1  2025-02-28T23:00:00Z\n"});
    maps("csv", (struct sample){.fields = TV,
                                rest,
                                "t,v\n2025-03-01 00:00,1\n",
                                "x Load p 1  2025-03-01T05:00:00Z\n",
                                .zone = "America/New_York"});
    maps("csv", (struct sample){.fields = TV,
                                rest,
                                "t,v\n2025-03-01 00:00,1\n2025-03-01 00:00Z,2\n",
                                "x Load p 1  2025-02-28T18:30:00Z\nx Load p 2  2025-03-01T00:00:00Z\n",
                                .zone = "+05:30"});
    maps("csv", (struct sample){.fields = TV,
                                X ",\"time\":{\"field\":\"t\",\"format\":\"iso\"}," V,
                                "t,v\n2025-03-01 00:00,1\n",
                                "!2 time\n"});
}

/* 2025-10-26: 02:30 is 00:30Z and 01:30Z. */
static void message_of_its_own_is_told_by_when_it_was_sent(void **state)
{
    (void)state;
    const char *rest = X ",\"time\":{\"field\":\"t\",\"format\":\"iso\",\"zone\":\"Europe/Berlin\"}," V;
    const int64_t first_us = INT64_C(1761438600) * 1000000;
    static const struct {
        int64_t after_s;
        bool second;
    } rows[] = {{1, false}, {3000, false}, {3300, true}, {3601, true}, {7199, true}, {7200, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        maps("csv", (struct sample){.fields = TV,
                                    rest,
                                    "t,v\n2025-10-26 02:30,1\n",
                                    rows[i].second ? "x Load p 1  2025-10-26T01:30:00Z\n"
                                                   : "x Load p 1  2025-10-26T00:30:00Z\n",
                                    .source = {.known_us = first_us + rows[i].after_s * 1000000}});
}

static void issue_times_are_stated_where_they_are_there(void **state)
{
    (void)state;
    maps("csv", (struct sample){.fields = TV ",\"i\":\"pass\"",
                                X "," T ",\"issued\":{\"field\":\"i\"}," V,
                                "t,v,i\n3600,1,1970-01-01T00:00:00Z\n0,2,\n0,3,x\n",
                                "x Load p 1  1970-01-01T01:00:00Z issued " AT0 "\nx Load p 2  " AT0 "\n!4 time\n"});
}

static void times_of_several_columns_are_joined(void **state)
{
    (void)state;
    maps("csv",
         (struct sample){.fields = "\"d\":\"pass\",\"h\":\"pass\",\"v\":\"pass\"",
                         X ",\"time\":{\"field\":[\"d\",\"h\"],\"format\":\"%m/%d/%Y %H:%M\",\"zone\":\"-07:00\"}," V,
                         "d,h,v\n10/14/2018,00:01,1\n,00:01,1\n",
                         "x Load p 1  2018-10-14T07:01:00Z\n!3 time\n"});
}

static int end_it(void *arg, const struct observation *observation)
{
    (void)arg;
    (void)observation;
    return ERR_CANCELLED;
}

static void answer_of_a_callback_is_passed_on(void **state)
{
    (void)state;
    struct sample sample = {.fields = TV, X "," T "," V, "", ""};
    struct mapping *mapping = document(&sample, "csv");
    struct mapper_opts opts = {.mapping = mapping, .observe = end_it, .refuse = note_misfit};
    struct mapper *mapper = NULL;
    struct err_text error = {0};
    assert_int_equal(mapper_new(&opts, &mapper, &error), 0);
    assert_int_equal(mapper_begin(mapper, &(struct mapper_source){.known_us = INT64_MIN}), 0);
    assert_int_equal(mapper_feed(mapper, "t,v\n0,1\n0,2\n", 12), ERR_CANCELLED);
    mapper_free(mapper);
    mapping_free(mapping);
}

static void mapper_says_what_it_lacks(void **state)
{
    (void)state;
    struct sample lacks_key = {.fields = "\"t\":\"pass\",\"v\":\"pass\",\"w\":\"substitute\"", X "," T "," V, "", ""};
    struct sample lacks_zone = {.fields = TV, X ",\"time\":{\"field\":\"t\",\"format\":\"%Y\"}," V, "", ""};
    struct sample has_bad_zone = {
        .fields = TV, X ",\"time\":{\"field\":\"t\",\"format\":\"%Y\",\"zone\":\"Mars/Base\"}," V, "", ""};
    const struct {
        struct sample *sample;
        const char *why;
    } rows[] = {{&lacks_key, "no vault"}, {&lacks_zone, "no zone"}, {&has_bad_zone, "\"Mars/Base\" is no time zone"}};
    for (size_t i = 0; i < 3; i++) {
        struct mapping *mapping = document(rows[i].sample, "csv");
        struct mapper_opts opts = {.mapping = mapping, .observe = note_value, .refuse = note_misfit};
        struct mapper *mapper = NULL;
        struct err_text error = {0};
        assert_int_equal(mapper_new(&opts, &mapper, &error), ERR_INVALID);
        assert_non_null(strstr(error.text, rows[i].why));
        mapping_free(mapping);
    }
}

static void pseudonyms_are_asked_for_together_and_remembered_for_a_while(void **state)
{
    struct buf out = {0};
    char text[32];
    (void)state;
    vault.n_questions = 0;
    vault.n_texts = 0;
    pseudonyms_begin(pseudonyms);
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 20; i++) {
            int n = snprintf(text, sizeof text, "person %d", i);
            assert_int_equal(pseudonyms_put(pseudonyms, "one", text, (size_t)n, &out), 0);
        }
    assert_int_equal(pseudonyms_put(pseudonyms, "other", "person 0", 8, &out), 0);
    assert_int_equal(vault.n_questions, 1); /* a domain has a question of its own */
    assert_int_equal(pseudonyms_end(pseudonyms), 0);
    assert_int_equal(vault.n_questions, 2);
    assert_int_equal(vault.n_texts, 21); /* of 65,536 places */
    buf_clear(&out);
    assert_int_equal(pseudonyms_put(pseudonyms, "other", "person 0", 8, &out), 0);
    assert_int_equal(vault.n_questions, 2);
    assert_int_equal(out.n, strlen("other.p8"));
    assert_memory_equal(out.data, "other.p8", out.n);
    buf_free(&out);
}

static void vault_that_is_away_ends_the_feeding_with_its_reason(void **state)
{
    struct buf out = {0};
    (void)state;
    vault.rc = ERR_BUSY;
    assert_int_equal(pseudonyms_put(pseudonyms, "d", "new", 3, &out), ERR_BUSY);
    assert_string_equal(pseudonyms_why(pseudonyms), "the vault is away");
    pseudonyms_begin(pseudonyms);
    assert_int_equal(pseudonyms_put(pseudonyms, "d", "new", 3, &out), 0);
    assert_int_equal(pseudonyms_end(pseudonyms), ERR_BUSY);
    vault.rc = 0;
    buf_clear(&out);
    assert_int_equal(pseudonyms_put(pseudonyms, "d", "new", 3, &out), 0);
    assert_memory_equal(out.data, "d.n3", 4);
    assert_int_equal(pseudonyms_put(pseudonyms, "d", "Gone", 4, &out), ERR_EXPIRED);
    assert_int_equal(pseudonyms_put(pseudonyms, "d", "a\0b", 3, &out), ERR_INVALID);
    char *long_text = calloc(1, PSEUDONYM_TEXT_MAX + 1);
    assert_int_equal(pseudonyms_put(pseudonyms, "d", long_text, PSEUDONYM_TEXT_MAX + 1, &out), ERR_LIMIT);
    free(long_text);
    buf_free(&out);
}

static int note_message(void *arg, const char *entity, const void *json, size_t size)
{
    buf_printf(arg, "%s: %.*s\n", entity, (int)size, (const char *)json);
    return 0;
}

static void observations_are_composed_to_messages(void **state)
{
    (void)state;
    struct buf seen = {0};
    struct composer composer = {.message = note_message, .arg = &seen};
    const struct observation rows[] = {
        {"a", "Load", "p", "kW", 0, 0, ISSUED_NONE, "1.50", false, QUALITY_MEASURED, 1},
        {"a", "Load", "s", "", 0, 0, ISSUED_NONE, "o\"n\\", true, QUALITY_MEASURED, 1},
        {"a", "Load", "p", "kW", 0, 0, ISSUED_NONE, "2", false, QUALITY_MEASURED, 1}, /* again: an object of its own */
        {"a", "Load", "e", "", 1, 900000000, ISSUED_NONE, "3", false, QUALITY_ESTIMATED, 1},
        {"a", "Load", "e", "", 1, 900000000, 5, "4", false, QUALITY_ESTIMATED, 1},
        {"b", "Load", "p", "", 0, 0, ISSUED_NONE, "5", false, QUALITY_MEASURED, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(compose_add(&composer, &rows[i]), 0);
    assert_int_equal(compose_end(&composer), 0);
    assert_int_equal(compose_end(&composer), 0);
    buf_putc(&seen, '\0');
    assert_string_equal(
        (const char *)seen.data,
        "a: "
        "{\"entity\":\"a\",\"type\":\"Load\",\"time\":\"1970-01-01T00:00:00Z\",\"values\":{\"p\":1.50,\"s\":"
        "\"o\\\"n\\\\\"},\"units\":{\"p\":\"kW\"}}\n"
        "{\"entity\":\"a\",\"type\":\"Load\",\"time\":\"1970-01-01T00:00:00Z\",\"values\":{\"p\":2},\"units\":{\"p\":"
        "\"kW\"}}\n"
        "{\"entity\":\"a\",\"type\":\"Load\",\"time\":\"1970-01-01T00:00:00.000001Z\",\"values\":{\"e\":3},\"period\":"
        "\"PT15M\",\"quality\":\"estimated\"}\n"
        "{\"entity\":\"a\",\"type\":\"Load\",\"time\":\"1970-01-01T00:00:00.000001Z\",\"values\":{\"e\":4},\"period\":"
        "\"PT15M\",\"quality\":\"estimated\","
        "\"issued\":\"1970-01-01T00:00:00.000005Z\"}\n"
        "b: {\"entity\":\"b\",\"type\":\"Load\",\"time\":\"1970-01-01T00:00:00Z\",\"values\":{\"p\":5}}\n");
    compose_done(&composer);
    buf_free(&seen);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_of_any_dialect_is_read),
        cmocka_unit_test(rows_have_as_many_fields_as_the_header),
        cmocka_unit_test(header_that_does_not_fit_refuses_the_source_once),
        cmocka_unit_test(rows_too_large_are_refused_and_their_neighbours_kept),
        cmocka_unit_test(what_is_missing_says_nothing),
        cmocka_unit_test(choices_have_codes_and_an_else),
        cmocka_unit_test(periods_and_ends_move_the_time),
        cmocka_unit_test(states_are_texts_or_codes),
        cmocka_unit_test(when_reads_long_layouts),
        cmocka_unit_test(rules_say_what_leaves),
        cmocka_unit_test(entities_have_the_grammar_of_entities),
        cmocka_unit_test(json_records_are_found_by_pointers),
        cmocka_unit_test(broken_json_costs_itself_and_not_its_neighbours),
        cmocka_unit_test(arrays_beside_an_array_of_times_are_read_with_it),
        cmocka_unit_test(line_protocol_is_read_with_its_escapes),
        cmocka_unit_test(local_times_take_the_zone_that_is_given),
        cmocka_unit_test(message_of_its_own_is_told_by_when_it_was_sent),
        cmocka_unit_test(issue_times_are_stated_where_they_are_there),
        cmocka_unit_test(times_of_several_columns_are_joined),
        cmocka_unit_test(answer_of_a_callback_is_passed_on),
        cmocka_unit_test(mapper_says_what_it_lacks),
        cmocka_unit_test(pseudonyms_are_asked_for_together_and_remembered_for_a_while),
        cmocka_unit_test(vault_that_is_away_ends_the_feeding_with_its_reason),
        cmocka_unit_test(observations_are_composed_to_messages),
    };
    return cmocka_run_group_tests(tests, open_pseudonyms, close_pseudonyms);
}
