#include <config.h>

#include "test.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/hash.h"
#include "decode_oracle.h"
#include "models.h"
#include "normalise/decode.h"

#define MARCH_US INT64_C(1740787200000000) /* 2025-03-01T00:00:00Z */
#define KNOWN_MS INT64_C(1740873600000)    /* a day later */
#define HOUR_US INT64_C(3600000000)

/* ---- memory that can fail ---- */

static int64_t n_allocations, allocations_left = INT64_MAX;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *data, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *data, size_t size);

static bool may_allocate(void)
{
    n_allocations++;
    return allocations_left-- > 0;
}

void *__wrap_malloc(size_t size)
{
    return may_allocate() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t n, size_t size)
{
    return may_allocate() ? __real_calloc(n, size) : NULL;
}

void *__wrap_realloc(void *data, size_t size)
{
    return may_allocate() ? __real_realloc(data, size) : NULL;
}

/* ---- a decoder, and what it says in few words ---- */

static struct registry *registry;
static struct decoder *decoder;
static struct batch batch;
static struct buf said;

static int make_decoder(void **state)
{
    (void)state;
    registry = models_registry();
    const struct decoder_opts opts = {.registry = registry, .future_max_us = HOUR_US, .oldest_us = INT64_MIN};
    decoder = decoder_new(&opts);
    batch_init(&batch);
    return 0;
}

static int drop_decoder(void **state)
{
    (void)state;
    decoder_free(decoder);
    registry_free(registry);
    batch_free(&batch);
    buf_free(&said);
    return 0;
}

/* A reading as `property@us value`, then what is not as usual; a refusal as `!reason property slot`. */
static void say_reading(const struct reading *reading)
{
    static const char *const ops[] = {"", "delete ", "range "};
    const struct series *series = registry_at(registry, reading->series_i);
    buf_printf(&said, "%s%s@%" PRId64, ops[reading->op], series->property->name, reading->t_us - MARCH_US);
    if (reading->op == OP_VALUE && series->kind == KIND_STATE)
        buf_printf(&said, " '%s'", texts_at(&batch.texts, reading->m));
    else if (reading->op == OP_VALUE)
        buf_printf(&said, " %" PRId64 "e%d", reading->m, reading->e);
    if (reading->period_us)
        buf_printf(&said, " period %" PRId64, reading->period_us);
    if (reading->issued_us != ISSUED_NONE)
        buf_printf(&said, " issued %" PRId64, reading->issued_us - MARCH_US);
    if (reading->quality)
        buf_printf(&said, " quality %x", reading->quality);
    buf_puts(&said, "; ");
}

static const struct replay *part; /* of the next message */

static const char *decode_sized(const char *text, size_t size)
{
    const struct message message = {.value = text, .size = size, .offset = 17, .known_ms = KNOWN_MS, .part = part};
    batch_clear(&batch);
    buf_clear(&said);
    assert_int_equal(decode_message(decoder, &message, &batch), 0);
    for (size_t i = 0; i < batch.n_readings; i++) {
        assert_int_equal(batch.readings[i].offset, 17);
        assert_int_equal(batch.readings[i].known_ms, KNOWN_MS);
        say_reading(&batch.readings[i]);
    }
    for (size_t i = 0; i < batch.n_refusals; i++) {
        const struct refusal *refusal = &batch.refusals[i];
        assert_int_equal(refusal->offset, 17);
        assert_true(refusal->detail[0] != '\0');
        buf_printf(&said, "!%s", refusal_name(refusal->reason));
        if (refusal->property[0] || refusal->slot >= 0)
            buf_printf(&said, " %s %d", refusal->property, refusal->slot);
        buf_puts(&said, "; ");
    }
    buf_putc(&said, '\0');
    return (const char *)said.data;
}

static const char *decode(const char *text)
{
    return decode_sized(text, strlen(text));
}

/* A message of a SmartMeter m with these further members. */
static const char *meter(const char *members)
{
    static char text[8192];
    snprintf(text, sizeof text, "{\"entity\":\"m\",\"type\":\"SmartMeter\",%s}", members);
    return decode(text);
}

#define MARCH "\"time\":\"2025-03-01T00:00:00Z\","

/* The values of a SmartMeter at one time. */
static const char *values(const char *members)
{
    static char text[4096];
    snprintf(text, sizeof text, MARCH "\"values\":{%s}", members);
    return meter(text);
}

static const char *time_of(const char *time)
{
    static char text[4096];
    snprintf(text, sizeof text, "\"time\":%s,\"values\":{\"voltage\":1}", time);
    return meter(text);
}

/* ---- shapes ---- */

