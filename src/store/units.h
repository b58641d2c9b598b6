/* The units of a catalog: rows of its tables unit and unit_alias into a table. For its writer and its readers. */
#ifndef STORE_UNITS_H
#define STORE_UNITS_H

#include "db/db.h"
#include "model/unit.h"

#define UNITS_SQL "SELECT name, dimension, numerator, denominator, exponent, offset, prefixes FROM unit"
#define UNIT_ALIASES_SQL "SELECT alias, name FROM unit_alias"

/* Adds a row of those. ERR_INVALID, and what unit_table_add and unit_table_add_alias have. */
MUST_CHECK int units_add(struct unit_table *table, sqlite3_stmt *stmt);
MUST_CHECK int units_add_alias(struct unit_table *table, sqlite3_stmt *stmt);

#endif
