/* almanac.so: what SQLite calls when it loads the extension. */
#include <config.h>

#include "vtab/loaded.h"

#include "vtab/vtab.h"

#define SQLITE_OLDEST 3038000 /* has IN lists as a whole, and right-hand sides at planning */

SQLITE_EXTENSION_INIT1

__attribute__((visibility("default"))) int sqlite3_almanac_init(sqlite3 *db, char **ret_text,
                                                                const sqlite3_api_routines *api);

int sqlite3_almanac_init(sqlite3 *db, char **ret_text, const sqlite3_api_routines *api)
{
    SQLITE_EXTENSION_INIT2(api);
    if (sqlite3_libversion_number() < SQLITE_OLDEST) {
        *ret_text = sqlite3_mprintf("almanac.so needs SQLite 3.38 or later, this is %s", sqlite3_libversion());
        return SQLITE_ERROR;
    }
    int rc = vtab_register(db, &(struct vtab_opts){0});
    if (rc != SQLITE_OK) {
        *ret_text = sqlite3_mprintf("almanac.so cannot add its tables: %s", sqlite3_errmsg(db));
        return rc;
    }
    return SQLITE_OK_LOAD_PERMANENTLY; /* zones are cached for the life of the process */
}