static void the_examples_of_the_contract_are_readings(void **state)
{
    (void)state;
    assert_string_equal(decode("{\"entity\":\"p2-meter-0142\",\"type\":\"SmartMeter\",\"time\":\"2025-03-01T00:00:00Z\","
                               "\"values\":{\"voltageL1\":230.1,\"activePower\":1250}}"),
                        "voltageL1@0 2301e-1; activePower@0 125e1; ");
    assert_string_equal(decode("{\"entity\":\"p2-meter-0142\",\"type\":\"SmartMeter\",\"time\":[\"2025-03-01T00:00:00Z\","
                               "\"2025-03-01T00:00:01Z\"],\"values\":{\"activePower\":[1250,null],"
                               "\"voltageL1\":[230.1,230.2]}}"),
                        "activePower@0 125e1; voltageL1@0 2301e-1; voltageL1@1000000 2302e-1; ");
    assert_string_equal(decode("{\"entity\":\"p2-load-7\",\"type\":\"Load\",\"time\":\"2025-03-01T00:00:00Z\","
                               "\"period\":\"PT15M\",\"values\":{\"energy\":0.25},\"units\":{\"energy\":\"kWh\"},"
                               "\"quality\":\"estimated\"}"),
                        "energy@0 25e1 period 900000000 quality 3; ");
    assert_string_equal(decode("{\"entity\":\"wx-nova-gorica\",\"type\":\"Weather\",\"time\":\"2025-03-02T12:00:00Z\","
                               "\"issued\":\"2025-03-01T06:00:00Z\",\"values\":{\"temperature\":11.5}}"),
                        "temperature@129600000000 115e-1 issued 21600000000; ");
    assert_int_equal(registry_n_series(registry), 4);
}

static void objects_come_alone_in_arrays_and_in_lines(void **state)
{
    static const char one[] = "{\"entity\":\"m\",\"type\":\"SmartMeter\",\"time\":0,\"values\":{\"voltage\":1}}";
    static const char *const two[][3] = {{"[", ",", "]"}, {" [ ", " ,\n", " ] "}, {"", "\n", ""},
                                         {"\n", "\r\n\r\n", "\n"}, {"[", "]\n", ""}, {"", " \t\n ", " "}};
    char text[400];
    (void)state;
    assert_string_equal(decode(one), "voltage@-1740787200000000 1e0; ");
    for (size_t i = 0; i < sizeof two / sizeof *two; i++) {
        snprintf(text, sizeof text, "%s%s%s%s%s", two[i][0], one, two[i][1], one, two[i][2]);
        assert_string_equal(decode(text), "voltage@-1740787200000000 1e0; voltage@-1740787200000000 1e0; ");
    }
    assert_string_equal(decode("[]"), "");
    assert_string_equal(decode("{\n  \"entity\": \"m\",\n  \"type\": \"SmartMeter\",\n  \"time\": 0,\n"
                               "  \"values\": {\n    \"voltage\": 1\n  }\n}\n"),
                        "voltage@-1740787200000000 1e0; ");
}

static void times_have_an_offset_or_are_milliseconds(void **state)
{
    (void)state;
    assert_string_equal(time_of("\"2025-03-01T01:00:01+01:00\""), "voltage@1000000 1e0; ");
    assert_string_equal(time_of("1740787202000"), "voltage@2000000 1e0; ");
    assert_string_equal(time_of("\"2025-03-01T00:00:03.2519999Z\""), "voltage@3251999 1e0; ");
    assert_string_equal(time_of("[1740787202000,\"2025-03-01T00:00:03.251Z\"]"), "!length voltage -1; ");
    assert_string_equal(time_of("\"2025-03-01T00:00:00\""), "!time; ");
    assert_string_equal(time_of("\"2025-03-01T00:00:60Z\""), "!time; ");
    assert_string_equal(time_of("1740787202000.5"), "!time; ");
    assert_string_equal(time_of("1.740787202e12"), "!time; ");
    assert_string_equal(time_of("\"1740787202000\""), "!time; ");
    assert_string_equal(time_of("true"), "!time; ");
    assert_string_equal(time_of("253402300800000"), "!time; ");
    assert_string_equal(time_of("null"), "!field; ");
}

static void null_says_nothing(void **state)
{
    (void)state;
    assert_string_equal(values("\"voltage\":null,\"current\":2"), "current@0 2e0; ");
    assert_int_equal(registry_n_series(registry), 1);
    assert_string_equal(values("\"warp\":null"), "!property warp -1; ");
    assert_string_equal(meter("\"time\":[0,1],\"values\":{\"voltage\":null}"), "");
    assert_string_equal(meter(MARCH "\"values\":{\"voltage\":1},\"units\":null,\"quality\":null,\"period\":null,"
                              "\"issued\":null,\"delete\":null"), "voltage@0 1e0; ");
}

static void escaped_names_and_texts_mean_the_same(void **state)
{
    (void)state;
    assert_string_equal(decode("{\"\\u0065ntity\":\"m\\u002d1\",\"type\":\"Smart\\u004deter\",\"time\":"
                               "\"2025\\u002d03-01T00:00:00Z\",\"values\":{\"\\u0076oltage\":1,"
                               "\"tariff\":\"\\u00e4\\ud83d\\ude00\\\"\\\\\\/\\b\\f\\n\\r\\t\"}}"),
                        "voltage@0 1e0; tariff@0 '\xc3\xa4\xf0\x9f\x98\x80\"\\/\b\f\n\r\t'; ");
    assert_string_equal(entity_name(registry_at(registry, 0)->entity), "m-1");
}

