#include <config.h>

#include "ask_range.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

#define SERIES_LINE_MAX 256

void ask_add(struct ask *ask, const char *name, const char *value)
{
    if (ask->n == ASK_PARAMETERS_MAX)
        abort();
    ask->parameters[ask->n++] = (struct parameter){name, value};
}

static void put_value(struct buf *text, const struct value *value)
{
    char number[EXACT_TEXT_MAX];
    size_t n;
    buf_putc(text, ' ');
    switch (value->type) {
    case VALUE_NULL:
        buf_putc(text, '-');
        break;
    case VALUE_DECIMAL:
        n = decimal_print(number, value->decimal);
        buf_put(text, number, n);
        break;
    case VALUE_EXACT:
        n = exact_print(number, value->exact);
        buf_put(text, number, n);
        break;
    case VALUE_COUNT:
        buf_printf(text, "%" PRIu64, value->count);
        break;
    case VALUE_TEXT:
        buf_puts(text, value->text);
        break;
    case VALUE_TIME:
        buf_printf(text, "@%" PRId64, value->t_us);
    }
}

static void put_explained(struct buf *text, const struct explained *explained)
{
    const char *comma = " q", *readings = explained->from_readings ? "raw" : "none";
    buf_printf(text, " %s%s n%" PRIu64, explained->from_tier ? tier_name[explained->tier] : readings,
               explained->from_tier && explained->from_readings ? ",raw" : "", explained->count);
    for (int class = 0; class < QUALITY_N; class++, comma = ",")
        buf_printf(text, "%s%" PRIu64, comma, explained->n_quality[class]);
    const struct {
        const char *name;
        uint64_t n;
    } counts[] = {
        {"resets", explained->n_resets}, {"rollovers", explained->n_rollovers}, {"jitters", explained->n_jitters},
        {"changes", explained->n_changes}, {"splits", explained->n_splits}, {"rounded", explained->n_rounded},
        {"converted", explained->n_converted},
    };
    buf_puts(text, explained->is_partial ? " partial" : "");
    buf_puts(text, explained->is_filled ? " filled" : "");
    buf_puts(text, explained->has_gap ? " gap" : "");
    buf_puts(text, explained->has_spread ? " spread" : "");
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
        if (counts[i].n)
            buf_printf(text, " %s%" PRIu64, counts[i].name, counts[i].n);
}

static int read_series(struct answer *answer, size_t n_values, bool raw, struct said *said)
{
    struct row row;
    int rc;
    while ((rc = answer_next_row(answer, &row)) > 0) {
        buf_printf(&said->text, "%" PRId64, row.t_us);
        for (size_t i = 0; i < n_values; i++)
            put_value(&said->text, &row.values[i]);
        if (raw)
            buf_printf(&said->text, " q%u%s", row.quality, !row.bound ? "" : row.bound == BOUND_BEFORE ? " before" : " after");
        if (row.available_us)
            buf_printf(&said->text, " since %" PRId64, row.available_us);
        if (row.explained)
            put_explained(&said->text, row.explained);
        buf_putc(&said->text, '\n');
        said->n_rows++;
    }
    return rc;
}

static int read_answer(struct answer *answer, const struct range *range, struct said *said)
{
    const struct series_info *info;
    const enum agg *aggs;
    size_t n_aggs;
    int rc;
    while ((rc = answer_next_series(answer, &info, &aggs, &n_aggs)) > 0) {
        buf_printf(&said->text, "series %" PRIu32, info->id);
        snprintf(said->unit, sizeof(said->unit), "%s", info->unit);
        for (size_t i = 0; i < n_aggs; i++)
            buf_printf(&said->text, " %s", agg_name[aggs[i]]);
        buf_putc(&said->text, '\n');
        rc = read_series(answer, range->raw ? 1 : n_aggs + (range->over ? 2 : 0), range->raw, said);
        if (rc)
            return rc;
    }
    if (!rc && answer_cursor(answer))
        snprintf(said->cursor, sizeof(said->cursor), "%s", answer_cursor(answer));
    return rc;
}

