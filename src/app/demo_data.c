#include <config.h>

#include "app/demo_data.h"

#include <stdio.h>
#include <string.h>

#include "common/csv.h"
#include "common/buf.h"
#include "data/demo/midc_20181014.csv.h"
#include "data/demo/nrel_RSF_II.csv.h"
#include "data/demo/serf_east_1min_ac_power.csv.h"

#define COLUMNS_MAX 3
#define SLOTS 96 /* times in a message */

enum stamp {
    STAMP_RFC3339,   /* 2022-03-18 04:33:00-07:00 */
    STAMP_US_MINUTE, /* 1/2/2022 0:15, Mountain Standard Time */
    STAMP_US_TWO     /* 10/14/2018 and 00:15 in the next column, Mountain Standard Time */
};

/* What of a file becomes which property. */
static const struct source {
    const char *text, *entity, *type;
    enum stamp stamp;
    struct {
        size_t field;
        const char *property, *unit;
    } columns[COLUMNS_MAX];
    size_t n_columns;
} sources[] = {
    {data_serf_east_1min_ac_power,
     "demo-pv-east",
     "Generation",
     STAMP_RFC3339,
     {{1, "activePower", "kW"}},
     1},
    {data_nrel_RSF_II,
     "demo-pv-roof",
     "Generation",
     STAMP_US_MINUTE,
     {{1, "activePower", "kW"}},
     1},
    {data_nrel_RSF_II,
     "demo-weather-roof",
     "Weather",
     STAMP_US_MINUTE,
     {{2, "temperature", "degC"}, {9, "solarRadiation", "W/m2"}, {12, "windSpeed", "m/s"}},
     3},
    {data_midc_20181014,
     "demo-weather-station",
     "Weather",
     STAMP_US_TWO,
     {{4, "temperature", "degC"}, {2, "solarRadiation", "W/m2"}},
     2},
};

struct loading {
    const struct source *source;
    demo_message_fn *message;
    void *arg;
    bool head_seen;
    struct buf times, values[COLUMNS_MAX], json;
    size_t n_slots, n_readings;
};

static int put_time(struct loading *loading, const char *const *fields)
{
    int month, day, year, hour, minute;
    const char *comma = loading->n_slots ? "," : "";
    switch (loading->source->stamp) {
    case STAMP_RFC3339:
        buf_printf(&loading->times, "%s\"%s\"", comma, fields[0]);
        return 0;
    case STAMP_US_MINUTE:
        if (sscanf(fields[0], "%d/%d/%d %d:%d", &month, &day, &year, &hour, &minute) != 5)
            return ERR_INVALID;
        break;
    case STAMP_US_TWO:
    default:
        if (sscanf(fields[0], "%d/%d/%d", &month, &day, &year) != 3 ||
            sscanf(fields[1], "%d:%d", &hour, &minute) != 2)
            return ERR_INVALID;
        break;
    }
    buf_printf(&loading->times, "%s\"%04d-%02d-%02dT%02d:%02d:00-07:00\"", comma, year, month, day,
               hour, minute);
    return 0;
}

static int send_message(struct loading *loading)
{
    const struct source *source = loading->source;
    struct buf *json = &loading->json;
    if (loading->n_slots == 0)
        return 0;
    buf_clear(json);
    buf_printf(json, "{\"entity\":\"%s\",\"type\":\"%s\",\"time\":[%.*s],\"values\":{",
               source->entity, source->type, (int)loading->times.n,
               (const char *)loading->times.data);
    for (size_t i = 0; i < source->n_columns; i++)
        buf_printf(json, "%s\"%s\":[%.*s]", i ? "," : "", source->columns[i].property,
                   (int)loading->values[i].n, (const char *)loading->values[i].data);
    buf_puts(json, "},\"units\":{");
    for (size_t i = 0; i < source->n_columns; i++)
        buf_printf(json, "%s\"%s\":\"%s\"", i ? "," : "", source->columns[i].property,
                   source->columns[i].unit);
    buf_puts(json, "}}");
    bool failed = json->failed || loading->times.failed;
    buf_clear(&loading->times);
    for (size_t i = 0; i < source->n_columns; i++) {
        failed = failed || loading->values[i].failed;
        buf_clear(&loading->values[i]);
    }
    loading->n_slots = 0;
    return failed ? ERR_NOMEM : loading->message(loading->arg, source->entity, json->data, json->n);
}

static int row_cb(void *arg, const char *const *fields, size_t n_fields)
{
    struct loading *loading = arg;
    const struct source *source = loading->source;
    if (!loading->head_seen) {
        loading->head_seen = true;
        return 0;
    }
    for (size_t i = 0; i < source->n_columns; i++)
        if (source->columns[i].field >= n_fields)
            return ERR_INVALID;
    int code = put_time(loading, fields);
    if (code != 0)
        return code;
    for (size_t i = 0; i < source->n_columns; i++) {
        const char *text = fields[source->columns[i].field];
        bool number = text[0] && strspn(text, "-.0123456789e") == strlen(text);
        buf_printf(&loading->values[i], "%s%s", loading->n_slots ? "," : "",
                   number ? text : "null");
        loading->n_readings += number;
    }
    return ++loading->n_slots == SLOTS ? send_message(loading) : 0;
}

int demo_data_load(demo_message_fn *message, void *arg, size_t *ret_readings)
{
    struct loading loading = {.message = message, .arg = arg};
    int code = 0;
    for (size_t i = 0; i < sizeof sources / sizeof *sources && code == 0; i++) {
        struct csv csv = {.row = row_cb, .arg = &loading};
        loading.source = &sources[i];
        loading.head_seen = false;
        code = csv_feed(&csv, sources[i].text, strlen(sources[i].text));
        if (code == 0)
            code = csv_end(&csv);
        csv_done(&csv);
        if (code == 0)
            code = send_message(&loading);
    }
    buf_free(&loading.times);
    for (size_t i = 0; i < COLUMNS_MAX; i++)
        buf_free(&loading.values[i]);
    buf_free(&loading.json);
    *ret_readings = loading.n_readings;
    return code;
}
