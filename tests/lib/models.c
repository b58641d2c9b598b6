#include <config.h>

#include "models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

/* As in sql/catalog.sql. */
static const char tables[] =
    "CREATE TABLE unit(name TEXT PRIMARY KEY, dimension TEXT, numerator INTEGER, denominator INTEGER,"
    " exponent INTEGER, offset TEXT, prefixes INTEGER);"
    "CREATE TABLE unit_alias(alias TEXT PRIMARY KEY, name TEXT);"
    "CREATE TABLE type(name TEXT PRIMARY KEY, open INTEGER);"
    "CREATE TABLE property(type TEXT, name TEXT, unit TEXT, kind TEXT, step INTEGER, phases INTEGER,"
    " PRIMARY KEY(type, name));";

static void die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(99);
}

static char *read_models(void)
{
    const char *dir = getenv("TEST_SRCDIR");
    char path[4096];
    snprintf(path, sizeof path, "%s/sql/models.sql", dir ? dir : ".");
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 1 << 20);
    if (!file || !text || fread(text, 1, (1 << 20) - 1, file) == 0)
        die(path, "cannot be read (TEST_SRCDIR names the source tree)");
    fclose(file);
    return text;
}

static const char *text_of(char **row, int i)
{
    return row[i] ? row[i] : "";
}

static int add_unit(void *arg, int n, char **row, char **names)
{
    (void)n;
    (void)names;
    struct unit unit = {.numerator = atoll(row[2]), .denominator = atoll(row[3]), .exponent = (int8_t)atoi(row[4])};
    bool rounded;
    snprintf(unit.name, sizeof unit.name, "%s", row[0]);
    snprintf(unit.dimension, sizeof unit.dimension, "%s", row[1]);
    if (decimal_parse(row[5], strlen(row[5]), &unit.offset, &rounded) < 0 ||
        unit_table_add(registry_units(arg), &unit, row[6][0] == '1') < 0)
        die("unit", row[0]);
    return 0;
}

static int add_alias(void *arg, int n, char **row, char **names)
{
    (void)n;
    (void)names;
    if (unit_table_add_alias(registry_units(arg), row[0], row[1]) < 0)
        die("alias", row[0]);
    return 0;
}

static int add_type(void *arg, int n, char **row, char **names)
{
    (void)n;
    (void)names;
    if (registry_add_type(arg, row[0], row[1][0] == '1') < 0)
        die("type", row[0]);
    return 0;
}

static int add_property(void *arg, int n, char **row, char **names)
{
    enum kind kind;
    (void)n;
    (void)names;
    if (kind_parse(row[3], &kind) < 0 ||
        registry_add_property(arg, row[0], row[1], text_of(row, 2), kind, row[4][0] == '1', row[5][0] == '1') < 0)
        die("property", row[1]);
    return 0;
}

struct registry *models_registry(void)
{
    static const struct {
        const char *sql;
        int (*add)(void *arg, int n, char **row, char **names);
    } steps[] = {
        {"SELECT name, dimension, numerator, denominator, exponent, offset, prefixes FROM unit", add_unit},
        {"SELECT alias, name FROM unit_alias", add_alias},
        {"SELECT name, open FROM type", add_type},
        {"SELECT type, name, unit, kind, step, phases FROM property", add_property},
    };
    struct registry *registry = registry_new();
    sqlite3 *db = NULL;
    char *models = read_models();
    if (!registry || sqlite3_open(":memory:", &db) || sqlite3_exec(db, tables, NULL, NULL, NULL) ||
        sqlite3_exec(db, models, NULL, NULL, NULL))
        die("sql/models.sql", db ? sqlite3_errmsg(db) : "no memory");
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (sqlite3_exec(db, steps[i].sql, steps[i].add, registry, NULL))
            die(steps[i].sql, sqlite3_errmsg(db));
    free(models);
    sqlite3_close(db);
    return registry;
}
