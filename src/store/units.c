#include <config.h>

#include "store/units.h"

#include <stdio.h>
#include <string.h>

static const char *text(sqlite3_stmt *stmt, int column)
{
    const char *found = (const char *)sqlite3_column_text(stmt, column);
    return found ? found : "";
}

int units_add(struct unit_table *table, sqlite3_stmt *stmt)
{
    struct unit unit = {.numerator = sqlite3_column_int64(stmt, 2), .denominator = sqlite3_column_int64(stmt, 3),
                        .exponent = (int8_t)sqlite3_column_int(stmt, 4)};
    bool rounded;
    const char *offset = text(stmt, 5);
    if (unit.numerator <= 0 || unit.denominator <= 0 || strlen(text(stmt, 0)) >= sizeof(unit.name) ||
        strlen(text(stmt, 1)) >= sizeof(unit.dimension) ||
        decimal_parse(offset, strlen(offset), &unit.offset, &rounded))
        return ERR_INVALID;
    snprintf(unit.name, sizeof(unit.name), "%s", text(stmt, 0));
    snprintf(unit.dimension, sizeof(unit.dimension), "%s", text(stmt, 1));
    return unit_table_add(table, &unit, sqlite3_column_int(stmt, 6) != 0);
}

int units_add_alias(struct unit_table *table, sqlite3_stmt *stmt)
{
    return unit_table_add_alias(table, text(stmt, 0), text(stmt, 1));
}
