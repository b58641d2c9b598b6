/* Rows for people: an aligned table, and plots of text. Both are made from the CSV of a range
 * answer. */
#ifndef APP_TABLE_H
#define APP_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/err.h"

/* A table is fed rows, the heads first. Widths come from the first rows; everything after them
 * streams. */
struct table;
struct table *table_new(FILE *out); /* NULL without memory */
MUST_CHECK int table_row(struct table *table, const char *const *fields, size_t n_fields);
void table_end(struct table *table); /* prints what is held back */
void table_free(struct table *table);

/* Plots of the first value column, one a series, below each other. The columns before it are time,
 * entity, property, unit. */
struct plot;
struct plot *plot_new(FILE *out);
MUST_CHECK int plot_row(struct plot *plot, const char *const *fields, size_t n_fields);
void plot_end(struct plot *plot);
void plot_free(struct plot *plot);

#endif
