/* Parameters from any bytes, `name=value` lines: refused by a field, or a range whose answer over a small store can be read,
 * and whose cursor is taken by the same question. */
#include <config.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/fake_reader.h"
#include "common/hash.h"
#include "model/unit.h"
#include "query/range.h"

#define ROWS_MAX 500
#define PARAMETERS_MAX 32
#define NOW INT64_C(1741775400000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fake_series series[KIND_STATE + 1];

static struct unit_table *make_units(void)
{
    static const struct unit known[] = {
        {"deg", "angle", 1, 1, 0, {0, 0}}, {"Wh", "energy", 36, 1, 2, {0, 0}},        {"J", "energy", 1, 1, 0, {0, 0}},
        {"W", "power", 1, 1, 0, {0, 0}},   {"degC", "temperature", 1, 1, 0, {27315, -2}},
    };
    struct unit_table *units = unit_table_new();
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (!units || unit_table_add(units, &known[i], i == 1 || i == 3))
            abort();
    return units;
}

static void make_store(void)
{
    static const char *const unit_of[] = {[KIND_GAUGE] = "deg", [KIND_COUNTER] = "Wh", [KIND_INTERVAL] = "J", [KIND_STATE] = ""};
    fake_reader = (struct fake_reader){.series = series, .n_series = KIND_STATE + 1, .raw_percent = 50, .units = make_units()};
    for (uint32_t i = 0; i <= KIND_STATE; i++) {
        struct points *points = &series[i].points;
        int64_t state;
        series[i].info = (struct series_info){.id = i + 1, .entity = "e", .type = "T", .property = "p", .unit = unit_of[i],
                                              .kind = (enum kind)i};
        if (points_reserve(points, 3) || texts_intern(&points->texts, "on", 2, &state))
            abort();
        for (points->n = 0; points->n < 3; points->n++) {
            points->t_us[points->n] = NOW - (3 - (int64_t)points->n) * INT64_C(700000000);
            points->m[points->n] = i == KIND_STATE ? state : (int64_t)points->n * 7 - 5;
            points->e[points->n] = i == KIND_STATE ? 0 : -1;
            points->quality[points->n] = QUALITY_MEASURED;
            points->period_us[points->n] = 900000000;
            points->issued_us[points->n] = ISSUED_NONE;
        }
    }
}

static void read_answer(const struct range *range, char cursor[static 128])
{
    const struct series_info *info;
    const enum agg *aggs;
    struct answer *answer;
    struct row row;
    size_t n_aggs, n = 0;
    int rc = 1;
    if (answer_open(NULL, NULL, range, &answer, NULL))
        return;
    while (rc > 0 && n < ROWS_MAX && answer_next_series(answer, &info, &aggs, &n_aggs) > 0) {
        int64_t before_us = INT64_MIN;
        while (n++ < ROWS_MAX && (rc = answer_next_row(answer, &row)) > 0) {
            if (row.t_us <= before_us || row.t_us >= range->to_us)
                abort();
            before_us = row.t_us;
        }
        rc = rc < 0 ? rc : 1;
    }
    if (rc < 0)
        abort();
    if (n < ROWS_MAX && answer_cursor(answer))
        strncpy(cursor, answer_cursor(answer), 127);
    answer_close(answer);
}

static void check(struct parameter *parameters, size_t n)
{
    struct range range, again;
    struct err_text error = {0};
    char cursor[128] = "";
    int rc = range_parse(parameters, n, NOW, &range, &error);
    if (rc && rc != ERR_INVALID && rc != ERR_LIMIT)
        abort();
    if (rc && !*error.text)
        abort();
    if (rc)
        return;
    if (range.from_us > range.to_us || range.n_aggs > AGG_N)
        abort();
    read_answer(&range, cursor);
    bool had_cursor = range.has_cursor;
    range_free(&range);
    if (!*cursor || had_cursor)
        return;
    parameters[n] = (struct parameter){"cursor", cursor};
    if (range_parse(parameters, n + 1, NOW + 1000000, &again, &error))
        abort();
    range_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct parameter parameters[PARAMETERS_MAX + 1];
    size_t n = 0;
    if (!series[0].points.n && hash_init())
        abort();
    if (!series[0].points.n)
        make_store();
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    for (char *line = text, *next; line && n < PARAMETERS_MAX; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        char *value = strchr(line, '=');
        if (value)
            *value++ = '\0';
        parameters[n++] = (struct parameter){line, value ? value : ""};
    }
    check(parameters, n);
    free(text);
    return 0;
}
