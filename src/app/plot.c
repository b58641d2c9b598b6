/* Plots of text: time runs to the right, each column of the plot shows the mean of the rows that
 * fall into it. */
#include <config.h>

#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/table.h"
#include "model/decimal.h"

#define COLUMNS 72
#define LINES 8
#define UNIT_COLUMN ((size_t)3)

struct plot {
    FILE *out;
    bool blocks;              /* the terminal knows UTF-8: eighths of a line can be drawn */
    size_t value, unit;       /* columns, told by the head; value 0 before it */
    char name[400];           /* "entity property [unit]" of the series that is being gathered */
    char first[48], last[48]; /* its times */
    double *values;           /* NAN where there is none */
    size_t n, cap;
};

struct plot *plot_new(FILE *out)
{
    struct plot *plot = calloc(1, sizeof *plot);
    if (!plot)
        return NULL;
    plot->out = out;
    setlocale(LC_CTYPE, "");
    plot->blocks = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    return plot;
}

/* A picture needs no exact number. */
static double value_of(const char *text)
{
    struct decimal decimal;
    bool rounded;
    if (decimal_parse(text, strlen(text), &decimal, &rounded) != 0)
        return NAN;
    return (double)decimal.m * pow(10, decimal.e);
}

/* The mean of the rows that fall into column i of the picture. */
static double column(const struct plot *plot, size_t i, size_t n_columns)
{
    double sum = 0;
    size_t n = 0;
    for (size_t k = i * plot->n / n_columns; k < (i + 1) * plot->n / n_columns; k++)
        if (!isnan(plot->values[k])) {
            sum += plot->values[k];
            n++;
        }
    return n ? sum / (double)n : NAN;
}

static void draw_line(const struct plot *plot, const double *columns, size_t n_columns, double low,
                      double high, int line)
{
    size_t wide = COLUMNS / n_columns; /* a few rows are drawn as bars */
    static const char *const eighths[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    double step = high > low ? (high - low) / LINES : 1;
    for (size_t i = 0; i < n_columns; i++) {
        double filled = (columns[i] - low) / step - line; /* of this line; NAN draws nothing */
        int part = isnan(filled) || filled < 0 ? 0 : filled >= 1 ? 8 : (int)(filled * 8);
        if (line == 0 && part == 0 && !isnan(filled))
            part = 1; /* the lowest value is a value too */
        const char *mark = plot->blocks                       ? eighths[part]
                           : part >= 4 || (line == 0 && part) ? "#"
                                                              : " ";
        for (size_t k = 0; k < wide; k++)
            fputs(mark, plot->out);
    }
}

static void draw(struct plot *plot)
{
    double columns[COLUMNS], low = INFINITY, high = -INFINITY;
    size_t n_columns = plot->n < COLUMNS ? plot->n : COLUMNS;
    for (size_t i = 0; i < n_columns; i++) {
        columns[i] = column(plot, i, n_columns);
        low = fmin(low, columns[i]);
        high = fmax(high, columns[i]);
    }
    if (isinf(low))
        return;
    fprintf(plot->out, "\n%s\n", plot->name);
    for (int line = LINES - 1; line >= 0; line--) {
        if (line == LINES - 1 || line == 0)
            fprintf(plot->out, "%12.6g |", line ? high : low);
        else
            fprintf(plot->out, "%12s |", "");
        draw_line(plot, columns, n_columns, low, high, line);
        fputc('\n', plot->out);
    }
    int gap = (int)(n_columns * (COLUMNS / n_columns)) - (int)strlen(plot->first) -
              (int)strlen(plot->last);
    fprintf(plot->out, "%14s%s%*s%s\n", "", plot->first, gap > 1 ? gap : 1, "", plot->last);
}

static int add_value(struct plot *plot, double value)
{
    if (plot->n == plot->cap) {
        size_t cap = plot->cap ? 2 * plot->cap : 1024;
        double *values = reallocarray(plot->values, cap, sizeof *values);
        if (!values)
            return ERR_NOMEM;
        plot->values = values;
        plot->cap = cap;
    }
    plot->values[plot->n++] = value;
    return 0;
}

/* The first value is drawn; it may be an integral, whose unit stands by itself where there are other values, too. */
static int read_head(struct plot *plot, const char *const *fields, size_t n_fields)
{
    bool has_apart = strcmp(fields[UNIT_COLUMN + 1], "integral_unit") == 0;
    plot->value = UNIT_COLUMN + (has_apart ? 2 : 1);
    if (plot->value >= n_fields)
        return ERR_INVALID;
    plot->unit = UNIT_COLUMN + (has_apart && strcmp(fields[plot->value], "integral") == 0 ? 1 : 0);
    return 0;
}

int plot_row(struct plot *plot, const char *const *fields, size_t n_fields)
{
    char name[sizeof plot->name];
    if (n_fields <= (plot->value ? plot->value : UNIT_COLUMN + 1))
        return ERR_INVALID;
    if (!plot->value)
        return read_head(plot, fields, n_fields);
    const char *unit = fields[plot->unit];
    snprintf(name, sizeof name, "%s %s%s%s%s", fields[1], fields[2], *unit ? " [" : "", unit, *unit ? "]" : "");
    if (strcmp(name, plot->name) != 0) {
        plot_end(plot);
        memcpy(plot->name, name, sizeof name);
        snprintf(plot->first, sizeof plot->first, "%s", fields[0]);
    }
    snprintf(plot->last, sizeof plot->last, "%s", fields[0]);
    return add_value(plot, value_of(fields[plot->value]));
}

void plot_end(struct plot *plot)
{
    if (plot->n > 0)
        draw(plot);
    plot->n = 0;
}

void plot_free(struct plot *plot)
{
    if (!plot)
        return;
    free(plot->values);
    free(plot);
}
