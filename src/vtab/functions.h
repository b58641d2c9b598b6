/* The SQL functions local_time(t_us, zone) and bucket(t_us, step[, zone]). Private to vtab. */
#ifndef VTAB_FUNCTIONS_H
#define VTAB_FUNCTIONS_H

#include <sqlite3.h>

#include "common/err.h"

MUST_CHECK int functions_add(sqlite3 *db); /* an SQLite code */

#endif
