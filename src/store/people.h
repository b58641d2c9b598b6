/* The rows for people with the sqlite3 shell (sql/people.sql): one a series and UTC day. */
#ifndef STORE_PEOPLE_H
#define STORE_PEOPLE_H

#include <stddef.h>
#include <stdint.h>

#include "codec/points.h"
#include "common/err.h"
#include "store/catalog.h"
#include "store/window_file.h"

/* Calls put for each UTC day of points, the readings in force of one series in time order. A day of more than 96 readings is
 * condensed to its quarters of an hour: means of gauges, sums of intervals, last values of counters and states,
 * of the readings that are not suspect where there are such. */
MUST_CHECK int people_days(const struct series_row *series, const struct points *points,
                           int (*put)(void *arg, const struct series_row *series, const struct day_row *row), void *arg);

#endif