/* ---- fields ---- */

static void a_period_is_a_fixed_duration_and_intervals_need_it(void **state)
{
    (void)state;
    assert_string_equal(values("\"energy\":1,\"voltage\":2"), "voltage@0 2e0; !field energy -1; ");
    assert_string_equal(meter(MARCH "\"period\":\"P1D\",\"values\":{\"energy\":1}"),
                        "energy@0 1e0 period 86400000000; ");
    assert_string_equal(meter(MARCH "\"period\":\"PT1M\",\"values\":{\"voltage\":1}"),
                        "voltage@0 1e0 period 60000000; "); /* a mean over a minute */
    static const char *const bad[] = {"\"P1M\"", "\"P1Y\"", "\"PT0S\"", "\"-PT1H\"", "900", "\"15m\"", "\"\"", "[]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[200];
        snprintf(text, sizeof text, MARCH "\"period\":%s,\"values\":{\"voltage\":1}", bad[i]);
        assert_string_equal(meter(text), "!time; ");
    }
    assert_string_equal(meter("\"issued\":0,\"time\":\"9999-12-31T00:00:00Z\",\"period\":\"P2D\",\"values\":{\"energy\":1}"),
                        "!time; ");
}

static void units_convert_exactly_or_are_marked_or_refused(void **state)
{
    (void)state;
    assert_string_equal(meter(MARCH "\"units\":{\"activePower\":\"kW\",\"voltage\":\"V\",\"current\":\"MW\"},"
                              "\"values\":{\"activePower\":1.25,\"voltage\":1,\"current\":2}"),
                        "activePower@0 125e1; voltage@0 1e0; !unit current -1; ");
    assert_string_equal(meter(MARCH "\"units\":{\"activeEnergyImport\":\"J\"},\"values\":{\"activeEnergyImport\":3600}"),
                        "activeEnergyImport@0 1e0; ");
    assert_string_equal(meter(MARCH "\"units\":{\"activeEnergyImport\":\"J\"},\"values\":{\"activeEnergyImport\":1}"),
                        "activeEnergyImport@0 277777777777778e-18 quality 10; ");
    assert_string_equal(meter(MARCH "\"units\":{\"voltage\":\"YV\"},\"values\":{\"voltage\":1}"),
                        "!number voltage -1; ");
    assert_string_equal(meter(MARCH "\"units\":{\"voltage\":1},\"values\":{\"voltage\":1}"), "!unit voltage -1; ");
    assert_string_equal(meter(MARCH "\"units\":{\"warp\":\"W\"},\"values\":{\"voltage\":1}"), "voltage@0 1e0; ");
    assert_string_equal(meter(MARCH "\"units\":[],\"values\":{\"voltage\":1}"), "!field; ");
    assert_string_equal(decode("{\"entity\":\"f\",\"type\":\"Weather\",\"time\":0,\"units\":{\"temperature\":\"degF\"},"
                               "\"values\":{\"temperature\":50}}"), "temperature@-1740787200000000 1e1; ");
}

static void many_units_are_found_by_name(void **state)
{
    static char text[8192];
    size_t n = (size_t)snprintf(text, sizeof text, "{\"entity\":\"p\",\"type\":\"Property\",\"time\":0,\"units\":{");
    (void)state;
    for (int i = 99; i >= 0; i--)
        n += (size_t)snprintf(text + n, sizeof text - n, "\"p%d\":\"%s\"%s", i, i % 2 ? "W" : "V", i ? "," : "},");
    n += (size_t)snprintf(text + n, sizeof text - n, "\"values\":{");
    for (int i = 0; i < 100; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "\"p%d\":%d%s", i, i, i < 99 ? "," : "}}");
    decode(text);
    assert_int_equal(batch.n_readings, 100);
    for (size_t i = 0; i < 100; i++)
        assert_string_equal(registry_at(registry, i)->unit_text, i % 2 ? "W" : "V");
}

static void quality_is_one_or_one_a_slot(void **state)
{
    (void)state;
    assert_string_equal(meter(MARCH "\"quality\":\"edited\",\"values\":{\"voltage\":1}"), "voltage@0 1e0 quality 1; ");
    assert_string_equal(meter("\"time\":[1740787200000,1740787201000,1740787202000],\"quality\":[\"suspect\",null,\"best\"],"
                              "\"values\":{\"voltage\":[1,2,3]}"),
                        "voltage@0 1e0 quality 4; voltage@1000000 2e0; !field  2; ");
    assert_string_equal(meter(MARCH "\"quality\":\"best\",\"values\":{\"voltage\":1}"), "!field; ");
    assert_string_equal(meter(MARCH "\"quality\":[\"edited\"],\"values\":{\"voltage\":1}"), "!length; ");
    assert_string_equal(meter("\"time\":[0],\"quality\":[],\"values\":{\"voltage\":[1]}"), "!length; ");
}

