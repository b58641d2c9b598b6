/* The rows for people of an open window, derived from its own readings. A sealed file has no part in them: it has rows of its
 * own beside it. */
#ifndef STORE_WINDOW_DAYS_H
#define STORE_WINDOW_DAYS_H

#include "store/in_force.h"

/* Derives the rows of the UTC days that touch [begin_us, end_us) anew from the readings in force in state mark. Windows begin
 * and end with a day. ERR_NOMEM, ERR_CORRUPT and what SQLite has. */
MUST_CHECK int window_days_write(struct in_force *in_force, struct window_file *file, const struct series_row *series,
                                 int64_t mark, int64_t begin_us, int64_t end_us);

#endif
