#include <config.h>

#include "app/csv.h"

#include <string.h>

static int begin_field(struct csv *csv)
{
    if (csv->n == CSV_FIELDS_MAX)
        return ERR_LIMIT;
    csv->at[csv->n++] = csv->text.n;
    csv->open = true;
    return 0;
}

static int end_row(struct csv *csv)
{
    const char *fields[CSV_FIELDS_MAX];
    buf_putc(&csv->text, '\0');
    if (csv->text.failed)
        return ERR_NOMEM;
    for (size_t i = 0; i < csv->n; i++)
        fields[i] = (const char *)csv->text.data + csv->at[i];
    int code = csv->row(csv->arg, fields, csv->n);
    buf_clear(&csv->text);
    csv->n = 0;
    csv->open = csv->quoted = csv->quote_seen = false;
    return code;
}

static int take_byte(struct csv *csv, char c)
{
    if (csv->quote_seen) {
        csv->quote_seen = false;
        if (c == '"') {
            buf_putc(&csv->text, c);
            return 0;
        }
        csv->quoted = false;
    } else if (csv->quoted) {
        if (c == '"')
            csv->quote_seen = true;
        else
            buf_putc(&csv->text, c);
        return 0;
    }
    if (c == '\r')
        return 0;
    if (c == '\n')
        return csv->open ? end_row(csv) : 0; /* empty lines are no rows */
    int code = csv->open ? 0 : begin_field(csv);
    if (code != 0)
        return code;
    if (c == ',') {
        buf_putc(&csv->text, '\0');
        return begin_field(csv);
    }
    if (c == '"' && csv->text.n == csv->at[csv->n - 1])
        csv->quoted = true;
    else
        buf_putc(&csv->text, c);
    return 0;
}

int csv_feed(struct csv *csv, const void *data, size_t size)
{
    const char *bytes = data;
    int code = 0;
    for (size_t i = 0; i < size && code == 0; i++)
        code = take_byte(csv, bytes[i]);
    return code == 0 && csv->text.failed ? ERR_NOMEM : code;
}

int csv_end(struct csv *csv)
{
    int code = csv->open ? end_row(csv) : 0;
    csv_done(csv);
    return code;
}

void csv_done(struct csv *csv)
{
    buf_free(&csv->text);
}