static void the_future_needs_issued_and_issued_is_not_in_the_future(void **state)
{
    (void)state;
    assert_string_equal(time_of("\"2025-03-02T01:00:00Z\""), "voltage@90000000000 1e0; ");
    assert_string_equal(time_of("\"2025-03-02T01:00:00.000001Z\""), "!future; ");
    assert_string_equal(meter("\"time\":\"2025-04-01T00:00:00Z\",\"issued\":\"2025-03-02T01:00:00Z\","
                              "\"values\":{\"voltage\":1}"), "voltage@2678400000000 1e0 issued 90000000000; ");
    assert_string_equal(meter(MARCH "\"issued\":\"2025-03-02T01:00:01Z\",\"values\":{\"voltage\":1}"), "!future; ");
    assert_string_equal(meter(MARCH "\"issued\":\"soon\",\"values\":{\"voltage\":1}"), "!time; ");
    assert_string_equal(meter(MARCH "\"issued\":[0],\"values\":{\"voltage\":1}"), "!time; ");
    assert_string_equal(meter("\"time\":[\"2225-03-01T00:00:00Z\",1740787200000],\"values\":{\"voltage\":[1,2]}"),
                        "voltage@0 2e0; !future  0; ");
}

static void old_readings_are_expired(void **state)
{
    (void)state;
    decoder_set_oldest(decoder, MARCH_US);
    assert_string_equal(meter("\"time\":[1740787199999,1740787200000],\"values\":{\"voltage\":[1,2]}"),
                        "voltage@0 2e0; !expired  0; ");
    assert_string_equal(time_of("0"), "!expired; ");
    assert_string_equal(meter("\"delete\":true,\"time\":[1740787199999,1740787200000],\"values\":{\"voltage\":0}"),
                        "delete voltage@0; !expired  0; ");
    assert_string_equal(meter("\"property\":\"voltage\",\"delete\":true,\"from\":0,\"to\":1740787200000"),
                        "!expired voltage -1; ");
    assert_string_equal(meter("\"property\":\"voltage\",\"delete\":true,\"from\":0,\"to\":1740787200001"),
                        "range voltage@-1740787200000000 period 1740787200001000; ");
}

static void a_delete_takes_back_times_or_a_range(void **state)
{
    (void)state;
    assert_string_equal(meter("\"delete\":true,\"time\":[1740787200000,1740787201000],"
                              "\"values\":{\"voltage\":null,\"energy\":[[\"x\"]],\"tariff\":{},\"warp\":1}"),
                        "delete voltage@0; delete voltage@1000000; delete energy@0; delete energy@1000000; "
                        "delete tariff@0; delete tariff@1000000; !property warp -1; ");
    assert_string_equal(meter("\"delete\":true,\"time\":\"2225-03-01T00:00:00Z\",\"values\":{\"voltage\":0}"),
                        "delete voltage@6311347200000000; ");
    assert_string_equal(meter("\"delete\":true," MARCH "\"issued\":1740787200000,\"values\":{\"voltage\":0}"),
                        "delete voltage@0 issued 0; ");
    assert_string_equal(meter("\"delete\":false," MARCH "\"values\":{\"voltage\":0}"), "voltage@0 0e0; ");
    assert_string_equal(meter("\"delete\":1," MARCH "\"values\":{\"voltage\":0}"), "!field; ");
    assert_string_equal(meter("\"property\":\"voltage\",\"delete\":true,\"from\":\"2025-03-01T00:00:00Z\","
                              "\"to\":\"2225-03-01T00:00:00Z\""), "range voltage@0 period 6311347200000000; ");
    assert_string_equal(meter("\"property\":\"voltage\",\"delete\":true,\"from\":5,\"to\":5"), "!time voltage -1; ");
    assert_string_equal(meter("\"property\":\"voltage\",\"delete\":true,\"from\":5"), "!field; ");
    assert_string_equal(meter("\"property\":\"voltage\",\"from\":5,\"to\":6"), "!field; ");
    assert_string_equal(meter("\"property\":\"voltage\",\"delete\":true,\"from\":5,\"to\":6,\"time\":5"), "!field; ");
    assert_string_equal(meter("\"property\":\"warp\",\"delete\":true,\"from\":5,\"to\":6"), "!property warp -1; ");
}

