#include <config.h>

#include "common/csv.h"

#include <stdlib.h>
#include <string.h>

static void get_ready(struct csv *csv)
{
    csv->separator = csv->separator ? csv->separator : ',';
    csv->quote = csv->quote ? csv->quote : '"';
    csv->stops[(uint8_t)csv->separator] = csv->stops['\n'] = csv->stops['\r'] = true;
    csv->stops[(uint8_t)csv->quote] = true;
    csv->ready = true;
}

static int more_fields(struct csv *csv)
{
    size_t cap = csv->cap ? 2 * csv->cap : 32;
    uint32_t *at = reallocarray(csv->at, cap, sizeof *at);
    csv->at = at ? at : csv->at;
    const char **fields = reallocarray(csv->fields, cap, sizeof *fields);
    csv->fields = fields ? fields : csv->fields;
    if (!at || !fields)
        return ERR_NOMEM;
    csv->cap = cap;
    return 0;
}

static int begin_field(struct csv *csv)
{
    if (csv->n == CSV_FIELDS_MAX) {
        csv->fault = csv->fault ? csv->fault : CSV_MANY;
        return csv->tolerant ? 0 : ERR_LIMIT;
    }
    if (csv->n == csv->cap) {
        int code = more_fields(csv);
        if (code != 0)
            return code;
    }
    if (!csv->open)
        csv->line = csv->n_lines + 1;
    csv->at[csv->n++] = (uint32_t)csv->text.n;
    csv->open = true;
    return 0;
}

static void add(struct csv *csv, const char *data, size_t size)
{
    if (csv->text.n + size > CSV_ROW_BYTES_MAX) {
        csv->fault = CSV_LONG;
        csv->quoted = csv->quote_seen = false; /* the next end of line is one */
    }
    if (csv->fault)
        return;
    if (csv->text.cap - csv->text.n > size) {
        memcpy(csv->text.data + csv->text.n, data, size);
        csv->text.n += size;
    } else {
        buf_put(&csv->text, data, size);
    }
}

static int end_row(struct csv *csv)
{
    buf_putc(&csv->text, '\0');
    if (csv->text.failed)
        return ERR_NOMEM;
    for (size_t i = 0; i < csv->n; i++)
        csv->fields[i] = (const char *)csv->text.data + csv->at[i];
    int code = csv->fault && !csv->tolerant ? ERR_LIMIT : csv->row(csv->arg, csv->fields, csv->n);
    buf_clear(&csv->text);
    csv->n = 0;
    csv->fault = CSV_GOOD;
    csv->open = csv->quoted = csv->quote_seen = false;
    return code;
}

/* Takes bytes inside quotes, up to a quote. */
static const char *take_quoted(struct csv *csv, const char *at, const char *end)
{
    const char *quote = memchr(at, csv->quote, (size_t)(end - at)), *stop = quote ? quote : end;
    size_t room = CSV_ROW_BYTES_MAX + 1 - csv->text.n; /* the byte that is too many ends the quotes */
    if ((size_t)(stop - at) > room) {
        stop = end = at + room;
        quote = NULL;
    }
    for (const char *line = at; (line = memchr(line, '\n', (size_t)(stop - line))); line++)
        csv->n_lines++;
    add(csv, at, (size_t)(stop - at));
    csv->quote_seen = quote != NULL && csv->quoted;
    return quote ? quote + 1 : end;
}

/* Takes one byte that ends a run. */
static int take_stop(struct csv *csv, char c)
{
    if (c == '\r')
        return 0;
    if (c == '\n') {
        int code = csv->open ? end_row(csv) : 0; /* empty lines are no rows */
        csv->n_lines++;
        return code;
    }
    int code = csv->open ? 0 : begin_field(csv);
    if (code != 0)
        return code;
    if (c == csv->separator) {
        add(csv, "", 1);
        return begin_field(csv);
    }
    if (!csv->fault && csv->text.n == csv->at[csv->n - 1])
        csv->quoted = true;
    else
        add(csv, &c, 1);
    return 0;
}

static int take_plain(struct csv *csv, const char **at, const char *end)
{
    const char *stop = *at;
    while (stop < end && !csv->stops[(uint8_t)*stop])
        stop++;
    int code = 0;
    if (stop > *at) {
        code = csv->open ? 0 : begin_field(csv);
        if (code == 0)
            add(csv, *at, (size_t)(stop - *at));
    }
    if (code == 0 && stop < end)
        code = take_stop(csv, *stop++);
    *at = stop;
    return code;
}

int csv_feed(struct csv *csv, const void *data, size_t size)
{
    const char *at = data, *end = at + size;
    int code = 0;
    if (!csv->ready)
        get_ready(csv);
    while (at < end && code == 0) {
        if (csv->quote_seen) {
            csv->quote_seen = false;
            csv->quoted = *at == csv->quote;
            if (csv->quoted)
                add(csv, at++, 1);
        } else if (csv->quoted) {
            at = take_quoted(csv, at, end);
        } else {
            code = take_plain(csv, &at, end);
        }
    }
    return code == 0 && csv->text.failed ? ERR_NOMEM : code;
}

int csv_end(struct csv *csv)
{
    if (csv->quoted && !csv->quote_seen)
        csv->fault = CSV_QUOTED;
    int code = csv->open ? end_row(csv) : 0;
    csv_done(csv);
    return code;
}

void csv_done(struct csv *csv)
{
    buf_free(&csv->text);
    free(csv->at);
    free(csv->fields);
    csv->at = NULL;
    csv->fields = NULL;
    csv->n = csv->cap = 0;
    csv->n_lines = 0;
    csv->fault = CSV_GOOD;
    csv->open = csv->quoted = csv->quote_seen = false;
}