void ask_range(const struct ask *ask, struct said *ret_said)
{
    struct range range = {0};
    struct answer *answer;
    *ret_said = (struct said){0};
    ret_said->rc = range_parse(ask->parameters, ask->n, ASK_NOW_US, &range, &ret_said->error);
    if (!ret_said->rc) {
        ret_said->rc = answer_open(NULL, NULL, &range, &answer, &ret_said->error);
        if (!ret_said->rc) {
            snprintf(ret_said->tiers, sizeof(ret_said->tiers), "%s", answer_tiers(answer));
            ret_said->rc = read_answer(answer, &range, ret_said);
            answer_close(answer);
        }
        range_free(&range);
    }
    buf_putc(&ret_said->text, '\0');
    if (ret_said->text.failed)
        abort();
}

void said_free(struct said *said)
{
    buf_free(&said->text);
}

/* Appends a page; its first line is left out where it names the series that the text is in. */
static void join(struct said *whole, const struct said *page, char series[static SERIES_LINE_MAX])
{
    const char *text = (const char *)page->text.data;
    size_t size = strcspn(text, "\n");
    if (*series && strlen(series) == size && !memcmp(text, series, size))
        text += size + 1;
    buf_puts(&whole->text, text);
    for (const char *line = text; (line = strstr(line, "series ")); line += size) {
        size = strcspn(line, "\n");
        snprintf(series, SERIES_LINE_MAX, "%.*s", (int)size, line);
    }
    whole->n_rows += page->n_rows;
}

void ask_pages(const struct ask *ask, int limit, struct said *ret_said)
{
    char number[16], cursor[96] = "", series[SERIES_LINE_MAX] = "";
    *ret_said = (struct said){0};
    snprintf(number, sizeof(number), "%d", limit);
    do {
        struct ask one = *ask;
        struct said page;
        ask_add(&one, "limit", number);
        if (*cursor)
            ask_add(&one, "cursor", cursor);
        ask_range(&one, &page);
        if (*cursor && !strcmp(cursor, page.cursor))
            page.rc = ERR_CORRUPT; /* it goes on nowhere */
        snprintf(cursor, sizeof(cursor), "%s", page.cursor);
        if (page.n_rows > (size_t)limit || (*cursor && page.n_rows != (size_t)limit))
            page.rc = ERR_CORRUPT; /* a page is full, or the last */
        ret_said->rc = page.rc;
        ret_said->error = page.error;
        join(ret_said, &page, series);
        said_free(&page);
    } while (!ret_said->rc && *cursor);
    buf_putc(&ret_said->text, '\0');
}

struct said ask_these(const char *first, ...)
{
    struct ask question = {0};
    struct said said;
    va_list rest;
    va_start(rest, first);
    for (const char *name = first; name; name = va_arg(rest, const char *))
        ask_add(&question, name, va_arg(rest, const char *));
    va_end(rest);
    ask_range(&question, &said);
    return said;
}

void said_is(struct said said, int64_t begin_us, const char *expected)
{
    char text[4000] = "";
    size_t n = 0;
    if (said.rc)
        fail_msg("refused: %s", said.error.text);
    for (char *line = (char *)said.text.data, *next; *line; line = next) {
        next = strchr(line, '\n') + 1;
        next[-1] = '\0';
        if (!strncmp(line, "series ", 7))
            continue;
        int64_t t_us = strtoll(line, NULL, 10);
        if (begin_us == INT64_MIN)
            n += civil_print_rfc3339(text + n, t_us, 0, true);
        else
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%" PRId64, (t_us - begin_us) / US_PER_SECOND);
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s;", strchr(line, ' '));
        assert_true(n < sizeof(text) - CIVIL_TEXT_MAX);
    }
    said_free(&said);
    assert_string_equal(text, expected);
}

void said_refused(struct said said, int code, const char *field, const char *words)
{
    assert_int_equal(said.rc, code);
    assert_string_equal(said.error.field, field);
    if (!strstr(said.error.text, words))
        fail_msg("\"%s\" does not say \"%s\"", said.error.text, words);
    said_free(&said);
}