static void numbers_are_exact_to_18_digits(void **state)
{
    (void)state;
    assert_string_equal(values("\"voltage\":12.30,\"voltageL1\":-0,\"voltageL2\":123456789012345678,\"voltageL3\":1E-2"),
                        "voltage@0 123e-1; voltageL1@0 0e0; voltageL2@0 123456789012345678e0; voltageL3@0 1e-2; ");
    assert_string_equal(values("\"voltage\":1234567890123456785,\"voltageL1\":1234567890123456775"),
                        "voltage@0 123456789012345678e1 quality 8; voltageL1@0 123456789012345678e1 quality 8; ");
    assert_string_equal(values("\"voltage\":1e999,\"voltageL1\":1e-25,\"voltageL2\":1e15,\"voltageL3\":1e-24"),
                        "voltageL2@0 1e15; voltageL3@0 1e-24; !number voltage -1; !number voltageL1 -1; ");
    assert_string_equal(values("\"voltage\":NaN,\"voltageL1\":-Infinity,\"voltageL2\":\"NaN\",\"voltageL3\":true,"
                               "\"current\":Infinity,\"activePower\":{},\"tariff\":1"),
                        "!number voltage -1; !number voltageL1 -1; !number voltageL2 -1; !number voltageL3 -1; "
                        "!number current -1; !number activePower -1; !field tariff -1; ");
}

static void states_are_texts_of_64_bytes(void **state)
{
    char text[200];
    (void)state;
    snprintf(text, sizeof text, "\"tariff\":\"%064d\"", 7);
    assert_non_null(strstr(values(text), "tariff@0 '00000"));
    snprintf(text, sizeof text, "\"tariff\":\"%065d\"", 7);
    assert_string_equal(values(text), "!limit tariff -1; ");
    assert_string_equal(values("\"tariff\":\"\""), "tariff@0 ''; ");
    assert_string_equal(meter("\"time\":[1,2,3],\"values\":{\"tariff\":[\"VT\",\"MT\",\"VT\"]}"),
                        "tariff@-1740787199999000 'VT'; tariff@-1740787199998000 'MT'; tariff@-1740787199997000 'VT'; ");
    assert_int_equal(batch.readings[0].m, batch.readings[2].m);
}

/* ---- refusals ---- */

static void the_smallest_part_is_refused_and_its_neighbours_are_kept(void **state)
{
    (void)state;
    assert_string_equal(meter("\"time\":[1740787200000,\"x\",1740787202000],"
                              "\"values\":{\"voltage\":[1,2,\"3\"],\"warp\":[1,2,3],\"current\":[4,5],\"activePower\":[6,7,8]}"),
                        "voltage@0 1e0; activePower@0 6e0; activePower@2000000 8e0; "
                        "!time  1; !number voltage 2; !property warp -1; !length current -1; ");
    for (size_t i = 1; i < batch.n_refusals; i++) /* one object, one payload */
        assert_int_equal(batch.refusals[i].payload_at, batch.refusals[0].payload_at);
    assert_string_equal(decode("[{\"entity\":\"a\",\"type\":\"Load\",\"time\":0,\"values\":{\"current\":1}}, 7,\n"
                               "{\"entity\":\"a b\",\"type\":\"Load\",\"time\":0,\"values\":{\"current\":2}},"
                               "{\"entity\":\"a\",\"type\":\"Load\",\"time\":0,\"values\":{\"current\":3}}]"),
                        "current@-1740787200000000 1e0; current@-1740787200000000 3e0; !json; !entity; ");
    assert_int_equal(batch.refusals[1].payload_size,
                     strlen("{\"entity\":\"a b\",\"type\":\"Load\",\"time\":0,\"values\":{\"current\":2}}"));
}

static void a_broken_line_costs_no_other(void **state)
{
    static const char good[] = "{\"entity\":\"m\",\"type\":\"SmartMeter\",\"time\":1740787200000,\"values\":{\"voltage\":1}}";
    static const char *const broken[] = {
        "{\"entity\":\"m\",\"type\":\"SmartMeter\",\"time\":1740787200000,\"values\":{\"voltage\":1}",
        "{\"entity\":\"m\",\"type\":\"Sma", "{\"entity\":\"m\",\"values\":{", "[", "{", "[{},", "garbage", "7",
        "{\"entity\":\"m\",\"type\":\"SmartMeter\",\"time\":1740787200000,\"values\":{\"voltage\":01}}",
        "{\"entity\":\"\xff\"}", "{\"entity\":\"m\"} {\"entity\":\"m\"}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        char text[600];
        snprintf(text, sizeof text, "%s\n%s\n%s\n", good, broken[i], good);
        assert_string_equal(decode(text), "voltage@0 1e0; voltage@0 1e0; !json; ");
        assert_int_equal(batch.refusals[0].payload_size, strlen(broken[i]));
        assert_memory_equal(batch.payloads.data, broken[i], strlen(broken[i]));
    }
}

