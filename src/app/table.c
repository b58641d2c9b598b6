#include <config.h>

#include "app/table.h"

#include <stdlib.h>
#include <string.h>

#include "common/csv.h"

#define HELD_ROWS 200

struct table {
    FILE *out;
    char **held[HELD_ROWS]; /* rows, each an array of n_columns texts */
    size_t n_held, n_columns;
    size_t width[CSV_FIELDS_MAX];
    bool right[CSV_FIELDS_MAX]; /* numbers stand at the right */
    bool streaming;
};

struct table *table_new(FILE *out)
{
    struct table *table = calloc(1, sizeof *table);
    if (table)
        table->out = out;
    return table;
}

/* Columns on the terminal: bytes that are not continuation bytes of UTF-8. */
static size_t width_of(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

static bool is_number(const char *text)
{
    return text[0] && strspn(text, "+-.0123456789eE") == strlen(text);
}

static void print_row(const struct table *table, const char *const *fields)
{
    for (size_t i = 0; i < table->n_columns; i++) {
        size_t width = width_of(fields[i]);
        int blanks = width < table->width[i] ? (int)(table->width[i] - width) : 0;
        bool last = i + 1 == table->n_columns;
        fprintf(table->out, "%*s%s%*s%s", table->right[i] ? blanks : 0, "", fields[i],
                table->right[i] || last ? 0 : blanks, "", last ? "\n" : "  ");
    }
}

static void free_row(char **row, size_t n)
{
    for (size_t i = 0; row && i < n; i++)
        free(row[i]);
    free(row);
}

static char **copy_row(const char *const *fields, size_t n)
{
    char **row = calloc(n, sizeof *row);
    for (size_t i = 0; row && i < n; i++)
        if (!(row[i] = strdup(fields[i]))) {
            free_row(row, n);
            return NULL;
        }
    return row;
}

/* Decides the widths and sides from the rows so far, and prints them. */
static void release(struct table *table)
{
    for (size_t i = 0; i < table->n_columns; i++) {
        bool numbers = false, texts = false;
        for (size_t k = 0; k < table->n_held; k++) {
            size_t width = width_of(table->held[k][i]);
            if (width > table->width[i])
                table->width[i] = width;
            if (k > 0 && table->held[k][i][0]) {
                numbers = numbers || is_number(table->held[k][i]);
                texts = texts || !is_number(table->held[k][i]);
            }
        }
        table->right[i] = numbers && !texts;
    }
    for (size_t k = 0; k < table->n_held; k++) {
        print_row(table, (const char *const *)table->held[k]);
        free_row(table->held[k], table->n_columns);
    }
    table->n_held = 0;
    table->streaming = true;
}

int table_row(struct table *table, const char *const *fields, size_t n_fields)
{
    if (table->n_columns == 0)
        table->n_columns = n_fields;
    if (n_fields != table->n_columns || n_fields == 0)
        return ERR_INVALID;
    if (table->streaming) {
        print_row(table, fields);
        return 0;
    }
    char **row = copy_row(fields, n_fields);
    if (!row)
        return ERR_NOMEM;
    table->held[table->n_held++] = row;
    if (table->n_held == HELD_ROWS)
        release(table);
    return 0;
}

void table_end(struct table *table)
{
    if (!table->streaming)
        release(table);
}

void table_free(struct table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->n_held; i++)
        free_row(table->held[i], table->n_columns);
    free(table);
}
