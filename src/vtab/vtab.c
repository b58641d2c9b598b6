#include <config.h>

#include "vtab/vtab.h"

#include "vtab/connection.h"
#include "vtab/functions.h"
#include "vtab/table.h"

int vtab_register(sqlite3 *db, const struct vtab_opts *opts)
{
    static const struct table *const tables[] = {&table_readings, &table_rollup, &table_last, &table_revisions};
    struct connection *connection = connection_new(db, opts);
    if (!connection)
        return SQLITE_NOMEM;
    int rc = functions_add(db);
    for (size_t i = 0; i < sizeof(tables) / sizeof(*tables) && rc == SQLITE_OK; i++)
        rc = table_add(connection, tables[i]);
    connection_drop(connection);
    return rc;
}