static void only_strict_json_is_taken(void **state)
{
    static const char *const bad[] = {
        "", " \n", "{not json", "{}}", "[1,]", "[,]", "{\"a\":1,}", "{\"a\"}", "{\"a\":}", "{a:1}", "{'a':1}", "\"", "\"\\",
        "[1 2]", "{\"a\":01}", "{\"a\":+1}", "{\"a\":.5}", "{\"a\":1.}", "{\"a\":1e}", "{\"a\":1e+}", "{\"a\":-}",
        "{\"a\":0x1}", "{\"a\":1_0}", "{\"a\":tru}", "{\"a\":True}", "{\"a\":nul}", "{\"a\":nan}", "{\"a\":-NaN}",
        "{\"a\":+Infinity}", "{\"a\":Inf}", "{\"a\":\"\\u12\"}", "{\"a\":\"\\u12g4\"}", "{\"a\":\"\\x\"}", "{\"a\":\"\t\"}",
        "{\"a\":\"\n\"}", "{\"a\":\"\x1f\"}", "{\"a\":\"\\u0000\"}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\\udc00\"}",
        "{\"a\":\"\\ud800\\ud800\"}", "{\"a\":\"\\ud800x\"}", "{\"a\":\"\x80\"}", "{\"a\":\"\xc0\x80\"}", "{\"a\":\"\xc3\"}",
        "{\"a\":\"\xe0\x80\x80\"}", "{\"a\":\"\xed\xa0\x80\"}", "{\"a\":\"\xf0\x80\x80\x80\"}", "{\"a\":\"\xf4\x90\x80\x80\"}",
        "{\"a\":\"\xf5\x80\x80\x80\"}", "{\"a\":\"\xe2\x82\"}", "\xef\xbb\xbf{}", "{} x", "{}{}", "/*c*/{}", "{}//c",
        "{\"a\":1\f}", "{\"a\":1\x0b}", "{\"\xff\":1}", "true", "\"a\"", "null", "NaN", "12", "[", "{", "[]]", "{\"a\" 1}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (strcmp(decode(bad[i]), "!json; ") != 0)
            fail_msg("%s: %s", bad[i], (const char *)said.data);
    assert_string_equal(decode_sized("{}\0", 3), "!json; ");
    assert_string_equal(decode_sized(NULL, 0), "!json; ");
    assert_string_equal(decode("[{\"entity\":\"m\",\"entity\":\"m\"},[]]"), "!json; !json; ");
    assert_string_equal(values("\"voltage\":1,\"volt\\u0061ge\":2"), "!json; ");
    assert_string_equal(values("\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"a\":1"), "!json; ");
    assert_string_equal(values("\"voltage\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]"), "!limit; ");
    assert_string_equal(values("\"voltage\":[[[[[[[[[[[[[[1]]]]]]]]]]]]]]"), "!length voltage -1; ");
}

static void a_field_is_missing_wrong_or_unknown(void **state)
{
    (void)state;
    assert_string_equal(decode("{\"type\":\"SmartMeter\",\"time\":0,\"values\":{}}"), "!field; ");
    assert_string_equal(decode("{\"entity\":1,\"type\":\"SmartMeter\",\"time\":0,\"values\":{}}"), "!field; ");
    assert_string_equal(decode("{\"entity\":\"m\",\"time\":0,\"values\":{}}"), "!field; ");
    assert_string_equal(meter("\"values\":{}"), "!field; ");
    assert_string_equal(meter("\"time\":0"), "!field; ");
    assert_string_equal(meter("\"time\":0,\"values\":[]"), "!field; ");
    assert_string_equal(meter("\"time\":0,\"values\":{},\"unit\":\"W\""), "!field; ");
    assert_string_equal(meter("\"time\":0,\"values\":{}"), "");
    assert_string_equal(decode("{\"entity\":\"m\",\"type\":\"Toaster\",\"time\":0,\"values\":{}}"), "!type; ");
}

static void a_refused_message_leaves_no_series(void **state)
{
    (void)state;
    values("\"voltage\":\"x\",\"current\":1e999");
    meter(MARCH "\"units\":{\"voltage\":\"YV\"},\"values\":{\"voltage\":1}");
    decode("{\"entity\":\"p\",\"type\":\"Property\",\"time\":0,\"values\":{\"co2\":\"x\"},\"units\":{\"co2\":\"ppm\"}}");
    assert_int_equal(registry_n_series(registry), 0);
    assert_string_equal(decode("{\"entity\":\"m\",\"type\":\"Load\",\"time\":0,\"values\":{\"current\":1}}"),
                        "current@-1740787200000000 1e0; "); /* nor a type */
}

/* A message of n slots with something before and after each value. */
static const char *many_slots(size_t n, const char *value, size_t *ret_size)
{
    static char text[2 << 20];
    size_t at = (size_t)sprintf(text, "{\"entity\":\"m\",\"type\":\"SmartMeter\",\"time\":[");
    for (size_t i = 0; i < n; i++)
        at += (size_t)sprintf(text + at, "%s%zu", i ? "," : "", i);
    at += (size_t)sprintf(text + at, "],\"values\":{\"voltage\":[");
    for (size_t i = 0; i < n; i++)
        at += (size_t)sprintf(text + at, "%s%s", i ? "," : "", i % 2 ? "1" : value);
    at += (size_t)sprintf(text + at, "]}}");
    *ret_size = at;
    return text;
}

static void sizes_and_counts_are_limited(void **state)
{
    size_t size;
    (void)state;
    const char *text = many_slots(65536, "2", &size);
    decode_sized(text, size);
    assert_int_equal(batch.n_readings, 65536);
    text = many_slots(65537, "2", &size);
    assert_string_equal(decode_sized(text, size), "!limit; ");
    assert_int_equal(batch.payloads.n, size);
    char *large = test_malloc((1 << 20) + 1);
    memset(large, ' ', (1 << 20) + 1);
    memcpy(large, "[]", 2);
    assert_string_equal(decode_sized(large, (1 << 20) + 1), "!size; ");
    assert_string_equal(decode_sized(large, 1 << 20), "");
    test_free(large);
    static char product[20000];
    size_t at = (size_t)sprintf(product, "{\"entity\":\"m\",\"type\":\"SmartMeter\",\"delete\":true,\"time\":[0");
    for (int i = 0; i < 999; i++)
        at += (size_t)sprintf(product + at, ",%d", i);
    at += (size_t)sprintf(product + at, "],\"values\":{\"p\":0");
    for (int i = 0; i < 99; i++)
        at += (size_t)sprintf(product + at, ",\"p%d\":0", i);
    sprintf(product + at, "}}");
    assert_string_equal(decode(product), "!limit; "); /* 100,000 deletes */
}

static void refusals_beyond_a_limit_are_told_in_one(void **state)
{
    size_t size;
    (void)state;
    const char *text = many_slots(2000, "\"x\"", &size);
    decode_sized(text, size);
    assert_int_equal(batch.n_readings, 1000);
    assert_int_equal(batch.n_refusals, LIMIT_MESSAGE_REFUSALS + 1);
    const struct refusal *rest = &batch.refusals[LIMIT_MESSAGE_REFUSALS];
    assert_int_equal(rest->reason, REFUSED_NUMBER);
    assert_int_equal(rest->slot, -1);
    assert_int_equal(rest->payload_size, size);
    assert_int_equal(strncmp(rest->detail, "744 more", 8), 0);
    assert_int_equal(batch.payloads.n, size);
}

/* ---- memory ---- */

static void without_memory_the_batch_is_as_before(void **state)
{
    static const char text[] =
        "{\"entity\":\"p-1\",\"type\":\"Property\",\"time\":[1,2],\"values\":{\"a\":[1,2],\"b\":[3,4],\"c\":[5,\"x\"]},"
        "\"units\":{\"a\":\"W\",\"b\":\"V\",\"c\":\"ppm\"},\"quality\":[\"edited\",\"good\"]}\n"
        "{\"entity\":\"m-\\u0031\",\"type\":\"SmartMeter\",\"time\":0,\"values\":{\"tariff\":\"VT\",\"voltage\":1}}\n{x";
    (void)state;
    struct batch full;
    batch_init(&full);
    const struct message message = {.value = text, .size = sizeof text - 1, .offset = 3, .known_ms = KNOWN_MS};
    int r = ERR_NOMEM;
    int64_t n;
    for (n = 0; r == ERR_NOMEM; n++) {
        size_t n_series = registry_n_series(registry), n_texts = full.texts.n;
        allocations_left = n;
        r = decode_message(decoder, &message, &full);
        allocations_left = INT64_MAX;
        assert_true(r == 0 || r == ERR_NOMEM);
        if (r == ERR_NOMEM) {
            assert_int_equal(full.n_readings + full.n_refusals + full.payloads.n, 0);
            assert_int_equal(registry_n_series(registry), n_series);
            assert_int_equal(full.texts.n, n_texts);
        }
    }
    assert_true(n > 5);
    assert_int_equal(full.n_readings, 5);
    assert_int_equal(full.n_refusals, 2);
    batch_free(&full);
}

static void nothing_is_allocated_once_warm(void **state)
{
    uint64_t seed = 5;
    static char text[1 << 16];
    (void)state;
    for (int round = 0; round < 2; round++) {
        seed = 5;
        for (int i = 0; i < 300; i++) {
            struct message message = {.value = text, .size = oracle_random_message(&seed, text, sizeof text),
                                      .offset = i, .known_ms = KNOWN_MS};
            batch_clear(&batch);
            n_allocations = 0;
            assert_int_equal(decode_message(decoder, &message, &batch), 0);
            if (round == 1 && batch.n_refusals == 0)
                assert_int_equal(n_allocations, 0);
        }
    }
}

/* ---- against the oracle ---- */

static size_t n_random_messages(void)
{
    const char *soak = getenv("ALMANAC_SOAK");
    size_t n = soak ? strtoull(soak, NULL, 10) : 0;
    return n > 1 ? n : n == 1 ? 1200000 : 50000;
}

static void it_agrees_with_the_oracle_on_random_and_damaged_messages(void **state)
{
    enum { MESSAGES_A_STORE = 500 };
    static char text[1 << 16];
    struct buf ours = {0}, theirs = {0};
    struct oracle *oracle = NULL;
    uint64_t seed = 20250301;
    (void)state;
    for (size_t i = 0, n = n_random_messages(); i < n; i++) {
        if (i % MESSAGES_A_STORE == 0) { /* from a new and empty store on */
            drop_decoder(NULL);
            make_decoder(NULL);
            if (oracle)
                oracle_free(oracle);
            oracle = oracle_new(registry_units(registry), HOUR_US, 0);
            decoder_set_oldest(decoder, 0);
        }
        uint64_t message_seed = seed;
        size_t size = oracle_random_message(&seed, text, sizeof text);
        char *exact = test_malloc(size + 1); /* a read behind it is found by the sanitizers */
        memcpy(exact + 1, text, size);
        const struct message message = {.value = exact + 1, .size = size, .offset = (int64_t)i, .known_ms = KNOWN_MS};
        batch_clear(&batch);
        buf_clear(&ours);
        buf_clear(&theirs);
        assert_int_equal(decode_message(decoder, &message, &batch), 0);
        test_free(exact);
        oracle_print(&batch, registry, &ours);
        oracle_decode(oracle, text, size, KNOWN_MS, &theirs);
        if (ours.n != theirs.n || (ours.n && memcmp(ours.data, theirs.data, ours.n) != 0) ||
            registry_n_series(registry) != oracle_n_series(oracle))
            fail_msg("seed %" PRIu64 "\n%.*s\n--- decoder, %zu series\n%.*s--- oracle, %zu series\n%.*s", message_seed,
                     (int)size, text, registry_n_series(registry), (int)ours.n, (char *)ours.data,
                     oracle_n_series(oracle), (int)theirs.n, (char *)theirs.data);
    }
    oracle_free(oracle);
    buf_free(&ours);
    buf_free(&theirs);
}

/* A dead letter comes again with the whole object: what else is in it was taken, or is a letter of its own. */
static void of_a_message_that_brings_a_letter_again_only_that_part_is_taken(void **state)
{
    (void)state;
    static const char text[] = "{\"entity\":\"a\",\"type\":\"SmartMeter\",\"time\":[1740787200000,\"never\",1740787202000],"
                               "\"values\":{\"voltage\":[1,2,\"x\"],\"activePower\":[4,5,6],\"wrong\":[7,8,9]}}";
    static const struct {
        struct replay part;
        const char *said;
    } cases[] = {
        {{.slot = -1},
         "voltage@0 1e0; activePower@0 4e0; activePower@2000000 6e0; !time  1; !number voltage 2; !property wrong -1; "},
        {{.slot = -1, .property = "activePower"}, "activePower@0 4e0; activePower@2000000 6e0; !time  1; "},
        {{.slot = -1, .property = "wrong"}, "!time  1; !property wrong -1; "},
        {{.slot = 2, .property = "voltage"}, "!number voltage 2; "},
        {{.slot = 2, .property = "activePower"}, "activePower@2000000 6e0; "},
        {{.slot = 1}, "!time  1; !property wrong -1; "},
        {{.slot = 0}, "voltage@0 1e0; activePower@0 4e0; !property wrong -1; "},
        {{.slot = -1, .property = "voltag"}, "!time  1; "},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        part = &cases[i].part;
        const char *found = decode_sized(text, sizeof(text) - 1);
        part = NULL;
        assert_string_equal(found, cases[i].said);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make_decoder, drop_decoder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_examples_of_the_contract_are_readings),
        CASE(objects_come_alone_in_arrays_and_in_lines),
        CASE(times_have_an_offset_or_are_milliseconds),
        CASE(null_says_nothing),
        CASE(escaped_names_and_texts_mean_the_same),
        CASE(a_period_is_a_fixed_duration_and_intervals_need_it),
        CASE(units_convert_exactly_or_are_marked_or_refused),
        CASE(many_units_are_found_by_name),
        CASE(quality_is_one_or_one_a_slot),
        CASE(the_future_needs_issued_and_issued_is_not_in_the_future),
        CASE(old_readings_are_expired),
        CASE(a_delete_takes_back_times_or_a_range),
        CASE(numbers_are_exact_to_18_digits),
        CASE(states_are_texts_of_64_bytes),
        CASE(the_smallest_part_is_refused_and_its_neighbours_are_kept),
        CASE(a_broken_line_costs_no_other),
        CASE(only_strict_json_is_taken),
        CASE(a_field_is_missing_wrong_or_unknown),
        CASE(a_refused_message_leaves_no_series),
        CASE(sizes_and_counts_are_limited),
        CASE(refusals_beyond_a_limit_are_told_in_one),
        CASE(without_memory_the_batch_is_as_before),
        CASE(nothing_is_allocated_once_warm),
        CASE(of_a_message_that_brings_a_letter_again_only_that_part_is_taken),
        CASE(it_agrees_with_the_oracle_on_random_and_damaged_messages),
    };
    if (hash_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
