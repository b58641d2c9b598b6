#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "adapt/mapper_inside.h"

#define NO_COLUMN UINT32_MAX

static const unsigned char bom[] = {0xEF, 0xBB, 0xBF};

/* The column of a field. 1, 0: refused, and told; or a callback's answer. */
static int bind_field(struct mapper *mapper, int field, const char *const *names, size_t n)
{
    const char *name = mapper->mapping->fields[field].name;
    uint32_t *column = &mapper->csv.columns[field];
    size_t n_found = 0;
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0) {
            *column = (uint32_t)i;
            n_found++;
        }
    if (n_found == 1)
        return 1;
    mapper->deaf = true;
    return mapper_refuse(mapper, REFUSED_FIELD, "the header has %s column \"%.60s\": nothing is read",
                         n_found ? "more than one" : "no", name);
}

/* Finds each field's column. 1, 0 or a callback's answer. */
static int bind(struct mapper *mapper, const char *const *names, size_t n)
{
    const struct mapping *mapping = mapper->mapping;
    for (size_t i = 0; i < mapping->n_fields; i++) {
        mapper->csv.columns[i] = NO_COLUMN;
        if (!mapping->fields[i].used || mapping->fields[i].name[0] == '@')
            continue;
        int rc = bind_field(mapper, (int)i, names, n);
        if (rc != 1)
            return rc;
    }
    mapper->csv.n_columns = n;
    while (n > 0 && names[n - 1][0] == '\0')
        n--;
    mapper->csv.n_needed = n;
    mapper->csv.bound = true;
    return 1;
}

static int refuse_fault(struct mapper *mapper, enum csv_fault fault)
{
    mapper->counts.records++;
    if (fault == CSV_QUOTED)
        return mapper_refuse(mapper, REFUSED_FIELD, "the source ends inside quotes");
    return mapper_refuse(mapper, REFUSED_SIZE,
                         fault == CSV_MANY ? "more than %d fields" : "a row of more than %d bytes",
                         fault == CSV_MANY ? CSV_FIELDS_MAX : CSV_ROW_BYTES_MAX);
}

static int take_row(struct mapper *mapper, const char *const *fields, size_t n)
{
    struct csv_reader *reader = &mapper->csv;
    const struct mapping *mapping = mapper->mapping;
    size_t n_used = n;
    while (n_used > reader->n_columns && fields[n_used - 1][0] == '\0')
        n_used--;
    if (!mapping->csv.ragged && (n < reader->n_needed || n_used > reader->n_columns)) {
        mapper->counts.records++;
        return mapper_refuse(mapper, REFUSED_LENGTH, "%zu fields, where the header has %zu", n, reader->n_columns);
    }
    for (size_t i = 0; i < mapping->n_fields; i++) {
        uint32_t column = reader->columns[i];
        if (column != NO_COLUMN)
            mapper->cells[i] = column < n
                                   ? (struct cell){fields[column], csv_field_size(&reader->csv, column), CELL_TEXT}
                                   : (struct cell){0};
    }
    return mapper_record(mapper, reader->csv.line);
}

static int row_cb(void *arg, const char *const *fields, size_t n)
{
    struct mapper *mapper = arg;
    const struct mapping_csv *csv = &mapper->mapping->csv;
    struct csv_reader *reader = &mapper->csv;
    mapper->line = reader->csv.line;
    if (mapper->deaf || reader->csv.line <= csv->skip)
        return 0;
    if (reader->csv.fault)
        return refuse_fault(mapper, reader->csv.fault);
    if (!reader->bound) {
        int rc =
            csv->header ? bind(mapper, fields, n) : bind(mapper, (const char *const *)csv->columns, csv->n_columns);
        if (rc != 1 || csv->header)
            return rc == 1 ? 0 : rc;
    }
    return take_row(mapper, fields, n);
}

void csv_reader_begin(struct mapper *mapper)
{
    const struct mapping_csv *csv = &mapper->mapping->csv;
    struct csv_reader *reader = &mapper->csv;
    csv_done(&reader->csv);
    reader->csv = (struct csv){.row = row_cb,
                               .arg = mapper,
                               .separator = csv->separator,
                               .quote = csv->quote ? csv->quote : csv->separator,
                               .tolerant = true};
    reader->n_bom = 0;
    reader->begun = reader->bound = false;
}

void csv_reader_done(struct mapper *mapper)
{
    csv_done(&mapper->csv.csv);
}

int csv_reader_feed(struct mapper *mapper, const char *data, size_t size)
{
    struct csv_reader *reader = &mapper->csv;
    int rc = 0;
    while (!reader->begun && size > 0) {
        if (reader->n_bom < sizeof(bom) && (unsigned char)*data == bom[reader->n_bom]) {
            reader->begun = ++reader->n_bom == sizeof(bom);
            data++;
            size--;
        } else { /* what looked like a byte order mark so far is none */
            rc = csv_feed(&reader->csv, bom, reader->n_bom);
            reader->begun = true;
        }
    }
    return rc == 0 && size > 0 ? csv_feed(&reader->csv, data, size) : rc;
}

int csv_reader_end(struct mapper *mapper)
{
    struct csv_reader *reader = &mapper->csv;
    int rc = reader->begun ? 0 : csv_feed(&reader->csv, bom, reader->n_bom);
    return rc == 0 ? csv_end(&reader->csv) : rc;
}
