/* Put before every source of almanac.so: all calls of SQLite go through the table of functions that the loading program
 * hands over, so that there is one SQLite in the process, whichever way that program has it. With two, one would drop the
 * other's locks. */
#ifndef VTAB_LOADED_H
#define VTAB_LOADED_H

#include <config.h>

#include <sqlite3ext.h>

extern const sqlite3_api_routines *sqlite3_api;

#endif
